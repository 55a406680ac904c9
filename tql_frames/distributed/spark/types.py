"""Types of results: from Polars to those of Arrow that Spark reads, and to Spark's own."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import DataType, LongType, StructField, StructType

from tql_frames.compiler.expressions.scope import Field
from tql_frames.distributed.spark.partition import in_spark
from tql_frames.errors import TQLError, TQLTypeError


def with_first(name: str | None, schema: StructType, *, of: str = "frame") -> StructType:
    """Return the schema of a frame or result behind a column of row numbers, of no column for None.

    Raises:
        TQLError: there is a column of that name already.
    """
    if name is None:
        return schema
    if name in schema.names:
        message = f"the {of} has a column {name!r} already, where the original row numbers would go"
        raise TQLError(message, hint="pass index='another name', or index=None to leave them out")
    return StructType([StructField(name, LongType(), False), *schema.fields])


def schema_of(fields: Sequence[Field], frame: StructType) -> StructType:
    """Return the schema of a statement's result.

    Args:
        fields: its columns.
        frame: schema of the frame that it is of.

    Raises:
        TQLTypeError: Spark has no such type as a computed column.
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
    """Return the same as Arrow has it, as a partition hands it over."""
    found = [] if index is None else [pa.field(index, pa.int64())]
    for each in fields:
        dtype = _arrow_type(each) if each.origin is None else frame.field(each.origin).type
        found.append(pa.field(str(each.label), dtype))
    return pa.schema(found)


def _spark_type(field: Field) -> DataType:
    dtype = _arrow_type(field)
    try:
        return from_arrow_type(dtype, prefer_timestamp_ntz=True)
    except Exception as fault:  # of several kinds, by the version of Spark
        message = f"column {field.label!r} of type {field.known} has no type in Spark"
        raise TQLTypeError(message, hint=str(fault).splitlines()[0][:200]) from None


def _arrow_type(field: Field) -> pa.DataType:
    series = pl.Series([], dtype=in_spark(field.known))
    return _plain(series.to_arrow(compat_level=pl.CompatLevel.oldest()).type)


def _plain(dtype: pa.DataType) -> pa.DataType:
    """Return the type of Arrow that Spark has for a type."""
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
