"""Warn of idle arms, which match no row or never decide, with hints at what the user may have meant.

`weights` finds out which arms decide a row; rows are read again only for arms that seem idle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from tql_frames.compiler import CompiledArm, CompiledSampler
from tql_frames.compiler.expressions.sampler import is_default
from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.expressions.types import inner, innermost, is_nested, is_number, is_text
from tql_frames.errors import Place, Span, TQLArmWarning, did_you_mean, warn
from tql_frames.language import nodes, unparse
from tql_frames.language.nodes import Node
from tql_frames.pipeline.weights import Watched

_MOST_WARNED = 10  # arms, or texts
_MOST_VALUES = 5_000  # values of a column among which the nearest is searched
_MOST_SHOWN = 5
_MOST_SOUGHT = 16  # constants of one `in` that are searched among the values of a column
_MOST_BESIDE = 16  # other arms with which an arm is compared
_LONGEST = 80  # characters of a text in a message


@dataclass(frozen=True)
class _Sought:
    """A constant that a condition compares with a column.

    Attributes:
        column: name of the column.
        value: text or number.
        within: whether texts may contain it as a part.
        operator: for numbers, the operator of the comparison.
        separator: separator by which the texts of the column are split before, or None.
    """

    column: str
    value: str | float
    within: bool
    operator: str
    separator: str | None = None


class Aggregable(Protocol):
    """Rows that can be aggregated."""

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name."""

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row."""


class Planned:
    """The rows of a plan."""

    def __init__(self, plan: pl.LazyFrame) -> None:
        """Store the plan; nothing runs."""
        self._plan = plan

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name."""
        return self._plan.clone().collect_schema()

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row."""
        return self._plan.select(**exprs).collect(engine="streaming")


def warn_of_categories(sampler: CompiledSampler | pl.Expr) -> None:
    """Warn of texts that a sampler compares with an Enum but that are not among its categories; no row is read.

    Warns:
        TQLArmWarning: one for each of the first texts, and one for all others.
    """
    if isinstance(sampler, pl.Expr):
        return
    for each in sampler.unknown[:_MOST_WARNED]:
        place = next((n for n, arm in enumerate(sampler.arms, 1) if _holds(arm.span, each.span)), None)
        who = "the sampler" if place is None else f"arm {place}"
        few = ", ".join(map(repr, each.categories[:_MOST_SHOWN]))
        more = ", …" if len(each.categories) > _MOST_SHOWN else ""
        hint = did_you_mean(each.word, each.categories) or (f"the categories are {few}{more}" if few else None)
        message = f"{who} compares {_short(each.of)} with {_short(each.word)!r}, which is none of its categories"
        warn(TQLArmWarning(message, source=sampler.source, span=each.span, hint=hint))
    others = sampler.unknown[_MOST_WARNED:]
    if others:
        texts, first = "text is" if len(others) == 1 else "texts are", _short(others[0].word)
        message = f"{len(others):,} more {texts} none of the categories compared with, the first {first!r}"
        warn(TQLArmWarning(message, source=sampler.source, span=others[0].span))


def warn_of_idle_arms(
    sampler: CompiledSampler | pl.Expr, rows: Aggregable, watched: Watched | None, place: Place | None = None
) -> None:
    """Warn of the arms of a sampler that match no row, and of those that never decide.

    Args:
        sampler: compiled for the rows.
        rows: the weighed rows.
        watched: which arms decide a row; None if it is not known.
        place: the line to point at if the rows are weighed in another thread.

    Warns:
        TQLArmWarning: for each such arm.
    """
    if isinstance(sampler, pl.Expr) or watched is None or watched.all():
        return
    for warning in _warnings(sampler, rows, dict.fromkeys(np.flatnonzero(~watched).tolist())):
        warn(warning, place)


def idle_warnings(
    sampler: CompiledSampler, rows: Aggregable | None, matched: Sequence[int], decided: Sequence[int]
) -> list[TQLArmWarning]:
    """Return the warnings, from the numbers of rows that each arm matches and decides."""
    counts = enumerate(zip(matched, decided, strict=True))
    return _warnings(sampler, rows, {arm: bool(rows_of) for arm, (rows_of, decides) in counts if not decides})


def _warnings(sampler: CompiledSampler, rows: Aggregable | None, idle: dict[int, bool | None]) -> list[TQLArmWarning]:
    """Return the warnings for arms that decide no row; `idle` holds whether they match a row, None if not known."""
    arms = {node.span: node for node in sampler.tree.walk() if isinstance(node, nodes.Arm)}
    places = [place for place in idle if _is_of_interest(arms.get(sampler.arms[place].span))]
    looking = _Looking(sampler, rows, arms)
    if rows is not None:
        for place in places[:_MOST_WARNED]:
            looking.ask(place)
    return [*looking.warnings(places[:_MOST_WARNED], idle), *_of_more(sampler, places)]


def _of_more(sampler: CompiledSampler, idle: Sequence[int]) -> list[TQLArmWarning]:
    """Return one warning for all arms beyond the first, which have their own warnings."""
    more = len(idle) - _MOST_WARNED
    if more <= 0:
        return []
    span = sampler.arms[idle[_MOST_WARNED]].span
    arms = "arm matches no row or never decides" if more == 1 else "arms match no row or never decide"
    return [
        TQLArmWarning(f"{more:,} more {arms}, the first arm {idle[_MOST_WARNED] + 1}", source=sampler.source, span=span)
    ]


class _Looking:
    """One pass over the rows for all arms that seem idle."""

    def __init__(self, sampler: CompiledSampler, rows: Aggregable | None, arms: dict[Span, nodes.Arm]) -> None:
        self._sampler, self._rows, self._arms = sampler, rows, arms
        self._exprs: dict[str, pl.Expr] = {}
        self._sought: dict[int, list[_Sought]] = {}

    def ask(self, place: int) -> None:
        """Add the aggregations for an arm."""
        arm = self._sampler.arms[place]
        self._exprs[f"matches {place}"] = arm.condition.any()
        for other in self._greater(place):
            beyond = arm.condition & ~self._sampler.arms[other].condition
            self._exprs[f"beyond {place} {other}"] = beyond.any()
        self._sought[place] = list(self._constants(place))
        for number, sought in enumerate(self._sought[place]):
            for name, expr in self._about(sought):
                self._exprs[f"{name} {place} {number}"] = expr

    def warnings(self, places: Sequence[int], matches: dict[int, bool | None]) -> Iterator[TQLArmWarning]:
        """Yield the warnings."""
        found: dict[str, object] = {}
        if self._exprs and self._rows is not None:
            try:
                found = self._rows.aggregate(self._exprs).row(0, named=True)
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # a missing hint is better than an error
                found = {}
        for place in places:
            arm = self._sampler.arms[place]
            matching = found.get(f"matches {place}") if matches[place] is None else matches[place]
            if matching is None:
                continue
            source, span = self._sampler.source, arm.span
            if matching:
                message = f"arm {place + 1} never decides: {self._winner(place, found)}"
                yield TQLArmWarning(message, source=source, span=span, hint=self._advice(arm))
            elif not any(_holds(span, each.span) for each in self._sampler.unknown):  # which have their own warning
                message = f"arm {place + 1} matches no row"
                yield TQLArmWarning(message, source=source, span=span, hint=self._hint(place, found))

    def _greater(self, place: int) -> list[int]:
        """Return other arms of the same choice with at least its weight, defaults first."""
        mine = self._sampler.arms[place]
        choice = next(
            (
                node
                for node in self._sampler.tree.walk()
                if isinstance(node, nodes.WeightChoice) and any(arm.span == mine.span for arm in node.arms)
            ),
            None,
        )
        if mine.constant is None or choice is None or choice.name != "max_weight":
            return []
        siblings = {arm.span for arm in choice.arms}
        others = [
            n
            for n, arm in enumerate(self._sampler.arms)
            if n != place and arm.span in siblings and arm.constant is not None and arm.constant >= mine.constant
        ]
        return sorted(others, key=lambda n: not _is_always(self._arms.get(self._sampler.arms[n].span)))[:_MOST_BESIDE]

    def _winner(self, place: int, found: dict[str, object]) -> str:
        for other in self._greater(place):
            arm = self._sampler.arms[other]
            if _is_always(self._arms.get(arm.span)):
                return f"every row has weight {arm.constant:g} from arm {other + 1}"
            if found.get(f"beyond {place} {other}") is False:
                return f"every row that it matches has weight {arm.constant:g} from arm {other + 1}"
        return "every row that it matches has as great a weight from another arm"

    def _advice(self, arm: CompiledArm) -> str:
        if arm.constant == 0:
            return (
                "max_weight takes the greatest weight; to leave rows out, write the opposite condition into the others"
            )
        return "max_weight takes the greatest weight of the arms that a row matches"

    def _constants(self, place: int) -> Iterator[_Sought]:
        node = self._arms.get(self._sampler.arms[place].span)
        if node is None or self._rows is None:
            return
        known = set(self._sampler.arms[place].condition.meta.root_names())
        for sought in _comparisons(node.condition):
            if sought.column in known:
                yield sought

    def _about(self, sought: _Sought) -> Iterator[tuple[str, pl.Expr]]:
        """Yield aggregations of a column, each one row, which show what the user may have meant by a constant."""
        assert self._rows is not None
        dtype = self._rows.schema[sought.column]
        values = column(sought.column)
        element = innermost(dtype)
        if is_nested(dtype):
            if isinstance(dtype, pl.Array):
                values = values.arr.to_list()
            if is_nested(inner(dtype)):
                return
            values = values.explode()
        if is_number(element) and isinstance(sought.value, float):
            bounds = values.cast(pl.Float64).drop_nans()
            yield "least", bounds.min()
            yield "greatest", bounds.max()
        if not (is_text(element) and isinstance(sought.value, str)):
            return
        texts, word = values.cast(pl.String), sought.value
        if sought.separator is not None:
            texts = texts.str.split(sought.separator).explode()
        elif sought.within and not is_nested(dtype):
            yield "here", texts.str.contains(word, literal=True).any()
            pattern = f"(?i)({_escaped(word)})"
            yield "same", texts.str.extract(pattern, 1).drop_nulls().first().implode()
            return
        length = texts.str.len_chars()
        near = length.is_between(len(word) // 2, 2 * len(word) + 2)
        same = texts.str.strip_chars().str.to_lowercase() == word.strip().lower()
        yield "here", (texts == word).any()
        yield "same", texts.filter(same).unique().head(1).implode()
        yield "near", texts.filter(near).unique().head(_MOST_VALUES).implode()

    def _hint(self, place: int, found: dict[str, object]) -> str | None:
        node = self._arms.get(self._sampler.arms[place].span)
        null = None if node is None else _null_hint(node)
        if null is not None:
            return null
        for number, sought in enumerate(self._sought.get(place, [])):
            least, greatest = (found.get(f"{name} {place} {number}") for name in ("least", "greatest"))
            if isinstance(least, float) and isinstance(greatest, float) and isinstance(sought.value, float):
                above = sought.value >= greatest and sought.operator in (">", ">=")
                below = sought.value <= least and sought.operator in ("<", "<=")
                beside = not least <= sought.value <= greatest and sought.operator == "=="
                if above or below or beside:
                    return f"the values of {sought.column!r} are from {least:g} to {greatest:g}"
            elif isinstance(sought.value, str) and found.get(f"here {place} {number}") is not True:
                for name in ("same", "near"):
                    values = found.get(f"{name} {place} {number}")
                    words = [each for each in values if isinstance(each, str)] if isinstance(values, list) else []
                    hint = f"did you mean {_short(words[0])!r}?" if words and name == "same" else None
                    hint = hint or did_you_mean(sought.value, sorted(words))
                    if hint:
                        return hint
        return None


_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _comparisons(node: Node) -> Iterator[_Sought]:
    """Yield the constants that a condition compares columns with."""
    for each in node.walk():
        pairs: list[tuple[Node, str, Node]] = []
        match each:
            case nodes.Comparison(operator, left, right) if operator != "!=":
                pairs = [(left, operator, right), (right, _MIRROR.get(operator, operator), left)]
            case nodes.In(operand, items, False):
                pairs = [(operand, "==", item) for item in _telling(items)]
            case nodes.Call("contains", (container, item)):
                pairs = [(container, "==", item)]
            case nodes.Between(operand, low, high, False):
                pairs = [(operand, ">=", low), (operand, "<=", high)]
        for operand, operator, constant in pairs:
            sign = -1.0 if isinstance(constant, nodes.Negative) else 1.0
            literal = constant.operand if isinstance(constant, nodes.Negative) else constant
            named, separator = operand, None
            match operand:
                case nodes.Call("split", (nodes.Column() as text, nodes.Literal(str(mark)))):
                    named, separator = text, mark
            if not (isinstance(named, nodes.Column) and isinstance(literal, nodes.Literal)):
                continue
            value = literal.value
            if isinstance(value, str):
                yield _Sought(named.name, value, isinstance(each, nodes.Call), operator, separator)
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                yield _Sought(named.name, sign * float(value), False, operator)


def _telling(items: Sequence[Node]) -> Sequence[Node]:
    """Return the items of `in` for a hint: the least and the greatest of many numbers, the first of many texts."""
    many = items[0]
    if isinstance(many, nodes.Values):
        if isinstance(many.values, tuple):
            return [nodes.Literal(text, span=many.span) for text in many.values[:_MOST_SOUGHT]]
        values = np.array(many.values)
        ends = [values.min(), values.max()]  # NaN if there is one
        return [nodes.Literal(each.item(), span=many.span) for each in ends]
    if len(items) <= _MOST_SOUGHT:
        return items
    numbers = [(number, item) for item in items if (number := _number(item)) is not None]
    ends = [each(numbers, key=lambda pair: pair[0])[1] for each in (min, max)] if numbers else []
    return [*ends, *[item for item in items if _number(item) is None][:_MOST_SOUGHT]]


def _number(node: Node) -> float | None:
    """Return a number that is written in a text."""
    sign, node = (-1, node.operand) if isinstance(node, nodes.Negative) else (1, node)
    value = node.value if isinstance(node, nodes.Literal) else None
    return sign * value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _null_hint(node: nodes.Arm) -> str | None:
    for each in node.condition.walk():
        match each:
            case nodes.Comparison(operator, left, right):
                for value, other in ((left, right), (right, left)):
                    if isinstance(other, nodes.Literal) and other.value is None:
                        word = "is not null" if operator == "!=" else "is null"
                        return f"use `{word}`: {unparse(value)} {word}"
            case nodes.In(operand, items, _) if all(isinstance(i, nodes.Literal) and i.value is None for i in items):
                return f"use `is null`: {unparse(operand)} is null"
    return None


def _is_of_interest(node: nodes.Arm | None) -> bool:
    """Return whether an idle arm may be a mistake: not a constant condition, nor one that depends on `random()`."""
    if node is None or isinstance(node.condition, nodes.Literal):
        return False
    return not any(isinstance(each, nodes.Call) and each.name == "random" for each in node.condition.walk())


def _is_always(node: nodes.Arm | None) -> bool:
    return node is not None and is_default(node)


def _holds(whole: Span, part: Span) -> bool:
    return whole.start <= part.start and part.stop <= whole.stop


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _escaped(text: str) -> str:
    return re.sub(r"([\\.+*?()|\[\]{}^$#&\-~/])", r"\\\1", text)
