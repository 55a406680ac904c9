"""Compare dates, times and durations of different units exactly, and parse durations.

`comparisons` decides which types are comparable.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tql_frames.compiler.expressions.exact import fits, relate
from tql_frames.compiler.expressions.types import DataType
from tql_frames.errors import TQLTypeError

_NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000}
_DAY = 86_400 * 10**9
_MICROSECOND = 1_000
_EPOCH = dt.datetime(1970, 1, 1)
TOO_FINE = re.compile(r"[.,]\d{7}")
NANOSECONDS = re.compile(r"[.,]\d{6}(\d{1,3})(?!\d)")
_PLAIN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{3}|\.[0-9]{6})?$"
_NUMBER = r"(\d+(?:[.,]\d+)?)"
_ISO = re.compile(
    rf"([+-]?)P(?=[\dT])(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?", re.I
)
_CLOCK = re.compile(r"([+-]?)(?:(\d+) days?,? )?(?:\+?(\d+):([0-5]\d)(?::([0-5]\d(?:[.,]\d+)?))?)")


def nanoseconds_of(dtype: DataType) -> int:
    """Return the length of the unit of a temporal type, in nanoseconds."""
    if isinstance(dtype, pl.Date):
        return _DAY
    return _NANOSECONDS[dtype.time_unit] if isinstance(dtype, (pl.Datetime, pl.Duration)) else 1


def counted(expr: pl.Expr) -> pl.Expr:
    """Return values of a temporal type as integer numbers of their unit."""
    return expr.to_physical().cast(pl.Int64)


def across_units(operator: str, a: pl.Expr, b: pl.Expr, a_unit: int, b_unit: int) -> pl.Expr:
    """`a operator b` for integer numbers of two units, without overflow."""
    if a_unit == b_unit:
        return relate(operator, a, b)
    if a_unit < b_unit:
        return across_units(_MIRROR.get(operator, operator), b, a, b_unit, a_unit)
    factor = a_unit // b_unit
    below, exact = b // factor, b % factor == 0
    match operator:
        case "==":
            return (a == below) & (exact | a.is_null())  # null where `a` is null, for any `b`
        case "!=":
            return (a != below) | (~exact & a.is_not_null())
        case "<=" | ">":
            return relate(operator, a, below)
    return relate(operator, a, below + (~exact).cast(pl.Int64))


def in_unit(expr: pl.Expr, unit: int, coarser: int) -> pl.Expr:
    """Convert integer numbers of a unit to a coarser unit; null where the result is not whole."""
    factor = coarser // unit
    return expr if factor == 1 else pl.when(expr % factor == 0).then(expr // factor)


def common_type(a: DataType, b: DataType) -> DataType | None:
    """Return the type that holds dates and times, or durations, of both types; None if there is none."""
    unit = min(
        (dtype.time_unit for dtype in (a, b) if isinstance(dtype, (pl.Datetime, pl.Duration))),
        default=None,
        key=_NANOSECONDS.__getitem__,
    )
    if isinstance(a, pl.Duration) and isinstance(b, pl.Duration):
        return pl.Duration(unit or "us")
    if not (isinstance(a, (pl.Date, pl.Datetime)) and isinstance(b, (pl.Date, pl.Datetime))):
        return None
    zones = [dtype.time_zone if isinstance(dtype, pl.Datetime) else None for dtype in (a, b)]
    return None if (zones[0] is None) != (zones[1] is None) else pl.Datetime(unit or "us", zones[0])


def cast(expr: pl.Expr, dtype: DataType, target: DataType) -> pl.Expr:
    """Cast values to another type of dates, times or durations.

    Dates and times outside its range raise a TQLError.
    """
    if dtype == target or not (isinstance(target, (pl.Datetime, pl.Duration)) and dtype.is_temporal()):
        return expr if dtype == target else expr.cast(target)

    def checked(values: pl.Series) -> pl.Series:
        found = values.cast(target, strict=False)
        if found.null_count() > values.null_count():
            first = values.filter(found.is_null() & values.is_not_null())[:1].cast(pl.String)[0]
            message = f"{first} does not fit beside values in nanoseconds, which reach from 1677 to 2262"
            raise TQLTypeError(message, hint="cast one of the columns to another unit")
        return found

    return expr.map_batches(checked, return_dtype=target, is_elementwise=True)


def with_constant(operator: str, expr: pl.Expr, unit: int, constant: Fraction) -> pl.Expr:
    """`expr operator constant` for integer numbers of a unit and a number of nanoseconds."""
    below = constant / unit // 1
    exact = below * unit == constant
    if not -(2**63) <= below < 2**63 - 1:  # above or below all values
        holds = operator == "!=" or ((operator in ("<", "<=")) == (below > 0) and operator != "==")
        return _unless_null(expr, holds)
    bound = pl.lit(int(below), dtype=pl.Int64)
    if exact:
        return relate(operator, expr, bound)
    if operator in ("==", "!="):
        return _unless_null(expr, operator == "!=")
    return relate({"<": "<=", ">=": ">"}.get(operator, operator), expr, bound)


def of_texts(words: pl.Series, dtype: DataType) -> pl.Series | None:
    """Return the texts of dates, times or durations that a type holds, in that type; None if one is no such text."""
    unit = nanoseconds_of(dtype)
    physical = pl.Int32() if isinstance(dtype, pl.Date) else pl.Int64()
    stamps = _plain_stamps(words) if isinstance(dtype, (pl.Date, pl.Datetime)) and zone_of(dtype) is None else None
    if stamps is not None:
        given = stamps.to_numpy()
        if unit < _MICROSECOND:
            given = given[np.abs(given) <= (2**63 - 1) // _MICROSECOND] * (_MICROSECOND // unit)
        else:
            given = given[given % (unit // _MICROSECOND) == 0] // (unit // _MICROSECOND)
        return pl.Series(given).cast(physical).cast(dtype)
    try:
        found = [_units(number, unit) for number in _nanoseconds(words.to_list(), dtype)]
    except (ValueError, OverflowError):  # the comparison with that text raises the error
        return None
    whole = [number for number in found if number is not None and fits(number, physical)]
    return pl.Series(whole, dtype=physical).cast(dtype)


def _plain_stamps(words: pl.Series) -> pl.Series | None:
    """Return microseconds since 1970 for dates or times as `isoformat` writes them; None if one differs."""
    if (words.str.len_bytes() == len("2024-05-01")).all():
        words = words + "T00:00:00"
    if not words.str.contains(_PLAIN).all() or words.str.starts_with("0000").any():
        return None
    stamps = words.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    return None if stamps.null_count() else stamps.to_physical()


def _nanoseconds(words: Sequence[str], dtype: DataType) -> Iterator[Fraction]:
    """Yield nanoseconds: of a duration, of a time of day since midnight, or of an ISO time since 1970 (UTC if zoned).

    Raises:
        ValueError: a text is none of them, or has a zone but the column does not.
        OverflowError: a time is outside the years 1 to 9999 in UTC.
    """
    zone = zone_of(dtype)
    place = None if zone is None else ZoneInfo(zone)
    for word in words:
        if isinstance(dtype, pl.Duration):
            span = duration(word)
            if span is None:
                raise ValueError(word)
            yield span
            continue
        coarse, more = _coarse(word)
        if isinstance(dtype, pl.Time):
            stamp = dt.datetime.combine(_EPOCH, dt.time.fromisoformat(coarse))
        else:
            stamp = dt.datetime.fromisoformat(coarse)
            if place is not None:
                stamp = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=place)
                stamp = stamp.astimezone(dt.UTC).replace(tzinfo=None)
        if stamp.tzinfo is not None:
            raise ValueError(word)
        yield Fraction((stamp - _EPOCH) // dt.timedelta(microseconds=1) * _MICROSECOND + more)


def zone_of(dtype: DataType) -> str | None:
    """Return the time zone of a type; None if it has none."""
    return dtype.time_zone if isinstance(dtype, pl.Datetime) else None


def _units(nanoseconds: Fraction, unit: int) -> int | None:
    found, rest = divmod(nanoseconds.numerator, nanoseconds.denominator * unit)
    return None if rest else found


def _coarse(word: str) -> tuple[str, int]:
    """Return a time truncated to microseconds, and the rest in nanoseconds."""
    if "." not in word and "," not in word:
        return word, 0
    fine = NANOSECONDS.search(word)
    if fine is not None:
        return word[: fine.start(1)] + word[fine.end(1) :], int(fine[1].ljust(3, "0"))
    if TOO_FINE.search(word):
        raise ValueError(word)
    return word, 0


def _unless_null(expr: pl.Expr, holds: bool) -> pl.Expr:
    return pl.when(expr.is_not_null()).then(pl.lit(holds))


def duration(text: str) -> Fraction | None:
    """Return nanoseconds of `PT1H30M`, `01:30:00`, `2 days 01:30:00` or `-PT0.5S`; None if a text is no duration."""
    text = text.strip()
    if found := _ISO.fullmatch(text):
        sign, *numbers = found.groups()
        if not any(numbers):
            return None
        weeks, days, hours, minutes, seconds = (Fraction((each or "0").replace(",", ".")) for each in numbers)
        total = ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
    elif found := _CLOCK.fullmatch(text):
        sign, given, hours_, minutes_, seconds_ = found.groups()
        clock = Fraction(int(hours_) * 3600 + int(minutes_) * 60) + Fraction((seconds_ or "0").replace(",", "."))
        if given is None:
            total = clock
        else:  # "-1 day, 23:00:00" is minus one hour: the sign applies to the days only
            total = int(f"{sign}{given}") * 86_400 + clock
            sign = ""
    else:
        return None
    return total * 10**9 * (-1 if sign == "-" else 1)


_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
