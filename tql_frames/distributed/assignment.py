"""What a partition is told: which of its rows were drawn, packed for the way, and what it must find to believe it.

Who drew them is told in `driver`.
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
    """Ascending whole numbers as the gaps between them, in as few bytes as the widest gap needs.

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
    """Slots of the strata of a partition."""

    numbers: Ascending

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        assert isinstance(population, Strata)  # since the digest is that of strata
        rows = population.resolve(self.numbers.numbers())
        rows.sort()
        return rows


@dataclass(frozen=True, eq=False)
class SlotTimes:
    """How often each slot of the strata of a partition was drawn, in pieces of consecutive slots."""

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
        """Pack tallies of consecutive slots, each of which was drawn once at most."""
        return cls(np.packbits(np.concatenate([np.empty(0, np.uint8), *(piece.times for piece in pieces)])))

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        return _repeated(population, np.unpackbits(self.bits)[: rows_in(population)])


def _repeated(population: Strata | Weights, times: NDArray[np.integer]) -> Positions:
    """Return each row as often as its slot was drawn."""
    assert isinstance(population, Strata)  # since the digest is that of strata
    by_slot = population.by_slot()
    of_row = np.empty_like(times)
    of_row[by_slot] = times
    return np.repeat(np.arange(len(of_row), dtype=by_slot.dtype), of_row)


@dataclass(frozen=True, eq=False)
class Points:
    """Points of the line of all rows, ascending; `before` is the integer total of earlier partitions."""

    points: Floats
    scale: int
    before: int

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        return rows_at_points(weights_of(population), self.scale, self.before, self.points)


@dataclass(frozen=True, eq=False)
class RowNumbers:
    """Rows by their numbers in the partition; `expected` says how often each of them was to be expected."""

    numbers: Ascending
    expected: Floats | None = None

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        return self.numbers.numbers()


@dataclass(frozen=True)
class Every:
    """Every row of positive weight, once."""

    def rows(self, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn, ascending."""
        weights = weights_of(population)
        return np.flatnonzero(weights).astype(position_type(len(weights)))


@dataclass(frozen=True)
class PairSlots:
    """Slots of the pairs of a group and a weight of a partition."""

    numbers: Ascending

    def rows_in(self, grouped: Grouped, population: Strata | Weights) -> Positions:
        """Return the rows that were drawn from groups, ascending."""
        assert grouped.over is not None
        pairs = RowPairs.of(population, grouped.over.groups)
        assert pairs is not None  # since the digest is that of a partition that told its pairs
        rows: Positions = pairs.order.take(self.numbers.numbers())
        rows.sort()
        return rows


@dataclass(frozen=True)
class GroupWinners:
    """Rows by their numbers in the partition, and groups of which every row of positive weight is drawn."""

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
    """Units by their numbers in the partition, each as often as it was drawn; `expected` is of each of them."""

    numbers: Ascending
    expected: Floats | None = None

    def rows_in(self, grouped: Grouped, population: Strata | Weights) -> Positions:
        """Return all rows of the units that were drawn, ascending."""
        assert grouped.units is not None
        rows = grouped.units.groups.members(self.numbers.numbers())
        rows.sort()
        return rows

    def expected_of(self, grouped: Grouped, rows: Positions) -> Floats:
        """Return how often each of these rows was to be expected."""
        assert grouped.units is not None and self.expected is not None
        found = np.zeros(grouped.units.groups.count)
        found[self.numbers.numbers()] = self.expected
        return found.take(grouped.units.groups.codes.take(rows))


@dataclass(frozen=True)
class First:
    """The first rows."""

    count: int


@dataclass(frozen=True, eq=False)
class PartsOfUnits:
    """The part of a split that each unit of the partition lies in, shape (units,)."""

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
    """What a partition gives to a sample.

    Attributes:
        start: number of its first row among those that are drawn from.
        first: the same among all, with those that a WHERE leaves out.
        rows: how many it had that are drawn from.
        digest: what their weights were.
        drawn: which were drawn.
    """

    start: int
    first: int
    rows: int
    digest: bytes
    drawn: Drawable

    def positions(
        self, weigher: Weigher, frame: Rows, keys: tuple[str, ...] = (), over: Over | None = None
    ) -> Positions:
        """Return positions in the partition of its drawn rows, ascending, with repetition, shape (k,).

        Raises:
            TQLError: the partition holds other rows than when it was counted, or in another order.
        """
        return self.positions_and_expected(weigher, frame, keys, over)[0]

    def positions_and_expected(
        self, weigher: Weigher, frame: Rows, keys: tuple[str, ...] = (), over: Over | None = None
    ) -> tuple[Positions, Floats | None]:
        """Return what `positions` does, and how often each of these rows was to be expected, where that was asked for.

        Both have the shape (k,). It raises as `positions`.
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
        """Make sure that the partition has as many rows as when it was counted.

        Raises:
            TQLError: it has not.
        """
        if rows != self.rows:
            raise changed()


@dataclass(frozen=True, eq=False)
class PackedShares:
    """Shares on their way to all workers, each of which unpacks just the ones that it needs."""

    whole: NDArray[np.uint8]
    bounds: Integers

    @classmethod
    def of(cls, shares: Sequence[PartitionDraw]) -> PackedShares:
        """Pack the shares of all partitions, in their order."""
        parts = [pickle.dumps(share, pickle.HIGHEST_PROTOCOL) for share in shares]
        # As an array, workers on one machine can share it.
        return cls(np.frombuffer(b"".join(parts), np.uint8), np.cumsum([0, *map(len, parts)], dtype=np.int64))

    def __getitem__(self, number: int) -> PartitionDraw | None:
        """Return the share of a partition by its number; None where there is no such partition."""
        if not 0 <= number < len(self.bounds) - 1:
            return None
        found = pickle.loads(self.whole[self.bounds[number] : self.bounds[number + 1]].data)
        assert isinstance(found, PartitionDraw)
        return found
