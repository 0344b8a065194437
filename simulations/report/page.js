"use strict";
(() => {
const root = document.documentElement, tip = document.getElementById("tip");
root.classList.add("js");

// The browser's own tooltip would cover ours: titles become labels.
for (const title of document.querySelectorAll("svg.area > title")) {
  const svg = title.parentNode;
  svg.setAttribute("aria-label", title.textContent);
  svg.setAttribute("aria-describedby", svg.getAttribute("aria-labelledby").split(" ")[1]);
  svg.removeAttribute("aria-labelledby");
  title.remove();
}

// Words

const pad = n => String(n).padStart(2, "0");
function moment(s) {
  if (s < 120) return s.toFixed(2) + " s";
  s = Math.round(10 * s) / 10;
  const d = Math.floor(s / 86400), h = Math.floor(s % 86400 / 3600), m = Math.floor(s % 3600 / 60);
  const rest = (s % 60).toFixed(1).padStart(4, "0");
  return (d ? d + " d " : "") + (d || h ? h + ":" + pad(m) : m) + ":" + rest;
}
function said(value, unit) {
  if (unit === "bytes/s") {
    let k = 0;
    while (value >= 1000 && k < 3) { value /= 1000; k++; }
    return value.toPrecision(3) * 1 + " " + ["B", "kB", "MB", "GB"][k] + "/s";
  }
  return value.toLocaleString("en") + unit;
}
function address(number, version) {
  const bits = version === "6" ? 16n : 8n, words = [];
  for (let place = version === "6" ? 8 : 4; place--;) {
    words.unshift(number & ((1n << bits) - 1n));
    number >>= bits;
  }
  if (version !== "6") return words.join(".");
  const text = words.map(word => word.toString(16)).join(":");
  const zeros = text.match(/\b0(:0)+\b/g);
  if (!zeros) return text;
  const longest = zeros.reduce((a, b) => b.length > a.length ? b : a);
  return text.replace(new RegExp("(^|:)" + longest + "(:|$)"), "::");
}

// What stands under the pointer

const readings = new Map();
function told(run, plot, seconds) {
  if (!readings.has(run)) {
    const source = run.querySelector("script.readings");
    readings.set(run, source ? JSON.parse(source.textContent) : {clocks: {}, plots: {}});
  }
  const document_ = readings.get(run), chart = document_.plots[plot];
  if (!chart) return [];
  const clock = document_.clocks[chart.clock];
  let low = 0, high = clock.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (clock[middle] <= seconds) low = middle + 1; else high = middle;
  }
  const place = Math.max(low - 1, 0);
  return chart.lines.map(([label, unit, values]) => label + ": " + said(values[place], unit));
}
function where(plot, box, event) {
  const {first, size, version, cells} = plot.dataset;
  if (!size) return [];
  const total = BigInt(size), count = BigInt(cells);
  const share = (event.clientY - box.top) / plot.querySelector(".shapes").getBoundingClientRect().height;
  const cell = BigInt(Math.min(Math.max(Math.floor(share * Number(cells)), 0), Number(cells) - 1));
  const from = BigInt(first) + total * cell / count, to = BigInt(first) + total * (cell + 1n) / count - 1n;
  return [address(from, version) + (to > from ? " to " + address(to, version) : "")];
}
function point(event) {
  const plot = event.target.closest(".plot"), told_ = event.target.dataset && event.target.dataset.t;
  if (!plot) return leave();
  const run = plot.closest(".run"), box = plot.querySelector(".area").getBoundingClientRect();
  const share = (event.clientX - box.left) / box.width;
  if (share < 0 || share > 1) return leave();
  const lines = [];
  if (plot.dataset.plot) {
    const seconds = share * plot.dataset.end;
    lines.push((plot.dataset.head ? plot.dataset.head + ", " : "") + moment(seconds));
    if (plot.dataset.plot === "ring") lines.push(...where(plot, box, event));
    lines.push(...told(run, plot.dataset.plot, seconds));
    cross(run, share);
  } else cross(run, -1);
  if (told_) lines.push(told_);
  lines.length ? show(lines.join("\n"), event) : leave();
}
function cross(run, share) {
  if (!run) return;
  for (const line of run.querySelectorAll(".cross")) {
    const timed = line.closest(".plot").dataset.plot && share >= 0;
    line.classList.toggle("on", Boolean(timed));
    if (timed) line.setAttribute("x1", 100 * share + "%"), line.setAttribute("x2", 100 * share + "%");
  }
}
function show(text, event) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const beside = (at, long, room) => Math.max(at + 14 + long > room ? at - 14 - long : at + 14, 4) + "px";
  tip.style.left = beside(event.clientX, box.width, innerWidth);
  tip.style.top = beside(event.clientY, box.height, innerHeight);
}
function leave() {
  if (tip.hidden) return;
  tip.hidden = true;
  for (const line of document.querySelectorAll(".cross.on")) line.classList.remove("on");
}
document.addEventListener("pointermove", point);
document.addEventListener("pointerdown", point);
document.addEventListener("scroll", leave, {passive: true});

// An owner that is pointed at stands out, in all rings of its run.

document.addEventListener("pointerover", event => {
  const entry = event.target.closest(".owners [data-owner]");
  for (const run of document.querySelectorAll(".run.dimmed")) run.classList.remove("dimmed");
  if (!entry) return;
  const run = entry.closest(".run");
  run.classList.add("dimmed");
  for (const path of run.querySelectorAll(".own")) {
    path.classList.toggle("lit", path.dataset.owner === entry.dataset.owner);
  }
});

// Copying

document.addEventListener("click", event => {
  const button = event.target.closest(".copy");
  if (!button) return;
  const code = button.parentNode.querySelector("code");
  getSelection().selectAllChildren(code);
  const name = text => { button.textContent = text; };
  const done = () => { name("Copied"); setTimeout(name, 1500, "Copy"); };
  if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, () => {});
  else if (document.execCommand("copy")) done();
});

// Choosing among runs

const runs = [...document.querySelectorAll(".summary ~ .run")];
function choose(scroll) {
  const wanted = runs.find(run => "#" + run.id === location.hash);
  const broken = runs.find(run => run.querySelector(".violations"));
  const run = wanted || broken || runs[0];
  if (!run) return;
  for (const other of runs) other.classList.toggle("shown", other === run);
  for (const row of document.querySelectorAll(".runs tbody tr")) {
    const link = row.querySelector("a");
    row.classList.toggle("chosen", Boolean(link) && link.hash === "#" + run.id);
  }
  if (scroll && wanted) run.scrollIntoView();
}
addEventListener("hashchange", () => choose(true));
choose(true);

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.tHead.addEventListener("click", event => {
    const head = event.target.closest("th");
    if (!head) return;
    const falling = head.getAttribute("aria-sort") === "ascending", place = head.cellIndex;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const key = row => row.cells[place].dataset.v ?? row.cells[place].textContent;
    const compare = (a, b) => isNaN(key(a)) || isNaN(key(b)) ? key(a).localeCompare(key(b)) : key(a) - key(b);
    body.append(...[...body.rows].sort((a, b) => falling ? compare(b, a) : compare(a, b)));
  });
  body.addEventListener("click", event => {
    const link = event.target.closest("tr")?.querySelector("a");
    if (link && event.target !== link) location.hash = link.hash;
  });
}
})();
