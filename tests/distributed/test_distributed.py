"""Samples in partitions, without an engine: the same rows as of the frame in one piece, whatever the partitions."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tql_frames
from tests.partitions import counted, cut, drawn, positions, sent
from tests.sizes import size
from tql_frames import TQLError, TQLUnsupportedError, WeightError
from tql_frames.distributed import Counts, Drawing, PartitionStatement, Sampler, draw_shares, first_shares, questions
from tql_frames.distributed.assignment import Ascending
from tql_frames.frames import PolarsFrame
from tql_frames.pipeline.draw import DrawSpec
from tql_frames.sampling import StrataTable, Streams, draw
from tql_frames.sampling.partitioned import (
    Spread,
    integer_total,
    points_of_parts,
    rows_at_points,
    slots_of_parts,
    together,
    winners_of_parts,
)
from tql_frames.sampling.with_replacement import draw_strata, integer_weights
from tql_frames.sampling.without_replacement import distinct_strata, finishers

REPLACE = pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])
FEW = st.sampled_from([0.0, 0.5, 1.0, 3.0, 20.0])
MANY = st.floats(0, 1e6, allow_subnormal=False)
FAR_APART = st.floats(0, 1e300, allow_subnormal=False)
XRAYS = tql_frames.datasets.chest_xray().head(4_000)
XRAYS = XRAYS.with_columns(dose=pl.Series(np.random.default_rng(5).random(XRAYS.height)))


@st.composite
def populations(draw_: st.DrawFn) -> tuple[np.ndarray, list[int]]:
    """Weights of which one is positive, and where they are cut."""
    elements = draw_(st.sampled_from([FEW, MANY, FAR_APART]))
    weights = draw_(arrays(np.float64, st.integers(1, 120), elements=elements).filter(np.any))
    return weights, draw_(st.lists(st.integers(0, len(weights)), max_size=6))


@settings(max_examples=size(30, 300), deadline=None)
@given(populations(), st.integers(0, 200), st.booleans(), st.integers(0, 2**70))
def test_any_partitions_give_the_rows_of_the_whole(population, limit, replace, seed):
    weights, bounds = population
    expected = np.sort(draw(weights, limit, replace=replace, seed=seed))
    parts = cut(pl.DataFrame({"w": weights}), bounds)
    assert positions(parts, "w", limit, replace=replace, seed=seed) == expected.tolist()


SAMPLERS = {
    "strata": "max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Mass'): 7, True: 1)",
    "sums": "sum_weight(age > 60: 0.1, view = 'PA': 0.2, sex = 'F': 0.3)",
    "many levels": "max_weight(" + ", ".join(f"age > {n}: {n}.5" for n in range(5, 95, 3)) + ")",
    "rows": "dose",
    "both": "max_weight(age > 60: dose, True: 1)",
    "random": "max_weight(random() % 2 = 1: 3, True: 1)",
    "numbers": "row_number() % 7 * random()",
    "expression": pl.col("dose") ** 2,
}


@pytest.mark.filterwarnings("ignore::tql_frames.TQLArmWarning")  # doses are all below 1
@REPLACE
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_on_partitions_is_the_sampler_on_the_frame(name, replace):
    text = SAMPLERS[name]
    many = list(range(0, 4000, size(397, 57)))
    for limit, bounds in ((0, []), (7, [1000, 1000, 3999]), (1500, many), (9000, [2000])):
        with pytest.warns(tql_frames.TQLWarning) if limit == 9000 and not replace else nullcontext():
            expected = XRAYS.tql.sample(text, limit, replace=replace, seed=limit, order="source")["index"]
        found = positions(cut(XRAYS, bounds), text, limit, replace=replace, seed=limit)
        assert found == expected.to_list()


@REPLACE
def test_more_rows_than_a_block(replace):
    rows = size(550_000, 700_000)
    weights = np.random.default_rng(3).exponential(size=rows) * (np.arange(rows) % 3 > 0)
    parts = cut(pl.DataFrame({"w": weights}), [270_000, 270_001, 540_000])
    expected = np.sort(draw(weights, 50_000, replace=replace, seed=9))
    assert positions(parts, "w", 50_000, replace=replace, seed=9) == expected.tolist()


def test_a_seed_and_no_limit_take_as_many_rows_as_there_are():
    assert len(positions(cut(XRAYS, [1, 2]), "age", None, replace=True, seed=1)) == XRAYS.height


def test_fewer_rows_than_asked_for_are_told():
    _, found = drawn(cut(XRAYS, [100]), "max_weight(age > 80: 1)", 4_000, replace=False, seed=1)
    assert found.asked == 4_000
    assert found.found == XRAYS.filter(pl.col("age") > 80).height


# -- what parts tell --------------------------------------------------------------------------------------------------


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0, allow_infinity=False)), st.integers(0, 60))
def test_spreads_add_up_exactly(weights, at):
    spread = Spread.of(weights[:at]) + Spread.of(weights[at:])
    positive = weights[weights > 0].tolist()
    assert spread.total == sum(map(Fraction, positive))
    assert spread.rows == len(positive) == spread.counts.sum()
    assert (spread.least, spread.most) == (min(positive, default=np.inf), max(positive, default=0.0))
    table = Spread.of_table(StrataTable.of(weights))
    assert (table.rows, table.total, table.least, table.most) == (spread.rows, spread.total, spread.least, spread.most)
    assert table.steps.tolist() == spread.steps.tolist() and table.counts.tolist() == spread.counts.tolist()


@pytest.mark.parametrize("total", [1.0, 0.7071067811, 0.70710678109999, 0.70710678110001, 3.7e-200, 1.4142135622])
def test_the_scale_of_parts_is_that_of_the_whole_also_at_its_edge(total):
    weights = np.full(10, total / 10) + np.arange(10) * total * 1e-17
    spread = Spread.sum([Spread.of(weights[:3]), Spread.of(weights[3:])])
    shares = integer_weights(weights)
    assert [integer_total(weights[n : n + 1], spread.scale) for n in range(10)] == shares.tolist()


def test_few_more_rows_than_needed_finish_a_race():
    weights = np.random.default_rng(1).lognormal(size=200_000)
    spread = Spread.of(weights)
    for limit in (1, 1_000, 20_000, 199_000):
        rows, _ = finishers(weights, spread.race, spread.limit_of(limit), Streams(4))
        assert limit <= len(rows) <= limit * 1.15 + 12 * limit**0.5 + 100
    assert winners_of_parts([(np.array([3]), np.array([0.5]))], 2) is None


@given(st.lists(st.integers(0, 2**40), max_size=50))
def test_packed_numbers_are_the_numbers(numbers):
    numbers = np.sort(np.array(numbers, np.int64))
    packed = sent(Ascending.of(numbers))
    assert packed.numbers().tolist() == numbers.tolist() and packed.numbers().dtype == np.int64
    assert packed.gaps.nbytes <= numbers.nbytes


def test_the_draw_of_a_billion_rows_in_many_partitions():
    """What `benchmarks.distributed` does with a hundred million draws: positions agree with those of the slots."""
    partitions = size(1_000, 10_000)
    rng = np.random.default_rng(2)
    weights = np.array([0.0, 1.0, 2.0, 5.0, 20.0])
    shares = [0.1, 0.8, 0.05, 0.04, 0.01]
    tables = [StrataTable(weights, 1 + rng.multinomial(10**9 // partitions - 5, shares)) for _ in range(partitions)]
    counts = [Counts(table.rows, b"", table, seen=table.rows) for table in tables]
    table, cells = together(tables)
    assert table.rows == 10**9
    for replace in (True, False):
        how = Drawing(Sampler("w", 7), DrawSpec.checked(100_000, None, replace, 7))
        assert questions(counts, how) == [None] * partitions
        found = draw_shares(counts, [None] * partitions, how)
        slots = np.sort((draw_strata if replace else distinct_strata)(table, 100_000, Streams(7)))
        parts = list(slots_of_parts(slots, cells))
        assert [share.drawn.numbers.numbers().tolist() for share in found.shares] == [each.tolist() for each in parts]
        # Back from the slots of the partitions to those of all.
        own = np.cumsum(cells, axis=0) - cells
        starts = (np.cumsum(cells) - cells.ravel()).reshape(cells.shape)
        again = []
        for part, each in enumerate(parts):
            stratum = own[:, part].searchsorted(each, side="right") - 1
            again.append(each - own[stratum, part] + starts[stratum, part])
        assert np.sort(np.concatenate(again)).tolist() == slots.tolist()
        assert len(sent(found.shares)) == partitions


def test_points_of_parts_without_weight():
    points = points_of_parts([0, 5 * 2**58, 0, 3 * 2**58, 0], 1_000, Streams(1))
    assert [len(each) > 0 for each in points] == [False, True, False, True, False]
    assert rows_at_points(np.array([0.0, 1.0, 0.0]), 58, 5 * 2**58, np.array([5 * 2.0**58])).tolist() == [1]


# -- what must not happen ---------------------------------------------------------------------------------------------


@REPLACE
@pytest.mark.parametrize("text", [SAMPLERS["strata"], SAMPLERS["rows"], "max_weight(age > 60: 3, True: 1)"])
def test_other_rows_than_were_counted_are_refused(text, replace):
    parts = cut(XRAYS, [1500, 3000])
    sampler, found = drawn(parts, text, 500, replace=replace, seed=4)
    for number, share in enumerate(found.shares):
        for other in (parts[number].reverse(), parts[number][:-1], parts[number][:0], parts[(number + 1) % 3]):
            with pytest.raises(TQLError, match="rows changed between the passes") as fault:
                sampler.positions_and_expected(PolarsFrame(other), share)
            assert "persist" in str(fault.value) and "keys" in str(fault.value)


def test_keys_tell_rows_of_equal_weight_apart():
    parts = [part.sort("image") for part in cut(XRAYS, [2000])]
    sampler = Sampler.of("max_weight(True: 1)", XRAYS.columns, 1, ("image",))
    how = Drawing(sampler, DrawSpec.checked(50, None, True, 1))
    counts = counted(parts, sampler)
    found = draw_shares(counts, [None] * 2, how)
    assert len(sampler.positions_and_expected(PolarsFrame(parts[0]), found.shares[0])[0]) > 10
    with pytest.raises(TQLError, match="rows changed"):
        sampler.positions_and_expected(PolarsFrame(parts[0].reverse()), found.shares[0])


@pytest.mark.parametrize(
    ("text", "parts", "message"),
    [
        ("dose - 0.5", [10, 500], "the sampler returns a negative weight in"),
        ("max_weight(age > 90: 0 - dose, True: 1)", [3000], "arm 1 has a negative weight in"),
        ("max_weight(age > 90: 1, age < 5: dose / 0, True: dose / 0)", [7, 9], "arm 2 has an infinite weight"),
        ("max_weight(age > 300: 1)", [100], "no row can be drawn: its one arm gives weight 0 to all 4,000 rows"),
        ("dose * 0", [100], "no row can be drawn: the weight is 0 in all 4,000 rows"),
    ],
)
def test_bad_weights_are_told_as_of_the_frame_in_one_piece(text, parts, message):
    with pytest.raises(WeightError) as expected:
        XRAYS.tql.sample(text, 10)
    with pytest.raises(WeightError) as found:
        positions(cut(XRAYS, parts), text, 10, replace=True, seed=1)
    assert str(found.value) == str(expected.value)
    assert found.value.message.startswith(message)


def test_an_arm_that_is_bad_anywhere_comes_before_an_earlier_row_of_another():
    frame = pl.DataFrame({"a": [1, 2, 3, 4], "x": [-1.0, 1.0, 1.0, -1.0]})
    text = "max_weight(a = 4: x, a = 1: x, True: 1)"
    with pytest.raises(WeightError, match="arm 1 has a negative weight in row 3 "):
        positions(cut(frame, [2]), text, 2, replace=True, seed=1)


def test_no_rows_at_all():
    empty = XRAYS.head(0)
    assert positions(cut(empty, [0, 0]), "age", None, replace=True, seed=1) == []
    with pytest.raises(WeightError, match="cannot draw 3 rows from an empty frame"):
        positions(cut(empty, [0]), "age", 3, replace=True, seed=1)


@pytest.mark.parametrize(
    ("sampler", "error", "message"),
    [
        (3, TQLError, "expected a sampler as TQL text or a Polars expression"),
        ("max_weight(age >: 3)", tql_frames.TQLSyntaxError, "expected"),
        ("data(age, 3)", TQLUnsupportedError, "that row may be on another machine"),
        ("halved(age)", TQLUnsupportedError, "halved is not supported here"),
        (pl.col("^a.*$"), TQLUnsupportedError, "by a pattern"),
        (pl.col("agee"), tql_frames.TQLNameError, "unknown column 'agee'"),
    ],
)
def test_samplers_that_partitions_cannot_evaluate(sampler, error, message):
    tql_frames.register_function("halved", lambda x: x / 2)
    with pytest.raises(error, match=message):
        Sampler.of(sampler, XRAYS.columns, 1)


@pytest.mark.parametrize(
    "expr",
    [
        pl.col("age") / pl.col("age").max(),
        pl.col("age").rank(),
        pl.col("age").max().over("view"),
        pl.col("age").shift(1),
        pl.int_range(pl.len()),
        pl.col("age").cum_sum(),
        pl.col("age").map_batches(lambda s: s, return_dtype=pl.Float64),
    ],
)
def test_expressions_that_look_at_several_rows_are_refused(expr):
    with pytest.raises(TQLUnsupportedError, match="several rows at once"):
        Sampler.of(expr, XRAYS.columns, 1).weigher(PolarsFrame(XRAYS))
    row_by_row = pl.when(pl.col("findings").list.contains("Mass")).then(3).otherwise(pl.col("age").fill_null(0) + 1)
    assert Sampler.of(row_by_row, XRAYS.columns, 1).weigher(PolarsFrame(XRAYS)).weigh(PolarsFrame(XRAYS)).any()


def test_an_expression_that_does_not_fit_its_columns():
    sampler = Sampler.of(pl.col("age").str.len_chars(), XRAYS.columns, 1)
    with pytest.raises(TQLError, match="the sampler"):
        sampler.count(PolarsFrame(XRAYS), 0)


# -- statements -------------------------------------------------------------------------------------------------------

STATEMENTS = [
    "select *",
    "select image, age + 1 as older where view = 'PA' and age > 30",
    "select age limit 1500",
    "select * where age > 60 limit 30 percent",
    "select image, age * 2 as twice where sex = 'F' sample by max_weight(twice > 100: 5, True: 1) limit 300",
    "select * sample by dose replace false limit 10 percent",
    "select image where age > 200",
    "select age where age > 200 sample by dose",
]


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement_on_partitions_is_the_statement_on_the_frame(text):
    parts = cut(XRAYS, [0, 1, 1200, 2800])
    statement = sent(PartitionStatement.of(text, None, 6))
    counts = [sent(statement.count(PolarsFrame(part))) if part.height else Counts(0) for part in parts]
    shares = [None] * len(parts)
    if statement.samples:
        how = Drawing(statement, dataclasses.replace(statement.spec, seed=6))
        asked = zip(questions(counts, how), parts, strict=True)
        answers = [None if each is None else statement.answer(each, PolarsFrame(part)) for each, part in asked]
        shares = draw_shares(counts, answers, how).shares
    elif statement.cuts:
        shares = first_shares(counts, statement.size.of)
    each = [
        statement.rows(PolarsFrame(part), sent(share)) for part, share in zip(parts, shares, strict=True) if part.height
    ]
    expected = XRAYS.tql.query(text, seed=6)
    if statement.samples:
        expected = expected.sort("index")
    assert pl.concat(each).equals(expected.drop("index"))


@pytest.mark.parametrize(
    ("text", "guilty", "message"),
    [
        ("select * order by age", "age", "ORDER BY"),
        ("select age group by age", "age", "GROUP BY"),
        ("select distinct age", "select", "DISTINCT"),
        ("select * limit 5 offset 3", "3", "OFFSET"),
        ("select * limit 5 sample by age", "5", "LIMIT before SAMPLE BY"),
        ("select * from (select *)", "(select *)", "a subquery"),
        ("(select *) union (select *)", None, "UNION"),
        ("select * where random() % 2 = 1", "random()", "random"),
        ("select row_number() as n", "row_number()", "row_number"),
        ("select data(age, 3) as n", "data(age, 3)", "data"),
        ("select * sample by random()", "random()", "random"),
    ],
)
def test_clauses_that_need_other_partitions_are_refused_by_name(text, guilty, message):
    with pytest.raises(TQLUnsupportedError, match=message) as fault:
        PartitionStatement.of(text, None, 1)
    assert fault.value.span is not None
    if guilty is not None:
        assert text[slice(*fault.value.span)].lower().find(guilty.lower()) >= 0


def test_a_statement_whose_where_finds_other_rows_is_refused():
    statement = PartitionStatement.of("select * where age > 60 limit 50", None, 1)
    share = first_shares([statement.count(PolarsFrame(XRAYS))], statement.size.of)[0]
    with pytest.raises(TQLError, match="rows changed"):
        statement.rows(PolarsFrame(XRAYS.head(3_000)), share)
