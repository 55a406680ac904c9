"""Words of other libraries: every call that gets one raises a TypeError which names our argument, with its value."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tql_frames
from tests.loops import for_each
from tql_frames.cli.arguments import parser_for
from tql_frames.cli.commands import COMMANDS
from tql_frames.pipeline.argument_names import foreign_names, is_foreign_name, wrong_name

FRAME = pl.DataFrame({"view": ["PA", "AP", "PA"], "w": [1, 2, 3]})
FRAMES = {"Polars": FRAME, "LazyFrame": FRAME.lazy(), "pandas": FRAME.to_pandas()}
SAMPLES = ("sample", "view")


def methods(name: str, of: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    for method in dir(type(of)):
        if not method.startswith("_") and inspect.isfunction(getattr(type(of), method)):
            yield f"{name}: {method}", getattr(of, method)


def functions(module: Any, names: list[str]) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in names:
        yield f"{module.__name__}: {name}", getattr(module, name)


def calls() -> dict[str, Callable[..., Any]]:
    """Every call that takes a frame, or draws from one."""
    own = ["sample", "view", "split", "report", "balance", "weights", "explain", "query", "explore"]
    found = dict(functions(tql_frames, [*own, "weight_expr", "load_view", "read_view"]))
    for name, frame in FRAMES.items():
        found |= dict(methods(name, frame.tql))
    drawn = FRAME.tql.view("w", limit=2, seed=1)
    found |= {f"View: {name}": getattr(drawn, name) for name in ("sample", "view", "split", "report", "plot", "save")}
    if find_spec("torch"):
        from tql_frames import torch  # noqa: PLC0415

        found |= dict(functions(torch, ["TQLSampler", "TQLDataset", "TQLIterableDataset"]))
    if find_spec("sklearn") and find_spec("imblearn"):
        from tql_frames import sklearn  # noqa: PLC0415

        found |= dict(functions(sklearn, ["TQLResampler"]))
    if find_spec("dask") and find_spec("distributed"):
        import dask.dataframe as dd  # noqa: PLC0415

        from tql_frames import dask as _  # noqa: F401, PLC0415

        found |= dict(methods("Dask", dd.from_pandas(FRAME.to_pandas(), npartitions=1).tql))
    if find_spec("pyspark"):
        from tql_frames import spark  # noqa: PLC0415

        found |= dict(functions(spark, spark.__all__))
    if find_spec("ray"):
        from tql_frames import ray  # noqa: PLC0415

        found |= dict(functions(ray, ray.__all__))
    return found


CALLS = calls()
DRAWING = [name for name in CALLS if name.split(": ")[1] in SAMPLES]


def arguments_of(call: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(call).parameters)


def test_the_calls_are_found() -> None:
    assert {f"{kind}: {call}" for kind in FRAMES for call in SAMPLES} <= set(DRAWING)
    assert len(DRAWING) >= 10
    assert {"View: split", "Polars: explore", "tql_frames: load_view"} <= set(CALLS)


@for_each("name", CALLS)
def test_every_call_answers_to_every_word(name: str) -> None:
    call = CALLS[name]
    arguments = arguments_of(call) - {"frames"}
    for word in {*foreign_names(), "axis", "limits"} - arguments:
        if not is_foreign_name(word) and name == "tql_frames: query":
            continue  # the name of a frame
        with pytest.raises(TypeError, match=rf"^{name.split(': ')[1]}\(\) has no argument '{word}'[;:] ") as caught:
            call(*(("select *",) if name == "tql_frames: query" else ()), **{word: 5})
        ours = re.search(r"; write (\w+)=", str(caught.value))
        assert ours is None or ours[1] in arguments, str(caught.value)
        assert ours or re.search(
            r"leave it out|its arguments are|did you mean|call split\(|groups or u", str(caught.value)
        )


# Of a sample: a word with its value, and what to write. Others than the first value are for kinds of values.
WORDS: list[tuple[str, Any, str]] = [
    ("n", 5, "write limit=5"),
    ("n", np.int64(5), "write limit=5"),
    ("size", 5, "write limit=5"),
    ("num_samples", 5, "write limit=5"),
    ("n_samples", 5, "write limit=5"),
    ("frac", 0.1, "write fraction=0.1"),
    ("random_state", 7, "write seed=7"),
    ("random_state", None, "write seed=None"),
    ("random_state", np.random.RandomState(7), "write seed=, a whole number"),
    ("generator", np.random.default_rng(7), "write seed=, a whole number"),
    ("with_replacement", True, "write replace=True"),
    ("replacement", False, "write replace=False"),
    ("weights", "w", "write sampler='w'"),
    ("weights", pd.Series([1, 2]), "write sampler=, the name of a weight column, TQL text, or an array of weights"),
    ("p", [0.5, 0.5], "write sampler=, the name of a weight column, TQL text, or an array of weights"),
    ("sampling_strategy", "auto", "write sampler=, the name of a weight column, TQL text, or an array of weights"),
    ("on", "view", "write over='view'"),
    ("by", "view", "write over='view'"),
    ("stratify", "view", "write over='view'"),
    ("groupby", ["view", "w"], "write over=['view', 'w']"),
    ("groups", "view", "write over='view'"),
    ("stratify", ["PA"] * 1_000, "write over="),
    ("axis", 0, "leave it out: rows are drawn, and no columns"),
    ("n_splits", 5, "call split(folds=5) instead"),
    ("test_size", 0.2, "call split(parts={'train': 0.8, 'test': 0.2}) instead"),
    ("train_size", 0.7, "call split(parts={'train': 0.7, 'test': 0.3}) instead"),
]


@for_each(("word", "value", "advice"), WORDS, ids=[f"{word}={value!r}" for word, value, _ in WORDS])
def test_a_sample_says_what_to_write(word: str, value: Any, advice: str) -> None:
    for name in DRAWING:
        for given in ((), ("w",)) if "frame" not in arguments_of(CALLS[name]) else ((), (FRAME, "w")):
            with pytest.raises(TypeError) as caught:
                CALLS[name](*given, **{word: value})
            assert str(caught.value) == f"{name.split(': ')[1]}() has no argument {word!r}; {advice}"


def test_shuffle_is_an_order() -> None:
    for name in DRAWING:
        engine = "keys" in arguments_of(CALLS[name])
        for value, order in ((True, "draw"), (False, "source")):
            expected = f"write order={order!r}"
            with pytest.raises(TypeError) as caught:
                CALLS[name](shuffle=value)
            advice = str(caught.value).split("; ")[1]
            assert advice == ("leave it out: partitions return rows in the order of the frame" if engine else expected)


# Of other calls.
SPLITS = {
    "n_splits": (5, "write folds=5"),
    "cv": (object(), "write folds="),
    "groups": ("id", "write unit='id'"),
    "groupby": ("id", "write unit='id'"),
    "stratify": ("view", "write by='view'"),
    "test_size": (0.25, "write parts={'train': 0.75, 'test': 0.25}"),
    "train_size": (np.float64(0.9), "write parts={'train': 0.9, 'test': 0.1}"),
    "random_state": (7, "write seed=7"),
    "shuffle": (True, "leave it out: units are assigned to parts at random"),
}


@for_each(("word", "value", "advice"), [(word, *rest) for word, rest in SPLITS.items()])
def test_a_split_says_what_to_write(word: str, value: Any, advice: str) -> None:
    found = [call for name, call in CALLS.items() if name.endswith(": split")]
    assert len(found) >= 5
    for call in found:
        with pytest.raises(TypeError) as caught:
            call(**{word: value})
        assert str(caught.value) == f"split() has no argument {word!r}; {advice}"


def test_sizes_that_are_no_shares_are_shown_as_shares() -> None:
    for value in (100, None, "a", 1.5):
        with pytest.raises(TypeError, match=r"write parts=, shares by name, such as \{'train': 0.8, 'test': 0.2\}"):
            FRAME.tql.split(test_size=value)


def test_what_is_advised_runs() -> None:
    """The advice is taken at its word: what it says to write is written, and draws."""
    columns = {"w", "view"}
    for word, value, advice in WORDS:
        written = re.fullmatch(r"write (\w+)=(.+)", advice)
        if written and not written[2].startswith(","):
            options = {"sampler": "w", "limit": 2, written[1]: eval(written[2])}
            if written[1] == "fraction":
                del options["limit"]
            assert columns <= set(FRAME.tql.sample(**options).columns), (word, value)
    for _, advice in SPLITS.values():
        written = re.fullmatch(r"write (folds|parts|seed)=(.+)", advice)
        if written:
            options = {"folds": 2} if written[1] == "seed" else {}
            assert pl.concat([FRAME] * 9).tql.split(**options, **{written[1]: eval(written[2])})


def test_other_calls() -> None:
    query = FRAME.tql.query
    for call, word, advice in (
        (lambda **more: query("select *", **more), "n", "write it into the statement: SAMPLE BY"),
        (lambda **more: tql_frames.query("select * from f", f=FRAME, **more), "frac", "write it into the statement: "),
        (FRAME.tql.report, "label", "write by=5"),
        (FRAME.tql.report, "groups", "write unit=5"),
        (FRAME.tql.report, "shuffle", "leave it out: rows are drawn in random order"),
        (FRAME.tql.balance, "sampling_strategy", "write target="),
        (FRAME.tql.weights, "n", "its arguments are sampler, seed"),
        (FRAME.tql.sample, "limitt", "did you mean 'limit'?"),
    ):
        with pytest.raises(TypeError) as caught:
            call(**{word: 5})
        assert f"has no argument {word!r}; {advice}" in str(caught.value)


def test_a_long_value_is_left_out() -> None:
    assert str(wrong_name("sample", "n", ["limit"], 10**70)).endswith("; write limit=")
    assert str(wrong_name("sample", "n", ["limit"], 10**20)).endswith("; write limit=100000000000000000000")


# --- the command -----------------------------------------------------------------------------------------------------

OPTIONS = {
    "sample": [
        ("--n 5", "write --limit 5"),
        ("-n 5", "write --limit 5"),
        ("--num-samples=5", "write --limit 5"),
        ("--frac 0.1", "write --fraction 0.1"),
        ("--random-state 7", "write --seed 7"),
        ("--random_state=7", "write --seed 7"),
        ("--with-replacement", "leave it out: draws are with replacement"),
        ("--with-replacement false", "write --no-replace"),
        ("--replace False", "write --no-replace"),
        ("--replace", "leave it out: draws are with replacement"),
        ("--weights w", "write the sampler as the first argument"),
        ("--stratify view", "write --over view"),
        ("--groupby view", "write --over view"),
        ("--shuffle", "write --order draw"),
        ("--shuffle=no", "write --order source"),
        ("--df x.csv", "write the files as the last arguments"),
    ],
    "query": [
        ("--n 5", "write it into the statement: SAMPLE BY … OVER (…) REPLACE … LIMIT …"),
        ("--sql x", "write the statement as the first argument"),
        ("--params 5", "write --parameter 5"),
    ],
    "report": [("--label view", "write --by view"), ("--groups id", "write --unit id")],
    "balance": [("--shares a=0.5", "write --target LABEL=SHARE"), ("--size 5", "write --limit 5")],
    "split": [
        ("--test-size 0.3", "write --into train=0.7 test=0.3"),
        ("--test-size", "write --into train=0.8 test=0.2"),
        ("--n-splits 4", "write --folds 4"),
        ("--groups id", "write --unit id"),
        ("--stratify view", "write --by view"),
    ],
}


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as end:
        parser_for(COMMANDS, "").parse_args(argv)
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "option", "advice"), [(name, *case) for name, cases in OPTIONS.items() for case in cases]
)
def test_the_command_says_what_to_write(
    command: str, option: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    word = re.split("[ =]", option)[0]
    for argv in ([command, *option.split()], [command, "w", "x.csv", *option.split()]):
        assert refusal(capsys, *argv) == f"tql-frames {command}: error: there is no option {word}; {advice}"


def test_every_command_refuses_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        parser = parser_for([command], "")
        known = next(each for each in parser._actions if each.choices)  # its sub-commands
        options = known.choices[command.name]._option_string_actions  # type: ignore[index]
        for word in foreign_names():
            option = f"--{word.replace('_', '-')}"
            if option not in options:
                said = refusal(capsys, command.name, "w", "x.csv", option, "5")
                assert f"there is no option {option}; " in said or "required" in said or "unrecognized" in said


def test_other_options_are_left_to_the_parser(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unrecognized arguments: --foo" in refusal(capsys, "sample", "w", "x.csv", "--foo")
    assert parser_for(COMMANDS, "").parse_args(["sample", "--", "--n", "x.csv"]).sampler == "--n"
    assert parser_for(COMMANDS, "").parse_args(["sample", "w", "x.csv", "--seed", "5"]).seed == 5
