// Blur and greyscale, kept in this browser. Not a module: no picture may show before.

(() => {
  const look = document.documentElement;
  const kept = (name) => localStorage.getItem(`sight-${name}`) === "yes";
  for (const name of ["blurred", "grey"]) look.classList.toggle(name, kept(name));
  document.addEventListener("change", ({ target }) => {
    const name = target.dataset.shows;
    if (!name) return;
    localStorage.setItem(`sight-${name}`, target.checked ? "yes" : "no");
    look.classList.toggle(name, target.checked);
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const box of document.querySelectorAll("[data-shows]")) box.checked = kept(box.dataset.shows);
  });
})();
