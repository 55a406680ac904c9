"""Define views: a frame, the positions of drawn rows, and a description of the draw.

`provenance` selects rows, `row_selection` converts them to frames, and `storage` saves them.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import polars as pl

from tql_frames.errors import TQLError, TQLWarning, warn
from tql_frames.frames import ColumnRef, Frame, Native, Rows, has_labels, kept_frame_of
from tql_frames.frames.base import cached_attribute
from tql_frames.loading import LOADERS
from tql_frames.pipeline.draw import Design, Draw, DrawSpec, GroupBy, Limit, Order, all_named
from tql_frames.pipeline.weights import GivenWeights, SamplerLike
from tql_frames.sampling import Floats, Positions
from tql_frames.views.provenance import Provenance, Step, choose, lines_of
from tql_frames.views.row_selection import KeptRows
from tql_frames.views.storage import Description, fingerprint, names_of, write_file

if TYPE_CHECKING:
    from tql_frames.analysis import Report
    from tql_frames.analysis.splits import Split

_HEAD = 5  # rows that notebooks show


@all_named
class View(KeptRows[Native], Provenance):
    """Positions of drawn rows, their order, and how they were drawn; the result of `tql_frames.view`.

    Frames of the rows are created on request, each kind once, and belong to the caller. The plan of a LazyFrame does
    not run before a call that depends on its rows. You can draw from a view and query it; rows keep their indices in
    the frame.

    Attributes:
        steps: how the rows were drawn: a sampler or statement with its options; each further step selects among the
            rows of the step before.
        message: the message that was saved with the view, empty by default.
        saved: when it was saved, or None.
        differences: for a loaded view, how the frame differs from the saved one in columns that the view does not need.
        origin: the source of the rows, as the package reads it: the frame, or the rows of another view. None for a
            loaded view that was drawn from another view.
        expression: the sampler, if it is a Polars expression; None for a loaded view.

    Examples:
        >>> old = pl.DataFrame({"x": [71, 34, 65]}).tql.view("max_weight(x > 60: 1)", limit=4, seed=1)
        >>> old
        View of 4 of 3 rows × 1 column, Polars DataFrame
          sampler  max_weight(x > 60: 1)
          drawn    4 rows, with replacement, in the order drawn
          seed     1
        <BLANKLINE>
        arm          rows  decides   share  expected share  expected draws  requested weight  factor  drawn  drawn share
        1 x > 60: 1     2        2  66.67%         100.00%             4.0                 1     1.5      4      100.00%
        >>> old.positions
        array([0, 0, 2, 2])
        >>> pl.DataFrame(old)["x"].to_list()
        [71, 71, 65, 65]
    """

    def __init__(
        self,
        source: Frame,
        steps: tuple[Step, ...],
        find: Callable[[Rows], Positions],
        columns: tuple[ColumnRef, ...] | None,
        *,
        index: str | None,
        ignore_index: bool,
        parent: View[Native] | None = None,
        expression: pl.Expr | GivenWeights | None = None,
        origin: Rows | None = None,
        description: Description | None = None,
        differences: Sequence[str] = (),
    ) -> None:
        """Create a view for `tql_frames.view` or `load_view`; `find` returns positions in `origin`."""
        self.steps = steps
        self.origin = origin
        self.expression = expression
        self.message = "" if description is None else description.message
        self.saved: dt.datetime | None = None if description is None else description.saved
        self.differences = tuple(differences)
        self._needs = None if description is None else description.needs
        self._is_loaded = description is not None
        self._find_drawn = find
        self._parent: View[Native] | None = parent
        super().__init__(source, columns, index, ignore_index)

    @property
    def drawn(self) -> Positions:
        """Positions of the rows in `origin`, in their order, shape (k,).

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> young = old.view("max_weight(age < 70: 1)", limit=2, seed=1)
            >>> young.drawn.tolist(), young.positions.tolist()
            ([2, 2], [2, 2])
        """
        return self.positions if self._parent is None else self._in_parent

    @cached_attribute
    def _in_parent(self) -> Positions:
        return self._find_drawn(self._parent.adapter if self._parent is not None else self._source)

    def _find(self) -> Positions:
        return self._find_drawn(self._source) if self._parent is None else self._parent.positions[self._in_parent]

    def view(
        self,
        sampler: SamplerLike,
        limit: Limit | None = None,
        *,
        fraction: float | None = None,
        replace: bool = True,
        seed: int | None = None,
        order: Order = "draw",
        over: GroupBy | None = None,
        unit: GroupBy | None = None,
        design: Design | None = None,
        key: GroupBy | None = None,
        parameters: Sequence[object] | None = None,
    ) -> View[Native]:
        """Draw a view from the rows of this view; arguments as in `tql_frames.view`.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("select * where age > 60")
            >>> old.view("max_weight(age < 70: 1)", 2).positions
            array([2, 2])
        """
        rows = self.adapter
        choice = choose(
            rows,
            sampler,
            parameters,
            limit=limit,
            fraction=fraction,
            replace=replace,
            seed=seed,
            order=order,
            over=over,
            unit=unit,
            design=design,
            key=key,
        )
        return View(
            self._source,
            (*self.steps, choice.step),
            choice.find,
            self._columns if choice.columns is None else rows.of_frame(choice.columns),
            index=self._index,
            ignore_index=self._ignore_index,
            parent=self,
            expression=choice.expression,
            origin=rows,
        )

    def sample(
        self,
        sampler: SamplerLike,
        limit: Limit | None = None,
        *,
        fraction: float | None = None,
        replace: bool = True,
        seed: int | None = None,
        order: Order = "draw",
        over: GroupBy | None = None,
        unit: GroupBy | None = None,
        design: Design | None = None,
        key: GroupBy | None = None,
        parameters: Sequence[object] | None = None,
    ) -> Native:
        """Draw rows of this view by weight, with their indices in the frame; see `tql_frames.sample`.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.sample("age", limit=2, seed=1)["age"].to_list()
            [65, 65]
        """
        return self.view(
            sampler,
            limit,
            fraction=fraction,
            replace=replace,
            seed=seed,
            order=order,
            over=over,
            unit=unit,
            design=design,
            key=key,
            parameters=parameters,
        ).to_native()

    def split(
        self,
        parts: Mapping[str, float] | None = None,
        *,
        folds: int | None = None,
        unit: str | None = None,
        by: str | Sequence[str] | None = None,
        key: str | None = None,
        seed: int | None = None,
    ) -> Split[View[Native]]:
        """Split the rows of this view into parts; arguments as in `tql_frames.split`.

        Copies of one row stay together: without `unit`, the rows of the frame are the units.

        Examples:
            >>> import tql_frames
            >>> drawn = pl.DataFrame({"age": [71, 34, 65, 20]}).tql.view("age", limit=6, seed=1)
            >>> drawn.positions, [part.positions.tolist() for part in drawn.split(folds=2, seed=1).values()]
            (array([1, 1, 2, 0, 2, 2]), [[1, 1, 2, 2, 2], [0]])
        """
        spec = splitting().SplitSpec.checked(parts, folds, unit, by, seed, key=key)
        rows = self.adapter
        assignment = splitting().Assignment.of(spec, rows, lambda: self.positions)

        def view_of(words: str, places: Collection[int]) -> View[Native]:
            return View(
                self._source,
                (*self.steps, Step.of_part(spec, words)),
                lambda _: assignment.positions(places),
                self._columns,
                index=self._index,
                ignore_index=self._ignore_index,
                parent=self,
                origin=rows,
            )

        made: Split[View[Native]] = splitting().Split(
            assignment, view_of, f"view of a {self._source.kind}", self._source.keeps_labels
        )
        return made

    def to_torch(
        self,
        columns: Sequence[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target: str | None = None,
        *,
        encode: Mapping[str, str] | None = None,
        classes: Mapping[str, Sequence[Any]] | None = None,
    ) -> Any:
        """Return the rows as a PyTorch data set, in their order.

        Args:
            columns: names of the columns that are features; by default all but the target.
            transform: called with each item; what it returns is the item instead.
            target: name of the column that is the target.
            encode: columns of texts or lists that become numbers, by name: `"label"` for a code, `"multi_hot"` for a 1
                for each label that a list contains and 0 for the others.
            classes: labels of encoded columns, by name, in the order of their codes; by default those that an Enum or a
                pandas Categorical declares, otherwise all labels of the frame, sorted.

        Returns:
            A `tql_frames.torch.TQLDataset`; for a LazyFrame, whose rows need not fit into memory, a
            `TQLIterableDataset`.

        Raises:
            TQLError: PyTorch is not installed, a row has a null where a tensor has none, or an argument is wrong.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> rows = old.to_torch()
            >>> len(rows), rows[3]
            (4, {'age': tensor(65)})
        """
        return LOADERS["torch"]().data_set_of(self, columns, transform, target, encode, classes=classes)

    def report(self, by: str | Sequence[str] | None = None, *, split: str | None = None) -> Report[Any]:
        """Report how often each label was drawn, with its rows and expected counts; see `tql_frames.report`.

        Args:
            by: the column of labels, or of lists of them, or a list of columns of true or false, or of 1 or 0, one per
                label; None to report only the arms of the sampler.
            split: the separator of labels in a text column that lists them, such as `"|"`.

        Returns:
            A report whose tables have the columns `drawn` and `drawn_share`. Expectations are those of the last draw.
            A statement without SAMPLE BY, and a loaded view that was drawn from another view, have no expectations,
            and labels are those of the frame.

        Raises:
            TQLError: the column does not exist, or its values cannot be labels.

        Examples:
            >>> df = pl.DataFrame({"view": ["PA", "AP", "PA"]})
            >>> df.tql.view("max_weight(view = 'AP': 4, True: 1)", 30, seed=1).report("view").labels.select(
            ...     "label", "rows", "expected_count", "drawn"
            ... ).rows()
            [('PA', 2, 10.0, 10), ('AP', 1, 20.0, 20)]
        """
        analysis = _analysis()
        columns = analysis.LabelColumns.checked(by, split)
        pandas = self._source.keeps_labels
        step, drawn = self.steps[-1], self.drawn
        origin: Rows = self._source
        sampler: str | pl.Expr | GivenWeights | None = None
        if self.origin is None or (step.kind == "expression" and self.expression is None):
            drawn = self.positions  # the population or the sampler was not saved
        else:
            origin = self.origin
            if step.kind == "statement":
                sampled = analysis.sampled_by(origin, step.text, step.parameters, columns, step.seed)
                if sampled is not None and sampled.population.row is not None:
                    found: Report[Any] = analysis.report_on(
                        sampled.population,
                        columns,
                        sampled.spec
                        if sampled.population.expected is not None
                        else DrawSpec(len(self), replace=sampled.spec.replace),
                        positions=drawn,
                        pandas=pandas,
                    )
                    return found
            elif step.kind == "sampler":
                sampler = step.sampler
            else:
                sampler = self.expression
        spec = DrawSpec(len(self), replace=step.replace is not False)
        if step.draw is not None and sampler is not None and not step.draw.is_plain:
            spec = step.draw
        population = analysis.population_of(origin, columns, sampler, step.seed, spec=spec)
        found = analysis.report_on(population, columns, spec, positions=drawn, pandas=pandas)
        return found

    def expected(self) -> Floats:
        """Return how often each row of the view is expected in a draw by its design, shape (k,).

        Without replacement this is the probability that the row is drawn. 1 / expected is the weight of a row for
        unbiased totals (Horvitz & Thompson 1952).

        Raises:
            TQLError: the view is of a statement, or its source or sampler was not saved.

        Examples:
            >>> import tql_frames
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.view("max_weight(age > 60: 1)", 4, design="systematic", seed=1).expected()
            array([2., 2., 2., 2.])
        """
        step = self.steps[-1]
        if step.draw is None or step.kind == "statement":
            message = "a view of a statement has no expected(): rows are expected of a sampler"
            raise TQLError(message, hint="draw with view(sampler, …), or look at report(by)")
        if self.origin is None or (step.kind == "expression" and self.expression is None):
            raise TQLError("the source or the sampler of the view was not saved", hint="draw it again")
        sampler = self.expression if step.kind == "expression" else step.sampler
        found: Floats = Draw.of(sampler, self.origin, step.draw).expected(self.origin)[0].take(self.drawn)
        return found

    def plot(self, by: str | Sequence[str] | None = None, *, split: str | None = None, log: bool = False) -> Any:
        """Draw bars of the raw, expected and drawn counts of each label, or of each arm; see `Report.plot`.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> chart = old.plot()
            >>> sorted(chart.to_dict())[0]
            '$schema'
        """
        return self.report(by, split=split).plot(log=log)

    @property
    def tql(self) -> View[Native]:
        """The view itself, so that `view.tql.sample(…)` works as for a frame.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.tql is old
            True
        """
        return self

    def save(self, path: str | os.PathLike[str], message: str = "") -> None:
        """Save the positions of the rows and how they were drawn to a small Parquet file; see `load_view`.

        The frame is read once, for a digest of each column: `load_view` refuses another frame. The file is written
        atomically.

        Args:
            path: path of the file; an existing file is replaced.
            message: text that is saved with the view.

        Raises:
            TQLError: the index holds Python objects, or other values that have no Polars type.
            OSError: the file cannot be written.

        Warns:
            TQLWarning: columns hold Python objects, or other values that have no Polars type. They are not saved, and
                `load_view` does not compare them.

        Examples:
            >>> import tempfile
            >>> import tql_frames
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> old = df.tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     old.save(f"{folder}/old.view", "first run")
            ...     tql_frames.load_view(f"{folder}/old.view", df).message
            'first run'
        """
        if not isinstance(message, str):
            raise TQLError(f"expected message= to be text, got {type(message).__name__}")
        positions = self.positions
        labels = self._source.scan(frozenset()).labels
        names = names_of(labels)
        frame = fingerprint(self._source, needed=())
        columns = None
        if self._columns is not None:
            columns = tuple((names[each.origin], each.label) for each in self._columns)
        needs = self._needs if self._is_loaded else needed_columns(self.steps, labels, columns)
        told = Description(
            self._source.kind, self.steps, columns, self._index, self._ignore_index, frame, message=message, needs=needs
        )
        write_file(path, positions, told.to_json())
        if frame.left_out:
            words = ", ".join(frame.left_out[:_HEAD]) + (" and more" if len(frame.left_out) > _HEAD else "")
            plural = "s" * (len(frame.left_out) > 1)
            message = (
                f"the view is saved without a digest of column{plural} {words}, whose values have no Polars type: "
                "load_view will not notice whether they change"
            )
            warn(TQLWarning(message))

    def __reduce__(self) -> tuple[Any, ...]:
        # Positions instead of the function that computes them, which cannot be pickled.
        state = {name: getattr(self, name) for name in ("message", "saved", "differences", "_needs", "_is_loaded")}
        arguments = (self.source, self.steps, self.drawn, self._columns, self._index, self._ignore_index, self._parent)
        return _restored, (type(self), arguments, self.origin is not None, state)

    def __repr__(self) -> str:
        arms = self._arms
        text: str = display().titled_text(self._title(), self._lines())
        return text if arms is None else f"{text}\n\n{arms.arms_as_text()}"

    def _repr_html_(self) -> str:
        sections = [] if self._arms is None else [self._arms.arms_as_html()]
        if not self._is_lazy or "_rows" in vars(self):
            sections.append(self._head(_HEAD)._repr_html_())
        found: str = display().titled_html(self._title(), self._lines(), sections)
        return found

    @cached_attribute
    def _arms(self) -> Report[Any] | None:
        """Report on the arms of the sampler; None if it has none, or if the report would run a plan."""
        if self._is_lazy or self.origin is None or self.steps[-1].kind in ("expression", "split"):
            return None
        found = self.report()
        return None if found.arms is None else found

    def _title(self) -> str:
        columns = _counted(len(self._source.scan(frozenset()).labels), "column")
        if self._columns is not None:
            columns = f"{len(self._columns):,} of {columns}"
        if "positions" not in vars(self):
            return f"View of {columns}, {self._source.kind}, rows not drawn yet"
        return f"View of {len(self):,} of {_counted(self._source.rows, 'row')} × {columns}, {self._source.kind}"

    def _lines(self) -> list[tuple[str, str]]:
        lines: list[tuple[str, str]] = lines_of(self.steps)
        if self.saved is not None:
            lines.append(("saved", f"{self.saved:%Y-%m-%d %H:%M} UTC"))
        if self.differences:
            lines.append(("differs", "; ".join(self.differences)))
        return [*lines, ("message", self.message)] if self.message else lines


def needed_columns(
    steps: Sequence[Step], labels: Sequence[object], columns: Sequence[tuple[str, object]] | None
) -> tuple[str, ...] | None:
    """Return names of the columns that the draw used, and of the columns of a view; None for all of the frame.

    Args:
        steps: the steps of the draw.
        labels: labels of the columns of the frame.
        columns: name in the fingerprint and label of each column of the view; None for all.
    """
    read: set[str] = set()
    for step in steps:
        if step.reads is None:
            return None
        read.update(step.reads)
    named = [name for name, label in zip(names_of(labels), labels, strict=True) if str(label) in read]
    return tuple(dict.fromkeys([*named, *(name for name, _ in columns or ())]))


def _restored(made: type[View[Any]], arguments: tuple[Any, ...], has_origin: bool, state: Mapping[str, Any]) -> Any:
    """Return a view that was pickled."""
    frame, steps, positions, columns, index, ignore_index, parent = arguments
    source = parent._source if parent is not None else kept_frame_of(frame, index, ignore_index and has_labels(frame))
    origin: Rows | None = None
    if has_origin:
        origin = source if parent is None else parent.adapter
    found: View[Any] = made(
        source,
        steps,
        lambda _: positions,
        columns,
        index=index,
        ignore_index=ignore_index,
        parent=parent,
        origin=origin,
    )
    vars(found).update(state)
    return found


@cache
def _analysis() -> Any:
    return import_module("tql_frames.analysis")


@cache
def display() -> Any:
    """Return the module that formats text and HTML; loaded at first use, since it needs `analysis`, too."""
    return import_module("tql_frames.analysis.display.table")


@cache
def splitting() -> Any:
    """Return the module that splits; loaded at first use, since it needs `analysis`, as reports do."""
    return import_module("tql_frames.analysis.splits")


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"
