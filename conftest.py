"""Examples that are not run where optional libraries are missing."""

import os
from importlib.util import find_spec

import pytest

# Each worker of pytest-xdist has a core: threads of its own for small matrices would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

collect_ignore_glob = [] if find_spec("torch") else ["tql_frames/torch/*.py", "tests/torch_programs.py"]
collect_ignore_glob += [] if find_spec("altair") else ["tql_frames/analysis/display/plot.py"]
collect_ignore_glob += [] if find_spec("sklearn") and find_spec("imblearn") else ["tql_frames/sklearn.py"]
collect_ignore_glob += [] if find_spec("anywidget") else ["tql_frames/notebook/widget.py"]
collect_ignore_glob += [] if find_spec("playwright") else ["tests/browser/lab.py"]
collect_ignore_glob += [] if find_spec("IPython") else ["tql_frames/notebook/magics.py"]
collect_ignore_glob += (
    []
    if find_spec("dask") and find_spec("distributed")
    else ["tql_frames/dask/*.py", "tql_frames/distributed/dask/*.py"]
)
collect_ignore_glob += [] if find_spec("pyspark") else ["tql_frames/spark/*.py", "tql_frames/distributed/spark/*.py"]
collect_ignore_glob += [] if find_spec("ray") else ["tql_frames/ray/*.py", "tql_frames/distributed/ray/*.py"]
# Their examples need a session or a cluster: tests/distributed/test_spark.py and test_ray.py run them.
collect_ignore_glob += ["tql_frames/distributed/spark/calls.py", "tql_frames/distributed/ray/calls.py"]

# Examples that need an optional library, in modules that do not.
NEEDS = {
    "namespace.DataFrameNamespace.explore": "anywidget",
    "namespace.PandasNamespace.explore": "anywidget",
    "notebook.explore": "anywidget",
    "views.drawn_view.View.to_torch": "torch",
    "views.drawn_view.View.plot": "altair",
    "analysis.report.Report.plot": "altair",
    "analysis.report.Report.plot_beside": "altair",
    "analysis.balance.Balance.plot": "altair",
    "analysis.split_report.SplitReport.plot": "altair",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip examples whose library is missing."""
    for item in items:
        library = NEEDS.get(item.name.removeprefix("tql_frames."))
        if isinstance(item, pytest.DoctestItem) and library is not None and find_spec(library) is None:
            item.add_marker(pytest.mark.skip(reason=f"{library} is not installed"))
