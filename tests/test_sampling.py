"""Strata, streams and their addresses: what a sample must not depend on, and the pinned positions."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tql_frames.sampling import StrataTable, Streams, draw, stratify, streams
from tql_frames.sampling.draw import distinct_ranks, integer_weights, race_rows
from tql_frames.sampling.strata import most_strata

GOLDEN = json.loads((Path(__file__).parent / "cases" / "golden.json").read_text())
FEW = np.array([1.0, 20.0, 8.0, 0.0, 5.0, 1.0, 1.0] * 10_000)
MANY = (np.arange(70_000) * 7919 % 69_997) / 8


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_golden_positions(case):
    weights = np.resize(np.array(case["cycle"]), case["rows"]) if "cycle" in case else np.arange(case["rows"]) / 8
    positions = draw(weights, case["size"], replace=case["replace"], seed=case["seed"])
    assert positions[: len(case["first"])].tolist() == case["first"]
    if "sha256" in case:
        assert sha256(positions.astype("<i8").tobytes()).hexdigest() == case["sha256"]


WEIGHTS = pytest.mark.parametrize("weights", [FEW, MANY], ids=["strata", "rows"])
REPLACE = pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])


@WEIGHTS
@REPLACE
def test_threads_and_blocks_change_nothing(weights, replace, monkeypatch):
    expected = draw(weights, 50_000, replace=replace, seed=3)
    monkeypatch.setattr(streams, "BLOCK", 1000)
    monkeypatch.setattr(streams.os, "cpu_count", lambda: 16)
    assert (draw(weights, 50_000, replace=replace, seed=3) == expected).all()
    monkeypatch.setattr(streams.os, "cpu_count", lambda: 1)
    assert (draw(weights, 50_000, replace=replace, seed=3) == expected).all()


@WEIGHTS
@REPLACE
def test_a_short_draw_is_the_start_of_a_long_one(weights, replace):
    long = draw(weights, 60_000, replace=replace, seed=8)
    for size in (1, 10, 1000, 40_000):
        assert (draw(weights, size, replace=replace, seed=8) == long[:size]).all()


@WEIGHTS
@REPLACE
@pytest.mark.parametrize("factor", [2.0**-40, 2.0**9])
def test_a_power_of_two_on_all_weights_changes_nothing(weights, replace, factor):
    drawn = draw(weights, 1000, replace=replace, seed=8)
    assert (draw(weights * factor, 1000, replace=replace, seed=8) == drawn).all()


@REPLACE
def test_seeds_give_different_samples(replace):
    samples = {tuple(draw(FEW, 20, replace=replace, seed=seed)) for seed in (0, 1, 2, 2**32, 2**64 + 1, 10**40)}
    assert len(samples) == 6


def test_the_global_generator_is_left_alone():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    draw(FEW, 10, replace=True, seed=1)
    streams.fresh_seed()
    assert (np.random.get_state()[1] == before).all()


def test_fresh_seeds_differ():
    assert len({streams.fresh_seed() for _ in range(100)}) == 100


def test_streams_are_addressed():
    source = Streams(5)
    whole = source.uniforms(2, 200_000)
    for start in (0, 1, 65_535, 65_536, 199_000):
        assert (source.uniforms(2, 500, start) == whole[start : start + 500]).all()
    assert not np.isin(source.uniforms(3, 1000), whole).any()
    assert ((whole >= 0) & (whole < 1)).all()


LEVELS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 1e300])


@given(arrays(np.float64, st.integers(1, 200), elements=LEVELS), st.integers(0, 200))
def test_tables_add_up(weights, cut):
    whole, parts = StrataTable.of(weights), [part for part in (weights[:cut], weights[cut:]) if len(part)]
    total = StrataTable.of(parts[0])
    for part in parts[1:]:
        total = total + StrataTable.of(part)
    assert (total.weights == whole.weights).all()
    assert (total.counts == whole.counts).all()
    assert whole.counts.sum() == len(weights)
    assert whole.drawable == np.count_nonzero(weights)


@given(arrays(np.float64, st.integers(1, 300), elements=st.sampled_from([0.0, 0.1, 0.2, 0.1 + 0.2, 0.3, 7.0])))
def test_strata_hold_every_row_once(weights):
    strata = stratify(weights)
    assert (strata.table.weights[strata.codes] == weights).all()
    positions = strata.resolve(np.arange(len(weights)))
    assert sorted(positions.tolist()) == list(range(len(weights)))
    assert (np.diff(weights[positions]) >= 0).all()
    ties = np.diff(weights[positions]) == 0
    assert (np.diff(positions)[ties] > 0).all()  # ranks follow the order of the table


def test_where_strata_end():
    assert [most_strata(rows) for rows in (1, 1000, 6400, 65_536, 10**9)] == [16, 16, 100, 1024, 1024]
    assert stratify(np.arange(16.0)) is not None
    assert stratify(np.arange(17.0)) is None
    assert stratify(np.arange(200_000.0) % 1024) is not None
    assert stratify(np.arange(200_000.0) % 1025) is None


def test_integer_weights_bounds_and_precision():
    for weights in (np.array([1.0]), np.array([0.0, 1e-300]), np.linspace(1, 2, 1001), np.array([1e308, 1.0, 0.0])):
        shares = integer_weights(weights)
        total = int(shares.sum())
        assert 2**60 < total < 2**62
        exact = weights / weights.max() * float(shares.max())
        assert (np.abs(shares - exact) <= 1 + exact * 1e-15).all()
    counts = np.array([10**12, 1])
    shares = integer_weights(np.array([1.0, 1e6]), counts)
    assert int(shares[0]) * 10**12 + int(shares[1]) < 2**62
    assert shares[1] / shares[0] == pytest.approx(1e6, rel=1e-5)


def test_integer_weights_do_not_depend_on_the_order_of_rows():
    weights = np.random.default_rng(1).random(100_001)
    shuffled = np.random.default_rng(2).permutation(len(weights))
    assert (integer_weights(weights)[shuffled] == integer_weights(weights[shuffled])).all()


def test_integer_weights_at_the_edge_of_a_scale():
    """Sums that rounding could put on either side of the edge are summed exactly."""
    edge = 0.7071067811
    weights = np.full(1000, edge / 1024)
    weights[-1] = edge * (1024 - 999) / 1024
    for order in (slice(None), slice(None, None, -1)):
        assert (integer_weights(weights[order]) == integer_weights(weights)[order]).all()


RANKS = [(1, 1), (2, 1), (2, 2), (5, 0), (7, 4), (1000, 499), (1000, 501), (10**9, 50)]


@pytest.mark.parametrize(("count", "size"), RANKS)
def test_distinct_ranks(count, size):
    source = Streams(3)
    ranks = distinct_ranks(count, size, lambda number, start: source.uniforms(9, number, start))
    assert len(ranks) == len(set(ranks.tolist())) == size
    assert size == 0 or (ranks.min() >= 0 and ranks.max() < count)


def test_race_rows_with_nothing_to_draw():
    assert race_rows(np.zeros(5), 3, Streams(1)).tolist() == []
