"""Sampling at its edges: points on bounds, sizes at constants, sums at the edge of a scale, very many rows."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from tests.sizes import paired, size
from tql_frames.sampling import StrataTable, Streams, count_codes, draw, strata, strata_of_codes, stratify
from tql_frames.sampling import partitioned as parts
from tql_frames.sampling import rng as blocks
from tql_frames.sampling import with_replacement as line
from tql_frames.sampling import without_replacement as distinct
from tql_frames.sampling.partitioned import Spread, points_of_parts, rows_at_points
from tql_frames.sampling.with_replacement import CumulativeWeights, Workspace


def exact_sum(weights: np.ndarray) -> Fraction:
    """The sum without rounding, of whole numbers of one unit, which are added up faster than fractions."""
    parts, exponents = np.frexp(weights)
    least = int(exponents.min())
    numbers = zip((parts * 2.0**53).astype(np.int64).tolist(), (exponents - least).tolist(), strict=True)
    return sum(number << more for number, more in numbers) * Fraction(2) ** (least - 53)


def owners(found: CumulativeWeights, uniforms: list[float]) -> list[int]:
    out = np.empty(len(uniforms), np.int64)
    found.owners(np.array(uniforms), out, Workspace(found, len(uniforms)))
    return out.tolist()


@pytest.mark.parametrize("owned", [2, 12, 13, 40])
def test_a_point_on_a_bound_belongs_to_the_next_owner(owned, monkeypatch):
    """By comparison with all bounds, by binary search, and by a guide; an owner of no width owns no point."""
    table = StrataTable(np.exp2(np.maximum(np.arange(owned) - 1, 0)), np.ones(owned, np.int64))
    uniforms = [0.0]
    bounds = line.cumulative_weights_of_strata(table, 1).bounds
    uniforms += [bound / bounds[-1] for bound in bounds[:-1]]
    on_bounds = [place for place, u in enumerate(uniforms[1:], 1) if u * bounds[-1] == bounds[place - 1]]
    assert len(on_bounds) == owned - 1
    expected = [int(np.searchsorted(bounds, u * bounds[-1], side="right")) for u in uniforms]
    assert all(expected[place] == place for place in on_bounds)
    below = [math.nextafter(uniforms[place], 0) for place in on_bounds]
    for name, value in (("_FEW_DRAWS", 10**9), ("_FEW_DRAWS", 0), ("_BY_COMPARISON", 0)):
        monkeypatch.setattr(line, name, value)
        found = line.cumulative_weights_of_strata(table, 10)
        assert owners(found, uniforms) == expected
        assert all(owner < place for owner, place in zip(owners(found, below), on_bounds, strict=True))
    assert found.guide_table is not None
    rows = line.cumulative_weights_of_rows(np.array([1.0, 0.0, 1.0, 2.0, 0.0]), 10)
    assert rows.guide_table is not None
    assert owners(rows, [0.0, 0.25, 0.5, math.nextafter(1.0, 0)]) == [0, 2, 3, 3]
    assert owners(CumulativeWeights(rows.bounds, None), [0.0, 0.25, 0.5, math.nextafter(1.0, 0)]) == [0, 2, 3, 3]


def test_a_point_on_the_bound_of_a_part_belongs_to_the_next_part(monkeypatch):
    quarter = 2**59
    streams = Streams(1)
    monkeypatch.setattr(streams, "uniforms", lambda *_: np.array([0.5, 0.25, 0.0, math.nextafter(0.25, 0)]))
    points = points_of_parts([quarter, quarter, 0, 2 * quarter], 4, streams)
    assert [len(each) for each in points] == [2, 1, 0, 1]
    assert points[1].tolist() == [quarter] and points[3].tolist() == [2 * quarter]
    assert rows_at_points(np.array([1.0, 1.0]), 58, quarter, np.array([1.0, 1.5]) * quarter).tolist() == [0, 1]


@pytest.mark.parametrize("nudge", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("exponent", [0, -900, 900])
def test_rows_and_parts_have_one_scale_at_an_edge_over_several_blocks(nudge, exponent, monkeypatch):
    """Totals within a few units in the last place of the edge, of rows in several blocks, in any order."""
    rows = size(2_100, 10_000)
    monkeypatch.setattr(line, "BLOCK", 1000)
    monkeypatch.setattr(parts, "BLOCK", 1000)
    weights = np.random.default_rng(nudge + 2).random(rows)
    edge = Fraction(line.EDGE)
    weights *= float(edge / exact_sum(weights))
    for _ in range(3):  # what rounding left goes to the last row
        rest = edge - exact_sum(weights[:-1])
        weights[-1] = float(rest + nudge * Fraction(2) ** -53)
    weights = np.ldexp(weights, exponent)
    scales = set()
    for order in (slice(None), slice(None, None, -1), np.random.default_rng(1).permutation(rows)):
        each = weights[order]
        spread = Spread.sum([Spread.of(each[: rows // 3]), Spread.of(each[rows // 3 :])])
        scales |= {line.scale_of(each), spread.scale}
        table = StrataTable.of(each)
        scales |= {line.scale_of(table.weights, table.counts), Spread.of_table(table).scale}
    assert len(scales) == 1
    whole = line.whole(weights, scales.pop())
    assert 2**60 < int(whole.sum()) < 2**62


@pytest.mark.parametrize("numbers", [[2**62 + 5, 3, 2**62 + 5, 3, 0], [2**63 - 1, 0, 2**63 - 1], [5, 3, 5], [7], []])
def test_first_places_of_any_numbers(numbers):
    numbers = np.array(numbers, np.int64)
    for each in (numbers, np.repeat(numbers, 3), numbers[::-1]):
        found, places = distinct._first_places(each)
        expected, at = np.unique(each, return_index=True)
        assert (found.tolist(), places.tolist()) == (expected.tolist(), at.tolist())


def test_tables_of_more_rows_than_pairs_fit_in_64_bits():
    """Slot and place of a draw are sorted as one number where both fit; of 2**55 rows they do not."""
    table = StrataTable(np.array([1.0, 3.0]), np.array([2**54, 2**54]))
    slots = distinct.distinct_strata(table, 30_000, Streams(3))
    assert len(np.unique(slots)) == 30_000 and slots.max() < 2**55
    assert abs(np.count_nonzero(slots >= 2**54) - 22_500) < 5 * np.sqrt(30_000 * 3 / 16)
    small = StrataTable(np.array([1.0, 3.0]), np.array([2**40, 2**40]))
    expected = distinct.distinct_strata(small, 1000, Streams(3))
    packed = distinct._first_places
    places = []
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(
            distinct, "_first_places", lambda each: (places.append(1), np.unique(each, return_index=True))[1]
        )
        assert (distinct.distinct_strata(small, 1000, Streams(3)) == expected).all()
    assert places and packed is distinct._first_places


@pytest.mark.parametrize(
    ("levels", "replace"), paired([11, 12, 13, 15, 16, 17, 255, 256, 257, 1023, 1024, 1025], [True, False])
)
def test_draws_of_sizes_at_the_constants_are_the_start_of_one_draw(levels, replace):
    """Number of weights and of draws where the way of drawing changes: one more or less gives the same rows."""
    rows = blocks.BLOCK + 1
    weights = 1.0 + np.arange(rows) * 7919 % levels
    longest = draw(weights, 2 * line._FEW_DRAWS + 1, replace=replace, seed=5)
    both = (line._FEW_DRAWS, rows // 64)
    for drawn in size(both[(levels + replace) % 2 :][:1], both):  # in `make test` each with half of the levels
        for more in (-1, 0, 1):
            assert (draw(weights, drawn + more, replace=replace, seed=5) == longest[: drawn + more]).all()


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("levels", [1, 2, 16, 17, 256, 257])
def test_two_ways_to_the_strata_of_rows_that_end_at_a_block(levels, more):
    rows = blocks.BLOCK + more
    codes = (np.arange(rows) * 7919 % levels).astype(np.uint16)
    weights = (np.arange(levels) + 1.0)[::-1].copy()
    one, other = stratify(weights[codes]), strata_of_codes(codes, weights)
    assert (one.table.weights == other.table.weights).all() and (one.table.counts == other.table.counts).all()
    assert (one.codes == other.codes).all() and (one.cells == other.cells).all()
    slots = np.arange(rows)
    assert (one.resolve(slots) == np.argsort(weights[codes], kind="stable")).all()
    assert strata.most_strata(rows) == 1024


def test_where_times_become_logarithms():
    """A ratio of weights of 2**500 exactly, and one below: both ways of counting time find the same rows."""
    assert not distinct.Race.of(1.0, distinct._WIDE).narrow
    assert distinct.Race.of(1.0, math.nextafter(distinct._WIDE, 0)).narrow
    weights = np.append(np.exp2(np.linspace(-499, 0, 5000)), 1.0)
    race = distinct.Race.of(float(weights.min()), 1.0)
    rows, times = distinct.finishers(weights, race, math.inf, Streams(2))
    same, logs = distinct.finishers(weights, race._replace(narrow=False), math.inf, Streams(2))
    assert (rows == same).all() and (np.argsort(times) == np.argsort(logs)).all()
    np.testing.assert_allclose(np.log(times * 2.0**race.exponent), logs, rtol=1e-12)


@pytest.mark.parametrize("many", [1, 2, 16, 17])
@pytest.mark.parametrize("rows", [1, 63, 4_096, 4_100, 262_144, 262_145, 270_400])
def test_rows_are_counted_in_each_cell(rows, many):
    """A cell is a part of 4,096 rows in more than a block of rows with at most 16 weights, else a block."""
    codes = np.arange(rows) * 7 // 3 % many
    found = stratify(codes + 0.5, many)
    each = 4_096 if rows > 262_144 and many <= 16 else 262_144
    assert found.codes.tolist() == codes.tolist()
    expected = [
        np.bincount(codes[first : first + each], minlength=len(found.table.weights)) for first in range(0, rows, each)
    ]
    assert found.cells.T.tolist() == np.array(expected).tolist()
    assert count_codes(found.codes, len(found.table.weights)).tolist() == found.cells.tolist()


def test_counting_many_codes_takes_no_flags_for_each():
    codes = (np.arange(600_000) % 5_000).astype(np.uint16)
    tracemalloc.start()
    try:
        counts = count_codes(codes, 5_000)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert counts.sum(axis=1).tolist() == [120] * 5_000
