"""Trees with some of their nodes replaced; the rest stays as it was read, spans and all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tql_frames.language.nodes import Node


def replaced(node: Node, other: Callable[[Node], Node | None]) -> Node:
    """Return the tree with other nodes in it.

    Args:
        node: the tree; it is not changed.
        other: the node to put in the place of one, whose own children are then not looked at; None to keep it.

    Examples:
        >>> from tql_frames.language import parse, unparse
        >>> from tql_frames.language import nodes
        >>> threes = replaced(parse("age + 2 * 2"), lambda node: nodes.Literal(3) if node == nodes.Literal(2) else None)
        >>> unparse(threes)
        'age + 3 * 3'
    """
    found = other(node)
    if found is not None:
        return found
    changes: dict[str, Any] = {}
    for each in dataclasses.fields(node):
        value = getattr(node, each.name)
        if isinstance(value, Node):
            new: Any = replaced(value, other)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            new = tuple(replaced(item, other) if isinstance(item, Node) else item for item in value)
        else:
            continue
        if new != value:
            changes[each.name] = new
    return dataclasses.replace(node, **changes) if changes else node
