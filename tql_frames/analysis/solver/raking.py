"""Compute the most even row weights with wanted expected shares of labels: by raking, or by least squares.

By raking, the weight of a row is a product of one multiplier for each of its labels. A sum of one weight for each label
is a simpler sampler, which reaches fewer targets. `render_sampler` writes either as text; `solution` explains why a
share was not reached.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from tql_frames.analysis.solver.draws import Curve
from tql_frames.analysis.solver.items import Flags, Floats, LabelSets
from tql_frames.errors import TQLError

# The penalty on multipliers. In the dual, a penalty draws their logarithms to 0, so that each share is missed slightly:
# by 0.0000005 for a logarithm of 5, 0.0001 for 9.5, and by half for 13.8, a multiplier of a million. Shares that can be
# reached are reached; for others, multipliers stop before weights become useless, without harm to other shares.
_SOFT, _HARD, _REACH = 1e-7, 1e-12, 0.5

_SETTLED = 1e-9  # relative error of a share at which the search ends
_MET = 1e-3  # relative miss up to which a share counts as reached
_LEAST = 0.5  # of their mean share in the table: lowest level of equal labels that cannot all be equal
_ALIKE = 3  # rounds that even out the misses of shares that are all missed
_STEPS = 200  # of Newton's method; ten are usual, thirty were seen
_MARGIN = 0.02  # by which the logarithm of a capped weight stays above the cap, so that rounding keeps it there
_LONGEST = 15.0  # change of a logarithm in one step
_NO_LIMIT = Curve()


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Targets:
    """Wanted shares of labels.

    Attributes:
        shares: shape (L,), all > 0: the wanted share of draws with each label. For equal labels, only the ratios
            between their numbers matter.
        equal: shape (L,): the labels whose shares are wanted in the ratio of their `shares`, at any common level.
    """

    shares: Floats
    equal: Flags

    def at(self, level: float) -> Floats:
        """Return an array of shape (L,): the wanted share of each label, with the equal ones at this level."""
        return self.shares * np.where(self.equal, level, 1.0)

    def misses(self, shares: Floats, level: float) -> Floats:
        """Return an array of shape (L,): the relative differences between shares and the wanted shares."""
        return np.abs(shares / self.at(level) - 1)


@dataclass(frozen=True, eq=False)
class Tilt:
    """Weights of sets, `constant * product of the multipliers of its labels`, and their expected draws.

    Attributes:
        logs: shape (L,), logarithms of the multipliers, about -14 to 14.
        constant: the weight of a row without labels.
        weights: shape (S,), the expected draws of a row of each set: its weight, or the curve at that weight; their
            mean over the rows is 1.
        shares: shape (L,), the expected share of draws that have each label.
        level: level of the equal labels; 1 if there are none.
    """

    logs: Floats
    constant: float
    weights: Floats
    shares: Floats
    level: float


def rake(sets: LabelSets, targets: Targets, curve: Curve = _NO_LIMIT) -> Tilt:
    """Return the most even weights with the wanted shares.

    The most even weights minimise the Kullback-Leibler divergence of the draws from the rows: exponential tilting, or
    raking (Deville & Sarndal 1992, Journal of the American Statistical Association 87:376; with a cap their truncated
    form, with a bend another of their distances). Newton's method minimises the convex dual function, which has one
    variable per label.

    If shares cannot be reached: each equal label gets as near as possible to the level of those that can be equal. As
    few fixed shares as possible are missed; or all in equal proportion, if that is possible (for example, because they
    sum to more than 1) and has a smaller sum of squared relative misses.

    Args:
        sets: the table; each label in at least one row.
        targets: the shares.
        curve: expected draws of a row by its weight; without a limit by default.

    Examples:
        >>> sets = LabelSets.from_flags([70, 20, 10], [[1, 0], [0, 1], [1, 1]])
        >>> found = rake(sets, Targets(np.ones(2), np.array([True, True])))
        >>> found.shares.round(3), found.weights.round(3)
        (array([0.559, 0.559]), array([0.63 , 2.205, 1.179]))
    """
    ratios = sets.totals(sets.counts / sets.rows) / targets.shares
    start = float(ratios[targets.equal].mean()) if targets.equal.any() else 1.0
    found = tilt_to(sets, targets, start, curve)
    if (targets.misses(found.shares, found.level) <= _MET).all():
        return found
    return (_at_a_level if targets.equal.any() else _few_or_alike)(sets, targets, curve, found, start)


def _at_a_level(sets: LabelSets, targets: Targets, curve: Curve, free: Tilt, start: float) -> Tilt:
    """Return weights for equal labels that cannot all be equal, at the level of the labels that can.

    With a free level for all, the labels could become equal by all becoming rare, in favour of rows without them, and
    an unreachable label would pull the others towards it. So the missed labels are fixed while the level of the others
    is found; then all labels are fixed at that level. This is tried with all missed labels, and with only those that
    are too low; the result with the smaller sum of squared misses is returned.
    """
    least = start * _LEAST
    missed = targets.misses(free.shares, free.level) > _MET
    below = missed & (free.shares < targets.at(free.level))
    found = []
    for out in [missed] if (below == missed).all() else [missed, below]:
        level, near = max(free.level, least), free.logs
        others = Targets(np.where(out, targets.at(level), targets.shares), targets.equal & ~out)
        if others.equal.any():
            between = tilt_to(sets, others, level, curve, near=free.logs)
            level, near = max(between.level, least), between.logs
        tilt = tilt_to(sets, Targets(targets.at(level), np.zeros_like(targets.equal)), 1.0, curve, near=near)
        found.append(replace(tilt, level=level))
    return min(found, key=lambda tilt: float((targets.misses(tilt.shares, tilt.level) ** 2).sum()))


def _few_or_alike(sets: LabelSets, targets: Targets, curve: Curve, few: Tilt, _: float) -> Tilt:
    """Return weights for fixed shares that cannot all be reached.

    Few of the shares are missed, or all in equal proportion if their ratios can be reached.
    """
    relation = Targets(targets.shares, np.ones_like(targets.equal))
    alike = tilt_to(sets, relation, 1.0, curve)
    if (relation.misses(alike.shares, alike.level) > _MET).any():
        return few
    centre = alike.logs
    for _round in range(_ALIKE):
        alike = tilt_to(sets, targets, 1.0, curve, centre=centre, near=centre)
        centre = alike.logs - np.median(alike.logs - centre)
    return min((few, alike), key=lambda tilt: float((targets.misses(tilt.shares, 1.0) ** 2).sum()))


def tilt_to(
    sets: LabelSets,
    targets: Targets,
    start: float,
    curve: Curve,
    *,
    centre: Floats | float = 0.0,
    near: Floats | float = 0.0,
) -> Tilt:
    """Minimise `log Z(logs) - logs . shares + price(logs - centre)`, with the Z of the curve as in `Dual`.

    The logs of equal labels, times their shares, sum to 0, so that their level is free; it is about `start`. The
    search begins at the logs `near`.
    """
    scale = targets.at(start)  # penalties are relative to these shares
    fixed = np.where(targets.equal, 0.0, targets.shares)
    along = np.where(targets.equal, targets.shares, 0.0)
    logs = np.zeros(len(scale)) + near
    logs = logs - along * (along @ logs) / max(float(along @ along), 1e-300)
    now = Dual(sets, logs, curve)
    value = now.value - logs @ fixed + _price(logs - centre) @ scale
    level, stiff = start, 0.0
    for _ in range(_STEPS):
        off = logs - centre
        slope = now.shares - fixed + scale * (_SOFT * off + _HARD * np.sinh(off / _REACH))
        if along.any():
            level = float(slope @ along / (along @ along))
        if (np.abs(slope - level * along) <= _SETTLED * scale).all():
            break
        curvature = now.curvature(stiff) + np.diag(scale * (_SOFT + _HARD / _REACH * np.cosh(off / _REACH)))
        step = _newton(curvature, slope, along)
        length = min(1.0, _LONGEST / max(np.abs(step).max(), 1e-300))
        while True:
            there = logs + length * step
            then = Dual(sets, there, curve)
            reached = then.value - there @ fixed + _price(there - centre) @ scale
            if reached <= value + 1e-4 * length * (slope @ step) + 1e-15 * abs(value) or length < 1e-9:
                break
            length /= 2
        if length < 1e-9 or (reached >= value and np.abs(length * step).max() < 1e-9):
            break  # what remains is rounding
        logs, now, value = there, then, reached
        stiff = min(max(4 * stiff, 1e-3), 1.0) if length < 0.1 else stiff / 4
    logs = logs - _excess(sets, logs, now)
    return Tilt(logs, math.exp(-now.log_z), now.weights, now.shares, level if targets.equal.any() else 1.0)


def _excess(sets: LabelSets, logs: Floats, now: Dual) -> Floats:
    """Return how far each logarithm can be lowered with the same weights capped.

    The logarithm of a label with an unreachable share is greater than necessary.
    """
    over = now.over
    found = np.zeros(len(logs))
    for label in np.flatnonzero(logs > 0).tolist():
        having = sets.having(label)
        least = float(over[having].min())
        if least > _MARGIN:
            found[label] = min(least - _MARGIN, logs[label])
            over = over - np.where(having, found[label], 0.0)
    return found


def _price(off: Floats) -> Floats:
    found: Floats = _SOFT * off**2 / 2 + _HARD * _REACH * np.cosh(np.clip(off / _REACH, -700, 700))
    return found


def _newton(curvature: Floats, slope: Floats, along: Floats) -> Floats:
    """Return the step to the minimum of a quadratic, subject to `step @ along == 0`."""
    both: Floats = np.linalg.solve(curvature, np.column_stack([-slope, along])).astype(np.float64, copy=False)
    step, back = both.T
    found: Floats = step - back * (step @ along) / (back @ along) if along.any() else step
    return found


class Dual:
    """The dual function at some logs, with its derivatives and weights.

    Weights are `w = curve.at(score - log_z)`, with `log_z` such that the mean of w over the rows is 1. Without a limit,
    the value is `log_z`, the logarithm of the mean of `exp(score)`.
    """

    def __init__(self, sets: LabelSets, logs: Floats, curve: Curve) -> None:
        self._sets = sets
        part = sets.counts / sets.rows
        score = sets.scores(logs)
        self.log_z = curve.normalise(part, score)
        inside = score - self.log_z
        self.weights = curve.at(inside)
        drawn = part * self.weights
        self.value = self.log_z + float((part * curve.areas(inside)).sum()) - 1
        self.shares = sets.totals(drawn)
        self.over = np.maximum(inside - curve.enough, 0.0)  # excess over the greatest weight with an effect, in logs
        self.loose = part * curve.slopes(inside)  # derivative of the draws by the scores; 0 for capped weights
        self._firm = drawn - self.loose

    def curvature(self, stiff: float) -> Floats:
        """Return second derivatives, shape (L, L): the covariance of labels among the draws that are not capped.

        `stiff` is the part of the capped draws to include, for steps that fail because weights cross the cap on the
        way.
        """
        mass = self.loose + stiff * self._firm
        mean = self._sets.totals(mass)
        return self._sets.together(mass) - np.outer(mean, mean) / max(float(mass.sum()), 1e-300)


_LEVEL_MET = 1e-3  # relative miss up to which a share counts as reached
_LEVEL_SETTLED = 2e-3  # relative change of the share at which the search ends: a millionth of the effective rows
_FIRST = 0.05  # relative: the first step
_FURTHEST = math.log(8)  # distance from the start of the search
_TRIES = 24
_LARGEST = 14.0  # logarithm of a multiplier: a million
_RIDGE = 1e-9
_FREE = 1e-3  # relative: tolerance for changing the common share without the other shares


def rake_at_least_cost(sets: LabelSets, targets: Targets, curve: Curve = _NO_LIMIT) -> Tilt:
    """Rake equal labels to the common share at which the weights have the greatest effective sample size (Kish).

    At each share the weights are those of `rake`. If equal labels cannot all be equal, or the share is not free, the
    result is that of `rake`.

    Args:
        sets: the table; each label in at least one row.
        targets: the shares.
        curve: expected draws of a row by its weight; without a limit by default.

    Examples:
        >>> sets = LabelSets.from_flags([70, 20, 10], [[1, 0], [0, 1], [1, 1]])
        >>> wanted = Targets(np.ones(2), np.array([True, True]))
        >>> rows = [float(1 / (sets.counts / 100 @ found.weights**2)) for found in (
        ...     rake(sets, wanted), rake_at_least_cost(sets, wanted)
        ... )]
        >>> [round(each, 4) for each in rows]
        [0.7197, 0.7222]
    """
    found = rake(sets, targets, curve)
    if not targets.equal.any() or (targets.misses(found.shares, found.level) > _LEVEL_MET).any():
        return found
    start = _Place.of(sets, targets, found, found.level, curve)
    if start is None:
        return found
    best = low = start
    high: _Place | float | None = None  # the least cost lies between `low` and `high`, once this is known
    sign = -math.copysign(1.0, start.slope)
    step = _FIRST
    for _ in range(_TRIES):
        if isinstance(high, _Place):  # the zero of the linearly interpolated slope, not too near to either end
            part = low.slope / (low.slope - high.slope)
            at = low.at + min(max(part, 0.05), 0.95) * (high.at - low.at)
        elif high is not None:
            at = (low.at + high) / 2
        else:
            at, step = low.at + sign * step, 3 * step
        if abs(at - low.at) < _LEVEL_SETTLED or abs(at - start.at) > _FURTHEST:
            break
        there = low.move(sets, targets, at, curve)
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
    """Weights at a common share, their cost, and its slope.

    Attributes:
        tilt: the weights.
        at: logarithm of the share.
        cost: logarithm of the rows over the effective sample size.
        slope: derivative of the cost by `at`.
    """

    def __init__(self, tilt: Tilt, at: float, cost: float, slope: float, along: Floats) -> None:
        self.tilt, self.at, self.cost, self.slope = tilt, at, cost, slope
        self._along = along  # derivative of the logarithms of the multipliers by `at`

    @classmethod
    def of(cls, sets: LabelSets, targets: Targets, tilt: Tilt, level: float, curve: Curve) -> _Place | None:
        """Return the place of some weights; None if the share cannot change without the other shares."""
        dual = Dual(sets, tilt.logs, curve)
        curvature = dual.curvature(0.0)
        goal = targets.at(level) * targets.equal
        curvature[np.diag_indices_from(curvature)] += _RIDGE * dual.shares
        along: Floats = np.linalg.solve(curvature, goal).astype(np.float64, copy=False)
        if np.abs(_RIDGE * dual.shares * along).max() > _FREE * np.abs(goal).max():
            return None
        change = sets.scores(along)
        change -= (dual.loose @ change) / max(float(dual.loose.sum()), 1e-300)
        squares = float(sets.counts / sets.rows @ dual.weights**2)
        slope = 2 * float((dual.loose * dual.weights) @ change) / squares
        return cls(tilt, math.log(level), math.log(squares), slope, along)

    def move(self, sets: LabelSets, targets: Targets, at: float, curve: Curve) -> _Place | None:
        """Return the place at another share; None if the labels cannot reach it."""
        level = math.exp(at)
        goal = targets.at(level)
        if (goal >= 1).any():
            return None
        near = np.clip(self.tilt.logs + (at - self.at) * self._along, -_LARGEST, _LARGEST)
        found = tilt_to(sets, Targets(goal, np.zeros_like(targets.equal)), 1.0, curve, near=near)
        if (np.abs(found.shares / goal - 1) > _LEVEL_MET).any():
            return None
        tilt = Tilt(found.logs, found.constant, found.weights, found.shares, level)
        return _Place.of(sets, targets, tilt, level, curve)


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class ArmWeights:
    """Weights of sets: `constant + sum of the weights of the arms of its labels`.

    Attributes:
        arms: shape (L,), the weight of each label's arm, >= 0.
        constant: the weight of the arm `True`.
        weights: shape (S,); their mean over the rows is 1.
        shares: shape (L,), the expected share of draws that have each label.
        level: level of the equal labels; 1 if there are none.
    """

    arms: Floats
    constant: float
    weights: Floats
    shares: Floats
    level: float


def weigh_arms(sets: LabelSets, targets: Targets) -> ArmWeights:
    """Return the arms whose expected shares of labels are nearest to the wanted ones, in relative least squares.

    The weight of an arm is the number of draws that it adds, so the draws with each label are linear in the weights.
    The system asks for 1 for each equal label, and for 0 as the difference of other labels from their wanted share of
    all draws.

    Args:
        sets: the table; each label in at least one row.
        targets: the shares.

    Examples:
        >>> sets = LabelSets.from_flags([70, 20, 10], [[1, 0], [0, 1], [1, 1]])
        >>> found = weigh_arms(sets, Targets(np.ones(2), np.array([True, True])))
        >>> found.arms.round(3), round(found.constant, 3), found.shares.round(3)
        (array([0.541, 1.892]), 0.0, array([0.622, 0.622]))
    """
    rows = np.append(sets.rows_with, sets.rows)  # of each arm; the last is `True`
    ways = np.column_stack([sets.together(sets.counts), sets.rows_with]) / rows  # shares of the draws of each arm
    some, free = bool(targets.equal.any()), targets.equal[:, None]
    level = 1.0
    for _ in range(3 if some and not targets.equal.all() else 1):  # the level scales the misses of fixed shares
        off = np.where(free, ways, level * (ways - targets.shares[:, None])) / targets.shares[:, None]
        # With fixed shares alone, the least distance in a cone has the right scale (Lawson & Hanson 1974, 23.4).
        system = np.vstack([off, np.full(len(rows), 0.0 if some else 1.0)])
        draws, _ = _nnls()(system, np.append(np.where(targets.equal, 1.0, 0.0), 0.0 if some else 1.0))
        level = 1 / draws.sum()
    arms = draws * level / rows * sets.rows
    weights = arms[-1] + sets.scores(arms[:-1])
    shares = sets.totals(sets.counts / sets.rows * weights)
    return ArmWeights(arms[:-1], float(arms[-1]), weights, shares, float(level) if some else 1.0)


@cache
def _nnls() -> Any:
    """Return SciPy's `nnls`; SciPy is loaded only when it is first needed."""
    try:
        return import_module("scipy.optimize").nnls
    except ImportError:
        hint = "pip install 'tql-frames[balance]', or method='raking', which reaches more and does without"
        raise TQLError("method 'nnls' needs SciPy, which is not installed", hint=hint) from None
