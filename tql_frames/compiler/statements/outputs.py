"""Compile the columns of a SELECT list, and GROUP BY, which collects rows into lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from tql_frames.compiler import CompiledSampler, Key
from tql_frames.compiler.expressions.sampler import check_size
from tql_frames.compiler.expressions.scope import Field, FieldScope, Scope, column
from tql_frames.compiler.expressions.translate import Translator
from tql_frames.compiler.expressions.types import DataType, Value, describe, is_nested
from tql_frames.compiler.statements.limits import most_rows
from tql_frames.compiler.statements.relation import (
    Names,
    Relation,
    RowIdentity,
    added,
    check_values,
    first_of_equal,
    is_kept,
    is_read,
    whole,
    with_values,
    without_stand_in,
)
from tql_frames.errors import Fault, Span, TQLError, TQLNameError, TQLTypeError
from tql_frames.language import nodes, unparse
from tql_frames.language.nodes import Node


@dataclass(frozen=True)
class Output:
    """A column of the result of a SELECT.

    Attributes:
        label: its name.
        field: the field, if it is a column of the relation, else None.
        value: the value, if it is an expression, else None.
        key: column of the plan that holds the value, once it is computed.
        within: the field whose values the groups hold, if the value is a part of each group.
    """

    label: object
    field: Field | None
    value: Value | None = None
    key: str | None = None
    within: Field | None = None

    @property
    def is_read(self) -> bool:
        """Whether the plan holds it."""
        return self.field is None or is_kept(self.field)

    @property
    def expr(self) -> pl.Expr:
        """One value per row."""
        if self.key is not None:
            return column(self.key)
        if self.value is not None:
            return self.value.row_expr
        assert self.field is not None
        return column(self.field.key)

    @property
    def dtype(self) -> DataType | TQLError | None:
        """Type of `expr`, like `Field.dtype`."""
        if self.value is not None:
            return self.value.row_dtype
        assert self.field is not None
        return self.field.dtype


def outputs_of(items: Sequence[Node], relation: Relation, translator: Translator) -> list[Output]:
    """Return the columns of a SELECT list.

    An alias with the name of a column of an earlier `*` replaces that column, at the same position.

    Raises:
        Fault: two columns have the same name, or an expression does not fit the relation.
    """
    scope = FieldScope(relation.fields)
    outputs: list[Output] = []
    taken: set[object] = set()
    starred: set[object] = set()
    for item in items:
        if isinstance(item, nodes.Star):
            new = _star(item, relation, taken, translator)
            starred.update(output.label for output in new)
        else:
            assert isinstance(item, nodes.Item)
            expression = item.expression
            label = item.alias if item.alias is not None else _label(expression, scope)
            if isinstance(expression, nodes.Column):
                field = scope.field(expression)
                new = [Output(field.label if item.alias is None else label, field)]
            else:
                new = [Output(label, None, _value(expression, translator))]
            if item.alias is not None and label in starred:
                starred.discard(label)  # a second one is a mistake
                outputs = [new[0] if output.label == label else output for output in outputs]
                continue
        for output in new:
            if output.label in taken and not isinstance(item, nodes.Star):
                message = f"two columns of the result are named {output.label!r}"
                raise Fault(TQLNameError, message, item.span, "give one another name: expression AS name")
            taken.add(output.label)
        outputs += new
    return outputs


def _star(node: nodes.Star, relation: Relation, taken: set[object], translator: Translator) -> list[Output]:
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
            if label in taken and not several:
                hint = "write the * first: SELECT *, expression AS name puts the expression in the place of the column"
            raise Fault(TQLNameError, f"two columns of the result are named {label!r}", node.span, hint)
        labels.add(label)
        outputs.append(_elements(node, label, each, translator) if node.indices else Output(label, each))
    return outputs


def _elements(node: nodes.Star, label: object, each: Field, translator: Translator) -> Output:
    """`*[indices]` of one column."""
    if isinstance(each.dtype, TQLError):
        raise Fault(type(each.dtype), each.dtype.message, node.span, each.dtype.hint)
    if not is_nested(each.known):
        message = f"column {label!r} is {describe(each.known)}, which has no elements"
        raise Fault(TQLTypeError, message, node.span, "name the columns that have: column[0:10] AS column, …")
    value = translator.elements(node, Value(node, column(each.key), each.known), node.indices)
    return Output(label, None, value, within=each.within if _is_part(node) else None)


def _is_part(node: nodes.Star) -> bool:
    """Return whether a `*` selects a slice of every list, so that groups become smaller groups."""
    return len(node.indices) == 1 and isinstance(node.indices[0], nodes.Slice)


def parts_of_groups(
    items: Sequence[Node], relation: Relation, outputs: Sequence[Output], translator: Translator
) -> tuple[Relation, list[Output]]:
    """Apply the slice of `*[a:b]` to groups: row numbers are sliced, too, and other lists are no longer groups."""
    star = next((item for item in items if isinstance(item, nodes.Star) and _is_part(item)), None)
    if star is None or not any(each.within for each in relation.fields):
        return relation, list(outputs)
    whole = [each for each in outputs if each.field is not None and each.field.within is not None]
    found = [
        replace(each, field=replace(each.field, within=None)) if each in whole and each.field else each
        for each in outputs
    ]
    if relation.grouped is not None:
        name = relation.grouped[0]
        value = Value(star, column(name), relation.plan.collect_schema()[name])
        relation = added(relation, {name: translator.elements(star, value, star.indices)})
    return relation, found


def distinct(relation: Relation, outputs: Sequence[Output], names: Names) -> tuple[Relation, list[Output]]:
    """Return the first of the rows that are equal in all outputs.

    Raises:
        TQLError: values of a column cannot be compared.
    """
    relation, found = computed(relation, outputs, range(len(outputs)), names)
    check_values([output.field for output in found if output.field is not None], "DISTINCT")
    keys = [output.key if output.field is None else output.field.key for output in found]
    return relation.with_plan(first_of_equal(relation.plan, keys)), found


def computed(
    relation: Relation, outputs: Sequence[Output], places: Iterable[int], names: Names
) -> tuple[Relation, list[Output]]:
    """Compute the outputs at some places as columns of the plan."""
    found = list(outputs)
    exprs = {}
    for place in places:
        output = found[place]
        if output.value is not None and output.key is None:
            name = names.new("value")
            exprs[name] = output.value
            found[place] = replace(output, key=name)
    return added(relation, exprs), found


def needed(
    relation: Relation, outputs: Sequence[Output], sampler: CompiledSampler, over: Sequence[Key] = ()
) -> Relation:
    """Return the relation with only the columns that the draw and later steps need; a draw holds them in memory."""
    wanted = set(relation.hidden)
    arms = [expr for arm in sampler.arms for expr in (arm.weight, arm.condition)]
    for expr in [sampler.weight, *arms, *(key.expr for key in over)]:
        wanted.update(expr.meta.root_names())
    for output in outputs:
        if output.is_read:
            wanted.update(output.expr.meta.root_names())
    schema = relation.plan.collect_schema()
    names = [name for name in schema if name in wanted]
    return relation.with_plan(relation.plan.select([column(name) for name in names or list(schema)[:1]]))


def projected(relation: Relation, outputs: Sequence[Output], names: Names) -> Relation:
    """Return the relation with only the outputs as columns."""
    relation, outputs = computed(relation, outputs, range(len(outputs)), names)
    fields = []
    exprs = [column(name) for name in relation.hidden]
    for output in outputs:
        key = names.key(output.label)
        if output.field is not None:
            fields.append(replace(output.field, label=output.label, key=key, frames=()))
        else:
            fields.append(Field(output.label, key, output.dtype, within=output.within))
        if output.is_read:
            exprs.append(output.expr.alias(key))
    return replace(relation, plan=relation.plan.select(exprs), fields=tuple(fields))


def aliases_of(items: Sequence[Node]) -> set[str]:
    """Return the names that a SELECT list defines with AS."""
    return {item.alias for item in items if isinstance(item, nodes.Item) and item.alias is not None}


def _label(node: Node, scope: Scope) -> str:
    """Return the name of an expression without an alias: its first column, as in Deep Lake, or its text."""
    words = {each.word for each in node.walk() if isinstance(each, nodes.Array)}
    columns = [
        each for each in node.walk() if isinstance(each, nodes.Column) and (each not in words or scope.knows(each.name))
    ]
    return min(columns, key=lambda each: each.span.start).name if columns else unparse(node)


def _value(node: Node, translator: Translator) -> Value:
    check_size(node)
    return translator.translate(node)


def group(
    relation: Relation, keys: Sequence[str], constants: Sequence[str], names: Names, *, numbered: bool
) -> Relation:
    """Return one row per group of equal keys, in order of first appearance; every field becomes a list.

    Args:
        relation: the rows to group.
        keys: columns of the plan to group by; they are not fields, and are kept.
        constants: columns of one value; they are not fields, and are kept, too.
        names: creates new names.
        numbered: whether the groups get row numbers.
    """
    relation = replace(relation, fields=with_values(relation.fields, "GROUP BY"))
    lists = [*(column(name) for name in relation.read), *(column(name).first() for name in constants)]
    members = None
    if relation.row is not None:
        members = (names.new("rows"), relation.rows)
        lists.append(column(relation.row).alias(members[0]))
    plan = relation.plan.group_by(list(keys), maintain_order=True).agg(lists)
    row = names.new("row") if numbered else None
    fields = tuple(
        Field(each.label, each.key, pl.List(each.known), None, each.frames, within=each)
        if is_read(each)
        else without_stand_in(each)
        for each in relation.fields
    )
    return Relation(plan if row is None else plan.with_row_index(row), fields, RowIdentity(), row, members)


def ungroup(relation: Relation, parts: int | None, span: Span, names: Names, *, numbered: bool) -> Relation:
    """Return the rows of the groups, in order of the groups; with `parts`, divide each group into that many groups.

    Raises:
        Fault: there are no groups.
    """
    within = {each.key for each in relation.fields if each.within is not None}
    if not within:
        hint = "write UNGROUP BY after SELECT * FROM (… GROUP BY …)"
        raise Fault(TQLTypeError, "the rows to ungroup are no groups", span, hint)
    lists = [name for name in relation.read if name in within]
    if relation.grouped is not None:
        lists.append(relation.grouped[0])
    if parts is None:
        fields = tuple(
            replace(each.within, label=each.label, key=each.key) if each.within else each for each in relation.fields
        )
        plan = relation.plan if relation.row is None else relation.plan.drop(relation.row)
        plan = plan.explode(lists)
        if relation.grouped is not None:
            row, rows = relation.grouped
            return Relation(plan, fields, rows, row)
        row_name = names.new("row") if numbered else None
        return Relation(plan if row_name is None else plan.with_row_index(row_name), fields, RowIdentity(), row_name)
    group_number, place, size = names.new("group"), names.new("place"), names.new("size")
    length = column(lists[0]).list.len().cast(pl.Int64)
    plan = relation.plan.with_columns(
        pl.int_range(pl.len()).alias(group_number), pl.int_ranges(0, length).alias(place), length.alias(size)
    )
    pieces = pl.min_horizontal(pl.col(size), pl.lit(parts, dtype=pl.Int64))
    part = (pl.col(place) * pieces // pl.col(size)).alias(names.new("part"))
    others = [name for name in relation.read if name not in within]
    plan = (
        plan.explode([*lists, place])
        .group_by(pl.col(group_number), part, maintain_order=True)
        .agg(*[column(name) for name in lists], *[column(name).first() for name in others])
    )
    row_name = names.new("row") if numbered else None
    return replace(
        relation, plan=plan if row_name is None else plan.with_row_index(row_name), rows=RowIdentity(), row=row_name
    )


def expand(
    relation: Relation, match: str, before: int, after: int, *, overlap: bool, numbers: str | None = None
) -> Relation:
    """Return the rows where column `match` is true, with some rows before and after each.

    Args:
        relation: the rows to choose from, in order.
        match: a Boolean column without nulls.
        before: number of rows before a match to include.
        after: number of rows after a match to include.
        overlap: whether a row near several matches is repeated for each of them.
        numbers: name of a new column with the number of the row's match, from 0; None for none.
    """
    if not overlap:
        matches = pl.col(match).cast(pl.Int64).cum_sum()  # up to and including a row
        until = matches.shift(-before, fill_value=pl.col(match).sum().cast(pl.Int64))
        near = until - matches.shift(after + 1, fill_value=0) > 0
        plan = relation.plan
        if numbers is not None:
            plan = plan.with_columns(_nearest(match, before, after).alias(numbers))
        return relation.with_plan(plan.filter(near))

    def windows(frame: pl.DataFrame) -> pl.DataFrame:
        at = frame[match].arg_true().cast(pl.Int64)
        first, stop = (at - before).clip(0), (at + after + 1).clip(upper_bound=frame.height)
        total = (stop - first).cast(pl.Float64).sum()
        if total > most_rows():
            raise TQLError(f"EXPAND BY gives {total:,.0f} rows, which do not fit into memory")
        found = frame[pl.int_ranges(first, stop, eager=True).explode()] if len(at) else frame.clear()
        if numbers is None:
            return found
        sizes = pl.DataFrame({"size": stop - first}).select(number=pl.int_range(pl.len()).repeat_by("size"))
        return found.with_columns(sizes["number"].explode().cast(pl.Int64).head(found.height).alias(numbers))

    schema = None
    if numbers is not None:
        schema = pl.Schema({**relation.plan.collect_schema(), numbers: pl.Int64()})
    return relation.with_plan(whole(relation.plan, windows, schema))


def _nearest(match: str, before: int, after: int) -> pl.Expr:
    """Return the number of the match whose window contains a row.

    Of two matches, the nearer one counts, and of equally near ones the first.
    """
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    place = pl.when(pl.col(match)).then(row)
    behind, ahead = row - place.forward_fill(), place.backward_fill() - row
    number = pl.col(match).cast(pl.Int64).cum_sum() - 1  # number of the last match up to this row
    taken = (behind <= after) & ((ahead > before) | (behind <= ahead)).fill_null(True)
    return pl.when(taken.fill_null(False)).then(number).otherwise(number + 1)
