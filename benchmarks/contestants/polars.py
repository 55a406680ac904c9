"""Polars: its uniform sample, a weighted one by exponential keys, and the least that a weighted one costs.

Ours on Polars frames is in `ours`, Polars on lists in `polars_lists`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from benchmarks import checks, tables
from benchmarks.jobs import Contestant, Job


def label_weight() -> pl.Expr:
    """What `tables.LABEL_SAMPLER` means, as one would write it by hand."""
    label = pl.col("label")
    return (
        pl.when(label == 14)
        .then(20.0)
        .when(label == 13)
        .then(8.0)
        .when(label == 12)
        .then(5.0)
        .when(label == 11)
        .then(3.0)
        .when(label != 10)
        .then(1.0)
        .otherwise(0.0)
    )


def uniform(job: Job) -> Contestant:
    """`df.sample(n=…)`: every row as likely as any other."""
    frame = pl.DataFrame(tables.columns(job))
    return Contestant(
        lambda seed: frame.sample(n=job.draws, with_replacement=job.replace, seed=seed),
        lambda result: checks.fault(tables.population(job).uniform(), job, result["row"].to_numpy()),
        (frame,),
    )


def exponential_keys(job: Job) -> Contestant:
    """`df.bottom_k` by an Exp(1) number over the weight, which draws without replacement (Efraimidis & Spirakis)."""
    frame = pl.DataFrame(tables.columns(job))

    def run(seed: int) -> pl.DataFrame:
        exponential = pl.Series(np.random.default_rng(seed).standard_exponential(job.rows))
        return frame.bottom_k(job.draws, by=pl.lit(exponential) / label_weight())

    return Contestant(run, lambda result: checks.fault(tables.population(job), job, result["row"].to_numpy()), (frame,))


def weight_and_take(job: Job) -> Contestant:
    """The least that a weighted sample has to do: the weights in one `select`, and a take of as many random rows."""
    frame = pl.DataFrame(tables.columns(job))

    def run(seed: int) -> pl.DataFrame:
        frame.select(label_weight())
        return frame[np.random.default_rng(seed).integers(0, job.rows, job.draws)]

    return Contestant(
        run, lambda result: checks.fault(tables.population(job).uniform(), job, result["row"].to_numpy()), (frame,)
    )


def deciding_arm(conditions: Iterable[pl.Expr] | None = None) -> pl.Expr:
    """The number of the last condition that a row meets, counted from 1; 0 where it meets none.

    By default the conditions are those on the labels of the standard table.
    """
    label, number = pl.col("label"), pl.lit(0, pl.UInt8)
    arms = [label != 10, label == 11, label == 12, label == 13, label == 14] if conditions is None else conditions
    for place, arm in enumerate(arms, 1):
        number = pl.when(arm).then(pl.lit(place, pl.UInt8)).otherwise(number)
    return number


def deciding_arms(job: Job) -> Contestant:
    """The number of the arm that decides each row in one `select`, and no sample."""
    frame = pl.DataFrame(tables.columns(job))

    def fault(result: pl.DataFrame) -> str | None:
        weights = np.array([0.0, 1.0, 3.0, 5.0, 8.0, 20.0])[result.to_series().to_numpy()]
        return None if (weights == tables.row_weights(job)).all() else "the arms are wrong"

    return Contestant(lambda _: frame.select(deciding_arm()), fault, (frame,))


def is_in(job: Job) -> Contestant:
    """`df.filter(is_in)`: the rows whose numbers are among 300,000, a tenth of all."""
    numbers, values = tables.numbers(job.rows), np.arange(tables.VALUES)
    frame = pl.DataFrame({"n": numbers})
    sought = pl.Series(values)

    def fault(result: pl.DataFrame) -> str | None:
        return None if result.height == (numbers < tables.VALUES).sum() else "other rows are found"

    return Contestant(lambda _: frame.filter(pl.col("n").is_in(sought.implode())), fault, (frame, values))
