"""Parts of a frame: the request, checked, the units that it assigns once rows are asked for, and the views of parts.

How units are assigned is in `sampling.split`, what is reported of the parts in `analysis.split_report`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tql_frames.analysis.display.table import Shown, TableColumn
from tql_frames.analysis.split_report import SplitReport, Units, columns_of, split_report, units_of
from tql_frames.errors import TQLError, did_you_mean, shown
from tql_frames.frames import Rows
from tql_frames.frames.base import cached_attribute
from tql_frames.pipeline.draw import seed_from, share_from, whole_number
from tql_frames.sampling import Integers, Positions, sizes_of, split_at_random, split_by_labels
from tql_frames.views.provenance import Step, as_html, as_text

Part = TypeVar("Part")
"""The view of a part."""

_ROUNDING = Fraction(1, 10**9)  # by which the sum of shares may differ from 1
_MOST_PARTS = 10_000


@dataclass(frozen=True)
class SplitSpec:
    """A request for parts.

    Attributes:
        parts: their shares by name, with the sum 1.
        folds: whether they are the folds of a cross-validation.
        unit: the column of units; None where each row is one.
        by: the columns of labels.
        seed: fixes the parts.
    """

    parts: Mapping[Hashable, Fraction]
    folds: bool
    unit: str | None
    by: tuple[str, ...]
    seed: int

    @classmethod
    def checked(cls, parts: object, folds: object, unit: object, by: object, seed: object) -> SplitSpec:
        """Return the request that callers make by these arguments.

        Raises:
            TQLError: one of them is wrong, or not one of `parts` and `folds` is given.

        Examples:
            >>> SplitSpec.checked({"train": 0.7, "test": 0.3}, None, None, "view", 7).parts
            {'train': Fraction(7, 10), 'test': Fraction(3, 10)}
        """
        if (parts is None) == (folds is None):
            given = "were both given" if parts is not None else "are both missing"
            hint = "write split({'train': 0.8, 'test': 0.2}), or split(folds=5)"
            raise TQLError(f"parts and folds {given}; give one of them", hint=hint)
        if not (unit is None or isinstance(unit, str)):
            raise TQLError(f"expected unit= to be the name of a column, got {shown(unit)}")
        shares = _shares_of(parts) if folds is None else _shares_of_folds(folds)
        return cls(shares, folds is not None, unit, _names_from(by), seed_from(seed))

    @property
    def text(self) -> str:
        """The call that makes it, without the seed."""
        parts = {name: float(share) for name, share in self.parts.items()}
        arguments = [f"folds={len(parts)}" if self.folds else repr(parts)]
        arguments += [] if self.unit is None else [f"unit={self.unit!r}"]
        arguments += [] if not self.by else [f"by={self.by[0] if len(self.by) == 1 else list(self.by)!r}"]
        return f"split({', '.join(arguments)})"

    def step(self, part: str) -> Step:
        """Return the record of one of its parts, by words behind the call."""
        names = {*self.by, *([] if self.unit is None else [self.unit])}
        return Step(f"{self.text}{part}", "split", self.seed, reads=tuple(sorted(names)))

    def check_sizes(self, units: int) -> None:
        """Make sure that no part is empty.

        Raises:
            TQLError: one is.
        """
        what = "row" if self.unit is None else f"unit{'' if units == 1 else 's'} in column {self.unit!r}"
        what += "s" if self.unit is None and units != 1 else ""
        if not units:
            raise TQLError("cannot split an empty frame")
        sizes = sizes_of(units, list(self.parts.values()))
        if 0 not in sizes:
            return
        if self.folds:
            raise TQLError(f"cannot make {len(sizes):,} folds of {units:,} {what}")
        name, share = list(self.parts.items())[sizes.index(0)]
        message = f"part {name!r} would be empty: {float(share):g} of {units:,} {what} rounds to 0"
        raise TQLError(message, hint="give it a greater share, or leave it out")


def _shares_of(parts: object) -> Mapping[Hashable, Fraction]:
    if not isinstance(parts, Mapping):
        raise TQLError(f"expected parts= to be a mapping such as {{'train': 0.8, 'test': 0.2}}, got {shown(parts)}")
    if not parts:
        raise TQLError("parts is empty; name at least one part")
    if len(parts) > _MOST_PARTS:
        raise TQLError(f"parts names {len(parts):,} parts; at most {_MOST_PARTS:,} are possible")
    found: dict[Hashable, Fraction] = {}
    for name, value in parts.items():
        if not isinstance(name, str) or not name:
            raise TQLError(f"expected the name of a part to be text, got {shown(name)}")
        share = share_from(value.item() if isinstance(value, np.generic) else value)
        if share is None or share <= 0:
            raise TQLError(f"expected the share of part {name!r} to be a number above 0, got {shown(value)}")
        found[name] = share
    total = sum(found.values(), Fraction(0))
    if abs(total - 1) > _ROUNDING:
        less, words = total < 1, f"{float(total):.12g}"
        hint = f"name a part for the other {float(1 - total):.12g}" if less else f"divide each of them by {words}"
        raise TQLError(f"expected the shares to sum to 1, got {words}", hint=hint)
    return {name: share / total for name, share in found.items()}


def _shares_of_folds(folds: object) -> Mapping[Hashable, Fraction]:
    number = whole_number(folds)
    if number is None or not 2 <= number <= _MOST_PARTS:
        raise TQLError(f"expected folds= to be a whole number from 2 to {_MOST_PARTS:,}, got {shown(folds)}")
    return dict.fromkeys(range(number), Fraction(1, number))


def _names_from(by: object) -> tuple[str, ...]:
    if by is None:
        return ()
    names = [by] if isinstance(by, str) else by
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise TQLError(f"expected by= to be the name of a column or a list of names, got {shown(by)}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TQLError(f"by names column {twice!r} twice")
    return tuple(names)


@dataclass(frozen=True)
class _Found:
    """The parts of units and rows.

    Attributes:
        units: without the unit of each row, which takes more memory than all else.
        of_unit: number of the part of each unit.
        of_row: the same of each row.
    """

    units: Units
    of_unit: Integers
    of_row: NDArray[np.unsignedinteger[Any]]


class Assignment:
    """The parts of the rows of a frame or view, found when they are first asked for."""

    def __init__(self, spec: SplitSpec, rows: Rows, copies: Callable[[], Integers] | None = None) -> None:
        """Note the rows; nothing is read.

        Args:
            spec: the request.
            rows: the adapter of the rows.
            copies: returns numbers that copies of one row share; None where each row is there once.

        Raises:
            TQLError: a column does not exist, or holds no units or labels.
        """
        self.spec = spec
        self._rows = rows
        self._copies = copies
        self._columns = columns_of(rows, spec.unit, spec.by)

    @cached_attribute
    def found(self) -> _Found:
        """Parts of units and rows.

        Raises:
            TQLError: a part would be empty, or the rows cannot be read.
        """
        spec = self.spec
        copies = None if self._copies is None or spec.unit is not None else self._copies()
        units = units_of(self._rows, self._columns, spec.by, copies)
        number, shares = len(units.counts.rows), list(spec.parts.values())
        spec.check_sizes(number)
        if spec.by:
            of_unit = split_by_labels(units.counts, shares, spec.seed)
        else:
            of_unit = split_at_random(number, shares, spec.seed)
        of_row = of_unit.astype(np.min_scalar_type(len(shares)))[units.of_row]
        return _Found(Units(np.empty(0, np.int64), units.counts, units.labels), of_unit, of_row)

    @property
    def is_found(self) -> bool:
        """Whether the rows were read."""
        return "found" in vars(self)

    def positions(self, parts: Collection[int]) -> Positions:
        """Return the positions of the rows of some parts, by their numbers, ascending."""
        chosen = np.zeros(len(self.spec.parts), np.bool_)
        chosen[list(parts)] = True
        return np.flatnonzero(chosen[self.found.of_row])


class Split(Mapping[Any, Part]):
    """The parts of a frame by name, each a view; made by `tql_frames.split`.

    Each unit, and so each row, lies in exactly one part; rows are in the order of the frame. Of a LazyFrame nothing
    runs before the rows of a part are asked for.

    Attributes:
        unit: the column of units; None where each row is one.
        by: the columns of labels.
        seed: fixes the parts.
        shares: the wanted shares by part.

    Examples:
        >>> import polars as pl
        >>> import tql_frames
        >>> df = pl.DataFrame({"id": [1, 1, 2, 3, 3, 4], "age": [71, 72, 34, 65, 66, 20]})
        >>> parts = df.tql.split({"train": 0.5, "test": 0.5}, unit="id", seed=7)
        >>> parts["test"].to_native()["id"].to_list()
        [2, 4]
        >>> parts
        Split of 6 rows into 2 parts, Polars DataFrame
          unit  id
          seed  7
        <BLANKLINE>
        part   units  rows  wanted   off   share  wanted share
        train      2     4     3.0  +1.0  66.67%        50.00%
        test       2     2     3.0  -1.0  33.33%        50.00%
        <BLANKLINE>
        6 rows of 4 units (id) in 2 parts
    """

    def __init__(
        self,
        assignment: Assignment,
        view_of: Callable[[Step, Callable[[Rows], Positions]], Part],
        kind: str,
        pandas: bool,
    ) -> None:
        """Make the views; of an eager frame the rows are read now.

        Args:
            assignment: the parts of the rows.
            view_of: makes a view of a step and a function that finds its positions.
            kind: what was split, for messages.
            pandas: give the tables of reports as pandas frames.
        """
        spec = assignment.spec
        self.unit, self.by, self.seed = spec.unit, spec.by, spec.seed
        self.shares: Mapping[Any, float] = {name: float(share) for name, share in spec.parts.items()}
        self._assignment, self._kind, self._pandas = assignment, kind, pandas
        self._view_of: Callable[[Step, Callable[[Rows], Positions]], Part] = view_of
        self._views: dict[Any, Part] = {
            name: self._view(f"[{name!r}]", [place]) for place, name in enumerate(spec.parts)
        }

    def _view(self, words: str, parts: Collection[int]) -> Part:
        assignment = self._assignment  # not the split itself, which holds the views
        return self._view_of(assignment.spec.step(words), lambda _: assignment.positions(parts))

    def __getitem__(self, name: Any) -> Part:
        try:
            return self._views[name]
        except KeyError:
            near = did_you_mean(str(name), [str(each) for each in self._views])
            known = f"the parts are {', '.join(map(repr, [*self._views][:10]))}"
            raise KeyError(f"no part {name!r}; {near or known}") from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def folds(self) -> Iterator[tuple[Part, Part]]:
        """Yield the views to train on and to test on, for each fold of `split(folds=…)`.

        The view to test on is the fold, the one to train on has the rows of all others, in the order of the frame.

        Raises:
            TQLError: the split has named parts.

        Examples:
            >>> import polars as pl
            >>> import tql_frames
            >>> df = pl.DataFrame({"age": [71, 34, 65, 20]})
            >>> for train, test in df.tql.split(folds=2, seed=7).folds():
            ...     print(train.positions, test.positions)
            [1 3] [0 2]
            [0 2] [1 3]
        """
        spec = self._assignment.spec
        if not spec.folds:
            raise TQLError("the split has named parts, not folds", hint="use split(folds=5)")
        places = range(len(self))
        pairs = ((self._view(f" without fold {fold}", [place for place in places if place != fold])) for fold in places)
        return zip(pairs, self._views.values(), strict=True)

    def report(self) -> SplitReport[Any]:
        """Return rows, units and labels by part, and how far they are from what was wanted; a LazyFrame is read.

        Examples:
            >>> import polars as pl
            >>> import tql_frames
            >>> df = pl.DataFrame({"view": ["PA", "PA", "AP", "AP", "PA", "PA"]})
            >>> print(df.tql.split({"train": 0.5, "test": 0.5}, by="view", seed=7).report())
            part   rows  wanted  off   share  wanted share
            train     3     3.0  0.0  50.00%        50.00%
            test      3     3.0  0.0  50.00%        50.00%
            <BLANKLINE>
            view  rows   train    test  off
            PA       4  50.00%  50.00%  0.0
            AP       2  50.00%  50.00%  0.0
            <BLANKLINE>
            6 rows in 2 parts
            every part has just the wanted rows of every label
        """
        spec, found = self._assignment.spec, self._assignment.found
        return split_report(found.units, spec.parts, found.of_unit, unit=spec.unit, pandas=self._pandas)

    def __repr__(self) -> str:
        if self._assignment.is_found:
            return f"{as_text(self._title(), self._lines())}\n\n{self.report()}"
        return f"{as_text(self._title(), self._lines())}\n\n{self._wanted().text()}"

    def _repr_html_(self) -> str:
        found = self._assignment.is_found
        below = self.report()._repr_html_() if found else self._wanted().html
        return as_html(self._title(), self._lines(), [below])

    def _title(self) -> str:
        into = f"into {len(self):,} {'fold' if self._assignment.spec.folds else 'part'}{'s' * (len(self) != 1)}"
        if not self._assignment.is_found:
            return f"Split {into}, {self._kind}, rows not read yet"
        rows = len(self._assignment.found.of_row)
        return f"Split of {rows:,} row{'s' * (rows != 1)} {into}, {self._kind}"

    def _lines(self) -> list[tuple[str, str]]:
        names: list[tuple[str, str]] = [] if self.unit is None else [("unit", self.unit)]
        return [*names, *([("by", ", ".join(self.by))] if self.by else []), ("seed", str(self.seed))]

    def _wanted(self) -> Shown:
        rows: list[tuple[str | float | None, ...]] = [(str(name), share) for name, share in self.shares.items()]
        return Shown("Wanted parts", (TableColumn("part"), TableColumn("wanted share", ".2%")), rows)
