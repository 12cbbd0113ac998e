"use strict";
// Charts of runs: plain SVG, redrawn whole; a few thousand points a curve are drawn in milliseconds.
const byId = (id) => document.getElementById(id);
const runs = JSON.parse(byId("data").textContent);
// The charts that there are (report/charts.h) and the owners of memory.
const legend = JSON.parse(byId("legend-data").textContent);
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
// By the names that a chart's `format` may have.
const formats = {
  fixed: (v, digits) => v.toFixed(digits),
  plain: trim,
  exponent: (v) => v.toExponential(3),
  short: si,
  bytes,
  percent,
};

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
