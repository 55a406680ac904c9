"""Draws without replacement by steep weights, such as halving ones: a race of slots that gives the same law."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.partitions import cut, positions
from tests.sizes import size
from tests.statistics import ordered_outcomes, p_of_counts, p_of_outcomes
from tql_frames.sampling import StrataTable, Streams, draw, strata, stratify
from tql_frames.sampling import rng as blocks
from tql_frames.sampling import rng as streams
from tql_frames.sampling import with_replacement as line
from tql_frames.sampling import without_replacement as distinct

STEEP = {
    "halving": 0.5 ** np.random.default_rng(1).integers(0, 1000, 70_000),
    "half a life of a day": 0.5 ** (np.arange(80_000) % 731.0),
    "half a life of a week": 0.5 ** ((np.arange(80_000) * 7919 % 731) / 7),
    "zeros, too": np.where(np.arange(70_000) % 5 == 0, 0.0, 0.25 ** (np.arange(70_000) % 60)),
    "four scales": 10.0 ** (np.arange(40_000) % 4 * 100 - 200),
}
FLAT = {
    "equal": np.ones(70_000),
    "20 to 1": np.where(np.arange(70_000) % 100 == 0, 20.0, 1.0),
    "1 to 1000": 1.0 + np.arange(70_000) % 1000,
    "half a life of a quarter": 0.5 ** ((np.arange(80_000) % 731) / 90),
}
WEIGHTS = pytest.mark.parametrize("weights", STEEP.values(), ids=STEEP)


def races(table: StrataTable, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a draw by a table is a race."""
    asked = []

    def noted(table: StrataTable, size: int, streams: Streams) -> np.ndarray:
        asked.append(size)
        return np.empty(size, np.uint32)

    with monkeypatch.context() as changed:
        changed.setattr(distinct, "race_slots", noted)
        distinct.distinct_strata(table, 10, Streams(1))
    return bool(asked)


@pytest.mark.fault("C2")
@pytest.mark.parametrize("factor", [1.0, 2.0**-20, 2.0**20])
def test_steep_weights_and_no_others_are_drawn_by_a_race(factor, monkeypatch):
    for name, weights in STEEP.items():
        assert races(stratify(weights * factor).table, monkeypatch), name
    for name, weights in FLAT.items():
        assert not races(stratify(weights * factor).table, monkeypatch), name
        table = stratify(weights).table
        many = StrataTable(table.weights, table.counts * 10**6)
        assert not races(many, monkeypatch), name  # rows alone make no weights steep


@pytest.mark.fault("C2")
def test_steep_weights_are_drawn_in_few_passes(monkeypatch):
    """A draw of all rows laid a thousand lines of strata, one for each halving of the weight left."""
    lines = []
    lay = line.cumulative_weights_of_strata
    monkeypatch.setattr(line, "cumulative_weights_of_strata", lambda *arguments: (lines.append(1), lay(*arguments))[1])
    assert len(draw(STEEP["halving"], 70_000, replace=False, seed=1)) == 70_000
    assert len(lines) < 50


@WEIGHTS
def test_every_row_of_positive_weight_is_drawn_once(weights):
    drawn = draw(weights, len(weights), replace=False, seed=3)
    assert np.sort(drawn).tolist() == np.flatnonzero(weights).tolist()


@WEIGHTS
def test_a_short_draw_is_the_start_of_a_long_one_whatever_threads_and_blocks(weights, monkeypatch):
    whole = draw(weights, len(weights), replace=False, seed=4)
    assert draw(weights, 0, replace=False, seed=4).tolist() == []
    for limit in size((10, 30_000), (1, 10, 3000, 30_000)):
        assert (draw(weights, limit, replace=False, seed=4) == whole[:limit]).all()
    for module in (blocks, distinct, line, strata, streams):
        monkeypatch.setattr(module, "BLOCK", 1000)
    for cores in (1, 16):
        monkeypatch.setattr(blocks.os, "cpu_count", lambda cores=cores: cores)
        assert (draw(weights, 3000, replace=False, seed=4) == whole[:3000]).all()


@WEIGHTS
def test_a_race_that_was_cut_too_short_is_run_again(weights, monkeypatch):
    expected = draw(weights, 2000, replace=False, seed=5)
    guess = distinct.log_time
    monkeypatch.setattr(distinct, "log_time", lambda *arguments: guess(*arguments) - 3)
    assert (draw(weights, 2000, replace=False, seed=5) == expected).all()


@WEIGHTS
@pytest.mark.parametrize("limit", [1, 2000, 30_000])
def test_any_partitions_give_the_rows_of_the_whole(weights, limit):
    """Parts may have too few distinct weights to be steep, or more than would be strata of their rows."""
    expected = np.sort(draw(weights, limit, replace=False, seed=6))
    cuts = [], [7, 7, 100], [20_000, 35_000]
    turn = [each is weights for each in STEEP.values()].index(True) + limit  # in `make test` one of them, in turn
    for bounds in size(cuts[turn % 3 :][:1], cuts):
        parts = cut(pl.DataFrame({"w": weights}), bounds)
        assert positions(parts, "w", limit, replace=False, seed=6) == expected.tolist()


def test_any_order_of_partitions_gives_one_table_and_one_choice():
    weights = STEEP["half a life of a week"]
    order = np.argsort(weights, kind="stable")
    for frame in (weights[order], weights[order[::-1]]):
        parts = cut(pl.DataFrame({"w": frame}), [10_000, 50_000])
        assert (
            positions(parts, "w", 500, replace=False, seed=2)
            == np.sort(draw(frame, 500, replace=False, seed=2)).tolist()
        )


def test_a_race_of_slots_has_the_probabilities_of_successive_sampling():
    """Chi-square of all ordered outcomes of 3 of 5 slots, 20,000 seeds: alpha 1e-3; 10 percent off is found.

    `make test` has 12,000 seeds, which find it with p < 1e-7.
    """
    table = StrataTable(np.array([1.0, 2.0, 5.0]), np.array([2, 2, 1]))
    by_slot = np.repeat(table.weights, table.counts)
    outcomes = [tuple(distinct.race_slots(table, 3, Streams(seed)).tolist()) for seed in range(size(12_000, 20_000))]
    assert p_of_outcomes(outcomes, ordered_outcomes(by_slot.tolist(), 3)) > 1e-3
    assert p_of_outcomes(outcomes, ordered_outcomes((by_slot + np.array([0, 0, 0.2, 0.2, 0])).tolist(), 3)) < 1e-3


def test_steep_draws_have_the_probabilities_of_successive_sampling():
    """How often rows of the two heaviest strata come first, 300 seeds, chi-square: alpha 1e-3."""
    table = stratify(STEEP["halving"]).table
    heavy = table.counts[-2:] * table.weights[-2:]
    share = heavy / (table.counts @ table.weights)
    slots = np.array([distinct.distinct_strata(table, 1, Streams(seed))[0] for seed in range(300)])
    number = table.stratum_of(slots)
    last = len(table.weights) - 1
    counts = [np.count_nonzero(number == last - 1), np.count_nonzero(number == last)]
    assert p_of_counts([*counts, 300 - sum(counts)], [*share, 1 - share.sum()]) > 1e-3
