"""DuckDB: a weighted sample without replacement as a query, ORDER BY an exponential key.

It has no weighted sample of its own; `USING SAMPLE` is uniform.
"""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl

from benchmarks import checks, tables
from benchmarks.jobs import Contestant, Job

_WEIGHT = "case label when 14 then 20 when 13 then 8 when 12 then 5 when 11 then 3 when 10 then 0 else 1 end"


def order_by_key(job: Job) -> Contestant:
    """`select * … order by -ln(random()) / w limit k` on a table of its own, fetched as a Polars frame."""
    connection = duckdb.connect()
    frame = pl.DataFrame(tables.columns(job))  # the query below finds it by its name
    connection.execute("create table samples as select * from frame")
    del frame
    # 1 - random(), since random() may be 0, whose logarithm is an error; a row of weight 0 does not run.
    text = f"""
        select * from samples where {_WEIGHT} > 0 order by -ln(1 - random()) / {_WEIGHT} limit {job.draws}
    """

    def run(seed: int) -> Any:
        connection.execute("select setseed(?)", [1 / (1 + seed)]).fetchall()
        return connection.sql(text).pl()

    return Contestant(
        run, lambda result: checks.fault(tables.population(job), job, result["row"].to_numpy()), (connection,)
    )
