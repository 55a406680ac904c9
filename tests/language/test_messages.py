"""What is said of wrong texts and arguments: the guilty characters, and an instruction."""

import datetime as dt
import importlib
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tql_frames
from tests.loops import for_each
from tql_frames import TQLError, TQLTypeError, TQLWarning

FRAME = pl.DataFrame(
    {
        "n": [1, 2, 3],
        "t": ["a", "b", None],
        "findings": [["Hernia"], ["Mass"], []],
        "taken": [dt.date(2024, 5, 1)] * 3,
        "a.b": [1, 2, 3],
        "s": [{"w": 1}] * 3,
    }
)
PARAMETERS = "write ? for a value, and pass the values in order: parameters=[…]"
COMMENT = "a comment starts with -- and ends with the line"
CHOICE = "write max_weight(condition: value, …, True: other)"
COLON = "write a colon between the condition of an arm and its weight"
DEFAULT = "write True: weight for rows that match no other arm"
POWER = "write x * x; TQL has no power operator"
AS_COLUMN = "compute it as a column of the frame first, and name that column"

# A statement with the fault between « and », and the hint.
STATEMENTS = [
    ("select * where n > «{»x}", PARAMETERS),
    ("select * where n > «%s»", PARAMETERS),
    ("select * where n > «%(x)s»", PARAMETERS),
    ("select * where n > «$»1", PARAMETERS),
    ("select * where n > «@»x", PARAMETERS),
    ("select * where n > «:x»", PARAMETERS),
    ("select * where n in «[»1, 2]", "write in (1, 2)"),
    ("select «[»1, 2] as x", "write ARRAY[1, 2]"),
    ("select * where n in «?»", "write in (?)"),
    ("select * where n in «5»", "write in (5)"),
    ("select * where 'x' in «findings»", "write contains(findings, 'x'), or the values in parentheses: in (…)"),
    ("select * where 'x' not in «findings»", "write not contains(findings, 'x'), or the values in parentheses: in (…)"),
    ("select * «whre» n > 1", "did you mean WHERE?"),
    ("select n «whre» n > 1", "did you mean WHERE?"),
    ("select * «form» dataset", "did you mean FROM?"),
    ("select n «form» dataset where n > 1", "did you mean FROM?"),
    ("select * from x «whre» n > 1", "did you mean WHERE?"),
    ("«selct» * where n > 1", "did you mean SELECT?"),
    ("select n «oder» by n", "did you mean ORDER?"),
    ("select n where n > 1 «adn» n < 3", "did you mean AND?"),
    ("select n limit 5 «percnt»", "did you mean PERCENT?"),
    ("select n «sampel» by n", "did you mean SAMPLE?"),
    ("select * where «taken > 2024-05-01»", "write the date in single quotes: '2024-05-01'"),
    ("select * where «taken between 2024-01-01 and 2024-12-31»", "write the date in single quotes: '2024-01-01'"),
    ("select * where taken in («2024-05-01»)", "write the date in single quotes: '2024-05-01'"),
    ("select * where «t = 2024-05-01»", "write the date in single quotes: '2024-05-01'"),
    ("select * where «a.b» > 1", 'write "a.b" in double quotes'),
    ("select * where «isnull»(n)", "write x is null"),
    ("select * where n = «None»", "write null for a missing value, and x is null to test for one"),
    ("select * where n is «None»", "write is null"),
    ("select * where n is not «nan»", "write is not null"),
    ("select * where n «=>» 1", "write >="),
    ("select * where n «=<» 1", "write <="),
    ("select «/*» x */ n", COMMENT),
    ("«/*» x */ select n", COMMENT),
    ("select n «/*» x */ where n > 1", COMMENT),
    ("select n «#» x", COMMENT),
    ("select n «**» 2", POWER),
    ("select n «^» 2", POWER),
    ("select «pow»(n, 2)", POWER),
    ("select «round»(n)", AS_COLUMN),
    ("select «log»(n)", AS_COLUMN),
    ("select «if»(n > 1, 2, 3)", CHOICE),
    ("select «where»(n > 1, 2, 3) as x", CHOICE),
    ("select «if» n > 1 then 2", None),
    ("select * order by «s»", "order by one of its keys: s['w']"),
    ("select * sample by max_weight(n > 1: 2, «1»)", "write True: 1 for rows that match no other arm"),
    ("select * sample by max_weight(n > 1«,» 2, True: 1)", COLON),
    ("select * sample by 2 * sum_weight(n in (1, 2)«,» 2, True: 1)", COLON),
    ("select * sample by max_weight(\"a:b\" = ':('«,» 2, True: 1)", COLON),
    ("select * sample by max_weight(n > 1: 2«:» 1)", None),
    ("select * where any(n, 2«:» 1)", None),
    ("select * sample by max_weight(n > 1: 2, «else»: 1)", DEFAULT),
    ("select * sample by max_weight(n > 1: 2, «default»: 1)", DEFAULT),
    ("select * sample by max_weight(n > 1: 2, «*»: 1)", DEFAULT),
    ("select * where n«::»int > 1", "TQL has no casts; convert the column of the frame first"),
    ("select * from «'x.parquet'»", "load the file as a frame, and query that"),
]
LENGTH = "shape(x)[0] is the number of elements of a list; compute the length of a text as a column of the frame"
SAMPLERS = [
    ("max_weight(n > 1: 2, «0.5»)", "write True: 0.5 for rows that match no other arm"),
    ("max_weight(n > 1: 2, «otherwise»: 1)", DEFAULT),
    ("«where»(n > 1, 2, 3)", CHOICE),
    ("20 «if» n > 1 else 1", CHOICE),
    ("«if» n > 1: 2", CHOICE),
    ("«len»(t)", LENGTH),
    ("«length»(t)", LENGTH),
    ("n > 1 «nad» n < 3", "did you mean AND?"),
    ("«/*» x */ n", COMMENT),
    ("n «/*» x */", COMMENT),
    ("n > «%s»", "write the value itself, or use query(text, parameters=[…]), which takes ? for a value"),
    ("n «beetween» 1 and 2", "did you mean BETWEEN?"),
    ("'Hernia' in «findings»", "write contains(findings, 'Hernia'), or the values in parentheses: in (…)"),
]


def blamed(text: str) -> tuple[str, tuple[int, int]]:
    return text.replace("«", "").replace("»", ""), (text.index("«"), text.index("»") - 1)


@pytest.mark.fault("F")
@for_each(("marked", "hint"), [each for each in STATEMENTS if each[1]])
@pytest.mark.parametrize("kind", ["polars", "lazy", "pandas"])
def test_a_wrong_statement_is_told_what_to_write(marked: str, hint: str, kind: str) -> None:
    text, span = blamed(marked)
    frame = {"polars": FRAME, "lazy": FRAME.lazy(), "pandas": FRAME.to_pandas()}[kind]
    with pytest.raises(TQLError) as caught:
        frame.tql.query(text)
    assert (caught.value.hint, caught.value.span) == (hint, span), caught.value


# What may stand in place of a token, or of the end of the text: operators, too, where a value is complete.
EXPECTED = [
    ("select * where n«:»", "an operator, the next clause or the end"),
    ("select * where n + 1 * 2 «]»", "an operator, the next clause or the end"),
    ("select * where n > 1 «]»", "an operator, the next clause or the end"),
    ("select * where t like 'a*' «]»", "an operator, the next clause or the end"),
    ("select * where n is not null «5»", "the next clause, 'and', 'or' or the end"),
    ("select * where shape(findings)[0] «,»", "an operator, the next clause or the end"),
    ("select findings[0] «]»", "an operator, the next clause, ',', 'as', a name or the end"),
    ("select (n + 1«»", "an operator or ')'"),
    ("select findings[0«»", "an operator, ',', ':' or ']'"),
    ("select array[1, n«»", "an operator, ',' or ']'"),
    ("select max(n«»", "an operator, ')', ',' or ':'"),
    ("select n as a «5»", "the next clause, ',' or the end"),
    ("select n order by n «5»", "an operator, ',', 'asc', 'desc', 'limit', 'offset', 'sample' or the end"),
    ("select * where n between 1 «]»", "an operator or 'and'"),
    ("select * sample by max_weight(n > 1: 2«»", "an operator, ')' or ','"),
    ("select * where (n > 1«»", "an operator or ')'"),
]


@for_each(("marked", "expected"), EXPECTED)
def test_all_that_may_follow_in_a_statement_is_named(marked: str, expected: str) -> None:
    text, span = blamed(marked)
    with pytest.raises(TQLError) as caught:
        FRAME.tql.query(text)
    assert (caught.value.hint, caught.value.span) == (f"expected {expected}", span), caught.value


_CONDITION = "write ON a.key = b.key or USING (key); CROSS JOIN gives every pair"
_USING = "write USING (column, …) with names of columns that both frames have"
_SEMI = "write JOIN (SELECT DISTINCT key FROM …) USING (key)"
_ANTI = "write LEFT JOIN … ON a.key = b.key WHERE b.key IS NULL"
_NATURAL = "write JOIN … USING (column, …) with the columns that both frames have"
JOINS = [
    ("select * from a «natural» join b", _NATURAL),
    ("select * from a «NATURAL» left outer join b", _NATURAL),
    ("select * from a x «natural» join b", _NATURAL),
    ("select * from (select * from a) «semi» join b using (n)", _SEMI),
    ("select * from a left «semi» join b using (n)", _SEMI),
    ("select * from a «anti» join b on a.n = b.n", _ANTI),
    ("select * from a «asof» join b using (n)", "join the frames first: join_asof of Polars, merge_asof of pandas"),
    ("select * from a «outer» join b using (n)", "write FULL JOIN"),
    ("select * from a left «outer» b using (n)", "write LEFT JOIN, RIGHT JOIN or FULL JOIN"),
    (
        "select * from a «positional» join b",
        "put the frames side by side first, or join them on a column of row numbers",
    ),
    ("select * from a join «lateral» (select * from b) on true", "write the subquery after FROM or JOIN"),
    ("select * from a cross «apply» b", "write JOIN (SELECT …) ON condition"),
    ("select * from a straight_join «b» on a.n = b.n", "write JOIN"),
    ("select * from a«,» b", "write JOIN … ON condition, or CROSS JOIN for every pair"),
    ("select * from a join b«»", _CONDITION),
    ("select * from a left join b «where» n > 1", _CONDITION),
    ("select * from a join (select * from b) «limit» 3", _CONDITION),
    ("select * from a join b using «n» where n > 1", "write USING (n)"),
    ("select * from a join b using «n», t", "write USING (n, t)"),
    ("select * from a join b using («)»", _USING),
    ("select * from a join b using («'n'»)", _USING),
    ("select * from a join b using (a«.»n)", _USING),
    ("select * from a cross join b «on» a.n = b.n", "CROSS JOIN takes no condition; write JOIN"),
]


@pytest.mark.fault("F")
@pytest.mark.parametrize(("marked", "hint"), JOINS)
def test_a_join_of_another_language_is_refused_with_what_to_write(marked: str, hint: str) -> None:
    text, span = blamed(marked)
    with pytest.raises(TQLError) as caught:
        tql_frames.query(text, a=FRAME, b=FRAME)
    assert (caught.value.hint, caught.value.span) == (hint, span), caught.value
    assert "''" not in str(caught.value).splitlines()[0]


@pytest.mark.parametrize("word", ["anti", "asof", "natural", "outer", "positional", "semi"])
def test_kinds_of_join_are_names_all_the_same(word: str) -> None:
    named: Any = {word: FRAME.select("n"), "b": FRAME.select("n")}
    for text in (
        f"select {word}.n from {word} join b on {word}.n = b.n",
        f"select {word}.n from b as {word} join b on {word}.n = b.n",
        f'select {word}.n from b "{word}" join b on {word}.n = b.n',
        f"select b.n as {word} from {word} inner join b using (n)",
    ):
        assert tql_frames.query(text, **named).height == 3


@pytest.mark.parametrize(
    "text",
    [
        "select a.n from a join (select distinct n from b) using (n)",
        "select a.n from a left join b on a.n = b.n where b.n is null",
    ],
)
def test_what_hints_of_joins_say_runs(text: str) -> None:
    two = pl.concat([FRAME.select("n")] * 2)
    assert tql_frames.query(text, a=FRAME, b=two).height == (0 if "left" in text else 3)


@pytest.mark.fault("F")
@pytest.mark.parametrize(("marked", "hint"), SAMPLERS)
def test_a_wrong_sampler_is_told_what_to_write(marked: str, hint: str) -> None:
    text, span = blamed(marked)
    with pytest.raises(TQLError) as caught:
        tql_frames.weights(FRAME, text)
    assert (caught.value.hint, caught.value.span) == (hint, span), caught.value


@pytest.mark.parametrize("text", ["select n where", "select a b c", "select n from t u v", "select n where n > 1 n"])
def test_words_that_are_near_nothing_get_no_guess(text: str) -> None:
    with pytest.raises(TQLError) as caught:
        FRAME.tql.query(text)
    assert "did you mean" not in str(caught.value.hint)


@pytest.mark.fault("F")
@pytest.mark.parametrize(
    "text", [".*rnia", "^Her", "Hernia$", "Hernia|Mass", "%rnia%", "*rnia", r"\d+", "[a-z]+", "(?i)mass"]
)
@pytest.mark.parametrize("column", ["findings", "t"])
def test_contains_of_a_pattern_warns(text: str, column: str) -> None:
    with pytest.warns(TQLWarning, match="contains looks for .* as it is written") as caught:
        found = FRAME.tql.query(f"select n where contains({column}, '{text}')")
    assert found.is_empty()
    assert "contains(" in str(caught[0].message)[20:] if "|" in text else " like '" in str(caught[0].message)


@pytest.mark.parametrize("text", ["Hernia", "a.b", "5 %", "x (y)", "C:\\x", "a*b", "$", "", "|", "[x]"])
def test_contains_of_a_plain_text_does_not(text: str) -> None:
    FRAME.tql.query(f"select n where contains(t, '{text}') or contains(findings, '{text}')")  # a warning is an error


WRONG_NAMES = {
    "n": "limit",
    "size": "limit",
    "frac": "fraction",
    "random_state": "seed",
    "with_replacement": "replace",
    "weights": "sampler",
    "limt": "limit",
}


@pytest.mark.fault("F")
@pytest.mark.parametrize(("wrong", "right"), WRONG_NAMES.items())
def test_an_argument_of_another_library_is_told_ours(wrong: str, right: str) -> None:
    pandas = FRAME.to_pandas()
    calls: list[Any] = [
        *(getattr(frame.tql, call) for frame in (FRAME, FRAME.lazy(), pandas) for call in ("sample", "view")),
        *(lambda call=call, **options: call(FRAME, "n", **options) for call in (tql_frames.sample, tql_frames.view)),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=rf"has no argument '{wrong}'; .*{right}") as caught:
            call(**{wrong: 1})
        assert "Namespace" not in str(caught.value)


@pytest.mark.fault("F")
def test_calls_without_such_an_argument_list_theirs() -> None:
    for call in (
        lambda: FRAME.tql.query("select *", n=5),
        lambda: FRAME.tql.balance("t", n=5),
        lambda: FRAME.to_pandas().tql.report(by="t", n_rows=5),
        lambda: tql_frames.weights(FRAME, "n", size=1),
        lambda: tql_frames.query("select * from f", n=5, f=FRAME),
        lambda: tql_frames.explain(FRAME, "n", frac=1),
    ):
        with pytest.raises(TypeError, match=r"\(\) has no argument '\w+'; (its arguments are|write|did you mean)"):
            call()
    assert tql_frames.query("select * from n", n=FRAME, index=None).equals(FRAME)  # a frame may have any name


@pytest.mark.fault("F")
def test_arguments_on_dask_are_told_ours() -> None:
    dd = pytest.importorskip("dask.dataframe")
    pytest.importorskip("tql_frames.dask")
    frame = dd.from_pandas(pd.DataFrame({"n": [1, 2]}), npartitions=1)
    with pytest.raises(TypeError, match=r"sample\(\) has no argument 'frac'; write fraction="):
        frame.tql.sample("n", frac=0.5)
    with pytest.raises(TQLError, match="got list") as caught:
        frame.tql.sample([1, 2])
    assert "as a column" in str(caught.value.hint)


@pytest.mark.fault("F")
def test_weights_of_classes_are_told_the_way() -> None:
    with pytest.raises(TQLError, match="got dict") as caught:
        FRAME.tql.sample({"a": 2})
    assert "max_weight(" in str(caught.value.hint)


@pytest.mark.fault("G")
def test_a_balance_is_a_sampler() -> None:
    found = FRAME.tql.balance("t", {"a": 0.5, "b": 0.5})
    for frame in (FRAME, FRAME.to_pandas()):
        drawn = frame.tql.sample(found, limit=5, seed=1)
        assert drawn["n"].to_list() == frame.tql.sample(found.sampler, limit=5, seed=1)["n"].to_list()
        assert str(frame.tql.report(found, by="t")) == str(frame.tql.report(found.sampler, by="t"))
        assert frame.tql.view(found, limit=5, seed=1).sampler == found.sampler
        assert list(frame.tql.weights(found)) == list(frame.tql.weights(found.sampler))
        assert str(frame.tql.explain(found)) == str(frame.tql.explain(found.sampler))


class Relation:
    """A frame of a library that is not installed."""

    __module__ = "datafusion.dataframe"


@pytest.mark.fault("F")
@pytest.mark.parametrize(
    ("frame", "name", "way"),
    [
        (Relation(), "datafusion.Relation", r"pass frame.to_polars\(\)"),
        ({"n": [1]}, "dict", r"pass pl.DataFrame\(columns\)"),
        (pl.Series("n", [1]), "polars.Series", r"pass series.to_frame\(\)"),
        (pd.Series([1], name="n"), "pandas.Series", r"pass series.to_frame\(\)"),
        (np.ones(2), "numpy.ndarray", r"pass pl.DataFrame\(array\)"),
    ],
)
def test_a_frame_of_another_library_is_named_with_the_way_over(frame: Any, name: str, way: str) -> None:
    for call in (
        lambda: tql_frames.sample(frame, "n"),
        lambda: tql_frames.view(frame, "n"),
        lambda: tql_frames.report(frame, by="n"),
        lambda: tql_frames.query("select * from x", x=frame),
    ):
        with pytest.raises(TQLError, match=rf"got {name}\n  {way}"):
            try:
                call()
            except TQLError as error:
                raise TQLError(str(error)) from None


@pytest.mark.fault("A-minor")
@pytest.mark.parametrize("frame", [FRAME, FRAME.to_pandas()])
def test_a_column_as_by_is_told_to_be_a_name(frame: Any) -> None:
    for call in (frame.tql.balance, frame.tql.report):
        with pytest.raises(TQLError, match="expected by= to be the name of a column, got Series") as caught:
            call(by=frame["t"])
        assert caught.value.hint == "pass the name of the column: by='t'"
    with pytest.raises(TQLError, match="expected limit= to be a whole number of at least 0, got Series"):
        frame.tql.sample("n", limit=frame["n"])


@pytest.mark.fault("F")
def test_a_message_quotes_no_more_than_80_characters() -> None:
    long = "x" * 500
    calls = [
        lambda: FRAME.tql.sample(long),
        lambda: FRAME.tql.sample(f'"{long}" > 1'),
        lambda: FRAME.tql.query(f"select n as {long}, n as {long}"),
        lambda: FRAME.tql.query(f"select * from {long} join y using (n)"),
        lambda: FRAME.tql.query(f"select {long}(n)"),
        lambda: FRAME.tql.query(f"select * where taken > '{long}'"),
        lambda: FRAME.tql.query(f"select n where t in '{long}'"),
        lambda: FRAME.rename({"n": long}).tql.query(f"select {long}y"),
        lambda: FRAME.tql.balance(long),
        lambda: FRAME.tql.report("n", by="t", limit=long),
        lambda: FRAME.tql.sample("n", index=[long]),
        lambda: FRAME.tql.sample("n", order=long),
    ]
    for call in calls:
        with pytest.raises(TQLError) as caught:
            call()
        for said in (caught.value.message, caught.value.hint or ""):
            assert "x" * 82 not in said, said
            assert len(said) < 400
    plain = f"it's {'y ' * 200}and it's"
    assert TQLError(plain).message == plain  # quotes inside words are none


@pytest.mark.fault("F")
@pytest.mark.parametrize("frame", [FRAME, FRAME.lazy(), FRAME.to_pandas()])
def test_weights_that_are_no_numbers_are_expected_to_be(frame: Any) -> None:
    with pytest.raises(TQLTypeError, match="expected numeric weights, got String") as caught:
        found = frame.tql.sample(pl.col("t"))
        found.collect()
    assert caught.value.hint == "use a numeric column, or cast the expression"


@pytest.mark.fault("A-minor")
def test_types_of_other_libraries_are_put_in_words() -> None:
    frame = pd.DataFrame({"p": pd.period_range("2024-01", periods=2, freq="M"), "n": [1, 2]})
    for call in (
        lambda: frame.tql.sample("p"),
        lambda: frame.tql.sample("p > 1"),
        lambda: frame.tql.balance("p"),
        lambda: frame.tql.sample(pl.col("p")),
    ):
        with pytest.raises(TQLError) as caught:
            call()
        assert "Extension(" not in str(caught.value)


@pytest.mark.fault("A-minor")
def test_an_item_beyond_the_start_is_an_index_error() -> None:
    pytest.importorskip("torch")
    torch = importlib.import_module("tql_frames.torch")
    dataset = torch.TQLDataset(pl.DataFrame({"n": [1, 2, 3]}))
    for place in (-4, 3, -(10**9)):
        with pytest.raises(IndexError, match=f"item {place:,} was asked for, and the data set has 3 rows"):
            dataset[place]
    assert dataset[-3] == dataset[0]
    with pytest.raises(TQLError, match="expected the place of an item to be a whole number"):
        dataset["a"]
