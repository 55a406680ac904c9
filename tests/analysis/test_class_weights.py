"""`class_weights`: the weights of its sampler are those that plain Python computes, for labels of every type."""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tql_frames
from tests.loops import for_each
from tests.sizes import size
from tql_frames import class_weights
from tql_frames.errors import TQLError, TQLNameError, TQLTypeError

MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))
NUMBERS = st.floats(width=64, allow_nan=True, allow_infinity=True)
LABELS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "text": (pl.String, st.text(st.characters(exclude_categories=["Cs"]), max_size=4)),
    "quotes": (pl.String, st.text(st.sampled_from("'\"\\\n\t ,;|()_-éß🫁\0%*?"), max_size=4)),
    "words": (pl.String, st.sampled_from(["true", "NULL", "3", "2024-05-01", "--", "", " ", "any", "a'); select"])),
    "integers": (pl.Int64, st.integers(-(2**63), 2**63 - 1)),
    "small integers": (pl.Int8, st.integers(-3, 3)),
    "large integers": (pl.UInt64, st.integers(2**63 - 2, 2**64 - 1)),
    "floats": (pl.Float64, NUMBERS),
    "booleans": (pl.Boolean, st.booleans()),
    "dates": (pl.Date, st.dates(dt.date(1, 1, 1))),
    "moments": (pl.Datetime("us"), MOMENTS),
    "moments of a zone": (pl.Datetime("us", "UTC"), MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.UTC))),
    "times": (pl.Time, st.times()),
    "categories": (pl.Categorical, st.sampled_from(["PA", "AP", "it's", "a\nb"])),
    "an Enum": (pl.Enum(["PA", "AP", "", "d'é"]), st.sampled_from(["PA", "AP", "", "d'é"])),
}
WEIGHTS = st.one_of(st.integers(0, 30), st.floats(0, 1e6, allow_nan=False), st.sampled_from([0, 0.1, 1e-9, 1e20]))


def mark(label: Any) -> Any:
    """A label by which it can be found: NaN is not equal to itself."""
    return "nan" if isinstance(label, float) and math.isnan(label) else label


def weight_of(labels: list[Any], weights: Mapping[Any, float], otherwise: float, choice: str) -> float:
    """The weight of a row with these labels, None being none."""
    known = {mark(label): float(weight) for label, weight in weights.items()}
    found = [known[label] for label in {mark(each) for each in labels} if label in known]
    if not found:
        return float(otherwise)
    return max(found) if choice == "max_weight" else math.fsum(found)


def weighed(frame: Any, sampler: str) -> list[float]:
    found = tql_frames.weights(frame, sampler)
    return (found.collect()["weight"] if isinstance(found, pl.LazyFrame) else found).to_list()


@pytest.mark.parametrize("kind", LABELS)
@settings(max_examples=size(25, 100), deadline=None)
@given(data=st.data())
def test_weights_are_those_of_plain_python(kind: str, data: st.DataObject) -> None:
    dtype, labels = LABELS[kind]
    pool = data.draw(st.lists(labels, min_size=1, max_size=5))
    cells = data.draw(st.lists(st.sampled_from([*pool, None]), min_size=1, max_size=8))
    lists = data.draw(
        st.lists(st.none() | st.lists(st.sampled_from([*pool, None]), max_size=3), min_size=1, max_size=6)
    )
    named = data.draw(st.lists(st.sampled_from([*pool, None]), min_size=1, max_size=4, unique_by=mark))
    weights = {label: data.draw(WEIGHTS) for label in named}
    otherwise, choice = data.draw(WEIGHTS), data.draw(st.sampled_from(["max_weight", "sum_weight"]))
    name = data.draw(st.sampled_from(["findings", "Finding Labels", 'a "b"', "true", "array", "x.y"]))
    if not any([*weights.values(), otherwise]):
        otherwise = 1
    sampler = class_weights(name, weights, otherwise=otherwise, choice=choice)
    column = pl.DataFrame({name: pl.Series(cells, dtype=dtype)})
    expected = [weight_of([cell], weights, otherwise, choice) for cell in cells]
    assert weighed(column, sampler) == pytest.approx(expected, rel=1e-12)
    assert weighed(column.lazy(), sampler) == pytest.approx(expected, rel=1e-12)
    if kind not in ("floats", "dates", "moments", "moments of a zone"):  # pandas has no NaN, and years to 2262
        exact = kind == "large integers"  # which NumPy would make floats of, where there are nulls
        patients = column.to_pandas(use_pyarrow_extension_array=exact)
        assert weighed(patients, sampler) == pytest.approx(expected, rel=1e-12)
    column = pl.DataFrame({name: pl.Series(lists, dtype=pl.List(dtype))})
    expected = [weight_of(cell or [None], weights, otherwise, choice) for cell in lists]
    assert weighed(column, sampler) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=size(50, 500), deadline=None)
@given(data=st.data())
def test_weights_of_columns_and_of_texts(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.text(st.sampled_from("ab 'é\"."), min_size=1, max_size=3), min_size=1, unique=True))
    sets = data.draw(st.lists(st.sets(st.sampled_from(names)), min_size=1, max_size=8))
    named = data.draw(st.lists(st.sampled_from([*names, None]), min_size=1, unique=True))
    weights: dict[Any, float] = {label: data.draw(st.integers(0, 9)) for label in named}
    otherwise, choice = data.draw(st.integers(1, 5)), data.draw(st.sampled_from(["max_weight", "sum_weight"]))
    expected = [weight_of(sorted(labels) or [None], weights, otherwise, choice) for labels in sets]
    unset = data.draw(st.sampled_from([0, None]))
    flags = {name: [1 if name in labels else unset for labels in sets] for name in names}
    for dtype in (pl.Boolean, pl.Int8, pl.Float32):
        frame = pl.DataFrame(flags, schema=dict.fromkeys(names, pl.Int8)).cast(dtype)
        sampler = class_weights(names, weights, otherwise=otherwise, choice=choice)
        assert weighed(frame, sampler) == expected
        assert weighed(frame.to_pandas(), sampler) == expected
    texts = pl.DataFrame({"f": ["|".join(sorted(labels)) for labels in sets]})
    sampler = class_weights("f", weights, otherwise=otherwise, choice=choice, split="|")
    assert weighed(texts, sampler) == expected
    assert weighed(texts.to_pandas(), sampler) == expected


class Grade(enum.Enum):
    """Labels of an enumeration."""

    LOW = 1
    HIGH = 2


@for_each(
    ("cells", "weights", "expected"),
    [
        ([1, 2, 3], {Grade.LOW: 5, np.int8(2): 7}, [5, 7, 1]),
        ([dt.date(2024, 5, 1), None], {pd.Timestamp("2024-05-01"): 5, pd.NaT: 3}, [5, 3]),
        ([dt.datetime(2024, 5, 1, 3), None], {np.datetime64("2024-05-01T03:00"): 5, pd.NA: 3}, [5, 3]),
        ([dt.datetime(2024, 5, 1), dt.datetime(2024, 5, 1, 3)], {dt.date(2024, 5, 1): 5}, [5, 1]),
        ([Decimal("1.10"), Decimal("0.30")], {Decimal("1.1"): 5, 0.3: 6}, [5, 6]),
        ([True, False, None], {1: 5, None: 6}, [5, 1, 6]),
        (["2024-05-01", "x"], {dt.date(2024, 5, 1): 5}, [5, 1]),
        ([0.5, -0.0], {0: 5}, [1, 5]),
    ],
)
def test_labels_may_be_written_as_callers_have_them(
    cells: list[Any], weights: dict[Any, float], expected: list[float]
) -> None:
    assert weighed(pl.DataFrame({"x": cells}), class_weights("x", weights)) == expected


def test_float32_and_arrays_and_null_columns() -> None:
    frame = pl.DataFrame({"x": pl.Series([0.1, 0.7, None], dtype=pl.Float32)})
    assert weighed(frame, class_weights("x", {0.1: 5, 0.7: 6})) == [5, 6, 1]
    frame = pl.DataFrame({"x": pl.Series([["a", "b"], ["c", None], None], dtype=pl.Array(pl.String, 2))})
    assert weighed(frame, class_weights("x", {"a": 5, "b": 3, None: 2})) == [5, 2, 2]
    assert weighed(pl.DataFrame({"x": [None, None]}), class_weights("x", {"a": 5, None: 2})) == [2, 2]


def test_a_weight_below_otherwise_is_the_weight_of_its_rows() -> None:
    frame = pl.DataFrame({"f": [["a"], ["a", "b"], ["c"], [], None]})
    assert weighed(frame, class_weights("f", {"a": 0.5, "b": 2})) == [0.5, 2, 1, 1, 1]
    assert weighed(frame, class_weights("f", {"a": 0})) == [0, 0, 1, 1, 1]
    assert weighed(frame, class_weights("f", {"a": 2, "b": 3}, choice="sum_weight")) == [2, 5, 1, 1, 1]
    assert weighed(frame, class_weights("f", {"a": 2}, otherwise=0)) == [2, 2, 0, 0, 0]


def test_the_text_is_as_one_would_write_it() -> None:
    weights = {"Hernia": 20, "Pneumonia": 8.5}
    text = "max_weight(any(findings == 'Hernia'): 20, any(findings == 'Pneumonia'): 8.5, true: 1)"
    assert class_weights("findings", weights) == text
    assert class_weights(["hernia", "edema"], pd.Series([3, 2])) == "max_weight(hernia: 3, edema: 2, true: 1)"
    assert class_weights(["hernia", "edema"], {"edema": 2}, otherwise=0.5) == "max_weight(edema: 2, true: 0.5)"
    text = "sum_weight(contains(split(\"Finding Labels\", '|'), 'Hernia'): 20)"
    assert class_weights("Finding Labels", {"Hernia": 20}, split="|", choice="sum_weight", otherwise=0) == text
    xrays = tql_frames.datasets.chest_xray()
    written = "max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Pneumonia'): 8.5, true: 1)"
    assert xrays.tql.weights(class_weights("findings", weights)).equals(xrays.tql.weights(written))
    assert xrays.tql.report(class_weights("findings", weights), by="findings").labels.filter(label="Hernia")[
        "requested_weight"
    ].to_list() == [20.0]


@for_each(
    ("call", "kind", "message", "hint"),
    [
        (lambda: class_weights("f", {}), TQLError, "the weights name no label", "write {'Hernia': 20"),
        (lambda: class_weights(["a"], {}), TQLError, "the weights name no label", ""),
        (lambda: class_weights("f", [1, 2]), TQLError, "expected weights by label, got [1, 2]", "write {'Hernia': 20"),
        (
            lambda: class_weights("f", {"a": -1}),
            TQLError,
            "expected the weight of 'a' to be a number of at least 0, got -1",
            "",
        ),
        (lambda: class_weights("f", {"a": math.nan}), TQLError, "at least 0, got nan", ""),
        (lambda: class_weights("f", {"a": math.inf}), TQLError, "at least 0, got inf", ""),
        (lambda: class_weights("f", {"a": "5"}), TQLError, "at least 0, got '5'", ""),
        (lambda: class_weights("f", {"a": True}), TQLError, "at least 0, got True", ""),
        (lambda: class_weights("f", {"a": None}), TQLError, "at least 0, got None", ""),
        (
            lambda: class_weights("f", {"a": 1}, otherwise=-1),
            TQLError,
            "expected otherwise= to be a number of at least 0",
            "",
        ),
        (lambda: class_weights("f", {"a": 0}, otherwise=0), TQLError, "all weights are 0", "a weight above 0"),
        (
            lambda: class_weights("f", {"a": 1}, choice="max"),
            TQLError,
            "expected choice= to be 'max_weight' or 'sum_weight', got 'max'",
            "",
        ),
        (
            lambda: class_weights("f", {b"a": 1}),
            TQLTypeError,
            "expected a label that TQL can write, got b'a'",
            "labels are text",
        ),
        (lambda: class_weights("f", {dt.timedelta(1): 1}), TQLTypeError, "got timedelta", "dates and times"),
        (lambda: class_weights("f", {pd.Timestamp(1): 1}), TQLTypeError, "got Timestamp", "to the microsecond"),
        (lambda: class_weights("f", {np.datetime64(1, "ns"): 1}), TQLTypeError, "got datetime64", "to the microsecond"),
        (lambda: class_weights("f", {2**64: 1}), TQLTypeError, "is too large for TQL", ""),
        (
            lambda: class_weights("f", {Decimal("0.12345678901234567890"): 1}),
            TQLTypeError,
            "more digits than a number of TQL",
            "",
        ),
        (lambda: class_weights("f", {Grade.LOW: 1, 1: 2}), TQLError, "the label 1 twice", ""),
        (
            lambda: class_weights("f", {"a|b": 1}, split="|"),
            TQLTypeError,
            "expected a part of a text as label, got 'a|b'",
            "between '|'",
        ),
        (lambda: class_weights("f", {3: 1}, split="|"), TQLTypeError, "expected a part of a text as label, got 3", ""),
        (
            lambda: class_weights("f", {"": 1}, split="|"),
            TQLTypeError,
            "expected a part of a text as label, got ''",
            "",
        ),
        (lambda: class_weights(["wet", "old"], {"wat": 1}), TQLNameError, "got one of 'wat'", "did you mean 'wet'?"),
        (lambda: class_weights(["wet", "old"], [1]), TQLError, "expected 2 weights, got 1", "each column of by="),
        (
            lambda: class_weights(["wet", "old"], "15"),
            TQLError,
            "expected weights by column, or a list of them, got '15'",
            "",
        ),
        (lambda: class_weights(["wet", "old"], [1, "x"]), TQLError, "the weight of 'old' to be a number", ""),
        (lambda: class_weights(["wet", "wet"], [1, 2]), TQLError, "by= names the column 'wet' twice", ""),
        (lambda: class_weights([], []), TQLError, "by= names no column", ""),
        (lambda: class_weights(None, {"a": 1}), TQLError, "expected by= to be the name of a column, got None", ""),
        (lambda: class_weights(["wet"], [1], split="|"), TQLError, "split= needs by= to be the name of one column", ""),
    ],
)
def test_what_is_no_weight_of_a_label_is_told(
    call: Callable[[], object], kind: type[TQLError], message: str, hint: str
) -> None:
    with pytest.raises(TQLError) as caught:
        call()
    assert type(caught.value) is kind
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
