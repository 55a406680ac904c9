"""The command and text files: cells leave as they came, and every end of a run has one message and the right status."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tql_frames
from tests.cli.commands import WRITE, Command
from tests.processes import Fork
from tests.sizes import FULL, named, paired

CELLS = [
    ["00501", "1.10", "TRUE", " 2.50", "2024-05-01", "12:30", "", "é→Ä", "1e3"],
    ["00502", "2.00", "false", "x ", "2024-5-1", "7:05", "", 'a "b"', "0.1000"],
    ["7", "0.0", "True", "", "n/a", "", "", "two\nlines", "-0"],
    ["+8", "1_000", "FALSE", "NULL", "", "0", "", "a,b;c\td", "NaN"],
]
NAMES = ["id", "price", "flag", "spaces", "day", "time", "none", "text", "number"]


def written(delimiter: str = ",", end: str = "\n", header: bool = True) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
    if header:
        writer.writerow(NAMES)
    writer.writerows(CELLS)
    return file.getvalue()


def rows_of(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@pytest.mark.fault("D1")
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".csv", ";"), (".csv", "|")])
def test_cells_leave_as_they_came(command: Command, suffix: str, delimiter: str, end: str) -> None:
    text = written(delimiter, end)
    Path(f"in{suffix}").write_text(text, encoding="utf-8", newline="")
    given = [] if delimiter in ",\t" else ["--delimiter", delimiter]
    for arguments in (
        ["sample", "1", "--no-replace"],
        ["sample", "max_weight(id = '7': 5, price > 1: 2, true: 1)", "--no-replace"]
        if suffix == ".none"
        else ["sample", "max_weight(flag: 5, true: 1)", "--no-replace"],
        ["query", "select *"],
        ["query", "select * where id != 'x' order by id"],
    ):
        done = command(*arguments, f"in{suffix}", *given, "-o", f"out{suffix}", "--force")
        assert done == (0, "", "")
        found = Path(f"out{suffix}").read_bytes().decode()
        assert sorted(rows_of(found, delimiter)) == sorted([NAMES, *CELLS])


@pytest.mark.fault("D1")
def test_empty_and_quoted_empty_stay_apart(command: Command) -> None:
    text = 'id,e,n\n001,"",1\n002,,2\n'
    Path("in.csv").write_text(text)
    assert command("sample", "n", "in.csv", "--limit", 0).out == "id,e,n\n"
    assert command("sample", "1", "in.csv", "--no-replace").out == text
    assert command("query", "select * where n > 0", "in.csv").out == text


def test_the_same_rows_are_drawn_as_of_typed_files(command: Command) -> None:
    frame = pl.DataFrame({"id": range(300), "w": [i % 7 + 0.5 for i in range(300)]})
    frame.write_csv("a.csv")
    frame.write_parquet("a.parquet")
    for options in ([], ["--order", "draw"], ["--no-replace", "--fraction", "0.2"], ["--index=row"]):
        text = command("sample", "w", "a.csv", "--seed", 3, *options)
        assert (text.status, text.err) == (0, "")
        assert text.out == command("sample", "w", "a.parquet", "--seed", 3, *options).out
    for statement in (
        "select id, w where w > 2 sample by w limit 50",
        "select w as weight, id order by w desc, id limit 9",
        "select id, w * 2 as double where w < 2",
        "select w[0] as w, shape(id)[0] as n group by w order by w",
    ):
        text = command("query", statement, "a.csv", "--seed", 3)
        assert (text.status, text.err) == (0, "")
        assert text.out == command("query", statement, "a.parquet", "--seed", 3).out


@pytest.mark.fault("D1")
@pytest.mark.parametrize("text", ["select id, price where flag", "select price as p, id order by number limit 3"])
def test_columns_that_a_query_passes_on_stay_as_they_are(command: Command, text: str) -> None:
    Path("in.csv").write_text("id,price,flag,number\n00501,1.10,TRUE,1\n00502,2.00,true,2\n")
    done = command("query", text, "in.csv")
    assert (done.status, done.err) == (0, "")
    assert "00501" in done.out
    assert "1.10" in done.out
    assert "2.00" in done.out


@pytest.mark.fault("D1")
def test_types_of_parquet_are_as_told(command: Command) -> None:
    Path("in.csv").write_text("id,price,age,flag\n00501,1.10,5,TRUE\n7,2.00,6,false\n")

    def schema(*options: str) -> dict[str, Any]:
        done = command("sample", "1", "in.csv", "-o", "out.parquet", "--force", "--no-replace", *options)
        assert done == (0, "", "")
        return dict(pl.read_parquet("out.parquet").schema)

    guessed = {"id": pl.String, "price": pl.Float64, "age": pl.Int64, "flag": pl.Boolean}
    assert schema() == guessed
    assert pl.read_parquet("out.parquet")["id"].to_list() == ["00501", "7"]
    assert schema("--types", "price=Utf8,age=Int16") == guessed | {"price": pl.String, "age": pl.Int16}
    assert schema("--text") == dict.fromkeys(guessed, pl.String)
    assert schema("--text", "--types", "age=float64") == dict.fromkeys(guessed, pl.String) | {"age": pl.Float64}
    assert schema("--types", "id=Int64") == guessed | {"id": pl.Int64}


@pytest.mark.fault("D1")
@pytest.mark.parametrize(
    ("option", "status", "message"),
    [
        (["--types", "nosuch=Utf8"], 2, "--types names no column of in.csv: 'nosuch'"),
        (["--types", "id=Thing"], 2, "expected NAME=TYPE, where TYPE is one of"),
        (["--types", "id=Int64"], 1, "cannot read in.csv: could not parse `x` as dtype `i64` at column 'id'"),
        (["--delimiter", ";;"], 2, "expected one ASCII character, or \\t, got ';;'"),
        (["--delimiter", ""], 2, "expected one ASCII character, or \\t, got ''"),
    ],
)
def test_wrong_types_and_delimiters(command: Command, option: list[str], status: int, message: str) -> None:
    Path("in.csv").write_text("id,w\nx,1\n")
    done = command("sample", "w", "in.csv", "-o", "out.parquet", *option)
    assert done.status == status
    assert message in done.err
    assert not os.path.exists("out.parquet")


# --- partitions ------------------------------------------------------------------------------------------------------


@pytest.mark.fault("D2")
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    "names",
    [["r/**/*.parquet"], ["r/*/*.parquet"], ["r/year=*/0.parquet"], ["r/year=2023/0.parquet", "r/year=2024/0.parquet"]],
    ids=" ".join,
)
def test_folders_are_columns_by_glob_too(command: Command, names: list[str], absolute: bool) -> None:
    for year in (2023, 2024):
        os.makedirs(f"r/year={year}")
        pl.DataFrame({"id": [year * 10, year * 10 + 1]}).write_parquet(f"r/year={year}/0.parquet")
    given = [os.path.abspath(name) if absolute else name for name in names]
    done = command("query", "select * order by id", *given)
    assert done == command("query", "select * order by id", "r")
    assert done.out == "id,year\n20230,2023\n20231,2023\n20240,2024\n20241,2024\n"
    assert command("sample", "max_weight(year = 2024: 1)", *given, "--limit", 1).out.endswith(",2024\n")


@pytest.mark.fault("D2")
@pytest.mark.parametrize(
    ("suffix", "names"),
    paired(
        [".csv", ".tsv", ".csv.gz", ".ndjson", ".arrow"],
        [["r[1]"], ["r[[]1]/**/*.*"], ["r[[]1]/*/p.*"], ["{}", "{}"]],
        each=2,
    ),
    ids=named,
)
def test_folders_are_columns_of_every_format(command: Command, names: list[str], suffix: str) -> None:
    for place, (year, ward) in enumerate([("2023", "a%2Cb"), ("2024", "__HIVE_DEFAULT_PARTITION__")]):
        os.makedirs(f"r[1]/year={year}/ward={ward}")
        part, path = pl.DataFrame({"id": [place * 10, place * 10 + 1]}), f"r[1]/year={year}/ward={ward}/p{suffix}"
        if suffix == ".csv.gz":
            Path(path).write_bytes(gzip.compress(part.write_csv().encode()))
        else:
            WRITE[suffix](part, path)
    found = sorted(str(each) for each in Path("r[1]").rglob("*.*"))
    given = [name.format(path) for name, path in zip(names, found, strict=False)]
    given = [name.replace("*/p", "*/*/p") for name in given]
    done = command("sample", "max_weight(year = 2024: 1)", *given, "--limit", 2, "--no-replace")
    assert (done.status, done.err) == (0, "")
    assert sorted(done.out.splitlines()[0].split(",")) == ["id", "ward", "year"]
    assert command("query", "select id, year, ward", *given).out == (
        'id,year,ward\n0,2023,"a,b"\n1,2023,"a,b"\n10,2024,\n11,2024,\n'
    )
    assert command("sample", "max_weight(ward is null: 1)", *given, "-o", "out.parquet").status == 0
    assert pl.read_parquet("out.parquet").schema["year"] == pl.Int64
    assert command("report", "1", *given, "--by", "ward").status == 0


@pytest.mark.fault("D2")
def test_folders_have_types_as_asked(command: Command) -> None:
    for month in ("05", "11"):
        os.makedirs(f"r/month={month}")
        Path(f"r/month={month}/p.csv").write_text("id\n1\n")
    assert command("query", "select *", "r/*/p.csv").out == "id,month\n1,05\n1,11\n"
    assert command("query", "select month where month = 5", "r/*/p.csv").out == "month\n05\n"
    assert command("query", "select month where month = '05'", "r", "--types", "month=Utf8").out == "month\n05\n"
    assert command("query", "select month where month = '05'", "r", "--text").out == "month\n05\n"
    done = command("query", "select *", "r", "--types", "month=Date")
    assert (done.status, done.err) == (1, "tql-frames: --types: a folder month=… is no Date\n")


# --- text files of other kinds ---------------------------------------------------------------------------------------


@pytest.mark.fault("D6")
@pytest.mark.parametrize(
    "sampler", ["w", "w * 2", "max_weight(w > 3: 5, t = 'x': 3)", "max_weight(contains(t, 'a'): 2)"]
)
@pytest.mark.parametrize("output", ["csv", "parquet"])
def test_no_rows_give_no_rows(command: Command, sampler: str, output: str) -> None:
    Path("in.csv").write_text("w,t\n")
    done = command("sample", sampler, "in.csv", "-o", f"out.{output}")
    assert done == (0, "", "")
    found = pl.read_csv("out.csv") if output == "csv" else pl.read_parquet("out.parquet")
    assert found.columns == ["w", "t"]
    assert found.height == 0
    assert command("query", "select t where w > 3", "in.csv") == (0, "t\n", "")


@pytest.mark.fault("D6")
def test_delimiters_and_texts_without_a_value(command: Command) -> None:
    Path("in.csv").write_text("w;t\n1,5;NA\nNA;a\n2;b\n-;c\n".replace("1,5", "1.5"))
    given = ["in.csv", "--delimiter", ";", "--null-value", "NA", "--null-value", "-"]
    done = command("sample", "w", *given, "--limit", 9, "--seed", 1)
    assert (done.status, done.err) == (0, "")
    assert set(done.out.splitlines()) == {"w;t", "1.5;NA", "2;b"}
    assert command("sample", "w", *given, "-o", "out.parquet").status == 0
    assert pl.read_parquet("out.parquet").schema == {"w": pl.Float64, "t": pl.String}
    assert command("query", "select t where w is null", *given).out == "t\na\nc\n"


@pytest.mark.fault("D6")
@pytest.mark.parametrize("by_stdin", [False, True])
@pytest.mark.parametrize("given", [("", []), ("NA", ["--null-value", "NA"])], ids=["empty", "NA"])
def test_a_column_without_values_is_null(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[str, list[str]],
    by_stdin: bool,
) -> None:
    text = f"a,w\n1,{given[0]}\n2,{given[0]}\n"
    Path("in.csv").write_text(text)
    file = ["-" if by_stdin else "in.csv", *given[1]]

    def run(*arguments: object) -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return command(*arguments)

    for arguments in (
        ["sample", "w"],
        ["sample", "w * 2"],
        ["report", "w", "--by", "a"],
        ["query", "select * sample by w"],
    ):
        done = run(*arguments[:2], *file, *arguments[2:])
        assert done.status == 1
        assert "no row can be drawn: the weight is 0 in all 2 rows" in done.err
    done = run("sample", "max_weight(w > 1: 5, a = 2: 1)", *file, "--limit", 1)
    assert done.out.splitlines()[1:] == [f"2,{given[0]}"]
    assert "2 rows, 0 of positive weight" in run("explain", "w", *file).out
    assert run("query", "select a where w is null", *file).out == "a\n1\n2\n"
    assert "no label" in run("report", "true", *file, "--by", "w").out
    assert "max_weight(w is null: 1)" in run("balance", *file, "--by", "w").out


@pytest.mark.fault("D6")
def test_a_column_that_is_filled_late_has_the_type_of_its_values(command: Command) -> None:
    Path("in.csv").write_text("a,w,code,none\n" + "1,,,\n" * 5 + "2,3.5,007,\n")
    given = ["in.csv", "--infer-rows", 3, "--limit", 1]
    assert command("sample", "w", *given).out.splitlines()[1:] == ["2,3.5,007,"]
    assert command("sample", "w", *given, "-o", "out.parquet").status == 0
    found = pl.read_parquet("out.parquet")
    assert found.schema == {"a": pl.Int64, "w": pl.Float64, "code": pl.String, "none": pl.String}
    assert found.rows() == [(2, 3.5, "007", None)]


@pytest.mark.fault("D1")
@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
def test_numbers_that_begin_with_a_zero_late(command: Command, suffix: str) -> None:
    rows = "".join(f"{place},1,1.5\n" for place in range(1, 21))
    Path("in.csv").write_text(f"id,w,f\n{rows}00501,2,-01.5\n")
    given = ["in.csv", "--infer-rows", 10, "-o", f"out.{suffix}", "--force"]
    calls: list[list[object]] = [["sample", "max_weight(w = 2: 1)", "--limit", 1], ["query", "select * where w = 2"]]
    for call in calls:
        done = command(*call, *given)
        if suffix == "csv":
            assert Path("out.csv").read_text() == "id,w,f\n00501,2,-01.5\n"
            continue
        assert done.status == 1
        assert "column 'id' has numbers in its first 10 rows and '00501' later, which would lose its zeros" in done.err
        assert "--types id=Utf8 keeps the column as text, id=Int64 or id=Float64 reads numbers" in done.err
        assert not Path(f"out.{suffix}").exists()
        assert command(*call, *given, "--types", "id=Utf8,f=Float64").status == 0
        found = {"ndjson": pl.read_ndjson, "parquet": pl.read_parquet}[suffix](f"out.{suffix}")  # type: ignore[operator]
        assert found.rows() == [("00501", 2, -1.5)]
        os.remove(f"out.{suffix}")
    assert command("query", "select w where w = 2", *given).status == 0  # the others do not matter then
    assert command("query", "select id, id + 1 as more", *given).status == 1
    assert command("sample", "id", *given[:1], "--infer-rows", "all").status == 1  # text is not a weight


@pytest.mark.fault("D6")
def test_files_without_a_header(command: Command) -> None:
    Path("in.csv").write_text("1,a\n0,b\n3,c\n")
    first, second = pl.read_csv("in.csv", has_header=False).columns  # which differ between versions of Polars
    done = command("sample", first, "in.csv", "--no-header", "--no-replace", "--limit", 2)
    assert done == (0, "1,a\n3,c\n", "")
    text = f"select {second} where {first} > 1"
    done = command("query", text, "in.csv", "--no-header", "--output-format", "ndjson")
    assert done == (0, f'{{"{second}":"c"}}\n', "")


# --- how a run ends --------------------------------------------------------------------------------------------------


def with_output(*arguments: object, anew: bool = FULL, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command: under `make test` in a fork of a loaded process, unless a new one is asked for."""
    if not anew:
        with contextlib.closing(Fork([*map(str, arguments)], stderr=subprocess.PIPE, **options)) as process:
            return subprocess.CompletedProcess([], process.wait(), *process.output())
    return subprocess.run(  # noqa: PLW1510
        [sys.executable, "-m", "tql_frames", *map(str, arguments)], stderr=subprocess.PIPE, timeout=60, **options
    )


RUNS = """
import json, sys
from tql_frames.cli import main
for arguments in json.loads(sys.argv[1]):
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code
    for stream in (sys.stdout, sys.stderr):
        print("ended", status, file=stream, flush=True)
"""


def in_one_process(runs: list[list[str]], *, anew: bool = True, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command several times in one process, which says `ended STATUS` after each on both its outputs."""
    if not anew:
        fork = Fork([json.dumps(runs)], prepare=f"{RUNS}\nsys.exit()", stderr=subprocess.PIPE, **options)
        with contextlib.closing(fork) as process:
            return subprocess.CompletedProcess([], process.wait(), *process.output())
    line = [sys.executable, "-c", RUNS, json.dumps(runs)]
    return subprocess.run(line, stderr=subprocess.PIPE, timeout=60, **options)  # noqa: PLW1510


@pytest.mark.fault("D4")
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1"])
def test_any_standard_output_takes_an_explanation(tmp_path: Path, encoding: str) -> None:
    pl.DataFrame({"age": [1, 2], "é": ["a", "→"]}).write_parquet(tmp_path / "in.parquet")
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    file = str(tmp_path / "in.parquet")
    runs = [
        ["explain", "max_weight(age > 1: 5, é = 'a': 2, true: 1)", file],
        ["report", "age", file, "--by", "é"],
        ["sample", "--help"],
    ]
    done = in_one_process(runs, anew=FULL or encoding == "ascii", stdout=subprocess.PIPE, env=environment)
    assert (done.returncode, done.stderr.decode().split()) == (0, ["ended", "0"] * len(runs))
    explained, report, usage = done.stdout.decode(encoding).replace("\r", "").split("ended 0\n")[:-1]
    assert report.strip()
    assert usage.startswith("usage: tql-frames sample")
    if encoding != "cp437":
        assert re.search(r"^\+- age > 1: 5$", explained, re.MULTILINE)
        assert re.search(r"^`- true: 1$", explained, re.MULTILINE)


@pytest.mark.fault("D7")
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("name", ["sample", "explain", "report", "query", "--help"])
def test_a_full_disk_is_told_once(tmp_path: Path, name: str) -> None:
    pl.DataFrame({"w": [1, 2]}).write_parquet(tmp_path / "in.parquet")
    text = "select w" if name == "query" else "w"
    rest = [] if name == "--help" else [text, tmp_path / "in.parquet", *(["--by", "w"] if name == "report" else [])]
    with open("/dev/full", "wb") as full:
        done = with_output(name, *rest, anew=FULL or name == "sample", stdout=full)
    message = b"tql-frames: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, message)


@pytest.mark.fault("D7")
@pytest.mark.skipif(sys.platform == "win32", reason="closes a descriptor as a shell does")
@pytest.mark.parametrize("name", ["sample", "explain", "report"])
def test_a_closed_standard_output_is_an_error(tmp_path: Path, name: str) -> None:
    pl.DataFrame({"w": [1, 2]}).write_parquet(tmp_path / "in.parquet")
    if not FULL and name != "sample":
        rest = ["--by", "w"] if name == "report" else []
        closed = "import os, sys\nos.close(1)\nsys.stdout = sys.__stdout__ = None"  # as Python finds it at its start
        fork = Fork([name, "w", f"{tmp_path}/in.parquet", *rest], prepare=closed, stderr=subprocess.PIPE)
        with contextlib.closing(fork) as process:
            assert (process.wait(), process.output()[1]) == (1, b"tql-frames: standard output is closed\n")
        return
    by = "--by w" if name == "report" else ""
    line = f"{sys.executable} -m tql_frames {name} w {tmp_path}/in.parquet {by} >&-"
    done = subprocess.run(check=False, args=["sh", "-c", line], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"tql-frames: standard output is closed\n")


@pytest.mark.fault("D7")
def test_a_name_of_a_folder_is_no_file(command: Command) -> None:
    pl.DataFrame({"w": [1, 2]}).write_parquet("in.parquet")
    done = command("sample", "w", "in.parquet", "-o", "new.parquet/")
    assert done == (1, "", "tql-frames: cannot write new.parquet/: it is a folder\n")
    assert command.names() == ["in.parquet"]


@pytest.mark.fault("D7")
def test_an_empty_input_is_said_to_be_empty(command: Command) -> None:
    forms = ["arrow", "parquet", "csv", "tsv", "ndjson"]
    for form in forms:
        Path(f"in.{form}").touch()
        done = command("sample", "w", f"in.{form}")
        assert done == (1, "", f"tql-frames: cannot read in.{form}: it is empty\n")
    runs = [["sample", "w", "-", "--input-format", form] for form in forms]
    piped = in_one_process(runs, anew=FULL, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert piped.stdout.decode().splitlines() == ["ended 1"] * len(forms)
    message = "tql-frames: cannot read standard input: it is empty"
    assert piped.stderr.decode().splitlines() == [message, "ended 1"] * len(forms)


@pytest.mark.fault("D7")
@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="looks at what a process has loaded")
def test_an_interrupt_while_loading_is_an_interrupt(tmp_path: Path) -> None:
    pl.DataFrame({"w": [1, 2]}).write_parquet(tmp_path / "in.parquet")
    line = [sys.executable, "-m", "tql_frames", "sample", "w", str(tmp_path / "in.parquet")]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while "polars" not in Path(f"/proc/{process.pid}/maps").read_text(errors="replace"):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, b"tql-frames: interrupted\n")


PANIC = """
import os, signal, sys, time
from tql_frames.cli import commands, main

class Panicking(commands.SampleCommand):
    def run(self, options, job):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.02)
        os.write(2, b"thread 'async-executor-0' panicked at crates/polars-stream/src/lib.rs")
        raise KeyboardInterrupt if sys.argv[1] == "python" else commands.pl.exceptions.PanicException("lost")

commands.COMMANDS[0].__class__.run = Panicking.run
sys.exit(main(["sample", "w", "in.parquet"]))
"""


@pytest.mark.fault("H16")
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("how", ["python", "rust"])
def test_an_interrupt_while_polars_panics_is_an_interrupt(tmp_path: Path, how: str) -> None:
    done = subprocess.run(
        check=False, args=[sys.executable, "-c", PANIC, how], capture_output=True, timeout=60, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"tql-frames: interrupted\n")


# --- balance and JSON ------------------------------------------------------------------------------------------------

LABELS = "id,findings,n\n" + "".join(
    f"{i:03},{('Mass', 'Mass|Edema', '', 'Mass | Hernia')[i % 4]},{i % 5 + 1}\n" for i in range(200)
)


def lists() -> pl.DataFrame:
    frame = pl.read_csv(LABELS.encode())
    parts = [[part.strip() for part in (text or "").split("|") if part.strip()] for text in frame["findings"].to_list()]
    empty = [None if text is None else part for text, part in zip(frame["findings"].to_list(), parts, strict=True)]
    return frame.with_columns(pl.Series("findings", empty, dtype=pl.List(pl.String)))


@pytest.mark.fault("D8")
def test_balance(command: Command) -> None:
    lists().write_parquet("in.parquet")
    options = ["--by", "findings", "--target", "Hernia=0.4", "--keep", "Edema", "--max-weight", "30"]
    balance = lists().tql.balance("findings", {"Hernia": 0.4}, keep=["Edema"], max_weight=30.0)
    done = command("balance", "in.parquet", *options)
    assert done == (0, f"{balance}\n", "")
    assert balance.sampler in done.out
    assert "effective sample size" in done.out
    done = command("balance", "in.parquet", *options, "--json")
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out)["sampler"] == balance.sampler
    assert json.loads(done.out)["price"]
    assert command("balance", "in.parquet", "--by", "findings").out == f"{lists().tql.balance('findings')}\n"


@pytest.mark.fault("D8")
def test_reports_are_json_on_request(command: Command) -> None:
    lists().write_parquet("in.parquet")
    done = command("report", "n", "in.parquet", "--by", "findings", "--json")
    assert (done.status, done.err) == (0, "")
    labels = {each["label"]: each["rows"] for each in json.loads(done.out)["labels"]}
    assert (labels["Mass"], labels["Edema"], labels["Hernia"]) == (150, 50, 50)


@pytest.mark.fault("D8")
@pytest.mark.parametrize("split", ["|", "findings=|"])
def test_labels_in_one_text_are_split(command: Command, split: str) -> None:
    Path("in.csv").write_text(LABELS)
    lists().write_parquet("in.parquet")
    for name, *text in (["report", "n"], ["balance"]):
        for json_too in ([], ["--json"]):
            done = command(name, *text, "in.csv", "--by", "findings", "--split", split, *json_too)
            lists_done = command(name, *text, "in.parquet", "--by", "findings", *json_too)
            assert (done.status, done.err) == (lists_done.status, lists_done.err) == (0, "")
            # Sums may differ in their last digit.
            assert re.sub(r"(\.\d{9})\d+", r"\1", done.out) == re.sub(r"(\.\d{9})\d+", r"\1", lists_done.out)


@pytest.mark.fault("D8")
def test_a_sample_weighs_split_labels_and_keeps_the_text(command: Command) -> None:
    Path("in.csv").write_text(LABELS)
    sampler = "max_weight(contains(findings, 'Edema'): 1)"
    done = command("sample", sampler, "in.csv", "--split", "findings=|", "--limit", 3)
    assert re.fullmatch(r"id,findings,n\n(\d{3},Mass\|Edema,\d\n){3}", done.out)
    assert command("sample", sampler, "in.csv", "--split", "findings=|", "-o", "out.parquet").status == 0
    assert pl.read_parquet("out.parquet")["findings"].unique().to_list() == ["Mass|Edema"]
    done = command("explain", sampler, "in.csv", "--split", "findings=|")
    assert done.out == f"{tql_frames.explain(lists(), sampler)}\n"


@pytest.mark.fault("D8")
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["balance", "in.csv", "--by", "findings", "--target", "Mass"], 2, "expected LABEL=SHARE with a share"),
        (["balance", "in.csv", "--by", "findings", "--target", "Mass=2"], 2, "expected LABEL=SHARE with a share"),
        (["balance", "in.csv", "--by", "nosuch"], 1, "nosuch"),
        (["balance", "in.csv", "--by", "n", "--split", "|"], 1, "--split is for a column of text; 'n' is Int64"),
        (["sample", "n", "in.csv", "--split", "|"], 2, "--split needs the name of a column here"),
        (["report", "n", "in.csv", "--by", "n", "--split", "x=|"], 1, "--split names no column of the table: 'x'"),
    ],
)
def test_wrong_labels(command: Command, arguments: list[str], status: int, message: str) -> None:
    Path("in.csv").write_text(LABELS)
    done = command(*arguments)
    assert (done.status, done.out) == (status, "")
    assert message in done.err
    assert "Traceback" not in done.err
