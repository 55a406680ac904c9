"""A whole sampler made ready for a schema: its weight, its arms, and the limits that keep it evaluable.

How nodes become expressions is in `translate`, how weights become numbers of a byte in `constant_weights`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from tql_frames.compiler.expressions.constant_weights import Levels, levels_of
from tql_frames.compiler.expressions.functions import FUNCTIONS
from tql_frames.compiler.expressions.scope import SchemaScope
from tql_frames.compiler.expressions.translate import (
    CompiledArm,
    RandomNumbers,
    Translator,
    UnknownCategory,
    as_weight,
    in_order,
)
from tql_frames.compiler.expressions.types import DataType, is_nested
from tql_frames.errors import Fault, Span, TQLError, TQLTypeError, TQLUnsupportedError
from tql_frames.language import nodes, parse
from tql_frames.language.nodes import Node

_FEW = 16  # arms


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class Decider:
    """The arms of a max_weight.

    Attributes:
        places: of the arms among those of the sampler, the one first that decides among equals.
        number: UInt32 expression of the arm that decides a row, by its number in `places`; null where none matches.
    """

    places: tuple[int, ...]
    number: pl.Expr


def deciders_of(sampler: CompiledSampler) -> list[Decider]:
    """Return the max_weight choices of a sampler, inner ones included."""
    places = {arm.span: place for place, arm in enumerate(sampler.arms)}
    found = []
    for choice in sampler.tree.walk():
        if not (isinstance(choice, nodes.WeightChoice) and choice.name == "max_weight"):
            continue
        arms = sorted((arm for arm in choice.arms if arm.span in places), key=lambda arm: not is_default(arm))
        order = tuple(places[arm.span] for arm in arms)
        if order:
            found.append(Decider(order, _number(sampler, order)))
    return found


def is_default(arm: nodes.Arm) -> bool:
    """Return whether an arm matches every row by its text, as `True: 1` does."""
    return isinstance(arm.condition, nodes.Literal) and arm.condition.value is True


def _number(sampler: CompiledSampler, places: tuple[int, ...]) -> pl.Expr:
    arms = [sampler.arms[place] for place in places]
    weights = [pl.when(arm.condition).then(arm.weight).otherwise(pl.lit(-1.0)) for arm in arms]
    if len(arms) > _FEW:  # the expression below grows with the square of the arms
        every = pl.concat_list(each.cast(pl.Float64).fill_null(-1.0) for each in weights)
        return pl.when(every.list.max() >= 0).then(every.list.arg_max().cast(pl.UInt32))
    greatest = pl.max_horizontal(weights)
    return pl.min_horizontal(
        [
            pl.when(arm.condition & (arm.weight >= greatest)).then(pl.lit(number, pl.UInt32))
            for number, arm in enumerate(arms)
        ]
    )


_MOST_TERMS = 2_000_000  # seven chained `%`, which take 2 seconds to optimize, are within it; eight are not


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class CompiledSampler:
    """A sampler made ready for one schema.

    Attributes:
        source: its TQL text.
        tree: its tree.
        weight: Polars expression of the weight, Float64, null as 0, one value a row.
        arms: arms of its weight choices in the order of the text; none for a plain expression.
        choice: 'max_weight' or 'sum_weight' when the whole sampler is one, else None.
        levels: the weights by number, where there are few and all are known; else None.
        unknown: texts that it compares with an Enum and that are no category of it.
        types: of the columns that were looked up, by name: a frame where they are the same needs no other expressions.
            None where that is not so: `random()` has a seed of its own, and a user's function may be another one
            tomorrow.
    """

    source: str
    tree: Node
    weight: pl.Expr
    arms: tuple[CompiledArm, ...]
    choice: str | None
    levels: Levels | None
    unknown: tuple[UnknownCategory, ...] = ()
    types: Mapping[str, DataType] | None = None


def compile_sampler(text: str, schema: Mapping[str, DataType], random: RandomNumbers | None = None) -> CompiledSampler:
    """Translate a sampler for frames of a schema.

    Args:
        text: TQL: a weight choice, an expression, or the name of a weight column.
        schema: Polars type by column name.
        random: the numbers of `random()`, by the number of the call.

    Raises:
        TQLError: the text is wrong, or does not fit the schema; with the span of the fault.
    """
    types = _NamedTypes(schema)
    sampler = _compile_text(text, types, random)
    if not types.readable:
        return sampler
    calls = (node for node in sampler.tree.walk() if isinstance(node, nodes.Call))
    return replace(sampler, types=types.seen) if all(call.name in FUNCTIONS for call in calls) else sampler


class _NamedTypes(Mapping[str, DataType]):
    """A schema that notes which types were looked up."""

    def __init__(self, schema: Mapping[str, DataType]) -> None:
        self._schema = schema
        self.seen: dict[str, DataType] = {}
        self.readable = True  # all that was looked up

    def __getitem__(self, name: str) -> DataType:
        try:
            dtype = self._schema[name]
        except TQLError:
            self.readable = False
            raise
        self.seen[name] = dtype
        return dtype

    def __iter__(self) -> Iterator[str]:
        return iter(self._schema)

    def __len__(self) -> int:
        return len(self._schema)


def _compile_text(text: str, schema: Mapping[str, DataType], random: RandomNumbers | None) -> CompiledSampler:
    scope = SchemaScope(schema)
    try:
        root = parse(text)
        return _compile(text, root, Translator(scope, None if random is None else in_order(random, root)))
    except TQLError:
        # A column whose name is no expression (`my weight`, `weight (kg)`, `limit`) is named all the same.
        if text not in schema:
            raise
        return _compile(text, nodes.Column(text, span=Span(0, len(text))), Translator(scope, random))


def _compile(text: str, root: Node, translator: Translator) -> CompiledSampler:
    try:
        return compile_tree(text, root, translator)
    except Fault as fault:
        raise fault.error(text) from None


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class Key:
    """What tells rows apart, as a column of a GROUP BY does.

    Attributes:
        text: TQL.
        expr: one value a row.
        dtype: their type.
        source: the whole text that it stands in.
        span: where it stands there.
    """

    text: str
    expr: pl.Expr
    dtype: DataType
    source: str
    span: Span


def compile_key(text: str, schema: Mapping[str, DataType], random: RandomNumbers | None, argument: str) -> Key:
    """Translate what tells rows apart: the name of a column, or a TQL expression of one value a row.

    Args:
        text: the name or expression.
        schema: Polars type by column name.
        random: as of `compile_sampler`.
        argument: the name of the argument that it was given by.

    Raises:
        TQLError: the text is wrong, or does not fit the schema.
    """
    root = nodes.Column(text, span=Span(0, len(text))) if text in schema else parse(text)
    try:
        translator = Translator(SchemaScope(schema), None if random is None else in_order(random, root))
        return key_of(text, root, translator, argument)
    except Fault as fault:
        raise fault.error(text) from None


def key_of(source: str, root: Node, translator: Translator, clause: str) -> Key:
    """Translate the tree of what tells rows apart, which stands somewhere in a text.

    Raises:
        Fault: it does not fit the names of the translator, or is no single value.
    """
    check_size(root)
    value = translator.translate(root)
    if is_nested(value.row_dtype) or isinstance(value.dtype, (pl.Struct, pl.Object)):
        raise Fault(TQLTypeError, f"{clause} needs single values, not {value.words}", root.span)
    text = source[root.span.start : root.span.stop]
    return Key(text, value.row_expr, value.row_dtype, source, root.span)


def compile_tree(text: str, root: Node, translator: Translator) -> CompiledSampler:
    """Translate the tree of a sampler that stands somewhere in a text.

    Raises:
        Fault: it does not fit the names of the translator.
    """
    check_size(root)
    value = translator.translate(root)
    weight = as_weight(value)
    choice = root.name if isinstance(root, nodes.WeightChoice) else None
    arms = tuple(translator.arms)
    levels = levels_of(root, arms) if isinstance(root, nodes.WeightChoice) else None
    return CompiledSampler(text, root, weight, arms, choice, levels, tuple(translator.unknown))


def check_size(node: Node) -> int:
    """Upper bound of the terms that a node becomes: some rules repeat their operands, and such rules nest.

    Raises:
        Fault: there are more than can be evaluated; blamed on the innermost node of which that is true.
    """
    children = list(node.children())
    below = [check_size(child) for child in children]
    size = 1 + sum(below)
    for child, terms in zip(children, below, strict=True):
        if isinstance(child, nodes.Array) and terms > 1:  # an array of text: each item of what stands beside it
            size += len(child.items) * (sum(below) - terms)
    match node:
        case nodes.Comparison() | nodes.WeightChoice():
            size *= 2
        case nodes.Between():
            size *= 4
        case nodes.In(_, items, _) if not all(isinstance(item, nodes.Literal) for item in items):
            size = 2 * (size + len(items) * below[0])
        case nodes.Arithmetic("%", _, _):
            size *= 6
        case nodes.Subscript(_, indices) if any(isinstance(index, nodes.Slice) for index in indices):
            size *= 16
        case nodes.Call("shape" | "contains" | "all_strict" | "keys", _):
            size *= 3
        case nodes.Call("dot" | "hamming_distance", _):
            size *= 8
        case nodes.Call("cosine_similarity", _):
            size *= 16
        case nodes.Array(items):  # one literal list; else Polars 1.30 finds the type of each item twice
            size = 1 if all(map(_is_number, items)) else 2 * size
    if size > _MOST_TERMS:
        hint = "compute a part of it as a column of the frame, and name that column"
        raise Fault(
            TQLUnsupportedError,
            "comparisons, %, between, slices, functions or weight choices are nested too deeply",
            node.span,
            hint,
        )
    return size


def _is_number(node: Node) -> bool:
    node = node.operand if isinstance(node, (nodes.Negative, nodes.Positive)) else node
    return isinstance(node, nodes.Literal) and isinstance(node.value, (int, float))
