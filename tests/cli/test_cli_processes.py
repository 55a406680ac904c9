"""The command as a process: signals, pipes, full disks, terminals."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.cli.commands import ENDLESS, FLAT, READ, SAMPLER, WRITE, Command, expected
from tests.processes import Fork
from tests.sizes import FULL
from tql_frames.cli.terminal import Progress

# --- processes -------------------------------------------------------------------------------------------------------

# Signals as a shell in the foreground leaves them, whatever runs the tests; and a terminal to be controlled by, if any.
LAUNCH = """
import os, signal, sys
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_DFL)
{prepare}
os.execv(sys.executable, [sys.executable, "-m", "tql_frames", *sys.argv[1:]])
"""


def arguments_of(*arguments: object, prepare: str = "") -> list[str]:
    return [sys.executable, "-c", LAUNCH.format(prepare=prepare), *map(str, arguments)]


def finished(
    *arguments: object, prepare: str = "", anew: bool = FULL, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the command: under `make test` in a fork of a loaded process, unless a new one is asked for."""
    if not anew:
        with contextlib.closing(forked(*arguments, prepare=prepare, **options)) as process:
            return subprocess.CompletedProcess([], process.wait(), *process.output())
    line = arguments_of(*arguments, prepare=prepare)
    return subprocess.run(line, capture_output=True, timeout=60, check=False, **options)


def forked(*arguments: object, **options: Any) -> Fork:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return Fork([str(each) for each in arguments], **streams)


@contextlib.contextmanager
def running(
    *arguments: object, prepare: str = "", anew: bool = FULL, **options: Any
) -> Iterator[subprocess.Popen[bytes] | Fork]:
    if not anew:
        with contextlib.closing(forked(*arguments, prepare=prepare, **options)) as fork:
            yield fork
        return
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    with subprocess.Popen(arguments_of(*arguments, prepare=prepare), **streams) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def endless(command: Command) -> list[str]:
    """Files of a query that goes on and on."""
    os.mkdir("in")
    pl.DataFrame({"x": range(100_000)}).write_parquet("in/a.parquet")
    pl.DataFrame({"y": range(100_000)}).write_parquet("in/b.parquet")
    return ["query", ENDLESS, "a=in/a.parquet", "b=in/b.parquet"]


def wait_for(condition: Any, process: subprocess.Popen[bytes] | Fork) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def partials() -> list[str]:
    return [name for name in os.listdir() if name.endswith(".partial")]


def spooled() -> list[str]:
    """Temporary files of ours; Polars 1.30 makes a folder of its own."""
    return [name for name in os.listdir("spool") if name.startswith("tql-frames")]


def is_writing() -> bool:
    return any(os.path.getsize(name) for name in partials())


@pytest.mark.parametrize(
    ("number", "word"),
    [(signal.SIGINT, b"interrupted"), (signal.SIGTERM, b"terminated")],
)
def test_a_signal_leaves_nothing_behind(endless: list[str], number: int, word: bytes) -> None:
    with running(*endless, "-o", "out.ndjson", anew=FULL or number == signal.SIGINT) as process:
        wait_for(is_writing, process)
        assert [name for name in os.listdir() if name.startswith("out")] == []
        time.sleep(0.6)  # a progress bar would be there by now
        begin = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
        assert time.monotonic() - begin < 5
        assert process.stderr and process.stderr.read() == b"tql-frames: " + word + b"\n"
    assert os.listdir() == ["in"]


def test_a_killed_process_leaves_no_result(endless: list[str], command: Command) -> None:
    with running(*endless, "-o", "out.ndjson") as process:
        wait_for(is_writing, process)
        process.kill()
        process.wait(timeout=30)
    assert not os.path.exists("out.ndjson")
    assert command("query", "select x limit 1", "in/a.parquet", "-o", "out.ndjson") == (0, "", "")
    assert len(partials()) <= 1  # of the killed process; it is in nobody's way


def test_nobody_reads_the_output(endless: list[str]) -> None:
    with running(*endless) as process:
        assert process.stdout and process.stderr
        assert process.stdout.read(2) == b"z\n"
        process.stdout.close()
        assert process.wait(timeout=30) == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_standard_input_to_standard_output(command: Command, form: str) -> None:
    WRITE[f".{form}"](FLAT, "in")
    options = ["--input-format", form, "--output-format", form, "--seed", "7"]
    os.mkdir("spool")
    with open("in", "rb") as source:
        environment = os.environ | {"TMPDIR": "spool"}
        done = finished("sample", SAMPLER, "-", *options, anew=FULL or form == "csv", stdin=source, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    Path("out").write_bytes(done.stdout)
    assert_frame_equal(READ[f".{form}"]("out"), expected(FLAT))
    assert spooled() == []


def test_an_interrupted_standard_input_is_removed(command: Command) -> None:
    os.mkdir("spool")
    environment = os.environ | {"TMPDIR": "spool"}
    with running("sample", "w", "-", stdin=subprocess.PIPE, env=environment) as process:
        assert process.stdin and process.stderr
        process.stdin.write(b"w\n1\n" * 100_000)
        process.stdin.flush()
        wait_for(spooled, process)
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
        assert process.stderr.read() == b"tql-frames: terminated\n"
    assert os.listdir("spool") == []


def test_a_pipe_with_a_name_is_read(command: Command) -> None:
    os.mkfifo("pipe")
    FLAT.write_csv("in.csv")
    with running("sample", SAMPLER, "pipe", "--seed", "7", "-o", "out.parquet") as process:
        Path("pipe").write_bytes(Path("in.csv").read_bytes())
        assert process.wait(timeout=30) == 0
    assert_frame_equal(pl.read_parquet("out.parquet"), expected(FLAT))


def test_a_limit_on_the_size_of_files(endless: list[str]) -> None:
    prepare = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))"
    done = finished(*endless, "-o", "out.csv", prepare=prepare)
    message = b"tql-frames: cannot write out.csv: File too large\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)
    assert os.listdir() == ["in"]


@cache
def mounts() -> bool:
    """Whether this process may mount file systems, in a space of its own."""
    if not shutil.which("unshare"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", folder]
        return subprocess.run(mount, capture_output=True, check=False).returncode == 0


# The same in a fork, which goes on as the command and lists what it has left when that has ended.
MOUNT = """
import ctypes, os, subprocess
assert ctypes.CDLL(None).unshare(0x00020000) == 0  # CLONE_NEWNS
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
subprocess.run({mount!r}.split(), check=True)
command = os.fork()
if command:
    _, status = os.waitpid(command, 0)
    os.write(1, "".join(name + "\\n" for name in os.listdir("disk")).encode())
    os._exit(os.waitstatus_to_exitcode(status))
"""


def mounted(mount: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command beside a file system of its own, and list what is there afterwards."""
    if not mounts():
        pytest.skip("only root may mount a file system")
    if not FULL:
        return finished(*arguments, prepare=MOUNT.format(mount=mount))
    script = f'{mount} && "$@"; status=$?; ls -A disk; exit $status'
    line = ["unshare", "--mount", "sh", "-c", script, "sh", *arguments_of(*arguments)]
    return subprocess.run(line, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet", ".arrow"])
def test_a_full_disk(endless: list[str], suffix: str) -> None:
    os.mkdir("disk")
    done = mounted("mount -t tmpfs -o size=200k none disk", *endless, "-o", f"disk/out{suffix}")
    message = f"tql-frames: cannot write disk/out{suffix}: No space left on device\n".encode()
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_disk_that_is_full_at_the_end(command: Command, suffix: str) -> None:
    os.mkdir("disk")
    FLAT.write_parquet("in.parquet")
    arguments = ["sample", SAMPLER, "in.parquet", "--seed", "7", "--limit", "5000", "-o"]
    assert command(*arguments, f"whole{suffix}").status == 0
    pages = -(-os.path.getsize(f"whole{suffix}") // os.sysconf("SC_PAGE_SIZE"))
    size = (pages - 1) * os.sysconf("SC_PAGE_SIZE")
    done = mounted(f"mount -t tmpfs -o size={size} none disk", *arguments, f"disk/out{suffix}")
    message = f"tql-frames: cannot write disk/out{suffix}: No space left on device\n".encode()
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)


# Root, too, is bound by permission bits without these two capabilities, which an `exec` drops; nobody else has them.
BOUND = "import ctypes; [ctypes.CDLL(None).prctl(24, each, 0, 0, 0) for each in (1, 2)]"


@pytest.mark.skipif(sys.platform != "linux", reason="drops capabilities of Linux")
def test_permissions(endless: list[str]) -> None:
    os.mkdir("closed", 0o500)
    done = finished(*endless, "-o", "closed/out.csv", prepare=BOUND, anew=True)
    message = b"tql-frames: cannot write closed/out.csv: Permission denied\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)
    os.chmod("in/b.parquet", 0o000)
    done = finished(*endless, "-o", "out.csv", prepare=BOUND, anew=True)
    message = b"tql-frames: cannot read in/b.parquet: Permission denied\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)
    assert sorted(os.listdir()) == ["closed", "in"]


def test_a_read_only_file_system(endless: list[str]) -> None:
    os.mkdir("disk")
    done = mounted("mount -t tmpfs -o ro none disk", *endless, "-o", "disk/out.csv")
    message = b"tql-frames: cannot write disk/out.csv: Read-only file system\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)


# --- terminals -------------------------------------------------------------------------------------------------------


class Terminal:
    """A terminal of 80 columns, and what was written to it."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.seen = ""
        termios = importlib.import_module("termios")
        termios.tcsetwinsize(self.slave, (24, 80))

    def until(self, pattern: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, self.seen
            self.read(0.1)

    def read(self, seconds: float) -> None:
        while select.select([self.master], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.master, 1 << 16).decode()
            except OSError:  # the last writer is gone
                return
            seconds = 0

    def close(self) -> None:
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    found = Terminal()
    yield found
    found.close()


BAR = r"\r\x1b\[Kworking  \d+\.\d s"
CONTROLLED = "import fcntl, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0)"


def test_a_terminal_shows_the_progress_until_control_c(endless: list[str], terminal: Terminal) -> None:
    environment = os.environ | {"TERM": "xterm"}
    controlled: dict[str, Any] = {"stderr": terminal.slave, "start_new_session": True, "env": environment}
    with running(*endless, "-o", "out.csv", prepare=CONTROLLED, **controlled) as process:
        terminal.until(rf"(?s){BAR}.*{BAR}.*{BAR}")
        os.write(terminal.master, b"\x03")
        assert process.wait(timeout=30) == 128 + signal.SIGINT
        terminal.read(0.5)
    assert re.search(r"working  \d+\.\d s(\^C)?\r\x1b\[Ktql-frames: interrupted\r\n$", terminal.seen)
    times = [float(each) for each in re.findall(r"working  (\d+\.\d) s", terminal.seen)]
    assert times[0] >= 0.5
    assert len(times) <= (times[-1] - 0.4) * 10 + 1
    assert os.listdir() == ["in"]


def test_quiet_work_shows_none(endless: list[str], terminal: Terminal) -> None:
    environment = os.environ | {"TERM": "xterm"}
    with running(*endless, "--quiet", "-o", "out.csv", stderr=terminal.slave, env=environment) as process:
        wait_for(is_writing, process)
        time.sleep(0.8)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=30) == 128 + signal.SIGHUP
    terminal.read(0.5)
    assert terminal.seen == "tql-frames: terminated\r\n"


def test_the_bar_knows_numbers(terminal: Terminal) -> None:
    with os.fdopen(os.dup(terminal.slave), "w", encoding="utf-8") as stream:
        progress = Progress(stream, shown=True)
        progress("counting", 12_400_000, 20_000_000)
        progress.draw()
        terminal.read(0.6)
        assert terminal.seen == ""
        for _ in range(100):
            progress.draw()
        terminal.read(0.2)
        assert re.fullmatch(
            r"\r\x1b\[Kcounting rows  ███████▍       62%  12\.4 M of 20\.0 M rows  \d\.\d s", terminal.seen
        )
        progress("fetching", 1234, None)
        time.sleep(0.11)
        progress.draw()
        terminal.until(r"\r\x1b\[Kfetching rows  1\.2 k rows  \d\.\d s$", 1)
        progress.erase()
        terminal.until(r" s\r\x1b\[K$", 1)
        progress.hide()
        time.sleep(0.2)
        progress.draw()
        terminal.read(0.1)
        assert terminal.seen.endswith(" s\r\x1b[K")


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (("counting", 0, 20_000), "counting rows                  0%  0 of 20.0 k rows  1.0 s"),
        (("counting", 20_000, 20_000), "counting rows  ████████████  100%  20.0 k of 20.0 k rows  1.0 s"),
        (("counting", 30_000, 20_000), "counting rows  ████████████  100%  30.0 k of 20.0 k rows  1.0 s"),
        (("counting", 0, 0), "counting rows  1.0 s"),
        (("writing", 999_999, None), "writing rows  1.0 M rows  1.0 s"),
        (("writing", 5_000_000_000_000, None), "writing rows  5000.0 G rows  1.0 s"),
    ],
)
def test_lines_of_the_bar(state: tuple[str, int, int | None], line: str) -> None:
    progress = Progress(shown=False)
    progress(*state)
    assert progress.line(1.0) == line


def test_a_terminal_that_knows_no_blocks(tmp_path: Path) -> None:
    with open(tmp_path / "tty", "w", encoding="ascii") as stream:
        progress = Progress(stream, shown=False)
        progress("counting", 1, 2)
        assert progress.line(1.0) == "counting rows  ######......   50%  1 of 2 rows  1.0 s"


def test_a_terminal_gets_a_table(command: Command, terminal: Terminal) -> None:
    FLAT.write_parquet("in.parquet")
    os.mkdir("spool")
    environment = os.environ | {"TMPDIR": "spool"}
    with running("sample", SAMPLER, "in.parquet", "--seed", "7", stdout=terminal.slave, env=environment) as process:
        assert process.wait(timeout=60) == 0
        assert process.stderr and process.stderr.read() == b""
    terminal.until(r"500 rows, 5 columns; the first 10\r\n$")
    first = expected(FLAT).head(10)
    with pl.Config(tbl_hide_dataframe_shape=True, tbl_width_chars=80, tbl_rows=10):
        assert terminal.seen.replace("\r\n", "\n").startswith(f"{first}\n")
    assert spooled() == []


def test_a_terminal_gets_no_binary(command: Command, terminal: Terminal) -> None:
    FLAT.write_parquet("in.parquet")
    with running("sample", "age", "in.parquet", "--output-format", "parquet", stdout=terminal.slave) as process:
        assert process.wait(timeout=60) == 1
        message = b"tql-frames: parquet is not for a terminal: write to a file, -o FILE, or to a pipe\n"
        assert process.stderr and process.stderr.read() == message
    terminal.read(0.2)
    assert terminal.seen == ""
