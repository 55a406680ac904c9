"""Compile a whole sampler for a schema: its weight, its arms, and the limits of its size.

`translate` converts nodes to expressions. Weight choices of constant weights are also compiled to numbers: one byte per
row for the number of its weight, instead of eight bytes for the weight.
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
_MOST_NUMBERS = 256  # numbers in a byte
_MOST_WORDS = 65_536  # numbers in two bytes
_CHAIN = 16  # arms in one when/then; its nesting is as deep as it is long


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class Decider:
    """The arms of a max_weight.

    Attributes:
        places: positions of its arms among the arms of the sampler; among equal weights, the first one decides.
        number: UInt32 expression of the arm that decides a row, by its index in `places`; null where no arm matches.
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
    """Return whether the text of an arm makes it match every row, such as `True: 1`."""
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


_MOST_TERMS = 2_000_000  # allows seven chained `%`, which take 2 seconds to optimize, but not eight


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class ConstantWeights:
    """The possible weights of a sampler, by number.

    Attributes:
        number: UInt8 expression of each row's number, or UInt16 if there are many.
        weights: shape (m,), the weight of each number: finite, >= 0; in any order, possibly repeated.
        deciding: shape (m, arms), the arms that decide the weight of the rows with a number; or shape (m,), the
            position of the one arm, -1 for none. None if there are too many arms.
        cases: pairs of an arm's position and a number. The number of a row is that of the last arm that matches it,
            or 0; for sum_weight, the sum over all arms that match. None if a column is looked up.
    """

    number: pl.Expr
    weights: NDArray[np.float64]
    deciding: NDArray[np.bool_ | np.int64] | None
    cases: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class CompiledSampler:
    """A sampler compiled for one schema.

    Attributes:
        source: its TQL text.
        tree: its tree.
        weight: Polars expression of the weight, Float64, null as 0, one value per row.
        arms: arms of its weight choices in the order of the text; none for a plain expression.
        choice: 'max_weight' or 'sum_weight' if the whole sampler is one, else None.
        constant_weights: the weights by number, if they are few and constant; else None.
        unknown: texts that are compared with an Enum but are not among its categories.
        types: types by name of the columns that were looked up; frames with equal types can reuse the expressions.
            None if they cannot: each `random()` has its own seed, and a user's function may be replaced.
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
        TQLError: the text is invalid, or does not fit the schema; with the span of the error.
    """
    types = _NamedTypes(schema)
    sampler = _compile_text(text, types, random)
    if not types.readable:
        return sampler
    calls = (node for node in sampler.tree.walk() if isinstance(node, nodes.Call))
    return replace(sampler, types=types.seen) if all(call.name in FUNCTIONS for call in calls) else sampler


class _NamedTypes(Mapping[str, DataType]):
    """A schema that remembers which types were looked up."""

    def __init__(self, schema: Mapping[str, DataType]) -> None:
        self._schema = schema
        self.seen: dict[str, DataType] = {}
        self.readable = True  # all columns that were looked up

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
        # A column name that is not a valid expression (`my weight`, `weight (kg)`, `limit`) is accepted, too.
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
    """A key that divides rows into groups, like a column of a GROUP BY.

    Attributes:
        text: TQL.
        expr: one value per row.
        dtype: type of the values.
        source: the whole text that contains it.
        span: its span in that text.
    """

    text: str
    expr: pl.Expr
    dtype: DataType
    source: str
    span: Span


def compile_key(text: str, schema: Mapping[str, DataType], random: RandomNumbers | None, argument: str) -> Key:
    """Translate a key of groups: the name of a column, or a TQL expression of one value per row.

    Args:
        text: the name or expression.
        schema: Polars type by column name.
        random: as in `compile_sampler`.
        argument: name of the caller's argument, for messages.

    Raises:
        TQLError: the text is invalid, or does not fit the schema.
    """
    root = nodes.Column(text, span=Span(0, len(text))) if text in schema else parse(text)
    try:
        translator = Translator(SchemaScope(schema), None if random is None else in_order(random, root))
        return key_of(text, root, translator, argument)
    except Fault as fault:
        raise fault.error(text) from None


def key_of(source: str, root: Node, translator: Translator, clause: str) -> Key:
    """Translate the tree of a key of groups, which is a part of a text.

    Raises:
        Fault: it does not fit the names of the translator, or is not a single value.
    """
    check_size(root)
    value = translator.translate(root)
    if is_nested(value.row_dtype) or isinstance(value.dtype, (pl.Struct, pl.Object)):
        raise Fault(TQLTypeError, f"expected single values for {clause}, got {value.words}", root.span)
    text = source[root.span.start : root.span.stop]
    return Key(text, value.row_expr, value.row_dtype, source, root.span)


def compile_tree(text: str, root: Node, translator: Translator) -> CompiledSampler:
    """Translate the tree of a sampler, which is a part of a text.

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
    """Return an upper bound of the number of terms of a compiled node; nested rules that repeat operands multiply it.

    Raises:
        Fault: there are too many terms to evaluate, with the span of the innermost such node.
    """
    if isinstance(node, (nodes.Literal, nodes.Column)):
        return 1
    children = node.children()
    below = [check_size(child) for child in children]
    size = 1 + sum(below)
    for child, terms in zip(children, below, strict=True):
        if isinstance(child, nodes.Array) and terms > 1:  # an array of text repeats the other operand for each item
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
        case nodes.Array(items):  # one literal list; else Polars 1.30 resolves the type of each item twice
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
    """Return the weights of words by number, with 0 for all others; None if there are too many words."""
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
    """Return the weights of a weight choice by number; None if they are not constant, or too many."""
    if len(arms) != len(choice.arms):  # a condition contains another weight choice
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
    """Return the weights of a max_weight, with one number per arm, or one per distinct weight if arms are too many.

    The arm with the greatest weight decides a row; among equal weights, a default or else the first arm.
    """
    default = max((place for place, each in enumerate(always) if each), key=lambda place: weights[place], default=None)
    least = 0.0 if default is None else weights[default]
    above = [place for place, weight in enumerate(weights) if weight > least or default is None]
    above.sort(key=lambda place: (weights[place], -place))  # ascending, so that the greatest is tested first
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
    """Return the weights of a sum_weight: one bit per arm, and sums added from left to right, as in `translate`."""
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
