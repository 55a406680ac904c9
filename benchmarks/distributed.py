"""Weighted samples on Dask and Spark beside the engines' own uniform ones, and the plan for a billion rows.

The engines run on this machine: a Dask cluster of two processes, Spark with two cores. What crosses the network between
a driver and a hundred workers is measured on the messages themselves, without the workers.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pickle
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from benchmarks import machine, report
from benchmarks.large import FOLDER, make
from benchmarks.rounds import ROOT
from tql_frames.distributed import Counts, Drawing, PartitionDraw, Sampler, draw_shares, questions
from tql_frames.distributed.assignment import Drawable, SlotFlags, Slots, SlotTimes
from tql_frames.pipeline.draw import DrawSpec
from tql_frames.sampling import Floats, Integers, StrataTable
from tql_frames.sampling.inclusion import expected_draws

# Not `findings`, lists of which Dask makes text unless told not to, and `view`, a category that it does not write.
COLUMNS = ["row", "patient_id", "label", "dose", "exposure", "protocol", "image", "taken"]
STRATA = "max_weight(label >= 8: 20, label >= 5: 8, contains(protocol, 'portable') and dose > 0.5: 3, True: 1)"
# How many times the engine's own sample ours may take, in the order of the cases.
SLOWER = {"dask": (2.0, 2.0, 2.0, 2.0), "spark": (2.5, 1.5, 3.5, 3.5)}
_HEADER = ["", "median", "min … max", "rounds", "ours is", "target", "met"]

Write = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """Two ways to draw from a frame: each writes its rows to a folder of Parquet files.

    Attributes:
        title: what is drawn.
        ours: writes our rows.
        theirs: writes those of the engine's own sample.
        rows: how many are drawn.
        replace: with or without replacement.
        slower: how many times the engine's own sample ours may take.
    """

    title: str
    ours: Write
    theirs: Write
    rows: int
    replace: bool
    slower: float


def measure(cases: list[Case], rounds: int, folder: Path) -> list[list[str]]:
    """A line of a table for each side of each case; the two take turns."""
    lines: list[list[str]] = []
    for case in cases:
        found: dict[str, list[float]] = {"ours": [], "theirs": []}
        for number in range(rounds):
            for name, write in (("ours", case.ours), ("theirs", case.theirs)):
                with TemporaryDirectory(dir=folder) as out:
                    start = time.perf_counter()
                    write(Path(out) / "rows")
                    found[name].append(time.perf_counter() - start)
                    print(f"  {case.title}, {name}: {found[name][-1]:.1f} s", file=sys.stderr, flush=True)
                    if number == 0 and name == "ours":
                        check(Path(out) / "rows", case)
        lines += [_line(f"tql-frames: {case.title}", found["ours"])]
        ratio = median(found["ours"]) / median(found["theirs"])
        lines += [_line("the engine's own, uniform", found["theirs"], (ratio, case.slower))]
    return lines


def check(folder: Path, case: Case) -> None:
    """Make sure that a sample has its rows, in order, the heavy ones often, and none twice without replacement."""
    found = pl.concat([pl.read_parquet(file, columns=["row", "label"]) for file in _files(folder)])
    rows = found["row"].sort()
    assert len(rows) == case.rows, f"{len(rows):,} rows instead of {case.rows:,}"
    assert case.replace or rows.n_unique() == len(rows), "a row came twice"
    assert float((found["label"] >= 8).mean() or 0) > 0.2, "heavy rows are as rare as in the frame"


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*.parquet") if pl.read_parquet_schema(file))


def _line(title: str, seconds: list[float], compared: tuple[float, float] | None = None) -> list[str]:
    """Return a line of the table; `compared` is the ratio, ours over theirs, and what it may be."""
    spread = f"{report.seconds(min(seconds))} … {report.seconds(max(seconds))}"
    line = [title, report.seconds(median(seconds)), spread, str(len(seconds))]
    if compared is None:
        return [*line, "", "", ""]
    ratio, slower = compared
    return [*line, report.ratio(ratio), f"at most {slower:g} ×", "yes" if ratio <= slower else "**no**"]


@contextmanager
def dask_cases(file: Path, rows: int) -> Iterator[list[Case]]:
    """Samples by Dask, on two processes of one thread."""
    dask, distributed = importlib.import_module("dask"), importlib.import_module("distributed")
    dd = importlib.import_module("dask.dataframe")
    importlib.import_module("tql_frames.dask")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with (
        dask.config.set({"distributed.scheduler.worker-saturation": 1.0}),
        distributed.LocalCluster(memory_limit=0, **options) as cluster,
        distributed.Client(cluster),
    ):
        frame = dd.read_parquet(file, columns=COLUMNS, split_row_groups=2)
        for part in list(frame.partitions)[:4]:  # imports, on both workers
            part.tql.sample(STRATA, 10).compute()

        def writes(sample: Callable[[], Any]) -> Write:
            return lambda out: sample().to_parquet(out)

        yield list(_cases("dask", rows, writes, frame.tql.sample, frame.sample))


@contextmanager
def spark_cases(file: Path, rows: int) -> Iterator[list[Case]]:
    """Samples by Spark, on two cores."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    sql, ours = importlib.import_module("pyspark.sql"), importlib.import_module("tql_frames.spark")
    builder = sql.SparkSession.builder.master("local[2]")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "4g",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.files.maxPartitionBytes": "16m",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    frame = session.read.parquet(str(file)).select(*COLUMNS)
    ours.sample(frame.limit(1_000), STRATA, 10).count()  # imports, in the Python workers

    def writes(sample: Callable[[], Any]) -> Write:
        return lambda out: sample().write.parquet(str(out))

    def own(frac: float, replace: bool, random_state: int) -> Any:
        return frame.sample(withReplacement=replace, fraction=frac, seed=random_state)

    try:
        yield list(_cases("spark", rows, writes, lambda **how: ours.sample(frame, index=None, **how), own))
    finally:
        session.stop()


def _cases(
    engine: str,
    rows: int,
    writes: Callable[[Callable[[], Any]], Write],
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
) -> Iterator[Case]:
    asked = [
        ("a tenth, without replacement", STRATA, 0.1, False),
        ("as many rows as there are, with replacement", STRATA, 1.0, True),
        ("a tenth, with replacement, by a weight column", "dose * label", 0.1, True),
        ("a tenth, without replacement, by a weight column", "dose * label", 0.1, False),
    ]
    for (title, sampler, share, replace), slower in zip(asked, SLOWER[engine], strict=True):
        yield Case(
            title,
            writes(lambda how=(sampler, share, replace): ours(sampler=how[0], fraction=how[1], replace=how[2], seed=7)),
            writes(lambda how=(share, replace): theirs(frac=how[0], replace=how[1], random_state=7)),
            round(rows * share),
            replace,
            slower,
        )


# -- the plan ---------------------------------------------------------------------------------------------------------


def plan(rows: int = 1_000_000_000, partitions: int = 10_000, draws: int = 100_000_000) -> str:
    """What a draw for many workers sends and takes, measured on its messages; the rows of partitions are made up."""
    lines = []
    for replace in (True, False):
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.distributed", "--draw", str(int(replace))]
            + [str(number) for number in (rows, partitions, draws)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
        lines.append(told.strip().split("|"))
    header = ["", "counts to the driver", "draw", "peak of the driver", "shares to the partitions", "the largest share"]
    heading = f"### {rows:,} rows in {partitions:,} partitions, {draws:,} draws (`plan`)"
    note = "Five strata, as many rows of each in a partition as chance gives. Bytes are those of the pickled messages."
    return f"{heading}\n\n{note}\n\n{report.table(header, lines)}\n"


def draw(replace: bool, rows: int, partitions: int, draws: int) -> str:
    """The driver's part of a draw, in this process: a line of the table."""
    rng = np.random.default_rng(1)
    weights = np.array([1.0, 2.0, 3.0, 8.0, 20.0])
    each = rng.multinomial(rows // partitions, [0.9, 0.05, 0.03, 0.015, 0.005], size=partitions)
    counts = [Counts(rows // partitions, b"digest" * 3, StrataTable(weights, row)) for row in each]
    sent = sum(len(pickle.dumps(part, pickle.HIGHEST_PROTOCOL)) for part in counts)
    how = Drawing(Sampler("w", 7), DrawSpec(draws, replace=replace, seed=7))
    start = time.perf_counter()
    assert questions(counts, how) == [None] * partitions
    found = draw_shares(counts, [None] * partitions, how)
    seconds = time.perf_counter() - start
    shares = [len(pickle.dumps(share, pickle.HIGHEST_PROTOCOL)) for share in found.shares]
    check_strata(weights, each, found.shares, draws, replace=replace)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    title = "with replacement" if replace else "without replacement"
    told = [title, _bytes(sent), report.seconds(seconds), _bytes(peak), _bytes(sum(shares)), _bytes(max(shares))]
    return "|".join(told)


def check_strata(
    weights: Floats, counts: Integers, shares: Sequence[PartitionDraw], draws: int, *, replace: bool
) -> None:
    """Make sure that so many rows were drawn, and of each stratum, and from each partition, as many as it should be.

    Args:
        weights: of the strata, shape (m,).
        counts: rows of each partition in each stratum, shape (parts, m).
        shares: what each partition gives.
        draws: how many rows were to be drawn.
        replace: with or without replacement.
    """
    found = np.zeros(counts.shape, np.int64)
    for part, share in enumerate(shares):
        ends = np.append(0, np.cumsum(counts[part]))
        times = _times(share.drawn, int(ends[-1]))
        assert replace or times.max() <= 1, "a row came twice"
        found[part] = np.diff(np.append(0, np.cumsum(times))[ends])
    assert found.sum() == draws
    table = StrataTable(weights, counts.sum(axis=0))
    expected = counts * expected_draws(table, draws, replace=replace)
    for axis, what in ((0, "a stratum"), (1, "a partition")):
        off = abs(found.sum(axis=axis) - expected.sum(axis=axis)) / np.sqrt(expected.sum(axis=axis))
        assert off.max() < 6, f"{what} is {off.max():.1f} standard errors from what is expected"


def _times(drawn: Drawable, rows: int) -> Integers:
    """The number of draws of each slot of a partition with `rows` rows."""
    if isinstance(drawn, SlotTimes):
        return np.concatenate([piece.numbers() for piece in drawn.pieces])
    if isinstance(drawn, SlotFlags):
        return np.unpackbits(drawn.bits)[:rows].astype(np.int64)
    assert isinstance(drawn, Slots)
    return np.bincount(drawn.numbers.numbers(), minlength=rows)


def _bytes(size: float) -> str:
    return next(
        f"{size / scale:,.1f} {unit}" for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if size >= scale
    )


ENGINES = {"dask": ("Dask", dask_cases), "spark": ("Spark", spark_cases)}


def run(part: str, rows: int, rounds: int, numbers: Sequence[int] | None = None, folder: Path = FOLDER) -> str:
    """Make the file where it is not there, measure an engine's cases (by default all), and return their section."""
    name, cases_of = ENGINES[part]
    heading = f"### {name} (`{part}`)\n\n"
    module = {"dask": "dask", "spark": "pyspark"}[part]
    if find_spec(module) is None:
        return f"{heading}Not measured: {module} is not installed.\n"
    if part == "spark" and shutil.which("java") is None:
        return f"{heading}Not measured: Java is not installed.\n"
    file = folder / f"xrays-1-{rows}.parquet"
    make(file, rows)
    with cases_of(file, rows) as cases:
        lines = measure([cases[number] for number in numbers or range(len(cases))], rounds, folder)
    note = f"{rows:,} rows, {len(COLUMNS)} columns, read from Parquet and written to Parquet."
    return f"{heading}{note}\n\n{report.table(_HEADER, lines)}\n"


def main() -> None:
    """Make the file where it is not there, measure, print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.distributed", description=(__doc__ or "").splitlines()[0]
    )
    parts = [*ENGINES, "plan"]
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of the file (default: 20,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="timed calls of each (default: 3)")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts, metavar="PART", help=f"some of: {parts}")
    parser.add_argument("--cases", nargs="+", type=int, metavar="N", help="numbers of cases, from 0")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: benchmarks/data")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the Markdown there too")
    parser.add_argument("--draw", nargs=4, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        replace, *sizes = options.draw
        print(draw(bool(replace), *sizes))
        return
    sections = [machine.as_text(machine.describe())]
    for part in options.parts:
        if part == "plan":
            sections.append(plan())
        else:
            sections.append(run(part, options.rows, options.rounds, options.cases, options.folder))
    text = "\n\n".join(sections)
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
