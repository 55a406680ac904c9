"""What people meet first: aggregations as in SQL, odd frames, names of the package, the demo, `.tql` of others."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tql_frames
from tql_frames import TQLError, TQLWarning

SCANS = pl.DataFrame(
    {"age": [71, 34, 65], "doses": [[1.5], [], [2.0, 3.0]], "sex": ["M", "F", "M"], "ok": [True, False, True]}
)


def run(program: str, *options: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=cwd)


@pytest.mark.fault("B5")
@pytest.mark.parametrize("kind", ["eager", "lazy", "pandas"])
@pytest.mark.parametrize(
    "call", ["sum(age)", "avg(age)", "amax(age * 2)", "amin(age)", "prod(age)", "sum(ok)", "sum(age) + 1"]
)
def test_an_aggregation_of_single_numbers_warns_and_says_what_to_write(call: str, kind: str) -> None:
    frame = {"eager": SCANS, "lazy": SCANS.lazy(), "pandas": SCANS.to_pandas()}[kind]
    with pytest.warns(TQLWarning, match="is one value a row") as found:
        frame.tql.query(f"select {call} as a")
    (warning,) = found
    assert warning.filename == __file__
    inner = call.removesuffix(" + 1")
    assert f"select {inner} as {inner.split('(')[0]} group by true" in str(warning.message)


@pytest.mark.fault("B5")
def test_what_the_warning_says_to_write_gives_one_row() -> None:
    assert SCANS.tql.query("select sum(age) as sum group by true", index=None).rows() == [(170,)]


@pytest.mark.parametrize(
    "text",
    [
        "select sum(doses) as s",
        "select sum(age) as s group by sex",
        "select age where amax(age) > 40",
        "select sum(doses > 1) as s, age",
        "select amax(array[age, 2]) as a",
    ],
)
def test_aggregations_of_lists_and_groups_do_not_warn(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SCANS.tql.query(text)


@pytest.mark.fault("G")
@pytest.mark.parametrize(
    ("cells", "condition", "weights"),
    [
        ([["a"], np.array([]), ["b", "c"], None], "contains(l, 'a')", [2, 1, 1, 1]),
        ([np.array(["a"]), np.array([]), ["b"]], "contains(l, 'a')", [2, 1, 1]),
        ([np.array([], dtype=np.int64), ["a"]], "contains(l, 'a')", [1, 2]),
        ([np.array([]), [True, False], None], "any(l)", [1, 2, 1]),
        ([[True], np.array([]), [False]], "any(l)", [2, 1, 1]),
        ([np.array([]), np.array([True], dtype=object)], "any(l)", [1, 2]),
        ([np.empty((0, 2)), [[True, False]]], "any(l)", [1, 2]),
        ([[np.array([]), np.array([True])], [[False]]], "any(l)", [2, 1]),
        ([np.array([]), np.array([1.5]), [2]], "any(l > 1)", [1, 2, 2]),
        ([np.array([]), [], None], "shape(l)[0] = 0", [2, 2, 1]),
    ],
)
def test_an_empty_array_among_lists_of_pandas_is_an_empty_list(
    cells: list[object], condition: str, weights: list[int]
) -> None:
    frame = pd.DataFrame({"l": pd.Series(cells, dtype=object)})
    assert frame.tql.weights(f"max_weight({condition}: 2, True: 1)").to_list() == weights


@pytest.mark.fault("G")
def test_a_frame_that_allows_no_duplicate_labels_is_sampled_or_refused_in_our_words() -> None:
    frame = pd.DataFrame({"a": [1, 2]}).set_flags(allows_duplicate_labels=False)
    for call in (
        lambda: frame.tql.sample("a", limit=4, seed=1),
        lambda: frame.tql.query("select * sample by a limit 4", seed=1),
        lambda: frame.tql.query("select a sample by a limit 4", seed=1),
        lambda: frame.tql.view("a", limit=4, seed=1).to_native(),
    ):
        with pytest.raises(TQLError, match="the sample repeats rows"):
            call()
    for sample in (
        frame.tql.sample("a", limit=4, seed=1, ignore_index=True),
        frame.tql.sample("a", limit=2, seed=1, replace=False),
        frame.tql.query("select * where a > 1"),
    ):
        assert not sample.flags.allows_duplicate_labels
    assert not frame.flags.allows_duplicate_labels


@pytest.mark.fault("G")
def test_dir_shows_the_public_names_alone() -> None:
    assert dir(tql_frames) == sorted([*tql_frames.__all__, "__version__"])
    assert all(hasattr(tql_frames, name) for name in dir(tql_frames))


@pytest.mark.fault("G")
def test_the_demo_ends_quietly_when_nobody_reads_on() -> None:
    demo = subprocess.Popen(
        [sys.executable, "-u", "-m", "tql_frames.demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None
    assert demo.stderr is not None
    assert demo.stdout.readline().startswith("tql-frames")
    demo.stdout.close()
    assert demo.stderr.read() == ""
    demo.stderr.close()
    assert demo.wait(100) == 141


@pytest.mark.fault("I")
def test_the_demo_ends_quietly_when_nobody_reads_at_all() -> None:
    """All that it prints is still held when it ends."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "tql_frames.demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None and demo.stderr is not None
    demo.stdout.close()
    assert demo.stderr.read() == ""
    demo.stderr.close()
    assert demo.wait(100) == 141


OTHERS = [
    "pl.api.register_dataframe_namespace('tql')(Other)",
    "pl.api.register_lazyframe_namespace('tql')(Other)",
    "pd.api.extensions.register_dataframe_accessor('tql')(Other)",
    "pd.DataFrame.tql = Other",
    "[r('tql')(Other) for r in (pl.api.register_dataframe_namespace, pl.api.register_lazyframe_namespace)]",
]


@pytest.mark.fault("E12")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_the_tql_of_another_package_is_replaced_with_one_warning(tmp_path: Path) -> None:
    """Each in a process that has loaded pandas and Polars, and this package not yet."""
    program = f"""
import importlib, os, sys, pandas as pd, polars as pl
class Other:
    __module__ = "other_package.frames"
    def __init__(self, frame): pass
for number, other in enumerate({OTHERS!r}):
    if not os.fork():
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{{number}}.{{name}}", os.O_WRONLY | os.O_CREAT), stream)
        exec(other)
        import tql_frames
        importlib.reload(tql_frames)
        importlib.reload(tql_frames.registration)
        print(pl.DataFrame({{"a": [1]}}).tql.sample("a").height)
        sys.exit()
    os.wait()
"""
    assert run(program, cwd=tmp_path).returncode == 0
    for number, other in enumerate(OTHERS):
        out, err = ((tmp_path / f"{number}.{name}").read_text() for name in ("out", "err"))
        assert out == "1\n", (other, err)
        assert err.count("TQLWarning") == 1, (other, err)
        assert "other_package.frames" in err, (other, err)


@pytest.mark.fault("E12")
def test_importing_twice_does_not_warn() -> None:
    done = run("import importlib, tql_frames\nimportlib.reload(tql_frames.registration).register()", "-W", "error")
    assert (done.returncode, done.stderr) == (0, "")
