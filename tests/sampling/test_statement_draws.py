"""Draws and random numbers of statements: one seed, one answer on every frame, and the probabilities asked for."""

from __future__ import annotations

import re
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from polars.testing import assert_frame_equal
from scipy.stats import chi2_contingency, kstest

import tql_frames
from tests.answers import KINDS, ask, columns
from tests.sizes import named, paired, size
from tests.statistics import ordered_outcomes, p_of_counts, p_of_outcomes
from tql_frames import TQLError, TQLWarning, WeightError

# Of each statistical test below; with fixed seeds each passes for good or fails for good.
ALPHA = 1e-3


# --- one seed, one answer --------------------------------------------------------------------------------------------

_NUMBERS = np.random.default_rng(7)
TABLE = pl.DataFrame(
    {
        "n": _NUMBERS.integers(0, 50, 1_500),
        "m": pl.Series([None if each > 0.9 else int(each * 10) for each in _NUMBERS.random(1_500)]),
        "w": _NUMBERS.random(1_500),
        "g": _NUMBERS.choice(["Hernia", "Mass", "Edema", "None"], 1_500, p=[0.05, 0.15, 0.2, 0.6]),
        "b": _NUMBERS.random(1_500) < 0.5,
        "l": [[int(each) for each in _NUMBERS.integers(0, 9, size)] for size in _NUMBERS.integers(0, 4, 1_500)],
    }
)
CHOICE = "max_weight(g = 'Hernia': 20, g = 'Mass' and n > 25: 8, true: 1)"
QUERIES = [
    "select * where n > 40",
    "select * where m is null and b",
    "select * where any(l = 3) order by n",
    "select * order by w",
    "select * order by g, n desc, w limit 100",
    "select * order by n % 7, m limit 50 offset 100",
    "select n, w limit 10 percent",
    "select *, n * w as x order by x desc limit 20",
    "select *, shape(l)[0] as size where shape(l)[0] > 1",
    "select n, row_number() as r where n = 7 order by w",
    "select distinct g",
    "select distinct n, b order by n desc, b",
    "select distinct n / 10 as x limit 9",
    "select n group by g",
    "select g, n, w group by g, b order by shape(n)[0] desc",
    "select shape(w)[0] as size, n[0] as first group by n % 10",
    "select n from (select * group by g) ungroup by split",
    "select n from (select n, w group by n) ungroup by 3 limit 200",
    "select * where n = 17 expand by 2 3",
    "select * where n = 17 expand by 2 3 overlap true",
    "(select * where n < 5) union (select * where n > 45)",
    "(select * where n < 25) intersect (select * where b) order by w limit 100",
    "(select * where b) except (select * where g = 'None')",
    "(select n, w where b limit 50) union all (select n, w where not b limit 50)",
    "((select n where b) union (select n where n < 10)) except (select n where m > 4) order by n",
    "(select n + 1 as x where b) intersect (select n + 1 as x where m > 3)",
    "select * from (select * from (select * where b) where n > 10) where m > 2 order by w desc limit 30",
    "select random() as r",
    "select n, random() as r where b order by r limit 100",
    "select * where random() % 10 = 0",
    "select * order by random()",
    "select random() as r, random() as s",
    "select n from (select *, random() as r) where r % 2 = 1 and b",
    "select * where random() % 2 = 0 order by random() limit 50",
    "select distinct n > 25 and random() % 2 = 1 as x",
    "select * sample by w",
    "select * sample by w limit 100",
    "select * sample by w limit 5000",
    "select * sample by w limit 12.5 percent",
    "select * sample by w replace false limit 700",
    "select * sample by 1",
    "select * sample by 1 replace false",
    "select * sample by b limit 200",
    "select * sample by m limit 200",
    f"select * sample by {CHOICE} limit 300",
    f"select n, g sample by {CHOICE} replace false limit 300",
    "select n, g sample by sum_weight(g = 'Hernia': 5, n > 20: w, b: 0.5) limit 300",
    "select w where g = 'Hernia' sample by n + 1 limit 50",
    "select w where b order by w limit 500 offset 20 sample by w * w limit 40",
    "select n * 2 as x sample by x limit 30",
    "select n as k order by k sample by row_number() replace false limit 30",
    "select *, random() as r sample by random() limit 100",
    "select row_number() as r sample by w limit 10",
    "select * where n = 17 expand by 1 1 sample by w limit 20",
    "select shape(n)[0] as size group by n sample by shape(n)[0] limit 20",
    "select n from (select * group by g) ungroup by split sample by n limit 5",
    "select distinct n sample by n limit 20",
    "select * from (select * sample by w limit 400) where b order by n",
    "select * from (select * sample by w limit 400) sample by n limit 100",
    "select * from (select * sample by w replace false limit 400) sample by n replace false limit 100",
    "(select * sample by w limit 50) union all (select * sample by w limit 50)",
    "(select n, w sample by w limit 300) union (select n, w sample by n limit 300)",
    "(select * where b) except (select * sample by w limit 900)",
    "(select * where b) union (select * where n > 40) order by n sample by w limit 60",
    "select g, n from (select g, n, w group by g) sample by shape(w)[0] limit 7",
]


def parted(frame: pl.DataFrame) -> pl.DataFrame:
    bounds = [0, 1, 700, 707, 1_500]
    return pl.concat([frame[a:b] for a, b in pairwise(bounds)], rechunk=False)


def test_the_queries_are_many_and_differ() -> None:
    assert len(set(QUERIES)) == len(QUERIES) >= 60
    assert sum("sample by" in text for text in QUERIES) >= 25


@pytest.mark.parametrize("text", QUERIES)
def test_the_same_rows_on_every_kind_of_frame(text: str) -> None:
    expected = columns(ask("polars", TABLE, text, seed=3))
    assert len(expected["index"]) > 1
    turn = QUERIES.index(text)
    for kind in size([KINDS[1:][(turn + each) % len(KINDS[1:])] for each in (0, 2)], KINDS[1:]):
        assert columns(ask(kind, TABLE, text, seed=3)) == expected, kind
    several = ["polars", "lazy", "streaming"]
    for kind in size([several[turn % 3]], several):
        assert columns(ask(kind, parted(TABLE), text, seed=3)) == expected, kind
    again = columns(ask("polars", TABLE, text, seed=4))
    drawn = re.search(r"sample by|random", text)
    assert (again != expected) == bool(drawn)


SAMPLES: list[tuple[str, str, dict[str, Any]]] = [
    ("sample by w limit 70", "w", {"limit": 70}),
    ("sample by w", "w", {}),
    ("sample by w replace true limit 70", "w", {"limit": 70}),
    ("sample by w replace false limit 70", "w", {"limit": 70, "replace": False}),
    ("sample by w limit 12.5 percent", "w", {"fraction": 0.125}),
    ("sample by w limit 250 percent", "w", {"fraction": 2.5}),
    ("sample by w replace false limit 10 percent", "w", {"fraction": 0.1, "replace": False}),
    (f"sample by {CHOICE} limit 70", CHOICE, {"limit": 70}),
    ("sample by sum_weight(b: 2, n > 9: w) limit 7", "sum_weight(b: 2, n > 9: w)", {"limit": 7}),
    ("sample by n + 1 limit 7", "n + 1", {"limit": 7}),
    ("sample by random() limit 7", "random()", {"limit": 7}),
    ("sample by 1 replace false limit 1500", "1", {"limit": 1500, "replace": False}),
]


@pytest.mark.parametrize(("sample", "kind"), paired(SAMPLES, KINDS, each=2), ids=named)
def test_a_query_draws_what_sample_draws(sample: tuple[str, str, dict[str, Any]], kind: str) -> None:
    clause, sampler, options = sample
    there = TABLE.with_row_index("row").filter("b")
    for seed in size((2**40,), (0, 1, 2**40)):
        found = columns(ask(kind, TABLE, f"select * {clause}", seed=seed))
        assert found == columns(TABLE.tql.sample(sampler, seed=seed, **options))
        if options.get("limit", 0) < there.height:
            part = columns(ask(kind, TABLE, f"select * where b {clause}", seed=seed))
            rows = there.tql.sample(sampler, seed=seed, index=None, **options)["row"]
            assert part["index"] == rows.to_list()


def test_seeds() -> None:
    text = "select n, random() as r sample by w limit 50"
    first, second, other = (columns(TABLE.tql.query(text, seed=seed)) for seed in (1, 1, 2))
    assert first == second
    assert first["index"] != other["index"]
    assert first["r"] != other["r"]
    fresh = [columns(TABLE.tql.query(text)) for _ in range(2)]
    assert fresh[0]["index"] != fresh[1]["index"]
    assert fresh[0]["r"] != fresh[1]["r"]
    with pytest.raises(tql_frames.TQLError, match="expected seed= to be a whole number"):
        TABLE.tql.query(text, seed=-1)


def test_a_seed_is_fixed_when_the_plan_is_built() -> None:
    plan = TABLE.lazy().tql.query("select n, random() as r sample by w limit 50")
    assert columns(plan.collect()) == columns(plan.collect())


# --- weights ---------------------------------------------------------------------------------------------------------

SMALL = pl.DataFrame({"g": list("aabbabab"), "w": [1.0, 3.0, 9.0, 9.0, 0.0, None, 2.0, 5.0], "t": list("xyxyxyxy")})
# A sampler behind WHERE g = 'a', and the weights of the rows of SMALL.
WEIGHTS: list[tuple[str, list[float]]] = [
    ("w", [1, 3, 0, 0, 0, 0, 2, 0]),
    ("w + 1", [2, 4, 0, 0, 1, 0, 3, 0]),
    ("max_weight(w > 1: w, t = 'x': 0.5)", [0.5, 3, 0, 0, 0.5, 0, 2, 0]),
    ("sum_weight(w > 1: w, t = 'x': 0.5)", [0.5, 3, 0, 0, 0.5, 0, 2.5, 0]),
    ("max_weight(t = 'y': 20, true: 10)", [10, 20, 0, 0, 10, 0, 10, 0]),
]


def drawn(sampler: str, limit: int, seed: int = 11) -> NDArray[np.int64]:
    found = SMALL.tql.query(f"select w where g = 'a' sample by {sampler} limit {limit}", seed=seed)
    return np.bincount(found["index"].to_numpy(), minlength=8)


@pytest.mark.parametrize(("sampler", "weights"), WEIGHTS)
def test_counts_are_those_of_the_weights(sampler: str, weights: list[float]) -> None:
    assert p_of_counts(drawn(sampler, 1_000_000), np.array(weights) / sum(weights)) > ALPHA


@pytest.mark.parametrize(("sampler", "weights"), WEIGHTS)
def test_a_sampler_tilted_by_two_percent_is_rejected(sampler: str, weights: list[float]) -> None:
    tilted = f"({sampler}) * max_weight(row_number() = 1: 1.02, true: 1)"
    assert p_of_counts(drawn(tilted, 1_000_000), np.array(weights) / sum(weights)) < ALPHA


def outcomes(sampler: str, limit: int) -> list[tuple[int, ...]]:
    text = f"select w where g = 'a' sample by {sampler} replace false limit {limit}"
    return [tuple(SMALL.tql.query(text, seed=seed)["index"].to_list()) for seed in range(size(120, 3_000))]


def test_without_replacement_every_ordered_outcome() -> None:
    probabilities = ordered_outcomes([1, 3, 0, 0, 0, 0, 2, 0], 2)
    assert p_of_outcomes(outcomes("w", 2), probabilities) > ALPHA
    assert p_of_outcomes(outcomes("w + 0.3", 2), probabilities) < ALPHA  # row 4 has a weight of its own now


def test_a_draw_of_groups_and_joins() -> None:
    """Of rows that a clause has made: groups by their size, and rows of a join."""
    found = TABLE.tql.query("select shape(n)[0] as size group by g sample by shape(n)[0] limit 100000", seed=5)
    sizes = TABLE.group_by("g", maintain_order=True).len()["len"].to_numpy()
    assert p_of_counts(np.bincount(found["index"]), sizes / sizes.sum()) > ALPHA
    one = pl.DataFrame({"g": ["a", "b"], "v": [1.0, 3.0]})
    text = "select small.g from small join one using (g) where w > 0 sample by v limit 100000"
    joined = tql_frames.query(text, seed=5, small=SMALL, one=one)
    counts = joined["g"].value_counts(sort=False)
    assert p_of_counts([counts.filter(g=each)["count"].item() for each in "ab"], [3 / 12, 9 / 12]) > ALPHA


# --- several draws, and random numbers -------------------------------------------------------------------------------


def p_of_independence(a: NDArray[Any], b: NDArray[Any], bins: int = 10) -> float:
    """P-value of Pearson's chi-square for a table of two columns, each cut into bins of equal numbers."""
    places = [np.argsort(np.argsort(each, kind="stable"), kind="stable") * bins // len(each) for each in (a, b)]
    table = np.bincount(places[0] * bins + places[1], minlength=bins * bins).reshape(bins, bins)
    return float(chi2_contingency(table, correction=False).pvalue)


ROWS = pl.DataFrame({"i": range(1_000)})
PAIR = "(select i sample by 1 limit 100000) union all (select i sample by 1 limit 100000)"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_draws_of_a_statement_are_independent(seed: int) -> None:
    both = ROWS.tql.query(PAIR, seed=seed)["i"].to_numpy()
    first, second = both[:100_000], both[100_000:]
    assert (first == ROWS.tql.sample("1", 100_000, seed=seed)["i"].to_numpy()).all()
    assert (first != second).mean() > 0.99
    assert p_of_independence(first, second) > ALPHA
    assert p_of_independence(first[:-1], second[1:]) > ALPHA
    assert p_of_independence(first, first) < 1e-9
    # the second is no first of a seed nearby either
    for other in range(10):
        assert (ROWS.tql.sample("1", 100_000, seed=other)["i"].to_numpy() != second).mean() > 0.99


def test_a_draw_of_a_draw_is_independent() -> None:
    inner = TABLE.tql.query("select w sample by 1 limit 50000", seed=2)
    text = (
        "select r, w from (select w, row_number() as r from (select w sample by 1 limit 50000)) sample by 1 limit 50000"
    )
    outer = TABLE.tql.query(text, seed=2)
    assert (outer["w"].to_numpy() == inner["w"].to_numpy()[outer["r"].to_numpy()]).all()
    assert p_of_independence(outer["r"].to_numpy(), inner["index"].to_numpy()) > ALPHA


def test_three_draws_differ_pairwise() -> None:
    text = " union all ".join(["(select i sample by 1 limit 1000)"] * 3)
    parts = ROWS.tql.query(text, seed=4)["i"].to_numpy().reshape(3, 1000)
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        assert (parts[a] != parts[b]).mean() > 0.99


MANY = pl.DataFrame({"i": range(200_000)})


@pytest.mark.parametrize("seed", size([1, 99], [0, 1, 99]))
def test_random_numbers_are_uniform(seed: int) -> None:
    found = MANY.tql.query("select random() as r", seed=seed)["r"]
    assert found.dtype == pl.Int64
    assert found.min() >= 0 and found.max() >= 2**30
    numbers = found.to_numpy() / 2.0**40
    assert numbers.max() < 1
    assert kstest(numbers, "uniform").pvalue > ALPHA
    assert kstest(numbers**1.01, "uniform").pvalue < ALPHA
    assert len(np.unique(numbers)) > 199_990
    assert p_of_independence(numbers[:-1], numbers[1:]) > ALPHA
    assert p_of_independence(numbers, np.arange(len(numbers))) > ALPHA


def test_random_numbers_of_two_calls_are_independent() -> None:
    found = MANY.tql.query("select random() as r, random() as s, random() as t", seed=1)
    for a, b in [("r", "s"), ("r", "t"), ("s", "t")]:
        assert (found[a] != found[b]).mean() > 0.9999
        assert p_of_independence(found[a].to_numpy(), found[b].to_numpy()) > ALPHA
    other = MANY.tql.query("select random() as r", seed=2)["r"]
    assert p_of_independence(found["r"].to_numpy(), other.to_numpy()) > ALPHA


def test_random_numbers_and_draws_are_independent() -> None:
    found = MANY.tql.query("select i, random() as r sample by 1 limit 200000", seed=1)
    assert p_of_independence(found["i"].to_numpy(), found["r"].to_numpy()) > ALPHA
    kept = MANY.tql.query("select i where random() % 2 = 0 sample by 1 limit 100000", seed=1)["i"].to_numpy()
    assert p_of_counts(np.bincount(kept // 20_000, minlength=10), [0.1] * 10) > 1e-6


def test_a_shuffle_and_a_coin() -> None:
    shuffled = MANY.tql.query("select i order by random()", seed=1)["i"].to_numpy()
    assert (np.sort(shuffled) == np.arange(200_000)).all()
    assert p_of_independence(shuffled, np.arange(200_000)) > ALPHA
    heads = MANY.tql.query("select i where random() % 10 = 0", seed=1).height
    assert p_of_counts([heads, 200_000 - heads], [0.1, 0.9]) > ALPHA


# --- shapes of queries that are asked in practice --------------------------------------------------------------------

LABELS = np.random.default_rng(1).choice(10, 60_000, p=[0.02, 0.03, 0.05, 0.08, 0.1, 0.1, 0.11, 0.13, 0.17, 0.21])
DIGITS = pl.DataFrame({"labels": LABELS.astype(np.int32), "file": [f"{row}.png" for row in range(60_000)]})
COUNTS = np.bincount(LABELS, minlength=10)


@pytest.fixture(scope="module", params=["polars", "lazy", "pandas"])
def digits(request: pytest.FixtureRequest) -> Any:
    def asked(text: str, seed: int = 1) -> pl.DataFrame:
        found = ask(request.param, DIGITS, text, seed=seed)
        if isinstance(found, pd.DataFrame):
            lists = {
                name: [list(each) if isinstance(each, np.ndarray) else each for each in found[name]] for name in found
            }
            return pl.from_pandas(found.assign(**lists).rename_axis("index").reset_index())
        return found

    return asked


def labels_of(found: pl.DataFrame) -> NDArray[np.int64]:
    """How many rows of each label, which must be whole rows of the table."""
    assert (found["labels"].to_numpy() == LABELS[found["index"].to_numpy()]).all()
    assert (found["file"] == found["index"].cast(pl.String) + ".png").all()
    return np.bincount(found["labels"].to_numpy(), minlength=10)


def shares(weights: dict[int, float]) -> NDArray[np.float64]:
    found = np.array([weights.get(label, 0) * COUNTS[label] for label in range(10)])
    return found / found.sum()


def test_two_labels_by_weight(digits: Any) -> None:
    text = "select * SAMPLE BY sum_weight(labels == 0: 10, labels == 1: 5)"
    found = digits(f"{text} LIMIT 100")
    assert found.height == 100
    assert set(found["labels"]) == {0, 1}
    counts = labels_of(digits(f"{text} LIMIT 50000"))
    assert p_of_counts(counts, shares({0: 10, 1: 5})) > ALPHA
    assert p_of_counts(counts, shares({0: 10, 1: 4.5})) < ALPHA


def test_a_column_is_the_weight(digits: Any) -> None:
    found = digits("select * SAMPLE BY labels")
    assert found.height == 60_000
    counts = labels_of(found)
    assert counts[0] == 0
    assert p_of_counts(counts, shares({label: label for label in range(10)})) > ALPHA


def test_everything_without_replacement(digits: Any) -> None:
    with pytest.warns(TQLWarning, match="190,000 rows were asked for without replacement, but only 60,000") as caught:
        found = digits("select * SAMPLE BY 0.1 REPLACE FALSE LIMIT 190000")
    assert len(caught) == 1
    assert found.height == 60_000
    assert (np.sort(found["index"].to_numpy()) == np.arange(60_000)).all()
    assert p_of_independence(found["index"].to_numpy(), np.arange(60_000)) > ALPHA
    assert (labels_of(found) == COUNTS).all()


def test_more_than_there_is_with_replacement(digits: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = digits("select * SAMPLE BY 0.1 REPLACE LIMIT 190000")
    assert found.height == 190_000
    assert p_of_counts(labels_of(found), COUNTS / 60_000) > ALPHA
    assert p_of_counts(np.bincount(found["index"].to_numpy() // 100, minlength=600), [1 / 600] * 600) > ALPHA


def test_all_weights_are_zero(digits: Any) -> None:
    text = "select * WHERE labels == 0 SAMPLE BY labels"
    with pytest.raises(WeightError, match="no row can be drawn") as caught:
        digits(text)
    assert caught.value.span is not None
    assert text[slice(*caught.value.span)] == "labels"
    assert caught.value.span[0] > 20


def test_the_greatest_weight(digits: Any) -> None:
    found = digits("select * SAMPLE BY max_weight(labels > 5: 1, labels == 0: 3) REPLACE LIMIT 10000")
    assert found.height == 10_000
    assert p_of_counts(labels_of(found), shares({0: 3, 6: 1, 7: 1, 8: 1, 9: 1})) > ALPHA


@pytest.mark.parametrize(
    ("percent", "rows"), [("0.1", 60), ("0.001", 0), ("0.0034", 2), ("10", 6_000), ("150", 90_000)]
)
def test_a_share_of_the_rows(digits: Any, percent: str, rows: int) -> None:
    found = digits(f"select * sample by sum_weight(labels == 0: 10, labels == 1: 5) limit {percent} PERCENT")
    assert found.height == rows
    assert set(found["labels"]) <= {0, 1}


def test_two_labels_in_order(digits: Any) -> None:
    found = digits("(select * where labels == 4 limit 10) union (select * where labels == 5 limit 10) order by labels")
    expected = [*np.flatnonzero(LABELS == 4)[:10], *np.flatnonzero(LABELS == 5)[:10]]
    assert found["index"].to_list() == expected
    assert found["labels"].to_list() == [4] * 10 + [5] * 10
    labels_of(found)


def test_rows_around_a_label(digits: Any) -> None:
    found = digits("select * WHERE labels == 0 expand by 2 2")
    near = np.zeros(60_000, bool)
    for shift in range(-2, 3):
        places = np.flatnonzero(LABELS == 0) + shift
        near[places[(places >= 0) & (places < 60_000)]] = True
    assert found["index"].to_list() == np.flatnonzero(near).tolist()
    labels_of(found)


def test_large_groups(digits: Any) -> None:
    found = digits("select * from (select * group by labels) where shape(labels)[0] > 6000")
    large = [label for label in dict.fromkeys(LABELS.tolist()) if COUNTS[label] > 6000]
    assert 2 <= len(large) < 10
    assert [each[0] for each in found["labels"]] == large
    assert [len(each) for each in found["labels"]] == [COUNTS[label] for label in large]
    for label, files in zip(large, found["file"], strict=True):
        assert list(files) == [f"{row}.png" for row in np.flatnonzero(label == LABELS)]


def test_eager_and_lazy_are_one(digits: Any) -> None:
    """The shapes above, row by row."""
    for text in (
        "select * SAMPLE BY sum_weight(labels == 0: 10, labels == 1: 5) LIMIT 100",
        "select * SAMPLE BY labels",
        "select * SAMPLE BY 0.1 REPLACE LIMIT 190000",
        "select * SAMPLE BY max_weight(labels > 5: 1, labels == 0: 3) REPLACE LIMIT 10000",
    ):
        found = digits(text)
        assert_frame_equal(found, DIGITS.tql.query(text, seed=1), check_dtypes=False)


def test_a_size_beyond_the_memory_is_refused_where_it_would_be_drawn() -> None:
    frame = pl.DataFrame({"n": [1, 2, 3]})
    with pytest.raises(TQLError, match="99,999,999,999 rows does not fit into memory"):
        frame.tql.query("select * sample by n limit 99999999999")
    with pytest.warns(TQLWarning, match="only 3 have a positive weight"):
        assert frame.tql.query("select * sample by n replace false limit 99999999999").height == 3
