"""The rows of a result are those of the frame: row numbers, index labels, values and types, and no frame is changed."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.answers import KINDS, ask, columns
from tests.loops import for_each
from tests.sizes import paired, size
from tql_frames import TQLError, TQLTypeError

# A statement that gives whole rows of a frame of eight whose column `n` is 0, 1, 2, …, and the numbers of those rows.
# Nothing but `n` is named.
STATEMENTS: list[tuple[str, list[int]]] = [
    ("select *", [0, 1, 2, 3, 4, 5, 6, 7]),
    ("select * where n > 4", [5, 6, 7]),
    ("select * where n = 99", []),
    ("select * order by n desc", [7, 6, 5, 4, 3, 2, 1, 0]),
    ("select * order by n % 3, n", [0, 3, 6, 1, 4, 7, 2, 5]),
    ("select * limit 2 offset 3", [3, 4]),
    ("select * where n = 3 expand by 1 2", [2, 3, 4, 5]),
    ("select * where n in (3, 4) expand by 1 0 overlap true", [2, 3, 3, 4]),
    ("select * sample by n = 5 limit 3", [5, 5, 5]),
    ("select * order by n desc limit 2 sample by n = 6 limit 2", [6, 6]),
    ("select * sample by n in (2, 3) replace false limit 2", [2, 3]),
    ("(select * where n < 2) union (select * where n > 6)", [0, 1, 7]),
    ("(select * where n > 6) union all (select * where n < 2)", [7, 0, 1]),
    ("(select *) except (select * where n > 1)", [0, 1]),
    ("(select * where n > 4) intersect (select * where n < 7)", [5, 6]),
    ("select * from (select * where n > 2) where row_number() = 1", [4]),
    ("select * from (select * from (select * order by n desc limit 3) sample by n = 7 limit 2)", [7, 7]),
]


def is_left_out(text: str, place: int) -> bool:
    """Whether a statement is none of those of a frame in `make test`: every third, others for the next frame."""
    return size(([each for each, _ in STATEMENTS].index(text) + place) % 3 > 0, False)


@pytest.mark.parametrize("kind", KINDS)
@for_each(("text", "rows"), STATEMENTS)
def test_rows(text: str, rows: list[int], kind: str) -> None:
    frame = pl.DataFrame({"n": range(8), "t": list("abcdefgh")})
    found = columns(ask(kind, frame, text, seed=0))
    assert found == {"index": rows, "n": rows, "t": ["abcdefgh"[row] for row in rows]}


# Statements that read the values of every column, or make other rows.
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("select distinct *", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("select distinct t where n > 1", [2, 3, 4, 5, 6, 7]),
        ("select distinct n / n as one", [0, 1]),
        ("select * from (select * group by n % 2) ungroup by split", [0, 2, 4, 6, 1, 3, 5, 7]),
        (
            "select t from (select * from (select t, n where n > 2 group by n % 2) ungroup by 2) ungroup by split",
            [3, 5, 7, 4, 6],
        ),
        ("select t from (select * group by n % 2) ungroup by split order by t desc limit 2", [7, 6]),
        ("(select t from (select * group by n % 2) ungroup by split) intersect (select t where n < 3)", [0, 1, 2]),
    ],
)
def test_rows_of_clauses_that_read_all(text: str, rows: list[int], kind: str) -> None:
    frame = pl.DataFrame({"n": range(8), "t": list("abcdefgh")})
    found = columns(ask(kind, frame, text, seed=0))
    assert found["index"] == rows
    if "t" in found:
        assert found["t"] == ["abcdefgh"[row] for row in rows]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        "select t group by n % 3",
        "select t from (select t group by n % 3) limit 3",
        "select t from (select * from (select * group by n % 3) group by shape(n)[0] > 2) limit 3",
        "select t, n from (select * group by n) ungroup by 3",
        "(select t[0] as t group by n) union (select t)",
    ],
)
def test_rows_that_are_made_are_numbered(text: str, kind: str) -> None:
    found = columns(ask(kind, pl.DataFrame({"n": range(8), "t": list("abcdefgh")}), text))
    count = len(found["t"])
    assert found["index"] == list(range(count))
    assert count > 1


# --- Polars ----------------------------------------------------------------------------------------------------------


class TestIndexColumn:
    FRAME = pl.DataFrame({"n": [5, 6, 7]})

    @pytest.mark.parametrize("lazy", [False, True])
    def test_name(self, lazy: bool) -> None:
        frame = self.FRAME.lazy() if lazy else self.FRAME
        for options, expected in [({}, ["index", "n"]), ({"index": "row"}, ["row", "n"]), ({"index": None}, ["n"])]:
            found = frame.tql.query("select * where n > 5", **options).lazy().collect()
            assert found.columns == expected
            assert found["n"].to_list() == [6, 7]
            if expected[0] != "n":
                assert found[expected[0]].to_list() == [1, 2]
                assert found[expected[0]].dtype == pl.get_index_type()

    @pytest.mark.parametrize("lazy", [False, True])
    def test_clash(self, lazy: bool) -> None:
        eager = pl.DataFrame({"index": [1, 2], "n": [3, 4]})
        frame = eager.lazy() if lazy else eager
        for text in ("select *", "select index", "select n as index", "select * group by n"):
            with pytest.raises(TQLError, match="column 'index' already") as caught:
                frame.tql.query(text, index="index")
            assert "index='another name'" in str(caught.value)
            kept = frame.tql.query(text).lazy().collect()
            assert kept.equals(frame.tql.query(text, index=None).lazy().collect())
        assert frame.tql.query("select n").lazy().collect().columns == ["index", "n"]
        assert frame.tql.query("select n where index = 2").lazy().collect().rows() == [(1, 4)]
        assert frame.tql.query("select *", index="row").lazy().collect().columns == ["row", "index", "n"]
        assert frame.tql.query("select *", index=None).lazy().collect().columns == ["index", "n"]

    def test_of_several_frames(self) -> None:
        frames = {"a": pl.DataFrame({"n": [1, 2]}), "b": pl.DataFrame({"n": [2, 1]})}
        found = tql_frames.query("select b.n from a join b using (n)", index="row", **frames)
        assert found.columns == ["row", "n"]
        with pytest.raises(TQLError, match="column 'n' already"):
            tql_frames.query("select n from a", index="n", **frames)

    @pytest.mark.parametrize("index", [5, True, b"row", ["row"]])
    def test_wrong(self, index: Any) -> None:
        with pytest.raises(TQLError, match="expected index= to be a column name or None"):
            self.FRAME.tql.query("select *", index=index)

    def test_a_pandas_frame_has_its_own(self) -> None:
        frame = self.FRAME.to_pandas()
        with pytest.raises(TQLError, match="keeps its own index"):
            frame.tql.query("select *", index="row")
        assert frame.tql.query("select *", index=None).index.tolist() == [0, 1, 2]


def typed() -> pl.DataFrame:
    """A frame of eight rows with a column of every type."""
    count = range(8)
    moments = [dt.datetime(2024, 5, 1, hour) for hour in count]
    return pl.DataFrame(
        {
            "n": pl.Series(count, dtype=pl.Int64),
            "i8": pl.Series(count, dtype=pl.Int8),
            "u64": pl.Series([2**64 - 1 - each for each in count], dtype=pl.UInt64),
            "i128": pl.Series([2**100 + each for each in count], dtype=pl.Int128),
            "f32": pl.Series([each / 3 for each in count], dtype=pl.Float32),
            "money": pl.Series([Decimal(each) / 4 for each in count], dtype=pl.Decimal(20, 2)),
            "flag": [each % 2 == 0 for each in count],
            "text": [None, "", *"abcdef"],
            "enum": pl.Series(["x", "y"] * 4, dtype=pl.Enum(["y", "x"])),
            "cat": pl.Series(["x", "y"] * 4, dtype=pl.Categorical),
            "day": [each.date() for each in moments],
            "ms": pl.Series(moments, dtype=pl.Datetime("ms")),
            "zoned": pl.Series(moments, dtype=pl.Datetime("ns", "Europe/Berlin")),
            "clock": [each.time() for each in moments],
            "long": pl.Series([dt.timedelta(hours=each) for each in count], dtype=pl.Duration("ms")),
            "list": [[each] * each for each in count],
            "nested": [[[each], []] for each in count],
            "array": pl.Series([[each, -each] for each in count], dtype=pl.Array(pl.Int16, 2)),
            "grid": pl.Series([[[each, 1]] for each in count], dtype=pl.Array(pl.Float32, (1, 2))),
            "struct": [{"a": each, "b": {"c": str(each)}} for each in count],
            "bytes": [bytes([each]) for each in count],
            "null": pl.Series([None] * 8, dtype=pl.Null),
        }
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pandas"])
@for_each(("text", "rows"), STATEMENTS)
def test_every_type_stays(text: str, rows: list[int], kind: str) -> None:
    frame = typed()
    found = ask(kind, frame, text, seed=0)
    assert found.schema == {"index": pl.get_index_type(), **frame.schema}
    assert_frame_equal(found.drop("index"), frame[rows])
    assert_frame_equal(frame, typed())


@pytest.mark.parametrize("name", [name for name in typed().columns if name != "n"])
def test_every_type_through_clauses_that_read_it(name: str) -> None:
    """Of a column of any type: groups and back, distinct values, and a set operation of two frames."""
    frame = typed().select("n", name)
    back = frame.tql.query("select * from (select * group by n % 2) ungroup by split order by n", index=None)
    assert_frame_equal(back, frame)
    grouped = frame.tql.query(f'select "{name}" group by n % 2', index=None)
    assert grouped.schema == {name: pl.List(frame.schema[name])}
    assert_frame_equal(frame.tql.query("select distinct *", index=None), frame)
    both = tql_frames.query("(select * from a) union (select * from b)", index=None, a=frame, b=frame.head(3))
    assert_frame_equal(both, frame)
    joined = tql_frames.query("select b.* from a join b using (n)", index=None, a=frame.select("n"), b=frame)
    assert_frame_equal(joined.select(name), frame.select(name))


def test_columns_of_python_objects_pass_through_eager_frames() -> None:
    things = [object(), {"a": 1}, None, "x"]
    frame = pl.DataFrame({"n": [3, 1, 2, 0], "o": pl.Series(things, dtype=pl.Object)})
    for text, rows in [
        ("select *", [0, 1, 2, 3]),
        ("select * where n > 0 order by n", [1, 2, 0]),
        ("select o, n limit 2", [0, 1]),
        ("select * sample by n = 2 limit 2", [2, 2]),
    ]:
        found = frame.tql.query(text, seed=0)
        assert found["index"].to_list() == rows
        assert found.schema["o"] == pl.Object
        assert [each is things[row] for each, row in zip(found["o"], rows, strict=True)] == [True] * len(rows)
    assert frame["o"].to_list() == things


# Statements that must look into a column of Python objects.
OBJECTS = [
    "select distinct o",
    "select distinct *",
    "select * group by n",
    "select n group by o",
    "select * where o = 1",
    "select o[0] as x",
    "select * order by o",
    "select * sample by o",
    "select o from frame join frame as other using (n)",
    "(select * from frame) union (select * from other)",
]


@pytest.mark.parametrize("text", OBJECTS)
def test_columns_of_python_objects_have_no_values(text: str) -> None:
    frame = pl.DataFrame({"n": [1, 2], "o": pl.Series([object(), object()], dtype=pl.Object)})
    with pytest.raises(TQLTypeError, match="Python objects"):
        if "frame" in text:
            tql_frames.query(text, frame=frame, other=frame)
        else:
            frame.tql.query(text)


# Polars takes these names for patterns over all columns, or has a column of that name itself.
NAMES = ["*", "^n.*$", "^.*$", "", "literal", "len", "weight", "value", "·row0", "··", "a b", 'a"b', "a:b", "x.y"]
ODD_NAMES = [
    ('select "{0}", n', [0, 1, 2, 3]),
    ('select * where "{0}" > 1', [1, 2, 3]),
    ('select "{0}" order by "{0}" desc', [3, 2, 1, 0]),
    ('select n sample by "{0}" = 3 limit 2', [2, 2]),
    ('select "{0}" sample by max_weight(n = 1: "{0}") limit 2', [1, 1]),
    ('select "{0}" as o, n as "p q" sample by n = 1 limit 1', [1]),
    ('select distinct "{0}"', [0, 1, 2, 3]),
    ("select distinct *", [0, 1, 2, 3]),
    ('select * where "{0}" = 2 expand by 1 1', [0, 1, 2]),
    ('select * where "{0}" = 2 expand by 1 1 overlap true', [0, 1, 2]),
    ('select * from (select * group by "{0}") ungroup by split', [0, 1, 2, 3]),
    ("select * from (select * group by n % 2) ungroup by split", [0, 2, 1, 3]),
    ("select * from (select * from (select * group by n % 2) ungroup by 2) ungroup by split", [0, 2, 1, 3]),
    ('(select "{0}" where n > 1) union (select "{0}" where n = 0)', [0, 2, 3]),
    ("(select * where n > 1) except (select * where n = 2)", [3]),
    ("(select *, n + 1 as o) intersect (select *, n + 1 as o where n > 1)", [2, 3]),
    ('(select n, "{0}" + 0 as o) union all (select n, "{0}" + 0 as o)', [0, 1, 2, 3, 0, 1, 2, 3]),
    ("select * from (select * sample by 1 replace false limit 4) order by n", [0, 1, 2, 3]),
]


@pytest.mark.parametrize(("name", "kind"), paired(NAMES, KINDS))
def test_odd_names(name: str, kind: str) -> None:
    frame = pl.DataFrame({"n": [0, 1, 2, 3], name: [1, 2, 3, 4], "nn": [5, 5, 5, 5]})
    for text, rows in ODD_NAMES:
        found = columns(ask(kind, frame, text.format(name.replace('"', '""')), seed=1))
        assert found["index"] == rows, text
        if name in found:
            assert found[name] == [row + 1 for row in rows], text


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_of_several_frames(name: str) -> None:
    frame = pl.DataFrame({"n": [0, 1], name: [1, 2]})
    quoted = name.replace('"', '""')
    for text in (
        f'select * from a join b using ("{quoted}")',
        f'select * from a join b using (n, "{quoted}")',
        f'select * from a full join b on a."{quoted}" = b."{quoted}"',
        "(select * from a) union (select * from b)",
        "(select * from a) intersect (select * from b)",
        "(select * from (select * from a join b using (n))) union (select * from (select * from a join b using (n)))",
    ):
        found = tql_frames.query(text, a=frame, b=frame)
        assert found["n"].to_list() == [0, 1], text
        assert found[name].to_list() == [1, 2], text


# --- pandas ----------------------------------------------------------------------------------------------------------

INDICES: dict[str, pd.Index] = {
    "default": pd.RangeIndex(8),
    "steps": pd.RangeIndex(10, 26, 2),
    "text": pd.Index(list("abcdefgh")),
    "duplicated": pd.Index(["a", "b"] * 4),
    "named": pd.Index(range(8), name="patient"),
    "named like a column": pd.Index(range(8), name="n"),
    "floats": pd.Index([0.5, np.nan, 1, 2, 3, 4, 5, 6]),
    "mixed": pd.Index([1, "a", None, 2.5, (1, 2), b"x", True, pd.Timestamp("2024-05-01")], dtype=object),
    "dates": pd.date_range("2024-05-01", periods=8, name="day"),
    "zoned": pd.date_range("2024-05-01", periods=8, tz="Europe/Berlin"),
    "periods": pd.period_range("2024-05", periods=8, freq="M"),
    "intervals": pd.interval_range(0, 8),
    "categories": pd.CategoricalIndex(list("aabbccdd")),
    "two levels": pd.MultiIndex.from_product([["a", "b"], range(4)], names=["x", None]),
    "duplicated levels": pd.MultiIndex.from_arrays([["a"] * 8, [1, 1, 2, 2, 3, 3, np.nan, np.nan]]),
}


@pytest.mark.parametrize("name", INDICES)
@for_each(("text", "rows"), STATEMENTS)
def test_index_labels(text: str, rows: list[int], name: str) -> None:
    if is_left_out(text, [*INDICES].index(name)):
        return
    frame = pd.DataFrame({"n": range(8), "t": list("abcdefgh")}, index=INDICES[name])
    pd.testing.assert_frame_equal(frame.tql.query(text, seed=0), frame.take(rows))


def test_index_labels_of_clauses_that_read_all() -> None:
    frame = pd.DataFrame({"n": [1, 2, 1, 2]}, index=pd.Index(["a", "b", "c", "c"], name="i"))
    pd.testing.assert_frame_equal(frame.tql.query("select distinct n"), frame.take([0, 1]))
    pd.testing.assert_frame_equal(
        frame.tql.query("select * from (select * group by n) ungroup by split"), frame.take([0, 2, 1, 3])
    )
    grouped = frame.tql.query("select n group by n")
    assert grouped.index.equals(pd.RangeIndex(2))
    assert [list(each) for each in grouped["n"]] == [[1, 1], [2, 2]]


class Opaque:
    """An object that no library can read, compare or hash."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __bool__(self) -> bool:
        raise AssertionError("asked")


# Columns that no statement above names, each of eight cells.
ODD: dict[str, Callable[[], Any]] = {
    "objects": lambda: [Opaque() for _ in range(8)],
    "arrays": lambda: pd.Series([np.full((2, each), each) for each in range(8)]),
    "images": lambda: pd.Series([np.zeros((4, 4, 3), np.uint8) for _ in range(8)]),
    "dicts": lambda: [{"a": each, each: None} for each in range(8)],
    "mixed": lambda: pd.Series([1, "a", None, b"x", 2.5, [1, "b"], {1}, print], dtype=object),
    "sets": lambda: [{each} for each in range(8)],
    "frames": lambda: pd.Series([pd.DataFrame({"x": [each]}) for each in range(8)]),
    "int with NA": lambda: pd.array([1, None] * 4, dtype="Int8"),
    "boolean": lambda: pd.array([True, None] * 4, dtype="boolean"),
    "float": lambda: pd.array([0.5, None] * 4, dtype="Float32"),
    "string": lambda: pd.array(["a", None] * 4, dtype="string"),
    "category": lambda: pd.Categorical(["a", "b"] * 4, categories=["b", "a", "c"], ordered=True),
    "period": lambda: pd.period_range("2024-05", periods=8, freq="M"),
    "interval": lambda: pd.interval_range(0, 8),
    "sparse": lambda: pd.arrays.SparseArray([0, 0, 1, 0] * 2),
    "complex": lambda: np.arange(8) * 1j,
    "float16": lambda: np.arange(8).astype(np.float16),
    "zoned": lambda: pd.date_range("2024-05-01", periods=8, tz="Asia/Tokyo"),
    "timedelta": lambda: pd.to_timedelta(range(8), unit="h"),
    "arrow list": lambda: pd.Series([[each] for each in range(8)]).astype(_arrow("list")),
    "arrow decimal": lambda: pd.Series([Decimal(each) for each in range(8)]).astype(_arrow("decimal")),
    "arrow text": lambda: pd.Series(list("abcdefgh")).astype(_arrow("text")),
}


def _arrow(name: str) -> pd.ArrowDtype:
    pa = pytest.importorskip("pyarrow")
    return pd.ArrowDtype({"list": pa.list_(pa.int64()), "decimal": pa.decimal128(9, 2), "text": pa.string()}[name])


@pytest.mark.parametrize("name", ODD)
def test_a_column_that_is_not_named_passes_through(name: str) -> None:
    frame = pd.DataFrame({"n": range(8)})
    frame["odd"] = ODD[name]()
    for text, rows in size(STATEMENTS[[*ODD].index(name) % 4 :: 4], STATEMENTS):  # in `make test` every fourth
        found = frame.tql.query(text, seed=0)
        assert list(found.columns) == ["n", "odd"], text
        assert found.dtypes.equals(frame.dtypes)
        assert found["n"].tolist() == rows
        if frame["odd"].dtype == object:
            assert all(a is frame["odd"].iloc[row] for a, row in zip(found["odd"], rows, strict=True)), text
        else:
            pd.testing.assert_series_equal(found["odd"], frame["odd"].take(rows))
    chosen = frame.tql.query("select odd as o, n + 1 as m where n = 3")
    assert list(chosen.columns) == ["o", "m"]
    assert chosen["o"].dtype == frame["odd"].dtype


# Labels of columns beside `n`.
LABELS: dict[str, list[Any]] = {
    "twice": ["n", "x", "x"],
    "numbers": ["n", 5, 5.5],
    "no labels": ["n", None, np.nan],
    "tuples": ["n", ("a", 1), ("a", 2)],
    "dates": ["n", pd.Timestamp("2024-05-01"), dt.date(2024, 5, 1)],
    "odd text": ["n", "", "^n.*$"],
    "Polars' own": ["n", "*", "index"],
    "literal": ["n", "literal", "len"],
}


@pytest.mark.parametrize("name", LABELS)
@for_each(("text", "rows"), STATEMENTS)
def test_column_labels(text: str, rows: list[int], name: str) -> None:
    if is_left_out(text, [*LABELS].index(name)):
        return
    frame = pd.DataFrame(np.arange(24).reshape(8, 3))
    frame[0] = range(8)
    frame.columns = pd.Index(LABELS[name], dtype=object, name="about")
    pd.testing.assert_frame_equal(frame.tql.query(text, seed=0), frame.take(rows))


def test_columns_of_two_levels_are_not_named() -> None:
    labels = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("n", "")], names=["one", "two"])
    frame = pd.DataFrame(np.arange(24).reshape(8, 3), columns=labels)
    for text, rows in [
        ("select * limit 2", [0, 1]),
        ("select * where row_number() > 5", [6, 7]),
        ("select * order by row_number() desc limit 1", [7]),
        ("select * sample by row_number() = 3 limit 2", [3, 3]),
        ("(select * limit 1) union (select * limit 2)", [0, 1]),
    ]:
        pd.testing.assert_frame_equal(frame.tql.query(text, seed=0), frame.take(rows))
    with pytest.raises(TQLError, match="unknown column 'n'"):
        frame.tql.query("select * where n > 1")


def test_a_name_that_two_columns_have_is_refused_only_where_it_is_used() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["n", "x", "x"])
    assert frame.tql.query("select * where n = 1").shape == (1, 3)
    assert frame.tql.query("select n").shape == (1, 1)
    for text in ("select * where x = 1", "select x", "select * order by x", "select x + 1 as y"):
        with pytest.raises(TQLError, match="x"):
            frame.tql.query(text)


def test_attributes_and_flags_stay() -> None:
    frame = pd.DataFrame({"n": [1, 2, 3]})
    frame.attrs["source"] = "here"
    found = frame.tql.query("select * where n > 1")
    assert found.attrs == frame.take([1, 2]).attrs == {"source": "here"}


def test_pandas_types_of_computed_columns() -> None:
    frame = pd.DataFrame({"n": pd.array([1, None, 3], dtype="Int64"), "t": ["a", "b", None]}, index=list("xyz"))
    found = frame.tql.query("select n + 1 as i, n > 1 as b, n / 2 as f, t like 'a' as l, row_number() as r")
    assert found.index.tolist() == ["x", "y", "z"]
    assert [str(dtype) for dtype in found.dtypes] == ["Int64", "boolean", "float64", "boolean", "int64"]
    assert columns(found) == {
        "index": ["x", "y", "z"],
        "i": [2, None, 4],
        "b": [False, None, True],
        "f": [0.5, None, 1.5],
        "l": [True, False, None],
        "r": [0, 1, 2],
    }


# --- the frame is left alone -----------------------------------------------------------------------------------------

CALLS = [
    *[text for text, _ in STATEMENTS],
    "select *, n + 1 as m, t as u order by u",
    "select * group by t",
    "select distinct t",
    "select nothing",
    "select * where t > 1",
    "select * sample by -n",
]


@pytest.mark.parametrize("kind", ["polars", "pandas"])
@pytest.mark.parametrize("text", CALLS)
def test_the_frame_is_not_modified(text: str, kind: str) -> None:
    eager = pl.DataFrame({"n": range(8), "t": list("abcdefgh")})
    frame: Any = eager
    if kind == "pandas":
        frame = eager.to_pandas().set_index(pd.Index(list("aabbccdd"), name="i"))
        frame.attrs["a"] = [1]
    before, dump = copy.deepcopy(frame), pickle.dumps(frame)
    try:
        found = frame.tql.query(text, seed=0)
    except TQLError:
        found = None
    if isinstance(found, pd.DataFrame) and len(found):
        found.iloc[0, 0] = found.iloc[0, 0]
        found["new"] = 1
        pd.testing.assert_frame_equal(frame, before)
    elif found is None or isinstance(found, pl.DataFrame):
        assert pickle.dumps(frame) == dump


def test_a_result_does_not_share_the_frame_s_memory() -> None:
    frame = pd.DataFrame({"n": [1, 2, 3]})
    for text in ("select *", "select n", "select * where n > 0", "select n as m", "select n + 0 as n"):
        found = frame.tql.query(text)
        found.iloc[:, 0] = 99
        assert frame["n"].tolist() == [1, 2, 3], text
