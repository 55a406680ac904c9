"""NumPy: `Generator.choice` with probabilities, and the same draws written by hand, which is faster.

Ours, the draw alone, is in `ours`.
"""

from __future__ import annotations

import numpy as np

from benchmarks import checks, tables
from benchmarks.jobs import Contestant, Job
from benchmarks.tables import Floats, Integers


def choice(job: Job) -> Contestant:
    """`Generator.choice(n, size, replace=…, p=…)`, the weights already scaled to probabilities."""
    probabilities = tables.row_weights(job)
    probabilities /= probabilities.sum()
    return Contestant(
        lambda seed: np.random.default_rng(seed).choice(job.rows, job.draws, replace=job.replace, p=probabilities),
        lambda found: checks.fault(tables.population(job), job, found),
        (probabilities,),
    )


def by_hand(job: Job) -> Contestant:
    """The fastest draw that NumPy allows in a few lines; the weights are given."""
    weights = tables.row_weights(job)
    draw = positions if job.replace else positions_without
    return Contestant(
        lambda seed: draw(weights, job.draws, np.random.default_rng(seed)),
        lambda found: checks.fault(tables.population(job), job, found),
        (weights,),
    )


def permutation(job: Job) -> Contestant:
    """`Generator.permutation(n)`: all rows in an order that heeds no weights."""
    return Contestant(
        lambda seed: np.random.default_rng(seed).permutation(job.rows)[: job.draws],
        lambda found: checks.fault(tables.population(job).uniform(), job, found),
        (),
    )


def positions(weights: Floats, size: int, generator: np.random.Generator) -> Integers:
    """Draw positions with replacement: sorted uniform numbers, looked up in the cumulative weights, then shuffled.

    `choice` looks its numbers up unsorted, and most of its time is spent waiting for the memory. Sums of exponential
    numbers, divided by their total, are uniform numbers in ascending order, without the time of a sort.

    Example:
        >>> positions(np.array([0.0, 1.0, 0.0]), 3, np.random.default_rng(1)).tolist()
        [1, 1, 1]
    """
    cumulative = weights.cumsum()
    cumulative /= cumulative[-1]
    steps = generator.standard_exponential(size + 1).cumsum()
    found: Integers = cumulative.searchsorted(steps[:-1] / steps[-1], side="right")
    generator.shuffle(found)
    return found


def positions_without(weights: Floats, size: int, generator: np.random.Generator) -> Integers:
    """Draw positions without replacement: the least exponential keys over the weights (Efraimidis & Spirakis 2006).

    Example:
        >>> positions_without(np.array([0.0, 1.0, 0.0]), 1, np.random.default_rng(1)).tolist()
        [1]
    """
    keys = generator.standard_exponential(len(weights))
    with np.errstate(divide="ignore"):
        keys /= weights
    found: Integers = keys.argpartition(size - 1)[:size]
    return found[keys[found].argsort()]
