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
