"""Write labels as TQL conditions, and store the sets of labels and conditions that rows have.

The condition of a label matches exactly its rows, for each type of value.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.expressions.types import DataType, inner, is_nested, is_number, is_temporal, is_text, type_name
from tql_frames.errors import TQLTypeError
from tql_frames.language import nodes, parse
from tql_frames.language.nodes import Node

NO_LABEL = "no label"
_LARGEST = 1.7976931348623157e308  # infinity has no name in TQL, and is above this
_FINEST = 1000  # nanoseconds: TQL reads six digits after the seconds


@dataclass(frozen=True)
class LabelCondition:
    """A label, or a condition.

    Attributes:
        name: its text, as the user writes it.
        condition: is true for exactly its rows.
        single: whether it is a label of a column of single values, so that a row has no other label.
    """

    name: str
    condition: Node
    single: bool = False


def condition_item(text: str) -> LabelCondition:
    """Return the item of a condition.

    Raises:
        TQLError: the text is not TQL.

    Examples:
        >>> condition_item("age > 60").condition
        Comparison(operator='>', left=Column(name='age', frame=None), right=Literal(value=60))
    """
    return LabelCondition(text, parse(text))


def label_items(column: str, dtype: DataType, labels: pl.Series) -> list[LabelCondition]:
    """Return the items of the labels of a column.

    Args:
        column: its name.
        dtype: its type: of a label if a row has one, or of a list or array of labels.
        labels: the labels, with or without null. In a list, null is a label, too; a list that is null has no label:
            see `unlabelled_item`.

    Raises:
        TQLTypeError: TQL cannot write values of this type, such as durations, or one of the values.

    Examples:
        >>> [item.condition for item in label_items("view", pl.String(), pl.Series(["it's", None]))]
        ... # doctest: +NORMALIZE_WHITESPACE
        [Comparison(operator='==', left=Column(name='view', frame=None), right=Literal(value="it's")),
         IsNull(operand=Column(name='view', frame=None), negated=False)]
    """
    single = not is_nested(dtype)
    kind = dtype if single else inner(dtype)
    _check_kind(column, kind, labels)
    values = labels.cast(pl.Float64) if kind.is_decimal() else labels
    test = _of_value if single else _of_list
    return [
        LabelCondition(NO_LABEL if value is None else str(value), test(nodes.Column(column), value, kind), single)
        for value in values
    ]


def unlabelled_item(column: str, dtype: DataType, *, nulls: bool) -> LabelCondition:
    """Return the item for the rows without a label in a column of lists: an empty list, or null.

    Args:
        column: its name.
        dtype: its type.
        nulls: whether to include rows whose list holds a null.

    Examples:
        >>> from tql_frames.language import unparse
        >>> unparse(unlabelled_item("tags", pl.List(pl.String()), nulls=False).condition)
        'tags is null or shape(tags)[0] == 0'
    """
    name = nodes.Column(column)
    length = nodes.Subscript(nodes.Call("shape", (name,)), (nodes.Literal(0),))
    parts: list[Node] = [nodes.IsNull(name), nodes.Comparison("==", length, nodes.Literal(0))]
    if nulls:
        parts.append(_of_list(name, None, inner(dtype)))
    return LabelCondition(NO_LABEL, nodes.Or(tuple(parts)))


def column_items(columns: Sequence[str], labels: Sequence[object]) -> list[LabelCondition]:
    """Return the items of labels with one column each, of true or false or of 1 or 0; null means none of the columns.

    Examples:
        >>> from tql_frames.language import unparse
        >>> [unparse(item.condition) for item in column_items(["wet", "old"], ["old", None])]
        ['old', '(wet or old) is null or not (wet or old)']
    """
    none = none_of([nodes.Column(name) for name in columns])
    return [
        LabelCondition(NO_LABEL, none) if label is None else LabelCondition(str(label), nodes.Column(str(label)))
        for label in labels
    ]


def separated_items(column: str, separator: str, labels: Sequence[object]) -> list[LabelCondition]:
    """Return the items of labels that are listed in a text; null means a text without labels.

    Examples:
        >>> from tql_frames.language import unparse
        >>> [unparse(item.condition) for item in separated_items("finding", "|", ["Hernia", None])]
        ["contains(split(finding, '|'), 'Hernia')", "finding is null or not any(split(finding, '|') != '')"]
    """
    name = nodes.Column(column)
    parts = nodes.Call("split", (name, nodes.Literal(separator)))
    some = nodes.Call("any", (nodes.Comparison("!=", parts, nodes.Literal("")),))
    none = nodes.Or((nodes.IsNull(name), nodes.Not(some)))
    return [
        LabelCondition(NO_LABEL, none)
        if label is None
        else LabelCondition(str(label), nodes.Call("contains", (parts, _literal(label))))
        for label in labels
    ]


def either_items(column: str, labels: Sequence[object]) -> list[LabelCondition]:
    """Return the items of labels, with conditions that work for a column of values as for a column of lists.

    Raises:
        TQLTypeError: a number is outside the range of TQL.

    Examples:
        >>> from tql_frames.language import unparse
        >>> [unparse(item.condition) for item in either_items("age", [71, None])]
        ['any(age == 71)', 'age is null or not all_strict(logical_or(age == age, age != age))']
    """
    name = nodes.Column(column)
    same, other = nodes.Comparison("==", name, name), nodes.Comparison("!=", name, name)
    every = nodes.Call("all_strict", (nodes.Call("logical_or", (same, other)),))  # NaN is not equal to itself
    none = nodes.Or((nodes.IsNull(name), nodes.Not(every)))
    return [
        LabelCondition(NO_LABEL, none)
        if label is None
        else LabelCondition(str(label), nodes.Call("any", (_of_value(name, label, None),)))
        for label in labels
    ]


def none_of(conditions: Sequence[Node]) -> Node:
    """Return the condition for rows where each of the conditions is false or null.

    Examples:
        >>> from tql_frames.language import unparse
        >>> unparse(none_of([parse("wet"), parse("age > 60")]))
        '(wet or age > 60) is null or not (wet or age > 60)'
    """
    some = conditions[0] if len(conditions) == 1 else nodes.Or(tuple(conditions))
    return nodes.Or((nodes.IsNull(some), nodes.Not(some)))


def other_than(conditions: Sequence[Node]) -> list[Node]:
    """Return conditions that together match all rows except those of some labels of a column of single values.

    Examples:
        >>> from tql_frames.language import unparse
        >>> labels = [item.condition for item in label_items("view", pl.String(), pl.Series(["PA", "AP"]))]
        >>> [unparse(condition) for condition in other_than(labels)]
        ["view not in ('PA', 'AP')", 'view is null']
    """
    column = next(node for node in conditions[0].walk() if isinstance(node, nodes.Column))
    known = [condition for condition in conditions if not isinstance(condition, nodes.IsNull)]
    equal = [condition for condition in known if isinstance(condition, nodes.Comparison) and condition.operator == "=="]
    found: list[Node] = []
    if not known:
        return [nodes.IsNull(column, negated=True)]
    if len(equal) < len(known):
        found.append(nodes.Not(known[0] if len(known) == 1 else nodes.Or(tuple(known))))
    elif len(equal) == 1:
        found.append(nodes.Comparison("!=", equal[0].left, equal[0].right))
    else:
        found.append(nodes.In(column, tuple(condition.right for condition in equal), negated=True))
    if len(known) == len(conditions):  # a comparison with null is neither true nor false
        found.append(nodes.IsNull(column))
    return found


def _check_kind(column: str, kind: DataType, labels: pl.Series) -> None:
    written = is_text(kind) or is_number(kind) or is_temporal(kind) or isinstance(kind, pl.Boolean | pl.Null)
    if not written or isinstance(kind, pl.Duration):
        raise TQLTypeError(
            f"column {column!r} holds values of type {type_name(kind)}, which TQL cannot write",
            hint="compute a column of labels that are text or numbers, and name that column",
        )
    if isinstance(kind, pl.Time) or (isinstance(kind, pl.Datetime) and kind.time_unit == "ns"):
        fine = labels.cast(pl.Int64).drop_nulls() % _FINEST != 0
        if fine.any():
            raise TQLTypeError(f"column {column!r} holds times finer than a microsecond, which TQL cannot write")


def _of_value(column: Node, value: object, _: DataType | None) -> Node:
    if value is None:
        return nodes.IsNull(column)
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return nodes.Comparison("!=", column, column)  # only NaN is not equal to itself
        operator, bound = (">", _LARGEST) if value > 0 else ("<", -_LARGEST)
        return nodes.Comparison(operator, column, _literal(bound))
    return nodes.Comparison("==", column, _literal(value))


def _of_list(column: Node, value: object, kind: DataType) -> Node:
    if value is None:  # a comparison with null is null, which `all` takes as false; a list that is null is skipped
        equal: Node = nodes.Comparison("==", column, column)
        if kind.is_float():
            equal = nodes.Call("logical_or", (equal, nodes.Comparison("!=", column, column)))
        return nodes.Not(nodes.Call("all", (equal,)))
    if isinstance(value, float) and not math.isfinite(value):
        return nodes.Call("any", (_of_value(column, value, kind),))
    return nodes.Call("contains", (column, _literal(value)))


def _literal(value: object) -> Node:
    if isinstance(value, bool | str):
        return nodes.Literal(value)
    if isinstance(value, int | float):
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise TQLTypeError(f"the number {value} is too large for TQL")
        return nodes.Negative(nodes.Literal(-value)) if value < 0 else nodes.Literal(abs(value))
    assert isinstance(value, dt.date | dt.time)
    return nodes.Literal(value.isoformat())


Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_MOST_PAIRS = 20_000_000  # 320 MB of indices; sets with more pairs of labels are multiplied as matrices
_BLOCK = 4096  # sets in one such matrix


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class LabelSets:
    """S sets of L labels, by number, in compressed rows.

    Attributes:
        counts: shape (S,), the rows of each set, > 0. Two sets may be the same.
        starts: shape (S + 1,), where each set starts in `labels`, and the end.
        labels: shape (starts[-1],), the labels from 0 to L - 1, one set after the other, without repeats in a set.
        width: L.

    Examples:
        >>> sets = LabelSets.from_flags([70, 20, 10], [[1, 0], [0, 1], [1, 1]])
        >>> sets.rows, sets.rows_with
        (100, array([80, 30]))
    """

    counts: Integers
    starts: Integers
    labels: Integers
    width: int

    @classmethod
    def from_flags(cls, counts: object, flags: object) -> LabelSets:
        """Return the sets of a matrix of shape (S, L): true or 1 where a set has a label."""
        has = np.asarray(flags, dtype=np.bool_)
        starts = np.concatenate([[0], has.sum(axis=1).cumsum()]).astype(np.int64)
        return cls(np.asarray(counts, dtype=np.int64), starts, np.nonzero(has)[1].astype(np.int64), has.shape[1])

    @cached_property
    def rows(self) -> int:
        """Number of rows of the table."""
        return int(self.counts.sum())

    @cached_property
    def rows_with(self) -> Integers:
        """Shape (L,): number of rows that have each label."""
        return np.rint(self.totals(self.counts)).astype(np.int64)

    @cached_property
    def owner(self) -> Integers:
        """Shape of `labels`: the set of each entry of `labels`."""
        return np.repeat(np.arange(len(self.counts)), np.diff(self.starts))

    def totals(self, mass: NDArray[np.number]) -> Floats:
        """Return an array of shape (L,): the sum of `mass`, shape (S,), over the sets that have each label."""
        return np.bincount(self.labels, weights=mass[self.owner], minlength=self.width).astype(np.float64, copy=False)

    def scores(self, values: Floats) -> Floats:
        """Return an array of shape (S,): the sum of `values`, shape (L,), over the labels of each set."""
        found = np.bincount(self.owner, weights=values[self.labels], minlength=len(self.counts))
        return found.astype(np.float64, copy=False)

    def having(self, label: int) -> Flags:
        """Return an array of shape (S,): whether a set has a label."""
        found = np.zeros(len(self.counts), dtype=np.bool_)
        found[self.owner[self.labels == label]] = True
        return found

    def beside(self, label: int, mass: NDArray[np.number]) -> Floats:
        """Return an array of shape (L,): the sum of `mass`, shape (S,), over the sets with `label` and each label."""
        return self.totals(np.where(self.having(label), mass, 0))

    def together(self, mass: NDArray[np.number]) -> Floats:
        """Return an array of shape (L, L): the sum of `mass`, shape (S,), over the sets that have both labels."""
        if self._pairs is None:
            return self._multiplied(mass)
        codes, owner = self._pairs
        above = np.bincount(codes, weights=mass[owner], minlength=self.width**2).astype(np.float64, copy=False)
        above = above.reshape(self.width, self.width)
        return above + above.T + np.diag(self.totals(mass))

    def select(self, chosen: Flags) -> LabelSets:
        """Return the sets chosen by flags of shape (S,), with the same labels."""
        sizes = np.diff(self.starts)[chosen]
        starts = np.concatenate([[0], sizes.cumsum()]).astype(np.int64)
        return LabelSets(self.counts[chosen], starts, self.labels[chosen[self.owner]], self.width)

    def of(self, labels: Flags) -> LabelSets:
        """Return the same sets with only the labels chosen by flags of shape (L,), renumbered from 0."""
        stay = labels[self.labels]
        starts = np.concatenate([[0], stay.cumsum()])[self.starts]
        number = labels.cumsum() - 1
        return LabelSets(self.counts, starts, number[self.labels[stay]], int(labels.sum()))

    @cached_property
    def _pairs(self) -> tuple[Integers, Integers] | None:
        """Each pair of labels in a set, as one number, and its set; None if there are too many pairs."""
        sizes = np.diff(self.starts)
        if (sizes * (sizes - 1) // 2).sum() > _MOST_PAIRS:
            return None
        codes, owner = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for size in np.unique(sizes[sizes > 1]):
            sets = np.flatnonzero(sizes == size)
            members = self.labels[self.starts[sets][:, None] + np.arange(size)]
            one, other = np.triu_indices(int(size), 1)
            codes.append((members[:, one] * self.width + members[:, other]).ravel())
            owner.append(np.repeat(sets, len(one)))
        return np.concatenate(codes), np.concatenate(owner)

    def _multiplied(self, mass: NDArray[np.number]) -> Floats:
        found = np.zeros((self.width, self.width))
        for first in range(0, len(self.counts), _BLOCK):
            stop = min(first + _BLOCK, len(self.counts))
            inside = slice(self.starts[first], self.starts[stop])
            has = np.zeros((stop - first, self.width))
            has[self.owner[inside] - first, self.labels[inside]] = 1.0
            found += has.T @ (has * mass[first:stop, None])
        return found
