"""Splits by key: each value goes to a part by a number of its own, whatever other rows there are."""

from __future__ import annotations

import datetime as dt
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
import pytest

import tql_frames
from tests.views.frames import KINDS
from tql_frames import TQLError, TQLNameError, TQLTypeError, TQLWarning

ROWS = 3_000
FRAME = pl.DataFrame(
    {
        "id": np.random.default_rng(1).integers(0, 900, ROWS),
        "name": [f"image {row}" for row in range(ROWS)],
        "day": [dt.date(1990, 1, 1) + dt.timedelta(days=row % 700) for row in range(ROWS)],
        "half": np.arange(ROWS) / 2,
        "row": range(ROWS),
    }
)
SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}


def rows_of(parts: Any) -> dict[Any, list[int]]:
    return {name: view.to_polars()["row"].to_list() for name, view in parts.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["id", "name", "day"])
def test_one_seed_is_one_split(frame_of: Any, kind: str, key: str) -> None:
    expected = rows_of(FRAME.tql.split(SHARES, key=key, seed=7))
    assert rows_of(frame_of(kind, FRAME).tql.split(SHARES, key=key, seed=7)) == expected
    assert rows_of(tql_frames.split(frame_of(kind, FRAME), SHARES, unit=key, key=key, seed=7)) == expected
    assert sorted(chain(*expected.values())) == list(range(ROWS))


@pytest.mark.parametrize("key", ["id", "name", "day"])
def test_values_stay_where_they_are_as_other_rows_come_and_go(key: str) -> None:
    whole = FRAME.tql.split(SHARES, key=key, seed=7)
    others = [FRAME.head(700), FRAME.reverse(), FRAME.sample(fraction=0.3, seed=1), pl.concat([FRAME, FRAME.head(9)])]
    for other in others:
        parts = other.tql.split(SHARES, key=key, seed=7)
        for name, view in parts.items():
            assert set(view.to_polars()[key]) <= set(whole[name].to_polars()[key])
    folds = FRAME.tql.split(folds=4, key=key, seed=7)
    assert [set(view.to_polars()[key]) for view in FRAME.head(700).tql.split(folds=4, key=key, seed=7).values()] == [
        set(view.to_polars()[key]) & set(FRAME.head(700)[key]) for view in folds.values()
    ]


@pytest.mark.filterwarnings("ignore:part . is empty")
def test_the_part_of_a_value_is_pinned() -> None:
    """It is part of the language of this project: on every machine and version the same."""
    for key, values, expected in (
        ("whole", [0, 1, 2, -1, 2**40, None], [0, 3, 3, 2, 2, 4]),
        ("text", ["", "a", "image-1", "image-2", "\u00e9", None], [0, 2, 3, 0, 2, 4]),
    ):
        parts = pl.DataFrame({key: values}).tql.split(folds=5, key=key, seed=7)
        found = {value: name for name, view in parts.items() for value in view.to_polars()[key].to_list()}
        assert [found[value] for value in values] == expected


def _chi_square(counts: np.ndarray, shares: np.ndarray) -> float:
    wanted = counts.sum() * shares
    return float(((counts - wanted) ** 2 / wanted).sum())


def test_shares_are_those_of_independent_values() -> None:
    """Chi-square of two degrees of freedom: 1 in a million is above 27.6."""
    keys = pl.DataFrame({"k": range(50_000)})
    shares = np.array(list(SHARES.values()))
    counts = np.array([len(view) for view in keys.tql.split(SHARES, key="k", seed=3).values()])
    assert _chi_square(counts, shares) < 27.6
    assert _chi_square(counts, shares * [1.05, 1, 0.825]) > 27.6  # a tilt of five percent


def test_a_sample_by_the_same_key_and_seed_is_drawn_from_a_part_as_from_any_rows() -> None:
    keys = pl.DataFrame({"k": range(40_000), "w": 1.0})
    train = keys.tql.split({"train": 0.5, "test": 0.5}, key="k", seed=3)["train"].to_polars().drop("index")
    found = train.tql.sample("w", fraction=0.5, replace=False, design="poisson", key="k", seed=3)
    sd = (train.height / 4) ** 0.5
    assert abs(found.height - train.height / 2) < 5 * sd


def test_an_empty_part_is_a_warning() -> None:
    with pytest.warns(TQLWarning, match=r"part 'b' is empty: none of 2 keys has a number that belongs to it"):
        parts = pl.DataFrame({"k": [1, 2]}).tql.split({"a": 0.999999, "b": 0.000001}, key="k", seed=1)
        assert [len(view) for view in parts.values()] == [2, 0]


def test_a_hint_fits_the_type() -> None:
    for value, hint in ((0.5, "round or format it as a column first"), (b"a", None), (None, None)):
        with pytest.raises(TQLTypeError, match="expected whole numbers, text or dates for key=, got ") as fault:
            pl.DataFrame({"k": [value]}).tql.split(SHARES, key="k")
        assert fault.value.hint == hint


def test_many_folds_have_equal_shares() -> None:
    keys = pl.DataFrame({"k": range(20_000)})
    with pytest.warns(TQLWarning, match="is empty"):
        counts = np.array([len(view) for view in keys.tql.split(folds=3_000, key="k", seed=3).values()])
    assert counts.sum() == 20_000
    assert abs(_chi_square(counts, np.full(3_000, 1 / 3_000)) - 2_999) < 5 * (2 * 2_999) ** 0.5


def test_it_says_what_it_is() -> None:
    parts = FRAME.tql.split(SHARES, key="id", seed=7)
    assert str(parts).splitlines()[1] == "  key   id"
    assert parts["test"].steps[-1].text == "split({'train': 0.7, 'val': 0.1, 'test': 0.2}, key='id')['test']"


def test_copies_in_a_view_stay_together() -> None:
    drawn = FRAME.tql.view("1", 500, seed=1)
    parts = drawn.split(SHARES, key="id", seed=7)
    whole = FRAME.tql.split(SHARES, key="id", seed=7)
    for name, view in parts.items():
        assert set(view.to_polars()["id"]) <= set(whole[name].to_polars()["id"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"key": "half"},
            TQLTypeError,
            "expected whole numbers, text or dates for key=, got a number that may",
        ),
        ({"key": "ids"}, TQLNameError, "unknown column 'ids'"),
        ({"key": 3}, TQLError, "expected key= to be the name of a column, got 3"),
        ({"key": "id", "unit": "name"}, TQLError, "with unit=, key= must be the unit"),
        ({"key": "id", "by": "name"}, TQLError, "by= cannot be given with key="),
    ],
)
def test_what_is_refused(options: dict[str, Any], error: type[TQLError], message: str) -> None:
    with pytest.raises(error) as fault:
        FRAME.tql.split(SHARES, **options)
    assert message in str(fault.value)
    for empty in (FRAME.head(0), pl.DataFrame({"id": []})):
        with pytest.raises(TQLError, match="cannot split an empty frame"):
            empty.tql.split(SHARES, key="id")
