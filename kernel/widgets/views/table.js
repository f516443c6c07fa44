export default {
  render({ model, el, signal }) {
    const columns = model.get("columns");
    const rows = model.get("rows");
    const choose = model.get("choose");
    let sorted = { column: -1, down: false };
    const head = columns.map((name, column) => {
      const button = element("button", { type: "button", textContent: name });
      button.addEventListener("click", () => {
        sorted = { column, down: sorted.column === column && !sorted.down };
        draw();
      });
      return element("th", {}, button);
    });
    const body = element("tbody");
    const compare = (a, b) => {
      const [x, y] = [rows[a][sorted.column], rows[b][sorted.column]];
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return sorted.down ? -order : order;
    };
    function toggle(row) {
      const chosen = new Set(model.get("value"));
      const had = chosen.delete(row);
      if (choose === "one") chosen.clear();
      if (!had) chosen.add(row);
      put(
        model,
        [...chosen].sort((a, b) => a - b),
      );
    }
    function draw() {
      const chosen = new Set(model.get("value"));
      const order = rows.map((_, i) => i);
      if (sorted.column >= 0) order.sort(compare);
      for (const [i, th] of head.entries())
        th.ariaSort = i === sorted.column ? (sorted.down ? "descending" : "ascending") : "none";
      body.replaceChildren(
        ...order.map((i) => {
          const cells = rows[i].map((value) =>
            element("td", {
              className: typeof value === "number" ? "thalweg-number" : "",
              textContent: typeof value === "number" ? short(value) : String(value ?? ""),
            }),
          );
          const mark = element("input", { type: choose === "one" ? "radio" : "checkbox", checked: chosen.has(i) });
          mark.setAttribute("aria-label", `row ${i + 1}`);
          mark.addEventListener("click", () => toggle(i));
          if (choose !== "none") cells.unshift(element("td", {}, mark));
          return element("tr", { className: chosen.has(i) ? "thalweg-chosen" : "" }, ...cells);
        }),
      );
    }
    const titles = element("tr", {}, ...(choose === "none" ? [] : [element("th")]), ...head);
    const table = element("table", {}, element("thead", {}, titles), body);
    const caption = model.get("label");
    if (caption) table.prepend(element("caption", { textContent: caption }));
    el.replaceChildren(element("div", { className: "thalweg-control thalweg-table" }, table));
    return follow(model, ["value"], draw, signal);
  },
};
