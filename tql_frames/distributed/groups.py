"""Draw on the driver from the groups of all partitions, and whole units: the tables of the partitions are added up.

`partition_counts` counts partitions, `sampling.groups` draws from groups, and `driver` calls this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import polars as pl

from tql_frames.compiler.statements import most_rows
from tql_frames.distributed.assignment import Ascending, Every, GroupWinners, PairSlots, RowNumbers, WholeUnits
from tql_frames.distributed.partition_counts import (
    MOST_ROWS,
    MOST_UNITS,
    Answer,
    Counts,
    GroupCounts,
    GroupFinishers,
    Over,
    Question,
    RunGroupRace,
    UnitCounts,
    too_many_pairs,
    values_together,
)
from tql_frames.errors import TQLError, TQLTypeError, TQLUnsupportedError, WeightError
from tql_frames.frames import PolarsFrame
from tql_frames.pipeline.draw import DrawSpec, drawn_rows
from tql_frames.pipeline.groups import Grouped, GroupKeys, NamedGroups, numbered
from tql_frames.sampling import Integers, Streams, stratify
from tql_frames.sampling.groups import MOST_PAIRS, Steps, draw_slots
from tql_frames.sampling.partitioned import GroupRace, PairCells, limits_of_groups, winners_of_groups
from tql_frames.sampling.strata import drawable_in, rows_in, weights_of
from tql_frames.sampling.without_replacement import Race

_MOST_CELLS = 2**25  # pairs, summed over the partitions: a gigabyte on the driver


class GroupedWhole:
    """All partitions as one population in groups."""

    def __init__(
        self,
        counts: Sequence[Counts],
        spec: DrawSpec,
        keys_of: Callable[[], GroupKeys],
        no_row: Callable[[int], WeightError],
    ) -> None:
        """Combine the groups of all partitions.

        Args:
            counts: the counts of each partition.
            spec: the request.
            keys_of: returns the keys of the groups, for messages.
            no_row: returns the error for a number of rows that all have weight 0.

        Raises:
            TQLError: the request does not fit the weights or groups.
        """
        self._counts, self._spec = counts, spec
        told = [part.groups for part in counts if part.groups is not None]
        _check_cells(told)
        rows = np.array([part.rows for part in counts], np.int64)
        self._starts: Integers = np.cumsum(rows) - rows
        values = _values_together([each.values for each in told], keys_of)
        groups, known = numbered([] if values is None else [values])
        ends = np.cumsum([each.values.height for each in told], dtype=np.int64)
        self._numbers = np.split(groups.codes.astype(np.int64), ends[:-1])[: len(told)]
        self._cells = PairCells.of([each.pairs for each in told], self._numbers)
        if spec.replace and len(self._cells.pairs.counts) > MOST_PAIRS:
            raise too_many_pairs()
        bounds = [each.bounds for each in told]
        self._bounds = min((least for least, _ in bounds), default=1.0), max((most for _, most in bounds), default=1.0)
        self._drawable = self._cells.pairs.drawable(groups.count)
        if told and not self._drawable.any():
            raise no_row(int(rows.sum()))
        if not told:
            known = pl.DataFrame({str(place): [] for place in range(len(spec.over))})
        named = NamedGroups(keys_of() if told else GroupKeys("over", ()), known)
        self.sizes = named.sizes(self._cells.pairs.rows(groups.count), self._drawable, spec)

    @cached_property
    def _raced(self) -> Integers:
        """Rows to draw from each group, shape (groups,); 0 for a group whose rows of positive weight are all drawn."""
        return np.where(self.sizes < self._drawable, self.sizes, 0)

    def questions(self) -> list[Question | None]:
        """Return the question to each partition before rows can be drawn; None if it is not asked."""
        if self._spec.replace or not self._raced.any():
            return [None] * len(self._counts)
        race = Race.of(*self._bounds)
        limits = limits_of_groups(Steps.of(self._cells.pairs, len(self.sizes), race), self._raced)
        numbers = iter(self._numbers)
        found: list[Question | None] = []
        for part, start in zip(self._counts, self._starts.tolist(), strict=True):
            if part.groups is None:
                found.append(None)
                continue
            own = next(numbers)
            how = GroupRace(race, limits.take(own), self._raced.take(own))
            found.append(RunGroupRace(how, self._spec.seed, start) if how.sizes.any() else None)
        return found

    def drawn(self, answers: Sequence[Answer | None]) -> list[RowNumbers | Every | PairSlots | GroupWinners]:
        """Return the drawn rows of each partition.

        Args:
            answers: the answer of each partition; None if it was not asked.

        Raises:
            TQLError: the draw failed by chance.
        """
        told = iter(self._of_told(answers))
        nothing = RowNumbers(Ascending.of(np.empty(0, np.uint32)))
        return [nothing if part.groups is None else next(told) for part in self._counts]

    def _of_told(self, answers: Sequence[Answer | None]) -> Sequence[Every | PairSlots | GroupWinners]:
        """Return the drawn rows of each partition that has rows."""
        if self._spec.replace:
            slots = draw_slots(self._cells.pairs, self.sizes, Streams(self._spec.seed))
            return [PairSlots(Ascending.of(each)) for each in self._cells.slots_of_parts(slots)]
        if (self.sizes == self._drawable).all():
            return [Every()] * len(self._numbers)
        none = np.empty(0, np.uint32), np.empty(0), np.empty(0, np.int64)
        given = (answer for part, answer in zip(self._counts, answers, strict=True) if part.groups is not None)
        found = [
            (each.rows, each.times, own.take(each.groups)) if isinstance(each, GroupFinishers) else none
            for each, own in zip(given, self._numbers, strict=True)
        ]
        winners = winners_of_groups(found, self._raced)
        if winners is None:
            raise TQLError("the draw failed by chance, which happens once in 10**12 draws", hint="use another seed")
        whole = (self.sizes > 0) & (self.sizes == self._drawable)
        return [
            GroupWinners(Ascending.of(rows), Ascending.of(np.flatnonzero(whole.take(own)).astype(np.uint32)))
            for rows, own in zip(winners, self._numbers, strict=True)
        ]


class GatheredWhole:
    """All rows, or all units of each partition, as one population: a table with one row for each."""

    def __init__(
        self,
        counts: Sequence[Counts],
        spec: DrawSpec,
        over_of: Callable[[], Over],
        no_row: Callable[[int], WeightError],
        of_nothing: Callable[[int], WeightError],
    ) -> None:
        """Combine the rows or units of all partitions.

        Args:
            counts: the counts of each partition.
            spec: the request.
            over_of: returns the keys of groups and units.
            no_row: returns the error for a number of rows that all have weight 0.
            of_nothing: returns the error for requesting a number of rows or units from an empty population.

        Raises:
            TQLError: the request does not fit the weights, groups or units.
        """
        self._counts, self._spec = counts, spec
        told = [part.units for part in counts if part.units is not None]
        self._ends = np.cumsum([rows_in(each.weights) for each in told], dtype=np.int64)
        _check_units(int(self._ends[-1]) if told else 0, spec)
        self.asked = self.found = 0
        self._sizes, self._grouped = np.empty(0, np.int64), None
        if not told:
            self._check_nothing(of_nothing)
            return
        weights = np.concatenate([weights_of(each.weights) for each in told])
        over = over_of()
        tables = {
            "unit": _values_together([each.values for each in told if each.values is not None], lambda: over.unit),
            "over": _values_together([_groups_of(each) for each in told if each.groups is not None], lambda: over.keys),
            "key": _values_together([each.keys for each in told if each.keys is not None], lambda: over.key),
        }
        known = {kind: table for kind, table in tables.items() if table is not None}
        columns = [each.alias(f"{kind} {each.name}") for kind, table in known.items() for each in table.iter_columns()]
        self._rows = PolarsFrame(pl.DataFrame(columns))
        keys = {"unit": over.unit, "over": over.keys, "key": over.key}
        own = {kind: None if each is None else each.of_values(f"{kind} ") for kind, each in keys.items()}
        self._key = own["key"]
        grouped = Grouped.of(stratify(weights) or weights, self._rows, own["over"], own["unit"])
        if not weights.any():
            raise no_row(sum(part.rows for part in counts))
        self._grouped = grouped
        self._sizes = self._sizes_of(grouped)

    def _check_nothing(self, of_nothing: Callable[[int], WeightError]) -> None:
        """Check the request if no partition has rows.

        Raises:
            TQLError: it names a group.
            WeightError: it is for one row or more without `over`.
        """
        none = np.empty(0, np.int64)
        if self._spec.over:
            known = pl.DataFrame({str(place): [] for place in range(len(self._spec.over))})
            NamedGroups(GroupKeys("over", ()), known).sizes(none, drawable=none, request=self._spec)
        elif size := self._spec.size(0):
            raise of_nothing(size)

    def _sizes_of(self, grouped: Grouped) -> Integers:
        """Return the draws from each group, and set `asked` and `found`."""
        if grouped.groups is not None:
            sizes = grouped.sizes(self._spec)
            self.asked = self.found = int(sizes.sum())
            return sizes
        self.asked = self.found = self._spec.size(grouped.count)
        if not self._spec.replace:
            self.found = min(self.asked, drawable_in(grouped.population))
        if self.found > most_rows():
            raise TQLError(f"a sample of {self.found:,} rows does not fit into memory")
        return np.array([self.found])

    def drawn(self, *, expected: bool = False) -> list[RowNumbers | WholeUnits]:
        """Return the drawn rows or units of each partition.

        Args:
            expected: whether to add the expected draws of each drawn row or unit.
        """
        none = np.empty(0, np.uint32)
        nothing = RowNumbers(Ascending.of(none), np.empty(0) if expected else None)
        if self._grouped is None:
            return [nothing] * len(self._counts)
        rows = drawn_rows(self._rows, self._grouped, self._sizes, self._spec, self._key).astype(np.int64)
        rows.sort()
        times = None
        if expected:
            times = self._grouped.expected(self._sizes, self._spec.design, replace=self._spec.replace)[0]
        kind = WholeUnits if self._spec.unit else RowNumbers
        each = iter(np.split(rows, rows.searchsorted(self._ends))[:-1])
        starts = iter(np.append(0, self._ends).tolist())
        found: list[RowNumbers | WholeUnits] = []
        for part in self._counts:
            if part.units is None:
                found.append(nothing)
                continue
            own = next(each)
            numbers = Ascending.of((own - next(starts)).astype(np.uint32))
            found.append(kind(numbers, None if times is None else times.take(own)))
        return found


def _check_units(units: int, spec: DrawSpec) -> None:
    """Check that the driver can hold this number of rows or units.

    Raises:
        TQLUnsupportedError: there are too many.
    """
    if spec.unit and units > MOST_UNITS:
        message = f"unit makes {units:,} units in all partitions, too many to draw from in one place"
        raise TQLUnsupportedError(message, hint="name coarser units")
    most = MOST_UNITS if spec.key else MOST_ROWS
    if units > most:
        which = f"key={list(spec.key)}" if spec.key else f"design={spec.design!r}, or expected="
        message = f"{units:,} rows are too many to bring to one place, as {which} needs; {most:,} are possible"
        raise TQLUnsupportedError(message, hint="draw by the default design, or sample the frame in parts")


def _groups_of(told: UnitCounts) -> pl.DataFrame:
    """Return the values of the group of each unit or row, one row for each."""
    assert told.groups is not None and told.group is not None
    return told.groups[told.group]


def _check_cells(told: Sequence[GroupCounts]) -> None:
    cells = sum(len(each.pairs.counts) for each in told)
    if cells > _MOST_CELLS:
        message = f"over makes {cells:,} pairs of a group and a weight in all partitions, too many to add up"
        raise TQLUnsupportedError(message, hint="name coarser groups, round the weights, or make fewer partitions")


def _values_together(parts: Sequence[pl.DataFrame], keys_of: Callable[[], GroupKeys | None]) -> pl.DataFrame | None:
    """Return the values of the groups, units or keys of all partitions, by `values_together`."""

    def mismatch(place: int, known: str, other: str) -> TQLTypeError:
        keys = keys_of()
        assert keys is not None
        key = keys.keys[place]
        message = f"{keys.argument} is {known} in one partition and {other} in another"
        hint = "give the column one type, or compute text of it"
        return TQLTypeError(message, source=key.source, span=key.span, hint=hint)

    return values_together(parts, mismatch)
