"""tql-frames by its designs, beside its own independent and successive draws; all in the order of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

import tql_frames  # noqa: F401  # puts .tql on the frames
from benchmarks import checks, tables
from benchmarks.jobs import Contestant, Job


def ours_default(job: Job) -> Contestant:
    """`df.tql.sample(sampler, n, order="source")`."""
    frame = _frame(job)

    def fault(result: pl.DataFrame) -> str | None:
        return checks.fault(tables.population(job), job, result["row"].to_numpy())

    return Contestant(lambda seed: _drawn(frame, job, seed), fault, (frame,))


def ours_systematic(job: Job) -> Contestant:
    """`df.tql.sample(sampler, n, design="systematic", order="source")`."""
    frame, weights = _frame(job), tables.row_weights(job)

    def fault(result: pl.DataFrame) -> str | None:
        counts = np.bincount(result["row"].to_numpy(), minlength=job.rows)
        wanted = job.draws * weights / weights.sum()
        if len(result) != job.draws:
            return f"{len(result):,} rows"
        return None if (np.abs(counts - wanted) < 1 + 1e-6).all() else "a row does not come floor or ceil times"

    return Contestant(lambda seed: _drawn(frame, job, seed, design="systematic"), fault, (frame,))


def ours_poisson(job: Job) -> Contestant:
    """`df.tql.sample(sampler, n, replace=False, design="poisson", order="source")`."""
    frame = _frame(job)

    def fault(result: pl.DataFrame) -> str | None:
        if result["row"].n_unique() != result.height:
            return "rows drawn twice"
        far = abs(result.height - job.draws) > 6 * job.draws**0.5
        return f"{result.height:,} rows" if far else None

    return Contestant(lambda seed: _drawn(frame, job, seed, design="poisson"), fault, (frame,))


def _frame(job: Job) -> Any:
    return pl.DataFrame(tables.columns(job))


def _drawn(frame: Any, job: Job, seed: int, design: str | None = None) -> pl.DataFrame:
    sampler = tables.SAMPLERS[job.table]
    found: pl.DataFrame = frame.tql.sample(
        sampler, job.draws, replace=job.replace, design=design, seed=seed, order="source"
    )
    return found
