// Bars of the planned memory, by owner; "program" is the program and its libraries.
const owners = [...legend.owners, "program"];
const bytesOf = (run, owner) => run.memory[owner === "program" ? "program_bytes" : owner];

function memoryStack(run, share) {
  const stack = html("div", { className: "stack" });
  owners.forEach((owner, i) => {
    const size = bytesOf(run, owner);
    if (!size) return;
    const part = html("i", { title: `${owner}: ${bytes(size)}` });
    part.style.cssText = `width:${share(size)};background:${color(i)}`;
    stack.append(part);
  });
  return stack;
}

function memoryTrack(run, share) {
  const track = html("div", { className: "track" }, memoryStack(run, share));
  const marker = (className, size, title) => {
    const line = html("div", { className, title: `${title}: ${bytes(size)}` });
    line.style.left = `min(${share(size)}, calc(100% - 2px))`;
    track.append(line);
  };
  if (run.memory.adamw_bytes) marker("adamw", run.memory.adamw_bytes + (run.memory.program_bytes || 0), "planned for adamw_torch");
  if (run.summary.peak_memory_bytes) marker("peak", run.summary.peak_memory_bytes, "measured peak");
  return track;
}

function drawMemoryKey(planned) {
  owners.forEach((owner, i) => {
    if (!planned.some((run) => bytesOf(run, owner))) return;
    const box = html("i", {});
    box.style.background = color(i);
    byId("memory-key").append(html("span", {}, box, owner));
  });
  byId("memory-key").append(html("span", { textContent: "| measured peak" }), html("span", { textContent: "\u2506 planned for adamw_torch" }));
}

function drawMemory() {
  const planned = runs.filter((run) => run.memory && run.memory.planned_bytes > 0);
  byId("memory").hidden = planned.length === 0;
  const total = (run) => run.memory.planned_bytes + (run.memory.program_bytes || 0);
  const widest = Math.max(...planned.map((run) => Math.max(total(run), run.summary.peak_memory_bytes || 0,
    (run.memory.adamw_bytes || 0) + (run.memory.program_bytes || 0))));
  const share = (v) => 100 * v / widest + "%";
  for (const run of planned) {
    const peak = run.summary.peak_memory_bytes ? `, measured ${bytes(run.summary.peak_memory_bytes)}` : "";
    byId("memory-bars").append(html("div", { className: "bar" }, html("div", { className: "name", textContent: run.name, title: run.path }),
      memoryTrack(run, share), html("div", { className: "total", textContent: `planned ${bytes(total(run))}${peak}` })));
  }
  drawMemoryKey(planned);
}
