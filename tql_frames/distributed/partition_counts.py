"""What a partition tells: its strata or the spread of its weights, and a digest by which it is known again.

What a partition is told is in `assignment`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.expressions.types import type_name
from tql_frames.errors import TQLError, TQLTypeError, TQLUnsupportedError, WeightError
from tql_frames.frames import Rows
from tql_frames.pipeline.groups import Grouped, GroupKeys
from tql_frames.pipeline.weights import BadWeights, Watched, Weigher, Weights
from tql_frames.sampling import Floats, Integers, Positions, Strata, StrataTable, Streams, stratify
from tql_frames.sampling.groups import MOST_PAIRS, Pairs, RowPairs, bounds_of
from tql_frames.sampling.partitioned import GroupRace, Spread, finishers_of_groups, integer_total
from tql_frames.sampling.strata import MOST_STRATA, weights_of
from tql_frames.sampling.without_replacement import Race, finishers

Schema = Mapping[str, pl.DataType]

CHANGED = "the rows changed between the passes of a sample: a partition has others, or in another order"
_ADVICE = "persist the frame first, sort it, or pass keys=[…]: columns by which the rows of a partition are ordered"
MOST_UNITS = 2**24  # of all partitions, with their values: as many come to one place
MOST_ROWS = 2**27  # of all partitions, with their weights or labels alone: some gigabytes on the driver


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """What a partition tells of its groups.

    Attributes:
        values: a row a group, in the order of first appearance: the values that make it one; text for categories.
        pairs: how many rows of a group have a weight, by the numbers of groups in this order; without replacement by
            weights that are rounded down to eighths of powers of two, of which there are fewer.
        bounds: the least and the greatest positive weight; infinity and 0 where there is none.
    """

    values: pl.DataFrame
    pairs: Pairs
    bounds: tuple[float, float]


@dataclass(frozen=True, eq=False)
class UnitCounts:
    """What a partition tells of each unit, in the order of first appearance; or of each row where none is named.

    Attributes:
        weights: of each row, or the greatest in each unit.
        values: a row a unit: the values that make it one, text for categories; None where rows are drawn.
        groups: a row a group, in the order of first appearance: the values that make it one; None for one group.
        group: shape (units,), the number of the group of each; None for one group.
        keys: a row a row: the values to which its random number belongs; None for its place, or for those of its unit.
    """

    weights: Strata | Floats
    values: pl.DataFrame | None = None
    groups: pl.DataFrame | None = None
    group: NDArray[np.uint32] | None = None
    keys: pl.DataFrame | None = None


@dataclass(frozen=True)
class Over:
    """What tells the groups and units of a partition apart, and how they are drawn from.

    Attributes:
        keys: of groups, compiled for the partition; None for one.
        unit: of units, compiled for the partition; None where rows are drawn.
        replace: whether rows are drawn with replacement, for which weights are told exactly.
        gathers: whether all rows are drawn in one place, by their own weights; so are units.
        key: what random numbers belong to, compiled for the partition; None for the places of rows, or for units.
    """

    keys: GroupKeys | None
    unit: GroupKeys | None
    replace: bool
    gathers: bool = False
    key: GroupKeys | None = None

    def number(self, frame: Rows, population: Strata | Weights) -> Grouped:
        """Return the rows of a partition in their groups and units.

        Raises:
            TQLError: the keys cannot be evaluated, or a unit lies in several groups.
        """
        keys, unit = (None if each is None else each.as_text() for each in (self.keys, self.unit))
        return Grouped.of(population, frame, keys, unit)

    def key_values(self, frame: Rows) -> pl.DataFrame | None:
        """Return the values to which the random numbers of rows belong; None where these belong to places or units.

        Raises:
            TQLError: they cannot be evaluated.
        """
        return None if self.key is None or self.unit is not None else self.key.as_text().values(frame)

    def count(
        self, population: Strata | Weights, grouped: Grouped, belongs: pl.DataFrame | None
    ) -> GroupCounts | UnitCounts:
        """Return what a partition tells of its groups, or of its units or rows.

        Args:
            population: its weights.
            grouped: its groups and units.
            belongs: what `key_values` returned.

        Raises:
            TQLUnsupportedError: there are too many groups, or different weights in them.
        """
        over, units = grouped.over, grouped.units
        if self.gathers or units is not None:
            values, groups = (None if each is None else each.values for each in (units, over))
            group = None if grouped.groups is None else grouped.groups.codes
            return UnitCounts(grouped.population, values, groups, group, belongs)
        assert over is not None
        groups_of_rows = over.groups
        rounded = None if self.replace else RowPairs.rounded(population, groups_of_rows)
        rows = rounded or RowPairs.of(population, groups_of_rows)
        if rows is None:
            raise too_many_pairs()
        return GroupCounts(over.values, rows.table, bounds_of(population))


@dataclass(frozen=True, eq=False)
class Counts:
    """What a partition tells of its rows.

    Attributes:
        rows: how many.
        digest: of their weights in order, and of their keys.
        table: their strata, where they are few.
        spread: the spread of their weights, where they are not.
        bad: the place of the arm whose weights cannot be drawn by, and these weights.
        schema: types of the columns that the sampler names.
        seen: how many rows there are with those that a WHERE leaves out.
        arms: which arms of the sampler match a row, and which decide one; None where that is not known.
        groups: its groups, where rows are drawn from each; it tells neither strata nor spread then.
        units: its units or rows, where these are drawn in one place; it tells no groups then.
    """

    rows: int
    digest: bytes = b""
    table: StrataTable | None = field(default_factory=lambda: StrataTable.of(np.empty(0)))
    spread: Spread | None = None
    bad: tuple[int | None, BadWeights] | None = None
    schema: Schema = field(default_factory=dict)
    seen: int = 0
    arms: tuple[Watched, Watched] | None = None
    groups: GroupCounts | None = None
    units: UnitCounts | None = None


@dataclass(frozen=True)
class SumUp:
    """The question for the sum of the weights as integers."""

    scale: int


@dataclass(frozen=True)
class RunRace:
    """The question for the rows that finish a race by a time; `start` is the number of the first row."""

    race: Race
    limit: float
    seed: int
    start: int


@dataclass(frozen=True)
class RunGroupRace:
    """The question for the rows that may be among the first of their groups; `start` is the number of the first row."""

    how: GroupRace
    seed: int
    start: int


@dataclass(frozen=True, eq=False)
class GroupFinishers:
    """The rows that may be among the first of their groups.

    Attributes:
        rows: shape (k,), ascending.
        times: shape (k,), of each.
        groups: shape (k,), of each, as the partition numbers them.
    """

    rows: Positions
    times: Floats
    groups: Integers


Question = SumUp | RunRace | RunGroupRace
Answer = int | tuple[Positions, Floats] | GroupFinishers


def count(
    weigher: Weigher, frame: Rows, schema: Schema, keys: tuple[str, ...] = (), over: Over | None = None
) -> Counts:
    """Count a partition that has rows.

    Args:
        weigher: gives each row its weight.
        frame: the rows.
        schema: types of the columns that it looks at.
        keys: columns that are part of the digest.
        over: what tells groups and units apart, or None.

    Raises:
        TQLError: the rows cannot be weighed at all; bad weights are told, not raised, as other partitions may have
            earlier ones.
    """
    try:
        population, decided = weigher.watched(frame, MOST_STRATA)
    except WeightError:
        return Counts(frame.rows, bad=weigher.first_bad(frame), schema=schema, seen=frame.rows)
    population = _in_strata(population)
    arms = None if decided is None else (weigher.matched(frame, decided), decided)
    grouped, belongs = (None, None) if over is None else (over.number(frame, population), over.key_values(frame))
    digest = digest_of(population, frame, keys, grouped, belongs)
    if over is not None and grouped is not None:
        told = over.count(population, grouped, belongs)
        groups, units = (told, None) if isinstance(told, GroupCounts) else (None, told)
        return Counts(frame.rows, digest, None, None, None, schema, frame.rows, arms, groups, units)
    if isinstance(population, Strata):
        return Counts(frame.rows, digest, population.table, schema=schema, seen=frame.rows, arms=arms)
    return Counts(frame.rows, digest, None, Spread.of(population), schema=schema, seen=frame.rows, arms=arms)


def answer(question: Question, weigher: Weigher, frame: Rows, over: Over | None = None) -> Answer:
    """Return what a partition answers to a question about its weights: their integer total, or its finishers.

    Raises:
        TQLError: it holds other groups than when it was counted.
    """
    population = population_of(weigher, frame)
    if isinstance(question, RunGroupRace):
        assert over is not None
        grouped = over.number(frame, population)
        assert grouped.over is not None
        groups = grouped.over.groups
        if groups.count != len(question.how.sizes):
            raise changed()
        streams = Streams(question.seed)
        return GroupFinishers(*finishers_of_groups(population, groups, question.how, streams, start=question.start))
    weights = weights_of(population)
    if isinstance(question, SumUp):
        return integer_total(weights, question.scale)
    return finishers(weights, question.race, question.limit, Streams(question.seed), start=question.start)


def population_of(weigher: Weigher, frame: Rows) -> Strata | Weights:
    """Return the rows of a partition in as many strata as any table may have, or their weights."""
    return _in_strata(weigher.watched(frame, MOST_STRATA)[0])


def _in_strata(population: Strata | Weights) -> Strata | Weights:
    if isinstance(population, Strata):
        return population
    strata = stratify(population, MOST_STRATA)
    return population if strata is None else strata


def digest_of(
    population: Strata | Weights,
    frame: Rows,
    keys: tuple[str, ...] = (),
    grouped: Grouped | None = None,
    belongs: pl.DataFrame | None = None,
) -> bytes:
    """Return a digest of the weights of rows in their order, and of their groups, units and keys.

    Keys are the columns `keys`, and `belongs`, the values to which random numbers belong.
    """
    parts: list[NDArray[Any]]
    parts = [population.table.weights, population.codes] if isinstance(population, Strata) else [population]
    if keys:
        named = frame.evaluate({str(number): column(key) for number, key in enumerate(keys)})
        parts.append(named.hash_rows().to_numpy())
    if belongs is not None:
        parts.append(belongs.hash_rows().to_numpy())
    for each in () if grouped is None else (grouped.over, grouped.units):
        if each is not None:
            parts += [each.groups.codes, each.values.hash_rows().to_numpy()]
    found = blake2b(digest_size=16)
    for part in parts:
        found.update(np.ascontiguousarray(part).data)
    return found.digest()


def schemas_together(parts: Sequence[Counts]) -> Schema:
    """Return types of columns as the partitions found them.

    A column of nothing but null has the type it has elsewhere.
    """
    found: dict[str, pl.DataType] = {}
    for part in parts:
        for name, dtype in part.schema.items():
            if name not in found or found[name] == pl.Null():
                found[name] = dtype
    return found


def values_together(
    parts: Sequence[pl.DataFrame], mismatch: Callable[[int, str, str], TQLTypeError]
) -> pl.DataFrame | None:
    """Return the values of all partitions, one after the other; None where there are no partitions.

    Where a partition has nothing but null, they have the type that they have elsewhere.

    Args:
        parts: values of each, of the same columns.
        mismatch: returns the error for a column, by its place, that has two types.

    Raises:
        TQLTypeError: a column has several types.
    """
    schema: dict[str, pl.DataType] = {}
    for part in parts:
        for place, (name, dtype) in enumerate(part.schema.items()):
            known = schema.setdefault(name, dtype)
            if known == pl.Null():
                schema[name] = dtype
            elif dtype not in (known, pl.Null()):
                raise mismatch(place, type_name(known), type_name(dtype))
    return pl.concat([part.cast(dict(schema)) for part in parts]) if parts else None  # type: ignore[arg-type]


def changed(hint: str = _ADVICE) -> TQLError:
    """Return the error to raise where a later pass finds other rows than the first."""
    return TQLError(CHANGED, hint=hint)


def too_many_pairs() -> TQLUnsupportedError:
    """Return the error to raise where partitions cannot tell how many rows of each group have which weight."""
    message = f"over makes more than {MOST_PAIRS:,} different pairs of a group and a weight, too many to add up"
    hint = "round the weights, name coarser groups, or sample the frame in memory; replace=False needs fewer pairs"
    return TQLUnsupportedError(message, hint=hint)
