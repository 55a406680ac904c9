"""Functions that users register."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest

import tql_frames
from tests.compiler.test_functions import check, value_of
from tql_frames import TQLError, TQLTypeError, register_function, weight_expr
from tql_frames.compiler.expressions import functions
from tql_frames.compiler.expressions.functions import FUNCTIONS, function_named, registered_names
from tql_frames.compiler.expressions.translate import _IN_CONTEXT, WEIGHT_CHOICES
from tql_frames.language.keywords import RESERVED


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    before = dict(functions._registered)
    yield
    functions._registered.clear()
    functions._registered.update(before)


FRAME = pl.DataFrame({"n": [1, 2, None], "t": ["a", "bb", None], "l": [[1.0, 2.0], [], None]})


def kinds() -> list[Any]:
    return [FRAME, FRAME.drop("l").to_pandas()]


def test_a_registered_function_gets_series_and_gives_weights() -> None:
    seen: list[pl.Series] = []

    def scaled(x: pl.Series, by: pl.Series) -> pl.Series:
        seen.extend((x, by))
        return x * by

    register_function("Scaled", scaled)
    for frame in kinds():
        assert frame.tql.weights("sCALED(n, 3)").to_list() == [3, 6, 0]
    assert [(each.dtype, len(each)) for each in seen[:2]] == [(pl.Int64, 3), (pl.Int64, 3)]
    assert tql_frames.weights(FRAME.lazy(), "scaled(n + 1, n)").collect()["weight"].to_list() == [2, 6, 0]
    expr = weight_expr("max_weight(scaled(n, 1) > 1: 5, true: 1)", FRAME.schema)
    assert FRAME.with_columns(w=expr)["w"].to_list() == [1, 5, 1]
    assert tql_frames.weights(FRAME.head(0), "scaled(n, 3)").to_list() == []
    assert tql_frames.weights(FRAME, "scaled(2, 3)").to_list() == [6, 6, 6]
    assert tql_frames.weights(FRAME, "sum_weight(scaled(n, 1) = 1: 1, scaled(n, 1) = 2: 2)").to_list() == [1, 2, 0]


def test_results_of_every_type() -> None:
    register_function("longer", lambda x: x.list.len(), returns=pl.Int64)
    register_function("shout", lambda x: x.str.to_uppercase(), returns=pl.String)
    register_function("doubled", lambda x: x.list.eval(pl.element() * 2), returns=pl.List(pl.Float64))
    register_function("noise", lambda x: np.arange(len(x)))
    register_function("none", lambda: pl.Series([1.5] * 3))
    check(FRAME, "longer(l)", [2, 0, None])
    check(FRAME, "shout(t) == 'BB'", [False, True, None])
    check(FRAME, "sum(doubled(l))", [6.0, 0.0, None])
    check(FRAME, "any(doubled(l * 2) > 7)", [True, False, None])
    check(FRAME, "noise(n)", [0.0, 1.0, 2.0])
    assert value_of(FRAME, "none()") == [1.5, 1.5, 1.5]
    register_function("shout", lambda x: x + "!", returns=pl.String)
    check(FRAME, "shout(t)", ["a!", "bb!", None])


def test_the_arguments_are_counted() -> None:
    register_function("one", lambda x: x)
    register_function("some", lambda x, y=None: x)
    register_function("many", lambda *x: x[0])
    register_function("more", lambda x, *y: x)
    register_function("told", max, arity=2)
    for text, message, hint in [
        ("one(n, n)", "expected 1 argument for one, got 2", "write one(x)"),
        ("some()", "expected 1 to 2 arguments for some, got 0", "write some(x, y)"),
        ("some(n, n, n)", "expected 1 to 2 arguments for some, got 3", "write some(x, y)"),
        ("more()", "expected at least 1 argument for more, got 0", "write more(x, …)"),
        ("told(n)", "expected 2 arguments for told, got 1", None),
    ]:
        with pytest.raises(TQLTypeError) as caught:
            tql_frames.weights(FRAME, f"1 + {text}")
        assert caught.value.message == message
        assert caught.value.span == (4, 4 + len(text))
        assert hint is None or caught.value.hint == hint
    check(FRAME, "many(n, n, t, 4)", [1.0, 2.0, None])
    with pytest.raises(tql_frames.TQLSyntaxError, match="expected arguments for one, got arms"):
        tql_frames.weights(FRAME, "one(n: 2)")
    with pytest.raises(tql_frames.TQLNameError) as near:
        tql_frames.weights(FRAME, "mani(n)")
    assert near.value.hint == "did you mean 'many'?"


@pytest.mark.parametrize("frame", [FRAME, FRAME.lazy(), FRAME.drop("l").to_pandas()], ids=["eager", "lazy", "pandas"])
def test_an_error_inside_names_the_function_and_keeps_its_cause(frame: Any) -> None:
    def broken(x: pl.Series) -> pl.Series:
        raise KeyError("inside")

    register_function("broken", broken)
    with pytest.raises(TQLError, match=r"the function broken failed: KeyError: 'inside'") as caught:
        found = tql_frames.weights(frame, "max_weight(broken(n) > 1: 2)")
        assert found.collect() is None
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.head(1), "the function wrong returned 1 values for 3 rows"),
        (lambda x: [1, 2, 3], "expected the function wrong to return a Series or an array, got list"),
        (lambda x: None, "expected the function wrong to return a Series or an array, got NoneType"),
        (lambda x: pl.Series(["a", "b", "c"]), "the function wrong returned values that are no Float64"),
        (lambda x: np.zeros((3, 2)), "the function wrong returned values that are no Float64"),
    ],
)
def test_a_wrong_result_is_refused(function: Any, message: str) -> None:
    register_function("wrong", function)
    with pytest.raises(TQLTypeError) as caught:
        tql_frames.weights(FRAME, "wrong(n)")
    assert caught.value.message == message


@pytest.mark.parametrize("name", ["", "a b", "1a", "a-b", 5, None, "and", "Select", "sum", "SUM", "max_weight"])
def test_a_name_that_is_none_or_taken_is_refused(name: Any) -> None:
    with pytest.raises(TQLError):
        register_function(name, lambda x: x)


def test_every_name_of_the_language_is_taken() -> None:
    for name in [*FUNCTIONS, *_IN_CONTEXT, *WEIGHT_CHOICES, *RESERVED]:
        with pytest.raises(TQLError):
            register_function(name, lambda x: x)
    assert registered_names() == [*functions._registered]


def test_what_cannot_be_registered() -> None:
    def by_keyword(x: Any, *, y: Any) -> Any:
        return x

    cases: list[tuple[Any, dict[str, Any]]] = [
        (5, {}),
        (by_keyword, {}),
        (len, {"arity": -1}),
        (len, {"arity": True}),
        (len, {"arity": 1.5}),
        (len, {"returns": float}),
        (len, {"returns": "Float64"}),
        (dict, {}) if _uncountable(dict) else (5, {}),
    ]
    for function, options in cases:
        with pytest.raises(TQLError):
            register_function("fine", function, **options)
    assert function_named("fine") is None


def _uncountable(function: Any) -> bool:
    try:
        functions._arity("x", function)
    except TQLError:
        return True
    return False
