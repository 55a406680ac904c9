"""PyTorch on the CPU: `torch.multinomial`, the sampler that a DataLoader takes, and an epoch of batches from one.

Ours, the draw alone, is in `ours`; with a DataLoader, in `ours_torch`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, TensorDataset, WeightedRandomSampler

from benchmarks import checks, tables
from benchmarks.jobs import Contestant, Job
from benchmarks.tables import Floats

BATCH = 256


def multinomial(job: Job) -> Contestant:
    """`torch.multinomial(weights, size, replacement=…)`: a tensor of positions."""
    weights = torch.from_numpy(tables.row_weights(job))

    def run(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.multinomial(weights, job.draws, job.replace, generator=generator)

    return Contestant(run, lambda found: checks.fault(tables.population(job), job, found.numpy()), (weights,))


def weighted_random_sampler(job: Job) -> Contestant:
    """`list(WeightedRandomSampler(weights, size))`: positions as a DataLoader gets them, a list of integers."""
    weights = torch.from_numpy(tables.row_weights(job))

    def run(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        sampler = WeightedRandomSampler(weights, job.draws, job.replace, generator)  # type: ignore[arg-type]
        return list(sampler)

    return Contestant(run, lambda found: checks.fault(tables.population(job), job, np.array(found)), (weights,))


def multinomial_of_fewer(job: Job) -> Contestant:
    """`torch.multinomial` on four fifths of the rows, and as many draws: it takes no more than 2**24 rows."""
    return multinomial(replace(job, rows=job.rows * 4 // 5, draws=job.draws * 4 // 5))


def loader(job: Job) -> Contestant:
    """A DataLoader over a `TensorDataset` of the columns with a `WeightedRandomSampler`, without workers."""
    return _loader(job, _columns(job), 0)


def loader_with_workers(job: Job) -> Contestant:
    """The same with two workers, which live through all rounds."""
    return _loader(job, _columns(job), 2)


def loader_changing(job: Job) -> Contestant:
    """A DataLoader over a `TensorDataset` of the columns, whose sampler gets another tensor of weights each epoch."""
    rows, generator = _columns(job), torch.Generator()
    weights = [torch.from_numpy(each) for each in changing_weights(job)]
    sampler = WeightedRandomSampler(weights[0], job.draws, job.replace, generator)  # type: ignore[arg-type]
    batches = DataLoader(rows, BATCH, sampler=sampler)

    def run(seed: int) -> list[torch.Tensor]:
        generator.manual_seed(seed)
        sampler.weights = weights[seed % len(weights)]
        return [batch[-1] for batch in batches]

    def fault(found: list[torch.Tensor]) -> str | None:
        return checks.fault(tables.population(job), job, torch.cat(found).numpy())

    return Contestant(run, fault, (rows, weights))


def changing_weights(job: Job) -> list[Floats]:
    """Arrays of weights, one after the other for the epochs: others each time, and the same probabilities."""
    weights = tables.row_weights(job)
    return [weights * factor for factor in (1.0, 2.0, 3.0)]


def loader_of_matrix(job: Job) -> Contestant:
    """The same over a `TensorDataset` of two tensors: label and value as a matrix of Float64, and the row number."""
    return _loader(job, _matrix(job), 0)


def loader_of_matrix_with_workers(job: Job) -> Contestant:
    """The same with two workers."""
    return _loader(job, _matrix(job), 2)


def loader_in_bulk(job: Job) -> Contestant:
    """A DataLoader that reads a batch by one index: `sampler=BatchSampler(…), batch_size=None` over the columns."""
    return _loader(job, _columns(job), 0, bulk=True)


def loader_in_bulk_with_workers(job: Job) -> Contestant:
    """The same with two workers, which live through all rounds."""
    return _loader(job, _columns(job), 2, bulk=True)


def loader_of_matrix_in_bulk(job: Job) -> Contestant:
    """A DataLoader that reads a batch by one index, over two tensors: a matrix of Float64, and the row number."""
    return _loader(job, _matrix(job), 0, bulk=True)


def loader_of_matrix_in_bulk_with_workers(job: Job) -> Contestant:
    """The same with two workers."""
    return _loader(job, _matrix(job), 2, bulk=True)


def loader_options(workers: int) -> dict[str, Any]:
    """Options of a DataLoader with so many workers, ours and PyTorch's."""
    return {"num_workers": workers, "persistent_workers": workers > 0}


def _columns(job: Job) -> TensorDataset:
    return TensorDataset(*(torch.from_numpy(column) for column in tables.columns(job).values()))


def _matrix(job: Job) -> TensorDataset:
    *features, row = (torch.from_numpy(column) for column in tables.columns(job).values())
    return TensorDataset(torch.stack([each.double() for each in features], 1), row)


def _loader(job: Job, rows: TensorDataset, workers: int, *, bulk: bool = False) -> Contestant:
    weights = torch.from_numpy(tables.row_weights(job))
    generator = torch.Generator()
    sampler = WeightedRandomSampler(weights, job.draws, job.replace, generator)  # type: ignore[arg-type]
    if bulk:  # TensorDataset takes a list of positions, and no batch has to be put together from rows
        draws = BatchSampler(sampler, BATCH, drop_last=False)
        batches = DataLoader(rows, batch_size=None, sampler=draws, **loader_options(workers))
    else:
        batches = DataLoader(rows, BATCH, sampler=sampler, **loader_options(workers))

    def run(seed: int) -> list[torch.Tensor]:
        generator.manual_seed(seed)
        return [batch[-1] for batch in batches]

    def fault(found: list[torch.Tensor]) -> str | None:
        return checks.fault(tables.population(job), job, torch.cat(found).numpy())

    return Contestant(run, fault, (rows, weights))
