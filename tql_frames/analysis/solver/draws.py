"""Compute expected draws of rows from their weights: proportional with replacement, at most one without.

`raking` uses the approximate curve of this module; `solution` reports exact numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tql_frames.analysis.solver.items import Flags, Floats, Integers
from tql_frames.sampling import StrataTable
from tql_frames.sampling.inclusion import expected_draws

_EULER = 0.5772156649015329
_CERTAIN = 40.0  # x from which exp(-x) has no effect on a sum in double precision
_ARRIVED = 12.0  # -log of the probability that a row taken as certain is not drawn: one of 160,000
_ROUNDS = 200  # of the search for the scale of weights; six are usual
_POINTS, _PARTS = np.polynomial.legendre.leggauss(32)


@dataclass(frozen=True)
class Curve:
    """Expected draws of a row over their mean, by the logarithm of its weight: the weight itself, up to a cap.

    With a bend, expected draws approach the bend instead: `bend * (1 - exp(-weight / bend))`. They are proportional to
    the probability that a row has arrived by some time in the exponential race that draws successive samples (see
    `sampling.inclusion`). Inclusion probabilities agree with them up to a relative error of about one over the number
    of draws (Rosén 1997, Journal of Statistical Planning and Inference 62:135).

    Attributes:
        cap: greatest expected draws, as a multiple of the mean: above 1, or None.
        bend: expected draws of a row that is certain to be drawn; above 1, or None for no bend.
        certain: weight over bend from which a row is taken as certain to be drawn.

    Examples:
        >>> Curve(cap=2.0).at(np.log([0.5, 3.0])).tolist()
        [0.5, 2.0]
        >>> Curve(bend=2.0).at(np.log([0.5, 3.0, 50.0])).round(3).tolist()
        [0.442, 1.554, 2.0]
    """

    cap: float | None = None
    bend: float | None = None
    certain: float = _ARRIVED

    def limited(self, cap: float | None) -> Curve:
        """Return the curve with a cap, or the lower of two."""
        if cap is None or (self.bend is not None and cap >= self.bend):
            return self
        return replace(self, cap=cap if self.cap is None else min(cap, self.cap))

    def cut_at(self, weight: float | None) -> Curve:
        """Return the curve for rows whose weights are capped at this weight."""
        if weight is None or self.bend is None:
            return self.limited(weight)
        return self.limited(-self.bend * math.expm1(-weight / self.bend))

    @property
    def knee(self) -> float:
        """Logarithm of the weight from which the cap applies; infinite without a cap."""
        if self.cap is None:
            return math.inf
        return math.log(self.cap if self.bend is None else -self.bend * math.log1p(-self.cap / self.bend))

    @property
    def enough(self) -> float:
        """Logarithm of the weight beyond which more weight has no effect; infinite without a limit."""
        return self.knee if self.bend is None else min(self.knee, math.log(self.certain * self.bend))

    def at(self, logs: Floats) -> Floats:
        """Return expected draws, shape (S,), from logarithms of weights, shape (S,), -inf for 0."""
        weights = np.exp(np.minimum(logs, min(self.knee, 700.0)))
        found: Floats = weights if self.bend is None else -self.bend * np.expm1(-weights / self.bend)
        return found if self.cap is None else np.where(logs > self.knee, self.cap, found)

    def slopes(self, logs: Floats) -> Floats:
        """Return the derivative of `at`, shape (S,)."""
        weights = np.exp(np.minimum(logs, 700.0))
        found: Floats = weights if self.bend is None else weights * np.exp(-weights / self.bend)
        return np.where(logs > self.knee, 0.0, found)

    def areas(self, logs: Floats) -> Floats:
        """Return the integral of `at` from -inf, shape (S,)."""
        below = np.minimum(logs, self.knee)
        if self.bend is None:
            found: Floats = np.exp(below)
        else:
            found = self.bend * _integral_of_arrivals(below - math.log(self.bend))
        return found if self.cap is None else found + self.cap * np.maximum(logs - self.knee, 0.0)

    def normalise(self, part: Floats, score: Floats) -> float:
        """Return the `log_z` at which `at(score - log_z)` has the mean 1.

        Args:
            part: shape (S,), share of the rows in each set.
            score: shape (S,), -inf where the weight is 0.
        """
        if self.bend is None:
            return _capped_scale(part, score, self.cap)
        high = _capped_scale(part, score, self.cap)  # the mean is at most 1 here, since the curve is below the weight
        low, log_z = -math.inf, high
        for _ in range(_ROUNDS):
            mean = float(part @ self.at(score - log_z))
            low, high = (log_z, high) if mean >= 1 else (low, log_z)
            slope = float(part @ self.slopes(score - log_z))
            there = log_z + mean * math.log(mean) / slope if slope > 0 and mean > 0 else math.inf
            if not low < there < high:
                there = high - 1 if low == -math.inf else (low + high) / 2
            if abs(there - log_z) <= 1e-15 * max(1.0, abs(log_z)):
                break
            log_z = there
        return log_z


def _capped_scale(part: Floats, score: Floats, cap: float | None) -> float:
    """Return the `log_z` at which `min(exp(score - log_z), cap)` has the mean 1."""
    cut: Flags = np.zeros(len(part), dtype=np.bool_)
    while True:  # capping some weights raises all others, so repeat until no other weight exceeds the cap
        loose = ~cut
        top = score[loose].max()
        rest = 1.0 if cap is None else max(1.0 - cap * part[cut].sum(), 1e-300)
        log_z = float(top + np.log((part[loose] * np.exp(score[loose] - top)).sum() / rest))
        more = loose & (score - log_z > math.log(cap or math.inf))
        if not more.any() or (more | cut | ~np.isfinite(score)).all():
            return log_z
        cut |= more


def _integral_of_arrivals(logs: Floats) -> Floats:
    """Return the integral of `1 - exp(-exp(s))` from -inf to logs, shape (S,): the function Ein of exp(logs).

    It is the integral of `(1 - exp(-x u)) / u` over u from 0 to 1. 32 quadrature points compute it up to rounding
    errors; for large x it is `log(x)` plus Euler's constant.
    """
    x = np.exp(np.minimum(logs, math.log(_CERTAIN)))
    places = (_POINTS + 1) / 2
    near = -np.expm1(-x[:, None] * places) @ (_PARTS / 2 / places)
    return np.where(logs > math.log(_CERTAIN), logs + _EULER, near)


@dataclass(frozen=True)
class Draws:
    """The draws whose shares are wanted.

    Attributes:
        size: number of draws; None for any number with replacement.
        successive: whether rows are drawn one after the other, by weight among the rows that are left. Otherwise
            inclusion probabilities are proportional to weight, up to 1, as in systematic and Poisson samples.
    """

    size: int | None = None
    successive: bool = False

    def curve(self, rows: int) -> Curve:
        """Return the curve for a number of rows; for one draw, it is the weight.

            Examples:
        X"""
        if self.size is None or self.takes_all(rows):
            return Curve()
        bound = rows / self.size
        if not self.successive or self.size == 1:
            return Curve(cap=bound)
        # The time of the last arrival is about Gamma(size). With few draws it may be short, so that a row needs a
        # greater weight to be certain.
        return Curve(bend=bound, certain=self.size * math.expm1(_ARRIVED / self.size))

    def takes_all(self, rows: int) -> bool:
        """Return whether a sample from this number of rows takes all of them."""
        return self.size is not None and self.size >= rows

    def expected(self, counts: Integers, weights: Floats) -> Floats:
        """Return the expected draws of a row of each set, shape (S,), up to a common factor.

        They are exact; for successive samples, the relative error is below 1e-9.

        Args:
            counts: shape (S,), rows of each set.
            weights: shape (S,), the weight of a row of each set.

        Examples:
            >>> Draws(2, successive=True).expected(np.array([2, 1]), np.array([1.0, 2.0])).round(6).tolist()
            [0.583333, 0.833333]
        """
        if self.size is None:
            return weights
        rows = int(counts[weights > 0].sum())
        if self.takes_all(rows):
            return (weights > 0).astype(np.float64)
        if self.successive:
            values, places = np.unique(weights, return_inverse=True)
            table = StrataTable(values, np.bincount(places, weights=counts).astype(np.int64))
            found: Floats = expected_draws(table, self.size, replace=False)[places]
            return found
        with np.errstate(divide="ignore"):
            logs = np.log(weights)
        curve, part = self.curve(rows), np.where(weights > 0, counts / rows, 0.0)
        return curve.at(logs - curve.normalise(part, logs))
