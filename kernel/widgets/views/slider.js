export default {
  render({ model, el, signal }) {
    const line = scale(model);
    const input = element("input", { type: "range", min: 0, max: line.places, step: 1 });
    const output = element("output");
    input.addEventListener("input", () => put(model, line.value(Number(input.value))));
    input.addEventListener("keydown", (event) => {
      const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (direction === undefined) return;
      event.preventDefault();
      const next = line.place(model.get("value")) + direction * line.stride;
      put(model, line.value(Math.min(line.places, Math.max(0, next))));
    });
    field(model, el, input, output);
    return follow(
      model,
      ["value"],
      () => {
        const value = model.get("value");
        if (line.value(Number(input.value)) !== value) input.value = line.place(value);
        output.textContent = short(value);
        input.setAttribute("aria-valuetext", short(value));
      },
      signal,
    );
  },
};
