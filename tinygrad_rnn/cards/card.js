(() => {
  for (const button of document.querySelectorAll("button.copy")) {
    button.onclick = async () => {
      const text = button.parentElement.querySelector("pre").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
        button.textContent = "selected: copy with Ctrl+C";
      }
    };
  }
})();
