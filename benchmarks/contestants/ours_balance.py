"""tql-frames: weights for equal shares of 1,000 labels, one a row and in lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

import tql_frames  # noqa: F401  # puts .tql on the frames
from benchmarks.jobs import Contestant, Job

LABELS = 1_000
_OFF = 0.01  # relative: what a share that has no reason to be off may be off by


def one_each(job: Job) -> Contestant:
    """`df.tql.balance(by)` of a column of one label a row, the commonest a thousand times as common as the rarest."""
    return _balanced(pl.DataFrame({"label": _names(job.rows, 1)[:, 0]}))


def lists(job: Job) -> Contestant:
    """The same of lists of one to three labels."""
    names = _names(job.rows, 3)
    sizes = 1 + np.arange(job.rows) % 3
    cells = [sorted(set(row[:size])) for row, size in zip(names.tolist(), sizes.tolist(), strict=True)]
    return _balanced(pl.DataFrame({"label": cells}))


def _balanced(frame: Any) -> Contestant:
    def fault(result: Any) -> str | None:
        labels = result.labels.filter(pl.col("reason").is_null())
        if result.labels.height != frame["label"].explode().n_unique():
            return "labels are missing"
        return "shares are off" if (labels["off"].abs() > _OFF).any() else None

    return Contestant(lambda _: frame.tql.balance("label"), fault, (frame,))


def _names(rows: int, width: int) -> Any:
    parts = 1 / np.arange(1, LABELS + 1)
    numbers = np.random.default_rng(1).choice(LABELS, (rows, width), p=parts / parts.sum())
    numbers[:LABELS, 0] = np.arange(LABELS)[:rows]  # each of them in some row
    return np.char.add("l", numbers.astype(str))
