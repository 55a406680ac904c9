"""Balance for draws without replacement: shares of that very sample, by every design, and why where they cannot be."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tql_frames
from tests.cli.commands import Command
from tests.sizes import size
from tests.statistics import ordered_outcomes
from tql_frames.analysis.solver.draws import Curve, Draws
from tql_frames.analysis.solver.items import LabelSets, condition_item
from tql_frames.analysis.solver.solution import balance_sets
from tql_frames.errors import TQLError
from tql_frames.sampling import draw, stratify
from tql_frames.sampling.designs import inclusion, poisson, systematic

XRAYS = tql_frames.datasets.chest_xray()
DESIGNS = ["successive", "systematic", "poisson"]
TAGS = pl.DataFrame(
    {"t": [["a"]] * 300 + [["a", "b"]] * 40 + [["b"]] * 20 + [["c"]] * 150 + [["b", "c"]] * 10 + [[]] * 80}
).sample(fraction=1, shuffle=True, seed=3)
WANTED = {"a": 0.4, "b": 0.25, "c": 0.35}


def shares_in(frame: pl.DataFrame, by: str, labels: Any, expected: np.ndarray) -> list[float]:
    """Expected rows with each label over expected rows."""
    has = frame[by].list.contains if frame[by].dtype == pl.List else lambda label: frame[by] == label
    return [float(expected[has(label).fill_null(False).to_numpy()].sum() / expected.sum()) for label in labels]


@pytest.mark.parametrize("design", DESIGNS[1:])
@pytest.mark.parametrize("limit", [50, 150, 240])
def test_shares_by_inclusion_are_the_targets(design: Any, limit: int) -> None:
    balance = TAGS.tql.balance("t", WANTED, limit=limit, replace=False, design=design)
    chances = inclusion(TAGS.tql.weights(balance.sampler).to_numpy(), None, np.array([limit]))
    assert chances.max() <= 1 and chances.sum() == pytest.approx(limit)
    assert shares_in(TAGS, "t", WANTED, chances) == pytest.approx(list(WANTED.values()), rel=0.006)
    table = dict(zip(balance.labels["label"], balance.labels["expected_share"], strict=True))
    assert [table[label] for label in WANTED] == pytest.approx(shares_in(TAGS, "t", WANTED, chances), rel=1e-9)
    assert balance.labels["reason"].null_count() == 4
    assert balance.price.greatest == pytest.approx(chances.max() * 600 / limit, rel=1e-9)
    if limit == 240:  # 0.25 * 240 of 70 rows with b: some of them come for certain, which the old weights ignore
        before = inclusion(TAGS.tql.weights(TAGS.tql.balance("t", WANTED).sampler).to_numpy(), None, np.array([limit]))
        assert abs(shares_in(TAGS, "t", "b", before)[0] - 0.25) > 0.005


def simulated(sampler: str, limit: int, design: str, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean share of each label over the draws of fixed seeds, and the standard error of the mean."""
    weights = TAGS.tql.weights(sampler).to_numpy()
    strata, sizes = stratify(weights), np.array([limit])
    has = np.array([TAGS["t"].list.contains(label).to_numpy() for label in WANTED])
    shares = []
    for seed in range(draws):
        if design == "successive":
            rows = draw(strata, limit, replace=False, seed=seed)
        elif design == "systematic":
            rows = systematic(weights, None, sizes, replace=False, seed=seed)
        else:
            rows = poisson(weights, None, sizes, seed=seed)
        shares.append(has[:, rows].sum(axis=1) / limit)
    found = np.array(shares)
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(len(found))


@pytest.mark.parametrize("design", DESIGNS)
def test_drawn_shares_are_the_targets(design: Any) -> None:
    """Means of three shares, within 4 standard errors: alpha of 2e-4. Rounded weights are off by less than that.

    Weights for draws with replacement are more than 10 standard errors off.
    """
    limit = 240
    balance = TAGS.tql.balance("t", WANTED, limit=limit, replace=False, design=design)
    mean, error = simulated(balance.sampler, limit, design, size(500, 6000))
    table = dict(zip(balance.labels["label"], balance.labels["expected_share"], strict=True))
    assert (np.abs(mean - [table[label] for label in WANTED]) < 4 * error).all()
    assert (np.abs(mean - list(WANTED.values())) < 4 * error + 0.005 * mean).all()
    before, error = simulated(TAGS.tql.balance("t", WANTED).sampler, limit, design, 100)
    assert (np.abs(before - list(WANTED.values())) > 10 * error).any()


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_a_handful_of_successive_draws_are_enumerated(limit: int) -> None:
    frame = pl.DataFrame({"x": ["a", "a", "a", "b", "b", "c"]})
    wanted = {1: (0.2, 0.3), 2: (0.2, 0.4), 3: (0.3, 0.5), 4: (0.4, 0.4), 5: (0.5, 0.35)}[limit]
    balance = frame.tql.balance("x", dict(zip("ab", wanted, strict=True)), limit=limit, replace=False)
    weights = frame.tql.weights(balance.sampler).to_list()
    expected = np.zeros(6)
    for outcome, probability in ordered_outcomes(weights, limit).items():
        expected[list(outcome)] += probability
    assert shares_in(frame, "x", "ab", expected) == pytest.approx(list(wanted), rel=0.006)
    assert sorted(balance.labels["expected_share"]) == pytest.approx(sorted(shares_in(frame, "x", "abc", expected)))


TABLES = st.lists(
    st.tuples(st.integers(1, 60), st.lists(st.booleans(), min_size=3, max_size=3), st.floats(0.02, 0.97)),
    min_size=3,
    max_size=8,
)


@settings(max_examples=size(25, 300), deadline=None)
@given(TABLES, st.booleans())
def test_shares_that_some_inclusion_has_are_reached(table: list[Any], successive: bool) -> None:
    counts, flags = np.array([row[0] for row in table]), np.array([row[1] for row in table])
    total = counts @ np.array([row[2] for row in table])
    number = int(total)
    assume(number >= 2)
    chances = np.array([row[2] for row in table]) * number / total
    sets = LabelSets.from_flags(counts, flags)
    goal = sets.totals(counts * chances) / number
    assume(((goal > 0) & (goal < 0.999)).all())
    items = [condition_item(name) for name in "abc"]
    found = balance_sets(sets, items, goal.tolist(), draws=Draws(number, successive))
    np.testing.assert_allclose(found.shares, goal, rtol=0.006)
    assert found.reasons == (None, None, None)


def test_shares_before_rounding_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tql_frames.analysis.solver.render_sampler._SHARES_KEPT", 1e-9)
    sets = LabelSets.from_flags([300, 40, 20, 160], [[1, 0], [1, 1], [0, 1], [0, 0]])
    items = [condition_item(name) for name in "ab"]
    for number in (2, 7, 50, 300):
        found = balance_sets(sets, items, [0.6, 0.15], draws=Draws(number, successive=True))
        assert np.abs(found.off).max() < 1e-4, number


def test_uniform_shares_are_equal_in_the_sample() -> None:
    for design in DESIGNS:
        balance = XRAYS.tql.balance("findings", limit=2_000, replace=False, design=design)
        shares = balance.labels["expected_share"]
        assert shares.max() / shares.min() < 1.011 and balance.labels["reason"].null_count() == 15  # type: ignore[operator]


@pytest.mark.parametrize("design", DESIGNS)
def test_a_target_beyond_the_rows_there_are_has_its_reason(design: Any) -> None:
    balance = XRAYS.tql.balance("findings", {"Hernia": 0.1}, limit=5_000, replace=False, design=design)
    row = balance.labels.filter(label="Hernia").row(0, named=True)
    assert row["expected_share"] == pytest.approx(227 / 5_000, rel=1e-3)  # practically all of them
    reason = "only 227 rows have it: at most 4.54% of a sample of 5,000 rows without replacement"
    assert row["reason"] == reason and f"\nHernia: {reason}" in str(balance) and reason in balance._repr_html_()
    assert "to 1\n" in str(balance)
    assert balance.labels["reason"].null_count() == 14


@pytest.mark.parametrize(
    ("target", "options", "label", "reason"),
    [
        ({"b": 0.05}, {"limit": 590}, "b", "only 530 rows lack it: at least 10.17% of a sample of 590 rows"),
        ({"b": 0.5, "c": 0.0}, {"limit": 400}, "b", "only 60 of its 70 rows can be drawn: at most 15% of a sample"),
        ({"b": 0.5}, {"limit": 600}, "b", "a sample of 600 rows without replacement takes every row"),
        ({"b": 0.5}, {}, "b", "a sample of 600 rows without replacement takes every row"),
        ({"b": 0.5, "c": 0}, {"limit": 500}, "b", "a sample of 500 rows without replacement takes every row that can"),
        ({"b": 0.5}, {"limit": 100, "max_weight": 2}, "b", "max_weight=2 allows its 70 rows 23.33% of the draws"),
        ({"b": 0.5}, {"limit": 400, "max_weight": 2}, "b", "only 70 rows have it: at most 17.5% of a sample of 400"),
    ],
)
@pytest.mark.parametrize("design", DESIGNS)
def test_reasons(target: Any, options: dict[str, Any], label: str, reason: str, design: Any) -> None:
    balance = TAGS.tql.balance("t", target, replace=False, design=design, **options)
    assert balance.labels.filter(label=label)["reason"].item().startswith(reason)


def test_one_row_has_a_reason_in_the_singular() -> None:
    frame = pl.DataFrame({"x": ["a"] * 9 + ["b"]})
    balance = frame.tql.balance("x", {"b": 0.5}, limit=4, replace=False)
    assert balance.labels["reason"][1] == "only one row has it: at most 25% of a sample of 4 rows without replacement"
    assert balance.labels["expected_share"][1] == pytest.approx(0.25, rel=1e-3)


def test_a_sample_of_all_rows_has_the_shares_of_the_table() -> None:
    balance = TAGS.tql.balance("t", replace=False)
    assert balance.sampler == "max_weight(true: 1)" and balance.size == 600
    assert balance.labels["expected_share"].to_list() == pytest.approx(balance.labels["share"].to_list())
    assert "a sample of 600 rows without replacement takes every row that can be drawn" in str(balance)
    without = pl.DataFrame({"x": ["a", "a", "b", None]}).tql.balance("x", {"b": 0}, limit=7, replace=False)
    assert without.labels["expected_share"].to_list() == pytest.approx([2 / 3, 0, 1 / 3])


@pytest.mark.parametrize("design", DESIGNS)
def test_rows_without_a_label_keep_their_share_where_there_is_room(design: Any) -> None:
    frame = pl.DataFrame({"x": ["a"] * 60 + ["b"] * 30 + [None] * 10})
    for target, none in ((0.5, 0.1), (0.9, 0.1)):  # 0.75 is the most, which leaves room
        balance = frame.tql.balance("x", {"b": target}, limit=40, replace=False, design=design)
        shares = dict(zip(balance.labels["label"], balance.labels["expected_share"], strict=True))
        assert shares["b"] == pytest.approx(min(target, 0.75), rel=0.006)
        assert shares[None] == pytest.approx(none, rel=0.006)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_greatest_weight_bounds_the_probability(design: Any) -> None:
    balance = TAGS.tql.balance("t", WANTED, limit=100, replace=False, design=design, max_weight=2)
    report = TAGS.tql.report(balance.sampler, 100, by="t", replace=False, design=design)
    assert report.repeats <= 2 * 100 / 600 * (1 + 1e-6)
    assert balance.price.greatest == pytest.approx(2, rel=0.02)


def rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose numbers do not tell in which order threads counted the sets of labels."""
    return [{key: round(each, 12) if isinstance(each, float) else each for key, each in row.items()} for row in rows]


@pytest.mark.parametrize("design", DESIGNS)
def test_every_door_gives_the_same(
    design: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"limit": 200, "replace": False, "design": design}
    eager = TAGS.tql.balance("t", WANTED, **options)
    assert (eager.size, eager.replace, eager.design) == (200, False, design)
    number = "200 rows on average" if design == "poisson" else "200 rows"
    assert f"the shares hold for {number} without replacement, design='{design}'" in str(eager)
    fraction = {**options, "limit": None, "fraction": Fraction(1, 3)}
    frames = [TAGS, TAGS.lazy(), TAGS.to_pandas()]
    turn = DESIGNS.index(design)
    for frame in size(frames[turn : turn + 1], frames):  # in `make test` of each design another one
        assert str(frame.tql.balance("t", WANTED, **options)) == str(eager)
        other = tql_frames.balance(frame, "t", WANTED, **fraction)
        assert str(other) == str(eager) and other.to_dict() == eager.to_dict()
        report = tql_frames.report(frame, eager.sampler, by="t", **options)
        assert str(other.report) == str(report) == str(frame.tql.report(eager.sampler, by="t", **options))
        shares = report.labels["expected_share"].to_list()
        assert shares == pytest.approx(eager.labels["expected_share"].to_list(), rel=1e-8)
    monkeypatch.chdir(tmp_path)
    command = Command(tmp_path, capfd)
    TAGS.write_parquet("in.parquet")
    asked = ["in.parquet", "--by", "t", "--limit", "200", "--no-replace", "--design", design]
    targets = [word for label, share in WANTED.items() for word in ("--target", f"{label}={share}")]
    assert command("balance", *asked, *targets) == (0, f"{eager}\n", "")
    found = json.loads(command("balance", *asked, *targets, "--json").out)
    assert (found["size"], found["replace"], found["design"]) == (200, False, design)
    assert rounded(found["labels"]) == rounded(eager.to_dict()["labels"])
    assert command("report", eager.sampler, *asked) == (0, f"{eager.report}\n", "")


def test_the_size_of_a_sample_with_replacement_changes_its_report_alone() -> None:
    plain = TAGS.tql.balance("t", WANTED)
    for design in ("independent", "systematic"):
        sized = TAGS.tql.balance("t", WANTED, limit=60, design=design)
        assert sized.sampler == plain.sampler and sized.labels.equals(plain.labels) and sized.price == plain.price
        assert sized.report.labels["expected_count"].sum() < plain.report.labels["expected_count"].sum() / 9
        assert " times in a sample of 60 rows\n" in str(sized)


def test_the_report_and_the_plot_are_of_the_request() -> None:
    pytest.importorskip("altair")
    balance = TAGS.tql.balance("t", WANTED, fraction=0.25, replace=False, design="systematic")
    assert balance.report.size == balance.size == 150 and not balance.report.replace
    values = balance.plot().to_dict()["data"]["values"]
    assert next(each for each in values if each["label"] == "b")["target"] == pytest.approx(0.25 * 150)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 5, "fraction": 0.5}, "limit and fraction were both given"),
        ({"limit": -1}, "expected limit= to be a whole number of at least 0, got -1"),
        ({"replace": "no"}, "expected replace= to be True or False"),
        ({"design": "poisson"}, "design='poisson' draws a row at most once"),
        ({"design": "independent", "replace": False}, "draws a row any number of times"),
        ({"design": "sytematic"}, "unknown design 'sytematic'"),
        ({"limit": 0, "replace": False}, "a sample of no rows has no shares to balance"),
        ({"fraction": 0.001, "replace": False}, "a sample of no rows has no shares to balance"),
        ({"limit": {"a": 5}, "replace": False}, "limit of a balance is one number"),
        ({"limit": 5, "replace": False, "method": "nnls"}, "'nnls' computes weights only for draws with replacement"),
    ],
)
def test_errors(options: dict[str, Any], message: str) -> None:
    for frame in (TAGS, TAGS.lazy(), TAGS.to_pandas()):
        for call in (frame.tql.balance, lambda *given, of=frame, **more: tql_frames.balance(of, *given, **more)):
            with pytest.raises(TQLError, match=message):
                call("t", **options)


@pytest.mark.parametrize("name", ["over", "unit", "key"])
def test_groups_and_units_are_refused(name: str) -> None:
    for call in (TAGS.tql.balance, lambda *given, **more: tql_frames.balance(TAGS, *given, **more)):
        with pytest.raises(
            TypeError, match=rf"balance\(\) has no argument '{name}': its shares are of samples of rows"
        ):
            call("t", **{name: "t"})


def test_a_curve_has_the_mean_one_and_its_derivatives() -> None:
    rng = np.random.default_rng(5)
    for curve in (Curve(), Curve(3.0), Curve(bend=1.001), Curve(bend=40.0), Curve(2.0, 3.0), Curve(1.01, 500.0)):
        part, score = rng.random(50), rng.normal(size=50) * 8
        part /= part.sum()
        logs = score - curve.normalise(part, score)
        assert part @ curve.at(logs) == pytest.approx(1, rel=1e-12)
        logs = np.linspace(-20, 3, 400) + 1e-4
        logs = logs[np.abs(logs - curve.knee) > 1e-3]
        step = 1e-5
        difference = (curve.at(logs + step) - curve.at(logs - step)) / (2 * step)
        np.testing.assert_allclose(curve.slopes(logs), difference, rtol=1e-6, atol=1e-9)
        difference = (curve.areas(logs + step) - curve.areas(logs - step)) / (2 * step)
        np.testing.assert_allclose(curve.at(logs), difference, rtol=1e-6, atol=1e-9)
