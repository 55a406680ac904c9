"""Rows without a label in balance and report, and labels by whatever a caller writes for them."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tql_frames
from tests.sizes import size
from tql_frames.errors import TQLError, TQLNameError

NUMBERS = np.random.default_rng(5)
TAGS = pl.DataFrame(
    {
        "t": [
            None if i % 10 == 0 else [] if i % 10 < 4 else ["a"] if i % 10 < 8 else ["a", "b"] if i % 20 == 8 else ["b"]
            for i in range(200)
        ],
        "age": range(200),
    }
)


def share_of(frame: pl.DataFrame, sampler: str, rows: pl.Expr) -> float:
    """The share of the weight of some rows, from the weight of each."""
    weights = frame.tql.weights(sampler)
    return float(weights.filter(frame.select(rows).to_series()).sum() / weights.sum())


KINDS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "eager": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
}
NONE = pl.col("t").is_null() | (pl.col("t").list.len() == 0)


@pytest.mark.fault("B1")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"keep": [None]}, {"max_weight": 5}])
def test_rows_without_a_label_keep_their_share(kind: str, options: dict[str, Any]) -> None:
    balance = KINDS[kind](TAGS).tql.balance("t", **options)
    rows = {row["label"]: row for row in pl.DataFrame(balance.to_dict()["labels"]).iter_rows(named=True)}
    assert rows[None]["rows"] == 80
    assert rows[None]["target"] == pytest.approx(0.4)
    assert share_of(TAGS, balance.sampler, NONE) == pytest.approx(0.4, rel=0.005)
    assert rows["a"]["expected_share"] == pytest.approx(rows["b"]["expected_share"], rel=0.01)


@pytest.mark.fault("B1")
@pytest.mark.parametrize(("method", "share"), [("raking", 0.0), ("raking", 0.1), ("raking", 0.7), ("nnls", 0.7)])
def test_rows_without_a_label_get_the_share_asked_for(method: str, share: float) -> None:
    balance = TAGS.tql.balance("t", {None: share}, method=method)
    assert share_of(TAGS, balance.sampler, NONE) == pytest.approx(share, rel=0.006)


@pytest.mark.fault("B1")
def test_rows_without_a_label_make_room_where_named_shares_need_it() -> None:
    balance = TAGS.tql.balance("t", {"a": 0.8})
    row = balance.labels.filter(pl.col("label").is_null()).row(0, named=True)
    assert share_of(TAGS, balance.sampler, pl.col("t").list.contains("a").fill_null(False)) == pytest.approx(0.8, 0.01)
    assert row["target"] is None and row["expected_share"] < 0.2
    kept = TAGS.tql.balance("t", {"a": 0.3})
    assert share_of(TAGS, kept.sampler, NONE) == pytest.approx(0.4, rel=0.005)


@pytest.mark.fault("B1")
@pytest.mark.parametrize(
    "values",
    [
        pl.Series(["a", "a", "a", None, "b"]),
        pl.Series(["a", "a", "a", None, "b"], dtype=pl.Enum(["a", "b"])),
        pl.Series([1, 1, 1, None, 2]),
        pl.Series([True, True, True, None, False]),
        pl.Series([[1], [1], [1, 2], None, []], dtype=pl.List(pl.Int8)),
        pl.Series([["a"], ["a"], ["a", "b"], ["a", None], []]),
        pl.Series([["a"], ["a"], ["a", "b"], ["a"], []], dtype=pl.List(pl.Categorical)),
        pl.Series([[1.5], [float("nan")], [float("nan"), 1.5], None, []], dtype=pl.List(pl.Float64)),
        pl.Series([[1, 2], [1, 1], [1, 1], [1, 1], None], dtype=pl.Array(pl.Int64, 2)),
        pl.Series([[1, 2], [1, 1], [1, None], [1, 1], [1, 1]], dtype=pl.Array(pl.Int64, 2)),
    ],
)
def test_no_label_is_one_label_of_any_type(values: pl.Series) -> None:
    frame = pl.DataFrame({"x": values}).with_row_index("row")
    cells = values.to_list()
    none = [cell is None or cell == [] or (isinstance(cell, list) and None in cell) for cell in cells]
    balance = frame.tql.balance("x")
    weights = frame.tql.weights(balance.sampler).to_numpy()
    assert weights[none].sum() / weights.sum() == pytest.approx(np.mean(none), rel=0.01)
    report = frame.tql.report(balance.sampler, by="x")
    for table in (balance.labels, report.labels):
        assert table.filter(pl.col("label").is_null())["rows"].to_list() == [sum(none)]
    for text in (str(balance), str(report)):
        assert "\nno label " in text


@pytest.mark.fault("B1")
@pytest.mark.parametrize("values", [[[], None], [[], []]])
def test_a_table_without_any_label_is_left_as_it_is(values: list[Any]) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.List(pl.String))})
    balance = frame.tql.balance("x")
    assert frame.tql.weights(balance.sampler).n_unique() == 1
    assert balance.labels.select("label", "rows", "expected_share").rows() == [(None, 2, 1.0)]


@pytest.mark.fault("B1")
def test_a_label_of_the_text_no_label_is_another_one() -> None:
    frame = pl.DataFrame({"x": ["no label", "no label", None, "a"]})
    balance = frame.tql.balance("x", {"no label": 0.2})
    assert share_of(frame, balance.sampler, pl.col("x") == "no label") == pytest.approx(0.2, rel=0.006)
    assert "<i>no label</i>" in balance._repr_html_()


class Finding(enum.Enum):
    ONE = "1"
    CROSS = "x"


class Grade(enum.IntEnum):
    LOW = 1


class Text(enum.StrEnum):
    CROSS = "x"


EQUAL: list[tuple[pl.Series, Any, Any]] = [
    *((pl.Series([0, 1, 1, 2]), key, 1) for key in (1, 1.0, True, np.int8(1), np.float32(1), Grade.LOW)),
    *((pl.Series([0, 1, 1, 2], dtype=pl.UInt64), key, 1) for key in (Decimal(1), np.uint64(1))),
    *((pl.Series([-3, 1]), key, -3) for key in (-3.0, np.int64(-3))),
    (pl.Series([2**63, 1], dtype=pl.UInt64), np.uint64(2**63), 2**63),
    *((pl.Series([True, False, False]), key, True) for key in (1, 1.0, np.bool_(True))),
    *((pl.Series(["1", "x", "x"]), key, "x") for key in (Text.CROSS, np.str_("x"))),
    (pl.Series([Decimal("1.10"), Decimal(2)]), Decimal("1.100"), Decimal("1.10")),
    (pl.Series(["x", None]), None, None),
]

WRITTEN: list[tuple[pl.Series, Any, Any]] = [
    *((pl.Series([0, 1, 1, 2]), key, 1) for key in ("1", "1.0", " 1 ")),
    *((pl.Series([0, 1, 1, 2], dtype=pl.UInt64), key, 1) for key in ("+1", "1e0")),
    (pl.Series([-3, 1]), "-3", -3),
    (pl.Series([2**63, 1], dtype=pl.UInt64), str(2**63), 2**63),
    *((pl.Series([True, False, False]), key, True) for key in ("1", "true", "True", "TRUE")),
    *((pl.Series(["1", "x", "x"]), key, "1") for key in (1, 1.0, np.int64(1), Finding.ONE, Decimal(1))),
    (pl.Series(["1", "x", "x"]), Finding.CROSS, "x"),
    (pl.Series(["1.0", "1", "x"]), 1.0, "1.0"),
    (pl.Series(["1.0", "1", "x"]), 1, "1"),
    *((pl.Series(["true", "no"]), key, "true") for key in (True, np.bool_(True))),
    (pl.Series(["2024-05-01", "x"]), dt.date(2024, 5, 1), "2024-05-01"),
    *((pl.Series([0.1, 0.2]), key, 0.1) for key in ("0.1", ".1", Decimal("0.1"))),
    *((pl.Series([0.1, 0.2], dtype=pl.Float32), key, 0.1) for key in ("0.1", 0.1)),
    *((pl.Series([0.1, float("nan")]), key, float("nan")) for key in ("nan", float("nan"), np.float32("nan"))),
    *((pl.Series([Decimal("1.10"), Decimal(2)]), key, Decimal("1.10")) for key in ("1.1", 1.1)),
    *(
        (pl.Series([dt.date(2024, 5, 1), dt.date(2024, 5, 2)]), key, dt.date(2024, 5, 1))
        for key in ("2024-05-01", dt.datetime(2024, 5, 1), np.datetime64("2024-05-01"), pd.Timestamp("2024-05-01"))
    ),
    *(
        (pl.Series([dt.datetime(2024, 5, 1), dt.datetime(2024, 5, 2, 3)]), key, dt.datetime(2024, 5, 1))
        for key in ("2024-05-01", "2024-05-01 00:00", "2024-05-01T00:00:00", dt.date(2024, 5, 1))
    ),
    *((pl.Series([dt.time(12), dt.time(13)]), key, dt.time(12)) for key in ("12:00", "12:00:00")),
    *((pl.Series(["x", None]), key, None) for key in (pd.NA, pd.NaT, float("nan"))),
    *((pl.Series(["1", "x"], dtype=pl.Enum(["1", "x"])), key, "1") for key in (1, Finding.ONE)),
    *((pl.Series(["1", "x"], dtype=pl.Categorical), key, "1") for key in (1, Finding.ONE)),
]


@pytest.mark.parametrize(("values", "key", "label"), EQUAL)
def test_a_key_that_is_equal_in_python_finds_its_label(values: pl.Series, key: Any, label: Any) -> None:
    frame = pl.DataFrame({"x": values})
    balance = frame.tql.balance("x", {key: 0.3})
    assert share_of(frame, balance.sampler, pl.col("x").eq_missing(label)) == pytest.approx(0.3, rel=0.006)


@pytest.mark.fault("B2")
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(("values", "key", "label"), WRITTEN)
def test_a_label_is_found_however_it_is_written(values: pl.Series, key: Any, label: Any, nested: bool) -> None:
    if nested and (values.null_count() or values.dtype == pl.Decimal):
        pytest.skip("in a list, null is no label of its own; lists of decimals are another matter")
    frame = pl.DataFrame({"x": values})
    meant = frame["x"].is_nan() if label != label else frame["x"].eq_missing(label)  # noqa: PLR0124
    if values.dtype == pl.Float32 and label == label:  # noqa: PLR0124
        meant = frame["x"] == np.float32(label)
    if nested:
        frame = frame.select(pl.concat_list("x"))
    balance = frame.tql.balance("x", {key: 0.3})
    weights = frame.tql.weights(balance.sampler)
    assert weights.filter(meant).sum() / weights.sum() == pytest.approx(0.3, rel=0.006)
    kept = frame.tql.balance("x", keep=[key])
    assert kept.labels["target"].null_count() == 0


@pytest.mark.fault("B2")
@pytest.mark.parametrize(
    ("values", "key", "message"),
    [
        (
            [0, 1],
            "7",
            "'7' is not a label of column 'x', and as a condition it names no column\n  its labels are whole numb",
        ),
        ([0, 1], 7, "7 is not a label of column 'x'\n  its labels are whole numbers: 1, 0"),
        ([0, 1], "true", "'true' is not a label of column 'x', and as a condition it names no column"),
        ([0, 1], "1 > 0", "'1 > 0' is not a label of column 'x', and as a condition it names no column"),
        ([0, 1], "abs(-1) = 1", "as a condition it names no column"),
        ([0, 1], "null", "'null' is not a label of column 'x'\n  write None for the rows without a label"),
        ([True, False], "2", "its labels are true or false"),
        (["a", "b"], "'a'", "as a condition it names no column"),
        (["a", "b"], 5, "5 is not a label of column 'x'\n  its labels are text: 'a', 'b'"),
        (["a", "b"], dt.date(2024, 5, 1), "'2024-05-01' is not a label of column 'x'"),
        (["1", "1.0", "b"], Decimal("1.00"), "matches several labels of column 'x'\n  write one of '1', '1.0'"),
        ([dt.date(2024, 5, 1)], "2024-05-02", "its labels are dates: '2024-05-01'"),
        ([0.25, 0.5], "0.26", "its labels are numbers: 0.25, 0.5"),
    ],
)
def test_what_is_no_label_is_refused_with_the_type_and_near_labels(values: list[Any], key: Any, message: str) -> None:
    frame = pl.DataFrame({"x": values})
    for options in ({"target": {key: 0.5}}, {"keep": [key]}):
        with pytest.raises(TQLNameError) as caught:
            frame.tql.balance("x", **options)
        assert message in str(caught.value)


@pytest.mark.fault("B2")
def test_one_label_written_twice_is_refused() -> None:
    frame = pl.DataFrame({"x": [0, 1, 1]})
    with pytest.raises(TQLError, match="target names the label 1 twice"):
        frame.tql.balance("x", {"1": 0.2, 1: 0.3})
    with pytest.raises(TQLError, match="'1' is in target and in keep"):
        frame.tql.balance("x", {1: 0.2}, keep=["1"])


@pytest.mark.fault("B2")
def test_a_long_name_is_cut_in_the_message() -> None:
    with pytest.raises(TQLNameError) as caught:
        pl.DataFrame({"x": ["a", "b"]}).tql.balance("x", {"z" * 5000: 0.5})
    assert len(str(caught.value)) < 400


@pytest.mark.fault("B2")
def test_conditions_of_other_columns_stay_conditions() -> None:
    frame = pl.DataFrame({"x": [0, 1, 1, 2], "age": [1, 2, 3, 4]})
    balance = tql_frames.balance(frame, "x", {"age > 2": 0.7, "2": 0.2})
    assert share_of(frame, balance.sampler, pl.col("age") > 2) == pytest.approx(0.7, rel=0.006)
    assert share_of(frame, balance.sampler, pl.col("x") == 2) == pytest.approx(0.2, rel=0.006)


@pytest.mark.fault("B1")
@pytest.mark.parametrize("options", [{}, {"max_weight": 4.0}, {"target": {None: 0.3}}, {"target": {"l0": 0.5}}])
def test_expected_shares_are_those_of_the_rows_of_any_table(options: dict[str, Any]) -> None:
    """30 tables of lists, in `make test` 10, some null or holding null, counted row by row."""
    numbers = np.random.default_rng(11)
    with_none = 0
    tables = size(10, 30)
    for _ in range(tables):
        often = numbers.uniform(0.02, 0.8, numbers.integers(1, 6))
        cells: list[Any] = [["l0"], []]
        for _row in range(numbers.integers(3, 60)):
            cell = [f"l{place}" for place, part in enumerate(often) if numbers.random() < part]
            kind = numbers.random()
            cells.append(None if kind < 0.1 else [*cell, None] if kind < 0.2 else cell)
        frame = pl.DataFrame({"t": pl.Series(cells, dtype=pl.List(pl.String))})
        balance = frame.tql.balance("t", **options)
        weights = frame.tql.weights(balance.sampler).to_numpy()
        for label, share in balance.labels.select("label", "expected_share").iter_rows():
            if label is None:
                rows = [not cell or None in cell for cell in cells]
                with_none += 1
            else:
                rows = [label in (cell or []) for cell in cells]
            assert weights[rows].sum() / weights.sum() == pytest.approx(share, abs=1e-9)
    assert with_none == tables
