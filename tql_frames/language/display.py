"""Text for terminals and notebooks: without the control characters that data may hold."""

from __future__ import annotations

import re

# Control characters end a line or move the cursor, as do line and paragraph separators; marks that
# override the direction of writing change the order of what stands beside them.
_CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_ANY = re.compile(f"[{_CONTROLS}]")
_WITHIN_LINES = re.compile(f"(?!\n)[{_CONTROLS}]")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


def on_one_line(text: str) -> str:
    r"""Return the text with a space for each control character, ends of lines included.

    Example:
        >>> on_one_line("a\x1b[31m\nb")
        'a [31m b'
    """
    return _ANY.sub(" ", text)


def on_lines(text: str) -> str:
    r"""Return the text with a space for each control character but the ends of lines.

    Example:
        >>> on_lines("a\x1b[31m\nb")
        'a [31m\nb'
    """
    return _WITHIN_LINES.sub(" ", text)


def sampler_on_lines(text: str) -> str:
    r"""Return TQL text with a space for each control character, where its own lines end excepted.

    Example:
        >>> sampler_on_lines("max_weight(\n  label == 'a\nb': 2\n)")
        "max_weight(\n  label == 'a b': 2\n)"
    """
    return on_lines(_QUOTED.sub(lambda quoted: on_one_line(quoted.group()), text))
