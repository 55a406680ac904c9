"""Clauses of statements: each on small tables, and all of them together against a model in plain Python."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.answers import KINDS, ask, columns
from tests.loops import for_each
from tests.sizes import size
from tql_frames import TQLError

# Constants as sort keys are tested, too.
pytestmark = pytest.mark.filterwarnings("ignore:ORDER BY .* sorts by a constant:tql_frames.TQLWarning")

FRAME = pl.DataFrame(
    {
        "k": ["b", "a", None, "b", "c", "a", "é", "B"],
        "n": [3, 1, 2, None, 3, 1, 2, -1],
        "f": [1.5, float("nan"), None, -2.0, float("inf"), 0.0, float("nan"), float("-inf")],
        "b": [True, False, None, True, False, None, True, False],
        "d": [
            dt.date(2024, 5, 1),
            dt.date(2024, 5, 2),
            None,
            dt.date(2023, 1, 1),
            dt.date(2024, 5, 1),
            dt.date(2025, 12, 31),
            dt.date(2024, 5, 2),
            dt.date(1970, 1, 1),
        ],
        "c": pl.Series(["mid", "low", None, "high", "low", "mid", "low", "mid"], dtype=pl.Enum(["low", "mid", "high"])),
        "l": [[1], [2, 3], None, [], [None], [4, 5, 6], [1], [7]],
    }
)


def places(text: str) -> list[int]:
    return [int(place) for place in text.split()]


# --- rows ------------------------------------------------------------------------------------------------------------

# A statement that begins with `select *`, and the rows that it gives, in order. On pandas frames NaN is null.
ROWS = [
    ("", "0 1 2 3 4 5 6 7"),
    ("where n = 3", "0 4"),
    ("where n != 3", "1 2 5 6 7"),
    ("where not n = 3", "1 2 5 6 7"),  # a null condition is false, its negation too
    ("where b", "0 3 6"),
    ("where not b", "1 4 7"),
    ("where n", "0 1 2 4 5 6 7"),
    ("where n - 1", "0 2 4 6 7"),
    ("where null", ""),
    ("where true", "0 1 2 3 4 5 6 7"),
    ("where 0", ""),
    ("where n is null or k is null", "2 3"),
    ("where k in ('a', 'é', null)", "1 5 6"),
    ("where k not in ('a', 'é')", "0 3 4 7"),
    ("where any(l > 1)", "1 5 7"),
    ("where all(l > 1)", "1 3 5 7"),
    ("where d between '2024-05-01' and '2024-05-02'", "0 1 4 6"),
    ("where c < 'm'", "1 3 4 6"),  # by its letters, not by its categories
    ("where row_number() % 3 = 1", "1 4 7"),
    ("where max_weight(n > 2: 1, k = 'a': 5) > 0", "0 1 4 5"),
    # ORDER BY: null is the smallest
    ("order by n", "3 7 1 5 2 6 0 4"),
    ("order by n asc", "3 7 1 5 2 6 0 4"),
    ("order by n desc", "0 4 2 6 1 5 7 3"),
    ("order by k", "2 7 1 5 0 3 4 6"),
    ("order by k desc", "6 4 0 3 1 5 7 2"),
    ("order by c, n", "2 3 1 6 4 7 5 0"),
    ("order by c desc, n", "7 5 0 1 6 4 3 2"),
    ("order by c desc, n desc", "0 5 7 4 6 1 3 2"),
    ("order by c, n desc", "2 3 4 6 1 0 5 7"),
    ("order by b, k, n", "2 5 7 1 4 3 0 6"),
    ("order by d", "2 7 3 0 4 1 6 5"),
    ("order by d desc", "5 1 6 0 4 3 7 2"),
    ("order by -n", "3 0 4 2 6 1 5 7"),
    ("order by n % 2, n", "3 7 2 6 1 5 0 4"),
    ("order by k = 'a'", "2 0 3 4 6 7 1 5"),
    ("order by k = 'a' desc, n desc", "1 5 0 4 6 7 3 2"),
    ("order by shape(l)[0]", "2 3 0 4 6 7 1 5"),
    ("order by l[0]", "2 3 4 0 6 1 5 7"),
    ("order by 1", "0 1 2 3 4 5 6 7"),
    ("order by 'k'", "0 1 2 3 4 5 6 7"),
    ("order by null, n", "3 7 1 5 2 6 0 4"),
    ("order by n, 5 desc, k desc", "3 7 1 5 6 2 4 0"),
    ("order by row_number() desc", "7 6 5 4 3 2 1 0"),
    ("order by row_number() % 2, n desc", "0 4 2 6 1 5 7 3"),
    ("order by max_weight(n = 1: 2, n = 3: 1) desc", "1 5 0 4 2 3 6 7"),
    # LIMIT, OFFSET and TOP
    ("limit 3", "0 1 2"),
    ("limit 0", ""),
    ("limit 100", "0 1 2 3 4 5 6 7"),
    ("limit all", "0 1 2 3 4 5 6 7"),
    ("limit all offset 6", "6 7"),
    ("limit 3.0", "0 1 2"),
    ("limit 1e1", "0 1 2 3 4 5 6 7"),
    ("offset 6", "6 7"),
    ("offset 0", "0 1 2 3 4 5 6 7"),
    ("offset 8", ""),
    ("offset 18446744073709551615", ""),
    ("limit 3 offset 2", "2 3 4"),
    ("limit 3 offset 7", "7"),
    ("limit 50 percent", "0 1 2 3"),
    ("limit 49.9 percent", "0 1 2"),
    ("limit 12.5 PERCENT", "0"),
    ("limit 12.4 percent", ""),
    ("limit 0 percent", ""),
    ("limit 1000 percent", "0 1 2 3 4 5 6 7"),
    ("limit 50 percent offset 2", "2 3 4 5"),
    ("where n > 1 limit 2", "0 2"),
    ("where n > 1 order by n limit 1 offset 1", "6"),
    ("where n > 1 limit 50 percent", "0 2"),
    ("order by n desc limit 25 percent", "0 4"),
    # EXPAND BY
    ("where n = 2 expand by 1 0", "1 2 5 6"),
    ("where n = 2 expand by 0 1", "2 3 6 7"),
    ("where n = 2 expand by 0 0", "2 6"),
    ("where n = 2 expand by 2 2", "0 1 2 3 4 5 6 7"),
    ("where n = 2 expand by 2 2 overlap true", "0 1 2 3 4 4 5 6 7"),
    ("where n = 2 expand by 2 2 overlap false", "0 1 2 3 4 5 6 7"),
    ("where n = 3 expand by 1 1 overlap true", "0 1 3 4 5"),
    ("where k = 'a' expand by 9 0 overlap true", "0 1 0 1 2 3 4 5"),
    ("where n is null expand by 1 1", "2 3 4"),
    ("where b expand by 0 0", "0 3 6"),
    ("where false expand by 5 5", ""),
    ("where false expand by 5 5 overlap true", ""),
    ("expand by 1 1", "0 1 2 3 4 5 6 7"),
    ("where n = 2 expand by 1 0 order by n desc limit 2", "2 6"),
    ("where n = -1 expand by 99999999999 1e18", "0 1 2 3 4 5 6 7"),
    # FROM a statement
    ("from (select * where n > 1) where row_number() = 1", "2"),
    ("from (select * order by n desc) where n < 3 limit 2", "2 6"),
    ("from (select * order by n desc limit 4) order by k", "2 0 4 6"),
    ("from (select *) as x where x.n = 3 order by x.k desc", "4 0"),
    ("from (select * from (select * from (select * limit 6) limit 4 offset 1) offset 1)", "2 3 4"),
    ("from (select * where n = 2 expand by 1 1) where n = 2 expand by 1 0", "1 2 5 6"),
    ("from ((select * where n = 3) union (select * where n = 2)) order by n limit 3", "2 6 0"),
    ("from (select * group by c) ungroup by split", "0 5 7 1 4 6 2 3"),
    ("from (select * group by b, c) ungroup by split", "0 1 4 2 3 5 6 7"),
    ("from (select * where n > 1 group by c order by shape(n)[0] desc) ungroup by split", "4 6 0 2"),
    ("from (select * group by c) ungroup by split limit 3", "0 5 7"),
    ("from (select * from (select * group by c) ungroup by 2) ungroup by split", "0 5 7 1 4 6 2 3"),
]


def is_left_out(kind: str, place: int) -> bool:
    """Whether `make test` asks another kind of frame: an eager one is asked all, the others every second in turn."""
    return size((KINDS.index(kind) + place) % 2 > 0 and kind != "polars", False)


@pytest.mark.parametrize("kind", KINDS)
@for_each(("clauses", "expected"), ROWS)
def test_rows(clauses: str, expected: str, kind: str) -> None:
    if is_left_out(kind, [each for each, _ in ROWS].index(clauses)):
        return
    whole_rows(ask(kind, FRAME, f"select * {clauses}", seed=1), places(expected))


def whole_rows(found: Any, expected: list[int]) -> None:
    """Fail unless a result is these rows of FRAME, with all their values."""
    assert columns(found)["index"] == expected
    if isinstance(found, pl.DataFrame):
        assert_frame_equal(found.drop("index"), FRAME[expected])
    else:
        assert columns(found) == columns(FRAME.to_pandas().iloc[expected])


# NaN is the largest number; in a pandas frame it is null, and so the smallest.
FLOATS = [
    ("order by f", "2 7 3 5 0 4 1 6", "1 2 6 7 3 5 0 4"),
    ("order by f desc", "1 6 4 0 5 3 7 2", "4 0 5 3 7 1 2 6"),
    ("order by f desc, n desc", "6 1 4 0 5 3 7 2", "4 0 5 3 7 2 6 1"),
    ("order by n, f desc", "3 7 1 5 6 2 4 0", "3 7 5 1 2 6 4 0"),
    ("where f > 0", "0 4", "0 4"),  # NaN compares as in IEEE 754
    ("where f != f", "1 6", ""),
    ("where not f > 0", "1 3 5 6 7", "3 5 7"),
    ("where f is null", "2", "1 2 6"),
]


@for_each(("clauses", "polars", "pandas"), FLOATS)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_by_floats(clauses: str, polars: str, pandas: str, kind: str) -> None:
    found = ask(kind, FRAME, f"select * {clauses}", seed=1)
    whole_rows(found, places(pandas if kind == "pandas" else polars))


def test_negative_zero_is_zero_in_order() -> None:
    frame = pl.DataFrame({"f": [0.0, -0.0, -1.0, 0.0, -0.0], "n": [5, 4, 3, 2, 1]})
    for clauses, expected in [("order by f", [2, 0, 1, 3, 4]), ("order by f, n", [2, 4, 3, 1, 0])]:
        assert columns(ask("polars", frame, f"select * {clauses}"))["index"] == expected
    assert columns(ask("polars", frame, "select distinct f"))["index"] == [0, 2]
    assert columns(ask("polars", frame, "select n group by f"))["n"] == [(5, 4, 2, 1), (3,)]


# --- set operations --------------------------------------------------------------------------------------------------

SETS = [
    ("(select * where n = 3) union (select * where k = 'a')", "0 1 4 5"),
    ("select * where n = 3 union select * where k = 'a'", "0 1 4 5"),
    ("(select * where k = 'a') union (select * where n = 3)", "0 1 4 5"),  # in the order of the frame
    ("(select * where n > 1) union (select * where n < 3)", "0 1 2 4 5 6 7"),
    ("(select *) intersect (select * where n = 3)", "0 4"),
    ("(select * where n > 1) intersect (select * where k = 'é')", "6"),
    ("(select *) except (select * where n = 3)", "1 2 3 5 6 7"),
    ("(select * where n = 3) except (select *)", ""),
    ("(select * where n = 3) union all (select * where k > 'b')", "0 4 4 6"),
    ("(select * where k > 'b') union all (select * where n = 3)", "4 6 0 4"),
    # from left to right, unless in parentheses
    ("(select *) except (select * where n = 3) union (select * where k = 'c')", "1 2 3 4 5 6 7"),
    ("(select *) except ((select * where n = 3) union (select * where k = 'a'))", "2 3 6 7"),
    ("((select * where n = 3) union (select * where k = 'a')) intersect (select * where b is null)", "5"),
    ("(select * where n = 3) union (select * where k = 'a') intersect (select * where b is null)", "5"),
    ("(select * where n = 3) union ((select * where k = 'a') intersect (select * where b is null))", "0 4 5"),
    ("(((select * where n = 3))) union ((select * where n = 1))", "0 1 4 5"),
    # clauses of a side, and of the whole
    ("(select * order by n desc limit 1) union (select * order by n limit 1)", "0 3"),
    ("(select * order by n desc limit 3) intersect (select * limit 3)", "0 2"),
    ("(select * order by n desc) union (select * order by k)", "0 1 2 3 4 5 6 7"),
    ("(select * where n = 3) union (select * where n = 1) order by k, n desc", "1 5 0 4"),
    ("(select * where n = 3) union (select * where n = 1) order by n limit 3", "1 5 0"),
    ("(select * where n = 3) union (select * where n = 1) limit 50 percent", "0 1"),
    ("(select * where n = 3) union (select * where n = 1) offset 3", "5"),
    ("(select * where n = 3) union all (select * where n = 3) order by k", "0 0 4 4"),
    ("((select * where n = 3) union (select * where n = 1) limit 2) union (select * where n = 2)", "0 1 2 6"),
    ("(select * where n is null) union (select *) order by row_number()", "0 1 2 3 4 5 6 7"),
    ("(select * where n = 3) union (select * where n = 1) order by row_number() desc", "5 4 1 0"),
    ("(select * where n = 3) union (select * where n = 1) order by random() < 0, row_number() desc", "5 4 1 0"),
    # rows that come more than once
    ("(select * where n = 2 expand by 2 2 overlap true) union (select * where n = 2)", "0 1 2 3 4 5 6 7"),
    ("(select * where n = 2 expand by 2 2 overlap true) intersect (select * where n > 2)", "0 4"),
    ("(select * where n = 2 expand by 2 2 overlap true) except (select * where n = 3)", "1 2 3 5 6 7"),
    ("(select * sample by n = 3 limit 50) union (select * sample by k = 'a' limit 50)", "0 1 4 5"),
    ("(select * sample by n > 0 limit 99) intersect (select * where n = 2)", "2 6"),
    ("(select *) except (select * sample by n > 1 limit 99)", "1 3 5 7"),
    ("(select * order by k sample by n = 3 replace false limit 2) union (select * where n = 1)", "0 1 4 5"),
    # equal values do not make equal rows
    ("(select * where row_number() < 1) union (select * where n = 3)", "0 4"),
]


@pytest.mark.parametrize("kind", KINDS)
@for_each(("text", "expected"), SETS)
def test_set_operations(text: str, expected: str, kind: str) -> None:
    if is_left_out(kind, [each for each, _ in SETS].index(text)):
        return
    whole_rows(ask(kind, FRAME, text, seed=1), places(expected))


# `data(column, row)` is of the rows of FROM, whatever WHERE, ORDER BY and GROUP BY make of them before it is asked for.
@pytest.mark.parametrize("kind", KINDS)
@for_each(
    ("text", "expected"),
    [
        ("select n, data(n, 0) as d where n > data(n, 1)", {"index": [2, 3], "n": [30, 40], "d": [10, 10]}),
        ("select data(n, -1) as d, n where n < 25 order by n desc", {"index": [1, 0], "d": [40, 40], "n": [20, 10]}),
        ("select n where n > 10 order by abs(n - data(n, 2)), n", {"index": [2, 1, 3], "n": [30, 20, 40]}),
        (
            "select data(n, 3) as d, sum(n) as s where n > 10 group by k",
            {"index": [0, 1], "d": [40, 40], "s": [60, 30]},
        ),
        ("select n where n > 10 sample by n == data(n, 2) limit 2", {"index": [2, 2], "n": [30, 30]}),
        ("select data(n, 4) as d limit 1", {"index": [0], "d": [None]}),
        ("select * from (select n where n > 10) where n == data(n, 0)", {"index": [1], "n": [20]}),
        ("select data(n, 0) as d where n > 10 union select data(n, 1) as d", {"index": [0, 1, 1, 2, 2, 3, 3]}),
    ],
)
def test_data_is_of_the_rows_of_from(text: str, expected: dict[str, list[Any]], kind: str) -> None:
    frame = pl.DataFrame({"n": [10, 20, 30, 40], "k": ["a", "b", "a", "b"]})
    found = columns(ask(kind, frame, text))
    assert {name: found[name] for name in expected} == expected


def test_rows_without_columns_are_all_equal() -> None:
    for kind in KINDS:
        assert len(ask(kind, pl.DataFrame(), "select distinct *")) == 0
    assert tql_frames.query("(select * from a) union (select * from b)", a=pl.DataFrame(), b=pl.DataFrame()).is_empty()


def test_rows_of_equal_values_are_two_rows() -> None:
    frame = pl.DataFrame({"a": [1, 1, 2, 1]})
    for kind in KINDS:
        found = ask(kind, frame, "(select a where row_number() != 1) union (select a where row_number() < 2)")
        assert columns(found) == {"index": [0, 1, 2, 3], "a": [1, 1, 2, 1]}
        found = ask(kind, frame, "(select a) except (select a where row_number() = 0)")
        assert columns(found) == {"index": [1, 2, 3], "a": [1, 2, 1]}


# --- columns ---------------------------------------------------------------------------------------------------------

# A statement, and its columns; `index` is that of the rows.
COLUMNS: list[tuple[str, dict[str, list[Any]]]] = [
    ("select n, k limit 2", {"index": [0, 1], "n": [3, 1], "k": ["b", "a"]}),
    ("select n as m, k limit 2", {"index": [0, 1], "m": [3, 1], "k": ["b", "a"]}),
    ("select n as k, k as n limit 2", {"index": [0, 1], "k": [3, 1], "n": ["b", "a"]}),
    ("select n m limit 1", {"index": [0], "m": [3]}),
    ('select n as "two words" limit 1', {"index": [0], "two words": [3]}),
    ("select n + 1 limit 2", {"index": [0, 1], "n": [4, 2]}),  # named by its first column
    ("select 2 * n as m, -n as o limit 4", {"index": [0, 1, 2, 3], "m": [6, 2, 4, None], "o": [-3, -1, -2, None]}),
    ("select 1 limit 2", {"index": [0, 1], "1": [1, 1]}),
    ("select 'x' as t, null as z limit 1", {"index": [0], "t": ["x"], "z": [None]}),
    ("select row_number() as r where n = 2", {"index": [2, 6], "r": [0, 1]}),
    ("select n, row_number() as r order by n desc limit 2", {"index": [0, 4], "n": [3, 3], "r": [0, 1]}),
    (
        "select n > 1 as t, k like 'a' as u limit 3",
        {"index": [0, 1, 2], "t": [True, False, True], "u": [False, True, None]},
    ),
    ("select max_weight(n > 2: 5, k = 'a': 2) as w limit 3", {"index": [0, 1, 2], "w": [5.0, 2.0, 0.0]}),
    ("select l[0] as first where n = 1", {"index": [1, 5], "first": [2, 4]}),
    ("select l[1:] as rest where n = 1", {"index": [1, 5], "rest": [(3,), (5, 6)]}),
    # an alias is known to ORDER BY and outside
    ("select k as z, -n as m order by m limit 3", {"index": [3, 0, 4], "z": ["b", "b", "c"], "m": [None, -3, -3]}),
    ("select k, n * n as n order by n desc, k limit 3", {"index": [0, 4, 2], "k": ["b", "c", None], "n": [9, 9, 4]}),
    ("select m + 1 as o from (select n * 2 as m) where m > 4", {"index": [0, 4], "o": [7, 7]}),
    ("select x.m from (select n as m) as x where x.m = 3", {"index": [0, 4], "m": [3, 3]}),
    ("select *, m + 1 as o from (select n as m) limit 1", {"index": [0], "m": [3], "o": [4]}),
    # DISTINCT keeps the first row of each value
    ("select distinct n", {"index": [0, 1, 2, 3, 7], "n": [3, 1, 2, None, -1]}),
    ("select distinct b", {"index": [0, 1, 2], "b": [True, False, None]}),
    ("select distinct n, b where n > 1", {"index": [0, 2, 4, 6], "n": [3, 2, 3, 2], "b": [True, None, False, True]}),
    ("select distinct n order by n desc limit 2", {"index": [0, 2], "n": [3, 2]}),
    ("select distinct n limit 2", {"index": [0, 1], "n": [3, 1]}),
    ("select distinct n % 2 as o where n >= 0", {"index": [0, 2], "o": [1, 0]}),
    ("select distinct l where n > 1", {"index": [0, 2, 4], "l": [(1,), None, (None,)]}),
    (
        "select distinct c, n > 1 as big order by c, big limit 3",
        {"index": [2, 3, 1], "c": [None, "high", "low"], "big": [True, None, False]},
    ),
    ("select distinct top 2 n", {"index": [0, 1], "n": [3, 1]}),
    # TOP is LIMIT
    ("select top 2 n", {"index": [0, 1], "n": [3, 1]}),
    ("select top 2 n order by n desc offset 1", {"index": [4, 2], "n": [3, 2]}),
    # GROUP BY: a list of each column, in order of first appearance; null is a group
    (
        "select k, n group by k",
        {
            "index": [0, 1, 2, 3, 4, 5],
            "k": [("b", "b"), ("a", "a"), (None,), ("c",), ("é",), ("B",)],
            "n": [(3, None), (1, 1), (2,), (3,), (2,), (-1,)],
        },
    ),
    ("select n where n > 1 group by n, b", {"index": [0, 1, 2, 3], "n": [(3,), (2,), (3,), (2,)]}),
    ("select n group by n % 2 = 0", {"index": [0, 1, 2], "n": [(3, 1, 3, 1, -1), (2, 2), (None,)]}),
    ("select shape(n)[0] as size group by b", {"index": [0, 1, 2], "size": [3, 3, 2]}),
    (
        "select any(n > 2) as some, n[0] as first group by c",
        {"index": [0, 1, 2, 3], "some": [True, True, False, False], "first": [3, 1, 2, None]},
    ),
    ("select n group by c order by c", {"index": [2, 3, 1, 0], "n": [(2,), (None,), (1, 3, 2), (3, 1, -1)]}),
    (
        "select n group by c order by shape(n)[0] desc, n[0]",
        {"index": [1, 0, 3, 2], "n": [(1, 3, 2), (3, 1, -1), (None,), (2,)]},
    ),
    ("select n group by c limit 1 offset 1", {"index": [1], "n": [(1, 3, 2)]}),
    ("select n as m group by c limit 1", {"index": [0], "m": [(3, 1, -1)]}),
    ("select l where n = 1 group by n", {"index": [0], "l": [((2, 3), (4, 5, 6))]}),
    ("select n where false group by n", {"index": [], "n": []}),
    ("select n from (select * group by c) where any(n = 2)", {"index": [1, 2], "n": [(1, 3, 2), (2,)]}),
    ("select n where n = 2 expand by 0 1 group by 1", {"index": [0], "n": [(2, None, 2, -1)]}),
    # UNGROUP BY
    (
        "select n from (select * group by c) ungroup by split",
        {"index": [0, 5, 7, 1, 4, 6, 2, 3], "n": [3, 1, -1, 1, 3, 2, 2, None]},
    ),
    (
        "select n, s from (select n, shape(n)[0] as s group by b) ungroup by split limit 4",
        {"index": [0, 3, 6, 1], "n": [3, None, 2, 1], "s": [3, 3, 3, 3]},
    ),
    (
        "select n from (select * group by c) ungroup by 2",
        {"index": [0, 1, 2, 3, 4, 5], "n": [(3, 1), (-1,), (1, 3), (2,), (2,), (None,)]},
    ),
    (
        "select n from (select * group by c) ungroup by 3 limit 4",
        {"index": [0, 1, 2, 3], "n": [(3,), (1,), (-1,), (1,)]},
    ),
    (
        "select n from (select * group by c) ungroup by 1",
        {"index": [0, 1, 2, 3], "n": [(3, 1, -1), (1, 3, 2), (2,), (None,)]},
    ),
    (
        "select n from (select * group by c) ungroup by 1000",
        {"index": [0, 1, 2, 3, 4, 5, 6, 7], "n": [(3,), (1,), (-1,), (1,), (3,), (2,), (2,), (None,)]},
    ),
    ("select m from (select n as m group by c) ungroup by split limit 2", {"index": [0, 5], "m": [3, 1]}),
    # set operations of columns
    ("(select n where n = 3) union (select n where n = 1)", {"index": [0, 1, 4, 5], "n": [3, 1, 3, 1]}),
    ("(select n, k limit 1) union (select k, n limit 2)", {"index": [0, 1], "n": [3, 1], "k": ["b", "a"]}),
    ("(select n + 1 as m limit 2) union (select n + 2 as m limit 1)", {"index": [0, 0, 1], "m": [4, 5, 2]}),
    ("(select n + 1 as m limit 2) union (select n + 1 as m limit 3)", {"index": [0, 1, 2], "m": [4, 2, 3]}),
    ("(select n + 1 as m limit 2) union all (select n + 1 as m limit 1)", {"index": [0, 1, 0], "m": [4, 2, 4]}),
    ("(select n + 1 as m limit 3) intersect (select n * 2 as m)", {"index": [1], "m": [2]}),
    ("(select n + 1 as m limit 3) except (select n * 2 as m)", {"index": [0, 2], "m": [4, 3]}),
    ("(select n + null as m limit 1) intersect (select n + null as m)", {"index": [0], "m": [None]}),
    ("(select n limit 1) union (select n / 2 as n limit 1)", {"index": [0, 0], "n": [3.0, 1.5]}),
    ("(select k limit 1) union all (select c as k limit 1)", {"index": [0, 0], "k": ["b", "mid"]}),
    ("(select n limit 1) union (select m as n from (select n as m limit 2))", {"index": [0, 1], "n": [3, 1]}),
    (
        "(select n as m, k as n limit 1) union (select n as m, k as n limit 2)",
        {"index": [0, 1], "m": [3, 1], "n": ["b", "a"]},
    ),
    (
        "(select n, l[0] as x, n as y order by f) union (select n, l[0] as x, n as y) order by row_number() limit 2",
        {"index": [0, 1], "n": [3, 1], "x": [1, 2], "y": [3, 1]},
    ),
    # rows of GROUP BY are compared by their values, and numbered anew
    (
        "(select n[0] as m group by c) union (select n[0] as m group by b)",
        {"index": [0, 1, 2, 3], "m": [3, 1, 2, None]},
    ),
    ("(select n[0] as m group by c) intersect (select n[0] as m group by b)", {"index": [0, 1, 2], "m": [3, 1, 2]}),
    ("(select n group by c) except (select n where n > 0 group by c)", {"index": [0, 1], "n": [(3, 1, -1), (None,)]}),
    ("(select n[0] as n group by c) union all (select n limit 1)", {"index": [0, 1, 2, 3, 4], "n": [3, 1, 2, None, 3]}),
]


@pytest.mark.parametrize("kind", KINDS)
@for_each(("text", "expected"), COLUMNS, ids=[text for text, _ in COLUMNS])
def test_columns(text: str, expected: dict[str, list[Any]], kind: str) -> None:
    if is_left_out(kind, [each for each, _ in COLUMNS].index(text)):
        return
    found = columns(ask(kind, FRAME, text, seed=1))
    assert list(found) == list(expected)
    assert found == expected


# --- errors ----------------------------------------------------------------------------------------------------------

# A statement with the fault between « and », its class, and what the message or its hint says.
ERRORS = [
    ("select «m»", "TQLNameError", "unknown column 'm'"),
    ("select n where «m» > 1", "TQLNameError", "unknown column 'm'"),
    ("select n as m where «m» > 1", "TQLNameError", "unknown column 'm'"),
    ("select n as m group by «m»", "TQLNameError", "unknown column 'm'"),
    ("select n order by «m»", "TQLNameError", "unknown column 'm'"),
    ("select n sample by «m»", "TQLNameError", "unknown column 'm'"),
    ("select «K»", "TQLNameError", "did you mean 'k'?"),
    ("select «x.n»", "TQLNameError", "no frame is named 'x' here"),
    ("select «x.*»", "TQLNameError", "no frame is named 'x' here"),
    ("select n from (select n) as x order by «y.n»", "TQLNameError", "no frame is named 'y' here"),
    ("select n from (select n) where «k» = 'a'", "TQLNameError", "unknown column 'k'"),
    ("select n + 1, «n + 2»", "TQLNameError", "two columns of the result are named 'n'"),
    ("select *, «n + 1»", "TQLNameError", "expression AS name"),
    ("select n, «*»", "TQLNameError", "two columns of the result are named 'n'"),
    ("select *, «*»", "TQLNameError", "two columns of the result are named 'k'"),
    ("select n where «l»", "TQLTypeError", "any(…)"),
    ("select n where «k»", "TQLTypeError", "compare it with something"),
    ("select n where «k > 1»", "TQLTypeError", "text"),
    ("select n order by «l»", "TQLTypeError", "expected single values for ORDER BY, got a list of numbers"),
    ("select n order by n, «l desc»", "TQLTypeError", "order by one of its elements"),
    ("select n group by «l»", "TQLTypeError", "expected single values for GROUP BY, got a list of numbers"),
    ("select n from (select n group by n) order by «n»", "TQLTypeError", "expected single values for ORDER BY"),
    ("select n sample by «k»", "TQLTypeError", "a weight"),
    ("select n sample by «l»", "TQLTypeError", "a weight"),
    ("select n «ungroup by split»", "TQLTypeError", "the rows to ungroup are no groups"),
    ("select n from (select n[0] as n group by n) «ungroup by 2»", "TQLTypeError", "the rows to ungroup are no groups"),
    ("select n from (select n group by n) ungroup by «0»", "TQLTypeError", "a whole number of at least 1"),
    ("select n from (select n group by n) ungroup by «1.5»", "TQLTypeError", "a whole number of at least 1"),
    ("select n group by n «ungroup by split»", "TQLSyntaxError", "not used in one SELECT"),
    ("select n limit «2.5»", "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n offset «2.5»", "TQLTypeError", "expected a whole number of at least 0 for OFFSET"),
    ("select top «2.5» n", "TQLTypeError", "expected a whole number of at least 0 for TOP"),
    ("select n expand by 1 «2.5»", "TQLTypeError", "expected a whole number of at least 0 for EXPAND BY"),
    ("select n sample by n limit «2.5»", "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n limit «-»1", "TQLSyntaxError", "unexpected '-'"),
    ("select n limit 1 «+» 1", "TQLSyntaxError", "unexpected '+'"),
    ("select n limit «n»", "TQLSyntaxError", "expected '?', 'all' or a number"),
    ("select n limit «99999999999999999999999»", "TQLSyntaxError", "does not fit into 64 bits"),
    ("select top «2» n limit 3", "TQLSyntaxError", "TOP and LIMIT are not used in one statement"),
    ("select n offset 1 «limit» 2", "TQLSyntaxError", "clauses stand in this order"),
    ("select n order by n «where» n > 1", "TQLSyntaxError", "clauses stand in this order"),
    ("select n sample by n limit 3 «order» by n", "TQLSyntaxError", "clauses stand in this order"),
    ("select n limit 5 percent «percent»", "TQLSyntaxError", "PERCENT stands behind the number of a LIMIT"),
    ("select n where n in («select» n)", "TQLSyntaxError", "a subquery stands after FROM or JOIN"),
    ("select n; «select» n", "TQLSyntaxError", "one statement at a time"),
    ("select«»", "TQLSyntaxError", "the text ends too early"),
    ("«»", "TQLSyntaxError", "start a query with SELECT"),
    ("«n» > 1", "TQLSyntaxError", "start a query with SELECT"),
    ("«max_weight»(n > 1: 2)", "TQLSyntaxError", "select * sample by max_weight(…)"),
    ("(select n«»", "TQLSyntaxError", "the text ends too early"),
    ("select n union«»", "TQLSyntaxError", "the text ends too early"),
    ("«delete» from x", "TQLUnsupportedError", "DELETE is not supported: a query only reads"),
    ("«Update» x set n = 1", "TQLUnsupportedError", "UPDATE is not supported: a query only reads"),
    ("«insert» into x values (1)", "TQLUnsupportedError", "INSERT is not supported"),
    ("«with» x as (select *) select *", "TQLUnsupportedError", "write the subquery after FROM"),
    ("select n group by n «having» n > 1", "TQLUnsupportedError", "SELECT * FROM (… GROUP BY …) WHERE …"),
    ("select «case» when n then 1 end", "TQLUnsupportedError", "CASE is not supported"),
    ("select n where «exists» (select n)", "TQLUnsupportedError", "EXISTS is not supported"),
    ("select «cast»(n as int)", "TQLUnsupportedError", "CAST is not supported"),
    ('select n from «"mem://x"»', "TQLUnsupportedError", "FROM a URL is not supported"),
    (
        "(select n) «union» (select k)",
        "TQLNameError",
        "UNION needs the same columns on both sides; 'n' is not on the right",
    ),
    ("(select n) «except» (select n, k)", "TQLNameError", "'k' is not on the left"),
    ("(select n) «union» (select k as n)", "TQLTypeError", "UNION cannot join a number with text in 'n'"),
    ("select n sample by «0»", "WeightError", "the weight is 0 in all 8 rows"),
    ("select n sample by max_weight(n > 99: 1)", "WeightError", "no row can be drawn"),
    ("select n sample by max_weight(«n > 2: -1»)", "WeightError", "negative weight"),
    ("select n where false sample by n limit 2", "WeightError", "cannot draw 2 rows"),
]


@pytest.mark.parametrize("kind", KINDS)
@for_each(("marked", "name", "message"), ERRORS, ids=[marked for marked, *_ in ERRORS])
def test_errors(marked: str, name: str, message: str, kind: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    with pytest.raises(TQLError) as caught:
        ask(kind, FRAME, text, seed=1)
    error = caught.value
    assert type(error).__name__ == name
    assert message in f"{error.message} {error.hint}"
    if "«" in marked:
        assert error.span == (marked.index("«"), marked.index("»") - 1)
        assert error.source == text
    assert error.__suppress_context__ or error.__context__ is None
