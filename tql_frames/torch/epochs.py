"""A sample for every epoch: rows are weighed once, and drawn for each epoch; which process takes which rows.

All that is kept of a frame are NumPy arrays, so that a forked process, where Polars would hang, can draw; except for
samplers with `random()`, whose weights differ by epoch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch.distributed

from tql_frames.compiler.expressions.scope import column
from tql_frames.errors import TQLError
from tql_frames.frames import Frame, PolarsFrame, Rows, kept_frame_of
from tql_frames.language import BoundText, nodes
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
from tql_frames.pipeline.idle_arms import warn_of_categories, warn_of_idle_arms
from tql_frames.pipeline.weights import GivenWeights, Weigher, Weights
from tql_frames.sampling import Positions, Strata, stratify
from tql_frames.sampling.strata import drawable_in
from tql_frames.views.drawn_view import View


def processes(number: int | None = None, rank: int | None = None) -> tuple[int, int]:
    """Their number, and the number of this one, from 0.

    Args:
        number: of processes; None for that of `torch.distributed` where it is initialised, otherwise 1.
        rank: of this process; None as above.

    Raises:
        TQLError: there is no process of that number.

    Examples:
        >>> processes(), processes(4, 3)
        ((1, 0), (4, 3))
    """
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
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


@dataclass(frozen=True)
class Weighed:
    """Rows with their weights.

    Attributes:
        rows: number of rows.
        population: their strata, or their weights.
        size: rows that are drawn of them.
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
            sampler: what weighs them, as of `sampler_from`.
            spec: the request for the rows of epoch 0; `seed_of_epoch` returns the seeds of the others.

        Raises:
            TQLError: the sampler does not fit the frame, or its weights cannot be drawn by.

        Warns:
            TQLWarning: without replacement, fewer rows have a positive weight than were asked for.
        """
        self.spec = spec
        self.text, self.is_expression = str(sampler), not isinstance(sampler, str)
        self.values: dict[str, Any] = {}  # which the text does not tell
        if isinstance(sampler, BoundText):
            self.values["parameters"] = [plain(each) for each in sampler.parameters]
        elif isinstance(sampler, GivenWeights):
            self.values["weights"] = sampler.digest
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
        """Rows that are drawn from."""
        return self._weighed[1].rows

    def weighed(self, epoch: int) -> Weighed:
        """Return the rows with their weights in an epoch."""
        if self._anew is not None and self._weighed[0] != epoch:
            self._weighed = epoch, self._anew.weigh(seed_of_epoch(self.spec.seed, epoch))
        return self._weighed[1]

    def positions(self, epoch: int) -> Positions:
        """Return the row positions of an epoch's sample, shape (size,), in the order in which they are trained on.

        With replacement that is the order drawn. Without, rows of great weight are drawn first, so they are shuffled.
        """
        weighed = self.weighed(epoch)
        if not weighed.size:
            return np.empty(0, np.uint32)
        seed = seed_of_epoch(self.spec.seed, epoch)
        found = drawn(weighed.population, None, np.array([weighed.size]), self.spec, seed=seed)
        return shuffled(found, seed) if self.spec.design == "successive" else found


def _weigh(frame: Rows, weigher: Weigher, spec: DrawSpec, *, first: bool = False) -> Weighed:
    population, watched = weigher.watched(frame)
    if not isinstance(population, Strata):
        population = stratify(population) or population  # now, lest every epoch does
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
    """The columns that a sampler with `random()` names, to weigh their rows for another epoch."""

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
    """Where the rows of a data set come from.

    Attributes:
        source: a frame.
        positions: which rows of it, in their order, shape (k,); None for all.
        labels: of the columns.
        names: what the columns are called in the frame, by their labels; pandas may have others, which are no names.
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
        """All rows of the frame, where it is one."""
        native = self.source.native
        assert isinstance(native, pl.LazyFrame)
        return native

    def categories(self, name: str) -> list[Any] | None:
        """Return categories that a pandas column declares, in their order; None of other columns."""
        return self.source.categories(self.names[name])


def readable(frame: object) -> Rows:
    """Return the rows of a frame or view, to weigh them.

    Raises:
        TQLError: it is neither.
    """
    return frame.adapter if isinstance(frame, View) else kept_frame_of(frame)


def origin_of(frame: object) -> Origin:
    """Return the rows of a frame or view, to train on.

    Raises:
        TQLError: it is neither.
    """
    if isinstance(frame, View):
        rows = frame.adapter
        return Origin(rows.frame, frame.positions, rows.scan(frozenset()).labels, rows.names)
    source = kept_frame_of(frame)
    return Origin(source, None, source.scan(frozenset()).labels, {name: name for name in source.schema})
