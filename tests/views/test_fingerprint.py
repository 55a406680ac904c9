"""Fingerprints of frames: equal content, equal digests."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing.parametric import dataframes, series

from tests.frames import test_frames_pandas, test_frames_polars
from tests.sizes import size
from tests.views.test_saved_views import print_of
from tql_frames import TQLTypeError
from tql_frames.frames import kept_frame_of
from tql_frames.views.storage import fingerprint
from tql_frames.views.storage.digests import digest_of


class TestFingerprint:
    @pytest.mark.parametrize("kind", test_frames_polars.COLUMNS)
    def test_every_type_of_polars(self, kind: str) -> None:
        column = test_frames_polars.COLUMNS[kind].alias("x")
        frame = column.to_frame()
        expected = print_of(frame)
        parts = [
            pl.concat([frame[:1], frame[1:3], frame[3:]], rechunk=False),
            pl.concat([frame, frame])[4:],
            frame[[0, 1, 2, 3]],
        ]
        for same in (*parts, frame.lazy()):
            assert print_of(same) == expected
        if kind != "Null":
            others = [frame[[1, 1, 2, 3]], frame[[0, 1, 2, 1]]]
            for other in others:
                assert print_of(other).columns[0].digest != expected.columns[0].digest
                assert print_of(other).bag != expected.bag
            assert print_of(frame[[3, 2, 1, 0]]).columns != expected.columns
        assert print_of(frame[[3, 2, 1, 0]]).bag == expected.bag
        assert print_of(frame.clear()).columns[0].type == expected.columns[0].type

    def test_types_differ(self) -> None:
        types = [
            print_of(column.alias("x").to_frame()).columns[0].type for column in test_frames_polars.COLUMNS.values()
        ]
        assert len(set(types)) == len(types)

    @pytest.mark.parametrize("kind", test_frames_pandas.COLUMNS)
    def test_every_type_of_pandas(self, kind: str) -> None:
        frame = pd.DataFrame({"x": test_frames_pandas.COLUMNS[kind]})
        try:
            expected = print_of(frame)
        except TQLTypeError as fault:
            assert kind in test_frames_pandas.UNREADABLE | test_frames_pandas.UNREADABLE_SOMETIMES
            assert "column 'x'" in fault.message
            return
        assert print_of(frame.copy(deep=True)) == expected
        assert print_of(pd.concat([frame, frame]).iloc[4:].reset_index(drop=True)) == expected
        if kind not in ("arrow: null", "object: missing of all kinds", "object: lists", "arrow: list"):
            changed = frame.iloc[[1, 1, 2, 3]].reset_index(drop=True)
            assert print_of(changed).columns != expected.columns

    @given(frame=dataframes(min_size=0, max_size=40, max_cols=4, excluded_dtypes=[pl.Object]), data=st.data())
    @settings(deadline=None, max_examples=size(20, 120))
    def test_any_frame(self, frame: pl.DataFrame, data: st.DataObject) -> None:
        expected = print_of(frame)
        cut = data.draw(st.integers(0, frame.height))
        assert print_of(pl.concat([frame[:cut], frame[cut:]], rechunk=False)) == expected
        assert print_of(frame.select(frame.columns)) == expected
        order = data.draw(st.permutations(range(frame.height)))
        other = print_of(frame[order])
        assert other.bag == expected.bag
        assert (other == expected) == frame[order].equals(frame)

    @given(first=series(min_size=1, max_size=5, excluded_dtypes=[pl.Object]), data=st.data())
    @settings(deadline=None, max_examples=size(20, 120))
    def test_equal_prints_are_of_equal_values(self, first: pl.Series, data: st.DataObject) -> None:
        first = first.alias("x")
        second = data.draw(series(dtype=first.dtype, min_size=len(first), max_size=len(first))).alias("x")
        same = print_of(first.to_frame()) == print_of(second.to_frame())
        assert same == first.equals(second)

    def test_what_lies_under_nulls_does_not_matter(self) -> None:
        valid = pa.py_buffer(np.packbits([1, 0, 1], bitorder="little"))
        for values in ([1, 2, 3], [1, -9, 3]):
            array = pa.Array.from_buffers(pa.int64(), 3, [valid, pa.py_buffer(np.array(values))])
            assert array.to_pylist() == [1, None, 3]
            digest = digest_of(pa.int64())
            numbers = digest.add(array)
            expected = digest_of(pa.int64())
            assert expected.add(pa.array([1, None, 3])).tolist() == numbers.tolist()
            assert expected.value() == digest.value()
        offsets = pa.py_buffer(np.array([0, 1, 3, 4]))
        text = pa.Array.from_buffers(pa.large_string(), 3, [valid, offsets, pa.py_buffer(b"axxb")])
        digest, expected = digest_of(text.type), digest_of(text.type)
        assert digest.add(text).tolist() == expected.add(pa.array(["a", None, "b"], pa.large_string())).tolist()
        assert digest.value() == expected.value()
        lists = pa.Array.from_buffers(pa.large_list(pa.int64()), 3, [valid, offsets], children=[pa.array([1, 8, 9, 2])])
        digest, expected = digest_of(lists.type), digest_of(lists.type)
        assert digest.add(lists).tolist() == expected.add(pa.array([[1], None, [2]], lists.type)).tolist()
        assert digest.value() == expected.value()

    def test_nothing_slips_from_one_value_into_the_next(self) -> None:
        pairs: list[tuple[list[Any], list[Any]]] = [
            (["ab", "c"], ["a", "bc"]),
            (["", "aa"], ["a", "a"]),
            ([None, "a"], ["", "a"]),
            ([[1, 2], [3]], [[1], [2, 3]]),
            ([[], [1, 1]], [[1], [1]]),
            ([None, [1]], [[], [1]]),
            ([[[1]], [[2]]], [[[1], [2]], []]),
            ([[None], [1]], [[1, None], []]),
            ([{"a": 1, "b": 2}], [{"a": 2, "b": 1}]),
            ([{"a": 1}, {"a": None}], [{"a": 1}, None]),
            ([[None], [1]], [None, [1]]),
            ([[0], [1]], [None, [1]]),
            ([{"a": 0}, {"a": 1}], [None, {"a": 1}]),
            ([b"x" * 2000, b"y"], [b"x" * 1999, b"xy"]),
            ([b"x" * 2000], [b"x" * 1999 + b"y"]),
        ]
        for pair in pairs:
            first, second = (print_of(pl.DataFrame({"x": values})) for values in pair)
            assert first.columns[0].type == second.columns[0].type
            assert first.columns[0].digest != second.columns[0].digest
            assert first.bag != second.bag

    def test_equal_values_are_the_same_whatever_their_bits(self) -> None:
        nans = np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001], np.uint64).view(np.float64)
        expected = print_of(pl.DataFrame({"x": [float("nan")] * 3 + [0.0]}))
        assert print_of(pl.DataFrame({"x": np.append(nans, -0.0)})) == expected
        assert print_of(pl.DataFrame({"x": [1.0] * 3 + [0.0]})) != expected
        small = [print_of(pl.DataFrame({"x": pl.Series([value], dtype=pl.Float32)})) for value in (0.0, -0.0, 1e-45)]
        assert small[0] == small[1] != small[2]

    def test_categories_are_their_texts(self) -> None:
        first = pl.Series("x", ["a", "b", "a"], dtype=pl.Categorical)
        second = pl.Series("x", ["z", "b", "a", "b", "a"], dtype=pl.Categorical)[2:]
        second = pl.concat([second[:0], pl.Series("x", ["a", "b", "a"], dtype=pl.Categorical)])
        assert print_of(first.to_frame()) == print_of(second.to_frame())
        assert print_of(first.to_frame()) != print_of(first.cast(pl.String).to_frame())
        enums = [pl.Series("x", ["a"], dtype=pl.Enum(names)).to_frame() for names in (["a", "b"], ["b", "a"])]
        assert print_of(enums[0]).columns[0].digest == print_of(enums[1]).columns[0].digest
        assert print_of(enums[0]) != print_of(enums[1])

    def test_large_columns_go_in_pieces(self) -> None:
        rows = 300_000
        frame = pl.DataFrame({"i": range(rows), "s": [f"{i % 977}" * (i % 7) for i in range(rows)]})
        frame = frame.with_columns(l=pl.concat_list("i", "i"), n=pl.when(pl.col("i") % 3 > 0).then("i"))
        parts = [frame[:1], frame[1:100_000], frame[100_000:100_001], frame[100_001:]]
        expected = print_of(frame)
        assert print_of(pl.concat(parts, rechunk=False)) == expected
        assert (
            print_of(frame.with_columns(pl.col("s").gather(frame.height - 1 - pl.col("i")))).columns[1]
            != expected.columns[1]
        )
        shuffled = print_of(frame.sample(fraction=1.0, shuffle=True, seed=1))
        assert shuffled.bag == expected.bag
        assert all(a.digest != b.digest for a, b in zip(shuffled.columns, expected.columns, strict=True))
        sums = frame.with_columns(
            pl.when(pl.col("i") == 5).then(6).when(pl.col("i") == 6).then(5).otherwise("i").alias("i")
        )
        assert print_of(sums).bag != expected.bag

    def test_frames_without_columns_or_rows(self) -> None:
        assert print_of(pl.DataFrame()).rows == 0
        assert print_of(pd.DataFrame(index=[1, 2])).rows == 2
        assert print_of(pl.DataFrame(schema={"x": pl.List(pl.Struct({"a": pl.String}))})).rows == 0
        assert print_of(pl.DataFrame({"x": [1]})) != print_of(pl.DataFrame({"y": [1]}))

    def test_columns_of_one_name(self) -> None:
        frame = pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "a", 5])
        assert [each.name for each in print_of(frame).columns] == ["'a'", "'a' (2)", "5"]
        assert print_of(frame) != print_of(frame.iloc[:, [1, 0, 2]])

    # Of these versions and all others, in files of format 1, which must still load.
    GOLDEN: dict[str, tuple[str, str]] = {  # noqa: RUF012
        "number": ("Int64", "3c9188e669ece6cb"),
        "fraction": ("Float64", "e924b8fbc636631c"),
        "truth": ("Boolean", "c7b4606bf8edd91a"),
        "text": ("String", "ab22afb8d92faf16"),
        "day": ("Date", "8d177d15c5e7997f"),
        "time": ("Time", "034c8bc93f7febf4"),
        "moment": ("Datetime(us)", "1ad505465f803e16"),
        "span": ("Duration(us)", "d7471d3aac05780b"),
        "price": ("Decimal(20, 2)", "64ab46f007c2aeca"),
        "category": ("Categorical", "d681d55acb9ca70f"),
        "enum": ("Enum('a', 'b')", "d681d55acb9ca70f"),
        "wide": ("Int128", "6feb3790ef9aee96"),
        "list": ("List(String)", "7e461f098a5b7aaa"),
        "array": ("Array(Int8, 2)", "6e4a9f54a4f9d9ff"),
        "struct": ("Struct('a': Int64, 'b': List(Float64))", "df98ed80385a2127"),
        "bytes": ("Binary", "4673eda4339d381b"),
    }

    # A change here is a change of the file format.
    BY_VALUE: dict[str, tuple[str, str]] = {  # noqa: RUF012
        "number": ("number", "2fbca48e7912aabf"),
        "fraction": ("number", "72c5746584e22300"),
        "truth": ("Boolean", "2123126f85f9b823"),
        "text": ("text", "0161edbe18f69659"),
        "day": ("moment", "4e3d20852dc85f28"),
        "time": ("Time", "ff50011ef2692841"),
        "moment": ("moment", "75a5865c6aa07f9b"),
        "span": ("Duration", "901fe4e895a60bcf"),
        "price": ("decimal", "2f359f1141b10e81"),
        "category": ("text", "c699c0c5f1efc701"),
        "enum": ("text", "c699c0c5f1efc701"),
        "wide": ("number", "b14347f314f14db6"),
        "list": ("list of text", "1c33b7d05ac953d6"),
        "array": ("list of number", "6211b2f7e6491191"),
        "struct": ("struct of 'a': number, 'b': list of number", "033fd399314cc410"),
        "bytes": ("Binary", "2c1f2b15190ab8ec"),
    }

    def test_it_is_the_same_in_all_versions(self) -> None:
        table = pl.DataFrame(
            {
                "number": [1, None, -3],
                "fraction": [0.5, float("nan"), None],
                "truth": [True, None, False],
                "text": ["", None, "ünïcødé"],
                "day": [dt.date(2024, 2, 29), None, dt.date(1, 1, 1)],
                "time": [dt.time(1, 2, 3), None, dt.time(0)],
                "moment": [dt.datetime(2024, 2, 29, 12), None, dt.datetime(1969, 12, 31)],
                "span": [dt.timedelta(1), None, dt.timedelta(-1)],
                "price": pl.Series([Decimal("1.25"), None, Decimal("-0.01")], dtype=pl.Decimal(20, 2)),
                "category": pl.Series(["b", None, "a"], dtype=pl.Categorical),
                "enum": pl.Series(["b", None, "a"], dtype=pl.Enum(["a", "b"])),
                "wide": pl.Series([2**100, None, -1], dtype=pl.Int128),
                "list": [["a", None], None, []],
                "array": pl.Series([[1, 2], None, [3, None]], dtype=pl.Array(pl.Int8, 2)),
                "struct": [{"a": 1, "b": [0.5]}, None, {"a": None, "b": None}],
                "bytes": [b"\xff", None, b"x" * 2000],
            }
        )
        found = fingerprint(kept_frame_of(table), by_value=False)
        assert {each.name.strip("'"): (each.type, each.digest[:16]) for each in found.columns} == self.GOLDEN
        assert found.bag == "c4859662d753f964"
        found = print_of(table)
        assert {each.name.strip("'"): (each.family, each.digest[:16]) for each in found.columns} == self.BY_VALUE
        assert found.bag == "8efd0f093c072ee0"
