"""Balanced weights: beside linear programs, closed forms and SciPy; and that each text gives what is claimed of it."""

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize, nnls
from scipy.sparse import csr_array, eye_array, hstack, vstack

import tql_frames
from tests.sizes import size
from tql_frames import TQLError
from tql_frames.analysis.solver.draws import Curve
from tql_frames.analysis.solver.items import LabelCondition, LabelSets, condition_item, label_items, other_than
from tql_frames.analysis.solver.raking import Targets, rake, weigh_arms
from tql_frames.analysis.solver.render_sampler import Formula, sampler_text, short
from tql_frames.analysis.solver.solution import Solution, Target, balance_sets
from tql_frames.language import unparse

XRAYS = tql_frames.datasets.chest_xray()


def masks_of(frame: pl.DataFrame, by: str) -> tuple[pl.Series, np.ndarray]:
    """The labels of a column in order, and which rows have each, found row by row: nothing of what is tested."""
    values = frame[by]
    cells = [cell or [] if values.dtype.is_nested() else [cell] for cell in values.to_list()]
    single = values.explode() if values.dtype.is_nested() else values
    labels = single.filter(single.is_not_null()).unique(maintain_order=True)
    if any(None in cell for cell in cells):
        labels = labels.extend(pl.Series([None], dtype=labels.dtype))

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, dt.datetime) and isinstance(b, dt.datetime):
            return a.isoformat() == b.isoformat()  # an hour that the clock shows twice is equal to itself in Python
        return bool(a == b) or str(a) == str(b) == "nan"

    return labels, np.array([[any(same(label, each) for each in cell) for label in labels] for cell in cells])


def counted(flags: np.ndarray) -> LabelSets:
    sets, counts = np.unique(flags, axis=0, return_counts=True)
    return LabelSets.from_flags(counts, sets)


def claimed(frame: pl.DataFrame, balance: Solution, flags: np.ndarray) -> np.ndarray:
    """Weights of the rows by the text, of which the claims are true."""
    weights = tql_frames.weights(frame, balance.sampler).to_numpy()
    shares = weights @ flags / weights.sum()
    np.testing.assert_allclose(shares, balance.shares, rtol=1e-9, atol=1e-12)
    effective = weights.sum() ** 2 / (weights**2).sum()
    assert balance.price.effective_rows == pytest.approx(effective, rel=1e-9)
    assert balance.price.greatest == pytest.approx(weights.max() / weights.mean(), rel=1e-9)
    assert balance.price.zero_rows == (weights == 0).sum()
    reasoned(balance)
    return weights


def reasoned(balance: Solution) -> None:
    """Just the shares that are off by more than a percent have a reason."""
    for off, reason in zip(balance.off, balance.reasons, strict=True):
        assert (reason is not None) == (abs(off) > 0.01)


@pytest.fixture(scope="module")
def findings() -> tuple[list[LabelCondition], np.ndarray, LabelSets]:
    labels = XRAYS["findings"].explode().unique().sort()
    flags = np.column_stack([XRAYS["findings"].list.contains(label).to_numpy() for label in labels])
    return label_items("findings", XRAYS.schema["findings"], labels), flags, counted(flags)


@pytest.fixture(scope="module")
def views() -> tuple[list[LabelCondition], np.ndarray]:
    flags = np.column_stack([(XRAYS["view"] == view).to_numpy() for view in ("PA", "AP")])
    return label_items("view", XRAYS.schema["view"], pl.Series(["PA", "AP"])), flags


def least_deviation(sets: LabelSets, wanted: Targets, cap: float | None) -> float:
    """The greatest relative miss that no weights can do without, by linear programs over all sets.

    In draws as multiples of the level: with e fixed all is linear, and e is halved to.
    """
    part = sets.counts / sets.rows
    has = np.array([sets.having(label) for label in range(sets.width)]).astype(float)
    goals, equal = wanted.shares[:, None], wanted.equal[:, None]
    mass = np.append(np.ones(len(part)), -1.0)[None]  # the last variable is the mass of all sets
    above = hstack([eye_array(len(part)), csr_array(-(cap or 0.0) * part[:, None])])
    total = (0, None) if wanted.equal.any() else (1, 1)

    def possible(e: float) -> bool:
        rows = [np.where(equal, has, has - goals * (1 + sign * e)) * sign for sign in (1, -1)]
        bounds = [np.where(wanted.equal, sign * (1 + sign * e), 0.0) for sign in (1, -1)]
        system = hstack([csr_array(np.vstack(rows)), csr_array((2 * len(has), 1))])
        if cap is not None:
            system, bounds = vstack([system, above]), [*bounds, np.zeros(len(part))]
        found = linprog(
            np.zeros(len(part) + 1),
            A_ub=system,
            b_ub=np.concatenate(bounds),
            A_eq=mass,
            b_eq=[0.0],
            bounds=[(0, None)] * len(part) + [total],
        )
        return found.status == 0

    low, high = 0.0, 1.0
    if possible(1e-7):
        return 0.0
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (low, middle) if possible(middle) else (middle, high)
    return low


def spread(shares: np.ndarray) -> float:
    """The greatest relative miss of equal shares, from the level that makes it least."""
    return (shares.max() - shares.min()) / (shares.max() + shares.min())


def test_uniform_findings(findings: Any) -> None:
    items, flags, sets = findings
    balance = balance_sets(sets, items, ["equal"] * 15)
    assert spread(sets.totals(sets.counts * rake(sets, Targets(np.ones(15), np.ones(15, bool))).weights)) < 1e-5
    assert spread(balance.shares) < 0.005 and balance.reasons == (None,) * 15
    assert np.abs(balance.off).max() < 0.0055
    weights = claimed(XRAYS, balance, flags)
    assert weights.mean() == pytest.approx(1, abs=0.05) and balance.price.smallest > 0.01
    assert balance.price.effective_rows > 0.09 * 112_120
    assert balance.sampler.splitlines()[1] == "* max_weight(contains(findings, 'Hernia'): 18.2, true: 1)"


def test_a_share_that_stays(findings: Any) -> None:
    items, flags, sets = findings
    now = 60_412 / 112_120
    targets: list[Target] = [now if item.name == "No_Finding" else "equal" for item in items]
    balance = balance_sets(sets, items, targets)
    claimed(XRAYS, balance, flags)
    stays = [item.name for item in items].index("No_Finding")
    assert balance.shares[stays] == pytest.approx(now, rel=0.005)
    assert spread(np.delete(balance.shares, stays)) < 0.005


@pytest.mark.parametrize("cap", [100, 50, 20, 5])
def test_caps(findings: Any, cap: float) -> None:
    items, flags, sets = findings
    balance = balance_sets(sets, items, ["equal"] * 15, max_weight=cap)
    weights = claimed(XRAYS, balance, flags)
    assert weights.max() <= cap * weights.mean() * (1 + 1e-9)
    out_of_reach = sets.rows_with * cap / sets.rows < balance.targets * 0.99
    assert out_of_reach.any() == (cap < 50)
    for label in np.flatnonzero(out_of_reach):  # goes as far as it can, to a hundredth
        assert balance.shares[label] == pytest.approx(sets.rows_with[label] * cap / sets.rows, rel=0.01)
        assert f"max_weight={cap} allows its" in str(balance.reasons[label])
    near = np.abs(balance.off) < 0.01
    assert near.sum() >= 15 - out_of_reach.sum() - 1


def test_a_cap_that_few_labels_can_live_with(findings: Any) -> None:
    items, _, sets = findings
    balance = balance_sets(sets, items, ["equal"] * 15, max_weight=2)
    assert np.sqrt((balance.off**2).mean()) < 0.8  # at the level of those alone that can be equal it is twice that
    reached = balance_sets(sets, items, ["equal"] * 15, max_weight=20)
    assert max(float(word) for word in re.findall(r"'Hernia'\): ([0-9.]+),", reached.sampler)) < 1000  # not a million


def test_the_least_deviation_of_linear_programs(findings: Any) -> None:
    sets = findings[2]
    equal = Targets(np.ones(15), np.ones(15, bool))
    assert least_deviation(sets, equal, 50) == 0.0 and spread(rake(sets, equal, Curve(50)).shares) < 1e-5
    assert 0.2 < least_deviation(sets, equal, 20) <= spread(rake(sets, equal, Curve(20)).shares) < 0.5
    # What one label has to give up is all that the others have to gain from it.
    assert 0.3 < spread(weigh_arms(sets, equal).shares) < 0.4


TABLES = st.integers(2, 5).flatmap(
    lambda width: st.tuples(
        st.lists(
            st.tuples(st.integers(1, 500), st.lists(st.booleans(), min_size=width, max_size=width)),
            min_size=1,
            max_size=8,
        ),
        st.lists(st.floats(0.05, 20), min_size=8, max_size=8),
        st.booleans(),
    )
)


@settings(max_examples=size(25, 150), deadline=None)
@given(TABLES)
def test_shares_that_some_weights_reach_are_reached(table: tuple[Any, ...]) -> None:
    rows, factors, capped = table
    flags = np.array([has for _, has in rows])
    flags = flags[:, flags.any(axis=0)]
    sets = LabelSets.from_flags([count for count, _ in rows], flags)
    weights = np.array(factors[: len(rows)])
    part = sets.counts / sets.rows
    weights /= part @ weights
    goal = sets.totals(part * weights)
    if not goal.size:
        return
    cap = float(max(weights.max() * 1.05, 1.05)) if capped else None
    found = rake(sets, Targets(goal, np.zeros(len(goal), bool)), Curve(cap))
    np.testing.assert_allclose(found.shares, goal, rtol=1e-3)
    assert part @ found.weights == pytest.approx(1)
    assert cap is None or found.weights.max() <= cap * (1 + 1e-12)

    def divergence(w: np.ndarray) -> float:
        return float(part @ (w * np.log(np.maximum(w, 1e-300))))

    assert divergence(found.weights) <= divergence(weights) + 1e-3  # as even as can be
    direct = np.minimum(np.exp(sets.scores(found.logs)) * found.constant, cap or np.inf)
    np.testing.assert_allclose(direct, found.weights, rtol=1e-9)


@settings(max_examples=size(10, 40), deadline=None)
@given(TABLES)
def test_equal_shares_beside_linear_programs(table: tuple[Any, ...]) -> None:
    rows, _, capped = table
    flags = np.array([has for _, has in rows])
    flags = flags[:, flags.any(axis=0)]
    if not flags.size:
        return
    sets = LabelSets.from_flags([count for count, _ in rows], flags)
    wanted = Targets(np.ones(flags.shape[1]), np.ones(flags.shape[1], bool))
    cap = 3.0 if capped else None
    limit, found = least_deviation(sets, wanted, cap), rake(sets, wanted, Curve(cap))
    assert spread(found.shares) >= limit - 0.005
    # Where sets of some labels have to vanish, it is in the limit only; where all do, nothing is left to be equal.
    inner = LabelSets.from_flags([*sets.counts, *[1] * len(flags.T)], [*flags, *np.eye(len(flags.T))])
    assert spread(rake(inner, wanted).shares) < 2e-3 and least_deviation(inner, wanted, None) == 0.0


@pytest.mark.parametrize("cap", [None, 1.6])
def test_as_even_as_a_general_optimizer_makes_it(cap: float | None) -> None:
    sets = LabelSets.from_flags([50, 20, 15, 10, 5], [[0, 0], [1, 0], [0, 1], [1, 1], [1, 1]])
    part, goal = sets.counts / 100, np.array([0.5, 0.4])
    found = rake(sets, Targets(goal, np.zeros(2, bool)), Curve(cap))
    constraints = [
        {"type": "eq", "fun": lambda w: part @ w - 1},
        {"type": "eq", "fun": lambda w: sets.totals(part * w) - goal},
    ]
    bounds = [(1e-9, cap)] * 5
    best = minimize(
        lambda w: part @ (w * np.log(w)), np.ones(5), bounds=bounds, constraints=constraints, options={"ftol": 1e-13}
    )
    assert best.success and (cap is None or best.x.max() > cap - 1e-6)
    np.testing.assert_allclose(found.weights, best.x, atol=1e-4)


def test_one_label_a_row_has_a_closed_form(views: Any) -> None:
    items, flags = views
    for goal in ([0.5, 0.5], [0.9, 0.1], [0.001, 0.999]):
        balance = balance_sets(counted(flags), items, goal)
        weights = claimed(XRAYS, balance, flags)
        each = np.array([weights[flags[:, 0]][0], weights[flags[:, 1]][0]])
        np.testing.assert_allclose(each, np.array(goal) / flags.mean(axis=0), rtol=0.006)
    equal = balance_sets(counted(flags), items, ["equal", "equal"])
    assert equal.sampler == "max_weight(view == 'AP': 1.25, view == 'PA': 0.833)"
    capped = balance_sets(counted(flags), items, ["equal", "equal"], max_weight=1.1)
    assert capped.sampler.startswith("max_weight(view == 'AP': 1.1, view == 'PA': 0.9")
    assert claimed(XRAYS, capped, flags).mean() >= 1


@pytest.mark.parametrize(
    ("goal", "sampler"),
    [
        ([0.7, None, None], "max_weight(kind == 'a': 1.4, true: 0.6)"),
        ([0.2, None, None], "max_weight(kind != 'a': 1.6, kind is null: 1.6, kind == 'a': 0.4)"),
        (
            [0.1, 0.1, None],
            "max_weight(kind not in ('a', 'b'): 4, kind is null: 4, kind == 'b': 0.333, kind == 'a': 0.2)",
        ),
        ([None, None, 0.1], "max_weight(kind is not null: 1.12, kind is null: 0.5)"),
        ([0, None, None], "max_weight(kind != 'a': 2, kind is null: 2, kind == 'a': 0)"),
        ([0, "equal", "equal"], "max_weight(kind is null: 2.5, kind == 'b': 1.67, kind == 'a': 0)"),
        ([1, None, None], "max_weight(kind == 'a': 2)"),
    ],
)
def test_arms_of_some_labels(goal: list[Target], sampler: str) -> None:
    frame = pl.DataFrame({"kind": ["a"] * 50 + ["b"] * 30 + [None] * 20})
    labels, flags = masks_of(frame, "kind")
    balance = balance_sets(counted(flags), label_items("kind", pl.String(), labels), goal)
    assert sorted(balance.sampler[11:-1].split(", ")) == sorted(sampler[11:-1].split(", "))
    claimed(frame, balance, flags)
    assert all(reason is None for reason in balance.reasons)


VALUES: list[tuple[Any, list[Any]]] = [
    (pl.String, ["it's", "a\nb -- c", "", "*", None, 'x"y']),
    (pl.Categorical, ["p", "q", None, "p", "r", "r"]),
    (pl.Enum(["n", "m"]), ["m", "n", None, "m", "m", "n"]),
    (pl.Boolean, [True, False, None, True, True, False]),
    (pl.Int8, [-128, 127, None, 0, 0, 5]),
    (pl.Int64, [-(2**63), 2**63 - 1, None, -1, 7, 7]),
    (pl.UInt64, [2**64 - 1, 0, None, 3, 3, 1]),
    (pl.Float64, [1.5, -0.0, None, float("nan"), float("inf"), -float("inf")]),
    (pl.Float32, [0.1, -2.5, None, 1e30, 0.1, 3.0]),
    (pl.Decimal(10, 2), [Decimal("1.10"), Decimal("-2.25"), None, Decimal(3), Decimal("1.10"), Decimal(0)]),
    (pl.Date, [dt.date(2024, 1, 31), dt.date(1969, 12, 31), None, dt.date(2024, 2, 1), dt.date(1, 1, 1), None]),
    (pl.Datetime("us"), [dt.datetime(2024, 1, 31, 12, 30, 1, 5), dt.datetime(1960, 1, 1), None, None, None, None]),
    (pl.Datetime("ns"), [dt.datetime(2024, 1, 31, 12, 30, 1, 5), dt.datetime(1960, 1, 1), None, None, None, None]),
    (
        pl.Datetime("ms", "Europe/Berlin"),  # one wall clock time, two moments
        [dt.datetime(2024, 10, 27, hour, 30, tzinfo=dt.UTC) for hour in (0, 1)] + [None] * 4,
    ),
    (pl.Time, [dt.time(1, 2, 3, 4), dt.time(23), None, dt.time(), None, None]),
]


@pytest.mark.parametrize("kind", ["value", "list", "array"])
@pytest.mark.parametrize(("dtype", "values"), VALUES, ids=lambda value: "" if isinstance(value, list) else str(value))
def test_labels_of_any_type(dtype: Any, values: list[Any], kind: str) -> None:
    series = pl.Series("of which?", values, dtype=dtype)
    if kind == "list":
        lists = [[0], [1, 2], [], [3, 3, 0], [4], [5, 2], None]
        series = pl.Series(
            "of which?",
            [None if some is None else series.gather(some) for some in lists],
            dtype=pl.List(series.dtype),
        )
    elif kind == "array":
        if series.dtype.is_float():
            pytest.skip("lists of floats are tested, arrays are turned into such")
        if dtype == pl.Categorical and not hasattr(pl, "Categories"):
            pytest.skip("up to Polars 1.31 there are no arrays of categories")
        pairs = [series.gather(pair) for pair in ([0, 1], [2, 2], [3, 0], [4, 5])]
        series = pl.Series("of which?", pairs, dtype=pl.List(series.dtype)).cast(pl.Array(series.dtype, 2))
    frame = pl.concat([series.to_frame()] * 3)
    labels, flags = masks_of(frame, "of which?")
    items = label_items("of which?", frame.schema["of which?"], labels)
    for item, mask in zip(items, flags.T, strict=True):
        text = f"max_weight({unparse(item.condition)}: 1, True: 0.5)"
        assert (tql_frames.weights(frame, text).to_numpy() == np.where(mask, 1, 0.5)).all(), text
    if kind == "value":
        some = items[::2]
        rest = ", ".join(f"{unparse(each)}: 1" for each in other_than([item.condition for item in some]))
        found = tql_frames.weights(frame, f"max_weight({rest}, False: 0)") if len(labels) > 1 else None
        assert found is None or (found.to_numpy() == ~flags[:, ::2].any(axis=1)).all(), rest
    targets: list[Target] = [0.3 if place == 0 else None for place in range(len(items))]
    balance = balance_sets(counted(flags), items, targets)
    claimed(frame, balance, flags)
    assert balance.shares[0] == pytest.approx(0.3, rel=0.006)


@pytest.mark.parametrize("dtype", [pl.Duration, pl.Binary, pl.Struct({"a": pl.Int8}), pl.List(pl.Binary)])
def test_labels_without_words(dtype: Any) -> None:
    with pytest.raises(TQLError, match="which TQL cannot write"):
        label_items("x", dtype() if isinstance(dtype, type) else dtype, pl.Series([None]))


def test_times_without_words() -> None:
    fine = pl.Series([1, 1_000], dtype=pl.Int64).cast(pl.Datetime("ns"))
    assert label_items("x", fine.dtype, fine[1:])
    with pytest.raises(TQLError, match="finer than a microsecond"):
        label_items("x", fine.dtype, fine)
    with pytest.raises(TQLError, match="is too large for TQL"):
        label_items("x", pl.Int128(), pl.Series([-(2**100)], dtype=pl.Int128))


@pytest.mark.parametrize(
    "name", ["findings", "limit", "true", "a b", 'say "x"', "x.y", "it's", "--", "änderung", "1st"]
)
def test_columns_of_any_name(name: str) -> None:
    frame = pl.DataFrame({name: ["x", "y", "y", None]})
    labels, flags = masks_of(frame, name)
    balance = balance_sets(counted(flags), label_items(name, pl.String(), labels), [0.6, 0.2, 0.2])
    claimed(frame, balance, flags)
    assert balance.shares == pytest.approx([0.6, 0.2, 0.2], rel=0.005)


def test_labels_and_conditions_together(views: Any) -> None:
    items, flags = views
    old, ill = condition_item("age > 60 or age < 10"), condition_item("not contains(findings, 'No_Finding')")
    age = XRAYS["age"].to_numpy()
    healthy = XRAYS["findings"].list.contains("No_Finding").to_numpy()
    flags = np.column_stack([flags, (age > 60) | (age < 10), ~healthy])
    items = [*items, old, ill]
    for cap in (None, 1.8):
        balance = balance_sets(counted(flags), items, ["equal", "equal", 0.4, 0.7], max_weight=cap)
        weights = claimed(XRAYS, balance, flags)
        assert balance.shares == pytest.approx([0.5, 0.5, 0.4, 0.7], rel=0.005)
        assert cap is None or (weights.max() <= cap * weights.mean() and "amin" in balance.sampler)
    with_bars = balance_sets(counted(flags), items, [0.5, None, 0, 1])
    claimed(XRAYS, with_bars, flags)
    assert with_bars.shares[[0, 2, 3]] == pytest.approx([0.5, 0, 1], rel=0.005)
    summed = balance_sets(counted(flags), items, ["equal", "equal", 0.4, 0], method="nnls")
    claimed(XRAYS, summed, flags)
    assert summed.shares == pytest.approx([0.5, 0.5, 0.4, 0], rel=0.005)


def test_null_and_empty_lists_keep_their_weight() -> None:
    frame = pl.DataFrame({"tags": [["a"], ["a", "b"], None, [], ["b"], ["c"]] * 5})
    labels, flags = masks_of(frame, "tags")
    items = label_items("tags", frame.schema["tags"], labels)
    for targets in (["equal", "equal", None], [0.1, 0.1, None], [0, None, None]):
        balance = balance_sets(counted(flags), items, targets)
        weights = claimed(frame, balance, flags)
        assert weights[2] == weights[3] > 0


def balanced(counts: Sequence[int], flags: Sequence[Sequence[int]], targets: list[Target], **more: Any) -> Solution:
    """Of labels a, b, c in a list, on sets that are given; the text is held against the claims."""
    sets = LabelSets.from_flags(counts, flags)
    names = "abcdefgh"[: sets.width]
    items = label_items("x", pl.List(pl.String()), pl.Series(list(names)))
    balance = balance_sets(sets, items, targets, **more)
    lists = [[name for name, has in zip(names, each, strict=True) if has] for each in flags]
    weights = tql_frames.weights(pl.DataFrame({"x": pl.Series(lists, dtype=pl.List(pl.String))}), balance.sampler)
    np.testing.assert_allclose(weights.to_numpy(), balance.weights, rtol=1e-9)
    mass = weights.to_numpy() * np.array(counts)
    np.testing.assert_allclose(balance.shares, mass @ np.array(flags) / mass.sum(), rtol=1e-9)
    reasoned(balance)
    return balance


A, B, AB, NONE = [1, 0], [0, 1], [1, 1], [0, 0]


@pytest.mark.parametrize(
    ("counts", "flags", "targets", "shares", "reasons"),
    [
        ([60, 40], [A, A], ["equal", "equal"], [1, 0], [None, "no row has it"]),
        ([60, 40], [A, NONE], [0.5, 0.5], [0.5, 0], [None, "no row has it"]),
        ([50, 30, 20], [A, AB, A], [0.5, 0.5], [1, 0.5], ["every row has it", None]),
        ([60, 40], [A, B], [0.7, 0.7], [0.5, 0.5], 2 * ["no weights reach all of these shares at once"]),
        ([60, 40], [A, B], [0.2, 0.4], [1 / 3, 2 / 3], 2 * ["every row has one of these at least, and the shares"]),
        ([60, 40], [A, B], [1, 1], [0.5, 0.5], 2 * ["no weights"]),
        ([60, 40], [AB, B], [0, "equal"], [0, 1], [None, None]),
        ([60, 40], [AB, AB], [0.3, 0.6], [1, 1], 2 * ["every row has it"]),
        ([50, 30, 20], [AB, B, NONE], ["equal", "equal"], [0.714, 0.714], [None, None]),  # B alone vanishes
        ([60, 20, 20], [AB, A, NONE], [0, 0.5], [0, 0], [None, "all its rows have 'a', which is not to be drawn"]),
        ([60, 20, 20], [A, B, NONE], [1, 0.2], [0.817, 0.183], 2 * ["no weights"]),
        ([50], [AB], ["equal", "equal"], [1, 1], [None, None]),
        ([50], [NONE], ["equal", "equal"], [0, 0], [None, None]),
        ([50, 50], [AB, NONE], [0.25, 0.25], [0.25, 0.25], [None, None]),  # never apart
        ([30, 20, 50], [AB, AB, NONE], [0.25, 0.25], [0.25, 0.25], [None, None]),  # a set given twice
        ([10**9, 1], [A, B], ["equal", "equal"], [0.5, 0.5], [None, None]),
    ],
)
def test_edges(counts: Any, flags: Any, targets: Any, shares: list[float], reasons: list[str | None]) -> None:
    balance = balanced(counts, flags, targets)
    assert balance.shares == pytest.approx(shares, rel=0.007, abs=0.0005)
    for reason, words in zip(balance.reasons, reasons, strict=True):
        assert (reason is None) == (words is None), balance.reasons
        assert words is None or words in str(reason)


def test_a_label_out_of_reach_of_the_cap() -> None:
    balance = balanced([999, 1], [A, B], [0.5, 0.5], max_weight=10)
    assert balance.shares == pytest.approx([0.99, 0.01], rel=0.005)
    assert balance.reasons[1] == "max_weight=10 allows its one row 1% of the draws at most"
    assert balance.reasons[0] == "max_weight=10 does not let the weights differ enough"


def test_a_label_is_held_back_by_its_companion() -> None:
    balance = balanced([50, 25, 25], [AB, B, NONE], [0.7, 0.4])
    words = "50 of its 50 rows also have 'b', which would be drawn more often with it"
    assert balance.reasons[0] == words or "it is drawn with 'a'" in str(balance.reasons[1])
    # Equal at the price of being rare, in the rows that have none, is not what was asked for.
    sets = [[1, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 0]]
    apart = balanced([20, 20, 30, 30], sets, ["equal"] * 3)
    assert apart.shares[1] == pytest.approx(apart.shares[2], rel=0.01)
    assert apart.shares[0] > 0.2 and "of its draws" in str(apart.reasons[0])


def test_one_label_a_row_whose_shares_cannot_sum() -> None:
    items = label_items("x", pl.String(), pl.Series(["a", "b"]))
    balance = balance_sets(LabelSets.from_flags([60, 40], [A, B]), items, [0.7, 0.7])
    assert balance.shares == pytest.approx([0.5, 0.5], rel=0.005)
    assert balance.reasons[0] == "a row has one label, and the shares wanted sum to 140%"
    assert balance.off == pytest.approx([-2 / 7, -2 / 7], abs=0.005)


@pytest.mark.parametrize(
    ("targets", "more", "message"),
    [
        ([1.5, None], {}, "expected the share of 'a' to be from 0 to 1, got 1.5"),
        ([float("nan"), None], {}, "expected the share of 'a' to be from 0 to 1, got nan"),
        ([0.5, None], {"max_weight": 1}, "expected max_weight to be above 1, the mean weight, got 1"),
        ([0.5, None], {"max_weight": float("nan")}, "expected max_weight to be above 1"),
        ([0.5, None], {"method": "magic"}, "unknown method 'magic'"),
        ([0.5, None], {"method": "nnls", "max_weight": 2}, "method 'nnls' has no max_weight"),
        ([0, 0], {}, "shares of 0 and 1 leave no row to draw"),
        ([0, None], {"max_weight": 2}, "leave 40 of 100 rows, of which each is 2.5 times in a sample as long"),
    ],
)
def test_refusals(targets: list[Target], more: Any, message: str) -> None:
    with pytest.raises(TQLError) as caught:
        balanced([60, 40], [A, B], targets, **more)
    assert message in str(caught.value)


def test_an_empty_table() -> None:
    with pytest.raises(TQLError, match="without rows"):
        balance_sets(LabelSets.from_flags([], np.zeros((0, 1))), [condition_item("x")], [0.5])


@settings(max_examples=size(10, 60), deadline=None)
@given(TABLES, st.sampled_from([None, 1.5, 4.0, 30.0]), st.sampled_from(["equal", 0.2]))
def test_the_cap_holds_after_rounding(table: tuple[Any, ...], cap: float | None, target: Target) -> None:
    rows = table[0]
    flags = [[int(has) for has in each] for _, each in rows]
    balance = balanced([count for count, _ in rows], flags, [target] * len(flags[0]), max_weight=cap)
    counts = np.array([count for count, _ in rows])
    mean = balance.weights @ counts / counts.sum()
    assert cap is None or balance.weights.max() <= cap * mean * (1 + 1e-9)
    assert balance.price.greatest == pytest.approx(balance.weights.max() / mean)


def test_numbers_are_as_short_as_shares_allow(findings: Any) -> None:
    sets = findings[2]
    none = np.zeros(15, bool)
    tilt = rake(sets, Targets(np.ones(15), ~none))
    formula = Formula(np.exp(tilt.logs), tilt.constant, none, none, none)
    found = formula.shortened(sets, ~none)
    mass = sets.counts * found.weights(sets)
    np.testing.assert_allclose(sets.totals(mass) / mass.sum(), tilt.shares, rtol=0.005)
    numbers = [short(max(f, 1 / f), 15) for f in found.factors]
    assert max(len(f"{number:g}".replace(".", "").strip("0")) for number in numbers) == 3
    fewer = [short(f, 2) if f > 1 else 1 / short(1 / f, 2) for f in np.exp(tilt.logs)]
    mass = sets.counts * Formula(np.array(fewer), 1.0, none, none, none).weights(sets)
    assert np.abs(sets.totals(mass) / mass.sum() / tilt.shares - 1).max() > 0.005


def test_many_labels_are_one_text() -> None:
    rng = np.random.default_rng(3)
    flags = rng.random((3000, 200)) < 0.02 / np.arange(1, 201) ** 0.5 * 3
    flags[np.arange(200), np.arange(200)] = True
    frame = pl.DataFrame({"x": [[f"l{i}" for i in np.flatnonzero(row)] for row in flags]})
    items = label_items("x", pl.List(pl.String()), pl.Series([f"l{i}" for i in range(200)]))
    balance = balance_sets(counted(flags), items, ["equal"] * 200)
    claimed(frame, balance, flags)
    assert spread(balance.shares) < 0.006
    assert "* (\n  max_weight(" in balance.sampler or "/ (\n  max_weight(" in balance.sampler


def test_sets_of_very_many_pairs_are_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    flags, counts = rng.random((9000, 12)) < 0.4, rng.integers(1, 9, 9000)
    mass = rng.random(9000)
    listed = LabelSets.from_flags(counts, flags).together(mass)
    monkeypatch.setattr("tql_frames.analysis.solver.items._MOST_PAIRS", 10)
    multiplied = LabelSets.from_flags(counts, flags).together(mass)
    np.testing.assert_allclose(listed, (flags * mass[:, None]).T @ flags, rtol=1e-12)
    np.testing.assert_allclose(multiplied, listed, rtol=1e-12)


def test_parts_of_a_table() -> None:
    sets = LabelSets.from_flags([4, 3, 2, 1], [[1, 0, 1], [0, 0, 0], [0, 1, 1], [1, 1, 1]])
    some = sets.select(np.array([True, False, False, True]))
    assert (some.rows, some.rows_with.tolist()) == (5, [5, 1, 5])
    few = sets.of(np.array([True, False, True]))
    assert (few.rows, few.rows_with.tolist(), few.starts.tolist()) == (10, [5, 7], [0, 2, 2, 3, 5])
    assert sets.having(1).tolist() == [False, False, True, True]


def test_mean_weights_are_one_below_any_cap() -> None:
    rng = np.random.default_rng(8)
    for cap in (None, 1.01, 2.0, 50.0):
        part, score = rng.random(200), rng.normal(size=200) * 30
        part /= part.sum()
        log_z = Curve(cap).normalise(part, score)
        weights = np.minimum(np.exp(score - log_z), cap or np.inf)
        assert part @ weights == pytest.approx(1) and weights.tolist() == Curve(cap).at(score - log_z).tolist()


def test_a_sum_of_arms(findings: Any) -> None:
    items, flags, sets = findings
    balance = balance_sets(sets, items, ["equal"] * 15, method="nnls")
    claimed(XRAYS, balance, flags)
    # The system written down anew: draws of each label by the arms' weights, whose least squares SciPy finds.
    together = flags.astype(float).T @ flags
    system = np.column_stack([together, flags.sum(axis=0)])
    arms, _ = nnls(system / 112_120, np.ones(15))
    weights = flags @ arms[:-1] + arms[-1]
    np.testing.assert_allclose(balance.shares, weights @ flags / weights.sum(), rtol=0.006)
    assert balance.price.zero_rows > 0 and "sum_weight(\n  contains(findings, 'Hernia'): " in balance.sampler
    assert any("which would be drawn more often with it" in str(reason) for reason in balance.reasons)


def test_a_text_of_nothing_to_change() -> None:
    none = np.zeros(2, bool)
    items = [condition_item("a"), condition_item("b")]
    assert sampler_text(items, Formula(np.ones(2), 1.0, none, none, none)) == "max_weight(true: 1)"
    assert sampler_text(items, Formula(np.zeros(2), 1.0, none, none, none, added=True)) == "sum_weight(true: 1)"
