"""Derive random numbers from keys: equal keys have equal numbers, at any row position.

The values of the keys are computed in `pipeline.groups`. The numbers are known as permanent random numbers; Ohlsson
(1998) describes their uses. A key is a whole number or a text, which is cut into words of 64 bits, low bits first. A
number is one word, modulo 2**64. A text is its bytes in UTF-8, eight per word, the last word padded with zeros, and
then a word with the number of bytes. The hash `h` begins with a word of the seed, and each word of each key of a row is
mixed in by `h = mix(h ^ word)`. `mix` is the last step of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable
pseudorandom number generators", with the constants of Stafford's variant 13). The random number is the 53 highest bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from tql_frames.sampling.rng import Floats, Integers

Words = NDArray[np.uint64]

_BRANCH = 6  # of the seed
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class KeyNumbers:
    """Random numbers of rows by key; replaces `Streams`, whose numbers depend on the row position.

    Examples:
        >>> numbers = KeyNumbers.of([np.array([7, 8, 7])], seed=1)
        >>> numbers.uniforms.round(6).tolist()
        [0.214251, 0.710865, 0.214251]
    """

    def __init__(self, uniforms: Floats) -> None:
        """Store numbers in [0, 1), shape (n,)."""
        self.uniforms = uniforms

    @classmethod
    def of(cls, keys: Sequence[Integers | Words | Texts], seed: int) -> KeyNumbers:
        """Hash the keys of rows, each of shape (n,)."""
        first = SeedSequence(seed, spawn_key=(_BRANCH,)).generate_state(1, np.uint64)[0]
        mixed = np.full(len(keys[0]), first, np.uint64)
        for key in keys:
            if isinstance(key, Texts):
                key.mix_into(mixed)
            else:
                mixed ^= key.astype(np.uint64)
                _mix(mixed)
        mixed >>= np.uint64(11)
        return cls(mixed.astype(np.float64) * 2.0**-53)

    def fill(self, stream: int, start: int, out: Floats) -> None:
        """Write the numbers of rows from `start` on into `out`, for any stream: there is only one."""
        out[:] = self.uniforms[start : start + len(out)]


class Texts:
    """Texts, stored as concatenated bytes.

    Attributes:
        offsets: shape (n + 1,), start of each text, and the end of the last.
        content: bytes of all texts in UTF-8.
    """

    def __init__(self, offsets: Integers, content: NDArray[np.uint8]) -> None:
        """Store the arrays without a copy."""
        self.offsets = offsets
        self.content = content

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def mix_into(self, mixed: Words) -> None:
        """Mix the words of each text into the hash of its row, in place."""
        padded = np.concatenate([self.content, np.zeros(8, np.uint8)])
        words = np.ndarray((len(self.content) + 1,), np.dtype("<u8"), padded, strides=(1,))  # a word from each byte on
        begins, lengths = self.offsets[:-1], np.diff(self.offsets)
        rows: Integers = np.arange(len(mixed))
        done = 0
        while rows.size:
            rows = rows[lengths[rows] > done]
            left = np.minimum(lengths[rows] - done, 8).astype(np.uint64)
            word = words.take(begins[rows] + done).astype(np.uint64)
            word &= np.uint64(2**64 - 1) >> (np.uint64(64) - np.uint64(8) * left)
            part = mixed[rows] ^ word
            _mix(part)
            mixed[rows] = part
            done += 8
        mixed ^= lengths.astype(np.uint64)
        _mix(mixed)


def _mix(words: Words) -> None:
    words ^= words >> np.uint64(30)
    words *= _FIRST
    words ^= words >> np.uint64(27)
    words *= _SECOND
    words ^= words >> np.uint64(31)
