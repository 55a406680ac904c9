"""Expressions of the language to Polars expressions: types, operators, functions, and the walk over the tree."""
