"""A sampler or a statement made ready to choose rows of a frame: what a view is made by.

Which rows they are is found when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from tql_frames.arguments import Order, check_flag, check_order, sampler_from, seed_from, size_from
from tql_frames.drawing import Draw, random_numbers
from tql_frames.errors import TQLError
from tql_frames.frames import Column, Readable, ScannedSource
from tql_frames.frames.polars import picks_columns
from tql_frames.idle import warn_of_categories
from tql_frames.language import is_statement, tree
from tql_frames.querying import RowQuery, prepare_rows
from tql_frames.sampling import Positions
from tql_frames.views.provenance import Step, plain_parameters
from tql_frames.weighing import Weigher


@dataclass(frozen=True)
class Choice:
    """Some rows and columns of a frame.

    Attributes:
        origin: the frame, or the rows of a view.
        step: how its rows are chosen.
        columns: those that are chosen; None for all, as they are.
        find: gives the positions of the rows in `origin`, in their order.
        weigher: what weighs the rows; None of a statement.
        query: the statement; None of a sampler.
    """

    origin: Readable
    step: Step
    columns: tuple[Column, ...] | None
    find: Callable[[], Positions]
    weigher: Weigher | None = None
    query: RowQuery | None = None


def choose(
    origin: Readable,
    sampler: str | pl.Expr,
    limit: int | None,
    *,
    fraction: float | None,
    replace: bool,
    seed: int | None,
    order: Order,
    parameters: Sequence[object] | None,
) -> Choice:
    """Make a sampler or a statement ready; nothing runs. The options are those of `sample` and `query`.

    Raises:
        TQLError: they do not fit together, or not the frame.
    """
    sampler = sampler_from(sampler)
    if isinstance(sampler, str) and is_statement(sampler):
        defaults = {"limit": None, "fraction": None, "replace": True, "order": "draw"}
        given = {"limit": limit, "fraction": fraction, "replace": replace, "order": order}
        names = [f"{name}=" for name, value in given.items() if value is not defaults[name] and value != defaults[name]]
        if names:
            hint = "write it into the statement: SAMPLE BY … REPLACE … LIMIT …, ORDER BY …"
            raise TQLError(f"{', '.join(names)} cannot be given with a statement, which says it itself", hint=hint)
        return _by_statement(origin, sampler, parameters, seed_from(seed))
    if parameters is not None:
        raise TQLError("a sampler takes no parameters; a statement does")
    size = size_from(limit, fraction, replace)
    fixed_seed = seed_from(seed)
    check_flag("replace", replace)
    check_order(order)
    weigher = Weigher.of(sampler, origin, random_numbers(fixed_seed))
    warn_of_categories(weigher.sampler)
    draw = Draw(weigher, size, bool(replace), fixed_seed)

    def find() -> Positions:
        found = draw.positions(origin)
        if order == "source":
            found.sort()
        return found

    step = Step(
        str(sampler),
        "sampler" if isinstance(sampler, str) else "expression",
        fixed_seed,
        limit=size.limit,
        fraction=None if size.fraction is None else float(size.fraction),
        replace=bool(replace),
        order=order,
        reads=_names_in(weigher),
    )
    return Choice(origin, step, None, find, weigher=weigher)


def _by_statement(origin: Readable, text: str, parameters: Sequence[object] | None, seed: int) -> Choice:
    query = prepare_rows(text, parameters, origin, seed=seed)
    reads = None if query.names is None else tuple(sorted(query.names))
    step = Step(text, "statement", seed, plain_parameters(parameters), reads=reads)
    streaming = isinstance(origin, ScannedSource)

    def find() -> Positions:
        if not streaming:
            origin.rows  # noqa: B018 - a plan that is held runs here, not in threads of the statement's that then wait
        return query.positions(streaming=streaming)

    return Choice(origin, step, query.columns, find, query=query)


def _names_in(weigher: Weigher) -> tuple[str, ...] | None:
    """Names of the columns that weigh the rows; None where an expression selects them otherwise."""
    sampler = weigher.sampler
    if not isinstance(sampler, pl.Expr):
        return tuple(sorted({node.name for node in sampler.tree.walk() if isinstance(node, tree.Column)}))
    return None if picks_columns(sampler) else tuple(sorted(sampler.meta.root_names()))
