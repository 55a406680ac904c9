"""Define `.tql` on Polars and pandas frames: the calls of `api` as methods."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import polars as pl

from tql_frames import api
from tql_frames.errors import TQLError
from tql_frames.frames import INDEX, is_pandas
from tql_frames.notebook import explore
from tql_frames.pipeline.argument_names import wrong_name
from tql_frames.pipeline.draw import Design, GroupBy, Limit, Order, places_of, wrong_number
from tql_frames.pipeline.weights import SamplerLike
from tql_frames.views import split, view

if TYPE_CHECKING:
    import pandas as pd

    from tql_frames.analysis import Balance, Explanation, Report
    from tql_frames.notebook.widget import Explore
    from tql_frames.views import Split, View

_Method = TypeVar("_Method", bound=Callable[..., Any])
_SECTION = re.compile(r"^(\w+):$", re.MULTILINE)
_ENTRY = re.compile(r"^    (\w+):", re.MULTILINE)
FrameOf = TypeVar("FrameOf", pl.DataFrame, pl.LazyFrame, "pd.DataFrame")
TableOf = TypeVar("TableOf", pl.DataFrame, "pd.DataFrame")
AnyPolars = TypeVar("AnyPolars", pl.DataFrame, pl.LazyFrame)


def method_of(call: Callable[..., Any]) -> Callable[[_Method], _Method]:
    """Add the docstring of a function to a method, and errors that name the right argument for an unknown one.

    Sections are inserted before the method's own example, without arguments that it does not have, such as the frame.
    """

    def documented(method: _Method) -> _Method:
        own, theirs = _sections(method), _sections(call)
        entries = _ENTRY.split(theirs.get("Args", ""))[1:]
        names = inspect.signature(method).parameters
        most = len(places_of(names))
        pairs = zip(entries[::2], entries[1::2], strict=True)
        arguments = "".join(f"    {name}:{text}" for name, text in pairs if name in names)
        found = {"": own[""], "Args": arguments, **{name: theirs.get(name, "") for name in _AFTER_ARGS}, **own}
        method.__doc__ = "\n\n".join(
            f"{name}:\n{text.strip(chr(10))}" if name else text.strip() for name, text in found.items() if text
        )

        @functools.wraps(method)
        def checked(*given: Any, **options: Any) -> Any:
            if len(given) > most:
                raise wrong_number(method.__name__, names, len(given) - 1)
            for name, value in options.items():
                if name not in names:
                    raise wrong_name(method.__name__, name, [*names][1:], value)
            return method(*given, **options)

        return checked  # type: ignore[return-value]

    return documented


_AFTER_ARGS = ("Returns", "Raises", "Warns")


def _sections(documented: Callable[..., Any]) -> dict[str, str]:
    """Return the sections of a docstring by their headings; the text before them has the key ""."""
    parts = _SECTION.split(inspect.getdoc(documented) or "")
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


class _Namespace(Generic[FrameOf, TableOf]):
    """Calls for frames of all libraries: `FrameOf` is the frame, `TableOf` the tables of its reports."""

    __slots__ = ("_frame",)
    _frame: FrameOf

    def __init__(self, frame: FrameOf) -> None:
        """Store the frame for one call."""
        self._frame = frame

    @method_of(api.query)
    def query(
        self,
        text: str,
        parameters: Sequence[object] | None = None,
        *,
        seed: int | None = None,
        index: str | None = INDEX,
    ) -> FrameOf:
        """Run a TQL statement on this frame.

        Examples:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.query("select age where age > ?", [60])["age"].to_list()
            [71, 65]
        """
        return api.query_frame(self._frame, text, parameters, seed=seed, index=index)

    @method_of(api.explain)
    def explain(
        self, sampler: SamplerLike, parameters: Sequence[object] | None = None, *, seed: int | None = None
    ) -> Explanation:
        """Explain what a sampler or a statement does to this frame.

        Examples:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.explain("max_weight(age > 60: 5, True: 1)").splitlines()[:3]
            ['max_weight', '├─ age > 60: 5', '└─ true: 1']
        """
        return api.explain(self._frame, sampler, parameters, seed=seed)

    @method_of(api.report)
    def report(
        self,
        sampler: SamplerLike | None = None,
        limit: Limit | None = None,
        *,
        by: str | Sequence[str] | None = None,
        split: str | None = None,
        fraction: float | None = None,
        replace: bool = True,
        over: GroupBy | None = None,
        unit: GroupBy | None = None,
        design: Design | None = None,
        parameters: Sequence[object] | None = None,
        seed: int | None = None,
    ) -> Report[TableOf]:
        """Report how often each label occurs before and after sampling.

        Examples:
            >>> df = pl.DataFrame({"view": ["PA", "PA", "AP"]})
            >>> report = df.tql.report("max_weight(view = 'AP': 2, True: 1)", by="view")
            >>> report.labels["expected_share"].to_list()
            [0.5, 0.5]
        """
        found: Report[Any] = api.report(
            self._frame,
            sampler,
            limit,
            by=by,
            split=split,
            fraction=fraction,
            replace=replace,
            over=over,
            unit=unit,
            design=design,
            parameters=parameters,
            seed=seed,
        )
        return found

    @method_of(api.balance)
    def balance(
        self,
        by: str | Sequence[str],
        target: str | Mapping[Any, float] = "uniform",
        *,
        split: str | None = None,
        keep: Sequence[Any] = (),
        max_weight: float | None = None,
        method: str = "raking",
        limit: int | None = None,
        fraction: float | None = None,
        replace: bool = True,
        design: Design | None = None,
        parameters: Sequence[object] | None = None,
    ) -> Balance[TableOf]:
        """Compute a sampler for wanted shares of labels.

        Examples:
            >>> df = pl.DataFrame({"view": ["PA", "PA", "AP"]})
            >>> print(df.tql.balance("view").sampler)
            max_weight(view == 'AP': 1.5, view == 'PA': 0.75)
        """
        found: Balance[Any] = api.balance(
            self._frame,
            by,
            target,
            split=split,
            keep=keep,
            max_weight=max_weight,
            method=method,
            limit=limit,
            fraction=fraction,
            replace=replace,
            design=design,
            parameters=parameters,
        )
        return found


class _PolarsNamespace(_Namespace[AnyPolars, pl.DataFrame]):
    """Calls for eager and lazy Polars frames."""

    __slots__ = ()

    @method_of(api.sample)
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
        index: str | None = INDEX,
        expected: str | None = None,
        parameters: Sequence[object] | None = None,
    ) -> AnyPolars:
        """Draw rows by weight; for a LazyFrame when it is collected.

        Examples:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.sample("max_weight(age > 60: 1)", limit=4, seed=1)["index"].to_list()
            [0, 0, 2, 2]
        """
        return api.sample(
            self._frame,
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
            index=index,
            expected=expected,
            parameters=parameters,
        )

    @method_of(view)
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
        index: str | None = INDEX,
        parameters: Sequence[object] | None = None,
    ) -> View[AnyPolars]:
        """Draw rows and keep their positions instead of the rows.

        Examples:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.view("max_weight(age > 60: 1)", limit=4, seed=1).positions
            array([0, 0, 2, 2])
        """
        return view(
            self._frame,
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
            index=index,
            parameters=parameters,
        )

    @method_of(split)
    def split(
        self,
        parts: Mapping[str, float] | None = None,
        *,
        folds: int | None = None,
        unit: str | None = None,
        by: str | Sequence[str] | None = None,
        key: str | None = None,
        seed: int | None = None,
        index: str | None = INDEX,
    ) -> Split[View[AnyPolars]]:
        """Split the rows into parts of whole units, with labels in proportion.

        Examples:
            >>> df = pl.DataFrame({"id": [1, 1, 2, 2], "age": [71, 72, 34, 35]})
            >>> parts = df.tql.split({"train": 0.5, "test": 0.5}, unit="id", seed=7)
            >>> parts["train"].index.to_list(), parts["test"].index.to_list()
            ([0, 1], [2, 3])
        """
        return split(self._frame, parts, folds=folds, unit=unit, by=by, key=key, seed=seed, index=index)


class DataFrameNamespace(_PolarsNamespace[pl.DataFrame]):
    """`df.tql` on a Polars DataFrame.

    Examples:
        >>> df = pl.DataFrame({"age": [71, 34]})
        >>> df.tql.sample("max_weight(age > 60: 1)", limit=2, seed=1)["age"].to_list()
        [71, 71]
    """

    __slots__ = ()

    @method_of(api.weights)
    def weights(
        self, sampler: SamplerLike, *, seed: int | None = None, parameters: Sequence[object] | None = None
    ) -> pl.Series:
        """Return the weights of the rows as a Series `weight`.

        Examples:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.weights("max_weight(age > 60: 5, True: 1)").to_list()
            [5.0, 1.0, 5.0]
        """
        return api.weights(self._frame, sampler, seed=seed, parameters=parameters)

    @method_of(explore)
    def explore(self, sampler: str = "", *, by: str | Sequence[str] | None = None, split: str | None = None) -> Explore:
        """Return a widget in which a sampler is written and its effect is shown.

        Examples:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> widget = df.tql.explore("max_weight(age > 60: 5, True: 1)")
            >>> widget.query
            'max_weight(age > 60: 5, True: 1)'
        """
        return explore(self._frame, sampler, by=by, split=split)


class LazyFrameNamespace(_PolarsNamespace[pl.LazyFrame]):
    """`lf.tql` on a Polars LazyFrame.

    Examples:
        >>> lf = pl.LazyFrame({"age": [71, 34]})
        >>> lf.tql.sample("max_weight(age > 60: 1)", limit=2, seed=1).collect()["age"].to_list()
        [71, 71]
    """

    __slots__ = ()

    @method_of(api.weights)
    def weights(
        self, sampler: SamplerLike, *, seed: int | None = None, parameters: Sequence[object] | None = None
    ) -> pl.LazyFrame:
        """Return a plan of one column `weight`.

        Examples:
            >>> plan = pl.LazyFrame({"age": [71, 34]}).tql.weights("max_weight(age > 60: 5, True: 1)")
            >>> plan.collect()["weight"].to_list()
            [5.0, 1.0]
        """
        return api.weights(self._frame, sampler, seed=seed, parameters=parameters)


class PandasNamespace(_Namespace["pd.DataFrame", "pd.DataFrame"]):
    """`df.tql` on a pandas DataFrame.

    Examples:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"age": [71, 34]}, index=["x", "y"])
        >>> df.tql.sample("max_weight(age > 60: 1)", limit=2, seed=1).index.to_list()
        ['x', 'x']
    """

    __slots__ = ()

    @method_of(api.sample)
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
        index: str | None = INDEX,
        ignore_index: bool = False,
        expected: str | None = None,
        parameters: Sequence[object] | None = None,
    ) -> pd.DataFrame:
        """Draw rows by weight, with their index labels.

        Examples:
            >>> import pandas as pd
            >>> df = pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"])
            >>> df.tql.sample("max_weight(age > 60: 1)", limit=4, seed=1).index.to_list()
            ['x', 'x', 'z', 'z']
        """
        return api.sample(
            self._frame,
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
            index=index,
            ignore_index=ignore_index,
            expected=expected,
            parameters=parameters,
        )

    @method_of(api.weights)
    def weights(
        self, sampler: SamplerLike, *, seed: int | None = None, parameters: Sequence[object] | None = None
    ) -> pd.Series:
        """Return the weights of the rows as a Series `weight`, with the index of the frame.

        Examples:
            >>> import pandas as pd
            >>> df = pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"])
            >>> df.tql.weights("max_weight(age > 60: 5, True: 1)").to_list()
            [5.0, 1.0, 5.0]
        """
        return api.weights(self._frame, sampler, seed=seed, parameters=parameters)

    @method_of(view)
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
        index: str | None = INDEX,
        ignore_index: bool = False,
        parameters: Sequence[object] | None = None,
    ) -> View[pd.DataFrame]:
        """Draw rows and keep their positions instead of the rows.

        Examples:
            >>> import pandas as pd
            >>> df = pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"])
            >>> df.tql.view("max_weight(age > 60: 1)", limit=4, seed=1).positions
            array([0, 0, 2, 2])
        """
        return view(
            self._frame,
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
            index=index,
            ignore_index=ignore_index,
            parameters=parameters,
        )

    @method_of(split)
    def split(
        self,
        parts: Mapping[str, float] | None = None,
        *,
        folds: int | None = None,
        unit: str | None = None,
        by: str | Sequence[str] | None = None,
        key: str | None = None,
        seed: int | None = None,
        index: str | None = INDEX,
        ignore_index: bool = False,
    ) -> Split[View[pd.DataFrame]]:
        """Split the rows into parts of whole units, with labels in proportion.

        Examples:
            >>> import pandas as pd
            >>> df = pd.DataFrame({"id": [1, 1, 2, 2]}, index=["w", "x", "y", "z"])
            >>> parts = df.tql.split({"train": 0.5, "test": 0.5}, unit="id", seed=7)
            >>> parts["train"].index.to_list(), parts["test"].index.to_list()
            (['w', 'x'], ['y', 'z'])
        """
        return split(
            self._frame,
            parts,
            folds=folds,
            unit=unit,
            by=by,
            key=key,
            seed=seed,
            index=index,
            ignore_index=ignore_index,
        )

    @method_of(explore)
    def explore(self, sampler: str = "", *, by: str | Sequence[str] | None = None, split: str | None = None) -> Explore:
        """Return a widget in which a sampler is written and its effect is shown.

        Examples:
            >>> import pandas as pd
            >>> df = pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"])
            >>> widget = df.tql.explore("max_weight(age > 60: 5, True: 1)")
            >>> widget.query
            'max_weight(age > 60: 5, True: 1)'
        """
        return explore(self._frame, sampler, by=by, split=split)


class Accessor:
    """Descriptor that creates a namespace at each use.

    Polars and pandas store the namespace object on the frame that it refers to: a reference cycle, which keeps the
    memory of the frame until the garbage collector runs. A namespace without state does not need to be stored.
    """

    def __init__(self, namespace: type[Any]) -> None:
        self._namespace = namespace

    def __get__(self, frame: object | None, owner: type) -> Any:
        return self._namespace if frame is None else self._namespace(frame)


@overload
def tql(frame: pl.DataFrame) -> DataFrameNamespace: ...
@overload
def tql(frame: pl.LazyFrame) -> LazyFrameNamespace: ...
@overload
def tql(frame: pd.DataFrame) -> PandasNamespace: ...
def tql(frame: object) -> object:
    """Return the namespace of a frame: `tql(df).sample(…)` is `df.tql.sample(…)`, with types for type checkers.

    Type checkers do not know `df.tql`, because it is added to classes of other libraries.
    `df.pipe(tql_frames.tql)` works as well.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame.

    Raises:
        TQLError: the argument is something else.

    Examples:
        >>> from tql_frames import tql
        >>> df = pl.DataFrame({"age": [71, 34, 65]})
        >>> tql(df).sample("max_weight(age > 60: 1)", limit=2, seed=1)["age"].to_list()
        [71, 71]
    """
    if isinstance(frame, pl.DataFrame):
        return DataFrameNamespace(frame)
    if isinstance(frame, pl.LazyFrame):
        return LazyFrameNamespace(frame)
    if is_pandas(frame):
        return PandasNamespace(frame)
    message = f"expected a Polars DataFrame or LazyFrame, or a pandas DataFrame, got {type(frame).__name__}"
    raise TQLError(message)
