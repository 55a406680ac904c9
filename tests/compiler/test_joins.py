"""JOINs and frames by name: every kind of join against a loop over all pairs of rows, and FROM on several frames."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tql_frames
from tests.answers import KINDS, OLD_STREAMING, ask_of, columns, plain
from tests.loops import for_each
from tests.sizes import size
from tql_frames import TQLError

SCANS = pl.DataFrame(
    {
        "id": [1, 2, 2, None, 5, 1],
        "finding": ["Hernia", "Mass", "Hernia", "Edema", None, "Mass"],
        "score": [0.5, math.nan, 1.0, 2.0, 3.0, None],
    }
)
PATIENTS = pl.DataFrame(
    {
        "id": [2, 1, 3, None, 2],
        "age": [34, 71, 50, 20, 35],
        "level": [1.0, math.nan, 2.0, None, 0.5],
        "finding": ["Mass", "Hernia", None, "Edema", "Mass"],
    }
)
SITES = pl.DataFrame({"site": ["a", "b"], "age": [71, 35]})
PLANS = ["polars", "not optimized", *([] if OLD_STREAMING else ["streaming"])]
FRAMES = {"scans": SCANS, "patients": PATIENTS, "sites": SITES}


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items()} for row in frame.iter_rows(named=True)]


def joined(kind: str, left: pl.DataFrame, right: pl.DataFrame, match: Any) -> list[tuple[int | None, int | None]]:
    """Pairs of row numbers: in the order of the left rows, a RIGHT JOIN in that of the right, others at the end."""
    ours, theirs = rows(left), rows(right)
    if kind == "right":
        swapped = joined("left", right, left, lambda a, b: match(b, a))
        return [(b, a) for a, b in swapped]
    pairs: list[tuple[int | None, int | None]] = []
    for place, row in enumerate(ours):
        found: list[int | None] = [other for other, each in enumerate(theirs) if match(row, each)]
        if not found and kind in ("left", "full"):
            found = [None]
        pairs += [(place, other) for other in found]
    if kind == "full":
        pairs += [(None, other) for other in range(len(theirs)) if other not in {b for _, b in pairs}]
    return pairs


def equal(a: Any, b: Any) -> bool:
    return a is not None and b is not None and a == b and "NaN" not in (a, b)


KINDS_OF_JOIN = {
    "join": "inner",
    "inner join": "inner",
    "LEFT Join": "left",
    "left outer join": "left",
    "right join": "right",
    "right outer join": "right",
    "full join": "full",
    "FULL OUTER JOIN": "full",
}
# A condition, and what it means for a scan and a patient.
CONDITIONS: dict[str, Any] = {
    "scans.id = patients.id": lambda a, b: equal(a["id"], b["id"]),
    "patients.id = scans.id": lambda a, b: equal(a["id"], b["id"]),
    "score = level": lambda a, b: equal(a["score"], b["level"]),
    "scans.finding == patients.finding": lambda a, b: equal(a["finding"], b["finding"]),
    "scans.id = level": lambda a, b: equal(a["id"], b["level"]),  # a whole number and a float
    "scans.id = patients.id and scans.finding = patients.finding": lambda a, b: (
        equal(a["id"], b["id"]) and equal(a["finding"], b["finding"])
    ),
    "scans.id + 1 = patients.id": lambda a, b: a["id"] is not None and equal(a["id"] + 1, b["id"]),
}


@pytest.mark.parametrize("kind", PLANS)
@for_each("condition", CONDITIONS)
@for_each("words", KINDS_OF_JOIN)
def test_join_on(words: str, condition: str, kind: str) -> None:
    text = f"select * from scans {words} patients on {condition}"
    found = columns(ask_of(kind, FRAMES, text))
    pairs = joined(KINDS_OF_JOIN[words], SCANS, PATIENTS, CONDITIONS[condition])
    assert found == expected_of(pairs)


def expected_of(pairs: list[tuple[int | None, int | None]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"index": list(range(len(pairs)))}
    for side, (frame, others) in enumerate([(SCANS, ()), (PATIENTS, SCANS.columns)]):
        for name in frame.columns:
            label = f"{name}:patients" if name in others else name
            cells = [plain(value) for value in frame[name]]
            found[label] = [None if pair[side] is None else cells[pair[side]] for pair in pairs]  # type: ignore[index]
    return found


# Conditions that are no equalities: an INNER JOIN takes any, others those on the side that may be left out.
FREE: list[tuple[str, str, Any]] = [
    ("join", "scans.id < patients.id", lambda a, b: None not in (a["id"], b["id"]) and a["id"] < b["id"]),
    ("join", "scans.id = patients.id or age = 50", lambda a, b: equal(a["id"], b["id"]) or b["age"] == 50),
    ("join", "true", lambda a, b: True),
    ("join", "scans.id = patients.id and age > 40", lambda a, b: equal(a["id"], b["id"]) and b["age"] > 40),
    ("join", "scans.id = patients.id and scans.id > 1", lambda a, b: equal(a["id"], b["id"]) and a["id"] > 1),
    ("join", "scans.finding like 'M*' and age = 50", lambda a, b: a["finding"] == "Mass" and b["age"] == 50),
    ("left join", "scans.id = patients.id and age > 34", lambda a, b: equal(a["id"], b["id"]) and b["age"] > 34),
    (
        "right join",
        "scans.id = patients.id and score > 0.5",
        lambda a, b: equal(a["id"], b["id"]) and a["score"] not in (None, "NaN") and a["score"] > 0.5,
    ),
    ("cross join", "", lambda a, b: True),
]


@pytest.mark.parametrize("kind", PLANS)
@for_each(("words", "condition", "match"), FREE, ids=[f"{words} {on}" for words, on, _ in FREE])
def test_join_on_other_conditions(words: str, condition: str, match: Any, kind: str) -> None:
    on = f"on {condition}" if condition else ""
    found = columns(ask_of(kind, FRAMES, f"select * from scans {words} patients {on}"))
    shape = words.removesuffix("join").strip()
    assert found == expected_of(joined(shape if shape in ("left", "right") else "inner", SCANS, PATIENTS, match))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", KINDS_OF_JOIN)
def test_join_using(words: str, kind: str) -> None:
    found = columns(ask_of(kind, FRAMES, f"select id, score, age from scans {words} patients using (id)"))
    ours, theirs = rows(SCANS), rows(PATIENTS)
    pairs = joined(KINDS_OF_JOIN[words], SCANS, PATIENTS, lambda a, b: equal(a["id"], b["id"]))
    nan = None if kind == "pandas" else "NaN"
    assert found == {
        "index": list(range(len(pairs))),
        "id": [ours[a]["id"] if a is not None else theirs[b]["id"] for a, b in pairs],  # type: ignore[index]
        "score": [None if a is None else nan if ours[a]["score"] == "NaN" else ours[a]["score"] for a, _ in pairs],
        "age": [None if b is None else theirs[b]["age"] for _, b in pairs],
    }


# A statement on the frames above, and its columns.
CASES: list[tuple[str, dict[str, list[Any]]]] = [
    ("select age from patients where age > 40", {"index": [1, 2], "age": [71, 50]}),
    ("select p.age from patients as p where p.id = 3", {"index": [2], "age": [50]}),
    ("select p.age from patients p where id = 3", {"index": [2], "age": [50]}),
    ("select site from sites order by age limit 1", {"index": [1], "site": ["b"]}),
    ("select id from scans join patients using (id, finding)", {"index": [0, 1, 2], "id": [1, 2, 2]}),
    (
        "select site, score from scans join patients using (id) join sites using (age)",
        {"index": [0, 1, 2, 3], "site": ["a", "b", "b", "a"], "score": [0.5, None, 1.0, None]},
    ),
    (
        "select s.id, site from scans as s join patients as p on s.id = p.id join sites as t on p.age = t.age",
        {"index": [0, 1, 2, 3], "id": [1, 2, 2, 1], "site": ["a", "b", "b", "a"]},
    ),
    (
        "select site, id from sites left join (select id, age from patients where id = 1) as p using (age)",
        {"index": [0, 1], "site": ["a", "b"], "id": [1, None]},
    ),
    (
        "select a.age, b.age as other from patients as a join patients as b on a.id = b.id where a.age < b.age",
        {"index": [1], "age": [34], "other": [35]},  # the second row of the join
    ),
    (
        "select x.id, age from (select id from scans where finding = 'Hernia') as x join patients as p on x.id = p.id",
        {"index": [0, 1, 2], "id": [1, 2, 2], "age": [71, 34, 35]},
    ),
    (
        "select id, shape(age)[0] as n from scans join patients using (id) group by id",
        {"index": [0, 1], "id": [(1, 1), (2, 2, 2, 2)], "n": [2, 4]},
    ),
    (
        "select age from scans join patients using (id) order by age desc, row_number() limit 3",
        {"index": [0, 5, 2], "age": [71, 71, 35]},
    ),
    (
        "(select age from scans join patients using (id)) union (select age from patients)",
        {"index": [0, 1, 2, 3, 4], "age": [71, 34, 35, 50, 20]},
    ),
    (
        "(select age from patients where age > 40) union (select age from sites)",
        {"index": [0, 1, 2], "age": [71, 50, 35]},
    ),
    ("(select age from patients) except (select age from sites)", {"index": [0, 1, 2], "age": [34, 50, 20]}),
    ("(select age from patients) intersect (select age from sites)", {"index": [0, 1], "age": [71, 35]}),
    ("(select age from sites) union all (select age from sites)", {"index": [0, 1, 0, 1], "age": [71, 35, 71, 35]}),
    ("select distinct id from scans join patients using (id)", {"index": [0, 1], "id": [1, 2]}),
    ("select finding from scans sample by finding = 'Edema' limit 2", {"index": [3, 3], "finding": ["Edema"] * 2}),
    (
        "select age from scans join patients using (id) sample by age = 71 and scans.finding = 'Mass' limit 2",
        {"index": [5, 5], "age": [71, 71]},
    ),
]


@pytest.mark.parametrize("kind", KINDS)
@for_each(("text", "expected"), CASES)
def test_columns(text: str, expected: dict[str, list[Any]], kind: str) -> None:
    found = columns(ask_of(kind, FRAMES, text, seed=1))
    if kind != "pandas":
        found = {name: [None if value == "NaN" else value for value in values] for name, values in found.items()}
    assert list(found) == list(expected)
    assert found == expected


# The columns of `select *`: namesakes of later frames carry the name of their frame.
STARS = [
    ("from scans", "id finding score"),
    ("from scans join patients using (id)", "id finding score age level finding:patients"),
    ("from scans s join patients p using (id)", "id finding score age level finding:p"),
    ("from scans join patients on scans.id = patients.id", "id finding score id:patients age level finding:patients"),
    ("from sites join patients using (age)", "site age id level finding"),
    ("from patients a join patients b using (id)", "id age level finding age:b level:b finding:b"),
    (
        "from patients a join patients b using (id) join sites c on a.age = c.age",
        "id age level finding age:b level:b finding:b site age:c",
    ),
    ("from sites cross join sites as t", "site age site:t age:t"),
]


@pytest.mark.parametrize("kind", KINDS)
@for_each(("source", "expected"), STARS)
def test_columns_of_a_star(source: str, expected: str, kind: str) -> None:
    found = columns(ask_of(kind, FRAMES, f"select * {source}"))
    assert list(found) == ["index", *expected.split()]


def test_stars_side_by_side_are_a_star() -> None:
    both = "from scans s join patients p on s.id = p.id"
    found = ask_of("polars", FRAMES, f"select s.*, p.* {both}")
    assert columns(found) == columns(ask_of("polars", FRAMES, f"select * {both}"))


def test_a_namesake_can_be_named_outside() -> None:
    text = 'select "finding:patients" as f from (select * from scans join patients using (id)) where age = 71'
    for kind in KINDS:
        assert columns(ask_of(kind, FRAMES, text)) == {"index": [0, 5], "f": ["Hernia", "Hernia"]}


# Keys of unlike types that can be equal all the same.
PAIRS: list[tuple[str, pl.Series, pl.Series, list[tuple[int, int]]]] = [
    ("int and float", pl.Series([1, 2]), pl.Series([2.0, 1.5]), [(1, 0)]),
    ("small and large", pl.Series([1, 2], dtype=pl.Int8), pl.Series([2, 300], dtype=pl.UInt64), [(1, 0)]),
    ("unsigned and signed", pl.Series([2**64 - 1, 3], dtype=pl.UInt64), pl.Series([-1, 3]), [(1, 1)]),
    ("floats of two sizes", pl.Series([0.5, 0.1], dtype=pl.Float32), pl.Series([0.5, 0.1]), [(0, 0)]),
    ("text and enum", pl.Series(["a", "b"]), pl.Series(["b", "c"], dtype=pl.Enum(["c", "b"])), [(1, 0)]),
    (
        "enums of other orders",
        pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])),
        pl.Series(["b", "a"], dtype=pl.Enum(["b", "a"])),
        [(0, 1), (1, 0)],
    ),
    (
        "categoricals",
        pl.Series(["a", "b"], dtype=pl.Categorical),
        pl.Series(["b", "a"], dtype=pl.Categorical),
        [(0, 1), (1, 0)],
    ),
    ("booleans", pl.Series([True, False]), pl.Series([False, None]), [(1, 0)]),
    ("dates", pl.Series([dt.date(2024, 1, 1)]), pl.Series([dt.date(2024, 1, 1)]), [(0, 0)]),
    ("nulls", pl.Series([None, 1]), pl.Series([None, None], dtype=pl.Int64), []),
    ("zeros", pl.Series([0.0, -0.0]), pl.Series([-0.0]), [(0, 0), (1, 0)]),
    ("NaN", pl.Series([math.nan, 1.0]), pl.Series([math.nan, 1.0]), [(1, 1)]),
]


@pytest.mark.parametrize("how", ["on a.k = b.k", "using (k)"])
@for_each(("name", "left", "right", "expected"), PAIRS, ids=[name for name, *_ in PAIRS])
def test_keys_of_unlike_types(name: str, left: pl.Series, right: pl.Series, expected: Any, how: str) -> None:
    a = pl.DataFrame({"k": left}).with_row_index("i")
    b = pl.DataFrame({"k": right}).with_row_index("j")
    found = tql_frames.query(f"select i, j from a join b {how}", index=None, a=a, b=b)
    assert found.rows() == expected


# A statement with the fault between « and », its class, and what it says.
ERRORS = [
    ("select «id» from scans join patients on scans.id = patients.id", "TQLNameError", "column 'id' is ambiguous"),
    ("select «id» from scans join patients on scans.id = patients.id", "TQLNameError", "scans.id or patients.id"),
    ("select age from «scans join patients using (nothing)»", "TQLNameError", "unknown column 'nothing'"),
    ("select age from «scans join patients using (age)»", "TQLNameError", "unknown column 'age'"),
    ("select age from scans join «nothing» using (id)", "TQLNameError", "unknown frame 'nothing'"),
    ("select age from «patient»", "TQLNameError", "did you mean 'patients'?"),
    ("«select» age", "TQLNameError", "FROM is missing"),
    ("select age from scans join «scans» using (id)", "TQLNameError", "two frames are called 'scans' here"),
    ("select age from scans as s join «patients as s» using (id)", "TQLNameError", "give one another name with AS"),
    (
        "select age from scans as s join patients on «scans.id» = patients.id",
        "TQLNameError",
        "no frame is named 'scans'",
    ),
    ("select «sites.age» from patients", "TQLNameError", "no frame is named 'sites' here"),
    ("select s.id, «p.id» from scans s join patients p on s.id = p.id", "TQLNameError", "two columns"),
    ("select age from scans join patients on «scans.finding = age»", "TQLTypeError", "text"),
    (
        "select age from scans left join patients on «scans.id < patients.id»",
        "TQLUnsupportedError",
        "LEFT JOIN takes equalities",
    ),
    (
        "select age from scans full join patients on scans.id = patients.id and «age > 5»",
        "TQLUnsupportedError",
        "FULL JOIN takes equalities",
    ),
    (
        "select age from scans left join patients on scans.id = patients.id and «score > 5»",
        "TQLUnsupportedError",
        "write left.column = right.column, joined by and",
    ),
    ("select age from scans join patients on «scans.finding»", "TQLTypeError", "expected a condition, got text"),
    ("select age from scans join patients«»", "TQLSyntaxError", "the text ends too early"),
    ("select age from scans«,» patients", "TQLSyntaxError", "unexpected ','"),
    ("select age from scans cross join patients «on» true", "TQLSyntaxError", ""),
]


@pytest.mark.parametrize("kind", ["polars", "lazy", "pandas"])
@for_each(("marked", "name", "message"), ERRORS)
def test_errors(marked: str, name: str, message: str, kind: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    with pytest.raises(TQLError) as caught:
        ask_of(kind, FRAMES, text)
    error = caught.value
    assert type(error).__name__ == name
    assert message in f"{error.message} {error.hint}"
    assert error.span == (marked.index("«"), marked.index("»") - 1)


class TestFrames:
    """The frames that are passed to `query`."""

    def test_none(self) -> None:
        with pytest.raises(TQLError, match="pass the frames that the statement names"):
            tql_frames.query("select *")

    def test_of_two_libraries(self) -> None:
        with pytest.raises(TQLError, match="two libraries"):
            tql_frames.query("select * from a", a=SITES, b=SITES.to_pandas())

    @pytest.mark.parametrize("frame", [None, 5, {"a": [1]}, pl.Series([1])])
    def test_no_frame(self, frame: Any) -> None:
        with pytest.raises(TQLError, match="expected the frame to be"):
            tql_frames.query("select * from a", a=frame)

    def test_eager_and_lazy_give_lazy(self) -> None:
        for sides in [(SITES, SITES.lazy()), (SITES.lazy(), SITES)]:
            found = tql_frames.query("select a.site from a join b using (site)", a=sides[0], b=sides[1])
            assert isinstance(found, pl.LazyFrame)
            assert found.collect()["site"].to_list() == ["a", "b"]

    def test_one_frame_by_two_names(self) -> None:
        found = tql_frames.query("select b.site from a join b on a.age != b.age", index=None, a=SITES, b=SITES)
        assert found["site"].to_list() == ["b", "a"]

    def test_what_is_not_named_need_not_fit(self) -> None:
        odd = pd.DataFrame({"o": [object()]}, index=["x"])
        found = tql_frames.query("select * from a where age = 35", a=SITES.to_pandas(), b=odd)
        assert found.index.tolist() == [1]

    def test_labels_of_the_frame_that_gives_the_rows(self) -> None:
        a = pd.DataFrame({"n": [1, 2]}, index=["x", "y"])
        b = pd.DataFrame({"n": [3, 4]}, index=["u", "v"])
        assert tql_frames.query("select * from b where n = 4", a=a, b=b).index.tolist() == ["v"]
        assert tql_frames.query("select * from a where n = 2", a=a, b=b).index.tolist() == ["y"]
        both = tql_frames.query("(select * from a) union (select * from b)", a=a, b=b)
        assert both.index.tolist() == [0, 1, 2, 3]
        assert tql_frames.query("select a.n from a join b on a.n + 2 = b.n", a=a, b=b).index.tolist() == [0, 1]

    def test_they_are_not_modified(self) -> None:
        a, b = SCANS.to_pandas(), PATIENTS.to_pandas()
        tql_frames.query("select * from a join b using (id)", a=a, b=b)
        pd.testing.assert_frame_equal(a, SCANS.to_pandas())
        pd.testing.assert_frame_equal(b, PATIENTS.to_pandas())


small_frames = st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from(["a", "b"])), max_size=6)


@settings(max_examples=size(25, 150), deadline=None, derandomize=True)
@given(small_frames, small_frames, st.sampled_from(["inner", "left", "right", "full"]), st.booleans())
def test_joins_of_random_frames(left: Any, right: Any, kind: str, both: bool) -> None:
    schema = {"k": pl.Int64(), "t": pl.String()}
    a = pl.DataFrame(left, schema=schema, orient="row").with_columns(i=pl.int_range(pl.len()))
    b = pl.DataFrame(right, schema=schema, orient="row").with_columns(j=pl.int_range(pl.len()))
    names = ["k", "t"] if both else ["k"]
    pairs = joined(kind, a, b, lambda x, y: all(equal(x[name], y[name]) for name in names))
    on = " and ".join(f"a.{name} = b.{name}" for name in names)
    for how in (f"on {on}", f"using ({', '.join(names)})"):
        found = tql_frames.query(f"select i, j from a {kind} join b {how}", index=None, a=a, b=b)
        assert found.rows() == pairs


def test_one_lazy_frame_makes_the_result_lazy() -> None:
    eager, lazy = pl.DataFrame({"n": [1, 2]}), pl.LazyFrame({"n": [3]})
    for text in ("select n from a where n > 1", "select n from b", "select a.n from a join b on a.n = b.n"):
        found = tql_frames.query(text, a=eager, b=lazy)  # type: ignore[type-var]
        assert isinstance(found, pl.LazyFrame), text
    assert isinstance(tql_frames.query("select n from a", a=eager), pl.DataFrame)
