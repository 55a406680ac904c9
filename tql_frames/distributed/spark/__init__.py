"""Support Spark DataFrames: passes over partitions of Arrow batches, and samples that stay in the JVM."""
