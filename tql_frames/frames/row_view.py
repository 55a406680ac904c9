"""Use selected rows of a frame as a frame, and convert frames between Polars and pandas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, cast

import polars as pl

from tql_frames.compiler.expressions.scope import nulls_of, with_nulls_of
from tql_frames.compiler.statements import Scan, whole
from tql_frames.errors import TQLError, TQLTypeError
from tql_frames.frames.base import ColumnRef, Frame, Rows, is_pandas, unwrapped
from tql_frames.frames.converted import with_stand_ins
from tql_frames.frames.polars import evaluate, numbered, picks_columns
from tql_frames.sampling import Positions

if TYPE_CHECKING:
    import pandas as pd


def shared(frame: Any) -> Any:
    """Return the same rows for another owner; they are copied only if the library does not copy on write."""
    if not is_pandas(frame):
        return frame.clone() if isinstance(frame, pl.DataFrame) else frame  # others cannot be modified
    pd = import_module("pandas")
    copies_on_write = int(pd.__version__.split(".")[0]) >= 3 or pd.get_option("mode.copy_on_write") is True
    return frame.copy(deep=not copies_on_write)


def to_polars(rows: RowView, positions: Positions, index: str | None) -> pl.DataFrame:
    """Return rows of a pandas frame as a Polars frame, with a first column of row numbers unless `index` is None.

    Raises:
        TQLError: a column has no Polars type or no unique text as name, or has the name of the row numbers.
    """
    return numbered(rows.everything(), positions, index)


def to_pandas(rows: pl.DataFrame, labels: Positions | None) -> pd.DataFrame:
    """Return rows of a Polars frame as a pandas frame, with row numbers as labels, or labels from 0 for None.

    Raises:
        TQLTypeError: a column has no pandas type.
    """
    pa, pd = import_module("pyarrow"), import_module("pandas")
    names = rows.columns
    if any("\0" in name for name in names):  # Polars converts through Arrow, which does not allow such names
        rows = rows.rename({name: str(place) for place, name in enumerate(names)})
    try:
        found = rows.to_pandas()
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError) as fault:
        raise TQLTypeError(
            f"the rows have no pandas form: {fault}", hint="select other columns, or cast them"
        ) from None
    if rows.columns != names:
        found.columns = pd.Index(names)
    if labels is not None:
        found.index = pd.Index(labels)
    return found.copy()  # arrays from Polars may be read-only


class RowView:
    """The rows of a frame at some positions, in their order, and some of its columns, or all for None.

    Attributes:
        frame: the frame.

    Examples:
        >>> import numpy as np
        >>> from tql_frames.frames import kept_frame_of
        >>> frame = kept_frame_of(pl.DataFrame({"age": [71, 34, 65]}))
        >>> rows = RowView(frame, lambda: np.array([2, 2, 0]), [ColumnRef(0, "years")])
        >>> rows.evaluate({"half": pl.col("years") / 2})["half"].to_list()
        [32.5, 32.5, 35.5]
    """

    is_streamed: ClassVar[bool] = False

    def __init__(
        self, frame: Frame, positions_of: Callable[[], Positions], columns: Sequence[ColumnRef] | None = None
    ) -> None:
        """Store the selection; nothing is read."""
        self.frame = frame
        self._positions_of = positions_of
        self._columns = columns
        labels = frame.scan(frozenset()).labels
        self._labels = labels if columns is None else tuple(each.label for each in columns)
        sources = labels if columns is None else tuple(labels[each.origin] for each in columns)
        # For several columns of one name, the frame itself raises the error.
        self._source = {label: source for label, source in zip(self._labels, sources, strict=True)}

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self._positions_of())

    @property
    def labels(self) -> object:
        """The index of the rows: a pandas Index, a Polars Series of row numbers."""
        return self.frame.labels(self._positions_of())

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name."""
        return _Renamed(self.frame.schema, self.names)

    @property
    def names(self) -> Mapping[str, str]:
        """Names of the columns in the frame, by their names here."""
        return {name: str(source) for name, source in self._named()}

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of expressions by name, one per row."""
        if any(picks_columns(expr) for expr in exprs.values()):
            return evaluate(self._readable(), exprs)
        names = list({name: None for expr in exprs.values() for name in expr.meta.root_names()})
        return evaluate(self._read(names), exprs)

    def evaluate_batches(self, exprs: Mapping[str, pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield the values of expressions by name, in one part."""
        yield self.evaluate(exprs)

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row."""
        names = list({name: None for expr in exprs.values() for name in expr.meta.root_names()})
        return self._read(names).lazy().select(**exprs).collect()

    def column(self, name: str) -> pl.Series:
        """Return a column of the rows."""
        return self._read([name])[name]

    def everything(self) -> pl.DataFrame:
        """Return all columns.

        Raises:
            TQLTypeError: a column has no Polars type, or no unique text as name.
        """
        for label in self._labels:
            if not isinstance(label, str):
                hint = "rename it, or select other columns"
                raise TQLTypeError(f"column {label!r} has a name that is not text, which Polars needs", hint=hint)
        return self._read([str(label) for label in self._labels])

    def scan(self, names: frozenset[str] | None) -> Scan:
        """Return the rows for a statement, read when its plan runs."""
        wanted = None if names is None else frozenset(str(self._source[name]) for name in names & self._source.keys())
        found = self.frame.scan(wanted)
        dtypes = {label: found.dtypes[source] for label, source in self._source.items() if source in found.dtypes}
        if names is not None:
            dtypes = {label: dtype for label, dtype in dtypes.items() if label in names}
        schema: dict[str, pl.DataType] = {}
        hidden = []
        for label, dtype in dtypes.items():
            if not isinstance(dtype, TQLError):
                schema[str(label)] = dtype
            elif dtype.nulls_known:
                schema[nulls_of(str(label))] = pl.Boolean()
                hidden.append(str(label))
        if not schema:
            schema = {"": pl.Null()}
        plan = whole(pl.LazyFrame(schema=schema), lambda _: self._read(schema), schema)
        return Scan(with_stand_ins(plan, hidden), self._labels, dtypes)

    def of_frame(self, columns: Sequence[ColumnRef]) -> tuple[ColumnRef, ...]:
        """Return a selection of these columns, by their positions in the frame."""
        own = self._columns
        return tuple(each if own is None else ColumnRef(own[each.origin].origin, each.label) for each in columns)

    def _named(self) -> Iterator[tuple[str, object]]:
        """Return the names of the columns in expressions, and their labels in the frame."""
        return ((label, source) for label, source in self._source.items() if isinstance(label, str))

    def _readable(self) -> pl.DataFrame:
        """Return all columns with a text as name; those without a Polars type as nulls, to keep positions."""
        names = [name for name, _ in self._named()]
        found = self._read([name for name in names if self._is_readable(name)])
        nulls = pl.repeat(None, found.height, dtype=pl.Null, eager=True)
        # Not a list of series: Polars would rename a series that is called ''.
        return pl.DataFrame({name: found[name] if name in found.columns else nulls for name in names})

    def _is_readable(self, name: str) -> bool:
        try:
            return self.schema[name] is not None
        except TQLError:
            return False

    def _read(self, names: Iterable[str]) -> pl.DataFrame:
        """Return columns by name; if there are none, one column of nulls of the same length."""
        positions = self._positions_of()
        known = {name: self._source_of(name) for name in names}
        chosen = {name: source for name, source in known.items() if source is not None}
        if not chosen:
            return pl.DataFrame({"": pl.repeat(None, len(positions), dtype=pl.Null, eager=True)})
        # A column under two names is read once.
        found = self.frame.read(list(dict.fromkeys(chosen.values())), positions)
        return pl.DataFrame({name: found[source] for name, source in chosen.items()})

    def _source_of(self, name: str) -> str | None:
        """Return the name of a column, or of its stand-in, in the frame."""
        hidden = with_nulls_of(name)
        if hidden is not None and hidden in self._source:
            return nulls_of(str(self._source[hidden]))
        return str(self._source[name]) if name in self._source else None


def index_of(frame: Rows) -> pd.Index:
    """Return the pandas index of the rows of a frame."""
    if isinstance(frame, RowView) and frame.frame.keeps_labels:
        return cast("pd.Index", frame.labels)
    native = getattr(unwrapped(cast("Frame", frame)), "native", None)
    return native.index if is_pandas(native) else import_module("pandas").RangeIndex(frame.rows)


class _Renamed(Mapping[str, pl.DataType]):
    """A schema under other names; a type is looked up when it is requested."""

    def __init__(self, schema: Mapping[str, pl.DataType], sources: Mapping[str, str]) -> None:
        self._schema, self._sources = schema, sources

    def __getitem__(self, name: str) -> pl.DataType:
        return self._schema[self._sources[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)
