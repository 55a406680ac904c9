"""What a statement on one frame means, in plain Python over lists of rows, written from the definition of the language.

Expressions are those of `evaluator`. Draws and joins are left to tests of their own.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import polars as pl

from tests.evaluator import Items, evaluate, rows_of
from tql_frames.language import nodes
from tql_frames.language.nodes import Node


@dataclass(frozen=True)
class Column:
    """A column: `origin` is its place in the frame, `within` the column of which a group holds the values."""

    name: str
    origin: int | None = None
    within: Column | None = None


@dataclass(frozen=True)
class Row:
    """A row: its number, its values by column, numbers of the rows that a group is of, keys of the group."""

    number: int
    values: tuple[Any, ...]
    members: tuple[int, ...] | None = None
    keys: tuple[tuple[Node, Any], ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows of one space: those of the frame, or those that a clause has made; `below` is the space of the members."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    space: object
    below: object = None

    def named(self, row: Row) -> dict[str, Any]:
        return {column.name: value for column, value in zip(self.columns, row.values, strict=True)}


def table_of(frame: pl.DataFrame) -> Table:
    columns = tuple(Column(name, place) for place, name in enumerate(frame.columns))
    return Table(columns, tuple(Row(n, tuple(row.values())) for n, row in enumerate(rows_of(frame))), object())


def answer(statement: nodes.Statement, frame: pl.DataFrame) -> dict[str, list[Any]]:
    """Row numbers as `index`, and the values of every column."""
    found = _statement(statement, table_of(frame))
    columns = {"index": [row.number for row in found.rows]}
    for place, column in enumerate(found.columns):
        columns[column.name] = [canonical(row.values[place]) for row in found.rows]
    return columns


def canonical(value: Any) -> Any:
    """A value such that equal ones compare equal: NaN is one value, and minus zero is zero."""
    if isinstance(value, Items):
        return None if value.items is None else tuple(map(canonical, value.items))
    if isinstance(value, (list, tuple)):
        return tuple(map(canonical, value))
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value


def _statement(node: nodes.Statement, frame: Table) -> Table:
    if isinstance(node.body, nodes.Select):
        return _select(node.body, node, frame)
    table = _body(node.body, frame)
    return _tail(node, None, table, [nodes.Item(nodes.Column(column.name)) for column in table.columns])


def _body(node: Node, frame: Table) -> Table:
    match node:
        case nodes.Select():
            return _select(node, nodes.Statement(node), frame)
        case nodes.Statement():
            return _statement(node, frame)
        case nodes.Combination(left, operator, right):
            return _combined(operator, _body(left, frame), _body(right, frame))
    raise AssertionError(node)


def _select(node: nodes.Select, statement: nodes.Statement, frame: Table) -> Table:
    table = _statement(node.source.statement, frame) if isinstance(node.source, nodes.Subquery) else frame
    matches = [
        place
        for place, row in enumerate(table.rows)
        if node.where is None or (evaluate(node.where, table.named(row), place) or 0) != 0
    ]
    if node.expand is not None:
        matches = _expanded(matches, len(table.rows), node.expand)
    table = replace(table, rows=tuple(table.rows[place] for place in matches))
    if node.groups:
        table = _grouped(node.groups, table)
    if node.ungroup is not None:
        table = _split(table) if node.ungroup.parts is None else _parted(table, node.ungroup.parts.value)
    items = []
    for item in node.items:
        stars = [nodes.Item(nodes.Column(column.name)) for column in table.columns]
        items += stars if isinstance(item, nodes.Star) else [item]
    if node.distinct:
        seen: dict[Any, Row] = {}
        for place, row in enumerate(table.rows):
            seen.setdefault(tuple(canonical(_value(item, table, row, place)) for item in items), row)
        table = replace(table, rows=tuple(seen.values()))
    return _tail(statement, node.top, table, items)


def _expanded(matches: list[int], size: int, node: nodes.Expand) -> list[int]:
    windows = [
        range(max(0, match - node.before.value), min(size, match + node.after.value + 1))  # type: ignore[attr-defined]
        for match in matches
    ]
    found = [place for window in windows for place in window]
    return found if node.overlap else sorted(set(found))


def _grouped(nodes: Sequence[Node], table: Table) -> Table:
    groups: dict[Any, list[Row]] = {}
    keys: dict[Any, tuple[Any, ...]] = {}
    for place, row in enumerate(table.rows):
        values = tuple(evaluate(node, table.named(row), place) for node in nodes)
        groups.setdefault(canonical(values), []).append(row)
        keys.setdefault(canonical(values), values)
    rows = tuple(
        Row(
            number,
            tuple(_items([row.values[place] for row in members]) for place in range(len(table.columns))),
            tuple(row.number for row in members),
            tuple(zip(nodes, keys[key], strict=True)),
        )
        for number, (key, members) in enumerate(groups.items())
    )
    return Table(tuple(Column(each.name, within=each) for each in table.columns), rows, object(), table.space)


def _items(values: list[Any]) -> Items:
    depth = max((each.depth for each in values if isinstance(each, Items)), default=0)
    return Items(tuple(values), depth + 1)


def _split(table: Table) -> Table:
    rows = []
    for row in table.rows:
        assert row.members is not None
        for place, member in enumerate(row.members):
            values = tuple(
                value.items[place] if column.within is not None else value
                for column, value in zip(table.columns, row.values, strict=True)
            )
            rows.append(Row(member, values))
    columns = tuple(each if each.within is None else replace(each.within, name=each.name) for each in table.columns)
    return Table(columns, tuple(rows), table.below)


def _parted(table: Table, parts: int) -> Table:
    rows: list[Row] = []
    for row in table.rows:
        assert row.members is not None
        size = len(row.members)
        chosen = [[place for place in range(size) if place * parts // size == part] for part in range(parts)]
        for places in filter(None, chosen):
            values = tuple(
                Items(tuple(value.items[place] for place in places), value.depth) if column.within else value
                for column, value in zip(table.columns, row.values, strict=True)
            )
            rows.append(Row(len(rows), values, tuple(row.members[place] for place in places)))
    return Table(table.columns, tuple(rows), object(), table.below)


def _value(item: Node, table: Table, row: Row, place: int) -> Any:
    assert isinstance(item, nodes.Item)
    return evaluate(item.expression, table.named(row), place)


def _tail(node: nodes.Statement, top: Node | None, table: Table, items: Sequence[Node]) -> Table:
    places = list(range(len(table.rows)))
    for key in reversed(node.keys):
        places.sort(key=lambda place: _sort_key(key, items, table, place), reverse=key.descending)
    count, start = len(places), 0 if node.offset is None else node.offset.value  # type: ignore[attr-defined]
    if top is not None:
        count = top.value  # type: ignore[attr-defined]
    elif node.limit is not None:
        count = node.limit.count.value  # type: ignore[attr-defined]
        if node.limit.percent:
            count = int(len(places) * Fraction(str(count)) / 100)
    places = places[start : start + count]
    rows = []
    for place in places:
        row = table.rows[place]
        rows.append(replace(row, values=tuple(_value(item, table, row, place) for item in items), keys=()))
    columns = []
    by_name = {column.name: column for column in table.columns}
    for item in items:
        assert isinstance(item, nodes.Item)
        own = by_name[item.expression.name] if isinstance(item.expression, nodes.Column) else Column("")
        columns.append(replace(own, name=item.alias or own.name))
    return replace(table, columns=tuple(columns), rows=tuple(rows))


def _sort_key(key: nodes.SortKey, items: Sequence[Node], table: Table, place: int) -> tuple[int, Any]:
    row = table.rows[place]
    names = table.named(row)
    for item in items:
        if isinstance(item, nodes.Item) and item.alias is not None:
            names[item.alias] = _value(item, table, row, place)
    value = evaluate(key.expression, names, place)
    for node, found in row.keys:
        if node == key.expression:
            value = found
    if value is None:
        return (0, 0)
    if isinstance(value, float) and math.isnan(value):
        return (2, 0)
    return (1, value.toordinal() if isinstance(value, dt.date) else value)


def _combined(operator: str, left: Table, right: Table) -> Table:
    order = [[each.name for each in right.columns].index(column.name) for column in left.columns]
    columns = tuple(right.columns[place] for place in order)
    others = tuple(replace(row, values=tuple(row.values[place] for place in order)) for row in right.rows)
    same = left.space is right.space
    own = [same and a.origin is not None and a.origin == b.origin for a, b in zip(left.columns, columns, strict=True)]
    found = tuple(Column(a.name, a.origin if native else None) for a, native in zip(left.columns, own, strict=True))

    def identity(row: Row) -> Any:
        values = [canonical(value) for value, native in zip(row.values, own, strict=True) if not native]
        return (row.number if same else None, *values)

    there = set(map(identity, others))
    rows = {
        "union": left.rows + others,
        "union all": left.rows + others,
        "intersect": tuple(row for row in left.rows if identity(row) in there),
        "except": tuple(row for row in left.rows if identity(row) not in there),
    }[operator]
    if operator != "union all":
        unique: dict[Any, Row] = {}
        for row in rows:
            unique.setdefault(identity(row), row)
        rows = tuple(unique.values())
        if same:
            rows = tuple(sorted(rows, key=lambda row: row.number))
    if same:
        return Table(found, rows, left.space)
    return Table(found, tuple(replace(row, number=n) for n, row in enumerate(rows)), object())
