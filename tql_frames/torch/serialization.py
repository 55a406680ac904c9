"""Build batches from rows, and send them efficiently between processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, TypeVar, overload

import torch
from torch.utils.data import default_collate, get_worker_info
from torch.utils.data._utils.collate import default_collate_fn_map

from tql_frames.torch.columns import Values

Batch = TypeVar("Batch", dict[str, Any], list[Any])

SMALL = 65_536
"""Bytes of a tensor up to which a pipe is faster than shared memory."""

_KNOWN = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
_KNOWN |= {torch.float16, torch.float32, torch.float64}  # to NumPy


def sendable(batch: Batch) -> Batch:
    """Return a batch that is sent faster, and arrives unchanged.

    PyTorch allocates shared memory for each tensor that a worker sends. For a batch of a few hundred rows, this takes
    longer than all other work, so small tensors are sent through the pipe as arrays.

    Args:
        batch: a dict or list, some of whose values are tensors.

    Returns:
        In a worker, a dict or list of the same values that is pickled in this way; elsewhere the batch.
    """
    if get_worker_info() is None:
        return batch
    return _Dict(batch) if isinstance(batch, dict) else _ListColumn(batch)


class _Dict(dict[str, Any]):
    def __reduce__(self) -> tuple[object, ...]:
        return dict, ({name: _packed(value) for name, value in self.items()},)


class _ListColumn(list[Any]):
    def __reduce__(self) -> tuple[object, ...]:
        return list, ([_packed(value) for value in self],)


class _Array:
    """A tensor that is pickled as an array."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor

    def __reduce__(self) -> tuple[object, ...]:
        return torch.from_numpy, (self._tensor.numpy(),)


def _packed(value: Any) -> Any:
    """Return a value, or the object that is pickled instead."""
    if type(value) is not torch.Tensor or value.nbytes > SMALL:
        return value
    plain = value.device.type == "cpu" and value.layout is torch.strided and not value.requires_grad
    return _Array(value) if plain and value.dtype in _KNOWN else value


class Example(dict[str, Any]):
    """A row by column; a dict subclass that `default_collate` handles specially, so that lists in it stay lists."""


class Pair(tuple[Example, Any]):
    """Features and target of a row."""

    __slots__ = ()


class BatchRows(Sequence[Example | Pair]):
    """Several rows of a data set, taken at once.

    A `collate_fn` can use it as a sequence of items; `default_collate` uses the batch directly.

    Attributes:
        columns: values of each feature in the rows.
        target: values of the target, or None.
    """

    def __init__(self, columns: Mapping[str, Values], size: int, target: Values | None) -> None:
        """Store the values of each column, and of the target if there is one."""
        self.columns, self._size, self.target = columns, size, target

    def batch(self) -> dict[str, Any] | list[Any]:
        """Return the result of `default_collate` for the items: a dict, or a list of a dict and the target."""
        features = sendable(dict(self.columns))
        return features if self.target is None else sendable([features, self.target])

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> Example | Pair: ...
    @overload
    def __getitem__(self, place: slice) -> list[Example | Pair]: ...
    def __getitem__(self, place: int | slice) -> Example | Pair | list[Example | Pair]:
        if isinstance(place, slice):
            return [self[each] for each in range(self._size)[place]]
        features = Example({name: values[place] for name, values in self.columns.items()})
        return features if self.target is None else Pair((features, self.target[place]))

    def __iter__(self) -> Iterator[Example | Pair]:
        # All tensors of a column at once: indexing them one by one takes several times as long.
        columns = [_each(values) for values in self.columns.values()]
        targets = repeat(None) if self.target is None else _each(self.target)
        for values, target in zip(zip(*columns, strict=True) if columns else repeat(()), targets, strict=False):
            features = Example(zip(self.columns, values, strict=True))
            yield features if self.target is None else Pair((features, target))


def _each(values: Values) -> Iterable[Any]:
    return values.unbind() if isinstance(values, torch.Tensor) else values


def _collate_items(batch: Sequence[Any], *, collate_fn_map: object = None) -> dict[str, Any] | list[Any]:
    if isinstance(batch, BatchRows):
        return batch.batch()
    return sendable({name: _collate_values([item[name] for item in batch]) for name in batch[0]})


def _collate_pairs(batch: Sequence[Any], *, collate_fn_map: object = None) -> dict[str, Any] | list[Any]:
    if isinstance(batch, BatchRows):
        return batch.batch()
    features, targets = [item[0] for item in batch], [item[1] for item in batch]
    return sendable([default_collate(features), _collate_values(targets)])


def _collate_values(values: list[Any]) -> object:
    """Collate like `default_collate`, except for lists, structs and nulls, which it would transpose or reject."""
    first = values[0]
    if type(first) is torch.Tensor and first.nbytes * len(values) <= SMALL:
        return torch.stack(values)  # in a worker, PyTorch would put even small ones into shared memory
    kept = (list, dict, str, bytes, type(None))
    return values if any(isinstance(value, kept) for value in values) else default_collate(values)


# PyTorch's registration of custom types. Workers register them, too, since unpickling a data set imports this module.
default_collate_fn_map.update({Example: _collate_items, Pair: _collate_pairs})
