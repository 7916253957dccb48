/* The chosen head as lines between two columns of tokens: what looks on the left, what is looked at on the right. */

const rowHeight = 22, between = 130;
const columns = { from: document.getElementById("from"), to: document.getElementById("to") };
const rows = { from: [], to: [] };

function makeColumn(name) {
  facts.tokens.forEach((text, t) => {
    const value = make("span", { class: "value" });
    const attributes = { class: "token", role: "option", tabindex: t === 0 ? "0" : "-1", title: `${text} (${t})`, "data-token": t };
    const element = make("div", attributes, bdi(text), value);
    if (facts.second < size && (t === 0 || t === facts.second)) {
      element.append(make("span", { class: "side" }, sideOf(t)));
      if (t > 0) element.classList.add("second");
    }
    rows[name].push({ element, value });
    columns[name].append(element);
  });
  const tokenAt = (event) => {
    const row = event.target.closest(".token");
    return row ? { side: name, token: Number(row.dataset.token) } : null;
  };
  columns[name].addEventListener("pointerover", (event) => event.pointerType !== "touch" && single(tokenAt(event)));
  columns[name].addEventListener("pointerleave", () => single(state.kept));
  columns[name].addEventListener("focusin", (event) => event.target.matches(":focus-visible") && single(tokenAt(event)));
  columns[name].addEventListener("focusout", () => single(state.kept));
  columns[name].addEventListener("click", (event) => keep(tokenAt(event)));
  columns[name].addEventListener("keydown", (event) => keyOnToken(event, tokenAt(event)));
}

function keyOnToken(event, at) {
  const here = at.token;
  const token = { ArrowUp: here - 1, ArrowDown: here + 1, Home: 0, End: size - 1, ArrowLeft: here, ArrowRight: here }[event.key];
  const name = { ArrowLeft: "from", ArrowRight: "to" }[event.key] || at.side;
  if (event.key === "Enter" || event.key === " ") keep(at);
  else if (event.key === "Escape") keep(null);
  else if (token === undefined) return;
  else focusToken(name, Math.min(Math.max(token, 0), size - 1));
  event.preventDefault();
  event.stopPropagation();
}

function focusToken(name, token) {
  rows[name].forEach((row, t) => (row.element.tabIndex = t === token ? 0 : -1));
  rows[name][token].element.focus();
}

/* Shows the lines of one token alone, or of all (null). */
function single(which) {
  if (state.alone === which || (which && state.alone && state.alone.side === which.side && state.alone.token === which.token)) return;
  state.alone = which;
  drawLines();
}

function keep(which) {
  const same = which && state.kept && state.kept.side === which.side && state.kept.token === which.token;
  state.kept = same ? null : which;
  state.alone = null;
  single(state.kept);
  drawLines();
}

const strokes = document.getElementById("strokes");
function stroke(context, q, k, weight) {
  const [from, to] = [(q + 0.5) * rowHeight, (k + 0.5) * rowHeight];
  context.globalAlpha = Math.min(1, 0.12 + 0.88 * Math.sqrt(weight));
  context.lineWidth = 0.6 + 4.4 * weight;
  context.beginPath();
  context.moveTo(0, from);
  context.bezierCurveTo(between / 2, from, between / 2, to, between, to);
  context.stroke();
}

/* The numbers of the token that is alone, beside the tokens on the other side. */
function writeValues(levels) {
  const alone = state.alone, other = alone && (alone.side === "from" ? "to" : "from");
  for (const name of ["from", "to"]) {
    rows[name].forEach((row, t) => {
      let value = null;
      if (name === other) {
        const [q, k] = name === "to" ? [alone.token, t] : [t, alone.token];
        value = isShown(q, k) ? weightOf(levels[q * size + k]) : null;
      }
      row.value.textContent = value === null ? "" : percent(value);
      row.element.style.setProperty("--value", value === null ? "0%" : `${(100 * value).toFixed(1)}%`);
      row.element.classList.toggle("off", !isOn[name][t]);
      row.element.classList.toggle("chosen", !!alone && alone.side === name && alone.token === t);
      row.element.setAttribute("aria-selected", !!state.kept && state.kept.side === name && state.kept.token === t);
      row.element.setAttribute("aria-label", value === null ? facts.tokens[t] : `${facts.tokens[t]}, ${percent(value)}`);
    });
  }
}

function drawLines() {
  const levels = mapOf("weights"), alone = state.alone;
  const context = fit(strokes, between, size * rowHeight);
  context.strokeStyle = inks.accent;
  context.lineCap = "butt";
  let drawn = 0;
  for (let q = 0; q < size; q++) {
    if (alone && alone.side === "from" && alone.token !== q) continue;
    for (let k = 0; k < size; k++) {
      if ((alone && alone.side === "to" && alone.token !== k) || !isShown(q, k)) continue;
      const weight = weightOf(levels[q * size + k]);
      if (weight < (alone ? 0.001 : state.threshold)) continue;
      stroke(context, q, k, weight);
      drawn++;
    }
  }
  strokes.dataset.lines = drawn;
  writeValues(levels);
}
makeColumn("from");
makeColumn("to");
