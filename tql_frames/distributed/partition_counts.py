"""Count a partition: its strata or the spread of its weights, and a digest that detects changed rows.

`assignment` defines the share that a partition receives.
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
MOST_UNITS = 2**24  # in all partitions: the driver holds their values
MOST_ROWS = 2**27  # in all partitions: the driver holds only their weights or labels, some gigabytes


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """Counts of the groups of a partition.

    Attributes:
        values: values of the keys, one row per group in the order of first appearance; text for categories.
        pairs: number of rows of each pair of a group and a weight; groups have numbers in this order. Without
            replacement, weights are rounded down to eighths of powers of two, which makes fewer pairs.
        bounds: the least and the greatest positive weight; infinity and 0 if there is none.
    """

    values: pl.DataFrame
    pairs: Pairs
    bounds: tuple[float, float]


@dataclass(frozen=True, eq=False)
class UnitCounts:
    """The units of a partition in the order of first appearance, or its rows if rows are drawn.

    Attributes:
        weights: weight of each row, or the greatest weight in each unit.
        values: values of the unit keys, one row per unit, text for categories; None if rows are drawn.
        groups: values of the group keys, one row per group in the order of first appearance; None for one group.
        group: number of the group of each unit or row, shape (units,) or (rows,); None for one group.
        keys: values from which random numbers are derived, one row per row; None if these are derived from positions or
            units.
    """

    weights: Strata | Floats
    values: pl.DataFrame | None = None
    groups: pl.DataFrame | None = None
    group: NDArray[np.uint32] | None = None
    keys: pl.DataFrame | None = None


@dataclass(frozen=True)
class Over:
    """The keys of groups and units of a partition, and how rows are drawn.

    Attributes:
        keys: keys of groups, compiled for the partition; None for one group.
        unit: keys of units, compiled for the partition; None if rows are drawn.
        replace: whether rows are drawn with replacement, which needs exact weights.
        gathers: whether the driver receives the weight of every row; it always receives the weights of units.
        key: keys from which random numbers are derived, compiled for the partition; None if these are derived from
            positions or units.
    """

    keys: GroupKeys | None
    unit: GroupKeys | None
    replace: bool
    gathers: bool = False
    key: GroupKeys | None = None

    def number(self, frame: Rows, population: Strata | Weights) -> Grouped:
        """Return the groups and units of the rows of a partition.

        Raises:
            TQLError: the keys cannot be evaluated, or a unit lies in several groups.
        """
        keys, unit = (None if each is None else each.as_text() for each in (self.keys, self.unit))
        return Grouped.of(population, frame, keys, unit)

    def key_values(self, frame: Rows) -> pl.DataFrame | None:
        """Return the values from which the random numbers of rows are derived; None for positions or units.

        Raises:
            TQLError: the keys cannot be evaluated.
        """
        return None if self.key is None or self.unit is not None else self.key.as_text().values(frame)

    def count(
        self, population: Strata | Weights, grouped: Grouped, belongs: pl.DataFrame | None
    ) -> GroupCounts | UnitCounts:
        """Return the counts of the groups of a partition, or its units or rows.

        Args:
            population: its weights.
            grouped: its groups and units.
            belongs: the result of `key_values`.

        Raises:
            TQLUnsupportedError: there are too many pairs of a group and a weight.
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
    """Counts of the rows of a partition.

    Attributes:
        rows: number of rows that are drawn from.
        digest: digest of their weights in table order, and of their groups, units and keys.
        table: strata table, if there are few distinct weights; else None.
        spread: spread of the weights, if there are many; else None.
        bad: position of the first arm with invalid weights, or None for the whole sampler, and these weights; None if
            all weights are valid.
        schema: types of the columns that the sampler names.
        seen: number of rows, including rows that WHERE excludes.
        arms: which arms of the sampler match a row, and which decide one; None if not computed.
        groups: counts of the groups, if rows are drawn from groups; then `table` and `spread` are None.
        units: the units or rows, if the driver receives each weight; then `table`, `spread` and `groups` are None.
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
    """The question for the sum of the weights as integers, scaled by the exponent of two `scale`."""

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
    """The question for the rows that may win the race of their group; `start` is the number of the first row."""

    how: GroupRace
    seed: int
    start: int


@dataclass(frozen=True, eq=False)
class GroupFinishers:
    """The rows of a partition that may win the race of their group.

    Attributes:
        rows: row positions, shape (k,), ascending.
        times: time of each row, shape (k,).
        groups: number of the group of each row in the partition, shape (k,).
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
        weigher: computes the weights.
        frame: the rows.
        schema: types of the columns that the sampler names.
        keys: columns that are part of the digest.
        over: keys of groups and units, or None.

    Raises:
        TQLError: the rows cannot be weighed. Invalid weights are part of the result instead, since an earlier partition
            may have some, too.
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
    """Return the answer of a partition to a question: the integer total of its weights, or its finishers.

    Raises:
        TQLError: the partition has another number of groups than when it was counted.
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
    """Return the rows of a partition in strata, or their weights if more than 1,024 are distinct."""
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
    """Return a digest of the weights of rows in table order, and of their groups, units and keys.

    Keys are the columns `keys`, and `belongs`, the values from which random numbers are derived.
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
    """Return the type of each column in the partitions.

    A column of type Null in one partition has its type in another.
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
    """Return the values of all partitions, concatenated; None if there are no partitions.

    A column of type Null in one partition is cast to its type in another.

    Args:
        parts: values of each partition, with the same columns.
        mismatch: returns the error for the position of a column and its two types.

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
    """Return the error to raise if a later pass finds other rows than the first."""
    return TQLError(CHANGED, hint=hint)


def too_many_pairs() -> TQLUnsupportedError:
    """Return the error to raise if there are too many pairs of a group and a weight to count."""
    message = f"over makes more than {MOST_PAIRS:,} different pairs of a group and a weight, too many to add up"
    hint = "round the weights, name coarser groups, or sample the frame in memory; replace=False needs fewer pairs"
    return TQLUnsupportedError(message, hint=hint)
