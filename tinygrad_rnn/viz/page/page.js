"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const stage = document.getElementById("stage"), info = document.getElementById("info");
const time = document.getElementById("time"), when = document.getElementById("when");
const search = document.getElementById("search"), found = document.getElementById("found");
const speed = document.getElementById("speed");
const NS = "http://www.w3.org/2000/svg";
let level = data.level, view = null, chosen = -1, hits = [], hit = -1, playing = null;

// A text in the reader's language, with values in its braces.
const say = (text, values = {}) => data.words[text].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const drawing = () => data.levels[level];
const svg = () => document.getElementById("svg-" + level);

// The boxes of all columns that are drawn, each with its place on the sheet.
function boxes() {
  const d = drawing();
  if (!d.all) {
    d.all = [];
    for (const box of d.boxes)
      for (const column of Object.keys(box.at).map(Number)) {
        const left = column in d.places ? d.places[column] : d.ends[column] ?? 0;
        d.all.push({ box, column, x: left + box.x, y: box.y, facts: box.at[column] });
      }
    d.all.sort((a, b) => a.x - b.x || a.y - b.y);
  }
  return d.all;
}

// Looking: `view` is the part of the sheet that is seen.
function setView(v) { view = v; svg().setAttribute("viewBox", `${v.x} ${v.y} ${v.w} ${v.h}`); }
function shown() {
  const size = stage.getBoundingClientRect(), scale = Math.max(view.w / size.width, view.h / size.height);
  return { scale, x: view.x + view.w / 2 - size.width * scale / 2, y: view.y + view.h / 2 - size.height * scale / 2 };
}
// A picture that would be too small to read as a whole is shown at full height, at its right end:
// there the loss is, and there the gradient begins.
function open() {
  const size = stage.getBoundingClientRect();
  if (drawing().view[2] > 1.4 * size.width || drawing().view[3] > 1.4 * size.height) actual(); else fit();
}
function fit() {
  const [x, y, w, h] = drawing().view, size = stage.getBoundingClientRect();
  const scale = Math.max(w / size.width, h / size.height);
  if (scale <= 2.2) { setView({ x, y, w, h }); return; } // smaller would be a thread
  const high = Math.max(h, 0.5 * size.height), wide = (high * size.width) / size.height;
  setView({ x: Math.max(x, x + w - wide), y: y + h / 2 - high / 2, w: wide, h: high });
}
function actual() {
  const [x, y, w, h] = drawing().view, size = stage.getBoundingClientRect();
  setView({
    x: w > size.width ? x + w - size.width : x + w / 2 - size.width / 2,
    y: h > size.height ? y : y + h / 2 - size.height / 2, w: size.width, h: size.height,
  });
}
function zoom(factor, at) {
  const c = at || { x: view.x + view.w / 2, y: view.y + view.h / 2 };
  if (view.w * factor < 60 || view.w * factor > drawing().view[2] * 20 + 4000) return;
  setView({ x: c.x - (c.x - view.x) * factor, y: c.y - (c.y - view.y) * factor, w: view.w * factor, h: view.h * factor });
}
function pan(dx, dy) { setView({ ...view, x: view.x + dx * view.w, y: view.y + dy * view.h }); }
function at(event) {
  const size = stage.getBoundingClientRect(), s = shown();
  return { x: s.x + (event.clientX - size.left) * s.scale, y: s.y + (event.clientY - size.top) * s.scale };
}

function setLevel(name) {
  if (!(name in data.levels)) return;
  level = name;
  for (const other of Object.keys(data.levels)) {
    document.getElementById("svg-" + other).toggleAttribute("hidden", other !== name);
    document.getElementById("level-" + other).setAttribute("aria-pressed", String(other === name));
  }
  chosen = -1;
  info.hidden = true;
  const d = drawing();
  time.max = 2 * d.columns.length;
  time.value = time.max;
  open(); setTime(); find();
}

// Time: first the steps forward, then the gradient back.
function setTime() {
  const columns = drawing().columns, n = columns.length, now = Number(time.value);
  const back = Math.max(now - n, 0);
  const column = (e) => columns.indexOf(Number(e.dataset.f ?? e.dataset.b));
  // What stands after the last step has the column -1: last forward, first backward.
  for (const e of svg().querySelectorAll("[data-f]")) e.classList.toggle("later", (column(e) < 0 ? n - 1 : column(e)) >= now);
  for (const e of svg().querySelectorAll("[data-b]")) e.classList.toggle("later", (column(e) < 0 ? 0 : n - 1 - column(e)) >= back);
  const step = (k) => data.steps[columns[k]];
  when.textContent = now === 0 ? say("before the first step") : now <= n && now < 2 * n && !back
    ? say("forward, t = {t}", { t: step(now - 1) })
    : now === 2 * n ? say("forward and backward") : say("backward, t = {t}", { t: step(n - back) });
}
// To another moment, with its step in sight.
function goTo(moment) {
  time.value = moment;
  setTime();
  const { columns, places, view: whole } = drawing(), n = columns.length, now = Number(time.value);
  const column = now > n ? columns[2 * n - now] : columns[Math.max(now - 1, 0)];
  const s = shown(), width = stage.getBoundingClientRect().width * s.scale, pitch = whole[2] / (n + 1);
  if (places[column] < s.x || places[column] + pitch > s.x + width) setView({ ...view, x: places[column] + pitch / 2 - view.w / 2 });
}
function play() {
  if (playing) { clearTimeout(playing); playing = null; return; }
  if (time.value === time.max) time.value = 0;
  const tick = () => {
    goTo(Number(time.value) + 1);
    playing = time.value === time.max ? null : setTimeout(tick, Number(speed.value));
  };
  playing = setTimeout(tick, Number(speed.value));
}

// Facts about a box.
function element(tag, text, parent) { const e = document.createElement(tag); e.textContent = text; parent.append(e); return e; }
function tell(item) {
  info.textContent = "";
  if (!item) { info.hidden = true; return; }
  const { box, facts, column } = item;
  element("h2", box.name ? `${box.name} (${box.op})` : box.op, info);
  const step = column >= 0 ? `, t = ${data.steps[column]}` : "";
  element("p", `${box.path || say("no module")}${step} · ${facts.dtype} ${facts.shape}` + (box.ops > 1 ? " · " + say("{count} ops", { count: box.ops }) : ""), info);
  if (box.about) element("p", box.about, info);
  for (const [name, [norm, gradient]] of Object.entries(facts.parameters ?? {}))
    element("p", `${name}: ${say("norm")} ${norm}` + (gradient === null ? "" : `, ${say("gradient of this use")} ${gradient}`), info);
  for (const what of ["value", "gradient"]) {
    const s = facts[what];
    if (!s) continue;
    const table = document.createElement("table");
    for (const key of ["is", "norm", "mean", "std", "min", "max", "bad"]) {
      if (!(key in s) || (key === "bad" && !s.bad)) continue;
      const row = table.insertRow();
      row.insertCell().textContent = key === "is" ? say(what) : `${say(what)} ${say(key === "bad" ? "not finite" : key)}`;
      row.insertCell().textContent = String(s[key]);
    }
    info.append(table);
    if (s.bins) {
      const hist = document.createElement("div"), most = Math.max(...s.bins);
      hist.className = "hist " + what;
      for (const n of s.bins) { const bar = document.createElement("i"); bar.style.height = `${100 * n / most}%`; hist.append(bar); }
      info.append(hist);
    }
  }
  info.hidden = false;
}
function mark(kind, items) {
  for (const old of svg().querySelectorAll("." + kind)) old.remove();
  for (const { x, y, box } of items) {
    const r = document.createElementNS(NS, "rect");
    for (const [key, value] of Object.entries({ class: kind, x: x - 4, y: y - 4, width: box.w + 8, height: box.h + 8, rx: 8 })) r.setAttribute(key, value);
    svg().append(r);
  }
}
function choose(k) {
  const all = boxes();
  if (!all.length) return;
  chosen = (k + all.length) % all.length;
  const item = all[chosen];
  mark("chosen", [item]); tell(item); bring(item);
}
function bring(item) {
  const s = shown(), size = stage.getBoundingClientRect();
  const inside = item.x > s.x && item.x < s.x + size.width * s.scale && item.y > s.y && item.y < s.y + size.height * s.scale;
  if (!inside) setView({ ...view, x: item.x - view.w / 2, y: item.y - view.h / 2 });
}
function find() {
  const words = search.value.trim().toLowerCase();
  hits = !words ? [] : boxes().filter(({ box }) => [box.label, box.op, box.name, box.path, ...box.parameters].some((t) => t.toLowerCase().includes(words)));
  hit = -1;
  mark("hit", hits);
  found.textContent = words ? say("{count} found", { count: hits.length }) : "";
}
function nextHit() { if (hits.length) { hit = (hit + 1) % hits.length; bring(hits[hit]); tell(hits[hit]); } }

// Events
let drag = null;
stage.addEventListener("pointerdown", (e) => { drag = { x: e.clientX, y: e.clientY }; stage.setPointerCapture(e.pointerId); stage.classList.add("drag"); });
stage.addEventListener("pointerup", () => { drag = null; stage.classList.remove("drag"); });
stage.addEventListener("pointermove", (e) => {
  if (drag) {
    const s = shown().scale;
    setView({ ...view, x: view.x - (e.clientX - drag.x) * s, y: view.y - (e.clientY - drag.y) * s });
    drag = { x: e.clientX, y: e.clientY };
    return;
  }
  const p = at(e);
  tell(boxes().find(({ x, y, box }) => p.x >= x && p.x <= x + box.w && p.y >= y && p.y <= y + box.h));
});
stage.addEventListener("wheel", (e) => { e.preventDefault(); zoom(Math.exp(e.deltaY * 0.0015), at(e)); }, { passive: false });
time.addEventListener("input", () => goTo(time.value));
search.addEventListener("input", find);
search.addEventListener("keydown", (e) => { if (e.key === "Enter") nextHit(); if (e.key === "Escape") { search.value = ""; find(); stage.focus(); } });
for (const name of Object.keys(data.levels)) document.getElementById("level-" + name).addEventListener("click", () => setLevel(name));
document.getElementById("play").addEventListener("click", play);
document.getElementById("fit").addEventListener("click", fit);
document.getElementById("actual").addEventListener("click", actual);
const keys = {
  "+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25), f: fit, 0: actual, d: theme, " ": play,
  ArrowLeft: () => pan(-0.1, 0), ArrowRight: () => pan(0.1, 0), ArrowUp: () => pan(0, -0.1), ArrowDown: () => pan(0, 0.1),
  ",": () => goTo(Number(time.value) - 1), ".": () => goTo(Number(time.value) + 1),
  n: () => choose(chosen + 1), p: () => choose(chosen - 1), "/": () => search.focus(),
  Escape: () => { chosen = -1; mark("chosen", []); tell(null); },
};
document.addEventListener("keydown", (e) => {
  if (e.target === search || e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.target === time && e.key.startsWith("Arrow")) return;
  if (e.target.tagName === "BUTTON" && e.key === " ") return;
  const numbered = Object.keys(data.levels)[Number(e.key) - 1];
  if (numbered) setLevel(numbered);
  else if (keys[e.key]) keys[e.key]();
  else return;
  e.preventDefault();
});
setLevel(level);
