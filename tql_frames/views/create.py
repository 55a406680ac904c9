"""How views come to be: of a frame and a sampler or statement, or from a file and the frame that it was saved of."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pandas as pd
import polars as pl

from tql_frames.errors import TQLError, TQLNameError, did_you_mean
from tql_frames.frames import Native, PolarsFrame, TwoPassFrame, is_repeatable, kept_frame_of
from tql_frames.language import is_statement
from tql_frames.pipeline.arguments import Order, check_flag, check_index, sampler_from
from tql_frames.views.choosing import choose
from tql_frames.views.storage import (
    Description,
    Fingerprint,
    Needs,
    differences,
    fingerprint,
    names_of,
    read_file,
)
from tql_frames.views.view import View


def view_of(
    frame: Native,
    sampler: str | pl.Expr,
    limit: int | None,
    *,
    fraction: float | None,
    replace: bool,
    seed: int | None,
    order: Order,
    index: str | None,
    ignore_index: bool,
    parameters: Sequence[object] | None,
) -> View[Native]:
    """Return a view of a frame; arguments and errors as of `tql_frames.view`."""
    check_index(index)
    check_flag("ignore_index", ignore_index)
    sampler = sampler_from(sampler)
    source = kept_frame_of(frame, index, ignore_index)
    if ignore_index and isinstance(sampler, str) and is_statement(sampler):
        raise TQLError("ignore_index= cannot be given with a statement", hint="call reset_index on the rows")
    choice = choose(
        source,
        sampler,
        limit,
        fraction=fraction,
        replace=replace,
        seed=seed,
        order=order,
        parameters=parameters,
    )
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
    limit: int | None = None,
    *,
    fraction: float | None = None,
    replace: bool = True,
    seed: int | None = None,
    order: Order = "draw",
    index: str | None = None,
    parameters: Sequence[object] | None = None,
) -> pl.LazyFrame:
    """Return a plan of rows that are chosen by one reading of files, and taken from another one.

    Args:
        plan: the files with the types by which rows are weighed.
        rows: the same files with the types that are wanted, such as all text.
        sampler: a sampler, or a statement that chooses rows and columns of the frame; the rest as of `view`.

    Raises:
        TQLUnsupportedError: a statement makes columns or rows of its own.
        TQLError: as `view`.
    """
    check_index(index)
    streamed = is_repeatable(plan) and is_repeatable(rows)
    source = TwoPassFrame(plan, index, kept=True, rows=rows) if streamed else PolarsFrame(plan.collect(), index)
    choice = choose(
        source,
        sampler,
        limit,
        fraction=fraction,
        replace=replace,
        seed=seed,
        order=order,
        parameters=parameters,
    )
    if isinstance(source, TwoPassFrame):
        return source.take_lazy(choice.find, choice.columns)
    return PolarsFrame(rows.collect(), index).take(choice.find(source), choice.columns).lazy()


def load(
    path: str | os.PathLike[str], frame: Native, *, strict: bool, columns: Sequence[object] | None
) -> View[Native]:
    """Return the view of a file; arguments and errors as of `tql_frames.load_view`."""
    check_flag("strict", strict)
    positions, saved = read_file(path)
    needs = _needs(saved, bool(strict), columns)
    pandas = isinstance(frame, pd.DataFrame)
    ignore_index = saved.ignore_index and pandas
    index = None if saved.ignore_index else saved.index
    if pandas and index is not None:
        index = "index"
    source = kept_frame_of(frame, index, ignore_index)
    labels = source.scan(frozenset()).labels
    # Looked at first, since the rest takes a pass over the whole frame.
    found = Fingerprint(source.rows, (), (), "")
    if found.rows == saved.frame.rows:
        wanted = {each.name for each in saved.frame.columns if each.digest and needs.compares(each.name)}
        if not wanted <= set(names_of(labels)):
            wanted |= set(names_of(labels))  # one of them may be a column by another name
        found = fingerprint(source, wanted, needed=(), by_value=saved.frame.by_value)
    wrong, allowed = differences(saved.frame, found, needs)
    if wrong is not None:
        if saved.kind.split()[0] != source.kind.split()[0] and " of type " in wrong.message:
            wrong.hint = f"it was saved of a {saved.kind}; load it with one, or convert the columns"
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
    """Return what of a frame must be as it was."""
    if columns is None:
        return Needs(saved.needs, saved.outputs, strict=strict)
    if isinstance(columns, str) or not isinstance(columns, Sequence):
        hint = f"columns=[{columns!r}]" if isinstance(columns, str) else None
        raise TQLError(f"columns must be a list of column names, not {type(columns).__name__}", hint=hint)
    known = {each.name: each.digest for each in saved.frame.columns}
    for label in columns:
        name = repr(label)
        if name not in known:
            raise TQLNameError(f"the view was saved of a frame without column {name}", hint=did_you_mean(name, known))
        if not known[name]:
            raise TQLError(f"column {name} cannot be compared: its values had no Polars type when the view was saved")
    return Needs(saved.needs, saved.outputs, frozenset(map(repr, columns)), strict)
