"""What a sampler means, one row at a time in plain Python, written from the definition of the language.

It shares the tree with the package and nothing else: no expression, no Polars but for reading rows. Slow, and simple
enough to be read as the definition. Where the language says nothing, `Undefined` is raised: a whole number beyond 64
bits.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from tql_frames.language import nodes
from tql_frames.language.nodes import Node


class Undefined(Exception):  # noqa: N818 - no fault, but a silence of the language
    """The language does not say."""


class BadWeight(Exception):  # noqa: N818 - what the package calls WeightError
    """A weight that is negative, NaN or infinite."""


@dataclass(frozen=True)
class Items:
    """A list or array; `items` None is null, and `depth` tells its dimensions even then.

    `zero` is what stands for the least and greatest of no elements.
    """

    items: tuple[Any, ...] | None
    depth: int
    zero: Any = 0

    def flat(self) -> list[Any] | None:
        """The elements below every dimension; an inner null is one null element."""
        if self.items is None or self.depth == 1:
            return None if self.items is None else list(self.items)
        found: list[Any] = []
        for item in self.items:
            inner = item.flat()
            found += [None] if inner is None else inner
        return found


@dataclass(frozen=True)
class InJson:
    """What stands at a place in JSON: not null, and of the kind of what it meets or null."""

    found: Any

    def like(self, other: Any) -> Any:
        if isinstance(self.found, (dict, list)):
            return None
        if isinstance(other, InJson):
            return self.found if _kind(self.found) is _kind(other.found) else None
        return self.found if _kind(self.found) is _kind(other) else None


def _kind(value: Any) -> type:
    return float if isinstance(value, (int, float)) else type(value)  # true and false are 1 and 0


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts, lists as `Items`."""
    return [
        {name: _read(value, frame.schema[name]) for name, value in row.items()} for row in frame.iter_rows(named=True)
    ]


def _read(value: Any, dtype: Any) -> Any:
    if isinstance(dtype, (pl.List, pl.Array)):
        inner = dtype.inner
        depth = 1
        below = inner
        while isinstance(below, (pl.List, pl.Array)):
            depth, below = depth + 1, below.inner
        zero = 0 if below.is_numeric() or below in (pl.Boolean, pl.Null) else None
        return Items(None if value is None else tuple(_read(item, inner) for item in value), depth, zero)
    if isinstance(value, Decimal):
        return float(value)
    return value


def weights(root: Node, frame: pl.DataFrame) -> list[float]:
    """The weight of each row.

    Raises:
        BadWeight: a weight of a row, or of an arm that matches it, or a literal one, is no weight.
    """
    for node in _all_nodes(root):
        if isinstance(node, nodes.Arm) and not isinstance(node.weight, nodes.Column):
            constant = _constant(node.weight)
            if constant is not None:
                _checked(constant)
    return [_checked(_weight(root, row, place)) for place, row in enumerate(rows_of(frame))]


def _all_nodes(node: Node) -> list[Node]:
    return [node, *(below for child in node.children() for below in _all_nodes(child))]


def _constant(node: Node) -> float | None:
    if isinstance(node, nodes.Negative):
        inner = _constant(node.operand)
        return None if inner is None else -inner
    return float(node.value) if isinstance(node, nodes.Literal) and isinstance(node.value, (int, float)) else None


def _checked(weight: float) -> float:
    if not 0 <= weight < math.inf:
        raise BadWeight(weight)
    return weight


def _weight(node: Node, row: Mapping[str, Any], place: int) -> float:
    value = evaluate(node, row, place)
    value = _number(value)
    return 0.0 if value is None else float(value)


def evaluate(node: Node, row: Mapping[str, Any], place: int = 0) -> Any:
    """The value of a node on a row; null is None."""

    def of(each: Node) -> Any:
        return evaluate(each, row, place)

    match node:
        case nodes.Literal(value):
            return value
        case nodes.Array(items):
            found = [of(item) for item in items]
            depth = 2 if isinstance(found[0], Items) else 1
            numbers = [each for item in found for each in (item.items if depth == 2 else [item])]
            if any(isinstance(each, float) for each in numbers):
                found = [Items(tuple(map(_real, item.items)), 1) if depth == 2 else _real(item) for item in found]
            return Items(tuple(found), depth)
        case nodes.Column(name):
            return row[name]
        case nodes.Negative(operand):
            return each_element(lambda a: None if _number(a) is None else whole(-_number(a)), of(operand))
        case nodes.Positive(operand):
            return each_element(lambda a: None if _number(a) is None else whole(_number(a)), of(operand))
        case nodes.Chain(operators, operands):
            found, *others = map(of, operands)
            for sign, other in zip(operators, others, strict=True):
                found = each_element(lambda a, b, sign=sign: arithmetic(sign, a, b), found, other)
            return found
        case nodes.Arithmetic(operator, left, right):
            return each_element(lambda a, b: arithmetic(operator, a, b), of(left), of(right))
        case nodes.Comparison(operator, left, right):
            return each_element(lambda a, b: compare(operator, a, b), of(left), of(right))
        case nodes.Not(operand):
            return each_element(negation, of(operand))
        case nodes.And(operands):
            return each_element(conjunction, *map(of, operands))
        case nodes.Or(operands):
            return each_element(disjunction, *map(of, operands))
        case nodes.In(operand, items, negated):
            found = each_element(
                lambda a, *b: disjunction(*(compare("==", a, item) for item in b)), of(operand), *map(of, items)
            )
            return each_element(negation, found) if negated else found
        case nodes.Between(operand, low, high, negated):
            found = each_element(
                lambda a, b, c: conjunction(compare(">=", a, b), compare("<=", a, c)), of(operand), of(low), of(high)
            )
            return each_element(negation, found) if negated else found
        case nodes.Like(operand, pattern, negated, ignore_case):
            found = each_element(lambda a, b: like(a, b, ignore_case), of(operand), of(pattern))
            return each_element(negation, found) if negated else found
        case nodes.IsNull(operand, negated):
            value = of(operand)
            return (value is None or (isinstance(value, Items) and value.items is None)) != negated
        case nodes.Subscript(operand, indices):
            return subscript(of(operand), [_index(index, of) for index in indices])
        case nodes.Call(name, arguments):
            return place if name == "row_number" else _FUNCTIONS[name](*map(of, arguments))
        case nodes.WeightChoice(name, arms):
            found = [
                _checked(_weight(arm.weight, row, place)) for arm in arms if truth(of(arm.condition)) is True
            ]  # a null condition is false
            if name == "max_weight":
                return max([0.0, *found])
            total = 0.0
            for weight in found:
                total += weight
            return total
    raise AssertionError(f"no rule for {type(node).__name__}")


def each_element(rule: Callable[..., Any], *values: Any) -> Any:
    """A rule of scalars on scalars, or on the elements of lists; a null list gives a null list."""
    lists = [value for value in values if isinstance(value, Items)]
    if not lists:
        return rule(*values)
    flat = [each.flat() for each in lists]
    if any(each is None for each in flat):
        return Items(None, 1)
    if len({len(each) for each in flat}) != 1:
        return Items(None, 1)
    size = len(flat[0])
    columns = [value.flat() if isinstance(value, Items) else [value] * size for value in values]
    return Items(tuple(rule(*items) for items in zip(*columns, strict=True)), 1)


def _real(value: Any) -> float | None:
    return None if value is None else float(value)


def truth(value: Any) -> bool | None:
    """Numbers are true unless 0."""
    if isinstance(value, InJson):
        value = value.found if isinstance(value.found, (bool, int, float)) else None
    return None if value is None else value != 0


def negation(value: Any) -> bool | None:
    return None if truth(value) is None else not truth(value)


def conjunction(*values: Any) -> bool | None:
    found = [truth(value) for value in values]
    return False if False in found else None if None in found else True


def disjunction(*values: Any) -> bool | None:
    found = [truth(value) for value in values]
    return True if True in found else None if None in found else False


def compare(operator: str, a: Any, b: Any) -> bool | None:
    """Null compares as null; whole numbers exactly, others in float64; dates against ISO text."""
    if isinstance(a, InJson) or isinstance(b, InJson):
        a, b = a.like(b) if isinstance(a, InJson) else a, b.like(a) if isinstance(b, InJson) else b
    if a is None or b is None:
        return None
    if isinstance(a, str) != isinstance(b, str):
        a, b = (_moment(a, b), b) if isinstance(a, str) else (a, _moment(b, a))
    if isinstance(a, float) or isinstance(b, float):
        a, b = float(a), float(b)
    if isinstance(a, dt.date) or isinstance(b, dt.date):
        a, b = _instant(a), _instant(b)
    return {
        "==": a == b,
        "!=": a != b,
        "<": a < b,
        "<=": a <= b,
        ">": a > b,
        ">=": a >= b,
    }[operator]


def _moment(text: str, beside: Any) -> Any:
    if isinstance(beside, dt.time):
        return dt.time.fromisoformat(text)
    found = dt.datetime.fromisoformat(text)
    zone = beside.tzinfo if isinstance(beside, dt.datetime) else None
    return found.replace(tzinfo=zone) if found.tzinfo is None else found


def _instant(value: Any) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)
    return value if value.tzinfo is None else value.astimezone(dt.UTC)  # one zone alone compares by the wall clock


def _number(value: Any) -> Any:
    if isinstance(value, InJson):
        return float(value.found) if _kind(value.found) is float and not isinstance(value.found, bool) else None
    return int(value) if isinstance(value, bool) else value


def whole(value: Any) -> Any:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise Undefined("a whole number beyond 64 bits")
    return value


def arithmetic(operator: str, a: Any, b: Any) -> Any:
    a, b = _number(a), _number(b)
    if a is None or b is None:
        return None
    if isinstance(a, float) or isinstance(b, float) or operator == "/":
        a, b = float(a), float(b)
    match operator:
        case "+":
            return whole(a + b)
        case "-":
            return whole(a - b)
        case "*":
            return whole(a * b)
        case "/":
            if b == 0:
                return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
            return a / b
        case "%":
            if isinstance(a, float):
                return math.nan if b == 0 or math.isinf(a) else math.fmod(a, b)
            return None if b == 0 else abs(a) % abs(b) * (1 if a >= 0 else -1)
    raise AssertionError(operator)


def like(text: Any, pattern: str, ignore_case: bool) -> bool | None:
    """The whole text; `*` and `%` any run, `?` one character."""
    if isinstance(text, InJson):
        text = text.like("")
    if text is None:
        return None
    regex = "".join({"*": ".*", "%": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(regex, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _index(node: Node, of: Callable[[Node], Any]) -> Any:
    if isinstance(node, nodes.Slice):
        return slice(*(None if bound is None else of(bound) for bound in (node.start, node.stop, node.step)))
    return of(node)


def subscript(value: Any, indices: list[Any]) -> Any:
    if isinstance(value, (str, InJson)):
        return in_json(value, indices[0])
    if not isinstance(value, Items):
        return None if value is None else value[indices[0]]  # a struct
    first, rest = indices[0], indices[1:]
    if isinstance(first, slice):
        if value.items is None:
            return Items(None, value.depth)
        items = value.items[first]
        return Items(tuple(subscript(item, rest) for item in items) if rest else items, value.depth - _dropped(rest))
    inside = value.items is not None and first is not None and -len(value.items) <= first < len(value.items)
    item = value.items[first] if inside else Items(None, value.depth - 1) if value.depth > 1 else None
    return subscript(item, rest) if rest else item


def in_json(value: Any, at: str | int) -> InJson | None:
    found = value.found if isinstance(value, InJson) else _parsed(value)
    if isinstance(at, str):
        found = found.get(at) if isinstance(found, dict) else None
    else:
        found = found[at] if isinstance(found, list) and -len(found) <= at < len(found) else None
    return None if found is None else InJson(found)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def keys(value: Any) -> Items:
    found = value.found if isinstance(value, InJson) else _parsed(value) if isinstance(value, str) else value
    return Items(tuple(found) if isinstance(found, dict) else None, 1)


def _dropped(indices: list[Any]) -> int:
    return sum(not isinstance(index, slice) for index in indices)


def contains(value: Any, item: Any) -> bool | None:
    """Null where either is null; null elements equal nothing."""
    if value is None or item is None or (isinstance(value, Items) and value.items is None):
        return None
    if isinstance(value, str):
        return item in value
    return any(compare("==", element, item) is True for element in value.items)


def split(value: str | InJson | None, separator: str) -> Items:
    text = value.like("") if isinstance(value, InJson) else value
    return Items(None if text is None else tuple(text.split(separator)) if text else (), 1)


def fold(value: Any, rule: Callable[[list[bool]], bool]) -> bool | None:
    if not isinstance(value, Items):
        return truth(value)
    found = value.flat()
    return None if found is None else rule([truth(item) is True for item in found])


def shape(value: Items) -> Items:
    if value.items is None:
        return Items((None,) * value.depth, 1)
    below = shape(value.items[0]).items if value.depth > 1 and value.items else (None,) * (value.depth - 1)
    return Items((len(value.items), *below), 1)


def _of_number(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: each_element(lambda each: None if _number(each) is None else rule(_number(each)), value)


def reduction(
    fold: Callable[[list[Any]], Any], empty: Any, number: Callable[[Any], Any] = lambda value: value
) -> Callable[[Any], Any]:
    """A rule of all elements but nulls, flattened; of a scalar as of a list that holds it."""

    def rule(value: Any) -> Any:
        if not isinstance(value, Items):
            value = Items(None if _number(value) is None else (_number(value),), 1)
        found = value.flat()
        if found is None:
            return None
        found = [number(each) for each in found if each is not None]
        return whole(fold(found)) if found else empty

    return rule


def extreme(fold: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def choose(found: list[Any]) -> Any:
        return math.nan if any(isinstance(each, float) and math.isnan(each) for each in found) else fold(found)

    return lambda value: reduction(choose, value.zero if isinstance(value, Items) else None)(value)


def of_two_lists(rule: Callable[[list[Any], list[Any]], Any]) -> Callable[[Items, Items], Any]:
    """Null where a list is null, holds null, or is longer than the other."""

    def checked(a: Items, b: Items) -> Any:
        left, right = a.flat(), b.flat()
        if left is None or right is None or len(left) != len(right) or None in left or None in right:
            return None
        return rule(left, right)

    return checked


def dot(a: list[Any], b: list[Any]) -> Any:
    return whole(sum(_number(x) * _number(y) for x, y in zip(a, b, strict=True)))


def cosine(a: list[Any], b: list[Any]) -> float:
    lengths = math.sqrt(dot(a, a)) * math.sqrt(dot(b, b))
    return dot(a, b) / lengths if lengths else math.nan


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "amax": extreme(max),
    "amin": extreme(min),
    "avg": reduction(lambda found: sum(found) / len(found), 0.0, float),
    "cosine_similarity": of_two_lists(cosine),
    "dot": of_two_lists(dot),
    "hamming_distance": of_two_lists(lambda a, b: sum(x != y for x, y in zip(a, b, strict=True))),
    "keys": keys,
    "l1_norm": reduction(lambda found: sum(map(abs, found)), 0.0, float),
    "l2_norm": reduction(lambda found: math.sqrt(sum(each * each for each in found)), 0.0, float),
    "linf_norm": reduction(lambda found: math.nan if any(map(math.isnan, found)) else max(map(abs, found)), 0.0, float),
    "nonzero": lambda value: Items(
        None if value.items is None else tuple(at for at, each in enumerate(value.items) if truth(each)), 1
    ),
    "prod": reduction(math.prod, 1, _number),
    "sum": reduction(sum, 0, _number),
    "abs": _of_number(lambda number: whole(abs(number))),
    "sqrt": _of_number(lambda number: math.sqrt(number) if number >= 0 else math.nan),
    "any": lambda value: fold(value, any),
    "all": lambda value: fold(value, all),
    "all_strict": lambda value: fold(value, lambda found: bool(found) and all(found)),
    "contains": contains,
    "logical_and": lambda a, b: each_element(conjunction, a, b),
    "logical_or": lambda a, b: each_element(disjunction, a, b),
    "shape": shape,
    "split": split,
}
