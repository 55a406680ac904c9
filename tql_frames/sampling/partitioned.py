"""A draw from a population in parts that are never in one place: what each part tells, and what it is told.

Parts stand one after another; the rows are those that `draw` takes from all of them as one. A part with few distinct
weights tells its strata table, any other the spread of its weights. What is drawn from which part is decided by these;
who asks the parts, and how, is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tql_frames.sampling.rng import BLOCK, Floats, Integers, Positions, Streams
from tql_frames.sampling.strata import StrataTable, position_type
from tql_frames.sampling.with_replacement import STREAM, scale_of_total, times_power_of_two, whole
from tql_frames.sampling.without_replacement import Race, log_time

_STEPS = 8  # of a spread in a power of two
_HALF = 27  # low bits of a mantissa of 53
_SIGMAS = 8.0  # by which a race is let run on: it is too short once in 10**15


@dataclass(frozen=True)
class Spread:
    """What a draw by rows needs to know of positive weights before it looks at them one by one.

    Attributes:
        rows: how many there are.
        total: their sum, exactly.
        least: the smallest; infinite where there are none.
        most: the greatest; 0 where there are none.
        steps: shape (s,), ascending: the eighths of powers of two that weights lie in. Step `8 * e + i` begins at
            `(8 + i) / 16 * 2**e`.
        counts: shape (s,), how many lie in each.

    Spreads of parts add up:

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
        """The exponent of two that scales the weights of all parts to integers, as `integer_weights` does."""
        largest = math.frexp(self.most)[1]
        return scale_of_total(float(self.total * Fraction(2) ** -largest), largest)

    @property
    def race(self) -> Race:
        """The race of the rows of all parts."""
        return Race.of(self.least, self.most)

    def limit_of(self, size: int) -> float:
        """Return a time by which `size` rows of all parts, and hardly more, have finished, or its logarithm.

        A tenth more, as all weights of a step are taken for the smallest.
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
    """Return the steps of weights, from what `frexp` gives."""
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


def slots_of_parts(slots: Positions, cells: Integers) -> list[Positions]:
    """Return the slots that were drawn from each part, as it numbers them itself, ascending.

    Args:
        slots: of all parts, in any order; they are sorted in place.
        cells: as `together` gives them.
    """
    slots.sort()
    starts = (np.cumsum(cells) - cells.ravel()).reshape(cells.shape)
    own = np.cumsum(cells, axis=0) - cells  # the first slot of each stratum, as the part numbers them
    # Of the type of the slots: else all of these would be converted for each search.
    bounds = slots.searchsorted(np.append(starts.ravel(), cells.sum()).astype(slots.dtype))
    first, stop = bounds[:-1].reshape(cells.shape), bounds[1:].reshape(cells.shape)
    found = []
    for part, rows in enumerate(cells.sum(axis=0).tolist()):
        drawn = [np.empty(0, position_type(rows))]
        for stratum in np.flatnonzero(first[:, part] < stop[:, part]).tolist():
            at = stratum, part
            drawn.append((slots[first[at] : stop[at]] - starts[at] + own[at]).astype(position_type(rows)))
        found.append(np.concatenate(drawn))
    return found


# -- many distinct weights, with replacement -------------------------------------------------------------------------


def integer_total(weights: Floats, scale: int) -> int:
    """Return the sum of the weights of a part as integers, by the scale of all parts."""
    return sum(int(whole(weights[first : first + BLOCK], scale).sum()) for first in range(0, len(weights), BLOCK))


def points_of_parts(totals: Sequence[int], size: int, streams: Streams) -> list[Floats]:
    """Return the points of the line that were drawn from each part, ascending, of so many with replacement.

    Args:
        totals: the integer total of each part.
        size: number of draws.
        streams: of the seed.
    """
    ends = np.cumsum(np.array(totals, np.int64))
    points = streams.uniforms(STREAM, size)
    points *= float(ends[-1])
    points.sort()
    bounds = points.searchsorted(ends.astype(np.float64))  # a point on a bound belongs to the next owner
    return np.split(points, bounds[:-1])


def rows_at_points(weights: Floats, scale: int, before: int, points: Floats) -> Positions:
    """Return the rows of a part that own points of the line of all parts, ascending.

    Args:
        weights: shape (n,), of the part.
        scale: of all parts.
        before: integer total of the parts before it.
        points: shape (k,), ascending, all of this part.
    """
    bounds = np.cumsum(whole(weights, scale))
    bounds += before
    rows: Positions = bounds.astype(np.float64).searchsorted(points, side="right").astype(position_type(len(weights)))
    return rows


# -- many distinct weights, without replacement ----------------------------------------------------------------------


def winners_of_parts(found: Sequence[tuple[Positions, Floats]], size: int) -> list[Positions] | None:
    """Return the rows of each part that are among the first `size` of all; None where fewer finished.

    Args:
        found: of each part, the rows that finished by a time that was the same for all, ascending, and their times.
        size: how many win.
    """
    lengths = [len(times) for _, times in found]
    if sum(lengths) < size:
        return None
    times = np.concatenate([np.empty(0), *(times for _, times in found)])
    won = np.zeros(len(times), np.bool_)
    won[np.argpartition(times, size - 1)[:size] if 0 < size < len(times) else slice(size)] = True
    parts = np.split(won, np.cumsum(lengths)[:-1])
    return [rows[wins] for (rows, _), wins in zip(found, parts, strict=True)]
