"""Files that do not outlive the command: partial results and spooled input.

Who makes them, and when the command gives up, is told elsewhere.
"""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
import threading
from contextlib import suppress
from typing import IO

from tql_frames.cli.faults import CommandError


class Temporaries:
    """Files that do not outlive the command, by whatever way it ends.

    A lock keeps a command that gives up from missing a file that is being made, or from removing one half renamed.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._over = False

    def create(self, path: str, mode: int) -> IO[bytes]:
        """Make a file and open it for writing.

        Raises:
            OSError: it cannot be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with self._lock:
            self._check()
            file = os.fdopen(os.open(path, flags, mode), "wb")
            self._paths.add(path)
        return file

    def spool(self) -> tuple[str, IO[bytes]]:
        """Return a file in the folder for temporary files, which only this user can read."""
        path = os.path.join(tempfile.gettempdir(), f"tql-frames-{secrets.token_hex(8)}")
        return path, self.create(path, 0o600)

    def publish(self, path: str, target: str, *, replace: bool) -> None:
        """Give a file its name for good.

        Raises:
            FileExistsError: the name is taken, and not to be replaced.
            OSError: it cannot be renamed.
        """
        with self._lock:
            self._check()
            if replace:
                os.replace(path, target)
            else:
                _rename_to_free_name(path, target)
            self._paths.discard(path)

    def remove(self, path: str) -> None:
        """Remove a file, if it is still there."""
        with self._lock, suppress(OSError):
            self._paths.discard(path)
            os.unlink(path)

    def remove_all(self) -> None:
        """Remove the files, and let no more be made."""
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
        os.link(path, target)  # unlike a rename it fails where the name is taken, without a gap between look and leap
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(path, target)
    else:
        os.unlink(path)
