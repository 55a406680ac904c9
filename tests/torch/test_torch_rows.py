"""Rows of frames and views as PyTorch data sets: what each type of column becomes, item by item and in batches."""

from __future__ import annotations

import datetime as dt
import gc
import pickle
import timeit
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.utils.data import DataLoader, IterableDataset, RandomSampler, Subset, default_collate  # noqa: E402

from tests.torch_programs import WEIGHTS, same, table  # noqa: E402
from tql_frames import TQLError, TQLNameError, TQLTypeError  # noqa: E402
from tql_frames.torch import TQLDataset, TQLIterableDataset  # noqa: E402

FRAME = table()
# What Python 3.12 and newer say of forks beside threads, which Polars has: that workers do not hang is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
DAY = dt.date(2024, 2, 29)
NOON = dt.datetime(2024, 2, 29, 12)

# Values, their Polars type, the type of the tensor, its values.
NUMBERS = {
    "Int8": ([1, -2], pl.Int8, torch.int8, [1, -2]),
    "Int16": ([1, -2], pl.Int16, torch.int16, [1, -2]),
    "Int32": ([1, -2], pl.Int32, torch.int32, [1, -2]),
    "Int64": ([1, -(2**60)], pl.Int64, torch.int64, [1, -(2**60)]),
    "Int128": ([1, -(2**60)], pl.Int128, torch.int64, [1, -(2**60)]),
    "UInt8": ([1, 255], pl.UInt8, torch.uint8, [1, 255]),
    "UInt16": ([1, 65_535], pl.UInt16, torch.int32, [1, 65_535]),
    "UInt32": ([1, 2**32 - 1], pl.UInt32, torch.int64, [1, 2**32 - 1]),
    "UInt64": ([1, 2**63 - 1], pl.UInt64, torch.int64, [1, 2**63 - 1]),
    "Float32": ([0.5, -1.25], pl.Float32, torch.float32, [0.5, -1.25]),
    "Float64": ([0.1, -1.25], pl.Float64, torch.float64, [0.1, -1.25]),
    "Boolean": ([True, False], pl.Boolean, torch.bool, [True, False]),
    "Decimal": ([Decimal("0.10"), Decimal("2.00")], pl.Decimal(10, 2), torch.float64, [0.1, 2.0]),
    "Date": ([DAY, dt.date(1970, 1, 2)], pl.Date, torch.int32, [19_782, 1]),
    "Datetime": ([NOON, dt.datetime(1970, 1, 1)], pl.Datetime("ms"), torch.int64, [1_709_208_000_000, 0]),
    "Duration": ([dt.timedelta(seconds=2)] * 2, pl.Duration("us"), torch.int64, [2_000_000] * 2),
    "Time": ([dt.time(0, 0, 1)] * 2, pl.Time, torch.int64, [10**9] * 2),
    "Array": ([[1, 2], [3, 4]], pl.Array(pl.Int16, 2), torch.int16, [[1, 2], [3, 4]]),
    "Array of Arrays": ([[[1.0], [2.0]]] * 2, pl.Array(pl.Float32, (2, 1)), torch.float32, [[[1.0], [2.0]]] * 2),
    "Array of UInt16": ([[1, 2], [3, 65_535]], pl.Array(pl.UInt16, 2), torch.int32, [[1, 2], [3, 65_535]]),
    "Array of Boolean": ([[True, False]] * 2, pl.Array(pl.Boolean, 2), torch.bool, [[True, False]] * 2),
}
PYTHON = {
    "String": (["a", "é"], pl.String),
    "Enum": (["F", "M"], pl.Enum(["M", "F"])),
    "Categorical": (["F", "M"], pl.Categorical),
    "Binary": ([b"a", b""], pl.Binary),
    "List": ([["a", "b"], []], pl.List(pl.String)),
    "List of Enum": ([["M"], ["F", "M"]], pl.List(pl.Enum(["M", "F"]))),
    "List of numbers": ([[1, 2], [3]], pl.List(pl.Int64)),
    "Struct": ([{"x": 1, "y": "a"}, {"x": 2, "y": "b"}], pl.Struct({"x": pl.Int64, "y": pl.String})),
    "List of Structs": ([[{"x": 1}], []], pl.List(pl.Struct({"x": pl.Int64}))),
    "Array of String": ([["a", "b"], ["c", "d"]], pl.Array(pl.String, 2)),
    "null text": (["a", None], pl.String),
    "null list": ([None, ["a"]], pl.List(pl.String)),
}


def where(rows: int, places: list[int]) -> pl.DataFrame:
    return pl.DataFrame({"place": places}).with_columns(rows=rows)


def kinds(series: pl.Series, folder: Path) -> dict[str, object]:
    """The same column, where it can be: in memory, at rows of a view, in a file."""
    frame = series.alias("x").to_frame()
    path = folder / "rows.parquet"
    if series.dtype != pl.Int128:  # which Polars 1.30 does not write
        frame.write_parquet(path)
    found = {
        "frame": frame,
        "chunks": pl.concat([frame[:1], frame[1:]], rechunk=False),
        "slice": pl.concat([frame, frame, frame])[len(frame) : 2 * len(frame)],
        "view": pl.concat([frame, frame]).tql.view(f"select * limit {len(frame)} offset {len(frame)}"),
        "plan": frame.lazy(),
    }
    return found | ({"scan": pl.scan_parquet(path)} if path.exists() else {})


# --- what columns become ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_become_tensors(name, tmp_path):
    values, dtype, expected, numbers = NUMBERS[name]
    for kind, frame in kinds(pl.Series(values, dtype=dtype), tmp_path).items():
        rows = TQLDataset(frame)
        assert len(rows) == 2
        for place, number in enumerate(numbers):
            assert same(rows[place], {"x": torch.tensor(number, dtype=expected)}), kind
        assert same(next(iter(DataLoader(rows, 2))), {"x": torch.tensor(numbers, dtype=expected)}), kind
        assert same(list(TQLIterableDataset(frame)), [rows[0], rows[1]]), kind
        assert same(next(iter(DataLoader(pickle.loads(pickle.dumps(rows)), 2))), next(iter(DataLoader(rows, 2))))


@pytest.mark.parametrize("name", PYTHON)
def test_other_values_stay_python_values(name, tmp_path):
    values, dtype = PYTHON[name]
    for kind, frame in kinds(pl.Series(values, dtype=dtype), tmp_path).items():
        rows = TQLDataset(frame)
        assert [rows[place] for place in range(2)] == [{"x": value} for value in values], kind
        assert next(iter(DataLoader(rows, 2))) == {"x": values}, kind
        assert default_collate([rows[1], rows[0]]) == {"x": values[::-1]}, kind
        assert list(TQLIterableDataset(frame)) == [rows[0], rows[1]], kind
        assert pickle.loads(pickle.dumps(rows))[1] == rows[1]


@pytest.mark.parametrize("dtype", [pl.Null, pl.Object])
def test_columns_of_no_use_are_refused(dtype):
    frame = pl.DataFrame({"age": [1, 2], "thing": pl.Series([None, None], dtype=dtype)})
    with pytest.raises(TQLTypeError, match=r"column 'thing' of type .* cannot be trained on"):
        TQLDataset(frame)
    assert TQLDataset(frame, columns=["age"])[1] == {"age": torch.tensor(2)}


def test_a_whole_number_beyond_64_bits_with_a_sign_is_refused():
    with pytest.raises(TQLError, match="column 'x' of type UInt64 has numbers beyond 64 bits with a sign"):
        TQLDataset(pl.DataFrame({"x": pl.Series([2**63], dtype=pl.UInt64)}))


def test_columns_of_numbers_are_not_copied():
    numbers = FRAME["dose"].to_numpy()
    arrays = FRAME["box"].to_numpy()
    for frame in (FRAME, FRAME.tql.view(WEIGHTS, limit=7)):
        columns = TQLDataset(frame)._table._columns
        assert np.shares_memory(columns["dose"].tensor.numpy(), numbers)
        assert np.shares_memory(columns["box"].tensor.numpy(), arrays)
    pandas = pd.DataFrame({"x": np.arange(5.0), "y": np.arange(5)})
    columns = TQLDataset(pandas)._table._columns
    assert np.shares_memory(columns["x"].tensor.numpy(), pandas["x"].to_numpy())
    assert np.shares_memory(columns["y"].tensor.numpy(), pandas["y"].to_numpy())


def test_what_is_done_to_an_item_or_batch_does_not_reach_the_frame():
    frame = pl.DataFrame({"x": [1.0, 2.0], "box": pl.Series([[1, 2]] * 2, dtype=pl.Array(pl.Int64, 2))})
    rows = TQLDataset(frame)
    for changed in (rows[0], next(iter(DataLoader(rows, 2, sampler=[0, 1])))):
        changed["x"].zero_()
        changed["box"].zero_()
    assert rows[0]["x"] == 1 and frame["x"].to_list() == [1.0, 2.0] and frame["box"][0].to_list() == [1, 2]


def test_pandas_columns():
    frame = pd.DataFrame(
        {
            "age": [71, 34],
            "dose": [0.5, 1.5],
            "whole": pd.array([1, 2], "Int32"),
            "old": [True, False],
            "sex": pd.Categorical(["M", "F"]),
            "image": ["a", "b"],
            "findings": [["Mass"], []],
        },
        index=["x", "y"],
    )
    batch = next(iter(DataLoader(TQLDataset(frame, encode={"sex": "label", "findings": "multi_hot"}), 2)))
    assert same(
        batch,
        {
            "age": torch.tensor([71, 34]),
            "dose": torch.tensor([0.5, 1.5], dtype=torch.float64),
            "whole": torch.tensor([1, 2], dtype=torch.int32),
            "old": torch.tensor([True, False]),
            "sex": torch.tensor([1, 0]),
            "image": ["a", "b"],
            "findings": torch.tensor([[1.0], [0.0]]),
        },
    )


# --- nulls -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "options", "message"),
    [
        (pl.Series([1, None, None]), {}, "column 'x' is null in 2 rows, the first row 1,"),
        (pl.Series([1.5, None, 0.0]), {}, "column 'x' is null in row 1,"),
        (pl.Series([True, None, False]), {}, "column 'x' is null in row 1,"),
        (pl.Series([DAY, None, DAY]), {}, "column 'x' is null in row 1,"),
        (pl.Series([[1, 2], None, [1, 2]], dtype=pl.Array(pl.Int8, 2)), {}, "column 'x' is null in row 1,"),
        (pl.Series([[1, 2], [1, None], [1, 2]], dtype=pl.Array(pl.Int8, 2)), {}, "'x' is null in part in row 1,"),
        (pl.Series(["a", None, "b"]), {"encode": {"x": "label"}}, "column 'x' is null in row 1,"),
        (pl.Series([["a"], None, []]), {"encode": {"x": "multi_hot"}}, "column 'x' is null in row 1,"),
        (pl.Series([["a"], ["b", None], []]), {"encode": {"x": "multi_hot"}}, "'x' is null in part in row 1,"),
    ],
)
def test_nulls_are_refused_where_a_tensor_has_none(series, options, message, tmp_path):
    frames = kinds(series, tmp_path)
    for kind in ("frame", "chunks", "slice", "scan", "plan"):
        with pytest.raises(TQLError, match=message):
            TQLDataset(frames[kind], **options)


def test_nulls_of_rows_that_are_not_in_a_view_do_not_matter(tmp_path):
    frame = pl.DataFrame(
        {
            "row": [0, 1, 2, 3],
            "x": [1.5, None, 2.5, None],
            "sex": ["M", None, "F", None],
            "findings": [["Mass"], ["Hernia", None], ["Hernia", "Mass"], None],
            "box": pl.Series([[1, 2], None, [3, 4], [5, None]], dtype=pl.Array(pl.Int64, 2)),
        }
    )
    frame.write_parquet(tmp_path / "rows.parquet")
    encode = {"sex": "label", "findings": "multi_hot"}
    for each in (frame, frame.lazy(), pl.scan_parquet(tmp_path / "rows.parquet")):
        rows = TQLDataset(each.tql.view("select * where x is not null order by x desc"), encode=encode)
        for copied in (rows, pickle.loads(pickle.dumps(rows))):
            assert same(
                next(iter(DataLoader(copied, 2))),
                {
                    "row": torch.tensor([2, 0]),
                    "x": torch.tensor([2.5, 1.5], dtype=torch.float64),
                    "sex": torch.tensor([0, 1]),
                    "findings": torch.tensor([[1.0, 1.0], [0.0, 1.0]]),
                    "box": torch.tensor([[3, 4], [1, 2]]),
                },
            )


def test_nan_is_a_number_in_polars_and_missing_in_pandas():
    assert TQLDataset(pl.DataFrame({"x": [float("nan")]}))[0]["x"].isnan()
    with pytest.raises(TQLError, match="column 'x' is null in row 0"):
        TQLDataset(pd.DataFrame({"x": [float("nan")]}))


# --- encodings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "classes", "codes"),
    [
        (pl.Series(["b", "a", "b"]), ["a", "b"], [1, 0, 1]),
        (pl.Series(["b", "a", "b"], dtype=pl.Categorical), ["a", "b"], [1, 0, 1]),
        (pl.Series(["b", "a", "b"], dtype=pl.Enum(["c", "b", "a"])), ["c", "b", "a"], [1, 2, 1]),
        (pl.Series([30, -1, 30]), [-1, 30], [1, 0, 1]),
        (pl.Series([True, False, True]), [False, True], [1, 0, 1]),
        (pl.Series([True, True, True]), [True], [0, 0, 0]),
    ],
)
def test_labels_become_codes(series, classes, codes, tmp_path):
    for kind, frame in kinds(series, tmp_path).items():
        rows = TQLDataset(frame, encode={"x": "label"})
        assert rows.classes == {"x": classes}, kind
        assert same(next(iter(DataLoader(rows, 3))), {"x": torch.tensor(codes)}), kind
        assert TQLIterableDataset(frame, encode={"x": "label"}).classes == {"x": classes}


@pytest.mark.parametrize(
    ("dtype", "classes", "spread"),
    [
        (pl.List(pl.String), ["a", "b"], [[1, 1], [0, 0], [0, 1]]),
        (pl.List(pl.Categorical), ["a", "b"], [[1, 1], [0, 0], [0, 1]]),
        (pl.List(pl.Enum(["c", "b", "a"])), ["c", "b", "a"], [[0, 1, 1], [0, 0, 0], [0, 1, 0]]),
    ],
)
def test_lists_become_multi_hot(dtype, classes, spread, tmp_path):
    series = pl.Series([["b", "a", "b"], [], ["b"]], dtype=dtype)
    for kind, frame in kinds(series, tmp_path).items():
        rows = TQLDataset(frame, encode={"x": "multi_hot"})
        assert rows.classes == {"x": classes}, kind
        assert same(rows[0], {"x": torch.tensor(spread[0], dtype=torch.float32)}), kind
        assert same(next(iter(DataLoader(rows, 3))), {"x": torch.tensor(spread, dtype=torch.float32)}), kind
        assert same(next(iter(DataLoader(pickle.loads(pickle.dumps(rows)), 3))), next(iter(DataLoader(rows, 3))))


def test_numbers_and_arrays_become_multi_hot():
    rows = TQLDataset(pl.DataFrame({"x": [[3, 1], [1]]}), encode={"x": "multi_hot"})
    assert rows.classes == {"x": [1, 3]} and rows[1]["x"].tolist() == [1, 0]
    pairs = pl.Series([["a", "b"], ["b", "c"]], dtype=pl.Array(pl.String, 2))
    rows = TQLDataset(pl.DataFrame({"x": pairs}), encode={"x": "multi_hot"})
    assert rows.classes == {"x": ["a", "b", "c"]} and rows[1]["x"].tolist() == [0, 1, 1]


def test_classes_are_those_of_the_whole_frame():
    view = FRAME.tql.view("select * where contains(findings, 'Hernia') limit 3")
    assert TQLDataset(view, encode={"findings": "multi_hot"}).classes == {"findings": ["Edema", "Hernia", "Mass"]}


def test_many_labels():
    labels = [f"{number:05}" for number in range(40_000)]
    rows = TQLDataset(
        pl.DataFrame({"x": [labels[-2:], labels[:1]]}).vstack(pl.DataFrame({"x": [labels]})), encode={"x": "multi_hot"}
    )
    assert rows[0]["x"].nonzero().flatten().tolist() == [39_998, 39_999]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"columns": ["agee"]}, TQLNameError, "unknown column 'agee'\n  did you mean 'age'"),
        ({"target": "agee"}, TQLNameError, "unknown column 'agee'"),
        ({"encode": {"agee": "label"}}, TQLNameError, "unknown column 'agee'"),
        ({"columns": "age"}, TQLError, "expected columns= to be a list of names, got the text 'age'"),
        ({"columns": ["age", "age"]}, TQLError, "named twice"),
        ({"columns": []}, TQLError, "no column to train on"),
        (
            {"encode": {"sex": "one_hot"}},
            TQLError,
            "to be 'label' or 'multi_hot', got 'one_hot'",
        ),
        ({"columns": ["age"], "encode": {"sex": "label"}}, TQLError, "neither a feature nor the target"),
        ({"encode": {"sex": "multi_hot"}}, TQLTypeError, "'sex' of type Enum.* holds no lists"),
        (
            {"encode": {"findings": "label"}},
            TQLTypeError,
            "'findings' holds values of type List.*, which are no labels",
        ),
        ({"encode": {"dose": "label"}}, TQLTypeError, "'dose' holds values of type Float32, which are no labels"),
    ],
)
def test_wrong_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        TQLDataset(FRAME, **options)


def test_pandas_columns_without_a_text_for_a_name_are_not_left_out_silently():
    frame = pd.DataFrame({"age": [1], 0: [2]})
    with pytest.raises(TQLError, match="column 0 has a name that is not text"):
        TQLDataset(frame)
    assert TQLDataset(frame, columns=["age"])[0] == {"age": torch.tensor(1)}


# --- items and batches -----------------------------------------------------------------------------------------------


def test_features_and_target():
    rows = TQLDataset(FRAME, columns=["age", "image"], target="sex", encode={"sex": "label"})
    item = rows[7]
    assert isinstance(item, tuple) and isinstance(item[0], dict)
    assert same(tuple(item), (dict(item[0]), torch.tensor(int(FRAME["sex"].to_physical()[7]))))
    features, target = next(iter(DataLoader(rows, 4)))
    assert list(features) == ["age", "image"] and target.shape == (4,)
    assert "sex" not in TQLDataset(FRAME, target="sex")[0][0]
    assert "sex" in TQLDataset(FRAME, columns=["sex"], target="sex")[0][0]


@pytest.mark.parametrize("target", [None, "findings", "image"])
def test_batches_are_what_default_collate_makes_of_items(target):
    rows = TQLDataset(FRAME, target=target, encode={"findings": "multi_hot"})
    places = [3, 1, 4, 1, 5]
    expected = default_collate([rows[place] for place in places])
    assert same(default_collate(rows.__getitems__(places)), expected)
    assert same(default_collate(list(rows.__getitems__(places))), expected)
    assert same(next(iter(DataLoader(rows, 5, sampler=places))), expected)
    assert same(next(iter(DataLoader(Subset(rows, places), 5))), expected)
    assert type(expected) is (dict if target is None else list)
    plain = TQLDataset(FRAME.select("row", "age", "image"))  # of which PyTorch alone makes the same
    assert same(default_collate([dict(plain[place]) for place in places]), default_collate(plain.__getitems__(places)))


def test_a_collate_function_of_ones_own_gets_a_sequence_of_items():
    seen = []
    rows = TQLDataset(FRAME, target="age")
    next(iter(DataLoader(rows, 3, collate_fn=seen.append)))
    batch = seen[0]
    assert len(batch) == 3
    assert same(list(batch), [rows[0], rows[1], rows[2]])
    assert same(batch[-1], rows[2]) and same(batch[1:], [rows[1], rows[2]])
    features, targets = zip(*batch, strict=True)
    assert len(features) == len(targets) == 3


def test_a_transform_is_called_with_each_item():
    def transform(item):
        assert isinstance(item, tuple)
        features, target = item
        return {"x": features["dose"] * 2, "size": [3, 4]}, target + 1

    rows = TQLDataset(FRAME, columns=["dose"], target="row", transform=transform)
    assert same(rows[2], ({"x": torch.tensor(FRAME["dose"][2] * 2), "size": [3, 4]}, torch.tensor(3)))
    assert isinstance(rows.__getitems__([2]), list)
    assert same(list(rows.__getitems__([2, 0])), [rows[2], rows[0]])
    features, target = next(iter(DataLoader(rows, 4)))
    assert features["x"].tolist() == pytest.approx((FRAME["dose"][:4] * 2).to_list()) and target.tolist() == [
        1,
        2,
        3,
        4,
    ]
    stream = TQLIterableDataset(FRAME, columns=["dose"], target="row", transform=transform)
    assert same(next(iter(stream)), rows[0])


def test_a_transform_may_change_the_item_that_it_gets():
    def transform(item):
        item["dose"] = item["dose"].double()
        item["both"] = torch.stack([item["age"], item["age"]])
        del item["age"]
        return item

    rows = TQLDataset(FRAME, columns=["age", "dose", "image"], transform=transform)
    batch = next(iter(DataLoader(rows, 3)))
    assert batch["dose"].dtype == torch.float64 and batch["both"].shape == (3, 2) and len(batch["image"]) == 3


def test_items_are_found_from_both_ends_and_no_further():
    rows = TQLDataset(FRAME, columns=["row"])
    assert rows[-1]["row"] == len(FRAME) - 1 and rows[np.int64(3)]["row"] == 3
    assert sum(1 for _ in rows) == len(FRAME)  # by IndexError, as Python ends such loops
    with pytest.raises(IndexError):
        rows[len(FRAME)]
    with pytest.raises(TQLError, match="expected the place of an item to be a whole number"):
        rows["row"]
    with pytest.raises(IndexError):
        rows.__getitems__([0, len(FRAME)])


def test_an_empty_frame_has_no_items():
    rows = TQLDataset(FRAME.clear(), encode={"findings": "multi_hot"})
    assert len(rows) == 0 and list(DataLoader(rows, 4)) == []
    assert list(TQLIterableDataset(FRAME.clear().lazy())) == []


def test_batches_are_much_faster_than_items():
    # 256 rows took 30 microseconds at once and 4,000 one by one where this was written; busy machines get some leeway.
    rows = TQLDataset(FRAME, columns=["row", "age", "dose"])
    places = list(range(256))
    batch = min(timeit.repeat(lambda: default_collate(rows.__getitems__(places)), number=5, repeat=5))
    items = min(timeit.repeat(lambda: default_collate([rows[place] for place in places]), number=1, repeat=3)) * 5
    assert batch * 8 < items


# --- views -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["polars", "pandas", "plan", "scan"])
def view(request, tmp_path):
    FRAME.write_parquet(tmp_path / "rows.parquet")
    frame = {
        "polars": FRAME,
        "pandas": FRAME.to_pandas(),
        "plan": FRAME.lazy(),
        "scan": pl.scan_parquet(tmp_path / "rows.parquet"),
    }[request.param]
    return frame.tql.view(WEIGHTS, limit=300, seed=3)


def test_a_view_gives_its_rows_in_their_order(view):
    options = {"target": "findings", "encode": {"findings": "multi_hot", "sex": "label"}}
    columns = [name for name in FRAME.columns if name not in ("box", "findings")]  # a pandas column of arrays are lists
    rows = view.to_torch(columns, **options)
    assert isinstance(rows, IterableDataset) == isinstance(view.source, pl.LazyFrame)
    expected = list(DataLoader(TQLDataset(FRAME, columns, **options), 64, sampler=view.positions.tolist()))
    assert same(list(DataLoader(rows, 64)), expected)
    assert sum(1 for _ in rows) == len(view) == 300
    assert same(list(DataLoader(TQLDataset(view, columns, **options), 64)), expected)
    assert rows.classes == {"findings": ["Edema", "Hernia", "Mass"], "sex": ["F", "M"]}


def test_columns_of_a_view_have_its_names(view):
    renamed = view.view("select row as number, age order by age, row limit 10")
    rows = renamed.to_torch()
    batch = next(iter(DataLoader(rows, 10)))
    shown = FRAME[view.positions].sort("age", "row")[:10]
    assert list(batch) == ["number", "age"]
    assert batch["number"].tolist() == shown["row"].to_list() and batch["age"].tolist() == shown["age"].to_list()


def test_a_view_can_be_shuffled():
    rows = FRAME.tql.view(WEIGHTS, limit=300, seed=3).to_torch(["row"])
    seen = torch.cat([batch["row"] for batch in DataLoader(rows, 64, shuffle=True)])
    assert sorted(seen.tolist()) == sorted(FRAME.tql.sample(WEIGHTS, limit=300, seed=3)["row"])
    assert len(RandomSampler(rows)) == 300


def test_a_frame_that_is_pickled_is_cut_to_the_rows_of_the_view():
    rows = FRAME.tql.view(WEIGHTS, limit=20, seed=3).to_torch()
    expected = list(DataLoader(rows, 5))
    pickled = pickle.dumps(rows)
    assert len(pickled) < 10_000 and b"polars" not in pickled
    assert same(list(DataLoader(pickle.loads(pickled), 5)), expected)
    assert same(list(DataLoader(rows, 5)), expected)  # and this one goes on


# --- data sets in files ----------------------------------------------------------------------------------------------


def folders(folder: Path) -> list[Path]:
    return list(folder.glob("tql-frames-*"))


def test_files_go_with_the_data_set(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows = FRAME.lazy().tql.view(WEIGHTS, limit=300, seed=3).to_torch()
    copied = pickle.loads(pickle.dumps(rows))
    assert len(folders(tmp_path)) == 1
    assert same(list(copied), list(rows))
    del copied
    gc.collect()
    assert len(folders(tmp_path)) == 1
    del rows
    gc.collect()
    assert folders(tmp_path) == []


def test_files_of_a_data_set_that_is_refused_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    frame = pl.LazyFrame({"x": [1, None]})
    with pytest.raises(TQLError, match="null in row 1"):
        TQLDataset(frame)
    gc.collect()
    assert folders(tmp_path) == []


def test_each_row_is_written_once_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("tql_frames.torch.table._BATCH", 7)
    FRAME.write_parquet(tmp_path / "rows.parquet", row_group_size=100)
    encode = {"findings": "multi_hot", "sex": "label"}
    view = pl.scan_parquet(tmp_path / "rows.parquet").tql.view(WEIGHTS, limit=300, seed=3)
    rows = TQLDataset(view, encode=encode)
    assert same(list(DataLoader(rows, 64)), list(DataLoader(TQLDataset(FRAME[view.positions], encode=encode), 64)))
    assert len(rows._table._disk_table.columns["row"].tensor) == len(set(view.positions.tolist()))


def test_the_row_of_a_null_in_a_file_is_its_own(tmp_path):
    frame = FRAME.with_columns(age=pl.when(pl.col("row") != 4_321).then("age"))
    frame.write_parquet(tmp_path / "rows.parquet")
    view = pl.scan_parquet(tmp_path / "rows.parquet").tql.view("select * where row > 4000")
    with pytest.raises(TQLError, match="column 'age' is null in row 4321,"):
        view.to_torch()


def test_categories_that_differ_from_part_to_part(tmp_path):
    frame = pl.DataFrame({"x": pl.Series(["a", "b", "c", "a"], dtype=pl.Categorical)})
    frame = frame.with_columns(y=pl.concat_list("x"), z=pl.struct("x"))
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=1)
    rows = TQLDataset(pl.scan_parquet(tmp_path / "rows.parquet"))
    assert [rows[place] for place in range(4)] == [{"x": t, "y": [t], "z": {"x": t}} for t in "abca"]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than there are cores
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_and_processes_share_the_rows_of_a_stream(workers):
    stream = TQLIterableDataset(FRAME.lazy(), columns=["row"])
    with pytest.raises(TypeError):
        len(DataLoader(stream, 64))
    seen = [batch["row"].tolist() for batch in DataLoader(stream, 64, num_workers=workers, timeout=60)]
    assert sorted(row for batch in seen for row in batch) == list(range(len(FRAME)))
    for rank in range(3):
        shared = TQLIterableDataset(FRAME.lazy(), columns=["row"], num_replicas=3, rank=rank)
        assert [int(item["row"]) for item in shared] == list(range(len(FRAME)))[rank::3]


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_goes_on_where_it_stopped(workers):
    torchdata = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")
    options = {"batch_size": 64, "num_workers": workers, "timeout": 60 if workers else 0}
    stream = TQLIterableDataset(FRAME[:1000].lazy(), columns=["row"])
    expected = list(torchdata.StatefulDataLoader(stream, **options))
    begun = torchdata.StatefulDataLoader(stream, **options)
    batches = iter(begun)
    seen = [next(batches) for _ in range(5)]
    resumed = torchdata.StatefulDataLoader(stream, **options)
    resumed.load_state_dict(begun.state_dict())
    assert same(seen + list(resumed), expected)
