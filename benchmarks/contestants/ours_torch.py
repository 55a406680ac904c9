"""tql-frames with PyTorch: an epoch's draw, and an epoch of batches from a DataLoader.

The peers are in `torch`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from torch.utils.data import DataLoader

from benchmarks import checks, tables
from benchmarks.contestants.torch import BATCH, changing_weights, loader_options
from benchmarks.jobs import Contestant, Job
from tql_frames.torch import TQLDataset, TQLSampler


def epoch(job: Job) -> Contestant:
    """`TQLSampler.draw(epoch)`: the positions of an epoch; the rows were weighed when the sampler was made."""
    sampler = _sampler(pl.DataFrame(tables.columns(job)), job)
    return Contestant(sampler.draw, lambda found: checks.fault(tables.population(job), job, found), (sampler,))


def loader(job: Job) -> Contestant:
    """A DataLoader over all rows with a `TQLSampler`, without workers."""
    return _loader(job, 0)


def loader_with_workers(job: Job) -> Contestant:
    """The same with two workers, which live through all rounds."""
    return _loader(job, 2)


def view(job: Job) -> Contestant:
    """A DataLoader that shuffles a view, without workers."""
    return _view(job, 0)


def view_with_workers(job: Job) -> Contestant:
    """The same with two workers."""
    return _view(job, 2)


def loader_changing(job: Job) -> Contestant:
    """A DataLoader without workers, whose `TQLSampler` gets another array of weights before each epoch."""
    frame = pl.DataFrame(tables.columns(job))
    sampler = _sampler(frame, job)
    batches = DataLoader(TQLDataset(frame), BATCH, sampler=sampler)
    weights = changing_weights(job)

    def run(seed: int) -> list[Any]:
        sampler.set_epoch(seed)
        sampler.set_weights(weights[seed % len(weights)])
        return [batch["row"] for batch in batches]

    return Contestant(run, lambda found: _fault(job, found), (frame, batches, weights))


def loader_values(job: Job) -> Contestant:
    """A DataLoader without workers over a text and a list in each row, beside its number."""
    frame = pl.DataFrame(tables.values(job))
    sampler = TQLSampler(frame, tables.row_weights(job), limit=job.draws, replace=job.replace)
    batches = DataLoader(TQLDataset(frame), BATCH, sampler=sampler)

    def run(seed: int) -> list[Any]:
        sampler.set_epoch(seed)
        return [batch["row"] for batch in batches]

    return Contestant(run, lambda found: _fault(job, found), (frame, batches))


def _sampler(frame: pl.DataFrame, job: Job) -> TQLSampler:
    return TQLSampler(frame, tables.SAMPLERS[job.table], limit=job.draws, replace=job.replace)


def _loader(job: Job, workers: int) -> Contestant:
    frame = pl.DataFrame(tables.columns(job))
    sampler = _sampler(frame, job)
    batches = DataLoader(TQLDataset(frame), BATCH, sampler=sampler, **loader_options(workers))

    def run(seed: int) -> list[Any]:
        sampler.set_epoch(seed)
        return [batch["row"] for batch in batches]

    return Contestant(run, lambda found: _fault(job, found), (frame, batches))


def _view(job: Job, workers: int) -> Contestant:
    frame: Any = pl.DataFrame(tables.columns(job))
    rows = frame.tql.view(tables.SAMPLERS[job.table], limit=job.draws, replace=job.replace, seed=1).to_torch()
    batches = DataLoader(rows, BATCH, shuffle=True, **loader_options(workers))
    return Contestant(
        lambda seed: [batch["row"] for batch in batches], lambda found: _fault(job, found), (frame, batches)
    )


def _fault(job: Job, rows: list[Any]) -> str | None:
    return checks.fault(tables.population(job), job, np.concatenate([each.numpy() for each in rows]))
