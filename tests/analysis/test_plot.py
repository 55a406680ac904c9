"""Charts of labels: what they show, and that they show it without a network, in any notebook."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from tql_frames.analysis.display import plot
from tql_frames.analysis.display.plot import COLOURS, bar_chart
from tql_frames.errors import TQLError

if any(importlib.util.find_spec(name) is None for name in ("altair", "vl_convert")):
    pytest.skip("charts need the extra [plot]", allow_module_level=True)
import altair as alt

VIEWS = pl.DataFrame(
    {
        "label": ["PA", "AP", None, "LL"],
        "rows": [60_000, 900, 3, 0],
        "expected": [40_000.0, 20_000.5, 0.25, 0.0],
        "drawn": [40_123, 19_876, 0, 0],
    },
    schema_overrides={"rows": pl.UInt32, "drawn": pl.UInt32},
)


def many(labels: int) -> pl.DataFrame:
    numbers = range(labels, 0, -1)
    return pl.DataFrame({"label": [f"label {number}" for number in numbers], "rows": [*numbers]})


def chart_of(table: pl.DataFrame = VIEWS, *, log: bool = False) -> Any:
    return bar_chart(table, title="Rows by view", label_title="view", log=log)


def svg_of(chart: Any) -> str:
    svg: str = chart._repr_mimebundle_()["image/svg+xml"]
    return svg


def bars_of(chart: Any) -> list[tuple[str, str, float, float]]:
    """Label, series, count and length of each bar as it was drawn, from the top."""
    bars = []
    for path in ElementTree.fromstring(svg_of(chart)).iter("{http://www.w3.org/2000/svg}path"):
        if path.get("aria-roledescription") == "bar":
            count, label, series = re.findall(
                r"^count: (.*?); label: (.*?); series: (\w+)", path.get("aria-label", "")
            )[0]
            top, length = re.findall(r"^M0,([\d.]+)h([\d.]+)", path.get("d", ""))[0]
            bars.append((float(top), label, series, float(count.replace(",", "")), float(length)))
    return [bar[1:] for bar in sorted(bars)]


@pytest.mark.parametrize("log", [False, True])
def test_every_count_of_the_table_is_a_bar_in_the_order_of_the_table(log: bool) -> None:
    asked = [
        (label or "null", series, float(count))
        for label, *counts in VIEWS.iter_rows()
        for series, count in zip(COLOURS, counts, strict=True)
    ]
    assert [bar[:3] for bar in bars_of(chart_of(log=log))] == asked


def test_bars_are_as_long_as_their_counts() -> None:
    for _, _, count, length in bars_of(chart_of()):
        assert length == pytest.approx(480 * count / 60_000, abs=1e-3)


def test_on_a_logarithmic_axis_no_rows_are_no_bar_and_tenfold_is_a_step() -> None:
    bars = {(label, series): length for label, series, _, length in bars_of(chart_of(log=True))}
    assert bars["LL", "raw"] == bars["null", "drawn"] == 0
    assert 0 < bars["null", "expected"] < bars["null", "raw"] < bars["AP", "raw"] < bars["PA", "raw"] < 480
    axis = chart_of(log=True).to_dict()["encoding"]["x"]["axis"]
    assert axis["values"] == [0, 1, 10, 100, 1_000, 10_000, 100_000]
    assert "log" in axis["title"]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("table", [VIEWS.clear(), VIEWS.with_columns(rows=0, expected=0.0, drawn=0)])
def test_nothing_to_count_is_an_empty_chart(table: pl.DataFrame, log: bool) -> None:
    assert all(length == 0 for *_, length in bars_of(chart_of(table, log=log)))


def test_columns_that_are_not_there_are_not_shown() -> None:
    assert [bar[:2] for bar in bars_of(chart_of(VIEWS.select("label", "rows").head(2)))] == [
        ("PA", "raw"),
        ("AP", "raw"),
    ]
    encoding = chart_of(VIEWS.drop("expected")).to_dict()["encoding"]
    assert encoding["color"]["scale"]["domain"] == ["raw", "drawn"]
    assert [each["field"] for each in encoding["tooltip"]] == ["label", "raw", "drawn"]


def test_a_share_that_is_not_a_number_is_no_bar() -> None:
    chart = chart_of(VIEWS.with_columns(expected=float("nan")))
    assert {series for _, series, _, length in bars_of(chart) if length} == {"raw", "drawn"}
    json.dumps(chart.to_dict(), allow_nan=False)


def test_a_null_is_not_taken_for_the_text_null() -> None:
    table = pl.DataFrame({"label": ["null", "(null)", None], "rows": [3, 2, 1]})
    assert [bar[0] for bar in bars_of(chart_of(table))] == ["null", "(null)", "((null))"]


def test_a_long_label_is_cut_and_whole_in_the_tooltip() -> None:
    label = "a very long name " * 20
    svg = svg_of(chart_of(pl.DataFrame({"label": [label], "rows": [2]})))
    assert f"view: {label}" in svg
    assert label not in re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert float(re.findall(r'<svg[^>]* width="([\d.]+)"', svg)[0]) < 800


def test_labels_are_text_whatever_is_in_them() -> None:
    labels = ["<b>&\"quoted\" 'it'</b>", "a.b[c]", "\\", "datum", "", " 肺炎 🫁"]
    chart = chart_of(pl.DataFrame({"label": labels, "rows": [6, 5, 4, 3, 2, 1]}))
    assert len(bars_of(chart)) == 6
    assert "<b>" not in svg_of(chart)
    assert [row["label"] for row in chart.to_dict()["data"]["values"]] == labels


def test_forty_labels_each_have_their_place() -> None:
    chart = chart_of(many(40))
    svg = svg_of(chart)
    assert [bar[0] for bar in bars_of(chart)] == many(40)["label"].to_list()
    assert set(many(40)["label"]) <= set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    assert float(re.findall(r'<svg[^>]* height="([\d.]+)"', svg)[0]) > 40 * 14  # pixels; a label is 11 high


@pytest.mark.fault("G")
def test_of_many_labels_without_counts_to_compare_the_commonest_are_shown_and_it_says_so() -> None:
    chart = chart_of(many(20_000))
    assert [bar[0] for bar in bars_of(chart)] == [f"label {number}" for number in range(20_000, 19_960, -1)]
    subtitle = "the 40 commonest labels; 19,960 others are left out"
    assert chart.to_dict()["title"]["subtitle"] == subtitle
    assert subtitle in svg_of(chart)
    assert chart_of(many(40)).to_dict()["title"]["subtitle"] == ""


@pytest.mark.fault("G")
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("column", ["expected", "drawn", "target"])
def test_of_many_labels_those_are_shown_whose_bars_change_most(column: str, log: bool) -> None:
    """By rows on a plain axis, by the factor on a logarithmic one; in the order of the table."""
    rows = [1000 - place for place in range(100)]
    other = [row - (60 if place % 3 == 0 else 50 if log and place > 61 else 1) for place, row in enumerate(rows)]
    table = pl.DataFrame({"label": [f"l{place}" for place in range(100)], "rows": rows, column: other})
    change = [
        abs(math.log1p(new) - math.log1p(row)) if log else abs(new - row) for row, new in zip(rows, other, strict=True)
    ]
    first = sorted(sorted(range(100), key=lambda place: -change[place])[:40])
    chart = chart_of(table, log=log).to_dict()
    assert [row["label"] for row in chart["data"]["values"]] == [f"l{place}" for place in first]
    assert chart["title"]["subtitle"] == "the 40 labels that change most; 60 others are left out"


@pytest.mark.fault("G")
def test_targets_are_bars_of_a_colour_of_their_own() -> None:
    chart = chart_of(VIEWS.rename({"drawn": "target"}))
    scale = chart.to_dict()["encoding"]["color"]["scale"]
    assert scale["domain"] == ["raw", "target", "expected"]
    assert len(set(scale["range"])) == 3
    assert ("AP", "target", 19_876.0) in [bar[:3] for bar in bars_of(chart)]


@pytest.mark.fault("A-foreign")
@pytest.mark.parametrize("name", ["x\ny", "x\u2028y", "x\u2029y", "x\ry", "x\x1b[31my", 'x"\\y', "x\x00y", ""])
def test_a_column_of_any_name_is_drawn(name: str) -> None:
    chart = bar_chart(VIEWS, title=f"Rows by {name}", label_title=name)
    assert len(bars_of(chart)) == 12
    assert not re.search("[\x00-\x1f\x7f\u2028\u2029]", chart.to_dict()["title"]["text"])


@pytest.mark.fault("E15")
def test_control_characters_of_labels_are_not_drawn_and_join_no_labels() -> None:
    labels = ["a\x1b[31m", "a\r[31m", "a [31m", "b\nc", None]
    chart = chart_of(pl.DataFrame({"label": labels, "rows": [5, 4, 3, 2, 1]}))
    shown = [row["label"] for row in chart.to_dict()["data"]["values"]]
    assert shown == ["a [31m", "a [31m (2)", "a [31m (3)", "b c", "null"]
    assert len(bars_of(chart)) == 5


def test_a_notebook_has_all_it_needs_in_the_output() -> None:
    bundle = chart_of()._repr_mimebundle_()
    assert list(bundle) == ["application/vnd.vegalite.v5+json", "image/svg+xml"]  # no HTML, which would fetch scripts
    spec = bundle["application/vnd.vegalite.v5+json"]
    assert spec.pop("$schema").startswith("https://vega.github.io/schema/")  # a name, not fetched
    assert "http" not in json.dumps(spec)
    assert set(re.findall(r"http[^\"']*", bundle["image/svg+xml"])) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda chart: chart.properties(width=200),
        lambda chart: chart.interactive(),
        lambda chart: chart.encode(opacity=alt.value(0.5)),
        lambda chart: chart.configure_axis(grid=False),
        lambda chart: chart + alt.Chart().mark_rule().encode(x=alt.datum(5)),
        lambda chart: chart + chart + chart,
        lambda chart: chart | chart,
        lambda chart: (chart & chart).properties(title="both"),
        copy.deepcopy,
        lambda chart: pickle.loads(pickle.dumps(chart)),
    ],
)
def test_a_changed_chart_shows_itself_the_same_way(change: Any) -> None:
    changed = change(chart_of())
    assert isinstance(changed, alt.TopLevelMixin)
    bundle = changed._repr_mimebundle_()
    assert "image/svg+xml" in bundle and "text/html" not in bundle
    assert changed.to_dict()["config"]["background"] == "transparent"


def test_it_is_a_chart_of_altair() -> None:
    chart = chart_of()
    assert isinstance(chart, alt.Chart)
    assert repr(chart) == "alt.Chart(...)"
    layers = alt.layer(chart, alt.Chart().mark_rule().encode(x=alt.datum(5)))
    assert len(layers.to_dict()["layer"]) == 2
    assert alt.Chart.from_dict(chart.to_dict()).to_dict()["encoding"] == chart.to_dict()["encoding"]


def test_how_the_user_shows_charts_goes_first() -> None:
    with alt.renderers.enable("png"):
        data, _ = chart_of()._repr_mimebundle_()
    assert list(data) == ["image/png"]
    with alt.renderers.enable("html"):
        assert list(chart_of()._repr_mimebundle_()) == ["text/html"]
    assert alt.renderers.active == "default"


def test_a_ground_that_was_asked_for_stays() -> None:
    assert chart_of().properties(background="white").to_dict()["background"] == "white"
    assert chart_of().configure(background="#333").to_dict()["config"]["background"] == "#333"


def test_data_stay_in_the_chart_whatever_becomes_of_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with alt.data_transformers.enable("json"):
        assert len(chart_of().to_dict()["data"]["values"]) == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["png", "svg", "html", "json"])
def test_it_saves_as_any_chart(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"chart.{ending}"
    chart_of().save(path)
    begin = {"png": b"\x89PNG", "svg": b"<svg", "html": b"<!DOCTYPE html>", "json": b"{"}[ending]
    assert path.read_bytes().startswith(begin)


@pytest.mark.parametrize("ground", ["#ffffff", "#111111", "#1f1f1f"])  # the notebooks' light and dark
def test_text_and_bars_stand_out_from_light_and_dark(ground: str) -> None:
    def luminance(colour: str) -> float:  # of WCAG 2.2
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(colour: str) -> float:
        low, high = sorted((luminance(colour), luminance(ground)))
        return (high + 0.05) / (low + 0.05)

    assert contrast(plot._INK) > 3.9
    assert min(map(contrast, (*COLOURS.values(), plot.TARGET))) > 3.4
    assert set(re.findall(r'<text[^>]* fill="([^"]*)"', svg_of(chart_of()))) == {plot._INK}


def test_without_altair_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)  # as if it were not installed
    plot._altair.cache_clear()
    try:
        with pytest.raises(TQLError, match="Altair") as caught:
            chart_of()
    finally:
        plot._altair.cache_clear()
    assert caught.value.hint == "pip install 'tql-frames[plot]'"


def test_without_vl_convert_altair_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda name: None)
    assert list(chart_of()._repr_mimebundle_()) == ["text/html"]


def test_altair_is_loaded_for_the_first_chart() -> None:
    code = "import sys, tql_frames.analysis.display.plot; print('altair' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
