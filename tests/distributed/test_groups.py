"""Samples by group in partitions, without an engine: the rows of the frame in one piece, whatever the partitions."""

from __future__ import annotations

import datetime as dt
import pickle

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.partitions import counted, cut, drawn, positions, sent
from tests.sizes import size
from tql_frames import TQLError, TQLNameError, TQLTypeError, TQLUnsupportedError, WeightError
from tql_frames.distributed import Counts, Drawing, PartitionStatement, Sampler, draw_shares, questions
from tql_frames.distributed import groups as by_group
from tql_frames.frames import PolarsFrame
from tql_frames.pipeline.draw import DrawSpec
from tql_frames.sampling import groups as kernel

REPLACE = pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])
CUTS = [[], [0, 0, 1_500], [1, 2, 700, 1_400, 1_400, 2_999], list(range(0, 3_000, size(397, 97)))]
SAMPLERS = ["few + 1", "many", "wide", "max_weight(few > 1: 3, view = 'PA': random(), True: 1)"]


def _table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    n = 3_000
    patient = rng.integers(0, 250, n)
    return pl.DataFrame(
        {
            "view": pl.Series(rng.choice(["PA", "AP", "?"], n).tolist()).replace({"?": None}),
            "patient": patient,
            "ward": patient % 7,
            "seen": [dt.date(2024, 1, 1) + dt.timedelta(days=int(day)) for day in patient % 5],
            "dose": pl.Series(rng.choice([0.0, -0.0, 1.5, float("nan"), None], n).tolist(), dtype=pl.Float64),
            "few": rng.choice([0.0, 1.0, 5.0], n),
            "many": rng.random(n) * (rng.random(n) > 0.2),
            "wide": 10.0 ** rng.uniform(-290, 290, n),
        },
        strict=False,
    ).with_columns(kind=pl.col("view").cast(pl.Categorical), label=pl.col("view").cast(pl.Enum(["AP", "PA"])))


TABLE = _table()
REQUESTS = [
    pytest.param({"over": "view", "limit": 30}, id="rows-of-each"),
    pytest.param({"over": ["view", "ward % 2"], "fraction": 0.1}, id="a-share-of-each"),
    pytest.param({"over": "view"}, id="as-many-as-each-has"),
    pytest.param({"over": "view", "limit": {"PA": 500, None: 2}}, id="quotas"),
    pytest.param({"over": ["view", "ward"], "limit": {("PA", 3): 7, (None, 0): 1_000}}, id="quotas-of-pairs"),
    pytest.param({"over": "seen", "limit": {"2024-01-02": 3, dt.date(2024, 1, 4): 40}}, id="dates"),
    pytest.param({"over": "kind", "limit": {"AP": 3, None: 200}}, id="categories"),
    pytest.param({"over": ["label", "kind"], "limit": 11}, id="two-columns-of-categories"),
    pytest.param({"over": "patient", "limit": 2}, id="many-groups"),
    pytest.param({"over": "dose", "limit": 9}, id="floats"),
    pytest.param({"over": "random() % 4", "limit": 9}, id="random-groups"),
    pytest.param({"over": "row_number() / 1000 > 2", "limit": 9}, id="groups-of-row-numbers"),
    pytest.param({"over": "view", "limit": 0}, id="none"),
    pytest.param({"unit": "patient", "limit": 40}, id="units"),
    pytest.param({"unit": "patient", "fraction": 0.05}, id="a-share-of-units"),
    pytest.param({"unit": "patient"}, id="as-many-units-as-there-are"),
    pytest.param({"unit": "patient", "over": "ward", "limit": 5}, id="units-of-each"),
    pytest.param(
        {"unit": ["patient", "kind"], "over": "view", "limit": {"AP": 30, None: 4}}, id="units-of-two-columns"
    ),
    pytest.param({"unit": "dose", "limit": 2}, id="units-of-floats"),
    pytest.param({"unit": "random() % 50", "limit": 9}, id="random-units"),
    pytest.param({"unit": "seen", "limit": 0}, id="no-unit"),
    pytest.param({"over": "patient", "limit": 5_000}, id="more-than-there-are"),
]


@REPLACE
@pytest.mark.parametrize("request_", REQUESTS)
def test_any_partitions_give_the_rows_of_the_whole(request_, replace):
    # In `make test` each request with one of the samplers and one of the cuts: others for the next one.
    turn = [each.values[0] for each in REQUESTS].index(request_) + 2 * replace
    for sampler in size([SAMPLERS[turn % 4]], SAMPLERS):
        if sampler == "many" and replace and request_.get("over") == "patient":
            continue  # of a patient all rows have weight 0
        if replace and request_.get("limit") == 5_000:
            continue
        expected = TABLE.tql.sample(sampler, **request_, replace=replace, order="source", seed=3)["index"].to_list()
        for bounds in size([CUTS[(turn + turn // 4) % 4]], CUTS):
            options = {"limit": None} | request_
            found = positions(cut(TABLE, bounds), sampler, **options, replace=replace, seed=3)
            assert found == expected, (sampler, bounds)


@st.composite
def requests(draw: st.DrawFn) -> tuple[pl.DataFrame, list[int], int]:
    """A frame of groups and weights, where it is cut, and how many rows are wanted of each group."""
    weights = draw(st.sampled_from([st.sampled_from([1.0, 2.0, 7.5]), st.floats(1e-200, 1e200)]))
    names = draw(st.sampled_from([st.sampled_from(["a", "b", None]), st.integers(0, 60)]))
    rows = draw(st.lists(st.tuples(names, weights), min_size=1, max_size=90))
    frame = pl.DataFrame({"g": [name for name, _ in rows], "w": [weight for _, weight in rows]})
    return frame, draw(st.lists(st.integers(0, len(rows)), max_size=6)), draw(st.integers(0, 12))


@settings(max_examples=size(25, 500), deadline=None)
@given(requests(), st.booleans(), st.integers(0, 2**70))
def test_any_frames(request_, replace, seed):
    frame, bounds, limit = request_
    expected = frame.tql.sample("w", limit, over="g", replace=replace, order="source", seed=seed)["index"].to_list()
    assert positions(cut(frame, bounds), "w", limit, over="g", replace=replace, seed=seed) == expected


@REPLACE
def test_more_rows_than_a_block(replace):
    rng = np.random.default_rng(3)
    rows = size(550_000, 700_000)
    frame = pl.DataFrame({"g": rng.integers(0, 40, rows) ** 2 // 30, "w": rng.exponential(size=rows).round(3)})
    expected = frame.tql.sample("w", 500, over="g", replace=replace, order="source", seed=9)["index"].to_list()
    parts = cut(frame, [270_000, 270_001, 540_000])
    assert positions(parts, "w", 500, over="g", replace=replace, seed=9) == expected


def test_types_of_a_column_of_nothing_but_null_in_a_partition():
    rows = [["a", "b"], [None, None], ["b", None], [None]]
    parts = [pl.DataFrame({"g": part, "w": [1.0] * len(part)}) for part in rows]
    assert [part.schema["g"] for part in parts] == [pl.String, pl.Null, pl.String, pl.Null]
    whole = pl.concat([part.cast({"g": pl.String}) for part in parts])
    for replace in (True, False):
        for limit in (1, {None: 2, "b": 1}):
            options = {"over": "g", "replace": replace, "seed": 5}
            expected = whole.tql.sample("w", limit, order="source", **options)["index"].to_list()
            assert positions(parts, "w", limit, **options) == expected


def test_categories_are_numbered_by_each_partition_for_itself():
    parts = [pl.DataFrame({"g": pl.Series(part, dtype=pl.Categorical)}) for part in (["x", "y"], ["y", "z", "x"])]
    found = positions(parts, "1", {"y": 3, "z": 1}, over="g", replace=False, seed=1)
    assert found == [1, 2, 3]


def test_columns_of_several_types_are_refused():
    parts = [pl.DataFrame({"g": [1, 2]}), pl.DataFrame({"g": [0.5, 2.0]})]
    with pytest.raises(TQLTypeError, match=r"over is .* in one partition and .* in another") as caught:
        positions(parts, "1", 1, over="g", replace=True, seed=1)
    assert caught.value.span == (0, 1)


# -- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        ("1", {"limit": {"PP": 5}, "over": "view"}),
        ("1", {"limit": {("PA", 1): 5}, "over": "view"}),
        ("1", {"limit": {1: 1, "1": 1}, "over": "ward"}),
        ("1", {"limit": 3, "over": "vieww"}),
        ("1", {"limit": 3, "over": "array[view]"}),
        ("1", {"limit": 10**12, "over": "view"}),
        ("max_weight(view = 'PA': 1)", {"limit": 3, "over": "view"}),
        ("few * 0", {"limit": 3, "over": "view"}),
        ("few - 2", {"limit": 3, "over": "view"}),
        ("few * 0", {"limit": 3, "unit": "patient"}),
        ("few * 0", {"limit": 3, "unit": "patient", "over": "ward"}),
        ("few - 2", {"limit": 3, "unit": "patient"}),
        ("1", {"limit": 10**12, "unit": "patient"}),
        ("1", {"limit": {"PAA": 1}, "unit": ["patient", "view"], "over": "view"}),
        ("max_weight(view = 'PA': 1)", {"limit": 3, "unit": ["patient", "view"], "over": "view"}),
    ],
)
def test_faults_are_told_as_of_the_frame_in_one_piece(sampler, options):
    with pytest.raises(TQLError) as expected:
        TABLE.tql.sample(sampler, **options)
    with pytest.raises(type(expected.value)) as found:
        positions(cut(TABLE, [500, 500, 2_000]), sampler, **options, replace=True, seed=1)
    assert str(found.value) == str(expected.value)


def test_no_rows_at_all():
    empty = cut(TABLE.head(0), [0, 0])
    assert positions(empty, "few", 3, over="view", replace=True, seed=1) == []
    with pytest.raises(TQLNameError, match="'PA', which is not a group of over=") as caught:
        positions(empty, "few", {"PA": 3}, over="view", replace=True, seed=1)
    assert caught.value.hint == "there are no rows"
    with pytest.raises(TQLError, match="expected a tuple of 2 values"):
        positions(empty, "few", {"PA": 3}, over=["view", "ward"], replace=True, seed=1)


def test_no_units_at_all():
    empty = cut(TABLE.head(0), [0, 0])
    assert positions(empty, "few", None, unit="view", replace=True, seed=1) == []
    assert positions(empty, "few", 3, unit="view", over="ward", replace=True, seed=1) == []
    with pytest.raises(WeightError, match="cannot draw 3 rows from an empty frame"):
        positions(empty, "few", 3, unit="view", replace=True, seed=1)
    with pytest.raises(TQLNameError, match="not a group of over="):
        positions(empty, "few", {1: 3}, unit="view", over="ward", replace=True, seed=1)


def test_a_unit_in_several_groups_is_refused():
    within = pl.DataFrame({"p": ["a", "b", "b"], "g": ["x", "x", "y"]})
    for bounds in ([], [1], [2], [1, 2]):  # within a partition, and across
        with pytest.raises(TQLError, match="the unit 'b' lies in several groups of over, 'x' and 'y'") as caught:
            positions(cut(within, bounds), "1", 1, unit="p", over="g", replace=True, seed=1)
        assert (caught.value.source, caught.value.span) == ("p", (0, 1))


def test_fewer_units_than_asked_for_are_told():
    _, found = drawn(cut(TABLE, [100]), "max_weight(patient < 7: 1)", 40, unit="patient", replace=False, seed=1)
    assert (found.asked, found.found, found.what) == (40, 7, "units")


def test_more_units_than_fit_into_one_place_are_refused(monkeypatch):
    monkeypatch.setattr(by_group, "MOST_UNITS", 300)
    assert positions(cut(TABLE, []), "1", 1, unit="patient", replace=True, seed=1)
    with pytest.raises(TQLUnsupportedError, match="too many to draw from in one place"):
        positions(cut(TABLE, [1_000, 2_000]), "1", 1, unit="patient", replace=True, seed=1)


@pytest.mark.parametrize("options", [{"unit": "patient"}, {"unit": "patient", "over": "ward"}])
def test_other_units_than_were_counted_are_refused(options):
    parts = cut(TABLE, [1_000, 2_000])
    sampler, found = drawn(parts, "1", 5, **options, replace=True, seed=4)
    for part, share in zip(parts, found.shares, strict=True):
        others = [part.reverse(), part[:-1], part.with_columns(patient=pl.col("patient") + 7)]
        if "over" in options:
            others.append(part.with_columns(ward=pl.col("ward") + 1))
        for other in others:
            with pytest.raises(TQLError, match="rows changed between the passes"):
                sampler.positions_and_expected(PolarsFrame(other), share)


def test_a_fraction_of_groups_counts_their_rows_of_weight_0_too():
    frame = pl.DataFrame({"g": [0] * 10 + [1] * 10, "w": [1.0, 0.0] * 10})
    found = positions(cut(frame, [3, 14]), "w", None, fraction=0.5, over="g", replace=False, seed=1)
    assert found == list(range(0, 20, 2))


@REPLACE
@pytest.mark.parametrize("text", ["few + 1", "many + 1"])
def test_other_rows_or_groups_than_were_counted_are_refused(text, replace):
    parts = cut(TABLE, [1_000, 2_000])
    sampler, found = drawn(parts, text, 50, over="view", replace=replace, seed=4)
    for number, share in enumerate(found.shares):
        part = parts[number]
        others = [part.reverse(), part[:-1], part[:0], parts[(number + 1) % 3]]
        others += [part.with_columns(pl.col("view").shift(1)), part.with_columns(pl.col("view").str.to_lowercase())]
        for other in others:
            with pytest.raises(TQLError, match="rows changed between the passes"):
                sampler.positions_and_expected(PolarsFrame(other), share)


def test_other_groups_in_the_middle_pass_are_refused():
    parts = cut(TABLE, [1_000])
    spec = DrawSpec.checked(5, None, False, 1, over="view")
    sampler = Sampler.of("many", TABLE.columns, 1, spec=spec)
    asked = questions(counted(parts, sampler), Drawing(sampler, spec))
    with pytest.raises(TQLError, match="rows changed between the passes"):
        sampler.answer(asked[0], PolarsFrame(parts[0].with_columns(view=pl.lit("PA"))), 0)


def test_more_pairs_than_add_up_are_refused(monkeypatch):
    parts = cut(TABLE, [1_000])
    pairs = TABLE.select("ward", "few").n_unique()
    for most in (pairs, pairs - 1, 2):  # of all partitions, and of one
        for module in (kernel, by_group):
            monkeypatch.setattr(module, "MOST_PAIRS", most)
        if most == pairs:
            assert len(positions(parts, "few", 3, over="ward", replace=True, seed=1)) == 21
            continue
        with pytest.raises(TQLUnsupportedError, match="different pairs of a group and a weight") as caught:
            positions(parts, "few", 3, over="ward", replace=True, seed=1)
        assert "round the weights" in str(caught.value.hint) and "replace=False" in str(caught.value.hint)
        expected = TABLE.tql.sample("few", 3, over="ward", replace=False, order="source", seed=1)["index"].to_list()
        assert positions(parts, "few", 3, over="ward", replace=False, seed=1) == expected
    monkeypatch.setattr(by_group, "_MOST_CELLS", 20)
    with pytest.raises(TQLUnsupportedError, match="too many to add up"):
        positions(parts, "few", 3, over="ward", replace=False, seed=1)


def test_a_race_that_was_too_short_is_an_error():
    parts = cut(TABLE, [1_000])
    spec = DrawSpec.checked(5, None, False, 1, over="view")
    sampler = Sampler.of("many", TABLE.columns, 1, spec=spec)
    with pytest.raises(TQLError, match="the draw failed by chance"):
        draw_shares(counted(parts, sampler), [None, None], Drawing(sampler, spec))


@pytest.mark.parametrize(
    ("over", "error", "message"),
    [
        ("data(view, 3)", TQLUnsupportedError, "that row may be on another machine"),
        ("view >", TQLError, "expected"),
    ],
)
def test_groups_that_partitions_cannot_tell(over, error, message):
    with pytest.raises(error, match=message) as caught:
        Sampler.of("1", TABLE.columns, 1, spec=DrawSpec.checked(1, None, True, 1, over=over))
    assert caught.value.source == over


def test_what_partitions_tell_and_are_told_does_not_grow_with_their_rows():
    """Of weights that all differ: without replacement a few numbers a group, and candidates of the first rows."""
    rng = np.random.default_rng(0)
    sizes = []
    for rows in (20_000, 200_000):
        frame = pl.DataFrame({"g": np.arange(rows) % 5, "w": rng.random(rows) + 0.01})
        spec = DrawSpec.checked(50, None, False, 1, over="g")
        sampler = Sampler.of("w", frame.columns, 1, spec=spec)
        parts = cut(frame, [rows // 2])
        counts = counted(parts, sampler)
        asked = questions(counts, Drawing(sampler, spec))
        answers = [sampler.answer(asked[n], PolarsFrame(parts[n]), n * rows // 2) for n in range(2)]
        assert all(len(each.rows) <= 5 * 50 for each in answers)
        sizes.append(len(pickle.dumps((counts, asked, answers))))
    assert sizes[1] < 1.3 * sizes[0] < 60_000


# -- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "select * sample by few + 1 over (view) limit 3",
        "select * sample by many + 1 over (view, ward % 2) replace false limit 10 percent",
        "select many, view as v where ward > 2 sample by few + 1 over (v, ward) replace false limit 1",
        "select few * 2 as w, ward + 1 as next sample by w + 1 over (next) limit 20",
        "select * where ward > 100 sample by few over (view)",
        "select * where patient < 4 sample by few + 1 over (kind)",
    ],
)
def test_a_statement_on_partitions_is_the_statement_on_the_frame(text):
    parts = cut(TABLE, [0, 1, 1_200, 2_800])
    statement = sent(PartitionStatement.of(text, None, 6))
    counts = [sent(statement.count(PolarsFrame(part))) if part.height else Counts(0) for part in parts]
    how = Drawing(statement, statement.spec)
    asked = zip(questions(counts, how), parts, strict=True)
    answers = [None if each is None else statement.answer(each, PolarsFrame(part)) for each, part in asked]
    shares = draw_shares(counts, answers, how).shares
    each = [
        statement.rows(PolarsFrame(part), sent(share)) for part, share in zip(parts, shares, strict=True) if part.height
    ]
    expected = TABLE.tql.query(text, seed=6).sort("index", maintain_order=True)
    assert_frame_equal(pl.concat(each), expected.drop("index"))


def test_a_group_without_positive_weight_is_marked_in_the_statement():
    text = "select *, view as v sample by max_weight(view = 'PA': 1) over (v) limit 3"
    statement = PartitionStatement.of(text, None, 6)
    with pytest.raises(WeightError) as expected:
        TABLE.tql.query(text)
    with pytest.raises(WeightError) as found:
        questions([statement.count(PolarsFrame(TABLE))], Drawing(statement, statement.spec))
    assert str(found.value) == str(expected.value)
