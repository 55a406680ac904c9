"""The tree of a sampler or statement: frozen nodes, each with its span.

It knows no grammar and no dataframe; what a node means is decided by the compiler.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Self

from tql_frames.errors import Span


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
