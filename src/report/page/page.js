// The page: its charts, the legend, the tables and the controls.
const drawn = legend.charts.map((spec) => new Chart(spec));
const redraw = () => { drawn.forEach((chart) => chart.draw()); drawHeatMaps(); byId("reset").disabled = !state.zoom; };

function hover(x, own, left, top) {
  let points = [];
  for (const chart of drawn) {
    const found = chart.mark(x);
    if (chart === own) points = found;
  }
  const rows = points.map(({ line, i }) => {
    const raw = line.smooth ? ` (${own.format(line.raw[i])})` : "";
    return html("div", {}, swatch(line.index), html("span", { textContent: line.run.name }),
      html("b", { textContent: own.format(line.y[i]) + raw }));
  });
  tell([html("div", { textContent: `${axes[state.axis].title} ${axes[state.axis].format(x)}` }), ...rows], left, top);
}
function tell(rows, left, top) {
  const tip = byId("tip");
  tip.hidden = false;
  tip.replaceChildren(...rows);
  tip.style.left = Math.min(left + 14, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(top + 14, innerHeight - tip.offsetHeight - 8) + "px";
}
function leave() {
  byId("tip").hidden = true;
  for (const chart of drawn) if (chart.overlay) chart.overlay.replaceChildren();
}
function zoomTo(range) {
  state.zoom = range;
  redraw();
}

function drawLegend() {
  runs.forEach((run, index) => {
    const button = html("button", { type: "button", title: run.path }, swatch(index), run.name);
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      const hide = !state.hidden.delete(index);
      if (hide) state.hidden.add(index);
      button.setAttribute("aria-pressed", String(!hide));
      redraw();
    });
    byId("legend").append(button);
  });
}

function table(target, head, rows) {
  const cells = (row, tag) => row.map((text, i) => html(i === 0 ? "th" : tag, { textContent: text }));
  const body = html("tbody", {});
  for (const { row, differs } of rows) body.append(html("tr", { className: differs ? "differs" : "" }, ...cells(row, "td")));
  target.replaceChildren(html("thead", {}, html("tr", {}, ...head.map((text) => html("th", { textContent: text })))), body);
}

function drawSummary() {
  const rows = [
    ["updates", (s) => s.steps?.toLocaleString("en")], ["tokens", (s) => s.tokens && si(s.tokens)],
    ["time", (s) => s.seconds && duration(s.seconds)], ["last loss", (s) => s.last_loss?.toFixed(4)],
    ["best evaluation loss", (s) => s.best_eval_loss && `${s.best_eval_loss.toFixed(4)} (step ${s.best_eval_step})`],
    ["tokens per second", (s) => s.tokens_per_second && si(s.tokens_per_second)],
    ["peak memory", (s) => s.peak_memory_bytes && bytes(s.peak_memory_bytes)],
  ];
  table(byId("summary-table"), ["", ...runs.map((run) => run.name)],
    rows.map(([title, of]) => ({ row: [title, ...runs.map((run) => of(run.summary) || "\u2013")] })));
}

function drawConfiguration() {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.configuration)))];
  const only = byId("differences").checked, find = byId("find").value.toLowerCase();
  const rows = names.map((name) => {
    const values = runs.map((run) => run.configuration[name] ?? "");
    return { row: [name, ...values], differs: new Set(values).size > 1 };
  }).filter((r) => (!only || r.differs) && (r.differs || r.row.some((v, i) => i > 0 && v !== "")) &&
    r.row.some((v) => v.toLowerCase().includes(find)));
  table(byId("configuration-table"), ["option", ...runs.map((run) => run.name)], rows);
}

function remember(theme) {
  if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
  try { localStorage.setItem("galore-theme", theme); } catch { /* a page from a file may have no storage */ }
  byId("theme").value = theme;
  drawHeatMaps();
}

byId("axis").addEventListener("change", (event) => { state.axis = event.target.value; zoomTo(null); });
byId("smoothing").addEventListener("input", (event) => {
  state.smoothing = Number(event.target.value);
  byId("smoothing-value").textContent = state.smoothing.toFixed(2);
  redraw();
});
byId("log").addEventListener("change", (event) => { state.log = event.target.checked; redraw(); });
byId("reset").addEventListener("click", () => zoomTo(null));
byId("theme").addEventListener("change", (event) => remember(event.target.value));
byId("heat").addEventListener("change", drawHeatMaps);
byId("differences").addEventListener("change", drawConfiguration);
byId("find").addEventListener("input", drawConfiguration);
byId("differences").checked = runs.length > 1;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawHeatMaps);
new ResizeObserver(redraw).observe(byId("charts"));
drawLegend();
drawMemory();
drawSummary();
drawConfiguration();
redraw();
try { if (localStorage.getItem("galore-theme")) remember(localStorage.getItem("galore-theme")); } catch { /* as above */ }
