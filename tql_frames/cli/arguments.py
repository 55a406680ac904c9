"""Parse the command line: options, their values, and the help.

`commands` does the work of a sub-command.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, _MutuallyExclusiveGroup
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

import polars as pl

from tql_frames.cli.formats import FORMATS, Format, format_named, format_of
from tql_frames.pipeline.argument_names import Ours, is_foreign_name, ours_for

_GUESS_ROWS = 10_000

OF_RANDOM = "fix the numbers of random(), as in a sample with the same seed; by default every run has others"
_FILES = """\
files:
  FILE is a path, a 'glob*', a folder, or - for standard input. Several files are read as one table, in their order.
  Folders such as year=2024 become columns. The format is inferred from the file extension:
  {formats}
  Text may be compressed (.csv.gz). Output is written atomically.
"""


class Command(Protocol):
    """The interface of a sub-command for the parser."""

    name: str
    summary: str
    examples: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments and options of the sub-command."""
        ...


# Names in the parser, and the arguments of the functions that they stand for.
_ARGUMENTS = {"into": "parts", "inputs": "frame", "targets": "target"}


class CommandParser(ArgumentParser):
    """A parser whose error for an option of another library names the option of this command, with its value."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments like `ArgumentParser`, after a check for options of other libraries."""
        given = sys.argv[1:] if args is None else list(args)
        for place, text in enumerate(given[: given.index("--")] if "--" in given else given):
            option, _, value = text.partition("=")
            if not option.startswith("-") or option in self._option_string_actions:
                continue
            following = given[place + 1] if place + 1 < len(given) and not given[place + 1].startswith("-") else ""
            advice = self._advice(option.lstrip("-").replace("-", "_"), value or following)
            if advice is not None:
                self.error(f"there is no option {option}; {advice}")
        return super().parse_known_args(args, namespace)

    def _advice(self, name: str, value: str) -> str | None:
        dests = {each.dest for each in self._actions}
        names = {_ARGUMENTS.get(dest, dest) for dest in dests}
        if name == "replace" and name in dests:
            return _option_for(Ours(name, "", _typed(value)), value)
        ours = ours_for(name, names, _typed(value))
        if ours is None and "text" in dests and is_foreign_name(name):
            return "write it into the statement: SAMPLE BY … OVER (…) REPLACE … LIMIT …"
        return None if ours is None else _option_for(ours, value)


def _option_for(ours: Ours, value: str) -> str:
    """Return the option of the command line for an argument of this package."""
    if ours.name in ("sampler", "text"):
        return f"write the {'sampler' if ours.name == 'sampler' else 'statement'} as the first argument"
    if ours.name == "frame":
        return "write the files as the last arguments"
    if ours.name == "replace":
        return "leave it out: draws are with replacement" if ours.plain else "write --no-replace"
    if ours.name == "parts":
        shares = ours.plain if isinstance(ours.plain, dict) else {"train": 0.8, "test": 0.2}
        return f"write --into {' '.join(f'{name}={share}' for name, share in shares.items())}"
    if ours.name == "order":
        return f"write --order {ours.plain}"
    if ours.name in ("target", "parameters"):
        return "write --target LABEL=SHARE" if ours.name == "target" else f"write --parameter {value}".rstrip()
    return f"write --{ours.name} {value}".rstrip()


def _typed(text: str) -> object:
    """Return the value of an option as a Python value: a Boolean, a whole number, or the text."""
    words = {"true": True, "yes": True, "": True, "false": False, "no": False}
    if text.lower() in words:
        return words[text.lower()]
    return int(text) if text.isdecimal() else text


def parser_for(commands: Iterable[Command], version: str) -> ArgumentParser:
    """Return the parser of the command line; the parsed options have the chosen sub-command as `command`."""
    parser = CommandParser(
        prog="tql-frames",
        description="Draw rows of files by weight, and run TQL on files.",
        epilog="tql-frames COMMAND --help lists the options of a command, with examples.",
    )
    parser.add_argument("--version", action="version", version=version)
    choices = parser.add_subparsers(metavar="COMMAND", required=True)
    formats = "; ".join(f"{each.name}: {' '.join(each.suffixes)}" for each in FORMATS)
    for command in commands:
        each = choices.add_parser(
            command.name,
            help=command.summary,
            description=command.summary,
            epilog=f"examples:\n{command.examples}\n{_FILES.format(formats=formats)}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # the meaning of an abbreviation may change in the next release
        )
        command.add_arguments(each)
        each.set_defaults(command=command, parser=each)
    return parser


def add_inputs(parser: ArgumentParser, metavar: str = "FILE", help: str = "files to read, as one table") -> None:
    """Add the files to read, and the options for reading them."""
    parser.add_argument("inputs", nargs="+", metavar=metavar, help=help)
    parser.add_argument(
        "--input-format", type=_format, metavar="FORMAT", help=f"{_names()}; by default from the extension"
    )
    parser.add_argument(
        "--infer-rows",
        type=_rows_or_all,
        default=_GUESS_ROWS,
        metavar="N",
        help=f"number of rows from which types of CSV and NDJSON are guessed, or `all` (default {_GUESS_ROWS})",
    )
    parser.add_argument("--delimiter", type=_delimiter, metavar="C", help="separator of the cells of CSV, such as ';'")
    parser.add_argument(
        "--null-value",
        dest="null_values",
        action="append",
        metavar="TEXT",
        help="text of missing values in CSV, such as NA; can be repeated",
    )
    parser.add_argument(
        "--no-header",
        dest="header",
        action="store_false",
        help="CSV has no header; columns are called column_0, column_1, … (before Polars 2.0, from 1)",
    )
    parser.add_argument(
        "--types",
        type=_types,
        metavar="NAME=TYPE,…",
        help="types of columns of CSV, such as id=Utf8,age=Int64; the others are guessed",
    )
    parser.add_argument(
        "--text", dest="text_columns", action="store_true", help="read columns of CSV as text, except those in --types"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar")


def add_output(parser: ArgumentParser) -> None:
    """Add the options of the output."""
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write, - for standard output (the default)")
    parser.add_argument("--output-format", type=_format, metavar="FORMAT", help="by default from the extension, or csv")
    parser.add_argument("-f", "--force", action="store_true", help="replace an existing file")
    _add_index(parser)


def _add_index(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--index",
        nargs="?",
        const="index",
        type=_index,
        metavar="NAME",
        help="add a first column of original row numbers, called NAME or else `index`",
    )


def add_seed(parser: ArgumentParser, help: str = "fix the sample; by default every run draws other rows") -> None:
    """Add the seed of the sample."""
    parser.add_argument("--seed", type=_rows, metavar="N", help=help)


def add_size(parser: ArgumentParser) -> None:
    """Add the options of the draw: size, groups, replacement, order."""
    add_groups(parser)
    parser.add_argument(
        "--key",
        action="append",
        metavar="COLUMN",
        help="tie random numbers to its values: the sample stays as rows are added or reordered; with --no-replace",
    )
    parser.add_argument(
        "--order",
        choices=("source", "draw"),
        default="source",
        help="the order of the table (the default), or the order drawn, which is random and takes longer",
    )


def add_groups(parser: ArgumentParser) -> None:
    """Add the number of draws, their design, and the groups or units to draw from."""
    add_draws(parser).add_argument(
        "--quota",
        dest="quotas",
        action="append",
        type=_quota,
        metavar="GROUP=N",
        help="rows to draw from a group of --over, none from other groups; with several --over: '[\"PA\", 1]=N'",
    )
    parser.add_argument(
        "--over",
        action="append",
        metavar="COLUMN",
        help="draw from each group of rows with equal values separately; --limit and --fraction are per group",
    )
    parser.add_argument(
        "--unit",
        action="append",
        metavar="COLUMN",
        help="draw all rows with equal values together, such as those of a patient; --limit and --fraction count units",
    )


def add_draws(parser: ArgumentParser) -> _MutuallyExclusiveGroup:
    """Add the number of draws and their design; return the group of options for the number."""
    size: _MutuallyExclusiveGroup = parser.add_mutually_exclusive_group()
    size.add_argument("--limit", type=_rows, metavar="N", help="rows to draw; by default the number of rows")
    size.add_argument("--fraction", type=_share, metavar="X", help="rows to draw as a share of the rows")
    parser.add_argument("--no-replace", dest="replace", action="store_false", help="draw each row at most once")
    parser.add_argument(
        "--design",
        choices=("independent", "successive", "systematic", "poisson"),
        help="systematic and poisson keep the shares of the weights also without repeats; see docs/designs.md",
    )
    return size


def add_labels(parser: ArgumentParser) -> None:
    """Add the column of labels, and the format of the result."""
    parser.add_argument(
        "--by",
        action="append",
        required=True,
        metavar="COLUMN",
        help="the column of labels, or of lists of them; repeat it for columns of true or false, or 1 or 0, one per "
        "label",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_split(parser: ArgumentParser, what: str = "COLUMN=SEPARATOR", also: str = "") -> None:
    """Add the column of text that holds several labels."""
    parser.add_argument(
        "--split",
        type=_split,
        metavar=what,
        help=f"labels in one text, such as 'Mass|Edema', become a list: --split 'findings=|'{also}",
    )


def add_parts(parser: ArgumentParser) -> None:
    """Add the parts of a split, and the folder for their files."""
    parts = parser.add_mutually_exclusive_group(required=True)
    parts.add_argument(
        "--into",
        nargs="+",
        type=_part,
        metavar="NAME=SHARE",
        help="parts and their shares of the units, which sum to 1: --into train=0.8 val=0.1 test=0.1",
    )
    parts.add_argument("--folds", type=_rows, metavar="N", help="parts of equal shares, called fold_0, fold_1, …")
    parser.add_argument(
        "--unit", metavar="COLUMN", help="rows with equal values stay together; by default each row is a unit"
    )
    parser.add_argument(
        "--by",
        action="append",
        metavar="COLUMN",
        help="column of labels, or of lists of them, that are in proportion in every part; can be repeated",
    )
    parser.add_argument(
        "--key",
        metavar="COLUMN",
        help="rows with equal values stay together, and in their part when other rows are added or removed",
    )
    parser.add_argument("--out-dir", required=True, metavar="FOLDER", help="folder for a file of each part, NAME.csv")
    parser.add_argument("--output-format", type=_format, metavar="FORMAT", help="by default that of the input")
    parser.add_argument("-f", "--force", action="store_true", help="replace existing files")
    _add_index(parser)
    parser.add_argument("--json", action="store_true", help="print the report of the parts as JSON")


def add_balance(parser: ArgumentParser) -> None:
    """Add the wanted shares."""
    parser.add_argument(
        "--target",
        dest="targets",
        action="append",
        type=_target,
        metavar="LABEL=SHARE",
        help="share of draws, from 0 to 1, of a label or TQL condition; by default equal shares of all labels",
    )
    parser.add_argument("--keep", action="append", default=[], metavar="LABEL", help="label that keeps its share")
    parser.add_argument("--max-weight", type=_number, metavar="X", help="greatest weight, when the mean is 1")
    parser.add_argument(
        "--method",
        choices=("raking", "nnls"),
        default="raking",
        help="raking (the default), or nnls, which adds weights",
    )


def add_parameters(parser: ArgumentParser) -> None:
    """Add the values for the `?` of a text."""
    parser.add_argument(
        "--parameter",
        dest="parameters",
        action="append",
        type=_value,
        metavar="VALUE",
        help="value for the next `?` of the text: JSON, such as 60, true, [1,2], '\"60\"', or else plain text",
    )


def _names() -> str:
    return ", ".join(each.name for each in FORMATS)


def _format(text: str) -> Format:
    found = format_named(text)
    if found is None:
        raise ArgumentTypeError(f"expected one of {_names()}, got {text!r}")
    return found


def _rows(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return number


def _quota(text: str) -> tuple[Any, int]:
    name, equals, number = text.rpartition("=")
    if not equals:
        raise ArgumentTypeError(f"expected GROUP=N, got {text!r}")
    found = _value(name) if name.startswith("[") or name == "null" else name
    return (tuple(found) if isinstance(found, list) else found), _rows(number)


def _rows_or_all(text: str) -> int | None:
    if text == "all":
        return None
    number = _rows(text)
    if number == 0:
        raise ArgumentTypeError("types cannot be guessed from no row; `all` looks at every one")
    return number


def _delimiter(text: str) -> str:
    character = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(character) != 1 or not character.isascii() or character in '"\r\n':
        raise ArgumentTypeError(f"expected one ASCII character, or \\t, got {text!r}")
    return character


_TYPES: dict[str, pl.DataType] = {
    each.__name__.lower(): each()
    for each in (
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
        *(pl.Float32, pl.Float64, pl.Boolean, pl.String, pl.Date, pl.Time, pl.Datetime),
    )
}
_TYPES |= {"utf8": pl.String(), "str": pl.String(), "text": pl.String(), "int": pl.Int64(), "float": pl.Float64()}
_TYPES |= {"bool": pl.Boolean()}


def _types(text: str) -> dict[str, pl.DataType]:
    found = {}
    for part in text.split(","):
        name, equals, word = part.rpartition("=")
        if not equals or word.strip().lower() not in _TYPES:
            known = "Utf8, Int64, Float64, Boolean, Date, Datetime and the like"
            raise ArgumentTypeError(f"expected NAME=TYPE, where TYPE is one of {known}, got {part!r}")
        found[name.strip()] = _TYPES[word.strip().lower()]
    return found


def _number(text: str) -> float:
    return float(_share(text))


def _share(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(-1)
    if not 0 <= float(number) < float("inf"):
        raise ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return number


def _split(text: str) -> tuple[str | None, str]:
    name, equals, separator = text.partition("=")
    found = (name, separator) if equals and name and separator else (None, text)
    if not found[1]:
        raise ArgumentTypeError("the separator is empty")
    return found


def _target(text: str) -> tuple[str, float]:
    label, equals, share = text.rpartition("=")
    try:
        number = float(share)
    except ValueError:
        number = -1.0
    if not equals or not label or not 0 <= number <= 1:
        raise ArgumentTypeError(f"expected LABEL=SHARE with a share from 0 to 1, got {text!r}")
    return label, number


def _part(text: str) -> tuple[str, Decimal]:
    name, equals, share = text.rpartition("=")
    if not equals or not name:
        raise ArgumentTypeError(f"expected NAME=SHARE, got {text!r}")
    if name in (os.curdir, os.pardir) or set(name) & {os.sep, os.altsep, "\0"}:
        raise ArgumentTypeError(f"{name!r} cannot be the name of a file")
    return name, _share(share)


def _index(text: str) -> str:
    if format_of(text) or os.sep in text or glob.has_magic(text) or text == "-":  # a file after `--index` without value
        raise ArgumentTypeError(f"{text!r} looks like a file; put the files before --index")
    return text


def _value(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is not JSON")
