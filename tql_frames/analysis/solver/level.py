"""The share that equal labels have in common: the one of the greatest effective sample size.

Weights for each share come from `raking`. The share follows from the labels where each row has just one of them; with
several labels a row, or rows without, it is free.
"""

from __future__ import annotations

import math

import numpy as np

from tql_frames.analysis.solver.label_sets import Floats, LabelSets
from tql_frames.analysis.solver.raking import Dual, Tilt, Wanted, rake, tilt_to

_MET = 1e-3  # relative miss up to which a share counts as reached
_SETTLED = 2e-3  # relative change of the share at which the search ends: of effective rows it is a millionth
_FIRST = 0.05  # relative: the first step away
_FURTHEST = math.log(8)  # from where the search begins
_TRIES = 24
_LARGEST = 14.0  # logarithm of a multiplier: a million
_RIDGE = 1e-9
_FREE = 1e-3  # relative: how exactly the common share can be moved alone


def rake_at_least_cost(sets: LabelSets, wanted: Wanted, cap: float | None = None) -> Tilt:
    """Rake equal labels to the common share at which the weights have the greatest effective sample size (Kish).

    At each share the weights are those of `rake`. Where equal labels cannot all be equal, or the share is not free, the
    result is that of `rake`.

    Args:
        sets: the table; each label in at least one row.
        wanted: the shares.
        cap: greatest weight, as a multiple of the mean: above 1.

    Example:
        >>> sets = LabelSets.from_flags([70, 20, 10], [[1, 0], [0, 1], [1, 1]])
        >>> wanted = Wanted(np.ones(2), np.array([True, True]))
        >>> rows = [float(1 / (sets.counts / 100 @ found.weights**2)) for found in (
        ...     rake(sets, wanted), rake_at_least_cost(sets, wanted)
        ... )]
        >>> [round(each, 4) for each in rows]
        [0.7197, 0.7222]
    """
    found = rake(sets, wanted, cap)
    if not wanted.equal.any() or (wanted.misses(found.shares, found.level) > _MET).any():
        return found
    start = _Place.of(sets, wanted, found, found.level, cap)
    if start is None:
        return found
    best = low = start
    high: _Place | float | None = None  # the least cost lies between `low` and `high`, once this is known
    sign = -math.copysign(1.0, start.slope)
    step = _FIRST
    for _ in range(_TRIES):
        if isinstance(high, _Place):  # where the slope would be 0 if it were straight, and not too near to either end
            part = low.slope / (low.slope - high.slope)
            at = low.at + min(max(part, 0.05), 0.95) * (high.at - low.at)
        elif high is not None:
            at = (low.at + high) / 2
        else:
            at, step = low.at + sign * step, 3 * step
        if abs(at - low.at) < _SETTLED or abs(at - start.at) > _FURTHEST:
            break
        there = low.move(sets, wanted, at, cap)
        if there is None:
            high = at
        else:
            best = min(best, there, key=lambda place: place.cost)
            if there.slope * sign < 0:
                low = there
            else:
                high = there
    return best.tilt


class _Place:
    """Weights at a share, the cost there, and how it changes.

    Attributes:
        tilt: the weights.
        at: logarithm of the share.
        cost: logarithm of the rows over the effective sample size.
        slope: its derivative by `at`.
    """

    def __init__(self, tilt: Tilt, at: float, cost: float, slope: float, along: Floats) -> None:
        self.tilt, self.at, self.cost, self.slope = tilt, at, cost, slope
        self._along = along  # derivative of the logarithms of the multipliers by `at`

    @classmethod
    def of(cls, sets: LabelSets, wanted: Wanted, tilt: Tilt, level: float, cap: float | None) -> _Place | None:
        """Return the place of some weights; None where the share cannot be moved alone."""
        dual = Dual(sets, tilt.logs, cap)
        curvature = dual.curvature(0.0)
        goal = wanted.at(level) * wanted.equal
        curvature[np.diag_indices_from(curvature)] += _RIDGE * dual.shares
        along: Floats = np.linalg.solve(curvature, goal).astype(np.float64, copy=False)
        if np.abs(_RIDGE * dual.shares * along).max() > _FREE * np.abs(goal).max():
            return None
        part = sets.counts / sets.rows
        loose = part * dual.weights * (dual.over == 0)
        change = sets.scores(along)
        change -= (loose @ change) / max(float(loose.sum()), 1e-300)
        squares = float(part @ dual.weights**2)
        slope = 2 * float((loose * dual.weights) @ change) / squares
        return cls(tilt, math.log(level), math.log(squares), slope, along)

    def move(self, sets: LabelSets, wanted: Wanted, at: float, cap: float | None) -> _Place | None:
        """Return the place at another share; None where the labels do not reach it."""
        level = math.exp(at)
        goal = wanted.at(level)
        if (goal >= 1).any():
            return None
        near = np.clip(self.tilt.logs + (at - self.at) * self._along, -_LARGEST, _LARGEST)
        found = tilt_to(sets, Wanted(goal, np.zeros_like(wanted.equal)), 1.0, cap, near=near)
        if (np.abs(found.shares / goal - 1) > _MET).any():
            return None
        tilt = Tilt(found.logs, found.constant, found.weights, found.shares, level)
        return _Place.of(sets, wanted, tilt, level, cap)
