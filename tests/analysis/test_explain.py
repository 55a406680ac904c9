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


@pytest.mark.filterwarnings("ignore::tql_frames.TQLArmWarning")
@pytest.mark.parametrize("sampler", ["max_weight(a > 1: 0, true: 0)", "max_weight(a > 1: a - a, true: 0)"])
def test_weights_may_all_be_0(sampler: str) -> None:
    found = pl.DataFrame({"a": [1, 2]}).tql.explain(sampler)
    assert [line.split()[-1] for line in found.split("\n\n")[1].splitlines()[1:]] == ["-", "-"]
    assert "2 rows, 0 of positive weight" in found


@pytest.mark.parametrize("weight", ["2", "a", "random() * 0 + 2"])
def test_shares_of_deciding_arms_are_those_of_a_report(weight: str) -> None:
    frame, sampler = pl.DataFrame({"a": [1, 2, 2]}), f"max_weight(a > 1: {weight}, true: 1)"
    rows = frame.tql.explain(sampler).split("\n\n")[1].splitlines()[1:]
    assert [line.split()[-3:] for line in rows] == [["66.67%", "2", "80.00%"], ["100.00%", "1", "20.00%"]]
    arms = frame.tql.report(sampler).arms
    assert arms is not None and arms["decides"].to_list() == [2, 1]


@pytest.mark.parametrize("weight", ["1e308", "a * 1e308"])
def test_the_sum_of_the_weights_may_be_beyond_the_range_of_numbers(weight: str) -> None:
    found = pl.DataFrame({"a": [1.0, 1.0, 0.0]}).tql.explain(f"max_weight(a > 0: {weight}, true: 0)")
    assert "100.00%" in found.split("\n\n")[1].splitlines()[1]


def test_the_order_of_an_epoch_is_pinned() -> None:
    """Positions that a seed has put into order stay there: another order is a change for every user."""
    assert shuffled(np.arange(8, dtype=np.uint32), 7).tolist() == [7, 1, 4, 6, 0, 5, 3, 2]
    assert shuffled(np.arange(8, dtype=np.uint32), 8).tolist() == [3, 0, 2, 4, 7, 1, 6, 5]
