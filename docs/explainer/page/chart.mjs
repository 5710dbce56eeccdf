// Line charts, drawn as SVG.
import { draw, brief } from "./dom.mjs";

const HEIGHT = 204, LEFT = 58, RIGHT = 14, TOP = 30, BOTTOM = 42;
const BEYOND = 40; // powers of ten past the axis to which a line that leaves it is drawn, unseen

/**
 * A chart in `host`. `lines`: [{name, values, series, dash}], of `count` values at most.
 * `low`, `high`: powers of ten at the ends of the axis; a line ends where it leaves them, which
 * `below` and `above` say; what is exactly 0 is left out, and `zero` says so. `axes`: the names of both. `across`: {value, name} of a line across.
 * `width`: in pixels, of a host that is not on the page. `mark`: the value that is looked at. `empty`: what is said where there are no values yet.
 */
export function chart(host, { lines, count, low, high, axes, below, above, zero, across, mark, label, onpick, empty, width = host.clientWidth }) {
  const WIDTH = Math.round(Math.min(Math.max(width, 260), 1100));
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": label });
  const right = WIDTH - RIGHT, bottom = HEIGHT - BOTTOM;
  const x = (i) => LEFT + (count > 1 ? i / (count - 1) : 0.5) * (right - LEFT);
  const y = (value) => {
    const power = value > 0 ? Math.log10(value) : -Infinity;
    return bottom - (Math.min(Math.max(power, low - BEYOND), high + BEYOND) - low) / (high - low) * (bottom - TOP);
  };
  const every = Math.ceil((high - low) / 5);
  for (let power = low; power <= high; power += 1) {
    if ((power - high) % every) continue;
    const at = y(10 ** power);
    svg.append(draw("path", { class: "grid", d: `M${LEFT} ${at}H${right}` }),
      draw("text", { class: "tick end", x: LEFT - 7, y: at + 4 }, ...powerOfTen(power)));
  }
  for (const i of ticks(count, WIDTH / 60)) svg.append(draw("text", { class: "tick", x: x(i), y: bottom + 16 }, String(i)));
  svg.append(draw("text", { class: "tick", x: (LEFT + right) / 2, y: HEIGHT - 6 }, axes[0]), draw("text", { class: "tick start", x: 6, y: 15 }, axes[1]));
  if (across && across.value > 0) {
    const at = y(across.value);
    svg.append(draw("path", { class: "across", d: `M${LEFT} ${at}H${right}` }),
      draw("text", { class: "tick end", x: right, y: at - 5 }, across.name));
  }
  // A picture within the picture, which cuts off what is outside of the axis.
  const plot = draw("svg", { x: LEFT - 5, y: TOP - 3, width: right - LEFT + 10, height: bottom - TOP + 6, viewBox: `${LEFT - 5} ${TOP - 3} ${right - LEFT + 10} ${bottom - TOP + 6}` });
  const out = { below: false, above: false }; // where a line leaves
  if (mark !== undefined && mark < count) svg.append(draw("path", { class: "now", d: `M${x(mark)} ${TOP - 6}V${bottom}` }));
  for (const { name, values, series, dash } of lines) {
    const points = values.map((v, i) => [x(i), typeof v === "number" && v > 0 ? y(v) : null]); // a string: nan or inf
    if (!points.length) continue;
    const d = points.map(([a, b], i) => (b === null ? "" : `${i && points[i - 1][1] !== null ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`)).join("");
    plot.append(draw("path", { class: `line m${series}`, d, "stroke-dasharray": dash ? "6 4" : null },
      draw("title", {}, name)));
    out.below ||= points.some(([, b]) => b > bottom + 1);
    out.above ||= points.some(([, b]) => b !== null && b < TOP - 1);
    if (mark !== undefined && points[mark]?.[1] != null) plot.append(draw("circle", { class: `dot m${series}`, cx: points[mark][0], cy: points[mark][1], r: 4 }));
  }
  svg.append(plot);
  const zeros = Math.min(...lines.map(({ values }) => values.findIndex((v) => v !== 0)).filter((n) => n > 0));
  if (zero && zeros < count) svg.append(draw("text", { class: "tick halo", x: Math.max(x((zeros - 1) / 2), LEFT + 60), y: (TOP + bottom) / 2 }, zero));
  if (above && out.above) svg.append(draw("text", { class: "tick start halo", x: LEFT + 6, y: TOP + 12 }, above));
  if (below && out.below) svg.append(draw("text", { class: "tick start halo", x: LEFT + 6, y: bottom - 5 }, below));
  if (empty && lines.every(({ values }) => !values.length)) svg.append(draw("text", { class: "tick halo", x: (LEFT + right) / 2, y: (TOP + bottom) / 2 }, empty));
  if (onpick) {
    svg.classList.add("pick");
    svg.addEventListener("pointerdown", (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width * WIDTH - LEFT) / (right - LEFT) * (count - 1);
      onpick(Math.min(Math.max(Math.round(at), 0), count - 1));
    });
  }
  const legend = document.createElement("ul");
  legend.className = "legend";
  for (const { name, values, series, dash } of lines) {
    const item = document.createElement("li");
    const shown = values[mark ?? values.length - 1];
    item.append(draw("svg", { viewBox: "0 0 26 10", width: 26, height: 10, "aria-hidden": "true" },
      draw("path", { class: `line m${series}`, d: "M1 5H25", "stroke-dasharray": dash ? "6 4" : null })),
    ` ${name}`, shown === undefined ? "" : `: ${brief(shown)}`);
    legend.append(item);
  }
  host.replaceChildren(svg, legend);
}

function powerOfTen(power) {
  if (power === 0) return ["1"];
  const up = draw("tspan", { class: "power", dy: -4 }, String(power).replace("-", "−"));
  return ["10", up];
}

function ticks(count, most) {
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((n) => count / n <= most) ?? Math.ceil(count / most);
  return Array.from({ length: Math.ceil(count / every) }, (_, i) => i * every);
}
