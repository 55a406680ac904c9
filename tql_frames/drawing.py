"""Sampler and rows to the positions that are drawn, and the numbers of `random()`: where a seed meets a frame.

How positions are drawn is in `sampling`, what the weights are in `weighing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from tql_frames.compiler import RandomNumbers
from tql_frames.errors import Place, TQLError, TQLWarning, WeightError, caller, warn
from tql_frames.frames import Readable
from tql_frames.idle import warn_of_idle_arms
from tql_frames.planning import most_rows
from tql_frames.sampling import Positions, Strata, Streams, derived_seed, draw
from tql_frames.weighing import Weigher, Weights

_RANDOM_BITS = 40
_RANDOM, _EPOCH, _ORDER = 1, 2, 3  # branches of the seed; that of further SAMPLE BY clauses is 0


def of_empty_frame(size: int) -> WeightError:
    """What to raise for so many rows asked for where there are none."""
    return WeightError(f"cannot draw {size:,} rows from an empty frame", hint="an empty frame takes no limit")


@dataclass(frozen=True)
class Draw:
    """How rows are drawn.

    Attributes:
        weigher: gives each row its weight.
        size: rows to draw, as a function of the rows there are.
        replace: with or without replacement.
        seed: fixes the sample.
        refusal: the error for so many rows asked for where there are none.
        place: the caller's line, for warnings from threads that a library starts.
    """

    weigher: Weigher
    size: Callable[[int], int]
    replace: bool
    seed: int
    refusal: Callable[[int], WeightError] = of_empty_frame
    place: Place | None = field(default_factory=caller)

    def positions(self, rows: Readable) -> Positions:
        """Positions of the drawn rows, in the order drawn, shape (k,).

        Raises:
            WeightError: the weights cannot be drawn by.

        Warns:
            TQLWarning: without replacement, fewer rows have a positive weight than were asked for.
            TQLArmWarning: an arm matches no row, or never decides.
        """
        population, watched = self.weigher.watched(rows)
        size = self.checked_size(population, rows.rows)
        if not rows.rows:
            return np.empty(0, np.uint32)
        if size:
            warn_of_idle_arms(self.weigher.sampler, rows, watched, self.place)
        found = draw(population, size, replace=self.replace, seed=self.seed)
        if len(found) < size:
            warn(fewer_rows(size, len(found)), self.place)
        return found

    def checked_size(self, population: Strata | Weights, rows: int) -> int:
        """Rows to draw of so many that were weighed, once it is known that they can be drawn; raises as `positions`."""
        size = self.size(rows)
        if not rows:
            if size:
                raise self.refusal(size)
            return 0
        self.weigher.check_drawable(population)
        if (size if self.replace else min(size, rows)) > most_rows():
            raise TQLError(f"a sample of {size:,} rows does not fit into memory")
        return size


def warn_of_fewer(size: int, found: int) -> None:
    """Warn the caller that fewer rows come without replacement than were asked for."""
    warn(fewer_rows(size, found))


def fewer_rows(size: int, found: int) -> TQLWarning:
    """What to warn of where fewer rows come without replacement than were asked for."""
    message = f"{size:,} rows were asked for without replacement, but only {found:,} have a positive weight"
    return TQLWarning(message)


def seed_of_sample(seed: int, number: int) -> int:
    """Seed of a statement's SAMPLE BY clause by its number; the first draws as `sample` does with the same seed."""
    return seed if number == 0 else derived_seed(seed, 0, number)


def seed_of_epoch(seed: int, epoch: int) -> int:
    """Seed of the sample that is drawn for an epoch; the first draws as `sample` does with the same seed."""
    return seed if epoch == 0 else derived_seed(seed, _EPOCH, epoch)


def shuffled(positions: Positions, seed: int) -> Positions:
    """Positions drawn with a seed, in a random order that the same seed fixes."""
    keys = Streams(derived_seed(seed, _ORDER)).uniforms(0, len(positions))
    found: Positions = positions[np.argsort(keys, kind="stable")]
    return found


def random_numbers(seed: int, start: int = 0) -> RandomNumbers:
    """Return the numbers of `random()`, whole and below 2**40: one a row from `start` on, others for each call.

    With 40 bits a million rows seldom share a number, and a product with any number below 2**23 fits into Int64.
    """

    def numbers(call: int) -> pl.Expr:
        streams = Streams(derived_seed(seed, _RANDOM, call))

        def fill(rows: pl.Series) -> pl.Series:
            numbers = streams.uniforms(0, len(rows), start)
            numbers *= 2.0**_RANDOM_BITS
            return pl.Series(numbers.astype(np.int64))

        return pl.int_range(pl.len()).map_batches(fill, return_dtype=pl.Int64())

    return numbers
