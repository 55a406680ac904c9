"""A JupyterLab of one's own and the system's Chromium, for tests that drive a notebook as a person would."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_ARGUMENTS = [
    "--no-sandbox",  # which is missing where the tests run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook of code cells."""
    made: list[dict[str, object]] = [
        {"cell_type": "code", "id": f"c{at}", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for at, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(json.dumps({"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}))


@contextmanager
def jupyter_lab(folder: Path, theme: str = "JupyterLab Light") -> Iterator[str]:
    """The address of a server for a folder, with settings, kernels and port of its own; ended on leaving."""
    settings = folder / ".settings"
    for name, values in {"notification": _NO_NEWS, "themes": {"theme": theme}}.items():
        file = settings / "@jupyterlab" / "apputils-extension" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {
        "JUPYTERLAB_SETTINGS_DIR": settings,
        "JUPYTER_RUNTIME_DIR": folder / ".runtime",
        "IPYTHONDIR": folder / ".ipy",
    }
    own |= {"JUPYTER_CONFIG_DIR": folder / ".config", "JUPYTERLAB_WORKSPACES_DIR": folder / ".workspaces"}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
                *("--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"),
                *("--LabApp.expose_app_in_browser=True", "--ServerApp.port_retries=0"),
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {name: str(path) for name, path in own.items()},
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server)
            yield f"http://127.0.0.1:{port}/lab/tree/{{name}}?token={token}"
        finally:
            server.terminate()  # it ends its kernels
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.25)
    raise TimeoutError("JupyterLab does not answer")


@contextmanager
def browser_page(width: int = 1280, height: int = 1000) -> Iterator[Any]:
    """A page that reaches this machine alone, and the addresses elsewhere that were asked for."""
    elsewhere: list[str] = []

    def only_here(route: Any) -> None:
        here = route.request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))
        if not here:
            elsewhere.append(route.request.url)
        route.continue_() if here else route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(120_000)
        page.route("**/*", only_here)
        try:
            yield page, elsewhere
        finally:
            browser.close()


def run_notebook(page: Page, address: str, name: str) -> None:
    """Open a notebook and run all its cells."""
    page.goto(address.format(name=name))
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel")
    page.evaluate("jupyterapp.shell.collapseLeft()")
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
