"""Count draws by slot, with a byte per slot: for many draws, this takes less memory than a list of slots.

The slots are drawn in `with_replacement` and `without_replacement`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.rng import BLOCK, Integers, Streams, sort
from tql_frames.sampling.strata import StrataTable, position_type
from tql_frames.sampling.with_replacement import draw_strata
from tql_frames.sampling.without_replacement import flag_distinct_strata

MOST_LISTED = 2**27  # draws up to which slots are listed: a gigabyte, including memory to sort them
_SPARSE = 4  # slots per draw above which a list takes less memory again
_AT_ONCE = 2**24  # draws that are sorted at once

Times = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Tally:
    """Numbers of draws of consecutive slots.

    Attributes:
        times: shape (n,), draws of each slot, modulo 256.
        heavy: shape (k,), ascending, slots that were drawn more than 255 times.
        above: shape (k,), draws of these slots to add to `times`: multiples of 256.

    Examples:
        >>> tally = Tally(np.array([0, 2, 1], np.uint8), np.array([1]), np.array([256]))
        >>> tally.numbers().tolist()
        [0, 258, 1]
    """

    times: Times
    heavy: Integers
    above: Integers

    @classmethod
    def of_strata(cls, table: StrataTable, size: int, streams: Streams) -> Tally:
        """Return a tally of the slots that `draw_strata` draws.

        Args:
            table: the strata.
            size: number of draws.
            streams: random numbers of the seed.
        """
        times = np.zeros(table.rows, np.uint8)
        carried = [np.empty(0, position_type(table.rows))]
        for start in range(0, size, _AT_ONCE):
            slots = draw_strata(table, min(_AT_ONCE, size - start), streams, start=start)
            sort(slots)
            for first in range(0, len(slots), BLOCK):
                block = slots[first : first + BLOCK]
                firsts = np.flatnonzero(np.append(True, block[1:] != block[:-1]))
                distinct = block.take(firsts)
                sums = np.diff(firsts, append=len(block)) + times.take(distinct)
                times[distinct] = sums.astype(np.uint8)  # modulo 256
                if (over := sums >> 8).any():
                    carried.append(np.repeat(distinct, over))
        heavy, above = np.unique(np.concatenate(carried), return_counts=True)
        return cls(times, heavy.astype(np.int64), above << 8)

    @classmethod
    def of_distinct_strata(cls, table: StrataTable, size: int, streams: Streams) -> Tally | None:
        """Return a tally of the slots that `distinct_strata` draws; None if it draws by a race, for steep weights."""
        flags = flag_distinct_strata(table, size, streams, at_once=_AT_ONCE)
        none = np.empty(0, np.int64)
        return None if flags is None else cls(flags.view(np.uint8), none, none)

    def numbers(self) -> Integers:
        """Return the number of draws of each slot, shape (n,)."""
        found = self.times.astype(np.int64)
        found[self.heavy] += self.above
        return found

    def of_parts(self, cells: Integers) -> Iterator[list[Tally]]:
        """Yield the tallies of each part, one for its rows of each stratum; `times` are views.

        Args:
            cells: rows of each stratum in each part, shape (m, parts).
        """
        starts = (np.cumsum(cells) - cells.ravel()).reshape(cells.shape)
        first = self.heavy.searchsorted(starts)
        stop = self.heavy.searchsorted(starts + cells)
        for part in range(cells.shape[1]):
            pieces = zip(*(each[:, part].tolist() for each in (starts, cells, first, stop)), strict=True)
            yield [
                Tally(self.times[start : start + rows], self.heavy[one:other] - start, self.above[one:other])
                for start, rows, one, other in pieces
                if rows
            ]


def suits(table: StrataTable, size: int) -> bool:
    """Return whether a tally of `size` draws takes less memory than a list."""
    return size > MOST_LISTED and table.rows <= _SPARSE * size
