// What the service says when it refuses something, put into the page: a part of one, or a problem.

export async function refused(place, answer) {
  const text = await answer.text();
  if (answer.headers.get("content-type")?.startsWith("text/html")) { place.innerHTML = text; return; }
  place.textContent = said(text);
  place.classList.add("problem");
}

export function said(text) {
  try { return JSON.parse(text).detail ?? text; } catch { return text; }
}
