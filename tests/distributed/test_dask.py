"""Dask: the rows of pandas for the same seed, on clusters of processes, whatever the partitions and the workers."""

from __future__ import annotations

import doctest
import os
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

pytest.importorskip("dask", reason="Dask is not installed")

import tql_frames
import tql_frames.dask
from tests.distributed.dask_frames import PEOPLE, REPLACE, STRATA, cluster_of, cut, dask, dd
from tests.pages import blocks_of, check_examples
from tql_frames import (
    TQLArmWarning,
    TQLError,
    TQLNameError,
    TQLTypeError,
    TQLUnsupportedError,
    TQLWarning,
    WeightError,
)
from tql_frames.distributed.dask import graph

pytestmark = [pytest.mark.usefixtures("in_time"), pytest.mark.filterwarnings("ignore")]

SECONDS = 120  # for a test


# -- the rows ---------------------------------------------------------------------------------------------------------


def check_samples(partitions: int) -> None:
    """With and without replacement, of few and of many distinct weights."""
    frame = cut(partitions)
    whole = frame.compute()
    for replace in (True, False):
        for sampler in (STRATA, "dose"):
            found = frame.tql.sample(sampler, 2_000, replace=replace, seed=7).compute()
            expected = whole.tql.sample(sampler, 2_000, replace=replace, seed=7, order="source")
            pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("partitions", [1, 3, 17])
def test_one_seed_one_sample_on_two_workers(cluster, partitions):
    check_samples(partitions)


def test_one_seed_one_sample_on_one_worker():
    with cluster_of(1):
        for partitions in (1, 3, 17):
            check_samples(partitions)


@pytest.fixture
def passes(monkeypatch):
    """How often each partition is read by a sample without replacement."""
    steps = []
    each = graph._each

    def noted(frame, step, *rest, **how):
        steps.append(step)
        return each(frame, step, *rest, **how)

    monkeypatch.setattr(graph, "_each", noted)

    def count(frame: dd.DataFrame, sampler: str) -> int:
        steps.clear()
        frame.tql.sample(sampler, 100, replace=False, seed=7)
        return len(steps)

    return count


@pytest.mark.usefixtures("threads")
def test_no_pass_is_idle_where_few_weights_are_known_before(tmp_path, passes):
    """By the types of columns, and by the bounds in Parquet files."""
    rng = np.random.default_rng(4)
    whole = pd.DataFrame(
        {
            "flag": rng.random(4_000) < 0.3,
            "perhaps": pd.array(rng.choice([True, False, None], 4_000), dtype="boolean"),
            "kind": pd.Categorical(rng.choice(["a", "b", "c"], 4_000)),
            "small": rng.integers(0, 12, 4_000).astype(np.uint8),
            "level": rng.integers(-3, 9, 4_000),
            "wide": rng.integers(0, 300, 4_000),
        }
    )
    frame = dd.from_pandas(whole, npartitions=4)
    frame.to_parquet(tmp_path)
    files = dd.read_parquet(tmp_path)
    two = ["flag", "perhaps", "max_weight(kind = 'a': 5, flag: 3, True: 1)", "small % 5"]
    for sampler in two:
        assert passes(frame, sampler) == 2, sampler
    assert [passes(files, sampler) for sampler in ("level + 3", "max_weight(level > 2: level, True: 1)")] == [2, 2]
    more = ["small + 1", "level + 3", "wide", "small * level"]
    assert [passes(frame, sampler) for sampler in more] == [3] * 4
    assert [passes(files, sampler) for sampler in ("wide", "level * wide")] == [3, 3]
    assert passes(files.assign(level=files.level * 1_000), "level") == 3
    for source, sampler in [(frame, each) for each in (*two, *more[:1], "wide")] + [
        (files, "level + 3"),
        (files, "wide"),
    ]:
        for replace in (True, False):
            found = source.tql.sample(sampler, 500, replace=replace, seed=3).compute()
            expected = whole.tql.sample(sampler, 500, replace=replace, seed=3, order="source")
            assert found.index.to_list() == expected.index.to_list(), sampler


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("values", [[1, 2], ["x", "y"], [1, "x"]], ids=["numbers", "texts", "mixed"])
def test_a_name_that_two_columns_have_is_an_error_of_ours(values):
    whole = pd.DataFrame([[*values, 3.0]] * 6, columns=["a", "a", "c"])
    frame = dd.from_pandas(whole, npartitions=2)
    for sampler in ("a", "max_weight(a = 1: 2, True: 1)"):
        with pytest.raises(TQLError, match="'a'"):
            frame.tql.sample(sampler, 3, seed=1).compute()
    expected = frame.compute().tql.sample("c", 3, seed=1, order="source")  # Dask makes text of objects
    pd.testing.assert_frame_equal(frame.tql.sample("c", 3, seed=1).compute(), expected)


@pytest.mark.usefixtures("threads")
def test_files_with_more_weights_than_their_bounds_said_are_an_error(tmp_path):
    frame = pd.DataFrame({"level": np.arange(2_000) % 7})
    frame.to_parquet(tmp_path / "part.parquet")
    sample = dd.read_parquet(tmp_path).tql.sample("level", 100, seed=1)
    pd.DataFrame({"level": np.arange(2_000)}).to_parquet(tmp_path / "part.parquet")
    with pytest.raises(TQLError, match="the rows changed"):
        sample.compute()


@pytest.mark.usefixtures("threads")
def test_the_index_is_told_from_a_column():
    frame = dd.from_pandas(pd.DataFrame({"age": [1, 2]}, index=pd.Index(["x", "y"], name="image")), npartitions=1)
    with pytest.raises(TQLError, match="it is a level of the index"):
        frame.tql.sample("image = 'x'", 1)


@pytest.mark.usefixtures("threads")
def test_bounds_of_some_of_the_files_of_a_partition_are_not_taken_for_all(tmp_path, passes):
    """The wider file has no statistics in its footer."""
    narrow, wide = (pd.DataFrame({"level": np.arange(2_000) % most}) for most in (7, 90))
    narrow.to_parquet(tmp_path / "a.parquet")
    wide.to_parquet(tmp_path / "b.parquet", write_statistics=False)
    files = dd.read_parquet(tmp_path, aggregate_files=True, blocksize="1GB")
    assert files.npartitions == 1 and passes(files, "level") == 3
    whole = pd.concat([narrow, wide], ignore_index=True)
    found = files.tql.sample("level", 100, seed=1).compute()
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True),
        whole.tql.sample("level", 100, seed=1, order="source").reset_index(drop=True),
    )


@REPLACE
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    "sampler",
    [
        "part",
        "random()",
        "max_weight(random() % 10 = 9: 30, True: 1)",
        "row_number() % 5",
        "max_weight(age > 60: dose, True: 1)",
        "max_weight(" + ", ".join(f"age > {n}: {n}.5" for n in range(5, 95, 3)) + ")",
        pl.col("dose") ** 2,
    ],
)
def test_any_sampler(sampler, replace):
    whole = cut(3).compute()
    for partitions, limit in ((1, 50), (3, 3_000), (5, 0), (17, 300)):
        found = cut(partitions).tql.sample(sampler, limit, replace=replace, seed=limit).compute()
        expected = whole.tql.sample(sampler, limit, replace=replace, seed=limit, order="source")
        pd.testing.assert_frame_equal(found, expected)


@REPLACE
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("columns", [None, ["dose", "age"]], ids=["all columns", "two columns"])
@pytest.mark.parametrize("filesystem", ["fsspec", "arrow"])
def test_from_parquet(tmp_path, filesystem, columns, replace):
    for number, start in enumerate(range(0, 6_000, 500)):
        PEOPLE.iloc[start : start + 500].to_parquet(tmp_path / f"{number:02}.parquet")
    # Of few columns Dask reads several files as one partition, where nobody stops it.
    frame = dd.read_parquet(str(tmp_path), filesystem=filesystem, columns=columns)
    frame = frame[frame["age"] > 10]
    found = frame.tql.sample("dose", 1_000, replace=replace, seed=7).compute()
    expected = frame.compute().tql.sample("dose", 1_000, replace=replace, seed=7, order="source")
    pd.testing.assert_frame_equal(found, expected)
    assert len(found) == 1_000


@pytest.mark.usefixtures("threads")
def test_size_by_fraction_and_by_default():
    frame = cut(4)
    assert len(frame.tql.sample(STRATA, fraction=0.25, seed=1)) == 1_500
    assert len(frame.tql.sample(STRATA, seed=1)) == 6_000
    assert (
        frame.tql.sample(STRATA, 500, seed=1)["age"].sum().compute()
        == frame.tql.sample(STRATA, 500, seed=1).age.sum().compute()
    )


@pytest.mark.usefixtures("threads")
def test_no_seed_is_a_seed_of_the_plan():
    plan = cut(3).tql.sample(STRATA, 100)
    pd.testing.assert_frame_equal(plan.compute(), plan.compute())
    assert not plan.compute().equals(cut(3).tql.sample(STRATA, 100).compute())


@pytest.mark.usefixtures("threads")
def test_divisions_stay_where_they_are_known():
    frame = dd.from_pandas(PEOPLE.sort_index(), npartitions=3)
    found = frame.tql.sample(STRATA, 500, seed=1)
    assert found.divisions == frame.divisions
    assert found.loc[10:1_000].compute().index.max() <= 1_000
    assert cut(3).tql.sample(STRATA).divisions == (None,) * 4
    for plan in (frame.tql.weights("dose"), frame.tql.weights(STRATA), frame.tql.query("select age where age > 60")):
        assert plan.divisions == frame.divisions
    weighed = frame.assign(weight=frame.tql.weights("dose * 2"))  # which Dask aligns by the divisions
    assert weighed.loc[10:1_000].compute().eval("weight == dose * 2").all()
    assert cut(3).tql.weights("dose").divisions == cut(3).tql.query("select age").divisions == (None,) * 4


@pytest.mark.usefixtures("threads")
def test_divisions_are_unknown_where_keys_change_the_order():
    frame = dd.from_pandas(PEOPLE.sort_index(), npartitions=3)
    found = frame.tql.sample(STRATA, 500, seed=1, keys=["image"])
    assert found.divisions == (None,) * 4
    assert not found.compute().index.is_monotonic_increasing


@pytest.mark.usefixtures("threads")
def test_lists_that_dask_leaves_alone():
    with dask.config.set({"dataframe.convert-string": False}):
        whole = tql_frames.datasets.chest_xray().head(3_000).to_pandas()
        frame = dd.from_pandas(whole, npartitions=4)
        text = (
            "max_weight(contains(findings, 'Mass'): 9, any(findings == 'Hernia') or shape(findings)[0] > 2: 3, True: 1)"
        )
        found = frame.tql.sample(text, 500, seed=3).compute()
        expected = whole.tql.sample(text, 500, seed=3, order="source")
        assert found["image"].tolist() == expected["image"].tolist()
        counted = frame.tql.query("select image, shape(findings)[0] as n where contains(findings, 'Mass')")
        assert counted.dtypes["n"] == np.int64
        assert counted.compute()["n"].min() >= 1


def test_a_partition_of_nothing_but_missing_text(threads):
    frame = pd.DataFrame({"text": ["a", "b", None, None, "c"], "x": [1.0, 2.0, 3.0, 4.0, 5.0]})
    with dask.config.set({"dataframe.convert-string": False}):
        frame["text"] = frame["text"].astype(object)
        parts = dd.from_pandas(frame, npartitions=5, sort=False)
        for text in (
            "max_weight(contains(text, 'a'): 9, text like 'b*': 2, True: 1)",
            "max_weight(text is null: 3, True: x)",
        ):
            found = parts.tql.sample(text, 50, seed=3).compute()
            assert found.index.tolist() == frame.tql.sample(text, 50, seed=3, order="source").index.tolist()


# -- laziness, faults, other workers ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("threads")
def test_nothing_runs_before_compute():
    def refuse(part: pd.DataFrame) -> pd.DataFrame:
        raise AssertionError("a partition was asked for")

    frame = cut(3).map_partitions(refuse, meta=PEOPLE.iloc[:0])
    plans = [
        frame.tql.sample(STRATA, 10),
        frame.tql.sample("dose", 10, replace=False),
        frame.tql.weights("dose"),
        frame.tql.query("select age + 1 as older where age > 60 sample by dose limit 5"),
    ]
    for plan in plans:
        with pytest.raises(AssertionError, match="a partition was asked for"):
            plan.compute()


@pytest.mark.parametrize("replace", [True, False])
def test_rows_that_change_between_the_passes_are_an_error(cluster, replace):
    shuffled = cut(3).map_partitions(lambda part: part.sample(frac=1), meta=PEOPLE.iloc[:0])
    for sampler in (STRATA, "dose"):
        with pytest.raises(TQLError, match="rows changed between the passes") as fault:
            shuffled.tql.sample(sampler, 100, replace=replace).compute()
        assert "persist" in str(fault.value)


def test_keys_make_rows_of_any_order_a_sample(cluster):
    frame = cut(3)
    shuffled = frame.map_partitions(lambda part: part.sample(frac=1), meta=PEOPLE.iloc[:0])
    ordered = frame.map_partitions(lambda part: part.sort_values("image"), meta=PEOPLE.iloc[:0])
    found = shuffled.tql.sample(STRATA, 500, seed=3, keys=["image"]).compute()
    pd.testing.assert_frame_equal(found, ordered.compute().tql.sample(STRATA, 500, seed=3, order="source"))


def test_persisted_rows_stay_as_they_are(cluster):
    shuffled = cut(3).map_partitions(lambda part: part.sample(frac=1), meta=PEOPLE.iloc[:0]).persist()
    found = shuffled.tql.sample(STRATA, 500, seed=3).compute()
    pd.testing.assert_frame_equal(found, shuffled.compute().tql.sample(STRATA, 500, seed=3, order="source"))


def _dies_once(part: pd.DataFrame, marker: str) -> pd.DataFrame:
    """Kills its worker, the first time that it meets rows."""
    if len(part) and not os.path.exists(marker):
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return part


@pytest.mark.parametrize(("sampler", "replace"), [(STRATA, True), ("dose", False)], ids=["strata", "rows"])
def test_a_worker_that_is_killed_in_the_last_pass_changes_nothing(cluster, tmp_path, sampler, replace):
    plan = cut(17).tql.sample(sampler, 2_000, replace=replace, seed=7)
    expected = plan.compute()
    dying = plan.map_partitions(_dies_once, str(tmp_path / "died"), meta=plan._meta)
    pd.testing.assert_frame_equal(dying.compute(), expected)
    assert (tmp_path / "died").exists()
    cluster.wait_for_workers(1, timeout=60)


def test_fewer_rows_than_asked_for_are_a_warning_to_the_client(cluster):
    plan = cut(3).tql.sample("max_weight(age > 80: 1)", 4_000, replace=False, seed=1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        rows = len(plan.compute())
        for _ in range(100):  # it comes by a connection of its own
            if any(issubclass(each.category, TQLWarning) for each in told):
                break
            time.sleep(0.05)
    assert rows == (PEOPLE["age"] > 80).sum()
    assert any("4,000 rows were asked for" in str(each.message) for each in told)


@pytest.mark.fault("B6")
def test_idle_arms_are_a_warning_to_the_client(cluster):
    plan = cut(17).tql.sample("max_weight(view = 'pa': 5, age > 60: 0.5, True: 1)", 10, seed=1)
    statement = cut(3).tql.query("select * where age > 60 sample by max_weight(age < 60: 5, True: 1) limit 5", seed=1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        plan.compute(), statement.compute()

        def texts() -> list[str]:
            return [str(each.message) for each in told if issubclass(each.category, TQLArmWarning)]

        for _ in range(100):  # they come by a connection of their own
            if len(texts()) == 3:
                break
            time.sleep(0.05)
    found = sorted(text.splitlines()[0] for text in texts())
    assert found == [
        "arm 1 matches no row",
        "arm 1 matches no row",
        "arm 2 never decides: every row has weight 1 from arm 3",
    ]


@pytest.mark.usefixtures("threads")
@pytest.mark.fault("B6")
def test_an_arm_that_decides_in_one_partition_is_not_idle():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        cut(17).tql.sample("max_weight(age > 90: 5, dose > 0.999: 3, True: 1)", 5).compute()
        cut(17).tql.sample("max_weight(view = 'pa': 5, True: 1)", 0).compute()
    assert [each for each in told if issubclass(each.category, TQLWarning)] == []


def test_faults_come_from_the_workers_as_they_are(cluster):
    with pytest.raises(WeightError) as expected:
        PEOPLE.tql.sample("dose - 0.5", 10)
    with pytest.raises(WeightError) as found:
        cut(3).tql.sample("dose - 0.5", 10).compute()
    assert str(found.value) == str(expected.value)
    with pytest.raises(WeightError, match="the first row"):
        cut(3).tql.weights("dose - 0.5").compute()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda tql: tql.sample("max_weight(agee > 60: 2)"), TQLNameError, "did you mean 'age'"),
        (lambda tql: tql.sample("max_weight(age > 60: 0 - 2, image > 5: 1)"), TQLTypeError, "number"),
        (lambda tql: tql.sample("max_weight(age > 60: -2, True: 1)"), WeightError, "arm 1 has a negative weight"),
        (lambda tql: tql.sample("dose", order="draw"), TQLUnsupportedError, "order='draw'"),
        (lambda tql: tql.sample("dose", order="random"), TQLError, "expected order= to be"),
        (lambda tql: tql.sample("dose", -1), TQLError, "expected limit= to be"),
        (lambda tql: tql.sample("dose", keys=["imag"]), TQLNameError, "did you mean 'image'"),
        (lambda tql: tql.sample("dose", keys="image"), TQLError, "expected keys= to be"),
        (lambda tql: tql.sample(pl.col("dose").rank()), TQLUnsupportedError, "several rows at once"),
        (lambda tql: tql.sample(3), TQLError, "expected a sampler as TQL text"),
        (lambda tql: tql.query("select * order by age"), TQLUnsupportedError, "ORDER BY"),
        (lambda tql: tql.query("select agee"), TQLNameError, "did you mean 'age'"),
        (lambda tql: tql.query("select people.agee from people"), TQLNameError, "did you mean"),
        (lambda tql: tql.query("select * where age > ?", "5"), TQLError, "parameters"),
        (lambda tql: tql.query(5), TQLError, "expected a statement as TQL text"),
        (lambda tql: tql.report(by="agee"), TQLNameError, "did you mean 'age'"),
        (lambda tql: tql.report("row_number()", by="age"), TQLUnsupportedError, "row_number"),
    ],
)
def test_faults_that_texts_and_columns_tell_are_found_at_once(call, error, message):
    with pytest.raises(error) as fault:
        call(cut(3).tql)
    assert message in str(fault.value)


def test_calls_for_frames_in_one_piece_say_where_those_for_dask_are():
    with pytest.raises(TQLError, match=r"import tql_frames\.dask; then the frame has"):
        tql_frames.sample(cut(3), "dose")


# -- the other calls --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("sampler", [STRATA, "dose", "random() / 1099511627776 + row_number()", "part"])
def test_weights(sampler):
    found = cut(17).tql.weights(sampler).compute()
    expected = cut(17).compute().tql.weights(sampler)
    if "random" in sampler:
        assert np.floor(found).tolist() == list(range(6_000))
        return
    pd.testing.assert_series_equal(found, expected)


@pytest.mark.parametrize(
    "text",
    [
        "select * where age > 60 limit 7",
        "select image, age + 1 as older where view = 'PA'",
        "select image, part limit 10 percent",
        "select image, age * 2 as twice where sex = 'F' sample by max_weight(twice > 100: 5, True: 1) limit 300",
        "select * sample by dose replace false limit 10 percent",
        "select image where age > 200 sample by dose",
    ],
)
def test_statements(cluster, text):
    frame = cut(17)
    plan = frame.tql.query(text, seed=3)
    found, expected = plan.compute(), frame.compute().tql.query(text, seed=3)
    if "sample" in text:  # there in the order drawn
        columns = list(found.columns)
        found, expected = found.sort_values(columns), expected.sort_values(columns)
    pd.testing.assert_frame_equal(found, expected, check_dtype=len(found) > 0)
    assert list(plan.columns) == list(found.columns)


@pytest.mark.usefixtures("threads")
def test_a_statement_reads_the_columns_that_it_names():
    read = []

    def part(start: int, columns: list[str] | None = None) -> pd.DataFrame:
        read.append(set(PEOPLE.columns if columns is None else columns))
        return PEOPLE.iloc[start : start + 3_000][list(PEOPLE.columns if columns is None else columns)]

    frame = dd.from_map(part, [0, 3_000], meta=PEOPLE.iloc[:0])
    found = frame.tql.query("select age where view = 'PA' sample by dose limit 5", seed=1).compute()
    assert found.columns.to_list() == ["age"] and len(found) == 5
    assert set().union(*read) == {"age", "view", "dose"}
    assert len(frame.tql.query("select 1 as one").compute()) == 6_000


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("by", "sampler", "options"),
    [
        ("view", None, {}),
        ("sex", STRATA, {"limit": 300}),
        ("part", STRATA, {"limit": 300, "replace": False}),
        (None, "max_weight(age > 60: dose, True: 1)", {}),
        ("sex", "select * where age > 50 sample by max_weight(view = ?: 3, True: 1) limit 50", {"parameters": ["PA"]}),
    ],
)
def test_reports(by, sampler, options):
    frame = cut(17)
    found, expected = frame.tql.report(sampler, by=by, **options), frame.compute().tql.report(sampler, by=by, **options)
    assert str(found) == str(expected)
    assert found.labels is None or isinstance(found.labels, pd.DataFrame)


def labelled() -> pd.DataFrame:
    """Columns of true and false and of 1 and 0, and a text that lists the same labels."""
    frame = PEOPLE[["age", "dose"]].copy()
    flags = {"wet": frame["age"] > 60, "old dog": frame["age"] % 3 == 0, "x": frame["dose"] < 0.2}
    frame["wet"] = flags["wet"]
    frame["old dog"] = flags["old dog"].astype("int8")
    frame["x"] = flags["x"].astype("float64").where(flags["x"] | (frame["age"] % 2 == 0))  # unset: 0 or missing
    frame["text"] = ["|".join(name for name in flags if flags[name].iloc[row]) for row in range(len(frame))]
    return frame


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("sampler", [None, "max_weight(wet: 3, contains(split(text, '|'), 'x'): 2, true: 1)"])
def test_reports_of_one_hot_columns_and_of_texts(sampler):
    frame = labelled()
    for number in (1, 17):
        for options in ({"by": ["wet", "old dog", "x"]}, {"by": "text", "split": "|"}):
            found = cut(number, frame).tql.report(sampler, 200, replace=False, **options)
            assert str(found) == str(frame.tql.report(sampler, 200, replace=False, **options))
            assert found.by == frame.tql.report(**options).by
    shares = cut(5, frame).tql.report(sampler, by="text", split="|").labels
    columns = cut(5, frame).tql.report(sampler, by=["wet", "old dog", "x"]).labels
    pd.testing.assert_frame_equal(shares, columns)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda tql: tql.report(by=["wet", "age"]), TQLTypeError, "expected 1 or 0 in column 'age' of by=, got"),
        (
            lambda tql: tql.report(by=["wet", "text"]),
            TQLTypeError,
            "expected column 'text' of by= to hold true or false",
        ),
        (lambda tql: tql.report(by=["wet", "wett"]), TQLNameError, "did you mean 'wet'"),
        (lambda tql: tql.report(by="age", split="|"), TQLTypeError, "split= is for a column of text"),
        (lambda tql: tql.report(by=["wet"], split="|"), TQLError, "split= needs by= to be the name of one column"),
        (lambda tql: tql.report(by=[]), TQLError, "by= names no column"),
        (lambda tql: tql.report("text"), TQLTypeError, "report takes the sampler first; .*by='text'"),
        (lambda tql: tql.report("text", "max_weight(wet: 3)"), TQLError, "report takes the sampler first"),
        (lambda tql: tql.report("text", "1", 5), TypeError, "takes 2 arguments by position .* such as by="),
    ],
)
def test_what_is_no_label_of_a_report_is_told(call, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        call(cut(3, labelled()).tql)


@pytest.mark.usefixtures("threads")
@pytest.mark.fault("H5")
@pytest.mark.parametrize("sampler", ["random() % 7", "max_weight(random() % 2 = 1: 3, True: 1)"])
def test_a_seed_fixes_the_numbers_of_random(sampler):
    frame, whole = cut(17), cut(17).compute()
    assert frame.tql.weights(sampler, seed=3).compute().to_list() == whole.tql.weights(sampler, seed=3).to_list()
    found = [str(frame.tql.report(sampler, by="view", limit=9, seed=seed)) for seed in (3, 4)]
    assert found[0] == str(whole.tql.report(sampler, by="view", limit=9, seed=3)) != found[1]


@pytest.mark.usefixtures("threads")
def test_a_report_that_tells_bad_weights():
    with pytest.raises(WeightError, match="the first row"):
        cut(3).tql.report("dose - 0.5", by="view")


@pytest.mark.usefixtures("threads")
def test_examples_of_the_page_show_what_they_say():
    page = "docs/distributed.md"
    # pandas ends lines with blanks
    check_examples(page, blocks_of(page, "Sample a Dask DataFrame"), flags=doctest.NORMALIZE_WHITESPACE)
