"""Batches with quotas: what each holds on every kind of frame, processes, resuming, what is refused."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.utils.data import DataLoader  # noqa: E402

from tests.sizes import size  # noqa: E402
from tests.statistics import p_of_counts  # noqa: E402
from tql_frames import TQLError, WeightError  # noqa: E402
from tql_frames.torch import TQLBatchSampler, TQLDataset, TQLSampler  # noqa: E402

ROWS = 3_000
ALPHA = 1e-4  # fixed seeds: each test was right when it was written, and stays so
RANDOM = np.random.default_rng(8)
FINDINGS = np.array(["Hernia", "Pneumonia", "Mass", "No finding"])
FRAME = pl.DataFrame(
    {
        "row": np.arange(ROWS),
        "finding": RANDOM.choice(FINDINGS, ROWS, p=[0.01, 0.03, 0.16, 0.8]),
        "patient": RANDOM.integers(0, 300, ROWS),
        "age": RANDOM.integers(0, 90, ROWS),
    }
).with_columns(
    findings=pl.Series(
        [list(dict.fromkeys(RANDOM.choice(FINDINGS[:3], RANDOM.integers(0, 4)))) for _ in range(ROWS)],
        dtype=pl.List(pl.String),
    )
)
FINDING, PATIENT, AGE = (FRAME[name].to_numpy() for name in ("finding", "patient", "age"))
QUOTAS = {"Hernia": 4, "Pneumonia": 4}
SAMPLER = "max_weight(age > 60: 5, True: 1)"


def made(frame: Any = FRAME, sampler: Any = SAMPLER, batch_size: int = 32, **options: Any) -> TQLBatchSampler:
    return TQLBatchSampler(frame, sampler, batch_size, **{"over": "finding", "per_group": QUOTAS, "seed": 3} | options)


class TestQuotas:
    @pytest.mark.parametrize("replace", [True, False])
    def test_every_batch_of_an_epoch_meets_them(self, replace: bool) -> None:
        batches = made(limit=32 * 10_000, replace=replace)
        assert len(batches) == 10_000
        found = FINDING[np.array(list(batches))]
        assert found.shape == (10_000, 32)
        assert ((found == "Hernia").sum(axis=1) == 4).all()
        assert ((found == "Pneumonia").sum(axis=1) == 4).all()
        assert (found[:, :4] == "Hernia").all()

    def test_no_row_comes_twice_before_all_rows_of_its_group_came(self) -> None:
        batches = made(limit=32 * 500, replace=False).draw(0)
        parts = {"Hernia": batches[:, :4], "Pneumonia": batches[:, 4:8], "rest": batches[:, 8:]}
        members = {name: set(np.flatnonzero(name == FINDING).tolist()) for name in QUOTAS}
        members["rest"] = set(range(ROWS)) - members["Hernia"] - members["Pneumonia"]
        for name, part in parts.items():
            rows, whole = part.ravel().tolist(), len(members[name])
            for first in range(0, len(rows), whole):
                passed = rows[first : first + whole]
                assert len(set(passed)) == len(passed)
                assert set(passed) == members[name] or first + whole > len(rows)
        assert all(len(set(batch)) == 32 for batch in batches.tolist())

    def test_an_epoch_shorter_than_a_group_has_each_row_once(self) -> None:
        found = made(batch_size=2, per_group={"No finding": 1}, limit=2 * 300, replace=False).draw(0)
        assert len(set(found[:, 0].tolist())) == len(found) == 300

    def test_counts_over_epochs_fit_the_design(self) -> None:
        batches = made(limit=32 * 40)
        counts = np.zeros(ROWS, np.int64)
        for _ in range(50):
            counts += np.bincount(np.array(list(batches)).ravel(), minlength=ROWS)
        weights = np.where(AGE > 60, 5.0, 1.0)
        for name, quota in {**QUOTAS, "rest": 24}.items():
            rows = ~np.isin(FINDING, list(QUOTAS)) if name == "rest" else name == FINDING
            assert counts[rows].sum() == 50 * 40 * quota
            assert p_of_counts(counts[rows], weights[rows] / weights[rows].sum()) > ALPHA
            assert p_of_counts(counts[rows], np.full(rows.sum(), 1 / rows.sum())) < ALPHA  # not as if all were equal

    def test_lists_count_for_each_of_their_labels(self) -> None:
        lists = FRAME["findings"].to_list()
        for replace in (True, False):
            batches = made(over="findings", limit=32 * 300, replace=replace, batch_size=16)
            for batch in batches.draw(0).tolist():
                for label in QUOTAS:
                    assert sum(label in lists[row] for row in batch) >= 4
        assert any(sum("Hernia" in lists[row] for row in batch) > 4 for batch in batches.draw(0).tolist())

    def test_the_rest_comes_from_all_rows_where_there_are_lists(self) -> None:
        batches = made(over="findings", per_group={"Mass": 1}, batch_size=3, sampler="1", limit=3 * 6_000)
        rest = np.bincount(batches.draw(0)[:, 1:].ravel(), minlength=ROWS)
        has = np.array(["Mass" in each for each in FRAME["findings"].to_list()])
        assert p_of_counts([rest[has].sum(), rest[~has].sum()], [has.mean(), 1 - has.mean()]) > ALPHA

    def test_conditions(self) -> None:
        batches = made(over=None, per_group={"age > 80": 3, "contains(findings, 'Mass')": 2}, batch_size=8)
        found = batches.draw(0)
        assert (AGE[found[:, :3]] > 80).all()
        assert all("Mass" in FRAME["findings"][int(row)] for row in found[:, 3:5].ravel())

    def test_null_and_rows_without_a_label_are_a_group(self) -> None:
        frame = pl.DataFrame({"view": ["PA", None, "PA", None], "list": [["a"], [], None, ["a", "a"]]})
        assert set(TQLBatchSampler(frame, "1", 2, over="view", per_group={None: 2}).draw(0).ravel()) == {1, 3}
        assert set(TQLBatchSampler(frame, "1", 2, over="list", per_group={None: 2}).draw(0).ravel()) <= {1, 2}
        assert set(TQLBatchSampler(frame, "1", 2, over="list", per_group={"a": 2}, seed=1).draw(0).ravel()) <= {0, 3}

    def test_without_quotas_batches_are_drawn_by_weight(self) -> None:
        found = TQLBatchSampler(FRAME, SAMPLER, 10, limit=10 * size(2_000, 20_000), seed=2).draw(0)
        old = int((AGE[found] > 60).sum())
        share = 5 * (AGE > 60).sum() / np.where(AGE > 60, 5, 1).sum()
        assert p_of_counts([old, found.size - old], [share, 1 - share]) > ALPHA

    @pytest.mark.parametrize(
        "frame",
        [FRAME.to_pandas(), FRAME.to_pandas().set_index("row"), FRAME.lazy()],
        ids=["pandas", "pandas index", "lazy"],
    )
    @pytest.mark.parametrize("over", ["finding", "findings"])
    def test_every_kind_of_frame_gives_the_same_batches(self, frame: Any, over: str) -> None:
        assert (made(frame, over=over).draw(2) == made(over=over).draw(2)).all()

    @pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(FINDINGS)])
    def test_categories(self, dtype: Any) -> None:
        assert (made(FRAME.with_columns(pl.col("finding").cast(dtype))).draw(1) == made().draw(1)).all()

    def test_a_view(self) -> None:
        view = FRAME.tql.view("max_weight(age > 60: 1)", limit=500, seed=4)
        rows = TQLDataset(view, ["finding"])
        for batch in DataLoader(rows, batch_sampler=made(view, "1", 16, limit=16 * 20)):
            assert batch["finding"].count("Hernia") == 4


class TestEach:
    @pytest.mark.parametrize("replace", [True, False])
    @pytest.mark.parametrize(("over", "groups"), [("patient", PATIENT), (["patient", "finding"], None)])
    def test_every_batch_has_so_many_of_so_many_groups(self, over: Any, groups: Any, replace: bool) -> None:
        if groups is None:
            groups = FRAME.select(pl.struct(over).rank("dense")).to_series().to_numpy()
        found = made(over=over, per_group=4, limit=32 * 200, replace=replace).draw(0)
        for batch in groups[found].tolist():
            assert batch == [each for each in batch[::4] for _ in range(4)]
            assert len(set(batch)) == 8

    def test_groups_come_by_the_sum_of_their_weights_or_equally(self) -> None:
        for equal in (False, True):
            found = made(per_group=1, batch_size=1, limit=size(4_000, 40_000), equal_groups=equal).draw(0)
            counts = [int((FINDING[found] == label).sum()) for label in FINDINGS]
            weights = np.where(AGE > 60, 5.0, 1.0)
            sums = np.array([weights[label == FINDING].sum() for label in FINDINGS])
            by_weight, equally = sums / sums.sum(), [0.25] * 4
            assert p_of_counts(counts, equally if equal else by_weight) > ALPHA
            assert p_of_counts(counts, by_weight if equal else equally) < ALPHA

    def test_lists(self) -> None:
        lists = [each or [None] for each in FRAME["findings"].to_list()]
        found = made(over="findings", per_group=3, batch_size=6, replace=False, limit=6 * 50).draw(0)
        for batch in found.tolist():
            for part in (batch[:3], batch[3:]):
                assert set.intersection(*(set(lists[row]) for row in part))
            assert len(set(batch)) == 6


class TestEpochs:
    @pytest.mark.parametrize("processes", [2, 4])
    @pytest.mark.parametrize("options", [{}, {"per_group": 8, "replace": False}])
    def test_processes_see_together_what_one_sees(self, processes: int, options: dict[str, Any]) -> None:
        epochs = [made(**options).draw(epoch).tolist() for epoch in range(2)]
        for rank in range(processes):
            own = made(**options, num_replicas=processes, rank=rank)
            assert len(own) == len(epochs[0][rank::processes])
            assert [list(own), list(own)] == [each[rank::processes] for each in epochs]
        even = [made(**options, num_replicas=processes, rank=rank, drop_last=True) for rank in range(processes)]
        assert {len(list(each)) for each in even} == {len(epochs[0]) // processes}

    @pytest.mark.parametrize("weights", ["age", "random()"])
    def test_resuming_in_the_middle_of_an_epoch(self, weights: str) -> None:
        whole = made(sampler=weights).draw(1).tolist()
        states = []
        for rank in range(2):
            sampler = made(sampler=weights, num_replicas=2, rank=rank)
            list(sampler)
            rows = iter(sampler)
            assert [next(rows) for _ in range(5)] == whole[rank:10:2]
            states.append(json.loads(json.dumps(sampler.state_dict())))
        assert states[0] == states[1]
        for processes in (1, 2, 4):  # also by another number of processes
            for rank in range(processes):
                again = made(sampler=weights, num_replicas=processes, rank=rank)
                again.load_state_dict(states[0])
                assert list(again) == whole[10:][rank::processes]
                assert again.epoch == 2

    def test_weights_that_change_twice(self) -> None:
        for weights in ("age", np.arange(ROWS, dtype=float), [1.0] * ROWS, torch.arange(ROWS)):
            sampler = made()
            rows = iter(sampler)
            first = [next(rows), next(rows)]
            sampler.set_weights(weights)
            state = sampler.state_dict()
            assert [*first, *rows] == made().draw(0).tolist()
            assert list(sampler) == made(sampler=weights).draw(1).tolist()
            again = made()
            again.load_state_dict(state)  # of the epoch that was running, by its weights
            assert list(again) == made().draw(0)[2:].tolist()
            with pytest.raises(TQLError, match="its sampler is"):
                sampler.load_state_dict(state)
            sampler.set_weights("max_weight(age > ?: 1)", parameters=[60])
            assert (AGE[np.array(list(sampler))] > 60).all()

    def test_weights_that_do_not_fit_change_nothing(self) -> None:
        sampler = made()
        for weights in ("max_weight(finding = 'Mass': 1)", "nothing", [1.0]):
            with pytest.raises(TQLError):
                sampler.set_weights(weights)
        assert list(sampler) == made().draw(0).tolist()

    def test_copies_go_on_where_they_are(self) -> None:
        sampler = made()
        rows = iter(sampler)
        next(rows)
        for other in (pickle.loads(pickle.dumps(sampler)), copy.deepcopy(sampler)):
            assert list(other) == made().draw(0)[1:].tolist()
            assert list(other) == made().draw(1).tolist()
            other.set_weights(np.ones(ROWS))
            with pytest.raises(TQLError, match="a copy of a sampler has no frame"):
                other.set_weights("age")

    def test_a_copy_goes_on_by_the_weights_of_the_epoch_it_is_in(self) -> None:
        sampler = made(sampler="1")
        rows = iter(sampler)
        next(rows)
        sampler.set_weights("age")
        other = copy.deepcopy(sampler)
        assert list(other) == list(rows) == made(sampler="1").draw(0)[1:].tolist()
        assert list(other) == list(sampler) == made(sampler="age").draw(1).tolist()
        third = copy.deepcopy(pickle.loads(pickle.dumps(other)))
        assert list(third) == made(sampler="age").draw(2).tolist()

    def test_the_epoch_can_be_set(self) -> None:
        sampler = made()
        sampler.set_epoch(4)
        assert list(sampler) == made().draw(4).tolist()
        assert sampler.epoch == 5
        assert sampler.draw(0).tolist() != sampler.draw(1).tolist()
        assert sampler.seed_of(0) == 3

    @pytest.mark.parametrize("workers", [0, 2])
    def test_a_loader(self, workers: int) -> None:
        rows = TQLDataset(FRAME, ["row", "age"], target="finding", encode={"finding": "label"})
        sampler = made(limit=32 * 20)
        loader = DataLoader(rows, batch_sampler=sampler, num_workers=workers)
        assert len(loader) == 20
        hernia = rows.classes["finding"].index("Hernia")
        seen = []
        for features, target in loader:
            assert (target == hernia).sum() == 4
            seen.append(features["row"].tolist())
        assert seen == made(limit=32 * 20).draw(0).tolist()
        state = sampler.state_dict(seen=3)
        assert state["done"] == 3

    def test_repr(self) -> None:
        assert repr(made(limit=3_200)) == (
            "TQLBatchSampler(max_weight(age > 60: 5, True: 1): 100 batches of 32, 4 'Hernia', 4 'Pneumonia', 24 by"
            " weight, with replacement, seed 3, epoch 0)"
        )
        text = repr(made(per_group=8, num_replicas=2, rank=1))
        assert "93 batches of 32, 8 of each of 4 groups, with replacement, seed 3, epoch 0, rank 1 of 2" in text


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"per_group": {"Hernai": 4}},
                "per_group names 'Hernai', which is not a group of over=.*did you mean 'Hernia'",
            ),
            ({"over": "findings", "per_group": {"Hernai": 4}}, "per_group names 'Hernai'"),
            ({"per_group": {"Hernia": 40}}, "add up to 40, more than a batch of 32"),
            ({"per_group": {"Hernia": -1}}, "whole number of at least 0, got -1"),
            ({"per_group": {"Hernia": 1.5}}, "got 1.5"),
            ({"per_group": {}}, "per_group= names no group"),
            ({"per_group": 5}, "a multiple of per_group=5, got 32.*pass batch_size=30"),
            ({"per_group": 0}, "per_group= to be a whole number of at least 1"),
            ({"per_group": 4}, "a batch takes 8 groups, 4 rows of each, and 4 have.*batch_size= of at most 16"),
            ({"per_group": None}, "over= needs per_group="),
            ({"over": None, "per_group": 4}, "per_group= needs over="),
            ({"over": None, "per_group": {"agee > 4": 4}}, "agee"),
            ({"over": None, "per_group": {4: 4}}, "to name conditions, got 4"),
            ({"over": None, "per_group": {"age > 60: 5, age < 30": 4}}, "unexpected ':'"),
            ({"over": None, "per_group": {"": 4}}, "column 1"),
            ({"over": None, "per_group": {"age": 4}}, "expected a condition in per_group=, got values of type Int64"),
            ({"over": "nothing"}, "nothing"),
            ({"over": 4}, "expected over= to be a column name"),
            ({"limit": 31}, "an epoch of 31 rows holds no batch of 32"),
            ({"batch_size": 0}, "batch_size= to be a whole number of at least 1"),
            ({"equal_groups": True}, "equal_groups= needs per_group="),
            ({"equal_groups": 1, "per_group": 8}, "equal_groups"),
            ({"replace": "no"}, "replace"),
            ({"seed": -1}, "seed= to be a whole number"),
            ({"rank": 2, "num_replicas": 2}, "rank is 2"),
            ({"quotas": {}}, "quotas"),
        ],
    )
    def test_arguments(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises((TQLError, TypeError), match=f"(?s){message}"):
            made(**options)

    def test_groups_without_weight(self) -> None:
        with pytest.raises(WeightError, match="for the quota of 'Hernia', 'Pneumonia': there is none, or all"):
            made(sampler="max_weight(finding = 'Mass': 1)")
        with pytest.raises(WeightError, match="no row is left for the rest of a batch, 24 rows"):
            made(sampler="max_weight(finding in ('Hernia', 'Pneumonia'): 1)")
        with pytest.raises(WeightError, match="1 has a row of positive weight"):
            made(sampler="max_weight(finding = 'Hernia': 1)", per_group=16)

    def test_sums_beyond_all_numbers(self) -> None:
        weights = np.full(ROWS, 1e308)
        assert len(made(sampler=weights, per_group=8).draw(0)) == len(made(per_group=8))
        assert (made(sampler=weights, per_group=8).draw(0) == made(sampler="1", per_group=8).draw(0)).all()

    def test_a_rest_that_is_nobody(self) -> None:
        frame = pl.DataFrame({"view": ["PA", "PA"]})
        with pytest.raises(TQLError, match="each is in a group that per_group= names"):
            TQLBatchSampler(frame, "1", 2, over="view", per_group={"PA": 1})
        with pytest.raises(TQLError, match="empty frame"):
            TQLBatchSampler(frame.head(0), "1", 2, limit=4)
        with pytest.raises(TQLError, match="the frame has no rows"):
            TQLBatchSampler(frame.head(0), "1", 2)

    def test_states_go_through_files(self) -> None:
        frame = pl.DataFrame({"group": [1.0, 2.0, float("nan")] * 20})
        for quotas in ({float("nan"): 1}, {1: 1}, {np.float64(2.0): 1}):
            first, again = (TQLBatchSampler(frame, "1", 4, over="group", per_group=quotas) for _ in range(2))
            next(iter(first))
            again.load_state_dict(json.loads(json.dumps(first.state_dict())))
            assert list(again) == first.draw(0)[1:].tolist()
        spaced = made(sampler="max_weight( age > 60 : 5, True: 1 )")
        spaced.load_state_dict(made().state_dict())

    def test_what_is_fixed(self) -> None:
        sampler = made()
        for name in ("per_group", "batch_size", "weights", "epoch", "limit", "rank"):
            with pytest.raises(AttributeError, match=f"{name} of a TQLBatchSampler cannot be set"):
                setattr(sampler, name, 1)

    def test_states_of_other_kinds_and_more_than_was_given(self) -> None:
        sampler = made()
        rows = iter(sampler)
        for _ in range(10):
            next(rows)
        with pytest.raises(TQLError, match="this is the state of a TQLBatchSampler, not of a TQLSampler"):
            TQLSampler(FRAME, "1", seed=3).load_state_dict(sampler.state_dict())
        with pytest.raises(TQLError, match=r"expected seen= to be at most 10.*got 320"):
            sampler.state_dict(seen=320)
        with pytest.raises(TQLError, match="num_replicas=2 needs rank="):
            made(num_replicas=2)

    def test_states_of_others(self) -> None:
        state = made().state_dict()
        for options in (
            {"per_group": {"Hernia": 4}},
            {"seed": 4},
            {"limit": 64},
            {"sampler": "age"},
            {"replace": False},
        ):
            with pytest.raises(TQLError, match="the state is that of another sampler: its"):
                made(**options).load_state_dict(state)
        with pytest.raises(TQLError, match="no state of a TQLBatchSampler"):
            made().load_state_dict({"epoch": 1})

    def test_the_frame_is_left_as_it_is(self) -> None:
        frame = FRAME.to_pandas()
        before = frame.copy(deep=True)
        made(frame)
        pd.testing.assert_frame_equal(frame, before)
