"""The documentation site: links, anchors and pictures of all pages, its navigation, its size, its API reference.

`make docs` builds it strictly. These checks need no build, but the last, which builds it where Zensical is installed.
"""

from __future__ import annotations

import inspect
import itertools
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import tql_frames
from tests.pages import GUIDES, ROOT

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = re.compile(r"https://github\.com/tql-frames/tql-frames/(?:blob|tree)/main/(.*)")
PICTURES = re.compile(r"https://raw\.githubusercontent\.com/tql-frames/tql-frames/main/(.*)")
OUTSIDE = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"]  # pages beside the site
PAGES = [*OUTSIDE, *GUIDES]


def text_of(name: str) -> str:
    """A page without its blocks of code."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors_of(name: str) -> set[str]:
    """The anchors of headings, as forges and Python-Markdown make them."""
    headings = re.findall(r"^#+ (.*)$", text_of(name), re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def links_of(name: str) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", text_of(name))
    yield from re.findall(r"\]\(([^)\s]+)\)", text)


def flat(nav: Any) -> Iterator[str]:
    """Pages of a navigation."""
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            (value,) = entry.values()
            yield from [value] if isinstance(value, str) else flat(value)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_pages_headings_and_pictures(name: str) -> None:
    for link in links_of(name):
        inside = REPOSITORY.fullmatch(link) or PICTURES.fullmatch(link)
        if inside is None and re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = (inside[1] if inside else link).partition("#")
        target = ROOT / path if inside else (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), f"{name}: {link}"
        assert path or anchor, f"{name}: {link}"
        if anchor:
            assert anchor in anchors_of(target.resolve().relative_to(ROOT).as_posix()), f"{name}: {link}"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_pages_that_are_shown_elsewhere_have_whole_links(name: str) -> None:
    """An index shows the README, the site the others: a path of the repository leads nowhere there."""
    assert [link for link in links_of(name) if not link.startswith("https://")] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_long(name: str) -> None:
    most = 160 if name == "README.md" else 400
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= most


@pytest.mark.parametrize("name", PAGES)
def test_lists_begin_behind_an_empty_line(name: str) -> None:
    """Python-Markdown continues the paragraph otherwise."""
    lines = text_of(name).splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"([*-]|\d+\.) ", line):
            assert not before.strip() or re.match(r"\s*([*-]|\d+\.) |  ", before), f"{name}: {line}"


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(flat(CONFIG["nav"])) == sorted(name.removeprefix("docs/") for name in GUIDES)


def test_pages_have_one_title() -> None:
    for name in GUIDES:
        included = re.fullmatch(r'--8<-- "([\w.]+)"\n', (ROOT / name).read_text(encoding="utf-8"))
        titles = re.findall(r"^# .+$", text_of(included[1] if included else name), re.MULTILINE)
        assert len(titles) == 1, name


def shown() -> set[str]:
    """Paths of what the API reference shows."""
    pages = [text_of(name) for name in GUIDES if name.startswith("docs/reference/")]
    return {found for page in pages for found in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE)}


def test_the_reference_shows_every_public_name() -> None:
    names = {name for path in shown() for name in path.split(".")}
    wanted = {name for name in tql_frames.__all__ if not inspect.ismodule(getattr(tql_frames, name))}
    for module in ("torch", "dask", "spark", "ray", "sklearn"):
        text = (ROOT / "tql_frames" / module / "__init__.py", ROOT / "tql_frames" / f"{module}.py")
        source = next(path for path in text if path.exists()).read_text(encoding="utf-8")
        listed = re.search(r"^__all__ = \[(.*?)\]", source, re.DOTALL | re.MULTILINE)
        assert listed, module
        wanted |= set(re.findall(r'"(\w+)"', listed[1]))
    assert wanted - names == set()


class Loaded(HTMLParser):
    """Addresses that a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.found.append(names.get("src") or "")
        if tag == "link" and names.get("rel") in ("stylesheet", "icon", "preload"):
            self.found.append(names.get("href") or "")


@pytest.mark.skipif(find_spec("zensical") is None, reason="Zensical, of the dependency group docs, is not installed")
def test_the_site_is_built_without_warnings_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    for name in (*OUTSIDE[:3], "zensical.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for name in ("tools", "tql_frames"):
        (tmp_path / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    printed = done.stdout + done.stderr
    assert done.returncode == 0 and "No issues found" in printed and "mkdocstrings:" not in printed, printed
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= len(GUIDES)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = Loaded()
        loaded.feed(text)
        assert [each for each in loaded.found if re.match(r"(https?:)?//", each)] == [], page.name
        assert 'data-md-component="source"' not in text  # it would ask a forge for numbers
        assert "BLANKLINE" not in text, page.name
    frames = (tmp_path / "site" / "reference" / "frames.html").read_text(encoding="utf-8")
    assert frames.count("rows to draw") > 2  # the arguments of methods, which are put together at run time
