"""Define the share of a partition in a draw: the drawn rows in a packed form, and a digest that detects changed rows.

`driver` draws the rows.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tql_frames.distributed.partition_counts import Over, changed, digest_of, population_of
from tql_frames.frames import Rows
from tql_frames.pipeline.groups import Grouped
from tql_frames.pipeline.weights import Weigher, Weights
from tql_frames.sampling import Floats, Integers, Positions, Strata
from tql_frames.sampling.groups import RowPairs
from tql_frames.sampling.partitioned import rows_at_points
from tql_frames.sampling.strata import position_type, rows_in, weights_of
from tql_frames.sampling.tallies import Tally

_WIDTHS = (np.uint8, np.uint16, np.uint32)


@dataclass(frozen=True, eq=False)
class Ascending:
    """Ascending whole numbers, stored as the gaps between them in the smallest type that holds the widest gap.

    Examples:
        >>> packed = Ascending.of(np.array([3, 3, 250], np.uint32))
        >>> packed.gaps.dtype, packed.numbers().tolist()
        (dtype('uint8'), [3, 3, 250])
    """

    first: int
    gaps: NDArray[np.unsignedinteger]
    dtype: np.dtype[np.uint32 | np.int64]

    @classmethod
    def of(cls, numbers: Positions) -> Ascending:
        """Pack numbers, shape (k,)."""
        if not len(numbers):
            return cls(0, np.empty(0, np.uint8), numbers.dtype)
        gaps = np.diff(numbers, prepend=numbers[:1])
        widest = int(gaps.max())
        width = next((each for each in _WIDTHS if widest <= np.iinfo(each).max), np.uint64)
        return cls(int(numbers[0]), gaps.astype(width), numbers.dtype)

    def numbers(self) -> Positions:
        """Return the numbers, shape (k,)."""
        found: Positions = (np.cumsum(self.gaps, dtype=np.int64) + self.first).astype(self.dtype)
        return found


@dataclass(frozen=True)
class Slots:
    """Drawn slots of the strata of a partition."""

    numbers: Ascending

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        assert isinstance(population, Strata)  # the digest is equal, and was that of strata
        rows = population.resolve(self.numbers.numbers())
        rows.sort()
        return rows


@dataclass(frozen=True, eq=False)
class SlotTimes:
    """Number of draws of each slot of the strata of a partition, in pieces of consecutive slots."""

    pieces: Sequence[Tally]

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        times = [piece.numbers() for piece in self.pieces]
        return _repeated(population, np.concatenate([np.empty(0, np.int64), *times]))


@dataclass(frozen=True, eq=False)
class SlotFlags:
    """A bit for each slot of the strata of a partition: whether it was drawn."""

    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, pieces: Sequence[Tally]) -> SlotFlags:
        """Pack tallies of consecutive slots that were drawn at most once."""
        return cls(np.packbits(np.concatenate([np.empty(0, np.uint8), *(piece.times for piece in pieces)])))

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        return _repeated(population, np.unpackbits(self.bits)[: rows_in(population)])


def _repeated(population: Strata | Weights, times: NDArray[np.integer]) -> Positions:
    """Return the rows, ascending, each repeated by the number of draws of its slot; `times` has the shape (n,)."""
    assert isinstance(population, Strata)  # the digest is equal, and was that of strata
    by_slot = population.by_slot()
    of_row = np.empty_like(times)
    of_row[by_slot] = times
    return np.repeat(np.arange(len(of_row), dtype=by_slot.dtype), of_row)


@dataclass(frozen=True, eq=False)
class Points:
    """Drawn points of the line of all rows that lie in a partition.

    Attributes:
        points: the points, ascending.
        scale: the exponent of two that scales the weights of all partitions to integers.
        before: integer total of the weights of earlier partitions.
    """

    points: Floats
    scale: int
    before: int

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        return rows_at_points(weights_of(population), self.scale, self.before, self.points)


@dataclass(frozen=True, eq=False)
class RowNumbers:
    """Numbers of the drawn rows in the partition, and the expected draws of each; None if not requested."""

    numbers: Ascending
    expected: Floats | None = None

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        return self.numbers.numbers()


@dataclass(frozen=True)
class Every:
    """All rows of positive weight, once each."""

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        weights = weights_of(population)
        return np.flatnonzero(weights).astype(position_type(len(weights)))


@dataclass(frozen=True)
class PairSlots:
    """Drawn slots of the pairs of a group and a weight in a partition."""

    numbers: Ascending

    def rows_in(self, grouped: Grouped, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn from groups, ascending."""
        assert grouped.over is not None
        pairs = RowPairs.of(population, grouped.over.groups)
        assert pairs is not None  # the digest is equal, and was that of a partition with few pairs
        rows: Positions = pairs.order.take(self.numbers.numbers())
        rows.sort()
        return rows


@dataclass(frozen=True)
class GroupWinners:
    """Numbers of the drawn rows in the partition, and groups whose rows of positive weight are all drawn."""

    numbers: Ascending
    whole: Ascending

    def rows_in(self, grouped: Grouped, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn from groups, ascending."""
        assert grouped.over is not None
        groups = grouped.over.groups
        whole = np.zeros(groups.count, np.bool_)
        whole[self.whole.numbers()] = True
        every = np.flatnonzero(whole.take(groups.codes) & (weights_of(population) > 0))
        rows = np.concatenate([self.numbers.numbers(), every.astype(position_type(len(groups.codes)))])
        rows.sort()
        return rows


@dataclass(frozen=True, eq=False)
class WholeUnits:
    """Numbers of the drawn units in the partition, with repetition, and the expected draws of each.

    The expected draws are None if not requested.
    """

    numbers: Ascending
    expected: Floats | None = None

    def rows_in(self, grouped: Grouped, population: Strata | Weights) -> Positions:
        """Return all rows of the drawn units, ascending."""
        assert grouped.units is not None
        rows = grouped.units.groups.members(self.numbers.numbers())
        rows.sort()
        return rows

    def expected_of(self, grouped: Grouped, rows: Positions) -> Floats:
        """Return the expected draws of each of these rows."""
        assert grouped.units is not None and self.expected is not None
        found = np.zeros(grouped.units.groups.count)
        found[self.numbers.numbers()] = self.expected
        return found.take(grouped.units.groups.codes.take(rows))


@dataclass(frozen=True)
class First:
    """The first `count` rows of a partition."""

    count: int


@dataclass(frozen=True, eq=False)
class PartsOfUnits:
    """The number of the part of a split for each unit of the partition, shape (units,)."""

    of_unit: NDArray[np.unsignedinteger]


Drawable = (
    Slots
    | SlotTimes
    | SlotFlags
    | Points
    | RowNumbers
    | Every
    | PairSlots
    | GroupWinners
    | WholeUnits
    | First
    | PartsOfUnits
)


@dataclass(frozen=True)
class PartitionDraw:
    """The share of a partition in a sample or split.

    Attributes:
        start: number of its first row among the rows of all partitions that are drawn from.
        first: number of its first row among all rows, including rows that WHERE excludes.
        rows: number of its rows that are drawn from, when it was counted.
        digest: digest of the partition when it was counted; empty if the first rows are taken.
        drawn: the drawn rows.
    """

    start: int
    first: int
    rows: int
    digest: bytes
    drawn: Drawable

    def positions(
        self, weigher: Weigher, frame: Rows, keys: tuple[str, ...] = (), over: Over | None = None
    ) -> Positions:
        """Return the positions of the drawn rows in the partition, ascending, with repetition, shape (k,).

        Raises:
            TQLError: the partition has other rows than when it was counted, or another order.
        """
        return self.positions_and_expected(weigher, frame, keys, over)[0]

    def positions_and_expected(
        self, weigher: Weigher, frame: Rows, keys: tuple[str, ...] = (), over: Over | None = None
    ) -> tuple[Positions, Floats | None]:
        """Return the result of `positions`, and the expected draws of each of these rows, None if not requested.

        Both have the shape (k,). The errors are those of `positions`.
        """
        self.check_rows(frame.rows)
        if not frame.rows:
            return np.empty(0, np.uint32), np.empty(0)
        population = population_of(weigher, frame)
        grouped, belongs = (None, None) if over is None else (over.number(frame, population), over.key_values(frame))
        if digest_of(population, frame, keys, grouped, belongs) != self.digest:
            raise changed()
        drawn = self.drawn
        assert not isinstance(drawn, (First, PartsOfUnits))
        if isinstance(drawn, (PairSlots, GroupWinners, WholeUnits)):
            assert grouped is not None
            rows = drawn.rows_in(grouped, population)
            whole = isinstance(drawn, WholeUnits) and drawn.expected is not None
            return rows, drawn.expected_of(grouped, rows) if whole else None  # type: ignore[union-attr]
        return drawn.rows(population), drawn.expected if isinstance(drawn, RowNumbers) else None

    def check_rows(self, rows: int) -> None:
        """Check that the partition has the number of rows that was counted.

        Raises:
            TQLError: it has another number of rows.
        """
        if rows != self.rows:
            raise changed()


@dataclass(frozen=True, eq=False)
class PackedShares:
    """Serialized shares of all partitions for all workers; a worker unpacks only the shares that it needs."""

    whole: NDArray[np.uint8]
    bounds: Integers

    @classmethod
    def of(cls, shares: Sequence[PartitionDraw]) -> PackedShares:
        """Pack the shares of all partitions, in their order."""
        parts = [pickle.dumps(share, pickle.HIGHEST_PROTOCOL) for share in shares]
        # An array, since the workers of one machine can share its memory.
        return cls(np.frombuffer(b"".join(parts), np.uint8), np.cumsum([0, *map(len, parts)], dtype=np.int64))

    def __getitem__(self, number: int) -> PartitionDraw | None:
        """Return the share of a partition by its number; None if there is no such partition."""
        if not 0 <= number < len(self.bounds) - 1:
            return None
        found = pickle.loads(self.whole[self.bounds[number] : self.bounds[number + 1]].data)
        assert isinstance(found, PartitionDraw)
        return found
