"""Views in other libraries and processes: pickled, copied, cached."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.sizes import named, paired, size
from tests.views.test_view_files import FRAME
from tql_frames import TQLError, TQLTypeError, load_view


class TestViewsInOtherLibraries:
    @pytest.mark.fault("E8")
    @pytest.mark.parametrize(
        ("kind", "sampler"),
        paired(["polars", "pandas", "lazy", "scan"], ["w", "select s as text, age where w > 0", pl.col("w")]),
        ids=named,
    )
    def test_a_view_pickles(self, tmp_path: Path, kind: str, sampler: Any) -> None:
        FRAME.write_parquet(tmp_path / "frame.parquet")
        frame = {
            "polars": FRAME,
            "pandas": FRAME.to_pandas().set_axis(list("abcdef")),
            "lazy": FRAME.lazy(),
            "scan": pl.scan_parquet(tmp_path / "frame.parquet"),
        }[kind]
        first = frame.tql.view(sampler, seed=1)
        for view in (
            first,
            first.view("age", 4, seed=2),
            frame.tql.view("w", 3, index=None if kind != "pandas" else "index"),
        ):
            found = pickle.loads(pickle.dumps(view))
            assert type(found) is type(view)
            assert found.positions.tolist() == view.positions.tolist()
            assert found.drawn.tolist() == view.drawn.tolist()
            assert found.steps == view.steps
            assert found.columns == view.columns
            assert_frame_equal(found.to_polars(), view.to_polars())
            pd.testing.assert_frame_equal(found.to_pandas(), view.to_pandas())
            assert_frame_equal(
                pl.DataFrame(
                    found.sample("1", 3, seed=3).lazy().collect()
                    if kind in ("lazy", "scan")
                    else found.view("1", 3, seed=3)
                ),
                pl.DataFrame(
                    view.sample("1", 3, seed=3).lazy().collect()
                    if kind in ("lazy", "scan")
                    else view.view("1", 3, seed=3)
                ),
            )
            assert repr(found).splitlines()[0] == repr(view).splitlines()[0]

    @pytest.mark.fault("E8")
    def test_a_loaded_view_pickles(self, tmp_path: Path) -> None:
        FRAME.tql.view("w", 4, seed=1).save(tmp_path / "view", "a message")
        view = load_view(tmp_path / "view", FRAME.with_columns(more=1))
        found = pickle.loads(pickle.dumps(view))
        assert (found.message, found.saved, found.differences) == (view.message, view.saved, view.differences)
        assert repr(found) == repr(view)

    @pytest.mark.fault("E8")
    @pytest.mark.parametrize("kind", ["polars", "pandas", "lazy"])
    def test_pandas_makes_a_frame_of_a_view(self, kind: str) -> None:
        table = FRAME.with_columns(b=pl.col("w").fill_null(0) > 1)
        frame = {"polars": table, "pandas": table.to_pandas().set_axis(list("abcdef")), "lazy": table.lazy()}[kind]
        view = frame.tql.view("select * where w > 0 sample by w limit 9", seed=1)
        found, expected = pd.DataFrame(view), view.to_pandas()
        assert found.index.equals(expected.index)
        assert found.columns.tolist() == expected.columns.tolist()
        pd.testing.assert_frame_equal(found.drop(columns="day"), expected.drop(columns="day"))
        assert pd.to_datetime(found["day"]).tolist() == expected["day"].tolist()

    @pytest.mark.fault("E8")
    def test_narwhals_reads_a_view(self) -> None:
        nw = pytest.importorskip("narwhals")
        view = FRAME.tql.view("w", 9, seed=1)
        assert_frame_equal(nw.from_arrow(view, backend=pl).to_native(), view.to_polars())

    @pytest.mark.fault("G")
    @pytest.mark.parametrize("kind", ["polars", "pandas", "lazy"])
    def test_a_view_has_columns_and_a_head(self, kind: str) -> None:
        frame = {"polars": FRAME, "pandas": FRAME.to_pandas(), "lazy": FRAME.lazy()}[kind]
        view = frame.tql.view("w", 9, seed=1)
        assert view.columns == FRAME.columns
        assert frame.tql.view("select s as text, age").columns == ["text", "age"]
        rows = view.to_native().collect() if kind == "lazy" else view.to_native()
        for found, expected in [
            (view.head(), rows[:5]),
            (view.head(2), rows[:2]),
            (view.head(0), rows[:0]),
            (view[:5], rows[:5]),
            (view[3:], rows[3:]),
            (view[-2:], rows[-2:]),
            (view[::2], rows[::2]),
            (view[100:], rows[100:]),
        ]:
            assert type(found) is type(expected)
            if isinstance(found, pd.DataFrame):
                pd.testing.assert_frame_equal(found, expected)
            else:
                assert_frame_equal(found, expected)
        for wrong in (3, "age", slice("a", "b"), ["age"], slice(None, None, 0)):
            with pytest.raises(TQLTypeError, match=r"view\[:5\]"):
                view[wrong]
        for number in (-1, 1.5, "2"):
            with pytest.raises(TQLError, match="expected n= to be a whole number"):
                view.head(number)

    @pytest.mark.fault("A-foreign")
    @pytest.mark.parametrize("kind", ["polars", "pandas", "lazy", "scan"])
    def test_a_column_without_a_name(self, tmp_path: Path, kind: str) -> None:
        table = pl.DataFrame({"": [1, 2, 3], "w": [1, 2, 3]})
        table.write_parquet(tmp_path / "frame.parquet")
        frame = {
            "polars": table,
            "pandas": table.to_pandas(),
            "lazy": table.lazy(),
            "scan": pl.scan_parquet(tmp_path / "frame.parquet"),
        }[kind]
        view = frame.tql.view("w", 4, seed=1)
        expected = table[view.positions.tolist()]
        chosen = frame.tql.view('select "", w as v where w > 0')
        for found in (view.to_polars(), pl.DataFrame(view), pl.DataFrame(pickle.loads(pickle.dumps(view)))):
            assert_frame_equal(found.drop("index"), expected)
        assert chosen.to_polars().columns == ["index", "", "v"]
        assert view.to_pandas().columns.tolist() == ["", "w"]
        for each in (view, chosen):
            for batch in each.batches(2):
                assert list(batch.columns)[-2] == ""
        native = view.to_native()
        native = native.collect() if kind in ("lazy", "scan") else native
        assert list(native.columns)[-2:] == ["", "w"]
        assert view.view("w", 2, seed=1).to_polars().columns == ["index", "", "w"]
        query = frame.tql.query('select "" sample by w limit 2')
        assert list(query.collect().columns if kind in ("lazy", "scan") else query.columns)[-1] == ""
        assert len(view.report(by="").labels) == 3


@pytest.mark.fault("E8")
@pytest.mark.parametrize("kind", ["polars", "pandas", "lazy"])
def test_a_view_with_any_options_is_copied(tmp_path: Path, kind: str) -> None:
    frame = {"polars": FRAME, "pandas": FRAME.to_pandas(), "lazy": FRAME.lazy()}[kind]
    views = [
        frame.tql.view("w", fraction=Fraction(2, 3), seed=2**70),
        frame.tql.view("w", fraction=Decimal("0.5"), replace=False, order="source", seed=np.int64(3)),
        frame.tql.view(pl.col("w") * 2, np.int64(3)),
        frame.tql.view("max_weight(random() > 5: 2, true: 1)", 3, seed=1),
        frame.tql.view("select age as years where age > ? sample by w limit 3", parameters=[1], seed=1),
        frame.tql.view("w", 5).view("select age where age > 0"),
        frame.tql.view("w", 0),
        frame.tql.view("w", 3, ignore_index=True) if kind == "pandas" else frame.tql.view("w", 3, index="row"),
    ]
    copies: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy]
    copies += [
        lambda view, protocol=protocol: pickle.loads(pickle.dumps(view, protocol))
        for protocol in size((2, 5), range(2, 6))
    ]
    for view in views:
        for copied in (each(view) for each in copies):
            assert copied.drawn.tolist() == view.drawn.tolist()
            assert repr(copied) == repr(view)
            for name in ("sampler", "seed", "parameters", "replace", "columns"):
                assert str(getattr(copied, name)) == str(getattr(view, name))
            copied.save(tmp_path / "view")


@pytest.mark.fault("E8")
def test_joblib_keeps_views(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    for view in (FRAME.tql.view("w", 4), FRAME.to_pandas().tql.view("w", 4), FRAME.lazy().tql.view("w", 4)):
        for compress in (0, 3):
            joblib.dump(view, tmp_path / "view", compress=compress)
            assert joblib.load(tmp_path / "view").drawn.tolist() == view.drawn.tolist()
