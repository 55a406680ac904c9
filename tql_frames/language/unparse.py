"""Write trees as text that parses to an equal tree, and remove line ends and control characters for display."""

from __future__ import annotations

import re
from typing import TypeGuard

from tql_frames.language.keywords import RESERVED, SOMETIMES
from tql_frames.language.nodes import (
    CHAINED,
    And,
    Arithmetic,
    Arm,
    Array,
    Between,
    Call,
    Chain,
    Column,
    Combination,
    Comparison,
    Expand,
    FrameName,
    In,
    IsNull,
    Item,
    Join,
    Like,
    Limit,
    Literal,
    Negative,
    Node,
    Not,
    Or,
    Parameter,
    Positive,
    Sample,
    Select,
    Slice,
    SortKey,
    Star,
    Statement,
    Subquery,
    Subscript,
    Ungroup,
    Values,
    WeightChoice,
    Written,
    is_link,
)

_BARE_NAME = re.compile(r"[^\W\d]\w*")

# How tightly each node binds, loosest first; other nodes are primaries and never need parentheses.
_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGNED, _SUBSCRIPT = range(8)


def unparse(node: Node) -> str:
    """Return TQL text that parses to an equal tree, with only the necessary parentheses.

    Examples:
        >>> unparse(And((Column("a"), Or((Column("b"), Literal(True))))))
        'a and (b or true)'
    """
    match node:
        case Values():
            return ", ".join(map(_literal, node.constants()))
        case Literal(value):
            return _literal(value)
        case Column(name, frame):
            return f"{_name(frame)}.{_name(name)}" if frame is not None else _name(name)
        case Parameter():
            return "?"
        case Array(items, name):
            before = "array" if name is None else name.name if _is_array(name) else _inside(name, _SUBSCRIPT)
            return f"{before}[{', '.join(map(unparse, items))}]"
        case Positive(operand):
            return f"+{_inside(operand, _SIGNED)}"
        case Negative(operand):
            text = _inside(operand, _SIGNED)
            return f"- {text}" if text.startswith("-") else f"-{text}"  # `--` would start a comment
        case Arithmetic(operator, left, right):
            level = _SUM if operator in "+-" else _PRODUCT
            # A long flat chain is parsed as a `Chain`.
            long = isinstance(left, Chain) or (is_link(node) and node.chained >= CHAINED)
            return f"{_inside(left, level + long)} {operator} {_inside(right, level + 1)}"
        case Chain(operators, operands):
            level = 1 + (_SUM if operators[0] in "+-" else _PRODUCT)
            rest = zip(operators, operands[1:], strict=True)
            links = "".join(f" {operator} {_inside(operand, level)}" for operator, operand in rest)
            return _inside(operands[0], level) + links
        case Comparison(operator, left, right):
            return f"{_inside(left, _SUM)} {operator} {_inside(right, _SUM)}"
        case Not(operand):
            return f"not {_inside(operand, _NOT)}"
        case And(operands):
            return " and ".join(_inside(operand, _NOT) for operand in operands)
        case Or(operands):
            return " or ".join(_inside(operand, _AND) for operand in operands)
        case In(operand, items, negated):
            listed = ", ".join(map(unparse, items))
            return f"{_inside(operand, _SUM)} {_not(negated)}in ({listed})"
        case Between(operand, low, high, negated):
            bounds = f"{_inside(low, _SUM)} and {_inside(high, _SUM)}"
            return f"{_inside(operand, _SUM)} {_not(negated)}between {bounds}"
        case Like(operand, pattern, negated, ignore_case):
            verb = "ilike" if ignore_case else "like"
            return f"{_inside(operand, _SUM)} {_not(negated)}{verb} {_inside(pattern, _SUM)}"
        case IsNull(operand, negated):
            return f"{_inside(operand, _SUM)} is {_not(negated)}null"
        case Call(name, arguments):
            return f"{name}({', '.join(map(unparse, arguments))})"
        case WeightChoice(name, arms):
            return f"{name}({', '.join(map(unparse, arms))})"
        case Arm(condition, weight):
            return f"{unparse(condition)}: {unparse(weight)}"
        case Slice(start, stop, step):
            bounds = f"{unparse(start) if start else ''}:{unparse(stop) if stop else ''}"
            return f"{bounds}:{unparse(step)}" if step else bounds
        case Subscript(operand, indices):
            return f"{_inside(operand, _SUBSCRIPT)}[{', '.join(map(unparse, indices))}]"
    return _unparse_statement(node)


def _unparse_statement(node: Node) -> str:
    match node:
        case Star(frame, indices):
            star = f"{_name(frame)}.*" if frame is not None else "*"
            return f"{star}[{', '.join(map(unparse, indices))}]" if indices else star
        case Item(expression, alias):
            return unparse(expression) + _as(alias)
        case FrameName(name, alias):
            return _name(name) + _as(alias)
        case Subquery(statement, alias):
            return f"({unparse(statement)}){_as(alias)}"
        case Join(left, kind, right, condition, using):
            how = f" on {unparse(condition)}" if condition is not None else ""
            how += f" using ({', '.join(map(_name, using))})" if using else ""
            return f"{unparse(left)} {kind} join {unparse(right)}{how}"
        case Expand(before, after, overlap, alias):
            return f"expand by {unparse(before)} {unparse(after)}{' overlap true' if overlap else ''}{_as(alias)}"
        case Ungroup(parts):
            return f"ungroup by {unparse(parts) if parts is not None else 'split'}"
        case SortKey(expression, descending):
            return unparse(expression) + (" desc" if descending else "")
        case Limit(count, percent):
            return f"limit {unparse(count)}{' percent' if percent else ''}"
        case Sample(sampler, replace, limit, over, design):
            groups = f"over ({', '.join(map(unparse, over))})" if over else ""
            clauses = ["sample by", unparse(sampler), groups, f"design {design}" if design else ""]
            clauses += ["" if replace else "replace false", _clause("", limit)]
        case Select(items, distinct, top, source, where, expand, groups, ungroup):
            clauses = ["select distinct" if distinct else "select", _clause("top", top), ", ".join(map(unparse, items))]
            clauses += [_clause("from", source), _clause("where", where), _clause("", expand)]
            clauses += [f"group by {', '.join(map(unparse, groups))}" if groups else "", _clause("", ungroup)]
        case Combination(left, operator, right):
            first = unparse(left) if isinstance(left, Combination) else _bracketed(left)
            clauses = [first, operator, _bracketed(right)]
        case Statement(body, keys, limit, offset, sample):
            clauses = [f"({unparse(body)})" if isinstance(body, Statement) else unparse(body)]
            clauses += [f"order by {', '.join(map(unparse, keys))}" if keys else "", _clause("", limit)]
            clauses += [_clause("offset", offset), _clause("", sample)]
        case _:
            raise AssertionError(f"no unparse rule for {type(node).__name__}")
    return " ".join(filter(None, clauses))


def _clause(word: str, node: Node | None) -> str:
    return f"{word} {unparse(node)}".strip() if node is not None else ""


def _as(alias: str | None) -> str:
    return "" if alias is None else f" as {_name(alias)}"


def _bracketed(operand: Node) -> str:
    return unparse(operand) if isinstance(operand, Select) else f"({unparse(operand)})"


def _inside(node: Node, level: int) -> str:
    """Return the text of a node, in parentheses if it binds less tightly than `level`."""
    text = unparse(node)
    return text if _binding(node) >= level else f"({text})"


def _binding(node: Node) -> int:
    match node:
        case Or():
            return _OR
        case And():
            return _AND
        case Not():
            return _NOT
        case Comparison() | In() | Between() | Like() | IsNull():
            return _COMPARE
        case Arithmetic(operator, _, _):
            return _SUM if operator in "+-" else _PRODUCT
        case Chain(operators, _):
            return _SUM if operators[0] in "+-" else _PRODUCT
        case Negative() | Positive():
            return _SIGNED
    return _SUBSCRIPT


def _literal(value: int | float | str | bool | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value.exact) if isinstance(value, Written) else repr(value)


def _name(name: str) -> str:
    if _BARE_NAME.fullmatch(name) and name.lower() not in RESERVED | SOMETIMES:
        return name
    return '"' + name.replace('"', '""') + '"'


def _is_array(word: Node) -> TypeGuard[Column]:
    return isinstance(word, Column) and word.frame is None and word.name.lower() == "array"


def _not(negated: bool) -> str:
    return "not " if negated else ""


# Control characters, and line and paragraph separators, end a line or move the cursor; marks that override the
# direction of writing change the order of the characters beside them.
_CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_ANY = re.compile(f"[{_CONTROLS}]")
_WITHIN_LINES = re.compile(f"(?!\n)[{_CONTROLS}]")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


def on_one_line(text: str) -> str:
    r"""Return the text with a space for each control character, including line ends.

    Examples:
        >>> on_one_line("a\x1b[31m\nb")
        'a [31m b'
    """
    return _ANY.sub(" ", text)


def on_lines(text: str) -> str:
    r"""Return the text with a space for each control character except line ends.

    Examples:
        >>> on_lines("a\x1b[31m\nb")
        'a [31m\nb'
    """
    return _WITHIN_LINES.sub(" ", text)


def sampler_on_lines(text: str) -> str:
    r"""Return TQL text with a space for each control character, except line ends outside of quoted text.

    Examples:
        >>> sampler_on_lines("max_weight(\n  label == 'a\nb': 2\n)")
        "max_weight(\n  label == 'a b': 2\n)"
    """
    return on_lines(_QUOTED.sub(lambda quoted: on_one_line(quoted.group()), text))
