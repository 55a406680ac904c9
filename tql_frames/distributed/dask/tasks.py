"""What the tasks of a graph do: each is a function of its partition and of what other tasks told, and of nothing else.

So a task that runs again, on another worker, does the same. How tasks hang together is told in `graph`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

import pandas as pd

from tql_frames.distributed import (
    Answer,
    Counted,
    Counts,
    Drawing,
    PartitionStatement,
    Question,
    Reporting,
    Sampler,
    Share,
    check_weights,
    draw_shares,
    first_shares,
    questions,
    starts_of,
)
from tql_frames.errors import TQLError, TQLWarning
from tql_frames.frames import PandasFrame
from tql_frames.pipeline.draw import fewer_rows

Job = Sampler | PartitionStatement


def rows_of(part: pd.DataFrame) -> int:
    """Return rows of a partition."""
    return len(part)


def count(part: pd.DataFrame, start: int = 0, *, job: Job) -> Counts:
    """Return what a partition tells in the first pass."""
    frame = _frame(part, job)
    return job.count(frame, start) if frame.rows else Counts(0)


def answer(part: pd.DataFrame, question: Question | None, start: int = 0, *, job: Job) -> Answer | None:
    """Return what a partition answers to a question."""
    return None if question is None else job.answer(question, _frame(part, job), start)


def take(part: pd.DataFrame, share: Share, *, job: Sampler) -> pd.DataFrame:
    """Return the rows that a partition gives to a sample."""
    frame = _frame(part, job)
    return frame.take(job.positions(frame, share))


def select(part: pd.DataFrame, share: Share | None = None, *, job: PartitionStatement, empty: pd.DataFrame) -> object:
    """Return the rows and columns that a partition gives to a statement."""
    if not len(part):
        if share is not None:
            share.check_rows(0)
        return empty
    return job.rows(_frame(part, job), share)


def weigh(part: pd.DataFrame, start: int = 0, *, job: Sampler) -> pd.Series:
    """Return the weights of a partition."""
    frame = _frame(part, job)
    if not frame.rows:
        return pd.Series(index=part.index, name="weight", dtype="float64")
    return frame.series(job.weigher(frame, start).weigh, "weight")


def report(part: pd.DataFrame, start: int = 0, *, job: Reporting) -> Counted:
    """Return what a partition tells for a report."""
    frame = PandasFrame(part)
    return job.count(frame, start) if frame.rows else Counted(Counts(0), None)


def ask(counts: Sequence[Counts], how: Drawing) -> list[Question | None]:
    """Return the questions to the partitions."""
    return questions(counts, how)


def draw(counts: Sequence[Counts], answers: Sequence[Answer | None], how: Drawing) -> Sequence[Share]:
    """Return the shares of the partitions."""
    drawn = draw_shares(counts, answers or [None] * len(counts), how)
    if drawn.found < drawn.asked:
        _warn(fewer_rows(drawn.asked, drawn.found))
    for warning in drawn.idle:
        _warn(warning)
    return drawn.shares


def cut(counts: Sequence[Counts], job: PartitionStatement) -> Sequence[Share]:
    """Return the shares of the partitions in the first rows of all."""
    return first_shares(counts, job.size.of)


def checked_starts(counts: Sequence[Counts], job: Sampler) -> list[int]:
    """Return the number of the first row of each partition, once it is known that no weight is bad."""
    check_weights(counts, job)
    return starts_of([each.rows for each in counts])


def number(rows: Sequence[int]) -> list[int]:
    """Return the number of the first row of each partition."""
    return starts_of(rows)


def pick(told: Sequence[object], place: int) -> object:
    """Return what is meant for one partition."""
    return told[place]


def _frame(part: pd.DataFrame, job: Job) -> PandasFrame:
    if not isinstance(part, pd.DataFrame):
        raise TQLError(f"the partitions must be pandas DataFrames, not {type(part).__name__}")
    keys = list(job.keys) if isinstance(job, Sampler) else []
    return PandasFrame(part.sort_values(keys, kind="stable") if keys else part)


def _warn(warning: TQLWarning) -> None:
    """Warn the user, also where this runs on a worker of a cluster."""
    worker = sys.modules.get("distributed.worker")  # loaded wherever this runs on one
    if worker is not None:
        try:
            worker.get_worker()
        except ValueError:  # not on one
            pass
        else:
            worker.warn(str(warning), type(warning))
            return
    warnings.warn(warning, stacklevel=2)
