// Draws the charts of the overview. The same figures stand in a table below them.
"use strict";
(() => {
  const box = document.getElementById("charts");
  if (!box) return;
  const CHARTS = [
    ["Requests a minute", [["requests", "requests", 0]], ""],
    ["Pinned share, %", [["pinned_percent", "pinned", 1]], "%"],
    ["First request, ms", [["first_request_ms", "mean", 2]], " ms"],
    ["Errors and degraded, a minute", [["errors", "errors", 3], ["degraded", "degraded", 4]], ""],
    ["Cost, US$ a minute", [["cost_usd", "cost", 2]], " $"],
    ["Kept by caches, US$ a minute", [["kept_usd", "kept", 1]], " $"],
  ];
  const COLOURS = { light: ["#0b5cad", "#146c2e", "#8250df", "#b42318", "#9a6700"], dark: ["#6cb6ff", "#7ee08f", "#c297ff", "#ff9a90", "#f2c26b"] };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let plots = [];
  let figures = null;

  const shown = (value, unit) => (value == null ? "–" : Number(value.toPrecision(4)).toLocaleString() + unit);

  const clock = (at) => new Date(at * 1000).toISOString().slice(11, 16);

  function options(title, series, unit, width) {
    const colours = COLOURS[dark.matches ? "dark" : "light"];
    const style = getComputedStyle(document.documentElement);
    const line = { stroke: style.getPropertyValue("--line"), width: 1 };
    const axis = { stroke: style.getPropertyValue("--faint"), grid: line, ticks: line };
    return {
      title: "", width, height: 180, cursor: { sync: { key: "charts" } },
      scales: { y: { range: (_, low, high) => [Math.min(0, low || 0), Math.max(high || 0, unit === "%" ? 100 : 0.001)] } },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      axes: [{ ...axis, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 58 }],
      series: [{ label: "time", value: (_, at) => (at == null ? "–" : clock(at)) }, ...series.map(([, label, colour]) => ({
        label, stroke: colours[colour], width: 2, fill: colours[colour] + "22", spanGaps: false,
        points: { show: false }, value: (_, value) => shown(value, unit),
      }))],
    };
  }

  function draw() {
    plots.forEach((plot) => plot.destroy());
    plots = CHARTS.map(([title, series, unit], n) => {
      const place = box.children[n].querySelector(".chart");
      const data = [figures.at, ...series.map(([name]) => figures[name])];
      return new uPlot(options(title, series, unit, place.clientWidth || 320), data, place);
    });
  }

  async function look() {
    if (document.visibilityState !== "visible") return;
    const answer = await fetch("/admin/charts.json?span=" + box.dataset.span);
    if (!answer.ok) return;
    figures = await answer.json();
    if (plots.length) CHARTS.forEach(([, series], n) => plots[n].setData([figures.at, ...series.map(([name]) => figures[name])]));
    else draw();
  }

  box.innerHTML = "";
  CHARTS.forEach(([title]) => {
    const card = document.createElement("section");
    card.className = "card";
    const head = document.createElement("h2");
    head.textContent = title;
    const place = document.createElement("div");
    place.className = "chart";
    card.append(head, place);
    box.append(card);
  });
  dark.addEventListener("change", () => figures && draw());
  addEventListener("resize", () => figures && draw());
  look();
  setInterval(look, 5000);
})();
