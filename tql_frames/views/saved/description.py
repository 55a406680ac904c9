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
from tql_frames.views.saved.fingerprint import Fingerprint


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
    saved: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    versions: Mapping[str, str] = field(default_factory=_versions)

    def to_json(self) -> dict[str, Any]:
        """Its attributes; of a column that keeps its label no label is told."""
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
            "frame": self.frame.to_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Description:
        """The description of such attributes."""
        columns = values["columns"]
        return cls(
            kind=values["kind"],
            steps=tuple(Step.from_json(each) for each in values["steps"]),
            columns=columns and tuple((name, label) for name, label in columns),
            index=values["index"],
            ignore_index=values["ignore_index"],
            frame=Fingerprint.from_json(values["frame"]),
            message=values["message"],
            saved=dt.datetime.fromisoformat(values["saved"]),
            versions=values["versions"],
        )

    def columns_in(self, frame: Fingerprint, labels: tuple[object, ...]) -> tuple[Column, ...] | None:
        """The columns of the view in a frame that holds the same, perhaps in another order."""
        if self.columns is None:
            return None
        places = {each.name: place for place, each in enumerate(frame.columns)}
        return tuple(
            Column(places[name], labels[places[name]] if label is None else label) for name, label in self.columns
        )
