"""What a view gives: batches, Arrow, other libraries, further views, text and HTML."""

from __future__ import annotations

from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from tests.views.frames import FRAME, KINDS, SAMPLER, Tripwire, assert_same
from tql_frames import TQLError, TQLNameError, TQLTypeError, WeightError


class TestOtherLibraries:
    """A view of a frame of one library gives what the view of the same frame of the other does."""

    PLAIN = FRAME.select("k", "w", "s")

    @pytest.mark.parametrize("sampler", [SAMPLER, "select s as text, k where w > 0.4 order by k"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_rows(self, frame_of: Any, kind: str, sampler: str) -> None:
        frame = self.PLAIN.to_pandas() if kind == "pandas" else frame_of(kind, self.PLAIN)
        view = frame.tql.view(sampler, seed=4)
        assert_same(view.to_polars(), self.PLAIN.tql.view(sampler, seed=4).to_native())
        pandas = self.PLAIN.to_pandas()
        found, expected = view.to_pandas(), pandas.tql.view(sampler, seed=4).to_native()
        pd.testing.assert_frame_equal(found, expected, check_index_type=False)

    def test_without_row_numbers(self) -> None:
        assert FRAME.tql.view("w", 5, index=None).to_polars().columns == FRAME.columns
        assert FRAME.tql.view("w", 5, index=None).to_pandas().index.equals(pd.RangeIndex(5))
        pandas = self.PLAIN.to_pandas()
        assert pandas.tql.view("w", 5, index=None).to_polars().columns == self.PLAIN.columns
        assert pandas.tql.view("w", 5, ignore_index=True).to_polars().columns == self.PLAIN.columns
        clash = pandas.rename(columns={"k": "index"}).tql.view("w", 5)
        assert clash.to_polars().equals(pl.from_pandas(clash.to_pandas(), include_index=False))

    def test_no_form_in_the_other_library(self) -> None:
        wide = pl.DataFrame({"x": pl.Series([1, 2], dtype=pl.Int128)}).tql.view("x")
        with pytest.raises(TQLTypeError, match="the rows have no pandas form"):
            wide.to_pandas()
        mixed = pd.DataFrame({"x": [1, "a"], "w": [1, 1]}).tql.view("w")
        with pytest.raises(TQLTypeError, match="column 'x' of dtype object"):
            mixed.to_polars()

    def test_types_are_those_of_the_whole_frame(self) -> None:
        frame = pd.DataFrame({"x": pd.Series([None, "a", None], dtype=object), "w": [1, 0, 1]})
        assert frame.tql.view("w", 5).to_polars()["x"].dtype == pl.String


class TestBatches:
    @pytest.mark.parametrize("options", [{}, {"order": "source"}], ids=str)
    @pytest.mark.parametrize("size", [1, 7, 50, 1_000])
    @pytest.mark.parametrize("kind", KINDS)
    def test_together_they_are_the_rows(self, frame_of: Any, kind: str, size: int, options: Any) -> None:
        view = frame_of(kind).tql.view("w", 50, seed=1, **options)
        batches = list(view.batches(size))
        assert [len(batch) for batch in batches] == [size] * (50 // size) + [50 % size] * (50 % size > 0)
        if kind == "pandas":
            assert_same(pd.concat(batches), view.to_native())
        else:
            assert_same(pl.concat(batches), view.to_polars())

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_query(self, frame_of: Any, kind: str) -> None:
        view = frame_of(kind).tql.view("select s as t, k where w > 0.5 order by k")
        batches = list(view.batches(30))
        assert_same(pd.concat(batches) if kind == "pandas" else pl.concat(batches), view._rows)

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_nothing(self, frame_of: Any, kind: str) -> None:
        assert list(frame_of(kind).tql.view("w", 0).batches(5)) == []

    def test_numbers_go_on(self) -> None:
        view = FRAME.to_pandas().tql.view("w", 10, ignore_index=True)
        assert [batch.index.tolist() for batch in view.batches(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    @pytest.mark.parametrize("size", [0, -1, 1.5, None, "5", True])
    def test_wrong_sizes(self, size: Any) -> None:
        with pytest.raises(TQLError, match="expected size= to be a whole number of at least 1"):
            FRAME.tql.view("w").batches(size)

    def test_nothing_is_made_before_it_is_asked_for(self) -> None:
        view = FRAME.tql.view("w", 50)
        next(view.batches(5))
        assert "_rows" not in vars(view)


class TestArrow:
    @pytest.mark.parametrize("sampler", [SAMPLER, "select s as text, l where w > 0.4"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_consumers(self, frame_of: Any, kind: str, sampler: str) -> None:
        view = frame_of(kind).tql.view(sampler, seed=2)
        expected = view.to_polars()
        assert_frame_equal(pl.DataFrame(view), expected)
        assert_frame_equal(pl.DataFrame(pa.table(view)), expected)
        rows = duckdb.sql("select * from view").fetchall()
        assert [row[0] for row in rows] == view.positions.tolist()
        assert duckdb.sql("select count(*), max(index) from view").fetchall() == [(len(view), max(view.positions))]

    def test_types_of_polars_stay(self) -> None:
        frame = pl.DataFrame(
            {"c": pl.Series(["a", "b"], dtype=pl.Categorical), "e": pl.Series(["x", "x"], dtype=pl.Enum(["x"]))}
        )
        view = frame.tql.view("max_weight(true: 1)", 5)
        assert pl.DataFrame(view).schema == view.to_native().schema


class TestFurtherViews:
    @pytest.mark.parametrize("order", ["draw", "source"])
    @pytest.mark.parametrize("replace", [True, False])
    @pytest.mark.parametrize("kind", KINDS)
    def test_rows_point_to_the_frame(self, frame_of: Any, kind: str, replace: bool, order: Any) -> None:
        frame = frame_of(kind)
        view = frame.tql.view(SAMPLER, 200, seed=1)
        rows = view.to_polars().drop("index")
        sampler = "max_weight(k > 250: 5, s = 't1': 3, w > 0: 1)"
        options: dict[str, Any] = {"limit": 60, "replace": replace, "order": order, "seed": 9}
        places = rows.tql.sample(sampler, **options)["index"].to_numpy()
        positions = view.positions[places]
        expected = FRAME[positions].insert_column(0, pl.Series("index", positions, dtype=pl.get_index_type()))
        further = view.view(sampler, **options)
        assert further.positions.tolist() == positions.tolist()
        assert_same(view.sample(sampler, **options), further.to_native())
        assert_same(view.tql.sample(sampler, **options), further.to_native())
        assert_same(further.to_polars().drop("l"), expected.drop("l"))
        if kind == "pandas":
            assert_same(further.to_native(), frame.iloc[positions])
        assert further.drawn.tolist() == places.tolist()
        assert [step.text for step in further.steps] == [SAMPLER, sampler]
        assert further.seed == 9

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_queries(self, frame_of: Any, kind: str) -> None:
        frame = frame_of(kind)
        first = frame.tql.view("select s as text, k as number, w where w > 0.2 order by k")
        second = first.view("max_weight(text = 't3': 5, number > 100: 1)", 100, seed=1)
        third = second.view("select number as n, text where w < 0.9 and row_number() < 50 limit 20")
        assert len(third) == 20
        rows = FRAME[third.positions]
        found = third.to_polars()
        assert found.columns == ["index", "n", "text"]
        assert found["index"].to_list() == third.positions.tolist()
        assert found["n"].to_list() == rows["k"].to_list()
        assert found["text"].to_list() == rows["s"].to_list()
        assert [step.kind for step in third.steps] == ["statement", "sampler", "statement"]
        with pytest.raises(TQLNameError, match="unknown column 's'"):
            first.view("s")
        with pytest.raises(TQLNameError, match="unknown column 'w'"):
            third.view("select w")
        if kind != "pandas":
            kept = first.view("select number as index")
            assert kept.to_polars()["index"].to_list() == FRAME["k"].gather(kept.positions).to_list()
            assert kept.to_pandas()["index"].to_list() == kept.to_polars()["index"].to_list()
            assert kept.to_pandas().index.to_list() == kept.positions.tolist()

    @pytest.mark.parametrize("kind", KINDS)
    def test_expressions(self, frame_of: Any, kind: str) -> None:
        view = frame_of(kind, FRAME.select("k", "w")).tql.view("select k as number, w as weight", seed=1)
        for expr in (pl.col("weight"), pl.lit(1.0), pl.sum_horizontal(pl.all()), pl.col("^weight$") * 2, pl.nth(1)):
            assert len(view.view(expr, 5)) == 5
        with pytest.raises(TQLNameError, match="unknown column 'w'"):
            len(view.view(pl.col("w")))

    @pytest.mark.parametrize("kind", KINDS)
    def test_constant_samplers(self, frame_of: Any, kind: str) -> None:
        view = frame_of(kind).tql.view("w", 40, seed=1)
        places = pl.DataFrame({"x": [0] * 40}).tql.sample("max_weight(true: 1)", seed=2)["index"].to_numpy()
        assert view.view("max_weight(true: 1)", seed=2).positions.tolist() == view.positions[places].tolist()

    def test_unreadable_columns_do_not_matter_until_they_are_named(self) -> None:
        frame = pd.DataFrame({"x": [1, "a", None], "w": [1, 2, 3]})
        view = frame.tql.view("w", 10)
        assert len(view.view(pl.nth(1), 3)) == 3
        assert len(view.view("select * where w > 1")) > 0
        with pytest.raises(TQLTypeError, match="column 'x' of dtype object"):
            view.view("x")

    def test_nothing_left(self) -> None:
        empty = FRAME.tql.view("select * where w > 5")
        assert len(empty.view("select k")) == 0
        with pytest.raises(WeightError, match="cannot draw 5 rows from an empty frame"):
            empty.view("w", 5)


class TestShowing:
    @pytest.mark.parametrize("kind", KINDS)
    def test_text(self, frame_of: Any, kind: str) -> None:
        view = frame_of(kind).tql.view("max_weight(\n  w > 0.5: 2,\n  true: 1)", 70, replace=False, seed=3)
        name = {"polars": "Polars DataFrame", "pandas": "pandas DataFrame"}.get(kind, "Polars LazyFrame")
        if kind in ("lazy", "scan"):
            assert repr(view).splitlines()[0] == f"View of 4 columns, {name}, rows not drawn yet"
        len(view)
        assert repr(view).split("\n\n", maxsplit=1)[0] == (
            f"View of 70 of 500 rows × 4 columns, {name}\n"
            "  sampler  max_weight( w > 0.5: 2, true: 1)\n"
            "  drawn    70 rows, without replacement, in the order drawn\n"
            "  seed     3"
        )

    def test_statements_and_further_views(self) -> None:
        view = FRAME.tql.view("select s, k where w > ?", parameters=[0.25], seed=1).view("k", fraction=0.5, seed=2)
        assert repr(view).splitlines()[1:] == [
            "  statement   select s, k where w > ?",
            "  parameters  0.25",
            "  seed        1",
            "  sampler     k",
            "  drawn       0.5 of the rows, with replacement, in the order drawn",
            "  seed        2",
        ]
        assert " × 2 of 4 columns, " in repr(view)

    @pytest.mark.filterwarnings("ignore:arm 1 matches no row:tql_frames.TQLArmWarning")
    def test_long_samplers_are_cut(self) -> None:
        line = repr(FRAME.tql.view(f"max_weight(s = '{'x' * 200}': 5, true: 1)")).splitlines()[1]
        assert len(line) == 11 + 80
        assert line.endswith("…")

    @pytest.mark.filterwarnings("ignore:arm 1 matches no row:tql_frames.TQLArmWarning")
    def test_html(self) -> None:
        view = FRAME.tql.view("max_weight(s = '<b>&': 5, true: 1)", 70, seed=3)
        html = view._repr_html_()
        assert "&lt;b&gt;&amp;" in html
        assert "<b>&'" not in html
        assert "70 of 500 rows" in html
        assert "dataframe" in html
        assert "dataframe" in FRAME.to_pandas().tql.view("w", 70)._repr_html_()

    def test_html_runs_nothing(self) -> None:
        wire = Tripwire()
        view = wire.plan.tql.view("w", 5)
        assert "dataframe" not in view._repr_html_()
        view.to_polars()
        assert "dataframe" in view._repr_html_()
        assert wire.runs == 1
