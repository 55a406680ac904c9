"""Bind values to the `?` of a text: they are inserted into its tree, never into the text."""

from __future__ import annotations

import dataclasses
import datetime as dt
from array import array
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from decimal import Decimal
from functools import cached_property
from numbers import Integral, Real
from typing import Any, TypeVar

from tql_frames.errors import Fault, Span, TQLError, TQLSyntaxError, TQLTypeError, lone_surrogate
from tql_frames.language import nodes
from tql_frames.language.nodes import Node, replaced

_MANY = 64  # length from which a list is one node
_EXACT = 2**53  # greatest integer up to which floats are exact
_CODES = {"i": "q", "u": "Q", "f": "d"}  # type codes of arrays of 64 bits, by NumPy's kind
_MISSING = ("NaTType", "NAType")  # types of null in pandas

AnyNode = TypeVar("AnyNode", bound=Node)


def bind(node: AnyNode, values: Sequence[object] | None) -> AnyNode:
    """Return the tree with a value for each `?`, in the order of the text.

    Args:
        node: a tree that may hold parameters.
        values: numbers, text, Booleans, None, dates, times and durations, or lists of them, also of NumPy and pandas,
            and whole series. A list is an array, or several items of `in (?)`.

    Raises:
        Fault: there are more or fewer values than `?`, or a value is of an unsupported kind.

    Examples:
        >>> from tql_frames.language import parse, unparse
        >>> unparse(bind(parse("age > ? and name in (?)"), [60, ["a", "b"]]))
        "age > 60 and name in ('a', 'b')"
    """
    spans = sorted(each.span for each in node.walk() if isinstance(each, nodes.Parameter))
    given = [] if values is None else list(values)
    if len(given) < len(spans):
        missing = f"the text has {len(spans)} parameter{'s' * (len(spans) > 1)}, {len(given)} given"
        raise Fault(TQLSyntaxError, missing, spans[len(given)], "pass parameters=[…], a value for each `?` in order")
    if len(given) > len(spans):
        raise TQLError(f"{len(given)} parameters were given, but the text has {len(spans)} `?`")
    if not spans:
        return node
    many = {
        item.span
        for each in node.walk()
        if isinstance(each, nodes.In) and len(each.items) == 1
        for item in each.items
        if isinstance(item, nodes.Parameter)
    }
    pairs = enumerate(zip(spans, given, strict=True), 1)
    constants = {span: _constant(value, span, number, many=span in many) for number, (span, value) in pairs}

    def bound(each: Node) -> Node | None:
        if isinstance(each, nodes.Parameter):
            return constants[each.span]
        if not (isinstance(each, nodes.In) and any(isinstance(item, nodes.Parameter) for item in each.items)):
            return None
        # A list for an item of `in (…)` is replaced by its items; nothing is in an empty list.
        values = [(item, replaced(item, bound)) for item in each.items]
        items = tuple(part for item, value in values for part in _spread(item, value))
        if not items:
            return nodes.Literal(each.negated, span=each.span)
        return dataclasses.replace(each, operand=replaced(each.operand, bound), items=items)

    return replaced(node, bound)  # type: ignore[return-value]


def check_parameters(parameters: object) -> None:
    """Check that the parameters of a text are a list of values, or None.

    Raises:
        TQLError: they are not.
    """
    unordered = isinstance(parameters, (str, bytes, Mapping, Set))
    if parameters is not None and (unordered or not hasattr(parameters, "__len__")):
        raise TQLError("parameters is a list of values, one for each `?` in order")


def plain(value: object) -> Any:
    """Return the value of a `?` as a number, text, Boolean or None, or a list of them.

    Raises:
        Fault: the value is of an unsupported kind.

    Examples:
        >>> plain(dt.date(2024, 2, 29)), plain(dt.timedelta(hours=1)), plain((0.5, None))
        ('2024-02-29', 'PT3600.000000000S', [0.5, None])
    """
    return _value_of(_constant(value, Span(0, 0), 1))


def _value_of(node: Node) -> Any:
    if isinstance(node, nodes.Array):
        return [_value_of(item) for item in node.items]
    assert isinstance(node, nodes.Literal)
    return float(node.value) if isinstance(node.value, nodes.Written) else node.value


class BoundText(str):
    """The text of a sampler with values for its `?`: usable wherever a text is, and parsed to its tree.

    Texts are equal if their values are equal, too.

    Attributes:
        tree: its tree, with the values.
        parameters: the values.

    Examples:
        >>> from tql_frames.language import parse, unparse
        >>> text = BoundText.of("age > ?", parse("age > ?"), [60])
        >>> unparse(parse(text)), text == "age > ?"
        ('age > 60', False)
    """

    tree: Node
    parameters: tuple[object, ...]

    @classmethod
    def of(cls, text: str, tree: Node, values: Sequence[object]) -> BoundText:
        """Return a text with values.

        Args:
            text: the text as the user wrote it.
            tree: the tree of the text.
            values: as in `bind`.

        Raises:
            Fault: as in `bind`.
        """
        found = cls(text)
        found.parameters = tuple(values)
        found.tree = bind(tree, found.parameters)
        return found

    @property
    def has_many(self) -> bool:
        """Whether one of the values is a long list."""
        return any(isinstance(node, nodes.Values) for node in self.tree.walk())

    @cached_property
    def _key(self) -> tuple[str, str]:
        return str(self), repr(self.tree)  # `repr` distinguishes 1, 1.0 and True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundText) and self._key == other._key

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((str(self), len(self.parameters)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (str(self), self.tree, self.parameters)


def _restored(text: str, tree: Node, parameters: tuple[object, ...]) -> BoundText:
    found = BoundText(text)
    found.tree, found.parameters = tree, parameters
    return found


def _many(value: Any, span: Span) -> nodes.Values | None:
    """Return a long list, array or series as one node; None if it is short, or needs a node for each value.

    The values are the same as those of `_constant` for each item.
    """
    if not hasattr(value, "__len__") or isinstance(value, (str, bytes)) or len(value) < _MANY:
        return None
    found: array[Any] | tuple[str, ...] | None
    found, nulls = _numbers(value)
    if found is None:
        listed = _listed(value)
        if not isinstance(listed, (list, tuple)):
            return None
        kinds = set(map(type, listed))
        missing = {kind for kind in kinds if kind is type(None) or kind.__name__ in _MISSING}
        known = [each for each in listed if type(each) not in missing] if missing else listed
        found, nulls = _of_one_kind(known, kinds - missing), len(listed) - len(known)
    return nodes.Values(found, nulls, span=span) if found else None


def _numbers(value: Any) -> tuple[array[Any] | None, int]:
    """Return the numbers of an array or series, without converting it to a list, and the number of nulls."""
    library, nulls = type(value).__module__.partition(".")[0], 0
    if library == "pandas" and type(value).__name__ == "Series" and type(value.dtype).__module__.startswith("numpy"):
        value = value.to_numpy()
    elif library == "polars" and type(value).__name__ == "Series":
        if not (value.dtype.is_integer() or value.dtype.is_float()) or str(value.dtype).endswith("128"):
            return None, 0
        nulls, value = value.null_count(), value.drop_nulls().to_numpy()
    if type(value).__name__ != "ndarray" or value.ndim != 1 or value.dtype.itemsize > array("q").itemsize:
        return None, 0
    kind = value.dtype.kind
    if kind not in _CODES:
        return None, 0
    found = array(_CODES[kind])
    found.frombytes(value.astype(f"{kind}8").tobytes())
    return found, nulls


def _of_one_kind(values: Sequence[Any], kinds: set[type]) -> array[Any] | tuple[str, ...] | None:
    """Return a list of numbers, without rounding, or of texts; None for other kinds."""
    if all(kind.__module__ == "numpy" and hasattr(kind, "tolist") for kind in kinds):
        values = [_plain(each) for each in values]
        values = [each.tolist() if hasattr(each, "tolist") else each for each in values]
        kinds = set(map(type, values))
    if any(issubclass(kind, (dt.date, dt.time, dt.timedelta)) for kind in kinds):
        values = [_iso_text(each) for each in values]
        kinds = set(map(type, values))
    if kinds == {str}:
        return tuple(values) if lone_surrogate("".join(values)) is None else None
    if kinds == {int}:
        for code in ("q", "Q"):
            with suppress(OverflowError):
                return array(code, values)
        return None
    exact = kinds == {float} or all(-_EXACT <= each <= _EXACT for each in values if type(each) is int)
    return array("d", values) if kinds <= {float, int} and exact else None


def many_of(items: Sequence[Node]) -> nodes.Values | None:
    """Return constants that a text lists as one node; None if they are few, or each needs a node.

    Examples:
        >>> few = tuple(map(nodes.Literal, range(3)))
        >>> many_of(few), len(many_of(few * 100).values)
        (None, 300)
    """
    if len(items) < _MANY:
        return None
    values: list[Any] = []
    for item in items:
        node = item.operand if isinstance(item, nodes.Negative) else item
        if not isinstance(node, nodes.Literal) or (node is not item and type(node.value) not in (int, float)):
            return None
        values.append(node.value if node is item else -node.value)  # type: ignore[operator]
    known = [value for value in values if value is not None]
    found = _of_one_kind(known, set(map(type, known)))
    return nodes.Values(found, len(values) - len(known), span=items[0].span) if found else None


def _iso_text(value: Any) -> Any:
    """Return dates, times and durations as text, any other value unchanged."""
    if isinstance(value, (dt.date, dt.time)):  # a datetime is a date
        return value.isoformat()
    return _iso_duration(value) if isinstance(value, dt.timedelta) else value


def _spread(item: Node, value: Node) -> tuple[Node, ...]:
    return value.items if isinstance(item, nodes.Parameter) and isinstance(value, nodes.Array) else (value,)


def _plain(value: Any) -> object:
    """Return dates and durations of NumPy as ISO text, and nulls of pandas as None."""
    if type(value).__name__ in _MISSING:
        return None
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind not in ("M", "m") or not type(value).__module__.startswith("numpy"):
        return value
    if getattr(value, "ndim", 0):
        return list(value)
    nothing, unit = str(value) == "NaT", str(value.dtype)
    if nothing:
        return None
    if kind == "M":
        longer = (
            "D" if unit.endswith(("[Y]", "[M]", "[W]")) else "ns" if unit.endswith(("[ps]", "[fs]", "[as]")) else None
        )
        return str(value if longer is None else value.astype(f"datetime64[{longer}]"))
    if unit.endswith(("[Y]", "[M]")) or unit == "timedelta64":
        return str(value)  # without a fixed length, or a number without a unit
    seconds = int(value.astype("timedelta64[s]").astype("int64"))
    rest = int((value - value.astype("timedelta64[s]")).astype("timedelta64[ns]").astype("int64"))
    return _iso(seconds * 10**9 + rest)


def _iso_duration(value: dt.timedelta) -> str:
    nanoseconds = (value.days * 86_400 + value.seconds) * 10**9 + value.microseconds * 1_000
    return _iso(nanoseconds + int(getattr(value, "nanoseconds", 0)))  # pandas counts below a microsecond


def _iso(nanoseconds: int) -> str:
    """Return a duration as ISO text."""
    seconds, rest = divmod(abs(nanoseconds), 10**9)
    return f"{'-' if nanoseconds < 0 else ''}PT{seconds}.{rest:09}S"


def _listed(value: Any) -> Any:
    """Return arrays and series as lists, scalars of NumPy as Python's."""
    value = _plain(value)
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, pandas series
        return value.tolist()
    return value.to_list() if hasattr(value, "to_list") else value  # Polars series


def _constant(value: object, span: Span, number: int, *, many: bool = False) -> Node:
    if many and (found := _many(value, span)) is not None:
        return found
    value = _listed(value)
    if isinstance(value, (list, tuple)):
        return nodes.Array(tuple(_constant(item, span, number) for item in value), span=span)
    if value is None or isinstance(value, (bool, str)):
        if isinstance(value, str) and (lone := lone_surrogate(value)) is not None:
            raise Fault(TQLTypeError, f"parameter {number} has half a surrogate pair in place {lone}", span)
        return nodes.Literal(value, span=span)
    if isinstance(value, Integral):
        if not -(2**127) <= int(value) < 2**127:
            raise Fault(TQLTypeError, f"parameter {number} does not fit into 128 bits", span)
        return nodes.Literal(int(value), span=span)
    if isinstance(value, Decimal) and value.is_finite():
        return nodes.Literal(nodes.Written.of(value), span=span)
    if isinstance(value, (Real, Decimal)):
        return nodes.Literal(float(value), span=span)
    if isinstance(value, (dt.date, dt.time, dt.timedelta)):
        return nodes.Literal(_iso_text(value), span=span)
    words = "a number, text, true or false, None, a date, time or duration, or a list of them"
    raise Fault(TQLTypeError, f"expected parameter {number} to be {words}, got {type(value).__name__}", span)
