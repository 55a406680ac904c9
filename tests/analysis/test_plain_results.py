"""Reports and balances as values that JSON writes."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

LABELS: list[list[Any]] = [
    ["PA", "PA", None],
    [1, 2, 2],
    [True, False, True],
    [0.5, float("nan"), float("inf")],
    [dt.date(2024, 5, 1), dt.date(2024, 5, 2), None],
    [dt.datetime(2024, 5, 1, 12), dt.datetime(2024, 5, 1, 13), None],
    [dt.time(12), dt.time(13), None],
    [Decimal("1.10"), Decimal("2.20"), None],
    [["a", "b"], [], None],
]


@pytest.mark.fault("D8")
@pytest.mark.parametrize("values", LABELS)
@pytest.mark.parametrize("kind", ["eager", "lazy", "pandas"])
def test_results_are_written_as_strict_json(values: list[Any], kind: str) -> None:
    frame: Any = pl.DataFrame({"label": values, "w": [1, 2, 3]})
    frame = {"eager": lambda: frame, "lazy": frame.lazy, "pandas": frame.to_pandas}[kind]()
    report = frame.tql.report("max_weight(w > 1: 3, True: 1)", by="label")
    balance = frame.tql.balance("label")
    for result in (report, balance):
        found = result.to_dict()
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert len(found["labels"]) == len(result.labels)


@pytest.mark.fault("D8")
def test_what_is_written_is_what_the_attributes_say() -> None:
    frame = pl.DataFrame({"label": ["a", "a", None], "w": [1, 2, 3]})
    report = frame.tql.report("max_weight(w > 1: 3, True: 1)", by="label", limit=7, replace=False)
    found: dict[str, Any] = report.to_dict()
    assert found["rows"] == 3 and found["size"] == 3 and found["replace"] is False
    assert found["labels"] == report.labels.to_dicts()
    assert found["arms"] == report.arms.to_dicts()
    assert found["co_movement"] == report.co_movement.to_dicts()
    assert frame.tql.report().to_dict()["labels"] is None
    balance = frame.tql.balance("label")
    found = balance.to_dict()
    assert (found["by"], found["rows"], found["sampler"]) == ("label", 3, balance.sampler)
    assert found["price"]["effective_rows"] == balance.price.effective_rows
    assert found["labels"] == balance.labels.to_dicts()


@pytest.mark.fault("D8")
def test_pandas_gives_the_same_as_polars() -> None:
    frame = pd.DataFrame({"label": ["a", "a", "b"], "w": np.array([1, 2, 3])})
    sampler = "max_weight(w > 1: 3, True: 1)"
    found = frame.tql.report(sampler, by="label").to_dict()
    assert found == pl.from_pandas(frame).tql.report(sampler, by="label").to_dict()
