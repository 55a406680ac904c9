"""Run a statement on partitions: WHERE, SELECT, SAMPLE BY and LIMIT, with the results that one frame would have.

Each partition compiles the statement, `driver` draws. All other clauses need rows of several partitions together, and
raise an error that names the clause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from tql_frames.compiler import CompiledSampler
from tql_frames.compiler.statements import (
    Draw,
    Frames,
    Relation,
    SampleClause,
    Scan,
    Size,
    compile_statement,
    named_columns,
    size_of,
)
from tql_frames.distributed.assignment import First, PartitionDraw
from tql_frames.distributed.partition_counts import Answer, Counts, Over, Question, Schema, answer, count
from tql_frames.distributed.sampler import asks_for_numbers, check_functions, gathers
from tql_frames.errors import Fault, Span, TQLError, TQLUnsupportedError, WeightError
from tql_frames.frames import PolarsFrame, Rows
from tql_frames.language import nodes, parse_statement
from tql_frames.language.nodes import Node, replaced
from tql_frames.language.parameters import bind, check_parameters
from tql_frames.pipeline.draw import Design, DrawSpec, random_numbers
from tql_frames.pipeline.groups import GroupKeys
from tql_frames.pipeline.statement import design_of, evaluating, no_rows_error
from tql_frames.pipeline.weights import Weigher


class Partition(Rows, Protocol):
    """Rows of a partition from which a statement selects."""

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> object:
        """Return a relation as a native frame."""


@dataclass(frozen=True)
class PartitionStatement:
    """A statement as the partitions receive it.

    Attributes:
        text: the text.
        parameters: values for its `?`, or None.
        root: its tree, with the parameters bound.
        seed: seed of the draw.
    """

    text: str
    parameters: Sequence[object] | None
    root: nodes.Statement
    seed: int

    @classmethod
    def of(cls, text: object, parameters: Sequence[object] | None, seed: int) -> PartitionStatement:
        """Parse and check a statement.

        Raises:
            TQLError: the text or a parameter is invalid.
            TQLUnsupportedError: a clause or function needs rows of several partitions together.
        """
        if not isinstance(text, str):
            raise TQLError(f"expected a statement as TQL text, got {type(text).__name__}")
        check_parameters(parameters)
        try:
            statement = bind(parse_statement(text), parameters)
            _check_clauses(statement)
            _sizes(statement)
            _design_of(text, statement)
        except Fault as fault:
            raise fault.error(text) from None
        return cls(text, parameters, statement, seed)

    @property
    def samples(self) -> bool:
        """Whether the statement has a SAMPLE BY clause."""
        return self.root.sample is not None

    @property
    def cuts(self) -> bool:
        """Whether the statement has a LIMIT clause without SAMPLE BY."""
        return self.root.limit is not None

    @property
    def replace(self) -> bool:
        """Whether it draws with replacement."""
        return self.root.sample is not None and self.root.sample.replace

    @property
    def spec(self) -> DrawSpec:
        """The request of its SAMPLE BY clause."""
        keys = () if self.root.sample is None else self.root.sample.over
        over = tuple(self.text[key.span.start : key.span.stop] for key in keys)
        design = _design_of(self.text, self.root)
        return DrawSpec(self.size.rows, self.size.share, self.replace, self.seed, "source", over, design=design)

    @property
    def size(self) -> Size:
        """Number or share of rows that it draws, or that its LIMIT keeps."""
        return _sizes(self.root)

    @property
    def select(self) -> nodes.Select:
        """Its SELECT."""
        assert isinstance(self.root.body, nodes.Select)
        return self.root.body

    @property
    def counted(self) -> nodes.Statement:
        """The statement of the first pass: all columns, no LIMIT, and SAMPLE BY without aliases of SELECT."""
        body = dataclasses.replace(self.select, items=(nodes.Star(),))
        sample = self.root.sample
        if sample is not None:
            items = [item for item in self.select.items if isinstance(item, nodes.Item) and item.alias is not None]
            aliases = {item.alias: item.expression for item in items}

            def meant(node: Node) -> Node | None:
                return aliases.get(node.name) if isinstance(node, nodes.Column) and node.frame is None else None

            # Errors point at the key in the text, also if it is an alias.
            over = tuple(dataclasses.replace(replaced(key, meant), span=key.span) for key in sample.over)
            sample = dataclasses.replace(sample, sampler=replaced(sample.sampler, meant), over=over)
        return dataclasses.replace(self.root, body=body, sample=sample, limit=None)

    def names(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that the first pass reads, in the order of `columns`."""
        used = nodes.names_in(self.counted)
        return [name for name in columns if name in used]

    def count(self, frame: Rows, start: int = 0) -> Counts:
        """Return the counts of a partition that has rows, for the rows that WHERE keeps.

        Raises:
            TQLError: the statement does not fit the rows.
        """
        schema = {name: frame.schema[name] for name in self.names(list(frame.schema))}
        if self.samples:
            rows, sampler, over = self._drawn_from(frame)
            if not rows.rows:
                return Counts(0, schema=schema, seen=frame.rows)
            return dataclasses.replace(count(Weigher(sampler), rows, schema, over=over), seen=frame.rows)
        relation, _ = self._compiled(self.counted, frame, _draws_nothing)
        with evaluating(self.text, self.root):
            rows_left = int(relation.plan.select(pl.len()).collect().item())
        return Counts(rows_left, schema=schema, seen=frame.rows)

    def answer(self, question: Question, frame: Rows, start: int = 0) -> Answer:
        """Return the answer of a partition to a question about the weights of the rows that WHERE keeps."""
        rows, sampler, over = self._drawn_from(frame)
        return answer(question, Weigher(sampler), rows, over)

    def rows(self, frame: Partition, share: PartitionDraw | None) -> object:
        """Return the rows and columns of the result in a partition.

        Without a share, these are all rows that WHERE keeps, or no rows if the statement has SAMPLE BY.

        Raises:
            TQLError: the partition has other rows than when it was counted.
        """

        def drawn(plan: pl.LazyFrame, sampler: CompiledSampler, clause: SampleClause, number: int) -> pl.LazyFrame:
            if share is None:
                return plan.head(0)
            rows = PolarsFrame(plan.collect())
            return rows.take(share.positions(Weigher(sampler), rows, over=self._over(clause))).lazy()

        with evaluating(self.text, self.root):
            relation, scan = self._compiled(dataclasses.replace(self.root, limit=None), frame, drawn)
            if share is not None and isinstance(share.drawn, First):
                left = relation.plan.collect()
                share.check_rows(left.height)
                relation = relation.with_plan(left.lazy().head(share.drawn.count))
            return frame.finish(relation, scan, None)

    def relation(self, frame: Rows) -> tuple[Relation, Scan]:
        """Return the result for a frame without rows, and its scan."""
        return self._compiled(self.root, frame, _draws_nothing)

    def computes(self, frame: Rows) -> bool:
        """Return whether the result has computed columns."""
        return any(field.origin is None for field in self.relation(frame)[0].fields)

    def all_names(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that it names, in the order of `columns`."""
        used = nodes.names_in(self.root)
        return [name for name in columns if name in used]

    def computed_names(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that it computes with, in the order of `columns`; not columns that it only selects."""
        items = [item.expression for item in self.select.items if isinstance(item, nodes.Item)]
        used = set(self.names(columns))
        used.update(*(nodes.names_in(each) for each in items if not isinstance(each, nodes.Column)))
        return [name for name in columns if name in used]

    def needs(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that the last pass reads or returns, in the order of `columns`.

        If the pass needs no column, this is the first column, to count rows.
        """
        if any(isinstance(item, nodes.Star) for item in self.select.items):
            return list(columns)
        return self.all_names(columns) or list(columns[:1])

    def weigher(self, frame: Rows) -> Weigher:
        """Return its sampler compiled for a frame."""
        return Weigher(self._drawn_from(frame)[1])

    def weigher_of(self, schema: Schema) -> Weigher:
        """Return its sampler compiled for frames of a schema, for error messages."""
        return self.weigher(PolarsFrame(pl.DataFrame(schema=schema)))

    def over_of(self, schema: Schema) -> Over | None:
        """Return the keys of its OVER clause, compiled for frames of a schema; None for a draw by strata or spread."""
        found: list[Over | None] = []

        def note(plan: pl.LazyFrame, sampler: CompiledSampler, clause: SampleClause, number: int) -> pl.LazyFrame:
            found.append(self._over(clause))
            return plan.head(0)

        self._compiled(self.counted, PolarsFrame(pl.DataFrame(schema=schema)), note)
        return found[0]

    def empty_population_error(self, size: int) -> WeightError:
        """Return the error for requesting `size` rows from an empty population."""
        assert self.root.sample is not None
        return no_rows_error(size, self.text, self.root.sample.sampler.span)

    def _over(self, clause: SampleClause) -> Over | None:
        gathering = gathers(self.spec)
        keys = GroupKeys("over", clause.over) if clause.over else None
        return Over(keys, None, self.replace, gathering) if clause.over or gathering else None

    def _drawn_from(self, frame: Rows) -> tuple[PolarsFrame, CompiledSampler, Over | None]:
        """Return the rows that SAMPLE BY draws from, its sampler, and the keys of its groups."""
        found: list[tuple[pl.LazyFrame, CompiledSampler, Over | None]] = []

        def draw(plan: pl.LazyFrame, sampler: CompiledSampler, clause: SampleClause, number: int) -> pl.LazyFrame:
            found.append((plan, sampler, self._over(clause)))
            return plan.head(0)

        self._compiled(self.counted, frame, draw)
        ((plan, sampler, over),) = found
        with evaluating(self.text, self.root):
            return PolarsFrame(plan.collect()), sampler, over

    def _compiled(self, statement: nodes.Statement, frame: Rows, draw: Draw) -> tuple[Relation, Scan]:
        scan = frame.scan(named_columns(statement))
        random = random_numbers(self.seed)
        frames = Frames(scan, {})
        return compile_statement(self.text, statement, frames, draw=draw, random=random, numbered=True), scan


def _design_of(text: str, statement: nodes.Statement) -> Design:
    sample = statement.sample
    if sample is None:
        return "independent"
    assert sample.span is not None
    return design_of(text, sample.design, sample.span, replace=sample.replace)


def _draws_nothing(plan: pl.LazyFrame, sampler: CompiledSampler, clause: SampleClause, number: int) -> pl.LazyFrame:
    return plan.head(0)


def _sizes(statement: nodes.Statement) -> Size:
    return size_of(statement.limit if statement.sample is None else statement.sample.limit, "LIMIT")


def _check_clauses(statement: nodes.Statement) -> None:
    """Check that each clause and function can run on every partition separately.

    Raises:
        Fault: a clause or function cannot.
    """
    body = statement.body
    if isinstance(body, nodes.Combination):
        raise _unsupported(body.operator.upper(), body.span)
    if not isinstance(body, nodes.Select):
        raise _unsupported("a statement in parentheses", body.span)
    clauses: dict[str, Span | None] = {
        "JOIN": body.source.span if isinstance(body.source, nodes.Join) else None,
        "a subquery": body.source.span if isinstance(body.source, nodes.Subquery) else None,
        "DISTINCT": body.span if body.distinct else None,
        "TOP": _span(body.top),
        "EXPAND BY": _span(body.expand),
        "GROUP BY": body.groups[0].span if body.groups else None,
        "UNGROUP BY": _span(body.ungroup),
        "ORDER BY": statement.keys[0].span if statement.keys else None,
        "OFFSET": _span(statement.offset),
        "LIMIT before SAMPLE BY": _span(statement.limit) if statement.sample is not None else None,
    }
    for clause, span in clauses.items():
        if span is not None:
            raise _unsupported(clause, span)
    check_functions(statement)
    for node in statement.walk():
        if isinstance(node, nodes.Call) and asks_for_numbers(node) and not node.arguments:
            hint = "draw by it with sample, or compute it as a column of the frame"
            raise Fault(TQLUnsupportedError, f"{node.name}() is not supported in statements here", node.span, hint)


def _span(node: Node | None) -> Span | None:
    return None if node is None else node.span


def _unsupported(clause: str, span: Span) -> Fault:
    hint = "use WHERE, SELECT, SAMPLE BY and LIMIT here; do the rest with the engine, before or after"
    return Fault(TQLUnsupportedError, f"{clause} is not supported on frames of partitions", span, hint)
