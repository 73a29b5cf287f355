// Two pictures, one zoom: side by side, blinking, one over the other, or what differs.

const root = document.getElementById("compare");
const image = document.getElementById("image");
const work = document.getElementById("work");
const which = document.getElementById("which");
const views = [...root.querySelectorAll(".view")];
const moved = [...root.querySelectorAll(".moved")];
const json = (text) => (text ? JSON.parse(text) : null);
const [onto, onImage, onWork] = [root.dataset.onto, root.dataset.image, root.dataset.work].map(json);
const [STEP, FACTOR, MOST, BLINK_MS] = [60, 1.25, 40, 700];
const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;

let mode = "side";
let zoom = { scale: 1, x: 0, y: 0 };
let blinking = null;
let laid = null; // the work as a canvas on the image

// ---- zoom and pan ----

function move() {
  const { scale, x, y } = zoom;
  for (const one of moved) one.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
}

function zoomBy(factor, x, y) {
  const scale = Math.min(MOST, Math.max(1, zoom.scale * factor));
  const grown = scale / zoom.scale;
  zoom = { scale, x: x - (x - zoom.x) * grown, y: y - (y - zoom.y) * grown };
  move();
}

function panBy(x, y) {
  zoom = { ...zoom, x: zoom.x + x, y: zoom.y + y };
  move();
}

function reset() {
  zoom = { scale: 1, x: 0, y: 0 };
  move();
}

function zoomAtMiddle(factor) {
  zoomBy(factor, views[0].clientWidth / 2, views[0].clientHeight / 2);
}

const pointers = new Map();
for (const view of views) {
  const place = (event) => {
    const box = view.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const apart = () => {
    const [one, other] = [...pointers.values()];
    return Math.hypot(one.x - other.x, one.y - other.y);
  };
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = place(event);
    zoomBy(Math.exp(-event.deltaY / 400), x, y);
  }, { passive: false });
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
  });
  view.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    const was = pointers.size === 2 ? apart() : 0;
    pointers.set(event.pointerId, now);
    panBy((now.x - before.x) / pointers.size, (now.y - before.y) / pointers.size);
    if (was) {
      const [one, other] = [...pointers.values()];
      zoomBy(apart() / was, (one.x + other.x) / 2, (one.y + other.y) / 2);
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    view.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }
}

// ---- one picture on the other ----

function fit(picture) {
  const sheet = picture.parentElement;
  const view = sheet.closest(".view");
  if (!picture.naturalWidth || !view.clientWidth) return;
  const scale = Math.min(view.clientWidth / picture.naturalWidth, view.clientHeight / picture.naturalHeight);
  const [width, height] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
  Object.assign(sheet.style, {
    width: `${width}px`,
    height: `${height}px`,
    left: `${(view.clientWidth - width) / 2}px`,
    top: `${(view.clientHeight - height) / 2}px`,
  });
}

// Where the work lies is known in parts of both pictures' sides; without that it is fitted in.
function matrix() {
  if (onto) return onto;
  const shape = work.naturalWidth / work.naturalHeight / (image.naturalWidth / image.naturalHeight);
  const [width, height] = shape > 1 ? [1, 1 / shape] : [shape, 1];
  return [width, 0, (1 - width) / 2, 0, height, (1 - height) / 2, 0, 0, 1];
}

function lay() {
  if (!laid) {
    laid = document.createElement("canvas");
    laid.className = "laid";
    laid.width = work.naturalWidth;
    laid.height = work.naturalHeight;
    laid.getContext("2d").drawImage(work, 0, 0);
    image.after(laid);
  }
  const [width, height] = [image.clientWidth, image.clientHeight];
  const [a, b, c, d, e, f, g, h, i] = matrix();
  const shown = [
    a, (d * height) / width, 0, g / width,
    (b * width) / height, e, 0, h / height,
    0, 0, 1, 0,
    c * width, f * height, 0, i,
  ];
  laid.style.transform = `matrix3d(${shown.join()})`;
}

function within(corners) {
  return corners ? `polygon(${corners.map(([x, y]) => `${x * 100}% ${y * 100}%`).join()})` : "";
}

function show(isWork) {
  laid.hidden = !isWork;
  which.textContent = isWork ? which.dataset.work : which.dataset.image;
}

function change(next) {
  const isOver = next !== "side";
  if (isOver && !(image?.naturalWidth && work?.naturalWidth)) return;
  mode = next;
  sessionStorage.setItem("compare-mode", mode);
  root.dataset.mode = mode;
  for (const button of root.querySelectorAll("button[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  clearInterval(blinking);
  which.textContent = isOver ? `${which.dataset.image}, and the work on it` : which.dataset.image;
  fitAll();
  if (!laid) return;
  laid.hidden = !isOver;
  adjust();
  if (mode !== "blink") return;
  show(true);
  if (!isCalm) blinking = setInterval(() => show(laid.hidden), BLINK_MS);
}

function adjust() {
  if (!laid) return;
  const isDifference = mode === "difference";
  laid.style.opacity = mode === "overlay" ? document.getElementById("opacity").value / 100 : 1;
  laid.style.clipPath = isDifference ? within(onWork) : "";
  image.style.clipPath = isDifference ? within(onImage) : "";
  const gain = document.getElementById("gain").value;
  image.parentElement.style.filter = isDifference ? `brightness(${gain})` : "";
}

function swap() {
  if (mode !== "blink") change("blink");
  if (mode !== "blink") return;
  clearInterval(blinking);
  show(laid.hidden);
}

function fitAll() {
  for (const picture of [image, work]) if (picture) fit(picture);
  if (mode !== "side") lay();
}

// ---- what a person does ----

function judge(verdict) {
  const form = document.querySelector("form.judging[data-waits]") ?? document.querySelector("form.judging");
  if (!form) {
    document.querySelector("#judgement [commandfor]")?.focus();
    return;
  }
  form.elements.verdict.value = verdict;
  form.elements.why.focus();
}

document.addEventListener("htmx:after:swap", () => {
  document.querySelector("#judgement [data-case]")?.focus(); // out of the field: keys mean something again
});

function outline() {
  document.getElementById("outlines")?.click();
}

const follow = (selector) => document.querySelector(selector)?.click();
const DOES = { in: () => zoomAtMiddle(FACTOR), out: () => zoomAtMiddle(1 / FACTOR), reset, swap };
const KEYS = {
  s: () => change("side"),
  b: () => change("blink"),
  o: () => change("overlay"),
  d: () => change("difference"),
  t: swap,
  l: outline,
  "+": DOES.in,
  "=": DOES.in,
  "-": DOES.out,
  0: reset,
  ArrowLeft: () => panBy(STEP, 0),
  ArrowRight: () => panBy(-STEP, 0),
  ArrowUp: () => panBy(0, STEP),
  ArrowDown: () => panBy(0, -STEP),
  n: () => follow("a[rel=next]"),
  p: () => follow("a[rel=prev]"),
  g: () => follow("[data-case]"),
  c: () => judge("confirmed"),
  r: () => judge("rejected"),
  u: () => judge("unclear"),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") event.target.blur();
  if (event.target.matches("input:not([type=checkbox]), textarea, select")) return;
  const does = KEYS[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.mode) change(button.dataset.mode);
  if (button?.dataset.does) DOES[button.dataset.does]();
});
for (const name of ["opacity", "gain"]) document.getElementById(name).addEventListener("input", adjust);
document.getElementById("outlines")?.addEventListener("change", (event) => {
  root.classList.toggle("outlined", event.target.checked);
});
new ResizeObserver(fitAll).observe(views[0]);

const isHere = (picture) => picture.decode().then(() => true, () => false);
const here = await Promise.all([image, work].filter(Boolean).map(isHere));
document.getElementById("unloaded").hidden = !here.includes(false);
fitAll();
change(sessionStorage.getItem("compare-mode") ?? "side");
