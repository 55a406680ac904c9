"""pandas: its weighted sample, and a take of rows that NumPy drew; the weights are already there.

Ours on pandas frames is in `ours`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import checks, tables
from benchmarks.contestants.numpy import positions, positions_without
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
