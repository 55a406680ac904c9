// The query box: a textarea whose own text is transparent, over the same text in colours.

// `changed()` is called after each change, `run()` for Ctrl+Enter.
function queryBox(id, words, { changed, run }) {
  const known = lexicon(words);
  const shown = element("pre", { "aria-hidden": "true" });
  const input = element("textarea", {
    rows: 3,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    "aria-label": "Sampler or statement, TQL",
    "aria-describedby": `${id}-message`,
    "aria-autocomplete": "list",
    "aria-controls": `${id}-completions`,
    placeholder: "max_weight(condition: weight, true: 1)",
  });
  const completions = completionList(`${id}-completions`, take);
  const box = element("div", { class: "tql-box" }, shown, input, completions.list);
  let fault = null;

  function paint(caret = null) {
    shown.replaceChildren(...coloured(input.value, known, fault, caret));
    input.setAttribute("aria-invalid", fault !== null);
    const id = completions.chosenId;
    if (id) input.setAttribute("aria-activedescendant", id);
    else input.removeAttribute("aria-activedescendant");
  }

  function typed(event) {
    fault = null; // it stood in another text
    const deleted = event.inputType?.startsWith("delete");
    offer(deleted && !completions.isOpen ? Infinity : 1);
    changed();
  }

  // Open the list where the word before the caret is at least so long.
  function offer(least) {
    completions.close();
    const at = wordBefore(input.value, input.selectionStart, known);
    const fitting = at && at.word.length >= least ? offered(words, at.word, at.quoted) : [];
    paint(fitting.length ? at.start : null);
    if (!fitting.length) return;
    completions.open(fitting, at.start, shown.querySelector(".tql-caret"));
    input.setAttribute("aria-activedescendant", completions.chosenId);
  }

  function take(word, start) {
    const stop = input.selectionStart;
    input.setSelectionRange(start, stop);
    // So that it can be undone; where the browser has it no more, without that.
    const last = word.insert.at(-1); // which stands there already where one completes in the middle of a call or text
    const written = "('".includes(last) && input.value[stop] === last ? word.insert.slice(0, -1) : word.insert;
    if (!document.execCommand?.("insertText", false, written)) {
      input.setRangeText(written, start, stop, "end");
      changed();
    }
    completions.close();
    paint();
  }

  function pressed(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      completions.close();
      return run();
    }
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      return offer(0);
    }
    if (!completions.isOpen) return undefined;
    const steps = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const acts = { Escape: () => completions.close(), Enter: () => completions.accept(), Tab: () => completions.accept() };
    if (steps) completions.move(steps);
    else if (acts[event.key]) acts[event.key]();
    else return undefined;
    event.preventDefault();
    if (completions.isOpen) input.setAttribute("aria-activedescendant", completions.chosenId);
    else paint();
    return undefined;
  }

  function leave() {
    completions.close();
    paint();
  }

  input.addEventListener("input", typed);
  input.addEventListener("keydown", pressed);
  input.addEventListener("blur", leave);

  return {
    box,
    input,
    get text() {
      return input.value;
    },
    set text(text) {
      fault = null;
      input.value = text;
      paint();
    },
    // Other characters in place of those from start to stop, the caret where it was.
    replace(start, stop, text) {
      fault = null;
      input.setRangeText(text, start, stop, "preserve");
      paint();
    },
    underline(found) {
      fault = found && found.start !== null ? found : null;
      if (!completions.isOpen) paint();
      else paint(wordBefore(input.value, input.selectionStart, known)?.start ?? null);
      input.setAttribute("aria-invalid", found !== null);
    },
  };
}
