"""Random frames, and random expressions on them, printed as TQL and as SQL."""

from __future__ import annotations

import datetime
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd
import polars as pl
import pyarrow as pa

ENOUGH = 40  # pairs of frames, each from a seed of its own, whose queries use every form and find a wrong one
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
        return constant_leaf(kind, value)

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
        return found if found.varies else constant_leaf("int", self._one(0, 1, -2, 3, 10))

    def text(self) -> Expression:
        items = self.list("texts") if self._source.random() < 0.2 else None
        return self.leaf("text") if items is None else self.of_list(items)

    def list(self, *kinds: str) -> Expression | None:
        found: Expression | None = self.column(*kinds)
        if found is not None and self._source.random() < 0.25:
            return Node(self._one("[i:]", "[:i]", "[-i:]"), (found, constant_leaf("int", self._source.randrange(1, 4))))
        return found

    def of_list(self, items: Expression) -> Expression:
        folds = {"ints": ("sum", "amin", "amax"), "floats": ("sum", "avg", "amin", "amax"), "texts": ("amin", "amax")}
        if self._source.random() < 0.4:
            place = self._one(self.column("int"), None) or constant_leaf("int", self._source.randrange(-3, 4))
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


def constant_leaf(kind: str, value: Any) -> Leaf:
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
