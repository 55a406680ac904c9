"""Compute the sampler for wanted shares, in order: multipliers, a rounded formula, its text, and a check of its shares.

The numbers come from `raking`, the text from `render_sampler`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Context
from typing import Final, Literal, TypeAlias

import numpy as np

from tql_frames.analysis.solver.draws import Curve, Draws
from tql_frames.analysis.solver.items import Flags, Floats, Integers, LabelCondition, LabelSets
from tql_frames.analysis.solver.raking import Targets, Tilt, rake, rake_at_least_cost, weigh_arms
from tql_frames.analysis.solver.render_sampler import Formula, banned, sampler_text
from tql_frames.errors import TQLError

_TOLD = 0.01  # relative: a share that is off by more has a reason
_COMPANION = 0.2  # least part of its rows or draws that a label shares with another to name it in a reason
_ROUNDING = 1e-6  # of shares that sum to 1
_FAINT = 0.01  # of the mean weight
_EXACT = 2e-5  # relative error of a share, before numbers are rounded
_ROUNDS = 40  # of the search for exact shares; two are usual, more for a few draws
_CAP_DIGITS = 6
_WITH_REPLACEMENT = Draws()


@dataclass(frozen=True)
class Price:
    """How uneven weights are, or without replacement, how uneven inclusion probabilities are.

    Attributes:
        effective_rows: effective sample size (Kish 1965, Survey Sampling): number of rows of equal weight that are
            worth as much.
        greatest: the greatest weight, as a multiple of the mean: how often its row is expected in a sample of as many
            rows as the table. Without replacement, the greatest inclusion probability over the mean.
        smallest: the smallest, likewise.
        zero_rows: rows of weight 0, which are never drawn.
        faint_rows: rows of less than a hundredth of the mean, including those of weight 0.
    """

    effective_rows: float
    greatest: float
    smallest: float
    zero_rows: int
    faint_rows: int


def price_of(counts: Integers, weights: Floats) -> Price:
    """Return the price of weights, shape (S,), each of `counts` rows, shape (S,).

    Examples:
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
    """A formula and its targets, to be judged: L items on S sets.

    Attributes:
        items: the items.
        sets: the table.
        formula: the weights.
        targets: shape (L,), the wanted share of draws of each item, NaN for none.
        max_weight: the requested cap.
        draws: the draws that the shares refer to.
        expected: shape (S,), the expected draws of a row of each set, up to a common factor.
    """

    items: Sequence[LabelCondition]
    sets: LabelSets
    formula: Formula
    targets: Floats
    max_weight: float | None
    draws: Draws
    expected: Floats

    def reasons(self) -> list[str | None]:
        """Return, for each item, why its share is off by more than a percent; None if it is not."""
        mass = self.sets.counts * self.expected
        draws = mass / mass.sum()
        shares = self.sets.totals(draws)
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.where(shares == self.targets, 0.0, np.abs(shares / self.targets - 1)) > _TOLD
        return [self._reason(label, shares, draws) if off[label] else None for label in range(len(off))]

    def _reason(self, label: int, shares: Floats, draws: Floats) -> str:
        drawn, rows = (self.sets.beside(label, mass) for mass in (draws, self.sets.counts))
        more = bool(shares[label] < self.targets[label])
        have, all_rows = int(self.sets.rows_with[label]), self.sets.rows
        if have == 0:
            return "no row has it"
        if have == all_rows:
            return "every row has it"
        if more and (barred := self._barred(label, rows)):
            return barred
        if scarce := self._taken() or self._capped(label, more=more) or self._scarce(label, more=more):
            return scarce
        if sums := self._sums(single=self.items[label].single, more=more):
            return sums
        return self._companion(label, shares, drawn, rows, more=more) or self._limit()

    def _taken(self) -> str | None:
        """Return the reason that the sample takes every row; None if it does not."""
        drawable = int(self.sets.counts[self.expected > 0].sum())
        if not self.draws.takes_all(drawable):
            return None
        return f"{self._sample} takes every row{'' if drawable == self.sets.rows else ' that can be drawn'}"

    def _capped(self, label: int, *, more: bool) -> str | None:
        """Return the greatest share that the cap allows; None if it is not below the target."""
        have, all_rows = int(self.sets.rows_with[label]), self.sets.rows
        most = have * (self.max_weight or math.inf) / all_rows
        if not more or most >= self.targets[label] * (1 - _TOLD) or have * self._bound < most * all_rows:
            return None
        whose = f"{have:,} rows" if have > 1 else "one row"
        return f"max_weight={self.max_weight:g} allows its {whose} {_percent(most)} of the draws at most"

    @property
    def _bound(self) -> float:
        """Greatest possible expected draws of a row, over the mean."""
        return math.inf if self.draws.size is None else self.sets.rows / self.draws.size

    def _scarce(self, label: int, *, more: bool) -> str | None:
        """Return which rows are too few for the share in a sample without replacement; None if there are enough."""
        size, target = self.draws.size, self.targets[label]
        if size is None:
            return None
        left = self.expected > 0
        has = left & self.sets.having(label)
        those, others = int(self.sets.counts[has].sum()), int(self.sets.counts[left & ~has].sum())
        if more and those / size < target * (1 - _TOLD):
            have = int(self.sets.rows_with[label])
            whose = f"only {_counted(those)} {'has' if those == 1 else 'have'} it"
            if those < have:
                whose = f"only {those:,} of its {have:,} rows can be drawn"
            return f"{whose}: at most {_percent(those / size)} of {self._sample}"
        if not more and 1 - others / size > target * (1 + _TOLD):
            verb = "lacks" if others == 1 else "lack"
            return f"only {_counted(others)} {verb} it: at least {_percent(1 - others / size)} of {self._sample}"
        return None

    @property
    def _sample(self) -> str:
        return f"a sample of {_counted(self.draws.size or 0)} without replacement"

    def _barred(self, label: int, rows: Floats) -> str | None:
        """Return which share of 0 or 1 excludes all rows with the label; None if some are left."""
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
        """Return the sum of the wanted shares if no draws can have it, else None."""
        wanted = ~np.isnan(self.targets) & (np.array([item.single for item in self.items]) if single else True)
        total = float(self.targets[wanted].sum())
        if single and total > 1 + _ROUNDING:
            return f"a row has one label, and the shares wanted sum to {_percent(total)}"
        covered = bool((self.sets.scores(wanted.astype(np.float64)) > 0).all())
        if covered and not more and total < 1 - _ROUNDING:
            return f"every row has one of these at least, and the shares wanted sum to {_percent(total)}"
        return None

    def _companion(self, label: int, shares: Floats, drawn: Floats, rows: Floats, *, more: bool) -> str | None:
        """Return the co-occurring label that limits this one, or raises its share; None if there is none."""
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
        if self.max_weight is not None and self.max_weight < self._bound:
            return f"max_weight={self.max_weight:g} does not let the weights differ enough"
        if self.draws.size is not None:
            return f"{self._sample} cannot have all of these shares at once"
        return "no weights reach all of these shares at once"

    def _name(self, label: int) -> str:
        return repr(self.items[label].name)


def _percent(share: float) -> str:
    return f"{share:.3g}" if share > 100 else f"{share * 100:.4g}%"


def _counted(rows: int) -> str:
    return "one row" if rows == 1 else f"{rows:,} rows"


Target: TypeAlias = float | Literal["equal"] | None
METHODS: Final = ("raking", "nnls")


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Solution:
    """A sampler and its expected shares: L items on S sets.

    Attributes:
        sampler: its text.
        items: the labels and conditions.
        rows: shape (L,), number of rows with each item.
        before: shape (L,), the share of rows with each item.
        targets: shape (L,), the wanted share of draws with each item; for equal items the common share that was found,
            NaN without a target.
        shares: shape (L,), the expected share of draws with each item.
        off: shape (L,), `shares / targets - 1`; 0 if both are 0, NaN without a target.
        reasons: why a share is off by more than a percent, in words, or None.
        weights: shape (S,), the weight of the rows of each set.
        price: how uneven the draws are.
    """

    sampler: str
    items: tuple[LabelCondition, ...]
    rows: Integers
    before: Floats
    targets: Floats
    shares: Floats
    off: Floats
    reasons: tuple[str | None, ...]
    weights: Floats
    price: Price


def balance_sets(
    sets: LabelSets,
    items: Sequence[LabelCondition],
    targets: Sequence[Target],
    *,
    max_weight: float | None = None,
    method: str = "raking",
    at_least_cost: bool = False,
    draws: Draws = _WITH_REPLACEMENT,
) -> Solution:
    """Find the sampler with the wanted expected shares of draws.

    Args:
        sets: the table, as sets of numbers of items.
        items: L labels and conditions.
        targets: the wanted share of draws for each item, from 0 to 1; "equal" for the same share as all other "equal"
            items; None for any share.
        max_weight: greatest weight of a row, as a multiple of the mean weight: how often, at most, a row is expected in
            a sample of as many rows as the table.
        method: "raking", a multiplier for each item: reaches all shares that weights can reach, and excludes no row
            without need. "nnls", a sum of one weight per item: a simpler text, often with shares that are off.
        at_least_cost: whether raking brings equal labels to the share with the greatest effective sample size; else to
            the share of the most even weights.
        draws: the draws that the shares refer to; by default with replacement.

    Raises:
        TQLError: an argument is invalid, or shares of 0 and 1 leave no row to draw.

    Examples:
        >>> from tql_frames.analysis.solver.items import condition_item
        >>> sets = LabelSets.from_flags([90, 10], [[0], [1]])
        >>> found = balance_sets(sets, [condition_item("age > 60")], [0.5])
        >>> print(found.sampler)
        0.56
        * max_weight(age > 60: 9, true: 1)
        >>> found.shares, round(found.price.effective_rows, 6)
        (array([0.5]), 36.0)
    """
    shares, equal = _checked(sets, items, targets, max_weight, method)
    if draws.size is not None and method == "nnls":
        hint = "use method='raking'"
        raise TQLError("method 'nnls' computes weights only for draws with replacement", hint=hint)
    max_weight = None if max_weight is None else float(max_weight)  # such as from a Decimal
    never, always = _bars(sets, shares, equal)
    left = ~banned(sets, never, always)
    table = sets.select(left)
    scale = sets.rows / table.rows if table.rows else math.inf
    if not table.rows:
        raise TQLError("shares of 0 and 1 leave no row to draw")
    if max_weight is not None and scale >= max_weight:
        raise TQLError(
            f"shares of 0 and 1 leave {table.rows:,} of {sets.rows:,} rows, "
            f"of which each is {scale:.4g} times in a sample as long as the table: more than max_weight={max_weight:g}"
        )
    active = (equal | (shares > 0)) & ~always & (table.rows_with > 0)
    wanted = Targets(np.where(equal, 1.0, shares)[active], equal[active])
    curve = draws.curve(sets.rows) if not draws.takes_all(table.rows) else Curve()
    cap = None if max_weight is None else _cap_of(max_weight, curve)
    single = np.array([item.single for item in items], dtype=np.bool_)
    if draws.takes_all(table.rows):
        part = table.rows_with[equal & active] / table.rows
        none = np.zeros(int(active.sum()), dtype=np.bool_)
        formula, level = Formula(np.ones(len(none)), 1.0, none, none, none), float(part.mean()) if part.size else 0.0
        single &= (never | always).any()
        cap = None
    else:
        find = rake_at_least_cost if at_least_cost else rake
        limits = draws.curve(table.rows).cut_at(None if cap is None else cap / scale)
        formula, level = _found(table.of(active), wanted, limits, find if method == "raking" else None, draws)
    formula = replace(_on_all(formula, active, scale, cap), never=never, always=always, curve=curve)
    if not formula.added:
        formula = _with_arms(formula, sets, single & (active | never | always))
    formula = formula.shortened(sets, active)
    goals = np.where(equal, level if (equal & active).any() else 0.0, shares)
    expected = draws.expected(sets.counts, formula.weights(sets))
    return _judged(Case(tuple(items), sets, formula, goals, max_weight, draws, expected))


def _cap_of(max_weight: float, curve: Curve) -> float | None:
    """Return the weight at which a row reaches `max_weight` expected draws; None if no row can exceed that."""
    limit = curve.limited(max_weight)
    if limit == curve or (curve.bend is None and limit.cap != max_weight):
        return None
    if curve.bend is None:
        return max_weight
    return float(Context(prec=_CAP_DIGITS, rounding=ROUND_FLOOR).create_decimal(math.exp(limit.knee)))


def _checked(
    sets: LabelSets, items: Sequence[LabelCondition], targets: Sequence[Target], max_weight: float | None, method: str
) -> tuple[Floats, Flags]:
    """Return the fixed shares, NaN for "equal" and None, and flags of the equal items."""
    if method not in METHODS:
        raise TQLError(f"unknown method {method!r}", hint=f"use method {' or '.join(map(repr, METHODS))}")
    if max_weight is not None and not 1 < max_weight < math.inf:
        raise TQLError(f"expected max_weight to be above 1, the mean weight, got {max_weight!r}")
    if max_weight is not None and method == "nnls":
        raise TQLError("method 'nnls' has no max_weight", hint="use method='raking' for the same shares")
    if not sets.rows:
        raise TQLError("a table without rows has no shares to balance")
    for item, target in zip(items, targets, strict=True):
        if isinstance(target, float | int) and not 0 <= target <= 1:
            raise TQLError(f"expected the share of {item.name!r} to be from 0 to 1, got {target!r}")
    equal = np.array([target == "equal" for target in targets], dtype=np.bool_)
    shares = [target if isinstance(target, float | int) else math.nan for target in targets]
    return np.array(shares, dtype=np.float64), equal


def _bars(sets: LabelSets, shares: Floats, equal: Flags) -> tuple[Flags, Flags]:
    """Return flags of labels whose rows are never drawn, and of labels that all draws have.

    A share of 1 excludes the rows without the label only if rows of every other wanted label are left; otherwise it is
    approximated.
    """
    never, always = shares == 0, shares == 1
    wanted = equal | (shares > 0)
    before, after = (sets.select(~banned(sets, never, each)).rows_with > 0 for each in (always & False, always))
    return never, always & ~(wanted & before & ~after).any()


_Find: TypeAlias = Callable[[LabelSets, Targets, Curve], Tilt]


def _found(table: LabelSets, wanted: Targets, curve: Curve, find: _Find | None, draws: Draws) -> tuple[Formula, float]:
    """Return the result of `_formula`, with shares that are exact for successive draws, too.

    Shares by the curve are off by about one over the number of draws, so the wanted shares of the curve are corrected
    repeatedly by that error. Shares that neither the curve nor the draws reach are not corrected.
    """
    formula, level = _formula(table, wanted, curve, find)
    asked = np.ones(table.width)
    for _ in range(_ROUNDS if curve.bend is not None else 0):
        logs = np.minimum(formula.logs(table), curve.knee)
        near, exact = table.counts * curve.at(logs), table.counts * draws.expected(table.counts, np.exp(logs))
        along, shares = table.totals(near) / near.sum(), table.totals(exact) / exact.sum()
        short = along < Targets(wanted.shares * asked, wanted.equal).at(level) * (1 - _EXACT)
        found = np.where(short & (shares <= wanted.at(level) * (1 + _EXACT)), asked, along / shares)
        if (np.abs(found / asked - 1) <= _EXACT).all():
            break
        asked = found
        formula, level = _formula(table, Targets(wanted.shares * asked, wanted.equal), curve, find)
    return formula, level


def _formula(table: LabelSets, wanted: Targets, curve: Curve, find: _Find | None) -> tuple[Formula, float]:
    """Return the weights of the labels with a target, on the rows that may be drawn, and the level of equal labels.

    The weights are products that `find` computes, or sums if it is None.
    """
    none = np.zeros(table.width, dtype=np.bool_)
    if find is None:
        found = weigh_arms(table, wanted)
        return Formula(found.arms, found.constant, none, none, none, added=True), found.level
    tilt = find(table, wanted, curve)
    return Formula(np.exp(tilt.logs), tilt.constant, none, none, none, curve=curve), tilt.level


def _on_all(formula: Formula, active: Flags, scale: float, cap: float | None) -> Formula:
    """Return the formula of the active labels as one of all labels and rows; the excluded rows have the weight 0."""
    factors = np.full(len(active), 0.0 if formula.added else 1.0)
    factors[active] = formula.factors * (scale if formula.added else 1.0)
    none = np.zeros(len(active), dtype=np.bool_)
    return Formula(factors, formula.constant * scale, none, none, none, cap, formula.added)


def _with_arms(formula: Formula, sets: LabelSets, arms: Flags) -> Formula:
    """Return the formula with one arm for each label in `arms`; a row has at most one of these labels."""
    if not arms.any():
        return formula
    only = arms & formula.always
    weighing = arms & ~formula.never & (only if only.any() else True)
    bare = ~banned(sets, formula.never | arms, formula.always)
    return replace(
        formula,
        factors=np.where(arms, np.where(weighing, formula.constant * formula.factors, 0.0), formula.factors),
        constant=formula.constant if bare.any() else 0.0,
        arms=arms,
        never=formula.never & ~arms,
        always=formula.always & ~arms,
    )


def _judged(case: Case) -> Solution:
    sets = case.sets
    mass = sets.counts * case.expected
    shares = sets.totals(mass) / mass.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.where(shares == case.targets, 0.0, shares / case.targets - 1)
    return Solution(
        sampler=sampler_text(case.items, case.formula),
        items=tuple(case.items),
        rows=sets.rows_with,
        before=sets.rows_with / sets.rows,
        targets=case.targets,
        shares=shares,
        off=off,
        reasons=tuple(case.reasons()),
        weights=case.formula.weights(sets),
        price=price_of(sets.counts, case.expected),
    )
