"""`%tql` and `%%tql` in a shell of IPython."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import polars as pl
import pytest

pytest.importorskip("IPython", reason="IPython is not installed: pip install ipython")

from IPython.core.interactiveshell import InteractiveShell

import tql_frames

SAMPLER = "max_weight(age > 60: 5, True: 1)"


@pytest.fixture
def shell() -> Iterator[Any]:
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(colors="nocolor")
    made.run_line_magic("load_ext", "tql_frames")
    made.user_ns["df"] = pl.DataFrame({"age": [71, 34, 65], "sex": ["F", "M", "M"]})
    yield made
    InteractiveShell.clear_instance()


def run(shell: Any, cell: str) -> Any:
    return shell.run_cell(cell, store_history=False)


def test_a_statement_in_a_cell_is_shown_and_assigned(shell: Any, capsys: Any) -> None:
    done = run(shell, "%%tql df --out old\nselect age\nwhere age > 60")
    assert done.result["age"].to_list() == [71, 65]
    assert shell.user_ns["old"] is done.result
    assert "shape: (2, 2)" in capsys.readouterr().out


def test_a_sampler_in_a_cell_draws_what_sample_draws(shell: Any) -> None:
    done = run(shell, f"%%tql df --seed 7\n{SAMPLER}")
    assert done.result.equals(shell.user_ns["df"].tql.sample(SAMPLER, seed=7))
    assert not {"out", "old"} & set(shell.user_ns)


def test_a_line_holds_frame_options_and_text(shell: Any) -> None:
    assert run(shell, "few = %tql df --seed 3 select * sample by age limit 2").success
    assert shell.user_ns["few"].equals(shell.user_ns["df"].tql.query("select * sample by age limit 2", seed=3))
    assert run(shell, "%tql df --out men select age where sex = 'M'  -- of them").success
    assert shell.user_ns["men"]["age"].to_list() == [34, 65]


def test_braces_and_dollars_are_the_text_s_own(shell: Any) -> None:
    run(shell, "age = 'sex'\n%tql df --out none select * where sex = '$age {age}'")
    assert shell.user_ns["none"].height == 0


def test_pandas_frames_and_attributes(shell: Any) -> None:
    class Held:
        frame = pd.DataFrame({"age": [71, 34]}, index=["x", "y"])

    shell.user_ns["held"] = Held
    assert run(shell, "%tql held.frame select * where age < 60").result.index.to_list() == ["y"]


def test_an_error_of_ours_is_a_message_without_a_traceback(shell: Any, capsys: Any) -> None:
    done = run(shell, "%%tql df\nselect agee")
    said = "".join(capsys.readouterr())
    assert isinstance(done.error_in_exec, tql_frames.TQLNameError)
    assert said.strip() == f"TQLNameError: {done.error_in_exec}"
    assert "    select agee\n           ^^^^" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%%tql nowhere\nselect *", "there is no variable 'nowhere'"),
        ("%%tql df.nothing\nselect *", "'df.nothing' is not a variable"),
        ("%%tql shown\nselect *", "expected 'shown' to be a frame, got str"),
        ("%%tql\nselect *", "the frame is not named"),
        ("%%tql df --limit 5\nselect *", "unknown option --limit"),
        ("%%tql df --seed x\nselect *", "expected --seed to be a whole number of at least 0, got 'x'"),
        ("%%tql df --out 2\nselect *", "expected --out to be a name, got '2'"),
        ("%%tql df select *\nselect *", "unexpected 'select *' behind %%tql"),
        ("%tql df", "there is no text to run"),
    ],
)
def test_what_is_wrong_is_said(shell: Any, capsys: Any, cell: str, message: str) -> None:
    shell.user_ns["shown"] = "text"
    done = run(shell, cell)
    assert isinstance(done.error_in_exec, tql_frames.TQLError)
    assert done.error_in_exec.message == message
    assert "Traceback" not in "".join(capsys.readouterr())


def test_other_errors_keep_their_traceback(shell: Any, capsys: Any) -> None:
    shell.user_ns["df"] = None
    run(shell, "1 / 0")
    assert "Traceback" in "".join(capsys.readouterr())
