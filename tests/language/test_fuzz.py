"""Random and mutated sampler texts: each ends in weights or in a TQLError whose span lies inside the text.

Statements, too: each ends in a frame or in such an error, on a small frame and on one without rows. How many texts are
tried is told by the environment variable TQL_FUZZ.
"""

import contextlib
import datetime as dt
import os
import random
import re
import time
import warnings

import polars as pl
import pytest

import tql_frames
from tests.sizes import size
from tql_frames import TQLError

TEXTS = int(os.environ.get("TQL_FUZZ", size(1_200, 20_000)))  # samplers; of statements a sixth as many
CHUNKS = size(4, 20)
TEXTS_A_CHUNK = max(TEXTS // CHUNKS, 1)

FRAME = pl.DataFrame(
    {
        "i8": pl.Series([-128, 127, None], dtype=pl.Int8),
        "i64": pl.Series([-(2**63), 2**63 - 1, None], dtype=pl.Int64),
        "u64": pl.Series([2**64 - 1, 0, None], dtype=pl.UInt64),
        "n": [3, -2, None],
        "f": [float("nan"), float("inf"), None],
        "f32": pl.Series([0.1, -0.0, None], dtype=pl.Float32),
        "b": [True, False, None],
        "t": ["Hernia", "it's é", None],
        "cat": pl.Series(["red", "blue", None], dtype=pl.Categorical),
        "en": pl.Series(["red", "blue", None], dtype=pl.Enum(["red", "blue"])),
        "d": [dt.date(2024, 5, 1), dt.date(1, 1, 1), None],
        "at": [dt.datetime(2024, 5, 1, 13, 30), dt.datetime(1970, 1, 1), None],
        "zoned": pl.Series(
            [dt.datetime(2024, 5, 1, 13, 30), dt.datetime(1970, 1, 1), None], dtype=pl.Datetime("ns", "Europe/Berlin")
        ),
        "clock": pl.Series([dt.time(13, 30), dt.time(0), None], dtype=pl.Time),
        "long": pl.Series([dt.timedelta(days=1), dt.timedelta(0), None], dtype=pl.Duration),
        "money": pl.Series(["1.10", "-3.00", None], dtype=pl.String).cast(pl.Decimal(10, 2)),
        "nums": [[1, None, 3], [], None],
        "more": [[1.5, float("nan"), 3.0], [], None],
        "tags": [["red", None], [], None],
        "ens": pl.Series([["red", None], [], None], dtype=pl.List(pl.Enum(["red", "blue"]))),
        "nested": [[[1, 2], []], [[]], [None]],
        "box": pl.Series([[1.0, 2.0], [3.0, 4.0], None], dtype=pl.Array(pl.Float64, 2)),
        "grid": pl.Series([[[1, 2], [3, 4]], [[5, 6], [7, 8]], None], dtype=pl.Array(pl.Int32, (2, 2))),
        "s": [{"k": 1, "*": "x"}, {"k": None, "*": None}, None],
        "ss": [[{"k": 1}], [], None],
        "bytes": [b"a", b"", None],
        "nothing": pl.Series([None, None, None], dtype=pl.Null),
        "nothings": pl.Series([[None], [], None], dtype=pl.List(pl.Null)),
        "^n.*$": [1, 2, 3],
        "*": [1, 2, 3],
        "": [1, 2, 3],
        'a"b': [1, 2, 3],
        "x.y": [1, 2, 3],
    }
)

SEEDS = """\
max_weight(contains(t, 'Hernia'): 20, n > 2: 8, True: 1)
sum_weight(n in (1, 2, null): 2, not b: 3.5, t like 'H*': 1e3, true: n)
max_weight(d >= '2024-05-01' and zoned < '2024-05-02T00:00:00+02:00': 2, at between '2000-01-01' and '2030-01-01': 1)
max_weight(clock > '13:00': 5, cat == 'red': 2, en <> 'blue': 3, en in ('red', 'green'): 4)
max_weight(any(nums > 1): 1, all(nums < more): 2, all_strict(tags == 'red'): 3)
sum_weight(contains(nums, n): 1, contains(tags, t): 1, contains(more, 1.5): 1, contains(ens, en): 1)
nums[0] + nums[-1] * 2 - abs(n) / 3
shape(nums)[0] + shape(grid)[1] + shape(nested)[0]
max_weight(any(grid[:, 0] > 2): 1, any(nums[::-1] == 3): 2, any(nums[n:] < i8): 3)
s['k'] + 1
max_weight(s['*'] = 'x': 2, s is not null: 1)
sqrt(n) % 2
-i64 + u64 - i8 * f32
max_weight(money > 1.05 or f32 <= 0.1: money, f == f: 1)
max_weight(logical_and(b, n): 1, logical_or(not b, nothing): 2, nothing is null: 3)
sum_weight(any(logical_and(nums > 1, more > 1)): row_number(), any(nested == 2): 2)
"*" + "" + "a""b" + "x.y" -- names
max_weight("*" > 1 and n > 0: "*", "*" = 1: 2)
max_weight(t not in ('a', 'it''s é') and t not like '%z%' and t not ilike 'H?RNIA': 1.5, n not between 1 and 2: 2)
any(box + box > 3) or any(nums - n = 0)
max_weight(box[1] > 2 and nested[0][1] = 2 and nested[0, 1:] is not null: .5)
((n + 1) * (n - 1)) / 2 % 3
max_weight(any(ens != 'red' or tags ilike 'R%'): 3, any(nums is null): sum_weight(b: 1, true: 2))
any(nothings > 1) or nothing like 'a' or nothing + 1 > 0
long = long
+n + n - +f + 2 - n + i8 + n - 1
n * n * 2 * +3 * f * n * 1
max_weight(n in array[1, 2, null]: 2, t not in ARRAY['a', 'Hernia']: 3, t like null or t not ilike null: 4)
max_weight(any(nums) > 1: 2, all(more) <= 3: 3, any(grid[:, 0]) < 2: 4, any(tags) like 'r*': 5, 1 = any(nums): 6)
sum_weight(any(grid > 2, 0)[0]: 1, all(nested > 1, 1)[-1]: 2, any(any(nested = 2, 0)): 3, all_strict(nums > 0, 0): 4)
max_weight(contains(t, '.*a'): 2, contains(tags, 'red|blue'): 3, n > 2024-05-01: 4)""".splitlines()

# Tokens one a word; the names of columns and white space come to them.
_TOKENS = r"""
and or not in between like ilike is null true false select limit order
( ) [ ] , : + - * / % = == != <> < <= > >= -- ' " ; ? & | !
array[ ] 'x|y' => ** /* || %s :n else if None is distinct from escape
abs any all all_strict contains logical_and logical_or row_number shape sqrt max_weight sum_weight
0 1 2 -1 0.5 1e308 1e999 2147483648 9223372036854775807 9223372036854775808 18446744073709551615 99999999999999999999
'' 'a' 'red' 'Hernia' '*' '%?%' '2024-05-01' '13:30' '0001-01-01' 'k' '[' '\' '(?i)' '^$'
"""
_NAMES = [name if re.fullmatch(r"[a-z]\w*", name) else '"' + name.replace('"', '""') + '"' for name in FRAME.columns]
TOKENS = [*_NAMES, *_TOKENS.split(), "\n", "\t"]
VALUES = [token for token in TOKENS if re.match(r"[\w'\"]", token) and len(token) > 1]
_PIECE = re.compile(r"\w+|\s+|'[^']*'|.", re.DOTALL)


def mutated(source: random.Random) -> str:
    """A seed after a few random edits of its tokens and characters, or a random run of tokens."""
    if source.random() < 0.05:
        return " ".join(source.choices(TOKENS, k=source.randrange(12)))
    pieces = _PIECE.findall(source.choice(SEEDS))
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        at = source.randrange(len(pieces) + 1)
        match source.randrange(10):
            case 0:
                del pieces[at : at + source.randrange(1, 4)]
            case 1:
                pieces[at:at] = pieces[at : at + source.randrange(1, 6)]
            case 2:
                other = _PIECE.findall(source.choice(SEEDS))
                begin = source.randrange(len(other))
                pieces[at : at + source.randrange(4)] = other[begin : begin + source.randrange(1, 12)]
            case 3:
                pieces.insert(at, chr(source.choice([source.randrange(128), source.randrange(0x11_0000)])))
            case 4:
                text = "".join(pieces)
                cut = source.randrange(len(text) + 1)
                pieces = _PIECE.findall(text[:cut] + text[cut + 1 :])
            case _:  # the likeliest, for it gives the most texts that mean something
                words = [place for place, piece in enumerate(pieces) if re.match(r"\w|'", piece)]
                if words:
                    pieces[source.choice(words)] = source.choice(VALUES)
        pieces = pieces or [source.choice(TOKENS)]
    return "".join(pieces)


@pytest.mark.filterwarnings("ignore::tql_frames.TQLWarning")
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_text_gives_weights_or_an_error_that_points_into_it(chunk: int) -> None:
    source = random.Random(chunk)
    evaluated = 0
    for _ in range(TEXTS_A_CHUNK):
        text = mutated(source)
        try:
            weights = tql_frames.weights(FRAME, text)
        except TQLError as error:
            assert error.span is not None, text
            start, stop = error.span
            assert 0 <= start <= stop <= len(text), text
            assert error.source == text
            assert "^" in str(error)
            evaluated += isinstance(error, tql_frames.WeightError)
        except BaseException as error:  # a panic of Polars is no Exception
            raise AssertionError(f"{text!r} ended in {type(error).__name__}: {error}") from error
        else:
            assert weights.len() == FRAME.height, text
            assert weights.dtype == pl.Float64
            assert weights.is_finite().all() and (weights >= 0).all(), text
            evaluated += 1
    assert evaluated > TEXTS_A_CHUNK / 20  # else the texts say nothing about evaluation


@pytest.mark.filterwarnings("ignore::tql_frames.TQLWarning")
@pytest.mark.parametrize("seed", SEEDS)
def test_the_seeds_are_samplers(seed: str) -> None:
    with contextlib.suppress(tql_frames.WeightError):  # some give weights that cannot be drawn by
        tql_frames.weights(FRAME, seed)


# --- statements ------------------------------------------------------------------------------------------------------

STATEMENT_CHUNKS = size(4, 8)
STATEMENTS_A_CHUNK = max(TEXTS // 6 // STATEMENT_CHUNKS, 1)
SECONDS = 10.0  # a statement takes milliseconds; what is quadratic or worse takes longer than this

STATEMENTS = """\
select * where n > 2 and t like 'H*' order by f desc, n limit 5 offset 1
select n, n + 1 as m, -i8 as o where b or not contains(t, 'é') order by m desc, cat limit 50 percent
select distinct t, cat, b
select distinct top 2 n as x, f32 / 2 as y order by y
select * where any(nums > 1) expand by 1 1
select n where d >= '2024-05-01' expand by 1 2 overlap true
select n, t, nums group by b
select shape(n)[0] as size, n[0] as first, t where i64 is not null group by cat, n % 2 order by size desc, cat
select n, t from (select * group by b) ungroup by split
select n, d from (select n, d, zoned, money group by n > 0) ungroup by 2 limit 3
select en, s, ss, grid, box, bytes from (select * group by n) ungroup by split order by en
(select n, t where n > 1) union (select n, t where b) order by t
(select * where n > 1) except (select * where b) union all (select * limit 1)
((select n as x limit 2) intersect (select u64 as x)) union (select f as x) limit 3
select * from (select *, n * 2 as m) as x where x.m > 2 order by x.n
select x.* from (select n, t as "a b" from (select * limit 2) as y where y.n = 3) as x
select * sample by max_weight(contains(t, 'Hernia'): 20, n > 2: 8, True: 1) limit 4
select n, t sample by n + 3 replace false limit 50 percent
select f32 where f32 >= 0 order by n limit 2 sample by sum_weight(b: 1, true: f32) replace limit 7
select n from (select * sample by 1 limit 5) where n > 0 sample by n limit 3
select random() as r, row_number() as i order by random(), row_number() desc
select n where random() % 2 = 0 group by row_number() % 2
select data(n, 1) as x, t where n = data(n, 0)
select nums[0] as a, more[::-1] as b, s['k'] as c, box + 1 as d, tags == 'red' as e
select at, zoned, clock, long, money, nothing, nothings where at between '2000-01-01' and '2030-01-01'
select array[1, 2, n] as a, 'x' as b, null as c, true as d
select "*", "", "a""b", "x.y", "^n.*$" where "*" > 1 order by "" desc
select top 3 u64, i8 where u64 in (0, 18446744073709551615) -- names
select n as left, t as top, b as replace order by left, top desc limit 2;
select x.n, y.t from frame x join frame y on x.n = y.n where y.t is not null
select * from frame as x left join (select n, d as day from frame where b) as y using (n)
select x.t from frame x full join frame y using (n, t) cross join frame z limit 4
select n from frame where n in (1, 2, 3) sample by abs(n) limit 2
select n, near where n = 3 expand by 1, 1 as near order by near desc
select shape(n)[0] as size, near where n > 0 expand by 2 1 overlap true as near group by near
select *, n + 1 as n, f32 as f order by n
select x.*, x.n + 1 as n from frame x where n in array[3, -2]
select *[0:1] from (select nums, more, tags)
select *[::-1] from (select n, f group by b)
select n, f from (select *[0:2] from (select n, f, t group by b)) ungroup by split
(select n) union distinct (select n where b) except distinct (select n limit 1)
select n from dataset where n between -1 and +3 order by +n
select x.n from frame as x where x.n > 0 order by 1, n""".splitlines()

_WORDS = r"""
select from where order by group ungroup expand limit offset sample replace percent distinct top all as asc desc
expand by 1 1 as z *[0:1] *[0] array[1,2] +1
union intersect except join left right full inner outer cross on using overlap split array true false null having
frame x y m index select from where order by group limit union ( ) ( ) , , * . ; ? random() data(n,
0 1 2 3 -1 0.5 100 1e308 1000000000000000000 18446744073709551615 99999999999999999999
"""
WORDS = [*_WORDS.split(), *TOKENS]
CLAUSES = [
    *("where n > 1", "order by n desc", "limit 2", "limit 50 percent", "offset 1", "group by n", "ungroup by split"),
    *(
        "expand by 1 1",
        "expand by 1, 2 as z",
        "sample by 1",
        "sample by n > 0 replace false limit 2",
        "distinct",
        "top 1",
        "union select *",
    ),
    *("from frame", "join frame y using (n)", "as x", ", *", ", n + 1 as m", "from (select *)", "limit 1e18"),
    *("from any_name", ", n + 1 as n", "*[0:1]", "in array[1, 2]", "union distinct select *", "except all select n"),
]
# Sizes of samples that memory may or may not hold are no matter of the language.
HUGE_SAMPLE = re.compile(r"sample\b.*limit\s+\d[\d.]{5,}", re.IGNORECASE | re.DOTALL)


def mutated_statement(source: random.Random) -> str:
    """A statement after a few random edits, or a random run of words."""
    if source.random() < 0.1:
        return "select " * source.randrange(2) + " ".join(source.choices(WORDS, k=source.randrange(16)))
    pieces = _PIECE.findall(source.choice(STATEMENTS))
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        at = source.randrange(len(pieces) + 1)
        match source.randrange(12):
            case 0:
                del pieces[at : at + source.randrange(1, 4)]
            case 1:
                pieces[at:at] = pieces[at : at + source.randrange(1, 8)]
            case 2:
                other = _PIECE.findall(source.choice(STATEMENTS + SEEDS))
                begin = source.randrange(len(other))
                pieces[at : at + source.randrange(4)] = other[begin : begin + source.randrange(1, 16)]
            case 3:
                pieces.insert(at, chr(source.choice([source.randrange(128), source.randrange(0x11_0000)])))
            case 4:
                pieces.insert(at, f" {source.choice(WORDS)} ")
            case 5 | 6:
                spaces = [place for place, piece in enumerate(pieces) if piece.isspace()] or [at]
                pieces.insert(source.choice(spaces), f" {source.choice(CLAUSES)}")
            case 7:
                pieces = [
                    "(",
                    *pieces,
                    ") ",
                    source.choice(["union", "except", "union all", "intersect"]),
                    " (",
                    *pieces,
                    ")",
                ]
            case 8:
                pieces = ["select * from (", *pieces, ") ", source.choice(CLAUSES)]
            case _:
                words = [place for place, piece in enumerate(pieces) if re.match(r"\w|'", piece)]
                if words:
                    pieces[source.choice(words)] = source.choice(VALUES + WORDS[:20])
        pieces = pieces or [source.choice(WORDS)]
    return "".join(pieces)


def outcome(text: str, frame: pl.DataFrame, lazy: bool) -> pl.DataFrame | TQLError:
    """What a statement ends in, which must be a frame or an error that points into it, in time."""
    started = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tql_frames.TQLWarning)
            asked = frame.lazy() if lazy else frame
            by_name = "frame" in text
            found = tql_frames.query(text, seed=1, frame=asked) if by_name else asked.tql.query(text, seed=1)
            return found.lazy().collect()
    except TQLError as error:
        assert "cannot be evaluated on these rows" not in str(error), f"{text!r}: {error}"  # a plan should not be built
        if error.span is not None:
            start, stop = error.span
            assert 0 <= start <= stop <= len(text), text
            assert error.source == text
            assert "^" in str(error)
        return error
    except BaseException as error:  # a panic of Polars is no Exception
        raise AssertionError(f"{text!r} ended in {type(error).__name__}: {error}") from error
    finally:
        assert time.perf_counter() - started < SECONDS, text


# Errors of a whole call, which blame no part of its text.
NO_SPAN = re.compile(r"column '.*' already, where|cannot draw .* rows|EXPAND BY gives")


@pytest.mark.parametrize("chunk", range(STATEMENT_CHUNKS))
def test_every_statement_gives_a_frame_or_an_error_that_points_into_it(chunk: int) -> None:
    source = random.Random(1000 + chunk)
    evaluated = 0
    for _ in range(STATEMENTS_A_CHUNK):
        text = mutated_statement(source)
        if HUGE_SAMPLE.search(text):
            continue
        found = outcome(text, FRAME, lazy=False)
        if isinstance(found, TQLError):
            assert found.span is not None or NO_SPAN.search(str(found)), f"{text!r}: {found}"
            continue
        evaluated += 1
        if source.random() < 0.2:
            empty = outcome(text, FRAME.clear(), lazy=False)
            if isinstance(empty, pl.DataFrame):
                assert empty.schema == found.schema, text
            else:
                assert isinstance(empty, tql_frames.WeightError), f"{text!r}: {empty}"
    assert evaluated > STATEMENTS_A_CHUNK / 20  # else the texts say nothing about evaluation


@pytest.mark.parametrize("chunk", range(4))
def test_a_lazy_frame_ends_as_an_eager_one(chunk: int) -> None:
    source = random.Random(2000 + chunk)
    compared = 0
    for _ in range(size(75, 150)):
        text = mutated_statement(source)
        if HUGE_SAMPLE.search(text):
            continue
        eager, lazy = (outcome(text, FRAME, lazy=each) for each in (False, True))
        assert type(eager) is type(lazy), (text, eager, lazy)
        if isinstance(eager, pl.DataFrame) and isinstance(lazy, pl.DataFrame):
            assert eager.equals(lazy), text
            compared += 1
    assert compared >= size(5, 10), compared  # else the texts say nothing about frames


@pytest.mark.filterwarnings("ignore::tql_frames.TQLWarning")
@pytest.mark.parametrize("seed", STATEMENTS)
def test_the_statements_are_statements(seed: str) -> None:
    if "frame" in seed:
        assert isinstance(tql_frames.query(seed, seed=1, frame=FRAME), pl.DataFrame)
    else:
        assert isinstance(FRAME.tql.query(seed, seed=1), pl.DataFrame)


MANY = size(300, 3_000)
# Long and deep statements: each ends in a frame or an error, and in time.
LONG_STATEMENTS = {
    "items": "select " + ", ".join(f"n + {n} as c{n}" for n in range(MANY)),
    "columns": "select " + ", ".join(f"n as c{n}" for n in range(MANY)),
    "sort keys": "select n order by " + ", ".join(f"n + {n}" for n in range(300)),
    "groups": "select n group by " + ", ".join(f"n + {n}" for n in range(300)),
    "conditions": "select n where " + " or ".join(f"n = {n}" for n in range(MANY)),
    "list": "select n where n in (" + ", ".join(map(str, range(MANY))) + ")",
    "arms": "select n sample by max_weight(" + ", ".join(f"n = {n}: {n + 1}" for n in range(300)) + ", true: 1)",
    "subqueries": "select n from (" * 45 + "select n" + ")" * 45,
    "subqueries of all": "select * from (" * 30 + "select *" + ")" * 30,
    "unions": " union ".join(["select n"] * 90),
    "unions of all": " union all ".join(["select *"] * 30),
    "nested unions": "(select n union " * 30 + "select n" + ")" * 30,
    "limits": "(" * 45 + "select n" + " limit 2)" * 45,
    "draws": "select n from (" * 20 + "select n sample by 1 limit 3" + ") sample by 1 limit 3" * 20,
    "expands": "select n from (" * 20 + "select n" + ") expand by 1 1" * 20,
    "overlaps": "select n from (" * 12 + "select n" + ") expand by 1 1 overlap true" * 12,
    "joins": "select x.n from frame x" + "".join(f" join frame y{n} on x.n = y{n}.n" for n in range(12)),
    "crosses": "select x.n from frame x" + "".join(f" cross join frame y{n}" for n in range(5)),
    "expand by all": "select n expand by 18446744073709551615 1e300 overlap true",
    "limit": "select n limit 1e300 offset 18446744073709551615",
    "percents": "select n limit 1e300 percent",
    "small percents": "select n limit 1e-300 percent",
    "parts": "select n from (select n group by b) ungroup by 18446744073709551615",
    "parts by a float": "select n from (select n group by b) ungroup by 1e300",
    "sample": "select n sample by 1 limit 18446744073709551615",
    "sample by a float": "select n sample by 1 limit 1e300",
    "sample by percents": "select n sample by 1 limit 1e300 percent",
    "sample without replacement": "select n sample by 1 replace false limit 18446744073709551615",
    "data": "select data(n, 18446744073709551615) as x",
    "no columns": 'select "nothing" from (select n)',
}


@pytest.mark.parametrize("text", LONG_STATEMENTS.values(), ids=list(LONG_STATEMENTS))
def test_long_deep_and_huge_statements_end_in_time(text: str) -> None:
    for frame in (FRAME.select("n", "b", "t"), FRAME.select("n", "b", "t").clear()):
        outcome(text, frame, lazy=False)


def test_a_frame_without_columns() -> None:
    for frame in (pl.DataFrame(), pl.DataFrame({"n": []})):
        for text in (
            "select *",
            "select 1 as x",
            "select * limit 1",
            "select * where true",
            "select row_number() as r",
        ):
            assert isinstance(outcome(text, frame, lazy=False), pl.DataFrame), text
        for text in STATEMENTS:
            outcome(text, frame, lazy=False)
