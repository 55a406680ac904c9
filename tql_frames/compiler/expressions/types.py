"""Define the values of the compiler, their Polars types, and the names of types in messages.

Rules of single operators and functions are in `operators` and `functions`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TypeGuard

import polars as pl
from polars.datatypes import DataTypeClass

from tql_frames.language.nodes import Node

DataType = pl.DataType
ELEMENT = pl.element()
"""The element of a list, unchanged."""


@dataclass(frozen=True)
class Constant:
    """A value known before any row is read."""

    value: int | float | str | bool | None


@dataclass(frozen=True)
class Json:
    """A place in a JSON text.

    Attributes:
        document: the texts.
        path: keys and indices from the outermost value to this place.
    """

    document: pl.Expr
    path: tuple[str | int, ...]


@dataclass(frozen=True)
class Nested:
    """A list of lists.

    Attributes:
        lists: the lists, of any number of dimensions.
        dtype: their Polars type, which has no arrays.
    """

    lists: pl.Expr
    dtype: DataType


@dataclass(frozen=True)
class Value:
    """A translated node.

    Attributes:
        node: its node, for error messages.
        expr: one value per row; with `base`, one value per element of `base`, in terms of `pl.element()`.
        dtype: Polars type of `expr`.
        constant: set if the value is the same for every row.
        base: the list expression whose elements `expr` is evaluated on: an elementwise value such as `nums > 5`.
        base_key: equal for bases that are the same list, so that `nums > 5 and nums < 9` is one pass.
        parts: the items of a list of known length, such as `shape(x)`.
        never_null: set if `expr` is known to have no nulls.
        size: length of the list of an elementwise value: a number if it is the same for every row, else an expression.
        nested: the list of lists, if `base` is that list without its inner dimensions.
        bounds: the least and the greatest possible value of computed whole numbers.
        json: set if the value is read from JSON; `expr` is then its text, and `json_text` reads it as other kinds.
    """

    node: Node
    expr: pl.Expr
    dtype: DataType
    constant: Constant | None = None
    base: pl.Expr | None = None
    base_key: object = None
    parts: tuple[Value, ...] | None = None
    never_null: bool = False
    size: int | pl.Expr | None = None
    nested: Nested | None = None
    json: Json | None = None
    bounds: tuple[int, int] | None = None

    def at(self, node: Node) -> Value:
        """Return the same value, with another node for error messages."""
        return replace(self, node=node)

    @property
    def row_expr(self) -> pl.Expr:
        """One value per row: an elementwise value as a list."""
        if self.base is None:
            return self.expr
        # Evaluating unchanged elements has no effect but panics on decimals (Polars 1.30).
        return self.base if self.expr is ELEMENT else self.base.list.eval(self.expr)

    @property
    def row_dtype(self) -> DataType:
        """Type of `row_expr`."""
        return self.dtype if self.base is None else pl.List(self.dtype)

    @property
    def words(self) -> str:
        """Description of this value in messages."""
        return describe(self.row_dtype) if self.json is None else "a JSON value"


def is_nested(dtype: DataType) -> TypeGuard[pl.List | pl.Array]:
    """Return whether values are lists or fixed-size arrays."""
    return isinstance(dtype, (pl.List, pl.Array))


def inner(dtype: DataType) -> DataType:
    """Return the type of the elements of a list or array."""
    assert is_nested(dtype)
    return instance(dtype.inner)


def innermost(dtype: DataType) -> DataType:
    """Return the type of the elements below every dimension."""
    while is_nested(dtype):
        dtype = inner(dtype)
    return dtype


def instance(dtype: DataTypeClass | DataType) -> DataType:
    """Return the instance of a type that may be a class, as users write it in a schema."""
    return dtype() if isinstance(dtype, type) else dtype


def is_wide(dtype: DataType) -> bool:
    """Return whether values are whole numbers that may not fit into Int64."""
    return dtype.is_integer() and (dtype == pl.UInt64 or str(dtype).endswith("Int128"))


def is_text(dtype: DataType) -> bool:
    """Return whether values are text: String, Categorical or Enum."""
    return isinstance(dtype, (pl.String, pl.Categorical, pl.Enum))


def is_number(dtype: DataType) -> bool:
    """Return whether values are numbers, Decimal included."""
    return dtype.is_numeric()


def is_fractional(dtype: DataType) -> bool:
    """Return whether values are numbers that may be fractions."""
    return dtype.is_float() or dtype.is_decimal()


def is_bool(dtype: DataType) -> bool:
    """Return whether values are true or false."""
    return isinstance(dtype, pl.Boolean)


def is_null(dtype: DataType) -> bool:
    """Return whether every value is null, as in a column that was never filled."""
    return isinstance(dtype, pl.Null)


def is_temporal(dtype: DataType) -> bool:
    """Return whether values are dates, times or durations."""
    return dtype.is_temporal()


def describe(dtype: DataType) -> str:
    """Return the description of a type in messages.

    Examples:
        >>> describe(pl.List(pl.String()))
        'a list of text'
        >>> describe(pl.List(pl.List(pl.Int64())))
        'a list of lists of numbers'
    """
    if is_nested(dtype):
        return f"{'a list' if isinstance(dtype, pl.List) else 'an array'} of {_plural(inner(dtype))}"
    if is_text(dtype):
        return "text"
    if is_number(dtype):
        return "a number"
    names = {
        pl.Boolean: "true or false",
        pl.Null: "null",
        pl.Date: "a date",
        pl.Datetime: "a date and time",
        pl.Time: "a time of day",
        pl.Duration: "a duration",
        pl.Struct: "a struct",
        pl.Binary: "binary",
        pl.Object: "Python objects",
    }
    for kind, words in names.items():
        if isinstance(dtype, kind):
            return words
    extension = _EXTENSION.match(str(dtype))
    return f"a value of the type {extension[1]}" if extension else type_name(dtype)


_EXTENSION = re.compile(r"Extension\('([^']*)'")  # how Polars writes a type of another library


def type_name(dtype: DataType) -> str:
    """Return the name of a type in Polars, without inner types; for an extension type, its own name.

    Examples:
        >>> type_name(pl.String()), type_name(pl.Enum(["a", "b"])), type_name(pl.Datetime("us", "UTC"))
        ('String', 'Enum', 'Datetime')
    """
    extension = _EXTENSION.match(str(dtype))
    return extension[1] if extension else str(dtype).partition("(")[0]


def _plural(dtype: DataType) -> str:
    if is_nested(dtype):
        return f"{'lists' if isinstance(dtype, pl.List) else 'arrays'} of {_plural(inner(dtype))}"
    words = describe(dtype)
    return f"{words.removeprefix('an ').removeprefix('a ')}s" if words.startswith(("a ", "an ")) else words


def as_list(expr: pl.Expr, dtype: DataType) -> pl.Expr:
    """Return an array expression, of any number of dimensions, as a list expression."""
    assert is_nested(dtype)
    if isinstance(dtype, pl.Array):
        expr = expr.arr.to_list()
    item = inner(dtype)
    if is_nested(item) and _holds_array(item):
        expr = expr.list.eval(as_list(pl.element(), item))
    return expr


def list_dtype(dtype: DataType) -> DataType:
    """Return the type of `as_list(expr, dtype)`."""
    return pl.List(list_dtype(inner(dtype))) if is_nested(dtype) else dtype


def _holds_array(dtype: DataType) -> bool:
    return isinstance(dtype, pl.Array) or (is_nested(dtype) and _holds_array(inner(dtype)))
