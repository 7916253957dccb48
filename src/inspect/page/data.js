"use strict";
/* The numbers of the page, and what of them is shown.  Everything below draws from here. */

const facts = JSON.parse(document.getElementById("facts").textContent);
const size = facts.tokens.length;
const highest = 2 ** facts.bits - 1;
const packed = {
  weights: document.getElementById("weights").textContent,
  rollout: document.getElementById("shares").textContent,
};

/* What is chosen.  `alone`: a token whose lines alone are drawn, {side, token}. */
const state = { layer: 0, head: 0, from: "", to: "", special: true, threshold: 0.05, alone: null, kept: null };

/* A map is a line of base64: level = √weight · highest, little-endian, row by row, in a causal model each up to its own token. */
const mapBytes = (facts.causal ? (size * (size + 1)) / 2 : size * size) * (facts.bits / 8);
const mapLetters = 4 * Math.ceil(mapBytes / 3);

function readMap(kind, index) {
  const start = index * (mapLetters + 1);
  const bytes = atob(packed[kind].slice(start, start + mapLetters));
  const levels = facts.bits === 16 ? new Uint16Array(size * size) : new Uint8Array(size * size);
  let at = 0;
  for (let q = 0; q < size; q++) {
    const end = q * size + (facts.causal ? q + 1 : size);
    for (let i = q * size; i < end; i++) {
      levels[i] = facts.bits === 16 ? bytes.charCodeAt(at++) | (bytes.charCodeAt(at++) << 8) : bytes.charCodeAt(at++);
    }
  }
  return levels;
}

/* The map that was read last, of each kind: the page looks at one at a time. */
const latest = {};
function mapOf(kind) {
  const index = kind === "weights" ? state.layer * facts.heads + state.head : state.layer;
  if (!latest[kind] || latest[kind].index !== index) latest[kind] = { index, levels: readMap(kind, index) };
  return latest[kind].levels;
}

const weightOf = (level) => (level / highest) ** 2;

/* Every filter is a set of tokens that look and a set of tokens looked at. */
const sideOf = (token) => (token < facts.second ? "A" : "B");
const isOn = { from: [], to: [] };
function filterTokens() {
  for (const side of ["from", "to"]) {
    isOn[side] = facts.tokens.map(
      (_, t) => (state[side] === "" || state[side] === sideOf(t)) && (state.special || !facts.special[t]),
    );
  }
}
filterTokens();
const isShown = (q, k) => isOn.from[q] && isOn.to[k] && !(facts.causal && k > q);

const percent = (x) => (x >= 0.0995 ? (100 * x).toFixed(0) : x >= 0.00095 ? (100 * x).toFixed(1) : "<0.1") + "%";
/* As many digits as the stored levels carry. */
const digits = (x) => (x === 0 ? "0" : x < 1e-4 ? "<0.0001" : x.toPrecision(facts.bits === 16 ? 3 : 2));

/* An element with attributes and children, texts among them; nothing is ever parsed as HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const bdi = (text) => make("bdi", {}, text);
