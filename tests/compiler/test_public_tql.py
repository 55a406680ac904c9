"""Texts from the documentation of Deep Lake, its tests and projects, and forms of SQL that are refused by name."""

import datetime as dt
from typing import Any

import pandas as pd
import polars as pl
import pytest

import tql_frames
from tests.answers import ask, columns
from tests.loops import for_each
from tests.pages import LANGUAGE, ROOT
from tests.sizes import size
from tql_frames import TQLError, TQLNameError, TQLTypeError, TQLUnsupportedError, TQLWarning
from tql_frames.language import parse, parse_statement, unparse

PAGE = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in LANGUAGE)
FRAME = pl.DataFrame(
    {
        "id": [0, 1, 2, 3, 4, 5, 6, 7],
        "n": [0, 2, 1, 2, 2, 0, 5, None],
        "t": ["a", "b", None, "cat", "a", "", "z", "b"],
        "l": [[1, -2], [3], [], None, [4, 5, 6], [-1], [0], [7, 8]],
        "day": [dt.date(2024, 5, 1)] * 8,
    }
)
BOXES = pl.DataFrame(
    {
        "grid": pl.Series(
            [[[1, 2], [3, 4]], [[5, 6], [7, 8]], None, [[0, 0], [-1, 9]]], dtype=pl.Array(pl.Int64, (2, 2))
        ),
        "ragged": [[[1, 2], [3]], [], None, [[], [5, 6, 7], None]],
        "tags": [["red"], ["x", "red"], [], None],
    }
)
KINDS = ["polars", "lazy", "pandas"]


def rows_of(kind: str, text: str, **options: Any) -> list[int]:
    return columns(ask(kind, FRAME, text, **options))["id"]


def values(frame: pl.DataFrame, expression: str, **options: Any) -> list[Any]:
    return frame.tql.query(f"select {expression} as x", index=None, **options)["x"].to_list()


@pytest.mark.fault("A-public")
@pytest.mark.parametrize("kind", KINDS)
@for_each(
    ("text", "expected"),
    [
        ("select * from dataset where n = 2", [1, 3, 4]),
        ("select * from dataset as d where d.n = 2 and d.id > 1", [3, 4]),
        ("select x.* from t x join t y using (id) where y.n = 1", [2]),
        ("(select * from t where n = 1) union (select * from t where n = 5)", [2, 6]),
        ("select * where n in ARRAY[1, 5]", [2, 6]),
        ("select * where n not in array[0, 2]", [2, 6]),
        ("select * where t in array['a', 'cat']", [0, 3, 4]),
        ("select * where n = 1 expand by 1, 2", [1, 2, 3, 4]),
        ("select * where n = 1 expand by 1 2 as near", [1, 2, 3, 4]),
        ("select * where n between -1 and +1", [0, 2, 5]),
        ("select * where n = + 1 or - +n = -5", [2, 6]),
        ("select * where any(l) < 0", [0, 5]),
        ("select * where 0 > any(l)", [0, 5]),
        ("select * where all(l) between 0 and 6 and any(l) in (3, 4)", [1, 4]),
        ("select * where any(l > 0, 0)", [0, 1, 4, 7]),
        ("(select * where n = 1) union distinct (select * where n > 0)", [1, 2, 3, 4, 6]),
        ("select * where n > 0 intersect distinct select * where n < 2", [2]),
        ("select * where t like null or n = 1", [2]),
        ("select * where not (t not ilike null) or n = 1", [2]),
    ],
)
def test_public_texts_give_their_rows(text: str, expected: list[int], kind: str) -> None:
    assert rows_of(kind, text) == expected


@pytest.mark.fault("A-public")
def test_expand_by_as_numbers_the_matches() -> None:
    near = FRAME.tql.query("select id, near where n = 2 expand by 1 1 as near", index=None)
    assert near.rows() == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (5, 2)]  # of two near ones the first
    twice = FRAME.tql.query("select id, near where n = 2 expand by 1 0 overlap true as near", index=None)
    assert twice.rows() == [(0, 0), (1, 0), (2, 1), (3, 1), (3, 2), (4, 2)]
    assert FRAME.tql.query("select * where n = 2 expand by 1 1 as near").columns[-1] == "near"
    groups = FRAME.tql.query("select id where n = 2 expand by 1 1 as near group by near", index=None)
    assert groups["id"].to_list() == [[0, 1, 2], [3], [4, 5]]
    text = "select id, near where n = 2 expand by 2 1 as near order by near desc, id limit 2"
    assert FRAME.tql.query(text)["near"].to_list() == [2, 2]
    nothing = FRAME.tql.query("select near where n = 99 expand by 1 1 overlap true as near")
    assert nothing.schema["near"] == pl.Int64
    assert nothing.is_empty()
    with pytest.raises(TQLNameError, match="the rows have a column 'id' already") as caught:
        FRAME.tql.query("select * where n = 2 expand by 1 1 as id")
    assert caught.value.span == (21, 40)


@pytest.mark.fault("A-public")
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_a_row_counts_for_the_nearest_match_that_takes_it(before: int, after: int) -> None:
    hits = [1, 3, 4]
    found = FRAME.tql.query(f"select id, m where n = 2 expand by {before} {after} as m", index=None).rows()
    for place, number in found:
        near = [(abs(place - hit), k) for k, hit in enumerate(hits) if hit - before <= place <= hit + after]
        assert number == min(near)[1], (place, number)


@pytest.mark.fault("A-public")
@pytest.mark.parametrize("kind", KINDS)
def test_an_alias_replaces_the_column_of_the_star_in_its_place(kind: str) -> None:
    found = columns(ask(kind, FRAME.select("id", "n", "t"), "select *, n + 1 as n where n = 2 order by id desc"))
    assert [name for name in found if name != "index"] == ["id", "n", "t"]
    assert found["n"] == [3, 3, 3]
    assert found["id"] == [4, 3, 1]
    drawn = ask(kind, FRAME.select("id", "n"), "select *, id as n sample by n limit 4", seed=1)
    assert all(n > 0 for n in columns(drawn)["n"])
    for text, hint in (
        ("select *, 1 as n, 2 as n", "give one another name"),
        ("select n + 1 as n, *", "write the * first"),
        ("select *, n + 1", "give one another name"),
    ):
        with pytest.raises(TQLNameError, match="two columns of the result are named 'n'") as caught:
            ask(kind, FRAME, text)
        assert hint in str(caught.value.hint)


@pytest.mark.fault("A-public")
@pytest.mark.parametrize("kind", KINDS)
def test_a_star_with_indices_takes_elements_of_every_column(kind: str) -> None:
    lists = FRAME.select(l=pl.col("l"), m=pl.col("l"))
    if kind != "pandas":
        found = columns(ask(kind, lists, "select *[0:1]"))
        assert found["l"] == found["m"] == [(1,), (3,), (), None, (4,), (-1,), (0,), (7,)]
        assert columns(ask(kind, lists, "select *[-1]"))["m"] == [-2, 3, None, None, 6, -1, 0, 8]
    small = FRAME.select("id", "n")
    text = "select * from (select *[0:2] from (select * group by n)) ungroup by split"
    assert columns(ask(kind, small, text))["id"] == [0, 5, 1, 3, 2, 6, 7]
    ids = "select id from (select *[0:2] from (select * group by n) where shape(id)[0] > 1) ungroup by split"
    assert columns(ask(kind, small, ids))["id"] == [0, 5, 1, 3]
    with pytest.raises(TQLTypeError, match="column 'id' is a number, which has no elements"):
        ask(kind, FRAME, "select *[0:10]")


@pytest.mark.fault("A-public")
def test_a_part_of_groups_keeps_the_row_numbers() -> None:
    found = FRAME.select("id", "n").tql.query(
        "select * from (select *[1:] from (select * group by n)) ungroup by split"
    )
    assert found["index"].to_list() == found["id"].to_list() == [5, 3, 4]


@pytest.mark.fault("A-public")
def test_several_names_for_one_frame_are_refused_and_urls_too() -> None:
    with pytest.raises(TQLNameError, match="called on one frame, but names 2: a, b"):
        FRAME.tql.query("select a.id from a join b using (id)")
    with pytest.raises(TQLUnsupportedError, match="FROM a URL is not supported"):
        FRAME.tql.query('select * from "s3://x"')
    with pytest.raises(TQLNameError, match="unknown frame 'b'"):
        tql_frames.query("select * from b", a=FRAME)


@pytest.mark.fault("A-public")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("any(grid > 3, 0)", [[False, True], [True, True], None, [False, True]]),
        ("any(grid > 3, 1)", [[False, True], [True, True], None, [False, True]]),
        ("all(grid > 0, -1)", [[True, True], [True, True], None, [False, False]]),
        ("all(grid > 0, -2)", [[True, True], [True, True], None, [False, False]]),
        ("any(not (grid > 3 and grid < 8), 1)", [[True, True], [False, True], None, [True, True]]),
        ("any(ragged > 2, 0)", [[True, False], [], None, [True, True, True]]),
        ("any(ragged > 2, 1)", [[False, True], [], None, [False, True, None]]),
        ("all(ragged > 2, 1)", [[False, True], [], None, [True, True, None]]),
        ("all_strict(ragged > 2, 1)", [[False, True], [], None, [False, True, None]]),
        ("all(any(grid > 3, 1))", [False, True, None, False]),
        ("any(grid[:, 0]) < 0", [False, False, None, True]),
        ("any(grid, 1) = 5", [[False, False], [True, False], None, [False, False]]),
        ("any(tags) like 'r*'", [True, True, False, None]),
        ("any(tags like null)", [False, False, False, None]),
        ("any(tags = 'red', 0)", [True, True, False, None]),
    ],
)
def test_any_and_all_along_an_axis_and_before_a_comparison(expression: str, expected: list[Any]) -> None:
    assert values(BOXES, expression) == expected
    lazy = BOXES.lazy().tql.query(f"select {expression} as x", index=None).collect()
    assert lazy["x"].to_list() == expected


@pytest.mark.fault("A-public")
@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("any(grid > 3, 2)", "expected an axis from -2 to 1, got 2"),
        ("any(grid > 3, 'a')", "expected an axis from -2 to 1, got text"),
        ("any(tags = 'a', 1)", "expected an axis from -1 to 0, got 1"),
        ("any(true, 0)", "true or false has no axis"),
    ],
)
def test_a_wrong_axis_is_refused(expression: str, message: str) -> None:
    with pytest.raises(TQLTypeError, match=message):
        values(BOXES, expression)


@pytest.mark.fault("A-minor")
def test_like_null_is_null_and_still_needs_text() -> None:
    assert values(FRAME, "t like null") == values(FRAME, "t not ilike ?", parameters=[None]) == [None] * 8
    assert tql_frames.weights(FRAME, "max_weight(t like null: 2, t not like null: 3, true: 1)").to_list() == [1.0] * 8
    with pytest.raises(TQLTypeError, match="expected text for like, got a number"):
        values(FRAME, "n like null")


def test_data_counts_from_the_end_as_the_page_says() -> None:
    assert "or from -1 backwards for the last rows" in PAGE
    assert values(FRAME, "data(id, -1)") == [7] * 8
    assert values(FRAME, "data(id, -8)") == [0] * 8
    assert values(FRAME, "data(id, -9)") == values(FRAME, "data(id, 8)") == [None] * 8
    assert rows_of("pandas", "select * where id = data(id, -2)") == [6]
    assert FRAME.lazy().tql.query("select id where id = data(id, -2)").collect()["id"].to_list() == [6]


@pytest.mark.fault("A-minor")
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("select * where t «is distinct from» 'a'", "IS DISTINCT FROM"),
        ("select * where t «is not distinct from» 'a'", "IS NOT DISTINCT FROM"),
        ("select id «except all» select id", "EXCEPT ALL"),
        ("(select id) «intersect  ALL» (select id)", "INTERSECT ALL"),
        ("select t «||» 'x'", r"\|\|"),
        ("select * where t like 'a' «escape» '!'", "ESCAPE"),
        ("select * «using sample» 5", "USING SAMPLE"),
        ("select * from f «tablesample» (10 percent)", "TABLESAMPLE"),
        ("select «distinct on» (id) n", "DISTINCT ON"),
        ("select n group by «all»", "GROUP BY ALL"),
        ("«values» (1, 2)", "VALUES"),
        ("select * from («values» (1))", "VALUES"),
        ("select id «qualify» n > 1", "QUALIFY"),
        ("select id «minus» select id", "MINUS"),
        ("select row_number() «over» (order by id)", "OVER"),
        ("select id «fetch» first 5 rows only", "FETCH"),
    ],
)
def test_what_sql_has_and_tql_has_not_is_refused_by_name_with_a_way(text: str, name: str) -> None:
    plain = text.replace("«", "").replace("»", "")
    with pytest.raises(TQLUnsupportedError, match=f"^{name} is not supported") as caught:
        FRAME.tql.query(plain)
    assert caught.value.span == (text.index("«"), text.index("»") - 1)
    assert caught.value.hint


@pytest.mark.parametrize("word", ["values", "over", "window", "filter", "minus", "qualify", "escape", "if", "end"])
def test_such_words_are_names_where_a_name_stands(word: str) -> None:
    frame = pl.DataFrame({word: [1, 2]})
    assert frame.tql.query(f"select {word} where {word} > 1 order by {word}")[word].to_list() == [2]


@pytest.mark.fault("A-minor")
@pytest.mark.parametrize(
    ("key", "advice"), [("1", "name the column"), ("'id'", 'write "id" in double quotes'), ("-2", "")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_order_by_a_constant_warns(key: str, advice: str, kind: str) -> None:
    with pytest.warns(TQLWarning, match="sorts by a constant") as caught:
        assert rows_of(kind, f"select * order by {key}") == list(range(8))
    assert advice in str(caught[0].message)
    assert caught[0].filename == __file__ or kind == "lazy" or "answers" in caught[0].filename


@pytest.mark.fault("A-minor")
@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_beyond_memory_is_the_number_that_was_written(kind: str) -> None:
    with pytest.raises(TQLError, match="1,000,000,000,000,000 rows"):
        ask(kind, FRAME, "select * sample by id limit 1000000000000000")
    with pytest.warns(TQLWarning, match="1,000,000,000,000,000 rows were asked for"):
        found = ask(kind, FRAME, "select * sample by id replace false limit 1000000000000000", seed=1)
    assert sorted(columns(found)["id"]) == [1, 2, 3, 4, 5, 6, 7]
    frame = FRAME.to_pandas() if kind == "pandas" else FRAME
    with pytest.warns(TQLWarning, match="1,000,000,000,000,000 rows were asked for"):
        sample = frame.tql.sample("id", limit=10**15, replace=False, seed=1)
    assert sample["id"].to_list() == columns(found)["id"]
    assert rows_of(kind, "select * limit 1e15") == list(range(8))


@pytest.mark.fault("H9")
def test_flat_chains_are_no_nesting() -> None:
    frame = pl.DataFrame({"a": [1, 2, None], "f": [0.5, 1e300, 2.0], "l": [[1], [2], None]})
    for count in size((5, 17, 150), (5, 17, 101, 400)):
        assert values(frame, "+".join(["a"] * count)) == [count, 2 * count, None]
        assert values(frame, "a-" + "-".join(["a"] * count)) == [1 - count, 2 - 2 * count, None]
        assert values(frame, " * ".join(["1", *["a"] * count]))[0] == 1
        assert values(frame, "+ -".join(["a"] * count))[0] == 2 - count
        assert values(frame, "+".join(["l"] * count)) == [[count], [2 * count], None]
        signs = "".join(f" {'+-'[k % 2]} {k}" for k in range(count))
        assert values(frame, f"a{signs}")[0] == 1 + sum(k if k % 2 == 0 else -k for k in range(count))
    for count in (4, 5, 30):
        text = "a" + " - b + c" * count
        assert unparse(parse(text)) == text
        assert parse(unparse(parse(f"({text}) - ({text})"))) == parse(f"({text}) - ({text})")


@pytest.mark.fault("H9")
def test_a_hundred_levels_hold_for_every_kind_of_nesting() -> None:
    frame = pl.DataFrame({"a": [1], "b": [True]})

    def nested(levels: int) -> list[str]:
        return [
            "select " + "abs(" * levels + "a" + ")" * levels,
            "select a where " + "not " * levels + "b",
            "select " + "- " * levels + "a",
            "select " + "abs(a + a + a + " * (levels // 2) + "a" + ")" * (levels // 2),
            "select a from (" * levels + "select a" + ")" * levels,
            "(select a union " * levels + "select a" + ")" * levels,
            " union ".join(["select a"] * (levels + 1)),
            "(" * levels + "select a" + " limit 2)" * levels + " limit 3",
            "select a sample by " + "sqrt(" * levels + "a" + ")" * levels,
        ]

    for text in nested(100):
        assert frame.tql.query(text).height == 1, text[:40]
    for text in nested(102):
        with pytest.raises(TQLError, match="nested deeper than 100 levels"):
            frame.tql.query(text)


def test_ilike_compares_letters_one_by_one_as_the_page_says() -> None:
    assert "`ß` does not match `SS`, and the Turkish `İ` does not match `i`" in PAGE
    frame = pl.DataFrame({"t": ["straße", "STRASSE", "İ", "É"]})
    assert values(frame, "t ilike 'strasse'") == [False, True, False, False]
    assert values(frame, "t ilike 'i'") == [False] * 4
    assert values(frame, "t ilike 'é'") == [False, False, False, True]


@pytest.mark.fault("A-public")
def test_new_forms_on_dask() -> None:
    dd = pytest.importorskip("dask.dataframe")
    pytest.importorskip("tql_frames.dask")
    plain = pd.DataFrame({"id": range(8), "n": [0, 2, 1, 2, 2, 0, 5, 7]})
    frame = dd.from_pandas(plain, npartitions=3)
    for text in (
        "select * from dataset where n in array[1, 5]",
        "select *, n + 1 as n where n between -1 and +1",
        "select id, n + n + n + n + n + n as s where n > 0",
    ):
        found = frame.tql.query(text).compute()
        assert found.to_dict("list") == plain.tql.query(text).to_dict("list")
    with pytest.raises(TQLUnsupportedError, match="EXPAND BY is not supported on frames of partitions"):
        frame.tql.query("select * where n = 2 expand by 1, 1 as near")


@pytest.mark.fault("A-public")
@pytest.mark.parametrize("word", ["overlap", "array", "all", "near", "top"])
def test_soft_keywords_are_names_in_the_new_forms(word: str) -> None:
    text = f"select {word}, *[{word}], t.*[0] where {word} in ({word}) expand by 1, 2 overlap true as {word}"
    found = parse_statement(text)
    assert parse_statement(unparse(found)) == found
