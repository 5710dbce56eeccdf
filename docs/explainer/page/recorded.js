// The program of a page that was kept (record.mjs): it shows what was recorded, and needs nothing.
const { frames, losses, texts, words } = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main"), slider = document.getElementById("moment");

const element = (name, html = "", attributes = {}) => {
  const made = document.createElement(name);
  made.innerHTML = html;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

const curve = (lines, low, high) => {
  const path = (values, series, dash) => {
    const d = values.map((v, i) => {
      const place = v > 0 ? (Math.log10(v) - low) / (high - low) : -9; // what leaves the chart is cut off
      return `${i ? "L" : "M"}${(10 + i / Math.max(1, values.length - 1) * 580).toFixed(1)} ${(150 - Math.min(Math.max(place, -9), 9) * 140).toFixed(1)}`;
    }).join("");
    return `<path class="m${series}" d="${d}"${dash ? ' stroke-dasharray="6 4"' : ""}/>`;
  };
  return `<svg class="curve" viewBox="0 0 600 160">${lines.map(([values, series, dash]) => path(values, series, dash)).join("")}</svg>`;
};

const shown = {};
const charts = element("section");
for (const [series, name] of ["a", "b"].entries()) {
  shown[name] = { title: element("h2"), picture: element("div", "", { class: "scroll" }), answer: element("p"), series };
  const code = element("details", "<summary>Python</summary>");
  const text = element("pre");
  text.textContent = texts[name];
  code.append(text);
  const section = element("section");
  section.append(shown[name].title, shown[name].picture, shown[name].answer, code);
  main.append(section);
}
main.append(charts);

slider.oninput = () => {
  const frame = frames[slider.value];
  document.getElementById("told").textContent = frame.moment;
  for (const [name, { title, picture, answer, series }] of Object.entries(shown)) {
    const { cell, svg, view, answer: given, right } = frame.sides[name];
    title.textContent = `${name.toUpperCase()} · ${cell}`;
    const left = picture.scrollLeft || 1e6;
    picture.innerHTML = `<svg viewBox="${view.join(" ")}" width="${view[2]}" height="${view[3]}">${svg}</svg>`;
    picture.scrollLeft = left;
    answer.textContent = words.answered.replace("{answer}", given).replace("{right}", right);
  }
  const flows = Object.entries(shown).flatMap(([name, { series }]) => Object.values(frame.sides[name].flow).map((values, n) => [values, series, n > 0]));
  charts.innerHTML = `<h2>${words.flow}</h2>${curve(flows, -8, 1)}` + (losses.a.length ? `<h2>${words.loss}</h2>${curve([[losses.a, 0], [losses.b, 1]], -3, 1)}` : "");
};
slider.oninput();
