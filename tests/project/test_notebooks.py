"""Notebooks are stored as run, with pictures of charts, numbers that a cell printed, and links that lead on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pages import ROOT
from tools import prose

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGE = "https://github.com/tql-frames/tql-frames/blob/main/"
NUMBER = re.compile(r"(?<![\w.])\d[\d,_]*(?:\.\d+)?")
COUNTED = {str(number) for number in range(1, 13)}  # items of a list, steps, columns: what a reader counts

pytestmark = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == kind]


def texts(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in cells(path, "markdown")]


def outputs(path: Path) -> list[dict[str, Any]]:
    return [output for cell in cells(path, "code") for output in cell["outputs"]]


def numbers(text: str) -> set[str]:
    return {number.rstrip(",").replace(",", "").replace("_", "") for number in NUMBER.findall(text)}


def test_there_are_notebooks(path: Path) -> None:
    assert len(PATHS) == 6 and path in PATHS


def test_every_cell_was_run_in_order_without_an_error(path: Path) -> None:
    assert [cell["execution_count"] for cell in cells(path, "code")] == list(range(1, len(cells(path, "code")) + 1))
    assert {output["output_type"] for output in outputs(path)} <= {"execute_result", "display_data", "stream"}
    assert not [output for output in outputs(path) if output.get("name") == "stderr"]
    assert len(outputs(path)) >= 4


def test_nothing_of_the_machine_is_stored(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert " at 0x" not in text  # an object without a text of its own
    assert not re.findall(r"(?:/home/|/root/|/tmp/|/work/|/Users/|[A-Z]:\\\\)[\w./]*", text)
    assert all(cell["metadata"] == {} for kind in ("code", "markdown") for cell in cells(path, kind))
    assert set(read(path)["metadata"]) == {"kernelspec", "language_info"}


def test_charts_are_pictures_and_tables_have_a_text(path: Path) -> None:
    kinds = [set(output["data"]) for output in outputs(path) if "data" in output]
    shown = {"image/svg+xml", "image/png", "text/html", "text/plain"}  # a stored widget is an error without a kernel
    assert all("text/plain" in kind and kind <= shown for kind in kinds)
    assert any("text/html" in kind for kind in kinds)
    plots = [cell for cell in cells(path, "code") if re.search(r"\.plot\(|alt\.Chart", "".join(cell["source"]))]
    assert all("image/svg+xml" in cell["outputs"][-1]["data"] for cell in plots)
    assert not [output for output in outputs(path) if "<script" in json.dumps(output)]


def test_it_begins_with_what_one_learns_and_ends_with_links(path: Path) -> None:
    first, *_, last = texts(path)
    assert re.match(r"# .+\n\nIn this notebook you learn to\n\n(?:\* .+\n){2,}\n", first)
    _, found, links = last.partition("## Next steps\n")
    assert found and len(LINK.findall(links)) >= 3


def test_links_lead_to_pages_and_notebooks(path: Path) -> None:
    for link in [link for text in texts(path) for link in LINK.findall(text)]:
        place = link.removeprefix(PAGE)
        file = ROOT / place if place != link else path.parent / place
        assert file.is_file(), link
        assert (place != link) == link.endswith(".md"), link  # pages by address, what is beside it by name


def test_a_cell_printed_every_number_of_the_text(path: Path) -> None:
    printed = "".join(json.dumps(output.get("data", output.get("text"))) for output in outputs(path))
    written = "\n".join("".join(cell["source"]) for cell in cells(path, "code"))
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", "", "\n".join(texts(path)))
    assert numbers(text) - numbers(printed) - numbers(written) - COUNTED == set()


def test_the_text_avoids_the_words(path: Path) -> None:
    assert [finding for text in texts(path) for finding in prose.check(path.name, text)] == []
