"""Provide row positions for a DataLoader: a new draw each epoch, divided among processes, resumable.

`epochs` draws; `dataset` converts rows to tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from tql_frames.errors import TQLError
from tql_frames.frames import Rows
from tql_frames.pipeline.draw import DESIGNS, Design, DrawSpec, check_flag, named_constructor
from tql_frames.pipeline.weights import SamplerLike, Weights
from tql_frames.sampling import Positions
from tql_frames.torch.epochs import (
    WEIGHTS_KEYS,
    Epochs,
    check_whole,
    given_sampler,
    readable,
    rows_from,
    values_from,
)
from tql_frames.torch.iteration import Pass, WeightSpan
from tql_frames.torch.shares import SharedSampler, short

_OTHERS = {"batch_size": "TQLBatchSampler", "shares": "MixedSampler"}  # keys in states of other samplers
_SET_FIRST = "call set_weights first, with the weights that the other sampler had"


@named_constructor
class TQLSampler(SharedSampler[int]):
    """Row positions drawn by weight, for `DataLoader(dataset, sampler=…)`.

    Each iteration is the next epoch, from 0 on, with another sample; `set_epoch` sets the number of the next one.
    Epoch 0 has the rows of `frame.tql.sample(sampler, limit, replace=replace, seed=seed)`, epoch e those of the same
    call with `seed=self.seed_of(e)`. They are in the order drawn; without replacement, where rows of great weight are
    drawn first, in a random order.

    With several processes, each draws the whole sample and takes every n-th row of it: no draw is used by two of them,
    and together they have exactly the sample of one process. If it does not divide evenly, the first processes have one
    row more than the others.

    Args:
        frame: a Polars DataFrame or LazyFrame, a pandas DataFrame, or a `View`. The weights of its rows are computed at
            once. It is kept for `set_weights`. A copy, for example in a process that is not forked, has only NumPy
            arrays, and for a sampler with `random()` the columns that it names.
        sampler: the weight of a row, as in `tql_frames.sample`.
        limit: rows to draw for an epoch, by all processes together; by default the number of rows of the frame.
        replace: with or without replacement.
        design: as in `tql_frames.sample`, except `"poisson"`, whose size is random.
        seed: whole number >= 0, the same in all processes.
        num_replicas: number of processes; by default that of `torch.distributed` if it is initialised, otherwise 1.
        rank: number of this process, from 0; the default is like that of `num_replicas`.
        drop_last: omit the last rows, fewer than there are processes, so that all have the same number.
        parameters: a value for each `?` of the text, in order.

    Raises:
        TQLError: wrong arguments, or weights that cannot be used for a draw.

    Warns:
        TQLWarning: fewer rows have a positive weight than were requested without replacement.

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

    fixed = frozenset(
        (
            *("num_samples", "replacement", "generator", "data_source"),  # attributes of WeightedRandomSampler
            *("frame", "sampler", "limit", "replace", "seed", "drop_last"),
        )
    )

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
        super().__init__(seed, num_replicas, rank, drop_last)
        spec = DrawSpec.checked(limit, None, replace, self._seed, design=design)
        if spec.design == "poisson":
            hint = "use design='systematic', which has the same inclusion and a fixed size"
            raise TQLError(
                "design='poisson' gives another number of rows in each epoch, and loaders ask for one", hint=hint
            )
        self._frame: Rows | None = readable(frame)
        self._epochs = Epochs(self._frame, given_sampler(sampler, parameters), spec)  # weights of the next epoch
        self._given = [self._epochs]  # weights that a state may name
        self._spans: list[WeightSpan] = []  # for the rest of the epoch that `load_state_dict` continues
        self._pass: Pass | None = None

    def draw(self, epoch: int) -> Positions:
        """Return the row positions of an epoch's sample, those of all processes, shape (n,).

        They are drawn by `weights`. An epoch in which the weights were changed has other rows.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> draws.draw(0).tolist()
            [0, 0, 2, 2, 0, 0]
        """
        return self._epochs.positions(check_whole("epoch", epoch))

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next iteration draws; the epoch of `load_state_dict` continues where it stopped.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> draws.set_epoch(1)
            >>> list(draws)
            [2, 2, 2, 2, 2, 0]
        """
        number = check_whole("epoch", epoch)
        if number != self._next[0]:
            self._next, self._spans = (number, 0), []
        self._pass = None

    def state_dict(self, seen: int | None = None) -> dict[str, Any]:
        """Return the state of the iteration for `load_state_dict`: a dict of numbers, and the text of the sampler.

        If the weights are an array or were updated, it has a digest of them, not the weights. If other weights draw
        remaining rows of the epoch, `changes` has the first row of each; if others are set for the next epoch, `next`
        has them. The state is the same in all processes that have made the same progress, for any number of them.

        Args:
            seen: items that this process took from its DataLoader since the iteration began. A loader with workers
                fetches items in advance, and the sampler cannot count these; `StatefulDataLoader` of torchdata can.

        Raises:
            TQLError: rows after those of `seen` were drawn by weights that `update` has changed since.

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
        spans = self._spans or [WeightSpan(done, self._epochs)]
        if self._pass is not None:
            epoch, done = self._pass.epoch, self._pass.done(seen)
            spans = self._pass.spans_from(done)
        first, *others = (span.identity() for span in spans)
        changes = [{"done": span.first, **each} for span, each in zip(spans[1:], others, strict=True)]
        newest = self._epochs.identity()
        return {
            "epoch": epoch,
            "done": done,
            **self._request(),
            **first,
            **({} if self._epochs.spec.is_plain else {"design": self._epochs.spec.design}),
            **({"changes": changes} if changes else {}),
            **({} if newest == [first, *others][-1] else {"next": newest}),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the next iteration where another one stopped: the rest of its epoch, which may be empty.

        If the other sampler used `set_weights` or `update`, set these weights first, in the same order.

        Args:
            state: a result of `state_dict`.

        Raises:
            TQLError: it is the state of another sampler (the message names the difference), it needs weights that were
                not set, or it is not a state.

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
        if kind := next((kind for key, kind in _OTHERS.items() if key in state), None):
            raise TQLError(f"this is the state of a {kind}, not of a TQLSampler")
        spec = self._epochs.spec
        state = {"design": DESIGNS[spec.replace][0], **state}  # states name only other designs
        own = {**self._request(), "design": spec.design}
        missing = {"epoch", "done", *own} - set(state)
        if missing:
            raise TQLError(f"this is no state of a TQLSampler: it has no {min(missing)!r}")
        others = {name for name in own if type(state[name]) is not type(own[name]) or state[name] != own[name]}
        weights, unknown = self._known(state)
        if others or weights is None:
            own |= self._epochs.identity()
            names = [name for name in [*own, *WEIGHTS_KEYS] if name in others or name in unknown]
            told = (f"its {name} is {short(state.get(name))}, here it is {short(own.get(name))}" for name in names)
            message = f"the state is that of another sampler: {'; '.join(dict.fromkeys(told))}"
            raise TQLError(message, hint=None if others else _SET_FIRST)
        epoch, done = check_whole("epoch", state["epoch"]), check_whole("done", state["done"])
        spans = [WeightSpan(done, weights)]
        for change in state.get("changes", ()):
            if not isinstance(change, Mapping) or "done" not in change:
                raise TQLError("this is no state of a TQLSampler: one of its changes has no 'done'")
            spans.append(WeightSpan(check_whole("done", change["done"]), self._known_or_refused(change)))
        self._epochs = self._known_or_refused(state["next"]) if "next" in state else spans[-1].weights or weights
        self._given.append(self._epochs)
        self._next, self._spans, self._pass = (epoch, done), spans, None

    def _known(self, state: Mapping[str, Any]) -> tuple[Epochs | None, list[str]]:
        """Return the weights of this sampler that a state names; if there are none, None and the keys that differ."""
        for known in reversed(self._given):
            if not known.differences(state):
                return known.by_rows() if state.get("updated") and not known.is_updated else known, []
        return None, self._epochs.differences(state)

    def _known_or_refused(self, state: Mapping[str, Any]) -> Epochs:
        weights, unknown = self._known(state)
        if weights is None:
            told = ", ".join(f"{name} {short(state.get(name))}" for name in unknown)
            raise TQLError(f"the state has weights that this sampler was not given: {told}", hint=_SET_FIRST)
        return weights

    @property
    def weights(self) -> Weights:
        """Weights of the rows for the next epoch: shape (n,), read-only.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> draws.weights
            array([1., 0., 1.])
        """
        found = self._epochs.weights(self.epoch)
        if self._epochs.is_updated:  # `update` changes them in place
            found = found.copy()
            found.flags.writeable = False
        return found

    def set_weights(
        self, sampler: SamplerLike, *, parameters: Sequence[object] | None = None, now: bool = False
    ) -> None:
        """Draw by other weights from the next epoch on.

        Several processes have to set the same weights, after the same number of rows. The rows that follow are those
        of the same places in the sample that the new weights draw for the epoch.

        Args:
            sampler: the weight of a row, as in the constructor: text for the frame of the sampler, or a weight
                per row. A copy of a sampler has no frame, and takes only weights.
            parameters: a value for each `?` of the text, in order.
            now: draw by them from the next row on, in the current epoch. A DataLoader with workers has already fetched
                some batches, which do not change.

        Raises:
            TQLError: wrong arguments, or weights that cannot be used for a draw; or now=True in the middle of an epoch
                without replacement, or with another design than `"independent"`.

        Warns:
            TQLWarning: fewer rows have a positive weight than were requested without replacement.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> rows = iter(draws)
            >>> next(rows), next(rows), next(rows)
            (0, 0, 2)
            >>> draws.set_weights([0.0, 1.0, 0.0], now=True)
            >>> list(rows), list(draws)
            ([1, 1, 1], [1, 1, 1, 1, 1, 1])
        """
        check_flag("now", now)
        running = self._running
        spec = self._epochs.spec
        if now and (running or self._next[1]) and not (spec.replace and spec.is_default):
            how = f"design={spec.design!r}" if spec.replace else "replace=False"
            message = f"expected now=False with {how}, whose rows of an epoch are drawn together, got now=True"
            raise TQLError(message, hint="leave out now=: the weights apply from the next epoch on")
        given = given_sampler(sampler, parameters)
        new = self._epochs.again(self._frame, given)
        if self._pass is not None:
            self._given = [span.weights for span in self._pass.spans if span.weights is not None]
        if now and running is not None:
            running.draw_by(new)
        if now or not self._next[1]:
            self._spans = []
        self._epochs = new
        self._given.append(new)

    def update(self, indices: Any, values: Any) -> None:
        """Change the weights of some rows, from the next draw on: importance sampling by losses, for example.

        The time grows with the number of these rows, not of all rows. If `set_weights` has set other weights for the
        next epoch, these are changed. Several processes have to make the same changes, after the same number of rows.
        A DataLoader with workers has already fetched some batches, which do not change; with `num_workers=0` the
        next batch is drawn by the new weights.

        Args:
            indices: positions of the rows: a list, array or tensor. For a position that appears twice, the last value
                counts.
            values: one weight per row, finite and at least 0, or one for all; a tensor is used without its gradient.

        Raises:
            TQLError: wrong arguments; or a sampler without replacement, with another design than `"independent"`, or
                with `random()`.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", limit=6, seed=1)
            >>> rows = iter(draws)
            >>> next(rows), next(rows), next(rows)
            (0, 0, 2)
            >>> draws.update([0, 2], [0.0, 0.5])
            >>> list(rows), draws.weights.tolist()
            ([2, 2, 2], [0.0, 0.0, 0.5])
        """
        epochs = self._epochs
        if not (epochs.spec.replace and epochs.spec.is_default):
            how = f"design={epochs.spec.design!r}" if epochs.spec.replace else "replace=False"
            message = f"expected a sampler with replacement and design='independent' for update, got {how}"
            raise TQLError(message, hint="call set_weights, whose weights apply from the next epoch on")
        if epochs.is_random:
            message = (
                "expected weights that stay for update, got a sampler with random(), which has others in each epoch"
            )
            raise TQLError(message, hint="call set_weights(sampler.weights) first")
        rows = rows_from(indices, epochs.rows)
        weights = values_from(values, rows)
        if not rows.size:
            return
        epochs.update(rows, weights)
        if self._pass is not None:
            self._pass.follow(epochs)  # also after its end: seen= may be less than what a loader has requested

    def expected(self, indices: Any) -> Weights:
        """Return how often each of some rows is expected in an epoch's sample, shape (k,), as `View.expected` does.

        1 / expected is the weight of a drawn row for unbiased totals (Horvitz & Thompson 1952, Journal of the American
        Statistical Association 47:663; with replacement Hansen & Hurwitz 1943, The Annals of Mathematical Statistics
        14:333). The mean over a batch of `loss * limit / (rows * expected)` has the mean loss of all rows as its
        expectation. The weights are those of the next draw: call `expected` before `update` changes them.

        Args:
            indices: positions of the rows: a list, array or tensor.

        Raises:
            TQLError: they are not positions of rows.

        Examples:
            >>> import polars as pl
            >>> draws = TQLSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 3, True: 2)", limit=4)
            >>> draws.expected([0, 1])
            array([1.5, 1. ])
        """
        epochs, epoch = self._first_weights, self.epoch
        if self._pass is not None:
            epochs, epoch = self._pass.weights, self._pass.epoch
        return epochs.expected(epoch, rows_from(indices, epochs.rows))

    @property
    def _running(self) -> Pass | None:
        return None if self._pass is None or self._pass.ended else self._pass

    def __len__(self) -> int:
        """Return the number of rows of this process in an epoch."""
        running = self._running
        if running is not None:
            return len(self._share(running.epoch, 0, running.weights))
        return len(self._share(self._next[0], 0, self._first_weights))

    @property
    def _first_weights(self) -> Epochs:
        """Weights of the first row of the next iteration."""
        return (self._spans[0].weights if self._spans else None) or self._epochs

    def __iter__(self) -> Iterator[int]:
        """Return the row positions of this process; after `load_state_dict`, the remaining ones."""
        epoch, first = self._next
        self._pass = None
        if first and not self._share(epoch, first, self._first_weights):
            # Now, not with the first position that is requested: torchdata creates an iterator for an epoch that ended,
            # finds it empty, and creates another one for the next epoch.
            self._pass = Pass(epoch, first, range(0), self._begun(), ended=True)
            return iter(())
        return chain.from_iterable(self._lists())

    def _lists(self) -> Iterator[Iterator[int]]:
        # Begins with the first position that is requested: an iterator that is only created does not use up an epoch.
        epoch, first = self._next
        share = self._share(epoch, first, self._first_weights)
        self._pass = now = Pass(epoch, first, share, self._begun())
        yield from now.lists()

    def _begun(self) -> list[WeightSpan]:
        """Begin the next iteration, and return its weights."""
        epoch, first = self._next
        spans = self._spans or [WeightSpan(first, self._epochs)]
        self._next, self._spans = (epoch + 1, 0), []
        self._given = [*(span.weights for span in spans if span.weights is not None), self._epochs]
        return spans

    def _share(self, epoch: int, first: int, weights: Epochs) -> range:
        """Return the places of this process in an epoch's sample, from `first` on."""
        return self._share_of(weights.weighed(epoch).size, first)

    def _request(self) -> dict[str, Any]:
        """Return what two samplers must have in common, besides weights, for one to continue from the other's state."""
        spec = self._epochs.spec
        return {"seed": spec.seed, "limit": spec.limit, "replace": spec.replace, "rows": self._epochs.rows}

    def __repr__(self) -> str:
        epochs = self._epochs
        size, how = self._epochs.weighed(self.epoch).size, "with" if epochs.spec.replace else "without"
        parts = [
            f"{size:,} of {epochs.rows:,} row{'s' * (epochs.rows != 1)}",
            f"{how} replacement",
        ]
        return f"TQLSampler({short(epochs.text)}: {self._described(parts)})"

    def __getstate__(self) -> dict[str, object]:
        # A copy continues from the current state: with the next iteration, or within the one that is running. Its
        # weights are copied, since `update` changes them in place.
        place, spans, running = self._next, self._spans, self._running
        if running is not None:
            place = running.epoch, running.done()
            spans = running.spans_from(place[1])
        copies = {id(each): each.copy() for each in [self._epochs, *self._given]}
        copies |= {
            id(each.weights): each.weights.copy() for each in spans if each.weights and id(each.weights) not in copies
        }
        return self.__dict__ | {
            "_frame": None,
            "_epochs": copies[id(self._epochs)],
            "_given": [copies[id(each)] for each in self._given],
            "_next": place,
            "_spans": [WeightSpan(each.first, copies[id(each.weights)]) for each in spans],
            "_pass": None,
        }
