"""The public calls: arguments, sizes, seeds, warnings and explanations, and what they leave alone."""

import copy
import gc
import hashlib
import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tql_frames
from tests.sizes import paired
from tql_frames import TQLError, TQLWarning, WeightError
from tql_frames.datasets import chest_xray

FINDINGS = "max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Pneumonia'): 8, True: 1)"
KINDS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": pl.DataFrame.clone,
    "pandas": pl.DataFrame.to_pandas,
    "lazy": pl.DataFrame.lazy,
}


def positions(sample: pl.DataFrame | pl.LazyFrame | pd.DataFrame, engine: Any = "auto") -> list[int]:
    """Row positions of a sample of a frame that was numbered from 0."""
    if isinstance(sample, pd.DataFrame):
        return sample.index.tolist()
    return sample.lazy().collect(engine=engine)["index"].to_list()


def rows(count: int) -> pl.DataFrame:
    return pl.DataFrame({"w": [1.0] * count})


class TestSize:
    CASES: list[tuple[int, dict[str, Any], int]] = [  # noqa: RUF012
        (7, {}, 7),
        (7, {"limit": None}, 7),
        (7, {"limit": 3}, 3),
        (7, {"limit": 0}, 0),
        (7, {"limit": 20}, 20),
        (7, {"limit": np.int64(3)}, 3),
        (7, {"limit": np.uint8(3)}, 3),
        (100, {"fraction": 0.29}, 29),
        (60, {"fraction": 0.126}, 7),
        (1000, {"fraction": 0.001}, 1),
        (7, {"fraction": 1.0}, 7),
        (7, {"fraction": 1}, 7),
        (7, {"fraction": 0}, 0),
        (7, {"fraction": 2.5}, 17),
        (7, {"fraction": 1e-9}, 0),
        (100, {"fraction": np.float64(0.29)}, 29),
        (100, {"fraction": np.float32(0.29)}, 29),
        (100, {"fraction": Decimal("0.29")}, 29),
        (3, {"fraction": Fraction(1, 3)}, 1),
        (0, {}, 0),
        (0, {"limit": 0}, 0),
        (0, {"fraction": 2.0}, 0),
    ]

    @pytest.mark.parametrize(("count", "size", "expected"), CASES)
    @pytest.mark.parametrize("kind", KINDS)
    def test_rows_drawn(self, kind: str, count: int, size: dict[str, Any], expected: int) -> None:
        frame = KINDS[kind](rows(count))
        assert len(positions(frame.tql.sample("w", **size))) == expected
        assert len(positions(tql_frames.sample(frame, "w", seed=1, **size))) == expected

    WRONG: list[tuple[dict[str, Any], str]] = [  # noqa: RUF012
        *(
            ({"limit": limit}, "expected limit= to be a whole number of at least 0")
            for limit in (-1, 1.0, "5", True, [5], b"5")
        ),
        *(({"limit": limit}, "more rows than any memory holds") for limit in (2**63, 10**30)),
        *(
            ({"fraction": fraction}, "expected fraction= to be a number of at least 0")
            for fraction in (-0.1, float("nan"), float("inf"), "0.5", True, [0.5], 1j, Decimal("NaN"))
        ),
        ({"fraction": 1e20}, "more than any memory holds"),
        ({"limit": 1, "fraction": 0.5}, "limit and fraction were both given"),
        *(({"seed": seed}, "expected seed= to be a whole number of at least 0") for seed in (-1, 1.0, "1", True)),
        *(({"order": order}, "expected order= to be 'draw' or 'source'") for order in ("sorted", None, 1)),
        *(({"replace": flag}, "expected replace= to be True or False") for flag in (None, 1, "yes")),
        ({"ignore_index": True}, "ignore_index= is for pandas frames"),
        ({"ignore_index": None}, "expected ignore_index= to be True or False"),
    ]

    @pytest.mark.parametrize(("options", "message"), WRONG)
    def test_wrong_arguments(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(TQLError, match=message):
            tql_frames.sample(rows(5), "w", **options)

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_can_be_drawn_from_no_rows(self, kind: str) -> None:
        with pytest.raises(WeightError, match="cannot draw 5 rows from an empty frame"):
            positions(KINDS[kind](rows(0)).tql.sample("w", 5))

    def test_numpy_flags_and_seeds(self) -> None:
        found = tql_frames.sample(rows(5), "w", seed=np.uint64(3), replace=np.bool_(False))  # type: ignore[arg-type]
        assert_frame_equal(found, tql_frames.sample(rows(5), "w", seed=3, replace=False))

    @pytest.mark.parametrize("frame", [None, 5, "w", {"w": [1]}, [1], pl.Series([1]), pd.Series([1]), np.ones(3)])
    @pytest.mark.parametrize("call", [tql_frames.sample, tql_frames.weights, tql_frames.explain])
    def test_not_a_frame(self, call: Callable[..., Any], frame: Any) -> None:
        with pytest.raises(TQLError, match="expected the frame to be a Polars DataFrame or LazyFrame, a pandas"):
            call(frame, "w")


class TestWarning:
    FRAME = pl.DataFrame({"w": [0, 3, 0, 1, 2]})

    @pytest.mark.parametrize("kind", ["polars", "pandas"])
    @pytest.mark.parametrize("size", [{}, {"limit": 4}, {"fraction": 2.0}], ids=str)
    def test_fewer_rows_than_asked_for(self, kind: str, size: dict[str, Any]) -> None:
        frame = KINDS[kind](self.FRAME)
        with pytest.warns(TQLWarning, match="without replacement, but only 3 have a positive weight") as caught:
            found = frame.tql.sample("w", replace=False, **size)
        assert sorted(positions(found)) == [1, 3, 4]
        assert [warning.filename for warning in caught] == [__file__]

    def test_points_at_the_line_that_calls(self) -> None:
        calls: list[Callable[[], Any]] = [
            lambda: self.FRAME.tql.sample("w", replace=False),
            lambda: tql_frames.sample(self.FRAME, "w", replace=False),
            lambda: self.FRAME.pipe(tql_frames.sample, "w", replace=False),
            lambda: self.FRAME.to_pandas().pipe(tql_frames.sample, "w", replace=False),
        ]
        for call in calls:
            with pytest.warns(TQLWarning) as caught:
                call()
            assert [(each.filename, each.lineno) for each in caught] == [(__file__, call.__code__.co_firstlineno)]

    def test_points_into_modules_of_a_like_name(self) -> None:
        namespace = {"__name__": "tql_frames_of_mine", "frame": self.FRAME}
        code = compile("def call(): frame.tql.sample('w', replace=False)", "mine.py", "exec")
        exec(code, namespace)
        with pytest.warns(TQLWarning) as caught:
            namespace["call"]()  # type: ignore[operator]
        assert [each.filename for each in caught] == ["mine.py"]

    def test_none_where_there_are_enough(self) -> None:
        assert sorted(positions(self.FRAME.tql.sample("w", 3, replace=False))) == [1, 3, 4]


def test_rows_of_weight_0_are_never_drawn() -> None:
    frame = pl.DataFrame({"w": [0.0, 1e-300, None, 0.0, 1e300] * 20})
    assert set(positions(frame.tql.sample("w", 1000, seed=1))) <= set(range(4, 100, 5))
    found = positions(frame.tql.sample("w > 0", 1000, seed=1))
    assert set(found) == {row for row in range(100) if row % 5 in (1, 4)}


@cache
def real_frames() -> dict[str, Any]:
    table = chest_xray()
    bounds = [0, 1, 30_000, 30_007, 100_000, table.height]
    parts = [table[start:stop] for start, stop in pairwise(bounds)]
    return {
        "chunks": pl.concat(parts, rechunk=False),
        "pandas": table.to_pandas(),
        "lazy": table.lazy(),
        "lazy chunks": pl.concat([part.lazy() for part in parts]),
    }


class TestOneSeedOneSample:
    """The same rows from every kind of frame, on a table of real size."""

    OPTIONS: dict[str, dict[str, Any]] = {  # noqa: RUF012
        "all": {},
        "limit": {"limit": 5_000},
        "more": {"limit": 300_000},
        "fraction": {"fraction": 0.1},
        "without replacement": {"limit": 20_000, "replace": False},
    }
    SAMPLERS = [FINDINGS, "age * 1.5 + 1 / (patient_id + 3.25)"]  # noqa: RUF012

    @pytest.mark.parametrize(("size", "sampler"), paired(OPTIONS, SAMPLERS))
    def test_all_frames(self, size: str, sampler: str) -> None:
        table, options = chest_xray(), {"seed": 11} | self.OPTIONS[size]
        expected = positions(table.tql.sample(sampler, **options))
        assert expected != sorted(expected)
        for name, frame in real_frames().items():
            sample = frame.tql.sample(sampler, **options)
            for engine in ("in-memory", "streaming") if isinstance(sample, pl.LazyFrame) else ("auto",):
                assert positions(sample, engine) == expected, (name, engine)
        ordered = table.tql.sample(sampler, order="source", **options)
        assert positions(ordered) == sorted(expected)

    def test_seeds_differ(self) -> None:
        table = chest_xray()
        first, second, other = (positions(table.tql.sample(FINDINGS, 50, seed=seed)) for seed in (1, 1, 2))
        assert first == second != other
        assert positions(table.tql.sample(FINDINGS, 50)) != positions(table.tql.sample(FINDINGS, 50))

    def test_one_thread(self) -> None:
        code = f"""
import hashlib, tql_frames, polars as pl
from tql_frames.datasets import chest_xray
assert pl.thread_pool_size() == 1
for sampler in {self.SAMPLERS!r}:
    for engine in ("in-memory", "streaming"):
        sample = chest_xray().lazy().tql.sample(sampler, 50_000, seed=4).collect(engine=engine)
        print(hashlib.sha256(sample["index"].to_numpy().tobytes()).hexdigest())
"""
        environment = os.environ | {"POLARS_MAX_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        samples = [chest_xray().tql.sample(sampler, 50_000, seed=4)["index"] for sampler in self.SAMPLERS]
        expected = [hashlib.sha256(sample.to_numpy().tobytes()).hexdigest() for sample in samples]
        assert done.stdout.split() == [each for each in expected for _ in range(2)]


CALLS: dict[str, Callable[[Any], Any]] = {
    "sample": lambda frame: frame.tql.sample("max_weight(w > 1: 2, w > 0: 1)", 3),
    "sample in order": lambda frame: frame.tql.sample("w", 3, order="source"),
    "sample without replacement": lambda frame: frame.tql.sample("w", 2, replace=False),
    "sample by expression": lambda frame: frame.tql.sample(pl.col("w") * 2, 3),
    "weights": lambda frame: frame.tql.weights("w"),
    "explain": lambda frame: frame.tql.explain("max_weight(w > 1: 2, true: 1)"),
    "look": lambda frame: frame.tql,
    "wrong name": lambda frame: frame.tql.sample("v"),
    "wrong text": lambda frame: frame.tql.weights("w >"),
    "wrong weights": lambda frame: frame.tql.sample("max_weight(true: -w)"),
    "nothing to draw": lambda frame: frame.tql.sample("w - w"),
}


def small() -> pl.DataFrame:
    return pl.DataFrame({"w": [1.0, 2.0, 0.5], "s": ["a", "b", None], "l": [[1], [], None]})


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_frame_is_not_modified(kind: str, call: str) -> None:
    frame = KINDS[kind](small())
    if isinstance(frame, pd.DataFrame):
        frame.index = pd.Index(["x", "x", "y"], name="i")
        frame.attrs["from"] = "here"
        frame = frame.set_flags(allows_duplicate_labels=True)
    before, dump = copy.deepcopy(frame), pickle.dumps(frame)
    with suppress(TQLError):
        result = CALLS[call](frame)
        if isinstance(result, pl.LazyFrame):
            result.collect()
    if isinstance(frame, pd.DataFrame):
        pd.testing.assert_frame_equal(frame, before)
        assert (frame.attrs, frame.flags.allows_duplicate_labels) == ({"from": "here"}, True)
        assert "tql" not in vars(frame)
    else:
        assert_frame_equal(frame, before)
    if not isinstance(frame, pl.LazyFrame):
        assert pickle.dumps(frame) == dump


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sampler", ["w", pl.col("w"), "max_weight(true: w)"], ids=str)
def test_results_do_not_share_the_frame_s_memory(kind: str, sampler: Any) -> None:
    frame = KINDS[kind](small())
    weights = frame.tql.weights(sampler)
    weights = weights.collect()["weight"] if isinstance(weights, pl.LazyFrame) else weights
    weights[0] = 99.0
    assert weights.to_list() == [99.0, 2.0, 0.5]
    assert frame.lazy().collect()["w"].to_list() == [1.0, 2.0, 0.5] if kind != "pandas" else frame["w"][0] == 1.0


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_frame_is_freed_with_its_last_reference(kind: str, call: str) -> None:
    frame = KINDS[kind](small())
    alive = weakref.ref(frame)
    with suppress(TQLError):
        CALLS[call](frame)
    del frame
    assert alive() is None


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("kind", KINDS)
def test_a_temporary_frame_is_freed(kind: str) -> None:
    found = []

    def watched() -> Any:
        frame = KINDS[kind](small())
        found.append(weakref.ref(frame))
        return frame

    sample = watched().tql.sample("w", 2)
    assert len(positions(sample)) == 2
    del sample
    assert found[0]() is None


class TestNamespace:
    @pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame, pd.DataFrame])
    def test_is_known_to_the_library(self, kind: Any) -> None:
        assert "tql" in kind._accessors
        assert "tql" in dir(kind({"w": [1]}))
        assert {"sample", "weights", "explain"} <= set(dir(kind({"w": [1]}).tql))
        assert kind.tql.sample.__doc__
        assert isinstance(kind({"w": [1]}).tql, kind.tql)

    def test_sees_what_was_done_to_the_frame_since(self) -> None:
        frame = pl.DataFrame({"w": [1, 1]})
        namespace = frame.tql
        assert namespace.weights("w").to_list() == [1, 1]
        frame.insert_column(0, pl.Series("v", [0, 5]))
        assert frame.tql.weights("v").to_list() == namespace.weights("v").to_list() == [0, 5]
        frame[0, "v"] = 7
        assert frame.tql.weights("v").to_list() == [7, 5]

        table = pd.DataFrame({"w": [1, 1]})
        assert table.tql.weights("w").tolist() == [1, 1]
        table["v"] = [0, 5]
        assert table.tql.weights("v").tolist() == [0, 5]

    @pytest.mark.parametrize("kind", KINDS)
    def test_frames_can_be_copied_after_use(self, kind: str) -> None:
        frame = KINDS[kind](small())
        frame.tql.weights("w")
        for again in (copy.copy(frame), copy.deepcopy(frame)):
            assert len(positions(again.tql.sample("w", 4))) == 4

    def test_reloading_the_package_is_silent(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            importlib.reload(tql_frames)
        assert len(small().tql.sample("w", 4)) == 4

    def test_calls_agree_with_the_functions(self) -> None:
        frame = small()
        options: dict[str, Any] = {"limit": 9, "replace": True, "seed": 5, "order": "source"}
        assert_frame_equal(
            frame.tql.sample("w", index="i", **options), tql_frames.sample(frame, "w", index="i", **options)
        )
        table = frame.to_pandas()
        pd.testing.assert_frame_equal(
            table.tql.sample("w", ignore_index=True, **options),
            table.pipe(tql_frames.sample, "w", ignore_index=True, **options),
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["my weight", "weight in kg", "limit", "max_weight", "größe", "5"])
def test_a_bare_name_that_is_no_expression_names_its_column(kind: str, name: str) -> None:
    frame = KINDS[kind](pl.DataFrame({name: [0.0, 2.0]}))
    expected = [0, 1, 0, 1, 0, 1] if name == "5" else [1] * 6
    assert set(positions(frame.tql.sample(name, 6, seed=1))) == set(expected)


class TestWeights:
    def test_of_all_zeros_are_no_error(self) -> None:
        assert small().tql.weights("max_weight(w > 5: 1)").to_list() == [0, 0, 0]

    def test_of_no_rows(self) -> None:
        assert small().clear().tql.weights("w").dtype == pl.Float64
        assert small().clear().to_pandas().tql.weights("w").dtype == np.float64

    @pytest.mark.parametrize("kind", KINDS)
    def test_are_checked(self, kind: str) -> None:
        with pytest.raises(WeightError, match="a negative weight in row 2"):
            weights = KINDS[kind](small()).tql.weights("w - 0.75")
            weights.collect()

    def test_as_an_expression(self) -> None:
        frame = small()
        expr = tql_frames.weight_expr("sum_weight(w > 0.7: 2, s = 'b': 0.5)", frame.schema)
        assert frame.lazy().select(weight=expr).collect()["weight"].to_list() == [2.0, 2.5, 0.0]
        assert tql_frames.weight_expr("w", {"w": pl.Float64()}).meta.root_names() == ["w"]
        with pytest.raises(TQLError, match="expected a sampler as TQL text"):
            tql_frames.weight_expr(pl.col("w"), frame.schema)  # type: ignore[arg-type]


class TestExplain:
    FRAME = pl.DataFrame({"age": [71, 34, 65, None], "sex": ["F", "M", "M", "F"]})

    @pytest.mark.parametrize("kind", KINDS)
    def test_shares_are_those_of_a_hand_calculation(self, kind: str) -> None:
        # Weights 5, 1, 3, 1: of 10, the first arm decides 5, the second 3, and the default the two rows that are left.
        found = KINDS[kind](self.FRAME).tql.explain(
            "max_weight(age > 60 and sex = 'F': 5, sex = 'M' and age > 60: 3, true: 1)"
        )
        table = [line.split("  ") for line in found.splitlines() if "%" in line]
        cells = [[cell.strip() for cell in line if cell] for line in table]
        assert [line[1:] for line in cells] == [
            ["1", "25.00%", "1", "50.00%"],
            ["1", "25.00%", "1", "30.00%"],
            ["4", "100.00%", "2", "20.00%"],
        ]
        assert "4 rows, 4 of positive weight, 3 distinct weights from 1 to 5" in found
        assert found.startswith("max_weight\n├─ ")

    def test_shows_itself(self) -> None:
        found = self.FRAME.tql.explain("age")
        assert isinstance(found, str)
        assert repr(found) == str(found) == found
        assert found.splitlines()[0] == "age"

    def test_expression(self) -> None:
        assert 'col("age")' in self.FRAME.tql.explain(pl.col("age") * 2)

    def test_expected_shares_are_what_is_drawn(self) -> None:
        # Of 40,000 draws a share of 3/4 has a standard deviation of 0.22 %; five of them.
        found = self.FRAME.tql.sample("max_weight(age > 60: 3, true: 1)", 40_000, seed=1)
        assert "75.00%" in self.FRAME.tql.explain("max_weight(age > 60: 3, true: 1)")
        assert found["index"].is_in([0, 2]).mean() == pytest.approx(0.75, abs=0.011)

    @pytest.mark.parametrize(("frame", "summary"), [(FRAME, "4 rows, 0 of positive"), (FRAME.clear(), "0 rows, 0 of")])
    @pytest.mark.filterwarnings("ignore:arm 1 matches no row:tql_frames.TQLArmWarning")
    def test_nothing_to_draw(self, frame: pl.DataFrame, summary: str) -> None:
        found = frame.tql.explain("max_weight(age > 100: 1)")
        assert summary in found
        assert any(line.startswith("age > 100: 1") and line.endswith(" -") for line in found.splitlines())

    @pytest.mark.parametrize("weight", ["1e308", "1e-320"])
    def test_weights_at_the_edge_of_floats(self, weight: str) -> None:
        found = self.FRAME.tql.explain(f"max_weight(age > 60: {weight}, age > 0: {weight})")
        assert [line.split()[-1] for line in found.splitlines() if line.startswith("age")] == ["66.67%", "33.33%"]

    @pytest.mark.filterwarnings("ignore:arm 1 matches no row:tql_frames.TQLArmWarning")
    def test_long_arms_are_cut(self) -> None:
        found = self.FRAME.tql.explain(f"max_weight(sex = '{'y' * 100}': 1, sex in ('F',\n'M') : 2)")
        lines = [line for line in found.splitlines() if line.startswith("sex")]
        assert len(lines) == 2
        assert "yyyy…" in lines[0]

    def test_wrong_weights_raise(self) -> None:
        with pytest.raises(WeightError):
            self.FRAME.tql.explain("max_weight(true: -1)")


def test_the_typed_door_is_the_namespace() -> None:
    df = pl.DataFrame({"w": [1.0, 2.0]})
    for frame in (df, df.lazy(), df.to_pandas()):
        assert type(tql_frames.tql(frame)) is type(frame.tql)
    assert tql_frames.tql(df).sample("w", 3, seed=1).equals(df.tql.sample("w", 3, seed=1))
    with pytest.raises(TQLError, match=r"expected a Polars DataFrame or LazyFrame, or a pandas DataFrame, got list"):
        tql_frames.tql([1])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("fraction", "rows", "size"), [(1 / 3, 3, 1), (2 / 3, 300, 200), (0.29, 100, 29), (1 / 7, 7, 1), (0.999, 10, 9)]
)
def test_a_fraction_is_the_number_that_was_meant(fraction, rows, size):
    assert tql_frames.sample(pl.DataFrame({"w": [1.0] * rows}), "w", fraction=fraction).height == size


@pytest.mark.parametrize("name", ["my weight", "weight (kg)", "limit", "a-b", "9 lives"])
def test_a_column_is_named_by_its_bare_name_where_that_is_no_expression(name):
    frame = pl.DataFrame({name: [0.0, 2.0]})
    assert tql_frames.weights(frame, name).to_list() == [0.0, 2.0]


@pytest.mark.parametrize("expr", [pl.all(), pl.col("a", "b")])
def test_several_columns_are_no_weight(expr):
    with pytest.raises(tql_frames.TQLTypeError, match="one column, got several"):
        tql_frames.weights(pl.DataFrame({"a": [1], "b": [2]}), expr)


def test_an_unknown_column_of_an_expression_is_named():
    with pytest.raises(tql_frames.TQLNameError, match=r"unknown column 'agee'\n  did you mean 'age'"):
        tql_frames.weights(pl.DataFrame({"age": [1]}), pl.col("agee"))


@pytest.mark.parametrize("schema", [5, [("a",)], {"a": pl.List}, {"a": "text"}])
def test_a_schema_that_is_none(schema):
    with pytest.raises(tql_frames.TQLError, match="schema gives each column name its Polars type"):
        tql_frames.weight_expr("a", schema)
