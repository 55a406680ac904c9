"""Ray: the rows of Polars for the same seed, on a cluster of two workers, whatever the blocks."""

from __future__ import annotations

import doctest
import gc
import inspect
import logging
import os
import re
import signal
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("ray.data", reason="Ray Data is not installed")

import tql_frames  # noqa: E402 - after what may not be there
import tql_frames.ray as tql  # noqa: E402
from tests.pages import blocks_of, check_examples  # noqa: E402
from tql_frames import (  # noqa: E402
    TQLArmWarning,
    TQLError,
    TQLNameError,
    TQLTypeError,
    TQLUnsupportedError,
    TQLWarning,
    WeightError,
)

# Ray warns of files that it leaves open, and of what it will change.
pytestmark = [pytest.mark.usefixtures("in_time", "cluster"), pytest.mark.filterwarnings("ignore")]

SECONDS = 180  # for a test
CHANGED = r"(?s)rows changed between the passes.*call materialize\(\) on the dataset first"
STRATA = "max_weight(contains(findings, 'Hernia'): 20, age > 70: 7, True: 1)"
REPLACE = pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])
XRAYS = tql_frames.datasets.chest_xray().head(3_000)
XRAYS = XRAYS.with_columns(
    pl.col("view", "sex").cast(pl.String), dose=pl.Series(np.random.default_rng(5).random(XRAYS.height))
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    options = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    for attempt in range(3):  # on a busy machine its processes may take longer to start than Ray waits
        try:
            ray.init("local", num_cpus=2, object_store_memory=100_000_000, **options)
            break
        except Exception:
            shut_down()
            if attempt == 2:
                raise
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    yield
    shut_down()


def shut_down() -> None:
    """End Ray and wait for its processes: Python would warn of one that still runs, in the middle of a later test."""
    node = ray._private.worker._global_node
    started = [] if node is None else [each.process for some in node.all_processes.values() for each in some]
    ray.shutdown()
    for process in started:
        process.wait(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of files that it leaves open
        gc.collect()


def cut(number: int, frame: pl.DataFrame = XRAYS) -> Any:
    """A dataset cut into `number` blocks; one block is empty if there are more than two."""
    bounds = np.sort(np.random.default_rng(number).integers(0, frame.height, number - 1)).tolist()
    if number > 2:
        bounds[1] = bounds[0]
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    edges = [0, *bounds, frame.height]
    return ray.data.from_arrow([table.slice(a, b - a) for a, b in pairwise(edges)])


def rows_of(dataset: Any) -> pl.DataFrame:
    batches = dataset.iter_batches(batch_size=None, batch_format="pyarrow")
    return pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in batches])


def check_same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert found.columns == expected.columns
    assert found["index"].to_list() == expected["index"].to_list()
    assert found.drop("index").rows() == expected.drop("index").rows()


def changing(number: int) -> Any:
    """A dataset whose blocks have another order each time."""

    def in_random_order(table: pa.Table) -> pa.Table:
        return table.take(np.random.permutation(table.num_rows))

    return cut(number).map_batches(in_random_order, batch_format="pyarrow", batch_size=None)


# -- the rows ---------------------------------------------------------------------------------------------------------


@REPLACE
@pytest.mark.parametrize(
    ("sampler", "seed"),
    [
        (STRATA, 7),
        ("dose", 1),
        ("row_number() % 5 + random() % 3", 2),
        (pl.col("dose") ** 2, 3),
        ("max_weight(age > 60: dose, True: 1)", 4),
    ],
    ids=str,
)
def test_one_seed_one_sample(sampler: Any, seed: int, replace: bool) -> None:
    expected = XRAYS.tql.sample(sampler, 700, replace=replace, seed=seed, order="source")
    for blocks in (1, 3, 11):
        check_same(rows_of(tql.sample(cut(blocks), sampler, 700, replace=replace, seed=seed)), expected)


@REPLACE
def test_from_parquet(tmp_path: Path, replace: bool) -> None:
    for number, start in enumerate(range(0, 3_000, 500)):
        XRAYS[start : start + 500].write_parquet(tmp_path / f"{number}.parquet", row_group_size=100)
    dataset = ray.data.read_parquet(str(tmp_path))
    for sampler in (STRATA, "dose"):
        found = rows_of(tql.sample(dataset, sampler, 500, replace=replace, seed=7))
        check_same(found, XRAYS.tql.sample(sampler, 500, replace=replace, seed=7, order="source"))


def test_tasks_that_end_in_another_order_change_nothing() -> None:
    """Ray returns the blocks that are ready first, unless it is told to keep their order."""

    def slow_first(table: pa.Table) -> pa.Table:
        import time  # noqa: PLC0415 - on the worker

        time.sleep(2 if table["id"][0].as_py() == 0 else 0)
        return table

    slow = ray.data.range(600, override_num_blocks=6).map_batches(slow_first, batch_format="pyarrow", batch_size=None)
    # A task of its own, which takes what is ready.
    slow = slow.map_batches(lambda table: table, batch_format="pyarrow", batch_size=None, num_cpus=0.5)
    assert not slow.context.execution_options.preserve_order
    sample = tql.sample(slow, "id", 200, seed=1)
    expected = pl.DataFrame({"id": range(600)}).tql.sample("id", 200, seed=1, order="source")
    check_same(rows_of(sample), expected)
    assert not slow.context.execution_options.preserve_order
    assert not ray.data.DataContext.get_current().execution_options.preserve_order
    assert sample.context.execution_options.preserve_order


def test_blocks_of_all_kinds() -> None:
    """After filters, sorts, unions and batches; of pandas frames; of several blocks in a task."""
    base = ray.data.range(600, override_num_blocks=5).add_column("v", lambda frame: np.sqrt(frame["id"]))
    items = [{"id": number, "v": float(number), "l": [number] * (number % 3)} for number in range(60)]
    ids = np.arange(600)
    both = base.union(base)  # in order, Ray alternates between the blocks of the two
    both.context.execution_options.preserve_order = True
    cases = {
        "filter": (base.filter(expr="id > 150"), ids[151:]),
        "sorted": (base.sort("v", descending=True).materialize(), ids[::-1]),
        "union": (both, rows_of(both)["id"].to_numpy()),
        "limit": (base.limit(321), ids[:321]),
        "batches": (base.map_batches(lambda batch: batch, batch_size=64), ids),
        "repartitioned": (base.repartition(4), ids),
        "items": (ray.data.from_items(items, override_num_blocks=4), ids[:60]),
        "pandas": (
            ray.data.from_pandas([pd.DataFrame({"id": ids, "v": ids**0.5}), pd.DataFrame(items)[["id", "v"]]]),
            None,
        ),
    }
    for name, (dataset, order) in cases.items():
        whole = np.append(ids, ids[:60]) if order is None else order
        column = pl.DataFrame({"id": whole})
        for sampler in ("id", "max_weight(id % 2 = 0: 3, True: 1)"):
            found = rows_of(tql.sample(dataset, sampler, 50, seed=3))
            expected = column.tql.sample(sampler, 50, seed=3, order="source")
            assert found["index"].to_list() == expected["index"].to_list(), name
            assert found["id"].to_list() == expected["id"].to_list(), name


def test_no_rows() -> None:
    none = ray.data.range(100, override_num_blocks=3).filter(expr="id > 100")
    assert tql.sample(none, "id").count() == 0
    with pytest.raises(WeightError, match="empty frame"):
        tql.sample(none, "id", 3)
    assert tql.sample(cut(3), "dose", 0).count() == 0


@pytest.mark.parametrize(
    "options",
    [
        {"over": "view"},
        {"over": "view", "replace": False},
        {"unit": "patient_id", "replace": False},
        {"design": "systematic", "replace": False, "expected": "expected"},
        {"key": "image", "replace": False},
    ],
    ids=str,
)
def test_groups_units_designs_and_keys(options: dict[str, Any]) -> None:
    found = rows_of(tql.sample(cut(5), "age", 40, seed=7, **options))
    check_same(found, XRAYS.tql.sample("age", 40, seed=7, order="source", **options))


def test_what_comes_after_a_sample() -> None:
    sample = tql.sample(cut(5), STRATA, 300, seed=1)
    rows = rows_of(sample)
    assert rows.height == sample.count() == 300
    assert [row["index"] for row in sample.limit(7).take_all()] == rows["index"].to_list()[:7]
    assert rows_of(sample.select_columns(["image"]))["image"].to_list() == rows["image"].to_list()
    old = rows_of(sample.filter(expr="age > 60"))
    assert old["index"].to_list() == rows.filter(pl.col("age") > 60)["index"].to_list()
    assert rows_of(sample.materialize()).equals(rows)
    assert rows_of(tql.sample(cut(5), STRATA, 300, seed=1, index=None)).equals(rows.drop("index"))
    assert tql.sample(cut(3), STRATA, fraction=0.1).count() == 300


def test_torch_batches() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    sample = tql.sample(cut(5).select_columns(["age", "dose"]), "dose", 300, seed=1)
    batches = list(sample.iter_torch_batches(batch_size=128))
    assert [len(batch["age"]) for batch in batches] == [128, 128, 44]
    expected = XRAYS.tql.sample("dose", 300, seed=1, order="source")
    assert torch.cat([batch["dose"] for batch in batches]).tolist() == expected["dose"].to_list()


# -- rows that change, workers that die, errors -----------------------------------------------------------------------


@REPLACE
def test_rows_that_change_between_the_passes_are_an_error(replace: bool) -> None:
    for sampler in (STRATA, "dose"):
        with pytest.raises(Exception, match=CHANGED):
            tql.sample(changing(3), sampler, 100, replace=replace).take_all()


def test_rows_that_are_lost_between_the_passes_are_an_error(tmp_path: Path) -> None:
    marker = str(tmp_path / "counted")

    def fewer(table: pa.Table) -> pa.Table:
        return table.slice(1) if os.path.exists(marker) else table

    sample = tql.sample(cut(3).map_batches(fewer, batch_format="pyarrow", batch_size=None), STRATA, 100)
    Path(marker).touch()
    with pytest.raises(Exception, match=CHANGED):
        sample.take_all()


def test_a_sort_that_forms_other_blocks_each_time_is_an_error_or_right() -> None:
    """Ray chooses the bounds of the blocks of a sort anew, so its rows are fixed by `materialize` alone."""
    ids = np.arange(600)
    rows = ray.data.range(600, override_num_blocks=5).sort("id", descending=True)
    expected = pl.DataFrame({"id": ids[::-1]}).tql.sample("id", 50, seed=3, order="source")
    try:
        found = rows_of(tql.sample(rows, "id", 50, seed=3))
    except Exception as fault:
        assert re.search(CHANGED, str(fault))
    else:
        check_same(found, expected)
    check_same(rows_of(tql.sample(rows.materialize(), "id", 50, seed=3)), expected)


def test_a_shuffle_is_an_error_until_its_rows_are_fixed() -> None:
    shuffled = ray.data.range(600, override_num_blocks=5).random_shuffle()
    with pytest.raises(Exception, match=CHANGED):
        tql.sample(shuffled, "id", 50, seed=3).take_all()
    fixed = shuffled.materialize()
    expected = rows_of(fixed).tql.sample("id", 50, seed=3, order="source")
    check_same(rows_of(tql.sample(fixed, "id", 50, seed=3)), expected)


def test_a_sample_read_with_the_options_of_another_dataset_is_an_error_until_it_is_fixed() -> None:
    """Blocks of equal weights that change places would have the same digests."""
    other = ray.data.range(4, override_num_blocks=2)
    sample = tql.sample(ray.data.range(60, override_num_blocks=6), "1", 30, seed=1, index=None)
    rows = rows_of(sample)["id"].to_list()
    assert sorted(rows_of(sample.union(other))["id"].to_list()) == sorted([*rows, *range(4)])
    with pytest.raises(Exception, match=r"(?s)keep the order of blocks, got preserve_order=False.*materialize\(\)"):
        other.union(sample).take_all()
    assert sorted(row["id"] for row in other.union(sample.materialize()).take_all()) == sorted([*rows, *range(4)])


def test_a_block_with_an_error_is_not_left_out() -> None:
    """Ray may be told to leave out blocks that cannot be computed; a sample would have fewer rows."""

    def fails(table: pa.Table) -> pa.Table:
        if table["id"][0].as_py() == 0:
            raise RuntimeError("not to be computed")
        return table

    rows = ray.data.range(60, override_num_blocks=6).map_batches(fails, batch_format="pyarrow", batch_size=None)
    rows.context.max_errored_blocks = 3
    with pytest.raises(Exception, match="not to be computed"):
        tql.sample(rows, "id", 10, seed=1)
    assert rows.context.max_errored_blocks == 3


def test_options_that_cannot_be_copied_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ray.data.range(10)

    def copy(*_: object, **__: object) -> Any:
        raise TypeError("no such argument")

    monkeypatch.setattr(ray.data.Dataset, "copy", copy)
    with pytest.raises(TQLError, match=r"set execution_options\.preserve_order = True and max_errored_blocks = 0"):
        tql.sample(rows, "id", 5)
    rows.context.execution_options.preserve_order = True
    assert tql.sample(rows, "id", 5).count() == 5


def test_keys_make_rows_of_any_order_a_sample() -> None:
    def ordered(table: pa.Table) -> pa.Table:
        return table.sort_by("image")

    whole = rows_of(cut(3).map_batches(ordered, batch_format="pyarrow", batch_size=None))
    found = rows_of(tql.sample(changing(3), STRATA, 200, seed=3, keys=["image"]))
    check_same(found, whole.tql.sample(STRATA, 200, seed=3, order="source"))


@pytest.mark.parametrize("when", ["while rows are counted", "while rows are taken"])
def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path, when: str) -> None:
    armed, died = str(tmp_path / "armed"), str(tmp_path / "died")

    def dies_once(table: pa.Table) -> pa.Table:
        if os.path.exists(armed) and not os.path.exists(died):
            Path(died).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return table

    dataset = cut(5).map_batches(dies_once, batch_format="pyarrow", batch_size=None)
    if when == "while rows are counted":
        Path(armed).touch()
    sample = tql.sample(dataset, "dose", 500, replace=False, seed=7)
    Path(armed).touch()
    check_same(rows_of(sample), XRAYS.tql.sample("dose", 500, replace=False, seed=7, order="source"))
    assert os.path.exists(died)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tql.sample(cut(3), "max_weight(agee > 60: 2)"), TQLNameError, "did you mean 'age'"),
        (lambda: tql.sample(cut(3), "max_weight(image > 5: 1)"), TQLTypeError, "number"),
        (lambda: tql.sample(cut(3), "max_weight(age > 60: -2, True: 1)"), WeightError, "arm 1 has a negative weight"),
        (lambda: tql.sample(cut(3), "dose", order="draw"), TQLUnsupportedError, "order='draw'"),
        (lambda: tql.sample(cut(3), "dose", keys=["imag"]), TQLNameError, "did you mean 'image'"),
        (lambda: tql.sample(cut(3), pl.col("dose").rank()), TQLUnsupportedError, "several rows at once"),
        (lambda: tql.sample(cut(3), "dose", expected="age"), TQLError, "age"),
        (lambda: tql.sample(XRAYS, "dose"), TQLError, "expected the dataset to be a Ray Dataset, got DataFrame"),
        (lambda: tql.weights(tql.weights(cut(3), "dose"), "dose"), TQLError, "has a column 'weight' already"),
        (lambda: tql.query(cut(3), "select * order by age"), TQLUnsupportedError, "ORDER BY"),
        (lambda: tql.query(cut(3), "select agee"), TQLNameError, "did you mean 'age'"),
        (lambda: tql.report(cut(3), "dose", by="view", over="sex"), TQLUnsupportedError, "Dask, Spark and Ray"),
        (lambda: tql_frames.sample(cut(3), "dose"), TQLError, "import tql_frames.ray; its functions take the dataset"),
    ],
)
def test_faults_that_texts_and_columns_tell_are_found_at_once(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as fault:
        call()
    assert message in str(fault.value)


def test_faults_come_from_the_workers_as_they_are() -> None:
    for call in (lambda frame: frame.tql.sample("dose - 0.5", 10), lambda frame: frame.tql.weights("dose - 0.5")):
        with pytest.raises(WeightError) as expected:
            call(XRAYS)
        with pytest.raises(WeightError) as found:
            tql.sample(cut(3), "dose - 0.5", 10)
        assert str(found.value) == str(expected.value)
        assert found.value.span == expected.value.span is not None


def test_warnings() -> None:
    with pytest.warns(TQLWarning, match="4,000 rows were asked for"):
        tql.sample(cut(3), "max_weight(age > 80: 1)", 4_000, replace=False, seed=1)
    with pytest.warns(TQLArmWarning, match="arm 1 matches no row"):
        tql.sample(cut(3), "max_weight(view = 'pa': 5, True: 1)", 10, seed=1)


# -- the other calls --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", [STRATA, "dose", "random() % 7"])
def test_weights(sampler: str) -> None:
    found = rows_of(tql.weights(cut(7), sampler, seed=3))
    assert found["weight"].to_list() == XRAYS.tql.weights(sampler, seed=3).to_list()
    assert found.drop("weight").rows() == XRAYS.rows()


@pytest.mark.parametrize(
    "text",
    [
        "select * where age > 60 limit 7",
        "select image, age + 1 as older where view = 'PA'",
        "select image, age * 2 as twice where sex = 'F' sample by max_weight(twice > 100: 5, True: 1) limit 300",
        "select * sample by dose replace false limit 10 percent",
        "select age * 2 as twice where age > 200",
    ],
)
def test_statements(text: str) -> None:
    found, expected = tql.query(cut(7), text, seed=3), XRAYS.tql.query(text, seed=3).sort("index")
    if expected.height:
        check_same(rows_of(found), expected)
        assert rows_of(tql.query(cut(7), text, seed=3, index=None)).rows() == expected.drop("index").rows()
    assert found.count() == expected.height


@pytest.mark.parametrize("sampler", [None, STRATA, "random() % 7", "select * where age > 50 sample by dose limit 90"])
def test_reports(sampler: str | None) -> None:
    found = tql.report(cut(7), sampler, by="findings", seed=3)
    assert str(found) == str(XRAYS.to_pandas().tql.report(sampler, by="findings", seed=3))
    assert isinstance(found.labels, pd.DataFrame)


def test_a_split_is_that_of_polars() -> None:
    wanted = {"train": 0.8, "test": 0.2}
    found = tql.split(cut(5), wanted, unit="patient_id", by="view", seed=7)
    expected = XRAYS.tql.split(wanted, unit="patient_id", by="view", seed=7)
    for name, part in found.items():
        assert rows_of(part).rows() == expected[name].to_native().rows()
    assert str(found.report()) == str(expected.report())


# -- the pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", tql.__all__)
def test_examples_of_docstrings_show_what_they_say(name: str) -> None:
    text = inspect.getdoc(getattr(tql, name)) or ""
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(doctest.DocTestParser().get_doctest(text, {}, name, name, 0))
    assert runner.tries > 0
    assert runner.summarize(verbose=False).failed == 0


def test_examples_of_the_page_show_what_they_say() -> None:
    page = "docs/distributed.md"
    check_examples(page, blocks_of(page, "Sample a Ray dataset"), flags=doctest.NORMALIZE_WHITESPACE)
