"""Draw a sample for every epoch from rows that are weighed once, and number the processes.

Only NumPy arrays are kept of a frame, so that a forked process, where Polars would hang, can draw; except for samplers
with `random()`, whose weights differ by epoch.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import polars as pl
import torch.distributed

from tql_frames.compiler.expressions.scope import column
from tql_frames.errors import TQLError, WeightError
from tql_frames.frames import Frame, PolarsFrame, Rows, kept_frame_of
from tql_frames.frames.polars import check_process
from tql_frames.language import BoundText, nodes, parse
from tql_frames.language.parameters import plain
from tql_frames.pipeline.draw import (
    Draw,
    DrawSpec,
    drawn,
    random_numbers,
    seed_of_epoch,
    shuffled,
    warn_of_fewer,
    whole_number,
)
from tql_frames.pipeline.groups import Grouped
from tql_frames.pipeline.idle_arms import warn_of_categories, warn_of_idle_arms
from tql_frames.pipeline.weights import GivenWeights, Weigher, Weights, sampler_from, weights_digest, weights_text
from tql_frames.sampling import ChangingWeights, Integers, Positions, Strata, stratify
from tql_frames.sampling.strata import drawable_in, weights_of
from tql_frames.views.drawn_view import View

WEIGHTS_KEYS = ("sampler", "parameters", "weights", "updated")  # keys of the identity of weights


class FirstRow(int):
    """The first row position of an iteration, with the number of rows that it was drawn from, for data sets.

    Copies and files have a plain int; only positions that a loader sends to its workers keep the number of rows.

    Examples:
        >>> first = FirstRow(3, 100)
        >>> first + 1, first.rows
        (4, 100)
    """

    rows: int

    def __new__(cls, position: int, rows: int) -> FirstRow:
        """Create a position among `rows` rows."""
        made = super().__new__(cls, position)
        made.rows = rows
        return made

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


ForkingPickler.register(FirstRow, lambda first: (FirstRow, (int(first), first.rows)))


def processes(number: int | None = None, rank: int | None = None) -> tuple[int, int]:
    """Return the number of processes, and the number of this process, from 0.

    Args:
        number: number of processes; None for that of `torch.distributed` if it is initialised, otherwise 1.
        rank: number of this process; None likewise, otherwise 0.

    Raises:
        TQLError: there is no process with this number.

    Examples:
        >>> processes(), processes(4, 3)
        ((1, 0), (4, 3))
    """
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    if rank is None and not ready and number is not None and check_whole("num_replicas", number, 1) > 1:
        message = f"num_replicas={number} needs rank=, as torch.distributed is not initialised"
        raise TQLError(message, hint=f"pass a rank from 0 to {number - 1}")
    if number is None:
        number = torch.distributed.get_world_size() if ready else 1
    if rank is None:
        rank = torch.distributed.get_rank() if ready else 0
    number, rank = check_whole("num_replicas", number, 1), check_whole("rank", rank)
    if rank >= number:
        raise TQLError(f"rank is {rank}, but of {number} processes the last is number {number - 1}")
    return number, rank


def check_whole(name: str, value: Any, least: int = 0) -> int:
    """Return a whole number of any library as an int.

    Raises:
        TQLError: it is something else, or less than `least`.

    Examples:
        >>> check_whole("epoch", True)
        Traceback (most recent call last):
            ...
        tql_frames.TQLError: expected epoch= to be a whole number of at least 0, got True
    """
    number = whole_number(value)
    if number is None or number < least:
        raise TQLError(f"expected {name}= to be a whole number of at least {least}, got {value!r}")
    return number


def checked_seen(seen: object, given: int, whole: int) -> int:
    """Return how many items a process has seen since an iteration began; for None, all items that it received.

    Args:
        seen: the caller's argument; if the last batch is smaller, it may be slightly greater than the number of items.
        given: items that were taken so far.
        whole: items of the iteration.

    Raises:
        TQLError: the process did not receive that many items.

    Examples:
        >>> checked_seen(None, 10, 100), checked_seen(8, 10, 100), checked_seen(128, 100, 100)
        (10, 8, 100)
    """
    if seen is None:
        return given
    number = check_whole("seen", seen)
    if number > given and given < whole:
        message = f"expected seen= to be at most {given:,}, what was taken since the iteration began, got {number:,}"
        raise TQLError(message, hint="count rows for a TQLSampler, and batches for a TQLBatchSampler")
    return min(number, given)


@dataclass(frozen=True)
class Weighed:
    """Rows with their weights.

    Attributes:
        rows: number of rows.
        population: their strata, or their weights.
        size: number of rows to draw.
    """

    rows: int
    population: Strata | Weights
    size: int


class Epochs:
    """The samples of all epochs."""

    def __init__(self, frame: Rows, sampler: str | pl.Expr | GivenWeights, spec: DrawSpec) -> None:
        """Weigh the rows; nothing is drawn yet.

        Args:
            frame: the rows.
            sampler: the sampler, as returned by `sampler_from`.
            spec: the request for the rows of epoch 0; `seed_of_epoch` returns the seeds of the others.

        Raises:
            TQLError: the sampler does not fit the frame, its weights are invalid, or no row can be drawn.

        Warns:
            TQLWarning: without replacement, fewer rows have a positive weight than were requested.
        """
        self.spec = spec
        self.text, self.is_expression = str(sampler), not isinstance(sampler, str)
        self.values: dict[str, Any] = {}  # parts of the identity that are not in the text
        self._given = isinstance(sampler, GivenWeights)
        self._changing: ChangingWeights | None = None
        self._expected: tuple[int, Weights] | None = None  # an epoch, and the expected draws of each row in it
        if isinstance(sampler, BoundText):
            self.values["parameters"] = [plain(each) for each in sampler.parameters]
        calls: list[int] = []
        numbers = random_numbers(spec.seed)

        def noted(call: int) -> pl.Expr:
            calls.append(call)
            return numbers(call)

        weigher = Weigher.of(sampler, frame, noted)
        warn_of_categories(weigher.sampler)
        self._weighed = 0, _weigh(frame, weigher, spec, first=True)
        self._anew = _Anew(frame, weigher, spec) if calls else None

    @property
    def rows(self) -> int:
        """Number of rows in the population."""
        return self._weighed[1].rows

    def weighed(self, epoch: int) -> Weighed:
        """Return the rows with their weights in an epoch."""
        if self._anew is not None and self._weighed[0] != epoch:
            self._weighed = epoch, self._anew.weigh(seed_of_epoch(self.spec.seed, epoch))
        return self._weighed[1]

    def positions(self, epoch: int) -> Positions:
        """Return the row positions of an epoch's sample, shape (size,), in the order for training.

        With replacement, that is the order drawn. Without, rows of great weight are drawn first, so they are shuffled.
        """
        weighed = self.weighed(epoch)
        if not weighed.size:
            return np.empty(0, np.uint32)
        seed = seed_of_epoch(self.spec.seed, epoch)
        if self._changing is not None:
            return self._changing.draw(weighed.size, seed=seed)
        found = drawn(weighed.population, None, np.array([weighed.size]), self.spec, seed=seed)
        return shuffled(found, seed) if self.spec.design == "successive" else found

    def rows_at(self, epoch: int, places: range) -> Positions:
        """Return the row positions in a range of an epoch's sample."""
        if self._changing is None or not places:
            return self.positions(epoch)[places.start : places.stop : places.step]
        seed = seed_of_epoch(self.spec.seed, epoch)
        drawn = self._changing.draw(places[-1] + 1 - places.start, seed=seed, start=places.start)
        return drawn[:: places.step]

    def weights(self, epoch: int) -> Weights:
        """Return the weights of the rows in an epoch, shape (n,), read-only."""
        if self._changing is not None:
            return self._changing.weights
        found = weights_of(self.weighed(epoch).population).view()
        found.flags.writeable = False
        return found

    def expected(self, epoch: int, rows: Integers) -> Weights:
        """Return the expected draws of some rows in an epoch's sample, shape (k,)."""
        size = self.weighed(epoch).size
        if self._changing is not None:
            return size * self._changing.shares(rows)
        if self._expected is None or self._expected[0] != epoch:
            grouped = Grouped(self.weighed(epoch).population, None, None, None)
            found = grouped.expected(np.array([size]), self.spec.design, replace=self.spec.replace)
            self._expected = epoch, found[0]
        return self._expected[1].take(rows)

    @property
    def is_random(self) -> bool:
        """Whether weights differ by epoch, as in a sampler with `random()`."""
        return self._anew is not None

    @property
    def is_updated(self) -> bool:
        """Whether some weights were changed by `update`, so that each row is a stratum of its own."""
        return self._changing is not None

    def update(self, rows: Integers, weights: Weights) -> None:
        """Change the weights of some rows.

        Args:
            rows: shape (k,), positions from 0.
            weights: shape (k,), finite, >= 0.

        Raises:
            WeightError: no row would have a positive weight.
        """
        changing = self._changing or ChangingWeights(self.weights(0))
        if not changing.update(rows, weights):
            message = f"no row can be drawn: the weight would be 0 in all {self.rows:,} rows"
            raise WeightError(message, hint="leave one row a positive weight")
        self.values = {}
        if self._changing is None:
            self._hold(changing)
            self.text, self.is_expression = weights_text(self.rows), True

    def by_rows(self) -> Epochs:
        """Return the same weights with each row as its own stratum, as after `update`."""
        found = self.copy()
        if found._changing is None:
            found._hold(ChangingWeights(self.weights(0)))
        return found

    def copy(self) -> Epochs:
        """Return a copy of the weights, which `update` of the original does not change."""
        found = copy.copy(self)
        if found._changing is not None:
            found._hold(found._changing.copy())
        return found

    def again(self, frame: Rows | None, sampler: str | pl.Expr | GivenWeights) -> Epochs:
        """Return other weights of the same rows.

        Args:
            frame: the rows; None for a copy in another process, which accepts only a weight for each row.
            sampler: the sampler, as returned by `sampler_from`.

        Raises:
            TQLError: as the constructor; or there is no frame, and the sampler needs one.
        """
        if frame is None:
            if not isinstance(sampler, GivenWeights) or sampler.labels is not None:
                message = "expected a list or an array of weights, as a copy of a sampler has no frame"
                raise TQLError(message, hint="pass frame.tql.weights(sampler).to_numpy()")
            frame = PolarsFrame(pl.DataFrame({"": np.empty(self.rows, np.uint8)}))
        return Epochs(frame, sampler, self.spec)

    def _hold(self, changing: ChangingWeights) -> None:
        if self._changing is not changing:  # releases the strata or the array
            self._changing, self._weighed = changing, (0, replace(self._weighed[1], population=np.empty(0)))

    def identity(self) -> dict[str, Any]:
        """Return what identifies these weights: the text of the sampler, its values, or the digest of an array."""
        if not self.values and (self._given or self._changing is not None):
            self.values = {"weights": weights_digest(self.weights(0))}
        updated = {} if self._changing is None else {"updated": True}
        return {"sampler": self.text, **self.values, **updated}

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Return the keys in which another identity differs; texts that differ only in notation are equal.

        Args:
            other: a result of `identity`.
        """
        own = self.identity()
        names = [name for name in WEIGHTS_KEYS if name in own or name in other]
        return [name for name in names if not self._agrees(name, other, own)]

    def _agrees(self, name: str, others: Mapping[str, Any], owns: Mapping[str, Any]) -> bool:
        other, own = others.get(name), owns.get(name)
        if name == "sampler" and name not in others:
            return True  # states of older versions have no text
        if name == "updated":
            return own is None or other is True  # weights without updates can be drawn row by row, too
        if name != "sampler" or not isinstance(other, str) or self.is_expression:
            return type(other) is type(own) and bool(other == own)
        try:
            return parse(other) == parse(self.text)
        except TQLError:
            return False

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_expected": None}  # it is computed again


def array_of(value: Any) -> Any:
    """Return a tensor as an array, from any device and without its gradient; other values unchanged.

    Examples:
        >>> array_of(torch.tensor([0.5, 2.0], requires_grad=True))
        array([0.5, 2. ])
    """
    if not isinstance(value, torch.Tensor):
        return value
    plain = value.detach().cpu()
    return (plain.double() if plain.is_floating_point() else plain).numpy()


def given_sampler(value: Any, parameters: Sequence[object] | None = None) -> str | pl.Expr | GivenWeights:
    """Return a sampler as `sampler_from` does; tensors are weights, too.

    Raises:
        TQLError: it is not a sampler; or it needs Polars, in a process that cannot run Polars.

    Examples:
        >>> given_sampler(torch.tensor([0.5, 2.0])).values.to_list()
        [0.5, 2.0]
    """
    weights = array_of(value)
    if not isinstance(weights, np.ndarray):
        check_process()
    found: str | pl.Expr | GivenWeights = sampler_from(weights, parameters)
    return found


def rows_from(indices: Any, rows: int) -> Integers:
    """Return positions of rows, shape (k,).

    Args:
        indices: list, array or tensor of whole numbers.
        rows: number of rows of the frame.

    Raises:
        TQLError: they are not whole numbers, or there is no such row.

    Examples:
        >>> rows_from([0, 3], 3)
        Traceback (most recent call last):
            ...
        tql_frames.TQLError: expected indices= to be row positions from 0 to 2, got 3
    """
    found = np.asarray(array_of(indices))
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        what = f"an array of shape {found.shape}" if found.ndim != 1 else f"values of type {found.dtype}"
        raise TQLError(f"expected indices= to be a list of row positions, got {what}")
    found = found.astype(np.int64, copy=False)
    if found.size and np.maximum.reduce(found.view(np.uint64)) >= rows:  # also true if one is negative
        wrong = int(found[(found < 0) | (found >= rows)][0])
        raise TQLError(f"expected indices= to be row positions from 0 to {rows - 1:,}, got {wrong:,}")
    return found


def values_from(values: Any, rows: Integers) -> Weights:
    """Return a weight for each of some rows, shape (k,).

    Args:
        values: list, array or tensor of numbers, or one number for all rows.
        rows: shape (k,).

    Raises:
        TQLError: they are not numbers, or not one per row.
        WeightError: a weight is negative, NaN or infinite.

    Examples:
        >>> values_from(-1.0, np.array([0, 3]))
        Traceback (most recent call last):
            ...
        tql_frames.WeightError: expected values= to be finite and at least 0, got -1.0 for row 0
    """
    found = np.asarray(array_of(values))
    if found.dtype.kind not in "iufb":
        raise TQLError(f"expected values= to be numbers, got values of type {found.dtype}")
    found = found.astype(np.float64, copy=False)
    if found.ndim == 0:
        found = np.full(rows.shape, found)
    if found.shape != rows.shape:
        shape = f"{len(found):,}" if found.ndim == 1 else f"an array of shape {found.shape}"
        raise TQLError(f"expected values= to be {len(rows):,} weights, one for each index, got {shape}")
    if found.size and not (np.minimum.reduce(found) >= 0 and np.maximum.reduce(found) < np.inf):
        place = int((~((found >= 0) & (found < np.inf))).argmax())
        wrong = f"{float(found[place])!r} for row {int(rows[place]):,}"
        raise WeightError(f"expected values= to be finite and at least 0, got {wrong}")
    return found


def _weigh(frame: Rows, weigher: Weigher, spec: DrawSpec, *, first: bool = False) -> Weighed:
    population, watched = weigher.watched(frame)
    if not isinstance(population, Strata):
        population = stratify(population) or population  # once, instead of in every epoch
    number = Draw(weigher, spec).checked_size(population, frame.rows)
    if first and number:
        warn_of_idle_arms(weigher.sampler, frame, watched)
    if not spec.replace:
        drawable = drawable_in(population)
        if drawable < number:
            warn_of_fewer(number, drawable)
            number = drawable
    return Weighed(frame.rows, population, number)


class _Anew:
    """The columns of a sampler with `random()`, for weighing rows again in each epoch."""

    def __init__(self, frame: Rows, weigher: Weigher, spec: DrawSpec) -> None:
        assert not isinstance(weigher.sampler, pl.Expr)
        self._text, self._spec = weigher.sampler.source, spec
        names = [name for name in nodes.names_in(weigher.sampler.tree) if name in frame.schema]
        self._frame = frame.evaluate({name: column(name) for name in names} or {"": pl.lit(None)})
        self._process = os.getpid()

    def weigh(self, seed: int) -> Weighed:
        if os.getpid() != self._process:
            message = "a sampler with random() weighs the rows for each epoch, which a forked process cannot do"
            hint = "start the processes by spawn or forkserver, or make the sampler in each of them"
            raise TQLError(message, hint=hint)
        frame = PolarsFrame(self._frame)
        return _weigh(frame, Weigher.of(self._text, frame, random_numbers(seed)), self._spec)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_process"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _process=os.getpid())


@dataclass(frozen=True)
class Origin:
    """The source of the rows of a data set.

    Attributes:
        source: a frame.
        positions: positions of the rows, in their order, shape (k,); None for all.
        labels: labels of the columns.
        names: names of the columns in the frame, by their labels; labels of pandas may not be text.
    """

    source: Frame
    positions: Positions | None
    labels: Sequence[object]
    names: Mapping[str, str]

    @property
    def is_plan(self) -> bool:
        """Whether the frame is a LazyFrame."""
        return isinstance(self.source.native, pl.LazyFrame)

    @property
    def plan(self) -> pl.LazyFrame:
        """The plan of all rows of the frame, if it is a LazyFrame."""
        native = self.source.native
        assert isinstance(native, pl.LazyFrame)
        return native

    def categories(self, name: str) -> list[Any] | None:
        """Return the categories that a pandas column declares, in their order; None for other columns."""
        return self.source.categories(self.names[name])


def readable(frame: object) -> Rows:
    """Return the rows of a frame or view, for weighing.

    Raises:
        TQLError: it is neither.
    """
    return frame.adapter if isinstance(frame, View) else kept_frame_of(frame)


def origin_of(frame: object) -> Origin:
    """Return the rows of a frame or view, for training.

    Raises:
        TQLError: it is neither.
    """
    if isinstance(frame, View):
        rows = frame.adapter
        return Origin(rows.frame, frame.positions, rows.scan(frozenset()).labels, rows.names)
    source = kept_frame_of(frame)
    return Origin(source, None, source.scan(frozenset()).labels, {name: name for name in source.schema})
