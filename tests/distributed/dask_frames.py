"""Frames and clusters for the tests on Dask; a module that imports this is skipped where there is no Dask."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

dask = pytest.importorskip("dask", reason="Dask is not installed")
distributed = pytest.importorskip("distributed", reason="Dask's distributed is not installed")
dd = pytest.importorskip("dask.dataframe", reason="Dask's DataFrame is not installed")

import tql_frames  # noqa: E402 - after what may not be there
import tql_frames.dask  # noqa: E402

STRATA = "max_weight(view = 'PA' and age > 60: 20, contains(note, 'AP'): 7, True: 1)"
REPLACE = pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])


def people() -> pd.DataFrame:
    """Rows with labels that repeat, missing values, and text."""
    rng = np.random.default_rng(1)
    frame = tql_frames.datasets.chest_xray().head(6_000).drop("findings").to_pandas()
    frame["dose"] = rng.random(len(frame))
    frame["part"] = np.where(rng.random(len(frame)) < 0.1, np.nan, rng.integers(0, 3, len(frame)))
    frame["note"] = frame["view"].astype(str) + frame["sex"].astype(str)
    frame.index = pd.Index(rng.integers(0, 3_000, len(frame)), name="patient")
    return frame


PEOPLE = people()


def cut(number: int, frame: pd.DataFrame = PEOPLE) -> dd.DataFrame:
    """A frame in so many partitions, of which one is empty if they are more than two."""
    bounds = np.sort(np.random.default_rng(number).integers(0, len(frame), number - 1)).tolist()
    if number > 2:
        bounds[1] = bounds[0]
    edges = [0, *bounds, len(frame)]
    parts = [dask.delayed(frame.iloc[first:stop]) for first, stop in pairwise(edges)]
    return dd.from_delayed(parts, meta=frame.iloc[:0])


@contextmanager
def cluster_of(workers: int):
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": None, "memory_limit": 0}
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "60s", "distributed.scheduler.allowed-failures": 5}),
        distributed.LocalCluster(n_workers=workers, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
