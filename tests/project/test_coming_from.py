"""The page for users of other libraries: both sides of its tables run and give as many rows, and its claims hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests.pages import ROOT
from tql_frames import TQLWarning, WeightError

PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
ROWS = 60
SECTIONS = ("pandas", "Polars", "PyTorch", "imbalanced-learn", "scikit-learn", "Deep Lake")
# The library of each section that has to be installed for its own side, and for ours.
THEIRS = {"PyTorch": "torch", "imbalanced-learn": "imblearn", "scikit-learn": "sklearn", "Deep Lake": "deeplake"}
OURS = {"PyTorch": "torch", "imbalanced-learn": "imblearn"}


def polars_frame() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    view = ["PA", "PA", "AP"] * (ROWS // 3)
    columns = {"view": view, "age": rng.integers(20, 90, ROWS), "patient": np.arange(ROWS) // 3, "w": rng.random(ROWS)}
    return pl.DataFrame(columns)


def rows() -> Iterator[tuple[str, str, str]]:
    """Section, their call and ours."""
    for section in SECTIONS:
        text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
        for theirs, ours in re.findall(r"^\| `(.+)` \| `(.+)` \|$", text, re.MULTILINE):
            yield section, theirs, ours


def names_of(section: str, *, theirs: bool) -> dict[str, Any]:
    """Names that the calls of a section may use."""
    frame: Any = polars_frame()
    if section not in ("Polars", "PyTorch"):
        frame = frame.to_pandas()
    names: dict[str, Any] = {"df": frame, "np": np, "pl": pl, "pd": pd}
    if section == "PyTorch":
        import torch  # noqa: PLC0415

        from tql_frames.torch import TQLSampler  # noqa: PLC0415

        samplers = torch.utils.data
        names |= {"torch": torch, "TQLSampler": TQLSampler, "RandomSampler": samplers.RandomSampler}
        names["WeightedRandomSampler"] = samplers.WeightedRandomSampler
    if section == "imbalanced-learn":
        from imblearn.over_sampling import RandomOverSampler  # noqa: PLC0415
        from imblearn.under_sampling import RandomUnderSampler  # noqa: PLC0415

        from tql_frames.sklearn import TQLResampler  # noqa: PLC0415

        names |= {"X": frame[["age", "w"]], "y": frame["view"], "TQLResampler": TQLResampler}
        names |= {"RandomOverSampler": RandomOverSampler, "RandomUnderSampler": RandomUnderSampler}
    if section == "scikit-learn" and theirs:
        from sklearn import model_selection, utils  # noqa: PLC0415

        names |= vars(model_selection) | {"resample": utils.resample}
    return names


def shape_of(found: Any) -> Any:
    """Return what must agree: rows of each part, of each fold, or of X and y; columns of a frame."""
    if isinstance(found, (pd.DataFrame, pl.DataFrame)):
        return found.shape
    if isinstance(found, (pd.Series, np.ndarray)):
        return len(found)
    if hasattr(found, "num_samples") or type(found).__name__ == "TQLSampler":
        return len(list(found))
    if hasattr(found, "positions"):
        return len(found)
    return [len(part) if not isinstance(part, tuple) else [len(each) for each in part] for part in found]


@pytest.mark.parametrize(("section", "theirs", "ours"), list(rows()))
def test_both_sides_run_and_agree(section: str, theirs: str, ours: str) -> None:
    needed = OURS.get(section)
    if needed is not None:
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    found = shape_of(eval(ours, names_of(section, theirs=False)))
    assert found
    library = THEIRS.get(section)
    if section == "Deep Lake" or (library is not None and find_spec(library) is None):
        return  # recorded queries of Deep Lake have tests of their own
    expected = shape_of(eval(theirs, names_of(section, theirs=True)))
    if "groups=" in theirs:  # whole groups of equal shares: which of them are larger is chance
        assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    elif section == "imbalanced-learn":
        assert [found[0], found[1]] == [expected[0], expected[1]]
    elif section == "scikit-learn" and isinstance(found, list):
        for mine, other in zip(found, expected, strict=True):
            assert np.abs(np.subtract(mine, other)).max() <= 3  # rows of a unit, by which folds may differ
    else:
        assert found == expected


def test_every_row_of_a_table_is_found() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(list(rows())) == len(lines) > 30


def test_the_error_of_the_page_is_the_error() -> None:
    with pytest.raises(TypeError) as fault:
        polars_frame().tql.sample("1", frac=0.1)
    assert f"`TypeError: {fault.value}`" in PAGE.replace("\n", " ")


# --- what the lists say ----------------------------------------------------------------------------------------------


def test_defaults() -> None:
    frame = polars_frame()
    drawn = frame.tql.sample("1", seed=1)
    assert drawn.height == ROWS > drawn["index"].n_unique()
    assert frame.sample().height == len(frame.to_pandas().sample()) == 1
    assert (frame.tql.sample("w", 9, seed=1)["index"] == frame.tql.sample("w * 40", 9, seed=1)["index"]).all()


def test_pandas() -> None:
    frame = pd.DataFrame({"w": [100.0, 1, 1], "gap": [1.0, np.nan, 1]})
    assert sorted(frame.tql.sample("w", 2, replace=False).index)[0] in (0, 1)
    if int(pd.__version__.split(".")[0]) >= 3:
        with pytest.raises(ValueError, match="Weighted sampling cannot be achieved with replace=False"):
            frame.sample(2, weights="w")
    assert set(frame.sample(99, weights="gap", replace=True).index) == {0, 2}
    assert set(frame.tql.sample("gap", 99).index) == {0, 2}
    with pytest.raises(WeightError, match="a NaN weight in row 1"):
        pl.DataFrame({"gap": [1.0, float("nan")]}).tql.sample("gap")
    with pytest.raises(ValueError, match="larger sample than population"):
        frame.sample(5)
    with pytest.warns(TQLWarning, match="5 rows were asked for without replacement"):
        assert len(frame.tql.sample("1", 5, replace=False)) == 3
    assert (len(frame.sample(frac=0.5)), len(frame.tql.sample("1", fraction=0.5))) == (2, 1)


def test_polars() -> None:
    frame = polars_frame()
    assert frame.tql.sample("1", 5, index="row").columns[0] == "row"
    assert frame.tql.sample(pl.col("age") ** 2, 5).height == 5
    assert not hasattr(pl.LazyFrame, "sample")
    assert frame.lazy().tql.sample("1", 5).collect().height == 5
    numbers = pl.DataFrame({"n": range(ROWS)})
    assert numbers.sample(ROWS, seed=1)["n"].is_sorted()
    assert not numbers.tql.sample("1", replace=False, seed=1)["n"].is_sorted()
    assert numbers.tql.sample("1", 9, seed=1, order="source")["n"].is_sorted()


def test_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from tql_frames.torch import TQLSampler  # noqa: PLC0415

    frame = pl.DataFrame({"w": [1.0, 0.0, 3.0], "nan": [1.0, float("nan"), 1.0]})
    theirs = torch.utils.data.WeightedRandomSampler
    first, again = TQLSampler(frame, "w", limit=20), TQLSampler(frame, "w", limit=20)
    epochs = [list(first), list(first)]
    assert epochs == [list(again), list(again)]
    assert epochs[0] != epochs[1]
    assert sorted(theirs([1.0, 0.0, 3.0], 3, replacement=False)) == [0, 1, 2]
    with pytest.warns(TQLWarning, match="only 2 have a positive weight"):
        assert sorted(TQLSampler(frame, "w", replace=False)) == [0, 2]
    broken = theirs([1.0, float("nan")], 2)
    with pytest.raises(RuntimeError):
        list(broken)
    with pytest.raises(WeightError):
        TQLSampler(frame, "nan")


def test_imbalanced_learn() -> None:
    pytest.importorskip("imblearn", reason="imbalanced-learn is not installed")
    names = names_of("imbalanced-learn", theirs=True)
    over = names["RandomOverSampler"](random_state=1)
    drawn = names["TQLResampler"]("1", limit=40, over="view", random_state=1)
    for resampler, missing in ((over, False), (drawn, True)):
        resampler.fit_resample(names["X"], names["y"])
        assert (set(range(ROWS)) > set(resampler.sample_indices_)) is missing
    under: Callable[..., Any] = names["RandomUnderSampler"]
    assert under().fit_resample(names["X"], names["y"])[1].iloc[0] == "AP"
    assert drawn.fit_resample(names["X"], names["y"])[1].iloc[0] == "PA"


def test_scikit_learn() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.model_selection import KFold  # noqa: PLC0415

    frame = polars_frame()
    parts = frame.tql.split({"train": 0.75, "test": 0.25}, seed=1)
    assert frame[parts["test"].positions].equals(parts["test"].to_native().drop("index"))
    assert next(KFold(5).split(frame))[1].tolist() == [*range(12)]
    assert frame.tql.split(folds=5, seed=1)[0].positions.tolist() != [*range(12)]
    keyed = [
        frame.head(rows).tql.split(folds=2, key="patient", seed=1)[0].to_native()["patient"] for rows in (30, ROWS)
    ]
    assert set(keyed[0]) == {patient for patient in keyed[1] if patient < 10}


def test_deep_lake() -> None:
    frame = pl.DataFrame({"w": [1.0, 0.0], "less": [1.0, -1.0], "nan": [1.0, float("nan")]})
    for name in ("less", "nan"):
        with pytest.raises(WeightError):
            frame.tql.query(f"select * sample by {name}")
    assert set(frame.tql.query("select * sample by w limit 99", seed=1)["index"]) == {0}
    seeded = polars_frame()
    text = "max_weight(age > 60: 5, True: 1)"
    query = seeded.tql.query(f"select * sample by {text} limit 5", seed=7)
    assert query.equals(seeded.tql.sample(text, 5, seed=7))
