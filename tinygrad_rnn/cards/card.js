(() => {
  // Without a mathematical font, Chromium leaves indices on the line: see whether they are lowered.
  const [base, index] = document.querySelector("msub")?.children ?? [];
  const bottom = (element) => element.getBoundingClientRect().bottom;
  if (index && bottom(index) < bottom(base) + 1) document.documentElement.classList.add("plain-math");
  for (const button of document.querySelectorAll("button.copy")) {
    button.onclick = async () => {
      const text = button.parentElement.querySelector("pre").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = button.dataset.copied;
      } catch {
        getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
        button.textContent = button.dataset.selected;
      }
    };
  }
})();
