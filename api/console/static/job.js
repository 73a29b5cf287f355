// Follows the jobs of a page (`data-job`: where their events are): a bar, a rate, what is left.
// When one has ended the page is shown anew; `job:progress` tells parts of it to come again.

function said(state, begun, first) {
  if (state.waiting) return state.waiting;
  if (!state.total) return state.started_at ? "reading what there is …" : "waiting for its turn …";
  const seconds = (Date.now() - begun) / 1000;
  const rate = (state.done - first) / seconds;
  const count = `${state.done.toLocaleString()} of ${state.total.toLocaleString()}`;
  if (!(rate > 0) || seconds < 2) return count;
  const left = Math.ceil((state.total - state.done) / rate);
  const time = left < 90 ? `${left} s` : `${Math.ceil(left / 60)} min`;
  return `${count}, ${rate.toPrecision(2)} a second, about ${time} left`;
}

function follow(place) {
  const bar = place.querySelector("progress");
  const line = place.querySelector("[role=status]");
  const events = new EventSource(place.dataset.job);
  const begun = Date.now();
  let first = null;
  const show = (event) => {
    const state = JSON.parse(event.data);
    first ??= state.done;
    if (state.total) { bar.max = state.total; bar.value = state.done; }
    line.textContent = said(state, begun, first);
    document.body.dispatchEvent(new CustomEvent("job:progress"));
  };
  events.addEventListener("progress", show);
  events.addEventListener("ended", (event) => { show(event); events.close(); location.reload(); });
}

document.querySelectorAll("[data-job]").forEach(follow);
