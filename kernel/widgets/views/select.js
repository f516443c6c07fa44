export default {
  render({ model, el, signal }) {
    const labels = model.get("labels");
    const multiple = model.get("multiple");
    const options = labels.map((label, i) => element("option", { value: i, textContent: label }));
    const select = element("select", { multiple, size: multiple ? Math.min(8, labels.length) : 0 }, ...options);
    select.addEventListener("change", () =>
      put(
        model,
        [...select.selectedOptions].map(({ value }) => Number(value)),
      ),
    );
    field(model, el, select);
    return follow(
      model,
      ["value"],
      () => {
        const chosen = new Set(model.get("value"));
        for (const [i, option] of options.entries()) option.selected = chosen.has(i);
      },
      signal,
    );
  },
};
