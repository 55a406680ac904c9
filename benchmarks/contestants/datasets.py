"""Hugging Face Datasets: a map-style data set on Arrow, as a DataLoader reads it. Ours is in `ours_torch`."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from datasets import Dataset
from torch.utils.data import DataLoader, WeightedRandomSampler

from benchmarks import checks, tables
from benchmarks.contestants.torch import BATCH
from benchmarks.jobs import Contestant, Job


def loader_values(job: Job) -> Contestant:
    """A DataLoader without workers over a `Dataset` of a number, a text and a list a row; a batch is a list of rows."""
    rows = Dataset(pl.DataFrame(tables.values(job)).to_arrow())
    generator = torch.Generator()
    weights = torch.from_numpy(tables.row_weights(job))
    sampler = WeightedRandomSampler(weights, job.draws, job.replace, generator)  # type: ignore[arg-type]
    batches = DataLoader(rows, BATCH, sampler=sampler, collate_fn=list)  # type: ignore[arg-type]

    def run(seed: int) -> list[list[dict[str, Any]]]:
        generator.manual_seed(seed)
        return list(batches)

    def fault(found: list[list[dict[str, Any]]]) -> str | None:
        return checks.fault(tables.population(job), job, np.array([row["row"] for batch in found for row in batch]))

    return Contestant(run, fault, (rows, weights))
