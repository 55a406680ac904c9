"""Provide sampled rows as PyTorch data sets: in memory by number, and streamed from files in order.

`columns` converts columns to tensors; `sampler` decides which rows an epoch has.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info  # noqa: F401 - the loader is for the example

from tql_frames.errors import TQLError
from tql_frames.pipeline.draw import named_constructor, whole_number
from tql_frames.sampling import Integers
from tql_frames.torch.epochs import origin_of, processes
from tql_frames.torch.serialization import BatchRows
from tql_frames.torch.shares import short
from tql_frames.torch.table import ColumnSpec, described, table_of


class _TableItems:
    """Base of both kinds of data sets: the columns of a table, and a transform of its items."""

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
        self._column_spec = ColumnSpec.of(origin.labels, columns, target, encode, classes)
        self._table = table_of(origin, self._column_spec)
        self.transform = transform
        self.classes: dict[str, list[Any]] = self._table.classes

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are features, and after them that of the target.

        Examples:
            >>> import polars as pl
            >>> TQLDataset(pl.DataFrame({"age": [71], "sex": ["F"]}), target="sex").columns
            ('age', 'sex')
        """
        return tuple(self._column_spec.names)

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {described(self._table.size, self._column_spec, self.classes)}"


class ItemsByNumber(Dataset[Any]):
    """Items by their positions, one or many at once, each passed through the transform.

    Attributes:
        transform: called with each item, or None.
    """

    transform: Callable[[Any], Any] | None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def rows(self, places: Sequence[int] | Integers) -> BatchRows:
        """Return the rows at positions, without the transform.

        Examples:
            >>> import polars as pl
            >>> [row["age"] for row in TQLDataset(pl.DataFrame({"age": [71, 34]})).rows([1, -2])]
            [tensor(34), tensor(71)]
        """

    def __getitem__(self, place: int) -> Any:
        """Return the item at a position, from 0; or from the end, from -1.

        Raises:
            IndexError: there is no such position.
        """
        size = len(self)
        number = whole_number(place)
        if number is None:
            raise TQLError(f"expected the place of an item to be a whole number, got {place!r}")
        if not -size <= number < size:
            raise NoSuchRowError(number, size)
        item = self.rows([number])[0]
        return item if self.transform is None else self.transform(item)

    def __getitems__(self, places: Sequence[int]) -> Sequence[Any]:
        """Return the items at positions, which may be many; with a transform, a list of its results.

        Raises:
            IndexError: there is no such position. It is a TQLError, too.
        """
        rows = self.rows(places)
        return rows if self.transform is None else [self.transform(item) for item in rows]


@named_constructor
class TQLDataset(_TableItems, ItemsByNumber):
    """Rows of a frame for a DataLoader.

    An item is a dict of the values of a row by column or, with a target, a tuple of that dict and the target.
    Numbers, truth values and times are tensors; so are arrays of them, and columns that `encode` names. Texts, lists
    and structs are Python values, with None for null. In a batch, `default_collate` adds a dimension to tensors, and
    puts the Python values of a column into a list.

    Args:
        frame: a Polars DataFrame or LazyFrame, a pandas DataFrame, or a `View` of one. Columns of numbers are read
            without a copy. For a LazyFrame the requested columns are written to the temporary folder of the system
            (`TMPDIR`), each row in use once, and read there.
        columns: names of the columns that are features; by default all but the target.
        transform: called with each item; what it returns is the item instead.
        target: name of the column that is the target.
        encode: how columns of texts or lists become numbers, by name: `"label"` for a code, from 0, `"multi_hot"` for a
            Float32 of 1 or 0 for each label that a list may contain. `classes` has the labels.
        classes: labels of encoded columns, by name, in the order of their codes; by default the categories of
            an Enum or a pandas Categorical, otherwise all labels of the frame, sorted. A row in use with another label
            is refused.

    Attributes:
        classes: labels in the order of their codes, by the names of the encoded columns: those of the whole frame, also
            for a view; sorted, or in the order of `classes=`, an Enum or a pandas Categorical.
        transform: called with each item, or None; it may be set.

    Raises:
        TQLError: a row has a null where a tensor cannot have one; or a wrong argument.

    Examples:
        >>> import polars as pl
        >>> findings = [["Hernia"], ["Mass", "Hernia"]]
        >>> df = pl.DataFrame({"age": [71, 34], "image": ["a.png", "b.png"], "findings": findings})
        >>> dataset = TQLDataset(df, target="findings", encode={"findings": "multi_hot"})
        >>> dataset[1]
        ({'age': tensor(34), 'image': 'b.png'}, tensor([1., 1.]))
        >>> dataset.classes["findings"]
        ['Hernia', 'Mass']
        >>> features, target = next(iter(DataLoader(dataset, batch_size=2)))
        >>> features
        {'age': tensor([71, 34]), 'image': ['a.png', 'b.png']}
        >>> target
        tensor([[1., 0.],
                [1., 1.]])
    """

    def __len__(self) -> int:
        return self._table.size

    def rows(self, places: Sequence[int] | Integers) -> BatchRows:
        """Return the rows at some positions, without the transform.

        Raises:
            IndexError: a position does not exist.

        Examples:
            >>> import polars as pl
            >>> [row["age"] for row in TQLDataset(pl.DataFrame({"age": [71, 34]})).rows([1, -2])]
            [tensor(34), tensor(71)]
        """
        return self._table.rows(places_in(places, self._table.size))


class NoSuchRowError(TQLError, IndexError):
    """A row that a data set does not have: the end of a loop over it, or a sampler of another frame."""

    def __init__(self, message: str | int, size: int = 0, **more: Any) -> None:
        """Write the message for a position and a size; when the error is unpickled, `message` is the whole message."""
        if not isinstance(message, str):
            number = message
            message = f"item {number:,} was asked for, and the data set has {size:,} row{'s' * (size != 1)}"
            hint = "make the sampler and the data set of the same frame or view"
            if number >= size:
                hint += f": that of the sampler has at least {number + 1:,} rows"
            more = {"hint": hint}
        super().__init__(message, **more)


def places_in(places: Any, size: int) -> Integers:
    """Return positions in a data set, shape (k,), counted from 0.

    Args:
        places: positions from 0, or from the end, from -1. If the first is a `FirstRow`, it has the number of rows that
            they were drawn from.
        size: number of rows of the data set.

    Raises:
        NoSuchRowError: there is no such position, or the positions were drawn for another data set.
        TQLError: they are not whole numbers.

    Examples:
        >>> places_in([2, -1], 10)
        array([2, 9])
    """
    if isinstance(places, int):
        message = f"expected a list of places, got {places!r}"
        raise TQLError(message, hint="pass DataLoader(…, batch_size=…, sampler=…): the sampler gives single rows")
    rows = getattr(places[0], "rows", size) if len(places) else size
    if isinstance(rows, int) and rows != size:
        message = f"the sampler draws from {rows:,} row{'s' * (rows != 1)}, and the data set has {size:,}"
        raise NoSuchRowError(message, hint="make the sampler and the data set of the same frame or view")
    if len(places) and isinstance(places[0], (list, tuple)):
        message = f"expected places of items to be whole numbers, got lists of them, such as {short(places[0])}"
        raise TQLError(message, hint="pass a sampler of batches as DataLoader(…, batch_sampler=…)")
    try:
        found = np.asarray(places)
    except ValueError:  # lists of different lengths, for example
        found = np.empty(0, object)
    if len(places) and found.dtype.kind not in "iu":
        wrong = next((each for each in places if whole_number(each) is None), None)
        if wrong is not None:
            raise TQLError(f"expected places of items to be whole numbers, got {short(wrong)}")
        found = np.array([int(each) for each in places], object)  # beyond 64 bits
    if found.size and (found.max() >= size or found.min() < -size):
        beyond = found[(found >= size) | (found < -size)]
        raise NoSuchRowError(int(beyond.min() if beyond.min() < -size else beyond.max()), size)
    found = found.astype(np.int64)
    return found % size if found.size and found.min() < 0 else found


_ROWS = 1024  # rows that are read at a time


@named_constructor
class TQLIterableDataset(_TableItems, IterableDataset[Any]):
    """Rows for a DataLoader, in their order, of a table that need not fit into memory.

    For a LazyFrame the requested columns are written to the temporary folder of the system (`TMPDIR`) when the
    data set is created, each row in use once; every process reads them there.

    Each of several processes takes every n-th row, and so does each of their workers: together they have each row once.

    Args:
        frame: a Polars DataFrame or LazyFrame, a pandas DataFrame, or a `View` of one.
        columns: names of the columns that are features; by default all but the target.
        transform: called with each item; what it returns is the item instead.
        target: name of the column that is the target.
        encode: how columns of texts or lists become numbers; items are as in `TQLDataset`.
        classes: labels of encoded columns, in the order of their codes, as in `TQLDataset`.
        num_replicas: number of processes; by default that of `torch.distributed` if it is initialised, otherwise 1.
            If a library divides the items itself, as Accelerate does, pass 1, and `rank=0`.
        rank: number of this process, from 0; the default is like that of `num_replicas`.

    Attributes:
        classes: labels in the order of their codes, by the names of the encoded columns: those of the whole frame, also
            for a view; sorted, or in the order of `classes=`, an Enum or a pandas Categorical.
        transform: called with each item, or None; it may be set.

    Raises:
        TQLError: a row has a null where a tensor cannot have one; or a wrong argument.

    Examples:
        >>> import polars as pl
        >>> dataset = TQLIterableDataset(pl.LazyFrame({"age": [71, 34]}))
        >>> list(dataset)
        [{'age': tensor(71)}, {'age': tensor(34)}]
    """

    def __init__(
        self,
        frame: object,
        columns: Sequence[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target: str | None = None,
        encode: Mapping[str, str] | None = None,
        *,
        classes: Mapping[str, Sequence[Any]] | None = None,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        """Read the columns; Polars is not asked again."""
        processes(num_replicas, rank)  # raises an error now if they are wrong
        super().__init__(frame, columns, transform, target, encode, classes=classes)
        self._given_processes = num_replicas, rank

    # No length: each worker may end with a smaller batch, and a DataLoader would warn of unexpected batches.

    def __iter__(self) -> Iterator[Any]:
        """Return an iterator over the items of this process or worker."""
        number, rank = processes(*self._given_processes)
        share, worker = range(self._table.size)[rank::number], get_worker_info()
        if worker is not None:
            share = share[worker.id :: worker.num_workers]
        return _Stream(self._table.rows, share, self.transform)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {
            "_given_processes": processes(*self._given_processes)
        }  # a spawned worker is not in a process group


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

    Examples:
        >>> import polars as pl
        >>> data_set_of(pl.DataFrame({"age": [71, 34]}))[1]
        {'age': tensor(34)}
    """
    made = TQLIterableDataset if origin_of(frame).is_plan else TQLDataset
    return made(frame, columns, transform, target, encode, classes=classes)


class _Stream(Iterator[Any]):
    """An iteration that can be resumed, as torchdata's StatefulDataLoader requires."""

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
