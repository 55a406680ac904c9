"""Weights to strata: the strata table, and the rows of each stratum.

How rows are drawn is decided in `line` and `race`. NumPy only; knows no frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.blocks import BLOCK, Blocks, Floats, Integers, Positions, over_blocks, position_type

Codes = NDArray[np.uint8 | np.uint16]

_FEW = 16  # distinct weights that always make strata
_MOST = 1024  # distinct weights that ever do
_ROWS_EACH = 64  # rows a stratum, on average, between the two

_BY_COMPARISON = 16  # strata up to which comparing with each is faster than searching


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
        """The table of one weight a row, shape (n,)."""
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
        """Row positions of slots; both of shape (k,).

        The slot of the rank-th row, in table order, of stratum s is `table.first[s] + rank`: its place when the rows
        are sorted by stratum, stably.
        """
        starts = (np.cumsum(self.cells) - self.cells.ravel()).reshape(self.cells.shape)
        if len(slots) < self.rows // 8:
            return self._looked_up(slots, starts)
        by_slot = self._sorted(starts)
        positions = np.empty(len(slots), by_slot.dtype)

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                by_slot.take(slots[first:stop], out=positions[first:stop], mode="clip")

        over_blocks(len(slots), run)
        return positions

    def _sorted(self, starts: Integers) -> Positions:
        """The position of every slot, shape (n,), from the first slot of each cell: a counting sort."""
        by_slot = np.empty(self.rows, position_type(self.rows))

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                block = first // BLOCK
                order = np.argsort(self.codes[first:stop], kind="stable")  # a radix sort, for codes so small
                order += first
                done = 0
                for start, count in zip(starts[:, block].tolist(), self.cells[:, block].tolist(), strict=True):
                    by_slot[start : start + count] = order[done : done + count]
                    done += count

        over_blocks(self.rows, run)
        return by_slot

    def _looked_up(self, slots: Positions, starts: Integers) -> Positions:
        """The positions of a few slots: only blocks in which one lies are looked into."""
        blocks = self.cells.shape[1]
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
                if wanted.size:
                    order = np.argsort(self.codes[first:stop], kind="stable")
                    before = np.cumsum(self.cells[:, number]) - self.cells[:, number]
                    positions[wanted] = first + order[before[stratum[wanted]] + rank[wanted]]

        over_blocks(self.rows, run)
        return positions


def most_strata(rows: int) -> int:
    """Distinct weights up to which `rows` rows are drawn by strata; above, every row is a stratum of its own.

    It depends on the population alone, so that a sample does not depend on how its rows are partitioned.
    """
    return max(_FEW, min(_MOST, rows // _ROWS_EACH))


def stratify(weights: Floats) -> Strata | None:
    """Group rows by weight; None where there are more distinct weights than `most_strata` allows.

    Args:
        weights: shape (n,), finite, >= 0.
    """
    rows, most = len(weights), most_strata(len(weights))
    values = np.unique(weights[:BLOCK])
    while len(values) <= most:
        codes = np.empty(rows, _code_type(len(values)))
        others = _assign(weights, values, codes, most)
        if not others.size:
            return _strata(codes, values)
        values = np.union1d(values, others)
    return None


def strata_of_codes(codes: Codes, levels: Floats) -> Strata | None:
    """Group rows whose weights are known by number; None where there are too many distinct weights.

    Args:
        codes: shape (n,), the number of each row's weight.
        levels: shape (number of codes,): the weights, finite, >= 0, in any order, repeated or not.
    """
    cells = _count(codes, len(levels))
    seen = cells.any(axis=1)
    values, numbers = np.unique(levels[seen], return_inverse=True)
    if len(values) > most_strata(len(codes)):
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


def _strata(codes: Codes, values: Floats) -> Strata:
    cells = _count(codes, len(values))
    return Strata(StrataTable(values, cells.sum(axis=1)), codes, cells)


def _code_type(strata: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if strata <= 256 else np.uint16


def _assign(weights: Floats, values: Floats, codes: Codes, most: int) -> Floats:
    """Write the place of each weight among `values`; give the weights that are not there, or more than `most`."""
    others = np.empty(0)
    lock = Lock()

    def run(blocks: Blocks) -> None:
        nonlocal others
        size = min(len(weights), BLOCK)
        places, found, flags = np.empty(size, np.int64), np.empty(size), np.empty(size, np.bool_)
        for first, stop in blocks:
            if len(others) > most:
                continue
            weight, code = weights[first:stop], codes[first:stop]
            place, value, flag = places[: stop - first], found[: stop - first], flags[: stop - first]
            if len(values) <= _BY_COMPARISON:
                code[:] = 0
                for bound in values[1:]:
                    np.add(code, np.greater_equal(weight, bound, out=flag).view(np.uint8), out=code)
                place[:] = code
            else:
                code[:] = np.minimum(values.searchsorted(weight), len(values) - 1, out=place)
            np.not_equal(values.take(place, out=value, mode="clip"), weight, out=flag)
            if flag.any():
                new = np.unique(weight[flag])
                with lock:
                    others = np.union1d(others, new)

    over_blocks(len(weights), run)
    return others


def _count(codes: Codes, strata: int) -> Integers:
    """Rows of each stratum in each block, shape (m, blocks)."""
    cells = np.zeros((strata, -(-len(codes) // BLOCK)), np.int64)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            cells[:, first // BLOCK] = np.bincount(codes[first:stop], minlength=strata)

    over_blocks(len(codes), run)
    return cells


def _renumbered(codes: Codes, numbers: Codes) -> Codes:
    """Other numbers for codes, shape (n,), by the number of each code."""
    new = np.empty(len(codes), numbers.dtype)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            new[first:stop] = numbers.take(codes[first:stop])

    over_blocks(len(codes), run)
    return new
