"""What pytest does not look into for doctests where optional libraries are missing: modules that cannot be imported."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["tql_frames/torch/*.py", "tests/torch_programs.py"]
collect_ignore_glob += [] if find_spec("altair") else ["tql_frames/analysis/plot.py"]
collect_ignore_glob += [] if find_spec("anywidget") else ["tql_frames/notebook/widget.py"]
collect_ignore_glob += [] if find_spec("playwright") else ["tests/browser/lab.py"]
collect_ignore_glob += [] if find_spec("IPython") else ["tql_frames/notebook/magics.py"]
collect_ignore_glob += [] if find_spec("dask") and find_spec("distributed") else ["tql_frames/dask/*.py"]
collect_ignore_glob += [] if find_spec("pyspark") else ["tql_frames/spark/*.py"]
