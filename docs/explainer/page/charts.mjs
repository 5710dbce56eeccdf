// The two charts: the gradient on its way back, and the losses.
import { chart } from "./chart.mjs";
import { brief } from "./dom.mjs";
import { say } from "./words.mjs";

export const SERIES = { a: 0, b: 1 }; // the palette's colours of the two sides
const LOW = -8, HIGH = [1, 4]; // powers of ten: the scale of gradients, as in worker/look.py; it grows so far

/** How large the gradient is at each step; `founds`: what Python answered for each side. */
export function flowChart(host, founds, { count, ...options }) {
  const lines = Object.entries(founds).flatMap(([side, found]) => {
    // The cell state, the line that matters, is solid; what else there is beside it is dashed.
    const flow = Object.entries(found?.flow ?? {}).sort(([a], [b]) => (b === "c") - (a === "c"));
    const drawn = flow.filter(([, values]) => values.length === count);
    return drawn.map(([leaf, values], n) => ({ name: `${side.toUpperCase()} · ${found.name} · ${leaf}`, values, series: SERIES[side], dash: n > 0 }));
  });
  const most = Math.max(0, ...lines.flatMap(({ values }) => values.filter((v) => typeof v === "number")));
  const high = Math.min(Math.max(HIGH[0], Math.ceil(Math.log10(most))), HIGH[1]);
  chart(host, { lines, count, low: LOW, high, label: told("flowTitle", "flowSaid", lines), axes: [say("step"), say("gradientNorm")],
    below: say("below"), above: say("above"), zero: say("exactlyZero"), ...options });
}

/** The loss before each update, `training` as in training.mjs. */
export function lossChart(host, founds, { losses, baseline }, options) {
  const lines = Object.entries(founds).map(([side, found]) => ({ name: [side.toUpperCase(), found?.name].filter(Boolean).join(" · "), values: smooth(losses[side]), series: SERIES[side] }));
  const all = lines.flatMap((line) => line.values).filter((v) => v > 0);
  const low = Math.min(-2, ...all.map((v) => Math.floor(Math.log10(v)))), high = Math.max(0, ...all.map((v) => Math.ceil(Math.log10(v))));
  chart(host, { lines, count: Math.max(lines[0].values.length, 20), low: Math.max(low, -5), high: Math.min(high, 2), label: told("lossTitle", "lossSaid", lines),
    axes: [say("update"), say("loss")], across: { value: baseline ?? 0, name: say("guess") }, empty: say("untrained"), ...options });
}

/** A chart in words: where each line begins and ends. */
function told(title, sentence, lines) {
  const some = lines.filter(({ values }) => values.length);
  return [say(title), ...some.map(({ name, values }) => say(sentence, { name, first: brief(values[0]), last: brief(values.at(-1)), count: values.length - 1 }))].join(". ");
}

/** A mean over the last few, so that the two can be told apart. */
function smooth(values) {
  const width = Math.min(10, Math.ceil(values.length / 10));
  let sum = 0;
  return values.map((value, i) => {
    sum += value - (i >= width ? values[i - width] : 0);
    return sum / Math.min(i + 1, width);
  });
}
