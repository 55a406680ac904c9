"""A formula of row weights as the text of a sampler.

Which labels and conditions there are is told by `items`, what their numbers are by `formula`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from tql_frames.analysis.solver.formula import Formula, short
from tql_frames.analysis.solver.items import Item, other_than
from tql_frames.analysis.solver.label_sets import Floats
from tql_frames.language import nodes, parse, unparse
from tql_frames.language.nodes import Node

_WIDTH = 100  # characters of a line, above which a choice has one arm a line
_CHAIN = 40  # factors in one product: a tree is read up to 100 levels deep

_LINE_ENDS = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|\n")  # a text in quotes keeps its own

_Piece: TypeAlias = tuple[Node, str]  # a node and its text, of one line or several

_ALWAYS = nodes.Literal(True)


def sampler_text(items: Sequence[Item], formula: Formula) -> str:
    """Return the sampler that gives rows the weights of a formula.

    Args:
        items: L labels or conditions; those that are `arms` of the formula are labels of one column.
        formula: the weights.

    Returns:
        Text that is read as exactly this formula: a factor or an arm on a line, the greatest first.

    Raises:
        TQLError: there are more factors than an expression can be deep, about 2,000.

    Example:
        >>> items = [Item(name, parse(f"contains(findings, '{name}')")) for name in ("Mass", "Hernia")]
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


def _sum(items: Sequence[Item], formula: Formula) -> _Piece:
    arms = [(items[place].condition, formula.factors[place]) for place in _greatest_first(formula.factors)]
    arms = [arm for arm in arms if arm[1] > 0]
    if formula.constant > 0 or not arms:
        arms.append((_ALWAYS, formula.constant))
    return _choice("sum_weight", arms)


def _product(items: Sequence[Item], formula: Formula, limits: Sequence[_Piece]) -> _Piece:
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


def _factor(item: Item, number: float) -> _Piece:
    return _choice("max_weight", [(item.condition, number), (_ALWAYS, 1.0)])


def _absent(item: Item) -> _Piece:
    """1 where a condition is false or null, 0 where it is true: an arm of weight 0 beside another has no effect."""
    choice, text = _choice("max_weight", [(item.condition, 1.0)])
    return nodes.Arithmetic("-", nodes.Literal(1), choice), f"(1 - {text})"


def _arms(items: Sequence[Item], formula: Formula) -> _Piece:
    """Return the labels of a column of one value a row, and what the other rows weigh."""
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
