"""Dask, Spark, Ray and scikit-learn: errors where they are missing, and of arguments and columns that do not fit."""

from __future__ import annotations

import importlib
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from tql_frames import TQLError, TQLNameError, TQLTypeError
from tql_frames.distributed import keys_from

MISSING = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {engine!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Finder())
import tql_frames
try:
    import tql_frames.{module}
except tql_frames.TQLError as fault:
    print(fault)
"""


@pytest.mark.fault("E13")
@pytest.mark.parametrize(
    ("engine", "module", "words"),
    [
        ("dask", "dask", ["Dask DataFrame is not installed", "pip install 'tql-frames[dask]'"]),
        ("pyspark", "spark", ["PySpark 4.1 or newer is not installed", "pip install 'tql-frames[spark]'"]),
        ("ray", "ray", ["Ray Data 2.60 or newer is not installed", "pip install 'tql-frames[ray]'"]),
        ("sklearn", "sklearn", ["scikit-learn 1.6 and imbalanced-learn 0.13", "pip install 'tql-frames[sklearn]'"]),
        ("imblearn", "sklearn", ["'imblearn'", "pip install 'tql-frames[sklearn]'"]),
    ],
)
def test_the_extra_of_a_missing_engine_is_named(engine: str, module: str, words: list[str]) -> None:
    code = MISSING.format(engine=engine, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert all(each in done.stdout for each in words)


@pytest.mark.parametrize(
    ("module", "lacking", "message", "hint"),
    [
        ("dask", "dask.dataframe.extensions", "Dask DataFrame is not installed: ", "pip install 'tql-frames[dask]'"),
        ("spark", "pyspark.sql.pandas.functions", "PySpark 4.1 or newer is not installed: ", "it needs Java 17, too"),
        ("ray", "ray.data.expressions", "Ray Data 2.60 or newer is not installed: ", "pip install 'tql-frames[ray]'"),
        (
            "sklearn",
            "sklearn.utils.validation",
            "scikit-learn 1.6 and imbalanced-learn 0.13, ",
            "'tql-frames[sklearn]'",
        ),
    ],
)
def test_an_engine_that_lacks_a_part_is_as_good_as_missing(
    monkeypatch: pytest.MonkeyPatch, module: str, lacking: str, message: str, hint: str
) -> None:
    pytest.importorskip(lacking.partition(".")[0])
    monkeypatch.delitem(sys.modules, f"tql_frames.{module}", raising=False)
    monkeypatch.setitem(sys.modules, lacking, None)
    with pytest.raises(TQLError) as fault:
        importlib.import_module(f"tql_frames.{module}")
    assert fault.value.message.startswith(message) and lacking in fault.value.message
    assert hint in str(fault.value.hint)


@pytest.mark.parametrize("keys", [5, [1], [None], None, "w", b"w", {"w": 1}, {"w"}, ["w", 1], [["w"]]], ids=str)
def test_keys_are_a_list_of_names(keys: Any) -> None:
    with pytest.raises(TQLError, match="expected keys= to be a list of column names, got") as fault:
        keys_from(keys, ["w", "v"])
    assert repr(keys) in fault.value.message


def test_keys_are_columns() -> None:
    assert keys_from(["v", "w"], ["w", "v"]) == ("v", "w")
    assert keys_from((), ["w"]) == ()
    with pytest.raises(TQLNameError, match="unknown column 'x'"):
        keys_from(["w", "x"], ["w", "v"])


class TestDask:
    @pytest.fixture(autouse=True)
    def dd(self) -> Any:
        pytest.importorskip("dask.dataframe", reason="Dask is not installed")
        import dask.dataframe as dd  # noqa: PLC0415

        import tql_frames.dask  # noqa: PLC0415

        assert tql_frames.dask.DaskNamespace
        return dd

    FRAME = pd.DataFrame(
        {
            "price": [Decimal("1.5"), Decimal("2.5"), None],
            "tags": [["a"], ["b"], []],
            "text": ["x", "y", "z"],
            "w": [1, 2, 3],
        }
    )

    @pytest.mark.parametrize("keys", [5, [1], [None]], ids=str)
    def test_keys_of_another_kind(self, dd: Any, keys: Any) -> None:
        frame = dd.from_pandas(self.FRAME[["w"]], npartitions=2)
        with pytest.raises(TQLError, match="expected keys= to be a list of column names"):
            frame.tql.sample("w", keys=keys)

    @pytest.mark.fault("E10")
    @pytest.mark.parametrize(
        "call",
        [
            lambda frame: frame.tql.sample("max_weight(price > 1: 2, true: 1)"),
            lambda frame: frame.tql.sample("price"),
            lambda frame: frame.tql.weights("price * 2"),
            lambda frame: frame.tql.query("select * where price >= 2"),
            lambda frame: frame.tql.query("select price + 1 as dearer"),
            lambda frame: frame.tql.report(sampler="price"),
        ],
    )
    def test_decimals_have_a_hint(self, dd: Any, call: Any) -> None:
        frame = dd.from_pandas(self.FRAME, npartitions=2)
        with pytest.raises(TQLTypeError) as fault:
            call(frame)
        assert fault.value.span is not None
        assert "If column 'price' held such values" in str(fault.value.hint)
        assert "'dataframe.convert-string': False" in str(fault.value.hint)

    @pytest.mark.fault("E10")
    @pytest.mark.parametrize("sampler", ["max_weight(any(tags = 1): 1)", "max_weight(tags[0] = 'a': 1)"])
    def test_lists_have_a_hint(self, dd: Any, sampler: str) -> None:
        frame = dd.from_pandas(self.FRAME, npartitions=2)
        with pytest.raises(TQLTypeError) as fault:
            frame.tql.sample(sampler)
        assert "If column 'tags' held such values" in str(fault.value.hint)

    def test_the_hint_helps(self, dd: Any) -> None:
        import dask  # noqa: PLC0415

        with dask.config.set({"dataframe.convert-string": False}):
            frame = dd.from_pandas(self.FRAME, npartitions=2)
            found = frame.tql.sample("max_weight(price > 2: 1)", 3, seed=1).compute()
            with pytest.raises(TQLTypeError) as fault:
                frame.tql.sample("w + text", 3, seed=1).compute()
        assert found["w"].tolist() == [2, 2, 2]
        assert "convert-string" not in str(fault.value)

    def test_other_errors_have_none(self, dd: Any) -> None:
        frame = dd.from_pandas(self.FRAME, npartitions=2)
        with pytest.raises(TQLNameError) as fault:
            frame.tql.sample("prices")
        assert "convert-string" not in str(fault.value)
