"""The command: files in, a file out, and every way it can end, with real signals, full disks and terminals.

Most tests call `main` in this process; those of signals, pipes, terminals and disks start the command.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import os
import re
import select
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tql_frames import api
from tql_frames.cli import main
from tql_frames.cli.arguments import parser_for
from tql_frames.cli.commands import COMMANDS
from tql_frames.cli.faults import CommandError
from tql_frames.cli.formats import format_named
from tql_frames.cli.output import Temporaries, WholeFile
from tql_frames.cli.progress import Progress

ROWS = 500
FLAT = pl.DataFrame(
    {
        "id": range(ROWS),
        "age": [20 + (i * 37) % 70 for i in range(ROWS)],
        "dose": [None if i % 7 == 0 else i / 3 for i in range(ROWS)],
        "view": [("PA", "AP", 'a "b", c', "Ä→é")[i % 4] for i in range(ROWS)],
        "seen": [i % 3 == 0 for i in range(ROWS)],
    }
)
NESTED = FLAT.with_columns(
    findings=pl.concat_list(pl.lit("Mass"), "view"), box=pl.struct("id", "dose"), taken=pl.lit(date(2024, 5, 1))
)
SAMPLER = "max_weight(age > 60: 5, view = 'PA': 3, true: 1)"
ENDLESS = "select x + y as z from a cross join b"  # of two small files: more rows than a test waits for

WRITE = {
    ".parquet": pl.DataFrame.write_parquet,
    ".pq": pl.DataFrame.write_parquet,
    ".csv": pl.DataFrame.write_csv,
    ".tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    ".arrow": pl.DataFrame.write_ipc,
    ".ipc": pl.DataFrame.write_ipc,
    ".feather": pl.DataFrame.write_ipc,
    ".ndjson": pl.DataFrame.write_ndjson,
    ".jsonl": pl.DataFrame.write_ndjson,
}
READ = {
    ".parquet": pl.read_parquet,
    ".pq": pl.read_parquet,
    ".csv": pl.read_csv,
    ".tsv": lambda path: pl.read_csv(path, separator="\t"),
    ".arrow": lambda path: pl.scan_ipc(path).collect(),
    ".ipc": lambda path: pl.scan_ipc(path).collect(),
    ".feather": lambda path: pl.scan_ipc(path).collect(),
    ".ndjson": pl.read_ndjson,
    ".jsonl": pl.read_ndjson,
}
NESTING = {".parquet", ".pq", ".arrow", ".ipc", ".feather"}


def words(value: object) -> str | None:
    """The name of a case: its arguments."""
    return " ".join(value) if isinstance(value, list) else None


class Done(NamedTuple):
    status: int
    out: str
    err: str


class Command:
    """Runs the command in a folder of its own."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capfd = folder, capfd

    def __call__(self, *arguments: object) -> Done:
        self._capfd.readouterr()
        try:
            status = main([str(each) for each in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        return Done(status, *self._capfd.readouterr())

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
def command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path, capfd)


def expected(frame: pl.DataFrame, sampler: str = SAMPLER, **options: Any) -> pl.DataFrame:
    return tql_frames.sample(frame, sampler, **{"seed": 7, "order": "source", "index": None} | options)


@pytest.mark.fault("H5")
def test_a_seed_fixes_the_numbers_of_random(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    sampler = "max_weight(random() % 2 = 1: 3, True: 1)"
    reports, explanations = (
        [command(name, sampler, "in.parquet", "--seed", seed, *more).out for seed in (3, 3, 4)]
        for name, more in (("report", ["--by", "age"]), ("explain", []))
    )
    for found in (reports, explanations):
        assert found[0] == found[1] != found[2]
    assert reports[0] == f"{tql_frames.report(pl.read_parquet('in.parquet'), 'age', sampler, seed=3)}\n"


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", WRITE)
def test_a_format_there_and_back(command: Command, suffix: str) -> None:
    WRITE[suffix](NESTED if suffix in NESTING else FLAT, f"in{suffix}")
    assert command("sample", SAMPLER, f"in{suffix}", "-o", f"out{suffix}", "--seed", 7, "--limit", 99) == (0, "", "")
    assert_frame_equal(READ[suffix](f"out{suffix}"), expected(READ[suffix](f"in{suffix}"), limit=99))
    assert command.names() == [f"in{suffix}", f"out{suffix}"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".ndjson"])
def test_text_may_be_compressed(command: Command, suffix: str) -> None:
    WRITE[suffix](FLAT, f"in{suffix}")
    with open(f"in{suffix}", "rb") as plain, gzip.open(f"in{suffix}.gz", "wb") as compressed:
        shutil.copyfileobj(plain, compressed)
    assert command("sample", SAMPLER, f"in{suffix}.gz", "-o", "out.parquet", "--seed", 7).status == 0
    assert_frame_equal(pl.read_parquet("out.parquet"), expected(READ[suffix](f"in{suffix}")))


def test_options_tell_the_formats_that_names_do_not(command: Command) -> None:
    FLAT.write_csv("in.data")
    done = command(
        "sample", SAMPLER, "in.data", "-o", "out.data", "--input-format", "csv", "--output-format", "pq", "--seed", 7
    )
    assert done == (0, "", "")
    assert_frame_equal(pl.read_parquet("out.data"), expected(FLAT))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["in.data", "-o", "out.csv"],
            "the name in.data has no ending of a format: give --input-format, or one of the endings",
        ),
        (["in.csv", "-o", "out.data"], "the name out.data has no ending of a format: give --output-format, or one of"),
        (["in.csv", "-o", "out.csv.gz"], "out.csv.gz would not be compressed: write to a compressor, -o - --output"),
        (["in.csv", "--input-format", "xls"], "'xls' is no format: parquet, csv, tsv, arrow, ndjson"),
    ],
)
def test_unknown_formats(command: Command, arguments: list[str], message: str) -> None:
    FLAT.write_csv("in.data")
    FLAT.write_csv("in.csv")
    done = command("sample", "age", *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert command.names() == ["in.csv", "in.data"]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "out.csv",
            "csv cannot hold columns 'findings' (a list), 'box' (a struct): write .parquet or .arrow or .ndjson",
        ),
        ("out.tsv", "tsv cannot hold columns 'findings' (a list), 'box' (a struct): write"),
        ("-", "csv cannot hold columns"),
    ],
)
def test_lists_do_not_go_into_csv(command: Command, output: str, message: str) -> None:
    NESTED.write_parquet("in.parquet")
    done = command("sample", SAMPLER, "in.parquet", "-o", output)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"tql-frames: {message}")
    assert done.err.endswith("or name the other columns in a query, select … sample by …\n")
    assert command.names() == ["in.parquet"]


@pytest.mark.parametrize("dtype", [pl.Binary(), pl.List(pl.Binary()), pl.Struct({"a": pl.Binary()})], ids=str)
def test_bytes_do_not_go_into_json(command: Command, dtype: pl.DataType) -> None:
    pl.DataFrame({"w": [1], "b": pl.Series([None], dtype=dtype)}).write_parquet("in.parquet")
    done = command("sample", "w", "in.parquet", "-o", "out.ndjson")
    assert done.status == 1
    assert done.err.startswith("tql-frames: ndjson cannot hold column 'b' (")
    assert ": write .parquet or .arrow, or name the other columns" in done.err


def test_types_of_text_are_guessed_from_rows(command: Command) -> None:
    Path("in.csv").write_text("w\n" + "1\n" * 10_500 + "2.5\n")
    done = command("sample", "w", "in.csv", "-o", "out.csv")
    assert done.status == 1
    assert done.err.startswith("tql-frames: cannot read in.csv: could not parse `2.5` as dtype `i64` at column 'w'")
    assert done.err.endswith("types are guessed from the first 10,000 rows; --infer-rows all looks at every one\n")
    assert command("sample", "w", "in.csv", "-o", "out.csv", "--infer-rows", "all") == (0, "", "")
    assert {*Path("out.csv").read_text().split()} <= {"w", "1", "2.5"}  # cells as they were, whatever their type


# --- what is drawn ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "meaning"),
    [
        ([], {}),
        (["--limit", "40"], {"limit": 40}),
        (["--limit", "0"], {"limit": 0}),
        (["--fraction", "0.29"], {"fraction": 0.29}),
        (["--limit", "40", "--no-replace"], {"limit": 40, "replace": False}),
        (["--limit", "40", "--order", "draw"], {"limit": 40, "order": "draw"}),
        (["--limit", "40", "--order", "source"], {"limit": 40}),
        (["--index"], {"index": "index"}),
        (["--index=row"], {"index": "row"}),
    ],
    ids=words,
)
def test_options(command: Command, options: list[str], meaning: dict[str, Any]) -> None:
    NESTED.write_parquet("in.parquet", row_group_size=64)
    assert command("sample", SAMPLER, "in.parquet", "-o", "out.parquet", "--seed=7", *options) == (0, "", "")
    assert_frame_equal(pl.read_parquet("out.parquet"), expected(NESTED, **meaning))


def test_without_a_seed_every_run_draws_another(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    assert command("sample", SAMPLER, "in.parquet").out != command("sample", SAMPLER, "in.parquet").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "3", "--fraction", "0.5"], "argument --fraction: not allowed with argument --limit"),
        (["--limit", "-1"], "argument --limit: '-1' is no whole number of at least 0"),
        (["--limit", "many"], "argument --limit: 'many' is no whole number of at least 0"),
        (["--fraction", "nan"], "argument --fraction: 'nan' is no number of at least 0"),
        (["--seed", "1.5"], "argument --seed: '1.5' is no whole number of at least 0"),
        (["--order", "random"], "argument --order: invalid choice: 'random'"),
        (["--infer-rows", "0"], "argument --infer-rows: types cannot be guessed from no row"),
        (["--index", "in.parquet"], "argument --index: 'in.parquet' looks like a file; put the files before --index"),
        (["--lim", "3"], "unrecognized arguments: --lim 3"),
    ],
    ids=words,
)
def test_a_wrong_command_line(command: Command, arguments: list[str], message: str) -> None:
    FLAT.write_parquet("in.parquet")
    done = command("sample", "age", "in.parquet", *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


@pytest.mark.parametrize("arguments", [[], ["sample"], ["sample", "age"], ["nosuch"]], ids=words)
def test_an_incomplete_command_line(command: Command, arguments: list[str]) -> None:
    assert command(*arguments).status == 2


def test_query(command: Command) -> None:
    NESTED.write_parquet("in.parquet")
    text = "select id, findings where age > ? and view in (?) sample by max_weight(age > 80: 5, true: 1) limit 50"
    done = command(
        *["query", text, "in.parquet", "-o", "out.parquet", "--seed", 7, "--index"],
        *["--parameter", "60", "--parameter", '["PA", "AP"]'],
    )
    assert done == (0, "", "")
    assert_frame_equal(pl.read_parquet("out.parquet"), api.query_frame(NESTED, text, [60, ["PA", "AP"]], seed=7))


def test_query_of_several_tables(command: Command) -> None:
    wards = pl.DataFrame({"view": ["PA", "AP"], "ward": ["walking", "lying"]})
    wards.write_parquet("wards.parquet")
    FLAT[:200].write_parquet("scans1.parquet")
    FLAT[200:].write_parquet("scans2.parquet")
    wards.write_parquet("a=b.parquet")
    text = "select id, ward from scans join wards using (view) where age > 60 order by id"
    files = ["scans=scans1.parquet", "scans=scans2.parquet"]
    answer = tql_frames.query(text, index=None, scans=FLAT, wards=wards)
    assert command("query", text, *files, "wards=wards.parquet", "-o", "out.parquet") == (0, "", "")
    assert_frame_equal(pl.read_parquet("out.parquet"), answer)
    for name in ("a=b.parquet", "a=?.parquet"):
        assert command("query", "select ward order by ward", name).out == "ward\nlying\nwalking\n"


def test_tables_of_a_query_have_their_own_formats(command: Command) -> None:
    FLAT.write_parquet("a.parquet")
    FLAT.write_csv("b.csv")
    text = "select a.id from a join b using (id) order by id limit 2"
    assert command("query", text, "a=a.parquet", "b=b.csv") == (0, "id\n0\n1\n", "")


@pytest.mark.parametrize(
    ("files", "status", "message"),
    [
        (["a=in.parquet", "in.parquet"], 2, "give all files a name, or none: in.parquet has none"),
        (["seed=in.parquet"], 2, "a table cannot be called 'seed' here; choose another name"),
        (["b=in.parquet"], 1, "the frames are b"),
        (["in.parquet"], 0, ""),  # any name stands for the one file
    ],
    ids=words,
)
def test_names_of_tables(command: Command, files: list[str], status: int, message: str) -> None:
    FLAT.write_parquet("in.parquet")
    done = command("query", "select id from a", *files)
    assert done.status == status
    assert message in done.err


def test_parameters_are_json_or_text(command: Command) -> None:
    pl.DataFrame({"w": [1]}).write_parquet("in.parquet")
    values = ["60", "-2.5", "true", "null", '"60"', "it's", "2024-05-01", "NaN"]
    marks = ", ".join(f"? as c{i}" for i in range(len(values)))
    given = [part for value in values for part in ("--parameter", value)]
    done = command("query", f"select {marks}", "in.parquet", "--output-format", "ndjson", *given)
    cells = '60,"c1":-2.5,"c2":true,"c3":null,"c4":"60","c5":"it\'s","c6":"2024-05-01","c7":"NaN"'
    assert done == (0, f'{{"c0":{cells}}}\n', "")


def test_explain(command: Command) -> None:
    NESTED.write_parquet("in.parquet")
    done = command("explain", SAMPLER, "in.parquet")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{tql_frames.explain(NESTED, SAMPLER)}\n"
    done = command("explain", "select id where age > ?", "in.parquet", "--parameter", "60")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("select id where age > 60\n\n")


def test_report(command: Command) -> None:
    xrays = tql_frames.datasets.chest_xray().select("findings", "view", "age")
    xrays.write_parquet("in.parquet", row_group_size=9_999)
    sampler = "max_weight(contains(findings, 'Hernia'): 20, age > 60: 3, True: 1)"
    done = command("report", sampler, "in.parquet", "--by", "findings")
    assert (done.status, done.err) == (0, "")
    weights = xrays.tql.weights(sampler)
    hernia = pl.Series([("Hernia" in each) for each in xrays["findings"].to_list()])
    line = next(line.split() for line in done.out.splitlines() if line.startswith("Hernia"))
    share, expected = hernia.mean(), weights.filter(hernia).sum() / weights.sum()
    count = f"{expected * xrays.height:,.1f}"
    shares = [f"{share:.2%}", f"{expected:.2%}"]
    assert line == ["Hernia", f"{hernia.sum():,}", *shares, count, "20", f"{expected / share:.3g}"]
    assert done.out == f"{xrays.tql.report('findings', sampler)}\n"
    views = command("report", sampler, "in.parquet", "--by", "view").out.splitlines()
    assert [line.split()[0] for line in views[:3]] == ["view", "PA", "AP"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["age", "--by", "finding"], "unknown column 'finding'"),
        (["age - 50", "--by", "view"], "the sampler gives a negative weight in"),
        (["agee", "--by", "view"], "unknown column 'agee'"),
    ],
)
def test_report_refuses(command: Command, arguments: list[str], message: str) -> None:
    tql_frames.datasets.chest_xray().select("findings", "view", "age").write_parquet("in.parquet")
    done = command("report", arguments[0], "in.parquet", *arguments[1:])
    assert (done.status, done.out) == (1, "")
    assert message in done.err


# --- which files are read --------------------------------------------------------------------------------------------


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


# --- errors and warnings ---------------------------------------------------------------------------------------------


def test_an_error_of_the_text_has_its_caret(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    done = command("sample", "max_weight(agee > 60: 5, true: 1)", "in.parquet", "-o", "out.parquet")
    assert done == (
        1,
        "",
        "tql-frames: unknown column 'agee'\n"
        "  line 1, column 12\n"
        "    max_weight(agee > 60: 5, true: 1)\n"
        "               ^^^^\n"
        "  did you mean 'age'?\n",
    )
    assert command.names() == ["in.parquet"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "max_weight(age > 60"], "the text ends too early"),
        (["sample", "age - 50"], "the sampler gives a negative weight in"),
        (["sample", "max_weight(age > 600: 1)"], "no row can be drawn"),
        (["sample", "age", "--index=view"], "has a column 'view' already, where the original row numbers would go"),
        (["query", "select nosuch"], "unknown column 'nosuch'"),
        (["query", "select id where age > ?"], "  give a --parameter for each `?`, in the order of the text\n"),
        (["query", "select id", "--index=id"], "  give another name, --index=NAME, or leave --index out\n"),
        (["explain", "nosuch"], "unknown column 'nosuch'"),
        (["explain", "age", "--parameter", "1"], "a sampler takes no parameters; a statement does"),
    ],
    ids=words,
)
def test_errors(command: Command, arguments: list[str], message: str) -> None:
    FLAT.write_parquet("in.parquet")
    done = command(*arguments[:2], "in.parquet", *arguments[2:])
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("tql-frames: ")
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_warning_is_a_line(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    done = command("sample", "max_weight(id < 3: 1)", "in.parquet", "--no-replace", "--limit", 5, "-o", "out.parquet")
    message = "5 rows were asked for without replacement, but only 3 have a positive weight"
    assert done == (0, "", f"tql-frames: warning: {message}\n")
    assert pl.read_parquet("out.parquet")["id"].to_list() == [0, 1, 2]


# --- the output ------------------------------------------------------------------------------------------------------


def test_an_existing_file_is_kept(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    Path("out.csv").write_text("kept")
    done = command("sample", "age", "in.parquet", "-o", "out.csv")
    assert done == (1, "", "tql-frames: out.csv exists already; --force replaces it\n")
    assert Path("out.csv").read_text() == "kept"
    assert command("sample", SAMPLER, "in.parquet", "-o", "out.csv", "--force", "--seed", 7) == (0, "", "")
    assert_frame_equal(pl.read_csv("out.csv"), expected(FLAT))
    assert command.names() == ["in.parquet", "out.csv"]


@pytest.mark.parametrize("name", ["in.parquet", "./in.parquet", "link.parquet"])
def test_an_input_is_replaced_only_by_force(command: Command, name: str) -> None:
    FLAT.write_parquet("in.parquet")
    os.symlink("in.parquet", "link.parquet")
    done = command("sample", SAMPLER, "in.parquet", "-o", name)
    assert done == (
        1,
        "",
        f"tql-frames: {name} is one of the inputs; --force replaces it once the result is complete\n",
    )
    assert_frame_equal(pl.read_parquet("in.parquet"), FLAT)
    assert command("sample", SAMPLER, "in.parquet", "-o", name, "-f", "--seed", 7) == (0, "", "")
    assert_frame_equal(pl.read_parquet("in.parquet"), expected(FLAT))
    assert os.readlink("link.parquet") == "in.parquet"


def test_force_does_not_replace_a_file_by_a_failure(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    broken("rotten.parquet")
    Path("out.parquet").write_text("kept")
    assert command("sample", "1", "rotten.parquet", "-o", "out.parquet", "--force").status == 1
    assert Path("out.parquet").read_text() == "kept"
    assert command.names() == ["in.parquet", "out.parquet", "rotten.parquet", "whole.parquet"]


def test_a_file_that_appears_meanwhile_is_kept(command: Command) -> None:
    form = format_named("csv")
    assert form is not None
    with (
        pytest.raises(CommandError, match=re.escape("out.csv exists already; --force replaces it")),
        WholeFile("out.csv", form, Temporaries(), [], replace=False) as output,
    ):
        Path("out.csv").write_text("kept")
        output.write(FLAT.lazy())
    assert Path("out.csv").read_text() == "kept"
    assert command.names() == ["out.csv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch/out.csv", "cannot write nosuch/out.csv: there is no folder "),
        ("folder", "cannot write folder: it is a folder"),
        ("in.parquet/out.csv", "cannot write in.parquet/out.csv: Not a directory"),
        ("o" * 300 + ".csv", ".csv: File name too long"),
    ],
)
def test_an_output_that_cannot_be(command: Command, name: str, message: str) -> None:
    FLAT.write_parquet("in.parquet")
    os.mkdir("folder")
    done = command("sample", "nosuch", "in.parquet", "-o", name)  # found before the sampler is
    assert done.status == 1
    assert message in done.err


def test_a_long_name_has_room_for_its_partial_file(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    name = "ö" * 120 + ".csv"
    assert command("sample", "age", "in.parquet", "-o", name) == (0, "", "")
    assert command.names() == ["in.parquet", name]


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_the_mode_of_the_file_is_that_of_any_other(command: Command, mask: int) -> None:
    FLAT.write_parquet("in.parquet")
    before = os.umask(mask)
    try:
        assert command("sample", "age", "in.parquet", "-o", "out.csv") == (0, "", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat("out.csv").st_mode) == 0o666 & ~mask


def test_a_device_is_written_to_not_replaced(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    assert command("sample", "age", "in.parquet", "-o", os.devnull, "--force") == (0, "", "")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    done = command("sample", "age", "in.parquet", "-o", "/dev/full")
    assert done == (1, "", "tql-frames: cannot write /dev/full: No space left on device\n")


@pytest.mark.parametrize("arguments", [[], ["-o", "-"], ["-o", "/dev/stdout"]], ids=words)
def test_standard_output_is_csv(command: Command, arguments: list[str]) -> None:
    FLAT.write_parquet("in.parquet")
    done = command("sample", SAMPLER, "in.parquet", "--seed", 7, *arguments)
    assert (done.status, done.err) == (0, "")
    assert_frame_equal(pl.read_csv(done.out.encode()), expected(FLAT))


# --- processes -------------------------------------------------------------------------------------------------------

# Signals as a shell in the foreground leaves them, whatever runs the tests; and a terminal to be controlled by, if any.
LAUNCH = """
import os, signal, sys
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_DFL)
{prepare}
os.execv(sys.executable, [sys.executable, "-m", "tql_frames", *sys.argv[1:]])
"""


def arguments_of(*arguments: object, prepare: str = "") -> list[str]:
    return [sys.executable, "-c", LAUNCH.format(prepare=prepare), *map(str, arguments)]


def finished(*arguments: object, prepare: str = "", **options: Any) -> subprocess.CompletedProcess[bytes]:
    line = arguments_of(*arguments, prepare=prepare)
    return subprocess.run(line, capture_output=True, timeout=60, check=False, **options)


@contextlib.contextmanager
def running(*arguments: object, prepare: str = "", **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    with subprocess.Popen(arguments_of(*arguments, prepare=prepare), **streams) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def endless(command: Command) -> list[str]:
    """Files of a query that goes on and on."""
    os.mkdir("in")
    pl.DataFrame({"x": range(100_000)}).write_parquet("in/a.parquet")
    pl.DataFrame({"y": range(100_000)}).write_parquet("in/b.parquet")
    return ["query", ENDLESS, "a=in/a.parquet", "b=in/b.parquet"]


def wait_for(condition: Any, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def partials() -> list[str]:
    return [name for name in os.listdir() if name.endswith(".partial")]


def spooled() -> list[str]:
    """Temporary files of ours; Polars 1.30 makes a folder of its own."""
    return [name for name in os.listdir("spool") if name.startswith("tql-frames")]


def is_writing() -> bool:
    return any(os.path.getsize(name) for name in partials())


@pytest.mark.parametrize(
    ("number", "word"),
    [(signal.SIGINT, b"interrupted"), (signal.SIGTERM, b"terminated")],
)
def test_a_signal_leaves_nothing_behind(endless: list[str], number: int, word: bytes) -> None:
    with running(*endless, "-o", "out.ndjson") as process:
        wait_for(is_writing, process)
        assert [name for name in os.listdir() if name.startswith("out")] == []
        time.sleep(0.6)  # a progress bar would be there by now
        begin = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
        assert time.monotonic() - begin < 5
        assert process.stderr and process.stderr.read() == b"tql-frames: " + word + b"\n"
    assert os.listdir() == ["in"]


def test_a_killed_process_leaves_no_result(endless: list[str], command: Command) -> None:
    with running(*endless, "-o", "out.ndjson") as process:
        wait_for(is_writing, process)
        process.kill()
        process.wait(timeout=30)
    assert not os.path.exists("out.ndjson")
    assert command("query", "select x limit 1", "in/a.parquet", "-o", "out.ndjson") == (0, "", "")
    assert len(partials()) <= 1  # of the killed process; it is in nobody's way


def test_nobody_reads_the_output(endless: list[str]) -> None:
    with running(*endless) as process:
        assert process.stdout and process.stderr
        assert process.stdout.read(2) == b"z\n"
        process.stdout.close()
        assert process.wait(timeout=30) == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_standard_input_to_standard_output(command: Command, form: str) -> None:
    WRITE[f".{form}"](FLAT, "in")
    options = ["--input-format", form, "--output-format", form, "--seed", "7"]
    os.mkdir("spool")
    with open("in", "rb") as source:
        done = finished("sample", SAMPLER, "-", *options, stdin=source, env=os.environ | {"TMPDIR": "spool"})
    assert (done.returncode, done.stderr) == (0, b"")
    Path("out").write_bytes(done.stdout)
    assert_frame_equal(READ[f".{form}"]("out"), expected(FLAT))
    assert spooled() == []


def test_an_interrupted_standard_input_is_removed(command: Command) -> None:
    os.mkdir("spool")
    environment = os.environ | {"TMPDIR": "spool"}
    with running("sample", "w", "-", stdin=subprocess.PIPE, env=environment) as process:
        assert process.stdin and process.stderr
        process.stdin.write(b"w\n1\n" * 100_000)
        process.stdin.flush()
        wait_for(spooled, process)
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
        assert process.stderr.read() == b"tql-frames: terminated\n"
    assert os.listdir("spool") == []


def test_a_pipe_with_a_name_is_read(command: Command) -> None:
    os.mkfifo("pipe")
    FLAT.write_csv("in.csv")
    with running("sample", SAMPLER, "pipe", "--seed", "7", "-o", "out.parquet") as process:
        Path("pipe").write_bytes(Path("in.csv").read_bytes())
        assert process.wait(timeout=30) == 0
    assert_frame_equal(pl.read_parquet("out.parquet"), expected(FLAT))


def test_a_limit_on_the_size_of_files(endless: list[str]) -> None:
    prepare = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))"
    done = finished(*endless, "-o", "out.csv", prepare=prepare)
    message = b"tql-frames: cannot write out.csv: File too large\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)
    assert os.listdir() == ["in"]


@cache
def mounts() -> bool:
    """Whether this process may mount file systems, in a space of its own."""
    if not shutil.which("unshare"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", folder]
        return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def mounted(mount: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command beside a file system of its own, and list what is there afterwards."""
    if not mounts():
        pytest.skip("only root may mount a file system")
    script = f'{mount} && "$@"; status=$?; ls -A disk; exit $status'
    line = ["unshare", "--mount", "sh", "-c", script, "sh", *arguments_of(*arguments)]
    return subprocess.run(line, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet", ".arrow"])
def test_a_full_disk(endless: list[str], suffix: str) -> None:
    os.mkdir("disk")
    done = mounted("mount -t tmpfs -o size=200k none disk", *endless, "-o", f"disk/out{suffix}")
    message = f"tql-frames: cannot write disk/out{suffix}: No space left on device\n".encode()
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_disk_that_is_full_at_the_end(command: Command, suffix: str) -> None:
    os.mkdir("disk")
    FLAT.write_parquet("in.parquet")
    arguments = ["sample", SAMPLER, "in.parquet", "--seed", "7", "--limit", "5000", "-o"]
    assert command(*arguments, f"whole{suffix}").status == 0
    pages = -(-os.path.getsize(f"whole{suffix}") // os.sysconf("SC_PAGE_SIZE"))
    size = (pages - 1) * os.sysconf("SC_PAGE_SIZE")
    done = mounted(f"mount -t tmpfs -o size={size} none disk", *arguments, f"disk/out{suffix}")
    message = f"tql-frames: cannot write disk/out{suffix}: No space left on device\n".encode()
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)


# Root, too, is bound by permission bits without these two capabilities; nobody else has them to drop.
BOUND = "import ctypes; [ctypes.CDLL(None).prctl(24, each, 0, 0, 0) for each in (1, 2)]"


@pytest.mark.skipif(sys.platform != "linux", reason="drops capabilities of Linux")
def test_permissions(endless: list[str]) -> None:
    os.mkdir("closed", 0o500)
    done = finished(*endless, "-o", "closed/out.csv", prepare=BOUND)
    message = b"tql-frames: cannot write closed/out.csv: Permission denied\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)
    os.chmod("in/b.parquet", 0o000)
    done = finished(*endless, "-o", "out.csv", prepare=BOUND)
    message = b"tql-frames: cannot read in/b.parquet: Permission denied\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)
    assert sorted(os.listdir()) == ["closed", "in"]


def test_a_read_only_file_system(endless: list[str]) -> None:
    os.mkdir("disk")
    done = mounted("mount -t tmpfs -o ro none disk", *endless, "-o", "disk/out.csv")
    message = b"tql-frames: cannot write disk/out.csv: Read-only file system\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)


# --- terminals -------------------------------------------------------------------------------------------------------


class Terminal:
    """A terminal of 80 columns, and what was written to it."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.seen = ""
        termios = importlib.import_module("termios")
        termios.tcsetwinsize(self.slave, (24, 80))

    def until(self, pattern: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, self.seen
            self.read(0.1)

    def read(self, seconds: float) -> None:
        while select.select([self.master], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.master, 1 << 16).decode()
            except OSError:  # the last writer is gone
                return
            seconds = 0

    def close(self) -> None:
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    found = Terminal()
    yield found
    found.close()


BAR = r"\r\x1b\[Kworking  \d+\.\d s"
CONTROLLED = "import fcntl, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0)"


def test_a_terminal_shows_the_progress_until_control_c(endless: list[str], terminal: Terminal) -> None:
    environment = os.environ | {"TERM": "xterm"}
    controlled: dict[str, Any] = {"stderr": terminal.slave, "start_new_session": True, "env": environment}
    with running(*endless, "-o", "out.csv", prepare=CONTROLLED, **controlled) as process:
        terminal.until(rf"(?s){BAR}.*{BAR}.*{BAR}")
        os.write(terminal.master, b"\x03")
        assert process.wait(timeout=30) == 128 + signal.SIGINT
        terminal.read(0.5)
    assert re.search(r"working  \d+\.\d s(\^C)?\r\x1b\[Ktql-frames: interrupted\r\n$", terminal.seen)
    times = [float(each) for each in re.findall(r"working  (\d+\.\d) s", terminal.seen)]
    assert times[0] >= 0.5
    assert len(times) <= (times[-1] - 0.4) * 10 + 1
    assert os.listdir() == ["in"]


def test_quiet_work_shows_none(endless: list[str], terminal: Terminal) -> None:
    environment = os.environ | {"TERM": "xterm"}
    with running(*endless, "--quiet", "-o", "out.csv", stderr=terminal.slave, env=environment) as process:
        wait_for(is_writing, process)
        time.sleep(0.8)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=30) == 128 + signal.SIGHUP
    terminal.read(0.5)
    assert terminal.seen == "tql-frames: terminated\r\n"


def test_the_bar_knows_numbers(terminal: Terminal) -> None:
    with os.fdopen(os.dup(terminal.slave), "w", encoding="utf-8") as stream:
        progress = Progress(stream, shown=True)
        progress("counting", 12_400_000, 20_000_000)
        progress.draw()
        terminal.read(0.6)
        assert terminal.seen == ""
        for _ in range(100):
            progress.draw()
        terminal.read(0.2)
        assert re.fullmatch(
            r"\r\x1b\[Kcounting rows  ███████▍       62%  12\.4 M of 20\.0 M rows  \d\.\d s", terminal.seen
        )
        progress("fetching", 1234, None)
        time.sleep(0.11)
        progress.draw()
        terminal.until(r"\r\x1b\[Kfetching rows  1\.2 k rows  \d\.\d s$", 1)
        progress.erase()
        terminal.until(r" s\r\x1b\[K$", 1)
        progress.hide()
        time.sleep(0.2)
        progress.draw()
        terminal.read(0.1)
        assert terminal.seen.endswith(" s\r\x1b[K")


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (("counting", 0, 20_000), "counting rows                  0%  0 of 20.0 k rows  1.0 s"),
        (("counting", 20_000, 20_000), "counting rows  ████████████  100%  20.0 k of 20.0 k rows  1.0 s"),
        (("counting", 30_000, 20_000), "counting rows  ████████████  100%  30.0 k of 20.0 k rows  1.0 s"),
        (("counting", 0, 0), "counting rows  1.0 s"),
        (("writing", 999_999, None), "writing rows  1.0 M rows  1.0 s"),
        (("writing", 5_000_000_000_000, None), "writing rows  5000.0 G rows  1.0 s"),
    ],
)
def test_lines_of_the_bar(state: tuple[str, int, int | None], line: str) -> None:
    progress = Progress(shown=False)
    progress(*state)
    assert progress.line(1.0) == line


def test_a_terminal_that_knows_no_blocks(tmp_path: Path) -> None:
    with open(tmp_path / "tty", "w", encoding="ascii") as stream:
        progress = Progress(stream, shown=False)
        progress("counting", 1, 2)
        assert progress.line(1.0) == "counting rows  ######......   50%  1 of 2 rows  1.0 s"


def test_a_terminal_gets_a_table(command: Command, terminal: Terminal) -> None:
    FLAT.write_parquet("in.parquet")
    os.mkdir("spool")
    environment = os.environ | {"TMPDIR": "spool"}
    with running("sample", SAMPLER, "in.parquet", "--seed", "7", stdout=terminal.slave, env=environment) as process:
        assert process.wait(timeout=60) == 0
        assert process.stderr and process.stderr.read() == b""
    terminal.until(r"500 rows, 5 columns; the first 10\r\n$")
    first = expected(FLAT).head(10)
    with pl.Config(tbl_hide_dataframe_shape=True, tbl_width_chars=80, tbl_rows=10):
        assert terminal.seen.replace("\r\n", "\n").startswith(f"{first}\n")
    assert spooled() == []


def test_a_terminal_gets_no_binary(command: Command, terminal: Terminal) -> None:
    FLAT.write_parquet("in.parquet")
    with running("sample", "age", "in.parquet", "--output-format", "parquet", stdout=terminal.slave) as process:
        assert process.wait(timeout=60) == 1
        message = b"tql-frames: parquet is not for a terminal: write to a file, -o FILE, or to a pipe\n"
        assert process.stderr and process.stderr.read() == message
    terminal.read(0.2)
    assert terminal.seen == ""


# --- help ------------------------------------------------------------------------------------------------------------


def test_version(command: Command) -> None:
    assert command("--version") == (0, f"tql-frames {tql_frames.__version__} (Polars {pl.__version__})\n", "")


def test_help_names_the_commands(command: Command) -> None:
    done = command("--help")
    assert done.status == 0
    for each in COMMANDS:
        assert re.search(rf"^ +{each.name} +{each.summary}$"[:60], done.out, re.MULTILINE)


@pytest.mark.parametrize("name", [each.name for each in COMMANDS])
def test_help_has_examples_that_are_right(command: Command, name: str) -> None:
    done = command(name, "--help")
    assert (done.status, done.err) == (0, "")
    examples = done.out.split("examples:\n")[1].split("\n\n")[0].replace("\\\n", " ")
    lines = [line.strip() for line in examples.splitlines()]
    assert lines
    for line in lines:
        arguments = shlex.split(re.sub(r"^.*?(?=tql-frames)| > [\w.]+$|\| head$", "", line))[1:]
        options = parser_for(COMMANDS, "").parse_args(arguments)
        assert options.command.name == name
        if name in ("balance", "split"):  # which take no text
            continue
        text = options.sampler if name in ("sample", "report") else options.text
        with contextlib.suppress(tql_frames.TQLNameError):  # its columns and frames are not there
            api.explain(pl.DataFrame({"x": [1]}), text, getattr(options, "parameters", None))


def test_the_project_installs_the_command() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, function = project["scripts"]["tql-frames"].split(":")
    assert getattr(importlib.import_module(module), function) is main
