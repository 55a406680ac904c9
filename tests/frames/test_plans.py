"""What a statement makes of a LazyFrame: nothing runs before `collect`, and no more is read than must be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tql_frames
from tests.answers import KINDS, ask, columns
from tests.sizes import named, paired

TABLE = pl.DataFrame({name: [(row * (place + 3)) % 97 for row in range(500)] for place, name in enumerate("abcdefgh")})

STATEMENTS = [
    "select *",
    "select a + 1 as x where b > 1 order by c desc limit 3 offset 1",
    "select * where a > 5 expand by 1 1",
    "select * where a > 5 expand by 1 1 overlap true",
    "select a group by b",
    "select a from (select * group by b) ungroup by split",
    "select a from (select * group by b) ungroup by 2",
    "select distinct a",
    "select random() as r, row_number() as n limit 50 percent",
    "select data(a, 3) as x",
    "select * sample by a",
    "select * sample by max_weight(a > 5: 2, true: 1) replace false limit 10",
    "select * from (select * sample by a limit 9) where b > 1 sample by c limit 3",
    "(select a) union (select a)",
    "(select a) except (select a where b > 1) order by a",
]


class Probe:
    """Counts the runs of a plan."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.runs = 0
        self.plan = frame.lazy().map_batches(self._counted, projection_pushdown=False)

    def _counted(self, frame: pl.DataFrame) -> pl.DataFrame:
        self.runs += 1
        return frame


@pytest.mark.parametrize("text", STATEMENTS)
def test_nothing_runs_before_collect(text: str) -> None:
    probe = Probe(TABLE)
    found = probe.plan.tql.query(text, seed=1)
    assert isinstance(found, pl.LazyFrame)
    found.collect_schema()
    found.explain()
    later = found.filter(pl.lit(True)).select(pl.all())
    assert probe.runs == 0
    assert columns(later.collect()) == columns(TABLE.tql.query(text, seed=1))
    assert probe.runs > 0


def test_nothing_runs_before_collect_of_several_frames() -> None:
    probes = {"x": Probe(TABLE), "y": Probe(TABLE.head(3))}
    plans = {name: probe.plan for name, probe in probes.items()}
    found = tql_frames.query("select x.a from x join y using (b) sample by x.c + 1 limit 4", **plans)
    assert [probe.runs for probe in probes.values()] == [0, 0]
    assert found.collect().height == 4
    assert all(probe.runs for probe in probes.values())


def test_the_schema_is_known_before() -> None:
    for text in STATEMENTS:
        found = TABLE.lazy().tql.query(text, seed=1)
        assert found.collect_schema() == found.collect().schema == TABLE.tql.query(text, seed=1).schema


def test_a_plan_can_be_collected_again() -> None:
    for text in STATEMENTS:
        found = TABLE.lazy().tql.query(text)
        assert columns(found.collect()) == columns(found.collect()), text


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> pl.LazyFrame:
    path: Path = tmp_path_factory.mktemp("plans") / "table.parquet"
    TABLE.write_parquet(path, row_group_size=64)
    return pl.scan_parquet(path)


def read(plan: pl.LazyFrame) -> tuple[int, str | None]:
    """How many columns a plan reads of its only scan, and by which columns it filters while it reads."""
    text = plan.explain()
    if "PYTHON SCAN" in text:  # a sample of files: what it reads for the rows that were drawn
        text = second_pass_of(plan)
    projects = re.findall(r"PROJECT (\d+|\*)/(\d+) COLUMNS", text)
    assert len(projects) == 1, text
    read, there = projects[0]
    selections = re.findall(r"SELECTION: (.*)", text)
    by = "".join(sorted(set(re.findall(r'col\("(\w+)"\)', selections[0])))) if selections else None
    return int(there if read == "*" else read), by


def second_pass_of(plan: pl.LazyFrame) -> str:
    """The plan by which a sample of files takes the rows that were drawn."""
    plans = []
    batches = pl.LazyFrame.collect_batches

    def noted(self: pl.LazyFrame, **options: Any) -> Any:
        plans.append(self.explain())
        return batches(self, **options)

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(pl.LazyFrame, "collect_batches", noted)
        plan.collect()
    (text,) = plans
    return text


# A statement, the columns that must be read of 8, and those that the scan itself filters by.
READS: list[tuple[str, int, str | None]] = [
    ("select *", 8, None),
    ("select a", 1, None),
    ("select a + b as x", 2, None),
    ("select * where a > 5", 8, "a"),
    ("select a where b > 5", 2, "b"),
    ("select a where b > 5 and c = 1", 3, "bc"),
    ("select a where b > 5 order by c", 3, "b"),
    ("select a where b > 5 group by c", 3, "b"),
    ("select distinct a where b > 5", 2, "b"),
    ("select a from (select * where b > 5) where c > 5", 3, "bc"),
    ("select a from (select a, b, c, d) where b > 5", 2, "b"),
    ("select x from (select *, a + b as x) where c > 5", 3, "c"),
    ("select a where b > 5 expand by 1 1", 2, None),  # the rows around a match are needed
    ("select a from (select * order by c) where b > 5", 3, "b"),
    # a draw sees the columns of its sampler and of the SELECT list
    ("select a sample by b", 2, None),
    ("select a sample by max_weight(b > 1: c, d > 2: 1)", 4, None),
    ("select a where b > 5 sample by c limit 3", 3, "b"),
    ("select a from (select * where b > 5) sample by c limit 3", 3, "b"),
    ("select a, random() as r sample by 1", 1, None),
    # what comes after a draw is of the sample
    ("select a from (select a, b sample by c limit 9) where b > 5", 3, None),
    ("select a from (select a, b where d > 5 sample by c limit 9) where b > 5", 4, "d"),
    ("select a from (select a, b where d > 5 sample by c limit 9) sample by b limit 2", 4, "d"),
]


@pytest.mark.parametrize(("wanted", "index"), paired(READS, [None, "index"]), ids=named)
def test_no_more_is_read_than_must_be(
    wanted: tuple[str, int, str | None], index: str | None, scan: pl.LazyFrame
) -> None:
    text, count, by = wanted
    plan = scan.tql.query(text, seed=1, index=index)
    number, selected = read(plan)
    assert number == count, plan.explain()
    if index is None:  # row numbers are counted before a filter: whether it reaches the scan is for Polars to say
        assert selected == by, plan.explain()
    expected = columns(TABLE.tql.query(text, seed=1, index=index))
    assert columns(plan.collect()) == expected
    assert columns(plan.collect(engine="streaming")) == expected


def test_a_filter_reaches_the_scan_beside_row_numbers(tmp_path: Path) -> None:
    """Polars puts row numbers, and the filter behind them, into a scan only while nobody asked it for its schema."""
    TABLE.write_parquet(tmp_path / "table.parquet")
    fresh = pl.scan_parquet(tmp_path / "table.parquet")
    for _ in range(2):
        text = fresh.tql.query("select a where b > 5").explain()
        assert "SELECTION" in text and "ROW_INDEX" in text, text


def test_a_limit_reaches_the_scan(scan: pl.LazyFrame) -> None:
    text = scan.tql.query("select * limit 5 offset 2", index=None).explain()
    assert re.search(r"SLICE: .*offset: 2.*5", text), text


def test_a_filter_after_a_draw_is_of_the_sample(scan: pl.LazyFrame) -> None:
    """Also one that Polars knows of, which it would push into the population if it could."""
    for base in (scan, TABLE.lazy()):
        drawn = base.tql.query("select a, b sample by c limit 200", seed=1)
        everything = drawn.collect()
        expected = everything.filter(pl.col("b") > 40)
        assert 0 < expected.height < 200
        for later in (
            drawn.filter(pl.col("b") > 40),
            drawn.filter(pl.col("b") > 40).select("index", "a", "b"),
        ):
            assert later.collect().equals(expected)
            assert later.collect(engine="streaming").equals(expected)
        assert drawn.head(7).collect().equals(everything.head(7))
        assert drawn.slice(5, 3).collect().equals(everything.slice(5, 3))
        assert drawn.select("a").collect().equals(everything.select("a"))
        assert drawn.select(pl.len()).collect().item() == 200


def test_what_comes_after_random_numbers_does_not_change_them() -> None:
    base = TABLE.lazy().tql.query("select a, random() as r, row_number() as n", seed=1)
    everything = base.collect()
    kept = everything.filter(pl.col("a") > 40)
    for engine in ("in-memory", "streaming"):
        assert base.filter(pl.col("a") > 40).collect(engine=engine).equals(kept)  # type: ignore[call-overload]
        assert base.tail(5).collect(engine=engine).equals(everything.tail(5))  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_many_files(tmp_path: Path, kind: str, engine: Any) -> None:
    """Row numbers and draws run through several files as through one table."""
    for part, start in enumerate(range(0, 500, 130)):
        TABLE[start : start + 130].write_parquet(tmp_path / f"{part}.parquet", row_group_size=50)
    plan = pl.scan_parquet(tmp_path / "*.parquet")
    for text in ("select a where b > 50", "select a sample by b limit 40", "select a where b > 9 sample by c limit 7"):
        found = plan.tql.query(text, seed=3).collect(engine=engine)
        assert columns(found) == columns(ask(kind, TABLE, text, seed=3))
