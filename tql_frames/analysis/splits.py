"""Split a frame into parts: check the request, assign units when rows are first requested, and return the parts.

`sampling.split` assigns units, and `split_report` reports on the parts. Parts are views, or frames of Dask or Spark.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tql_frames.analysis.display.table import Shown, TableColumn, titled_html, titled_text
from tql_frames.analysis.split_report import SplitReport, Units, check_key, columns_of, split_report, units_of
from tql_frames.errors import TQLError, TQLWarning, did_you_mean, shown, warn
from tql_frames.frames import Rows
from tql_frames.frames.base import cached_attribute
from tql_frames.frames.polars import check_process
from tql_frames.pipeline.draw import seed_from, share_from, whole_number
from tql_frames.pipeline.groups import numbers_of
from tql_frames.sampling import (
    Integers,
    Positions,
    sizes_of,
    split_at_random,
    split_by_labels,
    split_by_numbers,
    split_seed,
)

Part = TypeVar("Part")
"""A part: a view, or a frame of Dask or Spark."""

_ROUNDING = Fraction(1, 10**9)  # by which the sum of shares may differ from 1
_MOST_PARTS = 10_000


@dataclass(frozen=True)
class SplitSpec:
    """A request for parts.

    Attributes:
        parts: shares by name of the part, with the sum 1.
        folds: whether the parts are the folds of a cross-validation.
        unit: the column of units; None if each row is a unit.
        by: the columns of labels.
        seed: fixes the parts.
        keyed: whether the value of a unit alone decides its part, so that it stays there as the table grows.
    """

    parts: Mapping[Hashable, Fraction]
    folds: bool
    unit: str | None
    by: tuple[str, ...]
    seed: int
    keyed: bool = False

    @classmethod
    def checked(
        cls, parts: object, folds: object, unit: object, by: object, seed: object, *, key: object = None
    ) -> SplitSpec:
        """Return the request for the arguments of a caller.

        Raises:
            TQLError: an argument is invalid, or both or neither of `parts` and `folds` are given.

        Examples:
            >>> SplitSpec.checked({"train": 0.7, "test": 0.3}, None, None, "view", 7).parts
            {'train': Fraction(7, 10), 'test': Fraction(3, 10)}
        """
        if (parts is None) == (folds is None):
            given = "were both given" if parts is not None else "are both missing"
            hint = "write split({'train': 0.8, 'test': 0.2}), or split(folds=5)"
            raise TQLError(f"parts and folds {given}; pass one of them", hint=hint)
        if not (unit is None or isinstance(unit, str)):
            raise TQLError(f"expected unit= to be the name of a column, got {shown(unit)}")
        if not (key is None or isinstance(key, str)):
            raise TQLError(f"expected key= to be the name of a column, got {shown(key)}")
        names = _names_from(by)
        if key is not None and unit not in (None, key):
            raise TQLError("with unit=, key= must be the unit", hint=f"pass key={unit!r}")
        if key is not None and names:
            message = "by= cannot be given with key=: where a unit goes would depend on the labels of all others"
            raise TQLError(message, hint="leave out one of them")
        shares = _shares_of(parts) if folds is None else _shares_of_folds(folds)
        return cls(shares, folds is not None, unit or key, names, seed_from(seed), key is not None)

    @cached_attribute
    def text(self) -> str:
        """The call of `split` with this request, without the seed."""
        parts = {name: float(share) for name, share in self.parts.items()}
        arguments = [f"folds={len(parts)}" if self.folds else repr(parts)]
        arguments += [] if self.unit is None else [f"{'key' if self.keyed else 'unit'}={self.unit!r}"]
        arguments += [] if not self.by else [f"by={self.by[0] if len(self.by) == 1 else list(self.by)!r}"]
        return f"split({', '.join(arguments)})"

    @property
    def names(self) -> set[str]:
        """Names of the columns that it reads."""
        return {*self.by, *([] if self.unit is None else [self.unit])}

    def assign(self, units: Units) -> Integers:
        """Return the number of the part of each unit, shape (u,).

        Raises:
            TQLError: a part would be empty, or random numbers cannot be derived from the key.

        Warns:
            TQLWarning: with `keyed`, a part is empty.
        """
        number, shares = len(units.counts.rows), list(self.parts.values())
        if self.keyed:
            assert self.unit is not None and units.values is not None
            if not number:
                raise TQLError("cannot split an empty frame")
            check_key(self.unit, units.values.dtype, known=True)
            found = split_by_numbers(numbers_of(units.values.to_frame(), split_seed(self.seed)).uniforms, shares)
            empty = np.flatnonzero(np.bincount(found, minlength=len(shares)) == 0)
            if empty.size:
                name = list(self.parts)[int(empty[0])]
                warn(TQLWarning(f"part {name!r} is empty: none of {number:,} keys has a number that belongs to it"))
            return found
        self.check_sizes(number)
        return (
            split_by_labels(units.counts, shares, self.seed) if self.by else split_at_random(number, shares, self.seed)
        )

    def check_sizes(self, units: int) -> None:
        """Check that no part is empty.

        Raises:
            TQLError: a part would be empty.
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
class Assigned:
    """The parts of units and rows.

    Attributes:
        units: counts and labels of units, without the unit of each row, which takes the most memory.
        of_unit: number of the part of each unit.
        of_row: number of the part of each row; None if rows are in several partitions.
    """

    units: Units
    of_unit: Integers
    of_row: NDArray[np.unsignedinteger[Any]] | None = None


class Assignment:
    """The parts of the rows of a frame or view, computed when they are first requested."""

    def __init__(self, spec: SplitSpec, find: Callable[[], Assigned]) -> None:
        """Store the request.

        Args:
            spec: the request.
            find: computes the parts.
        """
        self.spec = spec
        self._find = find

    @classmethod
    def of(cls, spec: SplitSpec, rows: Rows, copies: Callable[[], Integers] | None = None) -> Assignment:
        """Return the assignment of rows; nothing is read.

        Args:
            spec: the request.
            rows: the adapter of the rows.
            copies: returns numbers that copies of one row share; None if there are no copies.

        Raises:
            TQLError: a column does not exist, or cannot hold units or labels.
        """
        columns = columns_of(rows, spec.unit, spec.by)
        if spec.keyed and spec.unit is not None:
            check_key(spec.unit, rows.schema[spec.unit])

        def find() -> Assigned:
            same = None if copies is None or spec.unit is not None else copies()
            units = units_of(rows, columns, spec.by, same)
            of_unit = spec.assign(units)
            of_row = of_unit.astype(np.min_scalar_type(len(spec.parts)))[units.of_row]
            return Assigned(units.without_rows(), of_unit, of_row)

        return cls(spec, find)

    @classmethod
    def known(cls, spec: SplitSpec, found: Assigned) -> Assignment:
        """Return an assignment with known parts."""
        made = cls(spec, lambda: found)
        vars(made)["found"] = found
        return made

    @cached_attribute
    def found(self) -> Assigned:
        """Parts of units and rows.

        Raises:
            TQLError: a part would be empty, or the rows cannot be read.
        """
        return self._find()

    @property
    def is_found(self) -> bool:
        """Whether the rows have been read."""
        return "found" in vars(self)

    def positions(self, parts: Collection[int]) -> Positions:
        """Return the positions of the rows of some parts, by their numbers, ascending."""
        found = self.found.of_row
        assert found is not None
        return rows_in_parts(found, parts, len(self.spec.parts))


def rows_in_parts(of_row: NDArray[np.integer[Any]], parts: Collection[int], count: int) -> Positions:
    """Return the positions of the rows of some parts, of `count` parts in all, ascending.

    Examples:
        >>> rows_in_parts(np.array([0, 2, 1, 0]), [0, 1], 3).tolist()
        [0, 2, 3]
    """
    chosen = np.zeros(count, np.bool_)
    chosen[list(parts)] = True
    return np.flatnonzero(chosen[of_row])


class Split(Mapping[Any, Part]):
    """The parts of a frame by name, each a view, or a frame of Dask or Spark; the result of `split`.

    Each unit, and so each row, is in exactly one part; rows are in the order of the frame. The plan of a LazyFrame
    does not run before the rows of a part are requested.

    Attributes:
        unit: the column of units; None if each row is a unit.
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
        part_of: Callable[[str, Collection[int]], Part],
        kind: str,
        pandas: bool,
    ) -> None:
        """Create the parts; the rows of an eager frame are read now.

        Args:
            assignment: the parts of the rows.
            part_of: creates a part from text that follows the call in its description, and numbers of parts. It
                refers to the assignment, not to the split, which refers to the parts.
            kind: kind of the frame that is split, for messages.
            pandas: return the tables of reports as pandas frames.
        """
        spec = assignment.spec
        self.unit, self.by, self.seed = spec.unit, spec.by, spec.seed
        self.shares: Mapping[Any, float] = {name: float(share) for name, share in spec.parts.items()}
        self._assignment, self._kind, self._pandas = assignment, kind, pandas
        self._part_of: Callable[[str, Collection[int]], Part] = part_of
        self._parts: dict[Any, Part] = {name: part_of(f"[{name!r}]", [place]) for place, name in enumerate(spec.parts)}

    def __getitem__(self, name: Any) -> Part:
        try:
            return self._parts[name]
        except KeyError:
            near = did_you_mean(str(name), [str(each) for each in self._parts])
            known = f"the parts are {', '.join(map(repr, [*self._parts][:10]))}"
            raise KeyError(f"no part {name!r}; {near or known}") from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def folds(self) -> Iterator[tuple[Part, Part]]:
        """Yield the parts to train on and to test on, for each fold of `split(folds=…)`.

        The part to test on is the fold; the part to train on has the rows of all other folds, in the order of the
        frame.

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
        pairs = (
            (self._part_of(f" without fold {fold}", [place for place in places if place != fold])) for fold in places
        )
        return zip(pairs, self._parts.values(), strict=True)

    def report(self) -> SplitReport[Any]:
        """Report rows, units and labels by part, and their differences from the wanted numbers; a LazyFrame is read.

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
        check_process()
        spec, found = self._assignment.spec, self._assignment.found
        return split_report(found.units, spec.parts, found.of_unit, unit=spec.unit, pandas=self._pandas)

    def __repr__(self) -> str:
        if self._assignment.is_found:
            return f"{titled_text(self._title(), self._lines())}\n\n{self.report()}"
        return f"{titled_text(self._title(), self._lines())}\n\n{self._wanted().text()}"

    def _repr_html_(self) -> str:
        found = self._assignment.is_found
        below = self.report()._repr_html_() if found else self._wanted().html
        return titled_html(self._title(), self._lines(), [below])

    def _title(self) -> str:
        into = f"into {len(self):,} {'fold' if self._assignment.spec.folds else 'part'}{'s' * (len(self) != 1)}"
        if not self._assignment.is_found:
            return f"Split {into}, {self._kind}, rows not read yet"
        rows = int(self._assignment.found.units.counts.rows.sum())
        return f"Split of {rows:,} row{'s' * (rows != 1)} {into}, {self._kind}"

    def _lines(self) -> list[tuple[str, str]]:
        kind = "key" if self._assignment.spec.keyed else "unit"
        names: list[tuple[str, str]] = [] if self.unit is None else [(kind, self.unit)]
        return [*names, *([("by", ", ".join(self.by))] if self.by else []), ("seed", str(self.seed))]

    def _wanted(self) -> Shown:
        rows: list[tuple[str | float | None, ...]] = [(str(name), share) for name, share in self.shares.items()]
        return Shown("Wanted parts", (TableColumn("part"), TableColumn("wanted share", ".2%")), rows)
