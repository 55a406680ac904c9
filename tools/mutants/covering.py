"""Find the tests that run a line: every file of tests runs once under coverage, whose results are kept."""

from __future__ import annotations

import ast
import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tools.mutants.recording import read
from tools.mutants.trial import run_tests

MOST_TESTS = 80  # at a time
MOST_SECONDS = 20.0  # that they take together, as they took under coverage
MOST_FILES = 12  # that they come from: each takes a while to load
MOST_SECONDS_OF_A_FILE = 900.0  # after which the rest of a file of tests is left out

LEFT_OUT = {
    "tests/browser": "needs a browser, and its tests run the package in other processes",
    "tests/project/test_benchmarks.py": "runs no line of the package that others do not run",
    "tests/sampling/test_draws.py": "draws millions of rows to compare frequencies; the answers are tested elsewhere",
    "tests/frames/test_forks.py": "runs the package in other processes, where coverage sees nothing",
    "tests/language/test_fuzz.py": "takes minutes, for texts made at random",
    "tests/project/test_imports.py": "reads the code and starts other processes",
    "tests/frames/test_large.py": "takes minutes, for large data",
    "tests/project/test_mutants.py": "tests this tool",
    "tests/torch/test_torch_processes.py": "runs the package in other processes, where coverage sees nothing",
}

LAST = {
    "tests/distributed/test_dask.py",
    "tests/distributed/test_dask_groups.py",
    "tests/distributed/test_ray.py",
    "tests/distributed/test_spark.py",
    "tests/distributed/test_spark_groups.py",
}  # where no other tests are left: they start other processes first


@dataclass(frozen=True)
class Covering:
    """Tests by line.

    Attributes:
        lines: for each path, for each line, the tests that run it.
        seconds: how long each test that passes takes; others can notice nothing.
        inside: for each path, the lines inside functions; the others run on import.
    """

    lines: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]
    inside: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def tests_of(self, path: str, line: int, leaving: Iterable[str] = (), *, part: float = 1.0) -> list[str]:
        """Choose tests that run a line: of each file in turn, the quickest first.

        The files come first of which most tests run the line: it is what these are about. A line that runs on import
        belongs to all tests that run any line of the module.

        Args:
            path: of the module.
            line: of it.
            leaving: tests not to choose.
            part: of the tests, seconds and files that there may be at a time.
        """
        lines = self.lines.get(path, {})
        on_import = path in self.inside and line not in self.inside[path]  # by the first test that needs the module
        own = set() if on_import else lines.get(line)
        tests = (own or set().union(*lines.values())) & self.seconds.keys()
        sizes: dict[str, int] = defaultdict(int)
        for test in self.seconds:
            sizes[_file(test)] += 1
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in sorted(tests, key=lambda test: (self.seconds[test], test)):
            by_file[_file(test)].append(test)
        left_out = set(leaving)
        shares = {file: -len(some) / sizes[file] for file, some in by_file.items()}
        rest = {file: [test for test in some if test not in left_out] for file, some in by_file.items()}
        files = [file for file in by_file if rest[file]]
        files = [file for file in files if file not in LAST] or files
        files.sort(key=lambda file: (shares[file], file))
        turns = sorted(
            (turn, shares[file], self.seconds[test], test)
            for file in files[: math.ceil(MOST_FILES * part)]
            for turn, test in enumerate(rest[file])
        )
        chosen: list[str] = []
        left = MOST_SECONDS * part
        for *_, seconds, test in turns[: math.ceil(MOST_TESTS * part)]:
            if seconds <= left or not chosen:
                chosen.append(test)
                left -= seconds
        return chosen


def covering(copies: list[Path], package: str, kept: Path, tests: list[str]) -> Covering:
    """Return the tests of each line of a package.

    Args:
        copies: of the project, as many as may run tests at the same time.
        package: the folder of code.
        kept: where the results are kept; files of tests that have not changed since do not run again, as long as the
            package has not.
        tests: files of tests, or none for all that `LEFT_OUT` does not name, and the examples in docstrings.
    """
    settings = kept / "coveragerc"
    kept.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"[run]\nsource = {package}\nrelative_files = true\n")
    root = copies[0]
    if not tests:
        tests = [path.relative_to(root).as_posix() for path in sorted((root / "tests").rglob("test_*.py"))]
        tests = [path for path in tests if not any(path.startswith(left) for left in LEFT_OUT)] + [package]
    code = digest_of(root, package)
    results = {}
    for path in tests:
        own = _digest(root / path) if path.endswith(".py") else code
        results[path] = kept / f"{Path(path).stem}-{code}-{own}"
    missing = [path for path in tests if not results[path].with_suffix(".coverage").exists()]
    with ThreadPoolExecutor(len(copies)) as pool:
        free = list(copies)

        def measure(path: str) -> None:
            copy = free.pop()
            try:
                _measure(copy, path, results[path], settings)
            finally:
                free.append(copy)

        list(pool.map(measure, missing))
    lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    seconds: dict[str, float] = {}
    for result in results.values():
        _read_lines(result.with_suffix(".coverage"), lines)
        seconds |= {test: took for test, (took, passed) in read(result.with_suffix(".jsonl")).items() if passed}
    inside = {path: inside_functions((root / path).read_text(encoding="utf-8")) for path in lines}
    return Covering({path: dict(by_line) for path, by_line in lines.items()}, seconds, inside)


def inside_functions(text: str) -> frozenset[int]:
    """Return the lines of a module inside functions, without their first ones, which run on import."""
    lines: set[int] = set()
    for each in ast.walk(ast.parse(text)):
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines.update(range(each.body[0].lineno, (each.end_lineno or 0) + 1))
    return frozenset(lines)


def _measure(copy: Path, tests: str, result: Path, settings: Path) -> None:
    record = result.with_suffix(".jsonl")
    record.unlink(missing_ok=True)
    data = result.with_suffix(".partial")
    coverage = ["coverage", "run", f"--rcfile={settings}", f"--data-file={data}", "-m", "pytest"]
    run_tests(copy, [tests], MOST_SECONDS_OF_A_FILE, program=coverage, record=record)
    went = read(record)
    failed = [test for test, (_, passed) in went.items() if not passed]
    print(f"measured {tests}: {len(went)} tests, {sum(each for each, _ in went.values()):.0f} s", flush=True)
    for test in failed:
        print(f"  left out, fails or is skipped without a change: {test}", flush=True)
    if data.exists():
        data.replace(result.with_suffix(".coverage"))


def _read_lines(file: Path, lines: dict[str, dict[int, set[str]]]) -> None:
    from coverage import CoverageData  # noqa: PLC0415  # of the group `mutants`

    if not file.exists():
        return
    data = CoverageData(str(file))
    data.read()
    for path in data.measured_files():
        for line, tests in data.contexts_by_lineno(path).items():
            lines[path][line].update(test for test in tests if test)


def _file(test: str) -> str:
    """Return the file of a test; the examples in docstrings are as one file."""
    return test.partition("::")[0] if test.startswith("tests/") or "/" not in test else "docstrings"


def digest_of(root: Path, package: str) -> str:
    """A short text that tells one version of the code from others."""
    return _digest(*sorted((root / package).rglob("*.py")))


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.as_posix().rpartition("/")[2].encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
