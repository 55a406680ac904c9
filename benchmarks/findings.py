"""The chest X-ray table, repeated to any number of rows: a List(String) column and a sampler of five findings.

The figures are `tql_frames.datasets`'s; tables of plain columns are in `tables`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.tables import Integers, Population
from tql_frames.datasets import chest_xray

ARMS = {"Hernia": 20, "Pneumonia": 8, "Fibrosis": 5, "Edema": 4, "Emphysema": 2}
_CONDITIONS = ", ".join(f"contains(findings, '{name}'): {weight}" for name, weight in ARMS.items())
SAMPLER = f"max_weight({_CONDITIONS}, True: 1)"


def frame(rows: int) -> pl.DataFrame:
    """List(String) `findings`, Int16 `age`, Int64 `row`: the X-rays one after another, again and again."""
    base = chest_xray().select("findings", "age")
    taken = base[_repeated(base.height, rows)]
    return taken.with_columns(row=pl.Series(np.arange(rows)))


def population(rows: int) -> Population:
    """The rows by weight, found finding by finding rather than by an expression."""
    found = chest_xray()["findings"].to_list()
    weights = np.array([max(ARMS.get(name, 1) for name in names) for names in found], np.float64)
    values, groups = np.unique(weights, return_inverse=True)
    group_of = groups.astype(np.uint8)[_repeated(len(found), rows)]
    counts = np.bincount(group_of, minlength=len(values))
    return Population(values, counts, np.arange(len(values)), group_of, tuple(f"weight {value:g}" for value in values))


def matches(rows: int) -> dict[str, int]:
    """Rows that show each of the five findings."""
    base = chest_xray()
    times = np.bincount(_repeated(base.height, rows), minlength=base.height)
    shown = base.select("findings", times=times).explode("findings").group_by("findings").agg(pl.col("times").sum())
    by_name = dict(shown.iter_rows())
    return {name: by_name[name] for name in ARMS}


def _repeated(height: int, rows: int) -> Integers:
    return np.arange(rows) % height
