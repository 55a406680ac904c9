"""Define relations: the lazy plan of a table between the clauses of a statement, with its columns and row numbers.

Every clause takes a relation and returns another; nothing runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from tql_frames.compiler.expressions import moments
from tql_frames.compiler.expressions.exact import MOST_DIGITS, bounds_of
from tql_frames.compiler.expressions.scope import Field, column, is_odd, text_of
from tql_frames.compiler.expressions.types import DataType, Value, is_null, is_number, is_temporal, is_text
from tql_frames.errors import TQLError, TQLTypeError


class RowIdentity:
    """The rows that row numbers refer to: of one frame, or of one GROUP BY or JOIN. Compared by identity."""


@dataclass(frozen=True)
class Scan:
    """A frame as the input of a statement.

    Attributes:
        plan: the columns that were read.
        labels: every column of the native frame, in order.
        dtypes: by label, the Polars type of a column that was read, or the error if it cannot be read.
        rows: the identity of its rows.
    """

    plan: pl.LazyFrame
    labels: tuple[object, ...]
    dtypes: Mapping[object, DataType | TQLError]
    rows: RowIdentity = field(default_factory=RowIdentity)


@dataclass(frozen=True)
class Names:
    """Creates names for internal columns.

    Attributes:
        prefix: beginning of all names, which no column of the user has.
    """

    prefix: str
    _numbers: Iterable[int] = field(default_factory=itertools.count)

    @classmethod
    def apart_from(cls, labels: Iterable[object]) -> Names:
        """Return a generator of names that differ from all labels."""
        prefix = "·"
        taken = [label for label in labels if isinstance(label, str) and label.startswith(prefix)]
        while any(label.startswith(prefix) for label in taken):
            prefix += "·"
        return cls(prefix)

    def new(self, word: str) -> str:
        """Return a new name; the word makes the plan readable."""
        return f"{self.prefix}{word}{next(iter(self._numbers))}"

    def key(self, label: object) -> str:
        """Return the name in the plan for a label: the label itself, unless Polars cannot use it as a plain name."""
        return self.new("column") if is_odd(label) else str(label)


@dataclass(frozen=True)
class Relation:
    """A table between the clauses of a statement.

    Attributes:
        plan: the lazy frame; it holds the columns of the fields that were read, and `row`.
        fields: columns in order.
        rows: identity of the rows that `row` numbers.
        row: column of row positions; None if they are not needed.
        grouped: after GROUP BY, the column of lists of row positions, and the identity of those rows.
    """

    plan: pl.LazyFrame
    fields: tuple[Field, ...]
    rows: RowIdentity
    row: str | None
    grouped: tuple[str, RowIdentity] | None = None

    def with_plan(self, plan: pl.LazyFrame) -> Relation:
        """Return the relation with another plan of the same columns."""
        return replace(self, plan=plan)

    @property
    def read(self) -> list[str]:
        """Columns of the plan that belong to fields."""
        return [each.key for each in self.fields if is_kept(each)]

    @property
    def hidden(self) -> list[str]:
        """Columns of the plan that do not belong to fields."""
        return [name for name in (self.row, self.grouped[0] if self.grouped else None) if name is not None]


def is_read(each: Field) -> bool:
    """Return whether the plan holds a field."""
    return each.dtype is not None and not isinstance(each.dtype, TQLError)


def is_kept(each: Field) -> bool:
    """Return whether the plan holds a column for a field: its values, or a stand-in with the same nulls."""
    return is_read(each) or (isinstance(each.dtype, TQLError) and each.dtype.nulls_known)


def without_stand_in(each: Field) -> Field:
    """Return the field for a plan that holds no stand-in for it."""
    if not isinstance(each.dtype, TQLError) or not each.dtype.nulls_known:
        return each
    return replace(each, dtype=type(each.dtype)(each.dtype.message, hint=each.dtype.hint))


def from_scan(scan: Scan, frame: str | None, row: str | None, names: Names) -> Relation:
    """Return the relation of a whole frame."""
    plan = scan.plan if row is None else scan.plan.with_row_index(row)
    frames = (frame,) if frame is not None else ()
    fields = tuple(
        Field(label, names.key(label), scan.dtypes.get(label), origin, frames)
        for origin, label in enumerate(scan.labels)
    )
    read = [(text_of(each.label), each.key) for each in fields if is_kept(each) and each.key != each.label]
    renamed = {name: key for name, key in read if name is not None}
    plan = plan.rename(renamed) if renamed else plan
    return Relation(plan, fields, scan.rows, row)


def added(relation: Relation, values: Mapping[str, Value | pl.Expr]) -> Relation:
    """Return the relation with further columns that are not fields."""
    exprs = {name: value.row_expr if isinstance(value, Value) else value for name, value in values.items()}
    return relation.with_plan(relation.plan.with_columns(**exprs)) if exprs else relation


def kept(relation: Relation, names: Sequence[str] = ()) -> Relation:
    """Return the relation with only the columns of fields and of `names`."""
    wanted = dict.fromkeys([*relation.hidden, *relation.read, *names])
    return relation.with_plan(relation.plan.select([column(name) for name in wanted]))


def first_of_equal(plan: pl.LazyFrame, keys: Iterable[str | None]) -> pl.LazyFrame:
    """Return the first of the rows that are equal in some columns, in their order.

    Without columns, return the first row.
    """
    names = list(dict.fromkeys(keys))
    return plan.unique(names, keep="first", maintain_order=True) if names else plan.head(1)


def common_type(a: DataType, b: DataType) -> DataType | None:
    """Return the type that holds values of both types: of two numbers or two texts, else of equal types only."""
    if a == b:
        return a
    if is_text(a) and is_text(b):
        return pl.String()
    if is_temporal(a) and is_temporal(b):
        return moments.common_type(a, b)
    if not (is_null(a) or is_null(b) or (is_number(a) and is_number(b))):
        return None
    if is_number(a) and is_number(b) and not (a.is_float() or b.is_float()):
        return _exact_type(a, b)
    empty = [pl.DataFrame(schema={"": dtype}) for dtype in (a, b)]
    return pl.concat(empty, how="vertical_relaxed").schema[""]


def _exact_type(a: DataType, b: DataType) -> DataType | None:
    """Return the type that holds two integer or Decimal types; None if there is none."""
    scales = [each.scale for each in (a, b) if isinstance(each, pl.Decimal)]
    if scales:
        return pl.Decimal(MOST_DIGITS, max(scales))
    (low, high), (least, most) = bounds_of(a), bounds_of(b)
    low, high = min(low, least), max(high, most)
    kinds = (a, b, pl.Int16(), pl.Int32(), pl.Int64(), pl.Int128())
    return next((kind for kind in kinds if bounds_of(kind)[0] <= low and high <= bounds_of(kind)[1]), None)


_unwritten: ContextVar[bool] = ContextVar("_unwritten", default=False)


class PythonStep:
    """A Python function of this package in a plan, which can be pickled except within `unwritten`."""

    def __init__(self, call: Callable[..., Any]) -> None:
        """Store the function."""
        self._call = call

    def __call__(self, *given: Any, **options: Any) -> Any:
        """Call the function."""
        return self._call(*given, **options)

    def __reduce__(self) -> tuple[type[PythonStep], tuple[Callable[..., Any]]]:
        if _unwritten.get():
            raise TQLError("a plan with Python steps is not written down")
        return PythonStep, (self._call,)


@contextmanager
def unwritten() -> Iterator[None]:
    """Make serialization of plans with a `PythonStep` fail at once, within this context.

    These steps may hold plans with further steps, and pickling all of them takes time exponential in their depth.
    """
    token = _unwritten.set(True)
    try:
        yield
    finally:
        _unwritten.reset(token)


def whole(
    plan: pl.LazyFrame, step: Callable[[pl.DataFrame], pl.DataFrame], schema: Mapping[str, DataType] | None = None
) -> pl.LazyFrame:
    """Append a step to a plan that must see all rows and columns of the plan.

    Args:
        plan: the plan before the step.
        step: eager frame to eager frame.
        schema: schema of the result; by default that of the plan.
    """
    # Nothing may be pushed past it: a filter or slice after a draw is of the sample, not of the population. Columns
    # stay too, since the step needs them even if they are not selected afterwards.
    return plan.map_batches(
        PythonStep(step),
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=pl.Schema(plan.collect_schema() if schema is None else schema),
    )


def with_values(fields: Iterable[Field], clause: str) -> tuple[Field, ...]:
    """Return the fields; a field whose values a clause cannot keep has the error to raise instead of a type."""
    found = []
    for each in fields:
        fault = each.dtype if isinstance(each.dtype, TQLError) else None
        if isinstance(each.dtype, pl.Object):
            fault = TQLTypeError(f"{clause} cannot keep column {each.label!r}, which holds Python objects", hint=_NAME)
        found.append(each if fault is None else replace(each, dtype=fault, origin=None, within=None))
    return tuple(found)


_NAME = "name the columns that are wanted instead of *"


def check_values(fields: Iterable[Field], clause: str) -> None:
    """Check that a clause can read the values of fields.

    Raises:
        TQLError: a field cannot be read, or holds Python objects.
    """
    for each in fields:
        if isinstance(each.known, pl.Object):
            message = f"{clause} cannot look into column {each.label!r}, which holds Python objects"
            raise TQLTypeError(message, hint=_NAME)
