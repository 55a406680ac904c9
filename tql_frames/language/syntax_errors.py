"""What to say of a text that is not TQL: where it fails, what may stand there, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from tql_frames.errors import Span, TQLError, TQLSyntaxError, TQLUnsupportedError
from tql_frames.language import keywords, meant

# What may follow, in the user's words. Terminals that start a value are told as one.
_VALUE_STARTS = frozenset(
    ["NUMBER", "STRING", "TRUE", "FALSE", "NULL", "NAME", "QUOTED", "LPAR", "PLUS", "MINUS", "NOT", "QUESTION", "ARRAY"]
)
_OPERATORS = frozenset(
    ["PLUS", "MINUS", "STAR", "SLASH", "MODULO", "COMPARE", "NOT", "IN", "BETWEEN", "LIKE", "ILIKE", "IS", "ISNULL"]
)
_CLAUSE_STARTS = frozenset(word.upper() for word in keywords.CLAUSES) - {"BY", "AS", "ASC", "DESC"}
_WORDS = {
    "RPAR": "')'",
    "RSQB": "']'",
    "LPAR": "'('",
    "COMMA": "','",
    "COLON": "':'",
    "STAR": "'*'",
    "DOT": "'.'",
    "QUESTION": "'?'",
    "$END": "the end",
    "NAME": "a name",
    "NUMBER": "a number",
}
_CLAUSE_ORDER = (
    "clauses stand in this order: "
    "SELECT, FROM, WHERE, EXPAND BY, GROUP BY, UNGROUP BY, ORDER BY, LIMIT, OFFSET, SAMPLE BY"
)


def syntax_error(unexpected: UnexpectedInput, text: str, start: str, accepted: Callable[[str], set[str]]) -> TQLError:
    """Return the error for a text that the parser does not take.

    Args:
        unexpected: what lark raised.
        text: the text.
        start: whether it was read as a "sampler" or a "query".
        accepted: a text that is right so far -> terminals that may follow it.
    """
    if isinstance(unexpected, UnexpectedCharacters):
        at = unexpected.pos_in_stream or 0
        if text.startswith("||", at):
            hint = "write `or`; texts cannot be joined"
            return TQLUnsupportedError("|| is not supported", source=text, span=Span(at, at + 2), hint=hint)
        stop = len(text) if text[at] in "'\"" else at + 1
        what = "unclosed quote" if text[at] in "'\"" else f"unexpected character {text[at]!r}"
        character = meant.of_character(meant.Place(text, Span(at, stop), "", (), start))
        return TQLSyntaxError(what, source=text, span=Span(at, stop), hint=character)
    if not isinstance(unexpected, UnexpectedToken):
        raise AssertionError(f"lark raised {type(unexpected).__name__}") from unexpected
    token = unexpected.token
    if token.type == "$END":
        what, span = "the text ends too early", Span(len(text), len(text))
    else:
        what, span = f"unexpected {str(token)[:40]!r}", Span(token.start_pos or 0, token.end_pos or 0)
    terminals = set(unexpected.accepts or ()) if start == "sampler" else set()
    if not terminals or {"AND", "OR"} & terminals:  # a sum is closed before `and`, but might have gone on
        terminals = accepted(text[: span.start]) or unexpected.expected
    advice = meant.of_token(meant.Place(text, span, token.type, terminals, start))
    if advice is not None:
        guilty = advice.span or span
        message = advice.message or (f"unexpected {text[guilty.start : guilty.stop][:40]!r}" if advice.span else what)
        return advice.kind(message, source=text, span=guilty, hint=advice.hint)
    misplaced = _misplaced(token, text[: span.start], start)
    if misplaced is None:
        return TQLSyntaxError(what, source=text, span=span, hint=f"expected {_expected(terminals)}")
    kind, message, instruction = misplaced
    return kind(message, source=text, span=span, hint=instruction)


def _misplaced(token: Token, before: str, start: str) -> tuple[type[TQLError], str, str | None] | None:
    """Kind, message and hint for a word that a user may well expect to find its place here."""
    word = str(token).lower()
    unexpected = f"unexpected {str(token)[:40]!r}"
    if start == "query":
        if not re.sub(r"--[^\n]*", "", before).strip(" \t\r\n\f("):
            if token.type == "NAME" and word in keywords.WRITES:
                return TQLUnsupportedError, f"{word.upper()} is not supported: a query only reads", None
            hint = "a query starts with SELECT, as in: select * where age > 60"
            if word in ("max_weight", "sum_weight"):
                hint = f"write select * sample by {word}(…), or pass the sampler to sample(…)"
            return TQLSyntaxError, unexpected if token.type != "$END" else "the text ends too early", hint
        if before.rstrip().endswith(";") and token.type != "$END":
            return TQLSyntaxError, unexpected, "one statement at a time"
        if word == "select":
            return TQLSyntaxError, unexpected, "a subquery stands after FROM or JOIN, or on a side of UNION"
        if token.type == "STAR" and before.rstrip().endswith("("):
            return TQLSyntaxError, unexpected, "a function takes values; shape(column)[0] counts the rows of a group"
        if word in keywords.CLAUSES and word not in ("by", "as", "asc", "desc"):
            return TQLSyntaxError, unexpected, _CLAUSE_ORDER
        if token.type == "COLON" and re.search(r"(?ai:from|join)\s+\w+$", before):
            return TQLUnsupportedError, "FROM a URL is not supported", "load the frame and query it"
        if token.type == "COMMA" and re.search(r"(?ai:limit)\s+[\d?]+\s*$", before):
            return TQLSyntaxError, unexpected, "write LIMIT count OFFSET skipped"
        hints = {
            "percent": "PERCENT stands behind the number of a LIMIT",
            "nulls": "null is the smallest value: it comes first, with DESC last",
        }
        return (TQLSyntaxError, unexpected, hints[word]) if word in hints else None
    if word in keywords.CLAUSES:
        hint = f'for a column of that name write "{token}" in double quotes'
        if word in ("select", "sample"):
            hint = "give only what follows SAMPLE BY, such as max_weight(…), or pass the whole statement to query(…)"
        elif word in ("limit", "order", "where"):
            arguments = {"limit": "pass limit=…", "order": "pass order=…", "where": "filter the frame first"}
            hint = f"{arguments[word]}; {hint}"
        return TQLUnsupportedError, f"a sampler has no {word.upper()} clause", hint
    return (TQLSyntaxError, unexpected, "pass replace=…") if word == "replace" else None


def _expected(terminals: set[str]) -> str:
    words = []
    left = set(terminals)
    if {"NUMBER", "STRING"} <= left:
        words.append("a value")
        left -= _VALUE_STARTS
    if "PLUS" in left and not words:
        words.append("an operator")
        if "OR" in left:  # else `and` is the one of `between`
            left -= {"AND", "OR"}
        left -= _OPERATORS | {"LSQB", "LPAR", "DOT"}
    clauses = left & _CLAUSE_STARTS
    if len(clauses) > 3:
        words.append("the next clause")
        left -= clauses
    if "NAME" in left:
        left -= {"QUOTED"}
    left -= {"SEMICOLON"}  # allowed at the end, never needed
    words += sorted(_WORDS.get(terminal, f"'{terminal.lower()}'") for terminal in left)
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
