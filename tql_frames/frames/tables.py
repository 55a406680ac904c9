"""Convert tables of other libraries, by the Arrow PyCapsule interface or their own methods, and convert results back.

None of these libraries is imported here before a caller passes one of its tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.statements import Relation, Scan
from tql_frames.errors import TQLError, reason_of
from tql_frames.frames.arrow import ArrowFrame, ArrowRows
from tql_frames.frames.base import ColumnRef, Frame, Rows, frame_of, no_frame
from tql_frames.frames.polars import DefaultIndex, PolarsFrame, check_options, free_index
from tql_frames.sampling import Floats, Positions

Wrap = Callable[[Any], Any]


class WrappedFrame:
    """A frame whose rows and series are returned as objects of another library.

    All other members are those of the inner frame.
    """

    def __init__(self, inner: Frame, kind: str, native: object, wrap: Wrap, wrap_series: Wrap | None = None) -> None:
        """Store the frame.

        Args:
            inner: the adapter that reads the rows.
            kind: library and class of the native frame.
            native: the caller's frame.
            wrap: converts a frame of the inner frame's library to one of that library.
            wrap_series: converts a series likewise; None to leave it unchanged.
        """
        self.inner, self.kind, self.native = inner, kind, native
        self.wrap = wrap
        self.wrap_series = wrap_series or (lambda series: series)

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self.inner, name)

    def take(self, positions: Positions, columns: Sequence[ColumnRef] | None = None) -> Any:
        """Return the rows at positions, in their order."""
        return self.wrap(self.inner.take(positions, columns))

    def take_lazy(self, positions_of: Callable[[Rows], Positions], columns: Sequence[ColumnRef] | None = None) -> Any:
        """Return the rows at the positions that a function returns."""
        return self.wrap(self.inner.take_lazy(positions_of, columns))

    def take_with(self, positions: Positions, name: str, values: Floats) -> Any:
        """Return the rows at positions with a further column, the last."""
        return self.wrap(self.inner.take_with(positions, name, values))

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> Any:
        """Return the rows of a relation."""
        return self.wrap(self.inner.finish(relation, scan, index))

    def series(self, values_of: Callable[[Rows], NDArray[np.float64]], name: str) -> Any:
        """Return one value per row."""
        return self.wrap_series(self.inner.series(values_of, name))

    def batches(self, positions: Positions, columns: Sequence[ColumnRef] | None, size: int) -> Iterator[Any]:
        """Yield rows at positions, at most `size` at a time."""
        return map(self.wrap, self.inner.batches(positions, columns, size))


class DatasetFrame(ArrowFrame):
    """A Hugging Face Dataset: only columns that are named are read; rows are taken by `select` without a copy."""

    kind: ClassVar[str] = "Hugging Face Dataset"

    def __init__(self, dataset: Any, index: str | None = None) -> None:
        """Store the dataset, which is immutable.

        Args:
            dataset: the dataset.
            index: name of a column of row numbers. There is none by default, since adding a column to a Dataset
                rewrites its rows.
        """
        ArrowRows.__init__(self, dataset.features.arrow_schema, self._column_at, dataset.num_rows)
        self._dataset = dataset
        self._index = index

    def _column_at(self, place: int) -> Any:
        return self._dataset.select_columns([self.arrow.names[place]]).with_format("arrow")[:].column(0)

    @property
    def native(self) -> Any:
        """The dataset."""
        return self._dataset

    def take_with(self, positions: Positions, name: str, values: Floats) -> Any:
        """Return the rows at positions with a further column, the last."""
        return self.take(positions).add_column(name, values)

    def _picked(self, positions: Positions, columns: Sequence[ColumnRef] | None) -> Any:
        taken = self._dataset.select(positions)
        if columns is None:
            return taken
        names = [self.arrow.names[each.origin] for each in columns]
        labels = [str(each.label) for each in columns]
        if len(set(names)) < len(names):
            raise TQLError("a Dataset cannot have a column twice", hint="name each column once in SELECT")
        taken = taken.select_columns(names)
        return taken if labels == names else taken.rename_columns(dict(zip(names, labels, strict=True)))

    def _numbered(self, taken: Any, positions: Positions, index: str | None) -> Any:
        name = None if isinstance(index, DefaultIndex) else free_index(index, taken.column_names)
        if name is None:
            return taken
        return taken.add_column(name, positions).select_columns([name, *taken.column_names])

    def _made(self, found: pl.DataFrame) -> Any:
        return import_module("datasets").Dataset.from_polars(found)

    def _beside(self, taken: Any, computed: pl.DataFrame, labels: Sequence[str]) -> Any:
        if not computed.width:
            return taken
        datasets = import_module("datasets")
        both = [*([taken] if taken.column_names else []), self._made(computed)]
        if computed.height:
            found = datasets.concatenate_datasets(both, axis=1)
        else:  # `concatenate_datasets` drops datasets without rows
            features = {name: feature for each in both for name, feature in each.features.items()}
            found = datasets.Dataset.from_dict({name: [] for name in features}, datasets.Features(features))
        own = taken.format
        shown = own["columns"] + computed.columns if taken.column_names else computed.columns
        kept = {"type": own["type"], "columns": shown, "output_all_columns": own["output_all_columns"]}
        return found.select_columns(list(labels)).with_format(**kept, **own["format_kwargs"])


class _Options(NamedTuple):
    """The arguments of `frame_of` beside the frame; `name` is its `index`."""

    name: str | None
    ignore_index: bool
    kept: bool


def table_frame_of(table: object, index: str | None, ignore_index: bool, *, kept: bool) -> Frame | None:
    """Return the adapter of a table of another library; None if it is not a table that can be read.

    Args:
        table: any object; see `frame_of` for the other arguments.

    Raises:
        TQLError: it is not supported, with a hint how to convert it; or it cannot be read.
    """
    options = _Options(index, ignore_index, kept)
    for library, name, open_table in _OPENERS:
        if any(each.__module__.split(".")[0] == library and each.__name__ == name for each in type(table).__mro__):
            return open_table(table, options)
    if isinstance(table, type) or not callable(getattr(table, "__arrow_c_stream__", None)):
        return None
    check_options(options.ignore_index)
    frame = _read(table, pl.DataFrame)
    kind = f"{type(table).__module__.split('.')[0]} {type(table).__name__}"
    return cast("Frame", WrappedFrame(PolarsFrame(frame, options.name), kind, frame, lambda rows: rows))


def _read(table: Any, make: Callable[[Any], Any]) -> Any:
    """Read all rows of an object with the Arrow PyCapsule interface into a table by `make`; numbers are not copied.

    Raises:
        TQLError: the object is not a table, or a column has a type that is not supported.
    """
    try:
        return make(table)
    except (Exception, pl.exceptions.PanicException) as fault:  # a library may raise any error when its query runs
        what = f"{type(table).__module__.split('.')[0]}.{type(table).__name__}"
        reason = reason_of(fault)
        hint = next((hint for part, hint in _REASONS if part in reason), None)
        raise TQLError(f"the rows of the {what} cannot be read: {reason}", hint=hint) from None


# Parts of Polars' messages for streams that it cannot read, and what to do.
_REASONS = [
    ("more than one occurrence", "rename the columns: each needs a name of its own"),
    ("month_day_nano_interval", "select the other columns, or cast the intervals to text first"),
    ("not supported by Polars", "select the other columns, or cast that column first"),
    ("`Struct`", "pass a table with named columns"),
]


def _arrow_wrapped(table: Any, kind: str, options: _Options, wrap: Wrap) -> Frame:
    """Return the adapter of rows that are read into Arrow, of any type, and converted back by `wrap`."""
    check_options(options.ignore_index)
    rows = _read(table, import_module("pyarrow").table)
    return cast("Frame", WrappedFrame(ArrowFrame(rows, options.name), kind, table, wrap))


def _arrow(table: Any, options: _Options) -> Frame:
    check_options(options.ignore_index)
    return cast("Frame", ArrowFrame(table, options.name))


def _dataset(dataset: Any, options: _Options) -> Frame:
    check_options(options.ignore_index)
    return cast("Frame", DatasetFrame(dataset, options.name))


def _narwhals(frame: Any, options: _Options) -> Frame:
    """Return the adapter of the native frame of a narwhals frame; rows and series are returned as narwhals objects."""
    path = type(frame).__module__
    stable = path.startswith("narwhals.stable.")
    nw = import_module(".".join(path.split(".")[:3]) if stable else "narwhals")
    native = frame.to_native()
    inner = frame_of(native, options.name, options.ignore_index, kept=options.kept)

    def wrap(rows: object) -> object:
        return nw.from_native(rows, pass_through=False)

    def wrap_series(series: object) -> object:
        return nw.from_native(series, allow_series=True)

    return cast("Frame", WrappedFrame(inner, f"narwhals {type(frame).__name__}", frame, wrap, wrap_series))


def _modin(frame: Any, options: _Options) -> Frame:
    """Return the adapter of the rows in pandas, with their index labels."""
    pandas = import_module("modin.pandas")
    inner = frame_of(frame.modin.to_pandas(), options.name, options.ignore_index, kept=options.kept)
    return cast("Frame", WrappedFrame(inner, "Modin DataFrame", frame, pandas.DataFrame, pandas.Series))


def _cudf(frame: Any, options: _Options) -> Frame:
    cudf = import_module("cudf")
    inner = frame_of(frame.to_pandas(), options.name, options.ignore_index, kept=options.kept)
    return cast("Frame", WrappedFrame(inner, "cuDF DataFrame", frame, cudf.from_pandas, cudf.from_pandas))


def _duckdb(relation: Any, options: _Options) -> Frame:
    """Return the adapter of a relation, whose query runs once; samples are relations of the same connection."""

    def wrap(_rows_of_tql_frames: object) -> object:
        # DuckDB finds the frame by the name of this variable, unless a table or view has that name.
        try:
            return relation.query("_relation_of_tql_frames", "select * from _rows_of_tql_frames")
        except Exception as fault:  # settings of the connection may forbid it
            hint = "enable python_enable_replacements on its connection, or pass relation.pl()"
            raise TQLError(f"the DuckDB connection cannot read the sample: {reason_of(fault)}", hint=hint) from None

    return _arrow_wrapped(relation, "DuckDB relation", options, wrap)


def _ibis(table: Any, options: _Options) -> Frame:
    return _arrow_wrapped(table, "Ibis table", options, import_module("ibis").memtable)


def _refused(hint: str) -> Callable[[Any, _Options], Frame]:
    def refuse(table: object, options: _Options) -> Frame:
        raise no_frame(table, hint)

    return refuse


# Library, class, and the function that reads its tables; others are read by the Arrow PyCapsule interface.
_OPENERS: list[tuple[str, str, Callable[[Any, _Options], Frame]]] = [
    ("pyarrow", "Table", _arrow),
    ("datasets", "Dataset", _dataset),
    ("datasets", "DatasetDict", _refused("pass one of its splits, such as dataset['train']")),
    ("datasets", "IterableDataset", _refused("pass a Dataset: its rows have numbers")),
    ("narwhals", "DataFrame", _narwhals),
    ("narwhals", "LazyFrame", _narwhals),
    ("duckdb", "DuckDBPyRelation", _duckdb),
    ("_duckdb", "DuckDBPyRelation", _duckdb),
    ("ibis", "Table", _ibis),
    ("modin", "DataFrame", _modin),
    ("cudf", "DataFrame", _cudf),
    *((library, "Series", _refused("pass series.to_frame()")) for library in ("polars", "pandas", "narwhals", "modin")),
]
