"""A sampler or a statement made ready to choose rows of a frame: what samples and views are made by.

Which rows they are is found when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from tql_frames.errors import TQLError
from tql_frames.frames import ColumnRef, Rows
from tql_frames.frames.polars import picks_columns
from tql_frames.language import is_statement, nodes
from tql_frames.pipeline.arguments import Order, sampler_from, seed_from
from tql_frames.pipeline.draw import Draw, DrawSpec
from tql_frames.pipeline.statement import prepare_rows
from tql_frames.pipeline.weights import Weigher
from tql_frames.sampling import Positions
from tql_frames.views.provenance import Kind, Step, plain_parameters


@dataclass(frozen=True)
class Choice:
    """A choice of rows and columns.

    Attributes:
        step: how the rows are chosen.
        columns: those of the result; None for all, as they are.
        find: returns the positions of the rows among those of a frame, in their order.
        expression: what weighs the rows, if it is a Polars expression.
    """

    step: Step
    columns: tuple[ColumnRef, ...] | None
    find: Callable[[Rows], Positions]
    expression: pl.Expr | None = None


def choose(
    rows: Rows,
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
        TQLError: they do not fit together, or not the rows.
    """
    sampler = sampler_from(sampler)
    if isinstance(sampler, str) and is_statement(sampler):
        defaults = {"limit": None, "fraction": None, "replace": True, "order": "draw"}
        given = {"limit": limit, "fraction": fraction, "replace": replace, "order": order}
        names = [f"{name}=" for name, value in given.items() if value is not defaults[name] and value != defaults[name]]
        if names:
            hint = "write it into the statement: SAMPLE BY … REPLACE … LIMIT …, ORDER BY …"
            raise TQLError(f"{', '.join(names)} cannot be given with a statement", hint=hint)
        return _choose_by_statement(rows, sampler, parameters, seed_from(seed))
    if parameters is not None:
        raise TQLError("a sampler takes no parameters; a statement does")
    spec = DrawSpec.checked(limit, fraction, replace, seed, order)
    draw = Draw.of(sampler, rows, spec)
    expression = sampler if isinstance(sampler, pl.Expr) else None
    kind: Kind = "sampler" if expression is None else "expression"
    step = Step(str(sampler), kind, spec.seed, draw=spec, reads=_names_in(draw.weigher))
    return Choice(step, None, draw.positions, expression)


def _choose_by_statement(rows: Rows, text: str, parameters: Sequence[object] | None, seed: int) -> Choice:
    query = prepare_rows(text, parameters, rows, seed=seed)
    reads = None if query.names is None else tuple(sorted(query.names))

    def find(rows: Rows) -> Positions:
        if not rows.is_read_anew:
            rows.rows  # noqa: B018 - a plan that is held runs here, not in threads of the statement's that then wait
        return query.positions(streaming=rows.is_read_anew)

    return Choice(Step(text, "statement", seed, plain_parameters(parameters), reads=reads), query.columns, find)


def _names_in(weigher: Weigher) -> tuple[str, ...] | None:
    """Return names of the columns that weigh the rows; None where an expression selects them otherwise."""
    sampler = weigher.sampler
    if not isinstance(sampler, pl.Expr):
        return tuple(sorted({node.name for node in sampler.tree.walk() if isinstance(node, nodes.Column)}))
    return None if picks_columns(sampler) else tuple(sorted(sampler.meta.root_names()))
