"""Assign units to parts: at random, or so that every part has its share of every label.

Units, labels and parts are numbers here; `analysis.splits` numbers them. Floats are added one by one in a fixed order,
and ties are resolved by position, so that a seed leads to the same parts on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tql_frames.sampling.rng import Floats, Integers, Streams, derived_seed

_BRANCH = 9  # of the seed; the branches of samples are in `pipeline.draw`
_STARTS = 8  # searches from different orders; the best is used, since few units allow few corrections of an order
_SMALL = 5_000  # entries above which one search is enough, as there are units to correct every difference
_NEAREST = 64  # units of each part that are tried for a swap
_WORK = 200_000_000  # limit of the numbers that one search reads: about two seconds
_PAIR = 20  # numbers read per profile when two parts are compared for a swap
_NOTHING = 1e-9  # changes of the sum up to this may be rounding errors


@dataclass(frozen=True)
class LabelCounts:
    """Numbers of rows by unit, and by unit and label.

    Attributes:
        rows: rows of each unit, shape (u,), at least 1.
        unit: unit of each pair of a unit and a label that it has, shape (n,); ascending.
        label: label of each pair, from 0, shape (n,).
        count: rows of the unit that have the label, shape (n,), at least 1.
    """

    rows: Integers
    unit: Integers
    label: Integers
    count: Integers


def sizes_of(units: int, shares: Sequence[Fraction]) -> list[int]:
    """Return the number of units of each part; the largest remainders are rounded up, and among equal ones the first.

    Args:
        units: number of units.
        shares: shares of the parts, with the sum 1.

    Examples:
        >>> sizes_of(7, [Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)])
        [3, 2, 2]
    """
    wanted = [units * share for share in shares]
    sizes = [int(each) for each in wanted]
    order = sorted(range(len(shares)), key=lambda part: sizes[part] - wanted[part])
    for part in order[: units - sum(sizes)]:
        sizes[part] += 1
    return sizes


def split_at_random(units: int, shares: Sequence[Fraction], seed: int) -> Integers:
    """Return a part for each unit, shape (units,); all assignments with these sizes have the same probability.

    Examples:
        >>> parts = split_at_random(10, [Fraction(4, 5), Fraction(1, 5)], seed=7)
        >>> np.bincount(parts).tolist()
        [8, 2]
    """
    parts = np.empty(units, np.int64)
    order = np.argsort(_streams(seed).uniforms(0, units), kind="stable")
    parts[order] = np.repeat(np.arange(len(shares)), sizes_of(units, shares))
    return parts


def split_by_numbers(uniforms: Floats, shares: Sequence[Fraction]) -> Integers:
    """Return a part for each unit by its random number alone, so that it does not depend on other units.

    Args:
        uniforms: random numbers of the units in [0, 1), shape (units,).
        shares: shares of the parts, with the sum 1.

    Examples:
        >>> split_by_numbers(np.array([0.1, 0.75, 0.5]), [Fraction(3, 4), Fraction(1, 4)]).tolist()
        [0, 1, 0]
    """
    bounds = np.array([float(bound) for bound in accumulate(shares)][:-1])
    return np.searchsorted(bounds, uniforms, side="right")


def split_by_labels(counts: LabelCounts, shares: Sequence[Fraction], seed: int) -> Integers:
    """Return a part for each unit, so that every part has about its share of all rows and of the rows of every label.

    The search minimizes Pearson's chi-square, the sum of (rows - wanted)**2 / wanted over parts and labels. The divisor
    is at least 1, and the term of all rows is multiplied by the square root of the number of labels.

    Each part first gets its share, rounded down, of the units with equal rows by label. The other units are dealt one
    by one, each to the part where it raises the sum least: iterative stratification (Sechidis, Tsoumakas and Vlahavas
    2011, "On the stratification of multi-label data", algorithm 1) by all labels of a unit at once. Large units are
    dealt first; for few units, further searches begin with a random order. Then single units are moved and pairs of
    units are swapped while this lowers the sum, up to a limit of work. Equal units are assigned at random. No part is
    empty.

    Args:
        counts: rows by unit and label.
        shares: shares of the parts, each above 0, with the sum 1.
        seed: fixes the parts.

    Returns:
        Part of each unit, shape (u,). There must be at least as many units as parts.

    Examples:
        >>> ones, labels = np.ones(6, np.int64), np.array([0, 0, 0, 0, 1, 1])
        >>> counts = LabelCounts(ones, np.arange(6), labels, ones)
        >>> parts = split_by_labels(counts, [Fraction(1, 2), Fraction(1, 2)], seed=7)
        >>> np.bincount(parts[:4]).tolist(), np.bincount(parts[4:]).tolist()
        ([2, 2], [1, 1])
    """
    streams = _streams(seed)
    profiles = _Profiles(counts, streams)
    number = len(profiles.times)
    best: tuple[float, Integers] | None = None
    for start in range(_STARTS if len(profiles.label) <= _SMALL else 1):
        keys = streams.uniforms(1 + start, len(shares) + number)
        order = np.argsort(keys[number:], kind="stable")  # random, so that parts with equal shares have equal chances
        search = _Search(profiles, [shares[part] for part in order])
        search.deal(
            np.lexsort((keys[:number], -profiles.size)) if start == 0 else np.argsort(keys[:number], kind="stable")
        )
        search.improve()
        if best is None or search.chi_square < best[0]:
            best = search.chi_square, search.units[np.argsort(order)]
        if best[0] < _NOTHING:
            break
    assert best is not None
    parts = np.empty(len(counts.rows), np.int64)
    parts[profiles.members] = np.repeat(np.tile(np.arange(len(shares)), number), best[1].T.ravel())
    return parts


def split_seed(seed: int) -> int:
    """Return the seed of a split's random numbers, which differ from the numbers of samples by the same seed."""
    return derived_seed(seed, _BRANCH)


def _streams(seed: int) -> Streams:
    return Streams(split_seed(seed))


class _Profiles:
    """The distinct profiles of units; a profile is the rows of a unit by label. The last label counts all rows.

    An entry is a label of a profile.

    Attributes:
        label: label of each entry, profile by profile, shape (n,).
        rows: rows of a unit that have the label, for each entry, shape (n,).
        owner: number of the profile of each entry, shape (n,).
        starts: first entry of each profile, and the end of the last, shape (p + 1,).
        times: number of units that have each profile, shape (p,).
        size: sum of `rows` over the entries of each profile, shape (p,).
        members: units, profile by profile, in random order within each, shape (u,).
    """

    def __init__(self, counts: LabelCounts, streams: Streams) -> None:
        """Group the units by profile."""
        units = len(counts.rows)
        every = np.full(units, counts.label.max(initial=-1) + 1)
        unit = np.concatenate([counts.unit, np.arange(units)])
        label, rows = np.concatenate([counts.label, every]), np.concatenate([counts.count, counts.rows])
        order = np.lexsort((label, unit))
        label, rows = label[order], rows[order]
        starts = np.searchsorted(unit[order], np.arange(units + 1))
        hashes = np.add.reduceat(_mixed(_mixed(label) + rows.astype(np.uint64)), starts[:-1])
        _, first, profile = np.unique(hashes, return_index=True, return_inverse=True)
        alike, _ = _entries(starts, first[profile])
        if not (len(alike) == len(label) and (label == label[alike]).all() and (rows == rows[alike]).all()):
            first = profile = np.arange(units)  # two different units have the same hash
        entries, self.owner = _entries(starts, first)
        self.starts = np.searchsorted(self.owner, np.arange(len(first) + 1))
        self.label, self.rows = label[entries], rows[entries].astype(np.float64)
        self.times = np.bincount(profile)
        self.size = np.bincount(self.owner, weights=self.rows)
        self.members = np.lexsort((streams.uniforms(0, units), profile))

    def totals(self, units: Integers) -> Floats:
        """Return the rows by label of a number of units of each profile, shape (labels,)."""
        return np.bincount(self.label, weights=self.rows * units[self.owner]).astype(np.float64, copy=False)

    def sums(self, values: Floats) -> Floats:
        """Return sums by profile, shape (p,), of a value for each entry, shape (n,)."""
        return np.bincount(self.owner, weights=values).astype(np.float64, copy=False)

    def table(self, chosen: Integers) -> tuple[Integers, Floats]:
        """Return the labels of some profiles, shape (m,), and their rows by label and profile, shape (m, chosen)."""
        entries, place = _entries(self.starts, chosen)
        labels, row = np.unique(self.label[entries], return_inverse=True)
        found = np.zeros((len(labels), len(chosen)))
        found[row, place] = self.rows[entries]
        return labels, found


def _entries(starts: Integers, chosen: Integers) -> tuple[Integers, Integers]:
    """Return the places of the entries of chosen owners, owner by owner, and the place in `chosen` of each owner."""
    lengths = np.diff(starts)[chosen]
    ends = np.cumsum(lengths)
    places = np.repeat(starts[chosen] - ends + lengths, lengths) + np.arange(int(lengths.sum()))
    return places, np.repeat(np.arange(len(chosen)), lengths)


def _mixed(values: NDArray[np.int64] | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return hashes of values (splitmix64; Steele, Lea and Flood 2014)."""
    found = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


class _Move(NamedTuple):
    """The move of a unit of a profile from one part to another."""

    profile: int
    source: int
    target: int


class _Search:
    """A search for the numbers of units of each profile by part, by the differences from the wanted rows by label.

    Attributes:
        units: number of units by part and profile, shape (k, p).
    """

    def __init__(self, profiles: _Profiles, shares: Sequence[Fraction]) -> None:
        """Assign to each part its share of each profile, rounded down."""
        self._profiles = profiles
        times, place = np.unique(profiles.times, return_inverse=True)
        least = [[int(each) * share.numerator // share.denominator for each in times] for share in shares]
        self.units = np.array(least, np.int64)[:, place]
        wanted = np.array([float(share) for share in shares])[:, None] * profiles.totals(profiles.times)
        self._weight = 1.0 / np.maximum(wanted, 1.0)
        self._weight[:, -1] *= np.sqrt(max(wanted.shape[1] - 1, 1))
        self._over = np.array([profiles.totals(each) for each in self.units]) - wanted  # rows above the wanted number
        self._left = _WORK

    @property
    def chi_square(self) -> float:
        """Weighted sum of the squared differences in rows over parts and labels."""
        return float(self._costs[-1])

    @property
    def _costs(self) -> Floats:
        return np.cumsum((self._over * self._over * self._weight).ravel())

    def deal(self, order: Integers) -> None:
        """Assign the units left, in an order of profiles, each to the part where it raises the sum least."""
        profiles = self._profiles
        left = (profiles.times - self.units.sum(axis=0)).tolist()
        # Lists, as NumPy is slower for the few labels of a unit.
        over, weight = self._over.T.tolist(), self._weight.T.tolist()
        labels, rows, starts = profiles.label.tolist(), profiles.rows.tolist(), profiles.starts.tolist()
        given = []
        for profile in order.tolist():
            entries = range(starts[profile], starts[profile + 1])
            for _ in range(left[profile]):
                costs = [0.0] * len(self.units)
                for entry in entries:
                    count = rows[entry]
                    for part, (above, scale) in enumerate(zip(over[labels[entry]], weight[labels[entry]], strict=True)):
                        costs[part] += count * (2.0 * above + count) * scale
                part = costs.index(min(costs))
                for entry in entries:
                    over[labels[entry]][part] += rows[entry]
                given.append((part, profile))
        np.add.at(self.units, tuple(np.array(given, np.int64).reshape(-1, 2).T), 1)
        self._over = np.array(over).T.copy()

    def improve(self) -> None:
        """Move units and swap pairs of units while this lowers the sum; an empty part gets a unit first."""
        profiles = self._profiles
        squares = profiles.rows * profiles.rows
        self._fixed = np.array([profiles.sums(squares * weight[profiles.label]) for weight in self._weight])
        self._slope = np.empty_like(self._fixed)
        self._note_slopes(range(len(self.units)))
        for part in np.flatnonzero(self.units.sum(axis=1) == 0).tolist():
            self._apply([self._best_move(into=part)[1]])
        while self._left > 0:
            change, move = self._best_move()
            moves: Sequence[_Move] = [move] if change < -_NOTHING else self._best_swap()
            if not moves:
                return
            self._apply(moves)

    def _note_slopes(self, parts: Iterable[int]) -> None:
        """Store how much a further unit of each profile changes the sum of these parts, to first order."""
        profiles = self._profiles
        for part in parts:
            each = 2.0 * self._weight[part] * self._over[part]
            self._slope[part] = profiles.sums(profiles.rows * each[profiles.label])

    def _apply(self, moves: Sequence[_Move]) -> None:
        profiles = self._profiles
        for profile, source, target in moves:
            span = slice(profiles.starts[profile], profiles.starts[profile + 1])
            self.units[source, profile] -= 1
            self.units[target, profile] += 1
            self._over[source, profiles.label[span]] -= profiles.rows[span]
            self._over[target, profiles.label[span]] += profiles.rows[span]
        self._note_slopes({part for move in moves for part in move[1:]})

    def _changes(self) -> tuple[Floats, Floats]:
        """Return the changes of the sum if a unit leaves a part (infinite if there is none), or joins it.

        Both have the shape (k, p), for a unit of each profile.
        """
        return np.where(self.units > 0, self._fixed - self._slope, np.inf), self._fixed + self._slope

    def _best_move(self, into: int | None = None) -> tuple[float, _Move]:
        """Return the move that lowers the sum most, after the change of the sum; `into` is the only target, if set."""
        leaving, coming = self._changes()
        self._left -= len(self._profiles.label) + 2 * coming.size
        leaving[self.units.sum(axis=1) <= 1] = np.inf  # no part may become empty
        if into is not None:
            coming[np.arange(len(coming)) != into] = np.inf
        places = np.arange(coming.shape[1])
        found = []
        for _ in range(2):  # to the best target, then to the second best, for which the best can be the source
            target = coming.argmin(axis=0)
            others = leaving.copy()
            others[target, places] = np.inf
            source = others.argmin(axis=0)
            changes = others[source, places] + coming[target, places]
            profile = int(changes.argmin())
            found.append((float(changes[profile]), _Move(profile, int(source[profile]), int(target[profile]))))
            coming[target, places] = np.inf
        return min(found)

    def _best_swap(self) -> Sequence[_Move]:
        """Return the two moves of a swap that lowers the sum; an empty sequence if none is found.

        For each pair of parts, swaps are tried among the profiles whose single moves lower the sum most, or raise it
        least. Parts with greater differences from the wanted rows are tried first.
        """
        if len(self._profiles.label) > _SMALL and np.abs(self._over).max() < 1.0:
            return ()
        leaving, coming = self._changes()
        costs = np.diff(self._costs[self._over.shape[1] - 1 :: self._over.shape[1]], prepend=0.0)
        for rank, first in enumerate(order := np.argsort(-costs, kind="stable").tolist()):
            best: tuple[float, Sequence[_Move]] = (-_NOTHING, ())
            for second in order[rank + 1 :]:
                there, back = leaving[first] + coming[second], leaving[second] + coming[first]
                going, returning = _nearest(there), _nearest(back)
                self._left -= _PAIR * len(there)
                changes = there[going][:, None] + back[returning] - self._overlap(going, returning, first, second)
                if changes.size and changes.min() < best[0]:
                    one, other = divmod(int(changes.argmin()), len(returning))
                    moves = _Move(int(going[one]), first, second), _Move(int(returning[other]), second, first)
                    best = float(changes.min()), moves
            if best[1] or self._left <= 0:
                return best[1]
        return ()

    def _overlap(self, going: Integers, returning: Integers, first: int, second: int) -> Floats:
        """Return the cost of two moves less the cost of their swap, in which labels that both units have cancel out."""
        scale = 2.0 * (self._weight[first] + self._weight[second])
        (labels, here), (others, there) = self._profiles.table(going), self._profiles.table(returning)
        found = np.zeros((len(going), len(returning)))
        shared = np.intersect1d(labels, others, return_indices=True)
        for label, row, beside in zip(*(each.tolist() for each in shared), strict=True):
            found += (scale[label] * here[row])[:, None] * there[beside]  # a matrix product may add in any order
        return found


def _nearest(changes: Floats) -> Integers:
    """Return the places of the least finite numbers, at most `_NEAREST`."""
    bound = np.inf if len(changes) <= _NEAREST else np.partition(changes, _NEAREST - 1)[_NEAREST - 1]
    return np.flatnonzero((changes <= bound) & np.isfinite(changes))[:_NEAREST]
