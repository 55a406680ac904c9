// The drawn rows, of which only those on screen are asked for and held.

const LINE = 24; // pixels of a row
const LINES = 12; // on screen
const TALLEST = 8_000_000; // pixels that every browser scrolls; taller tables move more rows a pixel

// `ask(start, count)` asks for rows; `show` gets them.
function rowTable(ask) {
  const head = element("tr");
  const body = element("tbody");
  const table = element("table", {}, element("thead", {}, head), body);
  const space = element("div", {}, table);
  const scroller = element("div", { class: "tql-rows", tabindex: "0", role: "region", "aria-label": "Drawn rows", onscroll: scrolled }, space);
  scroller.addEventListener("keydown", pressed);
  scroller.hidden = true;
  let total = 0;
  let first = 0;
  let waiting = null;

  function open(rows, columns) {
    total = rows;
    first = 0;
    waiting = null;
    scroller.hidden = false;
    head.replaceChildren(...columns.map((name) => element("th", { scope: "col" }, name)));
    table.setAttribute("aria-rowcount", rows + 1);
    space.style.height = `${Math.min(rows * LINE, TALLEST) + LINE}px`;
    scroller.style.height = `${(Math.min(rows, LINES) + 1) * LINE + 16}px`;
    scroller.scrollTop = 0;
    body.replaceChildren();
    fetch();
  }

  const last = () => Math.max(total - LINES, 0);
  const hidden = () => Math.max(scroller.scrollHeight - scroller.clientHeight, 1);

  function scrolled() {
    const place = Math.round((scroller.scrollTop / hidden()) * last());
    const farther = Math.abs(place - first) * hidden() >= last(); // than a pixel: not a rounding of what a key did
    if (farther || place === 0 || place === last()) go(place);
  }

  function pressed(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: LINES, PageUp: -LINES, Home: -total, End: total }[event.key];
    if (!steps) return;
    event.preventDefault();
    go(Math.min(Math.max(first + steps, 0), last()));
    scroller.scrollTop = (first / Math.max(last(), 1)) * hidden();
  }

  function go(place) {
    if (place === first) return;
    first = place;
    fetch();
  }

  // One question at a time: what was scrolled past meanwhile is never asked for.
  function fetch() {
    if (waiting !== null || !total) return;
    waiting = first;
    ask(first, Math.min(LINES, total - first));
  }

  function show(start, rows) {
    const late = start !== first;
    waiting = null;
    body.replaceChildren(
      ...rows.map((row, at) =>
        element("tr", { "aria-rowindex": start + at + 2 }, ...row.map((text) => (text === null ? nothing() : cell(text)))),
      ),
    );
    if (late) fetch();
  }

  const cell = (text) => element("td", { title: text }, text);
  const nothing = () => element("td", {}, element("i", {}, "null"));

  return { scroller, open, show };
}
