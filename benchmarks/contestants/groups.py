"""Rows of every group: tql-frames by weight, beside Polars' shuffle within groups, which knows no weights.

The table is that of the labels, with a column of groups of about equal size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

import tql_frames  # noqa: F401  # puts .tql on the frames
from benchmarks import tables
from benchmarks.jobs import Contestant, Job

_SEED = 2018


def ours_1000(job: Job) -> Contestant:
    """`df.tql.sample(sampler, 100, over="group", replace=False)` of 1,000 groups."""
    return _ours(job, 1_000)


def ours_100000(job: Job) -> Contestant:
    """The same, 10 rows of each of 100,000 groups."""
    return _ours(job, 100_000)


def polars_1000(job: Job) -> Contestant:
    """`df.filter(pl.int_range(pl.len()).shuffle().over("group") < 100)` of 1,000 groups."""
    return _polars(job, 1_000)


def polars_100000(job: Job) -> Contestant:
    """The same, 10 rows of each of 100,000 groups."""
    return _polars(job, 100_000)


def _frame(job: Job, groups: int) -> Any:
    group = np.random.default_rng(_SEED).integers(0, groups, job.rows)
    return pl.DataFrame({**tables.columns(job), "group": group})


def _ours(job: Job, groups: int) -> Contestant:
    frame, each = _frame(job, groups), max(1, job.draws // groups)

    def run(seed: int) -> pl.DataFrame:
        found: pl.DataFrame = frame.tql.sample(
            tables.LABEL_SAMPLER, each, over="group", replace=False, seed=seed, order="source"
        )
        return found

    return Contestant(run, _fault_of(frame.filter(pl.col("label") != 10), each), (frame,))


def _polars(job: Job, groups: int) -> Contestant:
    frame, each = _frame(job, groups), max(1, job.draws // groups)

    def run(seed: int) -> pl.DataFrame:
        found: pl.DataFrame = frame.filter(pl.int_range(pl.len()).shuffle(seed).over("group") < each)
        return found

    return Contestant(run, _fault_of(frame, each), (frame,))


def _fault_of(drawable: pl.DataFrame, each: int) -> Callable[[pl.DataFrame], str | None]:
    """Return what finds that a sample has more or fewer rows of a group than it should, or a row twice."""
    wanted = drawable.group_by("group").agg(pl.len().clip(upper_bound=each).alias("rows")).sort("group")

    def fault(result: pl.DataFrame) -> str | None:
        if result["row"].n_unique() != result.height:
            return "rows drawn twice"
        found = result.group_by("group").agg(pl.len().alias("rows")).sort("group")
        return None if found.equals(wanted) else "another number of rows of some group"

    return fault
