"""List the small changes that can be made to a module.

Tests are chosen in `covering` and run in `trial`.
"""

from __future__ import annotations

import ast
import copy
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
_NAMES |= {"floor": "ceil", "ceil": "floor", "head": "tail", "tail": "head"}


@dataclass(frozen=True)
class Change:
    """A part of a module and what stands there instead.

    Attributes:
        path: of the module, from the root of the project.
        line: first line of the part, from 1.
        start: offset of the part in the text.
        stop: offset of its end.
        new: what stands there instead.
    """

    path: str
    line: int
    start: int
    stop: int
    new: str

    def apply(self, text: str) -> str:
        """Return the text of the module after the change."""
        return text[: self.start] + self.new + text[self.stop :]

    def diff(self, text: str) -> str:
        """Return the changed lines, `-` before the old and `+` before the new, under the path."""
        lines = unified_diff(text.splitlines(), self.apply(text).splitlines(), lineterm="", n=0)
        changed = [
            line[0] + " " + line[1:].strip() for line in lines if line[:3] not in {"---", "+++"} and line[0] in "-+"
        ]
        return "\n".join([self.path, *changed])


def changes_of(path: str, text: str) -> list[Change]:
    """List all changes of a module, in the order of its lines."""
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    encoded = text.encode()

    def offset(line: int, column: int) -> int:
        return len(encoded[: starts[line - 1] + column].decode())

    found = set()
    for node, new in _replacements(ast.parse(text)):
        assert node.end_lineno is not None and node.end_col_offset is not None
        start, stop = offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)
        found.add(Change(path, node.lineno, start, stop, new))
    return sorted(found, key=lambda change: (change.start, change.stop, change.new))


def sample(root: Path, package: str, number: int, seed: int) -> list[Change]:
    """Choose changes at random: from each folder in proportion to its changes, two at the least."""
    rng = random.Random(seed)
    folders: dict[str, list[Change]] = defaultdict(list)
    for file in sorted((root / package).rglob("*.py")):
        path = file.relative_to(root).as_posix()
        folders[file.parent.relative_to(root).as_posix()] += changes_of(path, file.read_text(encoding="utf-8"))
    total = sum(map(len, folders.values()))
    chosen: list[Change] = []
    for _, changes in sorted(folders.items()):
        wanted = max(2, math.ceil(number * len(changes) / max(total, 1)))
        chosen += rng.sample(changes, min(wanted, len(changes)))
    rng.shuffle(chosen)
    return chosen[:number]


def _replacements(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    for node in _code(tree):
        for new in _instead_of(node):
            unparsed = ast.unparse(ast.fix_missing_locations(new))
            yield node, f"({unparsed})" if isinstance(node, (ast.BinOp, ast.BoolOp, ast.Compare)) else unparsed


def _code(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield the statements and expressions that run: no annotations, texts of f-strings, docstrings or imports."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "type_params"} or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, (ast.Import, ast.ImportFrom)) or not isinstance(child, ast.AST):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, (ast.expr, ast.stmt)):
                yield child
            yield from _code(child)


def _instead_of(node: ast.expr | ast.stmt) -> Iterator[ast.AST]:
    def changed(**fields: object) -> ast.AST:
        new = copy.deepcopy(node)
        for name, value in fields.items():
            setattr(new, name, value)
        return new

    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                yield changed(ops=[*ops[:place], _SWAPS[type(op)](), *ops[place + 1 :]])
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in _SWAPS:
            yield changed(op=_SWAPS[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(value * 1.5 + 1e-3)
        case ast.Name(id=name, ctx=ast.Load()) if name in _NAMES:
            yield ast.Name(_NAMES[name])
        case ast.Attribute(attr=name, ctx=ast.Load()) if name in _NAMES:
            yield changed(attr=_NAMES[name])
        case ast.Call(args=[first, second, *rest]) if not isinstance(first, ast.Starred):
            if not isinstance(second, ast.Starred) and ast.dump(first) != ast.dump(second):
                yield changed(args=[second, first, *rest])
        case ast.IfExp(body=body, orelse=other):
            yield changed(body=other, orelse=body)
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
            yield ast.Pass()
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case _:
            return
