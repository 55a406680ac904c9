"""A text looked at while it is typed: what is wrong with it and where, and the weights that a slider can move.

Places are told as JavaScript counts them, in UTF-16 units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from tql_frames.errors import Span, TQLError
from tql_frames.frames import Frame
from tql_frames.language import Node, is_statement, nodes, parse, parse_statement, unparse
from tql_frames.views.choosing import choose

_OPERATORS: dict[str, Callable[[float, float], float | None]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else None,
}


def fault_of(source: Frame, text: str) -> TQLError | None:
    """What is wrong with a sampler or statement, or None; nothing runs.

    Example:
        >>> import polars as pl
        >>> from tql_frames.frames import kept_frame_of
        >>> fault = fault_of(kept_frame_of(pl.DataFrame({"age": [71]})), "max_weight(agee > 60: 5)")
        >>> fault.message, fault.hint, told(fault, fault.source)["start"]
        ("unknown column 'agee'", "did you mean 'age'?", 11)
    """
    if not text.strip():
        return None
    try:
        choose(source, text, None, fraction=None, replace=True, seed=0, order="draw", parameters=None)
    except TQLError as fault:
        return fault
    return None


def told(fault: TQLError, text: str | None) -> dict[str, Any]:
    """Return an error as it is sent: message, hint, and where in the text it is, if it is there."""
    here = fault.span is not None and fault.source == text
    start, stop = units(text or "", fault.span) if here and fault.span is not None else (None, None)
    return {"message": fault.message, "hint": fault.hint, "start": start, "stop": stop}


def arms_of(text: str) -> list[dict[str, Any]]:
    """Return the arms of constant weight: their condition, the weight, and where the weight stands in the text.

    Example:
        >>> arms_of("2 * max_weight(age > 60: 5, sex = 'F': age, true: 1)")
        [{'condition': 'age > 60', 'weight': 5.0, 'start': 25, 'stop': 26}, {'condition': 'true', ...'stop': 51}]
    """
    try:
        root: Node = parse_statement(text) if is_statement(text) else parse(text)
    except TQLError:
        return []
    arms: list[tuple[nodes.Arm, dict[str, Any]]] = []
    first: dict[int, nodes.Arm] = {}
    for node in root.walk():
        own = [child for child in node.children() if isinstance(child, nodes.Arm)]
        first.update({id(arm): own[0] for arm in own[1:]})
        weight = _constant(node.weight) if isinstance(node, nodes.Arm) else None
        if isinstance(node, nodes.Arm) and weight is not None and weight >= 0:
            start, stop = units(text, node.weight.span)
            arms.append((node, {"condition": unparse(node.condition), "weight": weight, "start": start, "stop": stop}))
    counts = Counter(arm["condition"] for _, arm in arms)
    for node, arm in arms:  # products have many arms `true`: what they stand beside tells them apart
        if counts[arm["condition"]] > 1 and id(node) in first:
            arm["condition"] += f", beside {unparse(first[id(node)].condition)}"
    return [arm for _, arm in arms]


def units(text: str, span: Span) -> tuple[int, int]:
    """Return a span in UTF-16 units.

    Example:
        >>> units("'🫁' = a", Span(6, 7))
        (7, 8)
    """
    start, stop = (len(text[:place].encode("utf-16-le")) // 2 for place in span)
    return start, stop


def _constant(node: Node) -> float | None:
    match node:
        case nodes.Literal(int() | float() as value) if not isinstance(value, bool):
            return float(value)
        case nodes.Positive(operand):
            return _constant(operand)
        case nodes.Negative(operand):
            positive = _constant(operand)
            return None if positive is None else -positive
        case nodes.Arithmetic(operator, left, right) if operator in _OPERATORS:
            first, second = _constant(left), _constant(right)
            return None if first is None or second is None else _OPERATORS[operator](first, second)
    return None
