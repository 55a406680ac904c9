"""TQLResampler: the rows that it returns and their kind, pipelines and searches, and the checks of scikit-learn."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("imblearn", reason="imbalanced-learn is not installed")

import imblearn.utils.estimator_checks as imblearn_checks  # noqa: E402
import sklearn.utils.estimator_checks as sklearn_checks  # noqa: E402
from imblearn.pipeline import make_pipeline  # noqa: E402
from imblearn.under_sampling import RandomUnderSampler  # noqa: E402
from scipy import sparse  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold, cross_val_score  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

import tql_frames  # noqa: E402
from tests.pages import blocks_of, check_examples  # noqa: E402
from tql_frames import TQLError, TQLNameError, TQLWarning, WeightError  # noqa: E402
from tql_frames.sklearn import TQLResampler  # noqa: E402

ROWS = 300
RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(ROWS, 3))
Y = (X[:, 0] + RANDOM.normal(size=ROWS) > 1.3).astype(int)
PATIENTS = np.arange(ROWS) // 3
RARE = "max_weight(target = 1: 5, x1 > 1: 2, True: 1)"
LABELS = [f"row {number}" for number in range(ROWS)]
FEATURES = ["x0", "x1", "x2"]
FRAME = pd.DataFrame(X, columns=FEATURES, index=LABELS)
POLARS = pl.DataFrame(X, schema=FEATURES)


# --- the checks of scikit-learn and imbalanced-learn -----------------------------------------------------------------

# Checks of imbalanced-learn that ask for what a sampler need not do, and why.
NOT_FOR_US = {
    "check_target_type": "rows are drawn for regression and several labels too, so that no target is refused",
    "check_samplers_one_label": "weights can depend on features alone, so that one class is enough",
}
ESTIMATORS = [TQLResampler("1", random_state=3), TQLResampler("1", random_state=3, replace=False, design="systematic")]


def checks() -> Iterator[Any]:
    for estimator in ESTIMATORS:
        for module in (sklearn_checks, imblearn_checks):
            for checked, check in module.estimator_checks_generator(estimator):
                name = f"{module.__name__.split('.')[0]} {check.func.__name__} {checked.replace}"
                yield pytest.param(checked, check, id=name)


@pytest.mark.parametrize(("estimator", "check"), [*checks()])
def test_an_estimator_passes_the_checks(estimator: TQLResampler, check: Callable[[Any], None]) -> None:
    if check.func.__name__ in NOT_FOR_US:  # type: ignore[attr-defined]
        with pytest.raises(AssertionError):
            check(estimator)
    else:
        check(estimator)


def test_tables_of_other_libraries_are_refused_with_the_way_over() -> None:
    """As arrays they would lose the names of their columns."""
    with pytest.raises(TQLError, match=r"expected X to be .*, got Table\n  pass pl.DataFrame\(X\)"):
        TQLResampler("age").fit_resample(pl.DataFrame({"age": [1, 2]}).to_arrow(), [0, 1])


def test_the_checks_that_do_not_apply_exist() -> None:
    names = {check.func.__name__ for check in (parameter.values[1] for parameter in checks())}
    assert set(NOT_FOR_US) <= names
    assert len(names) > 40


# --- rows and their kind ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"limit": 50},
        {"fraction": 0.3, "replace": False},
        {"limit": 40, "replace": False, "design": "systematic"},
        {"limit": 9, "over": "target"},
        {"limit": {1: 30, 0: 10}, "over": "target"},
        {"limit": 1, "replace": False, "unit": "x2 > 0 and target = 1"},
        {"limit": 20, "replace": False, "key": "row_number()"},
    ],
)
def test_the_rows_are_those_of_a_sample_of_every_kind(options: dict[str, Any]) -> None:
    drawn = tql_frames.sample(POLARS.with_columns(target=Y), RARE, seed=7, **options)
    positions = drawn["index"].to_numpy()
    for given in (X, FRAME, POLARS):
        resampler = TQLResampler(RARE, random_state=7, **options)
        rows, targets = resampler.fit_resample(given, Y)
        assert type(rows) is type(given)
        assert np.array_equal(np.asarray(rows), X[positions])
        assert np.array_equal(targets, drawn["target"])
        assert np.array_equal(resampler.sample_indices_, positions)
        assert resampler.sample_indices_.dtype == np.int64


TARGETS = {
    "array": Y,
    "list": Y.tolist(),
    "column": Y[:, None],
    "pandas": pd.Series(Y, LABELS),
    "pandas frame": pd.DataFrame({0: Y}, LABELS),
    "Polars": pl.Series(values=Y),
    "Polars frame": pl.DataFrame({"target": Y}),
}


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("given", [X, X.tolist(), FRAME, POLARS], ids=["array", "list", "pandas", "Polars"])
def test_kinds_stay(given: Any, y: Any) -> None:
    resampler = TQLResampler(RARE, limit=20, random_state=7)
    rows, targets = resampler.fit_resample(given, y)
    expected = tql_frames.sample(POLARS.with_columns(target=Y), RARE, 20, seed=7)
    assert (type(rows), type(targets)) == (type(given), type(y))
    assert np.array_equal(np.asarray(rows), expected.select(FEATURES))
    assert np.array_equal(np.asarray(targets).ravel(), expected["target"])
    assert resampler.n_features_in_ == 3
    assert list(getattr(resampler, "feature_names_in_", [])) == (FEATURES if given is FRAME or given is POLARS else [])


def test_index_labels_stay_as_imbalanced_learn_keeps_them() -> None:
    others = pd.Series(Y, range(ROWS, 2 * ROWS), name="label")
    for resampler in (TQLResampler("label + 1", limit=9, random_state=1), RandomUnderSampler(random_state=1)):
        rows, targets = resampler.fit_resample(FRAME, others)
        assert rows.index.to_list() == [LABELS[place] for place in resampler.sample_indices_]
        assert targets.index.equals(rows.index)
        assert targets.name == "label"
    assert others.index[0] == ROWS  # what was passed is left alone
    targets = TQLResampler("label + 1", limit=2, random_state=1).fit_resample(X, others)[1]
    assert set(targets.index) <= set(others.index)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array])
def test_rows_of_a_sparse_matrix_are_taken_from_it(kind: Any) -> None:
    given = kind(np.where(X > 0, X, 0))
    resampler = TQLResampler("max_weight(target = 1: 5, True: 1)", limit=30, random_state=7)
    rows, targets = resampler.fit_resample(given, Y)
    assert type(rows) is kind
    dense = TQLResampler("max_weight(target = 1: 5, True: 1)", limit=30, random_state=7)
    expected, expected_targets = dense.fit_resample(np.where(X > 0, X, 0), Y)
    assert np.array_equal(rows.toarray(), expected)
    assert np.array_equal(targets, expected_targets)
    with pytest.raises(TQLNameError, match="unknown column 'x0'") as fault:
        TQLResampler("x0").fit_resample(given, Y)
    assert fault.value.hint == "the columns of a sparse X have no names; pass a column to fit_resample by name"
    TQLResampler("x0", random_state=1).fit_resample(given, Y, x0=abs(X[:, 0]))


def test_a_sampler_sees_text_nan_and_other_types_as_in_pandas() -> None:
    words = np.array([["a", 1.0], ["b", np.nan], ["c", 2.0]], dtype=object)
    rows, _ = TQLResampler("max_weight(x0 = 'b': 1, x1 = 2: 1)", limit=30, random_state=1).fit_resample(
        words, [0, 1, 0]
    )
    assert set(rows[:, 0]) == {"b", "c"}
    numbers = np.array([[1.0], [np.nan]])
    assert TQLResampler("x0", limit=9, random_state=1).fit_resample(numbers, Y[:2])[0].tolist() == [[1.0]] * 9
    days = pd.DataFrame({"day": pd.to_datetime(["2024-05-01", "2025-05-01"])})
    assert TQLResampler("max_weight(day > '2025-01-01': 1)", limit=3).fit_resample(days, [0, 1])[1] == [1, 1, 1]


# --- the target, and columns beside it -------------------------------------------------------------------------------


def test_the_target_has_the_name_that_it_has_or_is_given() -> None:
    for y in (pd.Series(Y, name="label"), pl.Series("label", Y), pd.DataFrame({"label": Y})):
        TQLResampler("label").fit_resample(X, y)
        TQLResampler("disease", target="disease").fit_resample(X, y)
        with pytest.raises(TQLNameError, match="unknown column 'target'"):
            TQLResampler("target").fit_resample(X, y)
    TQLResampler("disease", target="disease").fit_resample(X, Y)
    words = np.array(["healthy", "ill"])[Y]
    for given in (X, FRAME, POLARS):
        drawn = TQLResampler("max_weight(target = 'ill': 1)").fit_resample(given, words)[1]
        assert set(drawn) == {"ill"}


def test_several_targets_are_columns_of_their_own() -> None:
    both = np.c_[Y, 1 - Y]
    assert TQLResampler("target1").fit_resample(X, both)[1].tolist() == [[0, 1]] * ROWS
    assert TQLResampler("y1", target="y").fit_resample(X, both)[1].tolist() == [[0, 1]] * ROWS
    for frame in (pd.DataFrame(both, columns=["ill", "well"]), pl.DataFrame(both, schema=["ill", "well"])):
        drawn = TQLResampler("well").fit_resample(X, frame)[1]
        assert (type(drawn), drawn["ill"].sum()) == (type(frame), 0)


def test_a_target_may_be_any_number() -> None:
    drawn = TQLResampler("max_weight(target > 1: 1)").fit_resample(X, X[:, 0])[1]
    assert drawn.min() > 1


def test_columns_beside_x_are_seen() -> None:
    resampler = TQLResampler("1", limit=5, unit="groups", replace=False, random_state=7)
    for given in (X, FRAME, POLARS, sparse.csr_array(X)):
        resampler.fit(given, Y, groups=PATIENTS)
        resampler.fit_resample(given, Y, groups=PATIENTS)
        found = PATIENTS[resampler.sample_indices_]
        assert len(found) == 15
        assert len(set(found)) == 5
    drawn = TQLResampler("dose", random_state=1).fit_resample(X, Y, dose=pd.Series(Y))[1]
    assert drawn.min() == 1


# --- pipelines and searches ------------------------------------------------------------------------------------------


def test_a_pipeline_resamples_when_it_is_fitted_alone() -> None:
    pipeline = make_pipeline(StandardScaler(), TQLResampler(RARE, limit=50, random_state=7), LogisticRegression())
    pipeline.fit(X, Y)
    assert len(pipeline["tqlresampler"].sample_indices_) == 50
    assert len(pipeline.predict(X)) == ROWS
    scaled = StandardScaler().fit_transform(X)
    rows, targets = TQLResampler(RARE, limit=50, random_state=7).fit_resample(scaled, Y)
    by_hand = LogisticRegression().fit(rows, targets)
    assert np.array_equal(pipeline["logisticregression"].coef_, by_hand.coef_)


@pytest.mark.parametrize("kind", ["array", "pandas", "polars"])
def test_a_search_scores_as_sampling_by_hand_in_each_fold(kind: str) -> None:
    samplers = ["1", RARE, "max_weight(target = 1: 50, True: 1)", "exp"]
    given: Any = {"array": X, "pandas": FRAME, "polars": POLARS}[kind]
    given = given if kind == "array" else given.assign(exp=1.5) if kind == "pandas" else given.with_columns(exp=1.5)
    samplers = samplers[:-1] if kind == "array" else samplers
    pipeline = make_pipeline(TQLResampler("1", fraction=0.8, random_state=7), LogisticRegression())
    folds = StratifiedKFold(4)
    search = GridSearchCV(
        pipeline, {"tqlresampler__sampler": samplers}, cv=folds, scoring="recall", error_score="raise"
    ).fit(given, Y)
    frame = pl.DataFrame(X, schema=FEATURES).with_columns(target=Y, exp=1.5)
    for place, sampler in enumerate(samplers):
        for fold, (train, test) in enumerate(folds.split(X, Y)):
            drawn = tql_frames.sample(frame[train], sampler, fraction=0.8, seed=7, index=None)
            features = FEATURES if kind == "array" else [*FEATURES, "exp"]
            model = LogisticRegression().fit(drawn.select(features).to_numpy(), drawn["target"].to_numpy())
            found = model.predict(frame[test].select(features).to_numpy())[Y[test] == 1].mean()
            assert search.cv_results_[f"split{fold}_test_score"][place] == found
    assert len(set(search.cv_results_["mean_test_score"])) >= 3  # samplers matter


def test_metadata_is_routed() -> None:
    resampler = TQLResampler("1", unit="groups", fraction=0.5, replace=False, random_state=7)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(resampler.set_fit_resample_request(groups=True), LogisticRegression())
        scores = cross_val_score(pipeline, X, Y, cv=GroupKFold(3), params={"groups": PATIENTS})
        pipeline.fit(X, Y, groups=PATIENTS)
    drawn = PATIENTS[pipeline[0].sample_indices_]
    assert (len(drawn), len(set(drawn))) == (150, 50)
    for score, (train, test) in zip(scores, GroupKFold(3).split(X, Y, PATIENTS), strict=True):
        rows, targets = clone(resampler).fit_resample(X[train], Y[train], groups=PATIENTS[train])
        assert score == LogisticRegression().fit(rows, targets).score(X[test], Y[test])


@pytest.mark.parametrize(("output", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_chooses_what_the_resampler_gets(output: str, kind: type) -> None:
    pipeline = make_pipeline(StandardScaler(), TQLResampler("max_weight(x1 > 1: 1)", random_state=7))
    pipeline.set_output(transform=output)
    rows, _ = pipeline.fit_resample(FRAME, Y)
    assert isinstance(rows, kind)
    assert list(rows.columns) == FEATURES == list(pipeline[-1].get_feature_names_out())


# --- scikit-learn's conventions --------------------------------------------------------------------------------------


def test_random_state_follows_the_convention() -> None:
    def drawn(resampler: TQLResampler) -> list[int]:
        resampler.fit_resample(X, Y)
        return resampler.sample_indices_.tolist()

    fixed, fresh = TQLResampler("1", random_state=7), TQLResampler("1")
    assert drawn(fixed) == drawn(fixed) == drawn(TQLResampler("1", random_state=np.int64(7)))
    assert drawn(fresh) != drawn(fresh)
    state = TQLResampler("1", random_state=np.random.RandomState(7))
    first, second = drawn(state), drawn(state)
    assert first != second
    again = TQLResampler("1", random_state=np.random.RandomState(7))
    assert [drawn(again), drawn(again)] == [first, second]
    np.random.seed(7)
    assert drawn(TQLResampler("1", random_state=np.random)) == first


def test_parameters_are_kept_copied_and_pickled() -> None:
    resampler = TQLResampler(pl.col("x0").abs(), limit=9, over="target", target="target", random_state=7)
    assert resampler.get_params()["limit"] == 9
    assert set(resampler.get_params()) == {
        *("sampler", "limit", "fraction", "replace", "design", "over", "unit", "key", "target", "random_state")
    }
    rows, _ = resampler.fit_resample(X, Y)
    for other in (clone(resampler), pickle.loads(pickle.dumps(resampler))):
        assert np.array_equal(other.fit_resample(X, Y)[0], rows)
    assert resampler.set_params(limit=3, over=None).fit_resample(X, Y)[0].shape == (3, 3)
    assert repr(TQLResampler("age", limit=3)) == "TQLResampler(limit=3, sampler='age')"


def test_a_balance_is_a_sampler() -> None:
    frame = POLARS.with_columns(target=Y)
    balance = tql_frames.balance(frame, "target")
    drawn = TQLResampler(balance, limit=5_000, random_state=7).fit_resample(X, Y)[1]
    assert abs(drawn.mean() - 0.5) < 0.035  # five standard deviations


def test_fit_checks_without_drawing() -> None:
    resampler = TQLResampler("x0 * 0 - 1")
    assert resampler.fit(X, Y) is resampler
    assert not hasattr(resampler, "sample_indices_")
    with pytest.raises(WeightError):
        resampler.fit_resample(X, Y)
    with pytest.raises(TQLNameError):
        TQLResampler("age").fit(X, Y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"random_state": -1},
            "expected random_state= to be None, a whole number of at least 0, or a RandomState, got -1",
        ),
        ({"random_state": "7"}, "expected random_state= to be .*, got '7'"),
        ({"random_state": np.random.default_rng(7)}, "expected random_state= to be .*, got Generator"),
        ({"random_state": True}, "expected random_state= to be .*, got True"),
        ({"limit": -1}, "expected limit= to be a whole number of at least 0, got -1"),
        ({"limit": 3, "fraction": 0.1}, "limit and fraction were both given"),
        ({"replace": "no"}, "expected replace= to be True or False, got 'no'"),
        ({"design": "stratified"}, "unknown design 'stratified'"),
        ({"target": 5}, "expected target= to be a column name or None, got 5"),
        (
            {"target": "x0"},
            "X has a column 'x0' already\n  rename it or drop it from X; y takes another name by target='name'",
        ),
        ({"sampler": 5}, "expected a sampler as TQL text or a Polars expression, got int"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    resampler = TQLResampler(**{"sampler": "1", **options})
    for call in (resampler.fit, resampler.fit_resample):
        for given in (X, FRAME, POLARS):
            with pytest.raises(TQLError, match=message):
                call(given, Y)


def test_wrong_data() -> None:
    resampler = TQLResampler("1")
    for given, y, beside, message in (
        (POLARS.lazy(), Y, {}, "expected X to be a DataFrame or an array, got LazyFrame\n  pass X.collect()"),
        (X, None, {}, "requires y to be passed"),
        (X, Y[1:], {}, "inconsistent numbers of samples"),
        (X, Y, {"groups": PATIENTS[1:]}, "inconsistent numbers of samples"),
        (X, Y, {"groups": X}, "expected groups= to have one value for each row of X, got ndarray"),
        (X, Y, {"dose": 5}, "expected dose= to have one value for each row of X, got 5"),
        (FRAME[:0], Y[:0], {}, "minimum of 1 is required"),
        (POLARS[:0], Y[:0], {}, "minimum of 1 is required"),
        (FRAME, pd.Series(Y, name="x1"), {}, "X has a column 'x1' already"),
    ):
        for call in (resampler.fit, resampler.fit_resample):
            with pytest.raises(ValueError, match=message):
                call(given, y, **beside)


def test_the_warnings_of_a_sample_are_issued() -> None:
    with pytest.warns(TQLWarning, match="rows were asked for without replacement") as caught:
        TQLResampler("target", replace=False).fit_resample(X, Y)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TQLResampler("target", replace=False, limit=5).fit_resample(X, Y)


def test_the_page_shows_what_happens() -> None:
    check_examples("docs/scikit-learn.md", blocks_of("docs/scikit-learn.md"))
