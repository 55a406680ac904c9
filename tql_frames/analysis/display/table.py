"""A report as people read it: its tables, and the sentences below them. What the numbers mean is told in `report`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

from tql_frames.analysis.display.plot import COLOURS
from tql_frames.analysis.markup import Cell, Column, html_table, text_table
from tql_frames.analysis.solver import NO_LABEL
from tql_frames.language import on_one_line

_WIDTH = 60  # characters of an arm in text
_LINES = 60  # of a printed result; what is beyond is told in a line
_SENTENCES = 10
_TEXT = 26  # lines of a sampler
_ARMS = 20  # columns of the table that shows how arms move labels

_COLUMNS = {
    "rows": Column("rows", ","),
    "decides": Column("decides", ","),
    "share": Column("share", ".2%", COLOURS["raw"]),
    "expected_share": Column("expected share", ".2%", COLOURS["expected"]),
    "expected_count": Column("expected draws", ",.1f"),
    "asked": Column("asked", "g"),
    "factor": Column("factor", ".3g"),
    "drawn": Column("drawn", ","),
    "drawn_share": Column("drawn share", ".2%", COLOURS["drawn"]),
}


@dataclass(frozen=True)
class Shown:
    """A table to show.

    Attributes:
        caption: what it is about.
        columns: how its cells are written.
        rows: its cells.
        note: a line below it; empty for none.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]
    note: str = ""

    def text(self, most: int | None = None) -> str:
        """Return aligned lines.

        Args:
            most: rows to show; of more, half of this from both ends, and a line says how many are between.
        """
        left_out = 0 if most is None else max(len(self.rows) - most, 0)
        top = len(self.rows) if not left_out else ((most or 0) + 1) // 2
        rows = [
            [_shortened(column.text(cell)) for column, cell in zip(self.columns, row, strict=True)]
            for row in (*self.rows[:top], *self.rows[top + left_out :])
        ]
        lines = text_table([column.title for column in self.columns], rows).split("\n")
        if left_out:
            lines.insert(top + 1, f"… {left_out:,} rows between …")
        return "\n".join([*lines, *([self.note] if self.note else [])])

    @property
    def html(self) -> str:
        """A table for notebooks."""
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return html_table(self.caption, self.columns, self.rows) + note


def effects(table: pl.DataFrame, title: str) -> Shown:
    """Show labels or arms, the first column of a table, before and after."""
    names = [name for name in table.columns if name in _COLUMNS]
    rows = [(name_of(first), *rest) for first, *rest in table.select(table.columns[0], *names).iter_rows()]
    return Shown(f"Rows by {title}", (names_of(title), *(_COLUMNS[name] for name in names)), rows)


def co_movement(table: pl.DataFrame, title: str, numbers: Sequence[int]) -> Shown:
    """Show the factors by which arms, known by their numbers, move labels; of many arms the first."""
    columns = (names_of(title), *(Column(f"arm {number}", ".3g") for number in numbers[:_ARMS]))
    rows = [(name_of(first), *rest) for first, *rest in table[:, : len(columns)].iter_rows()]
    more = len(numbers) - _ARMS
    note = f"{more:,} more arms are in the attribute co_movement" if more > 0 else ""
    return Shown("Expected share with each arm over that without it", columns, rows, note)


def names_of(title: str) -> Column:
    """Return the column of labels or arms."""
    return Column(title, none=NO_LABEL)


def name_of(label: object) -> str | None:
    """Return a label as text, truth values as TQL writes them."""
    if label is None or isinstance(label, str):
        return label
    return str(label).lower() if isinstance(label, bool) else str(label)


def in_words(rows: int, size: int, *, replace: bool, effective: float, distinct: float, repeats: float) -> list[str]:
    """Return what the weights cost, a sentence a line."""
    how = "with" if replace else "without"
    return [
        f"{size:,} draws {how} replacement from {rows:,} rows",
        f"effective sample size (Kish): {effective:,.0f} rows of equal weight, {_percent(effective, rows)} of all",
        f"expected different rows: {distinct:,.0f}, {_percent(distinct, rows)} of all",
        f"the most probable row is expected {repeats:.3g} times",
    ]


def as_text(tables: Sequence[Shown], sentences: Sequence[str], *, above: str = "") -> str:
    """Return tables and sentences, an empty line between them, in at most 60 lines.

    Args:
        tables: a table that is too long loses rows in its middle.
        sentences: the last ones are left out where there are many.
        above: text before the tables, which is counted, too.
    """
    said = list(map(on_one_line, sentences))
    if len(said) > _SENTENCES:
        said[_SENTENCES - 1 :] = [f"… {len(said) - _SENTENCES + 1:,} more lines of this kind"]
    before = [above] if above else []
    after = ["\n".join(said)] if said else []
    rest = _LINES - sum(section.count("\n") + 2 for section in (*before, *after)) + 1
    rest -= sum(3 if table.note else 2 for table in tables)  # header, note, and an empty line
    texts: dict[int, str] = {}
    for place in sorted(range(len(tables)), key=lambda place: len(tables[place].rows)):
        share = rest // (len(tables) - len(texts))
        rows = len(tables[place].rows)
        texts[place] = tables[place].text(None if rows <= share else share - 1)
        rest -= min(rows, share)
    return "\n\n".join([*before, *(texts[place] for place in range(len(tables))), *after])


def cut_in_the_middle(text: str, rest: str) -> str:
    r"""Return the first and the last lines of a long text, and between them how many are left out.

    Args:
        text: of any number of lines.
        rest: where all of it is.

    Example:
        >>> cut_in_the_middle("\n".join(map(str, range(1000))), "in `numbers`").split("\n")[22:]
        ['22', '… 974 lines between, in `numbers` …', '997', '998', '999']
    """
    lines = text.split("\n")
    left_out = len(lines) - _TEXT
    if left_out <= 0:
        return text
    return "\n".join([*lines[: _TEXT - 3], f"… {left_out:,} lines between, {rest} …", *lines[-3:]])


def as_html(tables: Sequence[Shown], sentences: Sequence[str]) -> str:
    """Return the same for notebooks."""
    return "".join(_html(tables, sentences))


def _html(tables: Sequence[Shown], sentences: Sequence[str]) -> Iterator[str]:
    yield from (table.html for table in tables)
    if sentences:
        yield f"<p>{'<br>'.join(map(escape, sentences))}</p>"


def _percent(part: float, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _shortened(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
