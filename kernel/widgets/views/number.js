export default {
  render({ model, el, signal }) {
    const limit = (key) => model.get(key) ?? "";
    const input = element("input", {
      type: "number",
      min: limit("min"),
      max: limit("max"),
      step: model.get("step") ?? "any",
    });
    input.addEventListener("change", () => {
      const value = Number(input.value);
      if (input.value !== "" && input.checkValidity()) put(model, value);
      else input.value = String(model.get("value"));
    });
    field(model, el, input);
    return follow(model, ["value"], () => (input.value = String(model.get("value"))), signal);
  },
};
