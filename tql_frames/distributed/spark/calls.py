"""Define the calls on Spark DataFrames: passes that count run at once, samples are plans.

`tql_frames.distributed` implements partitions and draws, `jobs` runs the passes, `native` draws in the JVM.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - as everyone does
from pyspark.sql.types import DoubleType, StructField, StructType

from tql_frames.analysis import Explanation, Report
from tql_frames.analysis.explain import draw_tree
from tql_frames.analysis.splits import Split, SplitSpec
from tql_frames.compiler import CompiledSampler
from tql_frames.distributed import (
    NOTHING,
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
from tql_frames.distributed.arrow import ArrowPartition, PartitionRows, taken
from tql_frames.distributed.spark.expressions import NativeWeights, NotNativeError, native_weights
from tql_frames.distributed.spark.jobs import (
    PassResult,
    add_column,
    arrow_schema,
    ask,
    map_partitions,
    narrowed,
    plain_name,
    plainly_named,
    quoted,
    select_rows,
)
from tql_frames.distributed.spark.native import draw_natively
from tql_frames.distributed.spark.types import Intervals, arrow_schema_of, schema_of, with_first, with_last
from tql_frames.errors import TQLError, warn
from tql_frames.frames import INDEX, free_index
from tql_frames.language import is_statement, unparse
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
from tql_frames.pipeline.weights import Weigher, sampler_from

if TYPE_CHECKING:
    import pandas as pd

Job = Sampler | PartitionStatement


@named
def sample(
    frame: DataFrame,
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
) -> DataFrame:
    """Draw rows of a Spark DataFrame by weight: the rows that `tql_frames.sample` draws from one frame of all rows.

    Args:
        frame: a Spark DataFrame. The call runs one to three jobs that count rows and read the columns that the sampler
            names. Reading the sample reads the frame again.
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
        order: `"source"`; rows are in the order of the frame.
        index: name of a first column of row numbers, in the order in which `collect` returns the rows; None for none.
        keys: columns by which the rows of each partition are sorted first, for a frame whose partitions have the same
            rows in each job, but in another order.
        parameters: a value for each `?` of the text, in order.

    Returns:
        A Spark DataFrame.

    Raises:
        TQLError: as `tql_frames.sample`. If a partition has other rows than were counted, the job that reads the sample
            fails; the error of Spark names the reason.
        TQLUnsupportedError: there are more than a million different pairs of a group and a weight, 16 million units or
            rows with a key, or 134 million rows whose weights the driver would receive.

    Warns:
        TQLWarning: fewer rows have a positive weight than were requested without replacement; not for groups.
        TQLArmWarning: an arm matches no row, or never decides.

    Examples:
        >>> import tql_frames.spark
        >>> frame = spark.createDataFrame([(71,), (34,), (65,)], "age int")
        >>> tql_frames.spark.sample(frame, "max_weight(age > 60: 1)", limit=4, seed=1).toPandas()["age"].to_list()
        [71, 71, 65, 65]
        >>> found = tql_frames.spark.sample(frame, "age", limit=1, over="age > 60", replace=False, seed=1)
        >>> found.toPandas()["age"].to_list()
        [71, 34]
    """
    given = {"over": over, "unit": unit, "design": design, "key": key}
    spec = DrawSpec.checked(limit, fraction, replace, seed, "source", **given)
    check_source_order(order)
    check_index(index)
    _check_frame(frame)
    index = free_index(index, frame.columns)
    if expected is not None:
        check_expected(expected, [*frame.columns, index])
    columns = frame.columns
    weights = sampler_from(sampler, parameters)
    job = Sampler.of(weights, columns, spec.seed, keys_from(keys, columns), spec, expected=expected is not None)
    intervals, whole = Intervals(frame), with_last(expected, with_first(index, frame.schema))
    intervals.check(set(job.names(columns)) - set(job.keys))
    origins = [*([] if index is None else [None]), *range(len(columns)), *([] if expected is None else [None])]
    frame = intervals.hidden(_sorted(frame, job))
    nothing = _nothing_of(frame)
    weigher = job.weigher(nothing)
    weigher.check_constants()
    job.group_keys(nothing)
    schema = with_last(expected, with_first(index, frame.schema))
    names = job.names(frame.columns)
    native = None if job.keys or expected is not None or not spec.is_plain else _native(weigher, frame)
    if isinstance(native, NativeWeights):
        drawn = draw_natively(frame, native, weigher, spec)
        if drawn is not None:
            return intervals.shown(drawn.plan(frame, native, schema, index=index is not None), origins, whole)
    results = ask(frame, names, _counting(job, _starts(frame, job)))
    shares = _drawn(frame, results, Drawing(job, spec, expected is not None), job)
    if results.numbered:
        step, extra = job.positions_and_expected, expected is not None
        found = select_rows(frame, schema, names, step, shares, index=index is not None, expected=extra)
    else:
        found = map_partitions(frame, schema, _taking(job, index, expected), shares, numbered=False)
    return intervals.shown(found, origins, whole)


@named
def weights(
    frame: DataFrame, sampler: str | pl.Expr, *, seed: int | None = None, parameters: Sequence[object] | None = None
) -> DataFrame:
    """Return a Spark DataFrame with a last column `weight` of type double: finite and >= 0, null as 0.

    Args:
        frame: a Spark DataFrame. The call counts its rows, so that the error for an invalid weight names the row. It
            does not if all weights are constants of the text, and no condition calls `random()` or `row_number()`.
        sampler: as in `sample`.
        seed: fixes the numbers of `random()`, the same as in `sample` with this seed; by default a fresh one.
        parameters: a value for each `?` of the text, in order.

    Raises:
        TQLError: as `sample`; all weights may be 0.

    Examples:
        >>> import tql_frames.spark
        >>> frame = spark.createDataFrame([(71,), (34,), (65,)], "age int")
        >>> tql_frames.spark.weights(frame, "max_weight(age > 60: 5, True: 1)").toPandas()["weight"].to_list()
        [5.0, 1.0, 5.0]
    """
    _check_frame(frame)
    job = Sampler.of(sampler_from(sampler, parameters), frame.columns, seed_from(seed))
    intervals, origins = Intervals(frame), [*range(len(frame.columns)), None]
    intervals.check(job.names(frame.columns))
    whole = StructType([*frame.schema.fields, StructField("weight", DoubleType())])
    frame = intervals.hidden(frame)
    weigher = job.weigher(_nothing_of(frame))
    weigher.check_constants()
    if "weight" in frame.columns:
        raise TQLError("the frame has a column 'weight' already", hint="rename it")
    schema = StructType([*frame.schema.fields, StructField("weight", DoubleType())])
    native = _native(weigher, frame)
    if isinstance(native, NativeWeights) and native.levels is not None:
        found = plainly_named(frame).select("*", native.weight).toDF(*schema.names)
        return intervals.shown(found, origins, whole)
    names = job.names(frame.columns)
    shares, numbered = None, True
    if job.numbers_rows or weigher.constant_weights is None:
        results = ask(frame, names, _counting(job, _starts(frame, job)))
        counts = results.in_order(Counts(0))
        check_weights(counts, job)
        shares, numbered = first_shares(counts, lambda rows: 0), results.numbered

    def weigh(part: ArrowPartition, share: PartitionDraw | None) -> pa.Array:
        if share is not None:
            share.check_rows(part.rows)
        return pa.array(job.weigher(part, 0 if share is None else share.start).weigh(part))

    if numbered:
        found = add_column(frame, schema, names, weigh, shares)
    else:
        found = map_partitions(
            frame, schema, lambda part, share: part.with_last("weight", weigh(part, share)), shares, numbered=False
        )
    return intervals.shown(found, origins, whole)


@named
def query(
    frame: DataFrame,
    text: str,
    parameters: Sequence[object] | None = None,
    *,
    seed: int | None = None,
    index: str | None = INDEX,
) -> DataFrame:
    """Run a TQL statement of WHERE, SELECT, SAMPLE BY and LIMIT on a Spark DataFrame.

    Args:
        frame: a Spark DataFrame. With SAMPLE BY, LIMIT or `index`, the call counts its rows.
        text: the statement, without FROM.
        parameters: a value for each `?` of the text, in order.
        seed: fixes the rows that SAMPLE BY draws.
        index: name of a first column of row numbers in the frame; None for none.

    Returns:
        A Spark DataFrame, whose rows are in the order of the frame.

    Raises:
        TQLUnsupportedError: it has another clause, or calls `row_number()` or `random()`.
        TQLError: as `sample`.

    Examples:
        >>> import tql_frames.spark
        >>> frame = spark.createDataFrame([(71,), (34,), (65,)], "age int")
        >>> tql_frames.spark.query(frame, "select age where age > ?", [60]).toPandas()["index"].to_list()
        [0, 2]
    """
    fixed = seed_from(seed)
    check_index(index)
    _check_frame(frame)
    job = PartitionStatement.of(text, parameters, fixed)
    intervals, original = Intervals(frame), frame.schema
    intervals.check(job.computed_names(frame.columns))
    frame = intervals.hidden(frame)
    arrow = arrow_schema(frame)
    fields = job.relation(ArrowPartition(arrow, []))[0].fields
    index = free_index(index, [str(each.label) for each in fields], of="result")
    whole = with_first(index, schema_of(fields, original))
    schema = with_first(index, schema_of(fields, frame.schema))
    result = arrow_schema_of(fields, arrow, index)
    frame = narrowed(frame, job.needs(frame.columns))
    shares, numbered = None, True
    drawn = job.samples or job.cuts
    if drawn or index is not None:
        results = ask(frame, job.names(frame.columns), _counting(job)) if drawn else ask(frame, [], _count_rows)
        counts, numbered = results.in_order(Counts(0)), results.numbered
        if job.samples:
            job.weigher(ArrowPartition(arrow, [])).check_constants()
            shares = _drawn(frame, results, Drawing(job, job.spec), job)
        else:
            shares = first_shares(counts, job.size.of)

    def select(part: ArrowPartition, share: PartitionDraw | None) -> Iterator[pa.RecordBatch]:
        if share is not None and not drawn:
            share.check_rows(part.rows)
        rows = job.rows(part, share if drawn else None)
        assert isinstance(rows, PartitionRows)
        return rows.batches(result, None if share is None or index is None else share.first)

    found = map_partitions(frame, schema, select, shares, numbered=numbered)
    return intervals.shown(found, [*([] if index is None else [None]), *(each.origin for each in fields)], whole)


@named
def explain(frame: DataFrame, sampler: str | pl.Expr, parameters: Sequence[object] | None = None) -> Explanation:
    """Describe a sampler for a Spark DataFrame: its tree, and whether Spark or Python computes the weights.

    No job runs. Spark computes the weights if they are exactly those of Polars; the rows of the sample then stay in the
    JVM. Python computes all other samplers, samples with `over`, `unit`, `key`, `keys`, `expected` or a design other
    than the default, and samples of frames with more than 67 million rows.

    Args:
        frame: a Spark DataFrame.
        sampler: as in `sample`; or a statement, which Python runs.
        parameters: a value for each `?` of the text, in order.

    Returns:
        The description as text.

    Raises:
        TQLError: the sampler or statement does not fit the frame.

    Examples:
        >>> import tql_frames.spark
        >>> frame = spark.createDataFrame([(71,), (34,), (65,)], "age int")
        >>> tql_frames.spark.explain(frame, "max_weight(age > 60: 5, True: 1)")
        max_weight
        ├─ age > 60: 5
        └─ true: 1
        <BLANKLINE>
        Spark computes the weights
        >>> print(tql_frames.spark.explain(frame, "sqrt(age)").splitlines()[-1])
        Python computes the weights, since Spark may compute them otherwise: sqrt(age): Spark has no rule for it
    """
    _check_frame(frame)
    text = sampler_from(sampler, parameters)
    nothing = _nothing_of(Intervals(frame).hidden(frame))
    if isinstance(text, str) and is_statement(text):
        statement = PartitionStatement.of(text, parameters, 0)
        statement.relation(nothing)
        return Explanation(f"{unparse(statement.root)}\n\nPython runs the statement")
    job = Sampler.of(text, frame.columns, 0)
    weigher = job.weigher(nothing)
    compiled = weigher.sampler
    tree = draw_tree(compiled.tree) if isinstance(compiled, CompiledSampler) else [str(compiled)]
    native = _native(weigher, frame)
    who = "Spark computes the weights"
    if isinstance(native, NotNativeError):
        who = f"Python computes the weights, since Spark may compute them otherwise: {native}"
    return Explanation("\n".join([*tree, "", who]))


@named
def report(
    frame: DataFrame,
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
    """Report how often each label of a Spark DataFrame occurs, as `tql_frames.report`, in one job.

    The tables of the report are pandas frames. The arguments are those of `tql_frames.report`. `over`, `unit` and
    designs other than the default are not supported. `seed` fixes the numbers of `random()`, which need a second job.

    Raises:
        TQLError: as `tql_frames.report`; or there are too many combinations of labels, arms and weights.
        TQLUnsupportedError: the sample is by group, by unit or by another design, or the sampler calls `row_number()`.

    Examples:
        >>> import tql_frames.spark
        >>> frame = spark.createDataFrame([("PA",), ("PA",), ("AP",)], "view string")
        >>> report = tql_frames.spark.report(frame, "max_weight(view = 'AP': 2, True: 1)", by="view")
        >>> report.labels["expected_share"].to_list()
        [0.5, 0.5]
    """
    request = {"fraction": fraction, "replace": replace, "seed": seed, "over": over, "unit": unit}
    spec, sized = request_of(sampler, limit, by, design=design, **request)
    _check_frame(frame)
    job = job_of(sampler, parameters, frame.columns, spec.seed, sized=sized)
    reporting = Reporting.of(by, job, frame.columns, split)
    intervals = Intervals(frame)
    intervals.check(reporting.names(frame.columns))
    frame = intervals.hidden(frame)
    with labels_named_as_sampler(sampler, by, frame.columns):
        if job is not None:
            job.weigher(_nothing_of(frame)).check_constants()
    starts = _starts(frame, job) if isinstance(job, Sampler) else []

    def count(part: ArrowPartition, number: int) -> Counted:
        return reporting.count(part, starts[number] if number < len(starts) else 0)

    results = ask(frame, reporting.names(frame.columns), count)
    return reporting.report(results.in_order(Counted(Counts(0), None)), spec)


@named
def split(
    frame: DataFrame,
    parts: Mapping[str, float] | None = None,
    *,
    folds: int | None = None,
    unit: str | None = None,
    by: str | Sequence[str] | None = None,
    key: str | None = None,
    seed: int | None = None,
    index: str | None = INDEX,
    keys: Sequence[str] = (),
) -> Split[DataFrame]:
    """Split the rows of a Spark DataFrame into parts of whole units, with labels in proportion, as `tql_frames.split`.

    The call reads the columns of units and labels, and the driver receives the counts of all units.

    Args:
        frame: a Spark DataFrame.
        parts: as in `tql_frames.split`.
        folds: as in `tql_frames.split`.
        unit: as in `tql_frames.split`.
        by: as in `tql_frames.split`.
        key: as in `tql_frames.split`.
        seed: as in `tql_frames.split`.
        index: name of a first column of row numbers in the parts, as in `sample`; None for none.
        keys: columns by which the rows of each partition are sorted first, as in `sample`.

    Returns:
        A mapping from the name of each part to a Spark DataFrame.

    Raises:
        TQLError: as `tql_frames.split`. If a partition has other rows than before, the job that reads a part fails.
        TQLUnsupportedError: there are more than 16 million units of a column, or 134 million rows without `unit`.

    Examples:
        >>> import tql_frames.spark
        >>> frame = spark.createDataFrame([(1, "PA"), (1, "AP"), (2, "PA")], "id int, view string")
        >>> parts = tql_frames.spark.split(frame, {"a": 0.5, "b": 0.5}, unit="id", seed=1)
        >>> {name: part.toPandas()["view"].to_list() for name, part in parts.items()}
        {'a': ['PA'], 'b': ['PA', 'AP']}
    """
    spec = SplitSpec.checked(parts, folds, unit, by, seed, key=key)
    check_index(index)
    _check_frame(frame)
    job = Splitting(spec, keys_from(keys, frame.columns))
    index = free_index(index, frame.columns)
    intervals, whole = Intervals(frame), with_first(index, frame.schema)
    names = job.names(frame.columns)
    intervals.check(set(names) - set(job.keys))
    origins = [*([] if index is None else [None]), *range(len(frame.columns))]
    frame = intervals.hidden(_sorted(frame, job))
    job.check(_nothing_of(frame))
    schema = with_first(index, frame.schema)
    results = ask(frame, names, lambda part, number: job.count(part))
    assignment, shares = job.assigned(results.in_order(NOTHING))

    def part_of(words: str, places: Collection[int]) -> DataFrame:
        own = job.taking(places)
        if results.numbered:
            step = own.positions_and_expected
            found = select_rows(frame, schema, names, step, shares, index=index is not None)
        else:
            found = map_partitions(frame, schema, _taking(own, index), shares, numbered=False)
        return intervals.shown(found, origins, whole)

    return Split(assignment, part_of, f"Spark DataFrame of {results.partitions:,} partitions", pandas=True)


def _drawn(frame: DataFrame, results: PassResult, how: Drawing, job: Job) -> Sequence[PartitionDraw]:
    """Return the share of each partition, after a pass for answers if there are questions."""
    counts = results.in_order(Counts(0))
    asked = questions(counts, how)
    answers: list[Answer | None] = [None] * len(counts)
    if any(each is not None for each in asked):
        starts = starts_of([each.rows for each in counts])

        def answer(part: ArrowPartition, number: int) -> Answer | None:
            question = asked[number] if number < len(asked) else None
            return None if question is None else job.answer(question, part, starts[number])

        found = ask(frame, job.names(frame.columns), answer)
        answers = [found.found.get(number) for number in range(len(counts))]
    drawn = draw_shares(counts, answers, how)
    for warning in drawn.warnings:
        warn(warning)
    return drawn.shares


def _native(weigher: Weigher, frame: DataFrame) -> NativeWeights | NotNativeError:
    """Return the weights of a sampler as a Spark column, or the reason why Spark cannot compute them."""
    zone = frame.sparkSession.conf.get("spark.sql.session.timeZone")
    try:
        return native_weights(weigher.sampler, frame.schema, str(zone), plain_name)
    except NotNativeError as fault:
        return fault


def _counting(job: Job, starts: Sequence[int] = ()) -> Callable[[ArrowPartition, int], Counts]:
    """Return the step of the first pass, which counts a partition; `starts` has the number of each first row."""

    def step(part: ArrowPartition, number: int) -> Counts:
        return job.count(part, starts[number] if number < len(starts) else 0)

    return step


def _count_rows(part: ArrowPartition, number: int) -> Counts:
    return Counts(part.rows, seen=part.rows)


def _starts(frame: DataFrame, job: Sampler) -> list[int]:
    """Return the number of the first row of each partition; empty if weights do not depend on it."""
    if not job.numbers_rows:
        return []
    return starts_of([each.rows for each in ask(frame, [], _count_rows).in_order(Counts(0))])


def _taking(
    job: Sampler | Splitting, index: str | None, expected: str | None = None
) -> Callable[[ArrowPartition, PartitionDraw | None], Iterator[pa.RecordBatch]]:
    """Return the step of the last pass, which takes the drawn rows of a partition."""

    def take(part: ArrowPartition, share: PartitionDraw | None) -> Iterator[pa.RecordBatch]:
        assert share is not None
        return taken(part, job, share, index, expected)[1]

    return take


def _sorted(frame: DataFrame, job: Sampler | Splitting) -> DataFrame:
    return frame.sortWithinPartitions(*[F.col(quoted(key)) for key in job.keys]) if job.keys else frame


def _nothing_of(frame: DataFrame) -> ArrowPartition:
    """Return the frame without rows, for the types of its columns."""
    return ArrowPartition(arrow_schema(frame), [])


def _check_frame(frame: object) -> None:
    if not isinstance(frame, DataFrame):
        raise TQLError(f"expected the frame to be a Spark DataFrame, got {type(frame).__name__}")
    if frame.isStreaming:
        raise TQLError("cannot sample a stream: it has no last row", hint="sample its batches")
