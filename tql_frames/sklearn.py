"""Resample X and y by a sampler as TQL text, in the scikit-learn pipelines of imbalanced-learn.

Importing it raises one error if scikit-learn or imbalanced-learn is missing. `pipeline` draws the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from tql_frames.errors import TQLError, TQLNameError, shown
from tql_frames.frames import Rows, frame_of
from tql_frames.pipeline.draw import Design, Draw, DrawSpec, GroupBy, Limit, named_constructor, whole_number
from tql_frames.sampling import fresh_seed

try:
    from imblearn.base import BaseSampler
    from sklearn.utils.validation import check_array, check_consistent_length, check_random_state, validate_data
except ImportError as missing:  # a library is missing, or too old
    _message = f"scikit-learn 1.6 and imbalanced-learn 0.13, or newer, are not installed: {missing}"
    raise TQLError(_message, hint="pip install 'tql-frames[sklearn]'") from missing

__all__ = ["TQLResampler"]


@named_constructor
class TQLResampler(BaseSampler):
    """Resampler that draws rows of X and y by weight, for the pipelines of imbalanced-learn.

    A sampler can use the columns of X by name, those of an array as `x0`, `x1` and so on, and y as a column too. For a
    sparse X it can use only y. NaN in arrays and pandas frames counts as null. The drawn rows are those that
    `tql_frames.sample` draws from these columns with the same seed, in the order drawn.

    Args:
        sampler: the weight of a row, as in `tql_frames.sample`: TQL text, the name of a weight column, or a
            Polars expression.
        limit: rows to draw; by default the number of rows of X. With `over`, rows per group, or a mapping of groups.
        fraction: rows to draw as a share of the rows of X, instead of `limit`.
        replace: with or without replacement.
        design: how draws depend on weights and on each other; as in `tql_frames.sample`.
        over: columns, or TQL expressions, whose values define groups; each group is sampled separately.
            `over="target"` draws the same number of rows of each class.
        unit: columns or expressions of rows that are drawn together.
        key: columns or expressions to whose values random numbers belong.
        target: name of the column of y. By default the name of a Series, otherwise `"target"`. If y has several
            columns: their names, otherwise `target0`, `target1` and so on.
        random_state: whole number >= 0 that is the seed of every call; None for a fresh seed; or a `RandomState`,
            which yields a seed for each call.

    Attributes:
        sample_indices_: positions of the drawn rows in X, in the order drawn, shape (k,).
        sampling_strategy_: the sampler of the last call, under the name of imbalanced-learn.
        n_features_in_: number of columns of X.
        feature_names_in_: their names, if X is a frame whose names are all text.

    Examples:
        >>> import numpy as np
        >>> X, y = np.array([[71.0], [34.0], [65.0]]), np.array([0, 1, 0])
        >>> resampler = TQLResampler("max_weight(target = 1: 5, x0 > 70: 1)", limit=5, random_state=2)
        >>> resampler.fit_resample(X, y)[1]
        array([0, 1, 1, 1, 0])
        >>> resampler.sample_indices_
        array([0, 1, 1, 1, 0])
    """

    _sampling_type = "bypass"

    def __init__(
        self,
        sampler: str | pl.Expr,
        *,
        limit: Limit | None = None,
        fraction: float | None = None,
        replace: bool = True,
        design: Design | None = None,
        over: GroupBy | None = None,
        unit: GroupBy | None = None,
        key: GroupBy | None = None,
        target: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        """Store the arguments; `fit` and `fit_resample` check them, as scikit-learn requires."""
        self.sampler = sampler
        self.limit = limit
        self.fraction = fraction
        self.replace = replace
        self.design = design
        self.over = over
        self.unit = unit
        self.key = key
        self.target = target
        self.random_state = random_state

    def fit(self, X: Any, y: Any, **params: Any) -> TQLResampler:
        """Check the arguments, and that the sampler fits X and y; nothing is drawn.

        Args:
            X: array, pandas or Polars DataFrame, list of rows, or sparse matrix, of shape (n, features).
            y: array, pandas or Polars Series or DataFrame, or list, of n values or rows.
            params: columns of n values by name, `groups` among them; as in `fit_resample`.

        Returns:
            The resampler itself.

        Raises:
            TQLError: as in `fit_resample`, except for weights that cannot be used for a draw.

        Examples:
            >>> TQLResampler("x0").fit([[1.0], [2.0]], [0, 1]).n_features_in_
            1
        """
        X, y = self._checked(X, y)
        self._request(X, y, self._aligned(X, None, params))
        return self

    def fit_resample(self, X: Any, y: Any, *, groups: Any = None, **params: Any) -> tuple[Any, Any]:
        """Draw rows of X and y.

        Args:
            X: array, pandas or Polars DataFrame, list of rows, or sparse matrix, of shape (n, features).
            y: array, pandas or Polars Series or DataFrame, or list, of n values or rows.
            groups: n values, the column `groups` for the sampler, `over`, `unit` and `key`; request it in metadata
                routing by `set_fit_resample_request(groups=True)`.
            params: further columns of n values by name.

        Returns:
            Rows of X and rows of y, of the same types as X and y. Rows of pandas keep their index labels; if both are
            pandas, y has the labels of X.

        Raises:
            TQLError: as in `tql_frames.sample`; or two columns have the same name.
            ValueError: scikit-learn refuses the arguments, such as X and y of different lengths.

        Warns:
            TQLWarning: as in `tql_frames.sample`.

        Examples:
            >>> frame = pd.DataFrame({"age": [71, 34, 65]}, index=["a", "b", "c"])
            >>> label = pd.Series(["old", "young", "old"], frame.index, name="label")
            >>> resampler = TQLResampler("max_weight(label = 'old': 1)", limit=2, replace=False, random_state=1)
            >>> rows, labels = resampler.fit_resample(frame, label)
            >>> rows.index.to_list(), labels.to_list()
            (['c', 'a'], ['old', 'old'])
        """
        given = X, y
        X, y = self._checked(X, y)
        found = self._fit_resample(X, y, **self._aligned(X, groups, params))
        # Like imbalanced-learn: return lists for lists.
        return tuple(rows.tolist() if isinstance(of, list) else rows for rows, of in zip(found, given, strict=True))

    def _fit_resample(self, X: Any, y: Any, **params: Any) -> tuple[Any, Any]:
        draw, seen = self._request(X, y, params)
        self.sample_indices_ = draw.positions(seen).astype(np.int64)
        rows, targets = _rows_of(X, self.sample_indices_), _rows_of(y, self.sample_indices_)
        if isinstance(rows, pd.DataFrame) and isinstance(targets, (pd.Series, pd.DataFrame)):
            targets.index = rows.index  # like imbalanced-learn: rows of X and y are matched by position
        return rows, targets

    def _checked(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Return X and y, frames unchanged and other objects as arrays; store the names and the number of features."""
        if isinstance(X, pl.LazyFrame):
            raise TQLError("expected X to be a DataFrame or an array, got LazyFrame", hint="pass X.collect()")
        if not isinstance(X, (pd.DataFrame, pl.DataFrame)) and hasattr(X, "__arrow_c_stream__"):
            message = f"expected X to be a pandas or Polars DataFrame or an array, got {type(X).__name__}"
            raise TQLError(message, hint="pass pl.DataFrame(X)")
        if not isinstance(X, (pd.DataFrame, pl.DataFrame)) or not len(X):
            X = check_array(X, dtype=None, accept_sparse=["csr", "csc"], ensure_all_finite=False)
        validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        if isinstance(X, pl.DataFrame):  # scikit-learn 1.7 and older do not read its names
            self.feature_names_in_ = np.array(X.columns, dtype=object)
        if not isinstance(y, (pd.Series, pd.DataFrame, pl.Series, pl.DataFrame)):
            y = check_array(y, dtype=None, ensure_2d=False, ensure_all_finite=False, input_name="y")
        check_consistent_length(X, y)
        return X, y

    def _aligned(self, X: Any, groups: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns that were passed in addition to X and y, one value per row."""
        given = {**params, **({} if groups is None else {"groups": groups})}
        for name, values in given.items():
            if np.ndim(values) != 1:
                raise TQLError(f"expected {name}= to have one value for each row of X, got {shown(values)}")
            check_consistent_length(X, values)
        return given

    def _request(self, X: Any, y: Any, beside: Mapping[str, Any]) -> tuple[Draw, Rows]:
        """Return the request, and the rows as the sampler sees them."""
        spec = DrawSpec.checked(
            self.limit,
            self.fraction,
            self.replace,
            _seed_of(self.random_state),
            over=self.over,
            unit=self.unit,
            design=self.design,
            key=self.key,
        )
        seen = _seen(X, {**_columns_of_target(y, self.target), **beside})
        rows = frame_of(seen, "index" if isinstance(seen, pd.DataFrame) else None)
        try:
            draw = Draw.of(self.sampler, rows, spec, later=False)
        except TQLNameError as fault:
            if hasattr(X, "tocsr"):
                fault.hint = "the columns of a sparse X have no names; pass a column to fit_resample by name"
            raise
        self.sampling_strategy_ = self.sampler
        return draw, rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.multi_output = True
        tags.sampler_tags.sample_indices = True
        return tags


_SEEDS = 2**31  # a RandomState returns numbers below this on every platform


def _seed_of(random_state: object) -> int:
    """Return the seed by scikit-learn's convention for `random_state`."""
    if random_state is None:
        return fresh_seed()
    number = whole_number(random_state)
    if number is not None and number >= 0:
        return number
    if random_state is np.random or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(_SEEDS - 1))
    expected = "None, a whole number of at least 0, or a RandomState"
    raise TQLError(f"expected random_state= to be {expected}, got {shown(random_state)}")


def _columns_of_target(y: Any, target: object) -> dict[str, Any]:
    """Return the columns of y by their names in a sampler."""
    if not (target is None or isinstance(target, str)):
        raise TQLError(f"expected target= to be a column name or None, got {shown(target)}")
    own: list[Any]
    if isinstance(y, (pd.DataFrame, pl.DataFrame)):
        own = list(y.columns)
        columns = [y.iloc[:, place] if isinstance(y, pd.DataFrame) else y[:, place] for place in range(len(own))]
    elif len(y.shape) == 1:
        own, columns = [getattr(y, "name", None)], [y]
    else:
        own, columns = [None] * y.shape[1], [*y.T]
    if target is None and all(isinstance(name, str) and name for name in own) and len(set(own)) == len(own):
        return dict(zip(own, columns, strict=True))
    base = "target" if target is None else target
    names = [base] if len(own) == 1 else [f"{base}{place}" for place in range(len(own))]
    return dict(zip(names, columns, strict=True))


def _seen(X: Any, beside: Mapping[str, Any]) -> pd.DataFrame | pl.DataFrame:
    """Return the columns that a sampler sees, as a frame; the values of arrays are not copied.

    Raises:
        TQLError: two columns have the same name.
    """
    if isinstance(X, np.ndarray):
        X = pd.DataFrame(X, columns=[f"x{place}" for place in range(X.shape[1])], copy=False)
    elif hasattr(X, "tocsr"):
        X = pd.DataFrame(index=range(X.shape[0]))
    for name in beside:
        if name in X.columns:
            raise TQLError(
                f"X has a column {name!r} already",
                hint="rename it or drop it from X; y takes another name by target='name'",
            )
    if isinstance(X, pl.DataFrame):
        return X.with_columns(_polars_series(name, values) for name, values in beside.items())
    found: pd.DataFrame = X.assign(**{name: _pandas_values(values) for name, values in beside.items()})
    return found


def _polars_series(name: str, values: Any) -> pl.Series:
    found = pl.from_pandas(values) if isinstance(values, pd.Series) else pl.Series(values)
    return found.alias(name)


def _pandas_values(values: Any) -> Any:
    """Return values without the labels of rows, which may differ from those of X."""
    if isinstance(values, pl.Series):
        values = values.to_pandas()
    return values.array if isinstance(values, pd.Series) else np.asarray(values)


def _rows_of(values: Any, positions: Any) -> Any:
    """Return rows of an array or a frame, of the same kind."""
    if isinstance(values, (pd.DataFrame, pd.Series)):
        return values.iloc[positions]
    return values[positions]
