"""Programs that train: `python -m tests.torch_programs NAME ARGUMENT…`, run by `test_torch_processes` under a timeout.

They are processes of their own, so that a test survives a loader that hangs. What they print is what the test compares.
"""

from __future__ import annotations

import json
import pickle
import socket
import sys
import warnings
from itertools import islice

import numpy as np
import polars as pl
import torch
import torch.distributed
import torch.multiprocessing
from torch.utils.data import DataLoader

from tql_frames import TQLError
from tql_frames.torch import TQLDataset, TQLSampler

WEIGHTS = "max_weight(contains(findings, 'Hernia'): 20, age > 60: 3, True: 1)"
ROWS, DRAWS = 5_000, 1_501  # not a multiple of any number of processes, nor of a batch


def table(rows: int = ROWS) -> pl.DataFrame:
    """Columns of all kinds that cross into a worker."""
    random = np.random.default_rng(5)
    labels = [["Hernia"], ["Mass", "Edema"], [], ["Edema"]]
    return pl.DataFrame(
        {
            "row": np.arange(rows),
            "age": random.integers(1, 95, rows).astype(np.int16),
            "dose": random.random(rows, np.float32),
            "sex": pl.Series(["F", "M"], dtype=pl.Enum(["F", "M"])).gather(random.integers(0, 2, rows)),
            "image": [f"{row:05}.png" for row in range(rows)],
            "findings": pl.Series(labels).gather(random.choice(4, rows, p=[0.02, 0.3, 0.5, 0.18])),
            "box": pl.Series(random.random((rows, 4), np.float32), dtype=pl.Array(pl.Float32, 4)),
        }
    )


def dataset(frame: pl.DataFrame) -> TQLDataset:
    return TQLDataset(frame, target="findings", encode={"findings": "multi_hot", "sex": "label"})


def loaders(method: str, workers: str) -> None:
    """A loader with so many workers gives in two epochs what one without workers gives."""
    number = int(workers)
    frame = table()
    frame.select(pl.col("age").sum())  # Polars' threads run by now: a forked process that asks them hangs
    rows = dataset(frame)
    epochs = TQLSampler(frame, WEIGHTS, limit=DRAWS, seed=3)
    expected = [list(DataLoader(rows, 64, sampler=epochs.draw(epoch).tolist())) for epoch in range(2)]
    once, often = (False, False, 1), (True, True, 2)  # persistent workers, pinned memory, passes
    for persistent, pinned, passes in (once, often) if method in ("none", "fork") else (often,):
        sampler = TQLSampler(frame, WEIGHTS, limit=DRAWS, seed=3)
        workers_do = {"multiprocessing_context": method, "persistent_workers": persistent, "timeout": 120}
        options = workers_do if number else {}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'pin_memory' argument")  # there is no GPU to pin for
            warnings.filterwarnings("ignore", "This DataLoader will create")  # more workers than there are cores
            loader = DataLoader(rows, 64, sampler=sampler, num_workers=number, pin_memory=pinned, **options)
            for batches in expected[:passes]:
                assert same(list(loader), batches)
    _say("same")


def same(one: object, other: object) -> bool:
    """Whether two batches, or lists of them, are equal in every value and type."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))  # type: ignore[arg-type]
    return one == other


def ranks(processes: str, start: str) -> None:
    """Print the row positions that each of several processes saw, in three epochs and in one that was resumed."""
    sampler = TQLSampler(table(), WEIGHTS, limit=DRAWS, seed=3) if start == "fork" else None
    torch.multiprocessing.start_processes(
        _rank, args=(int(processes), _free_address(), sampler), nprocs=int(processes), start_method=start
    )


def _rank(rank: int, processes: int, address: str, sampler: TQLSampler | None) -> None:
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=processes)
    if sampler is None:
        sampler = TQLSampler(table(), WEIGHTS, limit=DRAWS, seed=3)
    assert (sampler.rank, sampler.num_replicas) == (rank, processes)
    loader = DataLoader(range(ROWS), 16, sampler=sampler)
    seen = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        seen.append([row for batch in loader for row in batch.tolist()])
    sampler.set_epoch(1)
    begun = [row for batch in islice(loader, 5) for row in batch.tolist()]
    sampler.load_state_dict(json.loads(json.dumps(sampler.state_dict())))
    seen.append(begun + [row for batch in loader for row in batch.tolist()])
    _print_all(rank, processes, seen)


def changed_ranks(processes: str, start: str) -> None:
    """Print what each of several processes saw of an epoch in which weights changed, and of its rest after a resume."""
    sampler = TQLSampler(table(), WEIGHTS, limit=DRAWS, seed=3) if start == "fork" else None
    torch.multiprocessing.start_processes(
        _changed_rank, args=(int(processes), _free_address(), sampler), nprocs=int(processes), start_method=start
    )


def _changed_rank(rank: int, processes: int, address: str, sampler: TQLSampler | None) -> None:
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=processes)
    start = "spawn" if sampler is None else "fork"
    sampler = sampler or TQLSampler(table(), WEIGHTS, limit=DRAWS, seed=3)
    new = pickle.dumps(sampler)  # a forked process makes neither tables nor samplers: Polars would hang
    if start == "fork":
        try:
            sampler.set_weights([1.0] * ROWS)
        except TQLError as error:
            assert "Polars cannot run in this process" in str(error)
        else:
            raise AssertionError("Polars was asked")
    seen, states = change_weights(sampler, processes)
    resumed = []
    for state, changes in states:
        again = pickle.loads(new)
        for weights in changes:
            again.set_weights(weights)
        again.load_state_dict(json.loads(json.dumps(state)))
        resumed.append([list(again), list(again)])
    _print_all(rank, processes, [seen, resumed])


def change_weights(sampler: TQLSampler, processes: int = 1) -> tuple[list[list[int]], list[tuple[dict, list]]]:
    """Change the weights of a sampler three times in an epoch, and set others for the next.

    It returns the rows of both epochs, and states at some places with the weights that a new sampler needs to go on.
    """
    random = np.random.default_rng(8)
    first, second = random.random(ROWS), random.integers(0, 3, ROWS).astype(float)
    rows, states, seen = iter(sampler), [], []
    seen += islice(rows, 240 // processes)
    sampler.set_weights(first, now=True)
    states.append((sampler.state_dict(), [first]))
    seen += islice(rows, 480 // processes)
    sampler.set_weights(second, now=True)
    seen += islice(rows, 240 // processes)
    sampler.update(torch.arange(0, ROWS, 7), torch.full((len(range(0, ROWS, 7)),), 5.0, requires_grad=True))
    third = sampler.weights.copy()
    seen += islice(rows, 120 // processes)
    states.append((sampler.state_dict(), [third]))
    sampler.set_weights(first)
    states.append((sampler.state_dict(), [third, first]))
    seen += rows
    epochs = [seen, list(sampler)]
    return epochs, states


def streams(processes: str, start: str) -> None:
    """Print what each of several processes saw of a stream, without workers and with two of its own."""
    torch.multiprocessing.start_processes(
        _stream_rank, args=(int(processes), _free_address()), nprocs=int(processes), start_method=start
    )


def _stream_rank(rank: int, processes: int, address: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=processes)
    stream = table().lazy().tql.view(WEIGHTS, limit=DRAWS, seed=3).to_torch(["row"])
    seen = []
    for options in ({}, {"num_workers": 2, "multiprocessing_context": "spawn", "timeout": 120}):
        seen.append([row for batch in DataLoader(stream, 64, **options) for row in batch["row"].tolist()])
    _print_all(rank, processes, seen)


def weigh_forked() -> None:
    """A sampler with random(), which weighs rows for each epoch, in a forked process, where Polars would hang."""
    sampler = TQLSampler(table(), "max_weight(random() % 2 = 0: 1)", limit=DRAWS)
    torch.multiprocessing.start_processes(_weigh, args=(sampler,), nprocs=1, start_method="fork")
    _say("told")


def _weigh(rank: int, sampler: TQLSampler) -> None:
    assert len(list(sampler)) == DRAWS  # epoch 0 was weighed before
    try:
        list(sampler)
    except TQLError as error:
        assert "which a forked process cannot do" in str(error)
    else:
        raise AssertionError("it was weighed")


def many(rows: str) -> None:
    """Rows beyond 2^24, where `torch.multinomial` ends, in two epochs and the last of their positions."""
    labels = np.random.default_rng(5).integers(0, 10, int(rows)).astype(np.uint8)
    frame = pl.DataFrame({"label": labels})
    sampler = TQLSampler(frame, "max_weight(label = 3: 20, label != 4: 1)", num_replicas=2, rank=1)
    weights = np.where(labels == 3, 20.0, np.where(labels == 4, 0.0, 1.0))
    for epoch in range(2):
        drawn = sampler.draw(epoch)
        counts = np.bincount(labels[drawn], minlength=10)
        shares = np.bincount(labels, weights, minlength=10) / weights.sum()
        error = np.sqrt(len(drawn) * shares * (1 - shares))
        assert len(drawn) == len(labels) and counts[4] == 0
        assert (np.abs(counts - len(drawn) * shares) <= 6 * error).all()  # six standard errors: once in 10^8
        assert drawn.max() >= 2**24
    last = TQLDataset(frame)[len(frame) - 1]
    assert last["label"] == labels[-1]
    assert sum(1 for _ in sampler) == len(labels) // 2
    _say("drawn")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


def _print_all(rank: int, processes: int, seen: object) -> None:
    """Have the first process print what all have seen."""
    gathered = [None] * processes
    torch.distributed.all_gather_object(gathered, seen)
    if rank == 0:
        _say(json.dumps(gathered))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
