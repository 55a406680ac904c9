"""How local files stand, so that one that is written to between two readings is noticed.

Files elsewhere, such as on S3, cannot be looked at without reading them, and are left out.
"""

from __future__ import annotations

import glob
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

_END = 4096  # bytes at either end; the last ones of a Parquet or Arrow file hold its number of rows


def states_of(paths: Iterable[str]) -> Mapping[str, object]:
    """How files stand, by name: size, time, and a checksum of their first and last bytes.

    Args:
        paths: names, folders and globs, as Polars takes them; addresses are left out.
    """
    return {file: state for path in paths for file in _files(path) if (state := _state(file)) is not None}


def _files(path: str) -> Iterator[str]:
    if "://" in path:
        if not path.startswith("file://"):
            return
        path = unquote(urlsplit(path).path)
    path = os.path.expanduser(path)
    if os.path.isfile(path):
        yield path
    elif os.path.isdir(path):
        for folder, _, names in os.walk(path):
            yield from (os.path.join(folder, name) for name in names)
    elif glob.has_magic(path):
        for match in glob.iglob(path, recursive=True):
            yield from _files(match) if os.path.isdir(match) else [match]


def _state(file: str) -> object:
    try:
        with open(file, "rb") as opened:
            found = os.fstat(opened.fileno())
            checksum = zlib.crc32(opened.read(_END))
            if found.st_size > _END:
                opened.seek(-_END, os.SEEK_END)
                checksum = zlib.crc32(opened.read(_END), checksum)
    except OSError:
        return None  # as if it were not there; Polars says why it cannot be read
    return found.st_size, found.st_mtime_ns, checksum
