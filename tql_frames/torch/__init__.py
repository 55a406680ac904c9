"""Train with PyTorch: samplers that draw again for every epoch, and sampled rows as data sets.

This module raises the error if PyTorch is missing; nothing else in the package loads it.
"""

from tql_frames.errors import TQLError

try:
    import torch  # noqa: F401
except ModuleNotFoundError as missing:
    _hint = "python -m pip install torch; pytorch.org describes how to leave out what only GPUs need"
    raise TQLError("PyTorch is not installed", hint=_hint) from missing

from tql_frames.torch.batches import TQLBatchSampler
from tql_frames.torch.dataset import TQLDataset, TQLIterableDataset, data_set_of
from tql_frames.torch.mixing import mix
from tql_frames.torch.sampler import TQLSampler

__all__ = ["TQLBatchSampler", "TQLDataset", "TQLIterableDataset", "TQLSampler", "data_set_of", "mix"]
