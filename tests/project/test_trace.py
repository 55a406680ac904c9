"""The way of a call: how many files of the package it passes, and how often it goes from one to another."""

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType

import polars as pl
import pytest

import tql_frames

ROOT = Path(tql_frames.__file__).parent
SAMPLER = "max_weight(age > 60: 5, True: 1)"
FRAME = pl.DataFrame({"age": [71, 34, 65, 20] * 250})


def way_of(call: Callable[[], object]) -> list[str]:
    """Return the files of the package whose functions a call enters, one an entry, in order."""
    files: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            files.append(str(path.relative_to(ROOT)))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return files


def changes_of(files: list[str]) -> int:
    """Return how often a function is entered that is in another file than the one before."""
    return sum(one != other for one, other in pairwise(files))


def test_a_sample_by_a_known_text_passes_few_files() -> None:
    def call() -> object:
        return FRAME.tql.sample(SAMPLER, limit=10, seed=1)  # type: ignore[attr-defined]

    call()  # reads the text
    files = way_of(call)
    assert {"namespace.py", "api.py", "pipeline/draw.py", "sampling/strata.py"} <= set(files)
    assert len(set(files)) <= 9, sorted(set(files))
    assert changes_of(files) <= 20, [one for one, other in pairwise([*files, ""]) if one != other]


@pytest.mark.parametrize(("calls", "changes"), [("aab", 1), ("abab", 3), ("aaaa", 0)])
def test_files_are_counted(calls: str, changes: int) -> None:
    def entered(name: str) -> CodeType:
        return compile("pass", str(ROOT / f"{name}.py"), "exec")

    codes = [entered(name) for name in calls]
    files = way_of(lambda: [exec(code) for code in codes])
    assert files == [f"{name}.py" for name in calls]
    assert changes_of(files) == changes
