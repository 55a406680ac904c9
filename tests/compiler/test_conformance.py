"""Queries that Deep Lake 4.7.4 answered, on each kind of frame: its answers, or ours where a deviation is named.

The file tells the format of the cases; `pytest -s` shows how many deviate, and why.
"""

import json
import math
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loops import for_each
from tests.sizes import size
from tql_frames import TQLError

FOLDER = Path(__file__).parents[1] / "cases"
# Constants as sort keys are among the queries.
pytestmark = [  # of what Deep Lake says nothing
    pytest.mark.filterwarnings("ignore:ORDER BY .* sorts by a constant:tql_frames.TQLWarning"),
    pytest.mark.filterwarnings("ignore:contains looks for .* as it is written:tql_frames.TQLWarning"),
]
FILE = json.loads((FOLDER / "conformance.json").read_text(encoding="utf-8"))
TABLE = json.loads((FOLDER / "conformance_table.json").read_text(encoding="utf-8"))

Case = dict[str, Any]
Answer = dict[str, Any]
Frame = pl.DataFrame | pd.DataFrame
CASES: list[Case] = FILE["cases"]
CRASHES: list[Case] = FILE["crashes"]
KINDS = ["polars", "lazy", "pandas"]
NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # as the file spells them
LABEL = 1000  # of the first row of the pandas frames

TYPES: dict[str, pl.DataType] = {
    "Boolean": pl.Boolean(),
    "UInt8": pl.UInt8(),
    "Int32": pl.Int32(),
    "Int64": pl.Int64(),
    "Float32": pl.Float32(),
    "Float64": pl.Float64(),
    "String": pl.String(),
    "List(Int32)": pl.List(pl.Int32),
    "List(String)": pl.List(pl.String),
    "List(List(Float32))": pl.List(pl.List(pl.Float32)),
    "Array(Float32, 4)": pl.Array(pl.Float32, 4),
}


# --- frames ----------------------------------------------------------------------------------------------------------


@cache
def polars_frame(table: str) -> pl.DataFrame:
    variant = TABLE["tables"][table]
    columns = {}
    for name, column in TABLE["columns"].items():
        if name not in variant["without"]:
            dtype = pl.Enum(column["categories"]) if column["type"] == "Enum" else TYPES[column["type"]]
            columns[name] = pl.Series(column["values"], dtype=dtype)
    return pl.DataFrame(columns).head(variant["rows"])


@cache
def pandas_frame(table: str) -> pd.DataFrame:
    """The same in the dtypes that pandas users have: lists are cells of Python objects."""
    variant = TABLE["tables"][table]
    columns = {}
    for name, column in TABLE["columns"].items():
        if name not in variant["without"]:
            columns[name] = pandas_column(column["type"], column["values"], column.get("categories"))
    frame = pd.DataFrame(columns).head(variant["rows"])
    frame.index = pd.RangeIndex(LABEL, LABEL + len(frame))
    return frame


def pandas_column(dtype: str, values: list[Any], categories: list[str] | None) -> pd.Series:
    match dtype:
        case "Enum":
            return pd.Series(pd.Categorical(values, categories=categories))
        case "String":
            return pd.Series(values)
        case "List(List(Float32))":
            return pd.Series([[np.array(row, np.float32) for row in value] for value in values], dtype=object)
        case "Array(Float32, 4)":
            return pd.Series([np.array(value, np.float32) for value in values], dtype=object)
        case "Boolean":
            return pd.Series(values, dtype=bool)
    if "(" in dtype:
        return pd.Series(values, dtype=object)
    return pd.Series(values, dtype=dtype if None in values else dtype.lower())


def ask(kind: str, table: str, query: str) -> Frame | TQLError:
    """The answer to a query, or the error that it raises."""
    try:
        if kind == "pandas":
            return pandas_frame(table).tql.query(query, seed=0)
        if kind == "lazy":
            return polars_frame(table).lazy().tql.query(query, seed=0).collect()
        return polars_frame(table).tql.query(query, seed=0)
    except TQLError as error:
        return error


# --- answers ---------------------------------------------------------------------------------------------------------


def recorded(case: Case) -> Answer:
    """What Deep Lake answers."""
    return {part: case[part] for part in ("rows", "columns", "height", "error") if part in case}


def positions(text: str) -> list[int]:
    """Row positions of a text such as `0-4 7`."""
    bounds = [[int(bound) for bound in part.split("-")] for part in text.split()]
    return [position for each in bounds for position in range(each[0], each[-1] + 1)]


def alike(wanted: Any, found: Any, tolerance: float, blind: bool = False) -> bool:
    """Whether two values are equal, fractions within a relative tolerance; the blind do not know NaN from null."""
    wanted, found = (NUMBERS.get(each, each) if isinstance(each, str) else each for each in (wanted, found))
    if blind and isinstance(wanted, float) and math.isnan(wanted):
        wanted = None
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(
            alike(one, other, tolerance, blind) for one, other in zip(wanted, found, strict=True)
        )
    if isinstance(wanted, (int, float)) and isinstance(found, (int, float)):
        if isinstance(wanted, bool) or isinstance(found, bool):
            return wanted is found
        if isinstance(wanted, int) and isinstance(found, int):
            return wanted == found
        if math.isnan(wanted) or math.isnan(found):
            return math.isnan(wanted) and math.isnan(found)
        return math.isclose(wanted, found, rel_tol=tolerance)
    return type(wanted) is type(found) and wanted == found


def plain(value: Any) -> Any:
    """A cell of a pandas frame as Python's own value, whatever is missing as None."""
    if isinstance(value, (list, np.ndarray)):
        return [plain(item) for item in value]
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def values(frame: Frame, name: str) -> list[Any]:
    column = frame[name]
    return column.to_list() if isinstance(column, pl.Series) else [plain(value) for value in column]


def check(case: Case, kind: str, table: str) -> None:
    """Fail unless the answer is exactly the pinned one."""
    wanted = case.get(kind) or case.get("ours") or recorded(case)
    answer = ask(kind, table, case["query"])
    if "error" in wanted:
        assert isinstance(answer, TQLError), f"no error but\n{answer}"
        assert type(answer).__name__ == wanted["error"], answer
        return
    if isinstance(answer, TQLError):
        raise answer
    blind = isinstance(answer, pd.DataFrame)
    if "rows" in wanted:
        check_rows(wanted, answer, table)
    elif "height" in wanted:
        assert len(answer) == wanted["height"]
    else:
        assert list(answer.columns) == ([] if blind else ["index"]) + list(wanted["columns"])
    for name, column in wanted.get("columns", {}).items():
        tolerance = 1e-6 if name in case.get("float32", ()) else 1e-12
        found = values(answer, name)
        assert alike(column, found, tolerance, blind), f"column {name!r}: {found}"


def check_rows(wanted: Answer, answer: Frame, table: str) -> None:
    """Fail unless the answer is those rows of the table, whole and in that order, with their original indices."""
    rows = positions(wanted["rows"])
    assert answer["id"].to_list() == rows
    if isinstance(answer, pl.DataFrame):
        source = polars_frame(table)
        assert answer.columns == ["index", *source.columns, *wanted.get("columns", ())]
        assert_frame_equal(answer.select(source.columns), source[rows])
        assert answer["index"].to_list() == rows
    else:
        source = pandas_frame(table)
        assert list(answer.columns) == [*source.columns, *wanted.get("columns", ())]
        assert answer[source.columns].dtypes.equals(source.dtypes)
        assert answer.index.to_list() == [LABEL + row for row in rows]


# --- the cases -------------------------------------------------------------------------------------------------------


def names_of(cases: list[Case]) -> list[str]:
    return [f"{case.get('table', 'main')}: {case['query'][:60]}" for case in cases]


@pytest.mark.filterwarnings("ignore:.* is one value a row:tql_frames.TQLWarning")  # which Deep Lake does not say
@pytest.mark.parametrize("kind", KINDS)
@for_each(("place", "case"), list(enumerate(CASES)), ids=names_of(CASES))
def test_answer(place: int, case: Case, kind: str) -> None:
    # In `make test` lazy frames and pandas are each asked a third, and what they answer in their own way.
    if size(kind != "polars" and kind not in case and KINDS.index(kind) != place % 3, False):
        return
    check(case, kind, case.get("table", "main"))


@pytest.mark.filterwarnings("ignore::tql_frames.TQLArmWarning")  # some arms match no row of these few
@pytest.mark.parametrize("kind", KINDS)
def test_what_kills_or_hangs_deep_lake_is_answered_at_once(kind: str) -> None:
    ask(kind, "main", "select * where id < 5 sample by max_weight(label like 'c*': 1, True: 1)")
    for case in CRASHES:
        start = time.perf_counter()
        check(case, kind, "main")
        assert time.perf_counter() - start < 1, case["query"]


# --- the file --------------------------------------------------------------------------------------------------------


def test_all_queries_are_there_once() -> None:
    assert (len(CASES), len(CRASHES)) == (567, 25)
    queries = Counter((case.get("table", "main"), case["query"]) for case in CASES + CRASHES)
    assert [query for query, count in queries.items() if count > 1] == []


def test_ours_is_pinned_where_it_must_be_and_nowhere_else() -> None:
    for case in CASES:
        wanted = recorded(case)
        assert len(wanted) == 1 or set(wanted) in ({"rows", "columns"}, {"height", "columns"}), case
        needed = "deviations" in case or "error" in wanted or "height" in wanted
        assert ("ours" in case) == needed, case["query"]
        assert "pandas" not in case or not same_answer(case, case["ours"], case["pandas"]), case["query"]
    for case in CRASHES:
        assert "ours" in case and not recorded(case), case["query"]


def test_a_deviating_answer_differs_from_the_recorded_one() -> None:
    for case in CASES:
        if "deviations" in case:
            assert not same_answer(case, recorded(case), case["ours"]), case["query"]
        elif "ours" in case:
            assert same_answer(case, recorded(case), case["ours"]), case["query"]


def same_answer(case: Case, recorded: Answer, ours: Answer) -> bool:
    """Whether our answer is the recorded one: all errors are the same, and where only a height is known it counts."""
    if "error" in recorded or "error" in ours:
        return "error" in recorded and "error" in ours
    if "height" in recorded:
        return {recorded["height"]} == {len(column) for column in ours["columns"].values()}
    if "columns" in recorded:
        wanted, found = recorded["columns"], ours["columns"]
        return list(wanted) == list(found) and all(
            alike(wanted[name], found[name], 1e-6 if name in case.get("float32", ()) else 1e-12) for name in wanted
        )
    return "rows" in ours and positions(recorded["rows"]) == positions(ours["rows"])


ANSWERED = Counter(name for case in CASES for name in case.get("deviations", ()))
KILLING = Counter(name for case in CRASHES for name in case.get("deviations", ()))


def summary() -> list[str]:
    """How many cases deviate, by reason; shown at the end of a test run."""
    otherwise = sum("deviations" in case for case in CASES)
    lines = [
        f"{len(CASES) - otherwise} of {len(CASES)} queries are answered as by Deep Lake 4.7.4, {otherwise} are not:"
    ]
    for name, reason in FILE["deviations"].items():
        more = f" ({KILLING[name]} more kill it)" if KILLING[name] else ""
        lines.append(f"{ANSWERED[name]:4}  {name}: {reason}{more}")
    return lines


def test_every_deviation_has_a_reason_and_a_query() -> None:
    reasons = FILE["deviations"]
    assert all(reason.endswith(".") for reason in reasons.values())
    assert {*ANSWERED, *KILLING} == {*reasons}
