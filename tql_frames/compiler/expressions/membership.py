"""Compile tests of membership and content: `in`, `like` and `contains`.

`comparisons` decides whether two values are equal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import polars as pl

from tql_frames.compiler.expressions import exact, json_text, moments
from tql_frames.compiler.expressions.comparisons import as_text, compare, comparison, unknown
from tql_frames.compiler.expressions.elementwise import lift
from tql_frames.compiler.expressions.exact import NO_BOOL, fits, is_beyond
from tql_frames.compiler.expressions.operators import logic
from tql_frames.compiler.expressions.types import (
    DataType,
    Value,
    as_list,
    inner,
    innermost,
    is_bool,
    is_nested,
    is_null,
    is_number,
    is_temporal,
    is_text,
    is_wide,
)
from tql_frames.errors import Fault, TQLTypeError, TQLUnsupportedError, TQLWarning, shown, warn
from tql_frames.language import unparse
from tql_frames.language.nodes import Column, Node, Values, written

# Characters that suggest a regular expression, or a pattern of LIKE.
_PATTERN = re.compile(r"\.[*+]|\\[bdsw]|\(\?|\[[^\]]+-[^\]]+\]|^\^\w|\w\$$|^[*%]\w|\w[*%]$|\w\|\w")
_MAX_PATTERN = 1000  # characters of a LIKE pattern; the regex engine refuses far larger ones at run time


def membership(node: Node, operand: Value, items: Sequence[Value]) -> Value:
    """`operand in (items)`, elementwise if the operand is a list."""
    if operand.json is not None and all(item.constant is not None for item in items):
        return json_text.among(node, operand, [item.constant.value for item in items if item.constant is not None])
    if operand.json is not None or any(item.json is not None for item in items):
        found = [comparison("==", item.node, operand, item) for item in items]
        return found[0].at(node) if len(found) == 1 else logic(node, found, every=False)

    def rule(value: Value, *choices: Value) -> Value:
        found = [compare("==", choice.node, value, choice) for choice in choices]  # finds every type error
        fast = _in_constants(value, choices)
        return Value(node, pl.any_horizontal(found) if fast is None else fast, pl.Boolean())

    return lift(rule, node, operand, *items)


def among(node: Node, operand: Value, many: Values) -> Value | None:
    """`operand in (values)`, elementwise on a list; None if each value needs a comparison, or raises an error."""
    if operand.json is not None:
        return json_text.among(node, operand, many.constants())
    dtype = innermost(operand.row_dtype)
    if operand.constant is not None or operand.parts is not None:
        return None
    if is_null(dtype):
        return lift(lambda value: Value(node, unknown(value), pl.Boolean()), node, operand)
    words = _words(_series(many), dtype, listed=operand.base is not None or is_nested(operand.dtype))
    if words is None:
        return None
    words = words.drop_nulls()

    def rule(value: Value) -> Value:
        # One list, created here: Polars would build it from a column of values once per piece of the frame.
        found = _sought(value, words.dtype).is_in(pl.lit(pl.Series([words])))
        return Value(node, found | NO_BOOL if many.nulls else found, pl.Boolean())

    return lift(rule, node, operand)


def words_of(operand: Value, many: Values) -> tuple[pl.Expr, pl.Series] | None:
    """Return the expression to look up for a column, and the values in its type, shape (values,).

    Values that the column cannot equal are null. Return None unless integers are compared with integers, or texts with
    texts.
    """
    dtype = operand.dtype
    if operand.json is not None or operand.base is not None or operand.constant is not None or many.nulls:
        return None
    values = _series(many)
    texts = isinstance(values.dtype, pl.String) and is_text(dtype)
    if not texts and not (values.dtype.is_integer() and dtype.is_integer()):
        return None
    words = _words(values, dtype, listed=False)
    return None if words is None else (_sought(operand, words.dtype), words)


def _series(many: Values) -> pl.Series:
    text = isinstance(many.values, tuple)
    return pl.Series(many.values, dtype=pl.String) if text else pl.Series(np.array(many.values))


def _sought(value: Value, dtype: DataType) -> pl.Expr:
    """Return the expression to look up among values of a type."""
    if isinstance(dtype, pl.String):
        return as_text(value)
    if isinstance(value.dtype, pl.Decimal):
        return exact.unscaled(value)[0].expr
    return value.expr if value.dtype == dtype else value.expr.cast(dtype)


def _words(values: pl.Series, dtype: DataType, *, listed: bool) -> pl.Series | None:
    """Return the values that a value of a type may equal, in the type for `_sought`; None if the kinds differ.

    For texts among texts and integers among integers, all values are returned in their order, with null for those that
    it cannot equal.
    """
    if isinstance(values.dtype, pl.String):
        if isinstance(dtype, pl.Enum) and not listed:  # inside lists, categories are compared as text (Polars 1)
            return values.cast(dtype, strict=False)
        if is_text(dtype):
            return values
        return moments.of_texts(values, dtype) if is_temporal(dtype) else None
    if not (is_number(dtype) or is_bool(dtype)) or exact.is_beyond(dtype):
        return None
    if isinstance(dtype, pl.Decimal):
        return _whole(values, dtype.scale, pl.Int128())
    if dtype.is_float():
        numbers = values.cast(pl.Float64)
        return (_single(numbers) if isinstance(dtype, pl.Float32) else numbers).drop_nans()
    if values.dtype.is_float():
        return values.drop_nans() if is_bool(dtype) else _whole(values, 0, dtype)
    return values if is_bool(dtype) or values.dtype == dtype else values.cast(dtype, strict=False)


def _single(numbers: pl.Series) -> pl.Series:
    """Return each number rounded to Float32; unchanged if the result would be 0 or infinite."""
    given = numbers.to_numpy()
    with np.errstate(over="ignore"):
        single = given.astype(np.float32).astype(np.float64)
    return pl.Series(np.where(np.isfinite(single) & ((single != 0) | (given == 0)), single, given))


def _whole(values: pl.Series, scale: int, dtype: DataType) -> pl.Series:
    """Return numbers, with their written digits, times a power of ten: those that are then whole and fit a type."""
    if values.dtype.is_float() and not scale:
        given = values.to_numpy()
        whole = given[np.isfinite(given) & (given == np.floor(given))]
        if (np.abs(whole) <= 2**53).all():  # written with exactly their digits
            return pl.Series(whole.astype(np.int64)).cast(dtype, strict=False).drop_nulls()
        values = pl.Series(whole)
    found = (_times(number, scale) for number in values.to_list())
    return pl.Series([number for number in found if number is not None and exact.fits(number, dtype)], dtype=dtype)


def _times(number: float, scale: int) -> int | None:
    """Return a number, with its written digits, times a power of ten; None if the result is not whole."""
    unit: int = 10**scale
    if isinstance(number, int):
        return number * unit
    if not math.isfinite(number):
        return None
    numerator, denominator = Fraction(written(number)).as_integer_ratio()
    found, rest = divmod(numerator * unit, denominator)
    return None if rest else found


def _in_constants(value: Value, choices: Sequence[Value]) -> pl.Expr | None:
    """Return a hash look-up in a list of constants of one kind; None if the kinds need one comparison each."""
    if value.constant is not None or not all(choice.constant for choice in choices):
        return None
    words = [choice.constant.value for choice in choices if choice.constant and choice.constant.value is not None]
    dtype = value.dtype
    if dtype.is_integer() and all(type(word) is int for word in words):
        words = [word for word in words if fits(int(word), dtype)]
    elif isinstance(dtype, pl.Enum) and value.base is None:
        words = [word for word in words if word in dtype.categories]
    elif is_text(dtype):
        dtype = pl.String()
    else:
        return None
    sought = as_text(value) if isinstance(dtype, pl.String) else value.expr
    found = sought.is_in(pl.lit(pl.Series(words, dtype=dtype)).implode())
    return found if len(words) == len(choices) or all(c.dtype != pl.Null for c in choices) else found | NO_BOOL


def like(node: Node, operand: Value, pattern: Value, *, ignore_case: bool) -> Value:
    """`operand like pattern`, of the whole text: `*` and `%` match any run, `?` one character, others themselves."""
    if pattern.constant is not None and pattern.constant.value is None:

        def of_null(value: Value, _: Value) -> Value:
            _check_text(value, operand)
            return Value(node, unknown(value), pl.Boolean())

        return lift(of_null, node, json_text.as_string(operand), pattern)
    if pattern.constant is None or not isinstance(pattern.constant.value, str):
        words = "an expression" if is_text(pattern.dtype) else pattern.words
        raise Fault(TQLTypeError, f"expected a text in single quotes as pattern, got {words}", pattern.node.span)
    text = pattern.constant.value
    if len(text) > _MAX_PATTERN:
        raise Fault(TQLUnsupportedError, f"a pattern has at most {_MAX_PATTERN} characters", pattern.node.span)
    flags = "(?si)" if ignore_case else "(?s)"
    operand = json_text.as_string(operand)
    runs = re.sub(r"[*%]+", "*", text)
    regex = "".join(".*" if char == "*" else "." if char == "?" else _literal_regex(char) for char in runs)

    def rule(value: Value, _: Value) -> Value:
        if is_null(value.dtype):
            return Value(node, unknown(value), pl.Boolean())
        _check_text(value, operand)
        return Value(node, as_text(value).str.contains(rf"{flags}\A{regex}\z"), pl.Boolean())

    return lift(rule, node, operand, pattern)


def _check_text(value: Value, operand: Value) -> None:
    if not (is_text(value.dtype) or is_null(value.dtype)):
        raise Fault(TQLTypeError, f"expected text for like, got {operand.words}", operand.node.span)


def _literal_regex(char: str) -> str:
    # Rust's regex syntax refuses a backslash before a letter or non-ASCII character; only punctuation needs one.
    return "\\" + char if char in r"\.+()|[]{}^$#&-~/" else char


def contains(node: Node, container: Value, item: Value) -> Value:
    """`contains(x, v)`: a text has a substring, a list or array has an element equal to `v`."""
    if container.json is not None:
        return json_text.contains(node, container, item)
    if item.json is not None and is_number(innermost(container.row_dtype)):
        kinds = [contains(node, container, each) for _, each in json_text.readings(container, item)]
        return Value(node, pl.coalesce([each.expr for each in kinds]), pl.Boolean())
    item = json_text.beside_dtype(item, innermost(container.row_dtype))
    if item.base is not None:
        raise Fault(TQLTypeError, f"expected one value for contains to look for, got {item.words}", item.node.span)
    if container.base is not None:
        container = Value(container.node, container.row_expr, container.row_dtype)
    if is_null(container.dtype):
        return Value(node, NO_BOOL, pl.Boolean())
    _warn_of_pattern(container, item)
    if is_text(container.dtype):
        if not (is_text(item.dtype) or is_null(item.dtype)):
            raise Fault(TQLTypeError, f"a text cannot contain {item.words}", item.node.span)
        found = as_text(container).str.contains(as_text(item), literal=True)
        return Value(node, found, pl.Boolean())
    if not is_nested(container.dtype):
        hint = "compare it with == or <" if is_number(container.dtype) else None
        message = f"expected text, a list or an array for contains, got {container.words}"
        raise Fault(TQLTypeError, message, container.node.span, hint)
    element = inner(container.dtype)
    if is_nested(element):
        raise Fault(TQLTypeError, f"expected one dimension for contains, got {container.words}", container.node.span)
    try:
        probe = compare("==", item.node, Value(node, pl.element(), element), item)
    except Fault as fault:
        message = f"{container.words} cannot contain {item.words}"
        raise Fault(fault.kind, message, item.node.span, fault.hint) from None
    if is_null(item.dtype):
        return Value(node, NO_BOOL, pl.Boolean())
    lists = as_list(container.expr, container.dtype)
    if is_text(element):
        return Value(node, _holds(lists, element, as_text(item), pl.String()), pl.Boolean())
    if item.constant is not None:
        return Value(node, lists.list.eval(probe).list.any(), pl.Boolean())
    if element == item.dtype and not element.is_float():
        return Value(node, _holds(lists, element, item.expr, element), pl.Boolean())
    if all(is_number(dtype) or is_bool(dtype) for dtype in (element, item.dtype)):
        if all(each.is_integer() and not is_beyond(each) for each in (element, item.dtype)):
            whole = pl.Int128() if is_wide(element) or is_wide(item.dtype) else pl.Int64()
            return Value(node, _holds(lists, element, item.expr.cast(whole), whole), pl.Boolean())
        if not (element.is_float() or item.dtype.is_float()):
            equal = comparison("==", node, Value(node, lists, pl.List(element)), item).row_expr.list.any()
            return Value(node, pl.when(item.expr.is_not_null()).then(equal), pl.Boolean())
        sought = item.expr.cast(pl.Float64)
        found = _holds(lists, element, sought, pl.Float64())
        return Value(node, pl.when(sought.is_nan() & found).then(False).otherwise(found), pl.Boolean())
    raise Fault(
        TQLUnsupportedError, f"contains cannot look for {item.words} of a column in {container.words}", node.span
    )


def _warn_of_pattern(container: Value, item: Value) -> None:
    """Warn of a regular expression or a pattern of LIKE, which `contains` would search literally."""
    text = None if item.constant is None else item.constant.value
    if not isinstance(text, str) or not isinstance(container.node, Column) or not _PATTERN.search(text):
        return
    if not is_text(innermost(container.dtype)):
        return
    name = unparse(container.node)
    like = f"{name} like" if is_text(container.dtype) else f"any({name} like"
    words = f"for a pattern write {like} '…'{')' * ('(' in like)}, where * is any run of characters and ? is one"
    if "|" in text:
        words = " or ".join(f"contains({name}, '{part}')" for part in text.split("|")[:2])
        words = f"for one of several texts write {words}"
    warn(TQLWarning(f"contains looks for {shown(text)} as it is written; {words}"))


def _holds(lists: pl.Expr, element: DataType, item: pl.Expr, dtype: DataType) -> pl.Expr:
    """Return whether lists of `element` hold an item of `dtype`."""
    same = lists if element == dtype else lists.cast(pl.List(dtype))
    return same.list.contains(item, nulls_equal=False)
