import { said } from "./refusals.js";
import { save } from "./saved.js";

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
const away = failed.textContent;

function fail(words) {
  failed.textContent = words;
  failed.hidden = false;
}

document.addEventListener("htmx:before:request", () => { failed.hidden = true; });
document.addEventListener("htmx:error", (event) => {
  if (!event.detail.ctx?.response) fail(away);
});

// A button with `data-closes` closes the dialog that it is in. What opens one (`commandfor`) needs no
// script but in browsers of before 2026.
const opensByItself = "commandForElement" in HTMLButtonElement.prototype;
document.addEventListener("click", (event) => {
  event.target.closest("[data-closes]")?.closest("dialog").close();
  const opener = event.target.closest("[commandfor]");
  if (opener && !opensByItself) document.getElementById(opener.getAttribute("commandfor")).showModal();
});

// A link with `data-table` saves a whole list as a table, page by page, under that name: JSON Lines
// where the name says so, CSV otherwise. It is hidden until it can.
function offer(within) {
  for (const link of within.querySelectorAll("a[data-table]")) link.hidden = false;
}

offer(document);
document.addEventListener("htmx:after:swap", () => offer(document));

async function table(link) {
  const rows = [];
  const isLines = link.dataset.table.endsWith(".jsonl");
  const type = isLines ? "application/jsonl" : "text/csv";
  for (let url = link.href; url; ) {
    const answer = await fetch(url, { headers: { accept: type } });
    if (!answer.ok) throw new Error(said(await answer.text()));
    const text = await answer.text();
    rows.push(rows.length && !isLines ? text.slice(text.indexOf("\n") + 1) : text);
    const next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "");
    url = next ? new URL(next[1], url).href : null;
  }
  save(new Blob(rows, { type }), link.dataset.table);
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-table]");
  if (!link) return;
  event.preventDefault();
  link.setAttribute("aria-busy", "true");
  try { await table(link); } catch (error) { fail(error instanceof TypeError ? away : error.message); }
  link.removeAttribute("aria-busy");
});
