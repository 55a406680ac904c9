"""Spark DataFrames: passes over their partitions by Arrow batches."""
