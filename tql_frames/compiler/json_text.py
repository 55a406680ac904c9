"""Values inside the JSON of a text: `meta['a']['b']`, which is a number in one row and a text in the next.

A value takes the kind of what it meets and is null where it is of another. Which operator asks for which kind is
decided in `comparisons`, `membership` and `operators`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from tql_frames.compiler.types import DataType, Json, Value, innermost, is_bool, is_number, is_text
from tql_frames.errors import Fault, TQLTypeError, TQLUnsupportedError
from tql_frames.language.tree import Node


def step(node: Node, operand: Value, at: str | int) -> Value:
    """The value of a key, or at an index as Python counts, of a JSON text or of a value in one."""
    place = operand.json or Json(operand.expr.cast(pl.String), ())
    place = replace(place, path=(*place.path, at))
    return Value(node, _read(place, _as_text, pl.String()), pl.String(), json=place)


def keys(node: Node, value: Value) -> Value:
    """Keys of a JSON object in the order of the text, a list of text; null where the text is none."""
    place = value.json or Json(value.expr.cast(pl.String), ())
    return Value(node, _read(place, _as_keys, pl.List(pl.String())), pl.List(pl.String()))


def contains(node: Node, container: Value, item: Value) -> Value:
    """Whether a JSON text has a substring, or a JSON list has an element equal to a constant."""
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
    """A JSON number as Float64, null where it is none; any other value as it is."""
    return _as(value, _number, pl.Float64())


def as_bool(value: Value) -> Value:
    """A JSON true or false as Boolean, null where it is neither; any other value as it is."""
    return _as(value, _bool, pl.Boolean())


def as_string(value: Value) -> Value:
    """A JSON string as String, null where it is none; any other value as it is."""
    return _as(value, _string, pl.String())


KINDS = (as_number, as_bool, as_string)


def kind(dtype: DataType) -> Callable[[Value], Value]:
    """Which of `KINDS` stands beside values of a type."""
    return as_number if is_number(dtype) else as_bool if is_bool(dtype) else as_string


def beside(value: Value, other: Value) -> Value:
    """A JSON value in the kind of the other, which decides; as it is where the other is JSON, too."""
    return value if other.json is not None else beside_dtype(value, innermost(other.row_dtype))


def beside_dtype(value: Value, dtype: DataType) -> Value:
    """A JSON value in the kind that stands beside values of a type."""
    return kind(dtype)(value)


def truth(value: Value) -> pl.Expr:
    """A JSON value as a condition: true, false, or a number other than 0; null where it is of another kind."""
    assert value.json is not None
    return _read(value.json, lambda found: found != 0 if isinstance(found, (bool, int, float)) else None, pl.Boolean())


def sort_value(value: Value) -> list[pl.Expr]:
    """Keys to sort by: numbers by size, then false and true, then texts and the JSON of lists and objects."""
    if value.json is None:
        return [value.expr]

    def rank(found: Any) -> int:
        return 2 if not isinstance(found, (bool, int, float)) else 1 if isinstance(found, bool) else 0

    return [_read(value.json, rank, pl.Int8()), as_number(value).expr, value.expr]


def _as(value: Value, pick: Callable[[Any], Any], dtype: DataType) -> Value:
    return value if value.json is None else Value(value.node, _read(value.json, pick, dtype), dtype)


def _number(found: Any) -> float | None:
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None


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
    return bool(isinstance(a, bool) == isinstance(b, bool) and a == b)


def _read(place: Json, pick: Callable[[Any], Any], dtype: DataType) -> pl.Expr:
    """What `pick` makes of the values at a place; null where there is none, or JSON null.

    Each different text is read once, by Python's `json`: Polars cannot tell the number 5 from the text '5' at a path,
    takes no key with a backslash, and panics on some paths.
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
    """What to say of a subscript into JSON that is neither key nor one constant index."""
    return Fault(TQLTypeError, "a JSON value takes one key in single quotes or one constant index", node.span)
