"""Count a population once: how many rows have which labels, match which arms, and have which weight.

`report` and `explain` compute their numbers from these few cells. `population` defines the rows that are counted,
`arms` computes weights from arms, and `sampling.inclusion` computes how often rows are expected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.lazyframe.group_by import LazyGroupBy

from tql_frames.analysis.arms import Arms
from tql_frames.analysis.population import Population
from tql_frames.compiler import CompiledSampler
from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.statements import Names
from tql_frames.errors import TQLError, reason_of
from tql_frames.frames import PolarsFrame
from tql_frames.frames.polars import check_process
from tql_frames.pipeline.draw import DrawSpec
from tql_frames.pipeline.weights import Weigher
from tql_frames.sampling import Floats, Integers, Positions, StrataTable
from tql_frames.sampling.inclusion import effective_rows, expected_distinct, expected_draws

_WORD = 32  # arms that one number encodes


@dataclass(frozen=True)
class Cells:
    """A population in cells: rows that have the same labels and match the same arms.

    Attributes:
        labels: shape (c,), a value or a list of values per cell; None if no labels were requested.
        matched: shape (c, arms), which arms the rows of a cell match.
        rows: shape (c,), number of rows.
        share: shape (c,), the weight of the rows as a share of the total weight.
        without: shape (arms, c), the shares by the sampler without an arm; NaN if that sampler draws nothing.
        expected: shape (c,), how often the rows are expected among the draws.
        distinct: how many different rows are expected among the draws.
        repeats: how often the most probable row is expected.
        effective: effective sample size (Kish): number of rows of equal weight with the same variance.
        drawn: shape (c,), how often the rows were drawn, or None.
        decides: shape (arms,), number of rows whose weight each arm decides.
        table: the strata of the population.
        size: number of draws.
    """

    labels: pl.Series | None
    matched: NDArray[np.bool_]
    rows: Integers
    share: Floats
    without: Floats
    expected: Floats
    distinct: float
    repeats: float
    effective: float
    drawn: Integers | None
    decides: Integers
    table: StrataTable
    size: int


@dataclass(frozen=True)
class ArmCounts:
    """Rows by arm and by weight, without a request for draws.

    Attributes:
        matched: shape (arms,), rows that each arm matches.
        decides: shape (arms,), rows whose weight each arm decides.
        shares: shape (arms,), the weight of those rows as a share of the total weight; NaN if all weights are 0.
        table: the strata of the population.
    """

    matched: Integers
    decides: Integers
    shares: Floats
    table: StrataTable


def count_arms(population: Population, arms: Arms) -> ArmCounts:
    """Count a population by its arms and weights, in one pass over its rows; the weights may all be 0.

    Raises:
        WeightError: a weight is negative, NaN or infinite.
        TQLError: the sampler cannot be evaluated.
    """
    assert population.sampler is not None
    counting = _Counting(population, arms, by_weight=True, without=False)
    try:
        counted = counting.read(counting.collect())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        raise Weigher(population.sampler).not_evaluated(reason_of(fault)) from None
    decides, each = counting.decides(counted), counting.weight_of_row(counted)
    assert each is not None
    scaled = each / (each.max(initial=0.0) or 1.0)  # so that their sum does not overflow
    with np.errstate(invalid="ignore"):
        shares = (scaled @ decides) / (scaled @ counted.rows)
    return ArmCounts(counted.rows @ counted.matched, decides.sum(axis=0), shares, counting.table(counted))


def count_cells(
    population: Population,
    arms: Arms,
    spec: DrawSpec,
    *,
    positions: Positions | None = None,
    parts: Sequence[pl.DataFrame] | None = None,
) -> Cells:
    """Count a population, in one pass over its rows if the arms determine the weights, else in two.

    Args:
        population: the rows.
        arms: the arms of its sampler.
        spec: the request for draws.
        positions: positions of the rows that were drawn, in the source of the population.
        parts: results of `count_part` for each part of the population; the plan is then not run.

    Raises:
        WeightError: a weight is invalid, or no row can be drawn.
        TQLError: Polars cannot evaluate the plan, or the sum of the weights overflows.
    """
    counting = _Counting(population, arms, by_weight=not spec.replace or parts is not None, positions=positions)
    with _faults_told():
        counted = counting.read(counting.collect() if parts is None else counting.together(parts))
        table = counting.table(counted)
    weight = counting.weight(counted)
    if population.sampler is not None and table.rows and not weight.any():
        raise Weigher(population.sampler).no_row(table.rows)
    with np.errstate(over="ignore"):
        overflow = not np.isfinite(weight.sum())
    if overflow:
        raise TQLError("the sum of the weights is beyond the range of numbers", hint="divide them by a constant")
    share, without = _shares(weight), _shares(counting.weight_without(counted))
    each = counting.weight_of_row(counted)
    decides = counting.decides(counted).sum(axis=0)
    if population.expected is not None:
        expected, drawn, squares, repeats = counting.expected(counted)
        total = float(expected.sum())
        size, distinct = round(total), float(drawn.sum())  # with units it need not be a whole number
        effective = total**2 / float(squares.sum()) if total else 0.0
        without = np.full_like(without, np.nan)  # no longer shares of one line
        share = expected / total if total else share
    else:
        size = spec.size(table.rows)
        size = size if spec.replace else min(size, table.drawable)
        expected, distinct, repeats, effective = size * share, 0.0, 0.0, 0.0
        if table.drawable:
            of_row = expected_draws(table, size, replace=spec.replace)
            if not spec.replace and each is not None:
                expected = counted.rows * of_row[np.searchsorted(table.weights, each)]
            distinct = expected_distinct(table, size, replace=spec.replace)
            repeats, effective = float(of_row.max()), effective_rows(table)
    return Cells(
        labels=counted.labels,
        matched=counted.matched,
        rows=counted.rows,
        share=share,
        without=without,
        expected=expected,
        distinct=distinct,
        repeats=repeats,
        effective=effective,
        drawn=counted.drawn,
        decides=decides,
        table=table,
        size=size,
    )


def count_part(population: Population, arms: Arms) -> pl.DataFrame:
    """Return the counts of a part of a population, which `count_cells` adds to those of other parts.

    Raises:
        TQLError: Polars cannot evaluate the plan.
    """
    counting = _Counting(population, arms, by_weight=True)
    with _faults_told():
        return counting.collect()


@contextmanager
def _faults_told() -> Iterator[None]:
    """Convert errors of Polars to an error that names the counting of rows."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        raise TQLError(f"the rows cannot be counted: {reason_of(fault)}") from None


def collect_groups(plan: pl.LazyFrame) -> pl.DataFrame:
    """Run a plan that groups rows, with as few rows in memory as possible.

    Raises:
        PolarsError: the plan cannot be run.
    """
    check_process()
    # Up to Polars 1.31, streams of categories cannot be grouped: their batches seem to come from different sources.
    in_memory = not hasattr(pl, "Categories") and pl.Categorical in plan.clone().collect_schema().dtypes()
    return plan.collect(engine="in-memory" if in_memory else "streaming")


@dataclass(frozen=True)
class _Counted:
    """The result of the query, by cell."""

    labels: pl.Series | None
    matched: NDArray[np.bool_]
    rows: Integers
    drawn: Integers | None
    sums: pl.DataFrame


class _Counting:
    """The query that counts: the keys that separate cells, and sums over the rows of each cell."""

    def __init__(
        self,
        population: Population,
        arms: Arms,
        *,
        by_weight: bool,
        positions: Positions | None = None,
        without: bool = True,
    ) -> None:
        self._plan, self._sampler, self._arms = population.plan, population.sampler, arms
        # Whether weights must be evaluated row by row; without replacement, expected draws are not proportional to
        # weights, so the cells are also separated by weight.
        self._by_row = self._sampler is not None and not arms.decide
        self._by_weight = self._by_row and by_weight
        names = Names.apart_from(self._plan.clone().collect_schema())
        self._label, self._rows, self._drawn = names.new("label"), names.new("rows"), names.new("drawn")
        self._weight, self._bad, self._any = names.new("weight"), names.new("bad"), names.new("any")
        self._times = population.times
        self._each: pl.Expr | None = None  # the weight of a row
        self._words = {names.new("arms"): first for first in range(0, len(arms), _WORD)}
        self._keys = {name: arms.number(first, _WORD) for name, first in self._words.items()}
        self._sums: dict[str, pl.Expr] = {}
        self._without: list[str] = []
        self._deciders: list[str] = []
        self._weighed: tuple[_Counted, Floats] | None = None  # where weights follow from the arms
        self._labels = population.label
        if self._labels is not None:
            self._keys[self._label] = self._labels.expr
        if self._by_row:
            assert self._sampler is not None
            weight = self._sampler.weight if isinstance(self._sampler, CompiledSampler) else self._sampler
            self._each = weight
            (self._keys if self._by_weight else self._sums)[self._weight] = (
                weight if self._by_weight else self._of_all(weight)
            )
            self._sums[self._bad] = Weigher(self._sampler).bad.cast(pl.UInt32)
            if without:
                self._without = [names.new("without") for _ in range(len(arms))]
                self._sums |= dict(zip(self._without, map(self._of_all, arms.without()), strict=True))
            self._deciders = [names.new("decides") for _ in range(len(arms))]
            flags = [arm.condition for arm in arms.compiled]
            for decider in arms.deciders:
                number = names.new("decider")
                self._plan = self._plan.with_columns(decider.number.alias(number))
                for n, place in enumerate(decider.places):
                    flags[place] = (column(number) == n).fill_null(False)
            self._sums |= {n: self._of_all(f.cast(pl.Int64)) for n, f in zip(self._deciders, flags, strict=True)}
        self._expected: list[str] = []
        if population.expected is not None:
            once, drawn = population.expected
            exprs = {"expected": once, "included": drawn, "squares": once * once, "greatest": once}
            self._expected = [names.new(name) for name in exprs]
            self._sums |= dict(zip(self._expected, exprs.values(), strict=True))
        if positions is not None:
            assert population.row is not None
            self._sums[self._drawn] = _times(positions, population.row)
        self._keys = self._keys or {self._any: pl.lit(True)}

    def _of_all(self, weight: pl.Expr) -> pl.Expr:
        """Return the total weight of all rows that a row represents."""
        return weight if self._times is None else weight * self._times

    def collect(self) -> pl.DataFrame:
        """Run the query."""
        sums = [column(name).max() if name in self._expected[3:] else column(name).sum() for name in self._sums]
        found = collect_groups(self._grouped(self._keys, self._sums).agg(self._number, *sums))
        if self._labels is not None:
            self._labels.check(found[self._label], self._plan)
        return found

    def _grouped(self, keys: Mapping[str, pl.Expr], sums: Mapping[str, pl.Expr]) -> LazyGroupBy:
        exprs = {**keys, **sums, **({} if self._times is None else {self._rows: self._times})}
        plan = self._plan.with_columns(**exprs).select([column(name) for name in exprs])
        return plan.group_by([column(name) for name in keys])

    @property
    def _number(self) -> pl.Expr:
        """Number of rows in a group."""
        return pl.len().alias(self._rows) if self._times is None else column(self._rows).sum()

    def together(self, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """Return the result of the query for a whole population, from its results for each part."""
        wide = [column(name).cast(pl.Int64) for name in (self._rows, self._bad) if name == self._rows or self._by_row]
        cells = pl.concat([part.with_columns(wide) for part in parts], how="vertical_relaxed")
        return cells.group_by([column(name) for name in self._keys]).agg(
            [column(name).sum() for name in (self._rows, *self._sums)]
        )

    def read(self, counts: pl.DataFrame) -> _Counted:
        """Return the result of the query, with checked weights.

        Raises:
            WeightError: a weight is negative, NaN or infinite.
        """
        # Groups come in any order, and sums of floats depend on order: after sorting, only equal cells can swap places.
        counts = counts.sort([name for name in counts.columns if name != self._label])
        rows = counts[self._rows].to_numpy().astype(np.int64)
        bits = [counts[name].to_numpy()[:, None] >> np.arange(_WORD, dtype=np.uint32) & 1 for name in self._words]
        matched = np.hstack([np.zeros((len(rows), 0), np.uint32), *bits])[:, : len(self._arms)].astype(np.bool_)
        labels = None if self._labels is None else self._labels.labels(counts[self._label])
        drawn = counts[self._drawn].to_numpy().astype(np.int64) if self._drawn in self._sums else None
        counted = _Counted(labels, matched, rows, drawn, counts)
        self._check(counted)
        return counted

    def _check(self, counted: _Counted) -> None:
        if self._sampler is None:
            return
        weigher = Weigher(self._sampler)
        each = self.weight_of_row(counted)
        bad = self._by_row and counted.sums[self._bad].to_numpy().any()
        if bad or weigher.has_bad_constant or not (each is None or np.isfinite(each).all()):
            weigher.weigh(PolarsFrame(self._plan.collect()))  # raises the error that describes the wrong weights

    def weight_of_row(self, counted: _Counted) -> Floats | None:
        """Return the weight of each row of a cell, shape (c,); None if rows of a cell differ in weight."""
        if self._sampler is None:
            return np.ones(len(counted.rows))
        if not self._by_row:
            if self._weighed is None or self._weighed[0] is not counted:
                self._weighed = counted, self._arms.weights(counted.matched)
            return self._weighed[1]
        return counted.sums[self._weight].to_numpy() if self._by_weight else None

    def weight(self, counted: _Counted) -> Floats:
        """Return the total weight of the rows of each cell, shape (c,)."""
        each = self.weight_of_row(counted)
        if each is None:
            return counted.sums[self._weight].to_numpy()
        with np.errstate(over="ignore"):  # the caller raises an error for infinite sums
            return counted.rows * each

    def weight_without(self, counted: _Counted) -> Floats:
        """Return the total weights by the sampler without each of its arms, shape (arms, c)."""
        if not self._by_row:
            with np.errstate(over="ignore"):
                return counted.rows * self._arms.weights_without(counted.matched)
        found = [counted.sums[name].to_numpy() for name in self._without]
        return np.array(found).reshape(len(self._without), len(counted.rows))

    def expected(self, counted: _Counted) -> tuple[Floats, Floats, Floats, float]:
        """Return three sums over the rows of each cell, shape (c,), and the greatest expected draws of a row.

        The sums are of the expected draws of a row, of the probability that it is drawn, and of its squared expected
        draws.
        """
        once, drawn, squares, greatest = (counted.sums[name].to_numpy() for name in self._expected)
        return once, drawn, squares, float(greatest.max(initial=0.0))

    def decides(self, counted: _Counted) -> Integers:
        """Return the number of rows of each cell whose weight each arm decides, shape (c, arms)."""
        if self._by_row:
            sums = [counted.sums[name].to_numpy() for name in self._deciders]
            return np.array(sums, np.int64).reshape(len(sums), len(counted.rows)).T
        if not len(self._arms):
            return np.zeros((len(counted.rows), 0), np.int64)
        found: Integers = counted.rows[:, None] * self._arms.deciding(counted.matched)
        return found

    def table(self, counted: _Counted) -> StrataTable:
        """Return the strata of the population."""
        each, rows = self.weight_of_row(counted), counted.rows
        if each is None:
            assert self._each is not None
            found = collect_groups(self._grouped({self._weight: self._each}, {}).agg(self._number))
            each, rows = found[self._weight].to_numpy(), found[self._rows].to_numpy().astype(np.int64)
        weights, places = np.unique(each, return_inverse=True)
        counts = np.zeros(len(weights), np.int64)
        np.add.at(counts, places, rows)
        return StrataTable(weights, counts)


def _times(positions: Positions, row: pl.Expr) -> pl.Expr:
    """Return how often each row is among the positions, UInt32."""
    counts = np.bincount(positions, minlength=1).astype(np.uint32)
    last = len(counts) - 1
    times = pl.lit(pl.Series(counts)).gather(pl.min_horizontal(row, pl.lit(last)))
    return pl.when(row <= last).then(times).otherwise(pl.lit(0, pl.UInt32))


def _shares(weights: Floats) -> Floats:
    """Return weights along the last axis as shares of their sum; NaN if the sum is 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        return weights / weights.sum(axis=-1, keepdims=True)  # type: ignore[no-any-return]
