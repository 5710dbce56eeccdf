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
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const spoken = () => language;

export function speak(wanted) {
  language = wanted;
  remember("language", wanted);
  translate();
}

/** Put the words into the page's own elements. */
export function translate() {
  document.documentElement.lang = language;
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of document.querySelectorAll("[data-say-label]")) element.setAttribute("aria-label", say(element.dataset.sayLabel));
}
