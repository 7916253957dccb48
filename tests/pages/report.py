"""The pages of runs that report_test.c made, in a browser: report.py FOLDER.  HEED_SCREENSHOTS=FOLDER keeps pictures of them."""

import json
import os
import sys
from pathlib import Path

from browser import Browser, skip_without_browser

skip_without_browser()
runs = Path(sys.argv[1])
pictures = os.environ.get("HEED_SCREENSHOTS")
failures = 0


def check(good, what):
    global failures
    if not good:
        failures += 1
        print(f"FAILED: {what}")


def text(browser, selector):
    return browser.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent ?? null")


def picture(browser, name, whole=True):
    if pictures:
        browser.screenshot(Path(pictures) / f"{name}.png", whole)


def lines(run):
    return [json.loads(line) for line in open(runs / run / "metrics.jsonl")]


def opens_without_complaint(browser, run):
    page = runs / run / "report.html"
    browser.open(page)
    check(browser.console_errors() == [], f"{run}: {browser.console_errors()}")
    check(browser.requests() == [page.resolve().as_uri()], f"{run}: asks for {browser.requests()[1:]}")
    check(page.stat().st_size < 1_000_000, f"{run}: {page.stat().st_size} bytes")
    overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
    check(overflow <= 0, f"{run}: {overflow} pixels too wide")


def users_texts_are_texts(browser):
    browser.open(runs / "short/report.html")
    check(browser.evaluate("document.title") == 'short <b>&amp; "odd"</b>', "the title is not the run's name")
    check(text(browser, "h1") == 'short <b>&amp; "odd"</b>', "the heading is not the run's name")
    check(browser.evaluate("document.querySelectorAll('h1 *, pre *, #samples b, #samples i, #samples script').length") == 0,
          "markup of the user's became elements")
    check("</pre><script>alert(1)</script>" in text(browser, "pre"), "the configuration is not shown as it is")
    check(text(browser, "#samples ins:last-of-type") is not None and "<b>water</b>" in text(browser, "#samples li"), "a sample's text")


def values_are_the_metrics(browser):
    """By the arrow keys alone: every step's values, as metrics.jsonl has them."""
    browser.open(runs / "usual/report.html")
    metrics = lines("usual")
    steps = {line["step"]: line for line in metrics if "loss" in line}
    evaluations = {line["step"]: line for line in metrics if "validation_loss" in line}
    browser.key("Tab")
    check(browser.evaluate("document.activeElement.closest('figure')?.id") == "loss", "the first Tab leads to the loss")
    last, first, middle = max(steps), min(steps), sorted(steps)[len(steps) // 2]
    check(text(browser, "#loss .at") == f"step {last:,}", "a chart in focus begins at its newest step")
    check(text(browser, "#loss .raw b") == f"{steps[last]['loss']:.3f}", "the newest loss")
    check(text(browser, "#loss .check b") == f"{evaluations[max(evaluations)]['validation_loss']:.3f}", "the newest validation loss")
    browser.key("Home")
    check(text(browser, "#loss .at") == f"step {first:,}", "Home leads to the first step")
    check(text(browser, "#loss .check b") == "–", "before the first evaluation there is none")
    for _ in range(sorted(steps).index(middle)):
        browser.key("ArrowRight")
    check(text(browser, "#loss .at") == f"step {middle:,}", f"the arrow keys lead to step {middle}, not {text(browser, '#loss .at')}")
    check(text(browser, "#loss .raw b") == f"{steps[middle]['loss']:.3f}", "the loss in the middle")
    known = max(step for step in evaluations if step <= middle)
    check(text(browser, "#accuracy b") == f"{100 * evaluations[known]['validation_accuracy']:.2f}%", "the accuracy last known")
    check(text(browser, "#speed .raw b") == f"{steps[middle]['tokens_per_second']:,.0f}", "tokens a second")
    check(text(browser, "#layer-2 .h3 b") == f"{evaluations[known]['head_entropy'][2][3]:.2f}", "a head's entropy")
    check(str(middle) in browser.evaluate("document.activeElement.getAttribute('aria-valuenow')"), "a screen reader is told the step")
    browser.key("Escape")
    check(text(browser, "#loss .at") == "newest", "Escape leads back to the newest values")


def the_pointer_finds_a_step(browser):
    browser.open(runs / "usual/report.html")
    browser.hover("#loss .plots svg.wide", across=0.5)
    step = int(text(browser, "#loss .at").removeprefix("step ").replace(",", ""))
    check(900 < step < 1100, f"the middle of the chart is step {step}")
    mark = browser.evaluate("""(() => { const b = document.querySelector('#loss svg.wide path.guide').getBoundingClientRect();
        const s = document.querySelector('#loss svg.wide').getBoundingClientRect(); return (b.x - s.x) / s.width })()""")
    check(abs(mark - 0.5) < 0.01, f"the line stands at {mark} of the width")
    inside = browser.evaluate("""[...document.querySelectorAll('svg circle[visibility=visible]')].every((dot) => {
        const [l, r, t, b] = dot.ownerSVGElement.dataset.panel.split(' ').map(Number), x = +dot.getAttribute('cx'), y = +dot.getAttribute('cy');
        return x >= l - 1 && x <= r + 1 && y >= t - 1 && y <= b + 1; })""")
    check(inside, "the dots are on the charts")
    picture(browser, "hover", whole=False)
    browser.hover("h1")
    check(text(browser, "#loss .at") == "newest", "without the pointer the newest values are shown")


def the_map_goes_back(browser):
    browser.open(runs / "usual/report.html")
    entropies = [line["head_entropy"] for line in lines("usual") if "head_entropy" in line]
    newest, first = (f"{entropies[i][2][1]:.2f}" for i in (-1, 0))
    cell = "#heads tr:nth-child(4) td:nth-child(3)"
    check(text(browser, cell) == newest, "the map shows the newest evaluation")
    browser.click("#evaluation")
    browser.key("Home")
    check(text(browser, cell) == first, "the slider leads to the first")
    check(text(browser, "#entropy-step") == "step 100", "and says which that is")
    browser.key("End")
    check(text(browser, cell) == newest, "and back")
    browser.click("#samples summary")
    check(browser.evaluate("document.querySelector('#samples details').open"), "earlier samples unfold")
    check(text(browser, "#samples summary") == "Step 1,900", "the newest of the earlier ones comes first")


def shows_all_without_scripts():
    with Browser(scripts=False) as browser:
        opens_without_complaint(browser, "usual")
        root = browser.call("DOM.getDocument", depth=-1)["root"]["nodeId"]
        find = lambda selector: len(browser.call("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"])
        check(find("#loss path.train") == 4 and find("#heads td") == 16 and find("#samples li") > 0, "the curves, the map and the samples")
        picture(browser, "no-scripts", whole=False)


for dark in (False, True):
    with Browser(dark=dark) as browser:
        for run in ("usual", "short", "empty", "bare", "large", "loud"):
            opens_without_complaint(browser, run)
            picture(browser, f"{run}-{'dark' if dark else 'light'}")
        ground = browser.evaluate("getComputedStyle(document.body).backgroundColor").strip("rgb()").split(",")
        check((int(ground[0]) < 60) == dark, f"the ground of the page is {ground}")
with Browser() as browser:
    users_texts_are_texts(browser)
    values_are_the_metrics(browser)
    the_pointer_finds_a_step(browser)
    the_map_goes_back(browser)
    check(browser.console_errors() == [], f"{browser.console_errors()}")
    browser.resize(360, 740, phone=True)
    for run in ("usual", "short", "large"):
        opens_without_complaint(browser, run)
        smallest = browser.evaluate("""Math.min(...[...document.querySelectorAll('svg text')].map((e) => e.getBoundingClientRect().height)
            .filter((height) => height > 0))""")
        check(smallest > 10, f"{run}: a text of {smallest} pixels on a phone")
        picture(browser, f"{run}-phone")
shows_all_without_scripts()
print(f"{failures} failed" if failures else "the pages are sound")
raise SystemExit(1 if failures else 0)
