"""Frames that are met seldom: labels that are no text, two kinds of bad weight in one frame."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tql_frames import TQLError, WeightError, load_view

LABELS = [0, "s", ("x", 1), 2.5, pd.Timestamp("2024-01-01")]
FRAME = pd.DataFrame([[1, "a", 3, 4, 5], [4, "b", 6, 7, 8], [7, "c", 9, 0, 1]], columns=pd.Index(LABELS, dtype=object))

STATEMENTS: list[tuple[str, list[int], list[Any]]] = [
    ("select *", [0, 1, 2], LABELS),
    ("select s", [0, 1, 2], ["s"]),
    ("select * where s > 'a'", [1, 2], LABELS),
    ("select * order by s desc limit 2", [2, 1], LABELS),
    ("select * where s = 'a' sample by 1 limit 3", [0, 0, 0], LABELS),
    ("(select * where s = 'c') union (select * where s = 'a')", [2, 0], LABELS),
    ("(select *) except (select * where s = 'a')", [1, 2], LABELS),
    ("select s where contains(s, 'b')", [1], ["s"]),
]


@pytest.mark.parametrize("index", [None, ["x", "y", "x"]], ids=["range", "repeated"])
@pytest.mark.parametrize(("text", "rows", "labels"), STATEMENTS)
def test_statements_keep_labels_that_are_no_text(text: str, rows: list[int], labels: list[Any], index: Any) -> None:
    frame = FRAME if index is None else FRAME.set_axis(index)
    expected = frame.iloc[rows][labels]
    for found in (frame.tql.query(text, seed=1), frame.tql.view(text, seed=1).to_native()):
        assert list(found.columns) == labels
        pd.testing.assert_frame_equal(found.sort_values("s"), expected.sort_values("s"))


def test_computed_columns_stand_beside_such_labels() -> None:
    found = FRAME.tql.query("select *, s as t where s >= 'b'")
    assert list(found.columns) == [*LABELS, "t"]
    assert found["t"].tolist() == ["b", "c"]
    assert found[2.5].tolist() == [7, 0]


@pytest.mark.fault("I-labels")
def test_views_keep_them_on_disk(tmp_path: Path) -> None:
    view = FRAME.tql.view("select * where s > 'a'", seed=1)
    view.save(tmp_path / "view")
    assert list(load_view(tmp_path / "view", FRAME).to_native().columns) == LABELS
    assert view.columns == LABELS
    with pytest.raises(TQLError, match="column 0 has other values"):
        load_view(tmp_path / "view", FRAME.replace(1, 2))


BAD = {"a NaN": math.nan, "a negative": -2.0, "an infinite": math.inf}
PAIRS = [
    ("a NaN", "a negative"),
    ("a NaN", "an infinite"),
    ("a negative", "an infinite"),
    ("an infinite", "a NaN"),
    ("an infinite", "a negative"),
    ("a negative", "a NaN"),
]


def assert_said(call: Any, first: str, second: str, rows: int = 2, row: int = 1) -> None:
    with pytest.raises(WeightError) as fault:
        call()
    kinds = " or ".join(kind for kind in BAD if kind in (first, second))
    words = f"{kinds} weight in {rows} rows, the first row {row} ({BAD[first]:g})"
    assert fault.value.message.endswith(words)


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("sampler", ["w", "w + 0", "max_weight(true: w)"])
@pytest.mark.parametrize("size", [4, 300_000])
def test_two_kinds_of_bad_weights_are_both_named(
    first: str, second: str, sampler: str, size: int, tmp_path: Path
) -> None:
    weights = np.ones(size)
    weights[1], weights[-1] = BAD[first], BAD[second]
    frame = pl.DataFrame({"w": weights})
    frame.write_parquet(tmp_path / "frame.parquet", row_group_size=max(size // 3, 2))
    assert_said(lambda: frame.tql.sample(sampler, 2, seed=1), first, second)
    assert_said(lambda: frame.tql.weights(sampler), first, second)
    assert_said(lambda: frame.lazy().tql.sample(sampler, 2, seed=1).collect(), first, second)
    scanned = pl.scan_parquet(tmp_path / "frame.parquet")
    assert_said(lambda: scanned.tql.sample(sampler, 2, seed=1).collect(), first, second)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_kinds_of_several_partitions_are_put_together(first: str, second: str) -> None:
    dd = pytest.importorskip("dask.dataframe", reason="Dask is not installed")
    pytest.importorskip("tql_frames.dask")
    weights = [1.0, BAD[first], 1.0, 1.0, BAD[second], 1.0]
    frame = dd.from_pandas(pd.DataFrame({"w": weights}), npartitions=3)
    kinds = {first, second} - {"a NaN"}
    if len(kinds) < 2:  # NaN of pandas is null, which weighs nothing
        with pytest.raises(WeightError, match=f"{kinds.pop()} weight in row"):
            frame.tql.sample("w", 2, seed=1).compute(scheduler="synchronous")
        return
    assert_said(lambda: frame.tql.sample("w", 2, seed=1).compute(scheduler="synchronous"), first, second)
