"""Draw samples whose rows stay in the JVM: the driver receives weights as numbers, and sends the draws of each row.

The driver receives a small number for each row, and also its weight if there are many weights, but no other column. No
row passes through a Python worker. The driver draws from all rows as from one frame.

The sample is a plan that joins each row with its block of 65,536 rows by `monotonically_increasing_id()`. A block has,
for each of its rows, the number of draws and a check: the number of the weight, or some bits of a digest of the weight.
The job fails if a row has another check or no block. A count of all rows detects missing rows.

`expressions` decides which samplers Spark computes exactly as Polars; all other samplers use the passes of `jobs`.
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

MOST_ROWS = 2**26  # of a frame: the driver receives four to twelve bytes per row, each executor one or two
_BLOCK_BITS, _PART_BITS = 16, 33  # of the number of a row in its block, and in its partition, as Spark numbers rows
_BLOCK = 2**_BLOCK_BITS
_CHECK_BITS = 8  # bits of the digest of a weight
_ROW, _VALUE, _CHECK = "tql_row", "tql_value", "tql_check"
_KEY, _FIRST, _FEW, _MANY = "tql_key", "tql_first", "tql_few", "tql_many"


@dataclass(frozen=True, eq=False)
class GatheredNumbers:
    """The weights of all rows on the driver.

    Attributes:
        values: number of the weight of each row, or the weight, shape (n,).
        checks: check of each row, shape (n,), below 256; a row with another check was changed.
        parts: numbers of the partitions that have rows, ascending.
        rows: number of rows of each of these partitions.
    """

    values: NDArray[np.uint8 | np.float64]
    checks: NDArray[np.uint8]
    parts: Sequence[int]
    rows: Sequence[int]


def gather(frame: DataFrame, weights: NativeWeights) -> GatheredNumbers | None:
    """Return the weights of all rows as numbers; None if there are too many rows.

    Rows are counted first, since the driver may not have enough memory for more.
    """
    named = plainly_named(frame)
    if named.count() > MOST_ROWS:
        return None
    known = weights.levels is not None
    # The first row of each partition also has the number of the partition.
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
    """Return the check of a row: the number of its weight, or some bits of a digest of the weight."""
    if weights.levels is not None:
        return weights.values.cast("int")
    return F.xxhash64(weights.values).bitwiseAND(F.lit(2**_CHECK_BITS - 1)).cast("int")


def draw_natively(frame: DataFrame, weights: NativeWeights, weigher: Weigher, spec: DrawSpec) -> NativeDraw | None:
    """Gather the weights of a frame and draw rows; None if there are too many rows or if hints are disabled.

    Args:
        frame: the frame.
        weights: weights of its rows.
        weigher: the sampler of the weights, compiled for the frame.
        spec: the request, which must be plain.

    Raises:
        WeightError: a weight is invalid, or no row can be drawn.
    """
    # Without the broadcast hint, the join may move rows to other partitions.
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
    """Return the rows in strata, or their weights; and which arms decide a row, None if not known.

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
    """Warn of arms that decide no row, after a job that computes which of them match a row."""
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
    """The drawn rows of a frame.

    Attributes:
        gathered: the weights of all rows.
        positions: positions of the drawn rows, ascending, with repetition.
    """

    gathered: GatheredNumbers
    positions: Positions

    def blocks(self, bits: int) -> pa.Table:
        """Return a row for each block of the frame: its key, the number of its first row, and a code for each row.

        A code has the number of draws of a row above the bits of its check. Codes have 8 or 16 bits; a block that has a
        row with more draws than fit has codes of 64 bits.

        Args:
            bits: number of bits of a check.
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
        """Return the keys of blocks, shape (b,), and the numbers of their first rows and the end, shape (b + 1,)."""
        keys, edges, first = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        for part, rows in zip(self.gathered.parts, self.gathered.rows, strict=True):
            starts = np.arange(0, rows, _BLOCK, dtype=np.int64)
            keys.append((part << _PART_BITS - _BLOCK_BITS) + (starts >> _BLOCK_BITS))
            edges.append(first + starts)
            first += rows
        return np.concatenate(keys), np.concatenate([*edges, [first]])

    def plan(self, frame: DataFrame, weights: NativeWeights, schema: StructType, *, index: bool) -> DataFrame:
        """Return a plan for the drawn rows.

        Args:
            frame: the frame.
            weights: weights of its rows.
            schema: schema of the result.
            index: whether the first column has the numbers of the rows in the frame.
        """
        bits = _CHECK_BITS if weights.levels is None else max(1, (len(weights.levels) - 1).bit_length())
        blocks = self.blocks(bits)
        # A broadcast join keeps the order and the partitions of the rows of the frame.
        other = F.broadcast(frame.sparkSession.createDataFrame(blocks))
        rows = plainly_named(frame).select("*", _row_number())
        rows = rows.join(other, F.shiftright(_ROW, _BLOCK_BITS) == F.col(_KEY), "left")
        place = F.col(_ROW).bitwiseAND(F.lit(_BLOCK - 1)).cast("int")
        code = F.get(_FEW, place).cast("bigint")
        if _MANY in blocks.column_names:
            code = F.when(F.col(_MANY).isNull(), code).otherwise(F.get(_MANY, place))
        times = F.shiftright(code, bits).cast("int")
        same = code.bitwiseAND(F.lit(2**bits - 1)) == _check_of(weights)
        # Without a block, the code is null, and so the row is not the same.
        known = self._counted(frame).scalar() & same
        rows = rows.filter(F.when(known, times > 0).otherwise(_raise("boolean")))
        own = [F.col(plain_name(place)) for place in range(len(frame.columns))]
        # Spark treats the first row of a block as nullable, as the join is a left join.
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
        """Return a plan that is true, and fails if the frame has another number of rows."""
        rows = F.lit(sum(self.gathered.rows)).cast("bigint")
        return frame.agg(F.count(F.lit(1)).alias(_VALUE)).select(
            F.when(F.col(_VALUE) == rows, F.lit(True)).otherwise(_raise("boolean")).alias(_VALUE)
        )


def _raise(dtype: str) -> Column:
    return F.raise_error(F.lit(str(changed()))).cast(dtype)


def _code_type(bits: int) -> type[np.int8 | np.int16]:
    return np.int8 if bits <= 4 else np.int16
