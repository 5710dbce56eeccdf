// What the page shows, as plain data: all that is shared, saved and restored.
export const SETTINGS = { task: "recall", steps: 20, hidden: 8, truncate: 0, rate: 0.02, seed: 0, text: "" };

export const state = {
  settings: { ...SETTINGS },
  level: "gates",
  sides: { a: { cell: "rnn", text: "", knobs: {} }, b: { cell: "lstm", text: "", knobs: { "forget gate": 3 } } },
  t: 19, // the step that is looked at
  unit: 0,
};

export const NAMES = ["a", "b"];

const STORE = "tinygrad-rnn-explainer";

/** Something remembered from visit to visit; nothing if the browser keeps nothing. */
export function remembered(key) {
  try { return localStorage.getItem(`${STORE}-${key}`); } catch { return null; }
}

export function remember(key, value) {
  try { localStorage.setItem(`${STORE}-${key}`, value); } catch { /* a private window */ }
}
