"""The public calls, the same pipeline for every frame: check the arguments, weigh the rows, draw, take.

Frames are known to their adapters only, expressions to the compiler, draws to `sampling`.
"""

from __future__ import annotations

import operator
import sys
import warnings
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Literal, TypeVar, overload

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler import compile_sampler
from tql_frames.errors import TQLError, TQLWarning, WeightError
from tql_frames.explanation import Explanation, explain_sampler
from tql_frames.frames import Adapter, LazyAdapter, adapt
from tql_frames.sampling import draw, fresh_seed
from tql_frames.weighing import Weigher

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame, pd.DataFrame)
Order = Literal["draw", "source"]

_MOST_ROWS = 2**48  # a limit beyond any memory, caught before NumPy overflows
_LIBRARIES = ("tql_frames", "polars", "pandas")  # a call may come by way of `collect` or `pipe`


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
    if not (index is None or isinstance(index, str)):
        raise TQLError(f"index must be a column name or None, not {index!r}")
    adapter = adapt(frame, index, ignore_index)
    weigher = Weigher.of(sampler, adapter)

    def positions(rows: Adapter) -> NDArray[np.int64]:
        weights = weigher.weigh(rows)
        size = size_of(rows.rows)
        if not rows.rows:
            if size:
                raise WeightError(
                    f"cannot draw {size:,} rows from an empty frame", hint="an empty frame takes no limit"
                )
            return np.empty(0, np.int64)
        weigher.check_drawable(weights)
        found = draw(weights, size, replace=bool(replace), seed=fixed_seed)
        if len(found) < size:
            message = (
                f"{size:,} rows were asked for without replacement, but only {len(found):,} have a positive weight"
            )
            warnings.warn(TQLWarning(message), stacklevel=_caller_level())
        return np.sort(found) if order == "source" else found

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
    weigher = Weigher.of(sampler, adapter)
    if isinstance(adapter, LazyAdapter):
        return adapter.then_series(weigher.weigh, "weight")
    return adapter.series(weigher.weigh(adapter), "weight")  # type: ignore[return-value]


def explain(frame: pl.DataFrame | pl.LazyFrame | pd.DataFrame, sampler: str | pl.Expr) -> Explanation:
    """Say what a sampler does to a frame, before anything is drawn.

    Args:
        frame: a Polars DataFrame or LazyFrame (its plan is run), or a pandas DataFrame.
        sampler: TQL text, the name of a weight column, or a Polars expression.

    Returns:
        Text: the sampler's tree, its Polars expression, and for each arm the rows that match it and the share of draws
        with replacement that are expected to be such rows. Rows may match several arms.

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
    adapter = adapt(frame)
    weigher = Weigher.of(sampler, adapter)
    return explain_sampler(weigher, adapter.now() if isinstance(adapter, LazyAdapter) else adapter)


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
    return compile_sampler(text, types).weight


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


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, (bool, np.bool_)):
        raise TQLError(f"{name} must be True or False, not {value!r}")


def _caller_level() -> int:
    """Stack level of the first caller outside the libraries, so that a warning points at the user's line."""
    level, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _LIBRARIES:
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    return level
