"""The widget: a session, and the scripts and styles that show it; loaded where anywidget is installed.

What it does is in `session`, how it looks in `static`. The scripts are one module for the browser, in several files for
the reader: they are put together here, and fetch nothing.
"""

from __future__ import annotations

import threading
from importlib.resources import files
from typing import Any, ClassVar

import anywidget
import traitlets

from tql_frames.analysis.plot import COLOURS
from tql_frames.language import parse, parse_statement
from tql_frames.notebook.session import Session
from tql_frames.views.kept_sample import View

_SCRIPTS = ("elements", "language", "completion", "editor", "sliders", "chart", "rows", "history", "explore")
_STYLES = ("explore", "chart", "rows")


def _static(names: tuple[str, ...], ending: str) -> str:
    folder = files("tql_frames.notebook") / "static"
    return "\n".join((folder / f"{name}.{ending}").read_text(encoding="utf-8") for name in names)


def _read_grammar() -> None:
    # Which takes longer than one likes to wait for the first key stroke.
    parse("1")
    parse_statement("select *")


class Explore(anywidget.AnyWidget):
    """A frame to explore samplers on; made by `df.tql.explore()`, see `tql_frames.explore`."""

    _esm: ClassVar[str] = _static(_SCRIPTS, "js")
    _css: ClassVar[str] = _static(_STYLES, "css")
    _known = traitlets.Dict().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)

    def __init__(self, frame: object, sampler: str = "") -> None:
        """Look at the first rows of a frame, and wait for a page."""
        session = Session(frame, sampler, self._deliver)
        known = {"words": session.words, "choices": session.choices, "colours": COLOURS}
        super().__init__(_known=known, _state=session.state)
        self._session = session
        threading.Thread(target=_read_grammar, daemon=True).start()
        self.on_msg(self._receive)

    @property
    def query(self) -> str:
        """The text in the box."""
        return self._session.query

    @property
    def view(self) -> View[Any] | None:
        """The rows of the last run, or None before the first."""
        return self._session.view

    def _receive(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        self._session.receive(message)

    def _deliver(self, answer: dict[str, Any]) -> None:
        self.send(answer)
        last = answer["kind"] in ("expected", "failed", "ran") or answer.get("fault") is not None
        if last:  # of the answers to a message, so that it waits for nothing; for pages that are opened later
            self._state = self._session.state
