"""Compile expressions of the language to Polars: types, operators, functions, and the walk over the tree."""
