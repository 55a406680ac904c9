"""The widget without a browser: every message and its answers, what it shows and what it sends."""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module
from typing import Any

import pandas as pd
import polars as pl
import pytest

import tql_frames
from tql_frames.errors import TQLError
from tql_frames.notebook import session as sessions
from tql_frames.notebook.checking import arms_of, words_of
from tql_frames.notebook.labels import columns_of_labels, head_of
from tql_frames.notebook.session import MOST_COLUMNS, MOST_ROWS, LatestTask, Session, cell_text, row_preview

SAMPLER = "max_weight(contains(tags, 'b'): 3, true: 1)"


@pytest.fixture(params=["polars", "pandas"])
def frame(request: pytest.FixtureRequest) -> Any:
    tags = [["a"], ["a"], ["a", "b"], ["b"], [], None] * 5
    rows = pl.DataFrame({"tags": tags, "age": [71, 34, None, 20, 5, 60] * 5, "name": [f"n{at}" for at in range(30)]})
    return rows if request.param == "polars" else rows.to_pandas()


class Page:
    """What talks to a session, and keeps its answers."""

    def __init__(self, frame: Any, sampler: str = "") -> None:
        self.answers: list[dict[str, Any]] = []
        self.session = Session(frame, sampler, self.answers.append)
        self.number = 0

    def send(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        self.answers.clear()
        self.number += 1
        asked = {"by": "tags", "limit": "", "seed": "", "replace": True} if kind in ("check", "run") else {}
        self.session.receive({"kind": kind, "id": f"p:{self.number}", **asked, **fields})
        assert all(each["id"] == f"p:{self.number}" and each["to"] == kind for each in self.answers)
        return self.answers

    def one(self, kind: str, **fields: Any) -> dict[str, Any]:
        (answer,) = self.send(kind, **fields)
        return answer


def test_a_right_text_is_checked_and_expected(frame):
    checked, expected = Page(frame).send("check", text=SAMPLER)
    assert checked["kind"] == "checked" and checked["fault"] is None and not checked["statement"]
    assert [(arm["condition"], arm["weight"]) for arm in checked["arms"]] == [
        ("contains(tags, 'b')", 3.0),
        ("true", 1.0),
    ]
    assert [SAMPLER[arm["start"] : arm["stop"]] for arm in checked["arms"]] == ["3", "1"]
    labels = frame.tql.report(SAMPLER, by="tags").labels
    assert expected["kind"] == "expected" and expected["by"] == "tags" and expected["between"] == 0
    assert [row["label"] for row in expected["labels"]] == ["a", "b", None]
    assert [row["expected_share"] for row in expected["labels"]] == pytest.approx(list(labels["expected_share"]))
    assert [row["rows"] for row in expected["labels"]] == [15, 10, 10]
    assert (expected["size"], expected["rows"]) == (30, 30)


def test_the_size_and_replacement_are_those_of_the_page(frame):
    _, expected = Page(frame).send("check", text=SAMPLER, limit="1,0", replace=False)
    labels = frame.tql.report(SAMPLER, 10, by="tags", replace=False).labels
    assert expected["size"] == 10
    assert [row["expected_count"] for row in expected["labels"]] == pytest.approx(list(labels["expected_count"]))


@pytest.mark.parametrize(
    ("text", "message", "hint", "span"),
    [
        ("max_weight(contains(tag, 'b'): 3)", "unknown column 'tag'", "did you mean 'tags'?", (20, 23)),
        ("max_weight(age >", "the text ends too early", "expected a value", (16, 16)),
        ("'🫁' = nam", "unknown column 'nam'", "did you mean 'name'?", (7, 10)),
        ("select agee", "unknown column 'agee'", "did you mean 'age'?", (7, 11)),
        ("select age + 1 as b", "column 'b' is computed; a view is of columns of the frame", None, (7, 19)),
    ],
)
def test_a_fault_has_its_place_in_utf_16(frame, text, message, hint, span):
    fault = Page(frame).one("check", text=text)["fault"]
    assert fault["message"] == message and (fault["start"], fault["stop"]) == span
    assert hint is None or fault["hint"] == hint


def test_a_fault_of_the_weights_comes_with_the_expectation(frame):
    checked, failed = Page(frame).send("check", text="age - 100")
    assert checked["fault"] is None
    assert failed["kind"] == "failed" and "negative weight" in failed["fault"]["message"]


@pytest.mark.parametrize(("name", "value"), [("limit", "many"), ("seed", "-1"), ("limit", "1.5"), ("limit", "9" * 20)])
def test_a_number_that_is_none_is_told(frame, name, value):
    fault = Page(frame).one("check", text=SAMPLER, **{name: value})["fault"]
    assert name in fault["message"] and fault["start"] is None
    failed = Page(frame).one("run", text=SAMPLER, **{name: value})
    assert failed["kind"] == "failed" and name in failed["fault"]["message"]


def test_an_empty_text_expects_the_labels_as_they_are(frame):
    checked, expected = Page(frame).send("check", text=" ")
    assert checked["fault"] is None and checked["arms"] == []
    assert all(row["expected_share"] == pytest.approx(row["share"]) for row in expected["labels"])


def test_a_blank_page_gets_the_labels_as_they_are_whatever_the_text(frame):
    checked, expected = Page(frame).send("check", text="max_weight(", limit="x", blank=True)
    assert checked["fault"] is not None
    assert [row["rows"] for row in expected["labels"]] == [15, 10, 10]


def test_a_statement_is_expected_from_the_rows_that_it_draws_from(frame):
    text = f"select * where age > 10 sample by {SAMPLER} limit 7"
    checked, expected = Page(frame).send("check", text=text)
    assert checked["statement"] and [text[arm["start"] : arm["stop"]] for arm in checked["arms"]] == ["3", "1"]
    assert expected["size"] == 7 and expected["rows"] == 20
    _, expected = Page(frame).send("check", text="select * where age > 10")
    assert "expected_share" not in expected["labels"][0] or expected["labels"][0]["expected_share"] is None


def test_a_run_is_a_view_and_goes_into_the_history(frame):
    page = Page(frame)
    ran = page.one("run", text=SAMPLER, limit="8", seed="7")
    view = page.session.view
    assert view.to_native().equals(frame.tql.sample(SAMPLER, limit=8, seed=7))
    assert page.session.query == SAMPLER
    assert (ran["kind"], ran["rows"], ran["seed"], ran["notes"]) == ("ran", 8, "7", [])
    assert ran["columns"] == ["index", "tags", "age", "name"]
    again = page.one("run", text="select name where age > 60", seed="")
    assert again["columns"] == ["index", "name"] and again["seed"] == str(page.session.view.seed)
    assert [run["text"] for run in again["history"]] == ["select name where age > 60", SAMPLER]
    first = again["history"][1]
    assert (first["limit"], first["seed"], first["replace"], first["rows"]) == ("8", "7", True, 8)


def test_a_warning_is_a_note(frame):
    ran = Page(frame).one("run", text="max_weight(age > 60: 1)", limit="100", replace=False)
    assert ran["rows"] == 5 and len(ran["notes"]) == 1


def test_a_run_that_fails_leaves_the_last_one(frame):
    page = Page(frame)
    page.send("run", text=SAMPLER, limit="8")
    view = page.session.view
    failed = page.one("run", text="max_weight(")
    assert failed["kind"] == "failed" and failed["fault"]["start"] == 11
    assert page.session.view is view and len(page.session.history) == 1


def test_rows_are_sent_by_windows(frame):
    page = Page(frame)
    assert page.send("rows", start=0, count=5) == []
    page.send("run", text=SAMPLER, limit="200", seed="1")
    answer = page.one("rows", start=190, count=12)
    assert answer["start"] == 190 and len(answer["rows"]) == 10
    assert len(page.one("rows", start=0, count=10_000)["rows"]) == MOST_ROWS
    drawn = page.session.view.to_polars()
    for at, row in enumerate(page.one("rows", start=5, count=3)["rows"], start=5):
        assert row[0] == str(page.session.view.positions[at])
        assert row[-1] == drawn["name"][at]
    assert page.one("rows", start=500, count=3)["rows"] == []


def test_drawn_labels_are_those_of_the_report_of_the_view(frame):
    page = Page(frame)
    assert page.send("drawn", by="tags") == []
    page.send("run", text=SAMPLER, limit="50", seed="1")
    drawn = page.one("drawn", by="tags")
    labels = page.session.view.report("tags").labels
    names = [name if isinstance(name, str) else None for name in labels["label"]]
    wanted = dict(zip(names, map(int, labels["drawn"]), strict=True))
    assert {label: count for label, count, _ in drawn["labels"]} == {name: n for name, n in wanted.items() if n}
    assert [share for _, _, share in drawn["labels"]] == [count / 50 for _, count, _ in drawn["labels"]]


def test_balance_takes_targets_by_the_number_of_the_label(frame):
    page = Page(frame)
    page.send("check", text="")
    answer = page.one("balance", by="tags", targets=[[1, 0.5]], keep=[0], most=None)
    balance = frame.tql.balance("tags", {"b": 0.5}, keep=["a"])
    assert answer["text"] == balance.sampler and "effective sample size" in answer["note"]
    uniform = page.one("balance", by="tags", targets=[], keep=[], most=2)
    assert uniform["text"] == frame.tql.balance("tags", max_weight=2).sampler
    far = page.one("balance", by="tags", targets=[[1, 0.99]], keep=[], most=1.1)
    assert "b: max_weight=1.1" in far["note"]
    failed = page.one("balance", by=None, targets=[], keep=[], most=None)
    assert failed["fault"]["message"] == "there is no column of labels to balance"
    page.send("check", text="select *")  # which is not thrown away
    assert page.one("balance", by="tags", targets=[], keep=[], most=None)["kind"] == "failed"


def test_balance_is_for_the_sample_that_the_page_asks_for(frame):
    page = Page(frame)
    page.send("check", text="", limit="1,2", replace=False)
    answer = page.one("balance", by="tags", targets=[[1, 0.5]], keep=[], most=None)
    balance = frame.tql.balance("tags", {"b": 0.5}, limit=12, replace=False)
    assert answer["text"] == balance.sampler != frame.tql.balance("tags", {"b": 0.5}).sampler
    assert "greatest probability" in answer["note"]
    page.send("check", text="", limit="x")
    assert "limit" in page.one("balance", by="tags", targets=[], keep=[], most=None)["fault"]["message"]


def test_other_errors_are_told_too(frame, monkeypatch):
    page = Page(frame)
    monkeypatch.setattr(sessions, "fault_of", lambda *_: 1 / 0)
    failed = page.one("check", text=SAMPLER)
    assert failed["fault"]["message"] == "ZeroDivisionError: division by zero"
    assert page.send("nonsense") == []


def test_a_state_tells_a_new_page_all(frame):
    page = Page(frame, "age")
    assert page.session.state | {"of": 30} == page.session.state
    assert (page.session.state["text"], page.session.state["by"], page.session.state["ran"]) == ("age", "tags", None)
    page.send("run", text=SAMPLER, limit="8", seed="7")
    state = page.session.state
    assert (state["text"], state["limit"], state["ran"]["rows"]) == (SAMPLER, "8", 8)


def test_columns_of_labels_are_found_in_the_first_rows():
    frame = pl.DataFrame(
        {
            "id": range(100),
            "score": [0.5] * 100,
            "grade": [1, 2, 3, 4] * 25,
            "old": [True, False] * 50,
            "city": ["Ulm", "Bonn"] * 50,
            "kind": pl.Series(["x", "y"] * 50, dtype=pl.Enum(["x", "y"])),
            "pixels": [[0.5]] * 100,
            "tags": [["a"], []] * 50,
        }
    )
    assert columns_of_labels(frame) == ["tags", "kind", "city", "old", "grade"]
    objects = frame.to_pandas().assign(thing=[object()] * 100)
    assert columns_of_labels(head_of(objects))[0] == "tags"
    assert Page(frame.select("id")).session.asked["by"] is None


def test_a_frame_without_labels_or_with_an_index_column():
    page = Page(pl.DataFrame({"index": range(40), "row": range(40)}))
    (checked,) = page.send("check", text="index", by=None)
    assert checked["fault"] is None
    assert page.one("run", text="index", by=None, limit="3")["columns"] == ["index", "row"]
    assert page.send("drawn", by=None) == []


def test_words_are_columns_functions_and_keywords():
    words = words_of(["age", "left", 3], {"age": pl.Int64()})
    assert [(word["name"], word["insert"]) for word in words[:2]] == [("age", "age"), ("left", '"left"')]
    kinds = {word["name"]: word["kind"] for word in words[2:]}
    assert (kinds["contains"], kinds["max_weight"], kinds["select"], kinds["like"]) == ("function",) * 2 + (
        "keyword",
    ) * 2
    assert 3 not in kinds


def test_arms_are_those_of_constant_weight():
    text = "max_weight(a: 2 * 3, b: c, d: -1, e: 1 / 0, f: 0.5)"
    assert [(arm["condition"], arm["weight"]) for arm in arms_of(text)] == [("a", 6.0), ("f", 0.5)]
    assert arms_of("max_weight(") == []


@pytest.mark.parametrize(
    ("weight", "value"),
    [
        ("5", 5.0),
        ("+5", 5.0),
        ("-(-5)", 5.0),
        ("3 - -2", 5.0),
        ("-(2 - 7)", 5.0),
        ("2 * 3 - 1", 5.0),
        ("10 / 2", 5.0),
        ("0", 0.0),
        ("-5", None),  # no weight
        ("2 - 7", None),
        ("5 / 0", None),
        ("age", None),
        ("-age", None),
        ("+age", None),
        ("5 + age", None),
        ("age * 0", None),
        ("-(-age)", None),
        ("7 % 2", None),
        ("true", None),
    ],
)
def test_a_weight_is_constant_if_it_is_calculated_from_numbers_alone(weight: str, value: float | None):
    text = f"max_weight(a: {weight}, true: 1)"
    found = [(arm["weight"], text[arm["start"] : arm["stop"]]) for arm in arms_of(text)]
    assert found == [*([(value, weight)] if value is not None else []), (1.0, "1")]


def test_cells_are_short_texts():
    assert cell_text("x" * 500) == "x" * 79 + "…"
    assert cell_text(float("nan")) == "NaN" and cell_text(pd.NaT) is None and cell_text(b"abc") == "3 bytes"
    assert cell_text({"a": [1, None]}) == "a: [1, None]"
    wide = pl.DataFrame({f"c{at}": [at] for at in range(200)})
    assert len(row_preview(wide.tql.view("1", 1), 0, 1)[0]) == MOST_COLUMNS


def test_lazy_frames_and_other_things_are_refused():
    with pytest.raises(tql_frames.TQLError, match="LazyFrame") as caught:
        Session(pl.LazyFrame({"a": [1]}), "", print)
    assert caught.value.hint == "collect it first"
    with pytest.raises(tql_frames.TQLError, match="expected the frame to be"):
        Session([1], "", print)
    with pytest.raises(tql_frames.TQLError, match="a sampler as TQL text"):
        Session(pl.DataFrame({"a": [1]}), 5, print)


def test_only_the_newest_work_is_done_and_told():
    async def main() -> tuple[list[int], list[int]]:
        newest, go = LatestTask(), threading.Event()
        done: list[int] = []
        told: list[int] = []

        def work(number: int) -> int:
            go.wait(10)
            done.append(number)
            return number

        for number in range(5):
            newest.start(lambda number=number: work(number), told.append)
            await asyncio.sleep(0.05 if number == 0 else 0)
        go.set()
        for _ in range(200):
            await asyncio.sleep(0.01)
            if told:
                break
        return done, told

    done, told = asyncio.run(main())
    assert told == [4]
    assert done == [0, 4]  # what had begun, and what was newest


def test_the_widget_sends_what_the_session_says():
    pytest.importorskip("anywidget", reason="anywidget is not installed: pip install anywidget")
    frame = pl.DataFrame({"sex": ["F", "M", "M"]})
    widget = frame.tql.explore("sex = 'F'")
    sent: list[dict[str, Any]] = []
    widget.send = sent.append
    assert (widget.query, widget.view) == ("sex = 'F'", None)
    asked = {"by": "sex", "limit": "4", "seed": "1", "replace": True}
    widget._handle_custom_msg({"kind": "check", "id": "1", "text": "sex = 'M'", **asked}, [])
    assert widget.query == widget._state["text"] == "sex = 'M'"
    assert repr(widget) == f"""Explore({len(frame)} rows, "sex = 'M'")"""  # is shown where no widget runs
    widget._handle_custom_msg({"kind": "run", "id": "2", "text": "sex = 'M'", **asked}, [])
    assert [answer["kind"] for answer in sent] == ["checked", "expected", "ran"]
    assert widget.view.to_native().equals(frame.tql.sample("sex = 'M'", 4, seed=1))
    assert widget._state["ran"]["rows"] == 4
    assert set(widget._known) == {"words", "choices", "colours"}
    kind = import_module("tql_frames.notebook.widget").Explore
    assert all(isinstance(each, kind) for each in (widget, frame.to_pandas().tql.explore(), tql_frames.explore(frame)))


def test_scripts_and_styles_fetch_nothing():
    pytest.importorskip("anywidget", reason="anywidget is not installed: pip install anywidget")
    widgets = import_module("tql_frames.notebook.widget")
    scripts = widgets._static(widgets._SCRIPTS, "js")
    styles = widgets._static(widgets._STYLES, "css")
    for text in (scripts, styles):
        assert not any(word in text for word in ("http:", "https:", "import(", "url(", "@import", "innerHTML", "eval("))
    assert scripts.count("export default") == 1


def test_without_anywidget_the_command_is_told(monkeypatch):
    notebook = import_module("tql_frames.notebook")

    def missing(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'anywidget'", name="anywidget")

    notebook._widgets.cache_clear()
    monkeypatch.setattr(notebook, "import_module", missing)
    with pytest.raises(tql_frames.TQLError, match="anywidget") as caught:
        pl.DataFrame({"a": [1]}).tql.explore()
    assert caught.value.hint == "pip install 'tql-frames[widget]'"


def test_labels_that_the_caller_names_are_the_first_choice(frame):
    flags = {"a": [True, True, True, False, False, None] * 5, "b": [0, 0, 1, 1, None, 0] * 5}
    texts = ["a", "a", "a|b", "b", "", None] * 5
    if isinstance(frame, pd.DataFrame):
        frame = frame.assign(a=pd.Series(flags["a"], dtype=object), b=pd.Series(flags["b"], dtype="Int64"), text=texts)
    else:
        frame = frame.with_columns(pl.Series(name, values) for name, values in flags.items()).with_columns(
            text=pl.Series(texts)
        )
    (_, expected) = Page(frame).send("check", text=SAMPLER)
    for by, split, choice in ((["a", "b"], None, "a, b"), ("text", "|", "text"), ("tags", None, "tags")):
        answers: list[dict[str, Any]] = []
        session = Session(frame, SAMPLER, answers.append, by, split)
        assert session.choices[0] == session.asked["by"] == session.state["by"] == choice
        assert {"tags", "text"} <= {choice, *session.choices}
        session.receive({"kind": "check", "id": "1", "text": SAMPLER, "by": choice})
        assert [answer["kind"] for answer in answers] == ["checked", "expected"]
        assert answers[1]["by"] == choice and answers[1]["effective"] == expected["effective"]
        for row, other in zip(answers[1]["labels"], expected["labels"], strict=True):
            assert row == pytest.approx(other)
        session.receive({"kind": "balance", "id": "2", "by": choice, "targets": [[1, 0.5]], "keep": []})
        sampler = frame.tql.balance(by, {"b": 0.5}, split=split).sampler
        assert answers[2]["kind"] == "balanced" and answers[2]["text"] == sampler
        session.receive({"kind": "run", "id": "3", "text": sampler, "by": choice, "limit": "40", "seed": "3"})
        session.receive({"kind": "drawn", "id": "4", "by": choice})
        labels = pl.DataFrame(session.view.report(by, split=split).to_dict()["labels"])
        assert answers[4]["kind"] == "drawn"
        drawn = {name: rows for name, rows, _ in answers[4]["labels"]}
        assert drawn == dict(labels.filter(pl.col("drawn") > 0).select("label", "drawn").iter_rows())
        completed = {word["name"] for word in session.words if word["kind"] == "label" and word["detail"] == "text"}
        assert completed - {""} == ({"a", "b"} if split else {"a", "b", "a|b"})


def test_labels_that_are_none_are_told_before_the_page_opens():
    frame = pl.DataFrame({"a": [1, 0], "text": ["x", "y"], "a, b": [1, 1], "b": [0, 1]})
    for by, split, message in (
        (["a", "text"], None, "expected column 'text' of by= to hold true or false"),
        (["a", "c"], None, "unknown column 'c'"),
        ("a", "|", "split= is for a column of text"),
        ([], None, "by= names no column"),
    ):
        with pytest.raises(TQLError, match=message):
            Session(frame, "", print, by, split)
        for call in (frame.tql.explore, lambda **options: tql_frames.explore(frame, **options)):
            with pytest.raises(TQLError, match=message):
                call(by=by, split=split)
    assert Session(frame, "", print, ["a", "b"]).choices[0] == "a, b "  # another name than that of the column
    failed: list[dict[str, Any]] = []
    two = pl.DataFrame({"a": [1, 2], "b": [0, 1]})
    Session(two, "", failed.append, ["a", "b"]).receive({"kind": "check", "id": "1", "text": "", "by": "a, b"})
    assert "expected 1 or 0 in column 'a' of by=, got 2" in failed[1]["fault"]["message"]


@pytest.mark.parametrize("make", [lambda frame: frame.to_arrow(), lambda frame: frame.tql.view("1", index=None)])
def test_a_table_of_another_library_is_shown(make):
    frame = pl.DataFrame({"tags": [["a"], ["b"], []] * 4, "age": range(12)})
    session = Session(make(frame), "max_weight(age > 3: 2, True: 1)", print)
    assert session.choices[0] == "tags"
    assert session._frame.columns == ["tags", "age"]
