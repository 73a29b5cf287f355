// The map of the works: one walks on it, and asks the service for what is in view.

const root = document.getElementById("map");
if (root) {
  const { canvas, told, counted, legend, list } = {
    canvas: root.querySelector("canvas"),
    told: root.querySelector(".told"),
    counted: root.querySelector("[data-part=counted]"),
    legend: root.querySelector("[data-part=legend]"),
    list: root.querySelector("[data-part=list]"),
  };
  const pen = canvas.getContext("2d");
  const input = document.getElementById("image");
  const [FACTOR, STEP, WIDEST, CLOSEST] = [1.4, 0.2, 1.06, 1 / 1024];
  const [WAIT_MS, DOT_PX, NEAR_PX, PICTURE_PX, LISTED] = [150, 4, 14, 64, 24];
  const [MOST_PICTURES, KEPT_PICTURES, COLOURS] = [60, 200, 8];
  const WHOLE = { x: 0.5, y: 0.5, side: WIDEST };

  let view = { ...WHOLE }; // the middle, and how much of the map the shorter side shows
  let works = [];
  let pointed = null; // the work that a pointer or the focus is on
  let landing = null; // an image on the map: where, between what, and its picture
  let asked = null;
  let colours = {};
  const places = new Map(); // artist -> number of their colour, kept while they are in the legend
  const pictures = new Map();

  // ---- drawing ----

  const scale = () => Math.min(canvas.clientWidth, canvas.clientHeight) / view.side;
  const across = (x) => (x - view.x) * scale() + canvas.clientWidth / 2;
  const down = (y) => (y - view.y) * scale() + canvas.clientHeight / 2;
  const spot = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  function readColours() {
    const style = getComputedStyle(root);
    const named = (name) => style.getPropertyValue(name).trim();
    colours = {
      of: Array.from({ length: COLOURS }, (_, number) => named(`--artist-${number}`)),
      others: named("--muted"), ink: named("--ink"), landing: named("--focus"),
    };
  }

  // A shape as well as a colour: circle, square, triangle, diamond.
  function shape(number, x, y, r) {
    const kind = number === undefined ? 0 : number % 4;
    pen.beginPath();
    if (kind === 0) pen.arc(x, y, r, 0, 7);
    else if (kind === 1) pen.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
    else if (kind === 2) { pen.moveTo(x, y - r * 1.2); pen.lineTo(x + r * 1.1, y + r * 0.8); pen.lineTo(x - r * 1.1, y + r * 0.8); pen.closePath(); }
    else { pen.moveTo(x, y - r * 1.3); pen.lineTo(x + r * 1.3, y); pen.lineTo(x, y + r * 1.3); pen.lineTo(x - r * 1.3, y); pen.closePath(); }
  }

  const isInView = ({ x, y }) => {
    const [left, top] = [across(x), down(y)];
    return left >= 0 && top >= 0 && left <= canvas.clientWidth && top <= canvas.clientHeight;
  };

  function picture(id) {
    if (!pictures.has(id)) {
      if (pictures.size >= KEPT_PICTURES) pictures.delete(pictures.keys().next().value);
      const made = new Image();
      made.src = `${root.dataset.pictures}/${id}/thumbnail`;
      pictures.set(id, made);
      made.decode().then(draw, () => {}); // a work that has none is a dot
    }
    return pictures.get(id);
  }

  function lay(drawn, x, y, edge) {
    const [wide, high] = [drawn.naturalWidth ?? drawn.width, drawn.naturalHeight ?? drawn.height];
    const grown = PICTURE_PX / Math.max(wide, high);
    const [w, h] = [wide * grown, high * grown];
    pen.fillStyle = edge;
    pen.fillRect(x - w / 2 - 2, y - h / 2 - 2, w + 4, h + 4);
    pen.drawImage(drawn, x - w / 2, y - h / 2, w, h);
  }

  let isDue = false;
  function draw() {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => { isDue = false; paint(); });
  }

  function paint() {
    const ratio = devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    const shown = works.filter(isInView);
    const hasPictures = shown.length <= MOST_PICTURES;
    if (landing) paintLines();
    for (const one of shown) {
      const [x, y, number] = [across(one.x), down(one.y), places.get(one.slug)];
      const edge = colours.of[number] ?? colours.others;
      const drawn = hasPictures && one.is_shown ? picture(one.id) : null;
      if (drawn?.naturalWidth) { lay(drawn, x, y, edge); continue; }
      pen.fillStyle = edge;
      shape(number, x, y, DOT_PX);
      pen.fill();
    }
    if (landing) paintLanding();
    if (pointed) {
      pen.strokeStyle = colours.ink;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(across(pointed.x), down(pointed.y), DOT_PX * 2.2, 0, 7);
      pen.stroke();
    }
  }

  function paintLines() {
    pen.strokeStyle = colours.landing;
    pen.lineWidth = 2;
    for (const one of landing.nearest) {
      pen.beginPath();
      pen.moveTo(across(landing.x), down(landing.y));
      pen.lineTo(across(one.x), down(one.y));
      pen.stroke();
    }
  }

  function paintLanding() {
    const [x, y] = [across(landing.x), down(landing.y)];
    if (landing.picture) { lay(landing.picture, x, y, colours.landing); return; }
    pen.fillStyle = colours.landing;
    shape(3, x, y, DOT_PX * 2);
    pen.fill();
  }

  // ---- what is in view ----

  let timer = null;
  function changed() {
    draw();
    clearTimeout(timer);
    timer = setTimeout(load, WAIT_MS);
  }

  async function load() {
    asked?.abort();
    asked = new AbortController();
    const [wide, high] = [canvas.clientWidth / scale() / 2, canvas.clientHeight / scale() / 2];
    const box = [view.x - wide, view.y - high, view.x + wide, view.y + high].map((one) => one.toFixed(6));
    try {
      const answer = await fetch(`${root.dataset.from}?box=${box}`, { signal: asked.signal });
      if (!answer.ok) { counted.textContent = (await answer.json()).detail; return; }
      show(await answer.json());
    } catch (error) {
      if (error.name !== "AbortError") counted.textContent = "The service did not answer. Move the map to try again.";
    }
  }

  function show(found) {
    works = found.works;
    const number = works.length.toLocaleString("en");
    counted.textContent = found.is_sample ? `A sample of ${number} works; zoom in to see more.` : `${number} ${works.length === 1 ? "work" : "works"} in view.`;
    pointed = null;
    told.hidden = true;
    colour();
    tell();
    draw();
  }

  function colour() {
    const counts = new Map();
    const names = new Map();
    for (const one of works) {
      counts.set(one.slug, (counts.get(one.slug) ?? 0) + 1);
      names.set(one.slug, one.name);
    }
    const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, COLOURS).map(([slug]) => slug);
    for (const slug of [...places.keys()]) if (!most.includes(slug)) places.delete(slug);
    const free = colours.of.map((_, number) => number).filter((number) => ![...places.values()].includes(number));
    for (const slug of most) if (!places.has(slug)) places.set(slug, free.shift());
    legend.replaceChildren(...most.map((slug) => entry(places.get(slug), `${names.get(slug)} ${counts.get(slug).toLocaleString("en")}`)));
    const left = works.length - most.reduce((sum, slug) => sum + counts.get(slug), 0);
    if (left) legend.append(entry(undefined, `others ${left.toLocaleString("en")}`));
  }

  const SHAPES = ["M6 1a5 5 0 1 0 .01 0z", "M1.5 1.5h9v9h-9z", "M6 .5l5.5 10h-11z", "M6 0l6 6-6 6-6-6z"];
  function entry(number, says) {
    const item = document.createElement("li");
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    for (const [name, value] of Object.entries({ viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true" })) svg.setAttribute(name, value);
    path.setAttribute("d", SHAPES[number === undefined ? 0 : number % 4]);
    path.setAttribute("class", number === undefined ? "others" : `artist-${number}`);
    svg.append(path);
    item.append(svg, ` ${says}`);
    return item;
  }

  // The works in the middle as links: for whoever sees no map, and for the keyboard.
  function tell() {
    if (list.contains(document.activeElement)) return;
    const away = (one) => (one.x - view.x) ** 2 + (one.y - view.y) ** 2;
    const middle = works.map((one) => [away(one), one]).sort((a, b) => a[0] - b[0]).slice(0, LISTED);
    list.replaceChildren(...middle.map(([, one]) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `${root.dataset.works}/${one.id}`;
      link.textContent = one.title || "Untitled";
      link.addEventListener("focus", () => point(one));
      link.addEventListener("blur", () => point(null));
      link.addEventListener("mouseenter", () => point(one));
      link.addEventListener("mouseleave", () => point(null));
      item.append(link, ` ${one.name}`);
      return item;
    }));
  }

  function point(one) {
    pointed = one;
    told.hidden = !one;
    canvas.classList.toggle("pointing", Boolean(one));
    if (one) {
      told.textContent = `${one.title || "Untitled"}, ${one.name}`;
      const left = Math.min(Math.max(across(one.x), 0), canvas.clientWidth);
      told.style.translate = `${-100 * (left / canvas.clientWidth)}% ${-100}%`;
      told.style.left = `${left}px`;
      told.style.top = `${Math.max(down(one.y) - NEAR_PX, 30)}px`;
    }
    draw();
  }

  function under({ x, y }) {
    let [best, least] = [null, NEAR_PX ** 2];
    for (const one of works) {
      const away = (across(one.x) - x) ** 2 + (down(one.y) - y) ** 2;
      if (away < least) [best, least] = [one, away];
    }
    return best;
  }

  // ---- walking ----

  function zoomBy(factor, at = { x: canvas.clientWidth / 2, y: canvas.clientHeight / 2 }) {
    const before = scale();
    view.side = Math.min(WIDEST, Math.max(CLOSEST, view.side / factor));
    const [x, y] = [at.x - canvas.clientWidth / 2, at.y - canvas.clientHeight / 2];
    move(x / before - x / scale(), y / before - y / scale());
  }

  function move(x, y) {
    view.x = Math.min(1, Math.max(0, view.x + x));
    view.y = Math.min(1, Math.max(0, view.y + y));
    told.hidden = true;
    pointed = null;
    changed();
  }

  function whole() {
    view = { ...WHOLE };
    changed();
  }

  const step = (x, y) => () => move(x * STEP * view.side, y * STEP * view.side);
  const DOES = {
    in: () => zoomBy(FACTOR), out: () => zoomBy(1 / FACTOR), whole,
    left: step(-1, 0), right: step(1, 0), up: step(0, -1), down: step(0, 1),
  };
  const KEYS = { "+": "in", "=": "in", "-": "out", 0: "whole", ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

  root.addEventListener("click", (event) => DOES[event.target.closest("button")?.dataset.does]?.());
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    DOES[KEYS[event.key]]();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 400), spot(event));
  }, { passive: false });

  const pointers = new Map();
  let walked = 0; // pixels since the pointer went down
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, spot(event));
    walked = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = spot(event);
    const before = pointers.get(event.pointerId);
    if (!before) { point(under(now)); return; }
    const apart = () => { const [one, other] = [...pointers.values()]; return Math.hypot(one.x - other.x, one.y - other.y); };
    const was = pointers.size === 2 ? apart() : 0;
    pointers.set(event.pointerId, now);
    walked += Math.hypot(now.x - before.x, now.y - before.y);
    move((before.x - now.x) / scale() / pointers.size, (before.y - now.y) / scale() / pointers.size);
    if (!was) return;
    const [one, other] = [...pointers.values()];
    zoomBy(apart() / was, { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
  });
  canvas.addEventListener("pointerup", (event) => {
    const work = pointers.size === 1 && walked < 4 ? under(spot(event)) : null;
    pointers.delete(event.pointerId);
    if (work) location.assign(`${root.dataset.works}/${work.id}`);
  });
  canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => { if (!pointers.size) point(null); });

  // ---- an image on the map ----

  for (const name of ["dragover", "drop"]) root.addEventListener(name, (event) => event.preventDefault());
  root.addEventListener("drop", (event) => {
    if (!input || !event.dataTransfer.files.length) return;
    const given = new DataTransfer();
    given.items.add(event.dataTransfer.files[0]);
    input.files = given.files;
    input.form.requestSubmit();
  });
  input?.addEventListener("change", () => { if (input.files.length) input.form.requestSubmit(); });

  document.addEventListener("htmx:after:swap", async () => {
    const found = root.querySelector("[data-landing]");
    if (!found || landing?.from === found) return;
    landing = { ...JSON.parse(found.dataset.landing), from: found };
    const around = [landing, ...landing.nearest];
    const [xs, ys] = [around.map((one) => one.x), around.map((one) => one.y)];
    const [low, high] = [Math.min(...xs), Math.max(...xs)];
    const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
    view = { x: (low + high) / 2, y: (top + bottom) / 2, side: Math.min(WIDEST, Math.max(1.5 * Math.max(high - low, bottom - top), 16 * CLOSEST)) };
    changed();
    landing.picture = await createImageBitmap(input.files[0]).catch(() => null);
    draw();
  });

  // ---- the beginning ----

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); draw(); });
  new ResizeObserver(() => {
    const ratio = devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    changed();
  }).observe(canvas);
  readColours();
}
