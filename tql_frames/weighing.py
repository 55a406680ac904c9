"""Sampler and frame to checked weights, one a row.

Whether a sampler fits a frame is the compiler's to say; whether its weights can be drawn by is found here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler import CompiledArm, CompiledSampler, RandomNumbers, compile_sampler
from tql_frames.errors import Span, TQLError, TQLNameError, TQLTypeError, WeightError, did_you_mean
from tql_frames.frames import Adapter, Deferred
from tql_frames.sampling import Strata, strata_of_codes

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Weigher:
    """A sampler made ready for the frames of one schema.

    Attributes:
        sampler: compiled TQL, or the user's own Polars expression.
    """

    sampler: CompiledSampler | pl.Expr

    @classmethod
    def of(cls, sampler: object, frame: Adapter | Deferred, random: RandomNumbers) -> Weigher:
        """Compile a sampler for a frame, with the numbers of `random()`.

        Raises:
            TQLError: it is neither text nor expression, or does not fit the frame.
        """
        if isinstance(sampler, str):
            return cls(compile_sampler(sampler, frame.schema, random))
        if isinstance(sampler, pl.Expr):
            return cls(sampler)
        raise TQLError(f"a sampler is TQL text or a Polars expression, not {type(sampler).__name__}")

    def weigh(self, frame: Adapter) -> Weights:
        """Weights of the rows, shape (n,): finite, >= 0, null as 0.

        Raises:
            WeightError: a weight, or the weight of an arm where its condition is true, is negative, NaN or infinite.
        """
        if isinstance(self.sampler, pl.Expr):
            return self._weigh_expression(self.sampler, frame)
        sampler = self.sampler
        suspects = [arm for arm in sampler.arms if arm.constant is None or not _is_weight(arm.constant)]
        exprs = {"weight": sampler.weight}
        if suspects:  # a bad weight may hide behind a greater one, or cancel in a sum
            exprs["bad"] = pl.any_horizontal([_bad(arm) for arm in suspects])
        found = self._evaluate(frame, exprs)
        weights = found["weight"].to_numpy()
        if suspects and found["bad"].any():
            raise self._bad_arm(frame, suspects)
        for arm in suspects:
            if arm.constant is not None:  # wrong even while no row matches its condition
                message = f"arm {self._number(arm)} has {_kind(arm.constant)} weight, in 0 rows here"
                raise WeightError(message, source=sampler.source, span=arm.span, hint=_HINT)
        _check(weights, sampler.source, sampler.tree.span)
        return weights

    def population(self, frame: Adapter) -> Strata | Weights:
        """What a draw needs to know of the rows: their strata, or their weights as `weigh` gives them.

        Raises:
            WeightError: as `weigh`.
        """
        levels = self.sampler.levels if isinstance(self.sampler, CompiledSampler) else None
        if levels is None:
            return self.weigh(frame)
        numbers = self._evaluate(frame, {"number": levels.number})["number"].to_numpy()
        strata = strata_of_codes(numbers, levels.weights)
        return levels.weights[numbers] if strata is None else strata

    def check_drawable(self, population: Strata | Weights) -> None:
        """Make sure that some row can be drawn, of at least one.

        Raises:
            WeightError: all weights are 0.
        """
        if population.table.drawable if isinstance(population, Strata) else population.any():
            return
        source, span, hint = None, None, None
        count = population.rows if isinstance(population, Strata) else len(population)
        rows = f"all {count:,} rows, the first row 0" if count > 1 else "the one row"
        message = f"no row can be drawn: the weight is 0 in {rows}"
        if isinstance(self.sampler, CompiledSampler):
            source, span = self.sampler.source, self.sampler.tree.span
            if self.sampler.choice is not None:
                arms = len(self.sampler.arms)
                named = "its one arm gives" if arms == 1 else f"arms 1 to {arms} give"
                message = f"no row can be drawn: {named} weight 0 to {rows}"
                hint = "add a default arm, such as True: 1"
        raise WeightError(message, source=source, span=span, hint=hint)

    def arm_conditions(self, frame: Adapter) -> pl.DataFrame:
        """Which rows each arm matches: a Boolean column an arm, named by its number from 1."""
        assert isinstance(self.sampler, CompiledSampler)
        return self._evaluate(frame, {str(n): arm.condition for n, arm in enumerate(self.sampler.arms, 1)})

    def _weigh_expression(self, expr: pl.Expr, frame: Adapter) -> Weights:
        found = self._evaluate(frame, {"weight": expr})["weight"]
        dtype = found.dtype
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
            raise TQLTypeError(f"the sampler gives values of type {dtype}, which are no weights")
        weights = found.cast(pl.Float64).fill_null(0.0).to_numpy()
        _check(weights, None, None)
        return weights

    def _evaluate(self, frame: Adapter, exprs: dict[str, pl.Expr]) -> pl.DataFrame:
        try:
            return frame.evaluate(exprs)
        except pl.exceptions.ColumnNotFoundError as fault:
            line = str(fault).splitlines()[0]  # the bare name (Polars 1.30), or a sentence that quotes it
            quoted = re.search(r'"([^"]*)"', line)
            name = quoted[1] if quoted else line
            raise TQLNameError(f"unknown column {name!r}", hint=did_you_mean(name, frame.schema)) from None
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
            reason = (str(fault) or type(fault).__name__).splitlines()[0][:300]
            if "is duplicate" in reason:
                raise TQLTypeError("the sampler gives several columns; a weight is one") from None
            message = f"the sampler cannot be evaluated on these rows: {reason}"
            if isinstance(self.sampler, CompiledSampler):
                raise TQLError(message, source=self.sampler.source, span=self.sampler.tree.span) from None
            raise TQLError(message) from None

    def _bad_arm(self, frame: Adapter, suspects: list[CompiledArm]) -> WeightError:
        assert isinstance(self.sampler, CompiledSampler)
        exprs = {f"bad {i}": _bad(arm) for i, arm in enumerate(suspects)}
        found = frame.evaluate(exprs | {f"weight {i}": arm.weight for i, arm in enumerate(suspects)})
        for i, arm in enumerate(suspects):
            bad = found[f"bad {i}"]
            if bad.any():
                message = _describe(bad.to_numpy(), found[f"weight {i}"].to_numpy(), f"arm {self._number(arm)} has")
                return WeightError(message, source=self.sampler.source, span=arm.span, hint=_HINT)
        raise AssertionError("no arm is bad")

    def _number(self, arm: CompiledArm) -> int:
        assert isinstance(self.sampler, CompiledSampler)
        return self.sampler.arms.index(arm) + 1


_HINT = "weights are finite and at least 0"


def _is_weight(number: float) -> bool:
    return 0 <= number < math.inf


def _bad(arm: CompiledArm) -> pl.Expr:
    return arm.condition & ~((arm.weight >= 0) & arm.weight.is_finite())


def _check(weights: Weights, source: str | None, span: Span | None) -> None:
    # One pass for all three: NaN is neither >= 0 nor below infinity, and comes out of min.
    if not weights.size or (weights.min() >= 0 and weights.max() < math.inf):
        return
    bad = ~((weights >= 0) & (weights < math.inf))
    raise WeightError(_describe(bad, weights, "the sampler gives"), source=source, span=span, hint=_HINT)


def _describe(bad: NDArray[np.bool_], weights: Weights, who: str) -> str:
    first = int(bad.argmax())
    count = int(np.count_nonzero(bad))
    where = f"row {first}" if count == 1 else f"{count:,} rows, the first row {first}"
    found = weights[bad]
    kinds = {"a NaN": np.isnan(found), "a negative": found < 0, "an infinite": found == math.inf}
    kind = " or ".join(kind for kind, here in kinds.items() if here.any())
    return f"{who} {kind} weight in {where} ({float(weights[first]):g})"


def _kind(weight: float) -> str:
    if math.isnan(weight):
        return "a NaN"
    return "a negative" if weight < 0 else "an infinite"
