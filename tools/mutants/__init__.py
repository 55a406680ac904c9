"""Measure the tests: apply small changes to the code, and count those that the tests covering them notice."""
