"""Designs through the public calls: `design=`, `expected=`, DESIGN in statements, on every kind of frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.sizes import FULL, size
from tql_frames import TQLError

SAMPLER = "max_weight(label = 'rare': 12, label = 'some': 3, True: 1)"


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    n = 2_000
    return pl.DataFrame(
        {
            "label": rng.choice(["rare", "some", "many"], n, p=[0.05, 0.2, 0.75]).tolist(),
            "site": rng.integers(0, 5, n),
            "patient": np.sort(rng.integers(0, 300, n)),
            "cost": rng.lognormal(size=n),
        }
    )


DESIGNS = [
    ("independent", True),
    ("systematic", True),
    ("successive", False),
    ("systematic", False),
    ("poisson", False),
]
REQUESTS = [
    pytest.param({"limit": 200}, id="limit"),
    pytest.param({"fraction": 0.1, "over": "site"}, id="groups"),
    pytest.param({"limit": 30, "unit": "patient"}, id="units"),
]


@pytest.mark.parametrize(("design", "replace"), DESIGNS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_every_kind_of_frame_gives_the_same_rows_and_expectations(table, request_, design, replace, tmp_path):
    table.write_parquet(tmp_path / "table.parquet", row_group_size=300)
    # In `make test` one of the samplers, in turn by requests and designs.
    turn = [each.values[0] for each in REQUESTS].index(request_) + DESIGNS.index((design, replace))
    for sampler in size([SAMPLER, "cost"][turn % 2 :][:1], [SAMPLER, "cost"]):
        for order in ("draw", "source") if FULL else ("source" if sampler == "cost" else "draw",):
            options = {**request_, "design": design, "replace": replace, "order": order, "seed": 3}
            found = table.tql.sample(sampler, expected="times", **options)
            rows = found["index"].to_list()
            assert_frame_equal(found.drop("index", "times"), table[rows])
            assert_frame_equal(table.tql.sample(sampler, **options), found.drop("times"))
            plans = [table.lazy(), pl.scan_parquet(tmp_path / "table.parquet")]
            for plan in size(plans[turn // 2 % 2 :][:1], plans):
                assert_frame_equal(plan.tql.sample(sampler, expected="times", **options).collect(), found)
                without = plan.tql.sample(sampler, expected="times", index=None, **options).collect()
                assert_frame_equal(without, found.drop("index"))
            pandas = table.to_pandas().tql.sample(sampler, expected="times", **options)
            assert pandas.index.to_list() == rows
            assert pandas["times"].to_list() == found["times"].to_list()
            view = table.tql.view(sampler, **options)
            assert view.positions.tolist() == rows
            assert view.expected().tolist() == found["times"].to_list()
            assert order == "draw" or rows == sorted(rows)


@pytest.mark.parametrize(("design", "replace"), DESIGNS)
def test_totals_weighted_by_one_over_expected_are_unbiased(table, design, replace):
    truth = table.group_by("label").agg(pl.col("cost").sum()).sort("label")["cost"].to_numpy()
    samples = size(150, 2_000)
    totals = np.empty((samples, 3))
    for seed in range(samples):
        found = table.tql.sample(
            SAMPLER, 150, design=design, replace=replace, seed=seed, expected="times", order="source", index=None
        )
        weighted = found.with_columns(total=pl.col("cost") / pl.col("times"))
        sums = dict(weighted.group_by("label").agg(pl.col("total").sum()).iter_rows())
        totals[seed] = [sums.get(label, 0.0) for label in ("many", "rare", "some")]
    errors = totals.std(axis=0, ddof=1) / np.sqrt(samples)
    assert (np.abs(totals.mean(axis=0) - truth) < 4.5 * errors).all()
    unweighted = table["cost"].mean() * 150  # what sums without these weights would give
    assert abs(truth.sum() - unweighted) > 4.5 * np.sqrt((errors**2).sum())


def test_shares_hold_without_repeats(table):
    wanted = table.tql.report(SAMPLER, 150, by="label").labels.select("label", "expected_share")
    shares = dict(wanted.rows())
    for design in ("systematic", "poisson"):
        report = table.tql.report(SAMPLER, 150, by="label", replace=False, design=design)
        for label, share in report.labels.select("label", "expected_share").rows():
            assert share == pytest.approx(shares[label], rel=1e-9)
        assert report.size == 150
    successive = dict(
        table.tql.report(SAMPLER, 150, by="label", replace=False).labels.select("label", "expected_share").rows()
    )
    assert successive["rare"] < 0.95 * shares["rare"]  # which is why there are designs


def test_systematic_labels_are_floor_or_ceil_where_the_table_is_sorted(table):
    ordered = table.sort("label")
    for replace in (True, False):
        expected = dict(
            ordered.tql.report(SAMPLER, 100, by="label", replace=replace, design="systematic")
            .labels.select("label", "expected_count")
            .rows()
        )
        for seed in range(20):
            found = ordered.tql.sample(SAMPLER, 100, replace=replace, design="systematic", seed=seed)
            for label, count in found["label"].value_counts().rows():
                assert abs(count - expected[label]) < 1 + 1e-9


def test_rows_of_a_great_weight_come_for_certain(table):
    found = table.tql.sample(SAMPLER, 1_000, replace=False, design="systematic", seed=1, expected="p")
    rare = table.with_row_index().filter(pl.col("label") == "rare")["index"].to_list()
    assert set(rare) <= set(found["index"])
    assert (found.filter(pl.col("label") == "rare")["p"] == 1).all()
    assert len(found) == 1_000


def test_the_size_of_a_poisson_sample_varies_about_its_mean(table):
    sizes = [len(table.tql.sample(SAMPLER, 200, replace=False, design="poisson", seed=seed)) for seed in range(60)]
    assert len(set(sizes)) > 10
    assert abs(np.mean(sizes) - 200) < 4.5 * np.std(sizes, ddof=1) / np.sqrt(60)


def test_fewer_rows_of_positive_weight_warn(table):
    few = "max_weight(label = 'rare': 1)"
    for design in ("systematic", "poisson"):
        with pytest.warns(tql_frames.TQLWarning, match="1,000 rows were asked for without replacement, but only"):
            found = table.tql.sample(few, 1_000, replace=False, design=design, seed=1)
        assert len(found) == (table["label"] == "rare").sum()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"design": "poisson"}, "design='poisson' draws a row at most once"),
        ({"design": "independent", "replace": False}, "draws a row any number of times"),
        ({"design": "systemtic"}, "unknown design 'systemtic'"),
        ({"design": 5}, "unknown design 5"),
        ({"expected": 5}, "expected a column name or None for expected=, got 5"),
        ({"expected": "label"}, "the sample has a column 'label' already"),
        ({"expected": "index"}, "the sample has a column 'index' already"),
    ],
)
def test_wrong_requests_are_one_error(table, options, message):
    for frame in (table, table.lazy()):
        with pytest.raises(TQLError, match=message):
            frame.tql.sample(SAMPLER, 10, **options).collect()


def test_statements_draw_what_the_call_draws(table):
    text = f"select * sample by {SAMPLER} over (site) design systematic replace false limit 20"
    expected = table.tql.sample(SAMPLER, 20, over="site", design="systematic", replace=False, seed=5)
    assert_frame_equal(table.tql.query(text, seed=5), expected)
    assert table.tql.view(text, seed=5).positions.tolist() == expected["index"].to_list()
    poisson = table.tql.query(f"select * sample by {SAMPLER} DESIGN Poisson replace false limit 20", seed=5)
    assert_frame_equal(poisson, table.tql.sample(SAMPLER, 20, design="poisson", replace=False, seed=5))
    report = table.tql.report(text, by="label")
    direct = table.tql.report(SAMPLER, 20, by="label", over="site", design="systematic", replace=False)
    assert_frame_equal(report.labels, direct.labels)
    for wrong in ("design poisson limit 3", "design foo limit 3"):
        text = f"select * sample by 1 {wrong}"
        for call in (table.tql.query, table.tql.view, lambda text: table.tql.report(text, by="label")):
            with pytest.raises(TQLError) as caught:
                call(text)
            assert caught.value.span == (9, 21 + len(wrong))
    for clause, hint in {"poisson": "write REPLACE FALSE", "independent replace false": "write REPLACE TRUE"}.items():
        with pytest.raises(TQLError) as caught:
            table.tql.query(f"select * sample by 1 design {clause} limit 3")
        assert caught.value.hint == hint


def test_design_is_a_name_where_no_clause_wants_it():
    df = pl.DataFrame({"design": [1.0, 0.0]})
    assert df.tql.sample("design", 2, seed=1)["index"].to_list() == [0, 0]
    assert df.tql.query("select design sample by design design systematic limit 2", seed=1).height == 2


def test_saved_views_keep_the_design(table, tmp_path):
    for design, replace in DESIGNS:
        view = table.tql.view(SAMPLER, 50, design=design, replace=replace, seed=2)
        view.save(tmp_path / "rows.view")
        loaded = tql_frames.load_view(tmp_path / "rows.view", table)
        assert loaded.steps == view.steps
        assert loaded.expected().tolist() == view.expected().tolist()


def test_a_view_of_a_statement_has_no_expectations(table):
    with pytest.raises(TQLError, match="a view of a statement has no expected"):
        table.tql.view("select * sample by 1 limit 3").expected()


def test_the_expectation_stands_behind_columns_of_several_levels():
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    found = frame.tql.sample("1", 2, seed=1, expected="p")
    assert found.columns.to_list() == [("a", "x"), ("a", "y"), ("p", "")]
    assert found[("p", "")].to_list() == [1.0, 1.0]
    assert frame.columns.to_list() == [("a", "x"), ("a", "y")]
