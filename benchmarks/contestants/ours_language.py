"""tql-frames: long lists of values, and long samplers, each text new to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

import tql_frames  # noqa: F401  # puts .tql on the frames
from benchmarks import tables
from benchmarks.jobs import Contestant, Job

_ARMS, _NUMBERS, _COMPARISONS = 5_000, 138_000, 77_000


def among(job: Job) -> Contestant:
    """`df.tql.query("select * where n in (?)", [values])` of an array of 300,000 numbers."""
    frame: Any = pl.DataFrame({"n": tables.numbers(job.rows)})
    values = np.arange(tables.VALUES)

    def fault(result: pl.DataFrame) -> str | None:
        return None if result["n"].equals(frame["n"].filter(frame["n"] < tables.VALUES)) else "other rows are found"

    return Contestant(lambda _: frame.tql.query("select * where n in (?)", [values]), fault, (frame, values))


def among_for_a_sample(job: Job) -> Contestant:
    """A sample by `max_weight(n in (?): 5, True: 1)` of the same values."""
    frame: Any = pl.DataFrame({"n": tables.numbers(job.rows)})
    values = np.arange(tables.VALUES)

    def run(seed: int) -> Any:
        return frame.tql.sample("max_weight(n in (?): 5, True: 1)", job.draws, parameters=[values], seed=seed)

    return Contestant(run, _fault_of(job), (frame, values))


def arms(job: Job) -> Contestant:
    """A sample by a sampler of 5,000 arms that was never compiled before; each arm matches a row."""
    return _of_text(job, ", ".join(f"n = {number}: {number + 2}" for number in range(_ARMS)))


def text_of_values(job: Job) -> Contestant:
    """A sample by a sampler of nearly 1,000,000 characters, numbers in one `in (…)`, that was never read before."""
    return _of_text(job, f"n in ({', '.join(map(str, range(_NUMBERS)))}): 5")


def text_of_comparisons(job: Job) -> Contestant:
    """The same of comparisons joined by `or`."""
    return _of_text(job, f"{' or '.join(f'n = {number}' for number in range(_COMPARISONS))}: 5")


def _of_text(job: Job, body: str) -> Contestant:
    frame: Any = pl.DataFrame({"n": np.arange(job.rows) % _ARMS})

    def run(seed: int) -> Any:
        # The weight of a default makes it another text each time.
        return frame.tql.sample(f"max_weight({body}, True: {1 / (seed + 2)})", job.draws, seed=seed)

    return Contestant(run, _fault_of(job), (frame, body))


def _fault_of(job: Job) -> Callable[[pl.DataFrame], str | None]:
    return lambda result: None if result.height == job.draws else f"{result.height:,} rows"
