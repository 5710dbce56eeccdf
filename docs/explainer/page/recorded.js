// The program of a page that was kept (record.mjs): it shows what was recorded, and needs nothing.
const { frames, texts, words } = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main"), slider = document.getElementById("moment");

const element = (name, html = "", attributes = {}) => {
  const made = document.createElement(name);
  made.innerHTML = html;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

const shown = {};
const charts = element("section", "", { class: "charts" });
for (const name of ["a", "b"]) {
  shown[name] = { title: element("h2"), picture: element("div", "", { class: "scroll" }), answer: element("p") };
  const code = element("details", `<summary>${words.code}</summary>`);
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
  for (const [name, { title, picture, answer }] of Object.entries(shown)) {
    const { cell, svg, view, said, answered } = frame.sides[name];
    title.textContent = `${name.toUpperCase()} · ${cell}`;
    const left = picture.scrollLeft || 1e6;
    picture.innerHTML = `<svg role="img" viewBox="${view.join(" ")}" width="${view[2]}" height="${view[3]}">${svg}</svg>`;
    picture.firstChild.setAttribute("aria-label", said);
    picture.scrollLeft = left;
    answer.textContent = answered;
  }
  charts.innerHTML = [[words.flow, frame.flow], [words.loss, frame.loss]].filter(([, chart]) => chart)
    .map(([title, chart]) => `<div><h2>${title}</h2>${chart}</div>`).join("");
};
slider.oninput();
