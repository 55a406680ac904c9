"""Show the progress on a terminal, and convert errors of any library to one message.

`running` decides when a message is printed and the exit status; `inputs` finds out which input is broken.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
import time
from contextlib import suppress
from typing import TextIO

import polars as pl

from tql_frames.errors import TQLError

_POLARS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
_LONGEST = 300  # characters of a reason from another library

_DELAY = 0.5  # seconds before the bar is shown, so that quick work shows none
_INTERVAL = 0.1  # seconds between drawings, at least
_BAR = 12  # characters
_ERASE = "\r\x1b[K"

# Errors of writing, wherever Polars raises them; an input cannot cause them.
_WRITING = {errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EPIPE, getattr(errno, "EDQUOT", errno.ENOSPC)}

# Hints of the library name Python calls; these name the options of the command, as `_option` does for single arguments.
_HINTS = {
    "pass replace=True": "leave --no-replace out",
    "pass index=": "give another name, --index=NAME, or leave --index out",
    "leave FROM out": "leave FROM out, or give the file that name: NAME=FILE",
    "pass parameters=": "give a --parameter for each `?`, in the order of the text",
}
_ARGUMENT = re.compile(
    r"\b(replace|limit|fraction|order|over|unit|design|key|by|folds|method)=(\[[^]]*\]|'[^']*'|\w+|…)?"
)


class CommandError(Exception):
    """An error of the command, with its complete message.

    Attributes:
        status: exit status: 1, or 2 if the command line is invalid.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        """Store the message to print."""
        super().__init__(message)
        self.status = status


def message_of(fault: BaseException) -> str:
    """Return a short message for any error; for a TQLError, with its carets."""
    if isinstance(fault, TQLError):
        for begin, words in _HINTS.items():
            if fault.hint and fault.hint.startswith(begin):
                fault.hint = words
        fault.hint = fault.hint and _ARGUMENT.sub(_option, fault.hint)
        if fault.source is None:
            fault.message = _ARGUMENT.sub(_option, fault.message)
        return str(fault)
    if isinstance(fault, CommandError):
        return str(fault)
    if isinstance(fault, MemoryError):
        return "out of memory"
    if isinstance(fault, OSError) and fault.filename:
        return f"{os.fsdecode(fault.filename)}: {reason_of(fault)}"
    if isinstance(fault, (OSError, *_POLARS)):
        return reason_of(fault)
    return f"{type(fault).__name__}: {reason_of(fault)}"


def _option(argument: re.Match[str]) -> str:
    """Return the option of the command for an argument of a Python call."""
    name, value = argument.groups()
    if name == "replace":
        return "--no-replace"
    values = [""] if value is None else re.findall(r"'([^']*)'", value) or [value]
    return " ".join(f"--{name} {each}".rstrip() for each in values)


def reason_of(fault: BaseException) -> str:
    """Return the first line of an error's text; for an error of the system, its description by the system."""
    number = number_of(fault)
    if number is not None:
        return os.strerror(number)
    lines = str(fault).strip().splitlines()
    return (lines[0] if lines else type(fault).__name__)[:_LONGEST]


def number_of(fault: BaseException) -> int | None:
    """Return the system's number of an error; for errors of Polars, only the text contains it."""
    if isinstance(fault, OSError) and fault.errno is not None:
        return fault.errno
    if not isinstance(fault, (OSError, *_POLARS)):
        return None
    written = re.search(r"\(os error (\d+)\)|\[Errno (\d+)\]", str(fault))  # forms of Polars and of Python
    return int(written[1] or written[2]) if written else None


def is_of_writing(fault: BaseException) -> bool:
    """Return whether an error can only come from the output."""
    return number_of(fault) in _WRITING


def is_of_python(fault: BaseException) -> bool:
    """Return whether an error of the system was raised by Python code, not by Polars."""
    return isinstance(fault, OSError) and fault.errno is not None


def is_of_reading(fault: BaseException) -> bool:
    """Return whether an error may come from an input, so that the inputs should be checked."""
    if isinstance(fault, TQLError):
        # Polars failed, for any reason.
        return "cannot be evaluated on these rows" in fault.message or "that were drawn cannot be read" in fault.message
    return isinstance(fault, (OSError, *_POLARS)) and not is_of_writing(fault)


class Progress:
    """A progress bar.

    Examples:
        >>> progress = Progress(shown=False)
        >>> progress("counting", 12_400_000, 20_000_000)
        >>> progress.line(3.14)
        'counting rows  ███████▍       62%  12.4 M of 20.0 M rows  3.1 s'
    """

    def __init__(self, stream: TextIO | None = None, *, shown: bool) -> None:
        """Start the clock; `stream` is standard error by default."""
        self._stream = stream or sys.stderr
        self._shown = shown and self._stream is not None
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self._drawn_at = self._begin + _DELAY - _INTERVAL
        self._visible = False
        self._state: tuple[str, int, int | None] | None = None

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        """Store the progress; fast enough to call for every block of rows.

        Args:
            phase: name of the current phase, such as `"counting"`.
            done: rows so far.
            total: number of all rows, None if it is not known.
        """
        self._state = (phase, done, total)

    def draw(self) -> None:
        """Draw the bar, unless it was drawn a moment ago; call it repeatedly to update the elapsed time."""
        with self._lock:
            now = time.monotonic()
            if not self._shown or now - self._drawn_at < _INTERVAL:
                return
            self._drawn_at = now
            self._visible = True
            self._put(_ERASE + self.line(now - self._begin)[: self._width() - 1])

    def erase(self) -> None:
        """Erase the bar."""
        with self._lock:
            if self._visible:
                self._put(_ERASE)
            self._visible = False

    def hide(self) -> None:
        """Stop drawing, since the terminal is used for something else."""
        self.erase()
        self._shown = False

    def line(self, seconds: float) -> str:
        """Return the line to show after some seconds."""
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
        with suppress(OSError, ValueError):  # the terminal may have been closed
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
