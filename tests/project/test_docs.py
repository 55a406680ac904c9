"""The language reference: its examples show what they say, and it leaves out no clause, function or deviation."""

from __future__ import annotations

import ast
import doctest
import json
import re
from collections.abc import Iterator

import pytest

from tests.loops import for_each
from tests.pages import LANGUAGE, ROOT, blocks_of, check_examples
from tql_frames import TQLError
from tql_frames.compiler.expressions import functions
from tql_frames.compiler.expressions.functions import FUNCTIONS
from tql_frames.compiler.expressions.translate import _IN_CONTEXT, WEIGHT_CHOICES
from tql_frames.language import is_statement, keywords, nodes, parse, parse_statement
from tql_frames.language.nodes import Node

PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in LANGUAGE}
PAGE = "\n".join(PAGES.values())
CASES = json.loads((ROOT / "tests" / "cases" / "conformance.json").read_text(encoding="utf-8"))
BLOCKS = [block for name in LANGUAGE for block in blocks_of(name)]
SHARED = blocks_of("docs/language/index.md")[:2]  # the frames and calls of all chapters
EXAMPLES = [example for block in BLOCKS for example in doctest.DocTestParser().get_examples(block)]
UNRECORDED = "## What no recorded query shows"


@pytest.mark.parametrize("name", LANGUAGE[:-1])
def test_examples_show_what_they_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_registered", {})  # what the page registers is gone afterwards
    blocks = blocks_of(name)
    assert blocks and all(">>>" in block for block in blocks)
    check_examples(name, blocks if name == LANGUAGE[0] else SHARED + blocks)


@pytest.mark.parametrize(
    "name",
    [
        "docs/balance.md",
        "docs/choosing-weights.md",
        "docs/designs.md",
        "docs/exactness.md",
        "docs/get-started.md",
        "docs/groups.md",
        "docs/index.md",
        "docs/splits.md",
        "docs/tables.md",
        "docs/views.md",
    ],
)  # those of engines and of training are run where the libraries are
def test_examples_of_other_pages_show_what_they_say(name: str) -> None:
    blocks = [block for block in blocks_of(name) if ">>>" in block]
    assert blocks
    check_examples(name, blocks)


# --- what the examples show ------------------------------------------------------------------------------------------


def trees() -> dict[str, Node]:
    """TQL texts of the examples that work, and their trees."""
    working = [ast.parse(example.source) for example in EXAMPLES if example.exc_msg is None]
    nodes = [node for source in working for node in ast.walk(source)]
    constants = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = {text: read(text) for text in constants}
    return {text: tree for text, tree in found.items() if tree is not None}


def read(text: str) -> Node | None:
    """The tree of a statement or an expression; None of anything else, a bare word included."""
    try:
        found = parse_statement(text) if is_statement(text) else parse(text)
    except TQLError:
        return None
    return None if isinstance(found, (nodes.Column, nodes.Literal)) else found


def every(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children():
        yield from every(child)


TREES = trees()
NODES = [node for tree in TREES.values() for node in every(tree)]
CODE = "\n".join(re.sub(r"'[^']*'", "''", text).lower() for text in TREES)  # without the texts in the texts


@for_each("name", sorted([*FUNCTIONS, *_IN_CONTEXT, *WEIGHT_CHOICES]))
def test_every_function_has_an_example(name: str) -> None:
    assert any(isinstance(node, (nodes.Call, nodes.WeightChoice)) and node.name == name for node in NODES)


@for_each("name", sorted([*FUNCTIONS, *_IN_CONTEXT, *WEIGHT_CHOICES]))
def test_every_function_has_a_meaning(name: str) -> None:
    assert re.search(rf"`{name}(\(|`)", PAGES["docs/language/functions.md"])


SHOWN = sorted(keywords.RESERVED - keywords.UNSUPPORTED | keywords.SOMETIMES)


@for_each("word", SHOWN)
def test_every_keyword_is_in_an_example(word: str) -> None:
    assert re.search(rf"\b{word}\b", CODE)


@for_each(
    "clause",
    [
        r"select distinct ",
        r"select top \d",
        r"select \*",
        r"select \w+\.\*",
        r" from \(select",
        r" from \w+ as \w+ where",
        r" inner join ",
        r" left join ",
        r" right join ",
        r" full outer join ",
        r" cross join ",
        r" join \w+ using \(",
        r" join \w+ as \w+ on ",
        r" where ",
        r" expand by \d+ \d+",
        r" overlap true",
        r" group by ",
        r" ungroup by split",
        r" ungroup by \d",
        r" order by .* asc",
        r" order by .* desc",
        r" limit \d+ offset \d+",
        r" limit \d+ percent",
        r" limit \?",
        r" limit all",
        r" sample by max_weight\(",
        r" sample by age",
        r" replace false limit \d",
        r"\bsum_weight\(",
        r" union ",
        r" union all ",
        r" intersect ",
        r" except ",
        r"array\[",
        r"\[\w*:\w*\]",
        r" not in ",
        r" is not null",
    ],
)
def test_every_clause_is_in_an_example(clause: str) -> None:
    assert re.search(clause, CODE)


def test_every_refused_word_is_in_an_example() -> None:
    refused = next(example.source for example in EXAMPLES if example.source.startswith("refused"))
    for word in keywords.UNSUPPORTED:
        assert re.search(rf"\b{word}\b", refused)


# --- what the page lists ---------------------------------------------------------------------------------------------


def test_the_keywords_are_the_keywords() -> None:
    lists = [set(words.split()) for words in re.findall(r"```text\n([a-z\s]+)\n```", PAGE)]
    assert lists == [set(keywords.RESERVED), set(keywords.SOMETIMES)]


def names(text: str) -> list[str]:
    """First cells of the tables of differences."""
    rows = re.findall(r"^\| (.+?) \| .+ \|$", text, re.MULTILINE)
    return [name for name in rows if name != "difference"]


def test_the_deviations_are_those_of_the_recorded_queries() -> None:
    differences = PAGES["docs/language/deep-lake.md"]
    recorded, unrecorded = differences.split(UNRECORDED)
    assert sorted(names(recorded)) == sorted(CASES["deviations"])
    assert len(names(unrecorded)) == 9
    assert f"{len(CASES['cases']) + len(CASES['crashes'])} recorded queries" in " ".join(differences.split())
    assert f"{len(CASES['crashes'])} of them crash or hang it" in " ".join(differences.split())


def test_the_rows_of_a_table_have_as_many_cells_as_its_head() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)
    assert tables
    for table in tables:
        cells = {len(re.sub(r"`[^`]*`", "", line).split("|")) for line in table.splitlines()}
        assert len(cells) == 1, table
