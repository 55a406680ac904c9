// Small things that the other files share: elements, numbers, and a limit to how often something is done.
// All files of this folder become one module (widget.py); none of them fetches anything.

// An element with attributes, listeners (names that begin with "on") and children; texts are texts, never HTML.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// A label with its control inside, so that each is read with the other.
function labelled(text, control, attributes = {}) {
  return element("label", attributes, element("span", {}, text), control);
}

// A button that is busy keeps the focus, which a disabled one would lose; its clicks do nothing.
function busy(button, on) {
  button.setAttribute("aria-disabled", on);
}

function whenFree(button, act) {
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") act();
  });
}

function percent(share) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(2)} %`;
}

function count(number) {
  return number.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

// A seed that is read at a glance: of a long one both ends.
function short(seed) {
  return seed.length > 12 ? `${seed.slice(0, 4)}…${seed.slice(-4)}` : seed;
}

// Calls `act` at once, and while calls keep coming every `pause` milliseconds, the last one always.
function throttled(act, pause) {
  let timer = null;
  let again = false;
  const due = () => {
    timer = null;
    if (again) call();
  };
  const call = () => {
    again = timer !== null;
    if (again) return;
    timer = setTimeout(due, pause);
    act();
  };
  return call;
}
