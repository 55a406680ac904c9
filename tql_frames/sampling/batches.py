"""Batches with quotas: a fixed number of rows from each pool in every batch. Pools may share rows.

A pool is a set of rows with weights, such as those of a label, or all others. With replacement its draws are
independent; without, they go through the pool in passes, so that no row comes again before all came. NumPy only.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.groups import GroupLines, Groups, draw_groups, first_of_groups, ranges
from tql_frames.sampling.rng import Floats, Integers, Positions, Streams, derived_seed

_HEADROOM = 64  # binary digits: no sum of weights so much smaller is beyond the range of numbers
_ROUNDS = 8  # of draws with replacement, before the groups that batches still lack are drawn without
_PART = 2**23  # pairs of a batch and a group that race together
_LOOK, _LOOKS = 64, 8  # rows among which another one is looked for at a time, and how often
_REST, _ORDER, _PICKS, _RACE, _APART = range(5)  # branches of a seed


@dataclass(frozen=True)
class Pools:
    """Rows of positive weight, by the pools that they are in; a row may be in several.

    Attributes:
        rows: shape (k,), positions, pool by pool.
        groups: the pool of each, which ascends.
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
        """Take the rows of each pool that have a positive weight; `weights` has the shape (n,)."""
        there = [each[weights.take(each) > 0] for each in members]
        codes = np.repeat(np.arange(len(there), dtype=np.uint32), [len(each) for each in there])
        rows = np.concatenate([np.empty(0, np.uint32), *there])
        return cls(rows, Groups(codes, len(there)), weights.take(rows))

    @classmethod
    def of_groups(cls, rows: Positions | None, groups: Groups, weights: Floats) -> Pools:
        """Take pools that were numbered row by row.

        Args:
            rows: shape (k,), the row of each pair of a row and a pool; None for each row once.
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
        """Shape (pools,): rows of each."""
        return self.groups.rows

    @cached_property
    def totals(self) -> Floats:
        """Shape (pools,): the sum of the weights of each; all scaled down where one is beyond the range of numbers."""
        found = np.bincount(self.groups.codes, self.weights, minlength=self.groups.count).astype(np.float64)
        if np.isfinite(found).all():
            return found
        scaled = np.ldexp(self.weights, -_HEADROOM)
        return np.bincount(self.groups.codes, scaled, minlength=self.groups.count).astype(np.float64)

    @cached_property
    def firsts(self) -> Integers:
        """Shape (pools,): where the rows of each begin."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def _lines(self) -> GroupLines:
        return GroupLines.of(self.weights, self.groups)

    def draw(self, sizes: Integers, *, replace: bool, seed: int, each: Integers | None = None) -> Positions:
        """Draw rows of each pool.

        Args:
            sizes: shape (pools,), draws; 0 of a pool without rows.
            replace: with replacement by weight, each draw independent of the others; or in passes, each of all rows in
                a random order. Of the last pass, which may be a part of one, the rows are drawn by weight without
                replacement.
            seed: fixes them.
            each: shape (pools,), draws that are used together; without replacement a row does not come twice among them
                because one pass ends and the next begins.

        Returns:
            Row positions, those of one pool after those of the other, shape (sum of sizes,).

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
        # Passes are numbered pool by pool; the last of each is the part of one.
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
        """Begin passes with rows that those who still use the pass before do not have.

        These first rows are drawn among all others, and the rest of the pass has a random order of its own: that is the
        distribution of passes in which no row comes twice.

        Args:
            found: places of rows, pool by pool, pass by pass; changed.
            sizes: shape (pools,), how many of each.
            each: shape (pools,), draws that are used together.
            seed: of the draw.
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
            first = np.lexsort((within, np.isin(rows, before), owner))  # those that come first: in their order
            rank = np.empty(len(rows), np.int64)
            rank[first] = within
            random = streams.uniforms(number, len(rows))
            later = rank >= head.take(owner)
            found[places] = rows[np.lexsort((np.where(later, random, rank - head.take(owner)), later, owner))]


def draw_batches(pools: Pools, quotas: Integers, batches: int, *, replace: bool, seed: int) -> Positions:
    """Draw batches with a fixed number of rows from each pool.

    Args:
        pools: to draw from.
        quotas: shape (pools,), rows of each pool in a batch; 0 of a pool without rows.
        batches: how many.
        replace: whether a row may come again at any time; otherwise each pool is gone through in passes, and a batch
            has a row twice only where a quota is larger than its pool, or small pools share rows.
        seed: fixes them.

    Returns:
        Row positions, shape (batches, sum of quotas), in the order of the pools.

    Examples:
        >>> pools = Pools.of([np.array([0, 1]), np.array([2, 3, 4, 5])], np.ones(6))
        >>> found = draw_batches(pools, np.array([1, 2]), 4, replace=False, seed=3)
        >>> sorted(found[:2, 0].tolist()), sorted(found[:2, 1:].ravel().tolist())
        ([0, 1], [2, 3, 4, 5])
    """
    sizes = batches * quotas
    # Draws lie pool by pool: each batch takes the next ones of each.
    places = ranges(np.cumsum(sizes) - sizes, quotas) + np.repeat(quotas, quotas) * np.arange(batches)[:, None]
    return _rows_at(pools, places, sizes, quotas, replace=replace, seed=seed)


def draw_group_batches(
    pools: Pools, weights: Floats, groups: int, each: int, batches: int, *, replace: bool, seed: int
) -> Positions:
    """Draw batches of a fixed number of rows from each of several pools, which are drawn by weight and are different.

    Args:
        pools: to draw from.
        weights: shape (pools,), finite, >= 0, 0 of those without rows; as many are positive as a batch has groups.
        groups: pools in a batch.
        each: rows of each of them.
        batches: how many.
        replace: as of `draw_batches`.
        seed: fixes them.

    Returns:
        Row positions, shape (batches, groups * each), group by group in the order drawn.

    Examples:
        >>> pools = Pools.of([np.array([0, 1]), np.array([2, 3]), np.array([4, 5])], np.ones(6))
        >>> draw_group_batches(pools, np.array([1.0, 1.0, 0.0]), 2, 2, 2, replace=False, seed=3).tolist()
        [[2, 3, 0, 1], [0, 1, 2, 3]]
    """
    picks = pick_groups(weights, groups, batches, seed=derived_seed(seed, _PICKS)).ravel()
    visits = np.bincount(picks, minlength=len(weights))
    # Draws lie pool by pool: a visit takes the next ones of its pool.
    starts = np.empty(len(picks), np.int64)
    starts[np.argsort(picks, kind="stable")] = each * np.arange(len(picks))
    places = (starts[:, None] + np.arange(each)).reshape(batches, groups * each)
    return _rows_at(pools, places, each * visits, np.full(len(visits), each), replace=replace, seed=seed)


def _rows_at(
    pools: Pools, places: Integers, sizes: Integers, quotas: Integers, *, replace: bool, seed: int
) -> Positions:
    """Draw rows of each pool, and return those of each batch, shape (batches, size).

    Args:
        pools: to draw from.
        places: shape (batches, size), where the rows of each batch are among the draws of all pools.
        sizes: shape (pools,), draws of each pool.
        quotas: shape (pools,), how many of these a batch takes.
        replace: as of `draw_batches`.
        seed: fixes them.
    """
    rows = pools.draw(sizes, replace=replace, seed=seed, each=quotas)
    if replace:
        return rows[places]
    return _Apart(pools, rows, places, np.cumsum(sizes) - sizes, quotas).rows_of_batches()


def pick_groups(weights: Floats, groups: int, batches: int, *, seed: int) -> Integers:
    """Draw different groups for each batch, one after the other by weight.

    A draw with replacement is one without, if repeats are left out. Batches that still lack groups after a few rounds
    get them by a race of the groups that they do not have yet.

    Args:
        weights: shape (g,), finite, >= 0, of which at least as many are positive as a batch has groups.
        groups: of a batch.
        batches: how many.
        seed: fixes them.

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
        # Groups that all of these batches have would only be repeats.
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
    """Put groups that were drawn behind those that batches have, leaving out those that they have already.

    Args:
        found: shape (all batches, groups), -1 where nothing is yet.
        have: shape (all batches,), how many groups each has.
        batches: shape (b,), those that draw.
        drawn: shape (b, k), for each of them.
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
    """Batches with no row twice, where that can be.

    At the end of a pass the next one begins, in the middle of a batch, and pools may share rows. A row that a batch has
    already changes places with another one of its pass, so that each pass still has each row once; in a last pass that
    is only a part of one, with a row that it leaves out.

    Args:
        pools: that were drawn from.
        rows: shape (k,), the draws of all pools, pass by pass.
        places: shape (batches, size), where in them the rows of each batch are.
        firsts: shape (pools,), where the draws of each pool begin.
        quotas: shape (pools,), rows of each pool that a batch takes.
    """

    def __init__(self, pools: Pools, rows: Positions, places: Integers, firsts: Integers, quotas: Integers) -> None:
        """Hold the draws, a copy of the rows."""
        self._pools, self._rows, self._places, self._firsts = pools, rows.copy(), places, firsts
        stops = np.append(firsts[1:], len(rows))
        self._small = np.repeat(pools.sizes < quotas, stops - firsts)  # whose batches need a row more than once

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
        """Exchange rows that a batch has twice; return later batches that have got one twice by that."""
        found: list[int] = []
        seen: dict[int, int] = {}  # the place of each row
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
        """Put another row at a place of a batch; return the batch that had it, or -1; None where there is no such row.

        Best is one of a batch that does not have the row yet; otherwise one of a later batch, which is looked at then.
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
                looked = looked[(rows[looked][:, None] != there).all(axis=1)]  # of few rows faster than `isin`
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
