"""Equal shares cost as little as equal shares can: no other common share has more effective rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import tql_frames

XRAYS = tql_frames.datasets.chest_xray()
TAGS = pl.DataFrame(
    {
        "t": [
            sorted({f"l{int(number**2 * 6)}" for number in np.random.default_rng(row).random(row % 4)})
            for row in range(3000)
        ]
    }
)


@pytest.mark.fault("H4")
@pytest.mark.parametrize(
    ("frame", "by", "options"),
    [
        (XRAYS, "findings", {}),
        (XRAYS, "findings", {"max_weight": 50}),
        (XRAYS, "findings", {"keep": ["No_Finding"]}),
        (XRAYS, "findings", {"keep": ["No_Finding", "age < 18"], "max_weight": 30}),
        (TAGS, "t", {}),
        (TAGS.lazy(), "t", {}),
    ],
)
def test_no_other_common_share_has_more_effective_rows(frame: Any, by: str, options: dict[str, Any]) -> None:
    """Other shares are asked for by name, one label at a time, which is another way through the package."""
    balance = frame.tql.balance(by, **options)
    table = balance.labels.filter(pl.col("target").is_not_null() & pl.col("reason").is_null())
    kept = options.get("keep", [])
    equal = [label for label in table["label"] if label is not None and label not in kept]
    level = table.filter(label=equal[0])["target"].item()
    assert len(equal) > 4
    most = balance.price.effective_rows
    for factor in (0.9, 0.95, 1.05, 1.1):
        other = frame.tql.balance(by, dict.fromkeys(equal, level * factor), **options)
        reached = other.labels["off"].drop_nulls().abs().max() < 0.01
        assert not reached or other.price.effective_rows < most * 0.9995, factor
    same = frame.tql.balance(by, dict.fromkeys(equal, level), **options)
    assert same.price.effective_rows == pytest.approx(most, rel=0.01)
