"""Which columns are trained on, and as what: checked once, for all kinds of data sets.

How they are held is known in `table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch

from tql_frames.errors import TQLError, TQLNameError, did_you_mean
from tql_frames.torch.columns import Column
from tql_frames.torch.encodings import ENCODINGS, Kind
from tql_frames.torch.rows import Rows


@dataclass(frozen=True)
class Wanted:
    """Names of columns.

    Attributes:
        features: in their order.
        target: the one that is the target, or None.
        encode: encodings by name.
    """

    features: tuple[str, ...]
    target: str | None
    encode: Mapping[str, Kind]

    @classmethod
    def of(
        cls,
        labels: Sequence[object],
        columns: Sequence[str] | None,
        target: str | None,
        encode: Mapping[str, str] | None,
    ) -> Wanted:
        """What a caller wants of the columns there are.

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
        if not features and target is None:
            raise TQLError("there is no column to train on")
        return cls(tuple(features), target, cast("Mapping[str, Kind]", encode))

    @property
    def names(self) -> list[str]:
        """All columns, each once."""
        return list(dict.fromkeys([*self.features, *([] if self.target is None else [self.target])]))

    def rows(self, columns: Mapping[str, Column], places: torch.Tensor) -> Rows:
        """What the rows at places hold; `places` has the shape (k,)."""
        taken: dict[str, Any] = {name: column.take(places) for name, column in columns.items()}
        target = None if self.target is None else taken[self.target]
        return Rows({name: taken[name] for name in self.features}, len(places), target)
