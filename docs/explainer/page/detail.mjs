// What is told of a box or an edge: the arithmetic of a unit, or a gradient and its Jacobians.
import { brief, draw, make } from "./dom.mjs";
import { meaning, say } from "./words.mjs";

const INFIX = new Set(["+", "−", "×", "÷", "⊙"]);
const SHOWN = 8; // terms of a sum

/** The arithmetic of a unit; `onunit(k)`: another one is asked for. */
export function showUnit(host, found, label, t, unit, onunit) {
  if (!found.expression) { host.replaceChildren(make("p", { class: "soft" }, meaning(label) || say("nothing"))); return; }
  const chooser = make("input", { type: "number", min: 0, max: found.units - 1, value: Math.min(unit, found.units - 1), "aria-label": say("unitOf", { name: label, t }),
    onchange: (event) => onunit(Number(event.target.value)) });
  host.replaceChildren(
    make("h3", {}, say("unitOf", { name: label, t }), " ", chooser),
    ...(meaning(label) ? [make("p", { class: "soft" }, meaning(label))] : []),
    make("ol", { class: "lines", "aria-label": say("becomes") }, ...lines(found.expression).map((line) => make("li", {}, ...line))),
    ...chainRule(found, label));
}

/** The gradient of a unit as products: from what it goes into, and on to what it is made of. */
function chainRule({ gradient, paths, onward, units }, label) {
  const symbols = [...paths, ...onward].flatMap(({ slopes }) => slopes.map(({ name }) => name)).filter((name) => name.endsWith("′"));
  const told = [...new Set(symbols)].map((name) => say(`slope.${name.slice(0, -1)}`)).filter((text) => !text.startsWith("slope."));
  const equations = paths.filter(({ start, slopes }) => start !== null && slopes.length);
  const one = paths.length === 1 && equations.length === 1;
  return [
    make("h3", {}, say("gradientIs"), " ", strong(gradient, "gradient")),
    ...(paths.length ? [make("p", { class: "soft" }, say(units > 1 && paths.some(({ start }) => start === null) ? "chainFromAll" : "chainFrom")),
      make("ul", { class: "lines" }, ...paths.map((path) => make("li", {}, ...(one ? [...slopeBy(label), " = "] : []), ...product(path))),
        ...(paths.length > 1 ? [make("li", {}, ...slopeBy(label), " = ", ...joined(paths.map(({ value }) => [strong(value, "gradient")]), " + "), " = ", strong(gradient, "gradient"))] : []))] : []),
    ...(onward.length ? [make("p", { class: "soft" }, say("chainOn")),
      make("ul", { class: "lines" }, ...onward.map((path) => make("li", {}, ...product({ ...path, at: label }), " ", make("small", {}, named(say("to", { at: path.at }))))))] : []),
    ...told.map((text) => make("p", { class: "soft" }, text)),
  ];
}

/** One product: the gradient it begins with, the slopes on the way, what comes of it. */
function product({ at, start, slopes, value }) {
  const begin = start === null ? [named(say("through", { at })), ...(slopes.length ? [] : [" ", strong(value, "gradient")])] : [...slopeBy(at), " ", strong(start, "gradient")];
  const factors = slopes.map(({ name, value: slope }) => (name ? [named(name), " ", strong(slope)] : [strong(slope)]));
  return [...joined([begin, ...factors], " × "), ...(slopes.length ? [" = ", strong(value, "gradient")] : [])];
}

/** ∂y/∂c: how the answer y changes with it. */
const slopeBy = (at) => [named(`∂y/∂${/\W/.test(at.replace(/\[t.*\]$/, "")) ? `(${at})` : at}`)];

/** Equations: the whole first, then each part of it with what is in it. */
function lines(expression) {
  const found = [], waiting = [expression];
  while (waiting.length) {
    const { name, value, symbol, args, terms, of } = waiting.shift();
    const left = name ? [named(name), " = "] : [];
    if (args) {
      const shown = args.map((arg) => (arg.args || arg.terms || !arg.name ? [strong(arg.value)] : [named(arg.name), " ", strong(arg.value)]));
      const right = INFIX.has(symbol) && shown.length > 1 ? joined(shown, ` ${symbol} `) : [`${symbol}(`, ...joined(shown, ", "), ")"];
      found.push(name ? [...left, ...right, " = ", strong(value)] : [strong(value), " = ", ...right]);
      waiting.unshift(...args.filter((arg) => arg.args || arg.terms));
    } else if (terms) {
      const some = terms.slice(0, SHOWN).map(([a, w]) => [`${brief(w)}·${brief(a)}`]);
      const rest = terms.length > SHOWN ? [" ", say("more", { count: terms.length - SHOWN })] : [];
      found.push([strong(value), " = ", ...joined(some, " + "), ...rest, make("small", {}, ` ${say("weighs", { of: [...of].reverse().join(" × ").replaceAll("[t-", "[t−") })}`)]);
    } else found.push([...left, strong(value)]);
  }
  return found;
}

const strong = (value, look = null) => make("b", { class: look }, figures(value));

/** Three figures of small numbers too, so that sums and products can be checked. */
function figures(value) {
  const size = Math.abs(value);
  return size >= 1e-3 && size < 0.1 ? value.toPrecision(3).replace("-", "−") : brief(value);
}

/** A name; "t-1" in it is written with a minus, at which no line breaks. */
const named = (text) => make("i", {}, text.replaceAll("[t-", "[t−"));

function joined(parts, between) {
  return parts.flatMap((part, i) => (i ? [between, ...part] : part));
}

/** The gradient along an edge; of a state, the Jacobians from there to the end. */
export function showEdge(host, found, t) {
  const { jacobians } = found;
  const most = Math.max(...found.gradient.map(Math.abs), 1e-30);
  host.replaceChildren(
    make("h3", {}, say("edgeTitle", { t })),
    make("p", {}, say("edgeLook", { norm: brief(found.norm) })),
    matrix([found.gradient], most, "vector", {}),
    make("p", { class: "lines" }, found.gradient.map(brief).join("   ")),
    ...(jacobians?.step ? [make("div", { class: "jacobians" }, jacobian("stepJacobian", jacobians.step, jacobians.slices), jacobian("productJacobian", jacobians.product, jacobians.slices))] : []));
}

function jacobian(key, { matrix: rows, norm, largest }, slices) {
  const most = Math.max(1e-30, ...rows.flat().map(Math.abs));
  return make("figure", {}, make("figcaption", {}, say(key), make("br"), make("b", { class: "gradient term", title: `${say("term.norm")} ${say("term.singular")}` }, say("largest", { norm: brief(norm), largest: brief(largest) }))),
    matrix(rows, most, "matrix", slices, `${say(key)}: ${say("largest", { norm: brief(norm), largest: brief(largest) })}`));
}

/** Numbers as colours, on a scale of their own; borders and names where states begin. */
function matrix(rows, most, look, slices, told) {
  const height = rows.length, width = rows[0].length, room = Object.keys(slices).length ? 1.4 : 0;
  const svg = draw("svg", { class: look, preserveAspectRatio: "xMinYMin", viewBox: `${-room} ${-room} ${width + room} ${height + room}`, role: "img", "aria-label": rows.length === 1 ? rows[0].map(brief).join(" ") : told });
  rows.forEach((row, i) => row.forEach((value, j) => svg.append(
    draw("rect", { x: j, y: i, width: 1, height: 1, style: `fill:var(--v-d${Math.round((value / most + 1) * 5)})` }, draw("title", {}, brief(value))))));
  for (const [name, [start, stop]] of Object.entries(slices)) {
    svg.append(draw("path", { class: "border", d: `M${start} 0V${height}M0 ${start}H${width}` }),
      draw("text", { x: (start + stop) / 2, y: -0.3, "font-size": Math.min(1.2, width / 10) }, name),
      draw("text", { x: -0.6, y: (start + stop) / 2 + 0.3, "font-size": Math.min(1.2, width / 10) }, name));
  }
  return svg;
}
