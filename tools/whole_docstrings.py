"""Docstrings and defaults at run time, for the documentation site: a decorator completes those of `.tql` methods.

`zensical.toml` names this file as an extension of griffe, which reads sources without running them.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import griffe

_MODULE = "tql_frames.namespace"  # whose methods take sections from the docstrings of functions
_DEFAULTS = {"INDEX": '"index"'}  # constants that readers do not know


class WholeDocstrings(griffe.Extension):
    """Replace the docstrings of methods in one module with those of the imported objects."""

    def on_function_instance(self, *, func: griffe.Function, **_: Any) -> None:
        """Read the docstring of the imported object, and write constants as their values."""
        for parameter in func.parameters:
            parameter.default = _DEFAULTS.get(str(parameter.default), parameter.default)
        if func.docstring is not None and func.path.startswith(f"{_MODULE}."):
            value: Any = import_module(_MODULE)
            for part in func.path.removeprefix(f"{_MODULE}.").split("."):
                value = getattr(value, part)
            func.docstring.value = inspect.getdoc(value) or func.docstring.value
