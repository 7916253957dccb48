"""The page of `heed inspect` in a real browser: what it shows is what --json says, and it is used by pointer and by keys alone.

    inspect.py HEED SOURCE        HEED_SCREENSHOTS=FOLDER keeps pictures
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import Browser, skip_without_browser

CONFIG = """
run: {name: small, output: run}
model: {family: bert, vocabulary_size: 300, layers: 3, hidden: 16, heads: 4, max_positions: 64, initializer_range: 0.7}
data: {train: train.h5, validation: train.h5, vocabulary: vocab.txt}
train: {steps: 1, sequence_length: 16, batch_sequences: 8, slices: 8}
optimizer: {learning_rate: 1.0e-3}
evaluate: {every_steps: 0}
"""
LAYERS, HEADS = 3, 4
SENTENCE, SECOND = "The <b>man</b> & the [MASK].", "He </script><script>alert(1)</script> slept."


def make_world(heed, source):
    """A model of milliseconds, and its pages and numbers."""
    run = lambda *command: subprocess.run([heed, *command], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
    text = f"{source}/datasets/sample/text.txt"
    Path("small.yaml").write_text(CONFIG)
    run("tokenizer", "train", "--type", "wordpiece", "--vocab-size", "300", "--output", "vocab.txt", text)
    run("prepare", "--vocab", "vocab.txt", "--output", "train.h5", text)
    run("train", "small.yaml")
    run("inspect", "run", "The man and the house and the river.", "--output", "one.html")
    return json.loads(run("inspect", "run", SENTENCE, SECOND, "--output", "pair.html", "--json"))


def check(what, holds):
    if not holds:
        raise AssertionError(what)


def picture(browser, selector):
    return browser.evaluate(f"document.querySelector({json.dumps(selector)}).toDataURL()")


def settle(browser):
    """Waits for what the page does by itself: changes of the window, and the small maps, which are drawn a little at a time."""
    browser.evaluate("""new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(function wait() {
        if (Number(grid.dataset.drawn) === round) done(); else setTimeout(wait, 5); })))""")


def chosen(browser):
    return browser.evaluate("""[state.layer, state.head, find("layer").value, find("head").value].map(Number).concat(
        [document.querySelectorAll("#grid [aria-selected=true]").length])""")


def lines(browser):
    return browser.evaluate("Number(strokes.dataset.lines)")


def holds_the_numbers(browser, numbers):
    """Every weight of the page against the JSON, within what packed.h promises."""
    page = browser.evaluate("""Array.from({length: facts.layers * facts.heads}, (_, i) => [...readMap("weights", i)])""")
    rollout = browser.evaluate("""Array.from({length: facts.layers}, (_, i) => [...readMap("rollout", i)])""")
    flat = lambda grid: [x for row in grid for x in row]
    want = [flat(head) for layer in numbers["weights"] for head in layer] + [flat(layer) for layer in numbers["rollout"]]
    check("as many maps", len(page) + len(rollout) == len(want) == LAYERS * (HEADS + 1))
    for got, true in zip(page + rollout, want):
        check("as many weights", len(got) == len(true) == len(numbers["tokens"]) ** 2)
        for level, w in zip(got, true):
            check("a weight", abs((level / 65535) ** 2 - w) <= (w**0.5 + 2**-17) / 65535 + 1e-12)


def opens(browser, numbers):
    check("the title", browser.evaluate("document.title") == f"Attention: {SENTENCE}")
    check("the text as text", browser.evaluate("find('text').textContent") == SENTENCE + SECOND)
    check("no element of the text's own", browser.evaluate("document.querySelectorAll('h1 b, .token b, script').length") == 4)
    tokens = browser.evaluate("[...document.querySelectorAll('#from bdi')].map((e) => e.textContent)")
    check("the tokens", tokens == numbers["tokens"])
    labels = browser.evaluate("[...document.querySelectorAll('#grid .tile')].map((e) => e.textContent)")
    check("the entropies", labels == [f"{h:.2f}" for layer in numbers["entropy"] for h in layer])
    shown = browser.evaluate("[...document.querySelectorAll('.card th')].map((e) => e.textContent)")
    check("the predictions", shown == [guess["token"] for place in numbers["predictions"] for guess in place["top"]])


def is_chosen_by_click_and_keys(browser):
    pictures = [picture(browser, "#map .large"), picture(browser, "#strokes"), picture(browser, "#rollout .large")]
    browser.click("#grid [data-layer='1'][data-head='2']")
    check("a click chooses", chosen(browser) == [1, 2, 1, 2, 1])
    after = [picture(browser, "#map .large"), picture(browser, "#strokes"), picture(browser, "#rollout .large")]
    check("all pictures change", all(a != b for a, b in zip(pictures, after)))
    moves = [("ArrowRight", [1, 3]), ("ArrowDown", [2, 3]), ("ArrowDown", [2, 3]), ("Home", [2, 0])]
    moves += [("ArrowUp", [1, 0]), ("ArrowLeft", [1, 0]), ("End", [1, 3])]
    for key, place in moves:
        browser.key(key)
        check(f"{key} moves", chosen(browser) == [*place, *place, 1])
        check("the focus goes along", browser.evaluate("document.activeElement.dataset.head") == str(place[1]))
    browser.evaluate("document.activeElement.blur()")
    browser.key("ArrowLeft")
    check("arrows work without a focus", chosen(browser)[:2] == [1, 2])


def tells_values(browser, numbers):
    browser.evaluate("document.querySelector('#grid [tabindex=\"0\"]').focus()")
    browser.key("Enter")
    check("Enter goes to the map", browser.evaluate("document.activeElement === maps[0].canvas"))
    before = picture(browser, "#map .large")
    for key in ["Home", "PageUp", "ArrowDown", "ArrowDown", "ArrowRight"]:
        browser.key(key)
    check("the cell is marked", picture(browser, "#map .large") != before)
    said = browser.evaluate("document.querySelector('#map output b').textContent")
    weight = numbers["weights"][1][2][2][1]
    check(f"the value {said} of {weight}", abs(float(said.strip("<")) - weight) <= max(0.006 * weight, 1e-4))
    across, down = browser.evaluate("""[(maps[1].left + 3.5 * maps[1].step) / maps[1].canvas.clientWidth,
        (maps[1].top + 2.5 * maps[1].step) / maps[1].canvas.clientHeight]""")
    browser.hover("#rollout .large", across, down)
    said = browser.evaluate("document.querySelector('#rollout output b').textContent")
    share = numbers["rollout"][1][2][3]
    check(f"the share {said} of {share}", abs(float(said.strip("<")) - share) <= max(0.006 * share, 1e-4))


def shows_a_token_alone(browser, numbers):
    everything, size = lines(browser), len(numbers["tokens"])
    browser.hover("#from .token:nth-child(3)")
    check("fewer lines", 0 < lines(browser) <= size)
    values = browser.evaluate("[...document.querySelectorAll('#to .value')].map((e) => e.textContent)")
    row = numbers["weights"][1][2][2]
    check("its values", all(abs(float(v.strip("<%")) / 100 - w) <= 0.0051 for v, w in zip(values, row)) and len(values) == size)
    browser.hover("h1")
    check("all lines again", lines(browser) == everything)
    browser.evaluate("document.querySelector('#to [tabindex=\"0\"]').focus()")
    for key in ["ArrowDown", "ArrowDown", "Enter", "ArrowUp"]:
        browser.key(key)
    browser.evaluate("document.activeElement.blur()")
    check("Enter keeps a token", browser.evaluate("[state.alone.side, state.alone.token]") == ["to", 2])
    browser.key("Escape")
    check("Escape lets go", lines(browser) == everything)


def filters(browser, numbers):
    second = numbers["token_types"].index(1)
    everything, tile = lines(browser), picture(browser, "#grid canvas")
    counts = {}
    for number, name in enumerate(["", "AA", "AB", "BA", "BB"], 1):
        browser.click(f"#pair label:nth-of-type({number}) span")
        counts[name] = lines(browser)
        off = browser.evaluate("[...document.querySelectorAll('#from .token')].map((e) => e.classList.contains('off'))")
        check(f"{name}: who looks", off == [bool(name) and (name[0] == "B") != (t >= second) for t in range(len(off))])
        settle(browser)
        check(f"{name}: the small maps", (picture(browser, "#grid canvas") == tile) == (name == ""))
    check("the four parts are the whole", sum(counts[n] for n in counts if n) == counts[""] == everything)
    browser.key("ArrowLeft")
    check("keys choose a part", browser.evaluate("state.from + state.to") == "BA")
    browser.click("#pair label:nth-of-type(1) span")
    browser.click("#special")
    check("without [CLS] and [SEP]", lines(browser) < everything)
    browser.click("#special")
    browser.evaluate("find('threshold').focus()")
    for _ in range(20):
        browser.key("ArrowRight")
    check("the threshold", lines(browser) < everything and browser.evaluate("state.threshold") == 0.25)


def is_reached_by_tab(browser):
    """Everything that can be used is met once, in the order of the page."""
    browser.evaluate("find('theme').focus()")
    met = []
    for _ in range(11):
        browser.key("Tab")
        met.append(browser.evaluate("""(() => { const e = document.activeElement;
            return e.id || e.name || (e.closest("#grid, #from, #to, #steps, #map, #rollout") || e).id; })()"""))
        outline = browser.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        check(f"{met[-1]}: a focus that is seen", outline != "none" or met[-1] == "pair")
    want = ["layer", "head", "pair", "special", "threshold", "grid", "from", "to", "map", "steps", "rollout"]
    check(f"the order of Tab: {met}", met == want)


def follows_the_scheme(browser):
    paper = lambda: browser.evaluate("getComputedStyle(document.body).backgroundColor")
    light, drawn = paper(), picture(browser, "#map .large")
    browser.scheme(True)
    settle(browser)
    check("dark as the system", paper() != light and picture(browser, "#map .large") != drawn)
    browser.click("#theme")
    check("light by the button", paper() == light and picture(browser, "#map .large") == drawn)
    browser.scheme(False)
    settle(browser)


def fits_a_phone(browser):
    for width in (320, 390, 800, 1400):
        browser.resize(width, 800)
        settle(browser)
        check(f"{width} pixels", browser.evaluate("document.documentElement.scrollWidth") <= width)


def predicts_at_every_place(browser):
    """A text without [MASK]: one place of many is shown at a time."""
    first = browser.evaluate("cards.textContent")
    browser.evaluate("document.querySelector('#places [tabindex=\"0\"]').focus()")
    browser.key("ArrowRight")
    check("another place", browser.evaluate("cards.textContent") != first)
    browser.click("#places [data-place='0']")
    check("the first again", browser.evaluate("cards.textContent") == first)
    check("no filter of pairs", browser.evaluate("find('pair').hidden"))


def main():
    skip_without_browser()
    heed, source = map(os.path.abspath, sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="heed-inspect-") as folder:
        os.chdir(folder)
        numbers = make_world(heed, source)
        with Browser() as browser:
            browser.open("pair.html")
            settle(browser)
            opens(browser, numbers)
            holds_the_numbers(browser, numbers)
            is_chosen_by_click_and_keys(browser)
            browser.evaluate("choose(1, 2)")
            tells_values(browser, numbers)
            shows_a_token_alone(browser, numbers)
            filters(browser, numbers)
            is_reached_by_tab(browser)
            follows_the_scheme(browser)
            fits_a_phone(browser)
            if os.environ.get("HEED_SCREENSHOTS"):
                browser.screenshot(Path(os.environ["HEED_SCREENSHOTS"]) / "inspect.png")
            check(f"no error: {browser.console_errors()}", browser.console_errors() == [])
            check("nothing from elsewhere", browser.requests() == [Path("pair.html").resolve().as_uri()])
            browser.resize(1100, 900)
            browser.open("one.html")
            predicts_at_every_place(browser)
            check(f"no error: {browser.console_errors()}", browser.console_errors() == [])
        os.chdir("/")


main()
