"use strict";
// The values at a step: under the pointer, or by the arrow keys in a chart that has the focus.  All charts show the same step.
// Without this script the page shows the newest values.
(() => {
  const charts = [...document.querySelectorAll("figure.chart")].map((figure) => {
    const data = JSON.parse(figure.querySelector("script").textContent);
    for (const series of data.series) series.x ??= data.series[0].x;
    const values = [...figure.querySelectorAll(".values b")];
    const at = figure.querySelector(".at");
    return {
      figure,
      data,
      values,
      at,
      newest: [at.textContent, ...values.map((value) => value.textContent)],
      steps: [...new Set(data.series.flatMap((series) => series.x))].sort((a, b) => a - b),
      pictures: [...figure.querySelectorAll("svg")].map((svg) => prepare(svg, data)),
    };
  });

  // A picture's panel, and the marks that move over it: a line, and a dot a curve.
  function prepare(svg, data) {
    const [left, right, top, bottom, xHigh, yLow, yHigh] = svg.dataset.panel.split(" ").map(Number);
    const make = (name, kind) => {
      const mark = document.createElementNS("http://www.w3.org/2000/svg", name);
      mark.setAttribute("class", kind);
      mark.setAttribute("visibility", "hidden");
      svg.append(mark);
      return mark;
    };
    const guide = make("path", "guide");
    const dots = data.series.map((series) => make("circle", series.kind));
    dots.forEach((dot) => dot.setAttribute("r", 4));
    return {
      svg, guide, dots, top, bottom,
      across: (step) => left + (step / xHigh) * (right - left),
      down: (value) => Math.min(bottom, Math.max(top, bottom - ((value - yLow) / (yHigh - yLow)) * (bottom - top))),
      step: (x) => {
        const box = svg.getBoundingClientRect();
        return ((((x - box.left) / box.width) * svg.viewBox.baseVal.width - left) / (right - left)) * xHigh;
      },
    };
  }

  // The last place in a sorted list that is not above a number; -1 when all are.
  function lastUpTo(list, number) {
    let low = -1, high = list.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (list[middle] <= number) low = middle;
      else high = middle;
    }
    return low;
  }

  // That of the list which is nearest.
  function nearest(list, number) {
    const low = lastUpTo(list, number);
    if (low < 0) return 0;
    return low + 1 < list.length && list[low + 1] - number < number - list[low] ? low + 1 : low;
  }

  function format(value, { digits, unit }) {
    if (value === null || value === undefined) return "–";
    return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: digits === 0 }) + unit;
  }

  const stepText = (step) => "step " + step.toLocaleString("en");

  // A curve shows what was known at the step: its last point up to there.
  function show(chart, step) {
    chart.at.textContent = stepText(step);
    chart.data.series.forEach((series, i) => {
      const place = lastUpTo(series.x, step), value = place < 0 ? null : series.y[place];
      chart.values[i].textContent = format(value, chart.data);
      for (const picture of chart.pictures) {
        picture.dots[i].setAttribute("visibility", value === null ? "hidden" : "visible");
        if (value === null) continue;
        picture.dots[i].setAttribute("cx", picture.across(series.x[place]));
        picture.dots[i].setAttribute("cy", picture.down(value));
      }
    });
    for (const picture of chart.pictures) {
      picture.guide.setAttribute("visibility", "visible");
      picture.guide.setAttribute("d", `M${picture.across(step)} ${picture.top}V${picture.bottom}`);
    }
  }

  function showAll(step, from) {
    for (const chart of charts) show(chart, step);
    const plots = from.figure.querySelector(".plots");
    plots.setAttribute("aria-valuenow", step);
    plots.setAttribute("aria-valuetext", from.figure.querySelector(".values").textContent.trim());
  }

  function forget() {
    for (const chart of charts) {
      [chart.at, ...chart.values].forEach((element, i) => (element.textContent = chart.newest[i]));
      for (const picture of chart.pictures) [picture.guide, ...picture.dots].forEach((mark) => mark.setAttribute("visibility", "hidden"));
    }
  }

  for (const chart of charts) {
    const plots = chart.figure.querySelector(".plots"), steps = chart.steps, last = steps.length - 1;
    if (last < 0) continue;
    let place = last;
    const go = (to) => {
      place = Math.min(last, Math.max(0, to));
      showAll(steps[place], chart);
    };
    plots.tabIndex = 0;
    plots.setAttribute("role", "slider");
    plots.setAttribute("aria-label", chart.figure.querySelector("figcaption").textContent + ": step");
    plots.setAttribute("aria-valuemin", steps[0]);
    plots.setAttribute("aria-valuemax", steps[last]);
    plots.setAttribute("aria-valuenow", steps[last]);
    const point = (event) => {
      const shown = chart.pictures.find((picture) => picture.svg.getBoundingClientRect().width > 0);
      go(nearest(steps, shown.step(event.clientX)));
    };
    plots.addEventListener("pointermove", point);
    plots.addEventListener("pointerdown", point);
    plots.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && document.activeElement !== plots) forget();
    });
    plots.addEventListener("focus", () => plots.matches(":focus-visible") && go(place));
    plots.addEventListener("blur", forget);
    plots.addEventListener("keydown", (event) => {
      const leap = Math.max(1, Math.round(last / 10));
      const moves = { ArrowLeft: place - 1, ArrowDown: place - 1, ArrowRight: place + 1, ArrowUp: place + 1, PageDown: place - leap,
                      PageUp: place + leap, Home: 0, End: last };
      if (event.key === "Escape") plots.blur();
      else if (event.key in moves) go(moves[event.key]);
      else return;
      event.preventDefault();
    });
  }

  // The map of heads at an earlier evaluation, by a slider.
  const map = document.getElementById("heads");
  const layers = charts.filter((chart) => chart.figure.id.startsWith("layer-"));
  if (map && layers.length && layers[0].steps.length > 1) {
    const steps = layers[0].steps, highest = Number(map.dataset.highest);
    const label = document.createElement("label"), slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: steps.length - 1, value: steps.length - 1, id: "evaluation" });
    label.append("evaluation", slider);
    map.parentElement.before(label);
    slider.addEventListener("input", () => {
      document.getElementById("entropy-step").textContent = stepText(steps[slider.value]);
      slider.setAttribute("aria-valuetext", stepText(steps[slider.value]));
      layers.forEach((chart, layer) => chart.data.series.forEach((series, head) => {
        const cell = map.rows[layer + 1].cells[head + 1], value = series.y[slider.value];
        cell.textContent = format(value, chart.data);
        cell.className = "e" + Math.max(0, Math.min(9, Math.floor((10 * (value ?? 0)) / (highest || 1))));
      }));
    });
  }
})();
