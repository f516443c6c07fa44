/** What the views of all controls share. Each view is a file that follows this one in the same module. */

// biome-ignore-all lint/correctness/noUnusedVariables: the views that follow use them.

/** An element with properties and children. */
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** The box of a control, with its label before it. */
function field(model, el, ...children) {
  const label = element("label", { className: "thalweg-label", textContent: model.get("label") ?? "" });
  if (!label.textContent) label.hidden = true;
  const [first] = children;
  first.id ||= `control-${Math.random().toString(36).slice(2)}`;
  label.htmlFor = first.id;
  el.replaceChildren(element("div", { className: `thalweg-control thalweg-${model.get("kind")}` }, label, ...children));
}

/** Numbers as people write them: four digits that count. */
function short(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace(/\.?0*e\+?/, "e");
  return String(Number(value.toPrecision(4)));
}

function put(model, value) {
  model.set("value", value);
  model.save_changes();
}

/** Calls `draw` now and after every change of one of the keys, until the view is removed. */
function follow(model, keys, draw, signal) {
  const events = keys.map((key) => `change:${key}`);
  for (const event of events) model.on(event, draw);
  const stop = () => {
    for (const event of events) model.off(event, draw);
  };
  signal?.addEventListener("abort", stop);
  draw();
  return stop;
}

/** A scale of 1000 places between the ends, even in the value or in its logarithm, and back to the nearest step. */
function scale(model) {
  const [min, max, step, log] = ["min", "max", "step", "log"].map((key) => model.get(key));
  const places = 1000;
  const digits = (value) => Number(value.toPrecision(log ? 4 : 12));
  return {
    places,
    place: (value) =>
      Math.round(places * (log ? Math.log(value / min) / Math.log(max / min) : (value - min) / (max - min))),
    value(place) {
      const part = place / places;
      if (log) return Math.min(max, Math.max(min, digits(min * (max / min) ** part)));
      const raw = min + part * (max - min);
      return Math.min(max, digits(step ? min + Math.round((raw - min) / step) * step : raw));
    },
    /** How many places the arrow keys go. */
    stride: step && !log ? Math.max(1, Math.round((places * step) / (max - min))) : 10,
  };
}
