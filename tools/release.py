"""Check that a version is ready to be released: `python -m tools.release`, part of `make release`.

It reads the changelog, the citation and the state of the repository. Nothing is tagged or uploaded.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import tql_frames

ROOT = Path(__file__).parents[1]


def newest(changelog: str) -> tuple[str, str]:
    """Return the version and the date of the first heading of a changelog.

    Example:
        >>> newest("# Changelog\\n\\n## 0.2.0 - unreleased\\n\\n## 0.1.0 - 2026-11-26\\n")
        ('0.2.0', 'unreleased')
    """
    heading = re.search(r"^## (\S+) - (.+)$", changelog, re.MULTILINE)
    return (heading[1], heading[2]) if heading else ("none", "none")


def problems(version: str, changelog: str, citation: str, changed: str, tags: str) -> list[str]:
    """Return what keeps a version from being released.

    Args:
        version: of the package.
        changelog: text of CHANGELOG.md.
        citation: text of CITATION.cff.
        changed: files that differ from the last commit, as `git status --porcelain` lists them.
        tags: of the repository, one a line.
    """
    found = []
    named, date = newest(changelog)
    if named != version:
        found.append(f"CHANGELOG.md: expected version {version} first, got {named}")
    elif not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        found.append(f"CHANGELOG.md: expected the date of {version}, got {date!r}; write ## {version} - YYYY-MM-DD")
    if f"version: {version}" not in citation.splitlines():
        found.append(f"CITATION.cff: expected version: {version}")
    if changed.strip():
        found.append(f"uncommitted files:\n{changed.rstrip()}")
    if f"v{version}" in tags.split():
        found.append(f"tag v{version} exists; raise __version__ in tql_frames/__init__.py")
    return found


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Print the problems and fail, or print the commands that publish."""
    version = tql_frames.__version__
    if "--next" in sys.argv[1:]:
        print(f"\ndist/ has version {version}. Nothing was uploaded. To publish it:\n")
        print(f"    git tag v{version} && git push origin v{version}")
        print(f"    {Path(sys.executable).parent / 'twine'} upload dist/*")
        return
    changelog, citation = ((ROOT / name).read_text(encoding="utf-8") for name in ("CHANGELOG.md", "CITATION.cff"))
    found = problems(version, changelog, citation, _git("status", "--porcelain"), _git("tag", "--list"))
    print("\n".join(found) or f"{version} is ready to be built")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
