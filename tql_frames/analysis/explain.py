"""Explain a sampler as text: its tree, the rows and expected shares of its arms, and its Polars expression."""

from __future__ import annotations

import re
import textwrap

import numpy as np

from tql_frames.analysis.arms import Arms
from tql_frames.analysis.contingency import ArmCounts, count_arms
from tql_frames.analysis.display.table import text_table
from tql_frames.analysis.population import Population
from tql_frames.compiler import CompiledSampler
from tql_frames.errors import warn
from tql_frames.language import nodes, on_lines, on_one_line, unparse
from tql_frames.language.nodes import Node
from tql_frames.pipeline.idle_arms import Planned, idle_warnings
from tql_frames.pipeline.statement import Query
from tql_frames.sampling import StrataTable

_WIDTH = 60  # characters of an arm that the table shows
_MOST_LINES = 8  # of a Polars expression
_CAST = re.compile(r"\.(strict_)?cast\((Float64|Boolean|UInt8|Int64|String)\)")


class Explanation(str):
    """Text that a prompt or notebook shows line by line, without control characters.

    Examples:
        >>> import polars as pl
        >>> found = pl.DataFrame({"age": [71, 34]}).tql.explain("max_weight(age > 60: 5, True: 1)")
        >>> isinstance(found, str), found.splitlines()[0]
        (True, 'max_weight')
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Explanation:
        """Keep the lines of a text."""
        return super().__new__(cls, on_lines(text))

    def __repr__(self) -> str:
        return str(self)


def explain_sampler(population: Population, why_collected: str | None = None) -> Explanation:
    """Explain a sampler on the rows of a frame.

    Args:
        population: the rows, with the sampler.
        why_collected: why a sample of this LazyFrame holds its rows in memory; None if it does not.

    Raises:
        TQLError: the sampler cannot be evaluated, or its weights are negative, NaN or infinite.
    """
    sampler = population.sampler
    counts = count_arms(population, Arms(sampler, population.compile))
    sections = []
    expression = population.text
    if isinstance(sampler, CompiledSampler):
        sections.append("\n".join(draw_tree(sampler.tree)))
        if sampler.arms:
            sections.append(_arm_table(sampler, counts))
        expression = str(sampler.weight)
        if counts.table.rows:
            rows, matched = Planned(population.plan), counts.matched.tolist()
            for warning in idle_warnings(sampler, rows, matched, counts.decides.tolist()):
                warn(warning)
    sections += [_summary(counts.table), _shortened(str(expression))]
    if why_collected:
        sections.append(f"the rows are held in memory while a sample is drawn: {why_collected}")
    return Explanation("\n\n".join(sections))


def explain_statement(query: Query) -> Explanation:
    """Explain a statement: its text, written from the parsed tree, and the plan that runs for it."""
    sections = [unparse(query.statement), query.plan(None).explain()]
    if query.why_collected:
        sections.append(f"the rows are held in memory while a sample is drawn: {query.why_collected}")
    return Explanation("\n\n".join(sections))


def draw_tree(node: Node) -> list[str]:
    """Return a drawing of a tree, in lines: weight choices, their arms, and the nodes around them.

    Any other node is on one line.
    """
    if isinstance(node, nodes.WeightChoice):
        return [node.name, *_branches([[on_one_line(unparse(arm))] for arm in node.arms])]
    if not any(isinstance(each, nodes.WeightChoice) for each in node.walk()):
        return [on_one_line(unparse(node))]
    match node:
        case nodes.Arithmetic(operator, _, _):
            return [operator, *_branches([draw_tree(each) for each in _operands(node, operator)])]
        case nodes.Negative(operand):
            return ["-", *_branches([draw_tree(operand)])]
        case nodes.Call(name, arguments):
            return [name, *_branches([draw_tree(each) for each in arguments])]
    return [on_one_line(unparse(node))]


def _operands(node: Node, operator: str) -> list[Node]:
    """Return the operands of a chain such as `a * b * c`."""
    if isinstance(node, nodes.Arithmetic) and node.operator == operator:
        return [*_operands(node.left, operator), node.right]
    return [node]


def _branches(parts: list[list[str]]) -> list[str]:
    lines = []
    for number, part in enumerate(parts, 1):
        last = number == len(parts)
        lines.append(f"{'└─' if last else '├─'} {part[0]}")
        lines += [f"{'  ' if last else '│ '} {line}" for line in part[1:]]
    return lines


def _shortened(expression: str) -> str:
    """Return the text of a Polars expression in a few lines, without its casts."""
    text = _CAST.sub("", expression)
    lines = textwrap.wrap(text, 110) or [text]
    more = len(lines) - _MOST_LINES
    return "\n".join(lines if more <= 0 else [*lines[:_MOST_LINES], f"… and {more:,} more lines of the expression"])


def _arm_table(sampler: CompiledSampler, counts: ArmCounts) -> str:
    rows, total = [], counts.table.rows
    for arm, matched, decides, share in zip(sampler.arms, counts.matched, counts.decides, counts.shares, strict=True):
        text = " ".join(on_one_line(arm.text).split())
        shown = text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
        expected = "-" if np.isnan(share) else f"{share:.2%}"
        rows.append((shown, f"{matched:,}", f"{matched / total:.2%}" if total else "-", f"{decides:,}", expected))
    return text_table(("arm", "rows", "share of rows", "decides", "expected share of draws"), rows)


def _summary(table: StrataTable) -> str:
    positive = table.weights[table.weights > 0]
    rows = f"{table.rows:,} rows, {table.drawable:,} of positive weight"
    if not len(positive):
        return rows
    if len(positive) == 1:
        return f"{rows}, all of {positive[0]:g}"
    return f"{rows}, {len(positive):,} distinct weights from {positive[0]:g} to {positive[-1]:g}"
