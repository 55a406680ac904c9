"""Compute inclusion probabilities of successive sampling by numerical integration, with a relative error below 1e-9.

Rows are drawn in `without_replacement`.

A row of weight w arrives at a time T ~ Exp(w), and is among the first `size` if fewer than `size` others arrive before
it (the exponential race, Efraimidis & Spirakis 2006, Information Processing Letters 97:181):

    pi = ∫ w exp(-w t) P(N(t) < size) dt,    N(t): number of other rows that have arrived by time t.

N(t) is a sum of independent binomials, so its characteristic function is a product. The probability is a sum over the
odd frequencies of a Fourier series (Hong 2013, Computational Statistics & Data Analysis 59:41); the number of
frequencies follows the standard deviation. The integral is taken over log t by Gauss-Legendre rules on panels, which
are halved until the last Legendre coefficients of every integrand are negligible. Where many distinct weights lie close
together, sums over them are replaced by sums over Chebyshev points, and results are interpolated from these points. The
cost then depends on the range of the weights and hardly on their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev, legendre

from tql_frames.sampling.rng import Floats, Integers
from tql_frames.sampling.strata import StrataTable

_NOTHING = 42.0  # -log of a probability that does not change a sum in double precision
_PANEL = 2.5  # width of a panel in log t, before it is halved
_NODES = 16  # nodes of the rule of a panel
_TAIL = 1e-7  # bound of the last Legendre coefficients of a panel, relative; the rule's error is about its square
_NARROWEST = 1e-9  # width of a panel that is not halved
_STEP = 0.25  # longest step in log t, in the search for the ends of the integral
_ROUNDING = 1e-12  # smaller probabilities are rounding errors
_LIGHT, _HEAVY = -60.0, 3.9  # log of weight times time: below the first no row has arrived, above the second all have

_BIN = 0.5  # width in log weight of a bin whose weights are replaced by Chebyshev points
_POINTS = 20  # Chebyshev points of a bin
_CROWD = 100  # least number of rows of a bin and its neighbours for a bin to be replaced
_CHUNK = 65_536  # weights whose Chebyshev polynomials are in memory at once


def inclusion_probabilities(weights: Floats, counts: Integers, size: int) -> Floats:
    """Return the probability that a row of each stratum is among the first `size` rows drawn.

    Args:
        weights: shape (m,), ascending, distinct, finite, > 0.
        counts: shape (m,), rows of each weight.
        size: number of draws, at least 1 and fewer than the rows.

    Returns:
        Shape (m,), with a relative error below 1e-9. The tests compare the result with exact fractions.
    """
    population = _Population.of(np.log(weights) - np.log(weights[-1]), counts)
    early, middle, late = _range(population, size)
    expected = _arrived(population.logs, middle)
    found = _arrived(population.logs, early)  # until then, fewer than `size` rows have arrived with certainty
    edges = np.linspace(early, late, max(4, int(np.ceil((late - early) / _PANEL))) + 1)
    panels = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    points, parts = legendre.leggauss(_NODES)
    degrees = np.arange(_NODES - 3, _NODES)
    series = (degrees + 0.5)[:, None] * (legendre.legvander(points, _NODES - 1)[:, degrees] * parts[:, None]).T
    while panels:
        start, stop = panels.pop()
        half = (stop - start) / 2
        values = _integrands(population, size, start + half * (1 + points))
        if stop - start > _NARROWEST and (half * np.abs(series @ values) > _TAIL * expected).any():
            panels += [(start, start + half), (start + half, stop)]
        else:
            found += half * (parts @ values)
    return np.minimum(population.of_strata(found), 1.0)


@dataclass(frozen=True)
class _Population:
    """Log weights and counts, where bins of many distinct weights are replaced by Chebyshev points.

    Attributes:
        logs: shape (k,), ascending.
        counts: shape (k,), rows of each log weight. For Chebyshev points they are weights of a quadrature: fractions,
            some below 0, by which the values of a smooth function at the points sum to its sum over the bin's rows.
        strata: shape (m,), the log weights of all strata.
        bins: for each run of strata, its slice of `strata`, its slice of `logs`, and whether it has Chebyshev points.
    """

    logs: Floats
    counts: Floats
    strata: Floats
    bins: list[tuple[slice, slice, bool]]

    @classmethod
    def of(cls, strata: Floats, counts: Integers) -> _Population:
        """Replace the bins that hold many distinct weights among many rows."""
        number = np.floor(strata / _BIN).astype(np.int64)
        firsts = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
        stops = np.append(firsts[1:], len(strata))
        rows = np.add.reduceat(counts, firsts).astype(np.float64)
        beside = np.diff(number[firsts]) == 1
        crowd = rows.copy()
        crowd[1:] += rows[:-1] * beside
        crowd[:-1] += rows[1:] * beside
        dense = (stops - firsts > _POINTS) & (crowd >= _CROWD)
        logs: list[Floats] = []
        numbers: list[Floats] = []
        bins: list[tuple[slice, slice, bool]] = []
        done = kept = 0

        def keep(stop: int) -> None:
            nonlocal done, kept
            if stop > done:
                logs.append(strata[done:stop])
                numbers.append(counts[done:stop].astype(np.float64))
                bins.append((slice(done, stop), slice(kept, kept + stop - done), False))
                kept, done = kept + stop - done, stop

        points = chebyshev.chebpts1(_POINTS)
        basis = chebyshev.chebvander(points, _POINTS - 1)  # orthogonal columns; squares sum to _POINTS / 2, or _POINTS
        basis[:, 1:] *= 2
        for place in np.flatnonzero(dense).tolist():
            first, stop = int(firsts[place]), int(stops[place])
            keep(first)
            sums = np.zeros(_POINTS)
            for start in range(first, stop, _CHUNK):
                some = slice(start, min(start + _CHUNK, stop))
                inside = _in_bin(strata[some], int(number[first]))
                sums += counts[some] @ chebyshev.chebvander(inside, _POINTS - 1)
            logs.append((number[first] + (1 + points) / 2) * _BIN)
            numbers.append(basis @ sums / _POINTS)
            bins.append((slice(first, stop), slice(kept, kept + _POINTS), True))
            kept, done = kept + _POINTS, stop
        keep(len(strata))
        return cls(np.concatenate(logs), np.concatenate(numbers), strata, bins)

    def of_strata(self, values: Floats) -> Floats:
        """Return the values of all strata, shape (m,), from the values at `logs`."""
        found = np.empty(len(self.strata))
        for strata, places, interpolated in self.bins:
            if interpolated:
                number = int(np.floor(self.logs[places.start] / _BIN))
                coefficients = chebyshev.chebvander(chebyshev.chebpts1(_POINTS), _POINTS - 1).T @ values[places]
                coefficients *= np.append(1.0, np.full(_POINTS - 1, 2.0)) / _POINTS
                found[strata] = chebyshev.chebval(_in_bin(self.strata[strata], number), coefficients)
            else:
                found[strata] = values[places]
        return found


def _in_bin(logs: Floats, number: int) -> Floats:
    """Map the log weights of a bin to [-1, 1]."""
    return 2 * (logs / _BIN - number) - 1


def _arrived(logs: Floats, log_time: float) -> Floats:
    """Return the probability that a row of each log weight has arrived by a time, shape (k,)."""
    arrived: Floats = -np.expm1(-np.exp(np.minimum(logs + log_time, _HEAVY + 1)))
    return arrived


def _range(population: _Population, size: int) -> tuple[float, float, float]:
    """Return three log times, at which fewer than `size`, on average `size`, and more than `size` rows have arrived.

    The first and the third are certain to double precision by Bennett's inequality: a sum of independent trials with
    variance v exceeds its mean by d with a probability of at most exp(-(v + d) log(1 + d / v) + d).
    """
    logs, counts = population.logs, population.counts

    def mean_and_variance(log_time: float) -> tuple[float, float]:
        come = _arrived(logs, log_time)
        return float(counts @ come), max(float(counts @ (come * (1 - come))), 1e-300)

    def certain(log_time: float) -> bool:
        mean, variance = mean_and_variance(log_time)
        distance = abs(mean - size)
        return bool((variance + distance) * np.log1p(distance / variance) - distance > _NOTHING)

    def beyond(inside: float, outside: float) -> float:
        """Return the nearest log time at which the bound holds; it may not hold at all times farther out."""
        step, sign = 1e-6, 1 if outside > inside else -1
        reached = inside
        while abs(outside - reached) > step and not certain(reached + sign * step):
            reached += sign * step
            step = min(1.5 * step, _STEP)
        return reached + sign * min(step, abs(outside - reached))

    first = np.log(size) - 1 - (_NOTHING + 1) / size - np.log(counts @ np.exp(logs))
    last = np.log(np.log(counts.sum()) + _NOTHING + 8) - logs[0]
    low, high = float(first), float(last)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_and_variance(middle)[0] < size else (low, middle)
    return beyond(low, float(first)), low, beyond(high, float(last))


def _integrands(population: _Population, size: int, log_times: Floats) -> Floats:
    """Return w t exp(-w t) P(fewer than `size` other rows have arrived by t), shape (times, k)."""
    logs = population.logs
    light, heavy = logs.searchsorted([_LIGHT - log_times[-1], _HEAVY - log_times[0]])
    counts, certain = population.counts[light:heavy], float(population.counts[heavy:].sum())
    exponents = np.exp(logs[light:heavy] + log_times[:, None])
    come, left = -np.expm1(-exponents), np.exp(-exponents)
    variance = (come * left) @ counts
    # A window of 2 * width around `size` contains the distribution, so that the series has no aliasing.
    distance = np.abs(come @ counts + certain - size)
    spread = _NOTHING / 3 + np.sqrt(_NOTHING**2 / 9 + 2 * _NOTHING * variance)
    width = 2 * int(np.ceil((distance + spread).max() / 2) + 1)
    angles = np.pi * np.arange(1, width, 2) / width
    bend = 2 * np.sin(angles / 2) ** 2  # 1 - cos; the product is at most exp(-variance * bend)
    needed = max(1, int(np.count_nonzero(bend * max(float(variance.min()) - 0.25, 0.0) < _NOTHING)))
    angles, bend = angles[:needed], bend[:needed]

    shrunk = 2 * (come * left)[:, None, :] * bend[:, None]  # 1 - |factor|**2
    real, imaginary = 1 - come[:, None, :] * bend[:, None], come[:, None, :] * np.sin(angles)[:, None]
    phase = np.arctan2(imaginary, real) @ counts + angles * (certain - size + 0.5)
    length = np.exp(np.log1p(-shrunk) @ counts / 2) / (width * np.sin(angles / 2))
    across, along = length * np.sin(phase), length * np.cos(phase)
    # Leave out the row itself: divide the product by its own factor.
    own = (across[:, :, None] * real - along[:, :, None] * imaginary) / (1 - shrunk)
    values = np.zeros((len(log_times), len(logs)))
    values[:, light:heavy] = exponents * left * _probability(0.5 - own.sum(axis=1))
    few = _probability(0.5 - across.sum(axis=1))
    values[:, :light] = np.exp(logs[:light] + log_times[:, None]) * few[:, None]
    return values


def _probability(values: Floats) -> Floats:
    """Set rounding errors near 0 to 0, since the integrand of a light row multiplies them by a long time.

    A probability of fewer than `size` arrivals that is this small decreases like exp(-t), so the rest is negligible.
    """
    return np.where(values > _ROUNDING, np.minimum(values, 1.0), 0.0)


def expected_draws(table: StrataTable, size: int, *, replace: bool) -> Floats:
    """Return the expected number of draws of a row of each stratum.

    Args:
        table: the strata, with at least one row of positive weight.
        size: number of draws.
        replace: whether to draw with replacement. If not, the result is the probability that a row is among the first
            `size` rows of successive sampling.

    Returns:
        Shape (m,), with a relative error below 1e-9 for any table and size. With replacement, and for a sample of one
        row, it is `size * weight / total`, rounded.

    Examples:
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
    """Return the expected number of distinct rows among the draws.

    Examples:
        >>> expected_distinct(StrataTable.of(np.array([1.0, 1.0])), 2, replace=True)
        1.5
    """
    if not replace:
        return float(min(size, table.drawable))
    share = expected_draws(table, 1, replace=True)
    with np.errstate(divide="ignore"):  # log1p(-1) is infinite if a row has all the weight
        return float(table.counts @ -np.expm1(size * np.log1p(-np.minimum(share, 1.0)))) if size else 0.0


def effective_rows(table: StrataTable) -> float:
    """Return Kish's effective sample size: the number of rows of equal weight that would have the same variance.

    It is (Σw)² / Σw² over all rows (Kish 1965, Survey Sampling, 11.7).

    Examples:
        >>> effective_rows(StrataTable.of(np.array([1.0, 1.0, 4.0])))
        2.0
    """
    scaled = table.weights / table.weights.max()
    return float((table.counts @ scaled) ** 2 / (table.counts @ scaled**2))
