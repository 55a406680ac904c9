"""Reports and balances as they are printed and drawn: how long they are, and what data may do to a terminal."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tql_frames
from tests.sizes import crossed
from tql_frames.analysis.display.table import TableColumn
from tql_frames.errors import TQLError

XRAYS = tql_frames.datasets.chest_xray().head(3000)
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # ends of lines are none


def wide(labels: int, rows: int = 2000) -> pl.DataFrame:
    return pl.DataFrame({"label": [f"l{row % labels}" for row in range(rows)], "number": range(rows)})


@pytest.mark.fault("B10")
@pytest.mark.parametrize(
    ("arms", "by", "kind"), crossed([0, 1, 30, 300], ["label", "number"], ["eager", "lazy", "pandas"])
)
def test_a_printed_report_has_at_most_sixty_lines(kind: str, by: str, arms: int) -> None:
    frame: Any = wide(500)
    frame = {"eager": lambda: frame, "lazy": frame.lazy, "pandas": frame.to_pandas}[kind]()
    sampler = ", ".join([*(f"label = 'l{arm}': 2" for arm in range(arms)), "True: 1"])
    report = frame.tql.report(f"max_weight({sampler})", by=by)
    lines = str(report).split("\n")
    assert 50 < len(lines) <= 60
    labels = 500 if by == "label" else 2000
    left_out = int(re.findall(r"… ([\d,]+) rows between …", str(report))[0].replace(",", ""))
    if arms < 30:  # the table of arms is whole, that of labels is cut, and after it that of factors
        assert lines.index(f"… {left_out:,} rows between …") + left_out > labels - 60
    first = report.labels["label"][0]
    assert lines[1].startswith(str(first))
    assert max(map(len, lines)) < 400


@pytest.mark.fault("B10")
def test_a_long_table_shows_both_ends_and_counts_the_rest() -> None:
    lines = str(wide(2000).tql.report(by="number")).split("\n")
    assert len(lines) == 60
    place = next(place for place, line in enumerate(lines) if "rows between" in line)
    shown = [line.split()[0] for line in (*lines[1:place], *lines[place + 1 : -2])]
    assert lines[place] == f"… {2000 - len(shown):,} rows between …"
    assert shown[0] == "0" and shown[-1] == "1999"


@pytest.mark.fault("B10")
@pytest.mark.parametrize("target", ["uniform", {f"l{place}": 0.9 for place in range(300)}])
def test_a_printed_balance_has_at_most_sixty_lines(target: Any) -> None:
    frame = wide(300).with_columns(label=pl.concat_list("label", pl.lit("all")))
    balance = frame.tql.balance("label", target)
    assert len(balance.sampler.split("\n")) > 100
    for text in (str(balance), repr(balance)):
        assert len(text.split("\n")) <= 60
        assert "lines between, in the attribute sampler" in text and "rows between" in text
    whole = XRAYS.tql.balance("findings", {"Hernia": 0.1})
    assert whole.sampler in str(whole)


@pytest.mark.fault("B10")
def test_a_short_report_is_printed_whole() -> None:
    assert "between" not in str(XRAYS.tql.report("max_weight(age > 60: 2, True: 1)", by="findings"))
    many = pl.DataFrame({"label": range(56)}).tql.report(by="label")
    assert "between" not in str(many) and len(str(many).split("\n")) == 59


@pytest.mark.fault("B10")
def test_of_many_arms_the_first_are_columns_of_the_printed_factors() -> None:
    sampler = ", ".join(f"age = {age}: 2" for age in range(1, 41))
    report = XRAYS.tql.report(f"max_weight({sampler}, True: 1)", by="findings")
    assert "arm 20" in str(report) and "arm 21" not in str(report).replace("arm 21 ", "")
    assert "20 more arms are in the attribute co_movement" in str(report)
    assert "20 more arms are in the attribute co_movement" in report._repr_html_()
    assert len(report.co_movement.columns) == 41


@pytest.mark.fault("B9")
@pytest.mark.parametrize(
    ("values", "hint"),
    [
        (pl.Series(np.arange(5000) / 7), "put the values into bins"),
        (pl.Series(range(5000)), "put the values into bins"),
        (pl.Series([dt.datetime(2024, 5, 1) + dt.timedelta(minutes=row) for row in range(5000)]), "into bins"),
        (pl.Series([f"l{row}" for row in range(5000)]), "replace the rare labels by one"),
        (pl.Series([[row, row + 1] for row in range(5000)]), "put the values into bins"),
    ],
)
def test_too_many_labels_are_refused_with_what_to_do(values: pl.Series, hint: str) -> None:
    frame = pl.DataFrame({"x": values})
    for one in (frame, frame.lazy(), frame.to_pandas()):
        if isinstance(one, pd.DataFrame) and values.dtype == pl.List:
            continue
        with pytest.raises(TQLError, match=r"column 'x' has 5,00. labels; at most 2,000 can be balanced") as caught:
            one.tql.balance("x")
        assert hint in str(caught.value)


@pytest.mark.fault("B9")
def test_a_few_of_many_labels_are_balanced() -> None:
    frame = pl.DataFrame({"x": [f"l{row if row % 2 else 0}" for row in range(20_000)]})
    balance = frame.tql.balance("x", {"l0": 0.2, "l1": 0.1})
    weights = frame.tql.weights(balance.sampler)
    assert weights.filter(frame["x"] == "l0").sum() / weights.sum() == pytest.approx(0.2, rel=0.006)
    assert weights.filter(frame["x"] == "l1").sum() / weights.sum() == pytest.approx(0.1, rel=0.006)


HOSTILE = "a\x1b[31m\rb\x00\x9b2J\u2028\u202ec\nd"


def hostile(name: str = "x") -> pl.DataFrame:
    return pl.DataFrame({name: [HOSTILE, HOSTILE, "b", "c\x1b]0;title\x07", None], "w": [1, 2, 3, 4, 5]})


def sampler_of(label: str = HOSTILE) -> str:
    return f"max_weight(x = '{label}': 3, True: 1)"


@pytest.mark.fault("E15")
@pytest.mark.parametrize("name", ["x", "x\x1b[31m\r\n"])
def test_data_send_nothing_to_the_terminal_from_a_balance(name: str) -> None:
    frame = hostile(name)
    lists = frame.with_columns(pl.concat_list(name))
    for one, balance in (
        (frame, frame.tql.balance(name)),
        (frame, frame.tql.balance(name, {HOSTILE: 0.9, "b": 0.4})),
        (lists, lists.tql.balance(name, {HOSTILE: 0.9}, max_weight=1.1)),
    ):
        assert not CONTROL.search(str(balance)) and not CONTROL.search(repr(balance))
        assert not any(line.startswith("d") for line in str(balance).split("\n"))  # no label makes a line of its own
        assert one.tql.weights(balance.sampler).len() == 5  # the sampler itself is as it was


@pytest.mark.fault("E15")
def test_data_send_nothing_to_the_terminal_from_views_and_explanations() -> None:
    frame = hostile()
    statement = f"select * where x = '{HOSTILE}'"
    texts = [
        repr(frame.tql.view(sampler_of(), 3, seed=1)),
        repr(frame.tql.view(statement, seed=1)),
        repr(frame.lazy().tql.view(sampler_of(), 3, seed=1)),
        str(frame.tql.explain(sampler_of())),
        repr(frame.tql.explain(sampler_of())),
        str(frame.tql.explain(statement)),
        str(frame.tql.explain(pl.col("w") * (pl.col("x") == "a\x1b[31m"))),
        str(frame.tql.report(sampler_of(), by="x")),
    ]
    for text in texts:
        assert not CONTROL.search(text), text


@pytest.mark.fault("G")
@pytest.mark.parametrize(
    ("form", "cell", "text"),
    [
        ("+.1%", -0.0001, "0.0%"),
        ("+.1%", 0.0001, "0.0%"),
        ("+.1%", 0.0, "0.0%"),
        ("+.1%", -0.0, "0.0%"),
        ("+.1%", 0.0012, "+0.1%"),
        ("+.1%", -0.0012, "-0.1%"),
        (".2%", -0.0, "0.00%"),
        (",.1f", -0.01, "0.0"),
        ("+.1%", -1.0, "-100.0%"),
    ],
)
def test_what_is_rounded_to_nothing_has_no_sign(form: str, cell: float, text: str) -> None:
    assert TableColumn("off", form).text(cell) == text


@pytest.mark.fault("G")
def test_a_printed_balance_has_no_signed_zero() -> None:
    text = str(XRAYS.tql.balance("findings", {"Hernia": 0.02, "Mass": 0.1}, keep=["No_Finding"]))
    assert not re.search(r"[+-]0\.0%", text)


@pytest.mark.fault("G")
def test_balance_draws_its_targets() -> None:
    pytest.importorskip("altair")
    balance = XRAYS.with_columns(findings=pl.when(pl.col("age") > 20).then("findings")).tql.balance(
        "findings", {"Hernia": 0.02, "age > 60": 0.5}, keep=[None]
    )
    chart = balance.plot().to_dict()
    rows = {row["label"]: row for row in chart["data"]["values"]}
    assert rows["Hernia"]["target"] == pytest.approx(0.02 * 3000)
    assert rows["no label"]["target"] == rows["no label"]["raw"] > 0
    assert rows["Mass"]["target"] is None
    assert (
        "target" not in XRAYS.tql.report("age", by="findings").plot().to_dict()["encoding"]["color"]["scale"]["domain"]
    )


@pytest.mark.fault("G")
@pytest.mark.parametrize(
    "values",
    [
        pl.Series([30, 4, 4, 4, 100, 100]),
        pl.Series([30.5, 4.0, 4.0, 4.0, float("nan"), 100.0]),
        pl.Series([30, 4, 4, None, 100, 100]),
        pl.Series([dt.date(2024, 5, day) for day in (9, 3, 3, 20, 20, 20)]),
        pl.Series([[30, 4], [4], [100]] * 2),
    ],
)
def test_labels_that_are_numbers_or_dates_are_drawn_in_their_order(values: pl.Series) -> None:
    pytest.importorskip("altair")
    chart = pl.DataFrame({"x": values}).tql.report(by="x").plot().to_dict()
    single = values.explode() if values.dtype == pl.List else values
    known = [str(value) for value in single.drop_nulls().unique().sort().to_list()]
    shown = [row["label"].replace("NaN", "nan") for row in chart["data"]["values"]]
    assert shown == known + ["no label"] * (single.null_count() > 0)
    text = pl.DataFrame({"x": ["a", "b", "b"]}).tql.report(by="x").plot().to_dict()
    assert [row["label"] for row in text["data"]["values"]] == ["b", "a"]


@pytest.mark.fault("A-foreign")
@pytest.mark.parametrize("values", [[float("nan")] * 3, [[float("nan")]] * 3, [float("nan"), None, 1.0]])
def test_a_label_that_is_not_a_number_is_a_label(values: list[Any]) -> None:
    frame = pl.DataFrame({"f": values})
    table = frame.tql.report(by="f").labels
    assert table.filter(pl.col("label").is_nan())["rows"].to_list() == [
        sum(str(v).strip("[]") == "nan" for v in values)
    ]
    assert frame.tql.balance("f").labels["rows"].sum() == 3


@pytest.mark.fault("A-foreign")
@pytest.mark.parametrize(
    "sampler", ["1e308", "max_weight(True: 1e308)", "max_weight(w > 1: 1e308, True: 1)", "w * 5e306", pl.lit(1e308)]
)
@pytest.mark.parametrize("replace", [True, False])
def test_a_sum_beyond_all_numbers_is_one_error_and_no_warning(sampler: Any, replace: bool) -> None:
    frame = pl.DataFrame({"f": ["a"] * 30, "w": range(30)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for by in ("f", None):
            with pytest.raises(TQLError, match="the sum of the weights is beyond the range of numbers"):
                frame.tql.report(by=by, sampler=sampler, replace=replace)
