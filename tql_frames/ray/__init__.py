"""Ray Data: `sample`, `weights`, `query`, `report` and `split` of Ray datasets, as functions.

What blocks and the draw do is in `tql_frames.distributed`. That Ray is missing is said here.
"""

from tql_frames.errors import TQLError

try:
    from ray.data.expressions import monotonically_increasing_id  # noqa: F401 - the newest that is needed
except ImportError as missing:  # of Ray, of what its datasets need, or it is too old
    _hint = "pip install 'tql-frames[ray]'"
    raise TQLError(f"Ray Data 2.60 or newer is not installed: {missing}", hint=_hint) from missing

from tql_frames.distributed.ray.calls import query, report, sample, split, weights

__all__ = ["query", "report", "sample", "split", "weights"]
