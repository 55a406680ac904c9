"""What is known of a Dask frame before anything runs: whether a sampler fits it, and the types of a result.

A column of dtype object may hold text, lists or anything: its type is known when a partition is there.
"""

from __future__ import annotations

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from tql_frames.distributed import Sampler, Statement
from tql_frames.errors import TQLTypeError
from tql_frames.frames import PandasFrame
from tql_frames.pipeline.weights import Weigher
from tql_frames.sampling.strata import FEW_STRATA

_TOLD = 3  # columns that a hint names
_PEEK = 100  # rows that are looked at for types


def weigher_of(frame: dd.DataFrame, job: Sampler | Statement) -> Weigher | None:
    """Return the sampler made ready for the columns as far as they are known.

    It is None where they are not known well enough.

    Raises:
        TQLError: the sampler does not fit the columns, or an arm has a bad weight.
    """
    try:
        weigher = job.weigher(PandasFrame(frame._meta))
    except TQLTypeError as fault:
        names = job.names(list(frame.columns))
        if _is_known(frame, names):
            raise _of_text(fault, frame, names) from None
        return None
    weigher.check_constants()
    return weigher


def never_bad(weigher: Weigher | None) -> bool:
    """Return whether it is known that no weight is negative, NaN or infinite, whatever the rows."""
    return weigher is not None and weigher.levels is not None


def makes_strata(weigher: Weigher | None) -> bool:
    """Return whether it is known that rows are drawn by strata, whatever the rows."""
    levels = None if weigher is None else weigher.levels
    return levels is not None and len(np.unique(levels.weights)) <= FEW_STRATA


def meta_of(frame: dd.DataFrame, job: Statement) -> pd.DataFrame:
    """Return the result of a statement without its rows.

    Where its types depend on columns of dtype object, some rows of the first partition that has any are looked at.

    Raises:
        TQLError: the statement does not fit the columns.
    """
    names = job.all_names(list(frame.columns))
    known = _is_known(frame, names)
    try:
        if known or not job.computes(PandasFrame(frame._meta)):
            return _result(frame._meta, job)
    except TQLTypeError as fault:
        if known:
            raise _of_text(fault, frame, names) from None
    rows = (part.head(_PEEK, npartitions=1) for part in frame.partitions)
    return _result(next((some for some in rows if len(some)), frame._meta), job)


def _result(rows: pd.DataFrame, job: Statement) -> pd.DataFrame:
    result = job.rows(PandasFrame(rows), None)
    assert isinstance(result, pd.DataFrame)
    return result.head(0)


def _is_known(frame: dd.DataFrame, names: list[str]) -> bool:
    return all(frame._meta[name].dtype != np.object_ for name in names)


def _of_text(fault: TQLTypeError, frame: dd.DataFrame, names: list[str]) -> TQLTypeError:
    """Return the same error; where it is of text, with a hint that Dask may have made the text of other values."""
    texts = [name for name in names if isinstance(frame._meta[name].dtype, pd.StringDtype)]
    if "text" not in fault.message or not texts or dask.config.get("dataframe.convert-string", None) is False:
        return fault
    columns = f"column{'s' * (len(texts) > 1)} {', '.join(map(repr, texts[:_TOLD]))}"
    hint = f"Dask converts Decimals, lists and other objects to text. If {columns} held such values, make the frame "
    hint += "after dask.config.set({'dataframe.convert-string': False})"
    return TQLTypeError(fault.message, source=fault.source, span=fault.span, hint=hint)
