"""Tables of labels and numbers, as HTML for notebooks and as aligned text for terminals.

What stands in them is the caller's. The HTML has no scripts, fetches nothing, and takes its colours from the page, so
that it can be read in light and dark notebooks.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from tql_frames.language import on_one_line

ROWS = 300  # that the HTML shows; of more, half of this from both ends

Cell = str | float | None

_ZERO = re.compile(r"[+-](?=0(\.0*)?%?$)")  # the sign of what is rounded to nothing

# Every rule begins with the class, lest it reaches other tables of the page; twice, lest the page's rules win.
# The names that begin with --jp and --vscode are the colours of JupyterLab, Notebook and VS Code.
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
class Column:
    """A column of a table: its title, and how its cells are written.

    Attributes:
        title: above the cells.
        form: of its numbers, as `format` takes it; without one, cells are text.
        bar: colour of a bar under each number, for shares: the greatest number with a bar has the longest; None for no
            bars.
        none: what stands for null in a column of text.

    Example:
        >>> share = Column("share of rows", ".2%")
        >>> share.text(0.125), share.text(None), share.text(float("nan")), Column("finding").text(None)
        ('12.50%', '-', '-', 'null')
    """

    title: str
    form: str = ""
    bar: str | None = None
    none: str = "null"

    def text(self, cell: Cell) -> str:
        """Return what stands in a cell: null in a column of text, a dash for a number that there is not."""
        if cell is None:
            return "-" if self.form else self.none
        if isinstance(cell, float) and math.isnan(cell):
            return "-"
        return _ZERO.sub("", format(cell, self.form)) if self.form else format(cell)


def html_table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table for `_repr_html_`.

    Args:
        caption: above the table.
        columns: the first is the column of labels, set left; a long label is cut, and whole in its tooltip.
        rows: a cell a column. Of more than 300 the 150 first and the 150 last are shown, and how many are between.

    Example:
        >>> html = html_table("Rows by view", [Column("view"), Column("rows", ",")], [("PA", 1200), (None, 3)])
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
    """Return aligned lines of text, the first column set left, the others right, under their header.

    Example:
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
    """Return columns of a terminal: 2 for East Asian wide and emoji, 0 for combining marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _html_row(columns: Sequence[Column], row: Sequence[Cell], greatest: float) -> str:
    label, *cells = row
    text = escape(columns[0].text(label))
    shown = f"<i>{text}</i>" if label is None else text
    html = [f'<th scope="row" title="{text}">{shown}</th>']
    for column, cell in zip(columns[1:], cells, strict=True):
        text = escape(column.text(cell))
        if column.bar is None:
            html.append(f"<td>{text}</td>")
            continue
        # In em, not percent: columns are as wide as their titles, and the bars of all are to be compared.
        width = 7 * _number(cell) / greatest if greatest else 0.0
        bar = f'<b style="width:{width:.2f}em;background:{column.bar}"></b>' if width else ""
        html.append(f'<td class="tql-bar">{text}{bar}</td>')
    return f"<tr>{''.join(html)}</tr>"


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) and math.isfinite(cell) else 0.0
