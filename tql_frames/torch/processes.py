"""How many processes train together, and which of them this one is."""

from __future__ import annotations

import torch.distributed

from tql_frames.errors import TQLError
from tql_frames.torch.arguments import check_whole


def processes(number: int | None = None, rank: int | None = None) -> tuple[int, int]:
    """Their number, and the number of this one, from 0.

    Args:
        number: of processes; None for that of `torch.distributed` where it is initialised, otherwise 1.
        rank: of this process; None as above.

    Raises:
        TQLError: there is no process of that number.

    Example:
        >>> processes(), processes(4, 3)
        ((1, 0), (4, 3))
    """
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    if number is None:
        number = torch.distributed.get_world_size() if ready else 1
    if rank is None:
        rank = torch.distributed.get_rank() if ready else 0
    number, rank = check_whole("num_replicas", number, 1), check_whole("rank", rank)
    if rank >= number:
        raise TQLError(f"rank is {rank}, but of {number} processes the last is number {number - 1}")
    return number, rank
