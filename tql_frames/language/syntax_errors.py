"""Describe syntax errors: where a text fails, what may be written there, and a hint at what the user meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from tql_frames.errors import Span, TQLError, TQLSyntaxError, TQLUnsupportedError
from tql_frames.language import keywords


class FaultPlace(NamedTuple):
    """Where a text fails.

    Attributes:
        text: the text.
        span: the token that does not fit.
        kind: its type, a terminal of the grammar; "$END" at the end of the text.
        accepted: terminals that may be there.
        start: kind of the text, "sampler" or "query".
    """

    text: str
    span: Span
    kind: str
    accepted: Collection[str]
    start: str

    @property
    def word(self) -> str:
        """The token in lower case."""
        return self.text[self.span.start : self.span.stop].lower()

    @property
    def before(self) -> str:
        """The text before the token."""
        return self.text[: self.span.start]

    @property
    def rest(self) -> str:
        """The text from the token on."""
        return self.text[self.span.start :]

    @property
    def wants_value(self) -> bool:
        """Whether a value may be there."""
        return {"NUMBER", "STRING"} <= set(self.accepted)


class Advice(NamedTuple):
    """Message and hint for a syntax error.

    Attributes:
        hint: what to write.
        span: the wrong characters, or None for the token.
        message: what is wrong, or None for "unexpected" and the wrong characters.
        kind: class of the error.
    """

    hint: str | None
    span: Span | None = None
    message: str | None = None
    kind: type[TQLError] = TQLSyntaxError


COMMENT = "a comment starts with -- and ends with the line"
_POWER = "write x * x; TQL has no power operator"
_CHOICE = "write max_weight(condition: value, …, True: other)"

# Characters that cannot begin a token.
CHARACTERS = {
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=` for unequal",
    "`": "write a column name in double quotes",
    ";": "a sampler is one expression and needs no ';'",
    "'": "a text opened here is not closed; a quote inside a text is written twice",
    '"': "a column name opened here is not closed",
    "‘": "a text stands between straight quotes: '…'",
    "’": "a text stands between straight quotes: '…'",
    "“": 'a column name stands between straight quotes: "…"',
    "”": 'a column name stands between straight quotes: "…"',
    "#": COMMENT,
    "^": _POWER,
    "≥": "write >=",
    "≤": "write <=",
    "≠": "write !=",
    "×": "write *",
    "÷": "write /",
    "–": "write - for minus",
    "—": "write - for minus, or -- for a comment",
    "−": "write - for minus",
}
_PLACEHOLDERS = {
    "query": "write ? for a value, and pass the values in order: parameters=[…]",
    "sampler": "write the value itself, or use query(text, parameters=[…]), which takes ? for a value",
}

# Words of SQL that TQL does not have, and what to write instead.
_REFUSED = {
    "escape": ("ESCAPE", "write contains(text, '%') to look for a sign that LIKE takes for any run of characters"),
    "fetch": ("FETCH", "write LIMIT n"),
    "filter": ("FILTER", "write WHERE"),
    "lateral": ("LATERAL", "write the subquery after FROM or JOIN"),
    "minus": ("MINUS", "write EXCEPT"),
    "over": ("OVER", "to draw from each group write SAMPLE BY sampler OVER (column, …); else use GROUP BY"),
    "pivot": ("PIVOT", "pivot the frame first"),
    "qualify": ("QUALIFY", "write SELECT * FROM (SELECT …) WHERE condition"),
    "tablesample": ("TABLESAMPLE", "write SAMPLE BY 1 REPLACE FALSE LIMIT 10 PERCENT"),
    "unpivot": ("UNPIVOT", "unpivot the frame first"),
    "values": ("VALUES", "make a frame of the rows, and pass it by name: tql_frames.query(text, name=frame)"),
    "window": ("WINDOW", "use GROUP BY, or compute the column in the frame first"),
}
_JOINS = {
    "anti": "write LEFT JOIN … ON a.key = b.key WHERE b.key IS NULL",
    "asof": "join the frames first: join_asof of Polars, merge_asof of pandas",
    "natural": "write JOIN … USING (column, …) with the columns that both frames have",
    "outer": "write FULL JOIN",
    "positional": "put the frames side by side first, or join them on a column of row numbers",
    "semi": "write JOIN (SELECT DISTINCT key FROM …) USING (key)",
}
_CONDITION = "write ON a.key = b.key or USING (key); CROSS JOIN gives every pair"
_USING = "write USING (column, …) with names of columns that both frames have"
_BRANCHES = ("if", "when", "then", "else", "elif", "end")
_NO_VALUE = ("none", "nan", "na", "nil", "missing", "unknown")
_LAST_WORD = re.compile(r"(?:^|[^\w\"'.])([^\W\d]\w*)\s*$")
_LAST_NUMBER = re.compile(r"[,(]\s*((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[Tt]rue|[Ff]alse)\s*$")
_MARKS = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|--[^\n]*|[()\[\],:]""")  # texts, names and comments as a whole
_ITEM_IN = re.compile(r"('(?:[^']|'')*'|\?|[\w.]+)\s+(not\s+)?in\s*$", re.IGNORECASE)


def hint_of_character(place: FaultPlace) -> str | None:
    """Return the hint for a character that cannot begin a token."""
    sign = place.text[place.span.start]
    if sign in "{@$" or re.match(r"%\w", place.rest):
        return _PLACEHOLDERS[place.start]
    if sign == "\\":
        return "write a quote inside a text twice: 'it''s'" if "'" in place.before else None
    return CHARACTERS.get(sign)


def hint_of_token(place: FaultPlace) -> Advice | None:
    """Return the advice for a token that does not fit, or for the word before it."""
    for rule in (
        _placeholder,
        _list,
        _item,
        _operator,
        _null_test,
        _default_arm,
        _arm,
        _two_words,
        _choice,
        _other_join,
    ):
        advice = rule(place)
        if advice is not None:
            return advice
    for word, span in _words(place):
        advice = _refused(place, word, span) or _branch(place, word, span) or _misspelled(place, word, span)
        if advice is not None:
            return advice
    return _join(place)


def _placeholder(place: FaultPlace) -> Advice | None:
    """Return advice for placeholders such as `%s` and `:name`."""
    if not place.wants_value:
        cast = place.kind == "COLON" and place.rest.startswith("::")
        return Advice("TQL has no casts; convert the column of the frame first", _from(place, 2)) if cast else None
    found = re.match(r"%(?:\(\w+\))?[sdfr]\b|:[^\W\d]\w*", place.rest)
    return Advice(_PLACEHOLDERS[place.start], _from(place, found.end())) if found else None


def _list(place: FaultPlace) -> Advice | None:
    """Return advice for `[1, 2]`, `in ?`, `'x' in column`."""
    after_in = "ARRAY" in place.accepted and "LPAR" in place.accepted and not place.wants_value
    if place.kind == "LSQB" and (place.wants_value or after_in):
        found = re.match(r"\[([^\[\]]{0,40})\]", place.rest)
        items = found.group(1) if found else "…"
        return Advice(f"write in ({items})" if after_in else f"write ARRAY[{items}]")
    if not after_in:
        return None
    if place.kind in ("NAME", "QUOTED"):
        name = place.text[place.span.start : place.span.stop][:40]
        found = _ITEM_IN.search(place.before[-200:])
        item, negated = (found.group(1), "not " * bool(found.group(2))) if found else ("value", "")
        return Advice(f"write {negated}contains({name}, {item}), or the values in parentheses: in (…)")
    if place.kind in ("QUESTION", "NUMBER", "STRING", "TRUE", "FALSE", "NULL"):
        return Advice(f"write in ({place.text[place.span.start : place.span.stop][:40]})")
    return None


def _item(place: FaultPlace) -> Advice | None:
    """Return advice for `FROM 'file'`."""
    if place.kind == "STRING" and re.search(r"(?ai)\b(from|join)\s*$", place.before):
        return Advice("load the file as a frame, and query that")
    return None


def _operator(place: FaultPlace) -> Advice | None:
    """Return advice for operators of other languages that consist of two tokens of TQL."""
    if place.text[max(place.span.start - 2, 0) : place.span.stop] == "<=>":
        return Advice("write a = b or a is null and b is null")
    pairs = {
        "**": _POWER,
        "/*": COMMENT,
        "//": f"write / to divide; {COMMENT}",
        "=>": "write >=",
        "=<": "write <=",
        "=!": "write !=",
        "->": "write s['key'] for a key of a struct",
        "==": "write ==",
    }
    for length, start in ((2, place.span.start - 1), (2, place.span.start)):
        pair = place.text[max(start, 0) : start + length]
        if start >= 0 and pair in pairs and (start < place.span.start or pair == "/*"):
            alone = pair in ("->", "==")  # the first character may be valid there
            return Advice(pairs[pair], None if alone else Span(start, start + length))
    return None


def _null_test(place: FaultPlace) -> Advice | None:
    """Return advice for `is None`, `is distinct from`, `is true`."""
    found = re.search(r"(?ai)\bis\s+(not\s+)?$", place.before)
    if found is None or "NULL" not in place.accepted or place.wants_value:
        return None
    if place.kind == "DISTINCT":
        stop = re.match(r"(?ai)distinct(\s+from\b)?", place.rest)
        words = "IS NOT DISTINCT FROM" if found.group(1) else "IS DISTINCT FROM"
        hint = "write a != b or (a is null) != (b is null)"
        hint = "write a = b or a is null and b is null" if found.group(1) else hint
        span = Span(found.start(), place.span.start + (stop.end() if stop else 0))
        return Advice(hint, span, f"{words} is not supported", TQLUnsupportedError)
    if place.kind in ("TRUE", "FALSE"):
        return Advice(f"write = {place.word}")
    if place.kind == "NAME" and place.word in _NO_VALUE:
        return Advice(f"write is {'not ' * bool(found.group(1))}null")
    return None


def _default_arm(place: FaultPlace) -> Advice | None:
    """Return advice for a number alone as the last arm, and for `*: 1`."""
    found = _LAST_NUMBER.search(place.before[-100:])
    if found and place.kind in ("RPAR", "COMMA") and "COLON" in place.accepted and "," in place.before:
        number = found.group(1)
        start = len(place.before) - len(place.before[-100:]) + found.start(1)
        span = Span(start, start + len(number))
        return Advice(f"write True: {number} for rows that match no other arm", span, f"expected an arm, got {number}")
    if place.kind == "STAR" and place.wants_value and re.match(r"\*\s*:", place.rest):
        return Advice("write True: weight for rows that match no other arm")
    return None


def _arm(place: FaultPlace) -> Advice | None:
    """Return advice for `max_weight(condition, weight, …: …)`, with a comma instead of the first colon."""
    if place.kind != "COLON" or "COMMA" not in place.accepted:
        return None
    opened: list[list[int]] = [[]]  # for each open bracket, its place, and the places of commas and colons after it
    for found in _MARKS.finditer(place.before):
        if found.group() in ("(", "["):
            opened.append([found.start()])
        elif found.group() in (")", "]"):
            if len(opened) > 1:
                opened.pop()
        elif found.group() in (",", ":"):
            opened[-1].append(found.start())
    if len(opened[-1]) < 2:
        return None
    bracket, first = opened[-1][:2]
    if place.text[first] == ":" or not re.search(
        r"(?ai)\b(max|sum)_weight\s*$", place.before[max(bracket - 40, 0) : bracket]
    ):
        return None
    return Advice(
        "write a colon between the condition of an arm and its weight", Span(first, first + 1), "unexpected ','"
    )


def _two_words(place: FaultPlace) -> Advice | None:
    """Return advice for clauses of SQL that begin with a word of TQL."""
    before = place.before.rstrip().lower()
    if place.start == "query":
        if place.word == "all" and before.endswith(("except", "intersect")):
            operator = before[-9:].split()[-1].upper()
            start = len(place.before.rstrip()) - len(operator)
            hint = f"write {operator}, which gives each row once"
            return _not_supported(f"{operator} ALL", hint, Span(start, place.span.stop))
        if place.kind == "USING" and re.match(r"(?ai)using\s+sample\b", place.rest):
            found = re.match(r"(?ai)using\s+sample", place.rest)
            hint = "write SAMPLE BY 1 REPLACE FALSE LIMIT 10 PERCENT"
            return _not_supported("USING SAMPLE", hint, _from(place, found.end() if found else 0))
        if place.kind == "ON" and before.endswith("distinct"):
            start = len(place.before.rstrip()) - len("distinct")
            hint = "write SELECT column[0] AS column, … GROUP BY key for the first row of each group"
            return _not_supported("DISTINCT ON", hint, Span(start, place.span.stop))
    return None


def _other_join(place: FaultPlace) -> Advice | None:
    """Return advice for kinds of JOIN that TQL does not have, and for errors around the condition of a JOIN."""
    if place.start != "query":
        return None
    tail = place.before[-200:]
    if place.kind == keywords.OTHER_JOIN:
        return _not_supported(f"{place.word.upper()} JOIN", _JOINS[place.word], place.span)
    if place.word == "apply" and re.search(r"(?ai)\b(cross|outer)\s*$", tail):
        return _not_supported("APPLY", "write JOIN (SELECT …) ON condition", place.span)
    if place.word == "straight_join" or re.search(r"(?ai)\bstraight_join\s*$", tail):
        return Advice("write JOIN")
    if re.search(r"(?ai)\busing\s*$", tail) and "LPAR" in place.accepted:
        found = re.match(r"[^\W\d]\w*(\s*,\s*[^\W\d]\w*)*", place.rest) if place.kind == "NAME" else None
        return Advice(f"write USING ({found.group()[:80]})" if found else _USING)
    if re.search(r"(?ai)\busing\s*\([^()]*$", tail):
        return Advice(_USING)
    if place.kind in ("ON", "USING") and re.search(r'(?ai)\bcross\s+join\s+("[^"]*"|\w+)(\s+(as\s+)?\w+)?\s*$', tail):
        return Advice("CROSS JOIN takes no condition; write JOIN")
    if place.word == "outer" and "CROSS" in place.accepted:
        return Advice("write LEFT JOIN, RIGHT JOIN or FULL JOIN")
    if place.kind == "COMMA" and "CROSS" in place.accepted:
        return Advice("write JOIN … ON condition, or CROSS JOIN for every pair")
    return None


def _join(place: FaultPlace) -> Advice | None:
    """Return advice for a JOIN without a condition."""
    return Advice(_CONDITION) if {"ON", "USING"} <= set(place.accepted) else None


def _choice(place: FaultPlace) -> Advice | None:
    """Return advice for `where(condition, value, other)`."""
    if place.kind == "WHERE" and re.match(r"(?ai)where\s*\(", place.rest) and place.wants_value:
        return Advice(_CHOICE)
    return None


def _refused(place: FaultPlace, word: str, span: Span) -> Advice | None:
    """Return advice for clauses of SQL that TQL does not have."""
    if word.lower() in _REFUSED and (place.start == "query" or word.lower() == "escape"):
        name, hint = _REFUSED[word.lower()]
        return _not_supported(name, hint, span)
    return None


def _branch(place: FaultPlace, word: str, span: Span) -> Advice | None:
    """Return advice for words such as `if` and `then`, which are read as names."""
    begins = word.lower() in ("if", "when")
    return Advice(_CHOICE, span) if begins or (word.lower() in _BRANCHES and span == place.span) else None


def _misspelled(place: FaultPlace, word: str, span: Span) -> Advice | None:
    """Return advice for a word similar to a keyword that may be there; or for the word before, read as an alias."""
    if span != place.span and (place.start != "query" or word.lower() in keywords.RESERVED):
        return None
    mine = place.accepted if span == place.span else keywords.STARTS
    known = sorted({each.lower() for each in mine} & (keywords.RESERVED | keywords.SOMETIMES))
    written = word.lower()[:40]
    swapped = [each for each in known if sorted(each) == sorted(written)]
    near = swapped or difflib.get_close_matches(written, known, n=1, cutoff=0.75)
    return Advice(f"did you mean {near[0].upper()}?", span) if near and near[0] != written else None


def _words(place: FaultPlace) -> list[tuple[str, Span]]:
    """Return the token if it is a name, and the name before it."""
    words = [(place.text[place.span.start : place.span.stop], place.span)] if place.kind == "NAME" else []
    tail = place.before[-200:]
    found = _LAST_WORD.search(tail)
    if found is not None:
        start = len(place.before) - len(tail) + found.start(1)
        words.append((found.group(1), Span(start, start + len(found.group(1)))))
    return words


def _not_supported(name: str, hint: str, span: Span) -> Advice:
    return Advice(hint, span, f"{name} is not supported", TQLUnsupportedError)


def _from(place: FaultPlace, length: int) -> Span:
    return Span(place.span.start, place.span.start + length)


# Descriptions of what may follow. Terminals that start a value have one description.
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
    """Return the error for a text that cannot be parsed.

    Args:
        unexpected: the error of lark.
        text: the text.
        start: kind of the text, "sampler" or "query".
        accepted: a valid beginning of a text -> terminals that may follow it.
    """
    if isinstance(unexpected, UnexpectedCharacters):
        at = unexpected.pos_in_stream or 0
        if text.startswith("||", at):
            hint = "write `or`; texts cannot be joined"
            return TQLUnsupportedError("|| is not supported", source=text, span=Span(at, at + 2), hint=hint)
        stop = len(text) if text[at] in "'\"" else at + 1
        what = "unclosed quote" if text[at] in "'\"" else f"unexpected character {text[at]!r}"
        character = hint_of_character(FaultPlace(text, Span(at, stop), "", (), start))
        return TQLSyntaxError(what, source=text, span=Span(at, stop), hint=character)
    if not isinstance(unexpected, UnexpectedToken):
        raise AssertionError(f"lark raised {type(unexpected).__name__}") from unexpected
    token = unexpected.token
    if token.type == "$END":
        what, span = "the text ends too early", Span(len(text), len(text))
    else:
        what, span = f"unexpected {str(token)[:40]!r}", Span(token.start_pos or 0, token.end_pos or 0)
    terminals = set(unexpected.accepts or ()) if start == "sampler" else set()
    if not terminals or {"AND", "OR"} & terminals:  # a sum ends before `and`, but could have continued
        terminals = accepted(text[: span.start]) or unexpected.expected
    advice = hint_of_token(FaultPlace(text, span, token.type, terminals, start))
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
    """Return class, message and hint for a word that a user may expect to be valid here."""
    word = str(token).lower()
    unexpected = f"unexpected {str(token)[:40]!r}"
    if start == "query":
        if not re.sub(r"--[^\n]*", "", before).strip(" \t\r\n\f("):
            if token.type == "NAME" and word in keywords.WRITES:
                return TQLUnsupportedError, f"{word.upper()} is not supported: a query only reads", None
            hint = "start a query with SELECT, as in: select * where age > 60"
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
        if "OR" in left:  # else `and` belongs to `between`
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
