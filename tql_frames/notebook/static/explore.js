// The widget put together: what is typed and pressed becomes messages, answers become what is seen.
// Each message has an id, and an answer to any but the newest of its kind is dropped.

const PAUSE = 80; // milliseconds between questions while one types
const LONG = 250; // milliseconds after which a count is told to be going on

function messages(model, answered) {
  const page = Math.random().toString(36).slice(2);
  const newest = {};
  let number = 0;
  const receive = (message) => {
    if (message.id === newest[message.to]) answered[message.kind]?.(message);
  };
  model.on("msg:custom", receive);
  return {
    send(kind, fields) {
      newest[kind] = `${page}:${++number}`;
      model.send({ kind, id: newest[kind], ...fields });
    },
    stop: () => model.off("msg:custom", receive),
  };
}

function controls(state) {
  const limit = element("input", { inputmode: "numeric", size: 7, placeholder: "all", value: state.limit ?? "" });
  const seed = element("input", { inputmode: "numeric", size: 7, placeholder: "fresh", value: state.seed ?? "" });
  const replace = element("input", { type: "checkbox", checked: state.replace });
  const run = element("button", { type: "button", class: "tql-main", title: "Ctrl+Enter in the box" }, "Run");
  const line = element(
    "div",
    { class: "tql-line" },
    run,
    labelled("limit", limit),
    labelled("seed", seed),
    labelled("replacement", replace, { class: "tql-check" }),
  );
  return { line, run, limit, seed, replace };
}

function chartControls(state, choices) {
  const options = choices.map((name) => element("option", { value: name, selected: name === state.by }, name));
  const by = element("select", {}, ...options);
  const most = element("input", { inputmode: "decimal", size: 4, placeholder: "none" });
  const button = element("button", { type: "button" }, "Balance");
  const goal = element("span", { class: "tql-goal" });
  const line = element("div", { class: "tql-line" }, labelled("labels", by), button, goal, labelled("greatest weight", most));
  return { line, by, most, button, goal };
}

function render({ model, el }) {
  const state = model.get("_state");
  const { words, choices, colours } = model.get("_known");
  const id = `tql-${Math.random().toString(36).slice(2)}`;
  const options = controls(state);
  const goals = chartControls(state, choices);
  const message = element("div", { class: "tql-message", id: `${id}-message`, role: "status", "aria-live": "polite" });
  const status = element("div", { class: "tql-status", role: "status", "aria-live": "polite" });
  const box = queryBox(id, words, { changed, run });
  const sliders = weightSliders(moved);
  const chart = labelChart(colours, balance);
  const rows = rowTable((start, count) => talk.send("rows", { start, count }));
  const history = runHistory(restore);
  let counting = null;
  let runs = state.history.length;
  let checking = null; // the text that was asked about

  const talk = messages(model, {
    checked: ({ fault, arms, statement }) => {
      if (box.text !== checking) return; // its places are those of another text
      const broken = fault !== null && !arms.length; // while one types, sliders stay where they are
      if (!broken) sliders.show(arms);
      sliders.ready = !broken;
      tell(fault);
      for (const control of [options.limit, options.replace]) control.disabled = statement;
      if (fault && !chart.blank) outdated();
      else if (!choices.length) counted();
    },
    expected: (found) => {
      counted();
      chart.show(found.by, found.labels);
      const between = found.between ? `${count(found.between)} labels between these are not shown. ` : "";
      const cost = `effective sample size ${percent(found.effective / found.rows)}`;
      chart.note.textContent = `${between}${count(found.size)} draws from ${count(found.rows)} rows, ${cost}`;
    },
    ran: (found) => {
      busy(options.run, false);
      say([`${count(found.rows)} rows, seed ${short(found.seed)}`, ...found.notes].join("; "), `seed ${found.seed}`);
      model.set("runs", found.runs); // which marimo sees, and runs cells again that use the widget
      model.save_changes();
      runs = found.history.length;
      history.show(found.history);
      rows.open(found.rows, found.columns);
      talk.send("drawn", { by: goals.by.value });
    },
    rows: (found) => rows.show(found.start, found.rows),
    drawn: (found) => {
      if (found.by === goals.by.value) chart.drawn = found.labels;
    },
    balanced: (found) => {
      busy(goals.button, false);
      box.text = found.text;
      changed();
      say(`Balanced: ${found.note}`);
    },
    failed: ({ to, fault }) => {
      if (to === "check" && box.text !== checking) return;
      busy(options.run, false);
      busy(goals.button, false);
      if (to === "check" && !chart.blank) outdated();
      else counted();
      if (to === "run") say("");
      if (to === "balance" || to === "drawn") say([fault.message, fault.hint].filter(Boolean).join("; "));
      else tell(fault);
    },
  });

  const asked = () => ({
    text: box.text,
    by: goals.by.value || null,
    limit: options.limit.value,
    seed: options.seed.value,
    replace: options.replace.checked,
  });
  const check = throttled(() => {
    checking = box.text;
    talk.send("check", { ...asked(), blank: chart.blank });
  }, PAUSE);

  function changed() {
    sliders.ready = false;
    ask();
  }

  function ask() {
    clearTimeout(counting);
    counting = setTimeout(() => {
      chart.late = true;
      chart.note.textContent = "counting…";
    }, LONG);
    check();
  }

  function counted() {
    clearTimeout(counting);
    chart.late = false;
    if (chart.note.textContent === "counting…") chart.note.textContent = "";
  }

  // What the chart shows is of an older text, and stays so until the text is right again.
  function outdated() {
    counted();
    chart.late = true;
    chart.note.textContent = "Shares of the last text without a mistake";
  }

  function say(text, title = "") {
    status.textContent = text;
    status.title = title;
  }

  // What is wrong, under the box and under its characters; null where nothing is.
  function tell(fault) {
    box.underline(fault);
    const parts = fault ? [element("b", {}, fault.message), fault.hint ? element("span", {}, fault.hint) : ""] : [];
    message.replaceChildren(...parts);
  }

  function moved(arm, text) {
    box.replace(arm.start, arm.stop, text);
    ask();
  }

  function run() {
    busy(options.run, true);
    say("drawing…");
    talk.send("run", asked());
  }

  function balance() {
    const wanted = chart.wanted();
    const most = goals.most.value.trim() === "" ? null : Number(goals.most.value);
    if (wanted === null || Number.isNaN(most)) {
      say("expected targets from 0 to 100 percent, and a number as the greatest weight");
      return;
    }
    busy(goals.button, true);
    say("balancing…");
    talk.send("balance", { by: goals.by.value || null, most, ...wanted });
  }

  function restore(run) {
    Object.assign(options.limit, { value: run.limit });
    Object.assign(options.seed, { value: run.seed });
    options.replace.checked = run.replace;
    box.text = run.text;
    changed();
    box.input.focus();
  }

  function goal() {
    const wanted = chart.wanted();
    goals.goal.textContent = wanted && !wanted.targets.length ? "to equal shares" : "to these targets";
  }

  function chosen() {
    chart.drawn = [];
    ask();
    if (runs) talk.send("drawn", { by: goals.by.value });
    goal();
  }

  whenFree(options.run, run);
  whenFree(goals.button, balance);
  goals.by.addEventListener("change", chosen);
  chart.scroller.addEventListener("goal", goal);
  for (const control of [options.limit, options.seed, options.replace]) control.addEventListener("input", ask);

  const left = element("div", {}, box.box, message, options.line, status, sliders.rows, history.fold);
  const right = element("div", {}, goals.line, legend(colours), chart.scroller, chart.note);
  const root = element(
    "section",
    { class: "tql-explore", "aria-label": "Explore a sampler", "data-lm-suppress-shortcuts": "true" },
    element("div", { class: "tql-halves" }, left, right),
    rows.scroller,
  );
  root.addEventListener("keydown", (event) => event.stopPropagation()); // keys of the notebook are not meant here
  el.append(root);

  box.text = state.text;
  goal();
  history.show(state.history);
  ask();
  if (state.ran) {
    rows.open(state.ran.rows, state.ran.columns);
    talk.send("drawn", { by: goals.by.value });
  }
  return talk.stop;
}

export default { render };
