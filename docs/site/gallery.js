(() => {
  // Without a mathematical font, Chromium leaves indices on the line: see whether they are lowered.
  const [base, index] = document.querySelector("msub")?.children ?? [];
  const bottom = (element) => element.getBoundingClientRect().bottom;
  if (index && bottom(index) < bottom(base) + 1) document.documentElement.classList.add("plain-math");

  const body = document.querySelector("tbody");
  const heads = [...document.querySelectorAll("thead th")];
  const key = (row, column) => row.cells[column].dataset.by;
  const compare = (a, b) => (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
  heads.forEach((head, column) => {
    head.querySelector("button").onclick = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].sort((a, b) => compare(key(a, column), key(b, column)));
      body.append(...(up ? rows : rows.reverse()));
    };
  });

  const search = document.querySelector("input[type=search]");
  const families = [...document.querySelectorAll(".filters input[type=checkbox]")];
  const articles = [...document.querySelectorAll("article")];
  const words = new Map(articles.map((a) => [a.dataset.name, a.textContent.toLowerCase()]));
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    const kept = new Set(families.filter((box) => box.checked).map((box) => box.value));
    for (const element of [...body.rows, ...articles]) {
      const { name, family } = element.dataset;
      element.hidden = !kept.has(family) || !(name + words.get(name)).includes(wanted);
    }
  };
  search.oninput = filter;
  for (const box of families) box.onchange = filter;
})();
