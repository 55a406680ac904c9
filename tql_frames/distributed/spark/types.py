"""Convert types between Polars, Arrow and Spark, and replace intervals, which Arrow lacks, by numbers.

`jobs` passes columns to Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - as everyone does
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import (
    ArrayType,
    CalendarIntervalType,
    DataType,
    DoubleType,
    LongType,
    MapType,
    StructField,
    StructType,
    YearMonthIntervalType,
)

from tql_frames.compiler.expressions.scope import Field
from tql_frames.distributed.arrow import in_arrow
from tql_frames.errors import TQLTypeError


def with_first(name: str | None, schema: StructType) -> StructType:
    """Return a schema with a first column of row numbers; unchanged if its name is None."""
    return schema if name is None else StructType([StructField(name, LongType(), False), *schema.fields])


def with_last(name: str | None, schema: StructType) -> StructType:
    """Return a schema with a last column of type double; unchanged if its name is None."""
    return schema if name is None else StructType([*schema.fields, StructField(name, DoubleType(), False)])


def schema_of(fields: Sequence[Field], frame: StructType) -> StructType:
    """Return the schema of a statement's result.

    Args:
        fields: columns of the result.
        frame: schema of the frame.

    Raises:
        TQLTypeError: Spark lacks the type of a computed column.
    """
    found = []
    for each in fields:
        if each.origin is not None:
            own = frame.fields[each.origin]
            found.append(StructField(str(each.label), own.dataType, own.nullable))
        else:
            found.append(StructField(str(each.label), _spark_type(each)))
    return StructType(found)


def arrow_schema_of(fields: Sequence[Field], frame: pa.Schema, index: str | None) -> pa.Schema:
    """Return the Arrow schema of a statement's result, in which partitions return it.

    Args:
        fields: columns of the result.
        frame: Arrow schema of the frame.
        index: name of a first column of row numbers, or None.
    """
    found = [] if index is None else [pa.field(index, pa.int64())]
    for each in fields:
        dtype = _arrow_type(each) if each.origin is None else frame.field(each.origin).type
        found.append(pa.field(str(each.label), dtype))
    return pa.schema(found)


def _spark_type(field: Field) -> DataType:
    dtype = _arrow_type(field)
    try:
        return from_arrow_type(dtype, prefer_timestamp_ntz=True)
    except Exception as fault:  # its class depends on the version of Spark
        message = f"column {field.label!r} of type {field.known} has no type in Spark"
        raise TQLTypeError(message, hint=str(fault).splitlines()[0][:200]) from None


def _arrow_type(field: Field) -> pa.DataType:
    series = pl.Series([], dtype=in_arrow(field.known))
    return _plain(series.to_arrow(compat_level=pl.CompatLevel.oldest()).type)


def _plain(dtype: pa.DataType) -> pa.DataType:
    """Return the Arrow type that Spark accepts for an Arrow type."""
    if pa.types.is_large_string(dtype) or pa.types.is_null(dtype):
        return pa.string()
    if pa.types.is_large_binary(dtype):
        return pa.binary()
    if pa.types.is_dictionary(dtype):
        return _plain(dtype.value_type)
    if pa.types.is_unsigned_integer(dtype):
        return {8: pa.int16(), 16: pa.int32(), 32: pa.int64(), 64: pa.decimal128(20, 0)}[dtype.bit_width]
    if pa.types.is_timestamp(dtype):
        return pa.timestamp("us", dtype.tz)
    if pa.types.is_duration(dtype):
        return pa.duration("us")
    if pa.types.is_large_list(dtype) or pa.types.is_list(dtype) or pa.types.is_fixed_size_list(dtype):
        return pa.list_(pa.field("element", _plain(dtype.value_type)))
    if pa.types.is_struct(dtype):
        return pa.struct([pa.field(each.name, _plain(each.type)) for each in dtype])
    return dtype


_KINDS = (CalendarIntervalType, YearMonthIntervalType)


class Intervals:
    """The interval columns of a frame."""

    def __init__(self, frame: DataFrame) -> None:
        """Find the interval columns.

        Raises:
            TQLTypeError: an array, map or struct contains intervals.
        """
        self._names = frame.columns
        self._types = [field.dataType if isinstance(field.dataType, _KINDS) else None for field in frame.schema]
        for field in frame.schema:
            if not isinstance(field.dataType, _KINDS) and _holds_intervals(field.dataType):
                message = f"column {field.name!r} of type {field.dataType.simpleString()} holds intervals inside"
                raise TQLTypeError(message, hint="drop it, or take the intervals out into columns of their own")

    def check(self, names: Iterable[str]) -> None:
        """Check that a sampler or statement does not compute with intervals.

        Raises:
            TQLTypeError: a name is that of an interval column.
        """
        used = set(names)
        for name, kind in zip(self._names, self._types, strict=True):
            if kind is not None and name in used:
                message = f"column {name!r} of type {kind.simpleString()} cannot be read by a sampler"
                hint = "compute a number from it in Spark, such as extract(MONTH FROM …), as a column of its own"
                raise TQLTypeError(message, hint=hint)

    def hidden(self, frame: DataFrame) -> DataFrame:
        """Return the frame with numbers instead of intervals."""
        return _changed(frame, self._types, _numbers)

    def shown(self, result: DataFrame, origins: Sequence[int | None], schema: StructType) -> DataFrame:
        """Return a result with intervals instead of their numbers.

        Args:
            result: the result.
            origins: for each column of the result its position in the frame; None for a column that the frame lacks.
            schema: schema of the result with intervals.
        """
        found = _changed(result, [None if place is None else self._types[place] for place in origins], _interval)
        if found is result:
            return result
        # Spark declares the computed intervals nullable, even if the column of the frame is not.
        return found.to(StructType([*schema.fields]))


def _changed(
    frame: DataFrame, types: Sequence[DataType | None], change: Callable[[Column, DataType], Column]
) -> DataFrame:
    if not any(types):
        return frame
    columns = frame.columns
    plain = frame.toDF(*[f"tql_{place}" for place in range(len(columns))])
    found = [
        F.col(f"tql_{place}") if kind is None else change(F.col(f"tql_{place}"), kind)
        for place, kind in enumerate(types)
    ]
    return plain.select(*found).toDF(*columns)


def _numbers(column: Column, kind: DataType) -> Column:
    """Return the months of an interval, or months, days and seconds of a calendar interval; null stays null."""
    if isinstance(kind, YearMonthIntervalType):
        column = column.cast(YearMonthIntervalType())  # Spark cannot extract months from an interval of years only
    months = (F.extract(F.lit("YEAR"), column) * 12 + F.extract(F.lit("MONTH"), column)).cast("int")
    if isinstance(kind, YearMonthIntervalType):
        return months
    hours, minutes, seconds = (F.extract(F.lit(part), column) for part in ("HOUR", "MINUTE", "SECOND"))
    parts = F.struct(
        months.alias("months"),
        F.extract(F.lit("DAY"), column).cast("int").alias("days"),
        (hours * 3600 + minutes * 60 + seconds).cast("decimal(18, 6)").alias("seconds"),
    )
    return F.when(column.isNotNull(), parts)


def _interval(column: Column, kind: DataType) -> Column:
    """Return the interval for the numbers that `_numbers` returns."""
    zero = F.lit(0)
    if isinstance(kind, YearMonthIntervalType):
        return F.make_ym_interval(zero, column).cast(kind)
    return F.make_interval(zero, column["months"], zero, column["days"], zero, zero, column["seconds"])


def _holds_intervals(dtype: DataType) -> bool:
    match dtype:
        case ArrayType():
            inner = [dtype.elementType]
        case MapType():
            inner = [dtype.keyType, dtype.valueType]
        case StructType():
            inner = [field.dataType for field in dtype.fields]
        case _:
            return isinstance(dtype, _KINDS)
    return any(map(_holds_intervals, inner))
