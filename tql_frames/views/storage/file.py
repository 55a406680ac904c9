"""The file of a view: Parquet, with the row positions as its one column and the rest as JSON in its metadata.

What the JSON holds is known in `description`. A SHA-256 of the whole file stands in the file itself, as the zeros that
it is computed with: a file that is damaged in any byte is refused before anything of it is parsed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa

from tql_frames.errors import TQLError
from tql_frames.sampling import Positions
from tql_frames.views.storage.description import Description

_FORMAT = 2  # 1 had digests that depend on types
_VIEW = "tql_frames.view"
_CHECKSUM = "tql_frames.checksum"
_ZEROS = b"0" * 64
# Between a key and its value Parquet writes the kind of the value's field and its length, a byte each.
_PLACE = re.compile(re.escape(_CHECKSUM.encode()) + rb"..sha256:([0-9a-f]{64})", re.DOTALL)


def write_file(path: str | os.PathLike[str], positions: Positions, description: Mapping[str, Any]) -> None:
    """Write a view to a file, which appears whole or not at all.

    Args:
        path: of the file; one of that name is replaced.
        positions: row positions, shape (k,).
        description: what JSON can hold.

    Raises:
        OSError: the file cannot be written.
    """
    text = json.dumps({"format": _FORMAT, **description}).replace(_CHECKSUM, _CHECKSUM.replace(".", "\\u002e"))
    narrow = positions.astype(np.uint32 if not len(positions) or positions.max() < 2**32 else np.int64)
    table = pa.table({"position": narrow})
    parquet, file = _parquet(), BytesIO()
    with parquet.ParquetWriter(
        file,
        table.schema,
        compression="zstd",
        use_dictionary=False,
        column_encoding={"position": "DELTA_BINARY_PACKED"},
        store_schema=False,
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_VIEW: text, _CHECKSUM: f"sha256:{_ZEROS.decode()}"})
    content = bytearray(file.getbuffer())
    start, stop = _place(content)
    content[start:stop] = hashlib.sha256(content).hexdigest().encode()
    _write(os.path.realpath(_usable(path)), content)


def read_file(path: str | os.PathLike[str]) -> tuple[Positions, Description]:
    """Return positions and description of a view, checked.

    Raises:
        OSError: the file cannot be read.
        TQLError: it is no view, or damaged, or written by a newer version, or its content is not that of a view.
    """
    with open(_usable(path), "rb") as file:
        content = file.read()
    name = os.fspath(path)
    again = "save the view again, or take the file from a copy"
    try:
        start, stop = _place(content)
    except ValueError:
        what = "a Parquet file, but no saved view" if content.startswith(b"PAR1") else "no saved view"
        raise TQLError(f"{name!r} is {what}, or it is damaged", hint=again) from None
    found = hashlib.sha256(content[:start])
    found.update(_ZEROS)
    found.update(memoryview(content)[stop:])
    if found.hexdigest().encode() != content[start:stop]:
        raise TQLError(f"{name!r} is damaged: its content does not match its checksum", hint=again)
    wrong = f"{name!r} is no view that tql_frames saved"
    try:
        file = _parquet().ParquetFile(BytesIO(content))
        description = json.loads(file.metadata.metadata[_VIEW.encode()])
        number = description["format"]
        if type(number) is not int or number < 1:
            raise ValueError("no format")
        if number > _FORMAT:
            version = description.get("versions", {}).get("tql_frames", "of a newer version")
            message = f"{name!r} was saved by tql_frames {version}, in a newer format"
            raise TQLError(message, hint="install that version, or a newer one")
        saved = Description.from_json(description)
        column = file.read().column("position")
        if not pa.types.is_integer(column.type) or column.null_count:
            raise ValueError("no positions")
        positions: Positions = column.to_numpy().astype(np.int64)
    except TQLError:
        raise
    except (
        pa.ArrowException,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
        OSError,
    ):
        raise TQLError(f"{wrong}: its content is incomplete or of other types", hint=again) from None
    rows = saved.frame.rows
    if len(positions) and not 0 <= positions.min() <= positions.max() < rows:
        message = f"{wrong}: it has positions beyond its {rows:,} row{'s' * (rows != 1)}"
        raise TQLError(message, hint=again)
    return positions, saved


def _usable(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return a path that the system can take.

    Raises:
        TQLError: it holds a NUL, or a character that cannot be encoded.
    """
    try:
        if b"\0" not in os.fsencode(path):
            return path
    except UnicodeEncodeError:
        pass
    raise TQLError(f"expected the path of a file, got {os.fspath(path)!r}")


def _place(content: bytes | bytearray) -> tuple[int, int]:
    """Return where the checksum stands.

    Raises:
        ValueError: there is none.
    """
    found = None
    for found in _PLACE.finditer(content):  # noqa: B007 - the last one counts
        pass
    if found is None:
        raise ValueError("no checksum")
    return found.span(1)


def _write(path: str, content: bytearray) -> None:
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.partial")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(partial, flags, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(folder)
    except OSError as fault:  # of the file that was asked for, not of the partial one
        raise OSError(fault.errno, fault.strerror, path) from None
    finally:
        with suppress(OSError):
            os.unlink(partial)


def _sync_folder(path: str) -> None:
    """Write the entry of a new file to the disk, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
        return
    folder = os.open(path or os.curdir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    except OSError:  # some file systems have no such call for folders; the file itself is written
        pass
    finally:
        os.close(folder)


@cache
def _parquet() -> Any:
    """Return loaded for the first view that is saved or loaded: most programs do neither, and it takes its time."""
    return import_module("pyarrow.parquet")
