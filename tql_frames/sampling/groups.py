"""Draw rows of every group by weight, each group independently. `pipeline.groups` numbers the groups.

All groups are drawn at once, without a loop over them. Without replacement, all rows run one exponential race
(Efraimidis & Spirakis 2006), and each group takes its first finishers. With replacement, every group is a line of its
own (see `with_replacement`). NumPy only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.inclusion import expected_draws
from tql_frames.sampling.rng import Blocks, Floats, Integers, Numbers, Positions, Streams, over_blocks
from tql_frames.sampling.strata import Strata, StrataTable, position_type, weights_of
from tql_frames.sampling.with_replacement import exact_ranks, exponents_of_totals
from tql_frames.sampling.without_replacement import Race, finished, finishers_by

_STREAM = 2**40  # stream of the seed for draws with replacement: beyond the streams of all phases

MOST_PAIRS = 2**20  # pairs of a group and a weight up to which they are strata; above, every row is a stratum
_PART = 4_194_304  # rows that are processed together
_STEPS = 8  # quantized weights per power of two
_LEAST_EXPONENT = 1100  # added to exponents, so that the exponent of any float becomes positive
_HALVINGS = 14  # of the interval that contains the logarithm of a time
_RADIX = 2**16
_PAIRS = 2**18  # pairs of a group and a weight whose times are searched together


@dataclass(frozen=True)
class Groups:
    """The group of each row.

    Attributes:
        codes: shape (n,), the number of each row's group, from 0 in the order of first appearance.
        count: number of groups.

    Examples:
        >>> groups = Groups(np.array([0, 1, 0, 1, 2], np.uint32), 3)
        >>> groups.rows.tolist(), groups.firsts.tolist(), groups.members(np.array([2, 0])).tolist()
        ([2, 2, 1], [0, 1, 4], [4, 0, 2])
    """

    codes: NDArray[np.uint32]
    count: int

    @classmethod
    def one(cls, rows: int) -> Groups:
        """Return one group of all rows, stored without memory per row; no group if there are no rows."""
        return cls(np.broadcast_to(np.uint32(0), rows), min(rows, 1))

    @cached_property
    def rows(self) -> Integers:
        """Number of rows of each group, shape (count,)."""
        return np.bincount(self.codes, minlength=self.count)

    @cached_property
    def firsts(self) -> Integers:
        """Position of the first row of each group, shape (count,)."""
        found = np.empty(self.count, np.int64)
        found[self.codes[::-1]] = np.arange(len(self.codes) - 1, -1, -1)
        return found

    @cached_property
    def order(self) -> Positions:
        """Row positions group by group, in table order within each, shape (n,)."""
        return stable_order(self.codes, self.count)

    def members(self, drawn: Integers | Positions) -> Positions:
        """Return the positions of all rows of drawn groups, in the order of `drawn`, and in table order within each."""
        starts = np.cumsum(self.rows) - self.rows
        return self.order[ranges(starts[drawn], self.rows[drawn])]

    def drawable(self, population: Strata | Floats) -> Integers:
        """Return how many rows of each group have a positive weight, shape (count,)."""
        found = np.zeros(self.count, np.int64)
        for first in range(0, len(self.codes), _PART):
            positive = weights_of(population, first, first + _PART) > 0
            found += np.bincount(self.codes[first : first + _PART][positive], minlength=self.count)
        return found

    def heaviest(self, population: Strata | Floats) -> Floats:
        """Return the greatest weight in each group, shape (count,)."""
        found = np.zeros(self.count)
        for first in range(0, len(self.codes), _PART):
            np.maximum.at(found, self.codes[first : first + _PART], weights_of(population, first, first + _PART))
        return found


def draw_groups(
    population: Strata | Floats,
    groups: Groups,
    sizes: Integers,
    *,
    replace: bool,
    seed: int,
    numbers: Numbers | None = None,
) -> Positions:
    """Draw rows of each group by weight.

    Args:
        population: the weights, shape (n,), finite, >= 0, or the rows in strata.
        groups: groups of the rows.
        sizes: shape (groups,), draws from each group; with replacement, 0 for a group without a row of positive weight.
        replace: whether a row can be drawn again. If not, at most the rows of positive weight of a group are drawn.
        seed: whole number >= 0.
        numbers: random numbers of the rows, without replacement; by default the numbers of the seed by row position.

    Returns:
        Row positions, group by group, in the order drawn; shape (sum of sizes,), or shorter without replacement.

    Examples:
        >>> groups = Groups(np.array([0, 1, 0, 1], np.uint32), 2)
        >>> draw_groups(np.array([1.0, 0.0, 0.0, 2.0]), groups, np.array([2, 1]), replace=True, seed=7).tolist()
        [0, 0, 3]
        >>> draw_groups(np.array([1.0, 0.0, 0.0, 2.0]), groups, np.array([2, 1]), replace=False, seed=7).tolist()
        [0, 3]
    """
    if not replace:
        return _successive(population, groups, sizes, numbers or Streams(seed))
    return GroupLines.of(population, groups).draw(sizes, seed=seed)


@dataclass(frozen=True)
class GroupLines:
    """Groups that are prepared for repeated draws with replacement.

    Examples:
        >>> lines = GroupLines.of(np.array([1.0, 0.0, 0.0, 2.0]), Groups(np.array([0, 1, 0, 1], np.uint32), 2))
        >>> lines.draw(np.array([2, 1]), seed=7).tolist()
        [0, 0, 3]
    """

    _lines: _Lines
    _order: Positions

    @classmethod
    def of(cls, population: Strata | Floats, groups: Groups) -> GroupLines:
        """Lay a line for each group; arguments as in `draw_groups`."""
        rows = RowPairs.of(population, groups)
        if rows is not None:
            return cls(_Lines.of(rows.table, groups.count), rows.order)
        weights = weights_of(population).take(groups.order)
        group, counts = groups.codes.take(groups.order).astype(np.int64), np.ones(len(weights), np.int64)
        return cls(_Lines.of(Pairs(group, weights, counts), groups.count), groups.order)

    def draw(self, sizes: Integers, *, seed: int) -> Positions:
        """Return row positions, group by group, as `draw_groups` does."""
        return self._lines.draw(sizes, Streams(seed), self._order)


# -- groups and weights -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """Pairs of a group and a weight, sorted by group and then by weight, and the number of rows of each.

    Attributes:
        groups: shape (c,), group numbers.
        weights: shape (c,), finite, >= 0.
        counts: shape (c,), rows of each pair.

    Examples:
        >>> pairs = RowPairs.of(np.array([5.0, 0.0, 5.0]), Groups(np.array([0, 1, 0], np.uint32), 2)).table
        >>> pairs.groups.tolist(), pairs.weights.tolist(), pairs.counts.tolist()
        ([0, 1], [5.0, 0.0], [2, 1])
        >>> pairs.rows(2).tolist(), pairs.drawable(2).tolist()
        ([2, 1], [2, 0])
    """

    groups: Integers
    weights: Floats
    counts: Integers

    def rows(self, groups: int) -> Integers:
        """Return how many rows each group has, shape (groups,)."""
        found = np.zeros(groups, np.int64)
        np.add.at(found, self.groups, self.counts)
        return found

    def drawable(self, groups: int) -> Integers:
        """Return how many rows of each group have a positive weight, shape (groups,)."""
        return self.positive().rows(groups)

    def positive(self) -> Pairs:
        """Return the pairs that have a positive weight."""
        there = self.weights > 0
        if there.all():
            return self
        return Pairs(self.groups[there], self.weights[there], self.counts[there])


@dataclass(frozen=True)
class RowPairs:
    """The rows of a population by pair of group and weight.

    Attributes:
        table: the pairs.
        keys: shape (n,), number of the pair of each row; 32 bits where the numbers fit.
        pairs: shape (c,), number of each pair, ascending.
        most: upper bound of these numbers, exclusive.
    """

    table: Pairs
    keys: NDArray[np.uint32] | Integers
    pairs: Integers
    most: int

    @classmethod
    def of(cls, population: Strata | Floats, groups: Groups) -> RowPairs | None:
        """Find the pairs; None if there are more than `MOST_PAIRS`.

        This depends on the population alone, so that a sample does not depend on how its rows are partitioned.
        """
        if isinstance(population, Strata):
            found = cls._numbered(population.codes, population.table.weights, groups)
        else:
            # In parts, as sorting all weights would take longer than the draw.
            values = np.empty(0)
            for first in range(0, len(population), MOST_PAIRS):
                values = np.union1d(values, population[first : first + MOST_PAIRS])
                if len(values) > MOST_PAIRS:
                    return None
            found = cls._numbered(values.searchsorted(population), values, groups)
        return None if len(found.pairs) > MOST_PAIRS else found

    @classmethod
    def rounded(cls, population: Strata | Floats, groups: Groups) -> RowPairs:
        """Find the pairs of a group and a rounded weight; weights are rounded down to eighths of powers of two.

        There are few distinct rounded weights, even if there are many weights.
        """
        if not isinstance(population, Strata):
            return cls._numbered(*_quantized(population), groups)
        codes, values = _quantized(population.table.weights)
        return cls._numbered(codes.take(population.codes), values, groups)

    @classmethod
    def _numbered(cls, codes: NDArray[np.integer], values: Floats, groups: Groups) -> RowPairs:
        """Find the pairs from the code of the weight of each row, shape (n,)."""
        most = groups.count * len(values)
        keys: NDArray[Any] = groups.codes.astype(np.uint32 if most < 2**32 else np.int64)
        keys *= len(values)
        for first in range(0, len(keys), _PART):
            keys[first : first + _PART] += codes[first : first + _PART].astype(keys.dtype)
        pairs, counts = _counted(keys, most)
        group, code = np.divmod(pairs, max(len(values), 1))
        return cls(Pairs(group, values[code], counts), keys, pairs, most)

    @cached_property
    def order(self) -> Positions:
        """Row positions pair by pair, in table order within each, shape (n,)."""
        if self.most <= len(self.keys) + _RADIX:
            numbers = np.empty(self.most, np.uint32)
            numbers[self.pairs] = np.arange(len(self.pairs), dtype=np.uint32)
            rows = numbers.take(self.keys)
        else:
            rows = self.pairs.searchsorted(self.keys).astype(np.uint32)
        return stable_order(rows, len(self.pairs))


# -- without replacement ----------------------------------------------------------------------------------------------


def _successive(population: Strata | Floats, groups: Groups, sizes: Integers, streams: Numbers) -> Positions:
    """Return rows drawn by one race of all rows; each group takes its first finishers."""
    race = Race.of(*bounds_of(population))
    sizes, limits = _first_limits(population, groups, sizes, race)
    late = sizes > 0  # groups whose finishers are too few so far
    parts: list[tuple[Positions, Floats]] = []

    def finishers(limits: Floats) -> tuple[Positions, Floats]:
        return finishers_by(
            len(groups.codes),
            lambda first, stop: weights_of(population, first, stop),
            race,
            lambda first, stop: limits.take(groups.codes[first:stop]),
            streams,
        )

    while late.any():
        found, times = finishers(limits)
        finishing = np.bincount(groups.codes.take(found), minlength=groups.count)
        done = late & (finishing >= sizes)
        here = done.take(groups.codes.take(found))
        parts.append((found[here], times[here]))
        late &= ~done
        later = limits[late] * 2 if race.narrow else limits[late] + 1 + np.abs(limits[late])
        limits = np.full(groups.count, -math.inf)
        limits[late] = later
    rows = np.concatenate([np.empty(0, position_type(len(groups.codes))), *(rows for rows, _ in parts)])
    times = np.concatenate([np.empty(0), *(times for _, times in parts)])
    return rows[first_of_groups(groups.codes.take(rows), times, sizes)]


def _first_limits(population: Strata | Floats, groups: Groups, sizes: Integers, race: Race) -> tuple[Integers, Floats]:
    """Return draws from each group, at most its drawable rows, and times by which a few more rows have finished."""
    steps = Steps.of(RowPairs.rounded(population, groups).table, groups.count, race)
    sizes = np.minimum(sizes, steps.drawable)
    return sizes, steps.limits(sizes, sizes + 4 * np.sqrt(sizes) + 4)


def first_of_groups(codes: NDArray[np.integer], times: Floats, sizes: Integers) -> Integers:
    """Return the places of the rows that finished first in each group, group by group, in the order of their times.

    Args:
        codes: shape (k,), groups of the rows that finished.
        times: shape (k,), times of the rows; of rows with equal times, the row that is listed first wins.
        sizes: shape (groups,), rows wanted from each group.

    Examples:
        >>> codes, times = np.array([1, 0, 1, 1], np.uint32), np.array([0.3, 0.9, 0.1, 0.2])
        >>> first_of_groups(codes, times, np.array([2, 2])).tolist()
        [1, 2, 3]
    """
    order = np.argsort(times, kind="stable")
    order = order.take(stable_order(codes.take(order).astype(np.uint32), len(sizes)))
    finishing = np.bincount(codes, minlength=len(sizes))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(finishing) - finishing, finishing)
    return order[rank < np.repeat(sizes, finishing)]


@dataclass(frozen=True)
class Steps:
    """Numbers of rows by group and rounded weight, which suffice to estimate how long a race takes.

    Attributes:
        pairs: pairs of a group and a positive weight, rounded down by less than a ninth of the weight of each row.
        drawable: shape (groups,), rows of positive weight.
        race: race of all rows.
    """

    pairs: Pairs
    drawable: Integers
    race: Race

    @classmethod
    def of(cls, pairs: Pairs, groups: int, race: Race) -> Steps:
        """Return the steps of pairs; `groups` is the number of groups."""
        return cls(pairs.positive(), pairs.drawable(groups), race)

    def limits(self, sizes: Integers, wanted: Floats) -> Floats:
        """Return for each group a time by which `wanted` rows have finished on average, or its logarithm.

        The limit is infinite if about all rows of a group are wanted, and negative infinity for a group without draws.

        Args:
            sizes: shape (groups,), rows to draw.
            wanted: shape (groups,), rows that finish: a few more than `sizes`.
        """
        limits = np.where(sizes > 0, math.inf, -math.inf)
        searched = (sizes > 0) & (wanted < self.drawable)
        # Some groups at a time, to limit memory: the search needs a few numbers per pair.
        ends = self.pairs.groups.searchsorted(np.arange(len(sizes)), side="right")
        first = 0
        while first < len(sizes):
            start = int(ends[first - 1]) if first else 0
            stop = max(first + 1, int(ends.searchsorted(start + _PAIRS, side="right")))
            own = slice(first, stop)
            if searched[own].any():
                found = self._limits_of(slice(start, int(ends[stop - 1])), first, searched[own], wanted[own])
                limits[own][searched[own]] = found
            first = stop
        return limits

    def _limits_of(self, pairs: slice, first: int, searched: NDArray[np.bool_], wanted: Floats) -> Floats:
        """Return the limits of the searched groups among those from `first` on, which have these pairs."""
        group = self.pairs.groups[pairs] - first
        there = searched[group]
        group = group[there]
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        logs, counts = np.log(self.pairs.weights[pairs][there]), self.pairs.counts[pairs][there]
        if self.race.narrow:
            logs += self.race.exponent * math.log(2)
        each = np.diff(np.append(starts, len(group)))
        low, high = -np.maximum.reduceat(logs, starts) - 64.0, -np.minimum.reduceat(logs, starts) + 8.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            enough = np.add.reduceat(counts * finished(np.repeat(middle, each) + logs), starts) >= wanted[searched]
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        limits: Floats = np.exp(high) if self.race.narrow else high
        return limits


def bounds_of(population: Strata | Floats) -> tuple[float, float]:
    """Return the least and the greatest positive weight; infinity and 0 if there is none."""
    weights = population.table.weights if isinstance(population, Strata) else population
    least, greatest = math.inf, 0.0
    for first in range(0, len(weights), _PART):
        part = weights[first : first + _PART]
        positive = part[part > 0]
        least, greatest = min(least, positive.min(initial=math.inf)), max(greatest, positive.max(initial=0.0))
    return float(least), float(greatest)


def _quantized(weights: Floats) -> tuple[NDArray[np.uint16], Floats]:
    """Round weights down to eighths of powers of two; return the code of each weight, and the value of each code."""
    codes = np.empty(len(weights), np.uint16)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            mantissas, exponents = np.frexp(weights[first:stop])
            steps = _STEPS * (exponents + _LEAST_EXPONENT) + (mantissas * (2 * _STEPS)).astype(np.int32) - _STEPS
            codes[first:stop] = np.where(mantissas > 0, steps, 0)

    over_blocks(len(weights), run)
    seen = np.bincount(codes, minlength=1) > 0
    steps = np.flatnonzero(seen)
    exponents, parts = np.divmod(steps, _STEPS)
    values = np.where(steps > 0, np.ldexp((_STEPS + parts) / (2 * _STEPS), exponents - _LEAST_EXPONENT), 0.0)
    return (np.cumsum(seen) - 1).astype(np.uint16).take(codes), values


# -- with replacement -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lines:
    """A line for each group, on which its pairs of positive weight lie side by side.

    Attributes:
        starts: shape (groups + 1,), place of the first pair of each group, and the end of the last group.
        bounds: shape (c,), end of each pair on the line of its group, exclusive; whole numbers.
        befores: shape (c,), start of each pair on the line of its group.
        ranks: shape (c,), factors of `exact_ranks`, which turn a point's distance from the start into a rank.
        slots: shape (c,), slot of the first row of each pair: its place among all rows, sorted by pair.
        rows: number of rows of all pairs, including those of weight 0.
    """

    starts: Integers
    bounds: Floats
    befores: Floats
    ranks: Floats
    slots: Integers
    rows: int

    @classmethod
    def of(cls, pairs: Pairs, groups: int) -> _Lines:
        """Lay the lines; `groups` is the number of groups."""
        group, weights, counts = pairs.groups, pairs.weights, pairs.counts
        slots = np.cumsum(counts) - counts
        there = weights > 0
        weights, group, counts, slots = weights[there], group[there], counts[there], slots[there]
        firsts = np.flatnonzero(np.diff(group, prepend=-1))
        each = np.diff(np.append(firsts, len(group)))
        exponents = exponents_of_totals(weights, counts, firsts)
        widths = np.rint(np.ldexp(weights, np.repeat(exponents, each))).astype(np.int64) * counts
        # Sums over all groups may overflow 64 bits, but their differences are exact.
        sums = np.cumsum(widths)
        sums -= np.repeat(sums[firsts] - widths[firsts], each)
        bounds, befores = sums.astype(np.float64), (sums - widths).astype(np.float64)
        starts = np.searchsorted(group, np.arange(groups + 1))
        return cls(starts, bounds, befores, exact_ranks(befores, bounds, counts), slots, int(pairs.counts.sum()))

    def draw(self, sizes: Integers, streams: Streams, order: Positions | None = None) -> Positions:
        """Return slots drawn from each group, or the items of `order` at these slots."""
        ends = np.cumsum(sizes)
        size = int(ends[-1]) if len(ends) else 0
        found = np.empty(size, position_type(self.rows) if order is None else order.dtype)
        totals = np.zeros(len(sizes))
        there = self.starts[1:] > self.starts[:-1]
        totals[there] = self.bounds[self.starts[1:][there] - 1]

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                groups = np.arange(ends.searchsorted(first, side="right"), ends.searchsorted(stop) + 1)
                counts = np.diff(np.minimum(ends[groups], stop), prepend=first)
                points = np.empty(stop - first)
                streams.fill(_STREAM, first, points)
                points *= np.repeat(totals[groups], counts)
                low, high = np.repeat(self.starts[groups], counts), np.repeat(self.starts[groups + 1] - 1, counts)
                for _ in range(int((high - low).max(initial=0)).bit_length()):
                    middle = (low + high) >> 1
                    beyond = self.bounds.take(middle) <= points
                    low, high = np.where(beyond, middle + 1, low), np.where(beyond, high, middle)
                points -= self.befores.take(low)
                points *= self.ranks.take(low)
                slots = self.slots.take(low) + points.astype(np.int64)
                found[first:stop] = slots if order is None else order.take(slots)

        over_blocks(size, run)
        return found


def draw_slots(pairs: Pairs, sizes: Integers, streams: Streams) -> Positions:
    """Return slots drawn with replacement from each group: places of rows that are sorted by pair, stably.

    Args:
        pairs: pairs of all rows.
        sizes: shape (groups,), draws from each group; 0 for a group without a positive weight.
        streams: random numbers of the seed.
    """
    return _Lines.of(pairs, len(sizes)).draw(sizes, streams)


# -- expectations -----------------------------------------------------------------------------------------------------


def expected_by_group(
    population: Strata | Floats, groups: Groups, sizes: Integers, *, replace: bool
) -> tuple[Floats, Floats]:
    """Return the expected number of draws of each row, and the probability that it is drawn at all.

    Args: as in `draw_groups`.

    Returns:
        Two arrays of shape (n,). Without replacement they are equal; see `expected_draws` for their error.

    Examples:
        >>> groups = Groups(np.array([0, 1, 0, 1], np.uint32), 2)
        >>> expected, drawn = expected_by_group(np.array([1.0, 1.0, 3.0, 1.0]), groups, np.array([2, 1]), replace=True)
        >>> expected.tolist(), drawn.round(6).tolist()
        ([0.5, 0.5, 1.5, 0.5], [0.4375, 0.5, 0.9375, 0.5])
    """
    weights = weights_of(population)
    if replace:
        greatest = groups.heaviest(population)
        scaled = weights / np.where(greatest > 0, greatest, 1.0).take(groups.codes)  # so that no total overflows
        totals = np.bincount(groups.codes, weights=scaled, minlength=groups.count)
        share = scaled / np.where(totals > 0, totals, 1.0).take(groups.codes)
        size = sizes.take(groups.codes)
        with np.errstate(divide="ignore", invalid="ignore"):  # log1p(-1) is infinite if a row has all the weight
            drawn = np.where(size > 0, -np.expm1(size * np.log1p(-np.minimum(share, 1.0))), 0.0)
        return size * share, drawn
    drawable = groups.drawable(population)
    found = np.where((sizes >= drawable).take(groups.codes) & (weights > 0), 1.0, 0.0)
    stops = np.cumsum(groups.rows)
    known: dict[tuple[bytes, bytes, int], Floats] = {}  # groups with the same weights share one computation
    for group in np.flatnonzero((sizes > 0) & (sizes < drawable)).tolist():
        rows = groups.order[stops[group] - groups.rows[group] : stops[group]]
        table = StrataTable.of(weights[rows])
        key = table.weights.tobytes(), table.counts.tobytes(), int(sizes[group])
        if key not in known:
            known[key] = expected_draws(table, int(sizes[group]), replace=False)
        found[rows] = known[key][table.weights.searchsorted(weights[rows])]
    return found, found


# -- rows by group ----------------------------------------------------------------------------------------------------


def _counted(keys: NDArray[np.uint32] | Integers, most: int) -> tuple[Integers, Integers]:
    """Return the distinct keys, which are below `most`, ascending, and how often each occurs."""
    if most > len(keys) + _RADIX:
        found, counts = np.unique(keys, return_counts=True)
        return found.astype(np.int64, copy=False), counts
    counts = np.zeros(most, np.int64)
    part = max(_PART, most)  # keys per count: each count allocates eight bytes for each of the `most` numbers
    for first in range(0, len(keys), part):
        counts += np.bincount(keys[first : first + part], minlength=most)
    found = np.flatnonzero(counts)
    return found, counts[found]


def ranges(firsts: Integers, counts: Integers) -> Integers:
    """Return the whole numbers of ranges, one range after the other, shape (sum of counts,).

    Args:
        firsts: shape (k,), first number of each range.
        counts: shape (k,), length of each range.

    Examples:
        >>> ranges(np.array([5, 0]), np.array([3, 2])).tolist()
        [5, 6, 7, 0, 1]
    """
    ends = np.cumsum(counts)
    found: Integers = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(firsts - (ends - counts), counts)
    return found


def stable_order(codes: NDArray[np.uint32], count: int) -> Positions:
    """Return row positions sorted by code, in table order within each.

    The sort uses 16 bits at a time, which NumPy sorts by counting.

    Args:
        codes: shape (n,), below `count`.
        count: number of codes.
    """
    dtype = position_type(len(codes))
    order: Positions = np.argsort(codes.astype(np.uint16), kind="stable").astype(dtype)
    if count > _RADIX:
        high = (codes >> np.uint32(16)).astype(np.uint16)
        order = order.take(np.argsort(high.take(order), kind="stable"))
    return order
