"""Compute weights from a sampler and a frame, one per row, and check them.

The compiler checks that a sampler fits a frame; this module checks that its weights are valid.
"""

from __future__ import annotations

import math
import operator
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler import CompiledArm, CompiledSampler, RandomNumbers, compile_sampler
from tql_frames.compiler.expressions.sampler import ConstantWeights
from tql_frames.compiler.expressions.types import type_name
from tql_frames.errors import Fault, TQLError, TQLNameError, TQLTypeError, WeightError, did_you_mean, reason_of
from tql_frames.frames import Rows, index_of
from tql_frames.language import BoundText, is_statement, nodes, parse
from tql_frames.language.parameters import check_parameters
from tql_frames.loading import LOADERS
from tql_frames.sampling import Strata, count_codes, strata_of_codes

if TYPE_CHECKING:
    import pandas as pd

Weights = NDArray[np.float64]
Watched = NDArray[np.bool_]
"""Which arms decide a row, shape (arms,)."""

_FEW = 16  # arms
_SCHEMAS_KEPT = 3  # of a text, besides the newest
_MOST_WATCHED = 64  # arms up to which a pass over files also finds deciding arms: four bytes per row for each 32


@dataclass(frozen=True)
class BadWeights:
    """Invalid weights.

    Attributes:
        rows: number of rows with an invalid weight.
        first: position of the first of these rows.
        weight: its weight.
        kinds: whether a weight is NaN, whether one is negative, and whether one is infinite.
    """

    rows: int
    first: int
    weight: float
    kinds: tuple[bool, bool, bool]

    @classmethod
    def among(cls, weights: Weights, bad: NDArray[np.bool_]) -> BadWeights:
        """Return the bad weights, at least one."""
        found, first = weights[bad], int(bad.argmax())
        kinds = bool(np.isnan(found).any()), bool((found < 0).any()), bool((found == math.inf).any())
        return cls(len(found), first, float(weights[first]), kinds)

    def and_later(self, others: BadWeights) -> BadWeights:
        """Return the bad weights of these and of later rows."""
        nan, negative, infinite = map(operator.or_, self.kinds, others.kinds)
        return BadWeights(self.rows + others.rows, self.first, self.weight, (nan, negative, infinite))

    def describe(self, who: str) -> str:
        """Return what is wrong."""
        where = f"row {self.first}" if self.rows == 1 else f"{self.rows:,} rows, the first row {self.first}"
        kinds = zip(("a NaN", "a negative", "an infinite"), self.kinds, strict=True)
        kind = " or ".join(kind for kind, here in kinds if here)
        return f"{who} {kind} weight in {where} ({self.weight:g})"


@dataclass(frozen=True)
class Weigher:
    """A sampler compiled for frames of one schema.

    Attributes:
        sampler: compiled TQL, or the user's Polars expression.
        given: the weights that the user passed, if any; they are the values of the expression.
    """

    sampler: CompiledSampler | pl.Expr
    given: GivenWeights | None = None

    @classmethod
    def of(cls, sampler: object, frame: Rows, random: RandomNumbers) -> Weigher:
        """Compile a sampler for a frame, with the numbers of `random()`.

        Raises:
            TQLError: it is not a sampler, or does not fit the frame.
        """
        sampler = sampler_from(sampler)
        if isinstance(sampler, str):
            return cls(compiled(sampler, frame.schema, random))
        if isinstance(sampler, pl.Expr):
            return cls(sampler)
        if isinstance(sampler, GivenWeights):
            return cls(pl.lit(sampler.values), sampler)
        raise no_sampler(sampler)

    def weigh(self, frame: Rows) -> Weights:
        """Return weights of the rows, shape (n,): finite, >= 0, null as 0.

        Raises:
            WeightError: a weight, or the weight of an arm where its condition is true, is negative, NaN or infinite.
        """
        return self._weigh(frame, {})[0]

    def _weigh(self, frame: Rows, more: Mapping[str, pl.Expr]) -> tuple[Weights, pl.DataFrame]:
        """Return weights of the rows, and the values of further expressions."""
        if isinstance(self.sampler, pl.Expr):
            return self._weigh_expression(self.sampler, frame), pl.DataFrame()
        sampler = self.sampler
        suspects = _suspects(sampler)
        exprs = {"weight": sampler.weight, **more}
        if suspects:  # a bad weight may be hidden by a greater one, or cancel in a sum
            exprs["bad"] = pl.any_horizontal([_bad(arm) for arm in suspects])
        found = self._evaluate(frame, exprs)
        weights = found["weight"].to_numpy()
        if suspects and found["bad"].any():
            raise self.refusal(*self._bad_arm(frame, suspects))
        self.check_constants(", in 0 rows here")
        self._check(weights)
        return weights, found

    def check_constants(self, where: str = "") -> None:
        """Check the constant weights of arms, including arms that match no row.

        Raises:
            WeightError: a constant weight is invalid; the message ends with `where`.
        """
        for arm in _suspects(self.sampler):
            if arm.constant is not None:
                assert isinstance(self.sampler, CompiledSampler)
                message = f"arm {self._number(arm)} has {_kind(arm.constant)} weight{where}"
                raise WeightError(message, source=self.sampler.source, span=arm.span, hint=_HINT)

    def first_bad(self, frame: Rows) -> tuple[int | None, BadWeights]:
        """Return the first arm with bad weights, by position, and these weights, for rows whose weights are invalid.

        The position is None if the weight of the whole sampler is invalid.
        """
        suspects = _suspects(self.sampler)
        if suspects and self._evaluate(frame, {"bad": pl.any_horizontal(map(_bad, suspects))})["bad"].any():
            return self._bad_arm(frame, suspects)
        weight = self.sampler if isinstance(self.sampler, pl.Expr) else self.sampler.weight
        weights = self._evaluate(frame, {"weight": weight.cast(pl.Float64).fill_null(0.0)})["weight"].to_numpy()
        return None, BadWeights.among(weights, ~((weights >= 0) & (weights < math.inf)))

    def refusal(self, place: int | None, bad: BadWeights) -> WeightError:
        """Return the error to raise for the result of `first_bad`."""
        if isinstance(self.sampler, pl.Expr):
            return WeightError(bad.describe("the sampler returns"), hint=_HINT)
        span = self.sampler.tree.span if place is None else self.sampler.arms[place].span
        who = "the sampler returns" if place is None else f"arm {place + 1} has"
        return WeightError(bad.describe(who), source=self.sampler.source, span=span, hint=_HINT)

    @property
    def bad(self) -> pl.Expr:
        """Expression for whether the weight of a row, or of an arm that it matches, is invalid."""
        weight = self.sampler if isinstance(self.sampler, pl.Expr) else self.sampler.weight
        found = ~((weight >= 0) & weight.is_finite())
        return pl.any_horizontal([found, *map(_bad, _suspects(self.sampler))])

    @property
    def has_bad_constant(self) -> bool:
        """Whether an arm has an invalid constant weight."""
        return any(each.constant is not None for each in _suspects(self.sampler))

    @property
    def constant_weights(self) -> ConstantWeights | None:
        """All possible weights by number, if they are known from the text; they are then all valid."""
        return self.sampler.constant_weights if isinstance(self.sampler, CompiledSampler) else None

    def watched(self, frame: Rows, most: int | None = None) -> tuple[Strata | Weights, Watched | None]:
        """Return the weights of the rows, and which arms decide a row, computed in the same pass.

        Args:
            frame: the rows.
            most: greatest number of distinct weights for strata; by default it depends on their number.

        Returns:
            Strata, or weights as returned by `weigh`; and which arms decide a row, None if it is not computed.

        Raises:
            WeightError: as `weigh`.
        """
        constant = self.constant_weights
        # Each arm is compared with the weight of all arms, in an expression that grows with the square of their number:
        # for many arms, the weight is computed first.
        arms = self._arms
        many = arms > _FEW and not frame.is_streamed
        if constant is None:
            words = {} if many else self._words(frame)
            weights, found = self._weigh(frame, words)
            return weights, self._watched_after(frame, weights) if many else self._read_words(found, list(words))
        words = {} if many or constant.deciding is not None else self._words(frame)
        values = self._evaluate(frame, {"number": constant.number, **words})
        numbers = values["number"].to_numpy()
        cells = count_codes(numbers, len(constant.weights))
        strata = strata_of_codes(numbers, constant.weights, most, cells)
        watched = self._read_words(values, list(words)) if words else None
        if many and constant.deciding is None:
            watched = self._watched_after(frame, constant.weights[numbers])
        if constant.deciding is not None:
            seen = constant.deciding[cells.any(axis=1)]
            watched = (
                np.asarray(seen.any(axis=0)) if seen.ndim > 1 else np.bincount(seen + 1, minlength=arms + 1)[1:] > 0
            )
        return constant.weights[numbers] if strata is None else strata, watched

    def matched(self, frame: Rows, decided: Watched) -> Watched:
        """Return which arms match a row of a frame; an arm that decides a row matches it.

        For arms whose conditions cannot be evaluated alone, return the value of `decided`.
        """
        found = decided.copy()
        idle = np.flatnonzero(~decided).tolist()
        if idle and isinstance(self.sampler, CompiledSampler):
            conditions = {str(arm): self.sampler.arms[arm].condition for arm in idle}
            with suppress(pl.exceptions.PolarsError, pl.exceptions.PanicException):
                values = frame.evaluate(conditions)
                found[idle] = [bool(values[name].any()) for name in conditions]
        return found

    @property
    def _arms(self) -> int:
        return len(self.sampler.arms) if isinstance(self.sampler, CompiledSampler) else 0

    def _watched_after(self, frame: Rows, weights: Weights) -> Watched | None:
        words = self._words(frame, pl.lit(pl.Series(weights)))
        return self._read_words(self._evaluate(frame, words), list(words))

    def _words(self, frame: Rows, weight: pl.Expr | None = None) -> dict[str, pl.Expr]:
        """Return numbers with one bit for each of up to 32 arms: whether it decides a row, including ties."""
        if isinstance(self.sampler, pl.Expr) or not self.sampler.arms:
            return {}
        sampler, arms = self.sampler, self.sampler.arms
        if len(arms) > _MOST_WATCHED and frame.is_streamed:  # these numbers would be held in memory, like the weights
            return {}
        greatest = sampler.choice == "max_weight" and isinstance(sampler.tree, nodes.WeightChoice)
        own = {arm.span for arm in sampler.tree.arms} if isinstance(sampler.tree, nodes.WeightChoice) else set()
        flags = [
            arm.condition & (arm.weight >= (sampler.weight if weight is None else weight))
            if greatest and arm.span in own
            else arm.condition
            for arm in arms
        ]
        return {
            f"arms {first}": pl.sum_horizontal(
                flag.cast(dtype) * pl.lit(1 << place, dtype) for place, flag in enumerate(flags[first : first + 32])
            )
            for first in range(0, len(flags), 32)
            for dtype in [pl.UInt8() if len(flags) - first <= 7 else pl.UInt32()]
        }

    def _read_words(self, found: pl.DataFrame, names: Sequence[str]) -> Watched | None:
        if not names:
            return None
        assert isinstance(self.sampler, CompiledSampler)
        bits = [np.bitwise_or.reduce(found[name].to_numpy(), initial=0) >> np.arange(32) & 1 for name in names]
        return np.concatenate(bits)[: len(self.sampler.arms)].astype(np.bool_)

    def no_row(self, count: int) -> WeightError:
        """Return the error for `count` rows that all have weight 0."""
        source, span, hint = None, None, None
        rows = f"all {count:,} rows, the first row 0" if count > 1 else "the one row"
        message = f"no row can be drawn: the weight is 0 in {rows}"
        if isinstance(self.sampler, CompiledSampler):
            source, span = self.sampler.source, self.sampler.tree.span
            if self.sampler.choice is not None:
                arms = len(self.sampler.arms)
                named = "its one arm gives" if arms == 1 else f"arms 1 to {arms} give"
                message = f"no row can be drawn: {named} weight 0 to {rows}"
                hint = "add a default arm, such as True: 1"
        return WeightError(message, source=source, span=span, hint=hint)

    def _weigh_expression(self, expr: pl.Expr, frame: Rows) -> Weights:
        if self.given is not None:
            self.given.check(frame)
            given = self.given.values.to_numpy()
            self._check(given)
            return given
        found = self._evaluate(frame, {"weight": expr})["weight"]
        dtype = found.dtype
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
            raise TQLTypeError(f"expected numeric weights, got {type_name(dtype)}", hint=_NUMERIC)
        weights = found.cast(pl.Float64).fill_null(0.0).to_numpy()
        self._check(weights)
        return weights

    def _check(self, weights: Weights) -> None:
        # One pass for all three kinds: NaN is neither >= 0 nor below infinity, and `min` returns it.
        if weights.size and not (weights.min() >= 0 and weights.max() < math.inf):
            raise self.refusal(None, BadWeights.among(weights, ~((weights >= 0) & (weights < math.inf))))

    def _evaluate(self, frame: Rows, exprs: dict[str, pl.Expr]) -> pl.DataFrame:
        try:
            return frame.evaluate(exprs)
        except pl.exceptions.ColumnNotFoundError as fault:
            line = str(fault).splitlines()[0]  # the bare name (Polars 1.30), or a sentence that quotes it
            quoted = re.search(r'"([^"]*)"', line)
            name = quoted[1] if quoted else line
            raise TQLNameError(f"unknown column {name!r}", hint=did_you_mean(name, frame.schema)) from None
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
            reason = reason_of(fault)
            if "is duplicate" in reason:
                raise TQLTypeError("expected the sampler to return one column, got several") from None
            raise self.not_evaluated(reason) from None

    def not_evaluated(self, reason: str) -> TQLError:
        """Return the error for a sampler that Polars cannot evaluate."""
        message = f"the sampler cannot be evaluated on these rows: {reason}"
        if isinstance(self.sampler, CompiledSampler):
            return TQLError(message, source=self.sampler.source, span=self.sampler.tree.span)
        return TQLError(message)

    def _bad_arm(self, frame: Rows, suspects: list[CompiledArm]) -> tuple[int, BadWeights]:
        """Return the position of the first arm with bad weights, and these weights."""
        assert isinstance(self.sampler, CompiledSampler)
        exprs = {f"bad {i}": _bad(arm) for i, arm in enumerate(suspects)}
        found = frame.evaluate(exprs | {f"weight {i}": arm.weight for i, arm in enumerate(suspects)})
        for i, arm in enumerate(suspects):
            bad = found[f"bad {i}"]
            if bad.any():
                found_bad = BadWeights.among(found[f"weight {i}"].to_numpy(), bad.to_numpy())
                return self.sampler.arms.index(arm), found_bad
        raise AssertionError("no arm is bad")

    def _number(self, arm: CompiledArm) -> int:
        assert isinstance(self.sampler, CompiledSampler)
        return self.sampler.arms.index(arm) + 1


def compiled(text: str, schema: Mapping[str, pl.DataType], random: RandomNumbers | None = None) -> CompiledSampler:
    """Return the compiled sampler of a text for frames of a schema; cached, since compiling is slower than small draws.

    Raises:
        TQLError: the text is invalid, or does not fit the schema.
    """
    if isinstance(text, BoundText) and text.has_many:  # compiling it is cheap, caching it is not
        return compile_sampler(text, schema, random)
    known = _compiled(text)
    for sampler in known:
        with suppress(KeyError, TQLError):
            if all(schema[name] == dtype for name, dtype in sampler.types.items()):  # type: ignore[union-attr]
                return sampler
    sampler = compile_sampler(text, schema, random)
    if sampler.types is not None:
        known[:] = [*known[-_SCHEMAS_KEPT:], sampler]
    return sampler


@lru_cache(maxsize=512)
def _compiled(text: str) -> list[CompiledSampler]:
    """Return the cached samplers of a text."""
    return []


class SamplerText(Protocol):
    """An object with the text of a sampler, such as a `Balance`."""

    @property
    def sampler(self) -> str:
        """Its text."""


SamplerLike: TypeAlias = "str | pl.Expr | SamplerText | Sequence[float | None] | NDArray[Any] | pl.Series | pd.Series"
"""A source of row weights."""


@dataclass(frozen=True, eq=False)
class GivenWeights:
    """Weights that the caller passes, one per row.

    Attributes:
        values: the weights as floats, null as 0.
        kind: class of the caller's object.
        labels: index of the caller's pandas series; None if weights are matched by position.
    """

    values: pl.Series
    kind: str
    labels: pd.Index | None = None

    @classmethod
    def of(cls, value: Any) -> GivenWeights | None:
        """Return the weights in a list, an array or a series; None for anything else.

        Raises:
            TQLTypeError: the object does not hold numbers, or has several dimensions.

        Examples:
            >>> GivenWeights.of([5, None, True]).values.to_list()
            [5.0, 0.0, 1.0]
        """
        kind = type(value).__name__
        value, labels = _apart(value)
        if not isinstance(value, (pl.Series, list)):
            if hasattr(value, "columns"):  # a table
                return None
            if not any(hasattr(value, name) for name in ("__arrow_c_array__", "__arrow_c_stream__", "__array__")):
                return None
            if hasattr(value, "shape") and len(value.shape) != 1:
                raise TQLTypeError(f"expected weights of one dimension, got an array of shape {tuple(value.shape)}")
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            # Without a query of Polars, which a forked process cannot run. Its memory may be the caller's.
            return cls(pl.Series("weight", value.astype(np.float64)), kind, labels)
        try:
            series = value if isinstance(value, pl.Series) else _series(value)
        except (Exception, pl.exceptions.PanicException):  # elements may be of any type
            raise TQLTypeError(f"expected one number per row, got a {kind} of other values", hint=_ONE_A_ROW) from None
        dtype = series.dtype
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)) and len(series):
            raise TQLTypeError(f"expected one number per row, got a {kind} of {type_name(dtype)}", hint=_ONE_A_ROW)
        values = series.cast(pl.Float64).fill_null(0.0).rechunk()
        if not isinstance(value, pl.Series) or labels is not None:  # its memory may be the caller's
            values = pl.Series(values.to_numpy().copy())
        return cls(values.alias("weight"), kind, labels)

    def __str__(self) -> str:
        return weights_text(len(self.values))

    def check(self, frame: Rows) -> None:
        """Check that there is one weight for each row of a frame.

        Raises:
            TQLError: there are more or fewer weights, or their labels differ from those of the rows.
        """
        rows, given = frame.rows, len(self.values)
        if rows != given:
            raise TQLError(f"expected {rows:,} weight{'s' * (rows != 1)}, one per row, got {given:,}")
        if self.labels is None:
            return
        if not self.labels.equals(index_of(frame)):
            message = "the weights have another index than the frame: a pandas series goes by its labels"
            raise TQLError(message, hint="pass weights.reindex(frame.index), or weights.to_numpy() to go by position")


def _apart(value: Any) -> tuple[Any, pd.Index | None]:
    """Return weights without the class of pandas or a similar library, and their labels.

    Raises:
        TQLTypeError: a pandas column has no Polars type.
    """
    library = type(value).__module__.partition(".")[0]
    if library == "narwhals" and hasattr(value, "to_native"):
        return _apart(value.to_native())
    if library in ("modin", "cudf") and type(value).__name__ == "Series":
        value = value.modin.to_pandas() if library == "modin" else value.to_pandas()
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.Series):  # subclasses, such as those of GeoPandas, too
        labels = value.index
    elif pandas is not None and isinstance(value, (pandas.Index, pandas.api.extensions.ExtensionArray)):
        if isinstance(value, pandas.MultiIndex):
            return value, None
        labels, value = None, pandas.Series(value)
    else:
        plain = isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview))
        return list(value) if plain else value, None
    if value.dtype == np.object_:
        return [None if missing else each for each, missing in zip(value, value.isna(), strict=True)], labels
    return LOADERS["pandas"]().polars_series(value, "weights"), labels


def weights_text(rows: int) -> str:
    """Return the text that describes given weights in place of a sampler.

    Examples:
        >>> weights_text(3)
        'weights of 3 rows'
    """
    return f"weights of {rows:,} row{'s' * (rows != 1)}"


def weights_digest(weights: Weights) -> str:
    """Return a digest of weights, shape (n,), as text; equal for equal weights."""
    return blake2b(np.ascontiguousarray(weights).data, digest_size=16).hexdigest()


def _series(value: Any) -> pl.Series:
    """Return a list or a one-dimensional array as a series; elements of lists may be scalars of any library."""
    if type(value).__module__.partition(".")[0] == "torch" and not value.is_complex():
        value = value.detach().to_dense().cpu().double().numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.dtype.itemsize > 8:
        value = value.astype(np.float64)
    if isinstance(value, np.ndarray) and value.dtype == np.object_:
        value = value.tolist()
    if not isinstance(value, list):
        return pl.Series(value)
    return pl.Series([_number(each) for each in value], dtype=pl.Float64)


def _number(value: Any) -> float:
    """Return a weight as a number, null as 0.

    Raises:
        TypeError: it is not a number.
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return 0.0
    if isinstance(value, (Real, Decimal, np.bool_)):
        return float(value)
    raise TypeError(value)


def sampler_from(value: object, parameters: Sequence[object] | None = None) -> Any:
    """Return a sampler as text, expression or `GivenWeights`; for a `Balance`, its text.

    Args:
        value: the caller's argument; an object of another kind is returned unchanged.
        parameters: values for the `?` of a text.

    Raises:
        TQLError: the text is invalid, or has more or fewer `?` than there are values; there are values but no text; or
            the elements of an array are not numbers.
    """
    if type(value).__name__ == "Balance" and isinstance(text := getattr(value, "sampler", None), str):
        value = text
    if isinstance(value, str):
        if parameters is None or isinstance(value, BoundText) or is_statement(value):
            return value
        check_parameters(parameters)
        try:
            return BoundText.of(value, parse(value), parameters)
        except Fault as fault:
            raise fault.error(value) from None
    if parameters is not None:
        raise TQLError("parameters= are the values of `?` in TQL text, but the sampler is not text")
    return value if isinstance(value, pl.Expr) else GivenWeights.of(value) or value


def no_sampler(value: object) -> TQLError:
    """Return the error to raise for an object that is not a sampler."""
    hint = None
    if isinstance(value, Mapping):
        hint = (
            "pass tql_frames.class_weights(column, weights), or a text: max_weight(column = 'label': weight, True: 1)"
        )
    elif isinstance(value, GivenWeights) or hasattr(value, "__len__"):
        hint = "add the weights to the frame as a column, and pass the name of that column"
    elif callable(value):
        hint = "compute the weights as a column of the frame, and pass the name of that column"
    what = value.kind if isinstance(value, GivenWeights) else type(value).__name__
    return TQLError(f"expected a sampler as TQL text or a Polars expression, got {what}", hint=hint)


_ONE_A_ROW = "pass numbers, or the name of a column, or a TQL text"
_NUMERIC = "use a numeric column, or cast the expression"
_HINT = "use finite weights of at least 0"


def _is_weight(number: float) -> bool:
    return 0 <= number < math.inf


def _suspects(sampler: CompiledSampler | pl.Expr) -> list[CompiledArm]:
    """Return the arms whose weight may be bad."""
    arms = () if isinstance(sampler, pl.Expr) else sampler.arms
    return [arm for arm in arms if arm.constant is None or not _is_weight(arm.constant)]


def _bad(arm: CompiledArm) -> pl.Expr:
    return arm.condition & ~((arm.weight >= 0) & arm.weight.is_finite())


def _kind(weight: float) -> str:
    if math.isnan(weight):
        return "a NaN"
    return "a negative" if weight < 0 else "an infinite"
