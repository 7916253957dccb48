/* Colours of weights: lightness changes in one direction, evenly in √weight, so that small weights are told apart too. */

const ramps = {
  light: ["#eef2f8", "#cddcf0", "#9dbce4", "#6496d4", "#316dbb", "#174a8d", "#0a2550"],
  dark: ["#1e242c", "#21364f", "#275080", "#2f70b6", "#5c9be3", "#a4c9f7", "#eef5ff"],
};
const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/* 256 colours as the bytes that a picture takes. */
function rampOf(stops) {
  const table = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    const [a, b] = [channels(stops[low]), channels(stops[low + 1])];
    for (let c = 0; c < 3; c++) table[4 * i + c] = a[c] + (b[c] - a[c]) * (place - low);
    table[4 * i + 3] = 255;
  }
  return table;
}
const tables = { light: rampOf(ramps.light), dark: rampOf(ramps.dark) };

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
let theme = prefersDark.matches ? "dark" : "light";

/* The style's own colours, for what is drawn. */
const inks = {};
const colourIndex = (level) => (facts.bits === 16 ? level >> 8 : level);
const paint = (pixels, at, level) => pixels.set(tables[theme].subarray(4 * colourIndex(level), 4 * colourIndex(level) + 4), 4 * at);

function setTheme(name) {
  theme = name;
  document.documentElement.dataset.theme = name;
  document.getElementById("theme").setAttribute("aria-pressed", name === "dark");
  const style = getComputedStyle(document.documentElement);
  for (const colour of ["ink", "quiet", "accent", "surface"]) inks[colour] = style.getPropertyValue(`--${colour}`).trim();
}
setTheme(theme);

/* A canvas of so many CSS pixels, sharp on this screen, and within what browsers hold. */
function fit(canvas, width, height) {
  const scale = Math.min(window.devicePixelRatio || 1, 16000 / Math.max(width, height), Math.sqrt(1e8 / (width * height)));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}
const fontOf = (pixels, weight = 400) => `${weight} ${pixels}px ${getComputedStyle(document.body).fontFamily}`;

/* The scale beside a map: colours run evenly in √weight, so the numbers do not. */
function drawKey(canvas) {
  const width = 220, context = fit(canvas, width + 24, 34);
  for (let x = 0; x < width; x++) {
    const [r, g, b] = tables[theme].subarray(4 * Math.round((255 * x) / (width - 1)));
    context.fillStyle = `rgb(${r} ${g} ${b})`;
    context.fillRect(12 + x, 2, 1.5, 10);
  }
  context.fillStyle = inks.quiet;
  context.font = fontOf(11);
  context.textAlign = "center";
  for (const weight of [0, 0.02, 0.1, 0.25, 0.5, 1]) context.fillText(String(weight), 12 + width * Math.sqrt(weight), 27);
}
