"""Tables as HTML and as text: everything escaped, aligned, and nothing left out in silence."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tql_frames.analysis.display.table import Cell, TableColumn, html_table, text_table

COLUMNS = [
    TableColumn("finding"),
    TableColumn("rows", ","),
    TableColumn("share", ".2%", bar="#8a8a8a"),
    TableColumn("factor", ".3g"),
]
ROWS: list[tuple[Cell, ...]] = [("No_Finding", 60_412, 0.5388, 0.785), (None, 227, 0.002, None)]


class Reader(HTMLParser):
    """Cells of a table by row, and all tags and attributes; fails on tags that do not close in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"th", "td"} & set(self._open):
            self.rows[-1][-1] += data


def test_cells_are_written_by_their_column() -> None:
    assert Reader(html_table("Findings", COLUMNS, ROWS)).rows == [
        ["finding", "rows", "share", "factor"],
        ["No_Finding", "60,412", "53.88%", "0.785"],
        ["null", "227", "0.20%", "-"],
    ]


@pytest.mark.parametrize(
    ("column", "cell", "text"),
    [
        (TableColumn("a"), "b", "b"),
        (TableColumn("a"), None, "null"),
        (TableColumn("a"), "", ""),
        (TableColumn("a", ","), 1234, "1,234"),
        (TableColumn("a", ","), None, "-"),
        (TableColumn("a", ".2%"), float("nan"), "-"),
        (TableColumn("a", ".3g"), float("inf"), "inf"),
        (TableColumn("a", ".1f"), 0, "0.0"),
    ],
)
def test_text_of_a_cell(column: TableColumn, cell: Cell, text: str) -> None:
    assert column.text(cell) == text


def test_a_null_does_not_look_like_the_text_null() -> None:
    html = html_table("Findings", COLUMNS[:2], [(None, 1), ("null", 2)])
    assert re.findall(r"<th scope=\"row\"[^>]*>(.*?)</th>", html) == ["<i>null</i>", "null"]


def test_all_text_is_escaped() -> None:
    bad = "<script>alert('\"')</script> & $x$"
    html = html_table(bad, [TableColumn(bad), TableColumn(bad, ",")], [(bad, 1)])
    assert "<script" not in html
    read = Reader(html)
    assert read.rows == [[bad, bad], [bad, "1"]]
    assert [attributes["title"] for tag, attributes in read.tags if "title" in attributes] == [bad]
    assert {"tex2jax_ignore", "mathjax_ignore"} <= set((read.tags[0][1]["class"] or "").split())  # $x$ is no formula


def test_the_html_is_whole_and_keeps_to_itself() -> None:
    html = html_table("Findings", COLUMNS, ROWS)
    assert not re.search(r"http|url\(|@import|<script|\bid=|\bon\w+=", html)
    style = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)[0]
    assert all(rule.startswith(".tql-table") for rule in style.splitlines())  # no other table of the page is touched


def test_bars_of_all_columns_are_on_one_scale() -> None:
    columns = [
        TableColumn("finding"),
        TableColumn("share", ".0%", bar="red"),
        TableColumn("expected", ".0%", bar="blue"),
    ]
    html = html_table("Findings", columns, [("a", 0.8, 0.4), ("b", 0.2, 0.0), ("c", float("nan"), None)])
    bars = re.findall(r'<b style="width:([\d.]+)em;background:(\w+)">', html)
    assert [(float(width) / 7, colour) for width, colour in bars] == [
        (pytest.approx(1), "red"),
        (pytest.approx(0.5), "blue"),
        (pytest.approx(0.25), "red"),
    ]


def test_no_rows_are_an_empty_table() -> None:
    assert len(Reader(html_table("Findings", COLUMNS, [])).rows) == 1


@pytest.mark.parametrize("rows", [299, 300, 301, 1234])
def test_of_many_rows_both_ends_are_shown_and_it_says_so(rows: int) -> None:
    html = html_table("Findings", COLUMNS[:2], [(f"label {number}", number) for number in range(rows)])
    shown = [row[0] for row in Reader(html).rows[1:]]
    labels = [f"label {number}" for number in range(rows)]
    assert shown == (labels if rows <= 300 else [*labels[:150], f"… {rows - 300:,} rows between …", *labels[-150:]])


def test_text_is_aligned_to_the_left_and_then_to_the_right() -> None:
    assert text_table(("finding", "rows", "share"), [("Hernia", "227", "0.20%"), ("x", "60,412", "53.88%")]) == (
        "finding    rows   share\nHernia      227   0.20%\nx        60,412  53.88%"
    )


def test_text_of_wide_letters_is_aligned_too() -> None:
    wide = text_table(("name", "rows"), [("肺炎", "1"), ("é", "22"), ("e\N{COMBINING ACUTE ACCENT}", "3")])
    assert wide == "name  rows\n肺炎     1\né       22\ne\N{COMBINING ACUTE ACCENT}        3"


def test_a_line_of_text_stays_a_line() -> None:
    assert text_table(("a", "b"), [("x\ny\r\x1b[0m\u2028", "1")]).splitlines() == ["a          b", "x y  [0m   1"]


def test_text_without_rows_is_its_header() -> None:
    assert text_table(("finding", "rows"), []) == "finding  rows"
