"""Run tests in forks of a process that has loaded the libraries: to load them takes longer than most tests.

It reads a JSON object of `tests`, `record` and `seconds` a line, and answers with the exit status of pytest, or null.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import time

import pytest

from tools.mutants import recording

_LIBRARIES = (
    "numpy",
    "polars",
    "pandas",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.parquet",
    "lark",
    "hypothesis",
    "duckdb",
)


def _run(tests: list[str], record: str) -> int:
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    os.environ[recording.VARIABLE] = record
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins=[recording]))


def _waited(child: int, seconds: float) -> int | None:
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # its own session: the tests and what they started
    os.waitpid(child, 0)
    return None


def main() -> None:
    """Serve until the input ends."""
    for name in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            status = 3
            try:
                status = _run(asked["tests"], asked["record"])
            finally:
                os._exit(status)
        print(json.dumps(_waited(child, asked["seconds"])), flush=True)


if __name__ == "__main__":
    main()
