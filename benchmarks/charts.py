"""Pictures of what `scaling` measured: `python -m benchmarks.charts` draws them anew from its JSON.

It measures nothing.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import vl_convert

from benchmarks.rounds import ROOT

FILE = "scaling.json"
Record = dict[str, Any]

# Okabe & Ito, "Color Universal Design" (2008): told apart by the colour-blind, and by their shapes in grey. A line
# looks the same in every picture; ours are the blues, thick.
_LOOKS = {
    "tql-frames": ("#0072B2", "circle"),
    "tql-frames on Polars": ("#0072B2", "circle"),
    "tql-frames on pandas": ("#56B4E9", "square"),
    "Polars, uniform": ("#009E73", "triangle-up"),
    "Polars by key": ("#009E73", "triangle-up"),
    "pandas, weighted": ("#E69F00", "diamond"),
    "DuckDB by key": ("#CC79A7", "triangle-down"),
    "Deep Lake": ("#000000", "cross"),
    "NumPy": ("#D55E00", "diamond"),
    "PyTorch": ("#CC79A7", "triangle-down"),
    "5 weights": ("#0072B2", "circle"),
    "continuous weights": ("#56B4E9", "square"),
    "allowed": ("#666666", "cross"),
}
_TITLES = {
    "time_whole_call": "Time of the whole call, frame to frame",
    "time_draw_alone": "Time of the draw alone, weights to row positions",
    "time_by_draws": "Time by the number of draws, tql-frames on Polars",
    "memory": "Peak memory beyond the frame and the result",
}
_WIDTH, _HEIGHT, _FONT = 560, 260, 14  # pixels of a panel and of its text; with its names a picture is 800 wide
_LETTER, _LINE = 0.55 * _FONT, 1.2 * _FONT  # pixels that a letter of a name takes, and that names are apart
_BESIDE = 9  # pixels from a point to its name
# 100m and s to 100 ms
_WITH_UNIT = "replace(format(datum.value, '~s'), regexp('([a-zµ]?)$', 'i'), ' $1')"


@dataclass(frozen=True)
class _Axes:
    """What the panels of a figure have in common.

    Attributes:
        x: first and last number across, `across` what they are.
        y: first and last power of ten up, in the unit `unit`.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    across: str
    unit: str


def write(folder: Path) -> list[Path]:
    """Draw every figure of a folder's JSON into it, as SVG and PNG; returns the files."""
    records: list[Record] = json.loads((folder / FILE).read_text(encoding="utf-8"))["records"]
    written = []
    for name in dict.fromkeys(record["figure"] for record in records):
        spec = figure(name, [record for record in records if record["figure"] == name]).to_json()
        svg, png = folder / f"{name}.svg", folder / f"{name}.png"
        svg.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
        png.write_bytes(vl_convert.vegalite_to_png(spec, scale=2))
        written += [svg, png]
    return written


def figure(name: str, records: Sequence[Record]) -> alt.VConcatChart:
    """The panels of a figure one below the other, with the same axes."""
    across, up, unit, least = "rows", "median", "s", 1e-6
    if name == "time_by_draws":
        across = "draws"
    if name == "memory":
        up, unit, least = "bytes", "B", 1e4
    points = [
        {
            "panel": each["panel"],
            "line": each["line"],
            "x": each[across],
            "y": max(each[up], least),
            "ours": across == "draws" or each["line"].startswith("tql-frames"),
        }
        for each in records
    ]
    if name == "memory":
        points += _allowed(records)
    heights = [math.log10(point["y"]) for point in points]
    low, high = math.floor(min(heights)), math.ceil(max(heights))
    places = [point["x"] for point in points]
    axes = _Axes((min(places), max(places)), (10.0**low, 10.0 ** max(high, low + 1)), across, unit)
    titles = dict.fromkeys(point["panel"] for point in points)
    chart = alt.vconcat(*[_panel(title, [each for each in points if each["panel"] == title], axes) for title in titles])
    title = alt.Title(_TITLES[name], fontSize=_FONT + 3, anchor="start", offset=10)
    chart = chart.properties(title=title).configure(background="white", font="Helvetica, Arial, sans-serif")
    chart = chart.configure_view(stroke=None).configure_concat(spacing=24)
    found: alt.VConcatChart = chart.configure_axis(
        labelFontSize=_FONT, titleFontSize=_FONT, titleFontWeight="normal", gridColor="#e4e4e4"
    )
    return found


def _allowed(records: Sequence[Record]) -> list[Record]:
    found = {(each["panel"], each["rows"]): each["allowed"] for each in records}
    return [
        {"panel": panel, "line": "allowed", "x": rows, "y": size, "ours": False}
        for (panel, rows), size in sorted(found.items())
    ]


def _panel(title: str, points: list[Record], axes: _Axes) -> alt.LayerChart:
    colours = alt.Scale(domain=list(_LOOKS), range=[colour for colour, _ in _LOOKS.values()])
    shapes = alt.Scale(domain=list(_LOOKS), range=[shape for _, shape in _LOOKS.values()])
    up = alt.Axis(values=_powers(axes.y), labelExpr=f"{_WITH_UNIT} + '{axes.unit}'")
    across = alt.Axis(values=_powers(axes.x), labelExpr="format(datum.value, '~s')", labelFlush=False)
    encoding: dict[str, Any] = {
        "x": alt.X("x:Q", title=axes.across, axis=across, scale=alt.Scale(type="log", domain=list(axes.x))),
        "y": alt.Y("y:Q", title=None, axis=up, scale=alt.Scale(type="log", domain=list(axes.y))),
    }

    def layer(chosen: list[Record]) -> alt.Chart:
        return alt.Chart({"values": chosen}).encode(**encoding, color=alt.Color("line:N", legend=None, scale=colours))

    measured = layer([point for point in points if point["line"] != "allowed"])
    allowed = layer([point for point in points if point["line"] == "allowed"])
    dark = alt.Color("line:N", legend=None, scale=alt.Scale(domain=list(_LOOKS), range=list(map(_darker, _LOOKS))))
    names = _names(points, axes)
    before = layer([name for name in names if name["before"]]).encode(text="line:N", color=dark)
    after = layer([name for name in names if not name["before"]]).encode(text="line:N", color=dark)
    layers = alt.layer(
        allowed.mark_line(strokeDash=[5, 4], strokeWidth=1.5),
        measured.mark_line().encode(strokeWidth=alt.condition("datum.ours", alt.value(3.5), alt.value(1.8))),
        measured.mark_point(filled=True, opacity=1, size=60).encode(
            shape=alt.Shape("line:N", legend=None, scale=shapes)
        ),
        before.mark_text(align="right", baseline="middle", dx=-_BESIDE, fontSize=_FONT),
        after.mark_text(align="left", baseline="middle", dx=_BESIDE, fontSize=_FONT),
    ).resolve_scale(color="independent")
    heading = alt.Title(title, fontSize=_FONT, fontWeight="normal", anchor="start")
    found: alt.LayerChart = layers.properties(width=_WIDTH, height=_HEIGHT, title=heading)
    return found


def _names(points: Sequence[Record], axes: _Axes) -> list[Record]:
    """The places of names: after the last point of a line, or before it where fewer lines run through the name.

    Names that would cover each other are moved up.
    """
    decade = _WIDTH / math.log10(axes.x[1] / axes.x[0]), _HEIGHT / math.log10(axes.y[1] / axes.y[0])  # in pixels
    lines: dict[str, list[Record]] = {}
    for point in sorted(points, key=lambda point: float(point["x"])):
        lines.setdefault(point["line"], []).append(point)
    drawn = {
        line: [[math.log10(point[each]) * size for point in own] for each, size in zip("xy", decade, strict=True)]
        for line, own in lines.items()
    }
    placed: list[tuple[float, float, float, Record]] = []  # left, right and height in pixels
    for line, own in sorted(lines.items(), key=lambda each: float(each[1][-1]["y"])):
        across, height = (each[-1] for each in drawn[line])
        width = _LETTER * len(line)
        after, before = (across + _BESIDE, height), (across - _BESIDE - width, height + _LINE / 2)

        def crossing(place: tuple[float, float], line: str = line, width: float = width) -> int:
            left, height = place
            some = np.linspace(left, left + width, 9)
            return sum(
                bool((abs(np.interp(some, *each, left=np.inf, right=np.inf) - height) < _LINE / 2).any())
                for other, each in drawn.items()
                if other != line
            )

        left, height = min(after, before, key=crossing)  # after it, if both are as good
        for other_left, other_right, other_height, _ in sorted(placed, key=lambda each: each[2]):  # from below
            if left < other_right and other_left < left + width and height - other_height < _LINE:
                height = other_height + _LINE
        record = {**own[-1], "y": 10 ** (height / decade[1]), "before": left < across}
        placed.append((left, left + width, height, record))
    return [record for *_, record in placed]


def _darker(line: str) -> str:
    """The colour of a line, dark enough for text on white."""
    colour = _LOOKS[line][0]
    return "#" + "".join(f"{int(int(colour[start : start + 2], 16) * 0.7):02x}" for start in (1, 3, 5))


def _powers(domain: tuple[float, float]) -> list[float]:
    """Every power of ten in a domain."""
    first, last = math.ceil(math.log10(domain[0]) - 1e-9), math.floor(math.log10(domain[1]) + 1e-9)
    return [10.0**power for power in range(first, last + 1)]


def as_text(paths: Sequence[Path]) -> str:
    """Paths, one a line."""
    return "\n".join(str(path) for path in paths)


def main() -> None:
    """Draw the pictures of a folder, by default docs/images."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    print(as_text(write(folder)))


if __name__ == "__main__":
    main()
