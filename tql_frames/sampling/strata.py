"""Group rows in strata by weight: the strata table, and the rows of each stratum.

`with_replacement` and `without_replacement` draw from strata. Knows no frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.sampling.rng import BLOCK, Blocks, Floats, Integers, Positions, over_blocks, sort

Codes = NDArray[np.uint8 | np.uint16]

FEW_STRATA = 16  # distinct weights up to which rows are always grouped in strata
MOST_STRATA = 1024  # distinct weights above which they never are
_ROWS_EACH = 64  # rows per stratum, on average, that are needed between the two

_COMPARED = 16_384  # rows per stratum from which comparing all rows with each stratum is faster than sorting them
_SPARSE = 16  # rows per row of a stratum above which listing its rows is faster than counting words
_BY_COMPARISON = 16  # strata up to which comparing with each is faster than searching
_AT_ONCE = 16_384  # places that are converted to 64-bit indices together, while they are in the closest cache
_PART = 4096  # rows of a part of a block: few enough that flags of its rows, 64 words, can be computed for each slot
_READ_AGAIN = 5  # readings of all rows, part by part, up to which that is faster than reading blocks
_IN_PARTS = 64  # slots whose parts are read together: a quarter of a megabyte


def position_type(rows: int) -> np.dtype[np.uint32] | np.dtype[np.int64]:
    """Return the type of positions among `rows` rows."""
    return np.dtype(np.uint32) if rows < 2**32 else np.dtype(np.int64)


@dataclass(frozen=True)
class StrataTable:
    """The distinct weights of a population and the number of rows of each, which is all that a draw depends on.

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
        """Return the table of weights by row, shape (n,)."""
        values, counts = np.unique(weights, return_counts=True)
        return cls(values, counts.astype(np.int64))

    def __add__(self, other: StrataTable) -> StrataTable:
        weights, places = np.unique(np.concatenate([self.weights, other.weights]), return_inverse=True)
        counts = np.zeros(len(weights), np.int64)
        np.add.at(counts, places, np.concatenate([self.counts, other.counts]))
        return StrataTable(weights, counts)

    @cached_property
    def first(self) -> Integers:
        """Slot of rank 0 of each stratum, shape (m,); see `Strata.resolve`."""
        return np.cumsum(self.counts) - self.counts

    def stratum_of(self, slots: Positions) -> Integers:
        """Return the strata of slots; both of shape (k,)."""
        if len(self.weights) > _BY_COMPARISON:
            return self.first.searchsorted(slots, side="right") - 1
        strata = np.zeros(len(slots), np.int64)
        for first in self.first[1:].astype(slots.dtype):
            strata += slots >= first
        return strata

    @property
    def rows(self) -> int:
        """Number of rows of all strata."""
        return int(self.counts.sum())

    @property
    def drawable(self) -> int:
        """Number of rows of positive weight."""
        return int(self.counts[self.weights > 0].sum())


@dataclass(frozen=True)
class Strata:
    """A population in strata.

    Attributes:
        table: the strata table.
        codes: shape (n,), stratum of each row.
        cells: shape (m, cells), rows of each stratum in each cell. A cell is a part of `_PART` rows if there are few
            strata and several blocks, else a block of `BLOCK` rows.
    """

    table: StrataTable
    codes: Codes
    cells: Integers

    @cached_property
    def blocks(self) -> Integers:
        """Number of rows of each stratum in each block of `BLOCK` rows, shape (m, blocks)."""
        if self.cells.shape[1] == -(-self.rows // BLOCK):
            return self.cells
        return np.add.reduceat(self.cells, np.arange(0, self.cells.shape[1], BLOCK // _PART), axis=1)

    @property
    def rows(self) -> int:
        """Number of rows of the population."""
        return len(self.codes)

    def resolve(self, slots: Positions) -> Positions:
        """Return the row positions of slots; both of shape (k,).

        The slot of a row is its place if all rows are sorted by stratum, stably: a row of stratum s has the slot
        `table.first[s] + rank`, where rank is its place in the stratum in table order.
        """
        if self.few(len(slots)):
            return self._looked_up(slots)
        return taken(self.by_slot(), slots)

    def few(self, slots: int) -> bool:
        """Return whether looking up this number of slots is faster than sorting all rows."""
        return slots < self.rows // 64

    def by_slot(self) -> Positions:
        """Return the row position of every slot, shape (n,), by a counting sort of the rows."""
        if self.rows <= BLOCK:
            return self._block_by_slot(0)
        starts = _starts(self.blocks)
        positions = np.empty(self.rows, position_type(self.rows))

        def run(blocks: Blocks) -> None:
            numbers = self._numbers()
            for first, _ in blocks:
                block = first // BLOCK
                for start, places in zip(starts[:, block].tolist(), self._by_stratum(block, numbers), strict=True):
                    np.add(places, first, out=positions[start : start + len(places)], dtype=positions.dtype)

        over_blocks(self.rows, run)
        return positions

    def in_table_order(self, slots: Positions) -> Positions:
        """Return the row positions of ascending slots, ascending; both of shape (k,).

        Within a stratum, ascending slots follow the blocks of rows. So the slots of each block are resolved together,
        in memory that its core has in the cache, without random access to all rows.
        """
        if self.few(len(slots)):
            rows = self.resolve(slots)
            sort(rows)
            return rows
        starts = _starts(self.blocks)
        edges = np.append(slots.searchsorted(starts.ravel().astype(slots.dtype)), len(slots))
        begins, ends = edges[:-1].reshape(starts.shape), edges[1:].reshape(starts.shape)
        positions = np.empty(len(slots), position_type(self.rows))
        until = np.cumsum((ends - begins).sum(axis=0))

        def run(blocks: Blocks) -> None:
            numbers = self._numbers()
            for first, _ in blocks:
                block = first // BLOCK
                begin, end, start = begins[:, block], ends[:, block], starts[:, block]
                rows = positions[until[block] - int((end - begin).sum()) : until[block]]
                own = [slots[one:other] for one, other in zip(begin.tolist(), end.tolist(), strict=True)]
                if _few_each(len(rows), len(start)):
                    cells = self.blocks[:, block]
                    places = np.concatenate(own).astype(np.int64)
                    places += np.repeat(np.cumsum(cells) - cells - start, end - begin)
                    self._block_by_slot(block).take(places, out=rows, mode="clip")
                else:
                    done, strata = 0, self._by_stratum(block, numbers)
                    for some, before, stratum in zip(own, start.tolist(), strata, strict=True):
                        if some.size:
                            ranks = np.subtract(some, before, dtype=np.int64)
                            stratum.take(ranks, out=rows[done : done + len(some)], mode="clip")
                            done += len(some)
                    rows += rows.dtype.type(first)
                rows.sort(kind="stable")  # fast, since it merges the ascending rows of each stratum

        over_blocks(self.rows, run)
        return positions

    def _block_by_slot(self, block: int) -> Positions:
        """Return the rows of a block, sorted by stratum and then by place."""
        first = block * BLOCK
        codes = self.codes[first : first + BLOCK]
        if _few_each(len(codes), len(self.cells)):
            return (np.argsort(codes, kind="stable") + first).astype(position_type(self.rows))  # radix, for such codes
        rows = np.concatenate(list(self._by_stratum(block, self._numbers())))
        rows += rows.dtype.type(first)
        return rows

    def _numbers(self) -> pl.Series:
        """Return the places of the rows of a block."""
        return pl.Series(np.arange(min(BLOCK, self.rows), dtype=position_type(self.rows)))

    def _by_stratum(self, block: int, numbers: pl.Series) -> Iterator[Positions]:
        """Yield the places of the rows of each stratum in a block, ascending.

        Args:
            block: number of the block.
            numbers: the places of all rows of a block.
        """
        first, cells = block * BLOCK, self.blocks[:, block]
        codes, dtype = self.codes[first : first + BLOCK], position_type(self.rows)
        if _few_each(len(codes), len(cells)):
            yield from np.split(np.argsort(codes, kind="stable").astype(dtype), np.cumsum(cells)[:-1])
            return
        # Polars filters numbers in half the time of `flatnonzero`. It starts no thread to filter, so this is safe in a
        # forked process.
        some, there = numbers.head(len(codes)), pl.Series(codes)
        for stratum, count in enumerate(cells.tolist()):
            yield some.filter(there == stratum).to_numpy() if count else np.empty(0, dtype)

    def _looked_up(self, slots: Positions) -> Positions:
        """Return the positions of a few slots; only cells that contain one are read."""
        if self.cells is not self.blocks and len(slots) * _PART < _READ_AGAIN * self.rows:
            return self._in_parts(slots)
        blocks = self.blocks.shape[1]
        stratum, block, rank = _places(self.blocks, slots)
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
                    before = np.cumsum(self.blocks[:, number]) - self.blocks[:, number]
                    rows = np.argsort(codes, kind="stable")[before[strata] + rank[wanted]]
                    positions[wanted] = first + rows
                    continue
                for one in sought:
                    here, flags = wanted[strata == one], codes == one
                    sparse = self.blocks[one, number] * _SPARSE < len(codes)
                    places = np.flatnonzero(flags)[rank[here]] if sparse else _true_places(flags, rank[here])
                    positions[here] = first + places

        if blocks == 1:  # saves a call for small draws
            run(iter([(0, self.rows)]))
        else:
            over_blocks(self.rows, run)
        return positions

    def _in_parts(self, slots: Positions) -> Positions:
        """Return the positions of slots; the part of each slot is read separately."""
        stratum, part, rank = _places(self.cells, slots)
        positions = part * _PART
        sought, whole = stratum.astype(self.codes.dtype), self.rows // _PART
        parts = self.codes[: whole * _PART].reshape(whole, _PART)
        for first in range(0, len(slots), _IN_PARTS):
            some = slice(first, first + _IN_PARTS)
            codes = parts.take(part[some], axis=0, mode="clip")
            last = part[some] == whole
            if last.any():  # this part has fewer rows; the padding has higher ranks than its rows, so it is never found
                codes[last] = 0
                codes[last, : self.rows % _PART] = self.codes[whole * _PART :]
            words = np.packbits(codes == sought[some, None], axis=1, bitorder="little").view(np.uint64)
            ends = np.cumsum(np.bitwise_count(words), axis=1, dtype=np.int64)
            word = np.count_nonzero(ends <= rank[some, None], axis=1)
            own = np.arange(len(word)), word
            positions[some] += word * 64 + _places_in_words(
                words[own], rank[some] - (ends[own] - np.bitwise_count(words[own]))
            )
        return positions.astype(position_type(self.rows))


def taken(values: Positions, places: Positions) -> Positions:
    """Return the values at places, read on all cores, shape (k,), the shape of `places`."""
    found = np.empty(len(places), values.dtype)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            for start in range(first, stop, _AT_ONCE):
                end = min(start + _AT_ONCE, stop)
                values.take(places[start:end], out=found[start:end], mode="clip")

    over_blocks(len(places), run)
    return found


def _starts(cells: Integers) -> Integers:
    """Return the first slot of each cell, shape (m, cells)."""
    return (np.cumsum(cells) - cells.ravel()).reshape(cells.shape)


def _places(cells: Integers, slots: Positions) -> tuple[Integers, Integers, Integers]:
    """Return the stratum, the cell, and the rank among the rows of the stratum in the cell; each of shape (k,)."""
    starts = _starts(cells)
    place = np.searchsorted(starts.ravel(), slots, side="right") - 1  # the last of cells with equal starts has rows
    stratum, cell = np.divmod(place, cells.shape[1])
    return stratum, cell, slots - starts[stratum, cell]


def _few_each(rows: int, strata: int) -> bool:
    """Return whether sorting rows by stratum is faster than comparing them with each of the strata."""
    return strata * _COMPARED > rows


def _true_places(flags: NDArray[np.bool_], ranks: Integers) -> Integers:
    """Return the places of true values, by their ranks among all true values; shape (k,).

    True values are counted in words of 64 flags, and single flags are read only in the words that contain a result
    (rank and select: Jacobson, "Space-efficient static trees and graphs", 1989).
    """
    packed = np.packbits(flags, bitorder="little")
    words = np.concatenate([packed, np.zeros(-len(packed) % 8, np.uint8)]).view(np.uint64)
    counts = np.bitwise_count(words).astype(np.int64)
    ends = np.cumsum(counts)
    word = ends.searchsorted(ranks, side="right")
    return word * 64 + _places_in_words(words[word], ranks - (ends - counts)[word])


def _places_in_words(words: NDArray[np.uint64], ranks: Integers) -> Integers:
    """Return the place of one set bit in each word, by its rank among the set bits of the word; shape (k,)."""
    bits = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    passed = np.cumsum(bits, axis=1, dtype=np.uint8)
    places: Integers = np.count_nonzero(passed <= ranks[:, None], axis=1)
    return places


def rows_in(population: Strata | Floats) -> int:
    """Return the number of rows of a population."""
    return population.rows if isinstance(population, Strata) else len(population)


def drawable_in(population: Strata | Floats) -> int:
    """Return the number of rows of positive weight."""
    return population.table.drawable if isinstance(population, Strata) else int(np.count_nonzero(population))


def weights_of(population: Strata | Floats, first: int = 0, stop: int | None = None) -> Floats:
    """Return the weights of the rows from `first` up to `stop`, by default of all rows."""
    if isinstance(population, Strata):
        return population.table.weights.take(population.codes[first:stop])
    return population[first:stop]


def most_strata(rows: int) -> int:
    """Return the number of distinct weights up to which `rows` rows are drawn by strata.

    Above, every row is a stratum of its own. The number depends on the population alone, so that a sample does not
    depend on how its rows are partitioned.
    """
    return max(FEW_STRATA, min(MOST_STRATA, rows // _ROWS_EACH))


def stratify(weights: Floats, most: int | None = None) -> Strata | None:
    """Group rows by weight; return None if there are too many distinct weights.

    Args:
        weights: shape (n,), finite, >= 0.
        most: greatest number of distinct weights; by default `most_strata` of these rows. It is set for a part of a
            population.
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
    """Group rows whose weights have codes; return None if there are too many distinct weights.

    Args:
        codes: shape (n,), code of the weight of each row.
        levels: shape (number of codes,), the weights: finite, >= 0, in any order, repeated or not.
        most: as in `stratify`.
        cells: the result of `count_codes`, if it was computed before.
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
    """Return the place of each weight in `values`, the rows of each value in each cell, and the other weights.

    Once more than `most` other weights are found, the remaining blocks are skipped.
    """
    codes = np.empty(len(weights), _code_type(len(values)))
    compared = len(values) <= _BY_COMPARISON
    each = _cell_rows(len(weights), len(values))
    cells = np.zeros((len(values), -(-len(weights) // each)), np.int64)
    others = np.empty(0)
    numbers = np.arange(len(values), dtype=np.uint8)[:, None]
    lock = Lock()

    def compare(weight: Floats, code: Codes, counts: Integers, space: NDArray[np.bool_]) -> None:
        for first, stop, equal in _compared(weight, values, space):
            np.add.at(counts.T, np.arange(first, stop, _PART) // each, _true_in_rows(equal))
            number = equal.view(np.uint8)
            np.multiply(number, numbers, out=number)
            np.add.reduce(number, axis=1, out=code[first:stop].reshape(len(number), -1))

    def search(weight: Floats, code: Codes, counts: Integers) -> None:
        place = np.minimum(values.searchsorted(weight), len(values) - 1)
        code[:] = place
        counts[:, 0] = np.bincount(place[values.take(place) == weight], minlength=len(values))

    def run(blocks: Blocks) -> None:
        nonlocal others
        space = np.empty(len(values) * min(len(weights), BLOCK) if compared else 0, np.bool_)
        for first, stop in blocks:
            if len(others) > most:
                continue
            weight, counts = weights[first:stop], cells[:, first // each : -(-stop // each)]
            if compared:
                compare(weight, codes[first:stop], counts, space)
            else:
                search(weight, codes[first:stop], counts)
            if counts.sum() < len(weight):
                new = np.setdiff1d(weight, values)
                with lock:
                    others = np.union1d(others, new)

    over_blocks(len(weights), run)
    return codes, cells, others


def count_codes(codes: Codes, strata: int) -> Integers:
    """Return the number of rows of each code in each cell, shape (m, cells), as in `Strata.cells`."""
    each = _cell_rows(len(codes), strata)
    cells = np.zeros((strata, -(-len(codes) // each)), np.int64)
    compared = each != BLOCK or not _few_each(min(len(codes), BLOCK), strata)
    others = np.arange(strata - 1 if compared else 0, dtype=codes.dtype)  # the last stratum has the rows that are left

    def run(blocks: Blocks) -> None:
        space = np.empty(len(others) * min(len(codes), BLOCK), np.bool_)
        for first, stop in blocks:
            block, counts = codes[first:stop], cells[:, first // each : -(-stop // each)]
            if not compared:
                counts[:, 0] = np.bincount(block, minlength=strata)
                continue
            for some, end, equal in _compared(block, others, space):
                np.add.at(counts[:-1].T, np.arange(some, end, _PART) // each, _true_in_rows(equal))
            counts[-1] = np.minimum(each, stop - np.arange(first, stop, each)) - counts[:-1].sum(axis=0)

    if cells.shape[1] == 1:  # saves a call for small populations
        run(iter([(0, len(codes))]))
    else:
        over_blocks(len(codes), run)
    return cells


def _cell_rows(rows: int, strata: int) -> int:
    """Return the number of rows of a cell of `Strata.cells`."""
    return _PART if rows > BLOCK > _PART and strata <= _BY_COMPARISON else BLOCK


def _compared(
    items: Floats | Codes, values: Floats | Codes, space: NDArray[np.bool_]
) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """Compare items with values: one call compares many parts, and each part stays in the cache meanwhile.

    Args:
        items: shape (n,).
        values: shape (m,).
        space: array for the flags of at least n * m items, which are overwritten.

    Yields:
        First and stop of some items, and flags of their parts, shape (parts, m, items of a part): true for equal.
    """
    whole = len(items) - len(items) % _PART
    for first, stop in ((0, whole), (whole, len(items))):
        if first < stop:
            parts = -(-(stop - first) // _PART)
            shape = parts, len(values), (stop - first) // parts
            equal = space[: math.prod(shape)].reshape(shape)
            np.equal(items[first:stop].reshape(parts, 1, -1), values[:, None], out=equal)
            yield first, stop, equal


def _true_in_rows(flags: NDArray[np.bool_]) -> Integers:
    """Return the number of true values along the last of three axes."""
    if flags.shape[-1] % 64:
        return np.array([[np.count_nonzero(row) for row in rows] for rows in flags], np.int64)
    words = np.packbits(flags, axis=-1).view(np.uint64)
    return np.asarray(np.bitwise_count(words).sum(axis=-1, dtype=np.int64))


def _renumbered(codes: Codes, numbers: Codes) -> Codes:
    """Return the new code of each row, shape (n,), by a table of the new number of each code."""
    new = np.empty(len(codes), numbers.dtype)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            new[first:stop] = numbers.take(codes[first:stop])

    over_blocks(len(codes), run)
    return new
