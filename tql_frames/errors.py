"""Define the errors of tql-frames, and draw the carets that show where in the text an error is.

It depends on spans and plain text only; the code that finds an error describes it.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import unicodedata
import warnings
from collections.abc import Iterable
from importlib import import_module
from numbers import Number
from types import FrameType
from typing import NamedTuple

_EXCERPT = 60  # characters to show on either side of the error in a long line
_QUOTED = 80  # characters of a name or text that a message repeats
# Quotes inside words, such as apostrophes, do not count.
_LONG_QUOTE = re.compile(rf"""(?<!\w)('[^'\n]{{{_QUOTED + 1},}}'|"[^"\n]{{{_QUOTED + 1},}}")(?!\w)""")
_LONG_WORD = re.compile(rf"\w{{{_QUOTED + 1},}}")
_LIBRARIES = ("tql_frames", "polars", "pandas", "functools", "importlib")


class Span(NamedTuple):
    """A half-open range of characters, `source[start:stop]`.

    Examples:
        >>> span = Span(0, 4)
        >>> "agee > 60"[span.start : span.stop]
        'agee'
    """

    start: int
    stop: int


class TQLError(ValueError):
    """Error in a sampler or statement, its arguments, or the rows.

    Attributes:
        message: one sentence that describes the error.
        source: the TQL text, or None if the error is not in a text.
        span: the wrong characters of `source`, or None.
        hint: an instruction that corrects the error, or None.

    Examples:
        >>> hint = "did you mean 'age'?"
        >>> print(TQLNameError("unknown column 'agee'", source="agee > 60", span=Span(0, 4), hint=hint))
        unknown column 'agee'
          line 1, column 1
            agee > 60
            ^^^^
          did you mean 'age'?
    """

    __module__ = "tql_frames"
    nulls_known = False  # for a column that cannot be read: whether it is known which of its values are null

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        span: Span | None = None,
        hint: str | None = None,
    ) -> None:
        """Build the error; its text is composed when it is printed."""
        message = shortened(message)
        super().__init__(message)
        self.message = message
        self.source = source
        self.span = span
        self.hint = None if hint is None else shortened(hint)

    def __reduce__(self) -> tuple[object, ...]:
        # The default would pickle only the message and lose the span between processes.
        return (_rebuild, (type(self), self.message, self.source, self.span, self.hint))

    @property
    def line(self) -> int | None:
        """1-based line of the error, or None.

        Examples:
            >>> TQLError("unknown column 'agee'", source="age > 60 and agee < 80", span=Span(13, 17)).line
            1
        """
        if self.source is None or self.span is None:
            return None
        return self.source.count("\n", 0, self.span.start) + 1

    @property
    def column(self) -> int | None:
        """1-based column of the error, in characters, or None.

        Examples:
            >>> TQLError("unknown column 'agee'", source="age > 60 and agee < 80", span=Span(13, 17)).column
            14
        """
        if self.source is None or self.span is None:
            return None
        return self.span.start - (self.source.rfind("\n", 0, self.span.start) + 1) + 1

    def __str__(self) -> str:
        parts = [self.message]
        if self.source is not None and self.span is not None:
            parts.append(f"  line {self.line}, column {self.column}")
            parts += [f"    {row}" for row in _draw_carets(self.source, self.span)]
        if self.hint:
            parts.append(f"  {self.hint}")
        # A lone surrogate could not be printed.
        return "\n".join(parts).encode("utf-8", "backslashreplace").decode()


class TQLSyntaxError(TQLError):
    """Error for a text that is not TQL.

    Examples:
        >>> import polars as pl
        >>> import tql_frames
        >>> pl.DataFrame({"age": [71, 34]}).tql.sample("max_weight(age > 60 5)")
        Traceback (most recent call last):
        tql_frames.TQLSyntaxError: unexpected '5'...
    """

    __module__ = "tql_frames"


class TQLNameError(TQLError):
    """Error for a column, function or key that does not exist.

    Examples:
        >>> import polars as pl
        >>> import tql_frames
        >>> pl.DataFrame({"age": [71, 34]}).tql.sample("agee")
        Traceback (most recent call last):
        tql_frames.TQLNameError: unknown column 'agee'...
    """

    __module__ = "tql_frames"


class TQLTypeError(TQLError):
    """Error for values of a type that the expression cannot use, such as text compared with a number.

    Examples:
        >>> import polars as pl
        >>> import tql_frames
        >>> pl.DataFrame({"age": [71, 34]}).tql.sample("age = 'old'")
        Traceback (most recent call last):
        tql_frames.TQLTypeError: cannot compare a number with text...
    """

    __module__ = "tql_frames"


class TQLUnsupportedError(TQLError):
    """Error for valid TQL that tql-frames does not support.

    Examples:
        >>> import polars as pl
        >>> import tql_frames
        >>> pl.DataFrame({"age": [71, 34]}).tql.sample("case when age > 60 then 2 else 1 end")
        Traceback (most recent call last):
        tql_frames.TQLUnsupportedError: CASE is not supported...
    """

    __module__ = "tql_frames"


class WeightError(TQLError):
    """Error for weights that are negative, NaN or infinite, or that are all 0.

    Examples:
        >>> import polars as pl
        >>> import tql_frames
        >>> pl.DataFrame({"age": [71, 34]}).tql.sample("60 - age")
        Traceback (most recent call last):
        tql_frames.WeightError: the sampler returns a negative weight in row 0 (-11)...
    """

    __module__ = "tql_frames"


class Fault(Exception):  # noqa: N818 - never seen by a user: it becomes a TQLError once the source is available
    """An error in code that does not have the source text: its span and message."""

    def __init__(self, kind: type[TQLError], message: str, span: Span, hint: str | None = None) -> None:
        """Store the arguments of `error`."""
        super().__init__(message)
        self.kind, self.message, self.span, self.hint = kind, message, span, hint

    def error(self, source: str) -> TQLError:
        """Return the error to raise instead."""
        return self.kind(self.message, source=source, span=self.span, hint=self.hint)


class TQLWarning(UserWarning):
    """Warning about a sample that is valid but may be unexpected.

    Examples:
        >>> import warnings
        >>> import polars as pl
        >>> import tql_frames
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     drawn = pl.DataFrame({"w": [0, 1]}).tql.sample("w", limit=2, replace=False)
        >>> drawn.height, caught[0].category.__name__
        (1, 'TQLWarning')
    """

    __module__ = "tql_frames"


class TQLArmWarning(TQLWarning):
    """Warning about an arm without effect: it matches no row, or another arm always has at least its weight.

    Attributes:
        message: one sentence that describes the arm.
        source: the TQL text.
        span: the characters of the arm in `source`.
        hint: an instruction that corrects it, or None.

    Examples:
        >>> import warnings
        >>> warnings.simplefilter("ignore", TQLArmWarning)  # samplers for tables that hold a part of the labels
    """

    __module__ = "tql_frames"

    def __init__(
        self, message: str, *, source: str | None = None, span: Span | None = None, hint: str | None = None
    ) -> None:
        """Build the warning; its text is composed when it is printed."""
        super().__init__(message)
        self.message, self.source, self.span, self.hint = message, source, span, hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.source, self.span, self.hint))

    def __str__(self) -> str:
        return str(TQLError(self.message, source=self.source, span=self.span, hint=self.hint))


Place = tuple[str, int]
"""A line of a program: file and number."""


def caller() -> Place | None:
    """Return the line of the first caller outside the libraries; None in a thread that a library started."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def warn(warning: TQLWarning, place: Place | None = None) -> None:
    """Issue a warning that points at the caller's line; in a thread that a library started, at `place`."""
    level, frame = 1, sys._getframe(0)
    while frame is not None and _is_ours(frame):
        frame = frame.f_back  # type: ignore[assignment]
        # `warnings` does not count the frames of imports.
        level += frame is None or not frame.f_code.co_filename.startswith("<frozen importlib")
    if frame is None and place is not None:
        warnings.warn_explicit(warning, None, *place)
    else:
        warnings.warn(warning, stacklevel=2 if frame is None else level)


def _is_ours(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").split(".")[0] in _LIBRARIES


def shown(value: object) -> str:
    """Return a value of a caller for a message: a shortened text, the `repr` of a short value, else its type.

    Examples:
        >>> shown("x" * 100), shown(2.5), shown([[0] * 100])
        ("'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'", '2.5', 'list')
    """
    if isinstance(value, (str, bytes)):
        return shortened(repr(value))
    plain = isinstance(value, (Number, type(None), list, tuple, dict, set))
    text = repr(value) if plain else ""
    return text if text and len(text) <= _QUOTED else type(value).__name__


def shortened(message: str) -> str:
    """Return a message in which no name or text is longer than 80 characters."""
    quotes = _LONG_QUOTE.sub(lambda found: f"{found.group()[:_QUOTED]}…{found.group()[0]}", message)
    return _LONG_WORD.sub(lambda found: f"{found.group()[: _QUOTED - 1]}…", quotes)


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """Return the hint with the candidate nearest to `name`, or None if none is near.

    Examples:
        >>> did_you_mean("finding", ["image", "findings"])
        "did you mean 'findings'?"
    """
    names = [candidate for candidate in candidates if isinstance(candidate, str)]
    same = [candidate for candidate in names if candidate.lower() == name.lower()]
    near = same or import_module("difflib").get_close_matches(name[:200], names, n=1)
    return f"did you mean '{near[0]}'?" if near else None


def lone_surrogate(text: str) -> int | None:
    """Return the position of the first lone surrogate in a text, which cannot be encoded; None if there is none."""
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        return fault.start
    return None


def reason_of(fault: BaseException) -> str:
    """Return the reason of a library's error, as the end of a sentence.

    It is the first line of the message, or the class of the error if there is no message.
    """
    return (str(fault) or type(fault).__name__).splitlines()[0][:300]


def _rebuild(
    kind: type[TQLError | TQLArmWarning], message: str, source: str | None, span: Span | None, hint: str | None
) -> TQLError | TQLArmWarning:
    return kind(message, source=source, span=span, hint=hint)


def _draw_carets(source: str, span: Span) -> tuple[str, str]:
    """Return the line of the error, cut to an excerpt if it is long, and carets under the span."""
    begin = source.rfind("\n", 0, span.start) + 1
    end = source.find("\n", span.start)
    end = len(source) if end == -1 else end
    stop = min(max(span.stop, span.start + 1), max(end, span.start + 1))
    left = begin if span.start - begin <= _EXCERPT else span.start - _EXCERPT
    stop = min(stop, span.start + 2 * _EXCERPT)
    right = end if end - stop <= _EXCERPT else stop + _EXCERPT
    before = ("…" if left > begin else "") + _printable(source[left : span.start])
    guilty = _printable(source[span.start : min(stop, end)])
    after = _printable(source[min(stop, end) : right]) + ("…" if right < end else "")
    pad = "".join(char if char == "\t" else " " * _width(char) for char in before)
    return before + guilty + after, pad + "^" * max(sum(map(_width, guilty)), 1)


def _printable(text: str) -> str:
    # A control character, such as a carriage return, would move the cursor and the carets.
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs") and c != "\t" else c for c in text
    )


def _width(char: str) -> int:
    """Return the width of a character on a terminal: 2 for East Asian wide and emoji, 0 for combining marks."""
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def end_quietly() -> None:
    """Let an interrupt end the process, if this is the command and no other handler is set."""
    begun = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    as_module = begun == "-m" and sys.orig_argv[1:3] == ["-m", "tql_frames"]
    if not as_module and begun.removesuffix(".exe") != "tql-frames":
        return
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _end)
    except ValueError:  # not in the main thread
        return


def _end(*_: object) -> None:
    try:
        os.write(2, b"tql-frames: interrupted\n")
    finally:
        os._exit(128 + signal.SIGINT)
