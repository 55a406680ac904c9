"""Blocks of README and guides without prompts: each is run here or elsewhere, or a list says why it is not.

Blocks with prompts (`>>>`) are run by `check_examples`, page by page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import tql_frames
from tests.pages import GUIDES, LANGUAGE, ROOT
from tests.processes import printed_by

PAGES = ["README.md", *GUIDES]
SAMPLER = "max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Pneumonia'): 8, True: 1)"

# Run by a test of another file: the page, how the block begins, and the test.
ELSEWHERE = {
    ("docs/command-line.md", "tql-frames sample"): "test_command_lines.py: test_command_lines_run",
    ("docs/large-data.md", "tql-frames sample"): "test_command_lines.py: test_command_lines_run",
    ("docs/groups.md", "tql-frames sample"): "test_command_lines.py: test_command_lines_run",
    ("docs/splits.md", "tql-frames split"): "test_command_lines.py: test_command_lines_run",
    ("docs/training-loops.md", "import lightning"): "test_torch_libraries.py: test_lightning",
    ("docs/training-loops.md", "from accelerate"): "test_torch_libraries.py: test_accelerate",
    ("docs/training-loops.md", "from transformers"): "test_torch_libraries.py: test_the_trainer_of_hugging_face",
    ("docs/language/expressions.md", "and as asc"): "test_docs.py: test_the_keywords_are_the_keywords",
    ("docs/language/expressions.md", "all array"): "test_docs.py: test_the_keywords_are_the_keywords",
}
# Not run, and why.
NOT_RUN = {
    ("docs/get-started.md", "pip install ."): "it installs; whoever runs the tests has done so",
    ("docs/how-it-works.md", " text ──parse──▶"): "a drawing",
    ("docs/language/index.md", "max_weight(condition: weight, …)"): "a grammar with places to fill in",
    ("docs/distributed.md", "pip install"): "it installs",
    ("docs/distributed-costs.md", " partition 1"): "a drawing",
    ("docs/language/index.md", "  "): "a grammar with places to fill in",
}
# Run below.
HERE = {
    ("README.md", "from torch.utils.data"): "torch",
    ("README.md", "import polars as pl"): "files",
    ("docs/distributed.md", "import tql_frames.dask"): "engines",
    ("docs/explore.md", "widget = xrays"): "explore",
    ("docs/explore.md", "%%tql xrays"): "magic",
    ("docs/tables.md", "from datasets import"): "hugging face",
    ("docs/tables.md", "import duckdb"): "duckdb",
    ("docs/tables.md", "import lance"): "lance",
    ("docs/tables.md", "import marimo"): "marimo",
    ("docs/large-data.md", "import polars as pl"): "large",
    ("docs/distributed.md", "tql_frames.TQLError: the rows changed"): "error",
    ("docs/training.md", "weights = [20.0"): "torch samplers",
    ("docs/training-loops.md", "for epoch in range(epochs)"): "torch epochs",
    ("docs/training-loops.md", "from torchdata"): "torchdata",
}


def blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for block in re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
            if ">>>" not in block:
                yield page, block


def block(page: str, start: str) -> str:
    return next(text for where, text in blocks() if where == page and text.startswith(start))


def of(key: str) -> str:
    return block(*next(place for place, name in HERE.items() if name == key))


@pytest.mark.fault("H7")
def test_every_block_is_run_or_said_not_to_be() -> None:
    listed = [*ELSEWHERE, *NOT_RUN, *HERE]
    found = list(blocks())
    for page, text in found:
        assert any(page == where and text.startswith(start) for where, start in listed), f"{page}:\n{text}"
    for where, start in listed:
        assert any(page == where and text.startswith(start) for page, text in found), f"{where} has no {start!r}"
    for test in ELSEWHERE.values():
        file, name = test.split(": ")
        (path,) = (ROOT / "tests").rglob(file)
        assert f"def {name}(" in path.read_text(encoding="utf-8")


@pytest.mark.fault("H7")
def test_blocks_with_prompts_are_on_pages_that_are_run() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for page in PAGES:
        if ">>>" in (ROOT / page).read_text(encoding="utf-8"):
            assert f'"{page}"' in tests or page in LANGUAGE, page


# --- the blocks ------------------------------------------------------------------------------------------------------


@pytest.fixture
def xrays() -> pl.DataFrame:
    return tql_frames.datasets.chest_xray()


@pytest.fixture
def folder(xrays: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `xrays/*.parquet`."""
    (tmp_path / "xrays").mkdir()
    xrays[:3000].write_parquet(tmp_path / "xrays" / "0.parquet")
    xrays[3000:5000].write_parquet(tmp_path / "xrays" / "1.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.fault("H7")
def test_the_plan_of_the_guide_to_large_tables_is_sunk(folder: Path) -> None:
    exec(of("large"), {})
    assert pl.read_parquet(folder / "sample.parquet").height == 50


@pytest.mark.fault("H7")
def test_the_plan_of_the_readme_is_sunk(folder: Path) -> None:
    exec(of("files"), {"sampler": SAMPLER})
    assert pl.read_parquet(folder / "sample.parquet").height == 50


def test_a_dataset_of_hugging_face_is_sampled() -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    names: dict[str, Any] = {"tql_frames": tql_frames}
    exec(of("hugging face"), names)
    assert isinstance(names["balanced"], datasets.Dataset) and len(names["balanced"]) == 1_000


def test_a_relation_of_duckdb_is_sampled() -> None:
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    names: dict[str, Any] = {"tql_frames": tql_frames}
    exec(of("duckdb"), names)
    assert isinstance(names["sample"], duckdb.DuckDBPyRelation) and len(names["sample"]) == 100


def test_rows_of_a_table_of_lance_are_taken(xrays: pl.DataFrame, folder: Path) -> None:
    """In a process of its own: once Lance is imported, each later fork of the process warns."""
    if find_spec("lance") is None:
        pytest.skip("Lance is not installed")
    program = """
import lance, tql_frames
xrays = tql_frames.datasets.chest_xray()
lance.write_dataset(xrays.select("image", "age").to_arrow(), "xrays.lance")
"""
    printed = printed_by(f"{program}{of('lance')}\nprint(*sample.column('image').to_pylist())")
    expected = xrays.tql.sample("max_weight(age > 60: 5, True: 1)", limit=100, seed=7)
    assert printed.split() == expected["image"].to_list()


def test_marimo_wraps_the_widget(xrays: pl.DataFrame) -> None:
    pytest.importorskip("marimo", reason="marimo is not installed")
    names: dict[str, Any] = {"xrays": xrays}
    exec(of("marimo"), names)
    assert names["widget"].widget.view is None


@pytest.mark.fault("H7")
def test_the_widget_is_made(xrays: pl.DataFrame) -> None:
    pytest.importorskip("anywidget", reason="anywidget is not installed")
    names: dict[str, Any] = {"xrays": xrays}
    exec(of("explore"), names)
    assert names["widget"].view is None and names["widget"].query == ""


@pytest.mark.fault("H7")
def test_the_magic_runs_a_statement(xrays: pl.DataFrame) -> None:
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")
    interactive.InteractiveShell.clear_instance()
    try:
        shell = interactive.InteractiveShell.instance(colors="nocolor")
        shell.run_line_magic("load_ext", "tql_frames")
        shell.user_ns["xrays"] = xrays
        shell.run_cell(of("magic"), store_history=False).raise_error()
        assert shell.user_ns["old"].columns == ["index", "image", "age"]
        assert shell.user_ns["old"].height == 1000 and shell.user_ns["old"]["age"].min() > 90
    finally:
        interactive.InteractiveShell.clear_instance()


@pytest.mark.fault("H7")
def test_the_error_of_changed_rows_is_the_one_that_is_raised() -> None:
    shares = pytest.importorskip("tql_frames.distributed.assignment")
    assert f"tql_frames.TQLError: {shares.changed()}\n" == of("error")


@contextmanager
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loaders without workers: processes of them are for the tests of PyTorch."""
    loaders = sys.modules["torch.utils.data"]
    made = loaders.DataLoader

    def without(*rest: Any, num_workers: int = 0, **named: Any) -> Any:
        return made(*rest, **named)

    monkeypatch.setattr(loaders, "DataLoader", without)
    yield


@pytest.mark.fault("H7")
def test_the_loader_of_readme_gives_batches(xrays: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("torch.utils.data")
    with _no_workers(monkeypatch):
        names: dict[str, Any] = {"xrays": xrays, "sampler": SAMPLER}
        exec(of("torch"), names)
    features, target = next(iter(names["loader"]))
    assert features["age"].shape == (256,) and target.shape == (256, 15) and target.dtype == torch.float32


@pytest.mark.fault("H7")
def test_samplers_take_the_place_of_those_of_pytorch(xrays: pl.DataFrame) -> None:
    data = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")
    from tql_frames.torch import TQLSampler  # noqa: PLC0415 - PyTorch need not be installed

    names = {"xrays": xrays, "TQLSampler": TQLSampler, "WeightedRandomSampler": data.WeightedRandomSampler}
    exec(of("torch samplers"), names)
    assert len(names["draws"]) == 100_000


@pytest.mark.fault("H7")
def test_epochs_are_looped_over(xrays: pl.DataFrame) -> None:
    data = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")
    from tql_frames.torch import TQLDataset, TQLSampler  # noqa: PLC0415 - PyTorch need not be installed

    draws = TQLSampler(xrays, "age", limit=100)
    rows = TQLDataset(xrays, ["age"], target="view")
    loader = data.DataLoader(rows, batch_size=50, sampler=draws)
    exec(of("torch epochs"), {"epochs": 2, "draws": draws, "loader": loader})
    assert draws.epoch == 2


@pytest.mark.fault("H7")
@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated")  # torchdata calls it
def test_a_loader_of_torchdata_keeps_its_place(xrays: pl.DataFrame) -> None:
    pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")
    from tql_frames.torch import TQLDataset, TQLSampler  # noqa: PLC0415 - PyTorch need not be installed

    text = of("torchdata").replace("num_workers=2", "num_workers=0")
    rows, draws = TQLDataset(xrays, ["age"]), TQLSampler(xrays, "age", limit=1_000)
    names: dict[str, Any] = {"rows": rows, "draws": draws, "model": SimpleNamespace(state_dict=dict)}
    exec(text, names)
    assert set(names["checkpoint"]) == {"model", "loader"}


@pytest.mark.fault("H7")
@pytest.mark.filterwarnings("ignore")  # of Dask and of Spark's reader of processes
def test_dask_and_spark_draw_the_same_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dd = pytest.importorskip("dask.dataframe", reason="Dask is not installed")
    pytest.importorskip("distributed", reason="Dask's distributed is not installed")
    pytest.importorskip("pyspark", reason="PySpark is not installed")
    from tests.distributed.spark_session import java  # noqa: PLC0415 - it skips where PySpark is missing

    if java() < 17:
        pytest.skip("Java 17 or newer is not installed")
    import dask  # noqa: PLC0415 - need not be installed
    from pyspark.sql import SparkSession  # noqa: PLC0415 - need not be installed

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.memory", "1g").getOrCreate()
    # Dask reads lists as text, and does not write the categories of files.
    plain = pl.col("view", "sex").cast(pl.String), pl.col("findings").list.join("|")
    for path in (folder / "xrays").iterdir():
        pl.read_parquet(path).with_columns(plain).write_parquet(path)
    try:
        spark.sparkContext.setLogLevel("OFF")
        text = of("engines").replace("limit=100_000", "limit=500")
        # Both would write to one folder.
        text = re.sub(r'write\.parquet\("balanced"\)', 'write.parquet("by_spark")', text)
        with dask.config.set(scheduler="sync"):
            exec(text, {"dd": dd, "spark": spark, "sampler": SAMPLER})
    finally:
        spark.stop()
    drawn = [pl.read_parquet(folder / name / "*.parquet") for name in ("balanced", "by_spark")]
    expected = pl.read_parquet(folder / "xrays" / "*.parquet").tql.sample(SAMPLER, 500, seed=7, order="source")
    for frame in drawn:
        assert frame["image"].sort().to_list() == expected["image"].sort().to_list()
