"""Check a sampler for partitions, and compile and run it on a partition in each pass.

`partition_counts` counts the weights, `statement` runs whole statements.
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

_BY_NUMBER = ("random", "row_number")  # functions whose value depends on the number of the row


@dataclass(frozen=True)
class Sampler:
    """A sampler as the partitions receive it.

    Attributes:
        source: its text, or a Polars expression.
        seed: seed of the numbers of `random()`.
        keys: columns by which the rows of a partition are sorted; they are part of the digest.
        over: names of columns or TQL expressions that define groups; empty for one group.
        unit: names of columns or TQL expressions that define units; empty if rows are drawn.
        replace: whether rows of groups are drawn with replacement.
        key: names of columns or TQL expressions from which random numbers are derived; empty for row positions.
        gathers: whether the driver receives the weight of every row or unit.
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
        """Check that a sampler can be evaluated on partitions of a frame with these columns, and return it.

        Args:
            source: the sampler.
            columns: columns of the frame.
            seed: seed of the numbers of `random()`.
            keys: columns by which the rows of a partition are sorted.
            spec: the request for rows, with its groups and units; None for the default request.
            expected: whether the expected draws of each row are requested.

        Raises:
            TQLError: it is neither text nor expression, its text is invalid, or its expression names an unknown column.
            TQLUnsupportedError: it needs rows of other partitions, or picks columns by a pattern.
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
        """Return the tree of the text; the name of a column may be a text that cannot be parsed."""
        assert isinstance(self.source, str)
        try:
            return parse(self.source)
        except TQLSyntaxError:
            if self.source not in columns:
                raise
            return nodes.Column(self.source, span=Span(0, len(self.source)))

    def names(self, columns: Collection[str]) -> list[str]:
        """Return the columns that the first pass reads, in the order of `columns`."""
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
        """Whether a weight or a key depends on the number of the row, so that rows must be counted first."""
        roots = [self.root([self.source])] if isinstance(self.source, str) else []
        for text in self._texts:
            with suppress(TQLSyntaxError):  # the name of a column may be a text that cannot be parsed
                roots.append(parse(text))
        return any(map(asks_for_numbers, roots))

    def weigher(self, frame: Rows, start: int = 0) -> Weigher:
        """Return the sampler compiled for a partition; `start` is the number of its first row.

        Raises:
            TQLError: it does not fit the partition, or the value of an expression depends on other rows.
        """
        if isinstance(self.source, pl.Expr):
            check_row_by_row(self.source, frame.schema)
            return Weigher(self.source)
        random = random_numbers(self.seed, start)
        if not (start and self.numbers_rows):
            return Weigher.of(self.source, frame, random)
        return _weigher_from(self.source, self.root(frame.schema), frame.schema, start, random)

    def group_keys(self, frame: Rows, start: int = 0) -> Over | None:
        """Return the keys of groups and units, compiled for a partition; None for a draw by strata or spread.

        Args:
            frame: the partition.
            start: number of its first row.

        Raises:
            TQLError: a key does not fit the partition.
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
        """Return the result of `group_keys` for frames of a schema."""
        return self.group_keys(PolarsFrame(pl.DataFrame(schema=schema)))

    def count(self, frame: Rows, start: int) -> Counts:
        """Return the counts of a partition that has rows; `start` is the number of its first row.

        Raises:
            TQLError: the sampler does not fit the rows.
        """
        schema = {name: frame.schema[name] for name in self.names(list(frame.schema))}
        return count(self.weigher(frame, start), frame, schema, self.keys, self.group_keys(frame, start))

    def answer(self, question: Question, frame: Rows, start: int) -> Answer:
        """Return the answer of a partition to a question; `start` is the number of its first row."""
        return answer(question, self.weigher(frame, start), frame, self.group_keys(frame, start))

    def positions_and_expected(self, frame: Rows, share: PartitionDraw) -> tuple[Positions, Floats | None]:
        """Return the positions of the drawn rows of a partition, ascending, and the expected draws of each.

        The expected draws are None if not requested.

        Raises:
            TQLError: the partition has other rows than when it was counted.
        """
        share.check_rows(frame.rows)
        if not frame.rows:
            return np.empty(0, np.uint32), np.empty(0)
        over = self.group_keys(frame, share.start)
        return share.positions_and_expected(self.weigher(frame, share.start), frame, self.keys, over)

    def weigher_of(self, schema: Mapping[str, pl.DataType]) -> Weigher:
        """Return the sampler compiled for frames of a schema, for error messages."""
        return self.weigher(PolarsFrame(pl.DataFrame(schema=schema)))

    def empty_population_error(self, size: int) -> WeightError:
        """Return the error for requesting `size` rows from an empty population."""
        return empty_population_error(size)


def gathers(spec: DrawSpec, *, expected: bool = False) -> bool:
    """Return whether the driver needs the weight of every row or unit for a request."""
    return bool(expected or spec.unit or spec.key or not spec.is_default)


def _weigher_from(
    text: str, root: Node, schema: Mapping[str, pl.DataType], start: int, random: RandomNumbers
) -> Weigher:
    """Return a weigher whose `row_number()` counts from `start`."""
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
    """Return the tree of a key; a text that is the name of a column is not parsed as an expression."""
    return nodes.Column(text, span=Span(0, len(text))) if text in columns else parse(text)


def asks_for_numbers(node: Node) -> bool:
    """Return whether a tree calls a function whose value depends on the number of the row."""
    return any(isinstance(each, nodes.Call) and each.name in _BY_NUMBER for each in node.walk())


def check_functions(node: Node) -> None:
    """Check that a tree calls only functions whose value depends on one row.

    Raises:
        Fault: it calls `data`, or a function that was registered by the user.
    """
    for each in node.walk():
        if isinstance(each, nodes.Call) and each.name == "data":
            message = "data(column, row) is not supported here: that row may be on another machine"
            raise Fault(TQLUnsupportedError, message, each.span, "write the value into the text")
        if isinstance(each, nodes.Call) and each.name in registered_names():
            message = f"{each.name} is not supported here: it was registered in this process, and sees whole columns"
            raise Fault(TQLUnsupportedError, message, each.span, "compute a column by it, and name that column")


def check_column(name: str, columns: Iterable[str]) -> None:
    """Check that a column exists.

    Raises:
        TQLNameError: it does not exist.
    """
    if name not in columns:
        raise TQLNameError(f"unknown column {name!r}", hint=did_you_mean(name, columns))


def check_row_by_row(expr: pl.Expr, schema: Mapping[str, pl.DataType]) -> None:
    """Check that the value of an expression depends on one row only.

    Raises:
        TQLTypeError: the expression does not fit the schema.
        TQLUnsupportedError: the value may depend on other rows, and would then differ on partitions.
    """
    names = Names.apart_from(schema)
    flag, value = names.new("flag"), names.new("value")
    types = {name: schema[name] for name in expr.meta.root_names()}
    plan = pl.LazyFrame(schema={**types, flag: pl.Boolean()}).with_columns(expr.alias(value)).filter(column(flag))
    try:
        # Polars moves a filter below an expression only if that cannot change its values.
        filtered_last = plan.explain().lstrip().startswith("FILTER")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        raise TQLTypeError(f"the sampler does not fit the frame: {reason_of(fault)}") from None
    if filtered_last:
        message = "an expression that looks at several rows at once is not supported here: it would see one partition"
        raise TQLUnsupportedError(message, hint="compute it as a column of the frame, and name that column")


def check_source_order(order: object) -> None:
    """Check that rows are requested in the order of the frame.

    Raises:
        TQLUnsupportedError: they are requested in the order drawn.
        TQLError: the order is unknown.
    """
    check_order(order)
    if order == "draw":
        message = "order='draw' is not supported on Dask, Spark and Ray: it would move every row to another place"
        raise TQLUnsupportedError(message, hint="shuffle the rows with the engine; they are the same")


def keys_from(keys: object, columns: Iterable[str]) -> tuple[str, ...]:
    """Return the names of key columns as a tuple.

    Raises:
        TQLError: they are not a sequence of names, or a name is not a column.
    """
    if isinstance(keys, str) or not isinstance(keys, Sequence) or not all(isinstance(key, str) for key in keys):
        raise TQLError(f"expected keys= to be a list of column names, got {keys!r}")
    names = list(columns)
    for key in keys:
        check_column(key, names)
    return tuple(keys)
