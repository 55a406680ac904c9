"""Divide the rows of a frame into groups and units, for the arguments `over` and `unit`, and count draws by group.

`sampling.groups` draws from groups; the request is in `draw`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler import Key, RandomNumbers, compile_key
from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.expressions.types import describe, is_bool, is_fractional, is_text
from tql_frames.compiler.statements import most_rows
from tql_frames.errors import Span, TQLError, TQLNameError, TQLTypeError, WeightError, did_you_mean, reason_of, shown
from tql_frames.frames import Rows
from tql_frames.sampling import Floats, Groups, Integers, Positions, Strata, expected_by_group, stratify
from tql_frames.sampling.designs import inclusion
from tql_frames.sampling.keys import KeyNumbers, Texts
from tql_frames.sampling.strata import rows_in

Quotas = tuple[tuple[Any, int], ...]
"""Groups, each a value or a tuple of values, and the rows wanted from each."""

_MOST_SHOWN = 3  # groups in a message
_MOST_COMPARED = 5_000  # groups among which the nearest name is searched
_PART = 1_048_576  # keys that are processed together, since Polars cannot hold more than four gigabytes of their text
_NAN = " is NaN"  # suffix of the name of a column
_NUMBER = "group"  # an internal column


class GroupRequest(Protocol):
    """The request for each group, as in `DrawSpec`."""

    @property
    def limit(self) -> int | None:
        """Rows to draw from each group."""

    @property
    def fraction(self) -> Fraction | None:
        """Rows to draw as a share of the rows of each group, rounded down; without a limit or share, all its rows."""

    @property
    def quotas(self) -> Quotas | None:
        """Rows to draw from groups by name; none from other groups."""

    @property
    def replace(self) -> bool:
        """Whether to draw with replacement."""


@dataclass(frozen=True)
class GroupKeys:
    """Keys of groups or units.

    Attributes:
        argument: name of the argument in messages, such as `"over"` or `"unit"`.
        keys: rows with equal values of all keys are a group or unit.
    """

    argument: str
    keys: tuple[Key, ...]

    @classmethod
    def of(cls, argument: str, texts: Sequence[str], rows: Rows, random: RandomNumbers) -> GroupKeys | None:
        """Compile the texts for rows of one schema; None if there are none.

        Raises:
            TQLError: a text does not fit the rows.
        """
        if not texts:
            return None
        return cls(argument, tuple(compile_key(text, rows.schema, random, argument) for text in texts))

    @property
    def names(self) -> set[str]:
        """Names of the columns that the keys use."""
        return {name for key in self.keys for name in key.expr.meta.root_names()}

    def as_text(self) -> GroupKeys:
        """Return the keys with text for categories, whose numbers are valid in one frame only."""
        keys = [
            replace(key, expr=key.expr.cast(pl.String), dtype=pl.String())
            if key.dtype in (pl.Categorical, pl.Enum)
            else key
            for key in self.keys
        ]
        return GroupKeys(self.argument, tuple(keys))

    def number(self, rows: Rows) -> NumberedGroups:
        """Return the groups of the rows, in the order of first appearance; null is a value, too.

        Raises:
            TQLError: the keys cannot be evaluated.
        """
        with self._evaluating():
            groups, values = numbered(rows.evaluate_batches(self._exprs))
        return NumberedGroups(self, values, groups)

    def values(self, rows: Rows) -> pl.DataFrame:
        """Return the values of the keys: one column per key, one row per row of the frame.

        Raises:
            TQLError: the keys cannot be evaluated.
        """
        with self._evaluating():
            parts = list(rows.evaluate_batches(self._exprs))
        return pl.concat(parts) if len(parts) > 1 else parts[0]

    @property
    def _exprs(self) -> dict[str, pl.Expr]:
        return {str(place): key.expr for place, key in enumerate(self.keys)}

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Convert errors of Polars to errors that point at the keys."""
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
            key = self.keys[0]
            message = f"{self.argument} cannot be evaluated on these rows: {reason_of(fault)}"
            raise TQLError(message, source=key.source, span=key.span) from None

    def of_values(self, prefix: str = "") -> GroupKeys:
        """Return the keys for frames of their values, as in `NumberedGroups`, with `prefix` before column names."""
        keys = [replace(key, expr=column(f"{prefix}{place}")) for place, key in enumerate(self.keys)]
        return GroupKeys(self.argument, tuple(keys))

    def random_numbers(self, rows: Rows, seed: int) -> KeyNumbers:
        """Return the random numbers of rows, derived from the values of the keys, which must be unique.

        Raises:
            TQLError: two rows have the same key, or it is not a whole number, text, date or Boolean.
        """
        for key in self.keys:
            check_key_type(self.argument, key.dtype, source=key.source, span=key.span)
        found = self.values(rows)
        repeated = found.is_duplicated()
        if repeated.any():
            name = ", ".join(shown(value) for value in found.row(int(repeated.arg_max() or 0)))
            key = self.keys[0]
            message = f"{int(repeated.sum()):,} rows have a key that another row has, such as {name}"
            texts = [each.text for each in self.keys]
            unit = repr(texts[0] if len(texts) == 1 else texts)
            hint = f"pass unit={unit} as well to draw such rows together, or a key of more columns"
            raise TQLError(message, source=key.source, span=key.span, hint=hint)
        return numbers_of(found, seed)


def check_key_type(
    what: str, dtype: pl.DataType, *, where: str = "", source: str | None = None, span: Span | None = None
) -> None:
    """Check that random numbers can be derived from values of a type.

    Args:
        what: the argument, for the message.
        dtype: type of the values.
        where: text after the type in the message, such as the column.
        source: the text that the error shows, or None.
        span: the part of that text that is wrong.

    Raises:
        TQLTypeError: the type is not supported.
    """
    if dtype.is_integer() or is_text(dtype) or dtype.is_temporal() or is_bool(dtype):
        return
    got, hint = describe(dtype), None
    if is_fractional(dtype):
        got, hint = "a number that may have a fraction", "round or format it as a column first"
    message = f"expected whole numbers, text or dates for {what}, got {got}{where}"
    raise TQLTypeError(message, source=source, span=span, hint=hint)


def numbers_of(keys: pl.DataFrame, seed: int) -> KeyNumbers:
    """Return the random numbers of keys, one per row."""
    return KeyNumbers.of([part for each in keys.iter_columns() for part in _words(each)], seed)


def _words(values: pl.Series) -> list[Texts | Integers | NDArray[np.uint64]]:
    """Return a key as numbers or texts to hash, followed by flags for nulls."""
    nulls = values.is_null().to_numpy().astype(np.int64)
    if values.dtype.is_integer() or values.dtype == pl.Boolean:
        wide = values.cast(pl.Int8) if values.dtype == pl.Boolean else values
        if str(wide.dtype).endswith("128"):
            modulus = pl.lit(2**64, wide.dtype)
            low = wide.to_frame("key").select((column("key") % modulus + modulus) % modulus).to_series().cast(pl.UInt64)
        else:
            low = wide if wide.dtype == pl.UInt64 else wide.cast(pl.Int64)
        return [low.fill_null(0).to_numpy(), nulls]
    text = _time_as_text(values) if values.dtype.is_temporal() else values.cast(pl.String)
    lengths = np.cumsum(text.fill_null("").str.len_bytes().to_numpy(), dtype=np.int64)
    parts = (text.slice(start, _PART).fill_null("").str.join("") for start in range(0, len(text), _PART))
    content = b"".join(str(part.item()).encode() for part in parts)
    return [Texts(np.append(0, lengths), np.frombuffer(content, np.uint8)), nulls]


def _time_as_text(values: pl.Series) -> pl.Series:
    """Return dates and times as text, which is the same for equal values of different units or types.

    Examples:
        >>> times = pl.Series(["2024-05-01 00:00", "2024-05-01 13:30"]).str.to_datetime()
        >>> _time_as_text(times).to_list(), _time_as_text(times.dt.date()).to_list()
        (['2024-05-01', '2024-05-01 13:30:00'], ['2024-05-01', '2024-05-01'])
        >>> _time_as_text(times.dt.cast_time_unit("ns").dt.replace_time_zone("Asia/Tokyo")).to_list()
        ['2024-04-30 15:00:00Z', '2024-05-01 04:30:00Z']
    """
    dtype = values.dtype
    if not isinstance(dtype, pl.Datetime):
        return values.dt.to_string("iso")
    plain = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else values
    text = plain.dt.to_string("iso").str.replace(r"\.?0*$", "")
    return text + "Z" if dtype.time_zone else text.str.replace(r" 00:00:00$", "")


def numbered(parts: Iterable[pl.DataFrame]) -> tuple[Groups, pl.DataFrame]:
    """Return the groups of rows with equal values, in the order of first appearance, and one row of values per group.

    Args:
        parts: values of the rows, with the same columns and types in each part.

    Examples:
        >>> parts = [pl.DataFrame({"view": ["PA", None, "PA"]}), pl.DataFrame({"view": ["AP", None]})]
        >>> groups, values = numbered(parts)
        >>> groups.codes.tolist(), values["view"].to_list()
        ([0, 1, 0, 2, 1], ['PA', None, 'AP'])
    """
    known = pl.DataFrame()
    codes = []
    names: list[str] = []
    for part in parts:
        names = part.columns
        keys = part.with_columns(_without_nan(part))
        new = keys.unique(maintain_order=True)
        if known.height:
            new = new.join(known, on=keys.columns, how="anti", nulls_equal=True, maintain_order="left")
        first = known.height
        new = new.with_columns(pl.int_range(first, first + new.height, dtype=pl.UInt32).alias(_NUMBER))
        known = pl.concat([known, new], rechunk=True) if known.width else new
        # By slices, since a join copies its keys; by longer slices if there are many groups, which each slice joins.
        for rows in keys.iter_slices(max(_PART, 2 * known.height)):
            found = rows.join(known, on=keys.columns, how="left", nulls_equal=True, maintain_order="left")
            codes.append(found[_NUMBER].to_numpy())
    numbers = codes[0] if len(codes) == 1 else np.concatenate([np.empty(0, np.uint32), *codes])
    return Groups(numbers, known.height), known.select(_with_nan(name, known) for name in names)


def _without_nan(part: pl.DataFrame) -> list[pl.Expr]:
    """Return expressions that convert NaN to a null and a flag, since joins of a single row do not match NaN."""
    floats = [name for name, dtype in part.schema.items() if dtype.is_float()]
    flags = [column(name).is_nan().fill_null(False).alias(f"{name}{_NAN}") for name in floats]
    return [*[column(name).fill_nan(None) for name in floats], *flags]


def _with_nan(name: str, known: pl.DataFrame) -> pl.Expr:
    """Return the inverse of `_without_nan` for a column."""
    flag = f"{name}{_NAN}"
    if flag not in known.columns:
        return column(name)
    return pl.when(column(flag)).then(math.nan).otherwise(column(name)).alias(name)


@dataclass(frozen=True)
class NamedGroups:
    """Groups with the key values of their rows.

    Attributes:
        keys: the keys of the groups.
        values: one row per group, in their order: the values of the keys.
    """

    keys: GroupKeys
    values: pl.DataFrame

    def sizes(self, rows: Integers, drawable: Integers, request: GroupRequest) -> Integers:
        """Return the draws from each group, shape (groups,); without replacement at most its drawable rows or units.

        Args:
            rows: shape (groups,), number of rows or units of each group.
            drawable: shape (groups,), number of rows or units of positive weight.
            request: the request.

        Raises:
            TQLError: a name is not a group, or the sample does not fit into memory.
            WeightError: with replacement, a group that is drawn from has no positive weight.
        """
        if request.quotas is not None:
            sizes = self.quotas(request.quotas)
        elif request.limit is not None:
            sizes = np.full(len(rows), request.limit, np.int64)
        elif request.fraction is None:
            sizes = rows
        else:
            distinct, places = np.unique(rows, return_inverse=True)
            sizes = np.array([int(count * request.fraction) for count in distinct.tolist()], np.int64)[places]
        if not request.replace:
            sizes = np.minimum(sizes, drawable)
        elif (empty := np.flatnonzero((sizes > 0) & (drawable == 0))).size:
            raise self.no_row(empty)
        total = sum(sizes.tolist())  # which may be beyond 64 bits
        if total > most_rows():
            raise TQLError(f"a sample of {total:,} rows does not fit into memory")
        return sizes

    def name(self, number: int) -> str:
        """Return the name of a group in messages."""
        values = ", ".join(shown(value) for value in self.values.row(number))
        return f"({values})" if self.values.width > 1 else values

    def quotas(self, quotas: Quotas, argument: str = "limit") -> Integers:
        """Return the draws from each group, shape (groups,), from quotas by name; none from other groups.

        Args:
            quotas: draws by the name of a group.
            argument: name of the caller's argument, for messages.

        Raises:
            TQLError: a name is not a group.
        """
        sizes = np.zeros(self.values.height, np.int64)
        sizes[self.numbers([name for name, _ in quotas], argument)] = [size for _, size in quotas]
        return sizes

    def numbers(self, wanted_names: Sequence[object], argument: str = "limit") -> list[int]:
        """Return the numbers of groups by name.

        Args:
            wanted_names: for each group a value, or a tuple of values if there are several keys.
            argument: name of the caller's argument, for messages.

        Raises:
            TQLError: a name is not a group, or two names are the same group.
        """
        names = list(map(tuple, self.values.rows()))
        places = {_plain(name): number for number, name in enumerate(names)}
        texts: dict[tuple[str, ...], list[int]] = {}
        for number, name in enumerate(names):
            texts.setdefault(_as_text(name), []).append(number)
        taken: dict[int, Any] = {}
        for given in wanted_names:
            wanted: tuple[Any, ...] = given if isinstance(given, tuple) else (given,)
            found = places.get(_plain(wanted))
            if found is None and len(same := texts.get(_as_text(wanted), [])) == 1:
                found = same[0]  # a date written as text, a number of another type
            if found is None:
                raise self._unknown(given, names, argument)
            if found in taken:
                raise TQLError(f"{argument} names the group {shown(given)} twice, also as {shown(taken[found])}")
            taken[found] = given
        return list(taken)

    def _unknown(self, name: object, names: Sequence[tuple[object, ...]], argument: str) -> TQLError:
        width = self.values.width
        if isinstance(name, tuple) != (width > 1) or (isinstance(name, tuple) and len(name) != width):
            wanted = f"a tuple of {width} values" if width > 1 else "one value"
            return TQLError(f"{argument}: expected {wanted} to name a group, got {shown(name)}")
        known = [self.name(number) for number in range(min(len(names), _MOST_COMPARED))]
        text = shown(name) if not isinstance(name, tuple) else f"({', '.join(map(shown, name))})"
        bare = not isinstance(name, tuple)  # the hint quotes it
        hint = did_you_mean(str(name), [str(each) for (each,) in names[: len(known)]]) if bare else None
        if hint is None and len(known) <= 2 * _MOST_SHOWN:
            hint = f"the groups are {', '.join(known)}" if known else "there are no rows"
        return TQLNameError(f"{argument} names {text}, which is not a group of over=", hint=hint)

    def no_row(self, numbers: Integers) -> WeightError:
        """Return the error for groups to draw from that have no row of positive weight."""
        names = ", ".join(self.name(number) for number in numbers[:_MOST_SHOWN].tolist())
        more = f" and {numbers.size - _MOST_SHOWN:,} more" if numbers.size > _MOST_SHOWN else ""
        which = "group" if numbers.size == 1 else "groups"
        key = self.keys.keys[0]
        return WeightError(
            f"no row can be drawn from the {which} {names}{more}: all weights there are 0",
            source=key.source,
            span=key.span,
            hint="add a default arm, such as True: 1; or draw with replace=False, which takes what there is",
        )


@dataclass(frozen=True)
class NumberedGroups(NamedGroups):
    """The groups of some rows.

    Attributes:
        groups: the group of each row.
    """

    groups: Groups


@dataclass(frozen=True)
class Grouped:
    """A population in groups, in units, or in both.

    Attributes:
        population: weights of the rows, or of the units if units are drawn.
        groups: groups of the rows or units; None for one group.
        over: the groups of the rows; None for one group.
        units: the units of the rows; None if rows are drawn.
    """

    population: Strata | Floats
    groups: Groups | None
    over: NumberedGroups | None
    units: NumberedGroups | None

    @classmethod
    def of(cls, population: Strata | Floats, rows: Rows, over: GroupKeys | None, unit: GroupKeys | None) -> Grouped:
        """Return the groups and units of weighed rows.

        Raises:
            TQLError: a unit has rows in several groups; or as `GroupKeys.number`.
        """
        grouped = None if over is None else over.number(rows)
        groups = None if grouped is None else grouped.groups
        if unit is None:
            return cls(population, groups, grouped, None)
        units = unit.number(rows)
        heaviest = units.groups.heaviest(population)
        if grouped is not None:
            firsts = units.groups.firsts
            of_units = grouped.groups.codes.take(firsts)
            apart = grouped.groups.codes != of_units.take(units.groups.codes)
            if apart.any():
                raise _in_several(units, grouped, int(apart.argmax()))
            groups = Groups(of_units, grouped.groups.count)
        return cls(stratify(heaviest) or heaviest, groups, grouped, units)

    @property
    def count(self) -> int:
        """Number of rows or units in the population."""
        if self.units is not None:
            return self.units.groups.count
        return rows_in(self.population)

    def sizes(self, request: GroupRequest) -> Integers:
        """Return the draws from each group, as `NamedGroups.sizes`."""
        assert self.groups is not None and self.over is not None
        return self.over.sizes(self.groups.rows, self.groups.drawable(self.population), request)

    def expected(self, sizes: Integers, design: str, *, replace: bool) -> tuple[Floats, Floats]:
        """Return the expected draws of each row of the frame, and the probability that it is drawn.

        Args:
            sizes: draws from each group.
            design: the design of the draws.
            replace: whether to draw with replacement.
        """
        groups = self.groups or Groups.one(self.count)
        if replace or design == "successive":
            found = expected_by_group(self.population, groups, sizes, replace=replace)
            if design == "systematic":  # a row is drawn floor or ceil of its expected draws
                found = found[0], np.minimum(found[0], 1.0)
        else:
            chances = inclusion(self.population, groups, sizes)
            found = chances, chances
        if self.units is None:
            return found
        codes = self.units.groups.codes
        return found[0].take(codes), found[1].take(codes)

    def rows_of(self, drawn: Positions) -> Positions:
        """Return the positions of the drawn rows, or of the rows of the drawn units, within a unit in table order."""
        return drawn if self.units is None else self.units.groups.members(drawn)


def _in_several(units: NumberedGroups, over: NumberedGroups, row: int) -> TQLError:
    unit = int(units.groups.codes[row])
    first = int(over.groups.codes[units.groups.firsts[unit]])
    names = f"{over.name(first)} and {over.name(int(over.groups.codes[row]))}"
    key = units.keys.keys[0]
    return TQLError(
        f"the unit {units.name(unit)} lies in several groups of over, {names}",
        source=key.source,
        span=key.span,
        hint="name a coarser group, or a finer unit: a unit is drawn whole, within one group",
    )


def _plain(name: tuple[object, ...]) -> tuple[object, ...]:
    """Return values that are equal if they name the same group: True is not 1."""
    return tuple((isinstance(value, bool), "NaN" if _is_nan(value) else value) for value in name)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _as_text(name: tuple[object, ...]) -> tuple[str, ...]:
    return tuple("\0null" if value is None else str(value) for value in name)
