"""Weighted row sampling for dataframes, in one line: `df.tql.sample("max_weight(age > 60: 5, True: 1)", limit=1000)`.

Importing the package puts `.tql` on Polars DataFrame and LazyFrame and on pandas DataFrame; the same calls are the
functions below. Samplers are written in TQL, the query language of Deep Lake.
"""

from tql_frames import datasets
from tql_frames.accessors import register
from tql_frames.api import explain, query, sample, weight_expr, weights
from tql_frames.compiler import register_function
from tql_frames.errors import (
    Span,
    TQLError,
    TQLNameError,
    TQLSyntaxError,
    TQLTypeError,
    TQLUnsupportedError,
    TQLWarning,
    WeightError,
)

__version__ = "0.1.0"

__all__ = [
    "Span",
    "TQLError",
    "TQLNameError",
    "TQLSyntaxError",
    "TQLTypeError",
    "TQLUnsupportedError",
    "TQLWarning",
    "WeightError",
    "datasets",
    "explain",
    "query",
    "register_function",
    "sample",
    "weight_expr",
    "weights",
]

register()
