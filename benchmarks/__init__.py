"""Benchmarks of tql-frames and of its peers, to be run from the repository: `python -m benchmarks`.

How to run and read them is in `README.md` beside this file; that samples are right is for `tests/` to show.
"""
