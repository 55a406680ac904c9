"""Modules that `import tql_frames` loads, and `.tql` on pandas in each order of imports. Each case is a process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sizes import size

SAMPLE = "pd.DataFrame({'a': [0, 1]}, index=['x', 'y']).tql.sample('a', 2, seed=1).index.to_list() == ['y', 'y']"


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), program
    return done.stdout


USES = """
pl.DataFrame({'a': [1, 2]}).tql.sample('a', seed=1)
pl.LazyFrame({'a': [1, 2]}).tql.sample('max_weight(a > 1: 2, True: 1)', seed=1).collect()
pl.DataFrame({'a': [1, 2]}).tql.query('select a where a > 1')
pl.DataFrame({'a': [1, 2]}).tql.weights([1, 2])
str(pl.DataFrame({'a': ['x', 'y', 'y']}).tql.balance('a').report)
tql_frames.class_weights('a', {'x': 2})
try: pl.DataFrame({'a': [1, 2]}).tql.sample('b')
except tql_frames.TQLError: pass
"""


@pytest.mark.parametrize("uses", ["", USES])
def test_polars_alone_loads_no_pandas_and_no_pyarrow(uses: str) -> None:
    shown = "print([name for name in ('pandas', 'pyarrow') if name in sys.modules])"
    assert run(f"import sys, polars as pl, tql_frames\n{uses}\n{shown}") == "[]\n"


def test_names_of_the_package_are_there_before_anything_is_loaded() -> None:
    names = (
        "[tql_frames.views.View, tql_frames.api.sample, tql_frames.datasets.chest_xray, *map(vars, [tql_frames.tql])]"
    )
    shown = "print(len(found), {*tql_frames.__all__} <= {*dir(tql_frames)}, hasattr(tql_frames, 'nothing'))"
    assert run(f"import tql_frames\nfound = {names}\nfrom tql_frames import *\n{shown}") == "4 True False\n"


FIRST = [
    "import tql_frames, pandas as pd",
    "import pandas as pd, tql_frames",
    "import tql_frames, importlib; importlib.reload(tql_frames); import pandas as pd",
    "import tql_frames, importlib.util; assert importlib.util.find_spec('pandas'); import pandas as pd",
    "import tql_frames, pandas.api.types, pandas as pd",
    "import tql_frames, importlib; importlib.reload(tql_frames.loading)\n"
    "importlib.reload(tql_frames.registration).register(); import pandas as pd",
    "import tql_frames, importlib, pandas as pd; importlib.reload(pd); importlib.reload(tql_frames)",
]


@pytest.mark.parametrize("first", size(FIRST[:4], FIRST))
def test_pandas_has_tql_whichever_is_imported_first(first: str) -> None:
    assert run(f"{first}\nprint({SAMPLE}, 'tql' in pd.DataFrame._accessors)") == "True True\n"


@pytest.mark.parametrize("order", ["tql_frames pandas", "pandas tql_frames"])
def test_pandas_has_tql_when_threads_import_both(order: str) -> None:
    """The second begins while the first is at work, after another time each round."""
    program = """
import importlib, sys, threading, time
ours = threading.Thread(target=importlib.import_module, args=[sys.argv[1]])
theirs = threading.Thread(target=importlib.import_module, args=[sys.argv[2]])
ours.start(); time.sleep(float(sys.argv[3])); theirs.start(); ours.join(); theirs.join()
import pandas as pd
print(hasattr(pd.DataFrame, "tql"))
"""
    for seconds in size(("0", "0.1"), ("0", "0.02", "0.1", "0.2")):
        assert run(program, *order.split(), seconds) == "True\n"


def test_a_failed_import_of_pandas_fails_as_without_this_package(tmp_path: Path) -> None:
    """A broken pandas raises its own error, and one that is mended afterwards is found."""
    (tmp_path / "pandas.py").write_text("raise RuntimeError('broken')")
    program = """
import sys, tql_frames
sys.path.insert(0, sys.argv[1])
try:
    import pandas
except RuntimeError as fault:
    print(fault, "pandas" in sys.modules)
del sys.path[0]
import pandas as pd
print(hasattr(pd.DataFrame, "tql"))
"""
    assert run(program, str(tmp_path)) == "broken False\nTrue\n"


def test_pandas_is_what_it_is_without_this_package() -> None:
    shown = "print(pd.__spec__.name, type(pd.__loader__), pd.__file__, pd.__spec__.loader is pd.__loader__)"
    program = "{}import pandas as pd; " + shown
    assert run(program.format("import tql_frames; ")) == run(program.format(""))


def test_the_command_loads_no_pandas(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("a,b\n1,x\n2,y\n")
    table = str(tmp_path / "few.csv")
    commands = [
        ["sample", "a", table],
        ["sample", "a", table, "-o", str(tmp_path / "few.parquet")],
        ["query", "select a where a > 1", table],
        ["explain", "a", table],
        ["report", "a", table, "--by", "b"],
        ["balance", table, "--by", "b"],
        ["split", table, "--into", "x=0.5", "y=0.5", "--out-dir", str(tmp_path / "parts")],
    ]
    program = f"""
import sys
from tql_frames.cli import main
for words in {commands!r}:
    sys.argv[1:] = words
    assert main() == 0
print("pandas" in sys.modules)
"""
    assert run(program).splitlines()[-1] == "False"
