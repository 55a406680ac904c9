"""A statement on frames: parse, bind the parameters, scan, compile to one plan, and let an adapter finish it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tql_frames.compiler import CompiledSampler
from tql_frames.drawing import Draw, random_numbers, seed_of_sample
from tql_frames.errors import Fault, TQLError, WeightError
from tql_frames.frames import Adapter, Deferred, LazyAdapter
from tql_frames.language import parse_statement, tree
from tql_frames.language.parameters import bind
from tql_frames.planning import Frames, Relation, Scan, Size, compile_statement, named_columns
from tql_frames.weighing import Weigher


@dataclass(frozen=True)
class Query:
    """A statement made ready for its frames.

    Attributes:
        source: its text.
        statement: its tree, parameters bound.
        relation: its plan.
        adapter: of the frame whose rows it gives, or of the first one.
        scan: that frame as the plan found it.
    """

    source: str
    statement: tree.Statement
    relation: Relation
    adapter: Adapter | Deferred
    scan: Scan

    def plan(self, index: str | None) -> pl.LazyFrame:
        """What runs for it."""
        return self.adapter.plan(self.relation, self.scan, index)

    def result(self, index: str | None) -> object:
        """A native frame, of a LazyFrame a lazy one; `index` as `sample` takes it.

        Raises:
            TQLError: the weights cannot be drawn by, or Polars cannot evaluate the plan.
        """
        try:
            return self.adapter.finish(self.relation, self.scan, index)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
            reason = (str(fault) or type(fault).__name__).splitlines()[0][:300]
            message = f"the statement cannot be evaluated on these rows: {reason}"
            raise TQLError(message, source=self.source, span=self.statement.span) from None


def prepare(
    text: str,
    parameters: Sequence[object] | None,
    default: Adapter | Deferred | None,
    named: Mapping[str, Adapter | Deferred],
    *,
    seed: int,
    numbered: bool,
) -> Query:
    """Read and compile a statement; nothing runs.

    Args:
        text: the statement.
        parameters: values for its `?`.
        default: adapter of the frame of a SELECT without FROM.
        named: adapters of the frames that FROM and JOIN may name.
        seed: fixes its samples and random numbers.
        numbered: whether row numbers are asked for.

    Raises:
        TQLError: it is wrong, or does not fit the frames.
    """
    try:
        statement = bind(parse_statement(text), parameters)
    except Fault as fault:
        raise fault.error(text) from None
    names = named_columns(statement)
    scans = {name: adapter.scan(names) for name, adapter in named.items()}
    base = None if default is None else default.scan(names)

    def drawn(plan: pl.LazyFrame, sampler: CompiledSampler, size: Size, replace: bool, number: int) -> pl.LazyFrame:
        def refusal(size: int) -> WeightError:
            message = f"cannot draw {size:,} rows: none is left to draw from"
            hint = "without LIMIT no rows give an empty frame"
            return WeightError(message, source=text, span=sampler.tree.span, hint=hint)

        how = Draw(Weigher(sampler), size.of, replace, seed_of_sample(seed, number), refusal)
        return LazyAdapter(plan).then_take(how.positions)

    relation = compile_statement(
        text, statement, Frames(base, scans), draw=drawn, random=random_numbers(seed), numbered=numbered
    )
    pairs = [(adapter, scans[name]) for name, adapter in named.items()]
    if default is not None and base is not None:
        pairs.append((default, base))
    lazy = next((pair for pair in pairs if isinstance(pair[0], LazyAdapter)), None)
    own = next((pair for pair in pairs if pair[1].rows is relation.rows), None)
    adapter, scan = lazy or own or pairs[0]
    return Query(text, statement, relation, adapter, scan)
