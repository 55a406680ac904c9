"""Peak memory of one call, in this process, beyond what the contestant holds and what it returns.

A fresh process measures one call and ends; which calls, and what is allowed, is in `memory`.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.jobs import Job
from benchmarks.rounds import ROOT
from benchmarks.worker import contestant, reason

if sys.platform != "win32":
    import resource

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_TINY = 1_000  # rows of the call that loads code and starts threads before anything is measured


def of_call(maker: str, job: Job) -> dict[str, Any]:
    """Measure one call in a fresh process.

    Returns:
        Bytes: `extra` at the peak beyond `held` (frame, weights) and `result`; `seconds` of the call. Or `fault`, a
        text.
    """
    question = json.dumps({"maker": maker, "job": dataclasses.asdict(job)})
    command = [sys.executable, "-m", "benchmarks.peak"]
    done = subprocess.run(command, input=question, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        return {"fault": f"its process ended with code {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(maker: str, job: Job) -> dict[str, float]:
    """Measure one call in this process.

    The process before it holds any rows is what the peak is compared with, less the bytes of frame and result as their
    libraries count them: memory that an allocator keeps after loading the rows counts as used, never as free.
    """
    tiny = dataclasses.replace(job, rows=_TINY, draws=min(job.draws, _TINY // 10))
    contestant(maker, tiny).run(1)
    _give_back()
    before = _resident()
    ready = contestant(maker, job)
    _give_back()
    _forget_peak()
    start = time.perf_counter()
    result = ready.run(1)
    seconds = time.perf_counter() - start
    peak = _peak()
    held, returned = sum(size(each) for each in ready.holds), size(result)
    return {"extra": peak - before - held - returned, "held": held, "result": returned, "seconds": seconds}


def size(value: Any) -> int:
    """Bytes of an array, tensor or frame, as its library counts them."""
    if hasattr(value, "estimated_size"):
        return int(value.estimated_size())
    if hasattr(value, "memory_usage"):
        return int(value.memory_usage(index=True).sum())
    return int(value.nbytes)


def _resident() -> int:
    """Bytes of anonymous memory of this process now; elsewhere than on Linux, of all its memory."""
    if _STATUS.exists():
        return _status()["RssAnon"]
    return int(psutil.Process().memory_info().rss)


def _peak() -> int:
    """Most bytes of anonymous memory since `_forget_peak`; elsewhere than on Linux, of all memory ever."""
    if _STATUS.exists():
        status = _status()
        return status["VmHWM"] - status["RssFile"] - status["RssShmem"]
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _forget_peak() -> None:
    if _CLEAR.exists():
        _CLEAR.write_text("5")


def _status() -> dict[str, int]:
    pairs = (line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return {name: int(text.split()[0]) * 1024 for name, text in pairs if name.startswith(("VmHWM", "Rss"))}


def _give_back() -> None:
    """Return freed memory to the system, where the C library can."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def main() -> None:
    """Read a maker and a job from standard input, print what was measured."""
    question = json.loads(sys.stdin.readline())
    try:
        found: dict[str, Any] = measure(question["maker"], Job(**question["job"]))
    except Exception as raised:
        found = {"fault": reason(raised)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
