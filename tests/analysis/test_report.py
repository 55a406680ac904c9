"""Reports: every number beside one computed row by row, and beside draws."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tql_frames
from tests.sizes import named, paired, size
from tql_frames.analysis import Expectations, LabelColumns
from tql_frames.errors import TQLError, WeightError
from tql_frames.frames import frame_of

XRAYS = tql_frames.datasets.chest_xray()
ARMS = {"Hernia": 20, "Pneumonia": 8, "Fibrosis": 5, "Edema": 5, "Emphysema": 2}
TEXT = ", ".join(f"contains(findings, '{name}'): {weight}" for name, weight in ARMS.items()) + ", True: 1"
SAMPLERS = [f"max_weight({TEXT})", f"sum_weight({TEXT})", "max_weight(age > 60: age, True: 9)"]


@cache
def pandas_xrays() -> pd.DataFrame:
    return XRAYS.to_pandas()


def by_hand(frame: pl.DataFrame, by: str, weights: np.ndarray) -> dict[Any, tuple[int, float]]:
    """Rows and share of the weight of each label, one row after the other."""
    found: dict[Any, list[float]] = {}
    for labels, weight in zip(frame[by].to_list(), weights.tolist(), strict=True):
        several = labels if isinstance(labels, list) else [labels]
        for label in set(several) or {None}:
            entry = found.setdefault(label, [0, 0.0])
            entry[0] += 1
            entry[1] += weight
    total = float(np.sum(weights))
    return {label: (int(rows), weight / total) for label, (rows, weight) in found.items()}


def weights_by_hand(frame: pl.DataFrame, choice: str) -> np.ndarray:
    """Weight of each row by the sampler above."""
    combine = max if choice == "max_weight" else sum
    rows = frame["findings"].to_list()
    return np.array([combine([1, *(weight for name, weight in ARMS.items() if name in row)]) for row in rows], float)


def check_close(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Make sure that fractions differ by at most 1e-9 of their size, and nothing else at all."""
    assert found.columns == expected.columns
    for one, other in zip(found, expected, strict=True):
        if one.dtype.is_float():
            np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=1e-9, err_msg=one.name)
        else:
            assert one.to_list() == other.to_list(), one.name


@pytest.mark.parametrize("where", [None, "age > 60 and view = 'PA'"])
@pytest.mark.parametrize("choice", ["max_weight", "sum_weight"])
def test_shares_are_those_of_the_rows_and_of_a_million_draws(choice: str, where: str | None) -> None:
    """10^6 draws, each share within 5 standard errors: alpha of 1e-5 for the 60 shares of all four cases.

    `make test` draws 150,000.
    """
    sampler, draws = f"{choice}({TEXT})", size(150_000, 1_000_000)
    population = XRAYS if where is None else XRAYS.filter((pl.col("age") > 60) & (pl.col("view") == "PA"))
    if where is None:
        report = XRAYS.tql.report(sampler, draws, by="findings")
        drawn = XRAYS.tql.sample(sampler, draws, seed=1)
    else:
        statement = f"select * where {where} sample by {sampler} limit {draws}"
        report = XRAYS.tql.report(statement, by="findings")
        drawn = XRAYS.tql.query(statement, seed=1)
    expected = by_hand(population, "findings", weights_by_hand(population, choice))
    found = {row["label"]: row for row in report.labels.iter_rows(named=True)}
    counts = dict(drawn["findings"].explode().value_counts().iter_rows())
    assert found.keys() == expected.keys()
    for label, (rows, share) in expected.items():
        row = found[label]
        assert row["rows"] == rows
        assert row["share"] == pytest.approx(rows / population.height, rel=1e-12)
        assert row["expected_share"] == pytest.approx(share, rel=1e-9)
        assert row["expected_count"] == pytest.approx(share * draws, rel=1e-9)
        assert row["factor"] == pytest.approx(share / rows * population.height, rel=1e-9)
        assert row["requested_weight"] == ARMS.get(label)
        assert abs(counts[label] - share * draws) < 5 * np.sqrt(draws * share * (1 - share))
    raw = found["Hernia"]["share"] * draws
    assert abs(counts["Hernia"] - raw) > 50 * np.sqrt(raw)  # which a sampler without weights would not give


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_numbers_of_the_whole(sampler: str) -> None:
    weights = XRAYS.tql.weights(sampler).to_numpy()
    chance = weights / weights.sum()
    report = XRAYS.tql.report(sampler=sampler, limit=50_000)
    assert (report.rows, report.size, report.replace, report.labels) == (112_120, 50_000, True, None)
    assert report.effective_rows == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), rel=1e-9)
    assert report.expected_distinct == pytest.approx((1 - (1 - chance) ** 50_000).sum(), rel=1e-9)
    assert report.repeats == pytest.approx(50_000 * chance.max(), rel=1e-9)
    drawn = XRAYS.tql.sample(sampler, 50_000, seed=3)["index"]
    assert drawn.n_unique() == pytest.approx(report.expected_distinct, rel=0.01)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_arms_and_how_they_move_labels(sampler: str) -> None:
    table = XRAYS.head(size(15_000, XRAYS.height))
    report = table.tql.report(sampler, by="findings")
    weights = table.tql.weights(sampler)
    choice, _, inner = sampler.partition("(")
    texts = re.findall(r"(.+?: \w+)(?:, |$)", inner[:-1])
    assert [arm.lower() for arm in texts] == [arm.lower() for arm in report.arms["arm"]]
    for text, row in zip(texts, report.arms.iter_rows(named=True), strict=True):
        condition, weight = text.rsplit(": ", 1)
        matched = table.tql.weights(f"max_weight({condition}: 1)") > 0
        assert row["rows"] == matched.sum()
        assert row["expected_share"] == pytest.approx(weights.filter(matched).sum() / weights.sum(), rel=1e-9)
        assert row["requested_weight"] == (float(weight) if weight.isdigit() else None)
    names = report.co_movement.columns[1:]
    assert names == report.arms["arm"].to_list()[:-1]  # the default has no share without it
    after = by_hand(table, "findings", weights.to_numpy())
    for name, text in zip(names, texts, strict=False):
        rest = ", ".join(arm for arm in texts if arm != text)
        without = by_hand(table, "findings", table.tql.weights(f"{choice}({rest})").to_numpy())
        moved = dict(zip(report.co_movement["label"], report.co_movement[name], strict=True))
        for label, factor in moved.items():
            assert factor == pytest.approx(after[label][1] / without[label][1], rel=1e-9)


@pytest.mark.parametrize("sampler", [f"max_weight({TEXT})", "age"])
def test_without_replacement(sampler: str) -> None:
    """50 samples of a tenth: mean counts of labels within 5 standard errors, at most those of independent draws.

    `make test` draws 30.
    """
    report = XRAYS.tql.report(sampler, by="findings", fraction=0.1, replace=False)
    assert report.size == report.expected_distinct == 11_212
    counts = np.zeros(15)
    labels = report.labels["label"].to_list()
    samples = size(30, 50)
    for seed in range(samples):
        drawn = XRAYS.tql.sample(sampler, 11_212, replace=False, seed=seed)
        found = dict(drawn["findings"].explode().value_counts().iter_rows())
        counts += [found.get(label, 0) for label in labels]
    expected = report.labels["expected_count"].to_numpy()
    error = np.sqrt(expected / samples)
    assert (np.abs(counts / samples - expected) < 5 * error).all()
    with_replacement = XRAYS.tql.report(sampler, by="findings", fraction=0.1).labels["expected_count"].to_numpy()
    assert sampler == "age" or (np.abs(counts / samples - with_replacement) > 5 * error).any()


def test_every_kind_of_frame_gives_the_same_report() -> None:
    sampler = f"sum_weight({TEXT}, age > 60: 3)"
    eager = XRAYS.tql.report(sampler, 1000, by="findings")
    lazy = XRAYS.lazy().tql.report(sampler, 1000, by="findings")
    pandas = XRAYS.to_pandas().tql.report(sampler, 1000, by="findings")
    assert str(eager) == str(lazy) == str(pandas)
    assert isinstance(pandas.labels, pd.DataFrame) and isinstance(lazy.labels, pl.DataFrame)
    assert pandas.labels["expected_share"].to_list() == pytest.approx(eager.labels["expected_share"].to_list())


def test_files_are_reported_on(tmp_path: Any) -> None:
    XRAYS.write_parquet(tmp_path / "xrays.parquet", row_group_size=10_000)
    scan = pl.scan_parquet(tmp_path / "xrays.parquet")
    assert str(scan.tql.report("age", by="findings")) == str(XRAYS.tql.report("age", by="findings"))


LABELS = st.one_of(st.none(), st.lists(st.sampled_from(["a", "b", "c", None, "o'k"]), max_size=4))


@settings(max_examples=size(10, 60), deadline=None)
@given(st.lists(st.tuples(LABELS, st.integers(0, 9)), min_size=1, max_size=30))
def test_any_lists(rows: list[tuple[list[str | None] | None, int]]) -> None:
    frame = pl.DataFrame(rows, schema={"tags": pl.List(pl.String), "w": pl.Int64}, orient="row")
    if frame["w"].sum() == 0:
        with pytest.raises(WeightError, match="no row can be drawn"):
            frame.tql.report("w", by="tags")
        return
    lists = frame.with_columns(pl.col("tags").fill_null([]))
    expected = by_hand(lists, "tags", frame["w"].to_numpy().astype(float))
    report = frame.tql.report("w", by="tags")
    found = {row["label"]: (row["rows"], row["expected_share"]) for row in report.labels.iter_rows(named=True)}
    assert found.keys() == expected.keys()
    for label, (count, share) in expected.items():
        assert found[label] == (count, pytest.approx(share, rel=1e-12, abs=1e-12))
    assert report.labels["rows"].is_sorted(descending=True)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["x", None, "x"], pl.Categorical),
        (["x", "y", "x"], pl.Enum(["y", "x"])),
        ([1, None, 1], pl.Int8),
        ([True, False, True], pl.Boolean),
        ([1.5, float("nan"), float("nan")], pl.Float64),
        ([[1, 2], [2, 2], [1, 1]], pl.Array(pl.Int64, 2)),
        ([[], None, [5]], pl.List(pl.Int64)),
    ],
)
def test_labels_of_any_type(values: list[Any], dtype: Any) -> None:
    frame = pl.DataFrame({"label": pl.Series(values, dtype=dtype), "w": [1.0, 2.0, 5.0]})
    report = frame.tql.report("w", by="label")
    assert report.labels["rows"].sum() >= 3
    assert report.labels.schema["label"] == (
        frame.schema["label"].inner if frame.schema["label"].is_nested() else dtype
    )
    assert len(str(report).splitlines()) == 1 + report.labels.height + 1 + 4
    assert report._repr_html_().count("<tr>") == report.labels.height + 1


def test_columns_of_odd_names() -> None:
    frame = pl.DataFrame({"weight": [1, 3], "^x.*$": ["a", "b"], "*": ["p", "q"], "··label0": [1, 1], "rows": [1, 2]})
    assert frame.tql.report("weight", by="^x.*$").labels["expected_share"].to_list() == [0.25, 0.75]
    assert frame.tql.report('"weight"', by="*").labels["expected_share"].to_list() == [0.25, 0.75]
    assert frame.tql.report("rows", by="rows").labels["expected_share"].to_list() == pytest.approx([1 / 3, 2 / 3])
    labels = pd.DataFrame({("a", "b"): [1, 2], "c": ["x", "y"], 5: [1, 1]})
    assert labels.tql.report(by="c").labels["rows"].to_list() == [1, 1]


def test_without_a_sampler_labels_are_counted() -> None:
    report = XRAYS.tql.report(by="view")
    assert report.labels.rows() == [("PA", 67310, 67310 / 112120), ("AP", 44810, 44810 / 112120)]
    assert str(report).endswith("\n\n112,120 rows")
    assert "<p>112,120 rows</p>" in report._repr_html_()


def test_statements() -> None:
    text = "select image as i, age * 2 as twice where sex = ? order by twice sample by twice replace false"
    text += " limit 10 percent"
    report = XRAYS.tql.report(text, by="findings", parameters=["F"])
    women = XRAYS.filter(pl.col("sex") == "F")
    assert report.size == women.height // 10 and not report.replace
    same = women.tql.report("age", by="findings", fraction=0.1, replace=False)
    check_close(report.labels, same.labels)
    grouped = XRAYS.tql.report("select view, shape(age)[0] as n group by view sample by n", by="view")
    assert grouped.labels["expected_share"].to_list() == pytest.approx([67310 / 112120, 44810 / 112120])
    nested = "select * from (select * sample by age limit 100) sample by max_weight(True: 1)"
    assert XRAYS.tql.report(nested, by="view").rows == 100


def test_random_numbers_of_a_statement_keep_their_places() -> None:
    text = "select random() as r, age where random() % 2 = 0 sample by max_weight(age > 60: 2, True: 1)"
    assert 54_000 < XRAYS.tql.report(text, by="view").rows < 58_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("finding", "age"), "unknown column 'finding'\n  did you mean 'findings'?"),
        (("findings", "agee"), "unknown column 'agee'\n"),
        (("findings", "age - 40"), "the sampler returns a negative weight in 36,616 rows"),
        (("findings", "max_weight(age > 60: -1, True: 1)"), "arm 1 has a negative weight in "),
        (("findings", "max_weight(age > 160: -1, True: 1)"), "arm 1 has a negative weight, in 0 rows here"),
        (("findings", "max_weight(age > 60: 40 - age, True: 100)"), "arm 1 has a negative weight in "),
        (
            ("findings", "max_weight(age > 160: 1)"),
            "no row can be drawn: its one arm gives weight 0 to all 112,120 rows",
        ),
        (("findings", "age * 0"), "no row can be drawn: the weight is 0 in all 112,120 rows"),
        (("findings", pl.col("sex")), "expected numeric weights, got Enum"),
        ((5, "age"), "expected by= to be the name of a column, got 5"),
        (("findings", "age", -1), "expected limit= to be a whole number of at least 0, got -1"),
        (("findings", "select * where age > 60"), "the statement has no SAMPLE BY clause"),
        (("findings", "select * sample by age", 5), "limit= cannot be given with a statement"),
        (("findings", "select age sample by agee"), "unknown column 'agee'"),
    ],
)
def test_refusals(arguments: tuple[Any, ...], message: str) -> None:
    for frame in (XRAYS, XRAYS.lazy(), pandas_xrays()):
        if isinstance(frame, pd.DataFrame) and isinstance(arguments[1], pl.Expr):
            continue
        with pytest.raises(TQLError) as caught:
            frame.tql.report(*arguments[1:], by=arguments[0])
        assert message in str(caught.value)


def test_labels_that_are_none() -> None:
    frame = pl.DataFrame({"s": [{"a": 1}], "l": [[[1]]], "o": pl.Series([object()], dtype=pl.Object)})
    for name in frame.columns:
        with pytest.raises(TQLError, match="holds no labels"):
            frame.tql.report(by=name)


def test_sums_of_weights_beyond_all_numbers() -> None:
    frame = pl.DataFrame({"w": [1e308, 1.5e308], "v": ["a", "b"]})
    with pytest.raises(TQLError, match="the sum of the weights is beyond the range of numbers"):
        frame.tql.report("w", by="v")
    assert frame.tql.report("w / 1e300", by="v").labels["expected_share"].to_list() == pytest.approx([0.4, 0.6])


def test_an_empty_frame() -> None:
    report = XRAYS.head(0).tql.report(f"max_weight({TEXT})", by="findings")
    assert (report.rows, report.size, report.effective_rows, report.labels.height) == (0, 0, 0, 0)
    assert "0 draws with replacement from 0 rows" in str(report)
    assert XRAYS.head(0).tql.report("age", by="view").labels.height == 0


def test_many_arms() -> None:
    arms = ", ".join(f"age = {age}: {age}" for age in range(1, 96))
    report = XRAYS.tql.report(f"max_weight({arms})", by="age")
    assert report.labels["requested_weight"].to_list() == report.labels["label"].to_list()
    weights = XRAYS["age"].to_numpy().astype(float)
    expected = by_hand(XRAYS, "age", weights)
    assert dict(zip(report.labels["label"], report.labels["expected_share"], strict=True)) == pytest.approx(
        {label: share for label, (_, share) in expected.items()}
    )


@pytest.mark.filterwarnings("ignore::tql_frames.TQLArmWarning")  # no row has the text
def test_html_is_escaped() -> None:
    frame = pl.DataFrame({"v": ["<script>alert(1)</script>", "b"]})
    html = frame.tql.report("max_weight(v = '<b>': 2, True: 1)", by="v")._repr_html_()
    assert "<script>" not in html and "'<b>'" not in html


def test_plot() -> None:
    pytest.importorskip("altair")
    chart = XRAYS.tql.report(f"max_weight({TEXT})", by="findings").plot(log=True)
    names = [row["label"] for row in chart.to_dict()["data"]["values"]]
    assert names[0] == "No_Finding" and names[-1] == "Hernia" and len(names) == 15
    arms = XRAYS.tql.report(sampler=f"max_weight({TEXT})").plot()
    assert arms.to_dict()["data"]["values"][0]["label"] == "contains(findings, 'Hernia'): 20"
    with pytest.raises(TQLError, match="neither labels nor arms"):
        XRAYS.tql.report(sampler="age").plot()


def test_the_package_loads_no_analysis_before_it_is_asked_for() -> None:
    code = "import sys, tql_frames; print('tql_frames.analysis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


VIEWS = [
    (f"max_weight({TEXT})", {"limit": 5_000}),
    (f"max_weight({TEXT})", {"limit": 5_000, "replace": False, "order": "source"}),
    ("age", {"fraction": 0.5}),
    (pl.col("age") + 1, {"limit": 100}),
    (f"select * where age > 60 sample by sum_weight({TEXT}) limit 5000", {}),
    ("select image, findings as f where random() % 2 = 0 order by age sample by age limit 1 percent", {}),
    ("select * where age > 90", {}),
]


@pytest.mark.parametrize(("asked", "kind"), paired(VIEWS, ["eager", "lazy", "pandas"]), ids=named)
def test_views_tell_what_was_drawn(asked: tuple[Any, dict[str, Any]], kind: str) -> None:
    sampler, options = asked
    frame: Any = {"eager": XRAYS, "lazy": XRAYS.lazy(), "pandas": XRAYS.to_pandas()}[kind]
    view = frame.tql.view(sampler, seed=5, **options)
    report = view.report("findings")
    labels = pl.DataFrame(report.labels)
    drawn = dict(XRAYS["findings"].gather(view.positions).explode().value_counts().iter_rows())
    assert dict(zip(labels["label"], labels["drawn"], strict=True)) == {
        name: drawn.get(name, 0) for name in labels["label"]
    }
    assert labels["drawn_share"].to_list() == pytest.approx((labels["drawn"] / len(view)).to_list())
    weighted = not (isinstance(sampler, str) and "sample by" not in sampler and sampler.startswith("select"))
    assert ("expected_count" in labels.columns) == weighted
    if weighted:  # within 6 standard errors of independent draws, of which those without replacement are within, too
        expected = labels["expected_count"].to_numpy()
        assert (np.abs(labels["drawn"].to_numpy() - expected) < 6 * np.sqrt(expected + 1)).all()
        assert report.size == len(view)


def test_views_of_views_are_compared_with_what_they_were_drawn_from(tmp_path: Any) -> None:
    first = XRAYS.tql.view(f"max_weight({TEXT})", 1000, seed=2)
    second = first.view("max_weight(contains(findings, 'Hernia'): 1)", 50, seed=3)
    labels = {row["label"]: row for row in second.report("findings").labels.iter_rows(named=True)}
    rows = first.to_native()["findings"].explode().value_counts()
    assert {label: row["rows"] for label, row in labels.items()} == dict(rows.iter_rows())
    assert labels["Hernia"]["drawn"] == 50 and labels["Hernia"]["expected_share"] == 1
    second.save(tmp_path / "second.view")
    loaded = tql_frames.load_view(tmp_path / "second.view", XRAYS).report("findings").labels
    assert "expected_share" not in loaded.columns  # what it was drawn from was not saved
    assert loaded.filter(label="Hernia")["drawn"].item() == 50
    first.save(tmp_path / "first.view")
    assert str(tql_frames.load_view(tmp_path / "first.view", XRAYS).report("findings")) == str(first.report("findings"))


def test_a_view_shows_the_shares_of_its_arms() -> None:
    view = XRAYS.tql.view(f"max_weight({TEXT})", 1000, seed=2)
    hernias = int(np.isin(view.positions, np.flatnonzero(XRAYS["findings"].list.contains("Hernia"))).sum())
    line = next(line for line in repr(view).splitlines() if line.startswith("1 contains(findings, 'Hernia'): 20 "))
    assert line.split()[-2:] == [str(hernias), f"{hernias / 1000:.2%}"]
    assert "contains(findings, &#x27;Hernia&#x27;): 20" in view._repr_html_()
    assert "arm" not in repr(XRAYS.tql.view("age", 10)) and "arm" not in repr(
        XRAYS.lazy().tql.view("max_weight(age: 1)")
    )


def test_plot_of_a_view() -> None:
    pytest.importorskip("altair")
    view = XRAYS.tql.view(f"max_weight({TEXT})", 1000, seed=2)
    chart = view.plot("findings").to_dict()
    assert chart["data"]["values"][0].keys() == {"label", "raw", "expected", "drawn"}
    assert "raw, scaled to 1,000 rows" in str(chart["title"])
    assert chart["data"]["values"][0]["raw"] == pytest.approx(1000 * 60412 / 112120)


@pytest.mark.parametrize(("kind", "replace"), [("eager", True), ("eager", False), ("lazy", True), ("pandas", False)])
def test_expectations_from_combinations_are_those_of_the_rows(kind: str, replace: bool) -> None:
    few = XRAYS.head(size(1_200, 20_000))
    limit = few.height // 4
    frame: Any = {"eager": few, "lazy": few.lazy(), "pandas": few.to_pandas()}[kind]
    expectations = Expectations(frame_of(frame), LabelColumns("findings"))
    for sampler in [*SAMPLERS, "age", "max_weight(age > 60: sqrt(age), sex = 'F': 2)", "row_number()"]:
        report = expectations.report(sampler, limit, replace=replace)
        direct = few.tql.report(sampler, limit, by="findings", replace=replace)
        check_close(report.labels, direct.labels)
        assert report.effective_rows == pytest.approx(direct.effective_rows)
        assert report.expected_distinct == pytest.approx(direct.expected_distinct)
    assert expectations.is_counted("max_weight(age > 80: 100)") and expectations.is_counted("True")
    assert not expectations.is_counted("view") and not expectations.is_counted("row_number()")


def test_expectations_tell_of_rows_what_is_wrong() -> None:
    expectations = Expectations(frame_of(XRAYS), LabelColumns("findings"))
    with pytest.raises(WeightError, match="negative weight in 36,616 rows, the first row 39"):
        expectations.report("age - 40")
    with pytest.raises(TQLError, match="unknown column 'agee'"):
        expectations.report("agee")
    with pytest.raises(WeightError, match="no row can be drawn: the weight is 0 in all 112,120 rows"):
        expectations.report("age * 0")


def test_expectations_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    expectations = Expectations(frame_of(XRAYS), LabelColumns("findings"))
    expectations.report("max_weight(age > 60: 2, view = 'PA': 3)")
    monkeypatch.setattr(expectations, "_frame", None)  # which is not looked at again
    monkeypatch.setattr(expectations, "_named", lambda sampler: frozenset({"age", "findings"}))
    assert expectations.report("max_weight(age > 70: 5)").rows == 112_120
