"""Weights to strata: the strata table, and the rows of each stratum.

How rows are drawn is decided in `with_replacement` and `without_replacement`. NumPy only; knows no frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.rng import BLOCK, Blocks, Floats, Integers, Positions, over_blocks, sort

Codes = NDArray[np.uint8 | np.uint16]

FEW_STRATA = 16  # distinct weights that always make strata
MOST_STRATA = 1024  # distinct weights that ever do
_ROWS_EACH = 64  # rows a stratum, on average, between the two

_COMPARED = 16_384  # rows for each stratum from which comparing them with each is faster than sorting them all
_SPARSE = 16  # rows for each of a stratum from which listing these is faster than counting words
_BY_COMPARISON = 16  # strata up to which comparing with each is faster than searching


def position_type(rows: int) -> np.dtype[np.uint32] | np.dtype[np.int64]:
    """Return the type of positions among so many rows."""
    return np.dtype(np.uint32) if rows < 2**32 else np.dtype(np.int64)


@dataclass(frozen=True)
class StrataTable:
    """All that a draw needs to know of a population: how many rows carry which weight.

    Attributes:
        weights: shape (m,), ascending, distinct, finite, >= 0.
        counts: shape (m,), rows of each weight, >= 1.

    Tables of partitions add up to the table of the whole:

    >>> half = StrataTable.of(np.array([1.0, 20.0, 1.0]))
    >>> whole = half + half
    >>> whole.weights.tolist(), whole.counts.tolist()
    ([1.0, 20.0], [4, 2])
    """

    weights: Floats
    counts: Integers

    @classmethod
    def of(cls, weights: Floats) -> StrataTable:
        """Return the table of one weight a row, shape (n,)."""
        values, counts = np.unique(weights, return_counts=True)
        return cls(values, counts.astype(np.int64))

    def __add__(self, other: StrataTable) -> StrataTable:
        weights, places = np.unique(np.concatenate([self.weights, other.weights]), return_inverse=True)
        counts = np.zeros(len(weights), np.int64)
        np.add.at(counts, places, np.concatenate([self.counts, other.counts]))
        return StrataTable(weights, counts)

    @cached_property
    def first(self) -> Integers:
        """Shape (m,): the slot of rank 0 of each stratum (see `Strata.resolve`)."""
        return np.cumsum(self.counts) - self.counts

    def stratum_of(self, slots: Positions) -> Integers:
        """Return the strata that slots belong to; both of shape (k,)."""
        if len(self.weights) > _BY_COMPARISON:
            return self.first.searchsorted(slots, side="right") - 1
        strata = np.zeros(len(slots), np.int64)
        for first in self.first[1:].astype(slots.dtype):
            strata += slots >= first
        return strata

    @property
    def rows(self) -> int:
        """Rows of all strata."""
        return int(self.counts.sum())

    @property
    def drawable(self) -> int:
        """Rows of positive weight."""
        return int(self.counts[self.weights > 0].sum())


@dataclass(frozen=True)
class Strata:
    """A population in strata.

    Attributes:
        table: the strata table.
        codes: shape (n,), each row's stratum.
        cells: shape (m, blocks): rows of each stratum in each block of `BLOCK` rows.
    """

    table: StrataTable
    codes: Codes
    cells: Integers

    @property
    def rows(self) -> int:
        """Rows of the population."""
        return len(self.codes)

    def resolve(self, slots: Positions) -> Positions:
        """Return the row positions of slots; both of shape (k,).

        The slot of the rank-th row, in table order, of stratum s is `table.first[s] + rank`: its place when the rows
        are sorted by stratum, stably.
        """
        if self.few(len(slots)):
            return self._looked_up(slots)
        by_slot = self.by_slot()
        positions = np.empty(len(slots), by_slot.dtype)

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                by_slot.take(slots[first:stop], out=positions[first:stop], mode="clip")

        over_blocks(len(slots), run)
        return positions

    def few(self, slots: int) -> bool:
        """Return whether so many slots are looked up faster than all rows are sorted."""
        return slots < self.rows // 64

    def by_slot(self) -> Positions:
        """Return the position of every slot, shape (n,): a counting sort of the rows."""
        if self.rows <= BLOCK:
            return self._block_by_slot(0)
        starts = self._starts()
        positions = np.empty(self.rows, position_type(self.rows))

        def run(blocks: Blocks) -> None:
            for first, _ in blocks:
                block, done = first // BLOCK, 0
                rows = self._block_by_slot(block)
                rows += first
                for start, count in zip(starts[:, block].tolist(), self.cells[:, block].tolist(), strict=True):
                    positions[start : start + count] = rows[done : done + count]
                    done += count

        over_blocks(self.rows, run)
        return positions

    def in_table_order(self, slots: Positions) -> Positions:
        """Return the row positions of ascending slots, ascending; both of shape (k,).

        Sorted slots are rows block after block in each stratum. So each block of rows finds its own together, in
        memory that its core has at hand, and no row is looked up at random among all.
        """
        if self.few(len(slots)):
            rows = self.resolve(slots)
            sort(rows)
            return rows
        starts = self._starts()
        edges = np.append(slots.searchsorted(starts.ravel().astype(slots.dtype)), len(slots))
        begins, ends = edges[:-1].reshape(starts.shape), edges[1:].reshape(starts.shape)
        positions = np.empty(len(slots), position_type(self.rows))
        until = np.cumsum((ends - begins).sum(axis=0))

        def run(blocks: Blocks) -> None:
            for first, _ in blocks:
                block = first // BLOCK
                begin, end, cells = begins[:, block], ends[:, block], self.cells[:, block]
                own = [slots[one:other] for one, other in zip(begin.tolist(), end.tolist(), strict=True)]
                places = np.concatenate(own)
                # From numbers among all slots to those among the slots of the block; unsigned numbers wrap back.
                shifts = (np.cumsum(cells) - cells - starts[:, block]).astype(slots.dtype)
                places += np.repeat(shifts, end - begin)
                rows = positions[until[block] - len(places) : until[block]]
                self._block_by_slot(block).take(places, out=rows, mode="clip")
                rows += first
                rows.sort(kind="stable")  # which merges what is ascending in each stratum

        over_blocks(self.rows, run)
        return positions

    def _block_by_slot(self, block: int) -> Positions:
        """Return the rows of a block, from 0, sorted by stratum and then by place."""
        codes, cells = self.codes[block * BLOCK : (block + 1) * BLOCK], self.cells[:, block]
        if _few_each(len(codes), len(cells)):
            return np.argsort(codes, kind="stable").astype(position_type(self.rows))  # a radix sort, for codes so small
        rows, done = np.empty(len(codes), position_type(self.rows)), 0
        for stratum, count in enumerate(cells.tolist()):
            if count:
                rows[done : done + count] = np.flatnonzero(codes == stratum)
                done += count
        return rows

    def _starts(self) -> Integers:
        """Return the first slot of each cell, shape (m, blocks)."""
        return (np.cumsum(self.cells) - self.cells.ravel()).reshape(self.cells.shape)

    def _looked_up(self, slots: Positions) -> Positions:
        """Return the positions of a few slots: only blocks in which one lies are looked into."""
        starts, blocks = self._starts(), self.cells.shape[1]
        cell = np.searchsorted(starts.ravel(), slots, side="right") - 1  # the last of those that start there has rows
        stratum, block = np.divmod(cell, blocks)
        rank = slots - starts[stratum, block]
        positions = np.empty(len(slots), position_type(self.rows))
        by_block = np.argsort(block, kind="stable")
        ends = np.searchsorted(block[by_block], np.arange(blocks + 1))

        def run(some: Blocks) -> None:
            for first, stop in some:
                number = first // BLOCK
                wanted = by_block[ends[number] : ends[number + 1]]
                if not wanted.size:
                    continue
                codes, strata = self.codes[first:stop], stratum[wanted]
                sought = np.unique(strata).tolist()
                if _few_each(len(codes), len(sought)):
                    before = np.cumsum(self.cells[:, number]) - self.cells[:, number]
                    rows = np.argsort(codes, kind="stable")[before[strata] + rank[wanted]]
                    positions[wanted] = first + rows
                    continue
                for one in sought:
                    here, flags = wanted[strata == one], codes == one
                    sparse = self.cells[one, number] * _SPARSE < len(codes)
                    places = np.flatnonzero(flags)[rank[here]] if sparse else _true_places(flags, rank[here])
                    positions[here] = first + places

        if blocks == 1:  # without a call that brings nothing
            run(iter([(0, self.rows)]))
        else:
            over_blocks(self.rows, run)
        return positions


def _few_each(rows: int, strata: int) -> bool:
    """Return whether sorting rows by stratum is faster than comparing them with each of so many strata."""
    return strata * _COMPARED > rows


def _true_places(flags: NDArray[np.bool_], ranks: Integers) -> Integers:
    """Return the places of some of the true values, by their ranks among these; shape (k,).

    True values are counted 64 at a time, and looked at one by one only in the word where one lies (rank and select:
    Jacobson, "Space-efficient static trees and graphs", 1989).
    """
    packed = np.packbits(flags, bitorder="little")
    words = np.concatenate([packed, np.zeros(-len(packed) % 8, np.uint8)]).reshape(-1, 8)
    counts = np.bitwise_count(words.view(np.uint64)[:, 0]).astype(np.int64)
    ends = np.cumsum(counts)
    word = ends.searchsorted(ranks, side="right")
    passed = np.cumsum(np.unpackbits(words[word], axis=1, bitorder="little"), axis=1, dtype=np.uint8)
    within = ranks - (ends - counts)[word]
    places: Integers = word * 64 + np.count_nonzero(passed <= within[:, None], axis=1)
    return places


def rows_in(population: Strata | Floats) -> int:
    """Return how many rows there are in strata, or have weights."""
    return population.rows if isinstance(population, Strata) else len(population)


def drawable_in(population: Strata | Floats) -> int:
    """Return how many of the rows have a positive weight."""
    return population.table.drawable if isinstance(population, Strata) else int(np.count_nonzero(population))


def weights_of(population: Strata | Floats, first: int = 0, stop: int | None = None) -> Floats:
    """Return the weights of rows `first` to `stop`, by default of all."""
    if isinstance(population, Strata):
        return population.table.weights.take(population.codes[first:stop])
    return population[first:stop]


def most_strata(rows: int) -> int:
    """Return distinct weights up to which `rows` rows are drawn by strata; above, every row is a stratum of its own.

    It depends on the population alone, so that a sample does not depend on how its rows are partitioned.
    """
    return max(FEW_STRATA, min(MOST_STRATA, rows // _ROWS_EACH))


def stratify(weights: Floats, most: int | None = None) -> Strata | None:
    """Group rows by weight; None where there are too many distinct weights.

    Args:
        weights: shape (n,), finite, >= 0.
        most: distinct weights that are not too many; by default `most_strata` of these rows. A part of a population
            says another number.
    """
    most = most_strata(len(weights)) if most is None else most
    values = np.unique(weights[:BLOCK])
    while len(values) <= most:
        codes, cells, others = _numbered(weights, values, most)
        if not others.size:
            return Strata(StrataTable(values, cells.sum(axis=1)), codes, cells)
        values = np.union1d(values, others)
    return None


def strata_of_codes(
    codes: Codes, levels: Floats, most: int | None = None, cells: Integers | None = None
) -> Strata | None:
    """Group rows whose weights are known by number; None where there are too many distinct weights.

    Args:
        codes: shape (n,), the number of each row's weight.
        levels: shape (number of codes,): the weights, finite, >= 0, in any order, repeated or not.
        most: as in `stratify`.
        cells: as `count_codes` gives it, where that was asked for before.
    """
    cells = count_codes(codes, len(levels)) if cells is None else cells
    seen = cells.any(axis=1)
    if seen.all() and len(levels) <= FEW_STRATA and (levels[1:] > levels[:-1]).all():
        return Strata(StrataTable(levels, cells.sum(axis=1)), codes, cells)
    values, numbers = np.unique(levels[seen], return_inverse=True)
    if len(values) > (most_strata(len(codes)) if most is None else most):
        return None
    new_codes = np.zeros(len(levels), _code_type(len(values)))
    new_codes[seen] = numbers
    if (new_codes[seen] != np.flatnonzero(seen)).any():
        merged = np.zeros((len(values), cells.shape[1]), np.int64)
        np.add.at(merged, numbers, cells[seen])
        codes, cells = _renumbered(codes, new_codes), merged
    else:
        cells = cells[seen]
    return Strata(StrataTable(values, cells.sum(axis=1)), codes, cells)


def _code_type(strata: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if strata <= 256 else np.uint16


def _numbered(weights: Floats, values: Floats, most: int) -> tuple[Codes, Integers, Floats]:
    """Return the place of each weight among `values`, rows of each in each block, and the weights that are not there.

    Once more than `most` of those are found the rest is left out.
    """
    codes = np.empty(len(weights), _code_type(len(values)))
    cells = np.zeros((len(values), -(-len(weights) // BLOCK)), np.int64)
    others = np.empty(0)
    lock = Lock()

    def compare(weight: Floats, code: Codes) -> list[int]:
        code[:] = 0
        counts = []
        for number, value in enumerate(values.tolist()):
            equal = weight == value
            counts.append(int(np.count_nonzero(equal)))
            code += equal.view(np.uint8) * np.uint8(number)
        return counts

    def search(weight: Floats, code: Codes) -> Integers:
        place = np.minimum(values.searchsorted(weight), len(values) - 1)
        code[:] = place
        return np.bincount(place[values.take(place) == weight], minlength=len(values))

    def run(blocks: Blocks) -> None:
        nonlocal others
        for first, stop in blocks:
            if len(others) > most:
                continue
            weight = weights[first:stop]
            counts = (compare if len(values) <= _BY_COMPARISON else search)(weight, codes[first:stop])
            cells[:, first // BLOCK] = counts
            if sum(counts) < len(weight):
                new = np.setdiff1d(weight, values)
                with lock:
                    others = np.union1d(others, new)

    over_blocks(len(weights), run)
    return codes, cells, others


def count_codes(codes: Codes, strata: int) -> Integers:
    """Return rows of each code in each block, shape (m, blocks)."""
    cells = np.zeros((strata, -(-len(codes) // BLOCK)), np.int64)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            block = codes[first:stop]
            if not _few_each(len(block), strata):
                cells[:-1, first // BLOCK] = counts = [
                    np.count_nonzero(block == stratum) for stratum in range(strata - 1)
                ]
                cells[-1, first // BLOCK] = len(block) - sum(counts)
            else:
                cells[:, first // BLOCK] = np.bincount(block, minlength=strata)

    if cells.shape[1] == 1:  # without a call that brings nothing
        run(iter([(0, len(codes))]))
    else:
        over_blocks(len(codes), run)
    return cells


def _renumbered(codes: Codes, numbers: Codes) -> Codes:
    """Return other numbers for codes, shape (n,), by the number of each code."""
    new = np.empty(len(codes), numbers.dtype)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            new[first:stop] = numbers.take(codes[first:stop])

    over_blocks(len(codes), run)
    return new
