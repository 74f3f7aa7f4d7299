// Parts of the page: elements, tables, and what the server says of the model.

export const known = JSON.parse(document.getElementById("known").textContent);
export const BASES = ["A", "C", "G", "T"];

export const at = id => document.getElementById(id);

export function make(tag, name, content) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (content !== undefined) made.textContent = content;
  return made;
}

export function makeButton(content, act, name = "") {
  const button = make("button", name, content);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

// Rows of a table as objects by its columns.
export function objects(table) {
  return table.rows.map(row => Object.fromEntries(table.columns.map((name, i) => [name, row[i]])));
}

export function makeTable(columns, rows, isNumber) {
  const table = make("table");
  const head = make("tr");
  columns.forEach((column, i) => head.append(make("th", isNumber[i] ? "number" : "", column)));
  const body = make("tbody");
  for (const row of rows) {
    const line = make("tr", row.name ?? "");
    row.cells.forEach((content, i) => {
      const cell = make("td", isNumber[i] ? "number" : "long", content instanceof Node ? undefined : content);
      if (content instanceof Node) cell.append(content);
      line.append(cell);
    });
    body.append(line);
  }
  const top = make("thead");
  top.append(head);
  table.append(top, body);
  const box = make("div", "box scroll");
  box.tabIndex = 0;
  box.append(table);
  return box;
}

// Save a table as a file.
export function save(key, { columns, rows }) {
  const text = [columns, ...rows].map(row => row.map(value => value ?? "").join("\t")).join("\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/tab-separated-values" }));
  link.download = `${key}.tsv`;
  link.click();
  URL.revokeObjectURL(link.href);
}
