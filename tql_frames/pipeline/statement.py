"""Run a statement on frames: parse, bind the parameters, scan, compile to one plan, and let an adapter finish it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl

from tql_frames.compiler import CompiledSampler
from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.statements import Draw as DrawsRows
from tql_frames.compiler.statements import Frames, Relation, SampleClause, Scan, compile_statement, named_columns
from tql_frames.errors import Fault, Span, TQLError, TQLUnsupportedError, TQLWarning, WeightError, reason_of, warn
from tql_frames.frames import CollectedFrame, ColumnRef, Frame, Rows
from tql_frames.frames.polars import check_process
from tql_frames.language import nodes, parse_statement, unparse
from tql_frames.language.parameters import bind
from tql_frames.pipeline.draw import DESIGNS, Design, Draw, DrawSpec, design_from, random_numbers, seed_of_sample
from tql_frames.pipeline.groups import GroupKeys
from tql_frames.pipeline.idle_arms import warn_of_categories
from tql_frames.pipeline.weights import Weigher
from tql_frames.sampling import Positions


@dataclass(frozen=True)
class Query:
    """A statement compiled for its frames.

    Attributes:
        source: its text.
        statement: its tree, parameters bound.
        relation: its plan.
        adapter: adapter of the frame whose rows it returns, or of the first frame.
        scan: scan of that frame.
        sampled: plans of the populations of its SAMPLE BY clauses.
    """

    source: str
    statement: nodes.Statement
    relation: Relation
    adapter: Frame
    scan: Scan
    sampled: tuple[pl.LazyFrame, ...] = ()

    @property
    def why_collected(self) -> str | None:
        """Reason why a sample holds rows of files in memory; None if they are read twice."""
        return next((why for plan in self.sampled if (why := CollectedFrame(plan).why_collected)), None)

    def plan(self, index: str | None) -> pl.LazyFrame:
        """Return the plan of the result."""
        return self.adapter.plan(self.relation, self.scan, index)

    def result(self, index: str | None) -> object:
        """Return a native frame, lazy for a LazyFrame; see `sample` for `index`.

        Raises:
            TQLError: weights are invalid, or Polars cannot evaluate the plan.
        """
        with evaluating(self.source, self.statement):
            return self.adapter.finish(self.relation, self.scan, index)


@dataclass(frozen=True)
class RowQuery:
    """A statement that selects rows and columns of one frame, and computes no new ones.

    Attributes:
        source: its text.
        statement: its tree, parameters bound.
        relation: its plan.
        columns: columns of the result; None for all columns of the frame, unchanged.
        labels: names of the columns.
        names: names of the columns that it may read; None for all.
    """

    source: str
    statement: nodes.Statement
    relation: Relation
    columns: tuple[ColumnRef, ...] | None
    labels: tuple[object, ...]
    names: frozenset[str] | None

    def positions(self, *, streaming: bool) -> Positions:
        """Return the positions of its rows in the frame, in the order of the result, shape (k,).

        Args:
            streaming: whether to read the files of the plan in batches.

        Raises:
            TQLError: as `Query.result`.
        """
        assert self.relation.row is not None
        check_process()
        plan = self.relation.plan.select(column(self.relation.row))
        with evaluating(self.source, self.statement):
            found = plan.collect(engine="streaming" if streaming else "auto")
        return found.to_series().to_numpy()


def prepare(
    text: str,
    parameters: Sequence[object] | None,
    default: Frame | None,
    named: Mapping[str, Frame],
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
        numbered: whether row numbers are needed.

    Raises:
        TQLError: it is invalid, or does not fit the frames.
    """
    statement = _bound(text, parameters)
    names = named_columns(statement)
    scans = {name: adapter.scan(names) for name, adapter in named.items()}
    base = None if default is None else default.scan(names)

    sampled: list[pl.LazyFrame] = []
    relation = compile_statement(
        text,
        statement,
        Frames(base, scans),
        draw=draws(text, seed, sampled),
        random=random_numbers(seed),
        numbered=numbered,
        note=_notes(text),
    )
    pairs = [(adapter, scans[name]) for name, adapter in named.items()]
    if default is not None and base is not None:
        pairs.append((default, base))
    lazy = next((pair for pair in pairs if pair[0].is_lazy), None)
    own = next((pair for pair in pairs if pair[1].rows is relation.rows), None)
    adapter, scan = lazy or own or pairs[0]
    return Query(text, statement, relation, adapter, scan, tuple(sampled))


def prepare_rows(text: str, parameters: Sequence[object] | None, frame: Rows, *, seed: int) -> RowQuery:
    """Read and compile a statement that selects rows and columns of one frame; nothing runs.

    Args:
        text: the statement.
        parameters: values for its `?`.
        frame: the frame of a SELECT without FROM.
        seed: fixes its samples and random numbers.

    Raises:
        TQLUnsupportedError: it computes new rows or columns.
        TQLError: it is invalid, or does not fit the frame.
    """
    statement = _bound(text, parameters)
    names = named_columns(statement)
    scan = frame.scan(names)
    relation = compile_statement(
        text, statement, Frames(scan, {}), draw=draws(text, seed), random=random_numbers(seed), numbered=True
    )
    if relation.rows is not scan.rows:
        clause, span = _clause_of_new_rows(statement)
        raise _not_of_the_frame(f"{clause} makes new rows; a view is of rows of the frame", text, span)
    columns = [ColumnRef(each.origin, each.label) for each in relation.fields if each.origin is not None]
    if len(columns) < len(relation.fields):
        label = next(each.label for each in relation.fields if each.origin is None)
        message = f"column {label!r} is computed; a view is of columns of the frame"
        raise _not_of_the_frame(message, text, _span_of_computed(statement, label))
    labels = tuple(each.label for each in columns)
    every = columns == [ColumnRef(*each) for each in enumerate(scan.labels)]
    return RowQuery(text, statement, relation, None if every else tuple(columns), labels, names)


def _bound(text: str, parameters: Sequence[object] | None) -> nodes.Statement:
    try:
        return bind(parse_statement(text), parameters)
    except Fault as fault:
        raise fault.error(text) from None


def _notes(text: str) -> Callable[[nodes.Call], None]:
    """Return a function that warns of aggregations in a statement that see one number per row."""

    def note(call: nodes.Call) -> None:
        name, argument = call.name, unparse(call.arguments[0])
        message = (
            f"{name}({argument}) is one value a row: {name} takes the elements of a list, and {argument} is a number"
        )
        hint = f"for one value of all rows write: select {name}({argument}) as {name} group by true"
        warn(TQLWarning(str(TQLError(message, source=text, span=call.span, hint=hint))))

    return note


@contextmanager
def evaluating(source: str, statement: nodes.Statement) -> Iterator[None]:
    """Convert errors of Polars to errors that show the statement."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        message = f"the statement cannot be evaluated on these rows: {reason_of(fault)}"
        raise TQLError(message, source=source, span=statement.span) from None


def _clause_of_new_rows(statement: nodes.Statement) -> tuple[str, Span]:
    for node in statement.walk():
        match node:
            case nodes.Join():
                return "JOIN", node.span
            case nodes.Select(groups=(first, *_)):
                return "GROUP BY", first.span
    return "the statement", statement.span


def _span_of_computed(statement: nodes.Statement, label: object) -> Span:
    for node in statement.walk():
        if isinstance(node, nodes.Item) and not isinstance(node.expression, nodes.Column):
            first = next((each.name for each in node.walk() if isinstance(each, nodes.Column)), None)
            if label in (node.alias, first):
                return node.span
    return statement.span


def _not_of_the_frame(message: str, text: str, span: Span) -> TQLUnsupportedError:
    hint = "use query with the same text for a frame of its own"
    return TQLUnsupportedError(message, source=text, span=span, hint=hint)


def no_rows_error(size: int, text: str, span: Span) -> WeightError:
    """Return the error for requesting `size` rows in a SAMPLE BY whose population is empty."""
    hint = "leave LIMIT out for an empty frame"
    return WeightError(f"cannot draw {size:,} rows: no rows are left", source=text, span=span, hint=hint)


def draws(text: str, seed: int, sampled: list[pl.LazyFrame] | None = None) -> DrawsRows:
    """Return the function that draws for SAMPLE BY clauses, each with its own seed; `sampled` receives their plans."""

    def drawn(plan: pl.LazyFrame, sampler: CompiledSampler, clause: SampleClause, number: int) -> pl.LazyFrame:
        warn_of_categories(sampler)
        how = draw_of(text, sampler, clause, seed_of_sample(seed, number))
        if sampled is not None:
            sampled.append(plan)
        return CollectedFrame(plan).take_lazy(how.positions)

    return drawn


def draw_of(text: str, sampler: CompiledSampler, clause: SampleClause, seed: int) -> Draw:
    """Return the request of a SAMPLE BY.

    Raises:
        TQLError: there is no such design.
    """

    def refusal(size: int) -> WeightError:
        return no_rows_error(size, text, sampler.tree.span)

    design = design_of(text, clause.design, clause.span, replace=clause.replace)
    over = tuple(key.text for key in clause.over)
    spec = DrawSpec(clause.size.rows, clause.size.share, clause.replace, seed, over=over, design=design)
    return Draw(Weigher(sampler), spec, refusal, over=GroupKeys("over", clause.over) if over else None)


def design_of(text: str, design: str | None, span: Span, *, replace: bool) -> Design:
    """Return the design of a SAMPLE BY at a span of a text.

    Raises:
        TQLError: there is no such design, or it does not support this `replace`.
    """
    try:
        return design_from(design, replace=replace)
    except TQLError as fault:
        hint = f"write REPLACE {str(not replace).upper()}" if design in DESIGNS[not replace] else fault.hint
        raise TQLError(fault.message, source=text, span=span, hint=hint) from None
