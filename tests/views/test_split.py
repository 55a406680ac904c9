"""Splits: disjoint, complete, whole units, labels in proportion, the same on every kind of frame."""

from __future__ import annotations

import datetime as dt
import gc
import pickle
import uuid
import weakref
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tql_frames
from tests.sizes import crossed, named, paired, size
from tests.views.frames import KINDS, Tripwire, assert_same
from tql_frames import TQLError, TQLNameError, TQLTypeError, View
from tql_frames.views import Split

ROWS = 600
random = np.random.default_rng(3).random
IDS = (random(ROWS) ** 2 * 90).astype(np.int64)
FRAME = pl.DataFrame(
    {
        "id": IDS,
        "sex": [("F", "M", None)[i % 7 % 3] for i in range(ROWS)],
        "tags": [[f"t{i % 7}", f"t{i % 5}"] if i % 9 else [] for i in range(ROWS)],
        "k": range(ROWS),
    }
)
THIRDS = {"train": 0.6, "val": 0.2, "test": 0.2}


def positions_of(parts: Any) -> dict[Any, list[int]]:
    return {name: view.positions.tolist() for name, view in parts.items()}


def assert_whole(parts: Any, rows: int) -> None:
    """Every row is in one part, in the order of the table."""
    found = positions_of(parts)
    assert sorted(chain(*found.values())) == list(range(rows))
    assert all(each == sorted(each) for each in found.values())
    assert all(found.values())


def parts_by_unit(parts: Any, column: str = "id") -> dict[Any, set[Any]]:
    """The parts in which each unit is found."""
    found: dict[Any, set[Any]] = {}
    for name, view in parts.items():
        for unit in view.to_polars()[column].to_list():
            found.setdefault(unit, set()).add(name)
    return found


# --- whatever the frame ----------------------------------------------------------------------------------------------


class TestKinds:
    @pytest.mark.parametrize(
        ("kind", "by", "unit"), crossed(KINDS, [None, "sex", "tags", ["sex", "tags"]], [None, "id"]), ids=named
    )
    def test_one_seed_is_one_split(self, frame_of: Any, kind: str, unit: str | None, by: Any) -> None:
        frame = frame_of(kind, FRAME)
        parts = frame.tql.split(THIRDS, unit=unit, by=by, seed=7)
        expected = FRAME.tql.split(THIRDS, unit=unit, by=by, seed=7)
        assert positions_of(parts) == positions_of(expected)
        assert_whole(parts, ROWS)
        assert list(parts) == ["train", "val", "test"]
        assert all(len(each) == 1 for each in parts_by_unit(parts, unit or "k").values())
        assert str(parts.report()) == str(expected.report())
        for name, view in parts.items():
            rows = expected[name].to_native()
            if kind == "pandas":
                assert_same(view.to_native(), frame.take(view.positions))
            else:
                assert_same(view.to_native(), rows.lazy() if kind in ("lazy", "scan") else rows)
        other = frame.tql.split(THIRDS, unit=unit, by=by, seed=8)
        assert positions_of(other) != positions_of(parts)

    def test_scanned_csv_is_split_alike(self, tmp_path: Path) -> None:
        path = tmp_path / "frame.csv"
        FRAME.drop("tags").write_csv(path)
        parts = pl.scan_csv(path).tql.split(THIRDS, unit="id", by="sex", seed=7)
        assert positions_of(parts) == positions_of(FRAME.tql.split(THIRDS, unit="id", by="sex", seed=7))
        assert parts["val"].to_native().collect().height == len(parts["val"])

    def test_the_function_is_the_method(self) -> None:
        parts = tql_frames.split(FRAME, THIRDS, unit="id", seed=7)
        assert positions_of(parts) == positions_of(FRAME.tql.split(THIRDS, unit="id", seed=7))
        assert tql_frames.views.split is tql_frames.split  # no module hides it
        assert isinstance(parts, Split)

    @pytest.mark.parametrize("kind", KINDS)
    def test_indices(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind, FRAME)
        options = {"ignore_index": True} if kind == "pandas" else {"index": None}
        for view in frame.tql.split(THIRDS, seed=7, **options).values():
            rows = view.to_native()
            if kind == "pandas":
                assert rows.index.equals(pd.RangeIndex(len(view)))
            else:
                assert rows.lazy().collect_schema().names() == FRAME.columns
        wrong: dict[str, Any] = {"index": "k"} if kind != "pandas" else {"index": "row"}
        with pytest.raises(TQLError, match=r"the frame has a column 'k' already|keeps its own index"):
            frame.tql.split(THIRDS, **wrong)

    def test_without_a_seed_there_is_one(self) -> None:
        parts = FRAME.tql.split(THIRDS, unit="id")
        again = FRAME.tql.split(THIRDS, unit="id", seed=parts.seed)
        assert positions_of(parts) == positions_of(again)
        assert positions_of(parts) != positions_of(FRAME.tql.split(THIRDS, unit="id"))


# --- units -----------------------------------------------------------------------------------------------------------

UNITS: dict[str, pl.Series] = {
    "text": pl.Series([str(uuid.UUID(int=int(each))) for each in IDS]),
    "categorical": pl.Series([f"p{each}" for each in IDS], dtype=pl.Categorical),
    "enum": pl.Series([f"p{each}" for each in IDS], dtype=pl.Enum([f"p{each}" for each in range(91)])),
    "date": pl.Series([dt.date(2024, 1, 1) + dt.timedelta(days=int(each)) for each in IDS]),
    "time": pl.Series([dt.datetime(2024, 1, 1, int(each) % 24, int(each) // 24) for each in IDS]),
    "float": pl.Series([each / 3 for each in IDS]),
    "decimal": pl.Series([Decimal(int(each)) / 4 for each in IDS], dtype=pl.Decimal(10, 2)),
    "small": pl.Series(IDS, dtype=pl.Int8),
    "nulls": pl.Series([None if each == 3 else int(each) for each in IDS]),
}


@pytest.mark.parametrize(("name", "way"), paired(UNITS, product(KINDS, [None, "tags"]), each=2), ids=named)
def test_units_of_any_type_stay_together(frame_of: Any, name: str, way: tuple[str, str | None]) -> None:
    kind, by = way
    frame = frame_of(kind, FRAME.with_columns(unit=UNITS[name]))
    parts = frame.tql.split(folds=3, unit="unit", by=by, seed=7)
    assert_whole(parts, ROWS)
    assert positions_of(parts) == positions_of(FRAME.tql.split(folds=3, unit="id", by=by, seed=7))
    for view in parts.values():
        view.to_polars()  # files are read again, and compared


def test_rows_without_a_unit_stay_together() -> None:
    frame = pl.DataFrame({"id": [None if i % 3 == 0 else i for i in range(90)]})
    for by in (None, "id"):
        found = parts_by_unit(frame.tql.split({"a": 0.5, "b": 0.5}, unit="id", by=by, seed=1))
        assert len(found[None]) == 1
    assert len(found) == 61


def test_nan_and_zeros_are_one_unit_each() -> None:
    frame = pl.DataFrame({"id": [float("nan"), 0.0, float("nan"), -0.0, 1.0, 2.0] * 9})
    for seed in range(5):
        parts = frame.tql.split({"a": 0.5, "b": 0.5}, unit="id", seed=seed)
        assert [
            sum(len(set(view.to_polars()["id"].cast(pl.String).str.replace("-0", "0"))) for view in parts.values())
        ] == [4]


def test_a_boolean_unit_is_two_units() -> None:
    parts = pl.DataFrame({"id": [True, False, True]}).tql.split({"a": 0.5, "b": 0.5}, unit="id", seed=1)
    assert sorted(map(len, parts.values())) == [1, 2]


def test_numbers_of_units_are_exact_without_labels() -> None:
    parts = FRAME.tql.split({"a": 0.5, "b": 0.3, "c": 0.2}, unit="id", seed=7)
    units = FRAME["id"].n_unique()
    wanted = [units * share for share in (0.5, 0.3, 0.2)]
    assert [abs(number - each) < 1 for number, each in zip(parts.report().parts["units"], wanted, strict=True)] == [
        True
    ] * 3
    sizes = [len(view) for view in FRAME.tql.split({"a": 0.5, "b": 0.3, "c": 0.2}, seed=7).values()]
    assert sizes == [300, 180, 120]


@pytest.mark.parametrize("unit", ["category", "string", "Int64", "object"])
def test_units_of_pandas(unit: str) -> None:
    frame = FRAME.to_pandas().set_index(pd.Index([n % 7 for n in range(ROWS)], name="number"))
    frame["unit"] = frame["id"].astype("string" if unit == "category" else unit).astype(unit)
    parts = frame.tql.split(folds=3, unit="unit", by="tags", seed=7)
    assert positions_of(parts) == positions_of(FRAME.tql.split(folds=3, unit="id", by="tags", seed=7))


# --- labels ----------------------------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=size(25, 400), deadline=None)
def test_any_table_is_split_whole(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 60))
    ids = data.draw(st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=rows, max_size=rows))
    cell = st.one_of(st.none(), st.lists(st.sampled_from(["a", "b", "c", None]), max_size=4))
    tags = data.draw(st.lists(cell, min_size=rows, max_size=rows))
    weights = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    parts = {f"p{place}": Fraction(weight, sum(weights)) for place, weight in enumerate(weights)}
    frame = pl.DataFrame({"id": ids, "tags": tags}, schema={"id": pl.Int64, "tags": pl.List(pl.String)})
    by, unit = data.draw(st.sampled_from([None, "tags"])), data.draw(st.sampled_from([None, "id"]))
    try:
        found = frame.tql.split(parts, unit=unit, by=by, seed=data.draw(st.integers(0, 99)))
    except TQLError as fault:
        assert "would be empty" in fault.message
        units = rows if unit is None else frame["id"].n_unique()
        assert units * min(parts.values()) < 1
        return
    assert_whole(found, rows)
    if unit:
        assert all(len(each) == 1 for each in parts_by_unit(found).values())
    report = found.report()
    assert report.parts["rows"].to_list() == [len(view) for view in found.values()]
    if by:
        for label, part, count in report.labels.select("label", "part", "rows").iter_rows():
            cells = found[part].to_polars()["tags"].to_list()
            assert count == sum(label in cell if cell else label is None for cell in cells)


TAGS = FRAME["tags"]
LABELS: dict[str, pl.Series] = {
    "twice": pl.Series([[*cell, *cell] for cell in TAGS]),
    "categories": TAGS.cast(pl.List(pl.Categorical)),
    "null for empty": pl.Series([cell or None for cell in TAGS.to_list()], dtype=pl.List(pl.String)),
    "numbers": pl.Series([[int(each[1:]) for each in cell] for cell in TAGS], dtype=pl.List(pl.Int64)),
}


@pytest.mark.parametrize(("name", "kind"), paired(LABELS, KINDS))
def test_lists_of_labels(frame_of: Any, kind: str, name: str) -> None:
    frame = frame_of(kind, FRAME.with_columns(tags=LABELS[name]))
    parts = frame.tql.split(THIRDS, unit="id", by="tags", seed=7)
    assert positions_of(parts) == positions_of(FRAME.tql.split(THIRDS, unit="id", by="tags", seed=7))
    for view in parts.values():
        view.to_polars()


def test_arrays_and_single_values_and_columns_without_a_value() -> None:
    frame = FRAME.with_columns(
        pair=pl.Series([[i % 3, i % 4] for i in range(ROWS)], dtype=pl.Array(pl.Int64, 2)),
        pairs=pl.Series([[i % 3, i % 4] for i in range(ROWS)]),
        number=pl.col("k") % 4 / 2,
        word=(pl.col("k") % 4).cast(pl.String),
        nothing=pl.lit(None),
    )
    first, second = (frame.tql.split(THIRDS, by=by, seed=7) for by in ("pair", "pairs"))
    assert positions_of(first) == positions_of(second)
    first, second = (frame.tql.split(THIRDS, by=by, seed=7) for by in ("number", "word"))
    assert positions_of(first) == positions_of(second)
    assert frame.tql.split(THIRDS, by="nothing", seed=7).report().labels["rows"].to_list() == [360, 120, 120]


def test_every_column_of_labels_counts_for_itself() -> None:
    parts = FRAME.tql.split(THIRDS, by=["sex", "tags"], seed=7)
    labels = parts.report().labels
    assert labels["column"].unique(maintain_order=True).to_list() == ["sex", "tags"]
    assert labels["off"].abs().max() <= 1.5
    alone = FRAME.tql.split(THIRDS, by="sex", seed=7)
    assert positions_of(alone) != positions_of(parts)


XRAYS = tql_frames.datasets.chest_xray()


@pytest.mark.parametrize(
    ("request_", "unit"),
    paired(
        [{"folds": 5}, {"parts": {"train": 0.7, "val": 0.15, "test": 0.15}}, {"parts": {"train": 0.8, "test": 0.2}}],
        [None, "patient_id"],
    ),
    ids=named,
)
def test_findings_of_the_table_lie_in_proportion(request_: Any, unit: str | None) -> None:
    """Within two rows or half a percent of what is wanted, whichever is more; in fact within a row or two."""
    parts = XRAYS.tql.split(**request_, unit=unit, by="findings", seed=7)
    report = parts.report()
    off = pl.max_horizontal(pl.lit(2.0), pl.col("wanted") * 0.005)
    assert report.labels.filter(pl.col("off").abs() > off).is_empty()
    assert report.labels["off"].abs().max() < 2
    assert report.parts["off"].abs().max() < 1
    assert report.labels.height == 15 * len(parts)
    assert sum(map(len, parts.values())) == XRAYS.height
    if unit:
        patients = [set(view.to_native()["patient_id"]) for view in parts.values()]
        assert sum(map(len, patients)) == len(set.union(*patients)) == 30_805


# --- arguments -------------------------------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], type[TQLError], str]] = [
    ({}, TQLError, r"parts and folds are both missing; pass one of them\n.*write split\(\{'train': 0.8"),
    ({"parts": THIRDS, "folds": 5}, TQLError, "parts and folds were both given"),
    ({"parts": [0.8, 0.2]}, TQLError, r"expected parts= to be a mapping such as .*, got \[0.8, 0.2\]"),
    ({"parts": 0.8}, TQLError, "expected parts= to be a mapping"),
    ({"parts": {}}, TQLError, "parts is empty"),
    ({"parts": {"a": 0.5, "b": 0.4}}, TQLError, r"shares to sum to 1, got 0.9\n.*name a part for the other 0.1"),
    ({"parts": {"a": 80, "b": 20}}, TQLError, r"shares to sum to 1, got 100\n.*divide each of them by 100"),
    ({"parts": {"a": 1.5, "b": -0.5}}, TQLError, "the share of part 'b' to be a number above 0, got -0.5"),
    ({"parts": {"a": 1.0, "b": 0.0}}, TQLError, "the share of part 'b' to be a number above 0, got 0.0"),
    ({"parts": {"a": float("nan"), "b": 0.5}}, TQLError, "the share of part 'a' to be a number above 0, got nan"),
    ({"parts": {"a": float("inf")}}, TQLError, "the share of part 'a' to be a number above 0, got inf"),
    ({"parts": {"a": "half", "b": 0.5}}, TQLError, "the share of part 'a' to be a number above 0, got 'half'"),
    ({"parts": {"a": None, "b": 0.5}}, TQLError, "the share of part 'a' to be a number above 0, got None"),
    ({"parts": {"a": True}}, TQLError, "the share of part 'a' to be a number above 0, got True"),
    ({"parts": {1: 0.5, 2: 0.5}}, TQLError, "expected the name of a part to be text, got 1"),
    ({"parts": {"": 1.0}}, TQLError, "expected the name of a part to be text, got ''"),
    ({"parts": {str(n): Fraction(1, 20_000) for n in range(20_000)}}, TQLError, "parts names 20,000 parts"),
    ({"folds": 1}, TQLError, "expected folds= to be a whole number from 2 to 10,000, got 1"),
    ({"folds": 2.0}, TQLError, "expected folds= to be a whole number from 2 to 10,000, got 2.0"),
    ({"folds": True}, TQLError, "expected folds= to be a whole number from 2 to 10,000, got True"),
    ({"folds": 10**9}, TQLError, "expected folds= to be a whole number from 2 to 10,000, got 1000000000"),
    ({"folds": 5, "unit": 3}, TQLError, "expected unit= to be the name of a column, got 3"),
    ({"folds": 5, "unit": ["id"]}, TQLError, r"expected unit= to be the name of a column, got \['id'\]"),
    ({"folds": 5, "unit": "idd"}, TQLNameError, r"unknown column 'idd'\n.*did you mean 'id'\?"),
    ({"folds": 5, "unit": "tags"}, TQLTypeError, r"column 'tags' of type .* holds no units"),
    ({"folds": 5, "by": "tag"}, TQLNameError, r"unknown column 'tag'\n.*did you mean 'tags'\?"),
    ({"folds": 5, "by": []}, TQLError, r"expected by= to be the name of a column or a list of names, got \[\]"),
    ({"folds": 5, "by": 3}, TQLError, "expected by= to be the name of a column or a list of names, got 3"),
    ({"folds": 5, "by": ["sex", None]}, TQLError, r"expected by= to be the name of a column or a list of names"),
    ({"folds": 5, "by": ["sex", "sex"]}, TQLError, "by names column 'sex' twice"),
    ({"folds": 5, "by": "nested"}, TQLTypeError, r"column 'nested' of type .* holds no labels"),
    ({"folds": 5, "seed": -1}, TQLError, "expected seed= to be a whole number"),
    ({"folds": 5, "index": 3}, TQLError, "expected index= to be a column name or None"),
]


@pytest.mark.parametrize(("options", "kind", "message"), WRONG, ids=lambda each: str(each)[:60])
def test_wrong_arguments(options: dict[str, Any], kind: type[TQLError], message: str) -> None:
    frame = FRAME.with_columns(nested=pl.Series([[[1]]] * ROWS))
    wire = Tripwire(frame)
    for each in (frame, wire.plan):
        with pytest.raises(kind, match=message):
            each.tql.split(**options)
    assert wire.runs == 0


EMPTY: list[tuple[int, dict[str, Any], str]] = [
    (0, {"folds": 2}, "cannot split an empty frame"),
    (0, {"parts": {"all": 1.0}, "unit": "id", "by": "id"}, "cannot split an empty frame"),
    (1, {"parts": {"a": 0.5, "b": 0.5}}, "part 'b' would be empty: 0.5 of 1 row rounds to 0"),
    (4, {"folds": 5}, "cannot make 5 folds of 4 rows"),
    (9, {"folds": 5, "unit": "id"}, "cannot make 5 folds of 3 units in column 'id'"),
    (9, {"parts": {"a": 0.9, "b": 0.1}, "unit": "id", "by": "id"}, "part 'b' would be empty: 0.1 of 3 units in column"),
]


@pytest.mark.parametrize(("rows", "options", "message"), EMPTY, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_no_part_is_empty(frame_of: Any, kind: str, rows: int, options: Any, message: str) -> None:
    frame = frame_of(kind, pl.DataFrame({"id": [n % 3 for n in range(rows)]}, schema={"id": pl.Int64}))
    if kind in ("polars", "pandas"):
        with pytest.raises(TQLError, match=message):
            frame.tql.split(**options)
        return
    parts = frame.tql.split(**options)
    for ask in (lambda: len(next(iter(parts.values()))), parts.report):
        with pytest.raises(TQLError, match=message):
            ask()
    with pytest.raises(TQLError, match=message):
        next(iter(parts.values())).to_native().collect()


@pytest.mark.parametrize("by", [None, "id"])
def test_one_row(by: str | None) -> None:
    for frame in (pl.DataFrame({"id": [3]}), pd.DataFrame({"id": [3]})):
        parts = frame.tql.split({"all": 1.0}, unit="id", by=by)
        assert positions_of(parts) == {"all": [0]}


def test_shares_as_people_compute_them() -> None:
    shares: list[Any] = [1 / 3, np.float64(1 / 3), 1 / 3]
    assert [len(v) for v in FRAME.tql.split(dict(zip("abc", shares, strict=True)), seed=1).values()] == [200] * 3
    wide = np.array([0.1] * 7 + [0.3])
    parts = dict(zip("abcdefgh", wide / wide.sum(), strict=True))
    assert [len(v) for v in FRAME.tql.split(parts, seed=1).values()] == [60] * 7 + [180]
    assert [len(v) for v in FRAME.tql.split({"a": Decimal("0.29"), "b": Fraction(71, 100)}).values()] == [174, 426]
    assert len(FRAME.tql.split({"a": 1})["a"]) == ROWS


@pytest.mark.parametrize(
    ("name", "ours"),
    [("n_splits", "folds"), ("groups", "unit"), ("stratify", "by"), ("random_state", "seed"), ("label", "by")],
)
def test_names_of_other_libraries(name: str, ours: str) -> None:
    for call in (FRAME.tql.split, lambda **options: tql_frames.split(FRAME, **options)):
        with pytest.raises(TypeError, match=rf"split\(\) has no argument '{name}'; write {ours}="):
            call(**{name: 5})


def test_a_level_of_the_index_is_named() -> None:
    frame = FRAME.drop("tags").to_pandas().set_index("id")
    with pytest.raises(TQLNameError, match="it is a level of the index"):
        frame.tql.split(folds=3, unit="id")
    with pytest.raises(TQLNameError, match="did you mean 'sex'"):
        frame.tql.split(folds=3, unit="sexx")


# --- the mapping, folds and reports ----------------------------------------------------------------------------------


def test_it_is_a_mapping() -> None:
    parts = FRAME.tql.split(THIRDS, seed=7)
    assert len(parts) == 3
    assert "val" in parts and "vla" not in parts and parts.get("nosuch") is None
    assert dict(parts)["val"] is parts["val"]
    assert isinstance(parts["val"], View)
    with pytest.raises(KeyError, match="no part 'vla'; did you mean 'val'"):
        parts["vla"]
    with pytest.raises(KeyError, match="no part 7; the parts are 'train', 'val', 'test'"):
        parts[7]
    assert parts.shares == THIRDS


@pytest.mark.parametrize("kind", KINDS)
def test_folds_are_parts_to_test_on(frame_of: Any, kind: str) -> None:
    folds = frame_of(kind, FRAME).tql.split(folds=4, unit="id", by="sex", seed=7)
    assert list(folds) == [0, 1, 2, 3]
    assert_whole(folds, ROWS)
    pairs = list(folds.folds())
    assert [test for _, test in pairs] == list(folds.values())
    for train, test in pairs:
        assert train.positions.tolist() == sorted({*range(ROWS)} - {*test.positions.tolist()})
    assert pairs[2][0].sampler == "split(folds=4, unit='id', by='sex') without fold 2"
    with pytest.raises(TQLError, match="the split has named parts, not folds"):
        FRAME.tql.split(THIRDS).folds()


def test_many_parts() -> None:
    folds = FRAME.tql.split(folds=ROWS, seed=7)
    assert {len(view) for view in folds.values()} == {1}
    assert "least share" in str(FRAME.tql.split(folds=30, by="sex", seed=7))


def test_a_report_counts_rows_units_and_labels() -> None:
    parts = FRAME.tql.split(THIRDS, unit="id", by="tags", seed=7)
    report = parts.report()
    for name, units, rows, wanted, off, share, wanted_share in report.parts.iter_rows():
        found = parts[name].to_native()
        assert (units, rows) == (found["id"].n_unique(), found.height)
        assert (wanted, off) == pytest.approx((ROWS * THIRDS[name], rows - ROWS * THIRDS[name]))
        assert (share, wanted_share) == pytest.approx((rows / ROWS, THIRDS[name]))
    counts = {label: FRAME.filter(pl.col("tags").list.contains(label)).height for label in (f"t{n}" for n in range(7))}
    counts[None] = FRAME.filter(pl.col("tags").list.len() == 0).height
    for column, label, part, rows, wanted, off, share, wanted_share in report.labels.iter_rows():
        found = parts[part].to_native()
        here = found.filter(pl.col("tags").list.contains(label) if label else pl.col("tags").list.len() == 0).height
        assert (column, rows) == ("tags", here)
        assert (wanted, off) == pytest.approx((counts[label] * THIRDS[part], rows - counts[label] * THIRDS[part]))
        assert (share, wanted_share) == pytest.approx((rows / counts[label], THIRDS[part]))
    order = report.labels["label"].to_list()[::3]
    assert sorted(order, key=lambda label: -counts[label]) == order
    assert "no label" in str(report)
    assert report.to_dict()["parts"] == report.parts.to_dicts()
    assert report.to_dict()["labels"] == report.labels.to_dicts()


def test_a_report_is_of_the_frames_kind() -> None:
    report = FRAME.to_pandas().tql.split(THIRDS, unit="id", by="tags", seed=7).report()
    expected = FRAME.tql.split(THIRDS, unit="id", by="tags", seed=7).report()
    assert isinstance(report.parts, pd.DataFrame)
    pd.testing.assert_frame_equal(report.parts, expected.parts.to_pandas())
    pd.testing.assert_frame_equal(report.labels, expected.labels.to_pandas())
    assert FRAME.tql.split(THIRDS).report().labels is None


def test_it_shows_itself() -> None:
    parts = FRAME.tql.split(THIRDS, unit="id", by=["sex", "tags"], seed=7)
    for text in (repr(parts), parts._repr_html_()):
        for words in ("Split of 600 rows into 3 parts, Polars DataFrame", "id", "sex, tags", "train"):
            assert words in text
    assert parts._repr_html_().count("<table") == 4
    assert len(repr(parts).splitlines()) <= 70
    chart = pytest.importorskip("altair") and parts.report().plot()
    spec = chart.to_dict()
    values = spec["datasets"] if "datasets" in spec else spec["layer"][0]["data"]["values"]
    assert len(values) == 3 * (1 + 3 + 8)
    assert values[0]["label"] == "all rows" and values[3]["label"].startswith("sex: ")
    assert [each["bound"] for each in spec["layer"][1]["data"]["values"]] == pytest.approx([0.6, 0.8])
    assert spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["train", "val", "test"]


def test_a_chart_of_many_labels_shows_those_that_are_farthest_off() -> None:
    pytest.importorskip("altair")
    frame = pl.DataFrame({"k": [n % 100 for n in range(1_000)]})
    report = frame.tql.split({"a": 0.55, "b": 0.45}, by="k", seed=7).report()
    spec = report.plot().to_dict()
    values = spec["layer"][0]["data"]["values"]
    assert len({each["label"] for each in values}) == 40
    assert "the 40 labels that are farthest off; 61 others are left out" in spec["title"]["subtitle"]
    shown = {each["label"] for each in values}
    worst = report.labels.sort(pl.col("off").abs(), descending=True)["off"].abs()
    assert min(abs(each["off"]) for each in values if each["label"] in shown) <= worst[79]


# --- views -----------------------------------------------------------------------------------------------------------


class TestViews:
    def test_copies_of_a_row_stay_together(self) -> None:
        drawn = FRAME.tql.view("k", limit=2_000, seed=1)
        for by in (None, "tags"):
            parts = drawn.split(THIRDS, by=by, seed=7)
            rows = [set(view.positions.tolist()) for view in parts.values()]
            assert sum(map(len, rows)) == len(set.union(*rows)) == len(set(drawn.positions.tolist()))
            assert sum(map(len, parts.values())) == 2_000
            for view in parts.values():
                order = [each for each in drawn.positions.tolist() if each in set(view.positions.tolist())]
                assert view.positions.tolist() == order  # those of the view, in its order
                assert view.positions.tolist() == drawn.positions[view.drawn].tolist()

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_view_is_split_by_its_own_columns(self, frame_of: Any, kind: str) -> None:
        old = frame_of(kind, FRAME).tql.view("select id, tags as labels where k > 100")
        parts = old.split(THIRDS, unit="id", by="labels", seed=7)
        expected = FRAME[101:].tql.split(THIRDS, unit="id", by="tags", seed=7)
        for name, view in parts.items():
            assert (view.positions - 101).tolist() == expected[name].positions.tolist()
            assert view.columns == ["id", "labels"]
        with pytest.raises(TQLNameError, match="unknown column 'k'"):
            old.split(THIRDS, unit="k")
        assert old.tql.split(folds=2, seed=1).report().rows == 499
        assert "view of a " in repr(parts)

    def test_a_part_is_drawn_from_and_split_in_its_turn(self) -> None:
        parts = FRAME.tql.split(THIRDS, unit="id", seed=7)
        drawn = parts["train"].sample("max_weight(contains(tags, 't3'): 5, true: 1)", 1_000, seed=1)
        assert set(drawn["id"]) <= set(parts["train"].to_native()["id"])
        inner = parts["train"].split(folds=2, unit="id", seed=1)
        assert sorted(chain(*positions_of(inner).values())) == parts["train"].positions.tolist()

    @pytest.mark.parametrize("kind", KINDS)
    def test_parts_are_saved_and_loaded(self, frame_of: Any, kind: str, tmp_path: Path) -> None:
        frame = frame_of(kind, FRAME)
        part = frame.tql.split(THIRDS, unit="id", by="tags", seed=7)["test"]
        part.save(tmp_path / "test.view", "held out")
        loaded = tql_frames.load_view(tmp_path / "test.view", frame)
        assert loaded.positions.tolist() == part.positions.tolist()
        assert loaded.steps == part.steps
        assert "split({'train': 0.6, 'val': 0.2, 'test': 0.2}, unit='id', by='tags')['test']" in repr(loaded)
        assert_same(loaded.to_native(), part.to_native())
        saved = tql_frames.read_view(tmp_path / "test.view")
        assert (saved.seed, saved.steps[-1].kind, saved.replace, saved.limit) == (7, "split", None, None)
        other = FRAME.with_columns(pl.col("id") + 1)
        with pytest.raises(TQLError, match="column 'id' has other values"):
            tql_frames.load_view(tmp_path / "test.view", other)
        inner = part.view("k", 9, seed=1).split(folds=2, seed=1)[0]
        inner.save(tmp_path / "inner.view")
        assert tql_frames.load_view(tmp_path / "inner.view", frame).positions.tolist() == inner.positions.tolist()

    @pytest.mark.parametrize("kind", ["polars", "pandas", "scan"])
    def test_parts_are_pickled(self, frame_of: Any, kind: str) -> None:
        part = frame_of(kind, FRAME).tql.split(THIRDS, unit="id", seed=7)["test"]
        again = pickle.loads(pickle.dumps(part))
        assert again.positions.tolist() == part.positions.tolist()
        assert again.steps == part.steps

    def test_a_report_of_a_part_is_one_of_a_view(self) -> None:
        part = FRAME.tql.split(THIRDS, unit="id", by="sex", seed=7)["test"]
        labels = part.report("sex").labels
        assert labels["drawn"].sum() == len(part)
        assert part.report().rows == ROWS
        assert part.replace is None and part.parameters is None


class TestLaziness:
    def test_nothing_runs_before_rows_are_asked_for_and_then_once(self) -> None:
        wire = Tripwire(FRAME)
        parts = wire.plan.tql.split(THIRDS, unit="id", by="tags", seed=7)
        plans = [view.to_native() for view in parts.values()]
        repr(parts), parts._repr_html_(), list(parts), [repr(view) for view in parts.values()]
        [plan.collect_schema() for plan in plans]
        assert "rows not read yet" in repr(parts)
        assert wire.runs == 0
        assert len(parts["test"]) > 0
        parts.report()
        assert sum(view.to_native().collect().height for view in parts.values()) == ROWS
        assert wire.runs == 1
        assert sum(plan.collect().height for plan in plans) == ROWS
        assert "Split of 600 rows into 3 parts, Polars LazyFrame" in repr(parts)

    @pytest.mark.parametrize("engine", ["in-memory", "streaming"])
    @pytest.mark.parametrize("kind", ["lazy", "scan"])
    def test_all_parts_at_once(self, frame_of: Any, kind: str, engine: Any) -> None:
        expected = FRAME.tql.split(THIRDS, unit="id", by="tags", seed=7)
        for _ in range(size(1, 5)):
            parts = frame_of(kind, FRAME).tql.split(THIRDS, unit="id", by="tags", seed=7)
            found = pl.collect_all([view.to_native() for view in parts.values()], engine=engine)
            for frame, view in zip(found, expected.values(), strict=True):
                assert_frame_equal(frame, view.to_native())

    @pytest.mark.skipif(not hasattr(pl.LazyFrame, "collect_batches"), reason="old Polars holds the plan")
    def test_files_that_change_meanwhile_are_noticed(self, tmp_path: Path) -> None:
        path = tmp_path / "frame.parquet"
        FRAME.write_parquet(path)
        parts = pl.scan_parquet(path).tql.split(THIRDS, unit="id", by="tags", seed=1)
        len(parts["train"])
        FRAME.reverse().write_parquet(path)
        with pytest.raises(TQLError, match="the rows changed while they were sampled"):
            parts["test"].to_polars()


class TestMemory:
    @pytest.fixture(autouse=True)
    def _no_collector(self) -> Iterator[None]:
        gc.disable()
        yield
        gc.enable()

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_split_is_freed_with_its_last_reference(self, frame_of: Any, kind: str) -> None:
        parts = frame_of(kind, FRAME).tql.split(folds=3, unit="id", by="tags", seed=7)
        next(iter(parts.folds())), parts.report(), repr(parts), parts._repr_html_()
        inner = parts[0].split(folds=2, seed=1)
        [view.to_native() for view in inner.values()]
        alive = [weakref.ref(each) for each in (parts, parts[0], inner, inner[0])]
        del inner
        assert [each() is None for each in alive] == [False, False, True, True]
        del parts
        assert alive[0]() is None and alive[1]() is None
