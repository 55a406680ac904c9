"""Weights that change: draws are those of the weights alone, and probabilities are those of the last change."""

from __future__ import annotations

import numpy as np
import pytest

from tests.statistics import p_of_counts
from tql_frames.sampling import ChangingWeights, Streams, draw
from tql_frames.sampling import changing as module
from tql_frames.sampling.with_replacement import EDGE, draw_rows

ALPHA = 1e-4  # fixed seeds: each test was right when it was written, and stays so


def same_draws(changing: ChangingWeights, seed: int, size: int, start: int = 0) -> bool:
    expected = draw_rows(changing.weights.copy(), size, Streams(seed), start=start)
    return bool((changing.draw(size, seed=seed, start=start) == expected).all())


@pytest.mark.parametrize("rows", [1, 70, 511, 512, 513, 100_003])
def test_draws_are_those_of_the_weights_alone(rows: int) -> None:
    random = np.random.default_rng(rows)
    changing = ChangingWeights(random.random(rows) * 10.0 ** random.integers(-3, 3, rows))
    for turn in range(90):
        some = random.integers(0, rows, 200)
        changing.update(some, random.random(200) * 10.0 ** random.integers(-6, 6))
        if turn % 3 == 0:
            assert same_draws(changing, seed=turn, size=64, start=turn)


def test_another_history_of_the_same_weights_has_the_same_draws() -> None:
    random = np.random.default_rng(3)
    first, last = random.random(50_000), random.random(50_000)
    order = random.permutation(50_000)
    found = []
    for batch in (7, 1_000, 50_000):
        changing = ChangingWeights(first)
        for start in range(0, 50_000, batch * 37 if batch == 7 else batch):
            some = order[start : start + (batch * 37 if batch == 7 else batch)]
            changing.update(some, np.full(len(some), 1e12))  # a scale far off in between
            changing.update(some, last[some])
        found.append(changing.draw(300, seed=5).tolist())
    assert found[0] == found[1] == found[2] == draw(last, 300, replace=True, seed=5).tolist()


def test_totals_at_the_edge_of_a_scale() -> None:
    """Where the scale changes, weights that go to and fro are drawn by the scale of their total."""
    rows = 100_000
    weights = np.full(rows, EDGE)
    weights[2**16 :] = 0  # the total is a power of two times the constant: an edge
    weights[0] += 1e-7
    changing = ChangingWeights(weights)
    exponents = set()
    for turn in range(40):
        changing.update(np.array([1, 70_000]), np.array([EDGE + (-1) ** turn * 1e-3, 0.0]))
        assert same_draws(changing, seed=turn, size=50)
        exponents.add(changing._scaled())
    assert len(exponents) == 2  # the edge was crossed
    changing.update(np.array([1]), np.array([EDGE - 1e-7]))  # the total is the edge itself, to rounding
    assert same_draws(changing, seed=1, size=50)


@pytest.mark.parametrize("scale", [1e-250, 1e-20, 1e20, 1e250])
def test_weights_of_any_scale_follow(scale: float) -> None:
    random = np.random.default_rng(4)
    changing = ChangingWeights(random.random(100_000))
    assert same_draws(changing, seed=1, size=50)
    changing.update(np.arange(100_000), random.random(100_000) * scale)
    assert same_draws(changing, seed=2, size=50)
    changing.update(np.arange(100), np.full(100, 1.0))
    assert same_draws(changing, seed=3, size=50)


def test_growth_between_draws_does_not_overflow() -> None:
    changing = ChangingWeights(np.ones(100_000))
    changing.draw(10, seed=1)
    for power in range(80):
        changing.update(np.array([power % 7]), np.array([2.0**power]))
    assert same_draws(changing, seed=2, size=50)


@pytest.mark.parametrize("edge", [False, True])
def test_an_update_asks_the_changed_rows_alone(edge: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows are added up once for each scale, however often weights change, also to and fro across an edge."""
    random = np.random.default_rng(6)
    weights = np.where(np.arange(100_000) < 2**16, EDGE, 0.0) if edge else random.random(100_000)
    changing, sums, scales = ChangingWeights(weights), [], []
    added_up, scaled = ChangingWeights._summed, module.scale_of
    monkeypatch.setattr(ChangingWeights, "_summed", lambda own, each: sums.append(each) or added_up(own, each))
    monkeypatch.setattr(module, "scale_of", lambda own: scales.append(1) or scaled(own))
    for turn in range(200):
        some = random.integers(0, 2**16, 50)
        changing.update(some, weights[some] * (1.0 + (-1) ** turn * 0.01 * random.random(50)))
        changing.update(np.array([7]), np.array([EDGE + (-1) ** turn * 50]))
        changing.draw(20, seed=turn)
    assert sorted(set(sums)) == sorted(sums) and len(sums) == 1 + edge
    assert len(scales) == 1


def test_of_a_row_that_comes_twice_the_last_weight_counts() -> None:
    changing = ChangingWeights(np.ones(100_000))
    changing.draw(10, seed=1)
    changing.update(np.array([5, 9, 5]), np.array([1e6, 2.0, 3.0]))
    assert changing.weights[[5, 9]].tolist() == [3.0, 2.0]
    assert same_draws(changing, seed=2, size=50)


def test_the_last_positive_weight_cannot_go() -> None:
    changing = ChangingWeights(np.array([0.0, 2.0, 0.0]))
    for _ in range(2):
        assert not changing.update(np.array([1]), np.array([0.0]))
        assert changing.weights.tolist() == [0.0, 2.0, 0.0]
        assert changing.draw(3, seed=1).tolist() == [1, 1, 1]
    assert not ChangingWeights(np.array([0.0, 2.0])).update(np.array([1]), np.array([0.0]))


def test_probabilities_are_those_of_the_last_change_and_a_stale_weight_is_rejected() -> None:
    """Pearson's chi-square of 60,000 draws of 600 at a time, by enumerated probabilities."""
    rows = 100_000
    stale = np.zeros(rows)
    groups = np.arange(10) * 9_000 + 17
    stale[groups] = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]
    changing = ChangingWeights(stale)
    changing.draw(10, seed=1)
    changing.update(groups[[2, 7]], np.array([3.3, 0.5]))
    weights = changing.weights[groups]
    counts = np.zeros(10, np.int64)
    for start in range(0, 60_000, 600):
        drawn = changing.draw(600, seed=8, start=start)
        counts += (drawn[:, None] == groups).sum(axis=0)
    assert counts.sum() == 60_000
    assert p_of_counts(counts, weights / weights.sum()) > ALPHA
    assert p_of_counts(counts, stale[groups] / stale.sum()) < 1e-12
    before = stale[groups].copy()
    before[7] = 0.5  # one of two changes: a weight of 3 that is 3.3
    assert p_of_counts(counts, before / before.sum()) < ALPHA
    assert np.allclose(changing.shares(groups), weights / weights.sum(), rtol=1e-14)


def test_a_copy_changes_alone() -> None:
    changing = ChangingWeights(np.array([1.0, 2.0]))
    other = changing.copy()
    other.update(np.array([0]), np.array([0.0]))
    assert changing.weights.tolist() == [1.0, 2.0] and other.weights.tolist() == [0.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        other.weights[0] = 5
