"""A whole statement to one lazy plan: its clauses in the order in which they act.

Rows are drawn by a function that is passed in; frames are known by their scans. Expressions are translated in
`translate`, rows grouped in `grouping`, relations put together in `combinations` and `joins`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import polars as pl

from tql_frames.compiler import json_text, operators
from tql_frames.compiler.sampler import CompiledSampler, check_size, compile_tree
from tql_frames.compiler.scope import Field, FieldScope, column
from tql_frames.compiler.translate import RandomNumbers, Translator, in_order
from tql_frames.compiler.types import DataType, Value, is_nested, is_text
from tql_frames.errors import (
    Fault,
    Span,
    TQLError,
    TQLNameError,
    TQLSyntaxError,
    TQLTypeError,
    TQLUnsupportedError,
    did_you_mean,
)
from tql_frames.language import tree, unparse
from tql_frames.language.tree import Node
from tql_frames.planning import grouping
from tql_frames.planning.combinations import combine
from tql_frames.planning.joins import join
from tql_frames.planning.relation import Names, Relation, Scan, added, check_values, from_scan, is_read, kept


@dataclass(frozen=True)
class Size:
    """How many rows a LIMIT lets through.

    Attributes:
        rows: that many, or None.
        share: of the rows there are, or None; with neither, all of them.
    """

    rows: int | None = None
    share: Fraction | None = None

    def of(self, rows: int) -> int:
        """The number, of so many rows."""
        if self.rows is not None:
            return self.rows
        return rows if self.share is None else int(rows * self.share)


Draw = Callable[[pl.LazyFrame, CompiledSampler, Size, bool, int], pl.LazyFrame]
"""Population, sampler, size, with replacement, number of the SAMPLE BY in the statement -> plan of the drawn rows."""


@dataclass(frozen=True)
class Frames:
    """The frames that a statement may name.

    Attributes:
        default: what a SELECT without FROM reads, or None.
        named: what FROM and JOIN may name.
    """

    default: Scan | None
    named: Mapping[str, Scan]


def compile_statement(
    source: str, statement: tree.Statement, frames: Frames, *, draw: Draw, random: RandomNumbers, numbered: bool
) -> Relation:
    """Translate a statement to a lazy plan.

    Args:
        source: the text.
        statement: its tree, parameters bound.
        frames: the frames it may name.
        draw: draws rows.
        random: the numbers of `random()`, by the number of the call.
        numbered: whether row positions are asked for.

    Raises:
        TQLError: it does not fit the frames; with the span of the fault.
    """
    scans = [scan for scan in (frames.default, *frames.named.values()) if scan is not None]
    names = Names.apart_from(label for scan in scans for label in scan.labels)
    try:
        numbered = numbered or _needs_rows(statement)
        return _Compiler(
            source, frames, names, draw=draw, random=in_order(random, statement), numbered=numbered
        ).statement(statement)
    except Fault as fault:
        raise fault.error(source) from None


def named_columns(statement: tree.Statement) -> frozenset[str] | None:
    """Names of columns that a statement may look at; None for all, where rows are made anew of whole ones."""
    found = set()
    for node in statement.walk():
        match node:
            case tree.Column(name):
                found.add(name)
            case tree.Join() | tree.Select(groups=(_, *_)):
                return None
            case tree.Select(items, distinct=True) if any(isinstance(item, tree.Star) for item in items):
                return None
            case tree.Combination() if len({each.name for each in node.walk() if isinstance(each, tree.Frame)}) > 1:
                return None
    return frozenset(found)


def _needs_rows(statement: tree.Statement) -> bool:
    return any(isinstance(node, tree.Combination) for node in statement.walk())


@dataclass(frozen=True)
class _Output:
    """A column that a SELECT gives."""

    label: object
    field: Field | None
    value: Value | None = None
    key: str | None = None  # where it was computed before the end

    @property
    def expr(self) -> pl.Expr:
        if self.key is not None:
            return column(self.key)
        if self.value is not None:
            return self.value.row_expr
        assert self.field is not None
        return column(self.field.key)

    @property
    def dtype(self) -> DataType | TQLError | None:
        if self.value is not None:
            return self.value.row_dtype
        assert self.field is not None
        return self.field.dtype


@dataclass(frozen=True)
class _Selection:
    """A SELECT before its columns are made: ORDER BY and what follows act on the rows they are made of.

    Attributes:
        relation: the rows.
        outputs: columns that the SELECT gives.
        items: its list.
        top: its TOP.
        keys: what GROUP BY grouped by, by expression.
        known: values that were computed before any clause, by where they stand.
    """

    relation: Relation
    outputs: Sequence[_Output]
    items: Sequence[Node] = ()
    top: Node | None = None
    keys: Mapping[Node, Field] = field(default_factory=dict)
    known: Mapping[Span, Value] = field(default_factory=dict)


class _Compiler:
    """What the clauses of one statement share."""

    def __init__(
        self, source: str, frames: Frames, names: Names, *, draw: Draw, random: RandomNumbers, numbered: bool
    ) -> None:
        self._source, self._frames, self._names = source, frames, names
        self._draw, self._random, self._numbered = draw, random, numbered
        self._samples = 0

    def statement(self, node: tree.Statement) -> Relation:
        if isinstance(node.body, tree.Select):
            return self._select(node.body, node)
        relation = self._body(node.body)
        return self._tail(node, _Selection(relation, [_Output(each.label, each) for each in relation.fields]))

    def _body(self, node: Node) -> Relation:
        match node:
            case tree.Select():
                return self._select(node, tree.Statement(node, span=node.span))
            case tree.Statement():
                return self.statement(node)
            case tree.Combination(left, _, right):
                return combine(node, self._body(left), self._body(right), self._names)
        raise AssertionError(node)

    # -- FROM ---------------------------------------------------------------------------------------------------------

    def _source_of(self, node: Node | None, select: tree.Select) -> Relation:
        match node:
            case None:
                if self._frames.default is None:
                    names = ", ".join(self._frames.named)
                    raise Fault(TQLNameError, "FROM is missing", select.span, f"the frames are {names}")
                return self._scan(self._frames.default, None)
            case tree.Frame(name, alias):
                return self._scan(self._named(node), alias or name)
            case tree.Subquery(statement, alias):
                relation = self.statement(statement)
                frames = () if alias is None else (alias,)
                return replace(relation, fields=tuple(replace(each, frames=frames) for each in relation.fields))
            case tree.Join(left, _, right):
                sides = (self._source_of(left, select), self._source_of(right, select))
                return join(node, *sides, self._names, self._random)
        raise AssertionError(node)

    def _named(self, node: tree.Frame) -> Scan:
        if node.name in self._frames.named:
            return self._frames.named[node.name]
        if "://" in node.name:
            raise Fault(TQLUnsupportedError, "FROM a URL is not supported", node.span, "load the frame and query it")
        if self._frames.default is not None:
            hint = f"leave FROM out, or pass frames by name: tql_frames.query(text, {node.name}=frame)"
            raise Fault(TQLNameError, f"unknown frame {node.name!r}", node.span, hint)
        hint = did_you_mean(node.name, self._frames.named) or f"the frames are {', '.join(self._frames.named)}"
        raise Fault(TQLNameError, f"unknown frame {node.name!r}", node.span, hint)

    def _scan(self, scan: Scan, frame: str | None) -> Relation:
        numbered = self._numbered or not scan.labels
        return from_scan(scan, frame, self._names.new("row") if numbered else None, self._names)

    # -- SELECT -------------------------------------------------------------------------------------------------------

    def _select(self, node: tree.Select, statement: tree.Statement) -> Relation:
        relation, known = self._with_data(self._source_of(node.source, node), node, statement)
        extra = [value.expr.meta.output_name() for value in known.values()]
        if node.expand is not None:
            match = self._names.new("match")
            condition = pl.lit(True)
            if node.where is not None:
                condition = operators.condition(self._where(node, relation, known))
            before, after = (self._count(each, "EXPAND BY") for each in (node.expand.before, node.expand.after))
            relation = grouping.expand(
                added(relation, {match: condition}), match, before, after, overlap=node.expand.overlap
            )
            relation = kept(relation, extra)
        elif node.where is not None:
            # A filter takes null for false; to say so would hide the condition from the statistics of a file.
            truth = operators.truth(self._where(node, relation, known))
            relation = relation.with_plan(relation.plan.filter(truth))
        keys: dict[Node, Field] = {}
        if node.groups:
            relation, keys = self._grouped(node.groups, node.items, relation, known)
        if node.ungroup is not None:
            parts = None if node.ungroup.parts is None else self._count(node.ungroup.parts, "UNGROUP BY", least=1)
            relation = grouping.ungroup(relation, parts, node.ungroup.span, self._names, numbered=self._numbered)
        outputs = self._outputs(node.items, relation, known)
        if node.distinct:
            relation, outputs = self._distinct(relation, outputs)
        return self._tail(statement, _Selection(relation, outputs, node.items, node.top, keys, known))

    def _with_data(
        self, relation: Relation, select: tree.Select, statement: tree.Statement
    ) -> tuple[Relation, dict[Span, Value]]:
        """`data(column, i)` is of the rows before any clause: each is a column from there on."""
        clauses = [*select.items, select.where, *select.groups, *statement.keys, statement.sample]
        calls = [node for clause in clauses if clause is not None for node in clause.walk()]
        calls = [node for node in calls if isinstance(node, tree.Call) and node.name == "data"]
        translator = Translator(FieldScope(relation.fields), self._random)
        known: dict[Span, Value] = {}
        exprs = {}
        for call in calls:
            value = translator.translate(call)
            name = self._names.new("data")
            exprs[name] = value.expr
            known[call.span] = replace(value, expr=column(name))
        return added(relation, exprs), known

    def _where(self, node: tree.Select, relation: Relation, known: Mapping[Span, Value]) -> Value:
        assert node.where is not None
        scope = FieldScope(relation.fields, later=_aliases(node.items))
        return self._value(node.where, Translator(scope, self._random, known))

    def _translator(
        self, relation: Relation, known: Mapping[Span, Value], aliases: Mapping[str, Field] | None = None
    ) -> Translator:
        return Translator(FieldScope(relation.fields, aliases), self._random, known)

    def _value(self, node: Node, translator: Translator) -> Value:
        check_size(node)
        return translator.translate(node)

    def _grouped(
        self, nodes: Sequence[Node], items: Sequence[Node], relation: Relation, known: Mapping[Span, Value]
    ) -> tuple[Relation, dict[Node, Field]]:
        translator = Translator(FieldScope(relation.fields, later=_aliases(items)), self._random, known)
        keys: dict[Node, Field] = {}
        values = {}
        for node in nodes:
            value = self._value(node, translator)
            if is_nested(value.row_dtype):
                raise Fault(TQLTypeError, f"GROUP BY needs single values, not {value.words}", node.span)
            name = self._names.new("key")
            values[name] = value
            keys[node] = Field(name, name, value.row_dtype)
        relation = added(relation, values)
        names = [each.key for each in keys.values()]
        constants = [value.expr.meta.output_name() for value in known.values()]
        return grouping.group(relation, names, constants, self._names, numbered=self._numbered), keys

    def _outputs(self, items: Sequence[Node], relation: Relation, known: Mapping[Span, Value]) -> list[_Output]:
        scope = FieldScope(relation.fields)
        translator = self._translator(relation, known)
        outputs: list[_Output] = []
        taken: set[object] = set()
        for item in items:
            if isinstance(item, tree.Star):
                new = self._star(item, relation, taken)
            else:
                assert isinstance(item, tree.Item)
                expression = item.expression
                label = item.alias if item.alias is not None else _label(expression)
                if isinstance(expression, tree.Column):
                    new = [_Output(label, scope.field(expression))]
                else:
                    new = [_Output(label, None, self._value(expression, translator))]
            for output in new:
                if output.label in taken and not isinstance(item, tree.Star):
                    message = f"two columns of the result are named {output.label!r}"
                    raise Fault(TQLNameError, message, item.span, "give one another name: expression AS name")
                taken.add(output.label)
            outputs += new
        return outputs

    def _star(self, node: tree.Star, relation: Relation, taken: set[object]) -> list[_Output]:
        fields = [each for each in relation.fields if node.frame is None or node.frame in each.frames]
        if not fields and node.frame is not None:
            raise Fault(TQLNameError, f"no frame is named {node.frame!r} here", node.span)
        outputs = []
        labels = set(taken)
        several = len({each.frames for each in relation.fields}) > 1
        for each in fields:
            label = each.label
            if label in labels and several:
                label = f"{label}:{each.frames[0]}"  # as in Polars' SQL
            if label in taken or (several and label in labels):
                hint = "leave the column out, or give it another name with AS"
                raise Fault(TQLNameError, f"two columns of the result are named {label!r}", node.span, hint)
            labels.add(label)
            outputs.append(_Output(label, each))
        return outputs

    def _distinct(self, relation: Relation, outputs: list[_Output]) -> tuple[Relation, list[_Output]]:
        relation, outputs = self._computed(relation, outputs, range(len(outputs)))
        check_values([output.field for output in outputs if output.field is not None], "DISTINCT")
        keys = [output.key if output.field is None else output.field.key for output in outputs]
        return relation.with_plan(
            relation.plan.unique(list(dict.fromkeys(keys)), keep="first", maintain_order=True)
        ), outputs

    def _computed(
        self, relation: Relation, outputs: Sequence[_Output], places: Sequence[int]
    ) -> tuple[Relation, list[_Output]]:
        """The outputs at some places as columns of the plan."""
        found = list(outputs)
        exprs = {}
        for place in places:
            output = found[place]
            if output.value is not None and output.key is None:
                name = self._names.new("value")
                exprs[name] = output.value
                found[place] = replace(output, key=name)
        return added(relation, exprs), found

    # -- ORDER BY, LIMIT, OFFSET, SAMPLE BY ---------------------------------------------------------------------------

    def _tail(self, node: tree.Statement, selection: _Selection) -> Relation:
        later = [*node.keys, *([node.sample] if node.sample else [])]
        relation, outputs, aliases = self._aliased(later, selection)
        translator = self._translator(relation, selection.known, aliases)
        if node.keys:
            relation = self._sorted(node.keys, relation, translator, selection.keys, aliases)
        top = selection.top
        if top is not None and node.limit is not None:
            raise Fault(TQLSyntaxError, "TOP and LIMIT are not used in one statement", top.span)
        limit = node.limit if top is None else tree.Limit(top, span=top.span)
        offset = 0 if node.offset is None else self._count(node.offset, "OFFSET")
        relation = self._cut(relation, self._size(limit, "LIMIT" if top is None else "TOP"), offset)
        if node.sample is not None:
            sampler = compile_tree(self._source, node.sample.sampler, translator)
            relation = self._population(relation, outputs, sampler)
            size = self._size(node.sample.limit, "LIMIT")
            drawn = self._draw(relation.plan, sampler, size, node.sample.replace, self._samples)
            self._samples += 1
            relation = relation.with_plan(drawn)
        return self._projected(relation, outputs)

    def _aliased(
        self, clauses: Sequence[Node], selection: _Selection
    ) -> tuple[Relation, list[_Output], dict[str, Field]]:
        """What ORDER BY and SAMPLE BY call by an alias; an expression is computed once, before them."""
        used = {each.name for clause in clauses for each in clause.walk() if isinstance(each, tree.Column)}
        named = _aliases(selection.items) & used
        places = [place for place, output in enumerate(selection.outputs) if output.label in named]
        relation, outputs = self._computed(selection.relation, selection.outputs, places)
        aliases = {}
        for place in places:
            output = outputs[place]
            if output.field is not None:
                aliases[str(output.label)] = output.field
            else:
                assert output.key is not None and output.value is not None
                aliases[str(output.label)] = Field(output.label, output.key, output.value.row_dtype)
        return relation, outputs, aliases

    def _sorted(
        self,
        nodes: Sequence[tree.SortKey],
        relation: Relation,
        translator: Translator,
        keys: Mapping[Node, Field],
        aliases: Mapping[str, Field],
    ) -> Relation:
        exprs, descending = [], []
        for node in nodes:
            key = None if _names_one(node.expression, aliases) else keys.get(node.expression)
            if key is not None:
                found = Value(node.expression, column(key.key), key.known)
            else:
                found = self._value(node.expression, translator)
            if found.constant is not None or _is_constant(node):
                continue
            if is_nested(found.row_dtype) or isinstance(found.dtype, pl.Struct):
                hint = "order by one of its elements, or by what sum(…), amax(…) or l2_norm(…) make of it"
                raise Fault(TQLTypeError, f"ORDER BY needs single values, not {found.words}", node.span, hint)
            for expr in _sort_exprs(found):
                exprs.append(expr)
                descending.append(node.descending)
        if not exprs:
            return relation
        if any(_counts_rows(node) for node in nodes):
            # Polars makes one of two sorts in a row, and would count the rows before the first.
            names = [self._names.new("key") for _ in exprs]
            relation = added(relation, dict(zip(names, exprs, strict=True)))
            exprs = [column(name) for name in names]
        plan = relation.plan.sort(exprs, descending=descending, nulls_last=descending, maintain_order=True)
        return relation.with_plan(plan)

    def _cut(self, relation: Relation, size: Size, offset: int) -> Relation:
        plan = relation.plan
        if size.share is not None:
            share = min(size.share, Fraction(1))
            rows_let_through = pl.len().cast(pl.Int64) * share.numerator // share.denominator
            number = pl.int_range(pl.len())
            plan = plan.filter((number >= offset) & (number < offset + rows_let_through))
        elif offset or size.rows is not None:
            rows = size.rows if size.rows is None or size.rows < _most_rows() else None
            plan = plan.slice(offset, rows)
        return relation.with_plan(plan)

    def _population(self, relation: Relation, outputs: Sequence[_Output], sampler: CompiledSampler) -> Relation:
        """The relation with no more columns than the draw and what follows it need; all that a draw sees is held."""
        wanted = set(relation.hidden)
        for expr in [sampler.weight, *(arm.weight for arm in sampler.arms), *(arm.condition for arm in sampler.arms)]:
            wanted.update(_roots(expr))
        for output in outputs:
            if output.value is not None or is_read(output.field):  # type: ignore[arg-type]
                wanted.update(_roots(output.expr))
        schema = relation.plan.collect_schema()
        names = [name for name in schema if name in wanted]
        return relation.with_plan(relation.plan.select([column(name) for name in names or list(schema)[:1]]))

    def _projected(self, relation: Relation, outputs: Sequence[_Output]) -> Relation:
        relation, outputs = self._computed(relation, outputs, range(len(outputs)))
        fields = []
        exprs = [column(name) for name in relation.hidden]
        for output in outputs:
            key = self._names.key(output.label)
            read = output.value is not None or is_read(output.field)  # type: ignore[arg-type]
            if output.field is not None:
                fields.append(replace(output.field, label=output.label, key=key, frames=()))
            else:
                fields.append(Field(output.label, key, output.dtype))
            if read:
                exprs.append(output.expr.alias(key))
        return replace(relation, plan=relation.plan.select(exprs), fields=tuple(fields))

    # -- numbers of rows ----------------------------------------------------------------------------------------------

    def _size(self, node: tree.Limit | None, clause: str) -> Size:
        if node is None:
            return Size()
        if not node.percent:
            return Size(self._count(node.count, clause))
        number = _number(node.count)
        if number is None or not 0 <= number < float("inf"):
            raise Fault(TQLTypeError, f"{clause} takes a number of percent, at least 0", node.count.span)
        return Size(share=Fraction(str(number)).limit_denominator(10**7) / 100)

    def _count(self, node: Node, clause: str, least: int = 0) -> int:
        number = _number(node)
        if number is None or not least <= number < float("inf") or number != int(number):
            raise Fault(TQLTypeError, f"{clause} takes a whole number of at least {least}", node.span)
        return min(int(number), _MOST_ROWS)


_MOST_ROWS = 2**48  # beyond any memory


def _most_rows() -> int:
    """Rows that a Polars frame can have; a slice of more is an error."""
    return 2**32 if pl.get_index_type() == pl.UInt32 else 2**64


def _number(node: Node) -> float | int | None:
    if isinstance(node, tree.Literal) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    return None


def _label(node: Node) -> str:
    """Name of an expression without one: that of its first column, as in Deep Lake, or its text."""
    first = next((each.name for each in node.walk() if isinstance(each, tree.Column)), None)
    return unparse(node) if first is None else first


def _names_one(node: Node, aliases: Mapping[str, Field]) -> bool:
    return isinstance(node, tree.Column) and node.frame is None and node.name in aliases


def _is_constant(node: Node) -> bool:
    """Whether a value is the same for every row, which Polars refuses to sort by."""
    varied = (tree.Column, tree.Call, tree.WeightChoice)
    return not any(isinstance(each, varied) and not _is_pure(each) for each in node.walk())


def _is_pure(node: Node) -> bool:
    return isinstance(node, tree.WeightChoice) or (isinstance(node, tree.Call) and node.name in ("abs", "sqrt"))


def _counts_rows(node: Node) -> bool:
    """Whether a value depends on the places of rows, not on the row alone."""
    return any(isinstance(each, tree.Call) and each.name in ("row_number", "random") for each in node.walk())


def _aliases(items: Sequence[Node]) -> set[str]:
    return {item.alias for item in items if isinstance(item, tree.Item) and item.alias is not None}


def _roots(expr: pl.Expr) -> set[str]:
    return set(expr.meta.root_names())


def _sort_exprs(value: Value) -> list[pl.Expr]:
    """What to sort by: text by its letters, not by the order of its categories; a JSON value by its kind first."""
    if is_text(value.dtype) and not isinstance(value.dtype, pl.String):
        return [value.expr.cast(pl.String)]
    return json_text.sort_value(value)
