"""Saved views: a view comes back as it was, of the frame that it was saved of and no other, from a sound file only."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.processes import printed_by
from tests.sizes import crossed, named, paired, size
from tql_frames import TQLError, TQLTypeError, View, load_view
from tql_frames.frames import kept_frame_of
from tql_frames.views.storage import Fingerprint, fingerprint
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

    @pytest.mark.parametrize(("request_", "kind"), paired(OPTIONS, KINDS), ids=named)
    def test_a_view_comes_back(self, frame_of: Any, path: Path, kind: str, request_: tuple[Any, Any]) -> None:
        sampler, options = request_
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
        assert json.loads(printed_by(code)) == view.positions.tolist()

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
    @pytest.mark.parametrize(("change", "kind"), paired(CHANGES, ["polars", "lazy", "scan"]))
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
        with pytest.raises(TQLError, match="expected message= to be text, got int"):
            view.save(path, 5)  # type: ignore[arg-type]
        view.save(path)
        with pytest.raises(TQLError, match="expected the frame to be a Polars DataFrame or LazyFrame, a pandas"):
            load_view(path, {"w": [1]})  # type: ignore[type-var]
        with pytest.raises(FileNotFoundError, match="nosuch"):
            load_view(path.with_name("nosuch"), FRAME)
        with pytest.raises(FileNotFoundError, match="nosuch"):
            view.save(path.parent / "nosuch" / "view.parquet")


class TestAcrossLibraries:
    PLAIN = FRAME.select("s", "day", age=pl.col("age").fill_null(7), w=pl.col("w").fill_null(1))

    @pytest.mark.parametrize(
        ("here", "there", "sampler"), crossed(KINDS, KINDS, ["w", "select s as text, age where w > 0"])
    )
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
        assert caught.value.hint == "load it with a Polars DataFrame, of which it was saved, or convert the columns"

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
        for place in range(0, len(content), size(3, 1)):
            damaged = bytearray(content)
            damaged[place] ^= 1 << (place % 8)
            path.write_bytes(damaged)
            with pytest.raises(TQLError, match="is damaged"):
                load_view(path, FRAME)

    def test_every_length(self, path: Path, content: bytes) -> None:
        for length in range(0, len(content), size(3, 1)):
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


def test_the_parquet_module_is_loaded_when_it_is_needed() -> None:
    code = "import sys, tql_frames; assert not {'pyarrow.parquet', 'tql_frames.views.drawn_view'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert _parquet() is pq
    assert tql_frames.View is View


def test_a_frame_with_maps_is_known_again(tmp_path: Path) -> None:
    kind = pa.map_(pa.string(), pa.int32())
    table = pa.table({"m": pa.array([[("k", 1)], [], None, [("a", 2), ("b", None)]], kind), "age": [1, 2, 3, 4]})
    view = tql_frames.view(table, "age", limit=3, seed=1)
    view.save(tmp_path / "v.parquet")
    for same in (table, pa.concat_tables([table.slice(0, 1), table.slice(1)]), pl.from_arrow(table)):
        assert tql_frames.load_view(tmp_path / "v.parquet", same).positions.tolist() == view.positions.tolist()
    for maps in ([[("k", 1)], [], None, [("a", 2), ("b", 3)]], [[("k", 1)], None, None, [("a", 2), ("b", None)]]):
        with pytest.raises(TQLError, match="column 'm' has other values"):
            tql_frames.load_view(tmp_path / "v.parquet", table.set_column(0, "m", pa.array(maps, kind)))
