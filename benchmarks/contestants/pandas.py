"""pandas: its weighted sample, and takes of rows that NumPy drew.

The weights are already there, but for `weights_by_polars`. Ours on pandas frames is in `ours`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl

from benchmarks import checks, tables
from benchmarks.contestants.numpy import positions, positions_without
from benchmarks.contestants.polars import label_weight
from benchmarks.jobs import Contestant, Job


def weighted(job: Job) -> Contestant:
    """`pdf.sample(n=…, weights=w, replace=…)`."""
    frame = pd.DataFrame(tables.columns(job))
    weights = tables.row_weights(job)

    def run(seed: int) -> pd.DataFrame:
        generator = np.random.default_rng(seed)
        return frame.sample(n=job.draws, weights=weights, replace=job.replace, random_state=generator)

    return Contestant(
        run, lambda result: checks.fault(tables.population(job), job, result["row"].to_numpy()), (frame, weights)
    )


def by_hand(job: Job) -> Contestant:
    """`pdf.take` of the positions that NumPy draws by hand."""
    frame = pd.DataFrame(tables.columns(job))
    weights = tables.row_weights(job)
    draw = positions if job.replace else positions_without
    return Contestant(
        lambda seed: frame.take(draw(weights, job.draws, np.random.default_rng(seed))),
        lambda result: checks.fault(tables.population(job), job, result["row"].to_numpy()),
        (frame, weights),
    )


def weights_by_polars(job: Job) -> Contestant:
    """The shortest code for a sample by conditions: Polars finds the weights, and NumPy searches among their sums."""
    frame = pd.DataFrame(tables.columns(job))

    def run(seed: int) -> pd.DataFrame:
        labels = pl.DataFrame({"label": frame["label"].to_numpy()})
        sums = labels.select(label_weight()).to_series().to_numpy().cumsum()
        points = np.random.default_rng(seed).random(job.draws) * sums[-1]
        return frame.take(sums.searchsorted(points, side="right"))

    return Contestant(run, lambda result: checks.fault(tables.population(job), job, result["row"].to_numpy()), (frame,))
