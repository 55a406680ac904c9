"""Implement the command `tql-frames`, for jobs that read and write files.

The package does the computation; this part handles names of files, formats, progress, and the exit of the command.
"""

from tql_frames.cli.running import main

__all__ = ["main"]
