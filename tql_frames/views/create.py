"""Create views from a frame and a sampler or statement, or from a file and the frame that the view was saved of."""

from __future__ import annotations

import ast
import datetime as dt
import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.errors import TQLError, TQLNameError, did_you_mean
from tql_frames.frames import (
    INDEX,
    CollectedFrame,
    Frame,
    Native,
    PolarsFrame,
    TwoPassFrame,
    has_labels,
    is_repeatable,
    kept_frame_of,
)
from tql_frames.language import is_statement
from tql_frames.pipeline.draw import Order, Request, check_flag, check_index
from tql_frames.pipeline.weights import SamplerLike, sampler_from
from tql_frames.views.drawn_view import View, display, splitting
from tql_frames.views.provenance import Provenance, Step, choose, lines_of
from tql_frames.views.storage import (
    Description,
    Fingerprint,
    Needs,
    differences,
    fingerprint,
    names_of,
    read_file,
)

if TYPE_CHECKING:
    from tql_frames.analysis.splits import Assignment, Split, SplitSpec


def view_of(
    frame: Native,
    sampler: SamplerLike,
    *,
    index: str | None,
    ignore_index: bool,
    parameters: Sequence[object] | None,
    **request: Unpack[Request],
) -> View[Native]:
    """Return a view of a frame; see `tql_frames.view` for arguments and errors."""
    check_index(index)
    check_flag("ignore_index", ignore_index)
    sampler = sampler_from(sampler)
    source = kept_frame_of(frame, index, ignore_index)
    if ignore_index and isinstance(sampler, str) and is_statement(sampler):
        raise TQLError("ignore_index= cannot be given with a statement", hint="call reset_index on the rows")
    choice = choose(source, sampler, parameters, **request)
    return View(
        source,
        (choice.step,),
        choice.find,
        choice.columns,
        index=index,
        ignore_index=bool(ignore_index),
        expression=choice.expression,
        origin=source,
    )


def rows_as_they_stand(
    plan: pl.LazyFrame,
    rows: pl.LazyFrame,
    sampler: str,
    *,
    index: str | None = None,
    parameters: Sequence[object] | None = None,
    **request: Unpack[Request],
) -> pl.LazyFrame:
    """Return a plan of rows that are selected with one set of column types, and returned with another.

    Args:
        plan: the files with the types for weighing rows.
        rows: the same files with the types of the result, such as all text.
        sampler: a sampler, or a statement that selects rows and columns of the frame; see `view` for the rest.

    Raises:
        TQLUnsupportedError: a statement computes new columns or rows.
        TQLError: as `view`.
    """
    check_index(index)
    streamed = is_repeatable(plan) and is_repeatable(rows)
    source = TwoPassFrame(plan, index, kept=True, rows=rows) if streamed else PolarsFrame(plan.collect(), index)
    choice = choose(source, sampler, parameters, **request)
    if isinstance(source, TwoPassFrame):
        return source.take_lazy(choice.find, choice.columns)
    return PolarsFrame(rows.collect(), index).take(choice.find(source), choice.columns).lazy()


def split_of(
    frame: Native,
    parts: Mapping[str, float] | None,
    *,
    folds: int | None,
    unit: str | None,
    by: str | Sequence[str] | None,
    key: str | None,
    seed: int | None,
    index: str | None,
    ignore_index: bool,
) -> Split[View[Native]]:
    """Return the parts of a frame; see `tql_frames.split` for arguments and errors."""
    spec: SplitSpec = splitting().SplitSpec.checked(parts, folds, unit, by, seed, key=key)
    check_index(index)
    check_flag("ignore_index", ignore_index)
    source = kept_frame_of(frame, index, ignore_index)

    def view_of(words: str, places: Collection[int]) -> View[Native]:
        steps, find = (Step.of_part(spec, words),), lambda _: assignment.positions(places)
        return View(source, steps, find, None, index=index, ignore_index=bool(ignore_index), origin=source)

    assignment: Assignment = splitting().Assignment.of(spec, source)
    made: Split[View[Native]] = splitting().Split(assignment, view_of, source.kind, source.keeps_labels)
    return made


def parts_as_they_stand(
    plan: pl.LazyFrame,
    rows: pl.LazyFrame,
    parts: Mapping[str, float] | None,
    *,
    folds: int | None,
    unit: str | None,
    by: str | Sequence[str] | None,
    key: str | None,
    seed: int | None,
    index: str | None,
) -> Split[pl.LazyFrame]:
    """Return plans of the parts of files, which are split with one set of column types, and returned with another.

    Args:
        plan: the files with the types of units and labels.
        rows: the same files with the types of the result, such as all text; see `split` for the rest.

    Raises:
        TQLError: as `split`.
    """
    spec: SplitSpec = splitting().SplitSpec.checked(parts, folds, unit, by, seed, key=key)
    check_index(index)
    source: Frame
    taken: Frame
    if is_repeatable(plan) and is_repeatable(rows):
        source = taken = TwoPassFrame(plan, index, kept=True, rows=rows)
    else:
        source, taken = PolarsFrame(plan.collect(), index), CollectedFrame(rows, index, kept=True)

    assignment = splitting().Assignment.of(spec, source)

    def plan_of(words: str, places: Collection[int]) -> pl.LazyFrame:
        found: pl.LazyFrame = taken.take_lazy(lambda _: assignment.positions(places))
        return found

    made: Split[pl.LazyFrame] = splitting().Split(assignment, plan_of, source.kind, pandas=False)
    return made


def load(
    path: str | os.PathLike[str], frame: Native, *, strict: bool, columns: Sequence[object] | None
) -> View[Native]:
    """Return the view of a file; see `tql_frames.load_view` for arguments and errors."""
    check_flag("strict", strict)
    positions, saved = read_file(path)
    needs = _needs(saved, bool(strict), columns)
    pandas = has_labels(frame)
    ignore_index = saved.ignore_index and pandas
    index = None if saved.ignore_index else saved.index
    if pandas and index is not None:
        index = INDEX
    source = kept_frame_of(frame, index, ignore_index)
    labels = source.scan(frozenset()).labels
    # Compared first, since the rest takes a pass over the whole frame.
    found = Fingerprint(source.rows, (), (), "")
    if found.rows == saved.frame.rows:
        wanted = {each.name for each in saved.frame.columns if each.digest and needs.compares(each.name)}
        if not wanted <= set(names_of(labels)):
            wanted |= set(names_of(labels))  # one of them may be a renamed column
        found = fingerprint(source, wanted, needed=(), by_value=saved.frame.by_value)
    wrong, allowed = differences(saved.frame, found, needs)
    if wrong is not None:
        if saved.kind.split()[0] != source.kind.split()[0] and " of type " in wrong.message:
            wrong.hint = f"load it with a {saved.kind}, of which it was saved, or convert the columns"
        raise wrong
    origin = source if len(saved.steps) == 1 else None
    return View(
        source,
        saved.steps,
        lambda _: positions,
        saved.columns_in(labels),
        index=index,
        ignore_index=ignore_index,
        origin=origin,
        description=saved,
        differences=allowed,
    )


def _needs(saved: Description, strict: bool, columns: Sequence[object] | None) -> Needs:
    """Return what must be the same in a frame."""
    if columns is None:
        return Needs(saved.needs, saved.outputs, strict=strict)
    if isinstance(columns, str) or not isinstance(columns, Sequence):
        hint = f"pass columns=[{columns!r}]" if isinstance(columns, str) else None
        raise TQLError(f"expected columns= to be a list of column names, got {type(columns).__name__}", hint=hint)
    known = {each.name: each.digest for each in saved.frame.columns}
    for label in columns:
        name = repr(label)
        if name not in known:
            raise TQLNameError(f"the view was saved of a frame without column {name}", hint=did_you_mean(name, known))
        if not known[name]:
            raise TQLError(f"column {name} cannot be compared: its values had no Polars type when the view was saved")
    return Needs(saved.needs, saved.outputs, frozenset(map(repr, columns)), strict)


class SavedView(Provenance):
    """Content of the file of a view; the result of `tql_frames.read_view`.

    Attributes:
        positions: positions of its rows in the frame, in their order, shape (k,); read-only.
        steps: how they were drawn; each further step selects among the rows of the step before.
        rows: number of rows of the frame.
        schema: Polars type, as text, of each column of the frame by its label; empty for columns that were not saved.
        columns: labels of the columns of the view.
        kind: library and class of the frame.
        message: the message that was saved with the view, empty by default.
        saved: when it was saved.
        versions: versions of tql_frames, Python and the libraries that saved it.
        left_out: labels of columns whose values had no Polars type, so that `load_view` does not compare them.
    """

    def __init__(self, positions: NDArray[np.int64], description: Description) -> None:
        """Store the content of a file."""
        positions.setflags(write=False)
        self.positions = positions
        self.steps = description.steps
        self.rows: int = description.frame.rows
        self.schema: Mapping[object, str] = {_label(each.name): each.type for each in description.frame.columns}
        own = description.columns
        self.columns: list[object] = (
            list(self.schema) if own is None else [_label(name) if label is None else label for name, label in own]
        )
        self.kind: str = description.kind
        self.message: str = description.message
        self.saved: dt.datetime = description.saved
        self.versions: Mapping[str, str] = dict(description.versions)
        self.left_out: list[object] = [_label(name) for name in description.frame.left_out]

    @property
    def limit(self) -> int | None:
        """Number of rows that was requested; None for the default, for a share, and for a statement."""
        return self.steps[-1].limit

    @property
    def fraction(self) -> float | None:
        """Share of the rows that was requested, or None."""
        return self.steps[-1].fraction

    @property
    def order(self) -> Order | None:
        """Order of the rows; None for a statement."""
        return self.steps[-1].order

    def __len__(self) -> int:
        """Return the number of rows of the view."""
        return len(self.positions)

    def __repr__(self) -> str:
        columns = f"{len(self.schema):,} column{'s' * (len(self.schema) != 1)}"
        title = f"Saved view of {len(self):,} of {self.rows:,} row{'s' * (self.rows != 1)} × {columns}, {self.kind}"
        lines = [*lines_of(self.steps), ("saved", f"{self.saved:%Y-%m-%d %H:%M} UTC")]
        if self.left_out:
            lines.append(("left out", ", ".join(map(str, self.left_out))))
        found: str = display().titled_text(title, [*lines, ("message", self.message)] if self.message else lines)
        return found


def read(path: str | os.PathLike[str]) -> SavedView:
    """Read the file of a view; see `tql_frames.read_view` for arguments and errors."""
    positions, description = read_file(path)
    return SavedView(positions.astype(np.int64), description)


def _label(name: str) -> object:
    """Return the label with this `repr`; the text itself if it is not a literal."""
    try:
        found: object = ast.literal_eval(name)
        hash(found)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return name
    return found
