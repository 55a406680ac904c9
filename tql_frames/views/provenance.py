"""How the rows of a view were drawn: each sampler or statement with its options, as plain values.

What they do to rows is in `kept_sample`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Literal

from tql_frames.arguments import Order


@dataclass(frozen=True)
class Step:
    """A draw, or a statement.

    Attributes:
        text: of the sampler or statement, or what a Polars expression prints.
        kind: what it is text of.
        seed: fixes the rows.
        parameters: values for the `?` of a statement, as plain values; else None.
        limit: rows asked for; None for as many as there were, and of a statement, which says so itself.
        fraction: instead of `limit`, the share of the rows that was asked for.
        replace: with or without replacement; None of a statement.
        order: of the rows; None of a statement.
        reads: names of the columns that the text names; None for all, or where they are not known.
    """

    text: str
    kind: Literal["sampler", "expression", "statement"]
    seed: int
    parameters: tuple[Any, ...] | None = None
    limit: int | None = None
    fraction: float | None = None
    replace: bool | None = None
    order: Order | None = None
    reads: tuple[str, ...] | None = None

    @property
    def words(self) -> str:
        """The options in words.

        Example:
            >>> Step("age", "sampler", 7, limit=1000, replace=False, order="draw").words
            '1,000 rows, without replacement, in the order drawn'
        """
        if self.kind == "statement":
            return "as the statement says"
        size = "as many rows as there are"
        if self.fraction is not None:
            size = f"{self.fraction:g} of the rows"
        elif self.limit is not None:
            size = f"{self.limit:,} row{'s' * (self.limit != 1)}"
        how = "with" if self.replace else "without"
        order = "drawn" if self.order == "draw" else "of the frame"
        return f"{size}, {how} replacement, in the order {order}"

    def to_json(self) -> dict[str, Any]:
        """Its attributes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Step:
        """The step of such attributes.

        Raises:
            KeyError, TypeError, ValueError: they are not those of a step.
        """
        parameters, reads = values["parameters"], values.get("reads")
        found = cls(
            **{
                **values,
                "parameters": None if parameters is None else tuple(parameters),
                "reads": None if reads is None else tuple(reads),
            }
        )
        if not found._is_sound():
            raise ValueError("no step of a view")
        return found

    def _is_sound(self) -> bool:
        """Whether the attributes are of their types."""
        return (
            isinstance(self.text, str)
            and self.kind in ("sampler", "expression", "statement")
            and type(self.seed) is int
            and self.seed >= 0
            and (self.limit is None or (type(self.limit) is int and self.limit >= 0))
            and (self.fraction is None or (isinstance(self.fraction, float) and self.fraction >= 0))
            and (self.replace is None or isinstance(self.replace, bool))
            and self.order in (None, "draw", "source")
            and all(isinstance(name, str) for name in self.reads or ())
        )


def plain_parameters(values: Sequence[object] | None) -> tuple[Any, ...] | None:
    """Values for the `?` of a statement as it reads them: numbers, text, truth values, None, or lists of them.

    Example:
        >>> plain_parameters([dt.date(2024, 2, 29), Decimal("0.5"), ("a", None)])
        ('2024-02-29', 0.5, ['a', None])
    """
    return None if values is None else tuple(_plain(value) for value in values)


def _plain(value: Any) -> Any:
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
