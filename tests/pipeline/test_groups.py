"""Samples by group (`over`), of whole units (`unit`), and of quotas, on every kind of frame."""

from __future__ import annotations

import datetime as dt
import warnings
from collections import Counter
from itertools import islice, product

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.sizes import FULL, size
from tests.statistics import p_of_outcomes
from tql_frames import TQLError, TQLNameError, TQLTypeError, WeightError
from tql_frames.pipeline.groups import numbered

ALPHA = 1e-3


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    n = 3_000
    view = pl.Series("view", rng.choice(["PA", "AP", "?"], n).tolist()).replace({"?": None})
    patient = rng.integers(0, 250, n)
    return pl.DataFrame(
        {
            "view": view,
            "patient": patient,
            "ward": patient % 7,
            "seen": pl.Series([dt.date(2024, 1, 1) + dt.timedelta(days=int(d)) for d in patient % 5]),
            "few": rng.choice([0.0, 1.0, 5.0], n),
            "many": rng.random(n),
        }
    )


REQUESTS = [
    pytest.param({"over": "view", "limit": 3}, id="rows-of-each"),
    pytest.param({"over": ["view", "ward % 2"], "fraction": 0.1}, id="a-share-of-each"),
    pytest.param({"over": "view"}, id="as-many-as-each-has"),
    pytest.param({"over": "view", "limit": {"PA": 5, None: 2}}, id="quotas"),
    pytest.param({"over": "seen", "limit": 2}, id="dates"),
    pytest.param({"unit": "patient", "limit": 4}, id="units"),
    pytest.param({"unit": "patient", "fraction": 0.02}, id="a-share-of-units"),
    pytest.param({"unit": "patient", "over": "ward", "limit": 2}, id="units-of-each"),
    pytest.param({"unit": ["patient", "view"], "over": "view", "limit": {"AP": 3}}, id="units-of-two-columns"),
]


SAMPLERS = ["few", "many", "max_weight(few > 1: 3, True: 1)"]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_every_kind_of_frame_gives_the_same_rows(table, request_, sampler, tmp_path):
    table.write_parquet(tmp_path / "table.parquet", row_group_size=400)
    table.write_csv(tmp_path / "table.csv")
    pandas = table.to_pandas()
    pandas.index = [f"row {n}" for n in range(len(pandas))]
    # In `make test` with replacement or without, in turn by requests and samplers.
    turn = [each.values[0] for each in REQUESTS].index(request_) + SAMPLERS.index(sampler)
    for replace in size((turn % 2 == 0,), (True, False)):
        for order in ("draw", "source") if FULL else ("draw" if replace else "source",):
            options = {**request_, "replace": replace, "order": order, "seed": 3}
            expected = table.tql.sample(sampler, **options)
            rows = expected["index"].to_list()
            assert_frame_equal(expected.drop("index"), table[rows])
            assert_frame_equal(table.lazy().tql.sample(sampler, **options).collect(), expected)
            scans = [pl.scan_parquet(tmp_path / "table.parquet")]
            scans.append(pl.scan_csv(tmp_path / "table.csv", try_parse_dates=True))
            for scan in size(scans[turn // 2 % 2 :][:1], scans):
                assert_frame_equal(scan.tql.sample(sampler, **options).collect(), expected)
            assert pandas.tql.sample(sampler, **options).index.to_list() == [f"row {n}" for n in rows]
            assert table.tql.view(sampler, **options).positions.tolist() == rows
            assert order == "draw" or rows == sorted(rows)


def test_each_group_gives_what_was_asked_for(table):
    found = table.tql.sample("1", 7, over="view", seed=1)
    assert Counter(found["view"]) == {"PA": 7, "AP": 7, None: 7}
    shares = table.tql.sample("1", fraction=0.29, over="view", replace=False, seed=1)
    assert Counter(shares["view"]) == {name: n * 29 // 100 for name, n in Counter(table["view"]).items()}
    quotas = table.tql.sample("1", {"PA": 4, "AP": 0}, over="view", seed=1)
    assert Counter(quotas["view"]) == {"PA": 4}
    every = table.tql.sample("1", over="view", replace=False, seed=1)
    assert sorted(every["index"]) == list(range(len(table)))


def test_groups_come_one_after_the_other_in_the_order_of_their_first_rows(table):
    found = table.tql.sample("1", 5, over="ward", seed=1)
    assert found["ward"].unique(maintain_order=True).to_list() == table["ward"].unique(maintain_order=True).to_list()
    assert (found["ward"].rle_id().max() or 0) + 1 == found["ward"].n_unique()


def test_without_replacement_a_group_gives_at_most_its_rows_of_positive_weight(table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = table.tql.sample("few", 10_000, over="view", replace=False, seed=1)
    positive = table.filter(pl.col("few") > 0)
    assert Counter(found["view"]) == Counter(positive["view"])
    assert found["index"].n_unique() == len(found)


def test_a_group_without_positive_weight(table):
    sampler = "max_weight(view = 'PA': 1)"
    found = table.tql.sample(sampler, 3, over="view", replace=False, seed=1)
    assert Counter(found["view"]) == {"PA": 3}
    with pytest.raises(WeightError, match=r"from the groups .*'AP'.*all weights there are 0") as caught:
        table.tql.sample(sampler, 3, over="view", seed=1)
    assert (caught.value.source, caught.value.span) == ("view", (0, 4))
    assert len(table.tql.sample(sampler, {"PA": 3}, over="view", seed=1)) == 3  # nothing is asked of the others
    with pytest.raises(WeightError, match="the weight is 0 in all"):
        table.tql.sample("0", 3, over="view", replace=False)


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["a", "b", "c"])])
def test_text_of_any_kind_names_groups(dtype):
    df = pl.DataFrame({"g": pl.Series(["a", "b", None, "a"], dtype=dtype)})
    assert df.tql.sample("1", {"b": 2, None: 1}, over="g", seed=1)["index"].to_list() == [1, 1, 2]
    assert len(df.tql.sample("1", 1, over="g")) == 3


@pytest.mark.parametrize(
    ("values", "name", "text"),
    [
        ([1, 2, 2], 2, "2"),
        ([0.5, 2.5, 2.5], 2.5, "2.5"),
        ([True, False, False], False, "False"),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2), dt.date(2024, 1, 2)], dt.date(2024, 1, 2), "2024-01-02"),
    ],
)
def test_a_name_may_be_written_as_text(values, name, text):
    df = pl.DataFrame({"g": values})
    for each in (name, text):
        assert set(df.tql.sample("1", {each: 4}, over="g", seed=1)["index"]) <= {1, 2}


def test_true_is_no_name_of_the_group_1():
    with pytest.raises(TQLNameError, match="True, which is not a group"):
        pl.DataFrame({"g": [1, 2]}).tql.sample("1", {True: 1}, over="g")


def test_nan_and_signed_zeros_are_groups_as_in_group_by():
    df = pl.DataFrame({"g": [0.0, -0.0, float("nan"), float("nan"), None]})
    assert len(df.tql.sample("1", 1, over="g", seed=1)) == df.group_by("g").len().height == 3


@pytest.mark.parametrize("value", [float("nan"), -0.0, None, "x"])
def test_one_row_is_a_group(value):
    df = pl.DataFrame({"g": [value]})
    for replace in (True, False):
        assert df.tql.sample("1", 1, over="g", replace=replace, seed=1)["index"].to_list() == [0]
        assert df.tql.sample("1", 1, unit="g", replace=replace, seed=1)["index"].to_list() == [0]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_values_are_numbered_the_same_however_the_rows_come_in_parts(dtype):
    nan = float("nan")
    cuts = [[4], [1, 3], [1, 1, 2], [1, 1, 1, 1], [3, 1]]
    for number, values in enumerate(product([nan, None, 0.0, -0.0, 1.0], repeat=4)):
        if size(number % 2 == (dtype == pl.Float32), False):
            continue  # in `make test` every second of each type
        known: dict[str, int] = {}
        expected = [known.setdefault(str(value).removeprefix("-"), len(known)) for value in values]
        turn = sum(number // 5**place for place in range(4)) % 5  # another one than by the last of the values
        for each in size([cuts[turn]], cuts):
            parts = iter(values)
            frames = [pl.DataFrame({"0": pl.Series(list(islice(parts, rows)), dtype=dtype)}) for rows in each]
            groups, names = numbered(frames)
            assert groups.codes.tolist() == expected, (values, each)
            assert [str(name).removeprefix("-") for name in names["0"].to_list()] == list(known)
            assert names.schema == {"0": dtype}


WRONG = [
    ({"limit": {"PA": 5}}, TQLError, "limit by group needs over"),
    ({"limit": {"PAA": 5}, "over": "view"}, TQLNameError, "'PAA', which is not a group of over="),
    ({"limit": {("PA", 1): 5}, "over": "view"}, TQLError, "expected one value to name a group"),
    ({"limit": {"PA": 5}, "over": ["view", "ward"]}, TQLError, "expected a tuple of 2 values"),
    ({"limit": {"PA": -1}, "over": "view"}, TQLError, "expected limit= to be a whole number of at least 0, got -1"),
    ({"limit": {"PA": None}, "over": "view"}, TQLError, "a whole number for the group 'PA', got None"),
    ({"limit": {"PA": 1}, "over": "view", "fraction": 0.5}, TQLError, "both given"),
    ({"limit": {1: 1, "1": 1}, "over": "ward"}, TQLError, "twice"),
    ({"limit": 3, "over": "vieww"}, TQLNameError, "unknown column 'vieww'"),
    ({"limit": 3, "over": pl.col("view")}, TQLError, "expected over= to be a column name or TQL expression"),
    ({"limit": 3, "over": []}, TQLError, "expected over= to be a column name"),
    ({"limit": 3, "over": [1]}, TQLError, "expected over= to be a column name"),
    ({"limit": 3, "unit": 5}, TQLError, "expected unit= to be a column name"),
    ({"limit": 3, "over": "array[view]"}, TQLTypeError, "expected single values for over, got a list of text"),
    ({"limit": 3, "over": "view", "unit": "patient"}, TQLError, "the unit .* lies in several groups of over"),
]


@pytest.mark.parametrize(("options", "kind", "message"), WRONG)
def test_wrong_requests_are_one_error(table, options, kind, message):
    for frame in (table, table.to_pandas(), table.lazy()):
        with pytest.raises(kind, match=message):
            found = frame.tql.sample("1", **options)
            found.collect()


def test_a_mistyped_group_is_told_the_nearest_name(table):
    with pytest.raises(TQLNameError) as caught:
        table.tql.sample("1", {"PPA": 5}, over="view")
    assert caught.value.hint == "did you mean 'PA'?"


def test_over_cannot_be_given_with_a_statement(table):
    with pytest.raises(TQLError, match="over= cannot be given with a statement"):
        table.tql.view("select * sample by 1", over="view")


def test_a_column_called_as_an_expression_is_the_column():
    df = pl.DataFrame({"a b": [1, 1, 2], "ward % 2": [5, 6, 6], "ward": [0, 1, 2]})
    assert len(df.tql.sample("1", 1, over="a b")) == 2
    assert len(df.tql.sample("1", 1, over="ward % 2")) == 2
    assert set(df.tql.sample("1", 1, over="ward % 2", seed=1)["index"]) & {0} == {0}


def test_empty_frames():
    empty = pl.DataFrame(schema={"view": pl.String, "w": pl.Float64})
    assert empty.tql.sample("w", 3, over="view").height == 0  # no group, so nothing was asked for
    with pytest.raises(TQLNameError, match="not a group of over="):
        empty.tql.sample("w", {"PA": 3}, over="view")
    with pytest.raises(WeightError, match="from an empty frame"):
        empty.tql.sample("w", 3, unit="view")
    assert empty.tql.sample("w", unit="view").height == 0


# -- units ------------------------------------------------------------------------------------------------------------


def test_units_come_whole_and_in_table_order(table):
    found = table.tql.sample("many", 6, unit="patient", replace=False, seed=2)
    drawn = found["patient"].unique(maintain_order=True)
    assert len(drawn) == 6
    for patient in drawn:
        rows = table.with_row_index().filter(pl.col("patient") == patient)["index"].to_list()
        assert found.filter(pl.col("patient") == patient)["index"].to_list() == rows


def test_a_unit_drawn_twice_comes_twice():
    df = pl.DataFrame({"p": ["a", "b", "a"]})
    assert df.tql.sample("p = 'a'", 2, unit="p", seed=1)["index"].to_list() == [0, 2, 0, 2]


def test_rows_of_weight_0_come_with_their_unit_and_fewer_units_warn():
    df = pl.DataFrame({"p": ["a", "b", "a", "c"], "w": [0.0, 0.0, 2.0, 0.0]})
    with pytest.warns(tql_frames.TQLWarning, match="3 units were asked for without replacement, but only 1"):
        found = df.tql.sample("w", 3, unit="p", replace=False, seed=1)
    assert found["index"].to_list() == [0, 2]


def test_a_unit_weighs_what_its_heaviest_row_weighs():
    df = pl.DataFrame({"p": ["a", "b", "a", "c"], "w": [1.0, 2.0, 3.0, 1.0]})
    samples = size(700, 10_000)
    firsts = [(int(df.tql.sample("w", 1, unit="p", seed=n)["index"][0]),) for n in range(samples)]
    assert p_of_outcomes(firsts, {(0,): 3 / 6, (1,): 2 / 6, (3,): 1 / 6}) > ALPHA
    assert p_of_outcomes(firsts, {(0,): 4 / 7, (1,): 2 / 7, (3,): 1 / 7}) < ALPHA  # not the sum of the rows'


def test_null_is_a_unit():
    df = pl.DataFrame({"p": [None, "b", None]})
    assert df.tql.sample("p is null", 1, unit="p", seed=1)["index"].to_list() == [0, 2]


# -- statements, views, reports, files --------------------------------------------------------------------------------


def test_statements_draw_what_the_call_draws(table):
    for clause, options in {
        "over (view) limit 3": {"over": "view", "limit": 3},
        "over (view, ward % 2) replace false limit 10 percent": {
            "over": ["view", "ward % 2"],
            "fraction": 0.1,
            "replace": False,
        },
        "over (view)": {"over": "view"},
    }.items():
        expected = table.tql.sample("few + 1", seed=4, **options)
        assert_frame_equal(table.tql.query(f"select * sample by few + 1 {clause}", seed=4), expected)
        view = table.tql.view(f"select * sample by few + 1 {clause}", seed=4)
        assert view.positions.tolist() == expected["index"].to_list()


def test_over_may_use_an_alias_and_columns_that_are_not_selected(table):
    found = table.tql.query("select many, view as v sample by 1 over (v, ward) replace false limit 1", seed=1)
    assert found.columns == ["index", "many", "v"]
    groups = table[found["index"].to_list()].select("view", "ward")
    assert groups.is_unique().all()
    assert len(found) == table.select("view", "ward").n_unique()


def test_over_is_a_name_where_no_clause_wants_it():
    df = pl.DataFrame({"over": [1.0, 0.0], "over2": [1, 2]})
    assert df.tql.query("select over sample by over limit 3", seed=1)["over"].to_list() == [1.0] * 3
    assert df.tql.sample("over", 2, over="over", replace=False, seed=1)["index"].to_list() == [0]
    assert df.tql.query("select * sample by over over (over) replace false", seed=1)["index"].to_list() == [0]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("select * sample by few over view", (23, 27)),
        ("select * sample by few over (vieww)", (29, 34)),
        ("select * sample by few over (array[1])", (29, 37)),
        ("select * sample by few limit 2 over (view)", (31, 35)),
        ("select * over (view)", (9, 13)),
    ],
)
def test_faults_of_the_clause_are_marked(table, text, span):
    for call in (table.tql.query, table.tql.view, lambda text: table.tql.report(text, by="ward")):
        with pytest.raises(TQLError) as caught:
            call(text)
        assert caught.value.span == span


def test_random_numbers_may_make_the_groups_of_a_statement_and_its_report(table):
    text = "select *, random() % 3 as r sample by 1 + random() % 2 over (random() % 4, view) limit 2"
    for seed in range(3):
        drawn = table.tql.query(text, seed=seed)
        report = table.tql.report(text, by="view", seed=seed)
        assert report.size == len(drawn) == 24
        assert dict(report.labels.select("label", "expected_count").rows()) == pytest.approx(
            {"PA": 8, "AP": 8, None: 8}
        )


@pytest.mark.parametrize("request_", REQUESTS)
def test_saved_views_keep_the_request(table, request_, tmp_path):
    turn = [each.values[0] for each in REQUESTS].index(request_)
    for replace in size((turn % 2 == 0,), (True, False)):
        view = table.tql.view("few", seed=5, replace=replace, **request_)
        view.save(tmp_path / "rows.view")
        loaded = tql_frames.load_view(tmp_path / "rows.view", table)
        assert loaded.positions.tolist() == view.positions.tolist()
        assert loaded.steps == view.steps
        assert repr(loaded).splitlines()[2] == repr(view).splitlines()[2]
        assert set(view.steps[-1].reads) >= {"few", "view"} & {"few", *str(request_)}


def test_views_of_views_draw_within_them(table):
    first = table.tql.view("few", 500, seed=1)
    second = first.view("1", 3, over="view", seed=2)
    assert Counter(table["view"][second.positions.tolist()]) == {"PA": 3, "AP": 3, None: 3}
    assert set(second.positions.tolist()) <= set(first.positions.tolist())
    assert first.sample("1", 3, over="view", seed=2)["index"].to_list() == second.positions.tolist()


@pytest.mark.parametrize("replace", [True, False])
def test_reports_expect_what_is_drawn(table, replace):
    options = {"over": "view", "limit": 40, "replace": replace}
    report = table.tql.report("max_weight(ward = 3: 8, True: 1)", by="ward", **options)
    assert report.size == 120
    assert report.labels["expected_count"].sum() == pytest.approx(120)
    drawn = np.zeros(7)
    samples = size(100, 1_000)
    for seed in range(samples):
        found = table.tql.sample("max_weight(ward = 3: 8, True: 1)", seed=seed, **options)
        drawn += np.bincount(found["ward"], minlength=7)
    expected = dict(report.labels.select("label", "expected_count").rows())
    for ward, count in enumerate(drawn):
        mean = expected[ward]
        assert abs(count / samples - mean) < 5 * np.sqrt(mean / samples)
    distinct = [
        table.tql.sample("max_weight(ward = 3: 8, True: 1)", seed=n, **options)["index"].n_unique() for n in range(40)
    ]
    assert report.expected_distinct == pytest.approx(np.mean(distinct), rel=0.02)
    statement = f"select * sample by max_weight(ward = 3: 8, True: 1) over (view) replace {replace} limit 40"
    assert_frame_equal(table.tql.report(statement, by="ward").labels, report.labels)
    view = table.tql.view("max_weight(ward = 3: 8, True: 1)", seed=1, **options)
    assert_frame_equal(view.report("ward").labels.select(report.labels.columns), report.labels)
    assert_frame_equal(
        pl.from_pandas(table.to_pandas().tql.report("max_weight(ward = 3: 8, True: 1)", by="ward", **options).labels),
        report.labels,
    )


def test_the_report_of_units_counts_their_rows():
    df = pl.DataFrame({"p": ["a", "b", "a", "c"], "v": ["x", "y", "y", "y"]})
    report = df.tql.report("1", 1, by="v", unit="p")
    expected = {"y": pytest.approx(1.0), "x": pytest.approx(1 / 3)}
    assert dict(report.labels.select("label", "expected_count").rows()) == expected


def test_the_frame_is_not_changed(table):
    before, pandas = table.clone(), table.to_pandas()
    copy = pandas.copy()
    table.tql.sample("few", 3, over="view", unit=["patient", "view"], seed=1)
    pandas.tql.sample("few", 3, over="view", unit=["patient", "view"], seed=1)
    assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(pandas, copy)


def test_random_numbers_may_make_groups(table):
    found = table.tql.sample("1", 3, over="random() % 4", seed=1)
    assert len(found) == 12
    assert_frame_equal(found, table.tql.sample("1", 3, over="random() % 4", seed=1))


def test_rows_that_changed_between_the_passes_are_refused(table, tmp_path):
    path = tmp_path / "table.parquet"
    table.write_parquet(path)
    plan = pl.scan_parquet(path).tql.view("few", 3, over="view", seed=1)
    plan.positions  # noqa: B018 - the first pass
    table.reverse().write_parquet(path)
    with pytest.raises(TQLError, match="changed"):
        plan.to_polars()


@pytest.mark.parametrize("name", ["groups", "stratify", "strata", "group_by", "groupby", "by"])
def test_words_of_other_libraries_for_groups_are_answered_with_ours(table, name):
    for call in (table.tql.sample, table.tql.view, table.to_pandas().tql.sample):
        with pytest.raises(TypeError, match=f"no argument '{name}'; write over="):
            call("few", **{name: "view"})
    ours = {"groups": "unit", "stratify": "by", "strata": "by"}
    if name in ours:
        with pytest.raises(TypeError, match=f"write {ours[name]}="):
            table.tql.split(folds=2, **{name: "view"})
