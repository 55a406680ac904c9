"""Treat the arms of a sampler as switches: compute the weight for each combination, and without one of them.

`contingency` counts which rows match which arms.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler import CompiledArm, CompiledSampler
from tql_frames.compiler.expressions.functions import FUNCTIONS
from tql_frames.compiler.expressions.sampler import Decider, compile_tree, deciders_of, is_default
from tql_frames.compiler.expressions.scope import SchemaScope
from tql_frames.compiler.expressions.translate import Translator
from tql_frames.frames import PolarsFrame
from tql_frames.language import nodes
from tql_frames.language.nodes import Node, replaced
from tql_frames.sampling import Floats

_MOST_SWITCHES = 50_000_000  # bytes of combinations that are evaluated at a time
OF_ROWS = {"random", "row_number", "data"}  # functions whose values differ between rows with equal arguments


class Arms:
    """The arms of a sampler, in the order of its text; empty if it has none.

    Attributes:
        compiled: the arms.
        decide: whether the arms that a row matches determine its weight.
        deciders: its max_weight choices.
    """

    def __init__(self, sampler: CompiledSampler | pl.Expr | None, compile: Callable[[Node], CompiledSampler]) -> None:
        """Find out what the weight depends on, without evaluating it.

        Args:
            sampler: compiled; None, or a Polars expression, has no arms.
            compile: compiles another tree for the same columns.
        """
        self.compiled: tuple[CompiledArm, ...] = ()
        self.decide = False
        self.deciders: list[Decider] = []
        self._compile = compile
        if isinstance(sampler, CompiledSampler):
            self.compiled = sampler.arms
            self.deciders = deciders_of(sampler)
            self._source, self._tree = sampler.source, sampler.tree
            self._places = {arm.span: place for place, arm in enumerate(sampler.arms)}
            self._names = {str(place) for place in range(len(sampler.arms))}
            self._switched = self._switches(sampler.tree)
            self.decide = all(self._is_known(node) for node in self._switched.walk())

    def __len__(self) -> int:
        return len(self.compiled)

    @cached_property
    def defaults(self) -> NDArray[np.bool_]:
        """Shape (arms,): whether the text of each arm makes it match every row, such as `True: 1`."""
        arms = {node.span: node for node in self._tree.walk() if isinstance(node, nodes.Arm)} if self.compiled else {}
        return np.array([is_default(arms[arm.span]) for arm in self.compiled], np.bool_)

    def number(self, first: int, count: int) -> pl.Expr:
        """Return a UInt32 expression with a bit for each of `count` <= 32 arms from the first."""
        return pl.sum_horizontal(
            arm.condition.cast(pl.UInt32) * pl.lit(1 << place, pl.UInt32)
            for place, arm in enumerate(self.compiled[first : first + count])
        )

    def weights(self, matched: NDArray[np.bool_]) -> Floats:
        """Return the weight for each combination of matched arms, if the arms determine it.

        Args:
            matched: shape (c, arms).

        Returns:
            Shape (c,).
        """
        if self._greatest is not None:
            greatest: Floats = np.where(matched, self._greatest, 0.0).max(axis=1, initial=0.0)
            return greatest
        return self._values(self._weight, matched)

    @cached_property
    def _greatest(self) -> Floats | None:
        """The weights of the arms if the sampler is a single `max_weight` of constants, else None."""
        root = self._tree
        if not (isinstance(root, nodes.WeightChoice) and root.name == "max_weight" and len(root.arms) == len(self)):
            return None
        constants = [np.nan if arm.constant is None else arm.constant for arm in self.compiled]
        if not all(0 <= each < np.inf for each in constants):
            return None
        return np.array(constants, np.float64)

    @cached_property
    def _weight(self) -> pl.Expr:
        """The weight as an expression of one Boolean column per arm."""
        return self._compiled_for_switches(self._switched)

    def _compiled_for_switches(self, node: Node) -> pl.Expr:
        schema = pl.Schema({str(place): pl.Boolean() for place in range(len(self))})
        return compile_tree(self._source, node, Translator(SchemaScope(schema))).weight

    def _values(self, weight: pl.Expr, matched: NDArray[np.bool_]) -> Floats:
        columns = {str(place): matched[:, place] for place in range(len(self))}
        frame = pl.DataFrame(columns or {"": np.zeros(len(matched), np.bool_)})
        found: Floats = PolarsFrame(frame).evaluate({"weight": weight})["weight"].to_numpy()
        return found

    def weights_without(self, matched: NDArray[np.bool_]) -> Floats:
        """Return the weights by the sampler without each of its arms, shape (arms, c).

        Removing an arm changes only the combinations that match it: only these are evaluated again.
        """
        if not len(self):
            return np.empty((0, len(matched)))
        found = np.tile(self.weights(matched), (len(self), 1))
        cells, places = np.nonzero(matched)
        size = max(_MOST_SWITCHES // max(len(self), 1), 1)
        for first in range(0, len(cells), size):
            some, without = cells[first : first + size], places[first : first + size]
            switched = matched[some]
            switched[np.arange(len(some)), without] = False
            found[without, some] = self.weights(switched)
        return found

    def deciding(self, matched: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which arms decide the weight for each combination of matched arms, if the arms determine it.

        The shape is (c, arms).
        """
        each = np.empty((len(self), len(matched)))
        for place, (arm, node) in enumerate(zip(self.compiled, self._in_order(self._switched), strict=True)):
            known = arm.constant is not None
            each[place] = arm.constant if known else self._values(self._compiled_for_switches(node.weight), matched)
        decides = matched.copy()
        for decider in self.deciders:
            places = np.array(decider.places)
            weights = np.where(matched[:, places], each[places].T, -1.0)
            decides[:, places] &= places[weights.argmax(axis=1)][:, None] == places
        return decides

    def _in_order(self, node: Node) -> list[nodes.Arm]:
        """Return the arms in a tree by their numbers."""
        arms = {self._places[each.span]: each for each in node.walk() if isinstance(each, nodes.Arm)}
        return [arms[place] for place in range(len(self))]

    def without(self) -> list[pl.Expr]:
        """Return, for each arm, the weight of a row by the sampler without that arm."""
        return [self._compile(self._lacking(self._tree, place)).weight for place in range(len(self))]

    def _switches(self, node: Node) -> Node:
        """Return the tree with a Boolean column for each condition, named by the number of the arm."""

        def switch(each: Node) -> Node | None:
            if not (isinstance(each, nodes.Arm) and each.span in self._places):
                return None
            name = str(self._places[each.span])
            return nodes.Arm(nodes.Column(name, span=each.condition.span), self._switches(each.weight), span=each.span)

        return replaced(node, switch)

    def _lacking(self, node: Node, place: int) -> Node:
        """Return the tree without an arm; a choice that loses its last arm becomes 0."""
        span = self.compiled[place].span

        def lack(each: Node) -> Node | None:
            if not (isinstance(each, nodes.WeightChoice) and any(arm.span == span for arm in each.arms)):
                return None
            rest = tuple(arm for arm in each.arms if arm.span != span)
            return nodes.WeightChoice(each.name, rest, span=each.span) if rest else nodes.Literal(0, span=each.span)

        return replaced(node, lack)

    def _is_known(self, node: Node) -> bool:
        if isinstance(node, nodes.Column):
            return node.frame is None and node.name in self._names
        return not isinstance(node, nodes.Call) or (node.name in FUNCTIONS and node.name not in OF_ROWS)
