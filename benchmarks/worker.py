"""One contestant in a process of its own: loads its data, checks its first result, runs once for each line it gets.

In whose turn it runs is decided in `rounds`. Waiting for a line, it does nothing.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import warnings
from importlib import import_module
from typing import Any

from benchmarks.jobs import Contestant, Job


def contestant(maker: str, job: Job) -> Contestant:
    """Make a contestant ready for a job.

    Args:
        maker: `module:function` in `benchmarks.contestants`.
        job: what it is asked.
    """
    module, function = maker.split(":")
    made: Contestant = getattr(import_module(f"benchmarks.contestants.{module}"), function)(job)
    return made


def timed(ready: Contestant, job: Job, seed: int) -> tuple[float, Any]:
    """Seconds of one call, and the result of the last one; to let go of a result is not timed."""
    gc.collect()
    result: Any = None
    start = time.perf_counter()
    for call in range(job.calls):
        result = ready.run(seed * job.calls + call)
    return (time.perf_counter() - start) / job.calls, result


def reason(fault: Exception) -> str:
    """A fault in a line of text."""
    return f"raises {type(fault).__name__}: {(str(fault).strip() or 'nothing more is said').splitlines()[0]}"


def main() -> None:
    """Answer each line of standard input with one of JSON: first the maker and job, then a seed for each round."""
    answers = os.fdopen(os.dup(1), "w")  # standard output itself goes where errors go: libraries may print
    os.dup2(2, 1)
    warnings.simplefilter("ignore")  # a peer's advice, such as DuckDB's on other versions of pandas
    question = json.loads(sys.stdin.readline())
    job = Job(**question["job"])

    def answer(**values: object) -> None:
        print(json.dumps(values), file=answers, flush=True)

    try:
        ready = contestant(question["maker"], job)
        seconds, result = timed(ready, job, 1)
        fault = ready.fault(result)
        del result
    except Exception as raised:
        answer(fault=reason(raised))
        return
    answer(seconds=seconds, fault=fault and f"wrong: {fault}")
    for line in sys.stdin:
        seconds, result = timed(ready, job, int(line))
        del result
        answer(seconds=seconds)


if __name__ == "__main__":
    main()
