"""Define the population of a sampler: the rows as a lazy plan, and the sampler compiled for their columns.

`contingency` counts the population.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tql_frames.analysis.label_columns import LabelColumns, LabelKey
from tql_frames.compiler import CompiledSampler, RandomNumbers
from tql_frames.compiler.expressions.sampler import compile_tree, key_of
from tql_frames.compiler.expressions.scope import FieldScope, SchemaScope, column
from tql_frames.compiler.expressions.translate import Translator, in_order
from tql_frames.compiler.statements import Frames, Names, SampleClause, compile_statement, named_columns, size_of
from tql_frames.errors import Fault
from tql_frames.frames import CollectedFrame, PolarsFrame, Rows
from tql_frames.language import nodes, parse_statement
from tql_frames.language.nodes import Node, replaced
from tql_frames.language.parameters import bind
from tql_frames.pipeline.draw import Draw, DrawSpec, random_numbers
from tql_frames.pipeline.statement import draw_of, draws
from tql_frames.pipeline.weights import GivenWeights, Weigher


@dataclass(frozen=True)
class Population:
    """The rows that a sampler draws from.

    Attributes:
        plan: the rows; unused columns are not read when it runs.
        text: the sampler, or the statement; None for equal weights.
        label: the labels of a row; None if no labels were requested.
        sampler: compiled for the plan, a Float64 expression of a checked column, or None for equal weights.
        compile: compiles another tree for the plan.
        row: position of a row in its source frame; None for new rows, as after GROUP BY or JOIN.
        times: number of rows that each row represents; None for one.
        expected: expected draws of a row, and the probability that it is drawn, if its weight alone does not determine
            them, as for rows in groups; else None.
    """

    plan: pl.LazyFrame
    text: str | None
    label: LabelKey | None
    sampler: CompiledSampler | pl.Expr | None
    compile: Callable[[Node], CompiledSampler]
    row: pl.Expr | None
    times: pl.Expr | None = None
    expected: tuple[pl.Expr, pl.Expr] | None = None

    def with_expected(self, draw: Draw, rows: Rows) -> Population:
        """Return the population with the expected draws of each row.

        Args:
            draw: a request for draws by group or unit.
            rows: the same rows, for the weights.

        Raises:
            TQLError: as `Draw.positions`.
        """
        names = Names.apart_from(self.plan.clone().collect_schema())
        found = {names.new("expected"): values for values in draw.expected(rows)}
        plan = self.plan.with_columns(pl.Series(name, values) for name, values in found.items())
        once, drawn = map(column, found)
        return dataclasses.replace(self, plan=plan, expected=(once, drawn))


@dataclass(frozen=True)
class Sampled:
    """The population of a statement, and the request of its SAMPLE BY."""

    population: Population
    spec: DrawSpec


def population_of(
    frame: Rows,
    by: LabelColumns | None,
    sampler: str | pl.Expr | GivenWeights | None,
    seed: int,
    start: int = 0,
    *,
    spec: DrawSpec | None = None,
) -> Population:
    """Return the rows of a frame.

    Args:
        frame: adapter of the frame.
        by: the columns of labels.
        sampler: TQL text or a Polars expression; None for equal weights.
        seed: seed of the numbers of `random()`.
        start: number of the first row; the numbers of `random()` depend on it.
        spec: the request for draws, if it is by group or unit.

    Raises:
        TQLError: the sampler does not fit the frame, or there is no such column, or its values cannot be labels.
    """
    random = random_numbers(seed, start)
    weigher = None if sampler is None else Weigher.of(sampler, frame, random)
    schema = frame.schema
    label = None if by is None else by.key(schema, column)
    compiled = None if weigher is None else weigher.sampler
    weights = None
    if weigher is not None and isinstance(compiled, pl.Expr):  # the values are checked, which needs all of them
        frame = frame.collect() if isinstance(frame, CollectedFrame) else frame
        weights = weigher.weigh(frame)
    named = set() if by is None else set(by.names)
    if isinstance(compiled, CompiledSampler):
        named |= nodes.names_in(compiled.tree)
    scan = frame.scan(frozenset(named))
    names = Names.apart_from(scan.labels)
    plan, row = scan.plan, names.new("row")
    if weights is not None:
        name = names.new("weight")
        plan, compiled = plan.with_columns(pl.Series(name, weights)), column(name)

    def compile(node: Node) -> CompiledSampler:
        assert isinstance(compiled, CompiledSampler)
        return compile_tree(compiled.source, node, Translator(SchemaScope(schema), in_order(random, compiled.tree)))

    text = sampler if sampler is None or isinstance(sampler, str) else str(sampler)
    found = Population(plan.with_row_index(row), text, label, compiled, compile, column(row))
    if spec is None or spec.is_plain:
        return found
    draw = Draw.of("1" if sampler is None else sampler, frame, spec)
    return found.with_expected(draw, frame.collect() if isinstance(frame, CollectedFrame) else frame)


def sampled_by(
    frame: Rows, text: str, parameters: Sequence[object] | None, by: LabelColumns | None, seed: int
) -> Sampled | None:
    """Return the rows that the last SAMPLE BY of a statement draws from; None if there is no SAMPLE BY at its end.

    They are the rows of the statement without that clause, with all columns.

    Raises:
        TQLError: the text is wrong or does not fit the frame; or as `population_of`.
    """
    try:
        statement = bind(parse_statement(text), parameters)
        sample = statement.sample
        if sample is None:
            return None
        size = size_of(sample.limit, "LIMIT")
    except Fault as fault:
        raise fault.error(text) from None
    rest, aliases = _before_sampling(statement)
    used = named_columns(rest)
    asked = nodes.names_in(sample) | (set() if by is None else set(by.names))
    scan = frame.scan(None if used is None else used | asked)
    random = random_numbers(seed)
    relation = compile_statement(
        text,
        rest,
        Frames(scan, {}),
        draw=draws(text, seed),
        random=_as_in(statement, random, rest),
        numbered=True,
    )
    root = _without_aliases(sample.sampler, aliases)

    def translator() -> Translator:
        return Translator(FieldScope(relation.fields), in_order(random, statement))

    def compile(node: Node) -> CompiledSampler:
        try:
            return compile_tree(text, node, translator())
        except Fault as fault:
            raise fault.error(text) from None

    schema = {each.label: each for each in relation.fields if isinstance(each.label, str)}
    label = None
    if by is not None:
        dtypes = {name: each.known if name in by.names else pl.Null() for name, each in schema.items()}
        label = by.key(dtypes, lambda name: column(schema[name].key))
    own = relation.rows is scan.rows and relation.row is not None
    row = column(str(relation.row)) if own else None
    sampler = compile(root)
    try:
        over = tuple(key_of(text, _without_aliases(key, aliases), translator(), "OVER") for key in sample.over)
    except Fault as fault:
        raise fault.error(text) from None
    draw = draw_of(text, sampler, SampleClause(sample.span, size, sample.replace, over, sample.design), seed)
    population = Population(relation.plan, text, label, sampler, compile, row)
    if not draw.spec.is_plain:
        rows = relation.plan.collect()
        population = dataclasses.replace(population, plan=rows.lazy()).with_expected(draw, PolarsFrame(rows))
    return Sampled(population, draw.spec)


def _before_sampling(statement: nodes.Statement) -> tuple[nodes.Statement, dict[str, Node]]:
    """Return a statement without its SAMPLE BY and with all columns, and the expressions of its aliases."""
    body = statement.body
    aliases: dict[str, Node] = {}
    if isinstance(body, nodes.Select) and not (body.groups or body.ungroup or body.distinct):
        items = [item for item in body.items if isinstance(item, nodes.Item) and item.alias is not None]
        aliases = {str(item.alias): item.expression for item in items}
        body = dataclasses.replace(body, items=(nodes.Star(),))
    keys = tuple(
        dataclasses.replace(key, expression=_without_aliases(key.expression, aliases)) for key in statement.keys
    )
    return dataclasses.replace(statement, body=body, keys=keys, sample=None), aliases


def _without_aliases(node: Node, aliases: Mapping[str, Node]) -> Node:
    return replaced(node, lambda each: aliases.get(each.name) if isinstance(each, nodes.Column) else None)


def _as_in(whole: Node, random: RandomNumbers, part: Node) -> RandomNumbers:
    """Return random numbers with which calls of `random()` in a part of a statement match those in the whole."""
    places, others = (
        sorted(each.span.start for each in node.walk() if isinstance(each, nodes.Call) and each.name == "random")
        for node in (whole, part)
    )
    return lambda call: random(places.index(others[call]))
