"""Demonstrate the main job: balance the chest X-ray table on Polars and on pandas, and show the result.

Run it with `python -m tql_frames.demo`.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import polars as pl

import tql_frames
from tql_frames.datasets import chest_xray

if TYPE_CHECKING:
    import pandas as pd

SAMPLER = """max_weight(
    contains(findings, 'Hernia'): 20,
    contains(findings, 'Pneumonia'): 8,
    contains(findings, 'Fibrosis'): 5,
    contains(findings, 'Edema'): 5,
    contains(findings, 'Emphysema'): 2,
    True: 1
)"""
SEED = 7
_BAR = 24  # characters of the longest bar


def histogram(frame: pl.DataFrame | pd.DataFrame) -> dict[str, int]:
    """Return the number of rows with each finding, the most frequent first."""
    if not isinstance(frame, pl.DataFrame):
        counts = frame["findings"].explode().value_counts()
        return {str(name): int(count) for name, count in counts.items()}
    counts_by_name = frame["findings"].explode().value_counts(sort=True)
    return dict(counts_by_name.iter_rows())


def expected_shares(frame: pl.DataFrame, weights: pl.Series) -> dict[str, float]:
    """Return the exact probability that a drawn row has each finding: the weight of its rows over the total weight."""
    total = weights.sum()
    exploded = frame.select("findings").with_columns(weight=weights).explode("findings")
    sums = exploded.group_by("findings").agg(pl.col("weight").sum() / total)
    return dict(sums.iter_rows())


def side_by_side(raw: dict[str, int], drawn: dict[str, int], expected: dict[str, float], rows: int, size: int) -> str:
    """Return two histograms as text bars, and the expected share of each finding beside the drawn one."""
    scale = _BAR / max(*raw.values(), *drawn.values())
    lines = [f"{'':18} {'raw':<{_BAR + 8}}{'balanced':<{_BAR + 8}}{'raw':>6}{'expected':>10}{'drawn':>8}"]
    for name, count in raw.items():
        bars = f"{_bar(count, scale)}{_bar(drawn.get(name, 0), scale)}"
        shares = f"{count / rows:6.2%}{expected[name]:10.2%}{drawn.get(name, 0) / size:8.2%}"
        lines.append(f"{name:18} {bars}{shares}")
    return "\n".join(lines)


def _bar(count: int, scale: float) -> str:
    whole, eighths = divmod(round(count * scale * 8), 8)
    return f"{'█' * whole}{' ▏▎▍▌▋▊▉'[eighths].strip()} {count:,}".ljust(_BAR + 8)


def main() -> None:
    """Balance the table on both libraries and print the result."""
    xrays = chest_xray()
    raw = histogram(xrays)
    expected = expected_shares(xrays, tql_frames.weights(xrays, SAMPLER))
    drawn: list[list[int]] = []
    print(f"tql-frames {tql_frames.__version__}: {xrays.height:,} chest X-rays, sampled by\n\n{SAMPLER}\n")
    for frame in (xrays, xrays.to_pandas()):
        start = time.perf_counter()
        balanced = frame.pipe(tql_frames.sample, SAMPLER, seed=SEED)
        seconds = time.perf_counter() - start
        library = "Polars" if isinstance(balanced, pl.DataFrame) else "pandas"
        print(f"{library}: {len(balanced):,} rows drawn with replacement in {seconds:.2f} s; images by finding\n")
        print(side_by_side(raw, histogram(balanced), expected, xrays.height, len(balanced)) + "\n")
        drawn.append(list(balanced["index"] if isinstance(balanced, pl.DataFrame) else balanced.index))
    print(f"Seed {SEED} drew the same rows, in the same order, from both: {drawn[0] == drawn[1]}")


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discards data that Python still buffers
        sys.exit(128 + 13)
