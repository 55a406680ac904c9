"""Which columns are trained on, and as what: checked once, for all kinds of data sets.

How they are held is known in `table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch

from tql_frames.errors import TQLError, TQLNameError, did_you_mean
from tql_frames.torch.columns import EncodedColumn
from tql_frames.torch.encodings import ENCODINGS, Kind
from tql_frames.torch.serialization import BatchRows

_TOLD = 10  # columns that a text names


@dataclass(frozen=True)
class ColumnSpec:
    """Names of columns.

    Attributes:
        features: in their order.
        target: the one that is the target, or None.
        encode: encodings by name.
        classes: labels by name, in the order of their codes, where a caller gives them.
    """

    features: tuple[str, ...]
    target: str | None
    encode: Mapping[str, Kind]
    classes: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        labels: Sequence[object],
        columns: Sequence[str] | None,
        target: str | None,
        encode: Mapping[str, str] | None,
        classes: Mapping[str, Sequence[Any]] | None = None,
    ) -> ColumnSpec:
        """Return what a caller wants of the columns there are.

        Raises:
            TQLError: a name is unknown or comes twice, or there is no such encoding, or nothing is wanted.
        """
        names = [label for label in labels if isinstance(label, str)]
        if columns is None and len(names) < len(labels):
            label = next(label for label in labels if not isinstance(label, str))
            hint = "name the columns that are wanted: columns=[…]"
            raise TQLError(f"column {label!r} has a label that is no text, by which its values could go", hint=hint)
        encode = encode or {}
        if isinstance(columns, str):
            raise TQLError(f"columns is a list of names, not the text {columns!r}", hint=f"columns=[{columns!r}]")
        for name in [*(columns or ()), *encode, *([] if target is None else [target])]:
            if name not in names:
                raise TQLNameError(f"unknown column {name!r}", hint=did_you_mean(str(name), names))
        features = [name for name in names if name != target] if columns is None else list(columns)
        if len(set(features)) < len(features):
            raise TQLError("a column is named twice in columns")
        for name, kind in encode.items():
            if kind not in ENCODINGS:
                raise TQLError(f"{kind!r} is no encoding of column {name!r}", hint="there are 'label' and 'multi_hot'")
            if name not in features and name != target:
                raise TQLError(f"encode names column {name!r}, which is neither a feature nor the target")
        if classes is not None and not isinstance(classes, Mapping):
            message = f"classes must be a dict of lists by column name, not {type(classes).__name__}"
            raise TQLError(message, hint="classes={'sex': ['F', 'M']}")
        for name, labels_of in (classes or {}).items():
            if name not in encode:
                raise TQLError(
                    f"classes names column {name!r}, which encode does not", hint=f"encode={{{name!r}: 'label'}}"
                )
            if isinstance(labels_of, (str, bytes)) or not isinstance(labels_of, Iterable):
                raise TQLError(f"classes of column {name!r} must be a list of labels, not {labels_of!r}")
        if not features and target is None:
            raise TQLError("there is no column to train on")
        declared = {name: list(each) for name, each in (classes or {}).items()}
        return cls(tuple(features), target, cast("Mapping[str, Kind]", encode), declared)

    @property
    def names(self) -> list[str]:
        """All columns, each once."""
        return list(dict.fromkeys([*self.features, *([] if self.target is None else [self.target])]))

    def rows(self, columns: Mapping[str, EncodedColumn], places: torch.Tensor) -> BatchRows:
        """Return what the rows at places hold; `places` has the shape (k,)."""
        taken: dict[str, Any] = {name: column.take(places) for name, column in columns.items()}
        target = None if self.target is None else taken[self.target]
        return BatchRows({name: taken[name] for name in self.features}, len(places), target)


def described(size: int, wanted: ColumnSpec, classes: Mapping[str, Sequence[Any]]) -> str:
    """Return the size and columns of a data set, in words.

    Example:
        >>> wanted = ColumnSpec(("age", "sex"), "findings", {"sex": "label", "findings": "multi_hot"})
        >>> described(1200, wanted, {"sex": ["F", "M"], "findings": ["Hernia"]})
        '1,200 rows: age, sex (label, 2 classes); target findings (multi_hot, 1 class)'
    """

    def told(name: str) -> str:
        if name not in wanted.encode:
            return name
        count = len(classes[name])
        return f"{name} ({wanted.encode[name]}, {count:,} class{'es' * (count != 1)})"

    features = ", ".join(map(told, wanted.features[:_TOLD]))
    if len(wanted.features) > _TOLD:
        features += f" and {len(wanted.features) - _TOLD:,} more"
    target = "" if wanted.target is None else f"; target {told(wanted.target)}"
    return f"{size:,} row{'s' * (size != 1)}: {features or 'no features'}{target}"
