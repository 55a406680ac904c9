"""Draw with replacement by weights that change between draws; the time of an update depends on the changed rows only.

The draws are the same as those of `draw_rows` in `with_replacement` by the same weights. NumPy only; knows no frame.
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

# Rows of a part, whose weights are kept as one sum: a draw adds up the sums of all parts, and the weights of one part.
# A Fenwick tree (Fenwick 1994, Software: Practice and Experience 24:327) would update a sum on each of its levels, 24
# for ten million rows. 10,000 updates of 256 rows took 3.3 s with it. With parts of 128 to 1024 rows they took 0.4 to
# 0.8 s, including 100 draws of 256 rows; with parts of 4096 rows 2.0 s.
_PART_BITS = 8
_PART = 1 << _PART_BITS
_PARTS_EACH = 128  # rows per draw below which summing all rows is cheaper than summing one part for each draw
_AT_ONCE = 256  # draws whose parts are in memory at once
_DOUBT = 1e-8  # relative distance of a total from an edge of the scale, up to which all weights are summed
_MOST = 2**63  # least total that int64 cannot hold
_PLAIN = 900  # exponents below it are far from the limits of floats
_CERTAIN = 2.0**32  # a total above this times the number of rows is not changed noticeably by rounding the weights


class ChangingWeights:
    """One weight per row, with sums of parts that are updated with each change.

    Weights are scaled to integers as in `with_replacement`. Their sums do not depend on the order of changes, so draws
    depend on the weights alone. The scale depends on the total. Sums by two neighbouring scales may be kept, so that a
    total that moves back and forth across an edge of the scale does not cause a sum over all rows each time.

    Args:
        weights: shape (n,), finite, >= 0, at least one positive; copied.

    Examples:
        >>> weights = ChangingWeights(np.array([1.0, 0.0, 0.0]))
        >>> weights.update(np.array([0, 2]), np.array([0.0, 5.0]))
        True
        >>> weights.draw(3, seed=7).tolist()
        [2, 2, 2]
    """

    def __init__(self, weights: Floats) -> None:
        """Copy the weights; sums are computed at the first draw."""
        self.rows = len(weights)
        self._padded = np.zeros(-(-self.rows // _PART) * _PART)  # whole parts
        self._padded[: self.rows] = weights
        self._sums: dict[int, Integers] = {}  # sums of the parts, shape (parts,), by the exponent of the scale
        self._totals: dict[int, int] = {}

    @property
    def weights(self) -> Floats:
        """The current weights, shape (n,): a read-only view that shows later updates."""
        view = self._padded[: self.rows]
        view.flags.writeable = False
        return view

    def update(self, rows: Integers, weights: Floats) -> bool:
        """Set the weights of rows, unless all weights would become 0; return whether they were set.

        Args:
            rows: shape (k,), positions from 0; if a row is repeated, its last weight counts.
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
        # A total of 0 does not prove that all weights are 0: some may be too small for the scale.
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
        """Return the row positions of draws with replacement, shape (size,).

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
            # Rounded as in the bounds of single rows, so that the owners are the same as in `draw_rows`.
            passed = np.count_nonzero(inner.astype(np.float64) <= point[:, None], axis=1)
            found[first : first + _AT_ONCE] = owner * _PART + passed
        return found

    def shares(self, rows: Integers) -> Floats:
        """Return the probability that one draw takes each of these rows, shape (k,), the shape of `rows`."""
        exponent = self._scaled()
        shares: Floats = times_power_of_two(self._padded[rows], exponent) / self._totals[exponent]
        return shares

    def copy(self) -> ChangingWeights:
        """Return an independent copy of the weights."""
        return ChangingWeights(self._padded[: self.rows])

    def _scaled(self) -> int:
        """Return the exponent that `scale_of` returns for all weights; sums by this scale are then available."""
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
    """Return the changes of integer weights by a scale, shape (k,), k >= 1; None if weights are too large for it."""
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
