"""A request for a sample, and the positions that are drawn for it: where a seed meets the rows of a frame.

How positions are drawn is in `sampling`, what the weights are in `weights`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import polars as pl

from tql_frames.compiler import RandomNumbers
from tql_frames.compiler.statements import most_rows
from tql_frames.errors import Place, TQLError, TQLWarning, WeightError, caller, warn
from tql_frames.frames import Rows
from tql_frames.pipeline.arguments import MOST_ROWS, Order, check_flag, check_order, seed_from, size_from
from tql_frames.pipeline.idle_arms import warn_of_categories, warn_of_idle_arms
from tql_frames.pipeline.weights import Weigher, Weights
from tql_frames.sampling import Positions, Strata, Streams, derived_seed, draw

_RANDOM_BITS = 40
_RANDOM, _EPOCH, _ORDER = 1, 2, 3  # branches of the seed; that of further SAMPLE BY clauses is 0


@dataclass(frozen=True)
class DrawSpec:
    """A request for rows: all that is said of a sample beside its sampler.

    Attributes:
        limit: rows to draw, or None.
        fraction: rows to draw as a share of those of the frame, instead of `limit`, or None; with neither, as many as
            the frame has.
        replace: with or without replacement.
        seed: fixes the sample.
        order: of the rows, as they were drawn or as in the frame.
    """

    limit: int | None = None
    fraction: Fraction | None = None
    replace: bool = True
    seed: int = 0
    order: Order = "draw"

    @classmethod
    def checked(
        cls, limit: object, fraction: object, replace: object, seed: object, order: object = "draw"
    ) -> DrawSpec:
        """Return the request that callers make by these arguments.

        Raises:
            TQLError: one of them is wrong, or `limit` and `fraction` are both given.

        Examples:
            >>> DrawSpec.checked(None, 0.29, True, 7).size(100)
            29
        """
        size = size_from(limit, fraction, replace)
        number = seed_from(seed)
        check_flag("replace", replace)
        check_order(order)
        return cls(*size, bool(replace), number, order)  # type: ignore[arg-type]

    def size(self, rows: int) -> int:
        """Return the number of draws from a number of rows.

        Raises:
            TQLError: they are more than any memory holds.
        """
        if self.limit is not None:
            return self.limit
        size = rows if self.fraction is None else int(rows * self.fraction)
        if self.fraction is not None and size > MOST_ROWS:
            raise TQLError(f"fraction asks for {size:,} rows, more than any memory holds")
        return size


def empty_population_error(size: int) -> WeightError:
    """Return the error for requesting `size` rows from an empty frame."""
    return WeightError(f"cannot draw {size:,} rows from an empty frame", hint="an empty frame takes no limit")


@dataclass(frozen=True)
class Draw:
    """A request for rows and the weights by which they are drawn.

    Attributes:
        weigher: gives each row its weight.
        spec: the request.
        refusal: returns the error for a number of rows where there are none.
        place: the caller's line, for warnings from threads that a library starts.
    """

    weigher: Weigher
    spec: DrawSpec
    refusal: Callable[[int], WeightError] = empty_population_error
    place: Place | None = field(default_factory=caller)

    @classmethod
    def of(cls, sampler: object, rows: Rows, spec: DrawSpec) -> Draw:
        """Make a sampler ready for rows of one schema; nothing runs.

        Raises:
            TQLError: the sampler does not fit the rows.

        Warns:
            TQLArmWarning: a text is no category of the Enum that it is compared with.
        """
        weigher = Weigher.of(sampler, rows, random_numbers(spec.seed))
        warn_of_categories(weigher.sampler)
        return cls(weigher, spec)

    def positions(self, rows: Rows) -> Positions:
        """Return the positions of the drawn rows, in the order that was asked for, shape (k,).

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
        found = draw(population, size, replace=self.spec.replace, seed=self.spec.seed)
        if len(found) < size:
            warn(fewer_rows(size, len(found)), self.place)
        if self.spec.order == "source":
            found.sort()
        return found

    def checked_size(self, population: Strata | Weights, rows: int) -> int:
        """Return rows to draw of so many that were weighed, once it is known that they can be drawn.

        It raises as `positions`.
        """
        size = self.spec.size(rows)
        if not rows:
            if size:
                raise self.refusal(size)
            return 0
        self.weigher.check_drawable(population)
        if (size if self.spec.replace else min(size, rows)) > most_rows():
            raise TQLError(f"a sample of {size:,} rows does not fit into memory")
        return size


def warn_of_fewer(size: int, found: int) -> None:
    """Warn the caller that fewer rows come without replacement than were asked for."""
    warn(fewer_rows(size, found))


def fewer_rows(size: int, found: int) -> TQLWarning:
    """Return the warnings of where fewer rows come without replacement than were asked for."""
    message = f"{size:,} rows were asked for without replacement, but only {found:,} have a positive weight"
    return TQLWarning(message)


def seed_of_sample(seed: int, number: int) -> int:
    """Return the seed of a statement's SAMPLE BY clause by its number.

    The first draws as `sample` does with the same seed.
    """
    return seed if number == 0 else derived_seed(seed, 0, number)


def seed_of_epoch(seed: int, epoch: int) -> int:
    """Return the seed of the sample that is drawn for an epoch; the first draws as `sample` does with the same seed."""
    return seed if epoch == 0 else derived_seed(seed, _EPOCH, epoch)


def shuffled(positions: Positions, seed: int) -> Positions:
    """Return positions drawn with a seed, in a random order that the same seed fixes."""
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
