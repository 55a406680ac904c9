"""Read values inside JSON text: `meta['a']['b']`, which may be a number in one row and a text in the next.

A value is read as the kind of the other operand, and is null where it is of another kind; true and false are 1 and 0
beside numbers, as in a Boolean column. Constants are compared in Python, where integers of any size are exact; beside
columns, integers are Int128. `comparisons`, `membership` and `operators` choose the kind.
"""

from __future__ import annotations

import json
import operator as operators
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl

from tql_frames.compiler.expressions.types import DataType, Json, Value, innermost, is_bool, is_null, is_number, is_text
from tql_frames.errors import Fault, TQLTypeError, TQLUnsupportedError
from tql_frames.language.nodes import Node

_INT128 = 2**127
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def step(node: Node, operand: Value, at: str | int) -> Value:
    """Return the value of a key, or at an index as Python counts, of a JSON text or of a value inside it."""
    place = operand.json or Json(operand.expr.cast(pl.String), ())
    place = replace(place, path=(*place.path, at))
    return Value(node, _read(place, _as_text, pl.String()), pl.String(), json=place)


def keys(node: Node, value: Value) -> Value:
    """Return the keys of a JSON object in the order of the text, as a list of text; null where there is no object."""
    place = value.json or Json(value.expr.cast(pl.String), ())
    return Value(node, _read(place, _as_keys, pl.List(pl.String())), pl.List(pl.String()))


def contains(node: Node, container: Value, item: Value) -> Value:
    """Return whether a JSON text has a substring, or a JSON list has an element equal to a constant."""
    assert container.json is not None
    if item.constant is not None:
        sought = item.constant.value

        def holds(found: Any) -> bool | None:
            if isinstance(found, str):
                return sought in found if isinstance(sought, str) else None
            return any(_equal(each, sought) for each in found) if isinstance(found, list) else None

        expr = _read(container.json, holds, pl.Boolean()) if sought is not None else pl.lit(None, dtype=pl.Boolean)
        return Value(node, expr, pl.Boolean())
    item = as_string(item)
    if not is_text(item.dtype):
        raise Fault(TQLUnsupportedError, f"contains cannot look for {item.words} of a column in JSON", item.node.span)
    text = as_string(container).expr
    return Value(node, text.str.contains(item.expr.cast(pl.String), literal=True), pl.Boolean())


def as_number(value: Value) -> Value:
    """Return a JSON number as Float64, other JSON as null; a value that is not JSON unchanged."""
    return _as(value, _number, pl.Float64())


def as_whole(value: Value) -> Value:
    """Return a whole JSON number, true or false as Int128, other JSON as null; a value that is not JSON unchanged."""
    return _as(value, _whole, pl.Int128())


def as_other_number(value: Value) -> Value:
    """Return a JSON number that `as_whole` leaves out as Float64, other JSON as null; other values unchanged."""
    return _as(value, lambda found: _number(found) if _whole(found) is None else None, pl.Float64())


def as_bool(value: Value) -> Value:
    """Return a JSON true or false as Boolean, other JSON as null; a value that is not JSON unchanged."""
    return _as(value, _bool, pl.Boolean())


def as_string(value: Value) -> Value:
    """Return a JSON string as String, other JSON as null; a value that is not JSON unchanged."""
    return _as(value, _string, pl.String())


def kind(dtype: DataType) -> Callable[[Value], Value]:
    """Return the function that reads JSON as the kind to compare with values of a type."""
    return as_number if is_number(dtype) else as_bool if is_bool(dtype) else as_string


_NUMBERS = (as_whole, as_other_number)


def readings(left: Value, right: Value) -> list[tuple[Value, Value]]:
    """Return two values in all kinds in which they can compare; in each row, at most one pair is not null."""
    if left.json is not None and right.json is not None:
        return [*((a(left), b(right)) for a in _NUMBERS for b in _NUMBERS), (as_string(left), as_string(right))]
    value, other = (left, right) if left.json is not None else (right, left)
    dtype = innermost(other.row_dtype)
    if value.json is None or is_null(dtype):
        kinds: tuple[Callable[[Value], Value], ...] = (as_string,)
    else:
        kinds = _NUMBERS if is_number(dtype) or is_bool(dtype) else (as_string,)
    return [(each(left), each(right)) for each in kinds]  # a value that is not JSON is unchanged


def compared(operator: str, node: Node, value: Value, constant: object) -> Value:
    """`value operator constant` for a JSON value, with integers of any size; null where the kinds differ."""
    assert value.json is not None
    test = _TESTS[operator]

    def holds(found: Any) -> bool | None:
        found = _unicode(found) if isinstance(found, str) else found
        return bool(test(found, constant)) if _alike(found, constant) else None

    return Value(node, _read(value.json, holds, pl.Boolean()), pl.Boolean())


def among(node: Node, value: Value, constants: Sequence[object]) -> Value:
    """`value in (constants)` for a JSON value: null if it equals none and one of them is null or of another kind."""
    assert value.json is not None
    known = frozenset(constants)
    kinds = {str if isinstance(each, str) else float if _is_number(each) else None for each in constants}

    def holds(found: Any) -> bool | None:
        if isinstance(found, (list, dict)):
            return None
        found = _unicode(found) if isinstance(found, str) else found
        _alike(found, None)
        same = str if isinstance(found, str) else float
        return True if same in kinds and found in known else False if kinds == {same} else None

    return Value(node, _read(value.json, holds, pl.Boolean()), pl.Boolean())


def beside(value: Value, other: Value) -> Value:
    """Return a JSON value as the kind of the other value; unchanged if the other is JSON, too."""
    return value if other.json is not None else beside_dtype(value, innermost(other.row_dtype))


def as_key(value: Value, other: Value) -> Value:
    """Return a JSON value as the kind of the other, for a JOIN; integers joined with integers stay exact.

    Beside another JSON value it is a text, which is the same for values that compare as equal, and null for lists and
    objects.
    """
    if value.json is not None and other.json is not None:
        return _as(value, _key, pl.String())
    whole = other.dtype.is_integer() or is_bool(other.dtype)
    return value if value.json is None else as_whole(value) if whole else beside(value, other)


def beside_dtype(value: Value, dtype: DataType) -> Value:
    """Return a JSON value as the kind to compare with values of a type."""
    return kind(dtype)(value)


def truth(value: Value) -> pl.Expr:
    """Return a JSON value as a condition: true, false, or whether a number is not 0; null for other kinds."""
    assert value.json is not None
    return _read(value.json, lambda found: found != 0 if _is_number(found) else None, pl.Boolean())


def sort_value(value: Value) -> list[pl.Expr]:
    """Return keys to sort by: numbers by size, then false and true, then texts and the JSON of lists and objects."""
    if value.json is None:
        return [value.expr]

    def rank(found: Any) -> int:
        return 2 if not _is_number(found) else 1 if isinstance(found, bool) else 0

    def size(found: Any) -> int | None:  # distinguishes integers that are equal as Float64
        return _whole(int(found)) if _is_number(found) and abs(found) < _INT128 else None

    return [
        _read(value.json, rank, pl.Int8()),
        as_number(value).expr,
        _read(value.json, size, pl.Int128()),
        value.expr,
    ]


def _as(value: Value, pick: Callable[[Any], Any], dtype: DataType) -> Value:
    return value if value.json is None else Value(value.node, _read(value.json, pick, dtype), dtype)


def _is_number(found: object) -> bool:
    """Return whether a value is a number, or true or false, which Python counts as 1 and 0."""
    return isinstance(found, (int, float, Decimal))


def _alike(found: Any, constant: object) -> bool:
    """Return whether two values are comparable.

    Raises:
        OverflowError: the first value is a number too large for a float.
    """
    if isinstance(found, int):
        float(found)
    return (isinstance(found, str) and isinstance(constant, str)) or (_is_number(found) and _is_number(constant))


def _number(found: Any) -> float | None:
    return float(found) if _is_number(found) and not isinstance(found, bool) else None


def _whole(found: Any) -> int | None:
    return int(found) if _is_number(found) and abs(found) < _INT128 and found == int(found) else None


def _key(found: Any) -> str | None:
    if isinstance(found, str):
        return f"'{_unicode(found)}"
    if not _is_number(found):
        return None
    whole = _whole(found)
    return str(whole) if whole is not None else repr(float(found))


def _bool(found: Any) -> bool | None:
    return found if isinstance(found, bool) else None


def _string(found: Any) -> str | None:
    return _unicode(found) if isinstance(found, str) else None


def _as_text(found: Any) -> str:
    return _unicode(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, separators=(",", ":")))


def _as_keys(found: Any) -> list[str] | None:
    return [_unicode(key) for key in found] if isinstance(found, dict) else None


def _unicode(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()  # JSON may hold half a surrogate pair


def _equal(a: Any, b: Any) -> bool:
    return bool(_alike(a, b) and a == b)


def _read(place: Json, pick: Callable[[Any], Any], dtype: DataType) -> pl.Expr:
    """Return `pick` of the values at a place; null where there is no value, or JSON null.

    Each distinct text is read once, by Python's `json`: at a path, Polars does not distinguish the number 5 from the
    text '5', does not support keys with a backslash, and panics on some paths.
    """

    def read(text: str) -> Any:
        try:
            found = json.loads(text, parse_constant=_refuse)
            for at in place.path:
                found = _inside(found, at)
            return None if found is None else pick(found)
        except (ValueError, LookupError, OverflowError, RecursionError):
            return None

    def read_all(documents: pl.Series) -> pl.Series:
        texts = documents.unique(maintain_order=True)
        values = pl.Series([None if text is None else read(text) for text in texts], dtype=dtype)
        if len(texts) == len(documents):
            return values
        table = pl.DataFrame({"text": texts, "value": values})
        rows = pl.DataFrame({"text": documents})
        return rows.join(table, on="text", how="left", maintain_order="left")["value"]

    return place.document.map_batches(read_all, return_dtype=dtype, is_elementwise=True)


def _inside(found: Any, at: str | int) -> Any:
    if isinstance(at, str):
        return found.get(at) if isinstance(found, dict) else None
    return found[at] if isinstance(found, list) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def index_fault(node: Node) -> Fault:
    """Return the error for a subscript into JSON that is neither a key nor one constant index."""
    return Fault(TQLTypeError, "a JSON value takes one key in single quotes or one constant index", node.span)
