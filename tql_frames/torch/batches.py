"""Provide batches with quotas for a DataLoader: a fixed number of rows with a label, or from each of several groups.

`tql_frames.sampling.batches` draws the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tql_frames.compiler.expressions.sampler import compile_key
from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.expressions.types import instance, is_nested, type_name
from tql_frames.errors import TQLError, TQLTypeError, WeightError, shown
from tql_frames.frames import Rows
from tql_frames.frames.polars import check_process
from tql_frames.pipeline.draw import DrawSpec, check_flag, keys_from, named_constructor, numbers_of_keys, random_numbers
from tql_frames.pipeline.groups import GroupKeys, NamedGroups, numbered
from tql_frames.pipeline.weights import SamplerLike, Weights
from tql_frames.sampling import Groups, Integers, Pools, Positions, draw_batches, draw_group_batches
from tql_frames.sampling.strata import position_type
from tql_frames.torch.epochs import Epochs, check_whole, given_sampler, readable
from tql_frames.torch.shares import EpochSampler, short

_MOST_SHOWN = 5  # quotas that a text lists
_QUOTAS = "write per_group={'Hernia': 4, 'Pneumonia': 4}, or per_group=4"


@named_constructor
class TQLBatchSampler(EpochSampler[list[int]]):
    """Batches of row positions, for `DataLoader(dataset, batch_sampler=…)`: each with the same quotas.

    With `per_group={"Hernia": 4, "Pneumonia": 4}` every batch has four rows of each of these groups, and the rest is
    drawn by weight. With `per_group=4` a batch consists of different groups, four rows of each: groups are drawn by the
    sum of their weights.

    If each row has one label, a quota is exact: the rest comes from rows of other groups. If a column holds lists of
    labels, a row counts for each of them, and a quota is a minimum: the rest comes from all rows. The same holds for
    conditions instead of labels.

    Every iteration is the next epoch, from 0 on; each process takes every n-th batch. An epoch has
    `limit // batch_size` batches.

    Args:
        frame: a Polars DataFrame or LazyFrame, a pandas DataFrame, or a `View`. The weights of its rows are computed at
            once.
        sampler: the weight of a row, as in `tql_frames.sample`.
        batch_size: rows of a batch.
        over: the groups: a column of values, or of lists of them; an expression; or a list of columns, whose
            values together define a group. Without it, `per_group` names conditions.
        per_group: rows of a batch by group, or by condition; or one number for each group of a batch.
        limit: rows of an epoch, for all processes together; by default the number of rows of the frame.
        replace: whether a row may be drawn again at any time. If not, the rows of each group are drawn in passes: none
            is drawn a second time before all others of positive weight. The rest is a group of its own. A batch
            contains a row twice only if a quota is larger than its group, or a pass has no other rows left.
        equal_groups: draw groups with equal probabilities, if `per_group` is one number.
        seed: whole number >= 0, the same in all processes.
        num_replicas: number of processes; by default that of `torch.distributed` if it is initialised, otherwise 1.
        rank: number of this process, from 0; the default is like that of `num_replicas`.
        drop_last: omit the last batches, fewer than there are processes, so that all have the same number.
        parameters: a value for each `?` of the text, in order.

    Raises:
        TQLError: wrong arguments, an unknown group, or quotas that do not fit into a batch.
        WeightError: a group has no row of positive weight, or fewer groups have one than a batch needs.

    Examples:
        >>> import polars as pl
        >>> df = pl.DataFrame({"finding": ["Hernia", "Mass", "Hernia", "Edema", "Mass", "Edema"]})
        >>> quota = {"Hernia": 1}
        >>> list(TQLBatchSampler(df, "1", 3, over="finding", per_group=quota, replace=False, seed=1))
        [[2, 1, 5], [0, 4, 3]]
        >>> list(TQLBatchSampler(df, "1", 4, over="finding", per_group=2, limit=8, seed=1))
        [[3, 3, 0, 2], [0, 0, 4, 1]]
    """

    fixed = frozenset(
        (
            *("frame", "sampler", "batch_size", "over", "per_group", "limit", "replace", "equal_groups", "seed"),
            "drop_last",
        )
    )

    def __init__(
        self,
        frame: object,
        sampler: SamplerLike,
        batch_size: int,
        *,
        over: str | Sequence[str] | None = None,
        per_group: int | Mapping[Any, int] | None = None,
        limit: int | None = None,
        replace: bool = True,
        equal_groups: bool = False,
        seed: int = 0,
        num_replicas: int | None = None,
        rank: int | None = None,
        drop_last: bool = False,
        parameters: Sequence[object] | None = None,
    ) -> None:
        """Compute weights and groups of the rows; nothing is drawn yet."""
        super().__init__(seed, num_replicas, rank, drop_last)
        for name, flag in (("replace", replace), ("equal_groups", equal_groups)):
            check_flag(name, flag)
        self._spec = DrawSpec.checked(limit, None, True, self._seed)
        self._batch_size = check_whole("batch_size", batch_size, 1)
        self._replace, self._equal = bool(replace), bool(equal_groups)
        self._over = keys_from("over", over)
        self._per_group = _checked(per_group, bool(self._over), self._batch_size, equal=self._equal)
        self._frame: Rows | None = readable(frame)
        self._weighed = Epochs(self._frame, given_sampler(sampler, parameters), self._spec)
        size = self._weighed.weighed(0).size
        if not self._weighed.rows:
            raise TQLError("the frame has no rows to draw batches from")
        if size < self._batch_size:
            message = f"an epoch of {size:,} row{'s' * (size != 1)} holds no batch of {self._batch_size:,}"
            raise TQLError(message, hint=f"pass limit= of at least {self._batch_size:,}, or a smaller batch_size")
        self._quotas = _quotas_of(self._frame, self._over, self._per_group, self._batch_size, self._seed)
        self._pools = self._weighed, 0, self._quotas.pools(self._weighed.weights(0), self._equal)

    @property
    def batch_size(self) -> int:
        """Rows of a batch.

        Examples:
            >>> import polars as pl
            >>> TQLBatchSampler(pl.DataFrame({"age": [71, 34]}), "age", 2).batch_size
            2
        """
        return self._batch_size

    @property
    def drop_last(self) -> bool:
        """Whether the last batches, fewer than there are processes, are omitted; a batch is always complete.

        Examples:
            >>> import polars as pl
            >>> TQLBatchSampler(pl.DataFrame({"age": [71, 34]}), "age", 2).drop_last
            False
        """
        return self._drop_last

    @property
    def weights(self) -> Weights:
        """Weights of the rows for the next epoch: shape (n,), read-only.

        Examples:
            >>> import polars as pl
            >>> TQLBatchSampler(pl.DataFrame({"age": [71, 34, 65]}), "max_weight(age > 60: 1)", 2).weights
            array([1., 0., 1.])
        """
        return self._weighed.weights(self.epoch)

    def set_weights(self, sampler: SamplerLike, *, parameters: Sequence[object] | None = None) -> None:
        """Draw by other weights from the next epoch on; all processes must set the same weights.

        Args:
            sampler: the weight of a row, as in the constructor. A copy of a sampler has no frame, and takes only a
                weight per row.
            parameters: a value for each `?` of the text, in order.

        Raises:
            TQLError: wrong arguments, or weights that cannot be used for a draw; the sampler then does not change.

        Examples:
            >>> import polars as pl
            >>> batches = TQLBatchSampler(pl.DataFrame({"age": [71, 34, 65]}), "1", 2, limit=4, seed=1)
            >>> batches.set_weights("max_weight(age < 60: 1)")
            >>> list(batches)
            [[1, 1], [1, 1]]
        """
        given = given_sampler(sampler, parameters)
        weighed = self._weighed.again(self._frame, given)
        pools = self._quotas.pools(weighed.weights(self.epoch), self._equal)
        self._weighed, self._pools = weighed, (weighed, self.epoch, pools)

    def draw(self, epoch: int) -> Positions:
        """Return the row positions of an epoch's batches, those of all processes, shape (batches, batch_size).

        Rows of groups come first, in the order in which `per_group` names them, then the rest.

        Examples:
            >>> import polars as pl
            >>> df = pl.DataFrame({"view": ["PA", "AP", "PA", "AP"]})
            >>> batches = TQLBatchSampler(df, "1", 2, over="view", per_group={"AP": 1}, replace=False, seed=1)
            >>> batches.draw(0).shape, sorted(batches.draw(0)[:, 0].tolist())
            ((2, 2), [1, 3])
        """
        return self._drawn_by(self._weighed, check_whole("epoch", epoch))

    def _drawn_by(self, weights: Epochs, epoch: int) -> Positions:
        if self._pools[0] is not weights or (weights.is_random and self._pools[1] != epoch):
            self._pools = weights, epoch, self._quotas.pools(weights.weights(epoch), self._equal)
        drawn: Positions = self._quotas.draw(
            self._pools[2], self._size(), replace=self._replace, seed=self.seed_of(epoch)
        )
        return drawn

    def _newest(self) -> Epochs:
        return self._weighed

    def _size(self) -> int:
        return self._weighed.weighed(0).size // self._batch_size

    def _rows(self) -> int:
        return self._weighed.rows

    def _request(self) -> dict[str, Any]:
        return {
            "seed": self._seed,
            "limit": self._spec.limit,
            "replace": self._replace,
            "rows": self._weighed.rows,
            "batch_size": self._batch_size,
            "over": list(self._over),
            "per_group": _written(self._per_group),
            "equal_groups": self._equal,
        }

    def _identity(self) -> dict[str, Any]:
        return (self._before or self._weighed).identity()

    def _differences(self, state: Mapping[str, Any]) -> list[str]:
        return [*super()._differences(state), *self._weighed.differences(state)]

    def __repr__(self) -> str:
        how = "with" if self._replace else "without"
        size = self._size()
        parts = [f"{size:,} batch{'es' * (size != 1)} of {self._batch_size:,}", self._quotas.text, f"{how} replacement"]
        return f"TQLBatchSampler({short(self._weighed.text)}: {self._described([part for part in parts if part])})"

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_frame": None}


def _written(per_group: object) -> object:
    """Return quotas in the form of states: names of any type become text, since JSON has only text keys."""
    if not isinstance(per_group, Mapping):
        return per_group
    return [[shown(name), size] for name, size in per_group.items()]


def _checked(per_group: object, over: bool, batch_size: int, *, equal: bool) -> int | dict[Any, int] | None:
    """Return the quotas as whole numbers.

    Raises:
        TQLError: a quota is not a valid number, or the quotas do not fit into a batch.
    """
    if equal and (per_group is None or isinstance(per_group, Mapping)):
        raise TQLError("equal_groups= needs per_group= to be one number for all groups", hint="write per_group=4")
    if per_group is None:
        if over:
            raise TQLError("over= needs per_group=, which says how many rows of each group", hint=_QUOTAS)
        return None
    if not isinstance(per_group, Mapping):
        number = check_whole("per_group", per_group, 1)
        if not over:
            raise TQLError("per_group= needs over=, which defines the groups", hint="pass over='finding'")
        if batch_size % number:
            message = f"expected batch_size= to be a multiple of per_group={number:,}, got {batch_size:,}"
            raise TQLError(message, hint=f"pass batch_size={max(batch_size // number, 1) * number}")
        return number
    found = {}
    for name, value in per_group.items():
        try:
            found[name] = check_whole("per_group", value)
        except TQLError:
            message = f"expected the number of {shown(name)} in per_group= to be a whole number of at least 0"
            raise TQLError(f"{message}, got {shown(value)}") from None
    if not found:
        raise TQLError("per_group= names no group", hint=_QUOTAS)
    total = sum(found.values())
    if total > batch_size:
        message = f"the quotas of per_group= add up to {total:,}, more than a batch of {batch_size:,}"
        raise TQLError(message, hint=f"pass batch_size= of at least {total:,}")
    return found


@dataclass(frozen=True)
class _Named:
    """Quotas of some groups or conditions, and the rest of a batch.

    Attributes:
        names: names of the groups.
        members: positions of the rows of each group; the last item is the rest, if there is one.
        quotas: shape (pools,), rows of a batch from each.
    """

    names: list[str]
    members: list[Positions]
    quotas: Integers

    def pools(self, weights: Weights, equal: bool) -> Pools:
        """Return the rows that can be drawn.

        Raises:
            WeightError: a group with a quota has no row of positive weight.
        """
        found = Pools.of(self.members, weights)
        empty = np.flatnonzero((found.sizes == 0) & (self.quotas > 0)).tolist()
        if not empty:
            return found
        if empty[0] == len(self.names) and not len(self.members[-1]):
            message = "no row is left for the rest of a batch: each is in a group that per_group= names"
            raise TQLError(message, hint="make the quotas add up to batch_size=")
        if empty[0] == len(self.names):
            rest = int(self.quotas[-1])
            message = f"no row is left for the rest of a batch, {rest:,} row{'s' * (rest != 1)}"
            raise WeightError(
                f"{message}: all others have weight 0", hint="raise the quotas, or add True: 1 to the sampler"
            )
        names = ", ".join(self.names[place] for place in empty[:_MOST_SHOWN] if place < len(self.names))
        message = f"no row can be drawn for the quota of {names}: there is none, or all have weight 0"
        raise WeightError(message, hint="give these rows a weight above 0, or leave the quota out")

    def draw(self, pools: Pools, batches: int, *, replace: bool, seed: int) -> Positions:
        return draw_batches(pools, self.quotas, batches, replace=replace, seed=seed)

    @property
    def text(self) -> str:
        quotas = [f"{size:,} {name}" for name, size in zip(self.names, self.quotas.tolist(), strict=False)]
        if not quotas:
            return ""
        more = [f"{len(quotas) - _MOST_SHOWN:,} more quotas"] if len(quotas) > _MOST_SHOWN else []
        rest = [f"{int(self.quotas[-1]):,} by weight"] if len(self.members) > len(self.names) else []
        return ", ".join([*quotas[:_MOST_SHOWN], *more, *rest])


@dataclass(frozen=True)
class _Each:
    """A fixed number of rows from each of several groups.

    Attributes:
        rows: shape (k,), the row of each pair of a row and one of its groups; None if each row is in one group.
        groups: shape (k,), the group of each pair.
        each: rows of a group in a batch.
        number: groups of a batch.
    """

    rows: Positions | None
    groups: Groups
    each: int
    number: int

    def pools(self, weights: Weights, equal: bool) -> tuple[Pools, Weights]:
        """Return the rows that can be drawn, and the weights of the groups.

        Raises:
            WeightError: fewer groups have rows of positive weight than a batch needs.
        """
        found = Pools.of_groups(self.rows, self.groups, weights)
        there = int((found.sizes > 0).sum())
        if there < self.number:
            have = f"{there:,} ha{'s' if there == 1 else 've'}"
            message = (
                f"a batch takes {self.number:,} groups, {self.each:,} rows of each, and {have} a row of positive weight"
            )
            raise WeightError(
                message, hint=f"pass batch_size= of at most {there * self.each:,}, or a larger per_group="
            )
        return found, (found.sizes > 0).astype(np.float64) if equal else found.totals

    def draw(self, pools: tuple[Pools, Weights], batches: int, *, replace: bool, seed: int) -> Positions:
        rows, weights = pools
        return draw_group_batches(rows, weights, self.number, self.each, batches, replace=replace, seed=seed)

    @property
    def text(self) -> str:
        return f"{self.each:,} of each of {self.number:,} groups"


def _quotas_of(
    frame: Rows, over: tuple[str, ...], per_group: int | Mapping[Any, int] | None, batch_size: int, seed: int
) -> Any:
    """Return the rows of each group and the quotas of a batch.

    Raises:
        TQLError: the groups do not fit the rows, or a group is unknown.
    """
    check_process()
    every: Positions = np.arange(frame.rows).astype(position_type(frame.rows))
    if per_group is None:
        return _Named([], [every], np.array([batch_size]))
    if not over:
        assert isinstance(per_group, Mapping)
        members = [_matching(frame, name, seed) for name in per_group]
        return _with_rest(list(map(str, per_group)), members, list(per_group.values()), every, batch_size)
    rows, groups, names = _numbered(frame, over, seed)
    if not isinstance(per_group, Mapping):
        return _Each(rows, groups, per_group, batch_size // per_group)
    numbers = names.numbers(list(per_group), "per_group")
    members = [groups.members(np.array([number])) for number in numbers]
    rest: Positions = every
    if rows is None:  # each row is in one group: the rest is the rows of other groups
        rest = np.flatnonzero(~np.isin(groups.codes, numbers)).astype(every.dtype)
    else:
        members = [rows.take(each) for each in members]
    return _with_rest([names.name(number) for number in numbers], members, list(per_group.values()), rest, batch_size)


def _with_rest(
    names: list[str], members: list[Positions], sizes: list[int], rest: Positions, batch_size: int
) -> _Named:
    left = batch_size - sum(sizes)
    return _Named(names, [*members, *([rest] if left else [])], np.array([*sizes, *([left] if left else [])]))


def _numbered(frame: Rows, over: tuple[str, ...], seed: int) -> tuple[Positions | None, Groups, NamedGroups]:
    """Return the groups of rows; for lists, pairs of a row and one of its labels."""
    first = instance(frame.schema[over[0]]) if over[0] in frame.schema else None
    if len(over) > 1 or not isinstance(first, (pl.List, pl.Array)):
        keys = GroupKeys.of("over", over, frame, numbers_of_keys(seed))
        assert keys is not None
        found = keys.number(frame)
        return None, found.groups, found
    if is_nested(instance(first.inner)):
        raise TQLTypeError(f"column {over[0]!r} of type {type_name(first)} holds no labels in its lists")
    labels = column(over[0]) if isinstance(first, pl.List) else column(over[0]).arr.to_list()
    lists = frame.evaluate({"label": labels}).with_row_index("row")
    pairs = lists.explode("label").unique(maintain_order=True)
    groups, values = numbered([pairs.select(pl.col("label").alias("0"))])
    keys = GroupKeys("over", ())
    return pairs["row"].to_numpy(), groups, NamedGroups(keys, values)


def _matching(frame: Rows, condition: object, seed: int) -> Positions:
    """Return the rows that a condition matches.

    Raises:
        TQLError: it is not a condition, or does not fit the rows.
    """
    if not isinstance(condition, str):
        message = f"expected per_group= without over= to name conditions, got {shown(condition)}"
        raise TQLError(message, hint="pass over='finding' for labels, or write per_group={'age > 60': 4}")
    key = compile_key(condition, frame.schema, random_numbers(seed), "per_group")
    if key.dtype != pl.Boolean:
        message = f"expected a condition in per_group=, got values of type {type_name(key.dtype)}"
        hint = "write a condition such as 'age > 60', or pass over= to name groups"
        raise TQLTypeError(message, source=key.source, span=key.span, hint=hint)
    matching = frame.evaluate({"condition": key.expr}).to_series().fill_null(False).to_numpy()
    return np.flatnonzero(matching).astype(position_type(frame.rows))
