"""Every error: class, message, hint and span of the cases in `cases/errors.json`, and how errors are drawn."""

import copy
import datetime as dt
import json
import math
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import tql_frames
from tests.loops import for_each
from tql_frames import TQLError, TQLNameError, TQLSyntaxError, TQLTypeError, TQLUnsupportedError, WeightError
from tql_frames.errors import Span, did_you_mean

FILE = json.loads((Path(__file__).parents[1] / "cases" / "errors.json").read_text(encoding="utf-8"))
CASES = FILE["cases"]


def frame_of(columns: dict[str, dict[str, Any]]) -> pl.DataFrame:
    def value_of(value: Any, dtype: Any) -> Any:
        if value is None:
            return None
        if isinstance(dtype, (pl.List, pl.Array)):
            return [value_of(item, dtype.inner) for item in value]
        if dtype == pl.Date:
            return dt.date.fromisoformat(value)
        if dtype == pl.Time:
            return dt.time.fromisoformat(value)
        if isinstance(dtype, pl.Datetime):
            return dt.datetime.fromisoformat(value)
        if dtype == pl.Binary:
            return value.encode()
        return float(value) if dtype == pl.Float64 else value

    series = []
    for name, each in columns.items():
        dtype = eval(each["type"], vars(pl))
        series.append(pl.Series(name, [value_of(value, dtype) for value in each["values"]], dtype=dtype))
    return pl.DataFrame(series)


FRAMES = {name: frame_of(columns) for name, columns in FILE["frames"].items()}


def unmarked(sampler: Any) -> tuple[Any, Span | None]:
    """The sampler without its marks, and the span between them."""
    if not isinstance(sampler, str) or "«" not in sampler:
        return sampler, None
    before, rest = sampler.split("«")
    guilty, after = rest.split("»")
    return before + guilty + after, Span(len(before), len(before) + len(guilty))


@for_each("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    text, span = unmarked(case["sampler"])
    call = getattr(tql_frames, case.get("call", "weights"))
    with pytest.raises(TQLError) as caught:
        call(FRAMES[case.get("frame", "main")], text, **case.get("arguments", {}))
    error = caught.value
    assert type(error).__name__ == case["class"]
    assert error.message == case["message"]
    assert error.hint == case["hint"]
    assert error.span == span
    assert error.source == (text if span else None)
    assert error.__suppress_context__ or error.__context__ is None  # no error of another library above ours


def test_the_names_of_the_cases_are_their_own() -> None:
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names)


def test_each_kind_of_error_is_a_value_error_of_the_package() -> None:
    for kind in (TQLSyntaxError, TQLNameError, TQLTypeError, TQLUnsupportedError, WeightError):
        assert issubclass(kind, TQLError)
        assert issubclass(kind, ValueError)
        assert f"{kind.__module__}.{kind.__qualname__}" == f"tql_frames.{kind.__name__}"


@pytest.mark.parametrize("fraction", [math.nan, math.inf, -math.inf, 1j])
def test_a_fraction_is_a_number(fraction: Any) -> None:
    with pytest.raises(TQLError, match="expected fraction= to be a number of at least 0"):
        tql_frames.sample(FRAMES["main"], "n", fraction=fraction)


@pytest.mark.parametrize(
    "frame", [None, 5, {"n": [1]}, [[1]], pl.Series("n", [1]), pd.Series([1], name="n"), pl.DataFrame]
)
@pytest.mark.parametrize("call", [tql_frames.sample, tql_frames.weights, tql_frames.explain])
def test_a_frame_of_another_library_is_refused(call: Any, frame: Any) -> None:
    kinds = "a Polars DataFrame or LazyFrame, a pandas DataFrame, or another table of Arrow columns"
    with pytest.raises(TQLError, match=f"expected the frame to be {kinds}, got "):
        call(frame, "n")


def test_the_first_of_several_arguments_is_a_sampler_even_in_weight_expr() -> None:
    with pytest.raises(TQLError, match="expected a sampler as TQL text, got int"):
        tql_frames.weight_expr(5, {"n": pl.Int64})  # type: ignore[arg-type]


# --- carets ----------------------------------------------------------------------------------------------------------


def drawn(source: str, start: int, stop: int) -> list[str]:
    """The lines under the message, without their margin."""
    lines = str(TQLError("wrong", source=source, span=Span(start, stop))).split("\n")
    assert lines[0] == "wrong"
    assert all(line.startswith("    ") for line in lines[2:])
    return [lines[1].strip(), *(line[4:] for line in lines[2:])]


DRAWINGS: dict[str, tuple[tuple[str, int, int], list[str]]] = {
    "one line": (("agee > 60", 0, 4), ["line 1, column 1", "agee > 60", "^^^^"]),
    "middle": (("b and agee", 6, 10), ["line 1, column 7", "b and agee", "      ^^^^"]),
    "end of the text": (("n >", 3, 3), ["line 1, column 4", "n >", "   ^"]),
    "empty text": (("", 0, 0), ["line 1, column 1", "", "^"]),
    "second line": (("a\nbc + d\ne", 2, 4), ["line 2, column 1", "bc + d", "^^"]),
    "last line, at the end": (("a\nbc\n", 5, 5), ["line 3, column 1", "", "^"]),
    "end of a line": (("a >\nb", 3, 3), ["line 1, column 4", "a >", "   ^"]),
    "over a line break": (("ab\ncd", 1, 4), ["line 1, column 2", "ab", " ^"]),
    "tab before": (("\ta\tb", 3, 4), ["line 1, column 4", "\ta\tb", "\t \t^"]),
    "wide characters before": (("年齢 > x", 5, 6), ["line 1, column 6", "年齢 > x", "       ^"]),
    "wide characters": (("1 + 年齢", 4, 6), ["line 1, column 5", "1 + 年齢", "    ^^^^"]),
    "emoji": (("n > 😀 1", 4, 5), ["line 1, column 5", "n > 😀 1", "    ^^"]),
    "combining mark": (("e\u0301 + x", 5, 6), ["line 1, column 6", "e\u0301 + x", "    ^"]),
    "carriage return": (("a\r\nb\rc", 5, 6), ["line 2, column 3", "b\ufffdc", "  ^"]),
    "escape character": (("\x1b[0m", 0, 1), ["line 1, column 1", "\ufffd[0m", "^"]),
    "long line, at the start": (
        ("x" * 300, 0, 1),
        ["line 1, column 1", "x" * 61 + "…", "^"],
    ),
    "long line, in the middle": (
        ("a" * 100 + "XYZ" + "b" * 100, 100, 103),
        ["line 1, column 101", "…" + "a" * 60 + "XYZ" + "b" * 60 + "…", " " * 61 + "^^^"],
    ),
    "long line, at the end": (
        ("a" * 100, 100, 100),
        ["line 1, column 101", "…" + "a" * 60, " " * 61 + "^"],
    ),
    "long fault": (
        ("a" * 1000, 0, 1000),
        ["line 1, column 1", "a" * 180 + "…", "^" * 120],
    ),
}


@pytest.mark.parametrize(("given", "expected"), DRAWINGS.values(), ids=list(DRAWINGS))
def test_carets_stand_under_the_fault(given: tuple[str, int, int], expected: list[str]) -> None:
    assert drawn(*given) == expected


def test_the_whole_text_of_an_error() -> None:
    text = "max_weight(\n\tcontains(tag, 'red'): 20,\n\tTrue: 1)"
    with pytest.raises(TQLNameError) as caught:
        tql_frames.weights(FRAMES["main"], text)
    assert str(caught.value) == (
        "unknown column 'tag'\n"
        "  line 2, column 11\n"
        "    \tcontains(tag, 'red'): 20,\n"
        "    \t         ^^^\n"
        "  did you mean 'tags'?"
    )
    assert (caught.value.line, caught.value.column) == (2, 11)


def test_an_error_without_a_text_is_its_message_and_hint() -> None:
    error = TQLError("limit is wrong", hint="make it right")
    assert str(error) == "limit is wrong\n  make it right"
    assert (error.line, error.column) == (None, None)
    assert str(TQLError("limit is wrong")) == "limit is wrong"


@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_survives_a_trip_between_processes(again: Any) -> None:
    with pytest.raises(WeightError) as caught:
        tql_frames.weights(FRAMES["main"], "max_weight(true: 5, b: n - 5)")
    there = again(caught.value)
    assert type(there) is WeightError
    assert str(there) == str(caught.value)
    assert (there.message, there.source, there.span, there.hint) == (
        "arm 2 has a negative weight in row 0 (-4)",
        "max_weight(true: 5, b: n - 5)",
        Span(20, 28),
        "use finite weights of at least 0",
    )


@pytest.mark.parametrize(
    ("name", "names", "hint"),
    [
        ("finding", ["image", "findings"], "did you mean 'findings'?"),
        ("AGE", ["page", "age"], "did you mean 'age'?"),
        ("zzz", ["age"], None),
        ("age", [], None),
        ("age", [5, None, "agee"], "did you mean 'agee'?"),
        ("a" * 100_000, ["a" * 200], f"did you mean '{'a' * 200}'?"),
    ],
    ids=["near", "other case", "none near", "none at all", "names that are no texts", "long"],
)
def test_did_you_mean(name: str, names: list[Any], hint: str | None) -> None:
    assert did_you_mean(name, names) == hint
