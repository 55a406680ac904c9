"""What bounds a sample: the reads and writes that no draw by weight can do without, and nothing else.

Bare loops of NumPy and Polars in the same blocks and threads as ours. They draw by no weights; their rows are as many,
and lie as far apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from benchmarks import checks, findings, tables
from benchmarks.contestants.polars import deciding_arm
from benchmarks.jobs import Contestant, Job
from benchmarks.tables import Floats
from tql_frames.sampling import Positions, Streams
from tql_frames.sampling.rng import BLOCK, Blocks, over_blocks

_ARMS = 6  # five, and none


def draw_order(job: Job) -> Contestant:
    """The deciding arms; a table of all rows by arm; random numbers; the table read at random, and so the columns."""
    return _contestant(job, lambda arms, seed: _rows_at(arms, _slots(job, seed)))


def draw_order_on_pandas(job: Job) -> Contestant:
    """As `draw_order`; the columns and row numbers are read as arrays, and made a frame of pandas."""
    columns = tables.columns(job)
    frame = pl.DataFrame(columns)

    def run(seed: int) -> pd.DataFrame:
        rows = _rows_at(frame.select(deciding_arm()).to_series().to_numpy(), _slots(job, seed))
        taken = {name: np.empty(job.draws, values.dtype) for name, values in columns.items()}
        index = np.empty(job.draws, np.int64)

        def read(blocks: Blocks) -> None:
            for first, stop in blocks:
                index[first:stop] = rows[first:stop]
                for name, values in columns.items():
                    values.take(index[first:stop], out=taken[name][first:stop], mode="clip")

        over_blocks(job.draws, read)
        return pd.DataFrame(taken, index=index, copy=False)

    def fault(result: pd.DataFrame) -> str | None:
        return checks.fault(tables.population(job).uniform(), job, result["row"].to_numpy())

    return Contestant(run, fault, (frame,))


def table_order(job: Job) -> Contestant:
    """The deciding arms; random numbers; their sort; the columns read in the order of the table."""

    def rows(_: NDArray[np.uint8], seed: int) -> Positions:
        found = _slots(job, seed)
        found.sort()
        return found

    return _contestant(job, rows)


def few(job: Job) -> Contestant:
    """The deciding arms; the rows of each counted; the columns read in a few places."""

    def rows(arms: NDArray[np.uint8], seed: int) -> Positions:
        _count_each(arms, _ARMS)
        return _slots(job, seed)

    return _contestant(job, rows)


def whole_without(job: Job) -> Contestant:
    """The deciding arms; then as `tenth_without`; the columns read at random."""
    return _contestant(job, lambda arms, seed: _rows_at(arms, _distinct_slots(job, seed)))


def draw_with(job: Job) -> Contestant:
    """The weights compared with each there is; a table of rows written; random numbers; the table read at random."""
    return _alone(job, lambda seed: _slots(job, seed))


def tenth_without(job: Job) -> Contestant:
    """The same of a tenth; the numbers are sorted in blocks, too."""
    return _alone(job, lambda seed: _distinct_slots(job, seed))


def most_without(job: Job) -> Contestant:
    """The same in phases. Each draws half of the rows that are left; for equal weights that takes ln 2 draws a row."""

    def draw(seed: int) -> Positions:
        left, slots = job.draws, []
        marks, undrawn = np.zeros(job.rows, np.bool_), None
        while left > BLOCK or not slots:
            found = _slots(replace(job, rows=left, draws=int(left * np.log(2))), seed)
            if undrawn is not None:
                _read(undrawn, found)
            repeats = _find_repeats(found, marks)
            slots.append(found.compress(~repeats))
            undrawn = np.flatnonzero(~marks).astype(np.uint32)
            left -= left // 2
        return np.concatenate(slots)

    return _alone(job, draw)


def _alone(job: Job, draw: Callable[[int], Positions]) -> Contestant:
    """Weights are numbered, a table of rows is written, slots are drawn, and the table is read by them."""
    weights = tables.row_weights(job)
    levels = np.unique(weights)

    def run(seed: int) -> Positions:
        table = _rows_of_each(_numbers_of(weights, levels), len(levels))
        slots = draw(seed)
        _read(table, slots)
        return slots

    def fault(rows: Positions) -> str | None:
        return None if len(rows) and rows.max() < job.rows else "rows that are not in the table"

    return Contestant(run, fault, (weights,))


def _numbers_of(weights: Floats, levels: Floats) -> NDArray[np.uint8]:
    """The place of each weight among all that there are."""
    codes = np.zeros(len(weights), np.uint8)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            for number, level in enumerate(levels.tolist()):
                equal = weights[first:stop] == level
                np.count_nonzero(equal)
                codes[first:stop] += equal.view(np.uint8) * np.uint8(number)

    over_blocks(len(weights), run)
    return codes


def _rows_of_each(codes: NDArray[np.uint8], levels: int) -> Positions:
    """A table of all rows: in each block, those of one number after those of another."""
    table = np.empty(len(codes), np.uint32)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            rows, code = pl.Series(np.arange(first, stop, dtype=np.uint32)), pl.Series(codes[first:stop])
            each = [rows.filter(code == number).to_numpy() for number in range(levels)]
            np.concatenate(each, out=table[first:stop])

    over_blocks(len(codes), run)
    return table


def _find_repeats(slots: Positions, marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Sort slots with their places, block by block, and mark them; returns which were marked or repeat one."""
    repeats = np.zeros(len(slots), np.bool_)

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            keys = slots[first:stop].astype(np.uint64) << np.uint64(18) | np.arange(stop - first, dtype=np.uint64)
            keys.sort()
            slot = (keys >> np.uint64(18)).view(np.int64)
            again = marks.take(slot)
            again[1:] |= slot[1:] == slot[:-1]
            marks[slot] = True
            repeats[first + (keys[again] & np.uint64(2**18 - 1)).view(np.int64)] = True

    over_blocks(len(slots), run)
    return repeats


def _count_each(codes: NDArray[np.uint8], levels: int) -> None:
    """Count the rows of each number."""

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            for number in range(levels):
                np.count_nonzero(codes[first:stop] == number)

    over_blocks(len(codes), run)


def _rows_at(arms: NDArray[np.uint8], slots: Positions) -> Positions:
    """The rows at slots, in their place, by a table of all rows by arm."""
    _read(_rows_of_each(arms, _ARMS), slots)
    return slots


def _distinct_slots(job: Job, seed: int) -> Positions:
    """Slots, among which repeats are looked for; with those that are drawn in vain, as many as for equal weights."""
    slots = _slots(replace(job, draws=int(job.rows * -np.log1p(-job.draws / job.rows))), seed)
    _find_repeats(slots, np.zeros(job.rows, np.bool_))
    return slots[: job.draws]


def _contestant(job: Job, rows: Callable[[NDArray[np.uint8], int], Positions]) -> Contestant:
    """The arm that decides each row is found; `rows` returns rows from arms and seed; their columns are read."""
    lists = job.table == "findings"
    frame = findings.frame(job.rows) if lists else pl.DataFrame(tables.columns(job))
    conditions = [pl.col("findings").list.contains(name).alias(name) for name in findings.ARMS]

    def run(seed: int) -> pl.DataFrame:
        # Lists are looked through on all cores, one condition on each.
        met = frame.select(conditions) if lists else frame
        arms = met.select(deciding_arm(map(pl.col, findings.ARMS) if lists else None))
        return frame[pl.Series(rows(arms.to_series().to_numpy(), seed))]

    def fault(result: pl.DataFrame) -> str | None:
        population = findings.population(job.rows) if lists else tables.population(job)
        # Rows may repeat: those of a draw without replacement are as many, but no repeat is drawn again.
        return checks.fault(population.uniform(), replace(job, replace=True), result["row"].to_numpy())

    return Contestant(run, fault, (frame,))


def _slots(job: Job, seed: int) -> Positions:
    """Numbers below that of the rows, shape (draws,)."""
    streams, slots = Streams(seed), np.empty(job.draws, np.uint32)

    def run(blocks: Blocks) -> None:
        numbers = np.empty(min(BLOCK, job.draws))
        for first, stop in blocks:
            own = numbers[: stop - first]
            streams.fill(0, first, own)
            np.multiply(own, job.rows, out=own)
            np.copyto(slots[first:stop], own, casting="unsafe")

    over_blocks(job.draws, run)
    return slots


def _read(table: Positions, slots: Positions) -> None:
    """Put in the place of each slot what the table holds there."""

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            slots[first:stop] = table.take(slots[first:stop], mode="clip")

    over_blocks(len(slots), run)
