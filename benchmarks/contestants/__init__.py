"""A module for each library: functions from a Job to a Contestant, which load the data and name the call to be timed.

A worker imports the one module that it needs; which contestants meet is in `benchmarks.cases`.
"""
