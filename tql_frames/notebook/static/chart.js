// The chart of labels: raw against expected against drawn shares, with the shares that are wanted beside them.

const SERIES = [
  ["raw", "share"],
  ["expected", "expected_share"],
  ["drawn", "drawn_share"],
];

// `balance()` is called where Enter is pressed in a target.
function labelChart(colours, balance) {
  const body = element("tbody");
  const note = element("p", { class: "tql-note" });
  const bars = element("span", { class: "tql-unseen" }, "bars");
  const heads = ["label", bars, "raw", "expected", "drawn", "target", "keep"];
  const head = element("thead", {}, element("tr", {}, ...heads.map((each) => element("th", { scope: "col" }, each))));
  const title = element("caption", {}, "Shares of rows and draws by label");
  const table = element("table", {}, title, head, body);
  const scroller = element("div", { class: "tql-chart", tabindex: "0", role: "region", "aria-label": "Shares by label" }, table);
  let labels = [];
  let drawn = new Map();

  const key = (label) => JSON.stringify(label);

  function show(by, found) {
    const same = head.dataset.by === by && labels.map((row) => key(row.label)).join() === found.map((row) => key(row.label)).join();
    labels = found;
    head.dataset.by = by;
    head.querySelector("th").textContent = by;
    if (!same) body.replaceChildren(...labels.map(line));
    paint();
  }

  function line(row) {
    const name = row.label === null ? element("i", {}, "null") : row.label;
    const bars = SERIES.map(([series]) => element("i", { class: "tql-bar", style: `background:${colours[series]}` }));
    const keyed = (event) => {
      if (event.key === "Enter") balance();
    };
    const target = element("input", {
      inputmode: "decimal",
      size: 4,
      placeholder: "–",
      "aria-label": `target share of ${row.label} in percent`,
      onkeydown: keyed,
      oninput: goal,
    });
    const keep = element("input", { type: "checkbox", "aria-label": `keep the share of ${row.label}`, oninput: goal });
    return element(
      "tr",
      {},
      element("th", { scope: "row", title: row.label ?? "null" }, name),
      element("td", { class: "tql-bars" }, ...bars),
      ...SERIES.map(() => element("td")),
      element("td", {}, target),
      element("td", {}, keep),
    );
  }

  function paint() {
    const shares = labels.map((row) => ({ ...row, drawn_share: drawn.get(key(row.label)) ?? (drawn.size ? 0 : null) }));
    const greatest = Math.max(...shares.flatMap((row) => SERIES.map(([, of]) => row[of] ?? 0)), 1e-9);
    shares.forEach((row, at) => {
      const cells = body.children[at].children;
      SERIES.forEach(([series, of], place) => {
        cells[1].children[place].style.width = `${(100 * (row[of] ?? 0)) / greatest}%`;
        cells[2 + place].textContent = percent(row[of]).replace(" %", "");
      });
      cells[2].title = `${count(row.rows)} rows`;
      cells[3].title = row.expected_count === null ? "" : `${row.expected_count.toFixed(1)} draws expected`;
      cells[3].dataset.factor = row.factor ? `×${row.factor.toPrecision(3)}` : "";
    });
  }

  // Shares that are wanted, by the number of the label; null where one is no share.
  function wanted() {
    const targets = [];
    const keep = [];
    [...body.children].forEach((line, at) => {
      const [target, kept] = line.querySelectorAll("input");
      const share = target.value.trim() === "" ? null : Number(target.value.replace("%", "").replace(",", ".")) / 100;
      target.setAttribute("aria-invalid", share !== null && !(share >= 0 && share <= 1));
      if (share !== null) targets.push([at, share]);
      if (kept.checked) keep.push(at);
    });
    return targets.every(([, share]) => share >= 0 && share <= 1) ? { targets, keep } : null;
  }

  function goal() {
    scroller.dispatchEvent(new CustomEvent("goal"));
  }

  return {
    scroller,
    note,
    show,
    wanted,
    get blank() {
      return labels.length === 0;
    },
    set drawn(shares) {
      drawn = new Map(shares.map(([label, , share]) => [key(label), share]));
      paint();
    },
    // What is shown is of an older text.
    set late(late) {
      scroller.classList.toggle("tql-late", late);
    },
  };
}

// Which colour is which.
function legend(colours) {
  const entries = SERIES.map(([series]) =>
    element("span", {}, element("i", { style: `background:${colours[series]}` }), series),
  );
  return element("div", { class: "tql-legend" }, ...entries, element("small", {}, "shares in percent"));
}
