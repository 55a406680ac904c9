"""Values exactly at a bound, the first row, a full count: what samples of random tables hardly ever meet."""

from __future__ import annotations

import datetime as dt
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tql_frames
from tql_frames.cli.formats import _guessed
from tql_frames.cli.running import _print_out
from tql_frames.compiler.expressions import moments
from tql_frames.compiler.expressions.sampler import check_size
from tql_frames.compiler.expressions.scope import is_odd
from tql_frames.compiler.statements.statement import named_columns
from tql_frames.frames import two_pass as passes
from tql_frames.frames.plans import states_of
from tql_frames.language import parse, parse_statement
from tql_frames.registration import _other_owner
from tql_frames.sampling.partitioned import winners_of_parts
from tql_frames.sampling.rng import BLOCK, Streams
from tql_frames.sampling.strata import StrataTable
from tql_frames.sampling.with_replacement import (
    CumulativeWeights,
    Workspace,
    cumulative_weights_of_rows,
    cumulative_weights_of_strata,
    integer_weights,
)

pytestmark = pytest.mark.fault("I")


def owners(line: CumulativeWeights, uniforms: np.ndarray) -> list[int]:
    out = np.empty(len(uniforms), np.int64)
    line.owners(uniforms.copy(), out, Workspace(line, len(uniforms)))
    return out.tolist()


def beside_starts(line: CumulativeWeights, parts: int) -> np.ndarray:
    starts = np.arange(parts) / parts
    return np.concatenate([starts, np.nextafter(starts, 1), np.nextafter(starts[1:], 0)])


@pytest.mark.parametrize("place", [4, 7, 100])
@pytest.mark.parametrize("units", [-1, 0, 1])
def test_points_beside_a_bound_have_their_owner_with_the_guide_too(place: int, units: int) -> None:
    """A bound one unit beside the first point of a part."""
    weights = np.ones(8192)
    unit = 1.0 / int(integer_weights(weights)[0])
    weights[place] += units * unit
    weights[place + 1] -= units * unit
    line = cumulative_weights_of_rows(weights, 10_000)
    assert line.guide_table is not None
    points = beside_starts(line, len(line.guide_table))
    assert owners(line, points) == line.bounds.searchsorted(points * line.bounds[-1], side="right").tolist()
    assert owners(CumulativeWeights(line.bounds, None), points) == owners(line, points)
    strata = cumulative_weights_of_strata(StrataTable(np.arange(1.0, 65.0), np.ones(64, np.int64)), 10_000)
    assert strata.guide_table is not None
    points = beside_starts(strata, len(strata.guide_table))
    assert owners(CumulativeWeights(strata.bounds, None), points) == owners(strata, points)


@pytest.mark.parametrize("place", [0, 1, 5, -1])
@pytest.mark.parametrize("greatest", [1e3, 1e9, 1e30])
def test_a_heavy_row_counts_at_every_place(place: int, greatest: float) -> None:
    weights = np.ones(11)
    weights[place] = greatest
    shares = integer_weights(weights)
    assert 2**60 < sum(shares.tolist()) < 2**62
    assert shares[place] == pytest.approx(greatest * 2.0 ** round(np.log2(float(shares[place]) / greatest)), rel=1e-15)
    bounds = cumulative_weights_of_rows(weights, 5).bounds
    assert bounds[-1] == float(shares.sum()) and (np.diff(bounds, prepend=0) >= 0).all()


def test_as_many_that_finished_as_win_are_enough() -> None:
    nothing = np.array([], np.int64), np.array([])
    found = [(np.array([3, 5]), np.array([0.5, 0.25])), nothing, (np.array([9]), np.array([0.1]))]
    won = winners_of_parts(found, 3)
    assert won is not None and [rows.tolist() for rows in won] == [[3, 5], [], [9]]
    won = winners_of_parts(found, 2)
    assert won is not None and [rows.tolist() for rows in won] == [[5], [], [9]]
    assert winners_of_parts(found, 4) is None


@pytest.mark.parametrize("target", [False, True])
def test_a_batch_that_leaves_a_worker_arrives_as_it_is(target: bool) -> None:
    torch = pytest.importorskip("torch")
    sending = pytest.importorskip("tql_frames.torch.serialization")
    features = {"a": torch.tensor([1, 2]), "b": torch.tensor([0.5, 1.5]), "c": ["x", None], "d": torch.zeros(10**5)}
    batch = sending._ListColumn([features["a"], features["c"]]) if target else sending._Dict(features)
    found = pickle.loads(pickle.dumps(batch))
    assert type(found) is (list if target else dict) and len(found) == len(batch)
    pairs = zip(found, batch, strict=True) if target else ((found[name], batch[name]) for name in batch)
    for arrived, value in pairs:
        assert type(arrived) is type(value)
        assert (
            arrived == value
            if isinstance(value, list)
            else (arrived.dtype, arrived.tolist()) == (value.dtype, value.tolist())
        )


@pytest.mark.parametrize(
    "dtype",
    [
        pl.String(),
        pl.Binary(),
        pl.List(pl.String()),
        pl.Struct({"n": pl.Int64(), "t": pl.String()}),
        pl.Struct({"t": pl.List(pl.Binary()), "n": pl.Int64()}),
        pl.List(pl.Struct({"n": pl.Int64(), "t": pl.String()})),
    ],
)
def test_text_of_every_column_that_has_any_is_copied(dtype: pl.DataType) -> None:
    copied = passes._copied(pl.col("x"), dtype)
    assert not copied.meta.eq(pl.col("x"))
    assert passes._copied(pl.col("x"), pl.Struct({"n": pl.Int64()})).meta.eq(pl.col("x"))
    frame = pl.DataFrame({"x": pl.Series([None, None], dtype=dtype)})
    assert frame.select(copied).equals(frame) and frame.select(copied).schema == frame.schema


@pytest.mark.parametrize("orders", [("draw",), ("draw", "source", "draw"), ("source", "draw", "source", "draw")])
def test_a_saved_view_of_views_has_the_options_of_the_last_step(orders: tuple[str, ...], tmp_path: Path) -> None:
    view = tql_frames.view(pl.DataFrame({"age": range(50)}), "1", 9, seed=9)
    for seed, order in enumerate(orders):
        view = view.view(f"{seed + 1}", 8 - seed, seed=seed, order=order, replace=seed == len(orders) - 1)
    view.save(tmp_path / "view.npz")
    saved = tql_frames.read_view(tmp_path / "view.npz")
    last = len(orders) - 1
    assert (saved.order, saved.seed, saved.limit, saved.sampler) == (orders[-1], last, 8 - last, f"{last + 1}")
    assert saved.replace and saved.fraction is None and len(saved.steps) == 1 + len(orders)


@pytest.mark.parametrize("size", [1, 4096, 4097, 8192, 20_000])
def test_a_file_that_ends_otherwise_is_noticed_though_its_time_is_the_same(size: int, tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    file.write_bytes(bytes(size))
    before, times = states_of([str(tmp_path)]), file.stat()
    for place in {0, min(4095, size - 1), max(size - 4096, 0), size - 1}:
        content = bytearray(size)
        content[place] = 1
        file.write_bytes(content)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert list(states_of([str(file)])) == list(before)
        assert states_of([str(file)]) != before, place
    file.write_bytes(bytes(size))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert states_of([str(tmp_path / "*.parquet")]) == before


@pytest.mark.parametrize(("number", "rank"), [(None, None), (1, 0), (4, 3), (3, 0), (1, None)])
def test_a_sampler_tells_its_process(number: int | None, rank: int | None) -> None:
    pytest.importorskip("torch")
    from tql_frames.torch import TQLSampler  # noqa: PLC0415  # PyTorch may be missing

    sampler = TQLSampler(pl.DataFrame({"age": [1, 2]}), "1", seed=1, num_replicas=number, rank=rank)
    assert (sampler.num_replicas, sampler.rank) == (number or 1, rank or 0)


@pytest.mark.parametrize(
    ("items", "hint"),
    [
        ("null", "use `is null`: view is null"),
        ("null, null", "use `is null`: view is null"),
        ("null, 'pa'", "did you mean 'PA'?"),
        ("'pa', null", "did you mean 'PA'?"),
    ],
)
def test_null_among_others_is_not_what_was_meant(items: str, hint: str) -> None:
    with pytest.warns(tql_frames.TQLArmWarning, match="arm 1") as found:
        tql_frames.sample(pl.DataFrame({"view": ["PA", "AP"]}), f"max_weight(view in ({items}): 5, True: 1)", seed=1)
    assert hint in str(found[0].message)


@pytest.mark.parametrize("items", [2, 5])
def test_membership_among_columns_is_as_large_as_its_operand_for_each_item(items: int) -> None:
    """The operand is compared with each item, and so evaluated as often."""
    operand = " + ".join(["age"] * 20)
    among = ", ".join(f"c{number} * 2" for number in range(items))
    size, whole = (check_size(parse(text)) for text in (operand, f"{operand} in ({among})"))
    assert whole >= 2 * items * size
    assert check_size(parse(f"age in ({among})")) < whole / 5


@pytest.mark.filterwarnings("ignore::tql_frames.TQLArmWarning")
@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        (pl.Datetime("ns"), "1000-01-01", "3000-01-01"),
        (pl.Datetime("ns", "UTC"), "1000-01-01", "3000-01-01"),
        (pl.Duration("ns"), "-P200000D", "P200000D"),
    ],
)
def test_moments_beyond_what_a_column_can_hold_are_above_and_below_all_values(
    dtype: pl.DataType, low: str, high: str
) -> None:
    frame = pl.DataFrame({"t": pl.Series([-(10**18), 0, 10**18, None], dtype=pl.Int64).cast(dtype)})
    true = {("<", high), ("<=", high), (">", low), (">=", low), ("!=", high), ("!=", low)}
    for operator in ("<", "<=", ">", ">=", "=", "!="):
        for text in (low, high):
            weights = tql_frames.weights(frame, f"max_weight(t {operator} '{text}': 5, True: 1)")
            assert weights.to_list() == [5.0 if (operator, text) in true else 1.0] * 3 + [1.0], (operator, text)
            weights = tql_frames.weights(frame, f"max_weight(not (t {operator} '{text}'): 5, True: 1)")
            assert weights.to_list() == [1.0 if (operator, text) in true else 5.0] * 3 + [1.0], (operator, text)


def test_statements_over_frames_look_at_all_columns_where_rows_are_compared() -> None:
    one = "select a from x where b > 1 union select a from x"
    assert named_columns(parse_statement(one)) == {"a", "b"}
    for text in ("select a from x union select a from y", "select a from x except select a from (select a from y)"):
        assert named_columns(parse_statement(text)) is None, text


@pytest.mark.parametrize(("rows", "types"), [(3, {}), (4, {"code": pl.String}), (None, {"code": pl.String})])
def test_types_are_guessed_from_no_more_rows_than_asked_for(rows: int | None, types: dict[str, object]) -> None:
    text = pl.LazyFrame({"code": ["1", "2", "3", "007"]})
    assert _guessed(text, lambda _: text, rows) == types


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_numbers_of_several_blocks_are_those_of_one_stream(size: int) -> None:
    streams = Streams(3)
    pieces = [streams.uniforms(2, min(100_000, size - start), start) for start in range(0, size, 100_000)]
    assert (streams.uniforms(2, size) == np.concatenate(pieces)).all()


def test_just_labels_that_are_no_names_of_columns_are_odd() -> None:
    assert all(map(is_odd, ["*", "^a$", "^$", 5, None, ("a", "b"), "\ud800"]))
    assert not any(map(is_odd, ["age", "", "a*", "**", "^a", "a$", "a.b"]))


@pytest.mark.parametrize(("length", "known"), [(1, True), (194, True), (195, False), (1000, False)])
def test_the_item_of_a_list_is_shown_where_it_is_not_too_long(length: int, known: bool) -> None:
    with pytest.raises(tql_frames.TQLError) as caught:
        tql_frames.weights(pl.DataFrame({"tags": [["a"]]}), f"max_weight('{'a' * length}' in tags: 2)")
    assert (f"contains(tags, '{'a' * min(length, 50)}" if known else "contains(tags, value)") in str(caught.value)


@pytest.mark.parametrize("index", ["row", "index", None])
def test_a_loaded_view_of_a_polars_frame_has_the_index_that_it_was_saved_with(
    index: str | None, tmp_path: Path
) -> None:
    frame = pl.DataFrame({"age": [1, 2, 3]})
    view = tql_frames.view(frame, "1", 5, seed=1, index=index)
    view.save(tmp_path / "view.npz")
    loaded = tql_frames.load_view(tmp_path / "view.npz", frame)
    assert loaded.head(5).equals(view.head(5)) and (index is None or loaded.head(5).columns == [index, "age"])


def test_another_package_that_has_the_namespace_is_named() -> None:
    class Foreign:
        __module__ = "other.package"

    class Frame:
        tql = Foreign()

    assert _other_owner(Frame) == "other.package"
    assert _other_owner(object) is None and _other_owner(pl.DataFrame) is None
    assert _other_owner(pd.DataFrame) is None


@pytest.mark.parametrize(("text", "status", "ends"), [("a", 0, 1), ("a", 3, 3), ("", 0, 0), ("", 3, 3)])
def test_closed_standard_output_is_a_failure_where_something_is_to_be_said(
    text: str, status: int, ends: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert _print_out(text, status) == ends


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_moments_that_nanoseconds_do_not_hold_are_an_error(unit: str) -> None:
    frame = pl.DataFrame({"t": pl.Series([dt.datetime(2000, 1, 1), dt.datetime(3000, 1, 1), None])})
    frame = frame.select(pl.col("t").cast(pl.Datetime(unit)))  # type: ignore[arg-type]
    cast = moments.cast(pl.col("t"), frame.schema["t"], pl.Datetime("ns"))
    assert frame[[0, 2]].select(cast).equals(frame[[0, 2]].select(pl.col("t").cast(pl.Datetime("ns"))))
    with pytest.raises((tql_frames.TQLError, pl.exceptions.PolarsError), match="does not fit beside values in nanosec"):
        frame.select(cast)


def test_each_sample_of_a_statement_has_numbers_of_its_own() -> None:
    frame = pl.DataFrame({"a": range(1000)})
    one = "select a from (select a from x sample by 1 limit 50)"
    found = tql_frames.query(f"{one} union all {one}", x=frame, seed=3)["a"].to_list()
    assert len(found) == 100 and found[:50] != found[50:]


@pytest.mark.fault("A-refused")
def test_times_of_two_units_are_null_where_either_is() -> None:
    """A date that is null beside a time that is no midnight is null, and so is its negation."""
    frame = pl.DataFrame(
        {
            "d": [None, None, dt.date(2024, 5, 1), dt.date(2024, 5, 1)],
            "at": [dt.datetime(2024, 5, 1), dt.datetime(2024, 5, 1, 13), None, dt.datetime(2024, 5, 1, 13)],
        }
    )
    for operator, last in (("=", False), ("!=", True), ("<", True), ("<=", True), (">", False), (">=", False)):
        for text in (f"d {operator} at", f"not (d {operator} at)"):
            found = frame.tql.query(f"select {text} as x", index=None)["x"].to_list()
            assert found == [None, None, None, last != text.startswith("not")], text
