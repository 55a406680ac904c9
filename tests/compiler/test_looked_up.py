"""Many arms that compare one column with constants are one look-up, with the answers of the arms alone."""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np
import polars as pl
import pytest

import tql_frames
from tests.sizes import size
from tql_frames import TQLArmWarning, TQLError
from tql_frames.compiler import CompiledSampler
from tql_frames.compiler.expressions.sampler import compile_sampler
from tql_frames.language import parameters

INTEGERS = [-(2**63), -300, -1, 0, 1, 2, 3, 127, 128, 255, 2**31, 2**53 + 1, 2**63 - 1, 2**64 - 1]
TEXTS = ["", "a", "b", "it's", "é", "A", "2024-05-01", "1"]


def _frame() -> pl.DataFrame:
    columns: dict[str, pl.Series] = {}
    for dtype in (pl.Int8, pl.Int64, pl.UInt8, pl.UInt64, pl.Int128):
        columns[str(dtype)] = pl.Series([*INTEGERS, None], dtype=pl.Int128).cast(dtype, strict=False)
    columns["text"] = pl.Series([*TEXTS, None])
    columns["categorical"] = columns["text"].cast(pl.Categorical)
    columns["enum"] = pl.Series([*TEXTS[:5], None], dtype=pl.Enum(TEXTS[:5]))
    return pl.DataFrame({name: column.extend_constant(None, 15 - len(column)) for name, column in columns.items()})


FRAME = _frame()


def _text(name: str, chance: random.Random) -> str:
    """A sampler with arms that repeat constants, equal weights, weights of 0, and up to two defaults anywhere."""
    constants: list[Any] = TEXTS if FRAME[name].dtype in (pl.String, pl.Categorical, pl.Enum) else INTEGERS[1:-1]
    arms = []
    for constant in chance.choices(constants, k=chance.randrange(3, 20)):
        written = "'" + constant.replace("'", "''") + "'" if isinstance(constant, str) else str(constant)
        arms.append(f"{name} = {written}: {chance.choice([0, 1, 1, 2, 2.5, 5])}")
    for _ in range(chance.randrange(3)):
        arms.insert(chance.randrange(len(arms) + 1), f"True: {chance.choice([0, 1, 2, 7])}")
    return f"max_weight({', '.join(arms)})"


def _compiled(text: str, many: int, patch: pytest.MonkeyPatch) -> CompiledSampler:
    patch.setattr(parameters, "_MANY", many)
    return compile_sampler(text, FRAME.schema)


@pytest.mark.parametrize("name", FRAME.columns)
def test_a_look_up_gives_the_weights_of_all_arms(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = 0
    for seed in range(size(30, 300)):
        text = _text(name, random.Random(seed))
        one, alone = _compiled(text, 2, monkeypatch), _compiled(text, 10**9, monkeypatch)
        weights = FRAME.with_columns(a=one.weight, b=alone.weight).select("a", "b")
        assert weights["a"].to_list() == weights["b"].to_list(), text
        assert [arm.text for arm in one.arms] == [arm.text for arm in alone.arms]
        assert [arm.constant for arm in one.arms] == [arm.constant for arm in alone.arms]
        for mine, other in zip(one.arms, alone.arms, strict=True):
            found = FRAME.with_columns(a=mine.condition, b=other.condition, c=mine.weight, d=other.weight)
            assert found["a"].to_list() == found["b"].to_list(), mine.text
            assert found["c"].to_list() == found["d"].to_list(), mine.text
        deciding = []
        for sampler in (one, alone):
            constant = sampler.constant_weights
            assert constant is not None
            numbers = FRAME.with_columns(number=constant.number)["number"].to_numpy()
            assert constant.weights[numbers].tolist() == weights["a"].to_list(), text
            seen = np.bincount(numbers, minlength=len(constant.weights)) > 0
            assert constant.deciding is not None
            found_arms = constant.deciding[seen]
            if found_arms.ndim > 1:
                deciding.append(set(np.flatnonzero(found_arms.any(axis=0)).tolist()))
            else:
                deciding.append(set(found_arms.tolist()) - {-1})
        assert deciding[0] == deciding[1], text
        looked_up += one.constant_weights is not None and one.constant_weights.deciding.ndim == 1  # type: ignore[union-attr]
    assert looked_up > size(15, 150)


def test_thousands_of_arms_are_drawn_by_two_bytes() -> None:
    frame = pl.DataFrame({"n": np.arange(6_000) % 3_000})
    text = f"max_weight({', '.join(f'n = {number}: {number % 700 + 1}' for number in range(3_000))}, True: 0.5)"
    sampler = compile_sampler(text, frame.schema)
    assert sampler.constant_weights is not None
    assert frame.select(sampler.constant_weights.number).dtypes == [pl.UInt16]
    weights = pl.Series("weight", frame["n"].to_numpy() % 700 + 1.0)
    assert tql_frames.weights(frame, text).to_list() == weights.to_list()
    for replace in (True, False):
        drawn = tql_frames.sample(frame, text, limit=500, seed=3, replace=replace)
        assert drawn.equals(tql_frames.sample(frame, weights, limit=500, seed=3, replace=replace))
    assert pickle.loads(pickle.dumps(sampler)).arms[7].text == "n == 7: 8"


@pytest.mark.parametrize("number", [64, 254, 255, 256, 257])
def test_as_many_arms_as_a_byte_tells_apart(number: int) -> None:
    frame = pl.DataFrame({"n": np.arange(300)})
    text = f"max_weight({', '.join(f'n = {place}: {place + 2}' for place in range(number))}, True: 1)"
    wanted = [place + 2.0 if place < number else 1.0 for place in range(300)]
    assert tql_frames.weights(frame, text).to_list() == wanted
    drawn = tql_frames.sample(frame, text, limit=100, seed=1)
    assert drawn.equals(tql_frames.sample(frame, pl.Series(wanted), limit=100, seed=1))


@pytest.mark.parametrize("wrong", ["'x'", "1.5"])
def test_constants_of_another_kind_are_compared_alone(wrong: str) -> None:
    arms = [f"n = {number}: 2" for number in range(200)]
    text = f"max_weight({', '.join([*arms, f'n = {wrong}: 3'])})"
    schema = {"n": pl.Int64()}
    if wrong == "1.5":
        assert compile_sampler(text, schema).weight is not None
        return
    with pytest.raises(TQLError, match="cannot compare"):
        compile_sampler(text, schema)


def test_idle_arms_of_a_look_up_are_named() -> None:
    frame = pl.DataFrame({"view": ["PA", "AP", None] * 40})
    arms = ", ".join(f"view = 'v{number}': 2" for number in range(100))
    with pytest.warns(TQLArmWarning) as found:
        tql_frames.sample(frame, f"max_weight(view = 'PA': 5, {arms}, True: 1)", limit=10, seed=1)
    assert "arm 2 matches no row" in str(found[0].message)
    assert not any("arm 1 " in str(each.message) for each in found)
