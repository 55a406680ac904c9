"""PyTorch: labels that are declared, states and attributes that do not fit, texts of samplers and data sets."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.utils.data import DataLoader  # noqa: E402

from tql_frames import TQLError, TQLTypeError  # noqa: E402
from tql_frames.torch import (  # noqa: E402
    TQLDataset,
    TQLIterableDataset,
    TQLSampler,
    iteration,
)

FRAME = pl.DataFrame({"age": [71, 34, 65], "sex": ["M", "F", "M"]})
WEIGHTS = "max_weight(age > 60: 2, true: 1)"


def codes(dataset: Any, name: str = "x") -> list[Any]:
    return [dataset[place][name].tolist() for place in range(len(dataset))]


class TestDeclaredLabels:
    @pytest.mark.fault("E14")
    @pytest.mark.parametrize("ordered", [False, True])
    @pytest.mark.parametrize(
        ("categories", "values", "expected"),
        [
            (["low", "mid", "high"], ["high", "low", "high"], [2, 0, 2]),
            (["mid", "low"], ["low", "mid", "low"], [1, 0, 1]),
            ([10, 3, 7], [7, 10, 10], [2, 0, 0]),
        ],
    )
    def test_categories_of_pandas_keep_their_order(
        self, ordered: bool, categories: list[Any], values: list[Any], expected: list[int]
    ) -> None:
        column = pd.Categorical(values, categories=categories, ordered=ordered)
        frame = pd.DataFrame({"x": column, "w": [1, 1, 1]}, index=["a", "a", "b"])
        dataset = TQLDataset(frame, ["x"], encode={"x": "label"})
        assert dataset.classes == {"x": categories}
        assert codes(dataset) == expected
        part = TQLDataset(frame[:1], ["x"], encode={"x": "label"})  # a table that has not all of them
        assert (codes(part), part.classes) == (expected[:1], {"x": categories})
        view = frame.tql.view("select x as y, w order by w", index="index").to_torch(["y"], encode={"y": "label"})
        assert view.classes == {"y": categories}
        assert codes(view, "y") == expected

    @pytest.mark.fault("E14")
    def test_categories_agree_with_an_enum(self) -> None:
        categories = ["high", "low", "mid"][::-1]
        pandas = pd.DataFrame({"x": pd.Categorical(["low", "high"], categories=categories)})
        polars = pl.DataFrame({"x": pl.Series(["low", "high"], dtype=pl.Enum(categories))})
        found = [TQLDataset(frame, encode={"x": "label"}) for frame in (pandas, polars, polars.lazy())]
        assert [each.classes["x"] for each in found] == [categories] * 3
        assert [codes(each) for each in found] == [[1, 2]] * 3

    @pytest.mark.fault("E14")
    @pytest.mark.parametrize("library", ["polars", "pandas", "lazy"])
    @pytest.mark.parametrize(
        ("values", "classes", "expected"),
        [
            (["b", "a", "b"], ["c", "b", "a"], [1, 2, 1]),
            ([3, -1, 3], [-1, 0, 3], [2, 0, 2]),
            ([3, -1, 3], [3, 5, -1], [0, 2, 0]),
            ([True, False, True], [True, False], [0, 1, 0]),
        ],
    )
    def test_classes_give_the_order(
        self, library: str, values: list[Any], classes: list[Any], expected: list[int]
    ) -> None:
        table = pl.DataFrame({"x": values, "w": [1, 1, 1]})
        frame = {"polars": table, "pandas": table.to_pandas(), "lazy": table.lazy()}[library]
        options: dict[str, Any] = {"encode": {"x": "label"}, "classes": {"x": classes}}
        dataset = TQLDataset(frame, ["x"], **options)
        assert (codes(dataset), dataset.classes) == (expected, {"x": classes})
        stream = TQLIterableDataset(frame, ["x"], **options)
        assert ([item["x"].item() for item in stream], stream.classes) == (expected, {"x": classes})
        view = frame.tql.view("select *").to_torch(["x"], **options)
        assert view.classes == {"x": classes}
        batch = next(iter(DataLoader(view, batch_size=3)))
        assert batch["x"].tolist() == expected

    @pytest.mark.fault("E14")
    @pytest.mark.parametrize("dtype", [pl.List(pl.String), pl.List(pl.Categorical), pl.List(pl.Enum(["a", "b", "z"]))])
    @pytest.mark.parametrize("lazy", [False, True])
    def test_classes_of_lists(self, dtype: Any, lazy: bool) -> None:
        frame = pl.DataFrame({"x": pl.Series([["b"], [], ["a", "b"]]).cast(dtype)})
        made = TQLDataset(frame.lazy() if lazy else frame, encode={"x": "multi_hot"}, classes={"x": ["b", "q", "a"]})
        assert codes(made) == [[1, 0, 0], [0, 0, 0], [1, 0, 1]]
        numbers = pl.DataFrame({"x": [[5], [], [2, 5]]})
        assert codes(TQLDataset(numbers, encode={"x": "multi_hot"}, classes={"x": [5, 2]})) == [[1, 0], [0, 0], [1, 1]]

    @pytest.mark.fault("E14")
    @pytest.mark.parametrize("lazy", [False, True])
    def test_a_value_that_is_no_class_is_refused(self, lazy: bool) -> None:
        def made(values: list[Any], kind: str, classes: list[Any], where: str = "1") -> Any:
            frame = pl.DataFrame({"x": values, "w": range(len(values))})
            view = (frame.lazy() if lazy else frame).tql.view(f"select * where w >= {where}")
            return TQLDataset(view, ["x"], encode={"x": kind}, classes={"x": classes})

        with pytest.raises(
            TQLError, match="column 'x' holds 'Hernai' in row 2, which is none of its 2 classes"
        ) as caught:
            made(["Mass", "Hernia", "Hernai"], "label", ["Hernia", "Mass"])
        assert caught.value.hint == "did you mean 'Hernia'?"
        with pytest.raises(TQLError, match="column 'x' holds 9 in row 1, which is none of its 2 classes"):
            made([1, 9, 2], "label", [2, 1])
        with pytest.raises(TQLError, match="column 'x' holds 9 in row 1, which is none of its 0 classes"):
            made([1, 9, 2], "label", [])
        with pytest.raises(TQLError, match="column 'x' holds 'c' in row 2, which is none of its 2 classes"):
            made([["a"], [], ["a", "c"]], "multi_hot", ["a", "b"])
        assert codes(made([9, 1, 2], "label", [2, 1])) == [1, 0]  # of a row that is not in use
        assert codes(made([["c"], ["a"], []], "multi_hot", ["a", "b"])) == [[1, 0], [0, 0]]

    @pytest.mark.fault("E14")
    @pytest.mark.parametrize(
        ("classes", "words"),
        [
            (["a", "b"], "expected classes= to be a dict of lists by column name, got list"),
            ({"age": [71]}, "classes names column 'age', which encode does not"),
            ({"sex": "FM"}, "expected classes of column 'sex' to be a list of labels, got 'FM'"),
            ({"sex": 5}, "expected classes of column 'sex' to be a list of labels, got 5"),
            ({"sex": ["F", "M", "F"]}, "class 'F' of column 'sex' is there twice"),
            ({"sex": ["F", 5]}, "class 5 of column 'sex' is no value of type String"),
            ({"sex": ["F", None]}, "class None of column 'sex' is no value of type String"),
        ],
    )
    def test_wrong_classes(self, classes: Any, words: str) -> None:
        with pytest.raises(TQLError, match=words):
            TQLDataset(FRAME, encode={"sex": "label"}, classes=classes)

    @pytest.mark.fault("E14")
    def test_types_without_labels(self) -> None:
        frame = pl.DataFrame({"x": [0.5, 1.0]})
        with pytest.raises(TQLTypeError, match="values of type Float64, which are no labels"):
            TQLDataset(frame, encode={"x": "label"}, classes={"x": [1]})


class TestAttributes:
    @pytest.mark.fault("E4")
    @pytest.mark.parametrize(
        "name", ["weights", "num_samples", "replacement", "seed", "limit", "replace", "rank", "drop_last"]
    )
    def test_what_cannot_be_set_is_refused(self, name: str) -> None:
        sampler = TQLSampler(FRAME, WEIGHTS)
        before = list(sampler)
        advice = "call set_weights" if name == "weights" else "make another sampler"
        with pytest.raises(AttributeError, match=f"{name} of a TQLSampler cannot be set: {advice}"):
            setattr(sampler, name, [1.0, 2.0, 3.0])
        sampler.set_epoch(0)
        assert list(sampler) == before

    @pytest.mark.fault("E4")
    def test_the_way_to_other_weights_is_told(self) -> None:
        sampler = TQLSampler(FRAME, WEIGHTS)
        with pytest.raises(AttributeError, match="weights of a TQLSampler cannot be set: call set_weights"):
            sampler.weights = torch.ones(3)  # type: ignore[misc]
        with pytest.raises(AttributeError, match="call set_epoch"):
            sampler.epoch = 5  # type: ignore[misc]
        assert list(pickle.loads(pickle.dumps(sampler))) == list(sampler)

    @pytest.mark.fault("E4")
    @pytest.mark.parametrize("made", [TQLDataset, TQLIterableDataset])
    def test_a_transform_may_be_set(self, made: Any) -> None:
        dataset = made(FRAME, ["age"])
        dataset.transform = lambda item: item["age"].item() + 1
        assert list(dataset) == [72, 35, 66]


class TestStates:
    @pytest.mark.fault("E5")
    def test_the_state_of_another_sampler_text_is_refused(self) -> None:
        state = TQLSampler(FRAME, "age", seed=1).state_dict()
        assert state["sampler"] == "age"
        other = TQLSampler(FRAME, WEIGHTS, seed=1)
        with pytest.raises(TQLError) as caught:
            other.load_state_dict(state)
        assert caught.value.message == f"the state is that of another sampler: its sampler is age, here it is {WEIGHTS}"
        assert other.epoch == 0

    @pytest.mark.fault("E5")
    def test_everything_that_differs_is_named(self) -> None:
        state = TQLSampler(FRAME, "age", seed=1, limit=5).state_dict()
        with pytest.raises(
            TQLError, match="its seed is 1, here it is 2; its limit is 5, here it is None; its replace is True"
        ):
            TQLSampler(FRAME, "age", seed=2, replace=False).load_state_dict(state)
        with pytest.raises(TQLError, match="its rows is 3, here it is 2"):
            TQLSampler(FRAME[:2], "age", seed=1, limit=5).load_state_dict(state)
        with pytest.raises(TQLError, match="its replace is 1, here it is True"):
            TQLSampler(FRAME, "age", seed=1, limit=5).load_state_dict(state | {"replace": 1})

    @pytest.mark.fault("E5")
    @pytest.mark.parametrize("state", [None, 5, "state", [("epoch", 1)]], ids=str)
    def test_what_is_no_state_is_refused(self, state: Any) -> None:
        with pytest.raises(TQLError, match=f"to be what state_dict returned, got {type(state).__name__}"):
            TQLSampler(FRAME, "age").load_state_dict(state)

    @pytest.mark.fault("E5")
    def test_expressions_are_samplers_with_a_text(self) -> None:
        state = TQLSampler(FRAME, pl.col("age") + 1).state_dict()
        TQLSampler(FRAME, pl.col("age") + 1).load_state_dict(state)
        for other in (pl.col("age") + 2, "age + 1"):
            with pytest.raises(TQLError, match="its sampler is"):
                TQLSampler(FRAME, other).load_state_dict(state)

    def test_how_a_text_is_written_does_not_count(self) -> None:
        state = TQLSampler(FRAME, WEIGHTS).state_dict()
        TQLSampler(FRAME, "MAX_WEIGHT( age>60:2,\n TRUE : 1 )").load_state_dict(state)
        TQLSampler(FRAME, WEIGHTS).load_state_dict({name: state[name] for name in state if name != "sampler"})


class TestOtherFrames:
    @pytest.mark.fault("G")
    @pytest.mark.parametrize("workers", [0, 1])
    def test_a_sampler_of_a_longer_frame_is_explained(self, workers: int) -> None:
        draws = TQLSampler(pl.DataFrame({"w": [0, 0, 0, 1]}), "w", limit=4)
        loader = DataLoader(TQLDataset(FRAME), batch_size=2, sampler=draws, num_workers=workers, timeout=60 * workers)
        with pytest.raises(TQLError, match="the sampler draws from 4 rows, and the data set has 3") as caught:
            list(loader)
        assert "make the sampler and the data set of the same frame or view" in str(caught.value)

    @pytest.mark.fault("G")
    def test_one_item_beyond(self) -> None:
        with pytest.raises(TQLError, match="item 3 was asked for, and the data set has 3 rows") as caught:
            TQLDataset(FRAME).__getitems__([0, 3])
        assert "that of the sampler has at least 4 rows" in str(caught.value)

    @pytest.mark.fault("A-minor")
    @pytest.mark.parametrize("place", [-4, 3, -(2**70), 2**70, np.int64(-4)])
    def test_items_beyond_both_ends_are_index_errors(self, place: int) -> None:
        dataset = TQLDataset(FRAME)
        with pytest.raises(IndexError, match="the data set has 3 rows"):
            dataset[place]
        with pytest.raises(IndexError, match="the data set has 3 rows"):
            dataset.__getitems__([0, place])
        assert [dataset[place]["age"].item() for place in (-3, -1, 0, 2)] == [71, 65, 71, 65]

    @pytest.mark.fault("A-minor")
    def test_several_items_from_the_end(self) -> None:
        rows = TQLDataset(FRAME).__getitems__([-1, 0, -3])
        assert [row["age"].item() for row in rows] == [65, 71, 71]


class TestTexts:
    @pytest.mark.filterwarnings("ignore::tql_frames.TQLArmWarning")
    @pytest.mark.fault("G")
    def test_a_sampler_tells_what_it_draws(self) -> None:
        sampler = TQLSampler(FRAME, WEIGHTS, limit=1_000, seed=7)
        words = f"TQLSampler({WEIGHTS}: 1,000 of 3 rows, with replacement, seed 7, epoch 0)"
        assert repr(sampler) == words
        list(sampler)
        assert repr(sampler) == words.replace("epoch 0", "epoch 1")
        other = TQLSampler(FRAME, "age", replace=False, limit=2, num_replicas=4, rank=1)
        assert repr(other) == "TQLSampler(age: 2 of 3 rows, without replacement, seed 0, epoch 0, rank 1 of 4)"
        long = TQLSampler(FRAME, f"max_weight({', '.join(f'age = {age}: 2' for age in range(60, 80))}, true: 1)")
        assert len(repr(long)) < 200

    @pytest.mark.fault("G")
    @pytest.mark.parametrize("made", [TQLDataset, TQLIterableDataset])
    def test_a_data_set_tells_its_columns(self, made: Any) -> None:
        dataset = made(FRAME, target="sex", encode={"sex": "label"})
        assert repr(dataset) == f"{made.__name__} of 3 rows: age; target sex (label, 2 classes)"
        wide = made(pl.DataFrame({f"c{place}": [1] for place in range(2_000)}))
        assert repr(wide).endswith("c8, c9 and 1,990 more")


class TestAtConstants:
    @pytest.mark.fault("I-torch")
    @pytest.mark.parametrize("replace", [True, False])
    @pytest.mark.parametrize("weights", ["age", WEIGHTS, "random()"])
    def test_a_limit_of_nothing(self, replace: bool, weights: str) -> None:
        sampler = TQLSampler(FRAME, weights, limit=0, replace=replace)
        drawn = sampler.draw(0)
        assert drawn.tolist() == []
        assert np.issubdtype(drawn.dtype, np.integer)
        assert (len(sampler), list(sampler)) == (0, [])
        assert sampler.draw(3).shape == (0,)

    @pytest.mark.fault("I-torch")
    @pytest.mark.parametrize("add", [-1, 0, 1, iteration._LIST])
    def test_positions_at_the_size_of_a_list(self, add: int) -> None:
        size = iteration._LIST + add
        sampler = TQLSampler(FRAME, "age", limit=size, seed=1)
        expected = sampler.draw(0).tolist()
        assert len(expected) == size
        assert list(sampler) == expected
        assert sampler.state_dict()["done"] == size
        # Stopped at, before and after the end of a list, it goes on with the next row.
        for done in (1, iteration._LIST - 1, iteration._LIST, min(iteration._LIST + 1, size)):
            sampler.set_epoch(0)
            rows = iter(sampler)
            for _ in range(min(done, size)):
                next(rows)
            again = TQLSampler(FRAME, "age", limit=size, seed=1)
            again.load_state_dict(sampler.state_dict())
            assert list(again) == expected[done:]

    @pytest.mark.fault("I-torch")
    @pytest.mark.parametrize("lazy", [False, True])
    def test_more_rows_of_lists_than_are_written_at_a_time(self, lazy: bool) -> None:
        rows = 65_536 * 2 + 3
        numbers = np.arange(rows)
        frame = pl.DataFrame({"n": numbers}).with_columns(
            l=pl.concat_list(pl.col("n"), pl.col("n") + 1), h=pl.concat_list((pl.col("n") % 3).cast(pl.String))
        )
        dataset = TQLDataset(frame.lazy() if lazy else frame, ["l", "h"], encode={"h": "multi_hot"})
        places = [0, 65_535, 65_536, 65_537, 131_071, 131_072, rows - 1]
        for place, item in zip(places, dataset.__getitems__(places), strict=True):
            assert item["l"] == [place, place + 1]
            assert item["h"].tolist() == [float(place % 3 == label) for label in range(3)]
        assert all(a < b for a, b in pairwise(places))
