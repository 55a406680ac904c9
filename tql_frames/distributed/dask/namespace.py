"""`ddf.tql` on a Dask DataFrame: arguments are checked, and a graph is made; nothing runs before `compute`."""

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
        """Hold the frame for one call."""
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
        """Draw rows by weight: those that `tql_frames.sample` draws from all partitions as one frame.

        Args:
            sampler: TQL text, the name of a weight column, or a Polars expression whose value depends on its row alone.
            limit: rows to draw; by default the number of rows. With `over`, per group, or a mapping by group.
            fraction: rows to draw as a share of those that there are, rounded down; instead of `limit`.
            replace: with or without replacement.
            seed: fixes the sample; by default a fresh one, fixed when the graph is made.
            over: a column, TQL expression, or several of them: rows of equal values are a group, and each is drawn from
                as if it were alone.
            unit: the same: rows of equal values are a unit, and units are drawn and counted instead of rows. Their
                values all come to one place.
            design: as `tql_frames.sample` takes it. For another than the default, and for `key` and `expected`, the
                weights of all rows come to one place.
            key: a column, TQL expression, or several of them, by whose values rows are drawn instead of by their
                places; `keys` is another thing.
            expected: name of a last column of how often each row is expected in such a sample.
            order: rows come in the order of the frame.
            keys: columns by which the rows of each partition are sorted first, for a frame whose partitions hold the
                same rows each time they are computed, but not in the same order.
            parameters: a value for each `?` of the text, in order.

        Returns:
            A Dask DataFrame of as many partitions, with the index labels of its rows.

        Raises:
            TQLError: at the call for errors in columns and texts, otherwise when it is computed; and then
                where partitions hold other rows in the last pass than in the first.
            TQLUnsupportedError: there are more than a million different pairs of a group and a weight, 16 million
                units or rows with a key, or 134 million rows whose weights come to one place.

        Warns:
            TQLWarning: when it is computed: fewer rows have a positive weight than were requested, without `over`.
            TQLArmWarning: when it is computed: an arm matches no row, or never decides.

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
            sampler: as `sample` takes it.
            seed: fixes the numbers of `random()`: those of `sample` with the same seed; by default fresh ones.
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

        Args:
            text: the statement, without FROM.
            parameters: a value for each `?` of the text, in order.
            seed: fixes what SAMPLE BY draws.

        Returns:
            A Dask DataFrame of as many partitions, with the index labels of its rows.

        Raises:
            TQLUnsupportedError: it has another clause, or asks for row numbers or random numbers.
            TQLError: as `sample`. Where the types of computed columns depend on a column of dtype object, some rows of
                it are computed at once.

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
        """Report how often each label occurs, as `tql_frames.report`; the partitions are counted now.

        The arguments are those of `tql_frames.report`.
        `over`, `unit` and designs other than the default are refused; `seed` fixes the numbers of `random()`.

        Raises:
            TQLError: as `tql_frames.report`; or there are too many combinations of labels, arms and weights.
            TQLUnsupportedError: it is of a sample by group, unit or design.

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
        """Split the rows into parts of whole units, with labels in proportion: those of `tql_frames.split`.

        The columns of units and labels are read now, and what they hold comes to one place.

        Args:
            parts: as `tql_frames.split` takes them, and so `folds`, `unit`, `by`, `key` and `seed`.
            folds: the same.
            unit: the same.
            by: the same.
            key: the same.
            seed: the same.
            keys: columns by which the rows of each partition are sorted first, as in `sample`.

        Returns:
            A mapping with a Dask DataFrame for each part, of as many partitions, with the index labels of its rows.

        Raises:
            TQLError: as `tql_frames.split`; and when a part is computed: a partition holds other rows than before.
            TQLUnsupportedError: there are more than 16 million units of a column, or 134 million rows.

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
