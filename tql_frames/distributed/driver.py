"""Draw on the driver: compute the share of each partition from the counts of all partitions.

The driver holds a strata table per partition and at most two numbers per drawn row; if very many rows are drawn, a byte
per row of the frame instead. `groups` draws from groups and whole units, `assignment` defines the shares.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from tql_frames.compiler import CompiledSampler
from tql_frames.compiler.statements import most_rows
from tql_frames.distributed.assignment import (
    Ascending,
    Drawable,
    Every,
    First,
    PartitionDraw,
    Points,
    RowNumbers,
    SlotFlags,
    Slots,
    SlotTimes,
)
from tql_frames.distributed.groups import GatheredWhole, GroupedWhole
from tql_frames.distributed.partition_counts import (
    Answer,
    Counts,
    Over,
    Question,
    RunRace,
    Schema,
    SumUp,
    changed,
    schemas_together,
)
from tql_frames.distributed.sampler import gathers
from tql_frames.errors import TQLArmWarning, TQLError, TQLWarning, WeightError
from tql_frames.pipeline.draw import DrawSpec, fewer_rows
from tql_frames.pipeline.groups import GroupKeys
from tql_frames.pipeline.idle_arms import idle_warnings
from tql_frames.pipeline.weights import BadWeights, Weigher
from tql_frames.sampling import Integers, StrataTable, Streams, tallies
from tql_frames.sampling.partitioned import Spread, points_of_parts, slots_of_parts, together, winners_of_parts
from tql_frames.sampling.rng import sort
from tql_frames.sampling.strata import most_strata
from tql_frames.sampling.tallies import Tally
from tql_frames.sampling.with_replacement import draw_strata
from tql_frames.sampling.without_replacement import distinct_strata_ascending


class Sampling(Protocol):
    """A sampler or a SAMPLE BY clause, compiled for the driver to build error messages and read keys."""

    def weigher_of(self, schema: Schema) -> Weigher:
        """Return the sampler compiled for frames of a schema."""

    def empty_population_error(self, size: int) -> WeightError:
        """Return the error for requesting `size` rows from an empty population."""

    def over_of(self, schema: Schema) -> Over | None:
        """Return the keys of groups and units, compiled for frames of a schema; None for a draw by strata or spread."""


@dataclass(frozen=True)
class Drawing:
    """A request for rows of all partitions, with its sampler.

    Attributes:
        sampling: the sampler.
        spec: the request.
        expected: whether to compute the expected draws of each row.
    """

    sampling: Sampling
    spec: DrawSpec
    expected: bool = False

    @property
    def gathers(self) -> bool:
        """Whether the driver receives the weight of every row or unit."""
        return gathers(self.spec, expected=self.expected)


@dataclass(frozen=True)
class Drawn:
    """A sample of all partitions.

    Attributes:
        shares: the share of each partition.
        asked: number of requested rows or units.
        found: number of drawn rows or units; fewer without replacement if fewer have a positive weight.
        idle: warnings about arms that match no row or never decide.
        what: `"rows"` or `"units"`, what `asked` and `found` count.
    """

    shares: Sequence[PartitionDraw]
    asked: int
    found: int
    idle: Sequence[TQLArmWarning] = ()
    what: str = "rows"

    @property
    def warnings(self) -> list[TQLWarning]:
        """Warnings about fewer rows than requested, and about idle arms."""
        fewer = [fewer_rows(self.asked, self.found, self.what)] if self.found < self.asked else []
        return [*fewer, *self.idle]


def questions(counts: Sequence[Counts], how: Drawing) -> list[Question | None]:
    """Return the question to each partition before rows can be drawn; None if the counts are enough.

    Raises:
        TQLError: the request does not fit the weights or groups.
        WeightError: a weight is invalid, or no row can be drawn.
    """
    if how.gathers:
        return [None] * len(counts)
    if how.spec.over:
        return _in_groups(counts, how).questions()
    whole = _Whole(counts, how)
    spread = whole.spread
    if spread is None or whole.takes_all or not whole.size:
        return [None] * len(counts)
    if how.spec.replace:
        return [SumUp(spread.scale) if part.rows else None for part in counts]
    limit = spread.limit_of(whole.size)
    starts = zip(counts, whole.starts.tolist(), strict=True)
    return [RunRace(spread.race, limit, how.spec.seed, start) if part.rows else None for part, start in starts]


def draw_shares(counts: Sequence[Counts], answers: Sequence[Answer | None], how: Drawing) -> Drawn:
    """Draw rows from all partitions: the rows that `sampling.draw` draws from one frame of all partitions.

    Args:
        counts: the counts of each partition.
        answers: the answer of each partition; None if it was not asked.
        how: the request.

    Raises:
        TQLError: the request does not fit the weights or groups, or the partitions changed.
        WeightError: a weight is invalid, or no row can be drawn.
    """
    if how.gathers:
        every = _gathered(counts, how)
        shares = _shares_of(counts, every.drawn(expected=how.expected))
        what = "units" if how.spec.unit else "rows"
        return Drawn(shares, every.asked, every.found, _idle_arms(counts, how.sampling), what)
    if how.spec.over:
        grouped = _in_groups(counts, how)
        size = int(grouped.sizes.sum())
        return Drawn(_shares_of(counts, grouped.drawn(answers)), size, size, _idle_arms(counts, how.sampling))
    whole = _Whole(counts, how)
    found = whole.size if how.spec.replace else min(whole.size, whole.drawable)
    warnings = _idle_arms(counts, how.sampling) if whole.size else ()
    return Drawn(_shares_of(counts, whole.drawn(answers)), whole.size, found, warnings)


def _shares_of(counts: Sequence[Counts], drawn: Sequence[Drawable]) -> list[PartitionDraw]:
    starts = starts_of([part.rows for part in counts])
    parts = zip(counts, starts, _firsts_of(counts), drawn, strict=True)
    return [PartitionDraw(start, first, part.rows, part.digest, each) for part, start, first, each in parts]


def _in_groups(counts: Sequence[Counts], how: Drawing) -> GroupedWhole:
    """Return all partitions as one population in groups.

    Raises:
        TQLError: the request does not fit the weights or groups.
    """
    check_weights(counts, how.sampling)
    schema = schemas_together(counts)

    def keys_of() -> GroupKeys:
        over = how.sampling.over_of(schema)
        assert over is not None and over.keys is not None
        return over.keys

    return GroupedWhole(counts, how.spec, keys_of, lambda rows: how.sampling.weigher_of(schema).no_row(rows))


def _gathered(counts: Sequence[Counts], how: Drawing) -> GatheredWhole:
    """Return the rows or units of all partitions as one population.

    Raises:
        TQLError: the request does not fit the weights, groups or units.
    """
    check_weights(counts, how.sampling)
    schema = schemas_together(counts)

    def over_of() -> Over:
        over = how.sampling.over_of(schema)
        assert over is not None
        return over

    def no_row(rows: int) -> WeightError:
        return how.sampling.weigher_of(schema).no_row(rows)

    return GatheredWhole(counts, how.spec, over_of, no_row, how.sampling.empty_population_error)


def first_shares(counts: Sequence[Counts], size: Callable[[int], int]) -> list[PartitionDraw]:
    """Return the shares of the first rows of all partitions; `size` computes their number from the number of rows."""
    rows = [part.rows for part in counts]
    left = size(sum(rows))
    return [
        PartitionDraw(start, first, number, b"", First(max(0, min(number, left - start))))
        for number, start, first in zip(rows, starts_of(rows), _firsts_of(counts), strict=True)
    ]


def _firsts_of(counts: Sequence[Counts]) -> list[int]:
    return starts_of([part.seen for part in counts])


def starts_of(rows: Sequence[int]) -> list[int]:
    """Return the number of the first row of each partition, from the number of rows of each."""
    found: list[int] = (np.cumsum(rows, dtype=np.int64) - rows).tolist()
    return found


def check_weights(counts: Sequence[Counts], sampling: Sampling) -> None:
    """Check that no partition has invalid weights.

    Raises:
        WeightError: a weight is invalid; the error names the first such arm, and rows by number in all partitions.
    """
    found: dict[int, BadWeights] = {}
    for part, start in zip(counts, starts_of([part.rows for part in counts]), strict=True):
        if part.bad is not None:
            place, bad = -1 if part.bad[0] is None else part.bad[0], part.bad[1]
            moved = BadWeights(bad.rows, bad.first + start, bad.weight, bad.kinds)
            found[place] = found[place].and_later(moved) if place in found else moved
    if found:
        place = min((each for each in found if each >= 0), default=-1)
        weigher = sampling.weigher_of(schemas_together(counts))
        raise weigher.refusal(None if place < 0 else place, found[place])


def _idle_arms(counts: Sequence[Counts], sampling: Sampling) -> list[TQLArmWarning]:
    """Return the warnings about arms that match no row of any partition, or decide none.

    The driver does not know the values of the columns, so no warning suggests a similar value.
    """
    arms = [part.arms for part in counts if part.rows]
    known = [each for each in arms if each is not None]
    if len(known) < len(arms) or not known:
        return []
    matched, decided = (np.any(each, axis=0) for each in zip(*known, strict=True))
    sampler = None if decided.all() else sampling.weigher_of(schemas_together(counts)).sampler
    if not isinstance(sampler, CompiledSampler):
        return []
    # Each partition has its own categories: a text that is no category in one may be a category in another.
    return idle_warnings(dataclasses.replace(sampler, unknown=()), None, matched.tolist(), decided.tolist())


class _Whole:
    """All partitions as one population."""

    def __init__(self, counts: Sequence[Counts], how: Drawing) -> None:
        """Combine the counts of all partitions.

        Raises:
            TQLError: the sample does not fit into memory.
            WeightError: a weight is invalid, or no row can be drawn.
        """
        self._counts, self._how = counts, how
        each = np.array([part.rows for part in counts], np.int64)
        self.starts: Integers = np.cumsum(each) - each
        self.rows = int(each.sum())
        check_weights(counts, how.sampling)
        tables = [part.table for part in counts if part.table is not None]
        self._strata: tuple[StrataTable, Integers] | None = None
        if len(tables) == len(counts):
            table, cells = together(tables)
            if len(table.weights) <= most_strata(self.rows):
                self._strata = table, cells
        self.size = self._checked_size()

    def _weigher(self) -> Weigher:
        return self._how.sampling.weigher_of(schemas_together(self._counts))

    def _checked_size(self) -> int:
        size = self._how.spec.size(self.rows)
        if not self.rows:
            if size:
                raise self._how.sampling.empty_population_error(size)
            return 0
        if not self.drawable:
            raise self._weigher().no_row(self.rows)
        if (size if self._how.spec.replace else min(size, self.rows)) > most_rows():
            raise TQLError(f"a sample of {size:,} rows does not fit into memory")
        return size

    @property
    def drawable(self) -> int:
        """Number of rows of positive weight."""
        if self._strata is not None:
            return self._strata[0].drawable
        return 0 if self.spread is None else self.spread.rows

    @property
    def takes_all(self) -> bool:
        """Whether the sample is every row of positive weight."""
        return not self._how.spec.replace and self.size >= self.drawable

    @cached_property
    def spread(self) -> Spread | None:
        """The spread of all weights; None if the rows are drawn by strata."""
        if self._strata is not None:
            return None
        parts = [Spread.of_table(part.table) if part.table is not None else part.spread for part in self._counts]
        return Spread.sum([part for part in parts if part is not None])

    def drawn(self, answers: Sequence[Answer | None]) -> Sequence[Drawable]:
        """Return the drawn rows of each partition.

        Raises:
            TQLError: the partitions changed, or the draw failed by chance.
        """
        streams = Streams(self._how.spec.seed)
        nothing = RowNumbers(Ascending.of(np.empty(0, np.uint32)))
        if not self.size:
            return [nothing] * len(self._counts)
        if self.takes_all:
            return [Every()] * len(self._counts)
        if self._strata is not None:
            return self._of_strata(*self._strata, streams)
        assert self.spread is not None
        if any(part.rows and each is None for part, each in zip(self._counts, answers, strict=True)):
            raise changed()  # lost its rows, or was not asked since only few weights were possible
        if self._how.spec.replace:
            totals = [each if isinstance(each, int) else 0 for each in answers]
            points = points_of_parts(totals, self.size, streams)
            befores = (np.cumsum(totals, dtype=np.int64) - totals).tolist()
            scale = self.spread.scale
            return [Points(each, scale, before) for each, before in zip(points, befores, strict=True)]
        none = np.empty(0, np.uint32), np.empty(0)
        winners = winners_of_parts([each if isinstance(each, tuple) else none for each in answers], self.size)
        if winners is None:
            raise TQLError("the draw failed by chance, which happens once in 10**15 draws", hint="use another seed")
        return [RowNumbers(Ascending.of(each)) for each in winners]

    def _of_strata(self, table: StrataTable, cells: Integers, streams: Streams) -> Sequence[Drawable]:
        """Return the drawn slots of each partition: a list, or for very many draws the number of draws of each slot."""
        size, replace = self.size, self._how.spec.replace
        if tallies.suits(table, size):
            if replace:
                return [SlotTimes(each) for each in Tally.of_strata(table, size, streams).of_parts(cells)]
            tally = Tally.of_distinct_strata(table, size, streams)
            if tally is not None:
                return [SlotFlags.of(each) for each in tally.of_parts(cells)]
        if replace:
            slots = draw_strata(table, size, streams)
            sort(slots)
        else:
            slots = distinct_strata_ascending(table, size, streams)
        return [Slots(Ascending.of(each)) for each in slots_of_parts(slots, cells)]
