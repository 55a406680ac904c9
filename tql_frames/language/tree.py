"""The tree of a sampler: frozen nodes, each with its span, and `unparse` back to text.

It knows no grammar and no dataframe; what a node means is decided by the compiler.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Self

from tql_frames.errors import Span

KEYWORDS = frozenset(("and", "or", "not", "in", "between", "like", "ilike", "is", "null", "true", "false"))
# Words of whole statements. None is used in a sampler; kept free so that a sampler means the same inside a statement.
_CLAUSES = (
    "select",
    "from",
    "where",
    "group",
    "ungroup",
    "expand",
    "order",
    "by",
    "having",
    "limit",
    "offset",
    "sample",
)
_OTHERS = ("as", "asc", "desc", "distinct", "case", "cast", "exists", "join", "on", "using", "with")
STATEMENT_WORDS = frozenset((*_CLAUSES, *_OTHERS, "union", "intersect", "except"))
_BARE_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A piece of a sampler; where it stands in the text is not part of what it is.

    Attributes:
        span: the characters it was read from.
        depth: levels of nodes below and including this one.
    """

    span: Span = field(default=Span(0, 0), compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max((child.depth for child in self.children()), default=0))

    def at(self, span: Span) -> Self:
        """The same node, read from other characters.

        Its depth is not counted again: of many parentheses around many operands that would be quadratic.
        """
        moved = copy.copy(self)
        object.__setattr__(moved, "span", span)
        return moved

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below, in the order of the text."""
        for each in fields(self):
            if each.name in ("span", "depth"):
                continue
            value = getattr(self, each.name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Node):
                    yield item


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, text, `true`, `false` or `null`."""

    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Column(Node):
    """A column of the frame, by its exact name."""

    name: str


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """`-operand`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`left operator right` with one of `+ - * / %`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`left operator right` with one of `== != < <= > >=`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`not operand`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class And(Node):
    """`operand and operand and …`, flat however long the chain."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or(Node):
    """`operand or operand or …`, flat however long the chain."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class In(Node):
    """`operand [not] in (items)`."""

    operand: Node
    items: tuple[Node, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Between(Node):
    """`operand [not] between low and high`, both bounds included."""

    operand: Node
    low: Node
    high: Node
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Like(Node):
    """`operand [not] like pattern`, or `ilike` when `ignore_case`."""

    operand: Node
    pattern: Node
    negated: bool = False
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class IsNull(Node):
    """`operand is [not] null`."""

    operand: Node
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(arguments)`; the name in lower case, `name_span` where it stands."""

    name: str
    arguments: tuple[Node, ...]
    name_span: Span = field(default=Span(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arm(Node):
    """`condition: weight`."""

    condition: Node
    weight: Node


@dataclass(frozen=True, slots=True)
class WeightChoice(Node):
    """`max_weight(arms)` or `sum_weight(arms)`; the name in lower case, `name_span` where it stands."""

    name: str
    arms: tuple[Arm, ...]
    name_span: Span = field(default=Span(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Slice(Node):
    """`start:stop:step` inside a subscript, each part optional."""

    start: Node | None = None
    stop: Node | None = None
    step: Node | None = None


@dataclass(frozen=True, slots=True)
class Subscript(Node):
    """`operand[indices]`, one index a dimension."""

    operand: Node
    indices: tuple[Node, ...]


# How tightly each node binds, loosest first; what is not listed is a primary and never needs parentheses.
_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGNED, _SUBSCRIPT = range(8)


def unparse(node: Node) -> str:
    """Return TQL text that parses to an equal tree, with no parentheses beyond the needed.

    Example:
        >>> unparse(And((Column("a"), Or((Column("b"), Literal(True))))))
        'a and (b or true)'
    """
    match node:
        case Literal(value):
            return _literal(value)
        case Column(name):
            return _name(name)
        case Negative(operand):
            text = _inside(operand, _SIGNED)
            return f"- {text}" if text.startswith("-") else f"-{text}"  # `--` would start a comment
        case Arithmetic(operator, left, right):
            level = _SUM if operator in "+-" else _PRODUCT
            return f"{_inside(left, level)} {operator} {_inside(right, level + 1)}"
        case Comparison(operator, left, right):
            return f"{_inside(left, _SUM)} {operator} {_inside(right, _SUM)}"
        case Not(operand):
            return f"not {_inside(operand, _NOT)}"
        case And(operands):
            return " and ".join(_inside(operand, _NOT) for operand in operands)
        case Or(operands):
            return " or ".join(_inside(operand, _AND) for operand in operands)
        case In(operand, items, negated):
            listed = ", ".join(map(unparse, items))
            return f"{_inside(operand, _SUM)} {_not(negated)}in ({listed})"
        case Between(operand, low, high, negated):
            bounds = f"{_inside(low, _SUM)} and {_inside(high, _SUM)}"
            return f"{_inside(operand, _SUM)} {_not(negated)}between {bounds}"
        case Like(operand, pattern, negated, ignore_case):
            word = "ilike" if ignore_case else "like"
            return f"{_inside(operand, _SUM)} {_not(negated)}{word} {_inside(pattern, _SUM)}"
        case IsNull(operand, negated):
            return f"{_inside(operand, _SUM)} is {_not(negated)}null"
        case Call(name, arguments):
            return f"{name}({', '.join(map(unparse, arguments))})"
        case WeightChoice(name, arms):
            return f"{name}({', '.join(map(unparse, arms))})"
        case Arm(condition, weight):
            return f"{unparse(condition)}: {unparse(weight)}"
        case Slice(start, stop, step):
            bounds = f"{unparse(start) if start else ''}:{unparse(stop) if stop else ''}"
            return f"{bounds}:{unparse(step)}" if step else bounds
        case Subscript(operand, indices):
            return f"{_inside(operand, _SUBSCRIPT)}[{', '.join(map(unparse, indices))}]"
    raise AssertionError(f"no unparse rule for {type(node).__name__}")


def _inside(node: Node, level: int) -> str:
    """Text of a node where only nodes binding at `level` or tighter may stand bare."""
    text = unparse(node)
    return text if _binding(node) >= level else f"({text})"


def _binding(node: Node) -> int:
    match node:
        case Or():
            return _OR
        case And():
            return _AND
        case Not():
            return _NOT
        case Comparison() | In() | Between() | Like() | IsNull():
            return _COMPARE
        case Arithmetic(operator, _, _):
            return _SUM if operator in "+-" else _PRODUCT
        case Negative():
            return _SIGNED
    return _SUBSCRIPT


def _literal(value: int | float | str | bool | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def _name(name: str) -> str:
    if _BARE_NAME.fullmatch(name) and name.lower() not in KEYWORDS | STATEMENT_WORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def _not(negated: bool) -> str:
    return "not " if negated else ""
