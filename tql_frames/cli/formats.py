"""Scan and write the file formats of the command, infer types, and read hive folders as columns."""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePath
from typing import IO, Any
from urllib.parse import unquote

import polars as pl

from tql_frames.cli.terminal import CommandError

PATH = "tql_frames: path of the file"  # a temporary column while files are read
_NULL = "__HIVE_DEFAULT_PARTITION__"


def keys_of(path: str) -> dict[str, str]:
    """Return the values of columns in the folders of a path."""
    return {name: value for name, equals, value in (part.partition("=") for part in path.split(os.sep)) if equals}


def with_folders(
    plan: pl.LazyFrame, files: Sequence[str], keys: Collection[str], types: Mapping[str, pl.DataType], *, text: bool
) -> pl.LazyFrame:
    """Return a plan whose column `PATH` is replaced by the columns of folders.

    Args:
        plan: the files.
        files: their names.
        keys: names of the columns.
        types: types of columns that are not inferred.
        text: whether all other columns are text.

    Raises:
        CommandError: a file is in no folder of a column, or a value does not fit its type.
    """
    columns = []
    for key in sorted(keys):
        outside = next((file for file in files if key not in keys_of(os.path.dirname(file))), None)
        if outside is not None:
            raise CommandError(f"{outside} is in no folder {key}=…, as other files of the table are")
        written = (keys_of(os.path.dirname(file))[key] for file in files)
        values = pl.Series(key, [None if each == _NULL else unquote(each) for each in written], pl.String)
        try:
            values = values.cast(types[key]) if key in types else values if text else _guessed_keys(values)
        except pl.exceptions.PolarsError:
            raise CommandError(f"--types: a folder {key}=… is no {types[key]}") from None
        value = pl.col(PATH).replace_strict(pl.Series(files, dtype=pl.String), values, return_dtype=values.dtype)
        columns.append(value.alias(key))
    return plan.with_columns(columns).drop(PATH)


def _guessed_keys(values: pl.Series) -> pl.Series:
    file = io.BytesIO(values.to_frame("value").write_csv().encode())
    return pl.read_csv(file, infer_schema_length=None, try_parse_dates=True).to_series()


Types = dict[str, pl.DataType]
_COMPRESSED = (".gz", ".zst")  # Polars recognises compression by content
_CODE = r"^[+-]?0[0-9]"  # a number that begins with a zero


@dataclass(frozen=True)
class Reading:
    """Options for reading text.

    Attributes:
        guess_rows: number of rows from which types are inferred; None for all.
        delimiter: delimiter of the cells of a line; None for the default of the format.
        null_values: texts that are read as null, in addition to empty cells.
        header: whether the first line names the columns.
        types: types by name of columns that are not inferred.
        text: whether all other columns are text.
    """

    guess_rows: int | None = None
    delimiter: str | None = None
    null_values: tuple[str, ...] = ()
    header: bool = True
    types: Mapping[str, pl.DataType] = field(default_factory=dict)
    text: bool = False


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: its name in the options.
        suffixes: suffixes of its files; the first is the usual one.
        scan: returns a plan for files.
        sink: writes a plan to a file that is open for writing.
        refused: whether a column of a type cannot be written.
        typed: whether files contain the types of their columns; otherwise types are inferred from values.
        alike: whether all files of a table have the same columns.
        partitions: whether Polars reads folders as columns.
        binary: whether files are binary instead of text.
        cells: whether files are lines of cells, such as CSV.
    """

    name: str
    suffixes: tuple[str, ...]
    scan: Callable[..., pl.LazyFrame]
    sink: Callable[..., Any]
    refused: Callable[[pl.DataType], bool]
    typed: bool = False
    alike: bool = True
    partitions: bool = False
    binary: bool = False
    cells: bool = False

    def open(
        self,
        files: Sequence[str],
        reading: Reading,
        *,
        keys: Collection[str] = (),
        types: Mapping[str, pl.DataType] | None = None,
    ) -> pl.LazyFrame:
        """Return the plan that reads files as one table; only types may be read or inferred now.

        Args:
            files: names of files.
            reading: options for reading text.
            keys: names of the columns from folders such as `year=2024`.
            types: types of columns that are not inferred.
        """
        options: dict[str, Any] = {}
        if self.partitions:
            options["hive_partitioning"] = bool(keys)
        elif keys:
            options["include_file_paths"] = PATH
            types = None if types is None else {name: types[name] for name in types if name not in keys}
        if self.cells:
            named = {name: dtype for name, dtype in reading.types.items() if name not in keys}
            plan = self._open_cells(files, replace(reading, types=named), types, options)
        else:
            if not self.typed:
                options |= {"infer_schema_length": reading.guess_rows, "schema_overrides": types}
            plan = self.scan([glob.escape(file) for file in files], **options)  # Polars reads names as globs
        if self.partitions or not keys:
            return plan
        return with_folders(plan, files, keys, reading.types, text=reading.text)

    def _open_cells(
        self, files: Sequence[str], reading: Reading, types: Mapping[str, pl.DataType] | None, options: dict[str, Any]
    ) -> pl.LazyFrame:
        options["has_header"] = reading.header
        if reading.null_values:
            options["null_values"] = list(reading.null_values)
        if reading.delimiter is not None:
            options["separator"] = reading.delimiter
        names = [glob.escape(file) for file in files]
        text = self.scan(names, infer_schema=False, **options)
        if reading.text and not reading.types:
            return text
        text = text.drop(PATH, strict=False)
        columns = text.clone().collect_schema().names()
        unknown = next((name for name in reading.types if name not in columns), None)
        if unknown is not None:
            raise CommandError(f"--types names no column of {files[0]}: {unknown!r}", status=2)
        if types is None:
            guess = partial(self._guess, names, options)
            all_text: Types = dict.fromkeys(columns, pl.String())
            types = (all_text if reading.text else _guessed(text, guess, reading.guess_rows)) | dict(reading.types)
        empty = [name for name, dtype in types.items() if dtype == pl.Null]
        known = {name: dtype for name, dtype in types.items() if name not in empty}
        plan = self._guess(names, options, reading.guess_rows, known)
        return plan.with_columns([pl.lit(None).alias(name) for name in empty]) if empty else plan

    def _guess(
        self, names: list[str], options: dict[str, Any], rows: int | None, known: Types | None = None
    ) -> pl.LazyFrame:
        return self.scan(names, infer_schema_length=rows, schema_overrides=known, **options)

    def as_read(self, reading: Reading) -> Format:
        """Return the format with the delimiter and the header of the files that are read."""
        if not self.cells:
            return self
        options: dict[str, Any] = {"include_header": reading.header}
        if reading.delimiter is not None:
            options["separator"] = reading.delimiter
        return replace(self, sink=partial(self.sink, **options))

    def write(self, plan: pl.LazyFrame, file: IO[bytes]) -> None:
        """Run a plan in the streaming engine, into an open file.

        The file is passed open because Polars 1.30, if it opens the file itself, ignores the error of the last write on
        a full disk.

        Raises:
            CommandError: the format cannot hold a column; nothing has run yet.
        """
        self._check(plan.clone().collect_schema())  # of a clone, so that the plan stays optimizable
        self.sink(plan, file, engine="streaming")

    def _check(self, schema: Mapping[str, pl.DataType]) -> None:
        refused = [f"{name!r} ({_type_name(dtype)})" for name, dtype in schema.items() if self.refused(dtype)]
        if not refused:
            return
        others = [each.suffixes[0] for each in FORMATS if not any(map(each.refused, schema.values()))]
        instead = f"write {' or '.join(others)}, or name" if others else "name"
        columns = f"column{'s' * (len(refused) > 1)} {', '.join(refused)}"
        raise CommandError(
            f"{self.name} cannot hold {columns}: {instead} the other columns in a query, select … sample by …"
        )


def _guessed(text: pl.LazyFrame, guess: Callable[[int | None], pl.LazyFrame], most: int | None) -> Types:
    """Return corrections to the types that Polars infers: numbers with a leading zero are text, empty columns null.

    The type of a column that is empty in the first rows is inferred from all rows.

    Args:
        text: the files with all cells as text.
        guess: returns the files with types that are inferred from a number of first rows, None for all.
        most: number of first rows.
    """
    coded, filled = _look(text if most is None else text.head(most))
    empty = [name for name in filled if not filled[name]]
    types: Types = {name: pl.String() for name, found in coded.items() if found}
    if empty and most is not None:
        coded, filled = _look(text.slice(most).select(empty))
        late = [name for name in empty if filled[name]]
        if late:
            schema = guess(None).collect_schema()
            types |= {name: pl.String() if coded[name] else schema[name] for name in late}
        empty = [name for name in empty if not filled[name]]
    return types | dict.fromkeys(empty, pl.Null())


def _look(text: pl.LazyFrame) -> tuple[dict[str, bool], dict[str, bool]]:
    """Return, for each column, whether it has a number with a leading zero, and whether it has a filled cell."""
    coded, filled = pl.all().str.contains(_CODE).any(), pl.all().count().cast(pl.Boolean)
    found = pl.concat([text.clone().select(each) for each in (coded, filled)]).collect(engine="streaming")
    first, second = found.rows(named=True)
    return first, second


def late_code(text: pl.LazyFrame, names: Sequence[str], first: int) -> tuple[str, str] | None:
    """Return the first number with a leading zero in some columns of text, from row `first` on, and its column."""
    if not names:
        return None
    cells = [pl.col(name).filter(pl.col(name).str.contains(_CODE)).first() for name in names]
    found = text.clone().slice(first).select(cells).collect(engine="streaming").row(0)
    return next(((name, cell) for name, cell in zip(names, found, strict=True) if cell is not None), None)


def format_named(name: str) -> Format | None:
    """Return the format with a name or suffix, such as `csv` or `.pq`."""
    word = name.lower().lstrip(".")
    return next((each for each in FORMATS if word == each.name or f".{word}" in each.suffixes), None)


def format_of(path: str) -> Format | None:
    """Return the format of a file by its extension, with or without compression."""
    suffixes = [suffix.lower() for suffix in PurePath(path).suffixes]
    compressed = bool(suffixes) and suffixes[-1] in _COMPRESSED
    if compressed:
        suffixes.pop()
    found = next((each for each in FORMATS if suffixes and suffixes[-1] in each.suffixes), None)
    return None if found is None or (compressed and found.binary) else found


def is_compressed(path: str) -> bool:
    """Return whether the extension of a file is that of a compressed file."""
    return path.lower().endswith(_COMPRESSED)


def suffixes() -> str:
    """Return all suffixes, for messages."""
    return " ".join(suffix for each in FORMATS for suffix in each.suffixes)


def _scan_ndjson(files: list[str], include_file_paths: str | None = None, **options: Any) -> pl.LazyFrame:
    """Scan lines of JSON with the types of all files: Polars uses the first file, and 1.30 then truncates 1.5 to 1."""
    if len(files) == 1:
        return pl.scan_ndjson(files, include_file_paths=include_file_paths, **options)
    schemas = [pl.scan_ndjson([file], **options).collect_schema() for file in files]
    common = pl.concat([pl.DataFrame(schema=schema) for schema in schemas], how="diagonal_relaxed").schema
    return pl.scan_ndjson(files, schema=common, include_file_paths=include_file_paths)


def _never(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Object)


def _no_cell(dtype: pl.DataType) -> bool:
    return dtype.is_nested() or isinstance(dtype, (pl.Binary, pl.Duration, pl.Object))


def _no_json(dtype: pl.DataType) -> bool:
    if isinstance(dtype, (pl.List, pl.Array)):
        return _no_json(_instance(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return any(_no_json(_instance(field.dtype)) for field in dtype.fields)
    return isinstance(dtype, (pl.Binary, pl.Object))


def _instance(dtype: Any) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype  # type: ignore[no-any-return]


def _type_name(dtype: pl.DataType) -> str:
    if isinstance(dtype, (pl.List, pl.Array)):
        return "a list"
    return "a struct" if isinstance(dtype, pl.Struct) else dtype.__class__.__name__.lower()


PARQUET = Format(
    "parquet",
    (".parquet", ".pq"),
    pl.scan_parquet,
    pl.LazyFrame.sink_parquet,
    _never,
    typed=True,
    partitions=True,
    binary=True,
)
CSV = Format("csv", (".csv",), pl.scan_csv, pl.LazyFrame.sink_csv, _no_cell, cells=True)
TSV = Format(
    "tsv",
    (".tsv",),
    partial(pl.scan_csv, separator="\t"),
    partial(pl.LazyFrame.sink_csv, separator="\t"),
    _no_cell,
    cells=True,
)
ARROW = Format(
    "arrow",
    (".arrow", ".ipc", ".feather"),
    pl.scan_ipc,
    pl.LazyFrame.sink_ipc,
    _never,
    typed=True,
    partitions=True,
    binary=True,
)
NDJSON = Format("ndjson", (".ndjson", ".jsonl"), _scan_ndjson, pl.LazyFrame.sink_ndjson, _no_json, alike=False)
FORMATS = (PARQUET, CSV, TSV, ARROW, NDJSON)
