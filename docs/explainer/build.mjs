// node build.mjs OUT: lays out the explainer as a folder of static files. `build.py` runs it.
// Nothing is fetched: `npm ci` has brought Pyodide and the editor, vendor/ has NumPy.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

process.on("uncaughtException", (error) => { // Node would print the line of a bundle, a megabyte long
  console.error(`build.mjs: ${error.message}`);
  process.exit(1);
});

const here = path.dirname(fileURLToPath(import.meta.url));
const [folder] = process.argv.slice(2);
const out = `${folder}.part`; // renamed when it is complete
const pyodide = path.dirname(createRequire(import.meta.url).resolve("pyodide/package.json"));
const { loadPyodide, version } = await import(path.join(pyodide, "pyodide.mjs"));
const lock = JSON.parse(fs.readFileSync(path.join(pyodide, "pyodide-lock.json"), "utf8"));

fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(path.join(out, "pyodide"), { recursive: true });

// The interpreter. Its own list of packages is emptied: it must not look for any.
for (const file of ["pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip"])
  fs.copyFileSync(path.join(pyodide, file), path.join(out, "pyodide", file));
write("pyodide/pyodide-lock.json", JSON.stringify({ info: lock.info, packages: {} }));

// Python packages: one archive, compiled by the very interpreter that will read it.
const py = await loadPyodide();
py.FS.mkdirTree("/bundle");
py.unpackArchive(new Uint8Array(fs.readFileSync(numpyWheel())), "wheel", { extractDir: "/bundle" });
copyIn(path.join(here, "..", "..", "tinygrad_rnn"), "/bundle/tinygrad_rnn", ["cli"]);
copyIn(path.join(here, "worker"), "/bundle/explainer", []);
copyIn(path.join(here, "cells"), "/bundle/explainer/cells", []);
py.runPython(fs.readFileSync(path.join(here, "bundle.py"), "utf8"));
write("python.zip", py.FS.readFile("/bundle.zip"));
for (const sheet of ["palette.css", "picture.css"]) write(sheet, py.FS.readFile(`/${sheet}`));

// The page. What it takes from npm is bundled into one module; its own modules stay as they are.
fs.cpSync(path.join(here, "page"), out, { recursive: true, filter: (f) => !f.endsWith("editor.mjs") });
await esbuild.build({
  entryPoints: [path.join(here, "page", "editor.mjs")],
  outfile: path.join(out, "editor.mjs"),
  bundle: true, format: "esm", minify: true, legalComments: "none", target: "es2022",
});
licences();

// The service worker knows each file, and gets a new name when one of them has changed.
const files = listed(out).filter((file) => file !== "service.js");
const digest = createHash("sha256");
for (const file of files) digest.update(file).update(fs.readFileSync(path.join(out, file)));
const service = fs.readFileSync(path.join(out, "service.js"), "utf8");
write("service.js", service
  .replace('"VERSION"', JSON.stringify(digest.digest("hex").slice(0, 16)))
  .replace('["FILES"]', JSON.stringify(["./", ...files])));
const size = files.reduce((sum, file) => sum + fs.statSync(path.join(out, file)).size, 0);
fs.rmSync(folder, { recursive: true, force: true });
fs.renameSync(out, folder);
console.log(`${folder}: ${(size / 1e6).toFixed(1)} MB`);
process.exit(0); // the interpreter would stay

function write(name, content) {
  fs.writeFileSync(path.join(out, name), content);
}

function numpyWheel() {
  const wheel = path.join(here, "vendor", lock.packages.numpy.file_name);
  const sha = createHash("sha256").update(fs.readFileSync(wheel)).digest("hex");
  const right = lock.packages.numpy.sha256;
  if (sha !== right) throw new Error(`${wheel}: its sha256 is ${sha}, that of Pyodide ${version}'s is ${right}`);
  return wheel;
}

/** Copy a folder into the interpreter's file system, but for some of its folders. */
function copyIn(folder, target, without) {
  for (const file of listed(folder)) {
    const parts = file.split("/");
    if (parts.includes("__pycache__") || without.includes(parts[0])) continue;
    py.FS.mkdirTree(path.posix.join(target, ...parts.slice(0, -1)));
    py.FS.writeFile(path.posix.join(target, file), fs.readFileSync(path.join(folder, file)));
  }
}

/** The licences of all that is shipped: texts of our own keeping, and those that npm brought. */
function licences() {
  fs.mkdirSync(path.join(out, "licences"));
  for (const file of fs.readdirSync(path.join(here, "licences")))
    fs.copyFileSync(path.join(here, "licences", file), path.join(out, "licences", file));
  const modules = path.join(here, "node_modules");
  for (const file of listed(modules).filter((f) => /^(@(codemirror|lezer|marijn)\/[^/]+|crelt|style-mod|w3c-keyname)\/LICENSE/.test(f)))
    fs.copyFileSync(path.join(modules, file), path.join(out, "licences", path.dirname(file).replace(/[@/]/g, "-").replace(/^-/, "") + ".txt"));
  fs.copyFileSync(path.join(here, "..", "..", "LICENSE"), path.join(out, "licences", "tinygrad_rnn.txt"));
  fs.writeFileSync(path.join(out, "licences", "numpy.txt"), py.FS.readFile("/numpy-licence.txt"));
  const names = fs.readdirSync(path.join(out, "licences")).sort();
  const list = names.map((name) => `<li><a href="${name}">${name.replace(".txt", "")}</a></li>`).join("");
  write("licences/index.html", `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Licences</title><link rel="stylesheet" href="../palette.css"><link rel="stylesheet" href="../page.css"><body style="padding:24px"><h1>Licences of what is built in</h1><ul>${list}</ul><p><a href="../">Back</a></p></body></html>\n`);
}

function listed(folder) {
  return fs.readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)).split(path.sep).join("/"))
    .sort();
}
