"use strict";
// The other theme than the one that is seen: the system's, or the reader's last choice.
function theme() {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = (root.dataset.theme ?? (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
}
document.getElementById("theme").addEventListener("click", theme);
