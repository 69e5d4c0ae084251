(() => {
  "use strict";
  const FILTERED = 8; // rows: a shorter table is seen at a glance
  const SCALE = { ms: 1e-3, s: 1, min: 60, h: 3600, d: 86400, K: 1e3, M: 1e6, B: 1e9, T: 1e12 };

  const words = (cell) => cell.textContent.replace(/\u00ad/g, "").replace(/\s+/g, " ").trim();
  // "22 min", "28.7K of 3.2B", "0.812", "◇ 4": the first number, with what its unit makes of it; else null.
  const value = (text) => {
    const match = text.replace(/,(?=\d{3})/g, "").match(/^[^\d+\-−.]*([+\-−]?[\d.]+(?:e[+-]?\d+)?)\s*(ms|min|[shdKMBT])?(?![a-z])/);
    const number = match ? Number(match[1].replace("−", "-")) : NaN;
    return Number.isNaN(number) ? null : number * (SCALE[match[2]] || 1);
  };
  const plain = (row, width) => row.cells.length === width && ![...row.cells].some((cell) => cell.colSpan > 1);

  // A long table is folded: all of it is sorted, filtered and saved.
  const unfold = (table) => {
    const rest = table.rest;
    if (!rest) return;
    table.tBodies[0].append(...rest.querySelector("tbody").rows);
    rest.remove();
    table.rest = null;
  };
  const rows = (table) => [...table.tBodies[0].rows, ...(table.rest ? table.rest.querySelector("tbody").rows : [])];

  const sort = (table, column, down) => {
    unfold(table);
    const width = table.tHead.rows[0].cells.length;
    const numeric = table.tHead.rows[0].cells[column].classList.contains("n");
    const key = (row) => (numeric ? value(words(row.cells[column])) : words(row.cells[column]) || null);
    const compare = (one, other) => (numeric ? one - other : one.localeCompare(other, "en", { numeric: true }));
    const movable = [...table.tBodies[0].rows].filter((row) => plain(row, width)).map((row) => [key(row), row]);
    movable.sort(([one], [other]) => {
      if (one === null || other === null) return (one === null) - (other === null); // what is missing comes last
      return down ? compare(other, one) : compare(one, other);
    });
    table.tBodies[0].prepend(...movable.map(([, row]) => row));
  };

  const csv = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const lines = [heads, ...rows(table).map((row) => [...row.cells])];
    // A spreadsheet would run what begins so as a formula.
    const safe = (text) => (/^[=+@\-\t]/.test(text) && value(text) === null ? `'${text}` : text);
    return lines.map((cells) => cells.map((cell) => `"${safe(words(cell)).replace(/"/g, '""')}"`).join(",")).join("\r\n") + "\r\n";
  };
  const save = (name, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  const sortable = (table) => {
    const width = table.tHead.rows[0].cells.length;
    const body = [...table.tBodies[0].rows];
    return body.filter((row) => plain(row, width)).length > 1 && !body.some((row) => row.matches(".group, .mean"));
  };
  const heads = (table) => {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = document.createElement("button");
      button.className = "sort";
      button.type = "button";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const now = cell.getAttribute("aria-sort");
        const down = now ? now === "ascending" : cell.classList.contains("n");
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down);
      });
    });
  };
  const tools = (box, table, name) => {
    const bar = document.createElement("div");
    bar.className = "tools";
    if (rows(table).length >= FILTERED) {
      const field = document.createElement("input");
      field.type = "search";
      field.placeholder = "filter";
      field.setAttribute("aria-label", `Filter: ${box.getAttribute("aria-label")}`);
      field.addEventListener("input", () => {
        unfold(table);
        const parts = field.value.toLowerCase().split(/\s+/).filter(Boolean);
        for (const row of table.tBodies[0].rows) {
          const text = words(row).toLowerCase();
          row.hidden = !parts.every((part) => text.includes(part));
        }
      });
      bar.append(field);
    }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "download CSV";
    button.addEventListener("click", () => save(`${name}.csv`, csv(table)));
    bar.append(button);
    box.before(bar);
  };

  for (const box of document.querySelectorAll(".scroll")) {
    const table = box.querySelector("table");
    if (!table || !table.tHead || !table.tBodies.length || box.closest("[data-rest]")) continue;
    const next = box.nextElementSibling;
    table.rest = next && "rest" in next.dataset ? next : null;
    const name = box.getAttribute("aria-label").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
    if (sortable(table)) heads(table);
    tools(box, table, name || "table");
    table.csv = () => csv(table);
  }
})();
