"""The command `split`: a file for each part, with cells as they stand, all of them or none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.cli.commands import FLAT, NESTED, NESTING, READ, WRITE, Command
from tql_frames.cli import output
from tql_frames.views import create

INTO = ["--into", "train=0.8", "test=0.2"]
SHARES = {"train": 0.8, "test": 0.2}


def people(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(person=pl.col("id") * 7 % 60)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".arrow", ".ndjson"])
def test_parts_are_those_of_the_library_in_the_format_of_the_input(command: Command, suffix: str) -> None:
    frame = people(NESTED.drop("box") if suffix in NESTING else FLAT)
    WRITE[suffix](frame, Path(f"in{suffix}"))
    by = "findings" if suffix in NESTING else "view"
    done = command("split", f"in{suffix}", *INTO, "--unit", "person", "--by", by, "--seed", 7, "--out-dir", "parts")
    expected = frame.tql.split(SHARES, unit="person", by=by, seed=7, index=None)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{expected.report()}\n"
    assert sorted(os.listdir("parts")) == [f"test{suffix}", f"train{suffix}"]
    for name, view in expected.items():
        assert_frame_equal(READ[suffix](f"parts/{name}{suffix}"), view.to_native(), check_dtypes=suffix in NESTING)


def test_cells_leave_as_they_came(command: Command) -> None:
    lines = [f"{n:05},{n % 5}.50,{'TRUE' if n % 2 else 'false'},{'Mass|Edema' if n % 3 else ''}" for n in range(90)]
    text = "id;price;flag;findings\n" + "\n".join(lines).replace(",", ";") + "\n"
    Path("in.csv").write_text(text)
    given = ["--delimiter", ";", "--by", "findings", "--split", "|", "--by", "flag"]
    done = command("split", "in.csv", *INTO, "--out-dir", "p", *given)
    assert (done.status, done.err) == (2, "tql-frames: --split needs the name of a column here: --split 'COLUMN=|'\n")
    assert not Path("p").exists()
    done = command("split", "in.csv", *INTO, "--out-dir", "p", *given[:6], "--seed", 7)
    assert (done.status, done.err) == (0, "")
    train, test = (Path(f"p/{name}.csv").read_text().splitlines() for name in SHARES)
    assert train[0] == test[0] == "id;price;flag;findings"
    assert sorted([*train[1:], *test[1:]]) == text.splitlines()[1:]
    assert train[1:] == sorted(train[1:])
    assert len(test) == 1 + 18
    assert sum("Mass|Edema" in line for line in test) == 12
    assert "no label" in done.out and "Edema" in done.out


def test_folds(command: Command) -> None:
    frame = people(FLAT)
    frame.write_parquet("in.parquet")
    options = ["--folds", 3, "--unit", "person", "--by", "view", "--by", "seen", "--seed", 7, "--json", "--index=row"]
    done = command("split", "in.parquet", *options, "--output-format", "csv", "--out-dir", "a/b")
    assert (done.status, done.err) == (0, "")
    expected = frame.tql.split(folds=3, unit="person", by=["view", "seen"], seed=7, index="row")
    assert json.loads(done.out) == expected.report().to_dict()
    assert sorted(os.listdir("a/b")) == ["fold_0.csv", "fold_1.csv", "fold_2.csv"]
    for fold, view in expected.items():
        assert pl.read_csv(f"a/b/fold_{fold}.csv")["row"].to_list() == view.positions.tolist()


def test_csv_to_another_format(command: Command) -> None:
    FLAT.write_csv("in.csv")
    done = command("split", "in.csv", *INTO, "--seed", 1, "--out-dir", "p", "--output-format", "parquet")
    assert (done.status, done.err) == (0, "")
    expected = FLAT.tql.split(SHARES, seed=1, index=None)
    for name, view in expected.items():
        assert_frame_equal(pl.read_parquet(f"p/{name}.parquet"), view.to_native())


def test_several_files_are_one_table(command: Command) -> None:
    for year in (2023, 2024):
        os.makedirs(f"table/year={year}")
        FLAT[year - 2023 :: 2].write_parquet(f"table/year={year}/0.parquet")
    done = command("split", "table", *INTO, "--by", "year", "--seed", 1, "--out-dir", "p")
    assert (done.status, done.err) == (0, "")
    assert pl.read_parquet("p/test.parquet")["year"].value_counts(sort=True)["count"].to_list() == [50, 50]


def test_without_a_seed_runs_differ(command: Command) -> None:
    FLAT.write_csv("in.csv")
    texts = []
    for _ in range(2):
        assert command("split", "in.csv", *INTO, "--out-dir", "p", "--force").status == 0
        texts.append(Path("p/test.csv").read_text())
    assert texts[0] != texts[1]


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ([*INTO, "--unit", "persn", "--out-dir", "p"], 1, "unknown column 'persn'\n  did you mean 'person'?"),
        ([*INTO, "--by", "nosuch", "--out-dir", "p"], 1, "unknown column 'nosuch'"),
        (["--into", "a=0.5", "b=0.6", "--out-dir", "p"], 1, "expected the shares to sum to 1, got 1.1"),
        (["--into", "a=0.5", "a=0.5", "--out-dir", "p"], 2, "--into names a part twice"),
        (["--into", "a=0.5", "b=x", "--out-dir", "p"], 2, "expected a number of at least 0, got 'x'"),
        (["--into", "a", "--out-dir", "p"], 2, "expected NAME=SHARE, got 'a'"),
        (["--into", "../a=1", "--out-dir", "p"], 2, "'../a' cannot be the name of a file"),
        (["--into", "..=1", "--out-dir", "p"], 2, "'..' cannot be the name of a file"),
        (["--folds", "1", "--out-dir", "p"], 2, "expected --folds to be a number from 2 to 500, got 1"),
        (["--folds", "61", "--unit", "person", "--out-dir", "p"], 1, "cannot make 61 folds of 60 units"),
        (["--folds", "5", *INTO, "--out-dir", "p"], 2, "not allowed with argument"),
        (["--out-dir", "p"], 2, "one of the arguments --into --folds is required"),
        ([*INTO], 2, "the following arguments are required: --out-dir"),
        ([*INTO, "--out-dir", "in.csv"], 1, "cannot make the folder in.csv"),
        ([*INTO, "--out-dir", "p", "--index", "id"], 1, "give another name, --index=NAME"),
    ],
    ids=str,
)
def test_what_is_wrong_leaves_nothing_behind(
    command: Command,
    options: list[str],
    status: int,
    message: str,
) -> None:
    people(FLAT).write_csv("in.csv")
    done = command("split", "in.csv", *options)
    assert done.status == status
    assert message in done.err
    assert done.out == ""
    assert command.names() == ["in.csv"]


def test_folders_that_were_made_are_removed_and_others_stay(command: Command) -> None:
    FLAT.write_csv("in.csv")
    os.makedirs("mine/empty")
    for folder in ("mine/empty", "mine/new/inner"):
        assert command("split", "in.csv", *INTO, "--unit", "nosuch", "--out-dir", folder).status == 1
    assert os.listdir("mine") == ["empty"]


def test_existing_files_are_kept_unless_forced(command: Command) -> None:
    FLAT.write_csv("in.csv")
    os.mkdir("p")
    Path("p/test.csv").write_text("mine")
    done = command("split", "in.csv", *INTO, "--out-dir", "p")
    assert (done.status, done.err) == (1, "tql-frames: p/test.csv exists already; --force replaces it\n")
    assert os.listdir("p") == ["test.csv"]
    assert command("split", "in.csv", *INTO, "--out-dir", "p", "-f").status == 0
    assert sorted(os.listdir("p")) == ["test.csv", "train.csv"]
    assert Path("p/test.csv").read_text().startswith("id,")
    os.rename("in.csv", "train.csv")
    done = command("split", "train.csv", *INTO, "--out-dir", ".")
    assert "train.csv is one of the inputs; --force replaces it" in done.err


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_part_that_cannot_be_written_leaves_none(
    command: Command,
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    WRITE[suffix](FLAT, Path(f"in{suffix}"))
    fill, filled = output.WholeFile.fill, []

    def fail_at_the_second(self: Any, plan: Any) -> None:
        filled.append(plan)
        fill(self, plan)
        if len(filled) == 2:
            raise OSError(28, "No space left on device", "test")

    monkeypatch.setattr(output.WholeFile, "fill", fail_at_the_second)
    done = command("split", f"in{suffix}", *INTO, "--out-dir", "p")
    assert done.status == 1
    assert "No space left on device" in done.err
    assert command.names() == [f"in{suffix}"]


def test_lists_do_not_go_into_csv(command: Command) -> None:
    NESTED.write_parquet("in.parquet")
    done = command("split", "in.parquet", *INTO, "--out-dir", "p", "--output-format", "csv")
    assert done.status == 1
    assert "csv cannot hold columns 'findings' (a list)" in done.err
    assert command.names() == ["in.parquet"]


@pytest.mark.parametrize("suffix", [".csv", ".ndjson"])
def test_plans_that_cannot_be_read_twice_are_held(
    command: Command,
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    WRITE[suffix](people(FLAT), Path(f"in{suffix}"))
    options = ["--unit", "person", "--by", "view", "--seed", 7, "--index"]
    assert command("split", f"in{suffix}", *INTO, *options, "--out-dir", "read").status == 0
    monkeypatch.setattr(create, "is_repeatable", lambda plan: False)
    assert command("split", f"in{suffix}", *INTO, *options, "--out-dir", "held").status == 0
    for name in SHARES:
        assert Path(f"held/{name}{suffix}").read_bytes() == Path(f"read/{name}{suffix}").read_bytes()


def test_standard_input_is_split(tmp_path: Path) -> None:
    """Standard input is kept in a file, from which all parts are read."""
    FLAT.write_csv(tmp_path / "in.csv")
    line = "cat in.csv | tql-frames split - --into train=0.8 test=0.2 --seed 7 --out-dir p"
    line = line.replace("tql-frames", f"{sys.executable} -m tql_frames")
    here = {**os.environ, "PYTHONPATH": str(Path(tql_frames.__file__).parents[1])}
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False, env=here)
    assert (done.returncode, done.stderr) == (0, "")
    expected = FLAT.tql.split(SHARES, seed=7, index=None)
    assert pl.read_csv(tmp_path / "p/test.csv")["id"].to_list() == expected["test"].to_native()["id"].to_list()


def test_parts_by_key(command: Command) -> None:
    frame = people(FLAT)
    frame.write_csv("in.csv")
    done = command("split", "in.csv", *INTO, "--key", "person", "--seed", 7, "--out-dir", "parts")
    assert (done.status, done.err) == (0, "")
    for name, view in frame.tql.split(SHARES, key="person", seed=7, index=None).items():
        assert pl.read_csv(f"parts/{name}.csv")["id"].to_list() == view.to_native()["id"].to_list()


@pytest.mark.parametrize(
    ("header", "arguments", "message"),
    [
        ("person,view\n1,PA\n", ["--key", "person", "--by", "view"], "--by cannot be given with --key: where a unit"),
        ("person,view\n", ["--key", "person"], "cannot split an empty frame"),
    ],
)
def test_faults_speak_of_options(command: Command, header: str, arguments: list[str], message: str) -> None:
    Path("in.csv").write_text(header)
    done = command("split", "in.csv", *INTO, *arguments, "--out-dir", "parts")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"tql-frames: {message}")
    assert not Path("parts").exists()
