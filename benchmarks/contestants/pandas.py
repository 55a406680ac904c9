"""pandas: its weighted sample, the weights already there.

Ours on pandas frames is in `ours`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import checks, tables
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
