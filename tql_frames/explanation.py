"""What a sampler does to a frame, as text: its tree, its Polars expression, its arms' rows and expected shares."""

from __future__ import annotations

import textwrap

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler import CompiledSampler
from tql_frames.frames import Adapter
from tql_frames.language import on_lines, on_one_line, tree, unparse
from tql_frames.language.tree import Node
from tql_frames.querying import Query
from tql_frames.weighing import Weigher

_WIDTH = 60  # characters of an arm that the table shows


class Explanation(str):
    """Text that shows itself as it is at a prompt or in a notebook, line by line, without control characters."""

    __slots__ = ()

    def __new__(cls, text: str) -> Explanation:
        """Keep the lines of a text."""
        return super().__new__(cls, on_lines(text))

    def __repr__(self) -> str:
        return str(self)


def explain_sampler(weigher: Weigher, frame: Adapter, why_held: str | None = None) -> Explanation:
    """Explain a sampler on the rows of a frame.

    Args:
        weigher: the sampler.
        frame: the rows.
        why_held: why a sample of this LazyFrame holds its rows in memory, where it does.

    Raises:
        TQLError: the sampler cannot be evaluated, or gives weights that are negative, NaN or infinite.
    """
    weights = weigher.weigh(frame)
    sampler = weigher.sampler
    sections = []
    if isinstance(sampler, CompiledSampler):
        sections.append("\n".join(draw_tree(sampler.tree)))
        if sampler.arms:
            conditions = weigher.arm_conditions(frame)
            sections.append(_arm_table(sampler, conditions, weights))
        expr = sampler.weight
    else:
        expr = sampler
    sections += [_summary(weights), "\n".join(textwrap.wrap(str(expr), 110)) or str(expr)]
    if why_held:
        sections.append(f"the rows are held in memory while a sample is drawn: {why_held}")
    return Explanation("\n\n".join(sections))


def explain_statement(query: Query) -> Explanation:
    """Explain a statement: its text as it was read, and the plan that runs for it."""
    sections = [unparse(query.statement), query.plan(None).explain()]
    if query.why_held:
        sections.append(f"the rows are held in memory while a sample is drawn: {query.why_held}")
    return Explanation("\n\n".join(sections))


def draw_tree(node: Node) -> list[str]:
    """Lines that draw a tree: a weight choice with its arms, an expression on one line."""
    if not isinstance(node, tree.WeightChoice):
        return [on_one_line(unparse(node))]
    arms = [on_one_line(unparse(arm)) for arm in node.arms]
    return [node.name, *(f"├─ {arm}" for arm in arms[:-1]), f"└─ {arms[-1]}"]


def _arm_table(sampler: CompiledSampler, conditions: pl.DataFrame, weights: NDArray[np.float64]) -> str:
    weights = weights / (weights.max(initial=0.0) or 1.0)  # lest their sum overflows
    total = weights.sum()
    rows = [("arm", "rows", "share of rows", "expected share of draws")]
    for arm, name in zip(sampler.arms, conditions.columns, strict=True):
        matched = conditions[name].to_numpy()
        count = int(np.count_nonzero(matched))
        expected = f"{weights[matched].sum() / total:.2%}" if total > 0 else "-"
        share = f"{count / len(matched):.2%}" if len(matched) else "-"
        text = " ".join(on_one_line(arm.text).split())
        rows.append((text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…", f"{count:,}", share, expected))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )


def _summary(weights: NDArray[np.float64]) -> str:
    positive = weights[weights > 0]
    rows = f"{len(weights):,} rows, {len(positive):,} of positive weight"
    if not len(positive):
        return rows
    distinct = len(np.unique(positive))
    if distinct == 1:
        return f"{rows}, all of {positive[0]:g}"
    return f"{rows}, {distinct:,} distinct weights from {positive.min():g} to {positive.max():g}"
