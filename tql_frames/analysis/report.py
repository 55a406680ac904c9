"""Report the effect of samplers on labels and arms, as tables, text, HTML and charts.

The numbers come from `contingency`; the package `analysis.display` formats them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np
import polars as pl

from tql_frames.analysis.arms import OF_ROWS, Arms
from tql_frames.analysis.contingency import Cells, collect_groups, count_cells
from tql_frames.analysis.display.plot import bar_chart
from tql_frames.analysis.display.table import (
    Plain,
    Shown,
    as_html,
    as_text,
    co_movement,
    effects,
    in_words,
    name_of,
    plain,
    records,
)
from tql_frames.analysis.label_columns import LabelColumns
from tql_frames.analysis.labels import Labels
from tql_frames.analysis.population import Population, population_of
from tql_frames.analysis.solver import NO_LABEL
from tql_frames.compiler import CompiledSampler
from tql_frames.compiler.expressions.functions import FUNCTIONS
from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.statements import Names
from tql_frames.errors import TQLError, WeightError, warn
from tql_frames.frames import PolarsFrame, Rows
from tql_frames.frames.polars import check_process
from tql_frames.language import nodes, parse
from tql_frames.pipeline.draw import DrawSpec
from tql_frames.pipeline.idle_arms import Planned, idle_warnings
from tql_frames.sampling import Floats, Integers, Positions

if TYPE_CHECKING:
    import pandas as pd

Table: TypeAlias = "pl.DataFrame | pd.DataFrame"
TableOf = TypeVar("TableOf", pl.DataFrame, "pd.DataFrame")
"""Type of the tables of a report: of the frame's library, Polars for a LazyFrame."""


@dataclass(frozen=True, eq=False, repr=False)
class Report(Generic[TableOf]):
    """Effect of a sampler on a frame: as frames, as text (`print`), as HTML in notebooks, and as a chart (`plot`).

    Attributes:
        by: the column of labels, the columns as a tuple, or None.
        sampler: its text, or None for equal weights.
        rows: rows that are drawn from.
        size: number of draws.
        replace: whether with replacement.
        effective_rows: effective sample size of the weights (Kish): this many rows of equal weight are worth as much.
        expected_distinct: how many different rows are expected among the draws.
        repeats: how often the most probable row is expected among the draws.
        labels: one row per label, the most frequent first: `label`, `rows` that show it, their `share` of all rows, the
            exact `expected_share` and `expected_count` of the draws, the `factor` between the shares, and the
            `requested_weight`: the weight of an arm that matches exactly the rows with the label, or null. For a view
            also `drawn` and `drawn_share`. None without `by`.
        arms: the same columns with one row per arm. `requested_weight` is the weight of the arm if it is a constant,
            and `decides` counts the rows whose weight comes from the arm: in max_weight the rows where it has the
            greatest weight, among equal weights a default or else the first arm; in sum_weight all rows that it
            matches. None without arms.
        co_movement: one row per label, one column per arm: the expected share of the label, divided by its expected
            share under the sampler without the arm; above 1, the arm upsamples the label. Null if the sampler without
            the arm draws nothing. None for samples by group or unit.

    Examples:
        >>> df = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]})
        >>> report = df.tql.report("max_weight(view = 'AP': 3, True: 1)", by="view")
        >>> report.labels.select("label", "share", "expected_share", "factor").rows()
        [('PA', 0.75, 0.5, 0.6666666666666666), ('AP', 0.25, 0.5, 2.0)]
        >>> report.effective_rows
        3.0
    """

    by: str | tuple[str, ...] | None
    sampler: str | None
    rows: int
    size: int
    replace: bool
    effective_rows: float
    expected_distinct: float
    repeats: float
    labels: TableOf | None
    arms: TableOf | None
    co_movement: TableOf | None
    _tables: tuple[pl.DataFrame | None, pl.DataFrame | None, pl.DataFrame | None]
    _moving: tuple[int, ...]  # numbers of the arms in `co_movement`, from 1

    def __str__(self) -> str:
        return as_text(self._shown(), self._sentences())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(self._shown(), self._sentences())

    def plot(self, *, log: bool = False) -> Any:
        """Draw bars of the raw, expected and drawn counts of each label, or of each arm if the report has no labels.

        Labels that are numbers, dates or times are in their order, others by frequency. If there are more than 40,
        the chart shows those that change most.

        Args:
            log: use a logarithmic axis, which shows rare labels.

        Returns:
            An `altair.Chart`, which notebooks show without a network; `chart.save("labels.svg")` writes it.

        Raises:
            TQLError: Altair is not installed, or there is nothing to show.

        Examples:
            >>> df = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]})
            >>> report = df.tql.report("max_weight(view = 'AP': 3, True: 1)", by="view")
            >>> chart = report.plot(log=True)
            >>> sorted(chart.to_dict())[0]
            '$schema'
        """
        return self.plot_beside({}, log=log)

    def plot_beside(self, targets: Mapping[str | None, float], *, log: bool = False) -> Any:
        """Draw the same chart with bars of wanted counts.

        Args:
            targets: the wanted share of draws, by label as text; none for no such bars.
            log: as in `plot`.

        Examples:
            >>> df = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]})
            >>> report = df.tql.report("max_weight(view = 'AP': 3, True: 1)", by="view")
            >>> chart = report.plot_beside({"AP": 0.5})
            >>> sorted(chart.to_dict())[0]
            '$schema'
        """
        check_process()
        labels, arms, _ = self._tables
        table, name = (labels, "label") if labels is not None else (arms, "arm")
        if table is None:
            raise TQLError("there are neither labels nor arms to plot", hint="name a column of labels: by='findings'")
        if table[name].dtype.is_numeric() or table[name].dtype.is_temporal():
            table = table.sort(name, nulls_last=True)
        columns = {"expected_count": "expected", "drawn": "drawn"}
        chosen = [pl.col(column).alias(as_) for column, as_ in columns.items() if column in table.columns]
        raw, title = pl.col("rows"), f"Rows by {self._title}"
        if chosen and self.size != self.rows:  # beside counts of the table, bars of a small sample would be invisible
            raw, title = pl.col("share") * self.size, f"{title} (raw, scaled to {self.size:,} rows)"
        if targets:
            wanted = [targets.get(name_of(label)) for label in table[name]]
            chosen.append((self.size * pl.lit(pl.Series(wanted, dtype=pl.Float64))).alias("target"))
        shown = table.select(pl.col(name).cast(pl.String).alias("label"), raw.alias("rows"), *chosen)
        return bar_chart(shown, title=title, label_title=self._title, none=NO_LABEL, log=log)

    def to_dict(self) -> dict[str, Plain]:
        """Return the report as values that `json.dumps` writes.

        Returns:
            The attributes by name; `labels`, `arms` and `co_movement` are lists with a dictionary for each row, or
            None. Labels that are dates or times are ISO text. A sampler with values for its `?` has them in
            `parameters`.

        Examples:
            >>> report = pl.DataFrame({"view": ["PA", "PA", None]}).tql.report(by="view")
            >>> report.to_dict()["labels"][1]
            {'label': None, 'rows': 1, 'share': 0.3333333333333333}
        """
        names = ("by", "sampler", "rows", "size", "replace", "effective_rows", "expected_distinct", "repeats")
        tables = dict(zip(("labels", "arms", "co_movement"), map(records, self._tables), strict=True))
        found = {name: plain(getattr(self, name)) for name in names}
        if (values := getattr(self.sampler, "parameters", None)) is not None:
            found.update(sampler=str(self.sampler), parameters=plain(list(values)))
        return {**found, **tables}

    def arms_as_text(self) -> str:
        """Return the table of arms as text.

        Examples:
            >>> df = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]})
            >>> report = df.tql.report("max_weight(view = 'AP': 3, True: 1)", by="view")
            >>> print(report.arms_as_text())
            arm                rows  decides    share  expected share  expected draws  requested weight  factor
            1 view == 'AP': 3     1        1   25.00%          50.00%             2.0                 3       2
            2 true: 1             4        3  100.00%         100.00%             4.0                 1       1
        """
        return as_text([self._shown_arms()], [])

    def arms_as_html(self) -> str:
        """Return the table of arms as HTML for notebooks.

        Examples:
            >>> df = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]})
            >>> report = df.tql.report("max_weight(view = 'AP': 3, True: 1)", by="view")
            >>> "<table" in report.arms_as_html()
            True
        """
        return as_html([self._shown_arms()], [])

    @property
    def _title(self) -> str:
        return "arm" if self.by is None else LabelColumns.title_of(self.by)

    def _shown_arms(self) -> Shown:
        _, arms, _ = self._tables
        assert arms is not None
        check_process()
        return effects(arms.with_columns(pl.format("{} {}", pl.int_range(1, pl.len() + 1), "arm").alias("arm")), "arm")

    def _shown(self) -> list[Shown]:
        check_process()
        labels, arms, moves = self._tables
        shown = [] if labels is None else [effects(labels, self._title)]
        if arms is None:
            return shown
        shown.append(self._shown_arms())
        if moves is not None:
            shown.append(co_movement(moves, self._title, self._moving))
        return shown

    def _sentences(self) -> list[str]:
        if self.sampler is None:
            return [f"{self.rows:,} rows"]
        return in_words(
            self.rows,
            self.size,
            replace=self.replace,
            effective=self.effective_rows,
            distinct=self.expected_distinct,
            repeats=self.repeats,
        )


def report_on(
    population: Population,
    by: LabelColumns | None,
    spec: DrawSpec,
    *,
    positions: Positions | None = None,
    pandas: bool = False,
    parts: Sequence[pl.DataFrame] | None = None,
) -> Report[Any]:
    """Count a population and report what its sampler does.

    Args:
        population: the rows, with their labels if requested.
        by: the columns of labels.
        spec: the request for draws.
        positions: the rows that were drawn.
        pandas: return the tables as pandas frames.
        parts: results of `count_part` for each part of the population; its rows are then not read.

    Raises:
        TQLError: a weight is invalid, no row can be drawn, or the plan cannot be evaluated.
    """
    arms = Arms(population.sampler, population.compile)
    cells = count_cells(population, arms, spec, positions=positions, parts=parts)
    if isinstance(population.sampler, CompiledSampler) and cells.table.rows:
        rows = None if parts is not None else Planned(population.plan)
        matched = (cells.rows @ cells.matched).tolist()
        for warning in idle_warnings(population.sampler, rows, matched, cells.decides.tolist()):
            warn(warning)
    labels = None if cells.labels is None else Labels.of(cells.labels, cells.rows)
    tables = (
        None if labels is None else _label_table(labels, cells, arms, weighted=population.sampler is not None),
        _arm_table(cells, arms) if len(arms) else None,
        _co_movement(labels, cells, arms)
        if labels is not None and not arms.defaults.all() and population.expected is None
        else None,
    )
    native = tuple(table.to_pandas() if pandas and table is not None else table for table in tables)
    return Report(
        by=None if by is None else by.by,
        sampler=population.text,
        rows=cells.table.rows,
        size=cells.size,
        replace=spec.replace,
        effective_rows=cells.effective,
        expected_distinct=cells.distinct,
        repeats=cells.repeats,
        labels=native[0],
        arms=native[1],
        co_movement=native[2],
        _tables=tables,
        _moving=tuple((np.flatnonzero(~arms.defaults) + 1).tolist()),
    )


def _label_table(labels: Labels, cells: Cells, arms: Arms, *, weighted: bool) -> pl.DataFrame:
    requested = _requested_weights(labels, cells, arms) if weighted else None
    return _effects(labels.values.alias("label"), labels.sets.totals, cells, requested)


def _arm_table(cells: Cells, arms: Arms) -> pl.DataFrame:
    names = pl.Series("arm", [" ".join(arm.text.split()) for arm in arms.compiled], pl.String)
    requested = np.array([np.nan if arm.constant is None else arm.constant for arm in arms.compiled])
    table = _effects(names, lambda values: (values @ cells.matched).astype(np.float64), cells, requested)
    return table.insert_column(2, pl.Series("decides", cells.decides, pl.Int64))


def _effects(
    names: pl.Series, sum_of: Callable[[Floats | Integers], Floats], cells: Cells, requested: Floats | None
) -> pl.DataFrame:
    """Return one row per name with its rows, expected draws and drawn rows; no expected draws without `requested`."""
    rows, expected = sum_of(cells.rows), sum_of(cells.expected)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = rows / cells.table.rows
        columns: dict[str, Any] = {names.name: names, "rows": rows.astype(np.int64), "share": share}
        if requested is not None:
            total = cells.expected.sum()
            after = np.minimum(expected / total if total > 0 else sum_of(cells.share), 1.0)  # rounding can exceed 1
            columns |= {"expected_share": after, "expected_count": expected}
            columns |= {"requested_weight": requested, "factor": after / share}
        if cells.drawn is not None:
            drawn = sum_of(cells.drawn)
            columns |= {"drawn": drawn.astype(np.int64), "drawn_share": drawn / cells.drawn.sum()}
    return pl.DataFrame(columns).with_columns(pl.selectors.float().exclude(names.name).fill_nan(None))


def _requested_weights(labels: Labels, cells: Cells, arms: Arms) -> Floats:
    """Return, for each label, the weight of the arm that matches exactly its rows; NaN if there is none."""
    requested = np.full(len(labels.values), np.nan)
    there = cells.rows > 0
    for place, arm in enumerate(arms.compiled):
        matched = cells.matched[:, place] & there
        if arm.constant is None or not matched.any():
            continue
        first = int(matched.argmax())
        for label in labels.sets.labels[labels.sets.owner == first].tolist():
            if np.isnan(requested[label]) and np.array_equal(labels.sets.having(label) & there, matched):
                requested[label] = arm.constant
    return requested


def _co_movement(labels: Labels, cells: Cells, arms: Arms) -> pl.DataFrame:
    with np.errstate(invalid="ignore", divide="ignore"):
        after = labels.sets.totals(cells.share)
        factors = {
            place: after / labels.sets.totals(cells.without[place]) for place in np.flatnonzero(~arms.defaults).tolist()
        }
    names: dict[str, int] = {}
    for place in factors:
        text = " ".join(arms.compiled[place].text.split())
        names[text if text not in names else f"{text} (arm {place + 1})"] = place
    columns = {"label": labels.values, **{name: factors[place] for name, place in names.items()}}
    return pl.DataFrame(columns).with_columns(pl.selectors.float().exclude("label").fill_nan(None))


_MOST = 200_000  # combinations that are counted without a noticeable delay


@dataclasses.dataclass(frozen=True)
class _Combinations:
    """The distinct rows of some columns, and a column of how often each occurs."""

    rows: PolarsFrame
    times: pl.Expr


class Expectations:
    """Reports on many samplers of one frame, which must not change meanwhile.

    Examples:
        >>> from tql_frames.frames import frame_of
        >>> frame = pl.DataFrame({"age": [71, 34, 65, 20], "view": ["PA", "AP", "PA", "PA"]})
        >>> expectations = Expectations(frame_of(frame), LabelColumns("view"))
        >>> for weight in (2, 3):
        ...     report = expectations.report(f"max_weight(age < 50: {weight}, True: 1)")
        ...     print(report.labels["expected_share"].to_list())
        [0.6666666666666666, 0.3333333333333333]
        [0.625, 0.375]
    """

    def __init__(self, frame: Rows, by: LabelColumns | None) -> None:
        """Store the frame; nothing is counted yet.

        Args:
            frame: adapter of the frame.
            by: the columns of labels; None for the arms alone.
        """
        self._frame = frame
        self._by = by
        self._counted: dict[frozenset[str], _Combinations | None] = {}

    def is_counted(self, sampler: str) -> bool:
        """Return whether a report on a sampler takes only milliseconds, because its columns are counted."""
        names = self._named(sampler)
        return names is not None and self._known(names) is not None

    def report(self, sampler: str, size: int | None = None, *, replace: bool = True) -> Report[Any]:
        """Return the report on a sampler; see `tql_frames.report`.

        Args:
            sampler: TQL text.
            size: number of draws; None for the number of rows.
            replace: whether to draw with replacement.

        Raises:
            TQLError: as `tql_frames.report`.
        """
        spec = DrawSpec(size, replace=replace)
        names = self._named(sampler)
        combinations = None if names is None else self._known(names) or self._count(names)
        if combinations is not None:
            try:
                return self._report(combinations, sampler, spec)
            except WeightError:
                pass  # its message names rows, but these are combinations: the frame itself is weighed below
        population = population_of(self._frame, self._by, sampler, seed=0)
        return report_on(population, self._by, spec)

    def _report(self, combinations: _Combinations, sampler: str, spec: DrawSpec) -> Report[Any]:
        population = population_of(combinations.rows, self._by, sampler, seed=0)
        population = dataclasses.replace(population, times=combinations.times)
        return report_on(population, self._by, spec)

    def _named(self, sampler: str) -> frozenset[str] | None:
        """Return the columns that a sampler and the labels use.

        Return None if rows with equal values in these columns may differ in weight.
        """
        try:
            root = parse(sampler)
        except TQLError:
            root = nodes.Column(sampler)
        calls = [node for node in root.walk() if isinstance(node, nodes.Call)]
        if any(call.name in OF_ROWS or call.name not in FUNCTIONS for call in calls):
            return None
        found = nodes.names_in(root) | set(() if self._by is None else self._by.names)
        return frozenset(name for name in found if name in self._frame.schema)

    def _known(self, names: frozenset[str]) -> _Combinations | None:
        """Return combinations of these columns, or of more."""
        return next((found for known, found in self._counted.items() if names <= known and found is not None), None)

    def _count(self, names: frozenset[str]) -> _Combinations | None:
        """Count the combinations of some columns; return None if there are too many."""
        if names not in self._counted:
            scan = self._frame.scan(names)
            times = Names.apart_from([*names, *scan.labels]).new("times")
            keys = [column(name) for name in sorted(names)]
            if not keys:
                return None
            found = scan.plan.select(keys).group_by(keys).agg(pl.len().alias(times)).head(_MOST + 1)
            rows = collect_groups(found)
            few = rows.height <= _MOST
            self._counted[names] = _Combinations(PolarsFrame(rows), column(times)) if few else None
        return self._counted[names]
