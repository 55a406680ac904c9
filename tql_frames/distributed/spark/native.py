"""Samples whose rows stay in the JVM: numbers of weights come to the driver, and what was drawn goes back.

The driver gets a small number for each row, and its weight where weights are many, but no other column; no row passes
through a Python worker. All rows are drawn from in one place, as those of a frame in one piece. The sample is a plan:
each row is joined with its block of 65,536 rows by `monotonically_increasing_id()`. A block has of each of its rows how
often it was drawn, and the number, or some bits of a digest of the weight: a row with another weight ends the job, as
does a row too many. Rows are counted to find that there are too few.

What Spark computes exactly as Polars is decided in `expressions`; all else takes the passes of `jobs`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - as everyone does
from pyspark.sql.types import StructType

from tql_frames.compiler import CompiledSampler
from tql_frames.distributed.partition_counts import changed
from tql_frames.distributed.spark.expressions import NativeWeights
from tql_frames.distributed.spark.jobs import plain_name, plainly_named
from tql_frames.errors import warn
from tql_frames.pipeline.draw import Draw, DrawSpec, fewer_rows
from tql_frames.pipeline.idle_arms import idle_warnings
from tql_frames.pipeline.weights import BadWeights, Weigher
from tql_frames.sampling import Floats, Integers, Positions, Strata, count_codes, draw, strata_of_codes

MOST_ROWS = 2**26  # of a frame: four to twelve bytes of each come to the driver, and one or two go to each executor
_BLOCK_BITS, _PART_BITS = 16, 33  # of the row in a block; of the row in a partition, as Spark numbers them
_BLOCK = 2**_BLOCK_BITS
_CHECK_BITS = 8  # of the digest of a weight
_ROW, _VALUE, _CHECK = "tql_row", "tql_value", "tql_check"
_KEY, _FIRST, _FEW, _MANY = "tql_key", "tql_first", "tql_few", "tql_many"


@dataclass(frozen=True, eq=False)
class GatheredNumbers:
    """What the driver has of each row.

    Attributes:
        values: shape (n,), the number of each row's weight, or the weight.
        checks: shape (n,), what a row is known again by, below 256.
        parts: numbers of the partitions that have rows, ascending.
        rows: how many each of them has.
    """

    values: NDArray[np.uint8 | np.float64]
    checks: NDArray[np.uint8]
    parts: Sequence[int]
    rows: Sequence[int]


def gather(frame: DataFrame, weights: NativeWeights) -> GatheredNumbers | None:
    """Return a number for each row; None where there are too many rows.

    Rows are counted before, since the memory of the driver may not hold more of them.
    """
    named = plainly_named(frame)
    if named.count() > MOST_ROWS:
        return None
    known = weights.levels is not None
    # The first row of each partition also says which partition it is.
    first = F.monotonically_increasing_id().bitwiseAND(F.lit(2**_PART_BITS - 1)) == 0
    part = F.when(first, F.spark_partition_id() + 1).otherwise(0)
    told = F.shiftleft(part, _CHECK_BITS).bitwiseOR(_check_of(weights)).alias(_CHECK)
    table = named.select(told, *([] if known else [weights.values.alias(_VALUE)])).toArrow()
    marks = _array(table, 0)
    starts = np.flatnonzero(marks >> _CHECK_BITS)
    parts = (marks[starts] >> _CHECK_BITS) - 1
    if starts[:1].tolist() != [0][: len(marks)] or (np.diff(parts) <= 0).any():
        raise changed()
    checks = (marks & (2**_CHECK_BITS - 1)).astype(np.uint8)
    rows = np.diff(starts, append=len(marks))
    return GatheredNumbers(checks if known else _array(table, 1), checks, parts.tolist(), rows.tolist())


def _array(table: pa.Table, place: int) -> NDArray[Any]:
    """Return a column without nulls."""
    return np.asarray(table.column(place).to_numpy())


def _row_number() -> Column:
    return F.monotonically_increasing_id().alias(_ROW)


def _check_of(weights: NativeWeights) -> Column:
    """Return what a row is known again by: the number of its weight, or some bits of a digest of it."""
    if weights.levels is not None:
        return weights.values.cast("int")
    return F.xxhash64(weights.values).bitwiseAND(F.lit(2**_CHECK_BITS - 1)).cast("int")


def draw_natively(frame: DataFrame, weights: NativeWeights, weigher: Weigher, spec: DrawSpec) -> NativeDraw | None:
    """Draw rows of a frame, whose numbers are gathered now; None where `gather` returns None.

    Args:
        frame: the frame.
        weights: of its rows.
        weigher: the sampler that they are of, compiled for the frame.
        spec: a plain request.

    Raises:
        WeightError: the weights cannot be drawn by.
    """
    # Without its hint the join may move rows to other partitions.
    without_hints = frame.sparkSession.conf.get("spark.sql.optimizer.disableHints", "false") == "true"
    gathered = None if without_hints else gather(frame, weights)
    if gathered is None:
        return None
    population, decided = _population(gathered, weights, weigher)
    size = Draw(weigher, spec).checked_size(population, len(gathered.values))
    if not size:
        return NativeDraw(gathered, np.empty(0, np.uint32))
    positions = draw(population, size, replace=spec.replace, seed=spec.seed, in_table_order=True)
    if len(positions) < size:
        warn(fewer_rows(size, len(positions)))
    if decided is not None and not decided.all():
        _warn_of_idle_arms(frame, weights, weigher, decided)
    return NativeDraw(gathered, positions)


def _population(
    gathered: GatheredNumbers, weights: NativeWeights, weigher: Weigher
) -> tuple[Strata | Floats, NDArray[np.bool_] | None]:
    """Return the rows in strata, or their weights; and which arms decide one, where that is known.

    Raises:
        WeightError: a weight is NaN, negative or infinite.
    """
    values, levels = gathered.values, weights.levels
    if levels is None:
        given: Floats = values.astype(np.float64, copy=False)
        bad = ~((given >= 0) & (given < np.inf))
        if bad.any():
            raise weigher.refusal(None, BadWeights.among(given, bad))
        return given, None
    if not len(values):
        return np.empty(0), None
    numbers = values.astype(np.uint8, copy=False)
    cells = count_codes(numbers, len(levels))
    strata = strata_of_codes(numbers, levels, None, cells)
    decided = None if weights.deciding is None else np.asarray(weights.deciding[cells.any(axis=1)].any(axis=0))
    return levels[numbers] if strata is None else strata, decided


def _warn_of_idle_arms(frame: DataFrame, weights: NativeWeights, weigher: Weigher, decided: NDArray[np.bool_]) -> None:
    """Warn of arms that decide no row, once it is counted which of them match one."""
    idle = np.flatnonzero(~decided).tolist()
    found = plainly_named(frame).agg(*[F.max(weights.conditions[arm]) for arm in idle]).collect()[0]
    matched = decided.copy()
    matched[idle] = [bool(each) for each in found]
    assert isinstance(weigher.sampler, CompiledSampler)
    sampler = dataclasses.replace(weigher.sampler, unknown=())
    for warning in idle_warnings(sampler, None, matched.tolist(), decided.tolist()):
        warn(warning)


@dataclass(frozen=True, eq=False)
class NativeDraw:
    """Rows that were drawn from a frame.

    Attributes:
        gathered: what is known of all rows.
        positions: of those that were drawn, ascending, with repetition.
    """

    gathered: GatheredNumbers
    positions: Positions

    def blocks(self, bits: int) -> pa.Table:
        """Return a row for each block of the frame: its key, its first row, and a code for each of its rows.

        A code is how often the row was drawn, above the bits of its check. Codes are short, or long in a block that
        has a row drawn more often than a short one can say.

        Args:
            bits: of a check.
        """
        keys, edges = self._blocks()
        bounds = self.positions.searchsorted(edges.astype(self.positions.dtype))
        few = np.empty(len(self.gathered.values), _code_type(bits))
        many: dict[int, NDArray[np.int64]] = {}
        most = np.iinfo(few.dtype).max >> bits
        for block, (start, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
            own = self.positions[bounds[block] : bounds[block + 1]].astype(np.int64) - start
            codes = np.bincount(own, minlength=end - start)
            greatest = codes.max()
            codes <<= bits
            codes |= self.gathered.checks[start:end]
            if greatest > most:
                many[block] = codes
            few[start:end] = codes if greatest <= most else 0
        lists = pa.ListArray.from_arrays(pa.array(edges, pa.int32()), pa.array(few))
        columns = {_KEY: pa.array(keys), _FIRST: pa.array(edges[:-1]), _FEW: lists}
        if many:
            columns[_MANY] = pa.array([many.get(block) for block in range(len(keys))], pa.list_(pa.int64()))
        return pa.table(columns)

    def _blocks(self) -> tuple[Integers, Integers]:
        """Return the keys of blocks, shape (b,), and the numbers of their first rows and of the end, shape (b + 1,)."""
        keys, edges, first = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        for part, rows in zip(self.gathered.parts, self.gathered.rows, strict=True):
            starts = np.arange(0, rows, _BLOCK, dtype=np.int64)
            keys.append((part << _PART_BITS - _BLOCK_BITS) + (starts >> _BLOCK_BITS))
            edges.append(first + starts)
            first += rows
        return np.concatenate(keys), np.concatenate([*edges, [first]])

    def plan(self, frame: DataFrame, weights: NativeWeights, schema: StructType, *, index: bool) -> DataFrame:
        """Return a plan for the rows that were drawn.

        Args:
            frame: the frame that they are of.
            weights: of its rows.
            schema: of the result.
            index: whether the numbers of the rows in the frame are its first column.
        """
        bits = _CHECK_BITS if weights.levels is None else max(1, (len(weights.levels) - 1).bit_length())
        blocks = self.blocks(bits)
        # A hash join keeps the rows of the other side in their order and partitions.
        other = F.broadcast(frame.sparkSession.createDataFrame(blocks))
        rows = plainly_named(frame).select("*", _row_number())
        rows = rows.join(other, F.shiftright(_ROW, _BLOCK_BITS) == F.col(_KEY), "left")
        place = F.col(_ROW).bitwiseAND(F.lit(_BLOCK - 1)).cast("int")
        code = F.get(_FEW, place).cast("bigint")
        if _MANY in blocks.column_names:
            code = F.when(F.col(_MANY).isNull(), code).otherwise(F.get(_MANY, place))
        times = F.shiftright(code, bits).cast("int")
        same = code.bitwiseAND(F.lit(2**bits - 1)) == _check_of(weights)
        # A row of no block has no code, so that it is not the same.
        known = self._counted(frame).scalar() & same
        rows = rows.filter(F.when(known, times > 0).otherwise(_raise("boolean")))
        own = [F.col(plain_name(place)) for place in range(len(frame.columns))]
        # Spark thinks that the first row of a block may be null.
        number = (F.coalesce(_FIRST, F.lit(0).cast("bigint")) + place).alias(_VALUE)
        rows = rows.select(number, *own, *([F.array_repeat(F.lit(0), times).alias(_CHECK)] if self._repeats else []))
        if self._repeats:
            rows = rows.select(_VALUE, *own, F.explode(_CHECK))
        return rows.select(*([_VALUE] if index else []), *own).toDF(*schema.names)

    @property
    def _repeats(self) -> bool:
        """Whether a row was drawn more than once."""
        return bool((self.positions[1:] == self.positions[:-1]).any())

    def _counted(self, frame: DataFrame) -> DataFrame:
        """Return a plan that is true, and fails where the frame has another number of rows."""
        rows = F.lit(sum(self.gathered.rows)).cast("bigint")
        return frame.agg(F.count(F.lit(1)).alias(_VALUE)).select(
            F.when(F.col(_VALUE) == rows, F.lit(True)).otherwise(_raise("boolean")).alias(_VALUE)
        )


def _raise(dtype: str) -> Column:
    return F.raise_error(F.lit(str(changed()))).cast(dtype)


def _code_type(bits: int) -> type[np.int8 | np.int16]:
    return np.int8 if bits <= 4 else np.int16
