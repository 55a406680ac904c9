"""Loaders with workers, and processes that train together: each in a process of its own, which must end in time."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("PyTorch is not installed", allow_module_level=True)

from tests.torch_programs import DRAWS, WEIGHTS, change_weights, table
from tql_frames.torch import TQLSampler

ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds: the slowest takes 20, nearly all for imports, and 100 on a busy machine


def run(*words: str) -> str:
    """What a program prints; a TimeoutExpired if it hangs."""
    command = [sys.executable, "-m", "tests.torch_programs", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Two workers where each imports PyTorch anew, which takes seconds.
@pytest.mark.parametrize(
    ("method", "workers"),
    [("none", 0), ("fork", 2), ("fork", 4), ("spawn", 2), ("forkserver", 2)],
)
def test_workers_give_what_one_process_gives_and_end(method, workers):
    assert run("loaders", method, str(workers)) == "same\n"


@pytest.mark.parametrize(("processes", "start"), [(2, "fork"), (4, "fork"), (2, "spawn")])
def test_processes_see_together_what_one_sees(processes, start):
    seen = json.loads(run("ranks", str(processes), start))
    single = TQLSampler(table(), WEIGHTS, limit=DRAWS, seed=3)
    epochs = [single.draw(epoch).tolist() for epoch in range(3)]
    assert len(seen) == processes
    for rank, (first, second, third, resumed) in enumerate(seen):
        for given, whole in zip((first, second, third, resumed), (*epochs, epochs[1]), strict=True):
            assert given == whole[rank::processes]
    assert sorted(row for rank in seen for row in rank[0]) == sorted(epochs[0])
    assert all((np.array(one) != other).mean() > 0.9 for one, other in pairwise(epochs))


@pytest.mark.parametrize(("processes", "start"), [(4, "fork"), (2, "spawn")])
def test_processes_see_together_what_one_sees_of_weights_that_change(processes, start):
    (epochs, states) = change_weights(TQLSampler(table(), WEIGHTS, limit=DRAWS, seed=3))
    assert epochs[0] != TQLSampler(table(), WEIGHTS, limit=DRAWS, seed=3).draw(0).tolist()
    for rank, (seen, resumed) in enumerate(json.loads(run("changed_ranks", str(processes), start))):
        assert seen == [epoch[rank::processes] for epoch in epochs]
        assert resumed[2][1] == epochs[1][rank::processes]  # whose weights were set before the state
        for (state, _), (rest, _) in zip(states, resumed, strict=True):
            if state["done"] == 240:  # where weights changed again after the state, only the first rows are those
                assert rest[: 480 // processes] == epochs[0][240:720][rank::processes]
            else:
                assert state["done"] == 1080
                assert rest == epochs[0][1080:][rank::processes]


def test_streams_are_shared_by_processes_and_their_workers():
    seen = json.loads(run("streams", "2", "spawn"))
    expected = table().tql.sample(WEIGHTS, limit=DRAWS, seed=3)["row"].to_list()
    for rank, (alone, with_workers) in enumerate(seen):
        assert alone == expected[rank::2]
        assert sorted(with_workers) == sorted(alone)


def test_a_forked_process_is_told_that_it_cannot_weigh():
    assert run("weigh_forked") == "told\n"


def test_twenty_million_rows_are_drawn_from():
    assert run("many", "20000000") == "drawn\n"
