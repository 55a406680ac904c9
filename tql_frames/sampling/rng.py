"""Seed to random numbers, each with an address: number `i` of stream `s` is the same whoever asks for it, and when.

One bit generator, PCG64DXSM, jumps to the address; threads, partitions and block sizes cannot change a result.
Only `Generator.random` is used: NumPy may change its other distributions between versions (NEP 19).
"""

from __future__ import annotations

import numpy as np
from numpy.random import PCG64DXSM, Generator, SeedSequence
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from tql_frames.sampling.blocks import BLOCK, Blocks, over_blocks

_PERIOD = 2**128
# Streams lie the golden ratio of the period apart, as in `PCG64DXSM.jumped`: of S streams any two are at least about
# 2**128 / (2.24 S) numbers from each other.
_STRIDE = 0x9E3779B97F4A7C15F39CC0605CEDC835


class Streams:
    """The random numbers of one seed.

    Args:
        seed: any whole number, at least 0.

    Example:
        >>> streams = Streams(7)
        >>> bool((streams.uniforms(1, 100)[40:] == streams.uniforms(1, 60, start=40)).all())
        True
    """

    def __init__(self, seed: int) -> None:
        """Seed the generator; nothing is drawn yet."""
        self._words = _Words(SeedSequence(seed).generate_state(4, np.uint64))

    def uniforms(self, stream: int, size: int, start: int = 0) -> NDArray[np.float64]:
        """Return numbers `start` to `start + size` of a stream, uniform in [0, 1), multiples of 2**-53.

        The shape is (size,).
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
    """A seed sequence hashed once: small draws are mostly the making of generators, and the hash most of that."""

    def __init__(self, words: NDArray[np.unsignedinteger]) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: object = np.uint64) -> NDArray[np.unsignedinteger]:
        assert n_words == len(self._words) and np.dtype(dtype) == np.uint64  # type: ignore[call-overload]
        return self._words


def derived_seed(seed: int, *branch: int) -> int:
    """Return a seed of its own for each branch, independent of the seed's own numbers.

    Example:
        >>> derived_seed(7, 0, 1) == derived_seed(7, 0, 2)
        False
    """
    words = SeedSequence(seed, spawn_key=branch).generate_state(4, np.uint64)
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


def fresh_seed() -> int:
    """Return a seed from the operating system, for callers who name none; NumPy's global state is left alone."""
    entropy = SeedSequence().entropy
    assert isinstance(entropy, int)
    return entropy
