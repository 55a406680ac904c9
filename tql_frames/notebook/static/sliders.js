// A slider for each arm of constant weight, on a logarithmic scale; it rewrites the weight in the text.

const LEAST = -2; // powers of ten between which a slider moves; more where the text has such a weight
const GREATEST = 3;

// `moved(arm, text)` gets the arm and its new weight as it is to be written.
function weightSliders(moved) {
  const rows = element("div", { class: "tql-sliders", role: "group", "aria-label": "Weights of the arms" });
  let arms = [];

  // Show the arms of a text. While they are the same arms, their sliders stay, so that one can be dragged on.
  function show(found) {
    const same = found.length === arms.length && found.every((arm, at) => arm.condition === arms[at].condition);
    arms = found.map((arm) => ({ ...arm }));
    if (!same) rows.replaceChildren(...arms.map((arm, at) => row(arm, at)));
    arms.forEach((arm, at) => place(rows.children[at], arm));
  }

  function row(arm, at) {
    const slide = element("input", { type: "range", step: "0.02", "aria-label": `weight of ${arm.condition}` });
    slide.addEventListener("input", () => move(at, Number(slide.value)));
    return element("div", {}, element("code", { title: arm.condition }, arm.condition), slide, element("output", {}));
  }

  function place(line, arm) {
    const [, slide, output] = line.children;
    const power = arm.weight > 0 ? Math.log10(arm.weight) : LEAST;
    slide.min = Math.min(LEAST, Math.floor(power));
    slide.max = Math.max(GREATEST, Math.ceil(power));
    // What is being dragged stays where the hand is: rounded, it would creep.
    if (written(10 ** Number(slide.value)) !== written(arm.weight)) slide.value = power;
    output.textContent = written(arm.weight);
    slide.setAttribute("aria-valuetext", output.textContent);
  }

  // The text changes at once, and with it the places of all weights behind this one.
  function move(at, power) {
    const arm = arms[at];
    const text = written(10 ** power);
    const by = text.length - (arm.stop - arm.start);
    moved({ ...arm }, text);
    for (const other of arms) {
      if (other.start > arm.start) {
        other.start += by;
        other.stop += by;
      }
    }
    Object.assign(arm, { stop: arm.stop + by, weight: Number(text) });
    place(rows.children[at], arm);
  }

  function written(weight) {
    return String(Number(weight.toPrecision(3)));
  }

  return {
    rows,
    show,
    // Of a text that was not read yet nobody knows where its weights stand.
    set ready(ready) {
      for (const line of rows.children) line.children[1].disabled = !ready;
    },
  };
}
