"""100,000 random and mutated sampler texts: each ends in weights or in a TQLError whose span lies inside the text."""

import contextlib
import datetime as dt
import random
import re

import polars as pl
import pytest

import tql_frames
from tql_frames import TQLError

TEXTS_A_CHUNK = 2_500
CHUNKS = 40

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
abs(f) - 5.""".splitlines()

# Tokens one a word; the names of columns and white space come to them.
_TOKENS = r"""
and or not in between like ilike is null true false select limit order
( ) [ ] , : + - * / % = == != <> < <= > >= -- ' " ; ? & | !
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


@pytest.mark.parametrize("seed", SEEDS)
def test_the_seeds_are_samplers(seed: str) -> None:
    with contextlib.suppress(tql_frames.WeightError):  # some give weights that cannot be drawn by
        tql_frames.weights(FRAME, seed)
