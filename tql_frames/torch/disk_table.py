"""Store columns that do not fit into memory in files: written once, and memory-mapped by every process.

The files have the form of `columns`; `table` decides which rows are written and read.
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
    """A folder in the temporary folder of the system, with one or two files per column.

    It is removed with this object, or when the process that created it ends. Copies of the object share the path.
    """

    def __init__(self) -> None:
        """Create the folder."""
        self._folder = Path(tempfile.mkdtemp(prefix="tql-frames-"))
        self._files: dict[str, _Files] = {}
        self._columns: dict[str, EncodedColumn] | None = None
        weakref.finalize(self, _remove, self._folder, os.getpid())

    def write(self, name: str, column: EncodedColumn) -> None:
        """Append rows of a column; categories must be converted to text, see `texts`."""
        if name not in self._files:
            self._files[name] = _FILES[type(column)](self._folder / str(len(self._files)))
        self._files[name].write(column)

    def close(self) -> None:
        """Close the files after all rows are written."""
        for each in self._files.values():
            each.close()

    @property
    def columns(self) -> dict[str, EncodedColumn]:
        """The columns, memory-mapped from the files."""
        if self._columns is None:
            self._columns = {name: each.open() for name, each in self._files.items()}
        return self._columns

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_columns": None}


def texts(series: pl.Series) -> pl.Series:
    """Return the values with text for categories, whose numbers differ between the parts of a table."""
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
    if os.getpid() == process:  # a forked process must not remove the folder with its copy
        shutil.rmtree(folder, ignore_errors=True)


class _Files(Protocol):
    """The files of a column; their names begin with the path passed to the constructor."""

    def write(self, column: Any) -> None: ...

    def close(self) -> None: ...

    def open(self) -> EncodedColumn: ...


class _StoredArray:
    """An array in a file, whose rows are appended part by part."""

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
        if not self._path.stat().st_size:  # an empty file cannot be mapped
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
