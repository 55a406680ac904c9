"""Weights for wanted shares of labels: from a frame to a sampler, with what it brings and costs.

The table is counted in `cells`; the weights are found, rounded and written in the package `balancing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import polars as pl

from tql_frames.analysis.arms import Arms
from tql_frames.analysis.cells import Cells, count_cells
from tql_frames.analysis.labels import Labels
from tql_frames.analysis.markup import Column
from tql_frames.analysis.plain import Plain, plain, records
from tql_frames.analysis.population import population_of
from tql_frames.analysis.report import Report, Table, report_on
from tql_frames.analysis.showing import Shown, as_html, as_text, name_of
from tql_frames.balancing import LabelSets, Price, Solution, Target, balance_sets, condition_item, label_items
from tql_frames.compiler.types import instance
from tql_frames.errors import TQLError, TQLNameError, did_you_mean
from tql_frames.frames import Deferred, Readable
from tql_frames.language import parse, tree

Shares: TypeAlias = Mapping[Any, float]
"""Wanted share of draws by label, or by condition as TQL text."""

_COLUMNS = {
    "rows": Column("rows", ","),
    "share": Column("share", ".2%"),
    "target": Column("target", ".2%"),
    "expected_share": Column("expected share", ".2%"),
    "off": Column("off", "+.1%"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Balance:
    """A sampler whose expected shares of labels are what was wanted, or as near as weights can come.

    Attributes:
        sampler: its TQL text. The mean weight is about 1: a row of weight 3 is expected three times in a sample that is
            as long as the table.
        labels: a row a label or condition, the commonest first: `label`, `rows` that have it, their `share` of all
            rows, the `target` (null where none was given), the exact `expected_share` of draws, `off` by this part of
            the target, and the `reason` where that is more than a percent.
        price: how uneven the weights are: the effective sample size (Kish) in rows, the greatest and the smallest
            weight over the mean, rows of weight 0.
    """

    sampler: str
    labels: Table
    price: Price
    _by: str
    _table: pl.DataFrame
    _rows: int
    _frame: Readable | Deferred

    @cached_property
    def report(self) -> Report:
        """What the sampler does to each label and how its arms move the others; counted when first asked for."""
        pandas = isinstance(self.labels, pd.DataFrame)
        population = population_of(self._frame, self._by, self.sampler, seed=0)
        return report_on(population, self._by, lambda rows: rows, replace=True, pandas=pandas)

    def plot(self, *, log: bool = False) -> Any:
        """Bars of raw and expected counts of each label; see `Report.plot`."""
        return self.report.plot(log=log)

    def to_dict(self) -> dict[str, Plain]:
        """Return the sampler, its price and its labels as values that `json.dumps` writes.

        Returns:
            `by`, `rows`, `sampler`, `price` as a dictionary, and `labels` as a list with a dictionary for each row.

        Example:
            >>> found = pl.DataFrame({"view": ["PA", "PA", "PA", "AP"]}).tql.balance("view")
            >>> round(found.to_dict()["price"]["greatest"], 2), round(found.to_dict()["labels"][1]["expected_share"], 2)
            (2.0, 0.5)
        """
        price = plain(asdict(self.price))
        return {"by": self._by, "rows": self._rows, "sampler": self.sampler, "price": price} | {
            "labels": records(self._table)
        }

    def __str__(self) -> str:
        return f"{self.sampler}\n\n{as_text([self._shown()], self._sentences())}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        style = "font-family:var(--jp-code-font-family,monospace)"
        return f'<pre style="{style}">{escape(self.sampler)}</pre>{as_html([self._shown()], self._sentences())}'

    def _shown(self) -> Shown:
        table = self._table.select("label", *_COLUMNS)
        rows = [(name_of(first), *rest) for first, *rest in table.iter_rows()]
        return Shown(f"Rows by {self._by}", (Column(self._by), *_COLUMNS.values()), rows)

    def _sentences(self) -> list[str]:
        price = self.price
        part = price.effective_rows / self._rows
        sentences = [
            f"effective sample size (Kish): {price.effective_rows:,.0f} rows of equal weight, {part:.1%} of all",
            f"in a sample as long as the table a row comes {price.smallest:.2g} to {price.greatest:.3g} times",
        ]
        if price.zero_rows:
            sentences.append(f"{price.zero_rows:,} rows have weight 0 and are never drawn")
        off = self._table.filter(pl.col("reason").is_not_null())
        return sentences + [f"{name_of(row[0])}: {row[1]}" for row in off.select("label", "reason").iter_rows()]


def balance_on(
    frame: Readable | Deferred,
    by: str,
    target: str | Shares,
    *,
    keep: Sequence[Any],
    max_weight: float | None,
    method: str,
    pandas: bool,
) -> Balance:
    """Count the label sets of a frame, and find the sampler; arguments and errors as of `tql_frames.balance`."""
    counted = _Counted.of(frame, by, [])
    asked = _asked(target, keep)
    conditions = [key for key in asked if key not in counted.places]
    if conditions:
        _check_conditions(conditions, by, counted)
        counted = _Counted.of(frame, by, conditions)
    sets = counted.sets(conditions)
    dtype = instance(frame.schema[by])
    items = [*label_items(by, dtype, counted.labels.values), *map(condition_item, conditions)]
    keys = [*counted.labels.values.to_list(), *conditions]
    before = sets.rows_with / max(sets.rows, 1)
    targets = [_target(key, asked, target, share) for key, share in zip(keys, before.tolist(), strict=True)]
    solution = balance_sets(sets, items, targets, max_weight=max_weight, method=method)
    table = _table(keys, solution)
    return Balance(
        sampler=solution.sampler,
        labels=table.to_pandas() if pandas else table,
        price=solution.price,
        _by=by,
        _table=table,
        _rows=sets.rows,
        _frame=frame,
    )


@dataclass(frozen=True)
class _Counted:
    """The cells of a frame, told apart by conditions too, and their labels; a row without labels has none."""

    cells: Cells
    labels: Labels

    @classmethod
    def of(cls, frame: Readable | Deferred, by: str, conditions: Sequence[str]) -> _Counted:
        arms = ", ".join([*(f"{text}: 1" for text in conditions), "True: 1"])
        population = population_of(frame, by, f"max_weight({arms})" if conditions else None, seed=0)
        cells = count_cells(population, Arms(population.sampler, population.compile), int, replace=True)
        assert cells.labels is not None
        return cls(cells, Labels.of(cells.labels, cells.rows, none=False))

    @cached_property
    def places(self) -> dict[Any, int]:
        """Number of each label by its value."""
        return {value: place for place, value in enumerate(self.labels.values.to_list())}

    def sets(self, conditions: Sequence[str]) -> LabelSets:
        """The sets of labels and conditions that rows have."""
        shown = self.labels.sets
        cells, numbers = np.nonzero(self.cells.matched[:, : len(conditions)])
        owner = np.concatenate([shown.owner, cells])
        order = np.argsort(owner, kind="stable")
        labels = np.concatenate([shown.labels, shown.width + numbers])[order]
        starts = np.searchsorted(owner[order], np.arange(len(shown.counts) + 1))
        return LabelSets(shown.counts, starts, labels, shown.width + len(conditions))


def _asked(target: object, keep: Sequence[Any]) -> dict[Any, float | None]:
    """What is asked of labels and conditions by name: a share, or None to keep what the table has."""
    if isinstance(target, str):
        if target != "uniform":
            raise TQLError(f"target must be 'uniform', or shares by label or condition, not {target!r}")
        shares: dict[Any, float] = {}
    elif isinstance(target, Mapping):
        shares = dict(target)
        if not shares:
            raise TQLError("target names no label", hint="target='uniform', or {'label': 0.1}")
    else:
        raise TQLError(f"target must be 'uniform', or shares by label or condition, not {type(target).__name__}")
    for key, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share <= 1:
            raise TQLError(f"the target of {key!r} must be a share from 0 to 1, not {share!r}")
    if isinstance(keep, str):
        raise TQLError("keep is a list of labels or conditions", hint=f"write keep=[{keep!r}]")
    twice = next((key for key in keep if key in shares), None)
    if twice is not None:
        raise TQLError(f"{twice!r} is in target and in keep: its share is either given or kept")
    return {**{key: float(share) for key, share in shares.items()}, **dict.fromkeys(keep)}


def _target(key: Any, asked: Mapping[Any, float | None], target: object, share: float) -> Target:
    if key in asked:
        found = asked[key]
        return share if found is None else found
    return "equal" if target == "uniform" and key is not None else None


def _check_conditions(keys: Sequence[Any], by: str, counted: _Counted) -> None:
    """Make sure that what is no label is a condition, before all are compiled together."""
    names = [str(value) for value in counted.places if value is not None]
    for key in keys:
        if not isinstance(key, str):
            raise TQLNameError(f"{key!r} is no label of column {by!r}", hint=did_you_mean(str(key), names))
        try:
            bare = isinstance(parse(key), tree.Column)
        except TQLError:
            bare = True
        if bare:
            hint = did_you_mean(key, names) or "a condition compares something: 'age > 60'"
            raise TQLNameError(f"{key!r} is no label of column {by!r}, and no condition", hint=hint)


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
