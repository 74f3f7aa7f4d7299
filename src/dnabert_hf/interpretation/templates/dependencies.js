const STOPS = [[0, 34, 78], [67, 78, 108], [125, 124, 120], [188, 174, 108], [254, 232, 56]];  // cividis
const MARGIN = 18;  // room for letters, in CSS pixels

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

function colorOf(level) {
  if (!level) return [217, 220, 223];
  const place = (level - 1) / 254 * (STOPS.length - 1);
  const index = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[index].map((low, i) => Math.round(low + (place - index) * (STOPS[index + 1][i] - low)));
}

const box = make("div", "map");
const tools = make("div", "tools");
const label = make("label", "", "Sequence ");
const choice = make("select");
data.forEach((item, i) => {
  const option = make("option", "", item.title);
  option.value = i;
  choice.append(option);
});
label.append(choice);
const [closer, wider, whole] = ["Closer", "Wider", "Whole map"].map(text => {
  const button = make("button", "", text);
  button.type = "button";
  return button;
});
tools.append(label, closer, wider, whole);
const canvas = make("canvas");
canvas.tabIndex = 0;
canvas.setAttribute("role", "img");
const told = make("p", "told");
told.setAttribute("aria-live", "polite");
const legend = make("div", "legend");
box.append(tools, canvas, told, legend);
root.append(box);

let item, levels, picture, view;  // view: first row and column that are seen, and how many
const drawn = canvas.getContext("2d");

function choose(index) {
  item = data[index];
  const n = item.sequence.length;
  levels = Uint8Array.from(atob(item.levels), letter => letter.charCodeAt(0));
  picture = make("canvas");
  picture.width = picture.height = n;
  const pixels = new ImageData(n, n);
  levels.forEach((level, i) => pixels.data.set([...colorOf(level), 255], 4 * i));
  picture.getContext("2d").putImageData(pixels, 0, 0);
  canvas.setAttribute("aria-label", `Dependency map of ${item.title}, ${n} bases; arrow keys move, plus and minus zoom`);
  const kinds = new Map(item.blocks.map(block => [block.kind, block.colour]));
  const ramp = make("span", "", "0");
  ramp.append(make("span", "ramp"), `${item.top.toFixed(2)} or more (|log2 odds ratio|)`);
  legend.replaceChildren(ramp, ...Array.from(kinds, ([kind, colour]) => {
    const entry = make("span");
    const frame = make("i");
    frame.style.borderColor = colour;
    entry.append(frame, kind);
    return entry;
  }));
  show(0, 0, n);
  told.textContent = "Point at a pair, or press on it. The wheel or two fingers zoom, dragging moves.";
}

function show(row, column, size) {
  const n = item.sequence.length;
  size = Math.min(Math.max(size, Math.min(8, n)), n);
  const inside = first => Math.min(Math.max(first, 0), n - size);
  view = { row: inside(row), column: inside(column), size };
  draw();
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth || 300;
  canvas.width = canvas.height = Math.round(width * ratio);
  drawn.setTransform(ratio, 0, 0, ratio, 0, 0);
  const scale = (width - MARGIN) / view.size;
  const x = column => MARGIN + (column - view.column) * scale;
  const y = row => MARGIN + (row - view.row) * scale;
  drawn.clearRect(0, 0, width, width);
  drawn.save();
  drawn.beginPath();
  drawn.rect(MARGIN, MARGIN, width - MARGIN, width - MARGIN);
  drawn.clip();
  drawn.imageSmoothingEnabled = false;
  const n = item.sequence.length;
  drawn.drawImage(picture, x(0), y(0), n * scale, n * scale);
  drawn.lineWidth = 2;
  item.blocks.forEach(block => {
    const startB = block.start_b ?? block.start, endB = block.end_b ?? block.end;
    drawn.strokeStyle = block.colour;
    drawn.strokeRect(x(startB), y(block.start), (endB - startB) * scale, (block.end - block.start) * scale);
  });
  drawn.restore();
  drawn.fillStyle = getComputedStyle(canvas).color;
  drawn.textAlign = "center";
  drawn.textBaseline = "middle";
  const step = scale >= 9 ? 1 : Math.ceil(45 / scale / 10) * 10;
  drawn.font = scale >= 9 ? `${Math.min(scale, 13)}px monospace` : "10px sans-serif";
  for (let i = 0; i < n; i += step) {
    const text = step === 1 ? item.sequence[i] : `${i}`;
    if (x(i + 0.5) > MARGIN && x(i + 0.5) < width) drawn.fillText(text, x(i + 0.5), MARGIN / 2);
    if (y(i + 0.5) <= MARGIN || y(i + 0.5) >= width) continue;
    drawn.save();
    drawn.translate(MARGIN / 2, y(i + 0.5));
    if (step > 1) drawn.rotate(-Math.PI / 2);
    drawn.fillText(text, 0, 0);
    drawn.restore();
  }
}

function pairAt(event) {
  const frame = canvas.getBoundingClientRect();
  const scale = (frame.width - MARGIN) / view.size;
  return {
    row: view.row + (event.clientY - frame.top - MARGIN) / scale,
    column: view.column + (event.clientX - frame.left - MARGIN) / scale,
    scale,
  };
}

function tell(event) {
  const pair = pairAt(event), n = item.sequence.length;
  const query = Math.floor(pair.row), target = Math.floor(pair.column);
  if (query < 0 || target < 0 || query >= n || target >= n) return;
  const level = levels[query * n + target];
  const score = !level ? "no dependency"
    : level === 255 ? `dependency ${item.top.toFixed(2)} or more`
    : `dependency ${((level - 1) / 254 * item.top).toFixed(2)}`;
  const inside = (start, end, place) => place >= start && place < end;
  const kinds = item.blocks.filter(block => inside(block.start, block.end, query)
    && inside(block.start_b ?? block.start, block.end_b ?? block.end, target)).map(block => block.kind);
  told.textContent = `query ${item.sequence[query]} at ${query}, target ${item.sequence[target]} at ${target}: ${score}`
    + (kinds.length ? ` (in: ${kinds.join(", ")})` : "");
}

function zoom(factor, row, column) {
  const size = Math.min(Math.max(view.size * factor, 8), item.sequence.length);
  const share = size / view.size;
  show(row - (row - view.row) * share, column - (column - view.column) * share, size);
}

const middle = () => [view.row + view.size / 2, view.column + view.size / 2];
closer.addEventListener("click", () => zoom(0.6, ...middle()));
wider.addEventListener("click", () => zoom(1 / 0.6, ...middle()));
whole.addEventListener("click", () => show(0, 0, item.sequence.length));
choice.addEventListener("change", () => choose(Number(choice.value)));
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  const pair = pairAt(event);
  zoom(event.deltaY < 0 ? 0.8 : 1.25, pair.row, pair.column);
}, { passive: false });

const fingers = new Map();
canvas.addEventListener("pointerdown", event => {
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, event);
  tell(event);
});
canvas.addEventListener("pointermove", event => {
  const before = fingers.get(event.pointerId);
  if (!before) return tell(event);
  const others = Array.from(fingers.values()).filter(each => each.pointerId !== event.pointerId);
  fingers.set(event.pointerId, event);
  const pair = pairAt(event);
  if (others.length) {
    const apart = each => Math.hypot(each.clientX - others[0].clientX, each.clientY - others[0].clientY);
    zoom(apart(before) / Math.max(apart(event), 1), pair.row, pair.column);
  } else {
    show(view.row - (event.clientY - before.clientY) / pair.scale, view.column - (event.clientX - before.clientX) / pair.scale, view.size);
  }
});
["pointerup", "pointercancel"].forEach(name => canvas.addEventListener(name, event => fingers.delete(event.pointerId)));
canvas.addEventListener("keydown", event => {
  const step = view.size / 10;
  const moves = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] };
  if (moves[event.key]) show(view.row + moves[event.key][0], view.column + moves[event.key][1], view.size);
  else if (event.key === "+") zoom(0.8, ...middle());
  else if (event.key === "-") zoom(1.25, ...middle());
  else return;
  event.preventDefault();
});
window.addEventListener("resize", draw);
choose(0);
