// Small helpers for making elements.
const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

/** How the page scrolls by itself: at once for readers who want nothing to move. */
export const moving = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth");

/** An element with attributes ("on..." are listeners), and children: elements or texts. */
export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** A number for a reader: four digits at most, tiny ones as powers of ten. */
export function brief(value) {
  if (typeof value !== "number") return String(value);
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return value.toFixed(size < 10 ? 3 : size < 100 ? 2 : 1).replace("-", "−");
  const [digits, power] = value.toExponential(1).replace("e+", "e").split("e");
  return `${digits.replace("-", "−")}·10${[...power].map((c) => RAISED[c]).join("")}`;
}
