"""Define the public calls, the same pipeline for every frame: check the arguments, compute weights, draw, take.

Only adapters handle frames of a library, only the compiler handles expressions, and only `sampling` draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, overload

import polars as pl

from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.statements import Names
from tql_frames.errors import Span, TQLError, reason_of
from tql_frames.frames import INDEX, Frame, Native, Rows, check_columns, frame_of, free_index, unwrapped, wrapped
from tql_frames.language import is_statement
from tql_frames.language.parameters import check_parameters
from tql_frames.pipeline.argument_names import is_foreign_name, wrong_name
from tql_frames.pipeline.draw import (
    Design,
    Draw,
    DrawSpec,
    GroupBy,
    Limit,
    Order,
    Request,
    check_expected,
    check_flag,
    check_index,
    labels_named_as_sampler,
    named,
    no_column,
    random_numbers,
    refuse_beside_statement,
    refuse_labels_first,
    seed_from,
)
from tql_frames.pipeline.idle_arms import warn_of_categories
from tql_frames.pipeline.statement import Query, prepare
from tql_frames.pipeline.weights import SamplerLike, Weigher, compiled, no_sampler, sampler_from
from tql_frames.sampling import Positions, fresh_seed

if TYPE_CHECKING:
    import pandas as pd

    from tql_frames.analysis import Balance, Explanation, Report


@named
def sample(
    frame: Native,
    sampler: SamplerLike,
    limit: Limit | None = None,
    *,
    fraction: float | None = None,
    replace: bool = True,
    seed: int | None = None,
    order: Order = "draw",
    over: GroupBy | None = None,
    unit: GroupBy | None = None,
    design: Design | None = None,
    key: GroupBy | None = None,
    index: str | None = INDEX,
    ignore_index: bool = False,
    expected: str | None = None,
    parameters: Sequence[object] | None = None,
) -> Native:
    """Draw rows of a frame by weight.

    Args:
        frame: a Polars DataFrame or LazyFrame, a pandas DataFrame, or another table; it is not modified. The plan of a
            LazyFrame does not run before `collect`.
        sampler: the weight of a row, in one of four forms: TQL text, such as `"max_weight(age > 60: 5, True: 1)"` or
            the name of a weight column; a Polars expression; a `Balance`; or one weight per row: a list, a NumPy array
            or a Polars Series by position, or a pandas Series by the index of the frame. Weights have any scale. Null
            counts as 0, and rows of weight 0 are never drawn.
        limit: rows to draw; by default the number of rows of the frame. With `over`, rows per group, or a mapping of
            groups and numbers, `{"PA": 100, "AP": 50}`; groups that it does not name yield no rows.
        fraction: rows to draw as a share of the rows, rounded down; instead of `limit`. With `over`, of each group.
        replace: with replacement each draw takes a row with probability weight / total. Without, rows are drawn one
            after another by weight among those not drawn yet (successive sampling), at most all of positive weight.
        seed: whole number >= 0 that fixes the sample: the same rows on every kind of frame. By default a fresh one,
            which for a LazyFrame is fixed when the plan is built.
        order: `"draw"` for the order drawn, which is random, group by group in the order of their first rows;
            `"source"` for the order of the frame.
        over: a column, a TQL expression with one value per row, or a list of these. Rows with equal values are a group
            (null is a value), and each group is sampled separately. Without replacement a group yields at most its
            rows of positive weight.
        unit: columns or expressions, as in `over`. Rows with equal values, such as all images of a patient, are drawn
            together: `limit` and `fraction` count units. A unit has the weight of its heaviest row; its rows are in
            table order.
        design: with replacement `"independent"` (the default) or `"systematic"`; without, `"successive"` (the default),
            `"systematic"` or `"poisson"`. In systematic samples a row appears floor or ceil of `limit * weight / total`
            times. Without replacement, systematic and Poisson samples include a row in proportion to its weight, up to
            certainty. The size of a Poisson sample is random with mean `limit`.
        key: a column, a TQL expression, or a list of these, whose values identify rows. Random numbers belong to these
            values: when rows are added, removed or reordered, the rest of the sample stays. For `replace=False`, with
            the default design or `"poisson"`.
        index: Polars: name of a first column of original row numbers; None for none.
        ignore_index: pandas: number the rows of the sample from 0 instead of keeping their labels.
        expected: name of a last column with the number of times that the row is expected in such a sample (without
            replacement its inclusion probability); 1 / expected is the weight for unbiased totals. None for none.
        parameters: a value for each `?` of the text, in order, as in `query`.

    Returns:
        A frame of the same kind, with the same columns and dtypes.

    Raises:
        TQLError: the text or an argument is invalid (carets show the place in the text); the weights, or with
            replacement those of one group, cannot be used for a draw; a name in `limit` is not a group; a unit has rows
            in several groups.

    Warns:
        TQLWarning: fewer rows have a positive weight than were requested without replacement; not for groups.
        TQLArmWarning: an arm matches no row, or another arm has at least its weight in every row that it matches; or a
            text is compared with an Enum but is not among its categories.

    Examples:
        >>> df = pl.DataFrame({"age": [71, 34, 65], "id": ["a", "b", "c"]})
        >>> sample(df, "max_weight(age > 60: 1)", limit=2, replace=False, seed=1, order="source")
        shape: (2, 3)
        ┌───────┬─────┬─────┐
        │ index ┆ age ┆ id  │
        │ ---   ┆ --- ┆ --- │
        │ u32   ┆ i64 ┆ str │
        ╞═══════╪═════╪═════╡
        │ 0     ┆ 71  ┆ a   │
        │ 2     ┆ 65  ┆ c   │
        └───────┴─────┴─────┘

        One row of each group, and all rows of one patient:

        >>> df = pl.DataFrame({"view": ["PA", "AP", "PA", "PA"], "patient": [7, 7, 8, 8]})
        >>> sample(df, "1", limit=1, over="view", seed=1)["index"].to_list()
        [0, 1]
        >>> sample(df, "1", limit=1, unit="patient", seed=1)["index"].to_list()
        [0, 1]
    """
    spec = DrawSpec.checked(limit, fraction, replace, seed, order, over=over, unit=unit, design=design, key=key)
    check_flag("ignore_index", ignore_index)
    check_index(index)
    sampler = sampler_from(sampler, parameters)
    if expected is not None:
        return _sample_with_expected(frame, sampler, spec, index=index, ignore_index=ignore_index, name=expected)
    rows = frame_of(frame, index, ignore_index)
    check_columns(rows, None, index)
    draw = Draw.of(sampler, rows, spec, later=rows.is_lazy)
    return rows.take_lazy(draw.positions) if rows.is_lazy else rows.take(draw.positions(rows))  # type: ignore[return-value]


def _sample_with_expected(
    frame: Native, sampler: Any, spec: DrawSpec, *, index: str | None, ignore_index: bool, name: str
) -> Native:
    """Return a sample with the column of expected draws; see `sample` for the arguments."""
    rows: Frame = frame_of(frame, index, ignore_index)
    labels: tuple[object, ...] = rows.scan(frozenset()).labels
    check_expected(name, [*labels, *([] if rows.keeps_labels else [index])])
    check_columns(rows, None, index)
    if not rows.is_lazy:
        draw = Draw.of(sampler, rows, spec)
        positions, times = draw.positions_and_expected(rows)
        return rows.take_with(positions, name, times.take(positions))  # type: ignore[return-value]
    numbers = Names.apart_from([name, index or "", *map(str, labels)]).new("row")  # identifies lazy rows
    source = unwrapped(frame_of(frame, numbers, ignore_index))
    draw = Draw.of(sampler, source, spec)
    found: dict[str, pl.Series] = {}

    def positions_of(rows: Rows) -> Positions:
        positions, times = draw.positions_and_expected(rows)
        found["expected"] = pl.Series(times)
        return positions

    def look_up(numbers: pl.Series) -> pl.Series:
        return found["expected"].gather(numbers)

    plan = source.take_lazy(positions_of)
    assert isinstance(plan, pl.LazyFrame)
    own = column(numbers).map_batches(look_up, return_dtype=pl.Float64(), is_elementwise=True).alias(name)
    shown = free_index(index, labels)
    shown_numbers = [] if shown is None else [column(numbers).alias(shown)]
    plan = plan.select(*shown_numbers, *map(column, map(str, labels)), own)
    return wrapped(rows, plan)  # type: ignore[return-value]


@overload
def weights(
    frame: pl.DataFrame,
    sampler: SamplerLike,
    *,
    seed: int | None = None,
    parameters: Sequence[object] | None = None,
) -> pl.Series: ...
@overload
def weights(
    frame: pl.LazyFrame,
    sampler: SamplerLike,
    *,
    seed: int | None = None,
    parameters: Sequence[object] | None = None,
) -> pl.LazyFrame: ...
@overload
def weights(
    frame: pd.DataFrame,
    sampler: SamplerLike,
    *,
    seed: int | None = None,
    parameters: Sequence[object] | None = None,
) -> pd.Series: ...
@named
def weights(
    frame: pl.DataFrame | pl.LazyFrame | pd.DataFrame,
    sampler: SamplerLike,
    *,
    seed: int | None = None,
    parameters: Sequence[object] | None = None,
) -> pl.Series | pl.LazyFrame | pd.Series:
    """Return the weights of the rows of a frame.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame.
        sampler: as in `sample`.
        seed: fixes the numbers of `random()`, which are those of `sample` with the same seed; by default fresh ones.
        parameters: a value for each `?` of the text, in order.

    Returns:
        Float64 series `weight`, aligned with the frame (pandas: with its index); for a LazyFrame a LazyFrame of that
        one column. Weights are finite and >= 0, null as 0.

    Raises:
        TQLError: as in `sample`, but weights that are all 0 are allowed.

    Examples:
        >>> weights(pl.DataFrame({"age": [71, 34]}), "max_weight(age > 60: 5, True: 1)").to_list()
        [5.0, 1.0]
    """
    rows = frame_of(frame)
    weigher = Weigher.of(sampler_from(sampler, parameters), rows, random_numbers(seed_from(seed)))
    return rows.series(weigher.weigh, "weight")  # type: ignore[return-value]


@named
def explain(
    frame: pl.DataFrame | pl.LazyFrame | pd.DataFrame,
    sampler: SamplerLike,
    parameters: Sequence[object] | None = None,
    *,
    seed: int | None = None,
) -> Explanation:
    """Describe what a sampler or a statement does to a frame, before anything is drawn.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame. For a sampler, the plan of a LazyFrame runs.
        sampler: as in `sample`; or a whole statement, which begins with SELECT.
        parameters: a value for each `?` of the text, in order.
        seed: fixes the numbers of `random()`, which are those of `sample` with the same seed; by default fresh ones.

    Returns:
        Text. For a sampler: its tree, its Polars expression, and for each arm the rows that match it, the rows whose
        weight it decides, and their expected share of draws with replacement. In max_weight the arm with the greatest
        weight decides, among equal weights a default or else the first; in sum_weight each arm that matches. For a
        statement: the text that was read, and the optimized Polars plan.

    Raises:
        TQLError: as in `sample`.

    Examples:
        >>> print(explain(pl.DataFrame({"age": [71, 34, 65, 20]}), "max_weight(age > 60: 3, True: 1)"))
        max_weight
        ├─ age > 60: 3
        └─ true: 1
        <BLANKLINE>
        arm          rows  share of rows  decides  expected share of draws
        age > 60: 3     2         50.00%        2                   75.00%
        true: 1         4        100.00%        2                   25.00%
        <BLANKLINE>
        4 rows, 4 of positive weight, 2 distinct weights from 1 to 3
        <BLANKLINE>
        [...col("age")...
    """
    sampler = sampler_from(sampler, parameters)
    if isinstance(sampler, str) and is_statement(sampler):
        fixed = 0 if seed is None else seed_from(seed)
        query = _prepared(sampler, parameters, _queried(frame, None), {}, seed=fixed, index=None)
        found: Explanation = _analysis().explain_statement(query)
        return found
    if sampler is None:
        raise no_sampler(sampler)
    rows = unwrapped(frame_of(frame))
    analysis = _analysis()
    population = analysis.population_of(rows, None, sampler, seed_from(seed))
    warn_of_categories(population.sampler)
    found = analysis.explain_sampler(population, rows.why_collected)
    return found


@overload
def report(
    frame: pl.DataFrame | pl.LazyFrame,
    sampler: SamplerLike | None = None,
    limit: Limit | None = None,
    *,
    by: str | Sequence[str] | None = None,
    split: str | None = None,
    fraction: float | None = None,
    replace: bool = True,
    over: GroupBy | None = None,
    unit: GroupBy | None = None,
    design: Design | None = None,
    parameters: Sequence[object] | None = None,
    seed: int | None = None,
) -> Report[pl.DataFrame]: ...
@overload
def report(
    frame: pd.DataFrame,
    sampler: SamplerLike | None = None,
    limit: Limit | None = None,
    *,
    by: str | Sequence[str] | None = None,
    split: str | None = None,
    fraction: float | None = None,
    replace: bool = True,
    over: GroupBy | None = None,
    unit: GroupBy | None = None,
    design: Design | None = None,
    parameters: Sequence[object] | None = None,
    seed: int | None = None,
) -> Report[pd.DataFrame]: ...
@named
def report(
    frame: pl.DataFrame | pl.LazyFrame | pd.DataFrame,
    sampler: SamplerLike | None = None,
    limit: Limit | None = None,
    *,
    by: str | Sequence[str] | None = None,
    split: str | None = None,
    fraction: float | None = None,
    replace: bool = True,
    over: GroupBy | None = None,
    unit: GroupBy | None = None,
    design: Design | None = None,
    parameters: Sequence[object] | None = None,
    seed: int | None = None,
) -> Report[Any]:
    """Report how often each label occurs before and after sampling, and the cost of the sampler; nothing is drawn.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame. The plan of a LazyFrame runs, and is not held.
        sampler: as in `sample`; or a whole statement that ends with SAMPLE BY, whose rows to draw from are counted;
            None to count the labels of the frame.
        limit: number of draws; by default the number of rows.
        by: the column of labels, or of lists of them; a row with several labels counts for each. Or a list of columns
            of true or false, or of 1 or 0 (one-hot): each is a label with the name of the column; null counts as not
            set. None to report only the arms.
        split: the separator of labels in a text column that lists them, such as `"|"` in `"Hernia|Edema"`. A label
            counts once in a row; an empty text has none. Spaces are part of the labels.
        fraction: number of draws as a share of the rows, instead of `limit`.
        over: groups, each sampled separately; as in `sample`.
        unit: rows that are drawn together; as in `sample`.
        design: how draws depend on weights and on each other; as in `sample`.
        replace: with or without replacement. Expectations with replacement are exact except for rounding. Without,
            they are inclusion probabilities of the design; those of successive sampling have a relative error below
            1e-9.
        parameters: a value for each `?` of the text, in order.
        seed: fixes the numbers of `random()`, which are those of `sample` with the same seed; by default fresh ones.
            The report is exact for these numbers: it averages over draws, not over other values of `random()`.

    Returns:
        A report of frames (`labels`, `arms`, `co_movement`: of the kind of the frame, Polars for a LazyFrame) and
        numbers (`effective_rows`, `expected_distinct`, `repeats`). It prints as text, is a table in notebooks, and
        `report.plot()` draws a chart.

    Raises:
        TQLError: as in `sample`; or the column does not exist, or its values cannot be labels.

    Examples:
        >>> df = pl.DataFrame({"age": [71, 34, 65, 20], "view": ["PA", "AP", "PA", "PA"]})
        >>> print(report(df, "max_weight(age < 50: 3, True: 1)", by="view"))
        view  rows   share  expected share  expected draws  requested weight  factor
        PA       3  75.00%          62.50%             2.5                 -   0.833
        AP       1  25.00%          37.50%             1.5                 -     1.5
        <BLANKLINE>
        arm            rows  decides    share  expected share  expected draws  requested weight  factor
        1 age < 50: 3     2        2   50.00%          75.00%             3.0                 3     1.5
        2 true: 1         4        2  100.00%         100.00%             4.0                 1       1
        <BLANKLINE>
        view  arm 1
        PA    0.833
        AP      1.5
        <BLANKLINE>
        4 draws with replacement from 4 rows
        effective sample size (Kish): 3 rows of equal weight, 80.0% of all
        expected different rows: 3, 63.1% of all
        the most probable row is expected 1.5 times
    """
    refuse_labels_first(sampler, limit, by)
    check_flag("replace", replace)
    sampler = None if sampler is None and parameters is None else sampler_from(sampler, parameters)
    request = Request(limit=limit, fraction=fraction, replace=replace, seed=seed, over=over, unit=unit, design=design)
    spec = DrawSpec.checked(**request)
    rows = unwrapped(frame_of(frame))
    analysis = _analysis()
    columns = analysis.LabelColumns.checked(by, split)
    pandas = rows.keeps_labels
    if isinstance(sampler, str) and is_statement(sampler):
        refuse_beside_statement(request)
        sampled = analysis.sampled_by(rows, sampler, parameters, columns, spec.seed)
        if sampled is None:
            hint = "add SAMPLE BY, or report on a view of it: view(statement).report(by)"
            message = "the statement has no SAMPLE BY clause"
            raise TQLError(message, source=sampler, span=Span(0, len(sampler)), hint=hint)
        if sampled.population.sampler is not None:
            warn_of_categories(sampled.population.sampler)
        made: Report[Any] = analysis.report_on(sampled.population, columns, sampled.spec, pandas=pandas)
        return made
    with labels_named_as_sampler(sampler, by, rows.schema):
        population = analysis.population_of(rows, columns, sampler, spec.seed, spec=spec)
        if population.sampler is not None:
            warn_of_categories(population.sampler)
        made = analysis.report_on(population, columns, spec, pandas=pandas)
    return made


@overload
def balance(
    frame: pl.DataFrame | pl.LazyFrame,
    by: str | Sequence[str],
    target: str | Mapping[Any, float] = "uniform",
    *,
    split: str | None = None,
    keep: Sequence[Any] = (),
    max_weight: float | None = None,
    method: str = "raking",
    limit: int | None = None,
    fraction: float | None = None,
    replace: bool = True,
    design: Design | None = None,
    parameters: Sequence[object] | None = None,
) -> Balance[pl.DataFrame]: ...
@overload
def balance(
    frame: pd.DataFrame,
    by: str | Sequence[str],
    target: str | Mapping[Any, float] = "uniform",
    *,
    split: str | None = None,
    keep: Sequence[Any] = (),
    max_weight: float | None = None,
    method: str = "raking",
    limit: int | None = None,
    fraction: float | None = None,
    replace: bool = True,
    design: Design | None = None,
    parameters: Sequence[object] | None = None,
) -> Balance[pd.DataFrame]: ...
@named
def balance(
    frame: pl.DataFrame | pl.LazyFrame | pd.DataFrame,
    by: str | Sequence[str],
    target: str | Mapping[Any, float] = "uniform",
    *,
    split: str | None = None,
    keep: Sequence[Any] = (),
    max_weight: float | None = None,
    method: str = "raking",
    limit: int | None = None,
    fraction: float | None = None,
    replace: bool = True,
    design: Design | None = None,
    parameters: Sequence[object] | None = None,
) -> Balance[Any]:
    """Compute a sampler for wanted shares of labels, with its expected shares and its cost.

    Labels may occur together. The different sets of labels are counted once; the rest of the work does not depend on
    the number of rows.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame. The plan of a LazyFrame runs, and is not held.
        by: the column of labels, or of lists of them; or a list of columns of true or false, or of 1 or 0 (one-hot),
            one per label.
        target: `"uniform"` for equal shares of all labels, at the share with the greatest effective sample size; or a
            mapping of labels or TQL conditions to shares of draws, from 0 to 1. Labels that are not named change as
            little as possible. A label may be written as another type: `"1"` for 1, `"2024-05-01"` for a date. None
            means the rows without a label (null, or an empty list). They keep their share unless they are named, or
            the named shares leave no room for it.
        split: the separator of labels in a text column that lists them, such as `"|"`; as in `report`.
        keep: labels and conditions that keep their share of the table.
        max_weight: greatest weight, when the mean weight is 1: how often a row may be expected at most in a sample as
            long as the table.
        method: `"raking"` multiplies one number per label (iterative proportional fitting; exponential tilting) and
            reaches every share that weights can reach. `"nnls"` adds one weight per label (non-negative least squares):
            a plain `sum_weight`, often with inaccurate shares. It takes no `max_weight`, works for draws with
            replacement only, and needs SciPy.
        limit: number of draws; by default the number of rows. With replacement, shares do not depend on it.
        fraction: number of draws as a share of the rows, instead of `limit`.
        replace: with or without replacement. Without, a row is drawn at most once, so the weights depend on the number
            of draws and on the design.
        design: how draws depend on weights and on each other; as in `sample`.
        parameters: a value for each `?` of conditions, those of `target` first, in order.

    Returns:
        A `Balance`. Pass its `sampler` to `sample` and `view`. `labels` is a frame of targets and expected shares, with
        a reason if a share is not reached; `price` has the effective sample size and the greatest weight; `report` has
        the effect on every label. It prints as text and is a table in notebooks.

    Raises:
        TQLError: a name is neither a label nor a condition; a share is not between 0 and 1; more than 2,000 labels
            have a target; no row is left to draw; a wrong size or design, as in `sample`; a sample of no rows
            or `method="nnls"` without replacement.

    Examples:
        >>> df = pl.DataFrame({"tags": [["a"], ["a"], ["a"], ["a", "b"], ["b"], ["c"]]})
        >>> found = balance(df, "tags", {"b": 0.5})
        >>> print(found.sampler)
        0.75
        * max_weight(contains(tags, 'b'): 2, true: 1)
        >>> found.labels.select("label", "share", "target", "expected_share").rows()[1]
        ('b', 0.3333333333333333, 0.5, 0.5)

        Two rows drawn without replacement; one of them is to have the label b:

        >>> found = balance(df, "tags", {"b": 0.5}, limit=2, replace=False, design="systematic")
        >>> round(found.labels["expected_share"][1], 3)
        0.5

        A column for each label:

        >>> df = pl.DataFrame({"mass": [1, 1, 1, 1, 0, 1], "edema": [0, 0, 0, 1, 1, 0]})
        >>> print(balance(df, ["mass", "edema"], {"edema": 0.5}).sampler)
        0.75
        * max_weight(edema: 2, true: 1)
    """
    columns = _analysis().LabelColumns.checked(by, split)
    if columns is None:
        raise no_column(by)
    if isinstance(limit, Mapping):
        raise TQLError("limit of a balance is one number, not numbers by group", hint="balance the rows of each group")
    spec = DrawSpec.checked(limit, fraction, replace, 0, design=design)
    rows = unwrapped(frame_of(frame))
    if parameters is not None:
        target, keep = _analysis().with_parameters(target, keep, parameters)
    found: Balance[Any] = _analysis().balance_on(
        rows,
        columns,
        target,
        keep=keep,
        max_weight=max_weight,
        method=method,
        spec=spec,
        pandas=rows.keeps_labels,
    )
    return found


@named
def class_weights(
    by: str | Sequence[str],
    weights: Mapping[Any, float] | Sequence[float],
    *,
    otherwise: float = 1,
    choice: str = "max_weight",
    split: str | None = None,
) -> str:
    """Write the sampler for known weights of labels, as TQL text.

    No frame is needed: the text works for a column of values and for a column of lists. Weights that depend on how
    often labels occur, like those of `class_weight="balanced"` in scikit-learn, are computed by `balance`.

    Args:
        by: the name of the column of labels, or of lists of them; or a list of columns of true or false, or of 1 or 0
            (one-hot), one per label.
        weights: a mapping of labels to weights. A label is text, a number, True or False, a date, a time, or None for
            rows without a label. For several columns, a mapping of their names, or one number per column in order.
        otherwise: the weight of rows that have none of these labels.
        choice: the weight of a row with several labels: `"max_weight"` for the greatest of their weights,
            `"sum_weight"` for the sum.
        split: the separator of labels in a text column that lists them, such as `"|"`; as in `report`.

    Returns:
        A sampler for `sample`, `weights`, `report` and all other calls. Names, quotes and line ends are written so that
        exactly the rows of each label match.

    Raises:
        TQLError: a weight is negative, NaN or infinite; all weights are 0, or none is passed; a column is unknown; a
            label has a type that TQL cannot write; the choice is unknown.

    Examples:
        >>> sampler = class_weights("findings", {"Hernia": 20, "Pneumonia": 8})
        >>> sampler
        "max_weight(any(findings == 'Hernia'): 20, any(findings == 'Pneumonia'): 8, true: 1)"
        >>> weights(pl.DataFrame({"findings": ["Hernia", "Mass", None]}), sampler).to_list()
        [20.0, 1.0, 1.0]
        >>> weights(pl.DataFrame({"findings": [["Mass", "Hernia"], ["Mass"], []]}), sampler).to_list()
        [20.0, 1.0, 1.0]

        A column for each label, and labels in one text:

        >>> class_weights(["hernia", "edema"], [20, 5], choice="sum_weight", otherwise=0)
        'sum_weight(hernia: 20, edema: 5)'
        >>> class_weights("findings", {"Hernia": 20}, split="|")
        "max_weight(contains(split(findings, '|'), 'Hernia'): 20, true: 1)"
    """
    found: str = _analysis().sampler_of_weights(by, weights, otherwise, choice, split)
    return found


@named
def query(
    text: str,
    parameters: Sequence[object] | None = None,
    *,
    seed: int | None = None,
    index: str | None = INDEX,
    **frames: Native,
) -> Native:
    """Run a TQL statement on frames by name.

    Args:
        text: the statement; FROM and JOIN name the frames.
        parameters: a value for each `?` of the text, in order: numbers, text, booleans, None, dates and times, or lists
            of them.
        seed: whole number >= 0 that fixes the rows of SAMPLE BY and the numbers of random(). By default a fresh one,
            which for a LazyFrame is fixed when the plan is built.
        index: Polars: name of a first column of original row numbers; None for none. Rows of GROUP BY or JOIN are
            numbered from 0.
        frames: Polars DataFrames and LazyFrames, or pandas DataFrames. They are not modified.

    Returns:
        A frame of the same kind, lazy if one of them is. pandas: rows of one frame keep their index labels, rows of
        GROUP BY or JOIN are numbered.

    Raises:
        TQLError: the text is invalid (carets show the place), or does not fit the frames.

    Examples:
        >>> scans = pl.DataFrame({"patient": [1, 2, 2], "finding": ["Hernia", "Mass", "Hernia"]})
        >>> patients = pl.DataFrame({"patient": [1, 2], "age": [71, 34]})
        >>> query(
        ...     "select finding, age from scans join patients using (patient) where age > ?",
        ...     [60],
        ...     index=None,
        ...     scans=scans,
        ...     patients=patients,
        ... )
        shape: (1, 2)
        ┌─────────┬─────┐
        │ finding ┆ age │
        │ ---     ┆ --- │
        │ str     ┆ i64 │
        ╞═════════╪═════╡
        │ Hernia  ┆ 71  │
        └─────────┴─────┘
    """
    for name, frame in frames.items():
        if is_foreign_name(name) and not hasattr(type(frame), "columns"):
            raise wrong_name("query", name, ["text", "parameters", "seed", "index"], frame)
    if not frames:
        raise TQLError("pass the frames that the statement names: query(text, name=frame)")
    adapters = {name: _queried(frame, index) for name, frame in frames.items()}
    if len({each.keeps_labels for each in adapters.values()}) > 1:
        raise TQLError("the frames are of two libraries; convert the pandas frames with pl.from_pandas, or the others")
    return _prepared(text, parameters, None, adapters, seed=seed, index=index).result(index)  # type: ignore[return-value]


@named
def query_frame(
    frame: Native,
    text: str,
    parameters: Sequence[object] | None = None,
    *,
    seed: int | None = None,
    index: str | None = INDEX,
) -> Native:
    """Run a TQL statement on one frame, which a SELECT without FROM reads; see `query`.

    Examples:
        >>> df = pl.DataFrame({"age": [71, 34, 65]})
        >>> query_frame(df, "select age where age > 60 order by age limit 1", index=None).item()
        65
    """
    query = _prepared(text, parameters, _queried(frame, index), {}, seed=seed, index=index)
    return query.result(index)  # type: ignore[return-value]


def _queried(frame: object, index: str | None) -> Frame:
    """Return a frame to query; `index` is checked against the columns of the result, not here."""
    check_index(index)
    return frame_of(frame, index)


def _prepared(
    text: str,
    parameters: Sequence[object] | None,
    default: Frame | None,
    named: Mapping[str, Frame],
    *,
    seed: int | None,
    index: str | None,
) -> Query:
    if not isinstance(text, str):
        raise TQLError(f"expected a statement as TQL text, got {type(text).__name__}")
    check_parameters(parameters)
    adapters = [*named.values(), *([default] if default is not None else [])]
    numbered = index is not None or any(each.takes_by_number for each in adapters)
    return prepare(text, parameters, default, named, seed=seed_from(seed), numbered=numbered)


@named
def weight_expr(
    text: str, schema: Mapping[str, pl.DataType] | pl.Schema, parameters: Sequence[object] | None = None
) -> pl.Expr:
    """Translate a sampler to the Polars expression of its weight.

    Args:
        text: TQL: a weight choice, an expression, or the name of a weight column.
        schema: Polars type by column name, such as `df.schema` or `lf.collect_schema()`.
        parameters: a value for each `?` of the text, in order.

    Returns:
        A Float64 expression, null as 0. Use it in `with_columns`: in `select` a constant sampler is a single value. It
        does not check for negative, NaN or infinite weights; `weights` and `sample` do.

    Raises:
        TQLError: the text is invalid, or does not fit the schema.

    Examples:
        >>> df = pl.DataFrame({"age": [71, 34]})
        >>> df.with_columns(weight=weight_expr("max_weight(age > 60: 5, True: 1)", df.schema))["weight"].to_list()
        [5.0, 1.0]
    """
    if not isinstance(text, str):
        raise TQLError(f"expected a sampler as TQL text, got {type(text).__name__}")
    try:
        types = pl.Schema(schema)
    except (TypeError, ValueError) as fault:
        raise TQLError(f"a schema gives each column name its Polars type: {reason_of(fault)}") from None
    return compiled(sampler_from(text, parameters), types, random_numbers(fresh_seed())).weight


@cache
def _analysis() -> Any:
    """Return the module of reports; loaded at first use, since most programs only draw."""
    return import_module("tql_frames.analysis")
