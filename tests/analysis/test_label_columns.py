"""One-hot columns and separated text as labels: they give what the same labels in a list column give."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tql_frames
from tests.loops import for_each
from tests.sizes import size
from tql_frames.analysis import Expectations, LabelColumns
from tql_frames.errors import TQLArmWarning, TQLError, TQLNameError, TQLTypeError
from tql_frames.frames import frame_of

NAMES = ["Hernia", "Hiatal Hernia", "it's", 'a "b" c', "x.y*z", "true", "max_weight", "Hernia "]
KINDS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "eager": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
}
Sets = list[list[str]]


def table_of(sets: Sets, names: list[str], seed: int = 0) -> pl.DataFrame:
    """The same labels as lists, as texts, and as columns of every type, where unset is false, 0 or null by chance."""
    chance = random.Random(seed)
    types = [pl.Boolean, pl.Int8, pl.Float64, pl.UInt64, pl.Decimal(4, 1)]
    columns: dict[str, pl.Series] = {}
    for place, name in enumerate(names):
        values = [1 if name in labels else chance.choice([0, None]) for labels in sets]
        columns[name] = pl.Series(values, dtype=pl.Int8).cast(types[place % len(types)])
    lists = pl.Series([labels or chance.choice([[], None]) for labels in sets], dtype=pl.List(pl.String))
    texts = ["|".join(labels) if labels else chance.choice(["", None]) for labels in sets]
    return pl.DataFrame({"list": lists, "text": pl.Series(texts, dtype=pl.String), "n": range(len(sets)), **columns})


def some_sets(rows: int, names: list[str], seed: int) -> Sets:
    chance = random.Random(seed)
    return [[name for place, name in enumerate(names) if chance.random() < 0.5 / (1 + place)] for _ in range(rows)]


def polars(table: Any) -> pl.DataFrame:
    return table if isinstance(table, pl.DataFrame) else pl.from_pandas(table)


def same(found: Any, expected: Any) -> None:
    assert_frame_equal(polars(found), polars(expected), rel_tol=1e-9)


def shares_by_hand(sets: Sets, weights: list[float], names: list[str]) -> dict[str | None, float]:
    """The share of the weight of the rows that have each label, and of those without any."""
    total = sum(weights)
    found: dict[str | None, float] = {
        name: sum(w for labels, w in zip(sets, weights, strict=True) if name in labels) / total for name in names
    }
    return found | {None: sum(w for labels, w in zip(sets, weights, strict=True) if not labels) / total}


SETS = some_sets(400, NAMES, 3)
TABLE = table_of(SETS, NAMES)
ROWS = {name: sum(name in labels for labels in SETS) for name in NAMES}
SAMPLERS = [
    None,
    "n",
    "max_weight(n % 3 = 0: 5, true: 1)",
    "max_weight(contains(list, 'Hernia'): 9, n > 200: 4, true: 1)",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_that_of_the_same_labels_in_lists(kind: str) -> None:
    frame = KINDS[kind](TABLE)
    for sampler in SAMPLERS:
        for options in ({}, {"limit": 50, "replace": False}, {"fraction": 0.2, "replace": False, "design": "poisson"}):
            expected = frame.tql.report(sampler, by="list", **options)
            for by, split in ((NAMES, None), ("text", "|")):
                found = frame.tql.report(sampler, by=by, split=split, **options)
                same(found.labels, expected.labels)
                assert found.effective_rows == pytest.approx(expected.effective_rows)
                if expected.co_movement is not None:
                    same(found.co_movement, expected.co_movement)


BALANCES: list[dict[str, Any]] = [
    {},
    {"target": {"Hernia": 0.3, "it's": 0.2}},
    {"target": {"Hernia": 0.3, None: 0.1}, "keep": ["Hiatal Hernia"]},
    {"target": {"Hernia ": 0.2, "n < 100": 0.4}},
    {"max_weight": 3},
    {"target": {'a "b" c': 0.3}, "limit": 60, "replace": False},
    {"target": {"true": 0.1}, "limit": 60, "replace": False, "design": "systematic"},
    {"target": {"x.y*z": 0.2}, "keep": [None], "max_weight": 6},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", BALANCES)
def test_a_balance_is_that_of_the_same_labels_in_lists(kind: str, options: dict[str, Any]) -> None:
    frame = KINDS[kind](TABLE)
    expected = frame.tql.balance("list", **options)
    weights = TABLE.tql.weights(expected.sampler).to_list()
    for by, split in ((NAMES, None), ("text", "|")):
        found = frame.tql.balance(by, split=split, **options)
        same(found.labels, expected.labels)
        assert found.price.effective_rows == pytest.approx(expected.price.effective_rows)
        assert TABLE.tql.weights(found.sampler).to_list() == pytest.approx(weights)
        assert TABLE.to_pandas().tql.weights(found.sampler).to_list() == pytest.approx(weights)
        report = found.report.labels
        shares = dict(polars(report).select("label", "expected_share").iter_rows())
        for label, target in (
            polars(found.labels).filter(pl.col("reason").is_null()).select("label", "target").iter_rows()
        ):
            if target is not None and label in shares:
                assert shares[label] == pytest.approx(target, rel=0.011)
        if options.get("replace", True):
            by_hand = shares_by_hand(SETS, TABLE.tql.weights(found.sampler).to_list(), NAMES)
            assert shares == pytest.approx({label: by_hand[label] for label in shares})


@settings(max_examples=size(25, 200), deadline=None)
@given(st.data())
def test_any_labels_are_matched_whole_by_the_sampler(data: st.DataObject) -> None:
    letters = st.text(st.sampled_from("ab|' \"\n.é"), min_size=1, max_size=3)
    names = data.draw(st.lists(letters, min_size=1, max_size=4, unique=True))
    separator = data.draw(st.sampled_from(["|", ", ", "||", "a"]))
    parts = [name for name in names if separator not in name]
    sets = data.draw(st.lists(st.lists(st.sampled_from(names), unique=True), min_size=1, max_size=12))
    frame = table_of(sets, names)
    share = data.draw(st.sampled_from([0.1, 0.4]))
    for label in [name for name in names if any(name in labels for labels in sets)]:
        balance = frame.tql.balance(names, {label: share})
        by_hand = shares_by_hand(sets, frame.tql.weights(balance.sampler).to_list(), names)
        assert balance.report.labels.filter(label=label)["expected_share"].item() == pytest.approx(by_hand[label])
    cells = [separator.join(label for label in labels if label in parts) for labels in sets]
    split = [[part for part in cell.split(separator) if part] for cell in cells]  # "|" and "||" make other labels
    texts = frame.with_columns(cell=pl.Series(cells, dtype=pl.String))
    for label in sorted({part for labels in split for part in labels}):
        balance = texts.tql.balance("cell", {label: share}, split=separator)
        by_hand = shares_by_hand(split, texts.tql.weights(balance.sampler).to_list(), [label])
        assert balance.report.labels.filter(label=label)["expected_share"].item() == pytest.approx(by_hand[label])


def test_a_label_that_is_part_of_another_is_not_matched() -> None:
    frame = pl.DataFrame({"f": ["Hiatal Hernia"] * 6 + ["Hernia|Edema"] * 2 + ["Edema|Hernia|Edema", "Hernia"]})
    balance = frame.tql.balance("f", {"Hernia": 0.5}, split="|")
    assert "contains(split(f, '|'), 'Hernia')" in balance.sampler
    weights = frame.tql.weights(balance.sampler)
    assert weights[:6].n_unique() == 1 and weights[0] < weights[9]
    assert frame.tql.report(by="f", split="|").labels.select("label", "rows").rows() == [
        ("Hiatal Hernia", 6),
        ("Hernia", 4),
        ("Edema", 3),  # twice in a cell counts once
    ]


def test_blanks_belong_to_a_label_and_nothing_is_none() -> None:
    frame = pl.DataFrame({"f": ["a| a", "|a||", "", None, "||", " "]})
    rows = frame.tql.report(by="f", split="|").labels.select("label", "rows").rows()
    assert rows == [(None, 3), ("a", 2), (" ", 1), (" a", 1)]
    balance = frame.tql.balance("f", {None: 0.2}, split="|")
    weights = frame.tql.weights(balance.sampler).to_list()
    assert sum(weights[2:5]) / sum(weights) == pytest.approx(0.2, rel=0.006)


@for_each(
    "dtype", ["bool", "boolean", "object", "int8", "Int64", "float64", "Float64", "bool[pyarrow]", "int64[pyarrow]"]
)
def test_columns_of_pandas(dtype: str) -> None:
    nullable = dtype not in ("bool", "int8")
    values: list[Any] = [True, False, None if nullable else False, True]
    if dtype not in ("bool", "boolean", "object", "bool[pyarrow]"):
        values = [None if value is None else int(value) for value in values]
    frame = pd.DataFrame({"a": pd.Series(values, dtype=dtype), 7: [1, 0, 0, 0]}).set_axis([5, 5, 6, 7])
    report = frame.tql.report("max_weight(a: 3, true: 1)", by=["a", "7"])
    assert report.labels["rows"].tolist() == [2, 2, 1]
    assert report.labels["label"].tolist()[:1] == ["a"] and report.labels["label"].tolist()[2] == "7"
    assert report.labels["expected_share"].tolist() == pytest.approx([6 / 8, 2 / 8, 3 / 8])
    weights = frame.tql.weights(frame.tql.balance(["a", "7"], {"a": 0.8}).sampler).to_list()
    assert (weights[0] + weights[3]) / sum(weights) == pytest.approx(0.8, rel=0.006)


@for_each("dtype", [pl.Categorical, pl.Enum(["a|b", "b", ""]), pl.String])
def test_texts_of_every_kind_are_split(dtype: Any) -> None:
    frame = pl.DataFrame({"f": pl.Series(["a|b", "b", "", None], dtype=dtype)})
    for kind in KINDS.values():
        labels = polars(kind(frame).tql.report(by="f", split="|").labels)
        assert labels.select("label", "rows").rows() == [("b", 2), (None, 2), ("a", 1)]
    weights = frame.tql.weights(frame.tql.balance("f", {"a": 0.4}, split="|").sampler)
    assert weights[0] / weights.sum() == pytest.approx(0.4, rel=0.006)


BAD = pl.DataFrame(
    {
        "yes": [True, None, False],
        "two": [1, 0, 2],
        "half": [0.5, None, 1.0],
        "nan": [1.0, float("nan"), 0.0],
        "minus": [0, -1, 1],
        "text": ["x", "y", "x|y"],
        "tags": [["x"], [], None],
        "day": [dt.date(2024, 5, 1)] * 3,
        "nothing": [None] * 3,
        "tens": pl.Series([0, 1, 10], dtype=pl.Decimal(4, 1)),
    }
)


@pytest.mark.parametrize(
    ("by", "split", "kind", "message", "hint"),
    [
        (["yes", "two"], None, TQLTypeError, "expected 1 or 0 in column 'two' of by=, got 2", "1 is for the rows"),
        (["half"], None, TQLTypeError, "expected 1 or 0 in column 'half' of by=, got 0.5", ""),
        (["nan"], None, TQLTypeError, "expected 1 or 0 in column 'nan' of by=, got nan", ""),
        (["yes", "minus"], None, TQLTypeError, "expected 1 or 0 in column 'minus' of by=, got -1", ""),
        (["tens"], None, TQLTypeError, "expected 1 or 0 in column 'tens' of by=, got 10.0", ""),
        (["text"], None, TQLTypeError, "expected column 'text' of by= to hold true or false", "write by='text'"),
        (["yes", "tags"], None, TQLTypeError, "or 1 or 0, got a list of text", "each for the label"),
        (["day", "yes"], None, TQLTypeError, "or 1 or 0, got a date", ""),
        (["yes", "yess"], None, TQLNameError, "unknown column 'yess'", "did you mean 'yes'?"),
        (["yes", "two", "yes"], None, TQLError, "by= names the column 'yes' twice", ""),
        ([], None, TQLError, "by= names no column", "by=['hernia', 'edema']"),
        (["yes", 3], None, TQLError, "expected by= to name columns by text, got 3", "write '3'"),
        ({"yes": 1}, None, TQLError, "expected by= to be the name of a column, got {'yes': 1}", ""),
        (BAD["text"], None, TQLError, "expected by= to be the name of a column, got Series", "by='text'"),
        (["yes"], "|", TQLError, "split= needs by= to be the name of one column, got ['yes']", "split='|'"),
        (
            "tags",
            "|",
            TQLTypeError,
            "split= is for a column of text; column 'tags' holds a list of text",
            "apart already",
        ),
        ("two", "|", TQLTypeError, "split= is for a column of text; column 'two' holds a number", "leave split= out"),
        ("text", "", TQLError, "expected split= to be the text between two labels, got ''", "write split='|'"),
        ("text", 1, TQLError, "expected split= to be the text between two labels, got 1", ""),
        ("texts", "|", TQLNameError, "unknown column 'texts'", "did you mean 'text'?"),
    ],
)
def test_what_is_no_label_is_told(by: Any, split: Any, kind: type[TQLError], message: str, hint: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: BAD.tql.report(by=by, split=split),
        lambda: BAD.lazy().tql.report("1", by=by, split=split),
        lambda: BAD.tql.balance(by, split=split),
        lambda: BAD.tql.view("1", 3).report(by, split=split),
        lambda: BAD.tql.view("1", 3).plot(by, split=split),
        lambda: BAD.tql.report("select * sample by 1", by=by, split=split),
    ]
    for call in calls:
        with pytest.raises(TQLError) as caught:
            call()
        assert type(caught.value) is kind, caught.value
        assert message in caught.value.message
        assert hint in (caught.value.hint or "")


def test_split_needs_a_column() -> None:
    for call in (BAD.tql.report, lambda split: BAD.tql.balance(None, split=split)):
        with pytest.raises(TQLError, match="split= needs by= to be the name of one column, got None"):
            call(split="|")


@for_each(
    "by", [("yes", "two"), np.array(["yes", "two"]), pd.Index(["yes", "two"], name="finding"), iter(["yes", "two"])]
)
def test_names_come_in_anything_that_lists_them(by: Any) -> None:
    report = BAD.head(2).tql.report(by=by)
    assert report.by == ("yes", "two")
    assert report.labels.select("label", "rows").rows() == [("two", 1), ("yes", 1), (None, 1)]


def test_a_column_that_no_row_has_set_is_no_label_of_the_table() -> None:
    frame = BAD.select("yes", "nothing", never=pl.lit(0))
    assert frame.tql.report(by=frame.columns).labels["label"].to_list() == [None, "yes"]
    for options in ({"target": {"never": 0.1}}, {"keep": ["nothing"]}):
        with pytest.raises(TQLNameError, match=r"no row has the label '(never|nothing)'"):
            frame.tql.balance(frame.columns, **options)
    with pytest.raises(
        TQLNameError, match="'yess' is not a label of the columns 'yes', 'nothing', 'never', and not"
    ) as caught:
        frame.tql.balance(frame.columns, {"yess": 0.1})
    assert caught.value.hint == "did you mean 'yes'?"
    empty = frame.head(0).tql.report("1", by=["yes", "never"])
    assert empty.rows == 0 and empty.labels.height == 0


def test_a_thousand_columns() -> None:
    chance = np.random.default_rng(7)
    flags = chance.random((2_000, 1_000)) < 0.002
    flags[:, 0] = chance.random(2_000) < 0.3
    names = [f"c{place}" for place in range(1_000)]
    for frame in (pl.DataFrame(flags, schema=names), pl.DataFrame(flags.astype(np.int8), schema=names).to_pandas()):
        labels = dict(polars(frame.tql.report(by=names).labels).select("label", "rows").iter_rows())
        expected = {name: int(count) for name, count in zip(names, flags.sum(axis=0), strict=True) if count}
        assert labels == expected | {None: int((~flags.any(axis=1)).sum())}
        balance = frame.tql.balance(names, {"c0": 0.1, None: 0.2})
        shares = dict(polars(balance.report.labels).select("label", "expected_share").iter_rows())
        assert (shares["c0"], shares[None]) == pytest.approx((0.1, 0.2), rel=0.006)
    with pytest.raises(TQLTypeError, match="expected 1 or 0 in column 'c999' of by=, got 3"):
        pl.DataFrame(flags.astype(np.int8), schema=names).with_columns(c999=pl.lit(3)).tql.report(by=names)


def test_views_plots_statements_and_plain_values() -> None:
    sampler = "max_weight(Hernia: 5, true: 1)"
    view = TABLE.tql.view(sampler, 300, seed=2)
    expected = view.report("list")
    for by, split in ((NAMES, None), ("text", "|")):
        report = view.report(by, split=split)
        same(report.labels, expected.labels)
        assert report.labels.filter(label="Hernia")["drawn"].item() == sum(
            "Hernia" in SETS[at] for at in view.positions
        )
        assert (
            view.plot(by, split=split)
            .to_dict()["title"]["text"]
            .startswith(f"Rows by {'label' if split is None else 'text'}")
        )
        statement = f"select * where n < 300 sample by {sampler}"
        same(
            TABLE.tql.report(statement, by=by, split=split).labels,
            TABLE.tql.report(statement, by="list").labels,
        )
        assert report.to_dict()["by"] == by and TABLE.tql.balance(by, split=split).to_dict()["by"] == by
    text = str(TABLE.tql.report(sampler, by=NAMES))
    assert text.splitlines()[0].split()[:2] == ["label", "rows"]
    assert "Rows by label" in str(TABLE.tql.balance(NAMES)._repr_html_())


def test_samplers_are_expected_from_the_combinations_of_all_columns() -> None:
    sampler = "max_weight(Hernia: 5, n > 7: 2, true: 1)"
    for columns, options in (
        (LabelColumns(tuple(NAMES)), {"by": NAMES}),
        (LabelColumns("text", "|"), {"by": "text", "split": "|"}),
    ):
        expectations = Expectations(frame_of(TABLE), columns)
        same(expectations.report(sampler).labels, TABLE.tql.report(sampler, **options).labels)
        assert expectations.is_counted("max_weight(Hernia: 7, true: 1)")


# --- the sampler comes first -----------------------------------------------------------------------------------------

OLD = pl.DataFrame(
    {
        "findings": [["a"], ["b"]],
        "view": ["PA", "AP"],
        "my view": ["PA", "AP"],
        "kind": pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])),
        "day": [dt.date(2024, 5, 1)] * 2,
        "grade": [-1, 2],
    }
)


@for_each("name", OLD.columns)
def test_labels_in_the_place_of_the_sampler_are_an_error_that_tells_what_to_write(name: str) -> None:
    for kind in KINDS.values():
        with pytest.raises(TQLError) as caught:
            kind(OLD).tql.report(name)
        told = f"report takes the sampler first; for the labels of the column write by={name!r}"
        assert str(caught.value.hint).endswith(told)
        assert kind(OLD).tql.report(by=name).rows == 2


@for_each("name", ["findings", "view", None])
def test_a_sampler_in_the_place_of_the_limit_is_an_error_that_tells_what_to_write(name: str | None) -> None:
    for second in ("max_weight(grade > 0: 2, true: 1)", "1", pl.col("grade")):
        for call in (OLD.tql.report, OLD.to_pandas().tql.report, lambda *given: tql_frames.report(OLD, *given)):
            with pytest.raises(
                TQLError, match="report takes the sampler first; expected limit= to be a number"
            ) as caught:
                call(name, second)
            assert "by=" in str(caught.value.hint)
    for call in (OLD.tql.report, lambda *given: tql_frames.report(OLD, *given)):
        with pytest.raises(TypeError, match=r"report\(\) takes \d arguments by position .* such as by="):
            call(name, "1", 10)


def test_other_faults_of_a_sampler_keep_their_hints() -> None:
    with pytest.raises(TQLTypeError) as caught:
        OLD.tql.report("max_weight(view: 2)")
    assert caught.value.hint == "compare it with something, as in x == 'value'"
    with pytest.raises(TQLTypeError) as caught:
        OLD.tql.report("view", by="findings")
    assert caught.value.hint == "write a number"


@for_each(
    "condition",
    ["contains(split(f, '|'), 'hernia')", "any(split(f, '|') = 'Herna')", "contains(split(f, ', '), 'hernia')"],
)
def test_a_label_that_no_text_lists_is_told_with_what_may_have_been_meant(condition: str) -> None:
    frame = pl.DataFrame({"f": ["Edema|Hernia", "Mass, Hernia", "", None]})
    with pytest.warns(TQLArmWarning, match="did you mean 'Hernia'"):
        frame.tql.report(f"max_weight({condition}: 2, true: 1)")
