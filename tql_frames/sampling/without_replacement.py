"""Draw without replacement by successive sampling: each draw takes one of the rows left, by weight.

Rows are grouped in `strata`; draws with replacement are in `with_replacement`. By strata, draws with replacement are
made and repeats are skipped, or, if weights are steep, the slots run an exponential race. By rows, the rows run it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.rng import (
    BLOCK,
    Blocks,
    Floats,
    Integers,
    Numbers,
    Positions,
    Streams,
    cores,
    in_threads,
    over_blocks,
    sort,
)
from tql_frames.sampling.strata import StrataTable, position_type, taken
from tql_frames.sampling.with_replacement import draw_strata, integer_weights, times_power_of_two

# Streams of a seed: one for the race of rows or slots, one for each phase of a draw by strata.
_ROW_RACE, _FIRST_PHASE = 1, 2

_FEW_DRAWS = 65_536  # draws up to which estimating how many are needed takes longer than drawing some in vain
_PLACES = 262_144  # draws that a thread sorts to find repeats, at least, where there are as many
_DENSE = 64  # rows per draw up to which drawn slots are marked among all rows; above, they are kept in sorted lists
_WIDE = 2.0**500  # ratio of weights up to which quotients of times and weights stay within the range of floats
_STEEP = 24  # phases, more than for equal weights, above which a race of all slots is faster
_FEW_TIMES = 4096  # rows up to which a race is run without a time limit
_FEW_STRATA = 16  # strata up to which slots are compared with the first slot of each
_SIGMAS = 6.0  # standard errors allowed when the number of draws to the end of a phase is estimated
_TRIAL_ROWS = 4096  # rows from which the time limit of a race of more rows is estimated


def distinct_strata(table: StrataTable, size: int, streams: Streams) -> Positions:
    """Return slots drawn without replacement, shape (min(size, rows of positive weight),).

    A draw with replacement whose repeats are skipped takes each row by weight among the rows left. To limit repeats, a
    new phase with the rows left begins once half of the weight is drawn. The ends of phases depend only on the rows
    drawn, so a short draw is the start of a long one. Steep weights need many phases, and a race of all slots is
    faster. The choice depends on the table alone, so the order drawn depends neither on the size nor on partitions.
    """
    size = min(size, table.drawable)
    if _is_steep(table):
        return race_slots(table, size, streams)
    slots = np.empty(size, position_type(table.rows))
    drawn = (_Marked if table.rows <= _DENSE * size else _Listed)(table.rows)
    draw = _Phases(table, size, streams, drawn)
    done = 0
    while draw.missing:
        draw.begin()
        for found in draw.in_order():
            slots[done : done + len(found)] = found
            done += len(found)
    return slots


def distinct_strata_ascending(table: StrataTable, size: int, streams: Streams) -> Positions:
    """Return the slots that `distinct_strata` draws, ascending; for many slots this takes less time and memory.

    All but the last draws of a phase are kept in any case, so their order is not needed and they are sorted at once.
    """
    size = min(size, table.drawable)
    if _is_steep(table) or size > table.rows // 2:  # merging many slots in each phase takes longer
        slots = distinct_strata(table, size, streams)
        sort(slots)
        return slots
    drawn = _Listed(table.rows)
    draw = _Phases(table, size, streams, drawn)
    while draw.missing:
        draw.begin()
        draw.at_once(drawn)
        for _ in draw.in_order():
            pass
    return drawn.slots()


def flag_distinct_strata(table: StrataTable, size: int, streams: Streams, *, at_once: int) -> NDArray[np.bool_] | None:
    """Return a flag for each slot, true for the slots that `distinct_strata` draws; None if it draws by a race.

    The memory needed is 1.25 bytes for each slot, and some bytes for each of the draws that are made at once.

    Args:
        table: the strata.
        size: number of draws.
        streams: random numbers of the seed.
        at_once: greatest number of draws that are made at once.
    """
    size = min(size, table.drawable)
    if _is_steep(table):
        return None
    drawn = _Flagged(table.rows)
    draw = _Phases(table, size, streams, drawn)
    while draw.missing:
        draw.begin()
        while draw.at_once(drawn, at_once):
            pass
        for _ in draw.in_order():
            pass
    return drawn.marks


class _Phases:
    """A draw of slots in phases.

    Attributes:
        missing: number of slots that are still to be drawn.
    """

    def __init__(self, table: StrataTable, size: int, streams: Streams, drawn: _Marked | _Listed) -> None:
        self.missing = size
        self._table, self._streams, self._drawn = table, streams, drawn
        self._counts = table.counts  # rows left
        self._phase = -1

    def begin(self) -> None:
        """Begin the next phase."""
        self._phase += 1
        if self._phase:
            self._drawn.begin_phase()
        there = self._counts > 0
        self._left = StrataTable(self._table.weights[there], self._counts[there])
        self._shares = np.zeros(len(there), np.int64)
        self._shares[there] = integer_weights(self._left.weights, self._left.counts)
        self._total = int((self._shares * self._counts).sum())
        self._until = (self._total + 1) // 2  # the share that ends the phase
        self._start = 0

    def in_order(self) -> Iterator[Positions]:
        """Yield the slots that the rest of the phase draws, batch by batch."""
        while self._until > 0 and self.missing:
            number = self._likely()
            found = self._drawn.add(self._with_replacement(number))
            kept = min(self.missing, len(found))
            each = self._strata_of(found[:kept])
            passed = int((self._shares * each).sum())
            if passed >= self._until:  # the phase ends with the draw that reaches its share
                passed_by = np.cumsum(self._shares[self._table.stratum_of(found[:kept])])
                kept = int(passed_by.searchsorted(self._until)) + 1
                each, passed = self._strata_of(found[:kept]), int(passed_by[kept - 1])
            self._drawn.take_back(found[kept:])
            self._count(number, each, passed)
            yield found[:kept]

    def at_once(self, drawn: _Listed | _Flagged, most: float = math.inf) -> bool:
        """Draw slots of a phase in any order, but none near the end of the phase or of the whole draw.

        Args:
            drawn: collects the slots; `_Listed` only at the start of a phase.
            most: greatest number of draws.

        Returns:
            Whether slots were drawn.
        """
        number = int(min(self._certain(), most))
        while number > _FEW_DRAWS:
            found = drawn.distinct(self._with_replacement(number))
            bounds = np.append(self._table.first, self._table.rows)
            each = np.diff(found.searchsorted(bounds.astype(found.dtype)))
            passed = int((self._shares * each).sum())
            if len(found) <= self.missing and passed < self._until:
                drawn.merge(found)
                self._count(number, each, passed)
                return True
            number //= 2
        return False

    def _certain(self) -> int:
        """Return a number of draws that almost certainly ends neither the phase nor the whole draw."""
        high = 1.0
        while self._is_within(high, _SIGMAS):
            high *= 2
        return self._last_within(high, _SIGMAS)

    def _likely(self) -> int:
        """Return a number of draws that likely ends the phase or the whole draw, with few draws in vain."""
        most = self.missing + self.missing // 8 + 16
        return most if most <= _FEW_DRAWS else min(most, self._last_within(float(most), -_SIGMAS) + 1)

    def _last_within(self, high: float, sigmas: float) -> int:
        """Return the greatest number of draws up to `high` for which `_is_within` is true, to about a millionth."""
        low = 0.0
        while high - low > max(1.0, low * 2**-20):
            middle = (low + high) / 2
            low, high = (middle, high) if self._is_within(middle, sigmas) else (low, middle)
        return int(low)

    def _is_within(self, draws: float, sigmas: float) -> bool:
        """Return whether the draws, plus some standard errors, end neither the phase nor the whole draw."""
        shares, counts = self._shares.astype(np.float64), self._counts
        each = counts * -np.expm1(shares * (-draws / self._total))  # distinct slots; they vary less than a Poisson
        rows, weight, spread = each.sum(), shares @ each, np.sqrt(shares**2 @ each)
        rows, weight = rows + sigmas * np.sqrt(rows), weight + sigmas * spread
        return bool(rows < self.missing and weight < self._until)

    def _strata_of(self, slots: Positions) -> Integers:
        """Return the number of slots of each stratum, shape (m,)."""
        first = self._table.first.astype(slots.dtype)
        if len(first) > _FEW_STRATA:
            return np.bincount(self._table.stratum_of(slots), minlength=len(first))
        beyond = [np.count_nonzero(slots >= each) for each in first[1:]]
        return -np.diff([len(slots), *beyond, 0])

    def _with_replacement(self, number: int) -> Positions:
        """Return the next draws of the phase, as numbers among the slots that were undrawn when it began."""
        return draw_strata(self._left, number, self._streams, start=self._start, stream=_FIRST_PHASE + self._phase)

    def _count(self, number: int, each: Integers, passed: int) -> None:
        """Subtract new slots from what is left.

        Args:
            number: draws made, including repeats.
            each: shape (m,), new slots of each stratum.
            passed: their integer weight.
        """
        self._start += number
        self._counts = self._counts - each
        self._until -= passed
        self.missing -= int(each.sum())


def _is_steep(table: StrataTable) -> bool:
    """Return whether a race of all slots is faster than a draw in phases."""
    return _phases(table) > math.log2(max(table.drawable, 1)) + _STEEP


def _phases(table: StrataTable) -> float:
    """Return about how many phases a draw of all rows takes: the number of times that the weight left is halved.

    Each stratum is assumed to be drawn before the lighter ones: the weight left falls to the weight of the lighter
    strata, or to the weight of a last row of this one if it is greater.
    """
    there = table.weights > 0
    each = np.log2(table.weights[there])
    left = np.logaddexp2.accumulate(each + np.log2(table.counts[there]))  # weight of this and all lighter strata
    lighter = np.append(-math.inf, left[:-1])
    return float(np.maximum(left - np.maximum(lighter, each), 0).sum())


class _Marked:
    """The drawn slots, as marks among all slots."""

    def __init__(self, rows: int) -> None:
        self.marks = np.zeros(rows, np.bool_)
        self._left: Positions | None = None  # slots undrawn before this phase; None for all

    def add(self, numbers: Positions) -> Positions:
        """Add slots by their numbers among the undrawn slots, and return the new slots, each once, in the order drawn.

        The numbers are counted among the slots that were undrawn when the phase began.
        """
        slots = self._slots_of(numbers)
        fresh = np.ones(len(slots), np.bool_)
        threads = cores() if len(slots) > BLOCK else 1
        rounds = max(1, len(slots) // (threads * _PLACES))
        each = -(-len(slots) // (threads * rounds)) or 1
        for first in range(0, len(slots), threads * each):
            some = slice(first, first + threads * each)
            self._mark(slots[some], fresh[some], each)
        return slots[fresh]

    def _mark(self, slots: Positions, fresh: NDArray[np.bool_], each: int) -> None:
        """Mark slots, and set `fresh` to false for draws of slots that were marked before; both of shape (k,).

        First each thread sorts `each` of the slots, so that marks are accessed in order. Then each thread marks slots
        in a range of its own, so that threads are independent.
        """
        ordered = {}

        def arrange(first: int) -> None:
            ordered[first] = _sorted_with_places(slots[first : first + each])

        def mark(own: tuple[int, int]) -> None:
            for first, (ascending, places) in sorted(ordered.items()):
                start, stop = ascending.searchsorted(own).tolist()
                slot = ascending[start:stop]
                again = self.marks.take(slot)
                again[1:] |= slot[1:] == slot[:-1]
                self.marks[slot] = True
                fresh[first + places(np.flatnonzero(again) + start)] = False

        firsts = range(0, len(slots), each)
        if len(firsts) == 1:
            arrange(0)
            mark((0, len(self.marks)))
            return
        in_threads(arrange, firsts)
        some, _ = ordered[0]
        bounds = some[np.arange(1, len(firsts)) * len(some) // len(firsts)].tolist()
        in_threads(mark, list(pairwise([0, *bounds, len(self.marks)])))

    def take_back(self, slots: Positions) -> None:
        """Mark slots as undrawn again."""
        self.marks[slots] = False

    def begin_phase(self) -> None:
        """Renumber the undrawn slots for the next phase."""
        dtype, left = position_type(len(self.marks)), {}

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                left[first] = (np.flatnonzero(~self.marks[first:stop]) + first).astype(dtype)

        over_blocks(len(self.marks), run)
        self._left = np.concatenate([left[first] for first in sorted(left)])

    def _slots_of(self, numbers: Positions) -> Positions:
        """Return slots by their numbers among the slots that were undrawn when the phase began."""
        return numbers if self._left is None else taken(self._left, numbers)


class _Flagged(_Marked):
    """Marks in less memory than `_Marked`: undrawn slots are stored as bits, which are numbered block by block."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self._undrawn: NDArray[np.uint8] | None = None  # before this phase, eight slots a byte; None for all
        self._ends = np.empty(0, np.int64)  # number of these slots up to the end of each block

    def begin_phase(self) -> None:
        bits = np.empty(-(-len(self.marks) // 8), np.uint8)
        each = np.zeros(-(-len(self.marks) // BLOCK), np.int64)

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                undrawn = ~self.marks[first:stop]
                each[first // BLOCK] = np.count_nonzero(undrawn)
                bits[first // 8 : -(-stop // 8)] = np.packbits(undrawn)

        over_blocks(len(self.marks), run)
        self._undrawn, self._ends = bits, np.cumsum(each)

    def distinct(self, numbers: Positions) -> Positions:
        """Return slots by their numbers, without drawn slots and repeats, ascending; `merge` adds them.

        The numbers are overwritten.
        """
        sort(numbers)
        slots = self._ascending(_without_repeats(numbers))
        return slots.compress(~self.marks.take(slots))

    def merge(self, slots: Positions) -> None:
        """Add slots that are not drawn yet."""
        self.marks[slots] = True

    def _slots_of(self, numbers: Positions) -> Positions:
        ascending, places = _sorted_with_places(numbers)
        slots = np.empty_like(numbers)
        slots[places(np.arange(len(numbers)))] = self._ascending(ascending.astype(numbers.dtype))
        return slots

    def _ascending(self, numbers: Positions) -> Positions:
        """Return slots by their ascending numbers among the slots that were undrawn when the phase began."""
        bits = self._undrawn
        if bits is None:
            return numbers
        bounds = np.append(0, numbers.searchsorted(self._ends.astype(numbers.dtype)))
        slots = np.empty(len(numbers), position_type(len(self.marks)))

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                block = first // BLOCK
                own = slice(bounds[block], bounds[block + 1])
                if own.start == own.stop:
                    continue
                undrawn = np.flatnonzero(np.unpackbits(bits[first // 8 : -(-stop // 8)], count=stop - first))
                before = self._ends[block] - len(undrawn)
                slots[own] = undrawn.take(numbers[own].astype(np.int64) - before) + first

        over_blocks(len(self.marks), run)
        return slots


class _Listed:
    """The drawn slots, as sorted lists, with the methods of `_Marked`; memory depends on the draws, not on the rows."""

    def __init__(self, rows: int) -> None:
        self._drawn: Positions = np.empty(0, position_type(rows))
        self._latest: Positions = self._drawn  # merged later, so that not every batch moves all earlier slots
        self._gaps: Positions = self._drawn  # number of undrawn slots below each slot drawn before this phase

    def add(self, numbers: Positions) -> Positions:
        """Add slots by their numbers, and return the new ones, as `_Marked.add` does."""
        if len(self._latest) > len(self._drawn) // 4:
            self._merge_latest()
        slots = numbers
        if self._gaps.size:
            slots = (numbers + self._gaps.searchsorted(numbers, side="right")).astype(self._drawn.dtype)
        distinct, draws = _first_places(slots)
        for before in (self._drawn, self._latest):
            if before.size:
                new = before.take(before.searchsorted(distinct), mode="clip") != distinct
                distinct, draws = distinct[new], draws[new]
        first = np.zeros(len(slots), np.bool_)
        first[draws] = True
        self._latest = _merged(self._latest, distinct)
        return slots[first]

    def distinct(self, numbers: Positions) -> Positions:
        """Return slots by the first numbers of a phase, without repeats, ascending; `merge` adds them.

        The numbers are overwritten.
        """
        sort(numbers)
        if self._gaps.size:
            for first in range(0, len(numbers), BLOCK):
                block = numbers[first : first + BLOCK]
                block += self._gaps.searchsorted(block, side="right").astype(block.dtype)
        return _without_repeats(numbers)

    def merge(self, slots: Positions) -> None:
        """Add ascending slots that are not drawn yet."""
        self._drawn = _merged(self._drawn, slots)

    def take_back(self, slots: Positions) -> None:
        """Mark slots of the last batch as undrawn again."""
        self._latest = np.delete(self._latest, self._latest.searchsorted(slots))

    def begin_phase(self) -> None:
        """Renumber the undrawn slots for the next phase."""
        self._merge_latest()
        self._gaps = self._drawn - np.arange(len(self._drawn)).astype(self._drawn.dtype)

    def slots(self) -> Positions:
        """Return all drawn slots, ascending."""
        self._gaps = self._gaps[:0]
        self._merge_latest()
        return self._drawn

    def _merge_latest(self) -> None:
        self._drawn, self._latest = _merged(self._drawn, self._latest), self._latest[:0]


def _merged(some: Positions, others: Positions) -> Positions:
    """Merge two ascending lists that have no number in common."""
    if not some.size or not others.size:
        return some if some.size else others
    more, fewer = (some, others) if len(some) > len(others) else (others, some)
    found = np.empty(len(more) + len(fewer), more.dtype)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            # The part of the other list from this block up to the next.
            start = fewer.searchsorted(more[first]) if first else 0
            end = fewer.searchsorted(more[stop]) if stop < len(more) else len(fewer)
            part = found[first + start : stop + end]
            part[: stop - first] = more[first:stop]
            part[stop - first :] = fewer[start:end]
            part.sort()

    over_blocks(len(more), run)
    return found


def _without_repeats(numbers: Positions) -> Positions:
    """Return the distinct numbers of an ascending list, in place: a view of its start."""
    kept = 0
    for first in range(0, len(numbers), BLOCK):
        block = numbers[first : first + BLOCK]
        new = np.ones(len(block), np.bool_)
        np.not_equal(block[1:], block[:-1], out=new[1:])
        new[0] = not kept or numbers[kept - 1] != block[0]
        block = block[new]
        numbers[kept : kept + len(block)] = block
        kept += len(block)
    return numbers[:kept]


def _first_places(numbers: Positions) -> tuple[Positions, Integers]:
    """Return the distinct numbers, ascending, and the place of the first occurrence of each."""
    ascending, places = _sorted_with_places(numbers)
    new = np.ones(len(numbers), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=new[1:])
    return ascending.compress(new).astype(numbers.dtype), places(np.flatnonzero(new))


def _sorted_with_places(numbers: Positions) -> tuple[Integers, Callable[[Integers], Integers]]:
    """Return numbers in ascending order, and a function from places in this order to places in `numbers`.

    Equal numbers keep their order. Both have 64 bits, because NumPy would copy other indices.
    """
    bits = max(len(numbers) - 1, 1).bit_length()
    if not len(numbers) or int(numbers.max()).bit_length() + bits > 63:
        order = np.argsort(numbers, kind="stable")
        return numbers.take(order).astype(np.int64), order.take
    keys = numbers.astype(np.int64)  # number and place in one key, as an argsort is slower
    keys <<= bits
    keys |= np.arange(len(numbers))
    keys.sort()
    return keys >> bits, lambda some: keys.take(some) & ((1 << bits) - 1)


def race_rows(weights: Floats, size: int, streams: Numbers) -> Positions:
    """Return row positions drawn without replacement by an exponential race: each row has a random time."""
    positive = weights > 0
    size = min(size, int(np.count_nonzero(positive)))
    if not size:
        return np.empty(0, position_type(len(weights)))
    race = Race.of(float(weights[positive].min()), float(weights.max()))
    del positive
    limit = _time_of(weights, size, race.exponent) if race.narrow and len(weights) > _FEW_TIMES else math.inf
    while True:
        rows, times = finishers(weights, race, limit, streams)
        if len(rows) >= size:
            return _first_of(rows, times, size)
        limit *= 2


def _first_of(rows: Positions, times: Floats, size: int) -> Positions:
    """Return the first `size` rows of a race, in the order of their times."""
    if size < len(rows):
        first = np.argpartition(times, size - 1)[:size] if size else np.empty(0, np.int64)
        first.sort()  # so that rows with equal times are in table order
        rows, times = rows[first], times[first]
    return rows[_order(times)]


def race_slots(table: StrataTable, size: int, streams: Streams) -> Positions:
    """Return slots drawn without replacement by an exponential race: each slot has a random time.

    Args:
        table: the strata, with at least one row of positive weight.
        size: number of draws, at most the rows of positive weight.
        streams: random numbers of the seed.
    """
    there = table.weights > 0
    weights, counts = table.weights[there], table.counts[there]
    race = Race.of(float(weights[0]), float(weights[-1]))
    limit = math.inf
    wanted = 1.02 * size + 8 * math.sqrt(size)
    if wanted < table.drawable:
        limit = log_time(times_power_of_two(weights, race.exponent) if race.narrow else weights, counts, wanted)
        limit = math.exp(limit) if race.narrow else limit
    bounds = np.cumsum(table.counts)

    def weights_of(first: int, stop: int) -> Floats:
        strata = slice(int(bounds.searchsorted(first, side="right")), int(bounds.searchsorted(stop)) + 1)
        counts = np.diff(np.minimum(bounds[strata], stop), prepend=first)
        return np.repeat(table.weights[strata], counts)

    while True:
        slots, times = finishers_by(table.rows, weights_of, race, limit, streams)
        if len(slots) >= size:
            return _first_of(slots, times, size)
        limit += 1 + abs(limit)


class Race(NamedTuple):
    """The representation of the times in a race of rows.

    Attributes:
        exponent: the weights times 2**exponent are below 1.
        narrow: whether times are stored as quotients of Exp(1) numbers and weights. If the range of the weights is so
            wide that quotients could exceed the range of floats, their logarithms are stored.
    """

    exponent: int
    narrow: bool

    @classmethod
    def of(cls, least: float, most: float) -> Race:
        """Return the race of rows whose positive weights lie between `least` and `most`."""
        return cls(-math.frexp(most)[1], most / least < _WIDE)


def finishers(
    weights: Floats, race: Race, limit: float, streams: Numbers, *, start: int = 0
) -> tuple[Positions, Floats]:
    """Return the rows that finish by a time limit, in table order, and their times.

    Args:
        weights: shape (n,).
        race: race of the whole population.
        limit: the time limit, or its logarithm.
        streams: random numbers of the rows.
        start: position of the first row in the population.
    """
    return finishers_by(len(weights), lambda first, stop: weights[first:stop], race, limit, streams, start=start)


def finishers_by(
    rows: int,
    weights_of: Callable[[int, int], Floats],
    race: Race,
    limit: float | Callable[[int, int], Floats],
    streams: Numbers,
    *,
    start: int = 0,
) -> tuple[Positions, Floats]:
    """Return the same as `finishers`, with weights by block.

    Args:
        rows: number of rows.
        weights_of: returns the weights of the rows from a first up to a stop.
        race: race of the whole population.
        limit: the time limit or its logarithm, or a function that returns the limits of rows, like `weights_of`.
        streams: random numbers of the rows.
        start: position of the first row in the population.
    """
    exponent, narrow = race
    found: dict[int, tuple[Integers, Floats]] = {}

    def run(blocks: Blocks) -> None:
        uniforms = np.empty(0)
        for first, stop in blocks:
            if len(uniforms) < stop - first:
                uniforms = np.empty(stop - first)
            number, weight = uniforms[: stop - first], weights_of(first, stop)
            by = limit if isinstance(limit, float) else limit(first, stop)
            streams.fill(_ROW_RACE, start + first, number)
            if narrow:
                weight = times_power_of_two(weight, exponent)
                # A time -log(1 - u) / w is at least u / w, so most rows are excluded before a logarithm is computed.
                with np.errstate(invalid="ignore"):  # weight 0 times an infinite limit is NaN, which excludes the row
                    here = np.flatnonzero(number < weight * by)
                time = _exponentials(number[here]) / weight[here]
            else:
                here = np.flatnonzero(weight)
                time = _log(_exponentials(number[here])) - _log(weight[here])
            early = time <= (by if isinstance(by, float) else by[here])
            found[first] = here[early] + first, time[early]

    over_blocks(rows, run)
    blocks = [found[first] for first in sorted(found)]
    early_rows = np.concatenate([np.empty(0, np.int64), *(each for each, _ in blocks)])
    return early_rows.astype(position_type(rows)), np.concatenate([np.empty(0), *(times for _, times in blocks)])


def _time_of(weights: Floats, size: int, exponent: int) -> float:
    """Return a time by which a few more than `size` rows have likely finished, estimated from some of the rows."""
    some = times_power_of_two(weights[:: max(1, len(weights) // _TRIAL_ROWS)], exponent)
    some = some[some > 0]
    share = 1.02 * size / len(weights) + 4 * math.sqrt(size) / len(weights) + 2 / _TRIAL_ROWS
    wanted = share * len(weights[:: max(1, len(weights) // _TRIAL_ROWS)])
    if wanted >= len(some):
        return math.inf
    return math.exp(log_time(some, np.ones(len(some)), wanted))


def log_time(weights: Floats, counts: Floats | Integers, wanted: float) -> float:
    """Return the logarithm of the time at which `wanted` rows have finished on average.

    `wanted` must be less than the number of rows.
    """
    logs = _log(weights)
    low, high = -float(logs.max()) - 64 * math.log(2), -float(logs.min()) + 8 * math.log(2)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (counts * finished(middle + logs)).sum() < wanted else (low, middle)
    return high


def finished(log_times: Floats) -> Floats:
    """Return the probability that an Exp(1) variable is at most exp(log_times)."""
    found: Floats = -np.expm1(-np.exp(np.minimum(log_times, 8.0)))
    return found


def _order(times: Floats) -> Integers:
    """Return the stable sort order of times; a faster sort returns the same unless two times are equal."""
    order = np.argsort(times)
    ordered = times[order]
    if (ordered[1:] == ordered[:-1]).any():
        return np.argsort(times, kind="stable")
    return order


def _exponentials(uniforms: Floats) -> Floats:
    """Return Exp(1) numbers by inversion; 1 - u is exact and never 0."""
    return -np.log(1.0 - uniforms)


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(values)
