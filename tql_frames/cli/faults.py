"""What went wrong, in words for a shell: one message, whoever raised the error.

When a message is printed and what the exit status is, `running` decides; which input is broken, `inputs` finds out.
"""

from __future__ import annotations

import errno
import os
import re

import polars as pl

from tql_frames.errors import TQLError

_POLARS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
_LONGEST = 300  # characters of a reason in others' words

# Errors of writing, wherever Polars reports them from; an input cannot be their cause.
_WRITING = {errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EPIPE, getattr(errno, "EDQUOT", errno.ENOSPC)}

# Hints of the library speak of Python calls; these say the same of the command.
_HINTS = {
    "pass index=": "give another name, --index=NAME, or leave --index out",
    "leave FROM out": "leave FROM out, or give the file that name: NAME=FILE",
    "pass parameters=": "give a --parameter for each `?`, in the order of the text",
}


class CommandError(Exception):
    """Something that the command cannot do, told in full.

    Attributes:
        status: exit status: 1, or 2 where the command line itself is at fault.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        """Hold the message as it will be printed."""
        super().__init__(message)
        self.status = status


def message_of(fault: BaseException) -> str:
    """Return the message of any error, as short as it can be; of a TQLError with its carets."""
    if isinstance(fault, TQLError):
        for begin, words in _HINTS.items():
            if fault.hint and fault.hint.startswith(begin):
                fault.hint = words
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


def reason_of(fault: BaseException) -> str:
    """Return the first line of an error's text; of an error of the system what the system calls it."""
    number = number_of(fault)
    if number is not None:
        return os.strerror(number)
    lines = str(fault).strip().splitlines()
    return (lines[0] if lines else type(fault).__name__)[:_LONGEST]


def number_of(fault: BaseException) -> int | None:
    """Return the system's number of an error; Polars gives it in the text alone."""
    if isinstance(fault, OSError) and fault.errno is not None:
        return fault.errno
    if not isinstance(fault, (OSError, *_POLARS)):
        return None
    written = re.search(r"\(os error (\d+)\)|\[Errno (\d+)\]", str(fault))  # its own, and Python's
    return int(written[1] or written[2]) if written else None


def is_of_writing(fault: BaseException) -> bool:
    """Return whether an error can only come from the output."""
    return number_of(fault) in _WRITING


def is_of_python(fault: BaseException) -> bool:
    """Return whether an error of the system was met by our own code, not by Polars."""
    return isinstance(fault, OSError) and fault.errno is not None


def is_of_reading(fault: BaseException) -> bool:
    """Return whether an error may come from an input, so that it is worth finding out from which."""
    if isinstance(fault, TQLError):
        # Polars failed, for whatever reason.
        return "cannot be evaluated on these rows" in fault.message or "that were drawn cannot be read" in fault.message
    return isinstance(fault, (OSError, *_POLARS)) and not is_of_writing(fault)
