// The page's words, in its languages; `say` gives those of the one chosen.
import { english } from "./words-en.mjs";
import { korean } from "./words-ko.mjs";
import { remember, remembered } from "./state.mjs";

const LANGUAGES = { en: english, ko: korean };
let language = remembered("language") ?? (navigator.language.startsWith("ko") ? "ko" : "en");

/** The text of a key; `{name}` in it is taken from `values`. */
export function say(key, values = {}) {
  const text = LANGUAGES[language][key] ?? english[key];
  if (text === undefined) return key.startsWith("cell.") ? key.slice(5) : key;
  return filled(text, values);
}

/** A text with `{name}` taken from `values`; `{red}` is the colour that the gradient has in the theme. */
export function filled(text, values = {}) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? (name === "red" ? say(isDark() ? "redInDark" : "redInLight") : ""));
}

const dark = matchMedia("(prefers-color-scheme: dark)");
export const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
export const onTheme = (what) => dark.addEventListener("change", what);

export const spoken = () => language;

export function speak(wanted) {
  language = wanted;
  remember("language", wanted);
  translate();
}

/** A word with its explanation, from the glossary if it is in there. */
export function term(key) {
  const told = say(`term.${key}`);
  const span = document.createElement("span");
  span.textContent = say(key);
  if (told !== `term.${key}`) Object.assign(span, { className: "term", title: told });
  return span;
}

/** What a label in a picture means: an op's, a parameter's; "" for a name of the cell's own. */
export function meaning(label) {
  const key = [`op.${label}`, `op.${label.split(".").pop()}`].find((known) => LANGUAGES.en[known]);
  return key ? say(key) : "";
}

const TERMS = ["gradient", "gate", "overTime", "radius", "norm", "singular", "jacobian", "hidden", "truncate"];

/** The same words as a list, where there is no pointer to rest on them. */
function glossary() {
  const list = document.querySelector("#glossary dl");
  list.replaceChildren();
  for (const key of TERMS) {
    list.append(document.createElement("dt"), document.createElement("dd"));
    list.lastChild.previousSibling.textContent = say(`name.${key}`);
    list.lastChild.textContent = say(`term.${key}`);
  }
}

/** Put the words into the page's own elements. */
export function translate() {
  document.documentElement.lang = language;
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  glossary();
  for (const element of document.querySelectorAll("[data-say-label]")) element.setAttribute("aria-label", say(element.dataset.sayLabel));
}
