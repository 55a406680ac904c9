"""Report on a frame in partitions: each partition counts its cells, and the driver adds up the cells.

`tql_frames.analysis` computes the report from the cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tql_frames.analysis import LabelColumns, Report, population_of, report_on, sampled_by
from tql_frames.analysis.arms import Arms
from tql_frames.analysis.contingency import count_part
from tql_frames.analysis.population import Population
from tql_frames.distributed.driver import check_weights
from tql_frames.distributed.partition_counts import Counts, schemas_together
from tql_frames.distributed.sampler import Sampler, check_column
from tql_frames.distributed.statement import PartitionStatement
from tql_frames.errors import Fault, TQLError, TQLUnsupportedError
from tql_frames.frames import PolarsFrame, Rows
from tql_frames.language import is_statement, nodes
from tql_frames.pipeline.draw import DrawSpec, refuse_labels_first
from tql_frames.pipeline.weights import sampler_from

if TYPE_CHECKING:
    import pandas as pd

_MOST_CELLS = 1_000_000  # of one partition
_MOST_TOGETHER = 5_000_000  # of all partitions


@dataclass(frozen=True, eq=False)
class Counted:
    """The counts and cells of a partition; the cells are None without rows or with invalid weights."""

    counts: Counts
    cells: pl.DataFrame | None


@dataclass(frozen=True)
class Reporting:
    """A report as the partitions receive it.

    Attributes:
        by: columns of the labels, or None.
        job: the sampler, or a statement with SAMPLE BY; None for equal weights.
    """

    by: LabelColumns | None
    job: Sampler | PartitionStatement | None

    @classmethod
    def of(
        cls, by: object, job: Sampler | PartitionStatement | None, columns: Sequence[str], split: object = None
    ) -> Reporting:
        """Check that partitions can be counted separately, and return the report.

        Raises:
            TQLError: `by` is not a column or a list of columns, or the statement has no SAMPLE BY clause.
            TQLUnsupportedError: the sampler calls `row_number()`, or as `refuse_groups`.
        """
        labels = LabelColumns.checked(by, split)
        for name in labels.names if labels is not None else ():
            check_column(name, columns)
        if isinstance(job, PartitionStatement) and not job.samples:
            message = "the statement has no SAMPLE BY clause"
            raise TQLError(message, source=job.text, span=job.root.span, hint="add SAMPLE BY")
        if isinstance(job, PartitionStatement):
            refuse_groups(job.spec)
        if isinstance(job, Sampler) and isinstance(job.source, str):
            for node in job.root(columns).walk():
                if isinstance(node, nodes.Call) and node.name == "row_number":
                    fault = Fault(TQLUnsupportedError, "row_number() is not supported in reports here", node.span)
                    raise fault.error(job.source)
        return cls(labels, job)

    def names(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that partitions read, in the order of `columns`."""
        used = {
            *(self.by.names if self.by is not None else ()),
            *(self.job.names(columns) if self.job is not None else ()),
        }
        return [name for name in columns if name in used]

    def count(self, frame: Rows, start: int = 0) -> Counted:
        """Return the counts and cells of a partition that has rows; `start` is the number of its first row.

        Raises:
            TQLError: labels or sampler do not fit the partition, or it has too many cells.
        """
        schema = {name: frame.schema[name] for name in self.names(list(frame.schema))}
        counts = Counts(frame.rows, schema=schema) if self.job is None else self.job.count(frame, start)
        counts = Counts(counts.rows, bad=counts.bad, schema=schema)
        if counts.bad is not None:
            return Counted(counts, None)
        population, _ = self._population(frame, start)
        cells = count_part(population, Arms(population.sampler, population.compile))
        _check_cells(cells.height, _MOST_CELLS)
        return Counted(counts, cells)

    def report(self, parts: Sequence[Counted], spec: DrawSpec) -> Report[pd.DataFrame]:
        """Return the report of all partitions, with pandas tables.

        Args:
            parts: the counts and cells of each partition.
            spec: the request for draws; the SAMPLE BY of a statement takes precedence.

        Raises:
            TQLError: a weight is invalid, no row can be drawn, or there are too many cells.
        """
        counts = [part.counts for part in parts]
        if self.job is not None:
            check_weights(counts, self.job)
        frame = PolarsFrame(pl.DataFrame(schema=schemas_together(counts)))
        population, own = self._population(frame)
        cells = [part.cells for part in parts if part.cells is not None and part.cells.height]
        _check_cells(sum(each.height for each in cells), _MOST_TOGETHER)
        report = report_on(population, self.by, own or spec, pandas=True, parts=cells or None)
        return report

    def _population(self, frame: Rows, start: int = 0) -> tuple[Population, DrawSpec | None]:
        """Return the population of rows, and the request of a statement, None without one."""
        if isinstance(self.job, PartitionStatement):
            sampled = sampled_by(frame, self.job.text, self.job.parameters, self.by, self.job.seed)
            assert sampled is not None
            return self._with_text(sampled.population, frame), sampled.spec
        source, seed = (None, 0) if self.job is None else (self.job.source, self.job.seed)
        return self._with_text(population_of(frame, self.by, source, seed, start), frame), None

    def _with_text(self, population: Population, frame: Rows) -> Population:
        """Return the population with text for labels that are categories, whose numbers differ between partitions."""
        label, by = population.label, None if self.by is None else self.by.by
        if label is None or not isinstance(by, str) or frame.schema[by] not in (pl.Categorical, pl.Enum):
            return population
        text = dataclasses.replace(label, expr=label.expr.cast(pl.String))
        return dataclasses.replace(population, label=text)


def request_of(sampler: object, limit: object, by: object, *, design: object, **request: Any) -> tuple[DrawSpec, bool]:
    """Return the request of a report, and whether it has arguments that cannot be combined with a statement.

    Args:
        sampler: as passed by the caller.
        limit: as passed by the caller.
        by: as passed by the caller.
        design: as passed by the caller.
        request: the other arguments of `DrawSpec.checked`.

    Returns:
        The request, and the argument `sized` of `job_of`.

    Raises:
        TQLError: the labels were passed as the sampler, or an argument is invalid.
        TQLUnsupportedError: as `refuse_groups`.
    """
    refuse_labels_first(sampler, limit, by)
    spec = DrawSpec.checked(limit, design=design, **request)
    refuse_groups(spec)
    return spec, limit is not None or spec.fraction is not None or not spec.replace or design is not None


def job_of(
    sampler: object, parameters: Sequence[object] | None, columns: Sequence[str], seed: int, *, sized: bool
) -> Sampler | PartitionStatement | None:
    """Return the sampler or statement of a report; None for equal weights.

    Args:
        sampler: text, expression or None.
        parameters: values for the `?` of the text.
        columns: columns of the frame.
        seed: seed of the numbers of `random()`.
        sized: whether the number of draws, replacement or the design was passed as an argument.

    Raises:
        TQLError: the arguments cannot be combined, or as `Sampler.of` and `PartitionStatement.of`.
    """
    sampler = None if sampler is None and parameters is None else sampler_from(sampler, parameters)
    if isinstance(sampler, str) and is_statement(sampler):
        if sized:
            raise TQLError(
                "limit, fraction, replace and design cannot be given with a statement", hint="write them into SAMPLE BY"
            )
        return PartitionStatement.of(sampler, parameters, seed)
    return None if sampler is None else Sampler.of(sampler, columns, seed)


def _check_cells(cells: int, most: int) -> None:
    if cells > most:
        message = f"partitions have {cells:,} different combinations of labels, arms and weights, too many to add up"
        raise TQLUnsupportedError(message, hint="round the weights, or report a sample of the frame")


def refuse_groups(spec: DrawSpec) -> None:
    """Check that a report is for a sample of rows without groups, by the default design.

    Raises:
        TQLUnsupportedError: it is for a sample from groups, of units, or by another design.
    """
    if not spec.is_plain:
        argument = "over" if spec.over else "unit" if spec.unit else "design"
        message = f"reports of samples by {argument} are not supported on Dask, Spark and Ray"
        raise TQLUnsupportedError(message, hint="report on these columns of the frame in memory")
