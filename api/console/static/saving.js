import { refused } from "./refusals.js";

// Forms that answer with a file: it is saved, and what goes wrong is said in the form.

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
      else save(await answer.blob(), answer.headers.get("content-disposition"));
    } catch {
      output.textContent = "The service did not answer; try it again.";
    }
    form.classList.remove("htmx-request");
    button.disabled = false;
  });
}

function save(data, disposition) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(data);
  link.download = disposition.match(/filename="([^"]+)"/)[1];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
