"""What is expected of a draw, beside enumeration, closed forms and draws."""

from itertools import permutations
from math import isclose

import numpy as np
import pytest

from tql_frames.sampling import StrataTable, draw
from tql_frames.sampling.inclusion import effective_rows, expected_distinct, expected_draws


def enumerated(weights: list[float], size: int) -> np.ndarray:
    """Probability of each row to be among the first `size` of successive sampling, by all orders."""
    found = np.zeros(len(weights))
    for order in permutations(range(len(weights)), size):
        chance, left = 1.0, sum(weights)
        for row in order:
            chance *= weights[row] / left
            left -= weights[row]
        found[list(order)] += chance
    return found


WEIGHTS = [[1.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 100.0, 0.001], [5.0, 1.0, 1.0, 1.0, 1.0, 3.0]]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_inclusion_probabilities_are_the_enumerated_ones(weights: list[float]) -> None:
    table = StrataTable.of(np.array(weights))
    places = np.searchsorted(table.weights, weights)
    for size in range(1, len(weights)):
        found = expected_draws(table, size, replace=False)[places]
        np.testing.assert_allclose(found, enumerated(weights, size), rtol=1e-9)


def test_rows_of_weight_0_are_never_expected_and_all_others_when_all_are_drawn() -> None:
    table = StrataTable.of(np.array([0.0, 1.0, 3.0]))
    assert expected_draws(table, 2, replace=False).tolist() == [0.0, 1.0, 1.0]
    assert expected_draws(table, 1, replace=False).tolist() == pytest.approx([0.0, 0.25, 0.75])
    assert expected_draws(table, 0, replace=False).tolist() == [0.0, 0.0, 0.0]
    assert expected_draws(table, 8, replace=True).tolist() == [0.0, 2.0, 6.0]


@pytest.mark.parametrize("size", [1, 30, 400, 3000, 5990])
def test_inclusion_probabilities_of_many_rows_sum_to_the_size(size: int) -> None:
    table = StrataTable(np.array([0.2, 1.0, 5.0, 20.0]), np.array([1000, 4000, 800, 200]))
    found = expected_draws(table, size, replace=False)
    assert float(table.counts @ found) == pytest.approx(size, rel=1e-9)
    assert (np.diff(found) >= 0).all() and found.max() <= 1


def test_draws_agree_with_inclusion_probabilities() -> None:
    """Counts of 4,000 samples of 30 of 100 rows, each within 5 standard errors: alpha below 1e-6 in all."""
    weights = np.repeat([1.0, 4.0, 9.0], [60, 30, 10])
    table = StrataTable.of(weights)
    samples = 4000
    counts = np.zeros(100)
    for seed in range(samples):
        counts[draw(weights, 30, replace=False, seed=seed)] += 1
    by_stratum = counts.reshape(-1, 10).sum(axis=1)
    totals = np.array([by_stratum[:6].sum(), by_stratum[6:9].sum(), by_stratum[9]])
    expected = expected_draws(table, 30, replace=False)
    error = np.sqrt(samples * table.counts * expected * (1 - expected))  # at most: ranks exclude each other
    assert (np.abs(totals - samples * table.counts * expected) < 5 * error).all()
    wrong = expected_draws(StrataTable(table.weights * [1.0, 1.06, 1.06], table.counts), 30, replace=False)
    assert (np.abs(totals - samples * table.counts * wrong) > 5 * error).any()  # weights 6 percent off are told apart


def test_expected_distinct_rows() -> None:
    table = StrataTable.of(np.array([1.0, 1.0, 2.0]))
    by_hand = 2 * (1 - 0.75**5) + (1 - 0.5**5)
    assert expected_distinct(table, 5, replace=True) == pytest.approx(by_hand, rel=1e-12)
    assert expected_distinct(table, 2, replace=False) == 2
    assert expected_distinct(table, 9, replace=False) == 3
    assert expected_distinct(StrataTable.of(np.array([0.0, 3.0])), 4, replace=True) == 1
    assert expected_distinct(table, 0, replace=True) == 0


def test_effective_rows_are_those_of_kish_at_any_scale() -> None:
    for scale in (1.0, 1e300, 1e-300):
        assert isclose(effective_rows(StrataTable.of(scale * np.array([1.0, 1.0, 4.0, 0.0]))), 36 / 18)
    assert effective_rows(StrataTable.of(np.full(7, 3.0))) == pytest.approx(7)
