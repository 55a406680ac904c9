"""A sampler on its way to the partitions: what it names, and what each partition does by it in each pass.

What is counted of the weights is in `partition_counts`, whole statements are in `statement`.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import polars as pl

from tql_frames.compiler import RandomNumbers
from tql_frames.compiler.expressions.functions import registered_names
from tql_frames.compiler.expressions.sampler import compile_tree, key_of
from tql_frames.compiler.expressions.scope import SchemaScope, column
from tql_frames.compiler.expressions.translate import Translator, in_order
from tql_frames.compiler.statements import Names
from tql_frames.distributed.assignment import PartitionDraw
from tql_frames.distributed.partition_counts import Answer, Counts, Over, Question, answer, count
from tql_frames.errors import (
    Fault,
    Span,
    TQLError,
    TQLNameError,
    TQLSyntaxError,
    TQLTypeError,
    TQLUnsupportedError,
    WeightError,
    did_you_mean,
    reason_of,
)
from tql_frames.frames import PolarsFrame, Rows
from tql_frames.frames.polars import picks_columns
from tql_frames.language import nodes, parse
from tql_frames.language.nodes import Node, replaced
from tql_frames.pipeline.draw import DrawSpec, check_order, empty_population_error, numbers_of_keys, random_numbers
from tql_frames.pipeline.groups import GroupKeys
from tql_frames.pipeline.weights import Weigher, no_sampler, sampler_from
from tql_frames.sampling import Floats, Positions

_BY_NUMBER = ("random", "row_number")  # functions that ask for a row's number


@dataclass(frozen=True)
class Sampler:
    """A sampler as the partitions get it.

    Attributes:
        source: its text, or a Polars expression.
        seed: of the numbers of `random()`.
        keys: columns by which the rows of a partition are ordered and known again.
        over: names of columns or TQL expressions that tell groups apart; none for one group.
        unit: the same of units; none where rows are drawn.
        replace: whether rows of groups are drawn with replacement.
        key: names of columns or TQL expressions that random numbers belong to; none for the places of rows.
        gathers: whether all rows are drawn in one place, by their own weights.
    """

    source: str | pl.Expr
    seed: int
    keys: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    replace: bool = True
    key: tuple[str, ...] = ()
    gathers: bool = False

    @classmethod
    def of(
        cls,
        source: object,
        columns: Iterable[str],
        seed: int,
        keys: tuple[str, ...] = (),
        spec: DrawSpec | None = None,
        *,
        expected: bool = False,
    ) -> Sampler:
        """Make sure that a sampler can be evaluated on partitions of a frame with these columns.

        Args:
            source: the sampler.
            columns: of the frame.
            seed: of the numbers of `random()`.
            keys: columns by which rows are ordered and known again.
            spec: the request for rows, which tells what groups there are; None for one.
            expected: whether the sample says how often each row was to be expected.

        Raises:
            TQLError: it is neither text nor expression, its text is wrong, or it names no column of the frame.
            TQLUnsupportedError: it needs to see rows of other partitions.
        """
        names = list(columns)
        source = sampler_from(source)
        spec = spec or DrawSpec()
        groups = spec.over, spec.unit, spec.replace, spec.key, gathers(spec, expected=expected)
        for text in (*spec.over, *spec.unit, *spec.key):
            try:
                check_functions(_key_root(text, names))
            except Fault as fault:
                raise fault.error(text) from None
        if isinstance(source, pl.Expr):
            if picks_columns(source):
                message = "an expression that picks columns by a pattern is not supported here"
                raise TQLUnsupportedError(message, hint="name its columns one by one")
            for name in source.meta.root_names():
                check_column(name, names)
            return cls(source, seed, keys, *groups)
        if not isinstance(source, str):
            raise no_sampler(source)
        sampler = cls(source, seed, keys, *groups)
        try:
            check_functions(sampler.root(names))
        except Fault as fault:
            raise fault.error(source) from None
        return sampler

    def root(self, columns: Iterable[str]) -> Node:
        """Return the tree of the text, which may be the name of a column that is no expression."""
        assert isinstance(self.source, str)
        try:
            return parse(self.source)
        except TQLSyntaxError:
            if self.source not in columns:
                raise
            return nodes.Column(self.source, span=Span(0, len(self.source)))

    def names(self, columns: Collection[str]) -> list[str]:
        """Return those of the columns that the first pass looks at."""
        used = (
            nodes.names_in(self.root(columns)) if isinstance(self.source, str) else set(self.source.meta.root_names())
        )
        used = used.union(self.keys, *(nodes.names_in(_key_root(text, columns)) for text in self._texts))
        return [name for name in columns if name in used]

    @property
    def _texts(self) -> tuple[str, ...]:
        return *self.over, *self.unit, *self.key

    @property
    def numbers_rows(self) -> bool:
        """Whether a weight or a group depends on the number of its row, so that rows must be counted first."""
        roots = [self.root([self.source])] if isinstance(self.source, str) else []
        for text in self._texts:
            with suppress(TQLSyntaxError):  # of the name of a column that is no expression
                roots.append(parse(text))
        return any(map(asks_for_numbers, roots))

    def weigher(self, frame: Rows, start: int = 0) -> Weigher:
        """Return the sampler made ready for a partition whose first row has a number.

        Raises:
            TQLError: it does not fit the partition, or an expression looks at several rows at once.
        """
        if isinstance(self.source, pl.Expr):
            check_row_by_row(self.source, frame.schema)
            return Weigher(self.source)
        random = random_numbers(self.seed, start)
        if not (start and self.numbers_rows):
            return Weigher.of(self.source, frame, random)
        return _weigher_from(self.source, self.root(frame.schema), frame.schema, start, random)

    def group_keys(self, frame: Rows, start: int = 0) -> Over | None:
        """Return what tells groups and units apart, for a partition whose first row has a number; None for neither.

        Raises:
            TQLError: it does not fit the partition.
        """
        if not (self.gathers or self.over or self.unit):
            return None
        texts = ("over", self.over), ("unit", self.unit), ("key", self.key)
        over, unit, key = (self._keys(argument, each, frame, start) for argument, each in texts)
        return Over(over, unit, self.replace, self.gathers, key)

    def _keys(self, argument: str, texts: Sequence[str], frame: Rows, start: int) -> GroupKeys | None:
        random, schema = numbers_of_keys(self.seed, start), frame.schema
        found = []
        for text in texts:
            root = _key_root(text, schema)
            try:
                translator = Translator(SchemaScope(schema), in_order(random, root))
                found.append(key_of(text, _counted_from(root, start), translator, argument))
            except Fault as fault:
                raise fault.error(text) from None
        return GroupKeys(argument, tuple(found)) if found else None

    def over_of(self, schema: Mapping[str, pl.DataType]) -> Over | None:
        """Return what `group_keys` does, for frames of a schema."""
        return self.group_keys(PolarsFrame(pl.DataFrame(schema=schema)))

    def count(self, frame: Rows, start: int) -> Counts:
        """Return what a partition that has rows tells in the first pass.

        Raises:
            TQLError: the sampler does not fit the rows.
        """
        schema = {name: frame.schema[name] for name in self.names(list(frame.schema))}
        return count(self.weigher(frame, start), frame, schema, self.keys, self.group_keys(frame, start))

    def answer(self, question: Question, frame: Rows, start: int) -> Answer:
        """Return what a partition answers to a question about its weights."""
        return answer(question, self.weigher(frame, start), frame, self.group_keys(frame, start))

    def positions_and_expected(self, frame: Rows, share: PartitionDraw) -> tuple[Positions, Floats | None]:
        """Return positions of the rows that a partition gives, ascending, and how often each was to be expected.

        The latter is None where that was not asked for.

        Raises:
            TQLError: it holds other rows than when it was counted.
        """
        share.check_rows(frame.rows)
        if not frame.rows:
            return np.empty(0, np.uint32), np.empty(0)
        over = self.group_keys(frame, share.start)
        return share.positions_and_expected(self.weigher(frame, share.start), frame, self.keys, over)

    def weigher_of(self, schema: Mapping[str, pl.DataType]) -> Weigher:
        """Return the sampler made ready for frames of a schema, to say what is wrong with their weights."""
        return self.weigher(PolarsFrame(pl.DataFrame(schema=schema)))

    def empty_population_error(self, size: int) -> WeightError:
        """Return the error for so many rows asked for where there are none."""
        return empty_population_error(size)


def gathers(spec: DrawSpec, *, expected: bool = False) -> bool:
    """Return whether a request needs the weights of all rows, or units, in one place."""
    return bool(expected or spec.unit or spec.key or not spec.is_default)


def _weigher_from(
    text: str, root: Node, schema: Mapping[str, pl.DataType], start: int, random: RandomNumbers
) -> Weigher:
    """Return the weigher whose `row_number()` counts from `start`."""
    try:
        translator = Translator(SchemaScope(schema), in_order(random, root))
        return Weigher(compile_tree(text, _counted_from(root, start), translator))
    except Fault as fault:
        raise fault.error(text) from None


def _counted_from(root: Node, start: int) -> Node:
    """Return a tree whose `row_number()` counts from `start`."""

    def counted_on(node: Node) -> Node | None:
        if not (start and isinstance(node, nodes.Call) and node.name == "row_number"):
            return None
        return nodes.Arithmetic("+", node, nodes.Literal(start, span=node.span), span=node.span)

    return replaced(root, counted_on)


def _key_root(text: str, columns: Container[str]) -> Node:
    """Return the tree of what tells groups apart: the name of a column comes before an expression."""
    return nodes.Column(text, span=Span(0, len(text))) if text in columns else parse(text)


def asks_for_numbers(node: Node) -> bool:
    """Return whether a tree asks for the numbers of rows."""
    return any(isinstance(each, nodes.Call) and each.name in _BY_NUMBER for each in node.walk())


def check_functions(node: Node) -> None:
    """Make sure that a tree calls only functions that look at one row.

    Raises:
        Fault: it calls another.
    """
    for each in node.walk():
        if isinstance(each, nodes.Call) and each.name == "data":
            message = "data(column, row) is not supported here: that row may be on another machine"
            raise Fault(TQLUnsupportedError, message, each.span, "write the value into the text")
        if isinstance(each, nodes.Call) and each.name in registered_names():
            message = f"{each.name} is not supported here: it was registered in this process, and sees whole columns"
            raise Fault(TQLUnsupportedError, message, each.span, "compute a column by it, and name that column")


def check_column(name: str, columns: Iterable[str]) -> None:
    """Make sure that a column is there.

    Raises:
        TQLNameError: it is not.
    """
    if name not in columns:
        raise TQLNameError(f"unknown column {name!r}", hint=did_you_mean(name, columns))


def check_row_by_row(expr: pl.Expr, schema: Mapping[str, pl.DataType]) -> None:
    """Make sure that the value of an expression depends on its row alone.

    Raises:
        TQLUnsupportedError: it may depend on others, so that it would have other values on partitions.
    """
    names = Names.apart_from(schema)
    flag, value = names.new("flag"), names.new("value")
    types = {name: schema[name] for name in expr.meta.root_names()}
    plan = pl.LazyFrame(schema={**types, flag: pl.Boolean()}).with_columns(expr.alias(value)).filter(column(flag))
    try:
        # Polars knows it: it filters first, below the expression, only where that cannot change values.
        filtered_last = plan.explain().lstrip().startswith("FILTER")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        raise TQLTypeError(f"the sampler does not fit the frame: {reason_of(fault)}") from None
    if filtered_last:
        message = "an expression that looks at several rows at once is not supported here: it would see one partition"
        raise TQLUnsupportedError(message, hint="compute it as a column of the frame, and name that column")


def check_source_order(order: object) -> None:
    """Make sure that rows are asked for in the order of the frame.

    Raises:
        TQLUnsupportedError: they are asked for in the order drawn.
        TQLError: the order is unknown.
    """
    check_order(order)
    if order == "draw":
        message = "order='draw' is not supported on Dask, Spark and Ray: it would move every row to another place"
        raise TQLUnsupportedError(message, hint="shuffle the rows with the engine; they are the same")


def keys_from(keys: object, columns: Iterable[str]) -> tuple[str, ...]:
    """Return names of key columns as a tuple.

    Raises:
        TQLError: they are no sequence of names, or one is no column.
    """
    if isinstance(keys, str) or not isinstance(keys, Sequence) or not all(isinstance(key, str) for key in keys):
        raise TQLError(f"expected keys= to be a list of column names, got {keys!r}")
    names = list(columns)
    for key in keys:
        check_column(key, names)
    return tuple(keys)
