"""Weights that change between draws: some at a time, in time that grows with the changed rows alone.

Draws are those of `draw_rows` in `with_replacement` by the same weights. NumPy only; knows no frame.
"""

from __future__ import annotations

import math

import numpy as np

from tql_frames.sampling.rng import BLOCK, Blocks, Floats, Integers, Positions, Streams, over_blocks
from tql_frames.sampling.strata import position_type
from tql_frames.sampling.with_replacement import (
    EDGE,
    STREAM,
    TOTAL_BITS,
    draw_rows,
    scale_of,
    times_power_of_two,
    whole,
)

# Rows whose weights are kept as one sum: a draw adds up the weights of one such part, and the sums of all. A Fenwick
# tree (Fenwick 1994, Software: Practice and Experience 24:327) adds to a sum on each of its levels, 24 for ten million
# rows: 10,000 updates of 256 rows took 3.3 s with it, and with parts 0.4 to 0.8 s, 100 draws of 256 rows included, from
# 128 to 1024 rows a part; 2.0 s with 4096.
_PART_BITS = 8
_PART = 1 << _PART_BITS
_PARTS_EACH = 128  # rows a draw from which summing all rows is cheaper than one part for each draw
_AT_ONCE = 256  # draws whose parts are in memory at once
_DOUBT = 1e-8  # distance of a total from an edge of the scale, relative, up to which all weights are asked
_MOST = 2**63  # total that int64 cannot hold
_PLAIN = 900  # exponent up to which a power of two is a float, far from its ends
_CERTAIN = 2.0**32  # rows are fewer than a total of this many times their number, lest rounding matters


class ChangingWeights:
    """One weight a row, with sums of parts that follow each change.

    Weights are scaled to integers as in `with_replacement`, so that sums do not depend on the order of changes: draws
    depend on the weights alone. The scale depends on the total. Near the total at which it changes, sums by both scales
    are kept, lest weights that go to and fro are added up each time.

    Args:
        weights: shape (n,), finite, >= 0, one positive; copied.

    Examples:
        >>> weights = ChangingWeights(np.array([1.0, 0.0, 0.0]))
        >>> weights.update(np.array([0, 2]), np.array([0.0, 5.0]))
        True
        >>> weights.draw(3, seed=7).tolist()
        [2, 2, 2]
    """

    def __init__(self, weights: Floats) -> None:
        """Copy the weights; sums are computed with the first draw."""
        self.rows = len(weights)
        self._padded = np.zeros(-(-self.rows // _PART) * _PART)  # whole parts
        self._padded[: self.rows] = weights
        self._sums: dict[int, Integers] = {}  # of parts, shape (parts,), by the exponent of the scale
        self._totals: dict[int, int] = {}

    @property
    def weights(self) -> Floats:
        """The weights, shape (n,), read-only; they follow each change."""
        view = self._padded[: self.rows]
        view.flags.writeable = False
        return view

    def update(self, rows: Integers, weights: Floats) -> bool:
        """Give rows other weights, and return whether a row of positive weight is left; otherwise nothing changes.

        Args:
            rows: shape (k,), positions from 0; of one that comes twice, the last weight counts.
            weights: shape (k,), finite, >= 0.
        """
        in_order = np.sort(rows)
        if np.count_nonzero(in_order[1:] == in_order[:-1]):
            rows, last = np.unique(rows[::-1], return_index=True)
            weights = weights[::-1][last]
        before = self._padded[rows]
        self._padded[rows] = weights
        changes = {exponent: _changes(before, weights, exponent) for exponent in self._sums}
        totals = {
            each: self._totals[each] + int(np.add.reduce(change))
            for each, change in changes.items()
            if change is not None
        }
        # A sum of 0 may be that of weights too small for its scale.
        if not any(totals.values()) and len(totals) == len(changes) and not self._padded.any():
            self._padded[rows] = before
            return False
        parts = rows >> _PART_BITS
        for exponent, change in changes.items():
            if change is None or totals[exponent] >= _MOST:
                del self._sums[exponent]
            else:
                np.add.at(self._sums[exponent], parts, change)
        self._totals = {exponent: totals[exponent] for exponent in self._sums}
        return True

    def draw(self, size: int, *, seed: int, start: int = 0) -> Positions:
        """Return the rows of draws with replacement, shape (size,).

        Args:
            size: number of draws.
            seed: whole number >= 0.
            start: number of the first draw among those of the seed.
        """
        streams = Streams(seed)
        if size > self.rows // _PARTS_EACH:
            return draw_rows(self._padded[: self.rows], size, streams, start=start)
        exponent = self._scaled()
        sums = self._sums[exponent]
        ends = np.cumsum(sums)
        bounds = ends.astype(np.float64)
        points = streams.uniforms(STREAM, size, start) * bounds[-1]
        owners = bounds.searchsorted(points, side="right")
        found = np.empty(size, position_type(self.rows))
        parts = self._padded.reshape(-1, _PART)
        for first in range(0, size, _AT_ONCE):
            owner, point = owners[first : first + _AT_ONCE], points[first : first + _AT_ONCE]
            inner = np.rint(times_power_of_two(parts[owner], exponent)).astype(np.int64)
            np.cumsum(inner, axis=1, out=inner)
            inner += (ends[owner] - sums[owner])[:, None]
            # Rounded as the bounds of single rows are, so that these are the owners that `draw_rows` finds.
            passed = np.count_nonzero(inner.astype(np.float64) <= point[:, None], axis=1)
            found[first : first + _AT_ONCE] = owner * _PART + passed
        return found

    def shares(self, rows: Integers) -> Floats:
        """Return the probability with which one draw takes each of some rows, shape (k,), as that of `rows`."""
        exponent = self._scaled()
        shares: Floats = times_power_of_two(self._padded[rows], exponent) / self._totals[exponent]
        return shares

    def copy(self) -> ChangingWeights:
        """Return the same weights, to be changed alone."""
        return ChangingWeights(self._padded[: self.rows])

    def _scaled(self) -> int:
        """Return the exponent of the scale, as `scale_of` would of all weights, with sums by it."""
        exponent = self._exponent()
        if exponent not in self._sums:
            self._sums[exponent] = self._summed(exponent)
            self._totals[exponent] = int(self._sums[exponent].sum())
        for other in [each for each in self._sums if abs(each - exponent) > 1]:
            del self._sums[other], self._totals[other]
        return exponent

    def _exponent(self) -> int:
        if self._totals:
            exponent = max(self._totals)  # the finest
            total = self._totals[exponent]
            part, power = math.frexp(total / EDGE)
            if total > self.rows * _CERTAIN and abs(part - 0.75) < 0.25 - _DOUBT:
                return exponent + TOTAL_BITS - power
        return scale_of(self._padded)

    def _summed(self, exponent: int) -> Integers:
        sums = np.empty(len(self._padded) // _PART, np.int64)

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                shares = whole(self._padded[first:stop], exponent).reshape(-1, _PART)
                shares.sum(axis=1, out=sums[first // _PART : stop // _PART])

        over_blocks(len(self._padded), run)
        return sums


assert BLOCK % _PART == 0


def _changes(before: Floats, after: Floats, exponent: int) -> Integers | None:
    """Return how integer weights change by a scale, shape (k,), k >= 1; None where they are too large for it."""
    most = 2.0**TOTAL_BITS
    if abs(exponent) < _PLAIN and len(after) * float(np.maximum.reduce(after)) < most * 2.0**-exponent:
        changes = np.rint(after * 2.0**exponent)
        changes -= np.rint(before * 2.0**exponent)
        return changes.astype(np.int64)
    with np.errstate(over="ignore"):
        scaled = times_power_of_two(after, exponent)
    if not scaled.sum() < most:
        return None
    return (np.rint(scaled) - np.rint(times_power_of_two(before, exponent))).astype(np.int64)
