"""NumPy: `Generator.choice` with probabilities.

Ours, the draw alone, is in `ours`.
"""

from __future__ import annotations

import numpy as np

from benchmarks import checks, tables
from benchmarks.jobs import Contestant, Job


def choice(job: Job) -> Contestant:
    """`Generator.choice(n, size, replace=…, p=…)`, the weights already scaled to probabilities."""
    probabilities = tables.row_weights(job)
    probabilities /= probabilities.sum()
    return Contestant(
        lambda seed: np.random.default_rng(seed).choice(job.rows, job.draws, replace=job.replace, p=probabilities),
        lambda found: checks.fault(tables.population(job), job, found),
        (probabilities,),
    )
