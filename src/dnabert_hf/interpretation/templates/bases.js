const PER_LINE = 60;
const STOPS = [[0, 34, 78], [67, 78, 108], [125, 124, 120], [188, 174, 108], [254, 232, 56]];  // cividis

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

function colorOf(share) {
  const place = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const index = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[index].map((low, i) => Math.round(low + (place - index) * (STOPS[index + 1][i] - low)));
}

const label = make("label", "", "Sequence ");
const choice = make("select");
data.forEach((item, i) => {
  const option = make("option", "", item.title);
  option.value = i;
  choice.append(option);
});
label.append(choice);
const details = make("div", "details");
details.setAttribute("aria-live", "polite");
const letters = make("div", "letters");
letters.setAttribute("role", "group");
letters.setAttribute("aria-label", "Bases; arrow keys move");
root.append(label, details, letters);

let item, current, buttons;
let pointer = "";

// A page that scrolls under a pointer at rest sends events of it too.
function moves(event) {
  const before = pointer;
  pointer = `${event.clientX} ${event.clientY}`;
  return pointer !== before;
}

letters.addEventListener("mousemove", moves);

function show(position) {
  buttons[current].tabIndex = -1;
  buttons[current].classList.remove("current");
  current = position;
  buttons[position].tabIndex = 0;
  buttons[position].classList.add("current");
  const heads = item.heads.map(row => row[position]);
  const best = heads.indexOf(Math.max(...heads));
  const summary = make("dl", "summary");
  [["position", `${position} (0-based), ${position + 1} (1-based)`], ["base", item.sequence[position]],
   ["score", item.scores[position].toFixed(4)], ["strongest head", `${best}`]].forEach(pair => {
    const entry = make("div");
    entry.append(make("dt", "", pair[0]), make("dd", pair[0].replace(" ", "-"), pair[1]));
    summary.append(entry);
  });
  const bars = make("ol", "bars");
  heads.forEach((value, head) => {
    const bar = make("li", head === best ? "best" : "");
    const fill = make("span", "bar");
    fill.style.width = `${Math.max(100 * value / item.top, 0)}%`;
    const track = make("span", "track");
    track.append(fill);
    bar.append(make("span", "head", `head ${head}`), track, make("span", "value", value.toFixed(4)));
    bars.append(bar);
  });
  details.replaceChildren(summary, bars);
}

function choose(index) {
  item = data[index];
  const top = Math.max(...item.scores);
  item.top = Math.max(...item.heads.map(row => Math.max(...row)));
  current = 0;
  buttons = Array.from(item.sequence, (base, position) => {
    const button = make("button", "", base);
    button.type = "button";
    button.tabIndex = -1;
    button.setAttribute("aria-label", `${base}, position ${position}, score ${item.scores[position].toFixed(4)}`);
    const color = colorOf(item.scores[position] / top);
    button.style.backgroundColor = `rgb(${color})`;
    button.style.color = color[0] + color[1] > 245 ? "#000" : "#fff";
    ["focus", "click"].forEach(event => button.addEventListener(event, () => show(position)));
    button.addEventListener("mouseenter", event => {
      if (moves(event)) show(position);
    });
    return button;
  });
  letters.replaceChildren();
  for (let begin = 0; begin < buttons.length; begin += 10) {
    if (begin % PER_LINE === 0) letters.append(make("div", "line"));
    const block = make("span", "block");
    block.append(make("span", "count", `${begin}`), ...buttons.slice(begin, begin + 10));
    letters.lastChild.append(block);
  }
  show(item.scores.indexOf(top));
}

letters.addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -10, ArrowDown: 10 }[event.key];
  if (!step) return;
  event.preventDefault();
  const next = buttons.indexOf(event.target) + step;
  if (next >= 0 && next < buttons.length) buttons[next].focus();
});
choice.addEventListener("change", () => choose(choice.value));
choose(0);
