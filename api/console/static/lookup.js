import { refused } from "./refusals.js";

// Images that are dropped, pasted or chosen. One leads to its answer; of many each gets a card.

const AT_ONCE = 2;
const form = document.getElementById("ask");
const input = document.getElementById("image");
const results = document.getElementById("results");

function hand(files) {
  const images = [...files].filter((file) => file.type.startsWith("image/"));
  if (images.length < files.length) {
    const left = document.createElement("p");
    left.className = "note";
    left.textContent = `Not taken: ${files.length - images.length} of these files, which the browser takes for no images. Choose them instead.`;
    results.prepend(left);
  }
  if (!images.length) return;
  const given = new DataTransfer();
  images.forEach((image) => given.items.add(image));
  input.files = given.files;
  form.requestSubmit();
}

async function card(file) {
  const waiting = document.createElement("p");
  waiting.className = "card";
  waiting.textContent = `Looking up ${file.name} …`;
  results.append(waiting);
  const body = new FormData(form);
  body.set("image", file);
  body.set("is_one_of_many", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } });
    const there = answer.headers.get("hx-redirect");
    if (there) { location.assign(there); return; }
    if (answer.ok) { waiting.outerHTML = await answer.text(); return; }
    const why = document.createElement("span");
    waiting.textContent = `${file.name}: `;
    waiting.append(why);
    await refused(why, answer);
  } catch {
    waiting.textContent = `${file.name}: the service did not answer; try it again.`;
  }
}

async function cards(files) {
  const left = [...files];
  const work = async () => { for (let file = left.shift(); file; file = left.shift()) await card(file); };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

form.addEventListener("submit", (event) => {
  if (input.files.length < 2) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  cards(input.files);
}, { capture: true });

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); form.classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) {
  document.addEventListener(name, () => form.classList.remove("over"));
}
document.addEventListener("drop", (event) => { event.preventDefault(); hand(event.dataTransfer.files); });
document.addEventListener("paste", (event) => hand(event.clipboardData.files));
input.addEventListener("change", () => { if (input.files.length) form.requestSubmit(); });
