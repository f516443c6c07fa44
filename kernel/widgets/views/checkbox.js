export default {
  render({ model, el, signal }) {
    const input = element("input", { type: "checkbox" });
    input.addEventListener("change", () => put(model, input.checked));
    const label = element("label", {}, input, ` ${model.get("label") ?? ""}`);
    el.replaceChildren(element("div", { className: "thalweg-control thalweg-checkbox" }, label));
    return follow(model, ["value"], () => (input.checked = model.get("value")), signal);
  },
};
