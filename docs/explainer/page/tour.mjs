// The guided tour: eight stops, each a state of the page and what to do and see in it.
import { $, make, moving } from "./dom.mjs";
import { left, share } from "./side.mjs";
import { SETTINGS } from "./state.mjs";
import { tourEnglish } from "./tour-en.mjs";
import { tourKorean } from "./tour-ko.mjs";
import { filled, say, spoken } from "./words.mjs";

const CALM = { ...SETTINGS, steps: 20 };
const LSTM = (bias) => ({ cell: "lstm", knobs: { "forget gate": bias } });
const RNN = { cell: "rnn", knobs: {} };

// What each stop shows; its words are in tour-en.mjs and tour-ko.mjs, in the same order.
// What of the page is hidden meanwhile is in tour.css. `spot`: what the stop speaks of.
const STOPS = [
  { settings: { ...CALM, steps: 6 }, level: "rolled", a: RNN, b: LSTM(5), t: 5, spot: [".picture"] },
  { settings: { ...CALM, steps: 5 }, level: "modules", a: RNN, b: LSTM(5), t: 4, spot: ["#play"] },
  { settings: { ...CALM, steps: 30, seed: 21 }, level: "gates", a: { cell: "rnn", knobs: { radius: 0.7 } }, b: LSTM(5), t: 29, spot: [".charts figure:first-child", ".side:first-child .knobs"] },
  { settings: { ...CALM, steps: 30, seed: 76 }, level: "gates", a: RNN, b: LSTM(5), t: 15, look: ["b", "forget gate"], spot: [".side:last-child .detail"] },
  { settings: { ...CALM, steps: 30, seed: 76 }, level: "gates", a: RNN, b: LSTM(5), t: 29, spot: [".charts figure:first-child", ".side:last-child .knobs"], tries: { side: "b", state: "c" } },
  { settings: CALM, level: "gates", a: RNN, b: LSTM(3), t: 19, spot: ["#train", "#learning"] },
  { settings: { ...CALM, truncate: 5 }, level: "gates", a: RNN, b: LSTM(3), t: 15, spot: ["#setup", ".charts figure:first-child"] },
  { settings: CALM, level: "gates", a: { cell: "gru", knobs: {} }, b: LSTM(3), code: true, t: 19, look: ["a", "update gate"], spot: [".code"] },
];

export class Tour {
  /** `page`: visit(stop) shows a stop; kept() is what goBack(kept) shows again at the end. */
  constructor(page) {
    this.page = page;
    this.place = -1;
    $("tour-open").onclick = () => (this.place < 0 ? this.go(0) : this.end());
  }

  async go(place) {
    if (this.place < 0) this.before = this.page.kept(); // a promise
    this.place = place;
    this.tried = new Map(); // gates that are off: what is left of the gradient
    this.answered = null;
    this.show();
    $("tour").focus();
    $("tour").scrollTop = 0;
    await this.before;
    if (this.place !== place) return; // gone on meanwhile
    await this.page.visit(STOPS[place]);
    if (this.place === place) scrollTo({ top: 0, behavior: moving() });
  }

  async end() {
    this.place = -1;
    this.show();
    $("tour-open").focus();
    this.page.goBack(await this.before);
  }

  /** A side has a new picture: at a stop that tries things out, what came of it is written down. */
  found(name, side) {
    const { tries } = STOPS[this.place] ?? {};
    const norms = side.found.flow[tries?.state];
    if (name !== tries?.side || !norms || norms.length !== STOPS[this.place].settings.steps) return;
    this.tried.set(side.shut.join(" + "), share(left(norms)));
    this.show();
  }

  show() {
    const host = $("tour"), { place } = this;
    host.hidden = place < 0;
    $("tour-open").setAttribute("aria-expanded", String(place >= 0));
    if (place < 0) delete document.body.dataset.stop; else document.body.dataset.stop = place + 1;
    for (const element of document.querySelectorAll(".spot")) element.classList.remove("spot");
    if (place < 0) return;
    for (const element of document.querySelectorAll(STOPS[place].spot.join(","))) element.classList.add("spot");
    const { title, text, act, see, ask } = (spoken() === "ko" ? tourKorean : tourEnglish)[place];
    const dots = STOPS.map((_, i) => make("button", { class: "stop", "aria-label": say("stopName", { n: i + 1 }), "aria-current": i === place ? "step" : null, onclick: () => this.go(i) }, String(i + 1)));
    const focused = document.activeElement?.dataset.answer;
    host.replaceChildren(
      make("div", { class: "stops" }, ...dots),
      make("div", { class: "stop-text" }, make("h2", {}, title), make("p", {}, filled(text)),
        make("p", { class: "do" }, make("b", {}, say("tourDo")), " ", act),
        ...(this.tried.size ? [this.#table()] : []),
        ...(see ? [make("p", {}, make("b", {}, say("tourSee")), " ", see)] : []),
        ...(ask ? this.#question(ask) : [])),
      make("div", { class: "stops" },
        make("button", { disabled: place === 0, onclick: () => this.go(place - 1) }, say("tourBack")),
        place < STOPS.length - 1
          ? make("button", { class: "primary", onclick: () => this.go(place + 1) }, say("tourNext"))
          : make("button", { class: "primary", onclick: () => this.end() }, say("tourLast")),
        make("button", { class: "end", onclick: () => this.end() }, say("tourEnd"))));
    if (focused) host.querySelector(`[data-answer="${focused}"]`)?.focus();
  }

  #table() {
    const rows = [...this.tried].map(([off, what]) => make("tr", {},
      make("th", { scope: "row" }, off ? say("triedOff", { gates: off }) : say("triedOn")), make("td", {}, make("b", { class: "gradient" }, what))));
    return make("table", { class: "tried" }, make("thead", {}, make("tr", {},
      make("th", { scope: "col" }, say("triedGates")), make("th", { scope: "col" }, say("triedLeft")))), make("tbody", {}, ...rows));
  }

  #question({ question, answers }) {
    return [
      make("p", { class: "question" }, make("b", {}, question)),
      make("div", { class: "answers" }, ...answers.map(({ gate }, n) => make("button", { "data-answer": n + 1, "aria-pressed": String(this.answered === n),
        onclick: () => { this.answered = n; this.show(); } }, gate))),
      make("p", { class: "told", role: "status" }, this.answered === null ? "" : answers[this.answered].told),
    ];
  }
}
