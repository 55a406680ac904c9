"""Compute what to expect of a draw before it is made: draws of each row, distinct rows, effective sample size.

Inclusion probabilities are integrated in `inclusion`; the labels of rows are counted in `cells`; rows are drawn in
`sampling`.
"""

from __future__ import annotations

import numpy as np

from tql_frames.analysis.inclusion import inclusion_probabilities
from tql_frames.sampling import Floats, StrataTable


def expected_draws(table: StrataTable, size: int, *, replace: bool) -> Floats:
    """Return how often a row of each stratum is expected among the draws.

    Args:
        table: the strata, one row of positive weight at the least.
        size: number of draws.
        replace: with replacement; without, it is the probability that a row is among the first `size` of successive
            sampling.

    Returns:
        Shape (m,), expected draws of one row, with a relative error below 1e-9 for any table and size. With
        replacement, and for a sample of one row, it is `size * weight / total`, rounded.

    Example:
        >>> table = StrataTable.of(np.array([1.0, 1.0, 2.0]))
        >>> expected_draws(table, 2, replace=True).tolist()
        [0.5, 1.0]
        >>> expected_draws(table, 2, replace=False).round(6).tolist()  # 7/12 and 5/6, by enumeration
        [0.583333, 0.833333]
    """
    scaled = table.weights / table.weights.max()
    if replace or size == 1:
        expected: Floats = size * scaled / float(table.counts @ scaled)
        return expected
    found = np.zeros(len(scaled))
    positive = table.weights > 0
    if size >= table.drawable:
        found[positive] = 1.0
    elif size:
        found[positive] = inclusion_probabilities(table.weights[positive], table.counts[positive], size)
    return found


def expected_distinct(table: StrataTable, size: int, *, replace: bool) -> float:
    """Return how many distinct rows are expected among the draws.

    Example:
        >>> expected_distinct(StrataTable.of(np.array([1.0, 1.0])), 2, replace=True)
        1.5
    """
    if not replace:
        return float(min(size, table.drawable))
    share = expected_draws(table, 1, replace=True)
    with np.errstate(divide="ignore"):  # one row may have it all
        return float(table.counts @ -np.expm1(size * np.log1p(-np.minimum(share, 1.0)))) if size else 0.0


def effective_rows(table: StrataTable) -> float:
    """Return Kish's effective sample size of the weights: rows of equal weight that would give the same variance.

    It is (Σw)² / Σw² over all rows (Kish 1965, Survey Sampling, 11.7).

    Example:
        >>> effective_rows(StrataTable.of(np.array([1.0, 1.0, 4.0])))
        2.0
    """
    scaled = table.weights / table.weights.max()
    return float((table.counts @ scaled) ** 2 / (table.counts @ scaled**2))
