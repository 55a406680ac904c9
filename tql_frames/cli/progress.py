"""How far the work is: one line on a terminal, redrawn in place and erased at the end.

The work calls it with numbers, from any thread; whoever waits for the work draws it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TextIO

_DELAY = 0.5  # seconds before it shows: quick work leaves the terminal alone
_INTERVAL = 0.1  # seconds between drawings, at least
_BAR = 12  # characters
_ERASE = "\r\x1b[K"


class Progress:
    """A progress bar.

    Examples:
        >>> progress = Progress(shown=False)
        >>> progress("counting", 12_400_000, 20_000_000)
        >>> progress.line(3.14)
        'counting rows  ███████▍       62%  12.4 M of 20.0 M rows  3.1 s'
    """

    def __init__(self, stream: TextIO | None = None, *, shown: bool) -> None:
        """Begin to count the time; `stream` is standard error by default."""
        self._stream = stream or sys.stderr
        self._shown = shown and self._stream is not None
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self._drawn_at = self._begin + _DELAY - _INTERVAL
        self._visible = False
        self._state: tuple[str, int, int | None] | None = None

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        """Note how far the work is; cheap enough for every block of rows.

        Args:
            phase: what is being done, such as `"counting"`.
            done: rows so far.
            total: rows there are, None where that is not known.
        """
        self._state = (phase, done, total)

    def draw(self) -> None:
        """Draw it, unless it was drawn just now; called again and again, it shows that time goes by."""
        with self._lock:
            now = time.monotonic()
            if not self._shown or now - self._drawn_at < _INTERVAL:
                return
            self._drawn_at = now
            self._visible = True
            self._put(_ERASE + self.line(now - self._begin)[: self._width() - 1])

    def erase(self) -> None:
        """Leave the terminal as it was."""
        with self._lock:
            if self._visible:
                self._put(_ERASE)
            self._visible = False

    def hide(self) -> None:
        """Draw no more: the terminal is used for something else."""
        self.erase()
        self._shown = False

    def line(self, seconds: float) -> str:
        """Return what it shows after some time."""
        if self._state is None:
            return f"working  {seconds:.1f} s"
        phase, done, total = self._state
        if not total and not done:
            return f"{phase} rows  {seconds:.1f} s"
        if not total:
            return f"{phase} rows  {_short(done)} rows  {seconds:.1f} s"
        share = min(done / total, 1.0)
        of = f"{share:4.0%}  {_short(done)} of {_short(total)} rows"
        return f"{phase} rows  {self._bar(share)}  {of}  {seconds:.1f} s"

    def _bar(self, share: float) -> str:
        try:
            "█▌".encode(getattr(self._stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            return ("#" * int(share * _BAR)).ljust(_BAR, ".")
        whole, eighths = divmod(int(share * _BAR * 8), 8)
        return ("█" * whole + " ▏▎▍▌▋▊▉"[eighths].strip()).ljust(_BAR)

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def _put(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a terminal that went away
            self._stream.write(text)
            self._stream.flush()


def _short(rows: int) -> str:
    """Return a number of rows in at most seven characters."""
    size = float(rows)
    for unit in ("", " k", " M", " G"):
        if size < 999.95 or unit == " G":
            return f"{size:.1f}{unit}" if unit else str(rows)
        size /= 1000
    raise AssertionError("there is no unit beyond the last")
