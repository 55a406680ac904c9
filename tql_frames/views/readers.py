"""Views in libraries that choose what to do by the class of a frame: Great Tables and skrub.

They are told the class of views when they are imported, and read a view as its Polars or pandas frame. Libraries that
read frames by Arrow or narwhals need nothing: `row_selection` has what these ask for.
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
    """Let `GT(view)` be `GT` of the view's frame: the first function that it calls returns what the others get."""
    validated = import_module("great_tables._tbl_data").validate_frame
    validated.register(View, lambda view: validated(_frame(view)))


def _teach_skrub() -> None:
    """Let `TableReport(view)` report on the view's frame: a column is made a frame first, and so is a view."""
    functions = import_module("skrub._dataframe")
    functions.is_column.register(View, lambda view: True)
    functions.to_frame.register(View, _frame)


_LESSONS: dict[str, Callable[[], None]] = {"great_tables": _teach_great_tables, "skrub": _teach_skrub}


def teach(library: str) -> None:
    """Tell a library the class of views; one that has changed inside refuses views as it did before.

    Args:
        library: `"great_tables"` or `"skrub"`, which has been imported.
    """
    with suppress(ImportError, AttributeError):
        _LESSONS[library]()
