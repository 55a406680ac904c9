"""Draw from a population whose parts are in different processes: what each part reports and what it receives.

`distributed` communicates with the parts. The parts follow one another in table order, and the rows drawn are those
that `draw` takes from all parts as one population. A part with few distinct weights reports its strata table, and any
other part reports the spread of its weights. These reports decide what is drawn from each part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tql_frames.sampling.groups import Groups, Pairs, Steps, first_of_groups
from tql_frames.sampling.rng import BLOCK, Floats, Integers, Positions, Streams
from tql_frames.sampling.strata import Strata, StrataTable, position_type, weights_of
from tql_frames.sampling.with_replacement import STREAM, scale_of_total, times_power_of_two, whole
from tql_frames.sampling.without_replacement import Race, finishers_by, log_time

_STEPS = 8  # steps of a spread per power of two
_HALF = 27  # low bits of a mantissa of 53 bits
_SIGMAS = 8.0  # standard deviations by which a race is prolonged: it is then too short once in 10**15 draws
_GROUP_SIGMAS = 10.0  # the same for a race of groups, since none of a million groups may have too few finishers


@dataclass(frozen=True)
class Spread:
    """Summary of positive weights that is needed to plan a draw by rows.

    Attributes:
        rows: number of rows of positive weight.
        total: exact sum of the weights.
        least: smallest weight; infinite if there are no rows.
        most: greatest weight; 0 if there are no rows.
        steps: shape (s,), ascending: the eighths of powers of two that contain weights. Step `8 * e + i` begins at
            `(8 + i) / 16 * 2**e`.
        counts: shape (s,), rows in each step.

    Spreads of parts add up to the spread of the whole:

    >>> spread = Spread.of(np.array([0.0, 1.0])) + Spread.of(np.array([0.1]))
    >>> spread.rows, spread.total == Fraction(0.1) + 1, spread.least, spread.most
    (2, True, 0.1, 1.0)
    """

    rows: int
    total: Fraction
    least: float
    most: float
    steps: Integers
    counts: Integers

    @classmethod
    def of(cls, weights: Floats) -> Spread:
        """Return the spread of weights, shape (n,): finite, >= 0."""
        parts = [cls._of_block(weights[first : first + BLOCK]) for first in range(0, len(weights), BLOCK)]
        return cls.sum(parts)

    @classmethod
    def of_table(cls, table: StrataTable) -> Spread:
        """Return the spread of the rows of a strata table."""
        there = table.weights > 0
        weights, counts = table.weights[there], table.counts[there]
        if not len(weights):
            return cls.sum([])
        mantissas, exponents = np.frexp(weights)
        steps, places = np.unique(_steps(mantissas, exponents), return_inverse=True)
        found = np.zeros(len(steps), np.int64)
        np.add.at(found, places, counts)
        pairs = zip(weights.tolist(), counts.tolist(), strict=True)
        total = sum((Fraction(weight) * count for weight, count in pairs), Fraction(0))
        return cls(int(counts.sum()), total, float(weights[0]), float(weights[-1]), steps, found)

    @classmethod
    def _of_block(cls, weights: Floats) -> Spread:
        weights = weights[weights > 0]
        if not len(weights):
            return cls.sum([])
        mantissas, exponents = np.frexp(weights)
        # Sums of 26 and 27 bits, over the rows of a block, are exact in floats.
        bits = np.ldexp(mantissas, 53).astype(np.int64)
        lowest = int(exponents.min())
        above = exponents - lowest
        high = np.bincount(above, weights=bits >> _HALF)
        low = np.bincount(above, weights=bits & (2**_HALF - 1))
        total = sum(
            ((int(high[e]) << _HALF) + int(low[e])) << e for e in np.flatnonzero(high).tolist()
        ) * Fraction(2) ** (lowest - 53)  # fmt: skip
        steps = _steps(mantissas, exponents)
        first = int(steps.min())
        counts = np.bincount(steps - first)
        seen = np.flatnonzero(counts)
        return cls(len(weights), total, float(weights.min()), float(weights.max()), seen + first, counts[seen])

    @classmethod
    def sum(cls, parts: Sequence[Spread]) -> Spread:
        """Return the spread of all parts."""
        steps, places = np.unique(
            np.concatenate([np.empty(0, np.int64), *(part.steps for part in parts)]), return_inverse=True
        )
        counts = np.zeros(len(steps), np.int64)
        np.add.at(counts, places, np.concatenate([np.empty(0, np.int64), *(part.counts for part in parts)]))
        return cls(
            sum(part.rows for part in parts),
            sum((part.total for part in parts), Fraction(0)),
            min((part.least for part in parts), default=math.inf),
            max((part.most for part in parts), default=0.0),
            steps,
            counts,
        )

    def __add__(self, other: Spread) -> Spread:
        return Spread.sum([self, other])

    @property
    def scale(self) -> int:
        """Exponent of two that scales the weights of all parts to integers, as in `integer_weights`."""
        largest = math.frexp(self.most)[1]
        return scale_of_total(float(self.total * Fraction(2) ** -largest), largest)

    @property
    def race(self) -> Race:
        """Race of the rows of all parts."""
        return Race.of(self.least, self.most)

    def limit_of(self, size: int) -> float:
        """Return a time by which at least `size` rows of all parts have very likely finished, or its logarithm.

        About a tenth more rows finish, as all weights of a step are taken as the smallest.
        """
        race, wanted = self.race, size + _SIGMAS * math.sqrt(size) + _SIGMAS**2
        if wanted >= self.rows:
            return math.inf
        exponents, parts = np.divmod(self.steps, _STEPS)
        weights = np.ldexp((_STEPS + parts) / (2 * _STEPS), exponents)
        if race.narrow:
            return math.exp(log_time(times_power_of_two(weights, race.exponent), self.counts, wanted))
        return log_time(weights, self.counts, wanted)


def _steps(mantissas: Floats, exponents: Integers) -> Integers:
    """Return the steps of weights, from the results of `frexp`."""
    steps: Integers = _STEPS * exponents.astype(np.int64) + (mantissas * (2 * _STEPS)).astype(np.int64) - _STEPS
    return steps


# -- few distinct weights ---------------------------------------------------------------------------------------------


def together(tables: Sequence[StrataTable]) -> tuple[StrataTable, Integers]:
    """Return the strata table of all parts, and the rows of each stratum in each part, shape (m, parts)."""
    weights, places = np.unique(
        np.concatenate([np.empty(0), *(table.weights for table in tables)]), return_inverse=True
    )  # fmt: skip
    parts = np.repeat(np.arange(len(tables)), [len(table.weights) for table in tables])
    cells = np.zeros((len(weights), len(tables)), np.int64)
    if tables:
        cells[places, parts] = np.concatenate([table.counts for table in tables])
    return StrataTable(weights, cells.sum(axis=1)), cells


def slots_of_parts(slots: Positions, cells: Integers) -> Iterator[Positions]:
    """Yield the slots drawn from each part, as numbered within the part, ascending.

    Args:
        slots: slots drawn from all parts, ascending.
        cells: as returned by `together`.
    """
    starts = (np.cumsum(cells) - cells.ravel()).reshape(cells.shape)
    own = np.cumsum(cells, axis=0) - cells  # the first slot of each stratum, as numbered within the part
    # Converted to the type of the slots: NumPy would else convert all slots for each search and difference.
    bounds = slots.searchsorted(np.append(starts.ravel(), cells.sum()).astype(slots.dtype))
    shifts = (starts - own).astype(slots.dtype)
    first, stop = bounds[:-1].reshape(cells.shape), bounds[1:].reshape(cells.shape)
    for part, rows in enumerate(cells.sum(axis=0).tolist()):
        ranges = zip(first[:, part].tolist(), stop[:, part].tolist(), shifts[:, part], strict=True)
        drawn = [slots[start:end] - shift for start, end, shift in ranges if start < end]
        dtype = position_type(rows)
        yield np.concatenate(drawn).astype(dtype, copy=False) if drawn else np.empty(0, dtype)


# -- many distinct weights, with replacement -------------------------------------------------------------------------


def integer_total(weights: Floats, scale: int) -> int:
    """Return the sum of the integer weights of a part, by the scale of all parts."""
    return sum(int(whole(weights[first : first + BLOCK], scale).sum()) for first in range(0, len(weights), BLOCK))


def points_of_parts(totals: Sequence[int], size: int, streams: Streams) -> list[Floats]:
    """Draw points of the line of all parts with replacement, and return the points of each part, ascending.

    Args:
        totals: integer total of each part.
        size: number of draws.
        streams: random numbers of the seed.
    """
    ends = np.cumsum(np.array(totals, np.int64))
    points = streams.uniforms(STREAM, size)
    points *= float(ends[-1])
    points.sort()
    bounds = points.searchsorted(ends.astype(np.float64))  # a point on a bound belongs to the next owner
    return np.split(points, bounds[:-1])


def rows_at_points(weights: Floats, scale: int, before: int, points: Floats) -> Positions:
    """Return the rows of a part that own points of the line of all parts, ascending, shape (k,).

    Args:
        weights: shape (n,), weights of the part.
        scale: scale of all parts.
        before: integer total of the parts before this one.
        points: shape (k,), ascending, all in this part.
    """
    bounds = np.cumsum(whole(weights, scale))
    bounds += before
    rows: Positions = bounds.astype(np.float64).searchsorted(points, side="right").astype(position_type(len(weights)))
    return rows


# -- many distinct weights, without replacement ----------------------------------------------------------------------


def winners_of_parts(found: Sequence[tuple[Positions, Floats]], size: int) -> list[Positions] | None:
    """Return the rows of each part that are among the first `size` of all parts; None if fewer finished.

    Args:
        found: for each part, the rows that finished by a common time limit, ascending, and their times.
        size: number of rows that win.
    """
    lengths = [len(times) for _, times in found]
    if sum(lengths) < size:
        return None
    times = np.concatenate([np.empty(0), *(times for _, times in found)])
    won = np.zeros(len(times), np.bool_)
    won[np.argpartition(times, size - 1)[:size] if 0 < size < len(times) else slice(size)] = True
    parts = np.split(won, np.cumsum(lengths)[:-1])
    return [rows[wins] for (rows, _), wins in zip(found, parts, strict=True)]


# -- rows of every group ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PairCells:
    """The rows of pairs of a group and a weight by part: a cell contains the rows of one pair in one part.

    Attributes:
        pairs: pairs of all parts.
        starts: shape (cells,), the first slot of each cell as numbered in all parts; cells are sorted by part.
        own: shape (cells,), the first slot of each cell as numbered within its part.
        counts: shape (cells,), rows of each cell.
        parts: shape (parts,), number of cells of each part.

    Examples:
        Rows 0 and 1 of the first part and row 0 of the second are in one group.

        >>> first = Pairs(np.array([0, 1]), np.array([2.0, 3.0]), np.array([2, 1]))
        >>> second = Pairs(np.array([0]), np.array([2.0]), np.array([1]))
        >>> cells = PairCells.of([first, second], [np.array([0, 1]), np.array([0])])
        >>> cells.pairs.counts.tolist(), [each.tolist() for each in cells.slots_of_parts(np.array([3, 2, 0, 2]))]
        ([3, 1], [[0, 2], [0, 0]])
    """

    pairs: Pairs
    starts: Integers
    own: Integers
    counts: Integers
    parts: Integers

    @classmethod
    def of(cls, tables: Sequence[Pairs], numbers: Sequence[Integers]) -> PairCells:
        """Combine the pairs of parts.

        Args:
            tables: pairs of each part, with groups as numbered within the part.
            numbers: for each part, the number of each of its groups among the groups of all parts.
        """
        none = np.empty(0, np.int64)
        parts = np.array([len(table.counts) for table in tables], np.int64)
        group = np.concatenate(
            [none, *(numbers_of.take(table.groups) for table, numbers_of in zip(tables, numbers, strict=True))]
        )
        counts = np.concatenate([none, *(table.counts for table in tables)])
        own = np.concatenate([none, *(np.cumsum(table.counts) - table.counts for table in tables)])
        weights, keys = np.unique(
            np.concatenate([np.empty(0), *(table.weights for table in tables)]), return_inverse=True
        )  # fmt: skip
        keys = keys + group.astype(np.int64) * len(weights)
        order = np.argsort(keys, kind="stable")  # part by part within each pair
        keys = keys.take(order)
        firsts = np.flatnonzero(np.diff(keys, prepend=-1))
        rows = counts.take(order)
        starts = np.empty(len(order), np.int64)
        starts[order] = np.cumsum(rows) - rows
        groups, codes = np.divmod(keys[firsts], max(len(weights), 1))
        found = np.add.reduceat(rows, firsts) if len(firsts) else none
        return cls(Pairs(groups, weights.take(codes), found), starts, own, counts, parts)

    def slots_of_parts(self, slots: Positions) -> list[Positions]:
        """Return the slots drawn from each part, as numbered within the part, ascending.

        Args:
            slots: slots drawn from all parts, in any order; they are sorted in place.
        """
        slots.sort()
        # Converted to the type of the slots: NumPy would else convert all slots for each search.
        first = slots.searchsorted(self.starts.astype(slots.dtype))
        drawn = slots.searchsorted((self.starts + self.counts).astype(slots.dtype)) - first
        ends = np.cumsum(drawn)
        moved = slots.take(np.repeat(first - (ends - drawn), drawn) + np.arange(len(slots))).astype(np.int64)
        moved -= np.repeat(self.starts - self.own, drawn)
        cells = np.cumsum(self.parts)
        rows = np.diff(np.append(0, np.cumsum(self.counts))[cells], prepend=0).tolist()
        each = np.split(moved, np.append(0, ends)[cells])[:-1]
        return [part.astype(position_type(count)) for part, count in zip(each, rows, strict=True)]


def limits_of_groups(steps: Steps, sizes: Integers) -> Floats:
    """Return for each group a time by which at least `sizes` of its rows have very likely finished, or its logarithm.

    In 10**12 samples of a million groups, about one limit is too short.

    Args:
        steps: steps of the rows of all parts.
        sizes: shape (groups,), rows to draw.
    """
    return steps.limits(sizes, sizes + _GROUP_SIGMAS * np.sqrt(sizes) + 64)


@dataclass(frozen=True, eq=False)
class GroupRace:
    """A race of the rows of groups in one part.

    Attributes:
        race: race of the rows of all parts.
        limits: shape (groups of the part,), times, as returned by `limits_of_groups`.
        sizes: shape (groups of the part,), rows wanted from each group in all parts together.
    """

    race: Race
    limits: Floats
    sizes: Integers


def finishers_of_groups(
    population: Strata | Floats, groups: Groups, how: GroupRace, streams: Streams, *, start: int
) -> tuple[Positions, Floats, Integers]:
    """Return the rows of a part that may be among the first of their groups.

    Args:
        population: weights of the part.
        groups: groups of its rows, as numbered within the part.
        how: the race.
        streams: random numbers of the seed.
        start: position of the first row among the rows of all parts.

    Returns:
        Row positions in table order, their times, and their groups, each of shape (k,).
    """
    rows, times = finishers_by(
        len(groups.codes),
        lambda first, stop: weights_of(population, first, stop),
        how.race,
        lambda first, stop: how.limits.take(groups.codes[first:stop]),
        streams,
        start=start,
    )
    codes = groups.codes.take(rows)
    first = np.sort(first_of_groups(codes, times, how.sizes))
    return rows[first], times[first], codes[first].astype(np.int64)


def winners_of_groups(found: Sequence[tuple[Positions, Floats, Integers]], sizes: Integers) -> list[Positions] | None:
    """Return the rows of each part that are among the first of their groups; None if too few rows of a group finished.

    Args:
        found: for each part, the result of `finishers_of_groups`, with groups as numbered in all parts.
        sizes: shape (groups,), number of rows of each group that win.
    """
    times = np.concatenate([np.empty(0), *(times for _, times, _ in found)])
    groups = np.concatenate([np.empty(0, np.int64), *(groups for _, _, groups in found)])
    if (np.bincount(groups, minlength=len(sizes)) < sizes).any():
        return None
    won = np.zeros(len(times), np.bool_)
    won[first_of_groups(groups, times, sizes)] = True
    parts = np.split(won, np.cumsum([len(times) for _, times, _ in found], dtype=np.int64))[:-1]
    return [rows[wins] for (rows, _, _), wins in zip(found, parts, strict=True)]
