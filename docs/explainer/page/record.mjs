// The page to keep: one HTML file with what was recorded, a scrubber, and both cells' code.
import { flowChart, lossChart } from "./charts.mjs";
import { make } from "./dom.mjs";
import { NAMES, state } from "./state.mjs";
import { say, spoken } from "./words.mjs";

const FRAMES = 9; // moments of the training at most
const WIDTH = 700; // px, of a chart

/** The file's text. `told({done, all})` is called on the way. */
export async function record({ python, training, sides }, told) {
  const moments = spread(training.moments.length ? training.moments : [0], FRAMES);
  const frames = [];
  for (const moment of moments) {
    told({ done: frames.length + 1, all: moments.length });
    const frame = { moment, sides: {} }, founds = {};
    for (const name of NAMES) {
      if (sides[name].untrusted) throw new Error(say("shared"));
      const { text, knobs } = sides[name].own;
      const at = training.moments.length ? moment : null;
      const found = await python.ask({ what: "look", side: name, text, settings: state.settings, knobs, level: state.level, moment: at });
      if (found.error) throw new Error(found.error);
      const { name: cell, picture: { svg, view, said }, answer, right } = founds[name] = found;
      frame.sides[name] = { cell, svg, view, said, answered: say("answeredShort", { answer, right }) };
    }
    frame.flow = drawn((host) => flowChart(host, founds, { count: state.settings.steps, width: WIDTH }));
    frame.loss = training.updates ? drawn((host) => lossChart(host, founds, training, { mark: Math.min(moment, training.updates - 1), width: WIDTH, axes: [say("moment"), say("loss")] })) : "";
    frames.push(frame);
  }
  const [palette, picture, charts, program] = await Promise.all(["palette.css", "picture.css", "chart.css", "recorded.js"].map(async (file) => (await fetch(file)).text()));
  const data = { frames, texts: Object.fromEntries(NAMES.map((name) => [name, state.sides[name].text])), words: { flow: say("flowTitle"), loss: say("lossTitle"), code: say("pythonCode") } };
  const encoded = JSON.stringify(data).replaceAll("<", "\\u003c"); // nothing in it ends the script
  return `<!doctype html>
<html lang="${spoken()}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${say("title")}</title><style>${palette}${picture}${charts}
body{margin:0 auto;max-width:1500px;padding:16px;background:var(--v-cell);color:var(--v-ink);font:16px/1.5 system-ui,sans-serif}
main{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px}section{min-width:0;background:var(--v-paper);border:1px solid var(--v-frame);border-radius:12px;padding:12px 16px}
.scroll{overflow-x:auto}pre{overflow:auto;font-size:13px}label{display:flex;gap:12px;align-items:center}input{flex:1;accent-color:var(--v-accent)}h2{font-size:17px;margin:0}figure{margin:0}.charts{grid-column:1/-1;display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px}
</style></head><body><h1>${say("title")}</h1><label>${say("moment")} <input id="moment" type="range" min="0" max="${frames.length - 1}" value="${frames.length - 1}"><output id="told"></output></label>
<main id="main"></main><script type="application/json" id="data">${encoded}</script><script>${program}</script></body></html>
`;
}

/** The HTML of a chart. */
function drawn(draw) {
  const host = make("div");
  draw(host);
  return host.innerHTML;
}

/** So many of the moments, from the first to the last. */
function spread(moments, most) {
  if (moments.length <= most) return moments;
  return Array.from({ length: most }, (_, i) => moments[Math.round(i / (most - 1) * (moments.length - 1))]);
}
