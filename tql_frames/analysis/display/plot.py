"""Draw raw, wanted, expected and drawn counts of labels as an Altair chart that notebooks show without a network.

The caller counts. Altair is optional and slow to import, so it is loaded for the first chart. `_Shown` is therefore a
mixin that does not name Altair: it becomes the first base of the Altair class that a chart needs.
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

# Contrast of at least 3.4:1 against white, JupyterLab's dark #111111 and VS Code's #1f1f1f. Distinct for red-, green-
# and blue-blind readers: no two are nearer than 30 in CIELAB, as simulated by Machado et al. (2009).
COLOURS = {"raw": "#8a8a8a", "expected": "#d1720a", "drawn": "#3b6fd6"}
TARGET = "#b040e8"  # of wanted counts, which are never shown beside drawn counts
_PARTS = [COLOURS["drawn"], COLOURS["expected"], TARGET, COLOURS["raw"]]  # of a split
_FORMS = {"target": ",.1f", "expected": ",.1f"}  # of counts that need not be whole
LABELS = 40  # that a chart shows; if there are more, those that change most

# Of text. A chart does not know whether its page is dark: this has 3.9:1 against each of the three backgrounds; no
# colour has 4.5:1 against all of them.
_INK = "#7c7c7c"
_TEXT = {"labelColor": _INK, "titleColor": _INK}
_AXIS = {"domain": False, "ticks": False, "labelPadding": 6, **_TEXT}
_WIDTH = 480  # pixels, of the longest bar
_LABEL_WIDTH = 240

# JupyterLab 4 and Notebook 7 have Vega-Lite 5 built in, and draw this with tooltips; others show the picture. Altair 6
# writes version 6, which is the same for every feature that these charts use.
_VEGA_LITE = "application/vnd.vegalite.v5+json"
_SVG = "image/svg+xml"


def bar_chart(table: pl.DataFrame, *, title: str, label_title: str, none: str = "null", log: bool = False) -> Any:
    """Return horizontal bars of the counts of each label: in a table, wanted, expected and drawn in a sample.

    As the last line of a notebook's cell the chart is shown without a network, also after `properties()` and other
    changes, and as a part of `chart + other`, `chart | other` and `chart & other`. A renderer chosen with
    `altair.renderers.enable` is used.

    Args:
        table: one row per label, in the order to show: `label` and `rows`, and any of `target`, `expected` and `drawn`.
            If there are more than 40 labels, the chart shows the 40 whose bars differ most from their rows, or the most
            frequent ones if there are no other counts, and the subtitle reports it.
        title: title of the chart.
        label_title: title of the axis of labels.
        none: text for null; in parentheses if a label has the same text.
        log: use a logarithmic axis, of log(1 + rows), so that bars begin at 0 and 0 rows have no bar.

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
        # Values, not a frame: they stay inside the chart regardless of `altair.data_transformers`.
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
    """Return horizontal bars of labels, cut into the shares of parts, and lines at the wanted shares.

    Args:
        table: one row per label, in the order to show, and part: `label`, `part`, `rows`, the `wanted` rows, the
            difference `off`, and the `share` of the label's rows. If there are more than 40 labels, the chart shows
            those that are farthest off.
        wanted: shares by part, in the order of the parts.
        title: title of the chart.
        label_title: title of the axis of labels.

    Returns:
        An `altair.LayerChart`, shown like a chart of `bar_chart`.

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
    """Return the labels to show, in their order, and the subtitle that counts the others.

    Changes are measured on the axis: as a number of rows, or as a ratio if it is logarithmic.
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
    """Return labels as distinct texts: Vega would merge equal ones."""
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
    # The title is above the labels: in the middle of a long chart it would be out of sight.
    above = {"titleAngle": 0, "titleAlign": "right", "titleBaseline": "bottom", "titleX": -6, "titleY": -5}
    limits = {"labelLimit": _LABEL_WIDTH, "titleLimit": _LABEL_WIDTH, "labelOverlap": False}
    return alt.Axis(title=title, labelFontSize=11, **limits, **above, **_AXIS)


def _count_axis(alt: Any, greatest: float, log: bool) -> Any:
    above = {"orient": "top", "titleAnchor": "start", "gridColor": _INK, "gridOpacity": 0.3, "format": ",~f", **_AXIS}
    if log:
        ticks = _ticks(greatest)
        axis = alt.Axis(title="rows (log scale)", values=ticks, **above)
        # The scale "log" has no place for 0, where bars begin.
        scale = alt.Scale(type="symlog", constant=1, domain=[0, ticks[-1]], nice=False)
    else:
        axis = alt.Axis(title="rows", tickCount=6, tickMinStep=1, **above)
        scale = alt.Scale(domainMax=alt.Undefined if greatest else 1)  # in a domain of 0 to 0, bars begin in the middle
    return alt.X("count:Q", stack=None, axis=axis, scale=scale)


def _ticks(greatest: float) -> list[int]:
    """Return the ticks of a logarithmic axis that begins at 0; Vega would space them evenly.

    Examples:
        >>> _ticks(8.5), _ticks(60_412)
        ([0, 1, 2, 5, 10], [0, 1, 10, 100, 1000, 10000, 100000])
    """
    ticks = [0, 1]
    while ticks[-1] < greatest:
        ticks.append(10 * ticks[-1])
    return ticks if len(ticks) > 3 else [tick for tick in (0, 1, 2, 5, 10) if tick <= ticks[-1]]


def _bar_height(labels: int, series: int) -> float:
    """Return the height of a bar in pixels: less for more labels, but always readable."""
    return min(18.0, (28 if labels <= 20 else 21 if labels <= 60 else 16) / series)


@cache
def _altair() -> Any:
    try:
        return import_module("altair")
    except ModuleNotFoundError as fault:
        raise TQLError("charts need Altair, which is not installed", hint="pip install 'tql-frames[plot]'") from fault


@cache
def _shown(kind: str) -> Any:
    """Return a subclass of `_Shown` and of Altair's class of this name."""
    return type(kind, (_Shown, getattr(_altair(), kind)), {})


def _built(kind: str, parts: dict[str, Any]) -> Any:
    return _shown(kind)(**parts)


def _as_shown(chart: Any) -> Any:
    return chart if isinstance(chart, _Shown) else _built(type(chart).__name__, chart._kwds)


class _Shown:
    """Mixin that displays a chart in a notebook; everything else is inherited from Altair's class."""

    _kwds: dict[str, Any]

    def to_dict(self, *args: Any, context: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """Return Altair's dictionary, with a transparent background unless chart or theme set one."""
        spec: dict[str, Any] = super().to_dict(*args, context=context, **options)  # type: ignore[misc]
        if (context or {}).get("top_level", True):  # a chart with its own background could not become a layer
            spec.setdefault("config", {}).setdefault("background", "transparent")
        return spec

    def _repr_mimebundle_(self, *args: Any, **options: Any) -> Any:
        renderers = _altair().renderers
        if renderers.active != "default" or find_spec("vl_convert") is None:
            return super()._repr_mimebundle_(*args, **options)  # type: ignore[misc]
        with renderers.enable("svg"):
            bundle = super()._repr_mimebundle_(*args, **options)  # type: ignore[misc]
        if _SVG not in bundle:  # the chart is invalid, and Altair has shown the error
            return bundle
        return {_VEGA_LITE: self.to_dict(), **bundle}

    def __add__(self, other: Any) -> Any:
        return _as_shown(super().__add__(other))  # type: ignore[misc]

    def __or__(self, other: Any) -> Any:
        return _as_shown(super().__or__(other))  # type: ignore[misc]

    def __and__(self, other: Any) -> Any:
        return _as_shown(super().__and__(other))  # type: ignore[misc]

    # Pickle looks a class up by its name, and would not find one that is created at run time.
    def __reduce__(self) -> tuple[object, ...]:
        return _built, (type(self).__name__, self._kwds)
