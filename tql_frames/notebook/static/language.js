// The text as coloured pieces. What the words mean is told by Python; the tokens are those of language/grammar.lark.

const TOKENS =
  /(?<comment>--[^\n]*)|(?<text>'(?:[^']|'')*'?)|(?<quoted>"(?:[^"]|"")*"?)|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<name>[\p{L}_][\p{L}\p{N}_]*)/gu;

// Classes of the words by kind: functions and keywords in any case, columns exactly.
function lexicon(words) {
  const of = (kind) => words.filter((word) => word.kind === kind).map((word) => word.name);
  return { columns: new Set(of("column")), functions: new Set(of("function")), keywords: new Set(of("keyword")) };
}

// Pieces of the text in order: where each stands and what it is ("" for all between).
function tokensOf(text, known) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    if (match.index > end) found.push({ start: end, stop: match.index, kind: "" });
    end = match.index + match[0].length;
    found.push({ start: match.index, stop: end, kind: kindOf(match, text, end, known) });
  }
  if (end < text.length) found.push({ start: end, stop: text.length, kind: "" });
  return found;
}

function kindOf(match, text, end, known) {
  const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
  if (kind === "quoted") return "column";
  if (kind !== "name") return kind;
  const word = match[0];
  const lower = word.toLowerCase();
  if (known.functions.has(lower) && /^\s*\(/.test(text.slice(end))) return "function";
  if (known.columns.has(word)) return "column";
  return known.keywords.has(lower) ? "keyword" : "";
}

// The elements that show the text, the faulty characters underlined, and a mark at `caret` to measure by.
function coloured(text, known, fault, caret) {
  const shown = [];
  const cuts = [caret, fault?.start, fault?.stop].filter((place) => typeof place === "number");
  const mark = () => element("span", { class: "tql-caret" });
  for (const token of tokensOf(text, known)) {
    let start = token.start;
    const inside = cuts.filter((place) => place > start && place < token.stop).sort((a, b) => a - b);
    for (const stop of [...inside, token.stop]) {
      if (start === caret) shown.push(mark());
      const faulty = fault && start >= fault.start && start < fault.stop;
      const classes = [token.kind && `tql-${token.kind}`, faulty && "tql-fault"].filter(Boolean).join(" ");
      shown.push(element("span", classes ? { class: classes } : {}, text.slice(start, stop)));
      start = stop;
    }
  }
  if (caret === text.length) shown.push(mark());
  // A fault of no characters, where the text ends too early, is shown behind it.
  if (fault && fault.start >= text.length) shown.push(element("span", { class: "tql-fault" }, "\u2003"));
  return [...shown, "\n"]; // a last line that is empty would not be as high as that of the textarea
}
