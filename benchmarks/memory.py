"""Peak memory of our calls against what is allowed: `python -m benchmarks.memory`.

How a call's peak is found is in `peak`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks import peak, report
from benchmarks.jobs import Job
from benchmarks.rounds import Say

BYTES_A_ROW, BYTES_A_DRAW = 32, 16  # allowed at the peak, beyond the frame and the result


@dataclass(frozen=True)
class Call:
    """A line of the table.

    Attributes:
        bytes_a_row: allowed, instead of what all calls are.
    """

    name: str
    maker: str
    job: Job
    bytes_a_row: int | None = None

    @property
    def allowed(self) -> int:
        """Bytes that the peak may lie above frame and result."""
        if self.bytes_a_row is not None:
            return self.bytes_a_row * self.job.rows
        return BYTES_A_ROW * self.job.rows + BYTES_A_DRAW * self.job.draws


def calls(rows: int) -> tuple[Call, ...]:
    """What is measured, for a standard frame of `rows` rows."""
    tenth, few, half = max(1, rows // 10), min(1_000, rows // 10), max(1, rows // 2)
    polars, pandas = "ours:polars_frame", "ours:pandas_frame"
    return (
        Call("Polars, with replacement", polars, Job("labels", rows, rows), 5),
        Call("Polars, in the order of the table", "ours:in_table_order", Job("labels", rows, rows), 5),
        Call("pandas, with replacement", pandas, Job("labels", rows, rows), 8),
        Call("Polars, without replacement", polars, Job("labels", rows, tenth, replace=False)),
        Call("pandas, without replacement", pandas, Job("labels", rows, tenth, replace=False)),
        Call("Polars, few with replacement", polars, Job("labels", rows, few)),
        Call("pandas, few with replacement", pandas, Job("labels", rows, few)),
        Call("Polars, few without replacement", polars, Job("labels", rows, few, replace=False)),
        Call("Polars, continuous weights, with", polars, Job("weights", rows, rows)),
        Call("Polars, continuous weights, without", polars, Job("weights", rows, tenth, replace=False)),
        Call("Polars, conditions on lists, with", polars, Job("findings", half, half)),
    )


def measure(rows: int, say: Say) -> list[tuple[Call, dict[str, Any]]]:
    """Measure each call in a process of its own."""
    found = []
    for call in calls(rows):
        measured = peak.of_call(call.maker, call.job)
        say(f"memory, {call.name}: {measured}")
        found.append((call, measured))
    return found


def section(found: list[tuple[Call, dict[str, Any]]]) -> str:
    """What was measured, as Markdown."""
    header = ["", "rows", "drawn", "beyond frame and result", "a row", "a drawn row", "allowed", "met"]
    lines = []
    for call, measured in found:
        cells = [call.name, f"{call.job.rows:,}", f"{call.job.draws:,}"]
        allowed = _megabytes(call.allowed)
        if "fault" in measured:
            lines.append([*cells, measured["fault"], "", "", allowed, ""])
            continue
        extra = measured["extra"]
        a_row, a_draw = f"{extra / call.job.rows:.1f} B", f"{extra / call.job.draws:,.1f} B"
        lines.append([*cells, _megabytes(extra), a_row, a_draw, allowed, "yes" if extra <= call.allowed else "**no**"])
    return (
        "### Peak memory of the whole call (`memory`)\n\n"
        "Each call in a fresh process: most anonymous memory while it runs, beyond the frame and the result. "
        f"Allowed are {BYTES_A_ROW} bytes a row of the frame and {BYTES_A_DRAW} a drawn row, or what the line says.\n\n"
        f"{report.table(header, lines)}\n"
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="Peak memory of our calls.")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the frame (default: 10,000,000)")
    rows = parser.parse_args().rows
    print(section(measure(rows, lambda text: print(text, file=sys.stderr, flush=True))))


if __name__ == "__main__":
    main()
