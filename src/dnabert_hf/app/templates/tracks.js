// Tracks of a sequence: letters as high as their scores, the bases, every change of them, motifs.

const COLOURS = { A: "#009e73", C: "#0072b2", G: "#e69f00", T: "#d55e00" };
const OTHER = "#5a6068";
const BASES = ["A", "C", "G", "T"];
// Letters in a box of 100 by 100.
const SHAPES = {
  A: "M0 100 L37 0 H63 L100 100 H77 L69 76 H31 L23 100 Z M37 58 H63 L50 20 Z",
  C: "M97 33 C93 12 76 0 53 0 C21 0 2 20 2 50 C2 80 21 100 53 100 C77 100 94 88 98 65 H74 C71 76 64 81 53 81 C36 81 27 70 27 50 C27 30 36 19 53 19 C64 19 70 24 73 33 Z",
  G: "M97 31 C92 11 76 0 53 0 C21 0 2 20 2 50 C2 80 20 100 52 100 C64 100 74 96 80 88 L82 98 H98 V46 H54 V64 H76 C73 75 65 81 54 81 C37 81 27 70 27 50 C27 30 37 19 53 19 C63 19 70 23 73 31 Z",
  T: "M2 0 H98 V19 H62 V100 H38 V19 H2 Z",
};
const LOST = [33, 102, 172];
const NONE = [242, 242, 242];
const GAINED = [178, 24, 43];
const COLUMN = 14;  // pixels a base
const GUTTER = 62;
const HEIGHTS = { ruler: 14, attribution: 70, expected: 60, attention: 44, bases: 20, cell: 13, motif: 15 };

function element(name, attributes, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (parent) parent.append(made);
  return made;
}

function text(content, attributes, parent) {
  const made = element("text", attributes, parent);
  made.textContent = content;
  return made;
}

export function mapColour(share) {
  const end = share < 0 ? LOST : GAINED;
  const depth = Math.min(Math.abs(share), 1);
  return `rgb(${NONE.map((value, i) => Math.round(value + depth * (end[i] - value)))})`;
}

function drawLetter(base, x, y, height, parent) {
  if (height < 0.4) return;
  const fill = COLOURS[base] || OTHER;
  if (!SHAPES[base]) {
    element("rect", { x: x + COLUMN / 2 - 1, y, width: 2, height, fill }, parent);
    return;
  }
  const scale = `translate(${x + 0.5} ${y}) scale(${(COLUMN - 1) / 100} ${height / 100})`;
  element("path", { d: SHAPES[base], fill, transform: scale, "fill-rule": "evenodd" }, parent);
}

// A row of letters between the lowest and the highest score, which all lines share.
function drawScores(view, name, y, start, end, parent) {
  const values = view[name], height = HEIGHTS[name] - 6;
  const top = Math.max(0, ...values), low = Math.min(0, ...values);
  const unit = height / (top - low || 1);
  const zero = y + top * unit;
  text(name, { x: 0, y: y + 10, class: "quiet" }, parent);
  text(top.toPrecision(2), { x: GUTTER - 6, y: y + 22, class: "quiet", "text-anchor": "end", "font-size": 9 }, parent);
  if (low < 0) text(low.toPrecision(2), { x: GUTTER - 6, y: y + height, class: "quiet", "text-anchor": "end", "font-size": 9 }, parent);
  element("line", { x1: GUTTER, x2: GUTTER + (end - start) * COLUMN, y1: zero, y2: zero, stroke: "#b8bdc4" }, parent);
  for (let at = start; at < end; at++) {
    const size = Math.abs(values[at]) * unit;
    drawLetter(view.sequence[at], GUTTER + (at - start) * COLUMN, values[at] < 0 ? zero : zero - size, size, parent);
  }
}

// The four bases on each other, each as high as it is probable.
function drawExpected(view, y, start, end, parent) {
  const height = HEIGHTS.expected - 6;
  text("expected", { x: 0, y: y + 10, class: "quiet" }, parent);
  for (let at = start; at < end; at++) {
    const shares = view.expected.get(at);
    if (!shares || shares.includes(null)) continue;
    let from = y + height;
    const order = BASES.map((base, i) => [shares[i], base]).sort((one, other) => one[0] - other[0]);
    for (const [share, base] of order) {
      from -= share * height;
      drawLetter(base, GUTTER + (at - start) * COLUMN, from, share * height, parent);
    }
  }
}

function drawBase(view, at, x, y, bottom, parent, on) {
  const isChanged = view.sequence[at] !== view.original[at];
  const group = element("g", {
    class: isChanged ? "base changed" : "base", role: "button", tabindex: at ? -1 : 0, "data-position": at,
    "aria-label": `${view.sequence[at]}, position ${at}${isChanged ? `, was ${view.original[at]}` : ""}`,
  }, parent);
  element("rect", { class: "under", x, y: bottom - HEIGHTS.bases + 2, width: COLUMN, height: HEIGHTS.bases - 3, fill: "none" }, group);
  element("rect", { class: "area", x, y, width: COLUMN, height: bottom - y }, group);
  text(view.sequence[at], { class: "letter", x: x + COLUMN / 2, y: bottom - 5 }, group);
  group.addEventListener("click", () => on.pick(at));
  group.addEventListener("mouseenter", () => on.point(at));
  group.addEventListener("focus", () => on.point(at));
}

function drawCells(view, y, start, end, parent, on) {
  BASES.forEach((base, row) => {
    const top = y + row * HEIGHTS.cell;
    text(base, { x: GUTTER - 6, y: top + 10, class: "quiet", "text-anchor": "end" }, parent);
    if (row < 2) text(["change", "to"][row], { x: 0, y: top + 10, class: "quiet" }, parent);
    for (let at = start; at < end; at++) {
      const x = GUTTER + (at - start) * COLUMN;
      if (view.sequence[at] === base) {
        element("circle", { cx: x + COLUMN / 2, cy: top + HEIGHTS.cell / 2, r: 2, fill: OTHER }, parent);
        continue;
      }
      const cell = element("rect", {
        class: "cell", x, y: top, width: COLUMN, height: HEIGHTS.cell, fill: "#fff",
        "data-position": at, "data-base": base,
      }, parent);
      cell.addEventListener("click", () => on.change(at, base));
      cell.addEventListener("mouseenter", () => on.point(at, base));
      view.cells.push([at, base, cell]);
    }
  });
}

// Sites side by side where they do not overlap, else below each other.
function stack(sites) {
  const ends = [];
  return sites.map(site => {
    let row = ends.findIndex(end => end <= site.start);
    if (row < 0) row = ends.length;
    ends[row] = site.end;
    return { ...site, row };
  });
}

function drawSites(sites, y, start, end, parent) {
  text("motifs", { x: 0, y: y + 10, class: "quiet" }, parent);
  for (const site of sites) {
    const from = Math.max(site.start, start), to = Math.min(site.end, end);
    const top = y + site.row * HEIGHTS.motif, x = GUTTER + (from - start) * COLUMN;
    const width = (to - from) * COLUMN;
    element("rect", { x, y: top, width, height: HEIGHTS.motif - 3, rx: 3, fill: "#dde6ef", stroke: "#5a6068" }, parent);
    const name = site.strand === "+" ? `${site.motif} →` : `← ${site.motif}`;
    const shown = text(name, { x: x + 3, y: top + 9, "font-size": 9 }, parent);
    if (6 * name.length > width) shown.textContent = site.strand === "+" ? "→" : "←";
  }
}

// Fill the squares with what is known of the changes; the strongest one has the full colour.
export function paintChanges(view) {
  let limit = 0;
  for (const changes of view.changes.values()) {
    for (const each of Object.values(changes)) limit = Math.max(limit, Math.abs(each.effect ?? 0));
  }
  view.limit = limit;
  for (const [at, base, cell] of view.cells) {
    const effect = view.changes.get(at)?.[base]?.effect;
    if (effect !== undefined) cell.setAttribute("fill", effect === null ? "#d9dcdf" : mapColour(effect / (limit || 1)));
  }
}

// Draw all there is of a view into a container, in lines that fit its width.
export function drawTracks(container, view, on) {
  const room = Math.max(container.clientWidth - 14, 200) - GUTTER;
  const perLine = Math.max(10, Math.floor(room / COLUMN / 10) * 10);
  const sites = stack(view.sites);
  const lines = [];
  view.cells = [];
  for (let start = 0; start < view.sequence.length; start += perLine) {
    const end = Math.min(start + perLine, view.sequence.length);
    const here = sites.filter(site => site.start < end && site.end > start);
    const svg = element("svg", {});
    let y = HEIGHTS.ruler;
    for (let at = Math.ceil(start / 10) * 10; at < end; at += 10) {
      text(at, { x: GUTTER + (at - start) * COLUMN + COLUMN / 2, y: 10, class: "quiet", "text-anchor": "middle", "font-size": 10 }, svg);
    }
    const above = y;
    for (const name of ["attribution", "attention"]) {
      if (!view[name]) continue;
      drawScores(view, name, y, start, end, svg);
      y += HEIGHTS[name];
    }
    if (view.expected) {
      drawExpected(view, y, start, end, svg);
      y += HEIGHTS.expected;
    }
    y += HEIGHTS.bases;
    for (let at = start; at < end; at++) drawBase(view, at, GUTTER + (at - start) * COLUMN, above, y, svg, on);
    drawCells(view, y + 2, start, end, svg, on);
    y += 4 * HEIGHTS.cell + 6;
    if (here.length) {
      drawSites(here, y, start, end, svg);
      y += (1 + Math.max(...here.map(site => site.row))) * HEIGHTS.motif;
    }
    svg.setAttribute("viewBox", `0 0 ${GUTTER + perLine * COLUMN} ${y + 4}`);
    lines.push(svg);
  }
  container.replaceChildren(...lines);
  paintChanges(view);
}
