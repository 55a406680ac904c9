"""Every example of the README runs and shows what it says; every command it names exists."""

from __future__ import annotations

import doctest
import re
import tomllib

import pytest

from tests.pages import ROOT, blocks_of, check_examples
from tql_frames import demo
from tql_frames.language import parse

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks_of("README.md")


def test_examples_show_what_they_say():
    examples = [block for block in BLOCKS if ">>>" in block]
    assert len(examples) >= 4
    check_examples("README.md", examples, flags=doctest.NORMALIZE_WHITESPACE)


def test_the_first_example_runs():
    assert "limit=100_000" in BLOCKS[0] and len(BLOCKS[0].splitlines()) <= 10
    check_examples("README.md", BLOCKS[:1])


@pytest.mark.fault("H")
def test_the_picture_is_of_the_sampler_above_it():
    text = re.sub(r"^\.\.\. ", "", BLOCKS[0], flags=re.MULTILINE)
    assert parse(re.search(r'"""(.*?)"""', text, re.DOTALL).group(1)) == parse(demo.SAMPLER)
    places = [README.index(each) for each in (BLOCKS[0], "as `make demo` runs it", "docs/images/findings.svg")]
    assert places == sorted(places)


def test_the_first_screen_names_the_default_of_replacement():
    assert README.index("with replacement by default") < README.index("## Install")


def test_the_extras_are_those_of_the_package():
    table = README.split("| extra | adds |")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in table.splitlines()[2:]))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert sorted(named) == sorted(set(extras) - {"interop"})  # which is for the tests


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_there(target):
    assert f"`make {target}`" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
