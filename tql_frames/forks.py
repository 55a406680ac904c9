"""Processes that were forked after Polars had started its threads: nothing that Polars does there would ever end."""

import os
import re

from tql_frames.errors import TQLError

_THREADS = "/proc/self/task"
_OF_POLARS = re.compile(r"polars-\d+|async-executor")  # names of the threads that queries run in


class _Process:
    """What is known of this process."""

    noticed = False  # whether its forks are noticed
    used = False  # whether this package ran Polars in it
    threads = False  # whether Polars had threads when it was forked last
    stuck = False  # whether it was forked from one whose threads it lacks


def check_process() -> None:
    """Make sure that Polars can run in this process, and note that it will.

    Raises:
        TQLError: the process was forked after Polars had started its threads, which a fork does not copy.
    """
    if _Process.stuck:
        message = "Polars cannot run in this process: it was forked after Polars had started its threads"
        hint = "start processes by spawn or forkserver, such as multiprocessing.get_context('spawn').Pool()"
        raise TQLError(message, hint=hint)
    _Process.used = True


def _has_threads() -> bool:
    try:
        tasks = os.listdir(_THREADS)
    except OSError:  # not Linux: only the use by this package is known
        return _Process.used
    for task in tasks:
        try:
            with open(f"{_THREADS}/{task}/comm") as name:
                if _OF_POLARS.match(name.read()):
                    return True
        except OSError:  # the thread ended
            continue
    return False


def _before() -> None:
    _Process.threads = _Process.stuck or _has_threads()


def _in_child() -> None:
    _Process.stuck = _Process.threads


def notice_forks() -> None:
    """Have `check_process` know of forks from now on: once, when the package is imported."""
    if hasattr(os, "register_at_fork") and not _Process.noticed:  # not on Windows, which has no forks
        os.register_at_fork(before=_before, after_in_child=_in_child)
        _Process.noticed = True
