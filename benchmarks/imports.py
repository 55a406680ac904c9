"""Measure what `import tql_frames` costs beyond Polars and NumPy.

Each import is in a fresh process, so that there is no worker to keep; all else is in `rounds`.
"""

from __future__ import annotations

import compileall
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import tql_frames
from benchmarks.jobs import Entry, Measured
from benchmarks.rounds import ROOT, Say

FEWEST = 15  # rounds: an import is short, and depends on what the system has in its caches


def measure(entries: Sequence[Entry], rounds: int, say: Say) -> list[Measured]:
    """Time imports in fresh processes, in turns.

    Args:
        entries: in each, `maker` is what to import.
        rounds: at least 15 are run.
        say: told of each step.
    """
    compileall.compile_dir(Path(tql_frames.__file__).parent, quiet=1)
    found = [Measured(entry) for entry in entries]
    for measured in found:
        measured.warm_up = _seconds(measured.entry.maker)  # this also compiles the libraries, if need be
    for _ in range(max(rounds, FEWEST)):
        for measured in found:
            measured.seconds.append(_seconds(measured.entry.maker))
    say(f"{max(rounds, FEWEST)} rounds")
    return found


def _seconds(names: str) -> float:
    code = f"import time; start = time.perf_counter(); import {names}; print(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return float(done.stdout)
