"""Draws without replacement: the exponential race of Efraimidis & Spirakis, run by strata or by rows.

How strata come about is in `strata`; draws with replacement are in `line`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.blocks import BLOCK, Blocks, Floats, Integers, Positions, over_blocks, position_type
from tql_frames.sampling.line import times_power_of_two
from tql_frames.sampling.strata import StrataTable
from tql_frames.sampling.streams import Streams

Uniforms = Callable[[int, int], Floats]  # (size, start) -> numbers of one stream

# Of a seed's random numbers: one stream for the race of rows, two for each stratum.
_ROW_RACE, _FIRST_STRATUM = 1, 2

_WIDE = 2.0**500  # ratio of weights up to which quotients of times and weights stay within the range of floats
_FEW_TIMES = 4096  # of a race, up to which it is run whole
_TRIAL_ROWS = 4096  # by which the length of a longer one is guessed


def race_strata(table: StrataTable, size: int, streams: Streams) -> Positions:
    """Slots drawn without replacement, shape (min(size, rows of positive weight),).

    The exponential race (Efraimidis & Spirakis, "Weighted random sampling with a reservoir", 2006) run on strata: the
    finishing times of c rows of weight w, in order, are the cumulative sums of Exp(1) / ((c - j) w), j = 0, 1, …
    (Rényi, "On the theory of order statistics", 1953). The strata's times are merged; who of a stratum finishes first,
    second, … is a uniform draw without replacement. Times are compared as logarithms: weights may differ by any factor.
    """
    racing = np.flatnonzero(table.weights > 0)
    counts, weights = table.counts[racing], table.weights[racing]
    size = min(size, int(counts.sum()))
    slots = np.empty(size, position_type(table.rows))
    if not size:
        return slots
    most = np.minimum(counts, size)
    margin = 4.0 if most.sum() > _FEW_TIMES else math.inf
    expected = counts if margin == math.inf else _expected_finishers(weights, counts, size)
    while True:
        # Who may be among the first: a few more of each stratum than are expected. Were they too few, it shows below.
        lengths = np.minimum(np.ceil(expected + margin * np.sqrt(expected) + margin), most).astype(np.int64)
        times = _finishing_times(racing, weights, counts, lengths, streams)
        ends = np.cumsum(lengths)
        finish = _order(times)[:size]
        if len(finish) == size and (times[ends - 1] > times[finish[-1]])[lengths < most].all():
            break
        margin *= 4
    of_stratum = np.searchsorted(ends, finish, side="right")
    drawn = np.bincount(of_stratum, minlength=len(racing))
    by_rank = np.argsort(of_stratum.astype(np.uint16), kind="stable")  # where each stratum's ranks go, in their order
    done = 0
    for stratum, count, number in zip(racing.tolist(), counts.tolist(), drawn.tolist(), strict=True):
        if number:
            ranks = distinct_ranks(count, number, _stream(streams, _FIRST_STRATUM + 2 * stratum + 1))
            slots[by_rank[done : done + number]] = table.first[stratum] + ranks
            done += number
    return slots


def race_rows(weights: Floats, size: int, streams: Streams) -> Positions:
    """Row positions drawn without replacement: the exponential race, each row with a time of its own."""
    positive = weights > 0
    size = min(size, int(np.count_nonzero(positive)))
    if not size:
        return np.empty(0, position_type(len(weights)))
    least, most = float(weights[positive].min()), float(weights.max())
    del positive
    exponent = -math.frexp(most)[1]
    narrow = most / least < _WIDE
    limit = _time_of(weights, size, exponent) if narrow and len(weights) > _FEW_TIMES else math.inf
    while True:
        rows, times = _finishers(weights, exponent, limit, narrow, streams)
        if len(rows) >= size:
            break
        limit *= 2
    if size < len(rows):
        first = np.argpartition(times, size - 1)[:size]
        first.sort()  # so that equal times, should they ever come, stand in table order
        rows, times = rows[first], times[first]
    return rows[_order(times)]


def _finishers(
    weights: Floats, exponent: int, limit: float, narrow: bool, streams: Streams
) -> tuple[Positions, Floats]:
    """The rows that finish up to a time, in table order, and their times; 2**exponent scales the weights below 1.

    Times are quotients, or their logarithms where weights differ so `narrow` is false.
    """
    found: dict[int, tuple[Integers, Floats]] = {}

    def run(blocks: Blocks) -> None:
        size = min(len(weights), BLOCK)
        uniforms = np.empty(size)
        for first, stop in blocks:
            number, weight = uniforms[: stop - first], weights[first:stop]
            streams.fill(_ROW_RACE, first, number)
            if narrow:
                weight = times_power_of_two(weight, exponent)
                # A time -log(1 - u) / w is at least u / w: most rows are out before a logarithm is taken.
                here = np.flatnonzero(number < weight * limit) if limit < math.inf else np.flatnonzero(weight)
                time = _exponentials(number[here]) / weight[here]
                early = time <= limit
                found[first] = here[early] + first, time[early]
            else:
                here = np.flatnonzero(weight)
                found[first] = here + first, _log(_exponentials(number[here])) - _log(weight[here])

    over_blocks(len(weights), run)
    blocks = [found[first] for first in sorted(found)]
    rows: Positions = np.concatenate([rows for rows, _ in blocks]).astype(position_type(len(weights)))
    return rows, np.concatenate([times for _, times in blocks])


def _time_of(weights: Floats, size: int, exponent: int) -> float:
    """A time by which a few more than `size` rows are likely to have finished, as some of the rows tell."""
    some = times_power_of_two(weights[:: max(1, len(weights) // _TRIAL_ROWS)], exponent)
    some = some[some > 0]
    share = 1.02 * size / len(weights) + 4 * math.sqrt(size) / len(weights) + 2 / _TRIAL_ROWS
    wanted = share * len(weights[:: max(1, len(weights) // _TRIAL_ROWS)])
    if wanted >= len(some):
        return math.inf
    return math.exp(_log_time(some, np.ones(len(some)), wanted))


def _expected_finishers(weights: Floats, counts: Integers, size: int) -> Floats:
    """How many rows of each stratum are among the first `size`, nearly."""
    if size >= counts.sum():
        return counts.astype(np.float64)
    expected: Floats = counts * _finished(_log_time(weights, counts, size) + _log(weights))
    return expected


def _log_time(weights: Floats, counts: Floats | Integers, wanted: float) -> float:
    """The logarithm of the time at which `wanted` of the rows have finished, on average; fewer than all of them."""
    logs = _log(weights)
    low, high = -float(logs.max()) - 64 * math.log(2), -float(logs.min()) + 8 * math.log(2)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (counts * _finished(middle + logs)).sum() < wanted else (low, middle)
    return high


def _finished(log_times: Floats) -> Floats:
    """Probability that Exp(1) is at most exp(log_times)."""
    finished: Floats = -np.expm1(-np.exp(np.minimum(log_times, 8.0)))
    return finished


def _finishing_times(
    racing: Integers, weights: Floats, counts: Integers, lengths: Integers, streams: Streams
) -> Floats:
    """Logarithms of the first `lengths` finishing times of each stratum, one stratum after the other."""
    ends = np.cumsum(lengths)
    starts = ends - lengths
    times = np.empty(int(ends[-1]))
    runs = [times[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    for stratum, run in zip(racing.tolist(), runs, strict=True):
        run[:] = streams.uniforms(_FIRST_STRATUM + 2 * stratum, len(run))
    np.log(np.subtract(1.0, times, out=times), out=times)
    times /= np.arange(len(times)) - np.repeat(starts + counts, lengths)  # -(c - j): the logarithm is negative, too
    for run in runs:
        np.cumsum(run, out=run)
    with np.errstate(divide="ignore"):
        np.log(times, out=times)
    times -= np.repeat(np.log(weights), lengths)
    return times


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
    return np.concatenate([ranks, others[_order(keys)][: size - half]])


def _first_seen(drawn: Integers, count: int) -> NDArray[np.bool_]:
    """Which draws were not drawn before; shape of `drawn`."""
    if count <= 16 * len(drawn):
        places = np.arange(len(drawn), dtype=position_type(len(drawn)))
        earliest = np.empty(count, places.dtype)
        earliest[drawn[::-1]] = places[::-1]  # of equal ones the last is kept, which is the first drawn
        found: NDArray[np.bool_] = earliest[drawn] == places
        return found
    fresh = np.zeros(len(drawn), np.bool_)  # few draws from many: memory by the draws
    fresh[np.unique(drawn, return_index=True)[1]] = True
    return fresh


def _order(times: Floats) -> Integers:
    """What a stable argsort gives; the fast one gives the same unless two are equal."""
    order = np.argsort(times)
    ordered = times[order]
    if (ordered[1:] == ordered[:-1]).any():
        return np.argsort(times, kind="stable")
    return order


def _stream(streams: Streams, stream: int) -> Uniforms:
    return lambda size, start: streams.uniforms(stream, size, start)


def _exponentials(uniforms: Floats) -> Floats:
    """Exp(1) by inversion; 1 - u is exact and never 0."""
    return -np.log(1.0 - uniforms)


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(values)
