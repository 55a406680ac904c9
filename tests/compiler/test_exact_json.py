"""Numbers and booleans inside JSON texts, compared exactly."""

import re

import pandas as pd
import polars as pl
import pytest

import tql_frames

FIRST, SECOND = 1688888888888888801, 1688888888888888802
FRAME = pl.DataFrame(
    {
        "m": [
            f'{{"id": {FIRST}, "flag": true, "a": 1}}',
            f'{{"id": {SECOND}, "flag": false, "a": true}}',
            '{"id": 2.5}',
        ],
        "i": [FIRST, FIRST, 2],
        "u": pl.Series([SECOND] * 3, dtype=pl.UInt64),
        "w": pl.Series([SECOND] * 3, dtype=pl.Int128),
        "f": [2.5] * 3,
        "b": [True] * 3,
        "l": [[SECOND, 2]] * 3,
    }
)


def value(text: str, parameters: list[object] | None = None) -> list[object]:
    """The answer of all kinds of frame, which is one."""
    query = f"select {text} as r"
    found: list[object] = FRAME.tql.query(query, parameters)["r"].to_list()
    assert FRAME.lazy().tql.query(query, parameters).collect()["r"].to_list() == found
    pandas = FRAME.select("m", "i", "u", "f", "b").to_pandas()
    if not re.search(r"\b[wl]\b", text):
        assert [None if pd.isna(each) else each for each in pandas.tql.query(query, parameters)["r"]] == found
    return found


@pytest.mark.fault("A2")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"m['id'] = {SECOND}", [False, True, False]),
        (f"m['id'] != {SECOND}", [True, False, True]),
        (f"m['id'] > {FIRST}", [False, True, False]),
        (f"{FIRST} < m['id']", [False, True, False]),
        (f"m['id'] between {SECOND} and {SECOND}", [False, True, False]),
        (f"m['id'] in ({SECOND}, 7)", [False, True, False]),
        (f"m['id'] not in ({SECOND}, 7)", [True, False, True]),
        ("m['id'] = i", [True, False, False]),
        ("m['id'] > i", [False, True, True]),
        ("m['id'] = u", [False, True, False]),
        ("u = m['id']", [False, True, False]),
        ("m['id'] < w", [True, False, True]),
        ("m['id'] = f", [False, False, True]),
        ("m['id'] in (i, 2.5)", [True, False, True]),
        ("u in (m['id'], 3)", [False, True, False]),
        ("contains(l, m['id'])", [False, True, False]),
    ],
)
def test_whole_numbers_in_json_are_exact(text: str, expected: list[bool]) -> None:
    assert value(text) == expected


@pytest.mark.fault("A2")
def test_parameters_and_order_beside_whole_numbers_in_json_are_exact() -> None:
    assert value("m['id'] = ?", [SECOND]) == [False, True, False]
    assert value("m['id'] in (?)", [[SECOND, 3]]) == [False, True, False]
    turned = FRAME.reverse().tql.query("select i order by m['id']")["index"].to_list()
    assert turned == [0, 2, 1]
    pairs = FRAME.tql.query("select m where m['id'] = 1.5 or m['id'] = 2.5")
    assert pairs.height == 1


@pytest.mark.fault("A2")
def test_a_join_finds_whole_numbers_of_json_exactly() -> None:
    text = "select a.i, b.n from a join b on a.m['id'] = b.k"
    other = pl.DataFrame({"k": [FIRST, SECOND, 1], "n": [1, 2, 3]})
    assert tql_frames.query(text, a=FRAME, b=other)["n"].to_list() == [1, 2]


NOTES = pl.DataFrame(
    {"m": ['{"k": "x", "f": 1.5}', '{"k": "y", "f": 2}', '{"k": 5, "f": "2.5"}', '{"k": true}', None], "i": range(5)}
)
OTHERS = pl.DataFrame(
    {
        "t": ["y", "x", "5", "true"],
        "f": [2.5, 1.5, 2.0, 5.0],
        "b": [True, False, None, True],
        "o": ['{"k": "y"}', '{"k": 5.0}', '{"k": "5"}', '{"k": null}'],
        "n": range(4),
    }
)


@pytest.mark.parametrize(
    ("value", "key", "pairs"),
    [
        ("m['k']", "t", [(0, 1), (1, 0)]),  # the number 5 is not the text '5', true not 'true'
        ("m['f']", "f", [(0, 1), (1, 2)]),
        ("m['k']", "f", [(2, 3)]),
        ("m['k']", "b", [(3, 0), (3, 3)]),
    ],
)
def test_a_join_reads_json_as_values_of_the_kind_of_the_other_side(
    value: str, key: str, pairs: list[tuple[int, int]]
) -> None:
    for condition in (f"a.{value} = b.{key}", f"b.{key} = a.{value}"):
        for kinds in ("polars", "pandas"):
            a, b = (NOTES, OTHERS) if kinds == "polars" else (NOTES.to_pandas(), OTHERS.to_pandas())
            found = tql_frames.query(f"select a.i, b.n from a join b on {condition}", a=a, b=b)
            assert list(zip(found["i"], found["n"], strict=True)) == pairs, (condition, kinds)


VALUES = ["5", "5.0", '"5"', "true", "1", "1.5", '"1.5"', "null", "[5]", '{"a": 5}', '"x"', '"\\ud800"', '"?"']
VALUES += [str(FIRST), str(SECOND), f"{FIRST}.0", str(2**127), str(2**127 + 1), "1e400", "-0.0", "0", "false"]


@pytest.mark.parametrize("kind", ["inner", "left", "full"])
def test_a_join_of_json_with_json_finds_the_values_that_are_equal(kind: str) -> None:
    a = pl.DataFrame({"m": [f'{{"k": {value}}}' for value in VALUES] + [None, "{}", "no JSON"]}).with_row_index("i")
    b = a.reverse().rename({"m": "o", "i": "n"})
    pairs = tql_frames.query("select a.i, b.n from a cross join b where a.m['k'] = b.o['k']", a=a, b=b)
    expected = set(pairs.select("i", "n").rows())
    assert {(0, 1), (3, 4), (11, 12), (16, 17)} <= expected and not {(0, 2), (5, 6), (8, 8), (13, 14)} & expected
    for names in ("a.m['k'] = b.o['k']", "b.o['k'] = a.m['k']"):
        found = tql_frames.query(f"select a.i, b.n from a {kind} join b on {names}", a=a, b=b).select("i", "n").rows()
        assert len(set(found)) == len(found)
        assert {pair for pair in found if None not in pair} == expected, names


@pytest.mark.fault("A7")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m['flag'] = 1", [True, False, None]),
        ("m['flag'] = true", [True, False, None]),
        ("m['flag'] < 1", [False, True, None]),
        ("m['a'] = true", [True, True, None]),
        ("m['flag'] = b", [True, False, None]),
        ("m['a'] = m['flag']", [True, False, None]),
        ("m['flag'] in (1, 2)", [True, False, None]),
        ("m['flag'] between 0 and 0.5", [False, True, None]),
        ("m['flag'] = 'true'", [None, None, None]),
    ],
)
def test_booleans_in_json_compare_as_a_boolean_column(text: str, expected: list[bool | None]) -> None:
    assert value(text) == expected
