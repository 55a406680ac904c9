"""The tables of figures in README and guides, copied from the last report of a whole run.

`python -m benchmarks.pages` writes them between their markers; a test makes sure that they stand there as they would be
written. The report is `docs/benchmarks.md` and, for what is large, `docs/benchmarks-large.md`; `python -m benchmarks
--record` writes both.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import table
from benchmarks.rounds import ROOT

REPORT = ROOT / "docs" / "benchmarks.md"
LARGE_REPORT = ROOT / "docs" / "benchmarks-large.md"
TRIED = ROOT / "benchmarks" / "tried.md"  # written by hand; it ends the report
_README = "https://github.com/tql-frames/tql-frames/blob/main/benchmarks/README.md"  # the site shows the report, too
INTRODUCTION = f"""# The last run of the benchmarks

What `make bench ARGS=--record` printed, in one run, as it was printed. A case that was measured again names what it
was before. Memory, large files and clusters have [a page of their own](benchmarks-large.md).
[`benchmarks/README.md`]({_README}) describes how it measures.
"""
_LARGE_INTRODUCTION = """# The last run: memory, large files, clusters

The rest of [the report](benchmarks.md), which names the machine and the libraries.
"""
_ON_THE_LARGE_PAGE = ("memory", "large", "dask", "spark", "plan")
_AGAIN = "* Measured again"
_NOT_MEASURED = {"", "rounds", "rows", "drawn", "imports", "target", "limit", "allowed", "met", "reached"}

# What speed.md calls a job, the key of its section in the report, a peer there, and the line of ours beside it.
_BY_HAND = "NumPy by hand: sorted uniforms, `searchsorted`, `shuffle`"
_KEYS_BY_HAND = "NumPy by hand: `argpartition` of exponentials over weights"
_CHOICE, _CHOICE_WITHOUT = "NumPy: `Generator.choice(p=p)`", "NumPy: `Generator.choice(p=p, replace=False)`"
_BULK = "PyTorch in bulk: the columns, `sampler=BatchSampler(…), batch_size=None`"
_BULK_MATRIX = "PyTorch in bulk: the matrix and the row numbers"
_SAMPLER = "tql-frames: `DataLoader(TQLDataset(df), 256, sampler=TQLSampler(df, …))`"
_VIEW = "tql-frames: `DataLoader(view.to_torch(), 256, shuffle=True)`"
_OWN = "the engine's own, uniform"
_TENTH = "tql-frames: a tenth, without replacement"
_UNIFORM = "Polars, uniform: `df.sample(n, with_replacement=True)`"
_RACE = "Polars: `df.bottom_k(n, by=exponential / w)`"
_ENGINE_NAMES = {"dask": "Dask, uniform: `ddf.sample(frac=)`", "spark": "Spark, uniform: `df.sample(fraction)`"}
SPEED: tuple[tuple[str, str, str, str], ...] = (
    ("whole call, Polars frame, with replacement", "polars", _UNIFORM, ""),
    ("whole call, pandas frame, with replacement", "pandas", "pandas: `pdf.sample(n, weights=w, replace=True)`", ""),
    ("", "pandas", f"{_BY_HAND}, and `pdf.take`", ""),
    ("", "pandas", "imbalanced-learn: `RandomOverSampler` of positions, and `pdf.take`", ""),
    ("draw alone, with replacement", "draw", _CHOICE, ""),
    ("", "draw", _BY_HAND, ""),
    ("", "draw", "PyTorch: `multinomial`", ""),
    ("", "draw", "PyTorch: `list(WeightedRandomSampler)`", ""),
    ("draw alone, without, a tenth", "draw-without", _CHOICE_WITHOUT, ""),
    ("", "draw-without", _KEYS_BY_HAND, ""),
    ("", "draw-without", "PyTorch: `multinomial(replacement=False)`", ""),
    ("whole call, without, a tenth", "whole-without", "DuckDB: `order by -ln(1 - random()) / w limit n`", ""),
    ("", "whole-without", _RACE, ""),
    ("draw alone, continuous weights", "column", _CHOICE, ""),
    ("", "column", _BY_HAND, ""),
    ("the same without, a tenth", "column-without", _CHOICE_WITHOUT, ""),
    ("", "column-without", _KEYS_BY_HAND, ""),
    ("whole call, five `contains` on lists, half of the rows", "lists", "Polars, five `list.contains` alone", ""),
    ("whole call, 1,000 rows", "small", "Polars by hand: weights in a `select`, a take of random rows", ""),
    ("import", "import", "`import polars, pandas`", ""),
    ("an epoch of 391 batches, PyTorch's `DataLoader`", "loader", _BULK, ""),
    ("", "loader", _BULK_MATRIX, ""),
    ("the same with two workers", "loader-workers", _BULK, ""),
    ("", "loader-workers", _BULK_MATRIX, ""),
    ("Dask, 20 million rows from Parquet to Parquet, a tenth", "dask", _OWN, _TENTH),
    ("Spark, the same", "spark", _OWN, _TENTH),
    ("whole call, 1 million rows", "deeplake", "Deep Lake: `select * sample by … limit n`", ""),
)
# The rows of README: what it calls a job, the section of the report, the peer there, and the line of ours beside it.
SUMMARY: tuple[tuple[str, str, str, str], ...] = (
    ("sample of a Polars frame", "polars", _UNIFORM, ""),
    ("sample of a pandas frame", "pandas", "pandas: `pdf.sample(n, weights=w, replace=True)`", ""),
    ("the same", "pandas", f"{_BY_HAND}, and `pdf.take`", ""),
    ("a tenth of a Polars frame, without replacement", "whole-without", _RACE, ""),
    ("391 batches drawn from a million rows, PyTorch's `DataLoader`", "loader", _BULK, ""),
    ("20 million rows on Spark, Parquet to Parquet, a tenth", "spark", _OWN, _TENTH),
)
BATCHES = {
    "`TQLDataset` with `TQLSampler`": _SAMPLER,
    "`view.to_torch()`, shuffled": _VIEW,
    "`TensorDataset` of the columns, in bulk: `sampler=BatchSampler(…), batch_size=None`": _BULK,
    "`TensorDataset` of one matrix, in bulk": _BULK_MATRIX,
    "`TensorDataset` of the columns, row by row": "PyTorch: `TensorDataset` of the columns, `WeightedRandomSampler`",
    "`TensorDataset` of one matrix, row by row": (
        "PyTorch: `TensorDataset` of a matrix and the row numbers, `WeightedRandomSampler`"
    ),
}
EPOCHS = {
    "`TQLSampler`, 20 million rows and draws": "tql-frames: `TQLSampler.draw(epoch)`",
    "`multinomial`, 16 million": "PyTorch: `multinomial`, four fifths of the rows and draws",
}
ENGINES = {
    "four arms, a tenth, without replacement": _TENTH,
    "the same, as many rows as there are, with replacement": (
        "tql-frames: as many rows as there are, with replacement"
    ),
    "a weight column, a tenth, with replacement": "tql-frames: a tenth, with replacement, by a weight column",
    "the same, without replacement": "tql-frames: a tenth, without replacement, by a weight column",
}
LARGE = {
    "1 percent without replacement, collected": "collected",
    "as many rows as the table has, with replacement, sunk to Parquet": "sunk",
    "the file six times over, 1 percent, sunk": "six",
}

Line = dict[str, str]


@dataclass(frozen=True)
class Pair:
    """A line of the report that compares: a peer's, and the line of ours above it."""

    ours: Line
    peer: Line

    @property
    def ratio(self) -> str:
        """How ours compares, and whether that misses the target."""
        return self.peer.get("ours is", "") + (", **missed**" if self.peer.get("met") == "**no**" else "")


@dataclass(frozen=True)
class Report:
    """A report, read back.

    Attributes:
        head: lines about the machine and the libraries.
        sections: the lines of each table by the key of its section; a cell by the head of its column, the first by "".
    """

    head: tuple[str, ...]
    sections: dict[str, list[Line]]

    def line(self, key: str, name: str) -> Line | None:
        """The line of a section that begins with a name, or None."""
        return next((line for line in self.sections.get(key, []) if line[""] == name), None)

    def pair(self, key: str, peer: str, ours: str = "") -> Pair | None:
        """A peer's line and that of ours it is compared with, the nearest above that is compared with none."""
        last: Line = {}
        for line in self.sections.get(key, []):
            if line[""] == peer and ours in ("", last.get("")):
                return Pair(last, line)
            if not line.get("ours is"):
                last = line
        return None

    def machine(self) -> str:
        """The head in one sentence."""
        values = dict(line[2:].split(": ", 1) for line in self.head)
        return (
            f"Measured at commit {values['commit']} on: {values['CPU']}; {values['memory']}; "
            f"Python {values['Python']}; {values['libraries']}."
        )


def read(text: str) -> Report:
    """Read a report.

    Example:
        >>> text = "* CPU: one\\n\\n### A draw (`draw`)\\n\\n|  | median |\\n| :-- | --: |\\n| ours | 5 ms |\\n"
        >>> read(text).sections
        {'draw': [{'': 'ours', 'median': '5 ms'}]}
    """
    head, *parts = re.split(r"^### ", text, flags=re.MULTILINE)
    sections = {}
    for part in parts:
        key = re.search(r"\(`([\w-]+)`\)", part.splitlines()[0])
        lines = [line[1:-1].split(" | ") for line in part.splitlines() if line.startswith("|")]
        if key and lines:
            header, _, *body = [[cell.strip() for cell in line] for line in lines]
            sections[key[1]] = [dict(zip(header, cells, strict=False)) for cells in body]
    return Report(tuple(line for line in head.splitlines() if line.startswith("* ")), sections)


def recorded() -> str:
    """The whole report of the last run, its two pages in one."""
    report, _, tried = REPORT.read_text(encoding="utf-8").partition("\n## ")
    _, found, rest = LARGE_REPORT.read_text(encoding="utf-8").partition("\n### ")
    return f"{report}{found}{rest}\n## {tried}"


def record(report: str) -> None:
    """Write a whole report as two pages."""
    keys = "|".join(_ON_THE_LARGE_PAGE)
    sections = re.compile(rf"^### [^\n]*\(`(?:{keys})`\)\n.*?\n(?=##)", flags=re.MULTILINE | re.DOTALL)
    REPORT.write_text(sections.sub("", report), encoding="utf-8")
    rest = "\n".join([_LARGE_INTRODUCTION, *(section.rstrip() + "\n" for section in sections.findall(report))])
    LARGE_REPORT.write_text(rest, encoding="utf-8")


def renewed(report: str, key: str, section: str, commit: str) -> str:
    """Replace a section of a report by one that was measured again; what was found before stays as a line below it.

    Example:
        >>> old = "### A draw (`draw`)\\n\\n|  | median |\\n| :-- | --: |\\n| ours | 9 ms |\\n\\n## Tried\\n"
        >>> new = "### A draw (`draw`)\\n\\n|  | median |\\n| :-- | --: |\\n| ours | 5 ms |\\n"
        >>> print(renewed(old, "draw", new, "abc1234"))
        ### A draw (`draw`)
        <BLANKLINE>
        |  | median |
        | :-- | --: |
        | ours | 5 ms |
        <BLANKLINE>
        * Measured again in a run of its own, at commit abc1234; before: ours (median 9 ms).
        <BLANKLINE>
        ## Tried
        <BLANKLINE>
    """
    found = re.search(rf"^### [^\n]*\(`{key}`\)\n.*?\n(?=##)", report, flags=re.MULTILINE | re.DOTALL)
    assert found, f"the report has no section {key!r}"
    before = []
    for line in read(found[0]).sections[key]:
        figures = {head: cell for head, cell in line.items() if cell and head not in _NOT_MEASURED}
        before.append(f"{line['']} ({', '.join(f'{head} {cell}' for head, cell in figures.items())})")
    earlier = [line for line in found[0].splitlines() if line.startswith(_AGAIN)]
    note = f"{_AGAIN} in a run of its own, at commit {commit}; before: {'; '.join(before)}."
    notes = "\n".join([*earlier, note])
    gap = "\n" if section.rstrip().splitlines()[-1].startswith("* ") else "\n\n"
    return f"{report[: found.start()]}{section.rstrip()}{gap}{notes}\n\n{report[found.end() :]}"


# --- the tables ------------------------------------------------------------------------------------------------------


def speed(report: Report) -> str:
    """The table of speed.md: each line is one of the report, missed targets included."""
    lines: list[list[str]] = []
    title = shown = ""
    for label, key, peer, ours in SPEED:
        title = label or title
        pair = report.pair(key, peer, ours)
        if pair is not None:
            cells = [pair.peer.get(name, "") for name in ("median", "ours is", "target", "met")]
            name = _ENGINE_NAMES.get(key, peer)
            lines.append(["" if title == shown else title, pair.ours.get("median", ""), name, *cells])
            shown = title
    header = ["", "tql-frames", "beside", "", "ours is", "target", "met"]
    return f"{table(header, lines)}\n\n{report.machine()}"


def summary(report: Report) -> str:
    """The table of README: six lines of the report, missed targets included."""
    lines = []
    for label, key, peer, ours in SUMMARY:
        pair = report.pair(key, peer, ours)
        if pair is not None:
            name = _ENGINE_NAMES.get(key, peer)
            lines.append([label, pair.ours.get("median", ""), name, pair.peer.get("median", ""), pair.ratio])
    return f"{table(['', 'tql-frames', 'compared with', '', 'ours is'], lines)}\n\n{report.machine()}"


def batches(report: Report) -> str:
    """The table of training.md: an epoch of batches."""
    lines = []
    for label, name in BATCHES.items():
        found = [report.line(key, name) for key in ("loader", "loader-workers")]
        if any(found):
            lines.append([label, *(line["median"] if line else "" for line in found)])
    return table(["", "no workers", "two workers"], lines)


def epochs(report: Report) -> str:
    """The table of training.md: the draw of an epoch."""
    found = [(label, report.line("epoch", name)) for label, name in EPOCHS.items()]
    lines = [[label, line["median"]] for label, line in found if line]
    return table(["the draw of an epoch", "time"], lines) if lines else ""


def engines(report: Report) -> str:
    """The table of distributed-costs.md."""
    lines = []
    for label, ours in ENGINES.items():
        pairs = [report.pair(key, _OWN, ours) for key in ("dask", "spark")]
        if any(pairs):
            cells = ([pair.ours["median"], pair.peer["median"], pair.ratio] if pair else ["", "", ""] for pair in pairs)
            lines.append([label, *(cell for three in cells for cell in three)])
    header = ["", "Dask, ours", "its `sample(frac=)`", "ours is", "Spark, ours", "its `sample`", "ours is"]
    return table(header, lines)


def plan(report: Report) -> str:
    """The second table of distributed-costs.md: the messages of a draw for many workers."""
    found = report.sections.get("plan", [])
    return table(list(found[0]), [list(line.values()) for line in found]) if found else ""


def large(report: Report) -> str:
    """The table of large-data.md."""
    lines = []
    for label, key in LARGE.items():
        line = next((line for line in report.sections.get("large", []) if f"(`{key}`)" in line[""]), None)
        if line is not None:
            pair = Pair({}, line)
            lines.append([label, line["rows"], line.get("peak (scan)", ""), line.get("time", ""), pair.ratio])
    return table(["", "rows", "peak (of the scan alone)", "time", "time by that of the yardstick"], lines)


TABLES = {
    ("README.md", "summary"): summary,
    ("docs/speed.md", "speed"): speed,
    ("docs/training.md", "batches"): batches,
    ("docs/training.md", "epochs"): epochs,
    ("docs/distributed-costs.md", "engines"): engines,
    ("docs/distributed-costs.md", "plan"): plan,
    ("docs/large-data.md", "large"): large,
}


def absent(report: Report) -> Iterator[str]:
    """Lines that pages would show, and the report does not have."""
    for _, key, peer, ours in SPEED:
        if report.pair(key, peer, ours) is None:
            yield f"{key}: {peer}"
    for key, names in (("loader", BATCHES), ("loader-workers", BATCHES), ("epoch", EPOCHS)):
        yield from (f"{key}: {name}" for name in names.values() if report.line(key, name) is None)
    for key in ("dask", "spark"):
        yield from (f"{key}: {name}" for name in ENGINES.values() if report.line(key, name) is None)
    yield from (key for key in ("large", "plan") if key not in report.sections)


def written(page: str, name: str, text: str) -> str:
    """A page with a table in its place."""
    start, end = f"<!-- benchmarks: {name} -->\n", "\n<!-- end of benchmarks -->"
    before, found, rest = page.partition(start)
    _, ended, after = rest.partition(end)
    assert found and ended, f"the page has no place for the table {name!r}"
    return f"{before}{start}\n{text}\n{end}{after}"


def main() -> None:
    """Write all tables, and name what the report does not have."""
    report = read(recorded())
    for (page, name), make in TABLES.items():
        path: Path = ROOT / page
        path.write_text(written(path.read_text(encoding="utf-8"), name, make(report)), encoding="utf-8")
    for line in absent(report):
        print(f"  not in the report: {line}", file=sys.stderr)


if __name__ == "__main__":
    main()
