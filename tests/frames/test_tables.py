"""Tables of other libraries: what goes in, what comes out, and that each gives the rows that Polars gives."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tql_frames
from tql_frames import TQLError
from tql_frames.loading import when_imported
from tql_frames.views import readers

pytestmark = pytest.mark.filterwarnings("ignore:.*defaulting to pandas")  # as Modin says of itself

FRAME = pl.DataFrame(
    {
        "age": [71, 34, 65, None, 20, 50],
        "view": ["PA", "AP", None, "PA", "it's", "AP"],
        "findings": [["Hernia"], [], ["Edema", "Hernia"], None, ["Edema"], ["Mass"]],
        "score": [0.5, 1.0, None, 2.0, 4.0, 0.0],
    }
)
SAMPLER = "max_weight(contains(findings, 'Hernia'): 20, age > 30: 2, True: 1)"


class Capsule:
    """An object with the Arrow PyCapsule interface and nothing else."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


class Kind(NamedTuple):
    """A kind of table.

    Attributes:
        library: what must be installed.
        make: makes one of a Polars frame.
        out: name of the class that a sample of it has.
    """

    library: str
    make: Callable[[pl.DataFrame], Any]
    out: str


def module(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the library itself runs into
        return pytest.importorskip(name, reason=f"{name} is not installed", exc_type=ImportError)


def relation(frame: pl.DataFrame) -> Any:
    connection = module("duckdb").connect()
    connection.register("frame", frame.to_arrow())
    return connection.sql("select * from frame")


def modin_frame(frame: pl.DataFrame) -> Any:
    os.environ["MODIN_ENGINE"] = "python"
    return module("modin.pandas").DataFrame(frame.to_pandas())


# What goes in, and what comes out: the table of docs/tables.md.
KINDS = {
    "Polars DataFrame": Kind("polars", lambda frame: frame, "polars.DataFrame"),
    "Polars LazyFrame": Kind("polars", lambda frame: frame.lazy(), "polars.LazyFrame"),
    "pandas DataFrame": Kind("pandas", lambda frame: frame.to_pandas(), "pandas.DataFrame"),
    "pyarrow Table": Kind("pyarrow", lambda frame: frame.to_arrow(), "pyarrow.Table"),
    "pyarrow RecordBatch": Kind(
        "pyarrow", lambda frame: pa.record_batch({each.name: each.to_arrow() for each in frame}), "polars.DataFrame"
    ),
    "pyarrow RecordBatchReader": Kind("pyarrow", lambda frame: frame.to_arrow().to_reader(), "polars.DataFrame"),
    "DuckDB relation": Kind("duckdb", relation, "DuckDBPyRelation"),
    "Ibis table": Kind("ibis", lambda frame: module("ibis").memtable(frame), "ibis.Table"),
    "Daft DataFrame": Kind("daft", lambda frame: module("daft").from_arrow(frame.to_arrow()), "polars.DataFrame"),
    "Hugging Face Dataset": Kind(
        "datasets", lambda frame: module("datasets").Dataset(frame.to_arrow()), "datasets.Dataset"
    ),
    "narwhals of Polars": Kind("narwhals", lambda frame: module("narwhals").from_native(frame), "narwhals.DataFrame"),
    "narwhals of a plan": Kind(
        "narwhals", lambda frame: module("narwhals").from_native(frame.lazy()), "narwhals.LazyFrame"
    ),
    "narwhals of pandas": Kind(
        "narwhals", lambda frame: module("narwhals").from_native(frame.to_pandas()), "narwhals.DataFrame"
    ),
    "narwhals of pyarrow": Kind(
        "narwhals", lambda frame: module("narwhals").from_native(frame.to_arrow()), "narwhals.DataFrame"
    ),
    "narwhals.stable.v1": Kind(
        "narwhals", lambda frame: module("narwhals.stable.v1").from_native(frame), "narwhals.DataFrame"
    ),
    "Modin DataFrame": Kind("modin", modin_frame, "modin.DataFrame"),
    "any PyCapsule object": Kind("polars", Capsule, "polars.DataFrame"),
    "View": Kind(
        "polars",
        lambda frame: frame.tql.view("1", replace=False, order="source", limit=frame.height, index=None),
        "polars.DataFrame",
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found = KINDS[request.param]
    if find_spec(found.library) is None:
        pytest.skip(f"{found.library} is not installed")
    return found


def class_of(found: object) -> str:
    """Class and library of an object; of DuckDB the class, whose library has another name in each version."""
    name = type(found).__name__
    return name if name == "DuckDBPyRelation" else f"{type(found).__module__.split('.')[0]}.{name}"


def rows_of(found: Any) -> pl.DataFrame:
    """Rows of whatever came out, as Polars has them, without row numbers or index labels."""
    if class_of(found).startswith("narwhals"):
        found = found.to_native()
    if class_of(found) == "modin.DataFrame":
        found = found.modin.to_pandas()
    if isinstance(found, pl.LazyFrame):
        found = found.collect()
    if isinstance(found, pd.DataFrame):
        found = pl.from_pandas(found.reset_index(drop=True))
    elif class_of(found) == "datasets.Dataset":
        found = pl.from_arrow(found.with_format("arrow")[:])
    elif not isinstance(found, pl.DataFrame):
        found = pl.DataFrame(found)
    kept = [name for name in found.columns if name != "index"]
    return found.select(kept).with_columns(pl.col("age").cast(pl.Float64), pl.col("view").cast(pl.String))


def same(found: Any, wanted: pl.DataFrame) -> bool:
    return rows_of(found).equals(rows_of(wanted))


@pytest.mark.parametrize("options", [{}, {"replace": False, "limit": 4}, {"over": "age > 40", "limit": 1}])
def test_a_sample_has_the_rows_of_polars_in_the_kind_of_the_table(kind: Kind, options: dict[str, Any]) -> None:
    found = tql_frames.sample(kind.make(FRAME), SAMPLER, seed=7, **options)
    assert class_of(found) == kind.out
    assert same(found, FRAME.tql.sample(SAMPLER, seed=7, **options))


def test_expected_is_a_further_column(kind: Kind) -> None:
    found = rows_of(tql_frames.sample(kind.make(FRAME), SAMPLER, seed=7, expected="times"))
    wanted = rows_of(FRAME.tql.sample(SAMPLER, seed=7, expected="times"))
    assert found.columns[-1] == "times"
    assert found["times"].to_list() == wanted["times"].to_list()
    assert found.drop("times").equals(wanted.drop("times"))


def test_weights_are_those_of_polars(kind: Kind) -> None:
    found = tql_frames.weights(kind.make(FRAME), SAMPLER)
    if isinstance(found, pl.LazyFrame) or class_of(found) == "narwhals.LazyFrame":
        found = found.collect()["weight"]
    assert list(found.to_list()) == [20.0, 2.0, 20.0, 1.0, 1.0, 2.0]


def test_a_statement_gives_the_kind_of_the_table(kind: Kind) -> None:
    text = "select age, view, age * 2 as double where age > 30 order by age limit 2"
    found = tql_frames.query(text, frame=kind.make(FRAME))
    assert class_of(found) == kind.out
    assert same(found, FRAME.tql.query(text))
    text = "select * sample by age limit 4"
    assert same(tql_frames.query(text, frame=kind.make(FRAME), seed=3), FRAME.tql.query(text, seed=3))
    grouped = tql_frames.query("select view, score group by view order by view", frame=kind.make(FRAME), index=None)
    assert class_of(grouped) == kind.out


def test_a_statement_without_row_numbers_gives_the_same_rows(kind: Kind) -> None:
    """Columns that it does not compute are not read for it; its explanation leaves row numbers out as well."""
    for rest in ("", " where age > 30", " sample by age limit 4", ", age * 2 as double"):
        text = f"select *{rest}"
        found = tql_frames.query(text, frame=kind.make(FRAME), seed=3, index=None)
        assert class_of(found) == kind.out
        assert same(found, FRAME.tql.query(text, seed=3, index=None))
        if not class_of(found).endswith("LazyFrame"):
            assert "index" not in (found.column_names if hasattr(found, "column_names") else found.columns)
        assert str(tql_frames.explain(kind.make(FRAME), text))


def test_a_statement_of_no_rows_keeps_the_columns(kind: Kind) -> None:
    text = "select view, age * 2 as age where age > 1000"
    found = tql_frames.query(text, frame=kind.make(FRAME), index=None)
    assert class_of(found) == kind.out
    assert rows_of(found).schema == {"view": pl.String, "age": pl.Float64}
    assert rows_of(found).height == 0


def test_a_sample_of_a_sample_with_expected_keeps_its_index(kind: Kind) -> None:
    first = FRAME.tql.sample(SAMPLER, limit=9, seed=2).to_pandas()
    table = kind.make(pl.from_pandas(first))
    found = rows_of(tql_frames.sample(table, "age", limit=4, seed=1, expected="times"))
    wanted = rows_of(pl.from_pandas(first).tql.sample("age", limit=4, seed=1, expected="times"))
    assert found.equals(wanted)


def test_views_and_splits_give_the_kind_of_the_table(kind: Kind) -> None:
    view = tql_frames.view(kind.make(FRAME), SAMPLER, limit=5, seed=7)
    wanted = FRAME.tql.view(SAMPLER, limit=5, seed=7)
    assert class_of(view.to_native()) == kind.out
    assert same(view.to_native(), wanted.to_native())
    assert same(view.to_polars(), wanted.to_native())
    assert same(view.to_pandas(), wanted.to_native())
    assert view.positions.tolist() == wanted.positions.tolist()
    assert same(view.sample("age", limit=3, seed=1), wanted.sample("age", limit=3, seed=1))
    assert repr(view).startswith("View of 5 of 6 rows × 4 columns")
    assert "<table" in view._repr_html_()
    parts = tql_frames.split(kind.make(FRAME), {"a": 0.5, "b": 0.5}, seed=1)
    for name, part in FRAME.tql.split({"a": 0.5, "b": 0.5}, seed=1).items():
        assert class_of(parts[name].to_native()) == kind.out
        assert parts[name].positions.tolist() == part.positions.tolist()


def test_reports_and_balances_are_those_of_polars(kind: Kind) -> None:
    balance = tql_frames.balance(kind.make(FRAME), "findings", {"Mass": 0.3})
    assert balance.sampler == FRAME.tql.balance("findings", {"Mass": 0.3}).sampler
    explained, wanted = (str(tql_frames.explain(each, SAMPLER)) for each in (kind.make(FRAME), FRAME))
    assert explained.splitlines()[:8] == wanted.splitlines()[:8]
    shares = tql_frames.report(kind.make(FRAME), SAMPLER, by="findings").labels["expected_share"]
    assert list(shares) == list(FRAME.tql.report(SAMPLER, by="findings").labels["expected_share"])


def test_an_empty_table_and_one_without_columns(kind: Kind) -> None:
    found = tql_frames.sample(kind.make(FRAME.clear()), SAMPLER, seed=1)
    assert class_of(found) == kind.out
    assert rows_of(found).height == 0
    with pytest.raises(TQLError, match="cannot draw 3 rows"):
        rows_of(tql_frames.sample(kind.make(FRAME.clear()), SAMPLER, limit=3))


# --- pyarrow: types go through as they are ---------------------------------------------------------------------------


def odd_table() -> pa.Table:
    """Types that Polars has not, or has in another form."""
    schema = pa.schema(
        [
            pa.field("age", pa.int8(), nullable=False, metadata={"unit": "years"}),
            ("text", pa.string()),
            ("large", pa.large_string()),
            ("short", pa.binary(2)),
            ("word", pa.dictionary(pa.int8(), pa.string(), ordered=True)),
            ("list", pa.list_(pa.string())),
            ("fixed", pa.list_(pa.float32(), 2)),
            ("map", pa.map_(pa.string(), pa.int32())),
            ("money", pa.decimal256(60, 2)),
            ("months", pa.month_day_nano_interval()),
            ("time", pa.time32("s")),
            ("stamp", pa.timestamp("s", "Asia/Tokyo")),
            ("null", pa.null()),
        ],
        metadata={"source": "a test"},
    )
    rows = [
        (71, "a", "b", b"xy", "u", ["p"], [1, 2], [("k", 1)], None, (1, 2, 3), 5, 7, None),
        (34, None, "", b"zz", "v", [], [3, 4], [], 10, None, None, None, None),
        (65, "ü", None, None, None, None, None, None, -1, (0, 0, 1), 6, 8, None),
    ]
    columns = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(schema)]
    return pa.Table.from_arrays(columns, schema=schema)


def test_every_type_of_arrow_goes_through_a_sample_as_it_is() -> None:
    table = odd_table()
    found = tql_frames.sample(table, "age", limit=5, seed=1, index=None)
    assert found.schema.equals(table.schema, check_metadata=True)
    positions = tql_frames.view(table, "age", limit=5, seed=1).positions
    assert found.equals(table.take(positions))
    chosen = tql_frames.query("select money, months, age + 1 as next where age > 40", frame=table)
    assert chosen.schema.types == [pa.uint32(), pa.decimal256(60, 2), pa.month_day_nano_interval(), pa.int64()]
    assert chosen.column("next").to_pylist() == [72, 66]


def test_types_of_which_arrow_takes_no_rows_are_taken_nevertheless() -> None:
    """Text in views, as Polars and DuckDB can write it, and values of runs of rows."""
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 4], pa.int32()), pa.array([1, None, 3]))
    nested = pa.large_list(pa.struct([pa.field("a", pa.string_view())]))
    table = pa.table(
        {
            "text": pa.array(["a", "b", None, "d"], pa.string_view()),
            "bytes": pa.array([b"a", b"b", None, b"d"], pa.binary_view()),
            "nested": pa.array([[{"a": "x"}], [], None, [{"a": "y"}]], nested),
            "fixed": pa.array([["a"], ["b"], None, ["d"]], pa.list_(pa.string_view(), 1)),
            "runs": runs,
            "age": [1, 2, 3, 4],
        }
    )
    try:
        table["text"].cast(pa.string())
    except pa.ArrowNotImplementedError:  # pyarrow 17 can neither take rows of text in views nor convert it
        with pytest.raises(TQLError, match="rows of a column of type string_view cannot be taken"):
            tql_frames.sample(table, "age", limit=6, seed=1, index=None)
        return
    for whole in (table, pa.concat_tables([table.slice(0, 1), table.slice(1)]), table.slice(1)):
        found = tql_frames.sample(whole, "age", limit=6, seed=1, index=None)
        found.validate(full=True)
        assert found.schema.equals(table.schema)
        rows = whole.to_pylist()
        assert found.to_pylist() == [rows[place] for place in tql_frames.view(whole, "age", limit=6, seed=1).positions]
    assert tql_frames.weights(table, "runs").to_list() == [1, 1, 0, 3]
    assert tql_frames.weights(table, "max_weight(runs is null: 3, True: 1)").to_list() == [1, 1, 3, 1]
    views = pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["x"], pa.string_view()))
    with pytest.raises(TQLError, match=r"rows of a column of type .* cannot be taken: .*\n  leave the column out"):
        tql_frames.sample(pa.table({"age": [1], "x": views}), "age")


def test_only_named_columns_are_converted() -> None:
    table = odd_table()
    assert tql_frames.weights(table, "max_weight(age > 40: 2, True: 1)").to_list() == [2, 1, 2]
    with pytest.raises(TQLError, match=r"column 'months' of type month_day_nano_interval cannot be read"):
        tql_frames.weights(table, "max_weight(months > 40: 2, True: 1)")
    assert tql_frames.weights(table, "max_weight(months is null: 2, True: 1)").to_list() == [1, 2, 1]


def test_columns_of_one_name_stay_and_cannot_be_named() -> None:
    table = pa.table([[1, 2], [3, 4], [5, 6]], names=["a", "b", "a"])
    found = tql_frames.sample(table, "b", limit=2, seed=1, index=None)
    assert found.column_names == ["a", "b", "a"]
    with pytest.raises(TQLError, match="2 columns are named 'a'"):
        tql_frames.sample(table, "a", limit=2)


def test_a_table_without_columns_has_rows() -> None:
    table = pa.Table.from_batches([pa.record_batch([pa.array([1, 2])], names=["a"]).select([])])
    assert tql_frames.sample(table, "1", limit=5, seed=1).column_names == ["index"]
    assert tql_frames.sample(table, "1", limit=5, seed=1, expected="e").to_pydict()["e"] == [2.5] * 5
    assert tql_frames.sample(table, "1", limit=5, seed=1, expected="e", index=None).to_pydict() == {"e": [2.5] * 5}
    assert tql_frames.query("select *", frame=table).to_pydict() == {"index": [0, 1]}


def test_a_chunked_table_is_one_table_and_is_not_copied() -> None:
    whole = FRAME.to_arrow()
    pieces = pa.concat_tables([whole.slice(0, 2), whole.slice(2, 0), whole.slice(2)])
    found = tql_frames.sample(pieces, SAMPLER, limit=9, seed=3)
    assert found.equals(tql_frames.sample(whole, SAMPLER, limit=9, seed=3))
    numbers = pa.table({"a": np.arange(1_000_000.0)})
    before = pa.total_allocated_bytes()
    view = tql_frames.view(numbers, "a", limit=1, seed=1)
    assert pa.total_allocated_bytes() - before < 1_000_000
    assert view.source is numbers


def test_an_expression_that_picks_columns_sees_those_that_polars_has() -> None:
    table = odd_table().select(["age", "months", "text"])
    assert tql_frames.weights(table, pl.col(pl.Int8).cast(pl.Float64)).to_list() == [71, 34, 65]


# --- Hugging Face ----------------------------------------------------------------------------------------------------


@pytest.fixture
def datasets() -> Any:
    found = module("datasets")
    found.disable_progress_bars()
    return found


def test_a_dataset_is_sampled_by_select(datasets: Any) -> None:
    """The rows are not touched: a sample points to them."""
    dataset = datasets.Dataset(FRAME.to_arrow())
    found = tql_frames.sample(dataset, SAMPLER, limit=4, seed=7)
    assert found.data.num_rows == 6
    assert found.features == dataset.features
    assert found.column_names == dataset.column_names
    named = tql_frames.sample(dataset, SAMPLER, limit=4, seed=7, index="row")
    assert named["row"][:] == tql_frames.view(dataset, SAMPLER, limit=4, seed=7).positions.tolist()
    assert named.column_names == ["row", *dataset.column_names]


def test_a_dataset_that_was_selected_from_before(datasets: Any) -> None:
    dataset = (
        datasets.Dataset(FRAME.to_arrow()).select([5, 0, 0, 2]).rename_column("age", "years").remove_columns("view")
    )
    frame = FRAME[[5, 0, 0, 2]].rename({"age": "years"}).drop("view")
    found = tql_frames.sample(dataset, "years", limit=5, seed=2)
    assert found["years"][:] == frame.tql.sample("years", limit=5, seed=2)["years"].to_list()


def test_only_named_columns_of_a_dataset_are_read(datasets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    select = datasets.Dataset.select_columns
    monkeypatch.setattr(
        datasets.Dataset,
        "select_columns",
        lambda self, names, *rest: (read.extend(names), select(self, names, *rest))[1],
    )
    dataset = datasets.Dataset(FRAME.to_arrow())
    tql_frames.sample(dataset, "max_weight(age > 60: 5, True: 1)", seed=1)
    assert read == ["age"]


def test_features_of_a_dataset_stay_in_statements(datasets: Any) -> None:
    features = datasets.Features({"label": datasets.ClassLabel(names=["no", "yes"]), "n": datasets.Value("int16")})
    dataset = datasets.Dataset.from_dict({"label": [0, 1, 1], "n": [1, 2, 3]}, features=features)
    found = tql_frames.query("select label, n + 1 as next where label = 1", frame=dataset)
    assert found.features["label"] == features["label"]
    assert found["next"][:] == [3, 4]
    renamed = tql_frames.query("select n as m, label", frame=dataset)
    assert renamed.column_names == ["m", "label"]


def test_the_format_of_a_dataset_stays_beside_computed_columns(datasets: Any) -> None:
    dataset = datasets.Dataset.from_dict({"a": [1, 2], "b": ["x", "y"]})
    found = tql_frames.query("select *, a * 2 as double", frame=dataset.with_format("numpy"))
    assert found.format["type"] == "numpy"
    assert found[:]["double"].tolist() == [2, 4]
    some = tql_frames.query("select *, a * 2 as double", frame=dataset.with_format("numpy", columns=["a"]))
    assert some.format["columns"] == ["a", "double"]
    assert tql_frames.query("select a, b", frame=dataset.with_format("numpy")).format["type"] == "numpy"


def test_what_is_no_table_of_rows_is_refused_with_the_way_over(datasets: Any) -> None:
    dataset = datasets.Dataset.from_dict({"a": [1]})
    with pytest.raises(TQLError, match=r"got datasets.DatasetDict\n  pass one of its splits"):
        tql_frames.sample(datasets.DatasetDict({"train": dataset}), "a")
    with pytest.raises(TQLError, match=r"got datasets.IterableDataset\n  pass a Dataset"):
        tql_frames.sample(dataset.to_iterable_dataset(), "a")


# --- other libraries -------------------------------------------------------------------------------------------------


def test_a_relation_stays_on_its_connection() -> None:
    table = relation(FRAME)
    found = tql_frames.sample(table, SAMPLER, limit=3, seed=1)
    other = table.project("age, view as other").set_alias("o")
    joined = found.set_alias("f").join(other, "f.age = o.age")
    assert joined.count("*").fetchall()[0][0] == 3
    views = table.query("v", "select view_name from duckdb_views() where not internal").fetchall()
    assert views == [("frame",)]


def test_tables_of_a_connection_are_not_taken_for_the_sample() -> None:
    """DuckDB looks for a name among tables and views before it looks among Python's variables."""
    connection = module("duckdb").connect()
    for name in ("tql_rows", "tql_relation", "found", "rows", "relation", "table"):
        connection.execute(f'create table "{name}" as select -1 as age')
    found = tql_frames.sample(connection.sql("select 71 as age"), "age", limit=2, seed=1)
    assert found.fetchall() == [(0, 71), (0, 71)]


@pytest.mark.parametrize("value", ["interval 1 day", "time '12:00'", "union_value(k := 1)", "timestamp_s '2020-01-01'"])
def test_types_of_duckdb_that_polars_lacks_go_through(value: str) -> None:
    table = module("duckdb").connect().sql(f"select 1 as age, {value} as value")
    found = tql_frames.sample(table, "age", limit=1, index=None)
    assert found.types == table.types
    assert found.fetchall() == table.fetchall()


def test_a_connection_that_cannot_read_the_sample() -> None:
    connection = module("duckdb").connect()
    table = connection.sql("select 71 as age")
    view = tql_frames.view(table, "age", limit=1)
    connection.execute("set python_enable_replacements = false")
    with pytest.raises(TQLError, match=r"connection cannot read the sample: .*\n  enable python_enable"):
        tql_frames.sample(table, "age")
    connection.close()
    with pytest.raises(TQLError, match="connection cannot read the sample"):
        view.to_native()
    with pytest.raises(TQLError, match=r"rows of the \w+\.DuckDBPyRelation cannot be read: .*closed"):
        tql_frames.sample(table, "age")


class Broken:
    """An object whose stream is what is given, or fails with it."""

    def __init__(self, stream: object) -> None:
        self._stream = stream

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        if isinstance(self._stream, Exception):
            raise self._stream
        return self._stream


@pytest.mark.parametrize(
    "stream, message",
    [
        (KeyError("boom"), "Broken cannot be read: 'boom'"),
        (RuntimeError(), "Broken cannot be read: RuntimeError"),
        (5, "Broken cannot be read: 'int' object"),
        (pa.chunked_array([[1]]).__arrow_c_stream__(), r"expected `Struct`.*\n  pass a table with named columns"),
        (
            pa.table([[1], [2]], names=["a", "a"]).__arrow_c_stream__(),
            r"more than one occurrence\n  rename the columns: each needs a name of its own",
        ),
    ],
)
def test_a_stream_that_cannot_be_read_is_one_clear_error(stream: object, message: str) -> None:
    with pytest.raises(TQLError, match=message):
        tql_frames.sample(Broken(stream), "1")


def test_series_are_refused_with_the_way_over() -> None:
    ages = FRAME["age"]
    for series in (ages, ages.to_pandas(), module("narwhals").from_native(ages, series_only=True)):
        with pytest.raises(TQLError, match=r"got \w+\.Series\n  pass series.to_frame\(\)"):
            tql_frames.sample(series, "age")


def test_a_query_of_an_engine_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    class Once(Capsule):
        def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
            runs.append(1)
            return super().__arrow_c_stream__(requested_schema)

    for call in (
        lambda table: tql_frames.sample(table, SAMPLER, seed=1),
        lambda table: tql_frames.sample(table, SAMPLER, seed=1, expected="e"),
        lambda table: tql_frames.view(table, SAMPLER, seed=1).to_polars(),
        lambda table: tql_frames.query("select * where age > 1", frame=table),
        lambda table: tql_frames.split(table, folds=2),
        lambda table: tql_frames.balance(table, "view"),
        lambda table: tql_frames.explain(table, SAMPLER),
        lambda table: tql_frames.weights(table, SAMPLER),
    ):
        runs.clear()
        call(Once(FRAME))
        assert runs == [1]


def test_index_labels_of_narwhals_over_pandas_stay() -> None:
    nw = module("narwhals")
    frame = FRAME.to_pandas().set_index(pd.Index(list("uvwxyz")))
    found = tql_frames.sample(nw.from_native(frame), "age", limit=4, seed=2)
    wanted = frame.tql.sample("age", limit=4, seed=2)
    pd.testing.assert_frame_equal(found.to_native(), wanted)
    weights = tql_frames.weights(nw.from_native(frame), "age")
    assert weights.to_native().index.to_list() == list("uvwxyz")


@pytest.mark.parametrize("version", ["narwhals", "narwhals.stable.v1", "narwhals.stable.v2"])
def test_a_stable_version_of_narwhals_stays_the_one_it_is(version: str) -> None:
    nw = module(version)
    for native in (FRAME, FRAME.lazy(), FRAME.to_pandas()):
        frame = nw.from_native(native)
        assert type(tql_frames.sample(frame, "age", limit=2, seed=1)) is type(frame)
        assert type(tql_frames.view(frame, "age", limit=2, seed=1).to_native()) is type(frame)
    weights = tql_frames.weights(nw.from_native(FRAME), "age")
    assert type(weights) is nw.Series


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pl.Series("a", [1]), r"got polars.Series\n  pass series.to_frame"),
        (pd.Series([1]), r"got pandas.Series\n  pass series.to_frame"),
        (pa.chunked_array([[1]]), r"the rows of the pyarrow.ChunkedArray cannot be read"),
        (pa.array([1]), r"another table of Arrow columns, got pyarrow.Int64Array"),
        (np.ones((2, 2)), r"got numpy.ndarray\n  pass pl.DataFrame\(array\)"),
        ({"a": [1]}, r"got dict\n  pass pl.DataFrame\(columns\)"),
        ("table.parquet", r"got str\n  read the file first"),
        (7, r"got int$"),
    ],
)
def test_what_is_no_table_is_refused_by_name(table: Any, message: str) -> None:
    with pytest.raises(TQLError, match=message):
        tql_frames.sample(table, "a")


def test_an_error_of_the_other_library_is_told() -> None:
    class Broken:
        def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
            raise RuntimeError("the connection is closed")

    with pytest.raises(TQLError, match=r"the rows of the tests.Broken cannot be read: .*the connection is closed"):
        tql_frames.sample(Broken(), "a")


@pytest.mark.parametrize("make", [lambda frame: frame.to_arrow(), Capsule])
def test_ignore_index_is_refused(make: Callable[[pl.DataFrame], Any]) -> None:
    with pytest.raises(TQLError, match="ignore_index= is for pandas frames"):
        tql_frames.sample(make(FRAME), "age", ignore_index=True)


def test_a_view_of_a_table_is_pickled_and_saved(tmp_path: Any) -> None:
    view = tql_frames.view(FRAME.to_arrow(), SAMPLER, limit=4, seed=1)
    assert pickle.loads(pickle.dumps(view)).to_native().equals(view.to_native())
    view.save(tmp_path / "v.parquet")
    for frame in (FRAME.to_arrow(), FRAME, FRAME.lazy(), FRAME.to_pandas(), Capsule(FRAME)):
        assert tql_frames.load_view(tmp_path / "v.parquet", frame).positions.tolist() == view.positions.tolist()


# --- out of views ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["Polars", "pandas", "plan"])
def view(request: pytest.FixtureRequest) -> Any:
    frames = {"Polars": FRAME, "pandas": FRAME.to_pandas(), "plan": FRAME.lazy()}
    return frames[request.param].tql.view("age", limit=6, seed=3)


def test_pandas_and_arrow_read_views(view: Any) -> None:
    assert (
        pd.DataFrame(view)["age"].to_list()
        == pa.table(view).column("age").to_pylist()
        == view.to_polars()["age"].to_list()
    )


def test_narwhals_reads_views(view: Any) -> None:
    nw = module("narwhals")
    found = nw.from_native(view, eager_only=True)
    assert found["age"].to_list() == view.to_polars()["age"].to_list()
    assert nw.to_native(found).shape[0] == 6
    assert nw.from_native(view).filter(nw.col("age") > 60).shape[0] == (view.to_polars()["age"] > 60).sum()


@pytest.mark.filterwarnings("ignore:The .future.infer_string")  # which Ibis sets
def test_duckdb_and_ibis_read_views(view: Any) -> None:
    duckdb = module("duckdb")
    assert duckdb.sql("select sum(age) from view").fetchall() == [(view.to_polars()["age"].sum(),)]
    assert module("ibis").memtable(view).count().execute() == 6


@pytest.mark.parametrize("make", [lambda frame: frame, lambda frame: frame.to_pandas(), lambda frame: frame.lazy()])
def test_tables_for_people_read_views(make: Callable[[pl.DataFrame], Any]) -> None:
    great_tables, skrub = module("great_tables"), module("skrub")
    view = make(FRAME.drop("findings")).tql.view("age", limit=6, seed=3)
    assert "AP" in great_tables.GT(view, rowname_col="view").as_raw_html()
    assert great_tables.GT(view).fmt_number("age")._tbl_data.shape[0] == 6
    report = skrub.TableReport(view, verbose=0)
    assert "score" in report.html()
    assert report.n_columns == (3 if isinstance(view.source, pd.DataFrame) else 4)


@pytest.mark.parametrize("order", ["tql_frames, great_tables, skrub", "great_tables, skrub, tql_frames"])
def test_they_know_views_whichever_is_imported_first(order: str) -> None:
    for library in ("great_tables", "skrub"):
        module(library)
    program = f"""
import {order}
import polars as pl
view = pl.DataFrame({{"age": [71, 34]}}).tql.view("age", 3, seed=1)
print("<table" in great_tables.GT(view).as_raw_html(), skrub.TableReport(view, verbose=0).n_columns)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=100)
    assert done.stdout.endswith("True 2\n"), done.stderr


@pytest.mark.parametrize("first", ["ours", "the other"])
def test_imports_are_seen_beside_a_finder_that_asks_all_others(
    first: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Asking(MetaPathFinder):
        """As tools do that count lines or trace calls: it takes the answer of any other finder."""

        def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
            others = [each for each in sys.meta_path if each is not self]
            return next((spec for each in others if (spec := each.find_spec(fullname, path, target))), None)

    (tmp_path / "seen_beside_others.py").write_text("answer = 42")
    monkeypatch.syspath_prepend(tmp_path)
    own = [each for each in sys.meta_path if isinstance(each, type)]  # Python's, without those of tools that run now
    monkeypatch.setattr(sys, "meta_path", [*([Asking()] if first == "ours" else []), *own])
    told: list[int] = []
    when_imported("seen_beside_others", lambda: told.append(import_module("seen_beside_others").answer))
    if first == "the other":
        sys.meta_path.insert(0, Asking())
    assert import_module("seen_beside_others").answer == 42
    assert told and set(told) == {42}
    sys.modules.pop("seen_beside_others")


def test_a_library_that_changed_inside_refuses_views_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "import_module", lambda name: object())
    for library in ("great_tables", "skrub"):
        readers.teach(library)
