"""The main job on real-size tables: the counts of many draws against their exact expectation, on every frame."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

import tql_frames
from tests.sizes import size
from tql_frames import demo
from tql_frames.datasets import chest_xray

DRAWS = size(250_000, 1_000_000)
REAL = Path(__file__).parents[3] / "shared" / "data" / "nih_chest_xray14.parquet"


def real_table() -> pl.DataFrame:
    if not REAL.exists():
        pytest.skip("the real label table is not part of the project")
    return pl.read_parquet(REAL)


@pytest.fixture(scope="module", params=[chest_xray, real_table], ids=["synthetic", "real"])
def xrays(request) -> pl.DataFrame:
    return request.param()


@pytest.fixture(scope="module")
def some_xrays(xrays) -> pl.DataFrame:
    """Fewer rows in `make test`, since summing them in Python takes time."""
    return xrays.head(size(40_000, xrays.height))


@pytest.mark.parametrize("kind", ["polars", "pandas", "lazy", "streaming"])
def test_every_finding_comes_as_often_as_expected(some_xrays, kind):
    xrays = some_xrays
    match kind:
        case "polars":
            drawn = xrays.tql.sample(demo.SAMPLER, limit=DRAWS, seed=1)["index"]
        case "pandas":
            drawn = pl.Series(xrays.to_pandas().tql.sample(demo.SAMPLER, limit=DRAWS, seed=1).index)
        case _:
            engine = "streaming" if kind == "streaming" else "in-memory"
            drawn = xrays.lazy().tql.sample(demo.SAMPLER, limit=DRAWS, seed=1).collect(engine=engine)["index"]
    positions = tql_frames.sampling.draw(
        tql_frames.weights(xrays, demo.SAMPLER).to_numpy(), DRAWS, replace=True, seed=1
    )
    assert (drawn.to_numpy() == positions).all()  # the same rows, in the same order, on every kind of frame
    findings = xrays["findings"]
    counts = dict(findings[positions].explode().value_counts().iter_rows())
    weights = plain_weights(findings)
    weight_of = Counter()  # independent of the compiler and of the sampler: a plain sum over the rows
    for weight, names in zip(weights, findings.to_list(), strict=True):
        weight_of.update(dict.fromkeys(names, weight))
    for finding, weight in weight_of.items():
        share = weight / sum(weights)
        error = (DRAWS * share * (1 - share)) ** 0.5
        assert abs(counts[finding] - DRAWS * share) < 5 * error, finding


def plain_weights(findings: pl.Series) -> list[int]:
    factors = {"Hernia": 20, "Pneumonia": 8, "Fibrosis": 5, "Edema": 5, "Emphysema": 2}
    return [max(1, *(factors.get(name, 1) for name in names)) for names in findings.to_list()]


def test_one_sample_without_replacement(xrays):
    eager = xrays.tql.sample(demo.SAMPLER, limit=50_000, replace=False, seed=3)
    assert eager["index"].n_unique() == 50_000
    lazy = xrays.lazy().tql.sample(demo.SAMPLER, limit=50_000, replace=False, seed=3).collect()
    pandas = xrays.to_pandas().tql.sample(demo.SAMPLER, limit=50_000, replace=False, seed=3)
    assert eager["index"].equals(lazy["index"])
    assert eager["index"].to_list() == pandas.index.to_list()


def test_demo_prints_what_it_drew(capsys):
    demo.main()
    printed = capsys.readouterr().out
    assert printed.count("112,120 rows drawn") == 2
    assert "from both: True" in printed
    hernia = next(line for line in printed.splitlines() if line.startswith("Hernia"))
    raw, expected, drawn = (float(word.rstrip("%")) for word in hernia.split()[-3:])
    assert raw == round(100 * 227 / 112_120, 2)
    weights = plain_weights(chest_xray()["findings"])
    assert expected == round(100 * 227 * 20 / sum(weights), 2)
    assert abs(drawn - expected) < 5 * 100 * (expected / 100 / 112_120) ** 0.5
