"""Rows in the order of a view as an iterable data set: what processes and workers take of them, and how far they are.

What a row holds is known in `table`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info

from tql_frames.torch.column_spec import ColumnSpec, described
from tql_frames.torch.dataset import TQLDataset
from tql_frames.torch.epochs import processes
from tql_frames.torch.sources import origin_of
from tql_frames.torch.table import table_of

_ROWS = 1024  # that are read at a time


class TQLIterableDataset(IterableDataset[Any]):
    """Rows for a DataLoader, in their order, of a table that need not fit into memory.

    Of a LazyFrame the columns that are wanted are written to the temporary folder of the system (`TMPDIR`) when the
    data set is made, each row in use once; every process reads them there.

    Of several processes each takes every n-th row, and so does each worker of them: together they have each row once.
    The processes are those of `torch.distributed` where it is initialised.

    Args:
        frame: a Polars DataFrame or LazyFrame, a pandas DataFrame, or a `View` of one.
        columns: names of the columns that are features; by default all but the target.
        transform: called with each item; what it returns is the item instead.
        target: name of the column that is the target.
        encode: how columns of texts or lists become numbers; items and all else is as in `TQLDataset`.
        classes: labels of columns that are encoded, in the order of their codes, as there.

    Attributes:
        classes: labels in the order of their codes, by the names of the columns that are encoded: those of the whole
            frame, whatever rows a view has; sorted, or in the order of `classes=`, an Enum or a pandas Categorical.
        transform: called with each item, or None; it may be set.

    Raises:
        TQLError: a row has a null where a tensor has none; or a wrong argument.

    Example:
        >>> import polars as pl
        >>> dataset = TQLIterableDataset(pl.LazyFrame({"age": [71, 34]}))
        >>> list(dataset)
        [{'age': tensor(71)}, {'age': tensor(34)}]
    """

    classes: dict[str, list[Any]]

    def __init__(
        self,
        frame: object,
        columns: Sequence[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target: str | None = None,
        encode: Mapping[str, str] | None = None,
        *,
        classes: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """Read the columns; Polars is not asked again."""
        origin = origin_of(frame)
        self._wanted = ColumnSpec.of(origin.labels, columns, target, encode, classes)
        self._table = table_of(origin, self._wanted)
        self.transform = transform
        self._processes: tuple[int, int] | None = None
        self.classes = self._table.classes

    def __repr__(self) -> str:
        return f"TQLIterableDataset of {described(self._table.size, self._wanted, self.classes)}"

    # No length: each worker may end with a smaller batch, and a DataLoader would warn of more batches than it expected.

    def __iter__(self) -> Iterator[Any]:
        """Return the items of this process or worker."""
        number, rank = self._processes or processes()
        share, worker = range(self._table.size)[rank::number], get_worker_info()
        if worker is not None:
            share = share[worker.id :: worker.num_workers]
        return _Stream(self._table.rows, share, self.transform)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_processes": self._processes or processes()}  # a spawned worker is in no group


def data_set_of(
    frame: object,
    columns: Sequence[str] | None = None,
    transform: Callable[[Any], Any] | None = None,
    target: str | None = None,
    encode: Mapping[str, str] | None = None,
    *,
    classes: Mapping[str, Sequence[Any]] | None = None,
) -> TQLDataset | TQLIterableDataset:
    """Return the data set that `View.to_torch` returns.

    Example:
        >>> import polars as pl
        >>> data_set_of(pl.DataFrame({"age": [71, 34]}))[1]
        {'age': tensor(34)}
    """
    made = TQLIterableDataset if origin_of(frame).is_plan else TQLDataset
    return made(frame, columns, transform, target, encode, classes=classes)


class _Stream(Iterator[Any]):
    """An iteration that can be resumed, as torchdata's StatefulDataLoader asks."""

    def __init__(
        self, rows: Callable[[Sequence[int]], Any], share: range, transform: Callable[[Any], Any] | None
    ) -> None:
        self._rows, self._share, self._transform = rows, share, transform
        self._done = 0
        self._items: Iterator[Any] = iter(())

    def __next__(self) -> Any:
        item = next(self._items, None)
        if item is None:
            read = self._share[self._done : self._done + _ROWS]
            if not read:
                raise StopIteration
            self._items = iter(self._rows(read))
            item = next(self._items)
        self._done += 1
        return item if self._transform is None else self._transform(item)

    def state_dict(self) -> dict[str, int]:
        return {"done": self._done}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self._done = state["done"]
        self._items = iter(())
