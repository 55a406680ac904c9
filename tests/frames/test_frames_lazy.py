"""LazyFrames: nothing runs before `collect`, and what comes before and after the draw stays before and after it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.sizes import size
from tql_frames import TQLError, TQLNameError, TQLSyntaxError, TQLTypeError, TQLWarning, WeightError

ENGINES = ["in-memory", "streaming"]
Step = Callable[[Any], Any]

ROWS = 1_000
random = np.random.default_rng(5).random
FRAME = pl.DataFrame(
    {
        "k": random(ROWS).argsort(),
        "g": (random(ROWS) * 7).astype(np.int64),
        "w": random(ROWS) * (random(ROWS) > 0.3),
        "s": [f"t{i % 13}" for i in range(ROWS)],
    }
)
OTHER = pl.DataFrame({"g": [0, 1, 2, 3], "z": [5.0, 6.0, 7.0, 8.0]})
SAMPLERS = ["max_weight(s = 't3': 9, w > 0.2: 2, true: 1)", "w"]


@pytest.fixture(params=["memory", "scan"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[pl.LazyFrame]:
    if request.param == "memory":
        yield FRAME.lazy()
    else:
        FRAME.write_parquet(tmp_path / "frame.parquet", row_group_size=90)
        yield pl.scan_parquet(tmp_path / "frame.parquet")


def like(frame: Any, other: pl.DataFrame) -> Any:
    return other.lazy() if isinstance(frame, pl.LazyFrame) else other


BEFORE: dict[str, Step] = {
    "nothing": lambda f: f,
    "sort": lambda f: f.sort("k"),
    "stable sort": lambda f: f.sort("w", descending=True, maintain_order=True),
    "group_by": lambda f: f.group_by("s", maintain_order=True).agg(pl.col("w").max(), pl.col("k", "g").first()),
    "unique": lambda f: f.unique("g", keep="first", maintain_order=True),
    "join": lambda f: f.join(like(f, OTHER), on="g", how="left", maintain_order="left"),
    "with_row_index": lambda f: f.with_row_index("r"),
    "filter": lambda f: f.filter(pl.col("w") > 0.5),
    "head": lambda f: f.head(50),
    "slice": lambda f: f.slice(3, 700),
    "tail": lambda f: f.tail(50),
    "concat": lambda f: pl.concat([f, f.reverse()]),
    "explode": lambda f: f.with_columns(l=pl.concat_list("k", "g")).explode("l"),
    "with_columns": lambda f: f.with_columns(w=1 - pl.col("w")),
}
AFTER: dict[str, Step] = {
    "nothing": lambda f: f,
    "filter": lambda f: f.filter(pl.col("g") == 3),
    "filter by index": lambda f: f.filter(pl.col("index") % 2 == 0),
    "select": lambda f: f.select("k"),
    "head": lambda f: f.head(5),
    "slice": lambda f: f.slice(7, 11),
    "tail": lambda f: f.tail(3),
    "group_by": lambda f: f.group_by("g", maintain_order=True).agg(pl.len(), pl.col("k").first()),
    "group_by and sort": lambda f: f.group_by("g").len().sort("g"),
    "sort": lambda f: f.sort("k", maintain_order=True),
    "unique": lambda f: f.unique("index", keep="first", maintain_order=True),
    "join": lambda f: f.join(like(f, OTHER), on="g", how="inner", maintain_order="left"),
    "count": lambda f: f.select(pl.len()),
    "sum": lambda f: f.select(pl.col("k").sum(), pl.col("index").max()),
    "reverse": lambda f: f.reverse(),
    "drop": lambda f: f.with_columns(x=pl.col("k") + 1).drop("w", "s"),
    "sample": lambda f: f.tql.sample("max_weight(g > 2: 3, true: 1)", 30, seed=4, index="i2"),
}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("before", BEFORE)
def test_lazy_is_eager(source: pl.LazyFrame, before: str, sampler: str) -> None:
    sample = BEFORE[before](FRAME).tql.sample(sampler, 200, seed=5)
    plan = BEFORE[before](source).tql.sample(sampler, 200, seed=5)
    first = [*BEFORE].index(before) + SAMPLERS.index(sampler)
    in_memory = "DF [" in source.explain()
    for place, (name, after) in enumerate(AFTER.items(), first):
        if size((place + in_memory) % 3, 0):
            continue  # in `make test` of each sampler and source every third step
        expected, lazy = after(sample), after(plan)
        assert lazy.collect_schema() == expected.schema, name
        # In `make test` one engine, which is another at the next of these steps.
        for engine in size(ENGINES[place // 3 % 2 :][:1], ENGINES):
            found = lazy.collect(engine=engine)
            assert found.schema == expected.schema and found.equals(expected), (name, engine)


@pytest.mark.parametrize(
    "options", [{"replace": False}, {"order": "source"}, {"index": None}, {"fraction": 0.5}], ids=str
)
@pytest.mark.parametrize("engine", ENGINES)
def test_lazy_is_eager_with_options(source: pl.LazyFrame, engine: Any, options: dict[str, Any]) -> None:
    options = {"seed": 3, "limit": None if "fraction" in options else 77} | options
    expected = FRAME.tql.sample(SAMPLERS[0], **options)
    assert_frame_equal(source.tql.sample(SAMPLERS[0], **options).collect(engine=engine), expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_weights(source: pl.LazyFrame, engine: Any) -> None:
    plan = source.sort("k").tql.weights("w")
    assert isinstance(plan, pl.LazyFrame)
    assert plan.collect_schema() == {"weight": pl.Float64}
    expected = FRAME.sort("k").tql.weights("w").to_frame()
    assert_frame_equal(plan.collect(engine=engine), expected)
    assert_frame_equal(
        plan.filter(pl.col("weight") > 0.5).collect(engine=engine), expected.filter(pl.col("weight") > 0.5)
    )
    assert_frame_equal(plan.head(3).collect(engine=engine), expected.head(3))


def test_samples_of_one_plan_are_not_taken_for_each_other() -> None:
    plan = FRAME.lazy()
    expected = [FRAME.tql.sample("w", 10, seed=seed) for seed in range(4)]
    plans = [plan.tql.sample("w", 10, seed=seed) for seed in range(4)]
    for engine in ENGINES:
        assert_frame_equal(pl.concat(plans).collect(engine=engine), pl.concat(expected))
    for found, frame in zip(pl.collect_all(plans), expected, strict=True):
        assert_frame_equal(found, frame)


def test_sink(tmp_path: Path) -> None:
    FRAME.lazy().tql.sample("w", 10, seed=1).sink_parquet(tmp_path / "sample.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "sample.parquet"), FRAME.tql.sample("w", 10, seed=1))


class Tripwire:
    """A plan that counts how often it runs."""

    def __init__(self, frame: pl.DataFrame = FRAME) -> None:
        self.runs = 0
        self.plan = frame.lazy().map_batches(self._run, schema=frame.schema)

    def _run(self, frame: pl.DataFrame) -> pl.DataFrame:
        self.runs += 1
        return frame


def test_nothing_runs_before_collect() -> None:
    wire = Tripwire()
    sample = wire.plan.tql.sample(SAMPLERS[0], 5)
    weights = wire.plan.tql.weights(pl.col("w"))
    assert sample.collect_schema() == {"index": pl.UInt32, **FRAME.schema}
    assert weights.collect_schema() == {"weight": pl.Float64}
    sample.filter(pl.col("g") > 1).select("k").explain()
    assert wire.runs == 0
    sample.collect()
    assert wire.runs == 1


@pytest.mark.parametrize("sampler", ["max_weight(nosuch > 1: 1)", "max_weight(", "s", "nosuch"])
def test_wrong_text_is_found_before_anything_runs(sampler: str) -> None:
    wire = Tripwire()
    with pytest.raises((TQLNameError, TQLSyntaxError, TQLTypeError)):
        wire.plan.tql.sample(sampler, 5)
    assert wire.runs == 0


@pytest.mark.parametrize(
    "options",
    [{"limit": -1}, {"seed": -1}, {"index": "w"}, {"order": "no"}, {"replace": 1}, {"ignore_index": True}],
    ids=str,
)
def test_wrong_options_are_found_before_anything_runs(options: dict[str, Any]) -> None:
    wire = Tripwire()
    with pytest.raises(TQLError):
        tql_frames.sample(wire.plan, "w", **options)
    assert wire.runs == 0


def test_explain_runs_the_plan_once() -> None:
    wire = Tripwire()
    assert wire.plan.tql.explain(SAMPLERS[0]) == FRAME.tql.explain(SAMPLERS[0])
    assert wire.runs == 1


def test_seed_is_fixed_when_the_plan_is_built() -> None:
    plan = FRAME.lazy().tql.sample("w", 20)
    first = plan.collect(engine="in-memory")
    assert_frame_equal(plan.collect(engine="streaming"), first)
    assert_frame_equal(plan.filter(pl.col("g") == 1).collect(), first.filter(pl.col("g") == 1))
    assert not FRAME.lazy().tql.sample("w", 20).collect().equals(first)
    assert plan.join(plan, on="index").select(pl.col("index").n_unique()).collect().item() == first["index"].n_unique()


WEIGHT_ERRORS = {
    "k - 500": "the sampler returns a negative weight in 500 rows",
    "max_weight(w > 0: k - 500, true: 1)": "arm 1 has a negative weight",
    "max_weight(w > 5: 1)": "no row can be drawn",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sampler", WEIGHT_ERRORS)
def test_weight_error_reaches_the_user_as_it_is(sampler: str, engine: Any) -> None:
    plan = FRAME.lazy().tql.sample(sampler, 5).select("k")
    with pytest.raises(WeightError, match=WEIGHT_ERRORS[sampler]) as caught:
        plan.collect(engine=engine)
    with pytest.raises(WeightError) as eager:
        FRAME.tql.sample(sampler, 5)
    assert str(caught.value) == str(eager.value)
    assert "^" in str(caught.value)


@pytest.mark.parametrize("engine", ENGINES)
def test_empty_plan(engine: Any) -> None:
    plan = FRAME.lazy().filter(pl.col("w") > 5)
    assert plan.tql.sample("w").collect(engine=engine).schema == {"index": pl.UInt32, **FRAME.schema}
    with pytest.raises(WeightError, match="cannot draw 5 rows from an empty frame"):
        plan.tql.sample("w", 5).collect(engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_warning_points_at_the_line_that_collects(engine: Any) -> None:
    plan = FRAME.head(10).lazy().tql.sample("max_weight(k >= 0: 1)", 11, replace=False)
    with pytest.warns(TQLWarning, match="only 10 have a positive weight") as caught:
        plan.collect(engine=engine)
    assert [warning.filename for warning in caught] == [__file__]


def test_sample_of_a_sample() -> None:
    plan = FRAME.lazy().tql.sample("w", 50, seed=1)
    with pytest.raises(TQLError, match="has a column 'index' already"):
        plan.tql.sample("w", 5, index="index")
    kept = plan.tql.sample("w", 5, seed=2).collect()
    assert kept.columns == ["index", *FRAME.columns]
    assert_frame_equal(kept, plan.tql.sample("w", 5, seed=2, index=None).collect())
    found = plan.tql.sample("w", 5, seed=2, index="i2").collect()
    assert found.columns == ["i2", "index", *FRAME.columns]
    assert found["index"].to_list() == plan.collect()["index"].gather(found["i2"]).to_list()


def test_many_samples_inside_each_other_do_not_block() -> None:
    plan, frame = FRAME.lazy(), FRAME
    for i in range(6):
        plan, frame = (each.tql.sample("w", 100, seed=i, index=f"i{i}") for each in (plan, frame))
    for engine in ENGINES:
        assert_frame_equal(plan.collect(engine=engine), frame)
