"""Work in a thread, of which only the newest piece matters: what was typed since makes the older ones useless."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Found = TypeVar("Found")


class Newest:
    """One thread for one kind of work.

    Results come back in the event loop of the caller, which is the one that may talk to the notebook. Where no loop
    runs, in a test or a plain program, work is done at once.

    Example:
        >>> found = []
        >>> Newest().start(lambda: 1 + 1, found.append)
        >>> found
        [2]
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tql")
        self._number = 0

    def start(self, work: Callable[[], Found], then: Callable[[Found], None]) -> None:
        """Do some work, unless newer comes before its turn, and pass on what came of it, unless newer has come."""
        self._number += 1
        number = self._number
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            then(work())
            return

        def unless_late() -> Found | None:
            return work() if number == self._number else None

        def deliver(done: asyncio.Future[Found | None]) -> None:
            found = None if done.cancelled() else done.result()
            if found is not None and number == self._number:
                then(found)

        loop.run_in_executor(self._thread, unless_late).add_done_callback(deliver)
