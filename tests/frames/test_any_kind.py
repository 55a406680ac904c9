"""Values and texts of any kind end in a result or in a TQLError."""

import datetime as dt
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tql_frames
from tql_frames import TQLError

LONE = "\ud800"
FRAME = pl.DataFrame(
    {"x": [0, 1, None], "l": [[0], [1], None], "s": ["a", "b", "c"], "js": ['{"a": 1}'] * 3, "k": [1, 2, 3]}
)
FRAMES = [FRAME, FRAME.lazy(), FRAME.select("x", "s", "k").to_pandas()]


def asked(frame: Any, text: str, parameters: Any = None) -> list[Any]:
    found = frame.tql.query(f"select {text} as r", parameters)
    return (found.collect() if isinstance(found, pl.LazyFrame) else found)["r"].to_list()


@pytest.mark.fault("A1")
@pytest.mark.parametrize("frame", [pl.DataFrame({"i": range(20_000)}), pl.DataFrame({"i": range(20_000)}).to_pandas()])
def test_random_is_a_whole_number(frame: Any) -> None:
    numbers = frame.tql.query("select random() as r", seed=3)["r"].to_numpy()
    assert numbers.dtype == np.int64
    assert numbers.min() >= 0 and numbers.max() >= 2**30
    assert 1_700 < len(frame.tql.query("select * where random() % 10 == 0", seed=3)) < 2_300
    assert 1_700 < np.count_nonzero(frame.tql.weights("random() % 10 = 0")) < 2_300
    assert len(set(frame.tql.query("select i order by random() limit 9", seed=3)["i"].to_list())) == 9
    one, same, other = (frame.tql.sample("random()", limit=5, seed=seed)["i"].to_list() for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.fault("A3")
@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32, pl.Int64, pl.UInt8])
def test_a_vector_of_length_zero_has_cosine_similarity_zero(dtype: Any) -> None:
    vectors = pl.Series([[0, 0], [1, 1], None, [None, 1], [1]], dtype=pl.List(dtype))
    frame = pl.DataFrame({"e": vectors, "a": pl.Series([[0, 0]] * 5, dtype=pl.Array(dtype, 2))})
    for kind in (frame, frame.lazy()):
        assert asked(kind, "cosine_similarity(e, array[1.0, 0.0])") == pytest.approx([0, 0.5**0.5, None, None, None])
        assert asked(kind, "cosine_similarity(array[1, 0], a)") == [0.0] * 5
        assert asked(kind, "cosine_similarity(e, a)") == [0.0, 0.0, None, None, None]
    text = "select e, cosine_similarity(e, array[1.0, 0.0]) as c order by c desc limit 1"
    assert frame.tql.query(text)["e"].to_list() == [[1, 1]]


EMPTY = ["shape(l)[0]", "l[0]", "l[0][1]", "l[1:]", "sum(l)", "l['k']", "nonzero(l)", "dot(l, array[1])", "keys(l)"]
EMPTY += ["hamming_distance(l, l)", "cosine_similarity(l, array[1, 2])", "l['a']['b'] > 1", "array[1, 2][l]"]


@pytest.mark.fault("A11")
@pytest.mark.parametrize("text", EMPTY)
@pytest.mark.parametrize("rows", [0, 2])
def test_a_column_that_was_never_filled_gives_null(text: str, rows: int) -> None:
    frame = pd.DataFrame({"l": pd.Series([None] * rows, dtype=object), "i": range(rows)})
    assert all(pd.isna(each) for each in frame.tql.query(f"select {text} as r")["r"])
    assert asked(pl.DataFrame({"l": pl.Series([None] * rows, dtype=pl.Null)}), text) == [None] * rows
    assert len(frame.tql.sample(f"max_weight(({text}) is null: 2, true: 1)")) == rows


LONE_CALLS: dict[str, Callable[[Any], Any]] = {
    "sampler": lambda frame: frame.tql.sample(f"max_weight(s = '{LONE}': 1, true: 2)"),
    "name": lambda frame: frame.tql.sample(LONE),
    "weights": lambda frame: frame.tql.weights(f"s = '{LONE}'"),
    "explain": lambda frame: frame.tql.explain(f"s = '{LONE}'"),
    "query": lambda frame: frame.tql.query(f"select * where s = '{LONE}'"),
    "column": lambda frame: frame.tql.query(f'select "{LONE}"'),
    "alias": lambda frame: frame.tql.query(f'select x as "{LONE}"'),
    "from": lambda frame: frame.tql.query(f'select * from "{LONE}"'),
    "key": lambda frame: frame.tql.query(f"select s['{LONE}'] as r"),
    "pattern": lambda frame: frame.tql.query(f"select * where s like '{LONE}'"),
    "parameter": lambda frame: frame.tql.query("select * where s = ?", [LONE]),
    "parameters": lambda frame: frame.tql.query("select * where s in (?)", [["a", LONE]]),
    "by": lambda frame: frame.tql.report(by=LONE),
    "report": lambda frame: frame.tql.report(f"s = '{LONE}'", by="s"),
    "balance": lambda frame: frame.tql.balance(LONE),
    "unit": lambda frame: frame.tql.split(folds=2, unit=LONE),
    "labels": lambda frame: frame.tql.split(folds=2, by=[LONE]),
    "target": lambda frame: frame.tql.balance("s", {LONE: 0.5}),
    "keep": lambda frame: frame.tql.balance("s", keep=[LONE]),
    "index": lambda frame: frame.tql.sample("1", index=LONE),
    "index of a query": lambda frame: frame.tql.query("select *", index=LONE),
    "view": lambda frame: frame.tql.view(f"select * where s = '{LONE}'"),
    "path": lambda frame: frame.tql.view("1").save(LONE),
    "load": lambda frame: tql_frames.load_view(LONE, frame),
    "NUL path": lambda frame: tql_frames.load_view("a\0b", frame),
}


@pytest.mark.fault("A-foreign")
@pytest.mark.parametrize("call", LONE_CALLS)
@pytest.mark.parametrize("place", range(3))
def test_a_lone_surrogate_is_refused_in_every_text(call: str, place: int) -> None:
    with pytest.raises(TQLError) as caught:
        LONE_CALLS[call](FRAMES[place])
    assert str(caught.value).encode()  # it can be printed


@pytest.mark.fault("A-foreign")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x in (array[0, null])", [[True, None], [False, None], [None, None]]),
        ("js['a'] in (1, l)", [[True], [True], None]),
        ("contains(l, l + 1)", TQLError),
        ("contains(l, array[1])", TQLError),
        ("x in (array['a'])", TQLError),
    ],
)
def test_lists_among_the_items_of_in_and_contains(text: str, expected: Any) -> None:
    for frame in FRAMES[:2]:
        if expected is TQLError:
            with pytest.raises(TQLError) as caught:
                asked(frame, text)
            assert caught.value.span is not None
            assert caught.value.span.start > 0
        else:
            asked(frame, text)


@pytest.mark.fault("A-foreign")
def test_an_unknown_function_beside_parameters_can_be_printed() -> None:
    with pytest.raises(TQLError, match="unknown function 'shap'") as caught:
        FRAME.tql.query("select shap(k) where x > ?", [1])
    assert "line 1, column 8" in str(caught.value)


@pytest.mark.fault("A-foreign")
def test_weights_whose_sum_overflows_are_refused_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in (
            lambda: FRAME.tql.report(sampler="1e308"),
            lambda: FRAME.tql.report("max_weight(k > 0: 1e308)", by="s"),
        ):
            try:
                call()
            except TQLError as fault:
                assert "beyond the range" in str(fault)


@pytest.mark.fault("A-foreign")
def test_a_column_without_a_name_goes_over_to_polars() -> None:
    frame = pd.DataFrame({"": [1, 2], "a": [3, 4]})
    assert frame.tql.view('"a"').to_polars().columns[-2:] == ["", "a"]
    assert set(frame[[""]].tql.view("1", seed=1).to_polars()[""].to_list()) <= {1, 2}


LEFT = pl.DataFrame({"k": [dt.date(2024, 1, 1), dt.date(2024, 1, 2), None], "a": [1, 2, 3]})
RIGHT = pl.DataFrame({"k": [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2, 1), None], "b": [10, 20, 30]})


@pytest.mark.fault("A-refused")
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_dates_join_and_unite_with_times_of_any_unit(unit: Any) -> None:
    right = RIGHT.with_columns(pl.col("k").cast(pl.Datetime(unit)))
    for other in (LEFT, RIGHT):
        for how, pairs in (("on a.k = b.k", 1), ("using (k)", 1)):
            found = tql_frames.query(f"select b.b from a join b {how}", a=LEFT, b=right)
            assert found["b"].to_list() == [10][:pairs]
        united = tql_frames.query("(select k from a) union (select k from b)", a=other, b=right)["k"].to_list()
        assert len(united) == (4 if other is LEFT else 3)
        lazy = tql_frames.query("(select k from a) union (select k from b)", a=other.lazy(), b=right.lazy())
        assert lazy.collect()["k"].to_list() == united
        both = tql_frames.query("(select k from a) intersect (select k from b)", a=other, b=right)["k"].to_list()
        assert len(both) == (2 if other is LEFT else 3)
    far = pl.DataFrame({"k": [dt.date(9999, 1, 1)]})
    if unit == "ns":
        with pytest.raises(TQLError, match="does not fit"):
            tql_frames.query("(select k from a) union (select k from b)", a=far.lazy(), b=right.lazy()).collect()


MOMENTS = pl.DataFrame(
    {
        "d": [dt.timedelta(hours=1.5), None, dt.timedelta(days=-1)],
        "t": pl.Series([dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2, 1), None]).cast(pl.Datetime("ns")),
        "i": pl.Series([2**100, 1, None], dtype=pl.Int128),
        "s": ["a", "b", None],
    }
)


@pytest.mark.fault("A-refused")
@pytest.mark.parametrize(
    ("text", "parameter", "expected"),
    [
        ("d = ?", dt.timedelta(hours=1.5), [True, None, False]),
        ("d >= ?", np.timedelta64(5400, "s"), [True, None, False]),
        ("d < ?", np.timedelta64(10**15, "ns"), [True, None, True]),
        ("d = ?", pd.Timedelta("1h30min"), [True, None, False]),
        ("d in (?)", [dt.timedelta(hours=1.5), dt.timedelta(days=-1)], [True, None, True]),
        ("t = ?", np.datetime64("2024-01-01", "ns"), [True, False, None]),
        ("t > ?", np.datetime64("2024-01-02T00:59:59.999999999"), [False, True, None]),
        ("t in (?)", np.array(["2024-01-01"], dtype="M8[ns]"), [True, False, None]),
        ("t = ?", pd.Timestamp("2024-01-01"), [True, False, None]),
        ("t = ?", np.datetime64("NaT"), [None, None, None]),
        ("t = ?", pd.NaT, [None, None, None]),
        ("s = ?", pd.NA, [None, None, None]),
        ("s in (?)", ["a", pd.NA], [True, None, None]),
        ("i = ?", 2**100, [True, False, None]),
        ("i > ?", -(2**100), [True, True, None]),
        ("i in (?)", [2**100, 1], [True, True, None]),
        ("i = ?", np.uint64(1), [False, True, None]),
    ],
)
def test_parameters_of_every_kind(text: str, parameter: object, expected: list[bool | None]) -> None:
    assert asked(MOMENTS, text, [parameter]) == expected
    assert asked(MOMENTS.lazy(), text, [parameter]) == expected


@pytest.mark.fault("A-refused")
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_durations_compare_with_text(unit: Any) -> None:
    frame = MOMENTS.select(pl.col("d").cast(pl.Duration(unit)))
    for text in ("'PT1H30M'", "'01:30:00'", "'P0DT5400S'", "'0 days 01:30:00'"):
        assert asked(frame, f"d = {text}") == [True, None, False]
        assert asked(frame, f"d < {text}") == [False, None, True]
    assert asked(frame, "d between '-P1D' and 'PT1H'") == [False, None, True]
    assert asked(frame, "d > 'PT1H29M59.9999999S'") == [True, None, False]
    assert asked(frame, "d <= '-1 day, 0:00:00'") == [False, None, True]
    with pytest.raises(TQLError, match="expected a duration"):
        asked(frame, "d > 'soon'")


class Thing:
    """A value of no Polars type."""


@pytest.mark.fault("A-refused")
@pytest.mark.parametrize("library", ["polars", "lazy", "pandas"])
def test_columns_of_objects_are_left_alone_where_they_are_not_named(library: str) -> None:
    values = [Thing(), None, Thing()]
    frame: Any = pl.DataFrame({"y": [1, 1, 2], "o": pl.Series(values, dtype=pl.Object)})
    if library == "pandas":
        frame = pd.DataFrame({"y": [1, 1, 2], "o": values})
    frame = frame.lazy() if library == "lazy" else frame

    def run(text: str, **frames: Any) -> Any:
        found = tql_frames.query(text, **frames) if frames else frame.tql.query(text)
        return found.collect() if isinstance(found, pl.LazyFrame) else found

    assert len(run("select y group by y")) == 2
    assert len(run("select amax(y) as m group by y order by m desc limit 1")) == 1
    assert len(run("select a.y from a join b on a.y = b.y", a=frame, b=frame)) == 5
    with pytest.raises(TQLError, match="'o'"):
        run("select * group by y")
    if library != "pandas":
        assert run("select y where o is null")["y"].to_list() == [1]
        assert run("select y where o is not null")["y"].to_list() == [1, 2]


@pytest.mark.fault("A-refused")
def test_keys_of_maps_and_of_lists_of_structs() -> None:
    maps = pa.array([[("k", 1), ("j", 2)], [], None], type=pa.map_(pa.string(), pa.int64()))
    structs = [[{"k": 1}, {"k": 2}], [], None]
    polars = pl.from_arrow(pa.table({"m": maps, "ls": structs}))
    pandas = pd.DataFrame({"m": pd.Series(pd.arrays.ArrowExtensionArray(maps)), "ls": structs})
    for frame in (polars, polars.lazy(), pandas):
        assert [None if pd.isna(each) else each for each in asked(frame, "m['k']")] == [1, None, None]
        assert len(asked(frame, "m['none']")) == 3
        assert [None if each is None else list(each) for each in asked(frame, "ls['k']")] == [[1, 2], [], None]
        assert list(asked(frame, "any(ls['k'] > 1)"))[:2] == [True, False]
        assert list(asked(frame, "contains(keys(m), 'j')"))[:2] == [True, False]


@pytest.mark.fault("A-refused")
def test_pandas_labels_that_are_no_text_are_named_by_their_text() -> None:
    frame = pd.DataFrame({0: [1, 2, 3], 1: ["x", "y", "x"]})
    assert frame.tql.query('select "0" where "1" = \'x\'').columns.tolist() == [0]
    assert frame.tql.query('select "1", amax("0") as m group by "1"')["m"].tolist() == [3, 2]
    assert set(frame.tql.sample("max_weight(\"1\" = 'y': 1)")[0]) == {2}
    assert frame.tql.report(by="1") is not None
    levels = pd.DataFrame([[1, "x"], [2, "y"]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]))
    assert levels.tql.query("select * where \"a.c\" = 'y'").iloc[:, 0].tolist() == [2]
    both = pd.DataFrame({0: [1], "0": [5]})
    assert both.tql.query('select "0"').columns.tolist() == ["0"]
