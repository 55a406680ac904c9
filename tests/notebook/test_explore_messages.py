"""The widget's messages and traits: malformed messages are answered, `observe` sees the text and each run."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import polars as pl
import pytest

from tests.notebook.test_explore import Page
from tql_frames.notebook import checking as completion
from tql_frames.notebook import labels
from tql_frames.notebook.checking import arms_of
from tql_frames.notebook.session import MOST_COLUMNS, MOST_ROWS, Session, row_preview

FRAME = pl.DataFrame({"tags": [["a"], ["a", "b"], ["b"], [], None, ["c"]] * 20, "age": range(120)})


@pytest.fixture
def page() -> Page:
    page = Page(FRAME)
    page.send("check", text="1")
    page.one("run", text="1", seed="1")
    return page


@pytest.mark.fault("E6")
@pytest.mark.parametrize(
    ("asked", "start", "rows"),
    [
        ({"start": 0, "count": -1}, 0, 0),
        ({"start": 5, "count": -(10**30)}, 5, 0),
        ({"start": -7, "count": 2}, 0, 2),
        ({"start": 10**30, "count": 3}, 10**30, 0),
        ({"start": 119, "count": 10**9}, 119, 1),
        ({"start": 0, "count": 10**9}, 0, MOST_ROWS),
        ({"start": 1.0, "count": 2.0}, 1, 2),
        ({"start": 3}, 3, 0),
        ({}, 0, 0),
    ],
    ids=str,
)
def test_numbers_of_rows_are_clamped(page: Page, asked: dict[str, Any], start: int, rows: int) -> None:
    answer = page.one("rows", **asked)
    assert (answer["kind"], answer["start"], len(answer["rows"])) == ("rows", start, rows)


@pytest.mark.fault("E6")
def test_a_window_of_fewer_than_no_rows_is_empty(page: Page) -> None:
    assert row_preview(page.session.view, 3, -1) == row_preview(page.session.view, 0, -1) == []


MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("rows", {"start": "x", "count": 3}),
    ("rows", {"start": None, "count": 3}),
    ("rows", {"start": 0, "count": [3]}),
    ("rows", {"start": 0, "count": float("nan")}),
    ("rows", {"start": float("inf"), "count": 1}),
    ("rows", {"start": True, "count": 1}),
    ("check", {"text": 5}),
    ("check", {"text": None}),
    ("check", {"text": "1", "by": ["tags"]}),
    ("check", {"text": "1", "by": 3}),
    ("check", {"text": "1", "limit": {"a": 1}}),
    ("check", {"text": "1", "seed": [1]}),
    ("check", {"text": "1", "replace": "no"}),
    ("run", {"text": ["1"]}),
    ("run", {"text": "1", "limit": 1.5}),
    ("drawn", {"by": {"a": 1}}),
    ("balance", {"by": "tags", "targets": [[99, 0.5]]}),
    ("balance", {"by": "tags", "targets": [[-1, 0.5]]}),
    ("balance", {"by": "tags", "targets": [[0]]}),
    ("balance", {"by": "tags", "targets": 5}),
    ("balance", {"by": "tags", "targets": [[0, "half"]]}),
    ("balance", {"by": "tags", "targets": [[0, None]]}),
    ("balance", {"by": "tags", "keep": [-1]}),
    ("balance", {"by": "tags", "keep": "all"}),
    ("balance", {"by": "tags", "most": "five"}),
    ("balance", {"by": "tags", "most": float("nan")}),
]


@pytest.mark.fault("E6")
@pytest.mark.parametrize(("kind", "asked"), MALFORMED, ids=str)
def test_malformed_messages_are_answered_with_an_error(page: Page, kind: str, asked: dict[str, Any]) -> None:
    before = (page.session.query, page.session.view, dict(page.session.asked), len(page.session.history))
    answer = page.one(kind, **asked)
    assert answer["kind"] == "failed"
    assert answer["fault"]["message"].startswith("the message of the widget is malformed: ")
    assert any(f"malformed: {name} " in answer["fault"]["message"] for name in asked)
    assert len(answer["fault"]["message"]) < 200
    assert (page.session.query, page.session.view, dict(page.session.asked), len(page.session.history)) == before
    assert page.one("rows", start=0, count=2)["kind"] == "rows"


@pytest.mark.fault("E6")
@pytest.mark.parametrize(
    "message", [None, 5, "check", [], {}, {"kind": None}, {"kind": ["check"]}, {"id": "p:1"}], ids=str
)
def test_what_is_no_message_is_answered_too(message: Any) -> None:
    answers: list[dict[str, Any]] = []
    Session(FRAME, "", answers.append).receive(message)
    (answer,) = answers
    assert (answer["kind"], answer["fault"]["message"]) == (
        "failed",
        "the message of the widget is malformed: it has no kind",
    )


def test_a_run_says_how_many_columns_are_shown() -> None:
    for columns, notes in [
        (MOST_COLUMNS, []),
        (MOST_COLUMNS + 1, [f"{MOST_COLUMNS} of {MOST_COLUMNS + 1} columns are shown"]),
    ]:
        page = Page(pl.DataFrame({f"c{number}": [1] for number in range(columns)}))
        page.send("check", text="1", by=None)
        assert page.one("run", text="1", seed="1", by=None)["notes"] == notes


def test_messages_of_an_unknown_kind_are_none_of_ours(page: Page) -> None:
    assert page.send("custom", anything=object()) == []


def test_an_unknown_column_of_labels_is_told(page: Page) -> None:
    for kind in ("drawn", "balance"):
        assert page.one(kind, by="nosuch")["kind"] == "failed"


class TestTraits:
    @pytest.fixture
    def widget(self) -> Any:
        pytest.importorskip("anywidget", reason="anywidget is not installed: pip install anywidget")
        widget = FRAME.tql.explore("age")
        widget.send = lambda _: None
        return widget

    @pytest.mark.fault("E11")
    def test_observers_see_each_run(self, widget: Any) -> None:
        seen: list[Any] = []
        widget.observe(seen.append, "view")
        widget._handle_custom_msg({"kind": "run", "id": "1", "text": "age", "limit": "5", "seed": "1"}, [])
        widget._handle_custom_msg({"kind": "run", "id": "2", "text": "age", "limit": "5", "seed": "1"}, [])
        assert [change["new"] for change in seen][-1] is widget.view
        assert len(seen) == 2  # of two runs that draw the same rows, too
        assert seen[0]["old"] is None
        assert len(widget.view) == 5

    @pytest.mark.fault("E11")
    def test_observers_see_the_text(self, widget: Any) -> None:
        seen: list[str] = []
        widget.observe(lambda change: seen.append(change["new"]), "query")
        assert widget.query == "age"
        widget._handle_custom_msg({"kind": "check", "id": "1", "text": "age + 1"}, [])
        assert seen == ["age + 1"]
        assert widget.query == "age + 1"

    @pytest.mark.fault("E11")
    def test_what_pages_share_is_synced(self, widget: Any) -> None:
        assert {"query", "runs"} <= set(widget.keys)
        assert "view" not in widget.keys  # no page can hold it
        assert (widget.get_state()["query"], widget.get_state()["runs"]) == ("age", 0)
        widget.set_state({"runs": 3})  # by the page, when it has an answer to Run: what marimo waits for
        assert widget.runs == 3
        script = import_module("tql_frames.notebook.widget").Explore._esm
        assert 'model.set("runs", found.runs)' in script
        assert "model.save_changes()" in script

    @pytest.mark.fault("E11")
    def test_answers_count_the_runs(self, page: Page) -> None:
        assert [page.one("run", text="1")["runs"] for _ in range(2)] == [2, 3]

    @pytest.mark.fault("E11")
    @pytest.mark.parametrize("name", ["view", "query"])
    def test_they_are_read_only(self, widget: Any, name: str) -> None:
        traitlets = pytest.importorskip("traitlets")
        with pytest.raises(traitlets.TraitError):
            setattr(widget, name, None)
        assert name in widget.trait_names()


@pytest.mark.fault("E16")
def test_arms_of_a_product_have_names_of_their_own() -> None:
    text = "max_weight(contains(tags, 'a'): 2, true: 1) * max_weight(contains(tags, 'b'): 3, true: 1)"
    names = [arm["condition"] for arm in arms_of(text)]
    assert names == [
        "contains(tags, 'a')",
        "true, beside contains(tags, 'a')",
        "contains(tags, 'b')",
        "true, beside contains(tags, 'b')",
    ]
    balanced = FRAME.tql.balance("tags").sampler
    names = [arm["condition"] for arm in arms_of(balanced)]
    assert len(names) > 2
    assert len(set(names)) == len(names)
    assert [arm["condition"] for arm in arms_of("max_weight(age > 1: 2, true: 1)")] == ["age > 1", "true"]


@pytest.mark.fault("E16")
def test_labels_are_words_to_complete_to() -> None:
    frame = pl.DataFrame(
        {
            "tags": [["O'Hara", "b"], None, []] * 3,
            "sex": pl.Series(["M", "F", None] * 3, dtype=pl.Enum(["M", "F", "X"])),
            "n": [1, 2, 3] * 3,
        }
    )
    texts = labels.texts_of(frame, labels.columns_of_labels(frame))
    assert texts == {"tags": ["O'Hara", "b"], "sex": ["F", "M"]}
    words = completion.words_of_labels(texts)
    assert [(word["name"], word["insert"], word["detail"]) for word in words if word["kind"] == "label"] == [
        ("O'Hara", "'O''Hara'", "tags"),
        ("b", "'b'", "tags"),
        ("F", "'F'", "sex"),
        ("M", "'M'", "sex"),
    ]
    session = Session(frame, "", lambda _: None)
    assert [word for word in session.words if word["kind"] == "label"] == words
