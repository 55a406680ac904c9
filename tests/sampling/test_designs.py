"""Systematic and Poisson samples have the inclusion that they promise, exactly; sizes are what they must be."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from tests.sizes import FULL, size
from tests.statistics import p_of_counts, p_of_outcomes
from tql_frames.sampling import Groups, designs, stratify
from tql_frames.sampling.designs import _quotients, _WeightLines, inclusion, poisson, systematic
from tql_frames.sampling.rng import BLOCK
from tql_frames.sampling.strata import weights_of

ALPHA = 1e-3
SAMPLES, TILT = size(4_000, 20_000), 1.15 if FULL else 1.25
FEW = size(2_000, SAMPLES)  # where half of them reject the tilt with p < 1e-5, or there is none
POPULATIONS = [
    [1.0],
    [1.0, 1.0],
    [1.0, 2.0, 3.0],
    [5.0, 0.0, 1.0, 1.0],
    [0.1, 0.2, 0.3, 0.4, 0.5],
    [1.0, 9.0, 1.0, 20.0, 1.0, 0.0],
    [3.0, 3.0, 3.0, 1.0, 1.0, 1.0],
]


def expectations(weights, wanted):
    """Expected draws of each row without replacement: capped at 1, the rest rescaled, as an exact fraction."""
    exact = [Fraction(weight) for weight in weights]
    certain: set[int] = set()
    while True:
        left, total = wanted - len(certain), sum(w for row, w in enumerate(exact) if row not in certain)
        new = {row for row, w in enumerate(exact) if row not in certain and w and left * w >= total}
        if not new or left == 0:
            return [
                Fraction(1) if row in certain else (left * w / total if total else Fraction(0))
                for row, w in enumerate(exact)
            ]
        certain |= new


def rows_of(weights, *, strata):
    return stratify(np.array(weights)) if strata else np.array(weights)


def one_group(rows):
    return Groups(np.zeros(rows, np.uint32), 1)


def counts_over(lines, rows, steps):
    """How often each row comes, for starts at equal distances."""
    starts = (np.arange(steps) + 0.5) / steps
    return np.array([np.bincount(lines.drawn(np.array([start])), minlength=rows) for start in starts])


@pytest.mark.parametrize("strata", [True, False], ids=["strata", "rows"])
@pytest.mark.parametrize("weights", POPULATIONS, ids=str)
def test_systematic_with_replacement_over_all_starts(weights, strata):
    steps = size(211, 2_003)  # starts at equal distances: means over them are right to a step
    for wanted in range(1, 2 * len(weights) + 2, size(3, 1)):
        lines = _WeightLines.of(
            rows_of(weights, strata=strata), one_group(len(weights)), np.array([wanted]), replace=True
        )
        counts = counts_over(lines, len(weights), steps)
        promised = np.array([wanted * w / sum(weights) for w in weights])
        exact = [wanted * Fraction(w) / sum(map(Fraction, weights)) for w in weights]
        assert np.abs(counts.mean(axis=0) - promised).max() <= 1.01 / steps
        assert (counts.sum(axis=1) == wanted).all()
        for row, fraction in enumerate(exact):
            whole = int(fraction)
            near = min(abs(fraction - round(fraction)), 1) < Fraction(1, 2**50)  # a weight is rounded to 2**-61 of all
            allowed = {round(fraction)} if near else {whole, whole + 1}
            assert set(counts[:, row].tolist()) <= allowed


@pytest.mark.parametrize("strata", [True, False], ids=["strata", "rows"])
@pytest.mark.parametrize("weights", POPULATIONS, ids=str)
def test_without_replacement_inclusion_is_proportional_capped_and_rescaled(weights, strata):
    steps = size(211, 2_003)
    for wanted in range(1, sum(w > 0 for w in weights) + 1):
        rows, groups, sizes = rows_of(weights, strata=strata), one_group(len(weights)), np.array([wanted])
        promised = [float(each) for each in expectations(weights, wanted)]
        assert np.allclose(inclusion(rows, groups, sizes), promised, rtol=1e-12, atol=1e-15)
        lines = _WeightLines.of(rows, groups, sizes, replace=False)
        counts = counts_over(lines, len(weights), steps)
        assert np.abs(counts.mean(axis=0) - promised).max() <= 1.01 / steps
        assert counts.max() <= 1
        assert (counts.sum(axis=1) == wanted).all()


@pytest.mark.parametrize("weights", POPULATIONS[2:], ids=str)
def test_poisson_takes_each_row_by_itself(weights):
    def p_of(chances):
        law = {}
        for taken in product([False, True], repeat=len(weights)):
            chance = float(np.prod([p if each else 1 - p for p, each in zip(chances, taken, strict=True)]))
            if chance > 0:
                law[tuple(np.flatnonzero(taken).tolist())] = chance
        return p_of_outcomes(outcomes, law)

    sizes = np.array([2])
    chances = [float(each) for each in expectations(weights, 2)]
    outcomes = [tuple(poisson(np.array(weights), None, sizes, seed=seed).tolist()) for seed in range(FEW)]
    assert p_of(chances) > ALPHA
    place = int(np.argmin(np.abs(np.array(chances) - 0.4)))
    tilted = [p * TILT if row == place else p for row, p in enumerate(chances)]
    if chances[place] > 0.3 and tilted[place] < 1:
        assert p_of(tilted) < ALPHA


def test_starts_of_seeds_are_uniform_and_a_tilt_is_rejected():
    weights = np.array([1.0, 2.0, 3.0, 1.0])
    counts = np.zeros(4)
    for seed in range(SAMPLES):
        counts += np.bincount(systematic(weights, None, np.array([1]), replace=True, seed=seed), minlength=4)
    law = weights / weights.sum()
    assert p_of_counts(counts.astype(int), law) > ALPHA
    tilted = law * [TILT, 1, 1, 1]
    assert p_of_counts(counts.astype(int), tilted / tilted.sum()) < ALPHA


def test_groups_have_lines_and_starts_of_their_own():
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.arange(30), rng.integers(0, 30, 6_000)]).astype(np.uint32)
    groups = Groups(codes, 30)
    for weights in (rng.random(len(codes)), rng.choice([0.0, 1.0, 50.0], len(codes))):
        sizes = rng.integers(0, 40, 30)
        for replace in (True, False):
            drawn = systematic(weights, groups, sizes, replace=replace, seed=1)
            assert (np.bincount(codes[drawn], minlength=30) == sizes).all()
            assert (np.diff(drawn.astype(int)) >= 0).all()  # in table order
            for group in range(30):
                own = np.flatnonzero(codes == group)
                expected = sizes[group] * weights[own] / weights[own].sum()
                counts = np.bincount(drawn, minlength=len(codes))[own]
                if replace:
                    assert (np.abs(counts - expected) < 1 + 1e-9).all()
                else:
                    chances = inclusion(weights[own], None, sizes[group : group + 1])
                    assert np.allclose(inclusion(weights, groups, sizes)[own], chances, rtol=1e-9, atol=1e-15)
                    assert (counts[chances >= 1] == 1).all()
                    assert (counts[chances == 0] == 0).all()
    pairs, each = Groups(np.array([0, 0, 1, 1], np.uint32), 2), np.array([1, 1])
    firsts = [systematic(np.ones(4), pairs, each, replace=True, seed=n) for n in range(FEW)]
    table = np.bincount([2 * int(a) + int(b) - 2 for a, b in firsts], minlength=4)
    assert p_of_counts(table, [0.25] * 4) > ALPHA  # a common start would leave two of the four


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_weights_of_any_scale_and_heavy_rows(scale):
    weights = np.array([1e-18, 2e-18, 1.0, 3e-18, 4e-18]) * scale
    drawn = np.zeros(5)
    for seed in range(size(700, SAMPLES)):
        found = systematic(weights, None, np.array([2]), replace=False, seed=seed)
        assert len(found) == 2
        assert 2 in found
        drawn[found] += 1
    assert p_of_counts(drawn[[0, 1, 3, 4]].astype(int), [0.1, 0.2, 0.3, 0.4]) > ALPHA


def test_the_quotient_is_exact():
    rng = np.random.default_rng(3)
    for _ in range(2_000):
        total = int(rng.integers(2**60, int(2**62 * 0.7071)))
        number = int(rng.integers(1, 2**40))
        places = zip(rng.integers(0, number + 1, 6).tolist(), [-1, 0, 1, 2, -2, 5], strict=True)
        near = [place * total // number + step for place, step in places]
        x = np.array([min(max(each, 0), total) for each in [*near, 0, total]])
        shift = int(rng.integers(0, total))
        found = _quotients(x, *(np.array([each]) for each in (number, total, shift)))
        assert found.tolist() == [(int(each) * number + shift) // total for each in x]


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("rows", [5, 1_000, BLOCK, BLOCK + 1, 2 * BLOCK + 77])
def test_points_are_the_same_rows_whether_sought_or_counted(rows, replace, monkeypatch):
    rng = np.random.default_rng(rows)
    heavy = rng.choice([0.0, 1.0, 7.0, 1e5], rows, p=[0.2, 0.4, 0.39, 0.01])
    heavy[-1] = 1.0
    for population in (heavy, stratify(heavy), rng.lognormal(sigma=5, size=rows), np.eye(1, rows, rows // 2)[0]):
        for wanted in {1, 2, rows // 10, rows // 4, rows // 2}:
            if wanted > np.count_nonzero(weights_of(population)):
                continue
            lines = _WeightLines.of(population, one_group(rows), np.array([wanted]), replace=replace)
            start = rng.random(1)
            sought = lines.drawn(start)
            with monkeypatch.context() as patched:
                patched.setattr(designs, "_MOST_SEARCHED", -1)
                counted = lines.drawn(start)
            assert len(sought) == wanted
            assert (sought == counted).all()


def test_sizes_of_all_rows_and_of_none():
    weights = np.random.default_rng(1).lognormal(sigma=6, size=2_000)
    every = systematic(weights, None, np.array([2_000]), replace=False, seed=1)
    assert every.tolist() == list(range(2_000))
    most = systematic(weights, None, np.array([1_999]), replace=False, seed=1)
    assert len(set(most.tolist())) == 1_999
    for replace in (True, False):
        assert systematic(weights, None, np.array([0]), replace=replace, seed=1).tolist() == []
    assert poisson(weights, None, np.array([0]), seed=1).tolist() == []
    assert poisson(weights, None, np.array([2_000]), seed=1).tolist() == list(range(2_000))
