"""tql-frames: the whole call on each kind of frame, and the draw alone.

The peers are in the modules beside this one.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl

import tql_frames  # noqa: F401  # puts .tql on the frames
from benchmarks import checks, findings, tables
from benchmarks.jobs import Contestant, Job
from tql_frames.sampling import draw


def polars_frame(job: Job) -> Contestant:
    """`df.tql.sample(sampler, limit=…)` on a Polars DataFrame."""
    lists = job.table == "findings"
    frame: Any = findings.frame(job.rows) if lists else pl.DataFrame(tables.columns(job))
    sampler = findings.SAMPLER if lists else tables.SAMPLERS[job.table]

    def fault(result: pl.DataFrame) -> str | None:
        population = findings.population(job.rows) if lists else tables.population(job)
        if not (result["index"] == result["row"]).all():
            return "index is not the row number"
        return checks.fault(population, job, result["row"].to_numpy())

    def run(seed: int) -> pl.DataFrame:
        drawn: pl.DataFrame = frame.tql.sample(sampler, limit=job.draws, replace=job.replace, seed=seed)
        return drawn

    return Contestant(run, fault, (frame,))


def pandas_frame(job: Job) -> Contestant:
    """`pdf.tql.sample(sampler, limit=…)` on a pandas DataFrame."""
    frame: Any = pd.DataFrame(tables.columns(job))
    sampler = tables.SAMPLERS[job.table]

    def fault(result: pd.DataFrame) -> str | None:
        if not (result.index == result["row"]).all():
            return "index labels are not those of the rows"
        return checks.fault(tables.population(job), job, result["row"].to_numpy())

    def run(seed: int) -> pd.DataFrame:
        drawn: pd.DataFrame = frame.tql.sample(sampler, limit=job.draws, replace=job.replace, seed=seed)
        return drawn

    return Contestant(run, fault, (frame,))


def positions(job: Job) -> Contestant:
    """`tql_frames.sampling.draw(weights, size, …)`: weights in, row positions out."""
    weights = tables.row_weights(job)
    return Contestant(
        lambda seed: draw(weights, job.draws, replace=job.replace, seed=seed),
        lambda found: checks.fault(tables.population(job), job, found),
        (weights,),
    )
