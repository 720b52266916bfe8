// Sorting and filtering. Without this script every row is there, in the order of the document.
(() => {
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const key = (cell) => (cell.dataset.key ? Number(cell.dataset.key.replace("inf", "Infinity")) : cell.textContent);
  const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b || 0 : String(a).localeCompare(String(b)));

  const sortable = (table, say) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, at) => {
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const by = (a, b) => (up ? 1 : -1) * order(key(a.cells[at]), key(b.cells[at]));
        table.tBodies[0].append(...[...table.tBodies[0].rows].sort(by));
        say();
      });
    });
  };

  const filterable = (table, say, before) => {
    const rows = [...table.tBodies[0].rows];
    const verdictsOf = (row) => [...row.querySelectorAll("td.verdict")].map((cell) => cell.textContent);
    const verdicts = [...new Set(rows.flatMap(verdictsOf))];
    const text = make("input", { type: "search", placeholder: "words in a row" });
    const picked = make("select", {}, make("option", { value: "" }, "all"), ...verdicts.map((each) => make("option", {}, each)));
    const narrow = () => {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row) => {
        const content = row.textContent.toLowerCase();
        const asked = picked.value === "" || verdictsOf(row).includes(picked.value);
        row.hidden = !asked || !words.every((word) => content.includes(word));
      });
      say();
    };
    [text, picked].forEach((control) => control.addEventListener("input", narrow));
    const tools = make("div", { className: "tools" }, make("label", {}, "Filter ", text));
    if (verdicts.length > 1) tools.append(make("label", {}, "Verdict ", picked));
    before.before(tools);
  };

  document.querySelectorAll("table.sortable").forEach((table) => {
    const status = make("p", { className: "status" }), rows = [...table.tBodies[0].rows];
    status.setAttribute("role", "status");
    const say = () => {
      const sorted = table.querySelector("[aria-sort]");
      const by = sorted ? `, sorted by ${sorted.textContent}, ${sorted.getAttribute("aria-sort")}` : "";
      status.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows shown${by}.`;
    };
    sortable(table, say);
    if (rows.length > 15) {
      filterable(table, say, table.parentElement);
      say();
    }
    table.parentElement.before(status);
  });

  // What is wider than the window can be scrolled with the keyboard, too.
  document.querySelectorAll(".scroll").forEach((box) => {
    if (box.scrollWidth <= box.clientWidth) return;
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", box.querySelector("caption").textContent);
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
})();
