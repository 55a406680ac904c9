"""Draw with replacement: strata lie side by side on a line, and each draw takes the owner of a random point.

Rows are grouped in `strata`; draws without replacement are in `without_replacement`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from tql_frames.sampling.rng import BLOCK, Blocks, Floats, Integers, Positions, Streams, over_blocks
from tql_frames.sampling.strata import Strata, StrataTable, position_type

STREAM = 0  # of a seed's random numbers

TOTAL_BITS = 62  # bound of the sum of integer weights: it is exact in int64, in any order of addition
# The scale changes where the total weight crosses this times a power of two. If this were a round number, totals such
# as 1 would lie on the edge, where the scale would depend on the rounding of a sum.
EDGE = 0.7071067811

_BY_COMPARISON = 12  # owners up to which all bounds are compared with all points
_FEW_DRAWS = 4096  # draws up to which a guide table costs more than it saves
_AT_ONCE = BLOCK // 4  # draws that are converted to rows together; more would not be faster, but take more memory
_MOST_STEPS = 4  # from the owner in the guide table, before binary search is used


@dataclass(frozen=True)
class CumulativeWeights:
    """Owners side by side on a line: owner i has the points from bounds[i - 1] up to bounds[i].

    Attributes:
        bounds: shape (m,), ascending; the last is the length of the line. Whole numbers up to 2**62, rounded to floats.
        guide_table: shape (a power of two,), for each of this number of equal parts of the line, the owner of its first
            point, or an owner before it (Chen & Asau, "On generating random variates from an empirical distribution",
            1974). None if owners are found by comparison with the bounds; the owners are the same.
    """

    bounds: Floats
    guide_table: Positions | None

    def owners(self, uniforms: Floats, out: Integers, space: Workspace) -> None:
        """Convert numbers in [0, 1) to points of the line, in place, and write their owners to `out`; shapes (k,)."""
        if self.guide_table is None:
            np.multiply(uniforms, self.bounds[-1], out=uniforms)
            if len(self.bounds) > _BY_COMPARISON:
                out[:] = self.bounds.searchsorted(uniforms, side="right")
                return
            passed, flags = space.bytes[: len(out)], space.flags[: len(out)]
            passed[:] = 0
            for bound in self.bounds[:-1]:
                np.add(passed, np.less_equal(bound, uniforms, out=flags).view(np.uint8), out=passed)
            out[:] = passed
            return
        near, part = space.floats[: len(out)], space.integers[: len(out)]
        np.multiply(uniforms, len(self.guide_table), out=near)
        np.copyto(part, near, casting="unsafe")  # rounds down
        out[:] = self.guide_table.take(part, out=space.guided[: len(out)], mode="clip")
        np.multiply(uniforms, self.bounds[-1], out=uniforms)
        left = np.flatnonzero(self.bounds.take(out, out=near, mode="clip") <= uniforms)
        for _ in range(_MOST_STEPS):
            if not left.size:
                return
            ahead = out.take(left) + 1
            out[left] = ahead
            left = left[self.bounds.take(ahead) <= uniforms.take(left)]
        out[left] = self.bounds.searchsorted(uniforms.take(left), side="right")


class Workspace:
    """Arrays for the intermediate results of one thread."""

    def __init__(self, cumulative: CumulativeWeights, size: int) -> None:
        """Allocate arrays for blocks of up to `size` draws."""
        size = min(size, BLOCK)
        self.floats = np.empty(size)
        self.integers = np.empty(size, np.int64)
        self.bytes, self.flags = np.empty(size, np.uint8), np.empty(size, np.bool_)
        self.guided = np.empty(size, None if cumulative.guide_table is None else cumulative.guide_table.dtype)


def draw_strata(
    table: StrataTable,
    size: int,
    streams: Streams,
    *,
    start: int = 0,
    stream: int = STREAM,
    strata: Strata | None = None,
) -> Positions:
    """Return slots drawn with replacement, shape (size,), or the row positions of these slots in `strata`.

    The rows of a stratum share its part of the line evenly: a point determines the stratum, and the rank of the row.

    Args:
        table: the strata.
        size: number of draws.
        streams: random numbers of the seed.
        start: number of the first draw among the draws of the seed.
        stream: number of the stream.
        strata: rows of the table, to return positions; None to return slots.
    """
    cumulative, starts, ranks_per_width = _line(table, size)
    by_slot = None if strata is None or strata.few(size) else strata.by_slot()
    found = np.empty(size, position_type(table.rows) if by_slot is None else by_slot.dtype)
    # Slots that are used as indices have 64 bits, as NumPy would copy other types.
    first_slots = table.first.astype(found.dtype if by_slot is None else np.int64)

    def place(first: int, point: Floats, stratum: Integers, space: Workspace) -> None:
        stop = first + len(point)
        factor, rank = space.floats[: len(point)], space.integers[: len(point)]
        cumulative.owners(point, stratum, space)
        np.subtract(point, starts.take(stratum, out=factor, mode="clip"), out=point)
        np.multiply(point, ranks_per_width.take(stratum, out=factor, mode="clip"), out=point)
        slot = found[first:stop] if by_slot is None else rank
        np.copyto(slot, point, casting="unsafe")  # rounds down
        before = factor.view(first_slots.dtype)[: len(point)]
        np.add(slot, first_slots.take(stratum, out=before, mode="clip"), out=slot)
        if by_slot is not None:
            by_slot.take(slot, out=found[first:stop], mode="clip")

    def run(blocks: Blocks) -> None:
        points, owners, space = np.empty(BLOCK), np.empty(_AT_ONCE, np.int64), Workspace(cumulative, _AT_ONCE)
        for first, stop in blocks:
            streams.fill(stream, start + first, points[: stop - first])
            for some in range(first, stop, _AT_ONCE):
                point = points[some - first : min(some + _AT_ONCE, stop) - first]
                place(some, point, owners[: len(point)], space)

    if size <= BLOCK:
        points = np.empty(size)
        streams.fill(stream, start, points)
        place(0, points, np.empty(size, np.int64), Workspace(cumulative, size))
    else:
        over_blocks(size, run)
    return found if strata is None or by_slot is not None else strata.resolve(found)


def _line(table: StrataTable, draws: int) -> tuple[CumulativeWeights, Floats, Floats]:
    """Return the line of strata, the start of each, and the factors of `exact_ranks`."""
    if len(table.weights) <= _BY_COMPARISON:
        return _short_line(table.weights.astype(np.float64).tobytes(), table.counts.astype(np.int64).tobytes())
    return _laid(table, draws)


@lru_cache(maxsize=64)
def _short_line(weights: bytes, counts: bytes) -> tuple[CumulativeWeights, Floats, Floats]:
    """Return the line of few strata; it is kept for later samples of the same frame."""
    return _laid(StrataTable(np.frombuffer(weights), np.frombuffer(counts, np.int64)), 0)


def _laid(table: StrataTable, draws: int) -> tuple[CumulativeWeights, Floats, Floats]:
    cumulative = cumulative_weights_of_strata(table, draws)
    starts = np.concatenate([[0.0], cumulative.bounds[:-1]])
    return cumulative, starts, exact_ranks(starts, cumulative.bounds, table.counts)


def exact_ranks(starts: Floats, bounds: Floats, counts: Integers) -> Floats:
    """Return factors that convert distances from the start of a stratum to ranks, which are rounded down.

    Args:
        starts: shape (m,), first point of each stratum.
        bounds: shape (m,), end of each stratum, exclusive.
        counts: shape (m,), rows of each stratum.

    Returns:
        Shape (m,), about `counts / (bounds - starts)`, so that every rank is below the number of rows.
    """
    widths = bounds - starts
    found = np.divide(counts, widths, out=np.zeros_like(widths), where=widths > 0)
    last_points = np.nextafter(bounds, 0) - starts
    # Rounding must not lead to a rank equal to the number of rows.
    while (beyond := (last_points * found >= counts) & (widths > 0)).any():
        found[beyond] = np.nextafter(found[beyond], 0)
    return found


def draw_rows(weights: Floats, size: int, streams: Streams, *, start: int = 0) -> Positions:
    """Return row positions drawn with replacement, shape (size,); each row is a stratum of its own, in table order.

    Args:
        weights: shape (n,), finite, >= 0, at least one positive.
        size: number of draws.
        streams: random numbers of the seed.
        start: number of the first draw among the draws of the seed.
    """
    cumulative = cumulative_weights_of_rows(weights, size)
    rows = np.empty(size, position_type(len(weights)))

    def run(blocks: Blocks) -> None:
        space = Workspace(cumulative, size)
        points, owners = np.empty(len(space.floats)), np.empty(len(space.floats), np.int64)
        for first, stop in blocks:
            point, owner = points[: stop - first], owners[: stop - first]
            streams.fill(STREAM, start + first, point)
            cumulative.owners(point, owner, space)
            rows[first:stop] = owner

    over_blocks(size, run)
    return rows


def cumulative_weights_of_strata(table: StrataTable, draws: int) -> CumulativeWeights:
    """Return the line of strata, with a guide table if `draws` are many."""
    bounds = np.cumsum(integer_weights(table.weights, table.counts) * table.counts).astype(np.float64)
    if draws <= _FEW_DRAWS or len(bounds) <= _BY_COMPARISON:
        return CumulativeWeights(bounds, None)
    parts = max(4096, 16 << len(bounds).bit_length())
    # The first point of each part is computed by the same product as points, so that it is rounded equally.
    return CumulativeWeights(bounds, bounds.searchsorted(np.arange(parts) / parts * bounds[-1], side="right"))


def cumulative_weights_of_rows(weights: Floats, draws: int) -> CumulativeWeights:
    """Return the line of rows, each a stratum of its own, with a guide table if `draws` are many."""
    rows = len(weights)
    exponent = scale_of(weights)
    sums = np.zeros(-(-rows // BLOCK), np.int64)

    def add_up(blocks: Blocks) -> None:
        for first, stop in blocks:
            sums[first // BLOCK] = whole(weights[first:stop], exponent).sum()

    over_blocks(rows, add_up)
    before = np.cumsum(sums) - sums
    total = float(sums.sum())
    bounds = np.empty(rows)
    parts = 1 << (rows - 1).bit_length() if draws > max(_FEW_DRAWS, rows // 64) else 0
    # Rounded up, so that a bound is never assigned to a part before its own.
    parts_per_point = parts / total * (1 + 2**-50)
    ends = np.zeros(parts + 2, position_type(rows))  # number of rows whose bound lies in a part or before it

    def lay(blocks: Blocks) -> None:
        for first, stop in blocks:
            shares = whole(weights[first:stop], exponent)
            np.cumsum(shares, out=shares)
            np.add(shares, before[first // BLOCK], out=bounds[first:stop])
            if parts:
                ends[(bounds[first:stop] * parts_per_point).astype(np.int64)] = np.arange(first + 1, stop + 1)

    over_blocks(rows, lay)
    if not parts:
        return CumulativeWeights(bounds, None)
    # If two blocks wrote to the same part, the end of the later block is the right one.
    stops = np.minimum(np.arange(1, len(sums) + 1) * BLOCK, rows)
    ends[(bounds[stops - 1] * parts_per_point).astype(np.int64)] = stops
    np.maximum.accumulate(ends, out=ends)
    ends[1:] = ends[:-1]
    ends[0] = 0
    return CumulativeWeights(bounds, ends[:parts])


def integer_weights(weights: Floats, counts: Integers | None = None) -> Integers:
    """Scale weights by a power of two to integers whose sum over all rows is below 2**62, and above 2**60.

    Sums of integers are exact, so they do not depend on the order of addition. A weight changes by at most 2**-61 of
    the total, and all n rows together by at most n / 2**61 of it; weights below 2**-62 of the total become 0. A draw
    has 53 bits, so the absolute error of a row's probability is about 2**-53.

    Args:
        weights: shape (m,), finite, >= 0, at least one positive.
        counts: shape (m,), rows of each weight; None for one row each.
    """
    return whole(weights, scale_of(weights, counts))


def scale_of(weights: Floats, counts: Integers | None = None) -> int:
    """Return the exponent of two that scales weights to integers; arguments as in `integer_weights`."""
    largest = math.frexp(float(weights.max()))[1]  # by which weights are scaled to [0, 1), so that no total overflows
    if counts is None:
        blocks = (weights[first : first + BLOCK] for first in range(0, len(weights), BLOCK))
        total = math.fsum(float(times_power_of_two(block, -largest).sum()) for block in blocks)
    else:
        total = math.fsum((times_power_of_two(weights, -largest) * counts).tolist())
    if abs(math.frexp(total / EDGE)[0] - 0.75) > 0.25 - 1e-9:  # near the edge, the total is exact
        scaled = times_power_of_two(weights, -largest).tolist()
        pairs = zip(scaled, counts.tolist(), strict=True) if counts is not None else None
        total = float(sum(Fraction(weight) * count for weight, count in pairs)) if pairs else math.fsum(scaled)
    return scale_of_total(total, largest)


def exponents_of_totals(weights: Floats, counts: Integers, firsts: Integers) -> Integers:
    """Return for each of several populations the exponent of two that scales its weights to integers.

    Args:
        weights: shape (m,), finite, > 0, population by population.
        counts: shape (m,), rows of each weight.
        firsts: shape (populations,), place of the first weight of each population.
    """
    each = np.diff(np.append(firsts, len(weights)))
    largest = np.frexp(np.maximum.reduceat(weights, firsts))[1] if len(firsts) else np.empty(0, np.int32)
    scaled = np.ldexp(weights, -np.repeat(largest, each))
    totals = np.add.reduceat(scaled * counts, firsts) if len(firsts) else np.empty(0)
    for place in np.flatnonzero(np.abs(np.frexp(totals / EDGE)[0] - 0.75) > 0.25 - 1e-9).tolist():  # as in `scale_of`
        own = slice(firsts[place], firsts[place] + each[place])
        pairs = zip(scaled[own].tolist(), counts[own].tolist(), strict=True)
        totals[place] = float(sum(Fraction(weight) * count for weight, count in pairs))
    exponents: Integers = TOTAL_BITS - np.frexp(totals / EDGE)[1] - largest
    return exponents


def scale_of_total(total: float, largest: int) -> int:
    """Return the exponent of two that scales weights to integers, from their total.

    Args:
        total: the sum of the weights times 2**-largest; near an edge it must be correctly rounded.
        largest: exponent of the greatest weight, as returned by `frexp`.
    """
    return TOTAL_BITS - math.frexp(total / EDGE)[1] - largest


def whole(weights: Floats, exponent: int) -> Integers:
    """Return weights times a power of two, rounded to integers."""
    rounded = np.empty(len(weights), np.int64)
    for first in range(0, len(weights), BLOCK):
        rounded[first : first + BLOCK] = np.rint(times_power_of_two(weights[first : first + BLOCK], exponent))
    return rounded


def times_power_of_two(values: Floats, exponent: int) -> Floats:
    """Return values times a power of two; there are two products, as a single factor may exceed the range of floats."""
    half = exponent // 2
    scaled = values * 2.0**half
    scaled *= 2.0 ** (exponent - half)
    return scaled
