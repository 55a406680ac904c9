"""The tree of a sampler or statement: frozen nodes, each with its span.

It knows no grammar and no dataframe; what a node means is decided by the compiler.
"""

from __future__ import annotations

import copy
import hashlib
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from tql_frames.errors import Span

CHAINED = 4  # operators from which on a flat chain is one `Chain`
_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def _node(cls: type[_Class]) -> type[_Class]:
    """Return a frozen dataclass whose methods are written in `Node` once: made for each class they slow the import."""
    made: Any = dataclass(slots=True, eq=False, repr=False)(cls)
    made._own = tuple(each.name for each in fields(made) if each.compare)
    return made  # type: ignore[no-any-return]


@_node
class Node:
    """A piece of a text; where it stands in the text is not part of what it is.

    Attributes:
        span: the characters it was read from.
        depth: levels of nodes inside each other, this one included. Names, constants and clauses are no levels, nor
            are the operands of a flat chain, such as `a + b + c`.
    """

    _own: ClassVar[tuple[str, ...]]  # names of the fields that say what a node is
    _level: ClassVar[int] = 1  # what the node adds to the depth of its children

    span: Span = field(default=Span(0, 0), compare=False, kw_only=True)
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", self._level + max([child.depth for child in self.children()], default=0))

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
        """Return the same node, read from other characters.

        Its depth is not counted again: of many parentheses around many operands that would be quadratic.
        """
        moved = copy.copy(self)
        object.__setattr__(moved, "span", span)
        return moved

    def children(self) -> list[Node]:
        """Return the nodes directly below, in the order of the fields."""
        found: list[Node] = []
        for name in self._own:
            value = getattr(self, name)
            if isinstance(value, Node):
                found.append(value)
            elif isinstance(value, tuple):
                found.extend([item for item in value if isinstance(item, Node)])
        return found

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, each before those below it."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children()))


class Written(float):
    """A fraction that was written with more digits than a float holds.

    Attributes:
        exact: the number as it was written.
    """

    exact: Decimal

    @classmethod
    def of(cls, exact: Decimal) -> float:
        """Return the number as a float, which keeps its digits only where a float has fewer."""
        number = float(exact)
        if not math.isfinite(number) or Decimal(repr(number)) == exact:
            return number
        found = cls(number)
        found.exact = exact
        return found

    def __neg__(self) -> float:
        return Written.of(self.exact.copy_negate())


def written(number: float) -> Decimal:
    """Return a finite number as its text says it: 0.1 is a tenth, not the float next to it."""
    if isinstance(number, Written):
        return number.exact
    return Decimal(number) if isinstance(number, int) else Decimal(repr(float(number)))


@_node
class _NoLevel(Node):
    """A name, constant or clause, which adds nothing to the depth."""

    _level: ClassVar[int] = 0


class _Leaf(_NoLevel):
    """A node without nodes below it, as most nodes of a long text are."""

    __slots__ = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 0)

    def children(self) -> list[Node]:
        return []


@_node
class Literal(_Leaf):
    """A number, text, `true`, `false` or `null`."""

    value: int | float | str | bool | None


@_node
class Column(_Leaf):
    """A column by its exact name, of the frame called `frame` where that is given: `frame.name`."""

    name: str
    frame: str | None = None


@_node
class Parameter(_Leaf):
    """`?`: a value that is given beside the text."""


@_node
class Array(Node):
    """`ARRAY[items]`, or a list given for a parameter.

    Attributes:
        items: what stands in the brackets.
        word: the word before them as a name, since a frame may have a column `array`, of which the brackets then take
            an element; None where the text has no such word, and after IN.
    """

    items: tuple[Node, ...]
    word: Node | None = None


@_node
class Negative(Node):
    """`-operand`."""

    operand: Node


@_node
class Positive(Node):
    """`+operand`."""

    operand: Node


@_node
class Arithmetic(Node):
    """`left operator right` with one of `+ - * / %`."""

    operator: str
    left: Node
    right: Node

    def __post_init__(self) -> None:
        # `a + b + c` is a node in a node but a flat chain: its operands stand on one level. The parser makes a `Chain`
        # of more of them, so that few nodes are inside each other without counting.
        Node.__post_init__(self)
        if is_link(self) and self.chained < CHAINED:
            object.__setattr__(self, "depth", max(self.left.depth, self.right.depth + 1))

    @property
    def chained(self) -> int:
        """Number of operators in the flat chain that ends with this one, counted no further than matters."""
        number, node = 1, self
        while number <= CHAINED and is_link(node):
            assert isinstance(node.left, Arithmetic)
            number, node = number + 1, node.left
        return number


def is_link(node: Arithmetic) -> bool:
    """Return whether a node continues the flat chain of `+ -`, or of `*`, that its left operand is."""
    left = node.left
    return isinstance(left, Arithmetic) and (
        {left.operator, node.operator} <= {"+", "-"} or left.operator == node.operator == "*"
    )


@_node
class Chain(Node):
    """`first operator second operator third …`, a long flat chain of `+ -`, or of `*`, from left to right."""

    operators: tuple[str, ...]
    operands: tuple[Node, ...]


def calculation(operators: Sequence[str], operands: Sequence[Node]) -> Node:
    """Return the node of `first operator second operator third …`, from left to right: what the parser makes of it."""
    span = Span(operands[0].span.start, operands[-1].span.stop)
    if len(operators) >= CHAINED and not {"/", "%"} & set(operators):
        return Chain(tuple(operators), tuple(operands), span=span)
    found = operands[0]
    for operator, right in zip(operators, operands[1:], strict=True):
        found = Arithmetic(operator, found, right, span=Span(span.start, right.span.stop))
    return found


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
class Values(_Leaf):
    """Many constants of one kind, the value for the `?` of `in (?)`: one node for all of them.

    Attributes:
        values: 64-bit whole numbers, floats, or texts; none of them null.
        nulls: how many more items are null.
    """

    values: array[int] | array[float] | tuple[str, ...]
    nulls: int = 0

    def __hash__(self) -> int:
        return hash((Values, self.nulls, len(self.values)))

    def __repr__(self) -> str:
        text = isinstance(self.values, tuple)
        kind, data = ("text", repr(self.values).encode()) if text else (self.values.typecode, self.values.tobytes())  # type: ignore[union-attr]
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        return f"Values({len(self.values)} of {kind}, {self.nulls} null, {digest})"

    def constants(self) -> list[int | float | str | None]:
        """Return the values, nulls last."""
        return [*self.values, *[None] * self.nulls]

    def literals(self) -> tuple[Literal, ...]:
        """Return a node for each."""
        return tuple(Literal(value, span=self.span) for value in self.constants())


@_node
class In(Node):
    """`operand [not] in (items)`; the one item may be `Values`."""

    operand: Node
    items: tuple[Node, ...]
    negated: bool = False

    def listed(self) -> tuple[Node, ...]:
        """Return a node for each item."""
        return self.items[0].literals() if isinstance(self.items[0], Values) else self.items


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
class Arm(_NoLevel):
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
class Slice(_NoLevel):
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
class Star(_NoLevel):
    """`*` in a SELECT list, or `frame.*`; with indices, `*[indices]`, these elements of every column."""

    frame: str | None = None
    indices: tuple[Node, ...] = ()


@_node
class Item(_NoLevel):
    """`expression [AS alias]` in a SELECT list."""

    expression: Node
    alias: str | None = None


@_node
class FrameName(_NoLevel):
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
class Expand(_NoLevel):
    """`EXPAND BY before after [OVERLAP true] [AS alias]`."""

    before: Node
    after: Node
    overlap: bool = False
    alias: str | None = None


@_node
class Ungroup(_NoLevel):
    """`UNGROUP BY split`, or `UNGROUP BY parts`."""

    parts: Node | None = None


@_node
class SortKey(_NoLevel):
    """`expression [DESC]` after ORDER BY."""

    expression: Node
    descending: bool = False


@_node
class Limit(_NoLevel):
    """`LIMIT count [PERCENT]`."""

    count: Node
    percent: bool = False


@_node
class Sample(_NoLevel):
    """`SAMPLE BY sampler [OVER (groups)] [DESIGN design] [REPLACE replace] [limit]`."""

    sampler: Node
    replace: bool = True
    limit: Limit | None = None
    over: tuple[Node, ...] = ()
    design: str | None = None


@_node
class Select(_NoLevel):
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
class Statement(_NoLevel):
    """`body [ORDER BY keys] [limit] [OFFSET offset] [sample]`; the body is a Select, a Combination or a Statement."""

    body: Node
    keys: tuple[SortKey, ...] = ()
    limit: Limit | None = None
    offset: Node | None = None
    sample: Sample | None = None

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        if isinstance(self.body, Statement):
            object.__setattr__(self, "depth", self.depth + 1)


def names_in(*roots: Node) -> set[str]:
    """Return the names of the columns that trees may read; a frame need not have one that the word of an array is.

    Examples:
        >>> sorted(names_in(Arithmetic("+", Column("age"), Array((Column("view"),), Column("array")))))
        ['age', 'array', 'view']
    """
    return {node.name for root in roots for node in root.walk() if isinstance(node, Column)}


def replaced(node: Node, other: Callable[[Node], Node | None]) -> Node:
    """Return the tree with other nodes in it.

    Args:
        node: the tree; it is not changed.
        other: the node to put in the place of one, whose own children are then not looked at; None to keep it.

    Examples:
        >>> from tql_frames.language import parse, unparse
        >>> threes = replaced(parse("age + 2 * 2"), lambda node: Literal(3) if node == Literal(2) else None)
        >>> unparse(threes)
        'age + 3 * 3'
    """
    found = other(node)
    if found is not None:
        return found
    changes: dict[str, Any] = {}
    for each in fields(node):
        value = getattr(node, each.name)
        if isinstance(value, Node):
            new: Any = replaced(value, other)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            new = tuple(replaced(item, other) if isinstance(item, Node) else item for item in value)
        else:
            continue
        if new != value:
            changes[each.name] = new
    return replace(node, **changes) if changes else node
