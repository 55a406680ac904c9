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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tql_frames
from tests.sizes import size
from tql_frames import TQLTypeError

ENOUGH = 40  # pairs of frames, each from a seed of its own, whose queries use every form and find a wrong one
SEEDS = size(6, ENOUGH)
QUERIES = 50  # on each
OLD_POLARS = int(pl.__version__.split(".")[0]) < 2

# --- frames ----------------------------------------------------------------------------------------------------------

nan, inf = math.nan, math.inf
TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "aB",
    "A",
    "a_b",
    "a%b",
    "a*b",
    "a?b",
    "it's",
    'say "x"',
    "é",
    "É",
    "日本",
    "🙂",
    "a\nb",
    "\\",
]
DAYS = [
    datetime.date(1, 1, 1),
    datetime.date(1969, 12, 31),
    datetime.date(2024, 2, 29),
    datetime.date(2024, 5, 1),
    datetime.date(9999, 12, 31),
]
TIMES = [
    datetime.datetime(1970, 1, 1),
    datetime.datetime(2024, 5, 1),
    datetime.datetime(2024, 5, 1, 13, 30),
    datetime.datetime(2024, 5, 1, 13, 30, 0, 1),
]
SMALL = [-7, -3, -2, -1, 0, 1, 2, 3, 5, 10]
BINARY = [-2.5, -1.0, -0.0, 0.0, 0.25, 1.0, 1.5, 3.0, 100.25]  # sums of these are exact in any order


@dataclass(frozen=True)
class Column:
    """A column of the frames: what it holds, for this file, for Polars and for DuckDB."""

    kind: str
    dtype: pl.DataType
    arrow: pa.DataType
    values: Sequence[Any]
    lists: bool = False


COLUMNS = {
    "n": Column("int", pl.Int64(), pa.int64(), SMALL),
    "i": Column("int", pl.Int8(), pa.int8(), [-128, 127, -1, 0, 1, 5]),
    "m": Column("big", pl.Int64(), pa.int64(), [2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 0, 1]),
    "f": Column("float", pl.Float64(), pa.float64(), [*BINARY, nan, nan, inf, -inf]),
    "g": Column(
        "wild", pl.Float64(), pa.float64(), [0.1, 1 / 3, 1e300, -1e300, 5e-324, 1e-9, 2.0**53, 1.0, nan, nan, -0.0]
    ),
    "h": Column("wild", pl.Float32(), pa.float32(), [0.5, -1.5, 0.0, -0.0, 2.0**-140, 2.0**100, nan, inf]),
    "t": Column("text", pl.String(), pa.string(), TEXTS),
    "odd name": Column("text", pl.String(), pa.string(), TEXTS[:6]),
    "p": Column("bool", pl.Boolean(), pa.bool_(), [True, False]),
    "d": Column("date", pl.Date(), pa.date32(), DAYS),
    "at": Column("time", pl.Datetime("us"), pa.timestamp("us"), TIMES),
    "void": Column("void", pl.Null(), pa.int64(), [None]),
    "xs": Column("ints", pl.List(pl.Int64()), pa.list_(pa.int64()), SMALL, lists=True),
    "fs": Column("floats", pl.List(pl.Float64()), pa.list_(pa.float64()), [*BINARY, nan, inf, -inf], lists=True),
    "ts": Column("texts", pl.List(pl.String()), pa.list_(pa.string()), TEXTS, lists=True),
}
TABLES = {"a": tuple(COLUMNS), "b": ("n", "i", "f", "g", "t", "p", "d", "m", "xs"), "c": ("n", "t", "f")}


@dataclass(frozen=True)
class Frames:
    """The values of the three tables, by table and column."""

    values: dict[str, dict[str, list[Any]]]

    def polars(self) -> dict[str, pl.DataFrame]:
        return {
            table: pl.DataFrame(columns, schema={name: COLUMNS[name].dtype for name in columns})
            for table, columns in self.values.items()
        }

    def pandas(self, *, arrow: bool) -> dict[str, pd.DataFrame]:
        """With columns of Arrow types, which tell NaN from null, or of the kinds that pandas makes by itself."""
        if arrow:
            return {table: self.arrow(table).to_pandas(types_mapper=pd.ArrowDtype) for table in self.values}
        dtypes = {"int": "Int64", "big": "Int64", "float": "float64", "wild": "float64", "bool": "boolean"}

        def series(name: str, values: list[Any]) -> pd.Series:
            column = COLUMNS[name]
            untyped = column.lists or all(value is None for value in values)  # pandas would not know the type
            dtype = pd.ArrowDtype(column.arrow) if untyped else dtypes.get(column.kind, "object")
            return pd.Series(values, dtype=dtype)

        return {
            table: pd.DataFrame({name: series(name, values) for name, values in columns.items()})
            for table, columns in self.values.items()
        }

    def arrow(self, table: str) -> pa.Table:
        columns = self.values[table]
        return pa.table({name: pa.array(each, type=COLUMNS[name].arrow) for name, each in columns.items()})

    def code(self, text: str) -> str:
        """Python that makes the columns that a query names."""
        lines = []
        for table, columns in self.values.items():
            names = [name for name in columns if "*" in text or re.search(rf"\b{name}\b", text)] or [*columns][:1]
            cells = ", ".join(f"{name!r}: {columns[name]!r}" for name in names)
            types = ", ".join(f"{name!r}: pl.{COLUMNS[name].dtype!r}" for name in names)
            lines.append(f"{table} = pl.DataFrame({{{cells}}}, schema={{{types.replace('List(', 'List(pl.')}}})")
        return "\n".join(lines)


def frames(source: random.Random, *, with_nan: bool) -> Frames:
    """Random tables: some empty, some columns without nulls and some of nothing else."""

    def value(column: Column, nulls: float) -> Any:
        if source.random() < nulls:
            return None
        if column.lists:
            return [None if source.random() < 0.1 else source.choice(choices) for _ in range(source.randrange(5))]
        return source.choice(choices)

    tables: dict[str, dict[str, list[Any]]] = {}
    for table, names in TABLES.items():
        rows = source.choice([0, 1, 3, 8, 12, *[20] * 15] if table == "a" else [0, 1, 5, *[8, 12] * 6])
        tables[table] = {}
        for name in names:
            column, nulls = COLUMNS[name], source.choice([0.0, 0.1, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3, 0.3, 1.0])
            known = [each for each in column.values if with_nan or not (isinstance(each, float) and math.isnan(each))]
            choices = source.sample(known, min(len(known), source.choice([2, 5, 100])))
            tables[table][name] = [value(column, nulls) for _ in range(rows)]
    return Frames(tables)


# --- expressions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """How an operation is written.

    Attributes:
        kind: of its result.
        level: how tightly it binds in TQL, from 1 for `or` to 9 for what needs no parentheses.
        tql: its text; `{0:5}` is its first argument, in parentheses if that binds less tightly than level 5.
        sql: its text; arguments come in parentheses.
    """

    kind: str
    level: int
    tql: str
    sql: str


@dataclass(frozen=True)
class Leaf:
    """A column or a constant."""

    kind: str
    tql: str
    sql: str
    level: int = 9
    varies: bool = False

    def __format__(self, level: str) -> str:
        return self.tql if self.level >= int(level) else f"({self.tql})"


@dataclass(frozen=True)
class Node:
    """A form and its arguments; printed as TQL by `format(node, level)`."""

    form: str
    arguments: tuple[Expression, ...]

    @property
    def kind(self) -> str:
        return FORMS[self.form].kind or self.arguments[0].kind

    @property
    def varies(self) -> bool:
        """Whether it has columns."""
        return any(each.varies for each in self.arguments)

    @property
    def sql(self) -> str:
        return FORMS[self.form].sql.format(*(each.sql for each in self.arguments))

    def __format__(self, level: str) -> str:
        form = FORMS[self.form]
        text = form.tql.format(*self.arguments)
        return text if form.level >= int(level) else f"({text})"


Expression: TypeAlias = "Leaf | Node"

# What TQL says and SQL does not.
MACROS = """\
CREATE MACRO ieee(a, b, less, equal, greater, unordered) AS CASE
    WHEN a IS NULL OR b IS NULL THEN NULL
    WHEN isnan(a) OR isnan(b) THEN unordered
    WHEN a < b THEN less WHEN a = b THEN equal ELSE greater END;
CREATE MACRO ieee_in(a, items) AS CASE
    WHEN a IS NULL THEN NULL
    WHEN NOT isnan(a) AND list_contains(items, a) THEN true
    WHEN len(items) > list_count(items) THEN NULL ELSE false END;
CREATE MACRO root(a) AS CASE WHEN a < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt(a) END;
CREATE MACRO at_place(list, i) AS list[CASE WHEN i < 0 THEN i ELSE i + CAST(1 AS BIGINT) END];
CREATE MACRO holds(list, item) AS CASE
    WHEN list IS NULL OR item IS NULL THEN NULL ELSE list_contains(list, item) END;
CREATE MACRO float_holds(list, item) AS CASE
    WHEN list IS NULL OR item IS NULL THEN NULL ELSE NOT isnan(item) AND list_contains(list, item) END;
CREATE MACRO any_found(list, found) AS CASE WHEN list IS NULL THEN NULL ELSE found > 0 END;
CREATE MACRO all_found(list, found) AS CASE WHEN list IS NULL THEN NULL ELSE found = len(list) END;
CREATE MACRO known(list, found) AS CASE WHEN list IS NULL THEN NULL ELSE coalesce(found, 0) END;
CREATE MACRO with_nan(list, found) AS CASE
    WHEN list_contains(list, CAST('nan' AS DOUBLE)) THEN CAST('nan' AS DOUBLE) ELSE known(list, found) END;
"""

# Operator in TQL -> in SQL, and what it is of numbers that are less, equal, greater, and of NaN.
COMPARISONS = {
    "=": ("=", "false, true, false, false"),
    "==": ("=", "false, true, false, false"),
    "!=": ("<>", "true, false, true, true"),
    "<>": ("<>", "true, false, true, true"),
    "<": ("<", "true, false, false, false"),
    "<=": ("<=", "true, true, false, false"),
    ">": (">", "false, false, true, false"),
    ">=": (">=", "false, true, true, false"),
}


def _forms() -> dict[str, Form]:
    forms = {
        "or": Form("bool", 1, "{0:1} or {1:2}", "({0} OR {1})"),
        "and": Form("bool", 2, "{0:2} and {1:3}", "({0} AND {1})"),
        "not": Form("bool", 3, "not {0:3}", "(NOT {0})"),
        "not number": Form("bool", 3, "not {0:3}", "(NOT ({0} <> 0))"),
        "group": Form("bool", 9, "({0:1})", "({0})"),
        "is null": Form("bool", 4, "{0:5} is null", "({0} IS NULL)"),
        "is not null": Form("bool", 4, "{0:5} is not null", "({0} IS NOT NULL)"),
        ",": Form("items", 1, "{0:1}, {1:2}", "{0}, {1}"),
        "in": Form("bool", 4, "{0:5} in ({1:1})", "({0} IN ({1}))"),
        "not in": Form("bool", 4, "{0:5} not in ({1:1})", "({0} NOT IN ({1}))"),
        "float in": Form("bool", 4, "{0:5} in ({1:1})", "ieee_in(CAST({0} AS DOUBLE), CAST([{1}] AS DOUBLE[]))"),
        "between": Form("bool", 4, "{0:5} between {1:5} and {2:5}", "({0} BETWEEN {1} AND {2})"),
        "not between": Form("bool", 4, "{0:5} not between {1:5} and {2:5}", "({0} NOT BETWEEN {1} AND {2})"),
        "like": Form("bool", 4, "{0:5} like {1:9}", "({0} LIKE {1} ESCAPE '!')"),
        "not like": Form("bool", 4, "{0:5} not like {1:9}", "({0} NOT LIKE {1} ESCAPE '!')"),
        "ilike": Form("bool", 4, "{0:5} ilike {1:9}", "({0} ILIKE {1} ESCAPE '!')"),
        "text contains": Form("bool", 9, "contains({0:1}, {1:1})", "contains({0}, {1})"),
        "contains": Form("bool", 9, "contains({0:1}, {1:1})", "holds({0}, {1})"),
        "float contains": Form("bool", 9, "contains({0:1}, {1:1})", "float_holds({0}, CAST({1} AS DOUBLE))"),
        "/": Form("wild", 6, "{0:6} / {1:7}", _typed("DOUBLE", "/")),
        "int %": Form("int", 6, "{0:6} % {1:7}", "(CAST({0} AS BIGINT) % nullif(CAST({1} AS BIGINT), 0))"),
        "float %": Form("float", 6, "{0:6} % {1:7}", _typed("DOUBLE", "%")),
        "int -x": Form("int", 7, "- {0:7}", "(- CAST({0} AS BIGINT))"),
        "float -x": Form("wild", 7, "- {0:7}", "(- CAST({0} AS DOUBLE))"),
        "int abs": Form("int", 9, "abs({0:1})", "abs(CAST({0} AS BIGINT))"),
        "float abs": Form("wild", 9, "abs({0:1})", "abs(CAST({0} AS DOUBLE))"),
        "sqrt": Form("wild", 9, "sqrt({0:1})", "root(CAST({0} AS DOUBLE))"),
        "len": Form("int", 9, "shape({0:1})[0]", "len({0})"),
        "[i:]": Form("", 9, "{0:8}[{1:1}:]", "({0})[{1} + 1:]"),
        "[-i:]": Form("", 9, "{0:8}[-{1:1}:]", "({0})[-{1}:]"),
        "[:i]": Form("", 9, "{0:8}[:{1:1}]", "({0})[1:{1}]"),
        "ints sum": Form("int", 9, "sum({0:1})", "CAST(known({0}, list_sum({0})) AS BIGINT)"),
        "floats sum": Form("float", 9, "sum({0:1})", "known({0}, list_sum({0}))"),
        "ints avg": Form("wild", 9, "avg({0:1})", "CAST(known({0}, list_avg({0})) AS DOUBLE)"),
        "floats avg": Form("wild", 9, "avg({0:1})", "known({0}, list_avg({0}))"),
    }
    for sign, level in (("+", 5), ("-", 5), ("*", 6)):
        for kind, dtype in (("int", "BIGINT"), ("float", "DOUBLE")):
            result = "int" if kind == "int" else "wild"
            tql = f"{{0:{level}}} {sign} {{1:{level + 1}}}"
            forms[f"{kind} {sign}"] = Form(result, level, tql, _typed(dtype, sign))
    for operator, (sql, outcomes) in COMPARISONS.items():
        tql = f"{{0:5}} {operator} {{1:5}}"
        ieee = f"ieee(CAST({{0}} AS DOUBLE), CAST({{1}} AS DOUBLE), {outcomes})"
        forms[operator] = Form("bool", 4, tql, f"({{0}} {sql} {{1}})")
        forms[f"int {operator}"] = Form("bool", 4, tql, _typed("BIGINT", sql))
        forms[f"float {operator}"] = Form("bool", 4, tql, ieee)
        if operator in ("==", "<>"):
            continue
        # A null element is neither found by `any` nor passed by `all`; a comprehension leaves it out for both.
        tests = {"": f"element {sql} {{1}}", "float ": f"ieee(element, CAST({{1}} AS DOUBLE), {outcomes})"}
        for prefix, test in tests.items():
            for fold, macro in (("any", "any_found"), ("all", "all_found")):
                found = f"{macro}({{0}}, len([element FOR element IN {{0}} IF {test}]))"
                forms[f"{prefix}{fold} {operator}"] = Form("bool", 9, f"{fold}({tql})", found)
    for kind, least in {"ints": "known", "floats": "with_nan", "texts": "coalesce"}.items():
        forms[f"{kind}[i]"] = Form(ELEMENTS[kind], 9, "{0:8}[{1:1}]", "at_place({0}, {1})")
        for name in ("min", "max"):
            found = f"list_{name}({{0}})" if least == "coalesce" else f"{least}({{0}}, list_{name}({{0}}))"
            forms[f"{kind} a{name}"] = Form(ELEMENTS[kind], 9, f"a{name}({{0:1}})", found)
    return forms


def _typed(dtype: str, operator: str) -> str:
    return f"(CAST({{0}} AS {dtype}) {operator} CAST({{1}} AS {dtype}))"


ELEMENTS = {"ints": "int", "floats": "float", "texts": "text"}
FORMS = _forms()


class Writer:
    """Makes random expressions over some columns."""

    def __init__(self, source: random.Random, columns: Sequence[Leaf]) -> None:
        self._source = source
        self._columns = columns

    def _one(self, *choices: Any) -> Any:
        return self._source.choice(choices)

    def column(self, *kinds: str) -> Leaf | None:
        found = [each for each in self._columns if each.kind in kinds]
        return self._source.choice(found) if found else None

    def constant(self, kind: str) -> Leaf:
        choices = [each for column in COLUMNS.values() if column.kind == kind for each in column.values]
        if not choices or kind == "void":
            return _null(kind)
        value = self._source.choice([each for each in choices if each is not None and not _unspeakable(each)])
        return _constant(kind, value)

    def leaf(self, *kinds: str) -> Leaf:
        kind = self._source.choice(kinds)
        chance = self._source.random()
        found = self.column(*kinds) if chance < 0.7 else None
        return found or (_null(kind) if chance > 0.98 else self.constant(kind))

    def int(self, depth: int) -> Expression:
        if depth == 0:
            return self.leaf("int")
        match self._source.randrange(8):
            case 0 | 1:
                return self.column("void") or self.leaf("int") if self._source.random() < 0.1 else self.leaf("int")
            case 2 | 3:
                return Node(f"int {self._one('+', '-', '*')}", (self.int(depth - 1), self.int(depth - 1)))
            case 4:
                return Node("int %", (self.int(depth - 1), self.int(depth - 1)))
            case 5:
                return Node(self._one("int -x", "int abs"), (self._one(self.int, self.leaf_bool)(depth - 1),))
            case 6 if (items := self.list("ints", "floats", "texts")) is not None:
                return Node("len", (items,))
            case _ if (items := self.list("ints")) is not None:
                return self.of_list(items)
        return self.leaf("int")

    def leaf_bool(self, depth: int) -> Expression:
        return self.leaf("bool")

    def float(self, depth: int) -> Expression:
        if depth == 0:
            return self.leaf(*FLOATS)
        number = self._one(self.int, self.float, self.float)
        match self._source.randrange(11):
            case 0 | 1:
                return self.leaf(*FLOATS)
            case 2 | 3:
                pair = [self.float(depth - 1), number(depth - 1)]
                self._source.shuffle(pair)
                return Node(f"float {self._one('+', '-', '*')}", tuple(pair))
            case 4:
                return Node("/", (number(depth - 1), self.divisor(depth - 1)))
            case 5:
                return Node("float %", (self.float(depth - 1), self._one(self.leaf("int"), self.leaf("float"))))
            case 6:
                return Node(self._one("float -x", "float abs"), (self.float(depth - 1),))
            case 7:
                return Node("sqrt", (number(depth - 1),))
            case 8 if (items := self.list("ints")) is not None:
                return Node("ints avg", (items,))
            case _ if (items := self.list("floats")) is not None:
                return self.of_list(items)
        return self.leaf(*FLOATS)

    def divisor(self, depth: int) -> Expression:
        """What has one zero only."""
        found: Expression = self._one(self.int(depth), self.leaf("float", "wild"))
        return found if found.varies else _constant("int", self._one(0, 1, -2, 3, 10))

    def text(self) -> Expression:
        items = self.list("texts") if self._source.random() < 0.2 else None
        return self.leaf("text") if items is None else self.of_list(items)

    def list(self, *kinds: str) -> Expression | None:
        found: Expression | None = self.column(*kinds)
        if found is not None and self._source.random() < 0.25:
            return Node(self._one("[i:]", "[:i]", "[-i:]"), (found, _constant("int", self._source.randrange(1, 4))))
        return found

    def of_list(self, items: Expression) -> Expression:
        folds = {"ints": ("sum", "amin", "amax"), "floats": ("sum", "avg", "amin", "amax"), "texts": ("amin", "amax")}
        if self._source.random() < 0.4:
            place = self._one(self.column("int"), None) or _constant("int", self._source.randrange(-3, 4))
            return Node(f"{items.kind}[i]", (items, place))
        return Node(f"{items.kind} {self._source.choice(folds[items.kind])}", (items,))

    def bool(self, depth: int) -> Expression:
        if depth == 0:
            return self.leaf("bool") if self._source.random() < 0.6 else self.comparison(0)
        match self._source.randrange(20):
            case 0:
                return self.leaf("bool")
            case 1 | 2:
                return Node(self._one("and", "or"), (self.bool(depth - 1), self.bool(depth - 1)))
            case 3:
                return Node(self._one("not", "group"), (self.bool(depth - 1),))
            case 4:
                return Node("not number", (self._one(self.int, self.float)(depth - 1),))
            case 5:
                any_of = self._one(self.int, self.float, self.bool)(depth - 1)
                found = self._one(any_of, self.column(*KINDS) or any_of)
                return Node(self._one("is null", "is not null"), (found,))
            case 6 | 7:
                return self.membership(depth)
            case 8:
                return self.between(depth)
            case 9 | 13 | 14:
                return Node(self._one("like", "like", "not like", "ilike"), (self.text(), self.pattern()))
            case 10 | 11 | 15 if (items := self.list("ints", "floats", "texts")) is not None:
                return self.on_list(items)
            case 12:
                return Node("text contains", (self.text(), self.leaf("text")))
        return self.comparison(depth)

    def comparison(self, depth: int) -> Expression:
        operator = self._source.choice([*COMPARISONS])
        match self._source.randrange(8):
            case 0 | 1:
                return Node(f"int {operator}", (self.int(depth), self._one(self.int(depth), self.leaf("big", "bool"))))
            case 2 | 3 | 4:
                pair = [self.leaf(*FLOATS), self._one(self.int, self.float, self.float)(depth)]
                self._source.shuffle(pair)
                return Node(f"float {operator}", tuple(pair))
            case 5:
                return Node(operator, (self.bool(max(depth - 1, 0)), self.leaf("bool")))
            case _ if (moment := self.column("date", "time")) is not None:
                pair = [moment, self.constant(moment.kind)]
                self._source.shuffle(pair)
                return Node(operator, tuple(self._one(pair, [moment, self.column("date", "time")])))
        return Node(operator, (self.text(), self.leaf("text")))

    def membership(self, depth: int) -> Expression:
        kind = self._one("int", "float", "text", "date", "big")
        of: Expression | None = self.column(kind)
        if kind in ("int", "float") and self._source.random() < 0.5:
            of = self.int(depth - 1) if kind == "int" else self.float(depth - 1)
        if of is None:
            return self.comparison(depth)
        numbers = kind == "float"
        some: Callable[[], Leaf] = (lambda: self.leaf("int", "float")) if numbers else lambda: self.constant(kind)
        items: Expression = some()
        for _ in range(self._source.randrange(4)):
            other = _null(kind) if self._source.random() < 0.15 else some()
            items = Node(",", (items, other))
        return Node("float in" if numbers else self._one("in", "not in"), (of, items))

    def between(self, depth: int) -> Expression:
        negated = self._one("", "not ")
        kind = self._one("int", "text", "date", "time", "big")
        of = self.int(depth - 1) if kind == "int" else self.column(kind)
        if of is None:
            return self.comparison(depth)
        bounds = (self.leaf(kind), self.leaf(kind)) if kind in ("int", "text") else (self.constant(kind),) * 2
        return Node(f"{negated}between", (of, *bounds))

    def pattern(self) -> Leaf:
        """A text of the frames with some of its characters, or all from one on, replaced by what stands for them."""
        tql, sql = "", ""
        for char in self._source.choice(TEXTS) + self._one("", "", "b"):
            chance = self._source.random()
            if char in "%*" or chance < 0.15:
                tql, sql = tql + self._one("%", "*"), sql + "%"
            elif char == "?" or chance < 0.3:
                tql, sql = tql + "?", sql + "_"
            else:
                same = self._one(char, char, char, "_")
                tql, sql = tql + same, sql + ("!_" if same == "_" else same)
        if self._source.random() < 0.4:
            tql, sql = tql + "%", sql + "%"
        return Leaf("text", _quoted(tql), _quoted(sql))

    def on_list(self, items: Expression) -> Expression:
        element = ELEMENTS[items.kind]
        item = self.leaf("text") if element == "text" else self._one(self.leaf("int"), self.leaf("float"))
        prefix = "float " if "float" in (element, item.kind) else ""
        if self._source.random() < 0.3:
            return Node(f"{prefix}contains", (items, item))
        constant = self.constant(element)
        fold = f"{self._one('any', 'all')} {self._one('=', '!=', '<', '<=', '>', '>=')}"
        return Node(f"float {fold}" if element == "float" else fold, (items, constant))


FLOATS = ("float", "wild", "computed")
KINDS = tuple({column.kind: None for column in COLUMNS.values()})


def _null(kind: str) -> Leaf:
    types = {"text": "VARCHAR", "bool": "BOOLEAN", "date": "DATE", "time": "TIMESTAMP", "float": "DOUBLE"}
    return Leaf(kind, "null", f"CAST(NULL AS {types.get(kind, 'BIGINT')})")


def _unspeakable(value: Any) -> bool:
    """Whether a value has no literal: NaN, an infinity, the least whole number."""
    return (isinstance(value, float) and not math.isfinite(value)) or value == -(2**63)


def _constant(kind: str, value: Any) -> Leaf:
    if isinstance(value, bool):
        return Leaf(kind, str(value).lower(), str(value))
    if isinstance(value, str):
        return Leaf(kind, _quoted(value), _quoted(value))
    if isinstance(value, datetime.datetime):
        return Leaf(kind, f"'{value.isoformat()}'", f"TIMESTAMP '{value.isoformat()}'")
    if isinstance(value, datetime.date):
        return Leaf(kind, f"'{value.isoformat()}'", f"DATE '{value.isoformat()}'")
    # In SQL 0.1 is a decimal number, which compares otherwise.
    sql = f"CAST('{value!r}' AS DOUBLE)" if isinstance(value, float) else f"({value})"
    return Leaf(kind, repr(value), sql, level=7 if repr(value).startswith("-") else 9)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# --- queries ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """A frame, under a name of its own if it is not queried without FROM."""

    table: str
    name: str

    @property
    def tql(self) -> str:
        return self.table if self.name == self.table else f"{self.table} as {self.name}"

    @property
    def sql(self) -> str:
        return f'"{self.table}" AS {self.name}'

    @property
    def order(self) -> tuple[str, ...]:
        return (f"{self.name}._p",)


@dataclass(frozen=True)
class Subquery:
    """A statement in parentheses."""

    query: Query
    name: str
    named: bool

    @property
    def tql(self) -> str:
        return f"({self.query.tql})" + (f" as {self.name}" if self.named else "")

    @property
    def sql(self) -> str:
        return f"({self.query.sql}) AS {self.name}"

    @property
    def order(self) -> tuple[str, ...]:
        return (f"{self.name}._p",)


@dataclass(frozen=True)
class Join:
    """Two sources; `condition` is None for CROSS JOIN, `using` the name of a column."""

    kind: str
    left: Source
    right: Source
    condition: Expression | None = None
    using: str | None = None

    @property
    def tql(self) -> str:
        on = f" using ({_name(self.using)})" if self.using else ""
        on = on or ("" if self.condition is None else f" on {self.condition:1}")
        return f"{self.left.tql} {self.kind} join {self.right.tql}{on}"

    @property
    def sql(self) -> str:
        on = "" if self.condition is None else f" ON {self.condition.sql}"
        return f"({self.left.sql} {self.kind.upper()} JOIN {self.right.sql}{on})"

    @property
    def order(self) -> tuple[str, ...]:
        """Of the left rows, and for equal ones of the right; of a RIGHT JOIN the other way round."""
        if self.kind == "right":
            return (*self.right.order, *self.left.order)
        return (*self.left.order, *self.right.order)


Source: TypeAlias = Table | Subquery | Join


@dataclass(frozen=True)
class Query:
    """A SELECT.

    Attributes:
        source: what it reads.
        items: label and expression of each column of the result.
        text_of_items: how TQL lists them, such as `*`.
        where: the condition.
        groups: columns to group by; the items are then `GROUPED` ones.
        distinct: whether equal rows come once.
        keys: what to sort by, and whether descending.
        limit: the most rows.
        offset: rows to leave out.
        without_from: whether it reads the one frame that it is called on.
    """

    source: Source
    items: tuple[tuple[str, Expression], ...]
    text_of_items: str
    where: Expression | None = None
    groups: tuple[Expression, ...] = ()
    distinct: bool = False
    keys: tuple[tuple[Expression, bool], ...] = ()
    limit: int | None = None
    offset: int | None = None
    without_from: bool = False

    @property
    def tql(self) -> str:
        text = "select distinct " if self.distinct else "select "
        text += self.text_of_items
        if not self.without_from:
            text += f" from {self.source.tql}"
        if self.where is not None:
            text += f" where {self.where:1}"
        if self.groups:
            text += " group by " + ", ".join(f"{each:1}" for each in self.groups)
        if self.keys:
            text += " order by " + ", ".join(f"{each:1}{' desc' * down}" for each, down in self.keys)
        text += "" if self.limit is None else f" limit {self.limit}"
        return text + ("" if self.offset is None else f" offset {self.offset}")

    @property
    def sql(self) -> str:
        """With one more column, `_p`: the place of a row."""
        labels = ", ".join(f'"{label}"' for label, _ in self.items)
        place = ORDER["source"].format(", ".join(f"{each} NULLS LAST" for each in self.source.order))
        items = [f'{each.sql} AS "{label}"' for label, each in self.items]
        # After DISTINCT and GROUP BY only what they give is there to sort by.
        late = self.distinct or bool(self.groups)
        keys = [each.sql for each, _ in self.keys]
        if not late:
            items += [f"{key} AS _k{number}" for number, key in enumerate(keys)]
            keys = [f"_k{number}" for number in range(len(keys))]
        items.append("min(_p) AS _p" if self.groups else f"{place} AS _p")
        text = f"SELECT {', '.join(items)} FROM {self.source.sql}"
        if self.where is not None:
            text += f" WHERE {self.where.sql}"
        if self.groups:
            text += " GROUP BY " + ", ".join(each.sql for each in self.groups)
        if self.distinct:
            text = f"SELECT * FROM ({text}) QUALIFY row_number() OVER (PARTITION BY {labels} ORDER BY _p) = 1"
        order = ", ".join(
            [
                *(ORDER["desc" if down else "asc"].format(key) for key, (_, down) in zip(keys, self.keys, strict=True)),
                "_p",
            ]
        )
        text = f"SELECT {labels}, row_number() OVER (ORDER BY {order}) AS _p FROM ({text}) ORDER BY {order}"
        text += "" if self.limit is None else f" LIMIT {self.limit}"
        return text + ("" if self.offset is None else f" OFFSET {self.offset}")


# Null is the least value.
ORDER = {
    "asc": "{0} ASC NULLS FIRST",
    "desc": "{0} DESC NULLS LAST",
    "source": "row_number() OVER (ORDER BY {0})",
}


def _name(name: str) -> str:
    return name if name.isidentifier() else f'"{name}"'


# What a column of a group may be asked for: kinds, kind of the answer, TQL, SQL.
GROUPED = (
    (("int", "float", "wild", "text", "bool", "date"), "", "{0}[0]", "(list({0} ORDER BY _p))[1]"),
    (("int", "float", "wild", "text", "bool", "date"), "", "{0}[-1]", "(list({0} ORDER BY _p))[-1]"),
    (("int", "float", "text"), "s", "{0}", "list({0} ORDER BY _p)"),
    (("int", "text", "bool"), "int", "shape({0})[0]", "count(*)"),
    (("int",), "int", "sum({0})", "CAST(coalesce(sum({0}), 0) AS BIGINT)"),
    (("float",), "float", "sum({0})", "coalesce(sum({0}), 0)"),
    (("int", "float"), "computed", "avg({0})", "coalesce(avg({0}), 0)"),
    (("int",), "int", "amin({0})", "CAST(coalesce(min({0}), 0) AS BIGINT)"),
    (("text", "date"), "", "amax({0})", "max({0})"),
    (
        ("float", "wild"),
        "float",
        "amax({0})",
        "CASE WHEN bool_or(isnan({0})) THEN CAST('nan' AS DOUBLE) ELSE coalesce(max({0}), 0) END",
    ),
    (("bool",), "bool", "any({0})", "coalesce(bool_or({0}), false)"),
    (("bool",), "bool", "all({0})", "bool_and(coalesce({0}, false))"),
    (("int",), "bool", "contains({0}, 1)", "coalesce(bool_or({0} = 1), false)"),
    (("text",), "bool", "contains({0}, 'a')", "coalesce(bool_or({0} = 'a'), false)"),
)
SORTABLE = ("int", "big", "float", "wild", "text", "bool", "date", "time", "computed", "void")


class QueryWriter:
    """Makes random queries; frames get names of their own, so that every column can be told."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self._names = iter([*"xyzuvwrs", *(f"x{number}" for number in range(99))])
        self._without_from = source.random() < 0.4

    def _chance(self, share: float) -> bool:
        return self._source.random() < share

    def query(self, depth: int = 2) -> Query:
        source, columns = self._from(depth)
        without_from = self._without_from and isinstance(source, Table)
        if not isinstance(source, Join) and self._chance(0.12):
            query = self._grouped(source, columns)
        else:
            query = self._select(source, columns)
        query = replace(query, without_from=without_from)
        if self._chance(0.3):
            query = replace(query, limit=self._source.choice([1, 3, 10, 10, 100, *[0] * self._chance(0.1)]))
        if self._chance(0.15):
            query = replace(query, offset=self._source.choice([0, 1, 1, 2]))
        return query

    # -- FROM

    def _from(self, depth: int) -> tuple[Source, list[Leaf]]:
        if depth > 0 and not self._without_from and self._chance(0.5):
            return self._join(depth)
        return self._plain(depth, alone=True)

    def _plain(self, depth: int, *, alone: bool = False) -> tuple[Source, list[Leaf]]:
        if depth > 0 and self._chance(0.25):
            name = next(self._names)
            query = self.query(depth - 1)
            kinds = {label: _settled(item) for label, item in query.items}
            subquery = Subquery(query, name, named=not alone or self._chance(0.5))
            return subquery, [_column(kind, name, label) for label, kind in kinds.items()]
        table = "a" if self._without_from else self._source.choice("aaabbc")
        name = table if self._without_from else next(self._names)
        return Table(table, name), [_column(COLUMNS[each].kind, name, each) for each in TABLES[table]]

    def _join(self, depth: int) -> tuple[Source, list[Leaf]]:
        left, columns = self._plain(depth)
        for _ in range(self._source.choice([1, 1, 1, 2])):
            right, others = self._plain(depth)
            left, columns = self._joined(left, columns, right, others)
        return left, columns

    def _joined(
        self, left: Source, columns: list[Leaf], right: Source, others: list[Leaf]
    ) -> tuple[Source, list[Leaf]]:
        kind = self._source.choice(["inner", "left", "right", "full"])
        pairs = [(a, b) for a in columns for b in others if a.kind == b.kind and a.kind in SORTABLE[:-1]]
        mixed = [(a, b) for a in columns for b in others if {a.kind, b.kind} in ({"int", "float"}, {"int", "wild"})]
        if not pairs or self._chance(0.08):
            return Join("cross", left, right), _qualified(columns + others)
        a, b = self._source.choice(mixed) if mixed and self._chance(0.1) else self._source.choice(pairs)
        once = [label for label, times in Counter(map(_label, columns)).items() if times == 1]
        named = [(a, b) for a, b in pairs if _label(a) == _label(b) in once]
        if named and self._chance(0.35):
            a, b = self._source.choice(named)
            merged = Leaf(a.kind, _name(_label(a)), f"coalesce({a.sql}, {b.sql})", varies=True)
            rest = [each for each in (*columns, *others) if each not in (a, b)]
            return Join(kind, left, right, Node(f"{_family(a, b)}=", (a, b)), _label(a)), _qualified([merged, *rest])
        both = {each.sql: each for each in _qualified(columns + others)}
        columns, others = ([both[each.sql] for each in side] for side in (columns, others))
        a, b = both[a.sql], both[b.sql]
        condition = self._equal(a, b)
        if a.kind == b.kind == "int" and self._chance(0.3):
            condition = self._equal(Node("int +", (a, _constant("int", 1))), b)
        if self._chance(0.25):
            c, d = self._source.choice(pairs)
            condition = Node("and", (condition, self._equal(both[c.sql], both[d.sql])))
        if self._chance(0.3):
            # Only an INNER JOIN takes any condition; an outer one takes those on the side that may be missing.
            sides = {"inner": columns + others, "left": others, "right": columns}
            if kind in sides:
                other = Writer(self._source, sides[kind]).comparison(0)
                # An equality of two sides takes columns of like types only; a constant is no condition of a side.
                if other.form.split()[-1] not in ("=", "==") and other.varies:
                    condition = Node("and", (condition, other))
        return Join(kind, left, right, condition), columns + others

    def _equal(self, a: Expression, b: Expression) -> Expression:
        if self._chance(0.3):
            a, b = b, a
        return Node(f"{_family(a, b)}{self._source.choice(['=', '=='])}", (a, b))

    # -- SELECT

    def _select(self, source: Source, columns: list[Leaf]) -> Query:
        writer = Writer(self._source, columns)
        where = writer.bool(2) if self._chance(0.45) else None
        items, text = self._items(source, columns, writer)
        flat = all(each.kind in SORTABLE for _, each in items)
        distinct = flat and self._chance(0.25)
        # A column is called as before, anything else by its alias.
        names = [each.tql if each in columns and label == _label(each) else _name(label) for label, each in items]
        if distinct:
            outputs = zip(names, items, strict=True)
            keys = self._keys([Leaf(each.kind, name, f'"{label}"', varies=True) for name, (label, each) in outputs])
        else:
            aliases = [
                Leaf(each.kind, name, each.sql, varies=True) for name, (_, each) in zip(names, items, strict=True)
            ]
            keys = self._keys([*aliases, *(each for each in columns if each.tql not in names)])
        return Query(source, tuple(items), text, where, distinct=distinct, keys=keys)

    def _items(self, source: Source, columns: list[Leaf], writer: Writer) -> tuple[list[tuple[str, Expression]], str]:
        if not isinstance(source, Join) and self._chance(0.15):
            return [(_label(each), each) for each in columns], "*"
        items: dict[str, Expression] = {}
        texts = []
        for _ in range(self._source.choice([1, 2, 2, 3, 4])):
            item: Expression = self._source.choice(columns)
            if self._chance(0.5):
                item = self._source.choice([writer.int, writer.float, writer.float, writer.bool])(2)
            label = _label(item) if isinstance(item, Leaf) and item in columns else ""
            if not label or label in items or self._chance(0.2):
                label = next(name for name in ("e0", "e1", "e2", "e3", "e4") if name not in items)
                texts.append(f"{item:1}{self._source.choice([' as ', ' '])}{label}")
            else:
                texts.append(f"{item:1}")
            items[label] = item
        return [*items.items()], ", ".join(texts)

    def _keys(self, columns: Sequence[Leaf]) -> tuple[tuple[Expression, bool], ...]:
        columns = [each for each in columns if each.kind in SORTABLE]
        if not columns or self._chance(0.35):
            return ()
        writer = Writer(self._source, columns)
        keys: list[tuple[Expression, bool]] = []
        for _ in range(self._source.choice([1, 1, 2, 3])):
            key: Expression = self._source.choice(columns)
            if self._chance(0.2):
                key = self._source.choice([writer.int, writer.float, writer.bool])(1)
            if key.varies:  # in SQL a number alone is the place of a column
                descending = self._chance(0.5)
                if OLD_POLARS and descending:  # where it sorts by nulls alone it reverses the rows: true comes before
                    true = Node("or", (Node("is null", (key,)), Node("is not null", (key,))))
                    keys.append((true, False))
                keys.append((key, descending))
        return tuple(keys)

    def _grouped(self, source: Source, columns: list[Leaf]) -> Query:
        writer = Writer(self._source, columns)
        single = [each for each in columns if each.kind in SORTABLE]
        groups = self._source.sample(single, min(len(single), self._source.choice([1, 1, 2])))
        items: dict[str, Expression] = {}
        labels = ["e0", "e1", "e2", "e3", "e4", "e5"]
        for label in labels[: self._source.choice([1, 2, 3, 4])]:
            kinds, kind, tql, sql = self._source.choice(GROUPED)
            column = writer.column(*kinds)
            if column is not None:
                result = {"": column.kind, "s": f"{column.kind}s"}.get(kind, kind)
                items[label] = Leaf(result, tql.format(column.tql), sql.format(column.sql), varies=True)
        if not groups or not items:
            return self._select(source, columns)
        where = writer.bool(1) if self._chance(0.4) else None
        text = ", ".join(f"{item:1} as {label}" for label, item in items.items())
        keys = self._keys([Leaf(each.kind, label, f'"{label}"', varies=True) for label, each in items.items()])
        return Query(source, tuple(items.items()), text, where, tuple(groups), keys=keys)


def _column(kind: str, frame: str, name: str) -> Leaf:
    return Leaf(kind, _name(name), f'{frame}."{name}"', varies=True)


def _settled(item: Expression) -> str:
    """Kind of a column of a subquery: what was computed is not multiplied again, nor is it a divisor."""
    if isinstance(item, Leaf) and item.varies:
        return item.kind
    if not item.varies and "NULL" in item.sql:
        return "void"
    return {"int": "big", "float": "computed", "wild": "computed"}.get(item.kind, item.kind)


def _label(column: Leaf) -> str:
    return column.sql.split('"')[-2]


def _qualified(columns: Sequence[Leaf]) -> list[Leaf]:
    """Columns of joined frames, by the name of their frame; what USING made one has both names, and may do without."""
    times = Counter(map(_label, columns))

    def qualified(column: Leaf) -> Leaf:
        if "coalesce" in column.sql and times[_label(column)] == 1:
            return column
        frame = column.sql.split(".")[0].split("(")[-1]
        return replace(column, tql=f"{frame}.{_name(_label(column))}")

    return [*map(qualified, columns)]


def _family(a: Expression, b: Expression) -> str:
    kinds = {a.kind, b.kind}
    return "float " if kinds & {*FLOATS} else "int " if kinds <= {"int", "bool"} and kinds != {"bool"} else ""


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
            engines = _engines(seed)
            for query in _queries(seed):
                uses_it = table is not FORMS or name in _forms_of(query)
                if uses_it and not (OLD_POLARS and _fails_on_old_polars(query)):
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
