"""A report as people read it: its tables, and the sentences below them. What the numbers mean is told in `report`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

from tql_frames.analysis.markup import Cell, Column, html_table, text_table
from tql_frames.analysis.plot import COLOURS

_WIDTH = 60  # characters of an arm in text

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
    """

    caption: str
    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]

    @property
    def text(self) -> str:
        """Aligned lines."""
        rows = [
            [_shortened(column.text(cell)) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows
        ]
        return text_table([column.title for column in self.columns], rows)

    @property
    def html(self) -> str:
        """A table for notebooks."""
        return html_table(self.caption, self.columns, self.rows)


def effects(table: pl.DataFrame, title: str) -> Shown:
    """Labels or arms, the first column of a table, before and after."""
    names = [name for name in table.columns if name in _COLUMNS]
    rows = [(name_of(first), *rest) for first, *rest in table.select(table.columns[0], *names).iter_rows()]
    return Shown(f"Rows by {title}", (Column(title), *(_COLUMNS[name] for name in names)), rows)


def co_movement(table: pl.DataFrame, title: str, numbers: Sequence[int]) -> Shown:
    """The factors by which arms, known by their numbers, move labels."""
    columns = (Column(title), *(Column(f"arm {number}", ".3g") for number in numbers))
    rows = [(name_of(first), *rest) for first, *rest in table.iter_rows()]
    return Shown("Expected share with each arm over that without it", columns, rows)


def name_of(label: object) -> str | None:
    """A label as text, truth values as TQL writes them."""
    if label is None or isinstance(label, str):
        return label
    return str(label).lower() if isinstance(label, bool) else str(label)


def in_words(rows: int, size: int, *, replace: bool, effective: float, distinct: float, repeats: float) -> list[str]:
    """What the weights cost, a sentence a line."""
    how = "with" if replace else "without"
    return [
        f"{size:,} draws {how} replacement from {rows:,} rows",
        f"effective sample size (Kish): {effective:,.0f} rows of equal weight, {_percent(effective, rows)} of all",
        f"expected different rows: {distinct:,.0f}, {_percent(distinct, rows)} of all",
        f"the most probable row is expected {repeats:.3g} times",
    ]


def as_text(tables: Sequence[Shown], sentences: Sequence[str]) -> str:
    """Tables and sentences, an empty line between them."""
    return "\n\n".join([*(table.text for table in tables), *(["\n".join(sentences)] if sentences else [])])


def as_html(tables: Sequence[Shown], sentences: Sequence[str]) -> str:
    """The same for notebooks."""
    return "".join(_html(tables, sentences))


def _html(tables: Sequence[Shown], sentences: Sequence[str]) -> Iterator[str]:
    yield from (table.html for table in tables)
    if sentences:
        yield f"<p>{'<br>'.join(map(escape, sentences))}</p>"


def _percent(part: float, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _shortened(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
