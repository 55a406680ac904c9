"""What the numbers were measured on: the machine, the versions of all libraries, the commit.

It measures nothing.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil  # type: ignore[import-untyped]

import tql_frames
from benchmarks.rounds import ROOT

LIBRARIES = (
    "tql-frames", "polars", "pandas", "numpy", "pyarrow", "duckdb", "imbalanced-learn", "torch", "deeplake",
    "dask", "pyspark", "ray"
)  # fmt: skip


def describe() -> dict[str, str]:
    """Machine, system, versions and commit, by name."""
    cores = os.cpu_count()
    found = {
        "CPU": f"{_processor()}, {cores} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": platform.platform(),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "commit": _commit(),
    }
    # Not of its metadata, which an editable installation does not renew.
    return found | {name: tql_frames.__version__ if name == "tql-frames" else _version(name) for name in LIBRARIES}


def as_text(found: dict[str, str]) -> str:
    """A Markdown list: the machine, the libraries on one line."""
    machine = [f"* {name}: {text}" for name, text in found.items() if name not in LIBRARIES]
    libraries = ", ".join(f"{name} {found[name]}" for name in LIBRARIES)
    return "\n".join([*machine, f"* libraries: {libraries}"])


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        return f"{commit}, with changes" if _git("status", "--porcelain", "tql_frames") else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
