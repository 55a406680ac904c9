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

from tests.sizes import FULL
from tests.sizes import size as number_of
from tests.statistics import p_of_counts
from tql_frames.sampling import StrataTable, Streams, draw, strata, strata_of_codes, stratify
from tql_frames.sampling import rng as blocks
from tql_frames.sampling import rng as streams
from tql_frames.sampling import with_replacement as line
from tql_frames.sampling import without_replacement as distinct
from tql_frames.sampling.strata import most_strata
from tql_frames.sampling.with_replacement import integer_weights
from tql_frames.sampling.without_replacement import race_rows

GOLDEN = json.loads((Path(__file__).parents[1] / "cases" / "golden.json").read_text())
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
    for module in (blocks, distinct, line, strata, streams):
        monkeypatch.setattr(module, "BLOCK", 1000)
    monkeypatch.setattr(blocks.os, "cpu_count", lambda: 16)
    assert (draw(weights, 50_000, replace=replace, seed=3) == expected).all()
    monkeypatch.setattr(blocks.os, "cpu_count", lambda: 1)
    assert (draw(weights, 50_000, replace=replace, seed=3) == expected).all()


@WEIGHTS
@REPLACE
@pytest.mark.parametrize("block", [1000, 4096, None])
@pytest.mark.parametrize("size", [0, 1, 300, 1100, 50_000, 200_000])
def test_table_order_is_the_same_sample(weights, replace, block, size, monkeypatch):
    for module in (blocks, distinct, line, strata) if block else ():
        monkeypatch.setattr(module, "BLOCK", block)
    for processors in (1, 2, 16):
        monkeypatch.setattr(blocks.os, "cpu_count", lambda processors=processors: processors)
        drawn = draw(weights, size, replace=replace, seed=3)
        found = draw(weights, size, replace=replace, seed=3, in_table_order=True)
        assert found.dtype == drawn.dtype
        assert (found == np.sort(drawn)).all()


@pytest.mark.parametrize("number", [1, 2, 16, 17, 300])  # of strata: by comparison, sorted, in two bytes
@pytest.mark.parametrize("compared", [1, 63, 16_384])  # rows for each stratum: blocks are compared with each, or sorted
@pytest.mark.parametrize("sparse", [0, 16, 10**9])  # few rows are found by words, by either, by lists
def test_every_way_finds_the_rows_of_slots(number, compared, sparse, monkeypatch):
    monkeypatch.setattr(strata, "_COMPARED", compared)
    monkeypatch.setattr(strata, "_SPARSE", sparse)
    for module in (blocks, strata):
        monkeypatch.setattr(module, "BLOCK", 1_000)
    generator = np.random.default_rng(number)
    for rows in (1, 63, 64, 65, 999, 1_000, 1_001, 7_000):
        codes = generator.choice(number, rows, p=generator.dirichlet(np.ones(number))).astype(np.uint16)
        found = strata_of_codes(codes, np.arange(number) + 1.0, most=number)
        by_slot = np.argsort(codes, kind="stable")
        assert (found.by_slot() == by_slot).all()
        for size in {0, 1, rows // 65, rows, 3 * rows}:
            slots = generator.integers(0, rows, size).astype(np.uint32)
            assert (found.resolve(slots) == by_slot[slots]).all()
            assert (found.in_table_order(np.sort(slots)) == np.sort(by_slot[slots])).all()


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
    found = stratify(weights)
    assert (found.table.weights[found.codes] == weights).all()
    positions = found.resolve(np.arange(len(weights)))
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


def test_race_rows_with_nothing_to_draw():
    assert race_rows(np.zeros(5), 3, Streams(1)).tolist() == []


# --- the fast ways find what the plain ones find ---------------------------------------------------------------------

SKEWED = {
    "even": np.linspace(1, 2, 20_011),
    "a long tail": np.exp(np.linspace(0, 60, 20_011)),  # most rows share one part of the guide
    "zeros between": np.where(np.arange(20_011) % 7 == 0, 0.0, 1.0 + np.arange(20_011)),
    "one giant": np.append(np.full(20_010, 1e-12) * np.arange(1, 20_011), 1e9),
    "beyond the range of quotients": np.exp2(np.linspace(-1000, 1000, 20_011)),
}


@pytest.mark.parametrize("weights", SKEWED.values(), ids=SKEWED)
def test_a_guide_finds_the_rows_of_binary_search(weights, monkeypatch):
    guided = line.draw_rows(weights, 30_000, Streams(6))
    assert line.cumulative_weights_of_rows(weights, 30_000).guide_table is not None
    monkeypatch.setattr(line, "_FEW_DRAWS", 10**9)
    assert line.cumulative_weights_of_rows(weights, 30_000).guide_table is None
    assert (line.draw_rows(weights, 30_000, Streams(6)) == guided).all()


@pytest.mark.parametrize("levels", [1, 2, 5, 300, 1024])
def test_a_guide_finds_the_strata_of_binary_search(levels, monkeypatch):
    numbers = np.arange(levels)
    table = StrataTable(np.exp2(-(numbers[::-1] % 50)) + numbers * 1e-9, 1 + numbers * 7919 % 1000)
    drawn = line.draw_strata(table, 100_000, Streams(6))
    monkeypatch.setattr(line, "_BY_COMPARISON", 0)
    assert line.cumulative_weights_of_strata(table, 100_000).guide_table is not None
    assert (line.draw_strata(table, 100_000, Streams(6)) == drawn).all()
    monkeypatch.setattr(line, "_FEW_DRAWS", 10**9)
    assert line.cumulative_weights_of_strata(table, 100_000).guide_table is None
    assert (line.draw_strata(table, 100_000, Streams(6)) == drawn).all()


def test_a_guide_points_at_the_owner_of_a_part_or_before_it():
    """On a line of several blocks of rows, whose ends meet in one part."""
    weights = np.random.default_rng(1).exponential(size=3 * blocks.BLOCK + 17)
    weights[blocks.BLOCK - 500 : blocks.BLOCK + 500] = 1e-9
    found = line.cumulative_weights_of_rows(weights, len(weights))
    first_points = np.arange(len(found.guide_table)) / len(found.guide_table) * found.bounds[-1]
    owners = np.searchsorted(found.bounds, first_points, side="right")
    assert (found.guide_table <= owners).all()
    assert np.mean(found.guide_table == owners) > 0.99


@pytest.mark.parametrize("weights", SKEWED.values(), ids=SKEWED)
@pytest.mark.parametrize("size", [1, 200, 10_000, 20_011])
def test_a_race_cut_short_has_the_winners_of_the_whole(weights, size, monkeypatch):
    short = race_rows(weights, size, Streams(4))
    with monkeypatch.context() as changed:
        guess = distinct._time_of
        changed.setattr(distinct, "_time_of", lambda *arguments: guess(*arguments) / 50)  # too short, then longer
        assert (race_rows(weights, size, Streams(4)) == short).all()
    monkeypatch.setattr(distinct, "_FEW_TIMES", 10**9)
    assert (race_rows(weights, size, Streams(4)) == short).all()


TABLES = {
    "weights apart": StrataTable(np.array([0.0, 1e-3, 1.0, 7.0, 1e6]), np.array([5, 30_000, 70_000, 10_000, 1])),
    "one stratum": StrataTable(np.array([2.0]), np.array([110_001])),
    "many strata": StrataTable(np.exp2(np.arange(300) / 10), 1 + np.arange(300) * 7919 % 733),
    "beyond the integers": StrataTable(np.array([1e-300, 1.0, 1e308]), np.array([60_000, 50_000, 1])),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("size", [1, 3000, 60_000, 110_001])
def test_how_repeats_are_found_changes_nothing(table, size, monkeypatch):
    monkeypatch.setattr(distinct, "_STEEP", 10**9)  # else some of the tables are drawn by a race
    expected = distinct.distinct_strata(table, size, Streams(4))
    assert len(np.unique(expected)) == len(expected) == min(size, table.drawable)
    ways = [("_DENSE", 0), ("_DENSE", 10**9), ("_FEW_DRAWS", 1000), ("_PLACES", 500), ("BLOCK", 700)]
    turn = [each is table for each in TABLES.values()].index(True) + size % 4  # in `make test` every second, in turn
    for name, value in ways if FULL else ways[turn % 2 :: 2]:
        with monkeypatch.context() as changed:
            changed.setattr(distinct, name, value)
            changed.setattr(distinct, "cores", lambda: 3)
            assert (distinct.distinct_strata(table, size, Streams(4)) == expected).all(), name


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("size", [0, 1, 8_000, 40_000, 60_000, 110_001])
def test_ascending_slots_are_those_of_a_draw_in_order(table, size, monkeypatch):
    """In phases that are drawn in batches, at once, and at once after a guess of too many draws; and by a race."""
    expected = np.sort(distinct.distinct_strata(table, size, Streams(4)))
    assert (distinct.distinct_strata_ascending(table, size, Streams(4)) == expected).all()
    monkeypatch.setattr(distinct, "_STEEP", 10**9)
    expected = np.sort(distinct.distinct_strata(table, size, Streams(4)))
    monkeypatch.setattr(distinct, "_FEW_DRAWS", 500)
    monkeypatch.setattr(distinct, "BLOCK", 700)
    for sigmas in (6.0, -0.3):
        monkeypatch.setattr(distinct, "_SIGMAS", sigmas)
        assert (distinct.distinct_strata_ascending(table, size, Streams(4)) == expected).all()


def test_lists_of_slots_are_merged():
    numbers = np.random.default_rng(1).permutation(3_000).astype(np.uint32)
    for cut in (0, 1, 40, 1_500, 3_000):
        some, others = np.sort(numbers[:cut]), np.sort(numbers[cut:])
        for each in (distinct._merged(some, others), distinct._merged(others, some)):
            assert each.tolist() == list(range(3_000)) and each.dtype == np.uint32


def test_every_row_is_drawn_in_the_end_and_only_once():
    for table in TABLES.values():
        slots = distinct.distinct_strata(table, 10**9, Streams(1))
        assert np.sort(slots).tolist() == list(range(table.rows - table.drawable, table.rows))  # weight 0 comes first


@pytest.mark.parametrize("levels", [1, 5, 300])
def test_few_slots_resolve_as_many_do(levels):
    weights = (np.arange(200_000) * 7919 % levels + 1).astype(float)
    found = stratify(weights)
    by_slot = np.argsort(weights, kind="stable")
    slots = np.random.default_rng(1).integers(0, len(weights), 60_000)
    assert (found.resolve(slots) == by_slot[slots]).all()
    assert (found.resolve(slots[:2000]) == by_slot[slots[:2000]]).all()
    assert (found.resolve(slots[:1].astype(np.uint32)) == by_slot[slots[:1]]).all()
    assert found.resolve(slots[:0]).tolist() == []


@pytest.mark.parametrize("rows", [262_144, 262_145, 266_240, 300_001, 528_384])  # a last block, a last part of it
@pytest.mark.parametrize("ordered", [False, True])
def test_a_few_slots_are_found_in_the_parts_of_their_blocks(rows, ordered):
    generator = np.random.default_rng(rows)
    codes = generator.choice(5, rows, p=[0.6, 0.3, 0.0999, 0.0001, 0.0]).astype(np.uint8)
    if ordered:
        codes.sort()
    levels = np.array([1.0, 4.0, 2.0, 1.0, 9.0])  # two numbers of one weight, and one of no row
    by_weight = np.argsort(levels[codes], kind="stable")
    for found in (strata_of_codes(codes, levels), stratify(levels[codes])):
        assert found.table.counts.sum() == rows and (found.by_slot() == by_weight).all()
        slots = np.append(generator.integers(0, rows, 50), [0, rows - 1]).astype(np.uint32)
        assert (found.resolve(slots) == by_weight[slots]).all()
        assert (found.in_table_order(np.sort(slots)) == np.sort(by_weight[slots])).all()
        if found.cells.shape[1] > -(-rows // blocks.BLOCK):
            assert (found._in_parts(slots) == by_weight[slots]).all()
            assert (found.cells.sum(axis=1) == found.table.counts).all()
        else:
            assert rows == blocks.BLOCK


@given(
    arrays(np.uint8, st.integers(0, 300), elements=st.integers(0, 5)), st.permutations([0.0, 1.0, 2.0, 1.0, 0.5, 8.0])
)
def test_numbered_weights_make_the_strata_of_the_weights(numbers, levels):
    levels = np.array(levels)
    expected = stratify(levels[numbers]) if len(numbers) else None
    found = strata_of_codes(numbers, levels)
    if expected is None:
        assert found.rows == 0
        return
    assert (found.table.weights == expected.table.weights).all()
    assert (found.table.counts == expected.table.counts).all()
    assert (found.codes == expected.codes).all()
    assert (found.cells == expected.cells).all()


def test_too_many_numbered_weights_make_no_strata():
    numbers = np.arange(17, dtype=np.uint8)
    assert strata_of_codes(numbers, np.arange(17.0)) is None
    assert strata_of_codes(numbers, np.arange(17.0) // 2) is not None


@pytest.mark.parametrize("values", [np.repeat(np.arange(1, 11.0), 20_000), np.arange(200_000) // 300 * 1.0])
def test_weights_that_first_come_in_later_blocks(values):
    for weights in (values, values[::-1]):
        found = stratify(weights)
        assert (found.table.weights[found.codes] == weights).all()


# --- beyond 2**24 rows, and 2**32 rows and draws ---------------------------------------------------------------------


def test_more_than_2_to_the_32_rows():
    table = StrataTable(np.array([1.0, 3.0]), np.array([3 * 2**33, 2**33]))  # as likely as each other
    draws = number_of(200_000, 1_000_000)
    slots = line.draw_strata(table, draws, Streams(2))
    assert slots.dtype == np.int64
    assert (slots >= 0).all() and (slots < 2**35).all()
    bounds = [0, 2**32, 2**33, 3 * 2**33, 3 * 2**33 + 2**32, 2**35]
    expected = [1 / 12, 1 / 12, 1 / 3, 1 / 4, 1 / 4]
    assert p_of_counts(np.histogram(slots, bounds)[0], expected) > 1e-3
    assert p_of_counts(np.bincount(slots % 64, minlength=64), [1 / 64] * 64) > 1e-3  # the low bits, too

    once = distinct.distinct_strata(table, draws, Streams(2))
    assert len(np.unique(once)) == draws
    assert once.max() < 2**35
    assert p_of_counts(np.histogram(once, bounds)[0], expected) > 1e-3
    assert p_of_counts(np.bincount(once % 64, minlength=64), [1 / 64] * 64) > 1e-3


def test_draws_beyond_number_2_to_the_32():
    table = StrataTable(np.array([1.0, 20.0]), np.array([1000, 10]))
    far = line.draw_strata(table, 200_000, Streams(3), start=2**33)
    assert (line.draw_strata(table, 1000, Streams(3), start=2**33 + 150_000) == far[150_000:151_000]).all()
    assert not (far[:1000] == line.draw_strata(table, 1000, Streams(3))).all()
    expected = [1 / 1200] * 1000 + [20 / 1200] * 10
    assert p_of_counts(np.bincount(far, minlength=1010), expected) > 1e-3


def test_more_than_2_to_the_24_rows():
    rows = 2**24 + 2**20
    weights = np.ones(rows)
    weights[-(2**20) :] = 16.0  # as likely as all before
    drawn = draw(weights, 1_000_000, replace=True, seed=1)
    assert drawn.dtype == np.uint32
    behind = drawn >= 2**24
    assert p_of_counts([np.count_nonzero(~behind), np.count_nonzero(behind)], [0.5, 0.5]) > 1e-3
    assert p_of_counts(np.bincount((drawn[behind] - 2**24) >> 14, minlength=64), [1 / 64] * 64) > 1e-3
