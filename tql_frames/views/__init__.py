"""Keep samples as row positions with a description of the draw, in memory or on disk.

The code that creates views is loaded for the first view, because most programs need none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tql_frames.frames import INDEX, Native
from tql_frames.pipeline.draw import Design, GroupBy, Limit, Order, named
from tql_frames.pipeline.weights import SamplerLike

if TYPE_CHECKING:
    from tql_frames.analysis.splits import Split
    from tql_frames.views.create import SavedView
    from tql_frames.views.drawn_view import View

__all__ = ["Split", "View", "load_view", "read_view", "split", "view"]


@named
def view(
    frame: Native,
    sampler: SamplerLike,
    limit: Limit | None = None,
    *,
    fraction: float | None = None,
    replace: bool = True,
    seed: int | None = None,
    order: Order = "draw",
    over: GroupBy | None = None,
    unit: GroupBy | None = None,
    design: Design | None = None,
    key: GroupBy | None = None,
    index: str | None = INDEX,
    ignore_index: bool = False,
    parameters: Sequence[object] | None = None,
) -> View[Native]:
    """Draw rows of a frame and keep their positions instead of the rows.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame. Later changes of it do not affect the view,
            except values that are written in place into a frame of pandas 2.
        sampler: as in `sample`; or a whole statement, which begins with SELECT and selects rows and columns of the
            frame: `*` or columns, WHERE, ORDER BY, LIMIT, SAMPLE BY, DISTINCT, set operations.
        limit: as in `sample`, like the following arguments; a statement takes only `seed` and `index` of them.
        fraction: rows to draw as a share of the frame's, instead of `limit`.
        replace: with or without replacement.
        seed: whole number >= 0 that fixes the rows: those of `sample` and `query` with the same seed.
        order: `"draw"` or `"source"`.
        over: groups, each sampled separately.
        unit: rows that are drawn together.
        design: how draws depend on weights and on each other.
        key: columns to whose values random numbers belong.
        index: Polars: name of the column of original row numbers in frames of the view; None for none.
        ignore_index: pandas: number the rows of the view from 0 instead of keeping their labels.
        parameters: a value for each `?` of the text, in order.

    Returns:
        A view. The plan of a LazyFrame does not run before its rows are requested. Then a plan of files is read in
        passes, as in `sample`; any other plan is collected once, and held.

    Raises:
        TQLError: as in `sample` and `query`; or the statement creates rows or columns that the frame does not have:
            GROUP BY, JOIN, computed columns.

    Examples:
        >>> import polars as pl
        >>> df = pl.DataFrame({"age": [71, 34, 65]})
        >>> young = view(df, "max_weight(age < 70: 1)", limit=3, seed=1)
        >>> young.positions, young.counts().rows()
        (array([1, 1, 2]), [(1, 2), (2, 1)])
        >>> young.to_native().equals(df.tql.sample("max_weight(age < 70: 1)", limit=3, seed=1))
        True
        >>> young.sample("max_weight(age > 60: 1)", limit=1)["index"].to_list()
        [2]
    """
    made: View[Native] = _making().view_of(
        frame,
        sampler,
        limit=limit,
        fraction=fraction,
        replace=replace,
        seed=seed,
        order=order,
        over=over,
        unit=unit,
        design=design,
        key=key,
        index=index,
        ignore_index=ignore_index,
        parameters=parameters,
    )
    return made


@named
def load_view(
    path: str | os.PathLike[str],
    frame: Native,
    *,
    strict: bool = False,
    columns: Sequence[object] | None = None,
) -> View[Native]:
    """Load a view that `View.save` saved, for a frame with the same values.

    Values are compared, not types: a view of a Polars frame loads on `to_pandas()` of it, on a LazyFrame, and on a
    file. Integers and floats are compared as numbers, String, Categorical and Enum as text, Date and Datetime as points
    in time, List and Array as lists; NaN is null and -0.0 is 0.0. These values differ: a number and its text, a Decimal
    and a float, a Boolean and a number, a Datetime with a time zone and one without, and an integer beyond 2**53 that
    pandas rounded to a float because its column has nulls.

    Args:
        path: path of the file.
        frame: a frame of any kind with the same values; it is read once to compare them. Columns may be in another
            order, chunks may have other sizes. Index labels of pandas frames are compared, their names are not.
        strict: refuse new columns, and missing columns even if the view does not need them. A view needs the columns
            that its sampler or statement names, and the columns that it contains.
        columns: compare only these columns, such as an identifier, and not the index.

    Returns:
        The view, with the same positions, steps, `message` and the time it was `saved`. Its `differences` list columns
        that are new, missing or were not compared. A sampler that was a Polars expression is kept as text only.

    Raises:
        TQLError: the frame differs; the message names the difference: other values and their columns, more or fewer
            rows, another order of the rows, needed columns renamed or missing, other types, other index labels. Or the
            file is not a view, or is damaged.
        OSError: the file cannot be read.

    Examples:
        >>> import polars as pl
        >>> from tempfile import mkdtemp
        >>> df, path = pl.DataFrame({"age": [71, 34, 65]}), mkdtemp() + "/old.parquet"
        >>> view(df, "max_weight(age > 60: 1)", limit=4, seed=1).save(path, "for the first test")
        >>> load_view(path, df).positions
        array([0, 0, 2, 2])
        >>> load_view(path, df.sort("age"))
        Traceback (most recent call last):
            ...
        tql_frames.TQLError: the frame is not the one that the view was saved of: it has the same rows in another order
          bring them back into their order, or draw the view again, by the sampler and seed in its file
    """
    loaded: View[Native] = _making().load(path, frame, strict=strict, columns=columns)
    return loaded


@named
def read_view(path: str | os.PathLike[str]) -> SavedView:
    """Read a file that `View.save` wrote, without the frame.

    Args:
        path: path of the file.

    Returns:
        The positions of the rows, how they were drawn, and a description of the frame.

    Raises:
        TQLError: the file is not a view, or is damaged.
        OSError: the file cannot be read.

    Examples:
        >>> import polars as pl
        >>> from tempfile import mkdtemp
        >>> df, path = pl.DataFrame({"age": [71, 34, 65]}), mkdtemp() + "/old.parquet"
        >>> view(df, "max_weight(age > 60: 1)", limit=4, seed=1).save(path, "for the first test")
        >>> saved = read_view(path)
        >>> saved.sampler, saved.seed, saved.limit, saved.rows, saved.schema, saved.message
        ('max_weight(age > 60: 1)', 1, 4, 3, {'age': 'Int64'}, 'for the first test')
        >>> saved.positions
        array([0, 0, 2, 2])
    """
    found: SavedView = import_module("tql_frames.views.create").read(path)
    return found


@named
def split(
    frame: Native,
    parts: Mapping[str, float] | None = None,
    *,
    folds: int | None = None,
    unit: str | None = None,
    by: str | Sequence[str] | None = None,
    key: str | None = None,
    seed: int | None = None,
    index: str | None = INDEX,
    ignore_index: bool = False,
) -> Split[View[Native]]:
    """Split the rows of a frame into disjoint parts that keep whole units together, and labels in proportion.

    Without `by`, the parts have exactly the wanted numbers of units, the largest remainders rounded up, and every
    assignment of these sizes is equally likely. With `by`, units are assigned so that the rows of each part, and the
    rows of each label in it, are as close to the wanted numbers as a search finds; the numbers of units follow from
    this. With many small units, all are within a row or two. `report()` of the result shows the differences.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame. Later changes of it have no effect, as in `view`.
        parts: share of each part by its name, such as `{"train": 0.8, "val": 0.1, "test": 0.1}`; the sum is 1.
        folds: number of parts of equal shares, named from 0 on, instead of `parts`: the parts to test on of a
            cross-validation.
        unit: the column whose rows with equal values stay together, such as an identifier of patients. Null is a value,
            too: all rows without a value stay together. By default each row is a unit, so copies of a row may be in
            different parts.
        by: the column of labels, or of lists of them, or a list of such columns, whose labels are counted separately.
            A list counts a label once; rows without one (null, or an empty list) are in proportion, too.
        key: the column whose values are assigned to parts by a random number per value: rows stay in their parts when
            other rows are added or removed. It is also the unit. The sizes of the parts vary by chance.
        seed: whole number >= 0 that fixes the parts: the same rows on every kind of frame. By default a fresh one.
        index: Polars: name of the column of original row numbers in frames of the parts; None for none.
        ignore_index: pandas: number the rows of each part from 0 instead of keeping their labels.

    Returns:
        A mapping with a view for each part, in the order of `parts`; its rows are in the order of the frame. Each row
        is in one part. For folds, `folds()` yields the views to train and to test on. The plan of a LazyFrame runs
        when the rows of a part are requested; then the columns of units and labels are read once for all parts.

    Raises:
        TQLError: wrong arguments, shares that do not sum to 1, a column that does not exist or cannot hold units or
            labels, or a part would be empty; for a LazyFrame the last error is raised when its rows are requested.

    Warns:
        TQLWarning: with `key`, a part is empty.

    Examples:
        >>> import polars as pl
        >>> df = pl.DataFrame({"id": [1, 1, 2, 3, 3, 4], "view": ["PA", "PA", "AP", "PA", "PA", "AP"]})
        >>> parts = split(df, {"train": 0.5, "test": 0.5}, unit="id", by="view", seed=7)
        >>> parts["train"].to_native()
        shape: (3, 3)
        ┌───────┬─────┬──────┐
        │ index ┆ id  ┆ view │
        │ ---   ┆ --- ┆ ---  │
        │ u32   ┆ i64 ┆ str  │
        ╞═══════╪═════╪══════╡
        │ 0     ┆ 1   ┆ PA   │
        │ 1     ┆ 1   ┆ PA   │
        │ 2     ┆ 2   ┆ AP   │
        └───────┴─────┴──────┘
        >>> {name: view.positions.tolist() for name, view in split(df, folds=3, seed=7).items()}
        {0: [0, 5], 1: [2, 4], 2: [1, 3]}
    """
    made: Split[View[Native]] = _making().split_of(
        frame, parts, folds=folds, unit=unit, by=by, key=key, seed=seed, index=index, ignore_index=ignore_index
    )
    return made


def __getattr__(name: str) -> Any:
    if name == "View":
        return _making().View
    if name == "Split":
        return import_module("tql_frames.analysis.splits").Split
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _making() -> Any:
    return import_module("tql_frames.views.create")
