"""The step between lexer and parser that tells names from words which are keywords only where a clause wants them.

Which words these are, and where they are keywords, is in `keywords`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lark import Token
from lark.exceptions import LexError

from tql_frames.errors import Fault
from tql_frames.language import keywords


class SoftKeywords:
    """The step between lexer and parser: a name where a keyword is wanted becomes that keyword."""

    # For lark, which would drop terminals that the grammar of a sampler does not use, and read them as names.
    always_accept = tuple(sorted(word.upper() for word in keywords.CLAUSES))

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Yield the tokens; an error of the lexer comes after all that stands before it."""
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
            place = keywords.Place(before, _kind(tokens, at + 1), _kind(tokens, at + 2), clauses[-1], at + 1 in slices)
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
    """Return places of the brackets that a slice stands in: a colon, not inside brackets or parentheses of its own."""
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
    """Return the type of a token, or the word that will be a keyword."""
    if at >= len(tokens):
        return ""
    return _soft(tokens[at]) or tokens[at].type
