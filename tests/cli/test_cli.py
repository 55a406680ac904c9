"""The command: files in, a file out, and every way it can end, with real signals, full disks and terminals.

Most tests call `main` in this process; those of signals, pipes, terminals and disks start the command.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import json
import os
import re
import shlex
import shutil
import stat
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.cli.commands import FLAT, NESTED, NESTING, READ, SAMPLER, WRITE, Command, expected, words
from tests.cli.test_cli_inputs import broken
from tql_frames import api
from tql_frames.cli import main
from tql_frames.cli.arguments import parser_for
from tql_frames.cli.commands import COMMANDS
from tql_frames.cli.formats import format_named
from tql_frames.cli.output import Temporaries, WholeFile
from tql_frames.cli.terminal import CommandError


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
    assert reports[0] == f"{tql_frames.report(pl.read_parquet('in.parquet'), sampler, by='age', seed=3)}\n"


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
        (["in.csv", "--input-format", "xls"], "expected one of parquet, csv, tsv, arrow, ndjson"),
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
        (["--limit", "-1"], "argument --limit: expected a whole number of at least 0, got '-1'"),
        (["--limit", "many"], "argument --limit: expected a whole number of at least 0, got 'many'"),
        (["--fraction", "nan"], "argument --fraction: expected a number of at least 0, got 'nan'"),
        (["--seed", "1.5"], "argument --seed: expected a whole number of at least 0, got '1.5'"),
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


def test_parameters_of_samplers(command: Command) -> None:
    NESTED.write_parquet("in.parquet")
    text, plain = "max_weight(age > ?: ?, True: 1)", "max_weight(age > 60: 5, True: 1)"
    given = ["--parameter", "60", "--parameter", "5"]
    for name, rest in (
        ("sample", ["--seed", "7", "--output-format", "ndjson"]),
        ("report", ["--by", "id", "--limit", "5"]),
        ("explain", []),
    ):
        done = command(name, text, "in.parquet", *rest, *given)
        assert (done.status, done.err) == (0, "")
        assert done.out.replace("?: ?", "60: 5") == command(name, plain, "in.parquet", *rest).out
    balance = ["balance", "in.parquet", "--by", "id", "--target"]
    done = command(*balance, "age > ?=0.3", "--parameter", "60")
    assert (done.status, done.err) == (0, "")
    assert done.out == command(*balance, "age > 60=0.3").out
    done = command("sample", text, "in.parquet", "--parameter", "60")
    assert done.status == 1
    assert "give a --parameter for each `?`" in done.err


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
    assert done.out == f"{xrays.tql.report(sampler, by='findings')}\n"
    views = command("report", sampler, "in.parquet", "--by", "view").out.splitlines()
    assert [line.split()[0] for line in views[:3]] == ["view", "PA", "AP"]


@pytest.mark.parametrize(
    ("options", "meaning"),
    [
        (["--limit", "500", "--no-replace"], {"limit": 500, "replace": False}),
        (
            ["--fraction", "0.01", "--no-replace", "--design", "poisson"],
            {"fraction": 0.01, "replace": False, "design": "poisson"},
        ),
        (["--limit", "500", "--design", "systematic"], {"limit": 500, "design": "systematic"}),
        (["--over", "view", "--quota", "PA=90", "--quota", "AP=10"], {"over": "view", "limit": {"PA": 90, "AP": 10}}),
        (["--unit", "view", "--limit", "1", "--no-replace"], {"unit": "view", "limit": 1, "replace": False}),
    ],
)
def test_report_of_a_request(command: Command, options: list[str], meaning: dict[str, Any]) -> None:
    xrays = tql_frames.datasets.chest_xray().select("findings", "view", "age").head(20_000)
    xrays.write_parquet("in.parquet")
    done = command("report", "age", "in.parquet", "--by", "findings", *options)
    assert done == (0, f"{xrays.tql.report('age', by='findings', **meaning)}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["age", "--by", "finding"], "unknown column 'finding'"),
        (["age - 50", "--by", "view"], "the sampler returns a negative weight in"),
        (["agee", "--by", "view"], "unknown column 'agee'"),
        (["age", "--by", "view", "--design", "poisson"], "--design poisson draws a row at most once"),
    ],
)
def test_report_refuses(command: Command, arguments: list[str], message: str) -> None:
    tql_frames.datasets.chest_xray().select("findings", "view", "age").write_parquet("in.parquet")
    done = command("report", arguments[0], "in.parquet", *arguments[1:])
    assert (done.status, done.out) == (1, "")
    assert message in done.err


def test_columns_of_a_label_each(command: Command) -> None:
    xrays = tql_frames.datasets.chest_xray().head(5_000).select("age", "findings")
    names = ["Mass", "Edema"]
    frame = xrays.with_columns(pl.col("findings").list.contains(name).cast(pl.Int8).alias(name) for name in names)
    frame.drop("findings").write_parquet("in.parquet")
    done = command("report", "age", "in.parquet", "--by", "Mass", "--by", "Edema")
    assert done == (0, f"{frame.tql.report('age', by=names)}\n", "")
    done = command("balance", "in.parquet", "--by", "Mass", "--by", "Edema", "--target", "Edema=0.1")
    assert done == (0, f"{frame.tql.balance(names, {'Edema': 0.1})}\n", "")
    found = command("balance", "in.parquet", "--by", "Mass", "--by", "Edema", "--json")
    assert json.loads(found.out)["by"] == names
    done = command("report", "age", "in.parquet", "--by", "Mass", "--by", "age")
    assert done.status == 1 and "expected 1 or 0 in column 'age' of --by, got" in done.err
    done = command("report", "age", "in.parquet", "--by", "Mass", "--by", "Edema", "--split", "|")
    assert done.status == 2 and "--split needs the name of a column" in done.err


def test_a_sample_of_no_rows_cannot_be_balanced(command: Command) -> None:
    FLAT.write_parquet("in.parquet")
    done = command("balance", "in.parquet", "--by", "view", "--limit", 0, "--no-replace")
    assert (done.status, done.out) == (1, "")
    assert done.err.endswith("\n  pass a greater --limit or --fraction\n")


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
        (["sample", "age - 50"], "the sampler returns a negative weight in"),
        (["sample", "max_weight(age > 600: 1)"], "no row can be drawn"),
        (["sample", "age", "--index=view"], "has a column 'view' already, where the original row numbers would go"),
        (["query", "select nosuch"], "unknown column 'nosuch'"),
        (["query", "select id where age > ?"], "  give a --parameter for each `?`, in the order of the text\n"),
        (["query", "select id", "--index=id"], "  give another name, --index=NAME, or leave --index out\n"),
        (["sample", "1", "--key", "id"], "  pass --no-replace, with --design successive (the default) or 'poisson'\n"),
        (["sample", "1", "--design", "poisson"], "--design poisson draws a row at most once\n  pass --no-replace\n"),
        (["sample", "1", "--design", "independent", "--no-replace"], "  leave --no-replace out\n"),
        (["explain", "nosuch"], "unknown column 'nosuch'"),
        (["explain", "age", "--parameter", "1"], "1 parameters were given, but the text has 0 `?`"),
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
