"""Run tests on a copy of the project, with a change and without."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.mutants.changes import Change
from tools.mutants.recording import VARIABLE, read

TIMEOUT = 120.0  # seconds, after which a change counts as noticed where the tests end without it: it loops, or waits
_PATIENCE = 20.0  # seconds that an interrupted run may take to end

_NUMBERS = count(1)
_COPIED = ("tests", "docs", "benchmarks", "tools", "notebooks")


def copy_project(root: Path, package: str, to: Path) -> None:
    """Copy what the tests need."""
    for folder in (package, *_COPIED):
        if (root / folder).is_dir():
            shutil.copytree(root / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__", "data"))
    for file in root.iterdir():
        if file.is_file():
            shutil.copy2(file, to / file.name)


def _environment(copy: Path) -> dict[str, str]:
    path = os.pathsep.join([str(copy), os.environ.get("PYTHONPATH", "")])
    # Plugins of pytest take longer than most tests.
    own = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return os.environ | own


def run_tests(
    copy: Path, tests: list[str], seconds: float, *, program: list[str] | None = None, record: Path | None = None
) -> int | None:
    """Run tests in a copy and return the exit status of pytest, or None where they take too long.

    Args:
        copy: of the project.
        tests: files or names.
        seconds: that they may take.
        program: module and arguments that run pytest, if not pytest itself, which then stops at the first failure.
        record: file to write how each test went to.
    """
    command = [sys.executable, "-m", *(program or ["pytest", "-x"])]
    command += ["-q", "-p", "no:cacheprovider", "-p", "tools.mutants.recording"]
    environment = _environment(copy) | ({VARIABLE: str(record)} if record else {})
    with subprocess.Popen(
        [*command, *tests],
        cwd=copy,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        try:
            return run.wait(seconds)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGINT)  # pytest ends, and what is measured is written
        with suppress(subprocess.TimeoutExpired):
            run.wait(_PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)  # its own session: the tests and what they started
        return None


def noticed(copy: Path, change: Change, tests: list[str]) -> str | None:
    """Return the test that fails after a change, or what else tells of it, or None where nothing does.

    A test that fails without the change as well is left out. The change is undone.
    """
    file = copy / change.path
    text, times = file.read_text(encoding="utf-8"), file.stat()
    left = list(tests)
    while left:
        file.write_text(change.apply(text), encoding="utf-8")
        # Python compiles a file anew by its time in whole seconds: each change has its own.
        os.utime(file, (times.st_atime, times.st_mtime + 10 * next(_NUMBERS)))
        try:
            status, failed = _first_failure(copy, left)
        finally:
            file.write_text(text, encoding="utf-8")
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        if status is None:
            if _first_failure(copy, left)[0] is not None:
                return "no end"
            if len(left) == 1:
                return None
            left = left[: len(left) // 2]  # the machine is too busy for so many
            continue
        if status == 0:
            return None
        if failed is None:
            if _first_failure(copy, left)[0] != 0:
                raise RuntimeError(f"tests do not start without the change: {' '.join(left)}")
            return "no start"
        if _first_failure(copy, [failed])[0] == 0:
            return failed
        left.remove(failed)
    return None


def _first_failure(copy: Path, tests: list[str]) -> tuple[int | None, str | None]:
    server = _server(copy)
    assert server.stdin is not None and server.stdout is not None
    with TemporaryDirectory() as folder:
        record = Path(folder) / "record.jsonl"
        server.stdin.write(json.dumps({"tests": tests, "record": str(record), "seconds": TIMEOUT}) + "\n")
        server.stdin.flush()
        status: int | None = json.loads(server.stdout.readline())
        failed = [test for test, (_, passed) in read(record).items() if not passed and test in tests]
    return status, failed[-1] if failed else None


@cache
def _server(copy: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tools.mutants.server"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=copy, env=_environment(copy), stdin=pipe, stdout=pipe, text=True)
