"""Compute a sampler for wanted shares of labels from counted sets of labels, independent of frames."""

from tql_frames.analysis.solver.draws import Draws
from tql_frames.analysis.solver.items import (
    NO_LABEL,
    LabelCondition,
    LabelSets,
    column_items,
    condition_item,
    either_items,
    label_items,
    none_of,
    separated_items,
    unlabelled_item,
)
from tql_frames.analysis.solver.render_sampler import choice_text
from tql_frames.analysis.solver.solution import Price, Solution, Target, balance_sets

__all__ = [
    "NO_LABEL",
    "Draws",
    "LabelCondition",
    "LabelSets",
    "Price",
    "Solution",
    "Target",
    "balance_sets",
    "choice_text",
    "column_items",
    "condition_item",
    "either_items",
    "label_items",
    "none_of",
    "separated_items",
    "unlabelled_item",
]
