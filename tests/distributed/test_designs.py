"""Designs, keys and expectations in partitions, without an engine: as of the frame in one piece."""

from __future__ import annotations

import datetime as dt
import pickle

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.partitions import counted, cut, drawn, positions, positions_and_expected, sent
from tests.sizes import size
from tql_frames import TQLError, TQLTypeError, TQLUnsupportedError
from tql_frames.distributed import Counts, Drawing, PartitionStatement, Sampler, draw_shares, questions
from tql_frames.distributed import groups as gathered
from tql_frames.frames import PolarsFrame
from tql_frames.pipeline.draw import DESIGNS, DrawSpec


def _table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    n = 2_000
    patient = rng.integers(0, 250, n)
    return pl.DataFrame(
        {
            "view": pl.Series(rng.choice(["PA", "AP", "?"], n).tolist()).replace({"?": None}),
            "patient": patient,
            "ward": patient % 7,
            "image": rng.permutation(n),
            "name": [f"image-{number}" for number in range(n)],
            "taken": [dt.date(1950, 1, 1) + dt.timedelta(days=number) for number in range(n)],
            "few": rng.choice([0.0, 1.0, 5.0], n),
            "many": rng.random(n) * (rng.random(n) > 0.2),
            "wide": 10.0 ** rng.uniform(-290, 290, n),
        }
    ).with_columns(kind=pl.col("view").cast(pl.Categorical))


TABLE = _table()
CUTS = [[], [0, 0, 1_500], [1, 2, 700, 1_400, 1_400, 1_999], list(range(0, 2_000, size(397, 97)))]
WITH, WITHOUT = {"replace": True}, {"replace": False}
REQUESTS = [
    pytest.param(WITH | {"design": "systematic", "limit": 700}, id="systematic-with"),
    pytest.param(WITHOUT | {"design": "systematic", "limit": 700}, id="systematic-without"),
    pytest.param(WITHOUT | {"design": "systematic"}, id="systematic-all"),
    pytest.param(WITHOUT | {"design": "poisson", "fraction": 0.2}, id="poisson"),
    pytest.param(WITHOUT | {"design": "poisson", "limit": 30, "over": "view"}, id="poisson-of-each"),
    pytest.param(WITH | {"design": "systematic", "limit": 30, "over": ["kind", "ward"]}, id="systematic-of-each"),
    pytest.param(
        WITHOUT | {"design": "systematic", "limit": {"PA": 20, None: 3}, "over": "view"}, id="systematic-quotas"
    ),
    pytest.param(WITHOUT | {"design": "systematic", "limit": 40, "unit": "patient"}, id="systematic-units"),
    pytest.param(
        WITH | {"design": "systematic", "limit": 5, "unit": "patient", "over": "ward"}, id="systematic-units-of-each"
    ),
    pytest.param(WITHOUT | {"design": "poisson", "limit": 40, "unit": ["patient", "kind"]}, id="poisson-units"),
    pytest.param(WITHOUT | {"key": "image", "limit": 90}, id="key-of-numbers"),
    pytest.param(WITHOUT | {"key": "name", "limit": 9, "over": "view"}, id="key-of-texts-of-each"),
    pytest.param(WITHOUT | {"key": ["taken", "kind"], "design": "poisson", "fraction": 0.1}, id="key-of-two-columns"),
    pytest.param(WITHOUT | {"key": "patient", "unit": "patient", "limit": 20}, id="key-of-units"),
    pytest.param(
        WITHOUT | {"key": "patient", "unit": "patient", "design": "poisson", "limit": 4, "over": "ward"},
        id="key-of-units-of-each",
    ),
    pytest.param(WITHOUT | {"design": "systematic", "limit": 0}, id="none"),
    pytest.param(WITHOUT | {"design": "poisson", "limit": 9, "over": "random() % 4"}, id="random-groups"),
    pytest.param(WITH | {"limit": 300}, id="independent"),
    pytest.param(WITHOUT | {"limit": 300}, id="successive"),
    pytest.param(WITHOUT | {"limit": 30, "over": "view"}, id="successive-of-each"),
]


@pytest.mark.filterwarnings("ignore:.* without replacement, but only:tql_frames.TQLWarning")
@pytest.mark.parametrize("request_", REQUESTS)
def test_any_partitions_give_the_rows_of_the_whole(request_):
    samplers = "few", "many + 1", "wide", "max_weight(few > 1: 3, view = 'PA': random(), True: 1)"
    turn = [each.values[0] for each in REQUESTS].index(request_)
    for sampler in size(samplers[turn % 4 :][:1], samplers):  # in `make test` one for each request, and one of the cuts
        whole = TABLE.tql.sample(sampler, **request_, order="source", seed=3, expected="times")
        options = {"limit": None} | request_
        for bounds in size([CUTS[(turn + turn // 4) % 4]], CUTS):
            rows, times = positions_and_expected(cut(TABLE, bounds), sampler, **options, seed=3)
            assert rows == whole["index"].to_list(), (sampler, bounds)
            assert times == whole["times"].to_list()
    assert positions(cut(TABLE, CUTS[1]), sampler, **options, seed=3) == rows


@st.composite
def requests(draw: st.DrawFn) -> tuple[pl.DataFrame, list[int], dict[str, object]]:
    """A frame of groups, keys and weights, where it is cut, and a request."""
    weights = draw(st.sampled_from([st.sampled_from([0.0, 1.0, 7.5]), st.floats(1e-200, 1e200)]))
    names = st.sampled_from(["a", "b", None])
    rows = draw(st.lists(st.tuples(names, weights), min_size=1, max_size=60))
    frame = pl.DataFrame({"g": [name for name, _ in rows], "w": [weight for _, weight in rows]})
    frame = frame.with_columns(k=draw(st.permutations(range(len(rows)))))
    replace = draw(st.booleans())
    design = draw(st.sampled_from(DESIGNS[replace]))
    request = {"limit": draw(st.integers(0, 12)), "replace": replace, "design": design}
    if draw(st.booleans()):
        request["over"] = "g"
    if design in ("successive", "poisson") and draw(st.booleans()):
        request["key"] = "k"
    return frame, draw(st.lists(st.integers(0, len(rows)), max_size=6)), request


@pytest.mark.filterwarnings("ignore:.* without replacement, but only:tql_frames.TQLWarning")
@settings(max_examples=size(60, 500), deadline=None)
@given(requests(), st.integers(0, 2**70))
def test_any_frames(request_, seed):
    frame, bounds, options = request_
    try:
        whole = frame.tql.sample("w", **options, order="source", seed=seed, expected="times")
    except TQLError as fault:
        with pytest.raises(type(fault)) as found:
            positions(cut(frame, bounds), "w", **options, seed=seed)
        assert str(found.value) == str(fault)
        return
    rows, times = positions_and_expected(cut(frame, bounds), "w", **options, seed=seed)
    assert (rows, times) == (whole["index"].to_list(), whole["times"].to_list())


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        ("1", WITHOUT | {"key": "patient", "limit": 5}),
        ("1", WITHOUT | {"key": ["patient", "view"], "limit": 5, "design": "poisson"}),
        ("1", WITHOUT | {"key": "many", "limit": 5}),
        ("1", WITHOUT | {"key": "imag", "limit": 5}),
        ("few * 0", WITH | {"design": "systematic", "limit": 5}),
        ("few - 2", WITHOUT | {"design": "poisson", "limit": 5}),
        ("max_weight(view = 'PA': 1)", WITH | {"design": "systematic", "limit": 5, "over": "view"}),
        ("1", WITH | {"design": "systematic", "limit": 10**12}),
    ],
)
def test_faults_are_told_as_of_the_frame_in_one_piece(sampler, options):
    with pytest.raises(TQLError) as expected:
        TABLE.tql.sample(sampler, **options)
    with pytest.raises(type(expected.value)) as found:
        positions(cut(TABLE, [500, 500, 1_000]), sampler, **options, seed=1)
    assert str(found.value) == str(expected.value)


def test_one_key_in_two_partitions_is_an_error():
    parts = [pl.DataFrame({"k": [1, 2]}), pl.DataFrame({"k": [3, 2]})]
    with pytest.raises(TQLError, match="2 rows have a key that another row has, such as 2"):
        positions(parts, "1", 1, key="k", replace=False, seed=1)


def test_keys_of_several_types_are_refused():
    parts = [pl.DataFrame({"k": [1, 2]}), pl.DataFrame({"k": ["3", "4"]})]
    with pytest.raises(TQLTypeError, match=r"key is .* in one partition and .* in another"):
        positions(parts, "1", 1, key="k", replace=False, seed=1)


def test_no_rows_at_all():
    empty = cut(TABLE.head(0), [0, 0])
    assert positions(empty, "few", None, design="systematic", replace=True, seed=1) == []
    assert positions_and_expected(empty, "few", None, replace=True, seed=1) == ([], [])
    with pytest.raises(TQLError, match="cannot draw 3 rows from an empty frame"):
        positions(empty, "few", 3, design="systematic", replace=True, seed=1)


def test_fewer_rows_than_asked_for_are_told():
    _, found = drawn(cut(TABLE, [9]), "max_weight(image < 7: 1)", 40, design="systematic", replace=False, seed=1)
    assert (found.asked, found.found, found.what) == (40, 7, "rows")


@pytest.mark.parametrize("options", [{"design": "systematic"}, {"key": "image"}, {"expected": True}])
def test_other_rows_than_were_counted_are_refused(options):
    parts = cut(TABLE, [700, 1_400])
    sampler, found = drawn(parts, "many", 50, replace=False, seed=4, **options)
    for part, share in zip(parts, found.shares, strict=True):
        others = [part.reverse(), part[:-1], part.with_columns(many=pl.col("many") + 1)]
        if "key" in options:
            others.append(part.with_columns(image=pl.col("image") + 1))
        for other in others:
            with pytest.raises(TQLError, match="rows changed between the passes"):
                sampler.positions_and_expected(PolarsFrame(other), share)


def test_more_rows_than_fit_into_one_place_are_refused(monkeypatch):
    parts = cut(TABLE, [900])
    monkeypatch.setattr(gathered, "MOST_ROWS", 1_999)
    monkeypatch.setattr(gathered, "MOST_UNITS", 500)
    with pytest.raises(TQLUnsupportedError, match="2,000 rows are too many to bring to one place, as design='poisson'"):
        positions(parts, "1", 9, design="poisson", replace=False, seed=1)
    with pytest.raises(TQLUnsupportedError, match=r"as key=\['image'\] needs; 500 are possible"):
        positions(parts, "1", 9, key="image", replace=False, seed=1)
    assert len(positions(parts, "1", 9, unit="patient", design="systematic", replace=False, seed=1)) > 9


def test_few_weights_come_to_the_driver_by_their_numbers():
    """A byte a row for few weights, eight for many."""
    rows = 50_000
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"few": rng.integers(0, 9, rows), "many": rng.random(rows)})
    sizes = []
    for text in ("few", "many"):
        spec = DrawSpec.checked(50, None, True, 1, design="systematic")
        sizes.append(len(pickle.dumps(counted([frame], Sampler.of(text, frame.columns, 1, spec=spec)))))
    assert sizes[0] < 1.1 * rows < 8 * rows < sizes[1] < 8.1 * rows


@pytest.mark.parametrize(
    "text",
    [
        "select * sample by few + 1 design systematic limit 300",
        "select * sample by many + 1 over (view, ward % 2) design systematic replace false limit 10 percent",
        "select many, view as v where ward > 2 sample by wide over (v) design poisson replace false limit 9",
        "select * where ward > 2 sample by many design poisson replace false limit 9",
    ],
)
def test_a_statement_on_partitions_is_the_statement_on_the_frame(text):
    parts = cut(TABLE, [0, 1, 700, 1_800])
    statement = sent(PartitionStatement.of(text, None, 6))
    counts = [sent(statement.count(PolarsFrame(part))) if part.height else Counts(0) for part in parts]
    how = sent(Drawing(statement, statement.spec))
    assert questions(counts, how) == [None] * len(parts)
    shares = draw_shares(counts, [None] * len(counts), how).shares
    found = [
        statement.rows(PolarsFrame(part), sent(share)) for part, share in zip(parts, shares, strict=True) if part.height
    ]
    whole = TABLE.tql.query(text, seed=6).sort("index", maintain_order=True)
    assert_frame_equal(pl.concat(found), whole.drop("index"))


@pytest.mark.parametrize(
    ("design", "hint"),
    [("poisson", "write REPLACE FALSE"), ("successive", "write REPLACE FALSE"), ("sistematic", "'systematic'")],
)
def test_a_design_that_does_not_fit_the_statement(design, hint):
    text = f"select * sample by 1 design {design} limit 3"
    with pytest.raises(TQLError) as expected:
        TABLE.tql.query(text)
    with pytest.raises(TQLError) as found:
        PartitionStatement.of(text, None, 1)
    assert str(found.value) == str(expected.value)
    assert hint in str(found.value)
