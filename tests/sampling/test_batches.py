"""Batches with quotas: what they hold, and with which probabilities."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tests.sizes import size
from tests.statistics import ordered_outcomes, p_of_counts, p_of_outcomes
from tql_frames.sampling import Pools, draw_batches, draw_group_batches
from tql_frames.sampling.batches import pick_groups

ALPHA = 1e-4  # fixed seeds: each test was right when it was written, and stays so
RANDOM = np.random.default_rng(5)


def pools_of(*members, weights):
    return Pools.of([np.array(each, int) for each in members], np.array(weights, float))


def in_passes(rows, pool):
    """Whether the rows of a pool, in the order drawn, have none a second time before all others came."""
    return all(len(set(part)) == len(part) for part in np.split(rows, np.arange(len(pool), len(rows), len(pool))))


def has_repeats(batch):
    return len(set(batch.tolist())) < batch.size


class TestQuotas:
    CASES = (
        ([[0, 1, 2], [3, 4, 5, 6, 7, 8, 9]], [2, 3], 40),  # passes end in the middle of a batch
        ([[0, 1], [2, 3, 4]], [2, 3], 20),  # a batch is a pass
        ([list(range(5)), list(range(3, 20)), list(range(20))], [2, 2, 4], 60),  # rows that are in several pools
        ([list(range(7))], [5], 31),
        ([list(range(200)), list(range(200, 1000))], [4, 28], size(50, 500)),
        ([list(range(4)), list(range(4))], [2, 2], 30),
    )

    @pytest.mark.parametrize("replace", [True, False])
    @pytest.mark.parametrize(("members", "quotas", "batches"), CASES)
    def test_every_batch_has_them(self, members, quotas, batches, replace):
        rows = max(map(max, members)) + 1
        weights = RANDOM.random(rows) + 0.1
        weights[0] = 0.0
        pools = pools_of(*members, weights=weights)
        found = draw_batches(pools, np.array(quotas), batches, replace=replace, seed=1)
        assert found.shape == (batches, sum(quotas))
        assert 0 not in found
        for pool, part in zip(members, np.split(found, np.cumsum(quotas)[:-1], axis=1), strict=True):
            assert np.isin(part, pool).all()
            if not replace:
                assert in_passes(part.ravel(), set(pool) - {0})
        again = draw_batches(pools, np.array(quotas), batches, replace=replace, seed=1)
        assert (again == found).all()
        assert (draw_batches(pools, np.array(quotas), batches, replace=replace, seed=2) != found).any()

    @pytest.mark.parametrize(("members", "quotas", "batches"), CASES[:-1])
    def test_no_batch_has_a_row_twice(self, members, quotas, batches):
        weights = np.ones(max(map(max, members)) + 1)
        for seed in range(size(5, 40)):
            found = draw_batches(
                pools_of(*members, weights=weights), np.array(quotas), batches, replace=False, seed=seed
            )
            repeats = sum(map(has_repeats, found))
            # Where pools share rows, the last row of a pass may be one that the batch has already.
            assert repeats == 0 if len(set().union(*members)) == sum(map(len, members)) else repeats <= batches / 10

    def test_a_quota_larger_than_its_pool(self):
        found = draw_batches(
            pools_of([0, 1], [2, 3, 4, 5], weights=np.ones(6)), np.array([3, 1]), 8, replace=False, seed=1
        )
        assert all(set(batch[:3].tolist()) == {0, 1} for batch in found)
        assert in_passes(found[:, :3].ravel(), [0, 1])

    def test_pools_that_are_the_same_rows(self):
        found = draw_batches(
            pools_of([0, 1, 2], [0, 1, 2], weights=np.ones(3)), np.array([2, 1]), 300, replace=False, seed=1
        )
        assert sum(map(has_repeats, found)) < 30  # some cannot be helped: the last row of a pass may be the only one
        for part in (found[:, :2], found[:, 2:]):
            assert in_passes(part.ravel(), [0, 1, 2])

    def test_no_batches_and_pools_without_rows(self):
        pools = pools_of([0, 1], [], weights=np.ones(2))
        assert draw_batches(pools, np.array([1, 0]), 0, replace=False, seed=1).shape == (0, 1)
        for replace in (True, False):
            assert draw_batches(pools, np.array([1, 0]), 4, replace=replace, seed=1).shape == (4, 1)

    @pytest.mark.parametrize(("rows", "quota"), [(5, 4), (7, 5), (9, 2), (11, 4)])
    def test_a_pass_that_begins_within_a_batch_has_any_order_that_repeats_nothing(self, rows, quota):
        pools = pools_of(range(rows), weights=np.ones(rows))
        found = np.concatenate(
            [draw_batches(pools, np.array([quota]), rows, replace=False, seed=seed) for seed in range(size(300, 2_000))]
        )
        assert not any(map(has_repeats, found))
        assert p_of_counts(np.bincount(found[:, -1], minlength=rows), [1 / rows] * rows) > ALPHA

    def test_what_cannot_be_helped_takes_no_time(self):
        pools = pools_of(range(3), range(3, 2_000), weights=np.ones(2_000))
        found = draw_batches(pools, np.array([8, 20]), 5_000, replace=False, seed=1)  # was a search for each batch
        assert (np.sort(found[:, :8], axis=1)[:, ::7] == [0, 2]).all()
        assert not any(map(has_repeats, found[:, 8:]))


class TestProbabilities:
    WEIGHTS = (1.0, 2.0, 5.0, 0.0, 3.0)

    def test_with_replacement_each_draw_is_by_weight(self):
        pools = pools_of([0, 1, 2, 3], [2, 4], weights=self.WEIGHTS)
        found = draw_batches(pools, np.array([3, 2]), size(4_000, 40_000), replace=True, seed=3)
        one, other = np.bincount(found[:, :3].ravel(), minlength=5), np.bincount(found[:, 3:].ravel(), minlength=5)
        assert one[[3, 4]].tolist() == other[[0, 1, 3]].tolist()[:2] == [0, 0]
        assert p_of_counts(one[:3], [1 / 8, 2 / 8, 5 / 8]) > ALPHA
        assert p_of_counts(other[[2, 4]], [5 / 8, 3 / 8]) > ALPHA
        assert p_of_counts(one[:3], [1 / 8, 2.4 / 8, 4.6 / 8]) < ALPHA
        pairs = np.bincount(found[:, 0] * 5 + found[:, 3], minlength=25)  # of two pools: independent
        expected = np.outer(self.WEIGHTS, [0, 0, 5, 0, 3]) / 64
        expected[4] = 0
        there = expected.ravel() > 0
        assert p_of_counts(pairs[there], expected.ravel()[there].tolist()) > ALPHA

    def test_passes_are_in_any_order_and_the_last_rows_are_drawn_by_weight(self):
        orders = {each: 1 / 6 for each in permutations((0, 1, 2))}
        last: dict[tuple[int, ...], float] = {}
        for (one, other), probability in ordered_outcomes([1.0, 2.0, 5.0], 2).items():
            for each in ((one, other), (other, one)):  # as the order of a pass is a random one
                last[each] = last.get(each, 0.0) + probability / 2
        pools = pools_of([0, 1, 2], weights=self.WEIGHTS)
        found = [pools.draw(np.array([8]), replace=False, seed=seed) for seed in range(size(3_000, 30_000))]
        assert p_of_outcomes((tuple(rows[:3].tolist()) for rows in found), orders) > ALPHA
        assert p_of_outcomes((tuple(rows[3:6].tolist()) for rows in found), orders) > ALPHA
        assert p_of_outcomes((tuple(rows[6:].tolist()) for rows in found), last) > ALPHA
        even = {each: 1 / 6 for each in permutations((0, 1, 2), 2)}
        assert p_of_outcomes((tuple(rows[6:].tolist()) for rows in found), even) < ALPHA

    @pytest.mark.parametrize("weights", [[1.0, 2.0, 5.0], [1.0, 0.0, 1.0, 1.0, 4.0], [1e-6, 1e-6, 1.0, 1e-6]])
    @pytest.mark.parametrize("groups", [1, 2, 3])
    def test_groups_of_a_batch_are_drawn_by_weight_without_replacement(self, weights, groups):
        found = pick_groups(np.array(weights), groups, size(4_000, 40_000), seed=2)
        assert not any(map(has_repeats, found))
        outcomes = [tuple(batch) for batch in found.tolist()]
        drawable = [place for place, weight in enumerate(weights) if weight]
        enumerated = ordered_outcomes([weights[place] for place in drawable], groups)
        expected = {tuple(drawable[each] for each in one): p for one, p in enumerated.items()}
        common = {one: p for one, p in expected.items() if p > 1e-3}
        rare = 1 - sum(common.values())
        seen = [one if one in common else ("rare",) for one in outcomes]
        assert p_of_outcomes(seen, common | ({("rare",): rare} if rare > 1e-9 else {})) > ALPHA or rare > 0

    def test_groups_tilted_are_rejected(self):
        found = pick_groups(np.array([1.0, 2.0, 5.0]), 2, 8_000, seed=2)
        outcomes = [tuple(batch) for batch in found.tolist()]
        assert p_of_outcomes(outcomes, ordered_outcomes([1.0, 2.5, 5.0], 2)) < ALPHA

    def test_many_groups_are_raced_in_parts(self, monkeypatch):
        weights = np.array([1.0, 1.0, 1.0, 1e9])  # after two rounds most batches lack groups
        monkeypatch.setattr("tql_frames.sampling.batches._PART", 40)
        found = pick_groups(weights, 3, size(3_000, 30_000), seed=4)
        assert (found[:, 0] == 3).all()
        outcomes = [tuple(batch[1:]) for batch in found.tolist()]
        assert p_of_outcomes(outcomes, {each: 1 / 6 for each in permutations((0, 1, 2), 2)}) > ALPHA

    def test_many_groups_in_a_batch_and_one_that_outweighs_all(self):
        weights = np.ones(3_000)
        weights[5] = 1e12
        found = pick_groups(weights, 1_000, 40, seed=4)
        assert (found[:, 0] == 5).all()
        assert not any(map(has_repeats, found))


class TestEach:
    @pytest.mark.parametrize("replace", [True, False])
    @pytest.mark.parametrize(("members", "groups", "each"), [(6, 2, 3), (9, 3, 2), (4, 4, 1), (40, 8, 4)])
    def test_every_batch_has_so_many_of_different_groups(self, members, groups, each, replace):
        sizes = RANDOM.integers(each, 4 * each, members)
        codes = np.repeat(np.arange(members), sizes)
        pools = Pools.of([np.flatnonzero(codes == code) for code in range(members)], np.ones(len(codes)))
        found = draw_group_batches(pools, pools.totals, groups, each, 200, replace=replace, seed=1)
        of_groups = codes[found].reshape(200, groups, each)
        assert (of_groups == of_groups[:, :, :1]).all()
        assert not any(map(has_repeats, of_groups[:, :, 0]))
        if not replace:
            assert not any(map(has_repeats, found))
            for code in range(members):
                assert in_passes(found.ravel()[codes[found.ravel()] == code], range(sizes[code]))
