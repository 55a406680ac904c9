"""The PyTorch sampler whose weights change: what is drawn from which row on, states, what is refused."""

from __future__ import annotations

import copy
import json
import pickle
from itertools import islice
from typing import Any

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.utils.data import DataLoader  # noqa: E402

from tests.statistics import p_of_counts  # noqa: E402
from tests.torch_programs import DRAWS, ROWS, WEIGHTS, change_weights, table  # noqa: E402
from tql_frames import TQLError, TQLNameError, TQLWarning, WeightError  # noqa: E402
from tql_frames.torch import TQLSampler  # noqa: E402

FRAME = table()
RANDOM = np.random.default_rng(1)
ONE, TWO = RANDOM.random(ROWS), RANDOM.integers(0, 5, ROWS).astype(float)
ALPHA = 1e-4  # fixed seeds: each test was right when it was written, and stays so


def made(sampler: Any = WEIGHTS, **options: Any) -> TQLSampler:
    return TQLSampler(FRAME, sampler, **{"limit": DRAWS, "seed": 3} | options)


def rows_by(sampler: Any, epoch: int = 0) -> list[int]:
    return made(sampler).draw(epoch).tolist()


def test_weights_are_a_copy_of_their_moment() -> None:
    sampler = made("1")
    sampler.update([2], [2.0])
    before = sampler.weights
    sampler.update([3], [50.0])
    assert before[3] == 1.0
    assert sampler.weights[3] == 50.0
    with pytest.raises(ValueError, match="read-only"):
        before[0] = 3.0


class TestSetWeights:
    @pytest.mark.parametrize("weights", [ONE, TWO, "age", "max_weight(sex = 'F': 1)", pl.col("age") ** 2, "random()"])
    def test_from_the_next_epoch_or_the_next_row_on(self, weights: Any) -> None:
        later, now = made(), made()
        for sampler in (later, now):
            rows = iter(sampler)
            first = list(islice(rows, 100))
            sampler.set_weights(weights, now=sampler is now)
            rest, expected = list(rows), rows_by(WEIGHTS if sampler is later else weights)
            assert first == rows_by(WEIGHTS)[:100]
            assert rest == expected[100:]
            assert list(sampler) == rows_by(weights, 1)
        assert rows_by(WEIGHTS)[100:] != rows_by(weights)[100:]

    def test_kinds_of_weights(self) -> None:
        for given in (ONE, ONE.tolist(), torch.tensor(ONE, requires_grad=True), pl.Series(ONE)):
            sampler = made()
            sampler.set_weights(given)
            assert list(sampler) == rows_by(ONE)
            assert (sampler.weights == ONE).all()
        sampler.set_weights("max_weight(age > ?: ?, True: 1)", parameters=[60, 4])
        assert list(sampler) == rows_by("max_weight(age > 60: 4, True: 1)", 1)
        assert sampler.weights.tolist() == FRAME.tql.weights("max_weight(age > 60: 4, True: 1)").to_list()

    def test_a_pandas_series_goes_by_its_labels(self) -> None:
        frame = FRAME.to_pandas().set_index("image")
        sampler = TQLSampler(frame, "age", limit=DRAWS, seed=3)
        series = frame["age"] * 0 + ONE
        sampler.set_weights(series)
        assert list(sampler) == rows_by(ONE)
        with pytest.raises(TQLError, match="another index than the frame"):
            sampler.set_weights(series[::-1])

    @pytest.mark.parametrize("places", [[0], [1, 1, 70_000], [65_535, 65_536, 65_537], [5, 100_000]])
    def test_changes_around_the_size_of_a_list(self, places: list[int]) -> None:
        sampler, expected, seen = made(limit=150_001), [], []
        rows = iter(sampler)
        weights: Any = WEIGHTS
        for number, place in enumerate(places):
            seen += islice(rows, place - len(seen))
            expected += made(weights, limit=150_001).draw(0).tolist()[len(expected) : place]
            weights = (TWO, ONE)[number % 2]
            sampler.set_weights(weights, now=True)
        if places[0]:
            assert seen + list(rows) == expected + made(weights, limit=150_001).draw(0).tolist()[len(expected) :]
        else:
            assert list(rows) == made(weights, limit=150_001).draw(0).tolist()

    def test_after_the_last_row_they_are_those_of_the_next_epoch(self) -> None:
        sampler = made()
        assert list(sampler) == rows_by(WEIGHTS)
        sampler.set_weights(ONE, now=True)
        assert list(sampler) == rows_by(ONE, 1)

    def test_a_set_epoch_draws_by_the_newest(self) -> None:
        sampler = made()
        list(islice(sampler, 10))
        sampler.set_weights(ONE)
        sampler.set_epoch(0)
        assert list(sampler) == rows_by(ONE)
        assert sampler.draw(4).tolist() == rows_by(ONE, 4)

    def test_without_replacement_they_apply_from_the_next_epoch_on(self) -> None:
        sampler = made(replace=False)
        rows = iter(sampler)
        next(rows)
        with pytest.raises(TQLError, match="expected now=False with replace=False"):
            sampler.set_weights(ONE, now=True)
        sampler.set_weights(ONE)
        assert len(list(rows)) == DRAWS - 1
        assert list(sampler) == made(ONE, replace=False).draw(1).tolist()
        sampler.set_weights(TWO, now=True)  # between epochs
        assert list(sampler) == made(TWO, replace=False).draw(2).tolist()
        with pytest.warns(TQLWarning, match="only 3 have a positive weight"):
            sampler.set_weights(np.where(np.arange(ROWS) < 3, 1.0, 0.0))
        assert len(sampler) == 3 and sorted(sampler) == [0, 1, 2]
        even = made(design="systematic")
        next(iter(even))
        with pytest.raises(TQLError, match="expected now=False with design='systematic'"):
            even.set_weights(ONE, now=True)

    @pytest.mark.parametrize(
        ("weights", "error", "message"),
        [
            ([1.0, 2.0], TQLError, "expected 5,000 weights, one per row, got 2"),
            (-ONE, WeightError, "negative"),
            (np.zeros(ROWS), WeightError, "no row can be drawn"),
            ("agee", TQLNameError, "unknown column 'agee'"),
        ],
    )
    def test_what_is_wrong_changes_nothing(self, weights: Any, error: type[Exception], message: str) -> None:
        sampler = made()
        rows = iter(sampler)
        first = next(rows)
        with pytest.raises(error, match=message):
            sampler.set_weights(weights, now=True)
        with pytest.raises(TQLError, match="expected now= to be True or False"):
            sampler.set_weights(ONE, now=1)  # type: ignore[arg-type]
        assert [first, *rows] == rows_by(WEIGHTS)

    def test_a_copy_has_no_frame_and_takes_arrays(self) -> None:
        sampler = pickle.loads(pickle.dumps(made()))
        with pytest.raises(TQLError, match="expected a list or an array of weights"):
            sampler.set_weights("age")
        sampler.set_weights(ONE)
        assert list(sampler) == rows_by(ONE)
        assert len(pickle.dumps(made())) < 3 * ROWS

    def test_the_draws_of_the_new_weights_and_no_others(self) -> None:
        """Pearson's chi-square of draws from six rows, half of them by each of two weights."""
        frame, size = pl.DataFrame({"w": [1, 1, 2, 3, 5, 0]}), 60_000
        sampler, new = TQLSampler(frame, "w", limit=size, seed=1), np.array([5.0, 1.0, 1.0, 0.0, 2.0, 3.0])
        rows = iter(sampler)
        old = list(islice(rows, size // 2))
        sampler.set_weights(new, now=True)
        rest = np.bincount(list(rows), minlength=6)
        weights = frame["w"].to_numpy()
        assert p_of_counts(np.bincount(old, minlength=6), weights / weights.sum()) > ALPHA
        assert p_of_counts(rest, new / new.sum()) > ALPHA
        assert p_of_counts(rest, weights / weights.sum()) < 1e-12


class TestUpdate:
    @pytest.mark.parametrize("start", [WEIGHTS, ONE])
    def test_from_the_next_row_on(self, start: Any) -> None:
        sampler, weights = made(start), FRAME.tql.weights(start).to_numpy().copy()
        rows, seen = iter(sampler), []
        expected = rows_by(start)
        for number in range(12):
            seen += islice(rows, 97)
            some = np.array([number, 4 * number, 4_000 + number])
            values = np.array([300.0, 20.0 * number + 1, 0.5])
            sampler.update(some, values)
            weights[some] = values
            expected[len(seen) :] = rows_by_rows(weights)[len(seen) :]
        assert seen + list(rows) == expected
        assert (sampler.weights == weights).all()
        assert list(sampler) == sampler.draw(1).tolist() == rows_by_rows(weights, 1)

    def test_tensors_numbers_and_rows_that_come_twice(self) -> None:
        sampler = made()
        sampler.update(torch.tensor([4, 4], dtype=torch.int32), torch.tensor([2.0, 3.0], dtype=torch.bfloat16))
        sampler.update([5, 6], 7)
        sampler.update([], [])
        assert sampler.weights[4:7].tolist() == [3.0, 7.0, 7.0]

    def test_a_loader_gets_them_with_the_next_batch(self) -> None:
        sampler = made()
        batches = iter(DataLoader(range(ROWS), 50, sampler=sampler))  # type: ignore[arg-type]
        next(batches)
        sampler.update(np.arange(ROWS), 0.0 * ONE + (np.arange(ROWS) == 77))
        assert torch.cat(list(batches)).unique().tolist() == [77]

    def test_a_stale_weight_is_rejected(self) -> None:
        """Pearson's chi-square of draws from six rows, each 100 after a change: the last weights, none before."""
        frame = pl.DataFrame({"w": [1.0, 1, 2, 3, 5, 0]})
        stale, last = frame["w"].to_numpy(), np.array([1.0, 4.0, 2.0, 3.0, 1.0, 2.0])
        sampler = TQLSampler(frame, "w", limit=40_000, seed=1)
        rows, counts, shares = iter(sampler), np.zeros((2, 6), np.int64), (last / last.sum(), stale / stale.sum())
        for number in range(400):
            sampler.update([1, 4, 5], [last, stale][number % 2][[1, 4, 5]])
            counts[number % 2] += np.bincount(list(islice(rows, 100)), minlength=6)
        for own, right, wrong in ((0, *shares), (1, *reversed(shares))):
            assert p_of_counts(counts[own], right) > ALPHA
            assert p_of_counts(counts[own], wrong) < 1e-12

    def test_weights_of_the_next_epoch_are_those_that_change(self) -> None:
        sampler = made()
        rows = iter(sampler)
        first = next(rows)
        sampler.set_weights(ONE)
        sampler.update([3], [50.0])
        assert [first, *rows] == rows_by(WEIGHTS)
        weights = ONE.copy()
        weights[3] = 50
        assert list(sampler) == rows_by_rows(weights, 1)

    @pytest.mark.parametrize(
        ("indices", "values", "message"),
        [
            ([ROWS], [1.0], "expected indices= to be row positions from 0 to 4,999, got 5,000"),
            ([-1], [1.0], "expected indices= to be row positions from 0 to 4,999, got -1"),
            ([0.5], [1.0], "expected indices= to be a list of row positions, got values of type float64"),
            (3, 1.0, r"got an array of shape \(\)"),
            ([1, 2], [1.0], "expected values= to be 2 weights, one for each index, got 1"),
            ([1, 2], [1.0, -2.0], "expected values= to be finite and at least 0, got -2.0 for row 2"),
            ([1, 2], [np.nan, 1.0], "got nan for row 1"),
            ([1], ["much"], "expected values= to be numbers"),
            (np.arange(ROWS), 0.0, "no row can be drawn: the weight would be 0 in all 5,000 rows"),
        ],
    )
    def test_what_is_wrong_changes_nothing(self, indices: Any, values: Any, message: str) -> None:
        sampler = made()
        before = sampler.weights.copy()
        with pytest.raises(TQLError, match=message):
            sampler.update(indices, values)
        assert (sampler.weights == before).all()
        assert list(sampler) == rows_by(WEIGHTS)

    def test_samplers_that_cannot_be_updated(self) -> None:
        for sampler, words in (
            (made(replace=False), "got replace=False"),
            (made(design="systematic"), "got design='systematic'"),
            (made("random()"), r"got a sampler with random\(\)"),
        ):
            with pytest.raises(TQLError, match=words):
                sampler.update([0], [1.0])
        sampler.set_weights(sampler.weights)
        sampler.update([0], [1.0])

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
    def test_copies_change_alone(self, copied: Any) -> None:
        sampler = made()
        rows = iter(sampler)
        list(islice(rows, 100))
        sampler.update([0], [1_000.0])
        list(islice(rows, 100))
        other = copied(sampler)
        other.update([0], [0.0])
        assert (sampler.weights[0], other.weights[0]) == (1_000.0, 0.0)
        rest, others = list(rows), list(other)
        assert 0 in rest and 0 not in others and len(rest) == len(others)


def rows_by_rows(weights: np.ndarray, epoch: int = 0) -> list[int]:
    """Draw as after an update: each row a stratum of its own, however many weights are equal."""
    sampler = made(weights)
    sampler.update([0], weights[:1])
    return sampler.draw(epoch).tolist()


class TestExpected:
    def test_it_is_that_of_a_view(self) -> None:
        for options in ({}, {"replace": False}, {"design": "systematic"}):
            view = FRAME.tql.view(WEIGHTS, DRAWS, seed=3, **options)
            sampler = made(**options)
            assert np.allclose(sampler.expected(view.positions), view.expected(), rtol=1e-12)

    def test_after_an_update_and_within_an_epoch(self) -> None:
        sampler = made()
        rows = iter(sampler)
        next(rows)
        sampler.update([3, 4], [50.0, 0.0])
        weights = sampler.weights
        assert np.allclose(sampler.expected(np.arange(ROWS)), DRAWS * weights / weights.sum(), rtol=1e-12)
        sampler.set_weights(ONE)  # of the next epoch: rows of this one are drawn as before
        assert sampler.expected(torch.tensor([4])).tolist() == [0.0]
        list(rows)
        next(iter(sampler))
        assert np.allclose(sampler.expected([4]), DRAWS * ONE[4] / ONE.sum(), rtol=1e-12)

    def test_losses_weighted_by_it_are_unbiased(self) -> None:
        """The mean of 40,000 weighted losses is within 4 standard errors of the mean loss; that of others is not."""
        losses, size = RANDOM.random(ROWS) ** 3, 40_000
        sampler = made(limit=size)
        sampler.update(np.arange(ROWS), losses + 0.01)
        drawn = np.array(list(sampler))
        weighted = losses[drawn] * size / (ROWS * sampler.expected(drawn))
        error = weighted.std() / np.sqrt(size)
        assert abs(weighted.mean() - losses.mean()) < 4 * error
        assert abs(losses[drawn].mean() - losses.mean()) > 4 * losses.std() / np.sqrt(size)


class TestStates:
    def test_a_state_of_weights_that_never_changed_is_as_it_was(self) -> None:
        assert list(made().state_dict()) == ["epoch", "done", "seed", "limit", "replace", "rows", "sampler"]

    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_the_rest_of_an_epoch_with_changes(self, number: int) -> None:
        (epoch, following), states = change_weights(made())
        state, changes = states[number]
        assert len(json.dumps(state)) < 600
        again = made()
        for weights in changes:
            again.set_weights(weights)
        again.load_state_dict(json.loads(json.dumps(state)))
        rest = list(again)
        assert rest[:480] == epoch[state["done"] :][:480]
        if number:
            assert rest == epoch[state["done"] :]
        if number == 2:
            assert list(again) == following

    def test_rows_seen_before_changes_are_drawn_again_as_they_were(self) -> None:
        sampler = made()
        rows, seen = iter(sampler), []
        for weights in (ONE, "age", TWO):
            seen += islice(rows, 100)
            sampler.set_weights(weights, now=True)
        seen += islice(rows, 10)
        sampler.set_weights("random()")
        states = {
            each: json.loads(json.dumps(sampler.state_dict(seen=each))) for each in (0, 50, 100, 150, 299, 300, 305)
        }
        seen += rows
        following = list(sampler)
        for done, state in states.items():
            again = made()
            for weights in (ONE, "age", TWO, "random()"):
                again.set_weights(weights)
            again.load_state_dict(state)
            first = list(islice(again, 7))
            rest = pickle.loads(pickle.dumps(again))  # a copy in the middle goes on as well
            own = again.state_dict()
            assert first + list(rest) == seen[done:], done
            again.load_state_dict(own)
            assert list(again) == seen[done + 7 :]
            assert list(again) == list(rest) == following

    def test_weights_that_were_not_set_are_asked_for(self) -> None:
        sampler = made()
        rows = iter(sampler)
        list(islice(rows, 10))
        sampler.set_weights(ONE, now=True)
        sampler.set_weights(TWO)
        state = sampler.state_dict()
        again = made()
        with pytest.raises(TQLError, match="its sampler is weights of 5,000 rows, here it is max_weight") as caught:
            again.load_state_dict(state)
        assert "call set_weights first" in str(caught.value)
        again.set_weights(ONE)
        with pytest.raises(TQLError, match=r"weights that this sampler was not given: weights [0-9a-f]{32}"):
            again.load_state_dict(state)
        assert (again.epoch, list(again)) == (0, rows_by(ONE))
        again.set_weights(ONE)
        again.set_weights(TWO)
        again.load_state_dict(state)
        assert list(again) == list(rows)
        assert list(again) == list(sampler) == rows_by(TWO, 1)
        other = made(ONE + 1)
        with pytest.raises(TQLError, match=r"the state is that of another sampler: its weights is [0-9a-f]{32}, here"):
            other.load_state_dict(state)

    def test_what_else_differs_is_named(self) -> None:
        sampler = made()
        sampler.update([0], [9.0])
        state = sampler.state_dict()
        again = made(seed=4)
        again.set_weights(sampler.weights)
        with pytest.raises(TQLError, match=r"its seed is 3, here it is 4$") as caught:
            again.load_state_dict(state)
        assert "set_weights" not in str(caught.value)

    def test_a_change_without_a_place_is_no_state(self) -> None:
        sampler = made()
        with pytest.raises(TQLError, match="one of its changes has no 'done'"):
            sampler.load_state_dict(sampler.state_dict() | {"done": 5, "changes": [{"sampler": WEIGHTS}]})
        assert list(sampler) == rows_by(WEIGHTS)

    def test_an_updated_sampler_goes_on_from_its_weights(self) -> None:
        sampler = made()
        rows = iter(sampler)
        list(islice(rows, 70))
        sampler.update([0, 1], [900.0, 80.0])
        more = list(islice(rows, 5))
        with pytest.raises(TQLError, match="drawn by weights that update has changed since"):
            sampler.state_dict(seen=69)
        state = sampler.state_dict(seen=70)
        again = made()
        again.set_weights(sampler.weights)
        again.load_state_dict(state)
        again.load_state_dict(again.state_dict())
        assert list(again) == more + list(rows)
        again.update([0], [0.0])
        with pytest.raises(TQLError, match="its weights is"):
            again.load_state_dict(state)

    def test_weights_set_now_in_a_loaded_epoch_apply_to_its_rest(self) -> None:
        sampler = made()
        sampler.load_state_dict(sampler.state_dict() | {"done": 100})
        sampler.set_weights(ONE)
        sampler.set_weights(TWO, now=True)
        assert list(sampler) == rows_by(TWO)[100:]
        sampler.load_state_dict(sampler.state_dict() | {"epoch": 0, "done": 100})
        sampler.set_weights(ONE)
        assert list(sampler) == rows_by(TWO)[100:]
        assert list(sampler) == rows_by(ONE, 1)

    def test_weights_that_are_out_of_use_are_let_go(self) -> None:
        sampler = made()
        for _ in range(4):
            rows = iter(sampler)
            for _ in range(5):
                list(islice(rows, 10))
                sampler.set_weights(ONE, now=True)
                sampler.update([0], [1.0])
                sampler.set_weights(TWO)
            assert len(sampler._given) <= 3
            assert len(sampler._pass.spans) < 12  # type: ignore[union-attr]
