// Ranks and captured energy of each matrix: a row a matrix, along the axis; a colour holds from one refresh to the next.
class HeatMap {
  constructor(run, kind, place) {
    Object.assign(this, { run, kind, names: Object.keys(run.subspace) });
    this.rowHeight = this.names.length > 60 ? 6 : 13;
    this.canvas = html("canvas", {});
    this.title = html("h3", {});
    place.append(html("div", { className: "heat" }, this.title, this.canvas));
    this.width = this.canvas.clientWidth || 800;
    this.left = this.rowHeight > 8 ? Math.min(300, this.width / 3) : 0;  // of the rows, behind their names
    this.range = state.zoom || wholeRange();
    this.canvas.addEventListener("pointerleave", leave);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
  }

  // A canvas with the pixels of the screen.
  pen() {
    const height = this.names.length * this.rowHeight, ratio = devicePixelRatio || 1;
    this.canvas.style.height = height + "px";
    this.canvas.width = this.width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif";
    return pen;
  }

  draw() {
    const pen = this.pen(), style = getComputedStyle(document.documentElement);
    const values = this.names.flatMap((name) => this.run.subspace[name][this.kind]).filter((v) => v !== null);
    const shownAs = (v) => this.kind === "ranks" ? String(v) : percent(v);
    const least = Math.min(...values), top = Math.max(...values);
    this.title.textContent = values.length === 0 ? `${this.run.name}: not logged`
      : `${this.run.name}: ${shownAs(least)} (dim) to ${shownAs(top)} (strong)`;
    const shade = (name) => style.getPropertyValue(name).split(",").map(Number);
    const low = shade("--heat-low"), high = shade("--heat-high"), bottom = this.kind === "ranks" ? 0 : least;
    const colorOf = (v) => {
      const share = top > bottom ? (v - bottom) / (top - bottom) : 1;
      return `rgb(${low.map((c, k) => Math.round(c + share * (high[k] - c))).join(",")})`;
    };
    this.names.forEach((name, row) => {
      this.drawRow(pen, name, row * this.rowHeight, colorOf);
      pen.fillStyle = style.getPropertyValue("--soft");
      if (this.left > 0) pen.fillText(name.replace(/^model\.layers\./, "").replace(/\.weight$/, ""), 0, row * this.rowHeight + 10);
    });
  }

  drawRow(pen, name, y, colorOf) {
    const { steps, [this.kind]: shown } = this.run.subspace[name], [x0, x1] = this.range;
    const px = (v) => this.left + Math.min(1, Math.max(0, (v - x0) / (x1 - x0))) * (this.width - this.left);
    const end = this.run.axes.step.at(-1) ?? 0;
    steps.forEach((step, i) => {
      if (shown[i] === null) return;
      const from = px(toAxis(this.run, step)), to = px(toAxis(this.run, i + 1 < steps.length ? steps[i + 1] : end));
      pen.fillStyle = colorOf(shown[i]);
      pen.fillRect(from, y, Math.max(0, to - from + 0.5), this.rowHeight - 1);
    });
  }

  point(event) {
    const place = this.canvas.getBoundingClientRect(), across = event.clientX - place.left - this.left;
    const name = this.names[Math.floor((event.clientY - place.top) / this.rowHeight)];
    if (!name || across < 0) return leave();
    const [x0, x1] = this.range, x = x0 + across / (this.width - this.left) * (x1 - x0), own = this.run.subspace[name];
    const i = Math.max(0, own.steps.findLastIndex((step) => toAxis(this.run, step) <= x));
    tell([html("div", { textContent: name }),
      html("div", { textContent: `step ${own.steps[i]}: rank ${own.ranks[i]}, captured ${percent(own.energy[i])}` })],
    event.clientX, event.clientY);
  }
}

function drawHeatMaps() {
  const kind = byId("heat").value, place = byId("heat-maps");
  place.replaceChildren();
  runs.forEach((run, index) => {
    if (Object.keys(run.subspace || {}).length === 0 || state.hidden.has(index)) return;
    byId("subspaces").hidden = false;
    new HeatMap(run, kind, place).draw();
  });
}
