"""The tool that measures the tests: what it changes, which tests it picks, what it leaves out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools.mutants.__main__ import EQUIVALENT, equivalents
from tools.mutants.changes import changes_of, sample
from tools.mutants.covering import MOST_SECONDS, Covering

ROOT = Path(__file__).parents[1]
CODE = '''"""Doc 1."""
def f(a: int = 3, *, b: "x < y" = None):
    """Doc 2."""
    if a < 4 and not b:
        raise ValueError(f"{a:>3}é")
    a += 1
    g(a, b)
    return min(a, 2) if b else True
'''


def test_every_kind_of_change_is_made_and_nothing_else() -> None:
    lines = {change.diff(CODE) for change in changes_of("m.py", CODE)}
    new = {line.split("+ ", 1)[1] for line in lines}
    assert {
        "if a < 5 and not b:",
        "if (a <= 4) and not b:",
        "if (a < 4 or not b):",
        "if a < 4 and b:",
        "pass",
        "g(b, a)",
        "return max(a, 2) if b else True",
        "return min(2, a) if b else True",
        "return min(a, 3) if b else True",
        "return min(a, 2) if b else False",
        "return True if b else min(a, 2)",
        "return None",
        'def f(a: int = 4, *, b: "x < y" = None):',
    } <= new
    assert sum("+ pass" in line for line in lines) == 3
    assert not any("Doc" in line or "é" in line.split("+ ")[1] for line in lines)


def test_changes_of_the_package_are_programs_in_a_fixed_order() -> None:
    chosen = sample(ROOT, "tql_frames", 150, seed=1)
    assert chosen == sample(ROOT, "tql_frames", 150, seed=1) != sample(ROOT, "tql_frames", 150, seed=2)
    assert len(chosen) == 150
    folders = {Path(change.path).parent.name for change in chosen}
    assert {"sampling", "analysis", "compiler", "language", "planning", "frames", "views", "cli", "torch"} <= folders
    for change in chosen:
        text = (ROOT / change.path).read_text(encoding="utf-8")
        assert ast.dump(ast.parse(change.apply(text))) != ast.dump(ast.parse(text)), change


def test_tests_of_a_line_are_quick_ones_of_each_file() -> None:
    lines = {"m.py": {3: {"a::x", "a::y", "b::z", "b::broken"}, 4: {"c::slow"}}}
    seconds = {"a::x": 2.0, "a::y": 1.0, "b::z": 3.0, "c::slow": 10 * MOST_SECONDS}
    tests = Covering(lines, seconds)
    assert tests.tests_of("m.py", 3) == ["a::y", "b::z", "a::x"]
    assert tests.tests_of("m.py", 4) == ["c::slow"]
    assert tests.tests_of("m.py", 1) == ["a::y", "b::z", "a::x"]  # run on import: of any line, within the time
    assert tests.tests_of("n.py", 1) == []


def test_equivalent_changes_are_read_with_their_reasons() -> None:
    assert equivalents("# a comment\n\nm.py\n- a\n+ b\nreason: the same\n") == {"m.py\n- a\n+ b"}
    with pytest.raises(ValueError, match="reason"):
        equivalents("m.py\n- a\n+ b\n")
    equivalents(EQUIVALENT.read_text(encoding="utf-8"))
