// All that has a name in a cell, over time: units by steps, in colour; a step and a unit chosen.
import { brief, draw, make } from "./dom.mjs";
import { say, term } from "./words.mjs";

const TONES = 11, CELL = 12;

/** Whether values are amounts from 0 to 1, as those of gates. */
export const isAmount = (values) => values.every((row) => row.every((v) => v >= 0 && v <= 1));

function tone(value, amount, most) {
  if (typeof value !== "number") return "bad";
  const place = amount ? value : (value / most + 1) / 2;
  return `${amount ? "a" : "d"}${Math.round(Math.min(Math.max(place, 0), 1) * (TONES - 1))}`;
}

export class Numbers {
  /** `onpick(name, t, unit)` */
  constructor(parent, onpick) {
    this.onpick = onpick;
    this.host = make("div", { class: "numbers" });
    parent.append(this.host);
  }

  /** `found` as Python answers; `t` and `unit` are marked. */
  show(found, t, unit, chosen) {
    const rows = Object.entries(found.values).map(([name, values]) => {
      const amount = isAmount(values);
      const most = Math.max(1e-9, ...values.flat().filter((v) => typeof v === "number").map(Math.abs));
      const mean = values[t].reduce((sum, v) => sum + v, 0) / values[t].length;
      const gradient = Math.hypot(...found.gradients[name][t]);
      return make("tr", { class: name === chosen ? "chosen" : null },
        make("th", { scope: "row" }, make("button", { class: "link", onclick: () => this.onpick(name, t, unit) }, name)),
        make("td", { class: "map" }, this.#map(name, values, amount, most, t, unit)),
        make("td", { class: "number" }, brief(mean)),
        make("td", { class: "number gradient" }, brief(gradient)));
    });
    this.host.replaceChildren(make("table", {},
      make("caption", { class: "hidden" }, say("numbersName", { t })),
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, say("named")), make("th", { scope: "col" }, term("overTime")),
        make("th", { scope: "col" }, say("mean", { t })), make("th", { scope: "col" }, say("gradientAt", { t })))),
      make("tbody", {}, ...rows)));
  }

  #map(name, values, amount, most, t, unit) {
    const steps = values.length, units = values[0].length;
    const paths = new Map();
    values.forEach((row, step) => row.forEach((value, k) => {
      const key = tone(value, amount, most);
      paths.set(key, `${paths.get(key) ?? ""}M${step} ${k}h1v1h-1z`);
    }));
    const svg = draw("svg", { viewBox: `0 0 ${steps} ${units}`, preserveAspectRatio: "none", style: `height:${Math.max(28, Math.min(units, 16) * 5)}px`, "aria-hidden": "true" },
      ...[...paths].map(([key, d]) => draw("path", { d, style: `fill:var(--v-${key === "bad" ? "alarm" : key})` })),
      draw("rect", { x: t, y: 0, width: 1, height: units, class: "here" }),
      draw("rect", { x: t, y: unit, width: 1, height: 1, class: "one" }));
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      this.onpick(name, Math.floor((event.clientX - box.left) / box.width * steps), Math.floor((event.clientY - box.top) / box.height * units));
    });
    return svg;
  }
}
