"""Extras and dependency groups: those that pages, commands and hints name exist, and `all` is all of them."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests.pages import GUIDES, ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
GROUPS: dict[str, list[Any]] = PROJECT["dependency-groups"]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    *GUIDES,
]
COMMANDS = ["Makefile", ".ci/run", *PAGES]
OWN = re.compile(r"(?:tql-frames|['\"\s]\.)\[([\w,]+)\]")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def extras_in(text: str) -> set[str]:
    return {extra for found in OWN.findall(text) for extra in found.split(",")}


def test_all_is_every_extra() -> None:
    (everything,) = EXTRAS["all"]
    assert extras_in(everything) == set(EXTRAS) - {"all", "interop"}  # which nothing of the package needs
    assert {"widget", "sklearn", "torch"} <= set(EXTRAS)


def test_every_extra_that_is_named_exists() -> None:
    sources = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tql_frames").rglob("*.py")]
    for name in [*COMMANDS, "pyproject.toml", *sources]:
        assert extras_in(text_of(name)) <= set(EXTRAS), name
    named = set().union(*map(extras_in, map(text_of, sources)))
    assert {"dask", "spark", "ray", "sklearn", "plot", "widget", "balance"} <= named


def test_every_group_that_is_named_exists_and_comes_with_the_package() -> None:
    lines = [line for name in COMMANDS for line in text_of(name).splitlines() if "--group" in line]
    assert len(lines) >= 3
    for line in lines:
        assert re.search(r"(?:-e|--editable) \. ", line), line  # alone, a registry would be asked for the package
        groups = re.findall(r"--group ([a-z]+)", line)
        assert set(groups) <= set(GROUPS), line
    targets = set(re.findall(r"\$\(VENV\)/installed-([a-z]+)", text_of("Makefile")))
    assert targets == set(GROUPS) == {"test", "dev", "docs", "browser", "coverage", "mutants", "release", "bench"}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_includes_groups_and_extras_that_exist(group: str) -> None:
    included = {each["include-group"] for each in GROUPS[group] if isinstance(each, dict)}
    assert included <= set(GROUPS) - {group}
    assert extras_in(" ".join(each for each in GROUPS[group] if isinstance(each, str))) <= set(EXTRAS)


def test_the_oldest_python_is_the_first_that_is_classified() -> None:
    project = PROJECT["project"]
    versions = [text.rpartition(" ")[2] for text in project["classifiers"] if re.search(r":: 3\.\d+$", text)]
    assert f">={versions[0]}" == project["requires-python"]
    assert all(url.startswith("https://") for url in project["urls"].values())
