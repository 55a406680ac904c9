"""Find the label columns of a frame, and prepare the counts of labels for the chart.

`analysis` computes the counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tql_frames.analysis import LabelColumns, Report, population_of, report_on, sampled_by
from tql_frames.analysis.display.table import name_of
from tql_frames.analysis.labels import Labels
from tql_frames.analysis.report import Expectations
from tql_frames.compiler.expressions.scope import column
from tql_frames.errors import TQLError
from tql_frames.frames import Frame, kept_frame_of
from tql_frames.language import is_statement
from tql_frames.pipeline.draw import DrawSpec
from tql_frames.views.drawn_view import View

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 300  # labels in a chart; if there are more, half of this number from each end, as in other charts

_HEAD = 10_000  # rows from which label columns are recognised
_NAMED = 3  # greatest number of columns in the name of a choice
_FEW = 60  # distinct values up to which a column of text or integers is a label column


def head_of(frame: pl.DataFrame | pd.DataFrame) -> pl.DataFrame:
    """Return the first rows of the columns that can be converted to Polars, without reading the whole frame."""
    source = kept_frame_of(frame.head(_HEAD), None)
    rows = np.arange(source.rows)
    columns = []
    for name in source.scan(frozenset()).labels:
        try:
            if isinstance(name, str):
                columns.append(source.read([name], rows)[name])
        except TQLError:
            continue
    return pl.DataFrame(columns)


def columns_of_labels(head: pl.DataFrame) -> list[str]:
    """Return label columns, most suitable first: lists, categories, then text, Booleans and integers with few values.

    Examples:
        >>> head = pl.DataFrame({"id": range(9), "sex": list("MFM" * 3), "tags": [["a"], ["b"], []] * 3})
        >>> columns_of_labels(head)
        ['tags', 'sex']
    """
    ranks = {name: rank for name in head.columns if (rank := _rank(head[name])) is not None}
    return sorted(ranks, key=lambda name: ranks[name])


def choice_name(columns: LabelColumns, schema: Mapping[str, pl.DataType]) -> str:
    """Return the name of labels on the page, which differs from all column names if there are several columns.

    Raises:
        TQLError: a column does not exist or has no labels.

    Examples:
        >>> schema = dict.fromkeys(["wet", "old", "big", "red"], pl.Boolean())
        >>> choice_name(LabelColumns(tuple(schema)), schema)
        'wet, old, … 4 columns'
    """
    columns.key(schema, column)
    if isinstance(columns.by, str):
        return columns.by
    names = list(columns.by)
    name = ", ".join(names if len(names) <= _NAMED else [*names[: _NAMED - 1], f"… {len(names):,} columns"])
    while name in schema:
        name += " "
    return name


def texts_of(head: pl.DataFrame, columns: Sequence[str], chosen: LabelColumns | None = None) -> dict[str, list[str]]:
    """Return the text labels of columns, sorted, at most `SHOWN` for each column.

    Args:
        head: the first rows.
        columns: names of columns; names that are not in `head` are left out.
        chosen: labels that the user named, whose texts are split if they have a separator.

    Examples:
        >>> texts_of(pl.DataFrame({"tags": [["b"], ["a", "b"], None], "n": [1, 2, 3]}), ["tags", "n"])
        {'tags': ['a', 'b']}
    """
    found = {}
    for name in columns:
        if name not in head.columns:
            continue
        values = head[name]
        if chosen is not None and chosen.by == name and chosen.separator is not None:
            values = chosen.key(head.schema, column).labels(values)
        while isinstance(values.dtype, (pl.List, pl.Array)):
            values = values.explode()
        if isinstance(values.dtype, (pl.String, pl.Categorical, pl.Enum)):
            found[name] = values.cast(pl.String).unique().drop_nulls().sort().head(SHOWN).to_list()
    return found


def _rank(values: pl.Series) -> int | None:
    dtype = values.dtype
    if isinstance(dtype, (pl.List, pl.Array)):
        inner = dtype.inner
        plain = inner in (pl.String, pl.Boolean, pl.Categorical, pl.Enum) or inner.is_integer()
        return 0 if plain and (isinstance(dtype, pl.List) or len(dtype.shape) == 1) else None
    if dtype in (pl.Enum, pl.Categorical):
        return 1
    if dtype == pl.Boolean:
        return 3
    if dtype == pl.String or dtype.is_integer():
        different = values.n_unique()
        if different <= min(_FEW, max(len(values) // 2, 2)):
            return 2 if dtype == pl.String else 4
    return None


def expected(
    source: Frame, expectations: Expectations, by: LabelColumns, text: str, size: int | None, *, replace: bool
) -> Report[Any]:
    """Return the exact expected effect of a sampler or statement on the labels of a column.

    Raises:
        TQLError: as `tql_frames.report`.
    """
    if not is_statement(text):
        return expectations.report(text if text.strip() else "1", size, replace=replace)
    sampled = sampled_by(source, text, None, by, seed=0)
    if sampled is None:  # without SAMPLE BY: the labels of the frame
        return report_on(population_of(source, by, None, seed=0), by, DrawSpec())
    return report_on(sampled.population, by, sampled.spec)


def as_sent(report: Report[Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the values of the labels in the chart, and the numbers to send to the page."""
    labels = report.labels
    assert isinstance(labels, pl.DataFrame)
    half = SHOWN // 2
    between = max(labels.height - SHOWN, 0)
    shown = pl.concat([labels.head(half), labels.tail(half)]) if between else labels
    wanted = ("rows", "share", "expected_share", "expected_count", "factor")
    rows = [
        {"label": name_of(row["label"]), **{key: row.get(key) for key in wanted}} for row in shown.iter_rows(named=True)
    ]
    numbers = {"labels": rows, "between": between, "size": report.size, "rows": report.rows}
    numbers |= {"effective": report.effective_rows, "distinct": report.expected_distinct}
    return shown["label"].to_list(), numbers


def drawn(view: View[Any], by: LabelColumns) -> list[list[Any]]:
    """Return the labels of the rows of a view: name, number of rows, and share of the rows.

    Examples:
        >>> view = pl.DataFrame({"sex": ["F", "M"]}).tql.view("max_weight(sex = 'F': 1)", 3, seed=1)
        >>> drawn(view, LabelColumns("sex"))
        [['F', 3, 1.0]]
    """
    rows = view.adapter.frame.read(list(by.names), view.positions)
    key = by.key(rows.schema, column)
    counted = rows.lazy().select(key.expr.alias("label"))
    counts = counted.group_by("label").agg(pl.len().cast(pl.Int64).alias("rows")).collect()
    key.check(counts["label"], rows.lazy())
    found = Labels.of(key.labels(counts["label"]), counts["rows"].to_numpy())
    totals = found.sets.totals(counts["rows"].to_numpy())
    return [
        [name_of(label), int(total), float(total) / len(view)]
        for label, total in zip(found.values.to_list(), totals.tolist(), strict=True)
    ]
