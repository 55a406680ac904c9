"""PyTorch on the CPU: `torch.multinomial`, and the sampler that a DataLoader takes.

Ours, the draw alone, is in `ours`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import WeightedRandomSampler

from benchmarks import checks, tables
from benchmarks.jobs import Contestant, Job


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
