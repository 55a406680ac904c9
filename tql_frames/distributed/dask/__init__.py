"""Dask DataFrames: what runs in partitions and on the driver."""
