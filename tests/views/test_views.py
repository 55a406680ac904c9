"""Views: the rows of `sample` and `query` kept as positions, taken once, drawn from again, never before asked for."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tql_frames
from tests.sizes import crossed, named, paired, size
from tests.views.frames import FRAME, KINDS, ROWS, SAMPLER, Tripwire, assert_same
from tql_frames import TQLError, TQLNameError, TQLTypeError, TQLUnsupportedError, TQLWarning, View, WeightError


class TestRowsOfSample:
    OPTIONS: list[dict[str, Any]] = [  # noqa: RUF012
        {},
        {"limit": 70},
        {"limit": 0},
        {"limit": 2_000},
        {"fraction": 0.25},
        {"limit": 70, "replace": False},
        {"limit": 70, "order": "source"},
        {"limit": 70, "replace": False, "order": "source"},
        {"limit": 70, "index": None},
    ]

    @pytest.mark.parametrize(
        ("kind", "options", "sampler"), crossed(KINDS, OPTIONS, [SAMPLER, "w", pl.col("w") ** 2]), ids=named
    )
    def test_same(self, frame_of: Any, kind: str, sampler: Any, options: dict[str, Any]) -> None:
        frame = frame_of(kind)
        expected = frame.tql.sample(sampler, seed=3, **options)
        view = frame.tql.view(sampler, seed=3, **options)
        assert_same(view.to_native(), expected)
        assert_same(view.to_native(), expected)
        assert_same(tql_frames.view(frame, sampler, seed=3, **options).to_native(), expected)
        assert len(view) == len(view.positions) == len(view.index)
        rows = FRAME.tql.sample(sampler, seed=3, **{**options, "index": "index"})["index"]
        assert view.positions.tolist() == rows.to_list()
        assert view.positions.dtype == np.int64

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_name_for_the_row_numbers(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind)
        if kind == "pandas":
            expected = frame.tql.sample("w", 9, seed=1, ignore_index=True)
            view = frame.tql.view("w", 9, seed=1, ignore_index=True)
            assert view.index.equals(pd.RangeIndex(9))
            with pytest.raises(TQLError, match="a pandas frame keeps its own index"):
                frame.tql.view("w", index="row")
        else:
            expected = frame.tql.sample("w", 9, seed=1, index="row")
            view = frame.tql.view("w", 9, seed=1, index="row")
            assert view.index.name == "row"
            with pytest.raises(TQLError, match="the frame has a column 'k' already"):
                frame.tql.view("w", index="k")
            with pytest.raises(TQLError, match="ignore_index= is for pandas frames"):
                tql_frames.view(frame, "w", ignore_index=True)
        assert_same(view.to_native(), expected)

    @pytest.mark.parametrize("kind", KINDS)
    def test_without_a_seed_there_is_one(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind)
        first, second = frame.tql.view("w", 50), frame.tql.view("w", 50)
        assert first.seed != second.seed
        assert_same(frame.tql.sample("w", 50, seed=first.seed), first.to_native())

    @given(rows=st.integers(0, 40), size=st.integers(0, 60), replace=st.booleans(), seed=st.integers(0, 2**64))
    @settings(deadline=None, max_examples=size(10, 40))
    def test_any_size(self, rows: int, size: int, replace: bool, seed: int) -> None:
        table = pl.DataFrame({"w": np.arange(1.0, rows + 1)})
        size = min(size, rows) if not replace else size * (rows > 0)
        options: dict[str, Any] = {"limit": size, "replace": replace, "seed": seed}
        for frame in (table, table.lazy(), table.to_pandas()):
            assert_same(frame.tql.view("w", **options).to_native(), frame.tql.sample("w", **options))

    def test_wide_and_long_frames(self) -> None:
        table = tql_frames.datasets.chest_xray()
        table = table.head(size(10_000, table.height))
        limit = table.height * 4 // 3
        for frame in (table, table.to_pandas(), pl.concat([table[:5], table[5:]], rechunk=False)):
            expected = frame.tql.sample("age", limit, seed=2)
            assert_same(frame.tql.view("age", limit, seed=2).to_native(), expected)

    def test_random_numbers_are_those_of_sample(self, frame_of: Any) -> None:
        for kind in KINDS:
            frame = frame_of(kind)
            expected = frame.tql.sample("max_weight(random() % 2 = 0: 5, true: 1)", 60, seed=8)
            assert_same(frame.tql.view("max_weight(random() % 2 = 0: 5, true: 1)", 60, seed=8).to_native(), expected)


STATEMENTS: dict[str, tuple[str, list[Any] | None]] = {
    "all": ("select *", None),
    "columns": ("select s, k", None),
    "renamed": ("select s as text, k, k as again where w > 0.5", None),
    "where": ("select * where w > ? and s in (?)", [0.5, ["t1", "t2"]]),
    "order": ("select * order by w desc, k limit 20 offset 3", None),
    "order by what is not selected": ("select s order by k", None),
    "sample": ("select * where w > 0.1 sample by max_weight(s = 't3': 9, true: 1) limit 40", None),
    "sample without replacement": ("select k, s sample by w replace false limit 40", None),
    "random": ("select * where random() < 0.3", None),
    "random in the sampler": ("select * sample by max_weight(random() % 2 = 0: 7, true: 1) limit 30", None),
    "distinct": ("select distinct s", None),
    "union": ("(select * where w > 0.8) union (select * where s = 't3')", None),
    "union all": ("(select k where w > 0.8) union all (select k where s = 't3')", None),
    "intersect": ("(select * where w > 0.2) intersect (select * where s = 't3')", None),
    "except": ("(select * where w > 0.2) except (select * where s = 't3') limit 5", None),
    "within": ("select * from (select s, k from (select * where w > 0.1) order by k) where s != 't1'", None),
    "nothing": ("select * where w > 5", None),
}


class TestRowsOfQuery:
    @pytest.mark.parametrize(("name", "kind"), paired(STATEMENTS, KINDS))
    def test_same(self, frame_of: Any, kind: str, name: str) -> None:
        text, parameters = STATEMENTS[name]
        frame = frame_of(kind)
        expected = frame.tql.query(text, parameters, seed=5)
        view = frame.tql.view(text, parameters=parameters, seed=5)
        assert_same(view.to_native(), expected)
        assert view.sampler == text
        assert view.parameters == (None if parameters is None else tuple(parameters))
        assert view.replace is None
        rows = FRAME.tql.query(text, parameters, seed=5)["index"].to_list()
        assert view.positions.tolist() == rows
        if kind != "pandas":
            assert_same(
                frame.tql.view(text, parameters=parameters, seed=5, index=None).to_native(),
                frame.tql.query(text, parameters, seed=5, index=None),
            )
            assert_same(
                frame.tql.view(text, parameters=parameters, seed=5, index="row").to_native(),
                frame.tql.query(text, parameters, seed=5, index="row"),
            )

    REFUSED = {  # noqa: RUF012
        "select s, amax(w) as m group by s": ("GROUP BY makes new rows", "s"),
        "select k + 1 as more, s": ("column 'more' is computed", "k + 1 as more"),
        "select s, sqrt(w)": ("column 'w' is computed", "sqrt(w)"),
        "select a.k from (select *) as a join (select *) as b on a.k = b.k": ("JOIN makes new rows", None),
        "(select k) union (select w as k)": ("column 'k' is computed", None),
    }

    @pytest.mark.parametrize("text", REFUSED)
    @pytest.mark.parametrize("kind", KINDS)
    def test_rows_and_columns_of_its_own_are_refused(self, frame_of: Any, kind: str, text: str) -> None:
        message, guilty = self.REFUSED[text]
        with pytest.raises(TQLUnsupportedError, match=message) as caught:
            frame_of(kind).tql.view(text)
        assert caught.value.hint == "use query with the same text for a frame of its own"
        assert caught.value.source == text
        assert caught.value.span is not None
        if guilty is not None:
            assert text[slice(*caught.value.span)] == guilty

    @pytest.mark.parametrize(
        "options", [{"limit": 5}, {"fraction": 0.5}, {"replace": False}, {"order": "source"}], ids=str
    )
    def test_options_that_a_statement_says_itself_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(TQLError, match=f"^{next(iter(options))}= cannot be given with a statement"):
            FRAME.tql.view("select *", **options)

    def test_what_does_not_go_together(self) -> None:
        with pytest.raises(TQLError, match="limit=, replace= cannot be given"):
            FRAME.tql.view("select *", 5, replace=False)
        with pytest.raises(TQLError, match="ignore_index= cannot be given with a statement"):
            FRAME.to_pandas().tql.view("select *", ignore_index=True)
        with pytest.raises(TQLError, match="1 parameters were given, but the text has 0"):
            FRAME.tql.view("w", parameters=[1])
        with pytest.raises(TQLError, match="has 1 parameter, 0 given"):
            FRAME.tql.view("select * where w > ?")
        with pytest.raises(TQLError, match="the result has a column 'row' already"):
            FRAME.tql.view("select k as row", index="row")
        assert FRAME.tql.view("select k as row").to_native().columns == ["index", "row"]
        assert FRAME.rename({"k": "index"}).tql.view("select s").to_native().columns == ["index", "s"]

    def test_a_pandas_frame_of_odd_labels(self) -> None:
        frame = pd.DataFrame([[1, 2, 3.0, 4], [5, 6, 7.0, 8]], columns=["a", "a", 5, "b"], index=["x", "x"])
        for text in ("select *", "select * where b > 4", "select b as c", "select *, b as c"):
            view = frame.tql.view(text)
            assert_same(view.to_native(), frame.tql.query(text))
        with pytest.raises(TQLTypeError, match="columns are named 'a'"):
            frame.iloc[:, [0, 1, 3]].tql.view("select *").to_polars()
        with pytest.raises(TQLTypeError, match="column 5 has a name that is not text"):
            frame.iloc[:, 2:].tql.view("b").to_polars()

    def test_errors_point_into_the_text(self) -> None:
        with pytest.raises(TQLNameError) as caught:
            FRAME.tql.view("select kk")
        assert caught.value.span == (7, 9)


class TestProvenance:
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_known(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind)
        view = frame.tql.view(SAMPLER, fraction=0.29, replace=False, seed=11, order="source")
        assert isinstance(view, View)
        assert (view.sampler, view.seed, view.replace, view.parameters) == (SAMPLER, 11, False, None)
        step = view.steps[0]
        assert (step.kind, step.limit, step.fraction, step.order) == ("sampler", None, 0.29, "source")
        assert (view.message, view.saved) == ("", None)
        assert_same(view.source, frame)
        assert view.tql is view

    def test_of_an_expression(self) -> None:
        view = FRAME.tql.view(pl.col("w") * 2, np.int64(5), seed=np.uint8(3))
        assert view.sampler == str(pl.col("w") * 2)
        step = view.steps[0]
        assert (step.kind, step.limit, step.seed) == ("expression", 5, 3)
        assert type(step.limit) is type(step.seed) is int

    def test_positions_cannot_be_written_to(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            FRAME.tql.view("w", 5).positions[0] = 1

    @pytest.mark.parametrize("kind", KINDS)
    def test_index(self, frame_of: Any, kind: str) -> None:
        view = frame_of(kind).tql.view("w", 30, seed=1)
        if kind == "pandas":
            assert view.index.equals(view.to_native().index)
            assert view.index.name == "id"
        else:
            assert view.index.equals(view.to_native().lazy().collect()["index"])

    @pytest.mark.parametrize("kind", KINDS)
    def test_counts(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind)
        view = frame.tql.view("w", 2_000, seed=1)
        rows, counts = np.unique(view.positions, return_counts=True)
        found = view.counts()
        if kind == "pandas":
            assert found.name == "count"
            assert found.index.equals(frame.index[rows])
            assert found.tolist() == counts.tolist()
        else:
            expected = pl.DataFrame({"index": rows, "count": counts}).cast(pl.get_index_type())
            assert_frame_equal(found, expected)
            named = frame.tql.view("w", 5, index="count").counts()
            assert named.columns == ["index", "count"]

    def test_counts_are_by_label_whatever_the_index_of_the_rows(self) -> None:
        frame = pd.DataFrame({"w": [0, 1]}, index=["a", "b"])
        assert frame.tql.view("w", 3, ignore_index=True).counts().to_dict() == {"b": 3}


class TestOnce:
    @pytest.mark.parametrize("kind", ["polars", "pandas"])
    def test_rows_are_taken_once(self, frame_of: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        view = frame_of(kind).tql.view("w", 50, seed=1)
        source = view._source
        calls = []
        take = source.take
        monkeypatch.setattr(source, "take", lambda *args: (calls.append(args), take(*args))[1])
        for _ in range(3):
            view.to_native(), view.to_polars(), view.to_pandas(), pl.DataFrame(view)
        assert len(calls) == 1

    @pytest.mark.parametrize("first", ["plan", "positions", "rows"])
    def test_a_plan_runs_once(self, first: str) -> None:
        wire = Tripwire()
        view = wire.plan.tql.view("w", 50, seed=1)
        expected = FRAME.tql.sample("w", 50, seed=1)
        plan = view.to_native()
        assert_frame_equal(
            {"plan": plan.collect, "rows": view.to_polars}.get(first, view.to_native().collect)(), expected
        )
        for _ in range(2):
            view.positions, view.to_polars(), view.to_pandas(), len(view), view.index, view.counts(), repr(view)
            list(view.batches(7)), view.sample("w", 5).collect(), view.view("select k").to_polars()
            assert_frame_equal(view.to_native().collect(), expected)
        assert wire.runs == 1
        assert_frame_equal(plan.collect(), expected)

    def test_a_plan_of_other_rows_each_time_is_held(self) -> None:
        runs: list[int] = []

        def changing(frame: pl.DataFrame) -> pl.DataFrame:
            runs.append(1)
            return frame.with_columns(k=pl.col("k") + 1000 * len(runs))

        view = FRAME.lazy().map_batches(changing, schema=FRAME.schema).tql.view("w", 50, seed=1)
        plans = [view.to_native(), view.view("k", 20, seed=1).to_native(), view.to_native()]
        first, further, again = pl.collect_all(plans)
        assert_frame_equal(first, again)
        assert_frame_equal(plans[0].collect(), first)
        assert_frame_equal(view.to_polars(), first)
        assert further["k"].is_in(first["k"].implode()).all()

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_callers_do_to_frames_stays_with_them(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind, FRAME.select("k", "w", "s"))
        view = frame.tql.view("w", 20, seed=1)
        expected = view.to_polars().clone(), view.to_pandas().copy(deep=True)
        for _ in range(2):
            mine = view.to_pandas()
            mine.iloc[0, 0] = -5
            mine["new"] = 1
            mine.index = range(100, 120)
            theirs = view.to_polars()
            theirs[0, "k"] = -5
            theirs.insert_column(0, pl.Series("new", [1] * 20))
            if kind != "pandas" and not isinstance(frame, pl.LazyFrame):
                native = view.to_native()
                native[0, "k"] = -7
        assert_frame_equal(view.to_polars(), expected[0])
        pd.testing.assert_frame_equal(view.to_pandas(), expected[1])

    @pytest.mark.parametrize("kind", ["polars", "pandas"])
    def test_the_source_is_not_modified(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind)
        before = frame.clone() if kind == "polars" else frame.copy(deep=True)
        view = frame.tql.view("w", 20, seed=1)
        (
            view.to_polars(),
            view.to_pandas(),
            view.sample("w", 3),
            view.view("select s as t"),
            view.counts(),
            view._repr_html_(),
        )
        native = view.to_native()
        if kind == "polars":
            native[0, "w"] = -1.0
            view.source[0, "w"] = -1.0
        else:
            native.iloc[:, 1] = -1.0
            source = view.source
            source["new"] = 1
        assert_same(frame, before)

    @pytest.mark.parametrize("kind", ["polars", "pandas"])
    def test_a_view_stays_what_it_was(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind)
        view = frame.tql.view("w", 20, seed=1)
        expected = frame.tql.sample("w", 20, seed=1)
        source = frame.clone() if kind == "polars" else frame.copy(deep=True)
        if kind == "polars":
            frame.insert_column(0, pl.Series("new", range(ROWS)))
            frame[0, "w"] = 7.0
        else:
            frame["new"] = 1
            del frame["k"]
            frame.index = range(ROWS)
        assert_same(view.to_native(), expected)
        assert_same(view.source, source)
        assert view.view("select k").to_polars()["k"].to_list() == list(expected["k"])


class TestLaziness:
    @pytest.mark.parametrize(
        "text", ["w", SAMPLER, pl.col("w"), "select s, k where w > 0.5 sample by w limit 9"], ids=str
    )
    def test_nothing_runs_before_rows_are_asked_for(self, text: Any) -> None:
        wire = Tripwire()
        view = wire.plan.tql.view(text, seed=1)
        plan = view.to_native()
        plan.collect_schema(), plan.select("k").explain(), repr(view), view._repr_html_()
        assert view.source is wire.plan
        further = view.sample("k", 5)
        view.view("select k where k > 10").view("k")
        further.collect_schema()
        assert wire.runs == 0
        assert len(view) > 0
        assert wire.runs == 1

    @pytest.mark.parametrize(
        "wrong",
        [("nosuch",), ("w >",), ("select nosuch",), ("w", -1), ("select s, amax(w) as m group by s",), ("s",)],
        ids=str,
    )
    def test_faults_are_found_before_anything_runs(self, wrong: tuple[Any, ...]) -> None:
        wire = Tripwire()
        view = wire.plan.tql.view("w")
        for frame in (wire.plan.tql, view):
            with pytest.raises(TQLError):
                frame.view(*wrong)
        with pytest.raises(TQLError):
            wire.plan.tql.view("w", index="s")
        assert wire.runs == 0

    @pytest.mark.parametrize("engine", ["in-memory", "streaming"])
    @pytest.mark.parametrize("kind", ["lazy", "scan"])
    def test_plans_go_on(self, frame_of: Any, kind: str, engine: Any) -> None:
        frame = frame_of(kind)
        for options in ({}, {"order": "source"}, {"index": None}, {"index": "row"}):
            expected = FRAME.tql.sample("w", 90, seed=1, **options)
            plan = frame.tql.view("w", 90, seed=1, **options).to_native()
            for step in (
                lambda f: f.select("k"),
                lambda f: f.filter(pl.col("k") % 2 == 0).select("s"),
                lambda f: f.head(7),
                lambda f: f.select(pl.len()),
                lambda f: f.group_by("s", maintain_order=True).agg(pl.len()),
            ):
                assert_frame_equal(step(plan).collect(engine=engine), step(expected))

    @pytest.mark.parametrize("kind", ["lazy", "scan"])
    @pytest.mark.parametrize("sampler", ["k - 500", "max_weight(w > 5: 1)"])
    def test_errors_are_those_of_sample(self, frame_of: Any, kind: str, sampler: str) -> None:
        view = frame_of(kind).tql.view(sampler, 5)
        with pytest.raises(WeightError) as eager:
            FRAME.tql.view(sampler, 5)
        for ask in (
            len,
            View.to_polars,
            lambda view: view.to_native().collect(),
            lambda view: view.sample("w").collect(),
        ):
            with pytest.raises(WeightError) as caught:
                ask(view)
            assert str(caught.value) == str(eager.value)

    @pytest.mark.parametrize("kind", KINDS)
    def test_warnings_point_at_the_line_that_draws(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind, FRAME.head(10))
        with pytest.warns(TQLWarning, match="only 10 have a positive weight") as caught:
            view = frame.tql.view("max_weight(k >= 0: 1)", 11, replace=False)
            len(view)
        assert [warning.filename for warning in caught] == [__file__]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            view.to_native()

    @pytest.mark.parametrize("engine", ["in-memory", "streaming"])
    @pytest.mark.parametrize("kind", ["lazy", "scan"])
    def test_plans_do_not_wait_for_each_other(self, frame_of: Any, kind: str, engine: Any) -> None:
        expected = pl.concat([FRAME.tql.sample("w", 90, seed=seed) for seed in range(4)] * 2)
        for _ in range(size(1, 5)):
            plans = [frame_of(kind).tql.view("w", 90, seed=seed).to_native() for seed in range(4)] * 2
            assert_frame_equal(pl.concat(plans).collect(engine=engine), expected)
            assert_frame_equal(pl.concat(pl.collect_all(plans, engine=engine)), expected)

    def test_files_are_not_held(self, frame_of: Any) -> None:
        view = frame_of("scan").tql.view("w", 20, seed=1)
        if hasattr(pl.LazyFrame, "collect_batches"):
            assert type(view._source).__name__ == "TwoPassFrame"
        len(view)
        assert view._source.rows == ROWS

    @pytest.mark.skipif(not hasattr(pl.LazyFrame, "collect_batches"), reason="old Polars holds the plan")
    @pytest.mark.parametrize("sampler", ["w", "select * where w > 0.5"])
    def test_files_that_change_meanwhile_are_noticed(self, tmp_path: Path, sampler: str) -> None:
        path = tmp_path / "frame.parquet"
        FRAME.write_parquet(path)
        view = pl.scan_parquet(path).tql.view(sampler, seed=1)
        len(view)
        FRAME.reverse().head(100).write_parquet(path)
        with pytest.raises(TQLError, match="the rows changed while they were sampled"):
            view.to_polars()


class TestMemory:
    @pytest.fixture(autouse=True)
    def _no_collector(self) -> Iterator[None]:
        gc.disable()
        yield
        gc.enable()

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_view_is_freed_with_its_last_reference(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind)
        view = frame.tql.view("w", 20)
        further = view.view("select k").view("k", 3)
        view.to_native(), view.to_polars(), view.to_pandas(), view.sample("w", 3), repr(view), view._repr_html_()
        further.to_polars()
        alive = [weakref.ref(each) for each in (view, further)]
        del further
        assert alive[1]() is None
        del view
        assert alive[0]() is None


def test_threads_and_parts_do_not_matter(tmp_path: Path) -> None:
    parts = [FRAME[:100], FRAME[100:101], FRAME[101:]]
    for number, part in enumerate(parts):
        part.write_parquet(tmp_path / f"{number}.parquet")
    expected = FRAME.tql.view(SAMPLER, 300, seed=1)
    frames = [
        pl.concat(parts, rechunk=False),
        pl.scan_parquet(tmp_path / "*.parquet"),
        pl.concat([p.lazy() for p in parts]),
    ]
    for frame in frames:
        assert frame.tql.view(SAMPLER, 300, seed=1).positions.tolist() == expected.positions.tolist()


def test_the_call_is_not_hidden_by_a_module() -> None:
    FRAME.tql.view("w", 3)
    assert tql_frames.views.view is tql_frames.view
    assert tql_frames.views.View is View
