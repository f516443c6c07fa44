export default {
  render({ model, el }) {
    const button = element("button", { type: "button", textContent: model.get("label") });
    button.addEventListener("click", () => put(model, model.get("value") + 1));
    el.replaceChildren(element("div", { className: "thalweg-control thalweg-button" }, button));
  },
};
