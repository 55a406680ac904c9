"""A sample of a frame in partitions without an engine: each step on its own rows, everything pickled on the way."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import polars as pl

from tql_frames.distributed import Counts, Drawing, Drawn, Sampler, draw_shares, questions, starts_of
from tql_frames.frames import PolarsFrame
from tql_frames.pipeline.draw import DrawSpec

Thing = TypeVar("Thing")


def sent(thing: Thing) -> Thing:
    """What arrives on another machine."""
    found: Thing = pickle.loads(pickle.dumps(thing))
    return found


def cut(frame: pl.DataFrame, bounds: Sequence[int]) -> list[pl.DataFrame]:
    """The rows between bounds, the first from 0 and the last to the end."""
    edges = [0, *sorted(bounds), frame.height]
    return [frame[first:stop] for first, stop in pairwise(edges)]


def counted(parts: Sequence[pl.DataFrame], sampler: Sampler) -> list[Counts]:
    """The first pass."""
    starts = starts_of([part.height for part in parts])
    return [
        sent(sampler.count(PolarsFrame(part), start)) if part.height else Counts(0)
        for part, start in zip(parts, starts, strict=True)
    ]


def drawn(
    parts: Sequence[pl.DataFrame], text: str | pl.Expr, limit: object, *, replace: bool, seed: int, **options: Any
) -> tuple[Sampler, Drawn]:
    """All passes but the last."""
    expected = options.pop("expected", False)
    spec = DrawSpec.checked(limit, options.pop("fraction", None), replace, seed, **options)
    sampler = sent(Sampler.of(text, parts[0].columns, seed, spec=spec, expected=expected))
    how = sent(Drawing(sampler, spec, expected))
    counts = counted(parts, sampler)
    starts = starts_of([part.height for part in parts])
    asked = zip(sent(questions(counts, how)), parts, starts, strict=True)
    answers = [None if each is None else sampler.answer(each, PolarsFrame(part), at) for each, part, at in asked]
    return sampler, draw_shares(counts, sent(answers), how)


def positions(
    parts: Sequence[pl.DataFrame], text: str | pl.Expr, limit: object, *, replace: bool, seed: int, **options: Any
) -> list[int]:
    """Numbers of the drawn rows among those of all partitions, in order."""
    sampler, found = drawn(parts, text, limit, replace=replace, seed=seed, **options)
    each = [
        sampler.positions_and_expected(PolarsFrame(part), sent(share))[0].astype(np.int64) + share.first
        for part, share in zip(parts, found.shares, strict=True)
    ]
    return np.concatenate(each).tolist()


def positions_and_expected(
    parts: Sequence[pl.DataFrame], text: str | pl.Expr, limit: object, *, replace: bool, seed: int, **options: Any
) -> tuple[list[int], list[float]]:
    """The same, and how often each of these rows was to be expected."""
    sampler, found = drawn(parts, text, limit, replace=replace, seed=seed, expected=True, **options)
    rows: list[int] = []
    times: list[float] = []
    for part, share in zip(parts, found.shares, strict=True):
        own, each = sampler.positions_and_expected(PolarsFrame(part), sent(share))
        assert each is not None
        rows += (own.astype(np.int64) + share.first).tolist()
        times += each.tolist()
    return rows, times
