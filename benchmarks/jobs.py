"""What is asked of a contestant, what a contestant is, and what was measured of it.

Which contestants meet at which job is in `cases`; how they run is in `worker` and `rounds`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal

REACHED = 1.18  # times what bounds it that a call of ours may take: 85 percent of that speed


@dataclass(frozen=True)
class Job:
    """The same question to every contestant.

    Attributes:
        table: which rows: `labels` and `weights` are in `tables`, `findings` is in `findings`.
        rows: rows of the table.
        draws: rows to draw.
        replace: with or without replacement.
        calls: calls timed as one, where one is too short for the clock.
    """

    table: Literal["labels", "weights", "findings"]
    rows: int
    draws: int
    replace: bool = True
    calls: int = 1


@dataclass(frozen=True)
class Contestant:
    """A contestant made ready for a job: its data is loaded, in the form that it wants.

    Attributes:
        run: one call, which is what is timed; takes a seed.
        fault: what is wrong with a result of `run`, or None.
        holds: what it keeps in memory for the job, its frame and weights.
    """

    run: Callable[[int], Any]
    fault: Callable[[Any], str | None]
    holds: tuple[object, ...]


@dataclass(frozen=True)
class Target:
    """What our time has to be, measured by a peer's.

    Attributes:
        at_most: our time over the peer's, at most.
        faster: the peer's time over ours, at least.
    """

    at_most: float | None = None
    faster: float | None = None

    def met(self, ratio: float) -> bool:
        """Whether a ratio, our time over the peer's, meets it."""
        return ratio <= self.at_most if self.at_most is not None else 1 / ratio >= (self.faster or 0)

    def __str__(self) -> str:
        return f"at most {self.at_most:g} × its time" if self.at_most is not None else f"{self.faster:g} × faster"


@dataclass(frozen=True)
class Entry:
    """A line of a table.

    Attributes:
        name: as printed.
        maker: `module:function` in `benchmarks.contestants`; takes a Job, gives a Contestant.
        needs: the module that must be installed for it, beyond what tql-frames itself needs.
        target: what our time has to be, measured by this one's.
        note: what a reader has to know of it.
    """

    name: str
    maker: str = ""
    needs: str | None = None
    target: Target | None = None
    note: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can run here."""
        return self.needs is None or find_spec(self.needs) is not None


@dataclass
class Measured:
    """What came of an entry.

    Attributes:
        seconds: of one call, for each round; empty when it has a fault.
        warm_up: seconds of the first call, whose result was checked.
        fault: why it was not timed: not installed, raises, wrong.
    """

    entry: Entry
    seconds: list[float] = field(default_factory=list)
    warm_up: float | None = None
    fault: str | None = None

    @property
    def median(self) -> float:
        """Median seconds of one call."""
        return statistics.median(self.seconds)
