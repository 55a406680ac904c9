"""Compile the sampler or statement that selects the rows of a view, and describe it by plain values.

`drawn_view` uses the rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args

import polars as pl

from tql_frames.frames import ColumnRef, Rows
from tql_frames.frames.polars import picks_columns
from tql_frames.language import is_statement, nodes, on_one_line
from tql_frames.language.parameters import plain
from tql_frames.pipeline.draw import (
    Draw,
    DrawSpec,
    Order,
    Request,
    design_from,
    refuse_beside_statement,
    seed_from,
    size_from,
)
from tql_frames.pipeline.statement import prepare_rows
from tql_frames.pipeline.weights import GivenWeights, SamplerLike, sampler_from
from tql_frames.sampling import Positions

if TYPE_CHECKING:
    from tql_frames.analysis.splits import SplitSpec

Kind = Literal["sampler", "expression", "statement", "split"]
_WITHOUT_DRAW = ("statement", "split")


@dataclass(frozen=True)
class Step:
    """A draw, a statement, or a split.

    Attributes:
        text: the sampler or statement, the printed form of a Polars expression, or the call of a split and the part.
        kind: kind of the text.
        seed: fixes the rows.
        parameters: values for the `?` of the text, as plain values; None if there were none.
        draw: the request for rows; None for a statement or split, whose text contains it.
        reads: names of the columns in the text; None for all, or if they are not known.
    """

    text: str
    kind: Kind
    seed: int
    parameters: tuple[Any, ...] | None = None
    draw: DrawSpec | None = None
    reads: tuple[str, ...] | None = None

    @classmethod
    def of_part(cls, split: SplitSpec, part: str) -> Step:
        """Return the step of a part of a split; `part` is appended to the text of the call."""
        return cls(f"{split.text}{part}", "split", split.seed, reads=tuple(sorted(split.names)))

    @property
    def sampler(self) -> str:
        """The text with the values of its `?`."""
        found: str = sampler_from(self.text, self.parameters)
        return found

    @property
    def limit(self) -> int | None:
        """Number of rows that was requested; None for the default, and for a statement."""
        return None if self.draw is None else self.draw.limit

    @property
    def fraction(self) -> float | None:
        """Share of the rows that was requested instead; None for a statement."""
        return None if self.draw is None or self.draw.fraction is None else float(self.draw.fraction)

    @property
    def replace(self) -> bool | None:
        """Whether rows were drawn with replacement; None for a statement."""
        return None if self.draw is None else self.draw.replace

    @property
    def order(self) -> Order | None:
        """Order of the rows; None for a statement."""
        return None if self.draw is None else self.draw.order

    @property
    def words(self) -> str:
        """Description of the options.

        Examples:
            >>> Step("age", "sampler", 7, draw=DrawSpec(1000, replace=False)).words
            '1,000 rows, without replacement, in the order drawn'
        """
        if self.draw is None:
            return "as the statement says"
        what = "unit" if self.draw.unit else "row"
        size = f"as many {what}s as there are"
        if self.draw.fraction is not None:
            size = f"{float(self.draw.fraction):g} of the {what}s"
        elif self.draw.limit is not None:
            size = f"{self.draw.limit:,} {what}{'s' * (self.draw.limit != 1)}"
        elif self.draw.quotas is not None:
            size = f"{what}s by group, {', '.join(f'{number:,} of {name}' for name, number in self.draw.quotas)}"
        if self.draw.unit:
            size += f" ({', '.join(self.draw.unit)})"
        if self.draw.over:
            size += f", within each group of {', '.join(self.draw.over)}"
        if self.draw.key:
            size += f", by the key {', '.join(self.draw.key)}"
        how = "with" if self.draw.replace else "without"
        design = "" if self.draw.design in ("independent", "successive") else f" ({self.draw.design})"
        order = "drawn" if self.draw.order == "draw" else "of the frame"
        return f"{size}, {how} replacement{design}, in the order {order}"

    def to_json(self) -> dict[str, Any]:
        """Return its attributes, including those of the request."""
        names = ("text", "kind", "seed", "parameters", "limit", "fraction", "replace", "order", "reads")
        found = {name: getattr(self, name) for name in names}
        if self.draw is not None and not self.draw.is_plain:  # files of earlier versions do not have these attributes
            quotas = self.draw.quotas
            found["over"], found["unit"], found["design"] = self.draw.over, self.draw.unit, self.draw.design
            found["key"] = self.draw.key
            found["quotas"] = None if quotas is None else [[_plain(name), number] for name, number in quotas]
        return found

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Step:
        """Return the step with these attributes.

        Raises:
            KeyError, TypeError, ValueError: they are not the attributes of a step.
        """
        values = dict(values)
        parameters, reads, seed = values["parameters"], values.get("reads"), values["seed"]
        known = ("limit", "fraction", "replace", "order", "over", "unit", "quotas", "design", "key")
        names: list[str] = [name for name in known if name in values]
        request = {name: values.pop(name) for name in names}
        found = cls(
            **{
                **values,
                "parameters": None if parameters is None else tuple(parameters),
                "draw": None if values["kind"] in _WITHOUT_DRAW else request_from_json(request, seed),
                "reads": None if reads is None else tuple(reads),
            }
        )
        if not found._is_sound():
            raise ValueError("no step of a view")
        return found

    def _is_sound(self) -> bool:
        """Return whether the attributes have the right types."""
        return (
            isinstance(self.text, str)
            and self.kind in get_args(Kind)
            and type(self.seed) is int
            and self.seed >= 0
            and all(isinstance(name, str) for name in self.reads or ())
        )


class Provenance:
    """Base of objects with `steps` that describe a draw; the properties are those of the last step."""

    steps: tuple[Step, ...]

    @property
    def sampler(self) -> str:
        """Text of the sampler or statement; for a Polars expression its printed form.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.sampler
            'max_weight(age > 60: 1)'
        """
        return self.steps[-1].text

    @property
    def parameters(self) -> tuple[Any, ...] | None:
        """Values for the `?` of the statement, dates as text.

        Examples:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.view("select * where age > ?", parameters=[60]).parameters
            (60,)
        """
        return self.steps[-1].parameters

    @property
    def seed(self) -> int:
        """Seed of the rows: `sample` and `query` draw the same rows with it.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.seed
            1
        """
        return self.steps[-1].seed

    @property
    def replace(self) -> bool | None:
        """Whether the rows were drawn with replacement; None for a statement.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.replace
            True
        """
        return self.steps[-1].replace


def request_from_json(values: Mapping[str, Any], seed: int) -> DrawSpec:
    """Return the request with these values.

    Raises:
        ValueError: they are not the values of a request.
    """
    limit, fraction, replace, order = (values.get(name) for name in ("limit", "fraction", "replace", "order"))
    sound = (
        (limit is None or (type(limit) is int and limit >= 0))
        and (fraction is None or (isinstance(fraction, float) and fraction >= 0))
        and isinstance(replace, bool)
        and order in ("draw", "source")
    )
    if not sound:
        raise ValueError("no request for rows")
    quotas = values.get("quotas")
    keys = [tuple(values.get(name) or ()) for name in ("over", "unit", "key")]
    if not all(isinstance(text, str) for key in keys for text in key):
        raise ValueError("no request for rows")
    by_group = None
    if quotas is not None:
        by_group = tuple((tuple(name) if isinstance(name, list) else name, int(number)) for name, number in quotas)
    size = size_from(limit, fraction, replace)
    design = design_from(values.get("design"), replace=bool(replace))
    return DrawSpec(*size, bool(replace), seed, order, keys[0], by_group, keys[1], design, keys[2])  # type: ignore[arg-type]


def plain_parameters(values: Sequence[object] | None) -> tuple[Any, ...] | None:
    """Return values for the `?` of a text as numbers, text, Booleans, None, or lists of them.

    Examples:
        >>> plain_parameters([dt.date(2024, 2, 29), Decimal("0.5"), ("a", None)])
        ('2024-02-29', 0.5, ['a', None])
    """
    return None if values is None else tuple(map(plain, values))


_WIDTH = 80  # characters of a sampler to show

Line = tuple[str, str]


def lines_of(steps: Sequence[Step]) -> list[Line]:
    """Return lines that describe the steps, each a title and a text.

    Examples:
        >>> from tql_frames.pipeline.draw import DrawSpec, GroupBy, Limit
        >>> lines_of([Step("max_weight(age > 60: 5,\\n  true: 1)", "sampler", 7, draw=DrawSpec())])
        [('sampler', 'max_weight(age > 60: 5, true: 1)'),
         ('drawn', 'as many rows as there are, with replacement, in the order drawn'),
         ('seed', '7')]
    """
    lines: list[Line] = []
    for step in steps:
        lines.append((step.kind if step.kind in _WITHOUT_DRAW else "sampler", _shortened(step.text)))
        if step.parameters is not None:
            lines.append(("parameters", _shortened(", ".join(map(repr, step.parameters)))))
        if step.kind not in _WITHOUT_DRAW:
            lines.append(("drawn", step.words))
        lines.append(("seed", str(step.seed)))
    return lines


def _shortened(text: str) -> str:
    line = " ".join(on_one_line(text).split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _plain(value: Any) -> Any:
    """Return the name of a group as a value for JSON."""
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, pandas series
        value = value.tolist()
    elif hasattr(value, "to_list"):  # Polars series
        value = value.to_list()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, (Real, Decimal)):
        return float(value)
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)


@dataclass(frozen=True)
class Choice:
    """A choice of rows and columns.

    Attributes:
        step: how the rows are chosen.
        columns: columns of the result; None for all columns, unchanged.
        find: returns the positions of the rows in a frame, in their order.
        expression: the sampler, if it is not a text.
    """

    step: Step
    columns: tuple[ColumnRef, ...] | None
    find: Callable[[Rows], Positions]
    expression: pl.Expr | GivenWeights | None = None


def choose(rows: Rows, sampler: SamplerLike, parameters: Sequence[object] | None, **request: Unpack[Request]) -> Choice:
    """Compile a sampler or a statement; nothing runs. The options are those of `sample` and `query`.

    Raises:
        TQLError: the options exclude each other, or do not fit the rows.
    """
    weights: Any = sampler_from(sampler, parameters)
    if isinstance(weights, str) and is_statement(weights):
        refuse_beside_statement(request)
        return _choose_by_statement(rows, weights, parameters, seed_from(request.get("seed")))
    spec = DrawSpec.checked(**request)
    draw = Draw.of(weights, rows, spec)
    expression = None if isinstance(weights, str) else weights
    kind: Kind = "sampler" if expression is None else "expression"
    given = plain_parameters(parameters)
    step = Step(str(weights), kind, spec.seed, given, draw=spec, reads=_names_in(draw))
    return Choice(step, None, draw.positions, expression)


def _choose_by_statement(rows: Rows, text: str, parameters: Sequence[object] | None, seed: int) -> Choice:
    query = prepare_rows(text, parameters, rows, seed=seed)
    reads = None if query.names is None else tuple(sorted(query.names))

    def find(rows: Rows) -> Positions:
        if not rows.is_streamed:
            rows.rows  # noqa: B018 - a plan that is held runs here, not in threads of the statement's that then wait
        return query.positions(streaming=rows.is_streamed)

    return Choice(Step(text, "statement", seed, plain_parameters(parameters), reads=reads), query.columns, find)


def _names_in(draw: Draw) -> tuple[str, ...] | None:
    """Return names of the columns that a draw uses; None if an expression selects columns by type or pattern."""
    sampler = draw.weigher.sampler
    keys = {name for each in (draw.over, draw.unit, draw.key) if each is not None for name in each.names}
    if not isinstance(sampler, pl.Expr):
        return tuple(sorted(nodes.names_in(sampler.tree) | keys))
    return None if picks_columns(sampler) else tuple(sorted({*sampler.meta.root_names(), *keys}))
