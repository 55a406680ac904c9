"""Passes over a Ray dataset: what each block tells is collected at once, what it gives is a lazy dataset.

A block is known by the number of its task and the place of its first row in that task, which
`monotonically_increasing_id` of Ray returns. Both are the same in each pass if tasks take blocks in their order, and if
all passes read the same columns: of fewer columns Ray reads more rows in one task.

A step does not see blocks without rows. So rows that are lost at the end of a task are not noticed.
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

_PEEK = 1_000  # rows that are looked at for types, where blocks are pandas frames
_NO_FRAME = "expected the dataset to be a Ray Dataset, got {}"
_MATERIALIZE = "call materialize() on the dataset first, or pass keys=[…]: columns that order the rows of each block"

Step = Callable[[ArrowPartition, int], object]


@dataclass(frozen=True)
class BlocksInOrder:
    """A dataset whose blocks keep their order, and what is known of its columns.

    Attributes:
        dataset: the dataset.
        schema: its columns.
        keys: columns by which the rows of each block are sorted first.
    """

    dataset: Dataset
    schema: pa.Schema
    keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: object) -> BlocksInOrder:
        """Return the blocks of a dataset, which stays as it is.

        Raises:
            TQLError: it is no dataset, or Ray does not let its blocks keep their order.
        """
        if not isinstance(dataset, Dataset):
            raise TQLError(_NO_FRAME.format(type(dataset).__name__))
        ordered = _in_order(dataset)
        return cls(ordered, _arrow_schema(ordered))

    def sorted(self, keys: tuple[str, ...]) -> BlocksInOrder:
        """Return the same with the rows of each block sorted by these columns."""
        return BlocksInOrder(self.dataset, self.schema, keys)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        names: list[str] = self.schema.names
        return names

    @property
    def nothing(self) -> ArrowPartition:
        """The dataset without rows, by which types are known."""
        return ArrowPartition(self.schema, [])

    def ask(self, step: Step, known: Integers | None = None) -> BlockResults:
        """Run a step on each block that has rows, and collect what it returns.

        Args:
            step: block and its number -> what is collected of it.
            known: the blocks as an earlier pass found them; None for the first pass, in which no block has a number.

        Raises:
            TQLError: what the step raised in the first block in which it did; or the blocks are others than before.
        """
        place, keys = Names.apart_from(self.columns).new("tql_row"), self.keys

        def run(table: pa.Table) -> pa.Table:
            first, part = _block(table, place, keys)
            try:
                with _advising():
                    result = step(part, -1 if known is None else _number(known, first))
            except TQLError as fault:  # the caller is to get it as it is, not as text in an error of Ray
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
        """Return a lazy dataset of what a step gives of each block that has rows.

        Args:
            step: block and its share -> columns and batches of the result.
            known: the blocks as an earlier pass found them; None where a step needs no share.
            shares: of these blocks.
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
    """What the blocks returned in one pass.

    Attributes:
        known: the number of the first row of each block that has rows, ascending, as Ray counts.
        found: what each of these returned.
    """

    known: Integers
    found: Sequence[Any]


def _number(known: Integers, first: int) -> int:
    """Return the number of a block by its first row.

    Raises:
        TQLError: no pass before this one found such a block.
    """
    number = int(known.searchsorted(first))
    if number == len(known) or known[number] != first:
        raise changed()
    return number


@contextmanager
def _advising() -> Iterator[None]:
    """Give the error of changed rows the hint that is right for Ray, whose sort forms other blocks each time."""
    try:
        yield
    except TQLError as fault:
        if fault.message != CHANGED:
            raise
        raise changed(_MATERIALIZE) from None


def _check_order() -> None:
    """Make sure, in a task, that its execution keeps the order of blocks.

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
    """Return a table without what pandas notes beside its columns."""
    return table.replace_schema_metadata(None)


def _in_order(dataset: Dataset) -> Dataset:
    """Return a dataset whose tasks take and give all blocks in order; datasets made from it do the same.

    Raises:
        TQLError: Ray does not let a dataset have options of its own.
    """
    # A block that is left out for its error would be missing from the sample.
    if dataset.context.execution_options.preserve_order and not dataset.context.max_errored_blocks:
        return dataset
    try:
        # A dataset shares its options with all that are made from it. No public call copies them.
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
    """Return the columns of a dataset; Ray computes rows if it does not know them otherwise."""
    schema = dataset.schema()
    if schema is None:
        return pa.schema([])
    if isinstance(schema.base_schema, pa.Schema):
        return schema.base_schema.remove_metadata()
    # Blocks are pandas frames, whose columns of objects have a type only by what they hold.
    rows = [_plain(table) for table in dataset.limit(_PEEK).iter_batches(batch_size=None, batch_format="pyarrow")]
    return rows[0].schema if rows else pa.schema([pa.field(name, pa.null()) for name in schema.names])


def arrow_type(dtype: pl.DataType) -> pa.DataType:
    """Return the Arrow type of computed values."""
    return pl.Series([], dtype=dtype).to_arrow(compat_level=pl.CompatLevel.oldest()).type
