/* What is chosen, by whom, and what is drawn again when it changes. */

const find = (id) => document.getElementById(id);
const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

function writeHeader() {
  find("text").append(bdi(facts.text));
  if (facts.secondText !== null) find("text").append(bdi(facts.secondText));
  find("text").classList.toggle("long", find("text").textContent.length > 140);
  document.title = `Attention: ${facts.text}`;
  const millions = facts.parameters >= 1e5 ? `${(facts.parameters / 1e6).toFixed(1)} M parameters` : count(facts.parameters, "parameter");
  const shape = `${count(facts.layers, "layer")} of ${count(facts.heads, "head")}, ${facts.hidden} wide, ${millions}`;
  const step = `step ${facts.step.toLocaleString("en")}`;
  find("about").textContent = [facts.name, `${facts.family}, ${shape}`, step, count(size, "token")].join(" · ");
  const off = facts.bits === 16 ? "0.00002" : "0.004";
  find("exact").textContent =
    `Layers and heads count from 0, as in the names of parameters. The page holds weights to within ${off}; ` +
    "heed inspect --json prints them in full.";
}

function writeChosen() {
  for (const element of document.querySelectorAll(".layer")) element.textContent = state.layer;
  for (const element of document.querySelectorAll(".head")) element.textContent = state.head;
  find("layer").value = state.layer;
  find("head").value = state.head;
  find("entropy").textContent = `entropy ${facts.entropy[state.layer * facts.heads + state.head].toFixed(2)} nats`;
}

function drawChosen() {
  drawLines();
  for (const map of maps) map.draw();
}

function choose(layer, head, focus) {
  state.layer = Math.min(Math.max(layer, 0), facts.layers - 1);
  state.head = Math.min(Math.max(head, 0), facts.heads - 1);
  writeChosen();
  markTiles(focus);
  drawChosen();
}

function filter() {
  filterTokens();
  drawChosen();
  drawTiles(true);
}

function repaint(name) {
  setTheme(name);
  drawChosen();
  drawTiles(false);
}

function makeControls() {
  for (let l = 0; l < facts.layers; l++) find("layer").append(make("option", { value: l }, String(l)));
  for (let h = 0; h < facts.heads; h++) find("head").append(make("option", { value: h }, String(h)));
  find("layer").addEventListener("change", (event) => choose(Number(event.target.value), state.head));
  find("head").addEventListener("change", (event) => choose(state.layer, Number(event.target.value)));
  find("pair").hidden = facts.second === size;
  find("pair").addEventListener("change", (event) => {
    [state.from, state.to] = event.target.value === "" ? ["", ""] : event.target.value;
    filter();
  });
  const names = [...new Set(facts.tokens.filter((_, t) => facts.special[t]))];
  find("special-label").hidden = names.length === 0;
  find("special-names").textContent = names.join(", ");
  find("special").addEventListener("change", (event) => {
    state.special = !event.target.checked;
    filter();
  });
  find("threshold").addEventListener("input", () => {
    state.threshold = Number(find("threshold").value) / 100;
    find("threshold-value").textContent = `${find("threshold").value}%`;
    drawLines();
  });
  find("theme").addEventListener("click", () => repaint(theme === "dark" ? "light" : "dark"));
  prefersDark.addEventListener("change", () => repaint(prefersDark.matches ? "dark" : "light"));
}

/* On paper the page is light. */
let before = theme;
addEventListener("beforeprint", () => {
  before = theme;
  repaint("light");
});
addEventListener("afterprint", () => repaint(before));

/* Left and right move through the heads wherever they have no other work. */
document.addEventListener("keydown", (event) => {
  if (event.target !== document.body || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape") keep(null);
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (move) choose(state.layer, state.head + move);
});

writeHeader();
makeControls();
find("threshold-value").textContent = "5%";
sizeTiles();
choose(0, 0);
drawTiles(true);
new ResizeObserver(() => {
  sizeTiles();
  for (const map of maps) map.draw();
}).observe(document.querySelector("main"));
