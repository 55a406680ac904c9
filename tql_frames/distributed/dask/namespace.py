"""Define `ddf.tql` for Dask DataFrames: check the arguments; build graphs, or compute reports and splits at once.

`graph` builds the graphs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import dask
import dask.dataframe as dd
import polars as pl

from tql_frames.analysis import Report
from tql_frames.analysis.splits import Split, SplitSpec
from tql_frames.distributed import (
    Drawing,
    PartitionStatement,
    Reporting,
    Sampler,
    Splitting,
    check_source_order,
    job_of,
    keys_from,
    request_of,
)
from tql_frames.distributed.dask import graph
from tql_frames.distributed.dask.graph import makes_strata, meta_of, never_bad, weigher_of
from tql_frames.frames.pandas import PandasFrame
from tql_frames.pipeline.draw import (
    DrawSpec,
    GroupBy,
    Limit,
    all_named,
    check_expected,
    labels_named_as_sampler,
    seed_from,
)
from tql_frames.pipeline.weights import sampler_from

if TYPE_CHECKING:
    import pandas as pd


@all_named
class DaskNamespace:
    """`ddf.tql` on a Dask DataFrame of pandas partitions.

    Examples:
        >>> import pandas as pd
        >>> import tql_frames.dask
        >>> ddf = dd.from_pandas(pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"]), npartitions=2)
        >>> ddf.tql.sample("max_weight(age > 60: 1)", limit=4, seed=1).compute().index.to_list()
        ['x', 'x', 'z', 'z']
    """

    __slots__ = ("_frame",)

    def __init__(self, frame: dd.DataFrame) -> None:
        """Store the frame."""
        self._frame = frame

    def sample(
        self,
        sampler: str | pl.Expr,
        limit: Limit | None = None,
        *,
        fraction: float | None = None,
        replace: bool = True,
        seed: int | None = None,
        over: GroupBy | None = None,
        unit: GroupBy | None = None,
        design: str | None = None,
        key: GroupBy | None = None,
        expected: str | None = None,
        order: Literal["source"] = "source",
        keys: Sequence[str] = (),
        parameters: Sequence[object] | None = None,
    ) -> dd.DataFrame:
        """Draw rows by weight: the rows that `tql_frames.sample` draws from one frame of all partitions.

        Args:
            sampler: TQL text, the name of a weight column, or a Polars expression whose value depends on one row only.
            limit: rows to draw; by default the number of rows. With `over`, rows per group, or a mapping of groups and
                numbers.
            fraction: rows to draw as a share of the rows, rounded down; instead of `limit`.
            replace: whether to draw with replacement.
            seed: whole number >= 0 that fixes the sample; by default a fresh one, fixed when the graph is built.
            over: a column, a TQL expression, or a list of these. Rows with equal values are a group, and each group is
                sampled separately.
            unit: columns or expressions, as in `over`. Rows with equal values are a unit; units are drawn and counted
                instead of rows. One task receives the values of all units.
            design: as in `tql_frames.sample`. For a design other than the default, and for `key` and `expected`, one
                task receives the weights of all rows.
            key: a column, a TQL expression, or a list of these, whose values identify rows. Random numbers are derived
                from these values instead of row positions. `keys` is a different argument.
            expected: name of a last column with the number of times that the row is expected in such a sample.
            order: `"source"`; rows are in the order of the frame.
            keys: columns by which the rows of each partition are sorted first, for a frame whose partitions have the
                same rows each time they are computed, but in another order.
            parameters: a value for each `?` of the text, in order.

        Returns:
            A Dask DataFrame with the same number of partitions and the index labels of the drawn rows.

        Raises:
            TQLError: the call raises errors in columns and texts; all other errors are raised when the sample is
                computed, also if a partition has other rows in the last pass than in the first.
            TQLUnsupportedError: there are more than a million different pairs of a group and a weight, 16 million
                units or rows with a key, or 134 million rows whose weights one task would receive.

        Warns:
            TQLWarning: when the sample is computed: fewer rows have a positive weight than were requested without
                replacement; not for groups.
            TQLArmWarning: when the sample is computed: an arm matches no row, or never decides.

        Examples:
            >>> import pandas as pd
            >>> import tql_frames.dask
            >>> ddf = dd.from_pandas(pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"]), npartitions=2)
            >>> ddf.tql.sample("max_weight(age > 60: 1)", limit=4, seed=1).compute().index.to_list()
            ['x', 'x', 'z', 'z']
            >>> ddf.tql.sample("age", limit=1, over="age > 60", replace=False, seed=1).compute()["age"].to_list()
            [71, 34]
        """
        given = {"over": over, "unit": unit, "design": design, "key": key}
        spec = DrawSpec.checked(limit, fraction, replace, seed, "source", **given)
        check_source_order(order)
        columns = self._frame.columns
        if expected is not None:
            check_expected(expected, columns)
        weights = sampler_from(sampler, parameters)
        job = Sampler.of(weights, columns, spec.seed, keys_from(keys, columns), spec, expected=expected is not None)
        weigher = weigher_of(self._frame, job)
        how = Drawing(job, spec, expected is not None)
        enough = how.gathers or (spec.replace if spec.over else makes_strata(self._frame, job, weigher))
        return graph.sampled(self._frame, how, job, by_strata=enough, expected=expected)

    def weights(
        self, sampler: str | pl.Expr, *, seed: int | None = None, parameters: Sequence[object] | None = None
    ) -> dd.Series:
        """Return the weights of the rows as a Series `weight`, with the index of the frame.

        Args:
            sampler: as in `sample`.
            seed: fixes the numbers of `random()`, the same as in `sample` with this seed; by default a fresh one.
            parameters: a value for each `?` of the text, in order.

        Raises:
            TQLError: as `sample`.

        Examples:
            >>> import pandas as pd
            >>> import tql_frames.dask
            >>> ddf = dd.from_pandas(pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"]), npartitions=2)
            >>> ddf.tql.weights("max_weight(age > 60: 5, True: 1)").compute().to_list()
            [5.0, 1.0, 5.0]
        """
        job = Sampler.of(sampler_from(sampler, parameters), self._frame.columns, seed_from(seed))
        return graph.weighed(self._frame, job, never_bad=never_bad(weigher_of(self._frame, job)))

    def query(self, text: str, parameters: Sequence[object] | None = None, *, seed: int | None = None) -> dd.DataFrame:
        """Run a TQL statement of WHERE, SELECT, SAMPLE BY and LIMIT.

        If the types of computed columns depend on a column of dtype object, the call computes some rows of the frame.

        Args:
            text: the statement, without FROM.
            parameters: a value for each `?` of the text, in order.
            seed: fixes the rows that SAMPLE BY draws.

        Returns:
            A Dask DataFrame with the same number of partitions and the index labels of the selected rows.

        Raises:
            TQLUnsupportedError: it has another clause, or calls `row_number()` or `random()`.
            TQLError: as `sample`.

        Examples:
            >>> import pandas as pd
            >>> import tql_frames.dask
            >>> ddf = dd.from_pandas(pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"]), npartitions=2)
            >>> ddf.tql.query("select age where age > ?", [60]).compute()["age"].to_list()
            [71, 65]
        """
        fixed = seed_from(seed)
        job = PartitionStatement.of(text, parameters, fixed)
        meta = meta_of(self._frame, job)
        if not job.samples:
            return graph.selected(self._frame, None, job, meta, by_strata=True)
        how = Drawing(job, job.spec)
        weigher = weigher_of(self._frame, job)
        by_strata = how.gathers or (job.replace if job.spec.over else makes_strata(self._frame, job, weigher))
        return graph.selected(self._frame, how, job, meta, by_strata=by_strata)

    def report(
        self,
        sampler: str | pl.Expr | None = None,
        limit: int | None = None,
        *,
        by: str | Sequence[str] | None = None,
        split: str | None = None,
        fraction: float | None = None,
        replace: bool = True,
        parameters: Sequence[object] | None = None,
        seed: int | None = None,
        design: str | None = None,
        over: GroupBy | None = None,
        unit: GroupBy | None = None,
    ) -> Report[pd.DataFrame]:
        """Report how often each label occurs, as `tql_frames.report`; the call counts the partitions.

        The arguments are those of `tql_frames.report`. `over`, `unit` and designs other than the default are not
        supported. `seed` fixes the numbers of `random()`.

        Raises:
            TQLError: as `tql_frames.report`; or there are too many combinations of labels, arms and weights.
            TQLUnsupportedError: the sample is by group, by unit or by another design, or the sampler calls
                `row_number()`.

        Examples:
            >>> import pandas as pd
            >>> import tql_frames.dask
            >>> ddf = dd.from_pandas(pd.DataFrame({"view": ["PA", "PA", "AP"]}), npartitions=2)
            >>> ddf.tql.report("max_weight(view = 'AP': 2, True: 1)", by="view").labels["expected_share"].to_list()
            [0.5, 0.5]
        """
        request = {"fraction": fraction, "replace": replace, "seed": seed, "over": over, "unit": unit}
        spec, sized = request_of(sampler, limit, by, design=design, **request)
        columns = list(self._frame.columns)
        job = job_of(sampler, parameters, columns, spec.seed, sized=sized)
        reporting = Reporting.of(by, job, columns, split)
        with labels_named_as_sampler(sampler, by, columns):
            if job is not None:
                weigher_of(self._frame, job)
        parts = dask.compute(*graph.reported(self._frame, reporting))
        return reporting.report(parts, spec)

    def split(
        self,
        parts: Mapping[str, float] | None = None,
        *,
        folds: int | None = None,
        unit: str | None = None,
        by: str | Sequence[str] | None = None,
        key: str | None = None,
        seed: int | None = None,
        keys: Sequence[str] = (),
    ) -> Split[dd.DataFrame]:
        """Split the rows into parts of whole units, with labels in proportion: the parts of `tql_frames.split`.

        The call reads the columns of units and labels, and collects the counts of all units in this process.

        Args:
            parts: as in `tql_frames.split`.
            folds: as in `tql_frames.split`.
            unit: as in `tql_frames.split`.
            by: as in `tql_frames.split`.
            key: as in `tql_frames.split`.
            seed: as in `tql_frames.split`.
            keys: columns by which the rows of each partition are sorted first, as in `sample`.

        Returns:
            A mapping from the name of each part to a Dask DataFrame with the same number of partitions and the index
            labels of its rows.

        Raises:
            TQLError: as `tql_frames.split`; when a part is computed, also if a partition has other rows than before.
            TQLUnsupportedError: there are more than 16 million units of a column, or 134 million rows without `unit`.

        Examples:
            >>> import pandas as pd
            >>> import tql_frames.dask
            >>> ddf = dd.from_pandas(pd.DataFrame({"id": [1, 1, 2], "view": ["PA", "AP", "PA"]}), npartitions=2)
            >>> parts = ddf.tql.split({"a": 0.5, "b": 0.5}, unit="id", seed=1)
            >>> {name: part.compute()["view"].to_list() for name, part in parts.items()}
            {'a': ['PA'], 'b': ['PA', 'AP']}
        """
        frame = self._frame
        spec = SplitSpec.checked(parts, folds, unit, by, seed, key=key)
        job = Splitting(spec, keys_from(keys, frame.columns))
        job.check(PandasFrame(frame._meta))
        assignment, shares = job.assigned(dask.compute(*graph.told(frame, job)))

        def part_of(words: str, places: Collection[int]) -> dd.DataFrame:
            return graph.taken(frame, job.taking(places), shares)

        return Split(assignment, part_of, f"Dask DataFrame of {frame.npartitions:,} partitions", pandas=True)
