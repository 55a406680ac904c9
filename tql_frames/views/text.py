"""A view as people read it: lines of text, and a table for notebooks with the first of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tql_frames.language import on_one_line
from tql_frames.views.provenance import Step

_WIDTH = 80  # characters of a sampler that are shown

Line = tuple[str, str]


def lines_of(steps: Sequence[Step]) -> list[Line]:
    """Return what was done, a title and a text each.

    Example:
        >>> from tql_frames.pipeline.draw import DrawSpec
        >>> lines_of([Step("max_weight(age > 60: 5,\\n  true: 1)", "sampler", 7, draw=DrawSpec())])
        [('sampler', 'max_weight(age > 60: 5, true: 1)'),
         ('drawn', 'as many rows as there are, with replacement, in the order drawn'),
         ('seed', '7')]
    """
    lines = []
    for step in steps:
        lines.append(("sampler" if step.kind != "statement" else "statement", _shortened(step.text)))
        if step.parameters is not None:
            lines.append(("parameters", _shortened(", ".join(map(repr, step.parameters)))))
        if step.kind != "statement":
            lines.append(("drawn", step.words))
        lines.append(("seed", str(step.seed)))
    return lines


def as_text(title: str, lines: Sequence[Line]) -> str:
    """Return the title, and the lines set in below it.

    Example:
        >>> print(as_text("View of 3 rows", [("seed", "7"), ("drawn", "with replacement")]))
        View of 3 rows
          seed   7
          drawn  with replacement
    """
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join([title, *(f"  {name:{width}}  {on_one_line(text)}" for name, text in lines)])


def as_html(title: str, lines: Sequence[Line], sections: Sequence[str]) -> str:
    """Return the same for notebooks, with further sections of HTML below."""
    # The class keeps MathJax from reading dollar signs in samplers as formulas.
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in lines
    )
    table = f"<table>{rows}</table>"
    return f'<div class="tex2jax_ignore mathjax_ignore"><b>{escape(title)}</b>{table}{"".join(sections)}</div>'


def _shortened(text: str) -> str:
    line = " ".join(on_one_line(text).split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
