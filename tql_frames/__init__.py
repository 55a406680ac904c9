"""Weighted row sampling for dataframes, in one line: `df.tql.sample("max_weight(age > 60: 5, True: 1)", limit=1000)`.

Importing the package adds `.tql` to Polars DataFrame and LazyFrame and to pandas DataFrame; the same calls are
functions of the package. Samplers are written in TQL, the query language of Deep Lake.
"""

# ruff: noqa: E402

from tql_frames.errors import end_quietly  # isort: skip

end_quietly()  # before imports that take long

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tql_frames.errors import (
    Span,
    TQLArmWarning,
    TQLError,
    TQLNameError,
    TQLSyntaxError,
    TQLTypeError,
    TQLUnsupportedError,
    TQLWarning,
    WeightError,
)
from tql_frames.forks import notice_forks
from tql_frames.loading import LOADERS
from tql_frames.registration import register

if TYPE_CHECKING:
    from tql_frames import datasets
    from tql_frames.api import balance, class_weights, explain, query, report, sample, weight_expr, weights
    from tql_frames.compiler import register_function
    from tql_frames.namespace import tql
    from tql_frames.notebook import explore
    from tql_frames.views import View, load_view, read_view, split, view

__version__ = "0.2.0"

__all__ = [
    "Span",
    "TQLArmWarning",
    "TQLError",
    "TQLNameError",
    "TQLSyntaxError",
    "TQLTypeError",
    "TQLUnsupportedError",
    "TQLWarning",
    "View",
    "WeightError",
    "balance",
    "class_weights",
    "datasets",
    "explain",
    "explore",
    "load_view",
    "query",
    "read_view",
    "register_function",
    "report",
    "sample",
    "split",
    "tql",
    "view",
    "weight_expr",
    "weights",
]


# Modules of the other names, which are loaded when a name is first used.
_HOMES = {
    "api": ("balance", "class_weights", "explain", "query", "report", "sample", "weight_expr", "weights"),
    "compiler": ("register_function",),
    "namespace": ("tql",),
    "notebook": ("explore",),
    "views": ("View", "load_view", "read_view", "split", "view"),
}
_HOME = {name: f"tql_frames.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "datasets" or name in _HOMES:
        return import_module(f"tql_frames.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOME[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def load_ipython_extension(shell: Any) -> None:
    """Load the magics `%tql` and `%%tql`, for `%load_ext tql_frames`."""
    import_module("tql_frames.notebook.magics").load(shell)


LOADERS["torch"] = lambda: import_module("tql_frames.torch")
notice_forks()
register()
