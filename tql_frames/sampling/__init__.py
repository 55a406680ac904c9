"""Weights to row positions; NumPy only, knows no frame."""

from tql_frames.sampling.draw import draw
from tql_frames.sampling.groups import Groups, draw_groups, expected_by_group
from tql_frames.sampling.rng import Floats, Integers, Positions, Streams, cores, derived_seed, fresh_seed, in_threads
from tql_frames.sampling.strata import Strata, StrataTable, count_codes, strata_of_codes, stratify

__all__ = [
    "Floats",
    "Groups",
    "Integers",
    "Positions",
    "Strata",
    "StrataTable",
    "Streams",
    "cores",
    "count_codes",
    "derived_seed",
    "draw",
    "draw_groups",
    "expected_by_group",
    "fresh_seed",
    "in_threads",
    "strata_of_codes",
    "stratify",
]
