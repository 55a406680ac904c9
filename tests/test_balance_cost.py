"""Equal shares cost as little as equal shares can: no other common share has more effective rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import tql_frames
from tql_frames.balancing.label_sets import LabelSets
from tql_frames.balancing.level import rake_at_least_cost
from tql_frames.balancing.raking import Wanted, rake

XRAYS = tql_frames.datasets.chest_xray()
TAGS = pl.DataFrame(
    {
        "t": [
            sorted({f"l{int(number**2 * 6)}" for number in np.random.default_rng(row).random(row % 4)})
            for row in range(3000)
        ]
    }
)


def effective(sets: LabelSets, weights: np.ndarray) -> float:
    return float(sets.counts @ weights) ** 2 / float(sets.counts @ weights**2)


@pytest.mark.fault("H4")
@pytest.mark.parametrize(
    ("frame", "by", "options"),
    [
        (XRAYS, "findings", {}),
        (XRAYS, "findings", {"max_weight": 50}),
        (XRAYS, "findings", {"keep": ["No_Finding"]}),
        (XRAYS, "findings", {"keep": ["No_Finding", "age < 18"], "max_weight": 30}),
        (TAGS, "t", {}),
        (TAGS.lazy(), "t", {}),
    ],
)
def test_no_other_common_share_has_more_effective_rows(frame: Any, by: str, options: dict[str, Any]) -> None:
    """Other shares are asked for by name, one label at a time, which is another way through the package."""
    balance = frame.tql.balance(by, **options)
    table = balance.labels.filter(pl.col("target").is_not_null() & pl.col("reason").is_null())
    kept = options.get("keep", [])
    equal = [label for label in table["label"] if label is not None and label not in kept]
    level = table.filter(label=equal[0])["target"].item()
    assert len(equal) > 4
    most = balance.price.effective_rows
    for factor in (0.9, 0.95, 1.05, 1.1):
        other = frame.tql.balance(by, dict.fromkeys(equal, level * factor), **options)
        reached = other.labels["off"].drop_nulls().abs().max() < 0.01
        assert not reached or other.price.effective_rows < most * 0.9995, factor
    same = frame.tql.balance(by, dict.fromkeys(equal, level), **options)
    assert same.price.effective_rows == pytest.approx(most, rel=0.01)


@pytest.mark.fault("H4")
def test_the_cost_is_the_least_of_many_shares_of_any_table() -> None:
    """50 tables; shares on a grid are reached by `rake` alone."""
    numbers = np.random.default_rng(8)
    better = equal = 0
    for _ in range(50):
        flags = numbers.random((30, 5)) < numbers.uniform(0.1, 0.6, 5)
        flags[:5] |= np.eye(5, dtype=bool)
        sets = LabelSets.from_flags(numbers.integers(1, 500, 30), flags)
        wanted = Wanted(np.ones(5), np.ones(5, np.bool_))
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
            other = rake(sets, Wanted(goal, np.zeros(5, np.bool_)))
            if np.abs(other.shares / goal - 1).max() < 1e-3:
                assert effective(sets, other.weights) <= most * 1.0005
    assert equal > 30 and better > 15


def test_a_share_that_follows_from_the_labels_is_left_as_it_is() -> None:
    """Each row has one label, or one label and the common one: there is one way to be equal."""
    frame = pl.DataFrame({"x": ["a"] * 60 + ["b"] * 30 + [None] * 10})
    balance = frame.tql.balance("x")
    assert balance.labels["target"].to_list() == pytest.approx([0.45, 0.45, 0.1])
    sets = LabelSets.from_flags([60, 40], [[1, 0], [0, 1]])
    found = rake_at_least_cost(sets, Wanted(np.ones(2), np.array([True, True])))
    assert found.shares.tolist() == pytest.approx([0.5, 0.5])
