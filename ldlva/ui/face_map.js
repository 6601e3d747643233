// Panels of points, one per model, that know of each other: a face under the pointer is shown and ringed in every panel,
// and faces selected in one are marked in the others and listed. Nothing asks the server: the faces came along.

const CATCH = 14; // pixels around a point within which it answers
const MARGIN = 0.04; // of the panel, as in `ldlva.embedding.figures.shown_range`
const LISTED = 120;

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".face-map");
  if (root.mapKey === data.key) return;
  if (root.forget) root.forget();
  root.mapKey = data.key;
  root.forget = build(root, data);
  return () => { root.forget?.(); root.forget = null; root.mapKey = null; };
}

function build(root, data) {
  const count = data.names.length;
  const coarse = window.matchMedia("(pointer: coarse)").matches;
  const state = {
    colouring: data.colourings[0]?.key,
    tool: coarse ? "look" : "lasso",
    selected: new Set(),
    hovered: null,
    panel: 0,
  };
  const sheets = data.sheets.map((content) => URL.createObjectURL(blob(content)));
  const order = shuffled(count);
  root.replaceChildren();

  const bar = add(root, "div", "bar");
  const legend = add(root, "div", "legend");
  const grid = add(root, "div", "panels");
  const chosen = add(root, "div", "chosen");
  chosen.setAttribute("aria-live", "polite");
  const tip = add(root, "div", "tip");
  tip.setAttribute("role", "status");

  const colourButtons = group(bar, "Colour by", data.colourings.map((one) => [one.key, one.title]), (key) => {
    state.colouring = key;
    refresh();
  });
  const toolButtons = group(
    bar, "Drag to", [["look", coarse ? "scroll" : "nothing"], ["lasso", "circle faces"], ["box", "box faces"]],
    (key) => { state.tool = key; refresh(); },
  );
  const clear = add(bar, "button", "clear");
  clear.type = "button";
  clear.textContent = "Clear selection";
  clear.onclick = () => { state.selected.clear(); refresh(); };

  const panels = data.panels.map((panel, number) => makePanel(panel, number));

  function makePanel(panel, number) {
    const box = add(grid, "figure", "panel");
    const title = add(box, "figcaption", "title");
    title.textContent = panel.model;
    const frame = add(box, "div", "frame");
    const base = add(frame, "canvas", "base");
    base.setAttribute("role", "img");
    base.setAttribute("aria-label", `Map of ${count} faces as ${panel.model} sees them`);
    const over = add(frame, "canvas", "over");
    const numbers = add(box, "div", "numbers");
    const self = { panel, box, frame, base, over, numbers, side: 0, path: null, xs: [], ys: [] };

    frame.addEventListener("pointermove", (event) => {
      const at = place(self, event);
      if (self.path) {
        self.path.push(at);
        paintOver(self);
      } else if (event.pointerType !== "touch") {
        hover(number, nearest(self, at), event);
      }
    });
    frame.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch" && !self.path) hover(number, null, event);
    });
    frame.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      self.start = place(self, event);
      if (state.tool === "look") return;
      self.path = [self.start];
      frame.setPointerCapture(event.pointerId);
    });
    frame.addEventListener("pointerup", (event) => {
      const at = place(self, event);
      const path = self.path;
      self.path = null;
      if (path && path.length > 2 && extent(path) > 6) {
        state.selected = inside(self, state.tool === "box" ? corners(path[0], at) : path);
        hover(number, null, event);
        refresh();
      } else if (self.start && extent([self.start, at]) <= 6) {
        const face = nearest(self, at);
        if (event.pointerType === "touch") hover(number, face, event);
        else { state.selected = face === null ? new Set() : new Set([face]); refresh(); }
      }
      paintOver(self);
    });
    frame.addEventListener("pointercancel", () => { self.path = null; paintOver(self); });
    return self;
  }

  function measure(self) {
    const side = Math.floor(self.frame.clientWidth);
    if (side === self.side || side === 0) return;
    self.side = side;
    for (const canvas of [self.base, self.over]) {
      canvas.width = canvas.height = Math.round(side * devicePixelRatio);
      canvas.getContext("2d").setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    }
    const [x0, y0, width] = range(self.panel.coordinates);
    self.xs = self.panel.coordinates.map(([x]) => (side * (x - x0)) / width);
    self.ys = self.panel.coordinates.map(([, y]) => side * (1 - (y - y0) / width));
  }

  function paint(self) {
    const pen = self.base.getContext("2d");
    pen.clearRect(0, 0, self.side, self.side);
    const size = (Math.min(5.5, Math.max(1.4, 75 / Math.sqrt(count))) * Math.max(self.side, 260)) / 330;
    self.size = size;
    const colours = data.colours[state.colouring] ?? [];
    const some = state.selected.size > 0;
    const dot = (face, colour, alpha, radius) => {
      pen.globalAlpha = alpha;
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(self.xs[face], self.ys[face], radius, 0, 7);
      pen.fill();
    };
    for (const face of order) {
      if (!some) dot(face, colours[face] ?? "#888", 0.85, size);
      else if (!state.selected.has(face)) dot(face, "#B9BDC6", 0.35, size);
    }
    for (const face of order) {
      if (!some || !state.selected.has(face)) continue;
      dot(face, "#1F2430", 1, size + Math.min(1.4, 0.45 * size));
      dot(face, colours[face] ?? "#888", 1, size);
    }
    pen.globalAlpha = 1;
  }

  function paintOver(self) {
    const pen = self.over.getContext("2d");
    pen.clearRect(0, 0, self.side, self.side);
    if (self.path?.length > 1) {
      const path = state.tool === "box" ? corners(self.path[0], self.path.at(-1)) : self.path;
      pen.beginPath();
      path.forEach(([x, y], step) => (step ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      pen.closePath();
      pen.fillStyle = "rgba(45, 91, 168, 0.10)";
      pen.strokeStyle = "#2D5BA8";
      pen.lineWidth = 1.5;
      pen.fill();
      pen.stroke();
    }
    if (state.hovered !== null) {
      pen.beginPath();
      pen.arc(self.xs[state.hovered], self.ys[state.hovered], self.size + 5, 0, 7);
      pen.strokeStyle = "#1F2430";
      pen.lineWidth = 2.5;
      pen.stroke();
    }
  }

  function hover(number, face, event) {
    if (face === state.hovered && face === null) return;
    state.hovered = face;
    panels.forEach(paintOver);
    tip.classList.toggle("shown", face !== null);
    if (face === null) return;
    describe(tip, face, number);
    const bounds = root.getBoundingClientRect();
    const x = event.clientX - bounds.left, y = event.clientY - bounds.top;
    const { offsetWidth: width, offsetHeight: height } = tip;
    const right = x + 18 + width <= bounds.width, left = x - 18 - width >= 0;
    // Beside the point; where there is no room, as on a phone, below it: the point stays in sight.
    tip.style.left = `${right ? x + 18 : left ? x - 18 - width : Math.max(0, (bounds.width - width) / 2)}px`;
    tip.style.top = `${right || left ? Math.max(0, y - height / 2) : y + 26}px`;
  }

  function describe(where, face, number) {
    where.replaceChildren();
    where.append(tile(face, 128));
    const words = add(where, "div", "words");
    const line = (name, value) => {
      const row = add(words, "div", "line");
      add(row, "span", "what").textContent = name;
      add(row, "b").textContent = value;
    };
    add(words, "div", "name").textContent = data.names[face];
    for (const [name, values] of data.facts) if (values[face]) line(name, values[face]);
    const panel = data.panels[number];
    line(panel.model, `${panel.labels[panel.choices[face]]} ${Math.round(100 * panel.confidences[face])}%`);
    where.dataset.face = data.names[face];
  }

  function tile(face, side) {
    const { columns, per_sheet: perSheet } = data.layout;
    const sheet = Math.floor(face / perSheet), at = face % perSheet;
    const across = Math.min(columns, count - sheet * perSheet);
    const picture = document.createElement("div");
    picture.className = "tile";
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", data.names[face]);
    picture.style.cssText = `width:${side}px;height:${side}px;background-image:url(${sheets[sheet]});` +
      `background-size:${across * side}px auto;background-position:-${(at % columns) * side}px ` +
      `-${Math.floor(at / columns) * side}px`;
    return picture;
  }

  function refresh() {
    mark(colourButtons, state.colouring);
    mark(toolButtons, state.tool);
    clear.hidden = state.selected.size === 0;
    grid.dataset.tool = state.tool;
    drawLegend();
    for (const self of panels) {
      measure(self);
      paint(self);
      paintOver(self);
      const numbers = self.panel.numbers[state.colouring] ?? [];
      self.numbers.replaceChildren(...numbers.map(([name, value]) => {
        const row = document.createElement("div");
        add(row, "span").textContent = name;
        add(row, "b").textContent = value;
        return row;
      }));
    }
    list();
  }

  function drawLegend() {
    const one = data.colourings.find((colouring) => colouring.key === state.colouring);
    legend.replaceChildren();
    if (!one) return;
    if (one.ramp) {
      const entry = add(legend, "span");
      entry.append("0 ");
      add(entry, "i", "ramp").style.background = `linear-gradient(90deg, ${one.ramp.join(",")})`;
      entry.append(` ${one.until}`);
    }
    for (const [name, colour] of one.entries) {
      const entry = add(legend, "span");
      add(entry, "i").style.background = colour;
      entry.append(name);
    }
  }

  function list() {
    chosen.replaceChildren();
    const faces = [...state.selected].sort((a, b) => a - b);
    chosen.dataset.count = faces.length;
    const head = add(chosen, "div", "count");
    if (!faces.length) {
      head.textContent = coarse
        ? "Tap a point to see the face. Choose “circle faces”, then drag around some: they are marked in every panel."
        : "Point at a face to see it. Drag around some: they are marked in every panel and listed here.";
      return;
    }
    const tally = new Map();
    const fact = data.facts[0]?.[1] ?? [];
    for (const face of faces) if (fact[face]) tally.set(fact[face], (tally.get(fact[face]) ?? 0) + 1);
    const words = [...tally].sort((a, b) => b[1] - a[1]).map(([name, number]) => `${name} ${number}`).join(", ");
    head.textContent = `${faces.length.toLocaleString("en")} ${faces.length === 1 ? "face" : "faces"} selected` + (words ? `: ${words}` : "");
    const tiles = add(chosen, "div", "tiles");
    for (const face of faces.slice(0, LISTED)) {
      const button = add(tiles, "button", "pick");
      button.type = "button";
      button.title = data.names[face];
      button.append(tile(face, 64));
      const ring = (shown) => { state.hovered = shown ? face : null; panels.forEach(paintOver); };
      button.onpointerenter = button.onfocus = () => ring(true);
      button.onpointerleave = button.onblur = () => ring(false);
    }
    if (faces.length > LISTED) add(chosen, "div", "more").textContent = `and ${(faces.length - LISTED).toLocaleString("en")} more`;
  }

  function nearest(self, [x, y]) {
    let best = null, distance = CATCH * CATCH;
    for (let face = 0; face < count; face++) {
      const away = (self.xs[face] - x) ** 2 + (self.ys[face] - y) ** 2;
      if (away < distance) { best = face; distance = away; }
    }
    return best;
  }

  function inside(self, path) {
    const found = new Set();
    for (let face = 0; face < count; face++) if (within(self.xs[face], self.ys[face], path)) found.add(face);
    return found;
  }

  const keys = (event) => { if (event.key === "Escape" && state.selected.size) { state.selected.clear(); refresh(); } };
  document.addEventListener("keydown", keys);
  const watcher = new ResizeObserver(() => refresh());
  watcher.observe(grid);
  refresh();
  return () => {
    watcher.disconnect();
    document.removeEventListener("keydown", keys);
    sheets.forEach((url) => URL.revokeObjectURL(url));
  };
}

function place(self, event) {
  const bounds = self.frame.getBoundingClientRect();
  return [event.clientX - bounds.left, event.clientY - bounds.top];
}

function range(points) {
  let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    left = Math.min(left, x); right = Math.max(right, x);
    bottom = Math.min(bottom, y); top = Math.max(top, y);
  }
  const side = Math.max(right - left, top - bottom, 1e-9) * (1 + 2 * MARGIN);
  return [(left + right - side) / 2, (bottom + top - side) / 2, side];
}

function within(x, y, path) {
  let odd = false;
  for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
    const [xi, yi] = path[i], [xj, yj] = path[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

function corners([x0, y0], [x1, y1]) {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
}

function extent(path) {
  const xs = path.map(([x]) => x), ys = path.map(([, y]) => y);
  return Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
}

// Always the same order, in which no class lies on top of another.
function shuffled(count) {
  const order = Array.from({ length: count }, (_, face) => face);
  let seed = 1;
  for (let last = count - 1; last > 0; last--) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    const other = seed % (last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

function blob(content) {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: "image/jpeg" });
}

function add(parent, kind, name) {
  const element = document.createElement(kind);
  if (name) element.className = name;
  parent.append(element);
  return element;
}

function group(parent, title, choices, choose) {
  const box = add(parent, "div", "group");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", title);
  if (!choices.length) return box;
  add(box, "span", "label").textContent = title;
  for (const [key, name] of choices) {
    const button = add(box, "button");
    button.type = "button";
    button.textContent = name;
    button.dataset.key = key;
    button.onclick = () => choose(key);
  }
  return box;
}

function mark(box, key) {
  for (const button of box.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.key === key));
  }
}
