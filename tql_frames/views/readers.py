"""Register views with libraries that dispatch on the class of a frame: Great Tables and skrub.

The class of views is registered when such a library is imported, and the library reads a view as its Polars or pandas
frame. Libraries that read frames by Arrow or narwhals need no registration: `row_selection` has their methods.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from tql_frames.frames import is_pandas
from tql_frames.views.drawn_view import View


def _frame(view: View[Any]) -> Any:
    rows = view.to_native()
    return rows if is_pandas(rows) else view.to_polars()


def _teach_great_tables() -> None:
    """Make `GT(view)` use the view's frame: the first function that `GT` calls returns the frame for all others."""
    validated = import_module("great_tables._tbl_data").validate_frame
    validated.register(View, lambda view: validated(_frame(view)))


def _teach_skrub() -> None:
    """Make `TableReport(view)` use the view's frame: skrub converts columns to frames first, and so also views."""
    functions = import_module("skrub._dataframe")
    functions.is_column.register(View, lambda view: True)
    functions.to_frame.register(View, _frame)


_LESSONS: dict[str, Callable[[], None]] = {"great_tables": _teach_great_tables, "skrub": _teach_skrub}


def teach(library: str) -> None:
    """Register the class of views with a library; if its internals have changed, it rejects views as before.

    Args:
        library: `"great_tables"` or `"skrub"`, which has been imported.
    """
    with suppress(ImportError, AttributeError):
        _LESSONS[library]()
