"""Weights to row positions; NumPy only, knows no frame."""

from tql_frames.sampling.draw import draw
from tql_frames.sampling.strata import Strata, StrataTable, stratify
from tql_frames.sampling.streams import Streams, derived_seed, fresh_seed

__all__ = ["Strata", "StrataTable", "Streams", "derived_seed", "draw", "fresh_seed", "stratify"]
