"""What bounds a sample: the reads and writes that no draw by weight can do without, and nothing else.

Bare loops of NumPy and Polars in the same blocks and threads as ours. They draw by no weights; their rows are as many,
and lie as far apart.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks import checks, findings, tables
from benchmarks.contestants.polars import deciding_arm
from benchmarks.jobs import Contestant, Job
from tql_frames.sampling import Positions, Streams
from tql_frames.sampling.rng import BLOCK, Blocks, over_blocks


def draw_order(job: Job) -> Contestant:
    """The conditions; a table of all rows written; random numbers; the table read at random, and so the columns."""
    return _contestant(job, ordered=False)


def table_order(job: Job) -> Contestant:
    """The conditions; random numbers; their sort; the columns read in the order of the table."""
    return _contestant(job, ordered=True)


def _contestant(job: Job, *, ordered: bool) -> Contestant:
    lists = job.table == "findings"
    frame = findings.frame(job.rows) if lists else pl.DataFrame(tables.columns(job))
    labels = pl.col("findings").list
    conditions = [labels.contains(name).alias(name) for name in findings.ARMS] if lists else [deciding_arm()]

    def run(seed: int) -> pl.DataFrame:
        frame.select(conditions)
        rows = _slots(job, seed)
        if ordered:
            rows.sort()
        else:
            _read(np.arange(job.rows, dtype=np.uint32), rows)
        return frame[pl.Series(rows)]

    def fault(result: pl.DataFrame) -> str | None:
        population = findings.population(job.rows) if lists else tables.population(job)
        return checks.fault(population.uniform(), job, result["row"].to_numpy())

    return Contestant(run, fault, (frame,))


def _slots(job: Job, seed: int) -> Positions:
    """Numbers below that of the rows, shape (draws,)."""
    streams, slots = Streams(seed), np.empty(job.draws, np.uint32)

    def run(blocks: Blocks) -> None:
        numbers = np.empty(min(BLOCK, job.draws))
        for first, stop in blocks:
            own = numbers[: stop - first]
            streams.fill(0, first, own)
            np.multiply(own, job.rows, out=own)
            np.copyto(slots[first:stop], own, casting="unsafe")

    over_blocks(job.draws, run)
    return slots


def _read(table: Positions, slots: Positions) -> None:
    """Put in the place of each slot what the table holds there."""

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            slots[first:stop] = table.take(slots[first:stop], mode="clip")

    over_blocks(len(slots), run)
