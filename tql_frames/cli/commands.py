"""Define the sub-commands: their arguments, and their work on files.

To add one, write a similar class and add it to `COMMANDS`. `running` starts and ends a command.
"""

from __future__ import annotations

import glob
import json
import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Protocol

import polars as pl

import tql_frames
from tql_frames import api
from tql_frames.cli import arguments
from tql_frames.cli.formats import Format, Reading
from tql_frames.cli.inputs import Inputs
from tql_frames.cli.output import OutputFile, Temporaries, WholeFile, output_for
from tql_frames.cli.terminal import CommandError, Progress, reason_of
from tql_frames.frames import reporting
from tql_frames.views.create import parts_as_they_stand, rows_as_they_stand

_NAMED = re.compile(r"([A-Za-z_]\w*)=(.+)", re.DOTALL)
_MOST_FOLDS = 500  # files that are open at the same time
_NOT_NAMES = {"text", "parameters", "seed", "index"}  # arguments of `tql_frames.query`; other keywords are frames


class Job:
    """The files and the progress of a sub-command.

    Attributes:
        progress: called with the phase, the rows done and the number of all rows.
        inputs: inputs that were opened so far, to find out which file is broken.
    """

    def __init__(self, options: Namespace, progress: Progress, temporaries: Temporaries) -> None:
        """Begin without open files."""
        self.progress = progress
        self.inputs: list[Inputs] = []
        self._options = options
        self._temporaries = temporaries

    def find(self, names: Sequence[str]) -> Inputs:
        """Return the files of one table; none is opened."""
        options = self._options
        reading = Reading(
            options.infer_rows,
            options.delimiter,
            tuple(options.null_values or ()),
            options.header,
            options.types or {},
            options.text_columns,
        )
        found = Inputs(names, options.input_format, reading, self._temporaries)
        self.inputs.append(found)
        return found

    def part(self, name: str, form: Format) -> WholeFile:
        """Return the file for one of several results; all inputs must have been found before."""
        files = [file for each in self.inputs for file in each.files]
        return WholeFile(name, form, self._temporaries, files, replace=self._options.force)

    def output(self) -> OutputFile:
        """Return the output for the result; all inputs must have been found before."""
        options = self._options
        files = [file for each in self.inputs for file in each.files]
        output = output_for(options.output, options.output_format, self._temporaries, files, replace=options.force)
        if output.on_terminal:
            self.progress.hide()
        return output


class SampleCommand:
    """Draw rows by weight."""

    name = "sample"
    summary = "Draw rows of a table by weight."
    examples = """\
  tql-frames sample "max_weight(contains(findings, 'Hernia'): 20, True: 1)" xrays.parquet -o balanced.parquet
  tql-frames sample "max_weight(age > 60: 5, True: 1)" 'scans/*.csv.gz' --limit 100000 --seed 7 -o sample.csv
  tql-frames sample 1 xrays.parquet --over view --limit 500 --no-replace -o even.parquet
  tql-frames sample 1 xrays.parquet --unit patient_id --limit 100 --no-replace -o patients.parquet
  tql-frames sample weight table/ --fraction 0.1 --no-replace --index=row -o tenth.parquet
  zcat log.ndjson.gz | tql-frames sample "max_weight(status >= 500: 50, True: 1)" - --input-format ndjson | head
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add sampler, files, and the arguments of `tql_frames.sample`."""
        parser.add_argument("sampler", metavar="SAMPLER", help="TQL of the weight of a row, or the name of a column")
        arguments.add_inputs(parser)
        arguments.add_output(parser)
        arguments.add_size(parser)
        arguments.add_parameters(parser)
        arguments.add_seed(parser)
        arguments.add_split(parser)

    def run(self, options: Namespace, job: Job) -> str:
        """Draw rows, and write them."""
        inputs = job.find(options.inputs)
        with job.output() as output:
            output.as_read(inputs.reading)
            names = ("fraction", "replace", "seed", "order", "over", "unit", "design", "key", "index", "parameters")
            sized: dict[str, Any] = {name: getattr(options, name) for name in names}
            limit = dict(options.quotas) if options.quotas else options.limit
            frame, text = inputs.frame(), inputs.as_text() if output.cells else None
            weighed = _split(frame, options.split)
            rows = frame if text is None else text
            with reporting(job.progress):
                if weighed is rows:
                    plan = tql_frames.sample(frame, options.sampler, limit, **sized)
                else:  # types and lists are only for weighing
                    plan = rows_as_they_stand(weighed, rows, options.sampler, limit=limit, **sized)
                if text is None:
                    plan = _typed(plan, [inputs], output)
            return output.write(plan)


class QueryCommand:
    """Run a statement."""

    name = "query"
    summary = "Run a TQL statement on one table, or on several by name."
    examples = """\
  tql-frames query "select image, age where age > ? sample by max_weight(age > 80: 5, True: 1) limit 1000" \\
      xrays.parquet --parameter 60 --seed 7 -o old.parquet
  tql-frames query "select ward, image from xrays join wards using (view)" xrays=xrays.parquet wards=wards.csv
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add statement, files, and the arguments of `tql_frames.query`."""
        parser.add_argument("text", metavar="STATEMENT", help="TQL that begins with SELECT")
        arguments.add_inputs(
            parser,
            "[NAME=]FILE",
            "files to read: as one table, or with names as several, for FROM and JOIN",
        )
        arguments.add_output(parser)
        arguments.add_parameters(parser)
        arguments.add_seed(parser)

    def run(self, options: Namespace, job: Job) -> str:
        """Run the statement, and write its result."""
        tables = {name: job.find(files) for name, files in _by_name(options.inputs).items()}
        given: dict[str, Any] = {name: getattr(options, name) for name in ("parameters", "seed", "index")}
        with job.output() as output, reporting(job.progress):
            frames = {name: inputs.frame() for name, inputs in tables.items()}
            one = next(iter(tables.values()))
            output.as_read(one.reading)
            text = one.as_text() if None in frames and output.cells else None
            plan = None
            if text is not None:
                with suppress(tql_frames.TQLUnsupportedError):  # the statement computes new values
                    plan = rows_as_they_stand(frames[None], text, options.text, **given)
            if plan is not None:
                return output.write(plan)
            if None in frames:
                plan = api.query_frame(frames[None], options.text, **given)
            else:
                named: dict[str, Any] = {str(name): frame for name, frame in frames.items()}
                plan = tql_frames.query(options.text, **given, **named)
            return output.write(_typed(plan, list(tables.values()), output))


class Explain:
    """Explain a sampler or a statement."""

    name = "explain"
    summary = "Describe what a sampler or a statement does to a table, before anything is drawn."
    examples = """\
  tql-frames explain "max_weight(contains(findings, 'Hernia'): 20, True: 1)" xrays.parquet
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add text and files."""
        parser.add_argument("text", metavar="TEXT", help="a sampler, or a statement on one table")
        arguments.add_inputs(parser)
        arguments.add_parameters(parser)
        arguments.add_seed(parser, arguments.OF_RANDOM)
        arguments.add_split(parser)

    def run(self, options: Namespace, job: Job) -> str:
        """Return the explanation."""
        frame = _split(job.find(options.inputs).frame(), options.split)
        return f"{tql_frames.explain(frame, options.text, options.parameters, seed=options.seed)}\n"


class ReportCommand:
    """Report how often labels are drawn."""

    name = "report"
    summary = "Report how often each label of a column occurs in a table, and in a sample."
    examples = """\
  tql-frames report "max_weight(contains(findings, 'Hernia'): 20, True: 1)" xrays.parquet --by findings
  tql-frames report weight xrays.parquet --by findings --limit 5000 --no-replace --design systematic
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add sampler, files, and the column of labels."""
        parser.add_argument("sampler", metavar="SAMPLER", help="TQL of the weight of a row, or the name of a column")
        arguments.add_inputs(parser)
        arguments.add_labels(parser)
        arguments.add_groups(parser)
        arguments.add_parameters(parser)
        arguments.add_seed(parser, arguments.OF_RANDOM)
        arguments.add_split(parser, "[COLUMN=]SEPARATOR", "; without a name, that of --by")

    def run(self, options: Namespace, job: Job) -> str:
        """Return a table of the labels."""
        by = _labels(options.by)
        frame = _split(job.find(options.inputs).frame(), options.split, by)
        found = tql_frames.report(
            frame,
            options.sampler,
            dict(options.quotas) if options.quotas else options.limit,
            by=by,
            fraction=options.fraction,
            replace=options.replace,
            over=options.over,
            unit=options.unit,
            design=options.design,
            parameters=options.parameters,
            seed=options.seed,
        )
        return _json(found.to_dict()) if options.json else f"{found}\n"


class BalanceCommand:
    """Find the sampler for wanted shares of labels."""

    name = "balance"
    summary = "Compute a sampler for wanted shares of labels, and its cost."
    examples = """\
  tql-frames balance xrays.parquet --by findings
  tql-frames balance xrays.csv --by findings --split '|' --target Hernia=0.05 --keep Edema --max-weight 30
  tql-frames balance xrays.parquet --by findings --target Hernia=0.03 --limit 5000 --no-replace
  tql-frames balance xrays.parquet --by findings --json > balance.json
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add files, the column of labels, and the arguments of `tql_frames.balance`."""
        arguments.add_inputs(parser)
        arguments.add_labels(parser)
        arguments.add_balance(parser)
        arguments.add_draws(parser)
        arguments.add_parameters(parser)
        arguments.add_split(parser, "[COLUMN=]SEPARATOR", "; without a name, that of --by")

    def run(self, options: Namespace, job: Job) -> str:
        """Return the sampler, its labels, and its price."""
        by = _labels(options.by)
        frame = _split(job.find(options.inputs).frame(), options.split, by)
        found = tql_frames.balance(
            frame,
            by,
            dict(options.targets) if options.targets else "uniform",
            keep=options.keep,
            max_weight=options.max_weight,
            method=options.method,
            limit=options.limit,
            fraction=options.fraction,
            replace=options.replace,
            design=options.design,
            parameters=options.parameters,
        )
        return _json(found.to_dict()) if options.json else f"{found}\n"


class SplitCommand:
    """Split a table into files."""

    name = "split"
    summary = "Split a table into parts of whole units, with labels in proportion: a file for each part."
    examples = """\
  tql-frames split xrays.parquet --into train=0.8 val=0.1 test=0.1 --unit patient_id --by findings --out-dir parts
  tql-frames split xrays.csv --folds 5 --unit patient_id --by findings --split '|' --seed 7 --out-dir folds
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add files, and the arguments of `tql_frames.split`."""
        arguments.add_inputs(parser)
        arguments.add_parts(parser)
        arguments.add_seed(parser, "fix the parts; by default every run makes other parts")
        arguments.add_split(parser, "[COLUMN=]SEPARATOR", "; without a name, that of --by")

    def run(self, options: Namespace, job: Job) -> str:
        """Split the rows, write the parts, and return the report; files appear once all are complete."""
        inputs = job.find(options.inputs)
        form = options.output_format or inputs.form
        if options.folds is None:
            shares = dict(options.into)
            if len(shares) < len(options.into):
                raise CommandError("--into names a part twice", status=2)
        names = {name: name for name in shares} if options.folds is None else _fold_names(options.folds)
        with ExitStack() as stack:
            stack.enter_context(_folder(options.out_dir))
            files = {
                part: stack.enter_context(job.part(os.path.join(options.out_dir, f"{name}{form.suffixes[0]}"), form))
                for part, name in names.items()
            }
            for each in files.values():
                each.as_read(inputs.reading)
            frame, text = inputs.frame(), inputs.as_text() if form.cells else None
            rows = _typed(frame, [inputs], next(iter(files.values()))) if text is None else text
            by = options.by or []
            with reporting(job.progress):
                parts = parts_as_they_stand(
                    _split(frame, options.split, by[0] if len(by) == 1 else None),
                    rows,
                    shares if options.folds is None else None,
                    folds=options.folds,
                    unit=options.unit,
                    by=options.by,
                    key=options.key,
                    seed=options.seed,
                    index=options.index,
                )
                for part, file in files.items():
                    file.fill(parts[part])
            for file in files.values():
                file.publish()
        report = parts.report()
        return _json(report.to_dict()) if options.json else f"{report}\n"


class RunnableCommand(arguments.Command, Protocol):
    """A sub-command."""

    def run(self, options: Namespace, job: Job) -> str:
        """Run the command; return the text to print."""
        ...


COMMANDS: tuple[RunnableCommand, ...] = (
    SampleCommand(),
    QueryCommand(),
    Explain(),
    ReportCommand(),
    BalanceCommand(),
    SplitCommand(),
)


def _fold_names(folds: int) -> dict[int, str]:
    """Return the names of the files of folds."""
    if not 2 <= folds <= _MOST_FOLDS:
        raise CommandError(f"expected --folds to be a number from 2 to {_MOST_FOLDS:,}, got {folds:,}", status=2)
    return {fold: f"fold_{fold}" for fold in range(folds)}


@contextmanager
def _folder(path: str) -> Iterator[None]:
    """Create a folder and its parents; new folders are removed if the work fails before they hold a file."""
    made, above = [], os.path.abspath(path)
    while not os.path.lexists(above):
        made.append(above)
        above = os.path.dirname(above)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as fault:
        raise CommandError(f"cannot make the folder {path}: {reason_of(fault)}") from None
    try:
        yield
    except BaseException:
        for each in made:
            with suppress(OSError):  # it holds files
                os.rmdir(each)
        raise


def _json(values: object) -> str:
    return f"{json.dumps(values, indent=2, ensure_ascii=False)}\n"


def _typed(plan: pl.LazyFrame, tables: Sequence[Inputs], output: OutputFile) -> pl.LazyFrame:
    """Return a plan with typed columns; empty columns of CSV are text, as in other samples of the table.

    Raises:
        CommandError: numbers that begin with a zero would lose the zero.
    """
    if not any(each.form.cells for each in tables):
        return plan
    schema = plan.clone().collect_schema()
    for table in tables:
        table.check_codes([name for name, dtype in schema.items() if dtype.is_numeric()])
    return plan if output.cells else plan.with_columns(pl.col(pl.Null).cast(pl.String))


def _labels(by: Sequence[str]) -> str | Sequence[str]:
    """Return the column of labels, or the columns of one label each."""
    return by[0] if len(by) == 1 else by


def _split(
    frame: pl.LazyFrame, split: tuple[str | None, str] | None, by: str | Sequence[str] | None = None
) -> pl.LazyFrame:
    """Return a frame whose column of texts is split into lists of labels; an empty text has no label."""
    if split is None:
        return frame
    name, separator = split[0] or (by if isinstance(by, str) else None), split[1]
    if name is None:
        raise CommandError(f"--split needs the name of a column here: --split 'COLUMN={separator}'", status=2)
    dtype = frame.clone().collect_schema().get(name)
    if dtype is None:
        raise CommandError(f"--split names no column of the table: {name!r}")
    if dtype == pl.Null:
        return frame
    if dtype != pl.String:
        raise CommandError(f"--split is for a column of text; {name!r} is {dtype}")
    labels = pl.col(name).str.split(separator).list.eval(pl.element().str.strip_chars().filter(pl.element() != ""))
    return frame.with_columns(labels)


def _by_name(inputs: Sequence[str]) -> dict[str | None, list[str]]:
    """Return files by the name of their table, or None for files without a name."""
    tables: dict[str | None, list[str]] = {}
    for each in inputs:
        named = None if os.path.exists(each) or glob.glob(each) else _NAMED.fullmatch(each)  # a file may be called a=b
        name, file = (named[1], named[2]) if named else (None, each)
        tables.setdefault(name, []).append(file)
    if None in tables and len(tables) > 1:
        raise CommandError(f"give all files a name, or none: {tables[None][0]} has none", status=2)
    for name in tables:
        if name in _NOT_NAMES:
            raise CommandError(f"a table cannot be called {name!r} here; choose another name", status=2)
    return tables
