"""Translate samplers to Spark columns if Spark computes exactly the weights of Polars; else name the reason.

A sampler is translated as a whole or not at all. It was compiled for Polars before, so it is valid. If the two engines
differ only in NaN, null or overflow, the column has the value of Polars; if they may differ in other ways, there is no
rule here. `native` draws rows by these weights.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - as everyone does
from pyspark.sql import types as spark_types
from pyspark.sql.types import DataType, StructType

from tql_frames.compiler import CompiledSampler
from tql_frames.compiler.expressions.moments import NANOSECONDS, TOO_FINE
from tql_frames.errors import lone_surrogate
from tql_frames.language import nodes, on_one_line, unparse
from tql_frames.language.nodes import Node, written

_MOST_ITEMS = 1_000  # items of an `in`; each is a constant of the plan
_MOST_COMPARED = 50  # items of an `in` that are compared one by one
_MOST_CHAINED = 16  # operands that Polars, too, adds from left to right
_MOST_TERMS = 2_000  # nodes of a sampler, since Java does not compile longer methods
_SHOWN = 60  # characters of the part of a sampler in a reason
_INT64 = -(2**63), 2**63 - 1
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_COMPARE: dict[str, Callable[[Column, Column], Column]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_WHOLE: dict[str, Callable[[Column, Column], Column]] = {
    "+": F.try_add,
    "-": F.try_subtract,
    "*": F.try_multiply,
}
_REAL: dict[str, Callable[[Column, Column], Column]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}
_INTEGERS = spark_types.ByteType, spark_types.ShortType, spark_types.IntegerType, spark_types.LongType
_ELEMENTS = {"int", "text"}


class NotNativeError(Exception):
    """A part of a sampler whose value in Spark may differ from that in Polars."""

    def __init__(self, node: Node, why: str = "Spark has no rule for it") -> None:
        """Build the message from the part and the reason."""
        text = on_one_line(unparse(node))
        super().__init__(f"{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}: {why}")


@dataclass(frozen=True)
class NativeWeights:
    """The weights of a sampler as a Spark column.

    Attributes:
        values: for each row the number of its weight, of type smallint and never null; or the weight itself, of type
            double, null as 0.
        levels: weight of each number, shape (m,); None if `values` are the weights themselves.
        deciding: which arms decide the rows of a number, shape (m, arms); None if not known.
        conditions: condition of each arm, true for the rows that the arm matches.
    """

    values: Column
    levels: NDArray[np.float64] | None = None
    deciding: NDArray[np.bool_] | None = None
    conditions: tuple[Column, ...] = ()

    @property
    def weight(self) -> Column:
        """The weight of each row, double."""
        if self.levels is None:
            return self.values
        return F.get(F.array(*map(F.lit, self.levels.tolist())), self.values.cast("int"))


def native_weights(sampler: object, schema: StructType, zone: str, name_of: Callable[[int], str]) -> NativeWeights:
    """Translate a sampler that was compiled for the frame.

    Args:
        sampler: compiled TQL; another sampler raises an error.
        schema: schema of the frame.
        zone: time zone of the session.
        name_of: position of a column in the frame -> its name in the result.

    Raises:
        NotNativeError: the value of a part in Spark may differ from that in Polars.
    """
    if not isinstance(sampler, CompiledSampler):
        raise NotNativeError(nodes.Literal("expr"), "it is a Polars expression")
    tree, constant = sampler.tree, sampler.constant_weights
    if sum(1 for _ in tree.walk()) > _MOST_TERMS:
        raise NotNativeError(tree, "it is too long")
    translator = _Translator(schema, zone, name_of)
    if not isinstance(tree, nodes.WeightChoice):
        return NativeWeights(translator.weight(tree))
    if constant is None:
        raise NotNativeError(tree, "its weights are not all constants, or they are many")
    if constant.cases is None or constant.deciding is None:
        raise NotNativeError(tree, "it has many arms")
    conditions = tuple(F.coalesce(translator.truth(arm.condition), F.lit(False)) for arm in tree.arms)
    number: Column
    if tree.name == "sum_weight":
        number = F.lit(0)
        for place, bit in constant.cases:
            number = number + F.when(conditions[place], F.lit(bit)).otherwise(F.lit(0))
    else:
        number = F.lit(0)
        chosen: Any = F
        for place, each in reversed(constant.cases):  # the first `when` that is true decides
            chosen = chosen.when(conditions[place], F.lit(each))
        number = chosen.otherwise(F.lit(0)) if constant.cases else number
    deciding = np.asarray(constant.deciding, np.bool_)
    return NativeWeights(number.cast("smallint"), constant.weights, deciding, conditions)


@dataclass(frozen=True)
class _Typed:
    """A translated node.

    Attributes:
        node: the node.
        column: its value in each row.
        kind: kind of the value: int (as bigint), double, float, bool, text, date, moment, instant, decimal, array; or
            other, for a value that can only be tested for null.
        constant: the value of a constant; None otherwise.
        dtype: the Spark type of a column of the frame; None otherwise.
    """

    node: Node
    column: Column
    kind: str
    constant: int | float | str | bool | None = None
    dtype: DataType | None = None


class _Translator:
    """A translator of nodes for one frame."""

    def __init__(self, schema: StructType, zone: str, name_of: Callable[[int], str]) -> None:
        self._schema, self._zone, self._name_of = schema, zone, name_of

    def weight(self, node: Node) -> Column:
        """Return a weight as a column of type double, null as 0."""
        value = self.translate(node)
        if value.kind not in ("int", "double", "float", "bool") or value.constant is not None:
            raise NotNativeError(node, f"a weight of the kind {value.kind} is converted in other ways")
        whole = value.column.cast("int") if value.kind == "bool" else value.column
        return F.coalesce(whole.cast("double"), F.lit(0.0))

    def truth(self, node: Node) -> Column:
        """Return a condition as a column of true, false or null."""
        value = self.translate(node)
        if value.kind == "bool":
            return value.column
        if value.kind in ("int", "double") and value.constant is None:
            return value.column != F.lit(0)
        raise NotNativeError(node, "it is no plain condition")

    def translate(self, node: Node) -> _Typed:
        """Translate a node by the rule for its class."""
        rule = _RULES.get(type(node))
        if rule is None:
            raise NotNativeError(node)
        found: _Typed = rule(self, node)
        return found

    def _literal(self, node: nodes.Literal) -> _Typed:
        value = node.value
        match value:
            case bool():
                return _Typed(node, F.lit(value), "bool", value)
            case int() if _INT64[0] <= value <= _INT64[1]:
                return _Typed(node, F.lit(value).cast("bigint"), "int", value)
            case float() if math.isfinite(value):
                return _Typed(node, F.lit(float(value)), "double", value)
            case str() if lone_surrogate(value) is None and "\0" not in value:
                return _Typed(node, F.lit(value), "text", value)
        raise NotNativeError(node, "Spark has no such constant")

    def _column(self, node: nodes.Column) -> _Typed:
        places = [place for place, field in enumerate(self._schema.fields) if field.name == node.name]
        if node.frame is not None or len(places) != 1:
            raise NotNativeError(node, "it is no name of one column")
        dtype = self._schema.fields[places[0]].dataType
        column, kind = F.col(self._name_of(places[0])), _kind_of(dtype)
        return _Typed(node, column.cast("bigint") if kind == "int" else column, kind, None, dtype)

    def _negative(self, node: nodes.Negative) -> _Typed:
        value = self.translate(node.operand)
        if value.constant is not None:
            number = value.constant
            if isinstance(number, (bool, str)) or number == _INT64[0]:
                raise NotNativeError(node)
            if isinstance(number, float):
                return _Typed(node, F.lit(-float(number)), "double", -number)
            return _Typed(node, F.lit(-number).cast("bigint"), "int", -number)
        if value.kind == "double":
            return _Typed(node, -value.column, "double")
        if value.kind == "int":
            return _Typed(node, F.try_subtract(F.lit(0).cast("bigint"), value.column), "int")
        raise NotNativeError(node)

    def _positive(self, node: nodes.Positive) -> _Typed:
        value = self.translate(node.operand)
        if value.kind not in ("int", "double"):
            raise NotNativeError(node)
        return value

    def _arithmetic(self, node: nodes.Arithmetic) -> _Typed:
        return self._calculated(node, node.operator, self.translate(node.left), self.translate(node.right))

    def _chain(self, node: nodes.Chain) -> _Typed:
        if len(node.operands) > _MOST_CHAINED:
            raise NotNativeError(node, "so many numbers are added in another order")
        total = self.translate(node.operands[0])
        for operator, operand in zip(node.operators, node.operands[1:], strict=True):
            total = self._calculated(node, operator, total, self.translate(operand))
        return total

    def _calculated(self, node: Node, operator: str, left: _Typed, right: _Typed) -> _Typed:
        if left.constant is not None and right.constant is not None:
            raise NotNativeError(node, "it is a constant that is calculated")
        a, b = _number(left), _number(right)
        divisor = right.constant
        if operator in "/%" and (divisor is None or isinstance(divisor, str) or not divisor):
            raise NotNativeError(node, "Spark refuses to divide by 0")
        if operator == "%":
            if {a.kind, b.kind} != {"int"}:
                raise NotNativeError(node, "fractions have other remainders")
            return _Typed(node, a.column % b.column, "int")
        if operator != "/" and a.kind == b.kind == "int":
            return _Typed(node, _WHOLE[operator](a.column, b.column), "int")
        return _Typed(node, _REAL[operator](a.column.cast("double"), b.column.cast("double")), "double")

    def _comparison(self, node: nodes.Comparison) -> _Typed:
        return self._compared(node, node.operator, self.translate(node.left), self.translate(node.right))

    def _compared(self, node: Node, operator: str, left: _Typed, right: _Typed) -> _Typed:
        if left.constant is not None:
            if right.constant is not None:
                raise NotNativeError(node, "it compares constants")
            left, right, operator = right, left, _MIRROR.get(operator, operator)
        found = self._against(node, operator, left, right) if right.constant is not None else None
        if found is None and right.constant is None:
            found = _columns_compared(operator, left, right)
        if found is None:
            raise NotNativeError(node, f"Spark compares {left.kind} with {right.kind} in another way")
        return _Typed(node, found, "bool")

    def _against(self, node: Node, operator: str, value: _Typed, constant: _Typed) -> Column | None:
        """Return the comparison of a value with a constant; None if there is no rule."""
        number, compare = constant.constant, _COMPARE[operator]
        match value.kind, number:
            case "int" | "bool", int() if not isinstance(number, bool):
                return compare(_number(value).column, constant.column)
            case "bool", bool():
                return compare(value.column, constant.column)
            case "int", float():
                return _whole_against(operator, value.column, number)
            case "double", int() | float() if not isinstance(number, bool):
                found = compare(value.column, F.lit(float(number)))
                # In Spark NaN is greater than all numbers, in TQL neither less nor greater.
                return found & ~F.isnan(value.column) if operator in (">", ">=") else found
            case "decimal", int() | float() if not isinstance(number, bool):
                assert isinstance(value.dtype, spark_types.DecimalType)
                digits = Fraction(written(number)) * 10**value.dtype.scale
                if digits.denominator != 1 or abs(digits) >= 10**value.dtype.precision:
                    return None
                text = f"{written(number):f}"
                return compare(value.column, F.lit(text).cast(value.dtype))
            case "text", str():
                return compare(value.column, constant.column)
            case "date" | "moment" | "instant", str():
                stamp = _stamp(node, number)
                if value.kind == "date":
                    midnight = stamp.tzinfo is None and stamp.time() == dt.time()
                    # As text, since dates of Java follow another calendar before 1582.
                    day = F.lit(stamp.date().isoformat()).cast("date")
                    return compare(value.column, day) if midnight else None
                if value.kind == "moment":
                    literal = F.lit(stamp.isoformat(" ")).cast("timestamp_ntz")
                    return None if stamp.tzinfo is not None else compare(value.column, literal)
                micros = F.lit(self._instant(node, stamp)).cast("bigint")
                return compare(F.unix_micros(value.column), micros)
        return None

    def _instant(self, node: Node, stamp: dt.datetime) -> int:
        """Return microseconds since 1970 in UTC; a time without a zone is in the time zone of the session."""
        try:
            aware = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=ZoneInfo(self._zone))
            return (aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
        except (ValueError, KeyError, OSError, OverflowError):
            raise NotNativeError(node, "its time zone is not known") from None

    def _not(self, node: nodes.Not) -> _Typed:
        return _Typed(node, ~self.truth(node.operand), "bool")

    def _and(self, node: nodes.And) -> _Typed:
        found = self.truth(node.operands[0])
        for each in node.operands[1:]:
            found = found & self.truth(each)
        return _Typed(node, found, "bool")

    def _or(self, node: nodes.Or) -> _Typed:
        found = self.truth(node.operands[0])
        for each in node.operands[1:]:
            found = found | self.truth(each)
        return _Typed(node, found, "bool")

    def _in(self, node: nodes.In) -> _Typed:
        operand = self.translate(node.operand)
        if operand.constant is not None:
            raise NotNativeError(node, "it looks for a constant")
        given = node.items[0].constants() if isinstance(node.items[0], nodes.Values) else None
        if len(node.items if given is None else given) > _MOST_ITEMS:
            raise NotNativeError(node, "its values are too many")
        values = [_value_of(each) for each in node.items] if given is None else given
        known = [each for each in values if each is not None]
        kinds = {type(each) for each in known}
        if kinds == {int} and operand.kind == "int" and all(_INT64[0] <= int(each) <= _INT64[1] for each in known):
            found = operand.column.isin([F.lit(each).cast("bigint") for each in known])
        elif kinds == {str} and operand.kind == "text":
            found = operand.column.isin([self.translate(nodes.Literal(each)).column for each in known])
        elif known and len(known) <= _MOST_COMPARED:
            items = [self._literal(nodes.Literal(each)) for each in known]
            found = self._compared(node, "==", operand, items[0]).column
            for each in items[1:]:
                found = found | self._compared(node, "==", operand, each).column
        else:
            raise NotNativeError(node, "its values are of kinds that Spark compares in another way")
        if len(known) < len(values):
            found = found | F.lit(None).cast("boolean")
        return _Typed(node, ~found if node.negated else found, "bool")

    def _between(self, node: nodes.Between) -> _Typed:
        operand, low, high = (self.translate(each) for each in (node.operand, node.low, node.high))
        above = self._compared(node, ">=", operand, low).column
        found = above & self._compared(node, "<=", operand, high).column
        return _Typed(node, ~found if node.negated else found, "bool")

    def _like(self, node: nodes.Like) -> _Typed:
        operand, pattern = self.translate(node.operand), self.translate(node.pattern)
        if node.ignore_case:
            raise NotNativeError(node, "Java has other rules for upper and lower case")
        if operand.kind != "text" or operand.constant is not None or not isinstance(pattern.constant, str):
            raise NotNativeError(node)
        signs = {"*": "%", "%": "%", "?": "_", "\\": "\\\\", "_": "\\_"}
        found = operand.column.like("".join(signs.get(char, char) for char in pattern.constant))
        return _Typed(node, ~found if node.negated else found, "bool")

    def _is_null(self, node: nodes.IsNull) -> _Typed:
        value = self.translate(node.operand)
        if value.constant is not None:
            raise NotNativeError(node, "it tests a constant")
        return _Typed(node, value.column.isNotNull() if node.negated else value.column.isNull(), "bool")

    def _call(self, node: nodes.Call) -> _Typed:
        if node.name != "contains" or len(node.arguments) != 2:
            raise NotNativeError(node)
        container, item = map(self.translate, node.arguments)
        if item.constant is None or container.constant is not None:
            raise NotNativeError(node, "it looks for another column")
        if container.kind == "text" and isinstance(item.constant, str):
            return _Typed(node, F.contains(container.column, item.column), "bool")
        if not isinstance(container.dtype, spark_types.ArrayType):
            raise NotNativeError(node)
        element = container.dtype.elementType
        kind = _kind_of(element)
        if kind not in _ELEMENTS or kind != item.kind or not _fits(item.constant, element):
            raise NotNativeError(node, f"Spark looks for {item.kind} among {kind} in another way")
        # For an array that has a null but not the value, Spark returns null, and TQL false.
        found = F.coalesce(F.array_contains(container.column, item.column.cast(element)), F.lit(False))
        return _Typed(node, F.when(container.column.isNotNull(), found), "bool")


def _kind_of(dtype: DataType) -> str:
    match dtype:
        case spark_types.StringType():
            plain = type(dtype) is spark_types.StringType and dtype == spark_types.StringType()
            return "text" if plain else "other"
        case spark_types.ArrayType():
            return "array"
    if isinstance(dtype, _INTEGERS):
        return "int"
    return _KINDS.get(type(dtype), "other")


_KINDS: Mapping[type[DataType], str] = {
    spark_types.DoubleType: "double",
    spark_types.FloatType: "float",
    spark_types.BooleanType: "bool",
    spark_types.DateType: "date",
    spark_types.TimestampNTZType: "moment",
    spark_types.TimestampType: "instant",
    spark_types.DecimalType: "decimal",
}


def _number(value: _Typed) -> _Typed:
    """Return a value as a bigint or double for arithmetic; true is 1."""
    if value.kind == "bool" and value.constant is None:
        return _Typed(value.node, value.column.cast("bigint"), "int")
    if value.kind not in ("int", "double"):
        raise NotNativeError(value.node, f"Spark calculates with {value.kind} in another way")
    return value


def _columns_compared(operator: str, left: _Typed, right: _Typed) -> Column | None:
    """Return the comparison of two columns; None if there is no rule."""
    compare = _COMPARE[operator]
    if left.kind == right.kind and left.kind in ("int", "bool", "text", "date", "moment", "instant"):
        return compare(left.column, right.column)
    if {left.kind, right.kind} == {"int", "bool"}:
        return compare(_number(left).column, _number(right).column)
    if not {left.kind, right.kind} <= {"int", "double"}:
        return None
    a, b = (each.column.cast("double") for each in (left, right))
    known = a.isNotNull() & b.isNotNull()
    numbers = F.when(F.isnan(a) | F.isnan(b), F.lit(operator == "!=")).otherwise(compare(a, b))
    return F.when(known, numbers)


def _whole_against(operator: str, column: Column, number: float) -> Column | None:
    """Return the comparison of a bigint with a number as written; None if the result is the same for all bigints."""
    exact = Fraction(written(number))
    limit = exact.numerator // exact.denominator
    if not _INT64[0] <= limit <= _INT64[1]:
        return None
    if limit != exact:
        if operator in ("==", "!="):
            return None
        operator = "<=" if operator in ("<", "<=") else ">"
    return _COMPARE[operator](column, F.lit(limit).cast("bigint"))


def _stamp(node: Node, word: str) -> dt.datetime:
    if TOO_FINE.search(word) or NANOSECONDS.search(word):
        raise NotNativeError(node, "Spark has no nanoseconds")
    return dt.datetime.fromisoformat(word)


def _value_of(node: Node) -> Any:
    """Return the value of a constant, None for null."""
    if isinstance(node, nodes.Negative) and isinstance(node.operand, nodes.Literal):
        number = node.operand.value
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            return -number
    if not isinstance(node, nodes.Literal):
        raise NotNativeError(node, "it is no constant")
    return node.value


def _fits(value: object, dtype: DataType) -> bool:
    bits = {spark_types.ByteType: 8, spark_types.ShortType: 16, spark_types.IntegerType: 32}.get(type(dtype), 64)
    return not isinstance(value, int) or -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)


_RULES: Mapping[type[Node], Callable[[_Translator, Any], _Typed]] = {
    nodes.Literal: _Translator._literal,
    nodes.Column: _Translator._column,
    nodes.Negative: _Translator._negative,
    nodes.Positive: _Translator._positive,
    nodes.Arithmetic: _Translator._arithmetic,
    nodes.Chain: _Translator._chain,
    nodes.Comparison: _Translator._comparison,
    nodes.Not: _Translator._not,
    nodes.And: _Translator._and,
    nodes.Or: _Translator._or,
    nodes.In: _Translator._in,
    nodes.Between: _Translator._between,
    nodes.Like: _Translator._like,
    nodes.IsNull: _Translator._is_null,
    nodes.Call: _Translator._call,
}
