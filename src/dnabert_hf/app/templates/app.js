// The page: asks the server, one question after the other, and shows what it answers.

import { readEffect, showDetails, showLegend } from "./details.js";
import { BASES, at, known, make, makeButton, makeTable, objects, save } from "./parts.js";
import { drawTracks, paintChanges } from "./tracks.js";

const SECONDS = 1;  // that a question about changes should take: the page stays quick to answer

// records: what was pasted; record: the one that is looked at; edits: its changes so far.
const state = { records: [], windows: [], record: null, edits: [], label: null, tables: {}, pinned: null };
let running = new AbortController();

async function ask(question, fields, signal) {
  let response, answer;
  try {
    response = await fetch(`api/${question}`, { method: "POST", body: JSON.stringify(fields), signal });
    answer = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The program behind this page does not answer as it should: look into its window, or start it again.");
  }
  if (!response.ok) throw new Error(answer.error);
  addNotes(answer.notes);
  return answer.tables;
}

function fail(error) {
  if (error.name === "AbortError") return;
  at("error").textContent = error.message;
  at("error").hidden = false;
  at("text").classList.add("wrong");
  at("progress").textContent = "";
}

function addNotes(notes) {
  const shown = new Set(Array.from(at("notes").children, item => item.textContent));
  for (const note of notes) if (!shown.has(note)) at("notes").append(make("li", "", note));
}

function numbersOf(row) {
  const names = known.problem === "regression" ? (known.classes.length === 1 ? ["value"] : known.classes) : known.classes.map(name => `prob_${name}`);
  return names.map(name => row[name]);
}

function sequence() {
  const letters = Array.from(state.record.sequence);
  for (const edit of state.edits) letters[edit.position] = edit.to;
  return letters.join("");
}

function name() {
  return state.record.id + state.edits.map(edit => `|${edit.position}${edit.from}>${edit.to}`).join("");
}

// A paste, and what the model says of it.
async function look(event) {
  event?.preventDefault();
  const signal = restart();
  at("look").disabled = true;
  at("notes").replaceChildren();
  try {
    const tables = await ask("predict", { text: at("text").value }, signal);
    state.tables = {};
    state.records = objects(tables.sequences);
    state.windows = [];
    if (tables.predictions) {
      state.tables.predictions = { columns: tables.predictions.columns, rows: [...tables.predictions.rows] };
      objects(tables.predictions).forEach((row, i) => { state.records[i].numbers = numbersOf(row); });
    }
    at("answer").hidden = false;
    await choose(state.records[0]);
  } catch (error) {
    if (error.name !== "AbortError") at("answer").hidden = true;
    fail(error);
  } finally {
    at("look").disabled = false;
  }
}

function restart() {
  running.abort();
  running = new AbortController();
  at("error").hidden = true;
  at("text").classList.remove("wrong");
  return running.signal;
}

async function choose(record) {
  if (!state.windows.includes(record)) state.windows = [];
  state.record = record;
  state.edits = [];
  await show();
}

// Everything about the sequence as it is now, what comes quickly first.
async function show() {
  const signal = restart();
  const now = sequence();
  state.pinned = null;
  try {
    let numbers = state.record.numbers;
    if (state.edits.length && known.isClassifier) {
      const tables = await ask("predict", { text: `>${name()}\n${now}` }, signal);
      const [row] = objects(tables.predictions);
      numbers = numbersOf(row);
      state.tables.predictions.rows.push(tables.predictions.rows[0]);
    }
    if (state.label === null) state.label = known.positive ?? (numbers ? known.classes[best(numbers)] : null);
    if (state.label !== null) at("label").value = state.label;
    showNumbers(numbers);
    showEdits();
    showRecords(at("records"));
    const isLong = now.length > known.mostLetters;
    at("by-base").hidden = isLong;
    at("too-long").hidden = !isLong;
    for (const key of ["bases", "mutations", "expected", "motifs"]) delete state.tables[key];
    at("motifs").replaceChildren();
    showTables();
    if (isLong) {
      at("too-long").textContent = `Bases are drawn one by one in up to ${known.mostLetters.toLocaleString("en")} of them; this sequence has ${now.length.toLocaleString("en")}. ${known.isClassifier ? "Choose a window of it above." : "Paste a part of it."}`;
      if (known.isClassifier && !state.windows.length) await scanWindows(signal);
      return;
    }
    await explain(now, signal);
  } catch (error) {
    fail(error);
  }
}

async function explain(now, signal) {
  const label = known.isClassifier ? state.label : undefined;
  at("progress").textContent = "Scoring bases …";
  const view = { sequence: now, original: state.record.sequence, changes: new Map(), cells: [], sites: [] };
  const bases = (await ask("bases", { sequence: now, label }, signal)).bases;
  const rows = objects(bases);
  if (rows[0].attribution !== undefined) view.attribution = rows.map(row => row.attribution);
  view.attention = rows.map(row => row.attention);
  keep("bases", bases);
  const motifs = (await ask("motifs", { sequence: now }, signal)).motifs;
  view.sites = objects(motifs);
  keep("motifs", motifs);
  if (!known.isClassifier) view.expected = new Map();
  state.view = view;
  draw();
  showMotifs(view.sites);
  await mapChanges(view, label, signal);
}

// Changes of some bases at a time, as many as a second is enough for, so that a click need not wait.
async function mapChanges(view, label, signal) {
  let size = 10;
  for (let start = 0; start < view.sequence.length;) {
    const end = Math.min(start + size, view.sequence.length);
    at("progress").textContent = `Changing bases: ${start} of ${view.sequence.length}`;
    const begin = performance.now();
    const tables = await ask("mutations", { sequence: view.sequence, label, start, end }, signal);
    for (const row of objects(tables.mutations)) {
      if (!view.changes.has(row.position)) view.changes.set(row.position, {});
      view.changes.get(row.position)[row.alt] = readEffect(row, state.label);
    }
    keep("mutations", tables.mutations, true);
    if (tables.expected) {
      for (const row of objects(tables.expected)) view.expected.set(row.position, BASES.map(base => row[`prob_${base}`]));
      keep("expected", tables.expected, true);
    }
    paintChanges(view);
    const seconds = (performance.now() - begin) / 1000;
    size = Math.max(2, Math.min(200, Math.round(size * Math.min(4, SECONDS / seconds))));
    start = end;
  }
  at("progress").textContent = "";
  if (view.expected) {
    drawTracks(at("tracks"), view, on);
    showExpected(view);
  }
  showLegend(view, state.label);
  tell(state.pinned);
}

function keep(key, table, isMore = false) {
  const rows = table.rows.map(row => [name(), ...row]);
  if (isMore && state.tables[key]) state.tables[key].rows.push(...rows);
  else state.tables[key] = { columns: ["id", ...table.columns], rows };
  showTables();
}

function draw() {
  drawTracks(at("tracks"), state.view, on);
  showLegend(state.view, state.label);
  tell(state.pinned);
}

const on = {
  pick: position => {
    state.pinned = state.pinned === position ? null : position;
    for (const base of at("tracks").querySelectorAll(".pinned")) base.classList.remove("pinned");
    if (state.pinned !== null) baseAt(position).classList.add("pinned");
    tell(state.pinned);
  },
  point: (position, base) => {
    if (state.pinned === null || base) tell(position, base);
  },
  change: (position, to) => {
    const from = sequence()[position];
    if (from !== to) {
      state.edits.push({ position, from, to });
      show();
    }
  },
};

function tell(position, base) {
  showDetails(state.view, state.label, position, { base, isPinned: position === state.pinned, change: on.change });
}

function baseAt(position) {
  return at("tracks").querySelector(`.base[data-position="${position}"]`);
}

function best(numbers) {
  return numbers.indexOf(Math.max(...numbers));
}

function showNumbers(numbers) {
  if (!numbers) {
    at("says").replaceChildren();
    return;
  }
  const list = make("ul", "bars");
  const before = state.record.numbers;
  known.classes.forEach((label, i) => {
    const item = make("li", label === known.positive ? "interest" : "");
    item.append(make("span", "name", label));
    const track = make("span", "track");
    if (known.problem !== "regression") {
      const bar = make("span", "bar");
      bar.style.width = `${100 * numbers[i]}%`;
      track.append(bar);
      if (state.edits.length) {
        const mark = make("span", "before");
        mark.style.left = `${100 * before[i]}%`;
        track.append(mark);
      }
    }
    const value = make("span", "value", numbers[i].toFixed(4));
    if (state.edits.length) value.append(make("span", "was", `before: ${before[i].toFixed(4)}`));
    item.append(track, value);
    list.append(item);
  });
  const what = known.problem === "regression" ? "value" : "probability of each class";
  const text = `${name()}, ${state.record.sequence.length.toLocaleString("en")} bases: ${what}${state.edits.length ? "; the line is where it was before the changes" : ""}.`;
  at("says").replaceChildren(make("p", "", text), list);
}

function showExpected(view) {
  let n = 0, n_same = 0;
  for (const [position, shares] of view.expected) {
    if (shares.includes(null)) continue;
    n += 1;
    n_same += BASES[best(shares)] === view.sequence[position];
  }
  const words = n
    ? `of ${n} bases that could be hidden one at a time, the model expects the one that is there at ${n_same}`
    : `no base could be hidden: that needs A, C, G and T alone around it, ${known.k} or more on either side`;
  at("says").replaceChildren(make("p", "", `${name()}: ${words}.`));
}

function showEdits() {
  const chips = state.edits.map(edit => make("span", "chip", `${edit.position} ${edit.from}→${edit.to}`));
  const undo = makeButton("Undo", () => { state.edits.pop(); show(); });
  const back = makeButton("Back to the pasted one", () => { state.edits = []; show(); });
  at("changes").replaceChildren(make("span", "", "Changed:"), ...chips, undo, back);
  at("changes").hidden = !state.edits.length;
}

// All sequences of the paste, or the windows of a long one, to choose from.
function showRecords(place) {
  const parts = [];
  if (state.records.length > 1) parts.push(["Sequences", state.records]);
  if (state.windows.length) parts.push([`Windows of ${state.windows[0].sequence.length} bases`, state.windows]);
  place.replaceChildren();
  for (const [title, records] of parts) {
    const rows = records.map(record => ({
      name: record === state.record ? "current" : "",
      cells: [record.id, record.sequence.length.toLocaleString("en"), ...(record.numbers ?? []).map(value => value.toFixed(4)),
        makeButton("Look", () => choose(record))],
    }));
    const columns = ["id", "bases", ...(known.isClassifier ? known.classes : []), ""];
    place.append(make("p", "caption", title), makeTable(columns, rows, columns.map((_, i) => i > 0 && i < columns.length - 1)));
  }
}

// A long sequence has one answer, which says little: windows of the length of training have one each.
async function scanWindows(signal) {
  const length = Math.min(known.lengths ? known.lengths[1] : 500, known.mostLetters);
  const whole = state.record.sequence;
  const step = Math.max(Math.ceil(length / 2), Math.ceil((whole.length - length) / 150));
  const starts = [];
  for (let start = 0; start + length <= whole.length; start += step) starts.push(start);
  if (starts.at(-1) + length < whole.length) starts.push(whole.length - length);
  const id = start => `${state.record.id}:${start}-${start + length}`;
  const text = starts.map(start => `>${id(start)}\n${whole.slice(start, start + length)}`).join("\n");
  const tables = await ask("predict", { text }, signal);
  state.windows = objects(tables.sequences);
  objects(tables.predictions).forEach((row, i) => { state.windows[i].numbers = numbersOf(row); });
  state.tables.predictions.rows.push(...tables.predictions.rows);
  showRecords(at("records"));
  showTables();
}

function showMotifs(sites) {
  if (!sites.length) {
    at("motifs").replaceChildren(make("p", "", "None of them is here."));
    return;
  }
  const rows = sites.map(site => ({ cells: [site.motif, String(site.start), String(site.end), site.strand, site.score.toFixed(1), site.p_value.toExponential(1)] }));
  at("motifs").replaceChildren(makeTable(["motif", "start", "end", "strand", "bits", "chance"], rows, [false, true, true, false, true, true]));
}

function showTables() {
  const names = Object.keys(state.tables);
  at("tables").replaceChildren(...names.map(key => makeButton(`${key}.tsv`, () => save(key, state.tables[key]))));
}

function move(event) {
  const base = event.target.closest?.(".base");
  if (!base) return;
  const position = Number(base.dataset.position);
  const key = event.key.toUpperCase();
  const step = { ARROWLEFT: -1, ARROWRIGHT: 1 }[key];
  if (BASES.includes(key) && !event.ctrlKey && !event.metaKey) on.change(position, key);
  else if (key === "ENTER" || key === " ") on.pick(position);
  else if (step && baseAt(position + step)) baseAt(position + step).focus();
  else return;
  event.preventDefault();
}

for (const label of known.classes) at("label").append(make("option", "", label));
at("label").addEventListener("change", () => { state.label = at("label").value; show(); });
at("ask").addEventListener("submit", look);
at("tracks").addEventListener("keydown", move);
for (const button of document.querySelectorAll(".example")) {
  button.addEventListener("click", () => {
    at("text").value = known.examples[button.dataset.number];
    look();
  });
}
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width || !state.view) return;
  width = window.innerWidth;
  draw();
});
