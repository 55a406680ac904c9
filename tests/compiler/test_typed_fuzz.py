"""Random expressions that fit the types of a frame of many types: all frames give one answer, or one TQLError.

`TQL_FUZZ` in the environment says how many expressions are tried.
"""

import datetime as dt
import math
import os
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pytest

import tql_frames
from tests.sizes import size
from tql_frames import TQLError

COUNT = int(os.environ.get("TQL_FUZZ", size(75, 2_000)))
ROWS = 6


class Thing:
    """A Python object without a type of its own."""


def _series(dtype: Any, values: list[Any]) -> pl.Series:
    return pl.Series(values, dtype=dtype, strict=False)


_WHOLE = {"i8": pl.Int8, "i16": pl.Int16, "i32": pl.Int32, "i64": pl.Int64, "i128": pl.Int128}
_NATURAL = {"u8": pl.UInt8, "u16": pl.UInt16, "u32": pl.UInt32, "u64": pl.UInt64}
_DAYS = [dt.date(2024, 5, 1), dt.date(1, 1, 1), None, dt.date(9999, 12, 31), dt.date(1969, 12, 31), dt.date(2024, 5, 1)]
_TIMES = [dt.datetime(2024, 5, 1, 3), dt.datetime(1700, 1, 1), None, dt.datetime(2200, 1, 1), dt.datetime(2024, 5, 1)]
_TIMES = [*_TIMES, dt.datetime(1969, 12, 31, 23, 59, 59, 999999)]
_SPANS = [dt.timedelta(hours=1.5), dt.timedelta(0), None, dt.timedelta(days=-3), dt.timedelta(microseconds=1)]
_SPANS = [*_SPANS, dt.timedelta(days=10_000)]
_TEXTS = ["a", "", None, "cat", "é", "A"]


def frame() -> tuple[pl.DataFrame, dict[str, str]]:
    """The frame, and the kind of each of its columns."""
    columns: dict[str, tuple[str, pl.Series]] = {}
    for name, dtype in (_WHOLE | _NATURAL).items():
        bits = int(name[1:])
        most = 2 ** (bits - (name[0] == "i")) - 1
        least = -most - 1 if name[0] == "i" else 0
        columns[name] = ("number", _series(dtype, [0, 1, None, most, least, 7]))
    columns |= {
        "f32": ("number", _series(pl.Float32, [0.5, math.nan, None, math.inf, -1.0, 3.0])),
        "f64": ("number", _series(pl.Float64, [0.1, math.nan, None, -math.inf, 1e300, 3.0])),
        "dec": ("number", _series(pl.Decimal(20, 2), [Decimal("1.10"), Decimal(0), None, Decimal("-7.25"), 5, 12345])),
        "dec0": ("number", _series(pl.Decimal(38, 0), [1, 2, None, 10**30, -(10**30), 0])),
        "b": ("bool", _series(pl.Boolean, [True, False, None, True, False, True])),
        "null": ("null", _series(pl.Null, [None] * ROWS)),
        "s": ("text", _series(pl.String, _TEXTS)),
        "cat": ("text", _series(pl.Categorical, _TEXTS)),
        "enum": ("text", _series(pl.Enum(["A", "a", "b"]), ["a", "A", None, "b", "a", "b"])),
        "date": ("day", _series(pl.Date, _DAYS)),
        "time": (
            "time",
            _series(pl.Time, [dt.time(1, 2, 3), dt.time(0), None, dt.time(23, 59, 59, 999999)] + [None] * 2),
        ),
        "bin": ("binary", _series(pl.Binary, [b"a", b"", None, b"\xff", b"b", b"a"])),
        "json": (
            "json",
            _series(pl.String, ['{"k": 5, "l": [1, true, "x"]}', '{"k": "x"}', None, "{", '{"k": true}', "[1]"]),
        ),
        "json2": (
            "json",
            _series(pl.String, ['{"k": 9007199254740993}', '{"k": 1.5}', "5", '{"k": null}', "null", None]),
        ),
        "struct": (
            "struct",
            _series(pl.Struct({"k": pl.Int64, "t": pl.String}), [{"k": n, "t": "a"} for n in range(ROWS)]),
        ),
        "ls": (
            "structs",
            _series(pl.List(pl.Struct({"k": pl.Int64})), [[{"k": 1}, {"k": 2}], [], None, [{"k": 3}], [], []]),
        ),
        "o": ("object", pl.Series([Thing(), None, 1, "x", Thing(), Thing()], dtype=pl.Object)),
    }
    for unit in ("ms", "us", "ns"):
        moments = _series(pl.Datetime("us"), _TIMES).cast(pl.Datetime(unit))
        columns[f"t_{unit}"] = ("day", moments)
        columns[f"z_{unit}"] = ("zoned", moments.dt.replace_time_zone("UTC"))
        columns[f"d_{unit}"] = ("duration", _series(pl.Duration("us"), _SPANS).cast(pl.Duration(unit)))
    columns["z_paris"] = ("zoned", columns["z_us"][1].dt.convert_time_zone("Europe/Paris"))
    some = [[1, 2], [], None, [None, 3], [5], [0, 0, 7]]
    for name, dtype in {"i8": pl.Int8, "i64": pl.Int64, "u64": pl.UInt64, "i128": pl.Int128, "f32": pl.Float32}.items():
        columns[f"l_{name}"] = ("numbers", _series(pl.List(dtype), some))
    columns |= {
        "l_f64": (
            "numbers",
            _series(pl.List(pl.Float64), [[0.5, math.nan], [], None, [None], [1e300], [-1.0, math.inf]]),
        ),
        "l_dec": ("numbers", _series(pl.List(pl.Decimal(10, 2)), [[Decimal("1.10")], [], None, [None], [5], [7]])),
        "l_b": ("bools", _series(pl.List(pl.Boolean), [[True], [], None, [False, None], [True], [False]])),
        "l_s": ("texts", _series(pl.List(pl.String), [["a", "cat"], [], None, [None, "x"], [""], ["a"]])),
        "l_cat": ("texts", _series(pl.List(pl.Categorical), [["a", "cat"], [], None, [None, "x"], [""], ["a"]])),
        "l_d": ("days", _series(pl.List(pl.Date), [[dt.date(2024, 5, 1)], [], None, [None], [], []])),
        "l_null": ("nulls", _series(pl.List(pl.Null), [[None], [], None, [], [], []])),
        "a_f": (
            "numbers",
            _series(pl.Array(pl.Float64, 2), [[1.0, 2.0], [0.0, 0.0], None, [3.0, 4.0]] + [[1.0, 1.0]] * 2),
        ),
        "a_i": ("numbers", _series(pl.Array(pl.Int32, 2), [[1, 2], [0, 0], None, [3, 4], [5, 5], [6, 7]])),
        "ll": ("nested", _series(pl.List(pl.List(pl.Int64)), [[[1, 2], [3]], [], None, [None, []], [[5]], [[]]])),
        "aa": ("nested", _series(pl.Array(pl.Float64, (2, 2)), [[[1.0, 2.0], [3.0, 4.0]]] * ROWS)),
    }
    kinds = {name: kind for name, (kind, _) in columns.items()}
    return pl.DataFrame({name: series for name, (_, series) in columns.items()}), kinds


FRAME, KINDS = frame()
ARROW = [name for name in FRAME.columns if name not in ("o", "i128", "l_i128", "null")]
"""Columns that pandas keeps as they are, in types of Arrow."""


def _pandas() -> pd.DataFrame:
    found = FRAME.select(ARROW).to_pandas(use_pyarrow_extension_array=True)
    found["o"] = FRAME["o"].to_list()
    found["null"] = pd.Series([None] * ROWS, dtype=object)
    return found


PANDAS = _pandas()
CONSTANTS = {
    "number": ["0", "1", "-7", "2.5", "9007199254740993", "18446744073709551615", "1e300", "null"],
    "bool": ["true", "false", "null"],
    "text": ["'a'", "''", "'cat'", "'é'", "null"],
    "day": ["'2024-05-01'", "'2024-05-01T03:00:00'", "'0001-01-01'", "'1969-12-31T23:59:59.999999'"],
    "zoned": ["'2024-05-01T01:00:00+00:00'", "'2024-05-01'"],
    "time": ["'01:02:03'", "'00:00'"],
    "duration": ["'PT1H30M'", "'01:30:00'", "'-P3D'"],
}
FOLDS = ["sum", "avg", "prod", "amax", "amin", "l1_norm", "l2_norm", "linf_norm"]
LISTS = {"numbers": "number", "bools": "bool", "texts": "text", "days": "day", "nulls": "null"}


class Source:
    """Random expressions by kind."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def _pick(self, *choices: Callable[[], str]) -> str:
        return self._random.choice(choices)()

    def column(self, *kinds: str) -> str:
        return self._random.choice([name for name, kind in KINDS.items() if kind in kinds])

    def scalar(self, kind: str) -> str:
        if self._random.random() < 0.3:
            return self._random.choice(CONSTANTS[kind])
        return self.column(kind)

    def number(self, depth: int) -> str:
        if depth == 0:
            return self._pick(lambda: self.scalar("number"), lambda: "null", lambda: f"{self.column('json')}['k']")
        below = lambda: self.number(depth - 1)  # noqa: E731
        numbers = lambda: self.numbers(depth - 1)  # noqa: E731
        return self._pick(
            lambda: f"({below()} {self._random.choice('+-*/%')} {below()})",
            lambda: f"{self._random.choice(['abs', 'sqrt', '-', ''])}({below()})",
            lambda: (
                f"{self._random.choice(['sum', 'avg', 'prod', 'amax', 'amin', 'l1_norm', 'l2_norm', 'linf_norm'])}({numbers()})"  # noqa: E501
            ),
            lambda: (
                f"{self._random.choice(['dot', 'cosine_similarity', 'hamming_distance'])}({numbers()}, {numbers()})"
            ),
            lambda: f"shape({self.column(*LISTS, 'nested', 'structs')})[0]",
            lambda: f"{self.column('numbers')}[{self._random.choice([0, -1, 1])}]",
            lambda: f"{self.column('nested')}[0, 1]",
            lambda: "struct['k']",
            lambda: "row_number()",
            lambda: f"data({self.column('number')}, 1)",
            lambda: f"sum({self.column('nested')})",
        )

    def numbers(self, depth: int) -> str:
        return self._pick(
            lambda: self.column("numbers"),
            lambda: f"{self.column('numbers')}[{self._random.choice([':1', '1:', '::-1'])}]",
            lambda: f"array[{self.number(0)}, {self.number(0)}]",
            lambda: f"({self.column('numbers')} {self._random.choice('+-*/')} {self.number(max(depth - 1, 0))})",
            lambda: f"({self.column('numbers')} % 3)",
            lambda: f"nonzero({self.column('numbers')})",
            lambda: "ls['k']",
        )

    def condition(self, depth: int) -> str:
        operator = self._random.choice(["=", "!=", "<", "<=", ">", ">="])
        kind = self._random.choice(list(CONSTANTS))
        lists = self._random.choice(list(LISTS))
        inner = LISTS[lists]
        item = (lambda: self.scalar(inner)) if inner in CONSTANTS else (lambda: "null")
        choices: list[Callable[[], str]] = [
            lambda: f"{self.scalar(kind)} {operator} {self.scalar(kind)}",
            lambda: f"{self.column(kind)} in ({self.scalar(kind)}, {self._random.choice(CONSTANTS[kind])})",
            lambda: f"{self.column(kind)} between {self.scalar(kind)} and {self.scalar(kind)}",
            lambda: f"{self._random.choice(FRAME.columns)} is {self._random.choice(['', 'not '])}null",
            lambda: f"contains({self.column(lists)}, {item()})",
            lambda: f"any({self.column(lists)} {operator} {item()})",
            lambda: (
                f"{self._random.choice(['all', 'all_strict', 'any'])}({self.column('numbers')} {operator} {self.number(0)})"  # noqa: E501
            ),
            lambda: f"contains({self.column('text')}, {self.scalar('text')})",
            lambda: (
                f"{self.column('text', 'json')} {self._random.choice(['like', 'ilike'])} '{self._random.choice('a*?%')}*'"  # noqa: E501
            ),
            lambda: (
                f"{self.column('json')}['k'] {operator} {self.scalar(self._random.choice(['number', 'bool', 'text']))}"
            ),
            lambda: (
                f"{self.column('json')}['k'] in ({self.scalar('number')}, {self._random.choice(CONSTANTS['text'])})"
            ),
            lambda: f"json['k'] {operator} json2['k']",
            lambda: f"contains(json['l'], {self.scalar(self._random.choice(['number', 'bool']))})",
            lambda: f"contains(keys({self.column('json', 'struct')}), 'k')",
            lambda: f"{self.column('day')} {operator} {self.column('day')}",
            lambda: self.column("bool"),
        ]
        if depth:
            below = lambda: self.condition(depth - 1)  # noqa: E731
            choices += [
                lambda: f"({below()} {self._random.choice(['and', 'or'])} {below()})",
                lambda: f"not ({below()})",
                lambda: f"{self.number(depth - 1)} {operator} {self.number(depth - 1)}",
                lambda: f"{self.number(depth - 1)} in ({self.number(0)}, 1, null)",
            ]
        return self._pick(*choices)

    def weight(self) -> str:
        arms = [f"{self.condition(1)}: {self._random.choice(['2', '0.5', 'u8', 'b', 'abs(i8)'])}" for _ in range(2)]
        return f"{self._random.choice(['max_weight', 'sum_weight'])}({', '.join(arms)}, true: 1)"

    def text(self) -> str:
        return self._pick(*[lambda: self.condition(2)] * 3, *[lambda: self.number(2)] * 2, lambda: self.numbers(1))


def outcome(run: Callable[[], Any]) -> Any:
    """What a call gives as Python values, or the kind of its TQLError; anything else is raised."""
    try:
        return run()
    except TQLError as fault:
        str(fault).encode()
        assert fault.span is not None or fault.source is None
        return type(fault)


def plain(value: Any) -> Any:
    """A value of any library to compare by: missing values are None, and NaN is a text."""
    if isinstance(value, (list, tuple)) or type(value).__name__ == "ndarray":
        return [plain(each) for each in value]
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return value.item() if hasattr(value, "item") else value


def answers(text: str) -> list[Any]:
    """The answers of the three kinds of frame to `select text`."""
    query = f"select {text} as r"
    found = [
        outcome(lambda: plain(FRAME.tql.query(query, seed=1)["r"].to_list())),
        outcome(lambda: plain(FRAME.lazy().tql.query(query, seed=1).collect()["r"].to_list())),
    ]
    names = {name for name in FRAME.columns if name not in PANDAS.columns}
    if not any(name in text for name in names):
        found.append(outcome(lambda: PANDAS.tql.query(query, seed=1)["r"].tolist()))  # noqa: PLW0108
        if not isinstance(found[-1], type):  # NaN and null are one in pandas' own types
            found[-1] = plain(found[-1])
    return found


def same(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if {type(a), type(b)} == {str, type(None)}:
        return {a, b} == {"nan", None}
    return bool(a == b)


def test_expressions_of_every_type_agree_on_every_frame() -> None:
    assert len(FRAME.columns) >= 45
    results = 0
    for seed in range(COUNT):
        text = Source(seed).text()
        found = answers(text)
        results += not isinstance(found[0], type)
        assert all(same(found[0], each) or (isinstance(each, type) and "o is" in text) for each in found[1:]), (
            text,
            found,
        )
    assert results >= 0.6 * COUNT


@pytest.mark.filterwarnings("ignore::tql_frames.TQLWarning")  # of arms that match no row, and patterns
def test_weights_of_every_type_agree_on_every_frame() -> None:
    results = 0
    for seed in range(COUNT // 3):
        text = Source(seed).weight()
        eager = outcome(lambda: FRAME.tql.weights(text).to_list())  # noqa: B023
        lazy = outcome(lambda: FRAME.lazy().tql.weights(text).collect()["weight"].to_list())  # noqa: B023, PLW0108
        sample = outcome(lambda: FRAME.tql.sample(text, seed=1)["index"].to_list())  # noqa: B023, PLW0108
        assert eager == lazy, text
        assert isinstance(sample, type) == isinstance(eager, type), text
        if not any(name in text for name in FRAME.columns if name not in PANDAS.columns) and "o is" not in text:
            assert outcome(lambda: PANDAS.tql.weights(text).tolist()) == eager, text  # noqa: B023
        results += not isinstance(eager, type)
    assert results >= 0.6 * (COUNT // 3)


@pytest.mark.fault("A-foreign")
@pytest.mark.parametrize("text", ["d_ms < d_ns", "date < t_ns", "t_ms = t_ns", "z_ms > z_ns", "date != t_ns"])
def test_moments_of_any_range_and_unit_compare(text: str) -> None:
    found = tql_frames.query(f"select {text} as r from f", f=FRAME)["r"].to_list()
    left, operator, right = text.split()
    test = {"<": lambda a, b: a < b, "=": lambda a, b: a == b, ">": lambda a, b: a > b, "!=": lambda a, b: a != b}[
        operator
    ]
    a, b = (FRAME[each].to_list() for each in (left, right))
    if left == "date":
        a = [None if each is None else dt.datetime.combine(each, dt.time()) for each in a]
    assert found == [None if None in (x, y) else test(x, y) for x, y in zip(a, b, strict=True)]
