"""Run passes over a Spark DataFrame: results of partitions are collected at once, rows of partitions are a plan.

`calls` defines the steps. In a pass that counts, a partition is identified by its task. In the last pass it is
identified by a column of `spark_partition_id()`, which stays right if a sample is coalesced or combined with other
frames. An empty partition has no value in this column. If there are empty partitions, a marked row is added to each of
them first, so that a partition that lost its rows is not mistaken for an empty one. The same is done for rows that are
part of the plan itself, for which Spark computes the column before it forms partitions.

If no partition is empty, the last pass sends only the columns of the sampler to Python; all other columns stay in the
JVM. A marked row needs a value in every column, so all columns are sent.
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

# Names of internal columns. They are free, since the columns of the frame are renamed by position.
_PART, _EMPTY, _RESULT = "tql_partition", "tql_empty", "tql_result"
_NO_ROWS = -1


@dataclass(frozen=True)
class PassResult:
    """Results of the partitions in one pass.

    Attributes:
        found: results of the partitions that have rows, by number.
        partitions: number of partitions.
        numbered: whether `spark_partition_id()` returns the number of every partition.
    """

    found: Mapping[int, Any]
    partitions: int
    numbered: bool

    def in_order(self, otherwise: object) -> list[Any]:
        """Return the result of each partition, in order; `otherwise` for partitions without rows."""
        return [self.found.get(number, otherwise) for number in range(self.partitions)]


def ask(frame: DataFrame, names: Sequence[str], step: Callable[[ArrowPartition, int], object]) -> PassResult:
    """Run a step on each partition that has rows, and collect the results.

    Args:
        frame: the frame.
        names: columns that the step reads.
        step: partition and its number -> result.

    Raises:
        TQLError: the step raised it, in the first partition that failed.
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
            except TQLError as fault:  # returned, since Spark would turn it into text in an error of its own
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
    """Return a plan for the results of a step on each partition that has rows.

    Args:
        frame: the frame.
        schema: schema of the result.
        step: partition and its share -> batches of the result.
        shares: shares of the partitions; None if the step needs no share.
        numbered: whether `spark_partition_id()` returns the number of every partition.
    """
    packed = None if shares is None else PackedShares.of(shares)
    marked = packed is not None and not numbered
    names = frame.columns

    def run(batches: Batches) -> Iterator[pa.RecordBatch]:
        number, part = _partition(batches, names, marked=marked)
        if packed is None:
            return iter(()) if part is None else step(part, None)
        share = packed[number]  # None if a partition lost all its rows, or if there are more partitions than before
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
    """Return a plan for rows that a step selects in each partition; all partitions must have numbers.

    Args:
        frame: the frame.
        schema: schema of the result.
        names: columns that the step reads.
        step: partition and its share -> row positions in the partition, ascending, with repetition, and the expected
            draws of each or None.
        shares: shares of the partitions.
        index: whether the first column has the numbers of the rows in the frame.
        expected: whether the last column has the expected draws.
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
    # The list of a row has its number once per draw.
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

    If there are shares, all partitions must have numbers.

    Args:
        frame: the frame.
        schema: schema of the result.
        names: columns that the step reads.
        step: partition and its share -> the values of the column.
        shares: shares of the partitions; None if the step needs no share.
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
    """Return the frame with a last column of one value per row, which a step computes from the columns `names`.

    A first column has the number of the partition. All columns have plain names.
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
    # Otherwise Spark may move later filters before it, or run it more than once.
    added = added.asNondeterministic()
    places = [frame.columns.index(name) for name in names]
    return _numbered(frame).select("*", added(_PART, *map(plain_name, places)).alias(_RESULT))


def _as_batches(batches: Iterable[Any], heights: list[int]) -> Iterator[pa.RecordBatch]:
    """Yield the arguments of a column function as batches, and append their heights; one column is an array itself."""
    for given in batches:
        columns = [given] if isinstance(given, pa.Array) else list(given)
        heights.append(len(columns[0]))
        yield pa.RecordBatch.from_arrays(columns, names=[str(place) for place in range(len(columns))])


def narrowed(frame: DataFrame, names: Sequence[str]) -> DataFrame:
    """Return some columns of a frame, in the order of the frame."""
    places = [place for place, name in enumerate(frame.columns) if name in names]
    return plainly_named(frame).select(*map(plain_name, places)).toDF(*[frame.columns[place] for place in places])


def arrow_schema(frame: DataFrame) -> pa.Schema:
    """Return the Arrow schema in which Spark passes a frame to Python; no rows are computed."""
    found = plainly_named(frame).limit(0).toArrow().schema
    return pa.schema([field.with_name(name) for field, name in zip(found, frame.columns, strict=True)])


def quoted(name: str) -> str:
    """Return a name in quotes for Spark, which would split it at dots."""
    return "`" + name.replace("`", "``") + "`"


def plainly_named(frame: DataFrame) -> DataFrame:
    """Return the frame with its columns renamed by position, since Spark parses names, such as those with dots."""
    return frame.toDF(*[plain_name(place) for place in range(len(frame.columns))])


def _numbered(frame: DataFrame) -> DataFrame:
    """Return the frame with plain names, after a first column with the number of the partition."""
    return _with_number(plainly_named(frame))


def _with_number(frame: DataFrame) -> DataFrame:
    return frame.select(F.spark_partition_id().alias(_PART), "*")


def plain_name(place: int) -> str:
    """Return the plain name of a column by its position."""
    return f"tql_{place}"


def _partition(batches: Batches, names: list[str], *, marked: bool) -> tuple[int, ArrowPartition | None]:
    """Return the number of a partition, and its rows or None; the number is -1 for an empty one without a mark."""
    number, held, rows = _NO_ROWS, [], 0
    first = 2 if marked else 1
    fields: list[pa.Field] = []
    for batch in batches:  # all of them, since Spark does not reuse a worker that leaves batches unread
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
    """Return the frame with plain names and a marked row in each empty partition; the first column has the marks."""
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
