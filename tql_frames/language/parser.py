"""Parse text to a tree: lark's LALR parser builds the nodes directly, and its errors become errors of TQL.

The compiler resolves names and types. Nothing here recurses over the input, so nesting cannot exhaust the stack while
a text is parsed; later stages do recurse, so trees deeper than `MAX_DEPTH` are an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import LexError, UnexpectedInput, VisitError

from tql_frames.errors import Fault, Span, TQLSyntaxError, TQLUnsupportedError, lone_surrogate
from tql_frames.language import keywords, nodes
from tql_frames.language.nodes import Node
from tql_frames.language.syntax_errors import syntax_error

MAX_DEPTH = 100  # levels; Polars walks expressions recursively, and its optimizer is quadratic in depth
MAX_LENGTH = 1_000_000  # characters; parsing takes up to 20 seconds, depending on the text

_FEW_DIGITS = 18  # digits that always fit into 64 bits
_LONG = 2_000  # characters from which `_Regular` is tried

_COMPARISONS = {"=": "==", "<>": "!="}


def parsed(text: str, start: str) -> Node:
    """Read a text into its tree.

    Args:
        text: TQL.
        start: kind of text: `"sampler"` or `"query"`.

    Raises:
        TQLError: the text is not of this kind.
    """
    if len(text) > MAX_LENGTH:
        raise TQLSyntaxError(
            f"the text is {len(text):,} characters long; at most {MAX_LENGTH:,} are read",
            source=text,
            span=Span(MAX_LENGTH, len(text)),
            hint="put the values into a column of the frame and name that column",
        )
    if (lone := lone_surrogate(text)) is not None:
        message = "half a surrogate pair is no character"
        raise TQLSyntaxError(message, source=text, span=Span(lone, lone + 1))
    regular = _Regular(text).read() if start == "sampler" and len(text) >= _LONG else None
    if regular is not None:
        return regular
    try:
        found = _lark(start).parse(text)
    except Fault as fault:
        raise fault.error(text) from None
    except VisitError as wrapped:
        if isinstance(wrapped.orig_exc, Fault):
            raise wrapped.orig_exc.error(text) from None
        raise
    except UnexpectedInput as unexpected:
        raise syntax_error(unexpected, text, start, lambda before: _accepted(before, start)) from None
    assert isinstance(found, Node)
    return found


class _IrregularError(Exception):
    """The text has a part that `_Regular` does not support."""


class _Regular:
    """Parser of long repetitive samplers, ten times as fast as lark.

    It supports weight choices with constant weights, whose conditions compare columns with constants, also by `in`.
    Lark parses all other texts, including those with errors.
    """

    _TOKEN = re.compile(
        r"[ \t\r\n\f]*"
        r"(?:([^\W\d]\w*)|([0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?)|('(?:[^']|'')*')|(==|!=|<>|<=|>=|[=<>(),:-]))"
    )
    _NAME, _NUMBER, _TEXT = 1, 2, 3

    def __init__(self, text: str) -> None:
        """Store the text; nothing is parsed yet."""
        self._text = text
        self._next = self._TOKEN.scanner(text).match  # type: ignore[attr-defined]

    def read(self) -> Node | None:
        """Return the tree; None if the text is not regular."""
        try:
            self._advance()
            name, name_span = self._token, Span(self._start, self._stop)
            self._check_name()
            self._advance()
            self._expect("(")
            arms = [self._arm()]
            while self._token == ",":
                self._advance()
                arms.append(self._arm())
            if self._token != ")" or self._text[self._stop :].strip(" \t\r\n\f"):
                return None
        except _IrregularError:
            return None
        lower = name.lower() if name.isascii() else name
        return nodes.WeightChoice(lower, tuple(arms), name_span, span=Span(name_span.start, self._stop))

    def _advance(self) -> None:
        found = self._next()
        if found is None:
            raise _IrregularError
        kind = found.lastindex
        token = found[kind]
        self._start, self._stop = found.span(kind)
        self._kind, self._token = kind, token
        self._word = token.lower() if kind == self._NAME else token

    def _expect(self, token: str) -> None:
        if self._token != token:
            raise _IrregularError
        self._advance()

    def _check_name(self) -> None:
        if self._kind != self._NAME or self._word in keywords.RESERVED or self._word in keywords.SOMETIMES:
            raise _IrregularError

    def _arm(self) -> nodes.Arm:
        condition = self._chain("or", nodes.Or, lambda: self._chain("and", nodes.And, self._test))
        self._expect(":")
        weight = self._constant()
        return nodes.Arm(condition, weight, span=Span(condition.span.start, weight.span.stop))

    def _chain(self, word: str, kind: type[nodes.Or] | type[nodes.And], operand: Callable[[], Node]) -> Node:
        first = operand()
        if self._word != word:
            return first
        operands = [first]
        while self._word == word:
            self._advance()
            operands.append(operand())
        return kind(tuple(operands), span=Span(first.span.start, operands[-1].span.stop))

    def _test(self) -> Node:
        if self._word == "true":
            return self._constant()
        self._check_name()
        column = nodes.Column(self._token, span=Span(self._start, self._stop))
        self._advance()
        negated = self._word == "not"
        if negated:
            self._advance()
        if self._word == "in":
            self._advance()
            self._expect("(")
            items = [self._constant()]
            while self._token == ",":
                self._advance()
                items.append(self._constant())
            span = Span(column.span.start, self._stop)
            self._expect(")")
            return nodes.In(column, tuple(items), negated, span=span)
        if negated or self._token[0] not in "=!<>":
            raise _IrregularError
        operator = self._token
        self._advance()
        right = self._constant()
        span = Span(column.span.start, right.span.stop)
        return nodes.Comparison(_COMPARISONS.get(operator, operator), column, right, span=span)

    def _constant(self) -> Node:
        start = self._start
        if self._token == "-":
            self._advance()
            if self._kind != self._NUMBER:
                raise _IrregularError
            number = self._constant()
            return nodes.Negative(number, span=Span(start, number.span.stop))
        span, token = Span(start, self._stop), self._token
        value: float | str | bool
        if self._kind == self._NUMBER:
            whole = token.isdecimal()
            if whole and len(token) > _FEW_DIGITS:
                raise _IrregularError
            value = int(token) if whole else nodes.Written.of(Decimal(token))
            if value == math.inf:
                raise _IrregularError
        elif self._kind == self._TEXT:
            value = token[1:-1].replace("''", "'")
        elif self._word == "true":
            value = True
        else:
            raise _IrregularError
        self._advance()
        return nodes.Literal(value, span=span)


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
            "join conditions by and/or without parentheses, or compute a part of it as a column of the frame",
        )
    return node


def _nodes(parts: list[Any]) -> tuple[Node, ...]:
    return tuple(part for part in parts if isinstance(part, Node))


def _has(parts: list[Any], terminal: str) -> bool:
    return any(isinstance(part, Token) and part.type == terminal for part in parts)


def _lower(name: Token) -> str:
    # Some letters of other alphabets become two characters in lower case, and the second is not a letter.
    return str(name).lower() if name.isascii() else str(name)


Parts = list[Any]


class _Builder(Transformer[Token, Node]):
    """Builds nodes, with one method per grammar rule: from the parts that lark matched, in order, with all tokens."""

    def sampler(self, parts: Parts) -> Node:
        return parts[0]  # type: ignore[no-any-return]

    def query(self, parts: Parts) -> Node:
        return parts[0]  # type: ignore[no-any-return]

    def statement(self, parts: Parts) -> Node:
        body, keys, limit, offset, sample = parts
        statement = nodes.Statement(body, keys or (), _unlimited(limit), offset, sample, span=_span_of(body))
        return _checked(statement)

    def combination(self, parts: Parts) -> Node:
        left, right = _nodes(parts)
        words = [part for part in parts if isinstance(part, Token)]
        # A set operation is DISTINCT unless it has ALL.
        operator = " ".join(str(word).lower() for word in words if word.type != "DISTINCT")
        return _checked(nodes.Combination(left, operator, right, span=_span(words)))

    def select(self, parts: Parts) -> Node:
        _, distinct, top, *items, source, where, expand, groups, ungroup = parts
        if groups and ungroup:
            hint = "write SELECT * FROM (… GROUP BY …) UNGROUP BY split"
            raise Fault(TQLSyntaxError, "GROUP BY and UNGROUP BY are not used in one SELECT", ungroup.span, hint)
        clauses = (_nodes(items), distinct is not None, top, source, where, expand, groups or (), ungroup)
        return _checked(nodes.Select(*clauses, span=_span(parts[:1])))

    def top(self, parts: Parts) -> Node:
        return parts[1]  # type: ignore[no-any-return]

    def item(self, parts: Parts) -> Node:
        name = parts[2]
        return _checked(nodes.Item(parts[0], None if name is None else _name(name), span=_span(parts)))

    def star(self, parts: Parts) -> Node:
        frame = None if parts[0].type == "STAR" else _name(parts[0])
        return _checked(nodes.Star(frame, _nodes(parts), span=_span(parts)))

    def from_(self, parts: Parts) -> Node:
        return parts[1]  # type: ignore[no-any-return]

    def join_on(self, parts: Parts) -> Node:
        left, right, *conditions = _nodes(parts)
        condition = conditions[0] if conditions else None
        return _checked(nodes.Join(left, _join_kind(parts), right, condition, span=_span(parts)))

    def join_using(self, parts: Parts) -> Node:
        left, right = _nodes(parts)
        names = tuple(_name(part) for part in parts if isinstance(part, Token) and part.type in ("NAME", "QUOTED"))
        return _checked(nodes.Join(left, _join_kind(parts), right, None, names, span=_span(parts)))

    def frame(self, parts: Parts) -> Node:
        name, _, alias = parts
        return nodes.FrameName(_name(name), None if alias is None else _name(alias), span=_span(parts))

    def subquery(self, parts: Parts) -> Node:
        statement, alias = parts[1], parts[-1]
        return _checked(nodes.Subquery(statement, None if alias is None else _name(alias), span=_span(parts)))

    def where(self, parts: Parts) -> Node:
        return parts[1]  # type: ignore[no-any-return]

    def expand(self, parts: Parts) -> Node:
        before, after = _nodes(parts)
        alias = None if parts[-1] is None else _name(parts[-1])
        return nodes.Expand(before, after, _has(parts, "TRUE"), alias, span=_span(parts))

    def group_by(self, parts: Parts) -> tuple[Node, ...]:
        return _nodes(parts)

    def ungroup_by(self, parts: Parts) -> Node:
        return nodes.Ungroup(*_nodes(parts), span=_span(parts))

    def order(self, parts: Parts) -> tuple[Node, ...]:
        return _nodes(parts)

    def sort_key(self, parts: Parts) -> Node:
        return _checked(nodes.SortKey(parts[0], _has(parts, "DESC"), span=_span(parts)))

    def limit(self, parts: Parts) -> Node:
        count, percent = parts[1], len(parts) > 2 and parts[2] is not None
        if isinstance(count, Token):  # LIMIT ALL
            return nodes.Limit(nodes.Literal(None), span=_span(parts))
        return nodes.Limit(count, percent, span=_span(parts))

    def offset(self, parts: Parts) -> Node:
        return parts[1]  # type: ignore[no-any-return]

    def sample(self, parts: Parts) -> Node:
        sampler, *over = _nodes(parts[:-1])
        replace = not _has(parts, "FALSE")
        design = next((str(part).lower() for part in parts if isinstance(part, Token) and part.type == "NAME"), None)
        return _checked(nodes.Sample(sampler, replace, _unlimited(parts[-1]), tuple(over), design, span=_span(parts)))

    def disjunction(self, parts: Parts) -> Node:
        return _checked(nodes.Or(_nodes(parts), span=_span(parts)))

    def conjunction(self, parts: Parts) -> Node:
        return _checked(nodes.And(_nodes(parts), span=_span(parts)))

    def negation(self, parts: Parts) -> Node:
        return _checked(nodes.Not(parts[1], span=_span(parts)))

    def comparison(self, parts: Parts) -> Node:
        left, operator, right = parts
        operator = _COMPARISONS.get(str(operator), str(operator))
        return _checked(nodes.Comparison(operator, left, right, span=_span(parts)))

    def membership(self, parts: Parts) -> Node:
        operand, *items = _nodes(parts)
        return _checked(nodes.In(operand, tuple(items), _has(parts, "NOT"), span=_span(parts)))

    def range(self, parts: Parts) -> Node:
        operand, low, high = _nodes(parts)
        return _checked(nodes.Between(operand, low, high, _has(parts, "NOT"), span=_span(parts)))

    def pattern(self, parts: Parts) -> Node:
        operand, pattern = _nodes(parts)
        negated, ignore_case = _has(parts, "NOT"), _has(parts, "ILIKE")
        return _checked(nodes.Like(operand, pattern, negated, ignore_case, span=_span(parts)))

    def null_test(self, parts: Parts) -> Node:
        return _checked(nodes.IsNull(parts[0], _has(parts, "NOT"), span=_span(parts)))

    def arithmetic(self, parts: Parts) -> Node:
        # operand (operator operand)+
        return _checked(nodes.calculation(list(map(str, parts[1::2])), parts[::2]))

    def positive(self, parts: Parts) -> Node:
        return _checked(nodes.Positive(parts[1], span=_span(parts)))

    def negative(self, parts: Parts) -> Node:
        return _checked(nodes.Negative(parts[1], span=_span(parts)))

    def subscript(self, parts: Parts) -> Node:
        operand, *indices = _nodes(parts)
        return _checked(nodes.Subscript(operand, tuple(indices), span=_span(parts)))

    def slice(self, parts: Parts) -> Node:
        # [expression] COLON [expression] [COLON [expression]]: absent parts are None
        bounds = [part for part in parts if not isinstance(part, Token)] + [None]
        start, stop, step = bounds[:3]
        return _checked(nodes.Slice(start, stop, step, span=_span(parts)))

    def group(self, parts: Parts) -> Node:
        inner = parts[1]
        if isinstance(inner, nodes.Statement) and inner == nodes.Statement(inner.body):
            inner = inner.body
        return inner.at(_span(parts))  # type: ignore[no-any-return]

    def arm(self, parts: Parts) -> Node:
        return _checked(nodes.Arm(parts[0], parts[2], span=_span(parts)))

    def call(self, parts: Parts) -> Node:
        name = _lower(parts[0])
        return _checked(nodes.Call(name, _nodes(parts), _span_of(parts[0]), span=_span(parts)))

    def weight_choice(self, parts: Parts) -> Node:
        name = _lower(parts[0])
        arms = tuple(part for part in parts if isinstance(part, nodes.Arm))
        return _checked(nodes.WeightChoice(name, arms, _span_of(parts[0]), span=_span(parts)))

    def number(self, parts: Parts) -> Node:
        digits, span = str(parts[0]), _span(parts)
        if digits.isdecimal():
            # The length is checked first: Python does not convert thousands of digits.
            if len(digits.lstrip("0")) > 20 or int(digits) >= 2**64:
                raise Fault(
                    TQLSyntaxError, "the number does not fit into 64 bits", span, "write it with a decimal point"
                )
            return nodes.Literal(int(digits), span=span)
        value = float(digits)
        if math.isinf(value):
            raise Fault(TQLSyntaxError, "the number is too large for a float", span)
        return nodes.Literal(nodes.Written.of(Decimal(digits)), span=span)

    def text(self, parts: Parts) -> Node:
        return nodes.Literal(str(parts[0])[1:-1].replace("''", "'"), span=_span(parts))

    def true(self, parts: Parts) -> Node:
        return nodes.Literal(True, span=_span(parts))

    def false(self, parts: Parts) -> Node:
        return nodes.Literal(False, span=_span(parts))

    def null(self, parts: Parts) -> Node:
        return nodes.Literal(None, span=_span(parts))

    def parameter(self, parts: Parts) -> Node:
        return nodes.Parameter(span=_span(parts))

    def column(self, parts: Parts) -> Node:
        return nodes.Column(_name(parts[-1]), _name(parts[0]) if len(parts) > 1 else None, span=_span(parts))

    def array(self, parts: Parts) -> Node:
        word = nodes.Column(str(parts[0]), span=_span_of(parts[0]))
        return _checked(nodes.Array(_nodes(parts), word, span=_span(parts)))


# `from` cannot be the name of a method.
setattr(_Builder, "from", _Builder.from_)


def _name(token: Token) -> str:
    return str(token)[1:-1].replace('""', '"') if token.type == "QUOTED" else str(token)


def _unlimited(limit: nodes.Limit | None) -> nodes.Limit | None:
    return None if limit is not None and limit.count == nodes.Literal(None) else limit


def _join_kind(parts: Parts) -> str:
    kinds = ("LEFT", "RIGHT", "FULL", "CROSS")
    return next((part.type.lower() for part in parts if isinstance(part, Token) and part.type in kinds), "inner")


def _refuse_unsupported(token: Token) -> Token:
    """Check each name while it is read: raise an error that names a construct of SQL that TQL does not have."""
    word = str(token)
    if word.lower() not in keywords.UNSUPPORTED:
        return token
    hints = {
        "case": "write max_weight(condition: value, …, True: other)",
        "having": "write SELECT * FROM (… GROUP BY …) WHERE …",
        "with": "write the subquery after FROM: FROM (SELECT …) AS name",
    }
    column = f'for a column of that name write "{word}" in double quotes'
    hint = f"{hints[word.lower()]}; {column}" if word.lower() in hints else column
    raise Fault(TQLUnsupportedError, f"{word.upper()} is not supported", _span_of(token), hint)


@cache
def _lark(start: str) -> Lark:
    # Built at first use, since it takes about 0.1 s.
    callbacks: dict[str, Callable[[Token], Token]] = {"NAME": _refuse_unsupported}
    return Lark(
        files("tql_frames.language").joinpath("grammar.lark").read_text(encoding="utf-8"),
        start=start,
        parser="lalr",
        lexer="basic",  # a keyword is a keyword everywhere, so that a typing mistake does not turn it into a column
        postlex=SoftKeywords(),
        transformer=_Builder(),
        lexer_callbacks=callbacks,
        keep_all_tokens=True,
        maybe_placeholders=True,
    )


def _accepted(text: str, start: str) -> set[str]:
    """Return the terminals that may follow a text.

    The text is parsed again, since an unexpected token may already have changed the state of the first parser.
    """
    parser = _lark(start).parse_interactive(text)
    parser.exhaust_lexer()
    accepted: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
    return accepted


class SoftKeywords:
    """The step between lexer and parser: a name becomes a keyword where the grammar needs that keyword."""

    # For lark, which would drop terminals that the grammar of a sampler does not use, and read them as names.
    always_accept = tuple(sorted(word.upper() for word in keywords.CLAUSES))

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Yield the tokens; an error of the lexer is raised after all tokens before it."""
        tokens: list[Token] = []
        fault: Exception | None = None
        try:
            tokens.extend(stream)
        except (LexError, Fault) as unreadable:
            fault = unreadable
        yield from _retyped(tokens)
        if fault is not None:
            raise fault


def _retyped(tokens: Sequence[Token]) -> Iterator[Token]:
    clauses = [""]  # of each open parenthesis
    before = ""
    slices = _slices(tokens)
    for at, token in enumerate(tokens):
        kind = token.type
        if kind == "NAME" and (keyword := _soft(token)):
            place = keywords.WordPlace(
                before, _kind(tokens, at + 1), _kind(tokens, at + 2), clauses[-1], at + 1 in slices
            )
            if keywords.WHERE_KEYWORD[keyword](place):
                kind = keyword.upper()
        elif kind == "LPAR":
            clauses.append("")
        elif kind == "RPAR" and len(clauses) > 1:
            clauses.pop()
        elif kind.lower() in keywords.STARTS:
            clauses[-1] = kind.lower()
        if kind == "NAME" and keywords.is_other_join(str(token).lower(), before, _kind(tokens, at + 1)):
            kind = keywords.OTHER_JOIN
        yield token if kind == token.type else Token.new_borrow_pos(kind, str(token), token)
        before = kind


def _slices(tokens: Sequence[Token]) -> set[int]:
    """Return positions of brackets with a slice: a colon that is not inside inner brackets or parentheses."""
    found, open_ones = set(), []
    for at, token in enumerate(tokens):
        if token.type in ("LSQB", "LPAR"):
            open_ones.append(at)
        elif token.type in ("RSQB", "RPAR") and open_ones:
            open_ones.pop()
        elif token.type == "COLON" and open_ones:
            found.add(open_ones[-1])
    return found


def _soft(token: Token) -> str | None:
    word = str(token).lower()
    return word if word in keywords.WHERE_KEYWORD and token.isascii() else None


def _kind(tokens: Sequence[Token], at: int) -> str:
    """Return the type of a token, or its word if it may become a keyword."""
    if at >= len(tokens):
        return ""
    return _soft(tokens[at]) or tokens[at].type
