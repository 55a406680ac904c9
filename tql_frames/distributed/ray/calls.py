"""Define the calls on Ray Datasets: passes that count run at once, samples are lazy datasets.

`tql_frames.distributed` implements blocks and draws, `passes` runs the passes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import polars as pl
import pyarrow as pa
from ray.data import Dataset

from tql_frames.analysis import Report
from tql_frames.analysis.splits import Split, SplitSpec
from tql_frames.distributed import (
    Answer,
    Counted,
    Counts,
    Drawing,
    PartitionDraw,
    PartitionStatement,
    Reporting,
    Sampler,
    Splitting,
    check_source_order,
    check_weights,
    draw_shares,
    first_shares,
    job_of,
    keys_from,
    questions,
    request_of,
    starts_of,
)
from tql_frames.distributed.arrow import ArrowPartition, PartitionRows, in_arrow, taken
from tql_frames.distributed.ray.passes import BlockResults, BlocksInOrder, arrow_type
from tql_frames.errors import TQLError, warn
from tql_frames.frames import INDEX, free_index
from tql_frames.pipeline.draw import (
    DrawSpec,
    GroupBy,
    Limit,
    check_expected,
    check_index,
    labels_named_as_sampler,
    named,
    seed_from,
)
from tql_frames.pipeline.weights import sampler_from

if TYPE_CHECKING:
    import pandas as pd

Job = Sampler | PartitionStatement
Taken = tuple[pa.Schema, Iterator[pa.RecordBatch]]


@named
def sample(
    dataset: Dataset,
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
    index: str | None = INDEX,
    keys: Sequence[str] = (),
    parameters: Sequence[object] | None = None,
) -> Dataset:
    """Draw rows of a Ray Dataset by weight: the rows that `tql_frames.sample` draws from one frame of all blocks.

    Args:
        dataset: a Ray Dataset. The call counts its rows in one execution, or in two if there are many distinct weights;
            `random()` and `row_number()` need one more. Reading the sample executes the dataset again.
        sampler: TQL text, the name of a weight column, or a Polars expression whose value depends on one row only.
        limit: rows to draw; by default the number of rows. With `over`, rows per group, or a mapping of groups and
            numbers.
        fraction: rows to draw as a share of the rows, rounded down; instead of `limit`.
        replace: whether to draw with replacement.
        seed: whole number >= 0 that fixes the sample; by default a fresh one.
        over: a column, a TQL expression, or a list of these. Rows with equal values are a group, and each group is
            sampled separately.
        unit: columns or expressions, as in `over`. Rows with equal values are a unit; units are drawn and counted
            instead of rows. The driver receives the values of all units.
        design: as in `tql_frames.sample`. For a design other than the default, and for `key` and `expected`, the driver
            receives the weights of all rows.
        key: a column, a TQL expression, or a list of these, whose values identify rows. Random numbers are derived from
            these values instead of row positions. `keys` is a different argument.
        expected: name of a last column with the number of times that the row is expected in such a sample.
        order: `"source"`; rows are in the order of the dataset.
        index: name of a first column of row numbers, in the order of the dataset; None for none.
        keys: columns by which the rows of each block are sorted first, for a dataset whose blocks have the same rows in
            each execution, but in another order.
        parameters: a value for each `?` of the text, in order.

    Returns:
        A lazy Ray Dataset, which keeps the order of its blocks.

    Raises:
        TQLError: as `tql_frames.sample`. If a block has other rows than were counted, the execution that reads the
            sample fails; the error of Ray names the reason.
        TQLUnsupportedError: there are more than a million different pairs of a group and a weight, 16 million units or
            rows with a key, or 134 million rows whose weights the driver would receive.

    Warns:
        TQLWarning: fewer rows have a positive weight than were requested without replacement; not for groups.
        TQLArmWarning: an arm matches no row, or never decides.

    Examples:
        >>> import ray, tql_frames.ray
        >>> dataset = ray.data.from_items([{"age": 71}, {"age": 34}, {"age": 65}])
        >>> drawn = tql_frames.ray.sample(dataset, "max_weight(age > 60: 1)", limit=4, seed=1)
        >>> [row["age"] for row in drawn.take_all()]
        [71, 71, 65, 65]
        >>> drawn = tql_frames.ray.sample(dataset, "age", limit=1, over="age > 60", replace=False, seed=1)
        >>> [row["age"] for row in drawn.take_all()]
        [71, 34]
    """
    given = {"over": over, "unit": unit, "design": design, "key": key}
    spec = DrawSpec.checked(limit, fraction, replace, seed, "source", **given)
    check_source_order(order)
    check_index(index)
    weights = sampler_from(sampler, parameters)
    blocks = BlocksInOrder.of(dataset)
    columns = blocks.columns
    index = free_index(index, columns)
    if expected is not None:
        check_expected(expected, [*columns, index])
    job = Sampler.of(weights, columns, spec.seed, keys_from(keys, columns), spec, expected=expected is not None)
    job.weigher(blocks.nothing).check_constants()
    job.group_keys(blocks.nothing)
    blocks = blocks.sorted(job.keys)
    counted = _counted(blocks, job)
    shares = _drawn(blocks, counted, Drawing(job, spec, expected is not None), job)
    return _taken(blocks, counted, job, shares, index=index, expected=expected)


@named
def weights(
    dataset: Dataset, sampler: str | pl.Expr, *, seed: int | None = None, parameters: Sequence[object] | None = None
) -> Dataset:
    """Return a Ray Dataset with a last column `weight`, Float64: finite and >= 0, null as 0.

    Args:
        dataset: a Ray Dataset. The call counts its rows, so that the error for an invalid weight names the row. It does
            not if all weights are constants of the text, and no condition calls `random()` or `row_number()`.
        sampler: as in `sample`.
        seed: fixes the numbers of `random()`, the same as in `sample` with this seed; by default a fresh one.
        parameters: a value for each `?` of the text, in order.

    Raises:
        TQLError: as `sample`; all weights may be 0.

    Examples:
        >>> import ray, tql_frames.ray
        >>> dataset = ray.data.from_items([{"age": 71}, {"age": 34}, {"age": 65}])
        >>> weighed = tql_frames.ray.weights(dataset, "max_weight(age > 60: 5, True: 1)")
        >>> [row["weight"] for row in weighed.take_all()]
        [5.0, 1.0, 5.0]
    """
    source, fixed = sampler_from(sampler, parameters), seed_from(seed)
    blocks = BlocksInOrder.of(dataset)
    job = Sampler.of(source, blocks.columns, fixed)
    weigher = job.weigher(blocks.nothing)
    weigher.check_constants()
    if "weight" in blocks.columns:
        raise TQLError("the dataset has a column 'weight' already", hint="rename it")

    def weigh(part: ArrowPartition, share: PartitionDraw | None) -> Taken:
        if share is not None:
            share.check_rows(part.rows)
        found = pa.array(job.weigher(part, 0 if share is None else share.start).weigh(part))
        return part.arrow.append(pa.field("weight", pa.float64())), part.with_last("weight", found)

    if not job.numbers_rows and weigher.constant_weights is not None:
        return blocks.map(weigh)
    counted = _counted(blocks, job)
    check_weights(counted.found, job)
    return blocks.map(weigh, counted.known, first_shares(counted.found, lambda rows: 0))


@named
def query(
    dataset: Dataset,
    text: str,
    parameters: Sequence[object] | None = None,
    *,
    seed: int | None = None,
    index: str | None = INDEX,
) -> Dataset:
    """Run a TQL statement of WHERE, SELECT, SAMPLE BY and LIMIT on a Ray Dataset.

    Args:
        dataset: a Ray Dataset. With SAMPLE BY, LIMIT or `index`, the call counts its rows.
        text: the statement, without FROM.
        parameters: a value for each `?` of the text, in order.
        seed: fixes the rows that SAMPLE BY draws.
        index: name of a first column of row numbers in the dataset; None for none.

    Returns:
        A lazy Ray Dataset, whose rows are in the order of the dataset.

    Raises:
        TQLUnsupportedError: it has another clause, or calls `row_number()` or `random()`.
        TQLError: as `sample`.

    Examples:
        >>> import ray, tql_frames.ray
        >>> dataset = ray.data.from_items([{"age": 71}, {"age": 34}, {"age": 65}])
        >>> [row["index"] for row in tql_frames.ray.query(dataset, "select age where age > ?", [60]).take_all()]
        [0, 2]
    """
    fixed = seed_from(seed)
    check_index(index)
    job = PartitionStatement.of(text, parameters, fixed)
    blocks = BlocksInOrder.of(dataset)
    fields = job.relation(blocks.nothing)[0].fields
    index = free_index(index, [str(each.label) for each in fields], of="result")
    computed = [arrow_type(in_arrow(each.known)) if each.origin is None else None for each in fields]
    columns = [(str(each.label), each.origin, dtype) for each, dtype in zip(fields, computed, strict=True)]
    numbers = [] if index is None else [pa.field(index, pa.int64())]
    drawn = job.samples or job.cuts

    def select(part: ArrowPartition, share: PartitionDraw | None) -> Taken:
        if share is not None and not drawn:
            share.check_rows(part.rows)
        rows = job.rows(part, share if drawn else None)
        assert isinstance(rows, PartitionRows)
        # The type of a column may differ between blocks.
        own = [dtype if origin is None else part.arrow.field(origin).type for _, origin, dtype in columns]
        schema = pa.schema([*numbers, *((label, dtype) for (label, _, _), dtype in zip(columns, own, strict=True))])
        return schema, rows.batches(schema, None if share is None or index is None else share.first)

    if not drawn and index is None:
        return blocks.map(select)
    if not drawn:
        counted = blocks.ask(_count_rows)
        return blocks.map(select, counted.known, first_shares(counted.found, job.size.of))
    if job.samples:
        job.weigher(blocks.nothing).check_constants()
    counted = _counted(blocks, job)
    how = Drawing(job, job.spec) if job.samples else None
    shares = first_shares(counted.found, job.size.of) if how is None else _drawn(blocks, counted, how, job)
    return blocks.map(select, counted.known, shares)


@named
def report(
    dataset: Dataset,
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
    """Report how often each label of a Ray Dataset occurs, as `tql_frames.report`, in one execution.

    The tables of the report are pandas frames. The arguments are those of `tql_frames.report`. `over`, `unit` and
    designs other than the default are not supported. `seed` fixes the numbers of `random()`, which need a second
    execution.

    Raises:
        TQLError: as `tql_frames.report`; or there are too many combinations of labels, arms and weights.
        TQLUnsupportedError: the sample is by group, by unit or by another design, or the sampler calls `row_number()`.

    Examples:
        >>> import ray, tql_frames.ray
        >>> dataset = ray.data.from_items([{"view": "PA"}, {"view": "PA"}, {"view": "AP"}])
        >>> report = tql_frames.ray.report(dataset, "max_weight(view = 'AP': 2, True: 1)", by="view")
        >>> report.labels["expected_share"].to_list()
        [0.5, 0.5]
    """
    request = {"fraction": fraction, "replace": replace, "seed": seed, "over": over, "unit": unit}
    spec, sized = request_of(sampler, limit, by, design=design, **request)
    blocks = BlocksInOrder.of(dataset)
    columns = blocks.columns
    job = job_of(sampler, parameters, columns, spec.seed, sized=sized)
    reporting = Reporting.of(by, job, columns, split)
    with labels_named_as_sampler(sampler, by, columns):
        if job is not None:
            job.weigher(blocks.nothing).check_constants()
    rows = _numbered(blocks, job)
    starts = _starts(rows)

    def count(part: ArrowPartition, number: int) -> Counted:
        return reporting.count(part, starts[number] if starts else 0)

    found = blocks.ask(count, None if rows is None else rows.known).found
    return reporting.report(found or [Counted(Counts(0), None)], spec)


@named
def split(
    dataset: Dataset,
    parts: Mapping[str, float] | None = None,
    *,
    folds: int | None = None,
    unit: str | None = None,
    by: str | Sequence[str] | None = None,
    key: str | None = None,
    seed: int | None = None,
    index: str | None = INDEX,
    keys: Sequence[str] = (),
) -> Split[Dataset]:
    """Split the rows of a Ray Dataset into parts of whole units, with labels in proportion, as `tql_frames.split`.

    The call reads the columns of units and labels, and the driver receives the counts of all units.

    Args:
        dataset: a Ray Dataset.
        parts: as in `tql_frames.split`.
        folds: as in `tql_frames.split`.
        unit: as in `tql_frames.split`.
        by: as in `tql_frames.split`.
        key: as in `tql_frames.split`.
        seed: as in `tql_frames.split`.
        index: name of a first column of row numbers in the parts, as in `sample`; None for none.
        keys: columns by which the rows of each block are sorted first, as in `sample`.

    Returns:
        A mapping from the name of each part to a lazy Ray Dataset.

    Raises:
        TQLError: as `tql_frames.split`. If a block has other rows than before, the execution that reads a part fails.
        TQLUnsupportedError: there are more than 16 million units of a column, or 134 million rows without `unit`.

    Examples:
        >>> import ray, tql_frames.ray
        >>> dataset = ray.data.from_items([{"id": 1, "view": "PA"}, {"id": 1, "view": "AP"}, {"id": 2, "view": "PA"}])
        >>> parts = tql_frames.ray.split(dataset, {"a": 0.5, "b": 0.5}, unit="id", seed=1)
        >>> {name: [row["view"] for row in part.take_all()] for name, part in parts.items()}
        {'a': ['PA'], 'b': ['PA', 'AP']}
    """
    spec = SplitSpec.checked(parts, folds, unit, by, seed, key=key)
    check_index(index)
    blocks = BlocksInOrder.of(dataset)
    job = Splitting(spec, keys_from(keys, blocks.columns))
    index = free_index(index, blocks.columns)
    job.check(blocks.nothing)
    blocks = blocks.sorted(job.keys)
    counted = blocks.ask(lambda part, number: job.count(part))
    assignment, shares = job.assigned(counted.found)

    def part_of(words: str, places: Collection[int]) -> Dataset:
        return _taken(blocks, counted, job.taking(places), shares, index=index)

    return Split(assignment, part_of, f"Ray Dataset of {len(counted.found):,} blocks", pandas=True)


def _counted(blocks: BlocksInOrder, job: Job) -> BlockResults:
    """Return the counts of each block."""
    rows = _numbered(blocks, job)
    starts = _starts(rows)

    def count(part: ArrowPartition, number: int) -> Counts:
        return job.count(part, starts[number] if starts else 0)

    return blocks.ask(count, None if rows is None else rows.known)


def _drawn(blocks: BlocksInOrder, counted: BlockResults, how: Drawing, job: Job) -> Sequence[PartitionDraw]:
    """Return the share of each block, after a pass for answers if there are questions."""
    counts: list[Counts] = [*counted.found] or [Counts(0)]  # a dataset without rows has no blocks
    asked = questions(counts, how)
    answers: Sequence[Answer | None] = [None] * len(counts)
    if any(each is not None for each in asked):
        starts = starts_of([each.rows for each in counts])

        def answer(part: ArrowPartition, number: int) -> Answer | None:
            question = asked[number]
            return None if question is None else job.answer(question, part, starts[number])

        answers = blocks.ask(answer, counted.known).found
    drawn = draw_shares(counts, answers, how)
    for warning in drawn.warnings:
        warn(warning)
    return drawn.shares


def _taken(
    blocks: BlocksInOrder,
    counted: BlockResults,
    job: Sampler | Splitting,
    shares: Sequence[PartitionDraw],
    *,
    index: str | None,
    expected: str | None = None,
) -> Dataset:
    """Return the drawn rows of all blocks."""

    def take(part: ArrowPartition, share: PartitionDraw | None) -> Taken:
        assert share is not None
        return taken(part, job, share, index, expected)

    return blocks.map(take, counted.known, shares)


def _count_rows(part: ArrowPartition, number: int) -> Counts:
    return Counts(part.rows, seen=part.rows)


def _numbered(blocks: BlocksInOrder, job: object) -> BlockResults | None:
    """Return the number of rows of each block if weights depend on the numbers of rows; else None."""
    return blocks.ask(_count_rows) if isinstance(job, Sampler) and job.numbers_rows else None


def _starts(rows: BlockResults | None) -> list[int]:
    """Return the number of the first row of each block; empty for None."""
    return [] if rows is None else starts_of([each.rows for each in rows.found])
