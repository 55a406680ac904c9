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

from tql_frames.compiler.translate import CompiledArm
from tql_frames.language import tree

_MOST_NUMBERS = 256  # what a byte can tell apart
_CHAIN = 16  # arms in one when/then, which is nested as deeply as it is long


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class Levels:
    """The weights that a sampler can give, by number.

    Attributes:
        number: UInt8 expression of each row's number.
        weights: shape (m,), the weight of each number: finite, >= 0; in any order, repeated or not.
    """

    number: pl.Expr
    weights: NDArray[np.float64]


def levels_of(choice: tree.WeightChoice, arms: Sequence[CompiledArm]) -> Levels | None:
    """The levels of a weight choice with these arms; None where they are not known or too many."""
    if len(arms) != len(choice.arms):  # a condition holds a weight choice of its own
        return None
    weights = []
    for arm in arms:
        if arm.constant is None or not 0 <= arm.constant < math.inf:
            return None
        weights.append(arm.constant)
    if choice.name == "sum_weight":
        return _sums(arms, weights)
    always = [isinstance(arm.condition, tree.Literal) and arm.condition.value is True for arm in choice.arms]
    return _greatest(arms, weights, always)


def _greatest(arms: Sequence[CompiledArm], weights: Sequence[float], always: Sequence[bool]) -> Levels | None:
    default = max([0.0, *(weight for weight, each in zip(weights, always, strict=True) if each)])
    levels = sorted({default, *(weight for weight in weights if weight > default)})
    if len(levels) > _MOST_NUMBERS:
        return None
    numbers = {weight: number for number, weight in enumerate(levels)}
    above = sorted((weight, place) for place, weight in enumerate(weights) if weight > default)
    chains = [pl.lit(0, pl.UInt8)]
    for place, (weight, arm) in enumerate(above):  # ascending, so that the greatest is asked for first
        if place and place % _CHAIN == 0:
            chains.append(pl.lit(0, pl.UInt8))
        chains[-1] = _where(arms[arm], numbers[weight], chains[-1])
    number = chains[0] if len(chains) == 1 else pl.max_horizontal(chains)
    return Levels(number, np.array(levels))


def _sums(arms: Sequence[CompiledArm], weights: Sequence[float]) -> Levels | None:
    """A bit an arm, and the sum of each combination, added from left to right as `translate` adds."""
    if 2 ** len(arms) > _MOST_NUMBERS:
        return None
    number = pl.lit(0, pl.UInt8)
    combinations = np.arange(2 ** len(arms))
    sums = np.zeros(len(combinations))
    for place, (arm, weight) in enumerate(zip(arms, weights, strict=True)):
        number = number + _where(arm, 1 << place, pl.lit(0, pl.UInt8))
        sums += np.where(combinations >> place & 1, weight, 0.0)
    return Levels(number, sums) if np.isfinite(sums).all() else None


def _where(arm: CompiledArm, number: int, otherwise: pl.Expr) -> pl.Expr:
    return pl.when(arm.condition).then(pl.lit(number, pl.UInt8)).otherwise(otherwise)
