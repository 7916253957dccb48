/* All heads of all layers as a grid of small maps, and the rollout's layers as a row of them. */

const group = Math.ceil(size / 72); // tokens to a pixel
const side = Math.ceil(size / group);

/* The highest level of each block of tokens, so that no narrow stripe is lost; −1 where nothing is shown. */
function shrink(levels) {
  const small = new Int32Array(side * side).fill(-1);
  for (let q = 0; q < size; q++) {
    if (!isOn.from[q]) continue;
    const row = Math.floor(q / group) * side, end = facts.causal ? q + 1 : size;
    for (let k = 0; k < end; k++) {
      const at = row + Math.floor(k / group);
      if (isOn.to[k] && levels[q * size + k] > small[at]) small[at] = levels[q * size + k];
    }
  }
  return small;
}

/* Drawn larger than it is, so that nothing that scales it again (a printer) makes it soft. */
const larger = Math.max(1, Math.round(160 / side));
const sketch = make("canvas", { width: side, height: side });

function drawTile(tile) {
  const context = sketch.getContext("2d"), picture = context.createImageData(side, side);
  for (let i = 0; i < tile.small.length; i++) if (tile.small[i] >= 0) paint(picture.data, i, tile.small[i]);
  context.putImageData(picture, 0, 0);
  const shown = tile.canvas.getContext("2d");
  shown.clearRect(0, 0, tile.canvas.width, tile.canvas.height);
  shown.imageSmoothingEnabled = false;
  shown.drawImage(sketch, 0, 0, tile.canvas.width, tile.canvas.height);
}

function makeTile(kind, index, attributes, label) {
  const canvas = make("canvas", { width: side * larger, height: side * larger, "aria-hidden": "true" });
  const element = make("div", { class: "tile", tabindex: "-1", ...attributes }, canvas);
  if (label) element.append(label);
  return { kind, index, element, canvas, small: null };
}

const grid = document.getElementById("grid");
const steps = document.getElementById("steps");
const heads = [], layers = [];

function makeGrid() {
  const top = make("div", { role: "row" }, make("span", { class: "name", role: "columnheader" }, facts.heads > 6 ? "head" : ""));
  for (let h = 0; h < facts.heads; h++) {
    top.append(make("span", { class: "corner", role: "columnheader" }, facts.heads > 6 ? String(h) : `head ${h}`));
  }
  grid.append(top);
  for (let l = 0; l < facts.layers; l++) {
    const row = make("div", { role: "row" }, make("span", { class: "name", role: "rowheader" }, `layer ${l}`));
    for (let h = 0; h < facts.heads; h++) {
      const index = l * facts.heads + h, entropy = facts.entropy[index].toFixed(2);
      const label = `layer ${l}, head ${h}, entropy ${entropy} nats`;
      heads.push(makeTile("weights", index, { role: "gridcell", "data-layer": l, "data-head": h, "aria-label": label }, entropy));
      heads[index].element.addEventListener("click", () => choose(l, h, true));
      row.append(heads[index].element);
    }
    grid.append(row);
    layers.push(makeTile("rollout", l, { role: "radio", "data-layer": l, "aria-label": `layer ${l}` }, `layer ${l}`));
    layers[l].element.addEventListener("click", () => choose(l, state.head));
    steps.append(layers[l].element);
  }
  grid.addEventListener("keydown", (event) => {
    const far = facts.heads;
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -far], End: [0, far] };
    const move = moves[event.key];
    if (event.key === "Enter" || event.key === " ") document.querySelector("#map .large").focus();
    else if (!move) return;
    else choose(state.layer + move[0], state.head + move[1], true);
    event.preventDefault();
    event.stopPropagation();
  });
  steps.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, Home: -facts.layers, End: facts.layers }[event.key];
    if (!move) return;
    choose(state.layer + move, state.head);
    layers[state.layer].element.focus();
    event.preventDefault();
    event.stopPropagation();
  });
}
makeGrid();

/* As large as the page allows, in whole multiples of a token while tokens are few. */
function sizeTiles() {
  for (const [element, across, names] of [[grid, facts.heads, 70], [steps, facts.layers, 0]]) {
    const room = Math.floor((element.parentElement.clientWidth - 6 - names) / across) - 16;
    const edge = Math.min(Math.max(room, 40), 120);
    element.style.setProperty("--edge", `${side < edge / 2 ? edge - (edge % side) : edge}px`);
  }
}

/* Marks what is chosen; the chosen tile is where Tab comes in. */
function markTiles(focus) {
  heads.forEach((tile, i) => {
    const chosen = i === state.layer * facts.heads + state.head;
    tile.element.setAttribute("aria-selected", chosen);
    tile.element.tabIndex = chosen ? 0 : -1;
    if (chosen && focus) tile.element.focus();
  });
  layers.forEach((tile, l) => {
    tile.element.setAttribute("aria-checked", l === state.layer);
    tile.element.tabIndex = l === state.layer ? 0 : -1;
  });
}

/* Draws all tiles, a little at a time so that the page answers meanwhile.  `again`: what is shown of them has changed. */
let round = 0;
function drawTiles(again) {
  const mine = ++round, left = [...heads, ...layers];
  const work = () => {
    if (mine !== round) return;
    const end = performance.now() + 12;
    while (left.length > 0 && performance.now() < end) {
      const tile = left.shift();
      if (again || !tile.small) tile.small = shrink(readMap(tile.kind, tile.index));
      drawTile(tile);
    }
    if (left.length > 0) setTimeout(work);
    else grid.dataset.drawn = mine;
  };
  work();
}
