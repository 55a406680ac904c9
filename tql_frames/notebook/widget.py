"""Connect a session to a browser by anywidget, with the scripts and styles of the page.

`session` answers messages, and `static` has the scripts and styles. The scripts are several files, which are joined
here to one module for the browser; they load nothing from the network.
"""

from __future__ import annotations

import threading
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from tql_frames.analysis.display.plot import COLOURS
from tql_frames.language import parse, parse_statement
from tql_frames.notebook.session import Session

if TYPE_CHECKING:
    from tql_frames.views import View

_SCRIPTS = ("elements", "language", "completion", "editor", "sliders", "chart", "rows", "history", "explore")
_STYLES = ("explore", "chart", "rows")


def _static(names: tuple[str, ...], ending: str) -> str:
    folder = files("tql_frames.notebook") / "static"
    return "\n".join((folder / f"{name}.{ending}").read_text(encoding="utf-8") for name in names)


def _read_grammar() -> None:
    # Loading the grammar would delay the answer to the first key stroke.
    parse("1")
    parse_statement("select *")


class Explore(anywidget.AnyWidget):
    """A widget to explore samplers on a frame, created by `df.tql.explore()`; see `tql_frames.explore`.

    Attributes:
        query: the text in the box; `observe` reports its changes.
        view: the rows of the last run, or None before the first run; `observe` reports each run.
        runs: number of the last run that the page has received. The page sets it, so that marimo reruns the cells that
            use the widget.
    """

    _esm: ClassVar[str] = _static(_SCRIPTS, "js")
    _css: ClassVar[str] = _static(_STYLES, "css")
    _known = traitlets.Dict().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)
    query = traitlets.Unicode(read_only=True).tag(sync=True)
    # Not synced, as a View cannot be sent to the page.
    view: traitlets.TraitType[View[Any] | None, View[Any] | None] = traitlets.Any(None, allow_none=True, read_only=True)
    runs = traitlets.Int(0).tag(sync=True)

    def __init__(self, frame: object, sampler: str = "", by: object = None, split: object = None) -> None:
        """Create the session; arguments as in `tql_frames.explore`."""
        session = Session(frame, sampler, self._deliver, by, split)
        known = {"words": session.words, "choices": session.choices, "colours": COLOURS}
        super().__init__(_known=known, _state=session.state)
        self._session = session
        self.set_trait("query", session.query)
        threading.Thread(target=_read_grammar, daemon=True).start()
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        """Return what stands in place of the widget where it cannot run."""
        return f"Explore({self._session.rows:,} rows, {self.query!r})"

    def _receive(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        self._session.receive(message)
        self.set_trait("query", self._session.query)

    def _deliver(self, answer: dict[str, Any]) -> None:
        if answer["kind"] == "ran":  # before the page receives it and lets other cells run
            self.set_trait("view", self._session.view)
        self.send(answer)
        last = answer["kind"] in ("expected", "failed", "ran") or answer.get("fault") is not None
        if last:  # of the answers to a message, so that no answer is delayed; the state is for pages opened later
            self._state = self._session.state
