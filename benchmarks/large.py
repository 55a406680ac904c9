"""Samples of a Parquet file that memory could not hold: peak memory and time, each call in a process of its own.

Frames in memory are measured by `memory` and by the tables of `cases`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

import tql_frames
from benchmarks import machine, report
from benchmarks.jobs import REACHED
from benchmarks.rounds import ROOT
from tql_frames.datasets import chest_xray
from tql_frames.pipeline.draw import Design, Order

SAMPLER = (
    "max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Pneumonia'): 8, "
    "contains(findings, 'Fibrosis'): 5, contains(findings, 'Edema'): 5, True: 1)"
)
FOLDER = ROOT / "benchmarks" / "data"  # where the file is kept
_VERSION = 1  # of the file; one more whenever its rows change
_GROUP = 250_000  # rows of a row group, and of a batch while the file is made
_EVERY = 0.002  # seconds between two looks at the memory of a process
_PROTOCOLS = [
    f"Chest {pose}, source to detector {cm} cm, 125 kV, automatic exposure, grid {grid}, detector of 43 by 43 cm"
    for pose, cm, grid in product(("erect", "supine, portable"), (100, 150, 180), ("used", "not used", "unknown"))
]
_HEADER = ["", "rows", "drawn", "imports", "peak (scan)", "limit", "met"]
_HEADER += ["time", "scan", "write", "ours is", "target", "met", "bare passes", "ours is of these", "reached"]


@dataclass(frozen=True)
class Case:
    """A line of the table.

    Attributes:
        times: how often the file is read, one after another, as one table.
        sunk: whether the rows go to a file, in the order of the table; else they are collected as they were drawn.
        limit: bytes of anonymous memory allowed at the peak, for 20 million rows.
        slower: times its yardstick that the call may take.
        design: as `sample` takes it; None for the default.
    """

    key: str
    title: str
    times: int
    fraction: float
    replace: bool
    sunk: bool
    limit: int
    slower: float
    design: Design | None = None


CASES = (
    Case("collected", "1 percent, without replacement, collected", 1, 0.01, False, False, 600_000_000, 2.0),
    Case("sunk", "as many rows as there are, with replacement, sunk", 1, 1.0, True, True, 1_300_000_000, 1.3),
    Case("six", "six times the file, 1 percent, without replacement, sunk", 6, 0.01, False, True, 1_300_000_000, 4.0),
    Case("systematic", "the same, systematic", 6, 0.01, False, True, 1_300_000_000, 4.0, "systematic"),
    Case("poisson", "the same, Poisson", 6, 0.01, False, True, 1_300_000_000, 4.0, "poisson"),
)


@dataclass(frozen=True)
class Step:
    """One timed call, of a file; `out` is where the rows go.

    `sample` is ours, `scan` and `write` are its yardstick, `bare` is what bounds it.
    """

    name: str
    case: Case
    file: Path
    out: Path


@dataclass(frozen=True)
class Answer:
    """What came of a step; `imported` and `peak` are bytes of anonymous memory after the imports and at most."""

    seconds: float
    imported: int
    peak: int
    fault: str | None


def rows_of(start: int, rows: int) -> pl.DataFrame:
    """Rows `start` to `start + rows` of the table: the X-rays again and again, each time with other numbers."""
    numbers = np.arange(start, start + rows)
    rng = np.random.default_rng([_VERSION, start])
    base = chest_xray()
    xrays = base[numbers % base.height].with_columns(
        row=pl.Series(numbers),
        study=pl.Series(rng.integers(10**14, 10**15, rows)),
        protocol=pl.Series(_PROTOCOLS).gather(rng.integers(len(_PROTOCOLS), size=rows)),
        label=pl.Series(rng.geometric(0.3, rows).clip(max=15).astype(np.uint8)),
        dose=pl.Series(rng.random(rows)),
        exposure=pl.Series(rng.normal(80.0, 6.0, rows)),
        days=pl.Series(rng.integers(4_000, size=rows).astype(np.int32)),
    )
    return xrays.select(
        *("row", "patient_id", "label", "dose", "exposure", "protocol"),
        pl.format("{}_{}.png", pl.col("patient_id").cast(pl.String).str.zfill(10), "study").alias("image"),
        "findings",
        (pl.lit("2007-01-01").str.to_date() + pl.duration(days="days")).alias("taken"),
        pl.col("view").cast(pl.String).cast(pl.Categorical),
    )


def make(file: Path, rows: int) -> None:
    """Write the table, a row group at a time; a file that is there is kept."""
    if file.exists():
        return

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        for start in range(0, rows, _GROUP):
            yield rows_of(start, min(_GROUP, rows - start))

    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part")
    register_io_source(read, schema=rows_of(0, 1).schema).sink_parquet(unfinished, row_group_size=_GROUP)
    unfinished.rename(file)


def measure(case: Case, file: Path, rounds: int) -> dict[str, list[Answer]]:
    """Answers of each step, which take turns; the rows of the first sample are compared with the file's."""
    found: dict[str, list[Answer]] = {
        name: [] for name in ("scan", "sample", "bare", *(["write"] if case.sunk else []))
    }
    with TemporaryDirectory(dir=file.parent) as folder:
        for number in range(rounds):
            for name, answers in found.items():
                step = Step(name, case, file, Path(folder) / "sample.parquet")
                answers.append(_ask(step, check=name == "sample" and number == 0))
                print(f"  {case.key}, {name}: {answers[-1]}", file=sys.stderr, flush=True)
                if answers[-1].fault:
                    return found
    return found


def _ask(step: Step, check: bool) -> Answer:
    """Do a step in a fresh process, looking at its memory from outside until it has the result."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(step, check, theirs))
    process.start()
    theirs.close()
    seen, done = [0], Event()
    watch = Thread(target=_watch, args=(process.pid, seen, done))
    watch.start()
    imported, seconds, fault = 0, 0.0, None
    try:
        imported, seconds = pipe.recv()
        done.set()
        watch.join()
        pipe.send("seen")
        fault = pipe.recv()
    except (EOFError, ConnectionError):
        fault = "its process ended before it answered"
    finally:
        done.set()
        process.join()
    return Answer(seconds, imported, seen[0], fault)


def _watch(pid: int | None, seen: list[int], done: Event) -> None:
    """Keep the most memory that a process has until it is done."""
    while not done.wait(_EVERY):
        seen[0] = max(seen[0], _anonymous(pid))


def _anonymous(pid: int | str | None) -> int:
    """Bytes of resident anonymous memory of a process; 0 of one that ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon")), 0)


def _answer(step: Step, check: bool, pipe: Connection) -> None:
    """What runs in the process of a step: tell the memory of the imports and the seconds, then the fault or None."""
    imported = _anonymous("self")
    case, rows = step.case, pl.scan_parquet([step.file] * step.case.times)
    held = pl.read_parquet(step.out) if step.name == "write" else pl.DataFrame()
    start = time.perf_counter()
    if step.name == "scan":
        rows.sink_batches(lambda batch: None, maintain_order=False)
    elif step.name == "write":
        held.lazy().sink_parquet(step.out.with_suffix(".copy"))
    elif step.name == "bare":
        held = bare(rows, case, step.out.with_suffix(".copy"))
    else:
        order: Order = "source" if case.sunk else "draw"
        how = {"fraction": case.fraction, "replace": case.replace, "design": case.design}
        sample = tql_frames.sample(rows, SAMPLER, **how, seed=7, order=order)
        if case.sunk:
            sample.sink_parquet(step.out)
        else:
            held = sample.collect()
    pipe.send((imported, time.perf_counter() - start))
    pipe.recv()
    pipe.send(_fault(pl.scan_parquet(step.out) if case.sunk else held.lazy(), step) if check else None)


def bare(rows: pl.LazyFrame, case: Case, out: Path) -> pl.DataFrame:
    """Read what a sample has to read, and draw without weights.

    First come the conditions of all rows, then random rows of each batch. These are collected in random order, or
    written to a file.
    """
    labels = pl.col("findings").list
    names = ("Hernia", "Pneumonia", "Fibrosis", "Edema")
    weighed = rows.select(labels.contains(name).alias(name) for name in names).collect(engine="streaming")
    generator = np.random.default_rng(7)
    wanted = np.zeros(weighed.height, np.bool_)
    wanted[generator.integers(0, weighed.height, round(case.fraction * weighed.height))] = True

    def are_wanted(numbers: pl.Series) -> pl.Series:
        return pl.Series(wanted.take(numbers.to_numpy()))

    here = pl.col("").map_batches(are_wanted, return_dtype=pl.Boolean(), is_elementwise=True)
    found = rows.with_row_index("").filter(here)
    if not case.sunk:
        text = [pl.concat_str(name).alias(name) for name in ("protocol", "image")]
        held = found.with_columns(text).collect(engine="streaming")
        return held[generator.permutation(held.height)]

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        each = case.fraction / (1 - np.exp(-case.fraction))  # draws of a row that is drawn
        for batch in found.collect_batches(maintain_order=True, engine="streaming"):
            yield batch[np.sort(generator.integers(0, batch.height, round(each * batch.height)))]

    register_io_source(read, schema=found.collect_schema()).sink_parquet(out)
    return pl.DataFrame()


def _fault(result: pl.LazyFrame, step: Step) -> str | None:
    """What is wrong with a sample: number, order or repetition of its rows; a column that is not as in the file."""
    case, rows = step.case, _height(step.file)
    index = _series(result, "index").to_numpy()
    wanted = round(case.fraction * rows * case.times)
    if abs(len(index) - wanted) > (6 * wanted**0.5 if case.design == "poisson" else 0):
        return f"wrong: {len(index):,} rows"
    if case.sunk and (index[1:] < index[:-1]).any():
        return "wrong: not in the order of the table"
    if not case.replace and len(np.unique(index)) < len(index):
        return "wrong: a row twice without replacement"
    for name in result.collect_schema().names()[1:]:
        if not _series(result, name).equals(_series(pl.scan_parquet(step.file), name)[index % rows]):
            return f"wrong: `{name}` is not as in the file"
    return None


def _series(plan: pl.LazyFrame, name: str) -> pl.Series:
    return plan.select(name).collect().to_series()


def _height(file: Path) -> int:
    return int(pl.scan_parquet(file).select(pl.len()).collect().item())


def section(found: Iterable[tuple[Case, dict[str, list[Answer]]]], file: Path) -> str:
    """What was measured, as Markdown."""
    rows = _height(file)
    lines = [_line(case, answers, rows) for case, answers in found]
    return (
        f"### Samples of a large file (`large`)\n\nA Parquet file of {rows:,} rows, 10 columns and "
        f"{_megabytes(file.stat().st_size)}, in row groups of {_GROUP:,}; the limits are those for 20,000,000 rows. "
        "Each call has a fresh process; a case's calls run in turns. `imports` and `peak` are all anonymous memory of "
        "the process, after the imports and at most, of our call and (in brackets) of the scan; times are medians. "
        "Ours is compared with scan and write together: all columns of the same files decoded and discarded batch by "
        "batch, in any order (`sink_batches`), and the same drawn rows written from memory (`sink_parquet`). The bare "
        "passes bound it: the conditions of all rows, then as many rows by a mask of random ones, collected or "
        f"written. At least 85 percent of their speed is to be reached: at most {REACHED:g} × their time. The rows "
        f"of the first sample were compared with the file's.\n\n{report.table(_HEADER, lines)}\n"
    )


def _line(case: Case, answers: dict[str, list[Answer]], rows: int) -> list[str]:
    total = rows * case.times
    line = [f"{case.title} (`{case.key}`)", f"{total:,}", f"{round(case.fraction * total):,}"]
    fault = next((f"{name}: {each.fault}" for name, steps in answers.items() for each in steps if each.fault), None)
    if fault:
        return [*line, fault, *[""] * (len(_HEADER) - len(line) - 1)]
    peaks = {name: max(each.peak for each in steps) for name, steps in answers.items()}
    times = {name: median(each.seconds for each in steps) for name, steps in answers.items()}
    ours = times["sample"] / (times["scan"] + times.get("write", 0.0))
    of_bare = times["sample"] / times["bare"]
    return [
        *line,
        _megabytes(median(each.imported for each in answers["sample"])),
        f"{_megabytes(peaks['sample'])} ({_megabytes(peaks['scan'])})",
        _megabytes(case.limit),
        "yes" if peaks["sample"] <= case.limit else "**no**",
        report.seconds(times["sample"]),
        report.seconds(times["scan"]),
        report.seconds(times["write"]) if case.sunk else "none",
        report.ratio(ours),
        f"at most {case.slower:g} ×",
        "yes" if ours <= case.slower else "**no**",
        report.seconds(times["bare"]),
        report.ratio(of_bare),
        "yes" if of_bare <= REACHED else "**no**",
    ]


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"


def run(rows: int, rounds: int, keys: Sequence[str] = (), folder: Path = FOLDER) -> str:
    """Make the file where it is not there, measure the cases (by default all), and return their section."""
    if not _anonymous("self"):
        return "### Samples of a large file (`large`)\n\nNot measured: only Linux has /proc, where memory is read.\n"
    file = folder / f"xrays-{_VERSION}-{rows}.parquet"
    make(file, rows)
    wanted = [case for case in CASES if not keys or case.key in keys]
    return section([(case, measure(case, file, rounds)) for case in wanted], file)


def main() -> None:
    """Make the file where it is not there, measure, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=(__doc__ or "").splitlines()[0])
    keys = [case.key for case in CASES]
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of the file (default: 20,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="timed calls of each (default: 3)")
    parser.add_argument("--cases", nargs="+", choices=keys, metavar="CASE", help=f"some of: {', '.join(keys)}")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: benchmarks/data")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the Markdown there too")
    options = parser.parse_args()
    if not _anonymous("self"):
        parser.error("anonymous memory is read from /proc, which only Linux has")
    measured = run(options.rows, options.rounds, options.cases or keys, options.folder)
    text = f"{machine.as_text(machine.describe())}\n\n{measured}"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
