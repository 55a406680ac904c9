"""How many rows: LIMIT, TOP, OFFSET and other counts, and the cut they make."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import polars as pl

from tql_frames.compiler.statements.relation import Relation
from tql_frames.errors import Fault, TQLTypeError
from tql_frames.language import nodes
from tql_frames.language.nodes import Node

_MOST_ROWS = 10**18  # beyond any memory, and within 64 bits


@dataclass(frozen=True)
class Size:
    """How many rows a LIMIT lets through.

    Attributes:
        rows: that many, or None.
        share: of the rows there are, or None; with neither, all of them.
    """

    rows: int | None = None
    share: Fraction | None = None

    def of(self, rows: int) -> int:
        """Return the number, of so many rows."""
        if self.rows is not None:
            return self.rows
        return rows if self.share is None else int(rows * self.share)


def size_of(node: nodes.Limit | None, clause: str) -> Size:
    """Return what a LIMIT says.

    Raises:
        Fault: it is no number that makes sense.
    """
    if node is None:
        return Size()
    if not node.percent:
        return Size(count_of(node.count, clause))
    number = _number(node.count)
    if number is None or not 0 <= number < float("inf"):
        raise Fault(TQLTypeError, f"{clause} takes a number of percent, at least 0", node.count.span)
    return Size(share=Fraction(nodes.written(number)) / 100)


def count_of(node: Node, clause: str, least: int = 0) -> int:
    """Return a whole number of a clause.

    Raises:
        Fault: it is none, or less than `least`.
    """
    number = _number(node)
    if number is None or not least <= number < float("inf") or number != int(number):
        raise Fault(TQLTypeError, f"{clause} takes a whole number of at least {least}", node.span)
    return min(int(number), _MOST_ROWS)


def cut(relation: Relation, size: Size, offset: int) -> Relation:
    """Return the rows behind the first `offset`, so many; a share is of all rows."""
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
    """Return the greatest fraction that is no greater, of a denominator that counts rows.

    It is as many of so many rows.
    """
    found = share.limit_denominator(_MOST_ROWS)
    if found <= share:
        return found
    # The neighbour below: p / q and a / b with p * b - a * q = 1, of the greatest b.
    p, q = found.numerator, found.denominator
    b = pow(p, -1, q) if q > 1 else 1
    b += (_MOST_ROWS - b) // q * q
    return Fraction(p * b - 1, q * b)


@cache
def most_rows() -> int:
    """Return rows whose numbers alone would fill half the memory.

    More are refused, lest a mistyped digit kill the process.
    """
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 16
    except (AttributeError, ValueError, OSError):  # not known on this system
        return 2**40


def _longest() -> int:
    """Return rows that a Polars frame can have; a slice of more is an error."""
    return 2**32 if pl.get_index_type() == pl.UInt32 else 2**64


def _number(node: Node) -> float | int | None:
    if isinstance(node, nodes.Literal) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    return None
