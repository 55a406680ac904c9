"""Select the columns of a data set, and hold their rows in memory or in files.

`columns` and `disk_table` store columns; `dataset` requests rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol, cast

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from tql_frames.errors import TQLError, TQLNameError, did_you_mean
from tql_frames.frames import ColumnRef
from tql_frames.sampling import Integers, Positions
from tql_frames.torch.columns import ENCODINGS, EncodedColumn, Encoding, InUse, Kind, plain_column
from tql_frames.torch.disk_table import DiskTable, texts
from tql_frames.torch.epochs import Origin
from tql_frames.torch.serialization import BatchRows

_MOST_NAMED = 10  # columns that a description names


@dataclass(frozen=True)
class ColumnSpec:
    """Names of columns.

    Attributes:
        features: names of features, in their order.
        target: name of the target, or None.
        encode: encodings by name.
        classes: labels by name, in the order of their codes, if the caller passes them.
    """

    features: tuple[str, ...]
    target: str | None
    encode: Mapping[str, Kind]
    classes: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        labels: Sequence[object],
        columns: Sequence[str] | None,
        target: str | None,
        encode: Mapping[str, str] | None,
        classes: Mapping[str, Sequence[Any]] | None = None,
    ) -> ColumnSpec:
        """Return the columns that a caller requests.

        Raises:
            TQLError: a name is unknown or repeated, an encoding does not exist, or no column is requested.
        """
        names = [label for label in labels if isinstance(label, str)]
        if columns is None and len(names) < len(labels):
            label = next(label for label in labels if not isinstance(label, str))
            hint = "name the columns that are wanted: columns=[…]"
            raise TQLError(f"column {label!r} has a name that is not text, which a batch needs", hint=hint)
        encode = encode or {}
        if isinstance(columns, str):
            message = f"expected columns= to be a list of names, got the text {columns!r}"
            raise TQLError(message, hint=f"pass columns=[{columns!r}]")
        for name in [*(columns or ()), *encode, *([] if target is None else [target])]:
            if name not in names:
                raise TQLNameError(f"unknown column {name!r}", hint=did_you_mean(str(name), names))
        features = [name for name in names if name != target] if columns is None else list(columns)
        if len(set(features)) < len(features):
            raise TQLError("a column is named twice in columns")
        for name, kind in encode.items():
            if kind not in ENCODINGS:
                raise TQLError(f"expected the encoding of column {name!r} to be 'label' or 'multi_hot', got {kind!r}")
            if name not in features and name != target:
                raise TQLError(f"encode names column {name!r}, which is neither a feature nor the target")
        if classes is not None and not isinstance(classes, Mapping):
            message = f"expected classes= to be a dict of lists by column name, got {type(classes).__name__}"
            raise TQLError(message, hint="pass classes={'sex': ['F', 'M']}")
        for name, labels_of in (classes or {}).items():
            if name not in encode:
                raise TQLError(
                    f"classes names column {name!r}, which encode does not", hint=f"pass encode={{{name!r}: 'label'}}"
                )
            if isinstance(labels_of, (str, bytes)) or not isinstance(labels_of, Iterable):
                raise TQLError(f"expected classes of column {name!r} to be a list of labels, got {labels_of!r}")
        if not features and target is None:
            raise TQLError("there is no column to train on")
        declared = {name: list(each) for name, each in (classes or {}).items()}
        return cls(tuple(features), target, cast("Mapping[str, Kind]", encode), declared)

    @property
    def names(self) -> list[str]:
        """Names of all columns, without repeats."""
        return list(dict.fromkeys([*self.features, *([] if self.target is None else [self.target])]))

    def rows(self, columns: Mapping[str, EncodedColumn], places: torch.Tensor) -> BatchRows:
        """Return the values of the rows at positions; `places` has the shape (k,)."""
        taken: dict[str, Any] = {name: column.take(places) for name, column in columns.items()}
        target = None if self.target is None else taken[self.target]
        return BatchRows({name: taken[name] for name in self.features}, len(places), target)


def described(size: int, column_spec: ColumnSpec, classes: Mapping[str, Sequence[Any]]) -> str:
    """Return a description of the size and columns of a data set.

    Examples:
        >>> wanted = ColumnSpec(("age", "sex"), "findings", {"sex": "label", "findings": "multi_hot"})
        >>> described(1200, wanted, {"sex": ["F", "M"], "findings": ["Hernia"]})
        '1,200 rows: age, sex (label, 2 classes); target findings (multi_hot, 1 class)'
    """

    def described_column(name: str) -> str:
        if name not in column_spec.encode:
            return name
        count = len(classes[name])
        return f"{name} ({column_spec.encode[name]}, {count:,} class{'es' * (count != 1)})"

    features = ", ".join(map(described_column, column_spec.features[:_MOST_NAMED]))
    if len(column_spec.features) > _MOST_NAMED:
        features += f" and {len(column_spec.features) - _MOST_NAMED:,} more"
    target = "" if column_spec.target is None else f"; target {described_column(column_spec.target)}"
    return f"{size:,} row{'s' * (size != 1)}: {features or 'no features'}{target}"


_BATCH = 65_536  # rows that are written to files at a time


class Table(Protocol):
    """Rows, numbered from 0.

    Attributes:
        size: number of rows.
        classes: labels of each encoded column.
    """

    size: int
    classes: dict[str, list[Any]]

    def rows(self, numbers: Sequence[int] | Integers) -> BatchRows:
        """Return the values of the rows with these numbers, in any order, possibly repeated."""


def table_of(origin: Origin, column_spec: ColumnSpec) -> Table:
    """Return the table of a frame or view.

    Raises:
        TQLError: a row has a null where a tensor cannot have one, or a column has an unsupported type.
    """
    return _Spooled(origin, column_spec) if origin.is_plan else _HeldTable(origin, column_spec)


def encodings_of(origin: Origin, column_spec: ColumnSpec) -> dict[str, Encoding]:
    """Return the encodings of encoded columns, by name; labels that are not declared are read from the rows.

    Raises:
        TQLTypeError: values of a column cannot be labels.
    """
    found = {}
    for name, kind in column_spec.encode.items():
        if origin.is_plan:  # names and labels of its columns are equal
            plan, dtype = origin.plan, origin.source.schema[name]
        else:
            series = origin.source.column(origin.names[name]).alias(name)
            plan, dtype = series.to_frame().lazy(), series.dtype
        declared = column_spec.classes.get(name, origin.categories(name))
        found[name] = Encoding.of(kind, plan, name, dtype, declared)
    return found


class _HeldTable:
    """Columns in memory, shared with the frame where possible."""

    def __init__(self, origin: Origin, column_spec: ColumnSpec) -> None:
        frame, positions = origin.source, origin.positions
        encodings = encodings_of(origin, column_spec)
        self.classes = {name: encoding.labels for name, encoding in encodings.items()}
        self.size = frame.rows if positions is None else len(positions)
        self._column_spec = column_spec
        self._chosen = None if positions is None else _tensor(positions)
        used = InUse(None if positions is None else _marked(positions, frame.rows))
        self._columns: dict[str, EncodedColumn] = {}
        for name in column_spec.names:
            series = frame.column(origin.names[name]).alias(name)
            encoding = encodings.get(name)
            self._columns[name] = plain_column(series, used) if encoding is None else encoding.column_of(series, used)

    def rows(self, numbers: Sequence[int] | Integers) -> BatchRows:
        """Return the values of the rows with these numbers."""
        rows = torch.from_numpy(np.array(numbers, np.int64))
        return self._column_spec.rows(self._columns, rows if self._chosen is None else self._chosen[rows])

    def __getstate__(self) -> dict[str, Any]:
        # A process that is not forked receives a copy of the rows in use only. This process continues with the same
        # columns, which PyTorch moves into shared memory: one copy is enough for all processes.
        if self._chosen is not None:
            positions = self._chosen.numpy()
            used = _marked(positions, int(positions.max(initial=-1)) + 1)
            if not used.all():
                rows = torch.from_numpy(np.flatnonzero(used))
                self._columns = {name: column.cut(rows) for name, column in self._columns.items()}
                self._chosen = _tensor(_ranks(used)[positions])
        return self.__dict__


class _Spooled:
    """Columns in files, with each row in use once, in the order in which they were read."""

    def __init__(self, origin: Origin, column_spec: ColumnSpec) -> None:
        frame = origin.source
        positions = np.arange(frame.rows) if origin.positions is None else origin.positions
        self.size = len(positions)
        self._column_spec = column_spec
        self._disk_table = DiskTable()
        encodings = encodings_of(origin, column_spec)
        self.classes = {name: encoding.labels for name, encoding in encodings.items()}
        used = _marked(positions, frame.rows)
        self._chosen = _tensor(_ranks(used)[positions])
        distinct = np.flatnonzero(used).astype(positions.dtype)
        places = {name: place for place, name in enumerate(frame.schema)}
        columns = [ColumnRef(places[origin.names[name]], name) for name in column_spec.names]
        done = 0
        none, some = frame.take(distinct[:0], columns), frame.batches(distinct, columns, _BATCH)
        for part in cast("Iterator[pl.DataFrame]", chain([none], some)):
            numbers = InUse(numbers=distinct[done : done + part.height])
            done += part.height
            for name in column_spec.names:
                encoding = encodings.get(name)
                series = part[name] if encoding else texts(part[name])
                column = plain_column(series, numbers) if encoding is None else encoding.column_of(series, numbers)
                self._disk_table.write(name, column)
        self._disk_table.close()

    def rows(self, numbers: Sequence[int] | Integers) -> BatchRows:
        """Return the values of the rows with these numbers."""
        rows = self._chosen[torch.from_numpy(np.array(numbers, np.int64))]
        return self._column_spec.rows(self._disk_table.columns, rows)


def _marked(positions: Positions, rows: int) -> NDArray[np.bool_]:
    """Return flags for `rows` rows: whether each is among the positions."""
    marks = np.zeros(rows, np.bool_)
    marks[positions] = True
    return marks


def _ranks(marks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rank of each marked row among the marked rows."""
    return np.cumsum(marks) - 1


def _tensor(positions: Positions) -> torch.Tensor:
    """Return row numbers as a tensor for indexing, in 32 bits if they fit."""
    return torch.from_numpy(positions.astype(np.int32 if positions.max(initial=0) < 2**31 else np.int64))
