/** Makes a table sortable by its column heads, by `data-sort-value` or the cell's own text. */

const collator = new Intl.Collator("vi", { numeric: true });

function valueOf(row, index) {
  const cell = row.cells[index];
  return cell ? (cell.dataset.sortValue ?? cell.textContent.trim()) : "";
}

function compare(a, b) {
  const [x, y] = [Number(a), Number(b)];
  const bothNumbers = a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y);
  return bothNumbers ? x - y : collator.compare(a, b);
}

function sort(table, head) {
  const ascending = head.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => {
    const order = compare(valueOf(a, head.cellIndex), valueOf(b, head.cellIndex));
    return ascending ? order : -order;
  });
  body.append(...rows);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

export function start(table) {
  for (const head of table.tHead.rows[0].cells) {
    if (head.dataset.sort === "no") continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort-button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, head));
    head.append(button);
  }
}
