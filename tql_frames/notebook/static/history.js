// The runs so far, the newest first; one click brings back the text and its options.

// `restore(run)` gets the run that was chosen.
function runHistory(restore) {
  const list = element("ol", { class: "tql-history", "aria-label": "Runs" });
  const fold = element("details", { open: true }, element("summary", {}, "History"), list);
  fold.hidden = true;

  function show(runs) {
    fold.hidden = runs.length === 0;
    fold.firstChild.textContent = `History (${runs.length})`;
    list.replaceChildren(...runs.map(entry));
  }

  function entry(run) {
    const how = `${count(run.rows)} rows, seed ${short(run.seed)}${run.replace ? "" : ", without replacement"}`;
    const text = element("code", { title: run.text }, run.text.replace(/\s+/g, " "));
    return element("li", {}, element("button", { type: "button", onclick: () => restore(run) }, text, element("small", { title: `seed ${run.seed}` }, how)));
  }

  return { fold, show };
}
