"""Find the tests that run a line, by one run of all tests under coverage that is kept for later runs."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

MOST_TESTS = 80
MOST_SECONDS = 20.0  # that the tests of a change take together, as they took under coverage


@dataclass(frozen=True)
class Covering:
    """Tests by line.

    Attributes:
        lines: for each path, for each line, the tests that run it.
        seconds: how long each test that passes takes; others can notice nothing.
    """

    lines: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]

    def tests_of(self, path: str, line: int) -> list[str]:
        """Choose tests that run a line, the quickest first, of each file of tests in turn.

        A line that runs on import belongs to all tests that run any line of the module.
        """
        lines = self.lines.get(path, {})
        tests = (lines.get(line) or set().union(*lines.values())) & self.seconds.keys()
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in sorted(tests, key=lambda test: (self.seconds[test], test)):
            by_file[test.split("::")[0]].append(test)
        turns = sorted((turn, self.seconds[test], test) for each in by_file.values() for turn, test in enumerate(each))
        chosen: list[str] = []
        left = MOST_SECONDS
        for _, seconds, test in turns[:MOST_TESTS]:
            if seconds <= left or not chosen:
                chosen.append(test)
                left -= seconds
        return chosen


def covering(root: Path, package: str, kept: Path, tests: list[str], workers: int) -> Covering:
    """Return the tests of each line of a package.

    Args:
        root: of the project.
        package: the folder of code.
        kept: where the results of the run are kept; if they are there, no test is run.
        tests: files of tests, or none for all.
        workers: processes to run the tests in.
    """
    from coverage import CoverageData  # noqa: PLC0415  # an extra

    data_file, times = kept / "coverage", kept / "times.xml"
    if not data_file.exists() or not times.exists():
        kept.mkdir(parents=True, exist_ok=True)
        settings = kept / "coveragerc"
        settings.write_text(f"[run]\nsource = {package}\nrelative_files = true\ndata_file = {data_file}\n")
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider"]
        command += [f"--cov={package}", "--cov-context=test", "--cov-report=", f"--cov-config={settings}"]
        subprocess.run([*command, f"--junitxml={times}", *tests], cwd=root, check=False)
    data = CoverageData(str(data_file))
    data.read()
    lines: dict[str, dict[int, set[str]]] = {}
    for file in data.measured_files():
        contexts = data.contexts_by_lineno(file)
        names = {line: {each.rpartition("|")[0] for each in some if each} for line, some in contexts.items()}
        lines[file] = {line: tests for line, tests in names.items() if tests}
    known = {test for by_line in lines.values() for some in by_line.values() for test in some}
    return Covering(lines, _seconds(times, known))


def _seconds(report: Path, tests: set[str]) -> dict[str, float]:
    """Return how long each test that passes took, from a JUnit report, which names tests in another way."""
    names = {test.replace(".py::", ".").replace("/", ".").replace("::", "."): test for test in tests}
    seconds: dict[str, float] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if name in names and case.find("failure") is None and case.find("error") is None:
            seconds[names[name]] = float(case.get("time", 1.0))
    return seconds
