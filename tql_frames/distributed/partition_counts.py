"""What a partition tells: its strata or the spread of its weights, and a digest by which it is known again.

What a partition is told is in `assignment`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.expressions.scope import column
from tql_frames.errors import WeightError
from tql_frames.frames import Rows
from tql_frames.pipeline.weights import BadWeights, Watched, Weigher, Weights
from tql_frames.sampling import Floats, Positions, Strata, StrataTable, Streams, stratify
from tql_frames.sampling.partitioned import Spread, integer_total
from tql_frames.sampling.strata import MOST_STRATA
from tql_frames.sampling.without_replacement import Race, finishers

Schema = Mapping[str, pl.DataType]


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
    """

    rows: int
    digest: bytes = b""
    table: StrataTable | None = field(default_factory=lambda: StrataTable.of(np.empty(0)))
    spread: Spread | None = None
    bad: tuple[int | None, BadWeights] | None = None
    schema: Schema = field(default_factory=dict)
    seen: int = 0
    arms: tuple[Watched, Watched] | None = None


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


Question = SumUp | RunRace
Answer = int | tuple[Positions, Floats]


def count(weigher: Weigher, frame: Rows, schema: Schema, keys: tuple[str, ...] = ()) -> Counts:
    """Count a partition that has rows.

    Args:
        weigher: gives each row its weight.
        frame: the rows.
        schema: types of the columns that it looks at.
        keys: columns that are part of the digest.

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
    digest = digest_of(population, frame, keys)
    if isinstance(population, Strata):
        return Counts(frame.rows, digest, population.table, schema=schema, seen=frame.rows, arms=arms)
    return Counts(frame.rows, digest, None, Spread.of(population), schema=schema, seen=frame.rows, arms=arms)


def answer(question: Question, weigher: Weigher, frame: Rows) -> Answer:
    """Return what a partition answers to a question about its weights: their integer total, or its finishers."""
    weights = weights_of(population_of(weigher, frame))
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


def weights_of(population: Strata | Weights) -> Weights:
    """Return a weight a row."""
    return population.table.weights[population.codes] if isinstance(population, Strata) else population


def digest_of(population: Strata | Weights, frame: Rows, keys: tuple[str, ...] = ()) -> bytes:
    """Return a digest of the weights of rows in their order, and of keys."""
    parts: list[NDArray[Any]]
    parts = [population.table.weights, population.codes] if isinstance(population, Strata) else [population]
    if keys:
        named = frame.evaluate({str(number): column(key) for number, key in enumerate(keys)})
        parts.append(named.hash_rows().to_numpy())
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
