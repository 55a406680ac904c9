"""A whole sampler made ready for a schema: its weight, its arms, and the limits that keep it evaluable.

How nodes become expressions is in `translate`. A weight choice of constant weights is known by number, too: a byte
a row says which weight it has, not eight bytes the weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.expressions.functions import FUNCTIONS
from tql_frames.compiler.expressions.scope import SchemaScope
from tql_frames.compiler.expressions.translate import (
    CompiledArm,
    LookUp,
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
_MOST_NUMBERS = 256  # what a byte can tell apart
_MOST_WORDS = 65_536  # what two bytes can
_CHAIN = 16  # arms in one when/then, which is nested as deeply as it is long


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
    weights = [pl.when(arm.test).then(arm.weight).otherwise(pl.lit(-1.0)) for arm in arms]
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
class ConstantWeights:
    """The weights that a sampler can give, by number.

    Attributes:
        number: UInt8 expression of each row's number, UInt16 of many.
        weights: shape (m,), the weight of each number: finite, >= 0; in any order, repeated or not.
        deciding: shape (m, arms), the arms that decide the weight of the rows of a number; or shape (m,), the place of
            the one arm, -1 for none. None where there are too many arms to tell apart.
        cases: places of arms, each with a number: that of the last arm that matches a row is the row's, or 0; of a
            sum_weight the numbers of all that match add up. None where a column is looked up.
    """

    number: pl.Expr
    weights: NDArray[np.float64]
    deciding: NDArray[np.bool_ | np.int64] | None
    cases: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class CompiledSampler:
    """A sampler made ready for one schema.

    Attributes:
        source: its TQL text.
        tree: its tree.
        weight: Polars expression of the weight, Float64, null as 0, one value a row.
        arms: arms of its weight choices in the order of the text; none for a plain expression.
        choice: 'max_weight' or 'sum_weight' when the whole sampler is one, else None.
        constant_weights: the weights by number, where there are few and all are known; else None.
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
    constant_weights: ConstantWeights | None
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
        raise Fault(TQLTypeError, f"expected single values for {clause}, got {value.words}", root.span)
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
    look_up = translator.look_ups.get(root.span)
    if look_up is not None:
        constant = _looked_up(look_up)
    else:
        constant = constant_weights_of(root, arms) if isinstance(root, nodes.WeightChoice) else None
    return CompiledSampler(text, root, weight, arms, choice, constant, tuple(translator.unknown))


def check_size(node: Node) -> int:
    """Upper bound of the terms that a node becomes: some rules repeat their operands, and such rules nest.

    Raises:
        Fault: there are more than can be evaluated; blamed on the innermost node of which that is true.
    """
    if isinstance(node, (nodes.Literal, nodes.Column)):
        return 1
    children = node.children()
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
        case nodes.In(_, items, _) if not all(isinstance(item, (nodes.Literal, nodes.Values)) for item in items):
            size = 2 * (size + len(items) * below[0])
        case nodes.Arithmetic("%", _, _):
            size *= 6
        case nodes.Subscript(_, indices) if any(isinstance(index, nodes.Slice) for index in indices):
            size *= 16
        case nodes.Call("shape" | "contains" | "all_strict" | "keys" | "split", _):
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


def _looked_up(look_up: LookUp) -> ConstantWeights | None:
    """Return the weights of words by number, 0 for all others; None where words are too many."""
    count = look_up.words.len() + 1
    if count > _MOST_WORDS:
        return None
    dtype = pl.UInt8() if count <= _MOST_NUMBERS else pl.UInt16()
    numbers = pl.Series(np.arange(1, count)).cast(dtype)
    number = look_up.sought.replace_strict(look_up.words, numbers, default=0, return_dtype=dtype)
    default = -1 if look_up.default is None else look_up.default
    weights = np.concatenate([[look_up.least], look_up.weights.to_numpy()])
    return ConstantWeights(number, weights, np.concatenate([[default], look_up.arms.to_numpy()]))


def constant_weights_of(choice: nodes.WeightChoice, arms: Sequence[CompiledArm]) -> ConstantWeights | None:
    """Return the weights of a weight choice with these arms by number; None where they are not known or too many."""
    if len(arms) != len(choice.arms):  # a condition holds a weight choice of its own
        return None
    weights = []
    for arm in arms:
        if arm.constant is None or not 0 <= arm.constant < math.inf:
            return None
        weights.append(arm.constant)
    if choice.name == "sum_weight":
        return _sums(arms, weights)
    always = [isinstance(arm.condition, nodes.Literal) and arm.condition.value is True for arm in choice.arms]
    return _greatest(arms, weights, always)


def _greatest(arms: Sequence[CompiledArm], weights: Sequence[float], always: Sequence[bool]) -> ConstantWeights | None:
    """Return a number an arm.

    An arm decides a row where it gives the greatest weight, among equals a default or the first.

    Where arms are too many, a number a weight.
    """
    default = max((place for place, each in enumerate(always) if each), key=lambda place: weights[place], default=None)
    least = 0.0 if default is None else weights[default]
    above = [place for place, weight in enumerate(weights) if weight > least or default is None]
    above.sort(key=lambda place: (weights[place], -place))  # ascending, so that the greatest is asked for first
    numbered = [least, *(weights[place] for place in above)]
    numbers = list(range(1, len(numbered)))
    deciding: NDArray[np.bool_] | None = None
    if len(numbered) > _MOST_NUMBERS:
        numbered = sorted(set(numbered))
        if len(numbered) > _MOST_NUMBERS:
            return None
        numbers = np.searchsorted(numbered, [weights[place] for place in above]).tolist()
    else:
        deciding = np.zeros((len(numbered), len(arms)), np.bool_)
        deciding[numbers, above] = True
        if default is not None:
            deciding[0, default] = True
    chains = [pl.lit(0, pl.UInt8)]
    for place, (number, arm) in enumerate(zip(numbers, above, strict=True)):
        if place and place % _CHAIN == 0:
            chains.append(pl.lit(0, pl.UInt8))
        chains[-1] = _where(arms[arm], number, chains[-1])
    greatest = chains[0] if len(chains) == 1 else pl.max_horizontal(chains)
    return ConstantWeights(greatest, np.array(numbered), deciding, tuple(zip(above, numbers, strict=True)))


def _sums(arms: Sequence[CompiledArm], weights: Sequence[float]) -> ConstantWeights | None:
    """Return a bit an arm, and the sum of each combination, added from left to right as `translate` adds."""
    if 2 ** len(arms) > _MOST_NUMBERS:
        return None
    number = pl.lit(0, pl.UInt8)
    combinations = np.arange(2 ** len(arms))
    sums = np.zeros(len(combinations))
    for place, (arm, weight) in enumerate(zip(arms, weights, strict=True)):
        number = number + _where(arm, 1 << place, pl.lit(0, pl.UInt8))
        sums += np.where(combinations >> place & 1, weight, 0.0)
    deciding = (combinations[:, None] >> np.arange(len(arms)) & 1).astype(np.bool_)
    cases = tuple((place, 1 << place) for place in range(len(arms)))
    return ConstantWeights(number, sums, deciding, cases) if np.isfinite(sums).all() else None


def _where(arm: CompiledArm, number: int, otherwise: pl.Expr) -> pl.Expr:
    return pl.when(arm.test).then(pl.lit(number, pl.UInt8)).otherwise(otherwise)
