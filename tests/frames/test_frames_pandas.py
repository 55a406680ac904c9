"""pandas DataFrames: labels and dtypes come through a sample as `take` leaves them; only named columns are read."""

import datetime as dt
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tql_frames
from tests.loops import for_each
from tql_frames import TQLError, TQLNameError, TQLTypeError
from tql_frames.frames import pandas as pandas_frames

NAN, NONE, NA = float("nan"), None, pd.NA


def objects(*values: Any) -> pd.Series:
    """A column of Python objects, each as it is."""
    column = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        column[place] = value
    return pd.Series(column, dtype=object)


def arrow(values: list[Any], dtype: pa.DataType) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(values, dtype)])))


class Strange:
    """An object that helps nobody to convert it."""

    def __array__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no array")

    def __iter__(self) -> None:
        raise KeyError("no items")


DAYS = pd.to_datetime(["2024-02-29", None, "1999-12-31", "2000-01-01"])

# Columns of four values, the second missing where it can be.
COLUMNS: dict[str, pd.Series] = {
    **{name: pd.Series([1, 0, 127, 2], dtype=name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint64")},
    **{name: pd.Series([1.5, NAN, np.inf, -0.0], dtype=name) for name in ("float16", "float32", "float64")},
    "bool": pd.Series([True, False, True, False]),
    "complex": pd.Series([1j, NAN, 2, 0]),
    "object: text": objects("a", None, "b", ""),
    "object: numbers": objects(1, None, 2.5, 2**70),
    "object: mixed": objects(1, None, "a", [2]),
    "object: lists": objects(["a"], None, [], ["a", "b"]),
    "object: dicts": objects({"a": 1}, None, {}, {"b": 2}),
    "object: sets": objects({1}, None, set(), {2, 3}),
    "object: arrays": objects(np.ones(2), None, np.zeros(0), np.ones(3)),
    "object: matrices": objects(np.eye(2), None, np.eye(2), np.eye(3)),
    "object: strange": objects(Strange(), None, Strange(), object()),
    "object: missing of all kinds": objects(None, NAN, pd.NA, pd.NaT),
    "object: functions": objects(len, None, print, Strange),
    "str": pd.Series(["a", None, "b", ""]),
    "string[python]": pd.Series(["a", None, "b", ""], dtype="string[python]"),
    "string[pyarrow]": pd.Series(["a", None, "b", ""], dtype="string[pyarrow]"),
    "Int64": pd.Series([1, None, 3, 4], dtype="Int64"),
    "Float64": pd.Series([1.5, None, 3, 4], dtype="Float64"),
    "boolean": pd.Series([True, None, False, True], dtype="boolean"),
    "category": pd.Series(["b", None, "a", "b"], dtype="category"),
    "category: ordered": pd.Series(pd.Categorical(["lo", None, "hi", "lo"], ["lo", "mid", "hi"], ordered=True)),
    "category: numbers": pd.Series([1, None, 2, 1], dtype="category"),
    "category: intervals": pd.cut(pd.Series([1.0, NAN, 3.0, 4.0]), 2),
    "sparse": pd.Series([1.0, NAN, 0.0, 0.0]).astype("Sparse[float]"),
    "sparse: zeros": pd.Series([1, 0, 0, 2]).astype(pd.SparseDtype(int, 0)),
    "interval": pd.Series(pd.arrays.IntervalArray.from_tuples([(0, 1), None, (1, 2), (2, 3)])),
    "period": pd.Series(pd.PeriodIndex(["2020", None, "2021", "2022"], freq="Y")),
    **{f"datetime64[{unit}]": pd.Series(DAYS).dt.as_unit(unit) for unit in ("s", "ms", "us", "ns")},
    **{
        f"datetime64[{unit}, Paris]": pd.Series(DAYS.tz_localize("Europe/Paris")).dt.as_unit(unit)
        for unit in ("us", "ns")
    },
    **{
        f"timedelta64[{unit}]": pd.Series(pd.to_timedelta([1, None, 0, -2], unit="D")).dt.as_unit(unit)
        for unit in ("s", "us", "ns")
    },
    "arrow: list": arrow([["a"], None, [], ["b", None]], pa.list_(pa.string())),
    "arrow: struct": arrow([{"a": 1}, None, {"a": None}, {"a": 2}], pa.struct({"a": pa.int64()})),
    "arrow: decimal": arrow([Decimal("1.5"), None, Decimal(0), Decimal("-1.5")], pa.decimal128(9, 2)),
    "arrow: wide decimal": arrow([Decimal("1.5"), None, Decimal(0), Decimal(1)], pa.decimal256(50, 2)),
    "arrow: timestamp": arrow([dt.datetime(2024, 2, 29), None, None, None], pa.timestamp("ms", "UTC")),
    "arrow: dictionary": arrow(["a", None, "b", "a"], pa.dictionary(pa.int8(), pa.string())),
    "arrow: large string": arrow(["a", None, "b", ""], pa.large_string()),
    "arrow: int": arrow([1, None, 2, 3], pa.int16()),
    "arrow: float": arrow([1.5, None, 2, 3], pa.float32()),
    "arrow: date": arrow([dt.date(2024, 2, 29), None, dt.date(1, 1, 1), dt.date(2000, 1, 1)], pa.date32()),
    "arrow: time": arrow([dt.time(1), None, dt.time(2), dt.time(3)], pa.time64("us")),
    "arrow: null": arrow([None] * 4, pa.null()),
}
UNREADABLE = {
    "complex",
    "object: numbers",
    "object: mixed",
    "object: matrices",
    "object: strange",
    "object: functions",
    "arrow: wide decimal",
}
UNREADABLE_SOMETIMES = {"interval", "category: intervals", "period"}  # new Polars has types for them


@for_each("kind", COLUMNS)
@pytest.mark.parametrize("options", [{}, {"order": "source"}, {"replace": False, "limit": 3}], ids=str)
def test_dtype_comes_through(kind: str, options: dict[str, Any]) -> None:
    frame = pd.DataFrame({"row": [0, 1, 2, 3], "x": COLUMNS[kind], "w": [1, 2, 3, 4]})
    before = [frame["x"].iloc[place] for place in range(4)]
    found = frame.tql.sample("w", **{"limit": 9, "seed": 1} | options)
    assert found.dtypes.equals(frame.dtypes)
    assert list(found.columns) == list(frame.columns)
    for place, row in enumerate(found["row"]):
        value, original = found["x"].iloc[place], before[row]
        if frame["x"].dtype == object:
            assert value is original
        else:
            assert repr(value) == repr(original)
    assert found["row"].nunique() > 1


@for_each("kind", COLUMNS)
def test_missing_is_null(kind: str) -> None:
    frame = pd.DataFrame({"x": COLUMNS[kind]})
    assert frame.tql.weights("x is null").tolist() == frame["x"].isna().tolist()
    try:
        frame.tql.weights("max_weight(x = x: 1)")
    except TQLTypeError as error:
        if "cannot be read by a sampler" in str(error):
            assert kind in UNREADABLE | UNREADABLE_SOMETIMES
            assert f"column 'x' of dtype {frame['x'].dtype} cannot be read by a sampler" in str(error)
            assert error.source is not None and error.span is not None
            assert error.source[slice(*error.span)] == "x"
        else:
            assert kind not in UNREADABLE
    else:
        assert kind not in UNREADABLE


@pytest.mark.parametrize("missing", [None, NAN, pd.NA, pd.NaT, np.float64("nan")], ids=repr)
def test_missing_weight_counts_0_and_missing_condition_is_false(missing: Any) -> None:
    frame = pd.DataFrame({"x": objects(1.0, missing, 3.0)})
    assert frame.tql.weights("x").tolist() == [1.0, 0.0, 3.0]
    assert frame.tql.weights("max_weight(x > 1: 5, x <= 1: 2)").tolist() == [2.0, 0.0, 5.0]
    assert frame.tql.weights("max_weight(not x > 1: 5)").tolist() == [5.0, 0.0, 0.0]


SAME_AS_POLARS = {
    "findings": "max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Mass'): 8, True: 1)",
    "text": "max_weight(view = 'AP': 3, view like '*A': 2)",
    "numbers": "sum_weight(age > 50: 2, weight > 0: weight, age in (1, 2): 1)",
    "time": "max_weight(day > '2024-01-01': 2, true: 1)",
    "category": "max_weight(sex = 'F': 2, sex is null: 7)",
}


@pytest.mark.parametrize("case", SAME_AS_POLARS)
@pytest.mark.parametrize("convert", [pl.DataFrame.to_pandas, lambda df: df.to_pandas(use_pyarrow_extension_array=True)])
def test_samplers_answer_as_on_polars(convert: Callable[[pl.DataFrame], pd.DataFrame], case: str) -> None:
    frame = pl.DataFrame(
        {
            "findings": [["Hernia", "Mass"], ["Mass"], [], None, ["No_Finding"]],
            "view": ["AP", "PA", None, "", "AP"],
            "age": [71, 34, None, 2, 1],
            "weight": [1.5, 0.0, None, 2.5, 1.0],
            "day": [dt.date(2024, 1, 2), None, dt.date(1999, 1, 1), dt.date(2030, 1, 1), dt.date(2024, 1, 1)],
            "sex": pl.Series(["F", "M", None, "F", "M"], dtype=pl.Enum(["F", "M"])),
        }
    )
    sampler = SAME_AS_POLARS[case]
    expected = frame.tql.sample(sampler, 50, seed=3)["index"].to_list()
    assert convert(frame).tql.sample(sampler, 50, seed=3).index.tolist() == expected


def test_lists_of_text_in_an_object_column() -> None:
    frame = pd.DataFrame({"findings": [["Hernia"], ["Mass", "Hernia"], [], None, ("Mass",), NAN]})
    weights = frame.tql.weights("max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Mass'): 8, True: 1)")
    assert weights.tolist() == [20, 20, 1, 1, 8, 1]


INDEXES: dict[str, pd.Index] = {
    "range": pd.RangeIndex(10, 40, 10),
    "duplicates": pd.Index(["a", "a", "b"]),
    "named": pd.Index(["x", "y", "z"], name="image"),
    "dates": pd.DatetimeIndex(["2020", "2021", "2022"], name="day", freq="YS"),
    "dates with a zone": pd.date_range("2020", periods=3, tz="Europe/Paris"),
    "categories": pd.CategoricalIndex(["b", "a", "b"], categories=["c", "b", "a"], ordered=True),
    "levels": pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["p", "v"]),
    "duplicate levels": pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", None)]),
    "floats with NaN": pd.Index([0.5, NAN, 0.5]),
    "objects": pd.Index([None, ("t", 1), 5], dtype=object, tupleize_cols=False),
    "periods": pd.period_range("2020", periods=3, freq="Y"),
    "intervals": pd.IntervalIndex.from_breaks([0, 1, 2, 3]),
    "nullable": pd.Index([1, None, 3], dtype="Int64"),
    "arrow": pd.Index(["a", None, "b"], dtype="string[pyarrow]"),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_labels_are_kept(kind: str) -> None:
    frame = pd.DataFrame({"row": [0, 1, 2], "w": [1, 2, 3]}, index=INDEXES[kind])
    found = frame.tql.sample("w", 9, seed=1)
    pd.testing.assert_frame_equal(found, frame.take(found["row"].to_numpy()))
    for place, row in enumerate(found["row"]):
        assert found.index[[place]].equals(frame.index[[row]])
    assert found.index.names == frame.index.names
    assert type(found.index) is type(frame.take([0, 0, 1]).index)

    weights = frame.tql.weights("w")
    pd.testing.assert_index_equal(weights.index, frame.index)
    assert (weights.tolist(), weights.name, weights.dtype) == ([1.0, 2.0, 3.0], "weight", np.float64)


@pytest.mark.parametrize("kind", INDEXES)
def test_labels_are_left_out(kind: str) -> None:
    frame = pd.DataFrame({"row": [0, 1, 2], "w": [1, 2, 3]}, index=INDEXES[kind])
    found = frame.tql.sample("w", 9, seed=1, ignore_index=True)
    pd.testing.assert_index_equal(found.index, pd.RangeIndex(9))
    assert found["row"].tolist() == frame.tql.sample("w", 9, seed=1)["row"].tolist()


COLUMN_LABELS: dict[str, Any] = {
    "duplicates": ["w", "x", "x"],
    "numbers": ["w", 0, 1.5],
    "tuples": pd.Index(["w", ("a", 1), ("a", 2)], tupleize_cols=False),
    "nothing": ["w", None, NAN],
    "dates": pd.Index(["w", pd.Timestamp("2020"), dt.date(2020, 1, 1)], dtype=object),
    "bytes": ["w", b"w", True],
    "categories": pd.CategoricalIndex(["w", "x", "y"]),
}


@pytest.mark.parametrize("kind", COLUMN_LABELS)
def test_other_columns_may_be_called_anything(kind: str) -> None:
    frame = pd.DataFrame([[1, "a", {}], [0, 2, None]], columns=COLUMN_LABELS[kind])
    found = frame.tql.sample("max_weight(w > 0: w)", 3, seed=1)
    pd.testing.assert_frame_equal(found, frame.take([0, 0, 0]))
    assert "2 rows, 1 of positive weight" in frame.tql.explain("w")
    assert frame.tql.weights(pl.col("w") * 2).tolist() == [2.0, 0.0]


def test_columns_in_levels_are_not_named_by_a_part() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]))
    pd.testing.assert_frame_equal(frame.tql.sample("1", 2, replace=False, order="source"), frame)
    with pytest.raises(TQLNameError, match="unknown column 'a'"):
        frame.tql.sample("a", 2)


def test_columns_that_are_dates_are_not_named_by_a_part() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=pd.to_datetime(["2020-01-01", "2021-01-01"]))
    assert len(frame.tql.sample("1", 5)) == 5
    with pytest.raises(TQLNameError, match="unknown column '2020'"):
        frame.tql.sample('"2020"', 2)


def test_a_duplicate_name_cannot_be_named() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["w", "x", "x"])
    with pytest.raises(TQLTypeError, match="2 columns are named 'x'") as caught:
        frame.tql.sample("max_weight(w > 0: 1, x > 0: 2)")
    assert caught.value.source is not None and caught.value.span is not None
    assert caught.value.source[slice(*caught.value.span)] == "x"


@pytest.mark.parametrize("name", ["0", "None", "nan", "y"])
def test_only_text_names_a_column(name: str) -> None:
    with pytest.raises(TQLNameError, match=f"unknown column '{name}'"):
        pd.DataFrame([[1, 2, 3]], columns=[0, None, NAN]).tql.sample(f'"{name}"')


def test_wildcards_see_unreadable_columns_as_objects() -> None:
    frame = pd.DataFrame({"x": COLUMNS["object: mixed"], "a": [1, 2, 3, 4], "m": COLUMNS["object: matrices"], "b": 1})
    assert frame.tql.weights(pl.sum_horizontal(pl.col(pl.Int64))).tolist() == [2, 3, 4, 5]
    assert frame.tql.weights(pl.nth(1) * 1).tolist() == [1, 2, 3, 4]
    with pytest.raises(TQLError):
        frame.tql.weights(pl.sum_horizontal(pl.all()))


def test_wildcards_pass_over_columns_that_polars_cannot_name() -> None:
    frame = pd.DataFrame([[9, 1, 9, 9], [9, 2, 9, 9]], columns=[0, "a", "d", "d"])
    assert frame.tql.weights(pl.sum_horizontal(pl.all())).tolist() == [1, 2]


class Frame(pd.DataFrame):
    """A subclass, as geopandas has one."""

    _metadata: ClassVar[list[str]] = ["origin"]

    @property
    def _constructor(self) -> type["Frame"]:
        return Frame


def test_a_subclass_stays_one() -> None:
    frame = Frame({"w": [1, 2]})
    frame.origin = "here"
    found = frame.tql.sample("w", 5, seed=1)
    assert type(found) is Frame
    assert found.origin == "here"


def test_attributes_and_flags_are_kept() -> None:
    frame = pd.DataFrame({"w": [1, 2]}, index=["a", "b"]).set_flags(allows_duplicate_labels=False)
    frame.attrs["source"] = {"from": "here"}
    found = frame.tql.sample("w", replace=False)
    assert found.attrs == {"source": {"from": "here"}}
    assert found.flags.allows_duplicate_labels is False
    with pytest.raises(TQLError, match="does not allow duplicate labels"):
        frame.tql.sample("w", 5)


def test_no_columns() -> None:
    bare = pd.DataFrame(index=["a", "b"])
    assert set(bare.tql.sample("1", 30, seed=1).index) == {"a", "b"}
    assert bare.tql.weights("2").tolist() == [2.0, 2.0]
    assert pd.DataFrame().tql.sample("1").shape == (0, 0)


@pytest.mark.parametrize("index", ["row", "", None])
def test_the_index_option_is_for_polars(index: str | None) -> None:
    frame = pd.DataFrame({"w": [1, 2]})
    if index is None:
        assert frame.tql.sample("w", 3, index=None).columns.tolist() == ["w"]
    else:
        with pytest.raises(TQLError, match="a pandas frame keeps its own index"):
            frame.tql.sample("w", index=index)


def test_a_column_called_tql() -> None:
    frame = pd.DataFrame({"tql": [1, 0]})
    assert frame.tql.sample("tql", 3).index.tolist() == [0, 0, 0]


def test_frames_over_read_only_memory() -> None:
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    values.flags.writeable = False
    frame = pd.DataFrame(values, columns=["w", "x"], copy=False)
    found = frame.tql.sample("w", 5, seed=1)
    found.iloc[0, 0] = 99.0
    weights = frame.tql.weights("w")
    weights.iloc[0] = 99.0
    frame.tql.explain("max_weight(w > 1: x)")
    assert values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert frame.to_numpy().tolist() == values.tolist()


def test_extension_arrays_that_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, type: Any = None) -> None:
        raise AttributeError("not today")

    monkeypatch.setattr(pd.arrays.BooleanArray, "__arrow_array__", refuse)
    frame = pd.DataFrame({"x": COLUMNS["boolean"], "w": [1, 0, 0, 0]})
    assert frame.tql.sample("w", 3)["w"].tolist() == [1, 1, 1]
    with pytest.raises(TQLTypeError, match="column 'x' of dtype boolean cannot be read") as caught:
        frame.tql.sample("x")
    assert "not today" in str(caught.value)


LARGE_LISTS: dict[str, tuple[list[Any], pa.DataType, str]] = {
    "text": ([["a", "b"], None, []], pa.large_string(), "contains(x, 'a')"),
    "short text": ([["a", "b"], None, []], pa.string(), "contains(x, 'a')"),
    "lists": ([[["a"]], None, []], pa.large_list(pa.large_string()), "contains(x[0], 'a')"),
    "structs": ([[{"k": "a"}], None, []], pa.struct({"k": pa.large_string()}), "x[0]['k'] = 'a'"),
    "dictionary": ([["a"], None, []], pa.dictionary(pa.int8(), pa.string()), "contains(x, 'a')"),
}


@pytest.mark.parametrize("kind", LARGE_LISTS)
def test_large_lists(kind: str) -> None:
    """From an array Polars 1.30 reads them wrongly or kills the process; hence the adapter's detour by a table."""
    values, dtype, condition = LARGE_LISTS[kind]
    frame = pd.DataFrame({"x": arrow(values, pa.large_list(dtype))})
    assert frame.tql.weights(f"max_weight({condition}: 5, true: 1)").tolist() == [5, 1, 1]


@for_each("kind", COLUMNS)
def test_no_rows(kind: str) -> None:
    frame = pd.DataFrame({"x": COLUMNS[kind]}).head(0)
    pd.testing.assert_frame_equal(frame.tql.sample("1"), frame)
    if kind not in UNREADABLE | UNREADABLE_SOMETIMES:
        assert frame.tql.weights("x is null").tolist() == []


def test_columns_in_threads_are_taken_as_pandas_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns of many rows are taken in threads; here every frame counts as one of many rows."""
    values = {kind: pd.Series(column) for kind, column in COLUMNS.items()}
    frames = [pd.DataFrame({"x": column, "w": np.ones(len(column))}) for column in values.values()]
    numbers = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=["a", "a", "b"])
    labelled = pd.DataFrame({("p", "q"): [1, 2, 3], ("p", "r"): [0.5, None, 2.5]}, index=[["x", "x", "y"], [1, 1, 2]])
    labelled.columns.names = ["over", "under"]
    labelled.attrs["unit"] = "mm"
    dated = pd.DataFrame({"a": [1, 2], "b": [True, False]}, index=pd.date_range("2024", periods=2, freq="D", tz="UTC"))
    for frame in [*frames, numbers, labelled, dated, numbers.T]:
        expected = frame.tql.sample("1", 50, seed=3)
        with monkeypatch.context() as changed:
            changed.setattr(pandas_frames, "_LARGE", 0)
            found = frame.tql.sample("1", 50, seed=3)
        pd.testing.assert_frame_equal(found, expected)
        assert found.attrs == expected.attrs
        assert found.columns.equals(expected.columns) and found.columns.names == expected.columns.names


@pytest.mark.parametrize("index", [pd.RangeIndex(30), pd.RangeIndex(7, 97, 3, name="n"), pd.RangeIndex(9, -21, -1)])
def test_labels_that_count_are_taken_in_threads_as_pandas_takes_them(
    index: pd.RangeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"a": np.arange(30), "b": pd.array(range(30), dtype="Int64")}, index=index)
    every_third = [float(place % 3 == 1) for place in range(30)]
    late = [1.0, 1.0, 1.0, *[0.0] * 20, *[1.0] * 7]  # the first three rows are at equal distances, the others not
    for weights in (np.ones(30), every_third, late, [1.0, *[0.0] * 29], [1.0, 0.0, 1.0, 1.0, *[0.0] * 26]):
        for arguments in ({"replace": False}, {"replace": False, "order": "source"}, {"limit": 2}, {"limit": 70}):
            if arguments.get("replace") is False:
                arguments["limit"] = int(np.count_nonzero(weights))
            with monkeypatch.context() as changed:
                expected = frame.tql.sample(weights, seed=5, **arguments)
                changed.setattr(pandas_frames, "_LARGE", 0)
                found = frame.tql.sample(weights, seed=5, **arguments)
            pd.testing.assert_frame_equal(found, expected, check_index_type="exact")
            assert type(found.index) is type(expected.index)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("select *", ["a", "b"]),
        ("select b", ["b"]),
        ("select b as c", ["c"]),
        ("select b as c, a", ["c", "a"]),
        ("select b as c, a + 1 as d", ["c", "d"]),
        ("select a + 1 as d", ["d"]),
        ("select b as c where a > 1 sample by a limit 3", ["c"]),
    ],
)
def test_the_name_of_the_columns_stays(text: str, labels: list[str]) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]}).rename_axis(columns="field")
    expected = pd.Index(labels, name="field")
    pd.testing.assert_index_equal(frame.tql.query(text, seed=1).columns, expected)
    if "+" not in text:  # a view has no computed columns
        view = frame.tql.view(text, seed=1)
        for found in (view.to_native(), view.to_pandas(), view.head(1)):
            pd.testing.assert_index_equal(found.columns, expected)


def test_levels_of_columns_lose_their_names_where_columns_are_renamed() -> None:
    frame = pd.DataFrame({("p", "q"): [1, 2], "b": [3, 4]})
    frame.columns = pd.MultiIndex.from_tuples([("p", "q"), ("b", "")], names=["over", "under"])
    assert frame.tql.sample("1", 3, seed=1).columns.names == ["over", "under"]
    assert frame.tql.view("1", 3, seed=1).head(1).columns.equals(frame.columns)


def test_pickled_after_use() -> None:
    frame = pd.DataFrame({"w": [1, 2]})
    frame.tql.sample("w")
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(frame)), frame)
    assert tql_frames.weights(frame.copy(), "w").tolist() == [1.0, 2.0]


# --- columns that cannot be read, of which it is known where they are null --------------------------------------------


class _Shape:
    """As a geometry: no Polars type."""


def _unreadable() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": range(4),
            "mixed": [1, "a", None, _Shape()],
            "shape": pd.Series([_Shape(), None, _Shape(), np.nan], dtype=object),
            "keys": [pd.NaT, pd.NA, None, {1: 2}],
            "complex": [1j, 2j, complex("nan"), 0j],
            5: [_Shape(), None, _Shape(), None],
        }
    )


@pytest.mark.fault("A-minor")
@pytest.mark.parametrize(
    ("column", "null"),
    [("mixed", [2]), ("shape", [1, 3]), ("keys", [0, 1, 2]), ("complex", [2]), ('"5"', [1, 3])],
)
def test_null_can_be_asked_of_columns_that_cannot_be_read(column: str, null: list[int]) -> None:
    frame = _unreadable()
    others = [place for place in range(4) if place not in null]
    for condition, rows in ((f"{column} is null", null), (f"{column} is not null", others)):
        weights = frame.tql.weights(f"max_weight({condition}: 2)")
        assert weights.to_numpy().nonzero()[0].tolist() == rows
        for text in (
            f"select i where {condition}",
            f"select i from (select * from f) where {condition}",
            f"select a.i from f as a left join f as b on a.i = b.i where {condition.replace(column, f'b.{column}')}",
            f"select i where {condition} and i >= 0 order by {condition}, i",
        ):
            found = tql_frames.query(text, f=frame) if " from " in text else frame.tql.query(text)
            assert found["i"].to_list() == rows, text
        drawn = frame.tql.sample(f"max_weight({condition}: 1)", 9, seed=1)
        assert set(drawn["i"]) <= set(rows)
        view = frame.tql.view(f"select * where {condition}")
        if column != '"5"':  # which views know under its own label alone
            assert set(view.view(f"select i where {condition}").sample("i", 5)["i"]) <= set(rows)
            assert set(view.sample(f"max_weight({condition}: 1)", 5)["i"]) <= set(rows)
        assert frame.tql.report(f"max_weight({condition}: 2, true: 1)", by="i").labels is not None
        assert condition in str(frame.tql.explain(f"max_weight({condition}: 2, true: 1)"))


@pytest.mark.fault("A-minor")
@pytest.mark.parametrize(
    "call",
    [
        lambda frame: frame.tql.weights("shape"),
        lambda frame: frame.tql.weights("max_weight(shape is null and shape > 3: 1)"),
        lambda frame: frame.tql.weights(pl.col("shape").cast(pl.Float64)),
        lambda frame: frame.tql.view("i").sample("max_weight(shape > 3: 1)"),
        lambda frame: frame.tql.query("select distinct shape"),
        lambda frame: frame.tql.query("select i where shape is null group by shape"),
        lambda frame: tql_frames.query(
            "select i from (select shape, i from f union select shape, i from f where i > 9) where shape > 0", f=frame
        ),
        lambda frame: frame.tql.report(by="shape"),
    ],
)
def test_values_of_columns_that_cannot_be_read_stay_unknown(call: Any) -> None:
    frame = _unreadable()
    frame.tql.weights("max_weight(shape is null: 1)")
    with pytest.raises(TQLTypeError, match="column 'shape' of dtype object cannot be read by a sampler"):
        call(frame)


@pytest.mark.fault("A-minor")
def test_a_sampler_of_nulls_serves_the_next_frame_too() -> None:
    text = "max_weight(shape is null: 2, true: 1)"
    frame = _unreadable()
    readable = pl.DataFrame({"shape": [1, None]})
    for _ in range(2):
        assert frame.tql.weights(text).to_list() == [1, 2, 1, 2]
        assert readable.tql.weights(text).to_list() == [1, 2]
        assert readable.to_pandas().tql.weights(text).to_list() == [1, 2]


@pytest.mark.parametrize("levels", [["image"], ["image", "age"]])
def test_a_level_of_the_index_is_told_from_a_column(levels: list[str]) -> None:
    xrays = tql_frames.datasets.chest_xray().select("image", "age", "sex").head(9).to_pandas().set_index(levels)
    calls: list[Callable[[str], object]] = [
        lambda name: xrays.tql.sample(f"max_weight({name} = 'x': 2, True: 1)", limit=2),
        lambda name: xrays.tql.sample("1", limit=2, over=name),
        lambda name: xrays.tql.sample("1", limit=2, unit=name),
        lambda name: xrays.tql.query(f"select {name} limit 2"),
        lambda name: xrays.tql.view(f"{name} = 'x'", limit=2),
        xrays.tql.report,
        xrays.tql.explain,
        lambda name: xrays.tql.balance(by=name, target={"x": 0.1}),
        lambda name: tql_frames.weights(xrays, name),
        lambda name: tql_frames.sample(frame=xrays, sampler=name, limit=2),
        lambda name: tql_frames.query(f"select {name} from xrays", xrays=xrays),
    ]
    for call in calls:
        with pytest.raises(TQLNameError, match=r"unknown column 'image'(?s:.*)reset_index.*it is a level of the index"):
            call("image")
        with pytest.raises(TQLNameError, match=r"unknown column 'sexx'(?s:.*)did you mean 'sex'"):
            call("sexx")
