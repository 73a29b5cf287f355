// Blur and greyscale, kept in this browser. Not a module: no picture may show before.

(() => {
  const look = document.documentElement;
  const kept = (name) => localStorage.getItem(`sight-${name}`) === "yes";
  for (const name of ["blurred", "grey"]) look.classList.toggle(name, kept(name));
  document.addEventListener("DOMContentLoaded", () => {
    for (const box of document.querySelectorAll("[data-shows]")) {
      const name = box.dataset.shows;
      box.checked = kept(name);
      box.addEventListener("change", () => {
        localStorage.setItem(`sight-${name}`, box.checked ? "yes" : "no");
        look.classList.toggle(name, box.checked);
      });
    }
  });
})();
