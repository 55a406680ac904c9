"""Random queries on random frames, printed as TQL and as SQL."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tests.random_expressions import COLUMNS, FLOATS, OLD_POLARS, TABLES, Expression, Leaf, Node, Writer, constant_leaf


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
            condition = self._equal(Node("int +", (a, constant_leaf("int", 1))), b)
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
