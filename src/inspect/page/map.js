/* A large map with the names of its tokens: the chosen head's weights, and the rollout's shares. */

class LargeMap {
  constructor(section, kind, verb) {
    this.kind = kind;
    this.verb = verb;
    this.canvas = section.querySelector(".large");
    this.key = section.querySelector(".key");
    this.output = section.querySelector("output");
    this.cell = null; // [query, key] under the pointer or the keys
    this.picture = document.createElement("canvas");
    this.canvas.addEventListener("pointermove", (event) => this.point(this.cellAt(event)));
    this.canvas.addEventListener("pointerleave", () => document.activeElement !== this.canvas && this.point(null));
    this.canvas.addEventListener("click", (event) => this.point(this.cellAt(event)));
    this.canvas.addEventListener("focus", () => this.canvas.matches(":focus-visible") && !this.cell && this.point([0, 0]));
    this.canvas.addEventListener("blur", () => this.point(null));
    this.canvas.addEventListener("keydown", (event) => this.press(event));
  }

  press(event) {
    const [q, k] = this.cell || [0, 0], step = event.shiftKey ? 10 : 1;
    const along = { ArrowLeft: [0, -step], ArrowRight: [0, step], ArrowUp: [-step, 0], ArrowDown: [step, 0] };
    const toEnds = { Home: [0, -size], End: [0, size], PageUp: [-size, 0], PageDown: [size, 0] };
    const move = along[event.key] || toEnds[event.key];
    if (!move) return;
    const clamp = (x) => Math.min(Math.max(x, 0), size - 1);
    this.point([clamp(q + move[0]), clamp(k + move[1])]);
    event.preventDefault();
    event.stopPropagation();
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const q = Math.floor((event.clientY - box.top - this.top) / this.step);
    const k = Math.floor((event.clientX - box.left - this.left) / this.step);
    return q >= 0 && k >= 0 && q < size && k < size ? [q, k] : null;
  }

  point(cell) {
    if (String(cell) === String(this.cell)) return;
    this.cell = cell;
    this.drawOver();
    this.say();
  }

  say() {
    this.output.replaceChildren();
    if (!this.cell) {
      this.output.append(make("span", { class: "quiet" }, "Rows: tokens that look. Columns: tokens looked at."));
      if (this.kind === "rollout") this.output.firstChild.textContent = "Rows: tokens of the layer's output. Columns: tokens of the text.";
      return;
    }
    const [q, k] = this.cell, value = weightOf(mapOf(this.kind)[q * size + k]);
    const text = isShown(q, k) ? digits(value) : "not shown";
    const place = make("span", { class: "quiet" }, `  (${q}, ${k})`);
    this.output.append(bdi(facts.tokens[q]), ` ${this.verb} `, bdi(facts.tokens[k]), " ", make("b", {}, text), place);
  }

  /* Room for the names, the longest ones cut; cells as large as the page allows, and never too small to be pointed at. */
  measure(context) {
    context.font = fontOf(12, 600);
    const longest = Math.max(...facts.tokens.map((text) => context.measureText(text).width));
    this.left = Math.min(Math.ceil(longest) + 10, 120);
    this.top = this.left;
    const room = this.canvas.parentElement.clientWidth - 6 - this.left;
    const least = size <= 64 ? 10 : size <= 160 ? 5 : 2;
    this.step = Math.max(least, Math.min(36, room < 8 * size ? room / size : Math.floor(room / size)));
  }

  drawPicture() {
    const levels = mapOf(this.kind);
    this.picture.width = this.picture.height = size;
    const context = this.picture.getContext("2d"), pixels = context.createImageData(size, size);
    for (let q = 0; q < size; q++)
      for (let k = 0; k < size; k++) if (isShown(q, k)) paint(pixels.data, q * size + k, levels[q * size + k]);
    context.putImageData(pixels, 0, 0);
  }

  draw() {
    this.drawPicture();
    drawKey(this.key);
    this.measure(this.canvas.getContext("2d"));
    this.drawOver();
    this.say();
  }

  name(context, text, room) {
    let shown = text;
    while (shown.length > 1 && context.measureText(shown).width > room) shown = [...shown].slice(0, -2).join("") + "…";
    return shown;
  }

  /* Names of rows and columns, as many as have room, and always those of the cell that is pointed at. */
  drawNames(context) {
    const every = Math.ceil(13 / this.step), [q, k] = this.cell || [-1, -1];
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (let t = 0; t < size; t++) {
      for (const [axis, at] of [["row", q], ["column", k]]) {
        if (t !== at && (t % every !== 0 || (at >= 0 && Math.abs(t - at) < every))) continue;
        const on = axis === "row" ? isOn.from[t] : isOn.to[t];
        context.save();
        context.font = fontOf(Math.min(12, Math.max(10, this.step - 2)), t === at ? 600 : 400);
        context.fillStyle = t === at ? inks.accent : on ? inks.ink : inks.quiet;
        const place = (t + 0.5) * this.step;
        if (axis === "row") context.translate(this.left - 7, this.top + place);
        else context.translate(this.left + place, this.top - 7);
        if (axis === "column") {
          context.rotate(Math.PI / 2);
          context.textAlign = "right";
        }
        context.fillText(this.name(context, facts.tokens[t], this.left - 10), 0, 0);
        context.restore();
      }
    }
  }

  drawOver() {
    const whole = size * this.step, context = fit(this.canvas, this.left + whole + 2, this.top + whole + 2);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.picture, this.left, this.top, whole, whole);
    if (this.step >= 9) {
      context.fillStyle = inks.surface;
      for (let t = 0; t <= size; t++) {
        context.fillRect(this.left + t * this.step - 0.5, this.top, 1, whole);
        context.fillRect(this.left, this.top + t * this.step - 0.5, whole, 1);
      }
    }
    if (facts.second < size) {
      context.fillStyle = inks.quiet;
      context.fillRect(this.left + facts.second * this.step - 0.75, this.top - 8, 1.5, whole + 8);
      context.fillRect(this.left - 8, this.top + facts.second * this.step - 0.75, whole + 8, 1.5);
    }
    this.drawNames(context);
    if (this.cell) {
      const [q, k] = this.cell;
      context.strokeStyle = inks.accent;
      context.lineWidth = 2;
      context.strokeRect(this.left + k * this.step - 0.5, this.top + q * this.step - 0.5, this.step + 1, this.step + 1);
    }
  }
}

const maps = [
  new LargeMap(document.getElementById("map"), "weights", "looks at"),
  new LargeMap(document.getElementById("rollout"), "rollout", "is made of"),
];
