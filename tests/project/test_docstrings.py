"""Every public object has an example in its docstring, and it shows what happens.

pytest runs the examples of modules, too, but finds those of functions and properties in the modules alone that
`__module__` names: neither of errors, which say `tql_frames`, nor of properties that are computed once.
"""

from __future__ import annotations

import doctest
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pandas as pd
import polars as pl
import pytest

from conftest import NEEDS
from tests.pages import ROOT
from tql_frames import analysis, namespace
from tql_frames.analysis import explain as explanation

OPTIONAL = {"tql_frames.torch": "torch", "tql_frames.dask": "distributed", "tql_frames.spark": "pyspark"}
OPTIONAL |= {"tql_frames.sklearn": "imblearn", "tql_frames.ray": "ray"}
CLASSES = [
    namespace.DataFrameNamespace,
    namespace.LazyFrameNamespace,
    namespace.PandasNamespace,
    analysis.Report,
    analysis.Balance,
    explanation.Explanation,
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def home_of(value: Any) -> str:
    """The module whose names an example may use; errors say that theirs is `tql_frames`."""
    found: str = value.__module__
    return "tql_frames.errors" if found == "tql_frames" else found


def members(cls: type) -> Iterator[tuple[str, tuple[str, Any]]]:
    """Public methods and properties of a class, those of its bases in this package included."""
    for owner in cls.__mro__:
        if owner.__module__.startswith("tql_frames"):
            for name, value in vars(owner).items():
                computed = isinstance(value, property) or hasattr(value, "__set_name__")
                if name[0] != "_" and (inspect.isfunction(value) or computed):
                    yield f"{owner.__qualname__}.{name}", (home_of(owner), value)


def public() -> dict[str, tuple[str, Any]]:
    """Public objects by name: the module whose names an example may use, and the object."""
    modules = ["tql_frames", *(name for name, library in OPTIONAL.items() if find_spec(library) is not None)]
    named = [
        (f"{module}.{name}", getattr(import_module(module), name)) for module in modules for name in all_of(module)
    ]
    found: dict[str, tuple[str, Any]] = {}
    for name, value in [*named, *((each.__qualname__, each) for each in CLASSES)]:
        if inspect.ismodule(value):
            found |= {f"{name}.{each}": (value.__name__, item) for each, item in functions_of(value)}
        else:
            found[name] = home_of(value), value
            found |= dict(members(value)) if inspect.isclass(value) else {}
    return found


def all_of(module: str) -> list[str]:
    return list(import_module(module).__all__)


def functions_of(module: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if inspect.isfunction(inspect.unwrap(value)) and value.__module__ == module.__name__ and name[0] != "_":
            yield name, value


PUBLIC = public()


@pytest.mark.fault("H15")
def test_the_public_objects_are_found() -> None:
    wanted = {"tql_frames.sample", "tql_frames.View", "View.save", "KeptRows.positions", "_Namespace.balance"}
    wanted |= {"PandasNamespace.weights", "Report.plot", "Balance.report", "TQLError.line", "tql_frames.Span"}
    assert wanted <= set(PUBLIC)
    assert len(PUBLIC) > 70


@pytest.mark.fault("H15")
@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_object_has_an_example_that_shows_what_happens(name: str) -> None:
    module, value = PUBLIC[name]
    text = inspect.getdoc(value) or ""
    assert ">>>" in text, f"{name} of {module} has no example"
    assert re.search(r"^Examples?:$", text, re.MULTILINE), f"the example of {name} has no heading"
    if module.startswith(("tql_frames.distributed.spark", "tql_frames.distributed.ray")):
        return  # run in test_spark.py and test_ray.py, which have a session and a cluster
    library = next((needed for path, needed in NEEDS.items() if f".{path}".endswith(f".{name}")), None)
    if library is not None:
        pytest.importorskip(library, reason=f"{library} is not installed")
    names = dict(vars(sys.modules[module]))
    example = doctest.DocTestParser().get_doctest(text, names, name, module, 0)
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(example)
    assert runner.tries > 0
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.fault("H15")
def test_docstrings_begin_with_a_sentence_that_ends() -> None:
    for name, (_, value) in PUBLIC.items():
        first = (inspect.getdoc(value) or "").split("\n\n")[0]
        assert first and first[0].isupper() | first[0].isdigit() | (first[0] == "`"), f"{name}: {first!r}"
        assert first.rstrip()[-1] in ".:", f"{name}: {first!r}"


@pytest.mark.fault("H15")
def test_the_examples_that_need_a_library_exist() -> None:
    for path in NEEDS:
        module, _, name = path.rpartition(".")
        while (
            not (ROOT / "tql_frames" / module.replace(".", "/")).is_dir()
            and not (ROOT / "tql_frames" / f"{module.replace('.', '/')}.py").exists()
        ):
            module, _, outer = module.rpartition(".")
            name = f"{outer}.{name}"
        value: Any = import_module(f"tql_frames.{module}")
        for part in name.split("."):
            value = getattr(value, part)
        assert ">>>" in (inspect.getdoc(value) or "")


@pytest.mark.parametrize("frame", [pl.DataFrame({"a": [1]}), pl.LazyFrame({"a": [1]}), pd.DataFrame({"a": [1]})])
def test_methods_of_frames_are_documented_whole(frame: Any) -> None:
    """Shift+Tab in a notebook shows arguments, result, errors and an example of each."""
    names = ["sample", "split", "view", "query", "explain", "report", "balance", "weights"]
    for name in [*names, *([] if isinstance(frame, pl.LazyFrame) else ["explore"])]:
        method = getattr(frame.tql, name)
        text = inspect.getdoc(method) or ""
        for section in ("Args", "Returns", "Raises", "Examples"):
            assert re.search(rf"^{section}:$", text, re.MULTILINE), f"{name} has no {section}"
        arguments = set(re.findall(r"^    (\w+):", text.split("Args:\n")[1].split("\n\n")[0], re.MULTILINE))
        assert arguments == set(inspect.signature(method).parameters), name
