"""Polars on lists: the conditions of the sampler of findings, written by hand.

What needs no X-rays, and so need not load tql-frames, is in `polars`.
"""

from __future__ import annotations

import polars as pl

from benchmarks import findings
from benchmarks.jobs import Contestant, Job


def contains(job: Job) -> Contestant:
    """Five `list.contains` in one `select`: the conditions of the sampler of findings, and nothing else."""
    frame = findings.frame(job.rows)
    conditions = [pl.col("findings").list.contains(name).alias(name) for name in findings.ARMS]

    def fault(result: pl.DataFrame) -> str | None:
        matches = dict(zip(result.columns, result.sum().row(0), strict=True))
        return None if matches == findings.matches(job.rows) else f"other rows match: {matches}"

    return Contestant(lambda seed: frame.select(conditions), fault, (frame,))
