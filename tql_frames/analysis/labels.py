"""How often each label of a column is expected in a sample: exact expectations, from sums over the table.

Nothing is drawn. How the numbers are shown is the caller's.
"""

from __future__ import annotations

import polars as pl

from tql_frames import api
from tql_frames.compiler.scope import column
from tql_frames.errors import TQLError, TQLNameError, TQLTypeError, did_you_mean


def label_shares(frame: pl.LazyFrame, by: str, sampler: str) -> pl.DataFrame:
    """Shares of labels before and after sampling with replacement.

    Args:
        frame: the rows; read in the streaming engine, twice.
        by: the column of labels, or of lists of them: a row of several counts for each.
        sampler: TQL text of the weight.

    Returns:
        A row a label, the commonest first: `label`, `rows` that have it, `share` of all rows, `expected` share of the
        draws, and the `factor` between the two; NaN where there are no rows, or no weight.

    Raises:
        TQLError: as `sample`; or there is no such column, or its values are no labels.

    Example:
        >>> table = pl.LazyFrame({"age": [71, 34, 65, 20], "view": ["PA", "AP", "PA", "PA"]})
        >>> label_shares(table, "view", "max_weight(age < 50: 3, True: 1)")
        shape: (2, 5)
        ┌───────┬──────┬───────┬──────────┬──────────┐
        │ label ┆ rows ┆ share ┆ expected ┆ factor   │
        │ ---   ┆ ---  ┆ ---   ┆ ---      ┆ ---      │
        │ str   ┆ u32  ┆ f64   ┆ f64      ┆ f64      │
        ╞═══════╪══════╪═══════╪══════════╪══════════╡
        │ PA    ┆ 3    ┆ 0.75  ┆ 0.625    ┆ 0.833333 │
        │ AP    ┆ 1    ┆ 0.25  ┆ 0.375    ┆ 1.5      │
        └───────┴──────┴───────┴──────────┴──────────┘
    """
    schema = frame.clone().collect_schema()  # of a clone, which leaves all of the plan to the optimizer
    if by not in schema:
        raise TQLNameError(f"unknown column {by!r}", hint=did_you_mean(by, schema))
    dtype = schema[by]
    if dtype.is_nested() and not (isinstance(dtype, pl.List) and not dtype.inner.is_nested()):
        raise TQLTypeError(
            f"column {by!r} of type {dtype} holds no labels", hint="name a column of values, or of lists"
        )
    label = column(by).alias("label")
    # Both are computed from the columns as they are, whatever these are called.
    labels = label.list.unique() if isinstance(dtype, pl.List) else label
    plan = frame.with_columns(labels, api.weight_expr(sampler, schema).alias("weight")).select("label", "weight")
    weight = pl.col("weight")
    bad = (weight < 0) | ~weight.is_finite()
    rows, total, wrong = (
        plan.select(pl.len(), weight.sum().alias("total"), bad.any().alias("bad")).collect(engine="streaming").row(0)
    )
    if wrong:
        api.weights(frame, sampler).collect()  # which says what is wrong with them
    if total == float("inf"):
        raise TQLError("the sum of the weights is beyond the range of numbers", hint="divide them by a constant")
    each = plan.explode("label") if isinstance(dtype, pl.List) else plan
    found = each.group_by("label").agg(pl.len().alias("rows"), weight.sum()).collect(engine="streaming")
    return found.sort("rows", "label", descending=[True, False], nulls_last=True).select(
        "label",
        "rows",
        share=pl.col("rows") / rows,
        expected=weight / total,
        factor=(weight / total) / (pl.col("rows") / rows),
    )
