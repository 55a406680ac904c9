"""The arms of a sampler as switches: what the weight becomes for each combination, and without one of them.

Which rows match which arms is counted in `cells`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler import CompiledArm, CompiledSampler
from tql_frames.compiler.functions import FUNCTIONS
from tql_frames.compiler.sampler import compile_tree
from tql_frames.compiler.scope import SchemaScope
from tql_frames.compiler.translate import Translator
from tql_frames.frames import PolarsAdapter
from tql_frames.language import tree
from tql_frames.language.replacing import replaced
from tql_frames.language.tree import Node
from tql_frames.sampling import Floats

OF_ROWS = {"random", "row_number", "data"}  # functions that give rows of equal arguments different values


class Arms:
    """The arms of a sampler, in the order of its text; none of a sampler without.

    Attributes:
        compiled: the arms.
        decide: whether a row's weight follows from the arms that it matches.
    """

    def __init__(self, sampler: CompiledSampler | pl.Expr | None, compile: Callable[[Node], CompiledSampler]) -> None:
        """Find out what the weight depends on; nothing runs.

        Args:
            sampler: compiled; None, or a Polars expression, has no arms.
            compile: compiles another tree for the same columns.
        """
        self.compiled: tuple[CompiledArm, ...] = ()
        self.decide = False
        self._compile = compile
        if isinstance(sampler, CompiledSampler):
            self.compiled = sampler.arms
            self._source, self._tree = sampler.source, sampler.tree
            self._places = {arm.span: place for place, arm in enumerate(sampler.arms)}
            self._switched = self._switches(sampler.tree)
            self.decide = all(self._is_known(node) for node in self._switched.walk())

    def __len__(self) -> int:
        return len(self.compiled)

    @property
    def defaults(self) -> NDArray[np.bool_]:
        """Shape (arms,): which of them match every row by their text, as `True: 1` does."""
        arms = {node.span: node for node in self._tree.walk() if isinstance(node, tree.Arm)} if self.compiled else {}
        conditions = [arms[arm.span].condition for arm in self.compiled]
        return np.array([isinstance(each, tree.Literal) and each.value is True for each in conditions], np.bool_)

    def number(self, first: int, count: int) -> pl.Expr:
        """UInt32 expression with a bit for each of `count` <= 32 arms from the first."""
        return pl.sum_horizontal(
            arm.condition.cast(pl.UInt32) * pl.lit(1 << place, pl.UInt32)
            for place, arm in enumerate(self.compiled[first : first + count])
        )

    def weights(self, matched: NDArray[np.bool_]) -> Floats:
        """The weight for each combination of matched arms, where these decide it.

        Args:
            matched: shape (c, arms).

        Returns:
            Shape (c,).
        """
        found: Floats = self._evaluate([self._switched], matched)[0]
        return found

    def weights_without(self, matched: NDArray[np.bool_]) -> Floats:
        """The same by the sampler without each of its arms, shape (arms, c)."""
        return self._evaluate([self._lacking(self._switched, place) for place in range(len(self))], matched)

    def without(self) -> list[pl.Expr]:
        """For each arm, the weight of a row by the sampler without it."""
        return [self._compile(self._lacking(self._tree, place)).weight for place in range(len(self))]

    def _evaluate(self, trees: list[Node], matched: NDArray[np.bool_]) -> Floats:
        frame = pl.DataFrame({str(place): matched[:, place] for place in range(len(self))})
        if not len(self):
            frame = pl.DataFrame({"": np.zeros(len(matched), np.bool_)})
        translator = Translator(SchemaScope(frame.schema))
        exprs = {str(n): compile_tree(self._source, node, translator).weight for n, node in enumerate(trees)}
        found = PolarsAdapter(frame).evaluate(exprs) if exprs else pl.DataFrame()
        return np.array([found[name].to_numpy() for name in exprs]).reshape(len(exprs), len(matched))

    def _switches(self, node: Node) -> Node:
        """The tree with a Boolean column for each condition, named by the number of the arm."""

        def switch(each: Node) -> Node | None:
            if not (isinstance(each, tree.Arm) and each.span in self._places):
                return None
            name = str(self._places[each.span])
            return tree.Arm(tree.Column(name, span=each.condition.span), self._switches(each.weight), span=each.span)

        return replaced(node, switch)

    def _lacking(self, node: Node, place: int) -> Node:
        """The tree without an arm; a choice without arms gives 0."""
        span = self.compiled[place].span

        def lack(each: Node) -> Node | None:
            if not (isinstance(each, tree.WeightChoice) and any(arm.span == span for arm in each.arms)):
                return None
            rest = tuple(arm for arm in each.arms if arm.span != span)
            return tree.WeightChoice(each.name, rest, span=each.span) if rest else tree.Literal(0, span=each.span)

        return replaced(node, lack)

    def _is_known(self, node: Node) -> bool:
        if isinstance(node, tree.Column):
            return node.frame is None and node.name in {str(place) for place in range(len(self))}
        return not isinstance(node, tree.Call) or (node.name in FUNCTIONS and node.name not in OF_ROWS)
