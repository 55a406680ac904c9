"""Recognize names of arguments in other libraries: the error names the argument of this package, with its value.

`draw` checks the arguments of a call and their values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from numbers import Number
from typing import Any, NamedTuple

import numpy as np

from tql_frames.errors import did_you_mean

# Names in other libraries, and names here in the order of preference: the first that a call has is suggested.
_OURS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("n", "k", "size", "count", "rows", "n_samples", "num_samples", "sample_size"), ("limit",)),
    **dict.fromkeys(("frac", "share", "ratio", "percent"), ("fraction",)),
    **dict.fromkeys(("random_state", "rng", "random_seed", "generator", "seeds"), ("seed",)),
    **dict.fromkeys(("with_replacement", "withReplacement", "replacement"), ("replace",)),
    **dict.fromkeys(("weights", "weight", "p", "probs", "probabilities", "expr", "expression"), ("sampler",)),
    **dict.fromkeys(("params", "values", "args"), ("parameters",)),
    **dict.fromkeys(("sql", "query", "statement"), ("text",)),
    **dict.fromkeys(("label", "labels", "y"), ("by",)),
    **dict.fromkeys(("column", "on"), ("by", "over")),
    **dict.fromkeys(("stratify", "strata", "stratify_by"), ("by", "over")),
    **dict.fromkeys(("group_by", "groupby", "by", "per_group"), ("over", "unit")),
    **dict.fromkeys(("targets", "shares"), ("target",)),
    "sampling_strategy": ("sampler", "target"),
    "seed": ("random_state",),
    **dict.fromkeys(("df", "data", "lf"), ("frame",)),
    "groups": ("over", "unit"),
    **dict.fromkeys(("n_splits", "n_folds", "cv"), ("folds",)),
    **dict.fromkeys(("test_size", "train_size"), ("parts",)),
    "shuffle": ("order",),
    "axis": (),
}
_OF_LABELS = ("groups",)  # in a call with labels, such as `split`, groups are units
_OF_GROUPED_SAMPLES = ("over", "unit", "key")


class Ours(NamedTuple):
    """The argument of this package for an argument of another library.

    Attributes:
        name: name of the argument.
        value: its value as Python code, or "" if it cannot be written.
        plain: the value itself.
    """

    name: str
    value: str
    plain: Any


def ours_for(name: str, names: Collection[str], value: object) -> Ours | None:
    """Return the argument of a call for an argument of another library; None if there is none.

    Args:
        name: name of the argument in another library.
        names: names of the arguments of the call.
        value: value of the argument.

    Examples:
        >>> ours_for("frac", ["limit", "fraction"], 0.1)
        Ours(name='fraction', value='0.1', plain=0.1)
        >>> ours_for("test_size", ["parts", "folds"], 0.2).value
        "{'train': 0.8, 'test': 0.2}"
    """
    candidates = _OURS.get(name, ())
    if name in _OF_LABELS and "by" in names:
        candidates = candidates[::-1]
    ours = next((each for each in candidates if each in names), None)
    if ours is None:
        return None
    if ours == "parts":
        value = _parts(name, value)
    elif ours == "order":
        value = "draw" if value else "source"
    elif ours == "seed" and not isinstance(value, (int, np.integer, type(None))):
        value = _NO_VALUE  # a generator
    elif (ours == "sampler" and not isinstance(value, str)) or name == "sampling_strategy":
        value = _NO_VALUE  # it has another meaning
    return Ours(ours, _written(value), value)


def wrong_name(call: str, name: str, names: Collection[str], value: object = None) -> TypeError:
    """Return the error to raise for an argument that a call does not have.

    Args:
        call: name of the call.
        name: name of the argument.
        names: names of the arguments of the call.
        value: value of the argument.

    Examples:
        >>> wrong_name("sample", "frac", ["sampler", "limit", "fraction"], 0.1)
        TypeError("sample() has no argument 'frac'; write fraction=0.1")
        >>> wrong_name("sample", "test_size", ["sampler", "limit", "fraction"], 0.2)
        TypeError("sample() has no argument 'test_size'; call split(parts={'train': 0.8, 'test': 0.2}) instead")
    """
    if call == "balance" and name in _OF_GROUPED_SAMPLES:
        return TypeError(
            f"balance() has no argument {name!r}: its shares are of samples of rows, without groups or units"
        )
    return TypeError(f"{call}() has no argument {name!r}; {_advice(name, names, value)}")


def _advice(name: str, names: Collection[str], value: object) -> str:
    """Return what to write instead of an argument."""
    if name == "shuffle" and ("order" not in names or "keys" in names):  # calls of Dask, Spark and Ray have one order
        advice = _shuffle_advice(names)
        if advice:
            return advice
    ours = ours_for(name, names, value)
    if ours is not None:
        return f"write {ours.name}={ours.value}" + _AFTERWORDS.get((ours.name, bool(ours.value)), "")
    if name == "axis":
        return "leave it out: rows are drawn, and no columns"
    near = did_you_mean(name, names)
    if near:
        return near
    for other, arguments in _OTHER_CALLS.items():
        ours = ours_for(name, arguments, value)
        if ours is not None and "limit" in names:
            return f"call {other}({ours.name}={ours.value}) instead"
    if name in _OURS and "text" in names and "limit" not in names:
        return f"write it into the statement: SAMPLE BY … OVER (…) REPLACE … LIMIT …; {_listed(names)}"
    return _listed(names)


def _shuffle_advice(names: Collection[str]) -> str | None:
    if "folds" in names:
        return "leave it out: units are assigned to parts at random"
    if "keys" in names and "limit" in names:
        return "leave it out: partitions return rows in the order of the frame"
    return "leave it out: rows are drawn in random order" if "limit" in names else None


def _listed(names: Collection[str]) -> str:
    return f"its arguments are {', '.join(names)}"


_OTHER_CALLS = {"split": ("parts", "folds")}
_AFTERWORDS = {
    ("sampler", False): ", the name of a weight column, TQL text, or an array of weights",
    ("seed", False): ", a whole number",
    ("parts", False): ", shares by name, such as {'train': 0.8, 'test': 0.2}",
}
_NO_VALUE = object()
_LONGEST = 60  # characters of a value that is repeated


def _written(value: object) -> str:
    """Return a value as Python code, "" if it is long or not plain."""
    plain = value.item() if isinstance(value, np.generic) else value
    text = repr(plain) if isinstance(plain, (str, Number, type(None), list, tuple, dict)) else ""
    return text if len(text) <= _LONGEST else ""


def _parts(name: str, value: object) -> object:
    """Return shares of a split into training and test rows; no value for sizes that are not shares."""
    try:
        share = Decimal(str(value))
    except InvalidOperation:
        return _NO_VALUE
    if not 0 < share < 1:
        return _NO_VALUE
    test = share if name == "test_size" else 1 - share
    return {"train": float(1 - test), "test": float(test)}


def is_foreign_name(name: str) -> bool:
    """Return whether a name is an argument of other libraries."""
    return name in _OURS


def foreign_names() -> list[str]:
    """Return all names of arguments in other libraries."""
    return list(_OURS)
