"""Which arm of a weight choice decides the weight of a row.

In max_weight it is the arm with the greatest weight, and among equals a default such as `True: 1`, or else the first in
the text. In sum_weight every arm that matches has its part.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tql_frames.compiler.expressions.sampler import CompiledSampler
from tql_frames.language import nodes

_FEW = 16  # arms


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class Decider:
    """The arms of a max_weight.

    Attributes:
        places: of the arms among those of the sampler, the one first that decides among equals.
        number: UInt32 expression of the arm that decides a row, by its number in `places`; null where none matches.
    """

    places: tuple[int, ...]
    number: pl.Expr


def deciders_of(sampler: CompiledSampler) -> list[Decider]:
    """Return the max_weight choices of a sampler, inner ones included."""
    places = {arm.span: place for place, arm in enumerate(sampler.arms)}
    found = []
    for choice in sampler.tree.walk():
        if not (isinstance(choice, nodes.WeightChoice) and choice.name == "max_weight"):
            continue
        arms = sorted((arm for arm in choice.arms if arm.span in places), key=lambda arm: not is_default(arm))
        order = tuple(places[arm.span] for arm in arms)
        if order:
            found.append(Decider(order, _number(sampler, order)))
    return found


def is_default(arm: nodes.Arm) -> bool:
    """Return whether an arm matches every row by its text, as `True: 1` does."""
    return isinstance(arm.condition, nodes.Literal) and arm.condition.value is True


def _number(sampler: CompiledSampler, places: tuple[int, ...]) -> pl.Expr:
    arms = [sampler.arms[place] for place in places]
    weights = [pl.when(arm.condition).then(arm.weight).otherwise(pl.lit(-1.0)) for arm in arms]
    if len(arms) > _FEW:  # the expression below grows with the square of the arms
        every = pl.concat_list(each.cast(pl.Float64).fill_null(-1.0) for each in weights)
        return pl.when(every.list.max() >= 0).then(every.list.arg_max().cast(pl.UInt32))
    greatest = pl.max_horizontal(weights)
    return pl.min_horizontal(
        [
            pl.when(arm.condition & (arm.weight >= greatest)).then(pl.lit(number, pl.UInt32))
            for number, arm in enumerate(arms)
        ]
    )
