"""Support Dask DataFrames: graphs of passes over pandas partitions."""
