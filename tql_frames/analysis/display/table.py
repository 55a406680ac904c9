"""Format tables as text, HTML and plain values, and cut those that are too long."""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import polars as pl

from tql_frames.analysis.display.plot import COLOURS
from tql_frames.analysis.solver import NO_LABEL
from tql_frames.language import on_one_line

ROWS = 300  # that the HTML shows; of a longer table, half of this from both ends

Cell = str | float | None

_ZERO = re.compile(r"[+-](?=0(\.0*)?%?$)")  # the sign of a number that is rounded to 0

# Every rule begins with the class, so that it does not match other tables of the page; twice, so that it overrides the
# page's rules. The names that begin with --jp and --vscode are the colours of JupyterLab, Notebook and VS Code.
_STYLE = """\
.tql-table.tql-table{margin:.5em 0;max-width:100%;color:inherit}
.tql-table.tql-table figcaption{margin:0 0 .4em;font-weight:600;text-align:left;color:inherit}
.tql-table.tql-table div{display:inline-block;max-width:100%;max-height:34em;overflow:auto}
.tql-table.tql-table table{margin:0;border-collapse:collapse;table-layout:auto;font-variant-numeric:tabular-nums}
.tql-table.tql-table :is(th,td){padding:.3em .5em .4em;border:0;text-align:right;vertical-align:baseline;\
white-space:nowrap;color:inherit;background:none}
.tql-table.tql-table thead th{white-space:normal;vertical-align:bottom;position:sticky;top:0;z-index:1;font-weight:600;\
background:var(--jp-layout-color0,var(--vscode-editor-background,Canvas));box-shadow:inset 0 -1px currentColor}
.tql-table.tql-table :is(th,td):first-child{max-width:clamp(9em,20vw,24em);overflow:hidden;text-overflow:ellipsis;\
text-align:left;font-weight:400}
.tql-table.tql-table thead th:first-child{font-weight:600}
.tql-table.tql-table tbody tr:nth-child(even){background:rgba(128,128,128,.1)}
.tql-table.tql-table tbody tr:nth-child(odd){background:none}
.tql-table.tql-table tbody tr:hover{background:rgba(128,128,128,.25)}
.tql-table.tql-table td{position:relative;min-width:3em}
.tql-table.tql-table td.tql-bar{min-width:5em}
.tql-table.tql-table b{position:absolute;font-size:.7em;left:.7em;bottom:.14em;height:3px;min-width:1px}
.tql-table.tql-table i{opacity:.7}
.tql-table.tql-table div{@media print{max-height:none;overflow:visible}}"""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table: its title, and the format of its cells.

    Attributes:
        title: text above the cells.
        form: format specification of the numbers; empty for a column of text.
        bar: colour of a bar under each number, for shares: the greatest number with a bar has the longest; None for no
            bars.
        none: text for null in a column of text.

    Examples:
        >>> share = TableColumn("share of rows", ".2%")
        >>> share.text(0.125), share.text(None), share.text(float("nan")), TableColumn("finding").text(None)
        ('12.50%', '-', '-', 'null')
    """

    title: str
    form: str = ""
    bar: str | None = None
    none: str = "null"

    def text(self, cell: Cell) -> str:
        """Return the text of a cell: a missing text is `none`, a missing number a dash."""
        if cell is None:
            return "-" if self.form else self.none
        if isinstance(cell, float) and math.isnan(cell):
            return "-"
        return _ZERO.sub("", format(cell, self.form)) if self.form else format(cell)


def html_table(caption: str, columns: Sequence[TableColumn], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table for `_repr_html_`.

    Args:
        caption: text above the table.
        columns: the first holds the labels and is left-aligned; a long label is cut, and complete in its tooltip.
        rows: one cell per column. Of more than 300 rows, the first 150 and the last 150 are shown, and the number of
            rows between.

    Examples:
        >>> html = html_table("By view", [TableColumn("view"), TableColumn("rows", ",")], [("PA", 1200), (None, 3)])
        >>> html[html.index("<tbody>") :].split("</tbody>")[0]
        '<tbody><tr><th scope="row" title="PA">PA</th><td>1,200</td></tr><tr><th ...><i>null</i></th><td>3</td></tr>'
    """
    half = ROWS // 2
    first, last = (rows, rows[:0]) if len(rows) <= ROWS else (rows[:half], rows[-half:])
    barred = [place for place, column in enumerate(columns) if column.bar]
    greatest = max((_number(row[place]) for row in (*first, *last) for place in barred), default=0.0)
    lines = [_html_row(columns, row, greatest) for row in first]
    if last:
        between = f"… {len(rows) - len(first) - len(last):,} rows between …"
        lines.append(f'<tr><th colspan="{len(columns)}"><i>{between}</i></th></tr>')
    lines += [_html_row(columns, row, greatest) for row in last]
    head = "".join(f'<th scope="col">{escape(column.title)}</th>' for column in columns)
    # The classes keep MathJax from reading dollar signs in labels as formulas.
    return (
        f'<figure class="tql-table tex2jax_ignore mathjax_ignore"><style>{_STYLE}</style>'
        f'<figcaption>{escape(caption)}</figcaption><div tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></figure>"
    )


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return lines of text below a header, the first column left-aligned, the others right-aligned.

    Examples:
        >>> print(text_table(("view", "rows"), [("PA", "1,200"), ("AP", "3")]))
        view   rows
        PA    1,200
        AP        3
    """
    lines = [list(map(on_one_line, row)) for row in (header, *rows)]
    widths = [max(map(_width, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell)) if place == 0 else " " * (width - _width(cell)) + cell
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _width(text: str) -> int:
    """Return the width in columns of a terminal: 2 for East Asian wide characters and emoji, 0 for combining marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _html_row(columns: Sequence[TableColumn], row: Sequence[Cell], greatest: float) -> str:
    label, *cells = row
    text = escape(columns[0].text(label))
    shown = f"<i>{text}</i>" if label is None else text
    html = [f'<th scope="row" title="{text}">{shown}</th>']
    for column, cell in zip(columns[1:], cells, strict=True):
        text = escape(column.text(cell))
        if column.bar is None:
            html.append(f"<td>{text}</td>")
            continue
        # In em, not percent: columns differ in width with their titles, and bars must be comparable across columns.
        width = 7 * _number(cell) / greatest if greatest else 0.0
        bar = f'<b style="width:{width:.2f}em;background:{column.bar}"></b>' if width else ""
        html.append(f'<td class="tql-bar">{text}{bar}</td>')
    return f"<tr>{''.join(html)}</tr>"


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) and math.isfinite(cell) else 0.0


_WIDTH = 60  # characters of an arm in text
_LINES = 60  # of a printed result; one line counts those left out
_SENTENCES = 10
_TEXT = 26  # lines of a sampler
_ARMS = 20  # columns of the table that shows how arms move labels

_COLUMNS = {
    "rows": TableColumn("rows", ","),
    "decides": TableColumn("decides", ","),
    "share": TableColumn("share", ".2%", COLOURS["raw"]),
    "expected_share": TableColumn("expected share", ".2%", COLOURS["expected"]),
    "expected_count": TableColumn("expected draws", ",.1f"),
    "requested_weight": TableColumn("requested weight", "g"),
    "factor": TableColumn("factor", ".3g"),
    "drawn": TableColumn("drawn", ","),
    "drawn_share": TableColumn("drawn share", ".2%", COLOURS["drawn"]),
}


@dataclass(frozen=True)
class Shown:
    """A table to show.

    Attributes:
        caption: subject of the table.
        columns: titles and formats.
        rows: cells.
        note: a line below the table; empty for none.
    """

    caption: str
    columns: tuple[TableColumn, ...]
    rows: list[tuple[Cell, ...]]
    note: str = ""

    def text(self, most: int | None = None) -> str:
        """Return aligned lines.

        Args:
            most: rows to show; of a longer table, half of this from both ends, and a line that counts the rows between.
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
    """Return a table of the effects on labels or arms, the first column of `table`."""
    names = [name for name in table.columns if name in _COLUMNS]
    rows = [(name_of(first), *rest) for first, *rest in table.select(table.columns[0], *names).iter_rows()]
    return Shown(f"Rows by {title}", (names_of(title), *(_COLUMNS[name] for name in names)), rows)


def co_movement(table: pl.DataFrame, title: str, numbers: Sequence[int]) -> Shown:
    """Return a table of the factors by which arms change the shares of labels; columns are numbered, at most 20."""
    columns = (names_of(title), *(TableColumn(f"arm {number}", ".3g") for number in numbers[:_ARMS]))
    rows = [(name_of(first), *rest) for first, *rest in table[:, : len(columns)].iter_rows()]
    more = len(numbers) - _ARMS
    note = f"{more:,} more arms are in the attribute co_movement" if more > 0 else ""
    return Shown("Expected share with each arm over that without it", columns, rows, note)


def names_of(title: str) -> TableColumn:
    """Return the column of labels or arms."""
    return TableColumn(title, none=NO_LABEL)


def name_of(label: object) -> str | None:
    """Return a label as text, Booleans as TQL writes them."""
    if label is None or isinstance(label, str):
        return label
    return str(label).lower() if isinstance(label, bool) else str(label)


def in_words(rows: int, size: int, *, replace: bool, effective: float, distinct: float, repeats: float) -> list[str]:
    """Return what the weights cost, one sentence per line."""
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
        sentences: the last ones are left out if there are many.
        above: text before the tables; its lines count, too.
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
    r"""Return the first and the last lines of a long text, and a line between them that counts those left out.

    Args:
        text: of any number of lines.
        rest: where the whole text is.

    Examples:
        >>> cut_in_the_middle("\n".join(map(str, range(1000))), "in `numbers`").split("\n")[22:]
        ['22', '… 974 lines between, in `numbers` …', '997', '998', '999']
    """
    lines = text.split("\n")
    left_out = len(lines) - _TEXT
    if left_out <= 0:
        return text
    return "\n".join([*lines[: _TEXT - 3], f"… {left_out:,} lines between, {rest} …", *lines[-3:]])


def as_html(tables: Sequence[Shown], sentences: Sequence[str]) -> str:
    """Return tables and sentences as HTML for notebooks."""
    return "".join(_html(tables, sentences))


def titled_text(title: str, lines: Sequence[tuple[str, str]]) -> str:
    """Return the title, and the indented lines below it.

    Examples:
        >>> print(titled_text("View of 3 rows", [("seed", "7"), ("drawn", "with replacement")]))
        View of 3 rows
          seed   7
          drawn  with replacement
    """
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join([title, *(f"  {name:{width}}  {on_one_line(text)}" for name, text in lines)])


def titled_html(title: str, lines: Sequence[tuple[str, str]], sections: Sequence[str]) -> str:
    """Return title and lines as HTML for notebooks, with further sections of HTML below."""
    # The class keeps MathJax from reading dollar signs in samplers as formulas.
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in lines
    )
    table = f"<table>{rows}</table>"
    return f'<div class="tex2jax_ignore mathjax_ignore"><b>{escape(title)}</b>{table}{"".join(sections)}</div>'


def _html(tables: Sequence[Shown], sentences: Sequence[str]) -> Iterator[str]:
    yield from (table.html for table in tables)
    if sentences:
        yield f"<p>{'<br>'.join(map(escape, sentences))}</p>"


def _percent(part: float, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _shortened(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


Plain = str | int | float | bool | list["Plain"] | dict[str, "Plain"] | None


def plain(value: object) -> Plain:
    """Convert a value to one that JSON can write.

    Dates and times become ISO text, NaN and infinity their names, and decimals and other values their text.

    Examples:
        >>> from decimal import Decimal
        >>> plain([dt.date(2024, 5, 1), Decimal("1.10"), float("nan"), None, True])
        ['2024-05-01', '1.10', 'nan', None, True]
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return str(value)


def records(table: pl.DataFrame | None) -> Plain:
    """Convert a table to a list with a dictionary for each row; None stays None.

    Examples:
        >>> records(pl.DataFrame({"label": ["PA", None], "rows": [3, 1]}))
        [{'label': 'PA', 'rows': 3}, {'label': None, 'rows': 1}]
    """
    return None if table is None else plain(table.to_dicts())
