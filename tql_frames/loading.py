"""What waits until it is needed: packages of this one, and what is done once another library has been imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

LOADERS: dict[str, Callable[[], Any]] = {}
"""Functions that load packages which lower layers use, by name, so that these need not know them."""


def when_imported(name: str, call: Callable[[], None]) -> None:
    """Call a function now, if a module is imported already, and whenever it is imported from now on.

    A module that another thread is importing is waited for. Who asks again for the same name replaces the function.

    Examples:
        >>> when_imported("polars", lambda: print("polars is here"))
        polars is here
    """
    others = [each for each in sys.meta_path if not (type(each).__name__ == _Watch.__name__ and each.name == name)]  # type: ignore[attr-defined]
    sys.meta_path[:] = [_Watch(name, call), *others]  # the class by its name: it is another after a reload
    if name in sys.modules:
        import_module(name)  # returns when its import has ended
        call()


class _Watch(MetaPathFinder):
    """A finder that finds nothing itself: it has the loader that another one finds tell when it is done."""

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        self.name = name
        self._call = call

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if finder is self or find is None else find(fullname, path, target)
            if spec is not None:
                self._watch(spec)
                return spec
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
