"""The language against a second engine: random queries on random frames, each run by DuckDB as SQL, too.

A query is made as a tree and printed twice, as TQL and as SQL. The answers must be the same to the last bit: rows,
their order, types, nulls and NaN, all but the sign of zero. Where the languages mean different things, `FORMS` and
`MACROS` spell out in SQL what TQL means:

* comparisons of floats follow IEEE: NaN equals nothing and is neither less nor greater; DuckDB takes it for the
  greatest number, equal to itself. To sort by and to tell rows apart, TQL does the same.
* null is the least value: first in ascending order, last in descending.
* rows have an order, and ties stay in it; `_p` is the place of a row, a column that only SQL has.
* a whole number `% 0` is null, booleans count as 0 and 1, `sqrt` of a negative number is NaN, and of an empty list
  `sum`, `avg`, `amin` and `amax` are 0.
* subscripts count from 0.

Text compared with a number is an error in TQL, and no such query is made. A failing test prints the frames, the query
and the SQL, ready to be pasted and cut down.
"""

from __future__ import annotations

import datetime
import math
import random
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import tql_frames
from tests.random_expressions import (
    ENOUGH,
    FORMS,
    MACROS,
    OLD_POLARS,
    TABLES,
    Expression,
    Form,
    Frames,
    Leaf,
    frames,
    nan,
)
from tests.random_queries import ORDER, Join, Query, QueryWriter, Source, Subquery
from tests.sizes import size
from tql_frames import TQLTypeError

SEEDS = size(3, ENOUGH)
QUERIES = 50  # on each


# --- both engines ----------------------------------------------------------------------------------------------------


class Engines:
    """One set of frames, in DuckDB and as every kind of frame."""

    def __init__(self, tables: Frames, *, arrow: bool = True) -> None:
        self._tables = tables
        self._polars = tables.polars()
        self._pandas = tables.pandas(arrow=arrow)
        self._duckdb = duckdb.connect(config={"threads": 1})
        self._duckdb.execute(MACROS)
        for table in TABLES:
            columns = tables.arrow(table)
            self._duckdb.register("columns", columns.append_column("_p", pa.array(range(len(columns)), pa.int64())))
            self._duckdb.execute(f'CREATE TABLE "{table}" AS SELECT * FROM columns')

    def sql(self, query: Query) -> list[tuple[Any, ...]]:
        labels = ", ".join(f'"{label}"' for label, _ in query.items)
        return self._duckdb.execute(f"SELECT {labels} FROM ({query.sql}) ORDER BY _p").fetchall()

    def tql(self, query: Query, kind: str) -> list[tuple[Any, ...]]:
        """Rows that a kind of frame gives: `eager`, an engine for lazy frames, or `pandas`."""
        if kind == "pandas":
            found = _query(query, self._pandas)
            columns = [pa.array(found.iloc[:, place], from_pandas=True).to_pylist() for place in range(found.shape[1])]
            return list(zip(*columns, strict=True))
        if kind == "eager":
            return _query(query, self._polars).rows()
        plan = _query(query, {name: frame.lazy() for name, frame in self._polars.items()})
        return plan.collect(engine=kind).rows()

    def check(self, query: Query, kind: str, seed: object) -> int:
        """Rows of the answer.

        Raises:
            AssertionError: the engines differ.
        """
        expected = self.sql(query)
        try:
            found = self.tql(query, kind)
            fault = ""
        except (Exception, pl.exceptions.PanicException) as error:
            found, fault = [], f"{type(error).__name__}: {error}"
        if kind == "pandas":
            expected, found = ([tuple(map(_as_pandas, row)) for row in rows] for rows in (expected, found))
        if fault or repr(_plain(found)) != repr(_plain(expected)):
            pytest.fail(self._report(query, kind, seed, expected, fault or found), pytrace=False)
        return len(found)

    def _report(self, query: Query, kind: str, seed: object, expected: object, found: object) -> str:
        call = f"a.tql.query({query.tql!r}, index=None)"
        if not _is_default(query):
            call = f"tql_frames.query({query.tql!r}, index=None, a=a, b=b, c=c)"
        return (
            f"seed {seed}, {kind} frames\nfrom math import inf, nan\nimport datetime, polars as pl, tql_frames\n"
            f"{self._tables.code(query.tql)}\n{call}\n{query.sql}\nDuckDB: {expected}\nTQL:    {found}"
        )


def _query(query: Query, named: dict[str, Any]) -> Any:
    if _is_default(query):
        return named["a"].tql.query(query.tql, index=None)
    return tql_frames.query(query.tql, index=None, **named)


def _is_default(query: Query) -> bool:
    """Whether it reads the one frame that it is called on."""
    return query.without_from or (isinstance(query.source, Subquery) and _is_default(query.source.query))


def _plain(value: Any) -> Any:
    """Zero without its sign, since Polars takes `x + 0.0` for `x`, and `0.0 - x` for `-x`."""
    if isinstance(value, (list, tuple)):
        return [*map(_plain, value)]
    return 0.0 if isinstance(value, float) and value == 0 else value


def _as_pandas(value: Any) -> Any:
    """What pandas cannot tell apart made the same: NaN is null, a date its midnight, a number in a list a float."""
    if isinstance(value, list):
        return [_as_pandas(float(each) if type(each) is int else each) for each in value]
    if type(value) is datetime.date:
        return datetime.datetime(value.year, value.month, value.day)
    return None if isinstance(value, float) and math.isnan(value) else value


def _queries_in(part: Query | Source) -> list[Query]:
    match part:
        case Query():
            return [part, *_queries_in(part.source)]
        case Subquery():
            return _queries_in(part.query)
        case Join():
            return [*_queries_in(part.left), *_queries_in(part.right)]
    return []


def _fails_on_old_polars(query: Query) -> bool:
    """Whether Polars 1.30 crashes or answers wrongly where newer ones do not."""
    return bool(re.search("cross join.* right join", query.tql)) or any(
        any("NULL AS" in key.sql for key, _ in each.keys)  # a comparison with null is one value, not one a row
        or (each.where is not None and not each.where.varies)  # so is a constant, above all in a subquery
        or (each is not query and not all(item.varies for _, item in each.items))
        for each in _queries_in(query)
    )


def _engines(seed: int) -> Engines:
    # pandas' own floats cannot tell NaN from null: they come with frames that hold no NaN.
    plain = seed % 3 == 0
    return Engines(frames(random.Random(f"frames {seed}"), with_nan=not plain), arrow=not plain)


def _queries(seed: int) -> list[Query]:
    return [QueryWriter(random.Random(f"query {seed} {number}")).query() for number in range(QUERIES)]


def _kinds(number: int) -> list[str]:
    """Kinds of frames on which a query runs."""
    if number % 4 == 0:  # the streaming engine of Polars 1 loses rows of joins, and their order
        return ["eager", "in-memory"] if OLD_POLARS else ["eager", "in-memory", "streaming"]
    return ["eager", "pandas"] if number % 4 == 2 else ["eager"]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_answers_are_those_of_duckdb(seed: int) -> None:
    engines = _engines(seed)
    for number, query in enumerate(_queries(seed)):
        if not (OLD_POLARS and _fails_on_old_polars(query)):
            for kind in _kinds(number):
                engines.check(query, kind, (seed, number))


def test_most_queries_give_rows_and_every_form_is_used() -> None:
    rows, used = Counter[bool](), Counter[str]()
    for seed in range(0, SEEDS, 4):
        engines = _engines(seed)
        rows.update(bool(engines.sql(query)) for query in _queries(seed))
    for seed in range(ENOUGH):
        for query in _queries(seed):
            used.update(_forms_of(query))
    assert rows[True] > 0.55 * rows.total()
    assert used.keys() == FORMS.keys()


def _forms_of(query: Query) -> list[str]:
    return [form for each in _queries_in(query) for expression in _expressions(each) for form in _used(expression)]


def _expressions(query: Query) -> list[Expression]:
    where = [] if query.where is None else [query.where]
    return [*(item for _, item in query.items), *where, *(key for key, _ in query.keys), *_conditions(query.source)]


def _conditions(source: Source) -> list[Expression]:
    if not isinstance(source, Join):
        return []
    own = [] if source.condition is None else [source.condition]
    return [*own, *_conditions(source.left), *_conditions(source.right)]


def _used(expression: Expression) -> list[str]:
    if isinstance(expression, Leaf):
        return []
    return [expression.form, *(form for each in expression.arguments for form in _used(each))]


@pytest.mark.parametrize(
    ("table", "name", "wrong"),
    [
        (ORDER, "asc", "{0} ASC NULLS LAST"),
        (ORDER, "desc", "{0} DESC NULLS FIRST"),
        (FORMS, "int %", "(CAST({0} AS BIGINT) - {1} * CAST(floor({0} / nullif(CAST({1} AS BIGINT), 0)) AS BIGINT))"),
        (FORMS, "float <", "(CAST({0} AS DOUBLE) < CAST({1} AS DOUBLE))"),
        (FORMS, "or", "coalesce({0} OR {1}, false)"),
        (FORMS, "not in", "coalesce({0} NOT IN ({1}), true)"),
        (FORMS, "like", "({0} LIKE replace({1}, '!', ''))"),
        (FORMS, "ints[i]", "({0})[{1} + 2]"),
        (FORMS, "floats amin", "known({0}, list_min({0}))"),
    ],
)
def test_a_wrong_translation_is_found(
    monkeypatch: pytest.MonkeyPatch, table: dict[str, Any], name: str, wrong: str
) -> None:
    right = table[name]
    monkeypatch.setitem(table, name, replace(right, sql=wrong) if isinstance(right, Form) else wrong)
    with pytest.raises(pytest.fail.Exception, match="DuckDB: ") as fault:
        for seed in range(ENOUGH):
            queries = [query for query in _queries(seed) if table is not FORMS or name in _forms_of(query)]
            engines = _engines(seed) if queries else None
            for query in queries:
                if engines and not (OLD_POLARS and _fails_on_old_polars(query)):
                    engines.check(query, "eager", seed)
    code = str(fault.value).split("\nSELECT ")[0].split("\n", 1)[1]
    exec(code, {})  # what is printed can be run


def test_text_is_not_compared_with_numbers() -> None:
    frame = pl.DataFrame({"t": ["1", "a"], "n": [1, 2]})
    for condition in ("t = 1", "t < n", "n in ('1', '2')", "t between 1 and 2"):
        with pytest.raises(TQLTypeError, match="cannot compare"):
            frame.tql.query(f"select * where {condition}")


@pytest.mark.parametrize(
    ("columns", "text", "expected"),
    [
        ({"n": [7, 7, -7]}, "select n / 10 as e", [0.7, 0.7, -0.7]),  # was multiplied by 0.1
        ({"f": [1e17, -1e-20]}, "select f % 3 as e", [math.fmod(1e17, 3), -1e-20]),
        ({"l": [[1.0], None], "f": [nan, nan]}, "select contains(l, f) as e", [False, None]),
        ({"k": [1, 2]}, "select -k[0] as k group by k order by k", [-2, -1]),  # by the alias, as without GROUP BY
    ],
)
def test_faults_that_these_queries_found(columns: dict[str, list[Any]], text: str, expected: list[Any]) -> None:
    found = pl.DataFrame(columns).tql.query(text, index=None)
    assert found.to_series().to_list() == expected
