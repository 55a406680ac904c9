"""Comparisons, `== != < <= > >=`: numbers, text and dates each in their right Polars form.

Lists come in through `elementwise`; tests built on comparisons are in `membership`.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from dataclasses import replace
from fractions import Fraction
from typing import Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import polars as pl

from tql_frames.compiler import json_text, moments
from tql_frames.compiler.elementwise import lift, rows
from tql_frames.compiler.types import (
    ELEMENT,
    Constant,
    DataType,
    Value,
    describe,
    is_bool,
    is_fractional,
    is_null,
    is_number,
    is_temporal,
    is_text,
    is_wide,
)
from tql_frames.errors import Fault, TQLTypeError
from tql_frames.language.tree import Node

TimeUnit: TypeAlias = Literal["ms", "us", "ns"]
Stamp = TypeVar("Stamp", dt.time, dt.datetime)

NO_BOOL = pl.lit(None, dtype=pl.Boolean)
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_TOO_FINE = re.compile(r"[.,]\d{7}")
_NANOSECONDS = re.compile(r"[.,]\d{6}(\d{1,3})(?!\d)")


def compare(operator: str, node: Node, left: Value, right: Value) -> pl.Expr:
    """`left operator right` on scalars: null where either is null; NaN is unequal to all, neither less nor greater.

    Raises:
        Fault: the types do not compare; blamed on `node`, the comparison, or on a text that is no date.
    """
    if any(is_null(each.dtype) or (each.constant and each.constant.value is None) for each in (left, right)):
        return unknown(left, right)
    a, b = left.dtype, right.dtype
    if all(is_number(dtype) or is_bool(dtype) for dtype in (a, b)):
        return _compare_numbers(operator, left, right)
    if is_text(a) and is_text(b):
        return _compare_text(operator, left, right)
    if is_temporal(a) or is_temporal(b):
        return _compare_temporal(operator, node, left, right)
    raise _cannot_compare(node, left, right)


def comparison(operator: str, node: Node, left: Value, right: Value) -> Value:
    """`left operator right`, elementwise where one is a list."""
    if left.json is not None or right.json is not None:
        return _compare_json(operator, node, left, right)

    def rule(a: Value, b: Value) -> Value:
        return Value(node, compare(operator, node, a, b), pl.Boolean())

    def across(a: Value, b: Value) -> tuple[pl.Expr, pl.Expr]:
        whole = not any(is_fractional(each.dtype) or is_wide(each.dtype) for each in (a, b))
        if whole:
            difference = rows(a, pl.Int64()) - rows(b, pl.Int64())
            return difference, _operate(operator, pl.element(), pl.lit(0, dtype=pl.Int64))
        zero = Value(node, pl.lit(0.0), pl.Float64(), Constant(0.0))
        difference = _finite(a) - _finite(b)
        return difference, compare(operator, node, Value(node, pl.element(), pl.Float64()), zero)

    return lift(rule, node, left, right, across=across)


def _compare_json(operator: str, node: Node, left: Value, right: Value) -> Value:
    """A comparison of which a side is a JSON value: null where the sides are of two kinds."""
    for value, other, way in ((left, right, operator), (right, left, _MIRROR.get(operator, operator))):
        plain = is_number(other.dtype) or is_bool(other.dtype) or isinstance(other.dtype, pl.String)
        if value.json is not None and other.constant is not None and plain and other.constant.value is not None:
            return json_text.compared(way, node, value, other.constant.value)
    pairs = json_text.readings(left, right)
    found = [comparison(operator, node, *pair) for pair in pairs]
    if len(found) == 1:
        return found[0]
    if all(each.base is None for each in found):
        return Value(node, pl.coalesce([each.expr for each in found]), pl.Boolean())
    # One side is a list: its rows are those of the reading that is not null.
    lists = found[-1].row_expr
    for each, pair in zip(found[:-1], pairs, strict=False):
        scalar = pair[0] if left.json is not None else pair[1]
        lists = pl.when(scalar.expr.is_not_null()).then(each.row_expr).otherwise(lists)
    return Value(node, ELEMENT, pl.Boolean(), base=lists, base_key=object(), size=found[0].size)


def _finite(value: Value) -> pl.Expr:
    # Two infinities have no difference; the largest floats stand for them.
    largest = sys.float_info.max
    return rows(
        replace(value, expr=value.expr.cast(pl.Float64).clip(-largest, largest), dtype=pl.Float64()), pl.Float64()
    )


def unknown(*values: Value) -> pl.Expr:
    """Null, once for each element where a value is elementwise."""
    for value in values:
        if value.base is not None:
            return pl.when(value.expr.is_null()).then(NO_BOOL).otherwise(NO_BOOL)
    return NO_BOOL


def _cannot_compare(node: Node, left: Value, right: Value, hint: str | None = None) -> Fault:
    return Fault(TQLTypeError, f"cannot compare {describe(left.dtype)} with {describe(right.dtype)}", node.span, hint)


def _operate(operator: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    match operator:
        case "==":
            return a == b
        case "!=":
            return a != b
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case ">=":
            return a >= b
    raise AssertionError(operator)


def _compare_numbers(operator: str, left: Value, right: Value) -> pl.Expr:
    if not (is_fractional(left.dtype) or is_fractional(right.dtype)):
        return _operate(operator, *_same_integers(left, right))
    a, b = left.expr.cast(pl.Float64), right.expr.cast(pl.Float64)
    found = _operate(operator, a, b)
    # Polars orders NaN as the largest number, equal to itself. Only where the side that this favours may hold NaN is
    # a guard needed; a constant never is NaN.
    favoured, guard, other = (right, b, left) if operator in ("<", "<=") else (left, a, right)
    if favoured.constant is not None or not favoured.dtype.is_float():
        return found
    nan = guard.is_nan() if other.constant is not None else guard.is_nan() & other.expr.is_not_null()
    return found | nan if operator == "!=" else found & ~nan


def _same_integers(left: Value, right: Value) -> tuple[pl.Expr, pl.Expr]:
    """Both sides in one integer type that holds every value of both; a constant takes its column's type if it fits."""
    for value, other in ((left, right), (right, left)):
        if value.constant is not None and other.constant is None and other.dtype.is_integer():
            number = int(value.constant.value)  # type: ignore[arg-type]
            if fits(number, other.dtype):
                fitted = pl.lit(number, dtype=other.dtype)
                return (fitted, other.expr) if value is left else (left.expr, fitted)
    if left.dtype == right.dtype:
        return left.expr, right.expr
    target = pl.Int128 if is_wide(left.dtype) or is_wide(right.dtype) else pl.Int64
    return left.expr.cast(target), right.expr.cast(target)


def fits(number: int, dtype: DataType) -> bool:
    """Whether an integer type holds a number."""
    bits = int("".join(filter(str.isdigit, str(dtype))))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dtype.is_signed_integer() else (0, 2**bits - 1)
    return bool(low <= number <= high)


def _compare_text(operator: str, left: Value, right: Value) -> pl.Expr:
    if operator in ("==", "!="):
        for column, constant in ((left, right), (right, left)):
            if constant.constant is not None and not isinstance(column.dtype, pl.String) and column.base is None:
                # The category is looked up once instead of turning the column into text; not inside lists (Polars 1).
                word = str(constant.constant.value)
                if not isinstance(column.dtype, pl.Enum):
                    return _operate(operator, column.expr, pl.lit(word))
                if word in column.dtype.categories:
                    return _operate(operator, column.expr, pl.lit(word, dtype=column.dtype))
                return column.expr.is_null() & NO_BOOL if operator == "==" else column.expr.is_not_null() | NO_BOOL
    return _operate(operator, as_text(left), as_text(right))


def as_text(value: Value) -> pl.Expr:
    """A text value as String, whatever it is stored as."""
    return value.expr if isinstance(value.dtype, pl.String) else value.expr.cast(pl.String)


def _compare_temporal(operator: str, node: Node, left: Value, right: Value) -> pl.Expr:
    for moment, text in ((left, right), (right, left)):
        if is_temporal(moment.dtype) and text.constant is not None and isinstance(text.dtype, pl.String):
            mirrored = operator if moment is left else _MIRROR.get(operator, operator)
            return _compare_with_text(mirrored, node, moment, text)
    if not (is_temporal(left.dtype) and is_temporal(right.dtype)):
        text_column = is_text(left.dtype) or is_text(right.dtype)
        raise _cannot_compare(
            node, left, right, "dates compare with ISO text, such as '2024-05-01'" if text_column else None
        )
    a, b = left.dtype, right.dtype
    days = (pl.Date, pl.Datetime)
    if isinstance(a, days) and isinstance(b, days):
        if (_zone(a) is None) != (_zone(b) is None):
            raise Fault(TQLTypeError, "cannot compare a time that has a zone with one that has none", node.span)
    elif type(a) is not type(b):
        raise _cannot_compare(node, left, right)
    if a == b:
        return _operate(operator, left.expr, right.expr)
    units = (moments.nanoseconds_of(a), moments.nanoseconds_of(b))
    return moments.across_units(operator, moments.counted(left.expr), moments.counted(right.expr), *units)


def _zone(dtype: DataType) -> str | None:
    return dtype.time_zone if isinstance(dtype, pl.Datetime) else None


def _unit(dtype: DataType) -> TimeUnit | None:
    return dtype.time_unit if isinstance(dtype, (pl.Datetime, pl.Duration)) else None


def _compare_with_text(operator: str, node: Node, moment: Value, text: Value) -> pl.Expr:
    """A date, time or duration column compared with a text."""
    assert text.constant is not None
    word, dtype = str(text.constant.value), moment.dtype
    unit = moments.nanoseconds_of(dtype)
    if isinstance(dtype, pl.Duration):
        span = moments.duration(word)
        if span is None:
            message = f"{word[:40]!r} is not a duration, such as 'PT1H30M' or '01:30:00'"
            raise Fault(TQLTypeError, message, text.node.span)
        return moments.with_constant(operator, moments.counted(moment.expr), unit, span)
    fine = _NANOSECONDS.search(word)
    if fine is None:
        return _operate(operator, *_with_iso_text(node, moment, text))
    coarse = replace(text, constant=Constant(word[: fine.start(1)] + word[fine.end(1) :]))
    _, stamp = _with_iso_text(node, moment, coarse)
    known = pl.select(stamp).to_series()
    nanoseconds = moments.nanoseconds_of(known.dtype) * known.to_physical()[0] + int(fine[1].ljust(3, "0"))
    return moments.with_constant(operator, moments.counted(moment.expr), unit, Fraction(nanoseconds))


def _with_iso_text(node: Node, moment: Value, text: Value) -> tuple[pl.Expr, pl.Expr]:
    """A date or time column and the ISO text it is compared with, in one type."""
    assert text.constant is not None
    word, dtype = str(text.constant.value), moment.dtype
    if isinstance(dtype, pl.Time):
        time = _from_iso(dt.time, word, text, "a time of day, such as '13:30'")
        if time.tzinfo is not None:
            raise Fault(TQLTypeError, "cannot compare a time of day with one that has a zone", node.span)
        return moment.expr, pl.lit(time)
    stamp = _from_iso(dt.datetime, word, text, "an ISO date, such as '2024-05-01'")
    zone = _zone(dtype)
    if isinstance(dtype, pl.Date):
        if stamp.tzinfo is not None:
            raise Fault(TQLTypeError, "cannot compare a date with a time that has a zone", node.span)
        if stamp.time() == dt.time():
            return moment.expr, pl.lit(stamp.date())
        return moment.expr.cast(pl.Datetime("us")), pl.lit(stamp, dtype=pl.Datetime("us"))
    if zone is None and stamp.tzinfo is not None:
        raise Fault(TQLTypeError, "cannot compare a time that has no zone with one that has", node.span)
    expr = moment.expr
    if zone is not None:
        aware = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=ZoneInfo(zone))
        try:
            stamp = aware.astimezone(dt.UTC).replace(tzinfo=None)
        except OverflowError:
            message = f"{word[:40]!r} is outside the years 1 to 9999 in UTC"
            raise Fault(TQLTypeError, message, text.node.span) from None
        expr = expr.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    # Polars would compare in the coarser of two units: both go to one that holds them.
    unit = _unit(dtype)
    if unit == "ns" and 1678 <= stamp.year <= 2261:
        return expr, pl.lit(stamp, dtype=pl.Datetime("ns"))
    return expr.cast(pl.Datetime("us")), pl.lit(stamp, dtype=pl.Datetime("us"))


def _from_iso(kind: type[Stamp], word: str, text: Value, wanted: str) -> Stamp:
    if _TOO_FINE.search(word):  # Python would cut it off
        raise Fault(TQLTypeError, "a time has at most 9 digits after its seconds", text.node.span)
    try:
        return kind.fromisoformat(word)
    except ValueError:
        raise Fault(TQLTypeError, f"{word[:40]!r} is not {wanted}", text.node.span) from None
