"""Reports on one frame after the other sampler, of which each takes milliseconds: for what shows figures as one types.

Rows that agree in the columns that a sampler names are alike to it. They are counted once; after that a sampler of the
same columns is weighed on the combinations, not on the rows.
"""

from __future__ import annotations

import dataclasses

import polars as pl

from tql_frames.analysis.arms import OF_ROWS
from tql_frames.analysis.contingency import collect_groups
from tql_frames.analysis.population import population_of
from tql_frames.analysis.report import Report, report_on
from tql_frames.compiler.expressions.functions import FUNCTIONS
from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.statements import Names
from tql_frames.errors import TQLError, WeightError
from tql_frames.frames import PolarsFrame, Rows
from tql_frames.language import nodes, parse
from tql_frames.pipeline.draw import DrawSpec

_MOST = 200_000  # combinations that are still far fewer than what makes one wait


@dataclasses.dataclass(frozen=True)
class _Combinations:
    """The different rows of some columns, and a column of how often each is there."""

    rows: PolarsFrame
    times: pl.Expr


class Expectations:
    """What samplers do to the labels of one frame; the frame is not to change meanwhile.

    Example:
        >>> from tql_frames.frames import frame_of
        >>> frame = pl.DataFrame({"age": [71, 34, 65, 20], "view": ["PA", "AP", "PA", "PA"]})
        >>> expectations = Expectations(frame_of(frame), "view")
        >>> for weight in (2, 3):
        ...     report = expectations.report(f"max_weight(age < 50: {weight}, True: 1)")
        ...     print(report.labels["expected_share"].to_list())
        [0.6666666666666666, 0.3333333333333333]
        [0.625, 0.375]
    """

    def __init__(self, frame: Rows, by: str | None) -> None:
        """Note the frame; nothing is counted yet.

        Args:
            frame: its adapter.
            by: the column of labels, or of lists of them; None for the arms alone.
        """
        self._frame = frame
        self._by = by
        self._counted: dict[frozenset[str], _Combinations | None] = {}

    def is_counted(self, sampler: str) -> bool:
        """Return whether a report on a sampler is a matter of milliseconds."""
        names = self._named(sampler)
        return names is not None and self._known(names) is not None

    def report(self, sampler: str, size: int | None = None, *, replace: bool = True) -> Report:
        """Return what a sampler does, as `tql_frames.report` says it.

        Args:
            sampler: TQL text.
            size: number of draws; None for as many as there are rows.
            replace: with or without replacement.

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
                pass  # which tells of rows; these are combinations
        population = population_of(self._frame, self._by, sampler, seed=0)
        return report_on(population, self._by, spec)

    def _report(self, combinations: _Combinations, sampler: str, spec: DrawSpec) -> Report:
        population = population_of(combinations.rows, self._by, sampler, seed=0)
        population = dataclasses.replace(population, times=combinations.times)
        return report_on(population, self._by, spec)

    def _named(self, sampler: str) -> frozenset[str] | None:
        """Return the columns that matter to a sampler.

        It is None where rows that agree in them may differ in their weights.
        """
        try:
            root = parse(sampler)
        except TQLError:
            root = nodes.Column(sampler)
        calls = [node for node in root.walk() if isinstance(node, nodes.Call)]
        if any(call.name in OF_ROWS or call.name not in FUNCTIONS for call in calls):
            return None
        found = {node.name for node in root.walk() if isinstance(node, nodes.Column)}
        return frozenset(name for name in (found | {self._by}) if name is not None and name in self._frame.schema)

    def _known(self, names: frozenset[str]) -> _Combinations | None:
        """Return combinations of these columns, or of more."""
        return next((found for known, found in self._counted.items() if names <= known and found is not None), None)

    def _count(self, names: frozenset[str]) -> _Combinations | None:
        """Count the combinations of some columns; None where there are too many."""
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
