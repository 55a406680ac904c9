"""Batches on their way out of a worker, in the form in which they travel fastest.

What a batch is made of is in `rows`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch.utils.data import get_worker_info

Batch = TypeVar("Batch", dict[str, Any], list[Any])

SMALL = 65_536
"""Bytes of a tensor up to which a pipe is faster than shared memory."""

_KNOWN = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
_KNOWN |= {torch.float16, torch.float32, torch.float64}  # to NumPy


def sendable(batch: Batch) -> Batch:
    """Return a batch that arrives as it is, and sooner.

    PyTorch gives each tensor shared memory of its own when a worker sends it. To make that and to hand it over takes
    longer than all else that is done for a batch of some hundred rows, so small tensors go through the pipe as arrays.

    Args:
        batch: a dict or list, some of whose values are tensors.

    Returns:
        In a worker, a dict or list of the same values that is pickled in that way; elsewhere the batch.
    """
    if get_worker_info() is None:
        return batch
    return _Dict(batch) if isinstance(batch, dict) else _List(batch)


class _Dict(dict[str, Any]):
    def __reduce__(self) -> tuple[object, ...]:
        return dict, ({name: _packed(value) for name, value in self.items()},)


class _List(list[Any]):
    def __reduce__(self) -> tuple[object, ...]:
        return list, ([_packed(value) for value in self],)


class _Array:
    """A tensor that is pickled as an array."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor

    def __reduce__(self) -> tuple[object, ...]:
        return torch.from_numpy, (self._tensor.numpy(),)


def _packed(value: Any) -> Any:
    """Return a value, or what is pickled instead."""
    if type(value) is not torch.Tensor or value.nbytes > SMALL:
        return value
    plain = value.device.type == "cpu" and value.layout is torch.strided and not value.requires_grad
    return _Array(value) if plain and value.dtype in _KNOWN else value
