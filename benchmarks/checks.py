"""Is a result right? Its number of rows, how many of each group, none of weight 0, none twice without replacement.

Run before anything is timed, and loose on purpose: it finds a contestant that does something else. Whether draws are
exactly distributed is for `tests/` to show.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.jobs import Job
from benchmarks.tables import Floats, Population

_ERRORS = 6.0  # standard errors that a count may be off
_ROWS = 3.0  # and rows, since small counts have longer tails, and the expectation below is off by a part of a row


def fault(population: Population, job: Job, positions: NDArray[np.integer[Any]]) -> str | None:
    """What is wrong with a sample, or None.

    Args:
        population: the rows by kind, with the weights that the sampler was to draw by.
        job: how many rows were asked for, and how.
        positions: the rows that were drawn.
    """
    if len(positions) != job.draws:
        return f"{len(positions):,} rows instead of {job.draws:,}"
    if positions.min() < 0 or positions.max() >= job.rows:
        return "rows that are not in the table"
    if not job.replace and len(np.unique(positions)) != len(positions):
        return "rows drawn twice"
    expected, errors = expectation(population, job)
    drawn = np.bincount(population.group_of[positions], minlength=len(expected))
    for group in np.flatnonzero(expected == 0):
        if drawn[group]:
            return f"{drawn[group]:,} rows of weight 0 ({population.names[group]})"
    excess = np.abs(drawn - expected) - _ERRORS * errors - _ROWS
    worst = int(excess.argmax())
    if excess[worst] <= 0:
        return None
    margin = f"{expected[worst]:,.0f} ± {errors[worst]:,.0f}"
    return f"{drawn[worst]:,} rows of {population.names[worst]}, expected {margin}"


def expectation(population: Population, job: Job) -> tuple[Floats, Floats]:
    """Expected rows of each group in a sample and their standard errors, both of shape (groups,).

    With replacement n p and sqrt(n p (1 - p)). Without, a row of weight w is among the first k of the exponential race
    (Efraimidis & Spirakis 2006) when its time is before t, where the expected number of such rows is k: with
    probability 1 - exp(-w t). Fixing t leaves the expectation off by O(1) and makes the errors too large.
    """
    if job.replace:
        total = float(population.weights @ population.counts)
        shares = _sums(population, population.weights * population.counts / total)
        return job.draws * shares, np.sqrt(job.draws * shares * (1 - shares))
    drawn = -np.expm1(-population.weights * _time_of(population, job.draws))
    variance = _sums(population, population.counts * drawn * (1 - drawn))
    return _sums(population, population.counts * drawn), np.sqrt(variance)


def _sums(population: Population, values: NDArray[Any]) -> Floats:
    """Sums by group of one value a kind."""
    sums = np.bincount(population.groups, values, len(population.names))
    return sums.astype(np.float64)  # they are already; NumPy's stubs take them for integers


def _time_of(population: Population, size: int) -> float:
    """When `size` rows are expected to have finished the race, by Newton's method.

    The number of them is increasing and concave in time: from 0 the steps never pass the answer.
    """
    time = 0.0
    for _ in range(100):
        waiting = population.counts * np.exp(-population.weights * time)
        missing = size - (population.counts - waiting).sum()
        step = float(missing / (population.weights @ waiting))
        time += step
        if step <= 1e-9 * time:
            break
    return time
