"""Mix several tables in one loader, each with its share of every epoch: a data set of their rows, and its sampler."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from numbers import Real
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import polars as pl
import torch
from torch.utils.data import DataLoader  # noqa: F401 - the loader is for the example

from tql_frames.compiler.expressions.types import instance
from tql_frames.compiler.statements.limits import most_rows
from tql_frames.errors import TQLError, TQLTypeError, WeightError, shown
from tql_frames.pipeline.draw import DrawSpec, check_flag, named
from tql_frames.pipeline.weights import SamplerLike, Weights
from tql_frames.sampling import Integers, Pools, Positions, derived_seed, sizes_of, split_at_random
from tql_frames.torch.columns import Encoding, Values
from tql_frames.torch.dataset import ItemsByNumber, TQLDataset, places_in
from tql_frames.torch.epochs import Epochs, Origin, array_of, check_whole, given_sampler, origin_of, readable
from tql_frames.torch.serialization import BatchRows
from tql_frames.torch.shares import EpochSampler, short
from tql_frames.torch.table import ColumnSpec, encodings_of

Stop = Literal["first_exhausted", "all_exhausted"]
_STOPS: tuple[Stop, ...] = get_args(Stop)
_ROWS, _ORDER = range(2)  # branches of an epoch's seed


class Mix(NamedTuple):
    """What `mix` returns.

    Attributes:
        dataset: the rows of all tables, one table after the other.
        sampler: draws the rows of each epoch.
    """

    dataset: MixedDataset
    sampler: MixedSampler


@named
def mix(
    frames: Sequence[object],
    *,
    shares: Sequence[float],
    sampler: SamplerLike | Sequence[SamplerLike] = "1",
    limit: int | None = None,
    stop: Stop | None = None,
    replace: bool = False,
    seed: int = 0,
    num_replicas: int | None = None,
    rank: int | None = None,
    drop_last: bool = False,
    columns: Sequence[str] | None = None,
    transform: Callable[[Any], Any] | None = None,
    target: str | None = None,
    encode: Mapping[str, str] | None = None,
    classes: Mapping[str, Sequence[Any]] | None = None,
) -> Mix:
    """Mix tables by shares: a data set of their rows, and a sampler that draws the share of each table.

    An epoch has exactly its share of rows from each table, in random order. A table that is used up starts again.

    Args:
        frames: Polars DataFrames or LazyFrames, pandas DataFrames or views; all have the requested columns.
        shares: share of each table in the rows of an epoch, a number > 0; `[7, 2, 1]` is the same as `[0.7, 0.2, 0.1]`.
        sampler: the weight of a row within its table, as in `tql_frames.sample`: one text for all tables, or a
            list with one sampler per table.
        limit: rows of an epoch, for all processes together.
        stop: instead of `limit`: `"first_exhausted"`, the default, ends an epoch before a table would have to start
            again; `"all_exhausted"` when each has been used up.
        replace: whether a row may be drawn again at any time. If not, the rows of a table are drawn in passes, none a
            second time before all others of positive weight. A table is used up when all of these were drawn.
        seed: whole number >= 0, the same in all processes.
        num_replicas: number of processes; by default that of `torch.distributed` if it is initialised, otherwise 1.
        rank: number of this process, from 0; the default is like that of `num_replicas`.
        drop_last: omit the last rows, fewer than there are processes, so that all have the same number.
        columns: names of the columns that are features, as in `TQLDataset`.
        transform: called with each item, as in `TQLDataset`.
        target: name of the column that is the target.
        encode: how columns of texts or lists become numbers. Labels of all tables share one list of codes.
        classes: labels of encoded columns, in the order of their codes.

    Raises:
        TQLError: wrong arguments, or tables whose columns differ.
        WeightError: a table has no row of positive weight.

    Examples:
        >>> import polars as pl
        >>> old, new = pl.DataFrame({"year": [2001, 2002, 2003]}), pl.DataFrame({"year": [2025]})
        >>> rows, draws = mix([old, new], shares=[0.75, 0.25], seed=1)
        >>> next(iter(DataLoader(rows, batch_size=4, sampler=draws)))
        {'year': tensor([2025, 2003, 2002, 2001])}
        >>> draws
        MixedSampler(2 tables: 4 rows, 3 + 1, without replacement, seed 1, epoch 1)
    """
    tables = _listed("frames", frames)
    dataset = MixedDataset(tables, columns, transform, target, encode, classes=classes)
    draws = MixedSampler(
        tables,
        shares,
        sampler,
        limit=limit,
        stop=stop,
        replace=replace,
        seed=seed,
        num_replicas=num_replicas,
        rank=rank,
        drop_last=drop_last,
    )
    return Mix(dataset, draws)


class MixedDataset(ItemsByNumber):
    """The rows of several tables, one table after the other; items are those of `TQLDataset`.

    Attributes:
        classes: labels in the order of their codes, by the names of the columns that are encoded.
        transform: called with each item, or None; it may be set.
    """

    def __init__(
        self,
        frames: Sequence[object],
        columns: Sequence[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target: str | None = None,
        encode: Mapping[str, str] | None = None,
        *,
        classes: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """Read the columns; see `mix` for arguments and errors."""
        frames = _listed("frames", frames)
        origins = [origin_of(frame) for frame in frames]
        specs = [ColumnSpec.of(origin.labels, columns, target, encode, classes) for origin in origins]
        _check_alike(origins, specs)
        # First the labels of all tables, so that each table is read once, with the same codes.
        labels = [encodings_of(origin, spec) for origin, spec in zip(origins, specs, strict=True)]
        self.classes: dict[str, list[Any]] = _classes_of(labels)
        self.transform = transform
        self._tables = [TQLDataset(frame, columns, None, target, encode, classes=self.classes) for frame in frames]
        self._ends = np.cumsum([len(table) for table in self._tables])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def rows(self, places: Sequence[int] | Integers) -> BatchRows:
        """Return the rows at positions, without the transform.

        Raises:
            IndexError: there is no such position.

        Examples:
            >>> import polars as pl
            >>> both = MixedDataset([pl.DataFrame({"age": [71, 34]}), pl.DataFrame({"age": [65]})])
            >>> [row["age"] for row in both.rows([2, 0])]
            [tensor(65), tensor(71)]
        """
        rows = places_in(places, len(self))
        table = np.searchsorted(self._ends, rows, side="right")
        numbers = np.unique(table).tolist() or [0]
        if len(numbers) == 1:
            return self._of_table(numbers[0], rows)
        by_table = np.argsort(table, kind="stable")
        order = np.empty(len(rows), np.int64)
        order[by_table] = np.arange(len(rows))
        return together([self._of_table(number, rows[table == number]) for number in numbers], order)

    def _of_table(self, number: int, rows: Integers) -> BatchRows:
        table = self._tables[number]
        return table.rows(rows - (self._ends[number] - len(table)))

    def __repr__(self) -> str:
        tables = " + ".join(f"{len(table):,}" for table in self._tables)
        return f"MixedDataset of {len(self._tables):,} tables, {tables} rows; the first: {self._tables[0]!r}"


class MixedSampler(EpochSampler[int]):
    """Positions in a `MixedDataset` for a DataLoader, with the share of each table in every epoch."""

    fixed = frozenset(("frames", "shares", "sampler", "limit", "stop", "replace", "seed", "drop_last"))

    def __init__(
        self,
        frames: Sequence[object],
        shares: Sequence[float],
        sampler: SamplerLike | Sequence[SamplerLike] = "1",
        *,
        limit: int | None = None,
        stop: Stop | None = None,
        replace: bool = False,
        seed: int = 0,
        num_replicas: int | None = None,
        rank: int | None = None,
        drop_last: bool = False,
    ) -> None:
        """Weigh the rows; nothing is drawn yet. See `mix` for arguments and errors."""
        frames = _listed("frames", frames)
        super().__init__(seed, num_replicas, rank, drop_last)
        check_flag("replace", replace)
        if stop is not None and stop not in _STOPS:
            raise TQLError(f"expected stop= to be 'first_exhausted' or 'all_exhausted', got {shown(stop)}")
        if limit is not None and stop is not None:
            raise TQLError("limit= and stop= were both given; pass one of them")
        self._replace, self._stop = bool(replace), None if limit is not None else stop or "first_exhausted"
        self._shares = _shares(shares, len(frames))
        samplers = _samplers(sampler, len(frames))
        spec = DrawSpec.checked(None, None, True, self._seed)
        self._weighed: list[Epochs] = []
        for number, (frame, each) in enumerate(zip(frames, samplers, strict=True), start=1):
            try:
                self._weighed.append(Epochs(readable(frame), each, spec))
            except TQLError as fault:
                fault.add_note(f"in table {number} of {len(frames)}")
                raise
        self._starts = np.cumsum([0, *(each.rows for each in self._weighed[:-1])])
        self._pools_of_epoch = 0, self._pools(0)
        self._limit = None if limit is None else check_whole("limit", limit, 1)
        if self._limit is None and any(each.is_random for each in self._weighed):
            message = "a sampler with random() has other rows in each epoch, so that none says how long an epoch is"
            raise TQLError(message, hint="pass limit= in place of stop=")
        sizes = sizes_of(self._of_epoch(), self._shares)
        if 0 in sizes:
            message = f"table {sizes.index(0) + 1} gets no row of an epoch of {sum(sizes):,}"
            raise TQLError(message, hint="raise its share, or limit=")
        self._sizes = np.array(sizes, np.int64)

    @property
    def weights(self) -> list[Weights]:
        """Weights of the rows of each table, by which the next epoch is drawn: arrays of shape (n,), read-only."""
        return [each.weights(self.epoch) for each in self._weighed]

    def draw(self, epoch: int) -> Positions:
        """Return the positions of an epoch's rows in the data set, for all processes, shape (n,).

        Examples:
            >>> import polars as pl
            >>> old, new = pl.DataFrame({"year": [2001, 2002, 2003]}), pl.DataFrame({"year": [2025]})
            >>> MixedSampler([old, new], [0.5, 0.5], limit=8).draw(0).tolist()
            [3, 3, 0, 1, 3, 2, 0, 3]
        """
        number = check_whole("epoch", epoch)
        if any(each.is_random for each in self._weighed) and self._pools_of_epoch[0] != number:
            self._pools_of_epoch = number, self._pools(number)
        seed = self.seed_of(number)
        rows = self._pools_of_epoch[1].draw(self._sizes, replace=self._replace, seed=derived_seed(seed, _ROWS))
        # The tables are in random order; the rows of each table keep the order drawn.
        parts = split_at_random(
            len(rows), [Fraction(int(size), max(len(rows), 1)) for size in self._sizes], derived_seed(seed, _ORDER)
        )
        found = np.empty(len(rows), np.int64)
        found[np.argsort(parts, kind="stable")] = rows
        return found

    def _pools(self, epoch: int) -> Pools:
        weights = [each.weights(epoch) for each in self._weighed]
        for number, each in enumerate(weights, start=1):
            if not each.any():
                raise WeightError(f"no row of table {number} can be drawn: it has none, or all have weight 0")
        members = [start + np.arange(len(each)) for start, each in zip(self._starts, weights, strict=True)]
        return Pools.of(members, np.concatenate(weights))

    def _rows(self) -> int:
        return sum(each.rows for each in self._weighed)

    def _of_epoch(self) -> int:
        """Return the number of rows of an epoch.

        Raises:
            TQLError: the rows do not fit into memory.
        """
        size = self._limit if self._limit is not None else self._until(self._stop)
        if size > most_rows():
            raise TQLError(f"an epoch of {size:,} rows does not fit into memory")
        return size

    def _until(self, stop: Stop | None) -> int:
        each = [
            Fraction(size) / share
            for size, share in zip(self._pools_of_epoch[1].sizes.tolist(), self._shares, strict=True)
        ]
        return math.floor(min(each)) if stop == "first_exhausted" else math.ceil(max(each))

    def _size(self) -> int:
        return int(self._sizes.sum())

    def _request(self) -> dict[str, Any]:
        return {
            "seed": self._seed,
            "limit": self._limit,
            "stop": self._stop,
            "replace": self._replace,
            "rows": [each.rows for each in self._weighed],
            "shares": [str(share) for share in self._shares],
        }

    def _identity(self) -> dict[str, Any]:
        return {"samplers": [each.identity() for each in self._weighed]}

    def _differences(self, state: Mapping[str, Any]) -> list[str]:
        found = super()._differences(state)
        theirs = state.get("samplers")
        known = isinstance(theirs, list) and len(theirs) == len(self._weighed)
        same = known and not any(own.differences(each) for own, each in zip(self._weighed, theirs or (), strict=True))
        return found if same else [*found, "samplers"]

    def __repr__(self) -> str:
        size, how = self._size(), "with" if self._replace else "without"
        sizes = " + ".join(f"{each:,}" for each in self._sizes.tolist())
        parts = [f"{size:,} row{'s' * (size != 1)}", sizes, f"{how} replacement"]
        return f"MixedSampler({len(self._weighed):,} tables: {self._described(parts)})"


def together(parts: Sequence[BatchRows], order: Integers) -> BatchRows:
    """Return the rows of several tables as one batch.

    Args:
        parts: rows of each table.
        order: shape (k,): the row at each position of the batch, numbered through all parts.
    """
    rows = torch.from_numpy(order)

    def joined(values: Sequence[Values]) -> Values:
        tensors = [each for each in values if isinstance(each, torch.Tensor)]
        if len(tensors) == len(values):
            return torch.cat(tensors).index_select(0, rows)
        listed = [cell for each in values for cell in each]
        return [listed[place] for place in order.tolist()]

    columns = {name: joined([part.columns[name] for part in parts]) for name in parts[0].columns}
    targets = [part.target for part in parts if part.target is not None]
    return BatchRows(columns, len(order), joined(targets) if targets else None)


def _listed(argument: str, value: object) -> list[Any]:
    if not isinstance(value, (list, tuple)) or not value:
        raise TQLError(f"expected {argument}= to be a list of at least one, got {shown(value)}")
    return list(value)


def _shares(value: object, tables: int) -> list[Fraction]:
    """Return shares with the sum 1.

    Raises:
        TQLError: they are not numbers above 0, or not one per table.
    """
    given: Any = array_of(value)
    listed = isinstance(given, (list, tuple)) or (hasattr(given, "__array__") and np.ndim(given) == 1)
    found = list(given) if listed else []
    if len(found) != tables:
        message = f"expected shares= to be a list of {tables:,} number{'s' * (tables != 1)}, one for each table"
        raise TQLError(f"{message}, got {shown(value)}")
    exact = []
    for each in found:
        number = each.item() if isinstance(each, np.generic) else each
        fine = isinstance(number, (Real, Fraction)) and not isinstance(number, bool)
        if not fine or not 0 < number < math.inf:
            raise TQLError(f"expected each of shares= to be a number above 0, got {shown(each)}")
        exact.append(Fraction(str(number)) if isinstance(number, float) else Fraction(number))
    return [each / sum(exact) for each in exact]


def _samplers(sampler: Any, tables: int) -> list[Any]:
    if isinstance(sampler, (list, tuple)) and not any(isinstance(each, (int, float)) for each in sampler):
        if len(sampler) != tables:
            raise TQLError(f"expected sampler= to be one text, or a list of {tables:,}, got a list of {len(sampler):,}")
        return [given_sampler(each) for each in sampler]
    return [given_sampler(sampler)] * tables


def _check_alike(origins: Sequence[Origin], specs: Sequence[ColumnSpec]) -> None:
    """Check that tables have the same columns of the same types; all types of text are equal.

    Raises:
        TQLError: tables differ; the error names the first column that differs.
    """

    def types_of(number: int) -> dict[str, str]:
        schema, names = origins[number].source.schema, origins[number].names
        return {name: _in_words(instance(schema[names[name]])) for name in specs[number].names}

    first = types_of(0)
    for number in range(1, len(origins)):
        types = types_of(number)
        if list(types) != list(first):
            listed = f"{short(list(types))}, of the first {short(list(first))}"
            raise TQLError(
                f"the columns of table {number + 1} are {listed}", hint="name those that all have: columns=[…]"
            )
        for name, other in types.items():
            if other != first[name]:
                told = f"is of type {first[name]} in the first table, and of type {other} in table {number + 1}"
                hint = "cast one of them, or name the columns that are wanted: columns=[…]"
                raise TQLTypeError(f"column {name!r} {told}", hint=hint)


def _in_words(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List):
        return f"List({_in_words(instance(dtype.inner))})"
    return "String" if isinstance(dtype, (pl.String, pl.Categorical, pl.Enum)) else str(dtype)


def _classes_of(encodings: Sequence[Mapping[str, Encoding]]) -> dict[str, list[Any]]:
    """Return the labels of all tables: in the order of a table that has all of them, otherwise sorted."""
    found = {}
    for name in encodings[0]:
        lists = [each[name].labels for each in encodings]
        every = {label for each in lists for label in each}
        whole = next((each for each in lists if len(each) == len(every)), None)
        found[name] = whole if whole is not None else sorted(every)
    return found
