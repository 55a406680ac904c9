"""The weight of a row as a formula in its labels, with numbers as short as its shares allow.

Its numbers come from `raking` or `added`; as a text of the sampler language it is written in `wording`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context

import numpy as np

from tql_frames.analysis.solver.label_sets import Flags, Floats, LabelSets
from tql_frames.analysis.solver.raking import normalise

_SHARES_KEPT = 0.005  # relative: what rounding may change of a share
_DIGITS = 15
_SAME = 1e-9  # relative: a number that is off by less is meant to be the shorter one


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Formula:
    """The weight of a row, about 1 in the mean; L labels.

    Attributes:
        factors: shape (L,), > 0: what the weight of a row is multiplied by for a label; 1 has no effect. Of `arms` it
            is the weight that the others then multiply, >= 0; of a sum the weight that is added.
        constant: the weight of a row that has none of the labels; with `arms` of one that has none of these.
        arms: shape (L,): labels of which a row has at most one, written as arms of one choice.
        never: shape (L,): labels whose rows have the weight 0.
        always: shape (L,): labels without which a row has the weight 0.
        cap: greatest weight; None where no weight is above it.
        added: the weight is a sum, not a product.
    """

    factors: Floats
    constant: float
    arms: Flags
    never: Flags
    always: Flags
    cap: float | None = None
    added: bool = False

    def weights(self, sets: LabelSets) -> Floats:
        """Return an array of shape (S,): the weight of the rows of each set.

        Example:
            >>> none = np.array([False, False])
            >>> formula = Formula(np.array([4.0, 0.5]), 1.0, none, none, none, cap=3.0)
            >>> formula.weights(LabelSets.from_flags([5, 5, 5], [[0, 0], [1, 0], [1, 1]]))
            array([1., 3., 2.])
        """
        found = np.exp(self.logs(sets))
        return found if self.cap is None else np.minimum(found, self.cap)

    def logs(self, sets: LabelSets) -> Floats:
        """Return an array of shape (S,): logarithms of the weights as they are before the cap; -inf for 0."""
        with np.errstate(divide="ignore"):
            if self.added:
                found = np.log(self.constant + sets.scores(self.factors))
            else:
                found = sets.scores(np.where(self.arms, 0.0, np.log(np.where(self.arms, 1.0, self.factors))))
                bare = sets.scores(self.arms.astype(np.float64)) == 0
                found += np.log(np.where(bare, self.constant, sets.scores(np.where(self.arms, self.factors, 0.0))))
        return np.where(banned(sets, self.never, self.always), -np.inf, found)

    def shortened(self, sets: LabelSets, matter: Flags) -> Formula:
        """Return the same in as few digits as keep the shares that matter, flags of shape (L,), within 0.5 percent.

        No weight then is above the cap times the mean weight: what is cut is cut at the cap itself, and all other
        numbers are such that the mean is not below 1.

        Example:
            >>> none = np.array([False, False])
            >>> sets = LabelSets.from_flags([60, 40], [[1, 0], [0, 1]])
            >>> formula = Formula(np.array([0.5 / 0.6, 0.5 / 0.4]), 0.0, ~none, none, none)
            >>> formula.shortened(sets, ~none).factors
            array([0.833, 1.25 ])
        """
        wanted = sets.totals(sets.counts * self.weights(sets))
        wanted /= sets.counts @ self.weights(sets)
        matter = matter & (wanted > 0)
        for digits in range(1, _DIGITS + 1):
            found = self._rounded(sets, digits)
            mass = sets.counts * found.weights(sets)
            shares = sets.totals(mass) / mass.sum()
            if (np.abs(shares[matter] / wanted[matter] - 1) <= _SHARES_KEPT).all():
                break
        return found

    def _rounded(self, sets: LabelSets, digits: int) -> Formula:
        if self.added:
            factors = np.array([short(factor, digits) for factor in self.factors])
            return replace(self, factors=factors, constant=short(self.constant, digits))
        # A factor below 1 is written as a division.
        factors = np.array([short(f, digits) if f >= 1 else 1 / short(1 / f, digits) for f in self._plain])
        found = replace(self, factors=np.where(self.arms, self.factors, factors))
        part, logs = sets.counts / sets.rows, found.logs(sets)
        scale = float(np.exp(-normalise(part, logs, self.cap)[0]))
        up = self.cap is not None
        if not self.arms.any():
            constant = short(scale * self.constant, digits if up else 2, up=up)
            found = replace(found, constant=constant)
        else:
            arms = np.array([short(scale * factor, digits, up=up) for factor in np.where(self.arms, self.factors, 0)])
            constant = short(scale * self.constant, digits, up=up)
            if self.cap is not None and (factors == 1).all():
                arms, constant = np.minimum(arms, self.cap), min(constant, self.cap)
            found = replace(found, factors=np.where(self.arms, arms, factors), constant=constant)
        if self.cap is not None and found.logs(sets).max() <= np.log(self.cap) + _SAME:
            found = replace(found, cap=None)
        return found

    @property
    def _plain(self) -> Floats:
        return np.where(self.arms, 1.0, self.factors)


def banned(sets: LabelSets, never: Flags, always: Flags) -> Flags:
    """Return an array of shape (S,).

    Whether a set has a label that is never to be drawn, or has not one that always is.
    """
    found: Flags = (sets.scores(never.astype(np.float64)) > 0) | (sets.scores(always.astype(np.float64)) < always.sum())
    return found


def short(number: float, digits: int, *, up: bool = False) -> float:
    """Return a number in significant decimal digits; the next one above where it is not to become less.

    Example:
        >>> short(0.83333, 2), short(0.83333, 2, up=True), short(1250.0000000001, 3, up=True)
        (0.83, 0.84, 1250.0)
    """
    found = float(Context(prec=digits, rounding=ROUND_HALF_EVEN).create_decimal(number))
    if up and found < number * (1 - _SAME):
        found = float(Context(prec=digits, rounding=ROUND_CEILING).create_decimal(number))
    return found
