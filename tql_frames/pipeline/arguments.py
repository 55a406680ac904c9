"""What callers pass, checked and made plain, the same for every call and every kind of frame.

What an argument means is told where it is taken.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any, Literal, TypeVar

import numpy as np

from tql_frames.errors import TQLError, did_you_mean, lone_surrogate, shown
from tql_frames.sampling import fresh_seed

Order = Literal["draw", "source"]
_Call = TypeVar("_Call", bound=Callable[..., Any])
_Class = TypeVar("_Class", bound=type)

# Names of arguments in other libraries, and ours.
_OURS = {
    **dict.fromkeys(("n", "k", "size", "count", "rows", "n_samples", "num_samples", "sample_size"), "limit"),
    **dict.fromkeys(("frac", "share", "ratio"), "fraction"),
    **dict.fromkeys(("random_state", "rng", "random_seed", "generator", "seeds"), "seed"),
    **dict.fromkeys(("with_replacement", "withReplacement", "replacement"), "replace"),
    **dict.fromkeys(("weights", "weight", "p", "probs", "probabilities", "expr", "expression"), "sampler"),
    **dict.fromkeys(("params", "values", "args"), "parameters"),
    **dict.fromkeys(("sql", "query", "statement"), "text"),
    **dict.fromkeys(("label", "labels", "column", "on", "y"), "by"),
    **dict.fromkeys(("targets", "shares"), "target"),
    **dict.fromkeys(("df", "data", "lf"), "frame"),
    "groups": "unit",
    **dict.fromkeys(("stratify", "strata", "stratify_by"), "by"),
    **dict.fromkeys(("n_splits", "n_folds", "cv"), "folds"),
}

_WITH_REPLACEMENT = (
    "its shares are those of draws with replacement; for a sample without, look at "
    "report(by, balance.sampler, limit, replace=False), and ask for greater shares where these are too low"
)

MOST_ROWS = 2**48  # a limit beyond any memory, caught before NumPy overflows
_MOST_DIGITS = 400  # behind the point, before a fraction of any table is no row
_SIMPLE = 10**7  # the greatest denominator of a fraction that was calculated, as 1 / 3
_WRITTEN = 15  # digits of a decimal number that every float keeps; people write no more


def named(call: _Call) -> _Call:
    """Return a call that says of an argument it does not know which one is meant.

    Examples:
        >>> @named
        ... def sample(limit=None):
        ...     return limit
        >>> sample(n=5)
        Traceback (most recent call last):
        TypeError: sample() has no argument 'n'; write limit=
    """
    parameters = inspect.signature(call).parameters
    names = [name for name in parameters if name != "self"]

    @functools.wraps(call)
    def checked(*given: Any, **options: Any) -> Any:
        for name in options:
            if name not in parameters:
                raise wrong_name(call.__name__, name, names)
        return call(*given, **options)

    return checked  # type: ignore[return-value]


def all_named(namespace: _Class) -> _Class:
    """Return a class whose public methods are `named`."""
    for name, method in list(vars(namespace).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(namespace, name, named(method))
    return namespace


def wrong_name(call: str, name: str, names: list[str]) -> TypeError:
    """Return the error to raise for an argument that a call of some arguments does not have."""
    if call == "balance" and name in ("limit", "fraction", "replace"):
        return TypeError(f"balance() has no argument {name!r}: {_WITH_REPLACEMENT}")
    ours = _OURS.get(name)
    if ours in names:
        return TypeError(f"{call}() has no argument {name!r}; write {ours}=")
    near = did_you_mean(name, names)
    return TypeError(f"{call}() has no argument {name!r}; {near or 'its arguments are ' + ', '.join(names)}")


def is_foreign_name(name: str) -> bool:
    """Return whether a name is that of an argument in other libraries."""
    return name in _OURS


def no_column(value: object) -> TQLError:
    """Return the error to raise for labels that are not the name of a column."""
    name = getattr(value, "name", None)
    hint = f"pass the name of the column: by={name!r}" if isinstance(name, str) and name else None
    return TQLError(f"by must be the name of a column, not {shown(value)}", hint=hint)


def sampler_from(value: object) -> Any:
    """Return a sampler as text or expression; of a `Balance` the text that it found."""
    if type(value).__name__ == "Balance" and isinstance(text := getattr(value, "sampler", None), str):
        return text
    return value


def size_from(limit: object, fraction: object, replace: object = True) -> tuple[int | None, Fraction | None]:
    """Check `limit` and `fraction`; without replacement a limit may be greater than any frame.

    Returns:
        The limit and the fraction, of which one at most is not None.

    Raises:
        TQLError: both were given, or one is no such number.

    Examples:
        >>> size_from(None, 0.29), size_from(5, None)
        ((None, Fraction(29, 100)), (5, None))
    """
    if limit is not None and fraction is not None:
        raise TQLError("limit and fraction were both given; give one of them")
    if fraction is not None:
        share = share_from(fraction)
        if share is None or share < 0:
            raise TQLError(f"fraction must be a number of at least 0, not {shown(fraction)}")
        return None, share
    if limit is None:
        return None, None
    number = whole_number(limit)
    if number is None or number < 0:
        raise TQLError(f"limit must be a whole number of at least 0, not {shown(limit)}")
    if number > MOST_ROWS and replace:
        raise TQLError(f"limit is {number:,}, more rows than any memory holds")
    return min(number, 10**18), None  # within 64 bits


def seed_from(seed: object) -> int:
    """Return a seed as a number, a fresh one for None.

    Raises:
        TQLError: it is no whole number, or less than 0.
    """
    if seed is None:
        return fresh_seed()
    number = whole_number(seed)
    if number is None or number < 0:
        raise TQLError(f"seed must be a whole number of at least 0, or None, not {shown(seed)}")
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
    """Make sure that an order of rows is known.

    Raises:
        TQLError: it is not.
    """
    if order not in ("draw", "source"):
        raise TQLError(f"order must be 'draw' or 'source', not {shown(order)}")


def check_index(index: object) -> None:
    """Make sure that a name for the column of row numbers is one, or None.

    Raises:
        TQLError: it is something else.
    """
    if not (index is None or isinstance(index, str)):
        raise TQLError(f"index must be a column name or None, not {shown(index)}")
    if index is not None and not index.isascii() and lone_surrogate(index) is not None:
        raise TQLError(f"index must be text that can be encoded, not {index!r}")


def check_flag(name: str, value: object) -> None:
    """Make sure that an argument is a truth value.

    Raises:
        TQLError: it is something else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TQLError(f"{name} must be True or False, not {shown(value)}")


def check_parameters(parameters: object) -> None:
    """Make sure that the parameters of a statement are a list of values, or None.

    Raises:
        TQLError: they are something else.
    """
    if parameters is not None and (isinstance(parameters, (str, bytes, Mapping)) or not hasattr(parameters, "__len__")):
        raise TQLError("parameters is a list of values, one for each `?` in order")


def share_from(value: object) -> Fraction | None:
    """Return the number as it was written: 0.29 of 100 rows are 29, though the float is a little less.

    A float of 16 or 17 digits that is next to a simple fraction stands for that: `1 / 3` of 3 rows is 1.
    """
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    try:
        if isinstance(value, Rational):
            return Fraction(value)
        if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < -_MOST_DIGITS:
            return Fraction(0) if value >= 0 else Fraction(-1)  # of any table no row
        found = Fraction(value) if isinstance(value, Decimal) else Fraction(str(value))
    except (ValueError, OverflowError):  # NaN, infinity
        return None
    simple = found.limit_denominator(_SIMPLE)
    digits = 0 if isinstance(value, Decimal) else len(Decimal(str(value)).as_tuple().digits)
    return simple if digits > _WRITTEN and float(simple) == float(value) else found
