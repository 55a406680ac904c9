"""Support Ray Data: functions `sample`, `weights`, `query`, `report` and `split` for Ray Datasets.

`tql_frames.distributed` implements blocks and draws. This module raises the error if Ray is missing.
"""

from tql_frames.errors import TQLError

try:
    from ray.data.expressions import monotonically_increasing_id  # noqa: F401 - the newest that is needed
except ImportError as missing:  # Ray or a dependency of its datasets is missing, or Ray is too old
    _hint = "pip install 'tql-frames[ray]'"
    raise TQLError(f"Ray Data 2.60 or newer is not installed: {missing}", hint=_hint) from missing

from tql_frames.distributed.ray.calls import query, report, sample, split, weights

__all__ = ["query", "report", "sample", "split", "weights"]
