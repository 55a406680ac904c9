"""Files of views that are whole and yet not those of a view."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tql_frames
from tests.views.test_view_files import FRAME
from tql_frames import TQLError, load_view
from tql_frames.views.storage import file as view_file


def forged(path: Path, change: Callable[[dict[str, Any]], Any], positions: Any = (0, 2, 2)) -> None:
    """A file with a valid checksum and another content."""
    FRAME.tql.view("select s as text, age where w > ? limit 3", parameters=[0], seed=1).save(path)
    description = json.loads(pa.parquet.read_metadata(path).metadata[b"tql_frames.view"])
    changed = change(description)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view_file, "_FORMAT", description.pop("format", None))
        dumps = json.dumps
        patch.setattr(view_file.json, "dumps", lambda _: dumps(description if changed is None else changed))
        view_file.write_file(path, np.array(positions, np.int64), {})


PLACES = ["versions", "saved", "message", "kind", "steps", "columns", "index", "ignore_index", "frame"]
INNER = [("steps", 0, name) for name in ("text", "kind", "seed", "parameters")]
INNER += [("frame", name) for name in ("rows", "columns", "index", "bag")]  # type: ignore[list-item]


def put(description: Any, place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        description = description[key]
    if value is ...:
        del description[place[-1]]
    else:
        description[place[-1]] = value


class TestForgedFiles:
    def test_the_forge_makes_files_that_load(self, path: Path) -> None:
        def same(description: dict[str, Any]) -> Any:
            return {"format": 2, **{name: value for name, value in description.items() if name != "format"}}

        forged(path, same)
        assert load_view(path, FRAME).positions.tolist() == [0, 2, 2]

    @pytest.mark.fault("E7")
    @pytest.mark.parametrize("place", [(name,) for name in PLACES] + INNER, ids=str)
    def test_missing_and_wrong_values(self, path: Path, place: tuple[Any, ...]) -> None:
        optional = place[-1] in ("columns", "index", "ignore_index", "parameters")
        for value in (..., 5.5, {"a": 1}, [[1, 2, 3]], [None], "text", None):
            allowed = (optional and len(place) < 3 and value in (None, "text")) or place[-1] == "ignore_index"
            allowed |= place == ("steps", 0, "parameters") or (
                isinstance(value, str) and place[-1] in ("message", "text", "bag")
            )
            allowed |= isinstance(value, str) and place == ("kind",)

            def change(description: dict[str, Any], value: Any = value) -> Any:
                content = {"format": 2, **{name: each for name, each in description.items() if name != "format"}}
                put(content, place, value)
                return content

            forged(path, change)
            for read in (tql_frames.read_view, lambda path: load_view(path, FRAME)):
                try:
                    read(path)
                except TQLError:
                    continue
                assert allowed or value is ..., (place, value)
            if value is ... and place[-1] != "parameters":
                with pytest.raises(TQLError, match="no view that tql_frames saved"):
                    tql_frames.read_view(path)

    @pytest.mark.fault("E7")
    @pytest.mark.parametrize(
        "content", [None, 5, [], "text", {}, {"format": 0}, {"format": "2"}, {"format": 2}, {"format": True}]
    )
    def test_no_description(self, path: Path, content: Any) -> None:
        forged(path, lambda _: [] if content is None else content)
        for read in (tql_frames.read_view, lambda path: load_view(path, FRAME)):
            with pytest.raises(TQLError, match="no view that tql_frames saved"):
                read(path)

    @pytest.mark.fault("E7")
    @pytest.mark.parametrize("positions", [[6], [0, -1], [2**40], [5, 6, 0]], ids=str)
    def test_positions_out_of_range(self, path: Path, positions: list[int]) -> None:
        forged(path, lambda each: {"format": 2, **each}, positions)
        for read in (tql_frames.read_view, lambda path: load_view(path, FRAME)):
            with pytest.raises(TQLError, match="it has positions beyond its 6 rows"):
                read(path)

    @pytest.mark.fault("E7")
    def test_a_newer_format_without_versions(self, path: Path) -> None:
        forged(path, lambda _: {"format": 99})
        with pytest.raises(TQLError, match="in a newer format"):
            tql_frames.read_view(path)
