"""One test for many small cases: a test of its own for each would cost more than the case."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest

Test = Callable[..., None]


def for_each(
    names: str | tuple[str, ...], cases: Iterable[Any], ids: Iterable[str] | None = None
) -> Callable[[Test], Test]:
    """Run a test for every case in a loop, as `pytest.mark.parametrize` does in tests of their own.

    All cases run; a failure names its case, several are raised together. For cases that neither skip nor share state
    through a fixture, such as files in `tmp_path`.

    Args:
        names: Names of the arguments that a case gives.
        cases: A value for each case, or a tuple of one value for each name.
        ids: Names of the cases, in place of their values.

    Examples:
        >>> @for_each("number", [1, 2, 3])
        ... def test_is_small(number):
        ...     assert number < 3, "too large"
        >>> test_is_small()
        Traceback (most recent call last):
            ...
        AssertionError: too large
        case 2: number=3
    """
    arguments = (names,) if isinstance(names, str) else names
    given = [(case,) if isinstance(names, str) else tuple(case) for case in cases]
    texts = [", ".join(f"{name}={value!r}" for name, value in zip(arguments, case, strict=True)) for case in given]
    labels = list(texts if ids is None else ids)
    assert len(given) == len(labels) > 0, "every case has one name"

    def in_a_loop(test: Test) -> Test:
        @functools.wraps(test)
        def run(*fixtures: Any, **named: Any) -> None:
            failures: list[Exception] = []
            for place, (case, label) in enumerate(zip(given, labels, strict=True)):
                try:
                    test(*fixtures, **named, **dict(zip(arguments, case, strict=True)))
                except pytest.skip.Exception as skipped:
                    raise AssertionError(f"a case in a loop cannot be skipped: case {place}: {label}") from skipped
                except pytest.fail.Exception as failed:  # no Exception, and `pytest.raises` raises it
                    failures.append(AssertionError(str(failed)))
                except Exception as failed:
                    failures.append(failed)
                else:
                    continue
                failures[-1].add_note(f"case {place}: {label}")
            if len(failures) == 1:
                raise failures[0]
            if failures:
                raise ExceptionGroup(f"{len(failures)} of {len(given)} cases fail", failures)

        signature = inspect.signature(test)
        left = [each for name, each in signature.parameters.items() if name not in arguments]
        run.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return run

    return in_a_loop
