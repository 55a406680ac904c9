"""Deep Lake: the engine that TQL comes from, its query SAMPLE BY on a data set in memory.

Loading rows into it takes far longer than a sample: it is asked for fewer rows than the others.
"""

from __future__ import annotations

from typing import Any

import deeplake
import numpy as np

from benchmarks import checks, tables
from benchmarks.jobs import Contestant, Job


def sample_by(job: Job) -> Contestant:
    """`select * sample by max_weight(…) replace true limit n`, and the label of the rows read from the view."""
    dataset = deeplake.create(f"mem://{job.rows}-rows")
    columns = tables.columns(job)
    dataset.add_column("label", deeplake.types.UInt8())
    dataset.add_column("row", deeplake.types.Int64())
    dataset.append({name: columns[name] for name in ("label", "row")})
    dataset.commit()
    text = f"select * sample by {tables.SAMPLERS[job.table]} replace {job.replace} limit {job.draws}"

    def run(seed: int) -> Any:
        deeplake.random.seed = seed  # type: ignore[attr-defined]  # its stubs do not know it
        view = dataset.query(text)
        return view, view["label"][:]

    def fault(result: Any) -> str | None:
        view, label = result
        rows = np.asarray(view["row"][:])
        if not (np.asarray(label) == columns["label"][rows]).all():
            return "labels of other rows"
        return checks.fault(tables.population(job), job, rows)

    return Contestant(run, fault, (dataset,))
