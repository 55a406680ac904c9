"""Samples by key: random numbers belong to values, so the sample stays as rows come, go, or change places."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter

import numpy as np
import polars as pl
import pytest
from numpy.random import SeedSequence
from polars.testing import assert_frame_equal

import tql_frames
from tests.sizes import size
from tests.statistics import ordered_outcomes, p_of_outcomes
from tql_frames import TQLError, TQLTypeError
from tql_frames.pipeline.groups import _words
from tql_frames.sampling.keys import KeyNumbers, Texts

ALPHA = 1e-3
MASK = 2**64 - 1


def mix(h: int) -> int:
    h ^= h >> 30
    h = h * 0xBF58476D1CE4E5B9 & MASK
    h ^= h >> 27
    h = h * 0x94D049BB133111EB & MASK
    return h ^ h >> 31


def plainly(keys: list[int | str], seed: int) -> float:
    """The number of a row, as the page says it is made."""
    h = int(SeedSequence(seed, spawn_key=(6,)).generate_state(1, np.uint64)[0])
    for key in keys:
        content = key.encode() if isinstance(key, str) else b""
        words = [int.from_bytes(content[i : i + 8], "little") for i in range(0, len(content), 8)] + [len(content)]
        for word in words if isinstance(key, str) else [key & MASK]:
            h = mix(h ^ word)
    return (h >> 11) * 2.0**-53


def texts(values: list[str]) -> Texts:
    content = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, content)])
    return Texts(offsets, np.frombuffer(b"".join(content), np.uint8))


def test_numbers_are_made_as_the_page_says():
    values = ["", "a", "abcdefg", "abcdefgh", "abcdefghi", "ä" * 40, "x" * 1_000]
    numbers = [0, 1, -1, 2**63 - 1, -(2**63), 7, 8]
    found = KeyNumbers.of([texts(values), np.array(numbers)], seed=5).uniforms
    assert found.tolist() == [plainly([text, number], 5) for text, number in zip(values, numbers, strict=True)]


def test_golden_numbers():
    """Fixed for good: they are the same on every platform and version."""
    assert KeyNumbers.of([np.array([7, 8])], seed=1).uniforms.tolist() == [0.21425099450020568, 0.7108650529975121]
    assert KeyNumbers.of([texts(["a", "abcdefghi"])], seed=1).uniforms.tolist() == [
        0.7233972592044764,
        0.9836376621211884,
    ]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt8, pl.Int64, pl.UInt64, pl.Int128, pl.UInt128])
def test_whole_numbers_of_every_width_have_the_same_numbers(dtype):
    values = [0, 1, 100, None] if dtype in (pl.UInt8, pl.UInt64, pl.UInt128) else [0, -1, 100, None]
    found = numbers_of(pl.Series(values, dtype=dtype))
    assert found == [plainly([value or 0, int(value is None)], 5) for value in values]


def test_numbers_beyond_64_bits_count_modulo_that():
    values = [2**70 + 5, -(2**70) + 5, 5]
    assert len(set(numbers_of(pl.Series(values, dtype=pl.Int128)))) == 1
    assert numbers_of(pl.Series([2**64 - 1], dtype=pl.UInt64)) == numbers_of(pl.Series([-1]))


def numbers_of(keys: pl.Series) -> list[float]:
    """The numbers of rows by one key, as a sample has them."""
    return KeyNumbers.of(_words(keys), seed=5).uniforms.tolist()


def golden(values, dtype=None):
    df = pl.DataFrame({"key": pl.Series(values, dtype=dtype), "w": [1.0, 2.0, 3.0, 4.0]})
    return df.tql.sample("w", 2, key="key", replace=False, seed=11)["index"].to_list()


def test_golden_samples():
    assert golden([10, 20, 30, 40]) == golden([10, 20, 30, 40], pl.Int8) == golden([10, 20, 30, 40], pl.UInt64)
    names = ["a", "b", "c", "d"]
    assert golden(names) == golden(names, pl.Categorical) == golden(names, pl.Enum(names))
    days = [dt.date(2024, 1, day) for day in (1, 2, 3, 4)]
    assert golden(days) == golden([str(day) for day in days])
    for unit in ("ms", "us", "ns"):  # pandas has a date as the time of its midnight
        assert golden(days) == golden(days, pl.Datetime(unit))
    times = [dt.datetime(2024, 1, 1, 10, 0, 0, 500_000 * n) for n in (0, 1)]
    times += [dt.datetime(2024, 1, 10, 0, 0, 20), dt.datetime(2024, 1, 2, 3, 4)]
    assert golden(times, pl.Datetime("ms")) == golden(times, pl.Datetime("us")) == golden(times, pl.Datetime("ns"))
    utc = pl.Series(times).dt.replace_time_zone("UTC")
    assert golden(utc) == golden(utc.dt.convert_time_zone("Asia/Tokyo")) == golden(utc.dt.cast_time_unit("ns"))
    ids = [str(uuid.UUID(int=n)) for n in range(4)]
    pinned = {"numbers": golden([10, 20, 30, 40]), "names": golden(names), "days": golden(days), "ids": golden(ids)}
    assert pinned == PINNED


PINNED = {"numbers": [3, 2], "names": [3, 1], "days": [1, 2], "ids": [3, 1]}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    n = 5_000
    return pl.DataFrame(
        {
            "image": [f"{n:08d}.png" for n in rng.permutation(n)],
            "number": rng.permutation(n) * 17 - 3_000,
            "site": rng.integers(0, 4, n),
            "patient": rng.integers(0, 700, n),
            "few": rng.choice([1.0, 5.0, 20.0], n, p=[0.7, 0.2, 0.1]),
            "many": rng.lognormal(size=n),
        }
    )


DRAWS = [("successive", {}), ("poisson", {}), ("successive", {"over": "site"}), ("poisson", {"over": "site"})]


KEYS = ["image", "number", ["site", "number"]]


@pytest.mark.parametrize(("design", "more"), DRAWS)
@pytest.mark.parametrize("key", KEYS)
def test_the_same_set_from_every_frame_and_order(table, key, design, more, tmp_path):
    options = {"limit": 100, "replace": False, "seed": 3, "design": design, "key": key, **more}
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=1)
    shuffled.write_parquet(tmp_path / "table.parquet", row_group_size=700)
    shuffled.write_csv(tmp_path / "table.csv")
    # In `make test` one of the samplers, in turn by keys and draws.
    turn = KEYS.index(key) + DRAWS.index((design, more))
    for sampler in size(["few", "many"][turn % 2 :][:1], ["few", "many"]):
        expected = sorted(table.tql.sample(sampler, **options)["image"])
        assert len(expected) > 60
        frames = [shuffled, shuffled.lazy(), pl.scan_parquet(tmp_path / "table.parquet")]
        frames.append(pl.scan_csv(tmp_path / "table.csv"))
        for frame in frames:
            assert sorted(frame.tql.sample(sampler, **options).lazy().collect()["image"]) == expected
        assert sorted(shuffled.to_pandas().tql.sample(sampler, **options)["image"]) == expected
        view = shuffled.tql.view(sampler, **options)
        view.save(tmp_path / "rows.view")
        loaded = tql_frames.load_view(tmp_path / "rows.view", shuffled)
        assert loaded.steps == view.steps
        assert sorted(loaded.to_polars()["image"]) == expected


@pytest.mark.parametrize("design", ["successive", "poisson"])
def test_rows_that_come_or_go_leave_the_rest_of_the_sample(table, design):
    options = {"replace": False, "seed": 3, "key": "image", "design": design}
    old = table.head(4_950)
    before = set(old.tql.sample("few", 500, **options)["image"])
    weight = old["few"].sum() / table["few"].sum()
    after = set(table.tql.sample("few", round(500 / weight), **options)["image"])
    assert len(before & after) >= 0.98 * len(before)
    without = set(old.tql.sample("few", 500, seed=3, replace=False)["image"])
    by_place = set(table.reverse().tql.sample("few", 505, seed=3, replace=False)["image"])
    assert len(without & by_place) < 0.6 * len(without)  # by the places of rows it is another sample


def test_the_law_is_that_of_successive_sampling():
    df = pl.DataFrame({"key": ["a", "b", "c", "d"], "w": [1.0, 2.0, 4.0, 3.0]})
    samples = size(600, 10_000)

    draws = (df.tql.sample("w", 2, key="key", replace=False, seed=seed) for seed in range(samples))
    outcomes = [tuple(each["index"].to_list()) for each in draws]
    assert p_of_outcomes(outcomes, ordered_outcomes([1.0, 2.0, 4.0, 3.0], 2)) > ALPHA
    assert p_of_outcomes(outcomes, ordered_outcomes([1.8, 2.0, 4.0, 3.0], 2)) < ALPHA


def test_units_may_be_the_key(table):
    options = {"unit": "patient", "key": "patient", "replace": False, "seed": 2}
    first = table.tql.sample("many", 20, **options)
    again = table.reverse().tql.sample("many", 20, **options)
    assert first["patient"].n_unique() == 20
    assert Counter(first["image"]) == Counter(again["image"])
    with pytest.raises(TQLError, match="expected key= to equal unit="):
        table.tql.sample("many", 20, unit="patient", key="image", replace=False)


def test_the_hint_of_repeated_keys_names_all_of_them():
    frame = pl.DataFrame({"a": [1, 1, 2], "b": [1, 1, 2]})
    for key, unit in (("a", "'a'"), (["a", "b"], "['a', 'b']")):
        with pytest.raises(TQLError) as caught:
            frame.tql.sample("1", 2, key=key, replace=False)
        assert str(caught.value.hint).startswith(f"pass unit={unit} as well")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"key": "image"}, TQLError, "key= needs a draw of each row by numbers of its own"),
        ({"key": "image", "design": "systematic", "replace": False}, TQLError, "which design='systematic' has not"),
        ({"key": "site", "replace": False}, TQLError, "5,000 rows have a key that another row has"),
        ({"key": "many", "replace": False}, TQLTypeError, "whole numbers, text or dates for key, got a number"),
        ({"key": "imag", "replace": False}, TQLError, "unknown column 'imag'"),
        ({"key": 5, "replace": False}, TQLError, "expected key= to be a column name"),
    ],
)
def test_wrong_requests_are_one_error(table, options, kind, message):
    for frame in (table, table.lazy()):
        with pytest.raises(kind, match=message):
            frame.tql.sample("few", 10, **options).collect()


def test_expectations_do_not_depend_on_the_key(table):
    by_key = table.tql.sample("few", 50, key="image", replace=False, seed=1, expected="p")
    chances = table.tql.view("few", 50, replace=False, seed=2)
    known = dict(zip(chances.to_polars()["few"], chances.expected(), strict=True))
    assert all(p == pytest.approx(known[w]) for w, p in by_key.select("few", "p").rows() if w in known)
    assert_frame_equal(by_key.drop("p"), table.tql.sample("few", 50, key="image", replace=False, seed=1))
