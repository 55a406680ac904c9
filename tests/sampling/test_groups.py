"""Draws by group have exactly the probabilities of draws from each group alone, and are independent of each other."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from tests.sizes import FULL, size
from tests.statistics import ordered_outcomes, p_of_counts, p_of_outcomes
from tql_frames.sampling import Groups, Strata, draw, draw_groups, expected_by_group, groups, stratify
from tql_frames.sampling.groups import stable_order

ALPHA = 1e-3
SAMPLES, TILT = size(2_500, 60_000), 1.1 if FULL else 1.6

WEIGHTS = [1.0, 2.0, 3.0, 5.0, 1.0, 0.0]
PLACES = [0, 1, 0, 1, 0, 1]


def grouped(places: list[int]) -> Groups:
    """The groups of rows, numbered by first appearance already."""
    return Groups(np.array(places, np.uint32), max(places, default=-1) + 1)


def population(weights: list[float], *, strata: bool):
    """The weights, or the rows in strata."""
    found = np.array(weights)
    return stratify(found) if strata else found


def outcomes_of(weights, places, sizes, *, replace, strata, samples=SAMPLES):
    """Tuples of rows drawn with so many seeds."""
    rows, in_groups, wanted = population(weights, strata=strata), grouped(places), np.array(sizes)
    return [tuple(draw_groups(rows, in_groups, wanted, replace=replace, seed=n).tolist()) for n in range(samples)]


def law(weights, places, sizes, *, replace):
    """Every ordered outcome of independent draws from each group, with its probability."""
    alone = []
    for group, wanted in enumerate(sizes):
        rows = [row for row, place in enumerate(places) if place == group]
        own = [weights[row] for row in rows]
        if replace:
            shares = [Fraction(weight) / sum(map(Fraction, own)) for weight in own]
            outcomes = {}
            for drawn in product(range(len(rows)), repeat=wanted):
                probability = Fraction(1)
                for row in drawn:
                    probability *= shares[row]
                if probability:
                    outcomes[tuple(rows[row] for row in drawn)] = float(probability)
        else:
            outcomes = {
                tuple(rows[row] for row in drawn): p for drawn, p in ordered_outcomes(own, wanted).items() if p > 0
            }
        alone.append(outcomes)
    found: dict[tuple[int, ...], float] = {}
    for together in product(*(each.items() for each in alone)):
        drawn = tuple(row for rows, _ in together for row in rows)
        found[drawn] = float(np.prod([p for _, p in together]))
    return found


CASES = [
    pytest.param(WEIGHTS, PLACES, [2, 2], id="two-groups"),
    pytest.param(WEIGHTS, PLACES, [3, 1], id="all-of-one"),
    pytest.param(WEIGHTS, [0, 0, 1, 1, 2, 2], [1, 2, 1], id="three-groups"),
    pytest.param([1.0, 1.0, 1.0, 4.0, 4.0, 4.0], [0, 0, 0, 0, 1, 1], [2, 1], id="ties"),
    pytest.param(WEIGHTS, [0, 1, 2, 2, 2, 2], [1, 1, 2], id="groups-of-one"),
    pytest.param(WEIGHTS, PLACES, [0, 2], id="none-of-one"),
]


@pytest.mark.parametrize("strata", [True, False], ids=["strata", "rows"])
@pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])
@pytest.mark.parametrize(("weights", "places", "sizes"), CASES)
def test_every_ordered_outcome_has_its_probability(weights, places, sizes, replace, strata):
    if replace:
        sizes = [min(each, 2) for each in sizes]
    outcomes = outcomes_of(weights, places, sizes, replace=replace, strata=strata)
    assert p_of_outcomes(outcomes, law(weights, places, sizes, replace=replace)) > ALPHA


@pytest.mark.parametrize("strata", [True, False], ids=["strata", "rows"])
@pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])
def test_tilted_weights_in_one_group_are_rejected(replace, strata):
    tilted = [WEIGHTS[0] * TILT, *WEIGHTS[1:]]
    outcomes = outcomes_of(tilted, PLACES, [2, 2], replace=replace, strata=strata)
    assert p_of_outcomes(outcomes, law(WEIGHTS, PLACES, [2, 2], replace=replace)) < ALPHA


@pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])
def test_groups_of_equal_weights_are_drawn_independently(replace):
    def contingency(pairs):
        counts = Counter(pairs)
        table = np.array([counts[a, b] for a in range(3) for b in range(3)])
        return p_of_counts(table, np.full(9, 1 / 9))

    drawn = outcomes_of([1.0] * 6, [0, 0, 0, 1, 1, 1], [1, 1], replace=replace, strata=True)
    assert contingency((a, b - 3) for a, b in drawn) > ALPHA
    assert contingency((a, a) for a, _ in drawn) < ALPHA  # had both groups drawn by the same numbers


def test_large_groups_are_drawn_by_weight_whatever_the_path():
    rng = np.random.default_rng(5)
    places = rng.integers(0, 40, 60_000)
    codes = stable_first(places)
    in_groups = Groups(codes, 40)
    weights = rng.choice([1.0, 3.0, 9.0], len(codes))
    sizes = np.full(40, 200)
    drawn = {}
    for name, rows in {"strata": stratify(weights), "rows": weights * (1 + 1e-13 * rng.random(len(codes)))}.items():
        for replace in (True, False):
            found = draw_groups(rows, in_groups, sizes, replace=replace, seed=3)
            assert (np.bincount(codes[found], minlength=40) == 200).all()
            assert (np.diff(codes[found].astype(int)) >= 0).all()  # group by group
            drawn[name, replace] = np.array([np.sum(weights[found] == each) for each in (1.0, 3.0, 9.0)])
    shares = np.array([np.sum(weights == each) * each for each in (1.0, 3.0, 9.0)])
    for name in ("strata", "rows"):
        assert p_of_counts(drawn[name, True], shares / shares.sum()) > ALPHA
    assert np.abs(drawn["strata", False] - drawn["rows", False]).max() < 200  # of 8,000, of which some repeat


def stable_first(places):
    """Numbers of groups in the order of first appearance."""
    _, first, inverse = np.unique(places, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.uint32)[inverse]


def test_without_replacement_a_short_sample_is_the_start_of_a_long_one_of_each_group():
    rng = np.random.default_rng(1)
    in_groups = Groups(stable_first(rng.integers(0, 50, 5_000)), 50)
    for rows in (rng.random(5_000), stratify(rng.choice([0.0, 1.0, 7.0], 5_000))):
        short = draw_groups(rows, in_groups, np.full(50, 3), replace=False, seed=2)
        long = draw_groups(rows, in_groups, np.full(50, 1_000), replace=False, seed=2)
        for group in range(50):
            mine = [row for row in long.tolist() if in_groups.codes[row] == group]
            assert [row for row in short.tolist() if in_groups.codes[row] == group] == mine[:3]


def test_one_group_of_all_rows_is_drawn_as_the_race_of_all_rows_is():
    weights = np.random.default_rng(2).random(10_000)
    alone = draw(weights, 500, replace=False, seed=9)
    assert (
        draw_groups(weights, grouped([0] * 10_000), np.array([500]), replace=False, seed=9).tolist() == alone.tolist()
    )


@pytest.mark.parametrize("few", [2**20, 1], ids=["by-pairs", "by-rows"])
def test_weights_of_any_scale(monkeypatch, few):
    monkeypatch.setattr(groups, "MOST_PAIRS", few)
    weights = np.array([1e-300, 3e-300, 1e300, 3e300, 5e-324, 0.0])
    in_groups = grouped([0, 0, 1, 1, 2, 2])
    drawn = draw_groups(weights, in_groups, np.array([40_000, 40_000, 10]), replace=True, seed=4)
    counts = np.bincount(drawn, minlength=6)
    assert counts[4:].tolist() == [10, 0]
    for pair in (counts[:2], counts[2:4]):
        assert p_of_counts(pair, np.array([0.25, 0.75])) > ALPHA
    without = draw_groups(weights, in_groups, np.array([2, 2, 2]), replace=False, seed=4)
    assert sorted(without.tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("weights", "places", "sizes"), CASES)
@pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])
def test_expectations_are_the_enumerated_ones(weights, places, sizes, replace):
    expected, drawn = expected_by_group(np.array(weights), grouped(places), np.array(sizes), replace=replace)
    times, once = np.zeros(len(weights)), np.zeros(len(weights))
    for rows, p in law(weights, places, sizes, replace=replace).items():
        counts = np.bincount(rows, minlength=len(weights)) if rows else np.zeros(len(weights))
        times += p * counts
        once += p * (counts > 0)
    assert np.allclose(expected, times, rtol=1e-8, atol=1e-12)
    assert np.allclose(drawn, once, rtol=1e-8, atol=1e-12)


def test_many_groups_of_a_few_rows_each():
    rng = np.random.default_rng(0)
    codes = stable_first(rng.integers(0, 70_000, 200_000))
    in_groups = Groups(codes, int(codes.max()) + 1)
    assert in_groups.count > 2**16  # more than one pass of the radix sort
    for rows in (rng.random(200_000), stratify(rng.choice([0.0, 1.0, 5.0], 200_000))):
        drawable = in_groups.drawable(rows)
        without = draw_groups(rows, in_groups, np.full(in_groups.count, 2), replace=False, seed=1)
        assert (np.bincount(codes[without], minlength=in_groups.count) == np.minimum(drawable, 2)).all()
        assert len(set(without.tolist())) == len(without)
        sizes = np.where(drawable > 0, 2, 0)
        with_repeats = draw_groups(rows, in_groups, sizes, replace=True, seed=1)
        assert (np.bincount(codes[with_repeats], minlength=in_groups.count) == sizes).all()
        weights = rows.table.weights[rows.codes] if isinstance(rows, Strata) else rows
        assert (weights[without] > 0).all() and (weights[with_repeats] > 0).all()


@pytest.mark.parametrize("replace", [True, False])
def test_more_pairs_than_make_strata_of_few_weights(monkeypatch, replace):
    monkeypatch.setattr(groups, "MOST_PAIRS", 3)
    rows = stratify(np.array([1.0, 2.0, 1.0, 2.0, 0.0, 3.0]))
    drawn = draw_groups(rows, grouped([0, 0, 1, 1, 2, 2]), np.array([2, 2, 1]), replace=replace, seed=1)
    assert set(drawn[:2].tolist()) <= {0, 1} and set(drawn[2:4].tolist()) <= {2, 3} and drawn[4:].tolist() == [5]


def test_members_and_order():
    in_groups = grouped([0, 1, 0, 2, 1, 0])
    assert in_groups.members(np.array([1, 0, 1])).tolist() == [1, 4, 0, 2, 5, 1, 4]
    assert in_groups.members(np.array([], np.int64)).tolist() == []
    codes = np.random.default_rng(0).integers(0, 100_000, 300_000).astype(np.uint32)
    assert stable_order(codes, 100_000).tolist() == np.argsort(codes, kind="stable").tolist()
    assert in_groups.heaviest(np.array([1.0, 5.0, 3.0, 0.0, 2.0, 2.0])).tolist() == [3.0, 5.0, 0.0]
