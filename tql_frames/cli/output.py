"""Write the files of the command: complete or not at all, also if it is interrupted.

`formats` checks what a format can hold.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import suppress
from typing import IO, Self, cast

import polars as pl

from tql_frames.cli.formats import ARROW, CSV, Format, Reading, format_of, is_compressed, suffixes
from tql_frames.cli.terminal import CommandError, is_of_python, is_of_writing, number_of, reason_of
from tql_frames.views.storage.file import create, partial_name, sync_folder, to_disk


class Temporaries:
    """Temporary files, which are removed however the command ends.

    A lock prevents a command that is interrupted from missing a file that is being created, or from removing a file
    that is being renamed.
    """

    def __init__(self) -> None:
        """Begin without files."""
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._over = False

    def create(self, path: str, mode: int) -> IO[bytes]:
        """Create a file and open it for writing.

        Raises:
            OSError: the file cannot be created.
        """
        with self._lock:
            self._check()
            file = create(path, mode)
            self._paths.add(path)
        return file

    def spool(self) -> tuple[str, IO[bytes]]:
        """Create a file in the folder for temporary files that only this user can read."""
        path = os.path.join(tempfile.gettempdir(), f"tql-frames-{secrets.token_hex(8)}")
        return path, self.create(path, 0o600)

    def publish(self, path: str, target: str, *, replace: bool) -> None:
        """Rename a file to its final name.

        Raises:
            FileExistsError: a file has the name, and `replace` is false.
            OSError: the file cannot be renamed.
        """
        with self._lock:
            self._check()
            if replace:
                os.replace(path, target)
            else:
                _rename_to_free_name(path, target)
            self._paths.discard(path)

    def remove(self, path: str) -> None:
        """Remove a file, if it still exists."""
        with self._lock, suppress(OSError):
            self._paths.discard(path)
            os.unlink(path)

    def remove_all(self) -> None:
        """Remove the files, and prevent new ones."""
        with self._lock:
            self._over = True
            for path in self._paths:
                with suppress(OSError):
                    os.unlink(path)

    def _check(self) -> None:
        if self._over:
            raise CommandError("interrupted")


def _rename_to_free_name(path: str, target: str) -> None:
    try:
        os.link(path, target)  # unlike a rename, it fails atomically if the name is taken
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(path, target)
    else:
        os.unlink(path)


_SHOWN = 10  # rows on a screen
_HELD = 65_536  # bytes that are held back before a pipe
_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/")  # also if the shell redirected them to a file


class OutputFile(ABC):
    """The output of one result: a context that is entered before the work, so that its errors are raised first.

    Attributes:
        on_terminal: whether rows are written to the terminal, where a progress bar would be.
    """

    on_terminal = False
    _form: Format

    @property
    def cells(self) -> bool:
        """Whether rows that were read as text are written as the same text."""
        return self._form.cells

    def as_read(self, reading: Reading) -> None:
        """Write lines of cells with the delimiter and the header of the files that are read."""
        self._form = self._form.as_read(reading)

    def __enter__(self) -> Self:
        """Check that it can be written."""
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027 - not all have something to leave
        """Remove incomplete output."""

    @abstractmethod
    def write(self, plan: pl.LazyFrame) -> str:
        """Run a plan and write its rows; return the text to print."""


class WholeFile(OutputFile):
    """A file that appears under its name once it is complete and on the disk."""

    def __init__(
        self, name: str, form: Format, temporaries: Temporaries, inputs: Collection[str], *, replace: bool
    ) -> None:
        """Store the name that the user passed; `inputs` are the files that are read."""
        self._name = name
        self._path = os.path.realpath(name)  # a link stays a link
        self._form = form
        self._temporaries = temporaries
        self._inputs = inputs
        self._replace = replace
        self._partial = ""

    def __enter__(self) -> Self:
        try:
            os.lstat(self._path)
        except FileNotFoundError:
            pass
        except OSError as fault:
            raise self._unwritable(fault) from None
        else:
            if not self._replace:
                raise self._taken()
        self._partial = partial_name(self._path)
        try:
            self._file = self._temporaries.create(self._partial, 0o666)  # restricted by the umask
        except FileNotFoundError:
            raise CommandError(f"cannot write {self._name}: there is no folder {os.path.dirname(self._path)}") from None
        except OSError as fault:
            raise self._unwritable(fault) from None
        return self

    def write(self, plan: pl.LazyFrame) -> str:
        """Run a plan, and publish the file."""
        self.fill(plan)
        self.publish()
        return ""

    def fill(self, plan: pl.LazyFrame) -> None:
        """Run a plan into the partial file."""
        try:
            self._form.write(plan, self._file)
            to_disk(self._file)
            self._file.close()
        except (OSError, pl.exceptions.PolarsError) as fault:
            if is_of_writing(fault) or is_of_python(fault):
                raise self._unwritable(fault) from None
            raise

    def publish(self) -> None:
        """Rename the partial file to its final name."""
        try:
            self._temporaries.publish(self._partial, self._path, replace=self._replace)
        except FileExistsError:
            raise self._taken() from None
        except OSError as fault:
            raise self._unwritable(fault) from None
        sync_folder(self._path)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the error of a full disk has been reported
            self._file.close()
        self._temporaries.remove(self._partial)

    def _taken(self) -> CommandError:
        if any(_same_file(self._path, each) for each in self._inputs):
            return CommandError(f"{self._name} is one of the inputs; --force replaces it once the result is complete")
        return CommandError(f"{self._name} exists already; --force replaces it")

    def _unwritable(self, fault: BaseException) -> CommandError:
        return CommandError(f"cannot write {self._name}: {reason_of(fault)}")


class Pipe(OutputFile):
    """Standard output, or a named device or pipe: written while the result is computed."""

    def __init__(self, name: str | None, form: Format) -> None:
        """Store the name, None for standard output."""
        self._name = name
        self._form = form
        self.on_terminal = name is None and sys.stdout is not None and sys.stdout.isatty()

    def __enter__(self) -> Self:
        if self._name is None:
            if sys.stdout is None:
                raise CommandError("standard output is closed")
            if self._form.binary and self.on_terminal:
                raise CommandError(f"{self._form.name} is not for a terminal: write to a file, -o FILE, or to a pipe")
            sys.stdout.flush()
            self._file: IO[bytes] = sys.stdout.buffer
        else:
            try:
                self._file = open(self._name, "wb")
            except OSError as fault:
                raise CommandError(f"cannot write {self._name}: {reason_of(fault)}") from None
        return self

    def write(self, plan: pl.LazyFrame) -> str:
        """Run a plan; rows are written as they are computed."""
        try:
            held = _Held(self._file)
            self._form.write(plan, cast("IO[bytes]", held))
            held.release()
            self._file.flush()
        except (OSError, pl.exceptions.PolarsError) as fault:
            if number_of(fault) == errno.EPIPE:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
            if is_of_writing(fault) or is_of_python(fault):
                name = self._name or "to standard output"
                raise CommandError(f"cannot write {name}: {reason_of(fault)}") from None
            raise
        return ""

    def __exit__(self, *_: object) -> None:
        if self._name is not None:
            with suppress(OSError):
                self._file.close()


class _Held:
    """A file that holds back its first bytes, so that work that fails at its beginning writes no header to a pipe."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._first: bytearray | None = bytearray()

    def write(self, data: bytes) -> int:
        if self._first is None:
            return self._file.write(data)
        self._first += data
        if len(self._first) > _HELD:
            self.release()
        return len(data)

    def flush(self) -> None:
        if self._first is None:
            self._file.flush()

    def release(self) -> None:
        """Write the bytes that were held back."""
        first, self._first = self._first, None
        if first:
            self._file.write(first)


class Screen(OutputFile):
    """A table of the first rows, and the number of rows, for a terminal."""

    def __init__(self, temporaries: Temporaries) -> None:
        """Store where the result is kept: in a temporary file, so that a large one does not fill the memory."""
        self._temporaries = temporaries
        self._form = CSV

    def write(self, plan: pl.LazyFrame) -> str:
        """Run a plan, and return a table of its first rows."""
        path, file = self._temporaries.spool()
        try:
            with file:
                ARROW.write(plan, file)
            kept = ARROW.open([path], Reading())
            rows = kept.select(pl.len()).collect().item()
            head = kept.head(_SHOWN).collect()
        except (OSError, pl.exceptions.PolarsError) as fault:
            if is_of_writing(fault):
                raise CommandError(f"cannot keep the result in {path}: {reason_of(fault)}") from None
            raise
        finally:
            self._temporaries.remove(path)
        first = f"; the first {_SHOWN}" if rows > _SHOWN else ""
        said = f"{rows:,} row{'s' * (rows != 1)}, {head.width:,} column{'s' * (head.width != 1)}{first}"
        width = os.get_terminal_size(sys.stdout.fileno()).columns or 80
        with pl.Config(tbl_rows=_SHOWN, tbl_hide_dataframe_shape=True, tbl_width_chars=width):
            return f"{head}\n{said}\n"


def output_for(
    name: str | None, form: Format | None, temporaries: Temporaries, inputs: Collection[str], *, replace: bool
) -> OutputFile:
    """Return the output that the options specify.

    Args:
        name: a file, `-` for standard output, or None for a table on a terminal and standard output elsewhere.
        form: the requested format, None to infer it from the name.
        temporaries: creates temporary files.
        inputs: files that are read.
        replace: whether an existing file is replaced.

    Raises:
        CommandError: the name has no extension of a format, or is the name of a folder.
    """
    if name is None and form is None and sys.stdout is not None and sys.stdout.isatty():
        return Screen(temporaries)
    if name is None or name == "-":
        return Pipe(None, form or CSV)
    found = form or format_of(name)
    if os.path.isdir(name) or name.endswith(os.sep):
        raise CommandError(f"cannot write {name}: it is a folder")
    if name.startswith(_STREAMS) or (os.path.exists(name) and not stat.S_ISREG(os.stat(name).st_mode)):
        return Pipe(name, found or CSV)
    if found is None:
        message = f"the name {name} has no ending of a format: give --output-format, or one of the endings {suffixes()}"
        raise CommandError(message, status=2)
    if is_compressed(name):
        message = f"{name} would not be compressed: write to a compressor, -o - --output-format {found.name} | gzip"
        raise CommandError(message, status=2)
    return WholeFile(name, found, temporaries, inputs, replace=replace)


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
