"""Bars of labels, raw, wanted, expected and drawn, as an Altair chart that shows itself without a network.

What is counted is the caller's. Altair is optional and slow to import, so it is loaded for the first chart, and how a
chart shows itself is written without naming it: `_Shown` is put before whichever class of Altair needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl

from tql_frames.errors import TQLError
from tql_frames.language import on_one_line

# At least 3.4:1 against white, JupyterLab's dark #111111 and VS Code's #1f1f1f, and apart for red-, green- and
# blue-blind eyes: no two nearer than 30 in CIELAB, as Machado et al. (2009) simulate them.
COLOURS = {"raw": "#8a8a8a", "expected": "#d1720a", "drawn": "#3b6fd6"}
TARGET = "#b040e8"  # of what is wanted, which does not stand beside what was drawn
_PARTS = [COLOURS["drawn"], COLOURS["expected"], TARGET, COLOURS["raw"]]  # of a split
_FORMS = {"target": ",.1f", "expected": ",.1f"}  # of counts that need not be whole
LABELS = 40  # that a chart shows; of more those that change most

# Of text. A chart does not know its page, nor when that turns dark: this has 3.9:1 against each of the three grounds;
# no colour has 4.5:1 against all of them.
_INK = "#7c7c7c"
_TEXT = {"labelColor": _INK, "titleColor": _INK}
_AXIS = {"domain": False, "ticks": False, "labelPadding": 6, **_TEXT}
_WIDTH = 480  # pixels, of the longest bar
_LABEL_WIDTH = 240

# JupyterLab 4 and Notebook 7 have Vega-Lite 5 built in, and draw this with tooltips; others show the picture. Altair 6
# writes version 6, which is the same in all that these charts use.
_VEGA_LITE = "application/vnd.vegalite.v5+json"
_SVG = "image/svg+xml"


def bar_chart(table: pl.DataFrame, *, title: str, label_title: str, none: str = "null", log: bool = False) -> Any:
    """Return horizontal bars: how often each label is in a table, is wanted and expected in a
    sample, and was drawn.

    As the last line of a notebook's cell it is shown without a network, also after `properties()` and other changes,
    and as a part of `chart + other`, `chart | other` and `chart & other`. Where `altair.renderers.enable` chose how
    charts are shown, it is shown so.

    Args:
        table: a row a label, in the order to show: `label` and `rows`, and any of `target`, `expected` and `drawn`. Of
            more than 40 labels the chart shows the 40 whose bars differ most from their rows, or without other counts
            the commonest, and the subtitle says so.
        title: of the chart.
        label_title: what the labels are.
        none: what stands for null; it is put in parentheses beside a label of that text.
        log: tenfold steps of the axis are equally long. It is log(1 + rows), so that bars begin at 0, and no rows are
            no bar.

    Returns:
        An `altair.Chart`, to change, layer and save as any other.

    Raises:
        TQLError: Altair is not installed.

    Examples:
        >>> table = pl.DataFrame({"label": ["PA", "AP"], "rows": [3, 1], "expected": [2.5, 1.5], "drawn": [2, 2]})
        >>> chart = bar_chart(table, title="Rows by view", label_title="view")
        >>> chart.to_dict()["encoding"]["color"]["scale"]["domain"]
        ['raw', 'expected', 'drawn']
    """
    alt = _altair()
    counts = table.rename({"rows": "raw"})
    series = [name for name in ("raw", "target", "expected", "drawn") if name in counts.columns]
    counts, subtitle = _most_changed(counts.with_columns(pl.selectors.float().fill_nan(None)), series, log=log)
    counts = counts.with_columns(pl.Series("label", _names(counts["label"].to_list(), none), pl.String))
    title, label_title = on_one_line(title), on_one_line(label_title)
    colours = {**COLOURS, "target": TARGET}
    greatest = max((float(value) for name in series for value in counts[name].drop_nulls()), default=0.0)
    return (
        # Values, not a frame: whatever `altair.data_transformers` does to frames, these stay inside the chart.
        _shown("Chart")(alt.Data(values=counts.to_dicts()), description=title)
        .transform_fold(series, as_=["series", "count"])
        .mark_bar()
        .encode(
            x=_count_axis(alt, greatest, log),
            y=alt.Y("label:N", sort=None, axis=_label_axis(alt, label_title)),  # unsorted: in the order of the table
            yOffset=alt.YOffset("series:N", sort=series),
            color=alt.Color(
                "series:N",
                scale=alt.Scale(domain=series, range=[colours[name] for name in series]),
                legend=alt.Legend(title=None, orient="top", offset=8, labelFontSize=12, **_TEXT),
            ),
            tooltip=[
                alt.Tooltip("label:N", title=label_title),
                *(
                    alt.Tooltip(f"{name}:Q", format=",.1f" if name in ("target", "expected") else ",d")
                    for name in series
                ),
            ],
        )
        .properties(
            title=alt.TitleParams(
                title, subtitle=subtitle, anchor="start", frame="group", color=_INK, subtitleColor=_INK
            ),
            view=alt.ViewBackground(stroke=None),
            width=_WIDTH,
            height=alt.Step(_bar_height(counts.height, len(series))),
        )
    )


def part_chart(table: pl.DataFrame, wanted: Mapping[Any, float], *, title: str, label_title: str) -> Any:
    """Return horizontal bars of labels, cut into the shares of parts, and lines where the wanted shares would cut them.

    Args:
        table: rows by label, in the order to show, and by part: `label`, `part`, `rows`, the `wanted` rows, by how many
            they are `off`, and their `share` of the label's rows. Of more than 40 labels the chart shows those that are
            farthest off.
        wanted: shares by part, in the order of the parts.
        title: of the chart.
        label_title: what the labels are.

    Returns:
        An `altair.LayerChart`, shown as `bar_chart` says.

    Raises:
        TQLError: Altair is not installed.

    Examples:
        >>> columns = {"label": ["PA", "PA"], "part": ["train", "test"], "rows": [7, 3], "wanted": [8.0, 2.0]}
        >>> table = pl.DataFrame(columns | {"off": [-1.0, 1.0], "share": [0.7, 0.3]})
        >>> chart = part_chart(table, {"train": 0.8, "test": 0.2}, title="Shares by view", label_title="view")
        >>> chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]["domain"]
        ['train', 'test']
    """
    alt = _altair()
    names = [on_one_line(str(part)) for part in wanted]
    labels = table["label"].to_list()[:: len(names)]
    shown = dict(zip(range(len(labels)), _names(labels, "null"), strict=True))
    subtitle = ""
    if len(labels) > LABELS:
        off = table["off"].abs().to_numpy().reshape(-1, len(names)).max(axis=1)
        chosen = sorted(np.argsort(-off, kind="stable")[:LABELS].tolist())
        shown = {place: shown[place] for place in chosen}
        subtitle = f"the {LABELS} labels that are farthest off; {len(labels) - LABELS:,} others are left out"
    values = [
        {"label": label, "place": place, **row, "part": names[place]}
        for start, label in shown.items()
        for place, row in enumerate(table[start * len(names) :][: len(names)].drop("label", "part").to_dicts())
    ]
    title, label_title = on_one_line(title), on_one_line(label_title)
    own = len(names) <= len(_PARTS)
    colours = alt.Scale(domain=names, **({"range": _PARTS[: len(names)]} if own else {"scheme": "viridis"}))
    axis = alt.Axis(title="share of rows", orient="top", titleAnchor="start", format=".0%", grid=False, **_AXIS)
    legend = alt.Legend(title=None, orient="top", offset=8, labelFontSize=12, **_TEXT)
    bars = (
        _shown("Chart")(alt.Data(values=values), description=title)
        .mark_bar()
        .encode(
            x=alt.X("share:Q", stack="zero", axis=axis, scale=alt.Scale(domain=[0, 1], nice=False)),
            y=alt.Y("label:N", sort=None, axis=_label_axis(alt, label_title)),
            color=alt.Color("part:N", scale=colours, legend=legend),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("label:N", title=label_title or "label"),
                alt.Tooltip("part:N"),
                alt.Tooltip("rows:Q", format=",d"),
                alt.Tooltip("wanted:Q", format=",.1f"),
                alt.Tooltip("share:Q", format=".2%"),
            ],
        )
    )
    bounds = np.cumsum(list(wanted.values()))[:-1].tolist()
    rules = _shown("Chart")(alt.Data(values=[{"bound": bound} for bound in bounds]))
    lines = rules.mark_rule(color="white", strokeWidth=2, strokeDash=[4, 3]).encode(x=alt.X("bound:Q"))
    return (bars + lines).properties(
        title=alt.TitleParams(title, subtitle=subtitle, anchor="start", frame="group", color=_INK, subtitleColor=_INK),
        view=alt.ViewBackground(stroke=None),
        width=_WIDTH,
        height=alt.Step(_bar_height(len(shown), 1)),
    )


def _most_changed(counts: pl.DataFrame, series: Sequence[str], *, log: bool) -> tuple[pl.DataFrame, str]:
    """Return the labels to show, in their order, and what is said of the others.

    A change is as great as it looks on the axis: a number of rows, or a ratio on a logarithmic one.
    """
    if counts.height <= LABELS:
        return counts, ""
    place = {name: pl.col(name).cast(pl.Float64).fill_null(0.0) for name in series}
    place = {name: value.log1p() if log else value for name, value in place.items()}
    changes = [(place[name] - place["raw"]).abs() for name in series[1:]]
    size = counts.select(pl.max_horizontal(changes) if changes else place["raw"]).to_series()
    chosen = np.sort(np.argsort(-size.to_numpy(), kind="stable")[:LABELS])
    what = "labels that change most" if changes else "commonest labels"
    return counts[chosen], f"the {LABELS} {what}; {counts.height - LABELS:,} others are left out"


def _names(labels: Sequence[str | None], none: str) -> list[str]:
    """Return labels as they are written, each another text: for Vega, equal ones would be one label."""
    while none in labels:
        none = f"({none})"
    found: dict[str, None] = {}
    for label in labels:
        name = plain = none if label is None else on_one_line(label)
        number = 2
        while name in found:
            name, number = f"{plain} ({number})", number + 1
        found[name] = None
    return list(found)


def _label_axis(alt: Any, title: str) -> Any:
    # The title stands above the labels: in the middle of a long chart it would be out of sight.
    above = {"titleAngle": 0, "titleAlign": "right", "titleBaseline": "bottom", "titleX": -6, "titleY": -5}
    limits = {"labelLimit": _LABEL_WIDTH, "titleLimit": _LABEL_WIDTH, "labelOverlap": False}
    return alt.Axis(title=title, labelFontSize=11, **limits, **above, **_AXIS)


def _count_axis(alt: Any, greatest: float, log: bool) -> Any:
    above = {"orient": "top", "titleAnchor": "start", "gridColor": _INK, "gridOpacity": 0.3, "format": ",~f", **_AXIS}
    if log:
        ticks = _ticks(greatest)
        axis = alt.Axis(title="rows (log scale)", values=ticks, **above)
        # Not the scale "log", which has no place for 0, and none for bars to begin.
        scale = alt.Scale(type="symlog", constant=1, domain=[0, ticks[-1]], nice=False)
    else:
        axis = alt.Axis(title="rows", tickCount=6, tickMinStep=1, **above)
        scale = alt.Scale(domainMax=alt.Undefined if greatest else 1)  # from 0 to 0 all bars would begin in the middle
    return alt.X("count:Q", stack=None, axis=axis, scale=scale)


def _ticks(greatest: float) -> list[int]:
    """Return marks of a logarithmic axis that begins at 0; Vega would set them evenly.

    Examples:
        >>> _ticks(8.5), _ticks(60_412)
        ([0, 1, 2, 5, 10], [0, 1, 10, 100, 1000, 10000, 100000])
    """
    ticks = [0, 1]
    while ticks[-1] < greatest:
        ticks.append(10 * ticks[-1])
    return ticks if len(ticks) > 3 else [tick for tick in (0, 1, 2, 5, 10) if tick <= ticks[-1]]


def _bar_height(labels: int, series: int) -> float:
    """Return pixels of a bar. The more labels, the closer; still so far apart that each can be read."""
    return min(18.0, (28 if labels <= 20 else 21 if labels <= 60 else 16) / series)


@cache
def _altair() -> Any:
    try:
        return import_module("altair")
    except ModuleNotFoundError as fault:
        raise TQLError("charts need Altair, which is not installed", hint="pip install 'tql-frames[plot]'") from fault


@cache
def _shown(kind: str) -> Any:
    """Altair's class of this name with `_Shown` before it."""
    return type(kind, (_Shown, getattr(_altair(), kind)), {})


def _built(kind: str, parts: dict[str, Any]) -> Any:
    return _shown(kind)(**parts)


def _as_shown(chart: Any) -> Any:
    return chart if isinstance(chart, _Shown) else _built(type(chart).__name__, chart._kwds)


class _Shown:
    """How a chart shows itself in a notebook; all else is Altair's, whose class comes after this one."""

    _kwds: dict[str, Any]

    def to_dict(self, *args: Any, context: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """As Altair's, on a transparent ground unless chart or theme has another."""
        spec: dict[str, Any] = super().to_dict(*args, context=context, **options)  # type: ignore[misc]
        if (context or {}).get("top_level", True):  # a chart with a ground of its own could not become a layer
            spec.setdefault("config", {}).setdefault("background", "transparent")
        return spec

    def _repr_mimebundle_(self, *args: Any, **options: Any) -> Any:
        renderers = _altair().renderers
        if renderers.active != "default" or find_spec("vl_convert") is None:
            return super()._repr_mimebundle_(*args, **options)  # type: ignore[misc]
        with renderers.enable("svg"):
            bundle = super()._repr_mimebundle_(*args, **options)  # type: ignore[misc]
        if _SVG not in bundle:  # the chart has a fault, and Altair has shown it
            return bundle
        return {_VEGA_LITE: self.to_dict(), **bundle}

    def __add__(self, other: Any) -> Any:
        return _as_shown(super().__add__(other))  # type: ignore[misc]

    def __or__(self, other: Any) -> Any:
        return _as_shown(super().__or__(other))  # type: ignore[misc]

    def __and__(self, other: Any) -> Any:
        return _as_shown(super().__and__(other))  # type: ignore[misc]

    # Pickle finds a class by its name, and would not find one that was made here.
    def __reduce__(self) -> tuple[object, ...]:
        return _built, (type(self).__name__, self._kwds)
