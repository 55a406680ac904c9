"""A draw of row positions by weight: by strata where there are few distinct weights, by rows where there are many.

Which rows of which frame they are is not known here. The first k of a draw of more than k are the draw of k.
"""

from __future__ import annotations

from tql_frames.sampling.rng import Floats, Positions, Streams
from tql_frames.sampling.strata import Strata, stratify
from tql_frames.sampling.with_replacement import draw_rows, draw_strata
from tql_frames.sampling.without_replacement import distinct_strata, race_rows


def draw(population: Floats | Strata, size: int, *, replace: bool, seed: int) -> Positions:
    """Draw rows by weight.

    Args:
        population: the weights, shape (n,), finite, >= 0, one of them positive, any scale; or the rows in strata.
        size: number of draws.
        replace: whether a row can be drawn again. Without replacement the draw is successive sampling: each row in
            turn by weight among those left; rows of weight 0 are never drawn, so fewer than `size` may come.
        seed: whole number >= 0.

    Returns:
        Row positions in the order drawn, shape (size,) or shorter.

    Examples:
        >>> import numpy as np
        >>> draw(np.array([0.0, 1.0, 0.0]), 3, replace=True, seed=7).tolist()
        [1, 1, 1]
        >>> draw(np.array([0.0, 1.0, 2.0]), 5, replace=False, seed=7).tolist()
        [2, 1]
    """
    streams = Streams(seed)
    strata = population if isinstance(population, Strata) else stratify(population)
    if strata is None:
        assert not isinstance(population, Strata)
        return (draw_rows if replace else race_rows)(population, size, streams)
    if replace:
        return draw_strata(strata.table, size, streams, strata=strata)
    return strata.resolve(distinct_strata(strata.table, size, streams))
