"""The PyTorch sampler and data sets in one process: what is drawn for which epoch, where it goes on, what rows become.

Loaders with workers, and several processes that train together, are in `test_torch_processes`.
"""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.utils.data import DataLoader  # noqa: E402

import tql_frames  # noqa: E402
from tests.torch_programs import DRAWS, ROWS, WEIGHTS, dataset, same, table  # noqa: E402
from tql_frames import TQLError, TQLNameError, TQLWarning, WeightError  # noqa: E402
from tql_frames.torch import TQLDataset, TQLSampler  # noqa: E402

FRAME = table()
# What Python 3.12 and newer say of forks beside threads, which Polars has: that workers do not hang is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def sampled(frame: pl.DataFrame, **options: object) -> list[int]:
    return frame.tql.sample(WEIGHTS, **options)["index"].to_list()


# --- what is drawn ---------------------------------------------------------------------------------------------------


def test_an_epoch_is_a_sample_with_a_seed_of_its_own():
    sampler = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, seed=3)
    epochs = [list(sampler) for _ in range(3)]
    assert epochs[0] == sampled(FRAME, limit=DRAWS, seed=3)
    assert epochs == [sampled(FRAME, limit=DRAWS, seed=sampler.seed_of(epoch)) for epoch in range(3)]
    assert epochs == [sampler.draw(epoch).tolist() for epoch in range(3)]
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert all(isinstance(position, int) for position in epochs[0])


def test_without_replacement_rows_are_those_of_a_sample_in_random_order():
    sampler = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, replace=False, seed=3)
    weights = FRAME.tql.weights(WEIGHTS).to_numpy()
    for epoch in range(2):
        drawn = sampled(FRAME, limit=DRAWS, replace=False, seed=sampler.seed_of(epoch))
        given = list(sampler)
        assert sorted(given) == sorted(drawn)
        # Mean weights of both halves: as drawn, the first is far heavier; in random order they differ by less than 4
        # standard errors (a fixed seed; the chance of a false alarm was 6e-5).
        halves = np.array_split(weights[given], 2)
        error = weights[given].std() * np.sqrt(2 / (DRAWS / 2))
        assert abs(halves[0].mean() - halves[1].mean()) < 4 * error
        halves = np.array_split(weights[drawn], 2)
        assert halves[0].mean() - halves[1].mean() > 4 * error


def test_by_default_as_many_rows_as_the_frame_has():
    sampler = TQLSampler(FRAME, WEIGHTS)
    assert len(sampler) == len(list(sampler)) == ROWS
    assert list(TQLSampler(FRAME, WEIGHTS)) == sampled(FRAME, seed=0)


@pytest.mark.parametrize("kind", ["pandas", "lazy", "view", "lazy view"])
def test_all_kinds_of_frames_give_the_same_rows(kind, tmp_path):
    FRAME.select("row", "age", "findings").write_parquet(tmp_path / "rows.parquet")
    scan = pl.scan_parquet(tmp_path / "rows.parquet")
    frame = {
        "pandas": FRAME.to_pandas,
        "lazy": lambda: scan,
        "view": lambda: FRAME.tql.view("select *"),
        "lazy view": lambda: scan.tql.view("select *"),
    }[kind]()
    expected = TQLSampler(FRAME, WEIGHTS, limit=100, seed=3)
    assert list(TQLSampler(frame, WEIGHTS, limit=100, seed=3)) == list(expected)


def test_of_a_view_the_positions_are_those_of_its_rows():
    old = FRAME.tql.view("select * where age > 90")
    sampler = TQLSampler(old, "max_weight(contains(findings, 'Hernia'): 1)", limit=50)
    rows = TQLDataset(old, columns=["age", "findings"])
    items = [rows[position] for position in sampler]
    assert all(item["age"] > 90 and "Hernia" in item["findings"] for item in items)


def test_random_weights_are_drawn_anew_for_each_epoch():
    half = "max_weight(random() % 2 = 0: 1)"
    sampler = TQLSampler(FRAME, half, seed=3)
    epochs = [set(sampler) for _ in range(3)]
    for epoch, rows in enumerate(epochs):
        assert rows == set(FRAME.tql.sample(half, seed=sampler.seed_of(epoch))["index"])
    assert len(epochs[0] | epochs[1] | epochs[2]) > 0.8 * ROWS  # two thirds of a half would be all without new weights
    copied = pickle.loads(pickle.dumps(sampler))
    assert list(copied) == list(sampler)


def test_the_number_of_rows_may_differ_by_epoch():
    with pytest.warns(TQLWarning, match="only"):
        sampler = TQLSampler(FRAME, "max_weight(random() % 2 = 0: 1)", replace=False)
        sizes = [(len(sampler), len(list(sampler))) for _ in range(3)]
    assert all(length == found for length, found in sizes)
    assert len(set(sizes)) == 3


def test_a_polars_expression_is_a_sampler():
    sampler = TQLSampler(FRAME, pl.col("age") ** 2, limit=50, seed=1)
    assert list(sampler) == FRAME.tql.sample(pl.col("age") ** 2, limit=50, seed=1)["index"].to_list()


def test_fewer_rows_than_were_asked_for_are_warned_of_once(recwarn):
    with pytest.warns(TQLWarning, match=f"{ROWS:,} rows were asked for"):
        sampler = TQLSampler(FRAME, "max_weight(age > 90: 1)", replace=False)
    assert len(sampler) == len(list(sampler)) == (FRAME["age"] > 90).sum()


def test_an_empty_frame_has_no_positions():
    sampler = TQLSampler(FRAME.clear(), WEIGHTS)
    assert len(sampler) == 0 and list(sampler) == []


# --- epochs and resuming ---------------------------------------------------------------------------------------------


def test_each_iteration_is_the_next_epoch_unless_it_is_said():
    sampler = TQLSampler(FRAME, WEIGHTS, limit=20)
    expected = [sampler.draw(epoch).tolist() for epoch in range(6)]
    assert list(islice(sampler, 5)) == expected[0][:5]  # also one that is broken off
    assert list(sampler) == expected[1]
    sampler.set_epoch(np.int64(5))
    assert sampler.epoch == 5
    assert list(sampler) == expected[5]
    sampler.set_epoch(0)
    assert list(sampler) == expected[0]
    iter(sampler)  # one that nothing is asked of
    assert list(sampler) == expected[1]


@pytest.mark.parametrize("taken", [0, 1, 64, 1_500, DRAWS])
def test_an_epoch_goes_on_where_it_stopped(taken):
    sampler = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, seed=3)
    sampler.set_epoch(2)
    first = list(islice(sampler, taken))
    state = json.loads(json.dumps(sampler.state_dict()))
    other = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, seed=3)
    other.load_state_dict(state)
    other.set_epoch(2 if taken else other.epoch)  # as Lightning does, and as loops over epochs do
    assert first + list(other) == sampler.draw(2).tolist() if taken else list(other) == sampler.draw(2).tolist()
    assert list(other) == sampler.draw(3).tolist()


def test_another_epoch_begins_at_its_start():
    sampler = TQLSampler(FRAME, WEIGHTS, limit=20)
    sampler.load_state_dict(sampler.state_dict() | {"epoch": 1, "done": 7})
    sampler.set_epoch(2)
    assert list(sampler) == sampler.draw(2).tolist()


def test_a_state_at_the_end_has_an_empty_rest():
    sampler = TQLSampler(FRAME, WEIGHTS, limit=20)
    assert len(list(sampler)) == 20
    sampler.load_state_dict(sampler.state_dict())
    assert list(sampler) == []
    assert list(sampler) == sampler.draw(1).tolist()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [0, 7, 23, 24])
def test_batches_seen_are_enough_to_resume(workers, stop):
    options = {"batch_size": 64, "num_workers": workers, "timeout": 60 if workers else 0}
    sampler = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, seed=3)
    rows = dataset(FRAME)
    expected = list(DataLoader(rows, sampler=sampler.draw(1).tolist(), batch_size=64))
    sampler.set_epoch(1)
    loader = iter(DataLoader(rows, sampler=sampler, **options))
    assert same(list(islice(loader, stop)), expected[:stop])
    state = sampler.state_dict(seen=stop * 64)
    del loader
    resumed = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, seed=3)
    resumed.load_state_dict(state)
    resumed.set_epoch(1)
    assert same(list(DataLoader(rows, sampler=resumed, **options)), expected[stop:])


STATEFUL = pytest.mark.filterwarnings("ignore:'set_vital' is deprecated")  # torchdata 0.11 with PyTorch 2.13


@STATEFUL
@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [0, 1, 7, 24])
def test_a_stateful_loader_resumes(workers, stop, every):
    torchdata = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")

    def loader() -> object:
        sampler = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, seed=3)
        return torchdata.StatefulDataLoader(
            dataset(FRAME),
            batch_size=64,
            sampler=sampler,
            num_workers=workers,
            snapshot_every_n_steps=every,
            timeout=60 if workers else 0,
        )

    draws = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, seed=3)
    expected = [list(DataLoader(dataset(FRAME), 64, sampler=draws.draw(epoch).tolist())) for epoch in range(3)]
    begun = loader()
    assert same(list(begun), expected[0])
    batches = iter(begun)
    assert same(list(islice(batches, stop)), expected[1][:stop])
    state = pickle.loads(pickle.dumps(begun.state_dict()))
    del batches
    resumed = loader()
    resumed.load_state_dict(state)
    assert same(list(resumed), expected[1][stop:])
    assert same(list(resumed), expected[2])


@STATEFUL
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stateful_loader_that_ended_goes_on_with_the_next_epoch(workers):
    torchdata = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")
    options = {"batch_size": 64, "num_workers": workers, "timeout": 60 if workers else 0}
    ended = torchdata.StatefulDataLoader(range(ROWS), sampler=TQLSampler(FRAME, WEIGHTS, limit=128), **options)
    list(ended)
    sampler = TQLSampler(FRAME, WEIGHTS, limit=128)
    resumed = torchdata.StatefulDataLoader(range(ROWS), sampler=sampler, **options)
    resumed.load_state_dict(ended.state_dict())
    assert torch.cat(list(resumed)).tolist() == sampler.draw(1).tolist()


@pytest.mark.parametrize("replace", [True, False])
def test_a_design_is_drawn_anew_in_each_epoch_with_its_promised_counts(replace):
    frame = pl.DataFrame({"w": [1.0, 2.0, 4.0, 8.0, 1.0] * 200})
    size = 300
    draws = TQLSampler(frame, "w", limit=size, replace=replace, design="systematic", seed=3)
    expected = size * frame["w"].to_numpy() / frame["w"].sum()
    epochs = [list(draws) for _ in range(4)]
    assert len({tuple(epoch) for epoch in epochs}) == 4
    for number, epoch in enumerate(epochs):
        counts = np.bincount(epoch, minlength=1000)
        assert len(epoch) == size
        assert (np.abs(counts - expected) < 1 + 1e-9).all()
        assert epoch != sorted(epoch)  # the order of training is random
        seed = draws.seed_of(number)
        same_rows = frame.tql.sample("w", size, replace=replace, design="systematic", seed=seed)["index"].to_list()
        assert epoch == same_rows


def test_a_design_of_random_size_is_refused():
    with pytest.raises(TQLError, match="gives another number of rows in each epoch"):
        TQLSampler(table(), "age", replace=False, design="poisson")


def test_the_state_of_another_design_is_refused():
    frame = pl.DataFrame({"w": [1.0, 2.0, 3.0]})
    plain, even = (TQLSampler(frame, "w", limit=9, design=design) for design in (None, "systematic"))
    assert "design" not in plain.state_dict()
    for mine, other in ((plain, even), (even, plain)):
        mine.load_state_dict(mine.state_dict())
        with pytest.raises(TQLError, match="its design is"):
            mine.load_state_dict(other.state_dict())


def test_the_state_of_another_sampler_is_refused():
    state = TQLSampler(FRAME, WEIGHTS, limit=20, seed=3).state_dict()
    for options in ({"seed": 4}, {"seed": 3, "limit": 21}, {"seed": 3, "replace": False}):
        with pytest.raises(TQLError, match="that of another sampler"):
            TQLSampler(FRAME, WEIGHTS, **{"limit": 20} | options).load_state_dict(state)
    with pytest.raises(TQLError, match="that of another sampler: its rows is 5000, here it is 4999"):
        TQLSampler(FRAME[1:], WEIGHTS, limit=20, seed=3).load_state_dict(state)
    with pytest.raises(TQLError, match="no state of a TQLSampler: it has no 'done'"):
        TQLSampler(FRAME, WEIGHTS).load_state_dict({"epoch": 1})


def test_copies_go_on_where_the_original_is():
    sampler = TQLSampler(FRAME, WEIGHTS, limit=20)
    running = iter(sampler)
    list(islice(running, 5))
    copies = [copy.copy(sampler), copy.deepcopy(sampler), pickle.loads(pickle.dumps(sampler))]
    rest = list(running)
    assert all(list(each) == rest for each in copies)


def test_a_pickled_sampler_holds_no_frame():
    pickled = pickle.dumps(TQLSampler(FRAME, WEIGHTS))
    assert b"polars" not in pickled
    assert len(pickled) < 3 * ROWS  # a byte a row for its stratum


# --- several processes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7, 2_000])
@pytest.mark.parametrize("replace", [True, False])
def test_processes_share_a_sample(processes, replace):
    whole = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, seed=3, replace=replace).draw(1)
    shares = []
    for rank in range(processes):
        sampler = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, seed=3, replace=replace, num_replicas=processes, rank=rank)
        sampler.set_epoch(1)
        shares.append(list(sampler))
        assert len(sampler) == len(shares[-1])
        if rank == 20:
            break
    for rank, share in enumerate(shares):
        assert share == whole[rank::processes].tolist()
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1


def test_drop_last_gives_all_processes_equally_many():
    whole = TQLSampler(FRAME, WEIGHTS, limit=DRAWS).draw(0)
    for rank in range(4):
        sampler = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, num_replicas=4, rank=rank, drop_last=True)
        assert len(sampler) == DRAWS // 4
        assert list(sampler) == whole[: DRAWS // 4 * 4][rank::4].tolist()


def test_an_epoch_goes_on_with_another_number_of_processes():
    whole = TQLSampler(FRAME, WEIGHTS, limit=DRAWS).draw(0)
    begun = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, num_replicas=4, rank=2)
    list(islice(begun, 100))
    state = begun.state_dict()
    for rank in range(3):
        sampler = TQLSampler(FRAME, WEIGHTS, limit=DRAWS, num_replicas=3, rank=rank)
        sampler.load_state_dict(state)
        assert list(sampler) == whole[400:][rank::3].tolist()


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": None}, "expected seed= to be a whole number"),
        ({"seed": -1}, "expected seed= to be a whole number"),
        ({"limit": 2.5}, "expected limit= to be a whole number"),
        ({"replace": 1}, "expected replace= to be True or False"),
        ({"drop_last": "yes"}, "expected drop_last= to be True or False"),
        ({"num_replicas": 0}, "expected num_replicas= to be a whole number of at least 1"),
        ({"num_replicas": 2, "rank": 2}, "rank is 2, but of 2 processes the last is number 1"),
        ({"rank": 1}, "rank is 1, but of 1 process"),
    ],
)
def test_wrong_arguments_are_refused_at_once(options, message):
    with pytest.raises(TQLError, match=message):
        TQLSampler(FRAME, WEIGHTS, **options)


def test_wrong_samplers_and_weights_are_refused_at_once():
    with pytest.raises(TQLNameError, match="unknown column 'agee'"):
        TQLSampler(FRAME, "max_weight(agee > 60: 5)")
    with pytest.raises(WeightError, match="negative"):
        TQLSampler(FRAME, "0 - age")
    with pytest.raises(WeightError, match="no row can be drawn"):
        TQLSampler(FRAME, "max_weight(age > 200: 1)")
    with pytest.raises(TQLError, match="expected the frame to be"):
        TQLSampler([1, 2], "age")
    with pytest.raises(TQLError, match="expected epoch= to be a whole number"):
        TQLSampler(FRAME, WEIGHTS).set_epoch(-1)


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["docs/training.md", "docs/training-loops.md"])
def test_the_page_shows_what_happens(page):
    assert (ROOT / page).read_text(encoding="utf-8").count(">>>") > 30
    # In a process of its own: its loaders have workers, and no timeout.
    command = [sys.executable, "-m", "doctest", page]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_example_of_the_readme_runs():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    block = next(block for block in blocks if "torch" in block)
    names: dict[str, object] = {"xrays": tql_frames.datasets.chest_xray(), "sampler": WEIGHTS}
    exec(block, names)
    names["loader"].timeout = 60  # type: ignore[attr-defined]
    assert next(iter(names["loader"]))[1].shape == (256, 15)


def test_without_pytorch_the_import_says_what_to_do():
    code = "import sys; sys.modules['torch'] = None; import tql_frames; import tql_frames.torch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "tql_frames.TQLError: PyTorch is not installed\n  python -m pip install torch" in done.stderr


# --- weights of one's own, and values for `?` ------------------------------------------------------------------------


def test_given_weights_and_values_draw_what_a_text_draws():
    weights = FRAME.tql.weights(WEIGHTS)
    for given in (weights, weights.to_numpy(), weights.to_list()):
        assert list(TQLSampler(FRAME, given, limit=30, seed=3)) == list(TQLSampler(FRAME, WEIGHTS, limit=30, seed=3))
    text, values = "max_weight(row_number() < ?: ?, True: 1)", [20, 4]
    plain = TQLSampler(FRAME, "max_weight(row_number() < 20: 4, True: 1)", limit=30, seed=3)
    assert list(TQLSampler(FRAME, text, limit=30, seed=3, parameters=values)) == list(plain)


def test_the_state_of_other_weights_or_values_is_refused():
    weights = FRAME.tql.weights(WEIGHTS).to_list()
    state = TQLSampler(FRAME, weights, limit=30, seed=3).state_dict()
    TQLSampler(FRAME, weights, limit=30, seed=3).load_state_dict(state)
    with pytest.raises(TQLError, match="weights"):
        TQLSampler(FRAME, [each + 1 for each in weights], limit=30, seed=3).load_state_dict(state)
    text = "max_weight(row_number() < ?: ?, True: 1)"
    state = TQLSampler(FRAME, text, limit=30, seed=3, parameters=[20, 4]).state_dict()
    json.dumps(state)
    TQLSampler(FRAME, text, limit=30, seed=3, parameters=[20, 4]).load_state_dict(state)
    with pytest.raises(TQLError, match="parameters"):
        TQLSampler(FRAME, text, limit=30, seed=3, parameters=[20, 5]).load_state_dict(state)
