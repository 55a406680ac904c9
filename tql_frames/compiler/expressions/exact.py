"""Compute with integers and decimals exactly: arithmetic returns null instead of wrapping, comparisons do not round.

`operators`, `comparisons` and `reductions` decide when to use it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

import polars as pl

from tql_frames.compiler.expressions.types import ELEMENT, DataType, Value, is_wide
from tql_frames.language.nodes import Column, Literal, Node, written

NO_BOOL = pl.lit(None, dtype=pl.Boolean)
_EXACT = Context(prec=2000, Emax=10**6, Emin=-(10**6))
MOST_DIGITS = 38  # of a Polars Decimal
_INT64, _INT128 = (-(2**63), 2**63 - 1), (-(2**127), 2**127 - 1)


@dataclass(frozen=True)
class Whole:
    """Whole numbers within a calculation.

    Attributes:
        expr: the numbers.
        dtype: Int64 or Int128.
        low: lower bound of the numbers.
        high: upper bound of the numbers.
        simple: whether the expression is a column or a constant, which costs nothing to write twice.
    """

    expr: pl.Expr
    dtype: DataType
    low: int
    high: int
    simple: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest possible number."""
        return self.low, self.high


def bounds_of(dtype: DataType) -> tuple[int, int]:
    """Return least and greatest value of an integer type."""
    bits = int("".join(filter(str.isdigit, str(dtype))))
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dtype.is_signed_integer() else (0, 2**bits - 1)


def is_beyond(dtype: DataType) -> bool:
    """Return whether values are whole numbers that may not fit into Int128."""
    return str(dtype) == "UInt128"


def fits(number: int, dtype: DataType) -> bool:
    """Return whether an integer type holds a number."""
    low, high = bounds_of(dtype)
    return low <= number <= high


@lru_cache(maxsize=1024)
def literal(number: int, dtype: DataType) -> pl.Expr:
    """Return a whole number as a constant of a type; cached, since creating one in Polars is slow."""
    return pl.lit(number, dtype=dtype)


def whole(value: Value) -> Whole:
    """Return an integer or Boolean as Int64, or as Int128 if its type does not fit into Int64.

    A UInt128 beyond Int128 is null.
    """
    dtype = value.dtype
    if value.constant is not None and type(value.constant.value) is int:
        low = high = value.constant.value
    elif value.bounds is not None:
        low, high = value.bounds
    else:
        low, high = bounds_of(dtype) if dtype.is_integer() else (0, 1)
    target: DataType = pl.Int128() if is_wide(dtype) else pl.Int64()
    expr = value.expr if dtype == target else value.expr.cast(target, strict=not is_beyond(dtype))
    simple = isinstance(value.node, (Column, Literal))
    return Whole(expr, target, max(low, _INT128[0]), min(high, _INT128[1]), simple)


def unscaled(value: Value) -> tuple[Whole, int]:
    """Return a decimal as a whole number and the number of its decimal places; an integer has none."""
    dtype = value.dtype
    if not isinstance(dtype, pl.Decimal):
        return whole(value), 0
    if value.constant is not None and value.bounds is not None:  # from `as_written`
        return Whole(pl.lit(value.bounds[0], dtype=pl.Int128), pl.Int128(), *value.bounds, simple=True), dtype.scale
    most = 10 ** (dtype.precision or MOST_DIGITS) - 1
    simple = isinstance(value.node, (Column, Literal))
    return Whole(value.expr.to_physical(), pl.Int128(), -most, most, simple), dtype.scale


def as_decimal(number: pl.Expr, scale: int) -> pl.Expr:
    """Return the inverse of `unscaled`; null beyond 38 digits."""
    found = number.cast(pl.Decimal(MOST_DIGITS, 0), strict=False)
    if scale:
        found = (found * pl.lit(Decimal(1).scaleb(-scale))).cast(pl.Decimal(MOST_DIGITS, scale))
    return found


def as_written(value: Value) -> Value:
    """Return a constant fraction as a decimal, if 38 digits hold it; any other value unchanged."""
    number = value.constant.value if value.constant is not None else None
    if not isinstance(number, float) or not math.isfinite(number):
        return value
    digits = written(number).normalize(_EXACT)
    scale = max(-int(digits.as_tuple().exponent), 0)
    unit = int(digits.scaleb(scale, _EXACT)) if digits.adjusted() + scale < MOST_DIGITS else 0
    if scale > MOST_DIGITS or (number and not unit):
        return value
    dtype = pl.Decimal(MOST_DIGITS, scale)
    bounds = (unit, unit)
    return Value(value.node, as_decimal(pl.lit(unit, dtype=pl.Int128), scale), dtype, value.constant, bounds=bounds)


def rescaled(number: Whole, places: int) -> Whole:
    """Return the number multiplied by a power of ten."""
    if not places:
        return number
    power = 10**places
    return calculate("*", number, Whole(pl.lit(power, dtype=pl.Int128), pl.Int128(), power, power, simple=True))


def like(value: Value, found: Whole, scale: int, node: Node) -> Value:
    """Return a result as a decimal if `value` is one, else as a whole number."""
    if value.dtype.is_decimal():
        return Value(node, as_decimal(found.expr, scale), pl.Decimal(MOST_DIGITS, scale))
    return Value(node, found.expr, found.dtype, bounds=found.bounds)


def calculate(operator: str, a: Whole, b: Whole, *, decimal: bool = False) -> Whole:
    """`a operator b` for `+ - * %`: Int64 if both are, else Int128; null if the result does not fit into that type.

    Args:
        operator: one of `+ - * %`.
        a: the first operand.
        b: the second operand.
        decimal: whether the result is passed to `as_decimal`, which returns null beyond 38 digits.
    """
    if operator == "%":
        return _remainder(a, b)
    low, high = _result_bounds(operator, a, b)
    wide = pl.Int128() in (a.dtype, b.dtype)
    dtype: DataType = pl.Int128() if wide else pl.Int64()
    limits = _INT128 if wide else _INT64
    inside = limits[0] <= low and high <= limits[1]
    if decimal and operator in "+-":
        # A sum of two numbers of 38 digits that wraps still has 39 digits.
        inside = inside or all(abs(each) <= 10**MOST_DIGITS for each in (*a.bounds, *b.bounds))
    bounds = max(low, limits[0]), min(high, limits[1])
    if inside or not wide:
        # Int128 holds every sum and product of two Int64. No operand is repeated: expressions would double with depth.
        work = dtype if inside else pl.Int128()
        found = operate(operator, *(each.expr if each.dtype == work else each.expr.cast(work) for each in (a, b)))
        return Whole(found if inside else found.cast(dtype, strict=False), dtype, *bounds)
    if a.simple and b.simple:
        return Whole(_near_product(operator, a.expr.cast(dtype), b.expr.cast(dtype)), dtype, *bounds)
    pairs = pl.struct(a=a.expr.cast(dtype), b=b.expr.cast(dtype))
    found = pairs.map_batches(_checked(operator), return_dtype=dtype, is_elementwise=True)
    return Whole(found, dtype, *bounds)


def across(
    operator: str, a: Whole, b: Whole, wide: tuple[pl.Expr, pl.Expr], real: tuple[pl.Expr, pl.Expr]
) -> tuple[pl.Expr, pl.Expr]:
    """`+ - *` of two lists of whole numbers, or of a list and a number.

    Args:
        operator: one of `+ - *`.
        a: an element of the first operand.
        b: an element of the second operand.
        wide: both operands in Int128.
        real: both operands in Float64.

    Returns:
        Lists, and an expression on their elements that computes the result of `calculate`.
    """
    dtype = calculate(operator, a, b).dtype
    low, high = _result_bounds(operator, a, b)
    found = operate(operator, *wide)
    if not (_INT128[0] <= low and high <= _INT128[1]):
        apart = operate(operator, *real) - found.cast(pl.List(pl.Float64))
        zero = pl.lit(0, dtype=pl.Int128)
        found = found + apart.list.eval(pl.when(pl.element().abs() < 2.0**126).then(zero))
    return found, ELEMENT if dtype == pl.Int128() else pl.element().cast(dtype, strict=False)


def operate(operator: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """`a operator b` by Polars, in the type of both."""
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a / b
    raise AssertionError(operator)


def negative(a: Whole) -> Whole:
    """`-a`: null where the result does not fit into the type."""
    return calculate("-", Whole(pl.lit(0, dtype=a.dtype), a.dtype, 0, 0, simple=True), a)


def absolute(a: Whole) -> Whole:
    """`abs(a)`: null where the result does not fit into the type."""
    low = max(a.low, 0, -a.high)
    high = max(abs(a.low), abs(a.high))
    if a.low > bounds_of(a.dtype)[0]:
        return Whole(a.expr.abs(), a.dtype, low, high)
    if a.dtype == pl.Int64():
        return Whole(a.expr.cast(pl.Int128).abs().cast(pl.Int64, strict=False), a.dtype, low, high - 1)
    found = a.expr.abs()
    return Whole(pl.when(found >= 0).then(found), a.dtype, low, high - 1)


def total(lists: pl.Expr, dtype: DataType, bounds: tuple[int, int] | None = None) -> pl.Expr:
    """Return sums of lists of Int64, Int128 or Decimal, in that type; null on overflow."""
    if isinstance(dtype, pl.Decimal):
        sums = total(lists.list.eval(pl.element().to_physical()), pl.Int128())
        return as_decimal(sums, dtype.scale)
    low, high = bounds or bounds_of(dtype)
    if max(-low, high) < 2**31 or (dtype == pl.Int128() and max(-low, high) <= 2**64):
        return lists.list.sum()  # no list is long enough to overflow
    sums = lists.cast(pl.List(pl.Int128)).list.sum()
    if dtype == pl.Int64():
        return sums.cast(pl.Int64, strict=False)
    return _near(lists.cast(pl.List(pl.Float64)).list.sum(), sums)


def product(elements: pl.Expr, dtype: DataType) -> pl.Expr:
    """Return the product of Int64 or Int128 elements of a list, in that type; null on overflow."""
    found = elements.cast(pl.Int128).product()
    near = _near(elements.cast(pl.Float64).product(), found)
    zero = pl.lit(0, dtype=pl.Int128)
    return pl.when((elements == 0).any()).then(zero).otherwise(near).cast(dtype, strict=False)


def order_keys(a: Value, b: Value) -> list[tuple[Whole, Whole]]:
    """Return pairs of whole numbers that compare like `a` and `b`; the second pair decides where the first is equal."""
    if is_beyond(a.dtype) or is_beyond(b.dtype):
        if isinstance(a.dtype, pl.Decimal) or isinstance(b.dtype, pl.Decimal):
            return order_keys(_clipped(a), _clipped(b))
        return list(zip(*(_split_beyond(each) for each in (a, b)), strict=True))
    (left, places), (right, others) = unscaled(a), unscaled(b)
    if places == others:
        return [_one_type(left, right)]
    if places > others:
        return [(x, y) for y, x in order_keys(b, a)]
    zero = Whole(left.expr.cast(pl.Int128) * 0, pl.Int128(), 0, 0)  # null where the number is
    more, rest = split(right, 10 ** (others - places))
    return [_one_type(left, more), (zero, rest)]


def split(number: Whole, by: int) -> tuple[Whole, Whole]:
    """Return the quotient, rounded down, and remainder."""
    divisor = pl.lit(by, dtype=pl.Int128)
    expr = number.expr.cast(pl.Int128)
    return (
        Whole(expr // divisor, pl.Int128(), number.low // by, number.high // by),
        Whole(expr % divisor, pl.Int128(), 0, by - 1),
    )


def against(operator: str, value: Value, number: float) -> pl.Expr:
    """`value operator number` for integers or decimals and a constant with exactly its written digits."""
    if value.dtype.is_integer():
        expr, dtype, scale = value.expr, value.dtype, 0
    else:
        found, scale = unscaled(value)
        expr, dtype = found.expr, found.dtype
    if abs(number) == float("inf"):
        return _known(value, (operator in ("<", "<=", "!=")) if number > 0 else operator in (">", ">=", "!="))
    scaled = Fraction(written(number)) * 10**scale
    limit = scaled.numerator // scaled.denominator
    if limit != scaled:
        if operator in ("==", "!="):
            return _known(value, operator == "!=")
        operator = "<=" if operator in ("<", "<=") else ">"
    if not fits(limit, dtype):
        return _known(value, operator == "!=" or operator in (("<", "<=") if limit > 0 else (">", ">=")))
    return relate(operator, expr, literal(limit, dtype))


def compare(operator: str, pairs: list[tuple[Whole, Whole]]) -> pl.Expr:
    """Return the comparison of the pairs of `order_keys`."""
    (a, b), *rest = pairs
    if not rest:
        return relate(operator, a.expr, b.expr)
    later = compare(operator, rest)
    if operator == "==":
        return (a.expr == b.expr) & later
    if operator == "!=":
        return (a.expr != b.expr) | later
    return relate(operator[0], a.expr, b.expr) | ((a.expr == b.expr) & later)


def relate(operator: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """`a operator b` by Polars, for values of one type."""
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


def _result_bounds(operator: str, a: Whole, b: Whole) -> tuple[int, int]:
    match operator:
        case "+":
            return a.low + b.low, a.high + b.high
        case "-":
            return a.low - b.high, a.high - b.low
    products = [x * y for x in a.bounds for y in b.bounds]
    return min(products), max(products)


def _remainder(a: Whole, b: Whole) -> Whole:
    """Return the remainder with the sign of the dividend, as in C and SQL.

    Polars returns it with the sign of the divisor. The remainder by 0 is null.
    """
    wide = pl.Int128() in (a.dtype, b.dtype)
    work: DataType = pl.Int128() if wide else pl.Int64()
    dividend, divisor = a.expr.cast(work), b.expr.cast(work)
    found = dividend % divisor
    if a.low < 0 or b.low < 0:
        found = found - divisor * ((found != 0) & ((found < 0) != (dividend < 0))).cast(work)
    most = max(min(max(-a.low, a.high), max(-b.low, b.high) - 1), 0)
    low, high = (-most if a.low < 0 else 0), (most if a.high > 0 else 0)
    if wide and most <= _INT64[1]:
        return Whole(found.cast(pl.Int64), pl.Int64(), low, high)
    return Whole(found, work, low, high)


def _checked(operator: str) -> Callable[[pl.Series], pl.Series]:
    def run(pairs: pl.Series) -> pl.Series:
        return pairs.struct.unnest().select(_near_product(operator, pl.col("a"), pl.col("b"))).to_series()

    return run


def _near_product(operator: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """`a operator b` for Int128, null where it wraps."""
    return _near(operate(operator, a.cast(pl.Float64), b.cast(pl.Float64)), operate(operator, a, b))


def _near(real: pl.Expr, found: pl.Expr) -> pl.Expr:
    """Return Int128 numbers where they agree with the result in Float64; null where they wrapped."""
    return pl.when((real - found.cast(pl.Float64)).abs() < 2.0**126).then(found)


def _known(value: Value, answer: bool) -> pl.Expr:
    """Return one answer for all values, null for null."""
    return value.expr.is_not_null() | NO_BOOL if answer else value.expr.is_null() & NO_BOOL


def _one_type(a: Whole, b: Whole) -> tuple[Whole, Whole]:
    if a.dtype == b.dtype:
        return a, b
    return Whole(a.expr.cast(pl.Int128), pl.Int128(), *a.bounds), Whole(b.expr.cast(pl.Int128), pl.Int128(), *b.bounds)


def _split_beyond(value: Value) -> tuple[Whole, Whole]:
    if not is_beyond(value.dtype):
        return split(whole(value), 2)
    half, rest = value.expr // pl.lit(2, dtype=value.dtype), value.expr % pl.lit(2, dtype=value.dtype)
    return (
        Whole(half.cast(pl.Int128), pl.Int128(), 0, _INT128[1]),
        Whole(rest.cast(pl.Int128), pl.Int128(), 0, 1),
    )


def _clipped(value: Value) -> Value:
    """Return a UInt128 clipped to the greatest Int128, which is greater than every decimal."""
    if not is_beyond(value.dtype):
        return value
    expr = value.expr.clip(upper_bound=pl.lit(_INT128[1], dtype=value.dtype)).cast(pl.Int128)
    return Value(value.node, expr, pl.Int128())
