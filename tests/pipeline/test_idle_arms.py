"""Arms that match no row or never decide: a warning that names them, and what may have been meant."""

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tql_frames
from tests.sizes import paired
from tql_frames import TQLArmWarning, TQLWarning
from tql_frames.cli import main
from tql_frames.compiler.expressions.translate import Translator
from tql_frames.frames.polars import PolarsFrame

VIEWS = pl.Enum(["AP", "PA"])
XRAYS = pl.DataFrame(
    {
        "age": [71, 34, 65, 20],
        "weight": [1.5, 2.5, 0.5, None],
        "findings": [["Hernia"], ["No_Finding"], ["Mass", "Edema"], []],
        "text": ["Hernia|Mass", "Mass", "none", None],
        "view": ["PA", "AP", "PA", "PA"],
        "fixed": pl.Series(["PA", "AP", "PA", "PA"], dtype=VIEWS),
        "fixed_list": pl.Series([["PA"], ["AP"], [], None], dtype=pl.List(VIEWS)),
        "category": pl.Series(["PA", "AP", "PA", "PA"], dtype=pl.Categorical),
    }
)


def caught(call: Callable[[], object]) -> list[TQLArmWarning]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    assert all(isinstance(each.message, TQLArmWarning) for each in found), [str(each.message) for each in found]
    assert all(each.filename == __file__ for each in found)
    return [each.message for each in found if isinstance(each.message, TQLArmWarning)]


def sampled(frame: object, sampler: str, **options: object) -> None:
    found = tql_frames.sample(frame, sampler, seed=1, **options)  # type: ignore[type-var, arg-type]
    if isinstance(found, pl.LazyFrame):
        found.collect()


IDLE = {
    "max_weight(contains(findings, 'hernia'): 5, True: 1)": "did you mean 'Hernia'?",
    "sum_weight(contains(findings, 'Herna'): 5, True: 1)": "did you mean 'Hernia'?",
    "max_weight(contains(text, 'hernia'): 5, True: 1)": "did you mean 'Hernia'?",
    "max_weight(contains(split(text, '|'), 'Mas'): 5, True: 1)": "did you mean 'Mass'?",
    "max_weight(any(split(text, '|') = 'hernia'): 5, True: 1)": "did you mean 'Hernia'?",
    "max_weight(view = 'pa': 5, True: 1)": "did you mean 'PA'?",
    "max_weight(view in ('pa', 'Lateral'): 5, True: 1)": "did you mean 'PA'?",
    "max_weight(category = 'pa': 5, True: 1)": "did you mean 'PA'?",
    "max_weight(view = ' PA ': 5, True: 1)": "did you mean 'PA'?",
    "max_weight(age > 10 and view = 'Pa': 5, True: 1)": "did you mean 'PA'?",
    "max_weight(view = 'zzzzzz': 5, True: 1)": None,
    "max_weight(age = null: 5, True: 1)": "use `is null`: age is null",
    "max_weight(null = view: 5, True: 1)": "use `is null`: view is null",
    "max_weight(age != null: 5, True: 1)": "use `is not null`: age is not null",
    "max_weight(view in (null): 5, True: 1)": "use `is null`: view is null",
    "max_weight(age > 600: 5, True: 1)": "the values of 'age' are from 20 to 71",
    "max_weight(weight < -1: 5, True: 1)": "the values of 'weight' are from 0.5 to 2.5",
    "max_weight(age between 100 and 120: age, True: 1)": "the values of 'age' are from 20 to 71",
    "age * max_weight(view = 'pa': 5, True: 1)": "did you mean 'PA'?",
    "max_weight(view = 'pa': 5)+ 1": "did you mean 'PA'?",
    "sum_weight(" + ", ".join(f"age > {n}: 1" for n in range(10, 19)) + ", view = 'pa': 5)": "did you mean 'PA'?",
}


@pytest.mark.fault("B3")
@pytest.mark.parametrize("kind", ["eager", "lazy", "pandas"])
@pytest.mark.parametrize("sampler", IDLE)
def test_an_arm_that_matches_no_row_is_named_with_what_may_be_meant(sampler: str, kind: str) -> None:
    frame = {"eager": XRAYS, "lazy": XRAYS.lazy(), "pandas": XRAYS.to_pandas()}[kind]
    (warning,) = caught(lambda: sampled(frame, sampler, limit=2))
    place = 10 if sampler.startswith("sum_weight(age") else 1
    assert warning.message == f"arm {place} matches no row"
    assert warning.hint == IDLE[sampler]
    assert warning.source == sampler
    assert warning.span is not None
    assert sampler[slice(*warning.span)] in sampler
    assert "^^^" in str(warning)


@pytest.mark.fault("B4")
@pytest.mark.parametrize(
    ("sampler", "arm", "winner"),
    [
        ("max_weight(age > 60: 0.2, True: 1)", 1, "every row has weight 1 from arm 2"),
        ("max_weight(age > 60: 1, True: 1)", 1, "every row has weight 1 from arm 2"),
        ("max_weight(age > 60: 0, True: 1)", 1, "every row has weight 1 from arm 2"),
        ("max_weight(True: 3, age > 60: 2)", 2, "every row has weight 3 from arm 1"),
        ("max_weight(age > 60: 5, age > 65: 3, True: 1)", 2, "every row that it matches has weight 5 from arm 1"),
        ("max_weight(age > 60: 5, age > 65: 5, True: 1)", 2, "every row that it matches has weight 5 from arm 1"),
        (
            "max_weight(age > 60: age, age > 65: 3, True: 1)",
            2,
            "every row that it matches has as great a weight from another arm",
        ),
        ("max_weight(age > 60: 0.2, age < 40: age, True: 1)", 1, "every row has weight 1 from arm 3"),
    ],
)
def test_an_arm_that_never_decides_is_named_with_the_arm_that_does(sampler: str, arm: int, winner: str) -> None:
    for frame in (XRAYS, XRAYS.lazy(), XRAYS.to_pandas()):
        (warning,) = caught(lambda frame=frame: sampled(frame, sampler, limit=2))  # type: ignore[misc]
        assert warning.message == f"arm {arm} never decides: {winner}"


@pytest.mark.parametrize(
    ("sampler", "arm", "winner"),
    [
        ("max_weight(view = 'PA': 4) + max_weight(age > 60: 0.2, True: 1)", 2, "every row has weight 1 from arm 3"),
        (
            "max_weight(age > 60: 0.2, True: 1) * max_weight(view = 'PA': 4, True: 3)",
            1,
            "every row has weight 1 from arm 2",
        ),
        (
            "max_weight(view = 'PA': 4, True: 3) * max_weight(age > 60: 5, age > 65: 3, True: 1)",
            4,
            "every row that it matches has weight 5 from arm 3",
        ),
    ],
)
def test_the_arm_that_decides_instead_is_one_of_the_same_choice(sampler: str, arm: int, winner: str) -> None:
    for frame in (XRAYS, XRAYS.lazy(), XRAYS.to_pandas()):
        (warning,) = caught(lambda frame=frame: tql_frames.explain(frame, sampler))  # type: ignore[misc]
        assert warning.message == f"arm {arm} never decides: {winner}"


@pytest.mark.parametrize(
    "sampler",
    [
        "max_weight(age > 60: 5, True: 1)",
        "max_weight(view = 'PA': 2, view = 'AP': 3, True: 1)",  # the default is for rows of other tables
        "max_weight(age > 60: 5, age <= 60: 0)",
        "sum_weight(age > 60: 5, age > 65: 3, True: 1)",
        "max_weight(random() < 0: 5, True: 1)",  # chance is no mistake
        "max_weight(False: 5, True: 1)",  # switched off
        "age",
        "age + 1",
    ],
)
def test_samplers_whose_arms_all_count_give_no_warning(sampler: str) -> None:
    for frame in (XRAYS, XRAYS.lazy(), XRAYS.to_pandas()):
        assert not caught(lambda frame=frame: sampled(frame, sampler, limit=2))  # type: ignore[misc]


def test_nothing_is_said_where_nothing_is_drawn() -> None:
    sampler = "max_weight(view = 'pa': 5, True: 1)"
    assert not caught(lambda: sampled(XRAYS, sampler, limit=0))
    assert not caught(lambda: sampled(XRAYS.head(0), sampler))
    assert not caught(lambda: XRAYS.head(0).tql.report(sampler, by="view"))
    assert not caught(lambda: XRAYS.head(0).tql.explain(sampler))


@pytest.mark.fault("B3")
@pytest.mark.parametrize(
    ("sampler", "word", "hint"),
    [
        ("max_weight(fixed = 'pa': 5, True: 1)", "'pa'", "did you mean 'PA'?"),
        ("max_weight('pa' != fixed: 5, True: 1)", "'pa'", "did you mean 'PA'?"),
        ("max_weight(fixed in ('PA', 'Lateral'): 5, True: 1)", "'Lateral'", "the categories are 'AP', 'PA'"),
        ("max_weight(contains(fixed_list, 'pa'): 5, True: 1)", "'pa'", "did you mean 'PA'?"),
        ("(fixed = 'pa') + 1", "'pa'", "did you mean 'PA'?"),
    ],
)
def test_an_unknown_category_is_found_before_rows_are_read(sampler: str, word: str, hint: str) -> None:
    def never(frame: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("rows were read")

    plan = XRAYS.lazy().map_batches(never, schema=XRAYS.schema)
    (warning,) = caught(lambda: plan.tql.sample(sampler, limit=2, seed=1))
    assert warning.source is not None
    assert warning.span is not None
    assert warning.source[slice(*warning.span)] == word
    assert warning.hint == hint
    (again,) = caught(lambda: sampled(XRAYS, sampler, limit=2))  # and not once more when rows are counted
    assert str(again) == str(warning)


@pytest.mark.parametrize(
    ("sampler", "who"),
    [
        ("max_weight(fixed = 'pa': 5, True: 1)", "arm 1"),
        ("max_weight(age > 60: 2, 'pa' = fixed: 5, True: 1)", "arm 2"),
        ("max_weight(age > 60: 2, True: fixed != 'pa')", "arm 2"),  # in the weight, up to the end of the arm
        ("max_weight(age > 60: 2, True: 1) * (fixed != 'pa')", "the sampler"),
        ("(fixed != 'pa') * max_weight(age > 60: 2, True: 1)", "the sampler"),
        ("max_weight(age > 60: 2) + (fixed != 'pa') + max_weight(True: 1)", "the sampler"),
    ],
)
def test_an_unknown_category_is_that_of_the_arm_around_it(sampler: str, who: str) -> None:
    (warning, *_) = caught(lambda: sampled(XRAYS, sampler, limit=2))
    assert warning.message == f"{who} compares fixed with 'pa', which is none of its categories"


def test_an_arm_that_is_blamed_for_a_category_is_not_blamed_again_and_others_are() -> None:
    sampler = "max_weight(fixed = 'pa': 5, view = 'ap': 3, True: fixed != 'lateral')"
    messages = [each.message for each in caught(lambda: sampled(XRAYS, sampler, limit=2))]
    assert messages == [
        "arm 1 compares fixed with 'pa', which is none of its categories",
        "arm 3 compares fixed with 'lateral', which is none of its categories",
        "arm 2 matches no row",
    ]


CALLS: dict[str, Callable[[str], object]] = {
    "sample": lambda text: XRAYS.tql.sample(text, limit=2, seed=1),
    "function": lambda text: tql_frames.sample(XRAYS, text, limit=2, seed=1, replace=False),
    "pipe": lambda text: XRAYS.pipe(tql_frames.sample, text, limit=2),
    "view": lambda text: XRAYS.tql.view(text, limit=2, seed=1),
    "lazy view": lambda text: XRAYS.lazy().tql.view(text, limit=2, seed=1).positions,
    "query": lambda text: XRAYS.tql.query(f"select age sample by {text} limit 2", seed=1),
    "lazy query": lambda text: XRAYS.lazy().tql.query(f"select age sample by {text} limit 2", seed=1).collect(),
    "pandas query": lambda text: XRAYS.to_pandas().tql.query(f"select age where age > 30 sample by {text} limit 2"),
    "view of a statement": lambda text: XRAYS.tql.view(f"select age sample by {text} limit 2", seed=1),
    "explain": lambda text: XRAYS.pipe(tql_frames.explain, text),
    "lazy explain": lambda text: XRAYS.lazy().pipe(tql_frames.explain, text),
    "report": lambda text: XRAYS.tql.report(text, by="view"),
    "lazy report": lambda text: XRAYS.lazy().tql.report(text, by="view", replace=False),
    "pandas report": lambda text: XRAYS.to_pandas().tql.report(text, by="findings"),
    "report of a statement": lambda text: XRAYS.tql.report(f"select * sample by {text} limit 2", by="view"),
}


@pytest.mark.fault("B3")
@pytest.mark.parametrize("call", CALLS)
def test_every_call_warns_once_and_points_at_its_line(call: str) -> None:
    (warning,) = caught(lambda: CALLS[call]("max_weight(contains(findings, 'hernia'): 5, True: 1)"))
    assert warning.message == "arm 1 matches no row"
    assert warning.hint == "did you mean 'Hernia'?"
    (warning,) = caught(lambda: CALLS[call]("max_weight(age > 60: 0.2, True: 1)"))
    assert warning.message == "arm 1 never decides: every row has weight 1 from arm 2"


@pytest.mark.fault("B3")
def test_a_where_that_leaves_no_row_to_an_arm_warns() -> None:
    text = "select * where age < 40 sample by max_weight(age > 60: 5, True: 1) limit 2"
    (warning,) = caught(lambda: XRAYS.tql.query(text, seed=1))
    assert warning.hint == "the values of 'age' are from 20 to 34"


@pytest.mark.fault("B3")
def test_the_torch_sampler_warns_when_it_is_made_and_never_again() -> None:
    pytest.importorskip("torch")
    sampler_of = pytest.importorskip("tql_frames.torch").TQLSampler
    text = "max_weight(view = 'pa': random(), True: 1)"
    made = []
    (warning,) = caught(lambda: made.append(sampler_of(XRAYS, text, limit=3)))
    assert warning.hint == "did you mean 'PA'?"
    assert not caught(lambda: [list(made[0]) for _ in range(3)])


@pytest.mark.fault("B3")
def test_the_command_prints_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "xrays.parquet", tmp_path / "out.parquet"
    XRAYS.write_parquet(path)
    sampler = "max_weight(contains(findings, 'hernia'): 5, True: 1)"
    said = "tql-frames: warning: arm 1 matches no row; did you mean 'Hernia'?\n"
    assert main(["sample", sampler, str(path), "-o", str(out), "--limit", "2", "--seed", "1"]) == 0
    assert capsys.readouterr().err == said
    assert main(["report", sampler, str(path), "--by", "view"]) == 0
    assert capsys.readouterr().err == said


@pytest.mark.fault("B3")
def test_rows_are_evaluated_once_unless_an_arm_seems_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    evaluate, look = PolarsFrame.evaluate, PolarsFrame.aggregate
    monkeypatch.setattr(
        PolarsFrame, "evaluate", lambda self, exprs: (calls.append("evaluate"), evaluate(self, exprs))[1]
    )
    monkeypatch.setattr(PolarsFrame, "aggregate", lambda self, exprs: (calls.append("look"), look(self, exprs))[1])
    for sampler in ("max_weight(age > 60: 5, True: 1)", "max_weight(age > 60: age, True: 1)"):
        calls.clear()
        sampled(XRAYS, sampler, limit=2)
        assert calls == ["evaluate"]
    calls.clear()
    caught(lambda: sampled(XRAYS, "max_weight(view = 'pa': 5, view = 'ap': 3, age > 60: 0.5, True: 1)", limit=2))
    assert calls == ["evaluate", "look"]


def test_files_are_looked_at_without_holding_their_columns(tmp_path: Path) -> None:
    path = tmp_path / "xrays.parquet"
    XRAYS.write_parquet(path)
    plan = pl.scan_parquet(path)
    for sampler, hint in IDLE.items():
        (warning,) = caught(lambda sampler=sampler: sampled(plan, sampler, limit=2))  # type: ignore[misc]
        assert warning.hint == hint


def test_the_rows_drawn_do_not_depend_on_how_arms_are_counted() -> None:
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({"a": rng.integers(0, 50, 2_000)})
    some = "max_weight(" + ", ".join(f"a = {n}: {1 + n % 3}" for n in range(40)) + ")"
    weights = frame.select(pl.when(pl.col("a") < 40).then(1.0 + pl.col("a") % 3).otherwise(0.0).alias("w"))["w"]
    by_column = frame.with_columns(weights).tql.sample("w", limit=500, seed=3)["index"]
    assert frame.tql.sample(some, limit=500, seed=3)["index"].equals(by_column)


@pytest.mark.fault("B3")
@pytest.mark.parametrize(("arms", "weights"), paired([255, 256, 257, 300], [3, 1_000]))
def test_many_arms_are_watched_too(arms: int, weights: int) -> None:
    frame = pl.DataFrame({"a": list(range(arms - 1))})
    text = "max_weight(" + ", ".join(f"a = {n}: {2 + n % weights}" for n in range(arms)) + ", True: 1)"
    (warning,) = caught(lambda: sampled(frame, text, limit=2))
    assert warning.message == f"arm {arms} matches no row"
    assert (
        frame.tql.sample(text.replace(f", a = {arms - 1}: {2 + (arms - 1) % weights}", ""), limit=9, seed=1)[
            "a"
        ].to_list()
        == frame.with_columns(w=2 + pl.col("a") % weights).tql.sample("w", limit=9, seed=1)["a"].to_list()
    )


def test_the_warning_is_filtered_by_category_and_travels() -> None:
    assert issubclass(TQLArmWarning, TQLWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TQLArmWarning)
        sampled(XRAYS, "max_weight(view = 'pa': 5, True: 1)", limit=2)
    (warning,) = caught(lambda: sampled(XRAYS, "max_weight(view = 'pa': 5, True: 1)", limit=2))
    copy = pickle.loads(pickle.dumps(warning))
    assert (type(copy), str(copy)) == (TQLArmWarning, str(warning))


# -- How many rows each arm decides ---

DECIDES = {
    "max_weight(age < 50: 3, True: 1)": [2, 2],
    "max_weight(True: 1, age < 50: 3)": [2, 2],
    "max_weight(age < 50: age, age > 60: 70, True: 30)": [1, 2, 1],
    "sum_weight(age < 50: 2, True: 1)": [2, 4],
    "max_weight(age < 50: max_weight(view = 'PA': 5, True: 2), True: 1)": [3, 1, 2, 2],
    "max_weight(age > 60: 2, view = 'PA': 2, True: 1)": [2, 1, 1],
}


@pytest.mark.fault("B4")
@pytest.mark.parametrize("sampler", DECIDES)
def test_report_and_explain_say_how_many_rows_each_arm_decides(sampler: str) -> None:
    for frame in (XRAYS, XRAYS.lazy(), XRAYS.to_pandas()):
        for options in ({}, {"replace": False}):
            report = tql_frames.report(frame, sampler, by="view", **options)  # type: ignore[arg-type]
            assert list(report.arms["decides"]) == DECIDES[sampler]
        table = str(tql_frames.explain(frame, sampler)).split("\n\n")[1].splitlines()
        assert [int(line.split()[-2]) for line in table[1:]] == DECIDES[sampler]


@pytest.mark.fault("G")
def test_expected_shares_of_explain_add_up_where_arms_overlap() -> None:
    table = str(XRAYS.tql.explain("max_weight(age > 30: 3, age > 60: 5, True: 1)")).split("\n\n")[1].splitlines()
    shares = [float(line.split()[-1].rstrip("%")) for line in table[1:]]
    assert sum(shares) == pytest.approx(100, abs=0.02)
    assert pd.Series(shares).tolist() == [21.43, 71.43, 7.14]


@pytest.mark.fault("G")
def test_explain_draws_products_as_trees_and_shortens_the_expression() -> None:
    arms = ", ".join(f"age > {n}: {n}" for n in range(1, 60))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TQLArmWarning)
        text = str(XRAYS.tql.explain(f"max_weight({arms}) * sum_weight(view = 'PA': 2, True: 1) * 3"))
    lines = text.splitlines()
    assert lines[:2] == ["*", "├─ max_weight"]
    assert "├─ sum_weight" in lines
    assert lines[lines.index("├─ sum_weight") + 1 : lines.index("├─ sum_weight") + 3] == [
        "│  ├─ view == 'PA': 2",
        "│  └─ true: 1",
    ]
    assert "└─ 3" in lines
    assert "strict_cast" not in text
    assert max(map(len, lines)) <= 120
    assert len(text.rsplit("\n\n", maxsplit=1)[-1].splitlines()) <= 9


# -- The seed of random() ---


@pytest.mark.fault("H5")
@pytest.mark.parametrize("kind", ["eager", "lazy", "pandas"])
def test_a_seed_fixes_the_numbers_of_random(kind: str) -> None:
    frame = {"eager": XRAYS, "lazy": XRAYS.lazy(), "pandas": XRAYS.to_pandas()}[kind]
    sampler = "sum_weight(age > 0: random(), True: 1)"

    def all_of(seed: int | None) -> list[str]:
        weights = tql_frames.weights(frame, sampler, seed=seed)  # type: ignore[call-overload]
        weights = weights.collect()["weight"] if isinstance(weights, pl.LazyFrame) else weights
        statement = f"select * sample by {sampler} limit 2"
        return [
            str(list(weights)),
            str(tql_frames.explain(frame, sampler, seed=seed)),
            str(tql_frames.report(frame, sampler, by="view", seed=seed)),
            str(frame.tql.report(sampler, by="view", seed=seed)),
            str(tql_frames.report(frame, statement, by="view", seed=seed)),
        ]

    assert all_of(3) == all_of(3)
    assert all(a != b for a, b in zip(all_of(3), all_of(4), strict=True))
    assert all(a != b for a, b in zip(all_of(None), all_of(None), strict=True))


@pytest.mark.fault("H5")
def test_the_numbers_of_random_are_those_of_the_sample() -> None:
    sampler = "random() % 10"  # whole numbers or fractions: the order of the weights is the same for one seed
    drawn = XRAYS.tql.sample("max_weight(random() > 0: random())", limit=1, replace=False, seed=5)
    assert drawn.height == 1
    assert XRAYS.tql.weights(sampler, seed=5).equals(
        XRAYS.to_pandas().tql.weights(sampler, seed=5).pipe(pl.from_pandas)
    )


# -- Reports of many arms ---


@pytest.mark.fault("B7")
def test_a_report_compiles_its_sampler_a_few_times_whatever_the_number_of_arms(monkeypatch: pytest.MonkeyPatch) -> None:
    def translated(arms: int) -> int:
        frame = pl.DataFrame({"y": [f"l{n % arms}" for n in range(3 * arms)]})
        text = "max_weight(" + ", ".join(f"y = 'l{n}': {n + 2}" for n in range(arms)) + ", True: 1)"
        count = 0
        translate = Translator.translate

        def counted(self, node):  # type: ignore[no-untyped-def]
            nonlocal count
            count += 1
            return translate(self, node)

        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", TQLArmWarning)
            patch.setattr(Translator, "translate", counted)
            report = frame.tql.report(text, by="y")
        assert report.arms is not None
        assert report.arms["rows"].to_list() == [3] * arms + [3 * arms]
        return count

    few, many = translated(20), translated(80)
    assert many <= 4.5 * few


def test_shares_without_an_arm_are_those_of_the_sampler_without_it() -> None:
    rng = np.random.default_rng(2)
    frame = pl.DataFrame({"a": rng.integers(0, 9, 300), "y": rng.integers(0, 4, 300)})
    for name in ("max_weight", "sum_weight"):
        arms = ["a > 2: 2", "a > 5: 3.5", "a = 7: max_weight(y = 1: 9, True: 4)", "True: 1"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TQLArmWarning)
            whole = frame.tql.report(f"{name}({', '.join(arms)})", by="y")
            moves, labels = whole.co_movement, whole.labels
            assert moves is not None
            assert labels is not None
            for place, arm in enumerate(arms[:-1]):
                rest = frame.tql.report(f"{name}({', '.join(a for a in arms if a != arm)})", by="y").labels
                assert rest is not None
                wanted = (labels["expected_share"] / rest["expected_share"]).to_list()
                begin = arm.split(":")[0].replace(" = ", " == ")
                column = next(each for each in moves.columns[1:] if each.startswith(begin))
                assert moves[column].to_list() == pytest.approx(wanted, rel=1e-12), (name, place)
