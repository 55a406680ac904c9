"""The benchmarks ask everyone for the same and find who does something else; how fast anyone is, is not tested.

Only contestants that the dependency group `test` installs.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks import checks, large, report, rounds, tables, worker
from benchmarks.cases import Case, cases
from benchmarks.jobs import Contestant, Entry, Job, Target
from benchmarks.worker import contestant, timed
from tests.sizes import size

ROWS = 20_000
MEETINGS = {
    f"{case.key}, {entry.maker}": (entry, case.job)
    for case in cases(size(6_000, ROWS))
    if case.job is not None
    for entry in case.entries
    if entry.needs in (None, "duckdb")
}
REFUSED = "whole-without, pandas:weighted"  # pandas 3 refuses weights so skewed


@pytest.mark.parametrize("meeting", [name for name in MEETINGS if name != REFUSED])
def test_a_contestant_runs_and_is_right(meeting):
    entry, job = MEETINGS[meeting]
    ready = contestant(entry.maker, job)
    _, result = timed(ready, Job(job.table, job.rows, job.draws, job.replace), seed=1)
    assert ready.fault(result) is None


@pytest.mark.fault("I")
def test_a_time_is_that_of_one_call_of_several_and_each_call_has_its_seed(monkeypatch):
    clock, seeds = iter([100.0, 106.0]), []
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(clock))
    ready = Contestant(run=lambda seed: seeds.append(seed) or seed, fault=lambda result: None, holds=())
    assert timed(ready, Job("labels", ROWS, ROWS, calls=3), seed=5) == (2.0, 17)
    assert seeds == [15, 16, 17]


def test_all_cases_have_ours_first_and_a_key_of_their_own():
    found = cases(ROWS)
    assert len({case.key for case in found}) == len(found)
    assert all(
        case.entries[0].maker.startswith(("ours", "tql_frames", "groups:ours", "designs:ours")) for case in found
    )
    assert all(case.entries[0].target is None for case in found)


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("table", ["labels", "weights"])
def test_the_check_passes_a_fair_sample_and_finds_one_that_ignores_weights(table, replace):
    job = Job(table, ROWS, ROWS // 10, replace)
    population = tables.population(job)
    generator = np.random.default_rng(5)

    def sampled(weights):
        return generator.choice(ROWS, job.draws, replace=replace, p=weights / weights.sum())

    fair = tables.row_weights(job)
    assert checks.fault(population, job, sampled(fair)) is None
    ignored = (fair > 0).astype(float)
    assert "expected" in checks.fault(population, job, sampled(ignored))
    assert "weight 0" in checks.fault(population, job, sampled(fair + 0.5))


def test_the_check_finds_wrong_rows():
    job = Job("labels", ROWS, ROWS // 10, replace=False)
    population = tables.population(job)
    fair = tables.row_weights(job)
    rows = np.random.default_rng(5).choice(ROWS, job.draws, replace=False, p=fair / fair.sum())
    assert checks.fault(population, job, rows) is None
    assert checks.fault(population, job, rows[1:]) == "1,999 rows instead of 2,000"
    assert checks.fault(population, job, np.r_[rows[1:], rows[1]]) == "rows drawn twice"
    assert checks.fault(population, job, np.r_[rows[1:], ROWS]) == "rows that are not in the table"


def test_expected_rows_without_replacement_sum_to_the_draws():
    job = Job("labels", ROWS, ROWS // 10, replace=False)
    expected, errors = checks.expectation(tables.population(job), job)
    assert expected.sum() == pytest.approx(job.draws, rel=1e-6)
    assert (errors[expected > 0] > 0).all() and expected[10] == 0


def test_rounds_are_run_in_processes_and_faults_are_told():
    job = Job("labels", ROWS, ROWS)
    entries = (
        Entry("ours", "ours:positions"),
        Entry("peer", "numpy:choice", target=Target(faster=1)),
        Entry("broken", "numpy:no_such_function"),
        Entry("absent", "numpy:choice", needs="no_such_module"),
    )
    said: list[str] = []
    found = rounds.measure(entries, job, 2, said.append)
    assert [len(each.seconds) for each in found] == [6, 6, 0, 0]  # of quick calls, three times the rounds
    assert found[2].fault.startswith("raises AttributeError")
    assert found[3].fault == "not installed"
    text = report.section(Case("key", "Title", job, entries), found)
    assert "### Title (`key`)" in text
    assert "| absent | not installed |" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


@pytest.mark.parametrize(("value", "text"), [(12.345, "12.3 s"), (0.0999, "99.9 ms"), (4.2e-6, "4.20 µs")])
def test_times_are_written_in_three_digits(value, text):
    assert report.seconds(value) == text


def test_targets_are_judged_by_the_ratio():
    assert Target(at_most=3).met(2.9) and not Target(at_most=3).met(3.1)
    assert Target(faster=25).met(1 / 26) and not Target(faster=25).met(1 / 24)
    assert report.ratio(0.5) == "2.00 × faster" and report.ratio(1.5) == "1.50 × its time"


@pytest.mark.parametrize("case", large.CASES, ids=lambda case: case.key)
def test_bare_passes_move_as_many_rows_as_a_sample(case, tmp_path):
    file, out, rows = tmp_path / "rows.parquet", tmp_path / "out.parquet", 20_000
    large.make(file, rows)
    held = large.bare(pl.scan_parquet([file] * case.times), case, out)
    moved = pl.scan_parquet(out).select(pl.len()).collect().item() if case.sunk else held.height
    assert moved == pytest.approx(case.fraction * rows * case.times, rel=0.1)
