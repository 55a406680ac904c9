"""Row positions for a DataLoader: a fresh draw each epoch, shared out among processes, resumable.

What is drawn is in `epochs`; rows become tensors in `dataset`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NoReturn

from torch.utils.data import Sampler

from tql_frames.errors import TQLError
from tql_frames.language import parse
from tql_frames.pipeline.draw import DESIGNS, Design, DrawSpec, check_flag, named_constructor, seed_of_epoch
from tql_frames.pipeline.weights import SamplerLike, sampler_from
from tql_frames.sampling import Positions
from tql_frames.torch.epochs import Epochs, check_whole, processes, readable

_LIST = 65_536  # positions that are Python integers at a time: 20 million of them would take 800 megabytes


# What WeightedRandomSampler lets one set, and what this one was made of: set here, it would change nothing.
_FIXED = frozenset(
    (
        *("weights", "num_samples", "replacement", "generator", "data_source"),
        *("frame", "sampler", "limit", "replace", "seed", "num_replicas", "rank", "drop_last", "epoch"),
    )
)
_WIDTH = 80  # characters of a sampler that a text shows


@named_constructor
class TQLSampler(Sampler[int]):
    """Row positions drawn by weight, for `DataLoader(dataset, sampler=…)`.

    Each iteration is an epoch of its own, from 0 on, whose rows are drawn anew; `set_epoch` says which one is next.
    Epoch 0 has the rows of `frame.tql.sample(sampler, limit, replace=replace, seed=seed)`, epoch e those of the same
    call with `seed=self.seed_of(e)`. They come in the order drawn; without replacement, where rows of great weight are
    drawn first, in a random one.

    Of several processes each draws the whole sample and takes every n-th row of it: no draw goes to two of them, and
    together they have exactly the sample of one process. Where it does not divide evenly, the first processes have a
    row more than the others.

    Args:
        frame: a Polars DataFrame or LazyFrame, a pandas DataFrame, or a `View`, whose rows are weighed here and now.
            All that is kept are NumPy arrays, and for a sampler with `random()` the columns that it names.
        sampler: the weight of a row, as `tql_frames.sample` takes it.
        limit: rows to draw for an epoch, by all processes together; by default as many as the frame has.
        replace: with or without replacement.
        design: as `tql_frames.sample` takes it, but `"poisson"`, whose size is random.
        seed: whole number >= 0, the same in all processes.
        num_replicas: number of processes; by default that of `torch.distributed` where it is initialised, otherwise 1.
        rank: number of this process, from 0; by default as `num_replicas`.
        drop_last: leave out the last rows, fewer than there are processes, so that all have equally many.
        parameters: a value for each `?` of the text, in order.

    Raises:
        TQLError: wrong arguments, or weights that cannot be drawn by.

    Warns:
        TQLWarning: fewer rows have a positive weight than were asked for without replacement.

    Examples:
        >>> import polars as pl
        >>> df = pl.DataFrame({"age": [71, 34, 65]})
        >>> sampler = TQLSampler(df, "max_weight(age > 60: 1)", limit=6, seed=1)
        >>> list(sampler), list(sampler)
        ([0, 0, 2, 2, 0, 0], [2, 2, 2, 2, 2, 0])
        >>> sampler.set_epoch(0)
        >>> list(sampler)
        [0, 0, 2, 2, 0, 0]
    """

    def __init__(
        self,
        frame: object,
        sampler: SamplerLike,
        *,
        limit: int | None = None,
        replace: bool = True,
        design: Design | None = None,
        seed: int = 0,
        num_replicas: int | None = None,
        rank: int | None = None,
        drop_last: bool = False,
        parameters: Sequence[object] | None = None,
    ) -> None:
        """Weigh the rows; nothing is drawn yet."""
        check_flag("drop_last", drop_last)
        spec = DrawSpec.checked(limit, None, replace, check_whole("seed", seed), design=design)
        if spec.design == "poisson":
            hint = "use design='systematic', which has the same inclusion and a fixed size"
            raise TQLError(
                "design='poisson' gives another number of rows in each epoch, and loaders ask for one", hint=hint
            )
        self._epochs = Epochs(readable(frame), sampler_from(sampler, parameters), spec)
        self._drop_last = bool(drop_last)
        self._given = num_replicas, rank
        processes(num_replicas, rank)  # to say now what is wrong with them
        self._next = 0, 0  # epoch and rows done of the next iteration
        self._pass: _Pass | None = None

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration draws.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> first = list(draws)
            >>> draws.epoch
            1
        """
        return self._next[0]

    @property
    def num_replicas(self) -> int:
        """Number of processes that share the sample of an epoch.

        Examples:
            >>> import polars as pl
            >>> TQLSampler(pl.DataFrame({"age": [71, 34]}), "age", num_replicas=4, rank=1).num_replicas
            4
        """
        return processes(*self._given)[0]

    @property
    def rank(self) -> int:
        """Number of this process, from 0.

        Examples:
            >>> import polars as pl
            >>> TQLSampler(pl.DataFrame({"age": [71, 34]}), "age", num_replicas=4, rank=1).rank
            1
        """
        return processes(*self._given)[1]

    def seed_of(self, epoch: int) -> int:
        """Return the seed with which `frame.tql.sample` draws the rows of an epoch.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> draws.seed_of(0)
            1
        """
        return seed_of_epoch(self._epochs.spec.seed, epoch)

    def draw(self, epoch: int) -> Positions:
        """Return the row positions of an epoch's sample, those of all processes, shape (n,).

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> draws.draw(0).tolist()
            [0, 0, 2, 2, 0, 0]
        """
        return self._epochs.positions(check_whole("epoch", epoch))

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next iteration draws; the one that `load_state_dict` was in goes on where it stopped.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> draws.set_epoch(1)
            >>> list(draws)
            [2, 2, 2, 2, 2, 0]
        """
        number = check_whole("epoch", epoch)
        if number != self._next[0]:
            self._next = number, 0
        self._pass = None

    def state_dict(self, seen: int | None = None) -> dict[str, Any]:
        """Return the state of the iteration for `load_state_dict`: a dict of numbers, and the text of the sampler.

        It is the same in all processes that have come equally far, whatever their number.

        Args:
            seen: items that this process took from its DataLoader since the iteration began. A loader with workers asks
                for more than it has given out, which the sampler cannot know; `StatefulDataLoader` of torchdata can.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> rows = iter(draws)
            >>> next(rows), next(rows), next(rows)
            (0, 0, 2)
            >>> state = draws.state_dict()
            >>> state["epoch"], state["done"], state["sampler"]
            (0, 3, 'max_weight(age > 60: 1)')
        """
        epoch, done = self._next
        if self._pass is not None:
            epoch, done = self._pass.epoch, self._pass.done(None if seen is None else check_whole("seen", seen))
        return {"epoch": epoch, "done": done} | self._identity()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the next iteration where another one stopped: the rest of its epoch, which may be empty.

        Raises:
            TQLError: it is the state of another sampler, and what differs; or it is no state.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> rows = iter(draws)
            >>> next(rows), next(rows)
            (0, 0)
            >>> again = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> again.load_state_dict(draws.state_dict())
            >>> list(again)
            [2, 2, 0, 0]
        """
        if not isinstance(state, Mapping):
            raise TQLError(f"expected the state to be what state_dict returned, got {type(state).__name__}")
        spec = self._epochs.spec
        state = {"design": DESIGNS[spec.replace][0], **state}  # which only states of other designs name
        own = self._identity() | {"design": spec.design}
        missing = {"epoch", "done", *own} - set(state) - {"sampler"}  # states of older versions have no text
        if missing:
            raise TQLError(f"this is no state of a TQLSampler: it has no {min(missing)!r}")
        others = {name: state[name] for name in own if name in state and not self._agrees(name, state[name], own[name])}
        if others:
            told = "; ".join(
                f"its {name} is {_short(other)}, here it is {_short(own[name])}" for name, other in others.items()
            )
            raise TQLError(f"the state is that of another sampler: {told}")
        self._next = check_whole("epoch", state["epoch"]), check_whole("done", state["done"])
        self._pass = None

    def __len__(self) -> int:
        """Return rows of this process in an epoch."""
        epoch = self._next[0] if self._pass is None or self._pass.ended else self._pass.epoch
        return len(self._share(epoch, 0))

    def __iter__(self) -> Iterator[int]:
        """Return the row positions of this process, from the first that `load_state_dict` left."""
        epoch, first = self._next
        self._pass = None
        if first and not self._share(epoch, first):
            # Now, not with the first position that is asked for: torchdata makes an iterator for an epoch that ended,
            # sees that it did, and makes another for the next one.
            self._next = epoch + 1, 0
            self._pass = _Pass(epoch, first, range(0), ended=True)
            return iter(())
        return chain.from_iterable(self._lists())

    def _lists(self) -> Iterator[Iterator[int]]:
        # Begins with the first position that is asked for: an iterator that is only made takes no epoch.
        epoch, first = self._next
        self._next = epoch + 1, 0
        share = self._share(epoch, first)
        self._pass = now = _Pass(epoch, first, share)
        yield from now.lists(self._epochs.positions(epoch)[share.start : share.stop : share.step])

    def _share(self, epoch: int, first: int) -> range:
        """Return places in an epoch's sample that fall to this process, of those from `first` on."""
        number, rank = processes(*self._given)
        size = self._epochs.weighed(epoch).size
        if self._drop_last:
            size -= max(size - first, 0) % number
        return range(min(first + rank, size), size, number)

    def _identity(self) -> dict[str, Any]:
        """Return what two samplers must have in common for one to go on where the other stopped."""
        epochs = self._epochs
        own = {
            "seed": epochs.spec.seed,
            "limit": epochs.spec.limit,
            "replace": epochs.spec.replace,
            "rows": epochs.rows,
            "sampler": epochs.text,
            **epochs.values,
        }
        return own if epochs.spec.is_plain else {**own, "design": epochs.spec.design}

    def _agrees(self, name: str, other: Any, own: Any) -> bool:
        """Return whether a state was of such a sampler; of texts, how they are written does not count."""
        if name != "sampler" or not isinstance(other, str) or self._epochs.is_expression:
            return type(other) is type(own) and bool(other == own)
        try:
            return parse(other) == parse(own)
        except TQLError:
            return False

    @property
    def weights(self) -> NoReturn:
        """Absent: weights cannot be read or replaced; make another sampler.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> hasattr(draws, "weights")
            False
        """
        raise AttributeError("a TQLSampler keeps no weights by row; df.tql.weights(sampler) computes them")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED:
            if name == "epoch":
                raise AttributeError("epoch of a TQLSampler cannot be set: call set_epoch")
            how = "TQLSampler(frame, 'column_of_weights', …)" if name == "weights" else "TQLSampler(frame, sampler, …)"
            also = "put the weights into a column of the frame, and " if name == "weights" else ""
            raise AttributeError(f"{name} of a TQLSampler cannot be set: {also}make another sampler: {how}")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        epochs, (number, rank) = self._epochs, processes(*self._given)
        size, how = self._epochs.weighed(self.epoch).size, "with" if epochs.spec.replace else "without"
        parts = [
            f"{size:,} of {epochs.rows:,} row{'s' * (epochs.rows != 1)}",
            f"{how} replacement",
            f"seed {epochs.spec.seed}",
            f"epoch {self.epoch}",
        ]
        if number > 1:
            parts.append(f"rank {rank} of {number}")
        return f"TQLSampler({_short(epochs.text)}: {', '.join(parts)})"

    def __getstate__(self) -> dict[str, object]:
        # A copy goes on where this one is: with the next iteration, or in the one that is running.
        running = self._pass is not None and not self._pass.ended
        place = operator.itemgetter("epoch", "done")(self.state_dict()) if running else self._next
        return self.__dict__ | {"_next": place, "_pass": None}


class _Pass:
    """An iteration over the share of this process, and how far it is."""

    def __init__(self, epoch: int, first: int, share: range, ended: bool = False) -> None:
        self.epoch = epoch
        self.ended = ended
        self._first, self._share = first, share
        self._stop = 0  # of the list that is being read
        self._list: Iterator[int] = iter([])

    def lists(self, own: Positions) -> Iterator[Iterator[int]]:
        """Yield the positions of this process, as iterators over lists of them."""
        for start in range(0, len(own), _LIST):
            taken = own[start : start + _LIST].tolist()
            self._stop, self._list = start + len(taken), iter(taken)
            yield self._list
        self.ended = True

    def done(self, seen: int | None) -> int:
        """Return rows of the epoch's sample that all processes are done with, when this one has seen so many."""
        if seen is None:  # a list's iterator knows how many are left, so that nothing has to count
            seen = self._stop - operator.length_hint(self._list)
        return self._first + min(seen, len(self._share)) * self._share.step


def _short(value: object) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else repr(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
