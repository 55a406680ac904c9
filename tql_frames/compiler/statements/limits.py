"""Sort and cut relations: ORDER BY, LIMIT, TOP, OFFSET and other counts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import polars as pl

from tql_frames.compiler.expressions import json_text
from tql_frames.compiler.expressions.functions import registered_names
from tql_frames.compiler.expressions.sampler import check_size
from tql_frames.compiler.expressions.scope import Field, column
from tql_frames.compiler.expressions.translate import Translator
from tql_frames.compiler.expressions.types import Value, is_nested, is_text
from tql_frames.compiler.statements.relation import Names, Relation, added
from tql_frames.errors import Fault, TQLTypeError, TQLWarning, warn
from tql_frames.language import nodes, on_one_line, unparse
from tql_frames.language.nodes import Node

_MOST_ROWS = 10**18  # beyond any memory, and within 64 bits


@dataclass(frozen=True)
class Size:
    """Number of rows of a LIMIT.

    Attributes:
        rows: number of rows, or None.
        share: share of all rows, or None; if both are None, all rows.
    """

    rows: int | None = None
    share: Fraction | None = None

    def of(self, rows: int) -> int:
        """Return the number of rows to keep of this many rows."""
        if self.rows is not None:
            return self.rows
        return rows if self.share is None else int(rows * self.share)


def size_of(node: nodes.Limit | None, clause: str) -> Size:
    """Return the size of a LIMIT.

    Raises:
        Fault: it is not a valid number.
    """
    if node is None:
        return Size()
    if not node.percent:
        return Size(count_of(node.count, clause))
    number = _number(node.count)
    if number is None or not 0 <= number < float("inf"):
        got = on_one_line(unparse(node.count))[:40]
        message = f"expected a number of percent of at least 0 for {clause}, got {got}"
        raise Fault(TQLTypeError, message, node.count.span)
    return Size(share=Fraction(nodes.written(number)) / 100)


def count_of(node: Node, clause: str, least: int = 0) -> int:
    """Return a whole number of a clause.

    Raises:
        Fault: it is not a whole number, or less than `least`.
    """
    number = _number(node)
    if number is None or not least <= number < float("inf") or number != int(number):
        got = on_one_line(unparse(node))[:40]
        message = f"expected a whole number of at least {least} for {clause}, got {got}"
        raise Fault(TQLTypeError, message, node.span)
    return min(int(number), _MOST_ROWS)


def cut(relation: Relation, size: Size, offset: int) -> Relation:
    """Return `size` rows after the first `offset` rows; a share is of all rows."""
    plan = relation.plan
    if size.share is not None:
        share = _simpler(min(size.share, Fraction(1)))
        work = pl.Int64 if share.denominator < 2**15 else pl.Int128
        top, bottom = (pl.lit(each, dtype=work) for each in (share.numerator, share.denominator))
        rows_let_through = (pl.len().cast(work) * top // bottom).cast(pl.Int64)
        number = pl.int_range(pl.len())
        plan = plan.filter((number >= offset) & (number < offset + rows_let_through))
    elif offset or size.rows is not None:
        rows = size.rows if size.rows is None or size.rows < _longest() else None
        plan = plan.slice(offset, rows)
    return relation.with_plan(plan)


def _simpler(share: Fraction) -> Fraction:
    """Return the greatest fraction up to `share` whose denominator is a possible number of rows.

    Both fractions select the same number of rows.
    """
    found = share.limit_denominator(_MOST_ROWS)
    if found <= share:
        return found
    # The neighbour below: p / q and a / b with p * b - a * q = 1 and the greatest b.
    p, q = found.numerator, found.denominator
    b = pow(p, -1, q) if q > 1 else 1
    b += (_MOST_ROWS - b) // q * q
    return Fraction(p * b - 1, q * b)


@cache
def most_rows() -> int:
    """Return the number of rows whose row numbers alone would fill half the memory.

    A greater limit is an error, so that a typing mistake does not kill the process.
    """
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 16
    except (AttributeError, ValueError, OSError):  # not known on this system
        return 2**40


def _longest() -> int:
    """Return the greatest number of rows of a Polars frame; a longer slice is an error."""
    return 2**32 if pl.get_index_type() == pl.UInt32 else 2**64


def _number(node: Node) -> float | int | None:
    if isinstance(node, nodes.Literal) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    return None


def sort(
    sort_keys: Sequence[nodes.SortKey],
    relation: Relation,
    translator: Translator,
    keys: Mapping[Node, Field],
    names: Names,
) -> Relation:
    """Return the rows in order.

    Args:
        sort_keys: the keys of ORDER BY.
        relation: the rows.
        translator: translates keys.
        keys: columns of the plan with the keys of GROUP BY, which are single values here, and lists elsewhere.
        names: creates new names.

    Raises:
        Fault: a key is not a single value.
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
            raise Fault(TQLTypeError, f"expected single values for ORDER BY, got {found.words}", node.span, hint)
        for expr in _sort_exprs(found):
            exprs.append(expr)
            descending.append(node.descending)
    if not exprs:
        return relation
    if any(_counts_rows(node) for node in sort_keys):
        # Polars merges two consecutive sorts, and would number the rows before the first.
        computed = {names.new("key"): expr for expr in exprs}
        relation = added(relation, computed)
        exprs = [column(name) for name in computed]
    plan = relation.plan.sort(exprs, descending=descending, nulls_last=descending, maintain_order=True)
    return relation.with_plan(plan)


def _is_constant(node: Node) -> bool:
    """Return whether a value is the same for every row; Polars cannot sort by such a value."""
    varied = (nodes.Column, nodes.Call, nodes.WeightChoice)
    return not any(isinstance(each, varied) and not _is_pure(each) for each in node.walk())


def _is_pure(node: Node) -> bool:
    return isinstance(node, nodes.WeightChoice) or (isinstance(node, nodes.Call) and node.name in ("abs", "sqrt"))


def _counts_rows(node: Node) -> bool:
    """Return whether a value may depend on the positions of rows, not on the row alone."""
    names = ("row_number", "random", *registered_names())
    return any(isinstance(each, nodes.Call) and each.name in names for each in node.walk())


def _sort_exprs(value: Value) -> list[pl.Expr]:
    """Return the expressions to sort by.

    Text is sorted by its letters, not by the order of categories; JSON values are sorted by kind first.
    """
    if is_text(value.dtype) and not isinstance(value.dtype, pl.String):
        return [value.expr.cast(pl.String)]
    return json_text.sort_value(value)
