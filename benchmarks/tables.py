"""The rows that every contestant samples, as NumPy columns, and how many of which a fair sample holds.

The table of X-ray findings, which needs Polars, is in `findings`; how a sample is judged is in `checks`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.jobs import Job

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Shares of the 15 labels, as skewed as findings of chest X-rays are, and the weight of each.
SHARES = np.array([0.54, 0.09, 0.08, 0.07, 0.05, 0.04, 0.035, 0.03, 0.02, 0.015, 0.01, 0.008, 0.006, 0.004, 0.002])
WEIGHTS = np.array([1.0] * 10 + [0.0, 3.0, 5.0, 8.0, 20.0])
# Label 10 is not wanted: a contestant that draws it is wrong.
LABEL_SAMPLER = "max_weight(label = 14: 20, label = 13: 8, label = 12: 5, label = 11: 3, label != 10: 1)"
SAMPLERS = {"labels": LABEL_SAMPLER, "weights": "weight"}

VALUES = 300_000  # numbers that are looked for

_SEED = 2017
_BOUNDS = np.array([1e-300, 0.25, 0.5, 1.0, 2.0, 4.0])  # of the groups in which continuous weights are counted


@dataclass(frozen=True)
class Population:
    """The rows of a table by kind, for counting what was drawn.

    Attributes:
        weights: shape (m,), weight of a row of each kind.
        counts: shape (m,), rows of each kind.
        groups: shape (m,), the group in which each kind is counted, from 0.
        group_of: shape (n,), each row's group.
        names: what the groups are called, `names[group]`.
    """

    weights: Floats
    counts: Integers
    groups: NDArray[np.integer[Any]]
    group_of: NDArray[np.integer[Any]]
    names: tuple[str, ...]

    def uniform(self) -> Population:
        """The same rows, all of one weight."""
        return replace(self, weights=np.ones_like(self.weights))


def numbers(rows: int) -> Integers:
    """Return whole numbers, a tenth of which are among the first `VALUES`."""
    return np.random.default_rng(_SEED).integers(0, 10 * VALUES, rows)


def columns(job: Job) -> dict[str, NDArray[Any]]:
    """Columns of a job's table by name; `row` numbers the rows from 0.

    `labels`: UInt8 `label`, Float64 `value`, Int64 `row`. `weights`: Float64 `weight`, Int64 `row`.
    """
    row = np.arange(job.rows)
    if job.table == "weights":
        return {"weight": row_weights(job), "row": row}
    return {"label": labels(job.rows), "value": np.random.default_rng(_SEED + 1).random(job.rows), "row": row}


def labels(rows: int) -> NDArray[np.uint8]:
    """Labels 0 to 14 in random order, shape (rows,)."""
    bounds = np.cumsum(SHARES)[:-1]
    return np.searchsorted(bounds, np.random.default_rng(_SEED).random(rows), side="right").astype(np.uint8)


def values(job: Job) -> dict[str, Any]:
    """A column of texts and one of lists of up to three texts, beside `row`, which numbers the rows from 0."""
    row = np.arange(job.rows)
    return {
        "row": row,
        "text": [f"report {number} of a patient" for number in row.tolist()],
        "findings": [[f"finding {number % 15}"] * (number % 4) for number in row.tolist()],
    }


def row_weights(job: Job) -> Floats:
    """One weight a row, shape (rows,): of its label, or a number of its own, every hundredth 0."""
    if job.table == "labels":
        found: Floats = WEIGHTS[labels(job.rows)]
        return found
    weights = np.random.default_rng(_SEED).lognormal(size=job.rows)
    weights[::100] = 0.0
    return weights


def population(job: Job) -> Population:
    """What a sample of a job's table is judged by: labels, or groups of rows of like weight."""
    if job.table == "labels":
        label = labels(job.rows)
        kinds = np.arange(len(WEIGHTS))
        counts = np.bincount(label, minlength=len(WEIGHTS))
        return Population(WEIGHTS, counts, kinds, label, tuple(f"label {kind}" for kind in kinds))
    weights = row_weights(job)
    groups = np.digitize(weights, _BOUNDS).astype(np.uint8)
    names = ("weight 0", *(f"weight up to {bound:g}" for bound in _BOUNDS[1:]), f"weight above {_BOUNDS[-1]:g}")
    return Population(weights, np.ones(job.rows, np.int64), groups, groups, names)
