"""Several tables in one loader: shares of epochs, when these end, labels, processes, what is refused."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.utils.data import ConcatDataset, DataLoader  # noqa: E402

import tql_frames  # noqa: E402
from tests.sizes import size  # noqa: E402
from tests.statistics import p_of_counts  # noqa: E402
from tql_frames import TQLError, WeightError  # noqa: E402
from tql_frames.torch import TQLDataset, TQLSampler, mix  # noqa: E402

ALPHA = 1e-4  # fixed seeds: each test was right when it was written, and stays so
SIZES = (700, 400, 50)
FRAMES = [
    pl.DataFrame(
        {
            "source": [source] * rows,
            "row": np.arange(rows),
            "label": [f"{'abc'[source + row % 2 - (source == 2)]}" for row in range(rows)],
            "words": [[source, row] for row in range(rows)],
        }
    )
    for source, rows in enumerate(SIZES)
]
SHARES = [0.7, 0.2, 0.1]
STARTS = np.cumsum([0, *SIZES])


def sources(places: Any) -> Any:
    return np.searchsorted(STARTS, places, side="right") - 1


def counts_of(places: Any) -> list[int]:
    return np.bincount(sources(places), minlength=3).tolist()


class TestShares:
    def test_an_epoch_has_its_share_of_each_table(self) -> None:
        _, draws = mix(FRAMES, shares=SHARES, limit=10_000)
        for _ in range(3):
            assert counts_of(list(draws)) == [7_000, 2_000, 1_000]
        _, draws = mix(FRAMES, shares=[1, 1, 1], limit=100)
        assert sorted(counts_of(draws.draw(0))) == [33, 33, 34]

    @pytest.mark.parametrize(
        ("stop", "rows"),
        [(None, 500), ("first_exhausted", 500), ("all_exhausted", 2000)],  # 50 / 0.1 and 400 / 0.2
    )
    @pytest.mark.parametrize("replace", [False, True])
    def test_when_an_epoch_ends(self, stop: Any, rows: int, replace: bool) -> None:
        _, draws = mix(FRAMES, shares=SHARES, stop=stop, replace=replace)
        places = list(draws)
        assert len(draws) == len(places) == rows
        assert counts_of(places) == [int(rows * 0.7), int(rows * 0.2), int(rows * 0.1)]
        if not replace and stop != "all_exhausted":
            assert len(set(places)) == rows
        if not replace and stop == "all_exhausted":
            assert set(places) == set(range(sum(SIZES)))
            assert np.bincount(places)[STARTS[2] :].tolist() == [4] * 50  # in passes

    def test_rows_of_weight_zero_are_none_of_a_table(self) -> None:
        _, draws = mix(FRAMES, shares=[1, 1, 2], sampler=["max_weight(row < 30: 1)", "1", "1"])
        assert len(draws) == 100  # the third table is used up before the first
        assert set(np.array(list(draws))[sources(draws.draw(0)) == 0]) <= set(range(30))

    def test_rows_of_a_table_are_drawn_by_its_sampler(self) -> None:
        samplers = ["max_weight(row < 100: 5, True: 1)", "1", np.arange(50.0)]
        _, draws = mix(FRAMES, shares=[1, 1, 1], sampler=samplers, replace=True, limit=size(9_000, 90_000))
        places = draws.draw(0)
        weights = np.where(np.arange(700) < 100, 5.0, 1.0)
        for source, expected in ((0, weights), (1, np.ones(400)), (2, np.arange(50.0))):
            own = places[sources(places) == source] - STARTS[source]
            counts = np.bincount(own, minlength=SIZES[source])
            few = np.add.reduceat(counts, np.arange(0, SIZES[source], 50))  # so that five are expected of each
            chances = np.add.reduceat(expected / expected.sum(), np.arange(0, SIZES[source], 50))
            assert len(few) == 1 or p_of_counts(few, chances) > ALPHA
            assert source or p_of_counts(few, np.full(14, 1 / 14)) < ALPHA
        assert [each.shape for each in draws.weights] == [(700,), (400,), (50,)]

    def test_tables_come_in_a_random_order(self) -> None:
        _, draws = mix(FRAMES, shares=SHARES, limit=10, seed=1)
        firsts = np.zeros(3, int)
        for epoch in range(size(1_000, 10_000)):
            firsts[sources(draws.draw(epoch)[:1])] += 1
        assert p_of_counts(firsts, SHARES) > ALPHA
        assert p_of_counts(firsts, [0.6, 0.3, 0.1]) < ALPHA


class TestRows:
    @pytest.mark.parametrize("workers", [0, 2])
    def test_items_are_those_of_the_tables(self, workers: int) -> None:
        rows, draws = mix(FRAMES, shares=SHARES, target="label", encode={"label": "label"}, seed=4)
        assert rows.classes == {"label": ["a", "b", "c"]}
        seen = []
        for features, target in DataLoader(rows, batch_size=64, sampler=draws, num_workers=workers):
            together = zip(
                features["source"].tolist(), features["row"].tolist(), features["words"], target, strict=True
            )
            for source, row, words, label in together:
                assert words == [source, row]
                assert rows.classes["label"][label] == FRAMES[source]["label"][row]
                seen.append(int(STARTS[source]) + row)
        assert seen == draws.draw(0).tolist()
        assert len(rows) == sum(SIZES)
        assert rows[-1][0]["row"] == 49

    def test_a_transform(self) -> None:
        rows, _ = mix(FRAMES, shares=SHARES, transform=lambda item: int(item["row"]))
        assert rows[701] == 1
        assert rows.__getitems__([0, 701, 1_100]) == [0, 1, 0]

    def test_kinds_of_frames(self) -> None:
        expected = mix(FRAMES, shares=SHARES, seed=2).sampler.draw(1).tolist()
        view = FRAMES[2].tql.view("1", limit=50, replace=False, order="source")
        kinds = [FRAMES[0].to_pandas(), FRAMES[1].lazy(), view]
        rows, draws = mix(kinds, shares=SHARES, seed=2, columns=["row", "words"])
        assert draws.draw(1).tolist() == expected
        batch = next(iter(DataLoader(rows, batch_size=500, sampler=draws)))
        assert batch["words"][:2] == [
            [int(sources(place)), int(place - STARTS[sources(place)])] for place in draws.draw(0)[:2]
        ]

    def test_labels_in_the_order_of_a_table_that_has_all(self) -> None:
        ordered = pl.Enum(["c", "b", "a"])
        frames = [FRAMES[0].with_columns(pl.col("label").cast(ordered)), FRAMES[1]]
        rows, _ = mix(frames, shares=[1, 1], columns=["label"], encode={"label": "label"})
        assert rows.classes["label"] == ["c", "b", "a"]
        rows, _ = mix(
            FRAMES, shares=SHARES, columns=["label"], encode={"label": "label"}, classes={"label": ["b", "c", "a"]}
        )
        assert rows.classes["label"] == ["b", "c", "a"]

    def test_no_such_row(self) -> None:
        rows, _ = mix(FRAMES, shares=SHARES)
        for call in (lambda: rows[1_150], lambda: rows.__getitems__([0, -1_151])):
            with pytest.raises(IndexError, match="the data set has 1,150 rows"):
                call()
        with pytest.raises(TQLError, match="whole number"):
            rows["a"]

    def test_places_that_are_none(self) -> None:
        rows, draws = mix(FRAMES, shares=SHARES)
        assert len(rows.__getitems__([])) == 0
        for places in (["a"], [1.5], [[1, 2]], [[1], [2, 3]]):
            with pytest.raises(TQLError, match="expected places of items to be whole numbers"):
                rows.__getitems__(places)
            with pytest.raises(TQLError, match="expected places of items to be whole numbers"):
                TQLDataset(FRAMES[0]).__getitems__(places)
        with pytest.raises(TQLError, match="expected a list of places, got"):
            list(DataLoader(rows, batch_sampler=draws))

    def test_wrapped_data_sets_are_not_mistaken(self) -> None:
        tables = ConcatDataset([TQLDataset(FRAMES[0]), TQLDataset(FRAMES[1])])
        both = pl.concat(FRAMES[:2])
        for seed in range(10):
            draws = TQLSampler(both, "1", limit=20, seed=seed)
            found = [row for batch in DataLoader(tables, batch_size=10, sampler=draws) for row in batch["row"].tolist()]
            assert found == both["row"][draws.draw(0).tolist()].to_list()

    def test_copies_of_drawn_rows_are_plain_numbers(self) -> None:
        draws = TQLSampler(FRAMES[0], "1", limit=5)
        for copied in (pickle.loads(pickle.dumps(list(draws))), copy.deepcopy(list(draws))):
            assert all(type(row) is int for row in copied)

    def test_a_sampler_of_another_mix_is_found_out(self) -> None:
        rows, _ = mix(FRAMES[1:], shares=SHARES[1:])
        _, draws = mix(FRAMES, shares=SHARES)
        with pytest.raises(IndexError, match="make the sampler and the data set of the same frame"):
            list(DataLoader(rows, batch_size=500, sampler=draws))


class TestEpochs:
    @pytest.mark.parametrize("processes", [2, 4])
    def test_processes_and_states(self, processes: int) -> None:
        _, single = mix(FRAMES, shares=SHARES, seed=3)
        whole = single.draw(1).tolist()
        states = []
        for rank in range(processes):
            _, own = mix(FRAMES, shares=SHARES, seed=3, num_replicas=processes, rank=rank)
            assert list(own) == single.draw(0).tolist()[rank::processes]
            rows = iter(own)
            assert [next(rows) for _ in range(30)] == whole[rank : 30 * processes : processes]
            states.append(json.loads(json.dumps(own.state_dict())))
        assert all(state == states[0] for state in states)
        _, again = mix(FRAMES, shares=SHARES, seed=3)
        again.load_state_dict(states[0])
        assert list(again) == whole[30 * processes :]
        assert list(pickle.loads(pickle.dumps(again))) == single.draw(2).tolist()

    def test_states_of_others(self) -> None:
        state = mix(FRAMES, shares=SHARES).sampler.state_dict()
        for options in ({"shares": [1, 1, 1]}, {"seed": 2}, {"limit": 10}, {"replace": True}, {"sampler": "row"}):
            with pytest.raises(TQLError, match="the state is that of another sampler"):
                mix(FRAMES, **{"shares": SHARES} | options).sampler.load_state_dict(state)

    def test_new_numbers_for_each_epoch(self) -> None:
        _, draws = mix(
            FRAMES, shares=SHARES, sampler="max_weight(random() > 549755813888: 1)", limit=1_000, replace=True
        )
        one, other = set(draws.draw(0).tolist()), set(draws.draw(1).tolist())
        assert len(one - other) > 100

    def test_repr(self) -> None:
        rows, draws = mix(FRAMES, shares=SHARES, columns=["row"])
        assert repr(draws) == "MixedSampler(3 tables: 500 rows, 350 + 100 + 50, without replacement, seed 0, epoch 0)"
        assert repr(rows).startswith(
            "MixedDataset of 3 tables, 700 + 400 + 50 rows; the first: TQLDataset of 700 rows: row"
        )
        for name in ("shares", "weights", "epoch"):
            with pytest.raises(AttributeError, match=f"{name} of a MixedSampler cannot be set"):
                setattr(draws, name, 1)


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (FRAMES, {"shares": torch.tensor([1, 2])}, "a list of 3 numbers"),
        (FRAMES, {"shares": np.float64(0.5)}, "expected shares= to be a list"),
        (FRAMES, {"shares": [10**400, 1, 1]}, "table 2 gets no row"),
        (FRAMES, {"shares": [99, 1, 1], "limit": 10}, "table 2 gets no row of an epoch of 10"),
        (FRAMES, {"limit": 10**30}, "does not fit into memory"),
        (FRAMES, {"shares": [1, 1, 1e-300], "stop": "all_exhausted"}, "does not fit into memory"),
        (FRAMES, {"sampler": "max_weight(random() > 5: 1)"}, "random.. has other rows in each epoch"),
        (
            [FRAMES[0], FRAMES[1].with_columns(pl.col("row").cast(pl.Int32))],
            {"shares": [1, 1]},
            "column 'row' is of type Int64 in the first table, and of type Int32 in table 2",
        ),
        (
            [FRAMES[0], FRAMES[1].with_columns(label=pl.col("row"))],
            {"shares": [1, 1], "encode": {"label": "label"}},
            "column 'label' is of type String in the first table",
        ),
        (FRAMES, {"shares": [1, 2]}, "a list of 3 numbers, one for each table"),
        (FRAMES, {"shares": [1, 2, 0]}, "a number above 0, got 0"),
        (FRAMES, {"shares": [1, 2, float("nan")]}, "above 0, got nan"),
        (FRAMES, {"shares": [1, 2, "a"]}, "above 0, got 'a'"),
        (FRAMES, {"shares": 1}, "expected shares= to be a list"),
        (FRAMES[0], {"shares": [1]}, "expected frames= to be a list"),
        ([], {"shares": []}, "expected frames= to be a list"),
        (FRAMES, {"limit": 0}, "limit"),
        (FRAMES, {"limit": 5, "stop": "all_exhausted"}, "limit= and stop= were both given"),
        (FRAMES, {"stop": "first"}, "'first_exhausted' or 'all_exhausted', got 'first'"),
        (FRAMES, {"sampler": ["1", "1"]}, "a list of 3, got a list of 2"),
        (FRAMES, {"sampler": "nothing"}, "nothing"),
        (FRAMES, {"replace": 1}, "replace"),
        ([FRAMES[0], FRAMES[1].drop("words")], {"shares": [1, 1]}, "the columns of table 2 are"),
        (FRAMES, {"columns": ["nothing"]}, "unknown column 'nothing'"),
        ([FRAMES[0], 3], {"shares": [1, 1]}, "int"),
        (FRAMES, {"weights": 3}, "weights"),
    ],
)
def test_refused(frames: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((TQLError, TypeError), match=message):
        mix(frames, **{"shares": SHARES} | options)


def test_a_table_without_weight() -> None:
    with pytest.raises(WeightError, match="the weight is 0 in all 400 rows") as fault:
        mix(FRAMES, shares=SHARES, sampler=["1", "0 * row", "1"])
    assert fault.value.__notes__ == ["in table 2 of 3"]
    with pytest.raises(WeightError, match="no row of table 2 can be drawn"):
        mix([FRAMES[0], FRAMES[1].head(0), FRAMES[2]], shares=SHARES)


def test_the_recipe_for_frames() -> None:
    statement = (
        "(select source, row from a sample by 1 replace False limit 350) "
        "union all (select source, row from b sample by 1 replace False limit 100) "
        "union all (select source, row from c sample by 1 replace False limit 50)"
    )
    found = tql_frames.query(statement, a=FRAMES[0], b=FRAMES[1], c=FRAMES[2], seed=1)
    assert found["source"].value_counts().sort("source")["count"].to_list() == [350, 100, 50]
    rows, _ = mix(FRAMES, shares=SHARES)
    assert isinstance(rows._tables[0], TQLDataset)
