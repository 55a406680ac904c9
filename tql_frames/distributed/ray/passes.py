"""Run passes over a Ray Dataset: results of blocks are collected at once, rows of blocks are a lazy dataset.

`calls` defines the steps. A block is identified by the number of its task and the position of its first row in that
task, which `monotonically_increasing_id` of Ray returns. Both are the same in each pass if tasks take blocks in order,
and if all passes read the same columns: for fewer columns, Ray reads more rows in one task.

A step does not receive blocks without rows. Rows that are lost at the end of a task are therefore not detected.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from ray.data import DataContext, Dataset
from ray.data.expressions import monotonically_increasing_id

from tql_frames.compiler.statements import Names
from tql_frames.distributed.arrow import ArrowPartition
from tql_frames.distributed.assignment import PackedShares, PartitionDraw
from tql_frames.distributed.partition_counts import CHANGED, changed
from tql_frames.errors import TQLError
from tql_frames.sampling import Integers

_PEEK = 1_000  # rows that are read for their types if blocks are pandas frames
_NO_FRAME = "expected the dataset to be a Ray Dataset, got {}"
_MATERIALIZE = "call materialize() on the dataset first, or pass keys=[…]: columns that order the rows of each block"

Step = Callable[[ArrowPartition, int], object]


@dataclass(frozen=True)
class BlocksInOrder:
    """A dataset whose blocks keep their order.

    Attributes:
        dataset: the dataset.
        schema: its Arrow schema.
        keys: columns by which the rows of each block are sorted first.
    """

    dataset: Dataset
    schema: pa.Schema
    keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: object) -> BlocksInOrder:
        """Return the blocks of a dataset, which is not modified.

        Raises:
            TQLError: it is not a Ray Dataset, or the order of its blocks cannot be kept.
        """
        if not isinstance(dataset, Dataset):
            raise TQLError(_NO_FRAME.format(type(dataset).__name__))
        ordered = _in_order(dataset)
        return cls(ordered, _arrow_schema(ordered))

    def sorted(self, keys: tuple[str, ...]) -> BlocksInOrder:
        """Return the blocks, with the rows of each block sorted by these columns."""
        return BlocksInOrder(self.dataset, self.schema, keys)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        names: list[str] = self.schema.names
        return names

    @property
    def nothing(self) -> ArrowPartition:
        """The dataset without rows, for the types of its columns."""
        return ArrowPartition(self.schema, [])

    def ask(self, step: Step, known: Integers | None = None) -> BlockResults:
        """Run a step on each block that has rows, and collect the results.

        Args:
            step: block and its number -> result.
            known: the blocks of an earlier pass; None for the first pass, in which every block has the number -1.

        Raises:
            TQLError: the step raised it, in the first block that failed; or the blocks differ from the earlier pass.
        """
        place, keys = Names.apart_from(self.columns).new("tql_row"), self.keys

        def run(table: pa.Table) -> pa.Table:
            first, part = _block(table, place, keys)
            try:
                with _advising():
                    result = step(part, -1 if known is None else _number(known, first))
            except TQLError as fault:  # returned, since Ray would turn it into text in an error of its own
                result = fault
            return pa.table({"first": [first], "result": [pickle.dumps(result)]})

        rows = self._numbered(place).map_batches(run, batch_size=None, batch_format="pyarrow").take_all()
        rows.sort(key=lambda row: row["first"])
        firsts, results = [row["first"] for row in rows], [pickle.loads(row["result"]) for row in rows]
        for result in results:
            if isinstance(result, TQLError):
                raise result
        if known is not None and firsts != known.tolist():
            raise changed(_MATERIALIZE)
        return BlockResults(np.array(firsts, np.int64), results)

    def map(
        self,
        step: Callable[[ArrowPartition, PartitionDraw | None], tuple[pa.Schema, Iterator[pa.RecordBatch]]],
        known: Integers | None = None,
        shares: Sequence[PartitionDraw] = (),
    ) -> Dataset:
        """Return a lazy dataset with the results of a step on each block that has rows.

        Args:
            step: block and its share -> columns and batches of the result.
            known: the blocks of an earlier pass; None if the step needs no share.
            shares: the shares of these blocks.
        """
        place, keys = Names.apart_from(self.columns).new("tql_row"), self.keys
        packed = None if known is None else PackedShares.of(shares)

        def run(table: pa.Table) -> pa.Table:
            first, part = _block(table, place, keys)
            with _advising():
                share = None
                if known is not None and packed is not None:
                    _check_order()
                    share = packed[_number(known, first)]
                schema, batches = step(part, share)
                return pa.Table.from_batches(list(batches), schema)

        return self._numbered(place).map_batches(run, batch_size=None, batch_format="pyarrow")

    def _numbered(self, place: str) -> Dataset:
        return self.dataset.with_column(place, monotonically_increasing_id())


@dataclass(frozen=True)
class BlockResults:
    """Results of the blocks in one pass.

    Attributes:
        known: Ray's number of the first row of each block that has rows, ascending.
        found: the result of each of these blocks.
    """

    known: Integers
    found: Sequence[Any]


def _number(known: Integers, first: int) -> int:
    """Return the number of a block by Ray's number of its first row.

    Raises:
        TQLError: the earlier pass had no such block.
    """
    number = int(known.searchsorted(first))
    if number == len(known) or known[number] != first:
        raise changed()
    return number


@contextmanager
def _advising() -> Iterator[None]:
    """Replace the hint in the error for changed rows: sorting does not help in Ray, where it forms other blocks."""
    try:
        yield
    except TQLError as fault:
        if fault.message != CHANGED:
            raise
        raise changed(_MATERIALIZE) from None


def _check_order() -> None:
    """Check, in a task, that the execution keeps the order of blocks.

    Raises:
        TQLError: it does not, because it has the options of another dataset or of Ray Train.
    """
    if not DataContext.get_current().execution_options.preserve_order:
        message = "expected the execution that reads the sample to keep the order of blocks, got preserve_order=False"
        hint = "call materialize() on the sample first, or set preserve_order=True where it is read"
        raise TQLError(message, hint=hint)


def _block(table: pa.Table, place: str, keys: Sequence[str]) -> tuple[int, ArrowPartition]:
    """Return the number of the first row of a block, and its rows."""
    first: int = table[place][0].as_py()
    rows = _plain(table.drop_columns([place]))
    if keys:
        rows = rows.sort_by([(key, "ascending") for key in keys])
    return first, ArrowPartition(rows.schema, rows.to_batches(), rows.num_rows)


def _plain(table: pa.Table) -> pa.Table:
    """Return a table without the metadata of pandas in its schema."""
    return table.replace_schema_metadata(None)


def _in_order(dataset: Dataset) -> Dataset:
    """Return a dataset whose tasks read and return all blocks in order; datasets derived from it keep this setting.

    Raises:
        TQLError: the dataset cannot have options of its own.
    """
    # If errors of blocks are allowed, the rows of a failed block are missing from the sample.
    if dataset.context.execution_options.preserve_order and not dataset.context.max_errored_blocks:
        return dataset
    try:
        # A dataset shares its options with datasets that are derived from it. No public call copies them.
        found = Dataset.copy(dataset, _deep_copy=True)
    except (AttributeError, TypeError):
        found = dataset
    if found.context.execution_options is dataset.context.execution_options:
        hint = "set execution_options.preserve_order = True and max_errored_blocks = 0 in dataset.context first"
        raise TQLError("expected a dataset that keeps all its blocks in order, got one that may not", hint=hint)
    found.context.execution_options.preserve_order = True
    found.context.max_errored_blocks = 0
    return found


def _arrow_schema(dataset: Dataset) -> pa.Schema:
    """Return the Arrow schema of a dataset; Ray computes rows if it does not know the schema."""
    schema = dataset.schema()
    if schema is None:
        return pa.schema([])
    if isinstance(schema.base_schema, pa.Schema):
        return schema.base_schema.remove_metadata()
    # In blocks that are pandas frames, the type of an object column depends on its values.
    rows = [_plain(table) for table in dataset.limit(_PEEK).iter_batches(batch_size=None, batch_format="pyarrow")]
    return rows[0].schema if rows else pa.schema([pa.field(name, pa.null()) for name in schema.names])


def arrow_type(dtype: pl.DataType) -> pa.DataType:
    """Return the Arrow type of computed values."""
    return pl.Series([], dtype=dtype).to_arrow(compat_level=pl.CompatLevel.oldest()).type
