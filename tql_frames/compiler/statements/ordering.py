"""ORDER BY: several keys, stable up and down, null as the smallest value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from tql_frames.compiler.expressions import json_text, registry
from tql_frames.compiler.expressions.sampler import check_size
from tql_frames.compiler.expressions.scope import Field, column
from tql_frames.compiler.expressions.translate import Translator
from tql_frames.compiler.expressions.types import Value, is_nested, is_text
from tql_frames.compiler.statements.relation import Names, Relation, added
from tql_frames.errors import Fault, TQLTypeError, TQLWarning, warn
from tql_frames.language import nodes, unparse
from tql_frames.language.nodes import Node


def sort(
    sort_keys: Sequence[nodes.SortKey],
    relation: Relation,
    translator: Translator,
    keys: Mapping[Node, Field],
    names: Names,
) -> Relation:
    """Return the rows in order.

    Args:
        sort_keys: what to sort by.
        relation: the rows.
        translator: translates keys.
        keys: columns of the plan for what GROUP BY grouped by; here a key is one value, elsewhere a list.
        names: makes new names.

    Raises:
        Fault: a key is no single value.
    """
    exprs, descending = [], []
    for node in sort_keys:
        key = keys.get(node.expression)
        if key is not None:
            found = Value(node.expression, column(key.key), key.known)
        else:
            check_size(node)
            found = translator.translate(node.expression)
        if found.constant is not None or _is_constant(node):
            text = unparse(node.expression)
            advice = f'write "{text[1:-1]}" in double quotes' if is_text(found.dtype) else "name the column to sort by"
            warn(TQLWarning(f"ORDER BY {text[:80]} sorts by a constant, which leaves the rows as they are; {advice}"))
            continue
        if is_nested(found.row_dtype) or isinstance(found.dtype, pl.Struct):
            hint = "order by one of its elements, or by what sum(…), amax(…) or l2_norm(…) make of it"
            if isinstance(found.dtype, pl.Struct) and found.dtype.fields:
                text = unparse(node.expression)
                hint = f"order by one of its keys: {text[:80]}['{found.dtype.fields[0].name[:80]}']"
            raise Fault(TQLTypeError, f"ORDER BY needs single values, not {found.words}", node.span, hint)
        for expr in _sort_exprs(found):
            exprs.append(expr)
            descending.append(node.descending)
    if not exprs:
        return relation
    if any(_counts_rows(node) for node in sort_keys):
        # Polars makes one of two sorts in a row, and would count the rows before the first.
        computed = {names.new("key"): expr for expr in exprs}
        relation = added(relation, computed)
        exprs = [column(name) for name in computed]
    plan = relation.plan.sort(exprs, descending=descending, nulls_last=descending, maintain_order=True)
    return relation.with_plan(plan)


def _is_constant(node: Node) -> bool:
    """Return whether a value is the same for every row, which Polars refuses to sort by."""
    varied = (nodes.Column, nodes.Call, nodes.WeightChoice)
    return not any(isinstance(each, varied) and not _is_pure(each) for each in node.walk())


def _is_pure(node: Node) -> bool:
    return isinstance(node, nodes.WeightChoice) or (isinstance(node, nodes.Call) and node.name in ("abs", "sqrt"))


def _counts_rows(node: Node) -> bool:
    """Return whether a value may depend on the places of rows, not on the row alone."""
    names = ("row_number", "random", *registry.names())
    return any(isinstance(each, nodes.Call) and each.name in names for each in node.walk())


def _sort_exprs(value: Value) -> list[pl.Expr]:
    """Return what to sort by.

    Text is sorted by its letters, not by the order of its categories; a JSON value by its kind first.
    """
    if is_text(value.dtype) and not isinstance(value.dtype, pl.String):
        return [value.expr.cast(pl.String)]
    return json_text.sort_value(value)
