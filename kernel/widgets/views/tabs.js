export default {
  render({ model, el, signal, host }) {
    const titles = model.get("titles");
    const panels = model.get("panels");
    const pages = panels.map(() => element("div", { className: "thalweg-panel", role: "tabpanel" }));
    const tabs = titles.map((title, i) => {
      const tab = element("button", { type: "button", role: "tab", textContent: title });
      tab.addEventListener("click", () => put(model, i));
      tab.addEventListener("keydown", ({ key }) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
        if (step === undefined) return;
        const next = (i + step + titles.length) % titles.length;
        put(model, next);
        tabs[next].focus();
      });
      return tab;
    });
    for (const [i, panel] of panels.entries()) {
      if (panel.html !== undefined) pages[i].innerHTML = panel.html;
      else if (panel.model === undefined) pages[i].append(element("pre", { textContent: panel.text ?? "" }));
      else if (host) void host.getWidget(panel.model).then((child) => child.render({ el: pages[i], signal }));
      else
        pages[i].append(
          element("pre", { textContent: `${panel.text} (this frontend's anywidget is too old to show it here)` }),
        );
    }
    const list = element("div", { className: "thalweg-tablist", role: "tablist" }, ...tabs);
    el.replaceChildren(element("div", { className: "thalweg-control thalweg-tabs" }, list, ...pages));
    return follow(
      model,
      ["value"],
      () => {
        const open = model.get("value");
        for (const [i, tab] of tabs.entries()) {
          tab.ariaSelected = String(i === open);
          tab.tabIndex = i === open ? 0 : -1;
          pages[i].hidden = i !== open;
        }
      },
      signal,
    );
  },
};
