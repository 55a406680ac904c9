"""Clauses that make other rows: GROUP BY, UNGROUP BY and EXPAND BY."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from tql_frames.compiler.expressions.scope import Field, column
from tql_frames.compiler.statements.limits import most_rows
from tql_frames.compiler.statements.relation import (
    Names,
    Relation,
    RowIdentity,
    is_read,
    whole,
    with_values,
    without_stand_in,
)
from tql_frames.errors import Fault, Span, TQLError, TQLTypeError


def group(
    relation: Relation, keys: Sequence[str], constants: Sequence[str], names: Names, *, numbered: bool
) -> Relation:
    """Return one row a group of equal keys, in order of first appearance; every field becomes a list.

    Args:
        relation: the rows to group.
        keys: columns of the plan that are no fields; they stay.
        constants: columns of one value that are no fields; they stay, too.
        names: makes new names.
        numbered: whether the groups are numbered, as rows of their own.
    """
    relation = replace(relation, fields=with_values(relation.fields, "GROUP BY"))
    lists = [*(column(name) for name in relation.read), *(column(name).first() for name in constants)]
    members = None
    if relation.row is not None:
        members = (names.new("rows"), relation.rows)
        lists.append(column(relation.row).alias(members[0]))
    plan = relation.plan.group_by(list(keys), maintain_order=True).agg(lists)
    row = names.new("row") if numbered else None
    fields = tuple(
        Field(each.label, each.key, pl.List(each.known), None, each.frames, within=each)
        if is_read(each)
        else without_stand_in(each)
        for each in relation.fields
    )
    return Relation(plan if row is None else plan.with_row_index(row), fields, RowIdentity(), row, members)


def ungroup(relation: Relation, parts: int | None, span: Span, names: Names, *, numbered: bool) -> Relation:
    """Return the rows of the groups, in order of the groups; with `parts`, that many smaller groups of each.

    Raises:
        Fault: there are no groups.
    """
    within = {each.key for each in relation.fields if each.within is not None}
    if not within:
        hint = "UNGROUP BY follows SELECT * FROM (… GROUP BY …)"
        raise Fault(TQLTypeError, "the rows to ungroup are no groups", span, hint)
    lists = [name for name in relation.read if name in within]
    if relation.grouped is not None:
        lists.append(relation.grouped[0])
    if parts is None:
        fields = tuple(
            replace(each.within, label=each.label, key=each.key) if each.within else each for each in relation.fields
        )
        plan = relation.plan if relation.row is None else relation.plan.drop(relation.row)
        plan = plan.explode(lists)
        if relation.grouped is not None:
            row, rows = relation.grouped
            return Relation(plan, fields, rows, row)
        row_name = names.new("row") if numbered else None
        return Relation(plan if row_name is None else plan.with_row_index(row_name), fields, RowIdentity(), row_name)
    group_number, place, size = names.new("group"), names.new("place"), names.new("size")
    length = column(lists[0]).list.len().cast(pl.Int64)
    plan = relation.plan.with_columns(
        pl.int_range(pl.len()).alias(group_number), pl.int_ranges(0, length).alias(place), length.alias(size)
    )
    pieces = pl.min_horizontal(pl.col(size), pl.lit(parts, dtype=pl.Int64))
    part = (pl.col(place) * pieces // pl.col(size)).alias(names.new("part"))
    others = [name for name in relation.read if name not in within]
    plan = (
        plan.explode([*lists, place])
        .group_by(pl.col(group_number), part, maintain_order=True)
        .agg(*[column(name) for name in lists], *[column(name).first() for name in others])
    )
    row_name = names.new("row") if numbered else None
    return replace(
        relation, plan=plan if row_name is None else plan.with_row_index(row_name), rows=RowIdentity(), row=row_name
    )


def expand(
    relation: Relation, match: str, before: int, after: int, *, overlap: bool, numbers: str | None = None
) -> Relation:
    """Return the rows where column `match` is true, with some rows before and after each.

    Args:
        relation: the rows to choose from, in order.
        match: a Boolean column without nulls.
        before: rows that come with a match, from those before it.
        after: the same, from those after it.
        overlap: whether a row near several matches comes once for each.
        numbers: name of a new column with the number of the match, from 0, that a row comes with; None for none.
    """
    if not overlap:
        matches = pl.col(match).cast(pl.Int64).cum_sum()  # up to and including a row
        until = matches.shift(-before, fill_value=pl.col(match).sum().cast(pl.Int64))
        near = until - matches.shift(after + 1, fill_value=0) > 0
        plan = relation.plan
        if numbers is not None:
            plan = plan.with_columns(_nearest(match, before, after).alias(numbers))
        return relation.with_plan(plan.filter(near))

    def windows(frame: pl.DataFrame) -> pl.DataFrame:
        at = frame[match].arg_true().cast(pl.Int64)
        first, stop = (at - before).clip(0), (at + after + 1).clip(upper_bound=frame.height)
        total = (stop - first).cast(pl.Float64).sum()
        if total > most_rows():
            raise TQLError(f"EXPAND BY gives {total:,.0f} rows, which do not fit into memory")
        found = frame[pl.int_ranges(first, stop, eager=True).explode()] if len(at) else frame.clear()
        if numbers is None:
            return found
        sizes = pl.DataFrame({"size": stop - first}).select(number=pl.int_range(pl.len()).repeat_by("size"))
        return found.with_columns(sizes["number"].explode().cast(pl.Int64).head(found.height).alias(numbers))

    schema = None
    if numbers is not None:
        schema = pl.Schema({**relation.plan.collect_schema(), numbers: pl.Int64()})
    return relation.with_plan(whole(relation.plan, windows, schema))


def _nearest(match: str, before: int, after: int) -> pl.Expr:
    """Return the number of the match whose window a row is in.

    Of two matches it is the nearer one, and of equally near ones the first.
    """
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    place = pl.when(pl.col(match)).then(row)
    behind, ahead = row - place.forward_fill(), place.backward_fill() - row
    number = pl.col(match).cast(pl.Int64).cum_sum() - 1  # of the match at a row or before it
    taken = (behind <= after) & ((ahead > before) | (behind <= ahead)).fill_null(True)
    return pl.when(taken.fill_null(False)).then(number).otherwise(number + 1)
