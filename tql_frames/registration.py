"""Register `.tql` on the frames of Polars and pandas, without loading the code of its calls."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import polars as pl

from tql_frames.errors import TQLWarning, warn
from tql_frames.loading import when_imported

_NAMESPACE = "tql_frames.namespace"
_OWN = (__name__, _NAMESPACE)


class _Accessor:
    """Placeholder of a namespace, which is loaded at its first use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, frame: object | None, owner: type) -> Any:
        module = import_module(_NAMESPACE)
        accessor = module.Accessor(getattr(module, self._name))
        holder = next(each for each in owner.__mro__ if vars(each).get("tql") is self)
        holder.tql = accessor  # type: ignore[attr-defined]
        return accessor.__get__(frame, owner)

    def __call__(self, frame: object) -> Any:
        """Return the namespace of a frame, for the registries of both libraries."""
        return getattr(import_module(_NAMESPACE), self._name)(frame)


def register() -> None:
    """Register `.tql` on Polars frames, and on pandas frames once pandas is imported, with the libraries' registries.

    Views are registered with Great Tables and skrub when they are imported.

    Warns:
        TQLWarning: another package has registered its own `.tql`, which is replaced.
    """
    polars = pl.api
    _put(
        (pl.DataFrame, polars.register_dataframe_namespace, "DataFrameNamespace"),
        (pl.LazyFrame, polars.register_lazyframe_namespace, "LazyFrameNamespace"),
    )
    when_imported("pandas", _register_pandas)
    for library in ("great_tables", "skrub"):
        when_imported(library, partial(_teach, library))


def _teach(library: str) -> None:
    import_module("tql_frames.views.readers").teach(library)


def _register_pandas() -> None:
    pd = import_module("pandas")
    _put((pd.DataFrame, pd.api.extensions.register_dataframe_accessor, "PandasNamespace"))


def _put(*frames: tuple[Any, Callable[[str], Callable[[Any], Any]], str]) -> None:
    """Register `.tql` on the frames of a library: classes, their registries, and names of namespaces."""
    others = [found for frame, _, _ in frames if (found := _other_owner(frame)) is not None]
    if others:
        message = f".tql of {others[0]} is replaced by that of tql_frames"
        warn(TQLWarning(f"{message}; its calls are functions of the package as well: tql_frames.sample(frame, …)"))
    for frame, registry, name in frames:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a reloaded module registers again
            registry("tql")(_Accessor(name))
        frame.tql = _Accessor(name)


def _other_owner(frame: type) -> str | None:
    """Return the other package whose `.tql` a class of frames has; None if there is none."""
    found = inspect.getattr_static(frame, "tql", None)
    if found is None or type(found).__module__ in _OWN:
        return None
    owner = next((getattr(found, name) for name in ("_ns", "_accessor") if hasattr(found, name)), found)
    module = getattr(owner, "__module__", None) or type(owner).__module__
    return None if module in _OWN else str(module)
