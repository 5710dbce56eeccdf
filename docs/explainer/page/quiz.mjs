// The faults of the gym, one at a time: read, mend, check.
import { $, make } from "./dom.mjs";
import { Editor } from "./editor.mjs";
import { remember, remembered } from "./state.mjs";
import { say, spoken } from "./words.mjs";

/** The dialog; `ask` asks Python. Which ones are mended is remembered. */
export function quizDialog(ask) {
  const dialog = make("dialog", { class: "quiz", "aria-labelledby": "quiz-name" });
  document.body.append(dialog);
  const done = new Set(JSON.parse(remembered("mended") ?? "[]"));
  let faults, place = 0;

  $("quiz-open").onclick = async () => {
    ({ faults } = await ask({ what: "faults" }));
    open();
    dialog.showModal();
  };

  function open() {
    const pick = make("select", { "aria-label": say("quizPick"), onchange: () => { place = Number(pick.value); start(); } },
      ...faults.map(({ network }, n) => make("option", { value: n }, `${done.has(n) ? "✓ " : ""}${say("quizName", { n: n + 1, network: network.toUpperCase() })}`)));
    pick.value = place;
    const code = make("div", { class: "code" }), told = make("div", { role: "status", class: "told" });
    dialog.replaceChildren(make("h2", { id: "quiz-name" }, say("quiz")), make("p", {}, say("quizLook")),
      make("div", { class: "row" }, pick,
        make("button", { class: "primary", onclick: check }, say("check")),
        make("button", { onclick: hint }, say("hint")), make("button", { onclick: solve }, say("solution")),
        make("button", { onclick: () => dialog.close() }, say("close"))),
      code, told);
    const editor = new Editor(code, say("quizEditor"), () => {});

    function start() {
      editor.text = faults[place].text;
      told.replaceChildren();
    }

    async function check() {
      try {
        const found = await ask({ what: "mend", fault: place, text: editor.text, language: spoken() });
        if (found.mended) {
          done.add(place);
          remember("mended", JSON.stringify([...done]));
          pick.options[place].textContent = `✓ ${say("quizName", { n: place + 1, network: faults[place].network.toUpperCase() })}`;
          const next = faults.findIndex((_, n) => !done.has(n));
          told.replaceChildren(make("p", { class: "right" }, say("mended")),
            next < 0 ? "" : make("button", { class: "primary", onclick: () => { pick.value = place = next; start(); pick.focus(); } }, say("nextFault")));
          return;
        }
        const over = found.steps === 0 ? say("doesNotRun") : found.steps === 1 ? say("wrongAtOnce") : say("wrongLater", { steps: found.steps });
        told.replaceChildren(make("p", {}, over), make("ul", {}, ...found.wrong.map((line) => make("li", {}, line))));
      } catch {
        told.replaceChildren(make("p", { class: "error" }, say("tooLong")));
      }
    }

    async function hint() {
      const { hint: text } = await ask({ what: "solution", fault: place, language: spoken() });
      told.replaceChildren(make("p", {}, text));
    }

    async function solve() {
      const { was, is } = await ask({ what: "solution", fault: place });
      told.replaceChildren(make("pre", {}, ...was.split("\n").map((line) => `− ${line}\n`), ...is.split("\n").map((line) => `+ ${line}\n`)));
    }

    start();
  }
}
