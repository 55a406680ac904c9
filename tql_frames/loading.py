"""Delay work until it is needed: loading parts of this package, and calls after another library is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from threading import local
from types import ModuleType
from typing import Any

LOADERS: dict[str, Callable[[], Any]] = {}
"""Functions by name that load packages for lower layers, so that lower layers do not import them."""


def when_imported(name: str, call: Callable[[], None]) -> None:
    """Call a function now, if a module is already imported, and whenever it is imported from now on.

    If another thread is importing the module, wait for it. Another call for the same name replaces the function.

    Examples:
        >>> when_imported("polars", lambda: print("polars is here"))
        polars is here
    """
    others = [each for each in sys.meta_path if not (type(each).__name__ == _Watch.__name__ and each.name == name)]  # type: ignore[attr-defined]
    sys.meta_path[:] = [_Watch(name, call), *others]  # by the name of the class, which differs after a reload
    if name in sys.modules:
        import_module(name)  # returns when its import has ended
        call()


class _Watch(MetaPathFinder):
    """A finder that returns the spec of another finder, with a loader that calls a function after loading."""

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        self.name = name
        self._call = call
        self._asking = local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # Another finder, such as that of a tool that counts lines, may ask all finders too, and so this one again.
        if fullname != self.name or getattr(self._asking, "now", False):
            return None
        self._asking.now = True
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                spec: ModuleSpec | None = None if finder is self or find is None else find(fullname, path, target)
                if spec is not None:
                    self._watch(spec)
                    return spec
        finally:
            self._asking.now = False
        return None

    def _watch(self, spec: ModuleSpec) -> None:
        loader = spec.loader
        if loader is None:
            return
        load = loader.exec_module

        def load_and_tell(module: ModuleType) -> None:
            load(module)
            self._call()

        loader.exec_module = load_and_tell  # type: ignore[method-assign]
