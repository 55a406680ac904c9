"""Which plans are read twice is decided by their nodes; files that change between two readings are an error."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import tql_frames
from tql_frames import TQLError
from tql_frames.frames.two_pass import is_repeatable, reporting

if not hasattr(pl.LazyFrame, "collect_batches"):
    pytest.skip("this Polars gives no batches; LazyFrames are held in memory", allow_module_level=True)

FRAME = pl.DataFrame({"w": [1.0] * 400, "view": ["python", "PA", "opaque", "AP"] * 100, "n": range(400)})
NAMES = ["python", "a.map", "opaque.sample(1)", "x.shuffle()", "SORT BY", "café"]


@pytest.mark.fault("H1")
@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_decide_nothing(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    FRAME.write_parquet(folder / f"{name}.parquet")
    FRAME.write_csv(folder / f"{name}.csv")
    for plan in (pl.scan_parquet(folder / f"{name}.parquet"), pl.scan_csv(folder / f"{name}.csv")):
        assert is_repeatable(plan)
        assert plan.tql.sample("w", 9, seed=1).collect().equals(FRAME.tql.sample("w", 9, seed=1))


STREAMED: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "text": lambda f: f.filter(pl.col("view") == "python"),
    "text of a clause": lambda f: f.filter(pl.col("view") != '\nSORT BY [col("w")]\nDF ["a"]; PROJECT */1 COLUMNS'),
    "text of a node": lambda f: f.filter(pl.col("view") != '{"DataFrameScan":{"df":[1]}}'),
    "texts": lambda f: f.filter(pl.col("view").is_in(["python", "opaque", ".map"])),
    "column": lambda f: f.with_columns(python=pl.col("w") * 2, Random=1, AnonymousFunction=pl.lit("x")),
    "rename": lambda f: f.rename({"view": "x.sample(1)"}),
    "pattern": lambda f: f.with_columns(pl.col("view").str.replace("python", ".map_batches(")),
    "struct": lambda f: f.with_columns(s=pl.struct(pl.col("w").alias("Random"))),
    "several steps": lambda f: f.rename({"n": "python"}).drop_nulls().with_row_index().slice(3).cast({"w": pl.Int64}),
    "explode": lambda f: f.with_columns(pl.concat_list("n", "n")).explode("n"),
    "concat": lambda f: pl.concat([f, f.filter(pl.col("view") == "python")]),
}


@pytest.mark.fault("H1")
@pytest.mark.parametrize("step", STREAMED.values(), ids=STREAMED)
def test_names_and_texts_in_a_plan_decide_nothing(tmp_path: Path, step: Callable[[pl.LazyFrame], pl.LazyFrame]) -> None:
    FRAME.write_parquet(tmp_path / "one.parquet")
    scan = pl.scan_parquet(tmp_path / "one.parquet")
    scan.collect_schema()
    plan = step(scan)
    plan.collect_schema()
    assert is_repeatable(plan)
    frame = plan.collect()
    assert plan.tql.sample("w", 9, seed=1, index=None).collect().equals(frame.tql.sample("w", 9, seed=1, index=None))
    assert "held" not in tql_frames.explain(plan, "w")


HELD: dict[str, tuple[Callable[[pl.LazyFrame], pl.LazyFrame], str]] = {
    "sort": (lambda f: f.sort("w"), "sort"),
    "group_by": (lambda f: f.group_by("n").agg(pl.col("w").first()), "group_by"),
    "join": (lambda f: f.join(f, on="n"), "join"),
    "unique": (lambda f: f.unique("view"), "unique"),
    "unique values": (lambda f: f.select(pl.col("w").unique()), "unique, which keeps no order"),
    "shuffle in a list": (lambda f: f.with_columns(pl.concat_list("n").list.eval(pl.element().shuffle())), "shuffle"),
    "shuffle in a cast": (lambda f: f.with_columns(pl.col("n").shuffle().cast(pl.Float64)), "shuffle"),
    "Python": (lambda f: f.map_batches(lambda frame: frame), "a Python function"),
    "Python in an expression": (
        lambda f: f.with_columns(pl.col("w").map_elements(lambda w: w, return_dtype=pl.Float64)),
        "a Python function",
    ),
    "a step before others": (lambda f: f.sort("w").filter(pl.col("n") > 3).with_columns(x=1), "sort"),
}


@pytest.mark.fault("H1")
@pytest.mark.parametrize(("step", "word"), HELD.values(), ids=HELD)
def test_explain_says_why_rows_are_held(
    tmp_path: Path, step: Callable[[pl.LazyFrame], pl.LazyFrame], word: str
) -> None:
    FRAME.write_parquet(tmp_path / "one.parquet")
    plan = step(pl.scan_parquet(tmp_path / "one.parquet"))
    assert not is_repeatable(plan)
    said = "the rows are held in memory while a sample is drawn: the plan has "
    assert f"{said}{word}" in tql_frames.explain(plan, "w")
    assert f"{said}{word}" in tql_frames.explain(plan, "select * sample by w")


def test_rows_in_memory_are_not_said_to_be_held() -> None:
    plan = FRAME.lazy()
    assert not is_repeatable(plan)
    assert tql_frames.explain(plan, "w") == tql_frames.explain(FRAME, "w")


# --- files that change -----------------------------------------------------------------------------------------------

WRITE: dict[str, tuple[Callable[[pl.DataFrame, Path], object], Callable[[Path], pl.LazyFrame]]] = {
    ".parquet": (pl.DataFrame.write_parquet, pl.scan_parquet),
    ".csv": (pl.DataFrame.write_csv, pl.scan_csv),
    ".arrow": (pl.DataFrame.write_ipc, pl.scan_ipc),
    ".ndjson": (pl.DataFrame.write_ndjson, pl.scan_ndjson),
}
OTHERS = {
    "other rows": FRAME.with_columns(pl.col("n") + 1000),
    "another order": FRAME.reverse(),
    "more rows": pl.concat([FRAME, FRAME]),
    "fewer rows": FRAME.head(399),
    "other types": FRAME.with_columns(pl.col("n").cast(pl.String) + "a"),
    "other columns": FRAME.rename({"n": "m"}),
}


def between_the_passes(change: Callable[[], object]) -> None:
    def changing(values: pl.Series) -> pl.Series:
        change()
        return values

    tql_frames.register_function("changing", changing)


@pytest.mark.fault("D3")
@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_file_written_between_the_passes_is_an_error(tmp_path: Path, suffix: str, other: pl.DataFrame) -> None:
    write, scan = WRITE[suffix]
    for replaced in (False, True):  # written in place, or by another file
        file, new = tmp_path / f"in{replaced}{suffix}", tmp_path / f"new{suffix}"
        write(FRAME, file)

        def change(file: Path = file, new: Path = new, replaced: bool = replaced) -> None:
            write(other, new if replaced else file)
            if replaced:
                new.replace(file)

        between_the_passes(change)
        plan = scan(file).tql.sample("changing(w)", 20, seed=1, order="source")
        with pytest.raises(TQLError, match="the rows changed while they were sampled"):
            plan.collect()


@pytest.mark.fault("D3")
def test_equal_time_and_size_are_not_enough(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    FRAME.write_csv(file)

    def change() -> None:
        before = file.stat()
        FRAME.reverse().write_csv(file)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert file.stat().st_size == before.st_size

    between_the_passes(change)
    plan = pl.scan_csv(file).tql.sample("changing(w)", 20, seed=1)
    with pytest.raises(TQLError, match=r"the rows changed while they were sampled: .*in\.csv changed"):
        plan.collect()


@pytest.mark.fault("D3")
@pytest.mark.parametrize("name", ["*.parquet", ""])
def test_a_file_that_comes_between_the_passes_is_an_error(tmp_path: Path, name: str) -> None:
    FRAME.write_parquet(tmp_path / "b.parquet")
    between_the_passes(lambda: FRAME.write_parquet(tmp_path / "a.parquet"))
    plan = pl.scan_parquet(tmp_path / name).tql.sample("changing(w)", 20, seed=1)
    with pytest.raises(TQLError, match="came or went"):
        plan.collect()


@pytest.mark.fault("D3")
def test_a_view_of_a_file_that_changed_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "in.parquet"
    FRAME.write_parquet(file)
    view = pl.scan_parquet(file).tql.view("w", 9, seed=1)
    assert len(view) == 9
    OTHERS["other rows"].write_parquet(file)
    with pytest.raises(TQLError, match="the rows changed"):
        view.to_polars().lazy().collect()


def test_files_that_stay_are_no_error(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "in.parquet")
    plan = pl.scan_parquet(tmp_path / "in.parquet").tql.sample("w", 9, seed=1)
    first = plan.collect()
    os.utime(tmp_path / "in.parquet")  # between two runs, not between the passes of one
    assert plan.collect().equals(first)


# --- batches of views ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "replace"), [("source", True), ("source", False), ("draw", True)])
def test_rows_in_the_order_of_the_files_come_before_all_are_read(tmp_path: Path, order: str, replace: bool) -> None:
    rows = 400_000
    frame = pl.select(n=pl.int_range(rows), w=1 + pl.int_range(rows) % 3)
    frame.write_parquet(tmp_path / "in.parquet", row_group_size=20_000)
    fetched = [0]
    with reporting(lambda phase, done, _: fetched.append(done if phase == "fetching" else 0)):
        view = pl.scan_parquet(tmp_path / "in.parquet").tql.view(
            "w", limit=rows // 2, replace=replace, order=order, seed=1
        )
        expected = frame["n"].gather(view.positions)
    different = expected.n_unique()
    assert (different < len(view)) == replace
    batches = view.batches(1_000)
    first = next(batches)
    assert (max(fetched) < different) == (order == "source")  # rows in another order are all held first
    assert pl.concat([first, *batches])["n"].equals(expected)
    assert max(fetched) == different
