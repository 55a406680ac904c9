"""Compile a statement to one lazy plan, clause by clause in their order; runs nothing.

`compiler.expressions.translate` translates expressions, `outputs` computes and groups columns, `limits` sorts and cuts
rows, and `joins` combines relations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from tql_frames.compiler.expressions import operators
from tql_frames.compiler.expressions.sampler import CompiledSampler, Key, check_size, compile_tree, key_of
from tql_frames.compiler.expressions.scope import Field, FieldScope, column
from tql_frames.compiler.expressions.translate import RandomNumbers, Translator, in_order
from tql_frames.compiler.expressions.types import Value, is_bool, is_nested, is_number
from tql_frames.compiler.statements import outputs as grouping
from tql_frames.compiler.statements.joins import combine, join
from tql_frames.compiler.statements.limits import Size, count_of, cut, size_of, sort
from tql_frames.compiler.statements.outputs import (
    Output,
    aliases_of,
    computed,
    distinct,
    needed,
    outputs_of,
    parts_of_groups,
    projected,
)
from tql_frames.compiler.statements.relation import Names, Relation, Scan, added, from_scan, kept
from tql_frames.errors import (
    Fault,
    Span,
    TQLNameError,
    TQLSyntaxError,
    TQLTypeError,
    TQLUnsupportedError,
    did_you_mean,
)
from tql_frames.language import nodes
from tql_frames.language.nodes import Node


@dataclass(frozen=True)
class SampleClause:
    """The options of a SAMPLE BY.

    Attributes:
        span: span of the clause.
        size: rows to draw; with `over`, from each group.
        replace: whether to draw with replacement.
        over: the keys of groups; empty for one group.
        design: how draws depend on weights and on each other, as it was written; None for the default.
    """

    span: Span
    size: Size
    replace: bool
    over: tuple[Key, ...] = ()
    design: str | None = None


Draw = Callable[[pl.LazyFrame, CompiledSampler, SampleClause, int], pl.LazyFrame]
"""Population, sampler, clause, number of the SAMPLE BY in the statement -> plan of the drawn rows."""

Note = Callable[[nodes.Call], None]
"""Called for each call in a statement that may not do what the user meant."""

_OF_MANY = {"sum", "avg", "amin", "amax", "prod"}  # reduce the elements of a list; in SQL, they aggregate rows


@dataclass(frozen=True)
class Frames:
    """The frames that a statement may name.

    Attributes:
        default: the frame of a SELECT without FROM; None for the only named frame.
        named: the frames that FROM and JOIN may name.
    """

    default: Scan | None
    named: Mapping[str, Scan]


def compile_statement(
    source: str,
    statement: nodes.Statement,
    frames: Frames,
    *,
    draw: Draw,
    random: RandomNumbers,
    numbered: bool,
    note: Note | None = None,
) -> Relation:
    """Translate a statement to a lazy plan.

    Args:
        source: the text.
        statement: its tree, parameters bound.
        frames: the frames it may name.
        draw: draws rows.
        random: the numbers of `random()`, by the number of the call.
        numbered: whether the caller needs row positions.
        note: called for each aggregation in a SELECT without GROUP BY that sees one number per row instead of a whole
            column.

    Raises:
        TQLError: it does not fit the frames; with the span of the error.
    """
    scans = [scan for scan in (frames.default, *frames.named.values()) if scan is not None]
    aliases = [node.alias for node in statement.walk() if isinstance(node, (nodes.Item, nodes.Expand))]
    names = Names.apart_from([*aliases, *(label for scan in scans for label in scan.labels)])
    try:
        numbered = numbered or _needs_rows(statement)
        return _Compiler(
            source, frames, names, draw=draw, random=in_order(random, statement), numbered=numbered, note=note
        ).compile(statement)
    except Fault as fault:
        raise fault.error(source) from None


def named_columns(statement: nodes.Statement) -> frozenset[str] | None:
    """Return the names of columns that a statement may read; None for all, if it builds new rows from whole rows."""
    found = set()
    for node in statement.walk():
        match node:
            case nodes.Column(name):
                found.add(name)
            case nodes.Join() | nodes.Select(groups=(_, *_)):
                return None
            case nodes.Select(items, distinct=True) if any(isinstance(item, nodes.Star) for item in items):
                return None
            case nodes.Star(indices=(_, *_)):
                return None
            case nodes.Combination() if (
                len({each.name for each in node.walk() if isinstance(each, nodes.FrameName)}) > 1
            ):
                return None
    return frozenset(found)


def _needs_rows(statement: nodes.Statement) -> bool:
    return any(isinstance(node, nodes.Combination) for node in statement.walk())


@dataclass(frozen=True)
class _Selection:
    """A SELECT before its columns are computed: ORDER BY and later clauses act on the source rows.

    Attributes:
        relation: the source rows.
        outputs: columns of the result.
        items: the SELECT list.
        top: its TOP.
        keys: the keys of GROUP BY, by expression.
        known: values that were computed before any clause, by span.
    """

    relation: Relation
    outputs: Sequence[Output]
    items: Sequence[Node] = ()
    top: Node | None = None
    keys: Mapping[Node, Field] = field(default_factory=dict)
    known: Mapping[Span, Value] = field(default_factory=dict)


class _Compiler:
    """Compiles the clauses of one statement, with their shared state."""

    def __init__(
        self,
        source: str,
        frames: Frames,
        names: Names,
        *,
        draw: Draw,
        random: RandomNumbers,
        numbered: bool,
        note: Note | None,
    ) -> None:
        self._note = note
        self._source, self._frames, self._names = source, frames, names
        self._draw, self._random, self._numbered = draw, random, numbered
        self._samples = 0
        self._called: list[str] = []  # names of frames in FROM and JOIN

    def compile(self, root: nodes.Statement) -> Relation:
        """Return the whole statement."""
        self._called = sorted({node.name for node in root.walk() if isinstance(node, nodes.FrameName)})
        return self.statement(root)

    def statement(self, node: nodes.Statement) -> Relation:
        if isinstance(node.body, nodes.Select):
            return self._select(node.body, node)
        relation = self._body(node.body)
        return self._tail(node, _Selection(relation, [Output(each.label, each) for each in relation.fields]))

    def _body(self, node: Node) -> Relation:
        match node:
            case nodes.Select():
                return self._select(node, nodes.Statement(node, span=node.span))
            case nodes.Statement():
                return self.statement(node)
            case nodes.Combination(left, _, right):
                return combine(node, self._body(left), self._body(right), self._names)
        raise AssertionError(node)

    # -- FROM ---------------------------------------------------------------------------------------------------------

    def _source_of(self, node: Node | None, select: nodes.Select) -> Relation:
        match node:
            case None:
                only = [self._frames.default] if self._frames.default is not None else [*self._frames.named.values()]
                if len(only) > 1:
                    names = ", ".join(self._frames.named)
                    raise Fault(TQLNameError, "FROM is missing", select.span, f"the frames are {names}")
                return self._scan(only[0], None)
            case nodes.FrameName(name, alias):
                return self._scan(self._named(node), alias or name)
            case nodes.Subquery(statement, alias):
                relation = self.statement(statement)
                frames = () if alias is None else (alias,)
                return replace(relation, fields=tuple(replace(each, frames=frames) for each in relation.fields))
            case nodes.Join(left, _, right):
                sides = (self._source_of(left, select), self._source_of(right, select))
                return join(node, *sides, self._names, self._random, numbered=self._numbered)
        raise AssertionError(node)

    def _named(self, node: nodes.FrameName) -> Scan:
        if node.name in self._frames.named:
            return self._frames.named[node.name]
        if "://" in node.name:
            raise Fault(TQLUnsupportedError, "FROM a URL is not supported", node.span, "load the frame and query it")
        if self._frames.default is not None:
            if len(self._called) == 1:  # any name refers to the only frame
                return self._frames.default
            names = ", ".join(self._called[:5])
            message = f"the statement is called on one frame, but names {len(self._called)}: {names}"
            hint = "name one of them throughout, or pass each: tql_frames.query(text, name=frame, …)"
            raise Fault(TQLNameError, message, node.span, hint)
        hint = did_you_mean(node.name, self._frames.named) or f"the frames are {', '.join(self._frames.named)}"
        raise Fault(TQLNameError, f"unknown frame {node.name!r}", node.span, hint)

    def _scan(self, scan: Scan, frame: str | None) -> Relation:
        numbered = self._numbered or not scan.labels
        return from_scan(scan, frame, self._names.new("row") if numbered else None, self._names)

    # -- SELECT -------------------------------------------------------------------------------------------------------

    def _select(self, node: nodes.Select, statement: nodes.Statement) -> Relation:
        relation, known = self._with_data(self._source_of(node.source, node), node, statement)
        extra = [value.expr.meta.output_name() for value in known.values()]
        if node.expand is not None:
            match = self._names.new("match")
            condition = pl.lit(True)
            if node.where is not None:
                condition = operators.condition(self._where(node, relation, known))
            before, after = (count_of(each, "EXPAND BY") for each in (node.expand.before, node.expand.after))
            alias = node.expand.alias
            numbers = None if alias is None else self._names.key(alias)
            relation = grouping.expand(
                added(relation, {match: condition}),
                *(match, before, after),
                overlap=node.expand.overlap,
                numbers=numbers,
            )
            if alias is not None and numbers is not None:
                if any(each.label == alias for each in relation.fields):
                    message = f"the rows have a column {alias!r} already"
                    raise Fault(TQLNameError, message, node.expand.span, "write another name behind AS")
                relation = replace(relation, fields=(*relation.fields, Field(alias, numbers, pl.Int64())))
            relation = kept(relation, extra)
        elif node.where is not None:
            # A filter treats null as false; an explicit `fill_null` would prevent the use of file statistics.
            truth = operators.truth(self._where(node, relation, known))
            relation = relation.with_plan(relation.plan.filter(truth))
        keys: dict[Node, Field] = {}
        if node.groups:
            relation, keys = self._grouped(node.groups, node.items, relation, known)
        if node.ungroup is not None:
            parts = None if node.ungroup.parts is None else count_of(node.ungroup.parts, "UNGROUP BY", least=1)
            relation = grouping.ungroup(relation, parts, node.ungroup.span, self._names, numbered=self._numbered)
        translator = self._translator(relation, known)
        outputs = outputs_of(node.items, relation, translator)
        relation, outputs = parts_of_groups(node.items, relation, outputs, translator)
        if not node.groups and self._note is not None:
            for call in self._of_single_values(node.items, relation, known):
                self._note(call)
        if node.distinct:
            relation, outputs = distinct(relation, outputs, self._names)
        return self._tail(statement, _Selection(relation, outputs, node.items, node.top, keys, known))

    def _with_data(
        self, relation: Relation, select: nodes.Select, statement: nodes.Statement
    ) -> tuple[Relation, dict[Span, Value]]:
        """Add a column for each `data(column, i)`, which refers to the rows before any clause."""
        clauses = [*select.items, select.where, *select.groups, *statement.keys, statement.sample]
        calls = [node for clause in clauses if clause is not None for node in clause.walk()]
        calls = [node for node in calls if isinstance(node, nodes.Call) and node.name == "data"]
        translator = Translator(FieldScope(relation.fields), self._random)
        known: dict[Span, Value] = {}
        exprs = {}
        for call in calls:
            value = translator.translate(call)
            name = self._names.new("data")
            exprs[name] = value.expr
            known[call.span] = replace(value, expr=column(name))
        return added(relation, exprs), known

    def _of_single_values(
        self, items: Sequence[Node], relation: Relation, known: Mapping[Span, Value]
    ) -> Iterator[nodes.Call]:
        """Yield calls such as `sum(age)` in a SELECT list whose argument is one number per row."""
        for call in (each for item in items for each in item.walk()):
            if isinstance(call, nodes.Call) and call.name in _OF_MANY and len(call.arguments) == 1:
                value = self._translator(relation, known).translate(call.arguments[0])
                if value.constant is None and (is_number(value.row_dtype) or is_bool(value.row_dtype)):
                    yield call

    def _where(self, node: nodes.Select, relation: Relation, known: Mapping[Span, Value]) -> Value:
        assert node.where is not None
        scope = FieldScope(relation.fields, later=aliases_of(node.items))
        return self._value(node.where, Translator(scope, self._random, known))

    def _translator(
        self, relation: Relation, known: Mapping[Span, Value], aliases: Mapping[str, Field] | None = None
    ) -> Translator:
        return Translator(FieldScope(relation.fields, aliases), self._random, known)

    def _value(self, node: Node, translator: Translator) -> Value:
        check_size(node)
        return translator.translate(node)

    def _grouped(
        self, groups: Sequence[Node], items: Sequence[Node], relation: Relation, known: Mapping[Span, Value]
    ) -> tuple[Relation, dict[Node, Field]]:
        translator = Translator(FieldScope(relation.fields, later=aliases_of(items)), self._random, known)
        labels = {each.label for each in relation.fields}
        for node in groups:
            if isinstance(node, nodes.Column) and node.name.lower() == "all" and node.name not in labels:
                hint = "name what to group by: GROUP BY column, …"
                raise Fault(TQLUnsupportedError, "GROUP BY ALL is not supported", node.span, hint)
        keys: dict[Node, Field] = {}
        values = {}
        for node in groups:
            value = self._value(node, translator)
            if is_nested(value.row_dtype):
                raise Fault(TQLTypeError, f"expected single values for GROUP BY, got {value.words}", node.span)
            name = self._names.new("key")
            values[name] = value
            keys[node] = Field(name, name, value.row_dtype)
        relation = added(relation, values)
        names = [each.key for each in keys.values()]
        constants = [value.expr.meta.output_name() for value in known.values()]
        return grouping.group(relation, names, constants, self._names, numbered=self._numbered), keys

    # -- ORDER BY, LIMIT, OFFSET, SAMPLE BY ---------------------------------------------------------------------------

    def _tail(self, node: nodes.Statement, selection: _Selection) -> Relation:
        later = [*node.keys, *([node.sample] if node.sample else [])]
        relation, outputs, aliases = self._aliased(later, selection)
        translator = self._translator(relation, selection.known, aliases)
        if node.keys:
            keys = {key: each for key, each in selection.keys.items() if not _is_alias(key, aliases)}
            relation = sort(node.keys, relation, translator, keys, self._names)
        top = selection.top
        if top is not None and node.limit is not None:
            raise Fault(TQLSyntaxError, "TOP and LIMIT are not used in one statement", top.span)
        limit = node.limit if top is None else nodes.Limit(top, span=top.span)
        offset = 0 if node.offset is None else count_of(node.offset, "OFFSET")
        relation = cut(relation, size_of(limit, "LIMIT" if top is None else "TOP"), offset)
        if node.sample is not None:
            sampler = compile_tree(self._source, node.sample.sampler, translator)
            over = tuple(key_of(self._source, key, translator, "OVER") for key in node.sample.over)
            relation = needed(relation, outputs, sampler, over)
            sample = node.sample
            clause = SampleClause(sample.span, size_of(sample.limit, "LIMIT"), sample.replace, over, sample.design)
            drawn = self._draw(relation.plan, sampler, clause, self._samples)
            self._samples += 1
            relation = relation.with_plan(drawn)
        return projected(relation, outputs, self._names)

    def _aliased(
        self, clauses: Sequence[Node], selection: _Selection
    ) -> tuple[Relation, list[Output], dict[str, Field]]:
        """Return the fields that ORDER BY and SAMPLE BY name by an alias; each expression is computed once."""
        used = nodes.names_in(*clauses)
        named = aliases_of(selection.items) & used
        places = [place for place, output in enumerate(selection.outputs) if output.label in named]
        relation, outputs = computed(selection.relation, selection.outputs, places, self._names)
        aliases = {}
        for place in places:
            output = outputs[place]
            if output.field is not None:
                aliases[str(output.label)] = output.field
            else:
                assert output.key is not None and output.value is not None
                aliases[str(output.label)] = Field(output.label, output.key, output.value.row_dtype)
        return relation, outputs, aliases


def _is_alias(node: Node, aliases: Mapping[str, Field]) -> bool:
    return isinstance(node, nodes.Column) and node.frame is None and node.name in aliases
