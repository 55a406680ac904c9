"""The public calls, the same pipeline for every frame: check the arguments, weigh the rows, draw, take.

Frames are known to their adapters only, expressions to the compiler, draws to `sampling`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Literal, TypeVar, overload

import numpy as np
import pandas as pd
import polars as pl

from tql_frames.compiler import compile_sampler
from tql_frames.drawing import Draw, random_numbers
from tql_frames.errors import TQLError
from tql_frames.explanation import Explanation, explain_sampler, explain_statement
from tql_frames.frames import Adapter, LazyAdapter, PandasAdapter, adapt
from tql_frames.language import is_statement
from tql_frames.querying import Query, prepare
from tql_frames.sampling import Positions, fresh_seed
from tql_frames.weighing import Weigher

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame, pd.DataFrame)
Order = Literal["draw", "source"]

_MOST_ROWS = 2**48  # a limit beyond any memory, caught before NumPy overflows


def sample(
    frame: Frame,
    sampler: str | pl.Expr,
    limit: int | None = None,
    *,
    fraction: float | None = None,
    replace: bool = True,
    seed: int | None = None,
    order: Order = "draw",
    index: str | None = "index",
    ignore_index: bool = False,
) -> Frame:
    """Draw rows of a frame by weight.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame; it is not modified. Of a LazyFrame nothing runs
            before `collect`.
        sampler: the weight of a row: TQL text, such as `"max_weight(age > 60: 5, True: 1)"` or the name of a weight
            column, or a Polars expression. Any scale; null counts as 0, and rows of weight 0 are never drawn.
        limit: rows to draw; by default as many as the frame has.
        fraction: rows to draw as a share of the frame's, rounded down; instead of `limit`.
        replace: with replacement each draw takes a row with probability weight / total. Without, rows are drawn one
            after another by weight among those left (successive sampling), at most the rows of positive weight.
        seed: whole number >= 0 that fixes the sample: the same rows on every kind of frame. By default a fresh one,
            which for a LazyFrame is fixed when the plan is built.
        order: `"draw"` for the order drawn, which is random; `"source"` for the order of the frame.
        index: Polars: name of a first column of original row numbers; None for none.
        ignore_index: pandas: number the rows of the sample anew instead of keeping their labels.

    Returns:
        A frame of the same kind, with the same columns and dtypes.

    Raises:
        TQLError: wrong text (with a caret under the fault), wrong arguments, or weights that cannot be drawn by.

    Warns:
        TQLWarning: fewer rows have a positive weight than were asked for without replacement.

    Example:
        >>> df = pl.DataFrame({"age": [71, 34, 65], "id": ["a", "b", "c"]})
        >>> sample(df, "max_weight(age > 60: 1)", limit=2, replace=False, seed=1, order="source")
        shape: (2, 3)
        ┌───────┬─────┬─────┐
        │ index ┆ age ┆ id  │
        │ ---   ┆ --- ┆ --- │
        │ u32   ┆ i64 ┆ str │
        ╞═══════╪═════╪═════╡
        │ 0     ┆ 71  ┆ a   │
        │ 2     ┆ 65  ┆ c   │
        └───────┴─────┴─────┘
    """
    size_of = _size(limit, fraction)
    fixed_seed = _seed(seed)
    _check_flag("replace", replace)
    _check_flag("ignore_index", ignore_index)
    if order not in ("draw", "source"):
        raise TQLError(f"order must be 'draw' or 'source', not {order!r}")
    _check_index(index)
    adapter = adapt(frame, index, ignore_index)
    weigher = Weigher.of(sampler, adapter, random_numbers(fixed_seed))
    how = Draw(weigher, size_of, bool(replace), fixed_seed)

    def positions(rows: Adapter) -> Positions:
        found = how.positions(rows)
        if order == "source":
            found.sort()
        return found

    if isinstance(adapter, LazyAdapter):
        return adapter.then_take(positions)  # type: ignore[return-value]
    return adapter.take(positions(adapter))  # type: ignore[return-value]


@overload
def weights(frame: pl.DataFrame, sampler: str | pl.Expr) -> pl.Series: ...
@overload
def weights(frame: pl.LazyFrame, sampler: str | pl.Expr) -> pl.LazyFrame: ...
@overload
def weights(frame: pd.DataFrame, sampler: str | pl.Expr) -> pd.Series: ...
def weights(
    frame: pl.DataFrame | pl.LazyFrame | pd.DataFrame, sampler: str | pl.Expr
) -> pl.Series | pl.LazyFrame | pd.Series:
    """Weights that a sampler gives to the rows of a frame.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame.
        sampler: TQL text, the name of a weight column, or a Polars expression.

    Returns:
        Float64 series `weight`, aligned with the frame (pandas: with its index); of a LazyFrame a LazyFrame of that
        one column. Weights are finite and >= 0, null as 0.

    Raises:
        TQLError: as `sample`; weights that are all 0 are no error here.

    Example:
        >>> weights(pl.DataFrame({"age": [71, 34]}), "max_weight(age > 60: 5, True: 1)").to_list()
        [5.0, 1.0]
    """
    adapter = adapt(frame)
    weigher = Weigher.of(sampler, adapter, random_numbers(fresh_seed()))
    if isinstance(adapter, LazyAdapter):
        return adapter.then_series(weigher.weigh, "weight")
    return adapter.series(weigher.weigh(adapter), "weight")  # type: ignore[return-value]


def explain(
    frame: pl.DataFrame | pl.LazyFrame | pd.DataFrame,
    sampler: str | pl.Expr,
    parameters: Sequence[object] | None = None,
) -> Explanation:
    """Say what a sampler or a statement does to a frame, before anything is drawn.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame. For a sampler, the plan of a LazyFrame is run.
        sampler: TQL text of a sampler, the name of a weight column, or a Polars expression; or a whole statement, which
            begins with SELECT.
        parameters: values for the `?` of a statement.

    Returns:
        Text. Of a sampler: its tree, its Polars expression, and for each arm the rows that match it and the share of
        draws with replacement that are expected to be such rows; rows may match several arms. Of a statement: its text
        as it was read, and the optimized Polars plan.

    Raises:
        TQLError: as `sample`.

    Example:
        >>> print(explain(pl.DataFrame({"age": [71, 34, 65, 20]}), "max_weight(age > 60: 3, True: 1)"))
        max_weight
        ├─ age > 60: 3
        └─ true: 1
        <BLANKLINE>
        arm          rows  share of rows  expected share of draws
        age > 60: 3     2         50.00%                   75.00%
        true: 1         4        100.00%                  100.00%
        <BLANKLINE>
        4 rows, 4 of positive weight, 2 distinct weights from 1 to 3
        <BLANKLINE>
        [...col("age")...
    """
    if isinstance(sampler, str) and is_statement(sampler):
        return explain_statement(_prepared(sampler, parameters, _adapter(frame, None), {}, seed=0, index=None))
    if parameters is not None:
        raise TQLError("a sampler takes no parameters; a statement does")
    adapter = adapt(frame)
    weigher = Weigher.of(sampler, adapter, random_numbers(fresh_seed()))
    return explain_sampler(weigher, adapter.now() if isinstance(adapter, LazyAdapter) else adapter)


def query(
    text: str,
    parameters: Sequence[object] | None = None,
    *,
    seed: int | None = None,
    index: str | None = "index",
    **frames: Frame,
) -> Frame:
    """Run a TQL statement on frames by name.

    Args:
        text: the statement; FROM and JOIN name the frames.
        parameters: a value for each `?` of the text, in order: numbers, text, booleans, None, dates and times, or lists
            of them.
        seed: whole number >= 0 that fixes what SAMPLE BY draws and random() gives. By default a fresh one, which for
            a LazyFrame is fixed when the plan is built.
        index: Polars: name of a first column of original row numbers; None for none. Rows that GROUP BY or JOIN make
            are numbered from 0.
        frames: Polars DataFrames and LazyFrames, or pandas DataFrames. They are not modified.

    Returns:
        A frame of the same kind, lazy if one of them is. pandas: rows of one frame keep their index labels, those that
        GROUP BY or JOIN make are numbered.

    Raises:
        TQLError: the text is wrong (with a caret under the fault), or does not fit the frames.

    Example:
        >>> scans = pl.DataFrame({"patient": [1, 2, 2], "finding": ["Hernia", "Mass", "Hernia"]})
        >>> patients = pl.DataFrame({"patient": [1, 2], "age": [71, 34]})
        >>> query(
        ...     "select finding, age from scans join patients using (patient) where age > ?",
        ...     [60],
        ...     index=None,
        ...     scans=scans,
        ...     patients=patients,
        ... )
        shape: (1, 2)
        ┌─────────┬─────┐
        │ finding ┆ age │
        │ ---     ┆ --- │
        │ str     ┆ i64 │
        ╞═════════╪═════╡
        │ Hernia  ┆ 71  │
        └─────────┴─────┘
    """
    if not frames:
        raise TQLError("pass the frames that the statement names: query(text, name=frame)")
    kinds = {"pandas" if isinstance(frame, pd.DataFrame) else "Polars" for frame in frames.values()}
    if len(kinds) > 1:
        raise TQLError("the frames are of two libraries; convert the pandas frames with pl.from_pandas, or the others")
    adapters = {name: _adapter(frame, index) for name, frame in frames.items()}
    return _prepared(text, parameters, None, adapters, seed=seed, index=index).result(index)  # type: ignore[return-value]


def query_frame(
    frame: Frame,
    text: str,
    parameters: Sequence[object] | None = None,
    *,
    seed: int | None = None,
    index: str | None = "index",
) -> Frame:
    """Run a TQL statement on one frame, which a SELECT without FROM reads; see `query`.

    Example:
        >>> df = pl.DataFrame({"age": [71, 34, 65]})
        >>> query_frame(df, "select age where age > 60 order by age limit 1", index=None).item()
        65
    """
    query = _prepared(text, parameters, _adapter(frame, index), {}, seed=seed, index=index)
    return query.result(index)  # type: ignore[return-value]


def _adapter(frame: object, index: str | None) -> Adapter | LazyAdapter:
    """The adapter of a frame to query; whether `index` is free is a question to the columns of the result."""
    _check_index(index)
    return adapt(frame, index if isinstance(frame, pd.DataFrame) else None)


def _prepared(
    text: str,
    parameters: Sequence[object] | None,
    default: Adapter | LazyAdapter | None,
    named: Mapping[str, Adapter | LazyAdapter],
    *,
    seed: int | None,
    index: str | None,
) -> Query:
    if not isinstance(text, str):
        raise TQLError(f"a statement is TQL text, not {type(text).__name__}")
    if parameters is not None and (isinstance(parameters, (str, bytes, Mapping)) or not hasattr(parameters, "__len__")):
        raise TQLError("parameters is a list of values, one for each `?` in order")
    adapters = [*named.values(), *([default] if default is not None else [])]
    numbered = index is not None or any(isinstance(each, PandasAdapter) for each in adapters)
    return prepare(text, parameters, default, named, seed=_seed(seed), numbered=numbered)


def weight_expr(text: str, schema: Mapping[str, pl.DataType] | pl.Schema) -> pl.Expr:
    """Translate a sampler to the Polars expression of its weight.

    Args:
        text: TQL: a weight choice, an expression, or the name of a weight column.
        schema: Polars type by column name, such as `df.schema` or `lf.collect_schema()`.

    Returns:
        A Float64 expression, null as 0; for `with_columns`, since a constant sampler gives one value to `select`. It
        says nothing about weights that are negative, NaN or infinite; `weights` and `sample` refuse them.

    Raises:
        TQLError: the text is wrong, or does not fit the schema.

    Example:
        >>> df = pl.DataFrame({"age": [71, 34]})
        >>> df.with_columns(weight=weight_expr("max_weight(age > 60: 5, True: 1)", df.schema))["weight"].to_list()
        [5.0, 1.0]
    """
    if not isinstance(text, str):
        raise TQLError(f"a sampler is TQL text, not {type(text).__name__}")
    try:
        types = pl.Schema(schema)
    except (TypeError, ValueError) as fault:
        raise TQLError(f"a schema gives each column name its Polars type: {fault}") from None
    return compile_sampler(text, types, random_numbers(fresh_seed())).weight


class _Size:
    """Rows to draw, as a function of the rows there are."""

    def __init__(self, limit: int | None, fraction: Fraction | None) -> None:
        self._limit, self._fraction = limit, fraction

    def __call__(self, rows: int) -> int:
        if self._limit is not None:
            return self._limit
        if self._fraction is None:
            return rows
        size = int(rows * self._fraction)
        if size > _MOST_ROWS:
            raise TQLError(f"fraction asks for {size:,} rows, more than any memory holds")
        return size


def _size(limit: object, fraction: object) -> _Size:
    if limit is not None and fraction is not None:
        raise TQLError("limit and fraction were both given; give one of them")
    if fraction is not None:
        share = _share(fraction)
        if share is None or share < 0:
            raise TQLError(f"fraction must be a number of at least 0, not {fraction!r}")
        return _Size(None, share)
    if limit is None:
        return _Size(None, None)
    number = _whole_number(limit)
    if number is None or number < 0:
        raise TQLError(f"limit must be a whole number of at least 0, not {limit!r}")
    if number > _MOST_ROWS:
        raise TQLError(f"limit is {number:,}, more rows than any memory holds")
    return _Size(number, None)


def _seed(seed: object) -> int:
    if seed is None:
        return fresh_seed()
    number = _whole_number(seed)
    if number is None or number < 0:
        raise TQLError(f"seed must be a whole number of at least 0, or None, not {seed!r}")
    return number


def _whole_number(value: object) -> int | None:
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _share(value: object) -> Fraction | None:
    """The number that was meant: 0.29 of 100 rows are 29 and 1/3 of 3 is 1, though their floats are a little less."""
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    try:
        return Fraction(str(value)).limit_denominator(10**12)
    except ValueError:  # NaN, infinity
        return None


def _check_index(index: object) -> None:
    if not (index is None or isinstance(index, str)):
        raise TQLError(f"index must be a column name or None, not {index!r}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, (bool, np.bool_)):
        raise TQLError(f"{name} must be True or False, not {value!r}")
