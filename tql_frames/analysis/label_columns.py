"""Read labels from a column of values or lists, from texts that list labels, or from one column per label.

`contingency` counts how often labels co-occur; `analysis.solver.items` writes their conditions in TQL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tql_frames.analysis.solver import LabelCondition, column_items, label_items, separated_items, unlabelled_item
from tql_frames.compiler.expressions.types import DataType, describe, instance, is_nested, is_number, is_text, type_name
from tql_frames.errors import TQLError, TQLNameError, TQLTypeError, did_you_mean, shown
from tql_frames.pipeline.draw import no_column

_WORD = 32  # columns that one number encodes
_SHOWN = 3  # columns that a message lists
_ONE_HOT = "columns in a list hold true or false, or 1 or 0, each for the label that it is called after"


@dataclass(frozen=True)
class LabelColumns:
    """The arguments `by` and `split` of a call.

    Attributes:
        by: the column of labels or of lists of labels; or columns of true or false, or of 1 or 0, one per label.
        separator: text between the labels of a cell; None if cells are not texts that list labels.

    Examples:
        >>> frame = pl.DataFrame({"finding": ["Hernia|Mass", ""], "wet": [1, 0], "old": [True, None]})
        >>> for columns in (LabelColumns("finding", "|"), LabelColumns(("wet", "old"))):
        ...     key = columns.key(frame.schema, pl.col)
        ...     print(key.labels(frame.select(key.expr).to_series()).to_list())
        [['Hernia', 'Mass'], []]
        [['wet', 'old'], None]
    """

    by: str | tuple[str, ...]
    separator: str | None = None

    @classmethod
    def checked(cls, by: object, split: object = None) -> LabelColumns | None:
        """Return the columns of labels that a caller's arguments name; None for no labels.

        Raises:
            TQLError: the arguments name no columns, or exclude each other.
        """
        if split is not None:
            if not isinstance(split, str) or not split:
                hint = "write split='|'"
                raise TQLError(f"expected split= to be the text between two labels, got {shown(split)}", hint=hint)
            if not isinstance(by, str):
                hint = "name the column of texts, such as by='findings', split='|'"
                raise TQLError(f"split= needs by= to be the name of one column, got {shown(by)}", hint=hint)
        if by is None or isinstance(by, str):
            return None if by is None else cls(by, split)
        itself = isinstance(by, (bytes, Mapping, pl.Series, pl.DataFrame)) or hasattr(by, "iloc")  # no names
        if itself or not isinstance(by, Iterable):
            raise no_column(by)
        names = tuple(by)
        if not names:
            raise TQLError("by= names no column", hint="pass by='findings', or by=['hernia', 'edema']")
        for place, name in enumerate(names):
            if not isinstance(name, str):
                text = f"write {str(name)!r}" if isinstance(name, (int, float)) else None
                raise TQLError(f"expected by= to name columns by text, got {shown(name)}", hint=text)
            if name in names[:place]:
                raise TQLError(f"by= names the column {name!r} twice")
        return cls(tuple(map(str, names)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return (self.by,) if isinstance(self.by, str) else self.by

    @staticmethod
    def title_of(by: str | tuple[str, ...]) -> str:
        """Return the title of the labels in tables and charts."""
        return by if isinstance(by, str) else "label"

    @property
    def words(self) -> str:
        """Name of the columns in messages."""
        if isinstance(self.by, str):
            return f"column {self.by!r}"
        more = len(self.by) - _SHOWN
        listed = ", ".join(map(repr, self.by[:_SHOWN]))
        return f"the columns {listed} and {more:,} more" if more > 0 else f"the columns {listed}"

    def absent(self, labels: Collection[object]) -> list[str]:
        """Return labels that have a column, but are not among `labels`."""
        if isinstance(self.by, str):
            return []
        known = set(labels)
        return [name for name in self.by if name not in known]

    def dtype(self, schema: Mapping[str, DataType]) -> DataType:
        """Return the type of the labels of a row, a list if a row may have several."""
        if isinstance(self.by, str) and self.separator is None:
            return instance(schema[self.by])
        return pl.List(pl.String())

    def key(self, schema: Mapping[str, DataType], value: Callable[[str], pl.Expr]) -> LabelKey:
        """Return the key that separates rows by their labels.

        Args:
            schema: types of the columns of a plan.
            value: returns the expression of a column.

        Raises:
            TQLError: there is no such column, or its values cannot be labels.
        """
        for name in self.names:
            if name not in schema:
                raise TQLNameError(f"unknown column {name!r}", hint=did_you_mean(name, schema))
        if not isinstance(self.by, str):
            return self._key_of_columns(self.by, schema, value)
        if self.separator is None:
            return LabelKey(self, _labels_of(self.by, instance(schema[self.by]), value(self.by)))
        dtype = instance(schema[self.by])
        if not (is_text(dtype) or isinstance(dtype, pl.Null)):
            hint = "leave split= out: its labels are apart already" if is_nested(dtype) else "leave split= out"
            raise TQLTypeError(f"split= is for a column of text; column {self.by!r} holds {describe(dtype)}", hint=hint)
        return LabelKey(self, value(self.by).cast(pl.String))

    def items(self, dtype: DataType, values: pl.Series, *, nulls: bool) -> list[LabelCondition]:
        """Return the labels with their conditions; null is the label of all rows without one.

        Args:
            dtype: type of the labels of a row.
            values: the labels.
            nulls: whether lists hold nulls.
        """
        if not isinstance(self.by, str):
            return column_items(self.by, values.to_list())
        if self.separator is not None:
            return separated_items(self.by, self.separator, values.to_list())
        found = label_items(self.by, dtype, values)
        if is_nested(dtype) and values.null_count():
            found[values.is_null().arg_true()[0]] = unlabelled_item(self.by, dtype, nulls=nulls)
        return found

    def _key_of_columns(
        self, names: tuple[str, ...], schema: Mapping[str, DataType], value: Callable[[str], pl.Expr]
    ) -> LabelKey:
        """Return a key of one bit per column, and of whether a number is neither 1 nor 0."""
        flags, numbers = [], {}
        for name in names:
            dtype = instance(schema[name])
            if is_number(dtype):
                numbers[name] = value(name)
            elif not isinstance(dtype, pl.Boolean | pl.Null):
                hint = f"for the labels of one column write by={name!r}" if len(names) == 1 else _ONE_HOT
                message = f"expected column {name!r} of by= to hold true or false, or 1 or 0, got {describe(dtype)}"
                raise TQLTypeError(message, hint=hint)
            flags.append(value(name) == 1 if is_number(dtype) else value(name).cast(pl.Boolean))
        bits = {
            str(first): pl.sum_horizontal(
                flag.fill_null(False).cast(pl.UInt32) * pl.lit(1 << place, pl.UInt32)
                for place, flag in enumerate(flags[first : first + _WORD])
            )
            for first in range(0, len(flags), _WORD)
        }
        wrong = {name: (each != 0) & (each != 1) for name, each in numbers.items()}
        if wrong:
            bits["wrong"] = pl.any_horizontal(each.fill_null(False) for each in wrong.values())
        expr = pl.struct([each.alias(name) for name, each in bits.items()])
        first_wrong = {name: numbers[name].filter(each).first().alias(name) for name, each in wrong.items()}
        return LabelKey(self, expr, first_wrong)


@dataclass(frozen=True)
class LabelKey:
    """Labels of the rows of a plan, in the form that is fastest to compare.

    Attributes:
        columns: the columns of labels.
        expr: rows of equal values have the same labels.
        wrong: by name of a column of numbers, its first value that is neither 1 nor 0.
    """

    columns: LabelColumns
    expr: pl.Expr
    wrong: Mapping[str, pl.Expr] | None = None

    def labels(self, keys: pl.Series) -> pl.Series:
        """Return the labels for values of `expr`: a value or a list for each; empty or null if there are none."""
        if isinstance(self.columns.by, str):
            if self.columns.separator is None:
                return keys
            apart = keys.cast(pl.String).str.split(self.columns.separator)
            return apart.list.eval(pl.element().filter(pl.element() != ""))
        columns = pl.Series(self.columns.by, dtype=pl.String)
        cells, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for first in range(0, len(columns), _WORD):
            word = keys.struct.field(str(first)).to_numpy().astype(np.uint32)
            cell, place = np.nonzero(word[:, None] >> np.arange(_WORD, dtype=np.uint32) & 1)
            cells.append(cell)
            places.append(place + first)
        found = pl.DataFrame({"cell": np.concatenate(cells), "place": np.concatenate(places)}).sort("cell", "place")
        lists = found.select("cell", label=columns.gather(found["place"])).group_by("cell", maintain_order=True).all()
        every = pl.DataFrame({"cell": np.arange(len(keys))})
        return every.join(lists, on="cell", how="left", maintain_order="left")["label"]

    def check(self, keys: pl.Series, plan: pl.LazyFrame) -> None:
        """Check that columns of numbers hold only 1 and 0.

        Args:
            keys: values of `expr`.
            plan: the rows of the keys.

        Raises:
            TQLError: a column holds another number; the error names the column and the value.
        """
        if not self.wrong or not keys.struct.field("wrong").any():
            return
        values = plan.select(**self.wrong).collect().row(0, named=True)
        name, value = next((name, value) for name, value in values.items() if value is not None)
        raise TQLTypeError(
            f"expected 1 or 0 in column {name!r} of by=, got {value}", hint="1 is for the rows that have the label"
        )


def _labels_of(by: str, dtype: DataType, values: pl.Expr) -> pl.Expr:
    """Return the labels of a row of one column, a value or a list of values.

    Raises:
        TQLTypeError: the values of the column cannot be labels.
    """
    if isinstance(dtype, pl.Array) and not instance(dtype.inner).is_nested() and len(dtype.shape) == 1:
        return values.arr.to_list()
    plain = isinstance(dtype, pl.List) and not instance(dtype.inner).is_nested()
    if (dtype.is_nested() and not plain) or dtype == pl.Object():
        hint = "name a column of values, or of lists of values"
        raise TQLTypeError(f"column {by!r} of type {type_name(dtype)} holds no labels", hint=hint)
    return values
