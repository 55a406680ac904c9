"""Build Dask graphs of samples from tasks that run on partitions.

`namespace` checks the arguments of callers. Reading and `take` are one task, so that no partition is read, or kept in
memory, before its share is known.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.delayed import Delayed, delayed
from pyarrow.parquet import ParquetFile

try:  # not public: in a version without them, bounds are not known
    from dask.dataframe.dask_expr._expr import Projection
    from dask.dataframe.dask_expr.io.parquet import ReadParquetFSSpec
except ImportError:
    Projection = ReadParquetFSSpec = None

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
    """Return the number of rows of a partition."""
    return len(part)


def count(part: pd.DataFrame, start: int = 0, *, job: Job) -> Counts:
    """Return the counts of a partition."""
    frame = _partition(part, job)
    return job.count(frame, start) if frame.rows else Counts(0)


def answer(part: pd.DataFrame, question: Question | None, start: int = 0, *, job: Job) -> Answer | None:
    """Return the answer of a partition to a question; None without a question."""
    return None if question is None else job.answer(question, _partition(part, job), start)


def units(part: pd.DataFrame, *, job: Splitting) -> UnitsOfPartition:
    """Return the counts of a partition for a split."""
    frame = _partition(part, job)
    return job.count(frame) if frame.rows else NOTHING


def take(part: pd.DataFrame, share: PartitionDraw, *, job: Sampler | Splitting, expected: str | None = None) -> object:
    """Return the drawn rows of a partition, with their expected draws in a column `expected` unless it is None."""
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
    """Return the rows and columns of a statement in a partition."""
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
    """Return the counts and cells of a partition for a report."""
    frame = PandasFrame(part)
    return job.count(frame, start) if frame.rows else Counted(Counts(0), None)


def ask(counts: Sequence[Counts], how: Drawing) -> list[Question | None]:
    """Return the question to each partition; None if it is not asked."""
    return questions(counts, how)


def draw(counts: Sequence[Counts], answers: Sequence[Answer | None], how: Drawing) -> Sequence[PartitionDraw]:
    """Return the shares of the partitions, and issue the warnings of the draw."""
    drawn = draw_shares(counts, answers or [None] * len(counts), how)
    for warning in drawn.warnings:
        _warn(warning)
    return drawn.shares


def cut(counts: Sequence[Counts], job: PartitionStatement) -> Sequence[PartitionDraw]:
    """Return the shares of the first rows of all partitions."""
    return first_shares(counts, job.size.of)


def checked_starts(counts: Sequence[Counts], job: Sampler) -> list[int]:
    """Return the number of the first row of each partition.

    Raises:
        WeightError: a weight is invalid.
    """
    check_weights(counts, job)
    return starts_of([each.rows for each in counts])


def number(rows: Sequence[int]) -> list[int]:
    """Return the number of the first row of each partition."""
    return starts_of(rows)


def item_of(results: Sequence[object], place: int) -> object:
    """Return the result for one partition."""
    return results[place]


def _partition(part: pd.DataFrame, job: Job | Splitting) -> PandasFrame:
    if not isinstance(part, pd.DataFrame):
        raise TQLError(f"expected the partitions to be pandas DataFrames, got {type(part).__name__}")
    keys = [] if isinstance(job, PartitionStatement) else list(job.keys)
    return PandasFrame(part.sort_values(keys, kind="stable") if keys else part)


def _warn(warning: TQLWarning) -> None:
    """Warn the user, also from a worker of a cluster."""
    worker = sys.modules.get("distributed.worker")  # loaded in every worker
    if worker is not None:
        try:
            worker.get_worker()
        except ValueError:  # not in a worker
            pass
        else:
            worker.warn(str(warning), type(warning))
            return
    warnings.warn(warning, stacklevel=2)


_ANY = pd.Series([], dtype=np.int64)  # meta of tasks whose result is not a frame


def sampled(
    frame: dd.DataFrame, how: Drawing, job: Sampler, *, by_strata: bool, expected: str | None = None
) -> dd.DataFrame:
    """Return the drawn rows of a frame.

    Args:
        frame: the frame.
        how: the request.
        job: the sampler.
        by_strata: whether counts are known to be enough for the draw; else the graph has a further pass, for answers.
        expected: name of a column with the expected draws of each row, or None.
    """
    narrow = _narrow(frame, job)
    starts = _starts(narrow, job)
    shares = _shares(narrow, how, job, starts, by_strata=by_strata)
    # Keys sort the rows of a partition, so that it is no longer in the order of its index.
    divisions = frame.divisions if not job.keys else None
    meta = frame._meta if expected is None else with_column(frame._meta, expected, np.empty(0))
    return _frame(_each(frame, take, shares, job=job, expected=expected), meta, divisions)


def selected(
    frame: dd.DataFrame, how: Drawing | None, job: PartitionStatement, meta: pd.DataFrame, *, by_strata: bool
) -> dd.DataFrame:
    """Return the rows and columns of a statement; `how` is the request of its SAMPLE BY, or None."""
    narrow = _narrow(frame, job)
    shares: list[list[Delayed]] = []
    if how is not None:
        shares = [_shares(narrow, how, job, [], by_strata=by_strata)[0]]
    elif job.cuts:
        shares = [_dealt(_once(cut, _each(narrow, count, job=job), job), frame.npartitions)]
    read = _columns(frame, job.needs(list(frame.columns)))
    return _frame(_each(read, select, shares, job=job, empty=meta), meta, frame.divisions)


def weighed(frame: dd.DataFrame, job: Sampler, *, never_bad: bool) -> dd.Series:
    """Return the weight of each row; `never_bad` omits the pass that checks the weights."""
    narrow = _narrow(frame, job)
    starts = _starts(narrow, job)
    if not never_bad:
        counts = _each(narrow, count, starts, job=job)
        starts = [_dealt(_once(checked_starts, counts, job), frame.npartitions)]
    meta = pd.Series(index=frame._meta.index, name="weight", dtype="float64")
    divisions = frame.divisions if not job.keys else None
    return _frame(_each(narrow, weigh, starts, job=job), meta, divisions)


def reported(frame: dd.DataFrame, job: Reporting) -> list[Delayed]:
    """Return the counts and cells of each partition for a report, as tasks."""
    narrow = _columns(frame, job.names(list(frame.columns)))
    starts = _starts(narrow, job.job) if isinstance(job.job, Sampler) else []
    return _each(narrow, report, starts, job=job)


def told(frame: dd.DataFrame, job: Splitting) -> list[Delayed]:
    """Return the counts of each partition for a split, as tasks."""
    return _each(_columns(frame, job.names(list(frame.columns))), units, job=job)


def taken(frame: dd.DataFrame, job: Splitting, shares: Sequence[PartitionDraw]) -> dd.DataFrame:
    """Return the rows of the parts of a split, by the share of each partition."""
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
    """Return the number of the first row of each partition, as arguments for `_each`; none if weights ignore it."""
    if not job.numbers_rows:
        return []
    return [_dealt(_once(number, _each(narrow, rows_of)), narrow.npartitions)]


def _narrow(frame: dd.DataFrame, job: Job) -> dd.DataFrame:
    """Return the columns that the first pass reads."""
    return _columns(frame, job.names(list(frame.columns)))


def _columns(frame: dd.DataFrame, names: Sequence[str]) -> dd.DataFrame:
    return frame[list(names) or list(frame.columns[:1])]


def _each(
    frame: dd.DataFrame, step: Callable[..., Any], further: Sequence[Sequence[Delayed]] = (), **options: Any
) -> list[Delayed]:
    """Return one task per partition, with the items of `further` for the partition as further arguments."""
    others = [dd.from_delayed(list(each), meta=_ANY, verify_meta=False) for each in further]
    # Tuning joins partitions if few columns are read, so that passes would have different partitions.
    with dask.config.set({"optimization.tune.active": False}):
        mapped = frame.map_partitions(
            step, *others, meta=_ANY, align_dataframes=False, enforce_metadata=False, **options
        )
        found: list[Delayed] = mapped.to_delayed()
    if len(found) != frame.npartitions:  # passes would have different partitions
        raise TQLError(f"Dask reads {frame.npartitions} partitions as {len(found)}", hint="persist the frame first")
    return found


def _once(step: Callable[..., Any], *arguments: Any) -> Delayed:
    """Return one task for all partitions."""
    return delayed(step, pure=True)(*arguments)


def _dealt(results: Delayed, parts: int) -> list[Delayed]:
    """Return a task per partition that picks its result from all results, so that only this one is sent."""
    return [delayed(item_of, pure=True)(results, place) for place in range(parts)]


def _frame(parts: list[Delayed], meta: Any, divisions: Any) -> Any:
    known = divisions is not None and divisions[0] is not None
    return dd.from_delayed(parts, meta=meta, divisions=divisions if known else None, verify_meta=False)


_TOLD = 3  # columns that a hint names
_MOST_COMBINATIONS = 4096  # of column values that are weighed to count the possible weights
_MOST_FOOTERS = 256  # partitions of files whose bounds are read
_FOOTERS_AT_ONCE = 16  # files that are open together, since each answer of a remote store takes long
_PEEK = 100  # rows that are computed for their types


def weigher_of(frame: dd.DataFrame, job: Sampler | PartitionStatement) -> Weigher | None:
    """Return the sampler compiled for the columns; None if their types are not known.

    Raises:
        TQLError: the sampler or a key does not fit the columns, or an arm has an invalid weight.
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
    """Return whether all possible weights are known to be valid: none is negative, NaN or infinite."""
    return weigher is not None and weigher.constant_weights is not None


def makes_strata(frame: dd.DataFrame, job: Job, weigher: Weigher | None) -> bool:
    """Return whether rows are known to be drawn by strata.

    This is the case if the text has few weights, or if the columns of the sampler have so few possible values that all
    weights can be computed: Booleans, known categories, small integers, and integers whose Parquet files have bounds.
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
    except TQLError:  # for a combination of values that may not occur
        return False


def _possible(frame: dd.DataFrame, name: str, bounds: tuple[int, int] | None) -> Any:
    """Return all possible values of a column, with its dtype; None if they are many or not known.

    Args:
        frame: the frame.
        name: name of the column.
        bounds: least and greatest value in the files of the column; None if not known.
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
    """Return the least and greatest value of integer columns that are read from Parquet files without changes.

    The footers are read while the graph is built, so this is limited to 256 partitions.
    """
    wanted = [name for name in names if pd.api.types.is_integer_dtype(frame._meta[name].dtype)]
    if ReadParquetFSSpec is None or frame.npartitions > _MOST_FOOTERS or not wanted:
        return {}
    expression = frame.expr
    while isinstance(expression, Projection):
        expression = expression.frame
    if not isinstance(expression, ReadParquetFSSpec):
        return {}
    found: dict[str, list[int]] = {name: [] for name in wanted}
    for group in _row_groups(expression):
        columns = {group.column(place).path_in_schema: group.column(place) for place in range(group.num_columns)}
        for name, values in list(found.items()):
            bounds = columns[name].statistics if name in columns else None
            if bounds is not None and bounds.has_min_max:
                values += [int(bounds.min), int(bounds.max)]
            elif group.num_rows:
                del found[name]
    return {name: (min(values), max(values)) for name, values in found.items() if values}


def _row_groups(expression: Any) -> Iterator[Any]:
    """Yield the metadata of the row groups that a frame reads.

    Dask's own statistics of a partition leave out row groups without bounds, so the others would seem to hold for all.
    """
    plan, files = expression._plan, expression._io_func.fs
    pieces = [
        each["piece"]
        for number, part in enumerate([] if plan["empty"] else plan["parts"])
        if not expression._filtered or number in expression._partitions
        for each in (part if isinstance(part, list) else [part])
    ]

    def footer_of(path: str) -> Any:
        with files.open(path, default_cache="none") as file:
            return ParquetFile(file).metadata

    paths = list(dict.fromkeys(path for path, *_ in pieces))  # a file may have row groups in many partitions
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        footers = dict(zip(paths, pool.map(footer_of, paths), strict=True))
    for path, numbers, *_ in pieces:
        footer = footers[path]
        for one in range(footer.num_row_groups) if numbers in (None, [None]) else numbers:
            yield footer.row_group(one)


def meta_of(frame: dd.DataFrame, job: PartitionStatement) -> pd.DataFrame:
    """Return the result of a statement without rows.

    If its types depend on columns of dtype object, up to 100 rows of the first partition with rows are computed.

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
    # `dtypes` accepts several columns of one name, which raise an error of their own later.
    return all(dtype != np.object_ for dtype in frame._meta[names].dtypes)


def _of_text(fault: TQLTypeError, frame: dd.DataFrame, names: list[str]) -> TQLTypeError:
    """Return the error; if it is about text, with the hint that Dask may have converted other values to text."""
    dtypes = frame._meta[names].dtypes
    texts = [name for name, dtype in dtypes.items() if isinstance(dtype, pd.StringDtype)]
    if "text" not in fault.message or not texts or dask.config.get("dataframe.convert-string", None) is False:
        return fault
    columns = f"column{'s' * (len(texts) > 1)} {', '.join(map(repr, texts[:_TOLD]))}"
    hint = f"Dask converts Decimals, lists and other objects to text. If {columns} held such values, make the frame "
    hint += "after dask.config.set({'dataframe.convert-string': False})"
    return TQLTypeError(fault.message, source=fault.source, span=fault.span, hint=hint)
