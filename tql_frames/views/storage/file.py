"""Read and write the file of a view: Parquet, with the row positions as its only column and JSON as its metadata.

The file contains its own SHA-256, computed with zeros in place of the checksum: a file with any damaged byte is
rejected before it is parsed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import platform
import re
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import IO, Any

import numpy as np
import polars as pl
import pyarrow as pa

from tql_frames.errors import TQLError
from tql_frames.frames import INDEX, ColumnRef
from tql_frames.sampling import Positions
from tql_frames.views.provenance import Step
from tql_frames.views.storage.fingerprint import Fingerprint, names_of


def _versions() -> dict[str, str]:
    package = sys.modules[__name__.partition(".")[0]]  # importing it would be an import from a higher layer
    libraries = {"polars": pl, "pandas": sys.modules.get("pandas"), "numpy": np}
    found = {name: library.__version__ for name, library in libraries.items() if library is not None}
    return {"tql_frames": package.__version__, **found, "python": platform.python_version()}


@dataclass(frozen=True)
class Description:
    """Description of a view in its file.

    Attributes:
        kind: library and class of the frame.
        steps: how its rows were drawn; each step selects among the rows of the step before.
        columns: name in the fingerprint and label of each column; None for all columns, unchanged.
        index: the option of `sample`.
        ignore_index: the option of `sample`.
        frame: fingerprint of the frame.
        needs: names in the fingerprint of the columns that the draw used or the view has; None for all.
        message: message of the user.
        saved: time of saving.
        versions: versions of this package, the libraries and Python.
    """

    kind: str
    steps: tuple[Step, ...]
    columns: tuple[tuple[str, object], ...] | None
    index: str | None
    ignore_index: bool
    frame: Fingerprint
    message: str
    needs: tuple[str, ...] | None = None
    saved: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    versions: Mapping[str, str] = field(default_factory=_versions)

    def to_json(self) -> dict[str, Any]:
        """Return its attributes; a column that keeps its label is written without the label."""
        columns = self.columns
        return {
            "versions": dict(self.versions),
            "saved": self.saved.isoformat(),
            "message": self.message,
            "kind": self.kind,
            "steps": [step.to_json() for step in self.steps],
            "columns": columns and [[name, None if repr(label) == name else label] for name, label in columns],
            "index": self.index,
            "ignore_index": self.ignore_index,
            "needs": self.needs,
            "frame": self.frame.to_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Description:
        """Return the description with these attributes.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: they are not the attributes of a view.
        """
        columns, needs = values["columns"], values.get("needs")
        found = cls(
            kind=_text(values["kind"]),
            steps=tuple(Step.from_json(each) for each in values["steps"]),
            columns=columns and tuple((_text(name), label) for name, label in columns),
            index=INDEX if values["index"] == INDEX else None if values["index"] is None else _text(values["index"]),
            ignore_index=bool(values["ignore_index"]),
            frame=Fingerprint.from_json(values["frame"]),
            message=_text(values["message"]),
            needs=None if needs is None else tuple(map(_text, needs)),
            saved=dt.datetime.fromisoformat(values["saved"]),
            versions={_text(name): _text(version) for name, version in values["versions"].items()},
        )
        names = {each.name for each in found.frame.columns}
        if not found.steps or not set(found.outputs) | set(found.needs or ()) <= names:
            raise ValueError("no steps, or columns that are not those of the frame")
        return found

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the columns of the view; empty if it has all columns."""
        return () if self.columns is None else tuple(name for name, _ in self.columns)

    def columns_in(self, labels: tuple[object, ...]) -> tuple[ColumnRef, ...] | None:
        """Return the columns of the view in a frame with these labels, which may have another order."""
        if self.columns is None:
            return None
        places = {name: place for place, name in enumerate(names_of(labels))}
        return tuple(
            ColumnRef(places[name], labels[places[name]] if label is None else label) for name, label in self.columns
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where text is expected")
    return value


_LONGEST_NAME = 200  # bytes of a name that the name of a partial file repeats; file systems allow 255
_FORMAT = 2  # format 1 had digests that depend on types
_VIEW = "tql_frames.view"
_CHECKSUM = "tql_frames.checksum"
_ZEROS = b"0" * 64
# Between a key and its value, Parquet writes the kind of the value's field and its length, one byte each.
_PLACE = re.compile(re.escape(_CHECKSUM.encode()) + rb"..sha256:([0-9a-f]{64})", re.DOTALL)


def write_file(path: str | os.PathLike[str], positions: Positions, description: Mapping[str, Any]) -> None:
    """Write a view to a file atomically.

    Args:
        path: path of the file; an existing file is replaced.
        positions: row positions, shape (k,).
        description: values that JSON can hold.

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
        TQLError: the file is not a view, is damaged, was written by a newer version, or has invalid content.
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
    """Return a path that the system supports.

    Raises:
        TQLError: it contains a NUL, or a character that cannot be encoded.
    """
    try:
        if b"\0" not in os.fsencode(path):
            return path
    except UnicodeEncodeError:
        pass
    raise TQLError(f"expected the path of a file, got {os.fspath(path)!r}")


def _place(content: bytes | bytearray) -> tuple[int, int]:
    """Return the range of the checksum.

    Raises:
        ValueError: there is no checksum.
    """
    found = None
    for found in _PLACE.finditer(content):  # noqa: B007 - the last one counts
        pass
    if found is None:
        raise ValueError("no checksum")
    return found.span(1)


def _write(path: str, content: bytearray) -> None:
    partial = partial_name(path)
    try:
        with create(partial) as file:
            file.write(content)
            to_disk(file)
        os.replace(partial, path)
        sync_folder(path)
    except OSError as fault:  # raised for the requested file, not for the partial one
        raise OSError(fault.errno, fault.strerror, path) from None
    finally:
        with suppress(OSError):
            os.unlink(partial)


def partial_name(path: str) -> str:
    """Return a name in the same folder for a file that is not complete yet."""
    folder, base = os.path.split(path)
    begin = os.fsencode(base)[:_LONGEST_NAME].decode(errors="ignore")
    return os.path.join(folder, f".{begin}.{secrets.token_hex(4)}.partial")


def create(path: str, mode: int = 0o666) -> IO[bytes]:
    """Create a new file and open it for writing.

    Raises:
        OSError: the file exists, or cannot be created.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, mode), "wb")


def to_disk(file: IO[bytes]) -> None:
    """Wait until all data written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(path: str) -> None:
    """Write the directory entry of a new file to the disk, if supported: Windows and some file systems do not."""
    with suppress(OSError):
        folder = os.open(os.path.dirname(path) or os.curdir, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@cache
def _parquet() -> Any:
    """Return `pyarrow.parquet`; loaded at first use, since most programs do not need it and it is slow to import."""
    return import_module("pyarrow.parquet")
