import { refused } from "./refusals.js";
import { save } from "./saved.js";

// Forms that answer with a file: it is saved, and what goes wrong is said in the form.

const named = (answer) => /filename="([^"]+)"/.exec(answer.headers.get("content-disposition"))[1];

for (const form of document.querySelectorAll("form[data-saves]")) {
  const button = form.querySelector("button");
  const output = form.querySelector("output");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.textContent = "";
    button.disabled = true;
    form.classList.add("htmx-request");
    try {
      const answer = await fetch(form.action, { method: "POST", headers: { "HX-Request": "true" } });
      const there = answer.headers.get("hx-redirect");
      if (there) location.assign(there);
      else if (!answer.ok) await refused(output, answer);
      else save(await answer.blob(), named(answer));
    } catch {
      output.textContent = "The service did not answer; try it again.";
    }
    form.classList.remove("htmx-request");
    button.disabled = false;
  });
}
