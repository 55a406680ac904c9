"""What to expect of a draw before it is made: how often each row comes, how many different rows, how even weights are.

Exact for draws with replacement. Which rows show which label is counted in `cells`; rows are drawn in `sampling`.
"""

from __future__ import annotations

import math

import numpy as np

from tql_frames.sampling import Floats, StrataTable

_EXACT = 4_000  # rows that may come times strata, up to which inclusion probabilities are integrated exactly
_STRATA = 4096  # strata up to which they are integrated at all
_VARIANCE = 50.0  # of the rows that come before a time, from which the normal approximation is the better one
_PANELS = 24  # of the integral, each with the nodes of a Gauss-Legendre rule
_NODES = 16
_NOTHING = 42.0  # -log of a probability that no sum in double precision notices


def expected_draws(table: StrataTable, size: int, *, replace: bool) -> Floats:
    """How often a row of each stratum is expected among the draws.

    Args:
        table: the strata, one row of positive weight at the least.
        size: number of draws.
        replace: with replacement; without, it is the probability that a row is among the first `size` of successive
            sampling.

    Returns:
        Shape (m,), expected draws of one row. With replacement exact. Without, exact to rounding for small samples and
        small populations; else by the normal approximation of the number of rows that come before a time, or, where
        nearly all rows are drawn, by its limit for many rows. `tests/test_expectation.py` pins how near these are.

    Source of the integral: the exponential race (Efraimidis & Spirakis 2006, Information Processing Letters 97:181)
    conditioned on a row's own time; of the limit for many rows: Rosén 1997, Journal of Statistical Planning and
    Inference 62:159.

    Example:
        >>> table = StrataTable.of(np.array([1.0, 1.0, 2.0]))
        >>> expected_draws(table, 2, replace=True).tolist()
        [0.5, 1.0]
        >>> expected_draws(table, 2, replace=False).round(6).tolist()  # 7/12 and 5/6, by enumeration
        [0.583333, 0.833333]
    """
    scaled = table.weights / table.weights.max()
    if replace:
        expected: Floats = size * scaled / float(table.counts @ scaled)
        return expected
    found = np.zeros(len(scaled))
    positive = scaled > 0
    if size >= table.drawable:
        found[positive] = 1.0
    elif size:
        found[positive] = _inclusion(scaled[positive], table.counts[positive].astype(np.float64), size)
    return found


def expected_distinct(table: StrataTable, size: int, *, replace: bool) -> float:
    """How many different rows are expected among the draws.

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
    """Kish's effective sample size of the weights: rows of equal weight that would tell as much.

    It is (Σw)² / Σw² over all rows (Kish 1965, Survey Sampling, 11.7).

    Example:
        >>> effective_rows(StrataTable.of(np.array([1.0, 1.0, 4.0])))
        2.0
    """
    scaled = table.weights / table.weights.max()
    return float((table.counts @ scaled) ** 2 / (table.counts @ scaled**2))


def _inclusion(weights: Floats, counts: Floats, size: int) -> Floats:
    """Probability that a row is among the first `size`, shape (m,); more rows than `size`, all of positive weight.

    A row of weight w comes at a time T ~ Exp(w), and is among the first if fewer than `size` others come before:
    ∫ w exp(-w t) P(N(t) < size) dt, where N(t) is a sum of binomials.
    """
    middle = _time_of(float(size), weights, counts)
    come = -np.expm1(-weights * middle)
    early, late, most = _transition(weights, counts, size)
    exact = most * len(weights) <= _EXACT
    if not exact and (len(weights) > _STRATA or counts @ (come * (1 - come)) < _VARIANCE):
        return come
    points, parts = np.polynomial.legendre.leggauss(_NODES)
    width = np.log(late / early) / _PANELS
    logs = np.log(early) + width * (np.arange(_PANELS)[:, None] + (points + 1) / 2)
    found = -np.expm1(-weights * early)  # until then fewer than `size` have come, for certain
    for time, part in zip(np.exp(logs).ravel(), np.tile(parts * width / 2, _PANELS), strict=True):
        come = -np.expm1(-weights * time)
        before = _exact(come, counts, size, most) if exact else _normal(come, counts, size)
        found += part * time * weights * (1 - come) * before
    return np.minimum(found, 1.0)


def _time_of(expected: float, weights: Floats, counts: Floats) -> float:
    """The time before which so many rows are expected to have come, by bisection on its logarithm."""
    low, high = -50.0, 50.0 - np.log(weights.min())
    for _ in range(100):
        middle = (low + high) / 2
        if counts @ -np.expm1(-weights * np.exp(middle)) < expected:
            low = middle
        else:
            high = middle
    return float(np.exp(middle))


def _transition(weights: Floats, counts: Floats, size: int) -> tuple[float, float, int]:
    """Times between which the number of rows that have come passes `size`, and how many may have come by the second.

    Before, between and after, what is left out has a probability that double precision does not notice. By Chernoff's
    bounds for a sum of independent trials of expectation μ: P(N ≥ k) for μ < k, and P(N ≤ k) for μ > k, are at most
    exp(-(μ - k + k log(k / μ))).
    """

    def crossing(count: float, inside: float, outside: float) -> float:
        """The mean nearest to the count where the bound is below what is noticed, by bisection on its logarithm."""
        for _ in range(100):
            middle = float(np.sqrt(inside * outside))
            surprise = middle - count + (count * np.log(count / middle) if count else 0.0)
            inside, outside = (middle, outside) if surprise < _NOTHING else (inside, middle)
        return outside

    rows = float(counts.sum())
    early = crossing(float(size), float(size), np.exp(-_NOTHING - 10))
    late = 1 + crossing(size - 1.0, float(size), 2.0 * size + 4 * _NOTHING)  # one more: a row's own is not counted
    last = (np.log(rows) + _NOTHING) / float(weights.min())  # by then all have come
    end = _time_of(late, weights, counts) if late < rows else last
    most = min(rows, late + 2 * _NOTHING + 10 * np.sqrt(late))
    return _time_of(early, weights, counts), min(end, last), int(most)


def _exact(come: Floats, counts: Floats, size: int, most: int) -> Floats:
    """P(fewer than `size` other rows have come) for a row of each stratum, shape (m,).

    By the discrete Fourier transform of the characteristic function of a sum of binomials (Hong 2013, Computational
    Statistics & Data Analysis 59:41), which is at most `most`.

    Args:
        come: shape (m,), the probability that a row of each stratum has come.
        counts: shape (m,), rows of each stratum.
        size: number of draws.
        most: rows that may have come.
    """
    length = most + 1
    circle = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    factors = 1 - come + np.multiply.outer(circle, come)
    factors[np.abs(factors) < 1e-12] = 1e-12  # at -1, where half of the rows have come
    others = np.exp(np.log(factors) @ counts)[:, None] / factors
    chances = np.fft.irfft(others, n=length, axis=0)
    return np.clip(chances[:size].sum(axis=0), 0.0, 1.0)  # type: ignore[no-any-return]


def _normal(come: Floats, counts: Floats, size: int) -> Floats:
    """The same by the normal approximation with a correction for skewness (Edgeworth's first), at half a row."""
    variance = come * (1 - come)
    skew = variance * (1 - 2 * come)
    spread = np.sqrt(np.maximum(counts @ variance - variance, 1e-9))
    z = (size - 0.5 - (counts @ come - come)) / spread
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    corrected = (counts @ skew - skew) / (6 * spread**3) * (1 - z * z) * density
    return np.clip(_erfc(-z / np.sqrt(2)) / 2 + corrected, 0.0, 1.0)  # type: ignore[no-any-return]


_erfc = np.vectorize(math.erfc, otypes=[np.float64])
