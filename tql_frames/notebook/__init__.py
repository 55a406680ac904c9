"""Create the notebook widget to explore samplers.

The widget is in `widget`, and magics are in `magics`. Both are imported when they are used: the package works without
anywidget and IPython.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tql_frames.errors import TQLError
from tql_frames.pipeline.draw import named

if TYPE_CHECKING:
    from tql_frames.notebook.widget import Explore


@named
def explore(
    frame: object, sampler: str = "", *, by: str | Sequence[str] | None = None, split: str | None = None
) -> Explore:
    """Return a widget to develop a sampler: it shows errors and the expected labels as you type.

    Args:
        frame: a Polars or pandas DataFrame. Later changes of the frame have no effect.
        sampler: the initial text: a sampler, or a statement that selects rows and columns.
        by: the initial labels: a column of labels or of lists of labels, or a list of columns of true or false, or of 1
            or 0, one label each. By default the most suitable column; another can be selected in the widget.
        split: the separator of labels in a text column that lists them, such as `"|"`.

    Returns:
        A widget for JupyterLab, Notebook, VS Code and marimo; in marimo, wrap it: `mo.ui.anywidget(widget)`. Its
        `query` is the text in the box. Its `view` is the rows of the last run (a `tql_frames.View`), or None before the
        first run. Both are traits: `widget.observe(function, "view")` calls a function after each run.

    Raises:
        TQLError: anywidget is not installed, the frame is lazy or not supported, or `by` names no labels.

    Examples:
        >>> import polars as pl
        >>> widget = explore(pl.DataFrame({"age": [71, 34]}), "max_weight(age > 60: 5, True: 1)")
        >>> widget.query, widget.view
        ('max_weight(age > 60: 5, True: 1)', None)
    """
    found: Explore = _widgets().Explore(frame, sampler, by, split)
    return found


@cache
def _widgets() -> Any:
    try:
        return import_module("tql_frames.notebook.widget")
    except ModuleNotFoundError as fault:
        if (fault.name or "").split(".")[0] not in ("anywidget", "traitlets"):
            raise
        message = "the widget needs anywidget, which is not installed"
        raise TQLError(message, hint="pip install 'tql-frames[widget]'") from fault
