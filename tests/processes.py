"""The command in forks of a process that has loaded it: to load it takes longer than most of what tests have it do.

A fork has the streams, folder, environment and signals that it is given, and ends as the interpreter ends. Under
`make test-all` the tests start the command anew each time instead.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from typing import Any

from tests.sizes import FULL

# The fork server: a request a message, with the three streams; it answers with the number of the process, and with its
# status when it has ended.
_SERVER = """
import io, json, os, runpy, select, signal, socket, sys
import tql_frames.cli, tql_frames.namespace  # the second loads what the first call would

def stream(number, mode, errors=None):
    encoding, _, chosen = os.environ.get("PYTHONIOENCODING", "utf-8").partition(":")
    raw = os.fdopen(number, mode + "b", closefd=False)
    buffering = {"line_buffering": number == 2 or raw.isatty()} if mode == "w" else {}
    return io.TextIOWrapper(raw, encoding=encoding, errors=chosen or errors, **buffering)

def begin(request, streams):
    for number, given in enumerate(streams):
        os.dup2(given, number)
    for number in {server.fileno(), *streams} - {0, 1, 2}:
        os.close(number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["session"]:
        os.setsid()
    sys.stdin, sys.stdout = stream(0, "r"), stream(1, "w")
    sys.stderr = stream(2, "w", "backslashreplace")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["tql_frames", *request["arguments"]]
    exec(request["prepare"], globals())
    runpy.run_module("tql_frames", run_name="__main__", alter_sys=True)

for each in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_DFL)
server, running, child = socket.socket(fileno=int(sys.argv[1])), set(), None
while child != 0:
    if select.select([server], [], [], 0.005 if running else None)[0]:
        text, streams, *_ = socket.recv_fds(server, 1 << 20, 3)
        if not text:
            break
        child = os.fork()
        if child == 0:
            continue
        running.add(child)
        for each in streams:
            os.close(each)
        server.send(json.dumps([child, None]).encode())
    for each in list(running):
        number, status = os.waitpid(each, os.WNOHANG)
        if number:
            running.remove(each)
            server.send(json.dumps([each, os.waitstatus_to_exitcode(status)]).encode())
if child == 0:
    begin(json.loads(text), streams)
"""


@cache
def _server() -> socket.socket:
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-c", _SERVER, str(other.fileno())]
    process = subprocess.Popen(command, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL)
    other.close()

    def end() -> None:
        own.close()
        process.wait(10)

    atexit.register(end)
    return own


_ENDED: dict[int, int] = {}


class Fork:
    """The command in a fork; what tests use of `subprocess.Popen`."""

    def __init__(
        self,
        arguments: list[str],
        *,
        prepare: str = "",
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        env: Mapping[str, str] | None = None,
        start_new_session: bool = False,
    ) -> None:
        request = {"arguments": arguments, "prepare": prepare, "session": start_new_session}
        request |= {"folder": os.getcwd(), "environment": dict(os.environ if env is None else env)}
        self.stdin, self.stdout, self.stderr = None, None, None
        given, own = [], []
        for number, stream in enumerate((stdin, stdout, stderr)):
            if stream == subprocess.PIPE:
                end, other = os.pipe()
                if number == 0:
                    self.stdin, theirs = os.fdopen(other, "wb"), end
                else:
                    setattr(self, ("", "stdout", "stderr")[number], os.fdopen(end, "rb"))
                    theirs = other
                own.append(theirs)
            elif stream == subprocess.DEVNULL or (stream is None and number == 0):
                theirs = os.open(os.devnull, os.O_RDWR)
                own.append(theirs)
            else:
                theirs = number if stream is None else stream if isinstance(stream, int) else stream.fileno()
            given.append(theirs)
        socket.send_fds(_server(), [json.dumps(request).encode()], given)
        for each in own:
            os.close(each)
        self.returncode: int | None = None
        while True:
            self.pid, status = json.loads(_server().recv(1 << 10))
            if status is None:
                break
            _ENDED[self.pid] = status

    def poll(self, seconds: float = 0.0) -> int | None:
        _server().settimeout(seconds or 1e-6)
        try:
            while self.pid not in _ENDED:
                number, status = json.loads(_server().recv(1 << 10))
                _ENDED[number] = status
        except (TimeoutError, BlockingIOError):
            return None
        finally:
            _server().settimeout(None)
        self.returncode = _ENDED[self.pid]
        return self.returncode

    def wait(self, timeout: float = 60) -> int:
        deadline = time.monotonic() + timeout
        while self.poll(max(deadline - time.monotonic(), 0)) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a fork of the command", timeout)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def output(self) -> tuple[bytes, bytes]:
        """What it writes until it ends; to standard error no more than a pipe holds."""
        found = [b"" if stream is None else stream.read() for stream in (self.stdout, self.stderr)]
        self.wait()
        return found[0], found[1]

    def close(self) -> None:
        self.kill()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


def printed_by(program: str) -> str:
    """What a program of Python prints, in a fork that has loaded the package and not used Polars yet."""
    if FULL:
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert not done.returncode, done.stderr
        return done.stdout
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with closing(Fork([], prepare=f"{program}\nsys.exit()", **pipes)) as process:
        out, errors = process.output()
        assert not process.returncode, errors.decode()
        return out.decode()
