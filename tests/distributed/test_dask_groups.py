"""Dask: samples by group, of units, by design and by key, and splits: those of pandas for the same seed."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("dask", reason="Dask is not installed")

import tql_frames
import tql_frames.dask
from tests.distributed.dask_frames import PEOPLE, REPLACE, STRATA, cut, dask, dd
from tql_frames import (
    TQLError,
    TQLNameError,
    TQLTypeError,
    TQLUnsupportedError,
    TQLWarning,
    WeightError,
)

pytestmark = [pytest.mark.usefixtures("in_time"), pytest.mark.filterwarnings("ignore")]

SECONDS = 120  # for a test


# -- rows of every group ----------------------------------------------------------------------------------------------

OVER = [
    ({"over": "view", "limit": 40}, "dose"),
    ({"over": ["view", "age % 3"], "fraction": 0.05}, STRATA),
    ({"over": "view", "limit": {"AP": 2_500, "PA": 3}}, "max_weight(age > 60: dose, True: 1)"),
    ({"over": "part", "limit": 30}, STRATA),
    ({"over": "age > 60"}, STRATA),
    ({"over": "age", "limit": 2}, "dose + 1"),
    ({"over": ["row_number() / 2000 > 1", "random() % 2"], "limit": 25}, "random()"),
    ({"unit": "age", "limit": 7}, "dose"),
    ({"unit": ["view", "age"], "over": "view", "limit": {"AP": 5}}, STRATA),
]


@REPLACE
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("options", "sampler"), OVER)
def test_one_seed_one_sample_of_every_group(options, sampler, replace):
    whole = cut(3).compute()
    expected = whole.tql.sample(sampler, **options, replace=replace, seed=7, order="source")
    for partitions in (1, 2, 3, 7):
        found = cut(partitions).tql.sample(sampler, **options, replace=replace, seed=7).compute()
        pd.testing.assert_frame_equal(found, expected)


def test_samples_of_every_group_on_workers(cluster):
    frame = cut(17)
    whole = frame.compute()
    for replace in (True, False):
        for sampler in (STRATA, "dose"):
            found = frame.tql.sample(sampler, 60, over=["view", "part"], replace=replace, seed=7).compute()
            expected = whole.tql.sample(sampler, 60, over=["view", "part"], replace=replace, seed=7, order="source")
            pd.testing.assert_frame_equal(found, expected)


@REPLACE
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("dtype", ["category", "object", "str"])
def test_text_of_any_kind_names_groups(dtype, replace):
    frame = pd.DataFrame({"g": ["a", "b", None, None, "c", "a"] * 20, "x": np.arange(120.0) + 1})
    with dask.config.set({"dataframe.convert-string": False}):
        frame["g"] = frame["g"].astype(dtype)
        for partitions in (1, 5, 40):  # of 40 some hold nothing but missing text
            parts = dd.from_pandas(frame, npartitions=partitions, sort=False)
            for limit in (4, {"b": 3, None: 5}):
                options = {"over": "g", "replace": replace, "seed": 2}
                found = parts.tql.sample("x", limit, **options).compute()
                expected = frame.tql.sample("x", limit, **options, order="source")
                assert found.index.tolist() == expected.index.tolist()


@REPLACE
@pytest.mark.usefixtures("threads")
def test_statements_with_over(replace):
    text = "select image, age * 2 as twice where sex = 'F' sample by twice + 1 over (view, twice > 100)"
    text += f" replace {replace} limit 30"
    frame = cut(7)
    found, expected = frame.tql.query(text, seed=3).compute(), frame.compute().tql.query(text, seed=3)
    columns = list(found.columns)
    pd.testing.assert_frame_equal(found.sort_values(columns), expected.sort_values(columns))


@pytest.mark.usefixtures("threads")
def test_fewer_rows_of_a_group_are_no_warning():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = cut(3).tql.sample("max_weight(age > 80: 1)", 4_000, over="view", replace=False, seed=1).compute()
        cut(3).tql.sample("max_weight(view = 'pa': 5, True: 1)", 4, over="view", seed=1).compute()
        cut(3).tql.sample("max_weight(age = 80: 1)", 4, unit="age", replace=False, seed=1).compute()
    assert len(found) == (PEOPLE["age"] > 80).sum()
    texts = [str(each.message).splitlines()[0] for each in told if issubclass(each.category, TQLWarning)]
    assert texts[0] == "arm 1 matches no row"
    assert texts[1:] == ["4 units were asked for without replacement, but only 1 have a positive weight"]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("replace", [True, False])
def test_rows_that_change_between_the_passes_are_an_error_in_groups(replace):
    shuffled = cut(3).map_partitions(lambda part: part.sample(frac=1), meta=PEOPLE.iloc[:0])
    with pytest.raises(TQLError, match="rows changed between the passes"):
        shuffled.tql.sample("1", 100, over="view", replace=replace).compute()
    frame = cut(3)
    ordered = frame.map_partitions(lambda part: part.sort_values("image"), meta=PEOPLE.iloc[:0])
    options = {"over": "view", "replace": replace, "seed": 3}
    found = shuffled.tql.sample(STRATA, 50, **options, keys=["image"]).compute()
    pd.testing.assert_frame_equal(found, ordered.compute().tql.sample(STRATA, 50, **options, order="source"))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda tql: tql.sample("1", 3, over="vieww"), TQLNameError, "did you mean 'view'"),
        (lambda tql: tql.sample("1", 3, over=3), TQLError, "expected over= to be a column name"),
        (lambda tql: tql.sample("1", {"PA": 3}), TQLError, "limit by group needs over"),
        (lambda tql: tql.sample("1", 3, over="data(view, 1)"), TQLUnsupportedError, "on another machine"),
        (lambda tql: tql.sample("1", 3, unit="imag"), TQLNameError, "did you mean 'image'"),
        (lambda tql: tql.query("select * sample by 1 over (vieww)"), TQLNameError, "did you mean 'view'"),
        (lambda tql: tql.report("1", 3, by="sex", over="view"), TQLUnsupportedError, "by over are not"),
        (lambda tql: tql.report("1", 3, by="sex", unit="view"), TQLUnsupportedError, "by unit are not"),
        (lambda tql: tql.report("1", 3, by="sex", design="systematic"), TQLUnsupportedError, "by design are not"),
        (
            lambda tql: tql.report("select * sample by 1 design systematic", by="sex"),
            TQLUnsupportedError,
            "by design are not",
        ),
        (lambda tql: tql.report("select * sample by 1 over (view)", by="sex"), TQLUnsupportedError, "by over are not"),
    ],
)
def test_faults_of_groups_that_texts_and_columns_tell_are_found_at_once(call, error, message):
    with pytest.raises(error) as fault:
        call(cut(3).tql)
    assert message in str(fault.value)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("sampler", "limit", "error"),
    [("1", {"PAA": 3}, TQLNameError), ("max_weight(view = 'PA': 1)", 2, WeightError), ("dose - 0.5", 2, WeightError)],
)
def test_faults_of_groups_that_rows_tell(sampler, limit, error):
    with pytest.raises(error) as expected:
        cut(3).compute().tql.sample(sampler, limit, over="view", seed=1)
    with pytest.raises(error) as found:
        cut(3).tql.sample(sampler, limit, over="view", seed=1).compute()
    assert str(found.value) == str(expected.value)


# -- designs, keys, expectations --------------------------------------------------------------------------------------

DESIGNS = [
    {"limit": 400, "design": "systematic"},
    {"limit": 400, "design": "systematic", "replace": False},
    {"fraction": 0.1, "design": "poisson", "replace": False, "over": "view"},
    {"limit": 9, "design": "systematic", "replace": False, "unit": "age", "over": "age > 60"},
    {"limit": 70, "key": "image", "replace": False},
    {"limit": 70, "key": "image", "design": "poisson", "replace": False},
    {"limit": 70, "replace": False},
    {"limit": 30, "over": "part"},
]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("sampler", [STRATA, "dose"], ids=["strata", "rows"])
@pytest.mark.parametrize("options", DESIGNS)
def test_one_seed_one_sample_by_any_design(options, sampler):
    whole = cut(3).compute()
    expected = whole.tql.sample(sampler, **options, seed=7, order="source", expected="times")
    for partitions in (1, 3, 7):
        lazily = cut(partitions).tql.sample(sampler, **options, seed=7, expected="times")
        pd.testing.assert_frame_equal(lazily.compute(), expected)
        pd.testing.assert_frame_equal(lazily._meta, expected.iloc[:0], check_column_type=False)
    plain = cut(3).tql.sample(sampler, **options, seed=7).compute()
    pd.testing.assert_frame_equal(plain, expected.drop(columns="times"))


def test_designs_on_workers(cluster):
    frame = cut(17)
    whole = frame.compute()
    for options in ({"design": "systematic"}, {"key": "image", "replace": False}):
        found = frame.tql.sample("dose", 60, **options, seed=7).compute()
        pd.testing.assert_frame_equal(found, whole.tql.sample("dose", 60, **options, seed=7, order="source"))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"design": "poison"}, TQLError, "did you mean 'poisson'"),
        ({"design": "poisson"}, TQLError, "pass replace=False"),
        ({"key": "imag", "replace": False}, TQLNameError, "did you mean 'image'"),
        ({"key": "age", "replace": False}, TQLError, "rows have a key that another row has"),
        ({"key": "dose", "replace": False}, TQLTypeError, "got a number that may have a fraction"),
        ({"expected": "age"}, TQLError, "the sample has a column 'age' already"),
        ({"expected": 3}, TQLError, "expected a column name or None for expected=, got 3"),
    ],
)
def test_faults_of_designs(options, error, message):
    with pytest.raises(error) as fault:
        cut(3).tql.sample("1", 3, **options).compute()
    assert message in str(fault.value)


# -- splits -----------------------------------------------------------------------------------------------------------

SPLITS = [
    {"unit": "age", "by": ["view", "sex"]},
    {"unit": "part"},
    {"by": "sex"},
    {},
    {"key": "age"},
]
PARTS = {"train": 0.6, "test": 0.4}


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("options", SPLITS)
def test_one_seed_one_split(options):
    expected = cut(3).compute().tql.split(PARTS, **options, seed=7)
    for partitions in (1, 3, 17):
        found = cut(partitions).tql.split(PARTS, **options, seed=7)
        assert list(found) == list(expected)
        for name, part in found.items():
            pd.testing.assert_frame_equal(part.compute(), expected[name].to_native())
        assert str(found.report()) == str(expected.report())


@pytest.mark.usefixtures("threads")
def test_a_split_by_lists():
    frame = tql_frames.datasets.chest_xray().head(1_000).to_pandas()
    with dask.config.set({"dataframe.convert-string": False}):
        found = dd.from_pandas(frame, npartitions=4).tql.split(PARTS, unit="patient_id", by="findings", seed=3)
        expected = frame.tql.split(PARTS, unit="patient_id", by="findings", seed=3)
        for name, part in found.items():
            assert part.compute().index.tolist() == expected[name].to_native().index.tolist()


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("options", [{"by": "view"}, {"unit": "age", "by": "view"}, {"key": "age"}, {}])
def test_no_rows_cannot_be_split(options):
    frame = cut(3)
    with pytest.raises(TQLError, match="cannot split an empty frame"):
        frame[frame["age"] < 0].tql.split(PARTS, **options)


@pytest.mark.usefixtures("threads")
def test_keys_of_columns_of_objects():
    """Of which the type is known once their rows are."""
    frame = pd.DataFrame({"k": [f"a{row % 50}" for row in range(200)], "f": np.arange(200) / 3})
    with dask.config.set({"dataframe.convert-string": False}):
        parts = dd.from_pandas(frame.astype(object), npartitions=3)
        found, expected = parts.tql.split(PARTS, key="k", seed=1), frame.tql.split(PARTS, key="k", seed=1)
        for name, part in found.items():
            assert part.compute().index.tolist() == expected[name].to_native().index.tolist()
        with pytest.raises(TQLTypeError, match="expected whole numbers, text or dates for key="):
            parts.tql.split(PARTS, key="f")


def test_folds_on_workers(cluster):
    frame = cut(5)
    found, expected = (
        frame.tql.split(folds=3, unit="age", seed=2),
        frame.compute().tql.split(folds=3, unit="age", seed=2),
    )
    for own, whole in zip(found.folds(), expected.folds(), strict=True):
        for part, view in zip(own, whole, strict=True):
            pd.testing.assert_frame_equal(part.compute(), view.to_native())
    assert str(found).startswith("Split of 6,000 rows into 3 folds, Dask DataFrame of 5 partitions")


@pytest.mark.usefixtures("threads")
def test_rows_that_change_after_a_split_are_an_error():
    shuffled = cut(3).map_partitions(lambda part: part.sample(frac=1), meta=PEOPLE.iloc[:0])
    with pytest.raises(TQLError, match="rows changed between the passes"):
        shuffled.tql.split(PARTS, unit="age")["train"].compute()
    ordered = cut(3).map_partitions(lambda part: part.sort_values("image"), meta=PEOPLE.iloc[:0])
    found = shuffled.tql.split(PARTS, unit="age", seed=1, keys=["image"])["train"].compute()
    pd.testing.assert_frame_equal(found, ordered.compute().tql.split(PARTS, unit="age", seed=1)["train"].to_native())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"parts": PARTS, "unit": "ages"}, TQLNameError, "did you mean 'age'"),
        ({"parts": PARTS, "key": "dose"}, TQLTypeError, "expected whole numbers, text or dates for key="),
        ({"parts": {"a": 0.99999, "b": 0.00001}}, TQLError, "part 'b' would be empty"),
        ({"parts": PARTS, "keys": ["imag"]}, TQLNameError, "did you mean 'image'"),
        ({}, TQLError, "parts and folds are both missing"),
    ],
)
def test_faults_of_splits_are_found_at_once(options, error, message):
    with pytest.raises(error) as fault:
        cut(3).tql.split(**options)
    assert message in str(fault.value)


# -- samplers with values, and weights of one's own -------------------------------------------------------------------


def test_values_stand_for_the_question_marks() -> None:
    frame, parts = PEOPLE, cut(3)
    text, plain, values = "max_weight(age > ?: ?, True: 1)", "max_weight(age > 60: 5, True: 1)", [60, 5]
    found = parts.tql.sample(text, limit=50, seed=3, parameters=values).compute()
    pd.testing.assert_frame_equal(found, frame.tql.sample(plain, limit=50, seed=3, order="source"))
    assert parts.tql.weights(text, parameters=values).compute().equals(frame.tql.weights(plain))
    shares = parts.tql.report(text, by="view", parameters=values).labels["expected_share"]
    assert shares.to_list() == pytest.approx(frame.tql.report(plain, by="view").labels["expected_share"].to_list())
    with pytest.raises(TQLError, match="the text has 2 parameters, 1 given"):
        parts.tql.sample(text, parameters=[60])
    with pytest.raises(TQLError, match="parameters= are the values of"):
        parts.tql.report(parameters=[1], by="view")


def test_weights_by_position_are_told_the_way() -> None:
    with pytest.raises(TQLError, match="got ndarray") as caught:
        cut(3).tql.sample(np.ones(len(PEOPLE)))
    assert "as a column" in str(caught.value.hint)
