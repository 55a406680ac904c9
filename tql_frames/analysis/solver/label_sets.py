"""A table as what balancing needs to know of it: its different sets of labels, and how many rows have each.

How they are counted is the caller's; what weights they get is decided in `raking` and `added`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_MOST_PAIRS = 20_000_000  # 320 MB of indices; sets with more pairs of labels are multiplied as matrices
_BLOCK = 4096  # sets in one such matrix


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class LabelSets:
    """S sets of L labels, by number, in compressed rows.

    Attributes:
        counts: shape (S,), the rows of each set, > 0. Two sets may be the same.
        starts: shape (S + 1,), where in `labels` each set starts, and the end.
        labels: shape (starts[-1],), the labels of one set after the other, each once in a set, from 0 to L - 1.
        width: L.

    Example:
        >>> sets = LabelSets.from_flags([70, 20, 10], [[1, 0], [0, 1], [1, 1]])
        >>> sets.rows, sets.rows_with
        (100, array([80, 30]))
    """

    counts: Integers
    starts: Integers
    labels: Integers
    width: int

    @classmethod
    def from_flags(cls, counts: object, flags: object) -> LabelSets:
        """Return the sets of a matrix of shape (S, L): true or 1 where a set has a label."""
        has = np.asarray(flags, dtype=np.bool_)
        starts = np.concatenate([[0], has.sum(axis=1).cumsum()]).astype(np.int64)
        return cls(np.asarray(counts, dtype=np.int64), starts, np.nonzero(has)[1].astype(np.int64), has.shape[1])

    @cached_property
    def rows(self) -> int:
        """Rows of the table."""
        return int(self.counts.sum())

    @cached_property
    def rows_with(self) -> Integers:
        """Shape (L,): the rows that have each label."""
        return np.rint(self.totals(self.counts)).astype(np.int64)

    @cached_property
    def owner(self) -> Integers:
        """Shape of `labels`: the set that each stands in."""
        return np.repeat(np.arange(len(self.counts)), np.diff(self.starts))

    def totals(self, mass: NDArray[np.number]) -> Floats:
        """Return an array of shape (L,): the mass, shape (S,), of the sets that have each label."""
        return np.bincount(self.labels, weights=mass[self.owner], minlength=self.width).astype(np.float64, copy=False)

    def scores(self, values: Floats) -> Floats:
        """Return an array of shape (S,): the sum of the values, shape (L,), of the labels of each set."""
        found = np.bincount(self.owner, weights=values[self.labels], minlength=len(self.counts))
        return found.astype(np.float64, copy=False)

    def having(self, label: int) -> Flags:
        """Return an array of shape (S,): whether a set has a label."""
        found = np.zeros(len(self.counts), dtype=np.bool_)
        found[self.owner[self.labels == label]] = True
        return found

    def beside(self, label: int, mass: NDArray[np.number]) -> Floats:
        """Return an array of shape (L,): the mass, shape (S,), of the sets that have a label and each other one."""
        return self.totals(np.where(self.having(label), mass, 0))

    def together(self, mass: NDArray[np.number]) -> Floats:
        """Return an array of shape (L, L): the mass, shape (S,), of the sets that have both of two labels."""
        if self._pairs is None:
            return self._multiplied(mass)
        codes, owner = self._pairs
        above = np.bincount(codes, weights=mass[owner], minlength=self.width**2).astype(np.float64, copy=False)
        above = above.reshape(self.width, self.width)
        return above + above.T + np.diag(self.totals(mass))

    def select(self, chosen: Flags) -> LabelSets:
        """Return the sets that are chosen, flags of shape (S,), of the same labels."""
        sizes = np.diff(self.starts)[chosen]
        starts = np.concatenate([[0], sizes.cumsum()]).astype(np.int64)
        return LabelSets(self.counts[chosen], starts, self.labels[chosen[self.owner]], self.width)

    def of(self, labels: Flags) -> LabelSets:
        """Return the same sets, of some of the labels, flags of shape (L,), which are numbered anew."""
        stay = labels[self.labels]
        starts = np.concatenate([[0], stay.cumsum()])[self.starts]
        number = labels.cumsum() - 1
        return LabelSets(self.counts, starts, number[self.labels[stay]], int(labels.sum()))

    @cached_property
    def _pairs(self) -> tuple[Integers, Integers] | None:
        """Each pair of labels in a set, as one number, and the set; None where these are too many."""
        sizes = np.diff(self.starts)
        if (sizes * (sizes - 1) // 2).sum() > _MOST_PAIRS:
            return None
        codes, owner = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for size in np.unique(sizes[sizes > 1]):
            sets = np.flatnonzero(sizes == size)
            members = self.labels[self.starts[sets][:, None] + np.arange(size)]
            one, other = np.triu_indices(int(size), 1)
            codes.append((members[:, one] * self.width + members[:, other]).ravel())
            owner.append(np.repeat(sets, len(one)))
        return np.concatenate(codes), np.concatenate(owner)

    def _multiplied(self, mass: NDArray[np.number]) -> Floats:
        found = np.zeros((self.width, self.width))
        for first in range(0, len(self.counts), _BLOCK):
            stop = min(first + _BLOCK, len(self.counts))
            inside = slice(self.starts[first], self.starts[stop])
            has = np.zeros((stop - first, self.width))
            has[self.owner[inside] - first, self.labels[inside]] = 1.0
            found += has.T @ (has * mass[first:stop, None])
        return found
