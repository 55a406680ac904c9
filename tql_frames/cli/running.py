"""Run the command from start to end: the work in a thread, signals, warnings, messages and exit status.

Python cannot handle signals while its main thread runs Polars. So another thread does the work, and the main thread
waits for signals and draws the progress.
"""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
import threading
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

import polars as pl

import tql_frames
from tql_frames.cli.arguments import parser_for
from tql_frames.cli.commands import COMMANDS, Job
from tql_frames.cli.output import Temporaries
from tql_frames.cli.terminal import CommandError, Progress, is_of_reading, message_of

_POLL = 0.1  # seconds between checks for signals
_BROKEN_PIPE = 128 + 13  # status by which a shell reports a program that SIGPIPE ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; by default those of the process.

    Returns:
        The exit status: 0; 1 for an error, which is printed on standard error; 2 for an invalid command line; 141 if
        the reader of the output has closed it. A signal ends the process with the status 128 plus its number.

    Raises:
        SystemExit: `--help`, `--version`, or an invalid command line.
    """
    version = f"tql-frames {tql_frames.__version__} (Polars {pl.__version__})"
    with _plain_where_needed():
        try:
            options = parser_for(COMMANDS, version).parse_args(argv)
        except SystemExit as end:  # --help, --version, or an invalid command line
            status = _print_out("", int(end.code or 0))
            raise SystemExit(status) from None
        return _run(options)


def _run(options: Namespace) -> int:
    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    progress = Progress(shown=terminal and not options.quiet)
    work = _Work(options, progress, Temporaries())
    with _warnings_as_lines(progress), _Signals() as signals:
        work.start()
        while work.is_alive() and not signals.received:
            work.join(_POLL)
            progress.draw()
        if signals.received and (work.is_alive() or work.failed or work.status):
            signals.let_speak()
            work.give_up(signals.received)
        signals.let_speak()
    progress.erase()
    return _end(work)


class _Work(threading.Thread):
    """The work of a sub-command, and its result."""

    def __init__(self, options: Namespace, progress: Progress, temporaries: Temporaries) -> None:
        super().__init__(name="tql-frames", daemon=True)
        self.said = ""
        self.failed = ""
        self.status = 0
        self._options, self._progress, self._temporaries = options, progress, temporaries

    def run(self) -> None:
        job = Job(self._options, self._progress, self._temporaries)
        try:
            self.said = self._options.command.run(self._options, job)
        except BrokenPipeError:
            self.status = _BROKEN_PIPE
        except BaseException as fault:  # a panic of Polars is not an Exception
            self.status = fault.status if isinstance(fault, CommandError) else 1
            self.failed = message_of(fault)
            with suppress(Exception):  # an error of the search must not hide the original error
                self.failed = _broken_input(fault, job) or self.failed
        finally:
            self._temporaries.remove_all()

    def give_up(self, number: int) -> None:
        """End the process at once: Polars cannot be stopped, and Python would wait for it."""
        self._progress.erase()
        _print(sys.stderr, f"tql-frames: {'interrupted' if number == signal.SIGINT else 'terminated'}\n")
        with suppress(OSError):  # threads of Polars print errors about removed files
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        self._temporaries.remove_all()
        os._exit(128 + number)


class _Signals:
    """Remembers a signal that should end the process, for the main thread; ignored signals stay ignored."""

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[int, object] = {}
        self._stderr: int | None = None

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or number
        with suppress(OSError):  # threads of Polars that panic would write to standard error
            if self._stderr is None:
                self._stderr = os.dup(2)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 2)
                os.close(nowhere)

    def let_speak(self) -> None:
        """Restore standard error, which a signal redirects to nowhere."""
        if self._stderr is not None:
            with suppress(OSError):
                os.dup2(self._stderr, 2)
                os.close(self._stderr)
            self._stderr = None


@contextmanager
def _warnings_as_lines(progress: Progress) -> Iterator[None]:
    """Print each warning on one line, without its location in the code of this package."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        progress.erase()
        text = str(message)
        if isinstance(message, tql_frames.TQLArmWarning):  # its carets would need separate lines
            text = "; ".join(part for part in (message.message, message.hint) if part)
        _print(sys.stderr, f"tql-frames: warning: {' '.join(text.split())}\n")

    with warnings.catch_warnings():
        warnings.simplefilter("always", tql_frames.TQLWarning)
        warnings.showwarning = show
        yield


def _broken_input(fault: BaseException, job: Job) -> str | None:
    """Return what is wrong with the file that caused an error of Polars; None if no file did."""
    if not is_of_reading(fault):
        return None
    return next((found for found in (each.fault() for each in job.inputs) if found), None)


def _end(work: _Work) -> int:
    """Print the messages and the result; return the exit status."""
    if work.failed:
        _print(sys.stderr, f"tql-frames: {work.failed}\n")
    return _print_out(work.said, work.status)


def _print_out(text: str, status: int) -> int:
    """Print to standard output and flush it; return the exit status, from the exit status of the work."""
    if sys.stdout is None:
        if text:
            _print(sys.stderr, "tql-frames: standard output is closed\n")
            return status or 1
        return status
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        status = _BROKEN_PIPE
    except OSError as fault:
        if not status:  # otherwise an error has been reported
            _print(sys.stderr, f"tql-frames: cannot write to standard output: {message_of(fault)}\n")
        status = status or 1
    with suppress(OSError, ValueError):  # data that Python still buffers for the pipe would raise an error at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


_ASCII = str.maketrans(
    {
        **dict.fromkeys("├┌┐┘┤┬┴┼╞╡╪", "+"),
        **dict.fromkeys("─—–-", "-"),
        **{"└": "`", "│": "|", "┆": "|", "═": "=", "…": "...", "×": "x", "→": "->", "≥": ">=", "≤": "<=", "▍": "#"},
    }
)


def _in_ascii(fault: UnicodeError) -> tuple[str, int]:
    """Return the replacement for characters that an encoding lacks: ASCII lines and dots, escapes for all others."""
    assert isinstance(fault, UnicodeEncodeError)
    plain = fault.object[fault.start : fault.end].translate(_ASCII)
    return plain.encode("ascii", "backslashreplace").decode(), fault.end


codecs.register_error("tql-frames", _in_ascii)


@contextmanager
def _plain_where_needed() -> Iterator[None]:
    """Make standard output accept all characters in any encoding."""
    stream = sys.stdout
    errors = getattr(stream, "errors", None)
    able = isinstance(stream, io.TextIOWrapper)
    if able:
        stream.reconfigure(errors="tql-frames")  # type: ignore[union-attr]
    try:
        yield
    finally:
        if able:
            with suppress(OSError, ValueError):
                stream.reconfigure(errors=errors)  # type: ignore[union-attr]


def _print(stream: TextIO | None, text: str) -> None:
    if stream is not None:
        with suppress(OSError, ValueError):
            stream.write(text)
            stream.flush()
