"""Check the arguments of a request for a sample, and draw its positions.

`tql_frames.api` documents the arguments. `sampling` draws positions, `weights` computes weights.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any, Literal, TypedDict, TypeVar

import numpy as np
import polars as pl

from tql_frames.compiler import CompiledSampler, RandomNumbers
from tql_frames.compiler.statements import most_rows
from tql_frames.errors import (
    Place,
    TQLError,
    TQLNameError,
    TQLWarning,
    WeightError,
    caller,
    did_you_mean,
    lone_surrogate,
    shown,
    warn,
)
from tql_frames.frames import PolarsFrame, Rows, is_pandas
from tql_frames.pipeline.argument_names import wrong_name
from tql_frames.pipeline.groups import Grouped, GroupKeys, Quotas
from tql_frames.pipeline.idle_arms import warn_of_categories, warn_of_idle_arms
from tql_frames.pipeline.weights import Watched, Weigher, Weights
from tql_frames.sampling import (
    Floats,
    Groups,
    Integers,
    Positions,
    Strata,
    Streams,
    derived_seed,
    draw,
    draw_groups,
    fresh_seed,
)
from tql_frames.sampling.designs import poisson, systematic
from tql_frames.sampling.rng import Numbers, sort
from tql_frames.sampling.strata import drawable_in, rows_in

_Call = TypeVar("_Call", bound=Callable[..., Any])
_Class = TypeVar("_Class", bound=type)
Order = Literal["draw", "source"]
Design = Literal["independent", "successive", "systematic", "poisson"]
Limit = int | Mapping[Any, int]
"""Number of rows to draw; from each group, or from groups by name."""
GroupBy = str | Sequence[str]
"""Names of columns, or TQL expressions, whose values define groups or units."""


class Request(TypedDict, total=False):
    """Arguments for a sample other than its sampler, not checked yet: the arguments of `DrawSpec.checked`."""

    limit: Limit | None
    fraction: float | None
    replace: bool
    seed: int | None
    order: Order
    over: GroupBy | None
    unit: GroupBy | None
    design: Design | None
    key: GroupBy | None


MOST_ROWS = 2**48  # a limit beyond any memory, caught before NumPy overflows
_MOST_DIGITS = 400  # after the point: a smaller fraction of any table is less than one row
_SIMPLE = 10**7  # the greatest denominator of a computed fraction, such as 1 / 3
_WRITTEN = 15  # digits of a decimal number that every float keeps; users do not write more


def named(call: _Call, name: str | None = None) -> _Call:
    """Return a call with errors that name the right argument for an unknown one, and tell index levels from columns.

    Args:
        call: a function or method.
        name: its name in the error; by default its own name.

    Examples:
        >>> @named
        ... def sample(limit=None):
        ...     return limit
        >>> sample(n=5)
        Traceback (most recent call last):
        TypeError: sample() has no argument 'n'; write limit=5
    """
    parameters = inspect.signature(call).parameters
    names = [each for each in parameters if each != "self"]
    most = len(places_of(parameters))
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())

    @functools.wraps(call)
    def checked(*given: Any, **options: Any) -> Any:
        if len(given) > most:
            raise wrong_number(name or call.__name__, parameters, len(given) - len(parameters) + len(names))
        for each, value in options.items():
            if each not in parameters and not takes_any:
                raise wrong_name(name or call.__name__, each, names, value)
        try:
            return call(*given, **options)
        except TQLNameError as fault:
            if any(fault.message == f"unknown column {level!r}" for level in _index_levels(*given, *options.values())):
                fault.hint = "pass frame.reset_index(): it is a level of the index"
            raise

    return checked  # type: ignore[return-value]


def _index_levels(*arguments: object) -> Iterator[object]:
    """Yield the names of the index levels of pandas and Dask frames among arguments, also of Dask's namespace."""
    for each in arguments:
        if is_pandas(each):
            yield from each.index.names
            continue
        frame: Any = getattr(each, "_frame", each)
        if type(frame).__module__.startswith("dask."):
            yield frame.index.name


def places_of(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Return the names of arguments that a call accepts by position."""
    return [name for name, each in parameters.items() if each.kind is each.POSITIONAL_OR_KEYWORD]


def wrong_number(call: str, parameters: Mapping[str, inspect.Parameter], given: int) -> TypeError:
    """Return the error to raise for more positional arguments than a call accepts."""
    own = [name for name in places_of(parameters) if name != "self"]
    named = next((name for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY), None)
    message = f"{call}() takes {len(own)} arguments by position ({', '.join(own)}), got {given}"
    return TypeError(message if named is None else f"{message}; name the others, such as {named}=")


def all_named(namespace: _Class) -> _Class:
    """Return a class whose public methods are `named`."""
    for name, method in list(vars(namespace).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(namespace, name, named(method))
    return namespace


def named_constructor(made: _Class) -> _Class:
    """Return a class whose constructor is `named`, by the name of the class."""
    made.__init__ = named(made.__init__, made.__name__)  # type: ignore[misc]
    return made


def no_column(value: object) -> TQLError:
    """Return the error to raise for a `by` that is not the name of a column."""
    name = getattr(value, "name", None)
    hint = f"pass the name of the column: by={name!r}" if isinstance(name, str) and name else None
    return TQLError(f"expected by= to be the name of a column, got {shown(value)}", hint=hint)


def refuse_labels_first(sampler: object, limit: object, by: object) -> None:
    """Check that a report does not receive the labels first and the sampler second.

    Raises:
        TQLError: the limit is a sampler, or the sampler is a list of columns.
    """
    if isinstance(sampler, (list, tuple)) and sampler and all(isinstance(each, str) for each in sampler):
        message = "report takes the sampler first; expected a sampler, got a list of names"
        raise TQLError(message, hint="for columns of labels write by=[…]")
    if isinstance(limit, (str, pl.Expr)):
        hint = f"write report({shown(limit)}, by='findings')" if by is None else "write report(sampler, limit, by=…)"
        raise TQLError(f"report takes the sampler first; expected limit= to be a number, got {shown(limit)}", hint=hint)


@contextmanager
def labels_named_as_sampler(sampler: object, by: object, columns: Collection[object]) -> Iterator[None]:
    """Add a hint to the error of a report whose sampler is a column of labels."""
    try:
        yield
    except TQLError as fault:
        if by is not None or not isinstance(sampler, str) or sampler not in columns:
            raise
        hint = f"report takes the sampler first; for the labels of the column write by={sampler!r}"
        both = hint if fault.hint is None else f"{fault.hint}; {hint}"
        raise type(fault)(fault.message, source=fault.source, span=fault.span, hint=both) from None


def size_from(limit: object, fraction: object, replace: object = True) -> tuple[int | None, Fraction | None]:
    """Check `limit` and `fraction`; without replacement a limit may be greater than any frame.

    Returns:
        The limit and the fraction; at least one of them is None.

    Raises:
        TQLError: both were given, or one is not a valid number.

    Examples:
        >>> size_from(None, 0.29), size_from(5, None)
        ((None, Fraction(29, 100)), (5, None))
    """
    if limit is not None and fraction is not None:
        raise TQLError("limit and fraction were both given; pass one of them")
    if fraction is not None:
        share = share_from(fraction)
        if share is None or share < 0:
            raise TQLError(f"expected fraction= to be a number of at least 0, got {shown(fraction)}")
        return None, share
    if limit is None:
        return None, None
    number = whole_number(limit)
    if number is None or number < 0:
        raise TQLError(f"expected limit= to be a whole number of at least 0, got {shown(limit)}")
    if number > MOST_ROWS and replace:
        raise TQLError(f"limit is {number:,}, more rows than any memory holds")
    return min(number, 10**18), None  # within 64 bits


def refuse_beside_statement(request: Request) -> None:
    """Check that a statement, which has clauses for them, is passed without arguments for a sample other than `seed`.

    Raises:
        TQLError: another argument was passed.
    """
    defaults = {"replace": True, "order": "draw"}
    given = {name: value for name, value in request.items() if name != "seed"}
    names = [f"{name}=" for name, value in given.items() if value is not None and value != defaults.get(name)]
    if names:
        hint = "write it into the statement: SAMPLE BY … OVER (…) REPLACE … LIMIT …, ORDER BY …"
        raise TQLError(f"{', '.join(names)} cannot be given with a statement", hint=hint)


def quotas_from(limit: Mapping[Any, object], fraction: object, over: object) -> Quotas:
    """Check the numbers of rows to draw from groups by name.

    Raises:
        TQLError: there are no groups, or a number is not valid.
    """
    if over is None:
        raise TQLError("limit by group needs over, which defines the groups", hint="pass over='column'")
    if fraction is not None:
        raise TQLError("limit and fraction were both given; pass one of them")
    found = []
    for name, number in limit.items():
        size, _ = size_from(number, None)
        if size is None:
            raise TQLError(f"expected limit= to be a whole number for the group {shown(name)}, got None")
        found.append((name, size))
    return tuple(found)


DESIGNS: Mapping[bool, tuple[Design, ...]] = {
    True: ("independent", "systematic"),
    False: ("successive", "systematic", "poisson"),
}
"""Designs with and without replacement, the default first."""


def design_from(design: object, *, replace: bool) -> Design:
    """Return the design of a sample, the default for None.

    Raises:
        TQLError: there is no such design, or it does not support this `replace`.

    Examples:
        >>> design_from(None, replace=False)
        'successive'
    """
    if design is None:
        return DESIGNS[replace][0]
    for known in DESIGNS[replace]:
        if design == known:
            return known
    if any(design == known for known in DESIGNS[not replace]):
        other = "replace=False" if replace else "replace=True"
        how = "at most once" if replace else "any number of times"
        raise TQLError(f"design={design!r} draws a row {how}", hint=f"pass {other}")
    names = [*DESIGNS[True], *DESIGNS[False]]
    hint = did_you_mean(design, names) if isinstance(design, str) else None
    hint = hint or f"use one of the designs {', '.join(dict.fromkeys(names))}"
    raise TQLError(f"unknown design {shown(design)}", hint=hint)


def keys_from(argument: str, value: object) -> tuple[str, ...]:
    """Return the keys of groups or units as texts, none for None.

    Raises:
        TQLError: the value is neither a text nor a list of texts.
    """
    texts = (value,) if isinstance(value, str) else value
    if texts is None:
        return ()
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts) or not texts:
        hint = f"pass the name of a column, {argument}='view', or a list of names"
        message = f"expected {argument}= to be a column name or TQL expression, or a list of them, got {shown(value)}"
        raise TQLError(message, hint=hint)
    return tuple(texts)


def seed_from(seed: object) -> int:
    """Return a seed as a number, a random one for None.

    Raises:
        TQLError: the seed is not a whole number, or less than 0.
    """
    if seed is None:
        return fresh_seed()
    number = whole_number(seed)
    if number is None or number < 0:
        raise TQLError(f"expected seed= to be a whole number of at least 0, or None, got {shown(seed)}")
    return number


def whole_number(value: object) -> int | None:
    """Return a whole number of any library as an int, None for anything else."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def check_order(order: object) -> None:
    """Check the order of the rows of a sample.

    Raises:
        TQLError: there is no such order.
    """
    if order not in ("draw", "source"):
        raise TQLError(f"expected order= to be 'draw' or 'source', got {shown(order)}")


def check_expected(expected: object, columns: Collection[object]) -> None:
    """Check that the column of expected draws has a name that no other column has.

    Args:
        expected: its name.
        columns: names of the columns of the sample.

    Raises:
        TQLError: the name is not a text, or another column has it.
    """
    if not isinstance(expected, str):
        raise TQLError(f"expected a column name or None for expected=, got {shown(expected)}")
    if expected in columns:
        raise TQLError(f"the sample has a column {expected!r} already", hint="pass expected='another name'")


def check_index(index: object) -> None:
    """Check that the name of the column of row numbers is a text or None.

    Raises:
        TQLError: it is something else.
    """
    if not (index is None or isinstance(index, str)):
        raise TQLError(f"expected index= to be a column name or None, got {shown(index)}")
    if index is not None and not index.isascii() and lone_surrogate(index) is not None:
        raise TQLError(f"expected index= to be text that can be encoded, got {index!r}")


def check_flag(name: str, value: object) -> None:
    """Check that an argument is True or False.

    Raises:
        TQLError: it is something else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TQLError(f"expected {name}= to be True or False, got {shown(value)}")


def share_from(value: object) -> Fraction | None:
    """Return the exact value of a number's decimal digits: 0.29 of 100 rows is 29, though the float is slightly less.

    A float of 16 or 17 digits next to a simple fraction is read as that fraction: `1 / 3` of 3 rows is 1.
    """
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    try:
        if isinstance(value, Rational):
            return Fraction(value)
        if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < -_MOST_DIGITS:
            return Fraction(0) if value >= 0 else Fraction(-1)  # less than one row of any table
        found = Fraction(value) if isinstance(value, Decimal) else Fraction(str(value))
    except (ValueError, OverflowError):  # NaN, infinity
        return None
    simple = found.limit_denominator(_SIMPLE)
    digits = 0 if isinstance(value, Decimal) else len(Decimal(str(value)).as_tuple().digits)
    return simple if digits > _WRITTEN and float(simple) == float(value) else found


_RANDOM_BITS = 40
_RANDOM, _EPOCH, _ORDER, _KEYS = 1, 2, 3, 4  # branches of the seed; branch 0 is for further SAMPLE BY clauses


@dataclass(frozen=True)
class DrawSpec:
    """A request for rows: all arguments of a sample other than its sampler.

    Attributes:
        limit: rows to draw, or None.
        fraction: rows to draw as a share of the rows of the frame, instead of `limit`, or None; with neither, the
            number of rows of the frame.
        replace: whether to draw with replacement.
        seed: fixes the sample.
        order: order of the rows, as drawn or as in the frame.
        over: names of columns, or TQL expressions: rows with equal values are a group, and each group is sampled
            independently; `limit` and `fraction` apply to each group. Empty for one group of all rows.
        quotas: rows to draw from groups by name, instead of `limit`, or None.
        unit: names of columns, or TQL expressions: rows with equal values are a unit, and units are drawn and counted
            instead of rows. The weight of a unit is the greatest weight of its rows.
        design: how draws depend on weights and on each other; one of `DESIGNS[replace]`.
        key: names of columns, or TQL expressions: random numbers are derived from their values instead of from row
            positions.
    """

    limit: int | None = None
    fraction: Fraction | None = None
    replace: bool = True
    seed: int = 0
    order: Order = "draw"
    over: tuple[str, ...] = ()
    quotas: Quotas | None = None
    unit: tuple[str, ...] = ()
    design: Design = "independent"
    key: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.replace and self.design == "independent":
            object.__setattr__(self, "design", "successive")

    @property
    def is_plain(self) -> bool:
        """Whether it requests rows of one group by the default design, without a key."""
        return not (self.over or self.unit or self.key) and self.is_default

    @property
    def is_default(self) -> bool:
        """Whether it is by the default design."""
        return self.design in ("independent", "successive")

    @classmethod
    def checked(
        cls,
        limit: object = None,
        fraction: object = None,
        replace: object = True,
        seed: object = None,
        order: object = "draw",
        *,
        over: object = None,
        unit: object = None,
        design: object = None,
        key: object = None,
    ) -> DrawSpec:
        """Return the request for the arguments of a caller.

        Raises:
            TQLError: an argument is invalid, or `limit` and `fraction` are both given.

        Examples:
            >>> DrawSpec.checked(None, 0.29, True, 7).size(100)
            29
        """
        quotas = quotas_from(limit, fraction, over) if isinstance(limit, Mapping) else None
        size = size_from(None if quotas is not None else limit, fraction, replace)
        number = seed_from(seed)
        check_flag("replace", replace)
        check_order(order)
        keys = keys_from("over", over), keys_from("unit", unit)
        how = design_from(design, replace=bool(replace))
        own = keys_from("key", key)
        if own and how not in ("successive", "poisson"):
            message = f"key= needs a draw of each row by numbers of its own, which design={how!r} has not"
            raise TQLError(message, hint="pass replace=False, with design='successive' (the default) or 'poisson'")
        if own and keys[1] and own != keys[1]:
            message = f"expected key= to equal unit={list(keys[1])}, got {list(own)}"
            raise TQLError(message, hint=f"pass key={list(keys[1])}")
        return cls(*size, bool(replace), number, order, keys[0], quotas, keys[1], how, own)  # type: ignore[arg-type]

    def size(self, rows: int) -> int:
        """Return the number of draws from a number of rows.

        Raises:
            TQLError: the sample cannot fit into memory.
        """
        if self.limit is not None:
            return self.limit
        size = rows if self.fraction is None else int(rows * self.fraction)
        if self.fraction is not None and size > MOST_ROWS:
            raise TQLError(f"fraction asks for {size:,} rows, more than any memory holds")
        return size


def empty_population_error(size: int) -> WeightError:
    """Return the error for requesting `size` rows from an empty frame."""
    return WeightError(f"cannot draw {size:,} rows from an empty frame", hint="leave limit out for an empty frame")


@dataclass(frozen=True)
class Draw:
    """A request for rows and the weights by which they are drawn.

    Attributes:
        weigher: computes the weight of each row.
        spec: the request.
        refusal: returns the error for a number of requested rows from an empty frame.
        place: the caller's line, for warnings from threads that a library starts.
        over: keys of groups, or None.
        unit: keys of units, or None.
        key: keys from which random numbers are derived, or None for row positions.
    """

    weigher: Weigher
    spec: DrawSpec
    refusal: Callable[[int], WeightError] = empty_population_error
    place: Place | None = field(default_factory=caller)
    over: GroupKeys | None = None
    unit: GroupKeys | None = None
    key: GroupKeys | None = None

    @classmethod
    def of(cls, sampler: object, rows: Rows, spec: DrawSpec, *, later: bool = True) -> Draw:
        """Compile a sampler for rows of one schema; nothing runs.

        Args:
            sampler: text or expression.
            rows: the rows to weigh, or other rows of the same schema.
            spec: the request.
            later: whether a library may request the positions in its own thread.

        Raises:
            TQLError: the sampler does not fit the rows.

        Warns:
            TQLArmWarning: a text is compared with an Enum but is not among its categories.
        """
        weigher = Weigher.of(sampler, rows, random_numbers(spec.seed))
        if isinstance(weigher.sampler, CompiledSampler) and weigher.sampler.unknown:
            warn_of_categories(weigher.sampler)
        place = caller() if later else None
        if not (spec.over or spec.unit or spec.key):
            return cls(weigher, spec, place=place)
        random = numbers_of_keys(spec.seed)
        over, unit = GroupKeys.of("over", spec.over, rows, random), GroupKeys.of("unit", spec.unit, rows, random)
        key = GroupKeys.of("key", spec.key, rows, random)
        return cls(weigher, spec, place=place, over=over, unit=unit, key=key)

    def positions(self, rows: Rows) -> Positions:
        """Return the positions of the drawn rows, in the requested order, shape (k,).

        Raises:
            WeightError: a weight is invalid, or no row can be drawn.

        Warns:
            TQLWarning: without replacement, fewer rows have a positive weight than were requested.
            TQLArmWarning: an arm matches no row, or never decides.
        """
        population, watched = self.weigher.watched(rows)
        if not self.spec.is_plain:
            return self._drawn(rows, watched, *self._grouped(rows, population))
        size = self.checked_size(population, rows.rows)
        if not rows.rows:
            return np.empty(0, np.uint32)
        if size and watched is not None and not watched.all():
            warn_of_idle_arms(self.weigher.sampler, rows, watched, self.place)
        ordered = self.spec.order == "source"
        found = draw(population, size, replace=self.spec.replace, seed=self.spec.seed, in_table_order=ordered)
        if len(found) < size:
            warn(fewer_rows(size, len(found)), self.place)
        return found

    def positions_and_expected(self, rows: Rows) -> tuple[Positions, Floats]:
        """Return the positions and the expected draws of each row of the frame, shape (n,); rows are weighed once.

        Errors and warnings are those of `positions`.
        """
        population, watched = self.weigher.watched(rows)
        grouped, sizes = self._grouped(rows, population)
        return self._drawn(rows, watched, grouped, sizes), self._expected(grouped, sizes)[0]

    def _drawn(self, rows: Rows, watched: Watched | None, grouped: Grouped, sizes: Integers) -> Positions:
        """Return the positions for rows in groups or units."""
        if watched is not None and not watched.all():
            warn_of_idle_arms(self.weigher.sampler, rows, watched, self.place)
        if grouped.groups is None and not self.spec.replace:
            size, drawable = int(sizes.sum()), drawable_in(grouped.population)
            if drawable < size:
                warn(fewer_rows(size, drawable, "rows" if self.unit is None else "units"), self.place)
                sizes = np.minimum(sizes, drawable)
        found = drawn_rows(rows, grouped, sizes, self.spec, self.key)
        if self.spec.order == "source" and (self.spec.is_default or grouped.units is not None):
            sort(found)  # other designs draw rows in this order
        return found

    def _grouped(self, rows: Rows, population: Strata | Weights) -> tuple[Grouped, Integers]:
        """Return the groups and units of rows, and the draws from each group."""
        grouped = Grouped.of(population, rows, self.over, self.unit)
        if rows.rows and not _is_drawable(population):
            raise self.weigher.no_row(rows.rows)
        if grouped.groups is None:
            size = self.checked_size(grouped.population, grouped.count)
            return grouped, np.array([size] if grouped.count else [], np.int64)
        return grouped, grouped.sizes(self.spec)

    def expected(self, rows: Rows) -> tuple[Floats, Floats]:
        """Return the expected draws of each row, and the probability that the sample contains it, both shape (n,).

        Raises:
            WeightError: as `positions`.
        """
        return self._expected(*self._grouped(rows, self.weigher.watched(rows)[0]))

    def _expected(self, grouped: Grouped, sizes: Integers) -> tuple[Floats, Floats]:
        if grouped.groups is None and not self.spec.replace:
            sizes = np.minimum(sizes, drawable_in(grouped.population))
        return grouped.expected(sizes, self.spec.design, replace=self.spec.replace)

    def checked_size(self, population: Strata | Weights, rows: int) -> int:
        """Return the number of draws from `rows` weighed rows, and check that they can be drawn.

        Errors are those of `positions`.
        """
        size = self.spec.size(rows)
        if not rows:
            if size:
                raise self.refusal(size)
            return 0
        if not _is_drawable(population):
            raise self.weigher.no_row(rows)
        if (size if self.spec.replace else min(size, rows)) > most_rows():
            raise TQLError(f"a sample of {size:,} rows does not fit into memory")
        return size


def drawn_rows(rows: Rows, grouped: Grouped, sizes: Integers, spec: DrawSpec, key: GroupKeys | None) -> Positions:
    """Return the positions of rows that are drawn from groups or units; rows of a unit are consecutive.

    Args:
        rows: the population.
        grouped: its groups and units.
        sizes: draws from each group, as in `drawn`.
        spec: the request.
        key: keys from which random numbers are derived; None for positions of rows or units.

    Raises:
        TQLError: two rows have the same key, or random numbers cannot be derived from it.
    """
    numbers = None
    if key is not None and rows.rows:
        units = grouped.units
        keys, of_rows = (key, rows) if units is None else (key.of_values(), PolarsFrame(units.values))
        numbers = keys.random_numbers(of_rows, spec.seed)
    return grouped.rows_of(drawn(grouped.population, grouped.groups, sizes, spec, seed=spec.seed, numbers=numbers))


def drawn(
    population: Strata | Weights,
    groups: Groups | None,
    sizes: Integers,
    spec: DrawSpec,
    *,
    seed: int,
    numbers: Numbers | None = None,
) -> Positions:
    """Draw rows by the design of a request, in a random order if it asks for one.

    Args:
        population: weights of rows or units; at least one is positive if `sizes` are not 0.
        groups: groups of the rows or units; None for one group.
        sizes: draws from each group; without replacement at most its number of rows or units of positive weight.
        spec: the request.
        seed: fixes the draws.
        numbers: random numbers of the rows or units; by default derived from the seed and their positions.
    """
    rows = rows_in(population)
    if not rows:
        return np.empty(0, np.uint32)
    if spec.is_default:
        if groups is None and numbers is None:
            return draw(population, int(sizes.sum()), replace=spec.replace, seed=seed)
        return draw_groups(
            population, groups or Groups.one(rows), sizes, replace=spec.replace, seed=seed, numbers=numbers
        )
    if spec.design == "poisson":
        found = poisson(population, groups, sizes, seed=seed, numbers=numbers)
    else:
        found = systematic(population, groups, sizes, replace=spec.replace, seed=seed)
    return shuffled(found, seed) if spec.order == "draw" else found


def _is_drawable(population: Strata | Weights) -> bool:
    """Return whether a row has a positive weight."""
    return bool(population.table.weights[-1] > 0 if isinstance(population, Strata) else population.any())


def warn_of_fewer(size: int, found: int) -> None:
    """Warn the caller that a sample without replacement has fewer rows than requested."""
    warn(fewer_rows(size, found))


def fewer_rows(size: int, found: int, what: str = "rows") -> TQLWarning:
    """Return the warning for a sample without replacement that has fewer rows than requested."""
    message = f"{size:,} {what} were asked for without replacement, but only {found:,} have a positive weight"
    return TQLWarning(message)


def seed_of_sample(seed: int, number: int) -> int:
    """Return the seed of a statement's SAMPLE BY clause by its number.

    The first clause draws the same rows as `sample` with the same seed.
    """
    return seed if number == 0 else derived_seed(seed, 0, number)


def seed_of_epoch(seed: int, epoch: int) -> int:
    """Return the seed of the sample of an epoch; the first epoch draws the same rows as `sample` with the same seed."""
    return seed if epoch == 0 else derived_seed(seed, _EPOCH, epoch)


def shuffled(positions: Positions, seed: int) -> Positions:
    """Return positions drawn with a seed, in a random order that the same seed fixes."""
    keys = Streams(derived_seed(seed, _ORDER)).uniforms(0, len(positions))
    found: Positions = positions[np.argsort(keys, kind="stable")]
    return found


def numbers_of_keys(seed: int, start: int = 0) -> RandomNumbers:
    """Return the numbers of `random()` in keys of groups and units; they differ from those in the sampler."""
    return random_numbers(derived_seed(seed, _KEYS), start)


def random_numbers(seed: int, start: int = 0) -> RandomNumbers:
    """Return the numbers of `random()`, integers below 2**40: one per row from row `start`, different for each call.

    With 40 bits, a million rows rarely share a number, and a product with any number below 2**23 fits into Int64.
    """

    def numbers(call: int) -> pl.Expr:
        streams = Streams(derived_seed(seed, _RANDOM, call))

        def fill(rows: pl.Series) -> pl.Series:
            numbers = streams.uniforms(0, len(rows), start)
            numbers *= 2.0**_RANDOM_BITS
            return pl.Series(numbers.astype(np.int64))

        return pl.int_range(pl.len()).map_batches(fill, return_dtype=pl.Int64())

    return numbers
