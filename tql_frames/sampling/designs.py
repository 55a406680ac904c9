"""Draw row positions by weight, by each of the sampling designs. `pipeline.draw` takes the rows of a frame.

By default, draws with replacement are independent, and draws without are successive sampling. Both draw by strata where
there are few distinct weights, and by rows where there are many.

Systematic and Poisson samples have inclusion probabilities proportional to weight, and need one pass in table order. A
systematic sample lays the rows side by side on a line, each as long as its weight, and takes the owners of points at
equal distances from a random start (Madow 1949, The Annals of Mathematical Statistics 20:333). A Poisson sample draws
each row independently (Hájek 1964, The Annals of Mathematical Statistics 35:1491). Weights are scaled to whole numbers,
so that sums do not depend on the order of addition. Each group has a line of its own. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.groups import Groups
from tql_frames.sampling.rng import BLOCK, Blocks, Floats, Integers, Numbers, Positions, Streams, over_blocks, sort
from tql_frames.sampling.strata import Strata, position_type, rows_in, stratify, weights_of
from tql_frames.sampling.with_replacement import draw_rows, draw_strata, exponents_of_totals, scale_of, whole
from tql_frames.sampling.without_replacement import distinct_strata, distinct_strata_ascending, race_rows

_Value = TypeVar("_Value", np.uint32, np.float64)

_STARTS, _ROWS = 2**41, 2**41 + 1  # streams of a seed's random numbers
_MOST_SEARCHED = 2**30  # points that are sought on a line: the square of their number fits 64 bits


def draw(
    population: Floats | Strata, size: int, *, replace: bool, seed: int, in_table_order: bool = False
) -> Positions:
    """Draw rows by weight, by the default design; in the order drawn, a short draw is the start of a longer one.

    Args:
        population: the weights, shape (n,), finite, >= 0, at least one positive, any scale; or the rows in strata.
        size: number of draws.
        replace: whether a row can be drawn again. Without replacement, the draw is successive sampling: each draw takes
            one of the rows left, by weight. Rows of weight 0 are never drawn, so the result may be shorter than `size`.
        seed: whole number >= 0.
        in_table_order: whether to return the same rows in table order, which is faster.

    Returns:
        Row positions in the order drawn, or ascending, shape (size,) or shorter.

    Examples:
        >>> draw(np.array([0.0, 1.0, 0.0]), 3, replace=True, seed=7).tolist()
        [1, 1, 1]
        >>> draw(np.array([0.0, 1.0, 2.0]), 5, replace=False, seed=7).tolist()
        [2, 1]
    """
    streams = Streams(seed)
    strata = population if isinstance(population, Strata) else stratify(population)
    if strata is None:
        assert not isinstance(population, Strata)
        rows = (draw_rows if replace else race_rows)(population, size, streams)
        if in_table_order:
            sort(rows)
        return rows
    if not in_table_order:
        if replace:
            return draw_strata(strata.table, size, streams, strata=strata)
        return strata.resolve(distinct_strata(strata.table, size, streams))
    if replace:
        slots = draw_strata(strata.table, size, streams)
        sort(slots)
    else:
        slots = distinct_strata_ascending(strata.table, size, streams)
    return strata.in_table_order(slots)


def systematic(
    population: Strata | Floats, groups: Groups | None, sizes: Integers, *, replace: bool, seed: int
) -> Positions:
    """Draw rows at equal distances on the line of weights of each group.

    With replacement, a row is drawn floor or ceil of `size * weight / total` times. Without replacement, rows for which
    this is 1 or more are certain, and the remaining draws are made from the other rows.

    Args:
        population: the weights, shape (n,), finite, >= 0, or the rows in strata.
        groups: groups of the rows; None for one group.
        sizes: shape (groups,), draws from each group: 0 for a group without a row of positive weight, and without
            replacement at most its number of rows of positive weight.
        replace: whether a row can be drawn again.
        seed: whole number >= 0.

    Returns:
        Row positions in table order, with repetition, shape (sum of sizes,).

    Examples:
        >>> systematic(np.array([1.0, 0.0, 3.0]), None, np.array([4]), replace=True, seed=7).tolist()
        [0, 2, 2, 2]
        >>> systematic(np.array([1.0, 0.0, 9.0, 1.0]), None, np.array([2]), replace=False, seed=7).tolist()
        [2, 3]
    """
    rows = rows_in(population)
    uniforms = Streams(seed).uniforms(_STARTS, len(sizes))
    return _WeightLines.of(population, groups or Groups.one(rows), sizes, replace=replace).drawn(uniforms)


def poisson(
    population: Strata | Floats, groups: Groups | None, sizes: Integers, *, seed: int, numbers: Numbers | None = None
) -> Positions:
    """Draw each row independently, with probability `size * weight / total` within its group.

    Rows for which this is 1 or more are certain, and the others share the rest of the size.

    Args:
        population: the weights, shape (n,), finite, >= 0, or the rows in strata.
        groups: groups of the rows; None for one group.
        sizes: shape (groups,), expected number of rows drawn from each group, with the bounds that `systematic` has
            without replacement.
        seed: whole number >= 0.
        numbers: random numbers of the rows; by default the numbers of the seed by row position.

    Returns:
        Row positions in table order, shape (k,); k is random.

    Examples:
        >>> poisson(np.array([1.0, 0.0, 9.0, 1.0]), None, np.array([2]), seed=7).tolist()
        [2, 3]
    """
    rows = rows_in(population)
    lines = _WeightLines.of(population, groups or Groups.one(rows), sizes, replace=False)
    chances = None if lines.order is None else lines.chances()  # for one group computed by block, to save memory
    source = numbers or Streams(seed)
    drawn = np.empty(rows, np.bool_)

    def run(blocks: Blocks) -> None:
        uniforms = np.empty(min(rows, BLOCK))
        for first, stop in blocks:
            own = uniforms[: stop - first]
            source.fill(_ROWS, first, own)
            drawn[first:stop] = own < (lines.chances(first, stop) if chances is None else chances[first:stop])

    over_blocks(rows, run)
    return np.flatnonzero(drawn).astype(position_type(rows))


def inclusion(population: Strata | Floats, groups: Groups | None, sizes: Integers) -> Floats:
    """Return the probability that each row is in a systematic or Poisson sample without replacement, shape (n,).

    Examples:
        >>> inclusion(np.array([1.0, 0.0, 9.0, 1.0]), None, np.array([2])).tolist()
        [0.5, 0.0, 1.0, 0.5]
    """
    rows = rows_in(population)
    return _WeightLines.of(population, groups or Groups.one(rows), sizes, replace=False).chances()


@dataclass(frozen=True)
class _WeightLines:
    """The lines of all groups, one after the other.

    Attributes:
        order: shape (n,), row positions group by group, in table order within each; None if this is the table order.
        widths: shape (n,), weights of the rows as whole numbers, in this order; 0 for certain rows. If one group is in
            strata, shape (m,): the widths of a row of each stratum.
        certain: the shape of `widths`, whether a row is certain; None if no row is.
        strata: the rows in strata; None if `widths` has one item per row.
        groups: shape (n,), the group of each row in this order, ascending.
        totals: shape (groups,), sums of the widths, below 2**62.
        sizes: shape (groups,), draws from the line: without the certain rows.
    """

    order: Positions | None
    widths: Integers
    certain: NDArray[np.bool_] | None
    strata: Strata | None
    groups: NDArray[np.uint32]
    totals: Integers
    sizes: Integers

    @classmethod
    def of(cls, population: Strata | Floats, groups: Groups, sizes: Integers, *, replace: bool) -> _WeightLines:
        """Lay the lines; without replacement, certain rows have width 0."""
        order = groups.order if groups.count > 1 else None
        codes = groups.codes if order is None else groups.codes.take(order)
        strata, counts = None, None
        owner = codes
        if isinstance(population, Strata) and groups.count == 1:
            strata, counts = population, population.table.counts
            owner = np.zeros(len(counts), np.uint32)

        def weights() -> Floats:
            return strata.table.weights if strata is not None else _in_order(population, order)

        widths, totals = _widths(weights(), owner, len(sizes), counts)
        certain = None
        while not replace:
            new = _certain(widths, owner, totals, sizes, counts)
            if new is None:
                break
            # The other weights are scaled again: heavy rows may have made them small whole numbers.
            certain = new if certain is None else certain | new
            each = None if counts is None else counts[new]
            sizes = sizes - np.bincount(owner[new], each, minlength=len(sizes)).astype(np.int64)
            widths, totals = _widths(np.where(certain, 0.0, weights()), owner, len(sizes), counts)
        return cls(order, widths, certain, strata, codes, totals, np.where(totals > 0, sizes, 0))

    def _widths_of(self, first: int, stop: int | None) -> Integers:
        """Return the widths of some rows."""
        return self.widths[first:stop] if self.strata is None else self.widths.take(self.strata.codes[first:stop])

    def _certain_of(self, first: int, stop: int | None) -> NDArray[np.bool_]:
        """Return which of some rows are certain."""
        assert self.certain is not None
        return self.certain[first:stop] if self.strata is None else self.certain.take(self.strata.codes[first:stop])

    def drawn(self, uniforms: Floats) -> Positions:
        """Return the rows at equal distances on the lines, in table order, shape (sum of sizes,).

        Args:
            uniforms: shape (groups,), in [0, 1): the first point of each line, as a share of its range.
        """
        rows = len(self.groups)
        dtype = position_type(rows)
        starts = np.minimum((uniforms * self.totals).astype(np.int64), np.maximum(self.totals - 1, 0))
        shifts = self.totals - 1 - starts
        befores = np.cumsum(self.totals) - self.totals  # may overflow over all groups; differences are still exact
        sums = np.zeros(-(-rows // BLOCK), np.int64)
        parts = [np.empty(0, dtype)] * len(sums)
        counts = np.empty(0 if self.order is None else rows, np.uint32)

        def sum_up(blocks: Blocks) -> None:
            for first, stop in blocks:
                sums[first // BLOCK] = self._widths_of(first, stop).sum()

        def search(blocks: Blocks) -> None:
            for first, stop in blocks:
                block = first // BLOCK
                ends = np.cumsum(self._widths_of(first, stop))
                ends += offsets[block]
                found = np.searchsorted(ends, self._points(reached[block], reached[block + 1], int(shifts[0])))
                if self.certain is not None:
                    found = np.concatenate([found, np.flatnonzero(self._certain_of(first, stop))])
                    found.sort(kind="stable")  # which is quick to merge two sorted arrays
                found += first
                parts[block] = found.astype(dtype)

        def count(blocks: Blocks) -> None:
            for first, stop in blocks:
                own = self._counts(first, stop, offsets[first // BLOCK] - befores, shifts)
                if self.order is not None:
                    counts[self.order[first:stop]] = own
                    continue
                found = np.flatnonzero(own != 0)  # faster for Booleans
                parts[first // BLOCK] = np.repeat((found + first).astype(dtype), own[found])

        if self.strata is not None:
            sums = self.widths @ self.strata.blocks
        else:
            over_blocks(rows, sum_up)
        offsets = np.cumsum(sums) - sums
        if len(self.totals) == 1 and self.sizes[0] <= min(rows // 2, _MOST_SEARCHED):
            bounds = np.append(offsets, self.totals)
            reached = _quotients(bounds, self.sizes, np.maximum(self.totals, 1), shifts)
            over_blocks(rows, search)
        else:
            over_blocks(rows, count)
        if self.order is not None:
            return np.repeat(np.arange(rows, dtype=dtype), counts)
        return np.concatenate([np.empty(0, dtype), *parts])

    def _points(self, first: int, stop: int, shift: int) -> Integers:
        """Return where some points lie on the only line, as the least ends of the rows that own them.

        Args:
            first: number of the first point, from 0.
            stop: number after the last point.
            shift: as in `_counts`.
        """
        # ceil((k * total - shift) / size) for the k-th point; `total` is split, as k * total may exceed 64 bits.
        size = int(self.sizes[0])
        each, rest = divmod(int(self.totals[0]), max(size, 1))
        numbers = np.arange(first + 1, stop + 1)
        places = numbers * rest
        places += size - 1 - shift
        places //= max(size, 1)
        numbers *= each
        places += numbers
        return places

    def _counts(self, first: int, stop: int, offsets: Integers, shifts: Integers) -> Integers:
        """Return how often each of some rows is drawn.

        Args:
            first: number of the first row, in the order of the lines.
            stop: number after the last row.
            offsets: shape (groups,), where the first of these rows begins on each line.
            shifts: shape (groups,), `total - 1 - start`, where `start` is the first point of each line.
        """
        # On a line that is stretched by the size, points lie at start + k * total. Below x * size there are
        # ceil((x * size - start) / total) of them. The product may exceed 64 bits: a float quotient is off by at most
        # one, and the remainder, which is exact modulo 2**64, corrects it.
        one = len(self.totals) == 1
        group: Any = 0 if one else self.groups[first:stop]
        size, total, moved = self.sizes[group], np.maximum(self.totals[group], 1), shifts[group]
        widths = self._widths_of(first, stop)
        place = np.cumsum(widths)
        place += offsets[group]
        up_to = _quotients(place, size, total, moved)
        if one:  # points before a row are the points up to the end of the row before it
            found = np.diff(up_to, prepend=_quotients(place[:1] - widths[0], size, total, moved))
        else:
            place -= widths
            found = up_to - _quotients(place, size, total, moved)
        if self.certain is not None:
            found[self._certain_of(first, stop)] = 1
        return found

    def chances(self, first: int = 0, stop: int | None = None) -> Floats:
        """Return the probability that each row is drawn without replacement, shape (n,), in table order.

        If there is one group, the result can be limited to the rows from `first` up to `stop`.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(self.totals > 0, self.sizes / self.totals, 0.0)
        group: Any = 0 if len(self.totals) == 1 else self.groups
        if self.strata is not None:
            each = np.multiply(self.widths, share[0], dtype=np.float64)
            each[slice(0) if self.certain is None else self.certain] = 1.0
            chances: Floats = each.take(self.strata.codes[first:stop])
            return chances
        found: Floats = np.multiply(self.widths[first:stop], share[group], dtype=np.float64)
        if self.certain is not None:
            found[self.certain[first:stop]] = 1.0
        return self._in_table_order(found)

    def _in_table_order(self, values: NDArray[_Value]) -> NDArray[_Value]:
        if self.order is None:
            return values
        found = np.empty_like(values)
        found[self.order] = values
        return found


def _in_order(population: Strata | Floats, order: Positions | None) -> Floats:
    weights = weights_of(population)
    return weights if order is None else weights.take(order)


def _quotients(x: Integers, size: Integers, total: Integers, shift: Integers) -> Integers:
    """Return floor((x * size + shift) / total) for 0 <= x <= total < 2**62, shift < total and quotients below 2**48."""
    places = x * (size / total)
    places += shift / total
    guess: Integers = places.astype(np.int64)
    left = x * size + shift - guess * total  # modulo 2**64
    guess += (left >= total).view(np.int8)
    guess -= (left < 0).view(np.int8)
    return guess


def _widths(
    weights: Floats, codes: NDArray[np.uint32], groups: int, counts: Integers | None
) -> tuple[Integers, Integers]:
    """Return weights as whole numbers, group by group, and the sum of each group: 2**60 to 2**62, or 0.

    `counts` is the number of rows of each weight, for one group only; None for one row each.
    """
    totals = np.zeros(groups, np.int64)
    if not weights.any():
        return np.zeros(len(weights), np.int64), totals
    if groups == 1:
        widths = whole(weights, scale_of(weights, counts))
        return widths, np.array([widths.sum() if counts is None else (widths * counts).sum()])
    there = np.flatnonzero(weights)
    own = codes.take(there)
    starts = np.flatnonzero(np.diff(own.astype(np.int64), prepend=-1))
    exponents = np.zeros(groups, np.int64)
    exponents[own[starts]] = exponents_of_totals(weights[there], np.ones(len(there), np.int64), starts)
    widths = np.rint(np.ldexp(weights, exponents.take(codes))).astype(np.int64)
    totals[own[starts]] = np.add.reduceat(widths[there], starts)
    return widths, totals


def _certain(
    widths: Integers, codes: NDArray[np.uint32], totals: Integers, sizes: Integers, counts: Integers | None
) -> NDArray[np.bool_] | None:
    """Return which widths are certain: their expectation is 1 or more, or becomes so without other certain rows.

    None if no width is certain; `counts` as in `_widths`.
    """
    none = np.iinfo(np.int64).max
    least = np.full(len(sizes), none)  # least width of certain rows
    rest, own, each = widths, codes, counts
    while True:
        bound = np.where((sizes > 0) & (totals > 0), -(-totals // np.maximum(sizes, 1)), none)
        heavy = rest >= (bound if len(sizes) == 1 else bound.take(own))
        if not heavy.any():
            return None if (least == none).all() else widths >= (least if len(sizes) == 1 else least.take(codes))
        out, group = rest[heavy], own[heavy]
        if each is not None:
            sizes, totals = sizes - each[heavy].sum(), totals - (out * each[heavy]).sum()
        elif len(sizes) == 1:
            sizes, totals = sizes - len(out), totals - out.sum()
        else:
            sizes, totals = sizes - np.bincount(group, minlength=len(sizes)), totals.copy()
            np.subtract.at(totals, group, out)
        least = np.where(np.bincount(group, minlength=len(sizes)) > 0, bound, least)
        left = ~heavy & (rest > 0)
        rest, own, each = rest[left], own[left], None if each is None else each[left]
