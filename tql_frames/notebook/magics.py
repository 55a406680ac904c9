"""Define the magics `%tql` and `%%tql`: run a statement or a sampler on a frame, similar to JupySQL's `%%sql`.

`%load_ext tql_frames` loads them; `api` runs the texts.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from tql_frames import api
from tql_frames.errors import TQLError
from tql_frames.frames import is_pandas
from tql_frames.language import is_statement

_USAGE = "%%tql frame [--out name] [--seed n], and below it a statement or a sampler"
_OPTION = re.compile(r"\s*--(?P<name>\w+)(?:\s+|=)(?P<value>\S+)")
_FRAME = re.compile(r"\s*(?P<frame>[^\W\d][\w.]*)")


@magics_class
class TQLMagics(Magics):
    """Magics of an IPython shell."""

    @no_var_expand  # braces and dollar signs are part of the text
    @line_cell_magic
    def tql(self, line: str, cell: str | None = None) -> Any:
        """Run a statement on a frame, or draw rows by a sampler.

        Use `%%tql frame [--out name] [--seed n]` with the text below, or `%tql frame [--out name] [--seed n] text`. The
        result is shown, and with `--out` it is stored in the variable `name`.
        """
        try:
            return self._run(line, cell)
        except TQLError as fault:
            message = f"{type(fault).__name__}: {fault}"
            # IPython calls this method of an error to show it; the message is shown without a traceback.
            fault._render_traceback_ = lambda *_: [message]  # type: ignore[attr-defined]
            raise

    def _run(self, line: str, cell: str | None) -> Any:
        name, options, rest = _read(line)
        text = rest if cell is None else cell
        if cell is not None and rest:
            raise TQLError(f"unexpected {rest!r} behind %%tql", hint=_USAGE)
        if not text.strip():
            raise TQLError("there is no text to run", hint=_USAGE)
        frame = self._frame(name)
        seed = options.get("seed")
        if seed is not None and not seed.isdecimal():
            raise TQLError(f"expected --seed to be a whole number of at least 0, got {seed!r}")
        out = options.get("out")
        if out is not None and not out.isidentifier():
            raise TQLError(f"expected --out to be a name, got {out!r}")
        run = api.query_frame if is_statement(text) else api.sample
        found = run(frame, text, seed=None if seed is None else int(seed))
        if out is not None:
            self._variables[out] = found
        return found

    @property
    def _variables(self) -> Any:
        assert self.shell is not None
        return self.shell.user_ns

    def _frame(self, name: str) -> Any:
        first, *attributes = name.split(".")
        if first not in self._variables:
            raise TQLError(f"there is no variable {first!r}", hint=_USAGE)
        found = self._variables[first]
        for attribute in attributes:
            if not hasattr(found, attribute):
                raise TQLError(f"{name!r} is not a variable", hint=_USAGE)
            found = getattr(found, attribute)
        if not (isinstance(found, (pl.DataFrame, pl.LazyFrame)) or is_pandas(found)):
            raise TQLError(f"expected {name!r} to be a frame, got {type(found).__name__}", hint=_USAGE)
        return found


def _read(line: str) -> tuple[str, dict[str, str], str]:
    """Return the name of the frame, the options, and the rest of a line, which is only stripped.

    Examples:
        >>> _read("df --seed 7 --out few select * where name = 'a  b'")
        ('df', {'seed': '7', 'out': 'few'}, "select * where name = 'a  b'")
    """
    frame = _FRAME.match(line)
    if frame is None:
        raise TQLError("the frame is not named", hint=_USAGE)
    options: dict[str, str] = {}
    at = frame.end()
    while option := _OPTION.match(line, at):
        if option["name"] not in ("out", "seed"):
            raise TQLError(f"unknown option --{option['name']}", hint=_USAGE)
        options[option["name"]] = option["value"]
        at = option.end()
    return frame["frame"], options, line[at:].strip()


def load(shell: Any) -> None:
    """Register the magics in a shell."""
    shell.register_magics(TQLMagics)
