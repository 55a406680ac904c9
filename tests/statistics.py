"""The statistical tests of draws: exact probabilities against counts, each with its model and what it can reject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2


def p_of_counts(counts: Sequence[int] | NDArray[np.int64], probabilities: Sequence[float]) -> float:
    """P-value of Pearson's chi-square for multinomial counts of known probabilities, m - 1 degrees of freedom.

    An outcome of probability 0 that was seen gives p = 0. Every expected count must reach 5.
    """
    counts, probabilities = np.asarray(counts, float), np.asarray(probabilities, float)
    assert abs(probabilities.sum() - 1) < 1e-9
    if counts[probabilities == 0].any():
        return 0.0
    counts, probabilities = counts[probabilities > 0], probabilities[probabilities > 0]
    expected = counts.sum() * probabilities
    assert expected.min() >= 5
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1))


def ordered_outcomes(weights: Sequence[float], size: int) -> dict[tuple[int, ...], float]:
    """Probability of every ordered outcome of successive sampling: each row by weight among those left."""
    rows = [row for row, weight in enumerate(weights) if weight > 0]
    found = {}
    for outcome in permutations(rows, min(size, len(rows))):
        left, probability = sum(weights), 1.0
        for row in outcome:
            probability *= weights[row] / left
            left -= weights[row]
        found[outcome] = probability
    return found


def p_of_outcomes(outcomes: Iterable[tuple[int, ...]], probabilities: dict[tuple[int, ...], float]) -> float:
    """P-value of counted outcomes; one that has no probability gives p = 0.

    Outcomes expected less than 5 times are counted as one, as far as they are expected 5 times together.
    """
    counts = dict.fromkeys(probabilities, 0)
    for outcome in outcomes:
        if outcome not in counts:
            return 0.0
        counts[outcome] += 1
    order = sorted(probabilities, key=probabilities.__getitem__)
    seen, chances = np.array([counts[key] for key in order]), np.array([probabilities[key] for key in order])
    rare = int(np.searchsorted(chances * seen.sum(), 5))  # the least probable stand first
    while 0 < rare < len(chances) and chances[:rare].sum() * seen.sum() < 5:
        rare += 1
    starts = [0, *range(max(rare, 1), len(order))]
    return p_of_counts(np.add.reduceat(seen, starts), np.add.reduceat(chances, starts))


def p_of_lag(draws: NDArray[np.uint16], lag: int, rows: int) -> float:
    """P-value of independence of the draws `lag` apart.

    Pearson's chi-square of the table of pairs against the product of its margins. Overlapping pairs of independent
    draws leave it chi-square with (rows - 1)^2 degrees of freedom (Good, "The serial test for sampling numbers", 1953).
    """
    pairs = draws[:-lag] * np.uint16(rows) + draws[lag:]
    table = np.zeros(rows * rows, np.int64)
    for first in range(0, len(pairs), 1 << 20):
        table += np.bincount(pairs[first : first + (1 << 20)], minlength=rows * rows)
    counts = table.reshape(rows, rows)
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum()
    assert expected.min() >= 5
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), (rows - 1) ** 2))
