"""Detect processes that were forked after Polars had started its threads: in them, calls of Polars never return."""

import os
import re

_THREADS = "/proc/self/task"
_OF_POLARS = re.compile(r"polars-\d+|async-executor")  # names of the threads that run queries


class Process:
    """State of this process."""

    noticed = False  # whether its forks are noticed
    used = False  # whether this package ran Polars in it
    threads = False  # whether Polars had threads at the last fork
    stuck = False  # whether it was forked from a process with threads of Polars, which it lacks


def _has_threads() -> bool:
    try:
        tasks = os.listdir(_THREADS)
    except OSError:  # not Linux: only the use by this package is known
        return Process.used
    for task in tasks:
        try:
            with open(f"{_THREADS}/{task}/comm") as name:
                if _OF_POLARS.match(name.read()):
                    return True
        except OSError:  # the thread ended
            continue
    return False


def _before() -> None:
    Process.threads = Process.stuck or _has_threads()


def _in_child() -> None:
    Process.stuck = Process.threads


def notice_forks() -> None:
    """Notice forks of this process from now on; called once, when the package is imported."""
    if hasattr(os, "register_at_fork") and not Process.noticed:  # not on Windows, which has no forks
        os.register_at_fork(before=_before, after_in_child=_in_child)
        Process.noticed = True
