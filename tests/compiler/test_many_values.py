"""A long list for `in (?)` is one node and one look-up, with the answers of a node and a comparison for each value."""

from __future__ import annotations

import datetime as dt
import math
import pickle
import warnings
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loops import for_each
from tests.sizes import size
from tql_frames import TQLError
from tql_frames.language import BoundText, nodes, parameters, parse, unparse

INTEGERS = [-(2**63), -(2**53) - 1, -300, -1, 0, 1, 2, 3, 255, 2**31, 2**53, 2**53 + 1, 2**60, 2**63 - 1]
BEYOND = [2**63, 2**64 - 1, 2**64, 2**100, -(2**100)]
FLOATS = [
    *(-1.5, -1.0, -0.0, 0.0, 0.1, 0.37, 1.0, 2.0, 2.5, 1e23, 2.0**53, 2.0**60, 2.0**63, 2.0**64, 1e-60, 3.5e38),
    *(1e300, math.inf, -math.inf, math.nan, float(np.float32(0.1))),
]
TEXTS = ["", "a", "b", "it's", "é", "2024-05-01", "13:30", "2024-05-01T13:30:00", "PT1H"]
DATES = [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2024, 5, 1), dt.date(9999, 12, 31)]
TIMES = [
    *(dt.datetime(2024, 5, 1), dt.datetime(2024, 5, 1, 13, 30), dt.datetime(1969, 12, 31, 23, 59, 59, 999_999)),
    *(dt.datetime(2024, 3, 31, 2, 30), dt.datetime(2024, 10, 27, 2, 30), dt.datetime(1, 1, 1)),
]
AWARE = [each.replace(tzinfo=dt.UTC) for each in TIMES[:3]] + [dt.datetime(2024, 5, 1, tzinfo=ZoneInfo("Asia/Tokyo"))]
CLOCKS = [dt.time(0), dt.time(13, 30), dt.time(23, 59, 59, 999_999)]
SPANS = [dt.timedelta(hours=1), dt.timedelta(0), dt.timedelta(microseconds=-1), dt.timedelta(days=400)]
FINE = ["2024-05-01T13:30:00.000000001", "2024-05-01T00:00:00.000000000", "1970-01-01 00:00:00.1234567"]


def _frame() -> pl.DataFrame:
    columns: dict[str, pl.Series] = {}
    for dtype in (pl.Int8, pl.Int64, pl.UInt8, pl.UInt64, pl.Int128):
        columns[str(dtype)] = pl.Series([*INTEGERS, *BEYOND, None], dtype=pl.Int128).cast(dtype, strict=False)
    for dtype in (pl.Float32, pl.Float64):
        columns[str(dtype)] = pl.Series([*FLOATS, *map(float, INTEGERS), None], dtype=pl.Float64).cast(dtype)
    columns["bool"] = pl.Series([True, False, None])
    columns["null"] = pl.Series([None])
    for scale in (0, 2, 20):
        numbers = [Decimal(text) for text in ("0", "1", "-1", "2.5", "0.1", "0.37", "255", "9007199254740993")]
        columns[f"decimal{scale}"] = pl.Series([*numbers, None], dtype=pl.Decimal(38, 20)).cast(pl.Decimal(38, scale))
    columns["text"] = pl.Series([*TEXTS, None])
    columns["categorical"] = columns["text"].cast(pl.Categorical)
    columns["enum"] = pl.Series([*TEXTS[:4], None], dtype=pl.Enum(TEXTS[:4]))
    columns["date"] = pl.Series([*DATES, None])
    for unit in ("ms", "us", "ns"):
        here = [*TIMES[: 5 if unit == "ns" else 6], None]
        columns[unit] = pl.Series(here, dtype=pl.Datetime(unit))  # type: ignore[arg-type]
        columns[f"{unit} Berlin"] = columns[unit].dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")
        columns[f"span {unit}"] = pl.Series([*SPANS, None], dtype=pl.Duration(unit))  # type: ignore[arg-type]
    columns["fine"] = pl.Series([1, 0, 1_714_570_200_000_000_001, None]).cast(pl.Datetime("ns"))
    columns["clock"] = pl.Series([*CLOCKS, None])
    rows = max(map(len, columns.values()))
    flat = pl.DataFrame({name: each.gather([row % len(each) for row in range(rows)]) for name, each in columns.items()})
    lists = {
        name: flat.select(
            pl.when(pl.int_range(rows) == 1)
            .then(pl.concat_list(name, pl.col(name).shift(1)).list.head(0))
            .when(pl.int_range(rows) != 2)
            .then(pl.concat_list(name, pl.col(name).shift(1)))
        ).to_series()
        for name in ("Int64", "UInt8", "Float32", "Float64", "decimal2", "text", "enum", "date", "us", "clock", "bool")
    }
    document = ['{"a": 1}', '{"a": "a"}', '{"a": null}', '{"a": [1]}', '{"a": 0.1}', None]
    json = pl.Series([document[row % len(document)] for row in range(rows)])
    return flat.with_columns(json=json, **{f"list {name}": each for name, each in lists.items()})


FRAME = _frame()
OPERANDS = [*(f'"{name}"' for name in FRAME.columns), "json['a']", '"Int64" + 1', "1", "'a'", "null"]

values = st.one_of(
    st.lists(st.sampled_from(INTEGERS)),
    st.lists(st.sampled_from([*INTEGERS, *BEYOND])),
    st.lists(st.sampled_from(INTEGERS) | st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.sampled_from(FLOATS)),
    st.lists(st.floats() | st.floats(width=32)),
    st.lists(st.sampled_from([*INTEGERS, *FLOATS])),
    st.lists(st.sampled_from(TEXTS)),
    st.lists(st.sampled_from(DATES)),
    st.lists(st.sampled_from([*DATES, *TIMES])),
    st.lists(st.sampled_from(AWARE)),
    st.lists(st.sampled_from([*TIMES, *AWARE])),
    st.lists(st.sampled_from(CLOCKS)),
    st.lists(st.sampled_from(SPANS)),
    st.lists(st.sampled_from(FINE)),
    st.lists(st.sampled_from([*TEXTS, *FINE])),
    st.lists(st.sampled_from([*INTEGERS[:5], *TEXTS, True])),
    st.lists(st.sampled_from([True, False])),
).flatmap(lambda known: st.permutations(known) | st.permutations([*known, None]))


def answers(text: str, given: Any, frame: Any, many: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the rows, or the error, and the warnings, of a text whose lists are one node from a length on."""
    monkeypatch.setattr(parameters, "_MANY", many)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found: Any = frame.tql.query(f"select {text} as answer", [given])["answer"].to_list()
        except TQLError as error:
            found = (type(error).__name__, error.message, error.span, error.hint)
    return found, [str(each.message) for each in caught]


@pytest.mark.parametrize("form", ["{} in (?)", "{} not in (?)"])
def test_one_look_up_answers_as_comparisons_do(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @settings(max_examples=size(150, 2000), deadline=None, derandomize=True)
    @given(st.sampled_from(OPERANDS), values)
    def check(operand: str, chosen: list[Any]) -> None:
        text = form.format(operand)
        one, listed = (answers(text, chosen, FRAME, many, monkeypatch) for many in (1, 10**9))
        assert one == listed, (text, chosen)

    check()


KINDS: list[list[Any]] = [
    *(INTEGERS, [*INTEGERS, None], BEYOND, FLOATS, [*FLOATS, None], [1, 2.5, 2**53], [1, 2**53 + 1, 0.5], TEXTS),
    *([*TEXTS, None], DATES, [*DATES, *TIMES], AWARE, CLOCKS, SPANS, FINE, [True, False], [1, "a"], [b"a"], [None]),
    *(["no date", "2024-05-01"], ["a\ud800"], [2**127], [dt.time(1, tzinfo=dt.UTC)], [math.nan], [-0.0], [object()]),
]


@for_each("chosen", KINDS, ids=[str(kind)[:30] for kind in KINDS])
def test_of_every_kind_beside_every_type(chosen: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for operand in OPERANDS:
        text = f"{operand} in (?)"
        one, listed = (answers(text, chosen, FRAME, many, monkeypatch) for many in (1, 10**9))
        assert one == listed, text


NUMBERS = np.array([1, 2, 3, 255])
SAME = [
    *(NUMBERS, NUMBERS.astype("u1"), NUMBERS.astype("f4"), NUMBERS.astype("f8"), NUMBERS.astype("u8"), list(NUMBERS)),
    *(np.array([1.5, math.nan]), np.ma.masked_equal(NUMBERS, 2), NUMBERS.astype(object), np.array([True, False])),
    *(np.array(["a", "b"]), np.array(TEXTS, dtype=object), np.array([1.5, 0.1], "f2"), np.array([2**63], "u8")),
    *(np.array(["2024-05-01", "NaT"], "M8[D]"), np.array(["2024-05-01T13:30"], "M8[ns]"), np.array([3600], "m8[s]")),
    *(np.array(["2024-05"], "M8[M]"), np.array([1, 2], np.longdouble), np.array([b"a"])),
    *(pl.Series([1, None, 3]), pl.Series([1, 2], dtype=pl.UInt8), pl.Series([0.1], dtype=pl.Float32)),
    *(pl.Series(["a", None]), pl.Series(["a"], dtype=pl.Categorical), pl.Series([2**64], dtype=pl.Int128)),
    *(pl.Series(DATES), pl.Series(TIMES), pl.Series(SPANS), pl.Series(CLOCKS), pl.Series([True, None])),
    *(pl.Series([], dtype=pl.Int64), pl.Series([None, None]), pl.Series([Decimal("2.5")])),
    *(pd.Series([1, 2]), pd.Series([1.5, None]), pd.Series(["a", "b"]), pd.Series([1, None], dtype="Int64")),
    *(pd.Index([1, 2]), pd.Series(pd.to_datetime(["2024-05-01", None])), pd.Series(["a", "b"], dtype="category")),
    *(pd.array([1, None], dtype="Int64"), pd.date_range("2024-05-01", periods=2, tz="Europe/Berlin")),
    *([np.float32(0.1), np.float32(2)], [np.datetime64("2024-05-01"), None], [np.str_("a"), "b"], (1, 2), [pd.NaT]),
    *([pd.Timestamp("2024-05-01T13:30:00.000000001")], [pd.Timedelta("1h"), None], [np.True_], [[1], [2]]),
]


@for_each("chosen", SAME, ids=[f"{type(each).__name__} {place}" for place, each in enumerate(SAME)])
def test_of_arrays_and_series(chosen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for operand in OPERANDS:
        text = f"{operand} in (?)"
        one, listed = (answers(text, chosen, FRAME, many, monkeypatch) for many in (1, 10**9))
        assert one == listed, text


@pytest.mark.parametrize("of", ["any", "all", "all_strict"])
@for_each("chosen", [INTEGERS, [*INTEGERS, None], FLOATS, TEXTS, DATES])
def test_inside_lists(chosen: list[Any], of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for operand in (name for name in FRAME.columns if name.startswith("list ")):
        for text in (f'{of}("{operand}" in (?))', f'{of}("{operand}") not in (?)'):
            one, listed = (answers(text, chosen, FRAME, many, monkeypatch) for many in (1, 10**9))
            assert one == listed, text


def test_of_constants_in_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constants that a text lists, or compares one by one, are looked up, too."""

    def listed(constants: list[str]) -> list[str]:
        return [
            "{} in (" + ", ".join(constants) + ")",
            "{} not in (" + ", ".join(constants) + ")",
            " or ".join("{} == " + constant for constant in constants),
            "{} is null or " + " or ".join("{} == " + constant for constant in constants) + ' or "bool"',
        ]

    kinds = [["1", "-2", "255"], ["1", "null"], ["0.1", "-1.5", "2"], ["'a'", "'x'"], ["'2024-05-01'", "'13:30'"]]
    kinds += [["1", "'a'"], ["true", "1"], ["0.30000000000000001", "2"], ["18446744073709551615", "-1"], ["null"]]
    kinds += [["'2024-05-01'", "null"], ["'PT1H'", "'PT0S'"], ["1", "1 + 1"], ["-true", "2"]]
    for operand in (f'"{name}"' for name in FRAME.columns):
        for constants in kinds:
            for form in listed(constants):
                text = form.replace("{}", operand)
                texts = [text] if operand.startswith('"list') is False else [text, f"any({text})"]
                for each in texts:
                    found = []
                    for many in (1, 10**9):
                        monkeypatch.setattr(parameters, "_MANY", many)
                        try:
                            found.append(FRAME.tql.query(f"select {each} as answer")["answer"].to_list())
                        except TQLError as error:
                            found.append([type(error).__name__, error.message, error.span, error.hint])
                    assert found[0] == found[1], each


def test_of_other_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = FRAME.select("Int64", "Float64", "text")
    for each in (frame.to_pandas(), frame.lazy()):
        for operand, chosen in (("Int64", INTEGERS[5:]), ("Float64", FLOATS), ("text", TEXTS)):
            found = []
            for many in (1, 10**9):
                monkeypatch.setattr(parameters, "_MANY", many)
                rows = each.tql.query(f'select * where "{operand}" in (?)', [chosen])
                rows = rows.collect() if isinstance(rows, pl.LazyFrame) else rows
                drawn = each.tql.sample(f'max_weight("{operand}" in (?): 3, True: 1)', 20, parameters=[chosen], seed=1)
                drawn = drawn.collect() if isinstance(drawn, pl.LazyFrame) else drawn
                found.append([repr(rows), repr(drawn)])
            assert found[0] == found[1]


@for_each("chosen", [INTEGERS, FLOATS, TEXTS, [*TEXTS, None], DATES, ["x"] * 30, [7, 5], [math.nan, 1e301]])
def test_warnings_are_the_same(chosen: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"i": [4, 6], "f": [4.5, 6.5], "t": ["A", "xx"], "d": ["2024-05-02"] * 2}
    frame = pl.DataFrame(columns, schema_overrides={"t": pl.Enum(["A", "xx"])}).with_columns(pl.col("d").str.to_date())
    for name in columns:
        found = []
        for many in (1, 10**9):
            monkeypatch.setattr(parameters, "_MANY", many)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    drawn: Any = frame.tql.sample(
                        f"max_weight({name} in (?): 2, True: 1)", 5, parameters=[chosen], seed=1
                    ).rows()
                except TQLError as error:
                    drawn = str(error)
            found.append((drawn, [str(each.message) for each in caught]))
        assert found[0] == found[1]


def test_few_of_many_unknown_categories_are_told() -> None:
    frame = pl.DataFrame({"t": ["a"]}, schema={"t": pl.Enum(["a"])})
    given = ["a", *(f"word {number}" for number in range(1000))]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame.tql.sample("max_weight(t in (?): 2)", 1, parameters=[given])
    said = [str(each.message).splitlines()[0] for each in caught]
    assert len(said) == 11
    assert said[-1] == "990 more texts are none of the categories compared with, the first 'word 10'"


def test_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "_MANY", 2)

    def bound(given: Any, text: str = "a in (?)") -> BoundText:
        return BoundText.of(text, parse(text), [given])

    tree = bound([1, 2]).tree
    assert isinstance(tree, nodes.In)
    assert isinstance(tree.items[0], nodes.Values)
    assert unparse(tree) == "a in (1, 2)"
    assert unparse(bound(["it's", None]).tree) == "a in ('it''s', null)"
    assert repr(tree).startswith("In(operand=Column(name='a', frame=None), items=(Values(2 of q, 0 null, ")
    assert pickle.loads(pickle.dumps(tree)) == tree
    again = pickle.loads(pickle.dumps(bound([1, 2])))
    assert again == bound([1, 2])
    assert hash(again) == hash(bound([1, 2]))
    others = [[2, 1], [1.0, 2.0], ["1", "2"], [1, 2, None], [1, 3], [1, 2, 2]]
    for other in others:
        assert bound(other) != bound([1, 2])
        assert repr(bound(other).tree) != repr(tree)
    assert bound([1, 2]).tree != parse("a in (1, 2)")
    assert not isinstance(bound([1, 2], "a in (?, 3)").tree.items[0], nodes.Values)  # type: ignore[attr-defined]


def test_an_array_that_changes_later_changes_no_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "_MANY", 1)
    given = np.array([1, 2])
    text = BoundText.of("a in (?)", parse("a in (?)"), [given])
    given[:] = 9
    assert unparse(text.tree) == "a in (1, 2)"


def test_three_hundred_thousand_values() -> None:
    given = np.arange(0, 600_000, 2)
    frame = pl.DataFrame({"n": [0, 1, 599_998, 600_000, None]})
    for each in (given, given.tolist(), pl.Series(given)):
        assert frame.tql.query("select n where n in (?)", [each])["index"].to_list() == [0, 2]
        assert frame.tql.query("select n where n not in (?)", [each])["index"].to_list() == [1, 3]
