"""Draws have exactly the probabilities that the weights say, and the tests that say so can fail."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sizes import FULL, size
from tests.statistics import ordered_outcomes, p_of_counts, p_of_lag, p_of_outcomes
from tql_frames.sampling import StrataTable, Streams, draw
from tql_frames.sampling.strata import stratify
from tql_frames.sampling.with_replacement import draw_rows, draw_strata
from tql_frames.sampling.without_replacement import distinct_strata, race_rows

# Of each test below. With fixed seeds each passes for good or fails for good; a tilt of one percent over 10^6 draws of
# two rows is 5 standard errors, found with probability 0.96.
ALPHA = 1e-3

# Samples whose outcomes are counted, and a tilt of two of three weights that so many samples reject: in `make test`
# with p < 1e-5.
SAMPLES, TILT = size(2_000, 40_000), 1.1 if FULL else 1.25

STRATA = [1.0, 1.0, 3.0, 3.0, 0.0]
SIX = [1.0, 2.0, 2.0, 3.0, 5.0, 0.5]


def samples_of(sampler) -> range:
    """Seeds of the outcomes that are counted; by strata a sample takes longer, and fewer reject the tilt."""
    return range(size(1_000, 10_000) if sampler is by_strata else SAMPLES)


def by_strata(weights: list[float], limit: int, kernel=distinct_strata):
    """Seed -> rows drawn by way of strata."""
    strata = stratify(np.array(weights))
    return lambda seed: tuple(strata.resolve(kernel(strata.table, limit, Streams(seed))).tolist())


def by_rows(weights: list[float], limit: int, kernel=race_rows):
    """Seed -> rows drawn with every row a stratum of its own."""
    weights = np.array(weights)
    return lambda seed: tuple(kernel(weights, limit, Streams(seed)).tolist())


WITHOUT = [
    pytest.param(by_rows, [1.0, 2.0, 3.0], 3, id="rows-3-of-3"),
    pytest.param(by_rows, [4.0, 0.0, 1.0, 9.0], 5, id="rows-with-a-zero-asked-for-more"),
    pytest.param(by_rows, SIX, 4, id="rows-4-of-6"),
    pytest.param(by_strata, [2.0, 2.0, 2.0, 2.0], 3, id="one-stratum"),
    pytest.param(by_strata, STRATA, 4, id="strata-all"),
    pytest.param(by_strata, SIX, 2, id="strata-2-of-6"),
]


@pytest.mark.parametrize(("sampler", "weights", "limit"), WITHOUT)
def test_without_replacement_every_ordered_outcome(sampler, weights, limit):
    outcomes = map(sampler(weights, limit), samples_of(sampler))
    assert p_of_outcomes(outcomes, ordered_outcomes(weights, limit)) > ALPHA


@pytest.mark.parametrize(
    ("sampler", "weights", "limit"),
    [pytest.param(by_rows, [1.0, 2.0, 3.0], 3, id="rows"), pytest.param(by_strata, STRATA, 4, id="strata")],
)
def test_without_replacement_rejects_tilted_weights(sampler, weights, limit):
    tilted = [weights[0] * TILT, weights[1] * TILT, *weights[2:]]
    outcomes = map(sampler(tilted, limit), samples_of(sampler))
    assert p_of_outcomes(outcomes, ordered_outcomes(weights, limit)) < ALPHA


WITH = [
    pytest.param(by_rows, draw_rows, id="rows"),
    pytest.param(by_strata, draw_strata, id="strata"),
]


@pytest.mark.parametrize(("sampler", "kernel"), WITH)
@pytest.mark.parametrize("weights", [[1.0, 1.0], SIX, [0.0, 1e-9, 1e9, 1e9], [0.1] * 60 + [7.3]])
def test_with_replacement_counts(sampler, kernel, weights):
    draws = sampler(weights, 1_000_000, kernel)(3)
    counts = np.bincount(draws, minlength=len(weights))
    probabilities = np.array(weights) / sum(weights)
    rare = probabilities * 1_000_000 < 5  # too rare to be seen often: not one of them more than five times
    assert counts[rare].max(initial=0) <= 5
    assert p_of_counts(counts[~rare], probabilities[~rare] / probabilities[~rare].sum()) > ALPHA


@pytest.mark.parametrize(("sampler", "kernel"), WITH)
def test_with_replacement_rejects_weights_tilted_by_one_percent(sampler, kernel):
    draws = sampler([1.01, 1.0], 1_000_000, kernel)(3)
    assert p_of_counts(np.bincount(draws), [0.5, 0.5]) < ALPHA


def test_ranks_inside_a_stratum_are_uniform():
    weights = np.repeat([1.0, 4.0], [50, 50])
    counts = np.bincount(draw(weights, 1_000_000, replace=True, seed=11), minlength=100)
    assert p_of_counts(counts, weights / weights.sum()) > ALPHA
    # Without replacement all rows of a stratum have one inclusion probability; which half comes first is even too.
    seeds = range(size(1_500, 20_000))
    first = np.concatenate([draw(weights, 20, replace=False, seed=seed) for seed in seeds])
    for stratum in (slice(0, 50), slice(50, 100)):
        assert p_of_counts(np.bincount(first, minlength=100)[stratum], [1 / 50] * 50) > ALPHA


@pytest.fixture(scope="module")
def draws_of_sixty():
    weights = np.array([1.0, 2.0, 5.0] * 20)
    return draw(weights, size(300_000, 10_000_000), replace=True, seed=5).astype(np.uint16)


@pytest.mark.parametrize("lags", [range(first, first + 250) for first in range(1, 1001, 250)], ids=str)
def test_draws_at_every_lag_are_independent(draws_of_sixty, lags):
    lowest = min(p_of_lag(draws_of_sixty, lag, 60) for lag in lags)
    assert lowest > ALPHA / 1000  # the least of 1000 p-values


def test_repeats_at_a_lag_are_rejected(draws_of_sixty):
    """In `mixed` two percent of the draws repeat the one 745 draws before, in `cycle` all the one 60,000 before."""
    mixed = draws_of_sixty.copy()
    mixed[745:] = np.where(np.arange(len(mixed) - 745) % 50 == 0, mixed[:-745], mixed[745:])
    cycle = np.resize(draws_of_sixty[:60_000], len(draws_of_sixty))
    assert p_of_lag(mixed, 745, 60) < ALPHA / 1000
    for lag in (60_000, 120_000):
        assert p_of_lag(cycle, lag, 60) < ALPHA / 1000
        assert p_of_lag(draws_of_sixty, lag, 60) > ALPHA / 1000


def test_no_long_period():
    draws = draw(np.arange(1.0, 61.0), 100_000, replace=True, seed=1)
    expected = ((np.arange(1, 61) / 1830) ** 2).sum()  # chance that two draws are the same row
    for period in (60, 600, 1000, 3600, 10_000, 65_536):
        share = (draws[:-period] == draws[period:]).mean()
        error = np.sqrt(expected * (1 - expected) / (len(draws) - period))
        assert abs(share - expected) < 5 * error


@pytest.mark.parametrize("continuous", [False, True])
def test_a_long_draw_without_replacement_stays_weighted(continuous):
    """Of many rows, a row of weight w is drawn by time t with probability 1 - exp(-w t), t such that k are drawn."""
    counts, levels, limit = np.array([10_000, 40_000, 100_000, 850_000]), np.array([20.0, 8.0, 5.0, 1.0]), 100_000
    weights = np.repeat(levels, counts)
    if continuous:  # every row a stratum of its own, at almost the same weight
        weights = weights * (1 + np.arange(len(weights)) * 1e-12)
    drawn = draw(weights, limit, replace=False, seed=2)
    assert len(np.unique(drawn)) == limit
    low, high = 0.0, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if (counts * -np.expm1(-levels * middle)).sum() < limit else (low, middle)
    probability = -np.expm1(-levels * low)
    found = np.bincount(np.searchsorted(np.cumsum(counts), drawn, side="right"), minlength=4)
    error = np.sqrt(counts * probability * (1 - probability))  # an upper bound: the fixed size narrows it
    assert (np.abs(found - counts * probability) < 5 * error).all()
    last = np.bincount(np.searchsorted(np.cumsum(counts), drawn[-1000:], side="right"), minlength=4)
    late = counts * (1 - probability) * levels  # weights still left, by stratum, at the end of the draw
    assert p_of_counts(last, late / late.sum()) > ALPHA


def test_weights_of_any_magnitude():
    huge = np.array([1.5e308, 1.5e308, 1e300, 0.0])
    assert p_of_counts(np.bincount(draw(huge, 10_000, replace=True, seed=1), minlength=2)[:2], [0.5, 0.5]) > ALPHA
    tiny = np.array([5e-324, 1e-323, 0.0])
    assert p_of_counts(np.bincount(draw(tiny, 10_000, replace=True, seed=1), minlength=2), [1 / 3, 2 / 3]) > ALPHA
    apart = np.array([1e-300, 1e308, 1e-308, 0.0])
    for kernel in (by_rows, by_strata):
        assert kernel(apart.tolist(), 4)(9) == (1, 0, 2)


def test_rows_of_weight_zero_are_never_drawn():
    weights = np.zeros(1000)
    weights[::100] = 1.0
    assert set(draw(weights, 10_000, replace=True, seed=1).tolist()) == set(range(0, 1000, 100))
    assert sorted(draw(weights, 1000, replace=False, seed=1).tolist()) == list(range(0, 1000, 100))


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("limit", [0, 1, 7])
def test_sizes(replace, limit):
    for weights in (np.ones(7), np.arange(1.0, 8.0), np.linspace(1, 2, 1000)):
        drawn = draw(weights, limit, replace=replace, seed=4)
        assert len(drawn) == limit
        assert replace or len(set(drawn.tolist())) == limit


def test_the_table_alone_decides_the_slots():
    table = StrataTable(np.array([1.0, 2.0]), np.array([3, 4]))
    assert (draw_strata(table, 50, Streams(1)) < 7).all()
    assert sorted(distinct_strata(table, 50, Streams(1)).tolist()) == list(range(7))


class _Fixed:
    """Streams whose every number is one and the same."""

    def __init__(self, number: float) -> None:
        self._number = number

    def fill(self, stream: int, start: int, out: np.ndarray) -> None:
        out[:] = self._number


@pytest.mark.parametrize(("number", "row"), [(0.0, 1), (1 / 3, 2), (1 - 2**-53, 3)], ids=["first", "a bound", "last"])
def test_a_number_at_a_bound_belongs_to_the_row_that_begins_there(number, row):
    """Rows of weight 0 stand at the start of the line and own none of it."""
    weights = np.array([0.0, 1.0, 1.0, 1.0, 0.0])
    assert draw_rows(weights, 1, _Fixed(number)).tolist() == [row]
    strata = stratify(weights)
    assert strata.resolve(draw_strata(strata.table, 1, _Fixed(number))).tolist() == [row]
