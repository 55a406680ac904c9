"""Pages and public docstrings avoid the words that `tools/prose.py` lists, and it finds them."""

from __future__ import annotations

import doctest

import pytest

from tests.pages import ROOT
from tools import prose


@pytest.mark.parametrize(
    "path", [path for path in prose.PAGES if path not in prose.GENERATED], ids=lambda path: path.name
)
def test_pages_avoid_the_words(path: object) -> None:
    text = (ROOT / str(path)).read_text(encoding="utf-8")
    assert list(prose.check(str(path), text)) == []


def test_docstrings_of_the_reference_avoid_the_words() -> None:
    found = dict(prose.docstrings())
    assert {"tql_frames.sample", "tql_frames.View.save", "tql_frames.namespace.DataFrameNamespace.query"} <= set(found)
    assert [finding for name, text in found.items() for finding in prose.check(name, text)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The report tells the shares.", ["tells"]),
        ("Of a LazyFrame nothing runs.", ["Of a"]),
        ("A sample of a LazyFrame.", []),
        ("The rows, which come once,\nare numbered anew.", ["come once", "anew"]),
        ("`tells` is code.", []),
        ("```text\nIt says so.\n```\n\nIt hands over rows.", ["hands over"]),
        ("See [what it says](tells.md).", ["says"]),
        (" ".join(["word"] * 46) + ".", ["word word word word word word …"]),
        (" ".join(["word"] * 45) + ".", []),
    ],
)
def test_words_are_found_outside_of_code(text: str, found: list[str]) -> None:
    assert [finding.text for finding in prose.check("page", text)] == found


def test_a_finding_has_its_line() -> None:
    (finding,) = prose.check("page", "# Title\n\n```python\nx = 1\n```\n\nThe error tells the column.\n")
    assert (finding.line, finding.hint) == (7, prose.RULES[r"tells?|told"])


def test_examples_show_what_they_say() -> None:
    assert doctest.testmod(prose).failed == 0
