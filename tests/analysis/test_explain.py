"""The text of `explain`: its tree, and the arms in its table."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tql_frames.pipeline.draw import shuffled


def test_a_function_of_a_weight_choice_is_a_branch() -> None:
    found = pl.DataFrame({"a": [1, 2]}).tql.explain("abs(max_weight(a > 1: 2, true: 1))").splitlines()
    assert found[:4] == ["abs", "└─ max_weight", "   ├─ a > 1: 2", "   └─ true: 1"]


@pytest.mark.filterwarnings("ignore::tql_frames.TQLArmWarning")
@pytest.mark.parametrize(("length", "whole"), [(59, True), (60, True), (61, False)])
def test_arms_of_more_than_sixty_characters_are_cut(length: int, whole: bool) -> None:
    word = "x" * (length - len("contains(s, ''): 2"))
    arm = f"contains(s, '{word}'): 2"
    assert len(arm) == length
    lines = pl.DataFrame({"s": ["y"]}).tql.explain(f"max_weight({arm}, true: 1)").splitlines()
    (row,) = (line for line in lines if line.startswith("contains"))
    assert row[:60] == (arm.ljust(60) if whole else arm[:59] + "…")


def test_the_order_of_an_epoch_is_pinned() -> None:
    """Positions that a seed has put into order stay there: another order is a change for every user."""
    assert shuffled(np.arange(8, dtype=np.uint32), 7).tolist() == [7, 1, 4, 6, 0, 5, 3, 2]
    assert shuffled(np.arange(8, dtype=np.uint32), 8).tolist() == [3, 0, 2, 4, 7, 1, 6, 5]
