"""Time and peak memory against rows and against draws, to JSON and to pictures: `python -m benchmarks.scaling`.

How contestants run is in `rounds` and `peak`; how the pictures look is in `charts`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import psutil  # type: ignore[import-untyped]

from benchmarks import charts, machine, peak, rounds
from benchmarks.jobs import Entry, Job
from benchmarks.memory import BYTES_A_DRAW, BYTES_A_ROW
from benchmarks.rounds import ROOT, Say

Record = dict[str, Any]

TOO_LONG = 20.0  # seconds that a call of a peer may take; more rows are then left out
_LEAST_FOR_MEMORY = 100_000  # rows; below, what a process needs anyway hides what the rows need
_ROWS_IN_ALL = 100_000  # rows that the calls timed as one go through, where the rows of one are fewer


@dataclass(frozen=True)
class Line:
    """A line of a picture.

    Attributes:
        entry: who; lines whose name begins with tql-frames are ours.
        job: what is asked, for a number on the horizontal axis.
    """

    entry: Entry
    job: Callable[[int], Job]

    @property
    def ours(self) -> bool:
        """Whether it is ours, and so goes on as far as memory does."""
        return self.entry.name.startswith("tql-frames")


def _as_many(rows: int) -> Job:
    return Job("labels", rows, rows, calls=max(1, _ROWS_IN_ALL // rows))


def _tenth(rows: int) -> Job:
    return Job("labels", rows, rows // 10, replace=False, calls=max(1, _ROWS_IN_ALL // rows))


def _of_draws(table: Literal["labels", "weights"], rows: int, replace: bool, draws: int) -> Job:
    return Job(table, rows, draws, replace, calls=max(1, _ROWS_IN_ALL // rows))


# Figure, panel: lines. Ours come first: where memory is short, the last are left out.
TIME: dict[tuple[str, str], tuple[Line, ...]] = {
    ("time_whole_call", "with replacement, as many draws as rows"): (
        Line(Entry("tql-frames on Polars", "ours:polars_frame"), _as_many),
        Line(Entry("tql-frames on pandas", "ours:pandas_frame"), _as_many),
        Line(Entry("Polars, uniform", "polars:uniform"), _as_many),
        Line(Entry("pandas, weighted", "pandas:weighted"), _as_many),
        Line(Entry("Deep Lake", "deeplake:sample_by", "deeplake"), _as_many),
    ),
    ("time_whole_call", "without replacement, draws a tenth of the rows"): (
        Line(Entry("tql-frames on Polars", "ours:polars_frame"), _tenth),
        Line(Entry("tql-frames on pandas", "ours:pandas_frame"), _tenth),
        Line(Entry("Polars by key", "polars:exponential_keys"), _tenth),
        Line(Entry("DuckDB by key", "duckdb:order_by_key", "duckdb"), _tenth),
    ),
    ("time_draw_alone", "with replacement, as many draws as rows"): (
        Line(Entry("tql-frames", "ours:positions"), _as_many),
        Line(Entry("NumPy", "numpy:choice"), _as_many),
        Line(Entry("PyTorch", "torch:multinomial", "torch"), _as_many),
    ),
    ("time_draw_alone", "without replacement, draws a tenth of the rows"): (
        Line(Entry("tql-frames", "ours:positions"), _tenth),
        Line(Entry("NumPy", "numpy:choice"), _tenth),
        Line(Entry("PyTorch", "torch:multinomial", "torch"), _tenth),
    ),
}
MEMORY: dict[tuple[str, str], tuple[Line, ...]] = {
    ("memory", "with replacement, as many draws as rows"): (
        Line(Entry("tql-frames on Polars", "ours:polars_frame"), _as_many),
        Line(Entry("tql-frames on pandas", "ours:pandas_frame"), _as_many),
        Line(Entry("Polars, uniform", "polars:uniform"), _as_many),
        Line(Entry("pandas, weighted", "pandas:weighted"), _as_many),
    ),
    ("memory", "without replacement, draws a tenth of the rows"): (
        Line(Entry("tql-frames on Polars", "ours:polars_frame"), _tenth),
        Line(Entry("tql-frames on pandas", "ours:pandas_frame"), _tenth),
        Line(Entry("Polars by key", "polars:exponential_keys"), _tenth),
    ),
}


def draws_of(rows: int) -> dict[tuple[str, str], tuple[Line, ...]]:
    """Ours on one Polars frame, by how many are drawn."""

    few, continuous = Entry("5 weights", "ours:polars_frame"), Entry("continuous weights", "ours:polars_frame")
    return {
        ("time_by_draws", f"{how} replacement, whole call on {rows:,} rows"): (
            Line(few, partial(_of_draws, "labels", rows, how == "with")),
            Line(continuous, partial(_of_draws, "weights", rows, how == "with")),
        )
        for how in ("with", "without")
    }


def sizes(most: int) -> list[int]:
    """1,000, 3,000, 10,000, … up to `most`."""
    return [number for power in range(3, 12) for number in (10**power, 3 * 10**power) if number <= most]


def times_by_rows(most: int, number: int, say: Say) -> Iterator[Record]:
    """Time the lines of each panel in turns, size by size."""
    for panel, lines in TIME.items():
        running = [line for line in lines if line.entry.installed]
        for rows in sizes(most):
            running = fitting(running, rows, together=True)
            if not running:
                break
            say(f"{panel[0]}, {panel[1]}: {rows:,} rows")
            found = rounds.measure([line.entry for line in running], running[0].job(rows), number, say)
            goes_on = []
            for line, measured in zip(running, found, strict=True):
                if measured.fault is None:
                    yield _record(panel, line, line.job(rows), seconds=measured.seconds, median=measured.median)
                    if goes_on_after(line, measured.median, rows):
                        goes_on.append(line)
            running = goes_on


def times_by_draws(rows: int, number: int, say: Say) -> Iterator[Record]:
    """Time ours by the number of draws, at a fixed number of rows."""
    for panel, lines in draws_of(rows).items():
        for line in lines:
            for draws in sizes(rows):
                if not line.job(draws).replace and draws >= 0.9 * rows:
                    continue  # not so many rows have a positive weight
                if fitting([line], draws, together=False):
                    (measured,) = rounds.measure([line.entry], line.job(draws), number, say)
                    if measured.fault is None:
                        yield _record(panel, line, line.job(draws), seconds=measured.seconds, median=measured.median)


def memory_by_rows(most: int, say: Say) -> Iterator[Record]:
    """Measure the peak of one call of each line, size by size."""
    for panel, lines in MEMORY.items():
        for line in lines:
            for rows in sizes(most):
                if rows < _LEAST_FOR_MEMORY:
                    continue
                if not fitting([line], rows, together=False):
                    break
                found = peak.of_call(line.entry.maker, line.job(rows))
                say(f"{panel[0]}, {panel[1]}, {line.entry.name}: {rows:,} rows: {found}")
                if "fault" in found:
                    break
                job = line.job(rows)
                allowed = BYTES_A_ROW * job.rows + BYTES_A_DRAW * job.draws
                yield _record(panel, line, job, bytes=found["extra"], allowed=allowed)
                if not goes_on_after(line, found["seconds"], rows):
                    break


def goes_on_after(line: Line, seconds: float, rows: int) -> bool:
    """Whether a line goes on to the next size: ours always, a peer while its call is not expected to take too long."""
    following = next(size for size in sizes(100 * rows) if size > rows)
    return line.ours or seconds * following / rows * 1.2 <= TOO_LONG


def fitting(lines: Sequence[Line], number: int, *, together: bool) -> list[Line]:
    """The lines, without the last ones where they do not fit into the memory that is free.

    Args:
        lines: ours first.
        number: on the horizontal axis.
        together: whether all of them hold their rows at the same time.
    """
    free = 0.8 * psutil.virtual_memory().available
    found = list(lines)
    while found:
        job = found[0].job(number)
        held = 25 * job.rows * (len(found) if together else 1)  # bytes: the frame, and weights where they are given
        if held + (BYTES_A_ROW + 10) * job.rows + (BYTES_A_DRAW + 30) * job.draws <= free:
            break
        found.pop()
    return found


def _record(panel: tuple[str, str], line: Line, job: Job, **values: object) -> Record:
    named = {"figure": panel[0], "panel": panel[1], "line": line.entry.name}
    return {**named, "rows": job.rows, "draws": job.draws, **values}


def main() -> None:
    """Measure, and write `scaling.json` and the pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=10**8, help="rows of the largest frame (default: 100,000,000)")
    parser.add_argument("--draws-of", type=int, default=10**7, help="rows where draws vary (default: 10,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="timed calls at each size (default: 3)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder (default: docs/images)")
    again = "measure one figure again, on the machine of the others, which are kept"
    parser.add_argument("--again", choices=["time_by_draws", "memory"], help=again)
    options = parser.parse_args()
    path, found = options.out / charts.FILE, {"machine": machine.describe(), "again": {}, "records": []}
    if options.again:
        before = json.loads(path.read_text(encoding="utf-8"))
        if before["machine"]["CPU"] != found["machine"]["CPU"]:
            parser.error(f"the other figures were measured on another machine: {before['machine']['CPU']}")
        found = {**before, "again": {**before.get("again", {}), options.again: found["machine"]["commit"]}}

    def say(text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    parts = {
        "times": lambda: times_by_rows(options.most, options.rounds, say),
        "time_by_draws": lambda: times_by_draws(min(options.most, options.draws_of), options.rounds, say),
        "memory": lambda: memory_by_rows(options.most, say),
    }
    kept = [record for record in found["records"] if record["figure"] != options.again]
    found["records"] = kept + [
        record for name, part in parts.items() if options.again in (None, name) for record in part()
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}\n{charts.as_text(charts.write(options.out))}")


if __name__ == "__main__":
    main()
