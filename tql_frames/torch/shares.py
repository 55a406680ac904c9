"""Implement the common part of samplers that draw for every epoch: epochs, shares of processes, states, iterations.

Subclasses draw the items of an epoch: `mixing` draws rows, `batches` draws batches. `sampler` has its own iterations,
since its weights may change within one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar, TypeVar

from torch.utils.data import Sampler

from tql_frames.errors import TQLError
from tql_frames.pipeline.draw import check_flag, seed_of_epoch
from tql_frames.sampling import Positions
from tql_frames.torch.epochs import FirstRow, check_whole, processes
from tql_frames.torch.iteration import Iteration

Item = TypeVar("Item")

_WIDTH = 80  # characters of a value that a text shows
_LIST = 65_536  # rows that are converted to Python integers at a time


class SharedSampler(Sampler[Item]):
    """A sampler whose iterations are epochs; each process takes its share of an epoch.

    Args:
        seed: whole number >= 0, the same in all processes.
        num_replicas: number of processes; by default that of `torch.distributed` if it is initialised, otherwise 1.
        rank: number of this process, from 0; the default is like that of `num_replicas`.
        drop_last: omit the last items, fewer than there are processes, so that all have the same number.
    """

    fixed: ClassVar[frozenset[str]] = frozenset()
    """Arguments of the constructor: set on the sampler, they would change nothing."""

    def __init__(self, seed: int, num_replicas: int | None, rank: int | None, drop_last: bool) -> None:
        """Check the arguments; nothing is drawn yet."""
        check_flag("drop_last", drop_last)
        self._seed = check_whole("seed", seed)
        self._drop_last = bool(drop_last)
        self._given_processes = num_replicas, rank
        processes(num_replicas, rank)  # raises an error now if they are wrong
        self._next = 0, 0  # epoch of the next iteration, and items already done

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration draws.

        Examples:
            >>> import polars as pl
            >>> from tql_frames.torch import TQLSampler
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> first = list(draws)
            >>> draws.epoch
            1
        """
        return self._next[0]

    @property
    def num_replicas(self) -> int:
        """Number of processes that share an epoch.

        Examples:
            >>> import polars as pl
            >>> from tql_frames.torch import TQLSampler
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34]}), "age", num_replicas=4, rank=1)
            >>> draws.num_replicas
            4
        """
        return processes(*self._given_processes)[0]

    @property
    def rank(self) -> int:
        """Number of this process, from 0.

        Examples:
            >>> import polars as pl
            >>> from tql_frames.torch import TQLSampler
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34]}), "age", num_replicas=4, rank=1)
            >>> draws.rank
            1
        """
        return processes(*self._given_processes)[1]

    def seed_of(self, epoch: int) -> int:
        """Return the seed of an epoch: with it `frame.tql.sample` draws the rows of a `TQLSampler`.

        Examples:
            >>> import polars as pl
            >>> from tql_frames.torch import TQLSampler
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> draws.seed_of(0)
            1
        """
        return seed_of_epoch(self._seed, epoch)

    def _share_of(self, size: int, first: int) -> range:
        """Return the places of this process, among those from `first` to `size`."""
        number, rank = processes(*self._given_processes)
        if self._drop_last:
            size -= max(size - first, 0) % number
        return range(min(first + rank, size), size, number)

    def _described(self, parts: list[str]) -> str:
        number, rank = processes(*self._given_processes)
        parts = [*parts, f"seed {self._seed}", f"epoch {self.epoch}"]
        if number > 1:
            parts.append(f"rank {rank} of {number}")
        return ", ".join(parts)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.fixed or name in ("epoch", "weights", "rank", "num_replicas"):
            kind = type(self).__name__
            calls = {"epoch": "set_epoch", "weights": "set_weights"}
            how = f"call {calls[name]}" if hasattr(self, calls.get(name, "")) else "make another sampler"
            raise AttributeError(f"{name} of a {kind} cannot be set: {how}")
        super().__setattr__(name, value)


class EpochSampler(SharedSampler[Item]):
    """A sampler that draws all items of an epoch when it begins, and can continue in the middle of an epoch."""

    def __init__(self, seed: int, num_replicas: int | None, rank: int | None, drop_last: bool) -> None:
        """Check the arguments; nothing is drawn yet."""
        super().__init__(seed, num_replicas, rank, drop_last)
        self._running: _Run | None = None
        self._before: Any = None  # weights of the rest of an epoch, if other weights were set in the middle of it

    @abstractmethod
    def draw(self, epoch: int) -> Positions:
        """Return the items of an epoch, for all processes; the first axis is the item.

        Examples:
            >>> import polars as pl
            >>> from tql_frames.torch import TQLBatchSampler
            >>> batches = TQLBatchSampler(pl.DataFrame({"age": [71, 34, 65]}), "age", 2, limit=6, seed=1)
            >>> batches.draw(0).shape
            (3, 2)
        """

    @abstractmethod
    def _size(self) -> int:
        """Return the number of items of an epoch, for all processes together."""

    @abstractmethod
    def _rows(self) -> int:
        """Return the number of rows in the population."""

    @abstractmethod
    def _request(self) -> dict[str, Any]:
        """Return what two samplers must have in common for one to continue from the other's state."""

    def _identity(self) -> dict[str, Any]:
        """Return the identity of the weights."""
        return {}

    def _newest(self) -> Any:
        """Return the weights for the next epoch, if they may change."""
        return None

    def _drawn_by(self, weights: Any, epoch: int) -> Positions:
        """Return the items of an epoch by an earlier result of `_newest`."""
        return self.draw(epoch)

    def _differences(self, state: Mapping[str, Any]) -> list[str]:
        """Return the keys in which the sampler of a state differs from this one."""
        own = self._request()
        return [name for name, value in own.items() if type(state[name]) is not type(value) or state[name] != value]

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next iteration draws; the epoch of `load_state_dict` continues where it stopped.

        Examples:
            >>> import polars as pl
            >>> from tql_frames.torch import TQLBatchSampler
            >>> batches = TQLBatchSampler(pl.DataFrame({"age": [71, 34, 65]}), "age", 2, limit=6, seed=1)
            >>> batches.set_epoch(3)
            >>> list(batches) == batches.draw(3).tolist()
            True
        """
        number = check_whole("epoch", epoch)
        if number != self._next[0]:
            self._next, self._before = (number, 0), None
        self._running = None

    def state_dict(self, seen: int | None = None) -> dict[str, Any]:
        """Return the state of the iteration for `load_state_dict`: the epoch, the items done, and the arguments.

        The state is the same in all processes that have made the same progress, for any number of them.

        Args:
            seen: items that this process took from its DataLoader since the iteration began. A loader with workers
                fetches items in advance, and the sampler cannot count these; `StatefulDataLoader` of torchdata can.

        Examples:
            >>> import polars as pl
            >>> from tql_frames.torch import TQLBatchSampler
            >>> batches = TQLBatchSampler(pl.DataFrame({"age": [71, 34, 65]}), "age", 2, limit=6, seed=1)
            >>> rows = iter(batches)
            >>> first = next(rows)
            >>> state = batches.state_dict()
            >>> state["epoch"], state["done"]
            (0, 1)
        """
        epoch, done = self._next
        request = self._request() | self._identity()
        if self._running is not None:
            epoch, request = self._running.epoch, self._running.request
            done = self._running.done(seen)
        return {"epoch": epoch, "done": done, **request}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the next iteration where another one stopped: the rest of its epoch, which may be empty.

        Args:
            state: a result of `state_dict`.

        Raises:
            TQLError: it is the state of another sampler (the message names the difference), or it is not a state.

        Examples:
            >>> import polars as pl
            >>> from tql_frames.torch import TQLBatchSampler
            >>> batches = TQLBatchSampler(pl.DataFrame({"age": [71, 34, 65]}), "age", 2, limit=6, seed=1)
            >>> rows = iter(batches)
            >>> first, state = next(rows), batches.state_dict()
            >>> batches.load_state_dict(state)
            >>> list(batches) == list(rows)
            True
        """
        kind = type(self).__name__
        if not isinstance(state, Mapping):
            raise TQLError(f"expected the state to be what state_dict returned, got {type(state).__name__}")
        own = self._request()
        missing = {"epoch", "done", *own}.difference(state)
        if missing:
            raise TQLError(f"this is no state of a {kind}: it has no {min(missing)!r}")
        self._before = None
        names = self._differences(state)
        own |= self._identity()
        told = [f"its {name} is {short(state.get(name))}, here it is {short(own.get(name))}" for name in names]
        if told:
            raise TQLError(f"the state is that of another sampler: {'; '.join(told)}")
        self._next = check_whole("epoch", state["epoch"]), check_whole("done", state["done"])
        self._running = None

    def __len__(self) -> int:
        """Return the number of items of this process in an epoch."""
        return len(self._share_of(self._size(), 0))

    def __iter__(self) -> Iterator[Item]:
        """Return the items of this process; after `load_state_dict`, the remaining ones."""
        epoch, first = self._next
        share = self._share_of(self._size(), first)
        if first and not share:
            # Now, not with the first item that is requested: torchdata creates an iterator for an epoch that ended,
            # finds it empty, and creates another one for the next epoch.
            self._begin(epoch, first, share)
            return iter(())
        return chain.from_iterable(self._lists())

    def _lists(self) -> Iterator[Iterator[Any]]:
        # Begins with the first item that is requested: an iterator that is only created does not use up an epoch.
        epoch, first = self._next
        run = self._begin(epoch, first, self._share_of(self._size(), first))
        yield from run.lists(self._drawn_by(run.weights, epoch), self._rows())

    def _begin(self, epoch: int, first: int, share: range) -> _Run:
        weights = self._before or self._newest()
        self._running = run = _Run(epoch, first, share, self._request() | self._identity(), weights)
        self._next, self._before = (epoch + 1, 0), None
        return run

    def __getstate__(self) -> dict[str, Any]:
        place, before = self._next, self._before
        if self._running is not None and not self._running.ended:
            place, before = (self._running.epoch, self._running.done()), self._running.weights
        return self.__dict__ | {"_running": None, "_next": place, "_before": before}


class _Run(Iteration):
    """An iteration over items that are all drawn when it begins.

    Args:
        epoch: epoch of the items.
        first: place of the first item in the epoch.
        share: places of the items of this process.
        request: the arguments of the sampler when it began.
        weights: weights of the items, if they may change.
    """

    def __init__(self, epoch: int, first: int, share: range, request: dict[str, Any], weights: Any) -> None:
        """Begin; nothing is read yet."""
        super().__init__(epoch, first, share, not share)
        self.request, self.weights = request, weights

    def lists(self, items: Positions, rows: int) -> Iterator[Iterator[Any]]:
        """Yield the items of this process, drawn from `rows` rows, as iterators over lists of items."""
        per_item = items[0].size if len(items) else 1
        step = max(_LIST // max(per_item, 1), 1)
        while self._stop < len(self._share):
            places = self._share[self._stop : self._stop + step]
            self._stop += len(places)
            taken = items[places.start : places.stop : places.step].tolist()
            if places.start == self._share.start:
                first = taken[0] if items.ndim > 1 else taken
                first[0] = FirstRow(first[0], rows)
            self._list = iter(taken)
            yield self._list
        self.ended = True


def short(value: object) -> str:
    """Return a value as text for messages, on one line.

    Examples:
        >>> short("max_weight(True:\\n  1)"), short([1, 2])
        ('max_weight(True: 1)', '[1, 2]')
    """
    text = " ".join(value.split()) if isinstance(value, str) else repr(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
