"""Write a sampler from a weight for each label; needs no frame.

The conditions of labels are written in `analysis.solver.items`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from tql_frames.analysis.label_columns import LabelColumns
from tql_frames.analysis.labels import unwrapped
from tql_frames.analysis.solver import LabelCondition, choice_text, column_items, either_items, none_of, separated_items
from tql_frames.errors import TQLError, TQLNameError, TQLTypeError, did_you_mean, shown
from tql_frames.language import nodes
from tql_frames.pipeline.draw import no_column

_CHOICES = ("max_weight", "sum_weight")
_MAPPING = "write {'Hernia': 20, 'Pneumonia': 8}"


def sampler_of_weights(by: object, weights: object, otherwise: object, choice: object, split: object) -> str:
    """Return the sampler; see `tql_frames.class_weights` for arguments and errors."""
    columns = LabelColumns.checked(by, split)
    if columns is None:
        raise no_column(by)
    if choice not in _CHOICES:
        raise TQLError(f"expected choice= to be 'max_weight' or 'sum_weight', got {shown(choice)}")
    named = _named(weights, columns)
    numbers = [_weight(weight, f"the weight of {shown(label)}") for label, weight in named.items()]
    rest = _weight(otherwise, "otherwise=")
    if not any(numbers) and not rest:
        raise TQLError("all weights are 0, so that no row can be drawn", hint="give a label a weight above 0")
    items = _items(columns, list(named))
    arms = [(item.condition, number) for item, number in zip(items, numbers, strict=True) if number]
    if rest and choice == "max_weight" and rest <= min(numbers):
        arms.append((nodes.Literal(True), rest))
    elif rest:
        arms.append((none_of([item.condition for item in items]), rest))
    return choice_text(str(choice), arms)


def _named(weights: object, columns: LabelColumns) -> dict[Any, object]:
    """Return weights by label; weights of columns may be a list in the order of the columns."""
    if isinstance(columns.by, str):
        if not isinstance(weights, Mapping):
            raise TQLError(f"expected weights by label, got {shown(weights)}", hint=_MAPPING)
        named = {}
        for key, weight in weights.items():
            label = _label(key, columns)
            if label in named:
                raise TQLError(f"weights name the label {shown(key)} twice, written in two ways")
            named[label] = weight
    elif isinstance(weights, Mapping):
        named = dict(weights)
        for name in named:
            if name is not None and name not in columns.by:
                near = did_you_mean(name, columns.by) if isinstance(name, str) else None
                raise TQLNameError(f"expected weights of the columns of by=, got one of {shown(name)}", hint=near)
    else:
        ordered: Any = weights
        given = list(ordered) if isinstance(ordered, Sequence) or hasattr(ordered, "__array__") else []
        if not given or isinstance(weights, (str, bytes)):
            raise TQLError(f"expected weights by column, or a list of them, got {shown(weights)}", hint=_MAPPING)
        if len(given) != len(columns.by):
            hint = "give each column of by= a weight, or weights by name"
            raise TQLError(f"expected {len(columns.by):,} weights, got {len(given):,}", hint=hint)
        named = dict(zip(columns.by, given, strict=True))
    if not named:
        raise TQLError("the weights name no label", hint=_MAPPING)
    return named


def _label(key: object, columns: LabelColumns) -> object:
    """Return a label as a plain value.

    Raises:
        TQLTypeError: the label cannot be written in TQL.
    """
    value = unwrapped(key)[0]
    if columns.separator is not None:
        if value is not None and (not isinstance(value, str) or not value or columns.separator in value):
            hint = f"the labels of a text are what stands between {columns.separator!r}"
            raise TQLTypeError(f"expected a part of a text as label, got {shown(value)}", hint=hint)
        return value
    if isinstance(value, Decimal):
        number = float(value)
        if Decimal(repr(number)) != value:
            raise TQLTypeError(f"the label {value} has more digits than a number of TQL")
        return number
    fine = value is not None and _below_microseconds(key)
    if fine or not (value is None or isinstance(value, (bool, int, float, str, dt.date, dt.time))):
        hint = "labels are text, numbers, true and false, dates and times to the microsecond, or None"
        raise TQLTypeError(f"expected a label that TQL can write, got {shown(key)}", hint=hint)
    return value


def _below_microseconds(key: Any) -> bool:
    """Return whether a time of NumPy or pandas has nanoseconds, which Python's types do not have."""
    if isinstance(key, np.datetime64):
        return bool(key != key.astype("datetime64[us]"))
    return isinstance(key, dt.datetime) and bool(getattr(key, "nanosecond", 0))


def _weight(weight: object, what: str) -> float:
    """Return a weight as a number."""
    number = float(weight) if isinstance(weight, Real) and not isinstance(weight, bool) else math.nan
    if not 0 <= number < math.inf:
        raise TQLError(f"expected {what} to be a number of at least 0, got {shown(weight)}")
    return number


def _items(columns: LabelColumns, labels: list[Any]) -> list[LabelCondition]:
    if not isinstance(columns.by, str):
        return column_items(columns.by, labels)
    if columns.separator is not None:
        return separated_items(columns.by, columns.separator, labels)
    return either_items(columns.by, labels)
