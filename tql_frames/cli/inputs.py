"""Find the files to read, from names, globs, partitioned folders, standard input and pipes, as one lazy table.

`formats` scans a format; rows are read here only to find out which file is broken.
"""

from __future__ import annotations

import glob
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import polars as pl

from tql_frames.cli.formats import ARROW, CSV, Format, Reading, format_of, late_code, suffixes
from tql_frames.cli.output import Temporaries
from tql_frames.cli.terminal import CommandError, reason_of

_STDIN = "-"
_NOT_ROWS = ("_", ".")  # first characters of names of files that are not part of a folder's table
_PIECE = 1 << 20  # bytes


class Inputs:
    """The files of one table.

    Attributes:
        files: their names, in the order of their rows; pipes among them, standard input as `-`.
        form: their format.
    """

    def __init__(self, names: Sequence[str], form: Format | None, reading: Reading, temporaries: Temporaries) -> None:
        """Find the files; none is opened.

        Args:
            names: names of files, folders, globs, or `-`.
            form: their format, None to infer it from their names.
            reading: options for reading text.
            temporaries: creates temporary files for pipes, which can be read only once.

        Raises:
            CommandError: a name matches no file, or the files do not have one known format.
        """
        self.reading = reading
        self._guess_rows = reading.guess_rows
        self._temporaries = temporaries
        self._spooled: dict[str, str] = {}  # files with the content of pipes
        self._keys: set[str] = set()  # names of columns from folders
        self._above: set[str] = set()  # names that look like such columns in the path to the given folder
        found = [file for name in names for file in self._found(name, form)]
        named = [name for name in names if name != _STDIN and os.path.isfile(name)]
        if len({os.path.dirname(os.path.abspath(name)) for name in named}) > 1:  # such as a glob expanded by a shell
            self._partitions(named, os.path.commonpath([os.path.abspath(name) for name in named]), form)
        for file in found:
            if not _is_utf8(file):
                raise CommandError(f"cannot read {file}: Polars knows only names in UTF-8")
        if found.count(_STDIN) > 1:
            raise CommandError("standard input can be read once; it is named twice", status=2)
        self.files = tuple(found)
        forms: dict[Format | None, str] = {}
        for file in found:
            forms.setdefault(form or format_of(file) or (CSV if _is_pipe(file) else None), file)
        if None in forms:
            name = forms[None]
            message = (
                f"the name {name} has no ending of a format: give --input-format, or one of the endings {suffixes()}"
            )
            raise CommandError(message, status=2)
        if len(forms) > 1:
            (one, first), (other, second), *_ = ((each.name, file) for each, file in forms.items() if each)
            raise CommandError(f"files of one table are of one format: {first} is {one}, {second} {other}")
        (self.form,) = (each for each in forms if each)

    def as_text(self) -> pl.LazyFrame | None:
        """Return the plan that reads every cell as text; None for files without cells."""
        if not self.form.cells:
            return None
        self._spool_all()
        as_they_are = Reading(delimiter=self.reading.delimiter, header=self.reading.header, text=True)
        return self.form.open([self._spooled.get(file, file) for file in self.files], as_they_are, keys=self._keys)

    def frame(self) -> pl.LazyFrame:
        """Return the plan that reads the files; pipes are read now.

        Raises:
            CommandError: a pipe cannot be read or stored.
        """
        self._spool_all()
        return self._scan(self.files)

    def check_codes(self, names: Iterable[str]) -> None:
        """Check that inferred types do not drop leading zeros of numbers.

        Only cells after the rows for inference are checked; a column with such a number in those rows is text.

        Args:
            names: columns of numbers that are written.

        Raises:
            CommandError: a column has a number with a leading zero.
        """
        text = self.as_text()
        if text is None or self.reading.guess_rows is None or self.reading.text:
            return
        own = set(text.clone().collect_schema()) - set(self.reading.types) - self._keys
        code = late_code(text, [name for name in names if name in own], self.reading.guess_rows)
        if code is not None:
            name, cell = code
            rows = f"{self.reading.guess_rows:,}"
            raise CommandError(
                f"column {name!r} has numbers in its first {rows} rows and {cell!r} later, which would lose its zeros: "
                f"--types {name}=Utf8 keeps the column as text, {name}=Int64 or {name}=Float64 reads numbers"
            )

    def _spool_all(self) -> None:
        for file in self.files:
            if _is_pipe(file) and file not in self._spooled:
                self._spooled[file] = self._spool(file)

    def fault(self) -> str | None:
        """Return what is wrong with the first file that cannot be read, or differs from the first one; None if none.

        Polars does not report which file it could not read. All files are read again, in the streaming engine.
        """
        for file in self.files:
            with suppress(OSError):
                if os.path.getsize(self._spooled.get(file, file)) == 0:
                    return f"cannot read {'standard input' if file == _STDIN else file}: it is empty"
        try:
            schemas = {}
            for file in self.files:
                schemas[file] = self._scan([file]).collect_schema()
                difference = _difference(schemas[file], schemas[self.files[0]], self.form)
                if difference:
                    return f"cannot read {file} together with {self.files[0]}: {difference}"
            types = None if self.form.typed else self._scan(self.files).collect_schema()
            for file in self.files:
                with open(os.devnull, "wb") as nowhere:
                    ARROW.write(self._scan([file], types), nowhere)
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
            name = "standard input" if file == _STDIN else file
            return f"cannot read {name}: {reason_of(fault)}{self._advice(fault)}"
        return None

    def _scan(self, files: Sequence[str], types: Mapping[str, pl.DataType] | None = None) -> pl.LazyFrame:
        names = [self._spooled.get(file, file) for file in files]
        plan = self.form.open(names, self.reading, keys=self._keys, types=types)
        above = self._above - self._keys
        return plan.drop(sorted(above)) if self._keys and above and self.form.partitions else plan

    def _found(self, name: str, form: Format | None) -> list[str]:
        if name == _STDIN:
            return [name]
        if os.path.isdir(name):
            return self._in_folder(name, form)
        if os.path.exists(name):
            return [name]
        if not glob.has_magic(name):
            raise CommandError(f"cannot read {name}: no such file or folder")
        matches = sorted(glob.glob(name, recursive=True))
        files = [match for match in matches if not os.path.isdir(match)]
        if not files:
            raise CommandError(f"{name} matches {'folders only, no file' if matches else 'no file'}")
        self._partitions(files, _before_magic(name), form)
        return files

    def _partitions(self, files: Sequence[str], above: str, form: Format | None) -> None:
        """Store the names of columns from the folders below a folder."""
        known = [file for file in files if form or format_of(file)]
        for file in known:
            self._keys |= _keys(os.path.dirname(os.path.relpath(file, above or os.curdir)))
        if known:
            self._above |= _keys(above)

    def _in_folder(self, folder: str, form: Format | None) -> list[str]:
        if os.path.isdir(os.path.join(folder, "_delta_log")):
            raise CommandError(f"{folder} is a Delta table, whose files hold more than its rows; export it first")
        found = sorted(_files_under(folder))
        known = [file for file in found if (format_of(file) == form if form else format_of(file))]
        if not known:
            endings = " ".join(form.suffixes) if form else suffixes()
            raise CommandError(f"{folder} holds no file with one of the endings {endings}")
        for file in known:
            self._keys |= _keys(os.path.dirname(os.path.relpath(file, folder)))
        self._above |= _keys(folder)
        return known

    def _spool(self, name: str) -> str:
        path, kept = self._temporaries.spool()
        try:
            if name == _STDIN and sys.stdin is None:
                raise CommandError("standard input is closed")
            source = sys.stdin.buffer if name == _STDIN else open(name, "rb")  # noqa: SIM115 - stdin stays open
            with kept:
                shutil.copyfileobj(source, kept, _PIECE)
        except OSError as fault:
            raise CommandError(f"cannot keep {name} in {path}: {reason_of(fault)}") from None
        return path

    def _advice(self, fault: Exception) -> str:
        if self.form.typed or "could not parse" not in str(fault) or self._guess_rows is None:
            return ""
        rows = f"{self._guess_rows:,}"
        return f"\n  types are guessed from the first {rows} rows; --infer-rows all looks at every one"


def _files_under(folder: str) -> Iterator[str]:
    for path, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(_NOT_ROWS)]
        yield from (os.path.join(path, each) for each in files if not each.startswith(_NOT_ROWS))


def _keys(path: str) -> set[str]:
    """Return the names of columns from the folders of a path."""
    return {part.split("=")[0] for part in path.split(os.sep) if part.count("=") == 1}


def _before_magic(pattern: str) -> str:
    """Return the folder at the beginning of a glob."""
    parts = pattern.split(os.sep)
    plain = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    return os.sep.join(parts[:plain]) or (os.sep if pattern.startswith(os.sep) else "")


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # Python stores other names with surrogates
        return False
    return True


def _is_pipe(name: str) -> bool:
    if name == _STDIN:
        return True
    try:
        return not stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return False


def _difference(schema: Mapping[str, pl.DataType], first: Mapping[str, pl.DataType], form: Format) -> str | None:
    if not form.alike:
        return None
    for name in first:
        if name not in schema:
            return f"it has no column {name!r}"
    for name, dtype in schema.items():
        if name not in first:
            return f"it has a column {name!r} more"
        if form.typed and dtype != first[name]:
            return f"column {name!r} is {dtype} instead of {first[name]}"
    return None
