"""Combine relations: JOIN by keys or conditions, and UNION, INTERSECT and EXCEPT."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import polars as pl

from tql_frames.compiler.expressions import exact, json_text, moments, operators
from tql_frames.compiler.expressions.comparisons import compare
from tql_frames.compiler.expressions.scope import Field, FieldScope, column
from tql_frames.compiler.expressions.translate import RandomNumbers, Translator
from tql_frames.compiler.expressions.types import (
    Value,
    describe,
    is_bool,
    is_nested,
    is_null,
    is_number,
    is_temporal,
    is_text,
)
from tql_frames.compiler.statements.relation import (
    Names,
    Relation,
    RowIdentity,
    check_values,
    common_type,
    first_of_equal,
    is_read,
    with_values,
    without_stand_in,
)
from tql_frames.errors import Fault, TQLNameError, TQLTypeError, TQLUnsupportedError
from tql_frames.language import nodes
from tql_frames.language.nodes import Node


def join(
    node: nodes.Join, left: Relation, right: Relation, names: Names, random: RandomNumbers, *, numbered: bool
) -> Relation:
    """`left KIND JOIN right`, in the order of the left rows, then of the right rows.

    Rows of a RIGHT JOIN are in the order of the right rows. Null equals nothing.

    Raises:
        Fault: a column does not exist, or the condition is not supported.
    """
    twice = {name for each in left.fields for name in each.frames} & {n for each in right.fields for n in each.frames}
    if twice:
        message = f"two frames are called {sorted(twice)[0]!r} here"
        raise Fault(TQLNameError, message, node.right.span, "give one another name with AS")
    left, right = (replace(side, fields=with_values(side.fields, "JOIN")) for side in (left, right))
    shared = set(left.read)
    renamed = {each.key: names.new("right") for each in right.fields if each.key in shared}
    right = replace(
        right,
        plan=right.plan.select([column(name).alias(renamed.get(name, name)) for name in right.read]),
        fields=tuple(
            replace(each, key=renamed.get(each.key, each.key), origin=None, within=None) for each in right.fields
        ),
        row=None,
    )
    left = replace(
        left,
        plan=left.plan.select([column(name) for name in left.read]),
        fields=tuple(replace(each, origin=None, within=None) for each in left.fields),
        row=None,
    )
    if node.using:
        plan, fields = _using(node, left, right, names)
    else:
        plan, fields = _on(node, left, right, names, random)
    # Row numbers prevent later filters from being pushed into the sides; in Polars 1 they also prevent a later LIMIT
    # from being pushed into the join, where it would select other rows.
    row = names.new("row") if numbered or pl.__version__.startswith("1.") else None
    return Relation(plan if row is None else plan.with_row_index(row), tuple(fields), RowIdentity(), row)


def _using(node: nodes.Join, left: Relation, right: Relation, names: Names) -> tuple[pl.LazyFrame, list[Field]]:
    pairs, merged, exprs, used = [], {}, {}, set()
    for name in node.using:
        sought = nodes.Column(name, span=node.span)
        a, b = (FieldScope(side.fields).field(sought) for side in (left, right))
        pairs += _comparable(sought, *(Value(sought, column(each.key), each.known) for each in (a, b)))
        dtype = common_type(a.known, b.known)
        if dtype is None:
            message = f"a JOIN cannot make one column of {describe(a.known)} and {describe(b.known)}"
            raise Fault(TQLUnsupportedError, message, node.span, "write ON instead of USING")
        exprs[a.key] = pl.coalesce(*(moments.cast(column(each.key), each.known, dtype) for each in (a, b)))
        merged[a.key] = replace(a, frames=(*a.frames, *b.frames), dtype=dtype)
        used.add(b.key)
    plan = _joined(node.kind, left.plan, right.plan, pairs, names).with_columns(**exprs)
    fields = [merged.get(each.key, each) for each in left.fields]
    return plan, fields + [each for each in right.fields if each.key not in used]


def _on(
    node: nodes.Join, left: Relation, right: Relation, names: Names, random: RandomNumbers
) -> tuple[pl.LazyFrame, list[Field]]:
    fields = [*left.fields, *right.fields]
    if node.condition is None:
        return left.plan.join(right.plan, how="cross", maintain_order="left_right"), fields
    pairs, rest = _equalities(node, left, right, random)
    scopes = [FieldScope(side.fields) for side in (left, right)]
    if node.kind in ("left", "right"):
        # A condition on the optional side alone filters that side before the join.
        optional = 1 if node.kind == "left" else 0
        translator = Translator(scopes[optional], random)
        alone = [condition for condition in rest if _side(condition, scopes) == optional]
        rest = [condition for condition in rest if condition not in alone]
        sides = [left, right]
        for condition in alone:
            plan = sides[optional].plan.filter(operators.condition(translator.translate(condition)))
            sides[optional] = sides[optional].with_plan(plan)
        left, right = sides
    if node.kind != "inner" and (rest or not pairs):
        hint = "write left.column = right.column, joined by and; a LEFT or RIGHT JOIN conditions on its other side, too"
        span = rest[0].span if rest else node.condition.span
        raise Fault(TQLUnsupportedError, f"{node.kind.upper()} JOIN takes equalities of its two sides", span, hint)
    if pairs:
        plan = _joined(node.kind, left.plan, right.plan, pairs, names)
    else:
        plan = left.plan.join(right.plan, how="cross", maintain_order="left_right")
    translator = Translator(FieldScope(fields), random)
    for condition in rest:
        plan = plan.filter(operators.condition(translator.translate(condition)))
    return plan, fields


def _equalities(
    node: nodes.Join, left: Relation, right: Relation, random: RandomNumbers
) -> tuple[list[tuple[pl.Expr, pl.Expr]], list[Node]]:
    """Return pairs of expressions that must be equal, one from each side, and the rest of the condition."""
    assert node.condition is not None
    conditions = node.condition.operands if isinstance(node.condition, nodes.And) else (node.condition,)
    pairs, rest = [], []
    scopes = [FieldScope(side.fields) for side in (left, right)]
    for condition in conditions:
        sides = None
        if isinstance(condition, nodes.Comparison) and condition.operator == "==":
            a, b = (_side(operand, scopes) for operand in (condition.left, condition.right))
            if {a, b} == {0, 1}:
                sides = (condition.left, condition.right) if a == 0 else (condition.right, condition.left)
        if sides is None:
            rest.append(condition)
            continue
        values = [Translator(scope, random).translate(operand) for scope, operand in zip(scopes, sides, strict=True)]
        pairs += _comparable(condition, *values)
    return pairs, rest


def _side(node: Node, scopes: list[FieldScope]) -> int | None:
    """Return 0 or 1 if all columns of an expression are from the left or from the right side, else None."""
    found = set()
    for each in (below for below in node.walk() if isinstance(below, nodes.Column)):
        owners = []
        for side, scope in enumerate(scopes):
            try:
                scope.field(each)
            except Fault:
                continue
            owners.append(side)
        if len(owners) != 1:
            return None
        found.update(owners)
    return found.pop() if len(found) == 1 else None


def _comparable(node: Node, a: Value, b: Value) -> list[tuple[pl.Expr, pl.Expr]]:
    """Convert both sides to one type, in which equal values are equal; a decimal may need two pairs."""
    a, b = json_text.as_key(a, b), json_text.as_key(b, a)
    compare("==", node, a, b)  # for its type errors
    a, b = _without_nan(a), _without_nan(b)
    if is_nested(a.row_dtype) or is_nested(b.row_dtype):
        raise Fault(TQLTypeError, "a JOIN compares single values, not lists", node.span)
    if is_null(a.dtype) or is_null(b.dtype):
        dtype = b.dtype if is_null(a.dtype) else a.dtype
        return [(a.expr.cast(dtype), b.expr.cast(dtype))]
    if a.dtype == b.dtype:
        return [(a.expr, b.expr)]
    if is_text(a.dtype) and is_text(b.dtype):
        return [(a.expr.cast(pl.String), b.expr.cast(pl.String))]
    if is_number(a.dtype) and is_number(b.dtype):
        if a.dtype.is_float() or b.dtype.is_float():
            return [(a.expr.cast(pl.Float64), b.expr.cast(pl.Float64))]
        # As text if no type of 64 bits holds both: Polars 1.30 joins keys of 128 bits incorrectly.
        keys = exact.order_keys(a, b)
        return [
            (x.expr, y.expr) if x.dtype == y.dtype == pl.Int64() else (x.expr.cast(pl.String), y.expr.cast(pl.String))
            for x, y in keys
        ]
    if is_temporal(a.dtype) and is_temporal(b.dtype):
        units = [moments.nanoseconds_of(each.dtype) for each in (a, b)]
        x, y = (moments.in_unit(moments.counted(v.expr), u, max(units)) for v, u in zip((a, b), units, strict=True))
        return [(x, y)]
    if (is_bool(a.dtype) or is_number(a.dtype)) and (is_bool(b.dtype) or is_number(b.dtype)):
        whole = [
            replace(each, expr=each.expr.cast(pl.Int8), dtype=pl.Int8()) if is_bool(each.dtype) else each
            for each in (a, b)
        ]
        return _comparable(node, *whole)
    raise Fault(TQLUnsupportedError, f"a JOIN cannot compare {a.words} with {b.words}", node.span)


def _without_nan(value: Value) -> Value:
    """Convert NaN to null, which equals nothing: Polars would join NaN with NaN."""
    return replace(value, expr=value.expr.fill_nan(None)) if value.dtype.is_float() else value


def _joined(
    kind: str, left: pl.LazyFrame, right: pl.LazyFrame, pairs: list[tuple[pl.Expr, pl.Expr]], names: Names
) -> pl.LazyFrame:
    """Join by pairs of expressions; both sides keep all their columns."""
    if kind == "right":  # a right join after a cross join crashes Polars 1.30
        kind, left, right, pairs = "left", right, left, [(b, a) for a, b in pairs]
    keys = [names.new("key") for _ in pairs]
    others = [names.new("key") for _ in pairs]
    found = left.with_columns([a.alias(key) for key, (a, _) in zip(keys, pairs, strict=True)]).join(
        right.with_columns([b.alias(key) for key, (_, b) in zip(others, pairs, strict=True)]),
        left_on=keys,
        right_on=others,
        how=kind,  # type: ignore[arg-type]
        coalesce=False,
        maintain_order="left_right",
    )
    return found.drop(keys + others)


def combine(node: nodes.Combination, left: Relation, right: Relation, names: Names) -> Relation:
    """`left operator right`.

    Rows from one frame are the same on both sides if they have the same position in the frame and the same computed
    values. Rows from different frames, groups or joins are the same if all their values are equal.

    Raises:
        Fault: the sides differ in their columns or types.
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
    """Return the first of equal rows, in table order; without row numbers, in their current order."""
    if row is not None and keys == [row]:
        plan = plan.sort(row, maintain_order=True)  # half the time of `unique`, and the order is needed anyway
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
    """Return the field of the result, which is still a column of the frame if both sides are that column."""
    if same and a.origin is not None and a.origin == b.origin:
        return a
    check_values((a, b), node.operator.upper())
    dtype = common_type(a.known, b.known)
    if dtype is None:
        message = f"{node.operator.upper()} cannot join {describe(a.known)} with {describe(b.known)} in {a.label!r}"
        raise Fault(TQLTypeError, message, node.span)
    return Field(a.label, a.key, dtype)
