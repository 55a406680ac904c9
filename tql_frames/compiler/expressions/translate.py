"""Walk over the tree: translate each node to a typed Polars expression, and collect the arms.

The rules of operators and functions are in `comparisons`, `membership`, `operators` and `functions`; `sampler`
assembles a whole sampler. Nothing here runs a query.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import polars as pl

from tql_frames.compiler.expressions import comparisons, exact, json_text, membership, operators, reductions
from tql_frames.compiler.expressions.functions import (
    ELSEWHERE,
    FUNCTIONS,
    UNSUPPORTED,
    Function,
    function_named,
    registered_names,
)
from tql_frames.compiler.expressions.scope import Scope, column, is_pattern
from tql_frames.compiler.expressions.types import (
    Constant,
    DataType,
    Value,
    describe,
    innermost,
    is_bool,
    is_fractional,
    is_nested,
    is_null,
    is_number,
    is_text,
)
from tql_frames.errors import (
    Fault,
    Span,
    TQLNameError,
    TQLSyntaxError,
    TQLTypeError,
    TQLUnsupportedError,
    did_you_mean,
)
from tql_frames.language import nodes, parameters, unparse
from tql_frames.language.nodes import Node

RandomNumbers: TypeAlias = Callable[[int], pl.Expr]
"""A call of `random()`, by its number or its position -> uniform whole numbers >= 0, Int64, one per row."""
WEIGHT_CHOICES = ("max_weight", "sum_weight")
_QUANTIFIERS = ("any", "all", "all_strict")
_FOLD = 16  # summands added left to right before a level of nesting; Polars' optimizer is quadratic in depth


@dataclass(frozen=True, eq=False)  # Polars expressions have no truth value to compare by
class CompiledArm:
    """An arm `condition: weight` of a sampler.

    Attributes:
        node: the arm.
        span: its span in the text.
        constant: the weight if it is the same for every row, else None.
        value: its condition; None if a column is looked up.
        looked_up: the column that the condition compares with a constant, else None.
        given: its weight as an expression; None for a constant weight.
    """

    node: nodes.Arm
    span: Span
    constant: float | None
    value: Value | None = None
    looked_up: Value | None = None
    given: pl.Expr | None = None

    @property
    def text(self) -> str:
        """The arm as TQL."""
        return unparse(self.node)

    @cached_property
    def condition(self) -> pl.Expr:
        """True or false per row, never null."""
        return operators.condition(self._value)

    @cached_property
    def test(self) -> pl.Expr:
        """The condition, possibly null instead of false: for `when`, which treats both alike."""
        return operators.truth(self._value)

    @cached_property
    def weight(self) -> pl.Expr:
        """Float64 per row, null as 0; only rows where the condition is true count."""
        return pl.lit(self.constant, pl.Float64()) if self.given is None else self.given

    @cached_property
    def _value(self) -> Value:
        if self.value is not None:
            return self.value
        node = self.node.condition
        assert self.looked_up is not None and isinstance(node, nodes.Comparison)
        return comparisons.comparison("==", node, self.looked_up, _constant(node.right))


@dataclass(frozen=True, eq=False)
class LookUp:
    """A weight choice whose arms compare one column with many constants.

    Attributes:
        sought: the value of each row to look up.
        words: shape (m,), the distinct constants that decide a row, in the type of `sought`; the lightest first.
        weights: shape (m,), the weight of each constant.
        arms: shape (m,), the position of the arm that decides.
        default: the position of the arm that decides all other rows; None if none does.
        least: the weight of all other rows.
    """

    sought: pl.Expr
    words: pl.Series
    weights: pl.Series
    arms: pl.Series
    default: int | None
    least: float

    @property
    def weight(self) -> pl.Expr:
        """The weight of each row."""
        return self.sought.replace_strict(self.words, self.weights, default=self.least, return_dtype=pl.Float64())


class UnknownCategory(NamedTuple):
    """A text that is compared with an Enum but is not among its categories.

    Attributes:
        span: span of the text.
        word: the text.
        of: the operand that it is compared with, as TQL.
        categories: categories of the Enum.
    """

    span: Span
    word: str
    of: str
    categories: tuple[str, ...]


def as_weight(value: Value) -> pl.Expr:
    """Return a number, or true and false as 1 and 0, as Float64 with null as 0."""
    value = json_text.as_number(value)
    dtype = value.row_dtype
    if is_null(dtype):
        return pl.lit(0.0)
    if not (is_number(dtype) or is_bool(dtype)):
        raise Fault(TQLTypeError, f"expected a weight, got {describe(dtype)}", value.node.span, "write a number")
    weight = value.expr if dtype == pl.Float64() else value.expr.cast(pl.Float64)
    known = value.constant is not None or value.never_null
    return weight if known else weight.fill_null(0.0)


class Translator:
    """Translates nodes for one schema, and collects the arms."""

    def __init__(
        self, scope: Scope, random: RandomNumbers | None = None, known: Mapping[Span, Value] | None = None
    ) -> None:
        """Store the names that expressions may use.

        Args:
            scope: the columns.
            random: the numbers of a `random()`, by its position in the text.
            known: values that were computed before, by the spans of their nodes.
        """
        self._scope = scope
        self._random = random
        self._known = known or {}
        self.arms: list[CompiledArm] = []
        self.unknown: list[UnknownCategory] = []
        self.look_ups: dict[Span, LookUp] = {}

    def translate(self, node: Node) -> Value:
        """Return the value of a node, by the rule of its class."""
        known = self._known.get(node.span) if self._known else None
        return _RULES[type(node)](self, node) if known is None or known.node != node else known

    def _all(self, nodes: Iterable[Node]) -> list[Value]:
        return [self.translate(node) for node in nodes]

    def _literal(self, node: nodes.Literal) -> Value:
        return _constant(node)

    def _column(self, node: nodes.Column) -> Value:
        name, dtype = self._scope.find(node)
        if isinstance(dtype, pl.Object):
            raise Fault(TQLTypeError, f"column {node.name!r} holds Python objects, which have no TQL type", node.span)
        if is_pattern(name) and pl.__version__.startswith("1."):
            # In functions of many columns, Polars 1 reads a name that a pattern matched as a pattern again.
            message = f"column {node.name!r} cannot be named in Polars 1, which takes its name for a pattern"
            raise Fault(TQLUnsupportedError, message, node.span, "rename it, or use Polars 2")
        if type(dtype).__name__ == "Map":  # of Polars 2; older ones read Arrow's maps as lists of structs
            pairs = pl.List(pl.Struct({"key": dtype.key, "value": dtype.value}))  # type: ignore[attr-defined]
            return Value(node, column(name).cast(pairs), pairs)
        return Value(node, column(name), dtype)

    def _negative(self, node: nodes.Negative) -> Value:
        return operators.negative(node, self.translate(node.operand))

    def _positive(self, node: nodes.Positive) -> Value:
        return operators.positive(node, self.translate(node.operand))

    def _chain(self, node: nodes.Chain) -> Value:
        """Combine the operands from left to right, in groups if there are many; see `_FOLD`."""
        values, signs = self._all(node.operands), ["+", *node.operators]
        while len(values) > 1:
            groups, group_signs = [], []
            for first in range(0, len(values), _FOLD):
                total = values[first]
                for value, sign in zip(
                    values[first + 1 : first + _FOLD], signs[first + 1 : first + _FOLD], strict=True
                ):
                    # A group that is subtracted is summed with reversed signs.
                    turned = {"+": "-", "-": "+"}.get(sign, sign) if signs[first] == "-" else sign
                    total = operators.arithmetic(turned, node, total, value)
                groups.append(total)
                group_signs.append(signs[first])
            values, signs = groups, group_signs
        return values[0]

    def _arithmetic(self, node: nodes.Arithmetic) -> Value:
        return operators.arithmetic(node.operator, node, self.translate(node.left), self.translate(node.right))

    def _comparison(self, node: nodes.Comparison) -> Value:
        quantified = self._quantified(node, "left") or self._quantified(node, "right")
        if quantified is not None:
            return quantified
        with _dates_in_quotes(node.left, node.right):
            left, right = self.translate(node.left), self.translate(node.right)
            if node.operator in ("==", "!="):
                self._note_unknown(left, right)
                self._note_unknown(right, left)
            return comparisons.comparison(node.operator, node, left, right)

    def _not(self, node: nodes.Not) -> Value:
        return operators.negation(node, self.translate(node.operand))

    def _and(self, node: nodes.And) -> Value:
        return operators.logic(node, self._all(node.operands), every=True)

    def _or(self, node: nodes.Or) -> Value:
        """Return a disjunction; many comparisons of one column with constants are one look-up."""
        among: list[Value] = []
        operands: dict[int, Node] = dict(enumerate(node.operands))
        columns: dict[Node, dict[int, Node]] = {}
        for place, each in operands.items():
            if isinstance(each, nodes.Comparison) and each.operator == "==" and isinstance(each.left, nodes.Column):
                columns.setdefault(each.left, {})[place] = each.right
        for operand, constants in columns.items():
            many = None if self._known else parameters.many_of(tuple(constants.values()))
            if many is not None and (value := self.translate(operand)).json is None:
                found = self._among(node, value, tuple(constants.values()))
                if found is not None:
                    among.append(found)
                    operands = {place: each for place, each in operands.items() if place not in constants}
        return operators.logic(node, [*among, *self._all(operands.values())], every=False)

    def _in(self, node: nodes.In) -> Value:
        quantified = self._quantified(node, "operand")
        if quantified is not None:
            return quantified
        with _dates_in_quotes(*node.items):
            operand = self.translate(node.operand)
            found = self._among(node, operand, node.items)
            if found is None:
                items = self._all(node.listed())
                self._note_unknown(operand, *items)
                found = membership.membership(node, operand, items)
        return operators.negation(node, found) if node.negated else found

    def _among(self, node: Node, operand: Value, items: Sequence[Node]) -> Value | None:
        """Return whether a value is among many constants; None if they are few, or of other kinds."""
        given = items[0] if isinstance(items[0], nodes.Values) else None
        many = given or parameters.many_of(items)
        found = None if many is None else membership.among(node, operand, many)
        if found is not None and many is not None:
            spans = [many.span] * len(many.values)
            if given is None:
                spans = [item.span for item in items if item != nodes.Literal(None)]
            self._note_words(operand, spans, many.values)
        return found

    def _between(self, node: nodes.Between) -> Value:
        quantified = self._quantified(node, "operand")
        if quantified is not None:
            return quantified
        operand, low, high = self._all((node.operand, node.low, node.high))
        with _dates_in_quotes(node.low, node.high):
            bounds = (
                comparisons.comparison(">=", node, operand, low),
                comparisons.comparison("<=", node, operand, high),
            )
        found = operators.logic(node, bounds, every=True)
        return operators.negation(node, found) if node.negated else found

    def _like(self, node: nodes.Like) -> Value:
        quantified = self._quantified(node, "operand")
        if quantified is not None:
            return quantified
        operand, pattern = self.translate(node.operand), self.translate(node.pattern)
        found = membership.like(node, operand, pattern, ignore_case=node.ignore_case)
        return operators.negation(node, found) if node.negated else found

    def _quantified(self, node: Node, side: str) -> Value | None:
        """`any(numbers) < 0`: whether any element satisfies the comparison, `any(numbers < 0)`; `all` likewise."""
        call = getattr(node, side)
        if not (isinstance(call, nodes.Call) and call.name in _QUANTIFIERS and 1 <= len(call.arguments) <= 2):
            return None
        dtype = self.translate(call.arguments[0]).row_dtype
        if not is_nested(dtype) or is_bool(innermost(dtype)) or is_null(innermost(dtype)):
            return None
        changes: dict[str, Any] = {side: call.arguments[0]}
        compared = dataclasses.replace(node, **changes)
        arguments = (compared, *call.arguments[1:])
        return self.translate(dataclasses.replace(call, arguments=arguments, span=node.span))

    def _is_null(self, node: nodes.IsNull) -> Value:
        if isinstance(node.operand, nodes.Column):  # of any type
            expr = column(self._scope.find_nulls(node.operand))
        else:
            expr = self.translate(node.operand).row_expr
        return Value(node, expr.is_not_null() if node.negated else expr.is_null(), pl.Boolean())

    def _call(self, node: nodes.Call) -> Value:
        if node.name in _IN_CONTEXT:
            in_context = _IN_CONTEXT[node.name]
            _check_arity(node, in_context)
            return in_context.build(self, node)
        if node.name in WEIGHT_CHOICES:
            hint = f"write {node.name}(condition: weight, …)"
            raise Fault(TQLSyntaxError, f"expected arms for {node.name}, got arguments", node.span, hint)
        function = function_named(node.name)
        if function is None:
            if node.name in UNSUPPORTED:
                raise Fault(
                    TQLUnsupportedError, f"{node.name} is not supported", node.name_span, UNSUPPORTED[node.name]
                )
            names = [*FUNCTIONS, *registered_names(), *_IN_CONTEXT, *WEIGHT_CHOICES]
            near = ELSEWHERE.get(node.name) or did_you_mean(node.name, names)
            raise Fault(TQLNameError, f"unknown function {node.name!r}", node.name_span, near)
        _check_arity(node, function)
        arguments = self._all(node.arguments)
        if node.name == "contains" and is_nested(arguments[0].row_dtype):
            self._note_unknown(*arguments)
        return function.build(node, *arguments)

    def _note_unknown(self, value: Value, *words: Value) -> None:
        """Collect texts that are compared with an Enum but are not among its categories."""
        known = [each for each in words if each.constant is not None]
        texts = [each.constant.value for each in known if each.constant is not None]
        self._note_words(value, [each.node.span for each in known], texts)

    def _note_words(self, value: Value, spans: Iterable[Span], words: Iterable[object]) -> None:
        dtype = innermost(value.row_dtype)
        if not isinstance(dtype, pl.Enum) or value.constant is not None:
            return
        of, categories = unparse(value.node), tuple(dtype.categories.to_list())
        known = frozenset(categories)
        for span, word in zip(spans, words, strict=True):
            if isinstance(word, str) and word not in known:
                self.unknown.append(UnknownCategory(span, word, of, categories))

    def _row_data(self, node: nodes.Call) -> Value:
        """`data(column, i)`: in a statement, it is computed before its clauses are translated."""
        column, row = node.arguments
        found = self.translate(column)
        if not isinstance(column, nodes.Column):
            raise Fault(TQLTypeError, "data takes the name of a column", column.span, "write data(column, row)")
        at = self._whole_number(row)
        if at.constant is None:
            raise Fault(TQLTypeError, "the row of data(column, row) is a constant", row.span)
        place = int(at.constant.value or 0)
        if place < 0:  # counted from the end
            return Value(node, found.expr.reverse().slice(-1 - place, 1).first(), found.dtype)
        return Value(node, found.expr.slice(place, 1).first(), found.dtype)

    def _random_number(self, node: nodes.Call) -> Value:
        assert self._random is not None
        return Value(node, self._random(node.span.start), pl.Int64(), never_null=True)

    def _weight_choice(self, node: nodes.WeightChoice) -> Value:
        function = _IN_CONTEXT.get(node.name) or function_named(node.name)
        if function is not None:
            message = f"expected arguments for {node.name}, got arms"
            raise Fault(TQLSyntaxError, message, node.span, f"write {function.usage}")
        if node.name not in WEIGHT_CHOICES:
            choices = did_you_mean(node.name, WEIGHT_CHOICES) or "the weight choices are max_weight and sum_weight"
            raise Fault(TQLNameError, f"unknown weight choice {node.name!r}", node.name_span, choices)
        found = self._look_up(node)
        if found is not None:
            self.look_ups[node.span] = found
            return Value(node, found.weight, pl.Float64(), never_null=True)
        arms = [self._arm(arm) for arm in node.arms]
        self.arms += arms
        terms = [_term(arm) for arm in arms]
        if node.name == "sum_weight":
            return Value(node, _sum_in_order(terms), pl.Float64(), never_null=True)
        if any(arm.constant is None or not arm.constant >= 0 for arm in arms):
            terms.append(pl.lit(0.0))  # the choice is at least 0
        greatest = pl.max_horizontal(terms) if len(terms) > 1 else terms[0]
        return Value(node, greatest, pl.Float64(), never_null=True)

    def _arm(self, node: nodes.Arm) -> CompiledArm:
        value = self.translate(node.condition)
        operators.truth(value)  # raises an error for a condition without a truth value
        weight = self.translate(node.weight)
        constant = None
        if weight.constant is not None and not is_text(weight.dtype):
            constant = float(weight.constant.value or 0.0)
        return CompiledArm(node, node.span, constant, value, given=as_weight(weight))

    def _look_up(self, node: nodes.WeightChoice) -> LookUp | None:
        """Return the look-up of the weight, and collect the arms; None if arms are few or are not such comparisons."""
        sought = _constants_by_column(node) if node.name == "max_weight" and not self._known else None
        many = None if sought is None else parameters.many_of([comparison.right for comparison in sought.values()])
        if sought is None or many is None:
            return None
        operand = self.translate(next(iter(sought.values())).left)
        found = membership.words_of(operand, many)
        if found is None:
            return None
        weights = [float(arm.weight.value) for arm in node.arms]  # type: ignore[attr-defined]
        # Among equal weights, a default decides, or else the first arm.
        others = [place for place in range(len(weights)) if place not in sought]
        default = max(others, key=lambda place: weights[place], default=None)
        least = 0.0 if default is None else weights[default]
        places = pl.Series(list(sought), dtype=pl.Int64)
        table = pl.DataFrame({"word": found[1], "arm": places, "weight": pl.Series(weights).gather(places)})
        table = table.filter(pl.col("word").is_not_null() & ((pl.col("weight") > least) | (default is None)))
        table = table.sort("weight", -pl.col("arm")).unique("word", keep="last", maintain_order=True)
        if not table.height:
            return None
        self._note_words(operand, [comparison.right.span for comparison in sought.values()], many.values)
        for place, arm in enumerate(node.arms):
            value = None if place in sought else self.translate(arm.condition)
            self.arms.append(CompiledArm(arm, arm.span, weights[place], value, None if value else operand))
        return LookUp(found[0], table["word"], table["weight"], table["arm"], default, least)

    def _array(self, node: nodes.Array) -> Value:
        if node.word is not None and self._is_known(node.word):
            return self._subscript(nodes.Subscript(node.word, node.items, span=node.span))
        return reductions.array(node, self._all(node.items))

    def _is_known(self, word: Node) -> bool:
        """Return whether a word of the language names a column here, or was replaced by an alias."""
        return not isinstance(word, nodes.Column) or self._scope.knows(word.name)

    def _parameter(self, node: nodes.Parameter) -> Value:
        hint = "pass parameters=[…], a value for each `?` in order"
        raise Fault(TQLSyntaxError, "no value is given for the `?`", node.span, hint)

    def _subscript(self, node: nodes.Subscript) -> Value:
        operand = self.translate(node.operand)
        if operand.json is not None or (is_text(operand.dtype) and any(map(_is_text_literal, node.indices))):
            return self._json_step(node, operand)
        if isinstance(operand.dtype, pl.Struct) or any(_is_text_literal(index) for index in node.indices):
            if (
                len(node.indices) == 1
                and isinstance(name := node.indices[0], nodes.Literal)
                and isinstance(name.value, str)
            ):
                return operators.key(node, operand, name.value, name)
            raise Fault(TQLTypeError, f"{operand.words} takes one key in single quotes", node.span)
        return self.elements(node, operand, node.indices)

    def elements(self, node: Node, operand: Value, indices: Sequence[Node]) -> Value:
        """`operand[indices]` for a list or an array."""
        return operators.subscript(node, operand, [self._index(index) for index in indices])

    def _json_step(self, node: nodes.Subscript, operand: Value) -> Value:
        at = node.indices[0]
        if len(node.indices) > 1 or isinstance(at, nodes.Slice):
            raise json_text.index_fault(node)
        if isinstance(at, nodes.Literal) and isinstance(at.value, str):
            return json_text.step(node, operand, at.value)
        place = self._whole_number(at).constant
        if place is None or not isinstance(place.value, int):
            raise json_text.index_fault(at)
        return json_text.step(node, operand, place.value)

    def _index(self, node: Node) -> operators.Index | operators.Range:
        if not isinstance(node, nodes.Slice):
            return operators.Index(self._whole_number(node))
        start, stop = (self._whole_number(bound) if bound else None for bound in (node.start, node.stop))
        step = 1
        if node.step is not None:
            value = self._whole_number(node.step)
            if value.constant is None or value.constant.value == 0:
                raise Fault(TQLTypeError, "the step of a slice is a whole number other than 0", node.step.span)
            step = int(value.constant.value)  # type: ignore[arg-type]
        return operators.Range(start, stop, step)

    def _whole_number(self, node: Node) -> Value:
        value = self.translate(node)
        if value.constant is None and value.base is None and is_null(value.dtype):  # a column that was never filled
            return Value(node, value.expr.cast(pl.Int64), pl.Int64())
        if value.base is not None or not value.dtype.is_integer():
            words = "a fraction" if is_fractional(value.dtype) and value.base is None else value.words
            raise Fault(TQLTypeError, f"expected a whole number as index, got {words}", node.span)
        if value.constant is not None and not -(2**31) <= int(value.constant.value or 0) < 2**31:
            raise Fault(TQLUnsupportedError, "an index has at most 31 bits", node.span)
        return value


def in_order(random: RandomNumbers, root: Node) -> RandomNumbers:
    """Return the random numbers of the calls below a node by position, from random numbers by order of the calls.

    The numbers therefore do not depend on spaces in the text.
    """
    places = sorted(each.span.start for each in root.walk() if isinstance(each, nodes.Call) and each.name == "random")
    return lambda place: random(places.index(place))


def _constant(node: Node) -> Value:
    """Return the value of a literal, with or without a sign."""
    if isinstance(node, nodes.Negative):
        return operators.negative(node, _constant(node.operand))
    assert isinstance(node, nodes.Literal)
    value = node.value
    dtype: DataType
    match value:
        case bool():
            dtype = pl.Boolean()
        case int():
            dtype = pl.Int64() if value < 2**63 else pl.UInt64()
            if not -(2**63) <= value < 2**64:
                dtype = pl.Int128()
        case float():
            dtype = pl.Float64()
        case str():
            dtype = pl.String()
        case _:
            dtype = pl.Null()
    expr = exact.literal(value, dtype) if isinstance(value, int) and dtype.is_integer() else pl.lit(value, dtype=dtype)
    return Value(node, expr, dtype, Constant(value))


def _check_arity(node: nodes.Call, function: Function) -> None:
    least, most = (function.arity, function.arity) if isinstance(function.arity, int) else function.arity
    given = len(node.arguments)
    if given >= least and (most is None or given <= most):
        return
    number = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
    plural = "" if 1 == least == (most or 1) else "s"
    message = f"expected {number} argument{plural} for {node.name}, got {given}"
    difference = f"{node.name}({unparse(nodes.Arithmetic('-', *node.arguments))})" if given == 2 else ""
    usage = difference if node.name.endswith("_norm") and difference else function.usage
    raise Fault(TQLTypeError, message, node.span, f"write {usage}")


def _constants_by_column(node: nodes.WeightChoice) -> dict[int, nodes.Comparison] | None:
    """Return the arms that compare one column with a constant, by position.

    Return None if another arm is not a default, or a weight is not a constant of at least 0.
    """
    found: dict[int, nodes.Comparison] = {}
    first: Node | None = None
    for place, arm in enumerate(node.arms):
        weight = arm.weight.value if isinstance(arm.weight, nodes.Literal) else None
        if not isinstance(weight, (int, float)) or isinstance(weight, bool) or not 0 <= weight <= sys.float_info.max:
            return None
        match arm.condition:
            case nodes.Comparison("==", nodes.Column() as left, _) if first is None or left == first:
                found[place], first = arm.condition, left
            case nodes.Literal(True):
                pass
            case _:
                return None
    return found


@contextmanager
def _dates_in_quotes(*nodes: Node) -> Iterator[None]:
    """Add a hint to type errors of a comparison with `2024-05-01`, which is a difference: dates are written as text."""
    try:
        yield
    except Fault as fault:
        dates = [date for date in map(_date, nodes) if date is not None]
        if fault.hint is None and dates:
            fault.hint = f"write the date in single quotes: '{dates[0]}'"
        raise


def _date(node: Node) -> str | None:
    """Return the date if a difference of three numbers looks like one, else None."""
    match node:
        case nodes.Arithmetic(
            "-",
            nodes.Arithmetic("-", nodes.Literal(int() as year), nodes.Literal(int() as month)),
            nodes.Literal(int() as day),
        ) if 1000 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= 31:
            return f"{year:04}-{month:02}-{day:02}"
    return None


def _is_text_literal(node: Node) -> bool:
    return isinstance(node, nodes.Literal) and isinstance(node.value, str)


def _term(arm: CompiledArm) -> pl.Expr:
    """Return the weight of an arm where its condition is true, else 0."""
    if arm.constant is not None:
        # Not when/then: `lf.sort(k).select(when(c).then(2.0).otherwise(1.0))` drops the sort (Polars 1.40 and 2.1).
        return arm.condition.cast(pl.Float64) * arm.constant
    # A product would turn the infinite weight of a row that does not match into NaN. The other branch is 0, but not as
    # a literal: the weight may become one (`1 / 2`), and two literals drop the sort, too.
    return pl.when(arm.condition).then(arm.weight).otherwise(arm.condition.cast(pl.Float64))


def _sum_in_order(terms: Sequence[pl.Expr]) -> pl.Expr:
    """Sum from left to right, in groups if there are many.

    `pl.sum_horizontal` adds in another order, so that equal weights could differ in their last bit.
    """
    while len(terms) > 1:
        sums = []
        for first in range(0, len(terms), _FOLD):
            total = terms[first]
            for term in terms[first + 1 : first + _FOLD]:
                total = total + term
            sums.append(total)
        terms = sums
    return terms[0]


# Functions whose rules need more than the arguments.
_IN_CONTEXT: dict[str, Function] = {
    "data": Function(2, Translator._row_data, "data(column, row)"),
    "random": Function(0, Translator._random_number, "random()"),
}

_RULES: dict[type[Node], Callable[[Translator, Any], Value]] = {
    nodes.Literal: Translator._literal,
    nodes.Column: Translator._column,
    nodes.Negative: Translator._negative,
    nodes.Positive: Translator._positive,
    nodes.Arithmetic: Translator._arithmetic,
    nodes.Chain: Translator._chain,
    nodes.Comparison: Translator._comparison,
    nodes.Not: Translator._not,
    nodes.And: Translator._and,
    nodes.Or: Translator._or,
    nodes.In: Translator._in,
    nodes.Between: Translator._between,
    nodes.Like: Translator._like,
    nodes.IsNull: Translator._is_null,
    nodes.Call: Translator._call,
    nodes.WeightChoice: Translator._weight_choice,
    nodes.Subscript: Translator._subscript,
    nodes.Array: Translator._array,
    nodes.Parameter: Translator._parameter,
}
