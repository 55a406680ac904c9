"""Dask graphs of samples, and the tasks that run in them on partitions.

What callers pass is in `namespace`. Reading and `take` are one task, so that no partition is read before its share is
known, or held for it.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.delayed import Delayed, delayed

try:  # not public: where they have gone, bounds are not known
    from dask.dataframe.dask_expr._expr import Projection
    from dask.dataframe.dask_expr.io.parquet import ReadParquetFSSpec, _collect_pq_statistics
except ImportError:
    Projection = ReadParquetFSSpec = _collect_pq_statistics = None

from tql_frames.distributed import (
    NOTHING,
    Answer,
    Counted,
    Counts,
    Drawing,
    PartitionDraw,
    PartitionStatement,
    Question,
    Reporting,
    Sampler,
    Splitting,
    UnitsOfPartition,
    check_weights,
    draw_shares,
    first_shares,
    questions,
    starts_of,
)
from tql_frames.errors import TQLError, TQLTypeError, TQLWarning
from tql_frames.frames.pandas import PandasFrame, with_column
from tql_frames.pipeline.weights import Weigher
from tql_frames.sampling.strata import FEW_STRATA

Job = Sampler | PartitionStatement


def rows_of(part: pd.DataFrame) -> int:
    """Return rows of a partition."""
    return len(part)


def count(part: pd.DataFrame, start: int = 0, *, job: Job) -> Counts:
    """Return what a partition tells in the first pass."""
    frame = _partition(part, job)
    return job.count(frame, start) if frame.rows else Counts(0)


def answer(part: pd.DataFrame, question: Question | None, start: int = 0, *, job: Job) -> Answer | None:
    """Return what a partition answers to a question."""
    return None if question is None else job.answer(question, _partition(part, job), start)


def units(part: pd.DataFrame, *, job: Splitting) -> UnitsOfPartition:
    """Return what a partition tells for a split."""
    frame = _partition(part, job)
    return job.count(frame) if frame.rows else NOTHING


def take(part: pd.DataFrame, share: PartitionDraw, *, job: Sampler | Splitting, expected: str | None = None) -> object:
    """Return the rows that a partition gives to a sample, and what is expected of each in a column of a given name."""
    frame = _partition(part, job)
    positions, times = job.positions_and_expected(frame, share)
    found = frame.take(positions)
    if expected is None:
        return found
    assert times is not None
    return with_column(found, expected, times)


def select(
    part: pd.DataFrame, share: PartitionDraw | None = None, *, job: PartitionStatement, empty: pd.DataFrame
) -> object:
    """Return the rows and columns that a partition gives to a statement."""
    if not len(part):
        if share is not None:
            share.check_rows(0)
        return empty
    return job.rows(_partition(part, job), share)


def weigh(part: pd.DataFrame, start: int = 0, *, job: Sampler) -> pd.Series:
    """Return the weights of a partition."""
    frame = _partition(part, job)
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


def draw(counts: Sequence[Counts], answers: Sequence[Answer | None], how: Drawing) -> Sequence[PartitionDraw]:
    """Return the shares of the partitions."""
    drawn = draw_shares(counts, answers or [None] * len(counts), how)
    for warning in drawn.warnings:
        _warn(warning)
    return drawn.shares


def cut(counts: Sequence[Counts], job: PartitionStatement) -> Sequence[PartitionDraw]:
    """Return the shares of the partitions in the first rows of all."""
    return first_shares(counts, job.size.of)


def checked_starts(counts: Sequence[Counts], job: Sampler) -> list[int]:
    """Return the number of the first row of each partition, once it is known that no weight is bad."""
    check_weights(counts, job)
    return starts_of([each.rows for each in counts])


def number(rows: Sequence[int]) -> list[int]:
    """Return the number of the first row of each partition."""
    return starts_of(rows)


def item_of(results: Sequence[object], place: int) -> object:
    """Return what is meant for one partition."""
    return results[place]


def _partition(part: pd.DataFrame, job: Job | Splitting) -> PandasFrame:
    if not isinstance(part, pd.DataFrame):
        raise TQLError(f"expected the partitions to be pandas DataFrames, got {type(part).__name__}")
    keys = [] if isinstance(job, PartitionStatement) else list(job.keys)
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


_ANY = pd.Series([], dtype=np.int64)  # stands for what tasks tell each other, which is no frame


def sampled(
    frame: dd.DataFrame, how: Drawing, job: Sampler, *, by_strata: bool, expected: str | None = None
) -> dd.DataFrame:
    """Return the rows that are drawn from a frame.

    Args:
        frame: what they are drawn from.
        how: how.
        job: what partitions do by its sampler.
        by_strata: whether it is known that counts are enough to draw by; else a pass more may be needed.
        expected: name of a column of how often each row is expected, or None.
    """
    narrow = _narrow(frame, job)
    starts = _starts(narrow, job)
    shares = _shares(narrow, how, job, starts, by_strata=by_strata)
    # Rows stay in the order of the frame; with keys they do not, within a partition.
    divisions = frame.divisions if not job.keys else None
    meta = frame._meta if expected is None else with_column(frame._meta, expected, np.empty(0))
    return _frame(_each(frame, take, shares, job=job, expected=expected), meta, divisions)


def selected(
    frame: dd.DataFrame, how: Drawing | None, job: PartitionStatement, meta: pd.DataFrame, *, by_strata: bool
) -> dd.DataFrame:
    """Return the rows and columns of a statement; `how` it draws, or None."""
    narrow = _narrow(frame, job)
    shares: list[list[Delayed]] = []
    if how is not None:
        shares = [_shares(narrow, how, job, [], by_strata=by_strata)[0]]
    elif job.cuts:
        shares = [_dealt(_once(cut, _each(narrow, count, job=job), job), frame.npartitions)]
    read = _columns(frame, job.needs(list(frame.columns)))
    return _frame(_each(read, select, shares, job=job, empty=meta), meta, frame.divisions)


def weighed(frame: dd.DataFrame, job: Sampler, *, never_bad: bool) -> dd.Series:
    """Return the weight of each row; unless it is known that none is bad, partitions are counted first."""
    narrow = _narrow(frame, job)
    starts = _starts(narrow, job)
    if not never_bad:
        counts = _each(narrow, count, starts, job=job)
        starts = [_dealt(_once(checked_starts, counts, job), frame.npartitions)]
    meta = pd.Series(index=frame._meta.index, name="weight", dtype="float64")
    divisions = frame.divisions if not job.keys else None
    return _frame(_each(narrow, weigh, starts, job=job), meta, divisions)


def reported(frame: dd.DataFrame, job: Reporting) -> list[Delayed]:
    """Return what each partition tells for a report."""
    narrow = _columns(frame, job.names(list(frame.columns)))
    starts = _starts(narrow, job.job) if isinstance(job.job, Sampler) else []
    return _each(narrow, report, starts, job=job)


def told(frame: dd.DataFrame, job: Splitting) -> list[Delayed]:
    """Return what each partition tells for a split."""
    return _each(_columns(frame, job.names(list(frame.columns))), units, job=job)


def taken(frame: dd.DataFrame, job: Splitting, shares: Sequence[PartitionDraw]) -> dd.DataFrame:
    """Return the rows of the parts of a split, of which each partition is told its share."""
    own = [[delayed(share) for share in shares]]
    return _frame(_each(frame, take, own, job=job), frame._meta, frame.divisions if not job.keys else None)


def _shares(
    narrow: dd.DataFrame, how: Drawing, job: Job, starts: list[list[Delayed]], *, by_strata: bool
) -> list[list[Delayed]]:
    """Return the share of each partition, as arguments for `_each`."""
    counts = _each(narrow, count, starts, job=job)
    answers: list[Delayed] = []
    if not by_strata:
        asked = _dealt(_once(ask, counts, how), narrow.npartitions)
        answers = _each(narrow, answer, [asked, *starts], job=job)
    return [_dealt(_once(draw, counts, answers, how), narrow.npartitions)]


def _starts(narrow: dd.DataFrame, job: Sampler) -> list[list[Delayed]]:
    """Return the number of the first row of each partition, where weights depend on it, as arguments for `_each`."""
    if not job.numbers_rows:
        return []
    return [_dealt(_once(number, _each(narrow, rows_of)), narrow.npartitions)]


def _narrow(frame: dd.DataFrame, job: Job) -> dd.DataFrame:
    """Return the columns that the first pass looks at."""
    return _columns(frame, job.names(list(frame.columns)))


def _columns(frame: dd.DataFrame, names: Sequence[str]) -> dd.DataFrame:
    return frame[list(names) or list(frame.columns[:1])]


def _each(
    frame: dd.DataFrame, step: Callable[..., Any], further: Sequence[Sequence[Delayed]] = (), **options: Any
) -> list[Delayed]:
    """Return a task a partition, which also gets what is further given for it."""
    others = [dd.from_delayed(list(each), meta=_ANY, verify_meta=False) for each in further]
    # Tuning would put partitions together of which few columns are read, in one pass and not in the other.
    with dask.config.set({"optimization.tune.active": False}):
        mapped = frame.map_partitions(
            step, *others, meta=_ANY, align_dataframes=False, enforce_metadata=False, **options
        )
        found: list[Delayed] = mapped.to_delayed()
    if len(found) != frame.npartitions:  # then passes would not speak of the same partitions
        raise TQLError(f"Dask reads {frame.npartitions} partitions as {len(found)}", hint="persist the frame first")
    return found


def _once(step: Callable[..., Any], *arguments: Any) -> Delayed:
    """Return one task for all partitions."""
    return delayed(step, pure=True)(*arguments)


def _dealt(results: Delayed, parts: int) -> list[Delayed]:
    """Return the message for each partition, picked where all are, so that no more goes over the network."""
    return [delayed(item_of, pure=True)(results, place) for place in range(parts)]


def _frame(parts: list[Delayed], meta: Any, divisions: Any) -> Any:
    known = divisions is not None and divisions[0] is not None
    return dd.from_delayed(parts, meta=meta, divisions=divisions if known else None, verify_meta=False)


_TOLD = 3  # columns that a hint names
_MOST_COMBINATIONS = 4096  # of values of columns that are weighed to know how many weights there can be
_MOST_FOOTERS = 256  # partitions of files whose bounds are looked up
_PEEK = 100  # rows that are looked at for types


def weigher_of(frame: dd.DataFrame, job: Sampler | PartitionStatement) -> Weigher | None:
    """Return the sampler made ready for the columns as far as they are known.

    It is None where they are not known well enough.

    Raises:
        TQLError: the sampler, or what tells groups apart, does not fit the columns, or an arm has a bad weight.
    """
    try:
        empty = PandasFrame(frame._meta)
        weigher = job.weigher(empty)
        if isinstance(job, Sampler):
            job.group_keys(empty)
    except TQLTypeError as fault:
        names = job.names(list(frame.columns))
        if _is_known(frame, names):
            raise _of_text(fault, frame, names) from None
        return None
    weigher.check_constants()
    return weigher


def never_bad(weigher: Weigher | None) -> bool:
    """Return whether it is known that no weight is negative, NaN or infinite, whatever the rows."""
    return weigher is not None and weigher.constant_weights is not None


def makes_strata(frame: dd.DataFrame, job: Job, weigher: Weigher | None) -> bool:
    """Return whether it is known that rows are drawn by strata, whatever the rows.

    It is where the text has few weights, or the columns of the sampler have so few possible values that all weights
    can be computed: truth values, known categories, small integers, and integers of Parquet files that state their
    bounds.
    """
    if weigher is None:
        return False
    if (constant := weigher.constant_weights) is not None:
        return len(np.unique(constant.weights)) <= FEW_STRATA
    if isinstance(job, PartitionStatement) or job.numbers_rows:
        return False
    names = job.names(list(frame.columns))
    bounds = _bounds_of(frame, names)
    possible = [_possible(frame, name, bounds.get(name)) for name in names]
    known = [values for values in possible if values is not None]
    if len(known) < len(names) or not names or math.prod(map(len, known)) > _MOST_COMBINATIONS:
        return False
    places = np.indices([len(values) for values in known]).reshape(len(known), -1)
    every = pd.DataFrame({name: values[place] for name, values, place in zip(names, known, places, strict=True)})
    try:
        return len(np.unique(weigher.weigh(PandasFrame(every)))) <= FEW_STRATA
    except TQLError:  # of values that there may not be
        return False


def _possible(frame: dd.DataFrame, name: str, bounds: tuple[int, int] | None) -> Any:
    """Return all values that a column can have, with its dtype; None where they are many or not known.

    Args:
        frame: the frame.
        name: of the column.
        bounds: least and greatest value in the files that it is read from, if they are known.
    """
    dtype = frame._meta[name].dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.array([*dtype.categories, None], dtype=dtype) if frame[name].cat.known else None
    if pd.api.types.is_bool_dtype(dtype):
        values: list[Any] = [False, True]
    elif pd.api.types.is_integer_dtype(dtype):
        if bounds is None:
            limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
            bounds = int(limits.min), int(limits.max)
        if bounds[1] - bounds[0] >= _MOST_COMBINATIONS:
            return None
        values = list(range(bounds[0], bounds[1] + 1))
    else:
        return None
    return pd.array(values if isinstance(dtype, np.dtype) else [*values, None], dtype=dtype)


def _bounds_of(frame: dd.DataFrame, names: list[str]) -> dict[str, tuple[int, int]]:
    """Return the least and greatest value of columns of integers that are read from Parquet files as they are.

    Files are not read if they are many: nothing else runs before `compute`.
    """
    wanted = [name for name in names if pd.api.types.is_integer_dtype(frame._meta[name].dtype)]
    if _collect_pq_statistics is None or frame.npartitions > _MOST_FOOTERS or not wanted:
        return {}
    expression = frame.expr
    while isinstance(expression, Projection):
        expression = expression.frame
    if not isinstance(expression, ReadParquetFSSpec):
        return {}
    found: dict[str, tuple[int, int]] = {}
    parts = _collect_pq_statistics(expression, columns=wanted) or []
    for name in wanted:
        each = [column for part in parts for column in part.get("columns", ()) if column["name"] == name]
        if each and len(each) == len(parts) and all(column.get("min") is not None for column in each):
            found[name] = int(min(column["min"] for column in each)), int(max(column["max"] for column in each))
    return found


def meta_of(frame: dd.DataFrame, job: PartitionStatement) -> pd.DataFrame:
    """Return the result of a statement without its rows.

    Where its types depend on columns of dtype object, some rows of the first partition that has any are looked at.

    Raises:
        TQLError: the statement does not fit the columns.
    """
    names = job.all_names(list(frame.columns))
    known = _is_known(frame, names)
    try:
        if known or not job.computes(PandasFrame(frame._meta)):
            return _result(frame._meta, job)
    except TQLTypeError as fault:
        if known:
            raise _of_text(fault, frame, names) from None
    rows = (part.head(_PEEK, npartitions=1) for part in frame.partitions)
    return _result(next((some for some in rows if len(some)), frame._meta), job)


def _result(rows: pd.DataFrame, job: PartitionStatement) -> pd.DataFrame:
    result = job.rows(PandasFrame(rows), None)
    assert isinstance(result, pd.DataFrame)
    return result.head(0)


def _is_known(frame: dd.DataFrame, names: list[str]) -> bool:
    # Of all columns of a name: that there are several is an error with words of its own.
    return all(dtype != np.object_ for dtype in frame._meta[names].dtypes)


def _of_text(fault: TQLTypeError, frame: dd.DataFrame, names: list[str]) -> TQLTypeError:
    """Return the same error; where it is of text, with a hint that Dask may have made the text of other values."""
    dtypes = frame._meta[names].dtypes
    texts = [name for name, dtype in dtypes.items() if isinstance(dtype, pd.StringDtype)]
    if "text" not in fault.message or not texts or dask.config.get("dataframe.convert-string", None) is False:
        return fault
    columns = f"column{'s' * (len(texts) > 1)} {', '.join(map(repr, texts[:_TOLD]))}"
    hint = f"Dask converts Decimals, lists and other objects to text. If {columns} held such values, make the frame "
    hint += "after dask.config.set({'dataframe.convert-string': False})"
    return TQLTypeError(fault.message, source=fault.source, span=fault.span, hint=hint)
