"""Views on disk: equal values load whatever the library, what is not needed may differ, forged files are refused."""

from __future__ import annotations

import copy
import datetime as dt
import json
import os
import pickle
import stat
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.frames import test_frames_pandas, test_frames_polars
from tql_frames import TQLError, TQLTypeError, TQLWarning, load_view
from tql_frames.frames import kept_frame_of
from tql_frames.views.storage import digests as digests_by_type
from tql_frames.views.storage import file as view_file
from tql_frames.views.storage import fingerprint

FRAME = pl.DataFrame(
    {
        "age": [71, 34, None, 20, 65, 50],
        "w": [0.5, 1.0, 2.0, None, 0.0, 4.0],
        "s": ["a", "b", None, "", "a", "ünïcødé"],
        "l": [["x", None], [], None, ["y"], ["x"], [""]],
        "day": [dt.date(2024, 2, 29)] * 5 + [None],
    }
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved.parquet"


def digests(column: Any, **options: Any) -> tuple[str, str]:
    frame = column if isinstance(column, (pl.DataFrame, pd.DataFrame, pl.LazyFrame)) else pl.DataFrame({"x": column})
    found = fingerprint(kept_frame_of(frame), **options)
    return found.columns[0].digest, found.bag


class TestEqualValues:
    @pytest.mark.fault("E1")
    @pytest.mark.fault("H6")
    @pytest.mark.parametrize("kind", [kind for kind in test_frames_polars.COLUMNS if "Int128" not in kind])
    @pytest.mark.parametrize("arrow", [False, True], ids=["numpy", "arrow"])
    def test_every_type_loads_on_its_pandas_form(self, path: Path, kind: str, arrow: bool) -> None:
        frame = pl.DataFrame({"x": test_frames_polars.COLUMNS[kind], "w": [1, 2, 3, 4]})
        view = frame.tql.view("w", 6, seed=1)
        view.save(path)
        pandas = frame.to_pandas(use_pyarrow_extension_array=arrow)
        assert load_view(path, pandas).positions.tolist() == view.positions.tolist()
        pandas.tql.view("w", 6, seed=1).save(path)
        assert load_view(path, frame).positions.tolist() == view.positions.tolist()
        assert load_view(path, frame.lazy()).positions.tolist() == view.positions.tolist()

    @pytest.mark.fault("E1")
    @pytest.mark.parametrize(
        "sampler", ["w", "max_weight(s = 'a': 5, true: 1)", "select s as text, day where age > 30"]
    )
    def test_a_view_goes_from_every_library_to_every_other(self, path: Path, tmp_path: Path, sampler: str) -> None:
        FRAME.write_parquet(tmp_path / "frame.parquet", row_group_size=2)
        text = FRAME.with_columns(pl.col("s").cast(pl.Categorical), pl.col("age").cast(pl.Float32))
        enum = FRAME.with_columns(pl.col("s").cast(pl.Enum(["ünïcødé", "", "b", "a"])), pl.col("day").cast(pl.Datetime))
        frames = [FRAME, FRAME.to_pandas(), FRAME.lazy(), pl.scan_parquet(tmp_path / "frame.parquet"), text, enum]
        for first in frames:
            view = first.tql.view(sampler, seed=3)
            view.save(path)
            for second in frames:
                assert load_view(path, second, strict=True).positions.tolist() == view.positions.tolist()

    SAME: dict[str, list[pl.Series]] = {  # noqa: RUF012
        "whole numbers": [
            pl.Series([1, None, -3], dtype=dtype)
            for dtype in (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.Float32, pl.Float64)
        ],
        "large numbers": [
            pl.Series([2**62, None], dtype=dtype) for dtype in (pl.Int64, pl.UInt64, pl.Int128, pl.Float64)
        ],
        "beyond 2**53": [pl.Series([2**53 + 1, 2**63 - 1], dtype=dtype) for dtype in (pl.Int64, pl.UInt64, pl.Int128)],
        "beyond 64 bits with a sign": [
            pl.Series([2**64 - 1, 2**63, 0], dtype=dtype) for dtype in (pl.UInt64, pl.Int128)
        ],
        "null and NaN": [
            pl.Series([0.5, None]),
            pl.Series([0.5, float("nan")]),
            pl.Series([0.5, None], dtype=pl.Float32),
        ],
        "zeros": [pl.Series([0.0]), pl.Series([-0.0]), pl.Series([0]), pl.Series([-0.0], dtype=pl.Float32)],
        "texts": [
            pl.Series(["b", None, "a"], dtype=dtype)
            for dtype in (pl.String, pl.Categorical, pl.Enum(["a", "b"]), pl.Enum(["c", "b", "a"]))
        ],
        "days": [
            pl.Series([dt.date(2024, 2, 29), None, dt.date(1, 1, 1)]).cast(dtype)
            for dtype in (pl.Date, pl.Datetime("ms"), pl.Datetime("us"))
        ],
        "moments": [
            pl.Series([dt.datetime(1969, 12, 31, 23, 59, 59, 999000), None]).cast(pl.Datetime(unit))
            for unit in ("ms", "us", "ns")
        ],
        "moments with a zone": [
            pl.Series([dt.datetime(2024, 1, 1)]).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
            for zone in ("UTC", "Europe/Paris")
        ],
        "spans": [pl.Series([dt.timedelta(days=-1, seconds=1)]).cast(pl.Duration(unit)) for unit in ("ms", "us", "ns")],
        "decimals": [
            pl.Series([Decimal("1.50"), None, Decimal("-20")]).cast(pl.Decimal(precision, scale))
            for precision, scale in ((10, 2), (38, 1), (20, 9))
        ],
        "lists": [
            pl.Series([[1, None], [2, 3]]).cast(dtype)
            for dtype in (pl.List(pl.Int8), pl.List(pl.Float64), pl.Array(pl.Int64, 2))
        ],
        "lists of texts": [pl.Series([["a"], None]).cast(pl.List(dtype)) for dtype in (pl.String, pl.Categorical)],
        "structs": [pl.Series([{"a": 1}, None]), pl.Series([{"a": 1.0}, None])],
        "nulls": [pl.Series([None] * 3).cast(dtype) for dtype in (pl.Null, pl.String, pl.Int8, pl.List(pl.Date))],
        "empty lists": [pl.Series([[], None]).cast(pl.List(dtype)) for dtype in (pl.Null, pl.String, pl.Int8)],
        "no rows": [pl.Series([], dtype=dtype) for dtype in (pl.Null, pl.String, pl.Int8, pl.Struct({"a": pl.Date}))],
    }

    @pytest.mark.fault("E1")
    @pytest.mark.parametrize("kind", SAME)
    def test_equal_values_of_several_types_are_the_same(self, kind: str) -> None:
        assert len({digests(column) for column in self.SAME[kind]}) == 1

    OTHER: dict[str, list[pl.Series]] = {  # noqa: RUF012
        "numbers beyond 2**53": [pl.Series([number]) for number in (2**53, 2**53 + 1, 2**53 + 2)],
        "numbers at 2**63": [pl.Series([2**63 + add], dtype=pl.Int128) for add in (-2, -1, 0, 1)],
        "numbers of 128 bits": [pl.Series([2**100 + add, 1], dtype=pl.Int128) for add in (0, 1, 2)],
        "signs": [pl.Series([value]) for value in (1, -1, 0, None)],
        "floats": [pl.Series([value]) for value in (0.1, np.nextafter(0.1, 1), float("inf"), float("-inf"))],
        "singles": [pl.Series([0.1]), pl.Series([0.1], dtype=pl.Float32)],
        "a number and its text": [pl.Series([1]), pl.Series(["1"]), pl.Series([True]), pl.Series([b"1"])],
        "a moment and its number": [pl.Series([0]), pl.Series([0]).cast(pl.Date), pl.Series([0]).cast(pl.Duration)],
        "moments": [pl.Series([value]).cast(pl.Datetime("ns")) for value in (0, 1, 999_999, 1_000_000, -1)],
        "with and without zone": [
            pl.Series([0]).cast(pl.Datetime("us")),
            pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        ],
        "places of what a float leaves out": [
            pl.Series(values) for values in ([2**53, 2**53 + 1], [2**53 + 1, 2**53], [2**53 + 1, 2**53 + 1])
        ],
        "decimals": [pl.Series([Decimal(text)]) for text in ("1.5", "15", "0.15", "150", "100", "1", "10")],
        "fields": [pl.Series([{"a": 1}]), pl.Series([{"b": 1}]), pl.Series([{"a": 1, "b": None}])],
        "lists": [pl.Series([value], dtype=pl.List(pl.Int64)) for value in (None, [], [None], [1], [1, None])],
        "lengths": [pl.Series([["a"], ["b", "c"]]), pl.Series([["a", "b"], ["c"]])],
        "rows": [pl.Series([None] * count, dtype=pl.Null) for count in (0, 1, 2)],
    }

    @pytest.mark.parametrize("kind", OTHER)
    def test_other_values_differ(self, kind: str) -> None:
        found = [digests(column)[0] for column in self.OTHER[kind]]
        assert len(set(found)) == len(found)

    @pytest.mark.fault("H6")
    def test_what_pandas_rounds_is_told(self, path: Path) -> None:
        frame = pl.DataFrame({"id": [2**53 + 1, None]})
        frame.tql.view("1", 2, seed=1).save(path)
        with pytest.raises(TQLError, match="column 'id' has other values"):
            load_view(path, frame.to_pandas())
        load_view(path, frame.to_pandas(use_pyarrow_extension_array=True))
        load_view(path, pd.DataFrame({"id": pd.array([2**53 + 1, None], dtype="Int64")}))

    @pytest.mark.fault("E1")
    @pytest.mark.parametrize("kind", test_frames_pandas.COLUMNS)
    def test_pandas_columns_load_on_their_polars_form(self, path: Path, kind: str) -> None:
        frame = pd.DataFrame({"x": test_frames_pandas.COLUMNS[kind], "w": [1, 2, 3, 4]})
        view = frame.tql.view("w", 5, seed=1)
        try:
            polars = pl.DataFrame({"x": kept_frame_of(frame).column("x"), "w": [1, 2, 3, 4]})
        except TQLTypeError:
            with pytest.warns(TQLWarning, match="'x'"):
                view.save(path)
            assert load_view(path, frame).positions.tolist() == view.positions.tolist()
            return
        view.save(path)
        assert load_view(path, polars, strict=True).positions.tolist() == view.positions.tolist()

    @pytest.mark.fault("I-fingerprint")
    @pytest.mark.parametrize("by_value", [True, False])
    def test_a_file_in_several_batches_is_the_frame(self, tmp_path: Path, by_value: bool) -> None:
        rows = 1_100_000  # more than a part of the contents
        frame = pl.select(i=pl.int_range(rows), t=pl.int_range(rows) % 7).with_columns(
            pl.when(pl.col("t") > 0).then("i").alias("i"), s=pl.col("t").cast(pl.String), big=pl.col("i") + 2**53
        )
        frame.write_parquet(tmp_path / "frame.parquet", row_group_size=100_000)
        scanned = kept_frame_of(pl.scan_parquet(tmp_path / "frame.parquet"))
        assert len(list(scanned.contents())) > 1
        assert fingerprint(scanned, by_value=by_value) == fingerprint(kept_frame_of(frame), by_value=by_value)
        other = frame.with_columns(big=pl.when(pl.col("i") == rows - 5).then(0).otherwise("big"))
        found, expected = (fingerprint(kept_frame_of(each), by_value=by_value) for each in (other, frame))
        assert [a == b for a, b in zip(found.columns, expected.columns, strict=True)] == [True, True, True, False]

    @pytest.mark.fault("I-digests")
    @pytest.mark.parametrize("size", [1023, 1024, 1025])
    @pytest.mark.parametrize("by_value", [True, False])
    def test_texts_at_the_length_from_which_they_are_long(self, size: int, by_value: bool) -> None:
        texts = ["x" * size, "y" * size, "x" * (size - 1) + "y", "x" * (size - 1), "short"]
        found = [digests([text], by_value=by_value) for text in texts]
        assert len(set(found)) == len(texts)
        assert len({bag for _, bag in found}) == len(texts)
        column = pl.Series("x", texts, dtype=pl.String)
        whole = digests(column, by_value=by_value)
        for cut in range(len(texts)):
            pieces = pl.DataFrame({"x": pl.concat([column[:cut], column[cut:]], rechunk=False)})
            assert digests(pieces, by_value=by_value) == whole
        assert digests(column.reverse(), by_value=by_value)[1] == whole[1]
        # Long texts have a SHA-256 of their own for a number, not a polynomial over their bytes.
        number = digests_by_type.text_numbers(pa.array([b"x" * size], pa.large_binary()))
        plain = digests_by_type.list_numbers(np.full(size, ord("x"), np.uint8), np.array([0, size]))
        assert (number == plain).all() == (size < 1024)


class TestOldFiles:
    OLD = Path(__file__).parents[1] / "cases" / "view_of_format_1.parquet"
    FRAME = pl.DataFrame(
        {
            "age": [71, 34, None, 20],
            "s": ["a", "b", None, ""],
            "day": [dt.date(2024, 2, 29)] * 3 + [None],
            "w": [0.5, 1, 2, None],
        }
    )

    def test_a_file_of_format_1_loads(self) -> None:
        view = load_view(self.OLD, self.FRAME)
        assert view.positions.tolist() == [1, 0, 0]
        assert view.to_native().columns == ["index", "text", "age"]
        assert (view.message, len(view.steps)) == ("of an older version", 2)
        assert load_view(self.OLD, self.FRAME.lazy()).positions.tolist() == [1, 0, 0]
        assert load_view(self.OLD, self.FRAME.with_columns(new=1)).differences == ("column 'new' is new",)
        assert tql_frames.read_view(self.OLD).schema["day"] == "Date"

    def test_it_saves_as_a_newer_one(self, path: Path) -> None:
        load_view(self.OLD, self.FRAME).save(path)
        assert load_view(path, self.FRAME.to_pandas()).positions.tolist() == [1, 0, 0]

    def test_its_digests_are_of_types(self) -> None:
        with pytest.raises(TQLError, match="column 'age' is of type Int32, it was Int64"):
            load_view(self.OLD, self.FRAME.with_columns(pl.col("age").cast(pl.Int32)))
        with pytest.raises(TQLError, match="column 'w' has other values"):
            load_view(self.OLD, self.FRAME.with_columns(pl.col("w") * 2))
        with pytest.raises(TQLError, match="column 'day' is missing"):
            load_view(self.OLD, self.FRAME.drop("day"))


class TestColumnsThatComeAndGo:
    @pytest.mark.filterwarnings("ignore::tql_frames.TQLArmWarning")
    @pytest.mark.fault("E2")
    @pytest.mark.parametrize("library", ["polars", "pandas", "lazy"])
    def test_columns_that_are_not_needed_may(self, path: Path, library: str) -> None:
        def frame(table: pl.DataFrame) -> Any:
            return {"polars": table, "pandas": table.to_pandas(), "lazy": table.lazy()}[library]

        view = frame(FRAME).tql.view("max_weight(s = 'a': w, true: 1)", 5, seed=1)
        view.save(path)
        changed = frame(FRAME.with_columns(more=1).drop("day", "l"))
        found = load_view(path, changed)
        assert found.positions.tolist() == view.positions.tolist()
        words = ("column 'l' is missing", "column 'day' is missing", "column 'more' is new")
        assert found.differences == words
        assert "differs  column 'l' is missing; column 'day' is missing; column 'more' is new" in repr(found)
        assert load_view(path, frame(FRAME)).differences == ()
        with pytest.raises(TQLError, match="column 'l' is missing; column 'day' is missing; column 'more' is new"):
            load_view(path, changed, strict=True)
        with pytest.raises(TQLError, match="column 'more' is new") as caught:
            load_view(path, frame(FRAME.with_columns(more=1)), strict=True)
        assert "strict=True" in str(caught.value)
        found.save(path)  # again, of the frame as it is now
        assert load_view(path, changed, strict=True).positions.tolist() == view.positions.tolist()
        with pytest.raises(TQLError, match="column 'w' is missing"):
            load_view(path, frame(FRAME.drop("w")))

    NEEDS: list[tuple[Any, set[str]]] = [  # noqa: RUF012
        ("1", set()),
        ("w", {"w"}),
        ("max_weight(s = 'a': 5, age > 3: w)", {"s", "w", "age"}),
        (pl.col("w") + pl.col("age"), {"w", "age"}),
        (pl.col("^w$"), {"age", "w", "s", "l", "day"}),
        ("select * where age > 30", {"age"}),
        ("select s as text where age > 30 order by day", {"age", "s", "day"}),
        ("select distinct *", {"age", "w", "s", "l", "day"}),
        ("select * sample by w limit 3", {"w"}),
    ]

    @pytest.mark.fault("E2")
    @pytest.mark.parametrize(("sampler", "needed"), NEEDS, ids=range(len(NEEDS)))
    def test_which_columns_a_view_needs(self, path: Path, sampler: Any, needed: set[str]) -> None:
        view = FRAME.tql.view(sampler, seed=1)
        for saved in (view, pickle.loads(pickle.dumps(view))):
            saved.save(path)
            for name in FRAME.columns:
                if name in needed:
                    with pytest.raises(TQLError, match=f"column '{name}' is missing"):
                        load_view(path, FRAME.drop(name))
                else:
                    assert load_view(path, FRAME.drop(name)).positions.tolist() == view.positions.tolist()

    @pytest.mark.fault("E2")
    def test_further_views_need_what_the_first_one_did(self, path: Path) -> None:
        view = FRAME.tql.view("select s as text, age where w > 0", seed=1).view("age", 3, seed=2)
        view.save(path)
        load_view(path, FRAME.drop("day", "l"))
        for name in ("w", "s", "age"):
            with pytest.raises(TQLError, match=f"column '{name}' is missing"):
                load_view(path, FRAME.drop(name))

    @pytest.mark.fault("E2")
    def test_values_that_are_there_are_compared(self, path: Path) -> None:
        FRAME.tql.view("w", 3, seed=1).save(path)
        with pytest.raises(TQLError, match="column 'day' has other values\n"):
            load_view(path, FRAME.with_columns(pl.col("day").shift(), more=1).drop("l"))
        with pytest.raises(TQLError, match="the same rows in another order"):
            load_view(path, FRAME.reverse().with_columns(more=1))

    @pytest.mark.fault("E2")
    def test_only_some_columns_are_compared(self, path: Path) -> None:
        frame = FRAME.with_columns(id=pl.int_range(6))
        view = frame.tql.view("w", 4, seed=1)
        view.save(path)
        cleaned = frame.with_columns(age=0, w=1.0).drop("day").with_columns(more=1)
        with pytest.raises(TQLError, match="column 'age' has other values"):
            load_view(path, cleaned)
        found = load_view(path, cleaned, columns=["id"])
        assert found.positions.tolist() == view.positions.tolist()
        assert found.differences == (
            "column 'day' is missing",
            "column 'more' is new",
            "columns 'age', 'w', 's', 'l', 'day' not compared",
        )
        for changed in (cleaned.with_columns(pl.col("id") + 1), cleaned.drop("id")):
            with pytest.raises(TQLError, match=r"column 'id' has other values|column 'id' is missing"):
                load_view(path, changed, columns=["id"])
        with pytest.raises(TQLError, match="column 's' has other values; column 'id' has other values"):
            load_view(path, frame.reverse(), columns=["id", "s"])
        with pytest.raises(TQLError, match="5 rows"):
            load_view(path, cleaned[:5], columns=["id"])
        shuffled = frame.to_pandas().set_axis(list("fedcba"))
        assert load_view(path, shuffled, columns=["id"]).positions.tolist() == view.positions.tolist()
        for columns, words in [("id", "must be a list"), (["ids"], "without column 'ids'"), (5, "must be a list")]:
            with pytest.raises(TQLError, match=words):
                load_view(path, frame, columns=columns)  # type: ignore[arg-type]

    @pytest.mark.fault("E2")
    def test_columns_of_the_view_must_be_there(self, path: Path) -> None:
        FRAME.tql.view("select s, day where w > 0").save(path)
        with pytest.raises(TQLError, match="column 'day' is missing"):
            load_view(path, FRAME.drop("day"), columns=["w"])

    @pytest.mark.fault("I-view")
    @pytest.mark.parametrize(
        ("count", "more"), [(4, ""), (5, ""), (6, "; and 1 more difference"), (7, "; and 2 more differences")]
    )
    def test_five_differences_are_named(self, path: Path, count: int, more: str) -> None:
        frame = pl.DataFrame({f"c{place}": [place] for place in range(9)})
        frame.tql.view("c1").save(path)
        with pytest.raises(TQLError) as caught:
            load_view(path, frame.with_columns(pl.nth(range(count)) + 1))
        named = "; ".join(f"column 'c{place}' has other values" for place in range(min(count, 5)))
        assert caught.value.message == f"the frame is not the one that the view was saved of: {named}{more}"


class TestColumnsWithoutDigest:
    OBJECTS = (object(), {1, 2}, None, "text", 5, object())

    @pytest.mark.fault("G")
    @pytest.mark.parametrize("library", ["polars", "pandas"])
    def test_they_do_not_stop_a_view_from_being_saved(self, path: Path, library: str) -> None:
        if library == "polars":
            frame: Any = FRAME.with_columns(pl.Series("o", self.OBJECTS, dtype=pl.Object))
            changed: Any = frame.with_columns(pl.Series("o", self.OBJECTS[::-1], dtype=pl.Object))
        else:
            frame = FRAME.to_pandas().assign(o=list(self.OBJECTS))
            changed = frame.assign(o=list(self.OBJECTS[::-1]))
        view = frame.tql.view("w", 4, seed=1)
        with pytest.warns(TQLWarning, match="without a digest of column 'o'") as caught:
            view.save(path)
        assert Path(caught[0].filename) == Path(__file__)
        for each in (frame, changed):
            found = load_view(path, each)
            assert found.positions.tolist() == view.positions.tolist()
            assert found.differences == ("column 'o' not compared",)
        assert tql_frames.read_view(path).left_out == ["o"]
        assert "left out  o" in repr(tql_frames.read_view(path))
        other = changed.with_columns(age=0) if library == "polars" else changed.assign(age=0)
        with pytest.raises(TQLError, match="column 'age' has other values"):
            load_view(path, other)
        with pytest.raises(TQLError, match="column 'o' cannot be compared"):
            load_view(path, frame, columns=["o"])

    @pytest.mark.fault("G")
    def test_values_that_can_no_longer_be_read_differ(self, path: Path) -> None:
        frame = FRAME.to_pandas()
        frame.tql.view("w", 3).save(path)
        with pytest.raises(TQLError, match="column 's' has values that cannot be read, it was of type String"):
            load_view(path, frame.assign(s=list(self.OBJECTS)))

    @pytest.mark.fault("A-foreign")
    def test_a_nul_in_a_name(self, path: Path) -> None:
        for frame in (pl.DataFrame({"a\0b": [1, 2], "w": [1, 2]}), pd.DataFrame({"a\0b": [1, 2], "w": [1, 2]})):
            view = frame.tql.view("w", 4, seed=1)
            view.save(path)
            assert (
                load_view(path, pl.DataFrame({"a\0b": [1, 2], "w": [1, 2]})).positions.tolist()
                == view.positions.tolist()
            )
            assert view.to_pandas().columns.tolist() == ["a\0b", "w"]
            with pytest.raises(TQLTypeError, match=r"column 'a\\x00b' has a NUL in its name"):
                pl.DataFrame(view)
        nested = pl.DataFrame({"s": [[{"a\0b": 1}], None], "w": [1, 2]})
        with pytest.warns(TQLWarning, match="column 's'"):
            nested.tql.view("w", 4, seed=1).save(path)
        load_view(path, nested)


class TestReadingWithoutAFrame:
    @pytest.mark.fault("E3")
    def test_what_the_file_tells(self, path: Path) -> None:
        view = FRAME.tql.view("max_weight(s = 'a': 5, true: 1)", 4, replace=False, order="source", seed=7)
        before = dt.datetime.now(dt.UTC)
        view.save(path, "for the paper")
        saved = tql_frames.read_view(path)
        assert saved.positions.tolist() == view.positions.tolist()
        assert saved.positions.dtype == np.int64
        assert not saved.positions.flags.writeable
        assert (saved.sampler, saved.seed, saved.limit, saved.fraction) == (view.sampler, 7, 4, None)
        assert (saved.replace, saved.order, saved.parameters) == (False, "source", None)
        assert (saved.rows, len(saved), saved.kind) == (6, 4, "Polars DataFrame")
        assert saved.schema == {"age": "Int64", "w": "Float64", "s": "String", "l": "List(String)", "day": "Date"}
        assert saved.columns == FRAME.columns
        assert saved.message == "for the paper"
        assert before <= saved.saved <= dt.datetime.now(dt.UTC)
        assert saved.versions["tql_frames"] == tql_frames.__version__
        assert saved.left_out == []
        lines = repr(saved).splitlines()
        assert lines[0] == "Saved view of 4 of 6 rows × 5 columns, Polars DataFrame"
        assert "  sampler  max_weight(s = 'a': 5, true: 1)" in lines
        assert "  message  for the paper" in lines

    @pytest.mark.fault("E3")
    def test_statements_and_pandas_labels(self, path: Path) -> None:
        frame = FRAME.to_pandas().rename(columns={"day": 5, "l": ("x", 1)})
        frame.tql.view("select s as text, age where w > ?", parameters=[0], seed=1).view("age", fraction=0.5).save(path)
        saved = tql_frames.read_view(path)
        assert list(saved.schema) == ["age", "w", "s", ("x", 1), 5]
        assert saved.columns == ["text", "age"]
        assert [step.kind for step in saved.steps] == ["statement", "sampler"]
        assert (saved.steps[0].parameters, saved.fraction, saved.limit) == ((0,), 0.5, None)

    @pytest.mark.fault("E3")
    def test_other_files_are_refused(self, path: Path) -> None:
        FRAME.write_parquet(path)
        with pytest.raises(TQLError, match="no saved view"):
            tql_frames.read_view(path)
        with pytest.raises(FileNotFoundError):
            tql_frames.read_view(path.with_name("nosuch"))


def forged(path: Path, change: Callable[[dict[str, Any]], Any], positions: Any = (0, 2, 2)) -> None:
    """A file with a valid checksum and another content."""
    FRAME.tql.view("select s as text, age where w > ? limit 3", parameters=[0], seed=1).save(path)
    description = json.loads(pa.parquet.read_metadata(path).metadata[b"tql_frames.view"])
    changed = change(description)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view_file, "_FORMAT", description.pop("format", None))
        dumps = json.dumps
        patch.setattr(view_file.json, "dumps", lambda _: dumps(description if changed is None else changed))
        view_file.write_file(path, np.array(positions, np.int64), {})


PLACES = ["versions", "saved", "message", "kind", "steps", "columns", "index", "ignore_index", "frame"]
INNER = [("steps", 0, name) for name in ("text", "kind", "seed", "parameters")]
INNER += [("frame", name) for name in ("rows", "columns", "index", "bag")]  # type: ignore[list-item]


def put(description: Any, place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        description = description[key]
    if value is ...:
        del description[place[-1]]
    else:
        description[place[-1]] = value


class TestForgedFiles:
    def test_the_forge_makes_files_that_load(self, path: Path) -> None:
        def same(description: dict[str, Any]) -> Any:
            return {"format": 2, **{name: value for name, value in description.items() if name != "format"}}

        forged(path, same)
        assert load_view(path, FRAME).positions.tolist() == [0, 2, 2]

    @pytest.mark.fault("E7")
    @pytest.mark.parametrize("place", [(name,) for name in PLACES] + INNER, ids=str)
    def test_missing_and_wrong_values(self, path: Path, place: tuple[Any, ...]) -> None:
        optional = place[-1] in ("columns", "index", "ignore_index", "parameters")
        for value in (..., 5.5, {"a": 1}, [[1, 2, 3]], [None], "text", None):
            allowed = (optional and len(place) < 3 and value in (None, "text")) or place[-1] == "ignore_index"
            allowed |= place == ("steps", 0, "parameters") or (
                isinstance(value, str) and place[-1] in ("message", "text", "bag")
            )
            allowed |= isinstance(value, str) and place == ("kind",)

            def change(description: dict[str, Any], value: Any = value) -> Any:
                content = {"format": 2, **{name: each for name, each in description.items() if name != "format"}}
                put(content, place, value)
                return content

            forged(path, change)
            for read in (tql_frames.read_view, lambda path: load_view(path, FRAME)):
                try:
                    read(path)
                except TQLError:
                    continue
                assert allowed or value is ..., (place, value)
            if value is ... and place[-1] != "parameters":
                with pytest.raises(TQLError, match="no view that tql_frames saved"):
                    tql_frames.read_view(path)

    @pytest.mark.parametrize(
        ("change", "wrong"),
        [
            ({"columns": [["'s'", "text"], ["'age'", None]], "needs": ["'w'", "'s'", "'age'"]}, False),
            ({"columns": None, "needs": ["'w'"]}, False),
            ({"columns": None, "needs": [f"'{name}'" for name in FRAME.columns]}, False),
            ({"columns": [["'s'", "text"]], "needs": None}, False),
            ({"columns": [["'s'", "text"], ["'nosuch'", None]]}, True),
            ({"columns": [["'nosuch'", None]], "needs": None}, True),
            ({"needs": ["'w'", "'nosuch'"]}, True),
            ({"columns": None, "needs": ["'nosuch'"]}, True),
            ({"steps": []}, True),
            ({"steps": [], "columns": None, "needs": None}, True),
        ],
        ids=str,
    )
    def test_steps_and_columns_are_those_of_the_frame(self, path: Path, change: dict[str, Any], wrong: bool) -> None:
        forged(path, lambda each: {"format": 2, **each, **change})
        if not wrong:
            assert tql_frames.read_view(path).positions.tolist() == [0, 2, 2]
            return
        for read in (tql_frames.read_view, lambda path: load_view(path, FRAME)):
            with pytest.raises(TQLError, match="no view that tql_frames saved"):
                read(path)

    @pytest.mark.fault("E7")
    @pytest.mark.parametrize(
        "content", [None, 5, [], "text", {}, {"format": 0}, {"format": "2"}, {"format": 2}, {"format": True}]
    )
    def test_no_description(self, path: Path, content: Any) -> None:
        forged(path, lambda _: [] if content is None else content)
        for read in (tql_frames.read_view, lambda path: load_view(path, FRAME)):
            with pytest.raises(TQLError, match="no view that tql_frames saved"):
                read(path)

    @pytest.mark.fault("E7")
    @pytest.mark.parametrize("positions", [[6], [0, -1], [2**40], [5, 6, 0]], ids=str)
    def test_positions_out_of_range(self, path: Path, positions: list[int]) -> None:
        forged(path, lambda each: {"format": 2, **each}, positions)
        for read in (tql_frames.read_view, lambda path: load_view(path, FRAME)):
            with pytest.raises(TQLError, match="it has positions beyond its 6 rows"):
                read(path)

    @pytest.mark.fault("E7")
    def test_a_newer_format_without_versions(self, path: Path) -> None:
        forged(path, lambda _: {"format": 99})
        with pytest.raises(TQLError, match="in a newer format"):
            tql_frames.read_view(path)


class TestSaving:
    @pytest.mark.fault("I-fsync")
    @pytest.mark.skipif(os.name == "nt", reason="Windows opens no folders")
    def test_the_folder_is_written_to_disk_after_the_file_has_its_name(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[tuple[str, bool]] = []
        fsync, replace = os.fsync, os.replace

        def sync(number: int) -> None:
            calls.append(("fsync", stat.S_ISDIR(os.fstat(number).st_mode)))
            fsync(number)

        monkeypatch.setattr(os, "fsync", sync)
        monkeypatch.setattr(os, "replace", lambda *names: (calls.append(("replace", False)), replace(*names))[1])
        FRAME.tql.view("w", 3).save(path)
        assert calls == [("fsync", False), ("replace", False), ("fsync", True)]
        monkeypatch.chdir(path.parent)
        FRAME.tql.view("w", 3).save("plain.parquet")
        assert calls[3:] == calls[:3]

    @pytest.mark.fault("I-fsync")
    @pytest.mark.skipif(os.name == "nt", reason="Windows opens no folders")
    def test_a_folder_that_cannot_be_synced_is_no_error(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fsync = os.fsync

        def sync(number: int) -> None:
            if stat.S_ISDIR(os.fstat(number).st_mode):
                raise OSError(22, "Invalid argument")
            fsync(number)

        monkeypatch.setattr(os, "fsync", sync)
        FRAME.tql.view("w", 3, seed=1).save(path)
        assert len(load_view(path, FRAME)) == 3


class TestViewsInOtherLibraries:
    @pytest.mark.fault("E8")
    @pytest.mark.parametrize("kind", ["polars", "pandas", "lazy", "scan"])
    @pytest.mark.parametrize("sampler", ["w", "select s as text, age where w > 0", pl.col("w")], ids=str)
    def test_a_view_pickles(self, tmp_path: Path, kind: str, sampler: Any) -> None:
        FRAME.write_parquet(tmp_path / "frame.parquet")
        frame = {
            "polars": FRAME,
            "pandas": FRAME.to_pandas().set_axis(list("abcdef")),
            "lazy": FRAME.lazy(),
            "scan": pl.scan_parquet(tmp_path / "frame.parquet"),
        }[kind]
        first = frame.tql.view(sampler, seed=1)
        for view in (
            first,
            first.view("age", 4, seed=2),
            frame.tql.view("w", 3, index=None if kind != "pandas" else "index"),
        ):
            found = pickle.loads(pickle.dumps(view))
            assert type(found) is type(view)
            assert found.positions.tolist() == view.positions.tolist()
            assert found.drawn.tolist() == view.drawn.tolist()
            assert found.steps == view.steps
            assert found.columns == view.columns
            assert_frame_equal(found.to_polars(), view.to_polars())
            pd.testing.assert_frame_equal(found.to_pandas(), view.to_pandas())
            assert_frame_equal(
                pl.DataFrame(
                    found.sample("1", 3, seed=3).lazy().collect()
                    if kind in ("lazy", "scan")
                    else found.view("1", 3, seed=3)
                ),
                pl.DataFrame(
                    view.sample("1", 3, seed=3).lazy().collect()
                    if kind in ("lazy", "scan")
                    else view.view("1", 3, seed=3)
                ),
            )
            assert repr(found).splitlines()[0] == repr(view).splitlines()[0]

    @pytest.mark.fault("E8")
    def test_a_loaded_view_pickles(self, tmp_path: Path) -> None:
        FRAME.tql.view("w", 4, seed=1).save(tmp_path / "view", "a message")
        view = load_view(tmp_path / "view", FRAME.with_columns(more=1))
        found = pickle.loads(pickle.dumps(view))
        assert (found.message, found.saved, found.differences) == (view.message, view.saved, view.differences)
        assert repr(found) == repr(view)

    @pytest.mark.fault("E8")
    @pytest.mark.parametrize("kind", ["polars", "pandas", "lazy"])
    def test_pandas_makes_a_frame_of_a_view(self, kind: str) -> None:
        table = FRAME.with_columns(b=pl.col("w").fill_null(0) > 1)
        frame = {"polars": table, "pandas": table.to_pandas().set_axis(list("abcdef")), "lazy": table.lazy()}[kind]
        view = frame.tql.view("select * where w > 0 sample by w limit 9", seed=1)
        found, expected = pd.DataFrame(view), view.to_pandas()
        assert found.index.equals(expected.index)
        assert found.columns.tolist() == expected.columns.tolist()
        pd.testing.assert_frame_equal(found.drop(columns="day"), expected.drop(columns="day"))
        assert pd.to_datetime(found["day"]).tolist() == expected["day"].tolist()

    @pytest.mark.fault("E8")
    def test_narwhals_reads_a_view(self) -> None:
        nw = pytest.importorskip("narwhals")
        view = FRAME.tql.view("w", 9, seed=1)
        assert_frame_equal(nw.from_arrow(view, backend=pl).to_native(), view.to_polars())

    @pytest.mark.fault("G")
    @pytest.mark.parametrize("kind", ["polars", "pandas", "lazy"])
    def test_a_view_has_columns_and_a_head(self, kind: str) -> None:
        frame = {"polars": FRAME, "pandas": FRAME.to_pandas(), "lazy": FRAME.lazy()}[kind]
        view = frame.tql.view("w", 9, seed=1)
        assert view.columns == FRAME.columns
        assert frame.tql.view("select s as text, age").columns == ["text", "age"]
        rows = view.to_native().collect() if kind == "lazy" else view.to_native()
        for found, expected in [
            (view.head(), rows[:5]),
            (view.head(2), rows[:2]),
            (view.head(0), rows[:0]),
            (view[:5], rows[:5]),
            (view[3:], rows[3:]),
            (view[-2:], rows[-2:]),
            (view[::2], rows[::2]),
            (view[100:], rows[100:]),
        ]:
            assert type(found) is type(expected)
            if isinstance(found, pd.DataFrame):
                pd.testing.assert_frame_equal(found, expected)
            else:
                assert_frame_equal(found, expected)
        for wrong in (3, "age", slice("a", "b"), ["age"], slice(None, None, 0)):
            with pytest.raises(TQLTypeError, match=r"view\[:5\]"):
                view[wrong]
        for number in (-1, 1.5, "2"):
            with pytest.raises(TQLError, match="n must be a whole number"):
                view.head(number)

    @pytest.mark.fault("A-foreign")
    @pytest.mark.parametrize("kind", ["polars", "pandas", "lazy", "scan"])
    def test_a_column_without_a_name(self, tmp_path: Path, kind: str) -> None:
        table = pl.DataFrame({"": [1, 2, 3], "w": [1, 2, 3]})
        table.write_parquet(tmp_path / "frame.parquet")
        frame = {
            "polars": table,
            "pandas": table.to_pandas(),
            "lazy": table.lazy(),
            "scan": pl.scan_parquet(tmp_path / "frame.parquet"),
        }[kind]
        view = frame.tql.view("w", 4, seed=1)
        expected = table[view.positions.tolist()]
        chosen = frame.tql.view('select "", w as v where w > 0')
        for found in (view.to_polars(), pl.DataFrame(view), pl.DataFrame(pickle.loads(pickle.dumps(view)))):
            assert_frame_equal(found.drop("index"), expected)
        assert chosen.to_polars().columns == ["index", "", "v"]
        assert view.to_pandas().columns.tolist() == ["", "w"]
        for each in (view, chosen):
            for batch in each.batches(2):
                assert list(batch.columns)[-2] == ""
        native = view.to_native()
        native = native.collect() if kind in ("lazy", "scan") else native
        assert list(native.columns)[-2:] == ["", "w"]
        assert view.view("w", 2, seed=1).to_polars().columns == ["index", "", "w"]
        query = frame.tql.query('select "" sample by w limit 2')
        assert list(query.collect().columns if kind in ("lazy", "scan") else query.columns)[-1] == ""
        assert len(view.report(by="").labels) == 3


@pytest.mark.fault("E8")
@pytest.mark.parametrize("kind", ["polars", "pandas", "lazy"])
def test_a_view_with_any_options_is_copied(tmp_path: Path, kind: str) -> None:
    frame = {"polars": FRAME, "pandas": FRAME.to_pandas(), "lazy": FRAME.lazy()}[kind]
    views = [
        frame.tql.view("w", fraction=Fraction(2, 3), seed=2**70),
        frame.tql.view("w", fraction=Decimal("0.5"), replace=False, order="source", seed=np.int64(3)),
        frame.tql.view(pl.col("w") * 2, np.int64(3)),
        frame.tql.view("max_weight(random() > 5: 2, true: 1)", 3, seed=1),
        frame.tql.view("select age as years where age > ? sample by w limit 3", parameters=[1], seed=1),
        frame.tql.view("w", 5).view("select age where age > 0"),
        frame.tql.view("w", 0),
        frame.tql.view("w", 3, ignore_index=True) if kind == "pandas" else frame.tql.view("w", 3, index="row"),
    ]
    copies: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy]
    copies += [lambda view, protocol=protocol: pickle.loads(pickle.dumps(view, protocol)) for protocol in range(2, 6)]
    for view in views:
        for copied in (each(view) for each in copies):
            assert copied.drawn.tolist() == view.drawn.tolist()
            assert repr(copied) == repr(view)
            for name in ("sampler", "seed", "parameters", "replace", "columns"):
                assert str(getattr(copied, name)) == str(getattr(view, name))
            copied.save(tmp_path / "view")


@pytest.mark.fault("E8")
def test_joblib_keeps_views(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    for view in (FRAME.tql.view("w", 4), FRAME.to_pandas().tql.view("w", 4), FRAME.lazy().tql.view("w", 4)):
        for compress in (0, 3):
            joblib.dump(view, tmp_path / "view", compress=compress)
            assert joblib.load(tmp_path / "view").drawn.tolist() == view.drawn.tolist()
