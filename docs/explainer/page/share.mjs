// The whole state as text in the address, behind the #: no server ever sees it.
import { $, make } from "./dom.mjs";
import { SETTINGS, state } from "./state.mjs";
import { say } from "./words.mjs";

const VERSION = 1;

/** The state as a fragment: JSON, deflated, in the letters that addresses may have. */
export async function packed() {
  const { settings, level, sides, t } = state;
  const text = JSON.stringify({ v: VERSION, settings, level, sides, t });
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Take a state from a fragment; null if it is none. Anything in it may have been made up. */
export async function unpacked(fragment) {
  try {
    const bytes = Uint8Array.from(atob(fragment.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const found = JSON.parse(new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes)));
    return found.v === VERSION ? checked(found) : null;
  } catch {
    return null;
  }
}

async function through(stream, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

function checked(found) {
  const settings = { ...SETTINGS };
  for (const [key, value] of Object.entries(SETTINGS))
    if (typeof found.settings?.[key] === typeof value) settings[key] = found.settings[key];
  const sides = {};
  for (const name of ["a", "b"]) {
    const { cell, text, knobs } = found.sides[name];
    if (typeof text !== "string") return null;
    const numbers = Object.entries(knobs ?? {}).filter(([, value]) => Number.isFinite(value));
    sides[name] = { cell: String(cell ?? ""), text, knobs: Object.fromEntries(numbers) };
  }
  const level = ["gates", "ops", "modules", "rolled"].includes(found.level) ? found.level : "gates";
  return { settings, sides, level, t: Number.isInteger(found.t) ? found.t : 0 };
}

/** The dialog: a link, and a page to keep. `record()` makes that page. */
export function shareDialog(record) {
  const dialog = make("dialog", { "aria-labelledby": "share-name" });
  const link = make("input", { readonly: true, "aria-label": say("shareLink"), onfocus: (event) => event.target.select() });
  const told = make("p", { role: "status" });
  document.body.append(dialog);
  $("share-open").onclick = async () => {
    link.value = `${location.href.split("#")[0]}#${await packed()}`;
    told.textContent = "";
    const copy = make("button", { class: "primary", onclick: async () => {
      await navigator.clipboard.writeText(link.value).catch(() => link.select());
      told.textContent = say("copied");
    } }, say("copy"));
    const save = make("button", { onclick: async () => {
      told.textContent = say("recording");
      try {
        const page = await record((done) => { told.textContent = say("recorded", done); });
        make("a", { href: URL.createObjectURL(new Blob([page], { type: "text/html" })), download: "explainer.html" }).click();
        told.textContent = say("saved");
      } catch (error) { // of a cell, or one that has not been read yet
        told.textContent = error.message;
      }
    } }, say("savePage"));
    dialog.replaceChildren(
      make("h2", { id: "share-name" }, say("share")), make("p", {}, say("shareLook")), make("div", { class: "row" }, link, copy),
      make("p", {}, say("saveLook")), make("div", { class: "row" }, save, make("button", { onclick: () => dialog.close() }, say("close"))), told);
    dialog.showModal();
  };
}
