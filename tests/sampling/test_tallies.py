"""Tallies of slots: they are those of the lists, and partitions find the same rows by them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.partitions import cut, drawn, positions
from tests.sizes import size as scaled
from tql_frames.distributed.assignment import SlotFlags, SlotTimes
from tql_frames.sampling import StrataTable, Streams, draw, tallies
from tql_frames.sampling import without_replacement as distinct
from tql_frames.sampling.tallies import Tally
from tql_frames.sampling.with_replacement import draw_strata

TABLES = {
    "weights apart": StrataTable(np.array([0.0, 1e-3, 1.0, 7.0, 1e6]), np.array([5, 300_000, 700_000, 100_000, 1])),
    "one stratum": StrataTable(np.array([2.0]), np.array([1_100_001])),
    "many strata": StrataTable(np.exp2(np.arange(300) / 10), 1 + np.arange(300) * 7919 % 7331),
    "beyond the integers": StrataTable(np.array([1e-300, 1.0, 1e308]), np.array([60_000, 50_000, 1])),
}


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    monkeypatch.setattr(tallies, "_AT_ONCE", 300_000)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("size", [0, 1, 80_000, 700_000, 1_000_003])
def test_a_tally_counts_the_slots_of_a_draw(table, size):
    expected = np.bincount(draw_strata(table, size, Streams(5)), minlength=table.rows)
    assert (Tally.of_strata(table, size, Streams(5)).numbers() == expected).all()


def test_a_slot_may_be_drawn_more_often_than_a_byte_counts():
    table = StrataTable(np.array([1.0, 1e5, 1e6]), np.array([1_000, 7, 1]))
    tally = Tally.of_strata(table, 900_000, Streams(5))
    assert tally.heavy.tolist() == list(range(1_000, 1_008))
    assert tally.numbers().max() > 65_536
    assert (tally.numbers() == np.bincount(draw_strata(table, 900_000, Streams(5)), minlength=table.rows)).all()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("size", [0, 1, 80_000, 700_000, 1_100_001])
@pytest.mark.parametrize("few", [65_536, 500])
def test_a_tally_flags_the_slots_of_a_draw_without_replacement(table, size, few, monkeypatch):
    monkeypatch.setattr(distinct, "_STEEP", 10**9)
    monkeypatch.setattr(distinct, "_FEW_DRAWS", few)
    expected = np.zeros(table.rows, np.int64)
    expected[distinct.distinct_strata(table, size, Streams(5))] = 1
    found = Tally.of_distinct_strata(table, size, Streams(5))
    assert found is not None and (found.numbers() == expected).all()


def test_steep_weights_have_no_tally():
    table = StrataTable(np.exp2(np.arange(-300.0, 300.0)), np.ones(600, np.int64))
    assert Tally.of_distinct_strata(table, 100, Streams(1)) is None


@pytest.mark.parametrize(
    ("size", "rows", "suits"), [(2**27, 2**27, False), (2**27 + 1, 2**29, True), (2**28, 2**31, False)]
)
def test_what_takes_less_memory_is_taken(size, rows, suits):
    assert tallies.suits(StrataTable(np.array([1.0]), np.array([rows])), size) is suits


@settings(max_examples=scaled(30, 300), deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1.0, 3.0, 2_000.0]), min_size=1, max_size=90).filter(any),
    st.lists(st.integers(0, 90), max_size=5),
    st.booleans(),
    st.integers(0, 2**70),
)
def test_partitions_find_the_rows_of_the_whole(weights, bounds, replace, seed):
    frame = pl.DataFrame({"w": weights})
    limit = 400 * len(weights) if replace else sum(each > 0 for each in weights) // 2
    expected = np.sort(draw(frame["w"].to_numpy(), limit, replace=replace, seed=seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallies, "MOST_LISTED", -1)
        patch.setattr(tallies, "_SPARSE", 10**9)
        parts = cut(frame, bounds)
        shares = drawn(parts, "w", limit, replace=replace, seed=seed)[1].shares
        assert not limit or all(isinstance(share.drawn, SlotTimes if replace else SlotFlags) for share in shares)
        assert positions(parts, "w", limit, replace=replace, seed=seed) == expected.tolist()
