// The list of words below the caret: columns, functions and keywords that begin with, or hold, what was typed.

const MOST_OFFERED = 50;

// The word before the caret, with where it starts; of a text that is not closed yet all of it, to complete to a label.
// Null inside a comment or a name in quotes, and behind a text or number.
function wordBefore(text, caret, known) {
  const inside = tokensOf(text.slice(0, caret), known).at(-1);
  if (inside?.kind === "comment") return null;
  if (inside?.kind === "text") {
    const written = text.slice(inside.start, caret);
    if (written.split("'").length % 2 === 1) return null; // it is closed
    return { word: written.slice(1).replaceAll("''", "'"), start: inside.start, quoted: true };
  }
  if (inside && (inside.kind === "number" || text[inside.start] === '"')) return null;
  const word = text.slice(0, caret).match(/[\p{L}_][\p{L}\p{N}_]*$/u)?.[0] ?? "";
  return { word, start: caret - word.length };
}

// Words that fit, the best first: those that begin so before those that hold it, columns before functions before keywords.
function offered(words, word, quoted = false) {
  const lower = word.toLowerCase();
  const fitting = words.filter((each) => (each.kind === "label") === quoted && each.name.toLowerCase().includes(lower));
  const begins = (each) => (each.name.toLowerCase().startsWith(lower) ? 0 : 1);
  const found = fitting.sort((a, b) => begins(a) - begins(b)).slice(0, MOST_OFFERED);
  const done = found.length > 0 && !quoted && found.every((each) => each.name === word);
  return done ? [] : found;
}

// A list that the box opens, moves through and closes. `take(word, start)` writes the chosen one.
function completionList(id, take) {
  const keep = (event) => event.preventDefault(); // the box keeps the focus
  // It scrolls, so that a tool may give it the focus; keys reach it from the box, and leaving the box closes it.
  const list = element("ul", { class: "tql-completion", role: "listbox", id, tabindex: "0", "aria-label": "Completions", onmousedown: keep });
  list.hidden = true;
  let options = [];
  let chosen = 0;
  let from = 0;

  function choose(place) {
    chosen = (place + options.length) % options.length;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", at === chosen));
    const item = list.children[chosen];
    list.scrollTop = Math.min(item.offsetTop, Math.max(list.scrollTop, item.offsetTop + item.offsetHeight - list.clientHeight));
  }

  function open(words, start, mark) {
    options = words;
    from = start;
    list.replaceChildren(...words.map((word, at) => option(word, at)));
    list.style.left = "0"; // to measure how wide it is
    list.style.top = `${mark.offsetTop + mark.offsetHeight + 4}px`;
    list.hidden = false;
    const room = list.parentElement.clientWidth - list.offsetWidth;
    list.style.left = `${Math.max(0, Math.min(mark.offsetLeft, room))}px`; // inside the box
    choose(0);
  }

  function option(word, at) {
    const name = element("span", { class: `tql-${word.kind}` }, word.name);
    const told = element("small", {}, word.detail || word.kind);
    return element("li", { role: "option", id: `${id}-${at}`, onmousedown: () => accept(at) }, name, told);
  }

  function accept(at = chosen) {
    const word = options[at];
    close();
    take(word, from);
  }

  function close() {
    list.hidden = true;
  }

  return {
    list,
    open,
    close,
    accept,
    move: (steps) => choose(chosen + steps),
    get isOpen() {
      return !list.hidden;
    },
    get chosenId() {
      return list.hidden ? null : `${id}-${chosen}`;
    },
  };
}
