"""The import rule: lower layers never import higher ones, and each layer knows only the libraries it needs.

Read from the source, so that an import inside a function does not escape.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tql_frames

ROOT = Path(tql_frames.__file__).parent

# Floors from the lowest up, each with its packages and the libraries that these may import. A module imports floors
# below its own and its own package; the public face, above all floors, imports what it likes.
FLOORS: list[dict[str, set[str]]] = [
    {"errors": set(), "forks": set(), "loading": set()},
    {"language": {"lark"}, "sampling": {"numpy", "polars"}},
    {"compiler": {"numpy", "polars"}},
    {"frames": {"numpy", "pandas", "polars", "pyarrow"}},
    {"datasets": {"numpy", "polars"}, "pipeline": {"numpy", "pandas", "polars"}},
    {"analysis": {"numpy", "pandas", "polars"}},
    {
        "views": {"numpy", "pandas", "polars", "pyarrow"},
        "distributed": {"numpy", "pandas", "polars"},
    },
    {
        "api": {"pandas", "polars"},
        "torch": {"numpy", "polars", "pyarrow", "torch"},
        "dask": {"dask"},
        "spark": {"pyspark"},
        "ray": {"ray"},
        "sklearn": {"imblearn", "numpy", "pandas", "polars", "sklearn"},
    },
    {"notebook": {"anywidget", "IPython", "numpy", "pandas", "polars", "traitlets"}, "cli": {"polars"}},
]
FACE = {
    "__init__": set(),
    "registration": {"polars"},
    "namespace": {"pandas", "polars"},
    "__main__": set(),
    "demo": {"pandas", "polars"},
}
FLOOR = {package: number for number, floor in enumerate(FLOORS) for package in floor}
LIBRARIES = {package: libraries for floor in [*FLOORS, FACE] for package, libraries in floor.items()}
# Packages inside others that know more libraries than these, or fewer.
LIBRARIES |= {
    "compiler.statements": {"polars"},
    "analysis.solver": {"numpy", "polars"},
    "distributed.dask": {"dask", "numpy", "pandas", "polars", "pyarrow"},
    "distributed.arrow": {"numpy", "polars", "pyarrow"},
    "distributed.ray": {"numpy", "pandas", "polars", "pyarrow", "ray"},
    "distributed.spark": {"numpy", "pandas", "polars", "pyarrow", "pyspark"},
}
HEAVY = {"lark", "torch", "dask", "distributed", "pyspark", "ray", "altair", "scipy", "matplotlib"}
HEAVY |= {"sklearn", "imblearn", "anywidget", "ipywidgets", "traitlets", "IPython"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def package_of(module: str) -> str:
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


def named_imports(tree: ast.AST) -> set[str]:
    """Modules of ours that a module imports by their names: `import_module("tql_frames.torch")` and the like."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    loading = (call for call in calls if ast.unparse(call.func).split(".")[-1] in ("import_module", "__import__"))
    texts = (arg.value for call in loading for arg in call.args if isinstance(arg, ast.Constant))
    return {text for text in texts if isinstance(text, str) and text.split(".")[0] == "tql_frames"}


def upward(graph: Mapping[str, set[str]]) -> list[str]:
    """Imports that lead to a floor above, or to another package of the same floor."""
    found = []
    for module, names in graph.items():
        own = package_of(module)
        for name in names:
            other = package_of(name)
            if own == "cli" and name == "tql_frames":
                continue  # the command uses the package as anyone would
            if own not in FACE and own != other and not FLOOR.get(other, len(FLOORS)) < FLOOR[own]:
                found.append(f"{module} imports {name}")
    return found


@cache
def graph() -> dict[str, set[str]]:
    """All imports between our modules, also inside functions and by name."""
    return {module: (ours(imports_of(module)) | named_imports(tree_of(module))) - {module} for module in MODULES}


def test_every_package_has_its_floor() -> None:
    packages = {package_of(module) for module in MODULES}
    assert packages == {*FLOOR, *FACE}
    assert len(FLOORS) <= 9


def test_a_module_imports_lower_floors_only() -> None:
    assert upward(graph()) == []


def test_an_import_upwards_is_found() -> None:
    assert upward({"tql_frames.sampling.rng": {"tql_frames.frames"}}) == [
        "tql_frames.sampling.rng imports tql_frames.frames"
    ]
    assert upward(
        {
            "tql_frames.views.drawn_view": {"tql_frames.distributed"},
            "tql_frames.views.create": {"tql_frames.views.drawn_view"},
        }
    )
    source = 'def later():\n    return importlib.import_module("tql_frames.torch").f'
    assert named_imports(ast.parse(source)) == {"tql_frames.torch"}
    assert upward({"tql_frames.views.drawn_view": named_imports(ast.parse(source))})


def test_a_module_imports_the_libraries_of_its_layer_only() -> None:
    for module in MODULES:
        names = imports_of(module)
        libraries = {name.split(".")[0] for name in names - ours(names)} - sys.stdlib_module_names
        inner = ".".join(module.split(".")[1:3])
        strange = libraries - LIBRARIES.get(inner, LIBRARIES[package_of(module)])
        assert not strange, f"{module} imports {strange}"


def test_no_modules_import_each_other() -> None:
    TopologicalSorter(graph()).prepare()  # raises on a cycle, and names it
    with pytest.raises(CycleError):
        TopologicalSorter({**graph(), "tql_frames.errors": {"tql_frames.api"}}).prepare()


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
HOW = (ROOT.parent / "docs" / "how-it-works.md").read_text(encoding="utf-8")


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
    assert (ROOT.parent / "zensical.toml").exists() and "zensical.toml" in tree  # which names the pages


@pytest.mark.fault("H8")
def test_the_floors_of_the_pages_are_the_floors() -> None:
    pages = {"CONTRIBUTING.md": CONTRIBUTING, "docs/how-it-works.md": HOW}
    for name, page in pages.items():
        table = page.split("| floor | packages |")[1].split("\n\n")[0]
        rows = [set(re.findall(r"`(\w+)(?:/|\.py)`", line.split("|")[2])) for line in table.splitlines()[2:]]
        assert rows == [set(floor) for floor in reversed(FLOORS)], name


def names_defined_in(path: Path) -> set[str]:
    """Return functions and classes of a file, methods behind the names of their classes."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


def test_contributing_says_where_to_find_things() -> None:
    table = CONTRIBUTING.split("| what | where |")[1].split("\n\n")[0]
    rows = [line.split("|")[2] for line in table.splitlines()[2:]]
    assert len(rows) == 8
    for row in rows:
        path, *names = re.findall(r"`([^`]+)`", row)
        assert names, row
        assert set(names) <= names_defined_in(ROOT / path), row


def test_the_package_stays_small() -> None:
    """Files that can be counted, none too small to be one, and one meaning for each name of a class."""
    assert len(MODULES) <= 154
    aliases = {"__init__", "__main__"}
    small = {
        str(path) for path in MODULES.values() if path.stem not in aliases and len(path.read_text().splitlines()) < 40
    }
    assert not small
    classes = [
        (node.name, module) for module in MODULES for node in tree_of(module).body if isinstance(node, ast.ClassDef)
    ]
    names = [name for name, _ in classes]
    twice = {(name, module) for name, module in classes if names.count(name) > 1}
    assert not twice
