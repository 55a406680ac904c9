"""Generate random numbers by seed, stream and place, and share work in blocks among cores.

The designs that use the numbers are in other modules. A number does not depend on threads or blocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np
from numpy.random import PCG64DXSM, Generator, SeedSequence
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Positions = NDArray[np.uint32 | np.int64]  # 32 bits wherever the rows of the population fit

Blocks = Iterator[tuple[int, int]]
Item = TypeVar("Item")

BLOCK = 262_144  # items of a block: two megabytes of numbers, enough work that threads do not wait for the interpreter

_MOST_THREADS = 16


def over_blocks(size: int, run: Callable[[Blocks], None]) -> None:
    """Cut `range(size)` into blocks and share them among threads.

    Args:
        size: number of items.
        run: function that takes blocks `(first, stop)` from an iterator until none is left. It is called once per
            thread, so that it can allocate its arrays once: new arrays for every block would cost more than the work.
    """
    if size <= BLOCK:
        run(iter([(0, size)] if size else []))
        return
    bounds = [(first, min(first + BLOCK, size)) for first in range(0, size, BLOCK)]
    blocks = iter(bounds)  # threads can share it, as `next` of a list iterator is atomic
    in_threads(run, [blocks] * min(len(bounds), cores()))


def in_threads(run: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Call `run` with each item, at the same time."""
    with ThreadPoolExecutor(len(items)) as pool:
        list(pool.map(run, items))  # the list raises errors of threads in the caller


def sort(values: Positions) -> None:
    """Sort numbers in place, on all cores: they are partitioned into halves until each core has a part to sort."""
    parts = [values]
    while len(parts) < cores() and len(parts[0]) > BLOCK:
        in_threads(lambda part: part.partition(len(part) // 2), parts)
        parts = [half for part in parts for half in (part[: len(part) // 2], part[len(part) // 2 :])]
    if len(parts) == 1:
        values.sort()
    else:
        in_threads(lambda part: part.sort(), parts)


def cores() -> int:
    """Return the number of threads to share work among, at most 16, as each needs about ten megabytes of memory."""
    return min(os.cpu_count() or 1, _MOST_THREADS)


_PERIOD = 2**128
# Consecutive streams are the golden ratio of the period apart, as in `PCG64DXSM.jumped`: any two of S streams are at
# least about 2**128 / (2.24 S) numbers apart.
_STRIDE = 0x9E3779B97F4A7C15F39CC0605CEDC835


class Numbers(Protocol):
    """Random numbers of rows, such as `Streams`, whose numbers depend on the row position."""

    def fill(self, stream: int, start: int, out: NDArray[np.float64]) -> None:
        """Write the numbers of a stream from `start` on into `out`, which is contiguous."""


class Streams:
    """The random numbers of one seed.

    Args:
        seed: whole number >= 0.

    Examples:
        >>> streams = Streams(7)
        >>> bool((streams.uniforms(1, 100)[40:] == streams.uniforms(1, 60, start=40)).all())
        True
    """

    def __init__(self, seed: int) -> None:
        """Hash the seed; no number is generated yet."""
        self._words = _Words(SeedSequence(seed).generate_state(4, np.uint64))

    def uniforms(self, stream: int, size: int, start: int = 0) -> NDArray[np.float64]:
        """Return numbers `start` to `start + size` of a stream, shape (size,).

        They are uniform in [0, 1), multiples of 2**-53.
        """
        numbers = np.empty(size)
        if size <= BLOCK:
            self.fill(stream, start, numbers)
            return numbers

        def run(blocks: Blocks) -> None:
            for first, stop in blocks:
                self.fill(stream, start + first, numbers[first:stop])

        over_blocks(size, run)
        return numbers

    def fill(self, stream: int, start: int, out: NDArray[np.float64]) -> None:
        """Write the numbers of a stream from `start` on into `out`, which is contiguous."""
        bits = PCG64DXSM(self._words)  # type: ignore[arg-type]  # NumPy's stubs leave out ISeedSequence
        bits.advance((stream * _STRIDE + start) % _PERIOD)
        Generator(bits).random(out=out)


class _Words(ISeedSequence):
    """A seed sequence that is hashed only once, as the hash would take most of the time of a small draw."""

    def __init__(self, words: NDArray[np.unsignedinteger]) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: object = np.uint64) -> NDArray[np.unsignedinteger]:
        assert n_words == len(self._words) and np.dtype(dtype) == np.uint64  # type: ignore[call-overload]
        return self._words


def derived_seed(seed: int, *branch: int) -> int:
    """Return the seed of a branch, independent of other branches and of the numbers of `seed` itself.

    Examples:
        >>> derived_seed(7, 0, 1) == derived_seed(7, 0, 2)
        False
    """
    words = SeedSequence(seed, spawn_key=branch).generate_state(4, np.uint64)
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


def fresh_seed() -> int:
    """Return a random seed from the operating system; NumPy's global state is not used."""
    entropy = SeedSequence().entropy
    assert isinstance(entropy, int)
    return entropy
