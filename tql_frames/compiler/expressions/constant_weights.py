"""A weight choice of constant weights by number: a byte a row says which weight it has, not eight bytes the weight.

The weights themselves, for any sampler, are in `translate`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.expressions.translate import CompiledArm
from tql_frames.language import nodes

_MOST_NUMBERS = 256  # what a byte can tell apart
_CHAIN = 16  # arms in one when/then, which is nested as deeply as it is long


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class Levels:
    """The weights that a sampler can give, by number.

    Attributes:
        number: UInt8 expression of each row's number.
        weights: shape (m,), the weight of each number: finite, >= 0; in any order, repeated or not.
        deciding: shape (m, arms), the arms that decide the weight of the rows of a number; None where arms are too many
            to be told apart.
    """

    number: pl.Expr
    weights: NDArray[np.float64]
    deciding: NDArray[np.bool_] | None


def levels_of(choice: nodes.WeightChoice, arms: Sequence[CompiledArm]) -> Levels | None:
    """Return the levels of a weight choice with these arms; None where they are not known or too many."""
    if len(arms) != len(choice.arms):  # a condition holds a weight choice of its own
        return None
    weights = []
    for arm in arms:
        if arm.constant is None or not 0 <= arm.constant < math.inf:
            return None
        weights.append(arm.constant)
    if choice.name == "sum_weight":
        return _sums(arms, weights)
    always = [isinstance(arm.condition, nodes.Literal) and arm.condition.value is True for arm in choice.arms]
    return _greatest(arms, weights, always)


def _greatest(arms: Sequence[CompiledArm], weights: Sequence[float], always: Sequence[bool]) -> Levels | None:
    """Return a number an arm.

    An arm decides a row where it gives the greatest weight, among equals a default or the first.

    Where arms are too many, a number a weight.
    """
    default = max((place for place, each in enumerate(always) if each), key=lambda place: weights[place], default=None)
    least = 0.0 if default is None else weights[default]
    above = [place for place, weight in enumerate(weights) if weight > least or default is None]
    above.sort(key=lambda place: (weights[place], -place))  # ascending, so that the greatest is asked for first
    levels = [least, *(weights[place] for place in above)]
    numbers = list(range(1, len(levels)))
    deciding: NDArray[np.bool_] | None = None
    if len(levels) > _MOST_NUMBERS:
        levels = sorted(set(levels))
        if len(levels) > _MOST_NUMBERS:
            return None
        numbers = np.searchsorted(levels, [weights[place] for place in above]).tolist()
    else:
        deciding = np.zeros((len(levels), len(arms)), np.bool_)
        deciding[numbers, above] = True
        if default is not None:
            deciding[0, default] = True
    chains = [pl.lit(0, pl.UInt8)]
    for place, (number, arm) in enumerate(zip(numbers, above, strict=True)):
        if place and place % _CHAIN == 0:
            chains.append(pl.lit(0, pl.UInt8))
        chains[-1] = _where(arms[arm], number, chains[-1])
    return Levels(chains[0] if len(chains) == 1 else pl.max_horizontal(chains), np.array(levels), deciding)


def _sums(arms: Sequence[CompiledArm], weights: Sequence[float]) -> Levels | None:
    """Return a bit an arm, and the sum of each combination, added from left to right as `translate` adds."""
    if 2 ** len(arms) > _MOST_NUMBERS:
        return None
    number = pl.lit(0, pl.UInt8)
    combinations = np.arange(2 ** len(arms))
    sums = np.zeros(len(combinations))
    for place, (arm, weight) in enumerate(zip(arms, weights, strict=True)):
        number = number + _where(arm, 1 << place, pl.lit(0, pl.UInt8))
        sums += np.where(combinations >> place & 1, weight, 0.0)
    deciding = (combinations[:, None] >> np.arange(len(arms)) & 1).astype(np.bool_)
    return Levels(number, sums, deciding) if np.isfinite(sums).all() else None


def _where(arm: CompiledArm, number: int, otherwise: pl.Expr) -> pl.Expr:
    return pl.when(arm.condition).then(pl.lit(number, pl.UInt8)).otherwise(otherwise)
