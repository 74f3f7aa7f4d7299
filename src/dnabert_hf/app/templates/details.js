// What is said of a base and of its changes, and what the tracks mean.

import { BASES, at, known, make, makeButton } from "./parts.js";
import { mapColour } from "./tracks.js";

// What a change does: what it is drawn by, what it is now and then, and what that is.
export function readEffect(row, label) {
  if (row.log_likelihood_ratio !== undefined) {
    const ratio = row.log_likelihood_ratio;
    return { effect: ratio, now: null, then: ratio, what: "ln P(new) - ln P(there)" };
  }
  if (known.problem === "regression") {
    const end = known.classes.length === 1 ? "" : `_${label}`;
    return { effect: row[`change${end}`], now: row[`value_ref${end}`], then: row[`value${end}`], what: "value" };
  }
  const now = row[`prob_ref_${label}`], then = row[`prob_${label}`];
  return { effect: row[`logit_change_${label}`], now, then, what: `probability of ${label}` };
}

function inWords(change) {
  if (change.then === null) return "no score: within k bases of an end, or N in the sequence";
  return `${change.what} ${change.now === null ? "" : `${change.now.toFixed(3)} to `}${change.then.toFixed(3)}`;
}

// Numbers of a base and, where it is pinned, buttons that change it.
export function showDetails(view, label, position, { base, isPinned, change } = {}) {
  const place = at("details");
  if (position === null || position === undefined || !view) {
    place.replaceChildren(make("p", "small", "Point at a base for its numbers; click it, or press a letter, to change it."));
    return;
  }
  const here = view.sequence[position];
  const summary = make("dl", "summary");
  const pairs = [["position", `${position} (0-based), ${position + 1} (1-based)`], ["base", here]];
  for (const track of ["attribution", "attention"]) if (view[track]) pairs.push([track, view[track][position].toFixed(4)]);
  const shares = view.expected?.get(position);
  if (shares && !shares.includes(null)) pairs.push(["expected", BASES.map((each, i) => `${each} ${shares[i].toFixed(2)}`).join("  ")]);
  const changes = view.changes.get(position) ?? {};
  if (base && changes[base]) pairs.push([`${here} to ${base}`, inWords(changes[base])]);
  for (const [term, value] of pairs) {
    const entry = make("div", term.replaceAll(" ", "-"));
    entry.append(make("dt", "", term), make("dd", "", value));
    summary.append(entry);
  }
  place.replaceChildren(summary);
  if (!isPinned) return;
  const buttons = make("p", "buttons");
  const [any] = Object.values(changes);
  buttons.append(any ? `Change to (${any.what}${any.now === null ? "" : `, now ${any.now.toFixed(3)}`})` : "Change to");
  for (const to of BASES.filter(each => each !== here)) {
    const then = changes[to]?.then;
    buttons.append(makeButton(typeof then === "number" ? `${to} ${then.toFixed(3)}` : to, () => change(position, to), "to"));
  }
  place.append(buttons);
}

export function showLegend(view, label) {
  const what = known.problem === "regression" ? `value${known.classes.length > 1 ? ` ${label}` : ""}` : `class ${label}`;
  const entries = [];
  if (view.attribution) entries.push(["attribution", `what each base adds to ${what}${known.problem === "regression" ? "" : ", in nats of log odds"} (integrated gradients, the strand as pasted); letters that hang down speak against it`]);
  entries.push(["attention", "where the model looks in its last layer; it has no sign, and does not say what for"]);
  if (view.expected) entries.push(["expected", "the four bases, each as high as the model finds it probable where this base is hidden; none within k bases of an end, or where the sequence holds N"]);
  const legend = at("legend");
  legend.replaceChildren();
  for (const [term, meaning] of entries) legend.append(make("dt", "", term), make("dd", "", meaning));
  const scale = make("dd");
  const gradient = make("span", "scale");
  gradient.style.background = `linear-gradient(to right, ${[-1, 0, 1].map(mapColour)})`;
  const limit = view.limit ? view.limit.toFixed(2) : "";
  const unit = view.expected ? "ln P(new base) - ln P(base that is there)" : known.problem === "regression" ? `change of ${what}` : `change of the logit of ${what} (log odds, nats)`;
  scale.append(limit ? `-${limit}` : "lost", gradient, limit ? `+${limit}` : "gained", ` ${unit}: blue is ${view.expected ? "less probable, red more" : "lost, red gained"}; the dot is the base that is there`);
  legend.append(make("dt", "", "change to"), scale);
  const letters = make("dd");
  for (const [letter, colour] of [["A", "#007a59"], ["C", "#0072b2"], ["G", "#a86f00"], ["T", "#c04f00"]]) {
    const key = make("span", "key", letter);
    key.style.color = colour;
    letters.append(key, " ");
  }
  legend.append(make("dt", "", "letters"), letters);
}
