// The row of what both sides share: the task and its numbers.
import { $, make } from "./dom.mjs";
import { state } from "./state.mjs";
import { say, term } from "./words.mjs";

const TASKS = ["adding", "recall", "copy", "parity", "names", "text"];
const LEVELS = ["gates", "ops", "modules", "rolled"];
const RATES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
const TEXT = "the cat sat on the mat. the dog sat on the log. the frog sat on the fog. ".repeat(6);
const PAUSE = 400;

/** Build the row; `onchange(kind)`: "task" for a new network, "rate" for the optimiser alone. */
export function controls(onchange) {
  const { settings } = state;
  const row = $("settings");
  const task = make("select", { id: "task", onchange: () => set("task", task.value) },
    ...TASKS.map((name) => make("option", { value: name }, say(`task.${name}`))));
  const text = make("textarea", { id: "own-text", rows: 2, spellcheck: "false", oninput: () => later(() => set("text", text.value)) });
  const field = make("label", { class: "field text" }, make("span", {}, say("ownText")), text);
  const set = (key, value) => {
    if (key === "task" && value === "text" && !settings.text) settings.text = TEXT;
    settings[key] = value;
    show();
    onchange(key);
  };
  const steps = slider("steps", 4, 40, 1, (value) => String(value), set);
  const hidden = slider("hidden", 2, 32, 1, (value) => String(value), set);
  const truncate = slider("truncate", 0, 20, 1, (value) => (value ? String(value) : say("never")), set);
  const rate = slider("rate", 0, RATES.length - 1, 1, (place) => String(RATES[place]), (key, place) => set(key, RATES[place]));
  row.replaceChildren(make("label", { class: "field" }, make("span", {}, say("task")), task), steps.label, hidden.label, truncate.label, rate.label, field);
  function show() {
    task.value = settings.task;
    text.value = settings.text;
    field.hidden = settings.task !== "text";
    $("about-task").textContent = say(`about.${settings.task}`);
    for (const { show, key } of [steps, hidden, truncate]) show(settings[key]);
    rate.show(Math.max(0, RATES.indexOf(settings.rate)));
  }
  show();
  const level = $("level");
  level.replaceChildren(...LEVELS.map((name) => make("option", { value: name }, say(`level.${name}`))));
  level.value = state.level;
  level.onchange = () => { state.level = level.value; onchange("level"); };
  return { show };
}

let waiting;
function later(what) {
  clearTimeout(waiting);
  waiting = setTimeout(what, PAUSE);
}

function slider(key, low, high, step, told, onset) {
  const input = make("input", { type: "range", min: low, max: high, step, id: key, oninput: () => {
    output.textContent = told(Number(input.value));
    later(() => onset(key, Number(input.value)));
  } });
  const output = make("output", { for: key });
  const show = (value) => { input.value = value; output.textContent = told(value); };
  return { key, show, label: make("label", { class: "slide" }, term(key), input, output) };
}
