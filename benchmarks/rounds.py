"""Contestants in turns: round 1 of each, then round 2 of each, so that a slow minute of the machine is everyone's.

Each is a `worker` process that lives through all rounds; what is measured is named in `cases`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from typing import Any

from benchmarks.jobs import Entry, Job, Measured

ROOT = Path(__file__).parents[1]
SLOW = 5.0  # seconds; a contestant whose first call takes longer runs fewer rounds
FEWEST = 3  # rounds of such a contestant
QUICK, MORE = 2.0, 3  # seconds; where our calls take less, all run three times the rounds: short calls vary most
_PATIENCE = 600.0  # seconds that a contestant may take to answer: Deep Lake is known to hang

Say = Callable[[str], None]


def measure(entries: Sequence[Entry], job: Job, rounds: int, say: Say) -> list[Measured]:
    """Run contestants in turns.

    Args:
        entries: the contestants, in the order of their turns.
        job: what all of them are asked.
        rounds: timed rounds; the first call of each, whose result is checked, comes before them. Slow contestants
            run fewer rounds; where ours is quick, all others run more.
        say: told of each step.

    Returns:
        What came of each entry, in their order.
    """
    found = [Measured(entry) for entry in entries]
    workers: list[tuple[_Worker, Measured]] = []
    number, last = 0, rounds
    try:
        for measured in found:
            if not measured.entry.installed:
                measured.fault = "not installed"
                continue
            worker = _Worker(measured.entry.maker, job)
            workers.append((worker, measured))
            answer = worker.ask({"maker": measured.entry.maker, "job": asdict(job)})
            measured.warm_up, measured.fault = answer.get("seconds"), answer.get("fault")
            say(f"{measured.entry.name}: {measured.fault or f'right, first call {measured.warm_up:.3g} s'}")
            if measured.fault:
                worker.close()
        while number < last:
            for worker, measured in workers:
                slow = measured.warm_up is not None and measured.warm_up * job.calls > SLOW
                if measured.fault or (slow and number >= FEWEST):
                    continue
                answer = worker.ask(2 + number)
                measured.fault = answer.get("fault")
                if measured.fault is None:
                    measured.seconds.append(answer["seconds"])
            number += 1
            say(f"round {number} of {last}")
            ours = found[0]
            if number == rounds and ours.seconds and ours.median * job.calls < QUICK:
                last = MORE * rounds
    finally:
        for worker, _ in workers:
            worker.close()
    return found


class _Worker:
    """The process of a contestant."""

    def __init__(self, maker: str, job: Job) -> None:
        """Start it; it waits for its first question."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def ask(self, question: object) -> dict[str, Any]:
        """Its answer to a question; a process that dies or does not answer has a fault."""
        assert self._process.stdin and self._process.stdout
        timer = Timer(_PATIENCE, self._process.kill)
        timer.start()
        try:
            print(json.dumps(question), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            in_time = timer.is_alive()
            timer.cancel()
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        if not in_time:
            return {"fault": f"no answer within {_PATIENCE:.0f} s"}
        return {"fault": f"its process ended with code {self._process.wait()}"}

    def close(self) -> None:
        """End it, by closing the pipe that it reads."""
        try:
            self._process.communicate(timeout=10)
        except (subprocess.TimeoutExpired, ValueError, BrokenPipeError):
            self._process.kill()
            self._process.wait()
