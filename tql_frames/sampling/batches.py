"""Draw batches with quotas: every batch has a fixed number of rows from each pool. Pools may share rows.

A pool is a set of rows with weights, such as the rows of a label, or all other rows; `torch.batches` builds the pools.
With replacement, the draws from a pool are independent. Without, they run in passes over the pool, so that no row is
drawn again before all rows have been drawn. NumPy only.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.groups import GroupLines, Groups, draw_groups, first_of_groups, ranges
from tql_frames.sampling.rng import Floats, Integers, Positions, Streams, derived_seed

_HEADROOM = 64  # binary digits by which weights are scaled down so that their sum does not overflow
_ROUNDS = 8  # of draws with replacement; groups that batches still lack are then drawn without replacement
_PART = 2**23  # pairs of a batch and a group that race together
_LOOK, _LOOKS = 64, 8  # rows that a search for an exchange reads at a time, and how many times in each direction
_REST, _ORDER, _PICKS, _RACE, _APART = range(5)  # branches of a seed


@dataclass(frozen=True)
class Pools:
    """Rows of positive weight by pool; a row may be in several pools.

    Attributes:
        rows: shape (k,), positions, pool by pool.
        groups: the pool of each row, ascending.
        weights: shape (k,), finite, > 0.

    Examples:
        >>> pools = Pools.of([np.array([0, 1, 2]), np.array([2, 3])], np.array([1.0, 0.0, 2.0, 5.0]))
        >>> pools.rows.tolist(), pools.sizes.tolist(), pools.totals.tolist()
        ([0, 2, 2, 3], [2, 2], [3.0, 7.0])
    """

    rows: Positions
    groups: Groups
    weights: Floats

    @classmethod
    def of(cls, members: list[Positions], weights: Floats) -> Pools:
        """Return pools of the members of positive weight; `weights` has the shape (n,)."""
        there = [each[weights.take(each) > 0] for each in members]
        codes = np.repeat(np.arange(len(there), dtype=np.uint32), [len(each) for each in there])
        rows = np.concatenate([np.empty(0, np.uint32), *there])
        return cls(rows, Groups(codes, len(there)), weights.take(rows))

    @classmethod
    def of_groups(cls, rows: Positions | None, groups: Groups, weights: Floats) -> Pools:
        """Return pools from pairs of a row and a pool.

        Args:
            rows: shape (k,), the row of each pair; None if every row has one pair, in table order.
            groups: the pool of each pair.
            weights: shape (n,), of the rows.
        """
        order = groups.order
        found = order if rows is None else rows.take(order)
        there = weights.take(found) > 0
        codes = groups.codes.take(order)[there]
        found = found[there]
        return cls(found, Groups(codes, groups.count), weights.take(found))

    @cached_property
    def sizes(self) -> Integers:
        """Number of rows of each pool, shape (pools,)."""
        return self.groups.rows

    @cached_property
    def totals(self) -> Floats:
        """Sum of the weights of each pool, shape (pools,); if one overflows, all are scaled down."""
        found = np.bincount(self.groups.codes, self.weights, minlength=self.groups.count).astype(np.float64)
        if np.isfinite(found).all():
            return found
        scaled = np.ldexp(self.weights, -_HEADROOM)
        return np.bincount(self.groups.codes, scaled, minlength=self.groups.count).astype(np.float64)

    @cached_property
    def firsts(self) -> Integers:
        """Place of the first row of each pool, shape (pools,)."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def _lines(self) -> GroupLines:
        return GroupLines.of(self.weights, self.groups)

    def draw(self, sizes: Integers, *, replace: bool, seed: int, each: Integers | None = None) -> Positions:
        """Draw rows of each pool.

        Args:
            sizes: shape (pools,), draws from each pool; 0 for a pool without rows.
            replace: whether to draw with replacement by weight, each draw independent of the others. Otherwise the
                draws run in passes: each pass has all rows in a random order. The last pass may be shorter; its rows
                are drawn by weight without replacement.
            seed: fixes the draw.
            each: shape (pools,), draws that are used together, such as the rows of a batch. Without replacement, the
                start of a new pass does not repeat a row among them.

        Returns:
            Row positions, pool by pool, shape (sum of sizes,).

        Examples:
            >>> pools = Pools.of([np.array([0, 1, 2]), np.array([3])], np.ones(4))
            >>> found = pools.draw(np.array([6, 2]), replace=False, seed=1)
            >>> sorted(found[:3].tolist()), sorted(found[3:6].tolist()), found[6:].tolist()
            ([0, 1, 2], [0, 1, 2], [3, 3])
        """
        if replace:
            return self.rows.take(self._lines.draw(sizes, seed=seed))
        passes, rest = np.divmod(sizes, np.maximum(self.sizes, 1))
        counts = passes * self.sizes
        pool = np.repeat(np.arange(len(counts)), counts)
        number, place = np.divmod(ranges(np.zeros_like(counts), counts), self.sizes.take(pool))
        # Passes are numbered pool by pool; the last of each pool may be shorter than the pool.
        first = np.cumsum(passes + 1) - (passes + 1)
        last = draw_groups(self.weights, self.groups, rest, replace=False, seed=derived_seed(seed, _REST))
        places = np.concatenate([self.firsts.take(pool) + place, last.astype(np.int64)])
        codes = np.concatenate([first.take(pool) + number, np.repeat(first + passes, rest)])
        times = Streams(derived_seed(seed, _ORDER)).uniforms(0, len(codes))
        of_passes = np.bincount(codes, minlength=int(first[-1] + passes[-1] + 1) if len(first) else 0)
        found = places[first_of_groups(codes, times, of_passes)]
        if each is not None:
            self._part_passes(found, sizes, each, seed)
        return self.rows.take(found)

    def _part_passes(self, found: Integers, sizes: Integers, each: Integers, seed: int) -> None:
        """Reorder passes that begin within a batch, so that no row repeats one that the batch has from the pass before.

        The first rows of such a pass are chosen among the rows that the batch does not have yet, and the rest of the
        pass is shuffled again. This is the distribution of random passes, given that no batch has a row twice.

        Args:
            found: places of rows, pool by pool, pass by pass; changed in place.
            sizes: shape (pools,), draws from each pool.
            each: shape (pools,), draws that are used together: a batch.
            seed: seed of the draw.
        """
        starts = np.cumsum(sizes) - sizes
        streams = Streams(derived_seed(seed, _APART))
        crossing = np.flatnonzero((self.sizes >= each) & (self.sizes > 0) & (each > 1))
        number = 0
        while crossing.size:
            number += 1
            crossing = crossing[sizes[crossing] > number * self.sizes[crossing]]
            begin = number * self.sizes[crossing]
            tail = begin % each[crossing]
            pools, begin, tail = crossing[tail > 0], begin[tail > 0], tail[tail > 0]
            length = np.minimum(self.sizes[pools], sizes[pools] - begin)
            head = np.minimum(each[pools] - tail, length)
            firsts = starts[pools] + begin
            before = found[ranges(firsts - tail, tail)]
            owner = np.repeat(np.arange(len(pools)), head)
            meets = np.isin(found[ranges(firsts, head)], before)
            meeting = np.flatnonzero(np.bincount(owner[meets], minlength=len(pools)))
            if not meeting.size:
                continue
            firsts, length, head = firsts[meeting], length[meeting], head[meeting]
            places = ranges(firsts, length)
            rows = found[places]
            owner = np.repeat(np.arange(len(meeting)), length)
            within = places - np.repeat(firsts, length)
            first = np.lexsort((within, np.isin(rows, before), owner))  # rows that the batch lacks, in their order
            rank = np.empty(len(rows), np.int64)
            rank[first] = within
            random = streams.uniforms(number, len(rows))
            later = rank >= head.take(owner)
            found[places] = rows[np.lexsort((np.where(later, random, rank - head.take(owner)), later, owner))]


def draw_batches(pools: Pools, quotas: Integers, batches: int, *, replace: bool, seed: int) -> Positions:
    """Draw batches with a fixed number of rows from each pool.

    Args:
        pools: pools to draw from.
        quotas: shape (pools,), rows of each pool in a batch; 0 for a pool without rows.
        batches: number of batches.
        replace: whether to draw with replacement. Otherwise the draws run in passes over each pool, and a batch has a
            row twice only if a quota is larger than its pool, or if small pools share rows.
        seed: fixes the batches.

    Returns:
        Row positions, shape (batches, sum of quotas), in the order of the pools.

    Examples:
        >>> pools = Pools.of([np.array([0, 1]), np.array([2, 3, 4, 5])], np.ones(6))
        >>> found = draw_batches(pools, np.array([1, 2]), 4, replace=False, seed=3)
        >>> sorted(found[:2, 0].tolist()), sorted(found[:2, 1:].ravel().tolist())
        ([0, 1], [2, 3, 4, 5])
    """
    sizes = batches * quotas
    # Draws are stored pool by pool: each batch takes the next draws of each pool.
    places = ranges(np.cumsum(sizes) - sizes, quotas) + np.repeat(quotas, quotas) * np.arange(batches)[:, None]
    return _rows_at(pools, places, sizes, quotas, replace=replace, seed=seed)


def draw_group_batches(
    pools: Pools, weights: Floats, groups: int, each: int, batches: int, *, replace: bool, seed: int
) -> Positions:
    """Draw batches of several distinct pools, drawn by weight, and a fixed number of rows from each of them.

    Args:
        pools: pools to draw from.
        weights: shape (pools,), finite, >= 0, and 0 for pools without rows; at least `groups` of them are positive.
        groups: number of pools in a batch.
        each: rows from each pool of a batch.
        batches: number of batches.
        replace: as in `draw_batches`.
        seed: fixes the batches.

    Returns:
        Row positions, shape (batches, groups * each), pool by pool in the order drawn.

    Examples:
        >>> pools = Pools.of([np.array([0, 1]), np.array([2, 3]), np.array([4, 5])], np.ones(6))
        >>> draw_group_batches(pools, np.array([1.0, 1.0, 0.0]), 2, 2, 2, replace=False, seed=3).tolist()
        [[2, 3, 0, 1], [0, 1, 2, 3]]
    """
    picks = pick_groups(weights, groups, batches, seed=derived_seed(seed, _PICKS)).ravel()
    visits = np.bincount(picks, minlength=len(weights))
    # Draws are stored pool by pool: each time a pool is picked, the batch takes its next draws.
    starts = np.empty(len(picks), np.int64)
    starts[np.argsort(picks, kind="stable")] = each * np.arange(len(picks))
    places = (starts[:, None] + np.arange(each)).reshape(batches, groups * each)
    return _rows_at(pools, places, each * visits, np.full(len(visits), each), replace=replace, seed=seed)


def _rows_at(
    pools: Pools, places: Integers, sizes: Integers, quotas: Integers, *, replace: bool, seed: int
) -> Positions:
    """Draw rows of each pool, and return the rows of each batch, shape (batches, size).

    Args:
        pools: pools to draw from.
        places: shape (batches, size), places of the rows of each batch among the draws of all pools.
        sizes: shape (pools,), draws from each pool.
        quotas: shape (pools,), draws of each pool that a batch takes together.
        replace: as in `draw_batches`.
        seed: fixes the draw.
    """
    rows = pools.draw(sizes, replace=replace, seed=seed, each=quotas)
    if replace:
        return rows[places]
    return _Apart(pools, rows, places, np.cumsum(sizes) - sizes, quotas).rows_of_batches()


def pick_groups(weights: Floats, groups: int, batches: int, *, seed: int) -> Integers:
    """Draw distinct groups for each batch by successive sampling.

    A draw with replacement whose repeats are dropped is a draw without replacement. For batches that still lack groups
    after a few rounds, the groups that they do not have yet run an exponential race.

    Args:
        weights: shape (g,), finite, >= 0; at least `groups` of them are positive.
        groups: number of groups in a batch.
        batches: number of batches.
        seed: fixes the groups.

    Returns:
        Numbers of groups, shape (batches, groups), in the order drawn.

    Examples:
        >>> picks = pick_groups(np.array([1.0, 0.0, 3.0, 1.0]), 3, 100, seed=7)
        >>> np.sort(picks, axis=1)[0].tolist(), picks.shape
        ([0, 2, 3], (100, 3))
    """
    found = np.full((batches, groups), -1, np.int64)
    have = np.zeros(batches, np.int64)
    lacking = np.arange(batches)
    for number in range(_ROUNDS):
        if not lacking.size:
            return found
        # Groups that all of these batches have already could only be repeats.
        common = np.bincount(found[lacking][found[lacking] >= 0], minlength=len(weights)) == lacking.size
        lines = GroupLines.of(np.where(common, 0.0, weights), Groups.one(len(weights)))
        size = np.array([lacking.size * groups])
        drawn = lines.draw(size, seed=derived_seed(seed, _PICKS, number))
        _add_new(found, have, lacking, drawn.reshape(-1, groups))
        lacking = np.flatnonzero(have < groups)
    together = max(_PART // len(weights), 1)
    for first in range(0, lacking.size, together):
        part = lacking[first : first + together]
        left = np.tile(weights, (len(part), 1))
        batch, slot = np.nonzero(found[part] >= 0)
        left[batch, found[part][batch, slot]] = 0.0
        codes = np.repeat(np.arange(len(part), dtype=np.uint32), len(weights))
        sizes = groups - have[part]
        drawn = draw_groups(
            left.ravel(), Groups(codes, len(part)), sizes, replace=False, seed=derived_seed(seed, _RACE, first)
        )
        found[np.repeat(part, sizes), ranges(have[part], sizes)] = drawn.astype(np.int64) % len(weights)
    return found


def _add_new(found: Integers, have: Integers, batches: Integers, drawn: NDArray[np.integer]) -> None:
    """Append drawn groups to the groups of batches, without repeats; `found` and `have` are changed in place.

    Args:
        found: shape (all batches, groups), the groups of each batch, -1 in empty slots.
        have: shape (all batches,), number of groups of each batch.
        batches: shape (b,), the batches that draw.
        drawn: shape (b, k), groups drawn for each of them.
    """
    both = np.concatenate([found[batches], drawn.astype(np.int64)], axis=1)
    order = np.argsort(both, axis=1, kind="stable")
    ascending = np.take_along_axis(both, order, axis=1)
    first = np.ones(both.shape, np.bool_)
    first[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    new = np.empty_like(first)
    np.put_along_axis(new, order, first & (ascending >= 0), axis=1)
    rank = np.cumsum(new, axis=1)
    new &= rank <= found.shape[1]
    batch, place = np.nonzero(new)
    found[batches[batch], rank[batch, place] - 1] = both[batch, place]
    have[batches] = np.minimum(rank[:, -1], found.shape[1])


class _Apart:
    """Batches that have no row twice, where possible.

    A row can repeat because a pass may end in the middle of a batch and because pools may share rows. A repeated row
    is exchanged with another row of its pass, so that each pass still has each row once. In a last pass that is shorter
    than the pool, it can also be replaced by a row that the pass leaves out.

    Args:
        pools: pools of the draws.
        rows: shape (k,), the draws of all pools, pass by pass.
        places: shape (batches, size), places of the rows of each batch among the draws.
        firsts: shape (pools,), place of the first draw of each pool.
        quotas: shape (pools,), rows of each pool that a batch takes.
    """

    def __init__(self, pools: Pools, rows: Positions, places: Integers, firsts: Integers, quotas: Integers) -> None:
        """Copy the draws; the arguments are described in the class."""
        self._pools, self._rows, self._places, self._firsts = pools, rows.copy(), places, firsts
        stops = np.append(firsts[1:], len(rows))
        self._small = np.repeat(pools.sizes < quotas, stops - firsts)  # draws of pools whose rows have to repeat

    def rows_of_batches(self) -> Positions:
        """Return the rows of the batches, shape (batches, size)."""
        found = self._rows[self._places].astype(np.int64)
        if self._small.any():
            small = self._small[self._places]
            found[small] = -1 - np.nonzero(small)[1]
        found.sort(axis=1)
        waiting = np.flatnonzero((found[:, 1:] == found[:, :-1]).any(axis=1)).tolist()  # ascends: a heap
        if waiting:
            self._batch_of = np.empty(len(self._rows), np.int64)
            self._batch_of[self._places.ravel()] = np.repeat(np.arange(len(self._places)), self._places.shape[1])
        while waiting:
            for later in self._mend(heapq.heappop(waiting)):
                heapq.heappush(waiting, later)
        return self._rows[self._places]

    def _mend(self, batch: int) -> list[int]:
        """Exchange the repeated rows of a batch, and return later batches in which an exchange repeated a row."""
        found: list[int] = []
        seen: dict[int, int] = {}  # place of each row
        for place in self._places[batch].tolist():
            if self._small[place]:
                continue
            row = int(self._rows[place])
            if row in seen:
                for mine in (place, seen[row]):
                    its = self._exchange(mine, batch)
                    if its is not None:
                        found += [its] if its > batch and self._has_twice(its, row) else []
                        seen[int(self._rows[mine])] = mine
                        break
            seen[int(self._rows[place])] = place
        return found

    def _has_twice(self, batch: int, row: int) -> bool:
        return int((self._rows[self._places[batch]] == row).sum()) > 1

    def _exchange(self, place: int, batch: int) -> int | None:
        """Put another row of the pass at a place of a batch, and return the batch that had this row.

        A row of a batch that does not have the repeated row is preferred; else a row of a later batch, which is then
        checked again.

        Returns:
            The batch of the other row; -1 if no batch had it, as the last pass left it out; None if there is none.
        """
        pools, rows = self._pools, self._rows
        pool = int(self._firsts.searchsorted(place, side="right")) - 1
        first, size = int(self._firsts[pool]), int(pools.sizes[pool])
        end = int(self._firsts[pool + 1]) if pool + 1 < len(self._firsts) else len(rows)
        begin = first + (place - first) // size * size
        stop = min(begin + size, end)
        there = rows[self._places[batch]]
        later: int | None = None
        for part in (range(place + 1, stop, _LOOK), range(place - _LOOK, begin - _LOOK, -_LOOK)):
            for looked_from in part[:_LOOKS]:
                looked = np.arange(max(looked_from, begin), min(looked_from + _LOOK, stop))
                looked = looked[(rows[looked][:, None] != there).all(axis=1)]  # faster than `isin` for few rows
                fine = (rows[self._places[self._batch_of[looked]]] != rows[place]).all(axis=1)
                if fine.any():
                    return self._swap(place, int(looked[fine.argmax()]))
                after = looked[self._batch_of[looked] > batch]
                later = int(after[0]) if later is None and after.size else later
        if later is not None:
            return self._swap(place, later)
        if stop - begin < size:
            every = pools.rows[pools.firsts[pool] : pools.firsts[pool] + size]
            left = np.setdiff1d(every, np.concatenate([rows[begin:stop], there]), assume_unique=False)
            if left.size:
                rows[place] = left[place % len(left)]
                return -1
        return None

    def _swap(self, place: int, other: int) -> int:
        self._rows[place], self._rows[other] = self._rows[other], self._rows[place]
        return int(self._batch_of[other])
