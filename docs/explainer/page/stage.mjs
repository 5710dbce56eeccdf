// The unrolled picture of a side: drawn by Python, with fields over it to click on.
import { draw, make, moving } from "./dom.mjs";
import { meaning } from "./words.mjs";

const look = new CSSStyleSheet();
const HITS = `
  svg { display: block; }
  .now { fill: var(--v-accent); fill-opacity: .07; stroke: var(--v-accent); stroke-opacity: .6; stroke-width: 1.5; }
  .way { fill: none; stroke: transparent; stroke-width: 13; cursor: pointer; }
  .way:hover, .way.chosen { stroke: var(--v-accent); stroke-opacity: .28; }
  .hit { fill: transparent; cursor: pointer; stroke: none; rx: 8px; }
  .hit:hover, .hit.chosen { stroke: var(--v-accent); stroke-width: 2; }
  .faded { opacity: .08; transition: opacity .2s; }
  g[data-f], g[data-b] { transition: opacity .2s; }
  @media (prefers-reduced-motion: reduce) { g[data-f], g[data-b], .faded { transition: none; } }`;
const sheet = fetch("picture.css").then((answer) => answer.text()).then((text) => look.replace(text + HITS));

const SMALLEST = { whole: 0.6, step: 0.8 }; // of its size, in which a picture can still be read

export class Stage {
  /** `onpick(box, step)`, `onedge(number, step)`, `onstep(step)`: what was chosen. */
  constructor(parent, { onpick, onedge, onstep }) {
    this.onpick = onpick;
    this.onedge = onedge;
    this.onstep = onstep;
    this.host = make("div", { class: "stage", tabindex: 0, role: "group" });
    this.root = this.host.attachShadow({ mode: "open" });
    this.root.adoptedStyleSheets = [look];
    this.svg = draw("svg", { role: "img" });
    this.root.append(this.svg);
    parent.append(this.host);
    this.host.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#fit()).observe(this.host);
  }

  async show(picture, t) {
    await sheet;
    this.picture = picture;
    const [, y, , height] = picture.view;
    this.svg.setAttribute("viewBox", picture.view.join(" "));
    this.svg.innerHTML = picture.svg; // made by Python from escaped text; the page's CSP runs no script in it
    this.svg.setAttribute("aria-label", picture.said);
    this.now = draw("rect", { class: "now", y: y + 6, height: height - 12, width: picture.width + 12, rx: 10 });
    this.svg.prepend(this.now);
    this.hits = [];
    this.#ways();
    for (const [number, box] of picture.boxes.entries()) {
      for (const step of Object.keys(box.nodes)) {
        const left = picture.places[step];
        if (left === undefined) continue;
        const choose = () => this.choose(box, Number(step)), what = meaning(box.label);
        const field = draw("rect", { class: "hit", x: left + box.x - 3, y: box.y - 3, width: box.w + 6, height: box.h + 6,
          onclick: choose }, draw("title", {}, `${box.label}, t = ${step}${what ? `\n${what}` : ""}`));
        this.svg.append(field);
        this.hits.push({ key: `box ${number}`, step: Number(step), field, choose });
      }
    }
    this.t = t;
    this.#fit();
  }

  /** Make all of it fit the width, as long as it can be read; else one step. */
  #fit() {
    if (!this.picture) return;
    const [, , width, height] = this.picture.view, { places } = this.picture;
    const rolled = Object.keys(places).length === 1; // then there is no step to be seen alone
    const whole = this.host.clientWidth / width, step = this.host.clientWidth / (this.picture.width + 20);
    this.zoom = Math.min(1, rolled || whole > SMALLEST.whole ? Math.max(whole, SMALLEST.whole) : Math.max(step, SMALLEST.step));
    this.svg.setAttribute("width", width * this.zoom);
    this.svg.setAttribute("height", height * this.zoom);
    this.at(this.t, false);
  }

  /** Fields over the edges; the boxes come on top of them. */
  #ways() {
    this.ways = [];
    this.picture.edges.forEach((edge, number) => {
      const d = edge.points.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join("");
      for (const step of edge.steps) {
        const key = `edge ${number}`, choose = () => {
          this.chosen = key;
          this.onedge(number, step);
        };
        const field = draw("path", { class: "way", d, transform: `translate(${this.picture.places[step]} 0)`, onclick: choose },
          draw("title", {}, edge.state ? `${edge.state}, t = ${step}` : `t = ${step}`));
        this.svg.append(field);
        this.ways.push({ key, state: edge.state, step, field, choose });
      }
    });
  }

  /** Mark a step, and bring it into sight. */
  at(t, smooth = true) {
    this.t = t;
    for (const { key, step, field } of this.picture ? [...this.ways, ...this.hits] : []) field.classList.toggle("chosen", key === this.chosen && step === t);
    const left = this.picture?.places[t];
    if (left === undefined) { this.now?.setAttribute("visibility", "hidden"); return; }
    this.now.removeAttribute("visibility");
    this.now.setAttribute("x", left - 6);
    const middle = (left + this.picture.width / 2 - this.picture.view[0]) * this.zoom;
    this.host.scrollTo({ left: middle - this.host.clientWidth / 2, behavior: smooth ? moving() : "instant" });
  }

  /** While playing: forward as far as `forward`, the gradient back to `backward`; all without. */
  reveal(forward, backward) {
    for (const group of this.svg.querySelectorAll("[data-f]"))
      group.classList.toggle("faded", forward !== undefined && Number(group.dataset.f) > forward);
    for (const group of this.svg.querySelectorAll("[data-b]"))
      group.classList.toggle("faded", backward !== undefined && Number(group.dataset.b) < backward);
  }

  choose(box, step) {
    this.chosen = `box ${this.picture.boxes.indexOf(box)}`;
    this.onpick(box, step);
  }

  /** What can be chosen at the step: its boxes, then the lines of its states. */
  #fields() {
    return [...this.hits, ...this.ways.filter(({ state }) => state)].filter(({ step }) => step === this.t);
  }

  #key(event) {
    const fields = this.picture ? this.#fields() : [], place = fields.findIndex(({ key }) => key === this.chosen);
    const choose = (n) => fields.at(n % fields.length)?.choose();
    if (event.key === "ArrowLeft") this.onstep(this.t - 1);
    else if (event.key === "ArrowRight") this.onstep(this.t + 1);
    else if (event.key === "ArrowDown") choose(place + 1);
    else if (event.key === "ArrowUp") choose(Math.max(place, 0) - 1);
    else return;
    event.preventDefault();
  }
}
