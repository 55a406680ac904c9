"""Write weights of labels as TQL text: rounded to few digits, checked, as arms or factors.

Labels and conditions come from `items`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context
from typing import TypeAlias

import numpy as np

from tql_frames.analysis.solver.draws import Curve
from tql_frames.analysis.solver.items import Flags, Floats, LabelCondition, LabelSets, other_than
from tql_frames.language import nodes, parse, unparse
from tql_frames.language.nodes import Node

_SHARES_KEPT = 0.005  # relative: greatest change of a share by rounding
_DIGITS = 15
_SAME = 1e-9  # relative: a smaller difference from a shorter number is a rounding error
_NO_LIMIT = Curve()


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Formula:
    """The weight of a row, with a mean of about 1; L labels.

    Attributes:
        factors: shape (L,), > 0: the factor of the weight of a row with a label; 1 has no effect. For labels in `arms`,
            the weight that the other factors multiply, >= 0; in a sum, the weight that is added.
        constant: the weight of a row without labels; with `arms`, of a row without any label in `arms`.
        arms: shape (L,): labels that exclude each other, written as arms of one choice.
        never: shape (L,): labels whose rows have the weight 0.
        always: shape (L,): labels without which a row has the weight 0.
        cap: greatest weight; None if no weight exceeds it.
        added: whether the weight is a sum, not a product.
        curve: expected draws of a row by its weight.
    """

    factors: Floats
    constant: float
    arms: Flags
    never: Flags
    always: Flags
    cap: float | None = None
    added: bool = False
    curve: Curve = _NO_LIMIT

    def weights(self, sets: LabelSets) -> Floats:
        """Return an array of shape (S,): the weight of the rows of each set.

        Examples:
            >>> none = np.array([False, False])
            >>> formula = Formula(np.array([4.0, 0.5]), 1.0, none, none, none, cap=3.0)
            >>> formula.weights(LabelSets.from_flags([5, 5, 5], [[0, 0], [1, 0], [1, 1]]))
            array([1., 3., 2.])
        """
        found = np.exp(self.logs(sets))
        return found if self.cap is None else np.minimum(found, self.cap)

    def expected(self, sets: LabelSets) -> Floats:
        """Return an array of shape (S,): the expected draws of a row of each set over their mean, by the curve."""
        part, logs = sets.counts / sets.rows, self.logs(sets)
        if self.cap is not None:
            logs = np.minimum(logs, np.log(self.cap))
        return self.curve.at(logs - self.curve.normalise(part, logs))

    def logs(self, sets: LabelSets) -> Floats:
        """Return an array of shape (S,): logarithms of the weights before the cap; -inf for 0."""
        with np.errstate(divide="ignore"):
            if self.added:
                found = np.log(self.constant + sets.scores(self.factors))
            else:
                found = sets.scores(np.where(self.arms, 0.0, np.log(np.where(self.arms, 1.0, self.factors))))
                bare = sets.scores(self.arms.astype(np.float64)) == 0
                found += np.log(np.where(bare, self.constant, sets.scores(np.where(self.arms, self.factors, 0.0))))
        return np.where(banned(sets, self.never, self.always), -np.inf, found)

    def shortened(self, sets: LabelSets, matter: Flags) -> Formula:
        """Return the formula in the fewest digits that change no share in `matter`, flags of shape (L,), by over 0.5 %.

        No weight then exceeds the cap times the mean weight: capped weights equal the cap, and the other numbers are
        rounded so that the mean is at least 1.

        Examples:
            >>> none = np.array([False, False])
            >>> sets = LabelSets.from_flags([60, 40], [[1, 0], [0, 1]])
            >>> formula = Formula(np.array([0.5 / 0.6, 0.5 / 0.4]), 0.0, ~none, none, none)
            >>> formula.shortened(sets, ~none).factors
            array([0.833, 1.25 ])
        """
        wanted = sets.totals(sets.counts * self.expected(sets)) / sets.rows
        matter = matter & (wanted > 0)
        for digits in range(1, _DIGITS + 1):
            found = self._rounded(sets, digits)
            shares = sets.totals(sets.counts * found.expected(sets)) / sets.rows
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
        scale = float(np.exp(-self.curve.cut_at(self.cap).normalise(part, logs)))
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
    """Return an array of shape (S,): whether a set has a label of `never`, or lacks a label of `always`."""
    found: Flags = (sets.scores(never.astype(np.float64)) > 0) | (sets.scores(always.astype(np.float64)) < always.sum())
    return found


def short(number: float, digits: int, *, up: bool = False) -> float:
    """Return a number rounded to significant decimal digits; with `up`, never to a smaller one.

    Examples:
        >>> short(0.83333, 2), short(0.83333, 2, up=True), short(1250.0000000001, 3, up=True)
        (0.83, 0.84, 1250.0)
    """
    found = float(Context(prec=digits, rounding=ROUND_HALF_EVEN).create_decimal(number))
    if up and found < number * (1 - _SAME):
        found = float(Context(prec=digits, rounding=ROUND_CEILING).create_decimal(number))
    return found


_WIDTH = 100  # characters of a line, above which a choice has one arm per line
_CHAIN = 40  # factors in one product: a tree is read up to 100 levels deep

_LINE_ENDS = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|\n")  # line ends inside quotes stay unchanged

_Piece: TypeAlias = tuple[Node, str]  # a node and its text, of one line or several

_ALWAYS = nodes.Literal(True)


def sampler_text(items: Sequence[LabelCondition], formula: Formula) -> str:
    """Return the sampler with the weights of a formula.

    Args:
        items: L labels or conditions; the `arms` of the formula are labels of one column.
        formula: the weights.

    Returns:
        Text that parses to exactly this formula: a factor or an arm per line, the greatest first.

    Raises:
        TQLError: the expression is nested too deeply, with more than about 2,000 factors.

    Examples:
        >>> items = [LabelCondition(name, parse(f"contains(findings, '{name}')")) for name in ("Mass", "Hernia")]
        >>> none = np.array([False, False])
        >>> print(sampler_text(items, Formula(np.array([1 / 3, 19.1]), 1.2, none, none, none, cap=20)))
        amin(array[
          1.2
          * max_weight(contains(findings, 'Hernia'): 19.1, true: 1)
          / max_weight(contains(findings, 'Mass'): 3, true: 1),
          20
        ])
    """
    limits = [_absent(item) for item, never in zip(items, formula.never, strict=True) if never]
    limits += [
        _choice("max_weight", [(item.condition, 1.0)])
        for item, always in zip(items, formula.always, strict=True)
        if always
    ]
    node, text = _chained([_sum(items, formula)], [], limits) if formula.added else _product(items, formula, limits)
    if formula.cap is not None:
        cap = _number(formula.cap)
        node = nodes.Call("amin", (nodes.Array((node, cap), nodes.Column("array")),))
        text = f"amin(array[\n{_indented(text)},\n  {unparse(cap)}\n])"
    assert parse(text) == node, f"not what it was made of: {text}"
    return text


def choice_text(name: str, arms: Sequence[tuple[Node, float]]) -> str:
    """Return a weight choice of conditions and weights as text, with one arm per line if it is long.

    Examples:
        >>> choice_text("max_weight", [(parse("age > 60"), 5.0), (parse("true"), 0.5)])
        'max_weight(age > 60: 5, true: 0.5)'
    """
    return _choice(name, arms)[1]


def _sum(items: Sequence[LabelCondition], formula: Formula) -> _Piece:
    arms = [(items[place].condition, formula.factors[place]) for place in _greatest_first(formula.factors)]
    arms = [arm for arm in arms if arm[1] > 0]
    if formula.constant > 0 or not arms:
        arms.append((_ALWAYS, formula.constant))
    return _choice("sum_weight", arms)


def _product(items: Sequence[LabelCondition], formula: Formula, limits: Sequence[_Piece]) -> _Piece:
    plain = np.where(formula.arms, 1.0, formula.factors)
    up = [_factor(items[place], plain[place]) for place in _greatest_first(plain) if plain[place] > 1]
    down = [
        _factor(items[place], short(1 / plain[place], 15))
        for place in reversed(_greatest_first(plain))
        if plain[place] < 1
    ]
    if formula.arms.any():
        up = [_arms(items, formula), *up]
    elif not up and not down:
        return _chained([_choice("max_weight", [(_ALWAYS, formula.constant)])], [], limits)
    elif formula.constant != 1 or not up:
        constant = _number(formula.constant)
        up = [(constant, unparse(constant)), *up]
    if len(up) + len(down) > _CHAIN:
        up, down = list(_in_groups(up)), list(_in_groups(down))
    return _chained(up, down, limits)


def _in_groups(factors: Sequence[_Piece]) -> Iterable[_Piece]:
    for first in range(0, len(factors), _CHAIN):
        node, text = _chained(factors[first : first + _CHAIN], [])
        yield node, f"(\n{_indented(text)}\n)"


def _chained(up: Sequence[_Piece], down: Sequence[_Piece], limits: Sequence[_Piece] = ()) -> _Piece:
    pieces = [*up, *down, *limits]
    operators = ["*"] * (len(up) - 1) + ["/"] * len(down) + ["*"] * len(limits)
    rest = "".join(f"\n{operator} {text}" for operator, (_, text) in zip(operators, pieces[1:], strict=True))
    return nodes.calculation(operators, [node for node, _ in pieces]), pieces[0][1] + rest


def _factor(item: LabelCondition, number: float) -> _Piece:
    return _choice("max_weight", [(item.condition, number), (_ALWAYS, 1.0)])


def _absent(item: LabelCondition) -> _Piece:
    """Return a factor of 1 if a condition is false or null, 0 if it is true; in a choice, an arm of 0 has no effect."""
    choice, text = _choice("max_weight", [(item.condition, 1.0)])
    return nodes.Arithmetic("-", nodes.Literal(1), choice), f"(1 - {text})"


def _arms(items: Sequence[LabelCondition], formula: Formula) -> _Piece:
    """Return a choice of the labels of a column of single values, and of the weight of the other rows."""
    places = [place for place in _greatest_first(formula.factors) if formula.arms[place]]
    arms = [(items[place].condition, formula.factors[place]) for place in places]
    if 0 < formula.constant <= formula.factors[places].min():
        arms.append((_ALWAYS, formula.constant))
    elif formula.constant > 0:
        known = [items[place].condition for place in sorted(places)]
        arms += [(other, formula.constant) for other in other_than(known)]
    return _choice("max_weight", arms)


def _choice(name: str, arms: Sequence[tuple[Node, float]]) -> _Piece:
    node = nodes.WeightChoice(name, tuple(nodes.Arm(condition, _number(weight)) for condition, weight in arms))
    text = unparse(node)
    if len(text) > _WIDTH and len(arms) > 2:
        text = ",\n  ".join(map(unparse, node.arms)).join([f"{name}(\n  ", "\n)"])
    return node, text


def _greatest_first(numbers: Floats) -> list[int]:
    return [int(place) for place in np.argsort(-numbers, kind="stable")]


def _number(number: float) -> nodes.Literal:
    return nodes.Literal(int(number) if number == int(number) and abs(number) < 1e15 else float(number))


def _indented(text: str) -> str:
    return "  " + _LINE_ENDS.sub(lambda found: found.group(1) or "\n  ", text)
