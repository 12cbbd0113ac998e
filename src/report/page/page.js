"use strict";
// Charts of runs: plain SVG, redrawn whole; a few thousand points a curve are drawn in milliseconds.
const runs = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const state = { axis: "step", smoothing: 0.6, log: false, zoom: null, hidden: new Set() };

const si = (v) => {
  if (v === 0) return "0";
  const a = Math.abs(v);
  if (a < 1e-3) return v.toExponential(a < 1e-99 ? 0 : 1).replace("e-0", "e-");
  for (const [size, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e4, "K"]])
    if (a >= size) return trim(v / (unit === "K" ? 1e3 : size)) + unit;
  return trim(v);
};
const trim = (v) => String(Number(v.toPrecision(4)));
const bytes = (v) => {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.abs(v) || 1) / 10)));
  return trim(v / 1024 ** power) + " " + ["B", "KiB", "MiB", "GiB", "TiB"][power];
};
const duration = (s) => {
  const t = Math.round(s), two = (n) => String(n).padStart(2, "0");
  return t >= 3600 ? `${Math.floor(t / 3600)}:${two(Math.floor(t / 60) % 60)}:${two(t % 60)}`
    : `${two(Math.floor(t / 60))}:${two(t % 60)}`;
};
const percent = (v) => v === null ? "\u2013" : (100 * v).toFixed(1) + " %";
const axes = {
  step: { title: "step", format: (v) => Math.round(v).toLocaleString("en"), tick: si },
  tokens: { title: "tokens", format: si, tick: si },
  seconds: { title: "time in the run", format: duration, tick: duration },
};
// Series that share a chart are drawn with one colour a run; `dots`: few points, marked.
const charts = [
  { title: "Training loss", series: ["loss"], smooth: true, log: true, format: (v) => v.toFixed(4) },
  { title: "Evaluation loss", series: ["eval_loss"], dots: true, log: true, format: (v) => v.toFixed(4) },
  { title: "Perplexity", series: ["perplexity"], dots: true, log: true, format: trim },
  { title: "Gradient norm", series: ["grad_norm", "grad_norm_projected"], smooth: true, log: true, format: trim,
    note: (names) => names.includes("grad_norm_projected") ? "inside the subspaces where it is projected" : "" },
  { title: "Learning rate", series: ["learning_rate"], format: (v) => v.toExponential(3) },
  { title: "Tokens per second", series: ["tokens_per_second"], smooth: true, format: si },
  { title: "Memory in use", series: ["memory_bytes"], format: bytes, bytes: true },
  { title: "Mean rank", series: ["mean_rank"], format: trim },
  { title: "Captured energy", series: ["captured_energy"], format: percent,
    note: () => "share of the gradients' squared norm, mean of the matrices" },
];

const color = (i) => `var(--c${i % 8})`;
const dash = (i) => ["", "6 3", "2 3"][Math.floor(i / 8) % 3];
const svgElement = (name, attributes, parent) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (parent) parent.append(element);
  return element;
};
const html = (name, properties, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const swatch = (i) => {
  const svg = svgElement("svg", { width: 22, height: 8, "aria-hidden": true });
  svgElement("line", { x1: 0, x2: 22, y1: 4, y2: 4, stroke: color(i), "stroke-width": 3, "stroke-dasharray": dash(i) }, svg);
  return svg;
};

// Steps into units of the axis, between the logged steps by straight lines.
function toAxis(run, step) {
  if (state.axis === "step") return step;
  const from = run.axes.step, to = run.axes[state.axis];
  if (!to || !to.length) return null;
  let low = 0, high = from.length - 1;
  if (step <= from[0]) return from[0] > 0 ? to[0] * step / from[0] : to[0];
  if (step >= from[high]) return to[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle] <= step) low = middle; else high = middle;
  }
  return to[low] + (to[high] - to[low]) * (step - from[low]) / (from[high] - from[low]);
}

// From the beginning to the end of the longest run: one range for all charts.
function wholeRange() {
  const ends = runs.filter((run, i) => !state.hidden.has(i)).map((run) => toAxis(run, run.axes.step.at(-1) ?? run.summary.steps ?? 0));
  return [0, Math.max(...ends.filter((v) => v !== null), 0)];
}

// An exponential average without the pull of its start.
function smoothed(values, weight) {
  let sum = 0, norm = 0;
  return values.map((v) => {
    if (v === null) return null;
    sum = weight * sum + (1 - weight) * v;
    norm = weight * norm + 1 - weight;
    return sum / norm;
  });
}

function ticks(low, high, count) {
  const raw = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= raw * 0.999);
  const found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) found.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return found;
}
function timeTicks(low, high, count) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  const step = steps.find((s) => (high - low) / s <= count) || Math.ceil((high - low) / count / 86400) * 86400;
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) found.push(v);
  return found;
}
function logTicks(low, high) {
  const found = [];
  for (let p = Math.floor(Math.log10(low)); 10 ** p <= high; ++p)
    for (const f of high / low > 1e3 ? [1] : [1, 2, 5]) if (f * 10 ** p >= low && f * 10 ** p <= high) found.push(f * 10 ** p);
  return found.length > 2 ? found : ticks(low, high, 5);
}

class Chart {
  constructor(spec) {
    this.spec = spec;
    this.note = html("small", {});
    this.svg = svgElement("svg", { role: "img", tabindex: 0, "aria-label": spec.title });
    this.card = html("div", { className: "card" }, html("h3", {}, spec.title + " ", this.note), this.svg);
    byId("charts").append(this.card);
    this.listen();
  }

  // What is drawn: per run and series its points in units of the axis.
  lines() {
    const found = [];
    runs.forEach((run, index) => {
      for (const name of this.spec.series) {
        const series = run.series[name];
        if (!series || state.hidden.has(index)) continue;
        const x = series.x.map((step) => toAxis(run, step));
        if (x[0] === null) continue;
        const smooth = this.spec.smooth && state.smoothing > 0;
        found.push({ run, index, name, x, steps: series.x, raw: series.y, y: smooth ? smoothed(series.y, state.smoothing) : series.y, smooth });
      }
    });
    return found;
  }

  domain(lines) {
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    [x0, x1] = state.zoom || wholeRange();
    for (const line of lines)
      line.y.forEach((v, i) => {
        if (v === null || line.x[i] < x0 || line.x[i] > x1) return;
        y0 = Math.min(y0, v);
        y1 = Math.max(y1, v);
      });
    if (!(x1 > x0)) [x0, x1] = [x0 - 0.5, x0 + 0.5];
    if (!isFinite(y0)) [y0, y1] = [0, 1];
    const logarithmic = state.log && this.spec.log && y0 > 0;
    if (logarithmic) [y0, y1] = [y0 / 1.03, y1 * 1.03];
    else {
      const span = y1 - y0 || Math.abs(y1) || 1;
      y0 = y0 >= 0 && y0 < 0.35 * y1 ? 0 : y0 - 0.06 * span;
      y1 += 0.06 * span;
    }
    return { x0, x1, y0, y1, logarithmic };
  }

  draw() {
    const has = runs.some((run) => this.spec.series.some((name) => run.series[name]));
    this.card.hidden = !has;
    if (!has) return;
    const lines = this.lines();
    this.note.textContent = this.spec.note ? this.spec.note(lines.map((line) => line.name)) : "";
    const width = this.svg.clientWidth || 430, height = 240;
    const box = { left: 62, right: width - 12, top: 10, bottom: height - 34 };
    const d = this.domain(lines);
    const f = d.logarithmic ? Math.log : (v) => v;
    const px = (v) => box.left + (v - d.x0) / (d.x1 - d.x0) * (box.right - box.left);
    const py = (v) => box.bottom - (f(v) - f(d.y0)) / (f(d.y1) - f(d.y0)) * (box.bottom - box.top);
    Object.assign(this, { shown: lines, box, d, px, py });
    this.svg.replaceChildren();
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawAxes(width, height);
    const id = "clip" + charts.indexOf(this.spec);
    const clip = svgElement("clipPath", { id }, this.svg);
    svgElement("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }, clip);
    const area = svgElement("g", { "clip-path": `url(#${id})` }, this.svg);
    for (const line of lines) {
      const style = { style: `stroke:${color(line.index)}`, "stroke-dasharray": dash(line.index) };
      if (line.smooth) svgElement("path", { class: "raw", d: this.path(line.x, line.raw), ...style }, area);
      svgElement("path", { class: "curve", d: this.path(line.x, line.y), ...style }, area);
      if (this.spec.dots && line.x.length < 60)
        line.x.forEach((x, i) => line.y[i] !== null &&
          svgElement("circle", { cx: px(x), cy: py(line.y[i]), r: 2.6, style: `fill:${color(line.index)}` }, area));
    }
    this.overlay = svgElement("g", {}, this.svg);
  }

  path(x, y) {
    let text = "", pen = "M";
    for (let i = 0; i < x.length; ++i) {
      if (y[i] === null || (this.d.logarithmic && y[i] <= 0)) { pen = "M"; continue; }
      text += pen + this.px(x[i]).toFixed(1) + " " + this.py(y[i]).toFixed(1);
      pen = "L";
    }
    return text;
  }

  drawAxes(width, height) {
    const { box, d, px, py } = this, axis = axes[state.axis];
    const unit = this.spec.bytes ? 1024 ** Math.max(0, Math.floor(Math.log2(d.y1) / 10)) : 1;
    const vertical = d.logarithmic ? logTicks(d.y0, d.y1) : ticks(d.y0 / unit, d.y1 / unit, 5).map((v) => v * unit);
    const label = this.spec.bytes ? bytes : this.spec.series[0] === "captured_energy" ? (v) => Math.round(100 * v) + " %" : si;
    for (const v of vertical) {
      svgElement("line", { class: "grid", x1: box.left, x2: box.right, y1: py(v), y2: py(v) }, this.svg);
      svgElement("text", { x: box.left - 6, y: py(v) + 4, "text-anchor": "end" }, this.svg).textContent = label(v);
    }
    const horizontal = (state.axis === "seconds" ? timeTicks : ticks)(d.x0, d.x1, Math.max(2, Math.floor(width / 90)));
    for (const v of horizontal) {
      svgElement("line", { class: "grid", x1: px(v), x2: px(v), y1: box.top, y2: box.bottom }, this.svg);
      svgElement("text", { x: px(v), y: box.bottom + 15, "text-anchor": "middle" }, this.svg).textContent = axis.tick(v);
    }
    svgElement("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }, this.svg);
    svgElement("text", { x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle" }, this.svg).textContent = axis.title;
  }

  valueAt(x) { return this.d.x0 + (x - this.box.left) / (this.box.right - this.box.left) * (this.d.x1 - this.d.x0); }

  listen() {
    let start = null;
    const at = (event) => {
      const x = event.clientX - this.svg.getBoundingClientRect().left;
      return this.valueAt(Math.min(this.box.right, Math.max(this.box.left, x)));
    };
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      start = at(event);
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!this.box) return;
      hover(at(event), this, event.clientX, event.clientY);
      if (start !== null) this.brush(start, at(event));
    });
    this.svg.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const range = [start, at(event)].sort((a, b) => a - b);
      start = null;
      if (this.px(range[1]) - this.px(range[0]) > 5) zoomTo(range);
    });
    this.svg.addEventListener("pointercancel", () => { start = null; });
    this.svg.addEventListener("pointerleave", leave);
    this.svg.addEventListener("blur", leave);
    this.svg.addEventListener("dblclick", () => zoomTo(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  // With the keyboard the hair goes from left to right; Escape shows all again.
  key(event) {
    if (event.key === "Escape") return zoomTo(null);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.d) return;
    event.preventDefault();
    const width = (this.d.x1 - this.d.x0) / 100;
    this.cursor = Math.min(this.d.x1, Math.max(this.d.x0, (this.cursor ?? this.d.x0) + step * width));
    const place = this.svg.getBoundingClientRect();
    hover(this.cursor, this, place.left + this.px(this.cursor), place.top + 60);
  }

  brush(from, to) {
    const [a, b] = [this.px(from), this.px(to)].sort((p, q) => p - q);
    svgElement("rect", { class: "brush", x: a, y: this.box.top, width: b - a, height: this.box.bottom - this.box.top }, this.overlay);
  }

  // The hair, and the point of each curve that is nearest to it.
  mark(x) {
    if (!this.overlay || this.card.hidden) return [];
    this.overlay.replaceChildren();
    if (x < this.d.x0 || x > this.d.x1) return [];
    svgElement("line", { class: "hair", x1: this.px(x), x2: this.px(x), y1: this.box.top, y2: this.box.bottom }, this.overlay);
    const points = [];
    for (const line of this.shown) {
      const i = nearest(line.x, x);
      if (line.y[i] === null) continue;
      points.push({ line, i });
      if (this.py(line.y[i]) >= this.box.top - 1 && this.py(line.y[i]) <= this.box.bottom + 1)
        svgElement("circle", { cx: this.px(line.x[i]), cy: this.py(line.y[i]), r: 3.5, style: `fill:${color(line.index)}` }, this.overlay);
    }
    return points;
  }
}

function nearest(sorted, x) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= x) low = middle; else high = middle;
  }
  return Math.abs(sorted[low] - x) <= Math.abs(sorted[high] - x) ? low : high;
}

const drawn = charts.map((spec) => new Chart(spec));
const redraw = () => { drawn.forEach((chart) => chart.draw()); drawHeatMaps(); byId("reset").disabled = !state.zoom; };

function hover(x, own, left, top) {
  let points = [];
  for (const chart of drawn) {
    const found = chart.mark(x);
    if (chart === own) points = found;
  }
  const rows = points.map(({ line, i }) => {
    const raw = line.smooth ? ` (${own.spec.format(line.raw[i])})` : "";
    return html("div", {}, swatch(line.index), html("span", { textContent: line.run.name }),
      html("b", { textContent: own.spec.format(line.y[i]) + raw }));
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

const owners = ["weights", "master weights", "gradients", "moments", "bases", "activations", "workspace"];
function drawMemory() {
  const planned = runs.filter((run) => run.memory && run.memory.planned_bytes > 0);
  byId("memory").hidden = planned.length === 0;
  const total = (run) => run.memory.planned_bytes + (run.memory.program_bytes || 0);
  const widest = Math.max(...planned.map((run) => Math.max(total(run), run.summary.peak_memory_bytes || 0,
    (run.memory.adamw_bytes || 0) + (run.memory.program_bytes || 0))));
  const share = (v) => 100 * v / widest + "%";
  for (const run of planned) {
    const stack = html("div", { className: "stack" });
    [...owners, "program"].forEach((owner, i) => {
      const size = owner === "program" ? run.memory.program_bytes : run.memory[owner];
      if (!size) return;
      const part = html("i", { title: `${owner}: ${bytes(size)}` });
      part.style.cssText = `width:${share(size)};background:${color(i)}`;
      stack.append(part);
    });
    const track = html("div", { className: "track" }, stack);
    const marker = (className, size, title) => {
      const line = html("div", { className, title: `${title}: ${bytes(size)}` });
      line.style.left = `min(${share(size)}, calc(100% - 2px))`;
      track.append(line);
    };
    if (run.memory.adamw_bytes) marker("adamw", run.memory.adamw_bytes + (run.memory.program_bytes || 0), "planned for adamw_torch");
    if (run.summary.peak_memory_bytes) marker("peak", run.summary.peak_memory_bytes, "measured peak");
    const peak = run.summary.peak_memory_bytes ? `, measured ${bytes(run.summary.peak_memory_bytes)}` : "";
    byId("memory-bars").append(html("div", { className: "bar" }, html("div", { className: "name", textContent: run.name, title: run.path }),
      track, html("div", { className: "total", textContent: `planned ${bytes(total(run))}${peak}` })));
  }
  [...owners, "program"].forEach((owner, i) => {
    if (!planned.some((run) => run.memory[owner === "program" ? "program_bytes" : owner])) return;
    const box = html("i", {});
    box.style.background = color(i);
    byId("memory-key").append(html("span", {}, box, owner));
  });
  byId("memory-key").append(html("span", { textContent: "| measured peak" }), html("span", { textContent: "\u2506 planned for adamw_torch" }));
}

// A row a matrix, along the axis; a colour holds from one refresh to the next.
function drawHeatMaps() {
  const kind = byId("heat").value, place = byId("heat-maps");
  place.replaceChildren();
  runs.forEach((run, index) => {
    const names = Object.keys(run.subspace || {});
    if (names.length === 0 || state.hidden.has(index)) return;
    byId("subspaces").hidden = false;
    const rowHeight = names.length > 60 ? 6 : 13, canvas = html("canvas", {}), title = html("h3", {});
    place.append(html("div", { className: "heat" }, title, canvas));
    const width = canvas.clientWidth || 800, ratio = devicePixelRatio || 1;
    canvas.style.height = names.length * rowHeight + "px";
    canvas.width = width * ratio;
    canvas.height = names.length * rowHeight * ratio;
    const pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    pen.scale(ratio, ratio);
    const shade = (name) => style.getPropertyValue(name).split(",").map(Number);
    const low = shade("--heat-low"), high = shade("--heat-high");
    const values = names.flatMap((name) => run.subspace[name][kind]).filter((v) => v !== null);
    const bottom = kind === "ranks" ? 0 : Math.min(...values), top = Math.max(...values);
    const shownAs = (v) => kind === "ranks" ? String(v) : percent(v);
    title.textContent = values.length === 0 ? `${run.name}: not logged`
      : `${run.name}: ${shownAs(Math.min(...values))} (dim) to ${shownAs(top)} (strong)`;
    const left = rowHeight > 8 ? Math.min(300, width / 3) : 0;
    const last = toAxis(run, run.axes.step.at(-1) ?? 0), [x0, x1] = state.zoom || wholeRange();
    const px = (v) => left + Math.min(1, Math.max(0, (v - x0) / (x1 - x0))) * (width - left);
    pen.font = "11px system-ui, sans-serif";
    names.forEach((name, row) => {
      const { steps: at, [kind]: shown } = run.subspace[name];
      at.forEach((step, i) => {
        if (shown[i] === null) return;
        const from = px(toAxis(run, step)), to = px(i + 1 < at.length ? toAxis(run, at[i + 1]) : last);
        const share = top > bottom ? (shown[i] - bottom) / (top - bottom) : 1;
        pen.fillStyle = `rgb(${low.map((c, k) => Math.round(c + share * (high[k] - c))).join(",")})`;
        pen.fillRect(from, row * rowHeight, Math.max(0, to - from + 0.5), rowHeight - 1);
      });
      pen.fillStyle = style.getPropertyValue("--soft");
      if (left > 0) pen.fillText(name.replace(/^model\.layers\./, "").replace(/\.weight$/, ""), 0, row * rowHeight + 10);
    });
    canvas.addEventListener("pointerleave", leave);
    canvas.addEventListener("pointermove", (event) => {
      const place = canvas.getBoundingClientRect(), name = names[Math.floor((event.clientY - place.top) / rowHeight)];
      if (!name || event.clientX - place.left < left) return leave();
      const x = x0 + (event.clientX - place.left - left) / (width - left) * (x1 - x0), own = run.subspace[name];
      const i = Math.max(0, own.steps.findLastIndex((step) => toAxis(run, step) <= x));
      tell([html("div", { textContent: name }), html("div", { textContent: `step ${own.steps[i]}: rank ${own.ranks[i]}, captured ${percent(own.energy[i])}` })],
        event.clientX, event.clientY);
    });
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
