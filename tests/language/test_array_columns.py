"""`array[…]`: the element of a column `array`, where there is one, else a list."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pandas as pd
import polars as pl
import pytest

import tql_frames
from tql_frames.language import parse, unparse

LISTS = [[5, 6], [7, 8], [9, 10]]
FRAME = pl.DataFrame({"array": LISTS, "x": [0, 1, 0]})


def on_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(frame.to_dict(as_series=False))


KINDS: list[Callable[[pl.DataFrame], object]] = [lambda frame: frame, pl.DataFrame.lazy, on_pandas]


def weights(frame: object, sampler: str) -> list[float]:
    found = tql_frames.weights(frame, sampler)
    found = found.collect().to_series() if isinstance(found, pl.LazyFrame) else found
    return list(found)  # type: ignore[call-overload]


@pytest.mark.fault("A8")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        ("array[0]", [5, 7, 9]),
        ("array[-1] + x", [6, 9, 10]),
        ("array[x]", [5, 8, 9]),
        ("max_weight(array[0] > 5: array[1], true: 1)", [1, 8, 10]),
        ("shape(array[0:1])[0]", [1, 1, 1]),
        ("sum_weight(contains(array[:], 8): 2, x in array[1, 2]: 3)", [0, 5, 0]),
    ],
)
def test_a_column_called_array_has_elements(
    kind: Callable[[pl.DataFrame], object], sampler: str, expected: list[float]
) -> None:
    assert weights(kind(FRAME), sampler) == expected


@pytest.mark.fault("A8")
@pytest.mark.parametrize("kind", KINDS)
def test_statements_read_the_column_too(kind: Callable[[pl.DataFrame], object]) -> None:
    text = "select array[0], d.array[1] as second where array[0] > 5 order by array[0] desc"
    found = tql_frames.query(text.replace(" where", " from d where"), d=kind(FRAME))
    found = found.collect() if isinstance(found, pl.LazyFrame) else found
    assert list(found["array"]) == [9, 7]  # type: ignore[call-overload, index]
    assert list(found["second"]) == [10, 8]  # type: ignore[call-overload, index]


def test_the_name_is_exact_and_an_alias_is_one() -> None:
    titled = FRAME.rename({"array": "Array"})
    assert weights(titled, "Array[1]") == [6, 8, 10]
    assert titled.tql.query("select array[1] as a")["a"].to_list() == [[1]] * 3
    named = FRAME.tql.query("select array as other, x as array order by array")
    assert named["array"].to_list() == [0, 0, 1]
    structs = pl.DataFrame({"array": [{"a": 1}, {"a": 2}]})
    assert weights(structs, "array['a']") == [1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_without_such_a_column_it_is_a_list(kind: Callable[[pl.DataFrame], object]) -> None:
    frame = kind(FRAME.rename({"array": "other"}))
    assert weights(frame, "array[x, 2][0] + ARRAY[4][0]") == [4, 5, 4]
    found = tql_frames.query("select array[1, 2] from d", d=frame)
    found = found.collect() if isinstance(found, pl.LazyFrame) else found
    assert [name for name in found.columns if name != "index"] == ["array[1, 2]"]


@pytest.mark.parametrize(
    "text", ["array[0]", "ARRAY[1, 2]", "array[0:1]", "x in array[1]", "array[a[0:1]]", "d.array[0]"]
)
def test_its_text_reads_back(text: str) -> None:
    assert parse(unparse(parse(text))) == parse(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("taken", [[], ["array"], ["array", "ARRAY"]])
def test_balance_writes_a_list_whatever_the_columns_are_called(
    kind: Callable[[pl.DataFrame], object], taken: list[str]
) -> None:
    tags = [["c"]] * 16 + [["a"]] * 3 + [["b"]] * 3 + [["a", "b"]] * 2
    table = pl.DataFrame({"tags": tags, **{name: [[9.5, 9.5]] * 24 for name in taken}})
    found = tql_frames.balance(kind(table), "tags", {"a": 0.45, "b": 0.45}, max_weight=3)
    assert "array[" in found.sampler.lower()
    weights_of = weights(kind(table), found.sampler)
    assert weights_of[0] == pytest.approx(0.53)
    assert weights_of[-1] == 3


def test_epochs_whose_numbers_are_drawn_again_read_a_list_too() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    torch = import_module("tql_frames.torch")
    listed = FRAME.rename({"array": "other"})
    drawn = torch.TQLSampler(listed, "random() * 0 + array[2, x][1]", limit=20, seed=1)
    assert set(drawn) == {1} == set(drawn)
    taken = torch.TQLSampler(FRAME, "random() * 0 + (array[0] = 7) * 1", limit=20, seed=1)
    assert set(taken) == {1} == set(taken)
