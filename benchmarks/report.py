"""Measurements to Markdown tables.

It measures nothing; what the machine is, is in `machine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.cases import Case
from benchmarks.jobs import Entry, Measured

_UNITS = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left and all others to the right."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))


def seconds(value: float) -> str:
    """A time in three digits and the unit that fits."""
    scale, unit = next((pair for pair in reversed(_UNITS) if value >= pair[0]), _UNITS[0])
    scaled = value / scale
    return f"{scaled:.{max(0, 2 - len(str(int(scaled))) + 1)}f} {unit}"


def ratio(value: float) -> str:
    """Our time over another's, in words: below 1 ours is the faster."""
    return f"{_digits(1 / value)} × faster" if value < 1 else f"{_digits(value)} × its time"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def section(case: Case, found: Sequence[Measured]) -> str:
    """A case: its heading, what was asked, the table, and the notes."""
    lines = [f"### {case.title} (`{case.key}`)"]
    if case.job is not None:
        lines += [f"{case.job.rows:,} rows, {case.job.draws:,} drawn. {case.note}", ""]
    else:
        lines += [case.note, ""]
    header = ["", "median", "min … max", "rounds", "ours is", "target", "met"]
    lines.append(table(header, [_line(each, found[0]) for each in found]))
    notes = [f"* {each.entry.name}: {each.entry.note}." for each in found if each.entry.note]
    if case.job is None and all(each.seconds for each in found):
        by_minima = ratio(min(found[0].seconds) / min(found[1].seconds))
        notes.append(f"* By the minima of both, ours is {by_minima}.")
    return "\n".join([*lines, "", *notes]).rstrip() + "\n"


def _line(measured: Measured, ours: Measured) -> list[str]:
    entry = measured.entry
    target = str(entry.target) if entry.target else ""
    if measured.fault or not measured.seconds:
        return [entry.name, measured.fault or "not timed", "", "", "", target, ""]
    spread = f"{seconds(min(measured.seconds))} … {seconds(max(measured.seconds))}"
    cells = [entry.name, seconds(measured.median), spread, str(len(measured.seconds))]
    if measured is ours or not ours.seconds:
        return [*cells, "", target, ""]
    value = ours.median / measured.median
    return [*cells, ratio(value), target, met(entry, value)]


def met(entry: Entry, value: float) -> str:
    """Whether an entry's target is met by a ratio, our time over its; nothing where it has none."""
    return "" if entry.target is None else "yes" if entry.target.met(value) else "**no**"
