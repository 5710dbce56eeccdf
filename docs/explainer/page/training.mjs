// Training both sides, a little at a time, so that the page can ask for pictures in between.
import { $ } from "./dom.mjs";
import { state } from "./state.mjs";
import { say } from "./words.mjs";

const BUDGET = 0.06; // seconds of Python between two looks at the page
const LOOK = 900; // ms between two pictures while it trains, or twice as long as these take

export class Training {
  /** `on`: onlosses(), onflows(flows), onlook(moment), onerror(error); mayRun(): is no cell still to be read? */
  constructor(python, on) {
    this.python = python;
    this.on = on;
    this.losses = { a: [], b: [] };
    this.moments = [];
    this.pace = 0;
    this.looks = 0; // how often an earlier moment was looked at
    this.running = false;
    $("train").onclick = () => (this.running ? this.stop() : this.start());
    $("one").onclick = () => { if (!this.on.mayRun()) return; this.stop(); this.#some(1).then(() => this.on.onlook(null)); };
    $("moment").oninput = () => this.#look(Number($("moment").value));
  }

  get updates() { return this.losses.a.length; }

  async start() {
    if (this.running || !this.on.mayRun()) return;
    this.running = true;
    this.words();
    const started = performance.now(), before = this.updates;
    let next = started + LOOK;
    while (this.running) {
      if (!(await this.#some())) break;
      const now = performance.now();
      this.pace = 1e3 * (this.updates - before) / (now - started); // updates a second, with all that is drawn between them
      if (now > next) {
        await this.on.onlook(null);
        next = performance.now() + Math.max(LOOK, 2 * (performance.now() - now));
      } else if (this.python.busy === false) this.on.onflows((await this.python.ask({ what: "flows" })).flows);
    }
    this.stop();
  }

  stop() {
    const ran = this.running;
    this.running = false;
    this.words();
    if (ran) this.on.onlook(null);
  }

  /** Forget what was learnt: the networks are new. */
  forget() {
    this.losses = { a: [], b: [] };
    this.moments = [];
    this.pace = 0;
    this.#show();
  }

  /** What was learnt so far, to go on with later; the networks themselves wait in Python. */
  kept() {
    const { losses, moments, baseline } = structuredClone({ losses: this.losses, moments: this.moments, baseline: this.baseline });
    return { losses, moments, baseline, place: Number($("moment").value) };
  }

  /** Go on with that; returns the moment that was looked at, null for the newest. */
  resume({ place, ...kept }) {
    Object.assign(this, kept, { pace: 0 });
    this.#show();
    if (place >= this.moments.length - 1) return null;
    $("moment").value = place;
    return this.#tellMoment(place);
  }

  /** Look at the networks as they were after about so many updates. */
  goTo(update) {
    const place = this.moments.findIndex((moment) => moment >= update);
    if (this.moments.length < 2) return;
    $("moment").value = place < 0 ? this.moments.length - 1 : place;
    this.#look(Number($("moment").value));
  }

  words() {
    $("train").textContent = say(this.running ? "stop" : "train");
    $("train").setAttribute("aria-pressed", String(this.running));
  }

  async #some(updates = null) {
    const { looks } = this;
    try {
      const found = await this.python.ask({ what: "train", sides: state.sides, settings: state.settings, budget: BUDGET, updates });
      if (found.error) throw Object.assign(new Error(found.error), { line: found.line });
      if (found.updates === found.losses.a.length) this.losses = { a: [], b: [] };
      for (const name of ["a", "b"]) this.losses[name].push(...found.losses[name]);
      Object.assign(this, { moments: found.moments, baseline: found.baseline });
      if (looks === this.looks) this.#show(); // else the reader looks back already
      return true;
    } catch (error) {
      this.running = false;
      this.on.onerror(error);
      return false;
    }
  }

  #show() {
    const slider = $("moment");
    slider.max = this.moments.length - 1;
    slider.value = this.moments.length - 1;
    slider.disabled = this.moments.length < 2;
    $("moment-told").textContent = String(this.updates);
    this.shown = undefined; // the newest
    this.on.onlosses();
  }

  #look(place) {
    const running = this.running;
    this.running = false;
    this.looks += 1;
    if (running) this.words();
    this.on.onlook(this.#tellMoment(place));
  }

  #tellMoment(place) {
    const moment = this.moments[place];
    $("moment-told").textContent = String(moment);
    this.shown = Math.min(moment, this.updates - 1); // the loss of update m + 1 is that after m
    this.on.onlosses();
    return moment;
  }
}
