"""Apply a random sample of small changes to the code, and print those that no test notices.

    python -m tools.mutants --number 150 --seed 1

First the tests run under coverage, one file after the other, to find those that run a line. Each change then runs
against tests that run its line, and where none fails against others that do. What was found is kept in `.mutants`: the
coverage until the package or a file of tests changes, and which changes are caught until the package does. `--only
tql_frames/api.py:120` tries the changes of some lines alone.

Changes that change nothing a test could see are listed in `equivalent.txt`, as they are printed, each with a line
`reason: …`; they are left out of the count.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from tools.mutants.changes import Change, sample
from tools.mutants.covering import covering, digest_of
from tools.mutants.trial import copy_project, noticed

ROOT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).parent / "equivalent.txt"
ROUNDS = (0.3, 1.0, 2.0)  # parts of the tests that may run at a time: the few that are nearest catch most changes

_WRITING = Lock()


def equivalents(text: str) -> set[str]:
    """Read the listed changes: blocks between empty lines, as `Change.diff` prints them, and their reasons."""
    found = set()
    for block in text.split("\n\n"):
        lines = [line.rstrip() for line in block.splitlines() if line.strip() and not line.startswith("#")]
        reasons = [line for line in lines if line.startswith("reason:")]
        if lines and len(reasons) != 1:
            raise ValueError(f"expected one line `reason: …` for {lines[0]}, got {len(reasons)}")
        if lines:
            found.add("\n".join(line for line in lines if line not in reasons))
    return found


def _keep(file: Path, caught: dict[str, str], diff: str, sign: str) -> None:
    with _WRITING:
        caught[diff] = sign
        file.write_text(json.dumps(caught, indent=1), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 1 where a change survives."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", type=int, default=150, help="changes to try (default 150)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample of changes (default 1)")
    parser.add_argument("--package", default="tql_frames", help="folder to change, such as tql_frames/sampling")
    parser.add_argument("--tests", nargs="*", default=[], help="files of tests to measure coverage with (default all)")
    parser.add_argument("--kept", type=Path, default=ROOT / ".mutants", help="folder that keeps the coverage")
    parser.add_argument(
        "--only", nargs="*", default=[], help="lines whose changes to try, such as tql_frames/api.py:120"
    )
    parser.add_argument("--workers", type=int, default=2, help="changes to try at the same time (default 2)")
    options = parser.parse_args(arguments)

    began = time.monotonic()
    chosen = sample(ROOT, options.package, options.number, options.seed)
    if options.only:
        chosen = [change for change in chosen if f"{change.path}:{change.line}" in options.only]
    texts = {change.path: (ROOT / change.path).read_text(encoding="utf-8") for change in chosen}
    listed = equivalents(EQUIVALENT.read_text(encoding="utf-8"))
    known = options.kept / f"caught-{digest_of(ROOT, 'tql_frames')}.json"
    caught: dict[str, str] = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    counts = {"caught": 0, "survived": 0, "equivalent": 0, "not covered": 0}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.workers) as pool:
        copies = [Path(folder) / str(number) for number in range(options.workers)]
        for copy in copies:
            copy_project(ROOT, "tql_frames", copy)
        tests = covering(copies, "tql_frames", options.kept.resolve(), options.tests)
        print(f"{len(chosen)} changes; coverage after {time.monotonic() - began:.0f} s", flush=True)

        def outcome(change: Change) -> tuple[str, str]:
            diff = change.diff(texts[change.path])
            if diff in listed:
                return "equivalent", ""
            if diff in caught:
                return "caught", caught[diff]
            copy = copies.pop()
            tried: list[str] = []
            try:
                for part in ROUNDS:
                    some = tests.tests_of(change.path, change.line, tried, part=part)
                    sign = noticed(copy, change, some) if some else None
                    if sign:
                        _keep(known, caught, diff, sign)
                        return "caught", sign
                    tried += some
            finally:
                copies.append(copy)
            return ("survived", f"{len(tried)} tests") if tried else ("not covered", "")

        for change, (found, how) in zip(chosen, pool.map(outcome, chosen), strict=True):
            counts[found] += 1
            print(f"{found}: {change.path}:{change.line} {how}".rstrip(), flush=True)
            if found in {"survived", "not covered"}:
                print(change.diff(texts[change.path]) + "\n", flush=True)
    tried = counts["caught"] + counts["survived"] + counts["not covered"]
    print(", ".join(f"{count} {name}" for name, count in counts.items()), end="; ")
    print(f"{counts['caught'] / max(tried, 1):.1%} caught in {time.monotonic() - began:.0f} s")
    return int(counts["caught"] < tried)


if __name__ == "__main__":
    sys.exit(main())
