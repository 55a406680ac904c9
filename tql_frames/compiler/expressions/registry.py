"""Functions that users add to the language: Series in, Series out.

The functions of the language itself are in `functions`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import polars as pl
from polars.datatypes import DataTypeClass

from tql_frames.compiler.expressions.functions import FUNCTIONS, Function
from tql_frames.compiler.expressions.types import DataType, Value, instance
from tql_frames.errors import TQLError, TQLTypeError
from tql_frames.language.keywords import RESERVED
from tql_frames.language.nodes import Node

# Names with a meaning of their own that `FUNCTIONS` does not list.
_TAKEN = frozenset(("data", "max_weight", "random", "sum_weight"))
_NAME = re.compile(r"[^\W\d]\w*")
_registered: dict[str, Function] = {}


def find(name: str) -> Function | None:
    """Return the function of a name in lower case, registered ones included."""
    return FUNCTIONS.get(name) or _registered.get(name)


def names() -> list[str]:
    """Return names of the registered functions."""
    return list(_registered)


def register_function(
    name: str,
    function: Callable[..., Any],
    *,
    returns: DataType | DataTypeClass = pl.Float64,
    arity: int | None = None,
) -> None:
    """Add a function to TQL, in this process; of a name that was registered before it takes the place.

    Args:
        name: what it is called in TQL, in any case: letters, digits and underscores, no keyword and no function of the
            language.
        function: gets one Polars Series an argument, each as long as the frame: a list column as a List series, a
            constant repeated. Returns a Series or NumPy array of that length. It is called once for the whole frame,
            or not at all where no row is asked for, and must leave its arguments as they are.
        returns: Polars type that the result is cast to; a value that does not fit is an error.
        arity: number of arguments; by default what the signature takes, with `*args` any number.

    Raises:
        TQLError: the name is taken or is no name, or the function's arguments cannot be counted. Whatever the function
            raises when it is called is the cause of a TQLError that names it.

    Examples:
        >>> register_function("clipped", lambda x, most: x.clip(upper_bound=most[0]) if len(x) else x)
        >>> import tql_frames
        >>> tql_frames.weights(pl.DataFrame({"age": [71, 34]}), "clipped(age, 50) + 1").to_list()
        [51.0, 35.0]
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TQLError(f"a function is named by letters, digits and underscores, not {name!r}")
    name = name.lower()
    if name in RESERVED:
        raise TQLError(f"{name!r} is a keyword of TQL")
    if name in FUNCTIONS or name in _TAKEN:
        raise TQLError(f"{name!r} is a function of TQL already")
    if not callable(function):
        raise TQLError(f"a function was expected, not {function!r}")
    if not (isinstance(returns, pl.DataType) or (isinstance(returns, type) and issubclass(returns, pl.DataType))):
        raise TQLError(f"returns must be a Polars type, not {returns!r}")
    takes = _arity(name, function) if arity is None else arity
    if isinstance(takes, bool) or not (isinstance(takes, tuple) or (isinstance(takes, int) and takes >= 0)):
        raise TQLError(f"arity must be a whole number of at least 0, not {arity!r}")
    dtype = instance(returns)

    def build(node: Node, *arguments: Value) -> Value:
        # In one struct, so that constants are as long as the frame; Polars 1.30 panics on an error among many columns.
        # The row number makes it as long as the frame even where every argument is constant.
        rows = pl.int_range(pl.len(), dtype=pl.Int64).alias("rows")
        columns = [argument.row_expr.alias(str(at)) for at, argument in enumerate(arguments)]
        call = _Call(name, function, len(arguments), dtype)
        return Value(node, pl.struct(rows, *columns).map_batches(call, return_dtype=dtype), dtype)

    _registered[name] = Function(takes, build, f"{name}({_usage(function)})")


class _Call:
    """What Polars calls: it checks what the user's function returns."""

    def __init__(self, name: str, function: Callable[..., Any], arguments: int, dtype: DataType) -> None:
        self._name, self._function, self._arguments, self._dtype = name, function, arguments, dtype

    def __call__(self, rows: pl.Series) -> pl.Series:
        columns = [rows.struct.field(str(at)) for at in range(self._arguments)]
        try:
            found = self._function(*columns)
        except Exception as fault:
            reason = f"{type(fault).__name__}: {fault}"
            raise TQLError(f"the function {self._name} failed: {reason[:300]}") from fault
        if not isinstance(found, pl.Series) and not hasattr(found, "__array__"):
            message = f"the function {self._name} returned {type(found).__name__}, not a Series or an array"
            raise TQLTypeError(message)
        try:
            series = found if isinstance(found, pl.Series) else pl.Series(found)
            if len(series) == len(rows):
                return series.cast(self._dtype, strict=True)
        except (pl.exceptions.PolarsError, TypeError, ValueError) as fault:
            message = f"the function {self._name} returned values that are no {self._dtype}"
            raise TQLTypeError(message) from fault
        raise TQLTypeError(f"the function {self._name} returned {len(series):,} values for {len(rows):,} rows")


def _arity(name: str, function: Callable[..., Any]) -> int | tuple[int, int | None]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise TQLError(f"the arguments of {name} cannot be counted; pass arity=") from None
    placed = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    least = sum(each.default is each.empty for each in placed)
    if any(each.kind is each.KEYWORD_ONLY and each.default is each.empty for each in parameters):
        raise TQLError(f"{name} needs arguments by keyword, which TQL does not have")
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return least, None
    return least if least == len(placed) else (least, len(placed))


def _usage(function: Callable[..., Any]) -> str:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return "…"
    return ", ".join("…" if each.kind is each.VAR_POSITIONAL else each.name for each in parameters)
