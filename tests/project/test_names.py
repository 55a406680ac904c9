"""Docstrings and pages name modules that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import GUIDES
from tql_frames.compiler.expressions.functions import FUNCTIONS
from tql_frames.language import keywords

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tql_frames"
FILES = sorted(PACKAGE.rglob("*.py"))
PAGES = ["README.md", "CONTRIBUTING.md", *GUIDES]
LANGUAGE = {*FUNCTIONS, *keywords.RESERVED, *keywords.SOMETIMES}
# "What they weigh is told in `wording`", "found in `raking` and `added`"
PLACE = re.compile(r"\b(?:in|from|by)\s+(`[a-z_.]+`(?:(?:,|\s+and|\s+or|,\s+\w+\s+in)\s+`[a-z_.]+`)*)")


def _is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.removeprefix("tql_frames.").split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def unknown_modules(text: str, folder: Path) -> list[str]:
    """Names that a module's docstring gives for other modules, of its folder or the top, but that are none."""
    near = {path.stem for path in [*folder.glob("*.py"), *folder.iterdir(), *PACKAGE.iterdir()]}
    named = [name for places in PLACE.findall(text) for name in re.findall(r"`([a-z_.]+)`", places)]
    return [name for name in named if not (_is_module(name) if "." in name else name in near | LANGUAGE)]


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""


@pytest.mark.fault("C4")
def test_module_docstrings_name_modules_that_exist() -> None:
    found = {}
    for path in FILES:
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        wrong = unknown_modules(text, path.parent)
        if wrong:
            found[path.relative_to(ROOT).as_posix()] = wrong
    assert found == {}


def test_names_of_modules_that_do_not_exist_are_found() -> None:
    folder = PACKAGE / "sampling"
    assert unknown_modules("How rows are drawn is decided in `strata` and `race`.", folder) == ["race"]
    assert unknown_modules("What they do is in\n`view`; numbers come from `rng`.", folder) == ["view"]
    assert unknown_modules("Cells are counted in `cells`.", folder) == ["cells"]  # of another folder
    assert unknown_modules("Rows of `in` and `sum`; drawn in `designs`, weighed in `pipeline.weights`.", folder) == []


@pytest.mark.fault("C4")
def test_dotted_names_in_docstrings_lead_somewhere() -> None:
    for path in FILES:
        for text in docstrings(path):
            for file in re.findall(r"`((?:tql_frames|tests)/[\w/]+\.\w+)`", text):
                assert (ROOT / file).exists(), f"{path}: {file}"
            for name in re.findall(r"`(?:tql_frames\.)?([a-z_]+/[a-z_/]+\.py)`", text):
                assert (PACKAGE / name).exists() or (ROOT / name).exists(), f"{path}: {name}"


@pytest.mark.fault("C4")
@pytest.mark.parametrize("page", PAGES)
def test_files_that_pages_name_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    names = {
        path.name
        for folder in (PACKAGE, ROOT / "tests", ROOT / "benchmarks", ROOT / "tools")
        for path in folder.rglob("*.py")
    }
    tree = re.search(r"^```\ntql_frames/\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for name in re.findall(r"\b([a-z_]+\.py)\b", tree.group(1) if tree else ""):
        assert name in names, name
    for name in re.findall(r"`((?:tql_frames|tests|benchmarks|tools)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`([a-z]+/[a-z_]+\.py)`", text):
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), name
