"""The import rule: lower layers never import higher ones, and each layer knows only the libraries it needs.

Read from the source, so that an import inside a function does not escape.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tql_frames

ROOT = Path(tql_frames.__file__).parent

# Layer (the first part of a module's path): layers it may import besides itself, and libraries.
RULE: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "language": ({"errors"}, {"lark"}),
    "compiler": ({"errors", "language"}, {"numpy", "polars"}),
    "planning": ({"errors", "language", "compiler"}, {"polars"}),
    "sampling": ({"errors"}, {"numpy"}),
    "frames": ({"errors", "compiler", "planning", "sampling"}, {"numpy", "pandas", "polars", "pyarrow"}),
    "arguments": ({"errors", "sampling"}, {"numpy"}),
    "weighing": ({"errors", "language", "compiler", "sampling", "frames"}, {"numpy", "polars"}),
    "explanation": ({"idle", "errors", "language", "compiler", "frames", "weighing", "querying"}, {"numpy", "polars"}),
    "idle": ({"errors", "language", "compiler", "frames", "weighing"}, {"numpy", "polars"}),
    "drawing": (
        {"arguments", "errors", "compiler", "planning", "sampling", "frames", "weighing", "idle"},
        {"numpy", "polars"},
    ),
    "querying": (
        {"idle", "errors", "language", "compiler", "planning", "sampling", "frames", "weighing", "drawing"},
        {"polars"},
    ),
    "views": (
        {
            "idle",
            "analysis",
            "arguments",
            "errors",
            "language",
            "compiler",
            "sampling",
            "frames",
            "weighing",
            "drawing",
            "querying",
        },
        {"numpy", "pandas", "polars", "pyarrow"},
    ),
    "api": (
        {
            "idle",
            "analysis",
            "arguments",
            "errors",
            "language",
            "compiler",
            "sampling",
            "frames",
            "weighing",
            "drawing",
            "querying",
            "explanation",
        },
        {"numpy", "pandas", "polars"},
    ),
    "accessors": (
        {"errors", "idle", "analysis", "api", "arguments", "explanation", "notebook", "views"},
        {"pandas", "polars"},
    ),
    "distributed": (
        {
            "idle",
            "analysis",
            "arguments",
            "errors",
            "language",
            "compiler",
            "planning",
            "sampling",
            "frames",
            "weighing",
            "drawing",
            "querying",
        },
        {"numpy", "polars"},
    ),
    "dask": (
        {"analysis", "arguments", "errors", "sampling", "frames", "weighing", "drawing", "distributed"},
        {"dask", "numpy", "pandas", "polars"},
    ),
    "spark": (
        {
            "analysis",
            "arguments",
            "errors",
            "compiler",
            "planning",
            "sampling",
            "frames",
            "drawing",
            "distributed",
        },
        {"numpy", "polars", "pyarrow", "pyspark"},
    ),
    "datasets": (set(), {"numpy", "polars"}),
    "__init__": (
        {"errors", "compiler", "api", "accessors", "datasets", "interrupts", "notebook", "views"},
        set(),
    ),
    "balancing": ({"errors", "language", "compiler"}, {"numpy", "polars"}),
    "analysis": (
        {
            "idle",
            "balancing",
            "errors",
            "language",
            "compiler",
            "planning",
            "sampling",
            "frames",
            "weighing",
            "drawing",
            "querying",
        },
        {"numpy", "pandas", "polars"},
    ),
    "cli": ({"__init__", "api", "errors", "frames", "views"}, {"polars"}),
    "interrupts": (set(), set()),
    "torch": (
        {
            "idle",
            "arguments",
            "compiler",
            "drawing",
            "errors",
            "frames",
            "language",
            "sampling",
            "views",
            "weighing",
        },
        {"numpy", "polars", "pyarrow", "torch"},
    ),
    "notebook": (
        {
            "analysis",
            "api",
            "arguments",
            "compiler",
            "drawing",
            "errors",
            "frames",
            "language",
            "views",
        },
        {"anywidget", "IPython", "numpy", "pandas", "polars", "traitlets"},
    ),
    "__main__": ({"cli"}, set()),
    "demo": ({"__init__", "datasets"}, {"pandas", "polars"}),  # a program that uses the package as anyone would
}
HEAVY = {"lark", "torch", "dask", "distributed", "pyspark", "altair", "scipy", "matplotlib"}
HEAVY |= {"anywidget", "ipywidgets", "traitlets", "IPython"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def layer_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports_of(module: str) -> set[str]:
    """Full names of what a module imports: our modules by their own name, others as written."""
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{module}: line {node.lineno} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return found


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] == "tql_frames"}


def test_a_module_imports_lower_layers_only() -> None:
    for module in MODULES:
        layer = layer_of(module)
        assert layer in RULE, f"give {layer!r} its place in RULE and in CONTRIBUTING.md"
        above = {layer_of(name) for name in ours(imports_of(module))} - RULE[layer][0] - {layer}
        assert not above, f"{module} imports from {above}"


def test_a_module_imports_the_libraries_of_its_layer_only() -> None:
    for module in MODULES:
        names = imports_of(module)
        libraries = {name.split(".")[0] for name in names - ours(names)} - sys.stdlib_module_names
        strange = libraries - RULE[layer_of(module)][1]
        assert not strange, f"{module} imports {strange}"


def test_no_two_modules_import_each_other() -> None:
    graph = {module: ours(imports_of(module)) - {module} for module in MODULES}
    TopologicalSorter(graph).prepare()  # raises on a cycle, and names it


def test_nothing_is_imported_inside_a_function() -> None:
    for module in MODULES:
        nodes = ast.walk(tree_of(module))
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        inner = [each for node in functions for each in ast.walk(node) if isinstance(each, ast.Import | ast.ImportFrom)]
        assert not inner, f"{module}: line {inner[0].lineno} imports inside a function"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, tql_frames; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "polars" in loaded
    assert not loaded & HEAVY
    assert done.stderr == ""


# --- what the pages say of the tree and of the rule ------------------------------------------------------------------

CONTRIBUTING = (ROOT.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
README = (ROOT.parent / "README.md").read_text(encoding="utf-8")


def named_on_the_page() -> set[str]:
    """Files that the page names, by their paths in the package: a name belongs to the folder named last before it."""
    tree = re.search(r"## Where things are\n+```\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert tree
    found, folder = set(), "."
    for word in re.findall(r"[\w/]+/(?=[\s:,])|\w+\.(?:py|lark)\b", tree[1].split("tools/mutants/")[0]):
        if not word.endswith("/"):
            at_top = (ROOT / word).exists() and not (ROOT / folder / word).exists()
            found.add(word if at_top else str(Path(folder, word)))
        elif word != "tql_frames/":
            inner = Path(folder.split("/", 1)[0], word)
            folder = str(inner if (ROOT / inner).is_dir() else Path(word))
            assert (ROOT / folder).is_dir(), f"CONTRIBUTING.md names the folder {word}"
    return found


@pytest.mark.fault("H8")
def test_contributing_names_every_file_and_no_other() -> None:
    files = [path for path in ROOT.rglob("*") if path.suffix in (".py", ".lark") and not path.name.startswith("__")]
    there = {str(path.relative_to(ROOT)) for path in files}
    named = named_on_the_page()
    assert not there - named, f"name in CONTRIBUTING.md: {sorted(there - named)}"
    assert not named - there, f"CONTRIBUTING.md names what is not there: {sorted(named - there)}"


@pytest.mark.fault("H8")
def test_contributing_names_every_folder_beside_the_package() -> None:
    tree = CONTRIBUTING.split("## Where things are")[1].split("```")[1]
    for folder in ("tools/mutants/", "benchmarks/", "docs/", "tests/cases/", "notebooks/"):
        assert re.search(rf"^{folder}", tree, re.MULTILINE), folder
        assert (ROOT.parent / folder).is_dir(), folder
    pages = [path.name for path in (ROOT.parent / "docs").glob("*.md")]
    assert all(name in tree for name in pages), pages


@pytest.mark.fault("H8")
def test_the_rule_of_the_page_is_the_rule() -> None:
    said = re.search(r"Imports point down:(.*?)\. ", " ".join(CONTRIBUTING.split()))
    assert said
    order = re.findall(r"\w+", said[1].split("`")[1])
    assert sorted(order) == sorted(set(RULE) - {"__init__", "__main__"})
    for layer in order:
        above = RULE[layer][0] - set(order[: order.index(layer)]) - {"__init__"}
        assert not above, f"{layer} imports {above}, which the page puts above it"


@pytest.mark.fault("H8")
def test_the_table_of_readme_is_in_the_order_of_imports() -> None:
    table = README.split("| folder | what it does | knows |")[1].split("\n\n")[0]
    rows = [re.findall(r"`(\w+)(?:/|\.py)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    place = {layer: number for number, row in enumerate(rows) for layer in row}
    apart = {"errors", "datasets", "demo", "interrupts", "__init__", "__main__"}
    assert set(place) == set(RULE) - apart
    for layer, number in place.items():
        above = {other for other in RULE[layer][0] - apart if place[other] > number}
        assert not above, f"{layer} imports {above}, which the table puts below it"
