"""`.tql` on Polars and pandas frames: the calls of `api` as methods, and nothing else."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pandas as pd
import polars as pl

from tql_frames import api
from tql_frames.errors import TQLWarning, warn
from tql_frames.notebook import explore
from tql_frames.pipeline.arguments import Order, all_named
from tql_frames.views import view
from tql_frames.views.row_selection import INTEGRATIONS

if TYPE_CHECKING:
    from tql_frames.analysis import Balance, Explanation, Report
    from tql_frames.views import View

AnyPolars = TypeVar("AnyPolars", pl.DataFrame, pl.LazyFrame)


@all_named
class _PolarsNamespace(Generic[AnyPolars]):
    """What eager and lazy Polars frames share."""

    __slots__ = ("_frame",)
    _frame: AnyPolars

    def __init__(self, frame: AnyPolars) -> None:
        self._frame = frame

    def sample(
        self,
        sampler: str | pl.Expr,
        limit: int | None = None,
        *,
        fraction: float | None = None,
        replace: bool = True,
        seed: int | None = None,
        order: Order = "draw",
        index: str | None = "index",
    ) -> AnyPolars:
        """Draw rows by weight, of a LazyFrame once it is collected; see `tql_frames.sample`.

        Example:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.sample("max_weight(age > 60: 1)", limit=4, seed=1)["index"].to_list()
            [0, 0, 2, 2]
        """
        return api.sample(
            self._frame, sampler, limit, fraction=fraction, replace=replace, seed=seed, order=order, index=index
        )

    def query(
        self,
        text: str,
        parameters: Sequence[object] | None = None,
        *,
        seed: int | None = None,
        index: str | None = "index",
    ) -> AnyPolars:
        """Run a TQL statement on this frame; see `tql_frames.query`.

        Example:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.query("select age where age > ?", [60])["age"].to_list()
            [71, 65]
        """
        return api.query_frame(self._frame, text, parameters, seed=seed, index=index)

    def view(
        self,
        sampler: str | pl.Expr,
        limit: int | None = None,
        *,
        fraction: float | None = None,
        replace: bool = True,
        seed: int | None = None,
        order: Order = "draw",
        index: str | None = "index",
        parameters: Sequence[object] | None = None,
    ) -> View[AnyPolars]:
        """Draw rows and keep their positions instead of the rows; see `tql_frames.view`.

        Example:
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
            index=index,
            parameters=parameters,
        )

    def explain(
        self, sampler: str | pl.Expr, parameters: Sequence[object] | None = None, *, seed: int | None = None
    ) -> Explanation:
        """Explain what a sampler or a statement does to this frame; see `tql_frames.explain`.

        Example:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.explain("max_weight(age > 60: 5, True: 1)").splitlines()[:3]
            ['max_weight', '├─ age > 60: 5', '└─ true: 1']
        """
        return api.explain(self._frame, sampler, parameters, seed=seed)

    def report(
        self,
        by: str | None = None,
        sampler: str | pl.Expr | None = None,
        limit: int | None = None,
        *,
        fraction: float | None = None,
        replace: bool = True,
        parameters: Sequence[object] | None = None,
        seed: int | None = None,
    ) -> Report:
        """Report how often each label occurs before and after sampling; see `tql_frames.report`.

        Example:
            >>> df = pl.DataFrame({"view": ["PA", "PA", "AP"]})
            >>> report = df.tql.report("view", "max_weight(view = 'AP': 2, True: 1)")
            >>> report.labels["expected_share"].to_list()
            [0.5, 0.5]
        """
        return api.report(
            self._frame,
            by,
            sampler,
            limit,
            fraction=fraction,
            replace=replace,
            parameters=parameters,
            seed=seed,
        )

    def balance(
        self,
        by: str,
        target: str | Mapping[Any, float] = "uniform",
        *,
        keep: Sequence[Any] = (),
        max_weight: float | None = None,
        method: str = "raking",
    ) -> Balance:
        """Find weights that lead to the wanted shares of labels; see `tql_frames.balance`.

        Example:
            >>> df = pl.DataFrame({"view": ["PA", "PA", "AP"]})
            >>> print(df.tql.balance("view").sampler)
            max_weight(view == 'AP': 1.5, view == 'PA': 0.75)
        """
        return api.balance(self._frame, by, target, keep=keep, max_weight=max_weight, method=method)


@all_named
class DataFrameNamespace(_PolarsNamespace[pl.DataFrame]):
    """`df.tql` on a Polars DataFrame.

    Example:
        >>> df = pl.DataFrame({"age": [71, 34]})
        >>> df.tql.sample("max_weight(age > 60: 1)", limit=2, seed=1)["age"].to_list()
        [71, 71]
    """

    __slots__ = ()

    def weights(self, sampler: str | pl.Expr, *, seed: int | None = None) -> pl.Series:
        """Return the weights of the rows as a Series `weight`; see `tql_frames.weights`.

        Example:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> df.tql.weights("max_weight(age > 60: 5, True: 1)").to_list()
            [5.0, 1.0, 5.0]
        """
        return api.weights(self._frame, sampler, seed=seed)

    def explore(self, sampler: str = "") -> Any:
        """Return a widget to find a sampler with; see `tql_frames.explore`.

        Example:
            >>> df = pl.DataFrame({"age": [71, 34, 65]})
            >>> widget = df.tql.explore("max_weight(age > 60: 5, True: 1)")
            >>> widget.query
            'max_weight(age > 60: 5, True: 1)'
        """
        return explore(self._frame, sampler)


@all_named
class LazyFrameNamespace(_PolarsNamespace[pl.LazyFrame]):
    """`lf.tql` on a Polars LazyFrame.

    Example:
        >>> lf = pl.LazyFrame({"age": [71, 34]})
        >>> lf.tql.sample("max_weight(age > 60: 1)", limit=2, seed=1).collect()["age"].to_list()
        [71, 71]
    """

    __slots__ = ()

    def weights(self, sampler: str | pl.Expr, *, seed: int | None = None) -> pl.LazyFrame:
        """Return a plan of one column `weight`; see `tql_frames.weights`.

        Example:
            >>> plan = pl.LazyFrame({"age": [71, 34]}).tql.weights("max_weight(age > 60: 5, True: 1)")
            >>> plan.collect()["weight"].to_list()
            [5.0, 1.0]
        """
        return api.weights(self._frame, sampler, seed=seed)


@all_named
class PandasNamespace:
    """`df.tql` on a pandas DataFrame.

    Example:
        >>> df = pd.DataFrame({"age": [71, 34]}, index=["x", "y"])
        >>> df.tql.sample("max_weight(age > 60: 1)", limit=2, seed=1).index.to_list()
        ['x', 'x']
    """

    __slots__ = ("_frame",)

    def __init__(self, frame: pd.DataFrame) -> None:
        """Hold the frame for one call."""
        self._frame = frame

    def sample(
        self,
        sampler: str | pl.Expr,
        limit: int | None = None,
        *,
        fraction: float | None = None,
        replace: bool = True,
        seed: int | None = None,
        order: Order = "draw",
        index: str | None = "index",
        ignore_index: bool = False,
    ) -> pd.DataFrame:
        """Draw rows by weight, with their index labels; see `tql_frames.sample`.

        Example:
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
            index=index,
            ignore_index=ignore_index,
        )

    def query(
        self,
        text: str,
        parameters: Sequence[object] | None = None,
        *,
        seed: int | None = None,
        index: str | None = "index",
    ) -> pd.DataFrame:
        """Run a TQL statement on this frame; see `tql_frames.query`.

        Example:
            >>> df = pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"])
            >>> df.tql.query("select age where age > ?", [60])["age"].to_list()
            [71, 65]
        """
        return api.query_frame(self._frame, text, parameters, seed=seed, index=index)

    def weights(self, sampler: str | pl.Expr, *, seed: int | None = None) -> pd.Series:
        """Return the weights of the rows as a Series `weight`, with the index of the frame; see `tql_frames.weights`.

        Example:
            >>> df = pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"])
            >>> df.tql.weights("max_weight(age > 60: 5, True: 1)").to_list()
            [5.0, 1.0, 5.0]
        """
        return api.weights(self._frame, sampler, seed=seed)

    def view(
        self,
        sampler: str | pl.Expr,
        limit: int | None = None,
        *,
        fraction: float | None = None,
        replace: bool = True,
        seed: int | None = None,
        order: Order = "draw",
        index: str | None = "index",
        ignore_index: bool = False,
        parameters: Sequence[object] | None = None,
    ) -> View[pd.DataFrame]:
        """Draw rows and keep their positions instead of the rows; see `tql_frames.view`.

        Example:
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
            index=index,
            ignore_index=ignore_index,
            parameters=parameters,
        )

    def explain(
        self, sampler: str | pl.Expr, parameters: Sequence[object] | None = None, *, seed: int | None = None
    ) -> Explanation:
        """Explain what a sampler or a statement does to this frame; see `tql_frames.explain`.

        Example:
            >>> df = pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"])
            >>> df.tql.explain("max_weight(age > 60: 5, True: 1)").splitlines()[:3]
            ['max_weight', '├─ age > 60: 5', '└─ true: 1']
        """
        return api.explain(self._frame, sampler, parameters, seed=seed)

    def report(
        self,
        by: str | None = None,
        sampler: str | pl.Expr | None = None,
        limit: int | None = None,
        *,
        fraction: float | None = None,
        replace: bool = True,
        parameters: Sequence[object] | None = None,
        seed: int | None = None,
    ) -> Report:
        """Report how often each label occurs before and after sampling; see `tql_frames.report`.

        Example:
            >>> df = pd.DataFrame({"view": ["PA", "PA", "AP"]}, index=["x", "y", "z"])
            >>> report = df.tql.report("view", "max_weight(view = 'AP': 2, True: 1)")
            >>> report.labels["expected_share"].to_list()
            [0.5, 0.5]
        """
        return api.report(
            self._frame,
            by,
            sampler,
            limit,
            fraction=fraction,
            replace=replace,
            parameters=parameters,
            seed=seed,
        )

    def balance(
        self,
        by: str,
        target: str | Mapping[Any, float] = "uniform",
        *,
        keep: Sequence[Any] = (),
        max_weight: float | None = None,
        method: str = "raking",
    ) -> Balance:
        """Find weights that lead to the wanted shares of labels; see `tql_frames.balance`.

        Example:
            >>> df = pd.DataFrame({"view": ["PA", "PA", "AP"]}, index=["x", "y", "z"])
            >>> print(df.tql.balance("view").sampler)
            max_weight(view == 'AP': 1.5, view == 'PA': 0.75)
        """
        return api.balance(self._frame, by, target, keep=keep, max_weight=max_weight, method=method)

    def explore(self, sampler: str = "") -> Any:
        """Return a widget to find a sampler with; see `tql_frames.explore`.

        Example:
            >>> df = pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"])
            >>> widget = df.tql.explore("max_weight(age > 60: 5, True: 1)")
            >>> widget.query
            'max_weight(age > 60: 5, True: 1)'
        """
        return explore(self._frame, sampler)


class _Accessor:
    """A namespace made anew at each use.

    Polars and pandas keep the namespace object on the frame that it points to: a cycle, which holds the frame's memory
    until the garbage collector comes by. A namespace without state has nothing to keep.
    """

    def __init__(self, namespace: type[Any]) -> None:
        self._namespace = namespace

    def __get__(self, frame: object | None, owner: type) -> Any:
        return self._namespace if frame is None else self._namespace(frame)


def _other_owner(frame: type) -> str | None:
    """Return the package whose `.tql` a class of frames has, if it is another than this one."""
    found = inspect.getattr_static(frame, "tql", None)
    if found is None or type(found).__module__ == __name__:
        return None
    owner = next((getattr(found, name) for name in ("_ns", "_accessor") if hasattr(found, name)), found)
    module = getattr(owner, "__module__", None) or type(owner).__module__
    return None if module == __name__ else str(module)


def register() -> None:
    """Put `.tql` on Polars and pandas frames, known to both libraries' own registries.

    Warns:
        TQLWarning: another package has put its own `.tql` there, which is replaced.
    """
    others = [found for each in (pl.DataFrame, pl.LazyFrame, pd.DataFrame) if (found := _other_owner(each)) is not None]
    if others:
        message = f".tql of {others[0]} is replaced by that of tql_frames"
        warn(TQLWarning(f"{message}; its calls are functions of the package as well: tql_frames.sample(frame, …)"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a reloaded module registers again
        pl.api.register_dataframe_namespace("tql")(DataFrameNamespace)
        pl.api.register_lazyframe_namespace("tql")(LazyFrameNamespace)
        pd.api.extensions.register_dataframe_accessor("tql")(PandasNamespace)
    INTEGRATIONS["torch"] = lambda: import_module("tql_frames.torch")
    pl.DataFrame.tql = _Accessor(DataFrameNamespace)  # type: ignore[attr-defined]
    pl.LazyFrame.tql = _Accessor(LazyFrameNamespace)  # type: ignore[attr-defined]
    pd.DataFrame.tql = _Accessor(PandasNamespace)  # type: ignore[attr-defined]
