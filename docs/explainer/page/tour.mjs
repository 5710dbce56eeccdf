// The guided tour: seven stops, each a state of the page and what to do and see in it.
import { $, make } from "./dom.mjs";
import { SETTINGS } from "./state.mjs";
import { tourEnglish } from "./tour-en.mjs";
import { tourKorean } from "./tour-ko.mjs";
import { say, spoken } from "./words.mjs";

const CALM = { ...SETTINGS, steps: 20 };
const LSTM = (bias) => ({ cell: "lstm", knobs: { "forget gate": bias } });
const RNN = { cell: "rnn", knobs: {} };

// What each stop shows; its words are in tour-en.mjs and tour-ko.mjs, in the same order.
const STOPS = [
  { settings: { ...CALM, steps: 6 }, level: "rolled", a: RNN, b: LSTM(3), code: false, t: 5 },
  { settings: { ...CALM, steps: 6 }, level: "gates", a: RNN, b: LSTM(3), code: false, t: 5 },
  { settings: { ...CALM, steps: 30 }, level: "gates", a: { cell: "rnn", knobs: { radius: 0.7 } }, b: LSTM(3), code: false, t: 29 },
  { settings: { ...CALM, steps: 30 }, level: "gates", a: RNN, b: LSTM(3), code: false, t: 15, look: ["b", "forget gate"] },
  { settings: { ...CALM, steps: 30 }, level: "gates", a: RNN, b: LSTM(3), code: false, t: 15, look: ["b", "c"] },
  { settings: CALM, level: "gates", a: RNN, b: LSTM(3), code: false, t: 19 },
  { settings: CALM, level: "gates", a: { cell: "gru", knobs: {} }, b: LSTM(3), code: true, t: 19 },
];

export class Tour {
  /** `apply(stop)` makes the page show a stop. */
  constructor(apply) {
    this.apply = apply;
    this.place = -1;
    $("tour-open").onclick = () => (this.place < 0 ? this.go(0) : this.end());
  }

  go(place) {
    this.place = place;
    this.show();
    this.apply(STOPS[place]);
    $("tour").scrollIntoView({ block: "nearest" });
  }

  end() {
    this.place = -1;
    this.show();
    $("tour-open").focus();
  }

  show() {
    const host = $("tour"), { place } = this;
    host.hidden = place < 0;
    $("tour-open").setAttribute("aria-expanded", String(place >= 0));
    if (place < 0) return;
    const { title, text, act, see } = (spoken() === "ko" ? tourKorean : tourEnglish)[place];
    const dots = STOPS.map((_, i) => make("button", { class: "stop", "aria-label": say("stopName", { n: i + 1 }), "aria-current": i === place ? "step" : null, onclick: () => this.go(i) }, String(i + 1)));
    host.replaceChildren(
      make("div", { class: "stops" }, ...dots),
      make("div", { class: "stop-text" }, make("h2", {}, title), make("p", {}, text), make("p", {}, make("b", {}, `${say("tourDo")} `), act), make("p", {}, make("b", {}, `${say("tourSee")} `), see)),
      make("div", { class: "stops" },
        make("button", { disabled: place === 0, onclick: () => this.go(place - 1) }, say("tourBack")),
        place < STOPS.length - 1
          ? make("button", { class: "primary", onclick: () => this.go(place + 1) }, say("tourNext"))
          : make("button", { class: "primary", onclick: () => this.end() }, say("tourLast")),
        make("button", { class: "end", onclick: () => this.end() }, say("tourEnd"))));
  }
}
