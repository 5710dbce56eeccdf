// One of the two sides: a cell's text, knobs, picture and numbers.
import { showEdge, showUnit } from "./detail.mjs";
import { $, brief, make, moving } from "./dom.mjs";
import { Editor } from "./editor.mjs";
import { isAmount, Numbers } from "./numbers.mjs";
import { Stage } from "./stage.mjs";
import { state } from "./state.mjs";
import { say, term } from "./words.mjs";

const PAUSE = 150; // ms without a key before an edit is run
const PEEK = 240; // px of what is told of a value that come into sight
const OFF = -6; // the bias of a gate that is shut: its sigmoid is 0.002

export class Side {
  /** `on`: onchange(name) for another text, onturn(name) for a knob, onstep(t), onpick(side, what, t, unit). */
  constructor(name, series, on) {
    this.name = name;
    this.on = on;
    this.found = null;
    this.before = {}; // what the knobs of gates were at that are switched off now
    const id = (part) => `${part}-${name}`;
    this.select = make("select", { id: id("cell"), onchange: () => this.start(this.select.value) });
    this.codeButton = make("button", { "aria-expanded": "false", "aria-controls": id("code"), onclick: () => this.toggleCode() });
    this.about = make("p", { class: "about soft" });
    this.run = make("button", { class: "primary", hidden: true, onclick: () => this.trust() });
    this.error = make("div", { class: "error", id: id("error"), role: "alert", hidden: true });
    this.code = make("div", { class: "code", id: id("code"), hidden: true });
    this.knobs = make("div", { class: "knobs" });
    this.said = make("p", { class: "said" });
    this.answer = make("p", { class: "answer" });
    this.picture = make("div", { class: "picture" });
    this.detail = make("div", { class: "detail", "aria-live": "polite" });
    this.heading = make("h2", { id: id("heading") });
    this.element = make("section", { class: "side", "aria-labelledby": id("heading"), style: `--series: var(--v-m${series})` },
      make("header", {}, make("span", { class: "badge", "aria-hidden": "true" }, name.toUpperCase()), this.heading, this.select, this.codeButton, this.run),
      this.about, this.error, this.code, this.knobs, this.said, this.picture, this.detail, this.answer);
    $("sides").append(this.element);
    this.editor = new Editor(this.code, "", (text) => this.#edited(text));
    this.stage = new Stage(this.picture, {
      onpick: (box, t) => { this.toShow = true; on.onpick(this, { label: box.label, node: box.nodes[t] }, t, state.unit); },
      onedge: (edge, t) => { this.toShow = true; on.onpick(this, { edge }, t, state.unit); },
      onstep: on.onstep,
    });
    this.numbers = new Numbers(this.element, (label, t, unit) => on.onpick(this, { label }, t, unit));
  }

  get own() { return state.sides[this.name]; }

  /** The words, in the language of the page. */
  words(cells) {
    this.heading.textContent = say("sideName", { name: this.name.toUpperCase() });
    this.codeButton.textContent = say("code");
    this.run.textContent = say("run");
    this.select.setAttribute("aria-label", say("startFrom"));
    this.editor.name(say("editorName", { name: this.name.toUpperCase() }));
    this.stage.host.setAttribute("aria-label", say("stageName"));
    const own = make("option", { value: "" }, say("ownCell"));
    this.select.replaceChildren(...Object.keys(cells).map((key) => make("option", { value: key }, say(`cell.${key}`))), own);
    this.#choose();
    if (this.found) this.show(this.found);
  }

  /** Show what the state has: a cell that comes along, with its knobs. */
  put() {
    this.before = {};
    this.own.text ||= this.on.cells[this.own.cell] ?? "";
    this.own.cell = this.#known(this.own.text);
    this.#keepMine();
    this.editor.text = this.own.text;
    this.#choose();
    this.run.hidden = !this.untrusted;
    if (this.untrusted) this.toggleCode(true); // it is to be read
  }

  /** Begin with one of the cells that come along, or go on with the reader's own. */
  start(cell) {
    if (cell) Object.assign(this.own, { cell, text: this.on.cells[cell], knobs: {} });
    else if (this.mine) Object.assign(this.own, { cell, ...this.mine, knobs: { ...this.mine.knobs } });
    else { this.toggleCode(true); this.select.value = this.own.cell; this.editor.view.focus(); return; } // to be written
    this.untrusted = false;
    this.put();
    this.on.onchange(this.name);
  }

  #edited(text) {
    Object.assign(this.own, { text, cell: this.#known(text) });
    this.#keepMine();
    this.#choose();
    clearTimeout(this.typing);
    if (!this.untrusted) this.typing = setTimeout(() => this.on.onchange(this.name), PAUSE);
  }

  /** Name the cell that is shown, and say what is special about it. */
  #choose() {
    this.select.value = this.own.cell;
    this.about.textContent = this.own.cell ? say(`about.cell.${this.own.cell}`) : "";
    this.about.hidden = !this.own.cell;
  }

  /** Which of the cells that come along has this text; "" for one of the reader's own. */
  #known(text) {
    return Object.entries(this.on.cells).find(([, known]) => known === text)?.[0] ?? "";
  }

  /** Remember the reader's own cell: another one may be chosen, or shown by the tour. */
  #keepMine() {
    if (this.own.text && !this.own.cell) this.mine = { text: this.own.text, knobs: this.own.knobs };
  }

  trust() {
    this.untrusted = false;
    this.run.hidden = true;
    this.on.onchange(this.name);
  }

  toggleCode(open = this.code.hidden) {
    this.code.hidden = !open;
    this.codeButton.setAttribute("aria-expanded", String(open));
  }

  fail(message, line) {
    this.error.hidden = false;
    this.error.textContent = (line ? `${say("line", { line })}: ` : "") + message;
    this.element.classList.add("stale");
    this.editor.blame(line, message);
    if (line) this.toggleCode(true);
  }

  async show(found) {
    this.found = found;
    this.error.hidden = !found.broken;
    this.error.textContent = found.broken ? say("broken", found.broken) : "";
    this.editor.blame(0);
    this.element.classList.remove("stale");
    this.#showKnobs(found);
    this.said.replaceChildren(say("left"), ...Object.entries(found.flow).flatMap(([name, norms], n) => [n ? " · " : " ", make("i", {}, name), ": ", make("b", { class: "gradient" }, share(left(norms)))]));
    this.answer.textContent = say("answered", { answer: found.answer, right: found.right, count: found.parameters });
    this.element.dataset.shown = found.name;
    const t = Math.min(state.t, found.labels.length - 1);
    this.numbers.show(found, t, state.unit, this.chosen?.label);
    await this.stage.show(found.picture, t);
  }

  at(t) {
    if (!this.found || t >= this.found.labels.length) return; // the picture of other settings, still
    this.stage.at(t);
    this.numbers.show(this.found, t, state.unit, this.chosen?.label);
  }

  /** What is told of the box or edge that was chosen last; Python is asked by `ask`. */
  async tell(ask) {
    const { chosen } = this, question = { side: this.name, step: state.t };
    if (!chosen || !this.found || state.t >= this.found.labels.length) { this.detail.replaceChildren(); return; }
    const found = chosen.edge !== undefined
      ? await ask({ what: "edge", edge: chosen.edge, ...question })
      : await ask({ what: "unit", unit: state.unit, ...question, ...(chosen.node !== undefined && chosen.t === state.t ? { node: chosen.node } : { name: chosen.label }) });
    if (chosen !== this.chosen) return; // another one was chosen meanwhile
    if (chosen.edge !== undefined) showEdge(this.detail, found, state.t);
    else showUnit(this.detail, found, chosen.label, state.t, state.unit, (unit) => this.on.onpick(this, chosen, state.t, unit));
    if (this.toShow) this.#bringIntoSight();
  }

  /** What was asked for by a click in the picture comes into sight below it, its first lines at least. */
  #bringIntoSight() {
    this.toShow = false;
    const { top, height } = this.detail.getBoundingClientRect(), end = document.querySelector(".time").getBoundingClientRect().top;
    const missing = top + Math.min(height, PEEK) - (end > 0 ? end : innerHeight);
    if (missing > 0) scrollBy({ top: missing, behavior: moving() });
  }

  #showKnobs(found) {
    const known = new Set([...this.knobs.children].map((child) => child.dataset.knob));
    const [first = [], ...rest] = Object.keys(found.knobs);
    const wanted = [first, ...(found.radius === null ? [] : ["radius"]), ...rest].flat();
    if (known.size !== wanted.length || wanted.some((knob) => !known.has(knob)))
      this.knobs.replaceChildren(...wanted.map((knob) => this.#knob(knob)));
    for (const label of this.knobs.children) {
      const knob = label.dataset.knob, input = label.querySelector("input");
      const value = this.#valueOf(knob);
      if (value < input.min) input.min = Math.floor(value); // training may take it further than the knob goes
      if (value > input.max) input.max = Math.ceil(value);
      input.value = value;
      if (knob === "radius") label.querySelector("span").replaceChildren(term("radius"));
      else label.querySelector("span").textContent = say("bias", { gate: knob });
      label.querySelector("output").textContent = brief(value);
      const off = label.querySelector("button");
      off.hidden = !isAmount(found.values[knob] ?? [[-1]]);
      off.textContent = say(value <= OFF ? "switchOn" : "switchOff");
      off.setAttribute("aria-pressed", String(value <= OFF));
      off.setAttribute("aria-label", `${knob}: ${say("switchOff")}`);
    }
  }

  /** What a knob is at: as the reader has just set it, else as it is in the network, which training changes. */
  #valueOf(knob) {
    const { found, own: { knobs } } = this;
    const seen = knob === "radius" ? found.radius : found.knobs[knob];
    return knobs[knob] === found.turned[knob] ? seen : knobs[knob] ?? seen;
  }

  /** The gates that the reader has shut. */
  get shut() { return Object.keys(this.found?.knobs ?? {}).filter((gate) => this.own.knobs[gate] <= OFF); }

  #knob(knob) {
    const [low, high] = knob === "radius" ? [0.05, 2] : [-6, 6];
    const input = make("input", { type: "range", min: low, max: high, step: knob === "radius" ? 0.05 : 0.25, oninput: () => {
      this.own.knobs[knob] = Number(input.value);
      row.querySelector("output").textContent = brief(Number(input.value));
      this.on.onturn(this.name);
    } });
    const off = make("button", { class: "off", onclick: () => {
      const value = this.#valueOf(knob), { knobs } = this.own;
      if (value > OFF) {
        this.before[knob] = knobs[knob];
        knobs[knob] = OFF;
      } else if (!(knob in this.before)) knobs[knob] = 3; // a slider has shut it, or a link
      else if (this.before[knob] === undefined) delete knobs[knob]; // then each unit has its own
      else knobs[knob] = this.before[knob];
      this.on.onturn(this.name);
    } });
    const row = make("div", { class: "knob" }, make("label", { class: "slide" }, make("span"), input, make("output")), off);
    row.dataset.knob = knob;
    return row;
  }
}

/** How much of a gradient is left at the first step, of what there was at the last one that has any. */
export const left = (norms) => norms[0] / norms.findLast((norm) => norm > 0);

/** A share of a whole, in words. */
export function share(value) {
  if (!(value > 0)) return "0";
  if (value > 1.05) return say("grown", { times: value < 10 ? value.toFixed(1) : value < 1e4 ? value.toFixed(0) : brief(value) });
  if (value < 1e-4) return brief(value);
  const percent = 100 * value;
  return `${percent < 1 ? percent.toPrecision(1) : percent.toFixed(percent < 10 ? 1 : 0).replace(/\.0$/, "")} %`;
}
