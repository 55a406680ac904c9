"""Read the units of rows and their labels from a frame, and report on a split into parts of whole units.

`sampling.split` assigns units to parts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Generic

import numpy as np
import polars as pl

from tql_frames.analysis.display.plot import COLOURS, part_chart
from tql_frames.analysis.display.table import Plain, Shown, TableColumn, as_html, as_text, name_of, names_of, records
from tql_frames.analysis.label_columns import LabelColumns
from tql_frames.analysis.report import TableOf
from tql_frames.analysis.solver import NO_LABEL
from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.expressions.types import instance, type_name
from tql_frames.errors import TQLNameError, TQLTypeError, did_you_mean
from tql_frames.frames import Rows
from tql_frames.frames.polars import check_process
from tql_frames.pipeline.groups import check_key_type, numbered
from tql_frames.sampling import Floats, Integers, LabelCounts

_PARTS = 6  # whose shares are shown side by side; of more parts, only the least and the greatest share
_ALL = "all rows"
_COLUMNS = {
    "part": TableColumn("part"),
    "units": TableColumn("units", ","),
    "rows": TableColumn("rows", ","),
    "wanted": TableColumn("wanted", ",.1f"),
    "off": TableColumn("off", "+.1f"),
    "share": TableColumn("share", ".2%", COLOURS["drawn"]),
    "wanted_share": TableColumn("wanted share", ".2%"),
}


@dataclass(frozen=True)
class Units:
    """The units of rows, and the labels of their rows.

    Attributes:
        of_row: unit of each row, shape (n,); units are numbered in the order of their first rows.
        counts: rows of each unit, and how many of them have each label.
        labels: labels by column, numbered one column after another, in the order of their first rows.
        values: the value of each unit, shape (u,); None without a column of units.
    """

    of_row: Integers
    counts: LabelCounts
    labels: Mapping[str, pl.Series]
    values: pl.Series | None = None

    def without_rows(self) -> Units:
        """Return the units without `of_row` and `values`."""
        return Units(np.empty(0, np.int64), self.counts, self.labels)


def columns_of(rows: Rows, unit: str | None, by: Sequence[str]) -> dict[str, pl.Expr]:
    """Return expressions of the units and labels of some rows; nothing runs.

    Raises:
        TQLError: there is no such column, or its values cannot be units or labels.
    """
    found = {}
    if unit is not None:
        if unit not in rows.schema:
            raise TQLNameError(f"unknown column {unit!r}", hint=did_you_mean(unit, rows.schema))
        dtype = instance(rows.schema[unit])
        if dtype.is_nested() or dtype == pl.Object():
            hint = "name a column of single values, such as an identifier"
            raise TQLTypeError(f"column {unit!r} of type {type_name(dtype)} holds no units", hint=hint)
        found["unit"] = column(unit)
    return found | {f"by {place}": LabelColumns(name).key(rows.schema, column).expr for place, name in enumerate(by)}


def check_key(name: str, dtype: pl.DataType, *, known: bool = False) -> None:
    """Check that random numbers can be derived from the values of a column.

    Args:
        name: name of the column.
        dtype: type of its values.
        known: whether values have been read. Before that, a column of type Null may be one without rows, or of Python
            objects.

    Raises:
        TQLTypeError: the type is not supported.
    """
    if known or dtype != pl.Null():
        check_key_type("key=", instance(dtype), where=f" in column {name!r}")


def units_of(rows: Rows, columns: Mapping[str, pl.Expr], by: Sequence[str], copies: Integers | None = None) -> Units:
    """Read the units and labels of some rows.

    Args:
        rows: adapter of the rows.
        columns: result of `columns_of`.
        by: names of the columns of labels.
        copies: numbers that copies of one row share, shape (n,), for rows without a column of units; None if there are
            no copies.

    Examples:
        >>> from tql_frames.frames import frame_of
        >>> rows = frame_of(pl.DataFrame({"id": [7, 7, 5], "tags": [["b"], ["a", "b", "b"], []]}))
        >>> found = units_of(rows, columns_of(rows, "id", ["tags"]), ["tags"])
        >>> found.of_row.tolist(), found.labels["tags"].to_list()
        ([0, 0, 1], ['b', 'a', None])
        >>> found.counts.unit.tolist(), found.counts.label.tolist(), found.counts.count.tolist()
        ([0, 0, 1], [0, 1, 2], [2, 1, 1])
    """
    values = rows.evaluate(columns) if columns else pl.DataFrame()
    known = None
    if "unit" in values.columns:
        groups, table = numbered([values.select("unit")])
        of_row, known = groups.codes.astype(np.int64), table["unit"]
    elif copies is not None:
        of_row = np.unique(copies, return_inverse=True)[1]
    else:
        of_row = np.arange(rows.rows)
    labels: dict[str, pl.Series] = {}
    unit, label, first = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for place, name in enumerate(by):
        row, number, labels[name] = _labels(values[f"by {place}"])
        unit.append(of_row[row])
        label.append(number + first)
        first += len(labels[name])
    width = max(first, 1)
    pairs, count = np.unique(np.concatenate(unit) * width + np.concatenate(label), return_counts=True)
    return Units(of_row, LabelCounts(np.bincount(of_row), pairs // width, pairs % width, count), labels, known)


def _numbers(values: pl.Series) -> Integers:
    """Return numbers of values in the order of their first occurrence, shape (n,); null is a value, too."""
    return numbered([pl.DataFrame({"value": values})])[0].codes.astype(np.int64)


def _labels(cells: pl.Series) -> tuple[Integers, Integers, pl.Series]:
    """Return rows and numbers of their distinct labels, and the labels; a row without a label has null."""
    pairs = pl.DataFrame({"row": np.arange(len(cells)), "label": cells})
    if isinstance(cells.dtype, pl.List):
        # Versions of Polars differ in how they explode empty lists.
        some = pl.col("label").list.len().fill_null(0) > 0
        empty = pairs.filter(~some).with_columns(label=pl.lit(None, cells.dtype.inner))
        pairs = pl.concat([pairs.filter(some).explode("label"), empty]).sort("row", maintain_order=True)
        pairs = pairs.unique(["row", "label"], maintain_order=True)
    numbers = _numbers(pairs["label"])
    _, places = np.unique(numbers, return_index=True)
    return pairs["row"].to_numpy(), numbers, pairs["label"][places]


@dataclass(frozen=True, eq=False, repr=False)
class SplitReport(Generic[TableOf]):
    """Rows, units and labels of the parts of a split, and their differences from the wanted numbers.

    It prints as text, notebooks show it as tables, and `plot` draws a chart.

    Attributes:
        unit: the column of units; None if each row is a unit.
        by: the columns of labels.
        rows: number of rows.
        units: number of units.
        parts: one row per part: `part`, its `units`, its `rows`, the `wanted` rows, the difference `off`, its
            `share` of the rows and the `wanted_share`.
        labels: one row per label and part, the most frequent label first: `column`, `label`, `part`, the `rows` of the
            part with the label, the `wanted` number, the difference `off`, the `share` of the rows with the label and
            the `wanted_share`. None without labels. Labels of several columns are text.

    Examples:
        >>> import tql_frames
        >>> df = pl.DataFrame({"id": [1, 1, 2, 3, 3, 4], "view": ["PA", "PA", "AP", "PA", "PA", "AP"]})
        >>> report = df.tql.split({"train": 0.5, "test": 0.5}, unit="id", by="view", seed=7).report()
        >>> report.parts.select("part", "units", "rows", "wanted", "off").rows()
        [('train', 2, 3, 3.0, 0.0), ('test', 2, 3, 3.0, 0.0)]
        >>> report.labels.select("label", "part", "rows", "share").rows()
        [('PA', 'train', 2, 0.5), ('PA', 'test', 2, 0.5), ('AP', 'train', 1, 0.5), ('AP', 'test', 1, 0.5)]
    """

    unit: str | None
    by: tuple[str, ...]
    rows: int
    units: int
    parts: TableOf
    labels: TableOf | None
    _tables: tuple[pl.DataFrame, pl.DataFrame | None]

    def __str__(self) -> str:
        return as_text(self._shown(), self._sentences())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(self._shown(), self._sentences())

    def plot(self) -> Any:
        """Draw a bar for each label, cut into the shares of the parts, beside lines at the wanted shares.

        If there are more than 40 labels, the chart shows those that are farthest from the wanted rows.

        Returns:
            An `altair.Chart`, which notebooks show without a network; `chart.save("split.svg")` writes it.

        Raises:
            TQLError: Altair is not installed.

        Examples:
            >>> import tql_frames
            >>> df = pl.DataFrame({"view": ["PA", "PA", "AP", "AP"]})
            >>> chart = df.tql.split({"train": 0.5, "test": 0.5}, by="view", seed=7).report().plot()
            >>> sorted(chart.to_dict())[0]
            '$schema'
        """
        check_process()
        parts, labels = self._tables
        names = ("part", "rows", "wanted", "off", "share")
        shown = parts.select(pl.lit(_ALL).alias("label"), *names)
        if labels is not None:
            label = pl.col("label").cast(pl.String).fill_null(NO_LABEL)
            if len(self.by) > 1:
                label = pl.format("{}: {}", "column", label)
            shown = pl.concat([shown, labels.select(label.alias("label"), *names)])
        wanted = dict(parts.select("part", "wanted_share").iter_rows())
        title = f"Shares of the parts by {', '.join(self.by)}" if self.by else "Shares of the parts"
        return part_chart(shown, wanted, title=title, label_title=", ".join(self.by))

    def to_dict(self) -> dict[str, Plain]:
        """Return the report as values that `json.dumps` writes; `parts` and `labels` are lists of dictionaries.

        Examples:
            >>> import tql_frames
            >>> report = pl.DataFrame({"view": ["PA", "AP"]}).tql.split({"a": 0.5, "b": 0.5}, seed=7).report()
            >>> report.to_dict()["parts"][1]["part"]
            'b'
        """
        parts, labels = map(records, self._tables)
        counts: dict[str, Plain] = {"unit": self.unit, "by": list(self.by), "rows": self.rows, "units": self.units}
        return counts | {"parts": parts, "labels": labels}

    def _shown(self) -> list[Shown]:
        check_process()
        parts, labels = self._tables
        names = ["part", *([] if self.unit is None else ["units"]), "rows", "wanted", "off", "share", "wanted_share"]
        rows = [(name_of(first), *rest) for first, *rest in parts.select(names).iter_rows()]
        shown = [Shown("Rows by part", tuple(_COLUMNS[name] for name in names), rows)]
        if labels is not None:
            shown += [self._shown_labels(name, labels.filter(pl.col("column") == name)) for name in self.by]
        return shown

    def _shown_labels(self, name: str, labels: pl.DataFrame) -> Shown:
        parts = self._tables[0]["part"].to_list()
        shape = (-1, len(parts))
        rows: Integers = labels["rows"].to_numpy().reshape(shape)
        share: Floats = labels["share"].to_numpy().reshape(shape)
        off: Floats = labels["off"].to_numpy().reshape(shape)
        titles: list[str] = [str(part) for part in parts]
        if len(parts) > _PARTS:
            titles, share = ["least share", "greatest share"], np.column_stack([share.min(axis=1), share.max(axis=1)])
        farthest: Floats = np.take_along_axis(off, np.abs(off).argmax(axis=1)[:, None], axis=1)
        names: list[Any] = list(map(name_of, labels["label"][:: len(parts)]))
        numbers = [rows.sum(axis=1).tolist(), *share.T.tolist(), *farthest.T.tolist()]
        return Shown(
            f"Rows of each label by part: {name}",
            (
                names_of(name),
                _COLUMNS["rows"],
                *(TableColumn(title, ".2%", COLOURS["drawn"]) for title in titles),
                _COLUMNS["off"],
            ),
            list(zip(names, *numbers, strict=True)),
        )

    def _sentences(self) -> list[str]:
        parts, labels = self._tables
        units = "" if self.unit is None else f" of {self.units:,} units ({self.unit})"
        rows = f"{self.rows:,} row{'s' * (self.rows != 1)}"
        said: list[str] = [f"{rows}{units} in {parts.height:,} part{'s' * (parts.height != 1)}"]
        if labels is not None:
            worst = labels.row(int(labels["off"].abs().arg_max() or 0), named=True)
            if not worst["off"]:
                return [*said, "every part has just the wanted rows of every label"]
            label = NO_LABEL if worst["label"] is None else name_of(worst["label"])
            rows = f"{worst['rows']:,} row{'s' * (worst['rows'] != 1)}"
            said.append(f"farthest off: {label} in {worst['part']}, {rows} instead of {worst['wanted']:,.1f}")
        return said


def split_report(
    units: Units,
    parts: Mapping[Hashable, Fraction],
    part: Integers,
    *,
    unit: str | None,
    pandas: bool = False,
) -> SplitReport[Any]:
    """Count the rows, units and labels of the parts of a split.

    Args:
        units: the units of the rows.
        parts: wanted shares by name.
        part: number of the part of each unit, shape (u,).
        unit: the column of units, or None.
        pandas: return the tables as pandas frames.
    """
    counts, number = units.counts, len(parts)
    names = pl.Series("part", list(parts))
    shares = np.array([float(share) for share in parts.values()])
    rows = np.bincount(part, weights=counts.rows, minlength=number).astype(np.int64)
    of_parts = _counted(rows[None], shares).insert_column(0, names)
    of_parts.insert_column(1, pl.Series("units", np.bincount(part, minlength=number)))
    of_labels = None
    if units.labels:
        width = sum(map(len, units.labels.values()))
        table = np.zeros((width, number), np.int64)
        np.add.at(table, (counts.label, part[counts.unit]), counts.count)
        totals, first, found = table.sum(axis=1), 0, []
        for name, labels in units.labels.items():
            order = np.argsort(-totals[first : first + len(labels)], kind="stable")
            values = labels if len(units.labels) == 1 else labels.cast(pl.String)
            of_labels = _counted(table[first + order], shares).insert_column(
                0, values[np.repeat(order, number)].alias("label")
            )
            of_labels.insert_column(0, pl.repeat(name, of_labels.height, dtype=pl.String, eager=True).alias("column"))
            found.append(of_labels.insert_column(2, names[np.tile(np.arange(number), len(labels))]))
            first += len(labels)
        of_labels = pl.concat(found)
    tables = of_parts, of_labels
    native = [each.to_pandas() if pandas and each is not None else each for each in tables]
    return SplitReport(
        unit, tuple(units.labels), int(rows.sum()), len(counts.rows), native[0], native[1], _tables=tables
    )


def _counted(table: Integers, shares: np.ndarray[Any, np.dtype[np.float64]]) -> pl.DataFrame:
    """Return actual and wanted rows, one row per label and part."""
    totals = table.sum(axis=1, keepdims=True)
    wanted = np.round(totals * shares, 9)  # 0.29 of 100 rows is 29, not slightly less
    columns = {
        "rows": table,
        "wanted": wanted,
        "off": table - wanted,
        "share": table / np.maximum(totals, 1),
        "wanted_share": np.broadcast_to(shares, table.shape),
    }
    return pl.DataFrame({name: values.ravel() for name, values in columns.items()})
