"""Draws by group have exactly the probabilities of draws from each group alone, and are independent of each other."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.sizes import FULL, size
from tests.statistics import ordered_outcomes, p_of_counts, p_of_outcomes
from tql_frames.sampling import Groups, Strata, draw, draw_groups, expected_by_group, groups, stratify
from tql_frames.sampling.groups import RowPairs, Steps, bounds_of, stable_order
from tql_frames.sampling.partitioned import (
    GroupRace,
    PairCells,
    finishers_of_groups,
    limits_of_groups,
    winners_of_groups,
)
from tql_frames.sampling.rng import Streams
from tql_frames.sampling.without_replacement import Race

ALPHA = 1e-3
# So many reject their tilt with p < 1e-5.
SAMPLES, TILT = size(600, 6_000), 1.25 if FULL else 1.6

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


CASES = {
    "two-groups": (WEIGHTS, PLACES, [2, 2]),
    "all-of-one": (WEIGHTS, PLACES, [3, 1]),
    "three-groups": (WEIGHTS, [0, 0, 1, 1, 2, 2], [1, 2, 1]),
    "ties": ([1.0, 1.0, 1.0, 4.0, 4.0, 4.0], [0, 0, 0, 0, 1, 1], [2, 1]),
    "groups-of-one": (WEIGHTS, [0, 1, 2, 2, 2, 2], [1, 1, 2]),
    "none-of-one": (WEIGHTS, PLACES, [0, 2]),
}
WAYS = list(product(["with", "without"], ["strata", "rows"]))


@pytest.mark.parametrize(
    ("name", "way"),
    # In `make test` each case by two of the four ways: with replacement by strata and without by rows, or vice versa.
    size(
        [(name, way) for place, name in enumerate(CASES) for way in (WAYS[place % 2], WAYS[3 - place % 2])],
        list(product(CASES, WAYS)),
    ),
    ids=lambda each: each if isinstance(each, str) else "-".join(each),
)
def test_every_ordered_outcome_has_its_probability(name, way):
    (weights, places, sizes), replace, strata = CASES[name], way[0] == "with", way[1] == "strata"
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


@pytest.mark.parametrize(("weights", "places", "sizes"), CASES.values(), ids=CASES)
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


# -- groups in parts --------------------------------------------------------------------------------------------------


@st.composite
def in_parts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Weights, groups, and bounds of parts."""
    rows = draw(st.integers(1, 120))
    few = draw(st.booleans())
    elements = st.sampled_from([0.0, 1.0, 2.5, 7.0]) if few else st.floats(0, 1e300)
    weights = draw(arrays(np.float64, rows, elements=elements))
    places = draw(arrays(np.int64, rows, elements=st.integers(0, draw(st.sampled_from([0, 3, 200])))))
    bounds = sorted(draw(st.lists(st.integers(0, rows), max_size=5)))
    return weights, places, [0, *bounds, rows]


def parts_of(weights, places, bounds):
    """The groups of the whole; of each part its weights, its groups, and their numbers in the whole."""
    whole = Groups(stable_first(places), len(set(places.tolist())))
    parts = []
    for first, stop in pairwise(bounds):
        codes = stable_first(places[first:stop])
        _, at = np.unique(codes, return_index=True)
        own = Groups(codes, len(at))
        parts.append((weights[first:stop], own, whole.codes[first:stop][at].astype(np.int64)))
    return whole, parts


@given(in_parts())
def test_pairs_of_parts_add_up(case):
    whole, parts = parts_of(*case)
    for pairs_of in (RowPairs.of, RowPairs.rounded):
        cells = PairCells.of([pairs_of(own, mine).table for own, mine, _ in parts], [numbers for *_, numbers in parts])
        expected = pairs_of(case[0], whole).table
        for name in ("groups", "weights", "counts"):
            assert getattr(cells.pairs, name).tolist() == getattr(expected, name).tolist()
    assert expected.rows(whole.count).tolist() == whole.rows.tolist()
    assert expected.drawable(whole.count).tolist() == whole.drawable(case[0]).tolist()


@given(in_parts(), st.integers(0, 2**32))
def test_slots_of_parts_are_the_rows_of_the_slots(case, seed):
    weights, _, bounds = case
    whole, parts = parts_of(*case)
    rows = [RowPairs.of(own, mine) for own, mine, _ in parts]
    cells = PairCells.of([each.table for each in rows], [numbers for *_, numbers in parts])
    slots = np.random.default_rng(seed).integers(0, len(weights), 40).astype(np.uint32)
    expected = np.sort(RowPairs.of(weights, whole).order.take(slots))
    found = cells.slots_of_parts(slots)
    assert all((np.diff(each.astype(int)) >= 0).all() for each in found)
    there = zip(rows, found, bounds[:-1], strict=True)
    assert np.sort(np.concatenate([each.order.take(own).astype(int) + at for each, own, at in there])).tolist() == (
        expected.tolist()
    )


@pytest.mark.parametrize("strata", [True, False])
def test_rounded_weights_are_a_little_less(strata):
    rng = np.random.default_rng(0)
    weights = rng.choice(10.0 ** rng.uniform(-300, 300, 500), 3_000) * (rng.random(3_000) > 0.1)
    in_groups = Groups(stable_first(rng.integers(0, 5, 3_000)), 5)
    rows = RowPairs.rounded(stratify(weights, 1_000) if strata else weights, in_groups)
    group, weight = np.empty(3_000, int), np.empty(3_000)
    group[rows.order], weight[rows.order] = (
        np.repeat(each, rows.table.counts) for each in (rows.table.groups, rows.table.weights)
    )
    assert (group == in_groups.codes).all()
    assert ((weight <= weights) & (weight >= weights * (8 / 9))).all() and ((weight > 0) == (weights > 0)).all()


@pytest.mark.parametrize("sigma", [1.0, 200.0], ids=["quotients", "logarithms"])
def test_the_first_rows_of_groups_in_parts_are_those_of_the_whole(sigma):
    rng = np.random.default_rng(1)
    rows, count = 60_000, 30
    weights = np.clip(rng.lognormal(sigma=sigma, size=rows), 1e-300, 1e300)
    places = (rng.random(rows) ** 3 * count).astype(int)
    whole, parts = parts_of(weights, places, [0, 20_000, 20_001, 20_001, rows])
    sizes = rng.integers(0, 400, whole.count)
    sizes[0] = 0
    race = Race.of(*bounds_of(weights))
    limits = limits_of_groups(Steps.of(RowPairs.rounded(weights, whole).table, whole.count, race), sizes)
    found, every, start = [], [], 0
    for own, mine, numbers in parts:
        how = GroupRace(race, limits[numbers], sizes[numbers])
        first, times, codes = finishers_of_groups(own, mine, how, Streams(5), start=start)
        assert (np.bincount(codes, minlength=mine.count) <= sizes[numbers]).all()
        assert (np.diff(first.astype(int)) > 0).all()
        found.append((first + start, times, numbers[codes]))
        loose = GroupRace(race, limits[numbers], np.full(mine.count, rows))
        every.append(finishers_of_groups(own, mine, loose, Streams(5), start=start)[2])
        every[-1] = numbers[every[-1]]
        start += len(own)
    winners = winners_of_groups(found, sizes)
    expected = draw_groups(weights, whole, sizes, replace=False, seed=5)
    assert np.concatenate(winners).tolist() == np.sort(expected).tolist()
    finishing = np.bincount(np.concatenate(every), minlength=whole.count)
    more = sizes + 10 * np.sqrt(sizes) + 64
    assert finishing[0] == 0  # no partition sends rows of a group without draws
    wanted = (sizes > 0) & (more < whole.rows)
    assert wanted.any()
    assert (np.abs(finishing - more) < 0.15 * more + 6 * np.sqrt(more))[wanted].all()  # and a few more, as planned
    assert winners_of_groups(found, sizes + 100) is None  # of some group too few


def test_a_part_without_rows_has_no_winners():
    none = np.empty(0, np.uint32), np.empty(0), np.empty(0, np.int64)
    one = np.array([4], np.uint32), np.array([0.5]), np.array([1])
    found = winners_of_groups([none, one, none], np.array([0, 1]))
    assert [each.tolist() for each in found] == [[], [4], []]
    assert winners_of_groups([none, one], np.array([1, 1])) is None
    assert winners_of_groups([], np.array([], np.int64)) == []
