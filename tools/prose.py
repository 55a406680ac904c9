"""Check the words of pages and public docstrings: `python -m tools.prose`, part of `make check`.

General linters of prose do not fit. proselint checks English usage (clichés, typography) and takes no vocabulary of a
project. Vale is a binary that its package downloads at the first run, and CI should not need that. This file lists
expressions, each with the words to write instead, and skips code.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
GENERATED = sorted((ROOT / "docs").glob("benchmarks*.md"))  # a recorded run, as it was printed

# What is avoided, and what to write instead.
RULES = {
    r"tells?|told": "name what the code does: report, show, name, describe",
    r"says?|said": "name what the code does: report, state, show, name",
    r"hand(?:s|ed|ing)? (?:over|out)|hands": "pass, send, return",
    r"gives?|gave|giving": "return, yield, pass, set, has",
    r"come back|comes back|came back": "is returned",
    r"go on|goes on|went on": "continue",
    r"goes? by|go by": "follow, use, are inferred from",
    r"so many|as many as there are": "name the number",
    r"anew": "again",
    r"whatever|whichever way|no matter": "name the cases",
    r"of which|of whose|those of which": "two sentences",
    r"as (?:it is|they are|it was|it stands|they stand|they came|it came)\b": "unchanged",
    r"what (?:comes|came|is made|becomes|it does with) of": "the result, the effect",
    r"stands? (?:there|in)|stand beside": "is in",
    r"in its turn": "leave out",
    r"nobody|no one": "name the subject",
    r"the same of": "repeat the noun",
    r"it allows for": "it accounts for",
    r"the price\b": "the cost",
    r"dear|dearer": "expensive",
    r"guilty|faults?\b": "wrong, error",
    r"made up\b": "synthetic, generated",
    r"data ?set for|records?\b": "frame, row",
    r"utili[sz]es?|in order to|please note|simply|obviously|of course|leverage": "leave out or use a plain word",
    r"backend": "engine, library or adapter",
    r"at hand": "available",
    r"(?-i:Of) (?:a|an|the|several|such|these|those)": "put the subject first",
    r"asked for|ask for": "requested, request",
    r"comes? (?:once|twice|again|together|with it)|comes? in (?:passes|groups)": "is drawn, appears",
}
_RULE = re.compile("|".join(rf"(?P<r{number}>\b(?:{rule})\b)" for number, rule in enumerate(RULES)), re.IGNORECASE)
_HINTS = list(RULES.values())
LONGEST = 45  # words of a sentence


class Finding(NamedTuple):
    """A place that a rule marks."""

    where: str
    line: int
    text: str
    hint: str


def prose_of(page: str) -> str:
    """Return a page without code, addresses and quotations, every other character in its place.

    Example:
        >>> prose_of("Write `x` [here](y.md).")
        'Write     [here]      .'
    """
    hidden = (
        r"^ *```.*?^ *```$",  # blocks of code
        r"^<!--.*?-->$",
        r"<code>.*?</code>",
        r"^::: .*$(?:\n    .*$)*",  # what mkdocstrings reads
        r"`[^`\n]*`",
        r"\]\([^)\s]+\)",
        r"https?://\S+",
        r"“[^”]*”|\"[^\"\n]*\"",
    )

    def blank(match: re.Match[str]) -> str:
        kept = "]" if match[0].startswith("](") else ""
        return kept + re.sub(r"[^\n]", " ", match[0])[len(kept) :]

    for pattern in hidden:
        page = re.sub(pattern, blank, page, flags=re.DOTALL | re.MULTILINE if "```" in pattern else re.MULTILINE)
    return page


def check(where: str, page: str) -> Iterator[Finding]:
    """Yield the places of a text that rules mark.

    Example:
        >>> [(each.line, each.text) for each in check("page", "Rows.\\n\\nThe error tells the column.")]
        [(3, 'tells')]
    """
    text = prose_of(page)
    for match in _RULE.finditer(text):
        number = int((match.lastgroup or "r0")[1:])
        yield Finding(where, text.count("\n", 0, match.start()) + 1, match[0], _HINTS[number])
    for sentence in re.finditer(r"[^.:;!?|]+", re.sub(r"\n(?=\n|[*|#-])", "|", text)):
        words = sentence[0].split()
        if len(words) > LONGEST:
            line = text.count("\n", 0, sentence.start()) + 1
            yield Finding(where, line, f"{' '.join(words[:6])} …", f"{len(words)} words: two sentences")


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield names and docstrings of the API reference, without examples and without libraries that are missing."""
    pages = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "reference").glob("*.md")))
    for path in dict.fromkeys(re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE)):
        try:
            value: Any = resolve_name(path)
        except (ImportError, ValueError):  # what the package raises where a library is missing is a ValueError
            continue
        yield path, _without_examples(value)
        owners = reversed(inspect.getmro(value)) if inspect.isclass(value) else []
        members = {name: each for owner in owners for name, each in vars(owner).items() if _is_ours(owner, name, each)}
        for name, each in members.items():
            yield f"{path}.{name}", _without_examples(each)


def _is_ours(owner: type, name: str, value: Any) -> bool:
    shown = inspect.isfunction(value) or isinstance(value, property) or hasattr(value, "__set_name__")
    return owner.__module__.startswith("tql_frames") and name[0] != "_" and shown


def _without_examples(value: Any) -> str:
    return re.sub(r"^ *Examples?:\n(?:(?: .*)?\n?)*", "", inspect.getdoc(value) or "", flags=re.MULTILINE)


def main() -> None:
    """Print what was found, and fail if that is anything."""
    found = [
        finding
        for path in PAGES
        if path not in GENERATED
        for finding in check(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]
    for name, text in docstrings():
        found += check(name, text)
    for finding in found:
        print(f"{finding.where}:{finding.line}: {finding.text!r} -> {finding.hint}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
