"""A partition of Arrow batches, as a worker of Spark or Ray gets it: the rows that the whole frame has."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from tql_frames import TQLTypeError
from tql_frames.distributed import PartitionStatement
from tql_frames.distributed.arrow import ArrowPartition

ROWS = pl.DataFrame(
    {
        "a": range(20),
        "t": [f"t{n}" if n % 3 else None for n in range(20)],
        "l": [list(range(n % 4)) for n in range(20)],
        "s": [{"x": n, "y": f"y{n}"} for n in range(20)],
        "u": pl.Series([2**64 - 1 - n for n in range(20)], dtype=pl.UInt64),
    }
)
CUTS = [[], [0], [20], [7], [7, 7, 13], [1, 2, 3, 19]]


def partition(cuts: list[int], frame: pl.DataFrame = ROWS) -> ArrowPartition:
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    edges = [0, *cuts, frame.height]
    batches = []
    for start, stop in pairwise(edges):
        found = table.slice(start, stop - start).to_batches()
        batches += found or [pa.RecordBatch.from_pylist([], schema=table.schema)]
    return ArrowPartition(table.schema, batches)


def together(batches: Any) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in batches])


STATEMENTS = [
    "select *",
    "select * where a > 5",
    "select t, a",
    "select a * 2 as twice, t, a + 1 as next, l",
    "select t, a * 2 as twice, l where a % 2 = 0",
    "select s, shape(l)[0] as n, a where shape(l)[0] > 1",
    "select a * 2 as twice, a > 3 as late where a > 17",
    "select s['x'] as x, s, s['y'] as y",
]


@pytest.mark.parametrize("cuts", CUTS, ids=str)
@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement_gives_own_and_computed_columns_in_their_places(text: str, cuts: list[int]) -> None:
    expected = ROWS.tql.query(text)
    schema = expected.drop("index").to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    rows: Any = PartitionStatement.of(text, None, 1).rows(partition(cuts), None)
    found = together(rows.batches(schema, None))
    assert found.columns == expected.columns[1:]
    assert found.rows() == expected.drop("index").rows()
    numbered = pa.schema([pa.field("index", pa.int64()), *schema])
    found = together(rows.batches(numbered, 1_000))
    assert found["index"].to_list() == [1_000 + number for number in expected["index"]]
    assert found.drop("index").rows() == expected.drop("index").rows()


@pytest.mark.parametrize("cuts", CUTS, ids=str)
def test_rows_are_taken_as_often_as_they_were_drawn(cuts: list[int]) -> None:
    positions = np.array([0, 0, 3, 6, 7, 7, 7, 12, 13, 19, 19])
    part = partition(cuts)
    schema = part.arrow
    assert together(part.take(positions).batches(schema, None)).rows() == ROWS[positions].rows()
    assert together(part.batches_at(positions, [1, 0])).rows() == ROWS[positions].select("t", "a").rows()
    assert list(part.batches_at(np.array([], np.int64))) == []
    values = pa.array(np.arange(20.0))
    assert together(part.with_last("w", values)).rows() == ROWS.with_columns(w=pl.Series(np.arange(20.0))).rows()


def test_a_batch_of_many_rows_is_handed_over_in_parts() -> None:
    frame = pl.DataFrame({"a": range(200_000)})
    batches = list(partition([150_000], frame).batches_at(np.arange(200_000)))
    assert [batch.num_rows for batch in batches] == [65_536, 65_536, 18_928, 50_000]
    assert together(batches).equals(frame)


def test_a_column_that_polars_cannot_read_is_refused_where_it_is_needed_and_else_carried() -> None:
    months = pa.array([(1, 2, 3), None, (4, 5, 6)], pa.month_day_nano_interval())
    table = pa.table({"a": [1, 2, 3], "m": months})
    part = ArrowPartition(table.schema, table.to_batches())
    with pytest.raises(TQLTypeError, match=r"column 'm' of type .*interval.* cannot be read by a sampler"):
        part.column("m")
    found = list(part.take(np.array([0, 0, 2])).batches(table.schema, None))
    assert pa.Table.from_batches(found).to_pydict() == table.take([0, 0, 2]).to_pydict()
    rows: Any = PartitionStatement.of("select m as months, a + 1 as b where a > 1", None, 1).rows(part, None)
    schema = pa.schema([pa.field("months", months.type), pa.field("b", pa.int64())])
    assert pa.Table.from_batches(list(rows.batches(schema, None))).to_pydict() == {
        "months": [None, months[2].as_py()],
        "b": [3, 4],
    }
    missing: Any = PartitionStatement.of("select a where m is null", None, 1).rows(part, None)
    numbered = pa.schema({"index": pa.int64(), "a": pa.int64()})
    assert pa.Table.from_batches(list(missing.batches(numbered, 7))).to_pydict() == {"index": [8], "a": [2]}
