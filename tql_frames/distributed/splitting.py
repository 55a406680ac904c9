"""Split a frame in partitions: partitions count units and labels, the driver assigns units, partitions take rows.

`analysis.splits` checks the request and assigns the units.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import polars as pl

from tql_frames.analysis.split_report import Units, check_key, columns_of, units_of
from tql_frames.analysis.splits import Assigned, Assignment, SplitSpec, rows_in_parts
from tql_frames.distributed.assignment import PartitionDraw, PartsOfUnits
from tql_frames.distributed.driver import starts_of
from tql_frames.distributed.partition_counts import MOST_ROWS, MOST_UNITS, changed, values_together
from tql_frames.errors import TQLTypeError, TQLUnsupportedError
from tql_frames.frames import Rows
from tql_frames.pipeline.groups import numbered
from tql_frames.sampling import Integers, LabelCounts, Positions


@dataclass(frozen=True, eq=False)
class UnitsOfPartition:
    """Counts of the units and labels of a partition.

    Attributes:
        rows: number of rows.
        digest: digest of the units and labels in table order.
        units: the units and labels, without the unit of each row; without values if each row is a unit.
    """

    rows: int
    digest: bytes
    units: Units


NOTHING = UnitsOfPartition(
    0, b"", Units(np.empty(0, np.int64), LabelCounts(*[np.empty(0, np.int64)] * 4), {}, pl.Series([], dtype=pl.Null))
)
"""The answer of a partition without rows."""


@dataclass(frozen=True)
class Splitting:
    """A split as the partitions receive it.

    Attributes:
        spec: the request.
        keys: columns by which the rows of a partition are sorted.
        parts: numbers of the parts whose rows are taken.
    """

    spec: SplitSpec
    keys: tuple[str, ...] = ()
    parts: tuple[int, ...] = ()

    def names(self, columns: Collection[str]) -> list[str]:
        """Return the columns that the first pass reads, in the order of `columns`."""
        used = self.spec.names.union(self.keys)
        return [name for name in columns if name in used]

    def check(self, nothing: Rows) -> None:
        """Check that the columns exist and can be units, labels or keys.

        Args:
            nothing: the frame without rows.

        Raises:
            TQLError: a column does not exist, or its values cannot be units, labels or keys.
        """
        columns_of(nothing, self.spec.unit, self.spec.by)
        if self.spec.keyed and self.spec.unit is not None:
            check_key(self.spec.unit, nothing.schema[self.spec.unit])

    def taking(self, parts: Collection[int]) -> Splitting:
        """Return the split for the rows of some parts."""
        return replace(self, parts=tuple(parts))

    def count(self, frame: Rows) -> UnitsOfPartition:
        """Return the counts of a partition.

        Raises:
            TQLError: a column does not exist, or its values cannot be units or labels.
        """
        units = self._units_of(frame)
        return UnitsOfPartition(frame.rows, _digest(units), replace(units, of_row=np.empty(0, np.int64)))

    def positions_and_expected(self, frame: Rows, share: PartitionDraw) -> tuple[Positions, None]:
        """Return the positions of the rows of the parts `parts`, ascending, and None instead of expected draws.

        Raises:
            TQLError: the partition has other rows than when it was counted, or another order.
        """
        share.check_rows(frame.rows)
        if not frame.rows:
            return np.empty(0, np.uint32), None
        units = self._units_of(frame)
        if _digest(units) != share.digest:
            raise changed()
        assert isinstance(share.drawn, PartsOfUnits)
        return rows_in_parts(share.drawn.of_unit[units.of_row], self.parts, len(self.spec.parts)), None

    def _units_of(self, frame: Rows) -> Units:
        units = units_of(frame, columns_of(frame, self.spec.unit, self.spec.by), self.spec.by)
        values = None if units.values is None else _as_text(units.values)
        return replace(units, labels={name: _as_text(each) for name, each in units.labels.items()}, values=values)

    def assigned(self, told: Sequence[UnitsOfPartition]) -> tuple[Assignment, list[PartitionDraw]]:
        """Return the parts of all units, and the share of each partition.

        Args:
            told: the counts of each partition.

        Raises:
            TQLError: a part would be empty, or there are too many units.
        """
        units, numbers = _together(told, self.spec)
        of_unit = self.spec.assign(units)
        small = of_unit.astype(np.min_scalar_type(len(self.spec.parts)))
        rows = [part.rows for part in told]
        shares = [
            PartitionDraw(start, start, part.rows, part.digest, PartsOfUnits(small[own]))
            for part, start, own in zip(told, starts_of(rows), numbers, strict=True)
        ]
        return Assignment.known(self.spec, Assigned(units.without_rows(), of_unit)), shares


def _digest(units: Units) -> bytes:
    found = blake2b(digest_size=16)
    known = [units.values, *units.labels.values()]
    hashes = [pl.DataFrame([each]).hash_rows().to_numpy() for each in known if each is not None]
    counts = units.counts
    for part in (units.of_row, counts.unit, counts.label, counts.count, *hashes):
        found.update(np.ascontiguousarray(part).data)
    return found.digest()


def _as_text(values: pl.Series) -> pl.Series:
    """Return values with text for categories, whose numbers are valid in one frame only."""
    return values.cast(pl.String) if values.dtype in (pl.Categorical, pl.Enum) else values


def _together(told: Sequence[UnitsOfPartition], spec: SplitSpec) -> tuple[Units, list[Integers]]:
    """Return the units and labels of all partitions, and for each partition the numbers of its units.

    Raises:
        TQLUnsupportedError: there are too many units or rows.
        TQLTypeError: a column has different types in two partitions.
    """
    counts = [part.units.counts for part in told]
    each = [len(part.rows) for part in counts]
    most = MOST_ROWS if spec.unit is None else MOST_UNITS
    if sum(each) > most:
        what = "rows" if spec.unit is None else f"units (column {spec.unit!r}) in all partitions"
        message = f"{sum(each):,} {what} are too many to split in one place; {most:,} are possible"
        raise TQLUnsupportedError(message, hint="name coarser units, or split the frame in parts")
    values = None
    if spec.unit is None:
        numbers = [np.arange(start, start + rows) for start, rows in zip(starts_of(each), each, strict=True)]
    else:
        numbers, values = _numbered(spec.unit, [part.units.values for part in told])
    labels: dict[str, pl.Series] = {}
    places: list[list[Integers]] = [[] for _ in told]
    first = 0
    for name in spec.by:
        found, labels[name] = _numbered(name, [part.units.labels.get(name) for part in told])
        for own, label in zip(places, found, strict=True):
            own.append(label + first)
        first += len(labels[name])
    none = np.empty(0, np.int64)
    unit = np.concatenate([none, *(own[part.unit] for own, part in zip(numbers, counts, strict=True))])
    own_labels = [np.concatenate([none, *own])[part.label] for own, part in zip(places, counts, strict=True)]
    label = np.concatenate([none, *own_labels])
    pairs, place = np.unique(unit * max(first, 1) + label, return_inverse=True)
    count = np.zeros(len(pairs), np.int64)
    np.add.at(count, place, np.concatenate([none, *(part.count for part in counts)]))
    number = int(max((own.max(initial=-1) for own in numbers), default=-1)) + 1
    rows = np.zeros(number, np.int64)
    np.add.at(rows, np.concatenate([none, *numbers]), np.concatenate([none, *(part.rows for part in counts)]))
    pair = LabelCounts(rows, pairs // max(first, 1), pairs % max(first, 1), count)
    return Units(none, pair, labels, values), numbers


def _numbered(name: str, parts: Sequence[pl.Series | None]) -> tuple[list[Integers], pl.Series]:
    """Return the numbers of the values of each partition, and the distinct values in the order of first appearance.

    Raises:
        TQLTypeError: the values have different types in two partitions.
    """

    def mismatch(place: int, known: str, other: str) -> TQLTypeError:
        message = f"column {name!r} is {known} in one partition and {other} in another"
        return TQLTypeError(message, hint="give the column one type")

    given = [pl.DataFrame({"value": pl.Series([], dtype=pl.Null()) if part is None else part}) for part in parts]
    together = values_together(given, mismatch)
    assert together is not None  # a frame has at least one partition
    groups, values = numbered([together])
    ends = np.cumsum([part.height for part in given])
    return np.split(groups.codes.astype(np.int64), ends[:-1]), values["value"]
