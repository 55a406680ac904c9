"""Work over long arrays in blocks that stay in the cache, on all cores; NumPy lets other threads run meanwhile.

What is done to a block is the caller's; no result may depend on the size of a block or the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Positions = NDArray[np.uint32 | np.int64]  # 32 bits wherever the rows of the population fit

Blocks = Iterator[tuple[int, int]]
Item = TypeVar("Item")

BLOCK = 262_144  # items of a block: two megabytes of numbers, which take long enough for threads not to wait for Python

_MOST_THREADS = 16


def over_blocks(size: int, run: Callable[[Blocks], None]) -> None:
    """Cut `range(size)` into blocks and share them out.

    Args:
        size: items.
        run: takes blocks `(first, stop)` from an iterator until there are none left. It is called once a thread, so
            that it can make the arrays it works in once: fresh ones for every block would cost more than the work.
    """
    if size <= BLOCK:
        run(iter([(0, size)] if size else []))
        return
    bounds = [(first, min(first + BLOCK, size)) for first in range(0, size, BLOCK)]
    blocks = iter(bounds)  # that threads may share: `next` of a list's iterator is one step of the interpreter
    in_threads(run, [blocks] * min(len(bounds), cores()))


def in_threads(run: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Call `run` with each item, at the same time."""
    with ThreadPoolExecutor(len(items)) as pool:
        list(pool.map(run, items))  # the list makes an error of a thread reach the caller


def cores() -> int:
    """Threads to share work among: each takes some ten megabytes to work in, so not any number of them."""
    return min(os.cpu_count() or 1, _MOST_THREADS)


def position_type(rows: int) -> np.dtype[np.uint32] | np.dtype[np.int64]:
    """Return the type of positions among so many rows."""
    return np.dtype(np.uint32) if rows < 2**32 else np.dtype(np.int64)
