"""Text to tree: lark's LALR parser builds our nodes as it goes, and its errors become ours.

It leaves the meaning of names and types to the compiler. Nothing here recurses over the input, so no nesting
can exhaust the stack while a text is read; trees deeper than `MAX_DEPTH` are refused for the stages that do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NoReturn

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from tql_frames.errors import Fault, Span, TQLSyntaxError, TQLUnsupportedError
from tql_frames.language import tree
from tql_frames.language.tree import Node

MAX_DEPTH = 100  # levels; Polars walks expressions recursively, and its optimizer is quadratic in depth
MAX_LENGTH = 1_000_000  # characters; 8 to 20 seconds of parsing, by what they say

_COMPARISONS = {"=": "==", "<>": "!="}

# What may follow, in the user's words. Terminals that start a value are told as one.
_VALUE_STARTS = frozenset(["NUMBER", "STRING", "TRUE", "FALSE", "NULL", "NAME", "QUOTED", "LPAR", "MINUS", "NOT"])
_WORDS = {
    "RPAR": "')'",
    "RSQB": "']'",
    "LPAR": "'('",
    "COMMA": "','",
    "COLON": "':'",
    "$END": "the end",
    "AND": "'and'",
    "IN": "'in'",
    "BETWEEN": "'between'",
    "LIKE": "'like'",
    "NULL": "'null'",
    "NOT": "'not'",
}
_FOREIGN = {
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=` for unequal",
    "`": "write a column name in double quotes",
    ";": "a sampler is one expression and needs no ';'",
    "?": "parameters are not known in a sampler",
    "'": "a text opened here is not closed; a quote inside a text is written twice",
    '"': "a column name opened here is not closed",
    "‘": "a text stands between straight quotes: '…'",
    "“": 'a column name stands between straight quotes: "…"',
    "{": "put values into the text before it is passed on",
}


@lru_cache(maxsize=512)
def parse(text: str) -> Node:
    """Read a sampler into its tree.

    Args:
        text: a weight choice, `max_weight(condition: weight, …)` or `sum_weight(…)`, or any expression.

    Raises:
        TQLSyntaxError: the text is not TQL, longer than 1,000,000 characters, or nested deeper than 100 levels.
        TQLUnsupportedError: the text holds a clause of whole statements, such as SELECT or LIMIT.

    Example:
        >>> parse("max_weight(age > 60: 2, True: 1)").arms[0].condition
        Comparison(operator='>', left=Column(name='age'), right=Literal(value=60))
    """
    if len(text) > MAX_LENGTH:
        raise TQLSyntaxError(
            f"the text is {len(text):,} characters long; at most {MAX_LENGTH:,} are read",
            source=text,
            span=Span(MAX_LENGTH, len(text)),
            hint="put the values into a column of the frame and name that column",
        )
    try:
        found = _lark().parse(text)
    except Fault as fault:
        raise fault.error(text) from None
    except VisitError as wrapped:
        if isinstance(wrapped.orig_exc, Fault):
            raise wrapped.orig_exc.error(text) from None
        raise
    except UnexpectedInput as unexpected:
        raise _syntax_error(unexpected, text) from None
    assert isinstance(found, Node)
    return found


def _span(parts: list[Any]) -> Span:
    present = [_span_of(part) for part in parts if part is not None]
    return Span(present[0].start, present[-1].stop)


def _span_of(part: Node | Token) -> Span:
    if isinstance(part, Node):
        return part.span
    assert part.start_pos is not None and part.end_pos is not None
    return Span(part.start_pos, part.end_pos)


def _checked(node: Node) -> Node:
    if node.depth > MAX_DEPTH:
        raise Fault(
            TQLSyntaxError,
            f"the expression is nested deeper than {MAX_DEPTH} levels",
            node.span,
            "join conditions by and/or without parentheses, or add weights with sum_weight(…)",
        )
    return node


def _nodes(parts: list[Any]) -> tuple[Node, ...]:
    return tuple(part for part in parts if isinstance(part, Node))


def _has(parts: list[Any], terminal: str) -> bool:
    return any(isinstance(part, Token) and part.type == terminal for part in parts)


def _lower(name: Token) -> str:
    # Some letters of other alphabets become two in lower case, of which the second is no letter.
    return str(name).lower() if name.isascii() else str(name)


Parts = list[Any]


class _Builder(Transformer[Token, Node]):
    """One method a grammar rule: the parts lark matched, in order and with every token, to one of our nodes."""

    def start(self, parts: Parts) -> Node:
        return parts[0]  # type: ignore[no-any-return]

    def disjunction(self, parts: Parts) -> Node:
        return _checked(tree.Or(_nodes(parts), span=_span(parts)))

    def conjunction(self, parts: Parts) -> Node:
        return _checked(tree.And(_nodes(parts), span=_span(parts)))

    def negation(self, parts: Parts) -> Node:
        return _checked(tree.Not(parts[1], span=_span(parts)))

    def comparison(self, parts: Parts) -> Node:
        left, operator, right = parts
        operator = _COMPARISONS.get(str(operator), str(operator))
        return _checked(tree.Comparison(operator, left, right, span=_span(parts)))

    def membership(self, parts: Parts) -> Node:
        operand, *items = _nodes(parts)
        return _checked(tree.In(operand, tuple(items), _has(parts, "NOT"), span=_span(parts)))

    def range(self, parts: Parts) -> Node:
        operand, low, high = _nodes(parts)
        return _checked(tree.Between(operand, low, high, _has(parts, "NOT"), span=_span(parts)))

    def pattern(self, parts: Parts) -> Node:
        operand, pattern = _nodes(parts)
        negated, ignore_case = _has(parts, "NOT"), _has(parts, "ILIKE")
        return _checked(tree.Like(operand, pattern, negated, ignore_case, span=_span(parts)))

    def null_test(self, parts: Parts) -> Node:
        return _checked(tree.IsNull(parts[0], _has(parts, "NOT"), span=_span(parts)))

    def arithmetic(self, parts: Parts) -> Node:
        left, operator, right = parts
        return _checked(tree.Arithmetic(str(operator), left, right, span=_span(parts)))

    def negative(self, parts: Parts) -> Node:
        return _checked(tree.Negative(parts[1], span=_span(parts)))

    def subscript(self, parts: Parts) -> Node:
        operand, *indices = _nodes(parts)
        return _checked(tree.Subscript(operand, tuple(indices), span=_span(parts)))

    def slice(self, parts: Parts) -> Node:
        # [expression] COLON [expression] [COLON [expression]]: absent parts come as None
        bounds = [part for part in parts if not isinstance(part, Token)] + [None]
        start, stop, step = bounds[:3]
        return _checked(tree.Slice(start, stop, step, span=_span(parts)))

    def group(self, parts: Parts) -> Node:
        return parts[1].at(_span(parts))  # type: ignore[no-any-return]

    def arm(self, parts: Parts) -> Node:
        return _checked(tree.Arm(parts[0], parts[2], span=_span(parts)))

    def call(self, parts: Parts) -> Node:
        name = _lower(parts[0])
        return _checked(tree.Call(name, _nodes(parts), _span_of(parts[0]), span=_span(parts)))

    def weight_choice(self, parts: Parts) -> Node:
        name = _lower(parts[0])
        arms = tuple(part for part in parts if isinstance(part, tree.Arm))
        return _checked(tree.WeightChoice(name, arms, _span_of(parts[0]), span=_span(parts)))

    def number(self, parts: Parts) -> Node:
        digits, span = str(parts[0]), _span(parts)
        if digits.isdecimal():
            # The length is looked at first: Python refuses to convert thousands of digits.
            if len(digits.lstrip("0")) > 20 or int(digits) >= 2**64:
                raise Fault(
                    TQLSyntaxError, "the number does not fit into 64 bits", span, "write it with a decimal point"
                )
            return tree.Literal(int(digits), span=span)
        value = float(digits)
        if math.isinf(value):
            raise Fault(TQLSyntaxError, "the number is too large for a float", span)
        return tree.Literal(value, span=span)

    def text(self, parts: Parts) -> Node:
        return tree.Literal(str(parts[0])[1:-1].replace("''", "'"), span=_span(parts))

    def true(self, parts: Parts) -> Node:
        return tree.Literal(True, span=_span(parts))

    def false(self, parts: Parts) -> Node:
        return tree.Literal(False, span=_span(parts))

    def null(self, parts: Parts) -> Node:
        return tree.Literal(None, span=_span(parts))

    def column(self, parts: Parts) -> Node:
        token = parts[0]
        name = str(token)[1:-1].replace('""', '"') if token.type == "QUOTED" else str(token)
        return tree.Column(name, span=_span(parts))


def _refuse_statement_word(token: Token) -> Token:
    """Called for each name as it is read: a word of whole statements cannot be a bare column."""
    word = str(token)
    if word.lower() not in tree.STATEMENT_WORDS:
        return token
    hint = f'for a column of that name write "{word}" in double quotes'
    if word.lower() in ("select", "sample"):
        hint = "give only what follows SAMPLE BY, such as max_weight(…)"
    elif word.lower() in ("limit", "order", "where"):
        arguments = {"limit": "pass limit=…", "order": "pass order=…", "where": "filter the frame first"}
        hint = f"{arguments[word.lower()]}; {hint}"
    raise Fault(TQLUnsupportedError, f"a sampler has no {word.upper()} clause", _span_of(token), hint)


@cache
def _lark() -> Lark:
    # Built at first use: it takes about 0.1 s, which an import should not.
    callbacks: dict[str, Callable[[Token], Token]] = {"NAME": _refuse_statement_word}
    return Lark(
        files("tql_frames.language").joinpath("grammar.lark").read_text(encoding="utf-8"),
        parser="lalr",
        lexer="basic",  # a keyword is a keyword everywhere, so that no typing slip turns it into a column
        transformer=_Builder(),
        lexer_callbacks=callbacks,
        keep_all_tokens=True,
        maybe_placeholders=True,
    )


def _syntax_error(unexpected: UnexpectedInput, text: str) -> TQLSyntaxError:
    if isinstance(unexpected, UnexpectedCharacters):
        at = unexpected.pos_in_stream or 0
        stop = len(text) if text[at] in "'\"" else at + 1
        hint = _FOREIGN.get(text[at])
        what = "unclosed quote" if text[at] in "'\"" else f"unexpected character {text[at]!r}"
        return TQLSyntaxError(what, source=text, span=Span(at, stop), hint=hint)
    if isinstance(unexpected, UnexpectedToken):
        token = unexpected.token
        hint = f"expected {_expected(unexpected.accepts or unexpected.expected)}"
        if str(token).lower() == "replace":  # pasted with the rest of a statement; a fine name for a column elsewhere
            hint = "pass replace=…"
        if token.type == "$END":
            what, span = "the text ends too early", Span(len(text), len(text))
        else:
            what, span = f"unexpected {str(token)[:40]!r}", _span_of(token)
        return TQLSyntaxError(what, source=text, span=span, hint=hint)
    _never(unexpected)


def _expected(terminals: set[str]) -> str:
    words = []
    left = set(terminals)
    if {"NUMBER", "STRING"} <= left:
        words.append("a value")
        left -= _VALUE_STARTS
    if "PLUS" in left:
        words.append("an operator")
        if "OR" in left:  # else `and` is the one of `between`
            left -= {"AND", "OR"}
        left -= {"PLUS", "MINUS", "STAR", "SLASH", "PERCENT", "COMPARE", "NOT", "IN", "BETWEEN"}
        left -= {"LIKE", "ILIKE", "IS", "LSQB", "LPAR"}
    words += sorted(_WORDS.get(terminal, f"'{terminal.lower()}'") for terminal in left)
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _never(unexpected: UnexpectedInput) -> NoReturn:
    raise AssertionError(f"lark raised {type(unexpected).__name__}") from unexpected
