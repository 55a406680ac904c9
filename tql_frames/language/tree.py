"""The tree of a sampler or statement: frozen nodes, each with its span.

It knows no grammar and no dataframe; what a node means is decided by the compiler.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, dataclass, field, fields
from decimal import Decimal
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from tql_frames.errors import Span

_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def _node(cls: type[_Class]) -> type[_Class]:
    """A frozen dataclass whose methods are written in `Node` once: made for each class they slow the import."""
    made: Any = dataclass(slots=True, eq=False, repr=False)(cls)
    made._own = tuple(each.name for each in fields(made) if each.compare)
    return made  # type: ignore[no-any-return]


@_node
class Node:
    """A piece of a text; where it stands in the text is not part of what it is.

    Attributes:
        span: the characters it was read from.
        depth: levels of nodes below and including this one.
    """

    _own: ClassVar[tuple[str, ...]]  # names of the fields that say what a node is

    span: Span = field(default=Span(0, 0), compare=False, kw_only=True)
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max((child.depth for child in self.children()), default=0))

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Node) or type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._own)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self._own)))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._own)
        return f"{type(self).__name__}({values})"

    def at(self, span: Span) -> Self:
        """The same node, read from other characters.

        Its depth is not counted again: of many parentheses around many operands that would be quadratic.
        """
        moved = copy.copy(self)
        object.__setattr__(moved, "span", span)
        return moved

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below, in the order of the fields."""
        for name in self._own:
            value = getattr(self, name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Node):
                    yield item

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()


class Written(float):
    """A fraction that was written with more digits than a float holds.

    Attributes:
        exact: the number as it was written.
    """

    exact: Decimal

    @classmethod
    def of(cls, exact: Decimal) -> float:
        """The number as a float, which keeps its digits only where a float has fewer."""
        number = float(exact)
        if not math.isfinite(number) or Decimal(repr(number)) == exact:
            return number
        found = cls(number)
        found.exact = exact
        return found

    def __neg__(self) -> float:
        return Written.of(self.exact.copy_negate())


def written(number: float) -> Decimal:
    """A finite number as its text says it: 0.1 is a tenth, not the float next to it."""
    if isinstance(number, Written):
        return number.exact
    return Decimal(number) if isinstance(number, int) else Decimal(repr(float(number)))


@_node
class Literal(Node):
    """A number, text, `true`, `false` or `null`."""

    value: int | float | str | bool | None


@_node
class Column(Node):
    """A column by its exact name, of the frame called `frame` where that is given: `frame.name`."""

    name: str
    frame: str | None = None


@_node
class Parameter(Node):
    """`?`: a value that is given beside the text."""


@_node
class Array(Node):
    """`ARRAY[items]`, or a list given for a parameter."""

    items: tuple[Node, ...]


@_node
class Negative(Node):
    """`-operand`."""

    operand: Node


@_node
class Arithmetic(Node):
    """`left operator right` with one of `+ - * / %`."""

    operator: str
    left: Node
    right: Node


@_node
class Comparison(Node):
    """`left operator right` with one of `== != < <= > >=`."""

    operator: str
    left: Node
    right: Node


@_node
class Not(Node):
    """`not operand`."""

    operand: Node


@_node
class And(Node):
    """`operand and operand and …`, flat however long the chain."""

    operands: tuple[Node, ...]


@_node
class Or(Node):
    """`operand or operand or …`, flat however long the chain."""

    operands: tuple[Node, ...]


@_node
class In(Node):
    """`operand [not] in (items)`."""

    operand: Node
    items: tuple[Node, ...]
    negated: bool = False


@_node
class Between(Node):
    """`operand [not] between low and high`, both bounds included."""

    operand: Node
    low: Node
    high: Node
    negated: bool = False


@_node
class Like(Node):
    """`operand [not] like pattern`, or `ilike` when `ignore_case`."""

    operand: Node
    pattern: Node
    negated: bool = False
    ignore_case: bool = False


@_node
class IsNull(Node):
    """`operand is [not] null`."""

    operand: Node
    negated: bool = False


@_node
class Call(Node):
    """`name(arguments)`; the name in lower case, `name_span` where it stands."""

    name: str
    arguments: tuple[Node, ...]
    name_span: Span = field(default=Span(0, 0), compare=False)


@_node
class Arm(Node):
    """`condition: weight`."""

    condition: Node
    weight: Node


@_node
class WeightChoice(Node):
    """`max_weight(arms)` or `sum_weight(arms)`; the name in lower case, `name_span` where it stands."""

    name: str
    arms: tuple[Arm, ...]
    name_span: Span = field(default=Span(0, 0), compare=False)


@_node
class Slice(Node):
    """`start:stop:step` inside a subscript, each part optional."""

    start: Node | None = None
    stop: Node | None = None
    step: Node | None = None


@_node
class Subscript(Node):
    """`operand[indices]`, one index a dimension."""

    operand: Node
    indices: tuple[Node, ...]


@_node
class Star(Node):
    """`*` in a SELECT list, or `frame.*`."""

    frame: str | None = None


@_node
class Item(Node):
    """`expression [AS alias]` in a SELECT list."""

    expression: Node
    alias: str | None = None


@_node
class Frame(Node):
    """`name [AS alias]` after FROM or JOIN."""

    name: str
    alias: str | None = None


@_node
class Subquery(Node):
    """`(statement) [AS alias]` after FROM or JOIN."""

    statement: Statement
    alias: str | None = None


@_node
class Join(Node):
    """`left KIND JOIN right ON condition` or `… USING (columns)`; kind is inner, left, right, full or cross."""

    left: Node
    kind: str
    right: Node
    condition: Node | None = None
    using: tuple[str, ...] = ()


@_node
class Expand(Node):
    """`EXPAND BY before after [OVERLAP true]`."""

    before: Node
    after: Node
    overlap: bool = False


@_node
class Ungroup(Node):
    """`UNGROUP BY split`, or `UNGROUP BY parts`."""

    parts: Node | None = None


@_node
class SortKey(Node):
    """`expression [DESC]` after ORDER BY."""

    expression: Node
    descending: bool = False


@_node
class Limit(Node):
    """`LIMIT count [PERCENT]`."""

    count: Node
    percent: bool = False


@_node
class Sample(Node):
    """`SAMPLE BY sampler [REPLACE replace] [limit]`."""

    sampler: Node
    replace: bool = True
    limit: Limit | None = None


@_node
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


@_node
class Combination(Node):
    """`left operator right`; the operator is union, union all, intersect or except."""

    left: Node
    operator: str
    right: Node


@_node
class Statement(Node):
    """`body [ORDER BY keys] [limit] [OFFSET offset] [sample]`; the body is a Select, a Combination or a Statement."""

    body: Node
    keys: tuple[SortKey, ...] = ()
    limit: Limit | None = None
    offset: Node | None = None
    sample: Sample | None = None
