"""A relation: the lazy plan of a table on its way through a statement, and what is known of its columns and rows.

Every clause takes a relation and gives another; nothing runs.
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
    """What row numbers count: the rows of one frame, or of one GROUP BY or JOIN. Compared by identity."""


@dataclass(frozen=True)
class Scan:
    """A frame as a statement finds it.

    Attributes:
        plan: the columns that were read.
        labels: every column of the native frame, in order.
        dtypes: by label, the Polars type of a column that was read, or the error why it cannot be.
        rows: the rows of this frame, to tell them from others.
    """

    plan: pl.LazyFrame
    labels: tuple[object, ...]
    dtypes: Mapping[object, DataType | TQLError]
    rows: RowIdentity = field(default_factory=RowIdentity)


@dataclass(frozen=True)
class Names:
    """Makes names for columns that no user sees.

    Attributes:
        prefix: what none of the user's columns begins with.
    """

    prefix: str
    _numbers: Iterable[int] = field(default_factory=itertools.count)

    @classmethod
    def apart_from(cls, labels: Iterable[object]) -> Names:
        """Return names that differ from all labels."""
        prefix = "·"
        taken = [label for label in labels if isinstance(label, str) and label.startswith(prefix)]
        while any(label.startswith(prefix) for label in taken):
            prefix += "·"
        return cls(prefix)

    def new(self, word: str) -> str:
        """Return a name that was not used before; the word is for readers of the plan."""
        return f"{self.prefix}{word}{next(iter(self._numbers))}"

    def key(self, label: object) -> str:
        """Return the name in the plan for a column of a label: that, unless Polars would read more into it."""
        return self.new("column") if is_odd(label) else str(label)


@dataclass(frozen=True)
class Relation:
    """A table on its way through a statement.

    Attributes:
        plan: the lazy frame; it holds the columns of those fields that were read, and `row`.
        fields: columns in order.
        rows: what `row` counts.
        row: column of row positions; None where nobody asks for them.
        grouped: after GROUP BY, the column of lists of row positions and what they count.
    """

    plan: pl.LazyFrame
    fields: tuple[Field, ...]
    rows: RowIdentity
    row: str | None
    grouped: tuple[str, RowIdentity] | None = None

    def with_plan(self, plan: pl.LazyFrame) -> Relation:
        """Return the same columns of other rows."""
        return replace(self, plan=plan)

    @property
    def read(self) -> list[str]:
        """Columns of the plan that belong to fields."""
        return [each.key for each in self.fields if is_kept(each)]

    @property
    def hidden(self) -> list[str]:
        """Columns of the plan that do not."""
        return [name for name in (self.row, self.grouped[0] if self.grouped else None) if name is not None]


def is_read(each: Field) -> bool:
    """Return whether the plan holds a field."""
    return each.dtype is not None and not isinstance(each.dtype, TQLError)


def is_kept(each: Field) -> bool:
    """Return whether the plan holds a column for a field: its values, or a stand-in that is null in the same rows."""
    return is_read(each) or (isinstance(each.dtype, TQLError) and each.dtype.nulls_known)


def without_stand_in(each: Field) -> Field:
    """Return a field for a plan that holds no stand-in for it."""
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
    """Return the relation with further columns, which no field names."""
    exprs = {name: value.row_expr if isinstance(value, Value) else value for name, value in values.items()}
    return relation.with_plan(relation.plan.with_columns(**exprs)) if exprs else relation


def kept(relation: Relation, names: Sequence[str] = ()) -> Relation:
    """Return the relation without the columns that neither a field nor `names` names."""
    wanted = dict.fromkeys([*relation.hidden, *relation.read, *names])
    return relation.with_plan(relation.plan.select([column(name) for name in wanted]))


def first_of_equal(plan: pl.LazyFrame, keys: Iterable[str | None]) -> pl.LazyFrame:
    """Return the first of the rows that are equal in some columns, in their order.

    Of rows without columns this is the first.
    """
    names = list(dict.fromkeys(keys))
    return plan.unique(names, keep="first", maintain_order=True) if names else plan.head(1)


def common_type(a: DataType, b: DataType) -> DataType | None:
    """Return the type that holds values of both: numbers with numbers, text with text, else equal types only."""
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
    """Return the type that holds two integer or Decimal types; None where there is none."""
    scales = [each.scale for each in (a, b) if isinstance(each, pl.Decimal)]
    if scales:
        return pl.Decimal(MOST_DIGITS, max(scales))
    (low, high), (least, most) = bounds_of(a), bounds_of(b)
    low, high = min(low, least), max(high, most)
    kinds = (a, b, pl.Int16(), pl.Int32(), pl.Int64(), pl.Int128())
    return next((kind for kind in kinds if bounds_of(kind)[0] <= low and high <= bounds_of(kind)[1]), None)


_unwritten: ContextVar[bool] = ContextVar("_unwritten", default=False)


class PythonStep:
    """A function of ours within a plan, which can be pickled but where `unwritten` forbids it."""

    def __init__(self, call: Callable[..., Any]) -> None:
        """Hold the function."""
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
    """Within it, to write down a plan that has a step of ours fails at once.

    Such steps may hold plans with further steps, and to pickle all of them takes time exponential in their depth.
    """
    token = _unwritten.set(True)
    try:
        yield
    finally:
        _unwritten.reset(token)


def whole(
    plan: pl.LazyFrame, step: Callable[[pl.DataFrame], pl.DataFrame], schema: Mapping[str, DataType] | None = None
) -> pl.LazyFrame:
    """Return a step of a plan that must see all rows and columns of what comes before it.

    Args:
        plan: what comes before.
        step: eager frame to eager frame.
        schema: of the result; by default that of the plan.
    """
    # Nothing may be pushed past it: a filter or slice after a draw is of the sample, not of the population. Columns
    # stay too, since the step must see those that it needs whatever is selected afterwards.
    return plan.map_batches(
        PythonStep(step),
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=pl.Schema(plan.collect_schema() if schema is None else schema),
    )


def with_values(fields: Iterable[Field], clause: str) -> tuple[Field, ...]:
    """Return the fields; those whose values a clause cannot keep have the error to raise instead of a type."""
    found = []
    for each in fields:
        fault = each.dtype if isinstance(each.dtype, TQLError) else None
        if isinstance(each.dtype, pl.Object):
            fault = TQLTypeError(f"{clause} cannot keep column {each.label!r}, which holds Python objects", hint=_NAME)
        found.append(each if fault is None else replace(each, dtype=fault, origin=None, within=None))
    return tuple(found)


_NAME = "name the columns that are wanted instead of *"


def check_values(fields: Iterable[Field], clause: str) -> None:
    """Make sure that a clause can look at the values of fields.

    Raises:
        TQLError: one cannot be read, or holds Python objects.
    """
    for each in fields:
        if isinstance(each.known, pl.Object):
            message = f"{clause} cannot look into column {each.label!r}, which holds Python objects"
            raise TQLTypeError(message, hint=_NAME)
