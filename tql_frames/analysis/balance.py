"""Balance the labels of a frame: find a sampler for wanted shares, and report its effect and cost.

The table is counted in `contingency`; the weights are computed, rounded and written in the package `analysis.solver`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from numbers import Real
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

import numpy as np
import polars as pl

from tql_frames.analysis.arms import Arms
from tql_frames.analysis.contingency import Cells, count_cells
from tql_frames.analysis.display.table import (
    Plain,
    Shown,
    TableColumn,
    as_html,
    as_text,
    cut_in_the_middle,
    name_of,
    names_of,
    plain,
    records,
)
from tql_frames.analysis.label_columns import LabelColumns
from tql_frames.analysis.labels import Labels, Naming
from tql_frames.analysis.population import population_of
from tql_frames.analysis.report import Report, TableOf, report_on
from tql_frames.analysis.solver import (
    NO_LABEL,
    Draws,
    LabelCondition,
    LabelSets,
    Price,
    Solution,
    Target,
    balance_sets,
    condition_item,
)
from tql_frames.compiler.expressions.types import DataType, inner, is_nested, is_number, is_temporal
from tql_frames.errors import Fault, TQLError, TQLSyntaxError
from tql_frames.frames import Rows, is_pandas
from tql_frames.frames.polars import check_process
from tql_frames.language import nodes, parse, sampler_on_lines, unparse
from tql_frames.language.parameters import bind, check_parameters
from tql_frames.pipeline.draw import Design, DrawSpec

if TYPE_CHECKING:
    pass

Shares: TypeAlias = Mapping[Any, float]
"""Wanted share of draws by label, or by condition as TQL text."""

_MOST = 2_000  # labels with a target: takes a few seconds, and a text of 100,000 characters
_NEARER = 0.99  # rows without a label lose their share if that reduces the misses below this part; more is rounding

_COLUMNS = {
    "rows": TableColumn("rows", ","),
    "share": TableColumn("share", ".2%"),
    "target": TableColumn("target", ".2%"),
    "expected_share": TableColumn("expected share", ".2%"),
    "off": TableColumn("off", "+.1%"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Balance(Generic[TableOf]):
    """A sampler with the wanted shares of labels, or the closest that weights can reach.

    Attributes:
        sampler: its TQL text. The mean weight is about 1: a row of weight 3 is expected three times in a sample of as
            many rows as the table.
        labels: one row per label or condition, the most frequent first: `label`, `rows` that have it, their `share` of
            all rows, the `target` (null without one), the exact `expected_share` of draws, the relative difference
            `off` from the target, and a `reason` if it is more than a percent.
        price: the cost: the effective sample size (Kish) in rows, the greatest and the smallest weight over the mean,
            rows of weight 0. Without replacement it is computed from inclusion probabilities instead of weights.
        size: number of draws of the sample.
        replace: whether the sample is drawn with replacement.
        design: how draws depend on weights and on each other; see `tql_frames.sample`.

    Examples:
        >>> balance = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]}).tql.balance("view", {"AP": 0.5})
        >>> print(balance.sampler)
        max_weight(view == 'AP': 2, true: 0.67)
        >>> balance.labels.select("label", "share", "target", "expected_share").rows()
        [('PA', 0.75, None, 0.5012468827930175), ('AP', 0.25, 0.5, 0.49875311720698257)]
    """

    sampler: str
    labels: TableOf
    price: Price
    size: int
    replace: bool
    design: Design
    _by: LabelColumns
    _table: pl.DataFrame
    _rows: int
    _frame: Rows
    _spec: DrawSpec

    @cached_property
    def report(self) -> Report[TableOf]:
        """Effect of the sampler on each label in the sample that `balance` assumes; counted at the first access.

        Examples:
            >>> balance = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]}).tql.balance("view", {"AP": 0.5})
            >>> balance.report.labels["expected_count"].round(3).to_list()
            [2.005, 1.995]
        """
        pandas = is_pandas(self.labels)
        population = population_of(self._frame, self._by, self.sampler, seed=0, spec=self._spec)
        return report_on(population, self._by, self._spec, pandas=pandas)

    def plot(self, *, log: bool = False) -> Any:
        """Draw bars of raw, wanted and expected counts of each label; see `Report.plot`.

        Examples:
            >>> balance = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]}).tql.balance("view", {"AP": 0.5})
            >>> chart = balance.plot()
            >>> sorted(chart.to_dict())[0]
            '$schema'
        """
        return self.report.plot_beside(dict(self._table.select("label", "target").iter_rows()), log=log)

    def to_dict(self) -> dict[str, Plain]:
        """Return the sampler, its price and its labels as values that `json.dumps` writes.

        Returns:
            `by`, `rows`, `size`, `replace`, `design`, `sampler`, `price` as a dictionary, and `labels` as a list with a
            dictionary for each row.

        Examples:
            >>> found = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]}).tql.balance("view")
            >>> round(found.to_dict()["price"]["greatest"], 2), round(found.to_dict()["labels"][1]["expected_share"], 2)
            (2.0, 0.5)
        """
        found: dict[str, Plain] = {"by": plain(self._by.by), "rows": self._rows}
        found |= {"size": self.size, "replace": self.replace, "design": self.design, "sampler": self.sampler}
        found["price"] = plain(asdict(self.price))
        found["labels"] = records(self._table)
        return found

    def __str__(self) -> str:
        sampler = cut_in_the_middle(sampler_on_lines(self.sampler), "in the attribute sampler")
        return as_text([self._shown()], self._sentences(), above=sampler)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        style = "font-family:var(--jp-code-font-family,monospace);max-height:24em;overflow:auto"
        sampler = escape(sampler_on_lines(self.sampler))
        return f'<pre style="{style}">{sampler}</pre>{as_html([self._shown()], self._sentences())}'

    def _shown(self) -> Shown:
        check_process()
        table = self._table.select("label", *_COLUMNS)
        rows = [(name_of(first), *rest) for first, *rest in table.iter_rows()]
        title = LabelColumns.title_of(self._by.by)
        return Shown(f"Rows by {title}", (names_of(title), *_COLUMNS.values()), rows)

    def _sentences(self) -> list[str]:
        price = self.price
        part = price.effective_rows / self._rows
        sentences = [
            f"effective sample size (Kish): {price.effective_rows:,.0f} rows of equal weight, {part:.1%} of all",
            *self._about_draws(),
        ]
        if price.zero_rows:
            sentences.append(f"{price.zero_rows:,} rows have weight 0 and are never drawn")
        if price.faint_rows > price.zero_rows:
            faint = price.faint_rows - price.zero_rows
            verb = "weigh less than a hundredth of the mean weight"
            if not self.replace:
                verb = "are drawn with less than a hundredth of the mean probability"
            sentences.append(f"{faint:,} rows {verb}")
        off = self._table.filter(pl.col("reason").is_not_null())
        return sentences + [
            f"{NO_LABEL if row[0] is None else row[0]}: {row[1]}" for row in off.select("label", "reason").iter_rows()
        ]

    def _about_draws(self) -> list[str]:
        """Return how often a row is drawn, and for which draws the shares hold."""
        size, price = self.size, self.price
        least, most = price.smallest * size / self._rows, price.greatest * size / self._rows
        if self.replace:
            length = "as long as the table" if size == self._rows else f"of {size:,} rows"
            return [
                f"a row is expected {least:.2g} to {most:.3g} times in a sample {length}",
                "the shares hold for draws with replacement; for other draws, pass limit= and replace=False to balance",
            ]
        drawable = self._rows - price.zero_rows
        if size >= drawable:
            return [f"a sample of {size:,} rows without replacement takes every row that can be drawn"]
        number = f"{size:,} rows{' on average' if self.design == 'poisson' else ''}"
        return [
            f"a row is in the sample with a probability of {least:.2g} to {min(most, 1.0):.3g}",
            f"the shares hold for {number} without replacement, design={self.design!r}; for another size or design, "
            "call balance with these",
        ]


def balance_on(
    frame: Rows,
    by: LabelColumns,
    target: str | Shares,
    *,
    keep: Sequence[Any],
    max_weight: float | None,
    method: str,
    spec: DrawSpec,
    pandas: bool,
) -> Balance[Any]:
    """Count the label sets of a frame, and find the sampler; see `tql_frames.balance` for arguments and errors."""
    counted = _CountedLabels.of(frame, by, [])
    dtype = by.dtype(frame.schema)
    values = counted.labels.values.to_list()
    shares = _shares(target)
    asked, conditions = _asked(shares, keep, Naming(by.words, dtype, values, by.absent(values)))
    if conditions:
        counted = _CountedLabels.of(frame, by, conditions)
    sets = counted.sets(conditions)
    keys = [*values, *conditions]
    before = (sets.rows_with / max(sets.rows, 1)).tolist()
    targets = _targets(asked, keys, before, uniform=shares is None)
    _check_number(by, dtype, targets)
    items = [*counted.items(by, dtype), *map(condition_item, conditions)]
    size = spec.size(sets.rows)
    draws = _draws(spec, size, sets.rows)
    solution = balance_sets(sets, items, targets, max_weight=max_weight, method=method, at_least_cost=True, draws=draws)
    none = values.index(None) if None in values else None
    if shares is not None and none is not None and none not in asked and any(solution.reasons):
        free = [None if place == none else each for place, each in enumerate(targets)]
        other = balance_sets(sets, items, free, max_weight=max_weight, method=method, draws=draws)
        if _missed(other, asked) < _NEARER * _missed(solution, asked):
            solution = other
    table = _table(keys, solution)
    return Balance(
        sampler=_apart_from_columns(solution.sampler, frame.schema),
        labels=table.to_pandas() if pandas else table,
        price=solution.price,
        size=size,
        replace=spec.replace,
        design=spec.design,
        _by=by,
        _table=table,
        _rows=sets.rows,
        _frame=frame,
        _spec=spec,
    )


def with_parameters(
    target: str | Shares, keep: Sequence[Any], values: Sequence[object]
) -> tuple[str | Shares, Sequence[Any]]:
    """Return the wanted shares and the keys of `keep`, with values filled in for the `?` of their conditions.

    The first values belong to the wanted shares.

    Raises:
        TQLError: there are more or fewer values than `?`, or one cannot be written as text.
    """
    check_parameters(values)
    rest = list(values)
    shares = {_filled(key, rest): share for key, share in target.items()} if isinstance(target, Mapping) else target
    kept = [_filled(key, rest) for key in keep]
    if rest:
        raise TQLError(f"{len(values)} parameters were given, but the conditions have {len(values) - len(rest)} `?`")
    return shares, kept


def _filled(key: Any, values: list[object]) -> Any:
    """Return a condition with its `?` filled by the first values, which are removed; a label unchanged."""
    if not isinstance(key, str) or "?" not in key:
        return key
    try:
        root = parse(key)
    except TQLError:
        return key
    number = sum(isinstance(node, nodes.Parameter) for node in root.walk())
    if isinstance(root, nodes.Parameter) or not number:
        return key
    given, values[:] = values[:number], values[number:]
    try:
        filled = unparse(bind(root, given))
        parse(filled)
    except Fault as fault:
        raise fault.error(key) from None
    except TQLSyntaxError:
        message = "a value cannot be written in a sampler, which is what a balance finds"
        raise TQLError(message, source=key, hint="make it a column, and name that in the condition") from None
    return filled


def _draws(spec: DrawSpec, size: int, rows: int) -> Draws:
    """Return the draws that the shares refer to; with replacement, shares do not depend on the number of draws."""
    if spec.replace:
        return Draws()
    if not size and rows:
        raise TQLError("a sample of no rows has no shares to balance", hint="pass a greater limit= or fraction=")
    return Draws(size, successive=spec.design == "successive")


def _apart_from_columns(sampler: str, columns: Collection[str]) -> str:
    """Spell ARRAY so that no column has that name: brackets after the name of a column select its elements."""
    begin = "amin(array["
    if not sampler.startswith(begin):
        return sampler
    word = next((word for word in ("array", "ARRAY", "Array", "arraY") if word not in columns), "array")
    return f"amin({word}[{sampler.removeprefix(begin)}"


@dataclass(frozen=True)
class _CountedLabels:
    """The cells of a frame, separated by labels and conditions, and their labels."""

    cells: Cells
    labels: Labels

    @classmethod
    def of(cls, frame: Rows, by: LabelColumns, conditions: Sequence[str]) -> _CountedLabels:
        arms = ", ".join([*(f"{text}: 1" for text in conditions), "True: 1"])
        population = population_of(frame, by, f"max_weight({arms})" if conditions else None, seed=0)
        cells = count_cells(population, Arms(population.sampler, population.compile), DrawSpec())
        assert cells.labels is not None
        return cls(cells, Labels.of(cells.labels, cells.rows))

    def items(self, by: LabelColumns, dtype: DataType) -> list[LabelCondition]:
        """Return the labels as items; in a column of lists, null is the label of all rows without one."""
        values, nulls = self.labels.values, False
        if is_nested(dtype) and values.null_count():
            assert self.cells.labels is not None
            some = self.cells.labels.filter(self.cells.labels.list.len() > 0)
            nulls = bool(some.list.eval(pl.element().is_null().any()).explode().any())
        return by.items(dtype, values, nulls=nulls)

    def sets(self, conditions: Sequence[str]) -> LabelSets:
        """Return the sets of labels and conditions that rows have."""
        shown = self.labels.sets
        cells, numbers = np.nonzero(self.cells.matched[:, : len(conditions)])
        owner = np.concatenate([shown.owner, cells])
        order = np.argsort(owner, kind="stable")
        labels = np.concatenate([shown.labels, shown.width + numbers])[order]
        starts = np.searchsorted(owner[order], np.arange(len(shown.counts) + 1))
        return LabelSets(shown.counts, starts, labels, shown.width + len(conditions))


def _shares(target: object) -> dict[Any, float] | None:
    """Return the requested share by label or condition; None for equal shares."""
    if isinstance(target, str):
        if target != "uniform":
            raise TQLError(f"expected target= to be 'uniform', or shares by label or condition, got {target!r}")
        return None
    if not isinstance(target, Mapping):
        raise TQLError(
            f"expected target= to be 'uniform', or shares by label or condition, got {type(target).__name__}"
        )
    if not target:
        raise TQLError("target names no label", hint="pass target='uniform', or target={'label': 0.1}")
    for key, share in target.items():
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= float(share) <= 1:
            raise TQLError(f"expected the target of {key!r} to be a share from 0 to 1, got {share!r}")
    return {key: float(share) for key, share in target.items()}


def _asked(
    shares: Mapping[Any, float] | None, keep: Sequence[Any], naming: Naming
) -> tuple[dict[int | str, float | None], list[str]]:
    """Return the requested share by number of a label or by condition, and the conditions.

    A share of None keeps the share that the table has.
    """
    if isinstance(keep, str):
        raise TQLError("keep is a list of labels or conditions", hint=f"write keep=[{keep!r}]")
    found: dict[int | str, float | None] = {}
    for key, share in (shares or {}).items():
        place = naming.find(key)
        if place in found:
            raise TQLError(f"target names the label {key!r} twice, written in two ways")
        found[place] = share
    for key in keep:
        place = naming.find(key)
        if found.get(place) is not None:
            raise TQLError(f"{key!r} is in target and in keep; name it in one of them")
        found[place] = None
    return found, [key for key in found if isinstance(key, str)]


def _targets(
    asked: Mapping[int | str, float | None], keys: Sequence[Any], before: Sequence[float], *, uniform: bool
) -> list[Target]:
    """Return the target of each label and condition.

    Rows without a label keep their share if they are not named.
    """
    found: list[Target] = []
    labels = len(keys) - sum(isinstance(key, str) for key in asked)
    for place, (key, share) in enumerate(zip(keys, before, strict=True)):
        name = place if place < labels else key
        wanted = asked.get(name)
        if name in asked or key is None:
            found.append(share if wanted is None else wanted)
        else:
            found.append("equal" if uniform else None)
    return found


def _missed(solution: Solution, asked: Mapping[int | str, float | None]) -> float:
    """Return the sum of squared relative misses of the named labels and conditions; conditions are the last items."""
    conditions = sum(isinstance(key, str) for key in asked)
    places = [place for place in asked if isinstance(place, int)]
    off = np.append(solution.off[places], solution.off[len(solution.off) - conditions :])
    return float((np.nan_to_num(off, nan=0.0, posinf=1.0) ** 2).sum())


def _check_number(by: LabelColumns, dtype: DataType, targets: Sequence[Target]) -> None:
    wanted = sum(target is not None for target in targets)
    if wanted <= _MOST:
        return
    kind = inner(dtype) if is_nested(dtype) else dtype
    hint = "name the labels that matter in target={'label': share}, or replace the rare labels by one"
    if is_number(kind) or is_temporal(kind):
        hint = "put the values into bins, such as with cut(), and name the column of bins"
    have = f"{by.words} {'has' if isinstance(by.by, str) else 'have'} {len(targets):,} labels"
    raise TQLError(f"{have}; at most {_MOST:,} can be balanced at once", hint=hint)


def _table(keys: Sequence[Any], solution: Solution) -> pl.DataFrame:
    names = [name_of(key) for key in keys]
    table = pl.DataFrame(
        {
            "label": pl.Series(names, dtype=pl.String),
            "rows": solution.rows,
            "share": solution.before,
            "target": solution.targets,
            "expected_share": solution.shares,
            "off": solution.off,
            "reason": pl.Series(solution.reasons, dtype=pl.String),
        }
    )
    return table.with_columns(pl.selectors.float().fill_nan(None))
