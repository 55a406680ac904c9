"""The tree of a sampler or statement: frozen nodes, each with its span, and `unparse` back to text.

It knows no grammar and no dataframe; what a node means is decided by the compiler.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Self

from tql_frames.errors import Span
from tql_frames.language.keywords import RESERVED, SOMETIMES

_BARE_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A piece of a text; where it stands in the text is not part of what it is.

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
        """Yield the nodes directly below, in the order of the fields."""
        for each in fields(self):
            if each.name in ("span", "depth"):
                continue
            value = getattr(self, each.name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Node):
                    yield item

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, text, `true`, `false` or `null`."""

    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Column(Node):
    """A column by its exact name, of the frame called `frame` where that is given: `frame.name`."""

    name: str
    frame: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """`?`: a value that is given beside the text."""


@dataclass(frozen=True, slots=True)
class Array(Node):
    """`ARRAY[items]`, or a list given for a parameter."""

    items: tuple[Node, ...]


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


@dataclass(frozen=True, slots=True)
class Star(Node):
    """`*` in a SELECT list, or `frame.*`."""

    frame: str | None = None


@dataclass(frozen=True, slots=True)
class Item(Node):
    """`expression [AS alias]` in a SELECT list."""

    expression: Node
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Frame(Node):
    """`name [AS alias]` after FROM or JOIN."""

    name: str
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Subquery(Node):
    """`(statement) [AS alias]` after FROM or JOIN."""

    statement: Statement
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Join(Node):
    """`left KIND JOIN right ON condition` or `… USING (columns)`; kind is inner, left, right, full or cross."""

    left: Node
    kind: str
    right: Node
    condition: Node | None = None
    using: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expand(Node):
    """`EXPAND BY before after [OVERLAP true]`."""

    before: Node
    after: Node
    overlap: bool = False


@dataclass(frozen=True, slots=True)
class Ungroup(Node):
    """`UNGROUP BY split`, or `UNGROUP BY parts`."""

    parts: Node | None = None


@dataclass(frozen=True, slots=True)
class SortKey(Node):
    """`expression [DESC]` after ORDER BY."""

    expression: Node
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Limit(Node):
    """`LIMIT count [PERCENT]`."""

    count: Node
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Sample(Node):
    """`SAMPLE BY sampler [REPLACE replace] [limit]`."""

    sampler: Node
    replace: bool = True
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Select(Node):
    """`SELECT [DISTINCT] [TOP top] items [FROM source] [WHERE where] [expand] [GROUP BY groups] [ungroup]`."""

    items: tuple[Node, ...]
    distinct: bool = False
    top: Node | None = None
    source: Node | None = None
    where: Node | None = None
    expand: Expand | None = None
    groups: tuple[Node, ...] = ()
    ungroup: Ungroup | None = None


@dataclass(frozen=True, slots=True)
class Combination(Node):
    """`left operator right`; the operator is union, union all, intersect or except."""

    left: Node
    operator: str
    right: Node


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """`body [ORDER BY keys] [limit] [OFFSET offset] [sample]`; the body is a Select, a Combination or a Statement."""

    body: Node
    keys: tuple[SortKey, ...] = ()
    limit: Limit | None = None
    offset: Node | None = None
    sample: Sample | None = None


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
        case Column(name, frame):
            return f"{_name(frame)}.{_name(name)}" if frame is not None else _name(name)
        case Parameter():
            return "?"
        case Array(items):
            return f"array[{', '.join(map(unparse, items))}]"
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
    return _unparse_statement(node)


def _unparse_statement(node: Node) -> str:
    match node:
        case Star(frame):
            return f"{_name(frame)}.*" if frame is not None else "*"
        case Item(expression, alias):
            return unparse(expression) + _as(alias)
        case Frame(name, alias):
            return _name(name) + _as(alias)
        case Subquery(statement, alias):
            return f"({unparse(statement)}){_as(alias)}"
        case Join(left, kind, right, condition, using):
            how = f" on {unparse(condition)}" if condition is not None else ""
            how += f" using ({', '.join(map(_name, using))})" if using else ""
            return f"{unparse(left)} {kind} join {unparse(right)}{how}"
        case Expand(before, after, overlap):
            return f"expand by {unparse(before)} {unparse(after)}{' overlap true' if overlap else ''}"
        case Ungroup(parts):
            return f"ungroup by {unparse(parts) if parts is not None else 'split'}"
        case SortKey(expression, descending):
            return unparse(expression) + (" desc" if descending else "")
        case Limit(count, percent):
            return f"limit {unparse(count)}{' percent' if percent else ''}"
        case Sample(sampler, replace, limit):
            clauses = ["sample by", unparse(sampler), "" if replace else "replace false", _clause("", limit)]
        case Select(items, distinct, top, source, where, expand, groups, ungroup):
            clauses = ["select distinct" if distinct else "select", _clause("top", top), ", ".join(map(unparse, items))]
            clauses += [_clause("from", source), _clause("where", where), _clause("", expand)]
            clauses += [f"group by {', '.join(map(unparse, groups))}" if groups else "", _clause("", ungroup)]
        case Combination(left, operator, right):
            first = unparse(left) if isinstance(left, Combination) else _bracketed(left)
            clauses = [first, operator, _bracketed(right)]
        case Statement(body, keys, limit, offset, sample):
            clauses = [f"({unparse(body)})" if isinstance(body, Statement) else unparse(body)]
            clauses += [f"order by {', '.join(map(unparse, keys))}" if keys else "", _clause("", limit)]
            clauses += [_clause("offset", offset), _clause("", sample)]
        case _:
            raise AssertionError(f"no unparse rule for {type(node).__name__}")
    return " ".join(filter(None, clauses))


def _clause(word: str, node: Node | None) -> str:
    return f"{word} {unparse(node)}".strip() if node is not None else ""


def _as(alias: str | None) -> str:
    return "" if alias is None else f" as {_name(alias)}"


def _bracketed(operand: Node) -> str:
    return unparse(operand) if isinstance(operand, Select) else f"({unparse(operand)})"


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
    if _BARE_NAME.fullmatch(name) and name.lower() not in RESERVED | SOMETIMES:
        return name
    return '"' + name.replace('"', '""') + '"'


def _not(negated: bool) -> str:
    return "not " if negated else ""
