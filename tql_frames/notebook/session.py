"""Answer the messages of the widget; slow work runs in threads, and only the latest result of each kind is sent.

`widget` connects a session to a browser. Messages are checked: a malformed message is answered with an error and never
raises.
"""

from __future__ import annotations

import asyncio
import math
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import polars as pl

from tql_frames import api
from tql_frames.analysis import Balance, LabelColumns
from tql_frames.analysis.report import Expectations
from tql_frames.errors import TQLError, TQLWarning
from tql_frames.frames import RowView, is_pandas, kept_frame_of, unwrapped
from tql_frames.language import is_statement
from tql_frames.notebook.checking import arms_of, fault_as_json, fault_of, words_of, words_of_labels
from tql_frames.notebook.labels import as_sent, choice_name, columns_of_labels, drawn, expected, head_of, texts_of
from tql_frames.pipeline.draw import seed_from, size_from
from tql_frames.views.create import view_of
from tql_frames.views.drawn_view import View

Message = dict[str, Any]

MOST_ROWS = 60  # rows sent at a time
MOST_COLUMNS = 60

_LONG = 80  # greatest number of characters of a cell
_ITEMS = 6  # greatest number of items shown of a list


def _shown(frame: object) -> Any:
    """Return a frame as a Polars or pandas DataFrame, which the page shows.

    Raises:
        TQLError: it is not a frame, or it is lazy.
    """
    source = unwrapped(kept_frame_of(frame))
    if source.is_lazy:
        raise TQLError("expected the frame to be a DataFrame, got a LazyFrame", hint="collect it first")
    native = source.native
    if isinstance(native, pl.DataFrame) or is_pandas(native):
        return native
    return RowView(source, lambda: np.arange(source.rows)).everything()


def columns_of(view: View[Any]) -> list[str]:
    """Return the column titles: index levels first, then columns."""
    return _table(view, 0, 0)[0]


def row_preview(view: View[Any], start: int, count: int) -> list[list[str | None]]:
    """Return the texts of the cells of some rows, the index first; None for null. At most `MOST_ROWS` rows.

    Examples:
        >>> view = pl.DataFrame({"age": [71, None], "tags": [["a"], []]}).tql.view("1", 4, seed=2)
        >>> columns_of(view), row_preview(view, 1, 2)
        (['index', 'age', 'tags'], [['1', None, '[]'], ['0', '71', '[a]']])
    """
    start = min(max(start, 0), len(view))
    columns = _table(view, start, min(start + min(max(count, 0), MOST_ROWS), len(view)))[1]
    return [[cell_text(cell) for cell in row] for row in zip(*columns, strict=True)]


def _table(view: View[Any], start: int, stop: int) -> tuple[list[str], list[list[Any]]]:
    taken = view[start:stop]
    if isinstance(taken, pl.DataFrame):
        shown = taken[:, :MOST_COLUMNS]
        return shown.columns, [each.to_list() for each in shown]
    assert is_pandas(taken)
    levels = [str(name) if name is not None else "index" for name in taken.index.names]
    places = range(min(taken.shape[1], MOST_COLUMNS))
    cells = [list(taken.index.get_level_values(level)) for level in range(taken.index.nlevels)]
    cells += [list(taken.iloc[:, place]) for place in places]
    return [*levels, *(str(taken.columns[place]) for place in places)], cells


def cell_text(cell: object) -> str | None:
    """Return the text of a cell, None for null; long texts and lists are shortened.

    Examples:
        >>> cell_text(0.1 + 0.2), cell_text(["a", "b"]), cell_text(list(range(100))), cell_text(None)
        ('0.3', '[a, b]', '[0, 1, 2, 3, 4, 5, … 100 items]', None)
    """
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):  # pandas nulls
        return None
    if isinstance(cell, (float, np.floating)):
        return "NaN" if math.isnan(cell) else format(float(cell), ".6g")
    if isinstance(cell, (bytes, bytearray)):
        return f"{len(cell):,} bytes"
    if isinstance(cell, (list, tuple, np.ndarray, pl.Series)):
        items = [str(cell_text(item)) for item in cell[:_ITEMS]]
        items += [f"… {len(cell):,} items"] if len(cell) > _ITEMS else []
        return f"[{', '.join(items)}]"
    if isinstance(cell, Mapping):
        return _cut(", ".join(f"{key}: {cell_text(value)}" for key, value in cell.items()))
    return _cut(str(cell))


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


Found = TypeVar("Found")


class LatestTask:
    """A thread for one kind of work, in which only the latest task counts.

    Results are delivered in the event loop of the caller, which can communicate with the notebook. If no event loop is
    running, such as in tests, work is done immediately.

    Examples:
        >>> found = []
        >>> LatestTask().start(lambda: 1 + 1, found.append)
        >>> found
        [2]
    """

    def __init__(self) -> None:
        """Create the thread pool; no thread is started yet."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tql")
        self._number = 0

    def start(self, work: Callable[[], Found], then: Callable[[Found], None]) -> None:
        """Run `work` in the thread and call `then` with its result; each is skipped once a newer task is started."""
        self._number += 1
        number = self._number
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            then(work())
            return

        def unless_late() -> Found | None:
            return work() if number == self._number else None

        def deliver(done: asyncio.Future[Found | None]) -> None:
            found = None if done.cancelled() else done.result()
            if found is not None and number == self._number:
                then(found)

        loop.run_in_executor(self._thread, unless_late).add_done_callback(deliver)


_HISTORY = 50  # greatest number of runs that are kept


class Session:
    """The state of a widget: a frame, the text in the box, and the runs so far.

    Attributes:
        rows: number of rows of the frame.
        query: the text in the box.
        view: the rows of the last run, or None.
        history: the runs, newest first: text, labels, limit, seed, replace, and number of rows.
        words: completions, which the box also colours.
        choices: names of labels, most suitable first.
        asked: the current choices on the page: labels, limit, seed and replace.

    Examples:
        >>> answers = []
        >>> session = Session(pl.DataFrame({"sex": ["F", "M", "M"]}), "", answers.append)
        >>> session.receive({"kind": "check", "id": "1", "text": "max_weight(sex = 'F': 2, true: 1)", "by": "sex"})
        >>> [answer["kind"] for answer in answers], [row["expected_share"] for row in answers[1]["labels"]]
        (['checked', 'expected'], [0.5, 0.5])
    """

    def __init__(
        self, frame: object, sampler: str, send: Callable[[Message], None], by: object = None, split: object = None
    ) -> None:
        """Find the label columns from the first rows of a frame.

        Args:
            frame: a Polars or pandas DataFrame.
            sampler: the initial text.
            send: called with each answer.
            by: the initial labels, as in `tql_frames.report`; by default the most suitable column.
            split: as in `tql_frames.report`.

        Raises:
            TQLError: the frame is not supported, the sampler is not text, or `by` names no labels.
        """
        if not isinstance(sampler, str):
            raise TQLError(f"expected a sampler as TQL text, got {type(sampler).__name__}")
        self._frame: Any = _shown(frame)
        self._source = kept_frame_of(self._frame)
        labels = self._source.scan(frozenset()).labels
        head = head_of(self._frame)
        self.rows = self._source.rows
        self._index = next((name for name in ("index", "row") if name not in labels), None)
        self._send = send
        self._expectations: dict[str, Expectations] = {}
        self._values: list[Any] = []  # labels on the page, in the order of the page
        self._checks, self._counts, self._runs, self._balances = LatestTask(), LatestTask(), LatestTask(), LatestTask()
        self._drawn = LatestTask()
        self._ran = 0  # runs so far
        self.query = sampler
        self.view: View[Any] | None = None
        self.history: list[Message] = []
        self.choices = columns_of_labels(head)
        self._own: dict[str, LabelColumns] = {}  # labels of the choice that the user named, by its name
        chosen = LabelColumns.checked(by, split)
        if chosen is not None:
            name = choice_name(chosen, self._source.schema)
            self._own[name] = chosen
            self.choices = [name, *(other for other in self.choices if other != name)]
        self.words = [*words_of(labels, head.schema), *words_of_labels(texts_of(head, self.choices, chosen))]
        self.asked: Message = {
            "by": self.choices[0] if self.choices else None,
            "limit": "",
            "seed": "",
            "replace": True,
        }

    @property
    def state(self) -> Message:
        """Everything that a newly opened page shows."""
        ran = None if self.view is None else {"rows": len(self.view), "columns": columns_of(self.view)}
        return {"text": self.query, **self.asked, "history": self.history, "ran": ran, "of": self.rows}

    def receive(self, message: Message) -> None:
        """Answer a message; a message of an unknown kind is ignored, and a malformed one is answered with an error."""
        kinds = {"check": self._check, "run": self._run, "rows": self._rows, "drawn": self._count_drawn}
        kinds["balance"] = self._balance
        kind = message.get("kind") if isinstance(message, Mapping) else None
        if isinstance(kind, str) and kind not in kinds:
            return
        try:
            if not isinstance(kind, str):
                raise TQLError("the message of the widget is malformed: it has no kind")
            asked = checked_message(message, len(self._values))
        except TQLError as fault:
            own = message if isinstance(message, Mapping) else {}
            self._answer({"kind": None, **own}, {"kind": "failed", "fault": fault_as_json(fault, None)})
        else:
            kinds[kind](asked)

    def _check(self, message: Message) -> None:
        """Answer `text`, `by`, `limit`, `seed` and `replace` of the page with `checked`, and later with `expected`.

        There is no `expected` for a text with an error, except for a `blank` page, which has no chart yet: it receives
        the labels of the frame.
        """
        self.query = str(message.get("text", ""))
        self.asked = {name: message.get(name, value) for name, value in self.asked.items()}
        text, asked = self.query, self.asked

        def check() -> Message:
            fault = fault_of(self._source, text) or _fault_of_options(asked)
            said = None if fault is None else fault_as_json(fault, text)
            return {"kind": "checked", "fault": said, "arms": arms_of(text), "statement": is_statement(text)}

        def then(answer: Message) -> None:
            self._answer(message, answer)
            if answer["kind"] == "checked" and asked["by"] is not None:
                if answer["fault"] is None:
                    self._expect(message, text, asked)
                elif message.get("blank"):
                    self._expect(message, "", {**asked, "limit": ""})

        self._checks.start(lambda: _safely(check, text), then)

    def _expect(self, message: Message, text: str, asked: Message) -> None:
        by = asked["by"]
        expectations = self._expectations.setdefault(by, Expectations(self._source, self._columns(by)))

        def expect() -> Message:
            size, _ = size_from(_number(asked["limit"], "limit"), None)
            report = expected(self._source, expectations, self._columns(by), text, size, replace=bool(asked["replace"]))
            values, answer = as_sent(report)
            return {"kind": "expected", "by": by, "values": values, **answer}

        def then(answer: Message) -> None:
            self._values = answer.pop("values", self._values)
            self._answer(message, answer)

        self._counts.start(lambda: _safely(expect, text), then)

    def _run(self, message: Message) -> None:
        """Answer the same fields as `_check` with `ran`, or with `failed` if there is an error.

        `ran` has the number of rows, the column titles, the seed, the history, warnings and the number of the run.
        """
        text = self.query = str(message.get("text", ""))
        asked = self.asked = {name: message.get(name, value) for name, value in self.asked.items()}
        found: list[View[Any]] = []

        def run() -> Message:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always", TQLWarning)
                found.append(self._draw(text, asked))
            notes = [str(each.message) for each in said if issubclass(each.category, TQLWarning)]
            return {"kind": "ran", "notes": notes}

        def then(answer: Message) -> None:
            if answer["kind"] == "ran":
                self.view = found[0]
                seed = str(self.view.seed)  # as text, since JavaScript would round it
                entry = {"text": text, **asked, "seed": seed, "rows": len(self.view)}
                self.history = [entry, *self.history][:_HISTORY]
                columns = columns_of(self.view)
                self._ran += 1
                answer |= {"rows": len(self.view), "columns": columns, "seed": seed, "history": self.history}
                answer["runs"] = self._ran
                every = len(self._source.scan(frozenset()).labels)
                answer["notes"] += [f"{MOST_COLUMNS} of {every} columns are shown"] if every > MOST_COLUMNS else []
            self._answer(message, answer)

        self._runs.start(lambda: _safely(run, text), then)

    def _draw(self, text: str, asked: Message) -> View[Any]:
        statement = is_statement(text)  # which has its own number of rows and replacement
        return view_of(
            self._frame,
            text,
            limit=None if statement else _number(asked["limit"], "limit"),
            replace=statement or bool(asked["replace"]),
            seed=_number(asked["seed"], "seed"),
            index=self._index if isinstance(self._frame, pl.DataFrame) else "index",
            ignore_index=False,
            parameters=None,
        )

    def _rows(self, message: Message) -> None:
        """Answer `start` and `count` with `rows`: the texts of the cells of these rows of the last run."""
        if self.view is not None:
            start, count = message["start"], message["count"]
            self._answer(message, {"kind": "rows", "start": start, "rows": row_preview(self.view, start, count)})

    def _count_drawn(self, message: Message) -> None:
        """Answer `by` with `drawn`: the number and share of the rows of each label in the last run."""
        found, by = self.view, message.get("by")
        if found is None or by is None:
            return

        def count() -> Message:
            return {"kind": "drawn", "by": by, "labels": drawn(found, self._columns(by))}

        self._drawn.start(lambda: _safely(count, None), lambda answer: self._answer(message, answer))

    def _balance(self, message: Message) -> None:
        """Answer `by`, `targets`, `keep` and `most` with `balanced`: a sampler and a note.

        `targets` are pairs of the number of a label and its share of the sample, `keep` are numbers of labels, and
        `most` is the greatest weight. The size of the sample is the limit on the page.
        """
        by, most, text = message.get("by"), message.get("most"), self.query
        values, asked = self._values, self.asked
        target = {values[place]: share for place, share in message.get("targets", [])}
        keep = [values[place] for place in message.get("keep", [])]

        def balance() -> Message:
            if by is None:
                raise TQLError("there is no column of labels to balance")
            if is_statement(text):
                hint = "clear the box, press Balance, and write the sampler after the SAMPLE BY of the statement"
                raise TQLError("Balance would replace the statement by a sampler", hint=hint)
            columns = self._columns(by)
            found = api.balance(
                self._frame,
                columns.by,
                target or "uniform",
                split=columns.separator,
                keep=keep,
                max_weight=most,
                limit=_number(asked["limit"], "limit"),
                replace=asked["replace"],
            )
            return {"kind": "balanced", "text": found.sampler, "note": _price(found, self.rows)}

        self._balances.start(lambda: _safely(balance, None), lambda answer: self._answer(message, answer))

    def _columns(self, by: str) -> LabelColumns:
        """Return the labels of a choice by its name."""
        return self._own.get(by) or LabelColumns(by)

    def _answer(self, message: Message, answer: Message) -> None:
        self._send({"to": message["kind"], "id": message.get("id"), **answer})


def _safely(work: Callable[[], Message], text: str | None) -> Message:
    """Return the result of work, or a `failed` answer if it raises, since errors in a thread are not seen otherwise."""
    try:
        return work()
    except TQLError as fault:
        return {"kind": "failed", "fault": fault_as_json(fault, text)}
    except Exception as fault:
        return {"kind": "failed", "fault": fault_as_json(TQLError(f"{type(fault).__name__}: {str(fault)[:300]}"), text)}


def _fault_of_options(asked: Message) -> TQLError | None:
    try:
        size_from(_number(asked["limit"], "limit"), None)
        seed_from(_number(asked["seed"], "seed"))
    except TQLError as fault:
        return fault
    return None


def _number(text: object, name: str) -> int | None:
    """Return a whole number from the text that was typed; None if it is empty."""
    plain = str(text if text is not None else "").replace(",", "").replace("_", "").replace(" ", "")
    if not plain:
        return None
    if not plain.isdecimal():
        raise TQLError(f"expected {name} to be a whole number of at least 0, got {str(text)!r}")
    return int(plain)


def _price(balance: Balance[Any], rows: int) -> str:
    """Return a note on the cost of the weights, and on up to three labels whose shares are off the target."""
    price = balance.price
    note = f"effective sample size {price.effective_rows / rows:.1%} of the rows, "
    what = "weight" if balance.replace else "probability"
    note += f"greatest {what} {price.greatest:.3g} times the mean"
    reasons = pl.DataFrame(balance.labels).select("label", "reason").drop_nulls("reason").head(3)
    return "; ".join([note, *(f"{label}: {reason}" for label, reason in reasons.iter_rows())])


def checked_message(message: Mapping[str, Any], labels: int) -> Message:
    """Return a message of a known kind with checked values; negative numbers of rows are raised to 0.

    Args:
        message: the message as received.
        labels: number of labels on the page; `targets` and `keep` contain numbers of these labels.

    Raises:
        TQLError: a value has the wrong type, or there is no label with this number.

    Examples:
        >>> checked_message({"kind": "rows", "start": -3, "count": -1}, 0)
        {'kind': 'rows', 'start': 0, 'count': 0}
    """
    found = dict(message)
    for name, read in _READ.items():
        if name in found:
            found[name] = read(name, found[name])
    if found["kind"] == "rows":
        found.setdefault("start", 0)
        found.setdefault("count", 0)
    found_targets, keep = found.get("targets", []), found.get("keep", [])
    wrong = [place for place in [*(place for place, _ in found_targets), *keep] if not 0 <= place < labels]
    if wrong:
        raise _malformed("targets" if found_targets else "keep", f"label {wrong[0]} of {labels}")
    return found


def _of(kind: type[Found]) -> Callable[[str, object], Found]:
    """Return a function that checks the type of a value; a Boolean is not a number."""

    def read(name: str, value: object) -> Found:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _malformed(name, value)
        return value

    return read


_text, _flag, _place = _of(str), _of(bool), _of(int)


def _name(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _typed(name: str, value: object) -> str:
    """Return the text of a number that was typed; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise _malformed(name, value)
    return str(value)


def _whole(name: str, value: object) -> int:
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    return max(_place(name, value), 0)


def _finite(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _malformed(name, value)
    return value


def _targets(name: str, value: object) -> list[tuple[int, float]]:
    if not isinstance(value, list):
        raise _malformed(name, value)
    found = []
    for pair in value:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise _malformed(name, pair)
        place, share = _place(name, pair[0]), _finite(name, pair[1])
        if share is None:
            raise _malformed(name, pair)
        found.append((place, share))
    return found


def _places(name: str, value: object) -> list[int]:
    if not isinstance(value, list):
        raise _malformed(name, value)
    return [_place(name, place) for place in value]


_READ = {
    "text": _text,
    "by": _name,
    "limit": _typed,
    "seed": _typed,
    "replace": _flag,
    "start": _whole,
    "count": _whole,
    "most": _finite,
    "targets": _targets,
    "keep": _places,
}


def _malformed(name: str, value: object) -> TQLError:
    shown = value if isinstance(value, str) else repr(value)
    return TQLError(f"the message of the widget is malformed: {name} is {shown[:80]}")
