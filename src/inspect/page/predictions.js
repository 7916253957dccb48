/* What the model predicts at each place, as bars: all places while they are few, else one chosen from the text. */

const placesShown = document.getElementById("places"), cards = document.getElementById("cards");
const manyPlaces = facts.places.length > 9;
const likeliest = Math.max(...facts.places.flatMap((place) => place.top.map(([, , share]) => share)));
const masks = facts.places.some((place) => facts.tokens[place.at] === "[MASK]");

function about() {
  if (facts.places.length === 0) return "";
  if (facts.causal) return "What follows each token." + (manyPlaces ? " The bar below a token shows how likely the model finds it after those before it." : "");
  if (masks) return "What the model puts in the place of each [MASK].";
  return "What the model predicts at each token's place, the token itself in view. Write [MASK] for one to see what it knows without it.";
}

function makeCard(place) {
  const actual = place.actual >= 0 ? facts.tokens[place.actual] : null;
  const title = facts.causal ? [bdi(facts.tokens[place.at]), " …"] : [bdi(facts.tokens[place.at])];
  const table = make("table");
  for (const [text, , share] of place.top) {
    const bar = make("i");
    bar.style.width = `${((100 * share) / likeliest).toFixed(2)}%`;
    const name = make("th", { scope: "row", title: text }, bdi(text));
    const row = make("tr", {}, name, make("td", { "aria-hidden": "true" }, bar), make("td", {}, percent(share)));
    if (text === actual) row.classList.add("actual");
    table.append(row);
  }
  const heading = make("h3", {}, make("span", {}, ...title), make("span", { class: "quiet" }, `token ${place.at}`));
  heading.firstChild.style.fontWeight = 600;
  const card = make("div", { class: "card" }, heading, table);
  const truth = facts.causal ? "followed by " : "stands there: ";
  if (actual !== null) card.append(make("p", { class: "quiet" }, truth, bdi(actual), `, ${percent(place.share)}`));
  return card;
}

function choosePlace(index, focus) {
  const items = [...placesShown.querySelectorAll("[role=option]")];
  items.forEach((item, i) => {
    item.setAttribute("aria-selected", i === index);
    item.tabIndex = i === index ? 0 : -1;
  });
  if (focus) items[index].focus();
  cards.replaceChildren(makeCard(facts.places[index]));
}

/* The text; below each token that was predicted a bar as strong as the model found it likely. */
function makePlaces() {
  const placeAt = new Map(facts.places.map((place, i) => [place.at, i]));
  const likely = new Map(facts.places.filter((place) => place.actual >= 0).map((place) => [place.actual, place.share]));
  facts.tokens.forEach((text, t) => {
    const index = placeAt.get(t), share = likely.get(t);
    const item = make("span", index === undefined ? { class: "fixed" } : { role: "option", "data-place": index }, bdi(text));
    const strength = share === undefined ? 0 : Math.round(100 * Math.sqrt(share));
    if (share !== undefined) item.style.borderBottomColor = `color-mix(in srgb, var(--accent) ${strength}%, var(--line))`;
    if (index !== undefined) item.addEventListener("click", () => choosePlace(index, true));
    placesShown.append(item, "\u200b");
  });
  placesShown.addEventListener("keydown", (event) => {
    const now = Number(event.target.dataset.place), last = facts.places.length - 1;
    const index = { ArrowLeft: now - 1, ArrowUp: now - 1, ArrowRight: now + 1, ArrowDown: now + 1, Home: 0, End: last }[event.key];
    if (index === undefined) return;
    choosePlace(Math.min(Math.max(index, 0), last), true);
    event.preventDefault();
    event.stopPropagation();
  });
  placesShown.hidden = false;
}

function makePredictions() {
  document.getElementById("predictions-about").textContent = about();
  if (!manyPlaces) return cards.append(...facts.places.map(makeCard));
  makePlaces();
  choosePlace(facts.causal ? facts.places.length - 1 : 0); // of a text that goes on, what follows it
}
makePredictions();
