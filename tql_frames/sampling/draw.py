"""Draws with and without replacement, over strata or over rows.

A draw gives slots of strata (see `Strata.resolve`) or row positions; which rows of which frame they are is not known
here. The first k of a draw of more than k are the draw of k.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.strata import Floats, Integers, StrataTable, stratify
from tql_frames.sampling.streams import Streams, in_blocks

Uniforms = Callable[[int, int], Floats]  # (size, start) -> numbers of one stream

# Streams of a seed: one for draws with replacement, one for the race of rows, two for each stratum.
_WITH_REPLACEMENT, _ROW_RACE, _FIRST_STRATUM = 0, 1, 2

_TOTAL_BITS = 62  # of the sum of integer weights: exact in int64, and any order of adding gives the same
# The scale changes where the total weight crosses this times a power of two. Were that a round number, totals such as
# 1 would lie on the edge, where the rounding of a sum decides.
_EDGE = 0.7071067811


def draw(weights: Floats, size: int, *, replace: bool, seed: int) -> Integers:
    """Draw rows by weight.

    Args:
        weights: shape (n,), finite, >= 0, one of them positive; any scale.
        size: number of draws.
        replace: whether a row can be drawn again. Without replacement the draw is successive sampling: each row in
            turn by weight among those left; rows of weight 0 are never drawn, so fewer than `size` may come.
        seed: whole number >= 0.

    Returns:
        Row positions in the order drawn, shape (size,) or shorter.

    Example:
        >>> draw(np.array([0.0, 1.0, 0.0]), 3, replace=True, seed=7).tolist()
        [1, 1, 1]
    """
    streams = Streams(seed)
    strata = stratify(weights)
    if strata is None:
        return draw_rows(weights, size, streams) if replace else race_rows(weights, size, streams)
    slots = (draw_strata if replace else race_strata)(strata.table, size, streams)
    return strata.resolve(slots)


def draw_strata(table: StrataTable, size: int, streams: Streams) -> Integers:
    """Slots drawn with replacement, shape (size,).

    A row of integer weight q owns q consecutive numbers of range(total), stratum by stratum; each draw takes the owner
    of a number uniform in the range.
    """
    shares = integer_weights(table.weights, table.counts)
    bounds = np.cumsum(shares * table.counts)
    starts, first = bounds - shares * table.counts, table.first

    def owner(numbers: Integers) -> Integers:
        stratum = np.searchsorted(bounds, numbers, side="right")
        ranks: Integers = (numbers - starts[stratum]) // shares[stratum]
        return first[stratum] + ranks

    return _draw_owners(owner, int(bounds[-1]), size, streams)


def draw_rows(weights: Floats, size: int, streams: Streams) -> Integers:
    """Row positions drawn with replacement, shape (size,): as `draw_strata`, each row a stratum, in table order."""
    bounds = np.cumsum(integer_weights(weights))

    def owner(numbers: Integers) -> Integers:
        # In ascending order the search walks through the bounds once instead of missing the cache at every step.
        order = np.argsort(numbers)
        found = np.empty(len(numbers), np.int64)
        found[order] = np.searchsorted(bounds, numbers[order], side="right")
        return found

    return _draw_owners(owner, int(bounds[-1]), size, streams)


def _draw_owners(owner: Callable[[Integers], Integers], total: int, size: int, streams: Streams) -> Integers:
    found = np.empty(size, np.int64)

    def work(first: int, stop: int) -> None:
        numbers = (streams.uniforms(_WITH_REPLACEMENT, stop - first, first) * total).astype(np.int64)
        np.minimum(numbers, total - 1, out=numbers)  # a product near the total may round up to it
        found[first:stop] = owner(numbers)

    in_blocks(size, work)
    return found


def race_strata(table: StrataTable, size: int, streams: Streams) -> Integers:
    """Slots drawn without replacement, shape (min(size, rows of positive weight),).

    The exponential race (Efraimidis & Spirakis, "Weighted random sampling with a reservoir", 2006) run on strata: the
    finishing times of c rows of weight w, in order, are the cumulative sums of Exp(1) / ((c - j) w), j = 0, 1, …
    (Rényi, "On the theory of order statistics", 1953). The strata's times are merged; who of a stratum finishes first,
    second, … is a uniform draw without replacement. Times are compared as logarithms: weights may differ by any factor.
    """
    racing = np.flatnonzero(table.weights > 0)
    counts = table.counts[racing]
    lengths = np.minimum(counts, size)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    runs = list(zip(racing.tolist(), counts.tolist(), starts.tolist(), ends.tolist(), strict=True))
    times = np.empty(int(lengths.sum()))
    for stratum, _, start, end in runs:
        times[start:end] = streams.uniforms(_FIRST_STRATUM + 2 * stratum, end - start)
    places = np.arange(len(times)) - np.repeat(starts, lengths)
    times = _exponentials(times) / (np.repeat(counts, lengths) - places)
    for _, _, start, end in runs:
        np.cumsum(times[start:end], out=times[start:end])
    times = _log(times) - np.repeat(_log(table.weights[racing]), lengths)
    finish = np.argsort(times, kind="stable")[:size]
    drawn = np.bincount(np.searchsorted(ends, finish, side="right"), minlength=len(racing)).tolist()
    slots = np.empty(len(times), np.int64)
    for (stratum, count, start, _), number in zip(runs, drawn, strict=True):
        if number:
            ranks = distinct_ranks(count, number, _stream(streams, _FIRST_STRATUM + 2 * stratum + 1))
            slots[start : start + number] = table.first[stratum] + ranks
    return slots[finish]


def race_rows(weights: Floats, size: int, streams: Streams) -> Integers:
    """Row positions drawn without replacement: the exponential race, each row with a time of its own."""
    times = np.empty(len(weights))

    def run(first: int, stop: int) -> None:
        gaps = _exponentials(streams.uniforms(_ROW_RACE, stop - first, first))
        # log(0) = -inf: a row of weight 0 never arrives
        times[first:stop] = _log(gaps) - _log(weights[first:stop])

    in_blocks(len(weights), run)
    size = min(size, int(np.count_nonzero(weights)))
    if size == 0:
        return np.empty(0, np.int64)
    winners = np.argpartition(times, size - 1)[:size] if size < len(times) else np.arange(size)
    winners.sort()  # so that equal times, should they ever come, stand in table order
    return winners[np.argsort(times[winners], kind="stable")]


def distinct_ranks(count: int, size: int, uniforms: Uniforms) -> Integers:
    """Draw `size` of `range(count)` uniformly, without replacement, in random order; shape (size,).

    The first half of the range comes by drawing with replacement and passing over what came before, which costs no
    more than 1.4 numbers a rank; the second half is the rest of the range, shuffled.
    """
    if size == 1:  # what the general way gives, without its cost: small strata are many
        return (uniforms(1, 0) * count).astype(np.int64)
    half = (count + 1) // 2
    wanted = min(size, half)
    fraction = wanted / count if count else 0.0
    batch = math.ceil(-count * math.log1p(-fraction) * 1.02) + 16 if fraction < 1 else 16  # expected, and some
    drawn = np.empty(0, np.int64)
    fresh = np.empty(0, np.bool_)
    while np.count_nonzero(fresh) < wanted:
        more = (uniforms(batch, len(drawn)) * count).astype(np.int64)
        drawn = np.concatenate([drawn, more])
        fresh = _first_seen(drawn, count)
    ranks = drawn[fresh][:wanted]
    if size <= half:
        return ranks
    rest = np.ones(count, np.bool_)
    rest[ranks] = False
    others = np.flatnonzero(rest)
    # Past every number the loop above could come to use.
    keys = uniforms(len(others), 1 << 100)
    return np.concatenate([ranks, others[np.argsort(keys, kind="stable")][: size - half]])


def integer_weights(weights: Floats, counts: Integers | None = None) -> Integers:
    """Scale weights by a power of two to integers whose sum over all rows is below 2**62, and above 2**60.

    Sums of integers are exact: they do not depend on who adds in which order. The relative error of a weight is at
    most n / 2**61 times the mean weight over it; weights below a 2**-62 of the total become 0.

    Args:
        weights: shape (m,), finite, >= 0, one positive.
        counts: shape (m,), rows of each weight; None for one row each.
    """
    largest = math.frexp(float(weights.max()))[1]
    scaled = np.ldexp(weights, -largest)  # in [0, 1), so that no total overflows
    if counts is None:
        total = float(scaled.sum())
        if abs(math.frexp(total / _EDGE)[0] - 0.75) > 0.25 - 1e-9:  # at the edge: let no rounding decide
            total = math.fsum(scaled)
    else:
        total = float(sum(Fraction(w) * int(c) for w, c in zip(scaled.tolist(), counts, strict=True)))
    exponent = _TOTAL_BITS - math.frexp(total / _EDGE)[1]
    return np.rint(np.ldexp(scaled, exponent)).astype(np.int64)


def _first_seen(drawn: Integers, count: int) -> NDArray[np.bool_]:
    """Which draws were not drawn before; shape of `drawn`."""
    if count <= 16 * len(drawn):
        earliest = np.full(count, len(drawn))
        np.minimum.at(earliest, drawn, np.arange(len(drawn)))
        found: NDArray[np.bool_] = earliest[drawn] == np.arange(len(drawn))
        return found
    fresh = np.zeros(len(drawn), np.bool_)  # few draws from many: memory by the draws
    fresh[np.unique(drawn, return_index=True)[1]] = True
    return fresh


def _stream(streams: Streams, stream: int) -> Uniforms:
    return lambda size, start: streams.uniforms(stream, size, start)


def _exponentials(uniforms: Floats) -> Floats:
    """Exp(1) by inversion; 1 - u is exact and never 0."""
    return -np.log(1.0 - uniforms)


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(values)
