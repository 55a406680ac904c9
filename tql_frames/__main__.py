"""Run the command `tql-frames` by `python -m tql_frames`.

`cli` implements the command.
"""

import sys

from tql_frames.cli import main

if __name__ == "__main__":
    sys.exit(main())
