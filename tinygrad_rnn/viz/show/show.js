"use strict";
// The page holds a picture for every position of the sliders; here one of each card is shown.
const data = JSON.parse(document.getElementById("data").textContent);
const slider = (n) => document.getElementById("k" + n);

function show() {
  data.knobs.forEach((knob, n) => {
    const place = Number(slider(n).value);
    document.getElementById("v" + n).textContent = knob.values[place];
    document.getElementById("t" + n).textContent = knob.told[place];
    slider(n).setAttribute("aria-valuetext", knob.values[place] + ", " + knob.told[place]);
  });
  data.cards.forEach((card, n) => {
    const svg = document.getElementById("c" + n), [width, height] = card.size;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.innerHTML = card.frames[card.knobs.map((k) => slider(k).value).join(",")];
    svg.setAttribute("aria-label", [...svg.querySelectorAll(".heading,.told")].map((e) => e.textContent).join(" "));
  });
}
data.knobs.forEach((_, n) => slider(n).addEventListener("input", show));
show();
