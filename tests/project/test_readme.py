"""Every example of the README runs and shows what it says; every command it names exists."""

from __future__ import annotations

import doctest
import re

import pytest

import tql_frames
from tests.pages import ROOT, blocks_of, check_examples
from tql_frames import demo
from tql_frames.language import parse

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks_of("README.md")


def test_examples_show_what_they_say():
    examples = [block for block in BLOCKS if ">>>" in block]
    assert len(examples) >= 6
    check_examples("README.md", examples, flags=doctest.NORMALIZE_WHITESPACE)


def test_the_first_example_runs():
    opening = next(block for block in BLOCKS if "limit=100_000" in block)
    names: dict[str, object] = {"df": tql_frames.datasets.chest_xray()}
    exec(opening, names)
    assert names["balanced"].height == 100_000


@pytest.mark.fault("H")
def test_the_first_table_is_of_the_sampler_above_it():
    opening = next(block for block in BLOCKS if "limit=100_000" in block)
    assert parse(re.search(r'"""(.*?)"""', opening, re.DOTALL).group(1)) == parse(demo.SAMPLER)
    places = [README.index(each) for each in (opening, "`make demo` runs this sampler", "                   raw ")]
    assert places == sorted(places)


def test_the_demo_output_is_the_demo_output(capsys):
    demo.main()
    printed = capsys.readouterr().out
    shown = re.search(r"```text\n( +raw .*?)```", README, re.DOTALL).group(1)
    assert len(shown.splitlines()) == 6
    for line in shown.splitlines():
        assert line in printed


def test_the_explanation_is_the_explanation():
    sampler = re.search(r'>>> sampler = "(.*)"', README).group(1)
    explained = str(tql_frames.explain(tql_frames.datasets.chest_xray(), sampler))
    shown = re.search(r"```text\n(max_weight\n.*?)\n```", README, re.DOTALL).group(1)
    assert explained.startswith(shown + "\n\n")


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_there(target):
    assert f"`make {target}`" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w/.]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()
