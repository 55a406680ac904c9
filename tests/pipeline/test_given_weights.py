"""Samplers from what people have: arrays, lists and series of weights, and values for the `?` of a text."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from array import array
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tql_frames
from tql_frames import TQLError, TQLTypeError, WeightError

FRAME = pl.DataFrame(
    {"age": [71, 34, 65, 20], "view": ["PA", "AP", "it's", None], "day": [dt.date(2024, 1, 1 + i) for i in range(4)]}
)
WEIGHTS = [5.0, 1.0, 0.0, 2.5]
KINDS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "Polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
    "pyarrow": lambda frame: frame.to_arrow(),
}
GIVEN: dict[str, Any] = {
    "list": WEIGHTS,
    "tuple": tuple(WEIGHTS),
    "list with null": [5, 1, None, 2.5],
    "list of NumPy numbers": [np.int8(5), np.float32(1), np.bool_(False), Decimal("2.5")],
    "float64": np.array(WEIGHTS),
    "float32": np.array(WEIGHTS, np.float32),
    "every second": np.repeat(np.array(WEIGHTS), 2)[::2],
    "objects": np.array(WEIGHTS, object),
    "Polars Series": pl.Series("w", WEIGHTS),
    "Polars Decimal": pl.Series(WEIGHTS).cast(pl.Decimal(10, 1)),
    "pandas Series": pd.Series(WEIGHTS),
    "pandas Float64": pd.Series([5, 1, pd.NA, 2.5], dtype="Float64"),
    "pandas NaN": pd.Series([5, 1, np.nan, 2.5]),
    "pandas objects": pd.Series([5, 1.0, None, Decimal("2.5")], dtype=object),
    "pandas array": pd.array([5, 1, pd.NA, 2.5], dtype="Float64"),
    "pandas Categorical": pd.Categorical(WEIGHTS),
    "pandas Index": pd.Index(WEIGHTS),
    "pandas SparseArray": pd.arrays.SparseArray(WEIGHTS),
    "long double": np.array(WEIGHTS, np.longdouble),
    "array": array("d", WEIGHTS),
    "deque": deque(WEIGHTS),
    "Arrow Array": pa.array([5, 1, None, 2.5]),
    "Arrow ChunkedArray": pa.chunked_array([[5.0, 1.0], [0.0, 2.5]]),
}


def rows(found: Any) -> list[int]:
    """Ages of what was drawn."""
    found = found.collect() if isinstance(found, pl.LazyFrame) else found
    column = found.column("age") if isinstance(found, pa.Table) else found["age"]
    return list(column.to_pylist() if isinstance(found, pa.Table) else column.to_list())


@pytest.fixture(params=KINDS)
def frame(request: pytest.FixtureRequest) -> Any:
    return KINDS[request.param](FRAME)


@pytest.mark.parametrize("name", GIVEN)
def test_weights_are_taken_as_a_column_of_them_would_be(frame: Any, name: str) -> None:
    given = GIVEN[name]
    wanted = FRAME.with_columns(w=pl.Series(WEIGHTS))
    for options in ({}, {"replace": False, "limit": 2}, {"over": "age > 60", "limit": 3}, {"design": "systematic"}):
        drawn = rows(tql_frames.sample(frame, given, seed=3, **options))  # type: ignore[arg-type]
        assert drawn == rows(wanted.tql.sample("w", seed=3, **options))  # type: ignore[arg-type]
    view = tql_frames.view(frame, given, limit=5, seed=3)
    assert rows(view.to_native()) == rows(wanted.tql.sample("w", limit=5, seed=3))
    assert view.expected().tolist() == wanted.tql.view("w", limit=5, seed=3).expected().tolist()
    assert tql_frames.report(frame, given, by="view").labels["expected_share"].to_list() == (
        wanted.tql.report("w", by="view").labels["expected_share"].to_list()
    )
    assert "3 of positive weight" in str(tql_frames.explain(frame, given))
    found = tql_frames.weights(frame, given)
    found = found.collect()["weight"] if isinstance(found, pl.LazyFrame) else found
    assert found.to_list() == WEIGHTS


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([1, 2], TQLError, "expected 4 weights, one per row, got 2"),
        ([1], TQLError, "expected 4 weights, one per row, got 1"),
        ([], TQLError, "expected 4 weights, one per row, got 0"),
        (np.ones(5), TQLError, "expected 4 weights, one per row, got 5"),
        (["a"] * 4, TQLTypeError, "expected one number per row, got a list of other values"),
        ([[1]] * 4, TQLTypeError, "expected one number per row, got a list of other values"),
        (np.array(["a"] * 4), TQLTypeError, "expected one number per row, got a ndarray of String"),
        (np.ones((4, 1)), TQLTypeError, r"expected weights of one dimension, got an array of shape \(4, 1\)"),
        (np.float64(3), TQLTypeError, r"expected weights of one dimension, got an array of shape \(\)"),
        (pl.Series([dt.date(2024, 1, 1)] * 4), TQLTypeError, "expected one number per row, got a Series of Date"),
        ([1, float("nan"), 1, 1], WeightError, "NaN weight in row 1"),
        (np.array([1, 1, -1, 1]), WeightError, r"negative weight in row 2 \(-1\)"),
        (pl.Series([1.0, 1, 1, np.inf]), WeightError, "infinite weight in row 3"),
        ([0, 0, 0, 0], WeightError, "no row can be drawn"),
        (pd.Series(WEIGHTS, index=[3, 2, 1, 0]), TQLError, "another index than the frame"),
        (pd.Series(WEIGHTS, index=list("abcd")), TQLError, "another index than the frame"),
        ({"PA": 1}, TQLError, "got dict"),
        ({1, 2}, TQLError, "got set"),
        (FRAME, TQLError, "expected a sampler as TQL text or a Polars expression, got DataFrame"),
        (FRAME.to_arrow(), TQLError, "expected a sampler as TQL text or a Polars expression, got Table"),
        (b"abcd", TQLError, "expected a sampler as TQL text or a Polars expression, got bytes"),
    ],
)
def test_what_cannot_be_weights_is_one_clear_error(frame: Any, given: Any, error: type[TQLError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        rows(tql_frames.sample(frame, given, limit=2))
    assert type(caught.value) is error


def test_a_pandas_series_goes_by_the_index_of_the_frame() -> None:
    frame = FRAME.to_pandas().set_index(pd.Index(list("wxyz")))
    weights = pd.Series(WEIGHTS, index=list("wxyz"))
    assert rows(frame.tql.sample(weights, seed=3)) == rows(FRAME.tql.sample(WEIGHTS, seed=3))
    with pytest.raises(TQLError, match="another index") as caught:
        frame.tql.sample(weights.iloc[::-1])
    assert caught.value.hint == "pass weights.reindex(frame.index), or weights.to_numpy() to go by position"
    assert rows(frame.tql.sample(weights.iloc[::-1].reindex(frame.index), seed=3)) == rows(
        frame.tql.sample(weights, seed=3)
    )
    view = frame.tql.view("1", limit=3, replace=False, order="source", seed=1)
    inner = pd.Series([0.0, 1, 0], index=view.index)
    assert view.sample(inner, limit=1).index.to_list() == [view.index[1]]
    assert view.sample([0, 0, 1], limit=1).index.to_list() == [view.index[2]]


class GeoSeries(pd.Series):
    """A class of another library that derives from that of pandas."""

    __module__ = "geopandas"

    @property
    def _constructor(self) -> type[GeoSeries]:
        return GeoSeries


def test_series_that_are_pandas_within_go_by_their_index() -> None:
    frame = FRAME.to_pandas().set_index(pd.Index(list("wxyz")))
    labelled = pd.Series(WEIGHTS, index=list("wxyz"))
    nw = pytest.importorskip("narwhals")
    for wrap in (GeoSeries, lambda series: nw.from_native(series, series_only=True)):
        assert rows(frame.tql.sample(wrap(labelled), seed=3)) == rows(FRAME.tql.sample(WEIGHTS, seed=3))
        for other in (labelled.iloc[::-1], labelled.reset_index(drop=True)):
            with pytest.raises(TQLError, match="another index"):
                frame.tql.sample(wrap(other))
    by_position = nw.from_native(pl.Series(WEIGHTS), series_only=True)
    assert rows(frame.tql.sample(by_position, seed=3)) == rows(FRAME.tql.sample(WEIGHTS, seed=3))


def test_tensors_are_weights() -> None:
    torch = pytest.importorskip("torch")
    plain = torch.tensor(WEIGHTS)
    negated = torch._neg_view(-plain)
    for given in (plain, plain.requires_grad_(), plain.detach().bfloat16(), plain.detach().to_sparse(), negated):
        assert FRAME.tql.weights(given).to_list() == WEIGHTS
    for given in (torch.tensor([1j] * 4), torch.empty(4, device="meta")):
        with pytest.raises(TQLTypeError, match="expected one number per row, got a Tensor"):
            FRAME.tql.weights(given)


def test_labels_before_the_sampler_are_named() -> None:
    with pytest.raises(TQLError, match=r"report takes the sampler first; .* got a list of names\n  .* write by=\[…\]"):
        FRAME.tql.report(["age", "view"])


def test_the_weights_are_those_at_the_time_of_the_call() -> None:
    weights, labelled = np.array([1.0, 0, 0, 0]), pd.Series([1.0, 0, 0, 0])
    third = FRAME.lazy().tql.sample(labelled, limit=2, seed=1)
    labelled.iloc[:] = [0, 0, 0, 1.0]
    assert third.collect()["age"].to_list() == [71, 71]
    plan = FRAME.lazy().tql.sample(weights, limit=2, seed=1)
    view = FRAME.tql.view(weights, limit=2, seed=1)
    weights[:] = [0, 0, 0, 1]
    assert plan.collect()["age"].to_list() == [71, 71]
    assert view.expected().tolist() == [2, 2]


def test_a_view_by_given_weights_is_saved_and_pickled(tmp_path: Path) -> None:
    view = FRAME.tql.view(WEIGHTS, limit=4, seed=3)
    view.save(tmp_path / "v.parquet")
    assert tql_frames.load_view(tmp_path / "v.parquet", FRAME).positions.tolist() == view.positions.tolist()
    assert pickle.loads(pickle.dumps(view)).positions.tolist() == view.positions.tolist()
    assert "weights of 4 rows" in repr(view)


# --- values for `?` --------------------------------------------------------------------------------------------------

TEXT = "max_weight(age > ?: ?, view in (?): 2.5, day = ?: 3, True: 1)"
VALUES: list[Any] = [60, 5, ["it's", "XX"], dt.date(2024, 1, 2)]
PLAIN = "max_weight(age > 60: 5, view in ('it''s', 'XX'): 2.5, day = '2024-01-02': 3, True: 1)"


@pytest.mark.filterwarnings("ignore::tql_frames.TQLArmWarning")
def test_values_stand_for_the_question_marks_in_every_call(frame: Any, tmp_path: Path) -> None:
    drawn = rows(FRAME.tql.sample(PLAIN, limit=20, seed=3))
    assert rows(tql_frames.sample(frame, TEXT, limit=20, seed=3, parameters=VALUES)) == drawn
    view = tql_frames.view(frame, TEXT, limit=20, seed=3, parameters=VALUES)
    assert rows(view.to_native()) == drawn
    assert view.expected().tolist() == FRAME.tql.view(PLAIN, limit=20, seed=3).expected().tolist()
    assert list(view.report().arms["rows"]) == list(FRAME.tql.view(PLAIN, limit=20, seed=3).report().arms["rows"])
    assert view.parameters == (60, 5, ["it's", "XX"], "2024-01-02")
    assert rows(view.sample(TEXT, limit=3, seed=1, parameters=VALUES)) == rows(view.sample(PLAIN, limit=3, seed=1))
    found = tql_frames.weights(frame, TEXT, parameters=VALUES)
    found = found.collect()["weight"] if isinstance(found, pl.LazyFrame) else found
    assert found.to_list() == FRAME.tql.weights(PLAIN).to_list() == [5, 3, 5, 1]
    shares = tql_frames.report(frame, TEXT, by="view", parameters=VALUES).labels["expected_share"].to_list()
    assert shares == FRAME.tql.report(PLAIN, by="view").labels["expected_share"].to_list()
    assert str(tql_frames.explain(frame, TEXT, VALUES)).splitlines()[1] == "├─ age > 60: 5"
    balance = tql_frames.balance(
        frame, "view", {"age > ?": 0.9, "PA": 0.2}, keep=["day = ?"], parameters=[60, VALUES[3]]
    )
    assert (
        balance.sampler == FRAME.tql.balance("view", {"age > 60": 0.9, "PA": 0.2}, keep=["day = '2024-01-02'"]).sampler
    )
    assert FRAME.select(tql_frames.weight_expr(TEXT, FRAME.schema, VALUES)).to_series().to_list() == [5, 3, 5, 1]
    view.save(tmp_path / "v.parquet")
    assert tql_frames.load_view(tmp_path / "v.parquet", frame).parameters == view.parameters


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        ([60, 1], [2, 1, 2, 1]),
        ([60, 1.0], [2, 1, 2, 1]),
        ([60, True], [2, 1, 2, 1]),
        ([20, 1], [2, 2, 2, 1]),
        ([60, 7], [2, 7, 2, 7]),
    ],
)
def test_other_values_are_another_sampler(values: list[Any], weights: list[float]) -> None:
    """A text is compiled once: its values are part of what it is known by."""
    text = "max_weight(age > ?: 2, age < 0: 1, not age > ?: ?)"
    found = FRAME.tql.weights(text, parameters=[values[0], values[0], values[1]])
    assert found.to_list() == weights


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0, 2**100, [], [1, None], b"x", None])
def test_values_that_no_text_can_say(value: Any) -> None:
    """They are read as values of a statement are."""
    text = "age in (?)" if isinstance(value, list) else "age < ?"
    try:
        wanted: Any = FRAME.tql.query(f"select {text} as a", [value])["a"].cast(pl.Float64).fill_null(0).to_list()
    except TQLError as fault:
        wanted = fault.message
    try:
        found: Any = FRAME.tql.weights(text, parameters=[value]).to_list()
    except TQLError as fault:
        found = fault.message
    assert found == wanted


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"the text has 5 parameters, 0 given\n  line 1, column 18"),
        ([60], "the text has 5 parameters, 1 given"),
        ([1] * 6, r"6 parameters were given, but the text has 5 `\?`"),
        ("abc", "parameters is a list of values"),
        ({"a": 1}, "parameters is a list of values"),
        ([object(), 1, 1, 1, 1], "expected parameter 1 to be a number, text"),
        (None, r"no value is given for the `\?`"),
    ],
)
def test_wrong_values_are_one_clear_error(values: Any, message: str) -> None:
    text = "max_weight(age > ?: ?, view in (?): ?, True: ?)"
    for call in (FRAME.tql.sample, FRAME.tql.weights, FRAME.lazy().tql.sample, FRAME.to_pandas().tql.view):
        with pytest.raises(TQLError, match=message):
            call(text, parameters=values)
    with pytest.raises(TQLError, match=message):
        tql_frames.weight_expr(text, FRAME.schema, values)


def test_values_without_a_text_are_an_error() -> None:
    for sampler in ([1, 2, 3, 4], pl.col("age")):
        with pytest.raises(TQLError, match="the sampler is not text"):
            FRAME.tql.sample(sampler, parameters=[1])
    with pytest.raises(TQLError, match=r"2 parameters were given, but the conditions have 1 `\?`"):
        FRAME.tql.balance("view", {"age > ?": 0.5}, parameters=[60, 61])
    with pytest.raises(TQLError, match="cannot be written in a sampler"):
        FRAME.tql.balance("view", {"age in (?) or age > 3": 0.5, "age > ?": 0.2}, parameters=[[], 2**100])


def test_a_label_that_is_a_question_mark_is_a_label() -> None:
    frame = pl.DataFrame({"answer": ["?", "yes", "really?", "yes"], "age": [1, 2, 3, 4]})
    balance = frame.tql.balance("answer", {"?": 0.5, "really?": 0.2}, parameters=[])
    shares = dict(balance.labels.select("label", "expected_share").rows())
    assert shares["?"] == pytest.approx(0.5)
    assert shares["really?"] == pytest.approx(0.2)


def test_a_report_as_values_has_those_of_its_sampler() -> None:
    values = [["it's", "XX"], float("nan"), 2**70, dt.date(2024, 1, 2)]
    text = "max_weight(view in (?): 3, age < ?: 2, age > ?: 2, day = ?: 2, True: 1)"
    with pytest.warns(tql_frames.TQLArmWarning):
        found = FRAME.tql.report(text, parameters=values).to_dict()
    assert found["sampler"] == text
    assert json.loads(json.dumps(found["parameters"]))[::3] == [["it's", "XX"], "2024-01-02"]
    assert "parameters" not in FRAME.tql.report("1").to_dict()
