"""The figures of README and guides are those of the report, and the peers are called in their best way."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks import pages
from benchmarks.cases import cases
from benchmarks.contestants.numpy import by_hand, choice, positions, positions_without
from benchmarks.jobs import Job
from benchmarks.worker import contestant
from tests.pages import GUIDES, ROOT

REPORT = pages.read(pages.recorded())
ROWS = 20_000


@pytest.mark.fault("H3")
@pytest.mark.parametrize(("page", "name"), list(pages.TABLES))
def test_tables_of_pages_are_those_of_the_report(page: str, name: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert pages.written(text, name, pages.TABLES[page, name](REPORT)) == text, "run `python -m benchmarks.pages`"


def test_the_report_ends_with_what_was_tried() -> None:
    assert pages.REPORT.read_text("utf-8").endswith(f"\n\n{pages.TRIED.read_text('utf-8')}")


@pytest.mark.fault("H3")
def test_every_line_that_pages_show_is_an_entry_of_the_benchmarks() -> None:
    names = {case.key: [entry.name for entry in case.entries] for case in cases(ROWS)}
    assert len(pages.SUMMARY) == 6
    assert {line[1:] for line in pages.SUMMARY} <= {line[1:] for line in pages.SPEED}
    for _, key, peer, _ in pages.SPEED:
        assert key in ("dask", "spark") or peer in names[key], peer
    for key in ("loader", "loader-workers"):
        assert set(pages.BATCHES.values()) == set(names[key])
    assert set(pages.EPOCHS.values()) == set(names["epoch"])


@pytest.mark.fault("H3")
def test_missed_targets_are_shown_as_missed() -> None:
    head = "### A draw (`draw`)\n\n|  | median | ours is | target | met |\n|--|--|--|--|--|\n"
    lines = "| ours | 2 s |  |  |  |\n| NumPy: `Generator.choice(p=p)` | 1 s | 2.00 × its time | at most 1 | **no** |\n"
    machine = "* CPU: one\n* memory: 1 GiB\n* system: any\n* Python: 3\n* commit: abc\n* libraries: none\n\n"
    shown = pages.speed(pages.read(machine + head + lines))
    assert "| draw alone, with replacement | 2 s | NumPy: `Generator.choice(p=p)` | 1 s | 2.00 × its time |" in shown
    assert "| **no** |" in shown and "commit abc" in shown
    pair = pages.read(head + lines).pair("draw", "NumPy: `Generator.choice(p=p)`")
    assert pair is not None and pair.ratio == "2.00 × its time, **missed**"
    found = pages.read(pages.recorded())
    missed = sum("**missed**" in line for line in pages.summary(found).splitlines())
    assert missed == sum(
        pair is not None and "**missed**" in pair.ratio
        for pair in (found.pair(key, peer, ours) for _, key, peer, ours in pages.SUMMARY)
    )


@pytest.mark.fault("H3")
def test_tables_with_figures_of_time_stand_between_marks() -> None:
    time = re.compile(r"^\|.*\| [\d.]+ (?:s|ms|µs) \|", re.MULTILINE)
    for name in ["README.md", *GUIDES]:
        if ROOT / name not in (pages.REPORT, pages.LARGE_REPORT):
            text = (ROOT / name).read_text("utf-8")
            rest = re.sub(r"<!-- benchmarks: .*?<!-- end of benchmarks -->", "", text, flags=re.DOTALL)
            assert not time.findall(rest), name


def the_command() -> ModuleType:
    pytest.importorskip("psutil", reason="psutil, of the dependency group bench, is not installed")
    return import_module("benchmarks.__main__")


@pytest.mark.fault("H3")
@pytest.mark.parametrize("option", [["--rows", "1000"], ["--rounds", "1"], ["--cases", "draw", "--rows", "9"]])
def test_a_record_has_the_standard_size(
    option: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = the_command()
    monkeypatch.setattr("sys.argv", ["benchmarks", "--record", *option])
    with pytest.raises(SystemExit):
        command.main()
    assert "a recorded run has the standard size" in capsys.readouterr().err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that a recorded run writes, which it writes instead."""
    (tmp_path / "docs").mkdir()
    files = [ROOT / page for page, _ in pages.TABLES]
    for file in (*files, pages.REPORT, pages.LARGE_REPORT):
        (tmp_path / file.relative_to(ROOT)).write_bytes(file.read_bytes())
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "REPORT", tmp_path / "docs" / pages.REPORT.name)
    monkeypatch.setattr(pages, "LARGE_REPORT", tmp_path / "docs" / pages.LARGE_REPORT.name)
    return tmp_path


def test_a_report_of_two_pages_is_read_as_it_was_written(folder: Path) -> None:
    before = [file.read_bytes() for file in (pages.REPORT, pages.LARGE_REPORT)]
    whole = pages.recorded()
    pages.record(whole)
    assert [file.read_bytes() for file in (pages.REPORT, pages.LARGE_REPORT)] == before
    assert list(pages.read(whole).sections)[-5:] == ["memory", "large", "dask", "spark", "plan"]
    assert not {"memory", "plan"} & set(pages.read(before[0].decode()).sections)


@pytest.mark.fault("H3")
def test_a_recorded_run_writes_report_and_pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = the_command()
    section = "### X (`polars`)\n\n|  | median | ours is |\n|--|--|--|\n| ours | 5 ms |  |\n"
    section += f"| {pages.SPEED[0][2]} | 6 ms | 1.20 × faster |\n"
    monkeypatch.setattr(command, "_sections", lambda *_: iter([("polars", section, [])]))
    monkeypatch.setattr("sys.argv", ["benchmarks", "--record"])
    command.main()
    report = (folder / "docs" / "benchmarks.md").read_text("utf-8")
    assert report.startswith(pages.INTRODUCTION) and section in report
    for name in ("README.md", "docs/speed.md"):
        text = (folder / name).read_text("utf-8")
        assert "1.20 × faster" in text and "20 million rows" not in text.split("<!-- end")[0], name


@pytest.mark.fault("H3")
def test_a_case_measured_again_shows_what_it_was_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = the_command()
    whole = pages.recorded()
    for time, ratio in (("5 ms", "1.20 × faster"), ("7 ms", "1.17 × its time")):
        section = f"### X (`polars`)\n\n|  | median | ours is |\n|--|--|--|\n| ours | {time} |  |\n"
        section += f"| {pages.SPEED[0][2]} | 6 ms | {ratio} |\n"
        monkeypatch.setattr(command, "_sections", lambda *_, section=section: iter([("polars", section, [])]))
        monkeypatch.setattr("sys.argv", ["benchmarks", "--record", "--cases", "polars"])
        command.main()
    again = pages.recorded()
    found, old = pages.read(again).sections, pages.read(whole).sections
    assert found.pop("polars")[1]["ours is"] == "1.17 × its time"
    line = old.pop("polars")[1]
    assert found == old
    first, second = re.findall(r"^\* Measured again .*", again.split("(`polars`)")[1].split("\n##")[0], re.MULTILINE)[
        -2:
    ]
    assert line["ours is"] in first and line["min … max"] in first
    assert "ours (median 5 ms); " in second and "ours is 1.20 × faster" in second
    assert "1.17 × its time" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "head"),
    [
        ("polars", "median"),
        ("memory", "beyond frame and result"),
        ("large", "time"),
        ("large", "ours is"),
        ("plan", "draw"),
    ],
)
def test_a_case_of_any_table_can_be_measured_again(key: str, head: str) -> None:
    whole = pages.recorded()
    section = re.findall(rf"^### [^\n]*\(`{key}`\)\n.*?\n(?=##)", whole, flags=re.MULTILINE | re.DOTALL)[0]
    again = pages.renewed(whole, key, section, "abc1234")
    note = next(line for line in again.splitlines() if "abc1234" in line)
    lines = pages.read(whole).sections
    assert pages.read(again).sections == lines
    for line in lines[key]:
        assert f"{line['']} (" in note and f"{head} {line[head]}" in note


# --- the peers -------------------------------------------------------------------------------------------------------


@pytest.mark.fault("H12")
@pytest.mark.parametrize("draw", [positions, positions_without])
def test_numpy_by_hand_draws_by_weight_in_random_order(draw: object) -> None:
    weights = np.array([0.0, 1.0, 2.0, 5.0])
    found = np.array([draw(weights, 2, np.random.default_rng(seed)) for seed in range(20_000)])  # type: ignore[operator]
    first = np.bincount(found[:, 0], minlength=4) / len(found)
    second = np.bincount(found[:, 1], minlength=4) / len(found)
    shares = weights / weights.sum()
    expected = shares
    if draw is positions_without:  # the second of successive sampling
        expected = np.array(
            [sum(shares[j] * shares[i] / (1 - shares[j]) for j in range(4) if j != i) for i in range(4)]
        )
    assert abs(first - shares).max() < 0.02  # 6 standard errors of 0.0035
    assert abs(second - expected).max() < 0.02


@pytest.mark.fault("H12")
def test_numpy_by_hand_stands_beside_choice_wherever_choice_does() -> None:
    for case in cases(ROWS):
        makers = [entry.maker for entry in case.entries]
        assert ("numpy:choice" in makers) == ("numpy:by_hand" in makers)
    assert choice(Job("labels", 100, 10)).run(1).shape == by_hand(Job("labels", 100, 10)).run(1).shape == (10,)


@pytest.mark.fault("H10")
def test_imbalanced_learn_resamples_positions_alone() -> None:
    pytest.importorskip("imblearn", reason="imbalanced-learn is not installed")
    ready = contestant("imblearn:random_over_sampler", Job("labels", ROWS, ROWS))
    result = ready.run(3)
    assert ready.fault(result) is None
    assert list(result.columns) == ["label", "value", "row"]
    assert ready.fault(result.assign(label=0)) == "rows of other labels"


@pytest.mark.fault("H2")
@pytest.mark.parametrize("name", ["loader_in_bulk", "loader_of_matrix_in_bulk"])
@pytest.mark.parametrize("workers", ["", "_with_workers"])
def test_the_loader_of_pytorch_reads_in_bulk(name: str, workers: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    maker = f"torch:{name}{workers}"
    assert any(maker == entry.maker and entry.target for case in cases(ROWS) for entry in case.entries)
    if workers:
        return
    ready = contestant(maker, Job("labels", ROWS, 2_560))
    found = ready.run(3)
    assert len(found) == 10 and all(isinstance(each, torch.Tensor) and len(each) == 256 for each in found)
    assert ready.fault(found) is None


@pytest.mark.fault("H2")
def test_the_loaders_that_pages_compare_include_those_in_bulk() -> None:
    assert {key for _, key, peer, _ in pages.SPEED if "in bulk" in peer} == {"loader", "loader-workers"}
    assert sum("bulk" in name for name in pages.BATCHES.values()) == 2
