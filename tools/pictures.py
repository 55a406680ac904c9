"""Draw the pictures of `docs/designs.md`: `python -m tools.pictures`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import polars as pl

import tql_frames

_IMAGES = Path(__file__).parents[1] / "docs" / "images"
_ROWS, _SAMPLES = 10_000, 300
_NAMES = {"successive": "successive (default)", "systematic": "systematic, Poisson"}


def inclusion(share: float) -> Any:
    """Return a chart of the probability to be drawn against weight, when a share of the rows is drawn."""
    table: Any = pl.DataFrame({"weight": np.exp(np.random.default_rng(7).normal(size=_ROWS))})
    points = []
    for design, name in _NAMES.items():
        found = table.tql.sample("weight", fraction=share, replace=False, design=design, seed=7, expected="inclusion")
        points.append(found.head(400).select("weight", "inclusion", design=pl.lit(name)))
    chart = alt.Chart(pl.concat(points).sort("weight"), title=f"{share:.0%} of the rows", width=220, height=180)
    lines = chart.mark_line(strokeWidth=2).encode(
        alt.X("weight:Q").scale(type="log"),
        alt.Y("inclusion:Q").title("probability to be drawn").scale(domain=[0, 1]),
        alt.Color("design:N").title(None),
    )
    return lines


def variance() -> Any:
    """Return a chart of how far the drawn count of each finding is from what is expected, by design."""
    xrays: Any = tql_frames.datasets.chest_xray()
    sampler = "max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Edema'): 5, True: 1)"
    rows = []
    for design, replace in (
        ("independent", True),
        ("systematic", True),
        ("successive", False),
        ("systematic", False),
        ("poisson", False),
    ):
        name = f"{design}, {'with' if replace else 'without'} replacement"
        counts = [
            xrays.tql.sample(sampler, 5_000, design=design, replace=replace, seed=seed, order="source")["findings"]
            .explode()
            .value_counts()
            for seed in range(_SAMPLES)
        ]
        spread = pl.concat(counts).group_by("findings").agg(pl.col("count").std())
        rows.append(spread.select("findings", "count", design=pl.lit(name)))
    chart = alt.Chart(pl.concat(rows), title=f"spread of a finding's count in {_SAMPLES} samples of 5,000", width=620)
    bars = chart.mark_bar().encode(
        alt.X("findings:N").sort("-y").title(None),
        alt.Y("count:Q").title("standard deviation"),
        alt.XOffset("design:N"),
        alt.Color("design:N").title(None),
    )
    return bars


def main() -> None:
    """Write the pictures."""
    alt.hconcat(*map(inclusion, (0.01, 0.1, 0.5))).save(_IMAGES / "designs_inclusion.svg")
    variance().save(_IMAGES / "designs_variance.svg")


if __name__ == "__main__":
    main()
