"""Set operations: UNION, INTERSECT and EXCEPT of the rows of one frame, or of values where there is no such frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import polars as pl

from tql_frames.compiler.expressions import moments
from tql_frames.compiler.expressions.scope import Field, column
from tql_frames.compiler.expressions.types import describe
from tql_frames.compiler.statements.relation import (
    Names,
    Relation,
    RowIdentity,
    check_values,
    common_type,
    first_of_equal,
    is_read,
    without_stand_in,
)
from tql_frames.errors import Fault, TQLNameError, TQLTypeError
from tql_frames.language import nodes


def combine(node: nodes.Combination, left: Relation, right: Relation, names: Names) -> Relation:
    """`left operator right`.

    A row of one frame stays that row: it is the same on both sides if it has the same place in the frame and the same
    computed values. Rows of different frames, groups or joins are the same if all their values are.

    Raises:
        Fault: the sides have other columns, or columns of other types.
    """
    right = _aligned(node, left, right)
    same = left.rows is right.rows and left.row is not None
    pairs = list(zip(left.fields, right.fields, strict=True))
    fields = tuple(without_stand_in(_merged(node, a, b, same=same)) for a, b in pairs)
    read = [(each, *pair) for each, pair in zip(fields, pairs, strict=True) if is_read(each)]
    row = left.row if same else None
    first, second = (
        side.plan.select(
            *([column(side.row).alias(row)] if row and side.row else []),
            *[_of_type(field, each) for field, each in columns],
        )
        for side, columns in (
            (left, [(each, a) for each, a, _ in read]),
            (right, [(each, b) for each, _, b in read]),
        )
    )
    keys = [row] if row else []
    keys += [each.key for each in fields if is_read(each) and not (row and each.origin is not None)]
    plan = _combined(node.operator, first, second, keys)
    if node.operator != "union all":
        plan = _distinct(plan, keys, row)
    if row is None and left.row is not None:
        row = names.new("row")
        plan = plan.with_row_index(row)
    return Relation(plan, fields, left.rows if same else RowIdentity(), row)


def _of_type(field: Field, side: Field) -> pl.Expr:
    expr = column(side.key)
    return moments.cast(expr, side.known, field.known).alias(field.key)


def _combined(operator: str, left: pl.LazyFrame, right: pl.LazyFrame, keys: list[str]) -> pl.LazyFrame:
    if operator in ("union", "union all"):
        return pl.concat([left, right])
    how: Literal["semi", "anti"] = "semi" if operator == "intersect" else "anti"
    return left.join(right, on=keys, how=how, nulls_equal=True, maintain_order="left")


def _distinct(plan: pl.LazyFrame, keys: list[str], row: str | None) -> pl.LazyFrame:
    """Return the first of equal rows, in table order; rows of no table in the order in which they come."""
    if row is not None and keys == [row]:
        plan = plan.sort(row, maintain_order=True)  # half the time of `unique`, and the order is wanted anyway
        return plan.filter((pl.col(row) != pl.col(row).shift()).fill_null(True))
    plan = first_of_equal(plan, keys)
    return plan if row is None else plan.sort(row, maintain_order=True)


def _aligned(node: nodes.Combination, left: Relation, right: Relation) -> Relation:
    """Return the right side with its columns in the order of the left."""
    here, there = ([each.label for each in side.fields] for side in (left, right))
    if here == there:
        return right
    by_label = {each.label: each for each in right.fields}
    missing = next(((label, "right") for label in here if label not in by_label), None)
    missing = missing or next(((label, "left") for label in there if label not in here), None)
    if missing is not None:
        raise Fault(
            TQLNameError,
            f"{node.operator.upper()} needs the same columns on both sides; {missing[0]!r} is not on the {missing[1]}",
            node.span,
            "SELECT the same columns on both sides, renamed with AS where their names differ",
        )
    return replace(right, fields=tuple(by_label[label] for label in here))


def _merged(node: nodes.Combination, a: Field, b: Field, *, same: bool) -> Field:
    """Return the field of the result: still a column of the frame where both sides are the same one."""
    if same and a.origin is not None and a.origin == b.origin:
        return a
    check_values((a, b), node.operator.upper())
    dtype = common_type(a.known, b.known)
    if dtype is None:
        message = f"{node.operator.upper()} cannot join {describe(a.known)} with {describe(b.known)} in {a.label!r}"
        raise Fault(TQLTypeError, message, node.span)
    return Field(a.label, a.key, dtype)
