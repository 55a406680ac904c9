"""Sample frames in partitions, in passes: the partitions are counted, the driver draws, the partitions take rows.

The modules define the steps of the passes. The folders `dask`, `spark` and `ray` run the steps on each engine.
"""

from tql_frames.distributed.assignment import PartitionDraw
from tql_frames.distributed.driver import Drawing, Drawn, check_weights, draw_shares, first_shares, questions, starts_of
from tql_frames.distributed.partition_counts import Answer, Counts, Question
from tql_frames.distributed.reporting import Counted, Reporting, job_of, request_of
from tql_frames.distributed.sampler import Sampler, check_source_order, keys_from
from tql_frames.distributed.splitting import NOTHING, Splitting, UnitsOfPartition
from tql_frames.distributed.statement import PartitionStatement

__all__ = [
    "NOTHING",
    "Answer",
    "Counted",
    "Counts",
    "Drawing",
    "Drawn",
    "PartitionDraw",
    "PartitionStatement",
    "Question",
    "Reporting",
    "Sampler",
    "Splitting",
    "UnitsOfPartition",
    "check_source_order",
    "check_weights",
    "draw_shares",
    "first_shares",
    "job_of",
    "keys_from",
    "questions",
    "request_of",
    "starts_of",
]
