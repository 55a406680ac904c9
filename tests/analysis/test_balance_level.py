"""The common share of equal labels, beside a grid of shares."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import tql_frames  # noqa: F401  # puts .tql on the frames
from tests.sizes import size
from tql_frames.analysis.solver.items import LabelSets
from tql_frames.analysis.solver.raking import Targets, rake, rake_at_least_cost


def effective(sets: LabelSets, weights: np.ndarray) -> float:
    return float(sets.counts @ weights) ** 2 / float(sets.counts @ weights**2)


@pytest.mark.fault("H4")
def test_the_cost_is_the_least_of_many_shares_of_any_table() -> None:
    """50 tables, in `make test` 20; shares on a grid are reached by `rake` alone."""
    numbers = np.random.default_rng(8)
    better = equal = 0
    tables = size(20, 50)
    for _ in range(tables):
        flags = numbers.random((30, 5)) < numbers.uniform(0.1, 0.6, 5)
        flags[:5] |= np.eye(5, dtype=bool)
        sets = LabelSets.from_flags(numbers.integers(1, 500, 30), flags)
        wanted = Targets(np.ones(5), np.ones(5, np.bool_))
        found, before = rake_at_least_cost(sets, wanted), rake(sets, wanted)
        most = effective(sets, found.weights)
        if wanted.misses(before.shares, before.level).max() > 1e-3:
            assert np.array_equal(found.weights, before.weights)  # they cannot all be equal
            continue
        equal += 1
        assert wanted.misses(found.shares, found.level).max() < 1e-3
        better += most > effective(sets, before.weights) * 1.001
        for factor in np.linspace(0.5, 1.5, 21):
            goal = np.full(5, found.level * factor)
            other = rake(sets, Targets(goal, np.zeros(5, np.bool_)))
            if np.abs(other.shares / goal - 1).max() < 1e-3:
                assert effective(sets, other.weights) <= most * 1.0005
    assert equal > 0.6 * tables and better > 0.3 * tables


def test_a_share_that_follows_from_the_labels_is_left_as_it_is() -> None:
    """Each row has one label, or one label and the common one: there is one way to be equal."""
    frame = pl.DataFrame({"x": ["a"] * 60 + ["b"] * 30 + [None] * 10})
    balance = frame.tql.balance("x")
    assert balance.labels["target"].to_list() == pytest.approx([0.45, 0.45, 0.1])
    sets = LabelSets.from_flags([60, 40], [[1, 0], [0, 1]])
    found = rake_at_least_cost(sets, Targets(np.ones(2), np.array([True, True])))
    assert found.shares.tolist() == pytest.approx([0.5, 0.5])
