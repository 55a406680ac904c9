"""Examples of documents, run as they stand."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
LANGUAGE = [f"docs/language/{name}.md" for name in ("index", "select", "group", "sample", "expressions", "functions")]
LANGUAGE += ["docs/language/errors.md", "docs/language/deep-lake.md"]


def blocks_of(name: str, heading: str | None = None) -> list[str]:
    """The Python blocks of a page, or of the part of it under a heading."""
    page = (ROOT / name).read_text(encoding="utf-8")
    if heading is not None:
        _, found, rest = page.partition(f"\n## {heading}\n")
        assert found, f"{name} has no heading {heading!r}"
        page = rest.partition("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def check_examples(name: str, blocks: list[str], flags: int = 0, **names: object) -> None:
    """Make sure that examples show what they say, to the letter; each block may use the names of those before it."""
    runner = doctest.DocTestRunner(optionflags=flags)
    for block in blocks:
        test = doctest.DocTestParser().get_doctest(block, names, name, name, 0)
        runner.run(test, clear_globs=False)
        names.update(test.globs)
    assert runner.tries > 0
    assert runner.summarize(verbose=False).failed == 0
