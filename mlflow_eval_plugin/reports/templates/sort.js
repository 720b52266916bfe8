document.querySelectorAll("table.sortable th button").forEach((button) => {
  button.addEventListener("click", () => {
    const header = button.closest("th"), body = button.closest("table").tBodies[0];
    const up = header.getAttribute("aria-sort") !== "ascending", at = header.cellIndex;
    header.parentNode.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => { const c = row.cells[at]; return c.dataset.key ? Number(c.dataset.key.replace("inf", "Infinity")) : c.textContent; };
    const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
    [...body.rows].sort((a, b) => (up ? 1 : -1) * order(key(a), key(b))).forEach((row) => body.append(row));
  });
});
