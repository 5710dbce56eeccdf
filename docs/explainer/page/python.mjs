// Python as the page sees it: questions, one after another, each with a time limit.
const LIMIT = 6000; // ms for an answer; after that it is an endless loop
const FIRST = 20000; // for the first answer, when everything is imported and traced

/** What took too long; `line` is where in the reader's text, if that is known. */
export class Stopped extends Error {
  constructor(line = null) {
    super();
    this.line = line;
  }
}

export class Python {
  #worker; #spare; #waiting = []; #now = null; #timer; #id = 0; #fresh = true;

  /** `onstate` is told "loading", "ready" (with how long it took) or "failed". */
  constructor(onstate) {
    this.onstate = onstate;
    this.restarts = 0;
    this.#adopt(this.#start());
  }

  /** The answer to a question; Stopped if it takes too long. */
  ask(question) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      this.#next();
    });
  }

  get busy() { return this.#now !== null || this.#waiting.length > 0; }

  #start() {
    const worker = new Worker("worker.mjs", { type: "module" });
    worker.interrupt = self.crossOriginIsolated ? new Uint8Array(new SharedArrayBuffer(1)) : null;
    worker.ready = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.failed ? reject(new Error(data.failed)) : resolve(data.answer));
      worker.onerror = (event) => reject(new Error(event.message ?? "the worker did not start"));
    });
    worker.postMessage({ id: 0, boot: true, interrupt: worker.interrupt });
    return worker;
  }

  async #adopt(worker) {
    this.#worker?.terminate();
    this.#worker = worker;
    this.#fresh = true;
    this.onstate("loading");
    try {
      const { ms } = await worker.ready;
      worker.onmessage = ({ data }) => this.#heard(data);
      worker.isReady = true;
      this.onstate("ready", ms);
      this.#next();
    } catch (error) {
      this.onstate("failed", String(error.message));
    }
  }

  #next() {
    if (this.#now || !this.#worker.isReady || !this.#waiting.length) return;
    this.#now = this.#waiting.shift();
    this.#worker.postMessage({ id: ++this.#id, question: this.#now.question });
    this.#timer = setTimeout(() => this.#stop(), this.#fresh ? FIRST : LIMIT);
  }

  #heard({ id, answer, failed }) {
    if (id !== this.#id || !this.#now) return;
    clearTimeout(this.#timer);
    const { resolve, reject } = this.#now;
    this.#now = null;
    this.#fresh = false;
    if (failed) reject(new Error(failed));
    else if (answer.stopped) reject(new Stopped(answer.line));
    else resolve(answer);
    // A second interpreter stands by, so that an endless loop costs no new start.
    if (!this.#worker.interrupt) this.#spare ??= this.#start();
    this.#next();
  }

  /** End what takes too long: by an interrupt, which keeps the state, else with another worker. */
  #stop() {
    this.restarts += 1;
    if (this.#worker.interrupt && !this.#now.interrupted) {
      this.#now.interrupted = true;
      this.#worker.interrupt[0] = 2;
      this.#timer = setTimeout(() => this.#stop(), 2000); // an `except:` may have swallowed it
      return;
    }
    const { reject } = this.#now;
    this.#now = null;
    const spare = this.#spare;
    this.#spare = null;
    this.#adopt(spare ?? this.#start());
    reject(new Stopped());
  }
}
