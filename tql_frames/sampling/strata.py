"""Weights to strata: the strata table, and the rows of each stratum.

How rows are drawn is decided in `draw`. NumPy only; knows no frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.streams import BLOCK, in_blocks

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FEW = 16  # distinct weights that always make strata
_MOST = 1024  # distinct weights that ever do
_ROWS_EACH = 64  # rows a stratum, on average, between the two


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
    def drawable(self) -> int:
        """Rows of positive weight."""
        return int(self.counts[self.weights > 0].sum())


@dataclass(frozen=True)
class Strata:
    """A population in strata.

    Attributes:
        table: the strata table.
        codes: shape (n,), each row's stratum.
    """

    table: StrataTable
    codes: NDArray[np.uint16]

    def resolve(self, slots: Integers) -> Integers:
        """Row positions of slots; both of shape (k,).

        The slot of the rank-th row, in table order, of stratum s is `table.first[s] + rank`: its place when the rows
        are sorted by stratum, stably.
        """
        if slots.size == 0:
            return slots
        codes = self.codes.astype(np.uint8) if len(self.table.weights) <= 256 else self.codes
        return np.argsort(codes, kind="stable")[slots]  # a radix sort, for codes so small


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
    values = np.empty(0)
    most = most_strata(len(weights))
    for first in range(0, len(weights), BLOCK):
        block = weights[first : first + BLOCK]
        new = block[~_isin(block, values)]
        if new.size:
            values = np.union1d(values, new)
            if len(values) > most:
                return None
    codes = np.empty(len(weights), np.uint16)

    def assign(first: int, stop: int) -> None:
        codes[first:stop] = np.searchsorted(values, weights[first:stop])

    in_blocks(len(weights), assign)
    counts = np.bincount(codes, minlength=len(values)).astype(np.int64)
    return Strata(StrataTable(values, counts), codes)


def _isin(block: Floats, values: Floats) -> NDArray[np.bool_]:
    if not values.size:
        return np.zeros(len(block), np.bool_)
    places = np.searchsorted(values, block)
    places[places == len(values)] = 0
    found: NDArray[np.bool_] = values[places] == block
    return found
