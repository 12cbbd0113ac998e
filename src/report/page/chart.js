// Charts of curves over steps, tokens or time.

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
    this.format = (v) => formats[spec.format](v, spec.digits);
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
    const { note, noted_series: noted } = this.spec;
    this.note.textContent = !noted || lines.some((line) => line.name === noted) ? note : "";
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
    this.drawLines(lines);
    this.overlay = svgElement("g", {}, this.svg);
  }

  // The curves, cut to the box of the axes.
  drawLines(lines) {
    const { box, px, py } = this, id = "clip" + legend.charts.indexOf(this.spec);
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
    const { box, d, px, py } = this, axis = axes[state.axis], isBytes = this.spec.format === "bytes";
    const unit = isBytes ? 1024 ** Math.max(0, Math.floor(Math.log2(d.y1) / 10)) : 1;
    const vertical = d.logarithmic ? logTicks(d.y0, d.y1) : ticks(d.y0 / unit, d.y1 / unit, 5).map((v) => v * unit);
    const label = isBytes ? bytes : this.spec.format === "percent" ? (v) => Math.round(100 * v) + " %" : si;
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
