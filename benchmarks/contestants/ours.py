"""tql-frames: the whole call on each kind of frame, and the draw alone.

The peers are in the modules beside this one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl

import tql_frames  # noqa: F401  # puts .tql on the frames
from benchmarks import checks, findings, tables
from benchmarks.jobs import Contestant, Job
from tql_frames.sampling import draw


def polars_frame(job: Job) -> Contestant:
    """`df.tql.sample(sampler, limit=…)` on a Polars DataFrame."""
    return _polars_frame(job, "draw")


def in_table_order(job: Job) -> Contestant:
    """`df.tql.sample(sampler, limit=…, order="source")` on a Polars DataFrame."""
    return _polars_frame(job, "source")


def _polars_frame(job: Job, order: str) -> Contestant:
    lists = job.table == "findings"
    frame: Any = findings.frame(job.rows) if lists else pl.DataFrame(tables.columns(job))
    sampler = findings.SAMPLER if lists else tables.SAMPLERS[job.table]

    def fault(result: pl.DataFrame) -> str | None:
        population = findings.population(job.rows) if lists else tables.population(job)
        if not (result["index"] == result["row"]).all():
            return "index is not the row number"
        if order == "source" and not result["row"].is_sorted():
            return "rows are not in the order of the table"
        return checks.fault(population, job, result["row"].to_numpy())

    def run(seed: int) -> pl.DataFrame:
        drawn: pl.DataFrame = frame.tql.sample(sampler, limit=job.draws, replace=job.replace, seed=seed, order=order)
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


def report_of_100(job: Job) -> Contestant:
    """`df.tql.report` of 100 labels, by a sampler with an arm for each."""
    return _report(job, 100)


def report_of_1000(job: Job) -> Contestant:
    """`df.tql.report` of 1,000 labels, by a sampler with an arm for each."""
    return _report(job, 1_000)


def _report(job: Job, labels: int) -> Contestant:
    frame: Any = pl.DataFrame({"label": [f"label {row % labels}" for row in range(job.rows)]})
    arms = ", ".join(f"label = 'label {number}': {number + 2}" for number in range(labels))
    weights = 2 + np.arange(labels)

    def run(seed: int) -> pl.DataFrame:
        report = frame.tql.report(f"max_weight({arms}, True: {1 / (seed + 2)})", by="label")  # never compiled before
        found: pl.DataFrame = report.labels
        return found

    def fault(result: pl.DataFrame) -> str | None:
        rows = np.bincount(np.arange(job.rows) % labels, minlength=labels)
        wanted = rows * weights / (rows * weights).sum()
        shares = result.sort(pl.col("label").str.slice(6).cast(pl.Int64))["expected_share"].to_numpy()
        return None if np.allclose(shares, wanted) else "the expected shares are wrong"

    return Contestant(run, fault, (frame,))


def positions(job: Job) -> Contestant:
    """`tql_frames.sampling.draw(weights, size, …)`: weights in, row positions out."""
    weights = tables.row_weights(job)
    return Contestant(
        lambda seed: draw(weights, job.draws, replace=job.replace, seed=seed),
        lambda found: checks.fault(tables.population(job), job, found),
        (weights,),
    )
