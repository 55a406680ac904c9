"""Folders such as `year=2024` as columns of formats of which Polars reads the files alone: CSV and NDJSON.

Which folders are columns is found in `inputs`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import unquote

import polars as pl

from tql_frames.cli.faults import CommandError

PATH = "tql_frames: path of the file"  # a column, for as long as the files are read
_NULL = "__HIVE_DEFAULT_PARTITION__"


def keys_of(path: str) -> dict[str, str]:
    """Return the values that the folders of a path give to columns."""
    return {name: value for name, equals, value in (part.partition("=") for part in path.split(os.sep)) if equals}


def with_folders(
    plan: pl.LazyFrame, files: Sequence[str], keys: Collection[str], types: Mapping[str, pl.DataType], *, text: bool
) -> pl.LazyFrame:
    """Return a plan whose column `PATH` is replaced by the columns that folders are.

    Args:
        plan: the files.
        files: their names.
        keys: names of the columns.
        types: of columns, instead of a guess.
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
            values = values.cast(types[key]) if key in types else values if text else _guessed(values)
        except pl.exceptions.PolarsError:
            raise CommandError(f"--types: a folder {key}=… is no {types[key]}") from None
        value = pl.col(PATH).replace_strict(pl.Series(files, dtype=pl.String), values, return_dtype=values.dtype)
        columns.append(value.alias(key))
    return plan.with_columns(columns).drop(PATH)


def _guessed(values: pl.Series) -> pl.Series:
    file = io.BytesIO(values.to_frame("value").write_csv().encode())
    return pl.read_csv(file, infer_schema_length=None, try_parse_dates=True).to_series()
