// The keys of the keyboard, told in a panel that "?" opens.
import { $, make } from "./dom.mjs";
import { say } from "./words.mjs";

const KEYS = [
  ["move", ["Tab"], ["Shift", "Tab"]],
  ["slide", ["←"], ["→"]],
  ["step", ["←"], ["→"]],
  ["box", ["↓"], ["↑"]],
  ["leave", ["Esc", "Tab"]],
  ["undo", ["Ctrl", "Z"]],
  ["help", ["?"]],
  ["close", ["Esc"]],
];

export function keysDialog() {
  const dialog = make("dialog", { class: "keys", "aria-labelledby": "keys-name" });
  document.body.append(dialog);
  const open = () => {
    dialog.replaceChildren(
      make("h2", { id: "keys-name" }, say("keys")), make("p", {}, say("keysLook")),
      make("dl", {}, ...KEYS.flatMap(([what, ...ways]) => [make("dt", {}, ...shown(ways)), make("dd", {}, say(`key.${what}`))])),
      make("button", { class: "primary", onclick: () => dialog.close() }, say("close")));
    dialog.showModal();
  };
  $("keys-open").onclick = open;
  document.addEventListener("keydown", (event) => {
    const written = event.target.closest?.("input:not([type=range]), textarea, [contenteditable=true]");
    if (event.key === "?" && !written && !document.querySelector("dialog[open]")) open();
  });
}

/** Keys that are pressed together are joined by +, one after another by a comma. */
function shown(ways) {
  return ways.flatMap((keys, n) => [...(n ? [" "] : []),
    ...keys.flatMap((key, k) => [...(k ? [keys[0] === "Esc" ? ", " : " + "] : []), make("kbd", {}, key)])]);
}
