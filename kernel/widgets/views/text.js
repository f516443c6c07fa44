export default {
  render({ model, el, signal }) {
    const rows = model.get("rows") ?? 1;
    const input = rows > 1 ? element("textarea", { rows }) : element("input", { type: "text" });
    input.placeholder = model.get("placeholder") ?? "";
    input.addEventListener("input", () => put(model, input.value));
    field(model, el, input);
    return follow(
      model,
      ["value"],
      () => {
        if (input.value !== model.get("value")) input.value = model.get("value");
      },
      signal,
    );
  },
};
