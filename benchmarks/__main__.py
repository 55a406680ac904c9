"""The command `python -m benchmarks`: run the cases, print the report, write it to files and into the pages.

What is run is in `cases`, `memory`, `large` and `distributed`, how in `rounds`, what is printed in `report`, what pages
show of it in `pages`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import distributed, imports, large, machine, memory, pages, report, rounds
from benchmarks.cases import Case, cases
from benchmarks.jobs import Measured

_MEMORY, _LARGE, _PLAN = "memory", "large", "plan"
_ROWS, _ROUNDS = 10_000_000, 5
_FEWER = 3  # rounds of what takes minutes: files of twice the rows, and the engines


def main() -> None:
    """Run the cases that the command line names; print and write each table as soon as it is there."""
    keys = [*(case.key for case in cases(1)), _MEMORY, _LARGE, *distributed.ENGINES, _PLAN]
    parser = _parser(keys)
    options = parser.parse_args()
    if options.record and (options.rows, options.rounds) != (_ROWS, _ROUNDS):
        parser.error("a recorded run has the standard size: --record goes without --rows and --rounds")
    wanted = keys if options.cases is None else options.cases
    found = machine.describe()
    text = f"## Benchmarks\n\n{machine.as_text(found)}\n\n{_HOW_TO_READ}\n"
    print(text)
    values: dict[str, Any] = {"machine": found, "rows": options.rows, "cases": {}}
    sections: dict[str, str] = {}
    for key, section, measured in _sections(wanted, options.rows, options.rounds):
        print(section)
        sections[key] = section
        text += f"\n{section}"
        values["cases"][key] = measured
        if options.out:
            options.out.write_text(text, encoding="utf-8")
        if options.json:
            options.json.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.record:
        whole = text.replace("## Benchmarks\n", pages.INTRODUCTION, 1)
        whole = f"{whole}\n{pages.TRIED.read_text(encoding='utf-8')}"
        if options.cases is not None:
            whole = pages.recorded()
            for key, section in sections.items():
                whole = pages.renewed(whole, key, section, found["commit"])
        pages.record(whole)
        pages.main()


def _sections(wanted: list[str], rows: int, number: int) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Key, Markdown and plain values of each case that is wanted."""
    for case in cases(rows):
        if case.key in wanted:
            _say(f"{case.key}: {case.title}")
            measured = _measure(case, number)
            yield case.key, report.section(case, measured), [_plain(each) for each in measured]
    if _MEMORY in wanted:
        peaks = memory.measure(rows, _say)
        plain = [{"name": call.name, "allowed": call.allowed, **peak} for call, peak in peaks]
        yield _MEMORY, memory.section(peaks), plain
    number = min(number, _FEWER)
    if _LARGE in wanted:
        yield _LARGE, large.run(2 * rows, number), []
    for engine in distributed.ENGINES:
        if engine in wanted:
            yield engine, distributed.run(engine, 2 * rows, number), []
    if _PLAN in wanted:
        yield _PLAN, distributed.plan(100 * rows, max(1, rows // 1000), 10 * rows), []


_HOW_TO_READ = (
    "Every contestant has a process of its own; they run in turns, round by round, after a first call whose counts "
    "were checked. The ratio is that of the medians. What bounds a call are bare loops of the same reads in the same "
    "threads, which draw by no weights."
)


def _measure(case: Case, number: int) -> list[Measured]:
    if case.job is None:
        return imports.measure(case.entries, number, _say)
    return rounds.measure(case.entries, case.job, min(number, case.rounds), _say)


def _plain(measured: Measured) -> dict[str, Any]:
    return {
        "name": measured.entry.name,
        "seconds": measured.seconds,
        "first_call": measured.warm_up,
        "fault": measured.fault,
    }


def _parser(keys: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="tql-frames and its peers, in turns.")
    parser.add_argument("--rows", type=int, default=_ROWS, help="rows of the standard frame (default: 10,000,000)")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="timed calls of each contestant (default: 5)")
    parser.add_argument("--cases", nargs="+", choices=keys, metavar="CASE", help=f"some of: {', '.join(keys)}")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the Markdown there too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single time there")
    record = (
        "when all is measured, write the report, or the cases, to docs/benchmarks*.md and the figures into the pages"
    )
    parser.add_argument("--record", action="store_true", help=record)
    return parser


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
