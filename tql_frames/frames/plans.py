"""Inspect the nodes of the plan of a LazyFrame, and check whether its files have changed.

A plan is serialized as JSON, in which names, paths and texts cannot be mistaken for nodes. `two_pass` reads its rows.
"""

from __future__ import annotations

import glob
import io
import json
import os
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import polars as pl

from tql_frames.compiler.statements import unwritten

# Scans of files; other scans may run any Python code.
_FORMATS = {"Parquet", "Csv", "Ipc", "NDJson"}

# Nodes that return the same rows in the same order in each run, and the fields of their inputs.
_STEPS = {
    "Filter": "input",
    "Select": "input",
    "HStack": "input",
    "Slice": "input",
    "Union": "inputs",
    "HConcat": "inputs",
    "Cache": "input",
    "MapFunction": "input",
    "MatchToSchema": "input",
}
_INPUTS = ("input", "inputs", "input_left", "input_right")
_FUNCTIONS = {"RowIndex", "Rename", "Explode", "Unnest", "Unpivot", "Hint"}

# Nodes of expressions that may return other values in each run.
_CHANGING = {
    "Random": "shuffle or sample",
    "AnonymousFunction": "a Python function",
    "AnonymousAgg": "a Python function",
    "AnonymousStreamingAgg": "a Python function",
    "FoldHorizontal": "a Python function",
    "ReduceHorizontal": "a Python function",
    "CumFoldHorizontal": "a Python function",
    "CumReduceHorizontal": "a Python function",
    "RollingExpr": None,  # Python if its function is
    "FfiPlugin": "a plugin",
    "Plugin": "a plugin",
    "ValueCounts": "value_counts, which keeps no order",
    "Mode": "mode, which keeps no order",
    "SubPlan": "a plan within an expression",
}
_NOT_NODES = {"Literal", "Scan", "schema", "Cast"}  # hold values, or names as keys, instead of nodes

_WORDS = {
    "Sort": "sort",
    "GroupBy": "group_by",
    "Join": "join",
    "Distinct": "unique",
    "MergeSorted": "merge_sorted",
    "PythonScan": "a Python reader",
    "OpaquePython": "a Python function",
    "DataFrameScan": "a frame in memory",
}


@dataclass(frozen=True)
class PlanNodes:
    """Contents of a plan.

    Attributes:
        paths: names of the files, folders and globs that it scans, as the user wrote them.
        changing: first step that may return other rows, or rows in another order, in each run; None if there is none.
    """

    paths: tuple[str, ...]
    changing: str | None


def contents_of(plan: pl.LazyFrame) -> PlanNodes:
    """Return the contents of a plan; nothing runs."""
    try:
        with unwritten():
            written = _written(plan)
    except _InMemoryError as found:
        return PlanNodes((), str(found))
    except Exception:  # open files, or Python objects that cannot be pickled
        return PlanNodes(("",), "a Python function or another step that cannot be written down")
    steps = list(_nodes(json.loads(written)))
    paths = tuple(path for name, node in steps if name == "Scan" for path in _paths(node))
    return PlanNodes(paths, next((word for step in steps if (word := _changing(*step))), None))


class _InMemoryError(Exception):
    """Stops the serialization of a plan that holds rows, which may be many."""


class _Writing(io.BytesIO):
    """File that checks JSON while it is written. Quotes within texts are escaped, so that only nodes match."""

    _ends: ClassVar = {b'{"DataFrameScan":{"': "a frame in memory", b'{"PythonScan":{"': "a Python reader"}
    found: str | None = None
    _before = b""

    def write(self, data: Any) -> int:
        seen = self._before + bytes(data)
        self.found = next((word for begin, word in self._ends.items() if begin in seen), None)
        if self.found:
            raise _InMemoryError
        self._before = seen[-32:]
        return super().write(data)


def _written(plan: pl.LazyFrame) -> bytes:
    file = _Writing()
    inner: Any = getattr(plan.clone(), "_ldf", None)
    try:
        # The public method warns that its format may change between versions.
        if hasattr(inner, "serialize_json"):
            inner.serialize_json(file)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                plan.clone().serialize(file, format="json")
    except Exception as fault:
        if file.found:  # Polars replaces the error by its own
            raise _InMemoryError(file.found) from fault
        raise
    if file.found:  # Polars ignores an error of its last write
        raise _InMemoryError(file.found)
    return file.getvalue()


def _nodes(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the nodes of a plan, down to its scans."""
    ((name, inner),) = node.items()
    if name == "IR":  # wraps a plan whose schema has been resolved
        yield from _nodes(inner["dsl"])
        return
    yield name, inner
    for key in _INPUTS:
        below = inner.get(key, [])
        for each in below if isinstance(below, list) else [below]:
            yield from _nodes(each)


def _paths(scan: Mapping[str, Any]) -> Iterator[str]:
    for path in scan["sources"].get("Paths", []):
        yield path if isinstance(path, str) else str(next(iter(path.values())))


def _changing(name: str, node: Mapping[str, Any]) -> str | None:
    """Return what may change in a node of a plan; None if nothing does."""
    if name == "Scan":
        kind = node["scan_type"]
        kind = kind if isinstance(kind, str) else next(iter(kind))
        return None if kind in _FORMATS and "Paths" in node["sources"] else f"a scan of type {kind}"
    if name not in _STEPS:
        return _WORDS.get(name, name)
    if name == "Union" and not node["args"].get("maintain_order", True):
        return "a union that keeps no order"
    if name == "MapFunction":
        function = node["function"]
        kind = function if isinstance(function, str) else next(iter(function))
        return None if kind in _FUNCTIONS else _WORDS.get(kind, kind)
    return _changing_value({key: value for key, value in node.items() if key != _STEPS[name]})


def _changing_value(value: Any) -> str | None:
    """Return the first expression in a value that may change; None if there is none."""
    if isinstance(value, list):
        if value and isinstance(value[0], int):  # bytes
            return None
        return next((found for each in value if (found := _changing_value(each))), None)
    if not isinstance(value, dict):
        return "mode, which keeps no order" if value == "Mode" else None
    for key, inner in value.items():
        if key in _NOT_NODES:
            if key == "Cast" and (found := _changing_value(inner.get("expr"))):
                return found
        elif key == "Column" or isinstance(inner, bool):
            if key == "Unique" and not inner:
                return "unique, which keeps no order"
        elif key == "RollingExpr":
            if "Map" in str(list(inner.get("function", {}) or {})):
                return "a Python function"
        elif key in _CHANGING:
            return _CHANGING[key]
        elif found := _changing_value(inner):
            return found
    return None


_END = 4096  # bytes at either end; the last ones of a Parquet or Arrow file hold its number of rows


def states_of(paths: Iterable[str]) -> Mapping[str, object]:
    """Return the state of files by name: size, time, and a checksum of their first and last bytes.

    Args:
        paths: names, folders and globs, as in Polars; URLs are left out.
    """
    return {file: state for path in paths for file in _files(path) if (state := _state(file)) is not None}


def _files(path: str) -> Iterator[str]:
    if "://" in path:
        if not path.startswith("file://"):
            return
        path = unquote(urlsplit(path).path)
    path = os.path.expanduser(path)
    if os.path.isfile(path):
        yield path
    elif os.path.isdir(path):
        for folder, _, names in os.walk(path):
            yield from (os.path.join(folder, name) for name in names)
    elif glob.has_magic(path):
        for match in glob.iglob(path, recursive=True):
            yield from _files(match) if os.path.isdir(match) else [match]


def _state(file: str) -> object:
    try:
        with open(file, "rb") as opened:
            found = os.fstat(opened.fileno())
            checksum = zlib.crc32(opened.read(_END))
            if found.st_size > _END:
                opened.seek(-_END, os.SEEK_END)
                checksum = zlib.crc32(opened.read(_END), checksum)
    except OSError:
        return None  # as if it did not exist; Polars raises the error when it reads the file
    return found.st_size, found.st_mtime_ns, checksum
