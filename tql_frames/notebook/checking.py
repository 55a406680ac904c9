"""Check a text while it is typed, and list completions: columns, functions, keywords, labels.

Texts are parsed and compiled elsewhere; `session` sends the results to the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from tql_frames.compiler.expressions.functions import FUNCTIONS, function_named, registered_names
from tql_frames.compiler.expressions.types import DataType
from tql_frames.errors import Span, TQLError
from tql_frames.frames import Frame
from tql_frames.language import Node, is_statement, nodes, parse, parse_statement, unparse
from tql_frames.language.keywords import CLAUSES, OPERATORS, SOMETIMES
from tql_frames.views.provenance import choose

_OPERATORS: dict[str, Callable[[float, float], float | None]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else None,
}


def fault_of(source: Frame, text: str) -> TQLError | None:
    """Return the first error of a sampler or statement, or None; nothing is run.

    Examples:
        >>> import polars as pl
        >>> from tql_frames.frames import kept_frame_of
        >>> fault = fault_of(kept_frame_of(pl.DataFrame({"age": [71]})), "max_weight(agee > 60: 5)")
        >>> fault.message, fault.hint, fault_as_json(fault, fault.source)["start"]
        ("unknown column 'agee'", "did you mean 'age'?", 11)
    """
    if not text.strip():
        return None
    try:
        choose(source, text, None, seed=0)
    except TQLError as fault:
        return fault
    return None


def fault_as_json(fault: TQLError, text: str | None) -> dict[str, Any]:
    """Return message, hint and span of an error, to be sent; the span is None if the error is not in this text."""
    here = fault.span is not None and fault.source == text
    start, stop = units(text or "", fault.span) if here and fault.span is not None else (None, None)
    return {"message": fault.message, "hint": fault.hint, "start": start, "stop": stop}


def arms_of(text: str) -> list[dict[str, Any]]:
    """Return the arms of constant weight >= 0: condition, weight, and the span of the weight in UTF-16 units.

    Examples:
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
    for node, arm in arms:  # products have many arms `true`: the first arm beside each of them makes it unique
        if counts[arm["condition"]] > 1 and id(node) in first:
            arm["condition"] += f", beside {unparse(first[id(node)].condition)}"
    return [arm for _, arm in arms]


def units(text: str, span: Span) -> tuple[int, int]:
    """Return a span in UTF-16 units.

    Examples:
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


# Called like functions, but not in the table of functions.
_CALLED = {
    "max_weight": "max_weight(condition: weight, …)",
    "random": "random()",
    "sum_weight": "sum_weight(condition: weight, …)",
}


class Word(TypedDict):
    """A completion.

    Attributes:
        name: the word.
        kind: "column", "function", "keyword" or "label".
        insert: the inserted text: a column name, quoted if necessary, or a function name with an opening parenthesis.
        detail: text beside the word in the list: the type of a column, or the usage of a function.
    """

    name: str
    kind: str
    insert: str
    detail: str


def words_of(columns: Iterable[object], types: Mapping[str, DataType]) -> list[Word]:
    """Return the completions for a frame: its columns first, then functions and keywords.

    Args:
        columns: labels of the columns; labels that are not text are left out, as TQL cannot name them.
        types: Polars types of columns, where known.

    Examples:
        >>> import polars as pl
        >>> words = words_of(["age", "body mass"], {"age": pl.Int16()})
        >>> [(word["insert"], word["detail"]) for word in words[:2]]
        [('age', 'Int16'), ('"body mass"', '')]
        >>> next(word["insert"] for word in words if word["name"] == "contains")
        'contains('
    """
    names = [name for name in columns if isinstance(name, str)]
    words = [
        Word(name=name, kind="column", insert=unparse(nodes.Column(name)), detail=_kind(types, name)) for name in names
    ]
    usages = _CALLED | {name: function.usage for name, function in FUNCTIONS.items()}
    usages |= {name: _usage(name) for name in registered_names()}
    words += [Word(name=name, kind="function", insert=f"{name}(", detail=usages[name]) for name in sorted(usages)]
    keywords = sorted(OPERATORS | CLAUSES | SOMETIMES)
    return words + [Word(name=word, kind="keyword", insert=word, detail="") for word in keywords]


def words_of_labels(texts: Mapping[str, Iterable[str]]) -> list[Word]:
    """Return completions of quoted texts: the labels of columns.

    Examples:
        >>> words_of_labels({"tags": ["Hernia", "O'Hara"]})[1]
        {'name': "O'Hara", 'kind': 'label', 'insert': "'O''Hara'", 'detail': 'tags'}
    """
    return [
        Word(name=text, kind="label", insert="'" + text.replace("'", "''") + "'", detail=column)
        for column, own in texts.items()
        for text in own
    ]


def _kind(types: Mapping[str, DataType], name: str) -> str:
    detail = str(types[name]).removesuffix("()") if name in types else ""
    detail = detail.split("(")[0] if detail.startswith("Enum(") else detail
    return detail if len(detail) <= 40 else f"{detail[:39]}…"


def _usage(name: str) -> str:
    found = function_named(name)
    return name if found is None else found.usage
