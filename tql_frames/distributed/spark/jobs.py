"""Passes over a Spark frame: what each partition tells is collected at once, what it gives is a plan.

In a pass that counts, a partition is known by its task. In the last it is known by `spark_partition_id()`, which stays
right when a sample is coalesced or put together with other frames. It comes as a column, of which an empty partition
has no value: where there are empty ones, a row that says so is put into each before, so that a partition that has lost
its rows is not taken for one that had none. The same is done for rows that are part of the plan itself, for which Spark
computes the column before there are partitions.

Where no partition is empty, the last pass hands over the columns that weights depend on alone; all others stay in the
JVM, however many they are. A row that says that it is none needs a place in every column, so that all are handed over.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - as everyone does
from pyspark.sql.pandas.functions import ArrowUDFType
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    StructField,
    StructType,
)

from tql_frames.distributed import PartitionDraw
from tql_frames.distributed.arrow import ArrowPartition
from tql_frames.distributed.assignment import PackedShares
from tql_frames.distributed.partition_counts import changed
from tql_frames.errors import TQLError
from tql_frames.sampling import Floats, Positions

Batches = Iterable[pa.RecordBatch]

# Names of columns that are known by their places, whatever else there is.
_PART, _EMPTY, _RESULT = "tql_partition", "tql_empty", "tql_result"
_NO_ROWS = -1


@dataclass(frozen=True)
class PassResult:
    """What the partitions returned in one pass.

    Attributes:
        found: what those that have rows returned, by their numbers.
        partitions: how many there are.
        numbered: whether `spark_partition_id()` gives the number of each.
    """

    found: Mapping[int, Any]
    partitions: int
    numbered: bool

    def in_order(self, otherwise: object) -> list[Any]:
        """Return what each partition returned; something else for those without rows."""
        return [self.found.get(number, otherwise) for number in range(self.partitions)]


def ask(frame: DataFrame, names: Sequence[str], step: Callable[[ArrowPartition, int], object]) -> PassResult:
    """Run a step on each partition that has rows, and collect what it returns.

    Args:
        frame: the frame.
        names: columns that the step looks at.
        step: partition and its number -> what is collected of it.

    Raises:
        TQLError: what the step raised in the first partition in which it did.
    """

    names = list(names)
    places = [frame.columns.index(name) for name in names]

    def run(batches: Batches) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None
        task = context.partitionId()
        number, part = _partition(batches, names, marked=False)
        result: object = None
        if part is not None:
            try:
                result = step(part, task)
            except TQLError as fault:  # the caller is to get it as it is, not as text in an error of Spark
                result = fault
        arrays = [pa.array([task], pa.int32()), pa.array([number], pa.int32()), pa.array([pickle.dumps(result)])]
        yield pa.RecordBatch.from_arrays(arrays, names=["task", "number", "result"])

    seen = _numbered(frame).select(_PART, *map(plain_name, places))
    rows = seen.mapInArrow(run, "task int, number int, result binary").collect()
    found = {row.task: pickle.loads(row.result) for row in rows if row.number != _NO_ROWS}
    for number in sorted(found):
        if isinstance(found[number], TQLError):
            raise found[number]
    return PassResult(found, len(rows), all(row.task == row.number for row in rows))


def map_partitions(
    frame: DataFrame,
    schema: StructType,
    step: Callable[[ArrowPartition, PartitionDraw | None], Iterator[pa.RecordBatch]],
    shares: Sequence[PartitionDraw] | None = None,
    *,
    numbered: bool = True,
) -> DataFrame:
    """Return a plan for what a step gives of each partition that has rows.

    Args:
        frame: the frame.
        schema: of the result.
        step: partition and its share -> batches of the result.
        shares: of the partitions; None where a step needs none.
        numbered: whether `spark_partition_id()` gives the number of each partition.
    """
    packed = None if shares is None else PackedShares.of(shares)
    marked = packed is not None and not numbered
    names = frame.columns

    def run(batches: Batches) -> Iterator[pa.RecordBatch]:
        number, part = _partition(batches, names, marked=marked)
        if packed is None:
            return iter(()) if part is None else step(part, None)
        share = packed[number]  # none of a partition without a number, though all had rows, or with one too high
        if share is None:
            raise changed()
        if part is None:
            share.check_rows(0)
            return iter(())
        return step(part, share)

    return (_numbered(frame) if not marked else _with_number(_marked(frame))).mapInArrow(run, schema)


def select_rows(
    frame: DataFrame,
    schema: StructType,
    names: Sequence[str],
    step: Callable[[ArrowPartition, PartitionDraw], tuple[Positions, Floats | None]],
    shares: Sequence[PartitionDraw],
    *,
    index: bool,
    expected: bool = False,
) -> DataFrame:
    """Return a plan for rows that a step picks from each partition; all partitions have numbers.

    Args:
        frame: the frame.
        schema: of the result.
        names: columns that the step looks at.
        step: partition and its share -> positions in it, ascending, with repetition, and a number for each of them or
            None.
        shares: of the partitions.
        index: whether the numbers of the rows in the frame are the first column.
        expected: whether the numbers of the step are the last.
    """

    def numbers(part: ArrowPartition, share: PartitionDraw | None) -> pa.Array:
        assert share is not None
        found, times = step(part, share)
        positions = found.astype(np.int64)
        ends = np.cumsum(np.bincount(positions, minlength=part.rows))
        values = pa.array(positions + share.first)
        if expected:
            values = pa.StructArray.from_arrays([values, pa.array(times, pa.float64())], names=["row", "expected"])
        return pa.ListArray.from_arrays(pa.array(np.append(0, ends), pa.int32()), values)

    dtype: DataType = LongType()
    if expected:
        dtype = StructType([StructField("row", LongType(), False), StructField("expected", DoubleType(), False)])
    rows = _beside(frame, names, ArrayType(dtype, containsNull=False), numbers, shares)
    own = [F.col(plain_name(place)) for place in range(len(frame.columns))]
    # A row comes once for each of its numbers.
    rows = rows.select(F.explode(_RESULT).alias(_RESULT), *own)
    row = F.col(_RESULT)
    first, last = (row["row"], [row["expected"]]) if expected else (row, [])
    return rows.select(*([first] if index else []), *own, *last).toDF(*schema.names)


def add_column(
    frame: DataFrame,
    schema: StructType,
    names: Sequence[str],
    step: Callable[[ArrowPartition, PartitionDraw | None], pa.Array],
    shares: Sequence[PartitionDraw] | None,
) -> DataFrame:
    """Return a plan for the frame with one more column, last in the schema.

    All partitions have numbers if there are shares.

    Args:
        frame: the frame.
        schema: of the result.
        names: columns that the step looks at.
        step: partition and its share -> the values of the column.
        shares: of the partitions; None where a step needs none.
    """
    rows = _beside(frame, names, schema.fields[-1].dataType, step, shares)
    return rows.drop(_PART).toDF(*schema.names)


def _beside(
    frame: DataFrame,
    names: Sequence[str],
    dtype: DataType,
    step: Callable[[ArrowPartition, PartitionDraw | None], pa.Array],
    shares: Sequence[PartitionDraw] | None,
) -> DataFrame:
    """Return the frame with a last column of one value a row, computed in partitions that see some columns.

    All columns have plain names.
    """
    names, packed = list(names), None if shares is None else PackedShares.of(shares)

    def run(batches: Iterable[Any]) -> Iterator[pa.Array]:
        heights: list[int] = []
        number, part = _partition(_as_batches(batches, heights), names, marked=False)
        share = None if packed is None else packed[number]
        if packed is not None and share is None:
            raise changed()
        if part is None:
            return
        result, first = step(part, share), 0
        for height in heights:
            yield result.slice(first, height)
            first += height

    added = F.arrow_udf(run, dtype, ArrowUDFType.SCALAR_ITER)
    # Else Spark would think that later filters may come before it, and that it may run more than once.
    added = added.asNondeterministic()
    places = [frame.columns.index(name) for name in names]
    return _numbered(frame).select("*", added(_PART, *map(plain_name, places)).alias(_RESULT))


def _as_batches(batches: Iterable[Any], heights: list[int]) -> Iterator[pa.RecordBatch]:
    """Batches of what a function of columns gets, which of a single column is the column; their heights are noted."""
    for given in batches:
        columns = [given] if isinstance(given, pa.Array) else list(given)
        heights.append(len(columns[0]))
        yield pa.RecordBatch.from_arrays(columns, names=[str(place) for place in range(len(columns))])


def narrowed(frame: DataFrame, names: Sequence[str]) -> DataFrame:
    """Return some columns of a frame, in its order."""
    places = [place for place, name in enumerate(frame.columns) if name in names]
    return plainly_named(frame).select(*map(plain_name, places)).toDF(*[frame.columns[place] for place in places])


def arrow_schema(frame: DataFrame) -> pa.Schema:
    """Return the columns of a frame as Spark hands them to Python; no rows are asked for."""
    found = plainly_named(frame).limit(0).toArrow().schema
    return pa.schema([field.with_name(name) for field, name in zip(found, frame.columns, strict=True)])


def quoted(name: str) -> str:
    """Return a name as Spark reads it, dots and all."""
    return "`" + name.replace("`", "``") + "`"


def plainly_named(frame: DataFrame) -> DataFrame:
    """Return the frame with other names: Spark cannot hand over columns whose names it would have to read."""
    return frame.toDF(*[plain_name(place) for place in range(len(frame.columns))])


def _numbered(frame: DataFrame) -> DataFrame:
    """Return the frame behind a column of the numbers of its partitions, plainly named."""
    return _with_number(plainly_named(frame))


def _with_number(frame: DataFrame) -> DataFrame:
    return frame.select(F.spark_partition_id().alias(_PART), "*")


def plain_name(place: int) -> str:
    """Return the plain name of a column by its place."""
    return f"tql_{place}"


def _partition(batches: Batches, names: list[str], *, marked: bool) -> tuple[int, ArrowPartition | None]:
    """Return the number of a partition, and its rows if it has any; without a mark an empty one has no number."""
    number, held, rows = _NO_ROWS, [], 0
    first = 2 if marked else 1
    fields: list[pa.Field] = []
    for batch in batches:  # all of them: a worker that leaves some is not used again
        if not batch.num_rows:
            continue
        number = batch.column(0)[0].as_py()
        if marked and batch.column(1)[0].as_py():
            continue
        own = list(batch.schema)[first:]
        fields = [field.with_name(name) for field, name in zip(own, names, strict=True)]
        held.append(pa.RecordBatch.from_arrays(batch.columns[first:], schema=pa.schema(fields)))
        rows += batch.num_rows
    return number, ArrowPartition(pa.schema(fields), held, rows) if rows else None


def _marked(frame: DataFrame) -> DataFrame:
    """Return the frame behind a column that says of a row that it stands for none."""
    frame = plainly_named(frame)
    arrow = frame.limit(0).toArrow().schema
    names = [_EMPTY, *arrow.names]

    def run(batches: Batches) -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in batches:
            rows += batch.num_rows
            marks = pa.array(np.zeros(batch.num_rows, np.bool_))
            yield pa.RecordBatch.from_arrays([marks, *batch.columns], names=names)
        if not rows:
            nulls = [pa.nulls(1, field.type) for field in arrow]
            yield pa.RecordBatch.from_arrays([pa.array([True]), *nulls], names=names)

    fields = [StructField(each.name, each.dataType, True) for each in frame.schema.fields]
    return frame.mapInArrow(run, StructType([StructField(_EMPTY, BooleanType(), False), *fields]))
