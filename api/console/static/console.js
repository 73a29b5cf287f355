import { said } from "./refusals.js";

// What every page needs: times in the reader's zone, words when the service is away.

const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function localise(within) {
  for (const time of within.querySelectorAll("time:not([title])")) {
    time.title = time.textContent;
    time.textContent = zoned.format(new Date(time.dateTime));
  }
}

localise(document);
document.addEventListener("htmx:after:swap", () => localise(document));

document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// What refuses a request before a page is asked answers with a problem, which is no markup.
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (!ctx.response.headers.get("content-type")?.includes("json")) return;
  const part = document.createElement("p");
  part.className = "problem";
  part.role = "alert";
  part.textContent = said(ctx.text);
  ctx.text = part.outerHTML;
});

const failed = document.getElementById("failed");
document.addEventListener("htmx:before:request", () => { failed.hidden = true; });
document.addEventListener("htmx:error", (event) => {
  if (!event.detail.ctx?.response) failed.hidden = false;
});

// A button with `data-opens` opens a dialog, one with `data-closes` closes the one that it is in.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog").close();
});

// A link with `data-table` saves a whole list as a table: page by page, under that name.
async function table(link) {
  const rows = [];
  for (let url = link.href; url; ) {
    const answer = await fetch(url, { headers: { accept: "text/csv" } });
    if (!answer.ok) throw new Error(await answer.text());
    const text = await answer.text();
    rows.push(rows.length ? text.slice(text.indexOf("\n") + 1) : text);
    const next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "");
    url = next ? new URL(next[1], url).href : null;
  }
  const saved = document.createElement("a");
  saved.href = URL.createObjectURL(new Blob(rows, { type: "text/csv" }));
  saved.download = link.dataset.table;
  saved.click();
  URL.revokeObjectURL(saved.href);
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-table]");
  if (!link) return;
  event.preventDefault();
  link.setAttribute("aria-busy", "true");
  try { await table(link); } catch { failed.hidden = false; }
  link.removeAttribute("aria-busy");
});
