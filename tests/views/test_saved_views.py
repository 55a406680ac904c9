"""Saved views: a view comes back as it was, of the frame that it was saved of and no other, from a sound file only."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes, series

import tql_frames
from tests.frames import test_frames_pandas, test_frames_polars
from tests.sizes import size
from tql_frames import TQLError, TQLTypeError, View, load_view
from tql_frames.frames import kept_frame_of
from tql_frames.views.storage import Fingerprint, fingerprint
from tql_frames.views.storage.digests import digest_of
from tql_frames.views.storage.file import _parquet

FRAME = pl.DataFrame(
    {
        "age": [71, 34, None, 20, 65, 50],
        "w": [0.5, 1.0, 2.0, None, 0.0, 4.0],
        "s": ["a", "b", None, "", "a", "ünïcødé"],
        "l": [["x", None], [], None, ["y"], ["x"], [""]],
        "day": [dt.date(2024, 2, 29)] * 5 + [None],
    }
)
KINDS = ["polars", "pandas", "lazy", "scan"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved.parquet"


@pytest.fixture
def frame_of(tmp_path: Path) -> Callable[..., Any]:
    """A table as a frame of a kind."""

    def made(kind: str, table: pl.DataFrame = FRAME) -> Any:
        match kind:
            case "polars":
                return table.clone()
            case "pandas":
                return table.to_pandas()
            case "lazy":
                return table.lazy()
        file = tmp_path / f"frame{len(list(tmp_path.iterdir()))}.parquet"
        table.write_parquet(file, row_group_size=2)
        return pl.scan_parquet(file)

    return made


def print_of(frame: Any) -> Fingerprint:
    return fingerprint(kept_frame_of(frame))


def assert_same_view(found: View[Any], expected: View[Any]) -> None:
    assert found.positions.tolist() == expected.positions.tolist()
    assert found.positions.dtype == expected.positions.dtype
    assert found.steps == expected.steps
    told = repr(expected).split("\n\n", maxsplit=1)[0]
    assert repr(found).startswith(told)
    a, b = found.to_native(), expected.to_native()
    assert type(a) is type(b)
    if isinstance(b, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b)
    else:
        assert_frame_equal(a, b)


class TestRoundTrip:
    OPTIONS: list[tuple[Any, dict[str, Any]]] = [  # noqa: RUF012
        ("w", {}),
        ("max_weight(s = 'a': 5, true: 1)", {"limit": 4, "replace": False, "order": "source"}),
        ("w", {"fraction": 0.5, "seed": 2**100}),
        ("w", {"limit": 0}),
        ("w", {"limit": 1_000}),
        ("w", {"index": None}),
        (pl.col("w") + 1, {"limit": 3}),
        ("select * where age > ? order by age", {"parameters": [30], "seed": 1}),
        ("select s as text, day, s where w >= 0 sample by w limit 9", {"index": None}),
        ("select * limit 0", {}),
    ]

    @pytest.mark.parametrize(("sampler", "options"), OPTIONS, ids=str)
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_view_comes_back(self, frame_of: Any, path: Path, kind: str, sampler: Any, options: Any) -> None:
        frame = frame_of(kind)
        view = frame.tql.view(sampler, **options)
        before = dt.datetime.now(dt.UTC)
        assert view.save(path, "for the paper, «fig. 2»") is None  # type: ignore[func-returns-value]
        loaded = load_view(path, frame)
        assert_same_view(loaded, view)
        assert loaded.message == "for the paper, «fig. 2»"
        assert loaded.saved is not None
        assert before <= loaded.saved <= dt.datetime.now(dt.UTC)
        assert "fig. 2" in repr(loaded)
        assert (view.message, view.saved) == ("", None)
        loaded.save(path)
        again = load_view(path, frame_of(kind))
        assert_same_view(again, view)
        assert again.message == ""

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_loaded_view_is_drawn_from(self, frame_of: Any, path: Path, kind: str) -> None:
        frame = frame_of(kind)
        view = frame.tql.view("select s as text, age, w where w > 0", seed=1)
        view.save(path)
        loaded = load_view(path, frame)
        for further in (view.view("age", 9, seed=2), loaded.view("age", 9, seed=2)):
            further.save(path)
            found = load_view(path, frame)
            assert_same_view(found, view.view("age", 9, seed=2))
            assert_same_view(found.view("select text", seed=3), further.view("select text", seed=3))
            assert found.origin is None
        assert loaded.origin is not None
        assert loaded.expression is None

    def test_options_of_the_index(self, path: Path) -> None:
        FRAME.tql.view("w", index="row").save(path)
        assert load_view(path, FRAME).to_native().columns[0] == "row"
        assert load_view(path, FRAME.lazy()).to_polars().columns[0] == "row"
        frame = FRAME.to_pandas()
        frame.tql.view("w", ignore_index=True).save(path)
        assert load_view(path, frame).index.equals(pd.RangeIndex(6))

    def test_nothing_runs_twice(self, path: Path) -> None:
        runs = []
        plan = FRAME.lazy().map_batches(lambda frame: (runs.append(1), frame)[1], schema=FRAME.schema)
        view = plan.tql.view("w", 4, seed=1)
        view.save(path)
        assert len(runs) == 1
        loaded = load_view(path, plan)
        loaded.to_polars(), loaded.to_native().collect(), loaded.sample("w").collect()
        assert len(runs) == 2

    def test_in_another_process(self, path: Path, tmp_path: Path) -> None:
        FRAME.write_parquet(tmp_path / "frame.parquet")
        view = FRAME.tql.view("w", 20, seed=4)
        view.save(path)
        code = f"""
import polars as pl, tql_frames
filler = pl.Series(["z", "b", "q"], dtype=pl.Categorical)
view = tql_frames.load_view({str(path)!r}, pl.read_parquet({str(tmp_path / "frame.parquet")!r}))
print(view.positions.tolist())
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert json.loads(done.stdout) == view.positions.tolist()

    def test_the_file_is_small_parquet(self, path: Path) -> None:
        frame = pl.DataFrame({"w": np.ones(200_000)})
        view = frame.tql.view("w", order="source")
        view.save(path)
        assert pl.read_parquet(path)["position"].to_list() == view.positions.tolist()
        assert path.stat().st_size < 100_000
        told = json.loads(pq.read_metadata(path).metadata[b"tql_frames.view"])
        assert told["format"] == 2
        assert told["steps"][0]["text"] == "w"
        assert set(told["versions"]) == {"tql_frames", "polars", "pandas", "numpy", "python"}
        assert told["frame"]["rows"] == 200_000

    def test_a_message_cannot_be_taken_for_the_checksum(self, path: Path) -> None:
        message = f"tql_frames.checksum..sha256:{'0' * 64}"
        FRAME.tql.view("w", 3).save(path, message)
        assert load_view(path, FRAME).message == message

    def test_columns_may_be_in_another_order(self, path: Path) -> None:
        for sampler in ("w", "select s as text, age"):
            view = FRAME.tql.view(sampler, seed=1)
            view.save(path)
            found = load_view(path, FRAME.select(sorted(FRAME.columns)))
            assert found.positions.tolist() == view.positions.tolist()
            assert_frame_equal(found.to_native(), view.to_native(), check_column_order=False)


def labels(*values: Any) -> pd.DataFrame:
    return FRAME.to_pandas().set_axis(pd.Index(list(values)))


CHANGES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "a number": (
        lambda f: f.with_columns(w=pl.when(pl.col("w") == 4).then(4.5).otherwise("w")),
        "column 'w' has other values",
    ),
    "a text": (lambda f: f.with_columns(s=pl.col("s").replace("b", "B")), "column 's' has other values"),
    "an item": (
        lambda f: f.with_columns(l=pl.col("l").list.eval(pl.element().replace("y", "x"))),
        "column 'l' has other values",
    ),
    "a null": (lambda f: f.with_columns(age=pl.col("age").fill_null(0)), "column 'age' has other values"),
    "two columns": (
        lambda f: f.with_columns(pl.col("age") + 1, day=pl.lit(None, pl.Date)),
        "column 'age' has other values; column 'day' has other values",
    ),
    "a row more": (lambda f: pl.concat([f, f[:1]]), "it has 7 rows, that one had 6 rows"),
    "a row less": (lambda f: f[:-1], "it has 5 rows, that one had 6 rows"),
    "no rows": (lambda f: f.clear(), "it has 0 rows, that one had 6 rows"),
    "reversed": (lambda f: f.reverse(), "it has the same rows in another order"),
    "two rows swapped": (lambda f: f[[0, 1, 4, 3, 2, 5]], "it has the same rows in another order"),
    "one column sorted": (lambda f: f.with_columns(pl.col("w").sort()), "column 'w' has other values"),
    "renamed": (lambda f: f.rename({"w": "weight"}), "column 'w' is named 'weight' now"),
    "two names swapped": (
        lambda f: f.rename({"w": "age", "age": "w"}),
        "column 'age' has other values; column 'w' has other values",
    ),
    "missing": (lambda f: f.drop("w"), "column 'w' is missing"),
    "type": (lambda f: f.with_columns(pl.col("age").cast(pl.String)), "column 'age' is of type String, it was Int64"),
    "inner type": (
        lambda f: f.with_columns(pl.col("l").list.eval(pl.element().str.len_chars())),
        "column 'l' is of type List(UInt32), it was List(String)",
    ),
}


class TestRefusals:
    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("kind", ["polars", "lazy", "scan"])
    def test_other_frames(self, frame_of: Any, path: Path, kind: str, change: str) -> None:
        made, words = CHANGES[change]
        frame_of(kind).tql.view("w", 4, seed=1).save(path)
        with pytest.raises(TQLError) as caught:
            load_view(path, frame_of(kind, made(FRAME)))
        assert caught.value.message == f"the frame is not the one that the view was saved of: {words}"

    @pytest.mark.parametrize("change", [name for name in CHANGES if name not in ("inner type", "type")])
    def test_other_pandas_frames(self, frame_of: Any, path: Path, change: str) -> None:
        made, words = CHANGES[change]
        table = FRAME.with_columns(pl.col("age").fill_null(7))  # or it would be of floats
        made_table = made(table) if change != "a null" else table.with_columns(age=pl.col("age").replace(7, 8))
        frame_of("pandas", table).tql.view("w", 4, seed=1).save(path)
        with pytest.raises(TQLError) as caught:
            load_view(path, made_table.to_pandas())
        assert words in caught.value.message

    def test_of_many_differences_some_are_named(self, path: Path) -> None:
        frame = pl.DataFrame({f"c{i}": [i] for i in range(9)})
        frame.tql.view("c1").save(path)
        with pytest.raises(TQLError, match=r"column 'c4' has other values; and 4 more differences"):
            load_view(path, frame + 1)

    def test_index_labels(self, path: Path) -> None:
        frame = labels("a", "b", "c", "d", "e", "e")
        view = frame.tql.view("w", 4, seed=1)
        view.save(path)
        assert_same_view(load_view(path, frame), view)
        assert_same_view(load_view(path, frame.rename_axis("name")), load_view(path, frame.rename_axis("name")))
        for other, words in [
            (labels("a", "b", "c", "d", "e", "f"), "the index has other labels"),
            (labels("b", "a", "c", "d", "e", "e"), "the index has other labels"),
            (labels(0, 1, 2, 3, 4, 5), "the index is of type Int64, it was String"),
            (frame.iloc[::-1], "it has the same rows in another order"),
            (frame.set_index("w", append=True, drop=False), "the index has 2 levels, it had 1"),
        ]:
            with pytest.raises(TQLError, match=words):
                load_view(path, other)

    INDICES: dict[str, pd.Index] = {  # noqa: RUF012
        "range": pd.RangeIndex(6),
        "range from 3": pd.RangeIndex(3, 15, 2),
        "numbers": pd.Index([5, 5, 1, 2, 3, -1]),
        "floats": pd.Index([0.5, None, 1.0, 2.0, 3.0, 4.0]),
        "days": pd.date_range("2024-01-01", periods=6),
        "days with a zone": pd.date_range("2024-01-01", periods=6, tz="Europe/Paris"),
        "spans": pd.to_timedelta(range(6), unit="D"),
        "categories": pd.CategoricalIndex(["b", "a", "b", "b", "a", "c"]),
        "levels": pd.MultiIndex.from_product([["x", "y"], [1, 2, 3]], names=["a", None]),
        "levels with repeats": pd.MultiIndex.from_arrays([["x"] * 6, [1, 1, 2, 2, 1, 3]]),
    }

    @pytest.mark.parametrize("kind", INDICES)
    def test_every_kind_of_index(self, path: Path, kind: str) -> None:
        frame = FRAME.to_pandas().set_axis(self.INDICES[kind])
        view = frame.tql.view("w", 30, seed=1)
        view.save(path)
        assert_same_view(load_view(path, frame.copy()), view)
        with pytest.raises(TQLError, match=r"the index|of the index"):
            load_view(path, frame.set_axis(self.INDICES[kind][::-1]))

    def test_a_range_is_its_numbers(self, path: Path) -> None:
        frame = FRAME.to_pandas()
        frame.tql.view("w", 4).save(path)
        load_view(path, frame.set_axis(pd.Index(list(range(6)))))

    def test_labels_that_cannot_be_read(self, path: Path) -> None:
        with pytest.raises(TQLTypeError, match="the index labels of dtype object cannot be read"):
            labels(1, "b", None, 2, 3, 4).tql.view("w", 4).save(path)

    def test_wrong_arguments(self, path: Path) -> None:
        view = FRAME.tql.view("w")
        with pytest.raises(TQLError, match="message must be text, not int"):
            view.save(path, 5)  # type: ignore[arg-type]
        view.save(path)
        with pytest.raises(TQLError, match="the frame must be a Polars DataFrame or LazyFrame, or a pandas DataFrame"):
            load_view(path, {"w": [1]})  # type: ignore[type-var]
        with pytest.raises(FileNotFoundError, match="nosuch"):
            load_view(path.with_name("nosuch"), FRAME)
        with pytest.raises(FileNotFoundError, match="nosuch"):
            view.save(path.parent / "nosuch" / "view.parquet")


class TestAcrossLibraries:
    PLAIN = FRAME.select("s", "day", age=pl.col("age").fill_null(7), w=pl.col("w").fill_null(1))

    @pytest.mark.parametrize("sampler", ["w", "select s as text, age where w > 0"])
    @pytest.mark.parametrize("there", KINDS)
    @pytest.mark.parametrize("here", KINDS)
    def test_frames_that_hold_the_same(self, frame_of: Any, path: Path, here: str, there: str, sampler: str) -> None:
        table = self.PLAIN.drop("day")  # which pandas keeps as objects, or as times
        view = frame_of(here, table).tql.view(sampler, seed=1)
        view.save(path)
        found = load_view(path, frame_of(there, table))
        assert_same_view(found, frame_of(there, table).tql.view(sampler, seed=1))

    def test_types_that_differ(self, path: Path) -> None:
        FRAME.tql.view("w", 3).save(path)
        with pytest.raises(TQLError, match="column 'age' is of type String, it was Int64") as caught:
            load_view(path, FRAME.with_columns(pl.col("age").cast(pl.String)).to_pandas())
        assert caught.value.hint == "it was saved of a Polars DataFrame; load it with one, or convert the columns"

    def test_options_of_the_index(self, path: Path) -> None:
        table = self.PLAIN.drop("day")
        table.tql.view("w", index="row", seed=1).save(path)
        assert load_view(path, table.to_pandas()).to_polars().columns[0] == "index"
        table.to_pandas().set_axis(list("abcdef")).tql.view("w", ignore_index=True, seed=1).save(path)
        assert load_view(path, table).to_native().columns == table.columns


class TestDamage:
    @pytest.fixture
    def content(self, path: Path) -> bytes:
        FRAME.tql.view("max_weight(s = 'a': 5, true: 1)", 300, seed=1).save(path, "a message")
        return path.read_bytes()

    def test_one_bit_anywhere(self, path: Path, content: bytes) -> None:
        load_view(path, FRAME)
        for place in range(len(content)):
            damaged = bytearray(content)
            damaged[place] ^= 1 << (place % 8)
            path.write_bytes(damaged)
            with pytest.raises(TQLError, match="is damaged"):
                load_view(path, FRAME)

    def test_every_length(self, path: Path, content: bytes) -> None:
        for length in range(len(content)):
            path.write_bytes(content[:length])
            with pytest.raises(TQLError, match="is damaged"):
                load_view(path, FRAME)
        for more in (b"\0", b"PAR1", content):
            path.write_bytes(content + more)
            with pytest.raises(TQLError, match="is damaged"):
                load_view(path, FRAME)

    def test_bytes_exchanged(self, path: Path, content: bytes) -> None:
        for place in range(4, len(content) - 8, 7):
            damaged = (
                content[:place] + content[place + 1 : place + 2] + content[place : place + 1] + content[place + 2 :]
            )
            if damaged != content:
                path.write_bytes(damaged)
                with pytest.raises(TQLError, match="is damaged"):
                    load_view(path, FRAME)

    def test_other_files(self, path: Path) -> None:
        FRAME.write_parquet(path)
        with pytest.raises(
            TQLError, match=r"'.*saved\.parquet' is a Parquet file, but no saved view, or it is damaged"
        ):
            load_view(path, FRAME)
        for content in (b"", b"text", b"age,w\n1,2\n", b"PAR1", os.urandom(1000)):
            path.write_bytes(content)
            with pytest.raises(TQLError, match="no saved view, or it is damaged"):
                load_view(path, FRAME)
        FRAME.tql.view("w", 3).save(path)
        pl.read_parquet(path).write_parquet(path)
        with pytest.raises(TQLError, match="no saved view"):
            load_view(path, FRAME)

    def test_a_newer_format(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tql_frames.views.storage.file._FORMAT", 3)
        FRAME.tql.view("w", 3).save(path)
        monkeypatch.undo()
        with pytest.raises(TQLError, match="in a newer format"):
            load_view(path, FRAME)

    @pytest.mark.parametrize("broken", ["replace", "fsync"])
    def test_the_file_appears_whole_or_not_at_all(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
    ) -> None:
        FRAME.tql.view("w", 3, seed=1).save(path, "the first")

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, broken, fail)
            with pytest.raises(OSError, match=r"No space left on device: '.*saved\.parquet'"):
                FRAME.tql.view("w", 4, seed=2).save(path, "the second")
        assert load_view(path, FRAME).message == "the first"
        assert list(path.parent.iterdir()) == [path]
        FRAME.tql.view("w", 4, seed=2).save(path, "the second")
        assert load_view(path, FRAME).message == "the second"

    def test_a_link_stays_one(self, path: Path) -> None:
        link = path.with_name("link")
        link.symlink_to(path)
        FRAME.tql.view("w", 3).save(link)
        assert link.is_symlink()
        load_view(path, FRAME)

    @pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
    def test_permissions_are_those_of_any_file(self, path: Path) -> None:
        FRAME.tql.view("w", 3).save(path)
        other = path.with_name("other")
        other.write_text("")
        assert path.stat().st_mode == other.stat().st_mode


class TestFingerprint:
    @pytest.mark.parametrize("kind", test_frames_polars.COLUMNS)
    def test_every_type_of_polars(self, kind: str) -> None:
        column = test_frames_polars.COLUMNS[kind].alias("x")
        frame = column.to_frame()
        expected = print_of(frame)
        parts = [
            pl.concat([frame[:1], frame[1:3], frame[3:]], rechunk=False),
            pl.concat([frame, frame])[4:],
            frame[[0, 1, 2, 3]],
        ]
        for same in (*parts, frame.lazy()):
            assert print_of(same) == expected
        if kind != "Null":
            others = [frame[[1, 1, 2, 3]], frame[[0, 1, 2, 1]]]
            for other in others:
                assert print_of(other).columns[0].digest != expected.columns[0].digest
                assert print_of(other).bag != expected.bag
            assert print_of(frame[[3, 2, 1, 0]]).columns != expected.columns
        assert print_of(frame[[3, 2, 1, 0]]).bag == expected.bag
        assert print_of(frame.clear()).columns[0].type == expected.columns[0].type

    def test_types_differ(self) -> None:
        types = [
            print_of(column.alias("x").to_frame()).columns[0].type for column in test_frames_polars.COLUMNS.values()
        ]
        assert len(set(types)) == len(types)

    @pytest.mark.parametrize("kind", test_frames_pandas.COLUMNS)
    def test_every_type_of_pandas(self, kind: str) -> None:
        frame = pd.DataFrame({"x": test_frames_pandas.COLUMNS[kind]})
        try:
            expected = print_of(frame)
        except TQLTypeError as fault:
            assert kind in test_frames_pandas.UNREADABLE | test_frames_pandas.UNREADABLE_SOMETIMES
            assert "column 'x'" in fault.message
            return
        assert print_of(frame.copy(deep=True)) == expected
        assert print_of(pd.concat([frame, frame]).iloc[4:].reset_index(drop=True)) == expected
        if kind not in ("arrow: null", "object: missing of all kinds", "object: lists", "arrow: list"):
            changed = frame.iloc[[1, 1, 2, 3]].reset_index(drop=True)
            assert print_of(changed).columns != expected.columns

    @given(frame=dataframes(min_size=0, max_size=40, max_cols=4, excluded_dtypes=[pl.Object]), data=st.data())
    @settings(deadline=None, max_examples=size(20, 120))
    def test_any_frame(self, frame: pl.DataFrame, data: st.DataObject) -> None:
        expected = print_of(frame)
        cut = data.draw(st.integers(0, frame.height))
        assert print_of(pl.concat([frame[:cut], frame[cut:]], rechunk=False)) == expected
        assert print_of(frame.select(frame.columns)) == expected
        order = data.draw(st.permutations(range(frame.height)))
        other = print_of(frame[order])
        assert other.bag == expected.bag
        assert (other == expected) == frame[order].equals(frame)

    @given(first=series(min_size=1, max_size=5, excluded_dtypes=[pl.Object]), data=st.data())
    @settings(deadline=None, max_examples=size(20, 120))
    def test_equal_prints_are_of_equal_values(self, first: pl.Series, data: st.DataObject) -> None:
        first = first.alias("x")
        second = data.draw(series(dtype=first.dtype, min_size=len(first), max_size=len(first))).alias("x")
        same = print_of(first.to_frame()) == print_of(second.to_frame())
        assert same == first.equals(second)

    def test_what_lies_under_nulls_does_not_matter(self) -> None:
        valid = pa.py_buffer(np.packbits([1, 0, 1], bitorder="little"))
        for values in ([1, 2, 3], [1, -9, 3]):
            array = pa.Array.from_buffers(pa.int64(), 3, [valid, pa.py_buffer(np.array(values))])
            assert array.to_pylist() == [1, None, 3]
            digest = digest_of(pa.int64())
            numbers = digest.add(array)
            expected = digest_of(pa.int64())
            assert expected.add(pa.array([1, None, 3])).tolist() == numbers.tolist()
            assert expected.value() == digest.value()
        offsets = pa.py_buffer(np.array([0, 1, 3, 4]))
        text = pa.Array.from_buffers(pa.large_string(), 3, [valid, offsets, pa.py_buffer(b"axxb")])
        digest, expected = digest_of(text.type), digest_of(text.type)
        assert digest.add(text).tolist() == expected.add(pa.array(["a", None, "b"], pa.large_string())).tolist()
        assert digest.value() == expected.value()
        lists = pa.Array.from_buffers(pa.large_list(pa.int64()), 3, [valid, offsets], children=[pa.array([1, 8, 9, 2])])
        digest, expected = digest_of(lists.type), digest_of(lists.type)
        assert digest.add(lists).tolist() == expected.add(pa.array([[1], None, [2]], lists.type)).tolist()
        assert digest.value() == expected.value()

    def test_nothing_slips_from_one_value_into_the_next(self) -> None:
        pairs: list[tuple[list[Any], list[Any]]] = [
            (["ab", "c"], ["a", "bc"]),
            (["", "aa"], ["a", "a"]),
            ([None, "a"], ["", "a"]),
            ([[1, 2], [3]], [[1], [2, 3]]),
            ([[], [1, 1]], [[1], [1]]),
            ([None, [1]], [[], [1]]),
            ([[[1]], [[2]]], [[[1], [2]], []]),
            ([[None], [1]], [[1, None], []]),
            ([{"a": 1, "b": 2}], [{"a": 2, "b": 1}]),
            ([{"a": 1}, {"a": None}], [{"a": 1}, None]),
            ([[None], [1]], [None, [1]]),
            ([[0], [1]], [None, [1]]),
            ([{"a": 0}, {"a": 1}], [None, {"a": 1}]),
            ([b"x" * 2000, b"y"], [b"x" * 1999, b"xy"]),
            ([b"x" * 2000], [b"x" * 1999 + b"y"]),
        ]
        for pair in pairs:
            first, second = (print_of(pl.DataFrame({"x": values})) for values in pair)
            assert first.columns[0].type == second.columns[0].type
            assert first.columns[0].digest != second.columns[0].digest
            assert first.bag != second.bag

    def test_equal_values_are_the_same_whatever_their_bits(self) -> None:
        nans = np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001], np.uint64).view(np.float64)
        expected = print_of(pl.DataFrame({"x": [float("nan")] * 3 + [0.0]}))
        assert print_of(pl.DataFrame({"x": np.append(nans, -0.0)})) == expected
        assert print_of(pl.DataFrame({"x": [1.0] * 3 + [0.0]})) != expected
        small = [print_of(pl.DataFrame({"x": pl.Series([value], dtype=pl.Float32)})) for value in (0.0, -0.0, 1e-45)]
        assert small[0] == small[1] != small[2]

    def test_categories_are_their_texts(self) -> None:
        first = pl.Series("x", ["a", "b", "a"], dtype=pl.Categorical)
        second = pl.Series("x", ["z", "b", "a", "b", "a"], dtype=pl.Categorical)[2:]
        second = pl.concat([second[:0], pl.Series("x", ["a", "b", "a"], dtype=pl.Categorical)])
        assert print_of(first.to_frame()) == print_of(second.to_frame())
        assert print_of(first.to_frame()) != print_of(first.cast(pl.String).to_frame())
        enums = [pl.Series("x", ["a"], dtype=pl.Enum(names)).to_frame() for names in (["a", "b"], ["b", "a"])]
        assert print_of(enums[0]).columns[0].digest == print_of(enums[1]).columns[0].digest
        assert print_of(enums[0]) != print_of(enums[1])

    def test_large_columns_go_in_pieces(self) -> None:
        rows = 300_000
        frame = pl.DataFrame({"i": range(rows), "s": [f"{i % 977}" * (i % 7) for i in range(rows)]})
        frame = frame.with_columns(l=pl.concat_list("i", "i"), n=pl.when(pl.col("i") % 3 > 0).then("i"))
        parts = [frame[:1], frame[1:100_000], frame[100_000:100_001], frame[100_001:]]
        expected = print_of(frame)
        assert print_of(pl.concat(parts, rechunk=False)) == expected
        assert (
            print_of(frame.with_columns(pl.col("s").gather(frame.height - 1 - pl.col("i")))).columns[1]
            != expected.columns[1]
        )
        shuffled = print_of(frame.sample(fraction=1.0, shuffle=True, seed=1))
        assert shuffled.bag == expected.bag
        assert all(a.digest != b.digest for a, b in zip(shuffled.columns, expected.columns, strict=True))
        sums = frame.with_columns(
            pl.when(pl.col("i") == 5).then(6).when(pl.col("i") == 6).then(5).otherwise("i").alias("i")
        )
        assert print_of(sums).bag != expected.bag

    def test_frames_without_columns_or_rows(self) -> None:
        assert print_of(pl.DataFrame()).rows == 0
        assert print_of(pd.DataFrame(index=[1, 2])).rows == 2
        assert print_of(pl.DataFrame(schema={"x": pl.List(pl.Struct({"a": pl.String}))})).rows == 0
        assert print_of(pl.DataFrame({"x": [1]})) != print_of(pl.DataFrame({"y": [1]}))

    def test_columns_of_one_name(self) -> None:
        frame = pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "a", 5])
        assert [each.name for each in print_of(frame).columns] == ["'a'", "'a' (2)", "5"]
        assert print_of(frame) != print_of(frame.iloc[:, [1, 0, 2]])

    # Of these versions and all others, in files of format 1, which must still load.
    GOLDEN: dict[str, tuple[str, str]] = {  # noqa: RUF012
        "number": ("Int64", "3c9188e669ece6cb"),
        "fraction": ("Float64", "e924b8fbc636631c"),
        "truth": ("Boolean", "c7b4606bf8edd91a"),
        "text": ("String", "ab22afb8d92faf16"),
        "day": ("Date", "8d177d15c5e7997f"),
        "time": ("Time", "034c8bc93f7febf4"),
        "moment": ("Datetime(us)", "1ad505465f803e16"),
        "span": ("Duration(us)", "d7471d3aac05780b"),
        "price": ("Decimal(20, 2)", "64ab46f007c2aeca"),
        "category": ("Categorical", "d681d55acb9ca70f"),
        "enum": ("Enum('a', 'b')", "d681d55acb9ca70f"),
        "wide": ("Int128", "6feb3790ef9aee96"),
        "list": ("List(String)", "7e461f098a5b7aaa"),
        "array": ("Array(Int8, 2)", "6e4a9f54a4f9d9ff"),
        "struct": ("Struct('a': Int64, 'b': List(Float64))", "df98ed80385a2127"),
        "bytes": ("Binary", "4673eda4339d381b"),
    }

    # A change here is a change of the file format.
    BY_VALUE: dict[str, tuple[str, str]] = {  # noqa: RUF012
        "number": ("number", "2fbca48e7912aabf"),
        "fraction": ("number", "72c5746584e22300"),
        "truth": ("Boolean", "2123126f85f9b823"),
        "text": ("text", "0161edbe18f69659"),
        "day": ("moment", "4e3d20852dc85f28"),
        "time": ("Time", "ff50011ef2692841"),
        "moment": ("moment", "75a5865c6aa07f9b"),
        "span": ("Duration", "901fe4e895a60bcf"),
        "price": ("decimal", "2f359f1141b10e81"),
        "category": ("text", "c699c0c5f1efc701"),
        "enum": ("text", "c699c0c5f1efc701"),
        "wide": ("number", "b14347f314f14db6"),
        "list": ("list of text", "1c33b7d05ac953d6"),
        "array": ("list of number", "6211b2f7e6491191"),
        "struct": ("struct of 'a': number, 'b': list of number", "033fd399314cc410"),
        "bytes": ("Binary", "2c1f2b15190ab8ec"),
    }

    def test_it_is_the_same_in_all_versions(self) -> None:
        table = pl.DataFrame(
            {
                "number": [1, None, -3],
                "fraction": [0.5, float("nan"), None],
                "truth": [True, None, False],
                "text": ["", None, "ünïcødé"],
                "day": [dt.date(2024, 2, 29), None, dt.date(1, 1, 1)],
                "time": [dt.time(1, 2, 3), None, dt.time(0)],
                "moment": [dt.datetime(2024, 2, 29, 12), None, dt.datetime(1969, 12, 31)],
                "span": [dt.timedelta(1), None, dt.timedelta(-1)],
                "price": pl.Series([Decimal("1.25"), None, Decimal("-0.01")], dtype=pl.Decimal(20, 2)),
                "category": pl.Series(["b", None, "a"], dtype=pl.Categorical),
                "enum": pl.Series(["b", None, "a"], dtype=pl.Enum(["a", "b"])),
                "wide": pl.Series([2**100, None, -1], dtype=pl.Int128),
                "list": [["a", None], None, []],
                "array": pl.Series([[1, 2], None, [3, None]], dtype=pl.Array(pl.Int8, 2)),
                "struct": [{"a": 1, "b": [0.5]}, None, {"a": None, "b": None}],
                "bytes": [b"\xff", None, b"x" * 2000],
            }
        )
        found = fingerprint(kept_frame_of(table), by_value=False)
        assert {each.name.strip("'"): (each.type, each.digest[:16]) for each in found.columns} == self.GOLDEN
        assert found.bag == "c4859662d753f964"
        found = print_of(table)
        assert {each.name.strip("'"): (each.family, each.digest[:16]) for each in found.columns} == self.BY_VALUE
        assert found.bag == "8efd0f093c072ee0"


def test_the_parquet_module_is_loaded_when_it_is_needed() -> None:
    code = "import sys, tql_frames; assert not {'pyarrow.parquet', 'tql_frames.views.drawn_view'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert _parquet() is pq
    assert tql_frames.View is View
