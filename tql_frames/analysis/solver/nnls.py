"""Weights of the arms of one `sum_weight`, none below 0, whose expected shares of labels are nearest to what is wanted.

A plainer sampler than that of `raking`, which it reaches less with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from tql_frames.analysis.solver.items import Floats, LabelSets
from tql_frames.analysis.solver.raking import Targets
from tql_frames.errors import TQLError


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class ArmWeights:
    """Weights of sets: `constant + sum of the weights of the arms of its labels`.

    Attributes:
        arms: shape (L,), the weight of each label's arm, >= 0.
        constant: the weight of the arm `True`.
        weights: shape (S,); their mean over the rows is 1.
        shares: shape (L,), the expected share of draws that have each label.
        level: of the equal labels; 1 where there are none.
    """

    arms: Floats
    constant: float
    weights: Floats
    shares: Floats
    level: float


def weigh_arms(sets: LabelSets, wanted: Targets) -> ArmWeights:
    """Return the arms whose expected shares of labels are nearest to what is wanted, in relative least squares.

    What an arm weighs says how many draws are made with it in mind, so the draws with each label are linear in the
    weights: with equal labels at the level 1, and others at 0 above what is wanted of all draws.

    Args:
        sets: the table; each label in at least one row.
        wanted: the shares.

    Examples:
        >>> sets = LabelSets.from_flags([70, 20, 10], [[1, 0], [0, 1], [1, 1]])
        >>> found = weigh_arms(sets, Targets(np.ones(2), np.array([True, True])))
        >>> found.arms.round(3), round(found.constant, 3), found.shares.round(3)
        (array([0.541, 1.892]), 0.0, array([0.622, 0.622]))
    """
    rows = np.append(sets.rows_with, sets.rows)  # of each arm, `True` the last
    ways = np.column_stack([sets.together(sets.counts), sets.rows_with]) / rows  # shares of the draws of each arm
    some, free = bool(wanted.equal.any()), wanted.equal[:, None]
    level = 1.0
    for _ in range(3 if some and not wanted.equal.all() else 1):  # which prices the miss of a fixed share
        off = np.where(free, ways, level * (ways - wanted.shares[:, None])) / wanted.shares[:, None]
        # Of fixed shares alone the least distance in a cone is at the right scale (Lawson & Hanson 1974, 23.4).
        system = np.vstack([off, np.full(len(rows), 0.0 if some else 1.0)])
        draws, _ = _nnls()(system, np.append(np.where(wanted.equal, 1.0, 0.0), 0.0 if some else 1.0))
        level = 1 / draws.sum()
    arms = draws * level / rows * sets.rows
    weights = arms[-1] + sets.scores(arms[:-1])
    shares = sets.totals(sets.counts / sets.rows * weights)
    return ArmWeights(arms[:-1], float(arms[-1]), weights, shares, float(level) if some else 1.0)


@cache
def _nnls() -> Any:
    """SciPy's, of which nothing else is used, so that it is loaded for the first such sampler."""
    try:
        return import_module("scipy.optimize").nnls
    except ImportError:
        hint = "pip install 'tql-frames[balance]', or method='raking', which reaches more and does without"
        raise TQLError("method 'nnls' needs SciPy, which is not installed", hint=hint) from None
