"""The command `tql-frames`, by way of `python -m tql_frames`.

All of it is in `cli`.
"""

import sys

from tql_frames.cli import main

if __name__ == "__main__":
    sys.exit(main())
