// All of Python is in this worker: it answers one question after another.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const here = (name) => new URL(name, import.meta.url).href;
let ask;

async function boot(interrupt) {
  const started = performance.now();
  const [python, packages] = await Promise.all([
    loadPyodide({ indexURL: here("./pyodide/") }),
    fetch(here("./python.zip")).then((answer) => answer.arrayBuffer()),
  ]);
  if (interrupt) python.setInterruptBuffer(interrupt);
  python.unpackArchive(packages, "zip", { extractDir: "/lib/python3.12/site-packages" });
  ask = python.pyimport("explainer.api").ask;
  return { ms: performance.now() - started };
}

onmessage = async ({ data: { id, boot: wanted, interrupt, question } }) => {
  try {
    postMessage({ id, answer: wanted ? await boot(interrupt) : JSON.parse(ask(JSON.stringify(question))) });
  } catch (error) { // nothing that the reader wrote: that is in the answer
    postMessage({ id, failed: String(error.message ?? error) });
  }
};
