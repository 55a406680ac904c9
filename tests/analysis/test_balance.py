"""Balance from the public call on: every kind of frame, labels, conditions, null, and what is refused."""

from __future__ import annotations

import html
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tql_frames
from tql_frames.errors import TQLError, TQLNameError

XRAYS = tql_frames.datasets.chest_xray()


def shares_by(frame: pl.DataFrame, sampler: str) -> dict[Any, float]:
    """Share of the weight of the rows of each finding, row by row."""
    weights = frame.tql.weights(sampler).to_numpy()
    found: dict[Any, float] = {}
    for labels, weight in zip(frame["findings"].to_list(), weights.tolist(), strict=True):
        for label in labels:
            found[label] = found.get(label, 0.0) + weight
    return {label: weight / weights.sum() for label, weight in found.items()}


def test_uniform_shares_are_equal_and_those_of_draws() -> None:
    """15 shares of 10^6 draws, each within 5 standard errors: alpha of 1e-5."""
    balance = XRAYS.tql.balance("findings")
    shares = shares_by(XRAYS, balance.sampler)
    assert max(shares.values()) / min(shares.values()) < 1.01
    table = dict(zip(balance.labels["label"], balance.labels["expected_share"], strict=True))
    assert table == pytest.approx(shares, rel=1e-9)
    report = dict(zip(balance.report.labels["label"], balance.report.labels["expected_share"], strict=True))
    assert report == pytest.approx(shares, rel=1e-9)
    drawn = XRAYS.tql.sample(balance.sampler, 1_000_000, seed=4)["findings"].explode().value_counts()
    for label, count in drawn.iter_rows():
        assert abs(count - 1e6 * shares[label]) < 5 * np.sqrt(1e6 * shares[label] * (1 - shares[label]))
    assert balance.price.effective_rows == pytest.approx(balance.report.effective_rows)
    assert balance.price.zero_rows == 0


def test_kept_shares_and_a_greatest_weight() -> None:
    balance = XRAYS.tql.balance("findings", keep=["No_Finding", "age < 18"], max_weight=25)
    rows = {row["label"]: row for row in balance.labels.iter_rows(named=True)}
    assert rows["No_Finding"]["expected_share"] == pytest.approx(60412 / 112120, rel=0.005)
    children = XRAYS.filter(pl.col("age") < 18).height / 112120
    assert rows["age < 18"]["expected_share"] == pytest.approx(children, rel=0.005)
    weights = XRAYS.tql.weights(balance.sampler)
    assert weights.max() / weights.mean() <= 25
    others = [row["expected_share"] for label, row in rows.items() if label not in ("No_Finding", "age < 18")]
    assert len(others) == 14 and max(others) / min(others) < 1.01


def test_shares_of_labels_and_of_conditions() -> None:
    target = {"Hernia": 0.03, "Pneumonia": 0.08, "age < 18 and view = 'PA'": 0.1}
    balance = XRAYS.tql.balance("findings", target)
    shares = shares_by(XRAYS, balance.sampler)
    assert shares["Hernia"] == pytest.approx(0.03, rel=0.006)
    assert shares["Pneumonia"] == pytest.approx(0.08, rel=0.006)
    weights = XRAYS.tql.weights(balance.sampler)
    young = (XRAYS["age"] < 18) & (XRAYS["view"] == "PA")
    assert weights.filter(young).sum() / weights.sum() == pytest.approx(0.1, rel=0.006)
    assert balance.labels["label"].to_list()[-1] == "age < 18 and view = 'PA'"
    assert balance.labels["target"].drop_nulls().to_list() == [0.08, 0.03, 0.1]


def test_what_cannot_be_met_is_said_and_why() -> None:
    balance = XRAYS.tql.balance("findings", {"Hernia": 0.5}, max_weight=100)
    row = balance.labels.filter(label="Hernia").row(0, named=True)
    reason = "max_weight=100 allows its 227 rows 20.25% of the draws at most"
    assert row["reason"] == reason and row["off"] == pytest.approx(row["expected_share"] / 0.5 - 1)
    assert f"\nHernia: {reason}" in str(balance) and reason in balance._repr_html_()
    assert balance.labels.filter(label="Mass")["reason"].item() is None


def test_every_kind_of_frame_gives_the_same() -> None:
    eager = XRAYS.tql.balance("findings", keep=["No_Finding"])
    assert str(eager) == str(XRAYS.lazy().tql.balance("findings", keep=["No_Finding"]))
    pandas = XRAYS.to_pandas().tql.balance("findings", keep=["No_Finding"])
    assert str(eager) == str(pandas) and isinstance(pandas.labels, pd.DataFrame)
    assert str(eager.report) == str(pandas.report) and isinstance(pandas.report.labels, pd.DataFrame)
    assert eager.sampler == tql_frames.balance(XRAYS, "findings", keep=["No_Finding"]).sampler


@pytest.mark.parametrize(
    "values",
    [["a", "b", "b", None, None], [1, 2, 2, 2, None], [True, True, False, None, True], ["it's", "x", "x", "", None]],
)
def test_null_is_a_label_only_where_it_is_named(values: list[Any]) -> None:
    frame = pl.DataFrame({"label": values})
    shares = dict(
        frame.tql.report(frame.tql.balance("label").sampler, by="label").labels["label", "expected_share"].rows()
    )
    known = [share for label, share in shares.items() if label is not None]
    assert max(known) / min(known) < 1.01
    named = frame.tql.balance("label", {None: 0.5})
    weights = frame.tql.weights(named.sampler)
    assert weights.filter(frame["label"].is_null()).sum() / weights.sum() == pytest.approx(0.5, rel=0.006)


def test_rows_without_labels_keep_a_weight() -> None:
    frame = pl.DataFrame({"tags": [["a"], ["a"], ["a", "b"], [], None]})
    balance = frame.tql.balance("tags")
    assert (frame.tql.weights(balance.sampler) > 0).all()
    assert balance.labels["label"].to_list() == ["a", None, "b"]


def test_columns_and_labels_of_odd_names() -> None:
    frame = pl.DataFrame({'my "label"': ["it's", "it's", '"', "-- no", "1"]})
    balance = frame.tql.balance('my "label"')
    weights = frame.tql.weights(balance.sampler)
    assert weights.to_list() == pytest.approx([0.625, 0.625, 1.25, 1.25, 1.25], rel=0.01)


def test_the_sum_of_weights_is_plain_and_further_off() -> None:
    balance = XRAYS.tql.balance("findings", method="nnls")
    assert balance.sampler.startswith("sum_weight(\n  contains(findings, 'Hernia'): ")
    assert balance.labels["off"].abs().max() > 0.3
    assert "rows have weight 0 and are never drawn" in str(balance)


def test_ten_million_rows_are_no_more_work_than_their_label_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing after the count sees the rows: the frame is looked at once."""
    from tql_frames.analysis import balance as module  # noqa: PLC0415

    calls = []
    original = module.count_cells
    monkeypatch.setattr(module, "count_cells", lambda *args, **more: calls.append(1) or original(*args, **more))
    XRAYS.tql.balance("findings")
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("finding",), "unknown column 'finding'\n  did you mean 'findings'?"),
        ((5,), "expected by= to be the name of a column, got 5"),
        (("findings", "even"), "expected target= to be 'uniform', or shares by label or condition, got 'even'"),
        (("findings", [1]), "expected target= to be 'uniform', or shares by label or condition, got list"),
        (("findings", {}), "target names no label"),
        (
            ("findings", {"Hernai": 0.1}),
            "'Hernai' is not a label of column 'findings', and not a condition\n  did you mean 'Her",
        ),
        (("findings", {5: 0.1}), "5 is not a label of column 'findings'"),
        (("findings", {"age >": 0.1}), "'age >' is not a label of column 'findings', and not a condition"),
        (("findings", {"agee > 5": 0.1}), "unknown column 'agee'"),
        (("findings", {"Hernia": 2}), "expected the target of 'Hernia' to be a share from 0 to 1, got 2"),
        (("findings", {"Hernia": True}), "to be a share from 0 to 1, got True"),
        (("findings", {"Hernia": "much"}), "to be a share from 0 to 1, got 'much'"),
        (("findings", {"Hernia": float("nan")}), "to be a share from 0 to 1, got nan"),
    ],
)
def test_refusals(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(TQLError) as caught:
        XRAYS.tql.balance(*arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": "Hernia"}, "keep is a list of labels or conditions\n  write keep=['Hernia']"),
        ({"keep": ["Hernai"]}, "'Hernai' is not a label"),
        ({"target": {"Hernia": 0.1}, "keep": ["Hernia"]}, "'Hernia' is in target and in keep"),
        ({"max_weight": 0.5}, "expected max_weight to be above 1, the mean weight, got 0.5"),
        ({"method": "magic"}, "unknown method 'magic'"),
        ({"method": "nnls", "max_weight": 5}, "method 'nnls' has no max_weight"),
    ],
)
def test_refused_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TQLError) as caught:
        XRAYS.tql.balance("findings", **options)
    assert message in str(caught.value)


def test_an_empty_frame_has_nothing_to_balance() -> None:
    with pytest.raises(TQLError, match="a table without rows has no shares to balance"):
        XRAYS.head(0).tql.balance("findings")


def test_names_of_labels_come_before_conditions() -> None:
    frame = pl.DataFrame({"note": ["age > 60", "age > 60", "b"], "age": [1, 2, 99]})
    balance = frame.tql.balance("note", {"age > 60": 0.5})
    assert frame.tql.weights(balance.sampler).to_list() == pytest.approx([0.75, 0.75, 1.5], rel=0.01)
    with pytest.raises(TQLNameError):
        frame.tql.balance("note", {"agee": 0.5})


def test_html_is_escaped() -> None:
    frame = pl.DataFrame({"v": ["<script>alert(1)</script>", "b"]})
    assert "<script>" not in frame.tql.balance("v")._repr_html_()


@pytest.mark.fault("E15")
@pytest.mark.parametrize("options", [{"max_weight": 1.2}, {"target": {"a\nb": 0.0}}, {}])
def test_a_label_of_several_lines_stays_the_label(options: dict[str, Any]) -> None:
    labels = ["a\nb", "it's\n  'x'", 'say "\n"', *(f"l{place}\n" for place in range(45))]
    frame = pl.DataFrame({"x": [[label, "all"] for label in labels] * 2 + [["a\nb"]]})
    balance = frame.tql.balance("x", **options)
    weights = frame.tql.weights(balance.sampler)
    table = dict(balance.labels.select("label", "expected_share").iter_rows())
    for label in labels[:4]:
        share = weights.filter(frame["x"].list.contains(label)).sum() / weights.sum()
        assert table[label] == pytest.approx(share, abs=1e-12)


@pytest.mark.fault("B8")
def test_a_balance_says_that_its_shares_hold_with_replacement() -> None:
    """Successive draws from six rows, enumerated: one draw has the shares asked for, all six those of the table."""
    frame = pl.DataFrame({"x": ["a", "a", "a", "a", "b", "b"]})
    balance = frame.tql.balance("x")
    sentence = "the shares hold for draws with replacement; for other draws, pass limit= and replace=False to balance"
    assert sentence in str(balance) and sentence in html.unescape(balance._repr_html_())
    weights = frame.tql.weights(balance.sampler).to_list()

    def share_of_b(left: tuple[int, ...], draws: int) -> float:
        """The expected a number of rows with b among further draws."""
        total = sum(weights[row] for row in left)
        if not draws:
            return 0.0
        return sum(
            weights[row] / total * ((row >= 4) + share_of_b(tuple(each for each in left if each != row), draws - 1))
            for row in left
        )

    found = []
    for limit in (1, 2, 4, 6):
        report = frame.tql.report(balance.sampler, limit, by="x", replace=False)
        found.append(report.labels.filter(label="b")["expected_share"].item())
        assert found[-1] == pytest.approx(share_of_b(tuple(range(6)), limit) / limit, rel=1e-6)
    assert found[0] == pytest.approx(0.5, rel=0.006) and found[-1] == pytest.approx(1 / 3)
    assert found == sorted(found, reverse=True)


@pytest.mark.fault("H7")
def test_a_greatest_weight_may_be_a_decimal() -> None:
    df = pl.DataFrame({"view": ["PA"] * 9 + ["AP"]})
    found = [df.tql.balance("view", {"AP": 0.2}, max_weight=cap).sampler for cap in (5.0, Decimal(5))]
    assert found[0] == found[1]
