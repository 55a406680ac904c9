"""imbalanced-learn: RandomOverSampler, which keeps every row and repeats rows of the lesser classes.

It takes no weights, only how many rows of each class are to come out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from imblearn.over_sampling import RandomOverSampler  # type: ignore[import-untyped]

from benchmarks import tables
from benchmarks.jobs import Contestant, Job
from benchmarks.tables import Integers


def random_over_sampler(job: Job) -> Contestant:
    """`RandomOverSampler(sampling_strategy=…).fit_resample(positions, label)`, then `frame.take`, on half the rows.

    It resamples the positions instead of the frame: given the frame, it would resample the label twice, in it and
    beside it, and check every column. It never gives fewer rows than it gets. To make as many rows come out as everyone
    draws, it gets the first half of the table, and the lesser classes are raised, to equal numbers, until the other
    half has been added.
    """
    frame = pd.DataFrame(tables.columns(job)).head(job.draws // 2)
    label = frame["label"].to_numpy()
    wanted = raised(np.bincount(label, minlength=len(tables.WEIGHTS)), job.draws)
    strategy = {int(kind): int(count) for kind, count in enumerate(wanted) if count}

    places = np.arange(len(frame)).reshape(-1, 1)

    def fault(result: pd.DataFrame) -> str | None:
        if len(result) != job.draws:
            return f"{len(result):,} rows instead of {job.draws:,}"
        if (result["label"].to_numpy() != frame["label"].to_numpy()[result["row"]]).any():
            return "rows of other labels"
        counts = np.bincount(result["label"], minlength=len(wanted))
        return None if (counts == wanted).all() else f"{counts.tolist()} rows of the labels, not {wanted.tolist()}"

    def run(seed: int) -> pd.DataFrame:
        sampler = RandomOverSampler(sampling_strategy=strategy, random_state=seed)
        sampler.fit_resample(places, label)
        return frame.take(sampler.sample_indices_)

    return Contestant(run, fault, (frame, places))


def raised(counts: Integers, total: int) -> Integers:
    """Raise the least counts to a common level, so that the sum is `total`; shape of `counts`.

    Example:
        >>> raised(np.array([9, 2, 1]), 16).tolist()
        [9, 4, 3]
    """
    ascending = np.sort(counts)
    sizes = np.arange(1, len(counts) + 1)
    # Level at which the least 1, 2, … counts meet when the others stay as they are.
    levels = (total - (counts.sum() - np.cumsum(ascending))) / sizes
    lesser = int(np.flatnonzero(levels >= ascending)[-1]) + 1
    found = np.maximum(counts, int(levels[lesser - 1]))
    found[np.argsort(counts, kind="stable")[: total - found.sum()]] += 1  # what is left after rounding down
    return found
