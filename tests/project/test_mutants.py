"""The tool that measures the tests: what it changes, which tests it picks, what it leaves out."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from tests.sizes import size
from tools.mutants import trial
from tools.mutants.__main__ import EQUIVALENT, equivalents
from tools.mutants.changes import changes_of, sample
from tools.mutants.covering import LAST, LEFT_OUT, MOST_FILES, MOST_SECONDS, Covering, covering, inside_functions
from tools.mutants.trial import noticed

ROOT = Path(__file__).parents[2]
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


def some_of_the_package(to: Path) -> Path:
    """A project of the small files of each folder of the package, for whose changes nobody waits."""
    for file in (ROOT / "tql_frames").rglob("*.py"):
        if file.stat().st_size < 9_000:
            copy = to / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    return to


def test_changes_of_the_package_are_programs_in_a_fixed_order(tmp_path: Path) -> None:
    root = size(some_of_the_package(tmp_path), ROOT)
    chosen = sample(root, "tql_frames", 150, seed=1)
    part = size("tql_frames/sampling", "tql_frames")
    first, again, other = (sample(root, part, 150, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(chosen) == 150
    folders = {Path(change.path).parent.name for change in chosen}
    assert {"sampling", "analysis", "expressions", "statements", "language", "frames"} <= folders and len(folders) >= 9
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


def test_a_line_that_runs_on_import_is_of_all_tests_of_the_module() -> None:
    top = "LONG = 3\n\n@some(LONG)\ndef f(a=1):\n    b = 2\n    return a\n\n"
    text = top + "class C:\n    c = 1\n    async def g(self):\n        pass\n"
    assert inside_functions(text) == {5, 6, 11}
    # The module was imported by the test a::x, and for the others before they ran.
    lines = {"m.py": {1: {"a::x"}, 4: {"a::x"}, 6: {"a::y"}, 11: {"a::x"}}}
    tests = Covering(lines, {"a::x": 2.0, "a::y": 1.0}, {"m.py": inside_functions(text)})
    assert tests.tests_of("m.py", 1) == tests.tests_of("m.py", 4) == ["a::y", "a::x"]
    assert tests.tests_of("m.py", 6) == ["a::y"]
    assert tests.tests_of("m.py", 11) == ["a::x"]


def test_tests_come_first_of_files_that_are_about_a_line() -> None:
    lines = {"m.py": {1: {f"tests/test_{number}.py::{name}" for number in range(30) for name in "ab"}}}
    seconds = dict.fromkeys(lines["m.py"][1], 0.01) | {
        f"tests/test_{n}.py::c{i}": 1.0 for n in range(30) for i in range(n)
    }
    tests = Covering(lines, seconds)
    few = tests.tests_of("m.py", 1, part=0.25)
    assert few == [f"tests/test_{n}.py::{name}" for name in "ab" for n in range(MOST_FILES // 4)]
    more = tests.tests_of("m.py", 1, few)
    assert not set(more) & set(few) and len(more) == 2 * MOST_FILES
    assert {test.partition("::")[0] for test in more} == {f"tests/test_{n}.py" for n in range(3, 3 + MOST_FILES)}


def test_tests_that_start_other_processes_come_last() -> None:
    slow = sorted(LAST)[0]
    tests = Covering({"m.py": {1: {"a::x", f"{slow}::y"}}}, {"a::x": 2.0, f"{slow}::y": 1.0})
    assert tests.tests_of("m.py", 1) == ["a::x"]
    assert tests.tests_of("m.py", 1, ["a::x"]) == [f"{slow}::y"]
    assert tests.tests_of("m.py", 1, ["a::x", f"{slow}::y"]) == []


def test_what_is_left_out_is_there() -> None:
    assert all((ROOT / path).exists() for path in LAST)
    assert all((ROOT / path).exists() for path in LEFT_OUT)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for path, text in {
        "p/__init__.py": "",
        "p/m.py": "def less(a, b):\n    return a < b\n\n\ndef last():\n    return 3\n",
        "tests/test_m.py": """
            import pytest
            from p.m import less, last
            @pytest.mark.parametrize("a", [1, 2])
            def test_less(a): assert less(a, 3)
            def test_equal(): assert not less(3, 3)
            def test_broken(): assert less(4, 3)
            def test_none(): assert last
        """,
        "tests/test_n.py": "def test_nothing():\n    pass\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(
            "\n".join(line.removeprefix(" " * 12) for line in text.split("\n")), encoding="utf-8"
        )
    return tmp_path


def test_a_change_is_noticed_by_a_test_that_passes_without_it(project: Path) -> None:
    text = (project / "p/m.py").read_text()
    changes = {change.diff(text).split("+ ")[1]: change for change in changes_of("p/m.py", text)}
    every = [f"tests/test_m.py::{name}" for name in ("test_broken", "test_less[1]", "test_equal", "test_none")]
    assert noticed(project, changes["return (a <= b)"], every) == "tests/test_m.py::test_equal"
    assert noticed(project, changes["return None"], every[:2]) == "tests/test_m.py::test_less[1]"
    assert (project / "p/m.py").read_text() == text


def test_tests_that_end_in_time_only_without_a_change_notice_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "p/m.py").write_text("import time\n\n\ndef wait():\n    time.sleep(0 * 50)\n")
    slow = "import time\nfrom p.m import wait\ndef test_wait(): wait()\ndef test_slow(): time.sleep(50)\n"
    (project / "tests/test_m.py").write_text(slow)
    text = (project / "p/m.py").read_text()
    change = next(each for each in changes_of("p/m.py", text) if each.apply(text).endswith("time.sleep(1 * 50)\n"))
    both = ["tests/test_m.py::test_wait", "tests/test_m.py::test_slow"]
    for _ in range(2):  # the first one waits until libraries are loaded
        begin = time.monotonic()
        assert trial._first_failure(project, both[:1]) == (0, None)
    # Six runs below end by it: no longer than what is sure to suffice on a machine that is as busy.
    monkeypatch.setattr(trial, "TIMEOUT", size(min(max(0.5, 3 * (time.monotonic() - begin)), 10.0), 4.0))
    assert noticed(project, change, both[:1]) == "no end"
    assert noticed(project, change, both[1:]) is None  # too slow by itself
    assert noticed(project, change, both) == "no end"  # by the first one alone


def test_tests_of_each_line_are_found_and_kept(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("coverage")
    found = covering([project], "p", project / "kept", [])
    of_line = {"tests/test_m.py::test_less[1]", "tests/test_m.py::test_less[2]", "tests/test_m.py::test_equal"}
    assert set(found.tests_of("p/m.py", 2)) == of_line
    assert found.tests_of("p/m.py", 5) and not found.tests_of("p/n.py", 1)
    out = capfd.readouterr().out
    assert "measured tests/test_n.py: 1 tests" in out and "test_broken" in out
    (project / "tests/test_n.py").write_text("")
    assert covering([project], "p", project / "kept", []).lines == found.lines
    out = capfd.readouterr().out
    assert "measured tests/test_n.py: 0 tests" in out and "test_m" not in out


def test_equivalent_changes_are_read_with_their_reasons() -> None:
    assert equivalents("# a comment\n\nm.py\n- a\n+ b\nreason: the same\n") == {"m.py\n- a\n+ b"}
    with pytest.raises(ValueError, match="reason"):
        equivalents("m.py\n- a\n+ b\n")
    equivalents(EQUIVALENT.read_text(encoding="utf-8"))
