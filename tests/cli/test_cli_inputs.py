"""The files that the command reads, and its errors for those that it cannot read."""

from __future__ import annotations

import gzip
import os
import re
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.cli.commands import FLAT, SAMPLER, WRITE, Command, expected, words


def test_several_files_are_one_table_in_the_order_given(command: Command) -> None:
    parts = [FLAT[:100], FLAT[100:300], FLAT[300:]]
    for name, part in zip("cab", parts, strict=True):
        part.write_parquet(f"{name}.parquet")
    done = command("sample", SAMPLER, "c.parquet", "a.parquet", "b.parquet", "--seed", 7, "-o", "out.csv")
    assert done == (0, "", "")
    assert_frame_equal(pl.read_csv("out.csv"), expected(FLAT))


def test_a_glob_is_read_in_the_order_of_its_names(command: Command) -> None:
    os.mkdir("in")
    for name, part in {"in/1.csv": FLAT[:100], "in/2.csv": FLAT[100:], "in/.3.csv": FLAT[:9]}.items():
        part.write_csv(name)
    assert command("sample", SAMPLER, "in/*.csv", "--seed", 7, "-o", "out.csv") == (0, "", "")
    assert_frame_equal(pl.read_csv("out.csv"), expected(FLAT))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".ndjson", ".arrow"])
def test_a_name_that_looks_like_a_glob(command: Command, suffix: str) -> None:
    WRITE[suffix](FLAT, f"in[1]*{suffix}")
    assert command("sample", SAMPLER, f"in[1]*{suffix}", "--seed", 7, "-o", "out.csv") == (0, "", "")
    assert_frame_equal(pl.read_csv("out.csv"), expected(FLAT))


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize("absolute", [False, True])
def test_folders_of_a_folder_are_columns(command: Command, suffix: str, absolute: bool) -> None:
    parts = [(2023, "AP", FLAT[:100]), (2023, "PA", FLAT[100:300]), (2024, "AP", FLAT[300:])]
    for year, ward, part in parts:
        folder = Path(f"run=5/table/year={year}/ward={ward}")
        folder.mkdir(parents=True)
        WRITE[suffix](part, str(folder / f"0{suffix}"))
        (folder / f".0{suffix}.crc").write_bytes(b"not a table")
        (folder / f".1{suffix}.0a1b2c3d.partial").write_bytes(b"left by a killed process")
    Path("run=5/table/_SUCCESS").touch()
    name = os.path.abspath("run=5/table") if absolute else "run=5/table/"
    assert command("sample", SAMPLER, name, "--seed", 7, "-o", "out.parquet") == (0, "", "")
    whole = pl.concat([part.with_columns(year=pl.lit(year), ward=pl.lit(ward)) for year, ward, part in parts])
    found = pl.read_parquet("out.parquet")
    assert "run" not in found.columns
    assert_frame_equal(found, expected(whole), check_dtypes=False)
    text = "select id where year = 2024 and ward = 'AP' order by id limit 1"
    assert command("query", text, "run=5/table").out == "id\n300\n"


def test_a_plain_folder_is_a_table_too(command: Command) -> None:
    os.mkdir("in")
    FLAT[:100].write_csv("in/1.csv")
    FLAT[100:].write_csv("in/2.csv")
    Path("in/README.md").write_text("not a table")
    assert command("sample", SAMPLER, "in", "--seed", 7, "-o", "out.csv") == (0, "", "")
    assert_frame_equal(pl.read_csv("out.csv"), expected(FLAT))


@pytest.mark.parametrize(
    ("names", "status", "message"),
    [
        (["nosuch.parquet"], 1, "cannot read nosuch.parquet: no such file or folder"),
        (["in.parquet", "nosuch.parquet"], 1, "cannot read nosuch.parquet: no such file or folder"),
        (["nosuch*.parquet"], 1, "nosuch*.parquet matches no file"),
        (["csv*"], 1, "csv* matches folders only, no file"),
        (["empty"], 1, "empty holds no file with one of the endings .parquet .pq .csv"),
        (["csv", "--input-format", "arrow"], 1, "csv holds no file with one of the endings .arrow .ipc .feather"),
        (["csv", "in.csv"], 1, "in.csv is in no folder year=…, as other files of the table are"),
        (["delta"], 1, "delta is a Delta table, whose files hold more than its rows; export it first"),
        (["in.parquet", "in.csv"], 1, "files of one table are of one format: in.parquet is parquet, in.csv csv"),
        (["-", "-"], 2, "standard input can be read once; it is named twice"),
        (["in.parquet", "other.parquet"], 1, "cannot read other.parquet together with in.parquet: it has no column"),
        (["in.parquet", "more.parquet"], 1, "more.parquet together with in.parquet: it has a column 'more' more"),
        (["in.parquet", "text.parquet"], 1, "text.parquet together with in.parquet: column 'age' is String instead"),
    ],
    ids=words,
)
def test_files_that_cannot_be_read(command: Command, names: list[str], status: int, message: str) -> None:
    for folder in ("csv/year=2024", "empty", "delta/_delta_log"):
        os.makedirs(folder)
    FLAT.write_csv("csv/year=2024/0.csv")
    FLAT.write_parquet("delta/0.parquet")
    FLAT.write_parquet("in.parquet")
    FLAT.write_csv("in.csv")
    FLAT.drop("seen").write_parquet("other.parquet")
    FLAT.with_columns(more=1).write_parquet("more.parquet")
    FLAT.with_columns(pl.col("age").cast(pl.String)).write_parquet("text.parquet")
    before = command.names()
    done = command("sample", "age", *names, "-o", "out.parquet")
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith("tql-frames: ")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert command.names() == before


def broken(name: str) -> None:
    """Make a file that is not what its name says."""
    FLAT.write_parquet("whole.parquet")
    content = Path("whole.parquet").read_bytes()
    middle = len(content) // 3
    contents = {
        "short.parquet": content[: 2 * middle],
        "empty.parquet": b"",
        "text.parquet": b"id,age\n1,2\n",
        "rotten.parquet": content[:20] + bytes(len(content[20:middle])) + content[middle:],  # the footer is whole
        "empty.csv": b"",
        "short.csv.gz": gzip.compress(FLAT.write_csv().encode())[:-800],
        "text.arrow": b"id,age\n1,2\n",
        "text.ndjson": b"id,age\n1,2\n",
    }
    Path(name).write_bytes(contents[name])


@pytest.mark.parametrize(
    "name",
    [
        "short.parquet",
        "empty.parquet",
        "text.parquet",
        "rotten.parquet",
        "empty.csv",
        "short.csv.gz",
        "text.arrow",
        "text.ndjson",
    ],
)
@pytest.mark.parametrize("among_others", [False, True])
def test_a_broken_file_is_named(command: Command, name: str, among_others: bool) -> None:
    broken(name)
    suffix = Path(name.removesuffix(".gz")).suffix
    WRITE[suffix](FLAT, f"a{suffix}")
    files = [f"a{suffix}", name, f"a{suffix}"] if among_others else [name]
    for arguments in (["sample", "age"], ["query", "select id, age where age > 0"]):
        done = command(*arguments, *files, "-o", "out.parquet")
        assert (done.status, done.out) == (1, "")
        assert re.fullmatch(rf"tql-frames: cannot read {name}( together with a\.\w+)?: .+\n", done.err)
        assert not os.path.exists("out.parquet")


def test_a_file_whose_types_were_not_foreseen_is_named(command: Command) -> None:
    for name, last in {"a.csv": "3", "b.csv": "2.5"}.items():
        Path(name).write_text("w\n" + "1\n" * 10_500 + f"{last}\n")
    done = command("sample", "w", "a.csv", "b.csv", "-o", "out.csv")
    assert done.status == 1
    assert done.err.startswith("tql-frames: cannot read b.csv: could not parse `2.5` as dtype `i64` at column 'w'")


def test_lines_of_json_have_the_types_of_all_files(command: Command) -> None:
    Path("a.ndjson").write_text('{"w": 1, "box": {"x": 1}}\n')
    Path("b.ndjson").write_text('{"w": 1.5, "more": "text", "box": {"x": 2.5, "y": 1}}\n')
    for names in ("ab", "ba"):
        done = command("query", "select w order by w", *[f"{name}.ndjson" for name in names])
        assert done == (0, "w\n1.0\n1.5\n", "")
    done = command("query", "select more, box order by w", "a.ndjson", "b.ndjson", "--output-format", "ndjson")
    assert done.out == (
        '{"more":null,"box":{"x":1.0,"y":null}}\n'  # what a file lacks is null
        '{"more":"text","box":{"x":2.5,"y":1}}\n'
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
def test_a_name_that_is_not_text(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    name = os.fsdecode(b"\xff.parquet")
    assert command("sample", "age", "in.parquet", "-o", name) == (0, "", "")
    done = command("sample", "age", name)
    assert (done.status, done.out) == (1, "")
    assert done.err.endswith(".parquet: Polars knows only names in UTF-8\n")
