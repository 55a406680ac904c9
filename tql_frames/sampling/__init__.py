"""Draw row positions by weight. Frames and their columns are read elsewhere."""

from tql_frames.sampling.batches import Pools, draw_batches, draw_group_batches
from tql_frames.sampling.changing import ChangingWeights
from tql_frames.sampling.designs import draw
from tql_frames.sampling.groups import Groups, draw_groups, expected_by_group
from tql_frames.sampling.rng import Floats, Integers, Positions, Streams, cores, derived_seed, fresh_seed, in_threads
from tql_frames.sampling.split import (
    LabelCounts,
    sizes_of,
    split_at_random,
    split_by_labels,
    split_by_numbers,
    split_seed,
)
from tql_frames.sampling.strata import Strata, StrataTable, count_codes, strata_of_codes, stratify

__all__ = [
    "ChangingWeights",
    "Floats",
    "Groups",
    "Integers",
    "LabelCounts",
    "Pools",
    "Positions",
    "Strata",
    "StrataTable",
    "Streams",
    "cores",
    "count_codes",
    "derived_seed",
    "draw",
    "draw_batches",
    "draw_group_batches",
    "draw_groups",
    "expected_by_group",
    "fresh_seed",
    "in_threads",
    "sizes_of",
    "split_at_random",
    "split_by_labels",
    "split_by_numbers",
    "split_seed",
    "strata_of_codes",
    "stratify",
]
