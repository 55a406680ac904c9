"""A Markdown extension for the documentation site: `<BLANKLINE>` in the output of an example becomes an empty line.

Doctest needs the mark where readers should see none. `zensical.toml` names this module.
"""

from __future__ import annotations

from typing import Any

from markdown import Extension
from markdown.preprocessors import Preprocessor

_BEFORE_CODE = 28  # the priority of the fences of code is 25


class BlankLines(Extension):
    """Replace the marks before code is read."""

    def extendMarkdown(self, md: Any) -> None:  # noqa: N802 - the name that Markdown calls
        """Register the preprocessor."""
        md.preprocessors.register(_Replace(md), "blank_lines", _BEFORE_CODE)


class _Replace(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        return ["" if line.strip() == "<BLANKLINE>" else line for line in lines]


def makeExtension(**options: Any) -> BlankLines:  # noqa: N802 - the name that Markdown calls
    """Return the extension."""
    return BlankLines(**options)
