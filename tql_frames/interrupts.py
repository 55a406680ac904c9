"""An interrupt of the command while it is still being loaded: one line and status 130, as later.

Nothing is changed in a program that imports the package. Later interrupts are for `cli`.
"""

import os
import signal
import sys


def end_quietly() -> None:
    """Let an interrupt end the process, where this is the command and nobody has said otherwise."""
    begun = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    as_module = begun == "-m" and sys.orig_argv[1:3] == ["-m", "tql_frames"]
    if not as_module and begun.removesuffix(".exe") != "tql-frames":
        return
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _end)
    except ValueError:  # not in the main thread
        return


def _end(*_: object) -> None:
    try:
        os.write(2, b"tql-frames: interrupted\n")
    finally:
        os._exit(128 + signal.SIGINT)
