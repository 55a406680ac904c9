"""The command `tql-frames`, for jobs that go from file to file.

What it computes is the package's; here are names of files, formats, progress, and the ways a command can end.
"""

from tql_frames.cli.running import main

__all__ = ["main"]
