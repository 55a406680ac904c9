"""Columns that do not fit into memory: written to files once, and read there by every process that maps them.

What is in the files has the form of `columns`; which rows are written and read is known in `table`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tql_frames.compiler.expressions.types import instance
from tql_frames.torch.columns import EncodedColumn, MultiHotColumn, TensorColumn, ValueColumn, shared


class DiskTable:
    """A folder with a file or two a column, in the temporary folder of the system.

    It is removed with the spool, or when the process that made it ends. Who gets a copy of the spool gets the path.
    """

    def __init__(self) -> None:
        """Make the folder."""
        self._folder = Path(tempfile.mkdtemp(prefix="tql-frames-"))
        self._files: dict[str, _Files] = {}
        self._columns: dict[str, EncodedColumn] | None = None
        weakref.finalize(self, _remove, self._folder, os.getpid())

    def write(self, name: str, column: EncodedColumn) -> None:
        """Put rows of a column behind those that are there; of texts by category their texts, see `texts`."""
        if name not in self._files:
            self._files[name] = _FILES[type(column)](self._folder / str(len(self._files)))
        self._files[name].write(column)

    def close(self) -> None:
        """Say that all rows are written."""
        for each in self._files.values():
            each.close()

    @property
    def columns(self) -> dict[str, EncodedColumn]:
        """The columns, on the memory of the files."""
        if self._columns is None:
            self._columns = {name: each.open() for name, each in self._files.items()}
        return self._columns

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_columns": None}


def texts(series: pl.Series) -> pl.Series:
    """Return the same values with texts for categories, whose numbers differ between the parts of a table."""
    return series.cast(_with_texts(series.dtype))


def _with_texts(dtype: pl.DataType) -> pl.DataType:
    match dtype:
        case pl.Categorical() | pl.Enum():
            return pl.String()
        case pl.List(inner=inner):
            return pl.List(_with_texts(instance(inner)))
        case pl.Array(inner=inner, size=size):
            return pl.Array(_with_texts(instance(inner)), size)
        case pl.Struct(fields=fields):
            return pl.Struct({each.name: _with_texts(instance(each.dtype)) for each in fields})
    return dtype


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # and not a forked one that lets go of its copy
        shutil.rmtree(folder, ignore_errors=True)


class _Files(Protocol):
    """The files of a column, whose names begin with the path that it is made with."""

    def write(self, column: Any) -> None: ...

    def close(self) -> None: ...

    def open(self) -> EncodedColumn: ...


class _StoredArray:
    """An array whose rows are written one part after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.touch()
        self._dtype: np.dtype[Any] = np.dtype(np.float32)
        self._shape: tuple[int, ...] = ()

    def write(self, part: NDArray[Any]) -> None:
        self._dtype, self._shape = part.dtype, part.shape[1:]
        with self._path.open("ab") as file:
            np.ascontiguousarray(part).tofile(file)

    def open(self) -> NDArray[Any]:
        if not self._path.stat().st_size:  # which cannot be mapped
            return np.empty((0, *self._shape), self._dtype)
        return np.asarray(np.memmap(self._path, self._dtype, mode="r")).reshape(-1, *self._shape)


class _Tensors:
    def __init__(self, path: Path) -> None:
        self._array = _StoredArray(path)

    def write(self, column: TensorColumn) -> None:
        self._array.write(column.tensor.numpy())

    def close(self) -> None:
        pass

    def open(self) -> TensorColumn:
        return TensorColumn(shared(self._array.open()))


class _MultiHot:
    def __init__(self, path: Path) -> None:
        self._offsets, self._codes = (
            _StoredArray(path.with_suffix(".offsets")),
            _StoredArray(path.with_suffix(".codes")),
        )
        self._offsets.write(np.zeros(1, np.int64))
        self._written = self._width = 0

    def write(self, column: MultiHotColumn) -> None:
        self._width = column.width
        self._offsets.write(column.offsets[1:] + self._written)
        self._codes.write(column.codes)
        self._written += len(column.codes)

    def close(self) -> None:
        pass

    def open(self) -> MultiHotColumn:
        return MultiHotColumn(self._offsets.open(), self._codes.open(), self._width)


class _StoredValues:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pa.ipc.RecordBatchFileWriter | None = None

    def write(self, column: ValueColumn) -> None:
        for part in column.parts:
            batch = pa.record_batch([part], names=["values"])
            if self._writer is None:
                self._writer = pa.ipc.new_file(str(self._path), batch.schema)
            self._writer.write_batch(batch)

    def close(self) -> None:
        assert self._writer is not None
        self._writer.close()
        self._writer = None

    def open(self) -> ValueColumn:
        file = pa.ipc.open_file(pa.memory_map(str(self._path)))
        return ValueColumn([file.get_batch(number).column(0) for number in range(file.num_record_batches)])


_FILES: dict[type[Any], Any] = {TensorColumn: _Tensors, MultiHotColumn: _MultiHot, ValueColumn: _StoredValues}
