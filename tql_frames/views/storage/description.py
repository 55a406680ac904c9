"""What the file of a view tells besides row positions: how they were drawn, of what frame, when, with what versions."""

from __future__ import annotations

import datetime as dt
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from tql_frames.frames import Column
from tql_frames.views.provenance import Step
from tql_frames.views.storage.fingerprint import Fingerprint, names_of


def _versions() -> dict[str, str]:
    package = sys.modules[__name__.partition(".")[0]]  # imported it would be a layer above
    libraries = {"polars": pl, "pandas": pd, "numpy": np}
    found = {name: library.__version__ for name, library in libraries.items()}
    return {"tql_frames": package.__version__, **found, "python": platform.python_version()}


@dataclass(frozen=True)
class Description:
    """What a file tells of a view.

    Attributes:
        kind: library and class of the frame.
        steps: how its rows were drawn, the last one from the rows of those before.
        columns: name in the fingerprint and label of each column; None for all, as they are.
        index: the option of `sample`.
        ignore_index: the same.
        frame: what the frame holds.
        needs: names of the columns that it was drawn by or has, as the fingerprint has them; None for all.
        message: the user's.
        saved: when.
        versions: of this package, the libraries and Python.
    """

    kind: str
    steps: tuple[Step, ...]
    columns: tuple[tuple[str, object], ...] | None
    index: str | None
    ignore_index: bool
    frame: Fingerprint
    message: str
    needs: tuple[str, ...] | None = None
    saved: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    versions: Mapping[str, str] = field(default_factory=_versions)

    def to_json(self) -> dict[str, Any]:
        """Return its attributes; of a column that keeps its label no label is told."""
        columns = self.columns
        return {
            "versions": dict(self.versions),
            "saved": self.saved.isoformat(),
            "message": self.message,
            "kind": self.kind,
            "steps": [step.to_json() for step in self.steps],
            "columns": columns and [[name, None if repr(label) == name else label] for name, label in columns],
            "index": self.index,
            "ignore_index": self.ignore_index,
            "needs": self.needs,
            "frame": self.frame.to_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Description:
        """Return the description of such attributes.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: they are not those of a view.
        """
        columns, needs = values["columns"], values.get("needs")
        found = cls(
            kind=_text(values["kind"]),
            steps=tuple(Step.from_json(each) for each in values["steps"]),
            columns=columns and tuple((_text(name), label) for name, label in columns),
            index=None if values["index"] is None else _text(values["index"]),
            ignore_index=bool(values["ignore_index"]),
            frame=Fingerprint.from_json(values["frame"]),
            message=_text(values["message"]),
            needs=None if needs is None else tuple(map(_text, needs)),
            saved=dt.datetime.fromisoformat(values["saved"]),
            versions={_text(name): _text(version) for name, version in values["versions"].items()},
        )
        names = {each.name for each in found.frame.columns}
        if not found.steps or not set(found.outputs) | set(found.needs or ()) <= names:
            raise ValueError("no steps, or columns that are not those of the frame")
        return found

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the columns that the view has; none where it has all."""
        return () if self.columns is None else tuple(name for name, _ in self.columns)

    def columns_in(self, labels: tuple[object, ...]) -> tuple[Column, ...] | None:
        """Return the columns of the view in a frame of such labels that has them, perhaps in another order."""
        if self.columns is None:
            return None
        places = {name: place for place, name in enumerate(names_of(labels))}
        return tuple(
            Column(places[name], labels[places[name]] if label is None else label) for name, label in self.columns
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where text is expected")
    return value
