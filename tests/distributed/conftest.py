"""Clusters of Dask and sessions of Spark for the tests, which import these only where they are installed."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import pytest


@pytest.fixture(scope="module")
def spark(request):
    os.environ["PYSPARK_PYTHON"] = sys.executable
    options = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "3",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "700",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
    }
    builder = pytest.importorskip("pyspark.sql").SparkSession.builder.master(request.param)
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def xrays(spark):
    return spark.createDataFrame(import_module("tests.distributed.spark_session").XRAYS.to_arrow())


@pytest.fixture
def numbers(spark):
    """A thousand rows in four partitions."""
    return spark.range(0, 1_000, 1, 4).selectExpr("id", "id % 7 as v")


@pytest.fixture(scope="module")
def cluster():
    with import_module("tests.distributed.dask_frames").cluster_of(2) as client:
        yield client


@pytest.fixture
def threads():
    """No cluster: tasks run here."""
    with pytest.importorskip("dask").config.set(scheduler="sync"):
        yield
