"""What callers of both engines pass, checked: the order of rows, and keys.

Arguments that all frames share are checked in `tql_frames.pipeline.arguments`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tql_frames.distributed.sampler import check_column
from tql_frames.errors import TQLError, TQLUnsupportedError
from tql_frames.pipeline.arguments import check_order


def check_source_order(order: object) -> None:
    """Make sure that rows are asked for in the order of the frame.

    Raises:
        TQLUnsupportedError: they are asked for in the order drawn.
        TQLError: the order is unknown.
    """
    check_order(order)
    if order == "draw":
        message = "order='draw' is not supported on Dask and Spark: it would move every row to another place"
        raise TQLUnsupportedError(message, hint="the rows are the same; shuffle them with the engine")


def keys_from(keys: object, columns: Iterable[str]) -> tuple[str, ...]:
    """Return names of key columns as a tuple.

    Raises:
        TQLError: they are no sequence of names, or one is no column.
    """
    if isinstance(keys, str) or not isinstance(keys, Sequence) or not all(isinstance(key, str) for key in keys):
        raise TQLError(f"keys must be a list of column names, not {keys!r}")
    names = list(columns)
    for key in keys:
        check_column(key, names)
    return tuple(keys)
