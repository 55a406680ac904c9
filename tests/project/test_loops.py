"""A test that runs its cases in a loop runs all of them and names those that fail."""

from __future__ import annotations

import inspect

import pytest

from tests.loops import for_each


def test_every_case_runs_with_the_fixtures_of_the_test() -> None:
    seen: list[tuple[str, int, str]] = []

    @pytest.mark.fault("X1")
    @for_each(("number", "text"), [(1, "a"), (2, "b")])
    def test(kind: str, number: int, text: str) -> None:
        seen.append((kind, number, text))

    assert list(inspect.signature(test).parameters) == ["kind"]
    assert [each.args for each in test.pytestmark] == [("X1",)]  # type: ignore[attr-defined]
    test(kind="eager")
    assert seen == [("eager", 1, "a"), ("eager", 2, "b")]


def test_failures_name_their_cases() -> None:
    @for_each("number", [1, 2, 3, 4], ids=["one", "two", "three", "four"])
    def test(number: int) -> None:
        if number == 2:
            with pytest.raises(ValueError, match="no"):
                pass
        assert number < 4

    with pytest.raises(ExceptionGroup, match="2 of 4 cases fail") as caught:
        test()
    assert [type(each) for each in caught.value.exceptions] == [AssertionError, AssertionError]
    assert [each.__notes__ for each in caught.value.exceptions] == [["case 1: two"], ["case 3: four"]]


def test_a_case_cannot_be_skipped_nor_cases_be_none() -> None:
    @for_each("number", [1])
    def test(number: int) -> None:
        pytest.skip("no")

    with pytest.raises(AssertionError, match=r"cannot be skipped: case 0: number=1"):
        test()
    with pytest.raises(AssertionError, match="every case has one name"):
        for_each("number", [])
