"""What came of a view: its draws beside the rows that they were made from, as a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tql_frames.analysis import Report, population_of, report_on, sampled_by
from tql_frames.frames import Frame, Rows
from tql_frames.pipeline.arguments import no_column
from tql_frames.pipeline.draw import DrawSpec

if TYPE_CHECKING:
    from tql_frames.views.view import View


def report_on_view(view: View[Any], source: Frame, by: str | None) -> Report:
    """Return a report on a view; arguments and errors as of `View.report`."""
    if not (by is None or isinstance(by, str)):
        raise no_column(by)
    pandas = source.kind.startswith("pandas")
    step, drawn = view.steps[-1], view.drawn
    origin: Rows = source
    sampler: str | pl.Expr | None = None
    if view.origin is None or (step.kind == "expression" and view.expression is None):
        drawn = view.positions  # what they were drawn from, or by, was not saved
    else:
        origin = view.origin
        if step.kind == "statement":
            sampled = sampled_by(origin, step.text, step.parameters, by, step.seed)
            if sampled is not None and sampled.population.row is not None:
                return report_on(
                    sampled.population,
                    by,
                    DrawSpec(len(view), replace=sampled.spec.replace),
                    positions=drawn,
                    pandas=pandas,
                )
        elif step.kind == "sampler":
            sampler = step.text
        else:
            sampler = view.expression
    population = population_of(origin, by, sampler, step.seed)
    spec = DrawSpec(len(view), replace=step.replace is not False)
    return report_on(population, by, spec, positions=drawn, pandas=pandas)
