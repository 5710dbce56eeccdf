// The page: what is asked of Python when something changes, and where the answers go.
import { flowChart, lossChart, SERIES } from "./charts.mjs";
import { controls } from "./controls.mjs";
import { $ } from "./dom.mjs";
import { keysDialog } from "./keys.mjs";
import { Python, Stopped } from "./python.mjs";
import { quizDialog } from "./quiz.mjs";
import { record } from "./record.mjs";
import { shareDialog, unpacked } from "./share.mjs";
import { Side } from "./side.mjs";
import { NAMES, remember, remembered, state } from "./state.mjs";
import { Tour } from "./tour.mjs";
import { Training } from "./training.mjs";
import { isDark, onTheme, say, speak, spoken, translate } from "./words.mjs";

const python = new Python((what, told) => {
  const status = $("status");
  status.dataset.state = what;
  status.dataset.told = typeof told === "number" ? (told / 1000).toFixed(1) : told ?? "";
  sayStatus();
});

function sayStatus() {
  const { state: what, told } = $("status").dataset;
  $("status").textContent = say(what, { seconds: told, why: told });
}

const WIDE = matchMedia("(min-width: 901px)");

const sides = {};
const wanted = new Map(); // sides that wait for a look, and the moment of training to go to
let cells = {}, row, tour, looking = false;

const training = new Training(python, {
  mayRun: () => { // a shared cell runs when the reader says so, and not before
    const waiting = NAMES.find((name) => sides[name].untrusted);
    if (waiting) sides[waiting].run.focus();
    return !waiting;
  },
  onlosses: showLosses,
  onflows: (flows) => {
    for (const name of NAMES) if (sides[name].found) sides[name].found.flow = flows[name];
    showFlow();
  },
  onlook: (moment) => look(NAMES, moment),
  onerror: async (error) => { // whose cell it was, a look at both tells
    await look(NAMES);
    if (NAMES.every((name) => sides[name].error.hidden)) failed(sides.a, error);
  },
});

/** Ask for new pictures of some sides; what is asked for meanwhile is done at the end. */
async function look(names, moment = null) {
  for (const name of names) wanted.set(name, moment);
  if (looking) return;
  looking = true;
  while (wanted.size) {
    const [name, at] = wanted.entries().next().value;
    wanted.delete(name);
    const side = sides[name], { text, knobs } = side.own;
    if (side.untrusted) continue;
    try {
      const turned = { ...knobs };
      const found = await python.ask({ what: "look", side: name, text, settings: state.settings, knobs, level: state.level, moment: at });
      found.turned = turned;
      if (found.error) { side.fail(found.error, found.line); training.stop(); } else { await side.show(found); tour?.found(name, side); tell(); }
    } catch (error) {
      failed(side, error);
    }
    showFlow();
  }
  looking = false;
  showLosses(); // it names the cells
}

function failed(side, error) {
  if (error instanceof Stopped) side.fail(say("tooLong"), error.line);
  else side.fail(error.message, error.line);
}

function changed(name) {
  training.forget();
  look([name]);
}

function setTime(t) {
  state.t = Math.min(Math.max(t, 0), state.settings.steps - 1);
  $("time").max = state.settings.steps - 1;
  $("time").value = state.t;
  $("time-told").textContent = `t = ${state.t}`;
  for (const name of NAMES) sides[name].at(state.t);
  showFlow();
  tell();
}

/** Tell of what was chosen, when nothing has changed for a moment. */
function tell() {
  clearTimeout(telling);
  telling = setTimeout(() => { for (const name of NAMES) sides[name].tell((question) => python.ask(question)).catch(() => {}); }, 120);
}
let telling;

function founds() {
  return Object.fromEntries(NAMES.map((name) => [name, sides[name]?.found]));
}

function showFlow() {
  flowChart($("flow"), founds(), { count: state.settings.steps, mark: state.t, onpick: setTime });
}

function showLosses() {
  lossChart($("loss"), founds(), training, { mark: training.shown, onpick: (update) => training.goTo(update) });
  $("loss-look").textContent = say("lossLook") + (training.pace ? ` ${say("pace", { pace: training.pace.toPrecision(2) })}` : "");
}

let playing;
function play() {
  if (playing) { clearInterval(playing); playing = undefined; reveal(); return; }
  const { steps } = state.settings;
  let place = 0;
  playing = setInterval(() => {
    if (place >= 2 * steps) { clearInterval(playing); playing = undefined; reveal(); return; }
    const backward = place >= steps ? 2 * steps - 1 - place : steps;
    setTime(place < steps ? place : backward);
    reveal(Math.min(place, steps - 1), backward);
    place += 1;
  }, 350);
}

function reveal(forward, backward) {
  for (const name of NAMES) sides[name].stage.reveal(forward, backward);
}

function words() {
  translate();
  $("language").textContent = spoken() === "ko" ? "English" : "한국어";
  $("language").lang = spoken() === "ko" ? "en" : "ko";
  sayStatus();
  row = controls(settingChanged);
  for (const name of NAMES) sides[name].words(cells);
  training.words();
  tour?.show();
  showFlow();
  showLosses();
  tell();
}

function settingChanged(key) {
  if (["task", "hidden", "text"].includes(key)) training.forget(); // the rest goes on with what was learnt
  state.t = Math.min(state.t, state.settings.steps - 1);
  if (key === "steps" || key === "task") state.t = state.settings.steps - 1;
  setTime(state.t);
  look(NAMES);
}

function theme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  remember("theme", document.documentElement.dataset.theme);
  words(); // some name a colour
}

/** Make the page show a stop of the tour, with new networks. */
async function visit(stop) {
  training.running = false;
  await python.ask({ what: "reset" });
  arrange(stop);
  training.forget();
  await look(NAMES);
}

/** Put all that a stop has into the page. */
function arrange(stop) {
  $("setup").open = WIDE.matches || Boolean(stop.spot?.includes("#setup"));
  Object.assign(state, { settings: { ...stop.settings }, level: stop.level, t: stop.t });
  for (const name of NAMES) {
    state.sides[name] = { text: "", ...stop[name], knobs: { ...stop[name].knobs } };
    Object.assign(sides[name], { untrusted: Boolean(stop.untrusted?.[name]), chosen: stop.look?.[0] === name ? { label: stop.look[1] } : null });
    sides[name].put();
    sides[name].toggleCode(Boolean(stop.code));
  }
  row = controls(settingChanged);
  setTime(state.t);
  for (const name of NAMES) if (sides[name].untrusted) sides[name].fail(say("shared"));
}

/** All that the tour will change, as a stop of its own; the networks are set aside, with what they have learnt. */
async function kept() {
  const { settings, level, t, sides: own } = structuredClone(state);
  training.running = false;
  await python.ask({ what: "set_aside" });
  return { settings, level, t, ...own, learnt: training.kept(), untrusted: Object.fromEntries(NAMES.map((name) => [name, sides[name].untrusted])) };
}

/** After the tour: what there was before, but for a cell that the reader has written meanwhile. */
async function goBack(before) {
  training.running = false;
  const { found } = await python.ask({ what: "take_back" });
  const written = NAMES.filter((name) => !state.sides[name].cell && before[name].cell);
  for (const name of written) before[name] = state.sides[name];
  arrange(before);
  if (found && !written.length) await look(NAMES, training.resume(before.learnt));
  else { training.forget(); await look(NAMES); }
}

async function start() {
  const chosen = remembered("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
  const on = {
    get cells() { return cells; },
    onchange: changed,
    onturn: (name) => look([name]), // on the network as it is
    onstep: setTime,
    onpick: (side, chosen, t, unit) => {
      state.unit = unit;
      side.chosen = { ...chosen, t: chosen.t ?? t };
      setTime(t);
    },
  };
  for (const name of NAMES) sides[name] = new Side(name, SERIES[name], on);
  const shared = location.hash.length > 1 ? await unpacked(location.hash.slice(1)) : null;
  if (shared) Object.assign(state, shared);
  words();
  tour = new Tour({ visit, kept, goBack });
  $("setup").open = WIDE.matches;
  keysDialog();
  quizDialog((question) => python.ask(question));
  shareDialog((told) => record({ python, training, sides }, told));
  $("language").onclick = () => { speak(spoken() === "ko" ? "en" : "ko"); words(); };
  $("theme").onclick = theme;
  onTheme(words);
  new ResizeObserver(() => { showFlow(); showLosses(); }).observe($("flow"));
  $("time").oninput = () => setTime(Number($("time").value));
  $("back").onclick = () => setTime(state.t - 1);
  $("forth").onclick = () => setTime(state.t + 1);
  $("play").onclick = play;
  $("reset").onclick = async () => { training.running = false; await python.ask({ what: "reset" }); training.forget(); look(NAMES); };
  ({ cells } = await python.ask({ what: "cells" }));
  for (const name of NAMES) {
    sides[name].untrusted = shared && !Object.values(cells).includes(state.sides[name].text);
    sides[name].put();
    sides[name].words(cells);
    if (sides[name].untrusted) sides[name].fail(say("shared"));
  }
  setTime(state.t);
  await look(NAMES);
  navigator.serviceWorker?.register("service.js");
}

window.explainer = { state, sides, python, training }; // to look at from the browser's console
start();
