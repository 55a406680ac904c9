"""Define the tree of a sampler or statement: frozen nodes, each with its span.

It is independent of the grammar and of dataframes; the compiler defines the meaning of a node.
"""

from __future__ import annotations

import copy
import hashlib
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from tql_frames.errors import Span

CHAINED = 4  # number of operators from which a flat chain is one `Chain`
_NOWHERE = Span(0, 0)
_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def _node(cls: type[_Class]) -> type[_Class]:
    """Return a frozen dataclass that inherits its methods from `Node`: generating them per class slows the import."""
    made: Any = dataclass(slots=True, init=False, eq=False, repr=False)(cls)
    given = [each for each in fields(made) if each.init and not each.kw_only]
    made._own = tuple(each.name for each in given if each.compare)
    made._names, made._defaults = tuple(each.name for each in given), tuple(each.default for each in given)
    made._stores = tuple(getattr(made, each.name).__set__ for each in given)
    return made  # type: ignore[no-any-return]


@_node
class Node:
    """A piece of a text; its position in the text does not affect equality.

    Attributes:
        span: the characters it was read from.
        depth: number of nested levels, including this one. Names, constants and clauses do not count as levels, nor do
            the operands of a flat chain, such as `a + b + c`.
    """

    _own: ClassVar[tuple[str, ...]]  # names of the fields that are compared
    _names: ClassVar[tuple[str, ...]]  # names of the fields that may be passed by position
    _defaults: ClassVar[tuple[Any, ...]]  # default of each, or `MISSING`
    _stores: ClassVar[tuple[Callable[[Any, Any], None], ...]]  # what stores the value of each in a node
    _level: ClassVar[int] = 1  # levels that the node adds to the depth of its children

    span: Span = field(default=_NOWHERE, compare=False, kw_only=True)
    depth: int = field(init=False, compare=False)

    def __init__(self, *values: Any, span: Span = _NOWHERE, **named: Any) -> None:
        # A long text has hundreds of thousands of nodes. To store a value by its slot takes a fifth of the time of an
        # assignment, which first asks whether the field is set.
        if named or len(values) != len(self._stores):
            values = self._completed(values, named)
        for store, value in zip(self._stores, values):  # noqa: B905 -- `strict` takes longer, and lengths are compared
            store(self, value)
        _store_span(self, span)
        self.__post_init__()

    def _completed(self, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Return a value for each field, from those that were passed by position and by name, and the defaults."""
        passed = len(values)
        found = values + self._defaults[passed:]
        if named:
            rest = dict(zip(self._names[passed:], self._defaults[passed:], strict=True))
            found = values + tuple((rest | named).values())
        if len(found) != len(self._stores) or any(value is MISSING for value in found):
            given = ", ".join([*map(repr, values), *(f"{name}={value!r}" for name, value in named.items())])
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self._names)}; got {given or 'none'}")
        return found

    def __post_init__(self) -> None:
        deepest = 0
        for child in self.children():
            if child.depth > deepest:  # noqa: PLR1730 -- `max` takes twice as long
                deepest = child.depth
        _store_depth(self, self._level + deepest)

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
        """Return the same node with another span.

        Its depth is not counted again: for many parentheses around many operands, that would take quadratic time.
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
        """Yield this node and all nodes below it, each before its children."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            below = node.children()
            if below:  # most nodes of a long text are leaves
                waiting.extend(reversed(below))


_store_span: Callable[[Node, Span], None] = Node.span.__set__  # type: ignore[attr-defined]
_store_depth: Callable[[Node, int], None] = Node.depth.__set__  # type: ignore[attr-defined]


class Written(float):
    """A fraction that was written with more digits than a float holds.

    Attributes:
        exact: the number with all its written digits.
    """

    exact: Decimal

    @classmethod
    def of(cls, exact: Decimal) -> float:
        """Return the number as a float; as a `Written` if a float cannot hold all its digits."""
        number = float(exact)
        if not math.isfinite(number) or Decimal(repr(number)) == exact:
            return number
        found = cls(number)
        found.exact = exact
        return found

    def __neg__(self) -> float:
        return Written.of(self.exact.copy_negate())


def written(number: float) -> Decimal:
    """Return the exact value of a finite number's text: 0.1 is a tenth, not the nearest float."""
    if isinstance(number, Written):
        return number.exact
    return Decimal(number) if isinstance(number, int) else Decimal(repr(float(number)))


@_node
class _NoLevel(Node):
    """A name, constant or clause, which adds nothing to the depth."""

    _level: ClassVar[int] = 0


class _Leaf(_NoLevel):
    """A node without children; most nodes of a long text are leaves."""

    __slots__ = ()

    def __post_init__(self) -> None:
        _store_depth(self, 0)

    def children(self) -> list[Node]:
        return []


@_node
class Literal(_Leaf):
    """A number, text, `true`, `false` or `null`."""

    value: int | float | str | bool | None


@_node
class Column(_Leaf):
    """A column by its exact name; with `frame`, of the frame of that name: `frame.name`."""

    name: str
    frame: str | None = None


@_node
class Parameter(_Leaf):
    """`?`: a value that is passed separately from the text."""


@_node
class Array(Node):
    """`ARRAY[items]`, or a list passed for a parameter.

    Attributes:
        items: the items in the brackets.
        word: the word before the brackets as a name, since a frame may have a column `array`, and the brackets then
            select an element of it; None if the text has no such word, and after IN.
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
        # `a + b + c` is a nested node but a flat chain: its operands are on one level. The parser converts longer ones
        # to a `Chain`, so that only few nested nodes are not counted as levels.
        Node.__post_init__(self)
        if is_link(self) and self.chained < CHAINED:
            _store_depth(self, max(self.left.depth, self.right.depth + 1))

    @property
    def chained(self) -> int:
        """Number of operators in the flat chain that ends with this one, counted only as far as needed."""
        number, node = 1, self
        while number <= CHAINED and is_link(node):
            assert isinstance(node.left, Arithmetic)
            number, node = number + 1, node.left
        return number


def is_link(node: Arithmetic) -> bool:
    """Return whether a node continues the flat chain of `+ -`, or of `*`, of its left operand."""
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
    """Return the node of `first operator second operator third …`, from left to right, as the parser builds it."""
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
    """`operand and operand and …`, flat for chains of any length."""

    operands: tuple[Node, ...]


@_node
class Or(Node):
    """`operand or operand or …`, flat for chains of any length."""

    operands: tuple[Node, ...]


@_node
class Values(_Leaf):
    """Many constants of one kind, the value for the `?` of `in (?)`: one node for all of them.

    Attributes:
        values: 64-bit integers, floats, or texts, without nulls.
        nulls: number of null items.
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
        """Return a node for each value."""
        return tuple(Literal(value, span=self.span) for value in self.constants())


@_node
class In(Node):
    """`operand [not] in (items)`; a single item may be `Values`."""

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
    """`name(arguments)`; the name in lower case, `name_span` its span."""

    name: str
    arguments: tuple[Node, ...]
    name_span: Span = field(default=_NOWHERE, compare=False)


@_node
class Arm(_NoLevel):
    """`condition: weight`."""

    condition: Node
    weight: Node


@_node
class WeightChoice(Node):
    """`max_weight(arms)` or `sum_weight(arms)`; the name in lower case, `name_span` its span."""

    name: str
    arms: tuple[Arm, ...]
    name_span: Span = field(default=_NOWHERE, compare=False)


@_node
class Slice(_NoLevel):
    """`start:stop:step` inside a subscript, each part optional."""

    start: Node | None = None
    stop: Node | None = None
    step: Node | None = None


@_node
class Subscript(Node):
    """`operand[indices]`, one index per dimension."""

    operand: Node
    indices: tuple[Node, ...]


@_node
class Star(_NoLevel):
    """`*` in a SELECT list, or `frame.*`; with indices, `*[indices]`, the elements at the indices of every column."""

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
    """Return the names of the columns that trees may read, including the word of an array, which may not be a column.

    Examples:
        >>> sorted(names_in(Arithmetic("+", Column("age"), Array((Column("view"),), Column("array")))))
        ['age', 'array', 'view']
    """
    return {node.name for root in roots for node in root.walk() if isinstance(node, Column)}


def replaced(node: Node, other: Callable[[Node], Node | None]) -> Node:
    """Return the tree with some nodes replaced.

    Args:
        node: the tree; it is not modified.
        other: returns the replacement of a node, whose children are then not visited; None to keep the node.

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
