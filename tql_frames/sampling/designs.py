"""Draws of row positions by weight, by each of the designs. Which rows of which frame they are is not known here.

By default draws are independent with replacement, and successive sampling without: by strata where there are few
distinct weights, by rows where there are many.

The inclusion of systematic and Poisson samples is proportional to weight; they take one pass in table order. A
systematic sample lays the rows side by side on a line, each as long as its weight, and takes the owners of points at
equal distances behind one random start (Madow 1949, The Annals of Mathematical Statistics 20:333). A Poisson sample
takes each row by itself (Hájek 1964, The Annals of Mathematical Statistics 35:1491). Weights are whole numbers, so that
counts do not depend on who adds in which order. Each group is a line of its own. NumPy only.
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


def draw(
    population: Floats | Strata, size: int, *, replace: bool, seed: int, in_table_order: bool = False
) -> Positions:
    """Draw rows by weight, by the default design. The first k of a draw of more than k are the draw of k.

    Args:
        population: the weights, shape (n,), finite, >= 0, one of them positive, any scale; or the rows in strata.
        size: number of draws.
        replace: whether a row can be drawn again. Without replacement the draw is successive sampling: each row in
            turn by weight among those left; rows of weight 0 are never drawn, so fewer than `size` may come.
        seed: whole number >= 0.
        in_table_order: whether the same rows come in the order of the table, which is faster.

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

    With replacement a row comes floor or ceil of `size * weight / total` times. Without, rows for which that is 1 or
    more come for certain, and the rest is drawn from the others by what is left of the size.

    Args:
        population: the weights, shape (n,), finite, >= 0, or the rows in strata.
        groups: of the rows; None for one.
        sizes: shape (groups,), draws from each group; of one without a row of positive weight 0, and without
            replacement at most its rows of positive weight.
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
    """Draw each row by itself, with probability `size * weight / total` of its group, or for certain where that is 1.

    Args: as of `systematic`; sizes are expected numbers of rows, and `numbers` are those of the rows, by default of the
    seed by their places.

    Returns:
        Row positions in table order, shape (k,); k is random.

    Examples:
        >>> poisson(np.array([1.0, 0.0, 9.0, 1.0]), None, np.array([2]), seed=7).tolist()
        [2, 3]
    """
    rows = rows_in(population)
    lines = _WeightLines.of(population, groups or Groups.one(rows), sizes, replace=False)
    chances = None if lines.order is None else lines.chances()  # of one group by blocks: it takes no memory
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
    """Return the probability of each row to be in a systematic or Poisson sample without replacement, shape (n,).

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
        order: shape (n,), positions of the rows, group by group in table order; None where that is the table's.
        widths: shape (n,), weights of the rows as whole numbers, in this order; 0 where a row comes for certain.
            Of one group in strata those of the strata.
        certain: the same shape, which of them come for certain; None where none does.
        strata: the rows in strata; None where widths are those of rows.
        groups: shape (n,), the group of each, ascending.
        totals: shape (groups,), sums of the widths, below 2**62.
        sizes: shape (groups,), draws that are left for the line.
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
        """Lay the lines; without replacement of the rows that do not come for certain."""
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
            # What is left is scaled anew: beside heavy rows its weights may have been small numbers.
            certain = new if certain is None else certain | new
            each = None if counts is None else counts[new]
            sizes = sizes - np.bincount(owner[new], each, minlength=len(sizes)).astype(np.int64)
            widths, totals = _widths(np.where(certain, 0.0, weights()), owner, len(sizes), counts)
        return cls(order, widths, certain, strata, codes, totals, np.where(totals > 0, sizes, 0))

    def _widths_of(self, first: int, stop: int | None) -> Integers:
        """Return the widths of some rows."""
        return self.widths[first:stop] if self.strata is None else self.widths.take(self.strata.codes[first:stop])

    def _certain_of(self, first: int, stop: int | None) -> NDArray[np.bool_]:
        """Return which of some rows come for certain."""
        assert self.certain is not None
        return self.certain[first:stop] if self.strata is None else self.certain.take(self.strata.codes[first:stop])

    def drawn(self, uniforms: Floats) -> Positions:
        """Return the rows at equal distances on the lines, in table order, shape (sum of sizes,).

        Args:
            uniforms: shape (groups,), in [0, 1): where the first point of each line lies, of those it may.
        """
        rows = len(self.groups)
        dtype = position_type(rows)
        starts = np.minimum((uniforms * self.totals).astype(np.int64), np.maximum(self.totals - 1, 0))
        shifts = self.totals - 1 - starts
        befores = np.cumsum(self.totals) - self.totals  # beyond 64 bits over all groups; differences are right
        sums = np.zeros(-(-rows // BLOCK), np.int64)
        parts = [np.empty(0, dtype)] * len(sums)
        counts = np.empty(0 if self.order is None else rows, np.uint32)

        def sum_up(blocks: Blocks) -> None:
            for first, stop in blocks:
                sums[first // BLOCK] = self._widths_of(first, stop).sum()

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                own = self._counts(first, stop, offsets[first // BLOCK] - befores, shifts)
                if self.order is not None:
                    counts[self.order[first:stop]] = own
                    continue
                found = np.flatnonzero(own != 0)  # of truth values it is faster
                parts[first // BLOCK] = np.repeat((found + first).astype(dtype), own[found])

        if self.strata is not None:
            sums = self.widths @ self.strata.blocks
        else:
            over_blocks(rows, sum_up)
        offsets = np.cumsum(sums) - sums
        over_blocks(rows, run)
        if self.order is not None:
            return np.repeat(np.arange(rows, dtype=dtype), counts)
        return np.concatenate([np.empty(0, dtype), *parts])

    def _counts(self, first: int, stop: int, offsets: Integers, shifts: Integers) -> Integers:
        """Return how often each of some rows comes.

        Args:
            first: the first of them.
            stop: behind the last of them.
            offsets: shape (groups,), where the first of them begins on each line.
            shifts: shape (groups,), the last point of each line at which its first draw may be, less where it is.
        """
        # On a line that is stretched by the size, points stand at start + k * total. Up to x * size there are
        # ceil((x * size - start) / total) of them: a quotient of numbers beyond 64 bits, of which a float tells all but
        # one, and the remainder, which wraps around to the right value, tells this one.
        one = len(self.totals) == 1
        group: Any = 0 if one else self.groups[first:stop]
        size, total, moved = self.sizes[group], np.maximum(self.totals[group], 1), shifts[group]
        widths = self._widths_of(first, stop)
        place = np.cumsum(widths)
        place += offsets[group]
        up_to = _quotients(place, size, total, moved)
        if one:  # what is up to a row is up to the end of the one before
            found = np.diff(up_to, prepend=_quotients(place[:1] - widths[0], size, total, moved))
        else:
            place -= widths
            found = up_to - _quotients(place, size, total, moved)
        if self.certain is not None:
            found[self._certain_of(first, stop)] = 1
        return found

    def chances(self, first: int = 0, stop: int | None = None) -> Floats:
        """Return the probability of each row to be drawn without replacement, shape (n,), in table order.

        Of the rows from `first` up to `stop`, if there is one group.
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
    """Return floor((x * size + shift) / total): 0 <= x <= total < 2**62, shift < total, and quotients below 2**48."""
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

    `counts` says how many rows have each weight, of one group; None where each is of one row.
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
    """Return which widths have an expectation of 1 or more, and get one by what is left when such rows are out.

    None where none has; `counts` as of `_widths`.
    """
    none = np.iinfo(np.int64).max
    least = np.full(len(sizes), none)  # width from which on rows are certain
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
