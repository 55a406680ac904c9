"""Resolve the names in an expression: columns of one or several joined frames, and aliases.

`translate` translates the values of names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from tql_frames.compiler.expressions.types import DataType, instance
from tql_frames.errors import Fault, TQLError, TQLNameError, did_you_mean, lone_surrogate
from tql_frames.language import nodes


class Scope(Protocol):
    """Finds columns by name."""

    def find(self, node: nodes.Column) -> tuple[str, DataType]:
        """Return the name of the Polars column, and its type.

        Raises:
            Fault: there is no such column, or it cannot be read.
        """

    def find_nulls(self, node: nodes.Column) -> str:
        """Return the name of a Polars column that is null in the same rows, and may hold other values elsewhere.

        Raises:
            Fault: there is no such column, or it is not known which of its values are null.
        """

    def knows(self, name: str) -> bool:
        """Return whether a column or an alias has this name."""


class SchemaScope:
    """The columns of one frame."""

    def __init__(self, schema: Mapping[str, DataType]) -> None:
        """Store the schema; an adapter may resolve a type only when it is looked up."""
        self._schema = schema

    def find(self, node: nodes.Column) -> tuple[str, DataType]:
        """Return the name and type of the column."""
        if node.frame is not None:
            raise _no_frame(node, self._schema)
        try:
            return node.name, instance(self._schema[node.name])
        except KeyError:
            raise unknown_column(node, self._schema) from None
        except TQLError as fault:  # the column exists but cannot be read
            raise Fault(type(fault), fault.message, node.span, fault.hint) from None

    def find_nulls(self, node: nodes.Column) -> str:
        """Return the name of the column, which may be one that cannot be read."""
        if node.frame is None:
            try:
                self._schema[node.name]
            except KeyError:
                pass
            except TQLError as fault:
                if fault.nulls_known:
                    return nulls_of(node.name)
        return self.find(node)[0]

    def knows(self, name: str) -> bool:
        """Return whether a column has this name."""
        return name in self._schema


@dataclass(frozen=True)
class Field:
    """A column of a relation.

    Attributes:
        label: its name; in pandas frames any object.
        key: name of the Polars column; equal to the label, except for columns of the same name in a join.
        dtype: Polars type; or an error if the column cannot be read, which is raised if an expression names it; or
            None if no expression names it, so that it was not read.
        origin: position of its column in the native frame; None if it was computed.
        frames: names of its source frames in the statement.
        within: after GROUP BY, the field whose values the lists hold.
    """

    label: object
    key: str
    dtype: DataType | TQLError | None
    origin: int | None = None
    frames: tuple[str, ...] = ()
    within: Field | None = None

    @property
    def known(self) -> DataType:
        """Type of a field that was read.

        Raises:
            TQLError: it cannot be read.
        """
        if isinstance(self.dtype, TQLError):
            raise self.dtype
        assert self.dtype is not None
        return self.dtype


class FieldScope:
    """The columns of a relation; aliases come before columns of the same name."""

    def __init__(
        self, fields: Iterable[Field], aliases: Mapping[str, Field] | None = None, later: Collection[str] = ()
    ) -> None:
        """Store the fields.

        Args:
            fields: columns that may be named.
            aliases: further names.
            later: names that only later clauses may use, for a hint.
        """
        self._by_label: dict[object, list[Field]] = {}
        self._frames: set[str] = set()
        for field in fields:
            self._by_label.setdefault(field.label, []).append(field)
            self._frames.update(field.frames)
        for label in [label for label in self._by_label if not isinstance(label, str)]:
            if (name := text_of(label)) is not None:
                self._by_label.setdefault(name, self._by_label[label])
        self._aliases = aliases or {}
        self._later = later

    def find(self, node: nodes.Column) -> tuple[str, DataType]:
        """Return the name and type of the column."""
        field = self.field(node)
        if isinstance(field.dtype, TQLError):
            raise Fault(type(field.dtype), field.dtype.message, node.span, field.dtype.hint)
        return field.key, instance(field.known)

    def find_nulls(self, node: nodes.Column) -> str:
        """Return the name of the column, which may be one that cannot be read."""
        field = self.field(node)
        known = isinstance(field.dtype, TQLError) and field.dtype.nulls_known
        return field.key if known else self.find(node)[0]

    def knows(self, name: str) -> bool:
        """Return whether a column or an alias has this name."""
        return name in self._aliases or name in self._by_label

    def field(self, node: nodes.Column) -> Field:
        """Return the field that a column names.

        Raises:
            Fault: no field has the name, or several have it.
        """
        if node.frame is None and node.name in self._aliases:
            return self._aliases[node.name]
        found = self._by_label.get(node.name, [])
        if node.frame is not None:
            if node.frame not in self._frames:
                raise _no_frame(node, self._by_label, self._frames)
            found = [field for field in found if node.frame in field.frames]
        if not found and node.frame is None and node.name in self._later:
            advice = "use the alias in ORDER BY or SAMPLE BY, or outside: SELECT * FROM (SELECT … AS …) WHERE …"
            raise Fault(TQLNameError, f"unknown column {node.name!r}", node.span, advice)
        if not found:
            raise unknown_column(node, [*self._aliases, *filter(_is_text, self._by_label)])
        if len(found) > 1 and isinstance(twice := found[0].dtype, TQLError):
            raise Fault(type(twice), twice.message, node.span, twice.hint)
        if len(found) > 1:
            owners = [field.frames[0] for field in found if field.frames]
            hint = f"write {' or '.join(f'{owner}.{node.name}' for owner in owners)}" if owners else None
            raise Fault(TQLNameError, f"column {node.name!r} is ambiguous", node.span, hint)
        return found[0]


def _is_text(label: object) -> bool:
    return isinstance(label, str)


def unknown_column(node: nodes.Column, names: Iterable[object]) -> Fault:
    """Return the error for a name that no column has."""
    texts = [name for name in names if isinstance(name, str)]
    quoted = node.frame is None and node.span.stop - node.span.start > len(node.name)
    hint = did_you_mean(node.name, texts) or ("write a text in single quotes" if quoted else None)
    if node.frame is None and not quoted:
        hint = _MEANT.get(node.name.lower(), hint)
    return Fault(TQLNameError, f"unknown column {node.name!r}", node.span, hint)


_DEFAULT = "write True: weight for rows that match no other arm"
_NULL = "write null for a missing value, and x is null to test for one"
# Names of other languages that are not columns, and what to write instead.
_MEANT = {
    **dict.fromkeys(("else", "default", "otherwise", "rest", "others"), _DEFAULT),
    **dict.fromkeys(("none", "nan", "na", "nil", "nat", "missing"), _NULL),
    **dict.fromkeys(("inf", "infinity"), "write 1e308 for a number above all others"),
    "current_date": "write the date in single quotes, such as '2024-05-01'",
    "today": "write the date in single quotes, such as '2024-05-01'",
}


def _no_frame(node: nodes.Column, columns: Iterable[object], frames: Iterable[str] = ()) -> Fault:
    known = set(columns)
    hint = f"write {node.frame}['{node.name}'] for a key of a struct" if node.frame in known else None
    if (dotted := f"{node.frame}.{node.name}") in known:
        hint = f'write "{dotted}" in double quotes'
    hint = hint or did_you_mean(str(node.frame), frames)
    return Fault(TQLNameError, f"no frame is named {node.frame!r} here", node.span, hint)


def text_of(label: object) -> str | None:
    """Return the name of a column in expressions: `"0"` for the label 0, `"a.b"` for the levels `('a', 'b')`.

    A missing label has no name.
    """
    if isinstance(label, str):
        return label
    try:
        missing = label is None or bool(label != label)  # noqa: PLR0124 - NaN
    except TypeError:  # pandas.NA
        missing = True
    if missing:
        return None
    return ".".join(map(str, label)) if isinstance(label, tuple) else str(label)


_NULLS = "tql_frames nulls of: "


def nulls_of(name: str) -> str:
    """Return the name of the stand-in for a column that cannot be read: null in the same rows, and true elsewhere."""
    return _NULLS + name


def with_nulls_of(name: str) -> str | None:
    """Return the name of the column that a stand-in represents; None if the Polars column is not a stand-in."""
    return name.removeprefix(_NULLS) if name.startswith(_NULLS) else None


def is_pattern(name: str) -> bool:
    """Return whether Polars reads a name as a pattern over all columns."""
    return name.startswith("^") and name.endswith("$")


def is_odd(label: object) -> bool:
    """Return whether a label cannot name a column in a plan: not a text, a pattern, or not encodable."""
    return not isinstance(label, str) or label == "*" or is_pattern(label) or lone_surrogate(label) is not None


def column(name: str) -> pl.Expr:
    """Return the column with exactly this name."""
    if name == "*" or is_pattern(name):
        return pl.col("^" + "".join("\\" + char if char in r"\.+*?()|[]{}^$#&-~" else char for char in name) + "$")
    try:
        return pl.col(name)
    except UnicodeEncodeError:
        message = f"unknown column {name!r}"
        raise TQLNameError(message, hint="half a surrogate pair is no character of a name") from None
