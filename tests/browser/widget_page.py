"""The widget on a page of its own, which talks to its session directly, without a notebook."""

from __future__ import annotations

import json
import threading
from importlib import import_module
from typing import Any

import tql_frames

SAMPLER = "max_weight(contains(findings, 'Hernia'): 20, true: 1)"

# The colours of pages: a browser's own, and those that JupyterLab 4 and VS Code set.
THEMES = {
    "light": "",
    "dark": "",
    "JupyterLab light": "--jp-layout-color0: #fff; --jp-content-font-color1: rgba(0, 0, 0, 0.87)",
    "JupyterLab dark": "--jp-layout-color0: #111; --jp-content-font-color1: rgba(255, 255, 255, 1)",
    "VS Code light": "--vscode-editor-background: #fff; --vscode-editor-foreground: #3b3b3b",
    "VS Code dark": "--vscode-editor-background: #1f1f1f; --vscode-editor-foreground: #ccc",
}

_HTML = """<!doctype html><html lang="en"><head><title>Explore</title><meta name="color-scheme" content="light dark">
<style>STYLES</style></head><body style="margin: 0; THEME"><div id="app" style="width: WIDTHpx"></div>
<script type="module">
SCRIPTS
const listeners = [], traits = TRAITS;
window.traits = traits;
const model = {
  get: (name) => traits[name],
  set: (name, value) => { traits[name] = value; },
  save_changes: () => { window.saved = true; },
  on: (_, listener) => listeners.push(listener),
  off: () => {},
  send: async (message) => {
    for (const answer of await window.ask(message)) listeners.forEach((each) => each(answer));
  },
};
render({ model, el: document.getElementById("app") });
</script></body></html>"""


def opened(page: Any, width: int, theme: str = "light", broken: tuple[str, str] = ("", "")) -> Any:
    """The widget on the page; `broken` is a text of its scripts or styles, and what is put in its place."""
    module = import_module("tql_frames.notebook.widget")
    widget = tql_frames.datasets.chest_xray().head(5_000).tql.explore(SAMPLER)
    sent: list[dict[str, Any]] = []
    widget.send = sent.append

    def ask(message: dict[str, Any]) -> Any:
        sent.clear()
        # In a thread without an event loop, so that all is answered at once.
        thread = threading.Thread(target=widget._handle_custom_msg, args=(message, []))
        thread.start()
        thread.join()
        return json.loads(json.dumps(sent))

    scripts = module._static(module._SCRIPTS, "js").replace("export default { render };", "")
    styles = module._static(module._STYLES, "css")
    assert broken[0] in scripts + styles
    if broken[0]:
        scripts, styles = (each.replace(*broken) for each in (scripts, styles))
    traits = json.dumps({"_state": widget._state, "_known": widget._known})
    html = _HTML.replace("WIDTH", str(width)).replace("THEME", THEMES[theme]).replace("STYLES", styles)
    if not getattr(page, "asks", None):
        page.asks = []
        page.expose_function("ask", lambda message: page.asks[-1](message))  # noqa: PLW0108 - the last one then
    page.asks.append(ask)
    page.emulate_media(color_scheme="dark" if "dark" in theme else "light")
    page.set_content(html.replace("SCRIPTS", scripts).replace("TRAITS", traits))
    page.wait_for_selector(".tql-chart tbody tr")
    return widget


def run(page: Any) -> None:
    """Press Run, and wait for the rows and for what they do to the chart."""
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("() => document.querySelector('.tql-status').textContent.includes('rows, seed')")
    page.wait_for_selector(".tql-rows tbody tr")
    page.wait_for_function("() => document.querySelector('.tql-chart tbody tr').children[4].textContent !== '–'")


def mistake(page: Any) -> None:
    """Write a column that the frame has not, and wait until that is underlined and the chart is marked as outdated."""
    box = page.get_by_label("Sampler or statement")
    box.fill("max_weight(contains(finding, 'Hernia'): 20, true: 1)")
    page.wait_for_selector(".tql-box pre .tql-fault")
    page.wait_for_selector(".tql-chart.tql-late")
