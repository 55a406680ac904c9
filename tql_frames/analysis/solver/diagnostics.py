"""What weights of sets of labels bring and cost: shares beside what was wanted, why they are off, and how uneven it is.

The weights are found elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tql_frames.analysis.solver.formula import Formula, banned
from tql_frames.analysis.solver.items import Item
from tql_frames.analysis.solver.label_sets import Floats, Integers, LabelSets

_TOLD = 0.01  # relative: a share that is off by more has a reason
_COMPANION = 0.2  # the least part of its rows or draws with which a label is said to go together with another
_ROUNDING = 1e-6  # of shares that sum to 1
_FAINT = 0.01  # of the mean weight


@dataclass(frozen=True)
class Price:
    """How uneven weights are.

    Attributes:
        effective_rows: effective sample size (Kish 1965, Survey Sampling): as many rows of equal weight would tell as
            much as all these do, at the most.
        greatest: the greatest weight, as a multiple of the mean: how often its row is expected in a sample that is as
            long as the table.
        smallest: the smallest, likewise.
        zero_rows: rows of weight 0, which are never drawn.
        faint_rows: rows of less than a hundredth of the mean weight, those of weight 0 among them.
    """

    effective_rows: float
    greatest: float
    smallest: float
    zero_rows: int
    faint_rows: int


def price_of(counts: Integers, weights: Floats) -> Price:
    """Return the price of weights, shape (S,), of so many rows each, shape (S,).

    Example:
        >>> price_of(np.array([90, 10]), np.array([1.0, 9.0]))
        Price(effective_rows=36.0, greatest=5.0, smallest=0.5555555555555556, zero_rows=0, faint_rows=0)
    """
    weights = weights * (counts.sum() / (counts @ weights))
    return Price(
        effective_rows=float(counts.sum() ** 2 / (counts @ weights**2)),
        greatest=float(weights.max()),
        smallest=float(weights.min()),
        zero_rows=int(counts[weights == 0].sum()),
        faint_rows=int(counts[weights < _FAINT].sum()),
    )


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Case:
    """What a verdict is about: L items on S sets.

    Attributes:
        items: the items.
        sets: the table.
        formula: the weights.
        targets: shape (L,), the share of draws wanted of each, NaN where none is.
        max_weight: the cap that was asked for.
    """

    items: Sequence[Item]
    sets: LabelSets
    formula: Formula
    targets: Floats
    max_weight: float | None

    def reasons(self) -> list[str | None]:
        """Return why the share of each item is off by more than a percent; None where it is not."""
        mass = self.sets.counts * self.formula.weights(self.sets)
        draws = mass / mass.sum()
        shares = self.sets.totals(draws)
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.where(shares == self.targets, 0.0, np.abs(shares / self.targets - 1)) > _TOLD
        return [self._reason(label, shares, draws) if off[label] else None for label in range(len(off))]

    def _reason(self, label: int, shares: Floats, draws: Floats) -> str:
        drawn, rows = (self.sets.beside(label, mass) for mass in (draws, self.sets.counts))
        target, more = self.targets[label], shares[label] < self.targets[label]
        have, all_rows = int(self.sets.rows_with[label]), self.sets.rows
        if have == 0:
            return "no row has it"
        if have == all_rows:
            return "every row has it"
        if more and (barred := self._barred(label, rows)):
            return barred
        if more and self.max_weight is not None and have * self.max_weight / all_rows < target * (1 - _TOLD):
            most = have * self.max_weight / all_rows
            whose = f"{have:,} rows" if have > 1 else "one row"
            return f"max_weight={self.max_weight:g} allows its {whose} {_percent(most)} of the draws at most"
        if sums := self._sums(single=self.items[label].single, more=more):
            return sums
        return self._companion(label, shares, drawn, rows, more=more) or self._limit()

    def _barred(self, label: int, rows: Floats) -> str | None:
        """Return which share of 0 or 1 leaves no row that has the label."""
        if (self.sets.having(label) & ~banned(self.sets, self.formula.never, self.formula.always)).any():
            return None
        for other in np.flatnonzero(self.formula.never).tolist():
            if rows[other] == rows[label]:
                return f"all its rows have {self._name(other)}, which is not to be drawn"
        for other in np.flatnonzero(self.formula.always).tolist():
            if rows[other] == 0:
                return f"none of its rows has {self._name(other)}, which all draws are to have"
        return "all its rows are barred by shares of 0 and 1"

    def _sums(self, *, single: bool, more: bool) -> str | None:
        """Return what the shares sum to, where they cannot."""
        wanted = ~np.isnan(self.targets) & (np.array([item.single for item in self.items]) if single else True)
        total = float(self.targets[wanted].sum())
        if single and total > 1 + _ROUNDING:
            return f"a row has one label, and the shares wanted sum to {_percent(total)}"
        covered = bool((self.sets.scores(wanted.astype(np.float64)) > 0).all())
        if covered and not more and total < 1 - _ROUNDING:
            return f"every row has one of these at least, and the shares wanted sum to {_percent(total)}"
        return None

    def _companion(self, label: int, shares: Floats, drawn: Floats, rows: Floats, *, more: bool) -> str | None:
        """Return the other label that holds this one back, or draws it along."""
        part = rows / rows[label] if more else drawn / shares[label]
        part[label] = 0.0
        other = int(part.argmax())
        if part[other] < _COMPANION:
            return None
        both, have = round(rows[other]), int(self.sets.rows_with[label])
        where = f"{both:,} of its {have:,} rows also have {self._name(other)}"
        if more:
            return f"{where}, which would be drawn more often with it"
        return f"it is drawn with {self._name(other)}, in {_percent(part[other])} of its draws: {where}"

    def _limit(self) -> str:
        if self.formula.added:
            return "a sum of weights for each label does not reach it, for none of them can be below 0"
        if self.max_weight is not None:
            return f"max_weight={self.max_weight:g} does not let the weights differ enough"
        return "no weights reach all of these shares at once"

    def _name(self, label: int) -> str:
        return repr(self.items[label].name)


def _percent(share: float) -> str:
    return f"{share:.3g}" if share > 100 else f"{share * 100:.4g}%"
