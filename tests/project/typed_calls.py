"""Typical lines of users, for type checkers: test_types.py runs mypy and pyright over them, and nobody runs them.

A line that ends with `# wrong` is a mistake that both find; all others are right, and have the types that are asserted.
"""

from typing import assert_type

import numpy as np
import pandas as pd
import polars as pl

import tql_frames
from tql_frames import View, tql
from tql_frames.analysis import Balance, Report


def of_polars(df: pl.DataFrame, lf: pl.LazyFrame) -> None:
    assert_type(tql_frames.sample(df, "max_weight(age > 60: 5, True: 1)", limit=10, seed=7), pl.DataFrame)
    assert_type(tql_frames.sample(lf, "age", fraction=0.1, replace=False), pl.LazyFrame)
    assert_type(tql(df).sample("age", 5, order="source", index=None), pl.DataFrame)
    assert_type(tql(lf).sample("age", expected="times").collect(), pl.DataFrame)
    assert_type(df.pipe(tql).sample("age"), pl.DataFrame)
    assert_type(tql(df).query("select age where age > ?", [60]), pl.DataFrame)
    assert_type(tql(df).weights("age"), pl.Series)
    assert_type(tql(lf).weights("age"), pl.LazyFrame)
    assert_type(tql(df).view("age", limit={"PA": 5}, over="view"), View[pl.DataFrame])
    assert_type(tql(df).view("age").to_native(), pl.DataFrame)
    assert_type(tql(lf).view("age")[:5], pl.DataFrame)
    assert_type(tql(df).balance("findings", {"Hernia": 0.1}), Balance[pl.DataFrame])
    assert_type(tql(df).report("age", by="findings", split="|").labels, pl.DataFrame | None)
    assert_type(tql(df).explore("age").query, str)
    assert_type(tql(df).split({"train": 0.8, "test": 0.2})["train"].to_polars(), pl.DataFrame)
    assert_type(tql(df).split(folds=3)[0], View[pl.DataFrame])
    assert_type(tql(lf).report(by="age", split="|").labels, pl.DataFrame | None)
    assert_type(tql(lf).balance("age").labels, pl.DataFrame)
    assert_type(lf.pipe(tql_frames.sample, "age", 5, seed=1), pl.LazyFrame)
    assert_type(tql_frames.view(lf, "select age").to_native(), pl.LazyFrame)
    assert_type(list(tql_frames.view(lf, "age").batches(5)), list[pl.DataFrame])
    assert_type(tql_frames.weight_expr("age", df.schema), pl.Expr)
    explanation: str = tql_frames.explain(df, "age")
    assert_type(explanation.splitlines(), list[str])
    assert_type(tql_frames.sample(df, "age", limit=3, order="source"), pl.DataFrame)
    assert_type(tql_frames.sample(lf, pl.col("age"), fraction=0.5), pl.LazyFrame)
    assert_type(df.pipe(tql_frames.sample, "age"), pl.DataFrame)
    assert_type(tql_frames.weights(df, "age"), pl.Series)
    assert_type(tql_frames.weights(lf, "age"), pl.LazyFrame)
    assert_type(tql_frames.view(df, "age", limit=3), View[pl.DataFrame])
    assert_type(tql_frames.report(df, by="age").labels, pl.DataFrame | None)
    assert_type(tql_frames.balance(lf, "age").labels, pl.DataFrame)
    assert_type(tql(lf).view("age").to_native(), pl.LazyFrame)
    tql(df).sample("age", limit="ten")  # wrong
    tql(df).sample()  # wrong
    tql_frames.sample(df, "age", order="sorted")  # wrong
    tql_frames.sample(df, 5)  # wrong
    tql(df).sample("age", replace="yes")  # wrong
    tql(df).sample("age", frac=0.1)  # wrong
    tql(df).samples("age")  # wrong
    tql(lf).explore("age")  # wrong


def of_pandas(df: pd.DataFrame) -> None:
    assert_type(tql_frames.sample(df, pd.Series([1.0, 2.0]), ignore_index=True), pd.DataFrame)
    assert_type(tql(df).sample(np.ones(3), limit=5), pd.DataFrame)
    assert_type(df.pipe(tql).view("age").to_pandas(), pd.DataFrame)
    assert_type(tql(df).report("age", by=["a", "b"]), Report[pd.DataFrame])
    assert_type(tql_frames.sample(df, "age", ignore_index=True), pd.DataFrame)
    assert_type(tql_frames.report(df, "age", by=["a"]).arms, pd.DataFrame | None)
    assert_type(tql_frames.balance(df, "age").report.labels, pd.DataFrame | None)
    assert_type(df.pipe(tql).balance("age").labels, pd.DataFrame)
    assert_type(tql(df).query("select age"), pd.DataFrame)
    assert_type(df.pipe(tql_frames.sample, "age"), pd.DataFrame)
    assert_type(tql_frames.load_view("w.view", df).view("age").sample("age"), pd.DataFrame)
    weights: pd.Series = tql_frames.weights(df, "age")
    tql(df).sample(weights)
    tql(df).sample({"a": 1})  # wrong


def of_both(either: pl.DataFrame | pd.DataFrame, three: pl.DataFrame | pl.LazyFrame | pd.DataFrame) -> None:
    assert_type(tql_frames.sample(either, [1, None, 2.5]), pl.DataFrame | pd.DataFrame)
    assert_type(tql_frames.sample(three, pl.col("age")), pl.DataFrame | pl.LazyFrame | pd.DataFrame)
    assert_type(tql_frames.view(either, "age").to_native(), pl.DataFrame | pd.DataFrame)
    assert_type(tql_frames.class_weights("findings", {"Hernia": 20, None: 0.5}), str)
    tql_frames.sample(5, "age")  # wrong
    tql_frames.sample([1], "age")  # wrong
    tql([1])  # wrong
