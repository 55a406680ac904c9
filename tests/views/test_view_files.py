"""Views on disk: equal values load whatever the library, what is not needed may differ, forged files are refused."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tql_frames
from tests.frames import test_frames_pandas, test_frames_polars
from tests.sizes import paired, size
from tql_frames import TQLError, TQLTypeError, TQLWarning, load_view
from tql_frames.frames import kept_frame_of
from tql_frames.views.storage import digests as digests_by_type
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


def digests(column: Any, **options: Any) -> tuple[str, str]:
    frame = column if isinstance(column, (pl.DataFrame, pd.DataFrame, pl.LazyFrame)) else pl.DataFrame({"x": column})
    found = fingerprint(kept_frame_of(frame), **options)
    return found.columns[0].digest, found.bag


class TestEqualValues:
    @pytest.mark.fault("E1")
    @pytest.mark.fault("H6")
    @pytest.mark.parametrize(
        ("kind", "arrow"), paired([kind for kind in test_frames_polars.COLUMNS if "Int128" not in kind], [False, True])
    )
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
        for place, first in enumerate(frames):
            view = first.tql.view(sampler, seed=3)
            view.save(path)
            for second in size(frames[place % 2 :: 2], frames):  # in `make test` every second
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
        for turn, saved in enumerate((view, pickle.loads(pickle.dumps(view)))):
            saved.save(path)
            for name in size(FRAME.columns[turn::2], FRAME.columns):  # in `make test` each of one of the two
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
        for columns, words in [("id", "to be a list"), (["ids"], "without column 'ids'"), (5, "to be a list")]:
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
